"""Histogram estimates of KL taken apart, for one configuration at a time: boxes, cells, counts and the clip.

:mod:`rbcore.gmm.released` computes these estimates fast; here the steps are separate, in plain numpy, for d = 2.
In nats, for counts c of the first law and b of the second, n points each, clip k, and the second cell area A:

    KL = sum_{b > 0} (c / n) log(c / b) + sum_{b = 0} (c / n) log c + m log(1 / (k n A)),

up to terms of the order of k log(1/k).  `m` is the share of the first law's points whose cell is empty in the
second histogram (:func:`stray`) and the last logarithm is the price of such a point (:func:`price`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import gammaln, xlog1py, xlogy

from rbcore.gmm.density import log_density
from rbcore.gmm.em import Mixtures
from rbcore.gmm.released import BINS
from rbcore.gmm.world import factors

CLIP = 1e-10


class Cells(NamedTuple):
    """A histogram: counts (BINS, BINS), and the area of one cell."""

    counts: np.ndarray
    area: float


def draw(law: Mixtures, n: int, rng: np.random.Generator, b: int = 0) -> np.ndarray:
    """n independent points (n, d) from mixture b of `law`."""
    labels = rng.choice(law.weights.shape[1], size=n, p=law.weights[b] / law.weights[b].sum())
    roots = factors(law.covariances[b])[labels]
    return law.means[b, labels] + np.einsum("nij,nj->ni", roots, rng.standard_normal((n, law.means.shape[-1])))


def box(*points: np.ndarray) -> np.ndarray:
    """The smallest box that holds all the points (n, 2): rows low and high, shape (2, 2)."""
    every = np.concatenate(points)
    if every.ndim != 2 or every.shape[1] != 2:
        raise ValueError(f"points have the shape (n, 2), got {every.shape}")
    return np.stack([every.min(axis=0), every.max(axis=0)])


def cells(points: np.ndarray, within: ArrayLike | None = None) -> Cells:
    """Counts on a grid over the box `within`, by default the points' own, which is what the released code takes.

    Points outside of the box are not counted.
    """
    low, high = box(points) if within is None else np.asarray(within, dtype=float)
    counts, _, _ = np.histogram2d(*points.T, bins=BINS, range=np.stack([low, high], axis=1))
    return Cells(counts, float(np.prod((high - low) / BINS)))


def histogram_kl(p: Cells, q: Cells, clip: float = CLIP) -> float:
    """KL of two histograms, cell by cell: densities are raised to `clip` at least, then normalized."""
    one, two = (np.maximum(h.counts / h.counts.sum() / h.area, clip).ravel() for h in (p, q))
    return float(stats.entropy(one, two))


def stray(p: Cells, q: Cells) -> float:
    """The share of p's points whose cell is empty in q."""
    return float(p.counts[q.counts == 0].sum() / p.counts.sum())


def price(q: Cells, clip: float = CLIP) -> float:
    """What one stray point adds to the divergence: `log(1 / (clip n A))`, for n counts in cells of area A."""
    return float(-np.log(clip * q.counts.sum() * q.area))


class Comparison(NamedTuple):
    """Both histogram estimates of KL(fit || truth) from one round of points, in nats, and where they come from.

    released, shared: the estimates.  released_stray, shared_stray: the part of each that stray points make up,
    their share times their price.  overlap: area that the boxes of fit and truth have in common, over that of
    their union.
    """

    released: float
    shared: float
    released_stray: float
    shared_stray: float
    overlap: float


def compare(fit: np.ndarray, truth: np.ndarray) -> Comparison:
    """Both estimates from points of the fit and of the truth, (n, 2) each."""
    whole, own = box(fit, truth), (box(fit), box(truth))
    common = np.maximum(np.minimum(own[0][1], own[1][1]) - np.maximum(own[0][0], own[1][0]), 0).prod()
    sizes = [(one[1] - one[0]).prod() for one in own]
    pairs = [(cells(fit), cells(truth)), (cells(fit, whole), cells(truth, whole))]
    values = [histogram_kl(p, q) for p, q in pairs]
    charges = [stray(p, q) * price(q) for p, q in pairs]
    return Comparison(*values, *charges, float(common / (sum(sizes) - common)))


def chances(law: Mixtures, within: ArrayLike, b: int = 0, fine: int = 8) -> np.ndarray:
    """The probability of each cell (BINS, BINS) under mixture b, given the box: midpoints of `fine`^2 parts."""
    low, high = np.asarray(within, dtype=float)
    side = (np.arange(BINS * fine) + 0.5) / (BINS * fine)
    x, y = (low[i] + side * (high[i] - low[i]) for i in (0, 1))
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(1, -1, 2)
    alone = Mixtures(*(part[b : b + 1] for part in law))
    density = np.exp(log_density(points, alone)[0]).reshape(BINS, fine, BINS, fine).sum(axis=(1, 3))
    return density / density.sum()


def self_kl(chance: ArrayLike, n: int, area: float, clip: float = CLIP) -> float:
    """The expected divergence between two histograms of *one* law, n points each, on one fixed grid.

    The count of a cell with probability r is binomial in each, and the two are independent.  So the cell adds
    `E[(c / n) log c] - r E[log b; b > 0] + r (1 - r)^n log(1 / (clip n area))`.

    Args:
        chance: the cells' probabilities, any shape, sum 1.
    """
    chance = np.asarray(chance, dtype=float).ravel()
    if n < 1 or not np.isclose(chance.sum(), 1) or (chance < 0).any():
        raise ValueError(f"n is at least 1 and chance a pmf, got n = {n} and the sum {chance.sum()}")
    chance = chance[chance > 0]
    counts = np.arange(1, n + 1)
    ways = (gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1))[:, None]
    logs, total = np.log(counts), 0.0
    for part in np.array_split(chance, max(1, len(chance) * n // 1_000_000)):
        pmf = np.exp(ways + xlogy(counts[:, None], part) + xlog1py((n - counts)[:, None], -part))
        total += float(((counts / n * logs) @ pmf - part * (logs @ pmf)).sum())
    return total + float(chance @ (1 - chance) ** n) * -float(np.log(clip * n * area))
