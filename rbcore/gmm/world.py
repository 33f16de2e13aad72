"""The mixture world of Gan and Liu's simulation: truth, anchors, generator, synthetic data and two fits.

The truth has K + J Gaussian components.  The anchors are N_k points of each of the first K.  The generator `M` has
K + J + L components of equal weight: K fitted to the anchors, J known from the truth, L of its own and off the
task.  Synthetic data are n draws from it.  EM fits K components to the anchors and K + J + L to the synthetic
data.

A *configuration* is a setting and the number of a repeat.  All its randomness comes from (seed, setting,
repeat), so it does not depend on the batch, the order or the machine that it is drawn in.  Batches come first in
every array (see :mod:`rbcore.gmm.em`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rbcore.gmm.em import Fit, Mixtures, fit

LAWS = ("released", "gram", "wishart")


@dataclass(frozen=True)
class Setting:
    """The parameters of the mixture world; the values given are those of the released code.

    K, J, L: components that have anchors, that only the generator knows, and that are not of the task.
    d: dimensions.  anchors: points `N_k` of each anchored component.  synthetic: number `n` of synthetic draws.
    separation: the means are uniform on `[0, separation]^d`.
    covariance: "released": `(C^T C)^{1/2}` with `C = A B^T` of two matrices uniform on [0, 1].  The released code
        passes C, which is not symmetric, and `numpy.random.multivariate_normal` draws with this covariance from
        it; "gram": `A A^T`; "wishart": the mean of d + 4 outer products of standard normal vectors, well
        conditioned, the unit matrix on average.
    variance: factor of every covariance.
    concentration: the truth's weights are a draw from the Dirichlet law with this parameter; inf: equal weights.
    mean_error: standard deviation of an error that the generator makes in each coordinate of its J means.
    covariance_error: each of its J covariances is off by the factor `exp(covariance_error * N(0, 1))`.
    restarts, reg: of the EM fits (:func:`rbcore.gmm.em.fit`).
    """

    K: int = 2
    J: int = 2
    L: int = 2
    d: int = 2
    anchors: int = 50
    synthetic: int = 200
    separation: float = 10.0
    covariance: str = "released"
    variance: float = 1.0
    concentration: float = math.inf
    mean_error: float = 0.0
    covariance_error: float = 0.0
    restarts: int = 1
    reg: float = 1e-6

    def __post_init__(self) -> None:
        least = {"K": 1, "J": 0, "L": 0, "d": 1, "anchors": 2, "synthetic": 1, "restarts": 1}
        for name, low in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
                raise ValueError(f"{name} is a whole number, at least {low}, got {value!r}")
            object.__setattr__(self, name, int(value))
        if self.synthetic < self.K + self.J + self.L:
            raise ValueError(
                f"synthetic: EM with K + J + L = {self.K + self.J + self.L} components needs at least as many"
                f" points, got {self.synthetic}"
            )
        if self.covariance not in LAWS:
            raise ValueError(f"covariance is one of {', '.join(LAWS)}, got {self.covariance!r}")
        reals = ("separation", "variance", "concentration", "mean_error", "covariance_error", "reg")
        for name in reals:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
                raise ValueError(f"{name} is a number, got {value!r}")
        for name in ("variance", "reg"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is positive and finite, got {getattr(self, name)}")
        for name in ("mean_error", "covariance_error"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is finite and at least 0, got {getattr(self, name)}")
        if not 0 < self.separation <= 1e4:
            raise ValueError(
                f"separation is the side of the box of the means, in (0, 10000], got {self.separation}"
            )
        if not self.concentration > 0:
            raise ValueError(f"concentration is positive (inf for equal weights), got {self.concentration}")
        for name in reals:
            object.__setattr__(self, name, float(getattr(self, name)))


class Run(NamedTuple):
    """B configurations of one setting.

    truth, generator: mixtures of K + J and of K + J + L components.  anchors: points (B, K N_k, d).
    synthetic: points (B, n, d).  anchor_fit, synthetic_fit: EM on these.
    streams: for each configuration, seeds for what estimators draw.
    """

    setting: Setting
    truth: Mixtures
    generator: Mixtures
    anchors: np.ndarray
    synthetic: np.ndarray
    anchor_fit: Fit
    synthetic_fit: Fit
    streams: tuple[np.random.SeedSequence, ...]


def configuration_seed(seed: int, setting: Setting, repeat: int) -> np.random.SeedSequence:
    """The seed of one configuration, a function of (seed, setting, repeat) alone."""
    if not all(isinstance(x, int | np.integer) and x >= 0 for x in (seed, repeat)):
        raise ValueError(f"seed and repeat are whole numbers, at least 0, got {seed} and {repeat}")
    digest = hashlib.blake2b(repr(dataclasses.astuple(setting)).encode(), digest_size=16).digest()
    return np.random.SeedSequence(seed, spawn_key=(*np.frombuffer(digest, "<u4").tolist(), repeat))


def mixtures(weights: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> Mixtures:
    """Checked mixtures: weights (B, k), means (B, k, d), covariances (B, k, d, d); one mixture may omit B.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, weights that are no pmf, or covariances
            that are not symmetric and positive definite.
    """
    w, m, s = (np.asarray(a, dtype=float) for a in (weights, means, covariances))
    w, m, s = (a[None] if w.ndim == 1 else a for a in (w, m, s))
    if w.ndim != 2 or m.shape[:2] != w.shape or m.ndim != 3 or s.shape != (*m.shape, m.shape[-1]) or 0 in m.shape:
        raise ValueError(
            f"weights (B, k), means (B, k, d), covariances (B, k, d, d): got {w.shape, m.shape, s.shape}"
        )
    law = Mixtures(w, m, s)
    check(law)
    if (np.linalg.eigvalsh(s)[..., 0] <= 0).any():
        raise ValueError("a covariance is not positive definite")
    return law


def check(*laws: Mixtures, roots: bool = True) -> None:
    """Refuse invalid mixtures; a covariance may be singular up to rounding.

    Args:
        roots: whether to look for negative eigenvalues too, as :func:`factors` does.

    Raises:
        ValueError: for values that are not finite, weights that are no pmf, or covariances that are not symmetric,
            have a variance that is not positive, or are not positive semidefinite.
    """
    for law in laws:
        if not all(np.isfinite(part).all() for part in law):
            raise ValueError("a mixture holds a value that is NaN or infinite")
        if (law.weights < 0).any() or not np.allclose(law.weights.sum(axis=1), 1):
            raise ValueError("weights are nonnegative and sum to 1")
        if (np.diagonal(law.covariances, axis1=-2, axis2=-1) <= 0).any():
            raise ValueError("a covariance is not positive definite: it has a variance that is not positive")
        largest = np.abs(law.covariances).max(axis=(-1, -2), keepdims=True)
        if (np.abs(law.covariances - law.covariances.swapaxes(-1, -2)) > 1e-8 * largest).any():
            raise ValueError("a covariance is not symmetric")
        if roots:
            _semidefinite(np.linalg.eigvalsh(law.covariances))


def _semidefinite(values: np.ndarray) -> None:
    """Refuse eigenvalues (..., d), in ascending order, of which one is negative by more than rounding."""
    if not (values[..., 0] >= -1e-9 * np.abs(values[..., -1])).all():
        raise ValueError("a covariance is not positive definite: it has a negative eigenvalue")


def covariances(setting: Setting, uniform: np.ndarray) -> np.ndarray:
    """Covariances by the setting's law from random numbers (..., a, b), see :func:`_ingredients`."""
    d = setting.d
    if setting.covariance == "released":
        product = uniform[..., :d, :] @ uniform[..., d:, :].swapaxes(-1, -2)
        _, s, v = np.linalg.svd(product)
        found = (v.swapaxes(-1, -2) * s[..., None, :]) @ v
    elif setting.covariance == "gram":
        found = uniform @ uniform.swapaxes(-1, -2)
    else:
        found = uniform.swapaxes(-1, -2) @ uniform / uniform.shape[-2]
    return setting.variance * (found + found.swapaxes(-1, -2)) / 2


