"""GGMI in the running example against loops over ordered readings, closed forms and the one-reading joint."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from rbcore.information.expr import parse
from rbcore.information.finite import Joint
from rbcore.theory import ggmi, process
from rbcore.theory.process import World

INFORMED = tuple(0.9 * np.asarray(World().task) + 0.1 / 8)
worlds = st.builds(
    World,
    strictness=st.floats(0, 10),
    noise=st.floats(0, 1),
    learning=st.floats(0, 20),
    prior=st.sampled_from([None, INFORMED]),
)


def chances(sample: tuple[int, ...], learning: float) -> tuple[list[float], list[float]]:
    """The Gibbs learner's law and the training risks on one ordered sample, by hand."""
    apart = [[min((w - z) % 8, (z - w) % 8) / 4 for z in sample] for w in range(8)]
    risks = [sum(row) / len(sample) for row in apart]
    weights = [math.exp(-learning * risk) for risk in risks]
    return [weight / sum(weights) for weight in weights], risks


def by_hand(world: World, n: int) -> dict[str, float]:
    """Informations, gap and risk of the synthetic model by loops over ordered readings."""
    anchor_risk = [sum(world.task[z] * min((w - z) % 8, (z - w) % 8) / 4 for z in range(8)) for w in range(8)]
    training = 0.0
    prompt = np.zeros(8)
    for readings in itertools.product(range(8), repeat=world.anchors):
        close = [round(sum(math.cos(math.pi / 4 * (z - p)) for z in readings), 9) for p in range(8)]
        prompt[close.index(max(close))] += math.prod(world.task[z] for z in readings)
    table = np.zeros((8, 8**n, 8))
    for p in range(8):
        prior = world.prior or (1 / 8,) * 8
        weight = [prior[x] * math.exp(world.strictness * math.cos(math.pi / 4 * (x - p))) for x in range(8)]
        answer = [w / sum(weight) for w in weight]
        noise = {0: 1 - world.noise, 1: world.noise / 2, -1: world.noise / 2}
        law = [sum(chance * answer[(z - e) % 8] for e, chance in noise.items()) for z in range(8)]
        for index, sample in enumerate(itertools.product(range(8), repeat=n)):
            models, risks = chances(sample, world.learning)
            chance = prompt[p] * math.prod(law[z] for z in sample)
            table[p, index] = chance * np.array(models)
            training += chance * sum(m * r for m, r in zip(models, risks, strict=True))
    joint = Joint("P,G,W", table)
    risk = float(table.sum(axis=(0, 1)) @ anchor_risk)
    return {
        "synthetic": joint.I("G", "W"),
        "prompt": joint.I("P", "W"),
        "gap_synthetic": risk - training,
        "risk_synthetic": risk,
    }


@pytest.mark.parametrize(
    ("world", "n"),
    [
        (World(anchors=2), 2),
        (World(anchors=2, strictness=0.7, noise=0.5, learning=15, prior=INFORMED), 3),
        (World(anchors=1, strictness=40, noise=0.1), 2),
    ],
)
def test_the_synthetic_model_agrees_with_loops_over_ordered_readings(world: World, n: int) -> None:
    found = ggmi.compare([world], n)
    for name, value in by_hand(world, n).items():
        assert getattr(found, name)[0] == pytest.approx(value, abs=1e-10), name


def test_one_reading_agrees_with_the_joint_of_the_process() -> None:
    world = World(strictness=1.3, noise=0.3, prior=INFORMED)
    model, found = process.joint(world), ggmi.compare([world], 1)
    assert found.synthetic[0] == pytest.approx(model.I("G", "W"))
    assert found.prompt[0] == pytest.approx(model.I("P", "W"))
    assert found.H_S[0] == pytest.approx(model.H("S"))
    assert found.H_G[0] == pytest.approx(model.H("G"))
    assert found.gain[0] == pytest.approx(model.H("X", "P"))
    assert found.conditional[0] == pytest.approx(found.anchors[0] - model.I("G", "W", "P"))


