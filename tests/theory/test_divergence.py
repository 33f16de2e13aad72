"""Curation, divergences and post-training against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr

from rbcore.information.finite import PmfError, kl, random_pmf, tv
from rbcore.theory import divergence
from rbcore.theory.posttrain import account, brier_risk, expected_excess, post_train

seeds = st.integers(0, 2**32 - 1)


def pmfs(seed: int, *shape: int) -> np.ndarray:
    return random_pmf(np.random.default_rng(seed), shape[0], shape[1:] or None, concentration=0.6)


@given(seeds)
def test_convolution_is_the_law_of_a_sum(seed):
    """The law of X + eps by the double sum."""
    p, noise = pmfs(seed, 5, 2)[:, 0], pmfs(seed + 1, 5, 2)[:, 0]
    by_hand = np.zeros(5)
    for x in range(5):
        for e in range(5):
            by_hand[(x + e) % 5] += p[x] * noise[e]
    np.testing.assert_allclose(divergence.convolve(p, noise), by_hand, atol=1e-15)


@given(seeds, st.floats(1.0, 50.0), st.integers(2, 7))
def test_the_charge_for_log_loss_holds_for_every_model_and_task(seed, ratio, k):
    """KL(D || pi) <= KL(D || D_gen) + charge, for a task below `ratio` times D_gen, and the two simpler bounds."""
    generated, model, other = pmfs(seed, k, 3).T
    share = np.minimum(other / generated, ratio).max() if ratio < 1.5 else ratio
    task = np.minimum(other, share * generated)
    task = task + (1 - task.sum()) * generated  # below (share + 1) D_gen
    ratio = float((task / generated).max())
    excess = kl(generated, model)
    charge = float(divergence.log_loss_charge(ratio, excess))
    assert kl(task, model) <= kl(task, generated) + charge + 1e-9
    assert charge <= ratio * excess + min(1, np.sqrt(2 * ratio * excess)) + 1e-9
    assert charge <= ratio * (excess + np.sqrt(excess / 2)) + 1e-9


@given(st.floats(1.001, 1e4), st.floats(1e-2, 20.0), st.integers(2, 6), seeds)
def test_the_charge_for_log_loss_is_attained(ratio, charge, k, seed):
    """The task is D_gen given an event of probability 1 / ratio; the model shrinks that event by exp(-charge)."""
    inside, outside = pmfs(seed, k, 2).T
    a = 1 / ratio
    generated = np.concatenate([a * inside, (1 - a) * outside])
    shrunk = a * np.exp(-charge)
    model = np.concatenate([shrunk * inside, (1 - shrunk) * outside])
    task = np.concatenate([inside, np.zeros(k)])
    assert kl(task, model) - kl(task, generated) == pytest.approx(charge)
    assert float(divergence.log_loss_charge(ratio, kl(generated, model))) == pytest.approx(charge, rel=1e-5)


def test_the_charge_for_log_loss_at_its_ends():
    np.testing.assert_allclose(divergence.log_loss_charge(1.0, [0, 0.5, np.inf]), [0, 0.5, np.inf])
    np.testing.assert_allclose(divergence.log_loss_charge([2.0, 5.0], 0.0), 0, atol=1e-12)
    assert divergence.log_loss_charge(3.0, np.inf) == np.inf
    excess = np.linspace(0, 3, 50)
    charge = divergence.log_loss_charge(3.0, excess)
    assert (np.diff(charge) > 0).all() and (np.diff(charge, 2) < 0).all()
    for ratio, excess in ((0.9, 1.0), (np.inf, 1.0), (2.0, -0.1), (np.nan, 1.0)):
        with pytest.raises(ValueError, match="ratio >= 1"):
            divergence.log_loss_charge(ratio, excess)


@given(seeds, st.floats(0.05, 20))
def test_no_model_of_synthetic_data_gets_further_below_its_level_than_the_relief(seed, share):
    generated, model, other = pmfs(seed, 5, 3).T
    task = np.minimum(other, share * generated)
    task = task + (1 - task.sum()) * generated
    relief = float(divergence.log_loss_relief((task / generated).max(), kl(generated, model)))
    assert kl(task, model) >= kl(task, generated) - relief - 1e-9
    assert 0 <= relief <= np.log((task / generated).max()) + 1e-9


@given(st.floats(1.01, 1e3), st.floats(0.02, 0.98), st.integers(2, 6), seeds)
def test_the_relief_is_attained(ratio, share, k, seed):
    """The task is D_gen given an event of probability 1 / ratio; the model enlarges that event by exp(relief)."""
    inside, outside = pmfs(seed, k, 2).T
    a, relief = 1 / ratio, share * np.log(ratio)
    more = a * np.exp(relief)
    generated = np.concatenate([a * inside, (1 - a) * outside])
    model = np.concatenate([more * inside, (1 - more) * outside])
    task = np.concatenate([inside, np.zeros(k)])
    assert kl(task, generated) - kl(task, model) == pytest.approx(relief)
    assert float(divergence.log_loss_relief(ratio, kl(generated, model))) == pytest.approx(relief, rel=1e-5)


def test_the_relief_at_its_ends():
    np.testing.assert_allclose(
        divergence.log_loss_relief([1.0, 1.0, 3.0, 3.0], [0, 2.0, 0, np.inf]), [0, 0, 0, np.log(3)], atol=1e-12
    )
    for ratio, excess in ((0.9, 1.0), (np.inf, 1.0), (2.0, -0.1)):
        with pytest.raises(ValueError, match="ratio >= 1"):
            divergence.log_loss_relief(ratio, excess)


@given(seeds)
def test_coupling_lemma_and_its_sharpness(seed):
    """TV(D_M, D_gen) <= P(eps != 0) for independent noise; a point mass moved by sure noise attains it."""
    p, noise = pmfs(seed, 6, 2)[:, 0], pmfs(seed + 1, 6, 2)[:, 0]
    assert tv(p, divergence.convolve(p, noise)) <= 1 - noise[0] + 1e-12
    point = np.eye(6)[2]
    moved = tv(point, divergence.convolve(point, noise))
    assert moved == pytest.approx(1 - noise[0])
    assert moved > 0.99 * (1 - noise[0]) - 1e-12


@given(seeds, st.integers(1, 5))
def test_verifier_is_conditioning(seed, size):
    """`verified` is the conditional law; rejection sampling by hand gives the same."""
    p = pmfs(seed, 6, 3) + 1e-6
    p /= p.sum(axis=0)
    accepted = np.arange(6) < size
    law = divergence.verified(p, accepted)
    np.testing.assert_allclose(law.sum(axis=0), 1)
    np.testing.assert_allclose(law[accepted] * p[accepted].sum(axis=0), p[accepted])
    assert (law[~accepted] == 0).all()


@given(seeds, st.floats(0.1, 5))
def test_the_additive_bound_is_the_sum_of_both_distances(seed, scale):
    task, model, generated = pmfs(seed, 5, 3).T
    halves = [np.abs(task - model).sum() / 2, np.abs(model - generated).sum() / 2]
    assert divergence.additive_bound(task, model, generated, scale) == pytest.approx(scale * sum(halves))
    assert divergence.additive_bound(task, model, generated) == pytest.approx(sum(halves))


def test_pinsker_and_bretagnolle_huber_cross_where_they_say():
    crossing = divergence.pinsker_crossing()
    for shift, sharper in ((-1e-6, divergence.pinsker), (1e-6, divergence.bretagnolle_huber)):
        both = [divergence.pinsker(crossing + shift), divergence.bretagnolle_huber(crossing + shift)]
        assert sharper(crossing + shift) == min(both) < max(both)
    assert divergence.pinsker(2.0) == 1 and divergence.bretagnolle_huber(np.log(2)) == pytest.approx(np.sqrt(0.5))


def test_a_charge_needs_every_ratio_and_every_excess_of_a_batch():
    for ratio, excess in (([2.0, 0.5], 0.1), ([2.0, np.inf], 0.1), (2.0, [0.1, -0.1])):
        with pytest.raises(ValueError, match="a finite ratio >= 1 and an excess >= 0"):
            divergence.log_loss_charge(ratio, excess)


def test_bad_curation_is_refused():
    with pytest.raises(PmfError, match="ask for ever"):
        divergence.verified(np.array([1.0, 0.0]), [False, True])
    with pytest.raises(PmfError, match="ask for ever"):  # one of a batch is enough
        divergence.verified(np.array([[1.0, 0.5], [0.0, 0.5]]), [False, True])
    with pytest.raises(PmfError, match="marks each of the 2 outcomes"):
        divergence.verified(np.array([1.0, 0.0]), [True])
    with pytest.raises(PmfError, match="same 2 outcomes"):
        divergence.convolve(np.array([1.0, 0.0]), [1.0])


@given(seeds)
def test_pinsker_and_bretagnolle_huber(seed):
    """Both bounds hold, and the frontier lies between the truth and both."""
    p, q = pmfs(seed, 4, 50), pmfs(seed + 1, 4, 50)
    distance, divergence_ = tv(p, q), rel_entr(p, q).sum(axis=0)
    np.testing.assert_allclose(kl(p, q), divergence_)
    assert (distance <= divergence.pinsker(divergence_) + 1e-12).all()
    assert (distance <= divergence.bretagnolle_huber(divergence_) + 1e-12).all()
    inside = distance < 0.99
    assert (divergence.smallest_kl(distance[inside]) <= divergence_[inside] + 1e-6).all()


def test_frontier_is_attained_and_known_at_small_distances():
    """Two outcomes attain the frontier; near zero it is 2 v^2 + 4 v^4 / 9, so Pinsker's constant is sharp."""
    v = np.array([0.05, 0.1, 0.2])
    np.testing.assert_allclose(divergence.smallest_kl(v), 2 * v**2 + 4 * v**4 / 9, rtol=2e-4)
    assert (v > 0.99 * divergence.pinsker(divergence.smallest_kl(v))).all()
    far = np.array([0.95, 0.98, 0.99])
    np.testing.assert_allclose(divergence.smallest_kl(far), -np.log(1 - far), rtol=2e-3)
    with pytest.raises(ValueError, match="total variation"):
        divergence.smallest_kl([0.5, 1.0])
    with pytest.raises(ValueError, match="total variation"):
        divergence.smallest_kl([0.5, -0.5])


