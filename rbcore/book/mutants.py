"""The record of the mutants: how many changes of the book were noticed, class by class, and which were not.

`make mutants` makes the changes and writes `book/mutants.json`; what makes them, `tests/mutants`, is no part of
the package.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rbcore.book import records

MUTANTS, AGAIN = "book/mutants.json", "`make mutants` writes the record anew"
CLASSES = (
    "pins", "typed decimals", "typed counts and number words", "number words changed", "directions", "formulas",
    "roles and claims", "exchanged", "code of chapters", "literals", "figures", "records and lists", "markup",
    "core", "estimators", "audit",
)  # fmt: skip
WORDED = "sentence"  # the guard that pins the wording
LEAST = 300  # mutants in all
SHARE = 0.95  # of the mutants of a class that must be noticed
SHARES = {"typed counts and number words": 0.80, "number words changed": 0.80}


class Row(NamedTuple):
    """One class: its mutants, how many were noticed, how many of these only as a changed wording, and how many
    change nothing; the share that must be noticed."""

    name: str
    made: int
    killed: int
    worded: int
    equivalent: int
    needed: float

    @property
    def share(self) -> float:
        """Of the mutants that change something, how many were noticed."""
        return self.killed / max(1, self.made - self.equivalent)

    @property
    def beyond(self) -> float:
        """The same without those that were noticed only because the wording is pinned."""
        return (self.killed - self.worded) / max(1, self.made - self.equivalent)


def read(path: Path) -> dict[str, Any]:
    """The record; empty where there is none yet.

    Raises:
        LedgerError: when the file is not JSON.
    """
    return records.read(path, "make mutants")


def rows(record: Mapping[str, Any]) -> list[Row]:
    """A row for each class of the record."""
    return [
        Row(
            name,
            entry["made"],
            entry["killed"],
            entry["by"].get(WORDED, 0),
            entry["equivalent"],
            SHARES.get(name, SHARE),
        )
        for name, entry in record.get("classes", {}).items()
    ]


def total(record: Mapping[str, Any]) -> Row:
    """All classes together."""
    found = rows(record)
    sums = [sum(getattr(row, part) for row in found) for part in ("made", "killed", "worded", "equivalent")]
    return Row("all", *sums, SHARE)


def faults(record: Mapping[str, Any], classes: Collection[str] = CLASSES) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a record: the class, what it says, and what would be right."""
    for name, entry in record["classes"].items() if record else ():
        survivors = entry["survivors"]
        if name not in classes:
            yield name, "no such class of mutants", f"choose from {', '.join(classes)}"
        if entry["killed"] + len(survivors) != entry["made"] or sum(entry["by"].values()) != entry["killed"]:
            yield name, "killed and survivors are not all that were made", AGAIN
        if entry["equivalent"] != sum(bool(one.get("equivalent")) for one in survivors):
            yield (
                name,
                f"{entry['equivalent']} equivalent mutants, and not as many survivors with that mark",
                AGAIN,
            )
        for one in survivors:
            if not one["reason"].strip():
                yield name, f"{one['place']}, {one['change']}", "give its reason in tests/mutants/reasons.yml"
    for row in rows(record):
        if row.share < row.needed:
            yield row.name, f"{row.share:.1%} noticed", f"at least {row.needed:.0%}: add a guard or a test"
    if record and (made := total(record).made) < LEAST:
        yield "all", f"{made} mutants", f"at least {LEAST}"


def table(record: Mapping[str, Any]) -> str:
    """The record as lines: made, equivalent, killed and the share of each class."""
    lines = [f"{'class':<32}{'made':>6}{'equal':>7}{'killed':>8}{'share':>8}{'beyond wording':>16}"]
    for row in [*rows(record), total(record)]:
        counts = f"{row.made:>6}{row.equivalent:>7}{row.killed:>8}"
        lines.append(f"{row.name:<32}{counts}{row.share:>8.1%}{row.beyond:>16.1%}")
    return "\n".join(lines)
