"""The histogram estimates: random numbers, draws and cells against plain Python, numpy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from bench_gmm import histogram_kl, mixture
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rbcore import checks
from rbcore.gmm import released as engine
from rbcore.gmm.released import histogram_gap, normal_pairs, random_bits
from rbcore.gmm.world import Setting, mixtures, simulate


def fresh_state(seed: int) -> np.ndarray:
    return np.random.SeedSequence(seed).generate_state(64, np.uint32).reshape(4, 16)


def bits(seed: int, n: int) -> np.ndarray:
    out = np.empty(n, np.uint32)
    random_bits(fresh_state(seed), out)
    return out


def test_random_bits_are_xoshiro():
    """One lane against the published recurrence in Python's integers."""
    out, mask = bits(0, 16 * 50).reshape(50, 16), 2**32 - 1
    for lane in (0, 7, 15):
        s = [int(word) for word in fresh_state(0)[:, lane]]
        for step in range(50):
            total = (s[0] + s[3]) & mask
            assert out[step, lane] == ((((total << 7) | (total >> 25)) & mask) + s[0]) & mask
            t = (s[1] << 9) & mask
            s[2] ^= s[0]
            s[3] ^= s[1]
            s[1] ^= s[2]
            s[0] ^= s[3]
            s[2] ^= t
            s[3] = ((s[3] << 11) | (s[3] >> 21)) & mask


@pytest.mark.slow
def test_normal_pairs_are_independent_standard_normals():
    n = 800_000
    x, y = np.empty(n, np.float32), np.empty(n, np.float32)
    u, v = bits(1, 2 * n).reshape(2, n)
    normal_pairs(u, v, x, y)
    x, y = x.astype(float), y.astype(float)
    for z in (x, y):
        assert stats.kstest(z, "norm").pvalue > 1e-4
        for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3), (6, 15)):
            assert checks.consistent(z**power, moment).holds
        assert not checks.consistent(1.01 * z**2, 1.0).holds
        assert checks.consistent(np.abs(z) > 4, 2 * stats.norm.sf(4)).holds
    for a, b in ((1, 1), (2, 2), (1, 3)):
        assert checks.consistent(x**a * y**b, {1: 0, 2: 1}[a]).holds
    assert stats.kstest((np.arctan2(y, x) / np.pi + 1) / 2, "uniform").pvalue > 1e-4
    assert stats.kstest(x**2 + y**2, "chi2", (2,)).pvalue > 1e-4


def test_neighbours_are_not_correlated():
    z = np.empty((2, 320_000), np.float32)
    normal_pairs(*bits(2, 640_000).reshape(2, -1), z[0], z[1])
    for lag in (1, 8, 16, 17):
        assert checks.consistent(z[0, :-lag].astype(float) * z[0, lag:], 0.0).holds


def test_normals_at_the_ends_of_the_bits_are_finite():
    u = np.array([0, 1, 2**32 - 1, 2**32 - 2, 2**31], np.uint32)
    for angle in (0, 1, 2, 3, 2**32 - 1):
        x, y = np.empty(5, np.float32), np.empty(5, np.float32)
        normal_pairs(u, np.full(5, angle, np.uint32), x, y)
        radius = np.hypot(x, y)
        assert np.isfinite(radius).all() and radius[0] == pytest.approx(np.sqrt(2 * 32 * np.log(2)), rel=1e-5)


