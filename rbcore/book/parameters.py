"""The parameters cell of a chapter: one source of every parameter's default, meaning, range, unit and cost.

A line of the cell reads ``name = literal  # meaning [range unit; cost]``, and its comment may go on in the lines
below.  In the bracket stand alternatives, divided by ``|``:

* ``1..9``, both ends included; ``0..inf``: a number without an upper end is also allowed to be infinite;
* ``8 numbers 0..1`` or ``1..8 numbers 0..1``: a list of that length, its entries in that range and finite;
* literals, such as ``"cpu" | "cuda"``, ``True | False`` or ``None``;
* ``text``: a line of text.

A word after a range is its unit.  ``linear cost`` or ``quadratic cost`` says how the chapter's time grows with
the value.  The type is that of the default.  :func:`read_cell` reads a cell, :func:`choose` what comes in on the
command line, and :func:`table` shows all of it.
"""

from __future__ import annotations

import ast
import difflib
import io
import math
import re
import textwrap
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

LONGEST = 2000  # characters of parameters on the command line
SHOWN = 60  # characters of a wrong value that a message repeats
COSTS = {"": "", "linear cost": "time grows in proportion", "quadratic cost": "time grows with its square"}
NUMBER = r"-?(?:inf|\d[\d_]*(?:\.\d*)?(?:e[-+]?\d+)?)"
RANGE = re.compile(rf"(?:(\d+)(?:\.\.(\d+))? numbers )?({NUMBER})\.\.({NUMBER})(?: ([^\W\d][^\[\]|;]*))?")


class ParameterError(ValueError):
    """A cell or a value that cannot be read; the message says what would be right."""


class Range(NamedTuple):
    """Numbers from `low` to `high`, both included.  length: of a list of such numbers, its least and its most."""

    low: float
    high: float
    unit: str = ""
    length: tuple[int, int] | None = None

    def words(self) -> str:
        """As it stands in the bracket, without the unit: ``0..inf`` or ``8 numbers 0..1``."""
        few, most = self.length or (0, 0)
        count = f"{few} numbers " if few == most else f"{few} to {most} numbers "
        return f"{count if self.length else ''}{_plain(self.low)}..{_plain(self.high)}"

    def holds(self, number: float) -> bool:
        """Whether it is a number in the range."""
        return self.low <= number <= self.high


class Text(NamedTuple):
    """Any line of text."""

    def words(self) -> str:
        """As it stands in the bracket."""
        return "text"


class Only(NamedTuple):
    """One value that is allowed."""

    value: Any

    def words(self) -> str:
        """As it stands in the bracket."""
        return repr(self.value).replace("'", '"')


@dataclass(frozen=True)
class Parameter:
    """One parameter of a chapter.

    allowed: the alternatives of its bracket; empty where it has none that can be read, and then `problem` says so.
    cost: ``linear cost``, ``quadratic cost`` or nothing.
    """

    name: str
    default: Any
    meaning: str = ""
    allowed: tuple[Range | Text | Only, ...] = ()
    cost: str = ""
    problem: str = ""

    @property
    def unit(self) -> str:
        """The unit of its range, such as ``readings``; empty where it has none."""
        return next((one.unit for one in self.allowed if isinstance(one, Range)), "")

    def range(self) -> str:
        """What is allowed, without the unit."""
        return " | ".join(one.words() for one in self.allowed) or "no range given"

    def rule(self) -> str:
        """What would be right: ``a whole number from 1 to 9 readings; the default is 3``."""
        said = [self._said(one) for one in self.allowed] or [f"a value such as {self.default!r}"]
        return f"{' or '.join(said)}; the default is {self.default!r}"

    def _said(self, one: Range | Text | Only) -> str:
        match one:
            case Range(low, high, unit, length):
                ends = f"from {_plain(low)} {'up' if math.isinf(high) else f'to {_plain(high)}'}"
                ends = "of any size" if math.isinf(low) and math.isinf(high) else ends
                unit = f" {unit}" if unit else ""
                if length:
                    few, most = length
                    return f"a list of {few if few == most else f'{few} to {most}'} numbers, each {ends}{unit}"
                whole = "whole " if type(self.default) is int else ""
                infinite = ", inf included" * (math.isinf(high) and isinstance(self.default, float))
                return f"a {whole}number {ends}{unit}{infinite}"
            case Text():
                return "a line of text"
        return one.words()

    def value(self, raw: str) -> Any:
        """The value that a word of the command line stands for, in the type of the default.

        Raises:
            ParameterError: when it is not allowed, with what would be.
        """
        found: Any = raw
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            found = ast.literal_eval(raw)
        reason = ""
        for one in self.allowed or (self._any(),):
            try:
                return self._fit(found, raw, one)
            except ParameterError as error:
                # of several alternatives the one for numbers explains best
                reason = str(error) if not reason or isinstance(one, Range) else reason
        raise ParameterError(f"{self.name}={_cut(raw)}: {reason}; it takes {self.rule()}")

    def _any(self) -> Range | Text | Only:
        """Where no range is given, all of the default's type is allowed."""
        if isinstance(self.default, list | tuple):
            return Range(-math.inf, math.inf, length=(0, LONGEST))
        if isinstance(self.default, str):
            return Text()
        return Range(-math.inf, math.inf)

    def _fit(self, found: Any, raw: str, one: Range | Text | Only) -> Any:
        if isinstance(one, Only):
            if found == one.value and type(found) is type(one.value):
                return found
            raise ParameterError("not one of the values that it has")
        if isinstance(one, Text):
            text = found if isinstance(found, str) else raw
            if not text.isprintable():
                raise ParameterError("text on one line, without control characters")
            return text
        if isinstance(self.default, bool):
            if isinstance(found, bool):
                return found
            raise ParameterError("not True or False")
        if one.length is None:
            return self._number(found, one, whole=type(self.default) is int)
        if not isinstance(found, list | tuple):
            raise ParameterError("not a list such as [1, 2, 3]")
        few, most = one.length
        if not few <= len(found) <= most:
            raise ParameterError(f"a list of {len(found)}")
        for entry in found:
            if self._number(entry, one, whole=False, entry=True) in (math.inf, -math.inf):
                raise ParameterError("an entry is infinite")
        return tuple(found) if isinstance(self.default, tuple) else list(found)

    def _number(self, found: Any, one: Range, whole: bool, entry: bool = False) -> int | float:
        if isinstance(found, str) and re.fullmatch(r"[-+]?(inf|nan)", found) and not entry:
            found = float(found)
        which = f"the entry {_cut(repr(found))} is " if entry else ""
        if type(found) not in (int, float):
            raise ParameterError(f"{which}not a {'whole ' if whole else ''}number")
        if found != found:
            raise ParameterError(f"{which}not a number")
        if whole and type(found) is float:
            raise ParameterError("not a whole number")
        if not one.holds(found):
            raise ParameterError(f"{which}out of range")
        if isinstance(self.default, float) and not entry:
            with suppress(OverflowError):
                return float(found)
            raise ParameterError("too large")
        return found


