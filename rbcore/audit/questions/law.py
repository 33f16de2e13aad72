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
from rbcore.estimate.divergence import tv_event

LEAST = 10  # fresh records of the task that a threshold of surprise takes
BEYOND = 0.02  # share of fresh records of the task beyond the threshold of surprise
STRAY = 0.03  # a share off the task beyond that which is worth a word
CALMER = 0.05  # fall of surprise that is worth a word, in deviations
STRANGER = 0.2  # rise of the mean surprise, or loss of order, that is worth a word, in deviations
RARER, MISSED = 4.0, 0.03  # a part of the task is missing: so much rarer in SYNTH, and so much of the task
MARGIN = 0.01  # a share off the task after curation beyond that before
MATTERS = 0.15  # a share that a clear answer would have found
SHIFTED = 0.5  # a shift that a clear answer would have found, in deviations
APART, FAR = 0.05, 0.3  # a distance that is worth a word, and that a clear answer would have found
MOST = 20_000  # records of an input that a classifier is fitted on
FEW = "It takes 100 anchors and 100 synthetic records that are no copies."


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


def stranger(data: Prepared, rng: Generator) -> Outcome:
    """Are synthetic records on the whole more surprising than fresh anchors, though each may pass for one?"""
    meaning = "how much more surprising SYNTH is to models of other anchors"
    sentence = (
        "To models of half of the anchors the synthetic records cost {:.2f} nats a word, the other anchors {:.2f}."
    )
    return _shifted(data, "stranger", 0, 1, meaning, sentence)


def order(data: Prepared, rng: Generator) -> Outcome:
    """Do the words before a word tell less about it than in the task?  They do where words are in disorder."""
    meaning = "by how much more context helps in SYNTH than in anchors"
    sentence = (
        "The two words before a word save {:.2f} nats a word in the synthetic records and {:.2f} in the anchors."
    )
    return _shifted(data, "order", 1, -1, meaning, sentence)


def _shifted(data: Prepared, id: str, column: int, sign: int, meaning: str, sentence: str) -> Outcome:
    """Is the mean of what is foreseen, in a column of it, shifted to the bad side, which is that of `sign`?"""
    found = _foreseen(data)
    if found is None:
        return unchecked(id, "It takes texts." if not data.foreseen else TOO_FEW)
    sides, rows = found
    synth, usual = (side[:, column] for side in sides)
    difference = welch(synth, usual, 0.95, "nats per token", "mean-difference")
    answer = means(sign * synth, sign * usual, STRANGER, SHIFTED)
    worst = rows[np.argsort(-sign * data.foreseen["SYNTH"][rows, column])]
    said, numbers = sentence.format(synth.mean(), usual.mean()), [Number(f"{id}-synth", meaning, difference)]
    return outcome(id, answer, said, numbers, examples(data, "SYNTH", worst), size=deviations)


def _foreseen(data: Prepared) -> tuple[list[np.ndarray], np.ndarray] | None:
    """What is foreseen of synthetic records that are no copies and not off the task, and of anchors alike."""
    found = threshold(data)
    if found is None or not data.foreseen:
        return None
    own = {name: data.own(name) for name in ("SYNTH", "ANCHOR")}
    own["SYNTH"] = own["SYNTH"] & (data.surprise["SYNTH"] <= found[0])
    parts = [data.foreseen[name][rows] for name, rows in own.items()]
    if min(map(len, parts)) < 20:
        return None
    top = np.quantile(parts[1][:, 0], 1 - BEYOND)
    return [part[part[:, 0] <= top] for part in parts], np.flatnonzero(own["SYNTH"])


def missing(data: Prepared, rng: Generator) -> Outcome:
    """Is there a part of the task that the synthetic data hardly ever visit?"""
    return _only(data, "missing", "ANCHOR", "SYNTH", rng)


def extra(data: Prepared, rng: Generator) -> Outcome:
    """Is there a part of the synthetic data that the task hardly ever visits?  The mirror of :func:`missing`."""
    return _only(data, "extra", "SYNTH", "ANCHOR", rng)


