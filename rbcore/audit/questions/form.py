"""Have synthetic answers the form of the task's: length, endings, script, language, openings, phrases?

These questions need no model.  They look at the answers where both inputs tell prompt and answer apart, else at
whole texts; near-copies are left out.  Vectors have no form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from scipy import stats

from rbcore.audit import writing
from rbcore.audit.prepared import Prepared, some
from rbcore.audit.questions.verdict import (
    SHOWN,
    TOO_FEW,
    Named,
    Outcome,
    compare,
    difference,
    distance,
    examples,
    fisher,
    laws,
    outcome,
    percent,
    share_number,
    shares,
    unchecked,
)
from rbcore.audit.result import Number
from rbcore.audit.segment import words
from rbcore.estimate.base import Estimate

LEAST = 20  # records of each side
MOST = 20_000  # records of each side that a test looks at
VECTORS = "The records are vectors."
LONGER = 0.1  # a distance between two laws of lengths that is worth a word
MATTERS_LENGTH = 0.25  # a distance that a clear answer would have found
CUT, MATTERS_CUT = 0.03, 0.2  # excess of answers that end in mid-sentence
OFTEN = 0.2  # share of the task's answers that end so, beyond which no single answer is named for it
FOREIGN, MATTERS_FOREIGN = 0.03, 0.2  # difference of a script's or a language's share
RARE, RARER = (
    0.02,
    4,
)  # a language of a smaller share is lumped with others; so much rarer in the task, it is named
PHRASES, MATTERS_PHRASES = 0.01, 0.1  # excess of assistants' phrases
OPENED, MATTERS_OPENED = 0.05, 0.2  # excess of an opening or a closing
PROPOSED = 3  # openings and closings that are proposed together
FIRST, LAST = 6, 6  # words of an opening, of a closing, at most
READ = 160  # characters that hold them


class _Sides(NamedTuple):
    """What is compared: answers (or texts) by input, and which records of each input are no copies."""

    texts: dict[str, tuple[str, ...]]
    rows: dict[str, np.ndarray]
    called: str

    def of(self, name: str) -> list[str]:
        """The texts that are compared of an input."""
        return [self.texts[name][i] for i in self.rows[name]]


def _sides(data: Prepared, id: str, rng: Generator) -> _Sides | Outcome:
    """What a question compares, or why it cannot be asked."""
    found = answers(data)
    if found is None:
        return unchecked(id, VECTORS)
    texts, called = found
    rows = {name: some(np.flatnonzero(data.own(name)), MOST, rng) for name in texts}
    if min(map(len, rows.values())) < LEAST:
        return unchecked(id, TOO_FEW)
    return _Sides(texts, rows, called)


def answers(data: Prepared) -> tuple[dict[str, tuple[str, ...]], str] | None:
    """The answers of anchors and synthetic records, where both tell them, else texts; and what to call them."""
    records = {name: data.records[name] for name in ("ANCHOR", "SYNTH")}
    parts = {name: one.parts for name, one in records.items()}
    if all("answer" in one for one in parts.values()):
        return {name: one["answer"] for name, one in parts.items()}, "answers"
    texts = {name: one.texts for name, one in records.items() if one.texts is not None}
    return (texts, "records") if len(texts) == len(records) else None


def length(data: Prepared, rng: Generator) -> Outcome:
    """Have synthetic answers another law of lengths than those of the task?"""
    sides = _sides(data, "length", rng)
    if isinstance(sides, Outcome):
        return sides
    sizes = {name: np.array([len(words(text)) for text in sides.of(name)]) for name in sides.texts}
    task, synth = sizes["ANCHOR"], sizes["SYNTH"]
    medians = {name: _median(one) for name, one in sizes.items()}
    seen = float(stats.ks_2samp(task, synth, method="asymp").statistic)
    slack = float(np.sqrt(np.log(2 / 0.05) / 2) * (len(task) ** -0.5 + len(synth) ** -0.5))
    far = Estimate("distance", seen, (max(0.0, seen - slack), min(1.0, seen + slack)), min(len(task), len(synth)))
    numbers = [
        Number("length-task", f"median length of the task's {sides.called}", medians["ANCHOR"]),
        Number("length-synth", f"median length of synthetic {sides.called}", medians["SYNTH"]),
        Number("length-distance", "largest difference of the two distributions of lengths", far),
    ]
    a, b = medians["ANCHOR"].value, medians["SYNTH"].value
    ratio = b / a if a else np.inf
    way = "longer" if b > a else "shorter" if b < a else "neither longer nor shorter"
    sentence = (
        f"The median synthetic {sides.called[:-1]} has {b:,.0f} words, that of the task {a:,.0f}: {way}, "
        f"by a factor of {ratio:.2f}. The two distributions are {seen:.2f} apart, where 0 is none and 1 all."
    )
    low, high = np.quantile(task, [0.005, 0.995])
    whole = np.array([len(words(text)) for text in sides.texts["SYNTH"]]) if len(synth) < MOST else None
    named = None
    if whole is not None:
        scores = np.abs(np.log((whole + 1) / (a + 1)))
        named = Named((whole < low) | (whole > high), scores)
        order = np.argsort(-scores * data.own("SYNTH"), kind="stable")
    else:
        order = sides.rows["SYNTH"][np.argsort(-np.abs(np.log((synth + 1) / (a + 1))))]
    answer = laws(synth, task, LONGER, MATTERS_LENGTH)
    shown = examples(data, "SYNTH", order)
    return outcome("length", answer, sentence, numbers, shown, named, size=distance)


def endings(data: Prepared, rng: Generator) -> Outcome:
    """Do more synthetic answers end in mid-sentence than answers of the task do?

    Where many of the task's do, as titles and code do, a single record that does is none to be named.
    """
    sides = _sides(data, "endings", rng)
    if isinstance(sides, Outcome):
        return sides
    cut = np.array([not writing.ends(text) for text in sides.texts["SYNTH"]])
    synth, task = cut[sides.rows["SYNTH"]], np.array([not writing.ends(text) for text in sides.of("ANCHOR")])
    if task.mean() > 1 - MATTERS_CUT:
        no_ends = f"{percent(task)} of the {sides.called} of the task end without the end of a sentence"
        return unchecked("endings", f"{no_ends}, so one that is cut off does not differ from them in that.")
    numbers = [
        share_number("endings-synth", f"synthetic {sides.called} that end in mid-sentence", synth),
        share_number("endings-task", f"{sides.called} of the task that do", task),
    ]
    sentence = (
        f"{percent(synth)} of the synthetic {sides.called} end without the end of a sentence, "
        f"{percent(task)} of the task's do."
    )
    named = Named(cut & data.own("SYNTH")) if task.mean() <= OFTEN else None
    shown = tuple((_tail(sides.texts["SYNTH"][i]),) for i in _drawn(cut & data.own("SYNTH"), rng))
    return outcome("endings", compare(synth, task, CUT, MATTERS_CUT), sentence, numbers, shown, named)


def script(data: Prepared, rng: Generator) -> Outcome:
    """Has a script another share among synthetic answers?"""
    return _kinds(
        data, rng, "script", lambda texts: np.array([writing.script(text) for text in texts], dtype=object)
    )


def language(data: Prepared, rng: Generator) -> Outcome:
    """Has a language another share among synthetic answers?

    Texts whose language is not sure, most of them short, do not count.
    """
    return _kinds(data, rng, "language", writing.languages)


def _kinds(data: Prepared, rng: Generator, id: str, kind: Callable[[Sequence[str]], np.ndarray]) -> Outcome:
    """Compare the shares of kinds of texts; ``""`` is no kind."""
    sides = _sides(data, id, rng)
    if isinstance(sides, Outcome):
        return sides
    kinds = {name: kind(sides.of(name)) for name in sides.texts}
    task, synth = (kinds[name][kinds[name] != ""].astype(str) for name in ("ANCHOR", "SYNTH"))
    if min(len(task), len(synth)) < LEAST:
        return unchecked(id, f"Fewer than {LEAST} {sides.called} of each side have a {id} that can be told.")
    counts = Counter([*task, *synth])
    common = [one for one, k in counts.items() if k >= RARE * (len(task) + len(synth))]
    lumped = [np.where(np.isin(one, common), one, "others") for one in (task, synth)]
    names = np.unique(np.concatenate(lumped))
    if len(names) > 1:
        answer = shares(*lumped, FOREIGN, MATTERS_FOREIGN)
    else:  # what another kind would have to have
        answer = compare(*(one != names[0] for one in lumped[::-1]), FOREIGN, MATTERS_FOREIGN)
    excess = {str(name): (lumped[1] == name).mean() - (lumped[0] == name).mean() for name in names}
    worst = max(excess, key=lambda name: (max(excess[name], -0.8 * excess[name]), name))  # rather one that is new
    numbers = [
        share_number(
            f"{id}-task", f"{sides.called} of the task in the {id} whose share differs most", lumped[0] == worst
        ),
        share_number(f"{id}-synth", f"synthetic {sides.called} in it", lumped[1] == worst),
    ]
    sentence = (
        f"The {id} whose share differs most, {writing.called(worst)}, has {percent(lumped[0] == worst)} of the "
        f"task's {sides.called} and {percent(lumped[1] == worst)} of the synthetic ones."
    )
    every = np.full(len(data.records["SYNTH"]), "", dtype=object)
    if answer.verdict == "flagged" and len(every) > len(sides.rows["SYNTH"]):
        every = kind(sides.texts["SYNTH"])
    else:
        every[sides.rows["SYNTH"]] = kinds["SYNTH"]
    shares_of = {name: ((task == name).mean(), (synth == name).mean()) for name in set(every) - {""}}
    few = 0.0 if answer.verdict == "flagged" else FOREIGN
    hardly = [name for name, (usual, mine) in shares_of.items() if usual < RARE and mine > max(few, RARER * usual)]
    named = Named(np.isin(every.astype(str), hardly) & data.own("SYNTH"))
    order = _drawn(named.hits, rng)
    return outcome(id, answer, sentence, numbers, examples(data, "SYNTH", order), named, size=difference)


def boilerplate(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic answers hold refusals and phrases of assistants that the task's do not?

    Near-copies count: refusals resemble one another.
    """
    found = answers(data)
    if found is None:
        return unchecked("boilerplate", VECTORS)
    texts, called = found
    said = {name: [writing.phrase(text) for text in one] for name, one in texts.items()}
    synth, task = (np.array([bool(one) for one in said[name]]) for name in ("SYNTH", "ANCHOR"))
    numbers = [
        share_number("boilerplate-synth", f"synthetic {called} with a refusal or an assistant's phrase", synth),
        share_number("boilerplate-task", f"{called} of the task with one", task),
    ]
    often = [f"'{one}'" for one, _ in Counter(filter(None, said["SYNTH"])).most_common(2)]
    such = f", such as {' or '.join(often)}" if often else ""
    sentence = (
        f"{percent(synth)} of the synthetic {called} hold a refusal or a phrase of an assistant{such}; "
        f"{percent(task)} of the task's do."
    )
    named = Named(synth)
    answer = compare(synth, task, PHRASES, MATTERS_PHRASES)
    return outcome("boilerplate", answer, sentence, numbers, examples(data, "SYNTH", _drawn(synth, rng)), named)


