"""The code cells of the chapters, and where in its file a node of one stands."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator, Sequence

from mutants.edits import Sources
from rbcore.book import cells as book_cells
from rbcore.book.cells import Body

CHEAP = ("01-generation-process", "02-two-divergences", "A-primer")  # executed in some seconds each
DEARER = ("05-reverse-bottleneck",)
Call = tuple[str, Body, ast.Call]


@functools.lru_cache(maxsize=1024)
def bodies(text: str) -> tuple[Body, ...]:
    """The code cells of a chapter's text; those that are no Python are left out."""
    return tuple(body for body in book_cells.bodies(text) if tree(body.code) is not None)


@functools.lru_cache(maxsize=4096)
def tree(code: str) -> ast.Module | None:
    """The syntax tree of a cell."""
    try:
        return ast.parse(code)
    except SyntaxError:
        return None


def cells(sources: Sources, chapters: Sequence[str] = ()) -> Iterator[tuple[str, Body]]:
    """The code cells of some chapters or of all, without their parameters, each with its file."""
    for file in sources.texts:
        if file.startswith("notebooks/") and (not chapters or file[len("notebooks/") : -len(".md")] in chapters):
            for body in bodies(sources.text(file))[1:]:
                yield file, body


def calls(sources: Sources, function: str, chapters: Sequence[str] = ()) -> Iterator[Call]:
    """The calls of `claim` or `record`, with all that they must be given by place."""
    for file, body in cells(sources, chapters):
        for node in ast.walk(tree(body.code) or ast.Module([], [])):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function and len(node.args) > 1:
                yield file, body, node


def place(code: str) -> Callable[[int, int], int]:
    """From a line and a column in bytes, as a syntax tree has them, to a character of `code`."""
    lines = code.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    return lambda line, column: starts[line - 1] + len(lines[line - 1].encode()[:column].decode())


def span(body: Body, node: ast.expr) -> tuple[int, int]:
    """Where a node of a cell begins and ends in the file."""
    at = place(body.code)
    end = at(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
    return body.start + at(node.lineno, node.col_offset), body.start + end
