"""The worlds of known truth, against quadrature, enumeration, scikit-learn and dit."""

import itertools
import math

import dit
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.metrics import mutual_info_score

from rbcore.estimate import worlds as worlds


@pytest.mark.parametrize("spread", [0.7, 2.0, 4.0])
def test_information_of_labels_through_noise_against_gauss_and_legendre(spread: float) -> None:
    one, two = spread * worlds.PLACES_X, spread * worlds.PLACES_Y

    reach = 1.5 * spread + 7
    nodes, weights = np.polynomial.legendre.leggauss(200)  # another rule than the sum over a grid
    a, b = (stats.norm.pdf(reach * nodes[:, None] - places) for places in (one, two))
    both, apart = a @ b.T / 4, np.outer(a.mean(axis=1), b.mean(axis=1))
    total = weights @ (both * np.log(both / apart)) @ weights
    assert worlds.clusters_information(spread) == pytest.approx(total * reach**2, abs=1e-6)


def test_the_labels_views_are_uncorrelated_and_so_are_their_normal_scores() -> None:
    assert worlds.PLACES_X @ worlds.PLACES_Y == 0
    assert sorted(worlds.PLACES_X) == sorted(worlds.PLACES_Y)
    x, y = worlds.draw_clusters(np.random.default_rng(1), 20_000, 1, 1.2)
    assert abs(stats.spearmanr(x[:, 0], y[:, 0]).statistic) < 4 / math.sqrt(20_000)


@pytest.mark.parametrize("information", [0.0, 0.1, 0.5, 0.9])
def test_information_of_the_chain_against_scikit_learn_and_dit(information: float) -> None:
    joint = worlds.chain_joint(information)
    assert mutual_info_score(None, None, contingency=1e9 * joint) == pytest.approx(information, abs=1e-7)
    outcomes = [(i, j) for i, j in np.ndindex(joint.shape) if joint[i, j] > 0]
    found = dit.Distribution([f"{i}{j}" for i, j in outcomes], [joint[o] for o in outcomes])
    assert dit.shannon.mutual_information(found, [0], [1]) * math.log(2) == pytest.approx(information, abs=1e-7)


@pytest.mark.parametrize("d", [1, 2, 7])
def test_a_lifted_outcome_can_be_read_off_its_point(d: int) -> None:
    rng = np.random.default_rng(2)
    outcomes = rng.integers(worlds.OUTCOMES, size=2000)
    points = worlds.lift(outcomes, rng, d)
    places = np.stack([points[outcomes == k].mean(axis=0) for k in range(worlds.OUTCOMES)])
    apart = np.abs(places[:, None] - places).max(axis=-1) + 10 * np.eye(worlds.OUTCOMES)
    assert apart.min() > 2 * worlds.HALF + 0.1  # cubes of half a side HALF do not touch
    assert (np.abs(points[:, None] - places).max(axis=-1).argmin(axis=1) == outcomes).all()


def test_total_variation_and_divergence_of_the_finite_laws() -> None:
    for strength in worlds.WORLDS["sectors"].strengths:
        one, two = worlds.sector_laws(strength)
        assert np.abs(one - two).sum() / 2 == pytest.approx(strength, abs=1e-12)
        assert one.min() > 0 and one.sum() == pytest.approx(1)
        known = worlds.WORLDS["sectors"].truth("kl", 100, 3, strength)
        assert known == pytest.approx(stats.entropy(one, two), abs=1e-12)


@pytest.mark.parametrize("strength", [0.1, 0.3, 0.6])
def test_total_variation_and_divergence_of_gaussians_by_quadrature(strength: float) -> None:
    def both(p, q) -> tuple[float, float]:
        x = np.linspace(-40, 40, 400_001)
        a, b = p.pdf(x), q.pdf(x)
        ratio = p.logpdf(x) - q.logpdf(x)
        return np.trapezoid(np.abs(a - b), x) / 2, np.trapezoid(a * ratio, x)

    scale = worlds.scale_for(strength, 1)
    found = both(stats.norm(), stats.norm(scale=scale))
    assert found == pytest.approx((strength, worlds.scale_kl(9, 1, strength)), abs=1e-6)
    x, y = worlds.draw_shift(np.random.default_rng(1), 4, 1, strength)
    x0, y0 = worlds.draw_shift(np.random.default_rng(1), 4, 1, 0.0)
    assert (y == y0).all()
    found = both(stats.norm(loc=(x - x0)[0, 0]), stats.norm())
    assert found == pytest.approx((strength, worlds.WORLDS["shift"].truth("kl", 9, 1, strength)), abs=1e-6)


def test_the_shift_is_as_long_in_every_dimension() -> None:
    far = []
    for d in (1, 3, 20):
        moved, same = (worlds.draw_shift(np.random.default_rng(1), 4, d, s)[0] for s in (0.6, 0.0))
        far.append(float(np.linalg.norm((moved - same)[0])))
    assert far == pytest.approx([far[0]] * 3)


@pytest.mark.parametrize("d", [2, 5, 20])
def test_total_variation_of_scales_by_the_radius(d: int) -> None:
    scale = worlds.scale_for(0.3, d)
    gap = integrate.quad(
        lambda r: abs(stats.chi.pdf(r, d) - stats.chi.pdf(r / scale, d) / scale), 0, 30, limit=300, points=[d**0.5]
    )[0]
    assert gap / 2 == pytest.approx(0.3, abs=1e-6)


