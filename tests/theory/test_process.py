"""The running example: enumerated and simulated worlds agree, and bad worlds are refused."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbcore import checks
from rbcore.information.finite import entropy
from rbcore.theory import process
from rbcore.theory.process import World


def by_hand(world: World) -> dict[tuple[int, int, int, int, int], float]:
    """P(p, x, e, g, w) by loops over ordered anchors: an independent road to the same joint pmf."""
    k = 8
    table: dict[tuple[int, int, int, int, int], float] = {}
    angle = 2 * math.pi / k
    for readings in itertools.product(range(k), repeat=world.anchors):
        chance = math.prod(world.task[z] for z in readings)
        if chance == 0:
            continue
        close = [round(sum(math.cos(angle * (z - p)) for z in readings), 9) for p in range(k)]
        p = close.index(max(close))
        weights = [math.exp(world.strictness * math.cos(angle * (x - p))) for x in range(k)]
        for x in range(k):
            for e, noise in ((0, 1 - world.noise), (1, world.noise / 2), (k - 1, world.noise / 2)):
                g = (x + e) % k
                gibbs = [math.exp(-world.learning * min(abs(w - g), k - abs(w - g)) / 4) for w in range(k)]
                for w in range(k):
                    key = (p, x, e, g, w)
                    share = chance * weights[x] / sum(weights) * noise * gibbs[w] / sum(gibbs)
                    table[key] = table.get(key, 0.0) + share
    return table


def test_joint_agrees_with_loops_over_ordered_anchors():
    """The multiset representation changes nothing about the law of (p, X, eps, G, W)."""
    world = World(anchors=2, strictness=1.3, noise=0.3)
    table = by_hand(world)
    joint = process.joint(world).marginal("P", "X", "eps", "G", "W").p[..., 0]
    dense = np.zeros(joint.shape)
    for key, chance in table.items():
        dense[key] = chance
    np.testing.assert_allclose(joint, dense, atol=1e-14)


@pytest.mark.parametrize(
    "world", [World(), World(strictness=math.inf, anchors=2), World(prior=tuple(np.arange(1, 9) / 36), noise=0.6)]
)
def test_simulation_agrees_with_enumeration(world):
    """The joint table of simulated runs has the exact law, and another noise is noticed."""
    n, names = 200_000, ("P", "X", "G", "W")
    runs = process.sample(world, np.random.default_rng(5), n)
    counts = np.zeros((8,) * 4)
    np.add.at(counts, tuple(runs[name] for name in names), 1)
    assert checks.same_law(counts, process.joint(world).marginal(*names).p[..., 0]).holds
    other = dataclasses.replace(world, noise=world.noise + 0.02)
    assert not checks.same_law(counts, process.joint(other).marginal(*names).p[..., 0]).holds
    assert ((runs["X"] + runs["eps"]) % 8 == runs["G"]).all()


def test_simulation_is_a_function_of_its_generator():
    """The same seed gives the same runs."""
    first, second = (process.sample(World(), np.random.default_rng(3), 50) for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)


@settings(max_examples=25, deadline=None)
@given(
    anchors=st.integers(1, 4),
    strictness=st.floats(0, 30) | st.just(math.inf),
    noise=st.floats(0, 1),
    learning=st.floats(0, 20),
)
def test_every_world_is_a_generation_process(anchors, strictness, noise, learning):
    """Any parameters give a normalized Markov chain in which the prompt is a function of the anchors."""
    model = process.chain(World(anchors=anchors, strictness=strictness, noise=noise, learning=learning))
    from rbcore.information.expr import parse

    assert parse("S -> P -> X -> G -> W").holds(model, tol=1e-9)
    assert model.H("P", "S") == pytest.approx(0, abs=1e-9)


def test_ends_of_strictness():
    """A loose prompt is ignored, a strict one is repeated."""
    loose = process.chain(World(strictness=0))
    strict = process.chain(World(strictness=math.inf))
    assert loose.I("S", "X") == pytest.approx(0, abs=1e-12)
    assert strict.H("X", "P") == pytest.approx(0, abs=1e-12)
    assert strict.I("S", "X") == pytest.approx(strict.I("S", "P"))


def test_prior_tilts_the_answers():
    """With a prior the loosest prompt gets the prior itself, and a uniform prior changes nothing."""
    prior = tuple(np.arange(1, 9) / 36)
    np.testing.assert_allclose(process.generator(World(strictness=0, prior=prior)), np.tile(prior, (8, 1)))
    uniform = tuple(np.full(8, 1 / 8))
    np.testing.assert_allclose(process.generator(World(prior=uniform)), process.generator(World()))


def test_additive_generator():
    """With a uniform prior the answer is the prompt plus an independent turn: all rows are shifts of one pmf."""
    rows = process.generator(World())
    for p in range(8):
        np.testing.assert_allclose(np.roll(rows[0], p), rows[p])
    model = process.joint(World())
    assert model.H("X", "P") == pytest.approx(float(entropy(rows[0])))


def test_anchor_sets_are_a_distribution():
    """The multinomial weights sum to one, and one anchor has the task's own law."""
    for m in (1, 2, 5):
        counts, pmf = process.anchor_sets(World(anchors=m))
        assert (counts.sum(axis=1) == m).all()
        assert pmf.sum() == pytest.approx(1)
    counts, pmf = process.anchor_sets(World(anchors=1))
    np.testing.assert_allclose(counts.T @ pmf, World().task)