def drawn(law, seed: int, times: int, n: int) -> np.ndarray:
    """Draws of one mixture as the engine makes them, (times, 2, n)."""
    state, scratch = fresh_state(seed), np.empty(2 * ((n + 15) // 16 * 16), np.uint32)
    counts = np.random.default_rng(seed).multinomial(n, law.weights[0], times)
    out = np.empty((times, 2, n), np.float32)
    for (x, y), count in zip(out, counts, strict=True):
        engine._draw(state, scratch, count, engine._prepared(law)[0], x, y)
    return out


def test_draws_have_the_law_of_the_mixture():
    """Counts of far components are multinomial, and each component has its own mean and covariance."""
    weights = np.array([0.5, 0.3, 0.2])
    means = np.array([[0.0, 0.0], [1000.0, 0.0], [0.0, 1000.0]])
    laws = np.array([[[2.0, 0.9], [0.9, 1.0]], np.eye(2), [[0.1, -0.2], [-0.2, 0.5]]])
    points = drawn(mixtures(weights, means, laws), 3, 400, 1000).astype(float)
    label = ((points[:, :, None] - means.T[:, :, None]) ** 2).sum(axis=1).argmin(axis=1)
    counts = np.stack([(label == c).sum(axis=1) for c in range(3)])
    for c in range(3):
        assert checks.consistent(counts[c], 1000 * weights[c]).holds
        assert checks.consistent((counts[c] - 1000 * weights[c]) ** 2, 1000 * weights[c] * (1 - weights[c])).holds
        mine = points.swapaxes(1, 2)[label == c] - means[c]
        for i, j in ((0, 0), (0, 1), (1, 1)):
            assert checks.consistent(mine[:, i] * mine[:, j], laws[c, i, j]).holds
    assert checks.consistent((counts[0] - 500) * (counts[1] - 300), -1000 * 0.5 * 0.3).holds


def by_engine(p: np.ndarray, q: np.ndarray, shared: bool) -> float:
    """KL of the histograms of float32 points (n, 2), by the engine's parts."""
    n = len(p)
    logs = np.concatenate([[0.0], np.log(np.arange(1, n + 1))])
    entropies = np.diff(np.arange(n + 1) * logs)
    boxes = [[edge for axis in x.T for edge in (axis.min(), axis.max())] for x in (p, q)]
    if shared:
        low, high = np.minimum(*boxes), np.maximum(*boxes)
        boxes = [[low[0], high[1], low[2], high[3]]] * 2
    cells, areas = [np.empty(n, np.uint32), np.empty(n, np.uint32)], []
    for x, box, out in zip((p, q), boxes, cells, strict=True):
        areas.append(engine._cells(*np.ascontiguousarray(x.T), *map(np.float32, box), out))
    scratch, lift = np.empty(2500, np.uint32), np.empty(2500)
    filled, total = engine._reference(cells[1], areas[1], logs, scratch, lift)
    return engine._kl(cells[0], areas[0], areas[1], filled, total, lift, entropies, scratch)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 400), scale=st.floats(0.05, 20), shared=st.booleans())
