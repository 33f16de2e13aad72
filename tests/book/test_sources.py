"""Mistakes in the source: each kind is found in a text of its own and in the book, which has none."""

import re
from pathlib import Path

import pytest

from rbcore.book import prose, sources
from rbcore.book.agree import report
from rbcore.book.execute import ROOT
from rbcore.book.sentences import texts_of

PAGE = "book/page.md"
TEXTS = dict(texts_of(ROOT))
CHAPTER = "notebooks/02-two-divergences.md"
BIBLIOGRAPHY = (ROOT / "book" / "references.bib").read_text(encoding="utf8")


def wrong(text: str, file: str = PAGE) -> list[tuple[int, str]]:
    return [(line, what) for line, what, *_ in sources.of_text(file, text)]


def test_the_book_has_no_mistakes_in_its_source() -> None:
    found = sources.problems(ROOT)
    assert not found, report(found)


@pytest.mark.parametrize(
    "text",
    [
        "A $x$ costs \\$5, `a $ b` and ``{val}`name` `` and {val}`name`.",
        "It is **so** and *so*, 3 \\* 4, {math}`\\frac12`.\n\n* one\n* - cell",
        "$$\n\\begin{aligned} \\bigl\\{ x \\bigr\\} &\\le \\left( \\TV \\right. \\\\ | y | \\end{aligned}\n$$",
        "A note[^a].\n\n[^a]: Here.",
        "| a | b |\n|:--|--:|\n| 1 | $\\lvert x \\rvert$ |\n| `x \\| y` | 2 |",
        "$$\n|a| \\le\n|b|\n$$",
        "<div>\nx\n</div><br><img src=x>",
        "````{note}\n```{code-cell} python\nx = '''\n~~~\n'''\n```\n````",
        "```python\na $ b ` c ** d\n```",
    ],
)
def test_what_is_right_is_left_alone(text: str) -> None:
    assert wrong(text) == []


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("One.\n\nThe code `x is open.", "`", 3),
        ("It is {val}`name.", "`", 1),
        ("It is {val} `name`.", "{val}", 1),
        ("A sum $x + y of\ntwo.", "$", 1),
        ("A \\frac12 outside.", "\\frac", 1),
        ("It is **very so.", "**", 1),
        ("It is *very so.", "*", 1),
        ("It is so. ✓", "✓", 1),
        ("$\\Tv(P, Q)$", "\\Tv", 1),
        ("$\\frac{1}{2$", "{", 1),
        ("$}{$", "}", 1),
        ("$$\n\\begin{aligned} x\n$$", "\\begin", 1),
        ("$\\left( x )$", "\\left", 1),
        ("A note[^a].", "[^a]", 1),
        ("A note.\n\n[^a]: Here.", "[^a]", 3),
        ("| a | b |\n|:--|--:|\n| 1 |", "1 cells of 2", 3),
        ("| a | b |\n|:--|--:|\n| $|x|$ | 2 |", "4 cells of 2", 3),
        ("| a | b |\n| 1 | 2 |", "|", 1),
        ("<div>\nx", "<div>", 1),
        ("```{note}\nx", "```", 1),
        ("````{note}\n```python\nx\n````\n", "````", 1),
    ],
)
def test_a_mistake_is_found_where_it_stands(text: str, what: str, line: int) -> None:
    assert (line, what) in wrong(text)


def test_fields_of_yaml_are_read_as_text() -> None:
    assert wrong('a:\n  needs: "$\\\\TV$ is open $"\n', "book/x.yaml") == [(2, "$")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (":::\n```\n", "```\n"),
        ("\\le", "\\lee"),
        ("{claim}`", "{claim} `"),
        ("\n```\n\n", "\n\n"),
        ("`.", "."),
        ("\\mathrm{", "\\mathrm"),
    ],
)
def test_a_mistake_in_a_chapter_is_found(old: str, new: str) -> None:
    assert old in TEXTS[CHAPTER]
    assert wrong(TEXTS[CHAPTER].replace(old, new, 1), CHAPTER)


def in_bibliography(folder: Path, bibliography: str, *texts: str) -> list[tuple[str, str]]:
    (folder / "references.md").touch()
    (folder / "references.bib").write_text(bibliography, encoding="utf8")
    found = sources.of_bibliography(folder / "references.bib", [(PAGE, text) for text in texts])
    return [(problem.name, problem.remedy.split(",")[0]) for problem in found]


ENTRY = "@misc{doe2024one,\n title = {One},\n author = {Doe, A.},\n year = {2024},\n eprint = {2401.00001}\n}\n"


def test_years_preprints_and_keys_of_the_bibliography(tmp_path: Path) -> None:
    cited = "{cite:t}`doe2024one` and {source}`doe2024one`"
    assert in_bibliography(tmp_path, ENTRY, cited) == []
    key = [("doe2024one", "a key is the last name")]
    assert in_bibliography(tmp_path, ENTRY.replace("{2024}", "{2042}"), cited) == key
    assert in_bibliography(tmp_path, ENTRY.replace("{2024}", "{}"), cited) == key
    assert in_bibliography(tmp_path, ENTRY.replace("Doe", "Doa"), cited) == key
    accented = ENTRY.replace("Doe, A.", r"van den D{\"o}{\'e}, A. and Roe, B.")
    assert in_bibliography(tmp_path, accented, cited) == []
    assert in_bibliography(tmp_path, ENTRY.replace("author", "editor"), cited) == []
    preprint = [("doe2024one", "its preprint 2501.00001 is of 2025")]
    assert in_bibliography(tmp_path, ENTRY.replace("2401", "2501"), cited) == preprint
    assert in_bibliography(tmp_path, ENTRY) == [("doe2024one", "cite it")]
    unknown = [("doe2025one", "book/references.bib has no such key")]
    assert in_bibliography(tmp_path, ENTRY, cited + " {cite}`doe2024one, doe2025one`") == unknown


def test_a_year_that_is_changed_is_found_in_every_entry(tmp_path: Path) -> None:
    years = re.findall(r"year\s*=\s*\{(\d+)\}", BIBLIOGRAPHY)
    changed = re.sub(r"(year\s*=\s*\{)(\d+)", lambda m: f"{m[1]}{int(m[2]) + 1}", BIBLIOGRAPHY)
    found = in_bibliography(tmp_path, changed, BIBLIOGRAPHY)
    assert len(found) == len(years) > 50


def test_a_fence_is_opened_and_closed_as_prose_reads_it() -> None:
    assert prose.opens("```{note} Title") == ("```", "note", " Title")
    assert prose.opens("``x``` is code") is None and prose.opens("::: no directive") is None
    assert prose.closes("`````", "```") and not prose.closes("``", "```")
