"""All 2^n - 1 joint entropies of random binary joints: our batched evaluation against dit.

python tests/bench_finite.py
"""

import itertools
import math
import time
from collections.abc import Callable
from statistics import median

import dit
import numpy as np

from rbcore.finite import Joint, random_joint

SEED = 20250424
OUR_MODELS = 2000
REPEATS = 5


def seconds(work: Callable[[], object]) -> tuple[float, object]:
    """The processor time of one call, and its result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def dit_entropies(joint: Joint, model: int, subsets: list[tuple[str, ...]]) -> list[float]:
    """The entropies of one model in nats, by dit, building its distribution included."""
    cells = list(itertools.product(range(2), repeat=len(joint.names)))
    distribution = dit.Distribution(cells, joint.p[..., model].ravel())
    indices = [[joint.names.index(name) for name in subset] for subset in subsets]
    return [dit.shannon.entropy(distribution, rvs) * math.log(2) for rvs in indices]


def main() -> None:
    """Print a table: the median time per model of each, their ratio, and their largest disagreement."""
    rng = np.random.default_rng(SEED)
    print(f"{'n':>2} {'entropies':>9} {'rbcore':>12} {'dit':>12} {'ratio':>8} {'disagreement':>13}")
    for n, dit_models in ((5, 5), (8, 3)):
        joint = random_joint(rng, [f"x{i}" for i in range(n)], (2,) * n, OUR_MODELS)
        subsets = [s for size in range(1, n + 1) for s in itertools.combinations(joint.names, size)]
        runs = [seconds(lambda: joint.entropies(subsets)) for _ in range(REPEATS)]  # noqa: B023
        ours, entropies = median(run[0] for run in runs) / OUR_MODELS, runs[0][1]
        runs = [seconds(lambda: dit_entropies(joint, model, subsets)) for model in range(dit_models)]  # noqa: B023
        theirs = median(run[0] for run in runs)
        disagreement = max(
            abs(entropies[frozenset(subset)][model] - value)
            for model, (_, values) in enumerate(runs)
            for subset, value in zip(subsets, values, strict=True)
        )
        print(
            f"{n:>2} {len(subsets):>9} {ours * 1e6:>9.2f} us {theirs * 1e6:>9.0f} us "
            f"{theirs / ours:>8.0f} {disagreement:>13.1e}"
        )


if __name__ == "__main__":
    main()
