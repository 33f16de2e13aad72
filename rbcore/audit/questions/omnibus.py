"""One test over all questions: do the synthetic records differ from the task in anything that was asked?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rbcore.audit.advice import finding
from rbcore.audit.questions.verdict import Outcome, unchecked
from rbcore.audit.result import Verdict

OVERALL = 0.01  # of clean data sets, those in which the questions together say that there is a difference


def whole(outcomes: Sequence[Outcome]) -> Outcome:
    """Simes' test over the p-values of all questions that were answered, at :data:`OVERALL` and without margins.

    Simes (1986): with k true hypotheses, min over i of k p_(i) / i is below a level with at most that probability,
    for independent p-values and many that depend on one another positively.
    """
    asked = [one.finding for one in outcomes if one.finding.verdict != "not checked"]
    if not asked:
        return unchecked("whole", "No question could be asked.")
    p = simes([one.p for one in asked])
    least = min(asked, key=lambda one: one.p)
    rest: Verdict = "clear" if all(one.verdict == "clear" for one in asked) else "undecided"
    verdict: Verdict = "flagged" if p < OVERALL else rest
    sentence = (
        f"{len(asked)} questions were asked. If the synthetic records were fresh records of the task, their "
        f"answers together would be this far from it with probability {p:.2g}; the strongest evidence is that of "
        f"'{least.title}'."
    )
    return Outcome(finding("whole", verdict, sentence, p=p))


def simes(p: Sequence[float]) -> float:
    """Simes' p-value of the hypothesis that all are true."""
    ordered = np.sort(np.asarray(p, dtype=float))
    return float(min(1.0, (len(ordered) * ordered / np.arange(1, len(ordered) + 1)).min()))
