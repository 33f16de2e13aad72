"""The rooms of the core: how large they are, and which of them use which, read from the code itself."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Room(NamedTuple):
    """A package or a module of the core.  purpose: the first line of its docstring; modules and lines of code."""

    name: str
    purpose: str
    modules: int
    lines: int


def rooms(root: Path) -> list[Room]:
    """The rooms of the core in the checkout `root`, by name."""
    found = []
    for place in sorted((root / "rbcore").iterdir()):
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        head = place / "__init__.py" if place.is_dir() else place
        if head.suffix == ".py" and head.exists() and not place.name.startswith("__"):
            texts = [file.read_text(encoding="utf8") for file in files]
            purpose = (ast.get_docstring(ast.parse(head.read_text(encoding="utf8"))) or "").split("\n")[0]
            found.append(Room(place.stem, purpose, len(files), sum(text.count("\n") for text in texts)))
    return found


def arrows(root: Path) -> Counter[tuple[str, str]]:
    """How many import statements of a room name another one, by (room, room that it uses)."""
    found: Counter[tuple[str, str]] = Counter()
    for file in sorted((root / "rbcore").rglob("*.py")):
        room = file.relative_to(root / "rbcore").parts[0].removesuffix(".py")
        for used in imported(ast.parse(file.read_text(encoding="utf8"))):
            found[room, used] += used != room
    return +found


def imported(tree: ast.AST) -> Iterator[str]:
    """The rooms that code imports, wherever the statement stands, but for those that only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rbcore":
            parts = (node.module or "").split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from [a.name.split(".")[1] for a in node.names if a.name.startswith("rbcore.")]
        yield from imported(node)


def levels(uses: Counter[tuple[str, str]], names: list[str]) -> dict[str, int]:
    """For each room the length of the longest way down from it: 0 for those that use no other.

    Raises:
        ValueError: when rooms use one another in a circle.
    """
    found: dict[str, int] = {}
    while len(found) < len(names):
        ready = [n for n in names if n not in found and all(b in found for a, b in uses if a == n)]
        if not ready:
            raise ValueError(f"these rooms use one another in a circle: {sorted(set(names) - set(found))}")
        found |= {n: 1 + max((found[b] for a, b in uses if a == n), default=-1) for n in ready}
    return found
