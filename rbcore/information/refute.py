"""What stands against a statement: a polymatroid for its proof, a distribution for its truth.

:class:`Unprovable` is the prover's other answer.  Its ray obeys every Shannon inequality and all
assumptions but not the statement, so there is no proof from those.  That alone does not make the statement
false: from four variables on, some polymatroids are no distribution's entropies (Zhang & Yeung 1998).
What does is a :class:`Counterexample`, a finite joint distribution that anyone can replay.

:func:`find_counterexample` looks for one among random functions of few bits
(:func:`rbcore.information.models.random_functions`), then moves the biases of the bits of the best models.
What it returns has been checked without rounding (:mod:`rbcore.information.exact`); that it returns None proves
nothing.
"""

import itertools
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from scipy.optimize import minimize
from scipy.special import expit

from rbcore.information.exact import sign
from rbcore.information.expr import Constraint
from rbcore.information.finite import Joint
from rbcore.information.forms import LinearForm, constant_size, is_constant
from rbcore.information.models import EXACT, function_entropies, outcome_probabilities, random_functions
from rbcore.information.problem import Answer, Problem, ProverError, Question, Text, read

CLEAR = 1e-6  # nats by which a random model must violate the statement to be taken
_CELLS = 1 << 20  # of the largest joint table
_DIGITS = 10  # that decide between two models; beyond them processors differ, and equals would be told apart


