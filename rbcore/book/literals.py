"""No literal is a result: what a notebook records or claims rests on its inputs, and shown numbers are computed.

Inputs are the parameters, random draws and the core package (:mod:`rbcore.book.flow`).  Found are

* a recorded value that was typed, or computed from what was typed, unless a computation with data or a claim
  uses the same names: the grid of a sweep is a definition, and its largest member may be recorded;
* a check that compares literals only, compares a thing with itself, or is put together by hand;
* a claim that quotes a value and whose check has nothing in common with the computation of that value;
* numbers in what a cell prints or writes into a figure, and decimals and percentages in visible comments.

Where a constant is meant, a formula's or an example's, a comment on the call says so: ``# constant: a fair coin``.
It excuses no bare number.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

from rbcore.book.cells import Body, bodies
from rbcore.book.flow import NOTHING, Called, Fact, Flow, together

RECORD, CLAIM, BY_HAND = "rbcore.book.ledger.record", "rbcore.book.ledger.claim", "rbcore.checks.Check"
CHECKS = re.compile(r"rbcore\.checks\.[a-z_]+|rbcore\.information\.verify\.(satisfied|violated|broken|constants)")
QUOTED = re.compile(r"\{(?:val|num|ci)\}`([^`]+)`")
MARK = re.compile(r"#\s*constant:\s*(.*)")
SHOWN = re.compile(r"(?<![\w.=^\\/])(?![01](?![\d.%]))\d+(?:[.,]\d+)*")  # zero and one are seldom results
COMMENTED = re.compile(r"\d[.,]\d|\d\s*%")
NEUTRAL = re.compile(r"\$[^$]*\$|\[0, 1\]")  # of a text in a figure: formulas, and the unit interval


class Literal(NamedTuple):
    """A literal that stands where a result should: the line of the file, the result's name, and what is wrong."""

    line: int
    name: str
    what: str
    remedy: str


RECORDED = "record what was computed, or let the computation use this name too"
COMPARED = "compare a result of the run; where a constant is meant, say `# constant: reason` on the call"
HAND = "use a check of rbcore.checks, which says what it measured and on how many cases"
RESTS = "check what the quoted value was computed from, or quote the value that the check is about"
FORMATTED = "name it, and write it by its name: f'{tries} tries'"


def find(text: str) -> list[Literal]:
    """The literals of a MyST notebook that stand where results should, in the order of its lines.

    Raises:
        SyntaxError: when a cell is not Python.
    """
    cells = bodies(text)
    first = [text[: cell.start].count("\n") for cell in cells]  # lines before the code
    codes = [re.sub(r"(?m)^\s*[%!].*$", "", cell.code) for cell in cells]
    flow = Flow(codes)
    marks = {
        (number, token.start[0]): match[1]
        for number, code in enumerate(codes)
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type == tokenize.COMMENT and (match := MARK.fullmatch(token.string))
    }
    used: set[tuple[int, int]] = set()
    found = []
    for call, name, what, remedy in _results(flow):
        lines = range(call.node.lineno, (call.node.end_lineno or call.node.lineno) + 1)
        here = {(call.cell, line) for line in lines} & marks.keys()
        used |= here
        if not here or _bare(call):
            found.append(Literal(first[call.cell] + call.node.lineno, name, what, remedy))
    for (number, line), reason in marks.items():
        if (number, line) not in used:
            what = "the mark `# constant:` is on no call that needs one"
            found.append(Literal(first[number] + line, "constant", what, "remove it"))
        elif not reason:
            what = "the mark `# constant:` has no reason"
            found.append(Literal(first[number] + line, "constant", what, "say what the constant is"))
    for number, cell in enumerate(cells[1:], 1):
        found += [Literal(first[number] + line, *said, FORMATTED) for line, *said in _shown(cell, codes[number])]
    return sorted(found)


