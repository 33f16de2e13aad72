"""Show how far the execution of the notebooks has come, and how long it will take still."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence

from tqdm import tqdm


class Progress:
    """One bar over all cells, weighted by the seconds that each took last time, with the time left.

    Where nobody watches (a log, CI) it prints a line when a notebook begins and one when it ends.  `seconds` holds
    the expected seconds of each cell by the notebook's name; zero for a cell that does not run.
    """

    def __init__(self, seconds: Mapping[str, Sequence[float]]):
        self.seconds, self.ran = seconds, 0
        self.total = sum(s > 0 for cells in seconds.values() for s in cells)
        self.lock = threading.Lock()
        self.began: dict[str, float] = {}
        self.watched = sys.stderr.isatty()
        form = "{desc} {percentage:3.0f}%|{bar:30}| {elapsed} so far, {remaining} left {postfix}"
        whole = sum(sum(cells) for cells in seconds.values())
        self.bar = tqdm(total=whole, bar_format=form, disable=not self.watched, leave=False)

    def start(self, name: str) -> None:
        """A notebook begins."""
        with self.lock:
            self.began[name] = time.monotonic()
            self.bar.set_description_str(", ".join(sorted(self.began)))
            if not self.watched:
                print(
                    f"executing {name} ({sum(s > 0 for s in self.seconds[name])} cells)",
                    file=sys.stderr,
                    flush=True,
                )

    def cell(self, name: str, index: int) -> None:
        """The cell number `index` of a notebook has run."""
        with self.lock:
            self.ran += 1
            weights = self.seconds[name]
            self.bar.set_postfix_str(f"cell {self.ran} of {self.total}", refresh=False)
            self.bar.update(weights[index] if index < len(weights) else 0.0)

    def finish(self, name: str) -> None:
        """A notebook has run to its end."""
        with self.lock:
            seconds = time.monotonic() - self.began.pop(name)
            if not self.watched:
                print(f"executed {name} in {seconds:.0f} s", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take the bar away."""
        self.bar.close()
