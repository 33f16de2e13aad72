"""What predicts the gain of synthetic data?  Candidates, measured in languages; `make languages` records them.

A language has one task of eight skills.  Some students learn from anchors, which show a part of the task, others
from what a generator answers when it is asked in some way: about these skills of the task and those beyond it, at
a temperature, after so much training, with a verifier or without.  Each student is smoothed with a little of the
base, and stopped at its best.  The gain of a pair is KL(D || anchor student) - KL(D || synthetic student).  For
each data set everything is computed that the theory or a practitioner might predict the gain from; laws are
enumerated, so that most of it is exact.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy.special import entr, gammaln, logsumexp, rel_entr
from scipy.stats import binom, spearmanr

from rbcore.lm import worlds
from rbcore.lm.bound import information_of, log_losses
from rbcore.lm.language import smooth, task_law
from rbcore.lm.models import Ensemble, Size, log_probs
from rbcore.lm.prompt import Answers, Curation, Prompt, answers, ask, divergences
from rbcore.lm.study import NOTHING
from rbcore.lm.training import Job, Recipe, train
from rbcore.lm.world import Setup, World, build, rule_based

RECORD = Path(__file__).with_name("prediction.json")
RECIPE = Recipe(250, 12, 6e-3, keep=(0, 10, 30, 80, 160))
TEACHING = Recipe(1200, 12, 6e-3, warmup=0.1, keep=(300, 600))
SETUP = Setup(generator=Size(48, 2, hidden=4), generator_recipe=TEACHING)
SHARE = 0.01  # of the base in a smoothed law, of data or of a student
STEP = 1.0  # nats, to which log losses are rounded at random before they are compared


@dataclass(frozen=True)
class Source:
    """A way to make synthetic data.  skills: those that prompts name, uniformly.  steps: of the generator's
    training.  verify: only right answers pass.  n: sequences.
    """

    skills: tuple[int, ...]
    steps: int
    temperature: float
    verify: bool
    n: int


@dataclass(frozen=True)
class Anchors:
    """Real sequences of some of the task's skills.  n: how many in all."""

    skills: tuple[int, ...]
    n: int


def draw_sources(world: World, count: int, rng: Generator) -> list[Source]:
    """Ways to ask, at random: two to eight skills of the task, and in two cases of three some beyond it."""
    task, found = world.topics[0], []
    beyond = sorted(set(world.skills) - set(task))
    for _ in range(count):
        inside = min(int(rng.choice([2, 4, 6, 7, 8, 8])), len(task))
        outside = rng.choice([0, *range(1, len(beyond) + 1, 2)])
        asked = [*rng.choice(task, inside, replace=False), *rng.choice(beyond, outside, replace=False)]
        steps, temperature = rng.choice([300, 600, 1200]), rng.choice([0.5, 0.75, 1.0, 1.3])
        n = int(rng.choice([128, 256, 512, 1024]))
        found.append(Source(tuple(map(int, asked)), int(steps), float(temperature), bool(rng.random() < 0.6), n))
    return found


def draw_anchors(world: World, count: int, rng: Generator) -> list[Anchors]:
    """Different sets of anchors, at random: of two, four or eight of the task's skills."""
    task, found = world.topics[0], []
    while len(found) < count:
        for k, m in zip(rng.choice([2, 4, 8], count), rng.choice([32, 128, 512], count), strict=True):
            shown = tuple(map(int, rng.choice(task, min(int(k), len(task)), replace=False)))
            if Anchors(shown, int(m)) not in found:
                found.append(Anchors(shown, int(m)))
    return found[:count]


