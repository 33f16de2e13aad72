"""HSIC in blocks against whole kernel matrices, KSG against scikit-learn, MMD's permutations: time and memory.

python tests/bench_estimate.py

"Plain" is the formula as one would write it first, with n x n matrices.  Each contestant runs in a process of its
own, on one thread, with the same data.  Times are processor times without imports and compilation; memory is the
peak of the process above what it held before.  The exit status is 1 if two contestants that compute the same
number differ by more than TOLERANCE, relative.
"""

import json
import os
import resource
import subprocess
import sys
import time

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.feature_selection import mutual_info_regression

from rbcore.estimate.divergence import mmd
from rbcore.estimate.information import hsic, ksg, standardized

SEED = 20250424
ROWS = 5000  # for the kernel methods; KSG takes four times as many
DIMENSION, RHO = 3, 0.3
PERMUTATIONS = 50
TOLERANCE = 1e-6


def data(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Two dependent Gaussian samples."""
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(n, d))
    return x, RHO * x + np.sqrt(1 - RHO**2) * rng.normal(size=(n, d))


def gram(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The whole kernel matrix, its diagonal zero, its bandwidth from the rows that ours takes."""
    rows = z[rng.choice(len(z), 1000, replace=False)]
    width = np.median(cdist(rows, rows)[np.triu_indices(1000, 1)])
    return np.exp(-(cdist(z, z) ** 2) / (2 * width**2)) - np.eye(len(z))


def plain_hsic() -> float:
    """The unbiased HSIC by matrices."""
    rng = np.random.default_rng(SEED)
    K, L = (gram(standardized(z), rng) for z in data(ROWS, DIMENSION))
    n, one = ROWS, np.ones(ROWS)
    third = (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
    return float(((K * L).sum() + third - 2 / (n - 2) * (one @ K @ L @ one)) / (n * (n - 3)))


def our_hsic() -> float:
    """All pairs of rows, in blocks, with the jackknife."""
    return hsic(*data(ROWS, DIMENSION), np.random.default_rng(SEED), 0, "blocks").value


def grouped_hsic() -> float:
    """Pairs within groups of rows."""
    x, y = data(4 * ROWS, DIMENSION)
    return hsic(x, y, np.random.default_rng(SEED), 0, "features").value


def samples() -> tuple[np.ndarray, np.ndarray]:
    """Two samples of different laws."""
    x, y = data(ROWS // 2, DIMENSION)
    return x, y + 0.2


def plain_mmd() -> float:
    """The unbiased MMD and its permutation test by one matrix, permuted each time."""
    x, y = samples()
    rng = np.random.default_rng(SEED)
    z = np.concatenate([x, y])
    z = z - z.mean(axis=0)
    z = z / z.std(axis=0)
    n = len(x)
    K = gram(z, rng)

    def value(order: np.ndarray) -> float:
        one, two = order[:n], order[n:]
        within = (K[np.ix_(one, one)].sum() + K[np.ix_(two, two)].sum()) / (n * (n - 1))
        return float(within - 2 * K[np.ix_(one, two)].mean())

    found = [value(np.arange(len(z)))] + [value(rng.permutation(len(z))) for _ in range(PERMUTATIONS)]
    return found[0]


def our_mmd() -> float:
    """All permutations of a block at once."""
    return mmd(*samples(), np.random.default_rng(SEED), PERMUTATIONS, "blocks").value


def their_ksg() -> float:
    """scikit-learn's, which takes one column on each side and gives no interval."""
    x, y = data(4 * ROWS, 1)
    return float(mutual_info_regression(x, y[:, 0], n_neighbors=3, random_state=0)[0])


def our_ksg() -> float:
    """With its interval, from half-samples."""
    return ksg(*data(4 * ROWS, 1)).value


CONTESTS = {
    f"HSIC, n = {ROWS:,}": (plain_hsic, our_hsic),
    f"MMD, {ROWS:,} rows, {PERMUTATIONS} permutations": (plain_mmd, our_mmd),
    f"KSG, n = {4 * ROWS:,}, one column": (their_ksg, our_ksg),
    f"HSIC within groups, n = {4 * ROWS:,}": (grouped_hsic,),
}


def contestant(name: str) -> dict[str, float]:
    """The value, processor time and additional memory of one contestant, in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    made = subprocess.run(
        [sys.executable, __file__, name], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(made.stdout)


def run(name: str) -> None:
    """What the process of one contestant does."""
    x, y = data(40, 1)  # compile and import what is imported late
    hsic(x, y, np.random.default_rng(0), 1)
    before = resource.getrusage(resource.RUSAGE_SELF)
    value = globals()[name]()
    after = resource.getrusage(resource.RUSAGE_SELF)
    grown = (after.ru_maxrss - before.ru_maxrss) / 1024
    print(
        json.dumps(
            {
                "value": value,
                "seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
                "mebibytes": grown,
            }
        )
    )


def main() -> int:
    """Print the table; the exit status."""
    agree = True
    print(f"{'':<40}{'contestant':<16}{'value':>11}{'seconds':>9}{'MiB':>7}{'times slower, larger':>22}")
    for title, contest in CONTESTS.items():
        rows = [contestant(one.__name__) for one in contest]
        ours = rows[-1]
        for one, row in zip(contest, rows, strict=True):
            ratios = f"{row['seconds'] / ours['seconds']:.1f}, {row['mebibytes'] / max(ours['mebibytes'], 1):.1f}"
            print(f"{title:<40}{one.__name__:<16}{row['value']:>11.6f}{row['seconds']:>9.2f}", end="")
            print(f"{row['mebibytes']:>7.0f}{ratios:>22}")
            agree &= abs(row["value"] - ours["value"]) <= TOLERANCE * abs(ours["value"])
    print(f"agreement: {'yes' if agree else 'NO'}, relative difference allowed {TOLERANCE:.0e}\n")
    return 0 if agree else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(sys.argv[1])
    else:
        started = time.perf_counter()
        status = main()
        print(f"{time.perf_counter() - started:.0f} seconds in all")
        sys.exit(status)
