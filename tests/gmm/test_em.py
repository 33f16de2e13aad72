"""Expectation-maximization: scikit-learn is the oracle, step for step and over many data sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from rbcore import checks
from rbcore.gmm.em import fit, kmeans
from rbcore.gmm.loops import cholesky, exp


def data(seed: int, n: int, k: int, d: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres, labels = 10 * rng.random((k, d)), rng.integers(0, k, n)
    return centres[labels] + np.einsum("nij,nj->ni", rng.random((k, d, d))[labels], rng.standard_normal((n, d)))


def rngs(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, i]) for i in range(count)]


def by_scikit_learn(points: np.ndarray, labels: np.ndarray, k: int) -> GaussianMixture:
    """scikit-learn's EM from the parameters that the labels give."""
    share = np.eye(k)[labels]
    held = share.sum(axis=0)
    means = share.T @ points / held[:, None]
    centred = points[:, None] - means
    laws = np.einsum("nc,nci,ncj->cij", share, centred, centred) / held[:, None, None] + 1e-6 * np.eye(
        points.shape[1]
    )
    start = {"weights_init": held / len(points), "means_init": means, "precisions_init": np.linalg.inv(laws)}
    return GaussianMixture(k, **start).fit(points)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k", "d"), [(60, 2, 1), (100, 2, 2), (200, 6, 2), (200, 19, 2), (150, 3, 7)])
