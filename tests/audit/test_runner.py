"""The audit: what is planted is found, options are refused or used, nothing of the user's is executed."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from rbcore import audit
from rbcore.audit import Options, questions, trial
from rbcore.audit import planted as audit_planted
from rbcore.audit.advice import QUESTIONS
from rbcore.audit.planted import DEFECTS, SUBJECTS, notes, plant
from rbcore.audit.read.records import InputError, Records
from rbcore.audit.report import write
from rbcore.book.execute import ROOT

SMALL = {"anchors": 300, "synthetic": 600, "heldout": 300}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The data are small: more threads take several times the processor time."""
    with threadpool_limits(1), pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # of the processes that are started
            patch.setenv(name, "1")
        yield


# --- planted data --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_log_probabilities_average_to_the_exact_entropy(temperature):
    made = notes(np.random.default_rng(1), 3000, temperature)
    logs = -np.array(made.logprobs)
    assert abs(logs.mean() - audit_planted.entropy(temperature)) < 5 * logs.std() / np.sqrt(3000)


def test_colder_notes_have_less_entropy_and_no_two_lists_share_a_word():
    entropies = [audit_planted.entropy(t) for t in (0.3, 0.5, 0.8, 1.0, 1.5)]
    assert np.all(np.diff(entropies) > 0)
    assert notes(np.random.default_rng(0), 5, subjects=["boats"]).labels == ["boats"] * 5


def test_planting_does_what_it_says():
    for defect, strength in audit_planted.STRENGTHS.items():
        planted = plant(defect, np.random.default_rng(5), **SMALL)
        clean = plant(None, np.random.default_rng(5), **SMALL)
        assert planted.anchor == clean.anchor and planted.heldout == clean.heldout
        if defect == "wrong labels":
            assert planted.synth.texts == clean.synth.texts
            changed = np.mean([a != b for a, b in zip(planted.synth.labels, clean.synth.labels, strict=True)])
            assert changed == pytest.approx(strength)
        if defect == "missing subject":
            assert set(planted.synth.labels) == set(SUBJECTS) - {"music"}
        if defect in ("duplicates", "leakage", "contamination", "off-task drift"):
            changed = np.mean([a != b for a, b in zip(planted.synth.texts, clean.synth.texts, strict=True)])
            assert changed == pytest.approx(strength, abs=0.01)


@pytest.mark.parametrize("call", [
    lambda rng: plant("typos", rng),
    lambda rng: notes(rng, 3, subjects=["sports"]),
    lambda rng: notes(rng, 3, subjects=[]),
    lambda rng: notes(rng, 3, temperature=0.0),
])  # fmt: skip
def test_what_cannot_be_planted_is_named(call):
    with pytest.raises(ValueError, match="defect|subjects|temperature"):
        call(np.random.default_rng(0))


@pytest.mark.slow
@pytest.mark.parametrize("defect", list(DEFECTS))
def test_each_defect_is_found_and_named(defect):
    found = trial.findings(defect, 5)
    assert DEFECTS[defect][0] in [one.id for one in found if one.verdict == "flagged"]
    flagged = next(one for one in found if one.id == DEFECTS[defect][0])
    assert flagged.advice and flagged.numbers and flagged.examples


@pytest.mark.slow
def test_clean_data_are_not_accused():
    table = trial.trials([None], range(3, 9))
    assert len(table) == 6 and table.shape[1] > 10 and not table.any(axis=None)


@pytest.mark.slow
def test_what_the_data_sets_of_a_world_share_changes_no_answer():
    defects = [None, "wrong labels", "leakage", "low temperature"]
    table = trial.trials(defects, [4], {"leakage": 0.03})
    assert list(table.index) == [(defect or "none", 4) for defect in defects]
    for defect in defects[1:]:
        alone = trial.findings(defect, 4, 0.03 if defect == "leakage" else None)
        flags = {one.id: one.verdict == "flagged" for one in alone if one.verdict != "not checked"}
        assert table.loc[(defect, 4)].to_dict() == flags


@pytest.mark.slow
def test_an_audit_takes_from_another_only_what_is_the_same():
    world = audit_planted.clean(np.random.default_rng(0), **SMALL)
    first = audit.prepare(world.records(), 1)
    for defect, kept in (("wrong labels", True), ("duplicates", False)):
        records = audit_planted.spoil(world, defect, np.random.default_rng(1)).records()
        alone, like = audit.prepare(records, 1), audit.prepare(records, 1, like=first)
        for pair, copies in alone.copies.items():
            assert np.array_equal(copies.of, like.copies[pair].of)
            assert (like.copies[pair].of is first.copies[pair].of) == (kept or "SYNTH" not in pair)
        for name in records:
            assert np.array_equal(alone.surprise[name], like.surprise[name])
    other = audit.prepare(records, 2, like=first)  # other anchors are fitted
    assert not np.array_equal(other.surprise["HELDOUT"], first.surprise["HELDOUT"])