def openings(data: Prepared, rng: Generator) -> Outcome:
    """Do synthetic answers begin or end in the same words, more often than the task's?

    One half of the records proposes some openings and closings, the other half decides.
    """
    sides = _sides(data, "openings", rng)
    if isinstance(sides, Outcome):
        return sides
    ends = {name: [_edges(text) for text in sides.of(name)] for name in sides.texts}
    halves = {name: rng.permutation(len(one)) < len(one) // 2 for name, one in ends.items()}
    proposing = {name: [x for x, a in zip(one, halves[name], strict=True) if a] for name, one in ends.items()}
    phrases = _proposed(proposing["SYNTH"], proposing["ANCHOR"])
    hits = {name: np.array([not phrases.isdisjoint(x) for x in one]) for name, one in ends.items()}
    synth, task = (hits[name][~halves[name]] for name in ("SYNTH", "ANCHOR"))
    numbers = [
        share_number("openings-synth", f"synthetic {sides.called} that begin or end in the words proposed", synth),
        share_number("openings-task", f"{sides.called} of the task that do", task),
    ]
    shown = " or ".join(
        f"{'begin' if edge == 0 else 'end'} in '{' '.join(said)}'" for edge, *said in sorted(phrases)
    )
    sentence = (
        f"{percent(synth)} of the synthetic {sides.called} {shown or 'begin or end alike'}, {percent(task)} of "
        "the task's do; they were counted on records that did not help to find these words."
    )
    every = np.zeros(len(data.records["SYNTH"]), dtype=bool)
    every[data.own("SYNTH")] = [
        not phrases.isdisjoint(_edges(sides.texts["SYNTH"][i])) for i in np.flatnonzero(data.own("SYNTH"))
    ]
    answer = compare(synth, task, OPENED, MATTERS_OPENED)
    order = _drawn(every, rng)
    return outcome("openings", answer, sentence, numbers, examples(data, "SYNTH", order), Named(every))


def _edges(text: str) -> list[tuple[int | str, ...]]:
    """The openings (0, words..) and closings (1, words..) of a text, of two words or more."""
    first, last = words(text[:READ]), words(text[-READ:])
    if len(text) > READ:  # a word may be cut
        first, last = first[:-1], last[1:]
    opened = [(0, *first[:k]) for k in range(2, min(FIRST, len(first)) + 1)]
    return opened + [(1, *last[-k:]) for k in range(2, min(LAST, len(last)) + 1)]


def _proposed(synth: Sequence[list[tuple]], task: Sequence[list[tuple]]) -> set[tuple]:
    """Some openings and closings that the first sample has far more often than the second one has."""
    chosen: set[tuple] = set()
    left = list(synth)
    usual = Counter(one for edges in task for one in set(edges))
    while left and len(chosen) < PROPOSED:
        seen = Counter(one for edges in left for one in set(edges))
        likely = [
            one for one, k in seen.most_common(200) if k / len(synth) > usual[one] / max(len(task), 1) + OPENED / 2
        ]
        if not likely:
            break
        chance = {one: float(fisher(seen[one], len(synth), usual[one], len(task))) for one in likely}
        best = min(likely, key=lambda one: (chance[one], -len(one), one))
        if chance[best] > 0.05 and chosen:
            break
        chosen.add(best)
        left = [edges for edges in left if best not in edges]
    return chosen


def _median(x: np.ndarray) -> Estimate:
    """The median in words, with the interval of order statistics at 95 %."""
    n, ordered = len(x), np.sort(x)
    k = int(stats.binom.ppf(0.025, n, 0.5))
    ends = (float(ordered[max(k - 1, 0)]), float(ordered[min(n - k, n - 1)]))
    return Estimate("median", float(np.median(x)), ends, n, unit="words")


def _drawn(hits: np.ndarray, rng: Generator) -> np.ndarray:
    """The records of `hits` in any order."""
    return rng.permutation(np.flatnonzero(hits))[:SHOWN]


def _tail(text: str, most: int = 300) -> str:
    """The end of a text."""
    return text if len(text) <= most else "..." + text[-most:]
