"""What is printed beside the results and was recorded at another time: it must fit the book that prints it.

The files in `book/`, `falsified.json`, `seeds.json`, `costs.json` and `mutants.json`, are written by commands that
take minutes to hours, so no build repeats them.  What a build can see is whether their numbers can be true, and
whether they speak of this book.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rbcore.book import falsified, mutants, records, seeds
from rbcore.book.agree import Problem
from rbcore.book.ledger import Chapter

FALSIFIED, SEEDS, COSTS = "book/falsified.json", "book/seeds.json", "book/costs.json"
SLACK = -1e-8  # nats: what rounding may leave of an inequality that holds
FEWEST, MODELS = 10**4, 10**8  # a hundredth of what `make falsify` tries, and a hundred times as many
FAR = 25  # middles and spreads; no result of the book is two of them away from the other seeds
ROUNDING = 1e-6  # by which a ratio of two sides may exceed one
DAY = 86_400  # seconds

Wrong = tuple[str, str, str]  # the entry, what it says, what would be right


def problems(root: Path) -> list[Problem]:
    """Entries that cannot be true."""
    chapters = {path.stem for path in (root / "notebooks").glob("*.md")}
    found = []
    for file, command, check in (
        (FALSIFIED, "make falsify", _of_falsified),
        (SEEDS, "make seeds", lambda record: _of_seeds(record, chapters)),
        (COSTS, "python tests/bench_book.py --record", lambda record: _of_costs(record, chapters)),
        (mutants.MUTANTS, "make mutants", mutants.faults),
    ):
        try:
            wrong = list(check(records.read(root / file, command))) if (root / file).exists() else []
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            wrong = [("all", repr(error), f"restore it from git, or run `{command}`")]
        found += [_problem(name, file, said, remedy) for name, said, remedy in wrong]
    return found


def outdated(root: Path, chapters: Sequence[Chapter], *, whole: bool = True) -> list[Problem]:
    """Theorems that `make falsify` has not tried as they are now, and entries of what has gone.

    Args:
        whole: these are all chapters, so a theorem that none of them has is gone.
    """
    record = falsified.read(root / FALSIFIED)
    theorems = [falsified.key(*one) for one in falsified.theorems_of(chapters)]
    found = [(name, FALSIFIED, "no entry", "`make falsify` tries it") for name in theorems if name not in record]
    if whole:
        gone = (name for name in record if name not in theorems)
        found += [(name, FALSIFIED, "no such theorem", "`make falsify` drops it") for name in gone]
    counted = seeds.read(root / SEEDS)
    for chapter in (chapter for chapter in chapters if chapter.name in counted):
        names = {claim.id for claim in chapter.claims} | {value.name for value in chapter.values}
        entry = counted[chapter.name]
        gone = sorted({*entry.get("claims", ()), *entry.get("values", ())} - names)
        again = f"`make seeds NB={chapter.name.split('-')[0]}` counts anew"
        found += [(name, SEEDS, f"{chapter.name} has no such result", again) for name in gone]
    return [_problem(*one) for one in found]


def _problem(name: str, file: str, said: str, remedy: str) -> Problem:
    return Problem("record", name, file, "(a record that the pages show)", "-", said, "-", remedy)


def _of_falsified(record: Mapping[str, Mapping[str, Any]]) -> Iterator[Wrong]:
    for name, entry in record.items():
        if not (slack := entry["slack"]) >= SLACK:  # nor is NaN
            yield name, f"slack {slack}", "a random model breaks the theorem: find out why"
        if type(entry["models"]) is not int or not FEWEST <= entry["models"] <= MODELS:
            yield name, f"models {entry['models']}", f"a number of models, from {FEWEST:,} to {MODELS:,}"
        if wrong := [ratio for ratio in entry["ratios"] if ratio is not None and not 0 < ratio <= 1 + ROUNDING]:
            yield name, f"ratios {wrong}", "the smaller side of an inequality over the larger one, at most 1"
        yield from _date(name, entry["date"])


def _of_seeds(record: Mapping[str, Mapping[str, Any]], chapters: Iterable[str]) -> Iterator[Wrong]:
    for chapter, entry in record.items():
        if chapter not in chapters:
            yield chapter, "no such chapter", "remove the entry"
        claims, runs = set(entry["claims"]), entry["runs"]
        if odd := runs.keys() - {str(seeds.FIRST + k) for k in range(len(runs))}:
            yield (
                chapter,
                f"seeds {', '.join(sorted(odd))}",
                f"seeds are numbered from {seeds.FIRST} without a gap",
            )
        if odd := {id for run in runs.values() if isinstance(run, list) for id in run} - claims:
            yield chapter, f"failing {', '.join(sorted(odd))}", "what fails on a seed is one of the entry's claims"
        for name, found in entry.get("values", {}).items():
            if found.keys() - runs.keys() or not all(isinstance(x, float | int) for x in found.values()):
                yield chapter, f"values of {name}", "a number for each seed that ran"
            elif odd := _far(found):
                yield chapter, f"{name} = {', '.join(odd)}", "numbers like those of the other seeds"
        yield from _date(chapter, entry["date"])
    yield from ((line.split(":")[0], line, "find out why, or weaken the claim") for line in seeds.weak(record))


def _far(found: Mapping[str, float]) -> list[str]:
    """The values that lie beyond all that seeds do: their distances are measured in middle and spread of all."""
    low, middle, high = np.quantile([*found.values()] or [0.0], [0.25, 0.5, 0.75])
    scale = abs(middle) + high - low
    return [f"{x:g}" for x in found.values() if scale and abs(x - middle) > FAR * scale]


def _of_costs(record: Mapping[str, Any], chapters: Iterable[str]) -> Iterator[Wrong]:
    for name, spent in record["chapters"].items():
        if name not in chapters:
            yield name, "no such chapter", "`python tests/bench_book.py --record` measures them anew"
        if not 0 < spent < DAY:
            yield name, f"{spent} s", "the seconds of a chapter, more than none and less than a day"
    yield from _date("on", record.get("on", "").split(",")[0])


def _date(name: str, date: str) -> Iterator[Wrong]:
    if datetime.date.fromisoformat(date) > datetime.date.today() + datetime.timedelta(days=1):
        yield name, date, "a day that has been"