def measure(
    seed: int, sources: int = 24, anchors: int = 4, repeats: int = 3, setup: Setup = SETUP, **how: Any
) -> pd.DataFrame:
    """One language, of random skew and typos: a row for each data set, its student and what may predict it.

    Columns: `language`, `kind` ("anchors" or "synthetic"), `skills` (those shown or asked), `n`; for synthetic
    data also `steps`, `temperature` and `verify`.  `kl`: KL(D || student), smoothed and stopped at its best, on
    average over `repeats` for anchors.  `start`: KL(D || base).  In nats if nothing else is said:

    gain: `H(X | p)` of a raw answer.  kept: `H(D_gen)`.  useful: the part of `H(D_gen)` that is right and of the
    task.  tv_task, tv_generation, tv_direct: total variations D to D_M, D_M to D_gen, D to D_gen.  distance:
    KL(D || D_gen), with a share :data:`SHARE` of the base mixed into D_gen.  accepted: the share that passes.
    distinct: the share of different sequences.  excess: the training loss less `H(D_gen)`.  information, square:
    of the loss differences, :func:`rbcore.lm.bound.loss_difference`.  "anchors j": the log loss of the smoothed
    synthetic student on the j-th set of anchors, the first of its repeats.

    Args:
        how: `checkpoint` and `progress` of :func:`rbcore.lm.training.train`.
    """
    rng, stream = np.random.default_rng([seed, 20]).spawn(2)
    skew, typos = (float(rng.choice(values)) for values in ((0.7, 0.8, 0.9), (0.1, 0.15, 0.2)))
    world = build(seed, replace(setup, skew=skew, typos=typos), **how)
    ways, shown = draw_sources(world, sources, rng), draw_anchors(world, anchors, rng)
    rows: list[dict[str, Any]] = []
    pairs: list[tuple[np.ndarray, np.ndarray]] = []  # what the student sees, and fresh data of the same law
    named: dict[tuple[int, float], Answers] = {}
    base = _log_law(world, world.base)[0]  # of the task's sequences
    for way in ways:
        facts, pair = _synthetic(world, way, named, base, stream)
        rows.append({"kind": "synthetic"} | asdict(way) | facts)
        pairs.append(pair)
    for one in shown:
        facts = _facts(world, task_law(world.language, one.skills), one.skills, base)
        for _ in range(repeats):
            seen, fresh = (world.language.draw_each(stream, one.skills, one.n // len(one.skills)) for _ in "ab")
            pairs.append((seen, fresh))
            rows.append({"kind": "anchors"} | asdict(one) | facts)
    held = [pairs[len(ways) + repeats * j][0] for j in range(anchors)]
    held_base = [-log_losses(world.base, world.language, data)[0] for data in held]
    students, kl, start = _stopped(world, [seen for seen, _ in pairs], base, seed, **how)
    for i, (row, (seen, fresh)) in enumerate(zip(rows, pairs, strict=True)):
        losses = [log_losses(students[i], world.language, data)[0] for data in (seen, fresh)]
        found = information_of(losses[0][None], losses[1][None], STEP, stream)
        row |= {"kl": kl[i], "start": start, "excess": losses[0].mean() - row["kept"]}
        row |= {"information": found[1], "square": found[2]}
        if row["kind"] == "synthetic":
            for j, (data, own) in enumerate(zip(held, held_base, strict=True)):
                mixed = _smooth(-log_losses(students[i], world.language, data)[0], own)
                row[f"anchors {j}"] = -float(mixed.mean())
    table = pd.DataFrame(rows).assign(language=seed)
    same = ["language", "kind", "skills", "n", "steps", "temperature", "verify"]
    return table.groupby(same, sort=False, dropna=False).mean().reset_index()


def _smooth(logs: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Log-probabilities of whole sequences with a share :data:`SHARE` of the base mixed in."""
    return smooth(logs[..., None], base[..., None], SHARE)[..., 0]


def _log_law(world: World, models: Ensemble) -> np.ndarray:
    """Log-probabilities of the task's sequences, shape (models, N)."""
    return log_probs(models, world.language.support(world.topics[0])).sum(axis=-1).astype(float)


def _synthetic(
    world: World, way: Source, named: dict[tuple[int, float], Answers], base: np.ndarray, rng: Generator
) -> tuple[dict[str, float], tuple[np.ndarray, np.ndarray]]:
    """Facts about one way to ask, and two independent data sets."""
    language, skills = world.language, world.skills
    generator = world.early.get(way.steps, world.generator)
    key = way.steps, way.temperature
    if key not in named:  # the law of right answers to a prompt that names each of the world's skills
        named[key] = answers(generator, language, Prompt(tags=skills), NOTHING, skills, way.temperature)
    asked = np.repeat(np.isin(skills, way.skills), language.letters**language.length)
    log_law = np.where(asked, named[key].log_law[0] + np.log(len(skills) / len(way.skills)), -np.inf)
    tags = np.zeros((1, language.skills))
    tags[:, list(way.skills)] = 1 / len(way.skills)
    found = Answers(skills, log_law[None], tags, np.zeros(1))
    split = divergences(language, found, world.topics[0], Curation(verify=way.verify))
    raw = ask(generator, language, Prompt(tags=way.skills), NOTHING, max(512, 2 * way.n), rng, way.temperature)
    gain = float(raw.entropy.sum(axis=1).mean())
    if way.verify:
        law = np.exp(log_law - logsumexp(log_law))
        data = [rule_based(language, skills, law, way.n, rng) for _ in "ab"]
    else:
        law, data = np.exp(log_law), [raw.tokens[: way.n], raw.tokens[way.n : 2 * way.n]]
    facts = _facts(world, law, skills, base) | {
        "gain": gain,
        "tv_task": float(split.task[0]),
        "tv_generation": float(split.generation[0]),
        "accepted": float(split.right[0]) if way.verify else 1.0,
        "distinct": len(np.unique(data[0], axis=0)) / way.n,
    }
    if not way.verify:  # wrong answers have entropy, too
        facts["kept"] = gain
    return facts, (data[0], data[1])


def _facts(world: World, law: np.ndarray, skills: Sequence[int], base: np.ndarray) -> dict[str, float]:
    """Distances of the law on right sequences of `skills`, which may sum to less than one, from the task."""
    language, task = world.language, world.topics[0]
    inputs = language.letters**language.length
    whole = np.zeros((language.skills, inputs))
    whole[list(skills)] = law.reshape(-1, inputs)
    mine, target = whole[list(task)].ravel(), task_law(language, task)
    return {
        "kept": float(entr(law).sum()),
        "useful": float(entr(mine).sum()),
        "tv_direct": float(1 - np.minimum(mine, target).sum()),
        "distance": float(rel_entr(target, (1 - SHARE) * mine + SHARE * np.exp(base)).sum()),
    }


def _stopped(
    world: World, data: Sequence[np.ndarray], base: np.ndarray, seed: int, **how: Any
) -> tuple[list[Ensemble], np.ndarray, float]:
    """Students after the number of steps at which, smoothed, they are best for the task; their KL; the base's."""
    target = task_law(world.language, world.topics[0])
    done = train([Job(world.base, rows, seed) for rows in data], RECIPE, **how)
    stages = [done.snapshots[step] for step in RECIPE.keep] + [done.models]
    logs = (_smooth(_log_law(world, models.single()), base) for models in stages)
    kl = np.array([-entr(target).sum() - rows @ target for rows in logs])  # (stages, students)
    best = kl.argmin(axis=0)
    models = [stages[stage][i] for i, stage in enumerate(best)]
    return models, kl.min(axis=0), float(-entr(target).sum() - base @ target)


def counts_entropy(n: int, k: int) -> float:
    """The entropy of the counts of `n` uniform draws from `k` skills, nats: what a learner that counts keeps."""
    x = np.arange(n + 1)
    return float(n * np.log(k) - gammaln(n + 1) + k * (binom.pmf(x, n, 1 / k) @ gammaln(x + 1)))


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """Every pair of anchors and synthetic data of each language, with the gain and its predictors; nats.

    Columns: `language`, `anchors` (their number within the language), `gain_of_data`, the predictors, each turned
    so that more promises more, and `kl`, of the synthetic student.
    """
    parts = []
    for language, rows in table.groupby("language", sort=False):
        real = rows[rows.kind == "anchors"].reset_index(drop=True)
        made = rows[rows.kind == "synthetic"].reset_index(drop=True)
        for i, one in real.iterrows():
            parts.append(_pairs(one, i, made).assign(language=language, anchors=i))
    return pd.concat(parts, ignore_index=True)


def _pairs(real: pd.Series, number: int, made: pd.DataFrame) -> pd.DataFrame:
    """The pairs of one set of anchors, which has this number."""

    def sampling(row: Any) -> Any:
        return np.sqrt(2 * row.information * row.square)

    def chain(row: Any) -> Any:  # distance of the data, what training left over, and the information term
        return row.distance + np.maximum(row.excess, 0) + sampling(row)

    known = np.array([len(set(skills) & set(real.skills)) / len(skills) for skills in made.skills])
    counted = [counts_entropy(int(n), len(skills)) for n, skills in zip(made.n, made.skills, strict=True)]
    return pd.DataFrame(
        {
            "gain_of_data": real.kl - made.kl,
            "kl": made.kl,
            "information gain": made.gain,
            "gain after curation": made.kept,
            "useful gain": made.useful,
            "GGMI, counting learner": counts_entropy(int(real.n), len(real.skills)) - np.array(counted),
            "GGMI, by losses": real.n * real.information - made.n * made.information,
            "difference of sampling terms": sampling(real) - sampling(made),
            "task divergence": -made.tv_task,
            "generation divergence": -made.tv_generation,
            "sum of both": -(made.tv_task + made.tv_generation),
            "direct divergence": -made.tv_direct,
            "log divergence of the data": -made.distance,
            "difference of log divergences": real.distance - made.distance,
            "difference of log-loss chains": chain(real) - chain(made),
            "log loss on the anchors": -made[f"anchors {number}"],
            "share accepted": made.accepted,
            "number of records": np.log(made.n.astype(float)),
            "distinct records": made.distinct,
            "records unlike any anchor": 1 - known,
        }
    )


def candidates(pairs: pd.DataFrame) -> list[str]:
    """The predictors in a table of :func:`gains`."""
    return [name for name in pairs if name not in ("gain_of_data", "kl", "language", "anchors")]


def scores(learn: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """How well each predictor does in each language of `test`; columns predictor, language, and three scores.

    rank: Spearman's correlation with the gain, over all pairs of the language.  choice: with the gain among the
    synthetic data sets of one set of anchors, on average over these.  explained: one minus the mean squared error
    of a straight line that was fitted on all of `learn`, divided by that of the mean of `learn`; it may be
    negative.  The row "all together" is a ridge regression on all predictors, fitted on `learn`.
    """
    names, rows = candidates(learn), []
    centre, scale, mean = learn[names].mean(), learn[names].std(), learn.gain_of_data.mean()
    inside, wanted = (learn[names] - centre) / scale, learn.gain_of_data - mean
    slopes = {name: np.array([inside[name] @ wanted / (inside[name] @ inside[name])]) for name in names}
    ridge = inside.T @ inside + len(names) * np.eye(len(names))
    slopes["all together"] = np.linalg.solve(ridge, inside.T @ wanted)
    for language, mine in test.groupby("language", sort=False):
        standard, truth = (mine[names] - centre) / scale, mine.gain_of_data - mean
        for name, slope in slopes.items():
            guess = standard[names if name == "all together" else [name]] @ slope
            table = pd.DataFrame({"guess": guess if name == "all together" else mine[name], "truth": truth})
            choices = [_rank(part) for _, part in table.groupby(mine.anchors)]
            error = ((truth - guess) ** 2).sum() / (truth**2).sum()
            scored = {"rank": _rank(table), "choice": np.mean(choices), "explained": 1 - error}
            rows.append({"predictor": name, "language": language} | scored)
    return pd.DataFrame(rows)


def _rank(table: pd.DataFrame) -> float:
    """Spearman's correlation of two columns; zero where one of them is constant."""
    if (table.nunique() < 2).any():
        return 0.0
    return float(spearmanr(table.guess, table.truth).statistic)


def read(path: Path = RECORD) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The recorded table of :func:`measure`, and when and with what it was made."""
    table, made = worlds.read(path)
    return table.assign(skills=table.skills.map(tuple)), made


def main(argv: Sequence[str] | None = None) -> int:
    """Measure languages and record them: :func:`rbcore.lm.worlds.main`."""
    return worlds.main(measure, RECORD, "language", 16, 5000, argv)


if __name__ == "__main__":
    sys.exit(main())
