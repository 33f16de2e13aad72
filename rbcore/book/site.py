"""Assemble the book's sources from executed notebooks and build the pages.

jupyter-book reads one folder, so the build copies `book/` beside the executed notebooks into a folder of its own;
`notebooks/` and `book/` are only read.  The pages are built aside, and take the place of the old ones when they
are whole.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from rbcore.book import directions, install, labels
from rbcore.book.agree import Problem
from rbcore.book.downloads import authors, download
from rbcore.book.execute import ROOT, used_modules
from rbcore.book.ledger import FIGURE, MIME, Chapter, Value
from rbcore.book.pictures import shrink
from rbcore.book.slim import slim
from rbcore.course.tasks import without_answers
from rbcore.files import replace_folder

DOWNLOADS = "_downloads_of_chapters"  # beside the sources of the pages; no page itself
NOT_COPIED = ("_build", "formulas", "ledger.json", "figures.json", "sentences.txt", "slides")  # no page reads them
STAMP = ".built-from"  # in the built pages: the digest of all that they were built from


class SiteError(RuntimeError):
    """The pages could not be built; the message holds Sphinx's own warnings."""


class Built(NamedTuple):
    """The page to open, and what Sphinx warned of, each warning with a file that its author can edit."""

    page: Path
    warnings: str


def assemble(
    root: Path,
    executed: Mapping[str, Path],
    chapters: Sequence[Chapter],
    target: Path,
    drift: Sequence[Problem] | None = None,
    failed: Mapping[str, str] | None = None,
) -> None:
    """Write the folder that jupyter-book reads; what is in `target` and did not change is left alone.

    Args:
        drift: where this run differs from the pins, for the pages to say so; None: it is not compared with them.
        failed: why notebooks did not run to their end, by name; a page takes the place of each.
    """
    wanted: dict[Path, bytes] = {}
    for path in (root / "book").rglob("*"):
        inside = path.relative_to(root / "book")
        if path.is_file() and inside.parts[0] not in NOT_COPIED and "__pycache__" not in inside.parts:
            wanted[target / inside] = path.read_bytes()
    ledger = {
        "values": [asdict(value) for chapter in chapters for value in chapter.values],
        "claims": [asdict(claim) for chapter in chapters for claim in chapter.claims],
        "theorems": {id: theorem for chapter in chapters for id, theorem in chapter.theorems.items()},
        "costs": {chapter.name: round(chapter.seconds, 1) for chapter in chapters},
        "drift": None if drift is None else [problem._asdict() for problem in drift],
        "failed": sorted(failed or {}),
    }
    values = {value.name: value for chapter in chapters for value in chapter.values}
    wanted[target / "_ledger.json"] = json.dumps(ledger, indent=1).encode()
    for name, content in downloads(root, executed, chapters).items():
        wanted[target / DOWNLOADS / f"{name}.ipynb"] = content
    values = {value.name: value for chapter in chapters for value in chapter.values}
    for name, path in executed.items():
        notebook = nbformat.read(path, as_version=4)
        wanted[target / "chapters" / f"{name}.ipynb"] = _bytes(page(notebook, values))
        source = (root / "notebooks" / f"{name}.md").read_text(encoding="utf8")
        wanted[target / DOWNLOADS / f"{name}.md"] = without_answers(source).encode()
    for name, reason in (failed or {}).items():
        wanted[target / "chapters" / f"{name}.ipynb"] = _bytes(_failed(root / "notebooks" / f"{name}.md", reason))
    for path in target.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
    for path, content in wanted.items():
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _failed(source: Path, reason: str) -> Any:
    """The page of a notebook that did not run to its end."""
    heading = re.search(r"(?m)^# .*$", source.read_text(encoding="utf8"))
    title = heading[0] if heading else f"# {source.stem}"
    text = f"{title}\n\n```{{error}}\nThis chapter did not run to its end.\n```\n"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", reason)), default=0))
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(f"{text}\n{fence}text\n{reason}\n{fence}", id="error")]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def page(notebook: Any, values: Mapping[str, Value]) -> Any:
    """The notebook as the page shows it: without answers to tasks, and without outputs that the text quotes.

    Roles in alternative texts, which Sphinx takes as they are, give way to the values, and marks to their words.
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("rbcore", None)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = without_answers(cell.source)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if MIME not in o.get("data", {})]
            for output in cell.outputs:
                output.get("data", {}).pop(FIGURE, None)
            directions.resolve(cell, values)
    return shrink(notebook)


def downloads(root: Path, executed: Mapping[str, Path], chapters: Sequence[Chapter]) -> dict[str, bytes]:
    """The executed notebooks as readers download them, by name: readable in any Jupyter, numbers filled in."""
    names = labels.shown(root)
    bibliography = root / "book" / "references.bib"
    cited = authors(bibliography) if bibliography.exists() else {}
    read = {name: nbformat.read(path, as_version=4) for name, path in executed.items()}
    packaged = (root / "pyproject.toml").exists()
    first = {name: install.cell(root / "notebooks" / f"{name}.md", root) if packaged else "" for name in read}
    made = {name: download(notebook, chapters, names, cited, first[name]) for name, notebook in read.items()}
    return {name: _bytes(shrink(notebook)) for name, notebook in made.items()}


def _bytes(notebook: Any) -> bytes:
    return (nbformat.writes(notebook) + "\n").encode()


PROGRAM = """
import os, threading, time

