"""What an audit asks, what it advises, and which machine-checked claim of the book stands behind the advice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from rbcore.audit.result import Finding, Verdict

WORDS = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))
"""The words that no run changes: questions, titles of chapters, captions of pictures, notes on estimators."""


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


QUESTIONS = {id: Question(**row) for id, row in WORDS["questions"].items()}
"""By the id of the finding."""


def finding(
    id: str,
    verdict: Verdict,
    sentence: str,
    numbers: Sequence[str] = (),
    examples: Sequence[tuple[str, ...]] = (),
    detects: str = "",
    p: float = 1.0,
) -> Finding:
    """The answer to a question; it has the question's advice, and examples, only when it is flagged."""
    asked, flagged = QUESTIONS[id], verdict == "flagged"
    advice, shown = (asked.advice, tuple(examples)) if flagged else ("", ())
    about = tuple(numbers), asked.chapter, asked.why
    return Finding(id, asked.title, verdict, sentence, advice, *about, shown, detects, p)
