"""Chapters run to their end in worlds other than the book's: their claims may fail, their code may not.

The code cells run in this process, with sizes that are as small as they may be, and every figure is drawn.
"""

import contextlib
import io
from math import inf

import matplotlib
import matplotlib.pyplot as plt
import pytest

from rbcore.book.execute import find, read

matplotlib.use("Agg")
pytestmark = pytest.mark.slow

SMALL = {
    "01": {"models": 20, "draws": 10_000},
    "02": {"models": 100, "runs": 20, "n": 20},
    "05": {"models": 100, "readings": 2},
    "06": {"models": 1000, "n": 1},
    "07": {"models": 1, "largest": 2},
}
WORLDS = {  # each goes to an end in several settings at once
    "nothing moves": {"task": [0, 0, 0, 0, 3, 0, 0, 0], "strictness": inf, "noise": 0.0, "anchors": 1},
    "deaf learner": {"learning": 0.0, "strictness": 0.0, "noise": 1.0},
    "all alike": {"task": [1] * 8, "anchors": 1, "strictness": 0.0, "noise": 0.0, "learning": 100.0},
    "opposite winds": {"task": [1, 0, 0, 0, 1, 0, 0, 0], "prior": [100, 1, 1, 1, 1, 1, 1, 1], "anchors": 2},
    "strict and known": {"prior": [1, 2, 3, 4, 5, 6, 7, 8], "strictness": inf, "learning": 1000.0},
}
RUNS = [("02", name) for name in WORLDS]
RUNS += [("01", "nothing moves"), ("05", "opposite winds"), ("06", "strict and known"), ("07", "nothing moves")]


def run(number: str, **parameters: object) -> str:
    """Run a chapter's code cells with these parameters, those that it has; what they print."""
    cells = [cell.source for cell in read(find(number)).cells if cell.cell_type == "code"]
    names: dict[str, object] = {}
    said = io.StringIO()
    exec(cells[0], names)
    names |= {name: value for name, value in parameters.items() if name in names}
    with contextlib.redirect_stdout(said):
        for place, code in enumerate(cells[1:], 2):
            exec(compile(code, f"chapter {number}, code cell {place}", "exec"), names)
            for one in plt.get_fignums():
                plt.figure(one).savefig(io.BytesIO(), dpi=20)
            plt.close("all")
    return said.getvalue()


@pytest.mark.filterwarnings("ignore")  # an empty legend, a logarithm of zero on an axis
@pytest.mark.parametrize(("number", "name"), RUNS)
def test_a_chapter_runs_to_its_end_in_another_world(number, name):
    assert "✗ FAILS" in run(number, **SMALL[number], **WORLDS[name]), "a sentence about the book's world fails"


@pytest.mark.parametrize("number", SMALL)
def test_a_world_that_is_none_is_refused_in_the_second_cell(number):
    with pytest.raises(ValueError, match="weights of task are at least 0 and not all 0") as refused:
        run(number, **SMALL[number], task=[0] * 8)
    assert any("code cell 2" in str(entry.path) for entry in refused.traceback)
