"""The questions that an audit asks, each with a test at :data:`LEVEL` and a margin below which nothing is said.

Every check compares the synthetic records with what fresh records of the task would show: other anchors, or the
held-out ones.  A record that one check has named is left out of the next, so that each defect is named once.  With
clean data each check is silent with probability `LEVEL` at least, up to what is said of it here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from rbcore.audit.advice import QUESTIONS
from rbcore.audit.prepared import Prepared
from rbcore.audit.result import Finding, Number
from rbcore.audit.student import welch
from rbcore.estimate.base import Estimate, share

LEVEL = 0.999  # of each one-sided statement
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


class Outcome(NamedTuple):
    """A finding with its numbers, and the records that it names (of SYNTH)."""

    finding: Finding
    numbers: list[Number]
    named: np.ndarray | None = None


def unsearched(data: Prepared, *pairs: tuple[str, str]) -> str:
    """What a sentence about near-copies has to add when not all pairs of records could be looked at."""
    whole = all(data.copies[pair].complete for pair in pairs)
    return "" if whole else " Too many records share their rare words to look at all pairs: there may be more."


def percent(x: float) -> str:
    """A share in words: ``8.3 %``."""
    return f"{100 * x:.1f} %"


def share_number(id: str, meaning: str, hits: np.ndarray) -> Number:
    """The share of true entries, with its Clopper-Pearson interval at 95 %."""
    count, total = int(np.sum(hits)), len(hits)
    value = Estimate("share", count / total, share(count, total), total, unit="share")
    return Number(id, meaning, value)


def exceeds(hits: np.ndarray, usual: np.ndarray, margin: float) -> bool:
    """Whether the first probability is larger at :data:`LEVEL`, and its estimate larger by more than `margin`.

    The level is spent half on each side, in Clopper-Pearson limits.  Records count as independent draws.
    """
    level = 1 - (1 - LEVEL) / 2
    low = share(int(hits.sum()), len(hits), level, "lower")[0]
    high = share(int(usual.sum()), len(usual), level, "upper")[1]
    return low > high and float(hits.mean() - usual.mean()) > margin


def limits(counts: ArrayLike, total: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper Clopper-Pearson limits of several shares, each one-sided at `level`."""
    counts = np.asarray(counts)
    low = stats.beta.ppf(1 - level, np.maximum(counts, 1), total - counts + 1)
    high = stats.beta.isf(1 - level, counts + 1, np.maximum(total - counts, 1))
    return np.where(counts > 0, low, 0.0), np.where(counts < total, high, 1.0)


def repeats(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic records repeat one another more often than real ones do, anchors and held-out records?

    The more records, the more repeats: pairs count.  Repeats are compared as Poisson counts with a rate for each
    pair of records.  Anchors without a repeat may be too few to say how often the task repeats itself; then a
    share of :data:`OFTEN` is flagged all the same, because a repeated record is wasted.
    """
    whole = data.repeated("SYNTH")
    real = [data.repeated(name) for name in ("ANCHOR", "HELDOUT") if name in data.records]
    usual = np.concatenate(real)
    pairs = [sum(len(x) * (len(x) - 1) / 2 for x in parts) for parts in ([whole], real)]
    half = (1 - LEVEL) / 2
    low = stats.gamma.ppf(half, max(whole.sum(), 1e-9)) / pairs[0]
    high = stats.gamma.isf(half, usual.sum() + 1) / pairs[1]
    expected = min(1.0, usual.sum() / pairs[1] * (len(whole) - 1) / 2)
    often = usual.sum() == 0 and whole.mean() >= OFTEN
    numbers = [
        share_number("repeats", "synthetic records that nearly repeat an earlier one", whole),
        share_number("repeats-usual", "records of the task that nearly repeat an earlier one", usual),
    ]
    sentence = (
        f"{percent(whole.mean())} of the {len(whole):,} synthetic records nearly repeat an earlier one, "
        f"{percent(usual.mean())} of the {len(usual):,} real ones; at their rate {percent(expected)} would."
    ) + unsearched(data, ("SYNTH", "SYNTH"))
    flagged = whole.mean() - expected > MARGIN and (low > high or often)
    examples = _pairs(data, "SYNTH", "SYNTH", np.flatnonzero(whole), rng)
    return Outcome(_finding("near-duplicates", flagged, sentence, numbers, examples), numbers, whole)


def anchor_copies(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic records copy anchors more often than anchors resemble one another?"""
    hits, usual = data.copied("SYNTH", "ANCHOR"), data.twins("ANCHOR")
    numbers = [
        share_number("anchor-copies", "synthetic records that nearly copy an anchor", hits),
        share_number("anchor-twins", "anchors that nearly copy another anchor", usual),
    ]
    sentence = (
        f"{percent(numbers[0].estimate.value)} of the synthetic records nearly copy an anchor; "
        f"{percent(numbers[1].estimate.value)} of the anchors nearly copy another anchor."
    ) + unsearched(data, ("SYNTH", "ANCHOR"))
    examples = _pairs(data, "SYNTH", "ANCHOR", np.flatnonzero(hits), rng)
    flagged = exceeds(hits, usual, MARGIN)
    return Outcome(_finding("anchor-copies", flagged, sentence, numbers, examples), numbers, hits)


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
        f"{percent(numbers[0].estimate.value)} of the synthetic records nearly copy a held-out record; "
        f"{percent(numbers[1].estimate.value)} of the anchors do."
    ) + unsearched(data, ("SYNTH", "HELDOUT"), ("ANCHOR", "HELDOUT"))
    beyond = exceeds(hits, usual, MARGIN) or exceeds(usual, data.twins("ANCHOR"), MARGIN)
    examples = _pairs(data, "SYNTH", "HELDOUT", np.flatnonzero(hits), rng)
    return Outcome(_finding("held-out-copies", beyond, sentence, numbers, examples), numbers, hits)


