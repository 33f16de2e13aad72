"""The two divergences, what curation does to them, and their relatives in Kullback-Leibler divergence.

Distributions have their outcomes on axis 0 and any batch behind; TV is half the L1 distance, in [0, 1]; KL is in
nats.  :func:`rbcore.information.finite.tv` and :func:`rbcore.information.finite.kl` compute them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import lambertw

from rbcore.information.finite import PmfError, tv


def convolve(p: ArrayLike, noise: ArrayLike) -> np.ndarray:
    """The law of `X + eps` modulo k for independent `X ~ p` (k, ...) and `eps ~ noise` (k,)."""
    p, noise = np.asarray(p, dtype=float), np.asarray(noise, dtype=float)
    if noise.shape != p.shape[:1]:
        raise PmfError(f"noise is a pmf over the same {p.shape[0]} outcomes, got shape {noise.shape}")
    return sum(weight * np.roll(p, shift, axis=0) for shift, weight in enumerate(noise))


def verified(p: ArrayLike, accepted: ArrayLike) -> np.ndarray:
    """The law after a verifier: draw from `p` (k, ...) again and again until an `accepted` (k,) outcome comes.

    Raises:
        PmfError: when nothing that `p` can produce is accepted.
    """
    p, accepted = np.asarray(p, dtype=float), np.asarray(accepted, dtype=bool)
    if accepted.shape != p.shape[:1]:
        raise PmfError(f"accepted marks each of the {p.shape[0]} outcomes, got shape {accepted.shape}")
    kept = np.where(accepted.reshape(-1, *[1] * (p.ndim - 1)), p, 0.0)
    mass = kept.sum(axis=0)
    if (mass <= 0).any():
        raise PmfError("the verifier accepts nothing that this distribution can produce: it would ask for ever")
    return kept / mass


def additive_bound(task: ArrayLike, model: ArrayLike, generated: ArrayLike, scale: float = 1.0) -> np.ndarray:
    """`C (TV(D, D_M) + TV(D_M, D_gen))` for losses in an interval of length `scale` = C."""
    return scale * (np.asarray(tv(task, model)) + np.asarray(tv(model, generated)))


def pinsker(kl: ArrayLike) -> np.ndarray:
    """Pinsker: TV <= sqrt(KL / 2), KL in nats.  Sharp for small KL, vacuous above 2 nats."""
    return np.sqrt(np.asarray(kl, dtype=float) / 2)


def bretagnolle_huber(kl: ArrayLike) -> np.ndarray:
    """Bretagnolle and Huber (1979): TV <= sqrt(1 - exp(-KL)), KL in nats.  Never vacuous."""
    return np.sqrt(-np.expm1(-np.asarray(kl, dtype=float)))


def pinsker_crossing() -> float:
    """The KL (nats) at which both bounds agree: `KL / 2 = 1 - exp(-KL)`, KL = 2 + W(-2 exp(-2)), Lambert's W."""
    return float(2 + lambertw(-2 * np.exp(-2)).real)


def _coins(ratio: ArrayLike, excess: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`a = 1 / ratio`, `1 - a` (a half where that is zero) and the excess, of one shape."""
    a, e = np.broadcast_arrays(1 / np.asarray(ratio, dtype=float), np.asarray(excess, dtype=float))
    if not ((a > 0) & (a <= 1)).all() or not (e >= 0).all():
        raise ValueError(f"a finite ratio >= 1 and an excess >= 0 are needed, got {ratio} and {excess}")
    return a, np.where(a < 1, 1 - a, 0.5), e


def log_loss_charge(ratio: ArrayLike, excess: ArrayLike, rounds: int = 100) -> np.ndarray:
    """What an excess of log loss on synthetic data may cost on the task: `r >= 0` with `d(a || a exp(-r)) = e`.

    Nats; `e = KL(D_gen || pi)`, `a = 1 / ratio`, and `d` is the KL of two coins.  If `D <= ratio D_gen` then
    `KL(D || pi) <= KL(D || D_gen) + r`, and no smaller number will do.  The left side is convex in `r`, so
    Newton's method comes down to the solution from a point above it.

    Args:
        ratio: at least 1.  excess: nats, at least 0, infinity allowed.  They broadcast.

    Raises:
        ValueError: for a ratio below one or infinite, or a negative excess.
    """
    a, rest, e = _coins(ratio, excess)  # the value for a = 1 is replaced in the end
    r = (e - rest * np.log(rest)) / a
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(rounds):
            u = a * np.exp(-r)
            step = (a * r + rest * np.log(rest / (1 - u)) - e) / (a - rest * u / (1 - u))
            r = np.where((step > 0) & np.isfinite(step), r - step, r)
    return np.where(a < 1, np.where(e > 0, np.maximum(r, 0), 0.0), e)


def log_loss_relief(ratio: ArrayLike, excess: ArrayLike, rounds: int = 60) -> np.ndarray:
    """What a model of synthetic data may gain on the task: `l >= 0` with `d(a || a exp(l)) = e`, by bisection.

    Nats; the other side of :func:`log_loss_charge`: `KL(D || pi) >= KL(D || D_gen) - l`, and no smaller number
    will do.  At most `log(ratio)`.

    Args:
        ratio: at least 1.  excess: nats, at least 0, infinity allowed.  They broadcast.

    Raises:
        ValueError: for a ratio below one or infinite, or a negative excess.
    """
    a, rest, e = _coins(ratio, excess)  # where a = 1 the interval is a point
    low, high = np.zeros(a.shape), -np.log(a)
    for _ in range(rounds):
        middle = (low + high) / 2
        left = np.maximum(1 - a * np.exp(middle), 1e-300)
        small = rest * np.log(rest / left) - a * middle <= e
        low, high = np.where(small, middle, low), np.where(small, high, middle)
    return low


def smallest_kl(distance: ArrayLike, points: int = 16, rounds: int = 8) -> np.ndarray:
    """The smallest KL (nats) of two distributions whose TV is `distance` (any shape, in [0, 1)).

    Two outcomes suffice, since merging outcomes into {P > Q} and its complement keeps TV and lowers KL
    (Fedotov, Harremoes and Topsoe 2003).  Along those pairs KL is convex, so `rounds` grids of `points` pairs,
    each between the neighbours of the best one before, close in on the minimum.  The grid is denser at its ends,
    where the minimum lies for large distances; right to 1e-9 up to a distance of 0.99.
    """
    v = np.asarray(distance, dtype=float)
    if ((v < 0) | (v >= 1)).any():
        raise ValueError(f"a total variation in [0, 1) is needed, got {distance}")
    v = v[..., None]
    middle, reach = np.full(v.shape, 0.5), 0.5
    for _ in range(rounds):
        t = np.clip(middle + reach * np.linspace(-1, 1, points + 2)[1:-1], 1e-9, 1 - 1e-9)
        left, right = t**4 / (t**4 + (1 - t) ** 4), (1 - t) ** 4 / (t**4 + (1 - t) ** 4)
        q, r = left * (1 - v), right * (1 - v)
        p, s = q + v, r + v  # P = (p, r), Q = (q, s)
        found = p * np.log(p / q) + r * np.log(r / s)
        best = found.argmin(axis=-1, keepdims=True)
        middle, reach = np.take_along_axis(t, best, axis=-1), 2 * reach / (points + 1)
    return found.min(axis=-1)
