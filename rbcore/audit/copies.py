"""Near-copies among records, exactly: every one is found, none is reported falsely, and memory stays bounded.

    within(texts).of                    # of each text an earlier one that it nearly repeats, or -1
    between(synthetic, anchors).of      # of each synthetic text an anchor that it nearly copies, or -1

A text is the set of its pairs of neighbouring words, with a mark before the first word and one after the last.
What a word is, :mod:`rbcore.audit.segment` says, for every script; pairs within a template do not count
(:mod:`rbcore.audit.passages`).  Two texts are near-copies when the Jaccard
similarity of their sets reaches a threshold.  At 0.8, one changed word is tolerated from 17 words on and one
appended word from 12 words on; shorter texts must agree word for word.

Candidates come from prefix filtering (Bayardo, Ma, Srikant 2007): with shingles ordered by rarity, two sets of
similarity `t` or more share one of the rarest ``|x| - ceil(t |x|) + 1`` of each.  Unlike MinHash with banding, it
misses no pair and draws no random numbers, and a template that all records share costs nothing, because only
what is rare in a record is looked up.  Bits that differ in two hashed sets bound how many shingles differ; the
few pairs that pass are compared exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.spatial import KDTree

from rbcore.audit.segment import words

Progress = Callable[[int, int], None]
"""Called with the work done and its total."""


def silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


THRESHOLD = 0.8  # Jaccard similarity of near-copies
CLOSENESS = 1e-3  # distance of near-copies over the usual distance to the nearest neighbour
ROUNDING = 1e-6  # in standard deviations per coordinate: closer neighbours say nothing about the usual distance
LOOKED_UP = 3_000_000_000  # pairs of sets compared by their bits, at most
AT_ONCE = 1_000_000  # of them in memory
ITEMS_AT_ONCE = 4_000_000  # shingles of the pairs that are compared exactly
FIRST_LOOK = 32  # members of a list that are looked at before a longer look is taken
BITS = 256  # of a hashed set


class Words(NamedTuple):
    """Texts that are split into words, for whoever compares them more than once; made by :func:`split`.

    Attributes:
        numbers: of the words, one text after another.
        sizes: (n,) how many words each text has.
        vocabulary: the word that each number stands for.
        apart: (words,) which of them belong to a template and are not compared; None for none.
    """

    numbers: np.ndarray
    sizes: np.ndarray
    vocabulary: list[str]
    apart: np.ndarray | None = None


Records = Sequence[str] | Words | np.ndarray


@dataclass(frozen=True)
class Copies:
    """What each of n records nearly copies.

    Attributes:
        of: (n,) index of a record that it nearly copies, -1 for none; the most similar one of those looked at.
        similarity: (n,) Jaccard similarity with it (texts), or one minus the distance over the usual distance to a
            nearest neighbour (vectors); 0 where none.
        complete: whether every pair at the threshold was looked at.  False only when more than
            :data:`LOOKED_UP` pairs share rare shingles; then there may be more near-copies than these.
    """

    of: np.ndarray
    similarity: np.ndarray
    complete: bool = True


def within(
    records: Records, threshold: float = THRESHOLD, closeness: float = CLOSENESS, progress: Progress = silent
) -> Copies:
    """Of each record an earlier one that it nearly repeats.

    Args:
        records: texts, whole or split, or vectors of shape (n, d).
        threshold: least Jaccard similarity of near-copies (texts), in (0.5, 1].
        closeness: largest distance of near-copies over the median distance to the nearest neighbour (vectors), in
            standardized coordinates.
        progress: called with the work done and its total.

    Raises:
        ValueError: for a threshold or closeness out of range, or records that are neither texts nor finite
            vectors.
    """
    return _search(records, None, threshold, closeness, progress)


def between(
    records: Records,
    others: Records,
    threshold: float = THRESHOLD,
    closeness: float = CLOSENESS,
    progress: Progress = silent,
) -> Copies:
    """Of each record one among `others` that it nearly copies; arguments as in :func:`within`.

    The usual distance of vectors is that among `others`; coordinates are standardized with both samples.

    Raises:
        ValueError: as :func:`within`, or when one side holds texts and the other one vectors.
    """
    return _search(records, others, threshold, closeness, progress)


def _search(
    records: Records, others: Records | None, threshold: float, closeness: float, progress: Progress
) -> Copies:
    if not 0.5 < threshold <= 1:
        raise ValueError(f"threshold: a Jaccard similarity in (0.5, 1], got {threshold}")
    if not 0 <= closeness < 1:
        raise ValueError(f"closeness: a share of the usual distance in [0, 1), got {closeness}")
    sides = [side for side in (records, others) if side is not None]
    vectors = [side for side in sides if isinstance(side, np.ndarray) and side.dtype.kind != "U"]
    if 0 < len(vectors) < len(sides):
        raise ValueError("records and others are both texts or both vectors, got one of each")
    if vectors:
        return _near(_points(vectors[0]), None if others is None else _points(vectors[1]), closeness, progress)
    sets, bounds = _Sets.of(*(side.tolist() if isinstance(side, np.ndarray) else side for side in sides))
    right = None if others is None else slice(bounds[0], bounds[1])
    return _join(sets, slice(0, bounds[0]), right, threshold, progress)


def split(texts: Sequence[str]) -> Words:
    """The texts' words.

    Raises:
        ValueError: for anything but a sequence of texts.
    """
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise ValueError("near-copies: a sequence of texts (str), or an array of shape (n, d), is needed")
    number: defaultdict[str, int] = defaultdict()
    number.default_factory = lambda: len(number)
    flat, sizes = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.int64)]
    for first in range(0, len(texts), 100):  # few enough for the processor's cache
        in_words = [words(text) for text in texts[first : first + 100]]
        flat.append(np.array([number[word] for one in in_words for word in one], dtype=np.int32))
        sizes.append(np.array([len(one) for one in in_words], dtype=np.int64))
    return Words(np.concatenate(flat), np.concatenate(sizes), list(number))


class _Sets(NamedTuple):
    """Sets of shingles, numbered from the rarest one on: row i holds ``items[start[i]:start[i + 1]]``, sorted."""

    start: np.ndarray
    items: np.ndarray

    @classmethod
    def of(cls, *collections: Sequence[str] | Words) -> tuple[_Sets, list[int]]:
        """The sets of all texts in one numbering; and where each collection ends."""
        number: defaultdict[str, int] = defaultdict()
        number.default_factory = lambda: len(number) + 1  # 0 is the mark before and after a text
        parts = [one if isinstance(one, Words) else split(one) for one in collections]
        ends = [int(n) for n in np.cumsum([one.sizes.size for one in parts])]
        keys, kept = [], []
        for one in parts:
            flat = np.zeros(1 + one.numbers.size + one.sizes.size, dtype=np.int64)
            filled = np.ones(flat.size, dtype=bool)
            filled[0] = filled[np.cumsum(one.sizes + 1)] = False
            flat[filled] = np.array([0, *(number[word] for word in one.vocabulary)])[one.numbers + 1]
            keys.append(flat[:-1] << 32 | flat[1:])
            kept.append(filled)
        size = np.concatenate([one.sizes + 1 for one in parts])
        if not size.size:
            return cls(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64)), ends
        code, kinds = pd.factorize(np.concatenate(keys))
        del keys
        count = np.int64(len(kinds))
        both = np.repeat(np.arange(size.size), size) * count + code
        if any(one.apart is not None for one in parts):
            both = both[np.concatenate([_compared(*one) for one in zip(parts, kept, strict=True)])]
        both.sort()
        both = both[np.append(True, both[1:] > both[:-1])]
        row, code = np.divmod(both, count)
        rank = np.empty(count, dtype=np.int32)
        rank[np.argsort(np.bincount(code, minlength=count), kind="stable")] = np.arange(count)
        both = np.sort(row * count + rank[code])
        start = np.searchsorted(both, np.arange(size.size + 1) * count)
        return cls(start, both % count), ends

    def first_equal(self, rows: slice) -> np.ndarray:
        """For each of the rows the first of them that holds the same set."""
        seen: dict[bytes, int] = {}
        data, ends = self.items.tobytes(), self.start * self.items.itemsize
        return np.array(
            [seen.setdefault(data[ends[i] : ends[i + 1]], i) for i in range(rows.start, rows.stop)], dtype=np.int64
        )

    def prefixes(self, rows: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The rarest shingles of each row: positions in `rows`, places within the row, shingles."""
        size = self.start[rows + 1] - self.start[rows]
        count = size - _ceil(threshold * size) + 1
        owner = np.repeat(np.arange(rows.size), count)
        place = np.arange(owner.size) - np.repeat(np.cumsum(count) - count, count)
        return owner, place, self.items[self.start[rows][owner] + place]

    def matrix(self) -> csr_array:
        """The sets as rows of zeros and ones."""
        ones = np.ones(self.items.size, dtype=np.int32)
        return csr_array((ones, self.items, self.start), shape=(self.start.size - 1, int(self.items.max()) + 1))

    def bits(self) -> np.ndarray:
        """(rows, BITS / 64): bit b is set when an odd number of the shingles has the hash b."""
        hashed = (self.items.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56)
        signatures = np.zeros((self.start.size - 1, BITS // 64), dtype=np.uint64)
        for j in range(BITS // 64):
            mine = hashed >> np.uint64(6) == j
            masks = np.where(mine, np.uint64(1) << (hashed & np.uint64(63)), np.uint64(0))
            signatures[:, j] = np.bitwise_xor.reduceat(masks, self.start[:-1])
        return signatures


def _compared(texts: Words, filled: np.ndarray) -> np.ndarray:
    """Which pairs of neighbouring words do not lie within a template; `filled`: which neighbours are words."""
    if texts.apart is None:
        return np.ones(filled.size - 1, dtype=bool)
    word = np.zeros(filled.size, dtype=bool)
    word[filled] = texts.apart
    apart = word | ~filled  # a mark before or after a template belongs to it
    return ~(apart[:-1] & apart[1:] & (word[:-1] | word[1:]))


def _ceil(x: np.ndarray) -> np.ndarray:
    """The next integer, where rounding does not lift a whole number to the next one."""
    return np.ceil(x - 1e-9).astype(np.int64)


def _join(sets: _Sets, left: slice, right: slice | None, threshold: float, progress: Progress) -> Copies:
    """Of each left row a right one (or an earlier left one) of similarity `threshold` or more."""
    n = left.stop
    if n == 0 or (right is not None and right.start == right.stop):
        return Copies(np.full(n, -1), np.zeros(n))
    first = sets.first_equal(left)
    queries = np.unique(first)
    targets = queries if right is None else np.unique(sets.first_equal(right))
    nearest, jaccard, complete = _matches(sets, queries, targets, right is None, threshold, progress)
    of, similarity = np.full(n, -1, dtype=np.int64), np.zeros(n)
    of[queries], similarity[queries] = nearest, jaccard
    if right is None:
        again = first != np.arange(n)
        of[again], similarity[again] = first[again], 1.0
    else:
        of, similarity = of[first], similarity[first]
        of[of >= 0] -= right.start
    return Copies(of, similarity, complete)


def _matches(
    sets: _Sets,
    queries: np.ndarray,
    targets: np.ndarray,
    earlier: bool,
    threshold: float,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray, bool]:
    """For each row of `queries` a row of `targets`, or -1; the similarity; whether all pairs were looked at.

    The lists of the rarest shingles are looked at a piece at a time; a query that has found a near-copy is done,
    so that many near-copies of one record do not cost the square of their number.
    """
    size = np.diff(sets.start).astype(np.int32)
    member, place, token = sets.prefixes(targets, threshold)
    key = token * np.int64(size.max() + 1) + size[targets[member]]
    order = np.argsort(key, kind="stable")
    key, listed = key[order], targets[member[order]]
    listed_left = size[listed] - place[order].astype(np.int32)  # shingles from this one on
    owner, place, token = sets.prefixes(queries, threshold)
    asking = queries[owner]
    sizes, base = size[asking], token * np.int64(size.max() + 1)
    left = sizes - place.astype(np.int32)
    low = np.searchsorted(key, base + _ceil(threshold * sizes))
    largest = np.minimum(np.floor(sizes / threshold + 1e-9).astype(np.int64), size.max())
    length = np.searchsorted(key, base + largest, side="right") - low
    total, matrix, (some, rest) = int(length.sum()), sets.matrix(), np.split(sets.bits(), [1], axis=1)
    some = some[:, 0].copy()
    need = _ceil(threshold / (1 + threshold) * np.arange(2 * size.max() + 1)).astype(np.int32)  # shared, at least
    best, similarity = np.full(queries.size, -1, dtype=np.int64), np.zeros(queries.size)
    look, step, spent, complete = 0, FIRST_LOOK, 0, True
    while (open_ := np.flatnonzero((length > look) & (best[owner] < 0))).size:
        done = total - int((length[open_] - look).sum())
        count = np.minimum(length[open_] - look, step)
        ends = np.cumsum(count)
        spent += int(ends[-1])
        if spent > LOOKED_UP:
            complete = False
            break
        for a, b in _pieces(ends, AT_ONCE):
            entry = np.repeat(open_[a:b], count[a:b])
            within_list = np.arange(entry.size) - np.repeat(
                ends[a:b] - count[a:b] - (ends[a] - count[a]), count[a:b]
            )
            at = low[entry] + look + within_list
            x, y = asking[entry], listed[at]
            both = size[x] + size[y]
            least = need[both]
            kept = np.minimum(left[entry], listed_left[at]) >= least
            kept &= np.bitwise_count(some[x] ^ some[y]) <= both - 2 * least
            if earlier:
                kept &= x > y
            entry, x, y, allowed = entry[kept], x[kept], y[kept], (both - 2 * least)[kept]
            kept = np.bitwise_count(some[x] ^ some[y]) + np.bitwise_count(rest[x] ^ rest[y]).sum(axis=1) <= allowed
            pairs = np.unique(owner[entry[kept]] * np.int64(size.size) + y[kept])
            _compare(matrix, queries, *np.divmod(pairs, size.size), threshold, best, similarity)
            done += int(count[a:b].sum())
            progress(done, total)
        look, step = look + step, 4 * step
    progress(total, total)
    return best, similarity, complete


def _pieces(ends: np.ndarray, most: int) -> list[tuple[int, int]]:
    """Ranges of entries whose work, of which `ends` is the running sum, is about `most` each."""
    if not ends.size:
        return []
    cuts = np.unique(np.searchsorted(ends, np.arange(most, ends[-1], most)))
    cuts = [0, *cuts[(cuts > 0) & (cuts < ends.size)].tolist(), ends.size]
    return list(zip(cuts[:-1], cuts[1:], strict=True))


def _compare(
    matrix: csr_array,
    queries: np.ndarray,
    query: np.ndarray,
    target: np.ndarray,
    threshold: float,
    best: np.ndarray,
    similarity: np.ndarray,
) -> None:
    """Compare pairs exactly; enter the most similar target of each query into `best`, and how similar it is.

    The first of equally similar ones wins.
    """
    size = np.diff(matrix.indptr).astype(np.int64)
    ends = np.cumsum(size[queries[query]] + size[target])
    for a, b in _pieces(ends, ITEMS_AT_ONCE):
        q, y = query[a:b], target[a:b]
        x = queries[q]
        shared = (matrix[x] * matrix[y]).sum(axis=1)
        jaccard = shared / (size[x] + size[y] - shared)
        order = np.lexsort((y, -jaccard, q))
        q, y, jaccard = q[order], y[order], jaccard[order]
        lead = np.diff(q, prepend=-1) > 0
        better = lead & (jaccard >= threshold) & (jaccard > similarity[q])
        best[q[better]], similarity[q[better]] = y[better], jaccard[better]


def _points(x: np.ndarray) -> np.ndarray:
    points = np.asarray(x, dtype=float)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ValueError(f"vectors: a finite array of shape (n, d) is needed, got shape {points.shape}")
    return points


def _near(records: np.ndarray, others: np.ndarray | None, closeness: float, progress: Progress) -> Copies:
    """Of each record the nearest one among `others` (or the nearest earlier one), when it is close enough."""
    n, earlier = len(records), others is None
    if others is not None and records.shape[1] != others.shape[1]:
        raise ValueError(f"vectors of one dimension are needed, got {records.shape[1]} and {others.shape[1]}")
    pooled = records if others is None else np.concatenate([records, others])
    if n == 0 or len(pooled) == n and not earlier:
        return Copies(np.full(n, -1), np.zeros(n))
    spread = pooled.std(axis=0)
    pooled = (pooled - pooled.mean(axis=0)) / np.where(spread > 0, spread, 1.0) + 0.0
    x = pooled[:n]
    distinct, first, member = np.unique(
        x if earlier else pooled[n:], axis=0, return_index=True, return_inverse=True
    )
    tree, usual = KDTree(distinct, leafsize=16), 1.0
    usual = usual_distance(tree)
    radius = max(np.nextafter(closeness * usual, np.inf), 1e-150)  # the tree wants a distance below it, squared
    of, similarity = np.full(n, -1, dtype=np.int64), np.zeros(n)
    again = first[member] != np.arange(n) if earlier else np.zeros(n, dtype=bool)
    if earlier:
        of[again], similarity[again] = first[member][again], 1.0
    # An earlier record may stand behind many later ones: ask those that are not answered for more neighbours.
    asked, k = np.flatnonzero(~again), min(2, len(distinct)) if earlier else 1
    while asked.size:
        left = []
        block = max(1, AT_ONCE // k)
        for a in range(0, asked.size, block):
            rows = asked[a : a + block]
            far, near = tree.query(x[rows], k=np.arange(1, k + 1), distance_upper_bound=radius)
            hit = np.isfinite(far)
            target = np.where(hit, np.append(first, n)[near], n)
            good = hit & (target < rows[:, None]) if earlier else hit
            column = good.argmax(axis=1)
            some = good.any(axis=1)
            chosen = np.arange(rows.size), column
            of[rows[some]] = target[chosen][some]
            similarity[rows[some]] = 1 - (far[chosen][some] / usual if usual > 0 else 0.0)
            left.append(rows[~some & hit.all(axis=1)] if k < len(distinct) else rows[:0])
            progress(min(n, n - asked.size + a + rows.size), n)
        asked, k = np.concatenate(left), min(8 * k, len(distinct))
    progress(n, n)
    return Copies(of, similarity)


def usual_distance(tree: KDTree, most: int = 512) -> float:
    """The median distance to the nearest neighbour, over `most` points that are spread evenly over the tree's.

    Neighbours closer than rounding are left out, unless there are no others.  0 for a single point.
    """
    if tree.n < 2:
        return 0.0
    some = np.unique(np.linspace(0, tree.n - 1, min(most, tree.n)).astype(int))
    far = tree.query(tree.data[some], k=[2])[0][:, 0]
    real = far[far > ROUNDING * np.sqrt(tree.m)]
    return float(np.median(real if real.size else far))
