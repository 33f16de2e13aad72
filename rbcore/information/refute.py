"""What stands against a statement: a polymatroid for its proof, a distribution for its truth.

:class:`Unprovable` is the prover's other answer.  Its ray obeys every Shannon inequality and all
assumptions but not the statement, so there is no proof from those.  That alone does not make the statement
false: from four variables on, some polymatroids are no distribution's entropies (Zhang & Yeung 1998).
What does is a :class:`Counterexample`, a finite joint distribution that anyone can replay.

:func:`find_counterexample` looks for one among small *structural models*: independent random bits, and
each variable a random function of some of the bits and of earlier variables, chosen such that functional
dependencies and Markov chains hold by construction.  The best models are then improved by moving the
biases of the bits.  What it returns has been checked; that it returns None proves nothing.
"""

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from scipy.optimize import minimize
from scipy.special import expit

from rbcore.information.expr import LinearForm, Statement, parse
from rbcore.information.finite import Joint
from rbcore.information.shannon import ProverError, Quantity, read

CLEAR = 1e-6  # nats by which a counterexample must violate the statement
_EXACT = 1e-9  # nats by which its assumptions may be off, which is rounding
_CELLS = 1 << 20  # of the largest joint table
_DIGITS = 10  # that decide between two models; beyond them processors differ, and equals would be told apart

Text = str | Statement


class Goal(NamedTuple):
    """A form that a statement says is at least 0, and the same as the statement writes it."""

    form: LinearForm
    text: str


def goals(statement: Statement) -> list[Goal]:
    """One goal for each constraint ``form >= 0``, and two, of opposite sign, for each ``form = 0``."""
    result = []
    for form, relation, source in statement.constraints:
        sides = re.split("<=|>=|==?|≤|≥", source)
        if len(sides) == 1:
            sides = [write(form), "0"]  # of a Markov chain
        elif re.search("<=|≤", source):
            sides.reverse()
        result.append(Goal(form, _difference(*sides)))
        if relation == "=":
            result.append(Goal(-form, _difference(*reversed(sides))))
    return result


def _difference(left: str, right: str) -> str:
    left, right = left.strip(), right.strip()
    if right == "0":
        return left
    right = f"({right})" if re.search(r"[+-]", right) else right
    return f"-{right}" if left == "0" else f"{left} - {right}"


def write(form: LinearForm, order: Sequence[str] = ()) -> str:
    """The form as text: as a multiple of one Shannon quantity if it is one, with the variables in ``order``."""
    if (match := Quantity.match(form.coefficients)) is None:
        return str(form)
    scale, (u, v, c) = match
    rank = {name: i for i, name in enumerate(order or sorted(form.variables))}
    sides = [u - c] if u == v else sorted((u - c, v - c), key=lambda side: min(rank[name] for name in side))
    *groups, given = (",".join(sorted(side, key=rank.__getitem__)) for side in (*sides, c))
    factor = {1: "", -1: "-"}.get(scale, f"{scale} ")
    return f"{factor}{'HI'[len(groups) - 1]}({';'.join(groups)}{'|' * bool(given)}{given})"


@dataclass(frozen=True)
class Unprovable:
    """A statement that does not follow from Shannon inequalities and the assumptions.

    That alone does not make it false: from four variables on, not every polymatroid belongs to a
    distribution (Zhang & Yeung 1998).  A counterexample does.

    Attributes:
        statement, given: the texts.
        goal: the form, as the statement writes it, that should be >= 0 and is negative on the ray.
        ray: h(S) for each set S of variables, obeying all elemental inequalities and the assumptions.
            Left out are variables without connection to the statement, which may be constants, and
            those that only occur together with another, of which they may be functions.
        counterexample: a distribution that violates the statement, or None if the search found none.
    """

    statement: str
    given: tuple[str, ...]
    goal: str
    ray: Mapping[frozenset[str], Fraction]
    counterexample: "Counterexample | None" = None

    @property
    def refuted(self) -> bool:
        """Whether the statement is known to be false."""
        return self.counterexample is not None

    def value(self, form: LinearForm) -> Fraction:
        """The form's exact value on the ray."""
        names = frozenset().union(*self.ray)
        return sum((k * self.ray[s & names] for s, k in form.coefficients.items()), Fraction(0))

    def slack(self, statement: Text) -> Fraction:
        """By how much the ray obeys the statement: negative if it violates it."""
        return min(self.value(goal.form) for goal in goals(read(statement)))

    def verify(self) -> bool:
        """Check, exactly, the ray, and replay the counterexample."""
        obeys = all(self.slack(text) >= 0 for text in self.given) and is_polymatroid(self.ray)
        replays = self.counterexample is None or self.counterexample.check()
        return obeys and self.slack(self.statement) < 0 and replays

    def __str__(self) -> str:
        given = "".join(f"\n  given {text}" for text in self.given)
        if self.counterexample:
            return f"{self.statement}{given}\n  is false:\n{self.counterexample}"
        return (
            f"{self.statement}{given}\n  does not follow from Shannon inequalities: a polymatroid violates it.\n"
            "  No distribution that does was found, so whether it is true stays open."
        )


