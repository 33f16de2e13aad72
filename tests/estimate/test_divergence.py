"""Bounds of TV and KL hold for known laws; MMD and the overlap of supports against plain sums over all pairs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import LinearSVC

from rbcore.estimate import classifier as classifiers
from rbcore.estimate import divergence as divergence
from rbcore.estimate import kernel as kernel
from rbcore.estimate.divergence import (
    event_masses,
    expected_for_same_law,
    kl_ratio,
    mmd,
    precision_recall_coverage,
    tv_event,
    tv_lower,
)

SEED = 20250424


def shifted(rng, n, m, d, shift):
    """Two standard normal samples of n and m rows, the second shifted in its first column."""
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    y[:, 0] += shift
    return x, y


def tv(shift):
    return 2 * stats.norm.cdf(shift / 2) - 1


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "n", "m", "classifier"), [(0.0, 30, 40, "linear"), (0.5, 60, 30, "linear")])
def test_tv_bound_is_valid(shift, n, m, classifier):
    rng = np.random.default_rng(SEED)
    repeats = 80
    found = [tv_lower(*shifted(rng, n, m, 2, shift), rng, 0.8, classifier) for _ in range(repeats)]
    assert sum(one.ci[0] > tv(shift) for one in found) <= stats.binom.isf(1e-3, repeats, 0.2)
    assert all(one.sided == "lower" and one.ci[1] == 1 and one.ci[0] <= one.value for one in found)


@pytest.mark.slow
def test_event_masses_hold_and_are_those_of_clopper_and_pearson():
    rng = np.random.default_rng(SEED)
    for p, q in ((0.5, 0.5), (0.02, 0.05), (0.3, 0.6)):
        x, y = (rng.random((1000, 40)) < share for share in (p, q))
        missed = sum(event_masses(one, other, 0.8)[0].ci[0] > q - p for one, other in zip(x, y, strict=True))
        assert missed <= stats.binom.isf(1e-3, 1000, 0.2)
    inside_x, inside_y = np.arange(50) < 5, np.arange(80) < 60
    bound, share_x, share_y = event_masses(inside_x, inside_y, 0.95)
    upper = stats.binomtest(5, 50, alternative="less").proportion_ci(0.975).high
    lower = stats.binomtest(60, 80, alternative="greater").proportion_ci(0.975).low
    assert bound.ci[0] == pytest.approx(lower - upper, abs=1e-9)
    assert bound.value == pytest.approx(0.75 - 0.1) and bound.d == 1
    assert (share_x.value, share_y.value) == (0.1, 0.75)
    assert share_y.ci == pytest.approx(tuple(stats.binomtest(60, 80).proportion_ci(0.95)), abs=1e-9)


def test_tv_bound_comes_near():
    rng = np.random.default_rng(SEED)
    event = tv_event(*shifted(rng, 4000, 4000, 3, 1.0), rng)
    assert event.bound.value == pytest.approx(tv(1.0), abs=0.05)
    assert event.bound.ci[0] > tv(1.0) - 0.1
    assert event.share_y.value - event.share_x.value == pytest.approx(event.bound.value)
    fresh = rng.normal(size=(20_000, 3))
    assert event.holds(fresh).mean() == pytest.approx(event.share_x.value, abs=0.03)


def test_one_row_may_be_asked_for():
    rng = np.random.default_rng(SEED)
    event = tv_event(*shifted(rng, 100, 100, 1, 5.0), rng)
    assert event.holds([[10.0]]).tolist() == [True] and event.holds([[-10.0]]).tolist() == [False]


def test_the_interval_of_mmd_does_not_depend_on_which_sample_is_first():
    x, y = shifted(np.random.default_rng(SEED), 40, 40, 2, 1.0)
    y = y * [3.0, 1.0]
    one, other = (mmd(*both, np.random.default_rng(1), 0, "blocks").ci for both in ((x, y), (y, x)))
    assert one == pytest.approx(other, rel=1e-6)


@pytest.mark.slow
def test_auto_sees_spread_and_shape():
    rng = np.random.default_rng(SEED)
    x, y = rng.normal(size=(2000, 2)), 0.5 * rng.normal(size=(2000, 2))
    assert tv_lower(x, y, rng).ci[0] < 0.1
    seen = tv_event(x, y, rng, classifier="auto")
    assert seen.classifier == "quadratic" and seen.bound.ci[0] > 0.3
    x, y = rng.uniform(-1, 1, size=(2000, 2)), rng.uniform(-1, 1, size=(2000, 2))
    y[:, 1] = np.abs(y[:, 1]) * np.sign(np.sin(6 * y[:, 0]))  # a checkerboard
    seen = tv_event(x, y, rng, classifier="auto")
    assert seen.classifier == "boosted" and seen.bound.ci[0] > 0.35


def test_any_classifier_may_be_given():
    rng = np.random.default_rng(SEED)
    x, y = shifted(rng, 300, 200, 2, 2.0)
    for classifier in (RidgeClassifier(), LinearSVC(), HistGradientBoostingClassifier(max_iter=10)):
        event = tv_event(x, y, rng, classifier=classifier)
        assert event.bound.ci[0] > 0.3 and event.classifier == type(classifier).__name__
        assert not hasattr(classifier, "classes_")  # the one handed in is left alone


def test_threshold_is_the_best_cut():
    rng = np.random.default_rng(SEED)
    for _ in range(50):
        labels = rng.permutation(np.repeat([0, 1], [12, 20]))
        scores = rng.integers(0, 8, 32) + 0.5 * labels * rng.integers(0, 3, 32)
        cut = divergence._threshold(scores, labels)
        gains = [np.mean(scores[labels == 1] >= c) - np.mean(scores[labels == 0] >= c) for c in np.unique(scores)]
        assert np.mean(scores[labels == 1] >= cut) - np.mean(scores[labels == 0] >= cut) == pytest.approx(
            max(gains)
        )


@pytest.mark.slow
def test_kl_is_a_lower_estimate():
    rng = np.random.default_rng(SEED)
    repeats = 40
    for shift in (0.0, 1.0):
        found = [kl_ratio(*shifted(rng, 200, 300, 2, shift), rng, 0.9, "linear") for _ in range(repeats)]
        assert sum(one.ci[0] > shift**2 / 2 for one in found) <= stats.binom.isf(1e-3, repeats, 0.12)
        assert np.mean([one.value for one in found]) <= shift**2 / 2 + 0.02
    assert np.mean([one.value for one in found]) > 0.4
    # not symmetric: KL(N(0, 1) || N(0, s^2)) = log s + 1 / (2 s^2) - 1 / 2
    x, y = rng.normal(size=(6000, 1)), 1.5 * rng.normal(size=(6000, 1))
    for one, other, s in ((x, y, 1.5), (y, x, 1 / 1.5)):
        truth = math.log(s) + 1 / (2 * s**2) - 0.5
        assert kl_ratio(one, other, rng, classifier="quadratic").value == pytest.approx(truth, abs=0.06)


@pytest.mark.slow
def test_kl_warns():
    rng = np.random.default_rng(SEED)
    far = kl_ratio(*shifted(rng, 300, 300, 1, 12.0), rng)
    assert "overlap" in far.warning and far.ci[1] == math.inf
    assert "weights" in kl_ratio(*shifted(rng, 300, 300, 1, 4.0), rng).warning
    with pytest.raises(ValueError, match="predict_proba"):
        kl_ratio(*shifted(rng, 30, 30, 1, 0.0), rng, classifier=RidgeClassifier())


def naive_mmd(x, y):
    z = np.concatenate([x, y])
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    apart = cdist(z, z)
    K = np.exp(-(apart**2) / (2 * np.median(apart[np.triu_indices(len(z), 1)]) ** 2))
    n, m = len(x), len(y)
    xx, yy, xy = K[:n, :n], K[n:, n:], K[:n, n:]
    return (xx.sum() - n) / (n * (n - 1)) + (yy.sum() - m) / (m * (m - 1)) - 2 * xy.mean()


@pytest.mark.parametrize("bytes_", [2**25, 2**12])
def test_mmd_in_blocks_is_the_plain_sum(bytes_, monkeypatch):
    monkeypatch.setattr(kernel, "BLOCK_BYTES", bytes_)
    rng = np.random.default_rng(SEED)
    x, y = shifted(rng, 90, 60, 3, 0.7)
    found = mmd(x, y, rng, 50, "blocks")
    assert found.value == pytest.approx(naive_mmd(x, y), rel=1e-9)
    every_landmark = mmd(x, y, rng, 50, "features")
    assert every_landmark.value == pytest.approx(found.value, rel=1e-3)


def test_mmd_permutations_are_mmds_of_permuted_rows():
    rng = np.random.default_rng(SEED)
    z = rng.normal(size=(50, 2))
    marks = np.zeros((50, 3), np.float32)
    for column in marks.T:
        column[rng.permutation(50)[:20]] = 1
    first, second, within, touching = divergence._mmd_sums(z, 20, 1.3, marks)
    K = kernel.gaussian(z, z, 1.3) - np.eye(50)
    for column, inside, edge in zip(marks.T.astype(bool), within, touching, strict=True):
        assert inside == pytest.approx(K[np.ix_(column, column)].sum(), rel=1e-5)
        assert edge == pytest.approx(K[column].sum(), rel=1e-5)
    np.testing.assert_allclose(first + second, K.sum(axis=1))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["blocks", "features"])
def test_mmd_test_keeps_its_level_and_has_power(method):
    rng = np.random.default_rng(SEED)
    p_values = [mmd(*shifted(rng, 30, 20, 2, 0.0), rng, 19, method).p_value for _ in range(300)]
    counts = np.bincount(np.rint(20 * np.array(p_values)).astype(int), minlength=21)[1:]
    assert stats.chisquare(counts).pvalue > 1e-3
    assert mmd(rng.normal(size=(200, 2)), 1.6 * rng.normal(size=(200, 2)), rng, 99, method).p_value == 0.01


@pytest.mark.slow
def test_mmd_covers():
    rng = np.random.default_rng(SEED)
    for shift in (0.0, 0.5):
        truth = mmd(*shifted(rng, 4000, 4000, 1, shift), rng, 0).value if shift else 0.0
        found = [mmd(*shifted(rng, 100, 80, 1, shift), rng, 0) for _ in range(100)]
        assert sum(not one.ci[0] <= truth <= one.ci[1] for one in found) <= stats.binom.isf(1e-3, 100, 0.06)
        assert np.mean([one.value for one in found]) == pytest.approx(truth, abs=0.01)


def naive_overlap(real, fake, k):
    """Precision, recall and coverage by the matrices of all distances."""
    radius = [np.sort(cdist(z, z), axis=1)[:, k] for z in (real, fake)]
    apart = cdist(real, fake)
    return (
        (apart <= radius[0][:, None]).any(axis=0).mean(),
        (apart <= radius[1]).any(axis=1).mean(),
        (apart.min(axis=1) <= radius[0]).mean(),
    )


@pytest.mark.parametrize(("d", "shift"), [(2, 1.0), (12, 3.0)])
def test_overlap_is_that_of_all_pairs(d, shift):
    rng = np.random.default_rng(SEED)
    real, fake = shifted(rng, 150, 150, d, shift)
    found = precision_recall_coverage(real, fake, 4, rng=rng)
    assert [one.value for one in found] == pytest.approx(naive_overlap(real, fake, 4), abs=1e-9)
    assert [one.name for one in found] == ["precision", "recall", "coverage"]
    rows, near = np.sort(rng.choice(150, 75, replace=False)), divergence._nearest(real, 40)
    half = divergence._radii(near, rows, 4)
    np.testing.assert_allclose(np.sqrt(half), np.sort(cdist(real[rows], real[rows]), axis=1)[:, 4], rtol=1e-5)


def test_overlap_intervals_cover_the_expectation():
    rng = np.random.default_rng(SEED)
    found = [precision_recall_coverage(*shifted(rng, 150, 150, 4, 1.5), rng=rng) for _ in range(60)]
    for which in range(3):
        truth = np.mean([one[which].value for one in found])
        missed = sum(not one[which].ci[0] <= truth <= one[which].ci[1] for one in found)
        assert missed <= stats.binom.isf(1e-3, 60, 0.06)


def test_overlap_sees_collapse_and_invention():
    rng = np.random.default_rng(SEED)
    real = rng.normal(size=(800, 2))
    narrow, wide = 0.2 * rng.normal(size=(500, 2)), 4 * rng.normal(size=(500, 2))
    same = expected_for_same_law(real, rng=rng)
    collapsed = precision_recall_coverage(real, narrow, rng=rng)
    invented = precision_recall_coverage(real, wide, rng=rng)
    assert collapsed.precision.value > 0.95 and collapsed.recall.ci[1] < same.recall.ci[0]
    assert invented.precision.ci[1] < same.precision.ci[0]
    assert same.coverage.value > 0.9 and same.coverage.n == 400


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=15, deadline=None)
def test_units_and_origin_do_not_matter(seed, scale, shift):
    x, y = shifted(np.random.default_rng(seed), 40, 40, 2, 1.0)
    moved = scale * x + shift, scale * y + shift
    for estimator in (mmd, tv_lower):
        first, second = (estimator(*data, np.random.default_rng(seed)) for data in ((x, y), moved))
        assert second.value == pytest.approx(first.value, abs=1e-6)
    first, second = (precision_recall_coverage(*data, rng=np.random.default_rng(seed)) for data in ((x, y), moved))
    assert [one.value for one in second] == pytest.approx([one.value for one in first], abs=0.03)  # float32


def test_arguments():
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(40, 2))
    for estimator in (tv_lower, kl_ratio, mmd):
        with pytest.raises(ValueError, match="same columns"):
            estimator(x, x[:, :1], rng)
    with pytest.raises(ValueError, match="classifier must be"):
        tv_lower(x, x, rng, classifier="forest")
    with pytest.raises(ValueError, match="needs fit"):
        tv_lower(x, x, rng, classifier=3)
    with pytest.raises(ValueError, match="y: at least 10 rows"):
        tv_lower(x, x[:9], rng)
    assert tv_lower(x, x[:10], rng).value <= 1
    with pytest.raises(ValueError, match="at least 10 rows for two halves, one has half of 4"):
        classifiers.choose("linear", x, np.arange(40) < 4, rng)
    with pytest.raises(ValueError, match="method"):
        mmd(x, x, rng, method="fast")
    with pytest.raises(ValueError, match="quarter"):
        precision_recall_coverage(x, x, 10, rng=rng)
    with pytest.raises(ValueError, match="at least one row"):
        event_masses([], [True])
    assert "equal" in mmd(np.ones((20, 1)), np.ones((20, 1)), rng).warning
    overlap = precision_recall_coverage(np.ones((60, 1)), x[:, :1].repeat(2, axis=0), rng=rng)
    assert all("repeat" in one.warning for one in overlap)
