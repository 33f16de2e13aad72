"""What the core offers, read from its sources: public functions and classes with their docstrings and their users.

Nothing is imported, so that a page of the language models does not cost loading them.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CELL = re.compile(r"(?ms)^```\{code-cell\}[^\n]*\n(.*?)^```")


class Entry(NamedTuple):
    """A public function or class: its module, its name, how it is called, what its docstring says."""

    module: str
    name: str
    signature: str
    text: str


class Module(NamedTuple):
    """A module of a room, with its docstring and its public entries in the order of the source."""

    name: str
    text: str
    entries: list[Entry]


def named(path: Path, root: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(root: Path, room: str) -> list[Module]:
    """The modules of a room (a package, or a single module of the core) that offer something."""
    place = root / "rbcore" / room
    paths = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    found = [read(path, root) for path in paths if path.stem != "__main__"]
    return [module for module in found if module.entries]


def read(path: Path, root: Path) -> Module:
    """One module."""
    tree = ast.parse(path.read_text(encoding="utf8"))
    name = named(path, root)
    entries = [
        Entry(name, node.name, signature(node), ast.get_docstring(node) or "")
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    return Module(name, ast.get_docstring(tree) or "", [e for e in entries if e.text])


def signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    """How it is called; of a class with its fields or its constructor."""
    if isinstance(node, ast.FunctionDef):
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        return f"{node.name}({ast.unparse(node.args)}){returns}"
    made = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if made is not None:
        return f"{node.name}({ast.unparse(made.args).removeprefix('self').lstrip(', ')})"
    fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    return f"{node.name}({', '.join(ast.unparse(field) for field in fields)})" if fields else node.name


@functools.cache
def exported(root: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Where names come from that a package or a module passes on: (module, name) to (module, name)."""
    found = {}
    for path in sorted((root / "rbcore").rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf8")).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rbcore"):
                for alias in node.names:
                    found[named(path, root), alias.asname or alias.name] = (node.module or "", alias.name)
    return found


@functools.cache
def used(root: Path) -> dict[tuple[str, str], list[str]]:
    """The chapters that use a name of the core, by (module, name)."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in sorted((root / "notebooks").glob("*.md")):
        for use in sorted(set(uses(path.read_text(encoding="utf8"), root))):
            found.setdefault(use, []).append(path.stem)
    return found


def uses(notebook: str, root: Path) -> Iterator[tuple[str, str]]:
    """What the code cells of a notebook use of the core, each where it is defined."""
    code = "\n".join(
        row for cell in CELL.findall(notebook) for row in cell.splitlines() if not row.startswith(":")
    )
    code = "\n".join("" if row.lstrip().startswith(("%", "!")) else row for row in code.splitlines())
    code = re.sub(r"(?ms)^---\n.*?^---\n", "", code)
    tree = ast.parse(code)
    wholes: dict[str, str] = {}  # modules by the name that they have in the notebook
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rbcore"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if is_module(whole, root):
                    wholes[alias.asname or alias.name] = whole
                else:
                    yield defined(node.module or "", alias.name, root)
        elif isinstance(node, ast.Import):
            wholes |= {a.asname: a.name for a in node.names if a.asname and a.name.startswith("rbcore")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in wholes:
            yield defined(wholes[node.value.id], node.attr, root)


def is_module(name: str, root: Path) -> bool:
    """Whether a dotted name is a module or a package of the checkout."""
    place = root.joinpath(*name.split("."))
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def defined(module: str, name: str, root: Path) -> tuple[str, str]:
    """Where a name is defined, through the packages that pass it on."""
    seen = set()
    while (module, name) in exported(root) and (module, name) not in seen:
        seen.add((module, name))
        module, name = exported(root)[module, name]
    return module, name
