"""A small generative student of texts: an interpolated n-gram model whose event space no training data changes.

    student = Ngram.fit(["the cat sat .", "the dog sat ."])
    student.losses(["the cat ran ."])        # nats per text

A text is the sequence of its words and signs (``\\w+|[^\\w\\s]``), lower-cased, and an end.  White space and
capitals are not modelled.  The law of the next token after a context is Witten-Bell's interpolation
(Bell, Cleary, Witten 1990)

    P(w | context) = (c(context, w) + T(context) P(w | shorter context)) / (c(context) + T(context)),

with `T` the number of kinds of tokens seen after the context.  The chain ends in a law of spellings: a token is
the end with probability :data:`END`, or a string of bytes drawn from a byte bigram model, itself interpolated
down to the uniform law, that was fitted to the words of the training texts, each once.  So every text has a
positive probability, the probabilities of all byte strings and the end sum to one after every context, and the
losses of students of different data can be compared.

With labels the model is joint: a label is drawn first, then the text.  The chain after the words `u v` under
label `y` is then (y, u, v), (y, v), (y), (), spelling; labels are spelled when they are new, too.

Weights count as repetitions: a text of weight two is a text seen twice.  A kind whose weighted count is below
one adds that count to `T`, not one, and `T` is at least one, so that a vanishing weight has a vanishing effect.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

TOKEN = re.compile(r"\w+|[^\w\s]")
END = 0.05  # share of the end among the tokens of the last law of the chain; the same for every student
STOP, START = 256, 256  # a spelling's last symbol; the context of its first one
UNKNOWN = -1


def tokenize(text: str) -> list[str]:
    """The tokens of a text, without the end."""
    return TOKEN.findall(text.lower())


class Spelling:
    """A law on non-empty byte strings: a byte bigram model with a stop symbol, fitted to kinds of words.

    Each kind counts as `weights` says, one at most and by default.

    `log_probs` has shape (257, 257): rows are the byte before, or 256 at the beginning; columns the next byte,
    or 256 for the stop, which cannot come first.
    """

    def __init__(self, kinds: Sequence[str], weights: np.ndarray | None = None):
        before, after, owner = _byte_pairs(kinds)
        weight = 1.0 if weights is None else np.minimum(weights, 1.0)[owner]
        counts = np.zeros((257, 257))
        np.add.at(counts, (before, after), weight)
        uniform = np.full(257, 1 / 257)
        unigram = _interpolate(counts.sum(axis=0)[None], uniform)
        probs = _interpolate(counts, unigram)
        first = np.append(np.full(256, 1 / 256), 0.0)
        probs[START] = _interpolate(counts[START][None], first)[0]
        with np.errstate(divide="ignore"):
            self.log_probs = np.log(probs)

    def log_prob(self, strings: Sequence[str]) -> np.ndarray:
        """ln P of each string, shape (n,); ``-inf`` for the empty one, which is no token."""
        before, after, owner = _byte_pairs(strings)
        return np.bincount(owner, self.log_probs[before, after], minlength=len(strings))


def _interpolate(counts: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Rows of Witten-Bell laws over the columns of `counts`."""
    kinds = _kinds(np.minimum(counts, 1.0).sum(axis=1, keepdims=True))
    return (counts + kinds * lower) / (counts.sum(axis=1, keepdims=True) + kinds)


def _kinds(novel: np.ndarray) -> np.ndarray:
    """T of the interpolation, from the sum of all counts of which each is cut at one."""
    return np.maximum(novel, 1.0)


