"""Defects for any texts: each spoils the synthetic records of a world in one way, at three strengths.

    world = worlds.of(corpus("code"), seed=1)
    made = spoil(world, "word shuffle", 0.25, np.random.default_rng(1))
    made.texts, made.touched

Only the synthetic records change, and of these only the ones that the defect touches.  A larger strength is
always worse.  :data:`DEFECTS` says what each strength means and which questions of the audit would name the
defect: those whose text, were they flagged, would describe what was done.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from rbcore.audit import embed as audit_embed
from rbcore.audit import planted
from rbcore.audit.segment import UNSPACED
from rbcore.estimate.ngram import Ngram

PIECE = re.compile(rf"(?:[{UNSPACED}]|[^\s{UNSPACED}]+)\s*|\s+")
SENTENCE = re.compile(r"(?<=[.!?;:])\s+|(?<=[。！？；])\s*|\n\s*")
RUN_ON = re.compile(rf"(?<=[^\s{UNSPACED}])\0(?=[^\W{UNSPACED}])")  # between two pieces that belong apart
ORDER = 3  # pieces of text that the generator looks at, the new one included
TRIED = 8  # generated texts for each that is kept, at most


class Side(NamedTuple):
    """Texts, and their labels where there are any."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] | None = None

    def take(self, rows: Sequence[int] | np.ndarray) -> Side:
        """The records at these positions."""
        labels = None if self.labels is None else tuple(self.labels[i] for i in rows)
        return Side(tuple(self.texts[i] for i in rows), labels)


@dataclass(frozen=True)
class World:
    """The inputs of audits of one corpus and seed, all independent draws (or parts of one random split).

    Attributes:
        anchor, synth, heldout: the inputs without a defect.
        judge: records of the task that nothing is made of: students are scored on them.
        pool: more records of the task, which no input holds; defects are made of them.
        alien: texts of another kind in the same script.  foreign: texts in another language.  Empty: none known.
        language: of the corpus.
    """

    corpus: str
    seed: int
    language: str
    anchor: Side
    synth: Side
    heldout: Side
    judge: Side
    pool: Side
    alien: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    @cached_property
    def candidates(self) -> Side:
        """The synthetic records, then the pool."""
        labels = None
        if self.synth.labels is not None and self.pool.labels is not None:
            labels = self.synth.labels + self.pool.labels
        return Side(self.synth.texts + self.pool.texts, labels)

    @cached_property
    def surprise(self) -> np.ndarray:
        """Of each candidate, nats per token, under an n-gram model of the other half of them."""
        texts = self.candidates.texts
        halves = [np.arange(k, len(texts), 2) for k in (0, 1)]
        scores = np.zeros(len(texts))
        for own, other in (halves, halves[::-1]):
            scores[own] = Ngram.fit([texts[i] for i in other]).losses_per_token([texts[i] for i in own])
        return scores

    @cached_property
    def points(self) -> np.ndarray:
        """Of each candidate a unit vector (n, d) by its words."""
        rng = np.random.default_rng([self.seed, 17])
        return audit_embed.embed({"candidates": self.candidates.texts}, rng, dimension=24)["candidates"]


class Spoiled(NamedTuple):
    """The synthetic side with a defect, and (n,) which records it touched."""

    side: Side
    touched: np.ndarray

    @property
    def texts(self) -> tuple[str, ...]:
        """The spoiled records."""
        return self.side.texts


Make = Callable[[World, float, Generator], Spoiled | None]


@dataclass(frozen=True)
class Defect:
    """One way to spoil synthetic records.

    Attributes:
        questions: those that name it.  strengths: three, the weakest first.
        about: what is done, with the strength as ``{}``.
        make: does it; None for a world that has not what it takes.
    """

    questions: frozenset[str]
    strengths: tuple[float, float, float]
    about: str
    make: Make


def spoil(world: World, defect: str, strength: float, rng: Generator) -> Spoiled | None:
    """The synthetic records of the world with the defect; None where the world has not what it takes.

    Raises:
        ValueError: for a defect that does not exist.
    """
    if defect not in DEFECTS:
        raise ValueError(f"defect: one of {', '.join(DEFECTS)}, got {defect!r}")
    return DEFECTS[defect].make(world, strength, rng)


def pieces(text: str) -> list[str]:
    """The words of a text (letters, in scripts without spaces), with the white space after them."""
    return PIECE.findall(text)


