r"""Evaluate the TeX of a displayed formula: the very string that a reader sees, at numbers.

A *world* says what the symbols of a formula stand for: a mapping from TeX, such as ``\hat R_S``, ``I(Z_i;W)`` or
``\sum_z``, to values.  The longest symbol that fits is read first, so a symbol may hold signs and brackets.  What
lies between symbols is arithmetic:

    formula  =  chain ("," chain)*                       several formulas in one display
    chain    =  sum (("=" | "\le" | "<" | ..) sum)*
    sum      =  term (("+" | "-") term)*
    term     =  power+ ("/" power+)?                     "a / 2n" is a / (2n), as in the book
    power    =  base ("^" argument)?
    base     =  number | symbol | "(" sum ")" | "|" sum "|" | "\frac" argument argument | "\sqrt" argument
                | function power | operator term | H(..) | I(..)

A value may be a number or an array; a :class:`Function`, which is applied to what follows in brackets; an
:class:`Operator`, applied to the rest of its term, such as an expectation; an :class:`Over`, which binds a
variable, such as a sum over outcomes; or an :class:`At`, which depends on bound variables.  ``\sum_{i=1}^n`` needs
no entry, and entropies are read off the joint distribution that the world holds under :data:`JOINT`.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import xlogy

from rbcore.information.finite import Joint, kl, tv
from rbcore.information.notation import NOTATION

World = Mapping[Any, Any]
JOINT = "the joint distribution"
RELATIONS = {r"\le": "<=", r"\leq": "<=", r"\ge": ">=", r"\geq": ">=", "<": "<", ">": ">", "=": "="}
_OPEN, _CLOSE = {"(": ")", "[": "]", "{": "}", r"\{": r"\}"}, {")", "]", "}", r"\}"}
_SEPARATORS = {",", ";", r"\|", r"\Vert", r"\mid"}
_IGNORED = re.compile(
    r"\\(?:begin|end)\{aligned\}|\\(?:left|right|[bB]igg?[lrm]?|limits|displaystyle|quad|qquad)(?![A-Za-z])"
    r"|\\[,;:! ]|&|\{\}|\\\\|\\text\{ ?\(\w+\)\}"
)
_ALIAS = {r"\tfrac": r"\frac", r"\dfrac": r"\frac", r"\lvert": "|", r"\rvert": "|", r"\cdot": "*"}
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\S")


class TexError(ValueError):
    """A formula that cannot be evaluated; the message says where, and what would be right."""


class Function(NamedTuple):
    """What is applied to the arguments in the brackets that follow."""

    call: Callable[..., Any]


class Operator(NamedTuple):
    """What is applied to the rest of its term: an expectation of an array, for instance."""

    call: Callable[[Any], Any]


class Over(NamedTuple):
    """What binds a variable in the rest of its term: its values, and how the results are put together."""

    variable: str
    points: Iterable[Any]
    how: Callable[[list[Any]], Any] = sum


class At(NamedTuple):
    """A value that depends on bound variables, by the names of the call's parameters."""

    call: Callable[..., Any]


class Chain(NamedTuple):
    """The values of a chain of relations, and the relations between them."""

    values: list[Any]
    relations: list[str]


BASE: dict[str, Any] = {
    r"\TV": Function(lambda p, q: tv(p, q)),
    r"\KL": Function(lambda p, q: kl(p, q)),
    r"\mathrm{h}": Function(lambda x: -xlogy(x, x) - xlogy(1 - x, 1 - x)),
    r"\pi": np.pi,
    r"\infty": np.inf,
    r"\mathrm{e}": np.e,
    "e": np.e,
}
_UNARY = {r"\log": np.log, r"\exp": np.exp, r"\tanh": np.tanh, r"\sin": np.sin, r"\min": np.min, r"\max": np.max}


@functools.lru_cache(maxsize=8192)
def tokens(tex: str) -> tuple[str, ...]:
    """The tokens of a formula, without what only serves its layout."""
    plain = _IGNORED.sub(" ", tex.replace(r"\text{for }", ","))  # "for y <= x" is one more relation
    return tuple(_ALIAS.get(token, token) for token in _TOKEN.findall(plain))


def evaluate(tex: str, world: World) -> list[Chain]:
    """The chains of relations in a formula, with the value of each side in this world.

    >>> evaluate(r"\\frac12 x^2 \\le |x|", {"x": -1.0})
    [Chain(values=[0.5, 1.0], relations=['<='])]

    Raises:
        TexError: when the formula has a symbol that the world does not know, or is not in the grammar.
    """
    with np.errstate(all="ignore"):  # a false formula may divide by zero
        return _Reader(tex, BASE | dict(world)).formula()