def _plain(number: float) -> str:
    """A number as one writes it: 4294967295, 0.001, inf."""
    return str(int(number)) if math.isfinite(number) and number == int(number) else f"{number:g}"


def _cut(raw: str) -> str:
    """A word of the command line as a message shows it."""
    shown = raw if raw.isprintable() else repr(raw)[1:-1]
    return shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 12]}... ({len(raw):,} characters)"


# ---------------------------------------------------------------------------------------------------------------
# The cell
# ---------------------------------------------------------------------------------------------------------------


def read_cell(code: str) -> tuple[Parameter, ...]:
    """The parameters of a cell, in its order.

    Raises:
        ParameterError: when the cell holds anything but ``name = literal``.  A comment that does not say what is
            allowed is no error here: it is the parameter's `problem`.
        SyntaxError: when it is not Python.
    """
    try:
        return tuple({one.name: one for one in _read(code)}.values())
    except (RecursionError, MemoryError):
        raise ParameterError(
            "the parameters cell is nested too deeply: write `name = literal`, a line each"
        ) from None


def _read(code: str) -> Iterator[Parameter]:
    comments = _Comments(code)
    for node in ast.parse(code).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                try:
                    default = ast.literal_eval(value)
                except (ValueError, TypeError):
                    raise ParameterError(
                        f"parameter {name!r} must be a literal, got {ast.unparse(value)}"
                    ) from None
                lines, after = range(node.lineno, (node.end_lineno or node.lineno) + 1), node.end_lineno or 0
                said = [comments[line] for line in lines if line in comments]
                while said and comments.alone(after + 1):
                    after += 1
                    said.append(comments[after])
                yield _described(name, default, " ".join(said))
            case _:
                raise ParameterError(f"the parameters cell holds lines `name = literal`, got {ast.unparse(node)}")


class _Comments(dict[int, str]):
    """The comments of some code by line."""

    def __init__(self, code: str):
        self.lines = code.split("\n")
        with suppress(tokenize.TokenError, IndentationError):
            for token in tokenize.generate_tokens(io.StringIO(code).readline):
                if token.type == tokenize.COMMENT:
                    self[token.start[0]] = token.string.lstrip("#").strip()

    def alone(self, line: int) -> bool:
        """Whether the line holds a comment and nothing else."""
        return line in self and self.lines[line - 1].lstrip().startswith("#")


def _described(name: str, default: Any, comment: str) -> Parameter:
    """The parameter with what its comment says."""
    bracket = re.fullmatch(r"(.*?)\s*\[([^\[\]]*)\]", comment)
    if bracket is None:
        return Parameter(name, default, comment, problem="no range given")
    meaning, inside = bracket.groups()
    inside, _, cost = (part.strip() for part in inside.partition(";"))
    try:
        if cost not in COSTS:
            raise ParameterError(f"{cost!r} is not 'linear cost' or 'quadratic cost'")
        allowed = tuple(_alternative(part.strip()) for part in inside.split("|"))
    except ParameterError as error:
        return Parameter(name, default, meaning, problem=str(error))
    problem = "" if meaning else "no meaning given"
    parameter = Parameter(name, default, meaning, allowed, cost, problem)
    with suppress(ParameterError):
        if _same(parameter.value(default if isinstance(default, str) else repr(default)), default):
            return parameter
    return Parameter(name, default, meaning, allowed, cost, problem or "the default is not in its range")


