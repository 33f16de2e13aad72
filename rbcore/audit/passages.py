"""Passages that texts have in common word for word: templates within an input, quotations between two.

    sought = Sought(split(held_out))
    record, passage = sought.found(split(synthetic))      # which record holds which passage

A passage is a run of :data:`RUN` words; a shorter text, from :data:`SHORTEST` words on, is a passage as a whole.
Runs are compared by hashes of 64 bits, so that two different ones among a hundred million are taken for one with a
probability below one in a thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from rbcore.audit.copies import Words, within

RUN = 13  # words of a passage, as evaluation harnesses count them
SHORTEST = 8  # words of a text that is sought as a whole
AT_ONCE = 4_000_000  # words that are hashed at once
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
FILTER = 24  # bits of a hash that a first look takes

SPAN = 20  # words of a template, at least
SAMPLED = 2_000  # records that tell an input's templates
HELD, HOLDERS = 0.02, 10  # a template is held by so large a share of them, and by so many
STEADY = 1.5  # factor by which the number of holders may change from word to word within a template
RESEMBLES = 0.55  # Jaccard similarity of the rests of records that are near-copies, not fillings of a template
LEFT = 8  # words that a record must have besides its templates


def runs(texts: Words, length: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All runs of `length` words, some records at a time: the record and the hash of each, in order."""
    codes = np.fromiter(map(hash, texts.vocabulary), np.int64, len(texts.vocabulary)).view(np.uint64)
    ends = np.cumsum(texts.sizes)
    first = 0
    while first < ends.size:
        begin = int(ends[first] - texts.sizes[first])
        last = max(first + 1, int(np.searchsorted(ends, begin + AT_ONCE, side="right")))
        words = codes[texts.numbers[begin : ends[last - 1]]]
        count = np.maximum(texts.sizes[first:last] - length + 1, 0)
        record = np.repeat(np.arange(first, last), count)
        start = _places(texts.sizes[first:last], length)
        total = max(words.size - length + 1, 0)
        hashed = np.zeros(total, dtype=np.uint64)
        for k in range(length):
            hashed *= MULTIPLIER
            hashed += words[k : k + total]
        yield record, hashed[start]
        first = last


class Sought:
    """The passages of some texts, to be found in others.

    Attributes:
        words: the texts.  texts: how many there are.
        passages: (texts,) of how many passages each consists, 0 if it is too short.
        text: of each passage the first text that holds it.  start, length: where it begins, and how long it is.
    """

    def __init__(self, words: Words):
        self.words, self.texts = words, words.sizes.size
        self.passages = np.zeros(self.texts, dtype=np.int64)
        none = np.zeros(0, dtype=np.int64)
        text, start, size = [none], [none], [none]
        self._lists: list[tuple[int, int, _Kinds]] = []
        for length in range(SHORTEST, RUN + 1):
            whole = length < RUN
            if not (words.sizes == length if whole else words.sizes >= length).any():
                continue
            record, hashed = _all_runs(words, length)
            place = _places(words.sizes, length)
            if whole:
                kept = words.sizes[record] == length
                record, hashed, place = record[kept], hashed[kept], place[kept]
            self.passages += np.bincount(record, minlength=self.texts)
            kinds, first = np.unique(hashed, return_index=True)
            self._lists.append((length, sum(map(len, text)), _Kinds(kinds)))
            text.append(record[first])
            start.append(place[first])
            size.append(np.full(kinds.size, length))
        self.text, self.start, self.length = (np.concatenate(one) for one in (text, start, size))

    def found(self, texts: Words) -> tuple[np.ndarray, np.ndarray]:
        """Which of `texts` holds which passage: two arrays of indices, each pair once."""
        total = max(self.text.size, 1)
        pairs = [np.zeros(0, dtype=np.int64)]
        for length, base, kinds in self._lists:
            for record, hashed in runs(texts, length):
                where, kind = kinds.find(hashed)
                pairs.append(np.unique(record[where] * np.int64(total) + base + kind))
        return np.divmod(np.concatenate(pairs), total)

    def fresh(self, often: np.ndarray) -> np.ndarray:
        """Which passages hold :data:`SHORTEST` words or more beyond the runs of so many that are held `often`.

        Args:
            often: (runs,) whether each run of :data:`SHORTEST` words of the texts is common, in order.
        """
        edges = np.zeros(self.words.numbers.size + 1, dtype=np.int64)
        start = _places(self.words.sizes, SHORTEST)[often]
        np.add.at(edges, start, 1)
        np.add.at(edges, start + SHORTEST, -1)
        new = np.concatenate([[0], np.cumsum(np.cumsum(edges[:-1]) == 0)])
        return new[self.start + self.length] - new[self.start] >= SHORTEST


