"""Small transformers that learn sums from what the pretrained model wrote, and their exact distance from the task.

A student writes a sum as by hand, column by column from the right, and reads whatever is no sum as a row of one
sign.  It starts from a base that has read the task's questions, every second one with a random result.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rbcore.lm import models
from rbcore.lm.language import smooth
from rbcore.lm.models import Ensemble, Size, log_probs
from rbcore.lm.pretrained.sums import HIGHEST, SUMS, Sum, operands, parse
from rbcore.lm.training import Job, Recipe, train

PLACES = 2  # digits of a number
OTHER, BOS = 10, 11  # what is no digit; the beginning
TOKENS = 1 + 3 * PLACES
ANSWER = [3 * (i + 1) for i in range(PLACES)]  # where the digits of the result stand
SIZE = Size(32, 1, 4, TOKENS, 2)
BASE = Recipe(1000, 32, 1e-2, warmup=0.1)
RIGHT = 0.5  # of the sums that the base has read
RECIPE = Recipe(200, 12, 4e-3, keep=(0, 10, 30, 80))
SHARE = 0.01  # of the base in a smoothed student


class Distance(NamedTuple):
    """KL(D || student) of the smoothed student, nats; and how often the student itself answers wrong."""

    kl: np.ndarray
    wrong: np.ndarray


def encode(sums: Sequence[Sum | None]) -> np.ndarray:
    """Tokens (N, T): the columns from the right, in each the digits of both numbers and of the result.

    What is no sum, or has a number beyond the places, is a row of :data:`OTHER`.
    """
    found = np.full((len(sums), TOKENS), OTHER)
    found[:, 0] = BOS
    for row, one in zip(found, sums, strict=True):
        if one is not None and max(one) < 10**PLACES:
            row[1:] = [number // 10**i % 10 for i in range(PLACES) for number in one]
    return found


def _sum(row: Any) -> Sum | None:
    """What a row of the table of answers says."""
    return parse(row.text) if row.ended else None


def support() -> np.ndarray:
    """The tokens of all right sums of the task."""
    return encode([Sum(a, b, a + b) for a, b in operands()])


def bases(seeds: Sequence[int], **how: Any) -> Ensemble:
    """For each seed a model that has read the task's questions, every second one with a random result."""
    jobs = []
    for seed in seeds:
        first, second, third = np.random.default_rng([seed, 30]).spawn(3)
        count = BASE.steps * BASE.batch
        asked = operands()[second.integers(len(SUMS), size=count)]
        guess, fine = second.integers(2 * HIGHEST + 1, size=count), second.random(count) < RIGHT
        data = encode([Sum(a, b, a + b if f else c) for (a, b), c, f in zip(asked, guess, fine, strict=True)])
        jobs.append(Job(models.create(BOS + 3, SIZE, [first]), data, int(third.integers(2**62))))
    return train(jobs, BASE, note="bases", **how).models


def distances(found: Ensemble, start: Ensemble) -> Distance:
    """Of each model, smoothed with a share :data:`SHARE` of the base; exact, over all questions."""
    logs, before = (log_probs(one, support()).astype(float) for one in (found, start))
    whole = smooth(logs.sum(-1)[..., None], before.sum(-1)[..., None], SHARE)[..., 0]
    right = np.exp(logs[..., np.array(ANSWER) - 1].sum(-1))
    return Distance(-np.log(len(SUMS)) - whole.mean(-1), 1 - right.mean(-1))


def teach(start: Ensemble, arms: Mapping[Hashable, Sequence[Sum | None]], seed: int, **how: Any) -> pd.DataFrame:
    """A student for each arm's texts, stopped where it is nearest to the task; columns arm, n, kl and wrong.

    An arm without any text leaves the base as it is.

    Args:
        how: `stack`, `checkpoint` and `progress` of :func:`rbcore.lm.training.train`.
    """
    names = [arm for arm in arms if len(arms[arm])]
    jobs = [Job(start, encode(arms[arm]), seed + i) for i, arm in enumerate(names)]
    nothing = distances(start, start)
    rows = {arm: {"n": 0, "kl": float(nothing.kl[0]), "wrong": float(nothing.wrong[0])} for arm in arms}
    if jobs:
        done = train(jobs, RECIPE, **how)
        stages = [distances(done.snapshots[step], start) for step in RECIPE.keep] + [distances(done.models, start)]
        kl, wrong = np.array([s.kl for s in stages]), np.array([s.wrong for s in stages])
        best = kl.argmin(axis=0)
        for i, arm in enumerate(names):
            rows[arm] = {"n": len(arms[arm]), "kl": float(kl[best[i], i]), "wrong": float(wrong[best[i], i])}
    return pd.DataFrame([{"arm": arm} | row for arm, row in rows.items()])


def arms(
    table: pd.DataFrame, anchors: Sequence[Sequence[str]], draws: Sequence[int]
) -> dict[Hashable, list[Sum | None]]:
    """What students of some draws of anchors may learn from: these anchors, and the answers to the prompts that
    show them, raw and verified, for each temperature.
    """
    shown = [parse(f" {one}") for draw in draws for one in anchors[draw]]
    found: dict[Hashable, list[Sum | None]] = {("anchors", 0.0): shown}
    mine = table[table.draw.isin(draws)]
    for temperature, rows in mine.groupby("temperature"):
        found["raw", temperature] = [_sum(row) for row in rows.itertuples()]
        found["verified", temperature] = [_sum(row) for row in rows[rows.right].itertuples()]
    return found


def _sum(row: Any) -> Sum | None:
    """What a row of the table of answers says."""
    return parse(row.text) if row.ended else None
