"""Vendi scores against eigenvalues of all similarities, distinct n-grams against counts, entropy against
Gaussians."""

import math
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rbcore.estimate import kernel as kernel
from rbcore.estimate.diversity import _at_size, distinct_n, nn_entropy, tokens, vendi

SEED = 20250424


def brute_vendi(gram, q):
    """The Vendi score from the eigenvalues of the whole similarity matrix."""
    values = np.linalg.eigvalsh(gram / len(gram))
    values = values[values > 1e-13]
    if q == 1:
        return math.exp(-(values * np.log(values)).sum())
    return 1 / values.max() if math.isinf(q) else (values**q).sum() ** (1 / (1 - q))


def test_an_error_that_part_of_the_rows_shows_shrinks_with_all_of_them():
    """Scores whose spread is that of a mean over rows: with a quarter of the rows the error of all is one half."""

    def score(rows):
        return 10 + np.sin(rows).mean(), 0.0

    value, of_all, _ = _at_size(score, 400, 400, np.random.default_rng(SEED), 400)
    _, of_part, _ = _at_size(score, 400, 100, np.random.default_rng(SEED), 100)
    for error in (of_all, of_part):
        assert error / value == pytest.approx(np.sin(np.arange(400)).std() / math.sqrt(400), rel=0.4)


@pytest.mark.parametrize("q", [0.5, 1, 2, math.inf])
@pytest.mark.parametrize(("n", "d"), [(60, 8), (20, 50)])
def test_vendi_is_the_entropy_of_all_similarities(n, d, q):
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(n, d))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert vendi(x, q, rng=rng).value == pytest.approx(brute_vendi(unit @ unit.T, q), rel=1e-6)
    gram = kernel.gaussian(x, x, 2.0)
    found = vendi(x, q, "gaussian", rng=rng, width=2.0)
    assert found.value == pytest.approx(brute_vendi(gram, q), rel=1e-3)


def test_vendi_counts_kinds():
    rng = np.random.default_rng(SEED)
    kinds = np.eye(10)[np.arange(200) % 4]
    found = vendi(kinds, rng=rng)
    assert found.value == pytest.approx(4) and found.ci[1] == pytest.approx(4, abs=0.2)
    assert vendi(np.ones((50, 3)), rng=rng).value == pytest.approx(1)
    assert "all different" in vendi(np.eye(30), rng=rng).warning
    shares = np.repeat(np.eye(3), [100, 60, 40], axis=0)
    p = np.array([0.5, 0.3, 0.2])
    assert vendi(shares, rng=rng).value == pytest.approx(math.exp(stats.entropy(p)))
    # the error of an entropy of shares: sd(log p) / sqrt(n)
    error = math.sqrt((p @ np.log(p) ** 2 - (p @ np.log(p)) ** 2) / 200) * vendi(shares, rng=rng).value
    found = vendi(shares, rng=rng)
    assert (found.ci[1] - found.ci[0]) / 2 == pytest.approx(1.97 * error, rel=0.02)


def test_the_interval_of_many_kinds_leaves_out_one_row_at_a_time():
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(20, 50))
    found = vendi(x, rng=rng)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    logs = [math.log(brute_vendi(one @ one.T, 1)) for one in (np.delete(x, i, axis=0) for i in range(20))]
    error = brute_vendi(x @ x.T, 1) * math.sqrt(19 * np.var(logs))
    assert found.value - found.ci[0] == pytest.approx(stats.t.ppf(0.975, 19) * error)


def test_vendi_at_a_size_does_not_depend_on_how_many_there_are():
    rng = np.random.default_rng(SEED)
    small, large = (vendi(rng.normal(size=(n, 40)), rng=rng, at=50) for n in (60, 1000))
    assert small.value == pytest.approx(large.value, rel=0.05) and small.n == large.n == 50
    whole = vendi(rng.normal(size=(1000, 40)), rng=rng)
    assert whole.value > 1.2 * large.value


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "at", "kind", "q"), [(150, None, "cosine", 1), (400, 50, "cosine", 2), (120, None, "gaussian", 1)]
)
def test_vendi_covers_its_expectation(n, at, kind, q):
    rng = np.random.default_rng(SEED)
    found = [
        vendi(rng.normal(size=(n, 5)) / np.sqrt(np.arange(1, 6)), q, kind, rng=rng, at=at, width=1.5)
        for _ in range(100)
    ]
    truth = np.mean([one.value for one in found])
    assert sum(not one.ci[0] <= truth <= one.ci[1] for one in found) <= stats.binom.isf(1e-3, 100, 0.07)


