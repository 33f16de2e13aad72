"""What an audit finds: numbers with intervals, findings in words, and what the pictures are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rbcore.estimate.base import Estimate

Verdict = Literal["flagged", "clear", "undecided", "not checked"]


@dataclass(frozen=True)
class Number:
    """One number of the report: its name, what it means in words, and its estimate."""

    id: str
    meaning: str
    estimate: Estimate


@dataclass(frozen=True)
class Finding:
    """One question that the audit asks of the data, and its answer.

    Attributes:
        id: the defect's name, such as ``"near-duplicates"``.
        title: the question in a few words.
        verdict: ``"flagged"``; ``"clear"``, when what matters would have been found; ``"undecided"``; or ``"not
            checked"`` when the inputs do not allow it.
        sentence: the answer in words, its numbers filled in.
        advice: what to change; empty unless flagged.
        numbers: ids of the numbers behind the sentence.
        chapter: the file name of the chapter that justifies it, without suffix; why: what that chapter shows.
        examples: pieces of the user's own records; each a tuple of texts that belong together.
        detects: how large a difference this data would have shown, in words.
        p: of the hypothesis that nothing is wrong; 1 where there is no test.
        fix: what following the advice changes for a small student, where that was measured.
    """

    id: str
    title: str
    verdict: Verdict
    sentence: str
    advice: str
    numbers: tuple[str, ...]
    chapter: str
    why: str
    examples: tuple[tuple[str, ...], ...] = ()
    detects: str = ""
    p: float = 1.0
    fix: str = ""


@dataclass(frozen=True)
class Result:
    """A finished audit.

    Attributes:
        inputs: a row for each input: name, source, records read, records used, kind, label names.
        settings: the options of the run, among them the seed.
        numbers: by id.  findings: in the order of the report.
        series: what the pictures show: ``map``, ``plane``, ``waterfall``, ``students``, ``curve``; where known.
        seconds: of each stage.
    """

    inputs: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]
    numbers: Mapping[str, Number]
    findings: Sequence[Finding]
    series: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def flagged(self) -> list[str]:
        """The ids of the findings that are flagged."""
        return [one.id for one in self.findings if one.verdict == "flagged"]

    def payload(self) -> dict[str, Any]:
        """Everything as JSON can hold it (no NaN, no infinity)."""
        numbers = {key: {"meaning": one.meaning, **one.estimate.payload()} for key, one in self.numbers.items()}
        return {**vars(self), "numbers": numbers, "findings": [asdict(one) for one in self.findings]}
