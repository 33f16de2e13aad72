"""Checks of information statements, for claims: the same form, proved, true or false in given models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rbcore.checks import Check
from rbcore.information.expr import parse
from rbcore.information.finite import Joint
from rbcore.information.prover import Certificate, prove


def identity(statement: str) -> Check:
    """The two sides of `statement` are the *same* linear form over joint entropies: true of every distribution.

    The comparison is between `fractions.Fraction` coefficients, so nothing is rounded.
    """
    parsed = parse(statement)
    if any(c.relation != "=" for c in parsed.constraints):
        raise ValueError(f"an identity is written with '=', got {statement!r}")
    left_over = [c.form for c in parsed.constraints if c.form.coefficients]
    return Check(not left_over, "proved", "terms left over", float(sum(len(f.coefficients) for f in left_over)))


def proved(statement: str, given: Sequence[str] = ()) -> Check:
    """The information `statement` follows from the assumptions `given` and the basic Shannon inequalities.

    A certificate with exact rational multipliers is found and verified anew.  It has no value to pin: another
    machine may find another certificate, and each is a proof.
    """
    answer = prove(statement, given)
    found = isinstance(answer, Certificate) and answer.verify()
    return Check(found, "proved", "certificate")


def satisfied(statement: str, joint: Joint, tol: float = 1e-10) -> Check:
    """The information `statement` holds in every model of the batch `joint`."""
    slack = float(np.min(parse(statement).slack(joint)))
    return Check(slack >= -tol, "exact", "smallest slack, nats", slack, tolerance=tol)


def violated(statement: str, joint: Joint, tol: float = 1e-10) -> Check:
    """Some model of the batch violates `statement` by more than `tol`: the statement is false as it stands."""
    slack = float(np.min(parse(statement).slack(joint)))
    return Check(slack < -tol, "exact", "smallest slack, nats", slack, tolerance=tol)