# --- rates ---------------------------------------------------------------------------------------------------


def flags(hits: dict[str, list[int]], n: int = 20) -> pd.DataFrame:
    """A table of trials with two questions, of which one names leakage; `hits`: how often each was flagged."""
    index = pd.MultiIndex.from_product([hits, range(n)], names=["defect", "seed"])
    rows = [[i < one for one in counts] for counts in hits.values() for i in range(n)]
    return pd.DataFrame(rows, index, ["anchor-copies", "narrow"])


def test_counts_are_those_of_the_question_that_should_name_the_defect():
    counts = trial.counts(flags({"none": [1, 2], "leakage": [19, 3]}))
    assert counts.loc["none", ["sets", "named", "alone"]].tolist() == [20, 18, 18]
    assert counts.loc["leakage"].tolist() == [20, 19, 17, 19, 3]


def test_a_rate_clears_its_margin_with_the_whole_interval():
    assert trial.above([20] * 7, [20] * 7, 0.7).holds  # 0.01 / 7 = 0.72 ** 20
    assert not trial.above([20] * 7, [20] * 7, 0.73).holds
    mixed = trial.above([20, 300], [20, 300], [0.5, 0.99])
    assert not mixed.holds and mixed.value == 1 and mixed.ci[0] == pytest.approx(0.005 ** (1 / 300))


def test_two_tables_agree_up_to_chance():
    fresh, many = (trial.counts(flags({"leakage": [k, 0]}, n)) for k, n in ((18, 20), (99, 100)))
    assert trial.agreement(fresh, many).holds
    assert not trial.agreement(trial.counts(flags({"leakage": [12, 0]})), many).holds
    with pytest.raises(ValueError, match="no cell"):
        trial.agreement(fresh, many.rename({"leakage": "other"}))


@pytest.mark.slow
def test_the_same_seed_finds_the_same():
    assert trial.findings("leakage", 4, **SMALL) == trial.findings("leakage", 4, **SMALL)


# --- the checks ----------------------------------------------------------------------------------------------


def test_the_task_repeats_itself_and_so_may_synthetic_data():
    """A task of few different texts: its repeats are usual, whatever the sizes; then copies on top are flagged."""
    rng = np.random.default_rng(0)
    pool = [" ".join(rng.choice(list("abcdefghijklmnop"), size=9)) for _ in range(3000)]

    def records(name: str, texts: list[str]) -> Records:
        return Records(name, "test", len(texts), tuple(texts))

    def verdict(synth: list[str]) -> str:
        anchors = [str(t) for t in rng.choice(pool, size=600)]
        data = audit.prepare({"ANCHOR": records("ANCHOR", anchors), "SYNTH": records("SYNTH", synth)}, 1)
        return questions.repeats(data, rng).finding.verdict

    fresh = [str(t) for t in rng.choice(pool, size=2400)]
    assert verdict(fresh) != "flagged"
    assert verdict([*fresh[:800], *fresh[:800], *fresh[:800]]) == "flagged"


def test_every_question_rests_on_a_claim_that_holds_in_its_chapter():
    pinned = json.loads((ROOT / "book" / "ledger.json").read_text())["claims"]
    for id, asked in QUESTIONS.items():
        assert asked.claim in pinned, f"{id}: the ledger has no claim {asked.claim}"
        assert pinned[asked.claim]["chapter"] == asked.chapter
        assert (ROOT / "notebooks" / f"{asked.chapter}.md").exists()


