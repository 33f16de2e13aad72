"""What an audit asks, what it advises, and which machine-checked claim of the book stands behind the advice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rbcore.audit.result import Finding, Verdict


class Question(NamedTuple):
    """A question of the audit.

    title: in a few words.  advice: what to change when the answer is bad.  chapter: the file name of the chapter
    that justifies it.  claim: the id of a claim of that chapter in the ledger.  why: what follows from it here.
    """

    title: str
    advice: str
    chapter: str
    claim: str
    why: str


QUESTIONS = {
    "near-duplicates": Question(
        "Do synthetic records repeat one another?",
        "Keep one record of each family of near-copies, then draw new ones until there are as many as you want.",
        "10-faithfulness-diversity-collapse",
        "collapse-more-different",
        "at equal size, more independent draws make better students than repeated ones",
    ),
    "anchor-copies": Question(
        "Does the generator copy its anchors?",
        "Remove the copies and ask for new records, or show fewer anchors at a time. If the anchors are private, "
        "this is how they leave.",
        "05-reverse-bottleneck",
        "flow-gain-copier",
        "a generator that copies its prompt has no information gain: it adds nothing to the anchors",
    ),
    "held-out-copies": Question(
        "Are held-out records in the training data?",
        "Remove these records from the synthetic data and from the anchors before you believe a score on the "
        "held-out ones, and find out how the generator saw them.",
        "03-mutual-information",
        "mi-memory-ratio",
        "a model that remembers its data has a gap; scored on what it remembers, the gap does not show",
    ),
    "off-task": Question(
        "Are there records that the task does not have?",
        "Read the examples. Make the prompt stricter, or let a verifier reject such records.",
        "02-two-divergences",
        "broadens",
        "a looser prompt spreads the answers beyond the task, and the divergences charge for it",
    ),
    "narrow": Question(
        "Is the synthetic data too predictable?",
        "Raise the temperature, or vary the prompts, and let a verifier pay for the heat.",
        "10-faithfulness-diversity-collapse",
        "collapse-interior",
        "the best temperature lies inside: a cold generator is right more often and leaves out much of the task",
    ),
    "missing": Question(
        "Is a part of the task missing?",
        "Read the examples, which are anchors of that part, and prompt for it. More records from the same prompts "
        "will not fill it. Keep anchors in the mixture meanwhile.",
        "10-faithfulness-diversity-collapse",
        "collapse-lost",
        "a student cannot learn what its data do not hold, and a closed loop does not bring it back",
    ),
    "wrong-labels": Question(
        "Are labels wrong?",
        "Check the examples. Ask for each label again, of another model or with anchors as examples, and drop the "
        "records whose labels differ.",
        "10-faithfulness-diversity-collapse",
        "collapse-protects-answers",
        "a verifier protects the answers of a student, here its labels; it does not protect its inputs",
    ),
    "label-shares": Question(
        "Are the labels' shares those of the task?",
        "Ask for each label as often as the task has it, or give the records weights.",
        "02-two-divergences",
        "bound-holds-in-runs",
        "labels are part of the law, and their distance is a lower limit of a divergence in the bound",
    ),
    "curation": Question(
        "Does curation bring the data closer to the task?",
        "Look at what curation removed and what it added. A rule that removes records of the task, or edits that "
        "leave it, should go.",
        "02-two-divergences",
        "verifier-helps",
        "a sound verifier never takes the data further from the task; one that does is not sound",
    ),
    "students": Question(
        "Does a student learn more with the synthetic data?",
        "Do not train on the synthetic data alone. Mend what is flagged above, then ask again, and mix it with "
        "all anchors.",
        "09-language-models",
        "lm-mix-parts",
        "held-out loss on records of the task is what counts; in a mixture anchors correct the answers, and "
        "synthetic data keeps the inputs diverse",
    ),
    "ggmi": Question(
        "What does a GGMI-style comparison say?",
        "Do not choose by it: compare held-out losses.",
        "07-ggmi",
        "ggmi-risk-hardly",
        "the sign of GGMI hardly says which data give the smaller risk",
    ),
}
"""By the id of the finding."""


def finding(
    id: str,
    verdict: Verdict,
    sentence: str,
    numbers: Sequence[str] = (),
    examples: tuple[tuple[str, ...], ...] = (),
) -> Finding:
    """The answer to a question; it has the question's advice, and examples, only when it is flagged."""
    asked, flagged = QUESTIONS[id], verdict == "flagged"
    advice, shown = (asked.advice, examples) if flagged else ("", ())
    return Finding(id, asked.title, verdict, sentence, advice, tuple(numbers), asked.chapter, asked.why, shown)
