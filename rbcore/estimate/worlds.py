"""Worlds of known truth: samples of any size and dimension for which the quantity that is estimated is known.

    world = WORLDS["clusters"]
    x, y = world.draw(np.random.default_rng(1), 500, 5, 0.5)
    world.truth("information", 500, 5, 0.5)  # 0.5 nats

Each world has one dial, its strength.  What it turns is said by the world's `about`.  Truths are closed forms,
quadrature of smooth densities, or follow from supports that do not touch; nothing is estimated.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

from rbcore.information import finite
from rbcore.theory import process

Draw = Callable[[np.random.Generator, int, int, float], tuple[Any, ...]]

OUTCOMES = len(process.SECTORS)
HALF = 0.2  # of the side of the small cube around each outcome of a lifted law
APART = 50.0  # between neighbouring clusters, in their own widths
VOCABULARY, LENGTH = 200, 12  # tokens in the world of texts, and in each text


class World(NamedTuple):
    """A family of laws.

    about: what it is, with what the strength turns; for warnings and tables.
    draw: of a generator, a sample size, a dimension and a strength, the samples that an estimator takes.
    truths: by quantity, a function of (size, dimension, strength).  ``information``, ``kl`` and ``entropy`` are in
        nats; ``tv``, ``precision``, ``recall``, ``coverage`` and ``vendi`` have no unit; ``distinct-1`` and
        ``distinct-2`` are expectations for that number of texts.
    strengths: those of the calibration, increasing.
    exists: whether there is a law of that dimension and strength.
    """

    name: str
    about: str
    draw: Draw
    truths: Mapping[str, Callable[[int, int, float], float]]
    strengths: tuple[float, ...]
    exists: Callable[[int, float], bool] = lambda d, strength: True

    def truth(self, quantity: str, n: int, d: int, strength: float) -> float:
        """The quantity's value (`n` matters only to quantities that are defined by a sample size).

        Raises:
            ValueError: when it is not known in this world.
        """
        if quantity not in self.truths:
            raise ValueError(f"world {self.name!r} knows {', '.join(self.truths)}, not {quantity!r}")
        return float(self.truths[quantity](n, d, strength))


def correlation(information: float, d: int) -> float:
    """The correlation of `d` independent Gaussian pairs that hold `information` nats together."""
    return math.sqrt(-math.expm1(-2 * information / d))


# ---------------------------------------------------------------------------------------------------------------
# Pairs: mutual information
# ---------------------------------------------------------------------------------------------------------------


def draw_gaussian(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Correlated Gaussians: `d` independent pairs of equal correlation, `strength` nats in all."""
    rho = correlation(strength, d)
    x = rng.standard_normal((n, d))
    return x, rho * x + math.sqrt(1 - rho**2) * rng.standard_normal((n, d))