def test_the_law_of_the_prompt_and_the_most_frequent_reading():
    """By loops over ordered anchors; what is most frequent is counted by hand, ties to the lower sector."""
    world = World(anchors=3, strictness=1.0)
    law = np.zeros(8)
    for (p, *_), chance in by_hand(world).items():
        law[p] += chance
    np.testing.assert_allclose(process.prompt_pmf(world), law, atol=1e-14)
    counts, _ = process.anchor_sets(world)
    favourites = [min(range(8), key=lambda z: (-row[z], z)) for row in counts.tolist()]
    assert process.most_frequent(world).tolist() == favourites and len(set(favourites)) > 3


def test_loss_is_a_bounded_metric():
    loss = process.loss()
    assert loss.min() == 0 and loss.max() == 1
    np.testing.assert_array_equal(loss, loss.T)
    assert (loss[:, None, :] <= loss[:, :, None] + loss[None, :, :].transpose(0, 2, 1) + 1e-12).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": (1.0,)}, "pmf over 8 sectors"),
        ({"task": (2.0, -1.0, 0, 0, 0, 0, 0, 0)}, "nonnegative"),
        ({"anchors": 0}, "at least 1"),
        ({"strictness": -1.0}, "at least 0"),
        ({"strictness": math.nan}, "inverse temperature"),
        ({"noise": 1.5}, "probability"),
        ({"learning": math.inf}, "finite inverse temperature"),
        ({"prior": (1.0, 0, 0, 0, 0, 0, 0, 0)}, "positive pmf"),
    ],
)
def test_bad_worlds_are_refused(change, message):
    """Each bad parameter gets an error that names it."""
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(World(), **change)


def test_a_world_of_weights_is_the_world_of_their_shares():
    assert process.world([0, 0, 1, 2, 6, 4, 1, 0]) == World()
    found = process.world([2] * 8, 1, math.inf, 0, 0, prior=[1, 2, 3, 4, 5, 6, 7, 8])
    assert found.task == (1 / 8,) * 8 and found.prior == pytest.approx(np.arange(1, 9) / 36)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"task": [1, 2, 3]}, "task has a weight for each of N, NE"),
        ({"task": [1] * 7 + [math.nan]}, "task has a weight for each"),
        ({"task": ["1"] * 8}, "task has a weight for each"),
        ({"task": [1] * 7 + [-1]}, "at least 0 and not all 0"),
        ({"task": [0] * 8}, "at least 0 and not all 0"),
        ({"prior": [1] * 7 + [0]}, "weights of prior are positive"),
        ({"anchors": 2.0}, "anchors is a number, a whole one"),
        ({"strictness": np.arange(3)}, "strictness is a number"),
        ({"noise": True}, "noise is a number"),
        ({"learning": math.inf}, "finite inverse temperature"),
    ],
)
def test_what_is_no_world_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        process.world(**({"task": [1] * 8} | wrong))


def test_the_answers_of_many_strictnesses_are_those_of_each():
    levels = [0.0, 1.5, math.inf]
    together = process.answers_by_strictness(World(), levels)
    for i, model in enumerate(process.joints_by_strictness(World(), levels)):
        alone = World(strictness=levels[i])
        np.testing.assert_array_equal(together[:, :, i].T, process.generator(alone))
        np.testing.assert_array_equal(model.p, process.chain(alone).p)


def test_offsets_are_the_answers_seen_from_the_prompt():
    world = World(strictness=1.3, prior=process.world([1] * 8, prior=range(1, 9)).prior)
    laws, answers = process.offsets(world), process.generator(world)
    for p, e in itertools.product(range(8), repeat=2):
        assert laws[e, p] == answers[p, (p + e) % 8]
    np.testing.assert_allclose(process.offsets(World()), process.offsets(World())[:, :1].repeat(8, axis=1))


def test_numbers_without_a_finite_value_are_shown_as_words():
    assert process.shown(2.0) == {"value": 2.0, "fmt": "g"}
    assert process.shown(0.5, ".0%", unit="bits") == {"value": 0.5, "fmt": ".0%", "unit": "bits"}
    assert process.shown(math.inf) == {"value": "∞"} and process.shown(-1e10) == {"value": "−∞"}
    assert process.shown(math.nan) == {"value": "undefined"}


def test_the_anchors_of_a_stage_are_counted():
    assert process.stages(World())["S"][1] == "three readings"
    assert process.stages(World(anchors=1))["S"][1] == "one reading"
    assert process.stages(World(anchors=9))["S"][1] == "9 readings"
