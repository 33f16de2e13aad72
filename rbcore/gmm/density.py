"""Kullback-Leibler divergences between Gaussian mixtures, in nats: by Monte Carlo, and bounds in closed form.

The Monte Carlo estimate is stratified: each component of the first law gets points in proportion to its weight,
and the log densities of both laws at these points are exact.  It is unbiased and comes with its standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rbcore.gmm.em import Mixtures
from rbcore.gmm.loops import log_density as _fill
from rbcore.gmm.loops import log_joint
from rbcore.gmm.world import check, factors


class Estimate(NamedTuple):
    """Monte Carlo estimates with their standard errors, each of shape (B,)."""

    value: np.ndarray
    se: np.ndarray


class Divergences(NamedTuple):
    """The four divergences between two fits and the truth, and their two gaps.

    forward_*: KL(fit || truth).  reverse_*: KL(truth || fit), the excess log loss on the task.
    A gap is the anchor fit's divergence minus the synthetic fit's: positive when synthetic data has helped.  In
    the reverse gap both fits see the same points, and the truth's density cancels.
    """

    forward_anchors: Estimate
    forward_synthetic: Estimate
    forward: Estimate
    reverse_anchors: Estimate
    reverse_synthetic: Estimate
    reverse: Estimate


def log_density(points: ArrayLike, law: Mixtures) -> np.ndarray:
    """Log densities in nats: points (B, n, d), mixtures of B; shape (B, n)."""
    points = np.asarray(points, dtype=float)
    if points.ndim != 3 or (len(points), points.shape[-1]) != law.means[:, 0].shape:
        raise ValueError(f"points (B, n, d) for mixtures (B, k, d): got {points.shape} and {law.means.shape}")
    return np.stack([_densities(points[b].T, (law,), b)[0] for b in range(len(points))])


def _densities(x: np.ndarray, laws: Sequence[Mixtures], b: int) -> np.ndarray:
    """Log densities of the points x (d, n) under configuration b of each law, shape (laws, n)."""
    x = np.ascontiguousarray(x)
    n = x.shape[1]
    out, largest = np.empty((len(laws), n)), np.empty(n)
    for row, law in zip(out, laws, strict=True):
        joint = np.empty((law.weights.shape[1], n))
        _fill(x, law.weights[b], law.means[b], law.covariances[b], joint, largest, row)
    return out


def _strata(law: Mixtures, roots: np.ndarray, b: int, draws: int, rng: np.random.Generator):
    """Points (d, n) of configuration b; where each component's points begin, their number and its weight."""
    used = np.flatnonzero(law.weights[b] > 0)
    weights = law.weights[b, used]
    counts = np.maximum(np.ceil(draws * weights).astype(int), 8)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    x = rng.standard_normal((law.means.shape[-1], counts.sum()))
    for c, start, count in zip(used, starts, counts, strict=True):
        part = x[:, start : start + count]
        part[:] = roots[b, c] @ part + law.means[b, c][:, None]
    return x, starts, counts, weights


