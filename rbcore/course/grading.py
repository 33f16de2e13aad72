"""What grades an answer: a check of the ledger, a proof or a truth value; and the hint where it does not hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rbcore.checks import Check
from rbcore.information.prover import Certificate
from rbcore.information.refute import Unprovable
from rbcore.information.theorems import Theorem


def expect(answer: Check | Certificate | Unprovable | Theorem | bool | np.bool, hint: str) -> None:
    """Go on if `answer` holds: a check that holds, a proof that verifies anew, or a truth value.

    Raises:
        AssertionError: with `hint` and, where there is one, what was measured or what breaks the statement.
        TypeError: for anything else, such as a number or None, which are true or false by accident only, or an
            object of a class derived from these, which may verify whatever it likes.
    """
    if isinstance(answer, Theorem) and type(answer.proof) is not Certificate:
        raise TypeError(f"a theorem has a certificate, got {type(answer.proof).__name__}")
    if type(answer) is Theorem:
        answer = answer.check()
    if type(answer) is Check:
        seen = "" if answer.value is None else f" ({answer.measure}: {answer.value:.6g})"
        holds = answer.holds
    elif type(answer) is Certificate:
        holds, seen = answer.verify(), f"\n{answer}"
    elif isinstance(answer, Unprovable):
        holds, seen = False, f"\n{answer}"
    elif isinstance(answer, bool | np.bool):
        holds, seen = bool(answer), ""
    else:
        raise TypeError(f"a check, a proof or a truth value is graded, got {type(answer).__name__}")
    if not holds:
        raise AssertionError(hint + seen)


def trial(said: str) -> Callable[[Callable[[], None]], None]:
    """Run the function below at once and print how it went; for the tests that a student's notebook shows.

    Args:
        said: what is tested.
    """

    def run(test: Callable[[], None]) -> None:
        try:
            test()
        except AssertionError as error:
            print(f"not yet: {said}\n    {error}")
        except Exception as error:
            print(f"not yet: {said}\n    the test could not use the answer: {type(error).__name__}: {error}")
        else:
            print(f"passed: {said}")

    return run
