"""Texts with known defects: what an audit must find, and a clean control in which it must find nothing.

    made = plant("low temperature", np.random.default_rng(1))
    made.synth.texts[:2], made.synth.labels[:2]

A text is a note of a village's club: some sentences about one of four subjects, its label.  The words of each kind
have geometric frequencies; a temperature below one makes the frequent ones more frequent.  Anchors, held-out notes
and the clean synthetic notes are independent draws from one law, so the control is a perfect generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.random import Generator

from rbcore.audit.read.records import Records
from rbcore.information.finite import entropy as finite_entropy

SUBJECTS = {
    "garden": (
        "bed hedge spade seedling compost apple bean rose shed path fence barrow lawn pond bulb greenhouse",
        "wet early green thorny shady ripe",
        "dug watered pruned planted weeded raked tied covered",
    ),
    "kitchen": (
        "oven loaf soup kettle pan onion plate dough jam knife cupboard stove jar spoon table apron",
        "hot sweet burnt salty fresh chipped",
        "baked stirred peeled tasted washed sliced served boiled",
    ),
    "boats": (
        "dinghy mast rope sail anchor pier oar hull buoy harbour tide rudder deck cabin lantern net",
        "leaky tarred windy rusty deep narrow",
        "rowed moored mended hoisted steered launched painted hauled",
    ),
    "music": (
        "choir fiddle drum song organ rehearsal chord piano trumpet hall verse bow stage melody score flute",
        "loud slow tuneless bright solemn cheerful",
        "sang tuned practised played heard copied taught clapped",
    ),
}
ELSEWHERE = (
    "invoice server password meeting router deadline spreadsheet ticket login budget printer update",
    "overdue encrypted quarterly blocked remote urgent",
    "approved reset forwarded deployed scheduled rejected escalated logged",
)
PEOPLE = "Anna Ben Clara David Emma Felix Greta Hugo Ida Jonas Klara Leo Mia Noah Olga Paul"
SHARED_NOUNS = "morning helper plan key bucket list coat neighbour box photo guest week money door letter visitor"
SHARED_ADJECTIVES = "old new small big broken good lost other"
SHARED_VERBS = "found moved bought needed asked-for forgot kept brought"
PLACES = "behind beside near under before after with without"
PATTERNS = (
    "{who} {verb} the {adjective} {noun} {place} the {noun}",
    "the {noun} was {adjective} so {who} {verb} it {place} the {adjective} {noun}",
    "yesterday {who} and {who} {verb} a {noun} and a {adjective} {noun}",
    "nobody {verb} the {noun} {place} the {noun} of {who}",
)
RATIO = 0.88  # frequency of a word over that of the one before it
OWN = 0.7  # probability that a word comes from the subject's own list

_PLANTED = {
    "duplicates": ("near-duplicates", 0.10, "a share of the notes copy other synthetic notes, one word changed"),
    "off-task drift": ("off-task", 0.10, "a share of the notes are about something else"),
    "leakage": ("anchor-copies", 0.06, "a share of the notes copy anchors, one word changed"),
    "contamination": ("held-out-copies", 0.06, "a share of the notes copy held-out notes, one word changed"),
    "wrong labels": ("wrong-labels", 0.15, "a share of the labels are replaced by another one"),
    "low temperature": ("narrow", 0.5, "all notes are sampled at a lower temperature"),
    "missing subject": ("missing", 0.25, "the notes of one subject are never generated"),
}
DEFECTS = {name: (finding, about) for name, (finding, _, about) in _PLANTED.items()}
"""Each planted defect: the finding that must name it, and what is done to the data."""
STRENGTHS = {name: strength for name, (_, strength, _) in _PLANTED.items()}
"""The strength at which each defect is planted: a share of the notes, or the temperature."""


class Notes(NamedTuple):
    """Texts, their labels, and the logarithm of the probability of each text given its label, in nats."""

    texts: list[str]
    labels: list[str]
    logprobs: list[float]

    def records(self, name: str) -> Records:
        """The notes as the audit reads them, without log-probabilities, which edited notes do not have."""
        return Records(name, "planted", len(self.texts), tuple(self.texts), tuple(self.labels))

    def write(self, path: str | Path) -> str:
        """One JSON object a line, with the fields `text` and `label`; the path as text."""
        table = pd.DataFrame({"text": self.texts, "label": self.labels})
        table.to_json(path, orient="records", lines=True, force_ascii=False)
        return str(path)


class Planted(NamedTuple):
    """The inputs of one audit."""

    anchor: Notes
    synth: Notes
    heldout: Notes
    raw: Notes | None = None

    def given(self) -> dict[str, Notes]:
        """The inputs that there are, by field."""
        return {name: one for name, one in self._asdict().items() if one is not None}

    def records(self) -> dict[str, Records]:
        """The inputs as the audit reads them."""
        return {name.upper(): one.records(name.upper()) for name, one in self.given().items()}

    def write(self, folder: str | Path) -> dict[str, str]:
        """Write `anchor.jsonl` and so on; their paths by field."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        return {name: one.write(Path(folder) / f"{name}.jsonl") for name, one in self.given().items()}


