"""Closed forms of loops that train on their own output, against simulation, enumeration and one another."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multinomial

from rbcore import checks, lm
from rbcore.gmm.theory import estimation_kl_reverse
from rbcore.information.finite import kl
from rbcore.lm import loop as lm_loop
from rbcore.lm.training import Recipe
from rbcore.theory import collapse as c

LAW = np.array([0.5, 0.3, 0.15, 0.05])
FITS = np.arange(7)
LOOPS = [
    ({}, lambda t, n: c.kept(t, n)),
    ({"fresh": 2}, lambda t, n: c.kept(t, n, 2)),
    ({"accumulate": True}, lambda t, n: c.kept_accumulating(t, n)),
]
sizes = st.integers(2, 400)


@pytest.mark.parametrize(("loop", "closed"), LOOPS)
def test_the_variance_of_gaussians_is_that_of_simulated_loops(loop, closed):
    found = c.refit_gaussian(np.random.default_rng(1), 6, 6, 40_000, **loop)
    for t in FITS[1:]:
        assert checks.consistent(found.variances[t], float(closed(t, 6))).holds
        assert checks.consistent(found.variances[t] + found.means[t] ** 2, 1.0).holds
    assert not checks.consistent(found.variances[6], 1.1 * float(closed(6, 6))).holds


@pytest.mark.parametrize(("loop", "closed"), LOOPS)
def test_the_spread_of_frequencies_is_that_of_simulated_loops(loop, closed):
    found = c.spread(c.resample(np.random.default_rng(2), LAW, 6, 6, 40_000, **loop)) / c.spread(LAW)
    for t in FITS[1:]:
        assert checks.consistent(found[t], float(closed(t, 6))).holds
    assert not checks.consistent(found[6], 1.03 * float(closed(6, 6))).holds


def test_the_spread_is_exact_by_enumeration():
    """All samples of three from three outcomes, in all orders of two fits."""
    law, n = np.array([0.6, 0.3, 0.1]), 3
    counts = [x for x in product(range(n + 1), repeat=3) if sum(x) == n]
    reached = {tuple(x / n for x in y): multinomial.pmf(y, n, law) for y in counts}
    once = sum(p * c.spread(x) for x, p in reached.items())
    twice = sum(
        p * multinomial.pmf(y, n, x) * c.spread(np.array(y) / n) for x, p in reached.items() for y in counts
    )
    np.testing.assert_allclose([once, twice], c.kept([1, 2], n) * c.spread(law), rtol=1e-12)


@pytest.mark.parametrize(("n", "fits", "fresh"), [(4, 5, 0), (4, 5, 1), (10, 3, 4), (3, 4, 3)])
def test_survival_is_that_of_simulated_loops(n, fits, fresh):
    alive = c.resample(np.random.default_rng(3), LAW, fits, n, 40_000, fresh)[..., 3] > 0
    closed = c.survival(LAW[3], n, fits, fresh)
    assert closed[0] == 1 and closed[1] == pytest.approx(1 - 0.95**n)
    for t in range(1, fits + 1):
        assert checks.consistent(alive[t].astype(float), float(closed[t])).holds


def test_survival_of_two_data_by_hand():
    """With n = 2 a mixed pair stays mixed with probability one half, and a pure one stays for ever."""
    x = 0.3
    both, mixed = x**2, 2 * x * (1 - x)
    closed = [1.0] + [both + mixed * (0.5**t + (1 - 0.5**t) / 2) for t in range(6)]
    np.testing.assert_allclose(c.survival(x, 2, 6), closed)


@pytest.mark.parametrize("unbiased", [False, True])
def test_the_logarithm_drifts_down(unbiased):
    found = c.refit_gaussian(np.random.default_rng(4), 3, 5, 40_000, unbiased=unbiased)
    steps, drift = np.diff(np.log(found.variances), axis=0).ravel(), c.log_drift(5, unbiased)
    assert checks.consistent(steps, drift.mean).holds and drift.mean < 0
    assert c.log_drift(2).mean < 0  # two data have a variance
    assert steps.std() == pytest.approx(drift.sd, rel=0.01)
    if unbiased:
        assert checks.consistent(found.variances[3], 1.0).holds


def test_the_divergence_of_gaussians():
    found = c.refit_gaussian(np.random.default_rng(5), 4, 30, 40_000).kl
    for t in range(1, 5):
        assert checks.consistent(found[t], float(c.gaussian_kl(t, 30))).holds
    assert not checks.consistent(found[4], 1.05 * float(c.gaussian_kl(4, 30))).holds
    assert (found[0] == 0).all() and c.gaussian_kl(0, 30) == 0
    assert c.gaussian_kl(1, 30) == pytest.approx(estimation_kl_reverse(1, 30))
    assert c.gaussian_kl(3, 10**6) == pytest.approx(3e-6, rel=1e-4)  # parameters / (2 n) for every fit


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7])
def test_tempering_is_that_of_the_laws(temperature):
    answer = np.array([0.8, *[0.2 / 3] * 3])
    hot, cold = (x ** (1 / temperature) / (x ** (1 / temperature)).sum() for x in (LAW, answer))
    found = c.tempered(LAW, 0.2, temperature)
    assert float(found.input) == pytest.approx(float(kl(LAW, hot)))
    assert float(found.answer) == pytest.approx(-np.log(cold[0]))


@given(st.floats(0.01, 0.6), st.floats(0.2, 0.95))
def test_the_best_temperature_is_below_one_and_a_verifier_moves_it_to_one(errors, skew):
    law = skew ** np.arange(8)
    grid = np.linspace(0.05, 3, 600)
    found = c.tempered(law / law.sum(), errors, grid)
    assert grid[np.argmin(found.input)] == pytest.approx(1, abs=0.006)
    assert grid[np.argmin(found.input + found.answer)] < 1
    assert (np.diff(found.answer) >= 0).all()


@given(sizes, st.integers(0, 400))
def test_fresh_data_interpolate_between_the_loop_and_one_fit(n, fresh):
    fresh = min(fresh, n)
    x = c.kept(np.arange(60), n, fresh)
    assert (np.diff(x) <= 1e-12).all() and x[0] == 1 and x[1] == pytest.approx(1 - 1 / n)
    floor = c.kept_for_ever(n, fresh)
    assert (x >= floor - 1e-12).all() and c.kept(10**7, n, fresh) == pytest.approx(floor, abs=1e-9)
    if fresh == 0:
        np.testing.assert_allclose(x, (1 - 1 / n) ** np.arange(60.0))
        assert floor == 0
    if fresh == n:
        np.testing.assert_allclose(x[1:], 1 - 1 / n)


@given(sizes, st.integers(0, 200))
def test_accumulating_keeps_eulers_product(n, t):
    x, floor = c.kept_accumulating(np.arange(t + 1), n), c.kept_for_ever(n, accumulate=True)
    assert (np.diff(x) < 0).all() and (x > floor).all() and floor >= 1 - np.pi**2 / (6 * n)
    assert (x >= c.kept(np.arange(t + 1), n) - 1e-12).all()
    assert float(c.kept_accumulating(20_000, n)) == pytest.approx(floor, abs=1e-4 / n)


@given(st.floats(0.01, 0.99), st.integers(1, 40), st.integers(0, 40))
def test_survival_falls_without_fresh_data_and_more_data_help(share, n, fresh):
    alone = c.survival(share, n, 8)
    assert (np.diff(alone) <= 1e-12).all() and (alone >= share - 1e-9).all()
    assert (c.survival(share, n + 1, 8) >= alone - 1e-12).all()
    fresh = min(fresh, n)
    helped = c.survival(share, n, 8, fresh)
    assert (helped[1:] >= 1 - (1 - share) ** fresh - 1e-9).all()


def test_fixation_has_the_outcomes_own_probability():
    assert c.survival(0.3, 6, 200)[-1] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: c.tempered(LAW, 0.0, 1.0), "strictly between"),
        (lambda: c.tempered(LAW, 0.1, -1.0), "positive"),
        (lambda: c.tempered(LAW, 0.1, [1.0, -1.0]), "positive"),
        (lambda: c.tempered([0.5, 0.5, 0.0], 0.1, 1.0), "positive"),
        (lambda: c.tempered(LAW, 1.0, 1.0), "strictly between"),
        (lambda: c.kept([1, -1], 5), "fits are counted"),
        (lambda: c.kept([1, 0.5], 5), "fits are counted"),
        (lambda: c.resample(np.random.default_rng(0), [1.5, -0.5], 2, 5, 1), "probabilities"),
        (lambda: c.kept(-1, 5), "fits are counted"),
        (lambda: c.kept([0.5], 5), "fits are counted"),
        (lambda: c.kept(1, 0), "at least one datum"),
        (lambda: c.kept(1, 5, 6), "between 0 and 5"),
        (lambda: c.kept_for_ever(5, -1), "between 0 and 5"),
        (lambda: c.log_drift(1), "two data"),
        (lambda: c.gaussian_kl(1, 3), "more than three data"),
        (lambda: c.survival(1.0, 5, 2), "strictly between"),
        (lambda: c.resample(np.random.default_rng(0), [0.5, 0.6], 2, 5, 1), "probabilities"),
        (lambda: c.refit_gaussian(np.random.default_rng(0), 2, 5, 1, fresh=6), "between 0 and 5"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
def test_peers_are_of_one_size_and_the_generator_knows_all_open_skills(one_thread):
    size, short = lm.Size(16, 1, 2), Recipe(400, 16, 1e-2)
    setup = lm.Setup(
        own=2, open=4, letters=3, length=2, topic=2, typos=0.1, base=size, generator=size,
        base_recipe=short, generator_recipe=short,
    )  # fmt: skip
    world, again = lm_loop.peers(3, setup), lm_loop.peers(3, setup)
    assert world.base.size == world.generator.size and world.topics == ((2, 3), (3, 4), (4, 5), (5, 2))
    assert (world.losses[1] == again.losses[1]).all()
    base, generator = (lm.kl(m, world.language, world.skills).answer[0] for m in (world.base, world.generator))
    assert generator < 0.6 < base
    with pytest.raises(ValueError, match="one size"):
        lm_loop.peers(3, lm.Setup())
