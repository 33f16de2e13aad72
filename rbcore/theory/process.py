"""The running example: the generation process of synthetic data in a world small enough to enumerate.

A coastal station records the direction of the wind, one of eight sectors.  A few readings (the anchors) are
summed up in a prompt, a generative model answers with a reading of its own, curation turns that answer by some
sectors, and a model that predicts the wind is post-trained on the result.  Every distribution is a finite array,
so every information quantity is exact.  Sectors are numbered 0..7 (N, NE, E, SE, S, SW, W, NW) and added modulo 8:
this is the sum in `S_gen = M(p) + eps`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from rbcore.information.finite import Joint

SECTORS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
SEA_BREEZE = (0.0, 0.0, 1 / 14, 2 / 14, 6 / 14, 4 / 14, 1 / 14, 0.0)
STAGES = {  # symbol, what it is here, name of its law; stages() says how many readings
    "S": (r"$S_{\mathrm{anchor}}$", "readings", "task $D$"),
    "P": ("$p$", "closest direction", "prompts $D_p$"),
    "X": ("$X$", "model's answer", "answers $D_M$"),
    "G": (r"$S_{\mathrm{gen}}$", r"curated: $X + \varepsilon$", r"data $D_{\mathrm{gen}}$"),
    "W": ("$W$", "what it predicts", "law of $W$"),
}


@dataclass(frozen=True)
class World:
    """The parameters of the running example.

    task: the pmf `D` of a reading, shape (8,).
    anchors: number `m` of readings in `S`; the order of i.i.d. readings tells nothing, so `S` is their multiset.
    strictness: inverse temperature `beta` of the generator around the prompt: 0 ignores it, inf repeats it.
    noise: probability that curation turns an answer by one sector, left or right alike.
    learning: inverse temperature `lambda` of the Gibbs learner.
    prior: what the generator answers when the prompt asks for nothing, shape (8,); None for uniform.
    """

    task: tuple[float, ...] = SEA_BREEZE
    anchors: int = 3
    strictness: float = 2.0
    noise: float = 0.2
    learning: float = 6.0
    prior: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        task = np.asarray(self.task, dtype=float)
        if task.shape != (len(SECTORS),) or (task < 0).any() or not math.isclose(task.sum(), 1, abs_tol=1e-9):
            raise ValueError(f"task is a pmf over {len(SECTORS)} sectors (nonnegative, sum 1), got {self.task}")
        if self.anchors < 1:
            raise ValueError(f"anchors is a number of readings, at least 1, got {self.anchors}")
        if not self.strictness >= 0:
            raise ValueError(f"strictness is an inverse temperature, at least 0, got {self.strictness}")
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise is a probability, got {self.noise}")
        if not 0 <= self.learning < math.inf:
            raise ValueError(f"learning is a finite inverse temperature, at least 0, got {self.learning}")
        if self.prior is not None:
            prior = np.asarray(self.prior, dtype=float)
            if prior.shape != task.shape or (prior <= 0).any() or not math.isclose(prior.sum(), 1, abs_tol=1e-9):
                raise ValueError(f"prior is a positive pmf over {len(SECTORS)} sectors, got {self.prior}")


def world(
    task: Sequence[float],
    anchors: int = 3,
    strictness: float = 2.0,
    noise: float = 0.2,
    learning: float = 6.0,
    prior: Sequence[float] | None = None,
) -> World:
    """The :class:`World` of a chapter's parameters: `task` and `prior` are weights, of any sum.

    Raises:
        ValueError: for weights that are not eight, negative or all zero, a prior with a zero, or a setting that
            :class:`World` refuses; the message says what would be right.
    """
    for name, value, kinds in (
        ("anchors", anchors, int),
        ("strictness", strictness, (int, float)),
        ("noise", noise, (int, float)),
        ("learning", learning, (int, float)),
    ):
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise ValueError(f"{name} is a number, {'a whole one, ' if kinds is int else ''}got {value!r}")
    own = None if prior is None else _from_weights("prior", prior)
    return World(_from_weights("task", task), anchors, strictness, noise, learning, own)


def _from_weights(name: str, weights: Sequence[float]) -> tuple[float, ...]:
    given = np.asarray(weights)
    if given.shape != (len(SECTORS),) or given.dtype.kind not in "iuf" or not np.isfinite(given).all():
        raise ValueError(
            f"{name} has a weight for each of {', '.join(SECTORS)}, {len(SECTORS)} numbers, got {weights}"
        )
    if (given < 0).any() or given.sum() <= 0:
        raise ValueError(f"the weights of {name} are at least 0 and not all 0, got {weights}")
    if name == "prior" and (given == 0).any():
        raise ValueError(
            f"the weights of prior are positive: a small one, such as 0.001, says rarely; got {weights}"
        )
    return tuple(float(w) for w in given / given.sum())


def stages(world: World) -> Mapping[str, tuple[str, str, str]]:
    """:data:`STAGES` of this world: the anchors are so many readings."""
    count = dict(enumerate(("one", "two", "three", "four", "five", "six"), 1)).get(world.anchors, world.anchors)
    symbol, what, law = STAGES["S"]
    return STAGES | {"S": (symbol, f"{count} {what if world.anchors > 1 else 'reading'}", law)}


def shown(value: float, fmt: str = "g", **more: Any) -> dict[str, Any]:
    """What :func:`rbcore.book.ledger.record` takes for a number that may be infinite or undefined in some worlds.

    Args:
        value: a number; one above a milliard in size counts as infinite.
        fmt, more: of the number where it is finite, such as `unit`.
    """
    if math.isnan(value):
        return {"value": "undefined"}
    if abs(value) > 1e9:
        return {"value": "\u221e" if value > 0 else "\u2212\u221e"}
    return {"value": value, "fmt": fmt, **more}


def turn(k: int = len(SECTORS)) -> np.ndarray:
    """Signed turn from sector `i` to sector `j` in radians, shape (k, k)."""
    sectors = np.arange(k)
    return 2 * np.pi * (sectors - sectors[:, None]) / k


def loss() -> np.ndarray:
    """Loss of predicting sector `w` when the wind is `z`: sectors apart over 4, shape (8, 8), in [0, 1]."""
    k = len(SECTORS)
    apart = np.abs(np.arange(k) - np.arange(k)[:, None])
    return np.minimum(apart, k - apart) / (k // 2)


def anchor_sets(world: World) -> tuple[np.ndarray, np.ndarray]:
    """The multisets of `m` readings that can occur: counts (n_sets, 8) and multinomial pmf (n_sets,)."""
    k, m = len(SECTORS), world.anchors
    sets = np.array(list(combinations_with_replacement(range(k), m)))
    counts = np.stack([(sets == z).sum(axis=1) for z in range(k)], axis=1)
    orders = np.array([math.factorial(m) / math.prod(math.factorial(c) for c in row) for row in counts])
    pmf = orders * np.prod(np.asarray(world.task) ** counts, axis=1)
    return counts[pmf > 0], pmf[pmf > 0]


def prompts(world: World) -> np.ndarray:
    """The prompt of each anchor set: the sector closest to its readings, argmax_p sum_i cos(z_i - p).

    Shape (n_sets,).  Ties go to the lower sector.  Many sets share a prompt: `phi_T` is not reversible here.
    """
    counts, _ = anchor_sets(world)
    return np.argmax(np.round(counts @ np.cos(turn()), 9), axis=1)


def prompt_pmf(world: World) -> np.ndarray:
    """The law `D_p` of the prompt, shape (8,)."""
    return np.bincount(prompts(world), weights=anchor_sets(world)[1], minlength=len(SECTORS))


def most_frequent(world: World) -> np.ndarray:
    """The most frequent reading of each anchor set, shape (n_sets,); ties go to the lower sector."""
    counts, _ = anchor_sets(world)
    return np.argmax(counts, axis=1)


def generator(world: World) -> np.ndarray:
    """`D_M(x | p)`, proportional to prior(x) exp(strictness * cos(x - p)); shape (8 prompts, 8 answers)."""
    k = len(SECTORS)
    prior = np.full(k, 1 / k) if world.prior is None else np.asarray(world.prior)
    if math.isinf(world.strictness):
        return np.eye(k)
    weight = prior * np.exp(world.strictness * (np.cos(turn()) - 1))
    return weight / weight.sum(axis=1, keepdims=True)


def offsets(world: World) -> np.ndarray:
    """The law of `X - p`, the turn to the answer, one for all without a prior; shape (8 turns, 8 prompts)."""
    return np.stack([np.roll(row, -p) for p, row in enumerate(generator(world))], axis=1)


def curation(world: World) -> np.ndarray:
    """The pmf of `eps`: 0 with probability 1 - noise, one sector to either side otherwise; shape (8,)."""
    pmf = np.zeros(len(SECTORS))
    pmf[[0, 1, -1]] = 1 - world.noise, world.noise / 2, world.noise / 2
    return pmf


def learner(world: World) -> np.ndarray:
    """The Gibbs learner `P(w | g)`, proportional to exp(-learning * loss(w, g)); shape (8 readings, 8 models)."""
    weight = np.exp(-world.learning * loss())
    return weight / weight.sum(axis=1, keepdims=True)


def joint(world: World) -> Joint:
    """The joint pmf of (S, P, X, eps, G, W): the whole process, for any expression of the language."""
    k = len(SECTORS)
    _, pmf = anchor_sets(world)
    return (
        Joint.chain([("S", pmf), ("P", np.eye(k)[prompts(world)]), ("X", generator(world))])
        .extend("eps", curation(world), given=())
        .extend("G", lambda x, e: (x + e) % k, given=("X", "eps"), size=k)
        .extend("W", learner(world), given=("G",))
    )


def joints_by_strictness(world: World, strictness: Sequence[float]) -> list[Joint]:
    """The chain of :func:`chain` for each strictness, all else as in `world`."""
    return [chain(dataclasses.replace(world, strictness=float(b))) for b in strictness]


def answers_by_strictness(world: World, strictness: Sequence[float]) -> np.ndarray:
    """`D_M(x | p)` for each strictness; shape (8 answers, 8 prompts, n_strictness), outcomes first."""
    rows = [generator(dataclasses.replace(world, strictness=float(b))) for b in strictness]
    return np.stack(rows, axis=-1).swapaxes(0, 1)


def chain(world: World) -> Joint:
    """The joint pmf of (S, P, X, G, W) with the curation summed out."""
    return joint(world).marginal("S", "P", "X", "G", "W")


def sample(world: World, rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Run the process `n` times: readings S (n, m); P, X, eps, G and W, each (n,).

    Written from the formulas and not from the tables behind :func:`joint`, so that one checks the other: the
    argmax of u + Gumbel noise is a draw from weights exp(u).
    """
    k = len(SECTORS)
    readings = rng.choice(k, size=(n, world.anchors), p=world.task)
    closeness = np.cos(2 * np.pi * (readings[:, :, None] - np.arange(k)) / k).sum(axis=1)
    prompt = np.argmax(np.round(closeness, 9), axis=1)
    sectors = np.arange(k)
    prior = np.zeros(k) if world.prior is None else np.log(world.prior)
    pull = np.cos(2 * np.pi * (sectors - prompt[:, None]) / k)
    answer = prompt
    if math.isfinite(world.strictness):
        answer = np.argmax(prior + world.strictness * pull + rng.gumbel(size=(n, k)), axis=1)
    noise = rng.choice([0, 1, k - 1], size=n, p=[1 - world.noise, world.noise / 2, world.noise / 2])
    synthetic = (answer + noise) % k
    apart = np.abs((sectors - synthetic[:, None] + k // 2) % k - k // 2)
    learned = np.argmax(rng.gumbel(size=(n, k)) - world.learning * apart / (k // 2), axis=1)
    return {"S": readings, "P": prompt, "X": answer, "eps": noise, "G": synthetic, "W": learned}
