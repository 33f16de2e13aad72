"""Loops in closed form, against simulation, exact fractions, eigenvectors and enumeration."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from rbcore import checks
from rbcore.theory import loops as m

shares = st.floats(0.01, 0.99)
ratios = st.floats(0.05, 20)
weights = st.floats(0.02, 1)
laws = st.lists(st.floats(0.02, 1), min_size=2, max_size=5).map(lambda x: np.array(x) / sum(x))


@pytest.mark.parametrize("weighed", [False, True])
def test_a_mixture_of_real_and_synthetic_readings_has_the_error_of_simulated_ones(weighed):
    rng, n, share, bias, spread = np.random.default_rng(1), 40, 0.25, 0.6, 0.3
    found = m.mixed(n, share, bias**2 + spread**2)
    generator = bias + spread * rng.standard_normal(40_000)
    synthetic = generator + rng.standard_normal((10, 40_000)).mean(axis=0)
    real = rng.standard_normal((30, 40_000)).mean(axis=0)
    weight = float(found.weight) if weighed else share
    closed = float(found.weighed if weighed else found.counted)
    errors = ((1 - weight) * real + weight * synthetic) ** 2
    assert checks.consistent(errors, closed).holds and not checks.consistent(errors, 1.1 * closed).holds


@given(st.integers(2, 10_000), shares, st.floats(0, 5))
def test_the_best_weight_is_no_worse_than_counting_alike_or_real_readings_alone(n, share, wrong):
    found = m.mixed(n, share, wrong)
    assert found.weighed <= found.counted * (1 + 1e-12)
    assert found.weighed <= 1 / ((1 - share) * n) * (1 + 1e-12)
    assert 0 <= found.weight <= share * (1 + 1e-12)


def simulated_regression(rng, rounds, n, d, runs, accumulate):
    """The squared error of the coefficients after each round, (rounds, runs); the truth is zero."""
    beta, errors = np.zeros((runs, d)), np.empty((rounds, runs))
    gram, moment = np.zeros((runs, d, d)), np.zeros((runs, d))
    for t in range(rounds):
        x = rng.standard_normal((runs, n, d))
        y = np.einsum("rnd,rd->rn", x, beta) + rng.standard_normal((runs, n))
        new = np.einsum("rnd,rne->rde", x, x), np.einsum("rnd,rn->rd", x, y)
        gram, moment = (gram + new[0], moment + new[1]) if accumulate else new
        beta = np.linalg.solve(gram, moment[..., None])[..., 0]
        errors[t] = (beta**2).mean(axis=1)
    return errors


@pytest.mark.parametrize("accumulate", [False, True])
def test_least_squares_has_the_error_of_simulated_loops(accumulate):
    errors = simulated_regression(np.random.default_rng(2), 6, 12, 3, 20_000, accumulate)
    closed = m.regression(6, 12, 3, accumulate)
    for found, value in zip(errors, closed, strict=True):
        assert checks.consistent(found, value).holds
    assert not checks.consistent(errors[-1], 1.05 * closed[-1]).holds


def test_accumulated_errors_stay_below_the_sum_of_inverse_squares():
    found = m.regression(2000, 500, 4, accumulate=True)
    assert found[-1] < np.pi**2 / 6 * found[0] and found[-1] > 1.6 * found[0]


@given(ratios)
def test_the_golden_weight_is_the_best_one_and_its_own_error(k):
    best = float(m.golden(k))
    assert m.settled(best, k) == pytest.approx(best, rel=1e-9)
    found = minimize_scalar(lambda w: float(m.settled(w, k)), bounds=(1e-6, 1), method="bounded")
    assert found.fun == pytest.approx(best, rel=1e-6)


@given(weights, ratios)
def test_what_settles_is_a_fixed_point(weight, k):
    v = m.settled(weight, k)
    np.testing.assert_allclose(weight**2 + (1 - weight) ** 2 * (v + k), v, rtol=1e-9)


def test_the_best_weight_of_each_round_gives_ratios_of_fibonacci_numbers():
    fibonacci = [1, 1]
    while len(fibonacci) < 20:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    found = m.best_each_round(10, Fraction(1), Fraction(1))
    assert found == [Fraction(a, b) for a, b in zip(fibonacci[::2], fibonacci[1::2], strict=True)]


@given(ratios)
def test_the_best_weight_of_each_round_tends_to_the_golden_one(k):
    assert m.best_each_round(4000, k)[-1] == pytest.approx(float(m.golden(k)), rel=1e-6)


@pytest.mark.parametrize("n", [1, 3, 7])
def test_a_majority_by_enumeration(n):
    right = 0.37
    value = sum(
        right ** sum(labels) * (1 - right) ** (n - sum(labels))
        for labels in product((0, 1), repeat=n)
        if sum(labels) > n / 2
    )
    assert float(m.majority(right, n)) == pytest.approx(value, rel=1e-12)


@given(st.floats(0, 1), st.integers(0, 200))
def test_a_majority_is_as_close_to_certain_as_hoeffding_says(right, half):
    n = 2 * half + 1
    assert abs(float(m.majority(right, n)) - (right > 0.5)) <= np.exp(-2 * n * (right - 0.5) ** 2) + 1e-12


@given(st.floats(0.01, 0.99), st.floats(0.1, 10))
def test_a_verifier_multiplies_the_odds(right, factor):
    after = float(m.passed(right, factor))
    assert after / (1 - after) == pytest.approx(factor * right / (1 - right), rel=1e-9)


def test_the_pull_is_that_of_simulated_verifiers():
    rng, n, start, away, width, runs = np.random.default_rng(3), 6, 0.5, 0.8, 1.5, 4000
    means, truth = np.sqrt(start) * rng.standard_normal(runs), 0.0
    closed = m.pull(3, n, start, away, width / (1 + width))
    for t in range(1, 4):
        readings = means[:, None] + rng.standard_normal((runs, 60 * n))
        accepted = rng.random(readings.shape) < np.exp(-((readings - truth - away) ** 2) / (2 * width))
        first = accepted & (np.cumsum(accepted, axis=1) <= n)
        assert (first.sum(axis=1) == n).all()
        means = np.where(first, readings, 0).sum(axis=1) / n
        assert checks.consistent(means, closed.bias[t]).holds
        assert checks.consistent(means**2, closed.error[t]).holds


def test_the_pull_is_that_of_its_recursion():
    """Each round keeps a part of the estimate, pulls by the rest, and adds the noise of n readings."""
    found, bias, variance = m.pull(4, 5, 0.4, 0.9, 0.6), 0.0, 0.4
    for t in range(5):
        assert [found.bias[t], found.variance[t]] == pytest.approx([bias, variance])
        assert found.error[t] == pytest.approx(bias**2 + variance)
        bias, variance = 0.6 * bias + 0.4 * 0.9, 0.36 * variance + 0.6 / 5


def test_without_a_verifier_the_variance_grows_by_the_same_amount_in_each_round():
    np.testing.assert_allclose(m.pull(5, 4, 0.3, 2.0, 1.0).error, 0.3 + np.arange(6) / 4)


def test_what_an_estimate_tells_is_that_of_a_gaussian_channel():
    found = m.pull(3, 4, 0.3, 1.0, 0.7)
    rho2 = (found.kept**2 * 2.0) / (found.kept**2 * 2.0 + found.variance)
    np.testing.assert_allclose(found.information(2.0), -np.log(1 - rho2) / 2)


@given(laws, st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_the_chosen_candidate_by_enumeration_in_all_orders(law, candidates, seed):
    reward = np.random.default_rng(seed).standard_normal(len(law))
    found = np.zeros(len(law))
    for drawn in product(range(len(law)), repeat=candidates):
        tilt = np.exp(reward[list(drawn)])
        np.add.at(found, list(drawn), np.prod(law[list(drawn)]) * tilt / tilt.sum())
    np.testing.assert_allclose(m.curated(law, reward, candidates), found, atol=1e-12)


def test_many_candidates_tend_to_the_tilted_law():
    law, reward = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, -0.5])
    gaps = [np.abs(m.curated(law, reward, n) - m.curated(law, reward)).max() for n in (4, 16, 64, 256)]
    assert gaps[-1] < 2e-3 and (np.diff(gaps) < 0).all()
    np.testing.assert_allclose(m.curated(law, reward, 1), law)


def test_rounding_does_not_grow_over_many_rounds():
    law, reward = np.array([0.5, 0.3, 0.2]), np.array([0.0, 0.1, -0.2])
    for _ in range(60):
        law = m.curated(law, reward, 3)
    assert law.sum() == pytest.approx(1, abs=1e-13)


@given(laws, st.floats(0.02, 0.9), st.integers(0, 2**32 - 1))
def test_a_loop_with_real_data_ends_in_the_leading_eigenvector(law, share, seed):
    reward = 2 * np.random.default_rng(seed).standard_normal(len(law))
    found = m.anchored(law, reward, share)
    np.testing.assert_allclose(share * law + (1 - share) * m.curated(found, reward), found, atol=1e-9)
    matrix = (share * np.outer(law, np.ones(len(law))) + (1 - share) * np.eye(len(law))) * np.exp(reward)
    values, vectors = np.linalg.eig(matrix)
    leading = vectors[:, np.argmax(values.real)].real
    np.testing.assert_allclose(found, leading / leading.sum(), atol=1e-8)


@pytest.mark.parametrize(
    "call",
    [
        lambda: m.mixed(0, 0.1, 1),
        lambda: m.mixed(5, 1.0, 1),
        lambda: m.regression(3, 5, 4),
        lambda: m.golden(0),
        lambda: m.settled(0, 1),
        lambda: m.majority(0.5, 4),
        lambda: m.pull(2, 3, 0.1, 1, 0),
        lambda: m.curated([0.5, 0.5], [0, 1], 0),
        lambda: m.anchored([0.5, 0.5], [0, 1], 0),
        # one of a batch is enough
        lambda: m.mixed([5, 0], 0.1, 1),
        lambda: m.mixed(5, [0.1, 1.0], 1),
        lambda: m.mixed(5, [0.1, 0.0], 1),
        lambda: m.mixed(5, 0.1, -0.1),
        lambda: m.golden([1, 0]),
        lambda: m.settled([0.5, 0], 1),
        lambda: m.settled([0.5, 1.1], 1),
        lambda: m.settled(0.5, [1, 0]),
        lambda: m.anchored([0.5, 0.0], [0, 1], 0.5),
        lambda: m.anchored([0.5, 0.5], [0, 1], 1.1),
        lambda: m.pull(-1, 3, 0.1, 1, 0.5),
        lambda: m.pull(2, 0, 0.1, 1, 0.5),
        lambda: m.pull(2, 3, 0.0, 1, 0.5),
        lambda: m.pull(2, 3, 0.1, 1, 1.1),
    ],
)
def test_bad_input(call):
    with pytest.raises(ValueError, match="."):
        call()


@given(st.integers(0, 2**32 - 1))
def test_a_loop_of_real_data_alone_ends_at_their_law(seed: int) -> None:
    rng = np.random.default_rng(seed)
    law, reward = rng.dirichlet(np.ones(4)) + 1e-9, rng.normal(size=4)
    np.testing.assert_allclose(m.anchored(law, reward, 1.0), law / law.sum(), rtol=1e-12)
