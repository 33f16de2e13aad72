"""Gaussian and nearest-neighbour information, and HSIC, against closed forms, scikit-learn and plain sums."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import gaussian_information, gaussian_pair
from scipy import stats
from sklearn.feature_selection import mutual_info_regression

from rbcore.estimate import information as info
from rbcore.estimate import kernel as kernel
from rbcore.estimate.information import gaussian_mi, hsic, ksg

SEED = 20250424
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "d", "rho"), [(60, 1, 0.0), (60, 1, 0.6), (100, 3, 0.0), (100, 3, 0.5), (400, 8, 0.2)]
)
def test_gaussian_is_unbiased_and_covers(n, d, rho):
    rng = np.random.default_rng(SEED)
    truth, repeats = gaussian_information(d, rho), 200
    found = [gaussian_mi(*gaussian_pair(rng, n, d, rho), copula=False) for _ in range(repeats)]
    values = np.array([one.value for one in found])
    assert abs(values.mean() - truth) < 4 * values.std() / math.sqrt(repeats) + 0.01 * truth
    missed = sum(not one.ci[0] <= truth <= max(one.ci[1], 0) for one in found)
    assert missed <= stats.binom.isf(1e-3, repeats, 0.06)
    implied = np.mean([one.ci[1] - one.ci[0] for one in found]) / (2 * 1.96)
    assert implied < 1.4 * values.std() + 1e-9


def test_gaussian_level_and_independence():
    rng = np.random.default_rng(SEED)
    p_values = [gaussian_mi(*gaussian_pair(rng, 80, 3, 0.0), copula=False).p_value for _ in range(300)]
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3
    x, y = gaussian_pair(rng, 500, 2, 0.5)
    wide, narrow = gaussian_mi(x, y, level=0.99), gaussian_mi(x, y, level=0.8)
    assert wide.ci[0] < narrow.ci[0] < narrow.value < narrow.ci[1] < wide.ci[1]


def test_gaussian_one_column_is_the_correlation():
    rng = np.random.default_rng(SEED)
    x, y = gaussian_pair(rng, 5000, 1, 0.7)
    r = np.corrcoef(x[:, 0], y[:, 0])[0, 1]
    plain = gaussian_mi(x, y, copula=False)
    assert plain.value == pytest.approx(-0.5 * math.log(1 - r**2), abs=2 / 5000)
    # the delta method: the standard error of the value is rho / sqrt(n)
    assert (plain.ci[1] - plain.ci[0]) / (2 * 1.96) == pytest.approx(abs(r) / math.sqrt(5000), rel=0.05)


@given(seeds, st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=25, deadline=None)
def test_gaussian_invariances(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x, y = gaussian_pair(rng, 60, 2, 0.4)
    turned = x @ rng.normal(size=(2, 2)) * scale + shift
    assert gaussian_mi(turned, y, copula=False).value == pytest.approx(
        gaussian_mi(x, y, copula=False).value, abs=1e-6
    )
    assert gaussian_mi(np.exp(x), y**3).value == pytest.approx(gaussian_mi(x, y).value, abs=1e-9)
    order = rng.permutation(60)
    assert gaussian_mi(x[order], y[order]).ci == pytest.approx(gaussian_mi(x, y).ci, abs=1e-6)
    assert gaussian_mi(y, x).value == pytest.approx(gaussian_mi(x, y).value, abs=1e-9)


def test_gaussian_degenerate():
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(50, 2))
    assert "infinite" in gaussian_mi(x, x[:, 0]).warning
    assert "too few" in gaussian_mi(rng.normal(size=(20, 10)), rng.normal(size=(20, 10))).warning
    assert "constant" in gaussian_mi(x, np.ones(50)).warning
    doubled = gaussian_mi(np.column_stack([x, x[:, 0]]), rng.normal(size=50))
    assert "combinations" in doubled.warning and math.isfinite(doubled.value)
    assert "repeat" in gaussian_mi(rng.integers(0, 3, 50), rng.integers(0, 3, 50)).warning
    with pytest.raises(ValueError, match="row by row"):
        gaussian_mi(x, x[:40])


@pytest.mark.parametrize("k", [3, 5])
def test_ksg_is_scikit_learns_in_one_dimension(k):
    rng = np.random.default_rng(SEED)
    for rho in (0.3, 0.9):
        x, y = gaussian_pair(rng, 700, 1, rho)
        oracle = mutual_info_regression(x, y[:, 0], n_neighbors=k, random_state=0)[0]
        assert ksg(x, y, k).value == pytest.approx(oracle, abs=1e-6)


def test_ksg_counts_are_those_of_all_pairs():
    rng = np.random.default_rng(SEED)
    for d in (1, 3):
        x = rng.normal(size=(200, d))
        radius = rng.uniform(0, 1, 200)
        radius[:50] = np.abs(x[:50] - x[50:100]).max(axis=1)  # exactly at another row
        apart = np.abs(x[:, None] - x[None]).max(axis=2)
        np.fill_diagonal(apart, np.inf)
        np.testing.assert_array_equal(info._closer(x, radius), (apart < radius[:, None]).sum(axis=1))


@pytest.mark.slow
@pytest.mark.parametrize(("d", "rho", "n"), [(1, 0.0, 300), (1, 0.7, 300), (2, 0.5, 400)])
def test_ksg_is_near_and_covers(d, rho, n):
    rng = np.random.default_rng(SEED)
    truth, repeats = gaussian_information(d, rho), 60
    found = [ksg(*gaussian_pair(rng, n, d, rho)) for _ in range(repeats)]
    assert np.mean([one.value for one in found]) == pytest.approx(truth, abs=0.025)
    assert sum(not one.ci[0] <= truth <= one.ci[1] for one in found) <= stats.binom.isf(1e-3, repeats, 0.07)


@pytest.mark.slow
def test_ksg_warns():
    rng = np.random.default_rng(SEED)
    assert "still biased" in ksg(*gaussian_pair(rng, 1500, 5, 0.8)).warning
    assert "too few" in ksg(*gaussian_pair(rng, 200, 10, 0.5)).warning
    assert "continuous" in ksg(rng.integers(0, 4, 200), rng.normal(size=200)).warning
    with pytest.raises(ValueError, match="quarter"):
        ksg(rng.normal(size=20), rng.normal(size=20), k=5)


@given(seeds, st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_ksg_invariances(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x, y = gaussian_pair(rng, 50, 2, 0.5)
    order = rng.permutation(50)
    value = ksg(x, y).value
    assert ksg(scale * x[order] + shift, y[order]).value == pytest.approx(
        value, abs=0.02
    )  # rounding may make ties
    assert ksg(y, x).value == pytest.approx(value, abs=1e-9)


def naive_hsic(x, y):
    """The unbiased HSIC as a mean over quadruples, by the matrix formula; widths are medians of all distances."""
    grams = []
    for z in (x, y):
        z = (z - z.mean(axis=0)) / z.std(axis=0)
        squares = ((z[:, None] - z[None]) ** 2).sum(axis=2)
        width = np.median(np.sqrt(squares[np.triu_indices(len(z), 1)]))
        grams.append(np.exp(-squares / (2 * width**2)) - np.eye(len(z)))
    K, L = grams
    n = len(x)
    one = np.ones(n)
    trace = np.trace(K @ L)
    third = (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
    return (trace + third - 2 / (n - 2) * (one @ K @ L @ one)) / (n * (n - 3))


@pytest.mark.parametrize("bytes_", [2**25, 2**12])
def test_hsic_in_blocks_is_the_plain_sum(bytes_, monkeypatch):
    monkeypatch.setattr(kernel, "BLOCK_BYTES", bytes_)
    rng = np.random.default_rng(SEED)
    x, y = gaussian_pair(rng, 150, 3, 0.5)
    found = hsic(x, y, rng, permutations=0, method="blocks")
    assert found.value == pytest.approx(naive_hsic(x, y), rel=1e-9)
    widths = kernel.bandwidth(x, rng), kernel.bandwidth(y, rng)
    _, without = info._exact(x, y, widths)
    for row in (0, 77, 149):
        rest = np.arange(150) != row
        assert without[row] == pytest.approx(info._exact(x[rest], y[rest], widths)[0], rel=1e-9)


def test_hsic_permuted_is_hsic_of_permuted_rows():
    rng = np.random.default_rng(SEED)
    x, y = gaussian_pair(rng, 60, 2, 0.5)
    widths = kernel.bandwidth(x, rng), kernel.bandwidth(y, rng)
    found = info._null_kept(x, y, widths, np.random.default_rng(1), 3)
    again = np.random.default_rng(1)
    expected = [
        info._exact(x, y[order], widths)[0] for order in (np.arange(60), *(again.permutation(60) for _ in "abc"))
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["blocks", "features"])
def test_hsic_test_keeps_its_level_and_has_power(method):
    rng = np.random.default_rng(SEED)
    p_values = [hsic(*gaussian_pair(rng, 40, 2, 0.0), rng, 19, method).p_value for _ in range(300)]
    counts = np.bincount(np.rint(20 * np.array(p_values)).astype(int), minlength=21)[1:]
    assert stats.chisquare(counts).pvalue > 1e-3
    x = rng.normal(size=300)
    assert hsic(x, x**2 + rng.normal(size=300) / 4, rng, 99, method).p_value == 0.01


def test_hsic_over_groups_agrees_with_all_pairs(monkeypatch):
    monkeypatch.setattr(info, "GROUP", 100)
    rng = np.random.default_rng(SEED)
    x, y = gaussian_pair(rng, 1000, 2, 0.5)
    whole, grouped = (hsic(x, y, rng, 20, method) for method in ("blocks", "features"))
    assert grouped.value != whole.value
    assert grouped.ci[0] < whole.value < grouped.ci[1]
    assert (grouped.ci[1] - grouped.ci[0]) / (whole.ci[1] - whole.ci[0]) == pytest.approx(1, abs=0.4)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.3])
def test_hsic_covers(rho):
    rng = np.random.default_rng(SEED)
    truth = hsic(*gaussian_pair(rng, 4000, 1, rho), rng, 0, "blocks").value if rho else 0.0
    found = [hsic(*gaussian_pair(rng, 150, 1, rho), rng, 0) for _ in range(120)]
    assert sum(not one.ci[0] <= truth <= one.ci[1] for one in found) <= stats.binom.isf(1e-3, 120, 0.06)


def test_hsic_degenerate():
    rng = np.random.default_rng(SEED)
    assert "constant" in hsic(np.ones(50), rng.normal(size=50), rng).warning
    with pytest.raises(ValueError, match="method"):
        hsic(rng.normal(size=50), rng.normal(size=50), rng, method="exact")


def test_a_column_that_only_rounding_moves_is_constant():
    column = np.array([0.1 + 0.2, 0.3, 0.3, 0.15 + 0.15])
    found = info.standardized(np.stack([column, [1.0, 2.0, 3.0, 4.0]], axis=1))
    assert np.ptp(column) > 0 and (found[:, 0] == 0).all()
    assert found[:, 1].std() == pytest.approx(1)