# --- the whole ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> dict[str, str]:
    made = audit_planted.several(np.random.default_rng(7), anchors=300, synthetic=600, heldout=200)
    return made.write(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def finished(planted, tmp_path_factory) -> tuple[Options, audit.Result]:
    options = Options(**planted, label="label", out=str(tmp_path_factory.mktemp("out")))
    return options, audit.run(options, quiet=True)


@pytest.mark.slow
def test_an_audit_answers_everything_and_its_json_is_plain(finished):
    options, result = finished
    ids = [one.id for one in result.findings]
    assert sorted(ids) == sorted(QUESTIONS) and ids[-3:] == ["whole", "students", "ggmi"]
    assert {"near-duplicates", "anchor-copies", "wrong-labels"} <= set(result.flagged)
    for finding in result.findings:
        assert set(finding.numbers) <= set(result.numbers)
    for one in result.numbers.values():
        low, high = one.estimate.ci
        assert low <= one.estimate.value <= high, one.id
    path = write.write(result, options.out)
    stored = json.loads(path.with_suffix(".json").read_text())
    assert stored["numbers"].keys() == result.numbers.keys()
    assert stored["seconds"].keys() >= {"embed", "near-copies", "students"}


@pytest.mark.slow
def test_finished_stages_are_used_again_and_give_the_same(finished, tmp_path):
    options, result = finished
    again = audit.run(options, quiet=True)
    assert again.payload() | {"seconds": 0} == result.payload() | {"seconds": 0}
    other = audit.run(dataclasses.replace(options, seed=1, out=str(tmp_path)), quiet=True)
    assert other.numbers["missing-task"] != result.numbers["missing-task"]


@pytest.mark.slow
def test_vectors_without_labels_are_audited(tmp_path):
    rng = np.random.default_rng(0)
    for name, n, shift in (("anchor", 300, 0.0), ("synth", 500, 0.0), ("strange", 500, 3.0)):
        x = rng.normal(size=(n, 4))
        x[: n // 5, 0] += 5 * (shift > 0)
        pd.DataFrame(x, columns=list("abcd")).to_csv(tmp_path / f"{name}.csv", index=False)
    paths = {name: str(tmp_path / f"{name}.csv") for name in ("anchor", "synth", "strange")}
    clean = audit.run(Options(paths["anchor"], paths["synth"]), quiet=True, keep=False)
    assert clean.flagged == []
    strange = audit.run(Options(paths["anchor"], paths["strange"]), quiet=True, keep=False)
    assert "off-task" in strange.flagged


@pytest.mark.slow
def test_prompts_log_probabilities_and_losses_are_used(tmp_path):
    rng = np.random.default_rng(1)
    real, made, held = (notes(rng, n) for n in (200, 300, 120))
    table = pd.DataFrame({"text": made.texts, "prompt": [f"write about {x}" for x in made.labels]})
    table["logprob"] = made.logprobs
    table.to_json(tmp_path / "s.jsonl", orient="records", lines=True)
    real.write(tmp_path / "a.jsonl")
    given = pd.DataFrame({"text": held.texts, "old": rng.normal(3, 1, 120), "new": rng.normal(2, 1, 120)})
    given.to_parquet(tmp_path / "h.parquet")
    options = Options(
        str(tmp_path / "a.jsonl"), str(tmp_path / "s.jsonl"), heldout=str(tmp_path / "h.parquet"), text="text",
        prompt="prompt", logprob="logprob", losses="old,new",
    )  # fmt: skip
    result = audit.run(options, quiet=True, keep=False)
    gain = result.numbers["information-gain"].estimate
    assert gain.ci[0] - 1 < audit_planted.entropy() < gain.ci[1] + 1
    assert all(
        0 < result.numbers[f"distinct-1-{name}"].estimate.value < 1 for name in ("anchor", "synth", "heldout")
    )
    assert result.numbers["hsic-synth"].estimate.p_value < 0.01  # a note depends on what was asked for
    assert result.numbers["given-losses"].estimate.value == pytest.approx(-1, abs=0.4)


@pytest.mark.slow
def test_hostile_records_are_shown_and_not_run(tmp_path):
    rng = np.random.default_rng(0)
    bad = "<script>fetch('x')</script><img src=x onerror=alert(1)> {{7*7}} ${HOME} `id`"
    real = [*notes(rng, 100).texts, *(f"{bad} {text}" for text in notes(rng, 100).texts)]
    copies = [f"{text} again" for text in real[100:]]
    for name, texts in (("a", real), ("s", [*notes(rng, 200).texts, *copies])):
        pd.DataFrame({"text": texts}).to_json(tmp_path / f"{name}.jsonl", orient="records", lines=True)
    options = Options(str(tmp_path / "a.jsonl"), str(tmp_path / "s.jsonl"), out=str(tmp_path / "<b>out"))
    result = audit.run(options, quiet=True, keep=False)
    assert "anchor-copies" in result.flagged
    page = write.write(result, options.out).read_text()
    assert "&lt;script&gt;" in page and "<script" not in page and "<img src=x" not in page and "<b>out" not in page


def test_input_errors_are_values_errors():
    assert issubclass(InputError, ValueError)
