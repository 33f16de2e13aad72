"""The mixture world: laws of covariances, what the generator knows, reproducible draws, bad parameters."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy.linalg import sqrtm

from rbcore import checks
from rbcore.gmm.theory import mean_variance
from rbcore.gmm.world import Setting, configuration_seed, covariances, factors, mixtures, simulate


def test_released_covariance_is_what_numpy_draws_from_an_unsymmetric_product():
    """numpy.random.multivariate_normal factors C = U S V and draws with covariance V^T S V = (C^T C)^(1/2)."""
    rng = np.random.default_rng(1)
    uniform = rng.random((4, 2))
    product = uniform[:2] @ uniform[2:].T
    law = covariances(Setting(), uniform)
    np.testing.assert_allclose(law, sqrtm(product.T @ product), atol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = np.random.RandomState(1).multivariate_normal(np.zeros(2), product, 400_000)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        assert checks.consistent(x[:, i] * x[:, j], law[i, j]).holds
    symmetric = (product + product.T) / 2
    assert not checks.consistent(x[:, 0] * x[:, 1], symmetric[0, 1]).holds


@pytest.mark.parametrize("law", ["released", "gram", "wishart"])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_covariances_are_valid_with_the_stated_mean(law, d):
    run = simulate(Setting(d=d, covariance=law, variance=2.0, K=1, J=20, L=0), range(100), 3)
    laws = run.truth.covariances
    np.testing.assert_array_equal(laws, laws.swapaxes(-1, -2))
    assert (np.linalg.eigvalsh(laws) > -1e-12).all()
    mean = laws.trace(axis1=-2, axis2=-1).mean(axis=1) / d
    assert checks.consistent(mean, 2 * mean_variance(run.setting)).holds


def test_factors_are_roots_even_of_singular_matrices():
    singular = np.array([[1.0, 1.0], [1.0, 1.0]])
    root = factors(singular)
    np.testing.assert_allclose(root @ root.T, singular, atol=1e-12)


def test_generator_knows_what_it_should():
    run = simulate(Setting(K=3, J=4, L=2, anchors=30), range(5), 0)
    assert run.truth.means.shape == (5, 7, 2) and run.generator.means.shape == (5, 9, 2)
    assert run.anchors.shape == (5, 90, 2) and run.synthetic.shape == (5, 200, 2)
    for b in range(5):
        for k in range(3):
            mine = run.anchors[b, 30 * k : 30 * (k + 1)]
            np.testing.assert_allclose(run.generator.means[b, k], mine.mean(axis=0))
            np.testing.assert_allclose(run.generator.covariances[b, k], np.cov(mine.T) + 1e-6 * np.eye(2))
    np.testing.assert_array_equal(run.generator.means[:, 3:7], run.truth.means[:, 3:])
    np.testing.assert_array_equal(run.generator.covariances[:, 3:7], run.truth.covariances[:, 3:])
    np.testing.assert_allclose(run.generator.weights, 1 / 9)


def test_anchors_have_the_law_of_their_component():
    run = simulate(Setting(K=2, J=0, L=0, anchors=500, covariance="wishart"), range(60), 5)
    points = run.anchors.reshape(60, 2, 500, 2) - run.truth.means[:, :2, None]
    white = np.einsum("bkij,bknj->bkni", np.linalg.inv(np.linalg.cholesky(run.truth.covariances)), points)
    assert checks.consistent(white.ravel(), 0.0).holds
    assert checks.consistent((white**2).ravel(), 1.0).holds
    assert checks.consistent((white[..., 0] * white[..., 1]).ravel(), 0.0).holds


def test_synthetic_data_have_the_law_of_the_generator():
    run = simulate(Setting(synthetic=4000, covariance="wishart"), range(40), 6)
    w, m, s = run.generator
    mean = np.einsum("bk,bki->bi", w, m)
    assert checks.consistent((run.synthetic.mean(axis=1) - mean).ravel(), 0.0).holds
    second = np.einsum("bk,bkii->b", w, s) + np.einsum("bk,bki,bki->b", w, m, m)
    assert checks.consistent(((run.synthetic**2).sum(axis=-1).mean(axis=1) - second), 0.0).holds


def test_a_rough_generator_is_off_by_what_was_asked():
    exact, rough = Setting(J=50), Setting(J=50, mean_error=0.5, covariance_error=0.3)
    run = simulate(rough, range(40), 1)
    off = run.generator.means[:, 2:52] - run.truth.means[:, 2:]
    assert checks.consistent((off**2).ravel(), 0.25).holds
    scale = np.log(run.generator.covariances[:, 2:52, 0, 0] / run.truth.covariances[:, 2:, 0, 0])
    assert checks.consistent((scale**2).ravel(), 0.09).holds
    run = simulate(exact, range(2), 1)
    np.testing.assert_array_equal(run.generator.means[:, 2:52], run.truth.means[:, 2:])


def test_weights_are_equal_or_dirichlet():
    assert np.ptp(simulate(Setting(), range(3), 0).truth.weights) == 0
    weights = simulate(Setting(K=2, J=2, concentration=2.0), range(2000), 0).truth.weights
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert checks.consistent(weights[:, 0], 0.25).holds
    assert checks.consistent((weights[:, 0] - 0.25) ** 2, 0.25 * 0.75 / 9).holds


def test_a_configuration_depends_on_seed_setting_and_repeat_alone():
    setting = Setting(L=3)
    together, alone = simulate(setting, [7, 1, 4], 2), simulate(setting, [4], 2)
    np.testing.assert_array_equal(together.synthetic[2], alone.synthetic[0])
    for a, b in zip(together.synthetic_fit.mixture, alone.synthetic_fit.mixture, strict=True):
        np.testing.assert_array_equal(a[2], b[0])
    others = [simulate(setting, [4], 3), simulate(setting, [5], 2), simulate(Setting(L=3, reg=1e-5), [4], 2)]
    assert all((other.synthetic != alone.synthetic).any() for other in others)
    assert configuration_seed(1, setting, 0).spawn_key != configuration_seed(1, setting, 1).spawn_key


@pytest.mark.parametrize("law", ["released", "gram", "wishart"])
@pytest.mark.parametrize("d", [1, 3, 64])
def test_any_dimension_works(law, d):
    run = simulate(Setting(d=d, covariance=law), [0], 0)
    assert all(np.isfinite(part).all() for part in (*run.anchor_fit.mixture, *run.synthetic_fit.mixture))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"K": 0}, "K is a whole number, at least 1"),
        ({"K": 2.5}, "K is a whole number"),
        ({"K": True}, "K is a whole number"),
        ({"J": -1}, "J is a whole number, at least 0"),
        ({"L": -1}, "L is a whole number"),
        ({"d": 0}, "d is a whole number, at least 1"),
        ({"d": math.nan}, "d is a whole number"),
        ({"anchors": 1}, "anchors is a whole number, at least 2"),
        ({"synthetic": 5}, "at least as many points"),
        ({"restarts": 0}, "restarts"),
        ({"variance": -1.0}, "variance is positive"),
        ({"variance": math.nan}, "variance is positive"),
        ({"variance": 0.0}, "variance is positive"),
        ({"reg": 0.0}, "reg is positive"),
        ({"separation": math.nan}, "separation"),
        ({"separation": -1.0}, "separation"),
        ({"separation": "10"}, "separation is a number"),
        ({"variance": True}, "variance is a number"),
        ({"reg": None}, "reg is a number"),
        ({"mean_error": -0.1}, "mean_error is finite"),
        ({"covariance_error": math.inf}, "covariance_error is finite"),
        ({"concentration": 0.0}, "concentration is positive"),
        ({"concentration": math.nan}, "concentration is positive"),
        ({"covariance": "diagonal"}, "covariance is one of"),
    ],
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Setting(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [0.5, 0.6]}, "sum to 1"),
        ({"weights": [1.5, -0.5]}, "nonnegative"),
        ({"weights": [math.nan, 1.0]}, "NaN"),
        ({"means": np.zeros((3, 2))}, "weights"),
        ({"means": np.zeros((2, 0)), "covariances": np.zeros((2, 0, 0))}, "weights"),
        ({"covariances": np.array([[[1.0, 0.5], [0.0, 1.0]]] * 2)}, "not symmetric"),
        ({"covariances": np.array([np.diag([-1.0, 1.0])] * 2)}, "variance that is not positive"),
        ({"covariances": np.ones((2, 2, 2))}, "not positive definite"),
    ],
)
def test_bad_mixtures_are_refused(change, message):
    parts = {"weights": [0.5, 0.5], "means": np.zeros((2, 2)), "covariances": np.array([np.eye(2)] * 2)} | change
    with pytest.raises(ValueError, match=message):
        mixtures(**parts)


def test_good_mixtures_get_a_batch():
    assert mixtures([1.0], np.zeros((1, 3)), np.eye(3)[None]).means.shape == (1, 1, 3)


def test_seeds_and_repeats_are_not_negative():
    with pytest.raises(ValueError, match="at least 0"):
        configuration_seed(-1, Setting(), 0)
    with pytest.raises(ValueError, match="whole numbers"):
        simulate(Setting(), [0.5], 0)
    with pytest.raises(ValueError, match="range"):
        simulate(Setting(), 3, 0)
    with pytest.raises(ValueError, match="empty"):
        simulate(Setting(), [], 0)
