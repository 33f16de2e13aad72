"""What a model's own answers can reach when somebody picks among them: the best of N, coverage, tries that fail.

A *chance* is the probability that one answer to a problem is right.  With a verifier, N tries fail at a problem
with probability `(1 - chance)^N`.  The coverage profile is that of Chen et al. (2025): the probability, for a
problem and an answer of the data, that the model gives the answer less than 1/N of its probability in the data.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import logsumexp

from rbcore.information.finite import kl


def verified_cost(chance: ArrayLike, n: ArrayLike) -> np.ndarray:
    """The divergence (nats) of a right one among `n` tries, else a wrong one, from one try; arguments broadcast.

    It is that of an event of probability `1 - (1 - chance)^n` from one of probability `chance`.
    """
    a, n = np.asarray(chance, dtype=float), np.asarray(n, dtype=float)
    if ((a <= 0) | (a >= 1)).any() or (n < 1).any():
        raise ValueError("chances are strictly between 0 and 1, and there is at least one try")
    missed = (1 - a) ** n
    return (1 - missed) * np.log((1 - missed) / a) + missed * (n - 1) * np.log1p(-a)


def tilt_to(law: ArrayLike, reward: ArrayLike, cost: float) -> np.ndarray:
    """The law with the largest mean reward of those with `KL(. || law) <= cost`: in proportion to `law e^(t r)`.

    Args:
        law: (k,), all outcomes possible.  reward: (k,), not all equal.
        cost: nats, less than what the best outcome costs, the logarithm of one over its probability.

    Raises:
        ValueError: for a cost that is not between zero and that.
    """
    law, reward = np.asarray(law, dtype=float), np.asarray(reward, dtype=float)
    most = -np.log(law[reward == reward.max()].sum())
    if not 0 <= cost < most:
        raise ValueError(f"cost: between 0 and {most:.3g} nats, got {cost}")
    scale = np.ptp(reward)

    def at(t: float) -> np.ndarray:
        logs = np.log(law) + t * reward / scale
        return np.exp(logs - logsumexp(logs))

    if cost == 0:
        return law
    high = 1.0
    while float(kl(at(high), law)) < cost and high < 1e9:
        high *= 2
    return at(brentq(lambda t: float(kl(at(t), law)) - cost, 0, high, xtol=1e-14))


def coverage(truth: ArrayLike, model: ArrayLike, n: float, weights: ArrayLike | None = None) -> float:
    """`Cov_n = P(truth(y|x) / model(y|x) >= n)` for a problem x of the `weights` and an answer y of the truth.

    Args:
        truth, model: laws of the answer to each problem, (answers, problems).
        weights: the law of the problems, (problems,); None: all are equal.
    """
    truth, model = np.asarray(truth, dtype=float), np.asarray(model, dtype=float)
    return float(_mean(np.where(truth >= n * model, truth, 0).sum(axis=0), weights))


def uncovered(chances: ArrayLike, n: ArrayLike, weights: ArrayLike | None = None) -> np.ndarray:
    """`Cov_n` where each problem has one right answer: the share of problems with a chance of at most `1 / n`.

    Args:
        chances: (.., problems).  n: it broadcasts with the chances without problems, and gives the shape.
        weights: the law of the problems, (problems,); None: all are equal.
    """
    chances, n = np.asarray(chances, dtype=float), np.asarray(n, dtype=float)[..., None]
    return _mean(chances * n <= 1, weights)


def failure(chances: ArrayLike, n: ArrayLike, weights: ArrayLike | None = None) -> np.ndarray:
    """The probability that `n` tries at a problem all fail, `E (1 - chance)^n`; arguments as of `uncovered`."""
    chances, n = np.asarray(chances, dtype=float), np.asarray(n, dtype=float)[..., None]
    return _mean((1 - chances) ** n, weights)


def failure_limits(missed: ArrayLike, level: ArrayLike, n: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Between what `n` tries fail, if a share `missed` of the problems is uncovered at `level`.

    The lower limit is `missed (1 - 1/level)^n`, the upper one `missed + (1 - missed) exp(-n / level)`.
    """
    missed, level, n = (np.asarray(x, dtype=float) for x in (missed, level, n))
    return missed * (1 - 1 / level) ** n, missed + (1 - missed) * np.exp(-n / level)


def tries_needed(chances: ArrayLike, share: float, weights: ArrayLike | None = None) -> int:
    """The least number of tries that fails at no more than this share of the problems.

    Raises:
        ValueError: when no number does, or none below 2^60.
    """
    if float(failure(chances, 2.0**60, weights)) > share:
        raise ValueError(f"so many problems are never answered rightly that no number of tries reaches {share}")
    low, high = 0, 1
    while float(failure(chances, high, weights)) > share:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if float(failure(chances, middle, weights)) > share else (low, middle)
    return high


def _mean(values: np.ndarray, weights: ArrayLike | None) -> np.ndarray:
    """Over the last axis."""
    law = np.ones(values.shape[-1]) if weights is None else np.asarray(weights, dtype=float)
    return values @ (law / law.sum())