def is_polymatroid(h: Mapping[frozenset[str], Fraction]) -> bool:
    """Whether h, on all subsets of its variables, obeys the elemental inequalities, in exact arithmetic.

    They are H(x | all others) >= 0 and I(x;y|S) >= 0 for all x, y and S (Yeung): all others are sums of them.
    """
    names = sorted(frozenset().union(*h))
    subsets = itertools.product((False, True), repeat=len(names))  # index: the first name is the highest bit
    values = [Fraction(h[frozenset(itertools.compress(names, chosen))]) for chosen in subsets]
    scale = math.lcm(*(v.denominator for v in values))
    values = np.array([int(v * scale) for v in values], dtype=object)
    if max(values) < 1 << 60:
        values = values.astype(np.int64)
    sets, bits = np.arange(len(values)), [1 << i for i in range(len(names))]
    top = len(values) - 1
    falls = [values[top] - values[top ^ bit] for bit in bits]
    for x, y in itertools.combinations(bits, 2):
        s = sets[sets & (x | y) == 0]
        falls.append(min(values[s | x] + values[s | y] - values[s | x | y] - values[s]))
    return bool(values[0] == 0 and min(falls) >= 0)


@dataclass(frozen=True)
class Counterexample:
    """A finite joint distribution under which the assumptions hold and the statement does not.

    ``outcomes[i]`` holds the value of each variable, in the order of ``names``, and has probability ``p[i]``.
    """

    statement: str
    given: tuple[str, ...]
    names: tuple[str, ...]
    outcomes: tuple[tuple[int, ...], ...]
    p: tuple[Fraction, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The size of each variable's alphabet."""
        return tuple(max(values) + 1 for values in zip(*self.outcomes, strict=True))

    def joint(self) -> Joint:
        """The distribution as a table."""
        table = np.zeros(self.sizes)
        for outcome, p in zip(self.outcomes, self.p, strict=True):
            table[outcome] += float(p)
        return Joint(self.names, table)

    def violation(self) -> float:
        """By how many nats the statement fails."""
        return -parse(self.statement).slack(self.joint())

    def check(self) -> bool:
        """Replay: it is a distribution, the assumptions hold, and the statement clearly fails."""
        if sum(self.p) != 1 or min(self.p) <= 0:
            return False
        joint = self.joint()
        return all(parse(text).holds(joint, _EXACT) for text in self.given) and self.violation() > CLEAR

    def __str__(self) -> str:
        width = [max(len(name), 2) for name in self.names]
        rows = [(*self.names, "probability"), *((*o, p) for o, p in zip(self.outcomes, self.p, strict=True))]
        cells = ["  ".join(f"{x!s:>{w}}" for x, w in zip(row, [*width, 0], strict=True)) for row in rows]
        lines = [*cells, f"violation: {self.violation() / math.log(2):.6g} bit"]
        return "\n".join("    " + line for line in lines)

    def to_json(self) -> str:
        """The distribution as text, probabilities as fractions."""
        return json.dumps({**vars(self), "p": [str(p) for p in self.p]})

    @classmethod
    def from_json(cls, text: str) -> "Counterexample":
        """Read it back; ProverError unless it passes :meth:`check`."""
        data = json.loads(text)
        result = cls(
            data["statement"],
            tuple(data["given"]),
            tuple(data["names"]),
            tuple(map(tuple, data["outcomes"])),
            tuple(map(Fraction, data["p"])),
        )
        if not result.check():
            raise ProverError(f"this is no counterexample to {result.statement}")
        return result


def find_counterexample(
    statement: str | Statement,
    given: Iterable[str | Statement] = (),
    rng: Generator | None = None,
    structures: int = 30,
    models: int = 100,
) -> Counterexample | None:
    """A distribution that obeys the assumptions and violates the statement, or None if none was found.

    Fair bits come first, from one bit up: the first number of them that has a violation gives the worst
    one it has.  Then come biased bits.

    Args:
        rng: by default a generator with a fixed seed.
        structures: how many structures to draw for each number of fair bits, and twice as many for biased ones.
        models: how many choices of functions to try in each structure of four bits; more for fewer bits.
    """
    search = _Search(read(statement), [read(g) for g in given], rng or np.random.default_rng(20250206))
    promising: list[_Model] = []
    for fair, bits in ((True, 1), (True, 2), (True, 3), (True, 4), (False, 2), (False, 3)):
        times = structures if fair else 2 * structures
        drawn = [search.draw(models * 16 >> bits, bits, fair) for _ in range(times)]
        best = sorted((model for model in drawn if model), key=lambda model: model.slack)[:4]
        if found := _first(map(search.counterexample, best)):
            return found
        promising += best
    return _first(search.counterexample(search.descend(model)) for model in promising)


def _first(found: Iterable[Counterexample | None]) -> Counterexample | None:
    return next((one for one in found if one), None)


class _Model(NamedTuple):
    """Independent bits with P(bit = 1) = ``bias``; ``labels``: a row per variable, a column per outcome."""

    bias: np.ndarray
    labels: np.ndarray
    slack: float


class _Search:
    """The models of one statement.  Arrays run over models, then the 2^bits outcomes of the bits."""

    def __init__(self, statement: Statement, given: Sequence[Statement], rng: Generator):
        self.statement, self.given, self.rng = statement, given, rng
        self.names = tuple(dict.fromkeys(name for s in (*given, statement) for name in s.variables))
        self.assumptions = [c for s in given for c in s.constraints]
        self.functions, self.chains = [], []  # (inputs, outputs) and (one end, other end, middle)
        for constraint in self.assumptions:
            if match := Quantity.match(constraint.form.coefficients):
                u, v, c = match[1]
                both = u & v
                self.functions += [(c, both)] if both != c else []
                self.chains += [(u - both, v - both, both)] if both not in (u, v) else []

    def draw(self, models: int, bits: int, fair: bool) -> _Model | None:
        """The model of least slack, of ``models`` with one structure; None if the assumptions fail in all."""
        bias = np.full(bits, 0.5) if fair else self.rng.integers(1, 10, bits) / 10
        labels = self._labels(models, bits)
        return self._best(bias, np.stack([labels[name] for name in self.names]))

    def _labels(self, models: int, bits: int) -> dict[str, np.ndarray]:
        """Each variable's value, of shape (models, 2^bits): a function of some bits and earlier variables."""
        tossed = [np.broadcast_to(np.arange(1 << bits) >> i & 1, (models, 1 << bits)) for i in range(bits)]
        chains = self.chains if self.rng.random() < 0.7 else []  # they may hold by chance, too: take a parity
        fresh, labels = list(tossed), {}
        for name in self._order():
            inputs = [given for given, outputs in self.functions if name in outputs and given <= labels.keys()]
            if inputs:
                sources = [labels[source] for source in sorted(min(inputs, key=len) - {name})]
            else:
                concerned = [chain for chain in chains if name in frozenset().union(*chain)]
                barred = [other if name in one else one for one, other, _ in concerned if name in one | other]
                few = min(len(fresh), self.rng.integers(1, 3))
                pool = [fresh.pop() for _ in range(few)] if concerned else list(tossed)
                pool += [labels[parent] for parent in labels if not any(parent in group for group in barred)]
                sources = [pool[i] for i in self.rng.permutation(len(pool))[: self.rng.integers(1, 4)]]
            labels[name] = self._function(sources, models, 1 << bits)
        return labels

    def _order(self) -> list[str]:
        """A random order: inputs of functions before outputs, no middle of a chain after both of its ends."""
        order: list[str] = []

        def too_early(name: str) -> bool:
            return any(name in outputs - given and not given <= {*order} for given, outputs in self.functions)

        def too_late(name: str) -> bool:
            return any(
                name in middle and one & {*order} and other & {*order} for one, other, middle in self.chains
            )

        while rest := [name for name in self.names if name not in order]:
            ready = [name for name in rest if not too_early(name) and not too_late(name)]
            order.append(str(self.rng.choice(ready or rest)))
        return order

    def _function(self, sources: list[np.ndarray], models: int, outcomes: int) -> np.ndarray:
        """A random function of the sources, another one in each model: table, sum, all of them, or constant."""
        code, total = np.zeros((2, models, outcomes), dtype=int)
        for source in sources:
            code, total = code * outcomes + source, total + source
        code = _relabel(code)
        table = self.rng.integers(0, self.rng.integers(2, 5), (models, outcomes))
        values = [table[np.arange(models)[:, None], code], total % 2, total, code, np.zeros_like(code)]
        kind = self.rng.choice(len(values), p=[0.35, 0.2, 0.1, 0.25, 0.1], size=(models, 1))
        return _relabel(np.choose(kind, values))

    def _values(self, p: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The slack of the statement, and of the assumptions, for each model; shape (models,)."""
        same = {name: x[:, :, None] == x[:, None, :] for name, x in zip(self.names, labels, strict=True)}
        constraints = [*self.statement.constraints, *self.assumptions]
        entropies = {frozenset(): np.zeros(labels.shape[1])}
        for s in {s for c in constraints for s in c.form.coefficients}:
            mass = np.logical_and.reduce([same[name] for name in s]) @ p
            entropies[s] = -np.log(np.where(mass > 0, mass, 1)) @ p  # outcomes of no mass weigh nothing
        values = np.array([c.form.value(entropies) for c in constraints])
        equal = np.array([c.relation == "=" for c in constraints])
        values[equal] = -np.abs(values[equal])
        split = len(self.statement.constraints)
        return values[:split].min(axis=0), values[split:].min(axis=0, initial=0)

    def _best(self, bias: np.ndarray, labels: np.ndarray) -> _Model | None:
        slack, off = self._values(_outcomes(bias), labels)
        slack = slack.round(_DIGITS)
        slack[off < -_EXACT] = np.inf
        best = int(np.argmin(slack))
        return _Model(bias, labels[:, best], float(slack[best])) if np.isfinite(slack[best]) else None

    def descend(self, model: _Model) -> _Model:
        """The model with the biases moved to a local minimum of the slack."""

        def loss(logits: np.ndarray) -> float:
            slack, off = self._values(_outcomes(expit(logits)), model.labels[:, None])
            return round(float(slack[0] - 1e3 * off[0]), _DIGITS)

        start = np.log(model.bias / (1 - model.bias)) + 0.1
        logits = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 60}).x
        bias = np.clip(1 / (1 + np.exp(-logits)), 0.01, 0.99)
        return self._best(bias, model.labels[:, None]) or model

    def counterexample(self, model: _Model) -> Counterexample | None:
        """The model with exact probabilities, if it passes the check."""
        bias = [Fraction(float(b)).limit_denominator(1000) for b in model.bias]
        labels = [np.unique(x, return_inverse=True)[1].tolist() for x in model.labels]
        if math.prod(max(x) + 1 for x in labels) > _CELLS:
            return None
        p: dict[tuple[int, ...], Fraction] = {}
        for i, outcome in enumerate(zip(*labels, strict=True)):
            weight = math.prod((b if i >> k & 1 else 1 - b for k, b in enumerate(bias)), start=Fraction(1))
            p[outcome] = p.get(outcome, Fraction(0)) + weight
        texts = tuple(g.text for g in self.given)
        outcomes = tuple(sorted(p))
        found = Counterexample(self.statement.text, texts, self.names, outcomes, tuple(p[o] for o in outcomes))
        return found if found.check() else None


def _relabel(x: np.ndarray) -> np.ndarray:
    """Each value, along the last axis, replaced by the number of values that came before it first did."""
    first = (x[:, :, None] == x[:, None, :]).argmax(axis=2)
    new = first == np.arange(x.shape[1])
    return (new.cumsum(axis=1) - 1)[np.arange(len(x))[:, None], first]


def _outcomes(bias: np.ndarray) -> np.ndarray:
    """The probabilities of the 2^bits outcomes of independent bits; bit k of the index is bit k."""
    p = np.ones(1)
    for b in bias:
        p = np.concatenate([p * (1 - b), p * b])
    return p
