"""One, two and four threads of the numerical libraries: the results are those that are pinned."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from faults import kills

from rbcore.book import agree, portable
from rbcore.book.execute import ROOT, Job, find

CHAPTERS, THREADS = ("01", "02", "A", "05"), (1, 2, 4)
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def run(
    threads: Sequence[int] = THREADS, chapters: Sequence[str] = CHAPTERS, say: Callable[[str], None] = print
) -> list[dict[str, Any]]:
    """Execute the chapters and an audit with each number of threads: a row for each."""
    jobs, pins = [Job(find(name)) for name in chapters], agree.read_pins(ROOT / "book" / "ledger.json")
    rows = []
    ways = [
        portable.Arithmetic(f"{count} threads", dict.fromkeys(VARIABLES, str(count)), count) for count in threads
    ]
    pinned = agree.pins_for(pins, {job.name for job in jobs})
    results = len(pinned["values"]) + len(pinned["claims"])
    for way, _, problems in portable.run(jobs, ROOT / "book" / "_build" / "faults", pins, ways):
        say(f"{way.name}: {len(problems)} of {results} results not as pinned")
        say(agree.report(problems))
        name = f"chapters {', '.join(chapters)}"
        rows.append({"name": name, "threads": way.threads, "results": results, "drift": len(problems)})
    expected: dict[str, str] = {}
    for count in threads:
        found = _audit(count)
        expected = expected or found
        drift = sum(found.get(name) != digest for name, digest in expected.items())
        say(f"audit, {count} threads: {drift} of {len(expected)} files differ from those of one thread")
        rows.append({"name": "an audit", "threads": count, "results": len(expected), "drift": drift})
    return rows


def _audit(threads: int) -> dict[str, str]:
    """Digests of what an audit writes with so many threads."""
    subject = kills.SUBJECTS["audit"]
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        folder = Path(place, "work")
        subject.prepare(folder)
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | dict.fromkeys(VARIABLES, str(threads))
        done = subprocess.run(
            subject.command, cwd=folder, env=environment, capture_output=True, text=True, timeout=kills.LONGEST
        )
        if done.returncode not in subject.good:
            raise RuntimeError(done.stderr)
        return kills.digests(subject, folder)
