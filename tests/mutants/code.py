"""Changes of Python code: an operator, a relation, a sign, a constant, a truth value, a function of numpy.

Nodes come from the syntax tree, and what is changed are the characters of the source, so that a mutant is a
difference of one line and the rest of its file stays as it was formatted.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from mutants.cells import place

Change = tuple[int, int, str]  # the characters from .. to .. become this
Place = Callable[[int, int], int]

OPERATORS = {"+": "-", "-": "+", "*": "/", "/": "*", "**": "*", "//": "/", "%": "*", "&": "|", "|": "&"}
RELATIONS = {
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
    "==": "!=",
    "!=": "==",
    "in": "not in",
    "not in": "in",
    "is": "is not",
    "is not": "is",
}
FUNCTIONS = {
    "max": "min",
    "min": "max",
    "maximum": "minimum",
    "minimum": "maximum",
    "argmax": "argmin",
    "argmin": "argmax",
    "any": "all",
    "all": "any",
    "sum": "mean",
    "mean": "sum",
    "log": "log2",
    "cumsum": "cumprod",
    "exp": "expm1",
}
SKIPPED = (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom, ast.Assert)
COSMETIC = re.compile(
    r"figsize|alpha|linewidth|lw|markersize|ms|fontsize|width|color|zorder|pad|s|dpi|fmt|stacklevel"
)


def changes(code: str, within: tuple[int, int] | None = None) -> Iterator[Change]:
    """Each change of `code`, or of the lines from .. to .. of it."""
    at = place(code)
    for node in _nodes(ast.parse(code)):
        if within and not within[0] <= node.lineno <= within[1]:
            continue
        start, end = at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)
        match node:
            case ast.BinOp(left=left, right=right):
                yield from _between(code, at, left, right, OPERATORS)
            case ast.Compare(left=left, comparators=others):
                for one, two in zip([left, *others], others, strict=False):
                    yield from _between(code, at, one, two, RELATIONS)
            case ast.BoolOp(values=values):
                for one, two in zip(values, values[1:], strict=False):
                    yield from _between(code, at, one, two, {"and": "or", "or": "and"})
            case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
                yield start, at(operand.lineno, operand.col_offset), ""
            case ast.Constant(value=bool(value)):
                yield start, end, str(not value)
            case ast.Constant(value=int(value)):
                yield start, end, str(value + 1)
            case ast.Constant(value=float(value)):
                yield start, end, repr(value * 2 or 1.0)
            case ast.AugAssign(target=target, value=value):
                yield from _between(code, at, target, value, {f"{a}=": f"{b}=" for a, b in OPERATORS.items()})
            case ast.Call(func=ast.Attribute(attr=name)) if name in FUNCTIONS:
                stop = at(node.func.end_lineno, node.func.end_col_offset)
                yield stop - len(name), stop, FUNCTIONS[name]
            case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
                stop = at(node.func.end_lineno, node.func.end_col_offset)
                yield stop - len(name), stop, FUNCTIONS[name]


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that compute something: no annotations, messages, imports, decorators and looks of figures."""
    if isinstance(tree, SKIPPED) or (isinstance(tree, ast.keyword) and COSMETIC.fullmatch(tree.arg or "")):
        return
    if hasattr(tree, "lineno"):
        yield tree
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list", "ctx"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _nodes(child)


def _between(code: str, at: Place, left: ast.expr, right: ast.expr, table: dict[str, str]) -> Iterator[Change]:
    """The operator between two nodes, changed by the table; parentheses and comments may stand beside it."""
    start, end = at(left.end_lineno, left.end_col_offset), at(right.lineno, right.col_offset)
    found = re.fullmatch(
        r"[\s)]*(?:#[^\n]*\n\s*)?([^\s()#]+(?: not| in)?)[\s(]*(?:#[^\n]*\n\s*)?[\s(]*", code[start:end]
    )
    if found and found[1] in table:
        yield start + found.start(1), start + found.end(1), table[found[1]]
