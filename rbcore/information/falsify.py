"""Attempts to break a proved statement: random models under its assumptions, and its twin with a worse constant.

A certificate cannot be wrong about Shannon's inequalities, but its statement can be weaker than it looks, or its
assumptions so strong that nothing satisfies them.  So each statement is also evaluated on many finite models that
satisfy the assumptions, drawn as Bayesian networks with dense, sparse and deterministic links; and each inequality
L <= R has a twin, L <= 0.99 R, which must be false if the constant of the statement is right.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from rbcore.information.expr import Constraint, Statement, parse_form
from rbcore.information.finite import KINDS, Joint, random_channel
from rbcore.information.refute import Counterexample, Text, find_counterexample
from rbcore.information.shannon import ProverError, Quantity, read

BATCH = 2000  # models of one structure, at most
STRUCTURES = 100  # at least so many structures, where the number of models allows it
CELLS = 2048  # of the joint table of one model, at most, unless binary variables need more
CLEAR = 0.01  # nats that the larger side of an inequality must have for the ratio of its sides to say anything
_EXACT = 1e-9  # nats by which an assumption may be off, which is rounding
_ORDERS = 20  # random orders of the variables to try for one that respects the assumptions
_PATIENCE = 400  # structures without a single model before it is said that there is none


class Sides(NamedTuple):
    """One inequality of a statement as `smaller <= larger`, in the words of the statement."""

    smaller: str
    larger: str

    def twin(self, factor: Fraction) -> str:
        """The same with the larger side multiplied by `factor`."""
        return f"{self.smaller} <= {factor} ({self.larger})"


class Falsified(NamedTuple):
    """What the attempt to break a statement found.

    models: how many were evaluated, all of which satisfy the assumptions.
    slack: the smallest slack of the statement among them, in nats: not negative, but for rounding.
    worst: the model that has it, as an unbatched joint.
    ratios: for each inequality of the statement, the largest ratio of its smaller to its larger side, among the
        models whose larger side exceeds 0.01 nats; NaN if no model has.
    tightest: for each of these the model that attains it, or None.
    """

    models: int
    slack: float
    worst: Joint
    ratios: tuple[float, ...]
    tightest: tuple[Joint | None, ...]


def sides(statement: Text) -> list[Sides]:
    """The inequalities of a statement whose larger side is not plainly zero; none for equations and chains."""
    found = []
    for _, relation, source in read(statement).constraints:
        parts = [part.strip() for part in re.split("<=|>=|≤|≥", source)]
        if relation == ">=" and len(parts) == 2:
            smaller, larger = parts if re.search("<=|≤", source) else parts[::-1]
            if larger != "0" and smaller != "0":
                found.append(Sides(smaller, larger))
    return found


def twins(
    statement: Text, given: Iterable[Text] = (), factor: Fraction = Fraction(99, 100), rng: Generator | None = None
) -> list[tuple[str, Counterexample | None]]:
    """The statement with a constant that is off by a little, and a model that breaks it, if one was found.

    An inequality has its larger side multiplied by `factor`, an equation its right one.
    """
    given = [read(g) for g in given]
    texts = [one.twin(factor) for one in sides(statement)]
    for _, relation, source in read(statement).constraints:
        parts = [part.strip() for part in re.split("==?", source)]
        if relation == "=" and len(parts) == 2 and "0" not in parts:
            texts.append(f"{parts[0]} = {factor} ({parts[1]})")
    return [(text, find_counterexample(text, given, rng)) for text in texts]


def falsify(statement: Text, given: Iterable[Text], rng: Generator, models: int) -> Falsified:
    """Evaluate a statement on random models that satisfy its assumptions.

    Args:
        statement, given: as for :func:`rbcore.information.prover.prove`.
        models: how many, at least one.

    Raises ProverError if no structure gave a model that satisfies the assumptions.
    """
    statement, given = read(statement), [read(g) for g in given]
    if models < 1:
        raise ValueError(f"models is a number of models, at least 1, got {models}")
    pairs = [(parse_form(a), parse_form(b)) for a, b in sides(statement)]
    sets = statement.sets.union(*(form.coefficients for pair in pairs for form in pair))
    seen, slack, worst = 0, math.inf, None
    ratios: list[float] = [math.nan] * len(pairs)
    tightest: list[Joint | None] = [None] * len(pairs)
    batch = max(1, min(BATCH, models // STRUCTURES))
    for joint in random_models(statement.variables, given, rng, batch):
        if joint.batch > models - seen:
            joint = joint.take(slice(models - seen))
        seen += joint.batch
        entropies = joint.entropies(sets)
        here = statement.slack_of(entropies)
        if here.min() < slack:
            slack, worst = float(here.min()), _one(joint, here.argmin())
        for i, pair in enumerate(pairs):
            smaller, larger = (form.value(entropies) for form in pair)
            ratio = np.divide(smaller, larger, out=np.full(joint.batch, -np.inf), where=larger > CLEAR)
            if ratio.max() > (-math.inf if tightest[i] is None else ratios[i]):
                ratios[i], tightest[i] = float(ratio.max()), _one(joint, ratio.argmax())
        if seen >= models:
            break
    return Falsified(seen, slack, worst, tuple(ratios), tuple(tightest))


def random_models(
    variables: Sequence[str], given: Sequence[Statement], rng: Generator, batch: int
) -> Iterator[Joint]:
    """Batches of models that satisfy the assumptions, without end; each batch has one structure.

    A structure is a random order of the variables and parents for each of them, such that functions follow their
    inputs and a variable does not depend on one that a Markov chain bars.  Inequalities, and what chance the
    structure leaves, are settled by rejection: only models that satisfy every assumption are kept.
    """
    names = tuple(dict.fromkeys([*variables, *(name for statement in given for name in statement.variables)]))
    constraints = [c for statement in given for c in statement.constraints]
    functions, barred = _structure(constraints)
    sets = {s for statement in given for s in statement.sets}
    misses = 0
    while True:
        joint = _draw(names, functions, barred, rng, batch)
        entropies = joint.entropies(sets)
        good = np.ones(joint.batch, dtype=bool)
        for statement in given:
            good &= statement.slack_of(entropies) >= -_EXACT
        misses = 0 if good.any() else misses + 1
        if good.any():
            yield joint if good.all() else joint.take(good)
        elif misses > _PATIENCE:
            assumptions = "; ".join(statement.text for statement in given)
            raise ProverError(f"no random model satisfies {assumptions}: are they contradictory?")


Functions = list[tuple[frozenset[str], frozenset[str]]]
Barred = list[tuple[frozenset[str], frozenset[str], frozenset[str]]]


def _structure(constraints: Sequence[Constraint]) -> tuple[Functions, Barred]:
    """Functional dependences (inputs, outputs) and conditional independences (one, other, given)."""
    functions, barred = [], []
    for constraint in constraints:
        match = Quantity.match(constraint.form.coefficients)
        if match and constraint.relation == "=":
            u, v, c = match[1]
            both = u & v
            if both != c:
                functions.append((c, both - c))
            if both not in (u, v):
                barred.append((u - both, v - both, both))
    return functions, barred


def _draw(names: Sequence[str], functions: Functions, barred: Barred, rng: Generator, batch: int) -> Joint:
    joint, size = None, int(rng.integers(2, 4))
    for name in _order(names, functions, barred, rng):
        known = () if joint is None else joint.names
        inputs = [given for given, outputs in functions if name in outputs and given <= {*known}]
        if inputs:
            parents, kind = sorted(min(inputs, key=len)), "deterministic"
        else:
            apart = {
                x for one, other, _ in barred for a, b in ((one, other), (other, one)) if name in a for x in b
            }
            allowed = [x for x in known if x not in apart]
            parents = list(rng.permutation(allowed)[: rng.choice([0, 1, 1, 2, 2, 3])]) if allowed else []
            kind = KINDS
        outputs = int(rng.integers(2, size + 1 + (not parents or bool(inputs))))
        room = CELLS // (1 if joint is None else math.prod(joint.sizes.values()))
        outputs = max(2, min(outputs, room >> sum(other not in known for other in names) - 1))
        rows = 1 if joint is None else math.prod(joint.sizes[x] for x in parents)
        table = random_channel(rng, rows, outputs, batch, kind, 10.0 ** rng.uniform(-1, 1.5, batch))
        if joint is None:
            joint = Joint([name], table[0])
        else:
            shape = [joint.sizes[x] for x in parents]
            joint = joint.extend(name, table.reshape(*shape, outputs, batch), given=parents)
    return joint


def _order(names: Sequence[str], functions: Functions, barred: Barred, rng: Generator) -> list[str]:
    """A random order: inputs of functions before outputs, and no middle of a chain after both of its ends.

    Where a random order ends in one that must break this, another is tried, some times.
    """
    inputs = {name: [given for given, outputs in functions if name in outputs] for name in names}
    between = {name: [(one, other) for one, other, middle in barred if name in middle] for name in names}
    for _ in range(_ORDERS):
        order: dict[str, None] = {}
        stuck = False
        while rest := [name for name in names if name not in order]:
            known = order.keys()
            ready = [
                name
                for name in rest
                if all(given <= known for given in inputs[name])
                and not any(one & known and other & known for one, other in between[name])
            ]
            stuck |= not ready
            pool = ready or rest
            order[pool[rng.integers(len(pool))]] = None
        if not stuck:
            break
    return list(order)


def _one(joint: Joint, model: int) -> Joint:
    return Joint(joint.names, joint.p[..., model])
