"""Other seeds: on how many of them does each claim hold?

A sentence about random draws must hold for other draws too.  `make seeds` executes chapters with other seeds and
counts; `book/seeds.json` keeps the outcome, with its date, for the pages that show it.  A chapter whose code
changed since then is counted anew.  Beside the claims it keeps the values that have an interval: where each seed
draws another world, their spread is over worlds.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from rbcore import checks
from rbcore.book import records
from rbcore.book.agree import gather
from rbcore.book.execute import Job, attempt, default_parameters
from rbcore.files import replace_file

FIRST = 1001  # the seeds are 1001, 1002, ..
SHARE = 0.05  # of the seeds on which a claim may fail; from ten seeds on, on one of them in any case


def read(record: Path) -> dict[str, Any]:
    """The record, by chapter; empty where there is none yet."""
    return records.read(record, "make seeds")


def run(
    sources: Sequence[Path], root: Path, record: Path, seeds: int, workers: int | None = None
) -> dict[str, Any]:
    """Execute the chapters with the seeds that the record lacks, and write it after each round of them.

    A chapter's entry holds the date, the versions, its claims, by seed those that failed, or the error with which
    a run ended, and for each value with an interval what it was on each seed.  Returns the whole record.
    """
    if seeds < 1:
        raise ValueError(f"seeds is a number of seeds, at least 1, got {seeds}")
    known = read(record)
    waiting: list[tuple[Path, int]] = []
    for source in sources:
        if "seed" in default_parameters(source):
            code = Job(source, root=root).key
            if known.get(source.stem, {}).get("code") != code:
                known[source.stem] = {"code": code, "runs": {}}
            done = known[source.stem]["runs"]
            waiting += [(source, seed) for seed in range(FIRST, FIRST + seeds) if str(seed) not in done]
    at_once = workers or os.cpu_count() or 1
    cache = root / "book" / "_build" / "cache-seeds"
    for start in range(0, len(waiting), at_once):
        jobs = [Job(source, {"seed": seed}, root) for source, seed in waiting[start : start + at_once]]
        done = attempt(jobs, cache, workers=at_once, threads=1, kept=at_once)
        for job in jobs:
            entry = known[job.name]
            seed = str(job.parameters["seed"])
            if job.label in done.failed:
                entry["runs"][seed] = {"error": done.failed[job.label].splitlines()[-1]}
            else:
                (chapter,) = gather({job.name: done.paths[job.label]})
                entry["runs"][seed] = sorted(c.id for c in chapter.claims if c.verdict == "fails")
                entry["claims"] = sorted(c.id for c in chapter.claims)
                for value in (v for v in chapter.values if v.ci is not None):
                    entry.setdefault("values", {}).setdefault(value.name, {})[seed] = float(f"{value.value:.4g}")
            entry |= {"date": datetime.date.today().isoformat(), "versions": versions()}
        _write(record, known)
    return known


def counts(entry: Mapping[str, Any]) -> dict[str, int]:
    """For each claim of a chapter's entry that failed somewhere, the number of seeds on which it held."""
    runs = [run for run in entry["runs"].values() if isinstance(run, list)]
    failed = sorted({id for run in runs for id in run})
    return {id: sum(id not in run for run in runs) for id in failed}


def claims(entry: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """For each claim that a chapter's entry knows, on how many seeds it held, and of how many."""
    runs = sum(isinstance(run, list) for run in entry["runs"].values())
    failed = counts(entry)
    return {id: (failed.get(id, runs), runs) for id in entry.get("claims", ())}


class Over(NamedTuple):
    """A value over other seeds: its mean with its interval, and how many of them have its sign."""

    mean: float
    ci: tuple[float, float]
    same: int
    seeds: int


def over(entry: Mapping[str, Any], name: str) -> Over | None:
    """A value of a chapter's entry over its seeds; None where there are fewer than two."""
    found = list(entry.get("values", {}).get(name, {}).values())
    if len(found) < 2:
        return None
    mean = checks.mean(found)
    return Over(mean.value, mean.ci, sum(x * mean.value > 0 for x in found), len(found))


def weak(record: Mapping[str, Any]) -> Iterator[str]:
    """A line for each claim that holds on too few seeds, and for each run that ended in an error."""
    for chapter, entry in record.items():
        for id, held in counts(entry).items():
            number = len(entry["runs"])
            if number - held > max(number >= 10, SHARE * number):
                yield f"{chapter}: {id!r} holds on {held} of {len(entry['runs'])} seeds"
        for seed, run in entry["runs"].items():
            if isinstance(run, dict):
                yield f"{chapter}: seed {seed} ended with {run['error']}"


def table(record: Mapping[str, Any]) -> str:
    """The record as lines: a chapter with its seeds and claims, and the claims that did not hold on all."""
    lines = []
    for chapter, entry in record.items():
        found = counts(entry)
        whole = f"{len(entry.get('claims', ())) - len(found)} of {len(entry.get('claims', ()))} claims hold on all"
        lines.append(f"{chapter}: {len(entry['runs'])} seeds, {whole}")
        lines += [f"    {held} of {len(entry['runs'])}  {id}" for id, held in found.items()]
    return "\n".join(lines)


def versions() -> str:
    """What the outcome of a run may depend on, in one line."""
    python = ".".join(platform.python_version_tuple()[:2])
    return ", ".join([f"Python {python}", *(f"{name} {version(name)}" for name in ("numpy", "scipy", "torch"))])


def _write(record: Path, entries: Mapping[str, Any]) -> None:
    lines = []
    for name in sorted(name for name, entry in entries.items() if entry["runs"]):
        rest = {k: v for k, v in sorted(entries[name].items()) if k not in ("runs", "values")}
        parts = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in rest.items()]
        for part in ("runs", "values"):
            rows = [f"   {json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(entries[name].get(part, {}).items())]
            if rows:
                parts.append(f"  {json.dumps(part)}: {{\n" + ",\n".join(rows) + "\n  }")
        lines.append(f" {json.dumps(name)}: {{\n" + ",\n".join(parts) + "\n }")
    replace_file(record, "{\n" + ",\n".join(lines) + "\n}\n")
