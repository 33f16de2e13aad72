"""What theory says of the mixture world: divergences of separated components, and information in closed form.

All in nats.  "Separated" means that no two components overlap; then a divergence between mixtures splits into one
between weights and one between matched components.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.special import digamma

from rbcore.gmm.density import kl_separated
from rbcore.gmm.world import Run, Setting


def estimation_kl(d: int, n: int) -> float:
    """Mean of `KL(N(m, S) || N(mu, Sigma))` for the sample mean m and covariance S (divided by n) of n points.

    `n Sigma^{-1} S` has the Wishart law with n - 1 degrees of freedom and `m` is `N(mu, Sigma / n)`, so the
    trace and the distance have means `d (n - 1) / n` and `d / n`, and the log-determinant `sum_i psi((n - i) /
    2) + d log(2 / n)` for i = 1..d.  The first two add up to d and cancel; about `d (d + 3) / (4 n)`.

    Raises:
        ValueError: for n <= d, where the covariance is singular and the divergence infinite.
    """
    if not n > d >= 1:
        raise ValueError(f"a covariance in d dimensions needs more than d >= 1 points, got d={d} and n={n}")
    return -_log_volume(d, n) / 2


def estimation_kl_reverse(d: int, n: int) -> float:
    """Mean of `KL(N(mu, Sigma) || N(m, S))`, as :func:`estimation_kl`.

    Here `E tr(S^{-1} Sigma) = n d / (n - d - 2)`, and the distance, independent of it, adds `d / (n - d - 2)`.

    Raises:
        ValueError: for n <= d + 2, where the mean is infinite.
    """
    if not (n > d + 2 and d >= 1):
        raise ValueError(f"the mean is finite for more than d + 2 points only, got d={d} and n={n}")
    return ((n + 1) * d / (n - d - 2) - d + _log_volume(d, n)) / 2


def _log_volume(d: int, n: int) -> float:
    """`E log det(Sigma^{-1} S)`."""
    return float(digamma((n - np.arange(1, d + 1)) / 2).sum() + d * math.log(2 / n))


def anchor_kl(setting: Setting) -> float:
    """KL(anchor fit || truth) for separated components: `log((K + J) / K)` plus the mean estimation error.

    The fit puts 1/K on each of K components that have weight 1/(K + J) in the truth.  For equal weights.
    """
    return math.log((setting.K + setting.J) / setting.K) + estimation_kl(setting.d, setting.anchors)


class SyntheticKL(NamedTuple):
    """KL(generator || truth) for separated components, split by components; arrays of shape (B,), nats.

    weights: `log((K + J) / (K + J + L))`, negative: the generator spreads its weight.  on_task: what its K
    fitted and J known components add.  off_task: what its L other components add, of mass `L / (K + J + L)`.
    """

    weights: float
    on_task: np.ndarray
    off_task: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """The whole divergence."""
        return self.weights + self.on_task + self.off_task


def synthetic_kl(run: Run) -> SyntheticKL:
    """Where the synthetic fit's divergence from the truth comes from, with the generator in place of the fit.

    Of :func:`rbcore.gmm.density.kl_separated`; the off-task part is of the order of a squared distance between
    means over twice a truth's variance, which is what dominates.
    """
    setting, generator = run.setting, run.generator
    K, J, L = setting.K, setting.J, setting.L
    parts = []
    for c in range(K + J + L):
        alone = generator._replace(
            weights=np.ones((len(generator.weights), 1)),
            means=generator.means[:, c : c + 1],
            covariances=generator.covariances[:, c : c + 1],
        )
        parts.append(kl_separated(alone, run.truth))
    level = math.log(K + J)
    each = (np.array(parts) - level) / (K + J + L)  # (components, B), over the least that a known component costs
    return SyntheticKL(level - math.log(K + J + L), each[: K + J].sum(axis=0), each[K + J :].sum(axis=0))


class SeparatedGap(NamedTuple):
    """Both KL gaps in closed form, see :func:`separated_gap`; arrays of shape (B,), nats."""

    forward: np.ndarray
    reverse: np.ndarray


def separated_gap(run: Run) -> SeparatedGap:
    """The gaps if no components overlap and EM found them: :func:`rbcore.gmm.density.kl_separated`, without
    densities.

    The generator's own mixture stands for the synthetic fit, and its K fitted components, with weight 1/K each,
    for the anchor fit.
    """
    K, generator = run.setting.K, run.generator
    anchors = generator._replace(
        weights=np.full((len(generator.weights), K), 1 / K),
        means=generator.means[:, :K],
        covariances=generator.covariances[:, :K],
    )
    return SeparatedGap(
        kl_separated(anchors, run.truth) - kl_separated(generator, run.truth),
        kl_separated(run.truth, anchors) - kl_separated(run.truth, generator),
    )


class LabelInformation(NamedTuple):
    """Information in the generator's choice of a component, in nats; see :func:`label_information`."""

    gain: float
    factor: float
    answer: float
    prompt: float