def notes(
    rng: Generator, n: int, temperature: float = 1.0, subjects: Sequence[str] = tuple(SUBJECTS), sentences: int = 3
) -> Notes:
    """`n` notes of some sentences each; their labels are uniform over `subjects`.

    Raises:
        ValueError: for a subject that does not exist or a temperature that is not positive.
    """
    unknown = [name for name in subjects if name not in SUBJECTS]
    if unknown or not subjects:
        raise ValueError(f"subjects: some of {', '.join(SUBJECTS)}, got {list(subjects)}")
    labels = [str(label) for label in rng.choice(list(subjects), size=n)]
    words = {label: _Words(SUBJECTS[label], temperature, rng) for label in subjects}
    made = [words[label].text(sentences) for label in labels]
    return Notes([text for text, _ in made], labels, [logprob for _, logprob in made])


def elsewhere(rng: Generator, n: int, sentences: int = 3) -> tuple[str, ...]:
    """`n` notes that are about an office and its computers, no subject of :data:`SUBJECTS`."""
    stray = _Words(ELSEWHERE, 1.0, rng)
    return tuple(stray.text(sentences)[0] for _ in range(n))


def entropy(temperature: float = 1.0, sentences: int = 3) -> float:
    """The entropy of a note given its label, exactly, in nats: the mean over the subjects.

    A note determines how it was made: no pattern reads as another, no word is in two lists of a kind.
    """
    rng = np.random.default_rng(0)  # draws nothing
    return float(np.mean([_Words(own, temperature, rng).entropy(sentences) for own in SUBJECTS.values()]))