def _results(flow: Flow) -> Iterator[tuple[Called, str, str, str]]:
    """The calls that record or check no result: the call, its name, what is wrong, what is right."""
    recorded: dict[str, Fact] = {}
    claimed = [call for call in flow.calls if call.name == CLAIM]
    used = flow.met.union(*(_check(call).names for call in claimed))
    on_literals = {id(part) for call in claimed if not _check(call).data for part in ast.walk(call.node)}
    for call in flow.calls:
        if call.name == RECORD:
            value = together(fact for key, fact in call.given.items() if key in (1, "value", None))
            name = _text(call, 0, "name")
            recorded[name] = value
            word = isinstance(_argument(call, 1, "value"), ast.Constant) and call.decides.data
            if not (value.data or word or value.names & used):
                yield call, name, f"record({name!r}) stores what was typed: {_code(call, 1, 'value')}", RECORDED
        elif call.name == CLAIM:
            name, check = _text(call, 0, "id"), _check(call)
            if not check.data:
                what = f"claim({name!r}) is checked on literals only: {_code(call, 2, 'check')}"
                yield call, name, what, COMPARED
            for quoted in QUOTED.findall(_code(call, 1, "sentence")):
                if quoted in recorded and recorded[quoted].names and not recorded[quoted].names & check.names:
                    what = f"claim({name!r}) quotes {quoted!r}, which its check does not rest on"
                    yield call, name, what, RESTS
        elif call.name == BY_HAND:
            yield call, "Check", "a check is put together by hand", HAND
        elif CHECKS.fullmatch(call.name):
            name, given = call.name.split(".")[-1], [ast.unparse(x) for x in call.node.args]
            compared = together(call.given.values())
            if not (compared.data or compared.names & flow.met or id(call.node) in on_literals):
                yield call, name, f"a check compares literals only: {ast.unparse(call.node)}", COMPARED
            elif len(given) > 1 and given[0] == given[1]:
                yield call, name, f"a check compares a thing with itself: {ast.unparse(call.node)}", COMPARED


def _check(call: Called) -> Fact:
    return call.given.get(2, call.given.get("check", NOTHING))


def _bare(call: Called) -> bool:
    """Whether a call records a number, or checks numbers, without a name or a function: no mark excuses that."""
    given = [_argument(call, 1, "value")] if call.name == RECORD else call.node.args
    if call.name == CLAIM:
        check = _argument(call, 2, "check")
        given = check.args if isinstance(check, ast.Call) else [check]
    inside = [part for one in given if one is not None for part in ast.walk(one)]
    return call.name != BY_HAND and not any(isinstance(part, ast.Name | ast.Call) for part in inside)


def _argument(call: Called, place: int, name: str) -> ast.expr | None:
    if len(call.node.args) > place:
        return call.node.args[place]
    return next((keyword.value for keyword in call.node.keywords if keyword.arg == name), None)


def _code(call: Called, place: int, name: str) -> str:
    node = _argument(call, place, name)
    return ast.unparse(node) if node is not None else ""


def _text(call: Called, place: int, name: str) -> str:
    node = _argument(call, place, name)
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node) if node is not None else ""


def _shown(cell: Body, code: str) -> Iterator[tuple[int, str, str]]:
    """Numbers typed into what a cell shows: the line of the cell, the number, what is wrong."""
    tree = ast.parse(code)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    stored = {id(part) for call in calls if _last(call) in ("record", "claim") for part in ast.walk(call)}
    printed = [part for call in calls if _last(call) == "print" for part in ast.walk(call)]
    for node in ast.walk(tree) if cell.figure else printed:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in stored:
            words = NEUTRAL.sub("", node.value)
            if re.search(r"[A-Za-z]{2}", words):  # else it names a colour, a format or a place on an axis
                for match in SHOWN.finditer(words):
                    yield node.lineno, match[0], f"a number is typed into what is shown: {node.value!r}"
    for token in () if cell.folded else tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT and COMMENTED.search(token.string):
            yield token.start[0], token.string, f"a number is typed into a visible comment: {token.string}"


def _last(call: ast.Call) -> str:
    return ast.unparse(call.func).split(".")[-1]
