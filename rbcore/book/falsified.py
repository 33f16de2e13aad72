"""The long falsification: every theorem of the book on a million random models, and the record of it.

The chapters evaluate each theorem on as many models as a build has time for.  This takes minutes on each, so it is
run by hand (`make falsify`), and `book/falsified.json` keeps what it found, with the date, for the page that lists
the theorems.  A theorem whose statement or assumptions changed since then has no entry any more.
"""

from __future__ import annotations

import datetime
import json
import math
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from rbcore.book import records
from rbcore.files import replace_file
from rbcore.information.falsify import falsify

CHUNK = 50_000  # models per task


def theorems_of(chapters: Iterable[Any]) -> list[tuple[str, tuple[str, ...]]]:
    """Statement and assumptions of each theorem that the executed chapters stored, each once."""
    found = []
    for chapter in chapters:
        for payload in chapter.theorems.values():
            certificate = payload["certificate"]
            found.append((certificate["statement"], tuple(certificate["given"])))
    return list(dict.fromkeys(found))


def key(statement: str, given: Sequence[str]) -> str:
    """The entry of a theorem in the record: its statement and assumptions as one line."""
    return " | given ".join([statement, "; ".join(given)]) if given else statement


def read(record: Path) -> dict[str, Any]:
    """The record, by :func:`key`; empty where there is none yet."""
    return records.read(record, "make falsify")


def run(
    theorems: Sequence[tuple[str, tuple[str, ...]]],
    record: Path,
    models: int,
    workers: int | None = None,
    only: bool = False,
) -> dict[str, Any]:
    """Evaluate the theorems that the record lacks, and write it after each; what was done stays done.

    Args:
        theorems: statements with their assumptions.
        record: a JSON file; entries of theorems that are no longer there are dropped.
        models: how many for each theorem, at least.
        workers: processes; by default one per core.
        only: these are not all theorems: entries of the others stay.

    Returns the record: for each theorem models, smallest slack (nats), largest ratios, and the date.

    Raises ProverError if a theorem's assumptions cannot be satisfied.
    """
    if models < 1:
        raise ValueError(f"models is a number of models, at least 1, got {models}")
    known = read(record)
    done = {key(*one): known[key(*one)] for one in theorems if known.get(key(*one), {}).get("models", 0) >= models}
    todo = [one for one in theorems if key(*one) not in done]
    done = known | done if only else done
    sizes = [min(CHUNK, models - start) for start in range(0, models, CHUNK)]
    parts: dict[str, list[tuple[int, float, tuple[float, ...]]]] = {key(*one): [] for one in todo}
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool, _bar(len(todo) * len(sizes)) as bar:
        futures = {pool.submit(_chunk, *one, size, i): key(*one) for one in todo for i, size in enumerate(sizes)}
        try:
            for future in as_completed(futures):
                name = futures[future]
                parts[name].append(future.result())
                bar.update()
                if len(parts[name]) == len(sizes):
                    done[name] = _merged(parts[name])
                    _write(record, done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    _write(record, done)
    return done


def table(record: Mapping[str, Mapping[str, Any]]) -> str:
    """The record as lines: models, smallest slack, largest ratio of each inequality, and the theorem."""
    lines = [f"{'models':>10} {'slack, nats':>12}  ratios"]
    for name, entry in record.items():
        ratios = " ".join("-" if ratio is None else f"{ratio:.4f}" for ratio in entry["ratios"])
        lines.append(f"{entry['models']:>10,} {entry['slack']:>12.1e}  {ratios or '-'}\n{'':>12}{name}")
    return "\n".join(lines)


def _chunk(
    statement: str, given: tuple[str, ...], models: int, index: int
) -> tuple[int, float, tuple[float, ...]]:
    rng = np.random.default_rng([zlib.crc32(key(statement, given).encode()), index])
    found = falsify(statement, given, rng, models)
    return found.models, found.slack, found.ratios


def _merged(parts: Sequence[tuple[int, float, tuple[float, ...]]]) -> dict[str, Any]:
    models, slacks, ratios = zip(*parts, strict=True)
    largest = [max((r for r in column if not math.isnan(r)), default=None) for column in zip(*ratios, strict=True)]
    today = datetime.date.today().isoformat()
    return {"models": sum(models), "slack": min(slacks), "ratios": largest, "date": today}


def _write(record: Path, entries: Mapping[str, Any]) -> None:
    replace_file(record, json.dumps(entries, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def _bar(total: int) -> tqdm:
    form = "{desc} {percentage:3.0f}%|{bar:30}| {elapsed} so far, {remaining} left"
    return tqdm(total=total, desc="falsifying", bar_format=form, disable=None)
