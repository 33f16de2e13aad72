"""The running example with its factors: what the prompt gives to an answer, and what the generative model gives.

The answer `X` of :mod:`rbcore.theory.process` is a function of `h(e_p)`, what the generator reads of the prompt,
and of `e_M`, which is the model's own.  Here the factor of the prompt is the prompt itself, `e_p = p`.  There
are three accounts of the model's factor for the same law of (p, X); see :data:`FACTORS`.  All tables are exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from rbcore.information.finite import Joint
from rbcore.theory import process
from rbcore.theory.generalization import Learner, type_pmf, types
from rbcore.theory.process import SECTORS, World

FACTORS = {  # accounts of the model's factor e_M
    "turn": "the turn from what was read to the answer: X = h(e_p) + e_M modulo eight",
    "seed": "a random seed, drawn before the prompt is seen: the cell of u in X = F^-1(u), u uniform",
    "answer": "the answer itself, e_M = X",
}


class Shared(NamedTuple):
    """The flow from n readings that share a prompt, and its parts; in nats.

    flow: `I(S_gen;W)`.  prompt: `I(e_p;W)`.  model: `I(e_M;W)`, where `e_M` holds the n turns.  dependence:
    `I(e_p;e_M|W)`, of the factors given W.  undecided: `H(e_p|W)`, which bounds it.
    """

    flow: float
    prompt: float
    model: float
    dependence: float
    undecided: float


def prompt_law(world: World) -> tuple[np.ndarray, np.ndarray]:
    """The prompts that occur, as sectors, and their pmf `D_p`; both of shape (n_prompts,)."""
    law = process.prompt_pmf(world)
    return np.flatnonzero(law), law[law > 0]


def read_direction(prompt: np.ndarray, reads: int) -> np.ndarray:
    """What a generator reads that tells `reads` directions apart: the sector, or the next lower one that it knows.

    Raises ValueError unless `reads` divides the number of sectors.
    """
    if reads < 1 or len(SECTORS) % reads:
        raise ValueError(f"reads divides {len(SECTORS)}, so no generator tells {reads} directions apart")
    step = len(SECTORS) // reads
    return np.asarray(prompt) // step * step


def factored(world: World, reads: int = 8, factor: str = "turn") -> Joint:
    """The joint pmf of (e_p, hp, e_M, X, eps, G, W): `e_p` the prompt, `hp` what the generator reads of it.

    The law of (e_p, X, eps, G, W) is that of :func:`rbcore.theory.process.joint`, if the generator reads all eight
    directions.  Outcomes of `e_p` and `hp` number the sectors that occur; those of `eps` are 0, +1 and -1 sector.

    Args:
        reads: how many directions the generator tells apart.
        factor: which account of the model's factor, a key of :data:`FACTORS`.

    Raises ValueError for an unknown factor, or `reads` that does not divide the number of sectors.
    """
    k = len(SECTORS)
    prompts, pmf = prompt_law(world)
    read, index = np.unique(read_direction(prompts, reads), return_inverse=True)
    answers = process.generator(world)[read]  # (n_read, 8)
    law, table = _factor(answers, read, factor)
    turned = np.array([0, 1, k - 1])
    joint = Joint(["e_p"], pmf).extend("hp", np.eye(len(read))[index], ["e_p"])
    joint = joint.extend("e_M", law, ["hp"]).extend("X", lambda h, m: table[h, m], ("hp", "e_M"), size=k)
    joint = joint.extend("eps", process.curation(world)[turned])
    joint = joint.extend("G", lambda x, e: (x + turned[e]) % k, ("X", "eps"), size=k)
    return joint.extend("W", process.learner(world), ["G"])


def _factor(answers: np.ndarray, read: np.ndarray, factor: str) -> tuple[np.ndarray, np.ndarray]:
    """The law of `e_M` given `hp` and the answer that both give, each of shape (n_read, n_factor)."""
    k, rows = len(SECTORS), np.arange(len(read))[:, None]
    if factor == "turn":
        table = (read[:, None] + np.arange(k)) % k
        return answers[rows, table], table
    if factor == "answer":
        return answers, np.broadcast_to(np.arange(k), answers.shape)
    if factor == "seed":
        steps = np.round(np.cumsum(answers, axis=1), 12)  # where each inverse distribution function jumps
        edges = np.unique(np.append(0.0, steps[steps > 0]))
        middles = (edges[1:] + edges[:-1]) / 2
        table = np.stack([np.searchsorted(row, middles) for row in steps])
        return np.tile(np.diff(edges), (len(read), 1)), table
    raise ValueError(f"a factor is one of {', '.join(FACTORS)}, got {factor!r}")


def shared_prompt(world: World, n: int, learner: Learner) -> Shared:
    """The flow from `n` answers to one prompt, without curation; exact, by types of the n turns.

    Args:
        world: without noise; its own learner is not used.
        learner: such as :func:`rbcore.theory.generalization.gibbs`, from counts (T, 8) to models (T, k_w).

    Raises ValueError for a world with noise.
    """
    if world.noise:
        raise ValueError("shared_prompt is for no curation: the learner then sees the answers themselves")
    prompts, pmf = prompt_law(world)
    kinds, answers = types(len(SECTORS), n), process.generator(world)
    turns = [type_pmf(kinds, np.roll(answers[p], -p)) for p in prompts]  # the law of e_M given p
    rows = [learner(np.roll(kinds.counts, p, axis=1)) for p in prompts]  # counts of X = p + e_M
    by_prompt = np.stack([law @ row for law, row in zip(turns, rows, strict=True)])
    anyhow = sum(weight * law for weight, law in zip(pmf, turns, strict=True))
    together = sum(
        weight * law[:, None] * row for weight, law, row in zip(pmf, turns, rows, strict=True)
    )  # of turns and W
    by_turns = np.divide(together, anyhow[:, None], out=np.zeros_like(together), where=anyhow[:, None] > 0)
    noise = sum(weight * (law @ _entropy(row)) for weight, law, row in zip(pmf, turns, rows, strict=True))
    total = _entropy(pmf @ by_prompt)
    flow, prompt, model = (total - x for x in (noise, pmf @ _entropy(by_prompt), anyhow @ _entropy(by_turns)))
    apart = sum(weight * _kl(law, anyhow) for weight, law in zip(pmf, turns, strict=True))  # I(e_p;e_M)
    return Shared(flow, prompt, model, flow - prompt - model + apart, float(_entropy(pmf)) - prompt)


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    """The divergence of `p` from `q`, two laws of one shape with `q > 0` where `p > 0`; nats."""
    return float(np.sum(xlogy(p, np.divide(p, q, out=np.ones_like(p), where=q > 0))))


def _entropy(p: np.ndarray) -> np.ndarray:
    """Entropy in nats along the last axis."""
    return -xlogy(p, p).sum(axis=-1)
