"""The factored running example: its law, its factors, and the flow identities, against brute force."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbcore.information.expr import parse
from rbcore.information.finite import Joint
from rbcore.theory import bottleneck, process
from rbcore.theory.generalization import gibbs
from rbcore.theory.process import World

PRIOR = tuple(np.array([3, 2, 1, 1, 1, 1, 1, 2]) / 12)
worlds = st.builds(
    World,
    anchors=st.integers(1, 3),
    strictness=st.floats(0, 12),
    noise=st.floats(0, 1),
    learning=st.floats(0, 15),
    prior=st.none() | st.just(PRIOR),
)


@pytest.mark.parametrize("factor", bottleneck.FACTORS)
@pytest.mark.parametrize("world", [World(), World(strictness=0.4, prior=PRIOR), World(strictness=math.inf)])
def test_every_account_has_the_law_of_the_process(world, factor):
    """The factors change nothing about (p, X, eps, G, W)."""
    prompts, _ = bottleneck.prompt_law(world)
    wanted = process.joint(world).marginal("P", "X", "eps", "G", "W").p[prompts][:, :, [0, 1, -1]]
    found = bottleneck.factored(world, factor=factor).marginal("e_p", "X", "eps", "G", "W").p
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(worlds, st.sampled_from(sorted(bottleneck.FACTORS)), st.sampled_from([1, 2, 4, 8]))
def test_every_account_obeys_the_assumptions_and_the_flow_theorems(world, factor, reads):
    joint = bottleneck.factored(world, reads, factor)
    for text in (
        "H(hp|e_p) = 0",
        "H(X|hp,e_M) = 0",
        "H(G|X,eps) = 0",
        "e_p,e_M,eps -> G -> W",
        "I(G;W) = I(e_p,e_M;W) + I(eps;W|e_p,e_M)",
        "I(G;W) = I(X;W) + I(eps;W|X)",
        "I(e_p,e_M;W) = I(X;W)",
        "I(G;W) <= -H(X|hp) + I(e_M;W) + I(e_p;W) + H(e_M) + I(eps;W|X) + I(e_p;e_M|W)",
        "H(X|hp) = H(e_M) - I(hp;e_M) - H(e_M|X,hp)",
    ):
        assert parse(text).holds(joint, tol=1e-9), text


@settings(max_examples=15, deadline=None)
@given(worlds)
def test_a_seed_does_not_know_the_prompt_and_a_turn_does_not_either_without_a_prior(world):
    assert bottleneck.factored(world, factor="seed").I("e_p", "e_M") == pytest.approx(0, abs=1e-9)
    plain = dataclasses.replace(world, prior=None)
    assert bottleneck.factored(plain).I("e_p", "e_M") == pytest.approx(0, abs=1e-9)
    answer = bottleneck.factored(world, factor="answer")
    assert answer.I("e_p", "e_M") == pytest.approx(answer.I("e_p", "X"), abs=1e-9)


def test_gain_of_a_copier_and_of_a_generator_that_does_not_listen():
    assert bottleneck.factored(World(strictness=math.inf)).H("X", "hp") == pytest.approx(0, abs=1e-12)
    deaf = bottleneck.factored(World(strictness=0))
    assert deaf.H("X", "hp", units="bits") == pytest.approx(3)
    assert deaf.I("e_p", "W") == pytest.approx(0, abs=1e-12)


def test_gain_falls_with_strictness_at_the_rate_of_the_variance():
    """d/dbeta H(X|hp) = -beta Var(cos), in nats: the answer of an exercise."""
    beta, step = 1.7, 1e-5
    above, below = (bottleneck.factored(World(strictness=beta + s)).H("X", "hp") for s in (step, -step))
    cosine = np.cos(process.turn()[0])
    pmf = process.generator(World(strictness=beta))[0]
    variance = pmf @ cosine**2 - (pmf @ cosine) ** 2
    assert (above - below) / (2 * step) == pytest.approx(-beta * variance, rel=1e-6)


def test_a_coarse_generator_reads_the_next_main_wind():
    assert bottleneck.read_direction(np.arange(8), 4).tolist() == [0, 0, 2, 2, 4, 4, 6, 6]
    assert bottleneck.read_direction(np.arange(8), 1).tolist() == [0] * 8
    assert bottleneck.factored(World(), reads=1).H("hp") == pytest.approx(0)


@pytest.mark.parametrize("prior", [None, PRIOR])
def test_one_shared_reading_is_the_factored_world(prior):
    world = World(noise=0.0, strictness=1.3, prior=prior)
    joint = bottleneck.factored(world)
    found = bottleneck.shared_prompt(world, 1, gibbs(process.loss(), world.learning))
    wanted = [joint.evaluate(text) for text in ("I(G;W)", "I(e_p;W)", "I(e_M;W)", "I(e_p;e_M|W)", "H(e_p|W)")]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("prior", [None, PRIOR])
def test_two_shared_readings_by_enumeration_of_ordered_turns(prior):
    """Types against all ordered pairs of turns; with a prior their law depends on the prompt."""
    world, learner = World(noise=0.0, strictness=0.8, prior=prior), gibbs(process.loss(), 9.0)
    prompts, pmf = bottleneck.prompt_law(world)
    answers = process.generator(world)
    table = np.zeros((len(prompts), 8, 8, 8))
    for (i, p), a, b in itertools.product(enumerate(prompts), range(8), range(8)):
        counts = np.bincount([(p + a) % 8, (p + b) % 8], minlength=8)[None]
        table[i, a, b] = pmf[i] * answers[p, (p + a) % 8] * answers[p, (p + b) % 8] * learner(counts)[0]
    joint = Joint(["e_p", "A", "B", "W"], table)
    found = bottleneck.shared_prompt(world, 2, learner)
    texts = ("I(e_p,A,B;W)", "I(e_p;W)", "I(A,B;W)", "I(e_p;A,B|W)", "H(e_p|W)")
    np.testing.assert_allclose(found, [joint.evaluate(text) for text in texts], atol=1e-12)


def test_uniform_prompts_and_a_deaf_generator_leave_nothing_but_dependence_given_W():
    """Another answer of an exercise: the task is uniform, there is one anchor, and W = X."""
    world = World(task=(1 / 8,) * 8, anchors=1, strictness=0.0, noise=0.0, learning=500.0)
    joint = bottleneck.factored(world)
    for text in ("I(e_p;W)", "I(e_M;W)"):
        assert joint.evaluate(text) == pytest.approx(0, abs=1e-12)
    assert joint.I("e_p", "e_M", "W", units="bits") == pytest.approx(3)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="turn, seed, answer"):
        bottleneck.factored(World(), factor="mood")
    with pytest.raises(ValueError, match="tells 3 directions"):
        bottleneck.factored(World(), reads=3)
    with pytest.raises(ValueError, match="no curation"):
        bottleneck.shared_prompt(World(), 2, gibbs(process.loss(), 1.0))