def _byte_pairs(strings: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bytes with what follows them, over all strings, and the index of the string."""
    coded = [one.encode("utf-8", "surrogatepass") for one in strings]
    sizes = np.array([len(one) + 1 for one in coded], dtype=np.int64)
    ends = np.cumsum(sizes)
    after = np.full(int(sizes.sum()), STOP, dtype=np.int64)
    inner = np.ones(after.size, dtype=bool)
    inner[ends - 1] = False
    after[inner] = np.frombuffer(b"".join(coded), dtype=np.uint8)
    before = np.roll(after, 1)
    before[ends - sizes] = START
    return before, after, np.repeat(np.arange(sizes.size), sizes)


@dataclass(frozen=True)
class _Level:
    """One step of the chain: contexts of one kind, the tokens seen after them, and their interpolated laws.

    Attributes:
        contexts: keys of the contexts; the position of one is its number.
        grams: context number * (vocabulary + 1) + token, of all that were seen.
        log_probs: of each gram: ln P(token | context).
        log_backoff: of each context: ln of the weight of the law one step below.
        best, best_log_prob: of each context: the most likely token of the vocabulary, and ln of its probability.
    """

    contexts: pd.Index
    grams: pd.Index
    log_probs: np.ndarray
    log_backoff: np.ndarray
    best: np.ndarray
    best_log_prob: np.ndarray


@dataclass(frozen=True)
class _Stream:
    """The events of all texts in a row: token, text, place in it, label (0 for none), ln P of the spelling."""

    ids: np.ndarray
    text: np.ndarray
    place: np.ndarray
    label: np.ndarray
    spelled: np.ndarray

    def before(self, distance: int) -> np.ndarray:
        """The token `distance` places earlier; -2 where the text has not begun."""
        return np.where(self.place >= distance, np.roll(self.ids, distance), -2)


class Ngram:
    """A fitted model, made by :meth:`fit`.

    Attributes:
        order: tokens that an n-gram holds.  labelled: whether the model is joint in label and text.
        vocabulary: the tokens of the training texts, sorted.
        spelling: the last law of the chain, without the end.
    """

    order: int
    labelled: bool
    vocabulary: list[str]
    spelling: Spelling
    _number: dict[str, int]  # of each word of the vocabulary
    _label_number: dict[str, int]
    _base: int  # of the numbers that stand for contexts
    _levels: list[_Level]

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        order: int = 3,
        weights: ArrayLike | None = None,
        labels: Sequence[Hashable] | None = None,
    ) -> Ngram:
        """The model of `texts`, each with a weight (one by default), and a label if `labels` are given.

        Raises:
            ValueError: for no texts, an order below one, weights that are negative or all zero, other lengths,
                or a vocabulary too large for the order.
        """
        if not len(texts) or order < 1:
            raise ValueError(
                f"an n-gram model needs a text and an order of at least 1, got {len(texts)} and {order}"
            )
        weight = np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=float)
        if (
            weight.shape != (len(texts),)
            or not np.isfinite(weight).all()
            or (weight < 0).any()
            or not weight.any()
        ):
            raise ValueError("weights: one finite number for each text, none negative, not all zero")
        _same_length(texts, labels)
        kept = np.flatnonzero(weight > 0)
        weight, names = weight[kept], None if labels is None else [_name(labels[i]) for i in kept]
        split = [tokenize(texts[i]) for i in kept]
        model = cls()
        model.order, model.labelled = order, names is not None
        model.vocabulary = sorted(set(itertools.chain.from_iterable(split)))
        model._number = {word: i for i, word in enumerate(model.vocabulary)}
        model._label_number = {name: i for i, name in enumerate(sorted(set(names or ())))}
        model._base = len(model.vocabulary) + 3  # unknown, before the text, the end
        if max(1, len(model._label_number)) * model._base ** (order - 1) >= 2**63:
            raise ValueError(f"{len(model.vocabulary):,} words are too many for the order {order}: lower it")
        model._spell(split, names, weight)
        stream = model._stream(split, names)
        model._levels = []
        log_prob, best = stream.spelled, np.full(stream.ids.size, UNKNOWN)
        best_log_prob = np.full(stream.ids.size, -np.inf)
        for kind in model._chain():
            keys = model._keys(kind, stream)
            level, context, gram = _level(
                keys, stream.ids, weight[stream.text], model._base, log_prob, best, best_log_prob
            )
            model._levels.append(level)
            log_prob, best, best_log_prob = (
                level.log_probs[gram],
                level.best[context],
                level.best_log_prob[context],
            )
        return model

    def _spell(self, split: Sequence[Sequence[str]], names: Sequence[str] | None, weight: np.ndarray) -> None:
        """Fit the law of spellings to the vocabulary and the labels."""
        flat = [self._number[word] for words in split for word in words]
        each = np.repeat(weight, [len(words) for words in split])
        counts = np.bincount(np.array(flat, dtype=np.int64), each, len(self.vocabulary))
        labels = [self._label_number[name] for name in names or ()]
        self._label_counts = np.bincount(np.array(labels, dtype=np.int64), weight if labels else None)
        kinds = [*self.vocabulary, *self._label_number]
        self.spelling = Spelling(kinds, np.concatenate([counts, self._label_counts]))
        known = np.log1p(-END) + self.spelling.log_prob(self.vocabulary)
        self._spelled = np.append(known, np.log(END))  # the end is number len(vocabulary)

    def losses(self, texts: Sequence[str], labels: Sequence[Hashable] | None = None) -> np.ndarray:
        """-ln P of each text with its end (and its label, for a model with labels), in nats; shape (n,).

        Raises:
            ValueError: when the model has labels and none are given, or the other way round.
        """
        stream, names = self._read(texts, labels)
        total = -np.bincount(stream.text, self._log_probs(stream), minlength=len(texts))
        return total if names is None else total - self._label_log_prob(names)

    def losses_per_token(self, texts: Sequence[str]) -> np.ndarray:
        """-ln P of each text with its end, over the number of its events (tokens, end), in nats; shape (n,).

        Raises:
            ValueError: when the model has labels.
        """
        stream, _ = self._read(texts, None)
        total = -np.bincount(stream.text, self._log_probs(stream), minlength=len(texts))
        return total / np.bincount(stream.text, minlength=len(texts))

    def _log_probs(self, stream: _Stream) -> np.ndarray:
        """ln P of each event."""
        log_prob = stream.spelled
        for kind, level in zip(self._chain(), self._levels, strict=True):
            context = level.contexts.get_indexer(self._keys(kind, stream))
            known = (context >= 0) & (stream.ids >= 0)
            gram = level.grams.get_indexer(np.where(known, context * self._base + stream.ids, -1))
            lower = np.where(context >= 0, level.log_backoff[context], 0.0) + log_prob
            log_prob = np.where(gram >= 0, level.log_probs[gram], lower)
        return log_prob

    def errors(self, texts: Sequence[str], labels: Sequence[Hashable] | None = None) -> np.ndarray:
        """The share of each text's events (tokens, end) that are not the most likely one, in [0, 1]; shape (n,).

        The most likely token is sought among the words of the training texts and the end; of equally likely ones
        it is the first in the alphabet.  A label is given, not predicted.

        Raises:
            ValueError: as :meth:`losses`.
        """
        stream, _ = self._read(texts, labels)
        best = np.full(stream.ids.size, UNKNOWN)
        for kind, level in zip(self._chain(), self._levels, strict=True):
            context = level.contexts.get_indexer(self._keys(kind, stream))
            best = np.where(context >= 0, level.best[context], best)
        sizes = np.bincount(stream.text, minlength=len(texts))
        return np.bincount(stream.text, best != stream.ids, minlength=len(texts)) / sizes

    def _read(self, texts: Sequence[str], labels: Sequence[Hashable] | None) -> tuple[_Stream, list[str] | None]:
        if (labels is not None) != self.labelled:
            raise ValueError(
                f"the model was fitted {'with' if self.labelled else 'without'} labels: do the same here"
            )
        _same_length(texts, labels)
        names = None if labels is None else [_name(label) for label in labels]
        return self._stream([tokenize(text) for text in texts], names), names

    def _chain(self) -> list[tuple[int, bool]]:
        """The kinds of contexts from the shortest one: words before, and whether the label counts.

        Each context tells the shorter ones: what is stored of it holds for every text that it occurs in.
        """
        own = [(k, True) for k in range(self.order)] if self.labelled else []
        return [(0, False), *own] if own else [(k, False) for k in range(self.order)]

    def _stream(self, split: Sequence[Sequence[str]], names: Sequence[str] | None) -> _Stream:
        """The events of texts that are split into tokens."""
        sizes = np.array([len(tokens) + 1 for tokens in split], dtype=np.int64)
        ends = np.cumsum(sizes)
        ids = np.full(int(sizes.sum()), len(self.vocabulary), dtype=np.int64)
        inner = np.ones(ids.size, dtype=bool)
        inner[ends - 1] = False
        flat = list(itertools.chain.from_iterable(split))
        ids[inner] = np.fromiter((self._number.get(w, UNKNOWN) for w in flat), dtype=np.int64, count=len(flat))
        spelled = self._spelled[ids]
        new = np.flatnonzero(ids[inner] == UNKNOWN)
        if new.size:
            code, kinds = pd.factorize(np.array([flat[i] for i in new], dtype=object))
            spelled[np.flatnonzero(inner)[new]] = (np.log1p(-END) + self.spelling.log_prob(list(kinds)))[code]
        text = np.repeat(np.arange(sizes.size), sizes)
        label = np.zeros(sizes.size, dtype=np.int64) if names is None else self._label_numbers(names)
        return _Stream(ids, text, np.arange(ids.size) - (ends - sizes)[text], label[text], spelled)

    def _label_numbers(self, names: Sequence[str]) -> np.ndarray:
        return np.array([self._label_number.get(name, UNKNOWN) for name in names], dtype=np.int64)

    def _keys(self, kind: tuple[int, bool], stream: _Stream) -> np.ndarray:
        """A number for the context of each event; -1 where it holds a token or a label that was never seen."""
        length, own = kind
        key = stream.label if own else np.zeros(stream.ids.size, dtype=np.int64)
        lost = key == UNKNOWN
        for distance in range(length, 0, -1):
            token = stream.before(distance)
            lost = lost | (token == UNKNOWN)
            key = key * self._base + token + 2
        return np.where(lost, -1, key)

    def _label_log_prob(self, names: Sequence[str]) -> np.ndarray:
        """ln P of each label: Witten-Bell's interpolation with the law of spellings."""
        number = self._label_numbers(names)
        kinds = _kinds(np.minimum(self._label_counts, 1.0).sum())
        with np.errstate(divide="ignore"):
            counted = np.log(np.where(number >= 0, self._label_counts[number], 0.0))
        both = np.logaddexp(counted, np.log(kinds) + self.spelling.log_prob(names))
        return both - np.log(self._label_counts.sum() + kinds)


def _level(
    keys: np.ndarray,
    ids: np.ndarray,
    weight: np.ndarray,
    base: int,
    below: np.ndarray,
    below_best: np.ndarray,
    below_best_log: np.ndarray,
) -> tuple[_Level, np.ndarray, np.ndarray]:
    """One more step of the chain, from the training events; also the number of the context and gram of each event.

    `below` holds ln P of each event one step below, `below_best` the most likely token there, with its ln P.
    """
    context, contexts = pd.factorize(keys)
    gram, grams = pd.factorize(context * base + ids)
    shows = [np.empty(kinds.size, dtype=np.int64) for kinds in (contexts, grams)]
    for shown, code in zip(shows, (context, gram), strict=True):
        shown[code] = np.arange(code.size)  # an event that shows the context, or the gram
    count = np.bincount(gram, weight)
    at, token = np.divmod(grams, base)
    kinds = _kinds(np.bincount(at, np.minimum(count, 1.0)))
    total = np.bincount(at, count) + kinds
    log_backoff = np.log(kinds) - np.log(total)
    log_probs = np.log(count / total[at] + np.exp(log_backoff[at] + below[shows[1]]))
    order = np.lexsort((token, -log_probs, at))
    lead = order[np.diff(at[order], prepend=-1) > 0]
    best, best_log = token[lead], log_probs[lead]
    other, other_log = below_best[shows[0]], log_backoff + below_best_log[shows[0]]
    better = (other_log > best_log) | ((other_log == best_log) & (other < best))
    best, best_log = np.where(better, other, best), np.where(better, other_log, best_log)
    return _Level(pd.Index(contexts), pd.Index(grams), log_probs, log_backoff, best, best_log), context, gram


def _name(label: Hashable) -> str:
    """A label as a string that can be spelled: the empty one becomes a blank."""
    return str(label) or " "


def _same_length(texts: Sequence[str], labels: Sequence[Hashable] | None) -> None:
    if labels is not None and len(labels) != len(texts):
        raise ValueError(f"texts and labels belong together, got {len(texts)} and {len(labels)}")
