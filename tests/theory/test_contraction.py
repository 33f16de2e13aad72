"""Contraction coefficients against closed forms, searches and quadrature; depth bounds on enumerated worlds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import rel_entr

from rbcore.information.finite import KINDS, PmfError, random_channel, random_pmf
from rbcore.theory import contraction
from rbcore.theory.contraction import (
    behind_layers,
    beside,
    eta_kl,
    eta_tv,
    gaussian_kl,
    gaussian_tv,
    le_cam,
    samples,
)

seeds = st.integers(0, 2**32 - 1)
rates = st.floats(0.0, 1.0)


def channels(seed: int, *shape: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    inputs, outputs, *batch = shape
    size = int(np.prod(batch, dtype=int)) if batch else None
    concentration = 1.0 if size is None else 10.0 ** rng.uniform(-1, 1, size)
    drawn = random_channel(rng, inputs, outputs, size, KINDS, concentration)
    return drawn.reshape(inputs, outputs, *batch)


def kl_ratio(channel: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    before, after = rel_entr(p, q).sum(axis=0), rel_entr(channel.T @ p, channel.T @ q).sum(axis=0)
    return after[before > 1e-6] / before[before > 1e-6]  # below that rounding decides


@given(rates)
def test_flip_and_erase_have_their_closed_forms(rate):
    flip, erase = contraction.flip(rate), contraction.erase(3, rate)
    assert eta_tv(flip) == pytest.approx(abs(1 - 2 * rate), abs=1e-12)
    assert eta_kl(flip) == pytest.approx((1 - 2 * rate) ** 2, abs=1e-11)
    assert eta_tv(erase) == pytest.approx(1 - rate, abs=1e-12)
    assert eta_kl(erase) == pytest.approx(1 - rate, abs=1e-11)


@given(rates, st.integers(2, 8))
def test_replacing_a_symbol_has_its_closed_form(rate, k):
    keep = 1 - rate
    assert eta_tv(contraction.forget(k, rate)) == pytest.approx(keep, abs=1e-12)
    expected = keep**2 / (keep + 2 * rate / k)
    assert eta_kl(contraction.forget(k, rate)) == pytest.approx(expected, abs=1e-11)


@given(st.integers(1, 4), rates)
def test_dropout_keeps_all_but_the_chance_that_every_unit_is_erased(units, rate):
    layer = contraction.dropout(units, rate)
    assert layer.shape == (2**units, 3**units)
    assert eta_tv(layer) == pytest.approx(1 - rate**units, abs=1e-12)
    assert eta_kl(layer) == pytest.approx(1 - rate**units, abs=1e-11)


def test_z_channel_whose_best_inputs_are_at_the_border():
    layer = np.array([[1.0, 0.0], [0.3, 0.7]])
    assert eta_kl(layer) == pytest.approx(0.7)


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_no_pair_of_inputs_beats_the_coefficient_and_a_search_comes_close(seed):
    rng = np.random.default_rng(seed)
    layer = random_channel(rng, 3, 3)
    q, r = random_pmf(rng, 3, (2, 20_000), 10.0 ** rng.uniform(-1, 0.5, 20_000)).swapaxes(0, 1)
    q, r = 0.999 * q + 0.001 / 3, 0.999 * r + 0.001 / 3
    ratios = np.concatenate([kl_ratio(layer, q + step * (r - q), q) for step in (0.02, 1.0)])
    assert np.max(ratios) <= eta_kl(layer) * (1 + 1e-9)
    assert np.max(ratios) > 0.9 * eta_kl(layer)


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_coefficients_are_ordered_and_multiply(seed):
    first, second = channels(seed, 4, 3, 20), channels(seed + 1, 3, 4, 20)
    cascade = np.einsum("ij...,jk...->ik...", first, second)
    for layer in (first, second, cascade):
        assert (eta_tv(layer) ** 2 <= eta_kl(layer) + 1e-11).all()
        assert (eta_kl(layer) <= eta_tv(layer) + 1e-11).all()
    for eta in (eta_tv, eta_kl):
        assert (eta(cascade) <= eta(first) * eta(second) + 1e-10).all()


@given(seeds)
def test_halving_agrees_with_a_fine_grid(seed):
    layer = channels(seed, 3, 4)
    grid = np.concatenate([np.geomspace(1e-9, 0.5, 400), 1 - np.geomspace(1e-9, 0.5, 400)])
    best = max(
        le_cam(layer[i][:, None], layer[j][:, None], grid).max() for i, j in itertools.combinations(range(3), 2)
    )
    assert best <= eta_kl(layer) + 1e-12
    assert eta_kl(layer) <= best + 2e-3


@given(seeds, st.floats(0.01, 0.99))
def test_both_forms_of_le_cam_agree(seed, b):
    p, q = random_pmf(np.random.default_rng(seed), 5, 2).T
    direct = b * (1 - b) * ((p - q) ** 2 / (b * p + (1 - b) * q)).sum()
    assert le_cam(p, q, b) == pytest.approx(direct, abs=1e-12)


def test_weak_inputs_come_close_to_the_coefficient():
    layer = random_channel(np.random.default_rng(0), 4, 4, 50)
    ratio = contraction.weak_ratio(layer, np.linspace(0.02, 0.97, 96))
    assert (ratio <= eta_kl(layer) + 1e-9).all() and (ratio > 0.98 * eta_kl(layer)).all()


def test_a_batch_is_its_members():
    layer = channels(3, 4, 3, 2, 5)
    assert eta_kl(layer).shape == eta_tv(layer).shape == (2, 5)
    assert eta_kl(layer)[1, 4] == pytest.approx(eta_kl(layer[..., 1, 4]))
    assert eta_tv(layer)[1, 4] == pytest.approx(eta_tv(layer[..., 1, 4]))


def test_deterministic_layers_contract_only_when_constant():
    for image in itertools.product(range(3), repeat=3):
        layer = np.eye(3)[list(image)]
        assert eta_tv(layer) == eta_kl(layer) == float(len(set(image)) > 1)
    assert eta_kl(np.ones((1, 1))) == eta_tv(np.ones((1, 1))) == 0


def simplex(points: int) -> np.ndarray:
    """All laws on three inputs whose probabilities are multiples of 1 / points, shape (3, N)."""
    grid = np.array([(i, j, points - i - j) for i in range(points + 1) for j in range(points + 1 - i)])
    return grid.T / points


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(seeds)
def test_the_coefficient_of_an_input_law_against_a_grid_of_all_laws(seed):
    rng = np.random.default_rng(seed)
    law, layer = random_pmf(rng, 3, concentration=2.0), channels(seed, 3, 3)
    found = contraction.eta_kl_at(law, layer)
    others = simplex(120)
    grid = kl_ratio(layer, others, np.broadcast_to(law[:, None], others.shape)).max()
    assert grid - 1e-4 <= found <= eta_kl(layer) + 1e-9  # the ascent may be slow at its end
    assert found <= grid + 0.03  # between the grid's points, and in the limit at the law itself


@pytest.mark.parametrize(("p", "rate"), [(0.5, 0.1), (0.2, 0.1), (0.03, 0.3), (0.9, 0.0)])
def test_a_bit_with_an_input_law_by_a_search_over_one_number(p, rate):
    law, layer = np.array([p, 1 - p]), contraction.flip(rate)
    x = np.concatenate([[0, 1], np.linspace(1e-4, 1 - 1e-4, 20_001)])
    best = kl_ratio(layer, np.stack([x, 1 - x]), np.broadcast_to(law[:, None], (2, len(x)))).max()
    assert contraction.eta_kl_at(law, layer) == pytest.approx(best, abs=1e-5)
    if p == 0.5:
        assert contraction.eta_kl_at(law, layer) == pytest.approx((1 - 2 * rate) ** 2, abs=1e-12)


@given(st.integers(1, 3), st.floats(0, 1), seeds)
@settings(max_examples=20, deadline=None)
def test_dropout_of_independent_units_contracts_by_the_rate_at_every_width(units, rate, seed):
    law = np.ones(1)
    for share in np.random.default_rng(seed).uniform(0.05, 0.95, units):
        law = np.kron(law, [share, 1 - share])
    layer = contraction.dropout(units, rate)
    assert contraction.eta_kl_at(law, layer) == pytest.approx(1 - rate, abs=1e-9)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(seeds)
def test_the_coefficient_of_a_product_is_that_of_its_worst_factor(seed):
    rng = np.random.default_rng(seed)
    laws, layers = random_pmf(rng, 2, 2).T, [random_channel(rng, 2, 3) for _ in range(2)]
    each = [contraction.eta_kl_at(law, layer) for law, layer in zip(laws, layers, strict=True)]
    both = contraction.eta_kl_at(np.kron(*laws), np.kron(*layers))
    assert max(each) - 1e-3 < both < max(each) + 1e-4  # a search stops short of the largest ratio, never above it


def test_coefficients_of_input_laws_in_a_batch_and_at_the_ends():
    rng = np.random.default_rng(5)
    law, layer = random_pmf(rng, 3, 4), channels(5, 3, 3, 2, 4)
    found = contraction.eta_kl_at(law[:, None], layer)
    assert found.shape == (2, 4)
    assert found[1, 2] == pytest.approx(contraction.eta_kl_at(law[:, 2], layer[..., 1, 2]), abs=1e-9)
    assert contraction.eta_kl_at([0.3, 0.7, 0.0], np.eye(3)) == pytest.approx(1)
    assert contraction.eta_kl_at([0.0, 1.0], contraction.flip(0.1)) == 0
    assert contraction.eta_kl_at([0.2, 0.8], np.ones((2, 1))) == 0
    merge = np.array([[1, 0], [1, 0], [0, 1]])
    assert contraction.eta_kl_at([0.5, 0.5, 0], merge) == 0 and contraction.eta_kl_at([0.5, 0, 0.5], merge) == 1
    with pytest.raises(PmfError, match="the law has 2 inputs"):
        contraction.eta_kl_at([0.5, 0.5], np.eye(3))


@pytest.mark.parametrize("shift", [0.1, 1.0, 3.0])
def test_a_normal_law_in_normal_noise_contracts_by_the_share_of_its_variance(shift):
    """Quantized finely: nothing beats S / (S + s^2), and a shifted copy of the law attains it."""
    variance, noise, edges = 1.5, 0.8, np.linspace(-9, 9, 181)
    middle = (edges[1:] + edges[:-1]) / 2
    law = np.diff(stats.norm.cdf(edges, scale=variance**0.5))
    law /= law.sum()
    layer = np.diff(stats.norm.cdf(edges, middle[:, None], noise), axis=1)
    layer /= layer.sum(axis=1, keepdims=True)
    moved = np.diff(stats.norm.cdf(edges, shift, variance**0.5))
    ratio = kl_ratio(layer, moved / moved.sum(), law)
    expected = variance / (variance + noise**2)
    assert ratio == pytest.approx(expected, abs=0.01)
    wild = random_pmf(np.random.default_rng(1), len(law), 200, 0.05)
    assert kl_ratio(layer, wild, np.broadcast_to(law[:, None], wild.shape)).max() < expected


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_worlds_obey_the_depth_bound_of_their_input_law(seed):
    rng = np.random.default_rng(seed)
    mu, learner = random_pmf(rng, 3, 4), channels(seed, 9, 2, 4).reshape(3, 3, 2, 4)
    loss = rng.integers(0, 2, (2, 4, 4)).astype(float)
    layers = [channels(seed + 1, 3, 2, 2, 4), channels(seed + 2, 2, 4, 2, 4)]
    world = behind_layers(samples(mu, learner, 2), loss, layers)
    theta = contraction.eta_kl_along(mu, layers, turns=200)
    assert (theta <= world.kl + 1e-9).all()
    assert (world.gap <= np.sqrt(theta) * world.individual + 1e-9).all()


def test_layers_that_leave_nothing_open_to_chance_along_an_input_law():
    """A turn by one sector contracts uniform readings, and two opposite ones not at all."""
    turn = (np.eye(8) + np.roll(np.eye(8), 1, axis=1) + np.roll(np.eye(8), -1, axis=1)) / 3
    opposite = np.where(np.arange(8) % 4, 0, 0.5)
    assert contraction.eta_kl_along(opposite, [turn]) == pytest.approx(1)
    assert contraction.eta_kl_along(np.full(8, 1 / 8), [turn]) < 0.95
    assert contraction.eta_kl_along(np.full(8, 1 / 8), []) == 1


@pytest.mark.parametrize("reach", [0.05, 0.5, 1.0, 2.0, 5.0])
def test_gaussian_coefficients_by_quadrature(reach):
    def shared(y):
        p, q = stats.norm.pdf(y, reach), stats.norm.pdf(y, -reach)
        return 2 * p * q / (p + q)

    overlap = integrate.quad(shared, -reach - 9, reach + 9, epsabs=1e-13, limit=200)[0]
    assert gaussian_kl(reach) == pytest.approx(1 - overlap, abs=1e-10)
    assert gaussian_tv(reach) == pytest.approx(1 - 2 * stats.norm.sf(reach), abs=1e-14)


def test_gaussian_layer_is_the_limit_of_quantized_ones():
    reach, edges = 0.9, np.linspace(-8, 8, 4001)
    layer = np.diff([stats.norm.cdf(edges, mean) for mean in (-reach, 0.3, reach)], axis=1)
    layer /= layer.sum(axis=1, keepdims=True)
    assert eta_kl(layer) == pytest.approx(gaussian_kl(reach), abs=1e-5)
    assert eta_tv(layer) == pytest.approx(gaussian_tv(reach), abs=1e-5)


def test_wide_gaussian_layers_do_not_contract():
    assert gaussian_kl([20.0, 50.0]) == pytest.approx([1, 1], abs=1e-12)
    assert gaussian_kl(1e-4) == pytest.approx(1e-8, rel=1e-3)


@given(st.integers(2, 9), st.floats(0, 1))
def test_fanos_least_error_solves_its_equation(k, share):
    information = share * np.log(k)
    e = float(contraction.least_error(k, information))
    entropy = stats.entropy([e, 1 - e]) + e * np.log(k - 1)
    assert entropy == pytest.approx(np.log(k) - information, abs=1e-9)


def test_no_information_is_guessing_and_all_of_it_is_certainty():
    np.testing.assert_allclose(contraction.least_error(8, [0, np.log(8), 9]), [7 / 8, 0, 0], atol=1e-12)


def test_one_symbol_alone_is_never_mistaken():
    np.testing.assert_array_equal(contraction.least_error(1, [0.0, 0.5]), [0, 0])
    assert contraction.weak_ratio(np.ones((1, 1)), [0.5]) == 0
    with pytest.raises(ValueError, match="at least one symbol"):
        contraction.least_error(0, 0.1)


def test_a_label_beside_a_layer_is_the_kronecker_product():
    layer = channels(1, 3, 2)
    np.testing.assert_allclose(beside(layer, 2), np.kron(layer, np.eye(2)))
    assert eta_kl(beside(layer, 2)) == 1


def by_hand(mu, learner, loss, layers):
    """Risk and training risk for two data, by nested loops."""
    k, parameters = len(mu), learner.shape[-1]
    risk = training = 0.0
    for z1, z2, w in itertools.product(range(k), range(k), range(parameters)):
        chance = mu[z1] * mu[z2] * learner[z1, z2, w]
        composed = np.eye(k)
        for layer in layers:
            composed = composed @ layer[..., w]
        expected = composed @ loss[w]
        risk += chance * (mu @ expected)
        training += chance * (expected[z1] + expected[z2]) / 2
    return risk, training


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_depth_worlds_are_enumerated_right_and_obey_the_bounds(seed):
    rng = np.random.default_rng(seed)
    mu = random_pmf(rng, 3, 4)
    learner = channels(seed, 9, 2, 4).reshape(3, 3, 2, 4)
    loss = rng.integers(0, 2, (2, 4, 4)).astype(float)
    layers = [channels(seed + 1, 3, 2, 2, 4), channels(seed + 2, 2, 4, 2, 4)]
    world = behind_layers(samples(mu, learner, 2), loss, layers)
    for b in range(4):
        risk, training = by_hand(mu[:, b], learner[..., b], loss[..., b], [layer[..., b] for layer in layers])
        assert world.risk[b] == pytest.approx(risk) and world.training[b] == pytest.approx(training)
    assert (world.gap <= world.sharp_bound + 1e-12).all()
    assert (world.sharp_bound <= world.tv_bound + 1e-8).all()  # roots of rounding errors
    assert (world.tv_bound <= world.kl_bound + 1e-10).all()


def test_a_weak_learner_behind_flipping_layers_attains_the_depth_factor():
    epsilon, layers = 0.01, [contraction.flip(0.2)] * 3
    learner = 0.5 + epsilon / 2 * np.array([[1, -1], [-1, 1]])
    world = behind_layers(samples([0.5, 0.5], learner, 1), 1 - np.eye(2), layers)
    assert world.gap == pytest.approx(0.6**3 * epsilon / 2)
    assert world.tv == pytest.approx(0.6**3) and world.kl == pytest.approx(0.6**6)
    assert 0.99 * world.kl_bound < world.gap <= world.kl_bound


def test_without_layers_the_bound_is_that_of_the_information_alone():
    world = behind_layers(samples([0.5, 0.5], np.eye(2), 1), 1 - np.eye(2), [])
    assert world.gap == 0.5 and world.information == pytest.approx(np.log(2))
    assert world.tv_bound == world.kl_bound == world.flat == pytest.approx(np.sqrt(np.log(2) / 2))


def test_what_does_not_fit_is_refused():
    data = samples([0.5, 0.5], np.eye(2), 1)
    with pytest.raises(PmfError, match=r"lies in \[0, 1\]"):
        behind_layers(data, 2 * np.eye(2), [])
    with pytest.raises(PmfError, match="the layers do not fit"):
        behind_layers(data, np.eye(2), [contraction.erase(2, 0.1)])
    with pytest.raises(PmfError, match="inputs, then outputs"):
        eta_tv([0.5, 0.5])
    with pytest.raises(PmfError, match="sums to"):
        eta_kl([[0.5, 0.4], [0.5, 0.5]])
    with pytest.raises(ArithmeticError, match="do not certify"):
        eta_kl([[0.5, 0.5], [0.4, 0.6]], tol=-1.0)
