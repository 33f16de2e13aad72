"""The n-gram student: one event space for all, agreement with plain counting, known limits."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbcore.estimate.ngram import END, Ngram, Spelling, tokenize

WORDS = st.sampled_from(["a", "b", "ab", "ba", "c", ".", "é"])
TEXTS = st.lists(st.lists(WORDS, max_size=6).map(" ".join), min_size=1, max_size=8)


class Slow:
    """The same model by dictionaries of counts, a token at a time."""

    def __init__(self, texts, order, weights, labels):
        self.order, self.labelled = order, labels is not None
        labels = [None] * len(texts) if labels is None else labels
        self.counts, kinds, self.label_counts = {}, Counter(), Counter()
        for text, weight, label in zip(texts, weights, labels, strict=True):
            self.label_counts[label] += weight
            for context, word in self.events(text, label):
                for shorter in self.contexts(context, label):
                    self.counts.setdefault(shorter, Counter())[word] += weight
            for word in tokenize(text):
                kinds[word] += weight
        self.vocabulary = sorted(kinds)
        names = self.label_counts if self.labelled else {}
        self.pairs, self.singles = Counter(), Counter()
        for counts in (kinds, names):
            for kind, weight in counts.items():
                coded = [*kind.encode(), "stop"]
                for before, after in zip(["start", *coded], coded, strict=False):
                    self.pairs[before, after] += min(1, weight)
                    self.singles[after] += min(1, weight)

    def events(self, text, label):
        words = ["<", "<", "<", *tokenize(text), "end"]
        return [(tuple(words[i - self.order + 1 : i]), words[i]) for i in range(3, len(words))]

    def contexts(self, context, label):
        """From the longest to the shortest one."""
        found = []
        for k in range(len(context), -1, -1):
            found.append((label if self.labelled else None, context[len(context) - k :]))
        return [*found, (None, ())] if self.labelled else found

    @staticmethod
    def mix(count, counts, lower):
        kinds = max(1, sum(min(1, c) for c in counts))
        return (count + kinds * lower) / (sum(counts) + kinds)

    def byte(self, after, before):
        if before == "start":
            lower = 0.0 if after == "stop" else 1 / 256
        else:
            lower = self.mix(self.singles[after], self.singles.values(), 1 / 257)
        row = [c for (x, _), c in self.pairs.items() if x == before]
        return self.mix(self.pairs[before, after], row, lower)

    def spelled(self, word):
        coded = [*word.encode(), "stop"]
        return math.prod(self.byte(b, a) for a, b in zip(["start", *coded], coded, strict=False))

    def prob(self, word, context, label=None):
        found = END if word == "end" else (1 - END) * self.spelled(word)
        for shorter in reversed(self.contexts(context, label)):
            counts = self.counts.get(shorter, Counter())
            found = self.mix(counts[word], counts.values(), found)
        return found

    def loss(self, text, label=None):
        total = -sum(math.log(self.prob(word, context, label)) for context, word in self.events(text, label))
        if self.labelled:
            total -= math.log(self.mix(self.label_counts[label], self.label_counts.values(), self.spelled(label)))
        return total


@given(TEXTS, TEXTS, st.integers(1, 4), st.data())
@settings(max_examples=60, deadline=None)
def test_plain_counting_gives_the_same_losses(train, test, order, data):
    weights = data.draw(st.lists(st.sampled_from([0.25, 1.0, 3.0]), min_size=len(train), max_size=len(train)))
    both, unseen = st.sampled_from("xy"), st.sampled_from(["x", "y", "zz"])
    labelled = data.draw(st.booleans())
    labels = data.draw(st.lists(both, min_size=len(train), max_size=len(train))) if labelled else None
    asked = data.draw(st.lists(unseen, min_size=len(test), max_size=len(test))) if labelled else None
    test = [*test[:-1], test[-1] + " new Word a"]
    model, slow = Ngram.fit(train, order, weights, labels), Slow(train, order, weights, labels)
    wanted = [slow.loss(t, y) for t, y in zip(test, asked or [None] * len(test), strict=True)]
    np.testing.assert_allclose(model.losses(test, asked), wanted, rtol=1e-9)
    # the most likely next token, where it is not a matter of rounding
    errors = model.errors(test, asked)
    for text, share, label in zip(test, errors, asked or [None] * len(test), strict=True):
        low = high = 0
        events = slow.events(text, label)
        for context, word in events:
            probs = {w: slow.prob(w, context, label) for w in [*slow.vocabulary, "end"]}
            most = max(probs.values())
            first = {w for w, p in probs.items() if p > most * (1 - 1e-12)}
            low, high = low + (word not in first), high + (first != {word})
        assert low <= round(share * len(events)) <= high
    if labels is None:
        events = [len(slow.events(t, None)) for t in test]
        np.testing.assert_allclose(model.losses_per_token(test) * events, model.losses(test))


@given(TEXTS, st.integers(1, 3), st.booleans(), st.data())
@settings(max_examples=25, deadline=None)
def test_probabilities_of_all_strings_and_the_end_sum_to_one(train, order, labelled, data):
    """Words of the vocabulary, the end, and the spelled-out rest: after contexts seen and unseen."""
    labels = [str(i % 2) for i in range(len(train))] if labelled else None
    model, slow = Ngram.fit(train, order, None, labels), Slow(train, order, [1] * len(train), labels)
    np.testing.assert_allclose(np.exp(model.spelling.log_probs).sum(axis=1), 1, rtol=1e-12)
    contexts = {context for text in [*train, "c c new a"] for context, _ in slow.events(text, None)}
    for context in sorted(contexts)[:8]:
        label = "0" if labelled else None
        weight = 1.0  # of the spelled law in this context
        for shorter in slow.contexts(context, label):
            counts = slow.counts.get(shorter, Counter())
            weight *= len(counts) / (len(counts) + sum(counts.values())) if counts else 1.0
        known = sum(slow.prob(word, context, label) for word in [*slow.vocabulary, "end"])
        rest = weight * (1 - END) * (1 - sum(slow.spelled(word) for word in slow.vocabulary))
        assert known + rest == pytest.approx(1, abs=1e-12)


@given(st.lists(st.text(min_size=1, max_size=5), max_size=6))
@settings(max_examples=30, deadline=None)
def test_a_spelling_ends_with_probability_one(kinds):
    law = Spelling(kinds)
    steps, first = np.exp(law.log_probs[:256, :256]), np.exp(law.log_probs[256, :256])
    stops = np.exp(law.log_probs[:256, 256])
    total = first @ np.linalg.solve(np.eye(256) - steps, stops)  # the sum over all lengths
    assert total == pytest.approx(1, abs=1e-9)
    one = [chr(i) for i in range(128)]
    two = [a + b for a in one[:40] for b in one[40:80]]
    np.testing.assert_allclose(np.exp(law.log_prob(one)), (first * stops)[:128], rtol=1e-12)
    expected = (first[:40, None] * steps[:40, 40:80] * stops[None, 40:80]).ravel()
    np.testing.assert_allclose(np.exp(law.log_prob(two)), expected, rtol=1e-12)


def chain(rng, transition, texts, length):
    """Texts of a Markov chain on letters, of a fixed length, begun in the stationary law."""
    values, vectors = np.linalg.eig(transition.T)
    law = np.real(vectors[:, np.argmax(np.real(values))])
    law /= law.sum()
    state = rng.choice(len(law), size=texts, p=law)
    path = [state]
    for _ in range(length - 1):
        state = (rng.random(texts)[:, None] > transition[state].cumsum(axis=1)).sum(axis=1)
        path.append(state)
    letters = np.array(list("abcdefgh"))
    return [" ".join(letters[row]) for row in np.array(path).T], law


def test_many_texts_of_a_markov_chain_cost_its_entropy():
    rng = np.random.default_rng(3)
    transition = rng.dirichlet(np.full(6, 0.7), size=6)
    train, law = chain(rng, transition, 4000, 30)
    test, _ = chain(rng, transition, 2000, 30)
    h = -(transition * np.log(transition)).sum(axis=1)
    steps = 29 * law @ h - (law * np.log(law)).sum()
    cost = math.log(31) + 30 * math.log(31 / 30)  # of ends: the model cannot count to 30
    for order in (2, 3):
        losses = Ngram.fit(train, order).losses(test)
        assert losses.mean() == pytest.approx(steps + cost, rel=0.03)
    unigram = Ngram.fit(train, 1).losses(test).mean()
    assert unigram == pytest.approx(-30 * (law * np.log(law)).sum() + cost, rel=0.01)
    wrong = Ngram.fit(train, 2).errors(test)
    bayes = (29 * law @ (1 - transition.max(axis=1)) + (1 - law.max()) + 1) / 31  # and never the end
    assert wrong.mean() == pytest.approx(bayes, rel=0.02)
    assert ((wrong >= 0) & (wrong <= 1)).all()


def test_weights_are_repetitions_and_vanish_continuously():
    rng = np.random.default_rng(5)
    train = [" ".join(rng.choice(list("abcdef"), size=7)) for _ in range(40)]
    test = [" ".join(rng.choice(list("abcdefg"), size=7)) for _ in range(20)]
    weights = rng.integers(0, 4, size=40)
    labels = [str(i % 3) for i in range(40)]
    repeated = [i for i in range(40) for _ in range(weights[i])]
    asked = [str(i % 4) for i in range(20)]
    for mine, theirs in ((None, None), (labels, asked)):
        again = None if mine is None else [labels[i] for i in repeated]
        a = Ngram.fit(train, 3, weights, mine)
        b = Ngram.fit([train[i] for i in repeated], 3, None, again)
        np.testing.assert_allclose(a.losses(test, theirs), b.losses(test, theirs), rtol=1e-12)
        np.testing.assert_array_equal(a.errors(test, theirs), b.errors(test, theirs))
    few = np.where(np.arange(40) < 20, 1.0, 1e-9)
    alone = Ngram.fit(train[:20]).losses(test)
    np.testing.assert_allclose(Ngram.fit(train, weights=few).losses(test), alone, rtol=1e-6)


def test_the_label_is_known_to_the_end_of_the_text():
    """Two subjects with words of their own: the right label is worth about its entropy in every word."""
    rng = np.random.default_rng(8)
    words = {"x": ["a", "b"], "y": ["c", "d"]}
    labels = [("x", "y")[i] for i in rng.integers(2, size=400)]
    texts = [" ".join(rng.choice(words[y], size=10)) for y in labels]
    model = Ngram.fit(texts, labels=labels)
    right = model.losses(texts, labels)
    wrong = model.losses(texts, ["y" if y == "x" else "x" for y in labels])
    length = 1 / 11
    cost = -10 * math.log(0.5 * (1 - length)) - math.log(length)
    assert right.mean() == pytest.approx(cost + math.log(2), rel=0.03)
    assert (wrong - right).min() > 20


def test_whatever_the_text_its_loss_is_finite():
    model = Ngram.fit(["the cat sat ."], labels=["x"])
    odd = ["", "THE   cat\nsat.", "😀 \ud800", "\x00", "x" * 5000, "ß İ"]
    losses = model.losses(odd, ["", "x", "new", 3, None, "y" * 4000])
    assert np.isfinite(losses).all() and (losses > 0).all()
    assert model.losses(odd[:2], ["x", "x"])[1] == model.losses(["the cat sat ."], ["x"])[0]
    assert Ngram.fit([""]).losses(["", "a"])[0] < 0.8
    assert model.losses([], []).shape == (0,)


def test_bad_arguments_are_refused():
    model = Ngram.fit(["a b"])
    for arguments in ([[]], [["a"], 0], [["a"], 3, [0.0]], [["a"], 3, [-1.0]], [["a"], 3, [1, 2]]):
        with pytest.raises(ValueError, match="n-gram|weights"):
            Ngram.fit(*arguments)
    with pytest.raises(ValueError, match="without labels"):
        model.losses(["a"], ["x"])
    with pytest.raises(ValueError, match="belong together"):
        Ngram.fit(["a"], labels=["x", "y"])
    with pytest.raises(ValueError, match="lower it"):
        Ngram.fit([" ".join(map(str, range(1000)))], order=9)
