"""Finite joints: construction, refusals, and agreement with dit (in bits) and scipy as oracles."""

import itertools
import math

import dit
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cityblock
from scipy.stats import entropy as scipy_entropy

from rbcore.information.expr import ExpressionError, parse, parse_form
from rbcore.information.finite import (
    Joint,
    PmfError,
    check_channel,
    entropy,
    kl,
    random_chain,
    random_channel,
    random_joint,
    random_pmf,
    tv,
)

SEEDS = st.integers(0, 2**32 - 1)
FAIR, FLIP = [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def as_dit(joint: Joint, model: int = 0) -> dit.Distribution:
    """One model as a dit distribution whose variables are named by letters A, B, C, .."""
    p = joint.p[..., model]
    cells = list(itertools.product(*map(range, p.shape)))
    distribution = dit.Distribution(cells, [p[cell] for cell in cells])
    distribution.set_rv_names("ABCDEFGH"[: p.ndim])
    return distribution


def ensembles():
    """Joints of A, B, C and D: dense, sparse, and with deterministic links."""
    yield random_joint(rng(1), "A,B,C,D", (2, 3, 2, 2), 3)
    yield random_joint(rng(2), "A,B,C,D", (2, 3, 2, 2), 3, concentration=0.1)
    yield random_joint(rng(3), "A,B,C,D", (2, 3, 2, 2), 3, support=4)
    yield random_chain(rng(4), "A,B,C,D", (3, 3, 2, 2), 3, kinds="deterministic")
    yield random_chain(rng(5), "A,B,C,D", (3, 2, 3, 2), 3)
    yield Joint("A", FAIR).extend("B", FAIR).extend("C", lambda a, b: a ^ b, "A,B").extend("D", FLIP, "C")


@pytest.mark.parametrize("joint", list(ensembles()), ids=repr)
def test_agrees_with_dit(joint):
    for model in range(joint.p.shape[-1]):
        oracle = as_dit(joint, model)

        def ours(expression, model=model):
            return np.atleast_1d(joint.evaluate(expression))[model] / math.log(2)

        for size in range(1, 5):
            for names in itertools.combinations("ABCD", size):
                expected = dit.shannon.entropy(oracle, list(names))
                assert ours(f"H({','.join(names)})") == pytest.approx(expected, abs=1e-10)
        conditional = dit.shannon.conditional_entropy(oracle, ["A", "B"], ["D"])
        assert ours("H(A,B|D)") == pytest.approx(conditional, abs=1e-10)
        mutual = dit.shannon.mutual_information(oracle, ["A"], ["B", "C"])
        assert ours("I(A;B,C)") == pytest.approx(mutual, abs=1e-10)
        for groups, condition in ((["A", "B"], ["C"]), (["A", "B", "C"], []), (["A", "B", "C"], ["D"])):
            expected = dit.multivariate.coinformation(oracle, [[g] for g in groups], condition)
            text = f"I({';'.join(groups)}{'|' * bool(condition)}{','.join(condition)})"
            assert ours(text) == pytest.approx(expected, abs=1e-10)


def test_methods_agree_with_expressions_and_units():
    joint = random_joint(rng(6), "A,B,C", (2, 3, 2), 5)
    np.testing.assert_allclose(joint.H("A,B", "C"), joint.evaluate("H(A,B|C)"), atol=1e-14)
    np.testing.assert_allclose(joint.I(["A"], ("B", "C")), joint.evaluate("I(A;B,C)"), atol=1e-14)
    np.testing.assert_allclose(joint.I("A", "B", given="C"), joint.evaluate("I(A;B|C)"), atol=1e-14)
    np.testing.assert_allclose(joint.H("A"), joint.evaluate(parse_form("H(A)")), atol=1e-14)
    np.testing.assert_allclose(joint.H("A", units="bits") * math.log(2), joint.H("A"), rtol=1e-14)
    assert joint.evaluate(parse("I(A;B) >= 0")).shape == (5,)
    assert set(joint.entropies(["A", "B,C"])) == {frozenset(), frozenset("A"), frozenset("BC")}


def test_blocks_of_models_agree_with_single_models():
    joint = random_joint(rng(7), "A,B,C,D", (4, 4, 4, 4), 1000)  # more than one block
    for model in (0, 255, 256, 999):
        alone = Joint(joint.names, joint.p[..., model])
        assert joint.I("A", "D", "B")[model] == pytest.approx(alone.I("A", "D", "B"), abs=1e-13)


def test_unbatched_results_are_floats():
    joint = Joint("A,B", [[0.5, 0], [0, 0.5]])
    assert joint.batch is None and joint.p.shape == (2, 2, 1) and joint.sizes == {"A": 2, "B": 2}
    for value in (joint.H("A"), joint.I("A", "B"), joint.evaluate("H(A|B)"), joint.evaluate("0")):
        assert type(value) is float
    assert type(tv(FAIR, FAIR)) is type(kl(FAIR, FAIR)) is type(entropy(FAIR)) is float
    assert joint.H("A,B", units="bits") == 1 and str(joint.H("A", "B")) == "0.0"
    assert Joint("A", [FAIR, FAIR]).batch == 2 and Joint("A", [[1.0], [0.0]]).batch == 1
    assert repr(joint) == "Joint(A: 2, B: 2)" and "; 2 models" in repr(Joint("A", [FAIR, FAIR]))


def test_joints_are_read_only_copies():
    p = np.array(FAIR)
    joint = Joint("A", p)
    p[0] = 9
    assert joint.H("A") == pytest.approx(math.log(2))
    for derived in (joint, joint.extend("B", FLIP, "A"), joint.extend("B", FLIP, "A").marginal("A")):
        with pytest.raises(ValueError, match="read-only"):
            derived.p[0] = 1


# --- building ----------------------------------------------------------------------------------------


def test_chain_multiplies_channels():
    first, second = random_pmf(rng(8), 3, 4), random_channel(rng(9), 3, 2, 4)
    third = random_channel(rng(10), 2, 5)  # without a batch: the same in all models
    joint = Joint.chain([("A", first), ("B", second), ("C'", third)])
    expected = np.einsum("am,abm,bc->abcm", first, second, third)
    np.testing.assert_allclose(joint.p, expected, atol=1e-15)
    through = np.einsum("am,abm,bc->cm", first, second, third)
    np.testing.assert_allclose(joint.marginal("C'").p, through, atol=1e-15)
    assert Joint.chain([("A", FAIR), ("B", second[:2])]).batch == 4


def test_extend_builds_a_bayesian_network():
    channel = random_channel(rng(11), 6, 4, 7).reshape(2, 3, 4, 7)  # p(C | B, A), B binary and A ternary
    base = random_joint(rng(12), "A,B", (3, 2))
    joint = base.extend("C", channel, given="B,A")
    np.testing.assert_allclose(joint.p, np.einsum("abm,bacm->abcm", base.p, channel), atol=1e-15)
    modular = base.extend("D", lambda b, a: (b + a) % 3, given=["B", "A"])
    assert modular.sizes["D"] == 3 and modular.evaluate("H(D|A,B)") == pytest.approx(0, abs=1e-15)
    assert base.extend("D", lambda a: a * 0, "A", size=5).sizes["D"] == 5
    assert base.extend("D", lambda a: 2, "A").sizes["D"] == 3  # constants broadcast
    assert base.extend("N", FAIR).I("N", "A,B") == pytest.approx(0, abs=1e-15)


def test_marginals_and_a_conditional_entropy():
    joint = random_joint(rng(13), ("A", "B", "W'"), (2, 3, 4), 5)
    np.testing.assert_allclose(joint.marginal("W'", "A").p, joint.p.sum(axis=1).swapaxes(0, 1))
    assert joint.marginal("W',A").names == ("W'", "A")
    pairs, weights = joint.marginal("A", "B").p, joint.marginal("B").p
    mixed = sum(weights[b] * entropy(pairs[:, b] / weights[b]) for b in range(3))
    np.testing.assert_allclose(mixed, joint.H("A", "B"), atol=1e-13)


# --- divergences -------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(1, 6), st.floats(0.05, 5))
def test_tv_kl_entropy_agree_with_scipy(seed, size, concentration):
    p, q = (random_pmf(rng(seed + i), size, 4, concentration) for i in range(2))
    for model in range(4):
        pm, qm = p[:, model], q[:, model]
        assert kl(p, q)[model] == pytest.approx(scipy_entropy(pm, qm), rel=1e-9, abs=1e-10)
        assert entropy(p)[model] == pytest.approx(scipy_entropy(pm), abs=1e-12)
        assert tv(p, q)[model] == pytest.approx(cityblock(pm, qm) / 2, abs=1e-14)
    assert np.all(tv(p, q) <= np.sqrt(kl(p, q) / 2) + 1e-9)  # Pinsker


def test_a_law_without_a_batch_is_held_against_each_of_several_batch_axes():
    p, q = random_pmf(rng(34), 3), random_pmf(rng(35), 3, (2, 4))
    for i, j in itertools.product(range(2), range(4)):
        assert tv(p, q)[i, j] == pytest.approx(np.abs(p - q[:, i, j]).sum() / 2)
        assert kl(q, p)[i, j] == pytest.approx(float(np.sum(q[:, i, j] * np.log(q[:, i, j] / p))))


def test_divergences_broadcast_and_know_zero():
    p, q = random_pmf(rng(17), 3), random_pmf(rng(18), 3, (4, 5))
    assert tv(p, q).shape == kl(q, p).shape == (4, 5)
    assert kl(p, q)[2, 3] == pytest.approx(kl(p, q[:, 2, 3]))
    assert kl(random_pmf(rng(19), 3, 5), q).shape == (4, 5)
    assert kl([1, 0], FAIR) == pytest.approx(math.log(2)) and kl(FAIR, [1, 0]) == math.inf
    assert kl([1, 0], [1, 0]) == 0 == entropy([1, 0]) and tv([1, 0], [0, 1]) == 1


def test_pinsker_constant_is_sharp():
    """KL >= 2 TV^2 near the fair coin with ratio 1: a constant 1 % larger fails there."""
    p, q = [0.5 + 1e-3, 0.5 - 1e-3], FAIR
    assert kl(p, q) >= 2 * tv(p, q) ** 2
    assert kl(p, q) < 2.02 * tv(p, q) ** 2


# --- random ensembles --------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_data_processing_on_random_chains(seed):
    chain = random_chain(rng(seed), "S,P,X,W", (3, 4, 3, 4), 50)
    assert parse("S -> P -> X -> W").holds(chain)
    assert np.all(chain.I("S", "W") <= np.minimum(chain.I("S", "P"), chain.I("X", "W")) + 1e-10)
    for subset, h in chain.entropies(["S", "S,W", "S,P,X,W"]).items():
        assert np.all(h >= -1e-14) and np.all(h <= math.log(3 * 4 * 3 * 4) + 1e-12), subset


def test_data_processing_is_tight_for_copies():
    copies = Joint.chain([("S", [0.3, 0.7]), ("P", FLIP), ("X", np.eye(2))])
    assert copies.I("S", "X") == pytest.approx(copies.I("S", "P"), abs=1e-14)
    assert copies.I("S", "X") > 0.99 * copies.I("S", "P")


def test_ensembles_are_what_they_say():
    assert random_pmf(rng(), 4).shape == (4,) and random_pmf(rng(), 4, 5).shape == (4, 5)
    sparse = random_pmf(rng(20), 6, 2000, support=2)
    assert np.all((sparse > 0).sum(axis=0) == 2)
    np.testing.assert_allclose((sparse > 0).mean(axis=1), 1 / 3, atol=0.05)  # all cells alike
    per_model = random_pmf(rng(21), 6, 3, support=[1, 3, 6], concentration=[0.5, 1, 2])
    assert (per_model > 0).sum(axis=0).tolist() == [1, 3, 6]
    grid = random_pmf(rng(33), 4, (2, 3), support=[1, 2, 4])
    assert grid.shape == (4, 2, 3) and (grid > 0).sum(axis=0).tolist() == [[1, 2, 4]] * 2
    peaked = random_pmf(rng(22), 5, 1000, concentration=1e-3)  # no 0/0 although the gamma variates underflow
    np.testing.assert_allclose(peaked.sum(axis=0), 1)
    assert np.median(peaked.max(axis=0)) > 0.999

    deterministic = random_channel(rng(23), 3, 4, 100, kind="deterministic")
    assert deterministic.shape == (3, 4, 100) and set(np.unique(deterministic)) == {0, 1}
    supports = (random_channel(rng(24), 3, 4, 500, kind="sparse") > 0).sum(axis=1)
    assert set(np.unique(supports)) == {1, 2, 3}
    assert random_channel(rng(25), 3, 1, kind="sparse").shape == (3, 1)

    chain = random_chain(rng(26), "A,B", (3, 4), 600)
    copies = np.mean(np.abs(chain.H("B", "A")) < 1e-12)
    assert chain.batch == 600 and 0.25 < copies < 0.5  # a third deterministic, a few of the sparse ones
    assert random_chain(rng(27), "A,B", (3, 4)).batch is None
    mixed = random_chain(rng(30), "A,B", (3, 4), 600, kinds="dirichlet").H("B", "A")
    alike = Joint("A", [1 / 3] * 3).extend("B", random_channel(rng(31), 3, 4, 600), "A").H("B", "A")
    assert mixed.std() > 1.5 * alike.std()  # the concentration varies from model to model
    np.testing.assert_array_equal(random_joint(rng(28), "A", [3], 2).p, random_joint(rng(28), "A", [3], 2).p)


def test_dirichlet_moments():
    """Mean 1/k and variance (1/k)(1 - 1/k)/(k a + 1) of a Dirichlet law, within 5 standard errors."""
    k, a, n = 4, 0.3, 400_000
    p = random_pmf(rng(29), k, n, concentration=a)[0]
    variance = (1 / k) * (1 - 1 / k) / (k * a + 1)
    assert abs(p.mean() - 1 / k) < 5 * math.sqrt(variance / n)
    squares = (p - 1 / k) ** 2
    assert abs(squares.mean() - variance) < 5 * squares.std() / math.sqrt(n)


# --- errors ------------------------------------------------------------------------------------------

PAIR = Joint("A,B", np.full((2, 2), 0.25))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Joint("A", [-0.5, 1.5]), r"the joint has the entry -0.5 in cell 0$"),
        (lambda: Joint("A,B", [[0.5, math.nan], [0.5, 0]]), "the entry nan in cell 0,1$"),
        (lambda: Joint("A", [[0.5, 0.5], [0.5, math.inf]]), "the entry inf in cell 1, model 1$"),
        (lambda: Joint("A", [0.5, 0.4]), "the joint sums to 0.9, not 1$"),
        (lambda: Joint("A", [[0.5, 0.5], [0.5, 0.6]]), "the joint sums to 1.1, not 1 in model 1$"),
        (lambda: Joint("A", [0.5, 0.5 + 2e-9]), "sums to 1.000000002, not 1"),
        (lambda: Joint("A,B", FAIR), r"2 variables need 2 axes, or 3 with the batch last, not \(2,\)"),
        (lambda: Joint([], FAIR), "0 variables"),
        (lambda: Joint("A", []), r"needs real numbers, not an array of float64 and shape \(0,\)"),
        (lambda: Joint("A", np.ones((1, 0))), r"shape \(1, 0\)"),
        (lambda: Joint("A", ["1"]), "needs real numbers"),
        (lambda: Joint("A", [1j]), "needs real numbers"),
        (lambda: Joint("2A", [1.0]), "'2A' is no name for a variable"),
        (lambda: Joint("A,A", [[1.0]]), "two variables are named A"),
        (lambda: PAIR.H("Z"), "no variable 'Z': this joint has A, B"),
        (lambda: PAIR.I("A", "B", "Z'"), 'no variable "Z\'"'),
        (lambda: PAIR.marginal("A", "Z"), "no variable 'Z'"),
        (lambda: PAIR.marginal(), "at least one variable"),
        (lambda: PAIR.evaluate(parse_form("H(Z)")), "no variable 'Z'"),
        (lambda: PAIR.H("A", units="bit"), "units are 'nats' or 'bits', not 'bit'"),
        (lambda: PAIR.extend("A", FAIR), "two variables are named A"),
        (lambda: PAIR.extend("C", FAIR, "Z"), "no variable 'Z'"),
        (
            lambda: PAIR.extend("C", FAIR, "A"),
            r"the channel to C needs shape \(2, outputs\) or \(2, outputs, batch\), not \(2,\)",
        ),
        (lambda: PAIR.extend("C", np.full((3, 2), 0.5), "A"), "needs shape"),
        (lambda: PAIR.extend("C", [FAIR, [0.5, 0.6]], "A"), "the channel to C sums to 1.1, not 1 in row 1$"),
        (
            lambda: PAIR.extend("C", np.full((2, 2, 3, 4), [0.25, 0.25, 0.5, 0.5]), "A,B"),
            "the channel to C sums to 0.75, not 1 in row 0,0, model 0$",
        ),
        (
            lambda: Joint("A", np.full((2, 3), 0.5)).extend("C", np.full((2, 4), 0.5)),
            "the channel to C has 4 models, the joint 3",
        ),
        (lambda: PAIR.extend("C", lambda a: a / 2, "A"), "must return integers from 0 to 0"),
        (lambda: PAIR.extend("C", lambda a: a - 1, "A"), "must return integers from 0"),
        (lambda: PAIR.extend("C", lambda a: 2 * a, "A", size=2), "integers from 0 to 1"),
        (lambda: check_channel(FAIR), "channel needs shape"),
        (lambda: tv(FAIR, [0.5, 0.6]), "the pmf sums to 1.1"),
        (lambda: kl(FAIR, [0.5, 0.5, 0]), "different numbers of outcomes, 2 and 3"),
        (lambda: entropy([[0.5, 1], [0.5, math.nan]]), "the pmf has the entry nan in cell 1, model 1"),
        (lambda: random_pmf(rng(), 3, support=0), "between 1 and 3 cells"),
        (
            lambda: random_channel(rng(), 2, 2, kind="noisy"),
            "kind is one of dirichlet, sparse, deterministic",
        ),
    ],
)
def test_errors_say_what_and_where(build, message):
    with pytest.raises(PmfError, match=message):
        build()


def test_an_expression_on_a_joint_without_its_variable():
    with pytest.raises(ExpressionError, match="no variable 'Z': its variables are A, B") as error:
        PAIR.evaluate("H(A) - H(Z)")
    assert error.value.position == 9


def test_some_models_of_a_batch():
    joint = random_joint(np.random.default_rng(0), "A,B", (2, 3), 5)
    some = joint.take(np.array([3, 1]))
    assert some.batch == 2 and some.names == joint.names
    np.testing.assert_array_equal(some.H("A,B"), joint.H("A,B")[[3, 1]])
    np.testing.assert_array_equal(joint.take(slice(2)).p, joint.p[..., :2])