@given(d=st.integers(1, 12), strength=st.floats(-0.95, 0.95))
def test_entropy_of_the_cloud_against_scipy(d: int, strength: float) -> None:
    covariance = strength ** np.abs(np.arange(d) - np.arange(d)[:, None])
    known = stats.multivariate_normal(cov=covariance).entropy()
    assert worlds.cloud_entropy(5, d, strength) == pytest.approx(float(known), abs=1e-9)


def test_the_cloud_has_that_covariance() -> None:
    (x,) = worlds.draw_cloud(np.random.default_rng(3), 100_000, 4, 0.7)
    known = 0.7 ** np.abs(np.arange(4) - np.arange(4)[:, None])
    assert np.abs(np.cov(x.T) - known).max() < 0.03


@pytest.mark.parametrize("strength", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("name", ["missed", "overlap"])
def test_shares_of_the_supports_counted_from_their_geometry(name: str, strength: float) -> None:
    n, d = 20_000, 3
    real, fake = worlds.WORLDS[name].draw(np.random.default_rng(4), n, d, strength)

    def inside(points: np.ndarray, corners: np.ndarray) -> float:
        offset = points[:, None] - corners
        return float(((offset >= 0) & (offset <= 1)).all(axis=2).any(axis=1).mean())

    if name == "missed":
        corners = np.unique(np.floor(real + 1e-12), axis=0), np.unique(np.floor(fake + 1e-12), axis=0)
    else:
        corners = np.zeros((1, d)), np.array([[strength, 0, 0]])
    error = 4 * math.sqrt(0.25 / n) if strength else 0.0
    truth = worlds.WORLDS[name].truth("precision", n, d, strength)
    assert abs(inside(fake, corners[0]) - truth) <= error
    assert abs(inside(real, corners[1]) - worlds.WORLDS[name].truth("recall", n, d, strength)) <= error


@given(st.lists(st.integers(1, 5), min_size=2, max_size=3), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_probability_of_a_missing_pair_by_enumerating_all_texts(weights: list[int], length: int) -> None:
    p = np.array(weights) / sum(weights)
    lacking = np.zeros((len(p), len(p)))
    for text in itertools.product(range(len(p)), repeat=length):
        seen = set(itertools.pairwise(text))
        for pair in np.ndindex(lacking.shape):
            lacking[pair] += (pair not in seen) * np.prod(p[list(text)])
    assert np.allclose(worlds.unseen(p, length), lacking, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_expected_distinct_share_against_a_plain_count(order: int) -> None:
    rng, shares = np.random.default_rng(5), []
    for _ in range(400):
        (texts,) = worlds.draw_texts(rng, 40, 1, 1.0)
        grams = [gram for words in map(str.split, texts) for gram in zip(*(words[i:] for i in range(order)))]  # noqa: B905
        shares.append(len(set(grams)) / len(grams))
    error = np.std(shares) / math.sqrt(len(shares))
    assert abs(np.mean(shares) - worlds.expected_distinct(order, 40, 1.0)) < 4 * error


def test_kinds_and_round_clouds_have_that_many_equal_eigenvalues() -> None:
    for name, d, strength in [("kinds", 20, 5.0), ("subspace", 20, 5.0), ("subspace", 64, 64.0)]:
        (x,) = worlds.WORLDS[name].draw(np.random.default_rng(6), 40_000, d, strength)
        rows = x / np.linalg.norm(x, axis=1, keepdims=True)
        spectrum = np.linalg.eigvalsh(rows.T @ rows / len(rows))
        effective = math.exp(float(stats.entropy(spectrum.clip(1e-300))))
        assert effective == pytest.approx(worlds.WORLDS[name].truth("vendi", 1, d, strength), rel=0.01)


@pytest.mark.parametrize("world", worlds.WORLDS.values(), ids=lambda w: w.name)
def test_every_world_draws_what_it_says_and_repeats_itself(world: worlds.World) -> None:
    for d in (1, 2, 20):
        for strength in (s for s in world.strengths if world.exists(d, s)):
            drawn = world.draw(np.random.default_rng(7), 30, d, strength)
            again = world.draw(np.random.default_rng(7), 30, d, strength)
            for one, other in zip(drawn, again, strict=True):
                assert len(one) == 30 and np.array_equal(one, other)
                assert isinstance(one, list) or (one.shape == (30, d) and np.isfinite(one).all())
            assert all(math.isfinite(world.truth(q, 30, d, strength)) for q in world.truths)
    with pytest.raises(ValueError, match="knows .* not 'beauty'"):
        world.truth("beauty", 30, 1, 0.0)


@pytest.mark.parametrize("d", [1, 6])
def test_correlated_gaussians_hold_that_information(d: int) -> None:
    x, y = worlds.draw_gaussian(np.random.default_rng(8), 200_000, d, 0.5)
    joint = np.linalg.slogdet(np.cov(x.T, y.T))[1]
    apart = sum(np.linalg.slogdet(np.atleast_2d(np.cov(z.T)))[1] for z in (x, y))
    assert (apart - joint) / 2 == pytest.approx(0.5, abs=0.01)
    bent = worlds.draw_bent(np.random.default_rng(8), 200_000, d, 0.5)
    assert np.allclose(np.cbrt(bent[0]), x) and np.allclose(np.log(bent[1]), y)