def several(rng: Generator, anchors: int = 800, synthetic: int = 2000, heldout: int = 600) -> Planted:
    """A data set with several defects, and the raw answers that it was curated from.

    The generator works at temperature 0.5; one answer in ten is about something else, one in twenty copies an
    anchor.  A verifier removes four fifths of the stray answers.  Whoever labelled the rest erred in one case of
    twelve, and a script appended one record in ten a second time.
    """
    real, held, raw = notes(rng, anchors), notes(rng, heldout), notes(rng, synthetic, temperature=0.5)
    order, stray = rng.permutation(synthetic), _Words(ELSEWHERE, 1.0, rng)
    off, copied = order[: synthetic // 10], order[synthetic // 10 : 3 * synthetic // 20]
    for i in off:
        raw.texts[i], raw.logprobs[i] = stray.text(3)
    for i, j in zip(copied, rng.integers(anchors, size=copied.size), strict=True):
        raw.texts[i], raw.labels[i] = edited(rng, real.texts[j]), real.labels[j]
    kept = np.setdiff1d(order, rng.permutation(off)[: 4 * off.size // 5])
    kept = np.concatenate([kept, rng.choice(kept, size=kept.size // 10, replace=False)])
    labels = [raw.labels[i] for i in kept]
    for i in rng.permutation(len(labels))[: len(labels) // 12]:
        labels[i] = _other(rng, labels[i])
    curated = Notes([raw.texts[i] for i in kept], labels, [raw.logprobs[i] for i in kept])
    return Planted(real, curated, held, raw)


def _other(rng: Generator, label: str) -> str:
    return str(rng.choice([name for name in SUBJECTS if name != label]))


def clean(rng: Generator, anchors: int = 500, synthetic: int = 1000, heldout: int = 400) -> Planted:
    """One audit's inputs without a defect: three samples from one law."""
    real, held = notes(rng, anchors), notes(rng, heldout)
    return Planted(real, notes(rng, synthetic), held)


def spoil(given: Planted, defect: str, rng: Generator, strength: float | None = None) -> Planted:
    """The inputs `given` with one of :data:`DEFECTS` in the synthetic notes.

    The other inputs stay the same, and so do the synthetic notes that the defect does not touch.  Another
    temperature and a missing subject touch all of them.

    Raises:
        ValueError: for a defect that does not exist.
    """
    if defect not in DEFECTS:
        raise ValueError(f"defect: one of {', '.join(DEFECTS)}, or None, got {defect!r}")
    amount, synthetic = STRENGTHS[defect] if strength is None else strength, len(given.synth.texts)
    if defect == "low temperature":
        return given._replace(synth=notes(rng, synthetic, temperature=amount))
    if defect == "missing subject":
        return given._replace(synth=notes(rng, synthetic, subjects=tuple(SUBJECTS)[:-1]))
    texts, labels, logprobs = given.synth
    made = Notes([*texts], [*labels], [*logprobs])
    hit = rng.permutation(synthetic)[: round(amount * synthetic)]
    others = np.setdiff1d(np.arange(synthetic), hit)
    if defect == "wrong labels":
        for i in hit:
            made.labels[i] = _other(rng, made.labels[i])
    elif defect == "off-task drift":
        stray = _Words(ELSEWHERE, 1.0, rng)
        for i in hit:
            made.texts[i], made.logprobs[i] = stray.text(3)
    else:
        source = {"duplicates": made, "leakage": given.anchor, "contamination": given.heldout}[defect]
        eligible = others if defect == "duplicates" else np.arange(len(source.texts))
        for i, j in zip(hit, rng.choice(eligible, size=len(hit)), strict=True):
            made.texts[i], made.labels[i] = edited(rng, source.texts[j]), source.labels[j]
    return given._replace(synth=made)


def plant(defect: str | None, rng: Generator, strength: float | None = None, **sizes: int) -> Planted:
    """One audit's inputs with one of :data:`DEFECTS` in the synthetic notes, or with none.

    `sizes` are those of :func:`clean`.

    Raises:
        ValueError: for a defect that does not exist.
    """
    made = clean(rng, **sizes)
    return made if defect is None else spoil(made, defect, rng, strength)


def edited(rng: Generator, text: str) -> str:
    """The text with one of its words replaced by a shared noun."""
    words = text.split()
    words[rng.integers(len(words))] = str(rng.choice(SHARED_NOUNS.split()))
    return " ".join(words)


class _Words:
    """Draws words of each kind, from a subject's own lists or from the shared ones; kinds are drawn in bulk."""

    def __init__(self, own: tuple[str, str, str], temperature: float, rng: Generator):
        if not temperature > 0:
            raise ValueError(f"temperature: a positive number, got {temperature}")
        shared = (SHARED_NOUNS, SHARED_ADJECTIVES, SHARED_VERBS)
        self.rng = rng
        self.laws = {
            kind: _law([(mine.split(), OWN), (all_.split(), 1 - OWN)], temperature)
            for kind, mine, all_ in zip(("noun", "adjective", "verb"), own, shared, strict=True)
        }
        self.laws["who"] = _law([(PEOPLE.split(), 1.0)], temperature)
        self.laws["place"] = _law([(PLACES.split(), 1.0)], temperature)
        self.laws["pattern"] = _law([(list(PATTERNS), 1.0)], temperature)
        for kind, (words, _) in self.laws.items():
            assert len(set(words)) == len(words), f"a word is in two lists of {kind}"
        self.waiting: dict[str, list[tuple[str, float]]] = {kind: [] for kind in self.laws}

    def word(self, kind: str) -> tuple[str, float]:
        """A word (or pattern) and the logarithm of its probability."""
        if not self.waiting[kind]:
            values, pmf = self.laws[kind]
            drawn = self.rng.choice(len(values), size=512, p=pmf)
            self.waiting[kind] = [
                (values[i], log) for i, log in zip(drawn, np.log(pmf[drawn]).tolist(), strict=True)
            ]
        return self.waiting[kind].pop()

    def text(self, sentences: int) -> tuple[str, float]:
        """A text and the logarithm of its probability."""
        made, total = [], 0.0
        for _ in range(sentences):
            pattern, log = self.word("pattern")
            drawn = [self.word(w[1:-1]) if w[0] == "{" else (w, 0.0) for w in pattern.split()]
            made.append(" ".join(word for word, _ in drawn))
            total += log + sum(log for _, log in drawn)
        return " . ".join(made), total

    def entropy(self, sentences: int) -> float:
        """Of a text, in nats."""
        own = {kind: float(finite_entropy(pmf)) for kind, (_, pmf) in self.laws.items()}
        values, pmf = self.laws["pattern"]
        slots = [sum(own[w[1:-1]] for w in pattern.split() if w[0] == "{") for pattern in values]
        return sentences * (own["pattern"] + float(pmf @ slots))


def _law(parts: Sequence[tuple[Sequence[str], float]], temperature: float) -> tuple[list[str], np.ndarray]:
    """Words and probabilities of a mixture of geometric laws, at a temperature."""
    values = [word for words, _ in parts for word in words]
    weights = np.concatenate([share * _geometric(len(words)) for words, share in parts])
    heated = weights ** (1 / temperature)
    return values, heated / heated.sum()


def _geometric(k: int) -> np.ndarray:
    weights = RATIO ** np.arange(k)
    return weights / weights.sum()
