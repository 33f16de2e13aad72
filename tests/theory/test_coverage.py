"""The best of N, coverage and failing tries against enumeration, and the limits that they obey."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from rbcore.information.finite import kl, random_pmf
from rbcore.theory import coverage
from rbcore.theory.knowledge import best_of, best_of_price

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(17)


@given(st.floats(1e-3, 0.999), st.integers(1, 40))
def test_what_a_verifier_of_n_tries_costs(chance, n):
    """The best of n for the reward 0 or 1; below the price of any judge, and of a verifier who never gives up."""
    law = np.array([1 - chance, chance])
    cost = float(coverage.verified_cost(chance, n))
    assert cost == pytest.approx(kl(best_of(law, np.array([0.0, 1.0]), n), law), abs=1e-9)
    assert cost <= best_of_price(n) + 1e-9 and cost <= np.log(1 / chance) + 1e-9


def test_the_cost_where_it_is_known():
    assert coverage.verified_cost(0.5, 1) == pytest.approx(0, abs=1e-15)
    assert coverage.verified_cost(0.25, 10_000) == pytest.approx(np.log(4))
    for bad in (([0.5, 0.0], 2), ([0.5, 1.0], 2), (0.5, [1, 0])):  # one of a batch is enough
        with pytest.raises(ValueError, match="strictly between"):
            coverage.verified_cost(*bad)


def test_the_tilt_is_the_best_for_its_cost(rng):
    for _ in range(8):
        law, reward = random_pmf(rng, 5, concentration=2), rng.normal(size=5)
        cost = rng.uniform(0.1, 0.9) * -np.log(law[reward.argmax()])
        found = coverage.tilt_to(law, reward, cost)
        assert kl(found, law) == pytest.approx(cost, abs=1e-9)
        constraints = [
            {"type": "eq", "fun": lambda s: s.sum() - 1},
            {"type": "ineq", "fun": lambda s, law=law, cost=cost: cost - (s * np.log(s / law)).sum()},
        ]
        other = minimize(lambda s, r=reward: -s @ r, law, bounds=[(1e-12, 1)] * 5, constraints=constraints,
                         method="SLSQP", options={"ftol": 1e-13, "maxiter": 500})  # fmt: skip
        assert found @ reward == pytest.approx(-other.fun, abs=1e-5)
    np.testing.assert_array_equal(coverage.tilt_to(law, reward, 0), law)
    with pytest.raises(ValueError, match="cost"):
        coverage.tilt_to(law, reward, 9.0)


def test_coverage_by_enumeration(rng):
    truth, model = random_pmf(rng, 4, 6, concentration=0.5), random_pmf(rng, 4, 6, concentration=0.5)
    weights = random_pmf(rng, 6)
    for n in (1, 1.5, 4):
        wanted = sum(
            weights[x] * truth[y, x]
            for y, x in itertools.product(range(4), range(6))
            if truth[y, x] / model[y, x] >= n
        )
        assert coverage.coverage(truth, model, n, weights) == pytest.approx(wanted)


def test_one_right_answer_is_a_truth_that_is_sure(rng):
    model = random_pmf(rng, 3, 50, concentration=0.4)
    sure = np.zeros_like(model)
    sure[0] = 1
    for n in (2, 5, 30):
        both = coverage.coverage(sure, model, n), coverage.uncovered(model[0], n)
        assert both[0] == pytest.approx(both[1])
    rows = coverage.uncovered(model, np.array([2, 5, 30]))
    assert rows.shape == (3,) and rows[1] == pytest.approx((model[1] <= 0.2).mean())


def test_failing_tries_by_enumeration():
    chances, weights = np.array([0.2, 0.7]), np.array([0.25, 0.75])
    for n in (1, 2, 3):
        wanted = 0.0
        for chance, weight in zip(chances, weights, strict=True):
            for tries in itertools.product([0, 1], repeat=n):
                probability = np.prod([chance if right else 1 - chance for right in tries])
                wanted += weight * probability * (not any(tries))
        assert coverage.failure(chances, n, weights) == pytest.approx(wanted)


@given(seeds, st.integers(1, 200), st.floats(1.01, 300))
def test_tries_fail_between_their_limits(seed, n, level):
    rng = np.random.default_rng(seed)
    chances = rng.beta(0.3, 1, size=20)
    weights = random_pmf(rng, 20)
    low, high = coverage.failure_limits(coverage.uncovered(chances, level, weights), level, n)
    assert low - 1e-12 <= coverage.failure(chances, n, weights) <= high + 1e-12


@given(seeds, st.integers(1, 60), st.floats(1.01, 60))
def test_the_limits_where_many_answers_are_right(seed, n, level):
    """The upper one if all that the truth may say is accepted, the lower one if only its very answer is."""
    rng = np.random.default_rng(seed)
    truth, model = random_pmf(rng, 4, 5, concentration=0.5), random_pmf(rng, 4, 5, concentration=0.5)
    truth = np.where(truth < 0.1, 0, truth) / np.where(truth < 0.1, 0, truth).sum(axis=0)
    low, high = coverage.failure_limits(coverage.coverage(truth, model, level), level, n)
    accepted = np.where(truth > 0, model, 0).sum(axis=0).clip(max=1)
    assert coverage.failure(accepted, n) <= high + 1e-9
    assert np.mean((truth * (1 - model) ** n).sum(axis=0)) >= low - 1e-9


def test_how_many_tries_are_needed():
    chances = np.array([0.5, 0.01])
    n = coverage.tries_needed(chances, 0.1)
    assert coverage.failure(chances, n) <= 0.1 < coverage.failure(chances, n - 1)
    assert coverage.tries_needed(np.array([0.9]), 0.2) == 1
    with pytest.raises(ValueError, match="never"):
        coverage.tries_needed(np.array([0.0, 0.5]), 0.1)
