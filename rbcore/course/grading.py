"""What grades an answer: a check of the ledger, a proof or a truth value; and the hint where it does not hold."""

from __future__ import annotations

from rbcore.checks import Check
from rbcore.information.prover import Certificate
from rbcore.information.refute import Unprovable
from rbcore.information.theorems import Theorem


def expect(answer: Check | Certificate | Unprovable | Theorem | bool, hint: str) -> None:
    """Go on if `answer` holds: a check that holds, a proof that verifies, or a truth value.

    Raises:
        AssertionError: with `hint` and, where there is one, what was measured or what breaks the statement.
        TypeError: for anything else, such as a number or None, which are true or false by accident only.
    """
    if isinstance(answer, Theorem):
        answer = answer.check()
    if isinstance(answer, Check):
        seen = "" if answer.value is None else f" ({answer.measure}: {answer.value:.6g})"
        holds = answer.holds
    elif isinstance(answer, Certificate | Unprovable):
        holds, seen = isinstance(answer, Certificate) and answer.verify(), f"\n{answer}"
    elif isinstance(answer, bool) or type(answer).__name__ == "bool":  # numpy's truth values have this name, too
        holds, seen = bool(answer), ""
    else:
        raise TypeError(f"a check, a proof or a truth value is graded, got {type(answer).__name__}")
    if not holds:
        raise AssertionError(hint + seen)