def _ingredients(setting: Setting, rng: np.random.Generator, k: int) -> np.ndarray:
    """What the covariances of k components are made of: two uniform matrices, one, or d + 4 normal vectors."""
    d = setting.d
    if setting.covariance == "wishart":
        return rng.standard_normal((k, d + 4, d))
    return rng.random((k, 2 * d if setting.covariance == "released" else d, d))


def factors(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root `R`, `R R^T` the covariance (..., d, d), also of one that is singular up to rounding.

    It does not depend on the signs of eigenvectors, which another processor may choose otherwise.

    Raises ValueError for a covariance with a negative eigenvalue.
    """
    values, vectors = np.linalg.eigh(covariance)
    _semidefinite(values)
    return (vectors * np.sqrt(np.maximum(values, 0))[..., None, :]) @ vectors.swapaxes(-1, -2)


def simulate(setting: Setting, repeats: Sequence[int], seed: int) -> Run:
    """The configurations (setting, repeat), one for each of `repeats`, from drawing the truth to the two fits.

    Raises:
        ValueError: for no repeat, or a seed or repeat that is not a whole number or negative.
    """
    if isinstance(repeats, int | np.integer):
        raise ValueError(f"repeats names the configurations, as in range({repeats}), got {repeats}")
    K, J, L, d = setting.K, setting.J, setting.L, setting.d
    B, k = len(repeats), K + J + L
    if B < 1:
        raise ValueError("repeats is empty: at least one configuration is needed")
    seeds = [configuration_seed(seed, setting, r).spawn(3) for r in repeats]
    rngs = [np.random.Generator(np.random.SFC64(s[0])) for s in seeds]
    means = np.stack([setting.separation * rng.random((k, d)) for rng in rngs])
    laws = covariances(setting, np.stack([_ingredients(setting, rng, k) for rng in rngs]))
    weights = np.full((B, K + J), 1 / (K + J))
    if math.isfinite(setting.concentration):
        weights = np.stack([rng.dirichlet(np.full(K + J, setting.concentration)) for rng in rngs])
    truth = Mixtures(weights, means[:, : K + J].copy(), laws[:, : K + J].copy())

    noise = np.stack([rng.standard_normal((K, setting.anchors, d)) for rng in rngs])
    anchors = truth.means[:, :K, None] + noise @ factors(truth.covariances[:, :K]).swapaxes(-1, -2)
    centred = anchors - anchors.mean(axis=2, keepdims=True)
    means[:, :K] = anchors.mean(axis=2)
    laws[:, :K] = centred.swapaxes(-1, -2) @ centred / (setting.anchors - 1) + setting.reg * np.eye(d)
    known = slice(K, K + J)
    if setting.mean_error > 0:
        means[:, known] += setting.mean_error * np.stack([rng.standard_normal((J, d)) for rng in rngs])
    if setting.covariance_error > 0:
        off = np.stack([rng.standard_normal(J) for rng in rngs])
        laws[:, known] *= np.exp(setting.covariance_error * off)[..., None, None]
    generator = Mixtures(np.full((B, k), 1 / k), means, laws)

    counts = np.stack(
        [rng.multinomial(setting.synthetic, w) for rng, w in zip(rngs, generator.weights, strict=True)]
    )
    labels = np.stack([np.repeat(np.arange(k), c) for c in counts])
    noise = np.stack([rng.standard_normal((setting.synthetic, d)) for rng in rngs])
    rows = np.arange(B)[:, None]
    synthetic = means[rows, labels] + np.einsum("bnij,bnj->bni", factors(laws)[rows, labels], noise)

    anchors = anchors.reshape(B, -1, d)
    starts = [np.random.Generator(np.random.SFC64(s[1])) for s in seeds]
    return Run(
        setting,
        truth,
        generator,
        anchors,
        synthetic,
        fit(anchors, K, starts, setting.restarts, reg=setting.reg),
        fit(synthetic, k, starts, setting.restarts, reg=setting.reg),
        tuple(s[2] for s in seeds),
    )