def _same(one: Any, other: Any) -> bool:
    return one == other and type(one) is type(other)


def _alternative(text: str) -> Range | Text | Only:
    if text == "text":
        return Text()
    if match := RANGE.fullmatch(text):
        few, most, low, high, unit = match.groups()
        length = (int(few), int(most or few)) if few else None
        ends = float(low), float(high)
        if ends[0] > ends[1] or (length and length[0] > length[1]):
            raise ParameterError(f"the range {text!r} is empty")
        return Range(*ends, (unit or "").strip(), length)
    try:
        return Only(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        raise ParameterError(
            f"[{text}] is none of low..high, `8 numbers low..high`, a literal, and text"
        ) from None


# ---------------------------------------------------------------------------------------------------------------
# The command line
# ---------------------------------------------------------------------------------------------------------------


def choose(text: str, parameters: Iterable[Parameter], chapter: str) -> dict[str, Any]:
    """Read ``seed=3 strictness=0.9`` against the parameters of a chapter.

    Raises:
        ParameterError: for a word that is not ``name=value``, a name that the chapter does not have, a name that
            is given twice, or a value that its parameter does not allow.
    """
    known = {p.name: p for p in parameters}
    return {name: known[name].value(raw) for name, raw in words(text, known, chapter).items()}


def words(text: str, known: Mapping[str, Parameter], chapter: str) -> dict[str, str]:
    """The values by name as they were written; spaces within brackets and quotes do not divide."""
    if len(text) > LONGEST:
        raise ParameterError(f"the parameters have {len(text):,} characters; at most {LONGEST:,} are read")
    found: dict[str, str] = {}
    for word in filter(None, split(text)):
        name, equals, raw = word.partition("=")
        if not equals or not raw:
            example = next((f"{p.name}={_written(p.default)}" for p in known.values()), "seed=3")
            raise ParameterError(f'{_cut(word)!r} is not name=value; write P="{example}"')
        if name not in known:
            raise ParameterError(_unknown(name, known, chapter))
        if name in found:
            raise ParameterError(f"{name!r} is given twice; write it once")
        found[name] = raw
    return found


def split(text: str, at: str = " \t\n") -> list[str]:
    """The parts of a text between these characters, but not within brackets and quotes; some may be empty.

    Raises:
        ParameterError: for a bracket or a quotation mark without its other one.
    """
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "([":
            depth += 1
        elif letter in ")]":
            depth -= 1
        if depth < 0:
            break
        if letter in at and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    if depth or quote:
        raise ParameterError(f"a {'quotation mark' if quote else 'bracket'} without its other one in {_cut(text)}")
    return parts


def _written(value: Any) -> str:
    """A value as the command line takes it: without spaces."""
    return repr(value).replace(" ", "")


def _unknown(name: str, known: Mapping[str, Parameter], chapter: str) -> str:
    close = difflib.get_close_matches(name, known, 3, 0.5) if len(name) <= SHOWN else []
    said = [f"no parameter {_cut(name)!r} in {chapter}"]
    if close:
        said[0] += "; the nearest:"
        said += [
            f"    {one}: {known[one].meaning or 'no meaning given'} [{_bracket(known[one])}]" for one in close
        ]
    else:
        said[0] += f"; it has {', '.join(known) or 'none'} (`make params` says what they mean)"
    return "\n".join(said)


def _bracket(parameter: Parameter) -> str:
    return f"{parameter.range()}{' ' if parameter.unit else ''}{parameter.unit}"


# ---------------------------------------------------------------------------------------------------------------
# For reading
# ---------------------------------------------------------------------------------------------------------------


def table(parameters: Sequence[Parameter], width: int = 100) -> str:
    """The parameters as lines of text, a row for each: name, default, range and unit, meaning with cost."""
    rows = [("name", "default", "range, unit", "meaning; cost")]
    for p in parameters:
        cost = f"; {COSTS[p.cost]}" if p.cost else ""
        rows.append((p.name, _written(p.default), _bracket(p), f"{p.meaning or 'no meaning given'}{cost}"))
    limits = (20, 22, 26)
    wide = [min(limit, max(len(row[i]) for row in rows)) for i, limit in enumerate(limits)]
    wide.append(max(24, width - sum(wide) - 8))
    lines = []
    for row in rows:
        cells = [textwrap.wrap(cell, w, break_on_hyphens=False) or [""] for cell, w in zip(row, wide, strict=True)]
        for i in range(max(map(len, cells))):
            parts = [(cell[i] if i < len(cell) else "").ljust(w) for cell, w in zip(cells, wide, strict=True)]
            lines.append(("  " + "  ".join(parts)).rstrip())
    return "\n".join(lines)
