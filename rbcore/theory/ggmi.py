"""GGMI in the running example: a model of m anchors against a model of n synthetic readings that share a prompt.

The anchors `S` are m readings from the task `D`, the synthetic data `G` n readings from `D_gen(.|p)`.  The Gibbs
learner `P(w | s) ~ exp(-lambda R_s(w))`, with `R_s` the training risk, turns either into a model: one of the eight
directions.  The order of readings tells it nothing, so a sample is its type (a multiset), and every expectation is
a finite sum over types (:mod:`rbcore.theory.generalization`).  All information is in nats.

    found = compare([World(strictness=2), World(strictness=8)], n=4)
    found.ggmi, found.gap_gain, found.risk_gain  # three answers to: which data is better?
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy
from scipy.stats import norm

from rbcore.information.finite import Joint, entropy, tv
from rbcore.theory.divergence import additive_bound, convolve
from rbcore.theory.generalization import Learned, gibbs, learn, type_pmf, types, xu_raginsky
from rbcore.theory.process import SECTORS, World, anchor_sets, curation, generator, loss, prompt_pmf

K = len(SECTORS)


class Comparison(NamedTuple):
    """A model `W` of n synthetic readings beside a model `W'` of m anchors; arrays of shape (B,), one per world.

    anchors, synthetic, prompt: `I(S;W')`, `I(G;W)` and `I(p;W)` in nats.
    H_S, H_G, gain: `H(S)`, `H(G)` and `H(X|p)` in nats; S, G and X are multisets of readings.
    gap_anchors, gap_synthetic: expected gap with its sign, `E[R_D(W') - R_S(W')]` and `E[R_D(W) - R_G(W)]`.
    risk_anchors, risk_synthetic: `E R_D(W')` and `E R_D(W)`.
    divergences: `TV(D, D_M) + TV(D_M, D_gen)`.  given_prompt: the same for the prompt in use, on average.
    m, n: how many readings each model has seen.
    """

    anchors: np.ndarray
    synthetic: np.ndarray
    prompt: np.ndarray
    H_S: np.ndarray
    H_G: np.ndarray
    gain: np.ndarray
    gap_anchors: np.ndarray
    gap_synthetic: np.ndarray
    risk_anchors: np.ndarray
    risk_synthetic: np.ndarray
    divergences: np.ndarray
    given_prompt: np.ndarray
    m: np.ndarray
    n: np.ndarray

    @property
    def ggmi(self) -> np.ndarray:
        """`I(S;W') - I(G;W)` in nats."""
        return self.anchors - self.synthetic

    @property
    def conditional(self) -> np.ndarray:
        """`I(S;W') - I(G;W|p)` in nats: GGMI with the information that counts when samples share a prompt.

        It is larger than :attr:`ggmi` by `I(p;W)`, since `p -> G -> W` is a Markov chain.
        """
        return self.ggmi + self.prompt

    @property
    def gap_gain(self) -> np.ndarray:
        """By how much the absolute expected gap of the anchors' model exceeds that of the synthetic one."""
        return np.abs(self.gap_anchors) - np.abs(self.gap_synthetic)

    @property
    def risk_gain(self) -> np.ndarray:
        """By how much the risk of the anchors' model on the task exceeds that of the synthetic one."""
        return self.risk_anchors - self.risk_synthetic

    @property
    def terms(self) -> dict[str, np.ndarray]:
        """The four terms of the identity for GGMI, in nats; `S -> p -> G -> W`, so `I(S;W) = I(p;W)`."""
        unknown = self.H_S - self.prompt  # H(S|W)
        return {
            "entropies": self.H_S - self.H_G,
            "diversity": self.H_G - self.synthetic,
            "faithfulness": -unknown,
            "parameters": unknown - (self.H_S - self.anchors),
        }

    @property
    def anchor_term(self) -> np.ndarray:
        """The sampling term of the anchors' model, `sqrt(2 sigma^2 I(S;W') / m)` with `sigma = 1/2`."""
        return xu_raginsky(self.anchors, self.m)

    def synthetic_term(self, information: ArrayLike | None = None) -> np.ndarray:
        """The sampling term of the synthetic model, with `I(G;W|p)` or other `information` in nats."""
        given = np.maximum(self.synthetic - self.prompt, 0)
        return xu_raginsky(given if information is None else information, self.n)


