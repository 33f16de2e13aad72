"""Sums of two numbers, written in columns, for models that have read them with mistakes.

A sum of numbers below 100 is written as by hand, from the right: `BOS a0 b0 s0 a1 b1 s1 c`, where a0 and b0 are
the last digits of the operands, s0 that of the sum, and c the last carry.  There are 10,000 problems, so how often
a model is right is computed, not sampled.

People make two kinds of mistakes.  A *slip* is another digit by accident.  Who *forgets to carry* adds each column
by itself, and does so throughout.  A model that has read many sums knows how often each occurs, and writes so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch.func import functional_call

from rbcore.lm import models
from rbcore.lm.models import Ensemble, Size, log_probs
from rbcore.lm.training import Job, Recipe, train

COLUMNS, BOS = 2, 10
TOKENS = 2 + 3 * COLUMNS
ANSWER = (3, 6, 7)  # where the digits of the answer stand
OPERANDS = (1, 2, 4, 5)
NUMBERS = 10**COLUMNS


def encode(a: np.ndarray, b: np.ndarray, total: np.ndarray | None = None) -> np.ndarray:
    """The tokens (N, T) of sums a + b with the answers `total`; None: the right ones.

    Raises:
        ValueError: for operands that are not in 0..99, or answers not in 0..999.
    """
    a, b = np.asarray(a), np.asarray(b)
    total = a + b if total is None else np.asarray(total)
    if min(a.min(), b.min(), total.min()) < 0 or max(a.max(), b.max()) >= NUMBERS or total.max() >= 10 * NUMBERS:
        raise ValueError(f"operands in 0..{NUMBERS - 1} and answers in 0..{10 * NUMBERS - 1} can be written")
    tokens = np.full((len(a), TOKENS), BOS)
    for i in range(COLUMNS):
        tokens[:, 1 + 3 * i : 4 + 3 * i] = np.stack([a, b, total], axis=1) // 10**i % 10
    tokens[:, -1] = total // NUMBERS
    return tokens


class Sums(NamedTuple):
    """Operands and answers of N sums, (N,) each."""

    a: np.ndarray
    b: np.ndarray
    total: np.ndarray


def decode(tokens: np.ndarray) -> Sums:
    """What the tokens (N, T) say."""
    places = 10 ** np.arange(COLUMNS)
    a, b = tokens[:, [1, 4]] @ places, tokens[:, [2, 5]] @ places
    return Sums(a, b, tokens[:, ANSWER] @ np.append(places, NUMBERS))


def correct(tokens: np.ndarray) -> np.ndarray:
    """Which sums are right, (N,); what is no number is not."""
    found = decode(tokens)
    return (found.a + found.b == found.total) & (tokens[:, 1:] < BOS).all(axis=1)


def without_carry(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The answers of somebody who adds each column by itself."""
    return sum((a // 10**i + b // 10**i) % 10 * 10**i for i in range(COLUMNS))


def write(rng: Generator, a: np.ndarray, b: np.ndarray, slips: float, forget: float) -> np.ndarray:
    """Sums as people write them, tokens (N, T).  slips: the probability of each wrong digit.

    forget: that all carries of the sum are forgotten.
    """
    if not 0 <= slips <= 1 or not 0 <= forget <= 1:
        raise ValueError(f"slips and forget are probabilities, got {slips} and {forget}")
    forgotten = rng.random(len(a)) < forget
    tokens = encode(a, b, np.where(forgotten, without_carry(a, b), a + b))
    for place in ANSWER:
        other = (tokens[:, place] + rng.integers(1, 10, len(a))) % 10
        tokens[:, place] = np.where(rng.random(len(a)) < slips, other, tokens[:, place])
    return tokens


@dataclass(frozen=True)
class Problems:
    """A law of problems.  digits: how many the operands have, one of these with equal probability.

    avoid: no operand has this digit.
    """

    digits: tuple[int, ...] = (1, 2)
    avoid: int | None = None

    def weights(self) -> np.ndarray:
        """The probability of each problem, in the order of :func:`every`."""
        a, b = every()
        used = [10 ** np.array(self.digits) > x[:, None] for x in (a, b)]
        weights = sum(inside / inside.sum() for inside in (used[0] & used[1]).T.astype(float)) / len(self.digits)
        if self.avoid is not None:
            weights = weights * ~contains(self.avoid)
        return weights / weights.sum()

    def draw(self, rng: Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The operands of `n` problems."""
        a, b = every()
        chosen = rng.choice(len(a), size=n, p=self.weights())
        return a[chosen], b[chosen]


def every() -> tuple[np.ndarray, np.ndarray]:
    """The operands of all 10,000 problems."""
    both = np.divmod(np.arange(NUMBERS**2), NUMBERS)
    return both[0], both[1]


def contains(digit: int) -> np.ndarray:
    """Whether an operand has two digits and this one among them, for every problem."""
    a, b = every()
    return np.any([(x // 10**i % 10 == digit) for x in (a, b) for i in range(COLUMNS)], axis=0)


@torch.no_grad()
def answer(
    model: Ensemble, a: np.ndarray, b: np.ndarray, rng: Generator, temperature: float = 1.0, chunk: int = 4096
) -> np.ndarray:
    """One model's answers to problems, tokens (N, T): the operands are given, the digits of the sum sampled."""
    if not temperature > 0:
        raise ValueError(f"temperature is positive, got {temperature}")
    (parameters,) = model.unstacked()
    whole, uniform = encode(a, b), rng.random((len(ANSWER), len(a)))
    for start in range(0, len(a), chunk):
        tokens = torch.as_tensor(whole[start : start + chunk])
        for draws, place in zip(uniform[:, start : start + chunk], ANSWER, strict=True):
            given = functional_call(model.module, parameters, (tokens[:, :place],), {"use_cache": False})
            sums = torch.softmax(given.logits[:, -1, :BOS].double() / temperature, dim=-1).cumsum(-1)
            drawn = torch.as_tensor(draws[:, None]) * sums[:, -1:]
            tokens[:, place] = torch.searchsorted(sums, drawn).clamp(max=9)[:, 0]
        whole[start : start + chunk] = tokens.numpy()
    return whole


class Tried(NamedTuple):
    """Tries at N problems until one is right.

    tokens: the first right answers, one for each problem that was solved.  solved: which were, (N,).  spent: how
    many answers were written at each, (N,).
    """

    tokens: np.ndarray
    solved: np.ndarray
    spent: np.ndarray


def try_again(model: Ensemble, a: np.ndarray, b: np.ndarray, rng: Generator, tries: int) -> Tried:
    """One model's answers to each problem, at most `tries` of them, until one is right."""
    tokens = answer(model, np.repeat(a, tries), np.repeat(b, tries), rng)
    fine = correct(tokens).reshape(len(a), tries)
    solved, first = np.any(fine, axis=1), fine.argmax(axis=1)
    chosen = tokens.reshape(len(a), tries, -1)[solved, first[solved]]
    return Tried(chosen, solved, np.where(solved, first + 1, tries))


def log_parts(
    ensemble: Ensemble, tokens: np.ndarray, places: Sequence[int], temperature: float = 1.0
) -> np.ndarray:
    """The log-probability of what stands at some places of sums, given what stands before; (models, N), nats."""
    logs = log_probs(ensemble, tokens, temperature=temperature)
    return logs[:, :, [place - 1 for place in places]].sum(axis=2, dtype=float)


def vote(
    model: Ensemble, a: np.ndarray, b: np.ndarray, rng: Generator, voters: int, temperature: float = 1.0
) -> np.ndarray:
    """The most frequent of `voters` answers to each problem, tokens (N, T); the first of equals."""
    given = answer(model, np.repeat(a, voters), np.repeat(b, voters), rng, temperature)
    ballots = decode(given).total.reshape(-1, voters)
    count = (ballots[:, :, None] == ballots[:, None]).sum(axis=1)
    return encode(a, b, ballots[np.arange(len(a)), count.argmax(axis=1)])


class Skill(NamedTuple):
    """How well models do, exactly, one value for each model.

    right: P(right) on the task's problems.  seen, unseen: on those of two digits without and with the digit that
    practice avoids.  short: on problems of one digit.  operands, answer: the two parts of KL(D || model), nats.
    modal: the share of the task's problems for which the right answer has a larger probability than that without
    carries, or is the same.
    """

    right: np.ndarray
    seen: np.ndarray
    unseen: np.ndarray
    short: np.ndarray
    operands: np.ndarray
    answer: np.ndarray
    modal: np.ndarray


def assess(ensemble: Ensemble, task: Problems, avoided: int) -> Skill:
    """Enumerate all problems, for each of the models."""
    a, b = every()
    law, two, hidden = task.weights(), Problems((2,)).weights(), contains(avoided)
    single = ensemble.single()
    logs = log_probs(single, encode(a, b)).astype(float)
    digits = logs[:, :, [place - 1 for place in ANSWER]].sum(axis=2)
    asked = logs[:, :, [place - 1 for place in OPERANDS]].sum(axis=2)
    right = np.exp(digits)
    other = log_parts(single, encode(a, b, without_carry(a, b)), ANSWER)
    entropy = -(law[law > 0] * np.log(law[law > 0])).sum()

    def over(weights: np.ndarray) -> np.ndarray:
        return right @ (weights / weights.sum())

    return Skill(
        right=over(law),
        seen=over(two * ~hidden),
        unseen=over(two * hidden),
        short=over(Problems((1,)).weights()),
        operands=-asked @ law - entropy,
        answer=-digits @ law,
        modal=(digits >= other) @ law,
    )


@dataclass(frozen=True)
class Setup:
    """How models of this world are made.  slips, forget: in the sums that the base has read.

    strong: the share of these mistakes in what the strong teacher has read.
    """

    slips: float = 0.1
    forget: float = 0.4
    strong: float = 0.2
    size: Size = Size(48, 1, context=TOKENS)
    recipe: Recipe = Recipe(1600, 32, 6e-3, warmup=0.1, keep=(400,))


class World(NamedTuple):
    """A base, which has read sums with mistakes; itself, early in its training; and a stronger teacher."""

    setup: Setup
    base: Ensemble
    weak: Ensemble
    strong: Ensemble


def build(seed: int, setup: Setup | None = None, **how: Any) -> World:
    """Train the base and the strong teacher from nothing; `how` as of :func:`rbcore.lm.training.train`."""
    setup = Setup() if setup is None else setup
    jobs = []
    for i, share in enumerate((1.0, setup.strong)):
        rng, fresh = np.random.default_rng([seed, 30, i]).spawn(2)
        a, b = Problems().draw(rng, setup.recipe.steps * setup.recipe.batch)
        read = write(rng, a, b, share * setup.slips, share * setup.forget)
        start = models.create(BOS + 1, setup.size, [fresh])
        jobs.append(Job(start, read, int(rng.integers(2**62))))
    done = train(jobs, setup.recipe, note="readers of sums", **how)
    (early,) = setup.recipe.keep
    return World(setup, done.models[0], done.snapshots[early][0], done.models[1])