def test_post_training_matches_its_closed_form():
    """The mean excess of simulated models agrees with the exact one, setting by setting."""
    rng = np.random.default_rng(0)
    task, prompt, law = random_pmf(rng, 4), np.array([0.2, 0.5, 0.3]), random_pmf(rng, 4, (3, 6))
    trained = post_train(rng, task, prompt, law, 30, rng.choice(3, size=20_000, p=prompt), smoothing=0.7)
    exact = expected_excess(task, prompt, law, 30, smoothing=0.7)
    se = trained.excess.std(axis=-1) / np.sqrt(20_000)
    assert (np.abs(trained.excess.mean(axis=-1) - exact) < 5 * se).all()
    assert expected_excess(task, prompt, law[..., 0], 30, smoothing=0.7) == pytest.approx(exact[0])


def test_one_prompt_is_its_own_mixture():
    """With a single prompt the law of the prompt in use is the law over all prompts."""
    law = np.array([[0.2], [0.3], [0.5]])
    trained = post_train(np.random.default_rng(0), [0.5, 0.3, 0.2], [1.0], law, 40, np.zeros(50, dtype=int))
    np.testing.assert_allclose(trained.generated, trained.own_prompt)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_account_adds_up_and_bounds(seed):
    """Gap and slacks are nonnegative and sum to the bound; the sharper bound lies between; random worlds."""
    rng = np.random.default_rng(seed)
    task, prompt = random_pmf(rng, 4, concentration=0.7), random_pmf(rng, 3)
    answers = random_pmf(rng, 4, (3, 5), concentration=0.5)
    curated = random_pmf(rng, 4, (3, 5), concentration=0.5)
    trained = post_train(rng, task, prompt, curated, 20, rng.choice(3, size=30, p=prompt))
    mix = [np.einsum("p,xpb->xb", prompt, law) for law in (answers, curated)]
    parts = account(trained, task, *mix)
    np.testing.assert_allclose(sum(parts[:5]), parts.bound, atol=1e-12)
    assert all(part.min() >= -1e-12 for part in parts)
    assert (parts.gap <= parts.sharper + 1e-12).all() and (parts.sharper <= parts.bound + 1e-12).all()
    assert trained.task.shape == (5, 30)


def test_brier_risk_by_enumeration():
    """The closed form equals the sum over outcomes, and the loss lies in [0, 1]."""
    forecast, law = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.4, 0.5])
    losses = np.array([((forecast - e) ** 2).sum() / 2 for e in np.eye(3)])
    assert brier_risk(forecast, law) == pytest.approx(losses @ law)
    assert losses.min() >= 0 and losses.max() <= 1


@pytest.mark.parametrize(
    ("n", "prompts", "smoothing", "message"),
    [
        (0, [0], 0.5, "at least one reading"),
        (5, [], 0.5, "at least one reading"),
        (5, [1], 0.5, "integers in 0..0"),
        (5, [0], 0.0, "positive pseudo-count"),
    ],
)
def test_bad_experiments_are_refused(n, prompts, smoothing, message):
    with pytest.raises(ValueError, match=message):
        post_train(np.random.default_rng(0), [0.5, 0.5], [1.0], np.eye(2)[:, :1], n, prompts, smoothing)
