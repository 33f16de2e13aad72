"""Histogram estimates in single steps: against the compiled engine, the plain oracle, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from bench_gmm import histogram_kl as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rbcore import checks
from rbcore.gmm.cells import Cells, box, cells, chances, compare, draw, histogram_kl, price, self_kl, stray
from rbcore.gmm.released import histogram_gap
from rbcore.gmm.world import Setting, mixtures, simulate

CLOUDS = st.integers(0, 10_000).map(
    lambda s: np.random.default_rng(s).standard_normal((2, 300, 2)) * [3, 1] + s % 7
)
ONE = mixtures([0.3, 0.7], [[0, 0], [5, 2]], [np.eye(2), [[2, 0.5], [0.5, 1]]])


@pytest.fixture(scope="module")
def run():
    return simulate(Setting(), range(60), 3)


@given(CLOUDS)
@settings(max_examples=30, deadline=None)
def test_both_estimates_are_the_oracles(clouds):
    found = compare(*clouds)
    assert found.released == pytest.approx(oracle(*clouds), abs=1e-9)
    assert found.shared == pytest.approx(oracle(*clouds, shared=True), abs=1e-9)


@given(CLOUDS, st.sampled_from(["own", "whole"]))
@settings(max_examples=30, deadline=None)
def test_stray_points_and_the_other_two_sums_make_up_the_estimate(clouds, which):
    within = None if which == "own" else box(*clouds)
    p, q = (cells(cloud, within) for cloud in clouds)
    n, c, b = 300, p.counts, q.counts
    met = (b > 0) & (c > 0)
    rest = (c[met] / n * np.log(c[met] / b[met])).sum() + (stats_xlogx(c[b == 0]) / n).sum()
    assert histogram_kl(p, q) == pytest.approx(rest + stray(p, q) * price(q), abs=1e-5)


def stats_xlogx(x):
    return x * np.log(np.maximum(x, 1))


@given(CLOUDS, st.tuples(st.integers(-50, 50), st.integers(-50, 50)))
@settings(max_examples=30, deadline=None)
def test_separate_boxes_do_not_see_where_the_fit_is(clouds, shift):
    """The same up to rounding at the edges of cells, of which a whole point may be the victim."""
    fit, truth = clouds
    before, after = compare(fit, truth), compare(fit + shift, truth)
    assert after.released == pytest.approx(before.released, abs=0.3)
    far = compare(fit + 1000, truth)
    assert far.shared > 15 and far.overlap == 0


def test_a_round_in_numpy_agrees_with_the_compiled_rounds(run):
    laws = run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture
    engine = histogram_gap(*laws, run.streams)
    rng = np.random.default_rng(0)
    for fit, name in ((1, "anchors"), (2, "synthetic")):
        found = [compare(draw(laws[fit], 1000, rng, b), draw(laws[0], 1000, rng, b)) for b in range(60)]
        for column, estimate in enumerate(("released", "shared")):
            difference = [getattr(one, estimate) for one in found] - getattr(engine, name)[:, column]
            assert checks.consistent(difference, 0.0).holds


def test_draws_have_the_mixtures_moments():
    x = draw(ONE, 200_000, np.random.default_rng(1))
    mean = np.array([0.3, 0.7]) @ ONE.means[0]
    np.testing.assert_allclose(x.mean(axis=0), mean, atol=0.03)
    spread = ONE.means[0] - mean
    law = np.einsum("k,kij->ij", [0.3, 0.7], ONE.covariances[0] + spread[:, :, None] * spread[:, None, :])
    np.testing.assert_allclose(np.cov(x.T), law, rtol=0.03, atol=0.03)


def test_overlap_of_boxes():
    square = np.array([[0.0, 0.0], [2.0, 2.0]])
    for shift, expected in ((0.0, 1.0), (1.0, 1 / 7), (5.0, 0.0)):
        assert compare(square + shift, square).overlap == pytest.approx(expected)


def test_chances_are_the_gaussian_integrals():
    plain = mixtures([1.0], [[1.0, -1.0]], [np.diag([4.0, 1.0])])
    within = np.array([[-9.0, -6.0], [11.0, 4.0]])
    edges = np.linspace(within[0], within[1], 51)
    x, y = (np.diff(stats.norm.cdf(edges[:, i], [1, -1][i], [2, 1][i])) for i in (0, 1))
    np.testing.assert_allclose(chances(plain, within), np.outer(x, y), atol=2e-6)


def test_self_divergence_is_the_mean_of_simulations():
    rng, within = np.random.default_rng(2), np.array([[-5.0, -5.0], [11.0, 8.0]])
    chance, area = chances(ONE, within), float(np.prod((within[1] - within[0]) / 50))
    for n in (50, 400):
        pairs = [rng.multinomial(n, chance.ravel(), 2) for _ in range(400)]
        found = [histogram_kl(*(Cells(c, area) for c in pair)) for pair in pairs]
        closed = self_kl(chance, n, area)
        assert checks.consistent(found, closed).holds
        assert not checks.consistent(found, 1.1 * closed).holds


def test_self_divergence_of_one_cell_is_zero_and_falls_with_more_points():
    assert self_kl([1.0], 10, 1.0) == pytest.approx(0, abs=1e-12)
    values = [self_kl(np.full(100, 0.01), n, 1.0) for n in (10, 100, 1000)]
    assert values[0] > values[1] > values[2] > 0


def test_self_divergence_forgives_cells_that_are_nearly_impossible():
    chance = np.array([1e-310, 1e-200, 0.0, 0.5, 0.5])
    assert self_kl(chance, 1000, 1.0) == pytest.approx(self_kl([0.5, 0.5], 1000, 1.0))


def test_price_is_the_log_of_a_clipped_cell():
    q = Cells(np.array([[4.0, 0.0]]), 0.5)
    assert price(q) == pytest.approx(-np.log(1e-10 * 4 * 0.5))
    assert histogram_kl(Cells(np.array([[0.0, 4.0]]), 0.5), q) == pytest.approx(price(q) + np.log(4), abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: box(np.zeros((4, 3))), "shape"),
        (lambda: self_kl([0.5, 0.4], 10, 1.0), "pmf"),
        (lambda: self_kl([1.5, -0.5], 10, 1.0), "pmf"),
        (lambda: self_kl([1.0], 0, 1.0), "at least 1"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