def _average(values: np.ndarray, starts: np.ndarray, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Stratified mean and its standard error of the rows of `values` (m, n); shape (m, 2)."""
    means = np.add.reduceat(values, starts, axis=1) / counts
    spread = np.add.reduceat((values - np.repeat(means, counts, axis=1)) ** 2, starts, axis=1) / (counts - 1)
    return np.stack([means @ weights, np.sqrt((spread / counts) @ weights**2)], axis=-1)


def _check(draws: int, seeds: Sequence[object], *laws: Mixtures) -> None:
    if draws < 1:
        raise ValueError(f"draws is a number of points, at least 1, got {draws}")
    shapes = {(len(law.means), law.means.shape[-1]) for law in laws} | {(len(seeds), laws[0].means.shape[-1])}
    if len(shapes) > 1:
        raise ValueError(f"laws and seeds: one batch and one dimension, got {sorted(shapes)}")
    check(*laws)


def kl(p: Mixtures, q: Mixtures, draws: int, rngs: Sequence[np.random.Generator]) -> Estimate:
    """KL(p || q) of each configuration from about `draws` stratified points of p.

    Raises:
        ValueError: for batches or dimensions that differ, or mixtures with invalid numbers.
    """
    _check(draws, rngs, p, q)
    roots, found = factors(p.covariances), []
    for b, rng in enumerate(rngs):
        x, *strata = _strata(p, roots, b, draws, rng)
        own, other = _densities(x, (p, q), b)
        found.append(_average((own - other)[None], *strata)[0])
    return Estimate(*np.array(found).T)


def divergences(
    truth: Mixtures,
    anchor_fit: Mixtures,
    synthetic_fit: Mixtures,
    draws: int,
    seeds: Sequence[np.random.SeedSequence],
) -> Divergences:
    """Both directions of the KL gap from closed-form densities, about `draws` points of each law.

    The draws of a configuration depend on its seed alone.  Raises ValueError as :func:`kl` does.
    """
    _check(draws, seeds, truth, anchor_fit, synthetic_fit)
    laws = anchor_fit, synthetic_fit, truth
    roots = [factors(law.covariances) for law in laws]
    found = np.empty((len(seeds), 5, 2))
    for b, seed in enumerate(seeds):
        rng = np.random.Generator(np.random.SFC64(seed.generate_state(8)))
        for row, law in enumerate(laws[:2]):
            x, *strata = _strata(law, roots[row], b, draws, rng)
            own, true = _densities(x, (law, truth), b)
            found[b, row] = _average((own - true)[None], *strata)[0]
        x, *strata = _strata(truth, roots[2], b, draws, rng)
        anchors, synthetic, true = _densities(x, laws, b)
        found[b, 2:] = _average(np.stack([true - anchors, true - synthetic, synthetic - anchors]), *strata)
    parts = [Estimate(*found[:, i].T) for i in range(5)]
    forward = Estimate(parts[0].value - parts[1].value, np.hypot(parts[0].se, parts[1].se))
    return Divergences(parts[0], parts[1], forward, parts[2], parts[3], parts[4])


def kl_gaussians(m0: ArrayLike, s0: ArrayLike, m1: ArrayLike, s1: ArrayLike) -> np.ndarray:
    """`KL(N(m0, s0) || N(m1, s1))`: means (..., d), covariances (..., d, d), which broadcast; shape (...,), nats.

    Raises ValueError for numbers that are not finite, or a covariance whose determinant is not positive.
    """
    m0, s0, m1, s1 = (np.asarray(a, dtype=float) for a in (m0, s0, m1, s1))
    if not all(np.isfinite(a).all() for a in (m0, s0, m1, s1)):
        raise ValueError("a mean or a covariance holds a value that is NaN or infinite")
    (sign0, volume0), (sign1, volume1) = np.linalg.slogdet(s0), np.linalg.slogdet(s1)
    if (sign0 <= 0).any() or (sign1 <= 0).any():
        raise ValueError("a covariance is not positive definite: its determinant is not positive")
    inverse, apart = np.linalg.inv(s1), m1 - m0
    trace = np.einsum("...ij,...ji->...", inverse, s0)
    distance = np.einsum("...i,...ij,...j->...", apart, inverse, apart)
    return (trace + distance + volume1 - volume0 - m0.shape[-1]) / 2


def kl_separated(p: Mixtures, q: Mixtures) -> np.ndarray:
    """KL(p || q) if components of p do not overlap: `-H(w) - sum_a w_a log sum_b v_b e^{-D_ab}`, in closed form.

    `D_ab` is the divergence of component a of p from component b of q (Hershey and Olsen 2007); shape (B,), nats.
    With A the component that a point of p comes from, adding `H(A | point)`, which is at most `H(w)`, gives an
    upper bound on KL(p || q) that always holds.  Proof: by Jensen's inequality, for every a and every pmf r over
    b, `E_a log q >= sum_b r_b (log(v_b / r_b) + E_a log q_b)`, and the best r gives `log sum_b v_b e^{-D_ab} -
    h_a`, where `h_a` is the entropy of component a; and `E_p log p = -sum_a w_a h_a - H(w) + H(A | point)`.

    Raises ValueError for mixtures that do not fit together or are invalid.
    """
    if (len(p.means), p.means.shape[-1]) != (len(q.means), q.means.shape[-1]):
        raise ValueError(f"p and q: one batch and one dimension, got {p.means.shape} and {q.means.shape}")
    check(p, q)
    d = kl_gaussians(
        p.means[:, :, None], p.covariances[:, :, None], q.means[:, None, :], q.covariances[:, None, :]
    )
    with np.errstate(divide="ignore"):
        inside = np.log(q.weights)[:, None, :] - d
        logs = np.log(np.where(p.weights > 0, p.weights, 1))
    largest = inside.max(axis=-1)
    nearest = largest + np.log(np.exp(inside - largest[..., None]).sum(axis=-1))
    return (p.weights * (logs - nearest)).sum(axis=1)


def label_entropy(law: Mixtures, draws: int, rngs: Sequence[np.random.Generator]) -> Estimate:
    """`H(component | point)` in nats, by stratified Monte Carlo: zero without overlap, at most `H(weights)`."""
    _check(draws, rngs, law)
    roots, found = factors(law.covariances), []
    for b, rng in enumerate(rngs):
        x, *strata = _strata(law, roots, b, draws, rng)
        joint = np.empty((law.weights.shape[1], x.shape[1]))
        log_joint(x, law.weights[b], law.means[b], law.covariances[b], 1e-300, joint)
        logs = joint - joint.max(axis=0)
        logs -= np.log(np.exp(logs).sum(axis=0))
        found.append(_average(-(np.exp(logs) * logs).sum(axis=0)[None], *strata)[0])
    return Estimate(*np.array(found).T)
