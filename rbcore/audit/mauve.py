"""MAUVE (Pillutla et al. 2021), so that a published score can be compared with one of these data.

Both samples are quantized by one k-means; the score is the area under the curve of exp(-c KL) from either law to
their mixtures, 1 when the histograms agree.  It depends on the embedding, on the number of clusters and on the
sample size; published scores use the features of GPT-2.  So it is never read alone here: the same score of two
halves of the anchors stands beside it, and the spread over starts of the clustering is its interval.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.special import rel_entr
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from rbcore.estimate.base import Estimate

SCALE = 5.0  # of divergences, as published
GRID = 25  # mixtures
EXPLAINED = 0.9  # share of the variance that clustering sees
STARTS = 5  # clusterings


def score(p: ArrayLike, q: ArrayLike, scale: float = SCALE) -> float:
    """MAUVE of two histograms: the mean of the areas below the curve, taken along either axis."""
    p, q = (np.asarray(one, dtype=float) / np.sum(one) for one in (p, q))
    mixtures = np.linspace(1e-6, 1 - 1e-6, GRID)[:, None] * (p - q) + q
    ends = [rel_entr(one, mixtures).sum(axis=1) for one in (q, p)]
    x = np.exp(-scale * np.concatenate([[0.0], ends[0], [np.inf]]))
    y = np.exp(-scale * np.concatenate([[np.inf], ends[1], [0.0]]))
    areas = [np.trapezoid(b[order], a[order]) for a, b in ((x, y), (y, x)) for order in [np.lexsort((-b, a))]]
    return float(np.mean(areas))


def mauve(x: np.ndarray, y: np.ndarray, rng: Generator, starts: int = STARTS) -> Estimate:
    """The mean score of points of shapes (n, d) and (m, d) over clusterings; the interval is their range."""
    both = normalize(np.concatenate([y, x]))
    reduced = PCA(random_state=0).fit(both)
    kept = int(np.argmax(np.cumsum(reduced.explained_variance_ratio_) >= EXPLAINED)) + 1
    points = reduced.transform(both)[:, :kept]
    clusters = max(2, round(min(len(x), len(y)) / 10))
    scores = []
    for _ in range(starts):
        labels = KMeans(clusters, n_init=5, random_state=int(rng.integers(2**31))).fit_predict(points)
        counts = [np.bincount(part, minlength=clusters) for part in (labels[len(y) :], labels[: len(y)])]
        scores.append(score(counts[0], counts[1]))
    ends = (min(scores), max(scores))
    return Estimate("mauve", float(np.mean(scores)), ends, min(len(x), len(y)), x.shape[1], level=1.0)