# --- tools -----------------------------------------------------------------------------------------------------


def _rows(world: World, share: float, rng: Generator) -> np.ndarray:
    n = len(world.synth.texts)
    return np.sort(rng.permutation(n)[: round(share * n)])


def _replaced(
    world: World, rows: np.ndarray, texts: Sequence[str], labels: Sequence[str] | None = None
) -> Spoiled:
    """The synthetic records with other texts (and labels, which stay by default) at these rows."""
    made, named = list(world.synth.texts), None if world.synth.labels is None else list(world.synth.labels)
    for i, text in zip(rows, texts, strict=True):
        made[i] = text
    if labels is not None and named is not None:
        for i, label in zip(rows, labels, strict=True):
            named[i] = label
    touched = np.zeros(len(made), dtype=bool)
    touched[rows] = True
    return Spoiled(Side(tuple(made), None if named is None else tuple(named)), touched)


def word_changed(text: str, rng: Generator, others: Sequence[str]) -> str:
    """The text with one word exchanged for a word of another text, its own white space kept."""
    parts = pieces(text)
    donor = [p for p in pieces(others[int(rng.integers(len(others)))]) if p.strip()]
    at = [i for i, p in enumerate(parts) if p.strip()]
    if not at or not donor:
        return text
    i, new = at[rng.integers(len(at))], donor[rng.integers(len(donor))]
    parts[i] = new.rstrip() + parts[i][len(parts[i].rstrip()) :]
    return "".join(parts)


def sentences_shuffled(text: str, rng: Generator) -> str:
    """The sentences (or lines) of the text in another order; of a single one its two halves are exchanged."""
    parts = [part.strip() for part in SENTENCE.split(text) if part and part.strip()]
    if len(parts) < 2:
        words = pieces(text)
        half = len(words) // 2
        parts = ["".join(words[:half]).strip(), "".join(words[half:]).strip()]
    order = rng.permutation(len(parts))
    if len(parts) > 1 and (order == np.arange(len(parts))).all():
        order = np.roll(order, 1)
    gap = "\n" if "\n" in text else "" if _unspaced(text) else " "
    return gap.join(parts[i] for i in order).strip()


def words_deleted(text: str, rng: Generator, share: float = 0.1) -> str:
    """The text without a share of its words, one at least."""
    parts = pieces(text)
    gone = set(rng.permutation(len(parts))[: max(1, round(share * len(parts)))].tolist())
    return "".join(p for i, p in enumerate(parts) if i not in gone).strip() or text


def words_shuffled(text: str, rng: Generator) -> str:
    """All words of the text in a random order; the white space stays where it was."""
    parts = pieces(text)
    bare, gaps = [p.rstrip() for p in parts], [p[len(p.rstrip()) :] for p in parts]
    return _concatenated([bare[i] + gap for i, gap in zip(rng.permutation(len(bare)), gaps, strict=True)])


def cut(text: str, share: float) -> str:
    """The first part of the text: all but `share` of its words, one at least."""
    parts = pieces(text)
    return "".join(parts[: max(1, round((1 - share) * len(parts)))]).strip()


def _unspaced(text: str) -> bool:
    parts = pieces(text)
    return sum(p == p.rstrip() for p in parts) > len(parts) / 2


def _concatenated(parts: Sequence[str]) -> str:
    """The pieces as a text; two words of a script with spaces get one where none is."""
    return RUN_ON.sub(" ", "\0".join(part for part in parts if part)).replace("\0", "").strip()


def _joined(*texts: str) -> str:
    gap = "\n" if any("\n" in text for text in texts) else "" if _unspaced(texts[0]) else " "
    return gap.join(texts)


class Sampler:
    """A small generator: Witten-Bell's backed-off n-grams of words with their white space, at a temperature."""

    def __init__(self, texts: Sequence[str]):
        self.longest = 2 * max(len(pieces(text)) for text in texts)
        counts: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for text in texts:
            parts = ["", *pieces(text), ""]
            for i in range(1, len(parts)):
                for k in range(min(ORDER - 1, i) + 1):
                    counts[tuple(parts[i - k : i])][parts[i]] += 1
        self.laws = {
            context: (list(seen), np.array([*seen.values()], dtype=float)) for context, seen in counts.items()
        }

    def text(self, rng: Generator, temperature: float = 1.0) -> str:
        """One text."""
        parts = [""]
        while len(parts) <= self.longest:
            k = min(ORDER - 1, len(parts))
            while True:
                law = self.laws.get(tuple(parts[len(parts) - k :]))
                if law is not None:
                    kinds, total = len(law[0]), law[1].sum()
                    heat = np.array([kinds, total]) ** (1 / temperature)
                    if k == 0 or rng.random() >= heat[0] / heat.sum():
                        break
                k -= 1
            weights = np.cumsum(law[1] ** (1 / temperature))
            new = law[0][int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))]
            if not new:
                break
            parts.append(new)
        return _concatenated(parts)


