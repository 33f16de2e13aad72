"""Checks of information statements, for claims: the same form, proved, true or false in given models."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from rbcore.checks import Check
from rbcore.information.expr import Statement, parse
from rbcore.information.finite import Joint
from rbcore.information.problem import Text
from rbcore.information.prover import Certificate, Sharp, prove
from rbcore.information.refute import Counterexample


def identity(statement: Text) -> Check:
    """The two sides of `statement` are the *same* linear form over joint entropies: true of every distribution.

    The comparison is between `fractions.Fraction` coefficients, so nothing is rounded.  Raises ValueError for an
    inequality.

    >>> identity("I(A;B) = H(A) - H(A|B)").holds, identity("I(A;B) = H(A)").holds
    (True, False)
    """
    parsed = _parsed(statement)
    if any(c.relation != "=" for c in parsed.constraints):
        raise ValueError(f"an identity is written with '=', got {parsed.text!r}")
    left_over = [c.form for c in parsed.constraints if c.form.coefficients]
    return Check(not left_over, "proved", "terms left over", float(sum(len(f.coefficients) for f in left_over)))


def proved(statement: Text, given: Iterable[Text] = ()) -> Check:
    """The information `statement` follows from the assumptions `given` and the basic Shannon inequalities.

    A certificate with exact rational multipliers is found and verified anew.  It has no value to pin: another
    machine may find another certificate, and each is a proof.

    >>> proved("I(A;C) <= I(A;B)", ["A -> B -> C"]).holds
    True
    """
    answer = prove(statement, given)
    return Check(isinstance(answer, Certificate) and answer.verify(), "proved", "certificate")


def satisfied(statement: Text, joint: Joint, tol: float = 1e-10) -> Check:
    """The information `statement` holds in every model of the batch `joint`, up to `tol` nats.

    >>> satisfied("I(A;B) <= H(A)", Joint("A,B", [[0.5, 0], [0, 0.5]])).holds
    True
    """
    slack, models = _smallest_slack(statement, joint)
    return Check(slack >= -tol, "exact", "smallest slack, nats", slack, tolerance=tol, cases=models)


def violated(statement: Text, joint: Joint, tol: float = 1e-10) -> Check:
    """Some model of the batch violates `statement` by more than `tol`: the statement is false as it stands.

    The value is the largest violation, in nats.

    >>> violated("I(A;B) = 0", Joint("A,B", [[0.5, 0], [0, 0.5]])).holds
    True
    """
    slack, models = _smallest_slack(statement, joint)
    return Check(slack < -tol, "exact", "largest violation, nats", -slack, tolerance=tol, cases=models)


def broken(*found: Counterexample | None) -> Check:
    """Each of these counterexamples was found and passes its check; the value is the smallest violation, in nats.

    >>> broken(prove("H(A|B) = 0").counterexample).holds
    True
    """
    violations = [one.violation() if one and one.check() else 0.0 for one in found]
    smallest, cases = min(violations), len(violations)
    return Check(smallest > 1e-6, "exact", "smallest violation, nats", smallest, tolerance=1e-6, cases=cases)


def constants(found: Iterable[Sharp], expected: Iterable[Fraction | int], within: float = 1e-3) -> Check:
    """Each constant is exactly the one that is expected, with a certificate, and `within` beyond it there is none.

    The value is the largest difference from what is expected.
    """
    pairs = list(zip(found, expected, strict=True))
    proved = all(one.proof.verify() and one.failure.verify() for one, _ in pairs)
    near = all(abs(one.beyond - one.value) <= within for one, _ in pairs)
    largest = max(float(abs(one.value - wanted)) for one, wanted in pairs)
    return Check(proved and near and largest == 0, "exact", "largest difference", largest, cases=len(pairs))


def _parsed(statement: Text) -> Statement:
    return parse(statement) if isinstance(statement, str) else statement


def _smallest_slack(statement: Text, joint: Joint) -> tuple[float, int]:
    """The smallest slack, and the number of models."""
    slack = _parsed(statement).slack(joint)
    return float(np.min(slack)), np.size(slack)
