"""Noisy networks: the estimates of information against exact values, the ceiling, and training."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from rbcore.theory import noisy_network
from rbcore.theory.noisy_network import DTYPE, NoisyNetworks, ceiling, circle, error, information, train


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def networks(noise, layers=2, width=1, sizes=(1, 2), seed=0) -> NoisyNetworks:
    return NoisyNetworks(noise, layers, width, sizes, np.random.default_rng(seed))


def chain_by_quadrature(nets: NoisyNetworks, x: list[float], b: int) -> list[float]:
    """`I(U; T_l)` of the two one-unit layers of network `b`, on a fine grid."""
    s = float(nets.noise[b])
    a, c = ([p[b].item() for p in list(group)[:2]] for group in (nets.weights, nets.biases))
    t = np.linspace(-1 - 9 * s, 1 + 9 * s, 1201)
    step = t[1] - t[0]
    first = np.array([stats.norm.pdf(t, np.tanh(a[0] * u + c[0]), s) for u in x])
    kernel = stats.norm.pdf(t[None], np.tanh(a[1] * t + c[1])[:, None], s)
    laws = [first, first @ kernel * step]
    return [
        float(np.mean([integrate.trapezoid(p * np.log(p / law.mean(axis=0)), t)
                       for p in law]))
        for law in laws
    ]  # fmt: skip


def test_the_two_estimates_bracket_the_exact_information():
    nets = networks([0.4] * 40, seed=3)
    for parameter in [*nets.weights, *nets.biases]:
        parameter.data[:] = parameter.data[:1]  # forty copies of one network
    x = [-1.2, 0.1, 1.5]
    exact = chain_by_quadrature(nets, x, 0)
    low, high = information(nets, torch.tensor(x, dtype=DTYPE)[:, None], 40, np.random.default_rng(1))
    for layer in range(2):
        error_of = [stats.sem(estimate[layer]) for estimate in (low, high)]
        assert low[layer].mean() - 4 * error_of[0] <= exact[layer] <= high[layer].mean() + 4 * error_of[1]
        assert high[layer].mean() - low[layer].mean() < 0.1
    np.testing.assert_allclose(low[0], high[0])  # the first layer's density is known


def test_more_particles_close_the_bracket():
    nets = networks([0.5] * 20, layers=3, width=2, sizes=(2, 4))
    width = []
    for particles in (8, 64):
        low, high = information(nets, circle(4), particles, np.random.default_rng(0))
        width.append((high - low)[1:].mean())
    assert 0 < width[1] < width[0] / 3


def test_information_is_below_the_ceiling_and_log_k():
    noise = [0.3, 1.0, 2.0]
    nets = networks(noise, layers=3, width=3, sizes=(2, 8))
    low, _ = information(nets, circle(8), 60, np.random.default_rng(0))
    allowed = ceiling(noise, 3, 3, 8)
    assert allowed.shape == low.shape == (3, 3)
    assert (low <= allowed + 0.05).all() and (allowed <= math.log(8) + 1e-12).all()
    assert (np.diff(allowed, axis=0) <= 0).all()


def test_a_network_without_noise_is_not_estimated_and_has_no_ceiling():
    low, high = information(
        networks([0.0, 1.0]), torch.tensor([[0.0], [1.0]], dtype=DTYPE), 5, np.random.default_rng(0)
    )
    assert np.isnan(low[:, 0]).all() and np.isnan(high[:, 0]).all() and np.isfinite(low[:, 1]).all()
    np.testing.assert_allclose(ceiling([0.0], 2, 1, 2)[:, 0], math.log(2))


def test_training_lowers_the_loss_and_is_repeatable():
    def run():
        generator = np.random.default_rng(5)
        nets = NoisyNetworks([0.0, 0.3], 2, 4, (2, 8), generator)
        history = train(nets, circle(8), 150, 8, generator)
        return history, error(nets, circle(8), 50, generator)

    (history, wrong), (again, wrong_again) = run(), run()
    assert torch.equal(history, again) and np.array_equal(wrong, wrong_again)
    assert history.shape == (150, 2) and (history[-1] < 0.7 * history[0]).all()
    assert wrong.shape == (2,) and wrong[0] <= wrong[1] < 7 / 8


def test_networks_of_a_batch_do_not_see_each_other():
    one, two = networks([0.0, 0.0], width=3), networks([0.0, 0.0], width=3)
    with torch.no_grad():
        for weight in two.weights:
            weight[1] = 7.0
    x = torch.tensor([[0.3], [0.6]], dtype=DTYPE)
    generator = np.random.default_rng(0)
    assert torch.equal(one(x, generator)[0], two(x, generator)[0])
    assert not torch.allclose(one(x, generator)[1], two(x, generator)[1])


def test_the_points_lie_on_the_circle():
    points = circle(8)
    torch.testing.assert_close(points.norm(dim=1), torch.ones(8, dtype=DTYPE))
    assert noisy_network.circle(4).shape == (4, 2)


def test_impossible_networks_are_refused():
    with pytest.raises(ValueError, match="none negative"):
        networks([-1.0])
    with pytest.raises(ValueError, match="none negative"):
        networks([1.0, -1.0])
    with pytest.raises(ValueError, match="at least one layer"):
        networks([1.0], layers=0)
    with pytest.raises(ValueError, match="at least two particles"):
        information(networks([1.0]), circle(1)[:, :1], 1, np.random.default_rng(0))


def test_a_single_point_has_nothing_to_tell():
    low, high = information(networks([1.0]), circle(1)[:, :1], 5, np.random.default_rng(0))
    assert (np.abs([low, high]) < 0.2).all()
    assert (ceiling([1.0], 2, 1, 1) == 0).all()
