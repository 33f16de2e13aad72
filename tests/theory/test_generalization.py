"""Exact gaps and information against brute force over ordered samples, and the bounds from both sides."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from scipy.special import entr

from rbcore.information.finite import Joint, PmfError, random_channel, random_pmf
from rbcore.theory import generalization as gen
from rbcore.theory import process
from rbcore.theory.generalization import erm, gibbs, learn, xu_raginsky

seeds = st.integers(0, 2**32 - 1)
COIN = 1 - np.eye(2)
FAIR = np.array([0.5, 0.5])


def counts_of(sample: tuple[int, ...], k: int) -> np.ndarray:
    return np.bincount(np.array(sample), minlength=k)[None]


def joint_of(law: np.ndarray, learner: gen.Learner, n: int) -> Joint:
    """The joint of Z1, .., Zn and W, sample by ordered sample."""
    k = len(law)
    rows = {s: learner(counts_of(s, k))[0] for s in itertools.product(range(k), repeat=n)}
    table = np.array([rows[s] for s in itertools.product(range(k), repeat=n)]).reshape(*[k] * n, -1)
    joint = Joint("Z1", law)
    for i in range(2, n + 1):
        joint = joint.extend(f"Z{i}", law)
    return joint.extend("W", table, given=[f"Z{i}" for i in range(1, n + 1)])


@pytest.mark.parametrize(("k", "n"), [(1, 4), (2, 5), (3, 4), (4, 1)])
def test_types_are_the_multisets_with_their_number_of_orders(k, n):
    kinds = gen.types(k, n)
    seen = Counter(tuple(counts_of(s, k)[0]) for s in itertools.product(range(k), repeat=n))
    assert len(kinds.counts) == len(seen)
    for row, log_orders in zip(kinds.counts, kinds.log_orders, strict=True):
        assert math.exp(log_orders) == pytest.approx(seen[tuple(row)])


@given(seeds, st.integers(1, 6))
def test_type_probabilities_sum_to_one_with_and_without_a_batch(seed, n):
    laws = random_pmf(np.random.default_rng(seed), 3, 4, support=2)
    kinds = gen.types(3, n)
    pmf = gen.type_pmf(kinds, laws)
    np.testing.assert_allclose(pmf.sum(axis=0), 1)
    np.testing.assert_allclose(gen.type_pmf(kinds, laws[:, 1]), pmf[:, 1])


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 3), st.sampled_from(["gibbs", "erm"]))
def test_learning_on_types_agrees_with_ordered_samples(seed, n, which):
    rng = np.random.default_rng(seed)
    law, losses = random_pmf(rng, 3), rng.random((4, 3))
    learner = gibbs(losses, 5.0) if which == "gibbs" else erm(losses)
    learned, joint = learn(law, learner, n), joint_of(law, learner, n)
    sample = [f"Z{i}" for i in range(1, n + 1)]
    assert learned.information == pytest.approx(joint.I(sample, "W"), abs=1e-12)
    assert learned.individual == pytest.approx(joint.I("Z1", "W"), abs=1e-12)
    pair = joint.marginal("Z1", "W").p[..., 0]
    np.testing.assert_allclose(learned.pair, pair, atol=1e-14)
    product = pair.sum(axis=1, keepdims=True) * pair.sum(axis=0)
    assert learned.gap(losses) == pytest.approx(((product - pair) * losses.T).sum(), abs=1e-14)
    np.testing.assert_allclose(learned.law, law)


def test_the_gibbs_learner_of_one_reading_is_the_one_of_the_running_example():
    world = process.World()
    np.testing.assert_allclose(gibbs(process.loss(), world.learning)(np.eye(8)), process.learner(world))
    learned = learn(world.task, gibbs(process.loss(), world.learning), 1)
    joint = Joint.chain([("Z", world.task), ("W", process.learner(world))])
    assert learned.information == pytest.approx(joint.I("Z", "W"))


def test_erm_breaks_ties_by_a_fair_draw():
    np.testing.assert_allclose(erm(COIN)(np.array([[2, 2], [3, 1]])), [[0.5, 0.5], [1, 0]])
    near = gibbs(COIN, 1e6)(np.array([[2, 2], [3, 1]]))
    np.testing.assert_allclose(near, [[0.5, 0.5], [1, 0]])


@given(seeds)
def test_a_batch_is_its_members_whatever_their_supports(seed):
    rng = np.random.default_rng(seed)
    laws = np.column_stack([random_pmf(rng, 4, 2, support=2), random_pmf(rng, 4, 2), np.eye(4)[1]])
    losses = rng.random((3, 4))
    batch = learn(laws, gibbs(losses, 3.0), 4)
    for b, law in enumerate(laws.T):
        one = learn(law, gibbs(losses, 3.0), 4)
        np.testing.assert_allclose(batch.pair[..., b], one.pair, atol=1e-14)
        assert batch.uncertainty[b] == pytest.approx(one.uncertainty)
        assert batch.gap(losses)[b] == pytest.approx(one.gap(losses))


def test_a_learner_may_have_a_batch_of_its_own():
    rng = np.random.default_rng(0)
    table = random_channel(rng, 6, 3, 5)
    laws, losses = random_pmf(rng, 3, 5), rng.random((3, 3, 5))
    batch, fixed = learn(laws, lambda c: table, 2), learn(laws[:, 0], lambda c: table, 2)
    deviation = gen.mean_deviation(laws, losses, lambda c: table, 2)
    for b in range(5):
        one = learn(laws[:, b], lambda c, b=b: table[..., b], 2)
        np.testing.assert_allclose(batch.pair[..., b], one.pair)
        assert batch.information[b] == pytest.approx(one.information)
        assert batch.gap(losses)[b] == pytest.approx(one.gap(losses[..., b]))
        other = gen.mean_deviation(laws[:, b], losses[..., b], lambda c, b=b: table[..., b], 2)
        assert deviation[b] == pytest.approx(other)
        np.testing.assert_allclose(fixed.pair[..., b], learn(laws[:, 0], lambda c, b=b: table[..., b], 2).pair)


def test_blocks_of_types_change_nothing(monkeypatch):
    law, learner = np.array([0.2, 0.3, 0.5]), gibbs(np.arange(6).reshape(2, 3) / 5, 2.0)
    whole = learn(law, learner, 9)
    monkeypatch.setattr(gen, "_ROWS", 7)
    parts = learn(law, learner, 9)
    np.testing.assert_allclose(parts.pair, whole.pair)
    assert parts.uncertainty == pytest.approx(whole.uncertainty)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_one_prompt_agrees_with_the_joint_of_prompt_readings_and_model(seed):
    rng = np.random.default_rng(seed)
    weights, law, losses = random_pmf(rng, 2), random_pmf(rng, 3, 2), rng.random((2, 3))
    learner = gibbs(losses, 6.0)
    table = np.array([learner(counts_of((a, b), 3))[0] for a in range(3) for b in range(3)]).reshape(3, 3, 2)
    joint = Joint("P", weights).extend("Z1", law.T, "P").extend("Z2", law.T, "P").extend("W", table, "Z1,Z2")
    found = gen.shared_prompt(law, weights, learner, losses, 2)
    assert found.information == pytest.approx(joint.I("Z1,Z2", "W"), abs=1e-12)
    assert found.inside == pytest.approx(joint.I("Z1,Z2", "W", "P"), abs=1e-12)
    assert found.about == pytest.approx(joint.I("P", "W"), abs=1e-12)
    assert found.individual == pytest.approx(joint.I("Z1", "W"), abs=1e-12)
    assert found.information == pytest.approx(found.inside + found.about, abs=1e-12)
    pair = joint.marginal("Z1", "W").p[..., 0]
    product = pair.sum(axis=1, keepdims=True) * pair.sum(axis=0)
    assert found.gap == pytest.approx(((product - pair) * losses.T).sum(), abs=1e-14)
    own = [abs(float(learn(law[:, q], learner, 2).gap(losses))) for q in range(2)]
    assert found.own == pytest.approx(weights @ own)
    each = [xu_raginsky(learn(law[:, q], learner, 2).information, 2) for q in range(2)]
    assert found.own <= weights @ each + 1e-12 and weights @ each <= xu_raginsky(found.inside, 2) + 1e-12
    assert abs(found.gap) <= xu_raginsky(found.about, 1) + xu_raginsky(found.inside, 2) + 1e-12


def test_prompts_that_never_occur_cost_and_change_nothing():
    law = np.column_stack([[0.5, 0.5, 0], [0, 0.1, 0.9], np.full(3, 1 / 3)])
    some = gen.shared_prompt(law, [0.4, 0.6, 0.0], erm(1 - np.eye(3)), 1 - np.eye(3), 3)
    two = gen.shared_prompt(law[:, :2], [0.4, 0.6], erm(1 - np.eye(3)), 1 - np.eye(3), 3)
    np.testing.assert_allclose(some, two)


@given(seeds, st.integers(1, 3))
def test_mean_deviation_by_brute_force(seed, n):
    rng = np.random.default_rng(seed)
    law, losses = random_pmf(rng, 2), rng.random((2, 2))
    learner, total = gibbs(losses, 4.0), 0.0
    for sample in itertools.product(range(2), repeat=n):
        models = learner(counts_of(sample, 2))[0]
        for w in range(2):
            off = losses[w] @ law - np.mean([losses[w, z] for z in sample])
            total += math.prod(law[z] for z in sample) * models[w] * abs(off)
    assert gen.mean_deviation(law, losses, learner, n) == pytest.approx(total)


@pytest.mark.parametrize(("k", "n"), [(2, 1), (2, 2), (3, 1), (3, 2), (2, 3)])
def test_supersample_information_by_the_full_joint(k, n):
    """I(U;W|Z) from a table with all 2n readings and n bits; the third law misses an outcome."""
    rng = np.random.default_rng(k + n)
    for law, losses in [(random_pmf(rng, k), rng.random((3, k))), (np.eye(k)[0] * 0.7 + np.eye(k)[1] * 0.3, COIN)]:
        if losses.shape[1] != k:
            losses = 1 - np.eye(k)
        learner = gibbs(losses, 5.0)
        names = [f"Z{i}{u}" for i in range(n) for u in range(2)]
        shape = [k] * (2 * n) + [2] * n
        table = np.empty((*shape, len(losses)))
        for cell in np.ndindex(*shape):
            z, u = cell[: 2 * n], cell[2 * n :]
            table[cell] = learner(counts_of(tuple(z[2 * i + u[i]] for i in range(n)), k))[0]
        joint = Joint(names[0], law)
        for name in names[1:]:
            joint = joint.extend(name, law)
        bits = [f"U{i}" for i in range(n)]
        for bit in bits:
            joint = joint.extend(bit, FAIR)
        joint = joint.extend("W", table, given=[*names, *bits])
        found = gen.supersample_information(law, learner, n)
        assert found == pytest.approx(joint.I(bits, "W", names), abs=1e-12)
        paired = learn(law, learner, n).paired
        assert paired == pytest.approx(joint.I("U0", "W", "Z00,Z01"), abs=1e-12)
        assert n * paired <= found + 1e-12
        assert found <= min(learn(law, learner, n).information, n * math.log(2)) + 1e-12


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 4))
def test_all_bounds_hold(seed, n):
    rng = np.random.default_rng(seed)
    law, losses = random_pmf(rng, 3, concentration=0.6), rng.beta(0.3, 0.3, (4, 3))
    learner = gibbs(losses, 10 ** rng.uniform(-1, 3))
    learned = learn(law, learner, n)
    gap = abs(learned.gap(losses))
    single, whole = xu_raginsky(learned.individual, 1), xu_raginsky(learned.information, n)
    information = gen.supersample_information(law, learner, n)
    pairs, alone = gen.supersample_bound(information, n), gen.supersample_bound(learned.paired, 1)
    assert gap <= min(single, alone) + 1e-9 and single <= whole + 1e-7
    assert alone <= pairs + 1e-7 and pairs <= min(1 + 1e-12, gen.steinke_zakynthinou(information, n))
    off = gen.mean_deviation(law, losses, learner, n)
    assert gap - 1e-12 <= off <= xu_raginsky(learned.information + math.log(2), n)


@given(seeds, st.integers(1, 3), st.floats(0.1, 9))
def test_a_learner_without_training_loss_obeys_the_bound_without_a_root(seed, n, scale):
    rng = np.random.default_rng(seed)
    law, kinds = random_pmf(rng, 3), gen.types(3, n).counts
    losses = scale * np.vstack([rng.random((4, 3)) * (rng.random((4, 3)) < 0.5), np.zeros(3)])
    allowed = (kinds @ losses.T == 0) * rng.random((len(kinds), 5))
    learner = gen.tabulated(allowed / allowed.sum(axis=1, keepdims=True), 3, n)
    learned = learn(law, learner, n)
    assert learned.training_risk(losses) == 0
    assert learned.gap(losses) <= scale * learned.paired / math.log(2) + 1e-12


@pytest.mark.parametrize("k", [2, 7, 30])
def test_a_memory_of_one_reading_comes_close_to_the_end_of_the_curve(k):
    even, losses = np.full(k, 1 / k), 1 - np.eye(k)
    learned, information = learn(even, erm(losses), 1), gen.supersample_information(even, erm(losses), 1)
    assert information == pytest.approx((1 - 1 / k) * math.log(2)) and learned.paired == pytest.approx(information)
    gap, bound = learned.gap(losses), gen.supersample_bound(information, 1)
    assert gap == pytest.approx(1 - 1 / k) and gap <= bound <= math.sqrt(1 - 1 / k) and bound - gap < 0.3 / k


def test_the_cost_of_a_gap_is_the_lower_convex_envelope_of_its_formula():
    """Against the formula with the entropy of a bit, and a convex hull of its graph."""
    g = np.linspace(0, 1, 2001)
    f = (1 + g) ** 2 / (2 * (1 + g**2))
    psi = (1 + g**2) / 2 * (math.log(2) - entr(f) - entr(1 - f))
    hull = ConvexHull(np.column_stack([g, psi])).vertices
    lower = np.sort(hull[psi[hull] <= g[hull] * math.log(2) + 1e-12])
    cost = gen.supersample_cost(g)
    np.testing.assert_allclose(cost, np.interp(g, g[lower], psi[lower]), atol=1e-6)
    assert (cost <= psi + 1e-12).all() and (cost >= g**2 * math.log(2) - 1e-15).all()
    assert 0.60 < g[np.argmax(psi > cost + 1e-6)] < 0.62
    assert gen.cost_leaves() == pytest.approx(g[lower][-2], abs=1e-3)


@given(st.floats(0, 1), st.floats(0, 1))
def test_no_pair_of_losses_costs_less_than_the_curve(right, risk):
    """Given a model the two losses of a pair tell the bit `differ * (log 2 - h(f))`, and the gap is a + q - 1."""
    both = [right * risk, (1 - right) * (1 - risk)]
    differ = sum(both)
    told = differ * math.log(2) - sum(entr(both)) + entr(differ)
    assert told >= gen.supersample_cost(abs(right + risk - 1)) - 1e-12


@given(st.floats(0, 1), st.integers(1, 50), st.floats(0.1, 9))
def test_the_bound_by_a_supersample_inverts_the_cost(gap, n, scale):
    information = n * gen.supersample_cost(gap)
    bound = gen.supersample_bound(information, n, scale)
    assert bound == pytest.approx(scale * gap, abs=1e-7 * scale)
    root = gen.steinke_zakynthinou(information, n, scale)
    assert bound <= root / math.sqrt(2 * math.log(2)) + 1e-12


def test_the_ends_of_the_bound_by_a_supersample():
    information, n = np.array([0.0, 1e-10, 2 * math.log(2), 3.0]), np.array([1, 1, 2, 1])
    bound = gen.supersample_bound(information, n, 3.0)
    np.testing.assert_allclose(bound, [0, 3e-5, 3, 3], atol=1e-12)


@pytest.mark.parametrize("n", [1, 2])
def test_a_learner_that_names_a_bit_by_enumeration(n):
    """Two bits per reading are four outcomes: the exact information, and the exact gap."""
    right, risk, bits = 0.8, 0.6, 2
    outcomes = np.array(list(itertools.product([0, 1], repeat=bits)))
    weight = np.where(outcomes == 0, right / (1 - risk), (1 - right) / risk)

    def learner(counts):
        each = np.exp(counts @ np.log(weight))
        return each / each.sum(axis=1, keepdims=True)

    law = np.where(outcomes == 1, risk, 1 - risk).prod(axis=1)
    gaps, told = gen.name_a_bit(right, risk, bits, n, 4000, np.random.default_rng(0))
    for found, truth in (
        (gaps, learn(law, learner, n).gap(outcomes.T)),
        (told, gen.supersample_information(law, learner, n)),
    ):
        assert abs(found.mean() - truth) < 4 * found.std() / math.sqrt(len(found)) and found.std() > 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_learner_that_names_one_of_many_bits_attains_the_curve(n):
    gaps, told = gen.name_a_bit(0.7, 0.7, 2000, n, 50, np.random.default_rng(n))
    assert gaps.mean() == pytest.approx(0.4, abs=0.01)
    assert gaps.mean() == pytest.approx(gen.supersample_bound(told.mean(), n), rel=0.02)


def test_a_batch_of_supersamples_is_its_members():
    rng = np.random.default_rng(1)
    laws = np.column_stack([random_pmf(rng, 3, 2, support=2), random_pmf(rng, 3, 2), np.eye(3)[2]])
    table = random_channel(rng, len(gen.types(3, 2).counts), 4, 5)
    batch = gen.supersample_information(laws, gen.tabulated(table, 3, 2), 2)
    shared = gen.supersample_information(laws, gen.tabulated(table[..., 0], 3, 2), 2)
    fixed = gen.supersample_information(laws[:, 2], gen.tabulated(table, 3, 2), 2)
    paired = learn(laws, gen.tabulated(table, 3, 2), 2).paired
    for b, law in enumerate(laws.T):
        mine, first = gen.tabulated(table[..., b], 3, 2), gen.tabulated(table[..., 0], 3, 2)
        assert batch[b] == pytest.approx(gen.supersample_information(law, mine, 2), abs=1e-14)
        assert shared[b] == pytest.approx(gen.supersample_information(law, first, 2), abs=1e-14)
        assert fixed[b] == pytest.approx(gen.supersample_information(laws[:, 2], mine, 2), abs=1e-14)
        assert paired[b] == pytest.approx(learn(law, mine, 2).paired, abs=1e-14)


def test_a_table_is_looked_up_by_type():
    kinds = gen.types(3, 4).counts
    learner = gen.tabulated(np.eye(len(kinds)), 3, 4)
    order = np.random.default_rng(0).permutation(len(kinds))
    np.testing.assert_array_equal(learner(kinds[order]).argmax(axis=1), order)


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_a_coin_and_a_warm_gibbs_learner_attain_the_bounds(n):
    learned = learn(FAIR, gibbs(COIN, 0.02), n)
    gap = learned.gap(COIN)
    for bound in (xu_raginsky(learned.information, n), xu_raginsky(learned.individual, 1)):
        assert 0.99 * bound < gap <= bound + 1e-12


def test_closed_forms_for_a_coin():
    """The series for I(W;Z_i), and the limits of the learner that is best on the data."""
    learned = learn(FAIR, gibbs(COIN, 3.0), 5)
    delta = 2 * float(learned.gap(COIN))
    series = sum(delta ** (2 * j) / (2 * j * (2 * j - 1)) for j in range(1, 60))
    assert learned.individual == pytest.approx(series, rel=1e-12)
    best = learn(FAIR, erm(COIN), 1001)
    assert best.information == pytest.approx(math.log(2))
    ratio = best.gap(COIN) / xu_raginsky(best.information, 1001)
    assert ratio == pytest.approx(1 / math.sqrt(math.pi * math.log(2)), rel=1e-3)


@pytest.mark.parametrize(("k", "n"), [(2, 1), (3, 2), (5, 3), (4, 6)])
def test_the_largest_reading_in_closed_form(k, n):
    def largest(counts):
        return np.eye(k)[[np.flatnonzero(row)[-1] for row in counts]]

    law = np.full(k, 1 / k)
    learned, closed = learn(law, largest, n), gen.largest_reading(k, n)
    assert closed.gap == pytest.approx(learned.gap(np.arange(k)[:, None] < np.arange(k)))
    assert closed.information == pytest.approx(learned.information)
    assert closed.individual == pytest.approx(learned.individual)
    assert closed.information >= math.log(k / n)
    assert closed.individual >= math.log(k) / n - math.log(2)
    if n <= 3:
        assert gen.supersample_information(law, largest, n) < gen.largest_reading_supersample(n)


@pytest.mark.parametrize(
    ("marks", "n"), [(500, 1000), (1000, 400), (3, 2000), (1, 5), (7, 1), (2**20, 10), (4, 60)]
)
def test_the_largest_reading_of_many_has_no_underflow(marks, n):
    """Against exact fractions where there are few marks, and finite in any case."""
    with np.errstate(all="raise", under="ignore"):
        closed = gen.largest_reading(marks, n)
    assert np.isfinite(closed).all()
    assert 0 <= closed.individual <= closed.information + 1e-12 <= math.log(marks) + 1e-9
    if marks > 10:
        return
    exact = 0.0
    for w in range(1, marks + 1):
        law = Fraction(w**n - (w - 1) ** n, marks**n)
        for z in range(1, w + 1):
            both = Fraction(w ** (n - 1) - (w - 1) ** (n - 1) if z < w else w ** (n - 1), marks**n)
            if both:
                exact += float(both) * math.log(both * marks / law)
    assert closed.individual == pytest.approx(exact, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_supersample_of_a_continuous_largest_reading_by_enumeration(n):
    """All orders of 2n distinct readings and all selections."""
    total = 0.0
    orders = list(itertools.permutations(range(2 * n)))
    for order in orders:  # order[2i + u] is the rank of reading u of pair i
        seen = Counter(min(order[2 * i + u[i]] for i in range(n)) for u in itertools.product((0, 1), repeat=n))
        total -= sum(c / 2**n * math.log(c / 2**n) for c in seen.values())
    assert gen.largest_reading_supersample(n) == pytest.approx(total / len(orders))


def test_the_supersample_of_the_largest_reading_stays_below_two_bits_and_grows():
    values = [gen.largest_reading_supersample(n) for n in (1, 2, 5, 20, 100, 400)]
    assert values[0] == pytest.approx(math.log(2))
    assert (np.diff(values) > 0).all() and values[-1] < 2 * math.log(2)


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="at least one outcome"):
        gen.types(0, 3)
    with pytest.raises(ValueError, match="too many"):
        gen.types(64, 10)
    with pytest.raises(ValueError, match="inverse temperature"):
        gibbs(COIN, -1.0)
    with pytest.raises(PmfError, match="not 1"):
        learn([0.5, 0.4], erm(COIN), 2)
    with pytest.raises(PmfError, match="shape"):
        learn(np.full((2, 2, 2), 0.5), erm(COIN), 2)
    with pytest.raises(PmfError, match="pmf over the batch"):
        learn(FAIR, erm(COIN), 2).mix([0.5, 0.5])
    with pytest.raises(PmfError, match="law and weights"):
        gen.shared_prompt(np.eye(2), [1.0], erm(COIN), COIN, 2)
    with pytest.raises(ValueError, match="15 types, and the table 14 rows"):
        gen.tabulated(np.eye(14), 3, 4)
    with pytest.raises(PmfError, match="not 1"):
        gen.supersample_information([0.5, 0.4], erm(COIN), 2)
    with pytest.raises(ValueError, match="at least one mark"):
        gen.largest_reading(0, 1)
    with pytest.raises(ValueError, match="at least one reading"):
        gen.largest_reading_supersample(0)
    with pytest.raises(ValueError, match="not negative"):
        xu_raginsky([0.1, -0.1], 2)
    with pytest.raises(ValueError, match="a gap lies in"):
        gen.supersample_cost([0.2, 1.2])
    with pytest.raises(ValueError, match="a gap lies in"):
        gen.supersample_cost([0.2, -0.2])
    with pytest.raises(ValueError, match="two probabilities"):
        gen.name_a_bit(1.0, 0.5, 9, 1, 1, np.random.default_rng(0))
