"""How often does each kind of interval of the book cover a truth that is known?

A kind is a formula at a size that the book uses, and a law whose truth can be computed.  What is exact by its
construction covers 93 to 97 times in a hundred, up to the noise of the repeats; what is conservative by
construction, such as an interval of a discrete count, covers 95 times at least.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.random import Generator
from scipy import special, stats

from rbcore import checks
from rbcore.audit import recording, student
from rbcore.audit.questions import form, generator
from rbcore.estimate import base
from rbcore.gmm import sweeps
from rbcore.lm import bound, scaling

LEVEL = 0.95
By = Literal["exact", "at least"]
Ends = tuple[float, float]


class Kind(NamedTuple):
    """One kind of interval.

    where: chapters and modules that use it.  by: ``exact``, or ``at least`` for what is conservative by design.
    draw: an interval and the truth.  repeats: 0 stands for the number asked for.
    """

    name: str
    where: str
    by: By
    draw: Callable[[Generator], tuple[Ends, float]]
    repeats: int = 0


def simulate(kind: Kind, repeats: int, seed: int) -> dict[str, Any]:
    """How often the interval covers: a row for the record."""
    rng = np.random.default_rng([seed, *kind.name.encode()])
    repeats, hits = kind.repeats or repeats, 0
    for _ in range(repeats):
        (low, high), truth = kind.draw(rng)
        slack = 1e-9 * max(1.0, abs(truth))
        hits += bool(low - slack <= truth <= high + slack)
    return row(kind, hits, repeats)


def row(kind: Kind, hits: int, repeats: int) -> dict[str, Any]:
    """A row of the record."""
    return {"name": kind.name, "where": kind.where, "by": kind.by, "hits": hits, "repeats": repeats}


# ---------------------------------------------------------------------------------------------------------------
# rbcore.checks
# ---------------------------------------------------------------------------------------------------------------


def _mean(size: int) -> Callable[[Generator], tuple[Ends, float]]:
    return lambda rng: (checks.mean(rng.normal(1, 2, size)).ci, 1.0)


def _mean_of_losses(rng: Generator) -> tuple[Ends, float]:
    return checks.mean(rng.gamma(4.0, 0.5, 100)).ci, 2.0


def _mean_of_shares(rng: Generator) -> tuple[Ends, float]:
    return checks.mean((rng.random(100) < 0.6) * 1.0).ci, 0.6


def _geometric(rng: Generator) -> tuple[Ends, float]:
    low, high = np.exp(checks.mean(np.log(np.exp(rng.normal(-1, 0.5, 5)))).ci)
    return (low, high), math.exp(-1)


def _several(rng: Generator) -> tuple[Ends, float]:
    """Four means at once: the lower ends of all are below the truths in 95 of 100 cases."""
    rows = rng.normal(0, 1, (4, 30)) + rng.normal(0, 1, 30)  # paired, as repeats are
    lows = [checks.mean(one, 1 - 2 * (1 - LEVEL) / 4).ci[0] for one in rows]
    return (max(lows), math.inf), 0.0


def _ratio(rng: Generator) -> tuple[Ends, float]:
    x = rng.gamma(4.0, 1.0, (2, 100))
    return checks.ratio(2 * x[0] + x[1], x[0] + 1).ci, 12 / 5


def _ratio_of_tails(rng: Generator) -> tuple[Ends, float]:
    """As in chapter 8: of the worlds beyond a hundred, those beyond a thousand."""
    x = 100 * rng.pareto(1.0, 2000)
    return checks.ratio((x > 1000) * 1.0, (x > 100) * 1.0).ci, (1 / 11) / (1 / 2)


def _median(size: int) -> Callable[[Generator], tuple[Ends, float]]:
    return lambda rng: (checks.median(rng.standard_t(2, size)).ci, 0.0)


def _correlation(rng: Generator) -> tuple[Ends, float]:
    truth = 0.98
    x = rng.normal(size=(2, 100))
    found = np.corrcoef(x[0], truth * x[0] + math.sqrt(1 - truth**2) * x[1])[0, 1]
    low, high = np.tanh(np.arctanh(found) + np.array([-1.96, 1.96]) / np.sqrt(100 - 3))
    return (low, high), truth


def _share(size: int, p: float) -> Callable[[Generator], tuple[Ends, float]]:
    return lambda rng: (base.share(int(rng.binomial(size, p)), size), p)


def _share_below(rng: Generator) -> tuple[Ends, float]:
    return base.share(int(rng.binomial(40, 0.9)), 40, LEVEL, "lower"), 0.9


# ---------------------------------------------------------------------------------------------------------------
# rbcore.gmm, rbcore.lm and the chapters
# ---------------------------------------------------------------------------------------------------------------


def _location(which: str) -> Callable[[Generator], tuple[Ends, float]]:
    def draw(rng: Generator) -> tuple[Ends, float]:
        found = sweeps._locations(np.sort(rng.standard_t(4, 100)), LEVEL)
        return (found[f"{which}_low"], found[f"{which}_high"]), 0.0

    return draw


def _crossing(rng: Generator) -> tuple[Ends, float]:
    """Chapter 8: the number of data at which half of the worlds gain, by a bootstrap over worlds."""
    y = np.log2([12, 25, 50, 100, 200, 400, 800])
    worlds = 100
    gaps = (y[:, None] - 6.2) + rng.normal(0, 1.5, worlds) + rng.normal(0, 0.7, (len(y), worlds))
    half = [
        np.interp(0.5, (gaps[:, draw] > 0).mean(axis=1), y) for draw in rng.integers(worlds, size=(400, worlds))
    ]
    shares = special.ndtr((y - 6.2) / math.hypot(1.5, 0.7))
    return checks.bootstrapped(half, worlds), float(np.interp(0.5, shares, y))


def _rank(size: int, truth: float) -> Callable[[Generator], tuple[Ends, float]]:
    """A rank correlation with the percentiles of a bootstrap, as in chapters 11 and 17."""
    plain = 2 * math.sin(math.pi * truth / 6)  # Pearson's, of normal variables

    def draw(rng: Generator) -> tuple[Ends, float]:
        x = rng.normal(size=(2, size))
        x[1] = plain * x[0] + math.sqrt(1 - plain**2) * x[1]
        low, high = np.quantile(_ranked(x[:, rng.integers(size, size=(500, size))])[0], [0.025, 0.975])
        return (low, high), truth

    return draw


def _ranked(x: np.ndarray) -> np.ndarray:
    """Rank correlations of the first variable with the others, over the last axis."""
    ranks = stats.rankdata(x, axis=2)
    centred = ranks - ranks.mean(axis=2, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=2))
    return (centred[1:] * centred[0]).sum(axis=2) / (norms[1:] * norms[0])


def _rank_difference(rng: Generator) -> tuple[Ends, float]:
    """Chapter 17: two rank correlations with one variable, by percentiles of a bootstrap over sixteen worlds."""
    common = rng.normal(size=16)
    x = np.array([common, *(common + rng.normal(size=(2, 16)))])
    again = _ranked(x[:, rng.integers(16, size=(500, 16))])
    low, high = np.quantile(again[0] - again[1], [0.025, 0.975])
    return (low, high), 0.0


AMOUNTS = np.array([8, 16, 32, 64, 128, 256, 512.0])


def _curves(rng: Generator, exponent: float) -> np.ndarray:
    """log KL of ten languages at seven amounts: a power law, and each language its own level."""
    level = rng.normal(0, 0.3, (10, 1)) + rng.normal(0, 0.05, (10, len(AMOUNTS)))
    return -exponent * np.log(AMOUNTS) + level


def _level_of_curve(rng: Generator) -> tuple[Ends, float]:
    logs = _curves(rng, 0.8)
    chosen = rng.integers(10, size=(1000, 10))
    return checks.bootstrapped(logs[chosen].mean(axis=1)[:, 3], 10), float(-0.8 * np.log(AMOUNTS[3]))


def _rate(rng: Generator) -> tuple[Ends, float]:
    """Chapter 14: how many sequences one is worth, by a bootstrap over ten languages."""
    real, other = _curves(rng, 0.8), _curves(rng, 0.7)
    chosen = rng.integers(10, size=(400, 10))
    found = scaling.exchange(AMOUNTS, real[chosen].mean(axis=1), other[chosen].mean(axis=1))[:, 2]
    truth = scaling.exchange(AMOUNTS, -0.8 * np.log(AMOUNTS), -0.7 * np.log(AMOUNTS))[2]
    return checks.bootstrapped(found, 10), float(truth)


def _gain(rng: Generator) -> tuple[Ends, float]:
    """Chapter 9: the mean of a thousand entropies with a normal interval."""
    x = rng.gamma(9.0, 0.5, 1000)
    half = 1.96 * x.std(ddof=1) / math.sqrt(1000)
    return (x.mean() - half, x.mean() + half), 4.5


LAW = np.array([0.02, 0.08, 0.2, 0.4, 0.2, 0.08, 0.02])  # of a difference of losses, in steps of a tenth
TILT = np.array([0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6])


def _loss_difference(rng: Generator) -> tuple[Ends, float]:
    """Chapter 9: the bound by differences of losses, with the jackknife over twelve students."""
    law = LAW * TILT / (LAW @ TILT)
    steps = rng.choice(7, size=(12, 1024), p=law) - 3
    found = bound.loss_difference(0.5 + 0 * steps, 0.5 + 0.1 * steps, 0.1, rng).bound
    reach = float(special.stdtrit(11, 0.975)) * found.se
    return (found.value - reach, found.value + reach), bound._difference(law, 0.1)[3]


# ---------------------------------------------------------------------------------------------------------------
# rbcore.audit
# ---------------------------------------------------------------------------------------------------------------


def _welch(rng: Generator) -> tuple[Ends, float]:
    x, y = rng.gamma(4.0, 0.5, 200), rng.gamma(4.0, 0.75, 100)
    return student.welch(x, y).ci, -1.0


def _two_way(rng: Generator) -> tuple[Ends, float]:
    """A learning curve's point: both subsets and records are drawn."""
    losses = 2 + rng.normal(0, 0.1, (4, 1)) + rng.normal(0, 0.5, 100) + rng.normal(0, 0.05, (4, 100))
    return student._two_way(losses, LEVEL).ci, 2.0


