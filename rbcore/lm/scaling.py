"""What is one real sequence worth?  Students of more and more real or synthetic data; `make scaling` records them.

In a language one task is learned from three sources: real sequences, a generator's raw answers, and those of its
answers that a verifier passes; the last also from the same generator halfway through its training.  Each source is
used in several amounts and by students of several widths.  What a student of endless synthetic data should end at,
KL(D || D_gen), is enumerated.

A student is stopped at the best of the snapshots of its training, by its exact divergence from the task.  Nobody
has that outside of such a language; here it keeps the length of training out of the comparison.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.special import entr, logsumexp

from rbcore.lm import worlds
from rbcore.lm.language import task_law
from rbcore.lm.models import Ensemble, Size, log_probs
from rbcore.lm.prompt import Answers, Curation, Prompt, answers, ask, divergences
from rbcore.lm.study import NOTHING, with_base
from rbcore.lm.training import Job, Recipe, train
from rbcore.lm.world import Setup, World, build

RECORD = Path(__file__).with_name("scaling.json")
SIZES = (16, 32, 64, 128, 256, 512, 4096)  # sequences for each skill of the task
WIDTHS = (24, 32, 48)
TASKS = (2, 4, 8, 16)  # skills of a task
FIXED, TOTAL = 64, 512  # real sequences for each skill of such a task, and for all of them together
SOURCES = ("real", "verified", "raw", "verified, early")
TASK = "real, by task"  # the source of students of tasks of other sizes
TEACHING = Recipe(800, 12, 6e-3, warmup=0.1, keep=(400,))
SETUP = Setup(generator=Size(48, 2, hidden=4), generator_recipe=TEACHING)
STOPS = (0.05, 0.12, 0.25, 0.45, 0.7)  # shares of training after which a student may be stopped


def recipe(sequences: int) -> Recipe:
    """How a student of so many sequences is trained: the longer, the more there is to learn from."""
    steps = 300 if sequences <= 128 else 1000 if sequences <= 1024 else 2000
    return Recipe(steps, 16, 1e-2, keep=tuple(round(share * steps) for share in STOPS))


class Data(NamedTuple):
    """Sequences (N, T); KL(D || their law), nats; and their law, where it lives on right sequences of the task."""

    tokens: np.ndarray
    level: float = 0.0
    law: np.ndarray | None = None


class Student(NamedTuple):
    """A base to start from, the skills of the task, the name of the source, sequences for each skill, the data."""

    base: Ensemble
    task: tuple[int, ...]
    source: str
    n: int
    data: Data


def measure(
    seed: int,
    sizes: Sequence[int] = SIZES,
    widths: Sequence[int] = WIDTHS,
    tasks: Sequence[int] = TASKS,
    skip: Collection[tuple[str, int]] = (),
    setup: Setup = SETUP,
    **how: Any,
) -> pd.DataFrame:
    """One language, of random skew and typos: a row for each student.

    Columns: `language`; `skills` of the task; `width`; `source`, one of :data:`SOURCES` or :data:`TASK`; `n`,
    sequences for each skill, on average; `kl`, KL(D || student); `level`, KL(D || law of the data), zero for real
    data; `excess`, KL(D_gen || student) for verified answers; `steps` at which the student was stopped.  In nats.

    Data sets of one source are parts of one another, and students that differ in their source alone read the rows
    of their data in one order.  Tasks of other sizes have real data only, and the base of the world.

    Args:
        skip: sources and amounts that have no student.
        how: `checkpoint` and `progress` of :func:`rbcore.lm.training.train`.
    """
    rng, stream, other = np.random.default_rng([seed, 21]).spawn(3)
    skew, typos = (float(rng.choice(values)) for values in ((0.7, 0.8, 0.9), (0.1, 0.15, 0.2)))
    world = build(seed, replace(setup, skew=skew, typos=typos), **how)
    task, size, todo = world.topics[0], setup.base, []
    data = sources(world, max(sizes) * len(task), stream)
    for width in widths:
        same = width == size.width
        wide = world if same else with_base(world, size._replace(width=width), setup.base_recipe, seed, **how)
        for source, n in (pair for pair in itertools.product(data, sizes) if pair not in skip):
            todo.append(Student(wide.base, task, source, n, _first(data[source], n * len(task))))
    for k in tasks:
        chosen = world.skills[:k]
        whole = Data(world.language.draw(other, chosen, max(FIXED * k, TOTAL)))
        for n in sorted({FIXED, TOTAL // k}):
            todo.append(Student(world.base, chosen, TASK, n, _first(whole, n * k)))
    return pd.DataFrame(_stopped(world, todo, seed, **how)).assign(language=seed)


def _first(data: Data, n: int) -> Data:
    """The first `n` sequences."""
    return data._replace(tokens=data.tokens[:n])


def sources(world: World, count: int, rng: Generator) -> dict[str, Data]:
    """`count` sequences of each of :data:`SOURCES` for the first task; prompts name one of its skills."""
    language, task = world.language, world.topics[0]
    prompt, right = Prompt(tags=task), world.language.support(task)
    real, made, first, last = rng.spawn(4)
    found = {"real": Data(language.draw(real, task, count))}
    (early,) = world.early.values()
    for generator, name, own in ((world.generator, "verified", first), (early, "verified, early", last)):
        law = answers(generator, language, prompt, NOTHING, task)
        passed = np.exp(law.log_law[0] - logsumexp(law.log_law[0]))
        rows = right[own.choice(len(passed), size=count, p=passed)]
        found[name] = Data(rows, _level(world, law, True), passed)
        if generator is world.generator:
            raw = ask(generator, language, prompt, NOTHING, count, made)
            found["raw"] = Data(raw.tokens, _level(world, law, False))
    return {name: found[name] for name in SOURCES}


def _level(world: World, law: Answers, verify: bool) -> float:
    """KL(D || D_gen), nats."""
    return float(divergences(world.language, law, world.topics[0], Curation(verify=verify)).kl[0])


def _stopped(world: World, todo: Sequence[Student], seed: int, **how: Any) -> list[dict[str, Any]]:
    """The rows of these students, each stopped at the best of its snapshots."""
    groups: dict[tuple[int, int], list[int]] = {}
    for i, one in enumerate(todo):
        groups.setdefault((one.base.size, recipe(len(one.data.tokens)).steps), []).append(i)
    rows: dict[int, dict[str, Any]] = {}
    for members in groups.values():
        taught = recipe(len(todo[members[0]].data.tokens))
        jobs = [Job(todo[i].base, todo[i].data.tokens, seed) for i in members]
        done = train(jobs, taught, note=f"{taught.steps} steps", **how)
        stages = [*(done.snapshots[step] for step in taught.keep), done.models]
        for place, i in enumerate(members):
            logs = _log_law(world, stages, place, todo[i].task)
            rows[i] = _row(world, todo[i], logs, (*taught.keep, taught.steps))
    return [rows[i] for i in range(len(todo))]


def _row(world: World, one: Student, logs: np.ndarray, steps: Sequence[int]) -> dict[str, Any]:
    """What is recorded of a student, from the log-probabilities (stages, N) after so many steps."""
    target, law = task_law(world.language, one.task), one.data.law
    kl = -entr(target).sum() - logs @ target
    best = int(kl.argmin())
    excess = float("nan") if law is None else float(-entr(law).sum() - logs[best] @ law)
    row = {"skills": len(one.task), "width": one.base.module.config.n_embd, "source": one.source, "n": one.n}
    return row | {"kl": float(kl[best]), "level": one.data.level, "excess": excess, "steps": steps[best]}


def _log_law(world: World, stages: Sequence[Ensemble], place: int, task: Sequence[int]) -> np.ndarray:
    """The log-probabilities of the task's sequences for one student at every stage, shape (stages, N)."""
    support = world.language.support(task)
    return np.array([log_probs(models[place].single(), support)[0].sum(axis=-1) for models in stages], dtype=float)


