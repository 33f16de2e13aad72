"""The KL gap: what synthetic data gains over anchors alone, on tasks that the anchors cover in part.

A task has `K` skills that the anchors show, and `J` that they do not; the generator writes about all of these and
about `L` skills beyond the task.  Two students start from the base, one is post-trained on the anchors, the
other on what the generator wrote.  The gap is KL(D || anchor student) - KL(D || synthetic student), exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rbcore.lm.language import Language, kl_parts, smooth, task_law
from rbcore.lm.models import log_probs
from rbcore.lm.prompt import Answers, Prompt, answers, verified
from rbcore.lm.training import Job, Recipe, train
from rbcore.lm.verifier import PERFECT, Verifier
from rbcore.lm.world import World


class Pools(NamedTuple):
    """For one seed: verified synthetic sequences and anchors of each skill, and the order of the skills.

    synthetic: (skills, n, T).  anchors: (skills, m, T).
    """

    order: np.ndarray
    synthetic: np.ndarray
    anchors: np.ndarray


def by_name(world: World) -> Answers:
    """The law of the generator's answers to a prompt that names one of the world's skills."""
    nothing = np.zeros((1, 0), dtype=np.int64)
    return answers(world.generator, world.language, Prompt(tags=world.skills), nothing, world.skills)


def pools(
    world: World,
    seed: int,
    synthetic: int,
    anchors: int,
    found: Answers | None = None,
    verifier: Verifier = PERFECT,
) -> Pools:
    """Verified answers to prompts that name each skill (right ones from their enumerated law), and anchors of it.

    Each skill has a stream of its own, so the first sequences of a pool do not depend on its size.

    Args:
        found: :func:`by_name`, for whoever makes pools of several seeds.
        verifier: by default one that makes no mistake.
    """
    streams = np.random.default_rng([seed, 1]).spawn(3)
    count = len(world.skills)
    logs = (by_name(world) if found is None else found).log_law[0].reshape(count, -1) + np.log(count)
    made = [
        verified(world.generator, world.language, [skill], given, synthetic, rng, verifier)
        for skill, given, rng in zip(world.skills, logs, streams[0].spawn(count), strict=True)
    ]
    real = world.language.draw_each(streams[1], world.skills, anchors)
    order = streams[2].permutation(len(world.skills))
    return Pools(order, np.array(made), real.reshape(len(world.skills), anchors, -1))


def gap_table(
    world: World,
    settings: Sequence[tuple[int, int, int]],
    seeds: Sequence[int],
    recipe: Recipe | None = None,
    n: int = 2048,
    anchors: int = 32,
    share: float = 0.01,
    early: Sequence[int] = (0, 20, 60, 120),
    verifier: Verifier = PERFECT,
    **how: Any,
) -> pd.DataFrame:
    """KL(D || student) of students on anchors and on synthetic data, for each (K, J, L) and seed.

    Settings of one seed share everything that they can (order of skills, pools of sequences, order of batches), so
    they are compared in pairs.  Synthetic data: `n` sequences, evenly from K + J + L skills.

    Columns: seed, K, J, L; arm ("anchors" or "synthetic"); variant; tag, input, answer and total KL in nats.
    Variants: "plain"; "smoothed", `(1 - share) student + share base`; and for anchors "stopped", the best among
    the numbers of steps in `early` and the end, chosen with the task's own KL: kinder than any rule that can be
    used.

    Args:
        recipe: of the students.  verifier: of the synthetic data; by default it makes no mistake.
        how: `stack`, `checkpoint`, `every` and `progress` of :func:`train`.
    """
    settings = [(int(k), int(j), int(l)) for k, j, l in settings]
    if any(k < 1 or min(j, l) < 0 or k + j + l > len(world.skills) for k, j, l in settings):
        raise ValueError(f"settings: (K, J, L) with K >= 1 and at most {len(world.skills)} skills, got {settings}")
    recipe = Recipe() if recipe is None else recipe
    fewest = min(sum(s) for s in settings)
    found = by_name(world)
    made = {seed: pools(world, seed, -(-n // fewest), anchors, found, verifier) for seed in seeds}
    known = sorted({s[0] for s in settings})
    first = [(seed, k) for seed in seeds for k in known]
    second = [(seed, s) for seed in seeds for s in settings]
    jobs = [Job(world.base, made[seed].anchors[made[seed].order[:k]].reshape(-1, world.language.tokens), seed)
            for seed, k in first]  # fmt: skip
    keep = Recipe(recipe.steps, recipe.batch, recipe.rate, recipe.warmup, recipe.floor, tuple(early))
    real = train(jobs, keep, note="students on anchors", **how)
    jobs = [Job(world.base, _evenly(made[seed], sum(s), n), seed) for seed, s in second]
    synthetic = train(jobs, recipe, note="students on synthetic data", **how).models
    language, support = world.language, world.language.support(world.skills)
    base = log_probs(world.base.single(), support)[0]
    stopped = [real.snapshots[step] for step in early if step] + [real.models]
    times = np.array([log_probs(models.single(), support) for models in stopped])  # (times, models, N, T - 1)
    rows = []
    for i, (seed, (k, j, l)) in enumerate(second):
        skills = made[seed].order[: k + j]
        before, mine = _of(language, base, skills), _of(language, times[:, first.index((seed, k))], skills)
        offered = np.concatenate([before[None], mine]) if 0 in early else mine
        best = offered[np.argmin(kl_parts(language, task_law(language, skills), offered).total)]
        written = log_probs(synthetic[i].single(), language.support(np.array(world.skills)[skills]))[0]
        for arm, variant, logs in (
            ("anchors", "plain", mine[-1]),
            ("anchors", "stopped", best),
            ("anchors", "smoothed", smooth(mine[-1], before, share)),
            ("synthetic", "plain", written),
            ("synthetic", "smoothed", smooth(written, before, share)),
        ):
            parts = kl_parts(language, task_law(language, skills), logs)
            row = {"seed": seed, "K": k, "J": j, "L": l, "arm": arm, "variant": variant}
            rows.append(
                row | {name: float(v) for name, v in parts._asdict().items()} | {"total": float(parts.total)}
            )
    return pd.DataFrame(rows)


def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """KL(D || anchor student) - KL(D || synthetic student) of each row pair of :func:`gap_table`, nats.

    Columns: seed, K, J, L, and the gap of "plain" and of "smoothed" students, each against its like; "stopped" is
    the plain synthetic student against the anchor student that was stopped at its best.
    """
    wide = table.pivot_table(index=["seed", "K", "J", "L"], columns=["arm", "variant"], values="total", sort=False)
    found = pd.DataFrame(index=wide.index)
    for name, rival in (("plain", "plain"), ("smoothed", "smoothed"), ("stopped", "plain")):
        found[name] = wide[("anchors", name)] - wide[("synthetic", rival)]
    return found.reset_index()


def _evenly(mine: Pools, skills: int, n: int) -> np.ndarray:
    """`n` synthetic sequences, evenly from the first so many skills, the first of each pool."""
    each = np.full(skills, n // skills) + (np.arange(skills) < n % skills)
    return np.concatenate([mine.synthetic[s, :m] for s, m in zip(mine.order[:skills], each, strict=True)])


def _of(language: Language, logs: np.ndarray, skills: np.ndarray) -> np.ndarray:
    """The log-probabilities of some skills' sequences, out of those of all of the world's (.., N, T - 1)."""
    inputs = language.letters**language.length
    parts = logs.reshape(*logs.shape[:-2], -1, inputs, logs.shape[-1])[..., skills, :, :]
    return parts.reshape(*logs.shape[:-2], -1, logs.shape[-1])
