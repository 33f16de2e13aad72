"""Gaussian mixtures by expectation-maximization, one compiled loop over many data sets.

The steps are those of scikit-learn's `GaussianMixture` with its defaults, so that it can be the oracle: greedy
k-means++ centres, Lloyd's iterations, then EM with full covariances until the mean log-likelihood moves by less
than `tol`.  A data set's result depends on its points and its own uniforms only, not on its batch.

Arrays of mixtures have the batch *first*, here and in the other `gmm` modules: a data set is then one stretch of
memory for a compiled loop, and `numpy.linalg` wants its matrices last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rbcore.gmm.loops import best_of, lloyd, plus_plus


class Mixtures(NamedTuple):
    """B mixtures of k Gaussians in d dimensions: weights (B, k), means (B, k, d), covariances (B, k, d, d)."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray


class Fit(NamedTuple):
    """Fitted mixtures and how the fits went; arrays of shape (B,).

    log_likelihood: of the points under the fit, nats a point.  iterations: of the start that was kept.  converged:
    whether it stopped by `tol` and not at `max_iter`.  empty: components that hold less than half a point.
    """

    mixture: Mixtures
    log_likelihood: np.ndarray
    iterations: np.ndarray
    converged: np.ndarray
    empty: np.ndarray


def fit(
    points: ArrayLike,
    k: int,
    rngs: Sequence[np.random.Generator],
    restarts: int = 1,
    tol: float = 1e-3,
    max_iter: int = 100,
    reg: float = 1e-6,
    labels: ArrayLike | None = None,
) -> Fit:
    """Fit k components to each data set; of several starts the one with the largest likelihood is kept.

    Args:
        points: shape (B, n, d), or (n, d) for one data set.
        rngs: one generator for each data set.
        restarts: the number of k-means++ starts.
        tol: change of the mean log-likelihood, in nats a point, below which EM has converged.
        reg: added to the diagonal of every covariance.
        labels: start from these components, integers of shape (B, n), instead of k-means.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, or fewer points than components.
    """
    points = np.asarray(points, dtype=float)
    points = points[None] if points.ndim == 2 else points
    if points.ndim != 3 or 0 in points.shape:
        raise ValueError(f"points has the shape (data sets, points, dimensions), got {points.shape}")
    B, n, d = points.shape
    if not np.isfinite(points).all():
        raise ValueError("points holds a value that is NaN or infinite")
    if not isinstance(k, int | np.integer) or not 1 <= k <= n:
        raise ValueError(f"k is a number of components, at least 1 and at most the {n} points, got {k}")
    if len(rngs) != B:
        raise ValueError(f"rngs: one generator for each of the {B} data sets, got {len(rngs)}")
    if restarts < 1 or max_iter < 1:
        raise ValueError(f"restarts and max_iter are at least 1, got {restarts} and {max_iter}")
    if not (0 < reg < np.inf and 0 < tol < np.inf):
        raise ValueError(f"reg and tol are positive, got {reg} and {tol}")
    if labels is not None:
        labels = np.asarray(labels, dtype=np.int64)
        if labels.shape not in ((n,), (B, n)):
            raise ValueError(f"labels has the shape {(B, n)} or {(n,)}, got {labels.shape}")
        labels = np.broadcast_to(labels, (B, n))
        if labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels are integers in 0..{k - 1}, got {labels.min()}..{labels.max()}")
    mixture = Mixtures(np.empty((B, k)), np.empty((B, k, d)), np.empty((B, k, d, d)))
    report = np.empty((B, 4))
    trials = 2 + int(np.log(k))
    for b, rng in enumerate(rngs):
        centre = points[b].mean(axis=0)
        x = np.ascontiguousarray((points[b] - centre).T)
        start = np.full((restarts, n), -1) if labels is None else labels[b : b + 1]
        uniforms = rng.random((len(start), k, trials))
        parts = mixture.weights[b], mixture.means[b], mixture.covariances[b]
        best_of(x, start, uniforms, tol, max_iter, reg, *parts, report[b])
        mixture.means[b] += centre
    return Fit(mixture, report[:, 0], report[:, 1].astype(int), report[:, 2] > 0, report[:, 3].astype(int))


def kmeans(points: ArrayLike, k: int, rng: np.random.Generator, max_iter: int = 300) -> np.ndarray:
    """The label of each of the `points` (n, d) after greedy k-means++ and Lloyd's iterations; shape (n,)."""
    x = np.ascontiguousarray(np.asarray(points, dtype=float).T)
    labels, centres = np.zeros(x.shape[1], np.int64), np.empty((k, len(x)))
    plus_plus(x, rng.random((k, 2 + int(np.log(k)))), centres)
    lloyd(x, centres, labels, max_iter)
    return labels