@functools.lru_cache(maxsize=1024)
def _symbols(keys: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    """The tokens of these symbols, the longest first."""
    return sorted(((tokens(key), key) for key in keys), key=lambda pair: -len(pair[0]))


class _Reader:
    """Recursive descent; every method reads one rule of the grammar and returns its value."""

    def __init__(self, tex: str, world: dict[Any, Any]):
        self.tex, self.world, self.index, self.bars = tex, world, 0, 0
        self.tokens = list(tokens(tex))
        while self.tokens and self.tokens[-1] in (".", ",", ";", ":"):
            self.tokens.pop()

    @property
    def token(self) -> str:
        return self.tokens[self.index] if self.index < len(self.tokens) else ""

    def take(self) -> str:
        self.index += 1
        return self.tokens[self.index - 1]

    def fail(self, problem: str) -> TexError:
        before = " ".join(self.tokens[max(0, self.index - 6) : self.index])
        after = " ".join(self.tokens[self.index : self.index + 4])
        return TexError(f"{problem}: after `{before}`, at `{after}`, in {' '.join(self.tex.split())}")

    def formula(self) -> list[Chain]:
        chains = [self.chain()]
        while self.token == ",":
            self.take()
            chains.append(self.chain())
        if self.token:
            raise self.fail("expected a sign, a relation or the end")
        return chains

    def chain(self) -> Chain:
        chain = Chain([self.sum()], [])
        while self.token in RELATIONS:
            chain.relations.append(RELATIONS[self.take()])
            chain.values.append(self.sum())
        return chain

    def sum(self) -> Any:
        negative = self.token in "+-" and self.token and self.take() == "-"
        total = -self.term() if negative else self.term()
        while self.token in ("+", "-"):
            total = total + self.term() if self.take() == "+" else total - self.term()
        return total

    def term(self) -> Any:
        value = self.product()
        while self.token == "/":
            self.take()
            value = value / self.product()
        return value

    def product(self) -> Any:
        value = self.power()
        while self.begins():
            value = value * self.power()
        return value

    def begins(self) -> bool:
        """Whether a factor follows; a bar inside bars closes them."""
        if self.token == "*":
            self.take()
            return True
        token = self.token
        ends = token in RELATIONS or token in _CLOSE or token in _SEPARATORS or token in ("", "+", "-", "/", ".")
        return not (ends or (token in ("|", r"\rVert") and self.bars))

    def power(self) -> Any:
        value = self.base()
        while self.token == "^":
            self.take()
            value = value ** self.argument()
        return value

    def argument(self) -> Any:
        """What \\frac, \\sqrt and ^ take: braces, or one token, of a number its first digit."""
        if self.token == "{":
            return self.bracket()
        if re.fullmatch(r"\d\d+", self.token):
            first, rest = self.token[0], self.token[1:]
            self.tokens[self.index : self.index + 1] = [first, rest]
        return self.base()

    def bracket(self) -> Any:
        closing = _OPEN[self.take()]
        bars, self.bars = self.bars, 0
        value = self.sum()
        self.bars = bars
        if self.token != closing:
            raise self.fail(f"expected `{closing}`")
        self.take()
        return value

    def base(self) -> Any:
        token = self.token
        if (symbol := self.symbol()) is not None:
            self.index += symbol[0]
            return self.applied(symbol[1])
        if token in ("H", "I") and JOINT in self.world:
            return self.entropy()
        if token in _OPEN:
            return self.bracket()
        if token in ("|", r"\lVert"):
            return self.modulus()
        if re.fullmatch(r"\d+(\.\d+)?", token):
            return float(self.take())
        if token == r"\frac":
            self.take()
            above = self.argument()
            return above / self.argument()
        if token == r"\sqrt":
            self.take()
            return np.sqrt(self.argument())
        if token in _UNARY:
            return self.function(_UNARY[self.take()])
        if token in (r"\sum", r"\prod"):
            return self.big()
        raise self.fail("no symbol of the tie's world begins here")

    def symbol(self) -> tuple[int, Any] | None:
        """How many tokens the longest symbol here has, and its value."""
        for parts, key in _symbols(tuple(key for key in self.world if isinstance(key, str))):
            end = self.index + len(parts)
            if parts and self.tokens[self.index : end] == list(parts):
                follows = self.tokens[end] if end < len(self.tokens) else ""
                if follows not in ("_", "'"):
                    return len(parts), self.world[key]
        return None

    def applied(self, value: Any) -> Any:
        if isinstance(value, At):
            return value.call(*(self.world[name] for name in inspect.signature(value.call).parameters))
        if isinstance(value, Function):
            return value.call(*self.arguments())
        if isinstance(value, Operator):
            return value.call(self.product())
        if isinstance(value, Over):
            return self.bind(value)
        return value

    def arguments(self) -> list[Any]:
        if self.token not in ("(", "["):
            return [self.power()]
        closing, bars, self.bars = _OPEN[self.take()], self.bars, 0
        found = [self.sum()]
        while self.token in _SEPARATORS:
            self.take()
            found.append(self.sum())
        if self.token != closing:
            raise self.fail(f"expected `{closing}`")
        self.take()
        self.bars = bars
        return found

    def modulus(self) -> Any:
        norm = self.take() == r"\lVert"
        self.bars = self.bars + 1
        value = self.sum()
        self.bars -= 1
        if self.token != (r"\rVert" if norm else "|"):
            raise self.fail("a modulus does not close")
        self.take()
        return np.sqrt(np.sum(np.square(value), axis=-1)) if norm else np.abs(value)

    def function(self, call: Callable[[Any], Any]) -> Any:
        """``\\log x``, and ``\\tanh^2(x)``."""
        exponent = 1.0
        if self.token == "^":
            self.take()
            exponent = self.argument()
        value = call(self.power())
        return value if exponent == 1.0 else value**exponent

    def big(self) -> Any:
        """``\\sum_{i=1}^n``, ``\\prod_{i=1}^n``, and the sum of an array."""
        many: Callable[[list[Any]], Any] = (
            (lambda xs: functools.reduce(lambda a, b: a * b, xs, 1.0)) if (self.take() == r"\prod") else sum
        )
        if self.token != "_":
            return np.sum(self.product())
        self.take()
        if self.tokens[self.index : self.index + 1] != ["{"] or self.tokens[self.index + 2] != "=":
            raise self.fail("a sum is `\\sum_{i=1}^n`, or a symbol of the tie's world")
        variable = self.tokens[self.index + 1]
        self.index += 3
        first = self.sum()
        if self.token != "}" or self.tokens[self.index + 1] != "^":
            raise self.fail("a sum is `\\sum_{i=1}^n`")
        self.index += 2
        last = self.argument()
        return self.bind(Over(variable, range(round(float(first)), round(float(last)) + 1), many))

    def bind(self, over: Over) -> Any:
        start, results, end = self.index, [], self.index
        outer = self.world
        for point in over.points:
            self.index = start
            self.world = outer | {over.variable: point}
            results.append(self.product())
            end = self.index
        self.world = outer
        if not results:
            raise self.fail(f"nothing to sum over {over.variable}")
        self.index = end
        return over.how(results)

    def entropy(self) -> Any:
        """An entropy or an information of the world's joint distribution."""
        start, depth = self.index, 0
        while self.token:
            depth += (self.token == "(") - (self.token == ")")
            self.index += 1
            if depth == 0 and self.tokens[self.index - 1] == ")":
                break
        joint: Joint = self.world[JOINT]
        return joint.evaluate(plain(" ".join(self.tokens[start : self.index])))


_NAMES = [(symbol.latex, symbol.name) for symbol in NOTATION.values()]


def plain(tex: str, names: Mapping[str, str] | None = None) -> str:
    r"""A formula about entropies in the expression language; `names` says what further symbols are.

    >>> plain(r"I(S_{\mathrm{gen}}; W \mid p)")
    'I(G;W|P)'
    """
    parts, table = tokens(tex), [*(names or {}).items(), *_NAMES]
    known = sorted(((tokens(latex), name) for latex, name in table), key=lambda pair: -len(pair[0]))
    written, index = [], 0
    while index < len(parts):
        for latex, name in known:
            end = index + len(latex)
            whole = parts[end : end + 1] not in (("_",), ("'",)) or (name + "'") in NOTATION
            if parts[index:end] == latex and whole:
                written.append(name)
                index = end
                break
        else:
            signs = {r"\mid": "|", r"\to": "->", "*": "*", **RELATIONS}
            written.append(signs.get(parts[index], parts[index]))
            index += 1
    while written and written[-1] in (".", ",", ":"):
        written.pop()
    text = " ".join(written)
    return re.sub(r" ?([,;|()]|_) ?", r"\1", re.sub(r"\{ (\w+) \}", r"\1", text)).replace(" '", "'")
