"""The site: what the build assembles, what it refuses, and that nobody ever sees half of it."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from tiny import SEEDED, small_book

from rbcore.book import portable, site
from rbcore.book.agree import gather, read_pins
from rbcore.book.cli import PINS, check, jobs_of, main
from rbcore.book.execute import ROOT, execute
from rbcore.book.ledger import MIME, Chapter, collect

RECORD = {"name": "half", "value": 0.5, "fmt": ".2f", "unit": "bits", "kind": "exact"}
CLAIM = {"id": "half-is-half", "sentence": "It is {val}`half`.", "kind": "exact", "verdict": "holds"}
CLAIM |= {"statement": "I(S;P) <= H(S)"}
CODE = 'record("half", 0.5)\nclaim("half-is-half", "It is {val}`half`.", 0.5 == 1 / 2, kind="exact")'
PROSE = "# One\n\nWe got {val}`half`, or {num}`half`. {claim}`half-is-half`\n\n{statement}`half-is-half`"


def executed(folder: Path, name: str, prose: str = PROSE) -> Path:
    """An executed notebook of one sentence and one cell that stored, claimed and printed."""
    outputs = [nbformat.v4.new_output("stream", text="printed\n")]
    if "half" in prose:
        stored = [{MIME: {"record": RECORD}}, {MIME: {"claim": CLAIM}}]
        outputs += [nbformat.v4.new_output("display_data", data=data) for data in stored]
    cells = [
        nbformat.v4.new_markdown_cell(prose),
        nbformat.v4.new_code_cell(CODE if "half" in prose else "1 + 1", outputs=outputs),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"rbcore": {"seconds": [0, 0.1]}})
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    path = folder / "executed" / f"{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)
    source = folder / "notebooks" / f"{name}.md"
    source.parent.mkdir(exist_ok=True)
    source.write_text(f"---\n---\n\n{prose}\n\n```{{code-cell}} ipython3\n1 + 1\n```\n")
    return path


def chapters(paths: dict[str, Path]) -> list[Chapter]:
    return [collect(nbformat.read(path, as_version=4), name) for name, path in paths.items()]


def assemble(root: Path, paths: dict[str, Path]) -> Path:
    """Assemble a small book and return the folder."""
    site.assemble(root, paths, chapters(paths), root / "source")
    return root / "source"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A book of one page and two chapters, with the real configuration and extensions."""
    return small_book(tmp_path)


@pytest.fixture
def paths(small: Path) -> dict[str, Path]:
    """The two executed notebooks of the small book."""
    return {"01-one": executed(small, "01-one"), "02-two": executed(small, "02-two", "# Two\n\nNothing.")}


# ---------------------------------------------------------------------------------------------------------------
# Assembly
# ---------------------------------------------------------------------------------------------------------------


