"""Do synthetic records copy: one another, the anchors, what is held out?"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy import stats

from rbcore.audit.prepared import Prepared
from rbcore.audit.questions.verdict import (
    LEVEL,
    POWER,
    Answer,
    Named,
    Outcome,
    compare,
    decided,
    outcome,
    pairs,
    percent,
    share_number,
    smallest,
    unchecked,
)

MARGIN = 0.01  # a share of copies beyond the usual one that is worth a word
MATTERS = 0.08  # a share beyond the usual one that a clear answer would have found
OFTEN = 0.05  # a share of repeats that is flagged even where the anchors are too few to compare with


def repeats(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic records repeat one another more often than real ones do, anchors and held-out records?

    The more records, the more repeats: pairs count.  Repeats are compared as Poisson counts with a rate for each
    pair of records.  Anchors without a repeat may be too few to say how often the task repeats itself; then a
    share of :data:`OFTEN` is flagged all the same, because a repeated record is wasted.
    """
    synth = data.repeated("SYNTH")
    real = [data.repeated(name) for name in ("ANCHOR", "HELDOUT") if name in data.records]
    usual = np.concatenate(real)
    mine, theirs = (sum(len(x) * (len(x) - 1) / 2 for x in parts) for parts in ([synth], real))
    expected = min(1.0, usual.sum() / theirs * (len(synth) - 1) / 2)
    often = usual.sum() == 0 and synth.mean() >= OFTEN

    def p(count: np.ndarray | int) -> np.ndarray:
        """Of so many repeats or more among all that there are, were each pair as likely as any other."""
        return stats.binom.sf(count - 1, count + usual.sum(), mine / (mine + theirs))

    excess = np.arange(1, 201) / 200
    unlucky = stats.binom.ppf(1 - POWER, len(synth), np.minimum(1.0, expected + excess))
    found = (p(unlucky) < 1 - LEVEL) & (unlucky / len(synth) - expected > MARGIN)
    found |= (usual.sum() == 0) & (unlucky / len(synth) >= OFTEN)
    detects = smallest(excess, found)
    seen, chance = synth.mean() - expected, float(p(int(synth.sum())))
    flagged = seen > MARGIN and (chance < 1 - LEVEL or often)
    answer = Answer(decided(bool(flagged), seen, detects, MATTERS), chance, detects)
    named = Named(synth, None, "SYNTH", data.copies["SYNTH", "SYNTH"].of)
    numbers = [
        share_number("repeats", "synthetic records that nearly repeat an earlier one", synth),
        share_number("repeats-usual", "records of the task that nearly repeat an earlier one", usual),
    ]
    sentence = (
        f"{percent(synth)} of the {len(synth):,} synthetic records nearly repeat an earlier one, "
        f"{percent(usual)} of the {len(usual):,} real ones; at their rate {percent(expected)} would."
    ) + _unsearched(data, ("SYNTH", "SYNTH"))
    return outcome("near-duplicates", answer, sentence, numbers, pairs(data, named, rng), named)


def anchor_copies(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic records copy anchors more often than anchors resemble one another?"""
    hits, usual = data.copied("SYNTH", "ANCHOR"), data.twins("ANCHOR")
    numbers = [
        share_number("anchor-copies", "synthetic records that nearly copy an anchor", hits),
        share_number("anchor-twins", "anchors that nearly copy another anchor", usual),
    ]
    sentence = (
        f"{percent(hits)} of the synthetic records nearly copy an anchor; "
        f"{percent(usual)} of the anchors nearly copy another anchor."
    ) + _unsearched(data, ("SYNTH", "ANCHOR"))
    named = Named(hits, None, "ANCHOR", data.copies["SYNTH", "ANCHOR"].of)
    answer = compare(hits, usual, MARGIN, MATTERS)
    return outcome("anchor-copies", answer, sentence, numbers, pairs(data, named, rng), named)


def heldout_copies(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic records copy held-out ones more often than anchors do?"""
    if "HELDOUT" not in data.records:
        return unchecked("held-out-copies", "There is no HELDOUT to look for.")
    hits, usual = data.copied("SYNTH", "HELDOUT"), data.copied("ANCHOR", "HELDOUT")
    numbers = [
        share_number("held-out-copies", "synthetic records that nearly copy a held-out one", hits),
        share_number("held-out-anchors", "anchors that nearly copy a held-out record", usual),
    ]
    sentence = (
        f"{percent(hits)} of the synthetic records nearly copy a held-out record; "
        f"{percent(usual)} of the anchors do."
    ) + _unsearched(data, ("SYNTH", "HELDOUT"), ("ANCHOR", "HELDOUT"))
    named = Named(hits, None, "HELDOUT", data.copies["SYNTH", "HELDOUT"].of)
    answer, anchors = compare(hits, usual, MARGIN, MATTERS), compare(usual, data.twins("ANCHOR"), MARGIN, MATTERS)
    if anchors.verdict == "flagged":
        answer = answer._replace(verdict="flagged", p=min(1.0, 2 * min(answer.p, anchors.p)))
    return outcome("held-out-copies", answer, sentence, numbers, pairs(data, named, rng), named)


def _unsearched(data: Prepared, *pairs: tuple[str, str]) -> str:
    """What a sentence about near-copies has to add when not all pairs of records could be looked at."""
    whole = all(data.copies[pair].complete for pair in pairs)
    return "" if whole else " Too many records share their rare words to look at all pairs: there may be more."
