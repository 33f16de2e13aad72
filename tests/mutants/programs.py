"""Changes of what runs: cells of chapters, figures, recorded literals and checks, modules of the core."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from mutants.cells import CHEAP, DEARER, bodies, calls, cells, span
from mutants.code import changes
from mutants.edits import Edit, Sources


def _of_cells(*chapters: str, figure: bool) -> Callable[[Sources], Iterator[Edit]]:
    def changed(sources: Sources) -> Iterator[Edit]:
        for file, cell in cells(sources, chapters):
            if cell.figure == figure:
                for start, end, new in changes(cell.code):
                    yield Edit(file, cell.start + start, cell.start + end, new)

    changed.__name__ = f"{'figures' if figure else 'cells'} of {' '.join(chapters)}"
    return changed


cheap_cells, dearer_cells = _of_cells(*CHEAP, figure=False), _of_cells(*DEARER, figure=False)
cheap_figures = _of_cells(*CHEAP, figure=True)


def of_modules(*files: str) -> Callable[[Sources], Iterator[Edit]]:
    """A generator of changes of these modules."""

    def changed(sources: Sources) -> Iterator[Edit]:
        for file in files:
            for start, end, new in changes(sources.text(file)):
                yield Edit(file, start, end, new)

    changed.__name__ = " ".join(files)
    return changed


def parameter(sources: Sources) -> Iterator[Edit]:
    """Another default of a parameter."""
    for chapter in CHEAP:
        file = f"notebooks/{chapter}.md"
        cell = bodies(sources.text(file))[0]
        for match in re.finditer(r"(?m)^\w+ = (\d+)(?=\b)(?!\.)", cell.code):
            yield Edit(file, cell.start + match.start(1), cell.start + match.end(1), str(int(match[1]) + 1))


def other_statement(sources: Sources) -> Iterator[Edit]:
    """A statement or an assumption with another sign, relation or constant, in the string that is proved."""
    for file, cell in cells(sources, CHEAP):
        for match in re.finditer(r'"[^"\n]*[HI]\([^"\n]*"', cell.code):
            for sign in re.finditer(r"<=|>=|(?<= )[-+](?= )|(?<=[<>]= )(?=[HI]\()", match[0]):
                new = {"<=": ">=", ">=": "<=", "+": "-", "-": "+", "": "2 "}[sign[0]]
                at = cell.start + match.start()
                yield Edit(file, at + sign.start(), at + sign.end(), new)


def claim_deleted(sources: Sources) -> Iterator[Edit]:
    """A claim that is no longer made, with its quote still there."""
    for file, cell, call in calls(sources, "claim", CHEAP):
        yield Edit(file, *span(cell, call), "pass")


def renamed(sources: Sources) -> Iterator[Edit]:
    """A claim or a value that is stored under another name."""
    for function in ("claim", "record"):
        for file, cell, call in calls(sources, function, CHEAP):
            end = span(cell, call.args[0])[1] - 1
            yield Edit(file, end, end, "-x")


# --- figures ---------------------------------------------------------------------------------------------------

CURVE = r"\.plot\(\s*([\w.]+), ([\w.]+)"
DRAWN = [
    (CURVE, r".plot(\1, \2[::-1]"),  # the curve runs backwards
    (CURVE, r".plot(\2, \1"),  # the axes change places
    (CURVE, r".plot(\1, 2 * \2"),
    (r"\bbits\)", "nats)"),
    (r"\bnats\)", "bits)"),
    (r"xlabel=", "title="),
    (r"yscale=\"log\"", 'yscale="linear"'),
    (r"xscale=\"log\"", 'xscale="linear"'),
    (r"ylabel=\"(\w+)", r'ylabel="not \1'),
    (r"label=\"(\w+)", r'label="not \1'),
    (r"\bymin=|ylim=0", "ylim=0.1"),
]


def drawn(sources: Sources) -> Iterator[Edit]:
    """A curve that runs backwards, a unit, an axis or a legend that says something else."""
    for file, cell in cells(sources, (*CHEAP, *DEARER)):
        for pattern, new in DRAWN if cell.figure else ():
            for match in re.finditer(pattern, cell.code):
                yield Edit(file, cell.start + match.start(), cell.start + match.end(), match.expand(new))


def legends(sources: Sources) -> Iterator[Edit]:
    """The labels of two curves change places."""
    for file, cell in cells(sources, (*CHEAP, *DEARER)):
        found = list(re.finditer(r'label="([^"{]+)"', cell.code)) if cell.figure else []
        for one, two in zip(found, found[1:], strict=False):
            between = cell.code[one.end(1) : two.start(1)]
            yield Edit(file, cell.start + one.start(1), cell.start + two.end(1), two[1] + between + one[1])


# --- literals and checks by hand -------------------------------------------------------------------------------


def recorded_literal(sources: Sources) -> Iterator[Edit]:
    """The pinned value in the place of the expression that computes it."""
    for file, cell, call in calls(sources, "record"):
        value = _pinned(sources, call)
        if isinstance(value, int | float) and not isinstance(call.args[1], ast.Name | ast.Constant):
            yield Edit(file, *span(cell, call.args[1]), repr(value))


def literal_by_name(sources: Sources) -> Iterator[Edit]:
    """The pinned value, given a name in the line before."""
    for file, cell, call in calls(sources, "record"):
        value = _pinned(sources, call)
        if isinstance(value, float) and call.col_offset == 0 and not isinstance(call.args[1], ast.Name):
            start, (first, last) = span(cell, call)[0], span(cell, call.args[1])
            yield Edit(file, start, last, f"found = {value!r}\n{sources.text(file)[start:first]}found")


def _pinned(sources: Sources, call: ast.Call) -> object:
    return sources.pins["values"].get(getattr(call.args[0], "value", None), {}).get("value")


CONSTANT = ("checks.at_most(0.0, 1.0)", "checks.above(1.0, 0.0)", "lambda: checks.equal(0, 0)")


def constant_check(sources: Sources) -> Iterator[Edit]:
    """A check that holds whatever was computed."""
    for file, cell, call in calls(sources, "claim"):
        for check in CONSTANT:
            yield Edit(file, *span(cell, call.args[2]), check)


def bare_truth(sources: Sources) -> Iterator[Edit]:
    """A truth value by hand in the place of a check."""
    for file, cell, call in calls(sources, "claim"):
        yield Edit(file, *span(cell, call.args[2]), 'True, kind="exact"')


def against_itself(sources: Sources) -> Iterator[Edit]:
    """A comparison of a quantity with itself."""
    for file, cell, call in calls(sources, "claim"):
        check = call.args[2]
        if isinstance(check, ast.Call) and getattr(check.func, "attr", "") in ("at_most", "equal"):
            first = slice(*span(cell, check.args[0]))
            yield Edit(file, *span(cell, check.args[1]), sources.text(file)[first])
