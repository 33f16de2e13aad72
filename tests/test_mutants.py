"""The mutants: what makes them, what judges them, and a sample that the guards of the book have to notice."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from mutants import run
from mutants.classes import CLASSES
from mutants.code import changes
from mutants.edits import Edit, Mutant, Sources, chosen
from mutants.judges import PURE, Digests, Judges, Tree, passed, remember, speed_up, suite_of

from rbcore.book import agree, mutants
from rbcore.book.execute import ROOT

SAMPLE = 30


@pytest.mark.parametrize(
    ("code", "new"),
    [
        ("x = a + b", {"x = a - b"}),
        ("x = (a) <= (b)", {"x = (a) >= (b)"}),
        ("x = a if b not in c else -d", {"x = a if b in c else -d", "x = a if b not in c else d"}),
        ("x = np.max(y, axis=0)", {"x = np.min(y, axis=0)", "x = np.max(y, axis=1)"}),
        ("x += ö * 2.0", {"x -= ö * 2.0", "x += ö / 2.0", "x += ö * 4.0"}),
        ("x = True and not y", {"x = False and not y", "x = True or not y", "x = True and y"}),
        ('raise ValueError(f"{a + 1}")', set()),
        ("def f(x: Literal[3] = 0): ...", {"def f(x: Literal[3] = 1): ..."}),
    ],
)
def test_code_is_changed_at_one_place_and_stays_code(code: str, new: set[str]) -> None:
    assert {code[:start] + put + code[end:] for start, end, put in changes(code)} == new


def tiny(root: Path, text: str) -> Sources:
    """A book of one page and no pins."""
    (root / "book").mkdir(exist_ok=True)
    (root / "book" / "page.md").write_text(text)
    return Sources(root)


def words(sources: Sources) -> list[Edit]:
    """Each word of the page becomes another."""
    text = sources.text("book/page.md")
    starts = [i for i, _ in enumerate(text) if text[i].isalpha() and not text[i - 1].isalpha()]
    return [Edit("book/page.md", i, i + len(text[i:].split()[0]), "changed") for i in starts]


def test_the_seed_chooses_and_a_change_elsewhere_chooses_no_other_mutants(tmp_path: Path) -> None:
    lines = [f"Sentence {'abcdefghij'[i] * 50} with words around it." for i in range(10)]
    first = list(chosen(tiny(tmp_path, "\n".join(lines)), "x", {words: 4}, 1))
    again = list(chosen(tiny(tmp_path, "\n".join(["A new line.", "", *lines])), "x", {words: 4}, 1))
    other = list(chosen(tiny(tmp_path, "\n".join(lines)), "x", {words: 4}, 2))
    assert len(first) == 4 and {m.old for m in first} != {m.old for m in other}
    assert len({(m.old, m.line) for m in first} & {(m.old, m.line - 2) for m in again}) >= 3
    assert first[0].name == f"x | book/page.md:{first[0].line} | {first[0].old} -> changed"


@pytest.fixture(scope="module")
def found() -> list[Mutant]:
    """The mutants of the book."""
    return run.made(Sources(), 1)


@pytest.mark.slow
def test_every_class_makes_what_it_says_and_all_make_more_than_the_least(found: list[Mutant]) -> None:
    assert len(set(found)) == len(found) >= mutants.LEAST
    assert tuple(CLASSES) == mutants.CLASSES
    for name, kind in CLASSES.items():
        assert sum(m.kind == name for m in found) >= 0.9 * sum(kind.of.values()), name
    with pytest.raises(run.MutantError, match="no class of mutants is called 'nonsense': choose from pins"):
        run.made(Sources(), 1, "nonsense")


def test_no_file_is_twice_in_a_batch_of_pages() -> None:
    found = [Mutant("x", Edit(file, i, i, ""), "", i) for i, file in enumerate("aababc")]
    lists = run.batches(found)
    assert sorted(m.line for batch in lists for m in batch) == [0, 1, 2, 3, 4, 5]
    assert [sorted(m.edit.file for m in batch) for batch in lists] == [["a", "b", "c"], ["a", "b"], ["a"]]


def test_a_line_that_a_kill_cut_off_is_judged_again(tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    kept.write_text('{"key": "a", "by": "text: prose"}\n{"key": "b", "by": ""}\n{"key": "c", "b')
    assert run.read_kept(kept) == {"a": "text: prose", "b": ""}
    assert run.read_kept(tmp_path / "none") == {}


@pytest.mark.slow
def test_tests_judge_a_changed_module_and_the_tree_is_put_back(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "rbcore").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "rbcore" / "__init__.py").write_text("")
    (root / "rbcore" / "one.py").write_text("ONE = 1\n")
    (root / "tests" / "test_one.py").write_text(
        "from rbcore.one import ONE\n\ndef test_one():\n    assert ONE == 1\n"
    )
    tree = Tree(root)
    assert passed(root, ["tests/test_one.py"], "") == ""
    with pytest.raises(KeyError), tree.changed({"rbcore/one.py": "ONE = 2\n"}):
        assert passed(root, ["tests/test_one.py"], "") == "test_one.py::test_one"
        raise KeyError
    assert (root / "rbcore" / "one.py").read_text() == "ONE = 1\n"


@pytest.mark.slow
def test_a_module_is_judged_by_the_tests_that_import_it_its_own_first(found: list[Mutant]) -> None:
    assert suite_of("rbcore/theory/divergence.py")[0] == "tests/theory/test_divergence.py"
    files = {m.edit.file for m in found if m.kind in ("core", "estimators", "audit")}
    assert all(1 <= len(suite_of(file)) <= 6 for file in files)


def test_what_is_remembered_is_what_was_found() -> None:
    from rbcore.book import prose

    text, allowed, used = "It is 0.42 or 3.14 of it.", [prose.Allowed("*", "3.14", "pi")], set()
    find = remember(prose.typed_numbers)
    expected = prose.typed_numbers("a.md", text, allowed)
    assert find("a.md", text, allowed, used) == find("a.md", text, allowed=allowed) == expected
    assert used == set(allowed) and [found.number for found in expected] == ["0.42"]


def test_a_verdict_rests_on_the_module_and_its_tests(tmp_path: Path) -> None:
    for name in ("rbcore", "tests"):
        (tmp_path / name).mkdir()
    one, two = tmp_path / "rbcore" / "one.py", tmp_path / "rbcore" / "two.py"
    one.write_text("from rbcore import two\nOPEN = 'data.json'\n")
    two.write_text("TWO = 2\n")
    data = tmp_path / "rbcore" / "data.json"
    data.write_text("{}")

    def digest() -> str:
        return Digests(tmp_path)._files("x", "rbcore/one.py")

    first = digest()
    two.write_text('"""Only words."""\n\nTWO = 2  # the number\n')
    assert digest() == first
    data.write_text("[]")
    assert digest() != first
    data.write_text("{}")
    two.write_text("TWO = 3\n")
    assert digest() != first


# --- the record ------------------------------------------------------------------------------------------------


def outcome() -> dict[Mutant, str]:
    """Verdicts of three mutants."""
    found = [Mutant("pins", Edit("book/ledger.json", i, i + 1, "2"), "1", i) for i in range(3)]
    return dict(zip(found, ["text: value", "text: sentence", ""], strict=True))


def test_the_record_counts_and_gives_the_reason_of_each_survivor(tmp_path: Path) -> None:
    reasons = tmp_path / "reasons.yml"
    reasons.write_text(
        "- {class: pins, file: book/*, change: 1 -> *, reason: Within the tolerance., equivalent: true}\n"
    )
    record = run.record_of(outcome(), run.read_reasons(reasons), 1)
    assert json.loads(run.as_json(record)) == record
    (row,) = mutants.rows(record)
    assert row[:5] == ("pins", 3, 2, 1, 1) and row.share == 1.0 and row.beyond == 0.5
    assert record["classes"]["pins"]["survivors"][0]["reason"] == "Within the tolerance."
    assert "100.0%" in mutants.table(record)
    reasons.write_text("- {class: pins, reason: no place}\n")
    with pytest.raises(run.MutantError, match="an entry has class, file, change and reason"):
        run.read_reasons(reasons)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["pins"].update(killed=60), "are not all that were made"),
        (lambda c: c["pins"]["by"].update(value=1), "are not all that were made"),
        (lambda c: c["pins"]["survivors"][0].update(reason=" "), "give its reason"),
        (lambda c: c["pins"].update(equivalent=1), "and not as many survivors"),
        (lambda c: c["pins"].update(made=9), "are not all that were made"),
        (lambda c: c.update(nonsense=c["pins"]), "no such class"),
        (
            lambda c: c["pins"].update(killed=300, by={"value": 300}, survivors=c["pins"]["survivors"] * 21),
            "87.7% noticed",
        ),
        (lambda c: c["pins"].update(killed=40, by={"value": 40}, made=42), "42 mutants"),
    ],
)
def test_a_record_that_does_not_add_up_is_a_fault(change, said: str) -> None:
    survivors = [{"place": "book/ledger.json:1", "change": "1 -> 2", "reason": "Too small."}] * 2
    entry = {"made": 342, "killed": 340, "equivalent": 0, "by": {"value": 340}, "survivors": survivors}
    record = {"seed": 1, "classes": {"pins": entry}}
    assert not list(mutants.faults(record, ["pins"]))
    changed = copy.deepcopy(record)
    change(changed["classes"])
    assert [one for one in mutants.faults(changed, ["pins"]) if said in " ".join(one)]


# --- the sample ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.book
def test_a_sample_is_noticed_or_its_reason_is_listed(built_book, found, tmp_path, monkeypatch) -> None:
    """Some of each class that needs no execution; with the guards, not with the record."""
    for module, name in PURE:
        monkeypatch.setattr(module, name, getattr(module, name))  # to be put back
    speed_up()
    sources = Sources()
    chapters = agree.gather(run.executed())
    judges = Judges(sources, chapters, Tree(tmp_path / "tree"), tmp_path / "runs")
    assert not judges.known, "the book agrees without mutants"
    kinds = [name for name, kind in CLASSES.items() if kind.judges[0] == "text"]
    each = SAMPLE // len(kinds) + 1
    sample = [m for name in kinds for m in [m for m in found if m.kind == name][::3][:each]]
    assert len(sample) >= SAMPLE
    reasons = run.read_reasons(ROOT / run.REASONS)
    missed = [m.name for m in sample if not judges.judge(m, ["text"]) and CLASSES[m.kind].judges == ("text",)
              and run.reason_for(m, reasons) is None]  # fmt: skip
    assert not missed
