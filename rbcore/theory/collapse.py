"""Training on one's own output in closed form: what is kept of a variance, of a Gaussian, of a rare outcome.

First one round, and its temperature (:func:`tempered`); then loops.

A loop fits a law to `n` data, draws `n` data from the fit, fits again, and so on.  The data of the first fit are
real; "after t fits" counts it, so one fit is ordinary estimation.  A fit matches the mean and the variance that
its data have: a Gaussian by maximum likelihood does, and the empirical law does it for every function at once.

Three loops: each fit sees the last one's data alone; or `fresh` real data stand in place of as many of these; or
each fit sees all data so far (`accumulate`).

Laws over k outcomes have their outcomes on the last axis here.  Information is in nats.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.linalg import toeplitz
from scipy.special import digamma, polygamma
from scipy.stats import binom


def kept(fits: ArrayLike, n: int, fresh: int = 0) -> np.ndarray:
    """The expected share of a variance that the law has after so many `fits`, the shape of `fits`.

    `v + (1 - v) rho^t` with `rho = (1 - a) (1 - a - 1 / n)`, `a = fresh / n` and `v` from :func:`kept_for_ever`;
    without fresh data this is `(1 - 1/n)^t`.
    """
    t, share, floor = _fits(fits), _share(n, fresh), kept_for_ever(n, fresh)
    return floor + (1 - floor) * ((1 - share) * (1 - share - 1 / n)) ** t


def kept_accumulating(fits: ArrayLike, n: int) -> np.ndarray:
    """The same if each fit sees all data so far: the product of `1 - 1 / (n j^2)` over j = 1..t."""
    t = _fits(fits).astype(int)
    _share(n, 0)
    factors = 1 - 1 / (n * np.arange(1, max(1, int(t.max())) + 1, dtype=float) ** 2)
    return np.append(1.0, np.cumprod(factors))[t]


def kept_for_ever(n: int, fresh: int = 0, accumulate: bool = False) -> float:
    """What is left of a variance after infinitely many fits, as an expected share.

    Nothing without a remedy; `1 - 1 / (n a (2 - a) + 1 - a)` with a share `a` of fresh data; accumulating, Euler's
    product `sin(x) / x` at `x = pi / sqrt(n)`.
    """
    share = _share(n, fresh)
    if accumulate:
        return float(np.sinc(1 / np.sqrt(n)))
    return 1 - 1 / (n * share * (2 - share) + 1 - share)


class Tempered(NamedTuple):
    """KL(task || data) of one letter of the input and of the answer, nats, the shape of the temperatures."""

    input: np.ndarray
    answer: np.ndarray


def tempered(law: ArrayLike, errors: float, temperature: ArrayLike) -> Tempered:
    """The divergence from right data of what a generator writes that knows the letters' `law` and makes mistakes.

    Its letters have `law` (k,), and a letter of an answer is right with probability `1 - errors`, else uniformly
    one of the k - 1 others.  Sampling at a temperature raises all its probabilities to the power
    `1 / temperature`.  A verifier removes the answer's part.
    """
    law, power = _law(law), 1 / np.asarray(temperature, dtype=float)
    if not 0 < errors < 1 or (law <= 0).any() or (power <= 0).any():
        raise ValueError("tempered: positive probabilities and temperatures, and errors strictly between 0 and 1")
    logs = np.log(law)
    total = np.log(np.exp(power[..., None] * logs).sum(axis=-1))
    odds = errors / ((1 - errors) * (len(law) - 1))
    return Tempered((1 - power) * (law @ logs) + total, np.log1p((len(law) - 1) * odds**power))


class Drift(NamedTuple):
    """Of the logarithm of a Gaussian's variance at one fit: its mean step and the step's standard deviation."""

    mean: float
    sd: float


def log_drift(n: int, unbiased: bool = False) -> Drift:
    """The step of `log variance` at a fit of a Gaussian to `n` draws from the last one.

    The variance is multiplied by a chi-square with n - 1 degrees of freedom over `n`, or over `n - 1` if the
    estimator is `unbiased`; the drift is negative in both cases.
    """
    if n < 2:
        raise ValueError(f"a variance needs at least two data, got {n}")
    half, divisor = (n - 1) / 2, n - 1 if unbiased else n
    return Drift(float(digamma(half) + np.log(2 / divisor)), float(np.sqrt(polygamma(1, half))))


def gaussian_kl(fits: ArrayLike, n: int) -> np.ndarray:
    """The expected KL(truth || fit) of a Gaussian by maximum likelihood after so many `fits`, in nats.

    `1/2 [t drift + r^t + (r + .. + r^t) / n - 1]` with `r = n / (n - 3)`; it is finite for `n > 3`.
    """
    if n < 4:
        raise ValueError(f"the expectation is finite for more than three data, got {n}")
    t, r = _fits(fits), n / (n - 3)
    powers = r * (r**t - 1) / (r - 1)
    return (t * log_drift(n).mean + r**t + powers / n - 1) / 2


class Path(NamedTuple):
    """Means and variances of Gaussian fits, (fits + 1, runs) each; the first row is the truth."""

    means: np.ndarray
    variances: np.ndarray

    @property
    def kl(self) -> np.ndarray:
        """KL(truth || fit), the shape of `means`, nats."""
        first, ratio = self.variances[0], self.variances / self.variances[0]
        return (np.log(ratio) + (1 + (self.means - self.means[0]) ** 2 / first) / ratio - 1) / 2


def refit_gaussian(
    rng: Generator,
    fits: int,
    n: int,
    runs: int,
    fresh: int = 0,
    accumulate: bool = False,
    unbiased: bool = False,
) -> Path:
    """Fit a standard Gaussian again and again, `runs` times side by side; by maximum likelihood or `unbiased`."""
    _share(n, fresh)
    means, variances = np.zeros((2, fits + 1, runs))
    variances[0] = 1
    data = np.empty((runs, 0))
    for t in range(fits):
        real = n if accumulate and t == 0 else fresh
        drawn = rng.standard_normal((runs, n))
        drawn[:, real:] *= np.sqrt(variances[t])[:, None]
        drawn[:, real:] += means[t][:, None]
        data = np.hstack([data, drawn]) if accumulate else drawn
        means[t + 1] = data.mean(axis=1)
        variances[t + 1] = data.var(axis=1, ddof=int(unbiased))
    return Path(means, variances)


def resample(
    rng: Generator, law: ArrayLike, fits: int, n: int, runs: int, fresh: int = 0, accumulate: bool = False
) -> np.ndarray:
    """Empirical laws (fits + 1, runs, k): each is the frequencies in `n` draws from the one before it."""
    law = _law(law)
    _share(n, fresh)
    found = np.empty((fits + 1, runs, len(law)))
    found[0], counts, size = law, np.zeros((runs, len(law))), 0
    for t in range(fits):
        new = rng.multinomial(n - fresh, found[t]) + rng.multinomial(fresh, law, size=runs)
        counts, size = (counts + new, size + n) if accumulate else (new, n)
        found[t + 1] = counts / size
    return found


def spread(laws: ArrayLike) -> np.ndarray:
    """`1 - sum p^2`: the probability that two draws differ, for laws on the last axis."""
    return 1 - (np.asarray(laws, dtype=float) ** 2).sum(axis=-1)


def survival(share: float, n: int, fits: int, fresh: int = 0) -> np.ndarray:
    """The probability that an outcome of probability `share` is in the data of the fit, after 0..fits; exact.

    The outcome's count is a Markov chain with binomial steps.  After 0 fits it is 1: the truth has it.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is a probability strictly between 0 and 1, got {share}")
    _share(n, fresh)
    counts = np.arange(n - fresh + 1)
    step = binom.pmf(counts, n - fresh, np.arange(n + 1)[:, None] / n)
    if fresh:  # the sum of two independent counts
        first = np.zeros(n + 1)
        first[: fresh + 1] = binom.pmf(np.arange(fresh + 1), fresh, share)
        step = step @ toeplitz(first, np.zeros(len(counts))).T
    law, alive = binom.pmf(np.arange(n + 1), n, share), [1.0]
    for _ in range(fits):
        alive.append(1 - law[0])
        law = law @ step
    return np.array(alive)


def _fits(fits: ArrayLike) -> np.ndarray:
    t = np.asarray(fits, dtype=float)
    if (t < 0).any() or (t != np.round(t)).any():
        raise ValueError(f"fits are counted: 0, 1, 2, .., got {fits}")
    return t


def _share(n: int, fresh: int) -> float:
    if n < 1 or not 0 <= fresh <= n:
        raise ValueError(f"at least one datum a fit, and between 0 and {n} fresh ones, got n={n}, fresh={fresh}")
    return fresh / n


def _law(law: ArrayLike) -> np.ndarray:
    law = np.asarray(law, dtype=float)
    if law.ndim != 1 or (law < 0).any() or abs(law.sum() - 1) > 1e-9:
        raise ValueError(f"law: the probabilities of k outcomes, got {law}")
    return law