def threshold(data: Prepared) -> tuple[float, int, int]:
    """A level of surprise that few fresh anchors exceed: the level, how many do, and of how many."""
    fresh = data.fresh_surprise()
    beyond = int(BEYOND * len(fresh))
    return float(fresh[len(fresh) - 1 - beyond]), beyond, len(fresh)


def off_task(data: Prepared, rng: Generator, name: str = "SYNTH") -> Outcome:
    """Do synthetic records lie where the task has next to nothing?

    The threshold is an order statistic of fresh anchors, so the task's share beyond it has a beta law, exactly.
    """
    own = data.own(name)
    level, beyond, m = threshold(data)
    stray = own & (data.surprise[name] > level)
    half = 1 - (1 - LEVEL) / 2
    of_task = float(stats.beta.ppf(half, beyond + 1, m - beyond))
    low = share(int(stray.sum()), int(own.sum()), half, "lower")[0]
    tag = name.lower()
    numbers = [
        share_number(f"off-task-{tag}", f"{tag} records more surprising than 98 of 100 fresh anchors", stray[own]),
        Number(
            "off-task-usual",
            "the same for records of the task, at most (99.95 %)",
            Estimate("share", beyond / m, (0.0, of_task), m, unit="share", level=half, sided="upper"),
        ),
    ]
    sentence = (
        f"{percent(stray[own].mean())} of the records that are no copies are more surprising than 98 of 100 fresh "
        f"anchors; of records of the task at most {percent(of_task)} would be."
    )
    order = np.flatnonzero(stray)[np.argsort(-data.surprise[name][stray])]
    examples = tuple((_shown(data, name, i),) for i in order[:SHOWN])
    return Outcome(
        _finding(
            "off-task", low > of_task and stray[own].mean() - beyond / m > STRAY, sentence, numbers, examples
        ),
        numbers,
        stray,
    )


def narrow(data: Prepared, rng: Generator, name: str = "SYNTH") -> Outcome:
    """Are synthetic records less surprising than fresh anchors are?

    Both sides without what is beyond the threshold; Welch's interval for the difference of the two means.
    """
    level = threshold(data)[0]
    calm = data.own(name) & (data.surprise[name] <= level)
    got, usual = data.surprise[name][calm], data.fresh_surprise(level)
    if min(got.size, usual.size) < 20:
        return _unchecked("narrow", "Too few records are left after the copies.")
    unit = "nats per token" if data.records[name].texts is not None else "log distance"
    difference = welch(got, usual, 0.95, unit, "mean-difference")
    upper = welch(got, usual, 1 - 2 * (1 - LEVEL), unit).ci[1]
    size = usual.mean() if unit == "nats per token" else usual.std(ddof=1)
    numbers = [
        Number(f"surprise-{name.lower()}", f"how much more surprising {name} is than fresh anchors", difference)
    ]
    than = "less" if difference.value < 0 else "more"
    of = "the mean" if unit == "nats per token" else "a deviation"
    sentence = (
        f"Records that are neither copies nor off the task are {abs(difference.value):.3f} {unit} {than} "
        f"surprising than fresh anchors ({percent(abs(difference.value) / size)} of {of})."
    )
    order = np.flatnonzero(calm)[np.argsort(got)]
    examples = tuple((_shown(data, name, i),) for i in order[:SHOWN])
    return Outcome(
        _finding("narrow", upper < 0 and difference.value < -CALMER * size, sentence, numbers, examples), numbers
    )


