"""What an audit finds: numbers with intervals, findings in words, and what the pictures are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
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
        cost: what defects that this question names have cost a small student in the recorded trials of chapter 11,
            in nats per token and on average; None where none was planted.
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
    cost: float | None = None


@dataclass(frozen=True)
class Resembled:
    """The record that a row resembles: in the input of that name, in a file, at a line or row from 1."""

    input: str
    file: str
    line: int
    excerpt: str


@dataclass(frozen=True)
class Row:
    """One synthetic record that a question names.

    Attributes:
        file, line: where it stands; the line or row counts from 1.  position: among all rows of SYNTH, from 0.
        question: the id of the finding.  verdict: ``"flagged"``, or ``"undecided"`` with some evidence.
        score: larger is worse; None where all are alike.
        excerpt: its beginning.
        drop: whether cleaning leaves it out.
        resembles: the record that it copies or repeats, where the question knows one.
    """

    file: str
    line: int
    position: int
    question: str
    verdict: Verdict
    score: float | None
    excerpt: str
    drop: bool
    resembles: Resembled | None = None


@dataclass(frozen=True)
class Change:
    """A share before and after cleaning."""

    id: str
    meaning: str
    before: float
    after: float


@dataclass(frozen=True)
class Cleaned:
    """What cleaning changed.

    Attributes:
        path: the cleaned data; empty when nothing was written.  report: of the audit of them; empty without one.
        removed, written: rows.  unread: rows that were not looked at, as LIMIT drew a sample; all of them stay.
        before, after: the ids of the flagged questions.  remaining: of those before, the ones that name no row.
        shares: those of the synthetic data that changed.
        note: why nothing was written, or no second audit made; empty otherwise.
    """

    path: str
    removed: int
    written: int
    unread: int
    before: tuple[str, ...]
    after: tuple[str, ...]
    remaining: tuple[str, ...] = ()
    shares: tuple[Change, ...] = ()
    note: str = ""
    report: str = ""


@dataclass(frozen=True)
class Result:
    """A finished audit.

    Attributes:
        inputs: a row for each input: name, source, records read, records used, kind, label names.
        settings: the options of the run, among them the seed.
        numbers: by id.  findings: in the order of the report.
        series: what the pictures show: ``map``, ``plane``, ``waterfall``, ``students``, ``curve``; where known.
        seconds: of each stage.
        rows: the synthetic records that questions name, sorted by file and line.
        cleaned: what cleaning changed, after :func:`rbcore.audit.clean`.
    """

    inputs: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any]
    numbers: Mapping[str, Number]
    findings: Sequence[Finding]
    series: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    rows: Sequence[Row] = ()
    cleaned: Cleaned | None = None

    @property
    def flagged(self) -> list[str]:
        """The ids of the findings that are flagged."""
        return [one.id for one in self.findings if one.verdict == "flagged"]

    def payload(self) -> dict[str, Any]:
        """Everything as JSON can hold it (no NaN, no infinity); `rows` are counted only, they have a file."""
        from rbcore.audit import rows

        cleaned = None if self.cleaned is None else asdict(self.cleaned)
        numbers = {key: {"meaning": one.meaning, **one.estimate.payload()} for key, one in self.numbers.items()}
        findings = [asdict(one) for one in self.findings]
        counted = {"rows": rows.counted(self.rows), "cleaned": cleaned}
        return {**vars(self), "numbers": numbers, "findings": findings, **counted}