def watch(parent=os.getppid()):  # who was killed cannot end what it started
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)

threading.Thread(target=watch, daemon=True).start()
from jupyter_book.cli.main import main
main()
"""


def build(source: Path, output: Path, *, strict: bool = True) -> Built:
    """Build the pages from `source` and put them at `output` when they are whole.

    Pages that were built from the same sources without a warning stay.  Any change builds all of them: Sphinx
    alone would not see that an extension or another page's title changed, and would not repeat its warnings.

    Args:
        strict: report warnings.

    Raises:
        SiteError: when Sphinx makes no pages; `output` is then as it was.
    """
    stamp = _digest(source, strict)
    if (output / STAMP).exists() and (output / STAMP).read_text() == stamp:
        return Built(output / "index.html", "")
    work = output.with_name(f"{output.name}-new")
    shutil.rmtree(work, ignore_errors=True)
    command = [sys.executable, "-c", PROGRAM, "build", str(source), "--path-output", str(work), "--quiet"]
    command += ["-W", "-n", "--keep-going"] if strict else []
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    fresh = work / "_build" / "html"
    warnings = _relevant(done.stdout + done.stderr, source) if done.returncode else ""
    if not all((fresh / name).exists() for name in ("index.html", "searchindex.js")):
        shutil.rmtree(work, ignore_errors=True)
        raise SiteError(f"the pages were not built:\n{warnings}")
    _open_directly(fresh / "index.html")
    slim(fresh)
    for name in (".buildinfo", "objects.inv"):
        (fresh / name).unlink(missing_ok=True)
    if not warnings:
        (fresh / STAMP).write_text(stamp)
    replace_folder(fresh, output)
    shutil.rmtree(work, ignore_errors=True)
    return Built(output / "index.html", warnings)


def _digest(source: Path, strict: bool) -> str:
    """A digest of the assembled folder, the modules that its extensions use, and the lock file."""
    digest = hashlib.sha256(f"{strict} {sys.version_info[:2]}".encode())
    inside = [p for p in sorted(source.rglob("*")) if p.is_file() and "__pycache__" not in p.parts]
    modules = [p for p in used_modules((source / "_ext").glob("*.py")) if ROOT / "rbcore" in p.parents]
    lock = [p for p in [ROOT / "requirements.lock", ROOT / "CITATION.cff"] if p.exists()]
    for path in [*inside, *modules, Path(__file__), *lock]:
        name = path.relative_to(source) if path in inside else path.name
        digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _open_directly(index: Path) -> None:
    """Put the first page in the place of the redirection to it, so that a preview and a search find its text."""
    target = re.search(r'http-equiv="Refresh" content="0; url=([\w.-]+)"', index.read_text(encoding="utf8"))
    if target is not None and (index.parent / target[1]).exists():
        shutil.copyfile(index.parent / target[1], index)


def _relevant(log: str, source: Path) -> str:
    """The warnings of Sphinx's log, each with the file and the line that its author can edit."""
    log = re.sub(r"\x1b\[[0-9;]*m", "", log)
    found = re.findall(r"(?m)^.*(?:WARNING|ERROR).*(?:\n[ \t]+\S.*|\n[ \t]+\^)*", log)
    return "\n".join(_located(warning, source) for warning in found or log.splitlines()[-40:])


def _located(warning: str, source: Path) -> str:
    def chapter(match: re.Match[str]) -> str:
        name, number = match[1], int(match[2] or 0)
        path = source / "chapters" / f"{name}.ipynb"
        cell, row = divmod(
            number, 10_000
        )  # myst-nb counts the lines of each cell from its own ten thousand, and one more
        if not cell or not path.exists():
            return f"notebooks/{name}.md"
        text = nbformat.read(path, as_version=4).cells[cell - 1].source
        before = (source / DOWNLOADS / f"{name}.md").read_text(encoding="utf8").partition(text)[0]
        return f"notebooks/{name}.md:{before.count(chr(10)) + max(row - 1, 1)}"

    warning = re.sub(rf"{re.escape(str(source))}/chapters/([\w.-]+)\.ipynb(?::(\d+))?", chapter, warning)
    return warning.replace(f"{source}/", "book/")


def unlisted(root: Path, names: Iterable[str]) -> list[str]:
    """A line for each of these chapters that the table of contents does not name, with what to add."""
    contents = (root / "book" / "_toc.yml").read_text(encoding="utf8").split()
    return [
        f"notebooks/{name}.md has no page: add `- file: chapters/{name}` to book/_toc.yml"
        for name in names
        if f"chapters/{name}" not in contents
    ]


def images_without_alt(pages: Iterable[Path]) -> list[str]:
    """Images of the built pages whose alternative text is missing or is a file's path."""
    found = []
    for path in pages:
        for tag in re.findall(r"<img\b[^>]*>", path.read_text(encoding="utf8")):
            alt = re.search(r'\balt="([^"]*)"', tag)
            if alt is None or not alt[1].strip() or "_images/" in alt[1] or alt[1].endswith((".png", ".svg")):
                found.append(f"{path.name}: {tag}")
    return found
