"""The rooms of the core: which may use which, and that a light room stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rbcore.book.execute import ROOT

USES = {  # what a room may import at run time, besides itself; each line rests on those above it
    "files": set(),
    "checks": set(),
    "figures": set(),
    "grid": set(),
    "information": {"checks", "figures"},
    "theory": {"information", "grid"},
    "gmm": set(),
    "lm": {"grid"},
    "estimate": {"checks", "information", "theory"},
    "audit": {"files", "checks", "figures", "information", "estimate"},
    "book": {"checks", "figures", "information"},
    "__main__": {"book"},
}


def imports(tree: ast.AST) -> Iterator[str]:
    """The rooms that a module imports, wherever in its code, but for those that only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rbcore":
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from [a.name.split(".")[1] for a in node.names if a.name.startswith("rbcore.")]
        yield from imports(node)


@pytest.mark.parametrize("room", USES)
def test_a_room_uses_only_those_below_it(room: str) -> None:
    place = ROOT / "rbcore" / room
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    used = {name for file in files for name in imports(ast.parse(file.read_text()))} - {room}
    assert used <= USES[room], f"{room} may use {sorted(USES[room])}, it uses {sorted(used)}"


def test_the_rooms_are_all_there_are_and_form_no_circle() -> None:
    found = {p.stem for p in (ROOT / "rbcore").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert found - {"__init__"} == set(USES)
    names = list(USES)
    assert all(names.index(below) < names.index(room) for room, uses in USES.items() for below in uses)


@pytest.mark.parametrize("module", ["rbcore", "rbcore.information", "rbcore.theory.process", "rbcore.book.ledger"])
def test_what_every_chapter_imports_is_light(module: str) -> None:
    heavy = ("torch", "transformers", "datasets", "numba", "sklearn", "pyarrow", "papermill")
    code = f"import sys, {module}; print(*[name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_a_chapter_imports_from_at_most_three_rooms() -> None:
    import jupytext

    shared = {"checks", "figures", "book"}
    for source in sorted((ROOT / "notebooks").glob("*.md")):
        cells = [cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code"]
        used = {name for cell in cells for name in imports(ast.parse(cell))} - shared
        assert len(used) <= 3, f"{source.name} imports from {sorted(used)}"
