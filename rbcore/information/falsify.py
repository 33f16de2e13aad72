"""Attempts to break a proved statement: random models under its assumptions, and its twin with a worse constant.

A certificate cannot be wrong about Shannon's inequalities, but its statement can be weaker than it looks, or its
assumptions so strong that nothing satisfies them.  So each statement is also evaluated on many finite models that
satisfy the assumptions, drawn as Bayesian networks with dense, sparse and deterministic links; and each inequality
L <= R has a twin, L <= 0.99 R, which must be false if the constant of the statement is right.  An equation has
none: L = 0.99 R fails wherever R is not zero, which says nothing about the equation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from rbcore.information.expr import Constraint, Statement
from rbcore.information.finite import Joint
from rbcore.information.models import random_models
from rbcore.information.problem import Problem, Question, Text
from rbcore.information.refute import Counterexample, find_counterexample

BATCH = 2000  # models of one structure, at most
STRUCTURES = 100  # at least so many structures, where the number of models allows it
CLEAR = 0.01  # nats that the larger side of an inequality must have for the ratio of its sides to say anything


class Falsified(NamedTuple):
    """What the attempt to break a statement found.

    The ratio of an inequality is the largest one of its smaller to its larger side, among the models whose larger
    side exceeds 0.01 nats; NaN if no model has.
    """

    models: int  # how many were evaluated, all of which satisfy the assumptions
    slack: float  # the smallest one of the statement among them, in nats: not negative, but for rounding
    worst: Joint  # the model that has it, without a batch
    ratios: tuple[float, ...]  # of each inequality none of whose sides is plainly zero
    tightest: tuple[Joint | None, ...]  # the models that attain these, without a batch


def comparisons(statement: Statement) -> list[Constraint]:
    """The inequalities of a statement none of whose sides is plainly zero."""
    return [c for c in statement.constraints if c.relation == ">=" and "0" not in (c.larger.text, c.smaller.text)]


def twins(
    statement: Question,
    given: Iterable[Text] = (),
    factor: Fraction = Fraction(99, 100),
    rng: Generator | None = None,
) -> list[tuple[str, Counterexample | None]]:
    """Each inequality with its larger side multiplied by `factor`, and a model that breaks it, if one is found."""
    problem = Problem.read(statement, given)
    texts = [f"{c.smaller.text} <= {factor} ({c.larger.text})" for c in comparisons(problem.statement)]
    return [(text, find_counterexample(text, problem.given, rng)) for text in texts]


def falsify(statement: Question, given: Iterable[Text], rng: Generator, models: int) -> Falsified:
    """Evaluate a statement on random models that satisfy its assumptions.

    Args:
        statement, given: as for :func:`rbcore.information.prover.prove`.
        models: how many, at least one.

    Raises ProverError if no structure gave a model that satisfies the assumptions.
    """
    problem = Problem.read(statement, given)
    if models < 1:
        raise ValueError(f"models is a number of models, at least 1, got {models}")
    pairs = [(c.smaller.form, c.larger.form) for c in comparisons(problem.statement)]
    sets = problem.statement.sets.union(*(form.coefficients for pair in pairs for form in pair))
    seen, slack = 0, math.inf
    worst: Joint | None = None
    ratios: list[float] = [math.nan] * len(pairs)
    tightest: list[Joint | None] = [None] * len(pairs)
    batches = random_models(problem, rng, max(1, min(BATCH, models // STRUCTURES)))
    while seen < models:
        joint = next(batches)
        if joint.p.shape[-1] > models - seen:
            joint = joint.take(slice(models - seen))
        seen += joint.p.shape[-1]
        entropies = joint.entropies(sets)
        here = problem.statement.slack_of(entropies)
        if here.min() < slack:
            slack, worst = float(here.min()), joint.take(int(here.argmin()))
        for i, pair in enumerate(pairs):
            smaller, larger = (np.asarray(form.value(entropies)) for form in pair)
            ratio = np.divide(smaller, larger, out=np.full_like(larger, -np.inf), where=larger > CLEAR)
            if ratio.max() > (-math.inf if tightest[i] is None else ratios[i]):
                ratios[i], tightest[i] = float(ratio.max()), joint.take(int(ratio.argmax()))
    assert worst is not None  # there is at least one model, and its slack is finite
    return Falsified(seen, slack, worst, tuple(ratios), tuple(tightest))
