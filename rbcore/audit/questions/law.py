"""Is the law of the synthetic records that of the task: nothing foreign, nothing missing, as surprising?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from rbcore.audit.prepared import Prepared, some
from rbcore.audit.questions.verdict import (
    HALF,
    TOO_FEW,
    Named,
    Outcome,
    compare,
    deviations,
    examples,
    limits,
    means,
    outcome,
    percent,
    share_number,
    unchecked,
)
from rbcore.audit.result import Number
from rbcore.audit.student import welch
from rbcore.estimate.base import Estimate

LEAST = 10  # fresh records of the task that a threshold of surprise takes
BEYOND = 0.02  # share of fresh records of the task beyond the threshold of surprise
STRAY = 0.03  # a share off the task beyond that which is worth a word
CALMER = 0.05  # fall of surprise that is worth a word, in deviations
RARER, MISSED = 4.0, 0.03  # a part of the task is missing: so much rarer in SYNTH, and so much of the task
MARGIN = 0.01  # a share off the task after curation beyond that before
MATTERS = 0.15  # a share that a clear answer would have found
SHIFTED = 0.5  # a shift that a clear answer would have found, in deviations
MOST = 20_000  # records of an input that a classifier is fitted on


def threshold(data: Prepared) -> tuple[float, int, int] | None:
    """A level of surprise that few fresh anchors exceed: the level, how many do, and of how many.

    None where fewer than :data:`LEAST` anchors are fresh, because the others copy one another.
    """
    fresh = data.fresh_surprise()
    if len(fresh) < LEAST:
        return None
    beyond = int(BEYOND * len(fresh))
    return float(fresh[len(fresh) - 1 - beyond]), beyond, len(fresh)


def off_task(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic records lie where the task has next to nothing?

    The threshold is an order statistic of fresh anchors, so the task's share beyond it has a beta law, exactly.
    """
    own, scores, found = data.own("SYNTH"), data.surprise["SYNTH"], threshold(data)
    if found is None or not own.any():
        return unchecked("off-task", TOO_FEW)
    level, beyond, m = found
    stray = own & (scores > level)
    of_task = float(stats.beta.ppf(HALF, beyond + 1, m - beyond))
    most = Estimate("share", beyond / m, (0.0, of_task), m, unit="share", level=HALF, sided="upper")
    numbers = [
        share_number("off-task-synth", "synth records more surprising than 98 of 100 fresh anchors", stray[own]),
        Number("off-task-usual", "the same for records of the task, at most (99.95 %)", most),
    ]
    sentence = (
        f"{percent(stray[own])} of the records that are no copies are more surprising than 98 of 100 fresh "
        f"anchors; of records of the task at most {percent(of_task)} would be."
    )
    answer = compare(stray[own], np.arange(m) < beyond, STRAY, MATTERS)
    order = np.flatnonzero(stray)[np.argsort(-scores[stray])]
    return outcome("off-task", answer, sentence, numbers, examples(data, "SYNTH", order), Named(stray, scores))


def narrow(data: Prepared, rng: Generator) -> Outcome:
    """Are synthetic records less surprising than fresh anchors are?

    Both sides without what is beyond the threshold; Welch's interval for the difference of the two means.
    """
    found = threshold(data)
    if found is None:
        return unchecked("narrow", TOO_FEW)
    level = found[0]
    calm = data.own("SYNTH") & (data.surprise["SYNTH"] <= level)
    scores, usual = data.surprise["SYNTH"][calm], data.fresh_surprise(level)
    if min(scores.size, usual.size) < 20:
        return unchecked("narrow", TOO_FEW)
    texts = data.records["SYNTH"].texts is not None
    unit, of = ("nats per token", "the mean") if texts else ("log distance", "a deviation")
    difference = welch(scores, usual, 0.95, unit, "mean-difference")
    size = usual.mean() if texts else usual.std(ddof=1)
    numbers = [Number("surprise-synth", "how much more surprising SYNTH is than fresh anchors", difference)]
    than = "less" if difference.value < 0 else "more"
    sentence = (
        f"Records that are neither copies nor off the task are {abs(difference.value):.3f} {unit} {than} "
        f"surprising than fresh anchors ({percent(abs(difference.value) / size)} of {of})."
    )
    answer = means(-scores, -usual, CALMER, SHIFTED)
    calmest = examples(data, "SYNTH", np.flatnonzero(calm)[np.argsort(scores)])
    return outcome("narrow", answer, sentence, numbers, calmest, size=deviations)


