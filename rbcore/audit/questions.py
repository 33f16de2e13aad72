"""The questions that an audit asks, each with a test at :data:`LEVEL` and a margin below which nothing is said.

Every check compares the synthetic records with what fresh records of the task would show: other anchors, or the
held-out ones.  A record that one check has named is left out of the next, so that each defect is named once.  With
clean data each check is silent with probability `LEVEL` at least, up to what is said of it here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from rbcore.audit.advice import finding
from rbcore.audit.prepared import Prepared, some
from rbcore.audit.result import Finding, Number
from rbcore.audit.student import welch
from rbcore.estimate.base import Estimate, Sided, share

LEAST = 10  # fresh records of the task that a threshold of surprise takes
LEVEL = 0.999  # of each one-sided statement
HALF = 1 - (1 - LEVEL) / 2  # of each of two limits that make one statement
MARGIN = 0.01  # a share of copies beyond the usual one that is worth a word
OFTEN = 0.05  # a share of repeats that is flagged even where the anchors are too few to compare with
BEYOND = 0.02  # share of fresh records of the task beyond the threshold of surprise
STRAY = 0.03  # a share off the task beyond that which is worth a word
CALMER = 0.01  # relative fall of surprise that is worth a word
WRONG = 0.03  # share of labels beyond the usual disagreement that is worth a word
RARER, MISSED = 4.0, 0.03  # a part of the task is missing: so much rarer in SYNTH, and so much of the task
SHIFT = 0.03  # of a label's share
MOST = 20_000  # records of an input that a classifier is fitted on
SHOWN = 5  # examples in a finding
TOO_FEW = "Too few records are left after the copies."


@dataclass(frozen=True)
class Outcome:
    """A finding with its numbers, and which records of SYNTH it names."""

    finding: Finding
    numbers: Sequence[Number] = ()
    named: np.ndarray | None = None


def share_number(id: str, meaning: str, hits: np.ndarray) -> Number:
    """The share of true entries, with its Clopper-Pearson interval at 95 %."""
    count, total = int(np.sum(hits)), len(hits)
    return Number(id, meaning, Estimate("share", count / total, share(count, total), total, unit="share"))


def limit(hits: np.ndarray, side: Sided, level: float = HALF) -> float:
    """The Clopper-Pearson limit of a probability on one side, ``"lower"`` or ``"upper"``."""
    return share(int(hits.sum()), len(hits), level, side)[side == "upper"]


def limits(counts: ArrayLike, total: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper Clopper-Pearson limits of several shares, each one-sided at `level`."""
    counts = np.asarray(counts)
    low = stats.beta.ppf(1 - level, np.maximum(counts, 1), total - counts + 1)
    high = stats.beta.isf(1 - level, counts + 1, np.maximum(total - counts, 1))
    return np.where(counts > 0, low, 0.0), np.where(counts < total, high, 1.0)


def exceeds(hits: np.ndarray, usual: np.ndarray, margin: float) -> bool:
    """Whether the first probability is larger at :data:`LEVEL`, and its estimate larger by more than `margin`.

    The level is spent half on each side, in Clopper-Pearson limits.  Records count as independent draws.
    """
    return limit(hits, "lower") > limit(usual, "upper") and float(hits.mean() - usual.mean()) > margin


