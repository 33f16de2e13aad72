"""The KL gap as the released code estimates it: our batched engine against scikit-learn fits and numpy histograms.

python tests/bench_gmm.py [configurations of each setting]

Both compute the same statistic with the same number of draws: 100 rounds of 1,000 points from each of three laws.
"Plain" is the simulation as one would write it first, and the oracle of our tests.  Each contestant runs in a
process of its own, on one thread.  Times are processor times without imports and compilation.  Two-sample tests
compare the statistics, which come from different random numbers.  The exit status is 1 if they differ.
"""

import json
import os
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
from scipy import stats
from sklearn.mixture import GaussianMixture

from rbcore.gmm import Setting, histogram_gap, panels, simulate

SEED = 20250424
CORNERS = ((2, 2, 2), (15, 2, 2), (2, 15, 2), (2, 2, 15))  # (K, J, L): the ends of the figure's panels
CONFIGURATIONS = 50  # of each corner
ROUNDS, DRAWS = 100, 1000
LEVEL = 0.001  # at which any difference of the statistics is found where there is none
PANELS = 4200  # configurations of the figure


def mixture(weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, random: np.random.RandomState):
    """A scikit-learn mixture to draw from."""
    made = GaussianMixture(len(weights), random_state=random)
    made.weights_, made.means_, made.covariances_ = weights, means, covariances
    return made


def histogram_kl(p: np.ndarray, q: np.ndarray, shared: bool = False) -> float:
    """KL of two clipped and normalized histograms, by numpy and scipy."""
    both = np.concatenate([p, q])
    box = list(zip(both.min(axis=0), both.max(axis=0), strict=True)) if shared else None
    densities = [np.histogramdd(x, bins=50, range=box, density=True)[0] for x in (p, q)]
    return float(stats.entropy(*(np.clip(density, 1e-10, None).ravel() for density in densities)))


def plain(K: int, J: int, L: int, seed: np.random.SeedSequence, rounds: int = ROUNDS, draws: int = DRAWS) -> float:
    """The gap of one configuration, one step after the other."""
    random = np.random.RandomState(np.random.MT19937(seed))
    k, d = K + J + L, 2

    def products(count: int) -> np.ndarray:
        return np.array([random.random((d, d)) @ random.random((d, d)).T for _ in range(count)])

    def equal(count: int) -> np.ndarray:
        return np.full(count, 1 / count)

    truth = mixture(equal(K + J), 10 * random.random((K + J, d)), products(K + J), random)
    anchors = [random.multivariate_normal(truth.means_[c], truth.covariances_[c], 50) for c in range(K)]
    means = np.concatenate([[a.mean(axis=0) for a in anchors], truth.means_[K:], 10 * random.random((L, d))])
    fitted = [np.cov(a.T) + 1e-6 * np.eye(d) for a in anchors]
    generator = mixture(equal(k), means, np.concatenate([fitted, truth.covariances_[K:], products(L)]), random)
    anchor_fit = GaussianMixture(K, random_state=random).fit(np.concatenate(anchors))
    synthetic_fit = GaussianMixture(k, random_state=random).fit(generator.sample(200)[0])
    total = 0.0
    for _ in range(rounds):
        points = [law.sample(draws)[0] for law in (truth, anchor_fit, synthetic_fit)]
        total += histogram_kl(points[1], points[0]) - histogram_kl(points[2], points[0])
    return total / rounds


def run_plain(configurations: int) -> dict[str, object]:
    """Statistics and seconds of the plain contestant."""
    warnings.simplefilter("ignore")  # numpy says that the covariances are not symmetric, which is the point
    found = []
    for corner in CORNERS:
        seeds = np.random.SeedSequence(SEED, spawn_key=corner).spawn(configurations)
        start = time.process_time()
        values = [plain(*corner, seed) for seed in seeds]
        found.append({"values": values, "seconds": time.process_time() - start})
    return {"corners": found}


def run_ours(configurations: int) -> dict[str, object]:
    """Statistics and seconds of our engine; then the figure."""
    panels(SEED, repeats=1, values=(2,), estimators=("released",))  # compiles
    found = []
    for K, J, L in CORNERS:
        start = time.process_time()
        run = simulate(Setting(K, J, L), range(configurations), SEED)
        middle = time.process_time()
        fits = run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture
        gap = histogram_gap(*fits, run.streams, ROUNDS, DRAWS, shared=False).gap[:, 0]
        end = time.process_time()
        found.append({"values": gap.tolist(), "seconds": end - start, "fits": middle - start})
    start = time.process_time()
    rows = len(panels(SEED, estimators=("released",), rounds=ROUNDS, draws=DRAWS))
    assert rows == PANELS
    return {"corners": found, "figure": time.process_time() - start}


def contestant(name: str, configurations: int) -> dict[str, object]:
    """Run one contestant in a process of its own, on one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, name, str(configurations)]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(shown)


def main(configurations: int) -> int:
    """Print the table; the exit status."""
    slow, fast = contestant("plain", configurations), contestant("ours", configurations)
    print(f"KL gap by the released estimator, {configurations} configurations of each setting (processor time)")
    table = "{:<12}{:>14}{:>14}{:>9}{:>12}{:>10}{:>10}{:>9}{:>9}"
    print(table.format("", "plain", "rbcore", "", "of it EM", "plain", "rbcore", "means", "KS"))
    print(table.format("K, J, L", "ms each", "ms each", "ratio", "and data", "mean", "mean", "p", "p"))
    least, seconds = 1.0, np.zeros(2)
    for corner, a, b in zip(CORNERS, slow["corners"], fast["corners"], strict=True):
        each = np.array([a["seconds"], b["seconds"]]) / configurations * 1e3
        means = stats.ttest_ind(a["values"], b["values"], equal_var=False).pvalue
        laws = stats.ks_2samp(a["values"], b["values"]).pvalue
        least, seconds = min(least, means, laws), seconds + each
        row = [f"{each[0]:.0f}", f"{each[1]:.2f}", f"{each[0] / each[1]:.0f}", f"{b['fits'] / b['seconds']:.0%}"]
        row += [f"{np.mean(x['values']):.2f}" for x in (a, b)] + [f"{means:.2f}", f"{laws:.2f}"]
        print(table.format(", ".join(map(str, corner)), *row))
    print(f"all settings: ratio {seconds[0] / seconds[1]:.0f}")
    print(f"peak memory: plain {slow['peak']:.0f} MB, rbcore {fast['peak']:.0f} MB, the figure included")
    per = 1e3 * fast["figure"] / PANELS
    print(f"the figure, {PANELS:,} configurations: {fast['figure']:.1f} s, {per:.2f} ms each, with rbcore")
    agree = least > LEVEL / (2 * len(CORNERS))
    print(f"agreement: {'yes' if agree else 'NO'}, smallest of {2 * len(CORNERS)} p-values {least:.2g}\n")
    return 0 if agree else 1


if __name__ == "__main__":
    if sys.argv[1:2] in (["plain"], ["ours"]):
        result = {"plain": run_plain, "ours": run_ours}[sys.argv[1]](int(sys.argv[2]))
        print(json.dumps(result | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else CONFIGURATIONS))
