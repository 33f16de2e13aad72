"""What an audit says in plain words: use it, mend it first, or cannot tell; and what to do first.

judged(result).headline, judged(result).sentences
urgent(result)[:3]
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from rbcore.audit import rows
from rbcore.audit.result import Finding, Result, Row
from rbcore.estimate.base import Estimate

APART = 0.05  # a lower limit of total variation from which data are not said to be fine
FEW = 0.25  # of the questions: where more are open, nothing is said for the data
NAMED = 3  # open questions that are named in the verdict
ALWAYS = ("near-duplicates", "anchor-copies", "off-task", "extra", "narrow", "missing", "distance")
"""Questions that every input allows, so unchecked ones lack records; where one is open, no data are fine."""
VOID = ("held-out-copies", "contamination")
"""Questions whose defect makes every score of a student worthless: first of all."""
COPIES = ("anchor-copies", "anchor-passages", *VOID)
"""Questions whose rows are real records: what a student learns of them, the real ones teach as well."""
LAST = ("students", "distance", "whole", "ggmi")
"""Questions that tell consequences, not causes: mended by mending the others."""
NO_QUESTION = ("whole", "ggmi")
"""A test of the other answers together, and what they say of training: neither is counted beside them."""
UNNAMED = ("distance", "whole")
"""Questions that tell that there is a difference, and not which."""


class Judged(NamedTuple):
    """The verdict: the answer, its headline, and sentences that say why."""

    answer: Literal["mend", "unsure", "use", "none"]
    headline: str
    sentences: tuple[str, ...]


def shown(result: Result) -> list[Finding]:
    """The findings that a report shows: GGMI is told only to whom gave HELDOUT, whose losses it is about."""
    return [one for one in result.findings if one.id != "ggmi" or given(result, "HELDOUT")]


def given(result: Result, name: str) -> bool:
    """Whether the input of that name was given."""
    return any(row.get("name") == name for row in result.inputs)


def judged(result: Result) -> Judged:
    """Use it, mend it first, or cannot tell."""
    findings = shown(result)
    if not findings:
        return Judged("none", "No question was asked.", ())
    flagged, undecided, clear, unasked = (
        [one for one in findings if one.verdict == verdict and one.id not in NO_QUESTION]
        for verdict in ("flagged", "undecided", "clear", "not checked")
    )
    short = [one for one in unasked if one.id in ALWAYS]
    asked, open_ = len(flagged) + len(undecided) + len(clear) + len(short), len(undecided) + len(short)
    few = ""
    if open_:
        titles = " ".join(one.title for one in [*short, *undecided]) if open_ <= NAMED else ""
        few = (
            f"{open_:,} of them could not be decided, because so few records could hide a defect that "
            "matters; more records would help."
            + (f" Open: {titles}" if titles else " The table says what each would have found.")
        )
    too_open = bool(short) or any(one.id in ALWAYS for one in undecided) or open_ > FEW * max(asked, 1)
    left = len(unasked) - len(short)
    missing = f"{_many(left, 'question')} could not be asked of these data; the table says why." if left else ""
    distance, gap = apart(result), ""
    unnamed = [one.id for one in findings if one.id in UNNAMED and one.verdict == "flagged"]
    if distance:
        gap = (
            "A program that was trained to tell synthetic records from real ones succeeds: some kind of record "
            f"has a share among the synthetic ones that differs by {distance}, at least."
        )
    elif "distance" in unnamed:
        gap = "A program that was trained to tell synthetic records from real ones does better than chance."
    elif unnamed:
        gap = "Too many answers lean to one side: all together they would rarely be so for records of the task."
    if any(one.id not in UNNAMED for one in flagged):
        first = urgent(result)[0]
        lines = [
            f"Do not train on these synthetic data as they are: {len(flagged)} of {_many(asked, 'question')} "
            "found a defect" + (f", and {_many(open_, 'more')} could not be decided." if open_ else "."),
            _rows(result),
            f"Begin with this one: {first.title}" if len(flagged) > 1 else "",
        ]
        return Judged("mend", "Mend it first.", tuple(filter(None, lines)))
    if too_open or gap:
        begin = f"None of {_many(asked, 'question')} names a defect, which is not yet a reason to use these data."
        if gap:
            gap += " No question says in what: look at records of both kinds side by side before you use the data."
        return Judged("unsure", "Cannot tell.", tuple(filter(None, (begin, few, gap, missing))))
    begin = (
        f"Nothing speaks against training on these synthetic data: none of {_many(asked, 'question')} found a "
        "defect that matters."
    )
    limit = "That is no certificate: defects that are smaller or rarer than the table says pass, and so does "
    headline = f"Use it, with {_many(open_, 'open question')}." if open_ else "Use it."
    return Judged("use", headline, tuple(filter(None, (begin, few, limit + "what was not asked.", missing))))


def apart(result: Result) -> str:
    """The trusted lower limit of the total variation between task and synthetic data, beyond :data:`APART`."""
    number = result.numbers.get("tv-total")
    if number is None or not number.estimate.trusted or not number.estimate.ci[0] > APART:
        return ""
    return f"{int(100 * number.estimate.ci[0])} %"


def urgent(result: Result) -> list[Finding]:
    """The flagged findings, the most severe first.

    First what makes scores worthless, last what is a consequence.  In between by what a small student gains when
    it is mended, where that was tried and is sure; then by what such defects have cost students in the recorded
    trials; then by the share of the records that a defect is about, which is all of them for one that names no row
    and no share.
    """

    def rank(one: Finding) -> tuple[int, float, float, float]:
        place = 0 if one.id in VOID else 2 if one.id in LAST else 1
        tried = result.numbers.get(f"fix-{one.id}")
        gain = tried.estimate.value if tried is not None and effect(tried.estimate) == "better" else 0.0
        return place, gain, -(one.cost or 0.0), -_size(result, one)

    return sorted((one for one in shown(result) if one.verdict == "flagged"), key=rank)


def effect(fix: Estimate) -> str:
    """What the change of a student's loss says of a fix: ``better``, ``worse``, or ``neither surely``."""
    low, high = fix.ci
    return "neither surely" if not fix.trusted or low <= 0 <= high else "better" if high < 0 else "worse"


def named(result: Result, id: str) -> list[Row]:
    """The rows that a question names."""
    return [row for row in result.rows if row.question == id]


def _size(result: Result, one: Finding) -> float:
    total = next((row.get("used") for row in result.inputs if row.get("name") == "SYNTH"), None)
    found = named(result, one.id)
    if found and total:
        return len(found) / total
    shares = [result.numbers[key].estimate for key in one.numbers if key in result.numbers]
    shares = [estimate.value for estimate in shares if estimate.unit == "share"]
    return abs(shares[0] - shares[1]) if len(shares) > 1 else shares[0] if shares else 1.0


def _rows(result: Result) -> str:
    flagged = {row.position for row in result.rows if row.verdict == "flagged"}
    total = next((row.get("used") for row in result.inputs if row.get("name") == "SYNTH"), None)
    if not flagged or not total:
        return ""
    are = "is" if len(flagged) == 1 else "are"
    return f"{len(flagged):,} of {total:,} synthetic rows {are} named by them; {rows.FILE} lists each one."


def _many(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 or noun == 'more' else 's'}"
