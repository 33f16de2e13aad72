"""What the book costs: processor seconds of its chapters in the last execution against those last recorded.

python tests/bench_book.py            # prints both and their ratio; executes what is not executed yet
python tests/bench_book.py --record   # executes everything from nothing, and writes book/costs.json
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path

from rbcore.book.cli import run_chapters
from rbcore.book.execute import COSTS, ROOT


def processor_name() -> str:
    """The name that the machine's processor gives itself, as far as the system tells it."""
    facts = Path("/proc/cpuinfo")
    rows = facts.read_text().splitlines() if facts.exists() else []
    names = [row.partition(":")[2].strip() for row in rows if row.startswith("model name")]
    return names[0] if names else os.uname().machine


def main() -> None:
    """Print the table, and write the record where that was asked for."""
    record = ROOT / COSTS
    known = json.loads(record.read_text()) if record.exists() else {"chapters": {}, "on": "never"}
    _, chapters = run_chapters(ROOT, fresh="--record" in sys.argv)
    spent = {chapter.name: round(chapter.seconds, 1) for chapter in chapters}
    print(f"{'processor seconds':40} {'now':>8} {'recorded':>9} {'ratio':>6}   (recorded: {known['on']})")
    whole = ("all chapters", sum(spent.values()), sum(known["chapters"].values()))
    for name, now, was in [*((n, s, known["chapters"].get(n, 0.0)) for n, s in spent.items()), whole]:
        print(f"{name:40} {now:8.1f} {was:9.1f} {f'{now / was:6.2f}' if was else '     -'}")
    if "--record" in sys.argv:
        today = f"{datetime.date.today().isoformat()}, {processor_name()}"
        record.write_text(json.dumps({"on": today, "chapters": spent}, indent=1) + "\n")
        print(f"recorded in {COSTS}")


if __name__ == "__main__":
    main()
