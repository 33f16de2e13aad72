"""What the checks of an audit look at: copies named, surprise scored, anchors split once for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.random import Generator
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from rbcore.audit.copies import Copies, Words
from rbcore.audit.copies import split as in_words
from rbcore.audit.features import ORDER
from rbcore.audit.read.records import Records
from rbcore.audit.segment import spaced
from rbcore.estimate.ngram import Ngram

NEIGHBOURS = 5  # of the surprise of vectors


@dataclass(frozen=True)
class Prepared:
    """The data of an audit as the checks see them.

    Attributes:
        records: the inputs by name: ANCHOR, SYNTH, and RAW and HELDOUT where they were given.
        points: their embedding, each of shape (n, d).
        families: for each input a number for each record, the same for near-copies of one another.
        copies: near-copies between two inputs, by the pair of their names: of each record of the first one in the
            second.
        fitted, fresh: indices of the anchors that surprise was fitted on, and of the others.
        surprise: of each record, under the fitted anchors: nats per token (texts), or the logarithm of the
            distance to the k-th nearest fitted anchor (vectors).
        foreseen, looks: of texts, see :mod:`rbcore.audit.features`; empty for vectors.
    """

    records: Mapping[str, Records]
    points: Mapping[str, np.ndarray]
    families: Mapping[str, np.ndarray]
    copies: Mapping[tuple[str, str], Copies]
    fitted: np.ndarray
    fresh: np.ndarray
    surprise: Mapping[str, np.ndarray]
    foreseen: Mapping[str, np.ndarray] = field(default_factory=dict)
    looks: Mapping[str, np.ndarray] = field(default_factory=dict)

    def seen(self, name: str) -> np.ndarray:
        """All that is known of each record as numbers: its point, how it looks, and how it is foreseen."""
        more = [about[name] for about in (self.looks, self.foreseen) if name in about]
        if not more:
            return self.points[name].astype(float)
        usual = np.column_stack([about["ANCHOR"] for about in (self.looks, self.foreseen)])
        scale = np.maximum(usual.std(axis=0), 1e-9)
        scaled = np.clip((np.column_stack(more) - usual.mean(axis=0)) / scale, -5, 5)
        points = self.points[name] / max(float(self.points["ANCHOR"].std()), 1e-9)
        return np.column_stack([points, scaled])

    @cached_property
    def _words(self) -> dict[str, Words]:
        return {}

    def words(self, name: str) -> Words:
        """The words of the texts of an input, which are split once."""
        if name not in self._words:
            self._words[name] = in_words(self.records[name].texts or ())
        return self._words[name]

    def copied(self, name: str, other: str) -> np.ndarray:
        """Which records of `name` nearly copy a record of `other`."""
        return self.copies[name, other].of >= 0

    def origin(self, name: str, other: str) -> np.ndarray:
        """Which records of `name` a record of `other` nearly copies."""
        return np.isin(np.arange(len(self.records[name])), self.copies[other, name].of)

    def repeated(self, name: str) -> np.ndarray:
        """Which records nearly repeat an earlier record of the same input."""
        _, first = np.unique(self.families[name], return_index=True)
        repeats = np.ones(len(self.families[name]), dtype=bool)
        repeats[first] = False
        return repeats

    def twins(self, name: str) -> np.ndarray:
        """Which records have a near-copy in the same input."""
        _, member, sizes = np.unique(self.families[name], return_inverse=True, return_counts=True)
        return sizes[member] > 1

    def fresh_surprise(self, calm: float = np.inf) -> np.ndarray:
        """The surprise of records of the task that it was not fitted on, up to `calm`; sorted.

        Anchors of the other half, and held-out records; of each family of near-copies one.
        """
        chosen = np.zeros(len(self.records["ANCHOR"]), dtype=bool)
        chosen[self.fresh] = True
        parts = [self.surprise["ANCHOR"][chosen & ~self.repeated("ANCHOR")]]
        if "HELDOUT" in self.records:
            new = ~self.origin("HELDOUT", "ANCHOR") & ~self.repeated("HELDOUT")
            parts.append(self.surprise["HELDOUT"][new])
        scores = np.sort(np.concatenate(parts))
        return scores[scores <= calm]

    def own(self, name: str) -> np.ndarray:
        """Records that are no near-copies: one of each family, none that copies an anchor or a held-out record."""
        kept = ~self.repeated(name)
        for other in ("ANCHOR", "HELDOUT"):
            if other != name and (name, other) in self.copies:
                kept &= ~self.copied(name, other)
        return kept


def some(rows: np.ndarray, most: int, rng: Generator) -> np.ndarray:
    """At most so many of the rows, drawn uniformly, in order."""
    return rows if len(rows) <= most else rows[np.sort(rng.choice(len(rows), size=most, replace=False))]


def families(of: np.ndarray) -> np.ndarray:
    """A number for each record, the same for records that chains of near-copies connect.

    Args:
        of: (n,) of each record one that it nearly copies, -1 for none.
    """
    n = len(of)
    hit = np.flatnonzero(of >= 0)
    graph = coo_array((np.ones(hit.size), (hit, of[hit])), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def split(n: int, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of the anchors, as sorted indices."""
    order = rng.permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def surprise(
    records: Mapping[str, Records], points: Mapping[str, np.ndarray], fitted: np.ndarray
) -> dict[str, np.ndarray]:
    """How surprising each record is to who knows the fitted anchors only; see :class:`Prepared`."""
    texts = {name: one.texts for name, one in records.items() if one.texts is not None}
    if texts:
        split = {name: [spaced(text) for text in one] for name, one in texts.items()}
        known = Ngram.fit([split["ANCHOR"][i] for i in fitted], ORDER)
        return {name: known.losses_per_token(one) for name, one in split.items()}
    tree = KDTree(points["ANCHOR"][fitted])
    k = min(NEIGHBOURS, len(fitted))
    scores = {}
    for name, x in points.items():
        far = tree.query(x, k=[k])[0][:, 0]
        scores[name] = np.log(np.maximum(far, np.finfo(float).tiny))
        if name == "ANCHOR":  # a fitted anchor is its own nearest neighbour
            scores[name][fitted] = np.nan
    return scores