def _area(truth: float) -> Callable[[Generator], tuple[Ends, float]]:
    apart = math.sqrt(2) * float(stats.norm.ppf(truth))

    def draw(rng: Generator) -> tuple[Ends, float]:
        x, y = rng.normal(apart, 1, 200), rng.normal(0, 1, 100)
        area = float(stats.mannwhitneyu(x, y).statistic) / (200 * 100)
        return generator._area_limits(area, 200, 100), truth

    return draw


def _words(rng: Generator) -> tuple[Ends, float]:
    return form._median(rng.geometric(0.02, 200).astype(float)).ci, float(stats.geom.median(0.02))


def _over_worlds(rng: Generator) -> tuple[Ends, float]:
    _, low, high = recording._mean(rng.normal(0, 0.1, 8).tolist())
    return (low, high), 0.0


def _over_repeats(rng: Generator) -> tuple[Ends, float]:
    """Appendix B: a mean estimate with twice its standard error over sixty repeats."""
    x = rng.normal(1, 0.2, 60)
    half = 2 * x.std(ddof=1) / math.sqrt(60)
    return (x.mean() - half, x.mean() + half), 1.0


KINDS: tuple[Kind, ...] = (
    Kind("mean, 5 repeats", "chapters 9 and 10", "exact", _mean(5)),
    Kind("mean, 10 languages", "chapters 12 to 14", "exact", _mean(10)),
    Kind("mean, 30 sets", "chapters 4 and 8", "exact", _mean(30)),
    Kind("mean of 100 skewed losses", "chapter 11, the audit", "exact", _mean_of_losses),
    Kind("mean of 100 truth values", "chapter 8", "exact", _mean_of_shares),
    Kind("geometric mean, 5 repeats", "chapter 10", "exact", _geometric),
    Kind("four means at once", "all chapters", "at least", _several),
    Kind("ratio of means", "chapter 2", "exact", _ratio),
    Kind("ratio of tail shares", "chapter 8", "exact", _ratio_of_tails),
    Kind("median of 30", "chapters 8 and 10", "at least", _median(30)),
    Kind("median of 100", "chapters 8 and 10", "at least", _median(100)),
    Kind("correlation, 100 worlds", "chapter 8", "exact", _correlation),
    Kind("share of 24", "chapter 11, appendix B", "at least", _share(24, 0.8)),
    Kind("share of 200", "the audit", "at least", _share(200, 0.1)),
    Kind("share, lower end", "chapter 11", "at least", _share_below),
    Kind("mean, heavy tails, 100 worlds", "chapter 8", "exact", _location("mean")),
    Kind("median, heavy tails, 100 worlds", "chapter 8", "at least", _location("median")),
    Kind("trimmed mean, 100 worlds", "chapter 8", "exact", _location("trimmed")),
    Kind("crossing, bootstrap over 100 worlds", "chapter 8", "exact", _crossing),
    Kind("information gain of 1,000 answers", "chapter 9", "exact", _gain),
    Kind("bound by losses, 12 students", "chapter 9", "exact", _loss_difference),
    Kind("level of a curve, bootstrap over 10 languages", "chapter 14", "exact", _level_of_curve),
    Kind("worth of a datum, bootstrap over 10 languages", "chapter 14", "exact", _rate),
    Kind("rank correlation, 23 defects", "chapter 11", "exact", _rank(23, 0.25)),
    Kind("rank correlation, 16 worlds", "chapter 17", "exact", _rank(16, 0.6)),
    Kind("difference of rank correlations, 16 worlds", "chapter 17", "exact", _rank_difference),
    Kind("mean over 8 corpora", "chapter 11", "exact", _over_worlds),
    Kind("mean estimate, 60 repeats", "appendix B", "exact", _over_repeats),
    Kind("difference of two samples, Welch", "chapter 11, the audit", "exact", _welch),
    Kind("point of a learning curve", "chapter 11, the audit", "exact", _two_way),
    Kind("area under the curve, near one half", "the audit", "exact", _area(0.55)),
    Kind("area under the curve, far", "the audit", "exact", _area(0.9)),
    Kind("median of 200 lengths", "the audit", "at least", _words),
)