# --- the defects -------------------------------------------------------------------------------------------------


def _near_duplicates(world: World, share: float, rng: Generator) -> Spoiled:
    rows = _rows(world, share, rng)
    rest = np.setdiff1d(np.arange(len(world.synth.texts)), rows)
    return _copies(world, world.synth.take(rest), rows, rng, _one_word(world))


def _one_word(world: World) -> Callable[[str, Generator], str]:
    return lambda text, rng: word_changed(text, rng, world.pool.texts)


def _copies(
    world: World, source: Side, rows: np.ndarray, rng: Generator, change: Callable[[str, Generator], str]
) -> Spoiled:
    chosen = source.take(rng.choice(len(source.texts), size=rows.size, replace=rows.size > len(source.texts)))
    return _replaced(world, rows, [change(text, rng) for text in chosen.texts], chosen.labels)


def _leak(change: Callable[[World], Callable[[str, Generator], str]], source: str = "anchor") -> Make:
    def make(world: World, share: float, rng: Generator) -> Spoiled:
        return _copies(world, getattr(world, source), _rows(world, share, rng), rng, change(world))

    return make


def _passage(world: World, share: float, rng: Generator) -> Spoiled:
    """A held-out record stands in the middle of a longer text: before and after it a half of another record."""
    rows = _rows(world, share, rng)
    chosen = rng.choice(len(world.heldout.texts), size=rows.size, replace=rows.size > len(world.heldout.texts))
    made = []
    for i, j in zip(rows, chosen, strict=True):
        around = world.synth.texts[i], world.pool.texts[rng.integers(len(world.pool.texts))]
        made.append(_joined(around[0], world.heldout.texts[j], around[1]))
    return _replaced(world, rows, made)


def _from(source: str) -> Make:
    def make(world: World, share: float, rng: Generator) -> Spoiled | None:
        texts = getattr(world, source)
        rows = _rows(world, share, rng)
        if rows.size > len(texts):
            return None
        return _replaced(world, rows, [texts[i] for i in rng.permutation(len(texts))[: rows.size]])

    return make


def _edit(change: Callable[[str, Generator], str]) -> Make:
    """A share of the records is changed, each by itself."""

    def make(world: World, share: float, rng: Generator) -> Spoiled:
        rows = _rows(world, share, rng)
        return _replaced(world, rows, [change(world.synth.texts[i], rng) for i in rows])

    return make


def _truncation(world: World, share: float, rng: Generator) -> Spoiled:
    rows = np.arange(len(world.synth.texts))
    return _replaced(world, rows, [cut(text, share) for text in world.synth.texts])


def _too_long(world: World, factor: float, rng: Generator) -> Spoiled:
    """Records run on into others: the mean number of records in each is `factor`."""
    n = len(world.synth.texts)
    more = np.full(n, int(factor) - 1) + (rng.permutation(n) < round((factor - int(factor)) * n))
    rows = np.flatnonzero(more)
    drawn = iter(itertools.cycle(rng.permutation(len(world.pool.texts)).tolist()))
    made = [
        _joined(world.synth.texts[i], *(world.pool.texts[next(drawn)] for _ in range(int(more[i])))) for i in rows
    ]
    return _replaced(world, rows, made)


def _without(bad: Callable[[World, float, Generator], np.ndarray]) -> Make:
    """Records of one kind are never generated: others of the task stand in their place."""

    def make(world: World, share: float, rng: Generator) -> Spoiled | None:
        out, n = bad(world, share, rng), len(world.synth.texts)
        rows, good = np.flatnonzero(out[:n]), n + np.flatnonzero(~out[n:])
        if rows.size > good.size:
            return None
        chosen = world.candidates.take(rng.permutation(good)[: rows.size])
        return _replaced(world, rows, chosen.texts, chosen.labels)

    return make