def random_texts(rng, count, words=800, longest=30):
    p = 1 / np.arange(1, words + 1)
    return [
        " ".join(f"w{i}" for i in rng.choice(words, size=rng.integers(1, longest), p=p / p.sum()))
        for _ in range(count)
    ]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_distinct_is_a_count(n):
    rng = np.random.default_rng(SEED)
    texts = random_texts(rng, 60)
    grams = Counter()
    for text in texts:
        words = re.findall(r"\w+|[^\w\s]", text.lower())
        grams.update(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    found = distinct_n(texts, n, rng=rng)
    assert found.value == pytest.approx(len(grams) / grams.total()) and found.name == f"distinct-{n}"


def test_distinct_tokens_and_borders():
    assert tokens("Don't stop, it's 5%!") == ["don", "'", "t", "stop", ",", "it", "'", "s", "5", "%", "!"]
    rng = np.random.default_rng(SEED)
    # pairs within texts only: (a, b) and (b, a)
    assert distinct_n(["a b", "B A"] * 10, 2, rng=rng).value == pytest.approx(2 / 20)
    assert distinct_n([f"x{i}" for i in range(50)], 1, rng=rng).value == 1


def test_distinct_at_a_size_does_not_depend_on_how_many_there_are():
    rng = np.random.default_rng(SEED)
    small, large = (distinct_n(random_texts(rng, count), 1, 1000, rng=rng) for count in (80, 1500))
    assert small.value == pytest.approx(large.value, rel=0.06)
    assert distinct_n(random_texts(rng, 1500), 1, rng=rng).value < 0.5 * large.value


@pytest.mark.slow
@pytest.mark.parametrize(("count", "at"), [(120, None), (200, 200)])
def test_distinct_covers_its_expectation(count, at):
    rng = np.random.default_rng(SEED)
    found = [distinct_n(random_texts(rng, count), 1, at, rng=rng) for _ in range(80)]
    truth = np.mean([one.value for one in found])
    assert sum(not one.ci[0] <= truth <= one.ci[1] for one in found) <= stats.binom.isf(1e-3, 80, 0.08)
    assert np.mean([one.ci[1] - one.ci[0] for one in found]) / 4 < 2 * np.std([one.value for one in found])


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["euclid", "max"])
@pytest.mark.parametrize(("n", "d"), [(300, 1), (500, 2)])
def test_entropy_of_gaussians(n, d, norm):
    rng = np.random.default_rng(SEED)
    scale = np.arange(1, d + 1) / 10
    truth = d / 2 * math.log(2 * math.pi * math.e) + np.log(scale).sum()
    found = [nn_entropy(rng.normal(size=(n, d)) * scale + 7, norm=norm) for _ in range(60)]
    assert np.mean([one.value for one in found]) == pytest.approx(truth, abs=0.05)
    assert sum(not one.ci[0] <= truth <= one.ci[1] for one in found) <= stats.binom.isf(1e-3, 60, 0.1)


def test_entropy_of_a_uniform_law():
    x = np.random.default_rng(SEED).uniform(0, 4, size=(4000, 1))
    assert nn_entropy(x).value == pytest.approx(math.log(4), abs=0.06)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_invariances(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 2))
    order = rng.permutation(60)
    moved = scale * x[order] + shift
    assert nn_entropy(moved).value == pytest.approx(nn_entropy(x).value + 2 * math.log(scale), abs=1e-6)
    assert vendi(scale * x[order], rng=rng).value == pytest.approx(vendi(x, rng=rng).value, abs=1e-6)
    first, second = (vendi(z, kernel="gaussian", rng=rng).value for z in (x, moved))
    assert second == pytest.approx(first, abs=1e-4)


def test_warnings_and_arguments():
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(100, 2))
    assert "constant" in nn_entropy(np.column_stack([x, np.ones(100)])).warning
    assert "repeat" in nn_entropy(rng.integers(0, 5, (100, 1))).warning
    assert "too few" in nn_entropy(rng.normal(size=(100, 20))).warning
    assert not nn_entropy(rng.normal(size=(3000, 1))).warning
    for wrong in ({"at": 101}, {"q": 0}, {"kernel": "linear"}, {"kernel": "gaussian", "width": -1.0}):
        with pytest.raises(ValueError):
            vendi(x, rng=rng, **wrong)
    with pytest.raises(ValueError, match="zero"):
        vendi(np.vstack([x, np.zeros(2)]), rng=rng)
    for wrong in ({"n": 0}, {"n": 1, "at": 10**6}, {"n": 40}):
        with pytest.raises(ValueError):
            distinct_n(random_texts(rng, 30), rng=rng, **wrong)
    with pytest.raises(ValueError, match="norm"):
        nn_entropy(x, norm="taxi")
    with pytest.raises(ValueError, match="below a quarter of the 100 rows, got 25"):
        nn_entropy(x, k=25)
    assert nn_entropy(x, k=24).n == 100