def files(folder: Path) -> dict[str, int]:
    """The files below `folder` and when they were written."""
    return {p.relative_to(folder).as_posix(): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_the_folder_holds_pages_chapters_downloads_and_the_ledger(small: Path, paths: dict[str, Path]) -> None:
    source = assemble(small, paths)
    names = set(files(source))
    assert {"preface.md", "_toc.yml", "_config.yml", "_ext/ledger_roles.py", "_static/book.css"} <= names
    assert {"chapters/01-one.ipynb", "chapters/02-two.ipynb", "_ledger.json"} <= names
    assert {f"{site.DOWNLOADS}/{n}.{s}" for n in paths for s in ("ipynb", "md")} <= names
    assert (source / site.DOWNLOADS / "01-one.md").read_bytes() == (small / "notebooks" / "01-one.md").read_bytes()
    ledger = json.loads((source / "_ledger.json").read_text())
    assert [v["name"] for v in ledger["values"]] == ["half"]
    assert [c["id"] for c in ledger["claims"]] == ["half-is-half"]


def test_a_page_keeps_its_outputs_but_for_those_that_the_text_shows(small: Path, paths: dict[str, Path]) -> None:
    before = paths["01-one"].read_bytes()
    page = nbformat.read(assemble(small, paths) / "chapters" / "01-one.ipynb", as_version=4)
    assert [o["output_type"] for o in page.cells[1].outputs] == ["stream"]
    assert "{val}`half`" in page.cells[0].source
    assert paths["01-one"].read_bytes() == before


def test_an_alternative_text_says_the_values(small: Path, paths: dict[str, Path]) -> None:
    notebook = nbformat.read(paths["01-one"], as_version=4)
    notebook.cells[1].metadata["mystnb"] = {"image": {"alt": "A line at {val}`half`."}}
    nbformat.write(notebook, paths["01-one"])
    page = nbformat.read(assemble(small, paths) / "chapters" / "01-one.ipynb", as_version=4)
    assert page.cells[1].metadata["mystnb"]["image"]["alt"] == "A line at 0.50\u00a0bits."


def test_a_download_shows_values_and_sentences_in_place_of_roles(small: Path, paths: dict[str, Path]) -> None:
    path = assemble(small, paths) / site.DOWNLOADS / "01-one.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    text = notebook.cells[0].source
    assert "We got 0.50\u00a0bits, or 0.50." in text
    assert "It is 0.50\u00a0bits." in text
    assert "{" not in text.split("$")[0]
    assert "$" in text.split("\n")[-1]
    assert len(notebook.cells[1].outputs) == 3


def test_what_did_not_change_is_not_written_again(small: Path, paths: dict[str, Path]) -> None:
    before = files(assemble(small, paths))
    (small / "book" / "preface.md").write_text("# Preface\n\nAnother text.\n")
    after = files(assemble(small, paths))
    assert [name for name in after if after[name] != before[name]] == ["preface.md"]


def test_a_removed_chapter_disappears(small: Path, paths: dict[str, Path]) -> None:
    source = assemble(small, paths)
    assemble(small, {"01-one": paths["01-one"]})
    assert not [name for name in files(source) if "02-two" in name]


# ---------------------------------------------------------------------------------------------------------------
# Pages
# ---------------------------------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_pages_are_built_whole_and_only_when_something_changed(small: Path, paths: dict[str, Path]) -> None:
    output = small / "built" / "html"
    assert site.build(assemble(small, paths), output) == (output / "index.html", "")
    page = (output / "chapters" / "01-one.html").read_text()
    assert "0.50\u00a0bits" in page
    assert "ledger.html#claim-half-is-half" in page
    assert sorted(p.name for p in output.parent.iterdir()) == ["html"], "nothing but the pages is left"

    before = files(output)
    site.build(assemble(small, paths), output)
    assert files(output) == before

    styles = small / "book" / "_ext" / "pages.py"  # an extension decides what pages look like, as their text does
    styles.write_text(styles.read_text().replace("Executed notebook", "The notebook that ran"))
    site.build(assemble(small, paths), output)
    assert "The notebook that ran" in (output / "chapters" / "01-one.html").read_text()


@pytest.mark.slow
def test_results_of_the_literature_are_shown_with_their_marks_and_a_claim_that_is_missing_is_named(
    small: Path, paths: dict[str, Path]
) -> None:
    entry = {"key": "one", "result": "It is $x$.", "assumptions": "Nothing.", "source": "gan2025synthetic"}
    entry |= {"status": "reproduced", "chapter": "01-one", "claim": ["half-is-half"]}
    entry |= {"relation": "orthogonal", "reason": "Because."}
    (small / "book" / "field.yaml").write_text(yaml.safe_dump([entry]))
    (small / "book" / "ledger.md").write_text("# Ledger\n\n```{ledger}\n```\n\n```{field}\n```\n")
    with (small / "book" / "preface.md").open("a") as preface:
        preface.write("\n```{bibliography}\n```\n")
    output = small / "built" / "html"
    assert site.build(assemble(small, paths), output)[1] == ""
    page = (output / "ledger.html").read_text()
    table = page[page.index("rb-field") :]
    said = re.sub(r"\s+", " ", re.sub("<[^>]*>", "", table))
    for part in ("Gan and Liu", "Needs: Nothing.", "Reproduced", "Orthogonal. Because.", "\u2713"):
        assert part in said
    assert 'href="#claim-half-is-half"' in table or 'href="ledger.html#claim-half-is-half"' in table
    assert "Results: 1; contained: 0, contradicts: 0, orthogonal: 1." in page

    (small / "book" / "field-more.yaml").write_text(yaml.safe_dump([{**entry, "key": "two", "claim": "gone"}]))
    assert "no notebook claims 'gone'" in site.build(assemble(small, paths), output)[1]


MISTAKES = {
    "A {val}`quarter`.": "no notebook records 'quarter'",
    "A {claim}`quarter-is`.": "no notebook claims 'quarter-is'",
    "See {ref}`nowhere`.": "nowhere",
    "See {doc}`03-three`.": "03-three",
    "{shannon}`I(S;`": "no ')' closes it",
}


@pytest.mark.slow
def test_mistakes_in_the_text_are_reported_with_their_place_and_the_pages_are_built(
    small: Path, paths: dict[str, Path]
) -> None:
    """Also on the next call, when Sphinx alone would not read the page again and so not warn."""
    output = small / "built" / "html"
    paths["02-two"] = executed(small, "02-two", "# Two\n\nText.\n\n" + "\n\n".join(MISTAKES))
    (small / "book" / "preface.md").write_text("# Preface\n\nText.\n\nSee {ref}`elsewhere`.\n")
    lines = (small / "notebooks" / "02-two.md").read_text().split("\n")
    for _ in range(2):
        page, warnings = site.build(assemble(small, paths), output)
        for prose, warning in MISTAKES.items():
            said = next(line for line in warnings.split("\n") if warning in line)
            assert said.startswith(f"notebooks/02-two.md:{lines.index(prose) + 1}: WARNING")
        assert "I(S;\n" in warnings, "the formula is shown with the warning"
        assert re.search(r"book/preface.md:5: WARNING.*elsewhere", warnings)
        assert page.exists()
        assert "?quarter?" in (output / "chapters" / "02-two.html").read_text()
    assert sorted(p.name for p in output.parent.iterdir()) == ["html"]


def test_a_chapter_that_the_contents_do_not_name_is_named(small: Path) -> None:
    (line,) = site.unlisted(small, ["01-one", "03-three"])
    assert line == "notebooks/03-three.md has no page: add `- file: chapters/03-three` to book/_toc.yml"


def test_pages_that_cannot_be_built_leave_those_from_before(small: Path, paths: dict[str, Path]) -> None:
    output = small / "built" / "html"
    output.mkdir(parents=True)
    (output / "index.html").write_text("the pages from before")
    (small / "book" / "_toc.yml").write_text("no: contents")
    with pytest.raises(site.SiteError, match="the pages were not built"):
        site.build(assemble(small, paths), output)
    assert contents(output) == {"index.html": b"the pages from before"}
    assert sorted(p.name for p in output.parent.iterdir()) == ["html"]


@pytest.mark.slow
def test_a_killed_build_leaves_the_old_pages_and_the_next_one_is_whole(
    small: Path, paths: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = small / "built" / "html"
    source = assemble(small, paths)
    site.build(source, output)
    before = contents(output)
    (source / "preface.md").write_text("# Preface\n\nAnother text.\n")

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(site.subprocess, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            site.build(source, output)
    assert contents(output) == before
    site.build(source, output)
    assert "Another text." in (output / "preface.html").read_text()


# ---------------------------------------------------------------------------------------------------------------
# A small book by its commands: does the run agree with its text, and does it reproduce the pins?
# ---------------------------------------------------------------------------------------------------------------

CELLS = (
    SEEDED
    + """```{code-cell} ipython3
from rbcore import checks
from rbcore.book.ledger import claim, record
record("half", seed / 2, fmt=".2f", unit="bits")
claim("half-is-half", "It is {val}`half`.", checks.equal(seed / 2, 1 / 2))
```

We got {val}`half`. {claim}`half-is-half`
"""
)


@pytest.fixture
def whole(small: Path) -> Path:
    """A book of a page, a chapter that runs in a second, and the ledger; pinned."""
    for name in ("01-one.md", "02-two.md"):
        text = CELLS if name == "01-one.md" else CELLS.split("```{code-cell} ipython3\nfrom")[0]
        (small / "notebooks" / name).write_text(text.replace("# A chapter", "# " + name))
    (small / "book" / "preface.md").write_text("# Preface\n\n```{agreement}\n```\n")
    assert main(["--root", str(small), "pin"]) == 0
    return small


def page_of(root: Path, name: str) -> str:
    """The text of a built page."""
    return (root / "book" / "_build" / "html" / f"{name}.html").read_text()


def call(root: Path, command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit status of a command on this book, and all that it printed."""
    capsys.readouterr()
    status = main(["--root", str(root), command])
    said = capsys.readouterr()
    return status, said.out + said.err


@pytest.mark.slow
def test_the_pages_of_a_run_say_whether_it_reproduces_the_pins(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = call(whole, "book", capsys)
    assert status == 0 and "every pinned result was reproduced" in said
    assert "all 1 claims hold, and all 2 pinned results were reproduced" in page_of(whole, "preface")
    assert "01-one" in page_of(whole, "reproduction")

    pins = whole / "book" / "ledger.json"
    good = pins.read_text()
    pins.write_text(good.replace('"value": 0.5', '"value": 0.4'))
    status, said = call(whole, "book", capsys)
    assert status == 0 and "1 results drifted or are not pinned; the head of the ledger lists them" in said
    assert "1 of 2 pinned results drifted" in page_of(whole, "preface")
    head = page_of(whole, "ledger").partition("rb-claims")[0]
    row = re.sub(r"<[^>]*>|\s+", " ", head[head.index("rb-drift") :])
    assert all(word in row for word in ("half", "01", "0.4", "0.5", "We got"))
    assert call(whole, "agree", capsys)[0] == 1

    (whole / "book" / "ledger.json").unlink()  # a new chapter: nothing is pinned yet
    status, said = call(whole, "book", capsys)
    assert status == 0 and "not pinned" in said
    assert call(whole, "pin", capsys)[0] == 0
    assert pins.read_text() == good
    assert call(whole, "agree", capsys)[0] == 0


@pytest.mark.slow
def test_a_claim_that_fails_is_shown_where_it_stands_and_is_an_error(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = whole / "notebooks" / "01-one.md"
    source.write_text(source.read_text().replace("checks.equal(seed / 2, 1 / 2)", "checks.equal(seed / 2, 1 / 3)"))
    for _ in range(2):
        status, said = call(whole, "book", capsys)
        assert status == 1 and "1 claims fail" in said and "fails (largest" in said
    for page in ("chapters/01-one", "ledger"):
        assert "rb-fails" in page_of(whole, page)
    assert "1 of 1 claims fails" in page_of(whole, "preface")
    assert call(whole, "pin", capsys)[0] == 1


@pytest.mark.slow
def test_a_mistake_in_the_text_is_an_error_and_the_pages_are_there(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = whole / "notebooks" / "02-two.md"
    source.write_text(source.read_text() + "\nIt is {val}`third`, or 0.25.\n")
    status, said = call(whole, "book", capsys)
    assert status == 1 and "2 mistakes in the text" in said
    assert "no notebook stores 'third'" in said and "executing" not in said
    assert "?third?" in page_of(whole, "chapters/02-two")


@pytest.mark.slow
def test_a_notebook_that_does_not_run_has_a_page_that_says_so(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = whole / "notebooks" / "02-two.md"
    source.write_text(source.read_text() + "\n```{code-cell} ipython3\n1 / 0\n```\n")
    status, said = call(whole, "book", capsys)
    assert status == 1 and "ZeroDivisionError" in said and "not run to the end: 02-two" in said
    assert "0.50" in page_of(whole, "chapters/01-one")
    page = page_of(whole, "chapters/02-two")
    assert "This chapter did not run to its end." in page and "ZeroDivisionError" in page
    assert "1 chapters did not run" in page_of(whole, "preface")


# ---------------------------------------------------------------------------------------------------------------
# The book itself
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.book
def test_everything_executed_from_nothing_agrees_with_the_pins_and_the_text(built_book: Path) -> None:
    """The gate of CI: `built_book` has executed every notebook from nothing in this session."""
    chapters = gather(execute(jobs_of(ROOT), ROOT / "book" / "_build" / "cache"))
    assert check(ROOT, chapters) == 0


@pytest.mark.book
def test_the_quick_chapters_agree_under_the_harshest_arithmetic(built_book: Path, tmp_path: Path) -> None:
    """No vector instructions, the oldest kernels: what was pinned must come out there too."""
    *_, harshest = portable.arithmetics()
    ((_, count, found),) = portable.run(
        jobs_of(ROOT, "01 02 A"), tmp_path / "portable", read_pins(ROOT / PINS), [harshest]
    )
    assert count == 3
    assert found == []


@pytest.mark.book
def test_a_second_build_executes_nothing_and_leaves_the_pages(built_book: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "rbcore", "book"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=900)  # new costs
    before = files(built_book)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "executing" not in done.stderr
    assert f"open {built_book / 'index.html'}" in done.stdout
    assert files(built_book) == before


@pytest.mark.book
def test_every_image_of_the_pages_has_a_description(built_book: Path, tmp_path: Path) -> None:
    assert site.images_without_alt(sorted(built_book.rglob("*.html"))) == []
    planted = tmp_path / "page.html"
    planted.write_text('<img src="a.png"><img src="b.png" alt="../_images/b.png"><img src="c.png" alt="A curve.">')
    assert len(site.images_without_alt([planted])) == 2


@pytest.mark.book
def test_no_two_parts_of_a_page_share_an_address(built_book: Path) -> None:
    for path in sorted(built_book.rglob("*.html")):
        page = re.sub(r"<(noscript|script|svg)\b.*?</\1>", "", path.read_text(encoding="utf8"), flags=re.S)
        ids = Counter(re.findall(r'\sid="([^"]+)"', page))
        assert ids and max(ids.values()) == 1, (path.name, ids.most_common(3))