def holders(words: Words, others: Words) -> tuple[np.ndarray, np.ndarray]:
    """Of each run of :data:`SHORTEST` words, in order, how many of the texts hold it, and how many others."""
    record, hashed = _all_runs(words, SHORTEST)
    kinds, member = np.unique(hashed, return_inverse=True)
    mine = np.unique(member * np.int64(max(words.sizes.size, 1)) + record) // max(words.sizes.size, 1)
    table, theirs = _Kinds(kinds), [np.zeros(0, dtype=np.int64)]
    for record, hashed in runs(others, SHORTEST):
        where, kind = table.find(hashed)
        total = np.int64(max(others.sizes.size, 1))
        theirs.append(np.unique(kind * total + record[where]) // total)
    counts = [np.bincount(one, minlength=kinds.size)[member] for one in (mine, np.concatenate(theirs))]
    return counts[0], counts[1]


class _Kinds:
    """Different hashes, sorted, to be looked up fast."""

    def __init__(self, hashes: np.ndarray):
        self.hashes, self.seen = hashes, np.zeros(1 << FILTER, dtype=bool)
        self.seen[hashes >> np.uint64(64 - FILTER)] = True

    def find(self, hashed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where `hashed` is one of these, and which one."""
        maybe = np.flatnonzero(self.seen[hashed >> np.uint64(64 - FILTER)])
        at = np.searchsorted(self.hashes, hashed[maybe])
        at = np.minimum(at, max(self.hashes.size - 1, 0))
        hit = self.hashes[at] == hashed[maybe] if self.hashes.size else np.zeros(0, dtype=bool)
        return maybe[hit], at[hit]


def _all_runs(words: Words, length: int) -> tuple[np.ndarray, np.ndarray]:
    """:func:`runs` of all texts at once."""
    parts = [(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64)), *runs(words, length)]
    return np.concatenate([one for one, _ in parts]), np.concatenate([one for _, one in parts])


def _places(sizes: np.ndarray, length: int) -> np.ndarray:
    """Where each run begins, counted in words from the first text on."""
    count = np.maximum(sizes - length + 1, 0)
    ends = np.cumsum(count)
    return np.arange(count.sum()) + np.repeat(np.cumsum(sizes) - sizes - ends + count, count)


def templates(texts: Words) -> list[tuple[str, ...]]:
    """Passages of :data:`SPAN` words or more that many of the records have in common as a whole.

    Near-copies with edits here and there share pieces, but no passage as a whole: they have no template.
    """
    n = texts.sizes.size
    rows = np.unique(np.linspace(0, n - 1, min(n, SAMPLED)).astype(int)) if n else np.zeros(0, dtype=int)
    need = max(HOLDERS, int(np.ceil(HELD * rows.size)))
    start = (np.cumsum(texts.sizes) - texts.sizes)[rows]
    sizes = texts.sizes[rows]
    if (sizes >= SPAN).sum() < need:
        return []
    numbers = np.concatenate([texts.numbers[a : a + k] for a, k in zip(start, sizes, strict=True)])
    some = Words(numbers, sizes, texts.vocabulary)
    record, hashed = _all_runs(some, SPAN)
    kinds, member = np.unique(hashed, return_inverse=True)
    pairs = np.unique(member * np.int64(rows.size) + record)
    held = np.bincount(pairs // rows.size, minlength=kinds.size)[member]
    common = held >= need
    if not common.any():
        return []
    where = np.flatnonzero(common)
    many, place, of = held[where], _places(sizes, SPAN)[where], record[where]
    ratio = many[1:] / many[:-1]
    broken = (np.diff(place) != 1) | (np.diff(of) != 0) | (ratio > STEADY) | (ratio < 1 / STEADY)
    cuts = [0, *(np.flatnonzero(broken) + 1).tolist(), where.size]
    whole: Counter[bytes] = Counter()
    most: dict[bytes, int] = {}
    seen: set[tuple[int, bytes]] = set()
    for a, b in zip(cuts[:-1], cuts[1:], strict=True):
        passage = numbers[place[a] : place[b - 1] + SPAN].tobytes()
        if (int(of[a]), passage) not in seen:
            seen.add((int(of[a]), passage))
            whole[passage] += 1
            most[passage] = int(many[a])
    found = [one for one, k in whole.items() if k >= need and 2 * k >= most[one]]
    told = [tuple(texts.vocabulary[i] for i in np.frombuffer(one, dtype=numbers.dtype)) for one in found]
    return [one for one in told if not _crowded(some, one, told)]


def _crowded(texts: Words, passage: tuple[str, ...], passages: Sequence[tuple[str, ...]]) -> bool:
    """Whether most records that hold the passage resemble one another in the rest, too: it is no template then.

    They do when their rests are near-copies, or when most words besides all the `passages` are words of most of
    them.
    """
    owner = np.repeat(np.arange(texts.sizes.size), texts.sizes)
    apart = [set_apart(texts, one).apart for one in ([passage], passages)]
    if apart[0] is None or apart[1] is None:
        return True
    owning = np.unique(owner[apart[0]])
    kept = np.isin(owner, owning) & ~apart[0]
    sizes = np.bincount(owner[kept], minlength=texts.sizes.size)[owning]
    rest = within(Words(texts.numbers[kept], sizes, texts.vocabulary), threshold=RESEMBLES)
    besides = np.isin(owner, owning) & ~apart[1]
    words = texts.numbers[besides]
    held = np.unique(owner[besides] * np.int64(len(texts.vocabulary)) + words) % len(texts.vocabulary)
    usual = 2 * np.bincount(held, minlength=len(texts.vocabulary))[words] > owning.size
    return bool(2 * (rest.of >= 0).sum() > owning.size or 2 * usual.sum() > usual.size)


def set_apart(texts: Words, passages: Sequence[tuple[str, ...]]) -> Words:
    """The texts with `passages` marked, in records that say something besides; see :class:`Words`."""
    number = {word: i for i, word in enumerate(texts.vocabulary)}
    apart = np.zeros(texts.numbers.size, dtype=bool)
    owner = np.repeat(np.arange(texts.sizes.size), texts.sizes)
    for passage in passages:
        if not all(word in number for word in passage):
            continue
        wanted = [number[word] for word in passage]
        at = np.flatnonzero(texts.numbers[: texts.numbers.size - len(wanted) + 1] == wanted[0])
        for k, one in enumerate(wanted[1:], start=1):
            at = at[texts.numbers[at + k] == one]
        at = at[owner[at] == owner[at + len(wanted) - 1]]
        for k in range(len(wanted)):
            apart[at + k] = True
    left = texts.sizes - np.bincount(owner[apart], minlength=texts.sizes.size)
    apart &= (left >= LEFT)[owner]
    return texts._replace(apart=apart if apart.any() else None)