def _highest(scores: np.ndarray, share: float, rng: Generator) -> np.ndarray:
    """Which are the largest share, ties at random."""
    order = np.lexsort((rng.random(scores.size), -scores))
    found = np.zeros(scores.size, dtype=bool)
    found[order[: round(share * scores.size)]] = True
    return found


def _region(world: World, share: float, rng: Generator) -> np.ndarray:
    """The candidates nearest to one of them, chosen at random."""
    centre = world.points[rng.integers(len(world.points))]
    return _highest(world.points @ centre, share, rng)


def _generator(world: World, cold: float, rng: Generator) -> Spoiled:
    """Texts of a small model of the pool, at temperature one less the strength; as new ones as can be had."""
    model, seen, made = Sampler(world.pool.texts), set(world.pool.texts), []
    n = len(world.synth.texts)
    for i in range(TRIED * n):
        text = model.text(rng, 1 - cold)
        if text and (text not in seen or i >= (TRIED - 1) * n):
            seen.add(text)
            made.append(text)
        if len(made) == n:
            break
    rows = np.arange(len(made))
    return _replaced(world, rows, made)


OPENINGS = {
    "en": "Sure! Here is the text you asked for:",
    "code": "Sure! Here is the function you asked for:",
    "es": "¡Claro! Aquí tienes el texto que pediste:",
    "de": "Gerne! Hier ist der gewünschte Text:",
    "ru": "Конечно! Вот текст, который вы просили:",
    "ja": "もちろんです。ご依頼の文章は次のとおりです。",
    "zh": "当然可以！以下是您要求的内容：",
}
REFUSALS = {
    "en": (
        "I'm sorry, but I can't help with that request.",
        "As an AI language model, I cannot provide this text.",
        "I apologize, but I am not able to write that.",
        "Unfortunately I can't assist with this. Is there anything else I can help you with?",
    ),
    "es": (
        "Lo siento, pero no puedo ayudarte con esa solicitud.",
        "Como modelo de lenguaje, no puedo proporcionar ese texto.",
    ),
    "de": (
        "Es tut mir leid, aber dabei kann ich nicht helfen.",
        "Als KI-Sprachmodell kann ich diesen Text nicht bereitstellen.",
    ),
    "ru": (
        "Извините, но я не могу помочь с этим запросом.",
        "Как языковая модель, я не могу предоставить этот текст.",
    ),
    "ja": (
        "申し訳ありませんが、そのご依頼にはお応えできません。",
        "AI言語モデルとして、その文章を提供することはできません。",
    ),
    "zh": ("很抱歉，我无法帮助您完成这个请求。", "作为一个人工智能语言模型，我无法提供这段文字。"),
}


def _boilerplate(world: World, share: float, rng: Generator) -> Spoiled | None:
    opening = OPENINGS.get(world.language, OPENINGS["en"])
    return _edit(lambda text, rng: opening + "\n" + text)(world, share, rng)


def _refusals(world: World, share: float, rng: Generator) -> Spoiled | None:
    said = REFUSALS.get(world.language, REFUSALS["en"])
    return _edit(lambda text, rng: said[rng.integers(len(said))])(world, share, rng)


def _wrong_labels(world: World, share: float, rng: Generator) -> Spoiled | None:
    if world.synth.labels is None:
        return None
    rows, names = _rows(world, share, rng), sorted(set(world.synth.labels))
    labels = [str(rng.choice([one for one in names if one != world.synth.labels[i]])) for i in rows]
    return _replaced(world, rows, [world.synth.texts[i] for i in rows], labels)


def _low_temperature(world: World, cold: float, rng: Generator) -> Spoiled | None:
    if world.corpus != "grammar":
        return None
    made = planted.notes(rng, len(world.synth.texts), temperature=1 - cold)
    return Spoiled(Side(tuple(made.texts), tuple(made.labels)), np.ones(len(made.texts), dtype=bool))


def _missing_label(world: World, share: float, rng: Generator) -> Spoiled | None:
    """A share of the records of one label is never generated."""
    if world.candidates.labels is None:
        return None
    label = str(rng.choice(sorted(set(world.candidates.labels))))
    own = np.array(world.candidates.labels) == label
    n = len(world.synth.texts)
    out = own & np.concatenate([rng.random(n) < share, np.ones(len(own) - n, dtype=bool)])
    return _without(lambda world, share, rng: out)(world, share, rng)


