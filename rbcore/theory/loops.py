"""What becomes of an error when models learn from models, in worlds where every moment is a number.

One unknown number, or each coordinate of a regression, is estimated from readings; a reading has the variance one,
so the mean of n readings has the variance 1/n.  An error is an expected squared error in this unit.  The results
around the paper that these functions reproduce in small are cited in chapter 16; the settings are this book's.

Laws over k outcomes have their outcomes on the last axis.  Shares, weights and probabilities lie in [0, 1].
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import binom

from rbcore.theory.generalization import type_pmf, types


class Mixed(NamedTuple):
    """The error of an estimate from real and synthetic readings; all fields have the shape of `n`.

    counted: every reading counts the same.  weighed: at the best `weight` of the synthetic readings' mean.
    """

    counted: np.ndarray
    weighed: np.ndarray
    weight: np.ndarray


def mixed(n: ArrayLike, share: ArrayLike, wrong: float) -> Mixed:
    """The error when a `share` of `n` readings, strictly between 0 and 1, is synthetic.

    The generator's own squared error, bias and variance together, is `wrong`; it was trained on other data.
    Counted alike, `1/n + share^2 wrong`.  Weighed, one over the sum of the two means' precisions.
    """
    n, share = np.broadcast_arrays(np.asarray(n, dtype=float), np.asarray(share, dtype=float))
    if (n <= 0).any() or (share <= 0).any() or (share >= 1).any() or wrong < 0:
        raise ValueError("mixed: n > 0, a share strictly between 0 and 1, and a squared error of at least 0")
    real, synthetic = 1 / ((1 - share) * n), wrong + 1 / (share * n)
    return Mixed(1 / n + share**2 * wrong, 1 / (1 / real + 1 / synthetic), real / (real + synthetic))


def regression(rounds: int, n: int, d: int, accumulate: bool = False) -> np.ndarray:
    """The error of least squares after 1..`rounds` rounds, for each of `d` coordinates; shape (rounds,).

    Each round has `n` fresh Gaussian rows with independent standard entries; the first round's labels are real,
    and those of a later one come from the last model, with the right noise.  Replaced, the error is
    `t / (n - d - 1)`; accumulated, the sum of `1 / (j (j n - d - 1))` over j = 1..t.

    Raises:
        ValueError: for `n <= d + 1`, where the expectation is infinite.
    """
    if rounds < 1 or d < 1 or n <= d + 1:
        raise ValueError(f"at least one round and n > d + 1 rows are needed, got rounds={rounds}, n={n}, d={d}")
    j = np.arange(1, rounds + 1, dtype=float)
    return np.cumsum(1 / (j * (j * n - d - 1))) if accumulate else j / (n - d - 1)


def golden(k: ArrayLike) -> np.ndarray:
    """The weight of real readings that is best for ever, `(sqrt(k^2 + 4k) - k) / 2`, the shape of `k` > 0.

    In each round there are `k` times as many fresh real readings as synthetic ones.  It is also the error in the
    end, and what the weight that is best in each round tends to.
    """
    k = np.asarray(k, dtype=float)
    if (k <= 0).any():
        raise ValueError(f"k is a positive ratio of real to synthetic readings, got {k}")
    return (np.sqrt(k**2 + 4 * k) - k) / 2


def settled(weight: ArrayLike, k: ArrayLike) -> np.ndarray:
    """The error in the end with a fixed `weight` in (0, 1] of real readings, in units of one round's real mean.

    The fixed point of `V = w^2 + (1 - w)^2 (V + k)`.
    """
    w, k = np.asarray(weight, dtype=float), np.asarray(k, dtype=float)
    if (w <= 0).any() or (w > 1).any() or (k <= 0).any():
        raise ValueError("settled: a weight in (0, 1] and a positive k; without real readings nothing settles")
    return (w**2 + (1 - w) ** 2 * k) / (1 - (1 - w) ** 2)


def best_each_round(rounds: int, k: Any, first: Any = 1) -> list[Any]:
    """The errors after 1..`rounds` rounds with the weight that is best in each, `v <- (v + k) / (1 + v + k)`.

    It begins with the error `first` of one real mean.  Numbers stay what they are: fractions give fractions.
    """
    errors = [first]
    while len(errors) < rounds:
        before = errors[-1] + k
        errors.append(before / (1 + before))
    return errors


def majority(right: ArrayLike, n: int) -> np.ndarray:
    """The probability that most of `n` (odd) labels are right, each of them so with probability `right`."""
    if n < 1 or n % 2 == 0:
        raise ValueError(f"a majority needs an odd number of labels, got {n}")
    return np.asarray(binom.sf((n - 1) // 2, n, right))


def passed(right: ArrayLike, factor: float) -> np.ndarray:
    """The share of right answers among those that pass a verifier that multiplies their odds by `factor`."""
    right = np.asarray(right, dtype=float)
    return factor * right / (factor * right + 1 - right)


class Pull(NamedTuple):
    """Bias and variance of the estimate after 0..rounds rounds behind a verifier, and what it still tells."""

    bias: np.ndarray
    variance: np.ndarray
    kept: np.ndarray  # the factor of the first estimate that is left

    @property
    def error(self) -> np.ndarray:
        """The expected squared error."""
        return self.bias**2 + self.variance

    def information(self, spread: float) -> np.ndarray:
        """`I(theta;W_t)` in nats for a Gaussian `theta` of variance `spread` and a centre that ignores it."""
        return np.log1p(self.kept**2 * spread / self.variance) / 2


def pull(rounds: int, n: int, start: float, away: float, keep: float) -> Pull:
    """A Gaussian mean that is learned from its own readings behind a verifier with a centre.

    Args:
        rounds, n: how often, and from how many accepted readings each time.
        start: the variance of the first, unbiased estimate.
        away: the verifier's centre minus the truth.
        keep: `s / (1 + s)` for a verifier that accepts a reading at distance x from its centre with probability
            `exp(-x^2 / 2s)`; one for a verifier that accepts everything.

    The mean of what passes lies between the model's and the centre, `keep` of the way from the centre, and its
    readings have the variance `keep`.
    """
    if rounds < 0 or n < 1 or start <= 0 or not 0 < keep <= 1:
        raise ValueError(f"pull: n >= 1, a positive start and 0 < keep <= 1, got {n=}, {start=}, {keep=}")
    left = keep ** np.arange(rounds + 1.0)
    noise = np.concatenate([[0.0], np.cumsum(left**2)[:-1]])
    return Pull(away * (1 - left), left**2 * start + keep / n * noise, left)


def curated(law: ArrayLike, reward: ArrayLike, candidates: int | None = None) -> np.ndarray:
    """The law of what is chosen among `candidates` draws from `law`, in proportion to `e^reward`; both (k,).

    Without a number, the limit of many candidates, `law e^reward` normalized.  With one, exact: the others are
    enumerated by their types.
    """
    law, tilt = np.asarray(law, dtype=float), np.exp(np.asarray(reward, dtype=float))
    if candidates is None:
        return law * tilt / (law @ tilt)
    if candidates < 1:
        raise ValueError(f"at least one candidate, got {candidates}")
    if candidates == 1:
        return law.copy()
    kinds = types(len(law), candidates - 1)
    rest = kinds.counts @ tilt  # of the other candidates
    chance = type_pmf(kinds, law) @ (1 / (tilt + rest[:, None]))
    chosen = law * candidates * tilt * chance
    return chosen / chosen.sum()  # one but for rounding, which K candidates would multiply by K in each round


def anchored(real: ArrayLike, reward: ArrayLike, share: float) -> np.ndarray:
    """The law in which a curated loop ends when a `share` in (0, 1] of the data of each round is real; (k,).

    It solves `p = share real + (1 - share) curated(p, reward)`: the leading eigenvector of
    `((1 - share) 1 + share real 1^T) diag(e^reward)`.
    """
    real, tilt = np.asarray(real, dtype=float), np.exp(np.asarray(reward, dtype=float))
    if not 0 < share <= 1 or (real <= 0).any():
        raise ValueError("anchored: a share in (0, 1], and real data that hold every outcome")
    if share == 1:
        return real / real.sum()
    rest = (1 - share) * tilt

    def end(z: float) -> np.ndarray:
        return share * real / (1 - rest / z)

    low, high = rest.max() * (1 + 1e-12) + 1e-300, tilt.max() * (1 + 1e-12)
    found = end(float(brentq(lambda z: end(z).sum() - 1, low, high, xtol=1e-15 * high, rtol=1e-14)))
    return found / found.sum()
