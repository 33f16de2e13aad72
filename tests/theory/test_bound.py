"""The assembled bound: every term against an independent enumeration, and the bound itself on random worlds."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbcore.information.finite import Joint, random_channel, random_pmf, tv
from rbcore.theory import bound, process
from rbcore.theory.generalization import erm, gibbs

WORLD = process.World(strictness=2.0, noise=0.3)
LOSS = process.loss()


def prompt_pmf(world):
    pmf = process.joint(world).marginal("P").p.ravel()
    return pmf


def joint_of(world, learner, n):
    """The process with n readings of one prompt as a Joint: p, then e_i, eps_i, Z_i, then W of the type."""
    pmf = prompt_pmf(world)
    offsets, noise = process.generator(world)[0], process.curation(world)
    joint = Joint(["P"], pmf)
    for i in range(1, n + 1):
        joint = joint.extend(f"e{i}", offsets).extend(f"v{i}", noise)
        joint = joint.extend(f"Z{i}", lambda p, e, v: (p + e + v) % 8, given=("P", f"e{i}", f"v{i}"), size=8)
    joint = joint.marginal(*joint.names)
    table = np.empty((8,) * n + (8,))
    for z in itertools.product(range(8), repeat=n):
        table[z] = learner(np.bincount(z, minlength=8)[None])[0]
    return joint.extend("W", table, given=[f"Z{i}" for i in range(1, n + 1)])


@pytest.mark.parametrize("n", [1])
def test_the_flow_is_the_one_of_the_joint(n):
    learner = gibbs(LOSS, 6.0)
    joint = joint_of(WORLD, learner, n)
    got = bound.flow(prompt_pmf(WORLD), process.generator(WORLD)[0], process.curation(WORLD), learner, n)
    e, v, z = ([f"{x}{i}" for i in range(1, n + 1)] for x in "evZ")
    assert got.given_prompt == pytest.approx(joint.I(z, "W", "P"))
    assert got.prompt == pytest.approx(joint.I("P", "W")) and got.flow == pytest.approx(joint.I(z, "W"))
    assert got.curation == pytest.approx(joint.I(v, "W", ["P", *e]))
    assert got.bottleneck_M == pytest.approx(joint.I(e, "W"))
    assert got.dependence == pytest.approx(joint.I("P", e, "W"))
    assert [got.gain, got.entropy_M] == pytest.approx([n * joint.H("e1")] * 2)


@pytest.mark.parametrize("by_prompt", [False, True])
def test_the_flow_of_two_readings_by_plain_enumeration(by_prompt):
    """k = 3 outcomes, so that the whole joint of P, e1, e2, v1, v2, W is small."""
    rng = np.random.default_rng(5)
    pmf, offsets, noise = (random_pmf(rng, 3) for _ in range(3))
    offsets = random_pmf(rng, 3, 3) if by_prompt else offsets  # a column for each prompt
    table = random_channel(rng, 6, 4)
    kinds = [tuple(sorted(z)) for z in itertools.combinations_with_replacement(range(3), 2)]

    def learner(counts):
        index = [kinds.index(tuple(np.repeat(range(3), row))) for row in counts]
        return table[index]

    joint = Joint(["P"], pmf)
    for name in ("e1", "e2"):
        joint = joint.extend(name, offsets.T, given=("P",) if by_prompt else ())
    joint = joint.extend("v1", noise).extend("v2", noise)
    given = ("P", "e1", "v1", "P", "e2", "v2")
    joint = joint.extend("Z1", lambda p, e, v: (p + e + v) % 3, given=given[:3], size=3)
    joint = joint.extend("Z2", lambda p, e, v: (p + e + v) % 3, given=given[3:], size=3)
    both = np.array([[table[kinds.index(tuple(sorted((a, b))))] for b in range(3)] for a in range(3)])
    joint = joint.extend("W", both, given=("Z1", "Z2"))
    got = bound.flow(pmf, offsets, noise, learner, 2, idle=0.25)
    expected = {
        "given_prompt": joint.I("Z1,Z2", "W", "P"), "prompt": joint.I("P", "W"),
        "curation": joint.I("v1,v2", "W", "P,e1,e2"), "bottleneck_p": joint.I("P", "W"),
        "bottleneck_M": joint.I("e1,e2", "W"),
        "dependence": joint.I("P", "e1,e2", "W") - joint.I("P", "e1,e2"),
        "gain": joint.H("e1,e2", "P"), "entropy_M": joint.H("e1,e2") + 0.5,
    }  # fmt: skip
    assert got._asdict() == pytest.approx(expected)
    assert got.formulation == pytest.approx(got.flow + 0.5 + joint.I("P", "e1,e2"))


def test_the_flow_refuses_what_cannot_be_enumerated():
    with pytest.raises(ValueError, match="at most a million"):
        bound.flow(np.full(8, 1 / 8), np.full(8, 1 / 8), np.eye(8)[0], erm(LOSS), 7)


def test_assemble_against_a_plain_loop():
    world, n, learner = WORLD, 3, gibbs(LOSS, 9.0)
    pmf, task = prompt_pmf(world), np.asarray(world.task)
    model = process.generator(world).T
    noise = process.curation(world)
    generated = np.array(
        [[sum(model[(z - e) % 8, p] * noise[e] for e in range(8)) for p in range(8)] for z in range(8)]
    )
    got = bound.assemble(task, pmf, model, generated, LOSS, learner, n)
    gap = risk = training = information = sampling = 0.0
    for p in range(8):
        joint = np.zeros((8**n, 8))
        own_gap = 0.0
        for i, z in enumerate(itertools.product(range(8), repeat=n)):
            q = np.prod(generated[list(z), p])
            w = learner(np.bincount(z, minlength=8)[None])[0]
            joint[i] = q * w
            trained = LOSS[:, list(z)].mean(axis=1)
            own_gap += q * w @ (LOSS @ task - trained)
            risk += pmf[p] * q * w @ (LOSS @ task)
            training += pmf[p] * q * w @ trained
        gap += pmf[p] * own_gap
        outer = joint.sum(1, keepdims=True) * joint.sum(0)
        own = float(np.sum(joint[joint > 0] * np.log(joint[joint > 0] / outer[joint > 0])))
        information += pmf[p] * own
        sampling += pmf[p] * np.sqrt(own / (2 * n))
    assert (got.gap, got.risk, got.training) == pytest.approx((gap, risk, training))
    assert (got.information, got.sampling) == pytest.approx((information, sampling))
    assert got.task == pytest.approx(pmf @ tv(task[:, None], model))
    assert got.generation == pytest.approx(pmf @ tv(model, generated))
    assert got.to_model + got.to_generated + got.to_sample == pytest.approx(gap)
    assert (
        np.abs([got.to_model, got.to_generated, got.to_sample]) <= [got.task, got.generation, got.sampling]
    ).all()
    assert got.risk_bound == pytest.approx(training + got.total)
    assert got.direct == pytest.approx(pmf @ tv(task[:, None], generated))
    assert got.shortest == pytest.approx(got.direct + sampling)
    longer = bound.assemble(task, pmf, model, generated, 3 * LOSS, learner, n, contraction=0.5, scale=3.0)
    divergences = [3 * got.task, 3 * got.generation, 3 * got.direct]
    assert [longer.task, longer.generation, longer.direct] == pytest.approx(divergences)
    assert longer.sampling == pytest.approx(0.5 * 3 * sampling) and longer.gap == pytest.approx(3 * gap)


def test_the_waterfall_goes_from_the_shared_prompt_to_the_formulation():
    """Each charge computed anew from the information; together they are the bound with the formulation's."""
    parts = bound.Bound(*np.arange(20.0).reshape(10, 2) / 10)  # two settings of whatever size
    flows = bound.Flow(0.2, 0.3, 0.05, 0.3, 0.4, 0.1, 0.25, 0.9)
    charges, steps = bound.waterfall(parts, flows, setting=1, n=3)
    whole, formulation = np.sqrt((0.2 + 0.3) / 6), np.sqrt((0.9 - 0.25 + 0.3 + 0.4 + 0.05 + 0.1) / 6)
    assert charges == pytest.approx([1.1, 1.3, 1.5, whole - 1.5, formulation - whole])
    assert charges.sum() == pytest.approx(1.1 + 1.3 + formulation)
    assert steps == pytest.approx([0.5, 0.7, 0.9])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.floats(0, 50))
