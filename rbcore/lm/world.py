"""The world of the transformer chapters: a language, a base model, a generator, and students of all kinds.

The base model knows the format, twelve skills of its own, and the tags of sixteen more, but none of their answers.
The generator is a larger model that has read documents: each has a topic of eight of the sixteen skills, and typos
in its answers.  Students start from the base and are post-trained on anchors, on what the generator writes, on
rule-made data, or on mixtures.  All randomness comes from the seed, each kind of draw from a stream of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from rbcore.lm import language as lm_language
from rbcore.lm import models
from rbcore.lm.language import Language, documents, windows
from rbcore.lm.models import Ensemble, Size
from rbcore.lm.training import Job, Recipe, train


@dataclass(frozen=True)
class Setup:
    """What a world is made of; the defaults take some fifteen seconds of one core.

    own: skills of the base model.  open: skills of the tasks.  topic: skills in one of the generator's topics,
    which overlap by half.  typos: in the generator's documents.  sequences: in a document, one more than a
    prompt can hold.
    """

    own: int = 12
    open: int = 16
    letters: int = 8
    length: int = 3
    skew: float = 0.8
    topic: int = 8
    typos: float = 0.15
    sequences: int = 3
    base: Size = Size(48, 1)
    base_recipe: Recipe = field(default_factory=lambda: Recipe(steps=1000))
    generator: Size = Size(64, 2)
    generator_recipe: Recipe = field(default_factory=lambda: Recipe(steps=1200, rate=6e-3, warmup=0.1))


class World(NamedTuple):
    """A language, the generator's topics, the skills that tasks are made of, and the two trained models.

    losses: training losses of base and generator, nats per token.  early: the generator after fewer steps, those
    in `keep` of its recipe.
    """

    setup: Setup
    language: Language
    topics: tuple[tuple[int, ...], ...]
    skills: tuple[int, ...]
    base: Ensemble
    generator: Ensemble
    losses: tuple[np.ndarray, np.ndarray]
    early: Mapping[int, Ensemble] = MappingProxyType({})


def build(
    seed: int,
    setup: Setup | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
    device: str = "cpu",
) -> World:
    """Make the language, and train base and generator from nothing."""
    setup = Setup() if setup is None else setup
    streams = np.random.default_rng(seed).spawn(5)
    language = lm_language.create(streams[0], setup.own + setup.open, setup.letters, setup.length, setup.skew)
    skills = tuple(range(setup.own, setup.own + setup.open))
    topics = windows(skills, setup.topic)
    size = setup.base._replace(context=max(setup.base.context, language.tokens))
    fresh = models.create(language.vocabulary, size, [streams[1]], device)
    data = base_data(language, range(setup.own), skills, setup.base_recipe, streams[2])
    keys = [int(s.integers(2**62)) for s in streams[3:]]
    fit = partial(train, checkpoint=checkpoint, progress=progress)
    base = fit([Job(fresh, data, keys[0])], setup.base_recipe, note="base")
    size = setup.generator._replace(context=max(setup.generator.context, setup.sequences * language.tokens))
    fresh = models.create(language.vocabulary, size, [streams[3]], device)
    count = setup.generator_recipe.steps * setup.generator_recipe.batch
    data = documents(language, streams[4], topics, count, setup.sequences, setup.typos)
    generator = fit([Job(fresh, data, keys[1])], setup.generator_recipe, note="generator")
    losses = base.losses[:, 0], generator.losses[:, 0]
    return World(setup, language, topics, skills, base.models, generator.models, losses, generator.snapshots)


def base_data(
    language: Language, own: Sequence[int], others: Sequence[int], recipe: Recipe, rng: Generator
) -> np.ndarray:
    """What the base model reads: 70 % of its own skills, and 30 % tags of others with answers at random."""
    count = recipe.steps * recipe.batch
    known = language.draw(rng, own, round(0.7 * count))
    asked = language.draw(rng, others, count - len(known))
    answers = slice(3 + language.length, -1)
    asked[:, answers] = rng.integers(language.letters, size=asked[:, answers].shape)
    return np.concatenate([known, asked])


def mix(synthetic: np.ndarray, anchors: np.ndarray, share: float, n: int, rng: Generator) -> np.ndarray:
    """`n` sequences, each with probability `share` an anchor, else synthetic; both drawn with replacement."""
    if not 0 <= share <= 1:
        raise ValueError(f"share is the probability of an anchor, got {share}")
    real = rng.random(n) < share
    one, other = (pool[rng.integers(len(pool), size=n)] for pool in (anchors, synthetic))
    return np.where(real[:, None], one, other)


def duplicate(data: np.ndarray, distinct: int, n: int | None = None) -> np.ndarray:
    """`n` sequences (as many as `data` without it) of which only the first `distinct` differ, in turn."""
    if not 1 <= distinct <= len(data):
        raise ValueError(f"distinct: between 1 and {len(data)} sequences, got {distinct}")
    return data[np.arange(len(data) if n is None else n) % distinct]


def rule_law(
    language: Language, skills: Sequence[int], templates: Sequence[int] | None = None, uniform: bool = True
) -> np.ndarray:
    """The law of rule-made data on `language.support(skills)`: right answers, from rules instead of a model.

    templates: the inputs that the author of the rules thought of, numbers in the order of `language.inputs()`;
    None: all.  uniform: all alike, since rules do not know how frequent letters are; else as in the task.
    """
    weights = np.ones_like(language.input_law) if uniform else language.input_law.copy()
    if templates is not None:
        listed = np.zeros(len(weights), dtype=bool)
        listed[np.asarray(templates, dtype=np.int64)] = True
        weights[~listed] = 0
    if weights.sum() <= 0:
        raise ValueError("templates: at least one input")
    return np.outer(np.full(len(skills), 1 / len(skills)), weights / weights.sum()).ravel()


def rule_based(language: Language, skills: Sequence[int], law: np.ndarray, n: int, rng: Generator) -> np.ndarray:
    """`n` sequences from a law on `language.support(skills)`, such as that of :func:`rule_law`."""
    return language.support(skills)[rng.choice(len(law), size=n, p=law)]


def students(
    world: World, data: Sequence[np.ndarray], seeds: Sequence[int], recipe: Recipe | None = None, **how: Any
) -> Ensemble:
    """Clones of the base, post-trained on each of `data` with its seed; `how` goes to :func:`train`."""
    if len(data) != len(seeds):
        raise ValueError(f"students: one seed for each of {len(data)} data sets, got {len(seeds)}")
    jobs = [Job(world.base, rows, seed) for rows, seed in zip(data, seeds, strict=True)]
    return train(jobs, Recipe() if recipe is None else recipe, **how).models
