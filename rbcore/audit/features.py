"""What a text looks like without its meaning: length, signs, spelling, and how well a small model foresees it.

The embedding sees which words a record has.  These numbers see the rest, so that a rule that tells synthetic
records from real ones may use both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rbcore.audit.segment import spaced
from rbcore.estimate.ngram import Ngram

ORDER = 3  # words that the model of the context sees, with the one that it foresees


def looks(texts: Sequence[str]) -> np.ndarray:
    """Of each text: logarithms of its numbers of characters, words and lines, mean length of its words, and its
    shares of capitals, digits, signs, white space, letters beyond ASCII, and different words; shape (n, 10)."""
    rows = np.zeros((len(texts), 10))
    for i, text in enumerate(texts):
        words = text.split()
        size = max(len(text), 1)
        letters = sum(map(str.isalpha, text))
        digits, white = sum(map(str.isdigit, text)), sum(map(str.isspace, text))
        rows[i] = (
            np.log1p(len(text)),
            np.log1p(len(words)),
            np.log1p(text.count("\n")),
            (size - white) / max(len(words), 1),
            sum(map(str.isupper, text)) / size,
            digits / size,
            (size - letters - digits - white) / size,
            white / size,
            sum(not c.isascii() for c in text) / size,
            len(set(words)) / max(len(words), 1),
        )
    return rows


def foreseen(
    texts: Mapping[str, Sequence[str]], surprise: Mapping[str, np.ndarray], fitted: np.ndarray, fresh: np.ndarray
) -> dict[str, np.ndarray]:
    """How a model of one half of the anchors foresees each record, by :data:`ORDER` words and by single ones.

    Each half of the anchors teaches two models, which score the other half; of the other inputs one half's models
    score the records with even indices and the other's the rest.  So no record is scored by a model that has read
    it, and anchors and other records are scored alike.

    Args:
        texts: by input, ``"ANCHOR"`` among them.
        surprise: of each record, nats per token, under the model of order :data:`ORDER` of the fitted half.
        fitted, fresh: indices of the two halves of the anchors.

    Returns:
        of each input shape (n, 2), nats per token: the loss, and by how much the words before a word lower it.
    """
    split = {name: [spaced(text) for text in one] for name, one in texts.items()}
    scores = {name: np.zeros((len(one), 2)) for name, one in split.items()}
    for turn, half in enumerate((fitted, fresh)):
        known = [split["ANCHOR"][i] for i in half]
        single, context = Ngram.fit(known, 1), Ngram.fit(known, ORDER) if turn else None
        for name, one in split.items():
            rows = (fresh, fitted)[turn] if name == "ANCHOR" else np.arange(turn, len(one), 2)
            if not len(rows):
                continue
            some = [one[i] for i in rows]
            whole = surprise[name][rows] if context is None else context.losses_per_token(some)
            scores[name][rows] = np.column_stack([whole, single.losses_per_token(some) - whole])
    return scores