class Fit(NamedTuple):
    """`KL(n) = level + factor n^-exponent` in nats, n per skill; arrays of one shape, one entry for each curve."""

    level: np.ndarray
    factor: np.ndarray
    exponent: np.ndarray

    def at(self, n: ArrayLike) -> np.ndarray:
        """The fitted KL for each amount in `n`, nats, shape (..., amounts)."""
        powers = np.asarray(n, dtype=float) ** -self.exponent[..., None]
        return self.level[..., None] + self.factor[..., None] * powers


def fit(n: ArrayLike, logs: ArrayLike) -> Fit:
    """Least squares on logarithms, for many curves at once.

    With `level = factor s^-exponent` the logarithm is `log factor + log(n^-exponent + s^-exponent)`, where `s` is
    the amount at which the level is half of the whole.  So the factor is a mean of residuals, and exponent and
    `s` are searched for on a grid, of fiftieths and of quarters of a doubling: no start, and no local minimum.

    Args:
        n: amounts (sizes,), at least three.  logs: log KL, shape (..., sizes).
    """
    n, logs = np.asarray(n, dtype=float), np.asarray(logs, dtype=float)
    if n.ndim != 1 or len(n) < 3 or logs.shape[-1] != len(n) or not np.isfinite(logs).all():
        raise ValueError(f"fit: finite logarithms of KL at three amounts or more, got {logs.shape} at {n.shape}")
    exponents = np.arange(5, 201) / 50
    doublings = np.arange(4 * np.ceil(np.log2(4096 * n[-1] / n[0]))) / 4
    ends = np.append(n[0] / 64 * 2**doublings, np.inf)
    shares = ends[:, None] ** -exponents  # (ends, exponents)
    shape = np.log(shares[..., None] + n ** -exponents[:, None]).reshape(-1, len(n))
    centred = shape - shape.mean(axis=1, keepdims=True)
    rest = logs - logs.mean(axis=-1, keepdims=True)
    best = ((centred**2).sum(axis=1) - 2 * rest @ centred.T).argmin(axis=-1)
    factor = np.exp((logs - shape[best]).mean(axis=-1))
    return Fit(factor * shares.ravel()[best], factor, np.tile(exponents, len(ends))[best])


