"""``make faults``: kills, a full disk, threads, no network, odd input, and how often intervals cover.

Each part is written into `book/faults.json` when it is done, so a call that is interrupted loses one part; kills
go on from their journal in `book/_build/faults`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from faults import disk, fuzzing, intervals, kills, network, threads

from rbcore.book import faults
from rbcore.book.execute import ROOT
from rbcore.files import replace_file

RECORD, SEED = ROOT / "book" / faults.FILE, 2026
PARTS = ("intervals", "fuzzing", "kills", "full", "network", "threads")
say = partial(print, flush=True)


def measure(part: str, given: argparse.Namespace) -> list[dict[str, Any]] | None:
    """The rows of a part; None where this machine cannot measure it."""
    match part:
        case "intervals":
            return [intervals.simulate(kind, given.repeats, SEED) for kind in intervals.KINDS]
        case "fuzzing":
            return [fuzzing.run(name, given.inputs, say) for name in fuzzing.TARGETS]
        case "kills":
            journals = ROOT / "book" / "_build" / "faults"
            journals.mkdir(parents=True, exist_ok=True)
            return [
                kills.run(one, given.kills, SEED, journals / f"kills-{one.name}.jsonl", say)
                for one in kills.SUBJECTS.values()
            ]
        case "full":
            return [disk.run(name, given.sizes, say) for name in kills.SUBJECTS] if disk.possible() else None
        case "network":
            return network.run(say) if network.possible() else None
        case _:
            return threads.run(say=say)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and record; the exit status is 1 if anything is not as it should be."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--only", default="", help=f"parts, of {', '.join(PARTS)}")
    parser.add_argument("--kills", type=int, default=50, help="of each command")
    parser.add_argument("--repeats", type=int, default=4000, help="of each interval")
    parser.add_argument("--inputs", type=int, default=2000, help="of each reader")
    parser.add_argument("--sizes", type=int, default=6, help="of the full disk")
    given = parser.parse_args(argv)
    chosen = given.only.split() or PARTS
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    record = faults.read(RECORD)
    for part in chosen:
        rows = measure(part, given)
        if rows is None:
            say(f"{part}: this machine does not allow it; the record keeps what it had")
            continue
        record[part] = rows
        kept = {name: record[name] for name in PARTS if name in record}
        lines = [f' "{name}": [\n  ' + ",\n  ".join(map(json.dumps, kept[name])) + "\n ]" for name in kept]
        replace_file(RECORD, "{\n" + ",\n".join(lines) + "\n}\n")
        say(f"{part}: recorded in {RECORD.relative_to(ROOT)}")
    found = list(faults.problems(record))
    print(*found, sep="\n", end="\n" * bool(found), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
