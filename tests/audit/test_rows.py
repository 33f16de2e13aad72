"""The rows that an audit names, and cleaning: each row once for each question, and nothing left out by mistake."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from rbcore.audit import Options, cleaning, rows, runner
from rbcore.audit import planted as audit_planted
from rbcore.audit.advice import finding
from rbcore.audit.questions.verdict import Named, Outcome
from rbcore.audit.read.records import MIN, InputError, Records
from rbcore.audit.result import Number, Result, Row
from rbcore.estimate.base import Estimate

VERDICTS = ("flagged", "undecided", "clear")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def records(name: str, n: int) -> Records:
    return Records(name, f"{name.lower()}.jsonl", n, tuple(f"{name} {i}" for i in range(n)))


def named(
    id: str, verdict: Any, n: int, hits: Collection[int], other: str = "", of: Any = None, scores: Any = None
) -> Outcome:
    which = np.isin(np.arange(n), list(hits))
    p = {"flagged": 1e-4, "undecided": 0.01, "clear": 1e-4}.get(verdict, 0.2)
    return Outcome(
        finding(id, verdict.removesuffix(" without evidence"), "So it is.", p=p),
        (),
        Named(which, scores, other, of),
    )


# Which rows


def test_a_row_says_where_it_stands_and_what_it_resembles():
    of = np.array([-1, 2, -1, 0])
    anchor, synth = records("ANCHOR", 3), records("SYNTH", 4)
    outcomes = [
        named("anchor-copies", "flagged", 4, [1, 3], "ANCHOR", of),
        named("off-task", "undecided", 4, [2], scores=np.array([0, 1, 2.5, 3])),
        named("wrong-labels", "clear", 4, [0]),
        named("endings", "undecided without evidence", 4, [0]),
        Outcome(finding("narrow", "flagged", "No row.")),
    ]
    found = rows.named({"ANCHOR": anchor, "SYNTH": synth}, outcomes)
    stored = [json.loads(line) for line in rows.lines(found).splitlines()]
    assert stored == [
        {"file": "synth.jsonl", "line": 2, "position": 1, "question": "anchor-copies", "verdict": "flagged",
         "score": None, "excerpt": "SYNTH 1", "drop": True,
         "resembles": {"input": "ANCHOR", "file": "anchor.jsonl", "line": 3, "excerpt": "ANCHOR 2"}},
        {"file": "synth.jsonl", "line": 3, "position": 2, "question": "off-task", "verdict": "undecided",
         "score": 2.5, "excerpt": "SYNTH 2", "drop": False, "resembles": None},
        {"file": "synth.jsonl", "line": 4, "position": 3, "question": "anchor-copies", "verdict": "flagged",
         "score": None, "excerpt": "SYNTH 3", "drop": True,
         "resembles": {"input": "ANCHOR", "file": "anchor.jsonl", "line": 1, "excerpt": "ANCHOR 0"}},
    ]  # fmt: skip
    assert rows.counted(found) == {
        "file": "flags.jsonl", "rows": 3, "dropped": 2, "questions": {"anchor-copies": 2, "off-task": 1}
    }  # fmt: skip


def test_the_places_of_a_reader_are_used_where_it_knows_them():
    texts = tuple(f"s {i}" for i in range(3))
    places = (("b.jsonl", 7), ("a.jsonl", 9), ("a.jsonl", 2))
    synth = Records("SYNTH", "folder", 9, texts, places=places, positions=np.array([4, 6, 8]))
    found = rows.named({"SYNTH": synth}, [named("off-task", "flagged", 3, range(3))])
    assert [(one.file, one.line, one.position) for one in found] == [
        ("a.jsonl", 2, 8), ("a.jsonl", 9, 6), ("b.jsonl", 7, 4)
    ]  # fmt: skip
    assert rows.dropped(found) == {4, 6, 8}


def test_long_odd_and_numeric_records_are_quoted_in_one_line():
    bad = "a\nb\u2028\ud800" + "x" * 1000
    found = rows.named(
        {"SYNTH": Records("SYNTH", "s", 1, (bad,))},
        [named("off-task", "flagged", 1, [0], scores=np.array([np.nan]))],
    )
    line = rows.lines(found)
    stored = json.loads(line.encode("utf-8", "backslashreplace"))
    assert line.count("\n") == 1 and stored["excerpt"].startswith("a\nb\u2028\ud800xx") and stored["score"] is None
    assert len(stored["excerpt"]) == rows.LONG
    vectors = Records("SYNTH", "s", 1, np.arange(20.0).reshape(1, 20) / 3)
    (row,) = rows.named({"SYNTH": vectors}, [named("off-task", "flagged", 1, [0])])
    assert row.excerpt == "[0, 0.3333, 0.6667, 1, 1.333, 1.667, 2, 2.333, ...]"


@st.composite
def audits(draw: st.DrawFn) -> tuple[int, list[Outcome], list[int]]:
    """Some records, answers that name some of them, and near-copies: of each record an earlier one, or -1."""
    n = draw(st.integers(1, 12))
    of = [draw(st.integers(-1, i - 1)) for i in range(n)]
    first: dict[int, int] = {}
    for i in range(n):
        first[i] = i if of[i] < 0 else first[of[i]]
    repeats = [i for i in range(n) if first[i] != i]
    outcomes = [named("near-duplicates", draw(st.sampled_from(VERDICTS)), n, repeats, "SYNTH", np.array(of))]
    for id in draw(st.lists(st.sampled_from(["off-task", "wrong-labels", "anchor-copies"]), unique=True)):
        hits = draw(st.sets(st.integers(0, n - 1)))
        outcomes.append(named(id, draw(st.sampled_from(VERDICTS)), n, hits))
    return n, draw(st.permutations(outcomes)), [first[i] for i in range(n)]


@given(audits())
@settings(max_examples=300)
def test_cleaning_leaves_out_what_is_named_and_keeps_one_of_each_family(given_audit):
    n, outcomes, family = given_audit
    found = rows.named({"SYNTH": records("SYNTH", n)}, outcomes)
    hits = {one.finding.id: set(np.flatnonzero(one.named.hits).tolist()) for one in outcomes if one.named}
    verdicts = {one.finding.id: one.finding.verdict for one in outcomes}
    told = [(id, i) for id, rest in hits.items() if verdicts[id] != "clear" for i in rest]
    assert sorted((one.question, one.position) for one in found) == sorted(told)
    assert [(one.file, one.line) for one in found] == sorted((one.file, one.line) for one in found)
    others = set().union(*(rest for id, rest in hits.items() if verdicts[id] == "flagged" and id != rows.REPEATS))
    dropped = rows.dropped(found)
    assert others <= dropped <= {one.position for one in found if one.verdict == "flagged"}
    if verdicts[rows.REPEATS] != "flagged":
        assert dropped == others
        return
    for one in set(family):
        members = {i for i in range(n) if family[i] == one}
        left = members - dropped
        assert left <= members - others and len(left) == (1 if members - others else 0)


# Cleaning


def share(id: str, count: int, total: int) -> Number:
    return Number(id, f"share of {id}", Estimate("share", count / total, (0.0, 1.0), total, unit="share"))


def audited(synth: Path, names: Collection[int], n: int, flagged: Collection[str] = ("off-task",)) -> Result:
    found = [
        Row(str(synth), i + 1, i, "off-task", "flagged", None, "x", True) for i in names if "off-task" in flagged
    ]
    findings = [
        finding(id, "flagged" if id in flagged else "clear", "So.", ["stray"] * (id == "off-task"))
        for id in ("off-task", "narrow")
    ]
    inputs = [{"name": "SYNTH", "source": str(synth), "found": n + 5, "used": n}]
    return Result(inputs, {"seed": 3}, {"stray": share("stray", len(names), n)}, findings, rows=found)


def rewrite(options: Options, name: str, drop: Collection[int], path: str) -> int:
    """What the reader does for JSON lines."""
    lines = Path(options.sources()[name]).read_text().splitlines(keepends=True)
    kept = [line for i, line in enumerate(lines) if i not in drop]
    Path(path).write_text("".join(kept))
    return len(kept)


@pytest.fixture
def synth(tmp_path) -> Path:
    path = tmp_path / "synth.jsonl"
    path.write_text("".join(f'{{"text": "record {i}"}}\n' for i in range(45)))
    return path


def options_of(synth: Path) -> Options:
    return Options(str(synth.with_name("anchor.jsonl")), str(synth), out=str(synth.parent / "out"))


def test_cleaning_audits_again_and_says_what_it_changed(synth, monkeypatch):
    again = []

    def run(options: Options, quiet: bool | None = None) -> Result:
        again.append(options)
        return audited(Path(options.synth), [], 37, ["narrow"])

    monkeypatch.setattr(runner, "run", run)
    before = audited(synth, [0, 7, 44], 40, ["off-task", "narrow"])
    result = cleaning._cleaned(options_of(synth), before, str(synth.with_name("clean.jsonl")), rewrite, True)
    made = result.cleaned
    assert made is not None and (made.removed, made.written, made.unread) == (3, 42, 5)
    kept = [json.loads(line)["text"] for line in synth.with_name("clean.jsonl").read_text().splitlines()]
    assert kept == [f"record {i}" for i in range(45) if i not in (0, 7, 44)]
    assert (made.before, made.after, made.remaining) == (("off-task", "narrow"), ("narrow",), ("narrow",))
    assert [(one.id, one.before, one.after) for one in made.shares] == [("stray", 3 / 40, 0.0)]
    assert again[0] == dataclasses.replace(
        options_of(synth), synth=made.path, out=str(synth.parent / "out" / cleaning.FOLDER)
    )
    assert Path(made.report).exists() and result.findings == before.findings
    assert result.settings["clean"] == made.path


def test_nothing_to_leave_out_is_said_and_all_rows_are_written(synth, monkeypatch):
    monkeypatch.setattr(runner, "run", lambda *given: pytest.fail("audited again"))
    path = synth.with_name("clean.jsonl")
    made = cleaning._cleaned(
        options_of(synth), audited(synth, [], 40, ["narrow"]), str(path), rewrite, True
    ).cleaned
    assert made is not None and made.removed == 0 and made.written == 45 and made.remaining == ("narrow",)
    assert "names a row" in made.note and path.read_bytes() == synth.read_bytes()


def test_too_few_rows_are_not_written(synth, monkeypatch):
    monkeypatch.setattr(runner, "run", lambda *given: pytest.fail("audited again"))
    path = synth.with_name("clean.jsonl")
    path.write_text("of an earlier call")
    before = audited(synth, range(40 - MIN + 1), 40)
    made = cleaning._cleaned(options_of(synth), before, str(path), rewrite, True).cleaned
    assert made is not None and made.path == "" and f"Only {MIN - 1} of 40 rows" in made.note and not path.exists()
    assert made.after == made.before == ("off-task",) and "was removed" in made.note


def test_cleaned_data_that_cannot_be_audited_are_kept_and_it_is_said(synth, monkeypatch):
    def refuse(options: Options, quiet: bool | None = None) -> Result:
        raise InputError("SYNTH: all the same")

    monkeypatch.setattr(runner, "run", refuse)
    path = synth.with_name("clean.jsonl")
    made = cleaning._cleaned(options_of(synth), audited(synth, [1], 40), str(path), rewrite, True).cleaned
    assert made is not None and made.removed == 1 and "SYNTH: all the same" in made.note and made.report == ""


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv"])
def test_the_reader_writes_the_files_of_a_folder_as_one(suffix, tmp_path):
    pd = pytest.importorskip("pandas")
    (tmp_path / "synth").mkdir()
    for part in range(2):
        texts = pd.DataFrame({"text": [f"record {part} {i}" for i in range(30)], "label": "x"})
        texts.to_parquet(tmp_path / "synth" / f"{part}.parquet")
    path = str(tmp_path / f"clean{suffix}")
    options = Options("anchor.jsonl", str(tmp_path / "synth"))
    assert cleaning.rewrite(options, "SYNTH", {0, 31}, path) == 58
    reader = {".jsonl": lambda at: pd.read_json(at, lines=True), ".parquet": pd.read_parquet, ".csv": pd.read_csv}
    found = reader[suffix](path)
    assert list(found.columns) == ["text", "label"] and found.text.tolist() == [
        f"record {part} {i}" for part in range(2) for i in range(30) if 30 * part + i not in (0, 31)
    ]


@pytest.mark.slow
def test_copies_are_cleaned_away_and_the_labels_stay(tmp_path):
    made = audit_planted.plant("leakage", np.random.default_rng(3), anchors=200, synthetic=300, heldout=100)
    paths = made.write(tmp_path)
    options = Options(paths["anchor"], paths["synth"], label="label", out=str(tmp_path / "out"))
    result = runner.run(options, quiet=True, keep=False)
    assert "anchor-copies" in result.flagged
    after = cleaning.clean(options, result, str(tmp_path / "clean.jsonl"), quiet=True).cleaned
    assert after is not None and "anchor-copies" not in after.after
    assert after.removed == len({one.position for one in result.rows if one.verdict == "flagged"}) >= 10
    assert next(one for one in after.shares if one.id == "anchor-copies").after < 0.02
    assert all("label" in json.loads(line) for line in (tmp_path / "clean.jsonl").read_text().splitlines())


def test_what_many_records_share_is_not_cleaned_away():
    texts = [f"record {i} of the synthetic ones" for i in range(40)]
    synth = Records("SYNTH", "s.jsonl", 40, tuple(texts))
    for id, many, dropped in (("endings", 20, 0), ("endings", 6, 6), ("off-task", 20, 20)):
        said = finding(id, "flagged", "Some are.")
        about = Outcome(said, (), Named(np.arange(40) < many))
        found = rows.named({"SYNTH": synth}, [about])
        assert (len(found), sum(row.drop for row in found)) == (many, dropped)


def test_no_row_is_to_blame_for_a_property_of_all_and_held_out_rows_are_named_however_few():
    synth = Records("SYNTH", "s.jsonl", 40, tuple(f"record {i}" for i in range(40)))
    three = Named(np.arange(40) < 3)
    for id, verdict, many, dropped in (
        ("longer-chosen", "flagged", 3, 0),
        ("contamination", "clear", 3, 0),
        ("contamination", "flagged", 3, 3),
        ("off-task", "clear", 0, 0),
    ):
        found = rows.named({"SYNTH": synth}, [Outcome(finding(id, verdict, "Some are."), (), three)])
        assert (len(found), sum(row.drop for row in found)) == (many, dropped)