def missing(data: Prepared, rng: Generator) -> Outcome:
    """Is there a part of the task that the synthetic data hardly ever visit?

    A classifier, fitted on one half of both samples, proposes the part; the other half decides, so the statement
    holds whatever the classifier is.
    """
    rows = [_some(np.flatnonzero(data.own(name)), rng) for name in ("ANCHOR", "SYNTH")]
    x, y = (data.points[name][of].astype(float) for name, of in zip(("ANCHOR", "SYNTH"), rows, strict=True))
    if min(len(x), len(y)) < 100:
        return _unchecked("missing", "It takes 100 anchors and 100 synthetic records that are no copies.")
    order = rng.permutation(len(x)), rng.permutation(len(y))
    (a, b), (c, d) = (
        [z[o[: len(z) // 2]] for z, o in zip((x, y), order, strict=True)],
        [z[o[len(z) // 2 :]] for z, o in zip((x, y), order, strict=True)],
    )
    points, from_task = np.concatenate([a, b]), np.arange(len(a) + len(b)) < len(a)
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=500)
    scores = _out_of_fold(model, model.decision_function, points, from_task, rng)
    half = 1 - (1 - LEVEL) / 2
    cuts = np.quantile(scores[from_task], np.linspace(0.3, 0.97, 40))  # each leaves 3 to 70 % of the anchors
    above = [[int((part > t).sum()) for t in cuts] for part in (scores[from_task], scores[~from_task])]
    least, most = limits(above[0], len(a), half)[0], limits(above[1], len(b), half)[1]
    cut = cuts[int(np.argmax(least - RARER * most))]
    model.fit(points, from_task)
    of_task, made = (model.decision_function(z) > cut for z in (c, d))
    low = share(int(of_task.sum()), len(of_task), half, "lower")[0]
    high = share(int(made.sum()), len(made), half, "upper")[1]
    numbers = [
        share_number("missing-task", "anchors in the part that the classifier proposed", of_task),
        share_number("missing-synth", "synthetic records in that part", made),
    ]
    sentence = (
        f"A part that holds {percent(of_task.mean())} of the anchors holds {percent(made.mean())} of the "
        "synthetic records; both were counted on records that did not help to find it."
    )
    found = rows[0][order[0][len(x) // 2 :]][of_task]
    examples = tuple((_shown(data, "ANCHOR", i),) for i in found[:SHOWN])
    flagged = low > RARER * high and of_task.mean() > MISSED
    return Outcome(_finding("missing", flagged, sentence, numbers, examples), numbers)


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
    rows = _some(np.flatnonzero(usable), rng)
    x, y = data.points["ANCHOR"][rows].astype(float), labels[rows]
    usual = _out_of_fold(model, model.predict, x, y, rng) != y
    asked = data.own("SYNTH") & (data.surprise["SYNTH"] <= threshold(data)[0]) & np.isin(given, known)
    if asked.sum() < 20:
        return _unchecked("wrong-labels", "Fewer than 20 synthetic records are on the task and no copies.")
    predicted = model.fit(x, y).predict(data.points["SYNTH"])
    wrong = asked & (predicted != given)
    numbers = [
        share_number(
            "label-disagreement", "synthetic labels that an anchors' classifier contradicts", wrong[asked]
        ),
        share_number("label-usual", "anchors' labels that it contradicts, out of fold", usual),
    ]
    sentence = (
        f"A classifier of the anchors contradicts {percent(wrong[asked].mean())} of the synthetic labels, and "
        f"{percent(usual.mean())} of the labels of anchors that it was not fitted on."
    )
    margin = model.predict_proba(data.points["SYNTH"]).max(axis=1)
    order = np.flatnonzero(wrong)[np.argsort(-margin[wrong])][:SHOWN]
    examples = tuple((_shown(data, "SYNTH", i), f"labelled {given[i]}, looks like {predicted[i]}") for i in order)
    return Outcome(
        _finding("wrong-labels", exceeds(wrong[asked], usual, WRONG), sentence, numbers, examples), numbers, wrong
    )


def label_shares(data: Prepared, rng: Generator) -> Outcome:
    """Does a label have another share among the synthetic records than among the anchors?"""
    mine, theirs = (data.records[name].labels for name in ("ANCHOR", "SYNTH"))
    if mine is None or theirs is None:
        return _unchecked("label-shares", "The records have no labels (LABEL=field names them).")
    mine, theirs = (np.array(x)[data.own(name)] for name, x in (("ANCHOR", mine), ("SYNTH", theirs)))
    if min(mine.size, theirs.size) < 20:
        return _unchecked("label-shares", "Too few records are left after the copies.")
    names = np.union1d(mine, theirs)
    level = 1 - (1 - LEVEL) / (4 * len(names))  # of each limit: two directions, two samples

    (low, high), (least, most) = (
        limits([(x == name).sum() for name in names], x.size, level) for x in (mine, theirs)
    )
    shift = max((least - high).max(), (low - most).max())
    apart = [(theirs == name).mean() - (mine == name).mean() for name in names]
    worst = names[int(np.argmax(np.abs(apart)))]
    numbers = [
        share_number("label-share-task", "anchors with the label whose share differs most", mine == worst),
        share_number("label-share-synth", "synthetic records with that label", theirs == worst),
    ]
    sentence = (
        f"The label whose share differs most, {str(worst)!r}, has {percent((mine == worst).mean())} of the "
        f"anchors and {percent((theirs == worst).mean())} of the synthetic records."
    )
    return Outcome(_finding("label-shares", shift > 0 and np.abs(apart).max() > SHIFT, sentence, numbers), numbers)


def curation(data: Prepared, rng: Generator) -> Outcome:
    """Has the curated data a larger share off the task than the raw answers have?"""
    if "RAW" not in data.records:
        return _unchecked("curation", "There are no RAW answers to compare with.")
    level = threshold(data)[0]
    removed, added = ~data.copied("RAW", "SYNTH"), ~data.copied("SYNTH", "RAW")
    before, after = (data.surprise[name][data.own(name)] > level for name in ("RAW", "SYNTH"))
    numbers = [
        share_number("removed", "raw answers without a near-copy among the synthetic records", removed),
        share_number("added", "synthetic records without a near-copy among the raw answers", added),
        share_number("off-task-raw", "raw answers more surprising than 98 of 100 fresh anchors", before),
        share_number("off-task-kept", "the same for synthetic records", after),
    ]
    sentence = (
        f"Curation removed {percent(removed.mean())} of the raw answers, and {percent(added.mean())} of the "
        f"synthetic records are new; the share off the task went from {percent(before.mean())} to "
        f"{percent(after.mean())}."
    )
    return Outcome(_finding("curation", exceeds(after, before, MARGIN), sentence, numbers), numbers)


CHECKS = (repeats, anchor_copies, heldout_copies, off_task, narrow, missing, wrong_labels, label_shares, curation)


def _finding(
    id: str, flagged: bool, sentence: str, numbers: list[Number], examples: tuple[tuple[str, ...], ...] = ()
) -> Finding:
    asked, verdict = QUESTIONS[id], "flagged" if flagged else "clear"
    ids = tuple(number.id for number in numbers)
    advice, shown = (asked.advice, examples) if flagged else ("", ())
    return Finding(id, asked.title, verdict, sentence, advice, ids, asked.chapter, asked.why, shown)


def _unchecked(id: str, sentence: str) -> Outcome:
    asked = QUESTIONS[id]
    return Outcome(Finding(id, asked.title, "not checked", sentence, "", (), asked.chapter, asked.why), [])


def _pairs(data: Prepared, name: str, other: str, hits: np.ndarray, rng: Generator) -> tuple[tuple[str, ...], ...]:
    """Some near-copies with what they copy."""
    chosen = np.sort(rng.permutation(hits)[:SHOWN])
    of = data.copies[name, other].of
    return tuple((_shown(data, name, i), _shown(data, other, of[i])) for i in chosen)


def _some(rows: np.ndarray, rng: Generator) -> np.ndarray:
    """At most :data:`MOST` of the rows, in order."""
    return rows if rows.size <= MOST else np.sort(rng.choice(rows, size=MOST, replace=False))


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


def _shown(data: Prepared, name: str, i: int) -> str:
    """A record as text: vectors by their first numbers."""
    one = data.records[name]
    if one.texts is not None:
        return one.texts[i]
    numbers = ", ".join(f"{x:.4g}" for x in one.vectors[i][:8])
    return f"record {i + 1}: [{numbers}{', ...' if one.vectors.shape[1] > 8 else ''}]"
