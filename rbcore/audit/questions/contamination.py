"""Do synthetic records hold passages word for word: of what is held out, of the anchors?

A held-out question in a longer chat is no near-copy of a record, and yet the answer to it is trained on.  Passages
are runs of 13 words, as evaluation harnesses count them (Brown and others 2020), or whole texts from 8 words on.
Prompts and answers are looked for apart where the format tells them.  What many anchors hold, templates and common
quotations, does not count.  Records that nearly copy a held-out one as a whole are left to the question on those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.random import Generator

from rbcore.audit.copies import Words, split
from rbcore.audit.passages import RUN, SHORTEST, Sought, holders
from rbcore.audit.prepared import Prepared, some
from rbcore.audit.questions.verdict import (
    TOO_FEW,
    Answer,
    Named,
    Outcome,
    compare,
    outcome,
    pairs,
    percent,
    share_number,
    unchecked,
)
from rbcore.audit.segment import words

MARGIN = 0.01  # a share of records with passages beyond the usual one that is worth a word
MATTERS = 0.15  # a share that a clear answer would have found
COMMON, HOLDERS = 0.01, 3  # a passage is common that so large a share of the texts, and so many of them, hold
SOURCES = 20_000  # texts whose passages are sought, at most
LEAST = 20  # records of each side
CERTAIN = 0.01  # p-value below which whole prompts are flagged where anchors have none: each such row is a fact
EMPTY = split([])
PARTS = {"prompt": "prompts", "answer": "answers"}


def contamination(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic records hold passages of held-out ones more often than anchors do?

    Anchors are compared with others: they should hold passages of held-out records no more often than of as many
    anchors.
    """
    id = "contamination"
    if "HELDOUT" not in data.records:
        return unchecked(id, "There is no HELDOUT to look for.")
    held = data.records["HELDOUT"]
    if held.texts is None:
        return unchecked(id, "The records are vectors.")
    rows = {name: ~data.copied(name, "HELDOUT") for name in ("SYNTH", "ANCHOR")}
    if min(one.sum() for one in rows.values()) < LEAST:
        return unchecked(id, TOO_FEW)
    told = held.parts
    texts = {PARTS[key]: told[key] for key in PARTS if key in told} or {"records": held.texts}
    kept = some(np.arange(len(held)), SOURCES, rng)
    hits = {name: np.zeros(len(one), dtype=bool) for name, one in rows.items()}
    of, score = np.full(len(rows["SYNTH"]), -1), np.zeros(len(rows["SYNTH"]))
    reached, numbers, long = np.zeros(len(kept), dtype=bool), [], np.zeros(len(kept), dtype=bool)
    said: list[str] = []
    apart: list[Answer] = []
    for kind, parts in texts.items():
        sought = Sought(split([parts[i] for i in kept]))
        new = _fresh(data, sought)
        found = {name: _best(sought, data.words(name), new(name == "ANCHOR")) for name in rows}
        one, share = found["SYNTH"]
        better = share > score
        of[better], score[better] = kept[one[better]], share[better]
        mine, theirs = ((found[name][0] >= 0) & rows[name] for name in ("SYNTH", "ANCHOR"))
        hits["SYNTH"] |= mine
        hits["ANCHOR"] |= theirs
        reached[np.unique(one[mine])] = True
        long |= sought.passages > 0
        meaning = f"synthetic records that hold a passage of held-out {kind}"
        numbers.append(share_number(f"contamination-{kind}", meaning, mine[rows["SYNTH"]]))
        said.append(f"{kind} {percent(mine[rows['SYNTH']])} against {percent(theirs[rows['ANCHOR']])}")
        apart.append(compare(mine[rows["SYNTH"]], theirs[rows["ANCHOR"]], MARGIN, MATTERS))
    asked = _asked(data)
    if asked is not None:
        mine, theirs = (same >= 0 for same in asked)
        hits["SYNTH"] |= mine
        of[mine], score[mine] = asked[0][mine], 1.0
        numbers.append(share_number("contamination-questions", "synthetic records with a held-out prompt", mine))
        said.append(f"the whole prompt {percent(mine)} against {percent(theirs)}")
        whole = compare(mine, theirs, MARGIN, MATTERS)
        if mine.sum() >= HOLDERS and not theirs.any() and whole.p < CERTAIN:
            whole = whole._replace(verdict="flagged")
        if whole.verdict == "flagged" and all(one.verdict != "flagged" for one in apart):
            hits["SYNTH"], of = mine.copy(), np.where(mine, asked[0], -1)  # passages are usual, and name no row
        apart.append(whole)
    synth, task = hits["SYNTH"][rows["SYNTH"]], hits["ANCHOR"][rows["ANCHOR"]]
    numbers += [
        share_number("contamination-task", "anchors that hold a passage of a held-out record", task),
        share_number("contamination-held", "held-out records of which a synthetic one holds a passage", reached),
    ]
    each = f" ({', '.join(said)})" if len(said) > 1 else ""
    short = f" {int((~long).sum()):,} held-out records are too short to be looked for." if not long.all() else ""
    sentence = (
        f"{percent(synth)} of the synthetic records that nearly copy no held-out one hold a passage of one, "
        f"{RUN} words in a row or a whole text of {SHORTEST}{each}; {percent(task)} of the anchors do. "
        f"{int(reached.sum()):,} of {len(reached):,} held-out records are found so.{short}"
    )
    answer = _worst(apart)
    anchors = _anchors(data, texts, kept, rng)
    if anchors is not None and anchors.verdict == "flagged":
        answer = answer._replace(verdict="flagged", p=min(1.0, 2 * min(answer.p, anchors.p)))
    hit = hits["SYNTH"] & rows["SYNTH"]
    named = Named(hit, score * hit, "HELDOUT", np.where(hit, of, -1))
    return outcome(id, answer, sentence, numbers, pairs(data, named, rng), named)


