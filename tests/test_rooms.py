"""The rooms of the core: which may use which, and that a light room stays light."""

import ast
import subprocess
import sys
from collections import Counter

import pytest

from rbcore.book.execute import ROOT
from rbcore.book.rooms import arrows, imported, levels, rooms

USES = {  # what a room may import at run time, besides itself; each line rests on those above it
    "checks": set(),
    "plotted": set(),
    "figures": {"plotted"},
    "files": set(),
    "grid": set(),
    "information": {"checks", "figures"},
    "theory": {"information", "grid"},
    "gmm": {"files"},
    "lm": {"files", "grid", "theory"},
    "estimate": {"checks", "files", "information", "theory"},
    "audit": {"checks", "files", "figures", "information", "estimate"},
    "course": {"checks", "files", "information"},
    "book": {"checks", "course", "files", "figures", "information", "plotted"},
    "__main__": {"book"},
}


@pytest.mark.slow
def test_a_room_uses_only_those_below_it() -> None:
    wrong = [f"{above} uses {below}" for above, below in arrows(ROOT) if below not in USES[above]]
    assert not wrong


def test_the_rooms_are_all_there_are_and_form_no_circle() -> None:
    names = [room.name for room in rooms(ROOT)]
    assert {*names, "__main__"} == set(USES)
    found = levels(arrows(ROOT), [*names, "__main__"])
    assert found["checks"] == 0 < found["information"] < found["theory"] < found["estimate"] < found["audit"]


def test_a_circle_and_imports_for_a_type_checker() -> None:
    with pytest.raises(ValueError, match="in a circle: \\['a', 'b'\\]"):
        levels(Counter({("a", "b"): 1, ("b", "a"): 2, ("a", "c"): 1}), ["a", "b", "c"])
    code = "import rbcore.a.x\nfrom rbcore import b\nif TYPE_CHECKING:\n    from rbcore import c\n"
    assert list(imported(ast.parse(code + "def f():\n    from rbcore.d import e"))) == ["a", "b", "d"]


@pytest.mark.slow
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
        used = {name for cell in cells for name in imported(ast.parse(cell))} - shared
        assert len(used) <= 3, f"{source.name} imports from {sorted(used)}"