def exchange(n: ArrayLike, real: ArrayLike, other: ArrayLike) -> np.ndarray:
    """How many sequences of another source are worth one real one when there are `n` of these, shape (..., sizes).

    The amount of the other source with the same KL is read off its curve, which is straight between amounts on
    logarithmic axes and made to fall.  It is infinite where the curve does not come down to it; where it begins
    below, the first amount stands.

    Args:
        n: amounts (sizes,), increasing.  real, other: log KL, shape (..., sizes).
    """
    n, real, other = (np.asarray(x, dtype=float) for x in (n, real, other))
    falling = np.minimum.accumulate(other, axis=-1)
    pairs = zip(real.reshape(-1, len(n)), falling.reshape(-1, len(n)), strict=True)
    amounts = [np.interp(-one, -two, np.log(n), right=np.inf) for one, two in pairs]
    return np.exp(np.array(amounts)).reshape(real.shape) / n


def curves(table: pd.DataFrame, width: int, source: str) -> pd.DataFrame:
    """log KL of the students of one width and source, a row for each language and a column for each amount."""
    mine = table[(table.width == width) & (table.source == source)]
    return np.log(mine.pivot(index="language", columns="n", values="kl"))


def resampled(logs: pd.DataFrame, chosen: np.ndarray) -> np.ndarray:
    """Mean curves of resampled languages, shape (draws, sizes): `chosen` (draws, languages) are row numbers."""
    return logs.to_numpy()[chosen].mean(axis=1)


def read(path: Path = RECORD) -> pd.DataFrame:
    """The recorded table of :func:`measure`."""
    return worlds.read(path)[0]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure languages and record them: :func:`rbcore.lm.worlds.main`."""
    return worlds.main(measure, RECORD, "language", 10, 7000, argv)


if __name__ == "__main__":
    sys.exit(main())