def laws(worlds: Sequence[World], turned: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`D_M(x | p)` and `D_gen(z | p)` of each world, each of shape (8 outcomes, 8 prompts, B).

    With `turned` every curated reading is turned by so many sectors more: other data, and just as informative.
    """
    answers = [generator(world).T for world in worlds]
    noise = [np.roll(curation(world), turned) for world in worlds]
    data = [convolve(law, eps) for law, eps in zip(answers, noise, strict=True)]
    return np.stack(answers, axis=-1), np.stack(data, axis=-1)


def compare(worlds: Sequence[World], n: int, turned: int = 0) -> Comparison:
    """Both models in each world, with `n` synthetic readings; exact.

    Args:
        worlds: with one task and one number of anchors.
        n: synthetic readings.
        turned: see :func:`laws`.

    Raises:
        ValueError: for no worlds, or worlds whose tasks or numbers of anchors differ.
    """
    if len({(world.task, world.anchors) for world in worlds}) != 1:
        raise ValueError("compare needs worlds, all with one task and one number of anchors")
    first, size = worlds[0], len(worlds)
    D, p = np.asarray(first.task), prompt_pmf(first)
    used = p > 0
    p, (answers, data) = p[used], (law[:, used] for law in laws(worlds, turned))
    learning = np.array([world.learning for world in worlds])
    known, synthetic = np.empty((2, size)), np.empty((4, size))  # anchors: I, H; synthetic: I(G;W|p), I, ..
    gaps, risks = np.empty((2, size)), np.empty((2, size))
    for rate in np.unique(learning):
        here = np.flatnonzero(learning == rate)
        algorithm = gibbs(loss(), float(rate))
        anchored = learn(D, algorithm, first.anchors)
        flat = learn(data[..., here].reshape(K, -1), algorithm, n)
        pair = flat.pair.reshape(K, K, len(p), len(here))
        uncertainty = flat.uncertainty.reshape(len(p), len(here))
        whole = Learned(np.einsum("zwpb,p->zwb", pair, p), p @ uncertainty)
        known[0, here] = anchored.information
        synthetic[0, here] = p @ flat.information.reshape(len(p), -1)
        synthetic[1, here] = whole.information
        gaps[0, here], gaps[1, here] = anchored.gap(loss()), whole.gap(loss(), D)
        risks[0, here], risks[1, here] = anchored.risk(loss()), whole.risk(loss(), D)
    kinds = types(K, n)
    counted = [type_pmf(kinds, law.reshape(K, -1)).reshape(-1, len(p), size) for law in (answers, data)]
    mixed = [np.einsum("zpb,p->zb", law, p) for law in (answers, data)]
    return Comparison(
        anchors=known[0],
        synthetic=synthetic[1],
        prompt=synthetic[1] - synthetic[0],
        H_S=np.full(size, entropy(anchor_sets(first)[1])),
        H_G=np.asarray(entropy(np.einsum("tpb,p->tb", counted[1], p))),
        gain=p @ entropy(counted[0]),
        gap_anchors=gaps[0],
        gap_synthetic=gaps[1],
        risk_anchors=risks[0],
        risk_synthetic=risks[1],
        divergences=np.asarray(additive_bound(D[:, None], *mixed)),
        given_prompt=p @ (tv(D[:, None, None], answers) + tv(answers, data)),
        m=np.full(size, first.anchors),
        n=np.full(size, n),
    )


def sweep(world: World, sizes: Sequence[int], **choices: Sequence[Any]) -> tuple[list[dict[str, Any]], Comparison]:
    """:func:`compare` for every combination of a number of readings and of `choices` for the fields of `world`.

    Returns the settings, each a dict with `n` and the chosen fields, and their comparison in the same order.
    """
    fields = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    worlds = [dataclasses.replace(world, **each) for each in fields]
    parts = [compare(worlds, n) for n in sizes]
    settings = [{"n": n, **each} for n in sizes for each in fields]
    return settings, Comparison(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def coin(bits: ArrayLike) -> np.ndarray:
    """The probability in [0, 1/2] of a coin whose entropy is `bits`, by bisection; shape of `bits`, in [0, 1]."""
    bits = np.asarray(bits, dtype=float)
    if ((bits < 0) | (bits > 1)).any():
        raise ValueError(f"a coin has an entropy from 0 to 1 bit, got {bits.min()} to {bits.max()}")
    low, high = np.zeros(bits.shape), np.full(bits.shape, 0.5)
    for _ in range(60):
        middle = (low + high) / 2
        below = -(xlogy(middle, middle) + xlogy(1 - middle, 1 - middle)) < bits * np.log(2)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return high


def edge_worlds(alpha: ArrayLike, share: ArrayLike) -> Joint:
    """Generation processes with `H(e_p) = alpha H(p)` and `H(S|W) = share H(S)` that leave the least slack.

    The anchors are three independent coins A, B and C, one bit of entropy together, and the prompt repeats them.
    Its feature is (A, B), the generator copies the feature, nobody curates, and the model keeps A.  A model of the
    anchors alone is constant.

    Args:
        alpha, share: arrays (B,) with `1 - share <= alpha <= 1` and `0 <= share <= 1`.

    Returns:
        A batch of joints of S, P, e_p, hp, X, G, W and W'.
    """
    alpha, share = np.broadcast_arrays(np.asarray(alpha, dtype=float), np.asarray(share, dtype=float))
    flips = [coin(np.clip(bits, 0, None)) for bits in (1 - share, alpha - 1 + share, 1 - alpha)]
    a, b, c = (np.stack([1 - x, x]) for x in flips)
    anchors = np.einsum("ab,cb,db->acdb", a, b, c).reshape(8, -1)
    joint = Joint("S", anchors).extend("P", lambda s: s, given="S", size=8)
    joint = joint.extend("e_p", lambda p: p // 2, given="P", size=4)
    for name, source in (("hp", "e_p"), ("X", "hp"), ("G", "X")):
        joint = joint.extend(name, lambda x: x, given=source, size=4)
    return joint.extend("W", lambda g: g // 2, given="G", size=2).extend("W'", [1.0])


class Rounded(NamedTuple):
    """GGMI of real readings that are rounded to cells, and what its upper bound is made of; nats.

    anchors, synthetic: `I(S;W')` and `I(G;W)`.  known: `I(S;W)`.  H_S, H_G: entropies of the rounded data.  gain:
    `H(X|h(e_p))`.  H_factor: `H(h(e_p))`.  alpha: `H(e_p) / H(p)`.
    """

    anchors: float
    synthetic: float
    known: float
    H_S: float
    H_G: float
    gain: float
    H_factor: float
    alpha: float

    @property
    def ggmi(self) -> float:
        """`I(S;W') - I(G;W)`."""
        return self.anchors - self.synthetic

    @property
    def slack(self) -> float:
        """The right-hand side of the upper bound less GGMI, `dI + dH - alpha H(S|W)`."""
        return self.gain + self.H_S - self.H_G - self.alpha * (self.H_S - self.known)


def rounded(width: float, whole: bool = False, m: int = 3, n: int = 2, reach: float = 8.0) -> Rounded:
    """A process on the line whose data are rounded to cells of some width; exact but for the tails beyond `reach`.

    The m anchors are standard normal.  The prompt says in which quarter of its law their mean lies; its factor is
    the half, or the `whole` prompt.  The n answers are normal around a centre of that part, with variance one, and
    nothing is curated.  `W'` is the quarter in which the mean of the anchors lies, `W` the sign of the mean of the
    answers.

    Args:
        width: of a cell; one of them ends at zero.  The cells at the ends hold what lies beyond `reach`.

    Raises ValueError for cells that do not fit into `reach`, or for more than ten million joint cells of answers.
    """
    cells = round(2 * reach / width)
    if cells < 2 or cells % 2 or abs(cells * width - 2 * reach) > 1e-9 or cells**n > 10_000_000:
        raise ValueError(
            f"cells of width {width} do not fit in half of a reach of {reach}, or {n} readings have too many"
        )
    edges = width * np.arange(1, cells) - reach
    middles = width * (np.arange(cells) + 0.5) - reach

    def cell_law(centre: float) -> np.ndarray:
        return np.diff(np.concatenate([[0.0], norm.cdf(edges - centre), [1.0]]))

    def of_sums(law: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """The means of `size` rounded readings, and their probabilities."""
        total = functools.reduce(np.convolve, [law] * size)
        return middles[0] + width * np.arange(len(total)) / size, total

    law = cell_law(0.0)
    means, weight = of_sums(law, m)
    quarter = np.searchsorted(norm.ppf([0.25, 0.5, 0.75]) / np.sqrt(m), means, side="right")
    asked = np.bincount(quarter, weight, minlength=4)
    factor = asked if whole else asked.reshape(2, 2).sum(axis=1)
    parts = [cell_law(c) for c in norm.ppf((np.arange(len(factor)) + 0.5) / len(factor))]
    sums = [of_sums(part, n) for part in parts]
    up = np.array([prob[mean >= 0].sum() for mean, prob in sums])  # P(W = 1 | e_p)
    data = sum(q * functools.reduce(np.multiply.outer, [part] * n) for q, part in zip(factor, parts, strict=True))
    signs = np.stack([1 - up, up])
    spread = float(entropy(signs @ factor))
    return Rounded(
        anchors=float(entropy(asked)),
        synthetic=spread,
        known=spread - float(factor @ entropy(signs)),
        H_S=m * float(entropy(law)),
        H_G=float(entropy(data.ravel())),
        gain=n * float(factor @ np.array([entropy(part) for part in parts])),
        H_factor=float(entropy(factor)),
        alpha=float(entropy(factor) / entropy(asked)),
    )
