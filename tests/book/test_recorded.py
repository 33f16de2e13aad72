"""Recorded runs that the pages show: what cannot be true is named, and so is what the book no longer has."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from rbcore.book import cli as commands
from rbcore.book import falsified, recorded
from rbcore.book.agree import report
from rbcore.book.execute import ROOT
from rbcore.book.ledger import Chapter, Claim, LedgerError, Value

NAMES = (recorded.FALSIFIED, recorded.SEEDS, recorded.COSTS)
REAL = {file: json.loads((ROOT / file).read_text(encoding="utf8")) for file in NAMES}
THEOREM = next(iter(REAL[recorded.FALSIFIED]))
FIRST = "01-generation-process"
SEEDS = REAL[recorded.SEEDS][FIRST]["runs"]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A folder with the records of the book, and empty chapters of the same names."""
    for folder in ("book", "notebooks"):
        (tmp_path / folder).mkdir()
    for source in (ROOT / "notebooks").glob("*.md"):
        (tmp_path / "notebooks" / source.name).touch()
    for file, record in REAL.items():
        (tmp_path / file).write_text(json.dumps(record))
    return tmp_path


def test_the_records_of_the_book_can_be_true() -> None:
    found = recorded.problems(ROOT)
    assert not found, report(found)


def change(record: Any, value: Any, *keys: Any) -> Any:
    """The record with another value at a place; keys are names, or numbers for the first ones."""
    changed = copy.deepcopy(record)
    inner = changed
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("file", "value", "keys", "said"),
    [
        (recorded.FALSIFIED, -5.0, (THEOREM, "slack"), "slack -5.0"),
        (recorded.FALSIFIED, -2e-8, (THEOREM, "slack"), "slack -2e-08"),
        (recorded.FALSIFIED, float("nan"), (THEOREM, "slack"), "slack nan"),
        (recorded.FALSIFIED, 10**12, (THEOREM, "models"), "models 1000000000000"),
        (recorded.FALSIFIED, 0, (THEOREM, "models"), "models 0"),
        (recorded.FALSIFIED, 10, (THEOREM, "models"), "models 10"),
        (recorded.FALSIFIED, 1e6, (THEOREM, "models"), "models 1000000.0"),
        (recorded.FALSIFIED, [1.01], (THEOREM, "ratios"), "ratios [1.01]"),
        (recorded.FALSIFIED, "2199-01-01", (THEOREM, "date"), "2199-01-01"),
        (recorded.FALSIFIED, "soon", (THEOREM, "date"), "Invalid isoformat"),
        (recorded.FALSIFIED, "nonsense", (THEOREM, "slack"), "TypeError"),
        (recorded.FALSIFIED, {}, (THEOREM,), "KeyError"),
        (recorded.SEEDS, ["unheard"], (FIRST, "runs", "1001"), "failing unheard"),
        (recorded.SEEDS, [], (FIRST, "runs", "7"), "seeds 7"),
        (recorded.SEEDS, {"error": "it broke"}, (FIRST, "runs", "1001"), "seed 1001 ended with"),
        (recorded.SEEDS, {"x": {"1001": "much"}}, (FIRST, "values"), "values of x"),
        (recorded.SEEDS, {"x": {"9": 1.0}}, (FIRST, "values"), "values of x"),
        (recorded.SEEDS, "3000-01-01", (FIRST, "date"), "3000-01-01"),
        (recorded.SEEDS, {"x": dict.fromkeys(SEEDS, 1.0) | {"1001": 1e4}}, (FIRST, "values"), "x = 10000"),
        (recorded.SEEDS, REAL[recorded.SEEDS][FIRST], ("99-none",), "no such chapter"),
        (recorded.COSTS, -1.0, ("chapters", "A-primer"), "-1.0 s"),
        (recorded.COSTS, 1e9, ("chapters", "A-primer"), "1000000000.0 s"),
        (recorded.COSTS, 3.0, ("chapters", "99-none"), "no such chapter"),
    ],
)
def test_what_cannot_be_true_is_named(book: Path, file: str, value: Any, keys: tuple[Any, ...], said: str) -> None:
    (book / file).write_text(json.dumps(change(REAL[file], value, *keys)))
    found = recorded.problems(book)
    assert {problem.where for problem in found} == {file}
    assert any(said in problem.fresh for problem in found), report(found)


def test_a_claim_that_fails_on_many_seeds_is_named(book: Path) -> None:
    weak = REAL[recorded.SEEDS]
    for seed in ("1001", "1002"):
        weak = change(weak, ["chain-holds"], "01-generation-process", "runs", seed)
    (book / recorded.SEEDS).write_text(json.dumps(weak))
    (found,) = recorded.problems(book)
    assert "'chain-holds' holds on 8 of 10 seeds" in found.fresh


def test_a_file_that_is_no_json_is_named(book: Path) -> None:
    (book / recorded.FALSIFIED).write_text("{")
    (found,) = recorded.problems(book)
    assert "not valid JSON" in found.fresh and "make falsify" in found.fresh
    with pytest.raises(LedgerError, match="make falsify"):
        recorded.outdated(book, [])


def test_theorems_without_an_entry_and_entries_of_what_has_gone(tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    certificate = {"statement": "I(A;B) <= H(A)", "given": ["A -> B"]}
    claims, values = (Claim("so", "It is so.", "exact", "holds"),), (Value("gap", 0.5),)
    chapter = Chapter("01-one", values=values, claims=claims, theorems={"so": {"certificate": certificate}})
    key = falsified.key("I(A;B) <= H(A)", ["A -> B"])
    assert [(p.name, p.fresh) for p in recorded.outdated(tmp_path, [chapter])] == [(key, "no entry")]
    (tmp_path / recorded.FALSIFIED).write_text(json.dumps({key: {}, "H(A) >= 0": {}}))
    (tmp_path / recorded.SEEDS).write_text(
        json.dumps(
            {"01-one": {"claims": ["so", "no"], "values": {"gap": {}, "more": {}}}, "02-two": {"claims": ["x"]}}
        )
    )
    found = [(p.name, p.fresh) for p in recorded.outdated(tmp_path, [chapter])]
    assert found == [
        ("H(A) >= 0", "no such theorem"),
        ("more", "01-one has no such result"),
        ("no", "01-one has no such result"),
    ]
    assert len(recorded.outdated(tmp_path, [chapter], whole=False)) == 2


def test_text_and_records_are_part_of_the_comparison(book: Path) -> None:
    (book / "book" / "page.md").write_text("It costs $5.")
    (book / recorded.FALSIFIED).write_text(json.dumps(change(REAL[recorded.FALSIFIED], -5.0, THEOREM, "slack")))
    wrong, moved = commands.compare(book, [], whole=False)
    assert [(p.found_by, p.where) for p in wrong] == [("source", "book/page.md:1"), ("record", recorded.FALSIFIED)]
    assert [(p.found_by, p.where) for p in moved] == [("sentence", "book/sentences.txt:1")]
    said = commands.summary([], wrong, moved, {})
    assert "2 mistakes in the text" in said and "its wording changed in 1 places" in said
