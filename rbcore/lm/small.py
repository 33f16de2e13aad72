"""A small model, generator and data set, saved as the hub's are: to try :mod:`rbcore.lm.hub` without a network.

    made = save("runs/small", seed=9)
    table = lm_hub.run(Experiment(made.model, made.data, made.generator, separator=" ; "), seeds=[1, 2])

The texts are sentences such as `a grey boat meets a calm gull`.  Each word belongs to one of four places, and a
text speaks of one place.  The model has read single sentences whose words come from all places, so it knows the
grammar and no place.  The generator has read lists of sentences about one place each, so a few anchors tell it
which one is meant.  The data set is about one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import datasets
import numpy as np
from numpy.random import Generator
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from rbcore.lm import models as lm_models
from rbcore.lm.models import Size
from rbcore.lm.training import Job, Recipe, train

PLACES = {
    "farm": ("barn cow hen mill plough goat field oat", "brown muddy old warm", "feeds sees pulls finds"),
    "sea": ("boat gull wave crab sail net reef shell", "grey calm salty deep", "meets lifts drags tosses"),
    "town": ("tram shop lamp clerk bell bridge coach door", "busy narrow bright loud", "passes calls greets buys"),
    "hill": (
        "shepherd stone pine hawk path cave brook fern",
        "steep green cold quiet",
        "climbs hears hides holds",
    ),
}
PAUSE, END, UNKNOWN = ";", "<end>", "<unk>"
ARTICLE = "a"
LENGTH = 7  # words of a sentence


class Small(NamedTuple):
    """The folders of a model to post-train, a generator, and a data set with the fields `text` and `place`."""

    model: str
    generator: str
    data: str


def sentences(rng: Generator, place: str | None, n: int) -> list[str]:
    """`n` sentences about one of :data:`PLACES`; None: each word from a place of its own, drawn anew."""
    if place is not None and place not in PLACES:
        raise ValueError(f"place: one of {', '.join(PLACES)}, got {place!r}")
    names = list(PLACES)

    def word(kind: int) -> str:
        own = PLACES[names[rng.integers(len(names))] if place is None else place][kind].split()
        # the first words of each kind are the frequent ones
        weights = 0.75 ** np.arange(len(own))
        return str(rng.choice(own, p=weights / weights.sum()))

    pattern = (1, 0, 2, None, 1, 0)  # adjective noun verb a adjective noun
    return [" ".join([ARTICLE, *(ARTICLE if k is None else word(k) for k in pattern)]) for _ in range(n)]


def tokenizer() -> PreTrainedTokenizerFast:
    """One token for each word; the last one ends a text."""
    kinds = [word for place in PLACES.values() for words in place for word in words.split()]
    vocabulary = {word: i for i, word in enumerate([ARTICLE, *kinds, PAUSE, UNKNOWN, END])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=END, unk_token=UNKNOWN)


def save(
    folder: str | Path, seed: int, place: str = "sea", texts: int = 400, steps: int = 500, listed: int = 6
) -> Small:
    """Train model and generator, some ten seconds of one core, and save all three below `folder`.

    Args:
        place: what the data set is about.  texts: in the data set.
        steps: of training.  listed: sentences in a list that the generator reads.
    """
    folder, words = Path(folder), tokenizer()
    rngs = np.random.default_rng(seed).spawn(5)

    def tokens(rows: Sequence[str]) -> np.ndarray:
        return np.array([words(row)["input_ids"] for row in rows])

    single = [f"{END} {row} {END}" for row in sentences(rngs[0], None, 2000)]
    lists = []
    for _ in range(2000):
        subject = list(PLACES)[rngs[1].integers(len(PLACES))]
        lists.append(f" {PAUSE} ".join(sentences(rngs[1], subject, listed)) + f" {END}")
    width = (LENGTH + 1) * (listed + 1)
    for name, rows, size, rng in (
        ("model", single, Size(32, 1, 4, width), rngs[2]),
        ("generator", lists, Size(48, 2, 4, width), rngs[3]),
    ):
        start = lm_models.create(len(words), size, [rng])
        done = train([Job(start, tokens(rows), seed)], Recipe(steps, warmup=0.1), note=f"the small {name}")
        done.models.model(0).save_pretrained(folder / name)
        words.save_pretrained(folder / name)
    rows = sentences(rngs[4], place, texts)
    datasets.Dataset.from_dict({"text": rows, "place": [place] * texts}).save_to_disk(folder / "data")
    return Small(*(str(folder / name) for name in Small._fields))
