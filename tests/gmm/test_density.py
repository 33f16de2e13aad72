"""Divergences between mixtures: closed forms, quadrature, torch, honest errors; bounds from both sides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import logsumexp, xlogy
from scipy.stats import multivariate_normal, norm

from rbcore import checks
from rbcore.gmm.density import divergences, kl, kl_gaussians, kl_separated, label_entropy, log_density
from rbcore.gmm.em import Mixtures
from rbcore.gmm.world import Setting, mixtures, simulate


def random_mixture(rng: np.random.Generator, k: int, d: int, B: int = 1, spread: float = 3.0) -> Mixtures:
    a = rng.standard_normal((B, k, d + 3, d))
    laws = a.swapaxes(-1, -2) @ a / (d + 3)
    return mixtures(rng.dirichlet(np.full(k, 2.0), B), spread * rng.standard_normal((B, k, d)), laws)


def rngs(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, i]) for i in range(count)]


def take(law: Mixtures, rows: slice) -> Mixtures:
    return Mixtures(*(part[rows] for part in law))


def repeat(law: Mixtures, times: int) -> Mixtures:
    return Mixtures(*(np.repeat(part, times, axis=0) for part in law))


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), d=st.integers(1, 5))
def test_gaussian_divergence_is_torchs(seed, d):
    p, q = (random_mixture(np.random.default_rng([seed, i]), 1, d) for i in range(2))
    laws = [
        torch.distributions.MultivariateNormal(torch.tensor(m.means[0, 0]), torch.tensor(m.covariances[0, 0]))
        for m in (p, q)
    ]
    ours = kl_gaussians(p.means, p.covariances, q.means, q.covariances)
    np.testing.assert_allclose(ours, [[torch.distributions.kl_divergence(*laws).item()]], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 9])
def test_log_density_is_scipys(d):
    law = random_mixture(np.random.default_rng(d), 4, d, B=2)
    x = np.random.default_rng(0).standard_normal((2, 50, d)) * 10
    for b in range(2):
        joint = [
            np.log(law.weights[b, c]) + multivariate_normal(law.means[b, c], law.covariances[b, c]).logpdf(x[b])
            for c in range(4)
        ]
        np.testing.assert_allclose(log_density(x, law)[b], logsumexp(joint, axis=0), rtol=1e-10)


def test_estimate_agrees_with_quadrature():
    p, q = (random_mixture(np.random.default_rng(i), 3, 1) for i in (1, 2))

    def density(x: float, law: Mixtures) -> float:
        return float(law.weights[0] @ norm.pdf(x, law.means[0, :, 0], np.sqrt(law.covariances[0, :, 0, 0])))

    exact, _ = quad(lambda x: xlogy(density(x, p), density(x, p) / density(x, q)), -25, 25, limit=400)
    found = kl(repeat(p, 200), repeat(q, 200), 500, rngs(200))
    assert checks.consistent(found.value, exact).holds
    assert not checks.consistent(found.value, 1.05 * exact).holds
    z = (found.value - exact) / found.se
    assert checks.consistent(z**2, 1.0).holds  # the standard errors are right


def test_divergence_of_a_law_from_itself_is_zero():
    p = random_mixture(np.random.default_rng(0), 3, 2, B=4)
    found = kl(p, p, 200, rngs(4))
    np.testing.assert_array_equal(found.value, 0)
    np.testing.assert_array_equal(found.se, 0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 4), m=st.integers(1, 4), spread=st.floats(0.1, 30))
def test_closed_form_and_overlap_bound_the_divergence(seed, k, m, spread):
    rng = np.random.default_rng(seed)
    p, q = random_mixture(rng, k, 2, spread=spread), random_mixture(rng, m, 2, spread=spread)
    found, overlap = kl(p, q, 4000, rngs(1)), label_entropy(p, 4000, rngs(1, 1))
    room = 6 * np.hypot(found.se, overlap.se) + 1e-9
    assert (found.value <= kl_separated(p, q) + overlap.value + room).all()
    entropy = -(p.weights * np.log(p.weights)).sum()
    assert -1e-12 <= overlap.value[0] <= entropy + 6 * overlap.se[0] + 1e-12


def test_closed_form_is_attained_by_separated_components():
    rng = np.random.default_rng(4)
    p = random_mixture(rng, 3, 2)
    p = p._replace(means=p.means + 200 * np.arange(3)[None, :, None])
    q = p._replace(weights=rng.dirichlet(np.ones(3), 1), means=p.means + 0.5, covariances=1.3 * p.covariances)
    found = kl(repeat(p, 400), repeat(q, 400), 5000, rngs(400))
    assert checks.consistent(found.value, kl_separated(p, q)[0]).holds
    assert not checks.consistent(found.value, 0.99 * kl_separated(p, q)[0]).holds
    assert label_entropy(p, 500, rngs(1)).value[0] == pytest.approx(0, abs=1e-12)


def test_overlap_is_needed_in_the_bound():
    """Two components on one spot: without the overlap the closed form lies below the divergence."""
    one, two = mixtures([1.0], [[0.0]], [[[1.0]]]), mixtures([0.5, 0.5], [[0.0], [0.0]], [[[1.0]], [[1.0]]])
    assert kl_separated(two, one)[0] == pytest.approx(-np.log(2))
    assert label_entropy(two, 100, rngs(1)).value[0] == pytest.approx(np.log(2))
    assert kl(two, one, 100, rngs(1)).value[0] == pytest.approx(0, abs=1e-12)


def test_all_four_divergences_agree_with_single_ones():
    run = simulate(Setting(covariance="wishart"), range(6), 0)
    laws = run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture
    found = divergences(*laws, 8000, run.streams)
    singles = {
        "forward_anchors": kl(laws[1], laws[0], 8000, rngs(6, 1)),
        "forward_synthetic": kl(laws[2], laws[0], 8000, rngs(6, 2)),
        "reverse_anchors": kl(laws[0], laws[1], 8000, rngs(6, 3)),
        "reverse_synthetic": kl(laws[0], laws[2], 8000, rngs(6, 4)),
    }
    for name, single in singles.items():
        estimate = getattr(found, name)
        assert (np.abs(estimate.value - single.value) < 5 * np.hypot(estimate.se, single.se)).all()
    for way in ("forward", "reverse"):
        parts = [getattr(found, f"{way}_{name}").value for name in ("anchors", "synthetic")]
        np.testing.assert_allclose(getattr(found, way).value, parts[0] - parts[1], rtol=1e-9)


def test_the_reverse_gap_is_surer_than_its_parts():
    """Both fits see the same points, so the truth's density cancels."""
    run = simulate(Setting(K=4, J=0, L=0, covariance="wishart"), range(20), 0)
    found = divergences(run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture, 500, run.streams)
    apart = np.hypot(found.reverse_anchors.se, found.reverse_synthetic.se)
    assert not np.array_equal(found.reverse.se, apart)
    np.testing.assert_allclose(
        found.reverse.value, found.reverse_anchors.value - found.reverse_synthetic.value, atol=1e-12
    )


