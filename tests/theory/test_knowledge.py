"""What data tells about the task: against tables of ordered samples, and at the ends of its inequalities."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbcore.information.finite import Joint, PmfError, kl, random_pmf
from rbcore.theory.divergence import verified
from rbcore.theory.knowledge import best_of, best_of_price, fano_floor, success_limit, told


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def world(rng, tasks=3, prompts=2, k=4):
    """A uniform prior, laws of the prompt, a generator, and what random accept sets make of its answers."""
    prompt = random_pmf(rng, prompts, tasks, concentration=0.7)
    model = random_pmf(rng, k, prompts)
    accepted = rng.random((tasks, k)) < 0.6
    accepted[np.arange(tasks), rng.integers(k, size=tasks)] = True
    data = np.stack([verified(model, one) for one in accepted], axis=-1)
    return np.full(tasks, 1 / tasks), prompt, model, data


def as_joint(prior, prompt, data, n):
    """The table of (theta, P, Z1, .., Zn)."""
    joint = Joint("theta", prior).extend("P", prompt.T, ["theta"])
    for i in range(n):
        joint = joint.extend(f"Z{i}", np.moveaxis(data, 0, -1), ["P", "theta"])
    return joint


@pytest.mark.parametrize("n", [1, 2, 3])
def test_told_is_what_the_table_of_ordered_samples_says(n, rng):
    prior, prompt, model, data = world(rng)
    got, joint = told(prior, prompt, model, data, n), as_joint(prior, prompt, data, n)
    seen = ",".join(f"Z{i}" for i in range(n))
    assert got.prompt == pytest.approx(joint.I("theta", "P"))
    assert got.useful == pytest.approx(joint.I("theta", seen, "P"))
    assert got.gain == pytest.approx(n * joint.H("Z0", "P"))
    assert got.noise == pytest.approx(joint.H(seen, "P,theta"))
    assert got.alike == pytest.approx(n * joint.H("Z0", "P") - joint.H(seen, "P"), abs=1e-12)
    apart = sum(prior[t] * prompt[p, t] * kl(data[:, p, t], model[:, p]) for p, t in np.ndindex(prompt.shape))
    assert got.price == pytest.approx(n * apart)
    table = np.moveaxis(joint.p, 0, -1)  # (P, Z.., theta)
    assert got.success == pytest.approx(table.max(axis=-1).sum())


def test_the_best_of_all_learners_by_trying_each(rng):
    """Every function from prompt and reading to a model, with models that suit several tasks."""
    prior, prompt, model, data = world(rng, tasks=3, prompts=2, k=2)
    good = np.array([[1, 1, 0], [0, 0, 1]])
    joint = np.moveaxis(as_joint(prior, prompt, data, 1).p, 0, -1).reshape(4, 3)
    tried = [
        sum(joint[s] @ good[w] for s, w in enumerate(learner)) for learner in itertools.product(range(2), repeat=4)
    ]
    assert told(prior, prompt, model, data, 1, good).success == pytest.approx(max(tried))


def test_without_readings_the_prompt_is_all(rng):
    prior, prompt, model, data = world(rng)
    got = told(prior, prompt, model, data, 0)
    assert got.useful == got.price == got.gain == got.noise == 0
    assert got.success == pytest.approx((prompt * prior).max(axis=1).sum())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(2, 5))
def test_the_bounds_hold(seed, n, tasks):
    prior, prompt, model, data = world(np.random.default_rng(seed), tasks=tasks)
    got = told(prior, prompt, model, data, n)
    assert -1e-12 <= got.useful <= min(got.price, got.gain - got.noise) + 1e-9
    known = got.prompt + got.useful
    assert got.success <= success_limit(known, tasks) + 1e-9
    assert 1 - got.success >= fano_floor(known, tasks) - 1e-9


def test_a_verifier_pays_for_what_it_rejects_and_a_cell_that_fits_pays_in_full(rng):
    """Cells of a partition, drawn with their own masses: the readings look like those of the generator."""
    law, cell = random_pmf(rng, 6), np.array([0, 0, 1, 1, 1, 2])
    mass = np.bincount(cell, weights=law)
    data = np.stack([verified(law, cell == c) for c in range(3)], axis=-1)[:, None]
    got = told(mass, np.ones((1, 3)), law[:, None], data, 1)
    assert got.price == pytest.approx(-(mass * np.log(mass)).sum())
    assert got.useful == pytest.approx(got.price)
    assert told(mass, np.ones((1, 3)), law[:, None], data, 2).useful == pytest.approx(got.price)  # theta is known


def test_the_prices_of_two_rounds_add_up(rng):
    """The second generator was made from the first readings; the same verifier looks at both."""
    prior, prompt, model, data = world(rng)
    accepted = data.max(axis=1).T > 0  # (theta, k)
    again = random_pmf(rng, 4, (2, 4))  # D_M of the second round, given prompt and first reading
    second = np.stack([verified(again, one) for one in accepted], axis=-1)  # (k, k_p, k, theta)
    joint = as_joint(prior, prompt, data, 1).extend("Y", np.moveaxis(second, 0, -1), ["P", "Z0", "theta"])
    first = told(prior, prompt, model, data, 1).price
    seen = joint.marginal("theta,P,Z0").p[..., 0]
    later = sum(seen[t, p, z] * kl(second[:, p, z, t], again[:, p, z]) for t, p, z in np.ndindex(seen.shape))
    both = joint.I("theta", "Z0,Y", "P")
    assert joint.I("theta", "Z0", "P") <= first + 1e-12
    assert both <= first + later + 1e-12 and later > 0


def test_the_symmetric_channel_attains_the_limit():
    for tasks, error in ((2, 0.1), (5, 0.3), (8, 0.7)):
        channel = np.full((tasks, tasks), error / (tasks - 1)) + np.eye(tasks) * (1 - error - error / (tasks - 1))
        uniform = np.full(tasks, 1 / tasks)
        got = told(uniform, np.ones((1, tasks)), uniform[:, None], channel[:, None], 1)
        assert got.success == pytest.approx(1 - error)
        assert success_limit(got.useful, tasks) == pytest.approx(1 - error)
        assert success_limit(0.99 * got.useful, tasks) < 1 - error
    assert success_limit(np.log(8), 8) == 1 and success_limit(0.0, 8) == pytest.approx(1 / 8, abs=1e-7)


@pytest.mark.parametrize("draws", [1, 2, 5])
def test_the_best_of_some_draws_by_enumeration(draws, rng):
    law, score = random_pmf(rng, 4), np.array([1.0, 0.0, 1.0, 2.0])
    wanted = np.zeros(4)
    for drawn in itertools.product(range(4), repeat=draws):
        top = [x for x in drawn if score[x] == max(score[list(drawn)])]
        for x in top:
            wanted[x] += np.prod(law[list(drawn)]) / len(top)
    np.testing.assert_allclose(best_of(law, score, draws), wanted, atol=1e-12)
    assert kl(wanted, law) <= best_of_price(draws) + 1e-12


def test_many_fine_outcomes_attain_the_price_of_the_best():
    law = np.full(2_000, 1 / 2_000)
    assert kl(best_of(law, np.arange(2_000), 4), law) == pytest.approx(best_of_price(4), rel=5e-3)


def test_bad_shapes_are_refused(rng):
    prior, prompt, model, data = world(rng)
    with pytest.raises(PmfError, match="shapes"):
        told(prior, prompt.T, model, data, 1)
    with pytest.raises(ValueError, match="a score for each of 4 outcomes"):
        best_of(model, np.zeros(3), 2)
    with pytest.raises(ValueError, match="and a draw"):
        best_of(model, np.zeros(4), 0)


def test_fanos_floor_in_bits():
    """Sixteen tasks are four bits: of two known bits and the one for the verdict, a quarter is missing."""
    assert fano_floor([2 * np.log(2), 3 * np.log(2), 0.0], 16) == pytest.approx([0.25, 0.0, 0.75])
