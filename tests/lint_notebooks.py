"""Check the code cells of the notebooks with ruff, or format them in place: python tests/lint_notebooks.py [--fix]

Only the bodies of code cells are read and written; their options and the Markdown around them stay as they are.
A cell that a reader sees has at most 18 lines of at most 84 characters, a folded one at most 30 lines.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat

from rbcore.book import execute, literals
from rbcore.book.cells import bodies

ROOT = Path(__file__).resolve().parent.parent
WIDTH, SEEN, FOLDED = 84, 18, 30  # characters of a line; lines of a visible and of a folded cell
OPTIONS = ["--isolated", "--line-length", str(WIDTH)]
FIRST_PARTY = ["--config", 'lint.isort.known-first-party = ["rbcore"]']
CHECKS = ["--select", "E,F,I,UP,B,NPY", "--ignore", "E402,E741,B018,B023,B905"]


def as_notebook(codes: Sequence[str], path: Path) -> None:
    """Write the cells as a notebook for ruff."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in codes])
    notebook.metadata["language_info"] = {"name": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    nbformat.write(notebook, path)


def ruff(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ruff on what the arguments name."""
    return subprocess.run([sys.executable, "-m", "ruff", *arguments], capture_output=True, text=True)


def formatted(codes: Sequence[str]) -> list[str]:
    """The cells as ruff formats them, with sorted imports; a semicolon that hides a cell's value stays."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.ipynb"
        as_notebook(codes, path)
        ruff("check", *OPTIONS, "--select", "I", *FIRST_PARTY, "--fix", str(path))
        done = ruff("format", *OPTIONS, str(path))
        if done.returncode:
            raise SystemExit(f"ruff cannot read the cells:\n{done.stderr}")
        return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def shows_more(code: str) -> bool:
    """Whether Jupyter may show the value of the cell's last line; functions of `figures` only draw."""
    return execute.shows_a_value(code) and not ast.unparse(ast.parse(code).body[-1]).startswith("figures.")


def problems(source: Path) -> list[str]:
    """What ruff finds in the notebook, each with the notebook's name, the line in its file, and the cell."""
    text = source.read_text(encoding="utf8")
    cells = bodies(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.ipynb"
        as_notebook([cell.code for cell in cells], path)
        found = json.loads(
            ruff("check", *OPTIONS, *CHECKS, *FIRST_PARTY, "--output-format", "json", str(path)).stdout
        )
    said = []
    broken = False
    for one in found:
        number = one.get("cell") or 1
        line = text[: cells[number - 1].start].count("\n") + one["location"]["row"]
        broken |= one["code"] in (None, "invalid-syntax")
        if one["code"] == "E501" and '"' in text.split("\n")[line - 1]:
            continue  # a sentence
        said.append(f"{source.name}:{line}: cell {number}: {one['code']} {one['message']}")
    for number, cell in enumerate(cells, 1):
        place = f"{source.name}:{text[: cell.start].count(chr(10)) + 1}: cell {number}"
        lines = cell.code.split("\n")
        if len(lines) > (FOLDED if cell.folded else SEEN):
            most = f"{FOLDED}, as it is folded" if cell.folded else f"{SEEN}, or {FOLDED} with the tag hide-input"
            said.append(f"{place}: {len(lines)} lines; at most {most}")
        if cell.figure and not broken and shows_more(cell.code):
            said.append(f"{place}: a figure's cell ends with a value, which is shown as a figure, too: add ';'")
        said += [f"{place}: {len(x)} characters: {x}" for x in lines if len(x) > WIDTH and not cell.folded]
    if not broken:
        said += [f"{source.name}:{one.line}: {one.what}; {one.remedy}" for one in literals.find(text)]
        for number, (cell, right) in enumerate(zip(cells, formatted([c.code for c in cells]), strict=True), 1):
            if cell.code != right:
                line = text[: cell.start].count("\n") + 1
                said.append(f"{source.name}:{line}: cell {number}: not formatted; `make format` does it")
    return said


def fix(source: Path) -> bool:
    """Format the code cells in place; whether anything changed."""
    text = source.read_text(encoding="utf8")
    cells = bodies(text)
    new = text
    for cell, code in reversed(list(zip(cells, formatted([c.code for c in cells]), strict=True))):
        new = new[: cell.start] + code + new[cell.end :]
    if new != text:
        source.write_text(new, encoding="utf8")
    return new != text


def main(arguments: Sequence[str]) -> int:
    """Check all notebooks, or format them; the exit status."""
    sources = sorted((ROOT / "notebooks").glob("*.md"))
    if "--fix" in arguments:
        changed = [source.name for source in sources if fix(source)]
        print(f"formatted: {', '.join(changed)}" if changed else f"{len(sources)} notebooks are formatted")
        return 0
    said = [line for source in sources for line in problems(source)]
    print("\n".join(said) if said else f"the cells of {len(sources)} notebooks are in order")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