def missing(data: Prepared, rng: Generator) -> Outcome:
    """Is there a part of the task that the synthetic data hardly ever visit?

    A classifier, fitted on one half of both samples, proposes the part; the other half decides, so the statement
    holds whatever the classifier is.
    """
    rows = {name: some(np.flatnonzero(data.own(name)), MOST, rng) for name in ("ANCHOR", "SYNTH")}
    if min(map(len, rows.values())) < 100:
        return unchecked("missing", "It takes 100 anchors and 100 synthetic records that are no copies.")
    rows = {name: np.array_split(rng.permutation(one), [len(one) // 2]) for name, one in rows.items()}
    (a, c), (b, d) = ([data.points[k][half].astype(float) for half in halves] for k, halves in rows.items())
    points, from_task = np.concatenate([a, b]), np.arange(len(a) + len(b)) < len(a)
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=500)
    scores = out_of_fold(model, model.decision_function, points, from_task, rng)
    cuts = np.quantile(scores[from_task], np.linspace(0.3, 0.97, 40))  # each leaves 3 to 70 % of the anchors
    above = [[int((part > t).sum()) for t in cuts] for part in (scores[from_task], scores[~from_task])]
    least, most = limits(above[0], len(a), HALF)[0], limits(above[1], len(b), HALF)[1]
    cut = cuts[int(np.argmax(least - RARER * most))]
    model.fit(points, from_task)
    of_task, made = (model.decision_function(z) > cut for z in (c, d))
    numbers = [
        share_number("missing-task", "anchors in the part that the classifier proposed", of_task),
        share_number("missing-synth", "synthetic records in that part", made),
    ]
    sentence = (
        f"A part that holds {percent(of_task)} of the anchors holds {percent(made)} of the "
        "synthetic records; both were counted on records that did not help to find it."
    )
    answer = compare(of_task, made, max(MISSED, (RARER - 1) * made.mean()), MATTERS)
    return outcome("missing", answer, sentence, numbers, examples(data, "ANCHOR", rows["ANCHOR"][1][of_task]))


def curation(data: Prepared, rng: Generator) -> Outcome:
    """Has the curated data a larger share off the task than the raw answers have?"""
    if "RAW" not in data.records:
        return unchecked("curation", "There are no RAW answers to compare with.")
    found = threshold(data)
    if found is None or not (data.own("RAW").any() and data.own("SYNTH").any()):
        return unchecked("curation", TOO_FEW)
    level = found[0]
    removed, added = ~data.copied("RAW", "SYNTH"), ~data.copied("SYNTH", "RAW")
    before, after = (data.surprise[name][data.own(name)] > level for name in ("RAW", "SYNTH"))
    numbers = [
        share_number("removed", "raw answers without a near-copy among the synthetic records", removed),
        share_number("added", "synthetic records without a near-copy among the raw answers", added),
        share_number("off-task-raw", "raw answers more surprising than 98 of 100 fresh anchors", before),
        share_number("off-task-kept", "the same for synthetic records", after),
    ]
    sentence = (
        f"Curation removed {percent(removed)} of the raw answers, and {percent(added)} of the synthetic records "
        f"are new; the share off the task went from {percent(before)} to {percent(after)}."
    )
    return outcome("curation", compare(after, before, MARGIN, MATTERS), sentence, numbers)


def out_of_fold(
    model: LogisticRegression,
    ask: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    rng: Generator,
) -> np.ndarray:
    """What `model`, fitted on four fifths of the rows, answers about each row of the fifth one."""
    folds = StratifiedKFold(5, shuffle=True, random_state=int(rng.integers(2**31)))
    rows, answers = [], []
    for fitted, held in folds.split(x, y):
        model.fit(x[fitted], y[fitted])
        rows.append(held)
        answers.append(ask(x[held]))
    return np.concatenate(answers)[np.argsort(np.concatenate(rows))]
