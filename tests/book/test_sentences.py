"""The pinned wording: every change of a sentence is found and shown by its words, a change of layout is not."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbcore.book import sentences
from rbcore.book.agree import Problem, report
from rbcore.book.execute import ROOT
from rbcore.book.sentences import as_text, differences, from_text, read, reworded

TEXT = """\
(first)=
# Two divergences

A loose prompt is at least as broad. It grows by {val}`growth`, and the bound by {val}`bound`
on every run. {claim}`broadens`

```{prf:theorem} Two divergences bound the error
:label: thm-two

For every model

$$
R \\le A
- B .
$$
```

| Symbol | Meaning |
|:---|:---|
| $A$ | the smaller of both |

- one
- two, never three

```{code-cell} ipython3
---
mystnb:
  figure: {name: fig-x}
  image:
    alt: A line that rises.
---
x = 1  # the code is pinned by what it computes
```

The last one.
"""
FILE = "notebooks/01-one.md"


def drift(after: str, before: str = TEXT, file: str = FILE) -> list[Problem]:
    pins = {name: [s.text for s in these] for name, these in read([(file, before)]).items()}
    return differences(pins, read([(file, after)]))


@pytest.mark.parametrize(
    ("old", "new", "was", "now", "line"),
    [
        ("at least", "at most", "… prompt is at least as broad.", "… prompt is at most as broad.", 4),
        ("{val}`growth`", "{ci}`growth`", "It grows by {val}`growth`, and the bound …",
         "It grows by {ci}`growth`, and the bound …", 4),
        ("- B", "+ B", "… R \\le A - B .", "… R \\le A + B .", 12),
        ("the error\n", "the gap\n", "… divergences bound the error", "… divergences bound the gap", 7),
        ("the smaller", "the larger", "… $A$ | the smaller of both |", "… $A$ | the larger of both |", 20),
        ("never", "always", "two, never three", "two, always three", 23),
        ("that rises", "that falls", "A line that rises.", "A line that falls.", 30),
        ("# Two", "# Three", "Two divergences", "Three divergences", 2),
        ("{claim}`broadens`", "{claim}`narrows`", "{claim}`broadens`", "{claim}`narrows`", 5),
    ],
)  # fmt: skip
def test_a_changed_word_is_shown_with_its_neighbours_and_its_place(old, new, was, now, line) -> None:
    (found,) = drift(TEXT.replace(old, new, 1))
    assert (found.found_by, found.pinned, found.fresh) == ("sentence", was, now)
    assert found.where == f"{FILE}:{line}"


def test_values_that_are_swapped_are_found_and_named() -> None:
    swapped = TEXT.replace("growth", "x").replace("bound`", "growth`").replace("`x`", "`bound`")
    (found,) = drift(swapped)
    assert found.name == "bound, growth"
    assert found.pinned == "It grows by {val}`growth`, and the bound by {val}`bound` on every run."


@given(st.integers(20, 120))
def test_a_paragraph_that_is_wrapped_anew_and_other_marks_are_no_change(width: int) -> None:
    old = TEXT.split("\n\n")[1]
    changed = TEXT.replace(
        old, "\n".join(textwrap.wrap(old, width, break_long_words=False, break_on_hyphens=False))
    )
    changed = changed.replace("- one\n- two", "* one\n*   two").replace("| $A$ |", "| $A$       |")
    assert drift(changed) == []


def test_a_section_that_moves_is_one_change_and_a_new_text_another() -> None:
    sections = [f"## Part {i}\n\nIt holds in {i}.\n\nAnd so does {i + 10}.\n" for i in range(40)]
    moved = [*sections[20:30], *sections[:20], *sections[30:]]
    (found,) = drift("\n".join(moved), "\n".join(sections))
    assert (found.pinned, found.fresh) == (
        "30 sentences after: And so does 29.",
        "30 sentences after: the beginning",
    )
    (found,) = drift(TEXT + "\nMore. And more.\n")
    assert (found.pinned, found.fresh, found.sentence) == ("not pinned", "2 sentences there", "More.")
    (found,) = drift(TEXT.replace("The last one.", ""))
    assert (found.pinned, found.fresh, found.sentence) == ("there", "removed", "The last one.")
    (found,) = differences({FILE: ["One.", "Two."]}, {})
    assert (found.pinned, found.where) == ("2 sentences there", f"{FILE}:1")
    (found,) = differences({}, read([(FILE, TEXT)]))
    assert found.where == "book/sentences.txt:1"


def test_fields_of_yaml_are_sentences() -> None:
    text = "# a comment\nthm-two:\n  needs: Nothing\n    else.\n  checked: [a, b]\n- bad"[:-6]
    assert [s.text for s in read([("book/x.yaml", text)])["book/x.yaml"]] == [
        "thm-two",
        "needs: Nothing else.",
        "checked: a, b",
    ]
    (found,) = drift(text.replace("Nothing", "Everything"), text, "book/x.yaml")
    assert (found.pinned, found.fresh, found.where) == (
        "needs: Nothing else.",
        "needs: Everything else.",
        "book/x.yaml:3",
    )


WORDS = st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1).map("a".__add__)


@given(st.dictionaries(WORDS, st.lists(WORDS, min_size=1), max_size=4))
def test_pins_are_read_as_they_were_written(pins: dict[str, list[str]]) -> None:
    assert from_text(as_text(pins)) == pins


@given(st.lists(WORDS, max_size=8), st.lists(WORDS, max_size=8))
def test_every_difference_is_found(old: list[str], new: list[str]) -> None:
    found = differences({FILE: old}, {FILE: [sentences.Sentence(i, i, text) for i, text in enumerate(new, 1)]})
    assert bool(found) == (old != new)
    assert all(p.pinned != p.fresh for p in found)


@given(st.lists(WORDS, min_size=1), st.lists(WORDS, min_size=1))
def test_an_excerpt_differs_where_the_sentences_do(old: list[str], new: list[str]) -> None:
    was, now = reworded(" ".join(old), " ".join(new))
    assert (was != now) == (old != new)


def test_only_the_named_chapters_and_their_slides_are_accepted(tmp_path: Path) -> None:
    for folder in ("notebooks", "book/slides"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("notebooks/01-a.md", "notebooks/02-b.md", "book/slides/01.md", "book/x.md"):
        (tmp_path / file).write_text("It is so.")
    sentences.write(tmp_path)
    assert sentences.drift(tmp_path) == []
    for file in sentences.pinned(tmp_path):
        (tmp_path / file).write_text("It is not so.")
    assert len(sentences.drift(tmp_path)) == 4
    sentences.write(tmp_path, ["01-a"])
    assert [p.where for p in sentences.drift(tmp_path)] == ["book/x.md:1", "notebooks/02-b.md:1"]
    (tmp_path / "notebooks/02-b.md").unlink()
    sentences.write(tmp_path, ["02-b"])
    assert [p.where for p in sentences.drift(tmp_path)] == ["book/x.md:1"]


def test_the_text_of_the_book_is_pinned() -> None:
    found = sentences.drift(ROOT)
    assert not found, report(found)