def repeats(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic records repeat one another more often than real ones do, anchors and held-out records?

    The more records, the more repeats: pairs count.  Repeats are compared as Poisson counts with a rate for each
    pair of records.  Anchors without a repeat may be too few to say how often the task repeats itself; then a
    share of :data:`OFTEN` is flagged all the same, because a repeated record is wasted.
    """
    synth = data.repeated("SYNTH")
    real = [data.repeated(name) for name in ("ANCHOR", "HELDOUT") if name in data.records]
    usual = np.concatenate(real)
    pairs = [sum(len(x) * (len(x) - 1) / 2 for x in parts) for parts in ([synth], real)]
    half = (1 - LEVEL) / 2
    low = stats.gamma.ppf(half, max(synth.sum(), 1e-9)) / pairs[0]
    high = stats.gamma.isf(half, usual.sum() + 1) / pairs[1]
    expected = min(1.0, usual.sum() / pairs[1] * (len(synth) - 1) / 2)
    often = usual.sum() == 0 and synth.mean() >= OFTEN
    numbers = [
        share_number("repeats", "synthetic records that nearly repeat an earlier one", synth),
        share_number("repeats-usual", "records of the task that nearly repeat an earlier one", usual),
    ]
    sentence = (
        f"{_percent(synth)} of the {len(synth):,} synthetic records nearly repeat an earlier one, "
        f"{_percent(usual)} of the {len(usual):,} real ones; at their rate {_percent(expected)} would."
    ) + _unsearched(data, ("SYNTH", "SYNTH"))
    flagged = synth.mean() - expected > MARGIN and (low > high or often)
    return _outcome("near-duplicates", flagged, sentence, numbers, _pairs(data, "SYNTH", synth, rng), synth)


def anchor_copies(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic records copy anchors more often than anchors resemble one another?"""
    hits, usual = data.copied("SYNTH", "ANCHOR"), data.twins("ANCHOR")
    numbers = [
        share_number("anchor-copies", "synthetic records that nearly copy an anchor", hits),
        share_number("anchor-twins", "anchors that nearly copy another anchor", usual),
    ]
    sentence = (
        f"{_percent(hits)} of the synthetic records nearly copy an anchor; "
        f"{_percent(usual)} of the anchors nearly copy another anchor."
    ) + _unsearched(data, ("SYNTH", "ANCHOR"))
    examples = _pairs(data, "ANCHOR", hits, rng)
    return _outcome("anchor-copies", exceeds(hits, usual, MARGIN), sentence, numbers, examples, hits)


def heldout_copies(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic records copy held-out ones more often than anchors do?"""
    if "HELDOUT" not in data.records:
        return _unchecked("held-out-copies", "There is no HELDOUT to look for.")
    hits, usual = data.copied("SYNTH", "HELDOUT"), data.copied("ANCHOR", "HELDOUT")
    numbers = [
        share_number("held-out-copies", "synthetic records that nearly copy a held-out one", hits),
        share_number("held-out-anchors", "anchors that nearly copy a held-out record", usual),
    ]
    sentence = (
        f"{_percent(hits)} of the synthetic records nearly copy a held-out record; "
        f"{_percent(usual)} of the anchors do."
    ) + _unsearched(data, ("SYNTH", "HELDOUT"), ("ANCHOR", "HELDOUT"))
    flagged = exceeds(hits, usual, MARGIN) or exceeds(usual, data.twins("ANCHOR"), MARGIN)
    return _outcome("held-out-copies", flagged, sentence, numbers, _pairs(data, "HELDOUT", hits, rng), hits)


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
        return _unchecked("off-task", TOO_FEW)
    level, beyond, m = found
    stray = own & (scores > level)
    of_task = float(stats.beta.ppf(HALF, beyond + 1, m - beyond))
    most = Estimate("share", beyond / m, (0.0, of_task), m, unit="share", level=HALF, sided="upper")
    numbers = [
        share_number("off-task-synth", "synth records more surprising than 98 of 100 fresh anchors", stray[own]),
        Number("off-task-usual", "the same for records of the task, at most (99.95 %)", most),
    ]
    sentence = (
        f"{_percent(stray[own])} of the records that are no copies are more surprising than 98 of 100 fresh "
        f"anchors; of records of the task at most {_percent(of_task)} would be."
    )
    flagged = limit(stray[own], "lower") > of_task and stray[own].mean() - beyond / m > STRAY
    order = np.flatnonzero(stray)[np.argsort(-scores[stray])]
    return _outcome("off-task", flagged, sentence, numbers, _examples(data, "SYNTH", order), stray)


def narrow(data: Prepared, rng: Generator) -> Outcome:
    """Are synthetic records less surprising than fresh anchors are?

    Both sides without what is beyond the threshold; Welch's interval for the difference of the two means.
    """
    found = threshold(data)
    if found is None:
        return _unchecked("narrow", TOO_FEW)
    level = found[0]
    calm = data.own("SYNTH") & (data.surprise["SYNTH"] <= level)
    scores, usual = data.surprise["SYNTH"][calm], data.fresh_surprise(level)
    if min(scores.size, usual.size) < 20:
        return _unchecked("narrow", TOO_FEW)
    texts = data.records["SYNTH"].texts is not None
    unit, of = ("nats per token", "the mean") if texts else ("log distance", "a deviation")
    difference = welch(scores, usual, 0.95, unit, "mean-difference")
    upper = welch(scores, usual, 1 - 2 * (1 - LEVEL), unit).ci[1]
    size = usual.mean() if texts else usual.std(ddof=1)
    numbers = [Number("surprise-synth", "how much more surprising SYNTH is than fresh anchors", difference)]
    than = "less" if difference.value < 0 else "more"
    sentence = (
        f"Records that are neither copies nor off the task are {abs(difference.value):.3f} {unit} {than} "
        f"surprising than fresh anchors ({_percent(abs(difference.value) / size)} of {of})."
    )
    flagged = upper < 0 and difference.value < -CALMER * size
    examples = _examples(data, "SYNTH", np.flatnonzero(calm)[np.argsort(scores)])
    return _outcome("narrow", flagged, sentence, numbers, examples)


def missing(data: Prepared, rng: Generator) -> Outcome:
    """Is there a part of the task that the synthetic data hardly ever visit?

    A classifier, fitted on one half of both samples, proposes the part; the other half decides, so the statement
    holds whatever the classifier is.
    """
    rows = {name: some(np.flatnonzero(data.own(name)), MOST, rng) for name in ("ANCHOR", "SYNTH")}
    if min(map(len, rows.values())) < 100:
        return _unchecked("missing", "It takes 100 anchors and 100 synthetic records that are no copies.")
    rows = {name: np.array_split(rng.permutation(one), [len(one) // 2]) for name, one in rows.items()}
    (a, c), (b, d) = ([data.points[k][half].astype(float) for half in halves] for k, halves in rows.items())
    points, from_task = np.concatenate([a, b]), np.arange(len(a) + len(b)) < len(a)
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=500)
    scores = _out_of_fold(model, model.decision_function, points, from_task, rng)
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
        f"A part that holds {_percent(of_task)} of the anchors holds {_percent(made)} of the "
        "synthetic records; both were counted on records that did not help to find it."
    )
    flagged = limit(of_task, "lower") > RARER * limit(made, "upper") and of_task.mean() > MISSED
    examples = _examples(data, "ANCHOR", rows["ANCHOR"][1][of_task])
    return _outcome("missing", flagged, sentence, numbers, examples)


def wrong_labels(data: Prepared, rng: Generator) -> Outcome:
    """Do labels disagree with what the anchors teach more often in the synthetic data than among the anchors?"""
    labels = data.records["ANCHOR"].labels
    if labels is None or data.records["SYNTH"].labels is None:
        return _unchecked("wrong-labels", "The records have no labels (LABEL=field names them).")
    labels, given = np.array(labels), np.array(data.records["SYNTH"].labels)
    own = data.own("ANCHOR")
    known = [label for label, k in zip(*np.unique(labels[own], return_counts=True), strict=True) if k >= 5]
    usable = own & np.isin(labels, known)
    if len(known) < 2 or usable.sum() < 50:
        return _unchecked("wrong-labels", "It takes two labels with five anchors each, and 50 anchors.")
    model = LogisticRegression(C=10.0, max_iter=1000)
    rows = some(np.flatnonzero(usable), MOST, rng)
    x, y = data.points["ANCHOR"][rows].astype(float), labels[rows]
    usual = _out_of_fold(model, model.predict, x, y, rng) != y
    found = threshold(data)
    calm = data.surprise["SYNTH"] <= (found[0] if found else np.inf)
    asked = data.own("SYNTH") & calm & np.isin(given, known)
    if asked.sum() < 20:
        return _unchecked("wrong-labels", "Fewer than 20 synthetic records are on the task and no copies.")
    predicted = model.fit(x, y).predict(data.points["SYNTH"])
    wrong = asked & (predicted != given)
    meaning = "synthetic labels that an anchors' classifier contradicts"
    numbers = [
        share_number("label-disagreement", meaning, wrong[asked]),
        share_number("label-usual", "anchors' labels that it contradicts, out of fold", usual),
    ]
    sentence = (
        f"A classifier of the anchors contradicts {_percent(wrong[asked])} of the synthetic labels, and "
        f"{_percent(usual)} of the labels of anchors that it was not fitted on."
    )
    margin = model.predict_proba(data.points["SYNTH"]).max(axis=1)
    order = np.flatnonzero(wrong)[np.argsort(-margin[wrong])][:SHOWN]
    examples = tuple((_shown(data, "SYNTH", i), f"labelled {given[i]}, looks like {predicted[i]}") for i in order)
    flagged = exceeds(wrong[asked], usual, WRONG)
    return _outcome("wrong-labels", flagged, sentence, numbers, examples, wrong)


def label_shares(data: Prepared, rng: Generator) -> Outcome:
    """Does a label have another share among the synthetic records than among the anchors?"""
    labels = {name: data.records[name].labels for name in ("ANCHOR", "SYNTH")}
    if None in labels.values():
        return _unchecked("label-shares", "The records have no labels (LABEL=field names them).")
    task, synth = (np.array(one)[data.own(name)] for name, one in labels.items())
    if min(task.size, synth.size) < 20:
        return _unchecked("label-shares", TOO_FEW)
    names = np.union1d(task, synth)
    level = 1 - (1 - LEVEL) / (4 * len(names))  # of each limit: two directions, two samples
    counts = [[(x == name).sum() for name in names] for x in (task, synth)]
    (low, high), (least, most) = limits(counts[0], task.size, level), limits(counts[1], synth.size, level)
    differences = [(synth == name).mean() - (task == name).mean() for name in names]
    worst = names[int(np.argmax(np.abs(differences)))]
    numbers = [
        share_number("label-share-task", "anchors with the label whose share differs most", task == worst),
        share_number("label-share-synth", "synthetic records with that label", synth == worst),
    ]
    sentence = (
        f"The label whose share differs most, {str(worst)!r}, has {_percent(task == worst)} of the "
        f"anchors and {_percent(synth == worst)} of the synthetic records."
    )
    shifted = max((least - high).max(), (low - most).max()) > 0
    return _outcome("label-shares", shifted and np.abs(differences).max() > SHIFT, sentence, numbers)


def curation(data: Prepared, rng: Generator) -> Outcome:
    """Has the curated data a larger share off the task than the raw answers have?"""
    if "RAW" not in data.records:
        return _unchecked("curation", "There are no RAW answers to compare with.")
    found = threshold(data)
    if found is None or not (data.own("RAW").any() and data.own("SYNTH").any()):
        return _unchecked("curation", TOO_FEW)
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
        f"Curation removed {_percent(removed)} of the raw answers, and {_percent(added)} of the synthetic records "
        f"are new; the share off the task went from {_percent(before)} to {_percent(after)}."
    )
    return _outcome("curation", exceeds(after, before, MARGIN), sentence, numbers)


CHECKS = (repeats, anchor_copies, heldout_copies, off_task, narrow, missing, wrong_labels, label_shares, curation)


def _outcome(
    id: str,
    flagged: bool,
    sentence: str,
    numbers: Sequence[Number],
    examples: tuple[tuple[str, ...], ...] = (),
    named: np.ndarray | None = None,
) -> Outcome:
    verdict = "flagged" if flagged else "clear"
    return Outcome(finding(id, verdict, sentence, [one.id for one in numbers], examples), numbers, named)


def _unchecked(id: str, sentence: str) -> Outcome:
    return Outcome(finding(id, "not checked", sentence))


def _percent(x: np.ndarray | float) -> str:
    """A share, or the share of true entries: ``8.3 %``."""
    return f"{100 * np.mean(x):.1f} %"


def _unsearched(data: Prepared, *pairs: tuple[str, str]) -> str:
    """What a sentence about near-copies has to add when not all pairs of records could be looked at."""
    whole = all(data.copies[pair].complete for pair in pairs)
    return "" if whole else " Too many records share their rare words to look at all pairs: there may be more."


def _pairs(data: Prepared, other: str, hits: np.ndarray, rng: Generator) -> tuple[tuple[str, ...], ...]:
    """Some synthetic records that nearly copy a record of `other`, with what they copy."""
    chosen = np.sort(rng.permutation(np.flatnonzero(hits))[:SHOWN])
    of = data.copies["SYNTH", other].of
    return tuple((_shown(data, "SYNTH", i), _shown(data, other, of[i])) for i in chosen)


def _examples(data: Prepared, name: str, order: np.ndarray) -> tuple[tuple[str, ...], ...]:
    """The first few of the records of `name`."""
    return tuple((_shown(data, name, i),) for i in order[:SHOWN])


def _shown(data: Prepared, name: str, i: int) -> str:
    """A record as text: vectors by their first numbers."""
    one = data.records[name].content[i]
    if isinstance(one, str):
        return one
    numbers = ", ".join(f"{x:.4g}" for x in one[:8])
    return f"record {i + 1}: [{numbers}{', ...' if len(one) > 8 else ''}]"


def _out_of_fold(
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
