"""Models that learn from their own sums, or a teacher's; `make practice` records them.

A round asks a model for the answers to some problems, curates them, and trains the base on what passed; the
student answers in the next round.  Rounds differ in the curation: none, a verifier that may err, a vote, problems
that the model writes itself.  A teacher's answers are learned from once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator

from rbcore.lm import arithmetic, worlds
from rbcore.lm.arithmetic import Problems, Setup, World, assess
from rbcore.lm.models import Ensemble, sample
from rbcore.lm.training import Job, Recipe, train
from rbcore.lm.verifier import Verifier

RECORD = Path(__file__).with_name("self_training.json")
RECIPE = Recipe(250, 16, 4e-3, warmup=0.1)
TASK, AVOIDED = Problems(), 7
PRACTICE = Problems(avoid=AVOIDED)
ROUNDS, ASKED, TRIES, VOTERS = 4, 512, 16, 7


@dataclass(frozen=True)
class Arm:
    """How answers become data.  verifier: who checks them; None: nobody does.

    voters: the most frequent of so many answers stands for them.  writes: the model writes the problems, too.
    keep: data of earlier rounds is kept.  real: the answers are right, whoever is asked.
    """

    name: str
    verifier: Verifier | None = None
    voters: int = 1
    writes: bool = False
    keep: bool = False
    real: bool = False
    practice: Problems = PRACTICE


ERRORS = [Arm(f"{f:g} {r:g}", Verifier(f, r)) for f in (0, 0.1, 0.25, 0.5, 0.75) for r in (0, 0.25, 0.5)]
ARMS = [
    Arm("real", real=True),
    Arm("raw"),
    *ERRORS,
    Arm("vote", voters=VOTERS),
    Arm("writes", writes=True),
    Arm("writes verified", Verifier(), writes=True),
    Arm("kept", Verifier(), keep=True),
    Arm("one digit", Verifier(), practice=replace(PRACTICE, digits=(1,))),
]


def ask(model: Ensemble, arm: Arm, rng: Generator, asked: int = ASKED) -> tuple[np.ndarray, float]:
    """The data (n, T) that `asked` problems give, and the share of right answers before curation."""
    if arm.writes:
        nothing = np.full((1, 1), arithmetic.BOS)
        found = sample(model, nothing, arithmetic.TOKENS - 1, rng, rows=np.zeros(asked, dtype=int)).tokens
        tokens = np.column_stack([np.full(asked, arithmetic.BOS), found])
    else:
        a, b = arm.practice.draw(rng, asked)
        if arm.real:
            tokens = arithmetic.encode(a, b)
        elif arm.voters > 1:
            tokens = arithmetic.vote(model, a, b, rng, arm.voters)
        else:
            tokens = arithmetic.answer(model, a, b, rng)
    right = arithmetic.correct(tokens)
    passed = np.ones(asked, dtype=bool) if arm.verifier is None else arm.verifier.accepts(right, rng)
    if not passed.any():
        raise ValueError(f"no answer of {asked} passed: ask for more, or a model that is right more often")
    return tokens[passed], float(right.mean())


def rounds(
    world: World, arms: Sequence[Arm], seed: int, count: int = ROUNDS, recipe: Recipe = RECIPE, **how: Any
) -> pd.DataFrame:
    """Rounds of practice from the base: a row for each arm and round; round 0 is the base.

    Columns: `arm`, `round`; `before`, the share of right answers before curation, and `data`, that among the data;
    `accepted`, the share that passed; those of :class:`rbcore.lm.arithmetic.Skill`.  All arms share the problems
    and the order of training as far as they can.
    """
    current = dict.fromkeys(arms, world.base)
    data: dict[Arm, np.ndarray] = {}
    start = assess(world.base, TASK, AVOIDED)
    rows: list[dict[str, Any]] = [_row(arm.name, 0, start, 0) for arm in arms]
    for number in range(1, count + 1):
        facts = []
        for arm in arms:
            new, before = ask(current[arm], arm, np.random.default_rng([seed, 31, number]))
            shares = {"before": before, "data": arithmetic.correct(new).mean(), "accepted": len(new) / ASKED}
            facts.append(shares)
            data[arm] = np.concatenate([data[arm], new]) if arm.keep and arm in data else new
        jobs = [Job(world.base, data[arm], 1000 * seed + number) for arm in arms]
        trained = train(jobs, recipe, note=f"round {number}", **how).models
        found = assess(trained, TASK, AVOIDED)
        for i, arm in enumerate(arms):
            current[arm] = trained[i]
            rows.append(_row(arm.name, number, found, i) | facts[i])
    return pd.DataFrame(rows)


def taught(world: World, seed: int, n: int = ASKED, recipe: Recipe = RECIPE, **how: Any) -> pd.DataFrame:
    """Students of a weak and a strong teacher, and of few real sums: rows as those of :func:`rounds`.

    A data set has `n` answers: raw ones, those among more that a verifier accepts, or (`again`) the first right
    one of :data:`TRIES` to each problem.  `asked` is how many answers were written for each datum, and `carries`
    the share of the data whose problem has a carry; `teacher`: P(right) of the teacher itself.
    """
    rows, data = [], []
    for name, teacher in (("weak", world.weak), ("strong", world.strong)):
        skill = float(assess(teacher, TASK, AVOIDED).right[0])
        rng = np.random.default_rng([seed, 32])
        a, b = PRACTICE.draw(rng, TRIES * n)
        tokens = arithmetic.answer(teacher, a, b, rng)
        right = np.flatnonzero(arithmetic.correct(tokens))
        again = arithmetic.try_again(teacher, a[:n], b[:n], rng, TRIES)
        spent = again.spent.sum() / max(again.solved.sum(), 1)
        for kind, chosen, asked in (
            ("raw", tokens[:n], 1.0),
            ("verified", tokens[right[:n]], (right[min(n, len(right)) - 1] + 1) / min(n, len(right))),
            ("again", again.tokens, spent),
        ):
            rows.append({"arm": f"{name} {kind}", "teacher": skill, "asked": asked})
            data.append(chosen)
    for m in (16, 64, 256):
        a, b = PRACTICE.draw(np.random.default_rng([seed, 33]), m)
        rows.append({"arm": f"{m} real"})
        data.append(arithmetic.encode(a, b))
    trained = train([Job(world.base, d, 1000 * seed) for d in data], recipe, note="students", **how).models
    found = assess(trained, TASK, AVOIDED)
    for i, (row, seen) in enumerate(zip(rows, data, strict=True)):
        shown = arithmetic.decode(seen)
        carries = shown.a + shown.b != arithmetic.without_carry(shown.a, shown.b)
        right = arithmetic.correct(seen).mean()
        row |= _row(row["arm"], 1, found, i) | {"data": right, "carries": carries.mean()}
    return pd.DataFrame(rows)


def measure(seed: int, arms: Sequence[Arm] = ARMS, count: int = ROUNDS, **how: Any) -> pd.DataFrame:
    """One world, of random mistakes: the rows of :func:`rounds` and :func:`taught`.

    More columns: `world`, its seed; `slips` and `forget`, of what its base has read.
    """
    world = drawn(seed, **how)
    parts = [rounds(world, arms, seed, count, **how), taught(world, seed, **how)]
    return named(pd.concat(parts, ignore_index=True), world, seed)


def drawn(seed: int, **how: Any) -> World:
    """The world of this seed: how often people slip and forget to carry is drawn from it, too."""
    rng = np.random.default_rng([seed, 34])
    slips, forget = float(rng.choice([0.05, 0.1, 0.15])), float(rng.choice([0.3, 0.4, 0.6, 0.7]))
    return arithmetic.build(seed, Setup(slips, forget), **how)


def named(rows: pd.DataFrame, world: World, seed: int) -> pd.DataFrame:
    """The rows with the columns that say of which world they are."""
    return rows.assign(world=seed, slips=world.setup.slips, forget=world.setup.forget)


def _row(arm: str, number: int, skills: arithmetic.Skill, which: int) -> dict[str, Any]:
    return {"arm": arm, "round": number} | {k: float(v[which]) for k, v in skills._asdict().items()}


def read(path: Path = RECORD) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The recorded table of :func:`measure`, and when and with what it was made."""
    return worlds.read(path)


if __name__ == "__main__":
    sys.exit(worlds.main(measure, RECORD, "world", 16, 7000))