def test_an_estimate_does_not_depend_on_its_batch():
    run = simulate(Setting(d=3), range(3), 0)
    laws = run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture
    together = divergences(*laws, 100, run.streams)
    alone = divergences(*(take(law, slice(1, 2)) for law in laws), 100, run.streams[1:2])
    for a, b in zip(together, alone, strict=True):
        assert a.value[1] == b.value[0] and a.se[1] == b.se[0]


def test_components_without_weight_are_left_out():
    p = mixtures([[0.0, 1.0]], np.zeros((1, 2, 1)), np.ones((1, 2, 1, 1)))
    q = mixtures([[1.0]], np.ones((1, 1, 1)), np.ones((1, 1, 1, 1)))
    assert kl(p, q, 100_000, rngs(1)).value[0] == pytest.approx(0.5, abs=0.02)
    assert kl_separated(p, q)[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": 0}, "at least 1"),
        ({"rngs": rngs(2)}, "one batch and one dimension"),
        ({"q": random_mixture(np.random.default_rng(0), 2, 3)}, "one batch and one dimension"),
        ({"q": Mixtures(np.ones((1, 1)), np.full((1, 1, 2), np.nan), np.eye(2)[None, None])}, "NaN"),
        (
            {"q": Mixtures(np.ones((1, 1)), np.zeros((1, 1, 2)), -np.eye(2)[None, None])},
            "variance that is not positive",
        ),
        (
            {"q": Mixtures(np.ones((1, 1)), np.zeros((1, 1, 2)), np.array([[[[1, 2], [2, 1.0]]]]))},
            "negative eigen",
        ),
        ({"p": Mixtures(np.ones((1, 1)), np.zeros((1, 1, 2)), np.array([[[[1, 0.5], [0, 1]]]]))}, "not symmetric"),
        ({"q": Mixtures(np.full((1, 2), 0.6), np.zeros((1, 2, 2)), np.tile(np.eye(2), (1, 2, 1, 1)))}, "sum to 1"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    law = random_mixture(np.random.default_rng(0), 2, 2)
    if "draws" not in change and "rngs" not in change:
        with pytest.raises(ValueError, match=message):
            kl_separated(*({"p": law, "q": law} | change).values())
    with pytest.raises(ValueError, match=message):
        kl(**({"p": law, "q": law, "draws": 10, "rngs": rngs(1)} | change))


def test_divergences_of_impossible_gaussians_are_refused():
    with pytest.raises(ValueError, match="determinant"):
        kl_gaussians(np.zeros(2), np.eye(2), np.zeros(2), np.diag([1.0, -1.0]))
    with pytest.raises(ValueError, match="NaN"):
        kl_gaussians(np.zeros(2), np.full((2, 2), np.nan), np.zeros(2), np.eye(2))


def test_points_and_mixtures_fit_together():
    with pytest.raises(ValueError, match="points"):
        log_density(np.zeros((1, 5, 3)), random_mixture(np.random.default_rng(0), 2, 2))