def test_every_step_is_scikit_learns(n, k, d):
    for seed in range(3):
        points, labels = data(seed, n, k, d), np.random.default_rng(seed).permutation(np.arange(n) % k)
        ours, oracle = fit(points, k, rngs(1), labels=labels), by_scikit_learn(points, labels, k)
        assert ours.iterations[0] == oracle.n_iter_ and ours.converged[0] == oracle.converged_
        np.testing.assert_allclose(ours.mixture.weights[0], oracle.weights_, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(ours.mixture.means[0], oracle.means_, rtol=1e-6)
        np.testing.assert_allclose(ours.mixture.covariances[0], oracle.covariances_, rtol=1e-5, atol=1e-9)
        assert ours.log_likelihood[0] == pytest.approx(oracle.score(points), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k", "count"), [(100, 2, 150), (200, 6, 100)])
def test_from_its_own_starts_it_reaches_scikit_learns_likelihood(n, k, count):
    """The mean difference is zero within its interval, and the interval is narrow."""
    points = np.stack([data(i, n, k, 2) for i in range(count)])
    ours = fit(points, k, rngs(count)).log_likelihood
    oracle = [GaussianMixture(k, random_state=i).fit(x).score(x) for i, x in enumerate(points)]
    check = checks.consistent(ours - oracle, 0.0)
    assert check.holds and check.tolerance < 0.12
    assert not checks.consistent(ours - oracle + 0.15, 0.0).holds


@pytest.mark.slow
def test_kmeans_finds_clusters_as_good_as_scikit_learns():
    count, k = 150, 6
    points = [data(i, 200, k, 2) for i in range(count)]

    def inertia(x: np.ndarray, labels: np.ndarray) -> float:
        return sum(((x[labels == c] - x[labels == c].mean(axis=0)) ** 2).sum() for c in np.unique(labels))

    ours = np.array([inertia(x, kmeans(x, k, rng)) for x, rng in zip(points, rngs(count), strict=True)])
    oracle = [inertia(x, KMeans(k, n_init=1, random_state=i).fit(x).labels_) for i, x in enumerate(points)]
    check = checks.consistent(np.log(ours / oracle), 0.0)
    assert check.holds and check.tolerance < 0.15


def test_kmeans_labels_are_nearest_to_their_means():
    x = data(3, 120, 4, 3)
    labels = kmeans(x, 4, np.random.default_rng(0))
    means = np.stack([x[labels == c].mean(axis=0) for c in range(4)])
    np.testing.assert_array_equal(labels, ((x[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1))


def test_the_likelihood_is_that_of_the_points_under_the_fit():
    x = data(1, 80, 3, 2)
    found = fit(x, 3, rngs(1))
    w, m, s = (part[0] for part in found.mixture)
    joint = [np.log(w[c]) + multivariate_normal(m[c], s[c]).logpdf(x) for c in range(3)]
    assert found.log_likelihood[0] == pytest.approx(logsumexp(joint, axis=0).mean(), rel=1e-10)


def test_a_fit_does_not_depend_on_its_batch():
    points = np.stack([data(i, 60, 3, 2) for i in range(5)])
    together = fit(points, 3, rngs(5))
    alone = fit(points[3], 3, rngs(5)[3:4])
    for a, b in zip(together.mixture, alone.mixture, strict=True):
        np.testing.assert_array_equal(a[3], b[0])


def test_more_starts_never_lose_likelihood_and_sometimes_gain():
    points = np.stack([data(i, 100, 6, 2) for i in range(40)])
    one, many = (fit(points, 6, rngs(40), restarts=r).log_likelihood for r in (1, 8))
    assert (many >= one).all() and (many > one + 0.01).sum() >= 10


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-1e3, 1e3), k=st.integers(1, 5), d=st.integers(1, 4))
def test_a_fit_is_a_mixture_and_moves_with_the_points(seed, shift, k, d):
    x = data(seed, 40, k, d)
    here, there = (fit(x + a, k, rngs(1, seed)) for a in (0.0, shift))
    weights, _, laws = here.mixture
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
    assert (np.linalg.eigvalsh(laws) > 0).all()
    assert there.log_likelihood == pytest.approx(here.log_likelihood, abs=1e-5)


@pytest.mark.filterwarnings("error")
def test_components_without_points_are_reported_and_harmless():
    """Three distinct points hold at most three of five components."""
    x = np.repeat([[0.0, 0.0], [1.0, 0.0], [5.0, 5.0]], 10, axis=0)
    found = fit(x, 5, rngs(1))
    assert found.empty[0] >= 2
    assert all(np.isfinite(part).all() for part in found.mixture) and np.isfinite(found.log_likelihood[0])
    assert (np.linalg.eigvalsh(found.mixture.covariances) > 0).all()


def test_an_unfinished_fit_says_so():
    found = fit(data(0, 200, 6, 2), 6, rngs(1), max_iter=2, tol=1e-12)
    assert not found.converged[0] and found.iterations[0] == 2


def test_the_vector_exponential_is_accurate():
    x = np.concatenate([np.linspace(-700, 700, 4001), np.linspace(-1, 1, 2001)])
    np.testing.assert_allclose([exp(v) for v in x], np.exp(x), rtol=1e-15)
    assert exp(-1e6) < 1e-300


@given(seed=st.integers(0, 1000), d=st.integers(1, 6))
def test_cholesky_is_numpys(seed, d):
    a = np.random.default_rng(seed).standard_normal((d, d + 1))
    lower = np.empty((d, d))
    half = cholesky(a @ a.T, 1e-300, lower)
    np.testing.assert_allclose(lower, np.linalg.cholesky(a @ a.T), rtol=1e-6, atol=1e-8)
    assert 2 * half == pytest.approx(np.linalg.slogdet(a @ a.T)[1], rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": np.zeros(3)}, "data sets, points, dimensions"),
        ({"points": np.zeros((1, 5, 0))}, "data sets, points, dimensions"),
        ({"points": np.full((1, 5, 2), np.nan)}, "NaN"),
        ({"k": 0}, "at least 1"),
        ({"k": 6}, "at most the 5 points"),
        ({"rngs": []}, "one generator"),
        ({"restarts": 0}, "at least 1"),
        ({"reg": 0.0}, "positive"),
        ({"tol": np.nan}, "positive"),
        ({"k": 1.5}, "k is a number of components"),
        ({"labels": np.full((1, 5), 2)}, "labels are integers"),
        ({"labels": [0, 1]}, "labels has the shape"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    arguments = {"points": np.zeros((1, 5, 2)), "k": 2, "rngs": rngs(1)} | change
    with pytest.raises(ValueError, match=message):
        fit(**arguments)