def _only(data: Prepared, id: str, inside: str, outside: str, rng: Generator) -> Outcome:
    """Is there a part that `inside` has and `outside` hardly?  It names records of SYNTH alone."""
    found = _part(data, inside, outside, rng)
    if found is None:
        return unchecked(id, FEW)
    (within, beyond), rows, every = found
    tag = {"ANCHOR": "task", "SYNTH": "synth"}
    who = {"ANCHOR": "anchors", "SYNTH": "synthetic records"}
    numbers = [
        share_number(f"{id}-{tag[inside]}", f"{who[inside]} in the part that the classifier proposed", within),
        share_number(f"{id}-{tag[outside]}", f"{who[outside]} in that part", beyond),
    ]
    sentence = (
        f"A part that holds {percent(within)} of the {who[inside]} holds {percent(beyond)} of the {who[outside]}; "
        "both were counted on records that did not help to find it."
    )
    named = None
    if inside == "SYNTH":
        named = Named(np.isin(np.arange(len(data.records["SYNTH"])), every))
    answer = compare(within, beyond, max(MISSED, (RARER - 1) * beyond.mean()), MATTERS)
    return outcome(id, answer, sentence, numbers, examples(data, inside, rows[within]), named)


def _part(
    data: Prepared, inside: str, outside: str, rng: Generator
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray] | None:
    """A part that `inside` has and `outside` hardly.

    A classifier, fitted on one half of both samples, proposes the part.  Returned are which of the *other* halves
    lie in it, so that a statement about them holds whatever the classifier is; the rows of that half of `inside`;
    and all rows of `inside` that lie in the part that the other half of the data proposes.
    """
    rows = {name: some(np.flatnonzero(data.own(name)), MOST, rng) for name in (inside, outside)}
    if min(map(len, rows.values())) < 100:
        return None
    halves = {name: np.array_split(rng.permutation(one), [len(one) // 2]) for name, one in rows.items()}
    points = {name: [data.points[name][half].astype(float) for half in both] for name, both in halves.items()}
    inner, outer = points[inside], points[outside]
    first = _proposed(inner[0], outer[0], rng)
    within, beyond = first(inner[1]), first(outer[1])
    second = _proposed(inner[1], outer[1], rng)(inner[0])
    named = np.concatenate([halves[inside][0][second], halves[inside][1][within]])
    return (within, beyond), halves[inside][1], named


def _proposed(inside: np.ndarray, outside: np.ndarray, rng: Generator) -> Callable[[np.ndarray], np.ndarray]:
    """A part with points of the first sample and hardly any of the second."""
    points, is_inside = np.concatenate([inside, outside]), np.arange(len(inside) + len(outside)) < len(inside)
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=500)
    scores = out_of_fold(model, model.decision_function, points, is_inside, rng)
    cuts = np.quantile(scores[is_inside], np.linspace(0.3, 0.97, 40))  # each leaves 3 to 70 % of `inside`
    above = [[int((part > t).sum()) for t in cuts] for part in (scores[is_inside], scores[~is_inside])]
    least, most = limits(above[0], len(inside), 0.95)[0], limits(above[1], len(outside), 0.95)[1]
    cut = cuts[int(np.argmax(least - RARER * most))]
    model.fit(points, is_inside)
    return lambda z: model.decision_function(z) > cut


def distance(data: Prepared, rng: Generator) -> Outcome:
    """Can a rule tell synthetic records from anchors?  Its success is a total variation, at least.

    The rule sees the embedding, how a text looks, and how it is foreseen.  It is found on one half of both samples
    and judged on the other.
    """
    x, y = (data.seen(name)[some(np.flatnonzero(data.own(name)), MOST, rng)] for name in ("ANCHOR", "SYNTH"))
    if min(len(x), len(y)) < 100:
        return unchecked("distance", FEW)
    event = tv_event(x, y, rng)
    real, made = (np.arange(one.n) < round(one.value * one.n) for one in (event.share_x, event.share_y))
    answer = compare(made, real, APART, FAR)
    numbers = [Number("tv-total", "TV between the task and the synthetic data: at least", event.bound)]
    sentence = (
        f"A rule that was found on other records holds for {percent(event.share_y.value)} of the synthetic "
        f"records and {percent(event.share_x.value)} of the anchors: the total variation of the two laws is at "
        f"least {event.bound.ci[0]:.2f}."
    )
    return outcome("distance", answer, sentence, numbers)


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
