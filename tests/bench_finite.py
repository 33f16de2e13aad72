"""All 2^n - 1 joint entropies of random binary pmfs: how many pmfs a second, ours against dit, and do they agree?

python tests/bench_finite.py

The pmfs are the same.  Ours evaluates them as one batch, which is how the book uses it, and also one by one; dit
has no batches.  Its time includes making its distribution from the table.  Times are processor times: the median
over repeats for the batch, over pmfs otherwise.  The exit status is 1 if an entropy differs by more than
TOLERANCE.
"""

import itertools
import math
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

import dit
import numpy as np

from rbcore.information.finite import Joint, random_joint

SEED = 20250424
BATCH = 2000  # pmfs, of which the first SHARED also go to dit, and to ours one by one
SHARED = {5: 40, 8: 10}  # for each number n of variables
REPEATS = 7
TOLERANCE = 1e-10  # nats


class Row(NamedTuple):
    """One contestant: on how many pmfs, how many a second, and how far from the batched answer, in nats."""

    name: str
    pmfs: int
    per_second: float
    difference: float | None


def seconds(work: Callable[[], object]) -> tuple[float, object]:
    """The processor time of one call, and its result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def dit_entropies(joint: Joint, model: int, subsets: Sequence[tuple[str, ...]]) -> list[float]:
    """The entropies of one model in nats, by dit, building its distribution included."""
    cells = list(itertools.product(range(2), repeat=len(joint.names)))
    distribution = dit.Distribution(cells, joint.p[..., model].ravel())
    indices = [[joint.names.index(name) for name in subset] for subset in subsets]
    return [dit.shannon.entropy(distribution, rvs) * math.log(2) for rvs in indices]


def contest(n: int, shared: int, rng: np.random.Generator) -> list[Row]:
    """The rows for n variables: our batch, ours one by one, dit."""
    joint = random_joint(rng, [f"x{i}" for i in range(n)], (2,) * n, BATCH)
    subsets = [s for size in range(1, n + 1) for s in itertools.combinations(joint.names, size)]
    runs = [seconds(lambda: joint.entropies(subsets)) for _ in range(REPEATS)]
    entropies = runs[0][1]
    batch = np.array([entropies[frozenset(s)][:shared] for s in subsets]).T
    alone = [Joint(joint.names, joint.p[..., model]) for model in range(shared)]

    def one(model: int) -> list[float]:
        found = alone[model].entropies(subsets)
        return [found[frozenset(s)] for s in subsets]

    rows = [Row("rbcore, one batch", BATCH, BATCH / median(time for time, _ in runs), None)]
    for name, work in (
        ("rbcore, one by one", one),
        ("dit", lambda model: dit_entropies(joint, model, subsets)),
    ):
        runs = [seconds(lambda: work(model)) for model in range(shared)]  # noqa: B023
        difference = float(np.abs(batch - [values for _, values in runs]).max())
        rows.append(Row(name, shared, 1 / median(time for time, _ in runs), difference))
    return rows


def main() -> int:
    """Print the table; the exit status."""
    rng = np.random.default_rng(SEED)
    print("All 2^n - 1 joint entropies of random binary pmfs, the same pmfs for each library (processor time)")
    table = "{:<3}{:>11}  {:<20}{:>7}{:>13}{:>9}{:>20}"
    print(table.format("", "entropies", "", "pmfs", "pmfs", "times", "largest difference"))
    print(table.format("n", "of a pmf", "library", "tried", "per second", "slower", "from batch, nats"))
    worst = 0.0
    for n, shared in SHARED.items():
        rows = contest(n, shared, rng)
        for row in rows:
            slower = f"{rows[0].per_second / row.per_second:,.0f}"
            shown = "" if row.difference is None else f"{row.difference:.1e}"
            worst = max(worst, row.difference or 0.0)
            speed = f"{row.per_second:,.0f}"
            print(table.format(n, 2**n - 1, row.name, f"{row.pmfs:,}", speed, slower, shown))
    agree = worst <= TOLERANCE
    print(f"agreement: {'yes' if agree else 'NO'}, largest difference {worst:.1e}, allowed {TOLERANCE:.0e}\n")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
