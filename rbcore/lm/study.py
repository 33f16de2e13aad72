"""Comparisons of students: arms that differ in their data, seeds in pairs, exact KL for each.

An *arm* is a way to make a student's training data from a seed.  All arms of one seed share the start and the
order of the batches, so arms are compared in pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rbcore.lm import models
from rbcore.lm.language import documents
from rbcore.lm.models import Ensemble, Size, join, kl
from rbcore.lm.prompt import Curation, Gain, Prompt, ask, gain_of, generate
from rbcore.lm.training import Job, Recipe, name, train
from rbcore.lm.verifier import PERFECT, Verifier
from rbcore.lm.world import World, base_data

PARTS = ["tag", "input", "answer", "total"]
NOTHING = np.zeros((1, 0), dtype=np.int64)  # the context of a prompt that shows nothing


def study(
    world: World,
    task: Sequence[int],
    arms: Mapping[Hashable, Callable[[int], np.ndarray]],
    seeds: Sequence[int],
    recipe: Recipe | None = None,
    known: dict[Hashable, Ensemble] | None = None,
    **how: Any,
) -> pd.DataFrame:
    """KL(D || student), in parts and in nats, for each arm and seed; columns arm, seed, tag, input, answer, total.

    Args:
        task: the skills of `D`.
        arms: for each arm its data (N, T) as a function of the seed.
        known: students by what decides them; those that are there are not trained again, and the others enter.
        how: `stack`, `checkpoint`, `every` and `progress` of :func:`rbcore.lm.training.train`.

    Raises:
        ValueError: for no arms or no seeds.
    """
    runs = [(arm, int(seed)) for arm in arms for seed in seeds]
    if not runs:
        raise ValueError("study: at least one arm and one seed")
    jobs = [Job(world.base, arms[arm](seed), seed) for arm, seed in runs]
    recipe = Recipe() if recipe is None else recipe
    known = {} if known is None else known
    names = [name(job, recipe) for job in jobs]
    missing = {key: job for key, job in zip(names, jobs, strict=True) if key not in known}
    if missing:
        trained = train(list(missing.values()), recipe, **how).models
        known |= {key: trained[i] for i, key in enumerate(missing)}
    parts = kl(join([known[key] for key in names]).single(), world.language, task)
    table = pd.DataFrame({"arm": pd.Series([arm for arm, _ in runs], dtype=object), "seed": [s for _, s in runs]})
    return table.assign(**{name: getattr(parts, name) for name in PARTS})


def paired(table: pd.DataFrame, column: str = "total", index: str = "arm") -> pd.DataFrame:
    """One row for each arm, one column for each seed, in the order of first appearance; values of `column`."""
    return table.pivot_table(index=index, columns="seed", values=column, sort=False)


def by_arm(table: pd.DataFrame, column: str = "total") -> dict[Hashable, np.ndarray]:
    """The values of `column` for each arm, in the order of the seeds: :func:`paired` for arms that are tuples."""
    return {arm: rows.to_numpy() for arm, rows in paired(table, column).iterrows()}


@dataclass(frozen=True)
class Way:
    """A way to ask and to curate.  anchors: in the context.  strict: the prompt names the task's tags, uniformly.

    temperature: of the generator.  verify: those pass that the verifier accepts.
    """

    anchors: int = 0
    strict: bool = False
    temperature: float = 1.0
    verify: bool = True


def prompted(
    world: World,
    task: Sequence[int],
    pools: Mapping[int, np.ndarray],
    ways: Sequence[Way],
    n: int,
    contexts: int = 64,
    verifier: Verifier = PERFECT,
    **how: Any,
) -> pd.DataFrame:
    """Students of what the generator answers in each of these ways: :func:`study`, and facts about the data.

    More columns: those of :class:`Way`; `gain_tag` and `gain`, the information gain of a raw answer, whole and
    its tag's part, in nats; `accepted`, the share of the first `n` answers that passed; `off_task`, the share of
    the data whose tag is not of the task.

    Args:
        pools: for each seed the anchors (N, T) that prompts show.  n: sequences of each data set.
        contexts: prompts of each seed and way.
        verifier: of the ways with one; by default it makes no mistake.
    """
    language, facts, data, asked = world.language, [], {}, {}
    curation = Curation(verifier=verifier)
    for way in ways:
        for seed, pool in pools.items():
            key = replace(way, verify=False), seed
            if key not in asked:
                asked[key] = _ask(world, task, way, seed, pool, n, contexts, curation)
            gain, raw, verified, accepted = asked[key]
            data[way, seed] = rows = verified if way.verify else raw
            off = ~np.isin(language.tags(rows), list(task))
            seen = {"gain": gain.total, "gain_tag": gain.tag, "off_task": off.mean()}
            facts.append(asdict(way) | seen | {"accepted": accepted if way.verify else 1.0})
    arms: dict[Hashable, Callable[[int], np.ndarray]] = {
        way: (lambda seed, way=way: data[way, seed]) for way in ways
    }
    table = study(world, task, arms, list(pools), **how)
    return pd.concat([table, pd.DataFrame(facts)], axis=1)


def _ask(
    world: World,
    task: Sequence[int],
    way: Way,
    seed: int,
    pool: np.ndarray,
    n: int,
    contexts: int,
    curation: Curation,
) -> tuple[Gain, np.ndarray, np.ndarray, float]:
    """The gain of `n` raw answers, these answers, the first `n` that pass, and the share of raw ones that do."""
    rng = np.random.default_rng([seed, 5, way.anchors, way.strict, round(1000 * way.temperature)])
    prompt = Prompt(way.anchors, tuple(task) if way.strict else None)
    given = world.generator, world.language, prompt, prompt.contexts(pool, rng, contexts)
    raw = ask(*given, n, rng, way.temperature)
    passed = curation.accepts(world.language, raw.tokens, rng)
    verified = raw.tokens[passed]
    if len(verified) < n:
        more = generate(*given, n - len(verified), rng, curation, way.temperature)
        verified = np.concatenate([verified, more.tokens])
    return gain_of(raw, *given, way.temperature), raw.tokens, verified, float(passed.mean())


class Grown(NamedTuple):
    """A model after each of several numbers of steps, and after the last; its parameters; its training losses."""

    snapshots: dict[int, Ensemble]
    parameters: int
    losses: np.ndarray


def grow_generator(world: World, size: Size, recipe: Recipe, seed: int, **how: Any) -> Grown:
    """Another generator for the same language and topics, with fresh documents; `recipe.keep` keeps snapshots.

    The generator after the last step is among the snapshots.
    """
    setup, language = world.setup, world.language
    rng, fresh = np.random.default_rng([seed, 6]).spawn(2)
    size = size._replace(context=max(size.context, setup.sequences * language.tokens))
    data = documents(
        language, rng, world.topics, recipe.steps * recipe.batch, setup.sequences, setup.typos
    )  # fmt: skip
    start = models.create(language.vocabulary, size, [fresh])
    done = train([Job(start, data, seed)], recipe, note="generator", **how)
    return Grown(done.snapshots | {recipe.steps: done.models}, start.size, done.losses[:, 0])


def with_base(world: World, size: Size, recipe: Recipe, seed: int, **how: Any) -> World:
    """The same world with a base model of another size, so that students have that size."""
    language, setup = world.language, world.setup
    rng, fresh = np.random.default_rng([seed, 7]).spawn(2)
    data = base_data(language, range(setup.own), world.skills, recipe, rng)
    size = size._replace(context=max(size.context, language.tokens))
    start = models.create(language.vocabulary, size, [fresh])
    done = train([Job(start, data, seed)], recipe, note="base", **how)
    return world._replace(base=done.models)
