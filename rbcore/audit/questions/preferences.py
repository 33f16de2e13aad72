"""Do pairs of a chosen and a rejected answer say what is better: do they differ, by more than length, and agree?

These questions need pairs, as the records of preference data hold them.  Where the anchors are pairs, too, they
say what is usual.  Where they are not, a share is held against a number that is fixed here; this is no evidence on
the law of the task, so such an answer has the p-value 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from scipy import stats

from rbcore.audit.copies import Words, split
from rbcore.audit.prepared import Prepared
from rbcore.audit.questions.verdict import (
    HALF,
    LEVEL,
    POWER,
    SHOWN,
    Answer,
    Named,
    Outcome,
    compare,
    decided,
    difference,
    excess,
    outcome,
    percent,
    share_number,
    shares,
    smallest,
    unchecked,
)
from rbcore.audit.read.records import Records

ALIKE = 0.8  # Jaccard similarity from which the answers of a pair are nearly the same
SAME, MATTERS_SAME = 0.05, 0.15  # share of such pairs
LONGER, MATTERS_LONGER = 0.1, 0.2  # how far from one half the longer answer may be chosen
BOTH, MATTERS_BOTH = 0.01, 0.1  # share of pairs with an answer that is rejected elsewhere
SHORT = 8  # shorter answers, such as 'yes', may be right here and wrong there
LEAST = 20  # pairs
NO_PAIRS = "The synthetic records are no pairs of a chosen and a rejected answer."


def _pairs(one: Records | None) -> tuple[Words, Words] | None:
    """The chosen and the rejected answers of an input in words."""
    parts = one.parts if one is not None else {}
    if not {"answer", "rejected"} <= set(parts) or len(parts["answer"]) < LEAST:
        return None
    return split(parts["answer"]), split(parts["rejected"])


def alike(data: Prepared, rng: Generator) -> Outcome:
    """Are the two answers of many pairs nearly the same?"""
    pairs, usual = _pairs(data.records["SYNTH"]), _pairs(data.records["ANCHOR"])
    if pairs is None:
        return unchecked("pairs-alike", NO_PAIRS)
    similar = _similarity(*pairs)
    hits = similar >= ALIKE
    numbers = [share_number("pairs-alike", "synthetic pairs whose two answers are nearly the same", hits)]
    sentence = f"In {percent(hits)} of the {len(hits):,} synthetic pairs the two answers are nearly the same"
    if usual is not None:
        task = _similarity(*usual) >= ALIKE
        numbers.append(share_number("pairs-alike-task", "pairs of the anchors with such answers", task))
        sentence += f", in {percent(task)} of the anchors' pairs"
        answer = compare(hits, task, SAME, MATTERS_SAME)
    else:
        answer = beyond(hits, SAME, MATTERS_SAME)
    named = Named(hits, similar)
    size = _beyond(usual, SAME)
    return outcome("pairs-alike", answer, f"{sentence}.", numbers, _shown(data, hits, rng), named, size)


def longer(data: Prepared, rng: Generator) -> Outcome:
    """Is the longer answer chosen far more or less often than in the anchors' pairs, or else in one half?"""
    pairs = _pairs(data.records["SYNTH"])
    if pairs is None:
        return unchecked("longer-chosen", NO_PAIRS)
    sizes = pairs[0].sizes, pairs[1].sizes
    differ = sizes[0] != sizes[1]
    hits = (sizes[0] > sizes[1])[differ]
    if hits.size < LEAST:
        return unchecked("longer-chosen", f"Fewer than {LEAST} pairs have answers of different lengths.")
    more = hits.mean() >= 0.5
    numbers = [share_number("longer-chosen", "synthetic pairs of which the longer answer is chosen", hits)]
    sentence = f"In {percent(hits)} of the {hits.size:,} pairs of different lengths the longer answer is chosen"
    usual = _pairs(data.records["ANCHOR"])
    task = np.zeros(0, dtype=bool)
    if usual is not None:
        task = (usual[0].sizes > usual[1].sizes)[usual[0].sizes != usual[1].sizes]
    if task.size >= LEAST:
        numbers.append(share_number("longer-chosen-task", "the same for pairs of the anchors", task))
        sentence += f", in {percent(task)} of the anchors' pairs"
        answer, size = shares(task, hits, LONGER, MATTERS_LONGER), difference
        more = hits.mean() >= task.mean()
    else:
        side = hits if more else ~hits
        answer = beyond(side, 0.5, 0.5 + MATTERS_LONGER, margin=LONGER, level=HALF)
        size = _beyond(None, 0.5)
    every = differ & ((sizes[0] > sizes[1]) == more)
    ratio = np.abs(np.log((sizes[0] + 1) / (sizes[1] + 1)))
    named = Named(every, ratio)
    return outcome("longer-chosen", answer, f"{sentence}.", numbers, _shown(data, every, rng), named, size)


