"""The record of `make faults`: what kills, a full disk and odd input left behind, and how often intervals cover.

`tests/faults` makes it; here it is read and judged, for the page and for the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rbcore.book import records

FILE = "faults.json"
LEVEL, LOWEST, HIGHEST = 0.95, 0.93, 0.97  # of intervals; what an exact one may cover
SURE = 0.99  # that the counts of a row say so
BAD = {  # what a part must not have counted
    "kills": ("torn", "orphans", "differ"),
    "full": ("torn", "unclear", "differ"),
    "threads": ("drift",),
    "network": ("failed",),
    "fuzzing": ("wrong",),
}


class Covered(NamedTuple):
    """How often a kind of interval covered the truth.  by: ``exact``, or ``at least``: conservative by design."""

    name: str
    where: str
    by: str
    hits: int
    repeats: int

    @property
    def share(self) -> float:
        """The coverage."""
        return self.hits / self.repeats

    @property
    def ends(self) -> tuple[float, float]:
        """The exact interval of the coverage, at :data:`SURE`."""
        from scipy import stats  # its import takes longer than that of the rest of the module

        low, high = stats.binomtest(self.hits, self.repeats).proportion_ci(SURE, method="exact")
        return float(low), float(high)

    @property
    def good(self) -> bool:
        """Whether the counts do not speak clearly against what the kind promises."""
        low, high = self.ends
        return high >= LOWEST and low <= HIGHEST if self.by == "exact" else high >= LEVEL


def read(path: Path) -> dict[str, Any]:
    """The record; empty where there is none.

    Raises:
        LedgerError: when the file is not JSON.
    """
    return records.read(path, "make faults")


def covered(record: Mapping[str, Any]) -> list[Covered]:
    """The kinds of intervals."""
    return [Covered(**row) for row in record.get("intervals", [])]


def total(record: Mapping[str, Any], part: str, count: str) -> int:
    """The sum of a count over the rows of a part."""
    return sum(row[count] for row in record.get(part, []))


def problems(record: Mapping[str, Any]) -> Iterator[str]:
    """What the record counts and must not: a line for each."""
    for part, counts in BAD.items():
        for row in record.get(part, []):
            yield from (f"{part}, {row['name']}: {row[count]} {count}" for count in counts if row[count])
    for one in covered(record):
        if not one.good:
            yield f"intervals, {one.name}: covers {one.hits} of {one.repeats} times"