def test_kl_of_histograms_is_numpys(seed, n, scale, shared):
    rng = np.random.default_rng(seed)
    p, q = (rng.standard_normal((2, n, 2)) * [[[1.0]], [[scale]]]).astype(np.float32)
    # numpy's cells are found in float64: leave out points at the edge of a cell, where rounding decides
    for _ in range(20):
        both = np.concatenate([p, q])
        box = list(zip(both.min(axis=0), both.max(axis=0), strict=True))
        keep = np.ones(n, bool)
        for x in (p, q):
            for axis, edges in zip(x.T.astype(float), box, strict=True):
                low, high = edges if shared else (axis.min(), axis.max())
                place = (axis - low) / (high - low) * 50 if high > low else np.full(n, 25.5)
                edge = (np.abs(place - np.rint(place)) < 1e-3) & (place > 1e-3) & (place < 50 - 1e-3)
                keep &= ~edge
        if keep.all() or keep.sum() < 2:
            break
        p, q, n = p[keep], q[keep], int(keep.sum())
    if keep.all():
        assert by_engine(p, q, shared) == pytest.approx(histogram_kl(p, q, shared), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("shared", [False, True])
def test_points_on_one_spot_are_no_accident(shared):
    """A histogram without width gets the width one, as in numpy."""
    p, q = np.full((10, 2), 3.0, np.float32), np.random.default_rng(0).random((10, 2)).astype(np.float32)
    assert by_engine(p, q, shared) == pytest.approx(histogram_kl(p, q, shared), rel=1e-5)
    assert by_engine(p, p, shared) == pytest.approx(0, abs=1e-12)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:covariance is not")
def test_estimates_agree_with_plain_ones_on_the_same_fits():
    """For each of several configurations: rounds by scikit-learn and numpy against rounds of the engine."""
    rounds, z = 40, []
    for corner in ((2, 2, 2), (2, 2, 15)):
        run = simulate(Setting(*corner), range(4), 11)
        laws = run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture
        ours = histogram_gap(*laws, run.streams, rounds=400)
        for b in range(4):
            random = np.random.RandomState(b)
            samplers = [mixture(*(part[b] for part in law), random) for law in laws]
            gaps = np.empty((2, rounds))
            for r in range(rounds):
                truth, anchors, synthetic = (s.sample(1000)[0] for s in samplers)
                for i, shared in enumerate((False, True)):
                    gaps[i, r] = histogram_kl(anchors, truth, shared) - histogram_kl(synthetic, truth, shared)
            error = np.hypot(gaps.std(axis=1, ddof=1) / np.sqrt(rounds), ours.se[b])
            z.append((gaps.mean(axis=1) - ours.gap[b]) / error)
    z = np.array(z)
    assert np.abs(z).max() < 4 and (z**2).sum() < stats.chi2.ppf(0.9999, z.size)


def test_an_estimate_depends_on_its_seed_alone():
    run = simulate(Setting(), range(3), 0)
    laws = run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture
    together = histogram_gap(*laws, run.streams, rounds=5)
    alone = histogram_gap(*(type(m)(*(part[1:2] for part in m)) for m in laws), run.streams[1:2], rounds=5)
    np.testing.assert_array_equal(together.gap[1], alone.gap[0])
    without = histogram_gap(*laws, run.streams, rounds=5, shared=False)
    np.testing.assert_array_equal(without.gap[:, 0], together.gap[:, 0])
    assert np.isnan(without.gap[:, 1]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rounds": 0}, "at least one round"),
        ({"draws": 1}, "2 to 100,000 draws"),
        ({"seeds": []}, "one for each"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    run = simulate(Setting(), range(1), 0)
    laws = run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture
    with pytest.raises(ValueError, match=message):
        histogram_gap(*laws, **({"seeds": run.streams} | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"means": np.full((1, 2, 2), np.nan)}, "NaN"),
        ({"weights": np.array([[1.5, -0.5]])}, "nonnegative"),
        ({"covariances": np.tile(-np.eye(2), (1, 2, 1, 1))}, "variance that is not positive"),
        ({"covariances": np.tile(np.array([[1.0, 2.0], [2.0, 1.0]]), (1, 2, 1, 1))}, "negative eigenvalue"),
    ],
)
def test_invalid_mixtures_do_not_reach_the_compiled_loops(change, message):
    run = simulate(Setting(), range(1), 0)
    fit = run.anchor_fit.mixture
    with pytest.raises(ValueError, match=message):
        histogram_gap(run.truth, fit._replace(**change), run.synthetic_fit.mixture, run.streams)


def test_batches_fit_together():
    one, two = (simulate(Setting(), range(n), 0) for n in (1, 2))
    with pytest.raises(ValueError, match="one batch"):
        histogram_gap(one.truth, two.anchor_fit.mixture, one.synthetic_fit.mixture, one.streams)


def test_histograms_are_for_two_dimensions():
    run = simulate(Setting(d=3), range(1), 0)
    with pytest.raises(ValueError, match="d = 2"):
        histogram_gap(run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture, run.streams)


@pytest.mark.parametrize("n", [1, 7, 8, 100])
def test_ranges_are_those_of_the_points(n):
    for shift in (-5, 0, 5):
        x = (np.random.default_rng(n).standard_normal(n) + shift).astype(np.float32)
        assert engine._range(x) == (x.min(), x.max())
