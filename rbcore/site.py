"""Assemble the book's sources from executed notebooks and build the pages.

jupyter-book reads one folder, so the build copies `book/` beside the executed notebooks into a folder of its own;
`notebooks/` and `book/` are only read.  The pages are built aside and take the place of the old ones when they are
whole.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nbformat
import yaml

from rbcore.ledger import MIME, ROLE, Chapter, fill

DOWNLOADS = "_downloads_of_chapters"


class SiteError(RuntimeError):
    """The pages could not be built; the message holds Sphinx's own warnings."""


def assemble(root: Path, executed: Mapping[str, Path], chapters: Sequence[Chapter], target: Path) -> None:
    """Write the folder that jupyter-book reads.  Files that did not change keep their time, so Sphinx skips them."""
    wanted: dict[Path, bytes] = {}
    for path in (root / "book").rglob("*"):
        inside = path.relative_to(root / "book")
        if (
            path.is_file()
            and inside.parts[0] not in ("_build", "ledger.json")
            and "__pycache__" not in inside.parts
        ):
            wanted[target / inside] = path.read_bytes()
    values = {v.name: v for c in chapters for v in c.values}
    claims = {k.id: k for c in chapters for k in c.claims}
    ledger = {"values": [asdict(v) for v in values.values()], "claims": [asdict(k) for k in claims.values()]}
    wanted[target / "_ledger.json"] = json.dumps(ledger, indent=1).encode()
    for name, path in executed.items():
        notebook = nbformat.read(path, as_version=4)
        wanted[target / "chapters" / f"{name}.ipynb"] = _bytes(page(notebook))
        wanted[target / DOWNLOADS / f"{name}.ipynb"] = _bytes(download(notebook, values, claims))
        wanted[target / DOWNLOADS / f"{name}.md"] = (root / "notebooks" / f"{name}.md").read_bytes()
    for path in target.rglob("*"):
        if path.is_file() and path not in wanted and "_build" not in path.relative_to(target).parts:
            path.unlink()
    for path, content in wanted.items():
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def page(notebook: Any) -> Any:
    """The notebook as the page shows it: stored values and claims are in the text, so their outputs go."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("rbcore", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if MIME not in o.get("data", {})]
    return notebook


def download(notebook: Any, values: Mapping[str, Any], claims: Mapping[str, Any]) -> Any:
    """The notebook as a reader downloads it: the roles replaced by what they show, so that any Jupyter can show it."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("rbcore", None)

    def show(match: Any) -> str:
        role, name = match.groups()
        if role == "claim" and name in claims:
            return f"**{fill(claims[name].sentence, values)}**"
        if role == "statement" and name in claims:
            from rbcore.expr import parse

            return f"${parse(claims[name].statement).latex()}$"
        return match.group(0)

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = fill(ROLE.sub(show, cell.source), values)
    return notebook


def as_download(executed: Path, values: Mapping[str, Any], claims: Mapping[str, Any]) -> bytes:
    """The bytes of the notebook at `executed` as a reader downloads it."""
    return _bytes(download(nbformat.read(executed, as_version=4), values, claims))


def _bytes(notebook: Any) -> bytes:
    return (nbformat.writes(notebook) + "\n").encode()


def build(source: Path, output: Path, *, strict: bool = True) -> Path:
    """Build the pages from `source` and put them at `output` when they are whole; returns the page to open.

    Raises:
        SiteError: when Sphinx warns (with `strict`) or fails.
    """
    staging = output.parent / f"{output.name}-staging"
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(source),
        "--path-output",
        str(staging),
    ]
    command += ["--quiet", *(["-W", "-n", "--keep-going"] if strict else [])]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent), "NO_COLOR": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise SiteError(f"the pages were not built:\n{_relevant(done.stdout + done.stderr)}")
    fresh = output.with_name(f"{output.name}-new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(
        staging / "_build" / "html", fresh, ignore=shutil.ignore_patterns(".doctrees", ".buildinfo", "objects.inv")
    )
    shutil.rmtree(output, ignore_errors=True)
    fresh.rename(output)
    return output / "index.html"


def _relevant(log: str) -> str:
    lines = [line for line in log.splitlines() if "WARNING" in line or "ERROR" in line]
    return "\n".join(lines or log.splitlines()[-40:])


def one_chapter(source: Path, name: str) -> None:
    """Narrow an assembled folder to one chapter with the notation, the ledger and the references."""
    contents = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf8"))
    kept = [f"chapters/{name}", "notation", "ledger", "references"]
    contents["parts"] = [{"caption": "This run", "chapters": [{"file": file} for file in kept]}]
    (source / "_toc.yml").write_text(yaml.safe_dump(contents, sort_keys=False), encoding="utf8")


def images_without_alt(pages: Iterable[Path]) -> list[str]:
    """Images of the built pages whose alternative text is missing or is a file's path."""
    import re

    found = []
    for path in pages:
        for tag in re.findall(r"<img\b[^>]*>", path.read_text(encoding="utf8")):
            alt = re.search(r'\balt="([^"]*)"', tag)
            if alt is None or not alt[1].strip() or "_images/" in alt[1] or alt[1].endswith((".png", ".svg")):
                found.append(f"{path.name}: {tag}")
    return found