def label_information(K: int, J: int, L: int) -> LabelInformation:
    """`Delta I`, `H(e_M)`, `H(X)` and `I(e_p; X)` when an answer X is the component that M draws from.

    The prompt's part `e_p` is uniform on the K anchored components.  The model's part is `e_M = (b, c)`: b is 1
    with probability `q = (J + L) / (K + J + L)`, c is uniform on its J + L own components, and `X = c` if b = 1,
    else `e_p`, so that X is uniform on all.  Given `e_p` the answer is `e_p` with probability 1 - q and uniform
    on J + L others otherwise: `Delta I = H(X | e_p) = h(q) + q log(J + L)`, with h the entropy of a bit, and
    `H(e_M) = h(q) + log(J + L)` is not smaller.
    """
    if not (K >= 1 and J >= 0 and L >= 0) or any(int(x) != x for x in (K, J, L)):
        raise ValueError(f"K is at least 1, J and L at least 0, all whole numbers, got {K}, {J}, {L}")
    q, own = (J + L) / (K + J + L), J + L
    bit = float(stats.entropy([q, 1 - q]))
    log_own = math.log(own) if own else 0.0
    answer = math.log(K + own)
    return LabelInformation(bit + q * log_own, bit + log_own, answer, answer - bit - q * log_own)


class Information(NamedTuple):
    """`I(S_anchor; W')`, `I(S_gen; W)` in nats, and their difference."""

    anchors: float
    synthetic: float

    @property
    def ggmi(self) -> float:
        """`I(S_anchor; W') - I(S_gen; W)`."""
        return self.anchors - self.synthetic


def posterior_information(setting: Setting, noise: float | None = None) -> Information:
    """What a learner that samples means from their posterior learns from its data: a stand-in that is finite.

    EM is a function of its data, so `I(S; W)` is infinite for it.  Here components are told apart without error,
    covariances are `noise * I` and known, the centres have the Gaussian prior with the variance t of the box,
    and W is one draw from their posterior.  A centre seen n times is then learned as through a Gaussian channel:
    the mean of the points has variance t + noise / n, the posterior variance is `noise t / (n t + noise)`, W has
    the prior's variance t, and `I = (d / 2) log(1 + n t / noise)`, whatever n.  Anchors show K centres N_k times
    each.  Synthetic data show K + J + L centres binomially often, independent given the counts, and the law of W
    does not depend on the counts, so they only average the formula.  This takes all K + J + L centres to be
    draws from the prior.

    Args:
        noise: variance of a point about its centre; None for the mean variance of the setting's covariance law.
    """
    if noise is None:
        noise = setting.variance * mean_variance(setting)
    if not 0 < noise < math.inf:
        raise ValueError(f"noise is a variance, positive and finite, got {noise}")
    ratio = setting.separation**2 / 12 / noise
    k, n = setting.K + setting.J + setting.L, setting.synthetic
    counts = np.arange(n + 1)
    chance = stats.binom.pmf(counts, n, 1 / k)
    each = float(chance @ np.log1p(counts * ratio))
    half = setting.d / 2
    return Information(setting.K * half * math.log1p(setting.anchors * ratio), k * half * each)


def mean_variance(setting: Setting) -> float:
    """Mean variance of a coordinate under the setting's covariance law, before the factor `variance`.

    "gram": `E sum_j A_ij^2 = d / 3`; "wishart": 1; "released": by Monte Carlo with a fixed seed, to about 1 %.
    """
    if setting.covariance == "gram":
        return setting.d / 3
    if setting.covariance == "wishart":
        return 1.0
    draws = np.random.default_rng(0).random((20_000 // setting.d, 2 * setting.d, setting.d))
    product = draws[:, : setting.d] @ draws[:, setting.d :].swapaxes(-1, -2)
    return float(np.linalg.svd(product, compute_uv=False).sum(axis=-1).mean() / setting.d)