def contradicted(data: Prepared, rng: Generator) -> Outcome:
    """Are answers chosen here and rejected there?

    An answer may lose against one answer to a prompt and win against another one, and a short one may be right
    here and wrong there: both do not count.
    """
    pairs, usual = data.records["SYNTH"], data.records["ANCHOR"]
    if _pairs(pairs) is None:
        return unchecked("contradicted", NO_PAIRS)
    hits, of = _contradicted(pairs)
    meaning = "synthetic pairs with an answer that another pair judges otherwise"
    numbers = [share_number("contradicted", meaning, hits)]
    sentence = (
        f"{percent(hits)} of the {len(hits):,} synthetic pairs choose an answer that another pair rejects, or "
        "reject one that another pair chooses"
    )
    if _pairs(usual) is not None:
        task, _ = _contradicted(usual)
        numbers.append(share_number("contradicted-task", "pairs of the anchors with such an answer", task))
        sentence += f"; {percent(task)} of the anchors' pairs do"
        answer = compare(hits, task, BOTH, MATTERS_BOTH)
    else:
        answer = beyond(hits, BOTH, MATTERS_BOTH)
    named = Named(hits, None, "SYNTH", of)
    size = _beyond(None if _pairs(usual) is None else (), BOTH)
    return outcome("contradicted", answer, f"{sentence}.", numbers, _shown(data, hits, rng), named, size)


def beyond(hits: np.ndarray, allowed: float, matters: float, margin: float = 0.0, level: float = LEVEL) -> Answer:
    """Is a probability larger than `allowed`, and the share larger by `margin`?  The exact binomial test.

    `matters`: a share that a clear answer must have been able to find; `detects` is a share, too.
    """
    n, k = len(hits), int(np.sum(hits))
    p = float(stats.binom.sf(k - 1, n, allowed))
    flagged = p < 1 - level and k / n > allowed + margin
    tried = np.arange(np.floor(200 * (allowed + margin)) + 1, 201) / 200
    unlucky = stats.binom.ppf(1 - POWER, n, tried)
    found = (stats.binom.sf(unlucky - 1, n, allowed) < 1 - level) & (unlucky / n > allowed + margin)
    detects = smallest(tried, found)
    return Answer(decided(flagged, k / n - allowed, detects - allowed, matters - allowed), 1.0, detects)


def _beyond(usual: object, allowed: float) -> Callable[[float], str]:
    """How the size that would have been found is said: an excess over the anchors, or a share."""
    if usual is not None:
        return excess
    return lambda share: f"a share of {percent(share)} where {percent(allowed)} are allowed"


def _similarity(chosen: Words, rejected: Words) -> np.ndarray:
    """(n,) the Jaccard similarity of the two answers of each pair; as that of near-copies."""
    sets = []
    for one in (chosen, rejected):
        ends = np.cumsum(one.sizes)
        said = [one.vocabulary[i] for i in one.numbers]
        texts = [["", *said[b - k : b], ""] for b, k in zip(ends, one.sizes, strict=True)]
        sets.append([set(zip(text[:-1], text[1:], strict=True)) for text in texts])
    return np.array([len(a & b) / len(a | b) for a, b in zip(*sets, strict=True)])


def _contradicted(one: Records) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs another pair contradicts, and one that does, or -1."""
    parts = one.parts
    asked = parts.get("prompt", ("",) * len(one))
    columns = ([" ".join(text.split()) for text in parts[name]] for name in ("answer", "rejected"))
    key = list(zip(*columns, asked, strict=True))
    chosen, rejected = defaultdict(list), defaultdict(list)
    for i, (good, bad, _) in enumerate(key):
        if good != bad:
            chosen[good].append(i)
            rejected[bad].append(i)
    of = np.full(len(key), -1)
    for said in chosen.keys() & rejected.keys():
        long = len(said.split()) >= SHORT or not said.isascii() and len(said) >= 2 * SHORT
        lost = {(key[j][2], key[j][0]): j for j in rejected[said]}  # by prompt and winner
        elsewhere = {key[j][2]: j for j in rejected[said]}
        for i in chosen[said]:
            other = lost.get((key[i][2], key[i][1]), -1)
            if other < 0 and long:
                other = next((j for prompt, j in elsewhere.items() if prompt != key[i][2]), -1)
            if other >= 0:
                of[i], of[other] = other, i
    return of >= 0, of


def _shown(data: Prepared, hits: np.ndarray, rng: Generator) -> tuple[tuple[str, ...], ...]:
    """Some pairs: the chosen and the rejected answer."""
    parts = data.records["SYNTH"].parts
    rows = np.sort(rng.permutation(np.flatnonzero(hits))[:SHOWN])
    return tuple((f"chosen: {parts['answer'][i]}", f"rejected: {parts['rejected'][i]}") for i in rows)