def _named(*questions: str) -> frozenset[str]:
    return frozenset(questions)


FEW, SOME, ALL = (0.03, 0.06, 0.12), (0.05, 0.1, 0.2), (0.2, 0.4, 0.6)
DEFECTS: dict[str, Defect] = {
    "near-duplicates": Defect(
        _named("near-duplicates"),
        SOME,
        "{:.0%} of the records copy other synthetic records, one word changed",
        _near_duplicates,
    ),
    "leakage, a word": Defect(
        _named("anchor-copies", "anchor-passages", "membership"),
        FEW,
        "{:.0%} of the records copy anchors, one word changed",
        _leak(_one_word),
    ),
    "leakage, sentences": Defect(
        _named("anchor-copies", "anchor-passages", "membership"),
        FEW,
        "{:.0%} of the records copy anchors, their sentences in another order",
        _leak(lambda world: sentences_shuffled),
    ),
    "leakage, deletion": Defect(
        _named("anchor-copies", "anchor-passages", "membership"),
        FEW,
        "{:.0%} of the records copy anchors, a tenth of the words left out",
        _leak(lambda world: words_deleted),
    ),
    "contamination, record": Defect(
        _named("held-out-copies", "contamination"),
        FEW,
        "{:.0%} of the records are held-out records",
        _leak(lambda world: lambda text, rng: text, "heldout"),
    ),
    "contamination, passage": Defect(
        _named("held-out-copies", "contamination"),
        FEW,
        "{:.0%} of the records hold a held-out record between two others",
        _passage,
    ),
    "off-domain": Defect(
        _named("off-task", "extra"),
        SOME,
        "{:.0%} of the records are of another kind, in the same script",
        _from("alien"),
    ),
    "another language": Defect(
        _named("language", "script", "off-task", "extra"),
        SOME,
        "{:.0%} of the records are in another language",
        _from("foreign"),
    ),
    "word shuffle": Defect(
        _named("order", "off-task", "stranger"),
        (0.1, 0.25, 0.5),
        "{:.0%} of the records have their words in a random order",
        _edit(words_shuffled),
    ),
    "truncation": Defect(
        _named("endings", "length"),
        (0.25, 0.5, 0.75),
        "the last {:.0%} of the words of every record are cut off",
        _truncation,
    ),
    "too long": Defect(
        _named("length"),
        (1.25, 1.5, 2.0),
        "records run on into others, {:.3g} of them in one on average",
        _too_long,
    ),
    "too short": Defect(
        _named("length"),
        ALL,
        "the longest {:.0%} of the task is never generated",
        _without(
            lambda world, share, rng: _highest(np.array([len(t) for t in world.candidates.texts]), share, rng)
        ),
    ),
    "boilerplate": Defect(
        _named("boilerplate", "openings", "extra"),
        SOME,
        "{:.0%} of the records begin with the same polite sentence",
        _boilerplate,
    ),
    "refusals": Defect(
        _named("boilerplate", "openings", "near-duplicates"), FEW, "{:.0%} of the records are refusals", _refusals
    ),
    "predictable": Defect(
        _named("narrow"),
        ALL,
        "the most surprising {:.0%} of the task is never generated",
        _without(lambda world, share, rng: _highest(world.surprise, share, rng)),
    ),
    "small generator": Defect(
        _named("order", "stranger", "narrow", "off-task", "length", "distance"),
        (0.0, 0.2, 0.4),
        "all records are written by a model of word triples, at temperature one less {:.2g}",
        _generator,
    ),
    "missing part": Defect(
        _named("missing", "distance"),
        (0.1, 0.2, 0.4),
        "a neighbourhood that holds {:.0%} of the task is never generated",
        _without(_region),
    ),
    "wrong labels": Defect(
        _named("wrong-labels"),
        (0.075, 0.15, 0.3),
        "{:.3g} of the labels are replaced by another one",
        _wrong_labels,
    ),
    "low temperature": Defect(
        _named("narrow", "missing", "extra", "distance"),
        (0.1, 0.25, 0.5),
        "all notes are sampled at temperature one less {:.2g}",
        _low_temperature,
    ),
    "missing label": Defect(
        _named("missing", "label-shares"),
        (0.25, 0.5, 1.0),
        "{:.0%} of the notes of one label are never generated",
        _missing_label,
    ),
}
"""The defects by name; the last three need labels or the grammar of :mod:`rbcore.audit.planted`."""