def test_the_anchors_model_agrees_with_its_joint() -> None:
    world = World(anchors=2, learning=9)
    counts, pmf = process.anchor_sets(world)
    rows = [chances(tuple(np.repeat(range(8), row)), world.learning) for row in counts]
    models = np.array([law for law, _ in rows])
    joint = Joint.chain([("S", pmf), ("W'", models)])
    found = ggmi.compare([world], 2)
    assert found.anchors[0] == pytest.approx(joint.I("S", "W'"))
    training = sum(chance * np.dot(law, risks) for chance, (law, risks) in zip(pmf, rows, strict=True))
    risk = (pmf @ models) @ (process.loss() @ np.asarray(world.task))
    assert found.gap_anchors[0] == pytest.approx(risk - training)
    assert found.risk_anchors[0] == pytest.approx(risk)


@settings(max_examples=15, deadline=None)
@given(st.lists(worlds, min_size=1, max_size=3), st.integers(1, 4))
def test_terms_add_up_and_bounds_hold_in_every_world(batch: list[World], n: int) -> None:
    found = ggmi.compare(batch, n)
    np.testing.assert_allclose(sum(found.terms.values()), found.ggmi, atol=1e-9)
    assert (found.prompt >= -1e-9).all() and (found.synthetic >= found.prompt - 1e-9).all()
    assert (np.abs(found.gap_anchors) <= found.anchor_term + 1e-6).all()
    bound = found.given_prompt + found.synthetic_term()
    assert (found.synthetic_term() <= found.synthetic_term(found.synthetic) + 1e-6).all()
    assert (np.abs(found.gap_synthetic) <= bound + 1e-6).all()
    assert (found.divergences <= found.given_prompt + 1e-9).all()  # total variation is convex
    for i, world in enumerate(batch):
        alone = ggmi.compare([world], n)
        assert all(a[i] == pytest.approx(b[0], abs=1e-12) for a, b in zip(found, alone, strict=True))


@given(worlds, st.integers(1, 7))
@settings(max_examples=10, deadline=None)
def test_turned_data_is_as_informative_and_ggmi_does_not_see_it(world: World, turned: int) -> None:
    straight, other = (ggmi.compare([world], 3, turned=k) for k in (0, turned))
    for name in ("anchors", "synthetic", "prompt", "H_G", "gain"):
        assert getattr(straight, name)[0] == pytest.approx(getattr(other, name)[0], abs=1e-9)
    data, shifted = ggmi.laws([world])[1], ggmi.laws([world], turned)[1]
    np.testing.assert_allclose(np.roll(data, turned, axis=0), shifted, atol=1e-15)


def test_half_a_turn_changes_the_risk() -> None:
    straight, opposite = (ggmi.compare([World()], 3, turned=k) for k in (0, 4))
    assert opposite.risk_synthetic[0] == pytest.approx(1 - straight.risk_synthetic[0])  # far becomes near
    assert opposite.risk_synthetic[0] > straight.risk_synthetic[0] + 0.1


def test_a_deaf_learner_has_the_largest_ggmi_and_no_gap() -> None:
    found = ggmi.compare([World(learning=0)], 4)
    assert found.synthetic[0] == pytest.approx(0, abs=1e-12)
    assert found.gap_synthetic[0] == pytest.approx(0, abs=1e-12)
    assert found.risk_synthetic[0] == pytest.approx(0.5)


def test_a_sweep_is_in_the_order_of_its_settings() -> None:
    chosen, grid = ggmi.sweep(World(), [1, 2], prior=[None, INFORMED], learning=[1, 8])
    assert len(chosen) == grid.n.size == 8
    for i, one in enumerate(chosen):
        world = dataclasses.replace(World(), prior=one["prior"], learning=one["learning"])
        alone = ggmi.compare([world], one["n"])
        assert grid.ggmi[i] == pytest.approx(alone.ggmi[0])
        assert grid.n[i] == one["n"]


@pytest.mark.slow
@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_a_coin_has_the_entropy_that_was_asked_for(bits: list[float]) -> None:
    heads = ggmi.coin(bits)
    entropies = [Joint("A", [1 - p, p]).H("A", units="bits") for p in heads]
    np.testing.assert_allclose(entropies, bits, atol=1e-12)
    assert (heads <= 0.5).all()


