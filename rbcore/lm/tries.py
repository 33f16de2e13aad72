"""What tries with a verifier reach, and what foretells it, for models that add; `make tries` records many worlds.

In the worlds of :mod:`rbcore.lm.self_training` three models answer at several temperatures.  Their chance of a
right answer is known for every problem, so how often N tries fail is a sum.  Then the base is trained on the first
right one of some tries at each of some problems.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from rbcore.lm import arithmetic, self_training, worlds
from rbcore.lm.arithmetic import ANSWER, World
from rbcore.lm.models import Ensemble
from rbcore.lm.training import Job, Recipe, train
from rbcore.theory.coverage import failure, uncovered

RECORD = Path(__file__).with_name("tries.json")
TEMPERATURES = (0.5, 0.7, 1.0, 1.4, 2.0)
TRIES = (4, 16, 64, 256)
LEVEL = 16  # tries at a problem of practice; a problem with a chance of at most one over it is uncovered
MODELS = ("weak", "base", "strong")


def chances(model: Ensemble, temperature: float = 1.0) -> np.ndarray:
    """The probability that one model's answer is right, for each of :func:`rbcore.lm.arithmetic.every`."""
    problems = arithmetic.encode(*arithmetic.every())
    return np.exp(arithmetic.log_parts(model.single(), problems, ANSWER, temperature)[0])


def profile(found: np.ndarray, law: np.ndarray) -> dict[str, float]:
    """Of the chances of all problems: `right`, their mean; `loss`, the cross-entropy of the right answers, nats.

    `missed N`: the share of uncovered problems; `failed N`: how often N tries fail, for each of :data:`TRIES`.
    """
    return {
        "right": float(found @ law),
        "loss": float(-np.log(found[law > 0]) @ law[law > 0]),
        **{f"missed {n}": float(uncovered(found, n, law)) for n in TRIES},
        **{f"failed {n}": float(failure(found, n, law)) for n in TRIES},
    }


def study(world: World, seed: int, recipe: Recipe = self_training.RECIPE, **how: Any) -> pd.DataFrame:
    """A row for each model and temperature, and one for the `student` of the base's verified tries.

    More columns than those of :func:`profile`: `hard`, P(right) at the problems that the base leaves uncovered at
    :data:`LEVEL`, and `share`, how many these are; for the student `solved`, the share of the problems of practice
    at which one of the tries was right, and `posed`, the share of hard ones among its data.
    """
    law = self_training.TASK.weights()
    base = chances(world.base)
    hard = (base * LEVEL <= 1) * law
    rows = []
    for name in MODELS:
        for temperature in TEMPERATURES:
            found = chances(getattr(world, name), temperature)
            rows.append({"model": name, "temperature": temperature} | _row(found, law, hard))
    rng = np.random.default_rng([seed, 35])
    a, b = self_training.TASK.draw(rng, self_training.ASKED)
    data, solved, _ = arithmetic.try_again(world.base, a, b, rng, LEVEL)
    student = train([Job(world.base, data, 1000 * seed)], recipe, note="student of tries", **how).models
    posed = (base * LEVEL <= 1)[a[solved] * arithmetic.NUMBERS + b[solved]].mean()
    facts = {"solved": float(solved.mean()), "posed": float(posed)}
    rows.append({"model": "student", "temperature": 1.0} | _row(chances(student), law, hard) | facts)
    return pd.DataFrame(rows)


def ranks(table: pd.DataFrame, tries: Sequence[int] = TRIES) -> pd.DataFrame:
    """For each predictor and number of tries, its rank correlation with success, over models and temperatures.

    Columns: `predictor`, `tries`, `world`, `rank`.  Each predictor is turned so that more of it promises more.
    """
    rows = []
    for world, part in table[table.model != "student"].groupby("world"):
        for n in tries:
            promises = {"loss": -part.loss, "right": part.right, "coverage": -part[f"missed {n}"]}
            for name, promised in promises.items():
                rank = float(spearmanr(promised, -part[f"failed {n}"]).statistic)
                rows.append({"predictor": name, "tries": n, "world": world, "rank": rank})
    return pd.DataFrame(rows)


def measure(seed: int, **how: Any) -> pd.DataFrame:
    """One world, that of :func:`rbcore.lm.self_training.measure`: the rows of :func:`study`, and its seed."""
    world = self_training.drawn(seed, **how)
    return self_training.named(study(world, seed, **how), world, seed)


def _row(found: np.ndarray, law: np.ndarray, hard: np.ndarray) -> dict[str, float]:
    share = float(hard.sum())
    return profile(found, law) | {"hard": float(found @ hard) / share if share else np.nan, "share": share}


def read(path: Path = RECORD) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The recorded table of :func:`measure`, and when and with what it was made."""
    return worlds.read(path)


if __name__ == "__main__":
    sys.exit(worlds.main(measure, RECORD, "world", 16, 7000))