def passages(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic records hold passages of anchors more often than other anchors do?

    Sources are one half of the anchors; synthetic records are compared with the other half.
    """
    id = "anchor-passages"
    if data.records["ANCHOR"].texts is None:
        return unchecked(id, "The records are vectors.")
    words = data.words("ANCHOR")
    fresh = data.fresh[~data.twins("ANCHOR")[data.fresh]]
    rows = ~data.copied("SYNTH", "ANCHOR")
    if min(rows.sum(), fresh.size) < LEAST:
        return unchecked(id, TOO_FEW)
    sources = some(data.fitted, SOURCES, rng)
    sought = Sought(_taken(words, sources))
    rare = _own(sought)
    synth = (_best(sought, data.words("SYNTH"), rare)[0] >= 0)[rows]
    task = _best(sought, _taken(words, fresh), rare)[0] >= 0
    every = some(np.arange(len(data.records["ANCHOR"])), SOURCES, rng)
    sought = Sought(_taken(words, every))
    one, score = _best(sought, data.words("SYNTH"), _own(sought))
    hit = rows & (one >= 0)
    named = Named(hit, score * hit, "ANCHOR", np.where(hit, every[one], -1))
    numbers = [
        share_number("anchor-passages", "synthetic records that hold a passage of one half of the anchors", synth),
        share_number("anchor-passages-task", "anchors of the other half that do", task),
        share_number("anchor-passages-all", "synthetic records that hold a passage of any anchor", hit[rows]),
    ]
    sentence = (
        f"{percent(synth)} of the synthetic records that nearly copy no anchor hold {RUN} words in a row, or the "
        f"whole text, of one half of the anchors; {percent(task)} of the other half do. Of any anchor "
        f"{percent(hit[rows])} do."
    )
    return outcome(id, compare(synth, task, MARGIN, MATTERS), sentence, numbers, pairs(data, named, rng), named)


def _asked(data: Prepared) -> list[np.ndarray] | None:
    """Of the synthetic records and the anchors the held-out record with the very same prompt, or -1.

    None where a format does not tell prompts; prompts below :data:`SHORTEST` words are anybody's.
    """
    parts = {name: data.records[name].parts.get("prompt") for name in ("HELDOUT", "SYNTH", "ANCHOR")}
    if None in parts.values():
        return None
    known: dict[tuple[str, ...], int] = {}
    for i, text in enumerate(parts["HELDOUT"] or ()):
        said = tuple(words(text))
        if len(said) >= SHORTEST:
            known.setdefault(said, i)
    sides = (parts[name] or () for name in ("SYNTH", "ANCHOR"))
    return [np.array([known.get(tuple(words(text)), -1) for text in side], dtype=int) for side in sides]


def _worst(answers: Sequence[Answer]) -> Answer:
    """One answer for prompts and answers: the one with most evidence, its p-value by Bonferroni."""
    worst = min(answers, key=lambda one: (one.verdict != "flagged", one.p))
    return worst._replace(p=min(1.0, len(answers) * worst.p))


def _few(texts: int) -> int:
    """How many texts hold what is common among so many, at least."""
    return max(HOLDERS, int(np.ceil(COMMON * texts)))


def _own(sought: Sought) -> np.ndarray:
    """Which passages are not common among the texts that they come from."""
    return sought.fresh(holders(sought.words, EMPTY)[0] >= _few(sought.texts))


def _fresh(data: Prepared, sought: Sought) -> Callable[[int], np.ndarray]:
    """Which passages are common neither where they come from nor among anchors, so many of which do not count."""
    mine, theirs = holders(sought.words, data.words("ANCHOR"))
    often, few = mine >= _few(sought.texts), _few(len(data.records["ANCHOR"]))
    return lambda uncounted: sought.fresh(often | (theirs >= few + uncounted))


def _best(sought: Sought, texts: Words, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each text the source of most of its passages, or -1; and the share of that source's passages."""
    record, passage = sought.found(texts)
    kept = counted[passage]
    source = sought.text[passage[kept]]
    both, many = np.unique(record[kept] * np.int64(max(sought.texts, 1)) + source, return_counts=True)
    record, source = np.divmod(both, max(sought.texts, 1))
    share = many / np.maximum(sought.passages[source], 1)
    order = np.lexsort((share, record))
    last = np.append(np.diff(record[order]) > 0, True)[: order.size]
    chosen = order[last]
    of, score = np.full(texts.sizes.size, -1), np.zeros(texts.sizes.size)
    of[record[chosen]], score[record[chosen]] = source[chosen], share[chosen]
    return of, score


def _anchors(
    data: Prepared, texts: Mapping[str, Sequence[str]], kept: np.ndarray, rng: Generator
) -> Answer | None:
    """Whether anchors hold passages of held-out records more often than of as many other anchors."""
    told = data.records["ANCHOR"].parts
    keys = {kind: key for key, kind in PARTS.items()}
    given = {kind: data.records["ANCHOR"].texts if kind == "records" else told.get(keys[kind]) for kind in texts}
    own = {kind: one for kind, one in given.items() if one is not None}
    n = len(data.records["ANCHOR"])
    k = min(len(kept), n // 2)
    if len(own) < len(texts) or k < LEAST:
        return None
    sources = np.sort(rng.permutation(n)[:k])
    held = kept[np.sort(rng.permutation(len(kept))[:k])]
    readers = np.setdiff1d(np.arange(n), sources)
    readers = readers[~data.copied("ANCHOR", "HELDOUT")[readers] & ~data.twins("ANCHOR")[readers]]
    if readers.size < LEAST:
        return None
    hits = []
    for chosen, of, mine in ((held, texts, 1), (sources, own, 2)):
        hit = np.zeros(readers.size, dtype=bool)
        for parts in of.values():
            sought = Sought(split([parts[i] for i in chosen]))
            new = _fresh(data, sought)(mine)
            hit |= _best(sought, _taken(data.words("ANCHOR"), readers), new)[0] >= 0
        hits.append(hit)
    return compare(hits[0], hits[1], MARGIN, MATTERS)


def _taken(texts: Words, rows: np.ndarray) -> Words:
    """The words of some of the texts."""
    start = np.cumsum(texts.sizes) - texts.sizes
    sizes = texts.sizes[rows]
    at = np.repeat(start[rows] - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
    return Words(texts.numbers[at], sizes, texts.vocabulary)
