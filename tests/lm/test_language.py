"""The language of ciphers: laws, verifier, noise and KL against enumeration without any network."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rbcore.information.finite import entropy, kl
from rbcore.lm.language import (
    Language,
    corrupt,
    create,
    documents,
    kl_parts,
    posterior,
    smooth,
    task_entropy,
    task_law,
    windows,
)


def language(seed: int = 0, skills: int = 5, letters: int = 3, length: int = 2) -> Language:
    return create(np.random.default_rng(seed), skills, letters, length)


def test_sequences_have_the_form_that_is_documented():
    tongue = Language(np.array([[1, 0, 2], [2, 1, 0]]), np.full(3, 1 / 3), 2)
    assert (tongue.bos, tongue.equals, tongue.eos, tongue.vocabulary, tongue.tokens) == (5, 6, 7, 8, 8)
    assert tongue.encode([1], [[0, 1]]).tolist() == [[5, 4, 0, 1, 6, 2, 1, 7]]
    assert tongue.inputs().tolist() == [list(x) for x in itertools.product(range(3), repeat=2)]


@given(st.integers(0, 2**32), st.integers(2, 5), st.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_the_verifier_passes_exactly_the_right_sequences(seed, letters, length):
    rng = np.random.default_rng(seed)
    tongue = create(rng, 4, letters, length)
    rows = tongue.draw(rng, range(4), 40)
    assert tongue.correct(rows).all() and tongue.well_formed(rows).all()
    changed = rows.copy()
    place = rng.integers(tongue.tokens, size=len(rows))
    changed[np.arange(40), place] = rng.integers(tongue.vocabulary, size=40)
    support = {tuple(row) for row in tongue.support(range(4))}
    assert tongue.correct(changed).tolist() == [tuple(row) in support for row in changed]


def test_the_support_has_the_law_of_the_draws():
    tongue, rng = language(), np.random.default_rng(1)
    drawn = Counter(map(tuple, tongue.draw(rng, [1, 3], 20_000)))
    law, rows = task_law(tongue, [1, 3]), tongue.support([1, 3])
    assert law.sum() == pytest.approx(1) and len({tuple(r) for r in rows}) == len(rows)
    assert stats.chisquare([drawn[tuple(row)] for row in rows], law * 20_000).pvalue > 1e-3
    assert task_entropy(tongue, 2) == pytest.approx(float(entropy(law)))


def test_parts_are_the_chain_rule_of_kl():
    tongue, rng = language(), np.random.default_rng(2)
    law, weights = task_law(tongue, [0, 2, 4], [0.5, 0.2, 0.3]), rng.dirichlet(np.ones(28))
    logs = np.zeros((27, tongue.tokens - 1))  # a model with a law on the support, and a wrong 28th outcome
    q = weights[:27].reshape(3, 9)
    tag = q.sum(axis=1) / weights[:27].sum() * 0.9
    logs[:, 0] = np.repeat(np.log(tag), 9)
    logs[:, 1] = np.log((q / q.sum(axis=1, keepdims=True)).ravel())
    logs[:, 4] = np.log(0.7)
    parts = kl_parts(tongue, law, logs)
    model = np.exp(logs.sum(axis=1))
    assert parts.total == pytest.approx(float(kl(np.append(law, 0), np.append(model, 1 - model.sum()))))
    assert parts.answer == pytest.approx(-np.log(0.7))
    assert parts.tag == pytest.approx(sum(p * np.log(p / t) for p, t in zip([0.5, 0.2, 0.3], tag, strict=True)))


def test_smoothing_is_the_mixture_of_whole_sequences():
    rng = np.random.default_rng(3)
    a, b = np.log(rng.random((2, 10, 4)))
    mixed = smooth(a, b, 0.2)
    np.testing.assert_allclose(np.exp(mixed.sum(1)), 0.8 * np.exp(a.sum(1)) + 0.2 * np.exp(b.sum(1)))
    first = 0.8 * np.exp(a[:, 0]) + 0.2 * np.exp(b[:, 0])
    np.testing.assert_allclose(np.exp(mixed[:, 0]), first)


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_noise_moves_the_mass_that_is_documented(rate):
    tongue, rng = language(letters=4, length=3), np.random.default_rng(4)
    rows = tongue.draw(rng, range(5), 20_000)
    found = corrupt(tongue, rows, rate, rng)
    answers = slice(3 + 3, -1)
    others = [i for i in range(tongue.tokens) if i not in range(*answers.indices(tongue.tokens))]
    assert (found[:, others] == rows[:, others]).all() and tongue.well_formed(found).all()
    kept = tongue.correct(found).mean()
    assert abs(kept - (1 - rate) ** 3) < 4 * np.sqrt(0.25 / 20_000)
    assert abs((found != rows)[:, answers].mean() - rate) < 4 * np.sqrt(0.25 / 60_000)


def test_documents_keep_to_one_topic_and_their_tags_follow_bayes():
    tongue, rng = language(skills=6), np.random.default_rng(5)
    topics = windows(range(6), 4)
    assert topics == ((0, 1, 2, 3), (2, 3, 4, 5), (4, 5, 0, 1))
    rows = documents(tongue, rng, topics, 30_000, 3, typos=0.1)
    tags = tongue.tags(rows.reshape(-1, tongue.tokens)).reshape(-1, 3)
    assert all(any(set(row) <= set(topic) for topic in topics) for row in tags[:200])
    seen = tags[(tags[:, 0] == 0) & (tags[:, 1] == 2)][:, 2]
    exact = posterior(topics, 6, [[0, 2]])[0]
    assert stats.chisquare(np.bincount(seen, minlength=6)[exact > 0], exact[exact > 0] * len(seen)).pvalue > 1e-3
    right = tongue.correct(rows.reshape(-1, tongue.tokens)).mean()
    assert abs(right - 0.81) < 0.01
    with pytest.raises(ValueError, match="no topic"):
        posterior(((0, 1), (2, 3)), 4, [[0, 2]])


def test_the_posterior_is_bayes_rule_over_topics_of_any_size():
    topics = ((0, 1, 2), (0, 3))
    found = posterior(topics, 4, [[0]])[0]
    weights = np.array([1 / 3, 1 / 2]) / (1 / 3 + 1 / 2)
    np.testing.assert_allclose(found, [weights @ [1 / 3, 1 / 2], weights[0] / 3, weights[0] / 3, weights[1] / 2])
    np.testing.assert_allclose(posterior(topics, 4, np.zeros((1, 0), int)), [[5 / 12, 1 / 6, 1 / 6, 1 / 4]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Language(np.array([[0, 0]]), np.array([0.5, 0.5])), "permutation"),
        (lambda: Language(np.array([[0, 1]]), np.array([0.5, 0.6])), "positive probability"),
        (lambda: Language(np.array([[0, 1]]), np.array([0.5, 0.5]), 0), "at least 1"),
        (lambda: create(np.random.default_rng(0), skew=0), "skew"),
        (lambda: language().draw(np.random.default_rng(0), [5], 2), "0..4"),
        (lambda: language().encode([0], [[0, 1, 2]]), "inputs"),
        (lambda: language().correct(np.zeros((2, 3), int)), "sequences of 8 tokens"),
        (lambda: task_law(language(), [0, 1], [0.5, 0.6]), "weights"),
        (lambda: kl_parts(language(), task_law(language(), [0]), np.zeros((9, 3))), "log_probs"),
        (lambda: smooth(np.zeros((1, 2)), np.zeros((1, 2)), 1.0), "share"),
        (lambda: corrupt(language(), np.zeros((1, 8), int), 1.5, np.random.default_rng(0)), "rate"),
        (lambda: documents(language(), np.random.default_rng(0), [], 3), "at least one topic"),
        (lambda: windows(range(6), 3), "even number"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
