"""Linear forms over joint entropies, with exact coefficients, and those that Shannon's inequalities speak of.

All quantities reduce to joint entropies by H(A|C) = H(A,C) - H(C) and inclusion-exclusion: I(A1;..;Ak|C) = sum
over non-empty T of (-1)^(|T|+1) H(A_T|C) (Yeung, Information Theory and Network Coding, ch. 3).
"""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from numbers import Rational
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

Form = dict[Any, Fraction]  # coefficients of entropies, by set
Exact = int | Rational  # a factor without rounding, such as a Fraction
Value = np.ndarray | float  # in nats: shape (B,), or a float without a batch


def combine(*terms: tuple[Any, Mapping[Any, Any]]) -> Form:
    """The linear combination of forms, given as (factor, form); no zeros, and no empty set, whose h is 0."""
    total: Form = {}
    for factor, form in terms:
        for s, k in form.items():
            total[s] = total.get(s, Fraction(0)) + factor * k
    return {s: k for s, k in total.items() if s and k}


def is_constant(name: str) -> bool:
    """Whether a name is that of a constant, "log 2" or "log|A|"; in forms it stands in a set of its own."""
    return name.startswith(("log ", "log|"))


def constant_size(name: str, size: Callable[[str], int]) -> int:
    """Of what number the constant is the logarithm; ``size`` gives the size of a variable's alphabet."""
    return int(name[4:]) if name.startswith("log ") else size(name[4:-1])


class LinearForm:
    """An immutable linear combination of joint entropies with exact coefficients.

    ``LinearForm({frozenset("AB"): 1, frozenset("A"): -1})`` is H(A,B) - H(A) = H(B|A).  Forms add,
    subtract, compare, hash, and can be multiplied by integers and fractions.
    """

    __slots__ = ("_terms",)

    def __init__(self, coefficients: Mapping[frozenset[str], Exact] = MappingProxyType({})):
        """Keep the non-zero coefficients; the empty set is dropped too, as its entropy is 0."""
        self._terms = {s: Fraction(c) for s, c in coefficients.items() if s and c}

    @classmethod
    def information(cls, groups: Iterable[Iterable[str]], given: Iterable[str] = ()) -> "LinearForm":
        """H(A|C) for one group, I(A;B|C) for two, co-information for more, by inclusion-exclusion."""
        groups, given = [frozenset(group) for group in groups], frozenset(given)
        form = cls()
        for size in range(1, len(groups) + 1):
            for chosen in itertools.combinations(groups, size):
                form += (-1) ** (size + 1) * (cls({given.union(*chosen): 1}) - cls({given: 1}))
        return form

    @property
    def coefficients(self) -> Mapping[frozenset[str], Fraction]:
        """The non-zero coefficient of each joint entropy, by its set of variables (read-only)."""
        return MappingProxyType(self._terms)

    @property
    def variables(self) -> frozenset[str]:
        """All variables that occur in the form."""
        return frozenset().union(*self._terms)

    def value(self, entropies: Mapping[frozenset[str], Value]) -> Value:
        """The form's value, from the entropies of its sets and of the empty set; in their unit and shape."""
        return sum((float(c) * entropies[s] for s, c in self._terms.items()), start=entropies[frozenset()])

    def __add__(self, other: "LinearForm") -> "LinearForm":
        if not isinstance(other, LinearForm):
            return NotImplemented
        keys = self._terms.keys() | other._terms.keys()
        return LinearForm({key: self._terms.get(key, 0) + other._terms.get(key, 0) for key in keys})

    def __mul__(self, factor: Exact) -> "LinearForm":
        if not isinstance(factor, Rational):
            return NotImplemented
        return LinearForm({s: Fraction(factor) * c for s, c in self._terms.items()})

    __rmul__ = __mul__

    def __neg__(self) -> "LinearForm":
        return -1 * self

    def __sub__(self, other: "LinearForm") -> "LinearForm":
        return self + (-other) if isinstance(other, LinearForm) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return self._terms == other._terms if isinstance(other, LinearForm) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._terms.items()))

    def __str__(self) -> str:
        """As an expression that :func:`rbcore.information.expr.parse_form` reads back, small sets first."""
        terms = sorted((len(s), sorted(s), c) for s, c in self._terms.items())
        text = " ".join(
            f"{'-' if c < 0 else '+'} {'' if abs(c) == 1 else f'{abs(c)} '}"
            + (names[0] if is_constant(names[0]) else f"H({','.join(names)})")
            for _, names, c in terms
        )
        return re.sub(r"^\+ |^(-) ", r"\1", text) or "0"

    def __repr__(self) -> str:
        return f"LinearForm({self})"


class Quantity(NamedTuple):
    """The Shannon quantity h(u) + h(v) - h(u or v) - h(c), for c within both: I(u;v|c), or H(u|c) if u = v.

    The sets are bit masks or frozensets: the operators ``|``, ``&`` and ``^`` serve both.
    """

    u: Any
    v: Any
    c: Any

    @property
    def form(self) -> Form:
        """Its coefficients."""
        return combine((1, {self.u: 1}), (1, {self.v: 1}), (-1, {self.u | self.v: 1}), (-1, {self.c: 1}))

    @staticmethod
    def match(form: Mapping[Any, Fraction]) -> "tuple[Fraction, Quantity] | None":
        """The scale and the quantity whose product the form is, or None; the zero form has none."""
        for sign in (1, -1):
            plus = [s for s, k in form.items() if sign * k > 0]
            minus = [s for s, k in form.items() if sign * k < 0]
            if len(plus) in (1, 2) and len(minus) <= 2:
                scale, empty = form[plus[0]], plus[0] ^ plus[0]
                for c in (empty, *minus):
                    quantity = Quantity(plus[0], plus[-1], c)
                    inside = c & plus[0] & plus[-1] == c
                    if inside and combine((scale, quantity.form)) == form:
                        return scale, quantity
        return None


class Masks:
    """Sets of names as the bits of an integer, for a class that has the names in order and the bit of each."""

    names: Sequence[str]
    bit: dict[str, int]

    def mask(self, names: Iterable[str]) -> int:
        """The set as the bits of an integer."""
        return sum(self.bit[name] for name in names)

    def masked(self, form: LinearForm) -> Form:
        """`form` over sets of bits."""
        return {self.mask(s): k for s, k in form.coefficients.items()}

    def unmasked(self, form: Form) -> LinearForm:
        """`form` over sets of names."""
        return LinearForm({frozenset(n for n in self.names if self.bit[n] & s): k for s, k in form.items()})


def write(form: LinearForm, order: Sequence[str] = ()) -> str:
    """The form as text: as a multiple of one Shannon quantity if it is one, with the variables in ``order``."""
    if any(map(is_constant, form.variables)) or (match := Quantity.match(form.coefficients)) is None:
        return str(form)
    scale, (u, v, c) = match
    rank = {name: i for i, name in enumerate(order or sorted(form.variables))}
    sides = [u - c] if u == v else sorted((u - c, v - c), key=lambda side: min(rank[name] for name in side))
    *groups, given = (",".join(sorted(side, key=rank.__getitem__)) for side in (*sides, c))
    factor = {1: "", -1: "-"}.get(scale, f"{scale} ")
    return f"{factor}{'HI'[len(groups) - 1]}({';'.join(groups)}{'|' * bool(given)}{given})"
