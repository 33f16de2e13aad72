"""The trials of the audit and their record: complete, the same again, and resumable."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

from rbcore.audit import cells, corpora, evidence, recording, trial
from rbcore.audit.defects import DEFECTS
from rbcore.audit.planted import DEFECTS as PLANTED
from rbcore.audit.recording import Task
from rbcore.estimate.ngram import tokenize

SIZES = (60, 60, 40, 40)


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def row(corpus="code", defect="truncation", strength=0.5, seed=1, verdicts=(), **cost):
    said = {"endings": "clear", "length": "undecided", "narrow": "clear"} | dict(verdicts)
    cost = {"harm": 0.5, "flattered": 0.0, "removed": 0.0, "repair": None} | cost
    p = {question: 0.01 if verdict == "flagged" else 0.5 for question, verdict in said.items()}
    return {
        "corpus": corpus,
        "seed": seed,
        "defect": defect,
        "strength": strength,
        "verdicts": said,
        "p": p,
        **cost,
    }


@pytest.fixture
def kept():
    """A small record, as it is summed up and counted."""
    worlds = [
        row(seed=1, verdicts={"endings": "flagged"}),
        row(seed=2, verdicts={"narrow": "flagged"}, harm=0.7, removed=0.2, repair=-0.1),
        row(seed=3, verdicts={"endings": "flagged", "length": "flagged"}, harm=0.9, removed=0.4, repair=-0.3),
        row(seed=1, defect="leakage, a word", strength=0.03, harm=-0.1, flattered=0.3),
    ]
    clean = [
        row(defect="none", strength=0.0, seed=i, verdicts={"narrow": "flagged"} if i == 5 else {})
        for i in range(1, 9)
    ]
    done = {
        Task("world", "code", (1, 2, 3)): [*worlds, *clean[:3]],
        Task("control", "code", (4, 5, 6, 7, 8)): clean[3:],
        Task("planted", "grammar", (1,)): [
            {"defect": "none", "seed": 1, "narrow": 0},
            {"defect": "leakage", "seed": 1, "anchor-copies": 1},
        ],
    }  # fmt: skip
    return {"made": {"seed": 1}, **recording.summary(done, "")}


@pytest.mark.slow
def test_tables_count_what_was_said(kept):
    table = evidence.table(evidence.counted(kept)).set_index("defect")
    one = table.loc["truncation"]
    assert (one.sets, one.found, one["any"], one.undecided) == (3, 2 / 3, 1.0, 1 / 3)
    assert one.low == pytest.approx(stats.binomtest(2, 3).proportion_ci(0.95, "exact").low)
    mean, low, high = one.harm, one.harm_low, one.harm_high
    expected = stats.ttest_1samp([0.5, 0.7, 0.9], 0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((0.7, *expected), abs=1e-4)
    assert one.repair == pytest.approx(-0.2) and one.removed == pytest.approx(0.2)
    assert np.isnan(table.loc["leakage, a word"].repair)
    leak = table.loc["leakage, a word"]
    assert np.isnan(leak.harm_low) and leak.harm == -0.1


@pytest.mark.slow
def test_controls_are_those_of_worlds_too(kept):
    record = evidence.counted(kept)
    table = evidence.controls(record).set_index("corpus")
    assert table.loc["code", ["sets", "flagged"]].tolist() == [8, 1] and table.loc["code", "by"] == "narrow 1"
    assert table.loc["all", "share"] == 1 / 8
    assert record["controls"]["code"]["low"] == {"narrow": 1}
    assert record["controls"]["code"]["undecided"] == {"length": 8}


@pytest.mark.slow
def test_power_and_severity(kept):
    record = evidence.counted(kept)
    power = evidence.power(record, "truncation")
    assert power.corpus.tolist() == ["all", "code"] and power.found.tolist() == [2 / 3, 2 / 3]
    with pytest.raises(ValueError, match="one of near-duplicates.*got 'typos'"):
        evidence.power(record, "typos")
    worst = evidence.severity(record)
    assert worst["endings"] == worst["length"] == pytest.approx(0.7)
    assert worst["anchor-copies"] == pytest.approx(0.3)  # the score is off by more than the student loses
    assert "narrow" not in worst
    (cut,) = (cell for cell in record["cells"] if cell["defect"] == "truncation")
    record["cells"].append(cut | {"corpus": "german", "harm": [0.1, 0.0, 0.2]})
    assert evidence.severity(record)["length"] == pytest.approx(0.4)  # on average


@pytest.mark.slow
def test_corpora_are_pooled_and_costs_have_an_interval_over_them(kept):
    record = evidence.counted(kept)
    cells = record["cells"]
    (cut,) = (cell for cell in cells if cell["defect"] == "truncation")
    cells.append(cut | {"corpus": "german", "sets": 4, "named": 0, "harm": [0.1, 0.0, 0.2]})
    pooled = evidence.pooled(record).set_index("defect")
    one = pooled.loc["truncation"]
    assert (one.corpora, one.sets, one.named, one.level) == (2, 7, 2, 1)
    ci = stats.binomtest(2, 7).proportion_ci(0.95, "exact")
    assert (one.found, one.low, one.high) == pytest.approx((2 / 7, ci.low, ci.high))
    ends = stats.ttest_1samp([0.7, 0.1], 0).confidence_interval(0.95)
    assert (one.harm, one.harm_low, one.harm_high) == pytest.approx((0.4, *ends))
    assert pooled.loc["leakage, a word"].harm == -0.1 and np.isnan(pooled.loc["leakage, a word"].repair)


@pytest.mark.slow
def test_a_record_is_written_and_read(kept, tmp_path):
    recording.write(kept, tmp_path / "record.json")
    assert evidence.load(tmp_path / "record.json") == json.loads(json.dumps(evidence.counted(kept)))
    made, full, half = trial.recorded(tmp_path / "record.json")
    assert made == {"seed": 1} and full.sets.to_dict() == {"none": 1, "leakage": 1} and half.empty
    assert full.loc["none"].drop(["sets", "named", "alone"]).sum() == 0  # not checked is not flagged
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="no record of trials"):
        evidence.load(tmp_path / "other.json")
    assert "truncation" in recording.report(evidence.counted(kept))


@pytest.mark.slow
def test_audits_of_a_world_are_those_of_each_alone():
    here = cells.world("grammar", 3, sizes=SIZES)
    both = cells.audits(here, ["near-duplicates", "wrong labels"])
    assert [one["defect"] for one in both] == ["none"] + ["near-duplicates"] * 3 + ["wrong labels"] * 3
    assert cells.audits(here, ["wrong labels"]) == [both[0], *both[4:]]
    assert cells.control(here) == both[0]
    ends = [one["harm"] for one in both[1:]]
    assert 5 > ends[2] > 0 and 5 > ends[5] > 0  # nats per token
    words = {token for text in here.synth.texts for token in tokenize(text)}
    losses = cells._losses(here, here.synth)
    assert (losses > 0).all() and (losses < np.log(len(words))).all()
    assert all(one["removed"] > 0 for one in both if "flagged" in one["verdicts"].values())


@pytest.mark.slow
def test_what_is_flagged_names_the_rows_that_a_repair_leaves_out():
    here = cells.world("grammar", 3, sizes=(100, 100, 50, 200))
    worst = cells.audits(here, ["near-duplicates"])[-1]
    assert worst["verdicts"]["near-duplicates"] == "flagged"
    assert 0.1 < worst["removed"] < 0.3
    assert worst["repair"] < worst["harm"]


@pytest.mark.slow
def test_held_out_records_in_the_training_data_flatter_a_student():
    here = cells.world("code", 3, sizes=(60, 100, 60, 100))
    worst = cells.audits(here, ["contamination, record"])[-1]
    assert worst["flattered"] > 0.3 and abs(worst["harm"]) < worst["flattered"] / 2


def test_the_plan_counts_its_audits():
    tasks = recording.plan(("code", "grammar"), worlds=2, controls=10, notes=5, clean_=9, seed=7)
    kinds = [task.kind for task in tasks]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "world": 4,
        "control": 2,
        "planted": 2,
        "half": 2,
        "clean": 1,
    }
    seeds = {
        task.kind: sorted(s for t in tasks if t.kind == task.kind and t.corpus == "grammar" for s in t.seeds)
        for task in tasks
    }
    assert seeds["world"] == [7, 8] and seeds["control"] == list(range(9, 17))
    assert seeds["planted"] == seeds["half"] == list(range(7, 12)) and seeds["clean"] == list(range(12, 16))
    assert tasks[0].audits == 1 + 3 * len(DEFECTS)
    assert len(set(tasks)) == len(tasks)


def test_what_was_done_is_not_done_again(tmp_path, monkeypatch):
    calls = []

    def work(task, folder):
        if task.corpus == "stop" and not calls.count("on"):
            raise KeyboardInterrupt
        calls.append(task.corpus)
        return [{"seed": task.seeds[0]}]

    monkeypatch.setattr(recording, "work", work)
    monkeypatch.setattr(corpora, "corpus", lambda name, folder: None)
    monkeypatch.setattr(recording, "_key", lambda folder: "key")
    tasks = [Task("control", name, (i,)) for i, name in enumerate(("a", "b", "stop", "c"))]
    with pytest.raises(KeyboardInterrupt):
        recording.gather(tasks, str(tmp_path), jobs=1, quiet=True)
    assert calls == ["a", "b"]
    journal = tmp_path / "trials-key.jsonl"
    journal.write_text(journal.read_text() + '["control", "c", [3], [{"se')  # cut short
    calls.append("on")
    done = recording.gather(tasks, str(tmp_path), jobs=1, quiet=True)
    assert calls == ["a", "b", "on", "stop", "c"]
    assert done == {task: [{"seed": i}] for i, task in enumerate(tasks)}
    assert recording.gather(tasks, str(tmp_path), jobs=1, quiet=True) == done and len(calls) == 5


@pytest.mark.parametrize(
    "arguments", [["--worlds", "-1"], ["--corpora", "code,klingon"], ["--jobs", "0"], ["--seed", "-3"]]
)
def test_arguments_that_make_no_sense_are_refused(arguments, capsys):
    assert trial.main(arguments) == 2
    assert "--corpora: some of code" in capsys.readouterr().err


def test_a_corpus_that_cannot_be_fetched_ends_with_a_word(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert trial.main(["--corpora", "german", "--folder", str(tmp_path)]) == 1
    assert "fortunes-de (apt-get: No such file or directory)" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_writes_the_record(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cells, "SIZES", SIZES)
    strongest = {name: replace(one, strengths=one.strengths[-1:]) for name, one in DEFECTS.items()}
    monkeypatch.setattr(cells, "DEFECTS", strongest)
    monkeypatch.setattr(corpora, "fetch", lambda folder, wanted: None)  # no package is needed for notes
    path = tmp_path / "record.json"
    arguments = [
        "--corpora",
        "grammar",
        "--worlds",
        "1",
        "--controls",
        "2",
        "--notes",
        "1",
        "--clean",
        "2",
        "--seed",
        "5",
    ]
    arguments += ["--folder", str(tmp_path), "--jobs", "1", "--out", str(path)]
    assert trial.main(arguments) == 0 and not path.exists()
    assert trial.main([*arguments, "--record"]) == 0
    record = evidence.load(path)
    made, full, half = trial.recorded(path)
    assert made["seed"] == 5 and full.sets.to_dict() == {"none": 2} | dict.fromkeys(PLANTED, 1)
    assert list(half.index) == list(trial.HALVED)
    assert record["controls"]["grammar"]["sets"] == 2
    here = set(evidence.table(record).defect)
    assert {"near-duplicates", "wrong labels", "low temperature"} <= here and "another language" not in here
    assert "share that is found and named" in capsys.readouterr().out


@pytest.mark.slow
def test_the_stored_record_agrees_with_a_fresh_run_on_what_every_machine_has():
    record = evidence.load()
    rows = [*cells.audits(cells.world("code", 1))]
    rows += [cells.control(cells.world("code", seed)) for seed in (2, 3)]
    pairs: dict[str, list[list[int]]] = {}  # of each defect: found and sets, in this run and in the record
    for cell in [cell for cell in record["cells"] if cell["corpus"] == "code"]:
        own, key = DEFECTS[cell["defect"]].questions, (cell["defect"], cell["strength"])
        mine = [row["verdicts"] for row in rows if (row["defect"], row["strength"]) == key]
        hits = sum(any(said.get(name) == "flagged" for name in own) for said in mine)
        pairs.setdefault(cell["defect"], []).append([hits, len(mine), cell["named"], cell["sets"]])
    sums = [np.sum(some, axis=0) for some in pairs.values()]
    p_values = [_fisher(*one) for one in (*sums, np.sum(sums, axis=0))]
    clean, kept = [row for row in rows if row["defect"] == cells.CONTROL], record["controls"]["code"]
    hits = sum("flagged" in row["verdicts"].values() for row in clean)
    p_values.append(_fisher(hits, len(clean), kept["any"], kept["sets"]))
    assert len(clean) == 3 and len(p_values) > 14
    assert min(p_values) * len(p_values) > 0.001


def test_the_stored_record_counts_no_more_than_there_are():
    record = evidence.load()
    for one in [*record["cells"], *record["controls"].values()]:
        flagged, undecided = one["flagged"], one["undecided"]
        counts = [flagged.get(id, 0) + undecided.get(id, 0) for id in flagged | undecided]
        assert min(counts, default=0) >= 0 and max(counts, default=0) <= one["sets"]
        assert max(flagged.values(), default=0) <= one["any"] <= one["sets"] and one.get("named", 0) <= one["any"]
        assert max(one.get("not checked", {}).values(), default=0) <= one["sets"]


def test_intervals_of_the_stored_record_have_their_mean_in_the_middle():
    cells = evidence.load()["cells"]
    found = [x for cell in cells for name in ("harm", "flattered", "repair") if None not in (x := cell[name])]
    assert len(found) > 1000
    mean, low, high = np.array(found).T
    np.testing.assert_allclose(low + high, 2 * mean, atol=3.1e-4)


def _fisher(k, n, j, m):
    return float(stats.fisher_exact([[k, n - k], [j, m - j]]).pvalue)
