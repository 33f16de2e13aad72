"""The rows that an audit names: where each stands, what it resembles, and whether cleaning leaves it out.

found = named(records, outcomes)
lines(found)        # as JSON lines, sorted by file and line
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from rbcore.audit.result import Finding, Resembled, Row

if TYPE_CHECKING:
    from rbcore.audit.questions.verdict import Named, Outcome
    from rbcore.audit.read.records import Records

FILE = "flags.jsonl"  # beside the report
LONG = 300  # characters of a record that are quoted
CERTAIN = ("held-out-copies", "contamination")  # each such row is a fact, however few there are
WHOLE = ("longer-chosen",)  # a property of all rows together: none is left out for it
EVIDENCE = 0.05  # p-value below which an undecided question's rows are worth a look
REPEATS = "near-duplicates"  # of a family of these, one stays
STYLE = ("endings", "length", "openings", "order", "extra")  # questions about how records are written or chosen
MOST = 0.2  # of the records: what a question of style names more often is mended in the generator, not left out


def named(records: Mapping[str, Records], outcomes: Sequence[Outcome]) -> tuple[Row, ...]:
    """A row for each synthetic record and question that names it, sorted by file, line and question.

    Questions that are flagged, undecided ones with some evidence, and those of :data:`CERTAIN`; what others name
    is what real records have too.  A row that flagged questions name is dropped, except by a question of
    :data:`WHOLE`, or one of :data:`STYLE` that names more than :data:`MOST` of the records: in the trials of
    chapter 11 a student was worse off without so many.
    """
    synth = records["SYNTH"]
    asked = [(one.finding, one.named) for one in outcomes if one.named and _worth_naming(one.finding)]
    removable = [
        (finding.id, about)
        for finding, about in asked
        if finding.verdict == "flagged"
        and finding.id not in WHOLE
        and (finding.id not in STYLE or np.mean(about.hits) <= MOST)
    ]
    dropped = _dropped(removable)
    found = []
    for place, (finding, about) in enumerate(asked):
        for i in np.flatnonzero(about.hits).tolist():
            file, line = synth.places[i]
            score = None if about.scores is None or not np.isfinite(about.scores[i]) else float(about.scores[i])
            row = Row(
                file,
                line,
                int(synth.positions[i]),
                finding.id,
                finding.verdict,
                score,
                quoted(synth, i),
                i in dropped,
                _resembled(records, about, i),
            )
            found.append(((file, line, place), row))
    return tuple(row for _, row in sorted(found, key=lambda entry: entry[0]))


def _worth_naming(one: Finding) -> bool:
    if one.id in CERTAIN:
        return one.verdict != "not checked"
    return one.verdict == "flagged" or (one.verdict == "undecided" and one.p < EVIDENCE)


def _dropped(flagged: Sequence[tuple[str, Named]]) -> set[int]:
    """The indices that these questions name; but one record of each family of near-copies stays.

    The one that stays is the first that no other question names; the question itself names all but the first.
    """
    from rbcore.audit.prepared import families  # only here: whoever only counts rows loads no libraries

    left_out: set[int] = set()
    for id, about in flagged:
        if id != REPEATS:
            left_out.update(np.flatnonzero(about.hits).tolist())
    for id, about in flagged:
        if id == REPEATS and about.of is not None:
            family = families(about.of)
            staying: dict[int, int] = {}
            for i, number in enumerate(family.tolist()):
                if i not in left_out:
                    staying.setdefault(number, i)
            sizes = np.bincount(family)
            left_out.update(i for i, k in enumerate(family.tolist()) if sizes[k] > 1 and staying.get(k) != i)
    return left_out


def _resembled(records: Mapping[str, Records], about: Named, i: int) -> Resembled | None:
    if about.of is None or about.other not in records or about.of[i] < 0:
        return None
    other, j = records[about.other], int(about.of[i])
    return Resembled(about.other, *other.places[j], quoted(other, j))


def quoted(one: Records, i: int) -> str:
    """The beginning of a record: of a text, or of a list of numbers."""
    content = one.content[i]
    if isinstance(content, str):
        return cut(content)
    return f"[{', '.join(f'{x:.4g}' for x in content[:8])}{', ...' if len(content) > 8 else ''}]"


def cut(text: str) -> str:
    """The beginning of a text."""
    return text if len(text) <= LONG else text[: LONG - 1] + "\N{HORIZONTAL ELLIPSIS}"


def dropped(found: Iterable[Row]) -> set[int]:
    """The positions in SYNTH of the rows that cleaning leaves out."""
    return {row.position for row in found if row.drop}


def lines(found: Iterable[Row]) -> str:
    """The rows as JSON lines."""
    return "".join(f"{json.dumps(plain(row), ensure_ascii=False, allow_nan=False)}\n" for row in found)


def plain(row: Row) -> dict[str, Any]:
    """A row as JSON has it; a file by its path, however the system writes it."""
    about = {key: value for key, value in vars(row).items() if key != "resembles"}
    return {**about, "resembles": None if row.resembles is None else dict(vars(row.resembles))}


def counted(found: Sequence[Row]) -> dict[str, Any]:
    """What `report.json` says of the rows: how many, of which question, how many cleaning leaves out."""
    questions: dict[str, int] = {}
    for row in found:
        questions[row.question] = questions.get(row.question, 0) + 1
    rows, left_out = ({row.position for row in some} for some in (found, [row for row in found if row.drop]))
    return {"file": FILE, "rows": len(rows), "dropped": len(left_out), "questions": questions}


def short(file: str, line: int) -> str:
    """A place in few words: the name of the file and the line."""
    return f"{PurePath(file).name or file}:{line}"