def draw_bent(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """The Gaussians bent: each x cubed, each y exponentiated.  Functions that can be undone leave the MI."""
    x, y = draw_gaussian(rng, n, d, strength)
    return x**3, np.exp(y)


PLACES_X = np.array([-1.5, -0.5, 0.5, 1.5])
PLACES_Y = np.array([-0.5, 1.5, -1.5, 0.5])  # uncorrelated with PLACES_X, and so are the normal scores


def clusters_information(spread: float, points: int = 801) -> float:
    """I(x;y) in nats when a label of four is seen twice, at `spread` times its places, through Gaussian noise.

    The density is smooth and falls off like a Gaussian, so the sum over a grid is exact to rounding.
    """
    reach = 1.5 * spread + 9
    grid = np.linspace(-reach, reach, points)
    step = grid[1] - grid[0]
    a, b = (stats.norm.pdf(grid - spread * places[:, None]) for places in (PLACES_X, PLACES_Y))
    both = a.T @ b / len(PLACES_X)
    apart = np.outer(a.mean(axis=0), b.mean(axis=0))
    seen = (both > 0) & (apart > 0)
    return max(float(np.sum(both[seen] * np.log(both[seen] / apart[seen])) * step**2), 0.0)


@functools.cache
def clusters_spread(information: float) -> float:
    """The spread at which the label's two noisy views share `information` nats, below log 4."""
    if information == 0:
        return 0.0
    return float(optimize.brentq(lambda s: clusters_information(s) - information, 1e-3, 40.0, xtol=1e-10))


def draw_clusters(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """A label of four seen twice through noise, in the first coordinate; the other d - 1 are noise."""
    spread, label = clusters_spread(strength), rng.integers(len(PLACES_X), size=n)
    x, y = rng.standard_normal((2, n, d))
    x[:, 0] += spread * PLACES_X[label]
    y[:, 0] += spread * PLACES_Y[label]
    return x, y


def lift(outcomes: np.ndarray, rng: np.random.Generator, d: int) -> np.ndarray:
    """A point in `d` dimensions for each outcome: uniform in a small cube around the outcome's place.

    Places are a unit apart on a line (d = 1) or on a circle in the first two dimensions, so that cubes do not
    touch: the outcome is a function of the point, and all divergences and informations of outcomes are kept.
    """
    places = np.zeros((OUTCOMES, d))
    if d == 1:
        places[:, 0] = np.arange(OUTCOMES)
    else:
        angle = 2 * np.pi * np.arange(OUTCOMES) / OUTCOMES
        places[:, :2] = np.stack([np.cos(angle), np.sin(angle)], axis=1) / (2 * math.sin(math.pi / OUTCOMES))
    return places[outcomes] + rng.uniform(-HALF, HALF, (len(outcomes), d))


@functools.cache
def chain_joint(information: float) -> np.ndarray:
    """The pmf (8, 8) of the running example's prompt and answer, as strict as I(p;X) = `information` asks."""

    def joint(strictness: float) -> np.ndarray:
        world = process.World(strictness=strictness)
        return process.prompt_pmf(world)[:, None] * process.generator(world)

    def excess(strictness: float) -> float:
        return float(finite.Joint("P,X", joint(strictness)).I("P", "X")) - information

    return joint(float(optimize.brentq(excess, 0.0, 200.0, xtol=1e-12)) if information else 0.0)


def draw_chain(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Prompts and answers of the running example, lifted."""
    joint = chain_joint(strength)
    prompt, answer = np.divmod(rng.choice(joint.size, size=n, p=joint.ravel() / joint.sum()), joint.shape[1])
    return lift(prompt, rng, d), lift(answer, rng, d)


# ---------------------------------------------------------------------------------------------------------------
# Two laws: total variation and Kullback-Leibler divergence.  The strength is the total variation.
# ---------------------------------------------------------------------------------------------------------------


def draw_shift(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Two unit Gaussians whose means lie apart, along the diagonal."""
    x, y = rng.standard_normal((2, n, d))
    return x + 2 * stats.norm.ppf(0.5 + strength / 2) / math.sqrt(d), y


def scale_tv(scale: float, d: int) -> float:
    """TV between N(0, 1) and N(0, scale^2) in `d` dimensions, scale > 1: they cross on a sphere."""
    if scale == 1:
        return 0.0
    radius = d * 2 * math.log(scale) / (1 - scale**-2)
    return float(stats.chi2.cdf(radius, d) - stats.chi2.cdf(radius / scale**2, d))


@functools.cache
def scale_for(strength: float, d: int) -> float:
    """The scale at which :func:`scale_tv` is `strength`."""
    if strength == 0:
        return 1.0
    return float(optimize.brentq(lambda s: scale_tv(s, d) - strength, 1 + 1e-9, 1e3, xtol=1e-12))


def scale_kl(n: int, d: int, strength: float) -> float:
    """KL from the unit Gaussian to the wide one, in nats."""
    scale = scale_for(strength, d)
    return d * (math.log(scale) + 0.5 / scale**2 - 0.5)


def draw_scale(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """A unit Gaussian and a wider one with the same mean."""
    x, y = rng.standard_normal((2, n, d))
    return x, scale_for(strength, d) * y


@functools.cache
def sector_laws(strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Laws of the running example: its answers when asked for nothing, partly replaced by the task; and those."""
    loose = process.generator(process.World(strictness=0.0))[0]
    task = np.asarray(process.SEA_BREEZE)
    share = strength / finite.tv(task, loose)
    return (1 - share) * loose + share * task, loose


def draw_sectors(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Two laws of the running example, lifted."""
    one, two = (lift(rng.choice(OUTCOMES, size=n, p=law), rng, d) for law in sector_laws(strength))
    return one, two


# ---------------------------------------------------------------------------------------------------------------
# Real and fake: supports
# ---------------------------------------------------------------------------------------------------------------

SETS = 5  # clusters of the real law


def centres(d: int, count: int) -> np.ndarray:
    """Places of `count` clusters, at least APART from each other in the maximum norm; shape (count, d)."""
    places = np.zeros((count, d))
    places[np.arange(count), np.arange(count) % d] = APART * (1 + np.arange(count) // d)
    return places


def draw_missed(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Real: five cubes.  Fake: the same, but the share `strength` of its points, and of the cubes, are others."""
    missed = round(strength * SETS)
    places = centres(d, SETS + 1)
    kept = rng.integers(SETS - missed, size=n)
    fake = np.where(rng.random(n) < strength, SETS, kept)
    real = rng.integers(SETS, size=n)
    return places[real] + rng.random((n, d)), places[fake] + rng.random((n, d))


def draw_overlap(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Real: the unit cube.  Fake: the same, moved by `strength` along the first axis."""
    real, fake = rng.random((2, n, d))
    fake[:, 0] += strength
    return real, fake


# ---------------------------------------------------------------------------------------------------------------
# One law: entropy and diversity
# ---------------------------------------------------------------------------------------------------------------


def draw_cloud(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray]:
    """A Gaussian whose neighbouring coordinates are correlated (a stationary autoregression)."""
    x = rng.standard_normal((n, d))
    for i in range(1, d):
        x[:, i] = strength * x[:, i - 1] + math.sqrt(1 - strength**2) * x[:, i]
    return (x,)


def cloud_entropy(n: int, d: int, strength: float) -> float:
    """Its differential entropy in nats: that of one coordinate, then of each given the one before."""
    return d / 2 * math.log(2 * math.pi * math.e) + (d - 1) / 2 * math.log1p(-(strength**2))


def draw_cubes(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray]:
    """`strength` equally likely unit cubes, far apart."""
    return (centres(d, int(strength))[rng.integers(int(strength), size=n)] + rng.random((n, d)),)


def draw_subspace(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray]:
    """A round cloud in the first `strength` dimensions, zero in the others: no kinds, only directions."""
    x = np.zeros((n, d))
    x[:, : int(strength)] = rng.standard_normal((n, int(strength)))
    return (x,)


def draw_kinds(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[np.ndarray]:
    """`strength` equally likely orthogonal directions, of random lengths: as many kinds of answers."""
    kinds = rng.integers(int(strength), size=n)
    return (np.eye(int(strength), d)[kinds] * rng.uniform(0.5, 1.5, (n, 1)),)


# ---------------------------------------------------------------------------------------------------------------
# Texts
# ---------------------------------------------------------------------------------------------------------------


@functools.cache
def zipf(strength: float) -> np.ndarray:
    """Frequencies of tokens in proportion to rank^(-strength), shape (VOCABULARY,)."""
    weights = np.arange(1, VOCABULARY + 1) ** -float(strength)
    return weights / weights.sum()


def draw_texts(rng: np.random.Generator, n: int, d: int, strength: float) -> tuple[list[str]]:
    """`n` texts of LENGTH independent tokens each."""
    tokens = rng.choice(VOCABULARY, size=(n, LENGTH), p=zipf(strength))
    return ([" ".join(f"w{token}" for token in row) for row in tokens],)


def unseen(p: np.ndarray, length: int) -> np.ndarray:
    """The probability that a text of `length` independent tokens lacks the pair (a, b), shape (k, k).

    A pair of different tokens cannot overlap itself: f(t) = f(t-1) - p_a p_b f(t-2).  A double one can: a text
    without it ends in another token, or in one a after another token, f(t) = (1 - p_a) (f(t-1) + p_a f(t-2)).
    """
    both, same = np.outer(p, p), np.eye(len(p), dtype=bool)
    once = np.broadcast_to(1 - p[:, None], both.shape)
    before, now = np.ones_like(both), np.ones_like(both)
    for _ in range(length - 1):
        before, now = now, np.where(same, once * (now + p[:, None] * before), now - both * before)
    return now


def expected_distinct(order: int, texts: int, strength: float) -> float:
    """The expected share of different ones among all n-grams of order 1 or 2 of `texts` texts; exact."""
    p = zipf(strength)
    lacking = (1 - p) ** LENGTH if order == 1 else unseen(p, LENGTH)
    return float((1 - lacking**texts).sum() / (texts * (LENGTH + 1 - order)))


# ---------------------------------------------------------------------------------------------------------------
# All of them
# ---------------------------------------------------------------------------------------------------------------


def _itself(n: int, d: int, strength: float) -> float:
    return strength


def _kept(n: int, d: int, strength: float) -> float:
    return 1 - strength


def _fits(d: int, strength: float) -> bool:
    return strength <= d


_sets = {"precision": _kept, "recall": _kept, "coverage": _kept}
_distinct = {f"distinct-{k}": lambda n, d, s, k=k: expected_distinct(k, n, s) for k in (1, 2)}
_laws = (0.0, 0.1, 0.3, 0.6)

PAIRS: Sequence[World] = [
    World("gaussian", "Gaussians, correlated", draw_gaussian, {"information": _itself}, (0.0, 0.1, 0.5, 2.0)),
    World("bent", "Gaussians, bent monotonically", draw_bent, {"information": _itself}, (0.0, 0.1, 0.5, 2.0)),
    World("clusters", "labels through noise", draw_clusters, {"information": _itself}, (0.0, 0.1, 0.5, 1.2)),
    World("chain", "a finite chain, lifted", draw_chain, {"information": _itself}, (0.0, 0.1, 0.5, 0.9)),
]
LAWS: Sequence[World] = [
    World(
        "shift",
        "Gaussians, shifted",
        draw_shift,
        {"tv": _itself, "kl": lambda n, d, s: 2 * float(stats.norm.ppf(0.5 + s / 2)) ** 2},
        _laws,
    ),
    World("scale", "Gaussians, one wider", draw_scale, {"tv": _itself, "kl": scale_kl}, _laws),
    World(
        "sectors",
        "two finite laws, lifted",
        draw_sectors,
        {"tv": _itself, "kl": lambda n, d, s: float(finite.kl(*sector_laws(s)))},
        (0.0, 0.1, 0.3, 0.45),
    ),
]
SUPPORTS: Sequence[World] = [
    World("missed", "clusters, some missed and one made up", draw_missed, _sets, (0.0, 0.2, 0.6)),
    World("overlap", "cubes, one moved", draw_overlap, _sets, (0.0, 0.2, 0.6)),
]
CLOUDS: Sequence[World] = [
    World("cloud", "a Gaussian, correlated", draw_cloud, {"entropy": cloud_entropy}, (0.0, 0.9)),
    World("cubes", "cubes, far apart", draw_cubes, {"entropy": lambda n, d, s: math.log(s)}, (1.0, 8.0)),
]
KINDS: Sequence[World] = [
    World("kinds", "orthogonal kinds", draw_kinds, {"vendi": _itself}, (1.0, 5.0, 20.0), _fits),
    World("subspace", "a round cloud", draw_subspace, {"vendi": _itself}, (2.0, 5.0, 20.0, 64.0), _fits),
]
TEXTS: Sequence[World] = [
    World("tokens", "independent tokens", draw_texts, _distinct, (0.0, 1.0, 2.0), lambda d, strength: d == 1),
]
WORLDS: dict[str, World] = {w.name: w for family in (PAIRS, LAWS, SUPPORTS, CLOUDS, KINDS, TEXTS) for w in family}