@dataclass(frozen=True)
class Unprovable(Answer):
    """A statement that does not follow from Shannon inequalities and the assumptions.

    Attributes:
        goal: the form, as the statement writes it, that should be >= 0 and is negative on the ray.
        ray: h(S) for each set S of variables, obeying all elemental inequalities and the assumptions.
            Left out are variables without connection to the statement, which may be constants, and
            those that only occur together with another, of which they may be functions.
        counterexample: a distribution that violates the statement, or None if the search found none.
        stands: variables that the ray leaves out since they are copies of others, with those others.
        constants: values of the logarithms, such as "log 2", with the ray; any that are not negative.
    """

    goal: str
    ray: Mapping[frozenset[str], Fraction]
    counterexample: "Counterexample | None" = None
    stands: Mapping[str, frozenset[str]] = field(default_factory=dict)
    constants: Mapping[str, Fraction] = field(default_factory=dict)

    @property
    def refuted(self) -> bool:
        """Whether the statement is known to be false."""
        return self.counterexample is not None

    def value(self, form: LinearForm) -> Fraction:
        """The form's exact value on the ray."""
        names = frozenset().union(*self.ray)
        constants = (k * self.constants.get(name, 0) for s, k in form.coefficients.items() for name in s)
        sets = (
            (s.union(*(self.stands.get(name, ()) for name in s)) & names, k) for s, k in form.coefficients.items()
        )
        return sum((k * self.ray[s] for s, k in sets), sum(constants, Fraction(0)))

    def slack(self, statement: Text) -> Fraction:
        """By how much the ray obeys the statement: negative if it violates it."""
        return min(self.value(goal.form) for goal in read(statement).goals)

    def verify(self) -> bool:
        """Check, exactly, the ray, and replay the counterexample."""
        values = ((self.value(c.form), c.relation) for c in self.problem.premises)
        obeys = all(v == 0 or (v > 0 and sign == ">=") for v, sign in values) and is_polymatroid(self.ray)
        replays = self.counterexample is None or self.counterexample.check()
        obeys = obeys and min(self.constants.values(), default=0) >= 0
        return obeys and self.slack(self.problem.statement) < 0 and replays

    def shared_bit(self) -> "Counterexample | None":
        """One fair bit that all variables are that the ray does not make constants, if that is a counterexample.

        It may break a constant by far less than a search in floating point can see.
        """
        names = self.problem.variables
        alive = [int(self.value(LinearForm({frozenset([name]): 1})) > 0) for name in names]
        found = Counterexample(
            replace(self.problem, copies=()), names, ((0,) * len(names), tuple(alive)), (Fraction(1, 2),) * 2
        )
        return found if any(alive) and found.check() else None

    def __str__(self) -> str:
        if self.counterexample:
            return f"{self.problem}\n  is false:\n{self.counterexample}"
        return (
            f"{self.problem}\n  does not follow from Shannon inequalities: a polymatroid violates it.\n"
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
    least = [values[top] - values[top ^ bit] for bit in bits]
    for x, y in itertools.combinations(bits, 2):
        s = sets[sets & (x | y) == 0]
        least.append(min(values[s | x] + values[s | y] - values[s | x | y] - values[s]))
    return bool(values[0] == 0 and min(least) >= 0)


@dataclass(frozen=True)
class Counterexample(Answer):
    """A finite joint distribution under which the assumptions hold and the statement does not.

    ``outcomes[i]`` holds the value of each variable, in the order of ``names``, and has probability ``p[i]``.
    """

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
        """By how many nats the statement fails, in floating point."""
        return -float(self.problem.statement.slack(self.joint()))

    def sign(self, form: LinearForm) -> int:
        """The sign of the form's value: -1, 0 or 1, without rounding.

        Where all probabilities are n / d, H = log d - sum of n / d log n.
        """
        logs: dict[int, Fraction] = {}
        d = math.lcm(*(p.denominator for p in self.p))
        for s, k in form.coefficients.items():
            if any(map(is_constant, s)):
                n = constant_size(min(s), lambda name: len({o[self.names.index(name)] for o in self.outcomes}))
                logs[n] = logs.get(n, Fraction(0)) + k
                continue
            places = [i for i, name in enumerate(self.names) if name in s]
            mass: dict[tuple[int, ...], int] = {}
            for outcome, p in zip(self.outcomes, self.p, strict=True):
                cell = tuple(outcome[i] for i in places)
                mass[cell] = mass.get(cell, 0) + int(p * d)
            for n, part in ((d, k), *((n, -k * Fraction(n, d)) for n in mass.values())):
                logs[n] = logs.get(n, Fraction(0)) + part
        return sign(logs)

    def check(self) -> bool:
        """Replay it without rounding: it is a distribution, the assumptions hold, and the statement fails."""
        statements = (self.problem.statement, *self.problem.given)
        if not set().union(*(s.variables for s in statements)) <= {*self.names}:
            return False
        if sum(self.p) != 1 or min(self.p) <= 0:
            return False

        def holds(c: Constraint) -> bool:
            return self.sign(c.form) in ((0,) if c.relation == "=" else (0, 1))

        return all(map(holds, self.problem.assumptions)) and not all(
            map(holds, self.problem.statement.constraints)
        )

    def __str__(self) -> str:
        width = [max(len(name), 2) for name in self.names]
        rows = [(*self.names, "probability"), *((*o, p) for o, p in zip(self.outcomes, self.p, strict=True))]
        cells = ["  ".join(f"{x!s:>{w}}" for x, w in zip(row, [*width, 0], strict=True)) for row in rows]
        lines = [*cells, f"violation: {self.violation() / math.log(2):.6g} bit"]
        return "\n".join("    " + line for line in lines)

    def payload(self) -> dict[str, Any]:
        """All of it for JSON, probabilities as strings such as "1/2"."""
        table = {"outcomes": [[*outcome] for outcome in self.outcomes], "p": [str(p) for p in self.p]}
        return super().payload() | {"names": [*self.names], **table}

    @classmethod
    def from_json(cls, text: str) -> "Counterexample":
        """Read its payload back; ProverError unless it passes :meth:`check`."""
        data = json.loads(text)
        problem, outcomes = Problem.read(data["statement"], data["given"]), tuple(map(tuple, data["outcomes"]))
        result = cls(problem, tuple(data["names"]), outcomes, tuple(Fraction(p) for p in data["p"]))
        if not result.check():
            raise ProverError(f"this is no counterexample to {result.statement}")
        return result


def find_counterexample(
    statement: Question,
    given: Iterable[Text] = (),
    rng: Generator | None = None,
    structures: int = 30,
    models: int = 100,
) -> Counterexample | None:
    """A distribution that obeys the assumptions and violates the statement, or None if none was found.

    Fair bits come first, from one bit up: the first number of them that has a violation gives the worst
    one it has.  Then come biased bits.

    Args:
        statement, given: as for :func:`rbcore.information.prover.prove`.
        rng: by default a generator with a fixed seed.
        structures: how many structures to draw for each number of fair bits, and twice as many for biased ones.
        models: how many choices of functions to try in each structure of four bits; more for fewer bits.

    >>> print(find_counterexample("I(A;B) = 0"))
         A   B  probability
         0   0  1/2
         1   1  1/2
        violation: 1 bit
    """
    problem, rng = replace(Problem.read(statement, given), copies=()), rng or np.random.default_rng(20250206)
    promising: list[_Model] = []
    for fair, bits in ((True, 1), (True, 2), (True, 3), (True, 4), (False, 2), (False, 3)):
        drawn = []
        for _ in range(structures if fair else 2 * structures):
            bias = np.full(bits, 0.5) if fair else rng.integers(1, 10, bits) / 10
            drawn.append(_best(problem, bias, random_functions(problem, rng, models * 16 >> bits, bits)))
        best = sorted((model for model in drawn if model), key=lambda model: model.slack)[:4]
        if found := next(filter(None, (_exact(problem, model) for model in best)), None):
            return found
        promising += best
    moved = (_exact(problem, _descend(problem, model)) for model in promising)
    return next(filter(None, moved), None)


class _Model(NamedTuple):
    """Independent bits with P(bit = 1) = ``bias``, and each variable's value by their outcome."""

    bias: np.ndarray
    values: dict[str, np.ndarray]
    slack: float


def _slacks(problem: Problem, bias: np.ndarray, values: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The slack of the statement, and of the assumptions, for each model; shape (models,)."""
    sets = {s for c in (*problem.statement.constraints, *problem.assumptions) for s in c.form.coefficients}
    entropies = function_entropies(outcome_probabilities(bias), values, sets)
    return problem.statement.slack_of(entropies), problem.assumed_slack(entropies)


def _best(problem: Problem, bias: np.ndarray, values: Mapping[str, np.ndarray]) -> _Model | None:
    """The model of least slack, of those with one structure; None if the assumptions fail in all."""
    slack, assumed = _slacks(problem, bias, values)
    slack = slack.round(_DIGITS)
    slack[assumed < -EXACT] = np.inf
    best = int(np.argmin(slack))
    chosen = {name: x[best] for name, x in values.items()}
    return _Model(bias, chosen, float(slack[best])) if np.isfinite(slack[best]) else None


def _descend(problem: Problem, model: _Model) -> _Model:
    """The model with the biases moved to a local minimum of the slack."""
    values = {name: x[None] for name, x in model.values.items()}

    def loss(logits: np.ndarray) -> float:
        slack, assumed = _slacks(problem, expit(logits), values)
        return round(float(slack[0] - 1e3 * assumed[0]), _DIGITS)

    start = np.log(model.bias / (1 - model.bias)) + 0.1
    logits = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 60}).x
    return _best(problem, np.clip(1 / (1 + np.exp(-logits)), 0.01, 0.99), values) or model


def _exact(problem: Problem, model: _Model) -> Counterexample | None:
    """The model with exact probabilities, if it passes the check."""
    bias = [Fraction(float(b)).limit_denominator(1000) for b in model.bias]
    values = [np.unique(x, return_inverse=True)[1].tolist() for x in model.values.values()]
    if math.prod(max(x) + 1 for x in values) > _CELLS:
        return None
    p: dict[tuple[int, ...], Fraction] = {}
    for i, outcome in enumerate(zip(*values, strict=True)):
        weight = math.prod((b if i >> k & 1 else 1 - b for k, b in enumerate(bias)), start=Fraction(1))
        p[outcome] = p.get(outcome, Fraction(0)) + weight
    outcomes = tuple(sorted(p))
    found = Counterexample(problem, tuple(model.values), outcomes, tuple(p[o] for o in outcomes))
    return found if found.check() and found.violation() > CLEAR else None
