"""Closed forms of the mixture world against simulation, enumeration and the Gaussian channel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rbcore import checks
from rbcore.gmm.density import divergences, kl_gaussians, kl_separated
from rbcore.gmm.theory import (
    anchor_kl,
    estimation_kl,
    estimation_kl_reverse,
    label_information,
    posterior_information,
    separated_gap,
    synthetic_kl,
)
from rbcore.gmm.world import Setting, simulate
from rbcore.information.finite import Joint


@pytest.mark.parametrize(("d", "n"), [(1, 6), (2, 20), (2, 50), (5, 40)])
def test_estimation_errors_are_the_means_over_samples(d, n):
    x = np.random.default_rng(n).standard_normal((40_000, n, d))
    means = x.mean(axis=1)
    centred = x - means[:, None]
    laws = centred.swapaxes(1, 2) @ centred / n
    forward = kl_gaussians(means, laws, np.zeros(d), np.eye(d))
    backward = kl_gaussians(np.zeros(d), np.eye(d), means, laws)
    for sample, closed in ((forward, estimation_kl(d, n)), (backward, estimation_kl_reverse(d, n))):
        assert checks.consistent(sample, closed).holds
        assert not checks.consistent(sample, 1.3 * closed).holds
    assert not checks.consistent(forward, 1.05 * estimation_kl(d, n)).holds


def test_estimation_error_is_parameters_over_twice_the_points():
    for d in (1, 2, 8):
        parameters, n = d + d * (d + 1) / 2, 10_000
        assert estimation_kl(d, n) == pytest.approx(parameters / (2 * n), rel=0.01)
        assert estimation_kl_reverse(d, n) == pytest.approx(parameters / (2 * n), rel=0.01)
        assert estimation_kl(d, n) < estimation_kl_reverse(d, n)


def test_anchor_divergence_of_separated_components():
    setting = Setting(K=3, J=5, L=0, separation=2000.0, covariance="wishart", restarts=5)
    run = simulate(setting, range(300), 2)
    found = divergences(run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture, 500, run.streams)
    whole = np.isclose(run.anchor_fit.mixture.weights, 1 / 3, atol=1e-6).all(axis=1)  # EM found the components
    assert whole.mean() > 0.8
    check = checks.consistent(found.forward_anchors.value[whole], anchor_kl(setting))
    assert check.holds and check.tolerance < 0.02
    assert not checks.consistent(found.forward_anchors.value[whole], math.log(8 / 3)).holds


def test_parts_of_the_synthetic_divergence_sum_to_the_closed_form():
    run = simulate(Setting(K=3, J=2, L=4, covariance="wishart"), range(20), 1)
    parts = synthetic_kl(run)
    np.testing.assert_allclose(parts.total, kl_separated(run.generator, run.truth), rtol=1e-10)
    assert parts.weights == pytest.approx(math.log(5 / 9))
    assert (parts.off_task > 10 * np.abs(parts.on_task)).mean() > 0.9


def test_without_off_task_components_only_estimation_is_left():
    run = simulate(Setting(K=2, J=3, L=0, separation=500.0, covariance="wishart"), range(200), 1)
    parts = synthetic_kl(run)
    assert parts.weights == 0 and (parts.off_task == 0).all()
    assert checks.consistent(parts.on_task, 2 / 5 * estimation_kl(2, 50), level=0.9999).value < 0.01


@pytest.mark.parametrize(("K", "J", "L"), [(2, 2, 2), (1, 0, 1), (3, 4, 0), (5, 0, 0)])
def test_label_information_is_that_of_the_finite_model(K, J, L):
    own, total = J + L, K + J + L
    model = np.zeros((2, max(own, 1)))  # (b, c)
    model[0] = (K / total) / model.shape[1]
    model[1] = (own / total) / model.shape[1] if own else 0

    def answer(e: np.ndarray, m: np.ndarray) -> np.ndarray:
        b, c = m // model.shape[1], m % model.shape[1]
        return np.where((b == 1) & (own > 0), K + c, e)

    joint = Joint.chain([("p", np.full(K, 1 / K))]).extend("e", model.ravel(), given=())
    joint = joint.extend("X", answer, given=("p", "e"), size=total)
    found = label_information(K, J, L)
    assert found.gain == pytest.approx(joint.H("X", "p"), abs=1e-12)
    assert found.answer == pytest.approx(joint.H("X"))
    assert found.prompt == pytest.approx(joint.I("p", "X"), abs=1e-12)
    assert found.factor == pytest.approx(joint.H("e"))
    assert 0 <= found.gain <= found.factor + 1e-12


def test_posterior_information_is_that_of_the_gaussian_channel():
    """From the joint covariance of a centre, the mean of its points, and a draw from the posterior."""
    setting = Setting(K=2, J=1, L=1, anchors=7, covariance="wishart")
    t, noise, n = setting.separation**2 / 12, 1.0, 7
    shrink = n * t / (n * t + noise)
    posterior = noise * t / (n * t + noise)
    mean = t + noise / n  # variance of the mean of the points
    law = np.array([[mean, shrink * mean], [shrink * mean, shrink**2 * mean + posterior]])
    assert law[1, 1] == pytest.approx(t)  # a draw from the posterior has the law of the prior
    each = 0.5 * math.log(law[0, 0] * law[1, 1] / np.linalg.det(law))
    found = posterior_information(setting)
    assert found.anchors == pytest.approx(2 * 2 * each)
    assert found.ggmi == found.anchors - found.synthetic


def test_posterior_information_of_one_component_has_no_random_counts():
    setting = Setting(K=1, J=0, L=0, anchors=40, synthetic=40, covariance="gram")
    found = posterior_information(setting)
    assert found.synthetic == pytest.approx(found.anchors)
    more = posterior_information(Setting(K=1, J=0, L=0, anchors=40, synthetic=80, covariance="gram"))
    assert more.synthetic > found.synthetic and more.ggmi < 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: estimation_kl(2, 2), "more than d"),
        (lambda: estimation_kl(0, 5), "d >= 1"),
        (lambda: estimation_kl_reverse(2, 4), "d \\+ 2"),
        (lambda: label_information(0, 1, 1), "K is at least 1"),
        (lambda: label_information(1, -1, 1), "at least 0"),
        (lambda: posterior_information(Setting(), noise=-1.0), "variance"),
        (lambda: posterior_information(Setting(), noise=math.nan), "variance"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_separated_gap_is_the_gap_of_far_components():
    """With components far apart and found, both directions by Monte Carlo and in closed form agree."""
    run = simulate(Setting(K=2, J=2, L=1, separation=300.0, covariance="wishart", restarts=8), range(60), 4)
    closed = separated_gap(run)
    found = divergences(run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture, 1000, run.streams)
    for name in ("forward", "reverse"):
        ratio = getattr(found, name).value / getattr(closed, name)
        assert 0.9 < np.median(ratio) < 1.1
    parts = synthetic_kl(run)
    assert np.median(np.abs(closed.forward - (anchor_kl(run.setting) - parts.total))) < 0.1


def test_separated_gap_of_a_perfect_generator_is_what_the_anchors_miss():
    run = simulate(Setting(K=1, J=1, L=0, anchors=100_000, covariance="wishart", separation=50.0), range(10), 2)
    closed = separated_gap(run)
    apart = kl_gaussians(
        run.truth.means[:, 1], run.truth.covariances[:, 1], run.truth.means[:, 0], run.truth.covariances[:, 0]
    )
    np.testing.assert_allclose(closed.reverse, apart / 2 - math.log(2), rtol=0.02, atol=0.02)
    np.testing.assert_allclose(closed.forward, math.log(2), atol=0.02)
