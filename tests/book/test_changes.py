"""What a change does to the results, in words that a reviewer can read."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbcore.book import changes
from rbcore.book.cli import main
from rbcore.book.execute import ROOT

VALUE = {"chapter": "01-one", "fmt": ".2f", "kind": "statistical", "unit": "nats", "value": 0.25, "ci": [0.2, 0.3]}
CLAIM = {"chapter": "01-one", "kind": "exact", "sentence": "It is so.", "verdict": "holds", "value": 0.5}
BEFORE = {
    "parameters": {"01-one": {"seed": 1, "rate": 0.5}},
    "values": {"gap": VALUE, "runs": {"chapter": "02-two", "fmt": ",d", "value": 1000, "kind": "exact"}},
    "claims": {"small": CLAIM},
}
CELL = "```{code-cell} ipython3\n---\nmystnb:\n  figure:\n    name: fig-one\n---\nplot(1);\n```\n"


def said(before: dict, after: dict, drawn: list[str] | None = None) -> str:
    return changes.report(before, after, drawn or [])


def test_nothing_changed_is_said() -> None:
    assert "No pinned number" in said(BEFORE, BEFORE)
    real = json.loads((ROOT / "book" / "ledger.json").read_text())
    assert "No pinned number" in said(real, real) and changes.moved_chapters(real, real) == set()


def test_each_kind_of_change_is_a_row() -> None:
    after = {
        "parameters": {"01-one": {"seed": 2, "rate": 0.5}, "02-two": {"n": 3}},
        "values": {"gap": VALUE | {"value": 0.35, "ci": [0.3, 0.4]}, "new": VALUE | {"unit": ""}},
        "claims": {"small": CLAIM | {"verdict": "fails", "value": -0.125}, "more": CLAIM},
    }
    text = said(BEFORE, after, ["01-one: fig-one"])
    for row in (
        "| `gap` | 0.25 nats (95 % CI 0.20 to 0.30) | 0.35 nats (95 % CI 0.30 to 0.40) |",
        "| `runs` | 1,000 | none |",
        "| `new` | none | 0.25 (95 % CI 0.20 to 0.30) |",
        "| `small` | value 0.5, verdict holds | value -0.125, verdict fails |",
        "| `more` | none | holds (exact): It is so. |",
        "| `01-one: seed` | 1 | 2 |",
        "| `02-two: n` | none | 3 |",
    ):
        assert row in text, text
    assert "#### Numbers: 3" in text and "#### Claims: 2" in text and "`01-one: fig-one`" in text


def test_a_change_that_the_text_does_not_show_is_said_as_such() -> None:
    after = BEFORE | {"values": BEFORE["values"] | {"gap": VALUE | {"value": 0.2501}}}
    assert "digits that are not shown" in said(BEFORE, after)


def test_a_long_table_is_cut_and_counted() -> None:
    many = BEFORE | {"values": {f"v{i}": VALUE for i in range(100)}}
    assert "and 42 more" in said(BEFORE, many)  # two of the earlier ones are gone


@given(st.text(max_size=60))
def test_no_text_ends_its_cell_mentions_somebody_or_becomes_markup(text: str) -> None:
    cell = changes._cell(text)
    assert "\n" not in cell and "<" not in cell and cell.count("@") == cell.count("@\u200b")
    assert "|" not in cell.replace("\\\\", "").replace("\\|", "")


def test_figures_are_listed_where_their_cell_or_their_chapter_changed() -> None:
    other = CELL.replace("plot(1)", "plot(2)")
    assert changes.figures({"01-one": CELL}, {"01-one": CELL}, set()) == []
    assert changes.figures({"01-one": CELL}, {"01-one": other}, set()) == ["01-one: fig-one"]
    assert changes.figures({"01-one": CELL}, {"01-one": CELL}, {"01-one"}) == ["01-one: fig-one"]
    assert changes.figures({}, {"01-one": CELL}, set()) == ["01-one: fig-one"]
    assert changes.moved_chapters(BEFORE, BEFORE | {"claims": {}}) == {"01-one"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "book").mkdir(parents=True)
    (root / "notebooks").mkdir()
    (root / "book" / "ledger.json").write_text(json.dumps(BEFORE))
    (root / "notebooks" / "01-one.md").write_text(CELL)
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def test_the_command_compares_with_a_commit(repository: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["--root", str(repository), "changes", "--since", "HEAD"]) == 0
    assert "No pinned number" in capsys.readouterr().out
    moved = BEFORE | {"values": BEFORE["values"] | {"gap": VALUE | {"value": 0.5}}}
    (repository / "book" / "ledger.json").write_text(json.dumps(moved))
    assert main(["--root", str(repository), "changes", "--since", "HEAD"]) == 0
    out = capsys.readouterr().out
    assert "| `gap` |" in out and "01-one: fig-one" in out


def test_an_unknown_commit_and_a_broken_ledger_are_said(repository: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["--root", str(repository), "changes", "--since", "nowhere"]) == 1
    assert "git knows no commit 'nowhere'" in capsys.readouterr().err
    (repository / "book" / "ledger.json").write_text("{")
    assert main(["--root", str(repository), "changes", "--since", "HEAD"]) == 1
    assert "not the JSON" in capsys.readouterr().err