@given(st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_edge_worlds_have_their_shares_and_the_least_slack(alpha: float, share: float) -> None:
    alpha = max(alpha, 1 - share)
    joint = ggmi.edge_worlds([alpha], [share])
    assert joint.H("e_p")[0] == pytest.approx(alpha * joint.H("P")[0], abs=1e-9)
    assert joint.H("S", "W")[0] == pytest.approx(share * joint.H("S")[0], abs=1e-9)
    slack = joint.evaluate("H(X|hp) + H(S) - H(G)")[0] - alpha * joint.H("S", "W")[0]
    assert slack == pytest.approx((1 - alpha * (1 + share)) * math.log(2), abs=1e-9)
    assert parse("S -> P -> e_p -> hp -> X -> G -> W").holds(joint, tol=1e-9)


def test_gains_are_what_the_synthetic_model_saves() -> None:
    found = ggmi.Comparison(*np.arange(1.0, 15.0))._replace(
        gap_anchors=np.array(-0.5), gap_synthetic=np.array(0.2)
    )
    assert found.ggmi == 1 - 2 and found.conditional == 1 - 2 + 3
    assert found.gap_gain == pytest.approx(0.5 - 0.2) and found.risk_gain == 9 - 10


def test_edge_worlds_are_a_batch() -> None:
    alpha, share = [0.6, 0.8, 1.0], [0.5, 0.9, 0.3]
    together = ggmi.edge_worlds(alpha, share)
    for i, pair in enumerate(zip(alpha, share, strict=True)):
        alone = ggmi.edge_worlds(*([x] for x in pair))
        for statement in ("H(e_p|P)", "H(e_p)", "H(S|W)", "H(X)", "H(W)", "I(S;W')"):
            assert together.evaluate(statement)[i] == pytest.approx(alone.evaluate(statement)[0], abs=1e-12)


def test_bad_comparisons_are_refused() -> None:
    with pytest.raises(ValueError, match="one task and one number of anchors"):
        ggmi.compare([World(), World(anchors=2)], 1)
    with pytest.raises(ValueError, match="one task and one number of anchors"):
        ggmi.compare([], 1)
    with pytest.raises(ValueError, match="from 0 to 1 bit"):
        ggmi.coin([0.5, 1.5])


@pytest.mark.parametrize(
    ("whole", "width", "n"), [(False, 1.0, 1), (True, 1.0, 1), (False, 0.5, 2), (True, 0.5, 2)]
)
def test_rounded_data_against_the_whole_table(whole, width, n):
    """Two anchors, few answers, wide cells: the joint law of all variables, and the bound of the book."""
    cells = 8 // n
    reach = cells * width / 2
    found = ggmi.rounded(width, whole, m=2, n=n, reach=reach)
    edges, middles = width * np.arange(1, cells) - reach, width * (np.arange(cells) + 0.5) - reach

    def cell_law(centre):
        return np.diff([0.0, *norm.cdf(edges - centre), 1.0])

    law = cell_law(0.0)
    thirds = norm.ppf([0.25, 0.5, 0.75]) / np.sqrt(2)
    joint = Joint("S", np.outer(law, law).ravel())
    mean = (middles[:, None] + middles).ravel() / 2
    joint = joint.extend("P", lambda s: np.searchsorted(thirds, mean[s], side="right"), given="S", size=4)
    joint = joint.extend("W'", lambda p: p, given="P", size=4)
    k = 4 if whole else 2
    joint = joint.extend("e_p", lambda p: p if whole else p // 2, given="P", size=k)
    joint = joint.extend("hp", lambda e: e, given="e_p", size=k)
    centres = norm.ppf((np.arange(k) + 0.5) / k)
    answers, means = [cell_law(c) for c in centres], middles
    if n == 2:
        answers, means = [np.outer(one, one).ravel() for one in answers], (middles[:, None] + middles).ravel() / 2
    joint = joint.extend("X", np.array(answers), ["hp"]).extend("G", lambda x: x, given="X")
    joint = joint.extend("W", lambda g: means[g] >= 0, given="G", size=2)
    assert found.ggmi == pytest.approx(joint.evaluate("I(S;W') - I(G;W)"))
    assert found.alpha == pytest.approx(joint.H("e_p") / joint.H("P"))
    assert [found.H_factor, found.known] == pytest.approx([joint.H("hp"), joint.I("S", "W")])
    right = f"H(X|hp) - {found.alpha + 1:.12f} H(S|W) + 2 (H(S) - H(G)) + H(G|W) + H(S|W) - H(S|W')"
    assert found.ggmi + found.slack == pytest.approx(joint.evaluate(right), abs=1e-9)


def test_cells_that_do_not_fit_are_refused():
    for width in (0.3, 16.0, 32.0):
        with pytest.raises(ValueError, match="do not fit"):
            ggmi.rounded(width)
    with pytest.raises(ValueError, match="too many"):
        ggmi.rounded(1 / 256)
