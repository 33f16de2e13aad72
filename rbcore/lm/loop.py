"""Training on one's own output, generation after generation, and a small world for it.

Generation 0 is post-trained on real data.  Every later student is a fresh clone of the base, post-trained on
what the student before it wrote.  An arm says what stands between the two: a verifier, prompts that name the
task's tags, fresh real data, or the data of all earlier generations.  In the world of :func:`peers` base and
generator have one size, and it takes some four seconds of one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from rbcore.lm import language as lm_language
from rbcore.lm import models as lm_models
from rbcore.lm.language import corrupt, windows
from rbcore.lm.models import kl, next_law
from rbcore.lm.prompt import Curation, Prompt, generate
from rbcore.lm.training import Job, Recipe, train
from rbcore.lm.verifier import PERFECT, Verifier
from rbcore.lm.world import Setup, World, base_data

SETUP = Setup(open=8, topic=4, generator=Setup().base, generator_recipe=Recipe(steps=600))
STUDENT = Recipe(steps=200, batch=10, rate=6e-3)
CHUNK = 128  # sequences in one pass, so that they fit a processor's cache


def peers(seed: int, setup: Setup | None = None, **how: Any) -> World:
    """A world whose generator has the base's size and starts from it.

    It has read single sequences of all open skills, with typos in their answers, and so it answers prompts that
    name skills and no others; `setup.generator` is the size of the base.  `how` goes to
    :func:`rbcore.lm.training.train`.
    """
    setup = SETUP if setup is None else setup
    if setup.generator != setup.base:
        raise ValueError(f"peers: base and generator have one size, got {setup.base} and {setup.generator}")
    language_stream, start, read, typos, order = np.random.default_rng(seed).spawn(5)
    language = lm_language.create(language_stream, setup.own + setup.open, setup.letters, setup.length, setup.skew)
    skills = tuple(range(setup.own, setup.own + setup.open))
    size = setup.base._replace(context=max(setup.base.context, language.tokens))
    fresh = lm_models.create(language.vocabulary, size, [start])
    keys = [int(x) for x in order.integers(2**62, size=2)]
    data = base_data(language, range(setup.own), skills, setup.base_recipe, read)
    base = train([Job(fresh, data, keys[0])], setup.base_recipe, note="base", **how)
    count = setup.generator_recipe.steps * setup.generator_recipe.batch
    data = corrupt(language, language.draw(typos, skills, count), setup.typos, typos)
    generator = train([Job(base.models, data, keys[1])], setup.generator_recipe, note="generator", **how)
    losses = base.losses[:, 0], generator.losses[:, 0]
    setup = replace(setup, sequences=1)
    return World(setup, language, windows(skills, setup.topic), skills, base.models, generator.models, losses)


@dataclass(frozen=True)
class Arm:
    """One way to go on.  verify: a verifier's verdict decides.  strict: prompts name the task's tags, uniformly.

    fresh: real sequences that replace as many synthetic ones, anew in each generation.  accumulate: train on all
    generations' data, the real data of generation 0 included, and not on the last one's alone.
    """

    name: str
    verify: bool = False
    strict: bool = False
    fresh: int = 0
    accumulate: bool = False
    temperature: float = 1.0


def iterate(
    world: World,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    task: Sequence[int],
    generations: int = 5,
    n: int = 1024,
    recipe: Recipe | None = None,
    verifier: Verifier = PERFECT,
    **how: Any,
) -> pd.DataFrame:
    """One row for each arm, seed and generation 0..generations.

    Columns: arm, seed, generation; tag, input, answer and total: KL(D || student) in nats, exact; off_task: the
    student's mass on tags beyond the task; rarest: the smallest probability of a tag of the task, as a share of
    what it is under D; accepted: the share of answers that were kept for the data it was trained on (1 for real
    data).

    Generation 0 is shared by the arms of a seed, and so is the order of the batches, so arms compare in pairs.

    Args:
        n: sequences of each generation.  recipe: of the students.
        verifier: of the arms with one; by default it makes no mistake.  how: `stack`, `checkpoint`, `every` and
        `progress` of :func:`rbcore.lm.training.train`.

    Raises:
        ValueError: for repeated arms, or more fresh sequences than `n`.
    """
    if len({arm.name for arm in arms}) < len(arms) or not arms or not seeds:
        raise ValueError("iterate: at least one arm and one seed, and arms with names of their own")
    if generations < 1 or any(not 0 <= arm.fresh <= n for arm in arms):
        raise ValueError(f"at least one generation, and between 0 and {n} fresh sequences")
    recipe = Recipe() if recipe is None else recipe
    runs = [(arm, seed) for arm in arms for seed in seeds]
    streams = {
        (arm.name, seed): np.random.default_rng([seed, 2, i]) for i, arm in enumerate(arms) for seed in seeds
    }
    real = {seed: world.language.draw(np.random.default_rng([seed, 3]), task, n) for seed in seeds}
    first = train([Job(world.base, real[s], s) for s in seeds], recipe, note="generation 0", **how).models
    models = first[[seeds.index(seed) for _, seed in runs]]
    data = [real[seed] for _, seed in runs]
    accepted, rows = np.ones(len(runs)), []
    none = np.zeros((1, 0), dtype=np.int64)
    for generation in range(generations + 1):
        if generation:
            jobs = []
            for i, (arm, seed) in enumerate(runs):
                rng = streams[arm.name, seed]
                prompt = Prompt(tags=tuple(task) if arm.strict else None)
                how_curated = Curation(verify=arm.verify, verifier=verifier)
                written = generate(
                    models[i], world.language, prompt, none, n - arm.fresh, rng, how_curated, arm.temperature
                ) if arm.fresh < n else None  # fmt: skip
                new = world.language.draw(rng, task, arm.fresh)
                if written is not None:
                    new, accepted[i] = np.concatenate([written.tokens, new]), written.accepted
                data[i] = np.concatenate([data[i], new]) if arm.accumulate else new
                jobs.append(Job(world.base, data[i], seed + 1000 * generation))
            models = train(jobs, recipe, note=f"generation {generation}", **how).models
        parts = kl(models, world.language, task, CHUNK)
        for i, (arm, seed) in enumerate(runs):
            tags = next_law(models[i], np.array([[world.language.bos]]))[0, world.language.letters :]
            rows.append(
                {"arm": arm.name, "seed": seed, "generation": generation}
                | {name: float(part[i]) for name, part in (*parts._asdict().items(), ("total", parts.total))}
                | {
                    "off_task": float(1 - tags[list(task)].sum()),
                    "rarest": float(tags[list(task)].min() * len(task)),
                    "accepted": float(accepted[i]),
                }
            )
    return pd.DataFrame(rows)