def test_the_bound_holds_in_random_worlds(seed, n, learning):
    rng = np.random.default_rng(seed)
    k, models, prompts, settings_ = 3, 4, 3, 5
    task, pmf = random_pmf(rng, k, concentration=0.5), random_pmf(rng, prompts)
    model, generated = (random_pmf(rng, k, (prompts, settings_), 0.5) for _ in range(2))
    losses = rng.random((models, k))
    got = bound.assemble(task, pmf, model, generated, losses, gibbs(losses, learning), n)
    assert got.gap.shape == (settings_,)
    assert (np.abs(got.gap) <= got.total + 1e-12).all()


def test_settings_are_a_batch():
    rng = np.random.default_rng(0)
    model, generated = (random_pmf(rng, 8, (8, 4)) for _ in range(2))
    task, pmf, learner = np.asarray(WORLD.task), prompt_pmf(WORLD), erm(LOSS)
    together = bound.assemble(task, pmf, model, generated, LOSS, learner, 2)
    for i in range(4):
        alone = bound.assemble(task, pmf, model[..., i], generated[..., i], LOSS, learner, 2)
        for a, b in zip(alone, together, strict=True):
            assert a == pytest.approx(b[i])
    one_by_one = [bound.assemble(task, pmf, model[..., i], generated[..., i], LOSS, learner, 2) for i in range(4)]
    for a, b in zip(bound.stack(one_by_one), together, strict=True):
        assert a == pytest.approx(b)
