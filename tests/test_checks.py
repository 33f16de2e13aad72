"""Each check holds and fails where it should, at its tolerance from both sides, and refuses what says nothing."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbcore import checks
from rbcore.information import verify
from rbcore.information.finite import Joint
from rbcore.information.prover import sharpest

NUMBERS = st.floats(-100, 100)
ARRAYS = st.lists(NUMBERS, min_size=1, max_size=5).map(np.array)
COPY = Joint.chain([("A", np.array([0.5, 0.5])), ("B", np.eye(2))])  # I(A;B) = H(A) = log 2
NOISE = Joint.chain([("A", np.array([0.5, 0.5])), ("B", np.full((2, 2), 0.5))])  # I(A;B) = 0
LOG2 = math.log(2)


# --- exact checks, at their tolerance ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "holds", "value"),
    [
        (checks.at_most(1.25, 1, tol=0.25), True, -0.25),
        (checks.at_most(1.375, 1, tol=0.25), False, -0.375),
        (checks.at_most([0, 3], [1, 2]), False, -1),
        (checks.at_most([0, 2], 2), True, 0),
        (checks.above(1.5, 1, margin=0.25), True, 0.5),
        (checks.above(1.25, 1, margin=0.25), False, 0.25),
        (checks.above([2, 3], [1, 3]), False, 0),
        (checks.above(1, 1, margin=0.0), False, 0),
        (checks.equal(1.25, 1, tol=0.25), True, 0.25),
        (checks.equal(0.75, 1, tol=0.25), True, 0.25),
        (checks.equal([1, 0.625], 1, tol=0.25), False, 0.375),
        (checks.increasing([0, 0.5, 1], margin=0.25), True, 0.5),
        (checks.increasing([0, 0.25, 1], margin=0.25), False, 0.25),
        (checks.increasing([0, 0]), False, 0),
        (checks.increasing([0, 2, 1]), False, -1),
    ],
)
def test_tolerance_from_both_sides(check, holds, value):
    assert (check.holds, check.value, check.kind) == (holds, value, "exact")
    assert type(check.holds) is bool


@given(ARRAYS, NUMBERS, st.floats(0, 10))
def test_order_and_equality_agree_with_each_other(x, shift, tol):
    """x equals y within tol exactly when each is at most the other within tol."""
    y = x + shift
    both = checks.at_most(x, y, tol).holds and checks.at_most(y, x, tol).holds
    assert checks.equal(x, y, tol).holds == both
    assert checks.above(y, x, tol).holds == all(b - a > tol for a, b in zip(x, y, strict=True))


@given(ARRAYS)
def test_defaults_forgive_rounding_and_no_more(x):
    assert checks.equal(x, x).holds and checks.at_most(x, x).holds and not checks.above(x, x).holds
    assert not checks.equal(x, x + 1e-6).holds
    assert not checks.at_most(x + 1e-6, x).holds
    assert checks.above(x + 1e-6, x).holds


@pytest.mark.parametrize("call", [checks.at_most, checks.above, checks.equal])
@pytest.mark.parametrize("bad", [[], np.zeros((0, 3)), math.nan, [1, math.inf]])
def test_two_sided_checks_refuse_empty_and_not_finite(call, bad):
    for sides in ((bad, 1), (1, bad)):
        with pytest.raises(ValueError, match="is empty|NaN or infinite"):
            call(*sides)


@pytest.mark.parametrize("bad", [[], [1], [[1, 2], [3, 4]], [1, math.nan]])
def test_increasing_refuses_what_is_no_sequence(bad):
    with pytest.raises(ValueError, match="is empty|NaN or infinite|at least two"):
        checks.increasing(bad)


# --- statements about information --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "holds"),
    [
        ("I(A;B) = H(A) + H(B) - H(A,B)", True),
        ("I(A;B,C) = I(A;B) + I(A;C|B)", True),
        ("H(A,B) = H(A) + H(B)", False),
        ("I(A;B|C) = I(A;B)", False),
        ("I(A;B) = 0.999999999999 I(A;B)", False),
        ("1/3 H(A) = 0.3333333333333333 H(A)", False),
        ("H(A) = H(A) = H(B)", False),
        ("A -> B -> C", False),
    ],
)
def test_identity_is_exact_and_for_every_distribution(statement, holds):
    check = verify.identity(statement)
    assert (check.holds, check.kind, check.tolerance) == (holds, "proved", 0.0)
    assert (check.value == 0) == holds


def test_an_inequality_is_no_identity():
    with pytest.raises(ValueError, match="written with '='"):
        verify.identity("H(A) >= 0")


@pytest.mark.parametrize(
    ("statement", "joint", "slack"),
    [
        ("I(A;B) = H(A)", COPY, 0.0),
        ("I(A;B) <= H(A)", NOISE, LOG2),
        ("I(A;B) <= 0.5 H(A)", COPY, -LOG2 / 2),
        ("I(A;B) = H(A)", NOISE, -LOG2),
    ],
)
def test_satisfied_and_violated_are_opposites(statement, joint, slack):
    good, broken = verify.satisfied(statement, joint), verify.violated(statement, joint)
    assert good.holds == (slack >= 0) == (not broken.holds)
    assert good.value == -broken.value == pytest.approx(slack, abs=1e-12)


def test_slack_is_compared_with_the_tolerance():
    for excess, holds in ((1e-9, True), (-1e-9, False)):
        check = verify.satisfied("I(A;B) <= 0.5 H(A)", COPY, tol=LOG2 / 2 + excess)
        assert check.holds is holds
        assert verify.violated("I(A;B) <= 0.5 H(A)", COPY, tol=LOG2 / 2 + excess).holds is not holds


def test_one_bad_model_of_a_batch_decides():
    noise = np.array([0.0, 0.1, 0.5])
    flip = np.stack([np.stack([1 - noise, noise]), np.stack([noise, 1 - noise])])
    batch = Joint.chain([("A", np.full((2, 3), 0.5)), ("B", flip)])
    assert verify.satisfied("I(A;B) <= H(A)", batch).holds
    assert not verify.satisfied("I(A;B) <= 0.9 H(A)", batch).holds
    assert verify.violated("I(A;B) <= 0.9 H(A)", batch).holds


# --- statistical checks ------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("size", [5, 50])
def test_the_interval_of_a_mean_covers_at_its_level(level, size):
    """2000 normal samples: the share that covers is within four of its standard errors (3.6 % at most)."""
    rng, tries = np.random.default_rng(size), 2000
    covered = [
        low <= 1 <= high for low, high in (checks.mean(rng.normal(1, 3, size), level).ci for _ in range(tries))
    ]
    assert abs(np.mean(covered) - level) < 4 * math.sqrt(level * (1 - level) / tries)


def test_a_mean_by_hand():
    estimate = checks.mean([1.0, 2.0, 3.0])
    assert (estimate.value, estimate.level) == (2.0, 0.95)
    assert estimate.se == pytest.approx(1 / math.sqrt(3))
    assert estimate.ci == pytest.approx((2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)), abs=1e-6)


def test_the_interval_of_a_ratio_covers_at_its_level():
    rng, tries = np.random.default_rng(7), 2000
    covered = 0
    for _ in range(tries):
        below = rng.gamma(4, 1, 200)
        low, high = checks.ratio(0.5 * below + rng.normal(0, 1, 200), below).ci
        covered += low <= 0.5 <= high
    assert abs(covered / tries - 0.95) < 4 * math.sqrt(0.95 * 0.05 / tries)


@pytest.mark.parametrize(
    ("numerator", "denominator"), [([1, 2], [1, 2, 3]), ([1], [1]), ([1, 2], [-1, 1]), ([1, 2], [1, math.nan])]
)
def test_ratio_refuses_what_has_none(numerator, denominator):
    with pytest.raises(ValueError, match="paired|no ratio|NaN"):
        checks.ratio(numerator, denominator)


def test_positive_mean_holds_exactly_when_the_interval_clears_the_margin():
    samples = np.random.default_rng(1).normal(0.5, 1, 400)
    low = checks.mean(samples, 0.999).ci[0]
    assert checks.positive_mean(samples, margin=low - 1e-12).holds
    assert not checks.positive_mean(samples, margin=low).holds
    assert not checks.positive_mean(-samples).holds
    check = checks.positive_mean(samples)
    assert (check.holds, check.kind, check.ci) == (True, "statistical", checks.mean(samples, 0.999).ci)
    assert "99.9%" in check.measure
    assert not checks.positive_mean([0.0, 0.0]).holds


def test_positive_means_is_joint_over_its_rows():
    rows = np.random.default_rng(3).normal([[0.5], [1.0], [0.8]], 1, (3, 400))
    lows = [checks.mean(row, 1 - 0.001 / 3).ci[0] for row in rows]
    check = checks.positive_means(rows)
    assert (check.holds, check.kind, check.ci[0]) == (True, "statistical", min(lows))
    assert checks.positive_means(rows, margin=min(lows) - 1e-12).holds
    assert not checks.positive_means(rows, margin=min(lows)).holds
    assert not checks.positive_means([*rows, -rows[0]]).holds
    assert checks.positive_means(rows[:1])[3:5] == checks.positive_mean(rows[0])[3:5]
    for bad in (rows[0], [], np.zeros((2, 1)), [[1.0, math.nan]]):
        with pytest.raises(ValueError, match="shape|is empty|NaN"):
            checks.positive_means(bad)


@pytest.mark.parametrize("several", [checks.positive_means, checks.positive_medians])
def test_of_several_the_one_that_reaches_lowest_decides(several):
    """A wide interval reaches below the margin, though its value and its upper end are the larger ones."""
    narrow, wide = np.linspace(0.4, 0.6, 40), np.linspace(-9, 12, 40)
    alone, check = several([wide, wide]), several([narrow, wide])
    assert several([narrow, narrow]).holds and not check.holds
    assert (check.value, check.ci) == (alone.value, alone.ci) and check.value > 1 > narrow.max()


def test_same_law_rejects_at_its_level_what_is_true_and_surely_what_is_false():
    rng, pmf = np.random.default_rng(4), np.array([0.5, 0.3, 0.2])
    tries = [checks.same_law(rng.multinomial(1000, pmf), pmf, level=0.1) for _ in range(2000)]
    assert abs(np.mean([not check.holds for check in tries]) - 0.1) < 4 * math.sqrt(0.1 * 0.9 / 2000)
    assert all(check.holds == (check.value > 0.1) for check in tries)
    false = checks.same_law(rng.multinomial(1000, pmf), [0.4, 0.4, 0.2])
    assert (false.holds, false.kind) == (False, "statistical")
    assert checks.same_law([500, 300, 200], pmf).value == pytest.approx(1)


def test_same_law_pools_rare_cells_and_knows_impossible_ones():
    pmf = np.array([0.5, 0.498, 0.001, 0.001, 0.0])
    assert checks.same_law([500, 498, 2, 0, 0], pmf).holds
    assert "3 cells" in checks.same_law([500, 498, 2, 0, 0], pmf).measure
    assert not checks.same_law([500, 480, 20, 0, 0], pmf).holds
    assert not checks.same_law([500, 497, 1, 1, 1], pmf).holds  # once where it cannot be
    assert not checks.same_law([50, 50, 1], [0.5, 0.5, 0.0]).holds
    with pytest.raises(ValueError, match="draw more"):
        checks.same_law([2, 2], [0.5, 0.5])
    with pytest.raises(ValueError, match="one shape"):
        checks.same_law([1, 2], [1.0])
    with pytest.raises(ValueError, match="is empty"):
        checks.same_law([], [])


def test_consistent_holds_exactly_when_the_interval_holds_the_truth():
    samples = np.random.default_rng(2).normal(0.5, 1, 400)
    estimate = checks.mean(samples, 0.9999)
    half = estimate.ci[1] - estimate.value
    for inside, holds in ((0.999, True), (1.001, False)):
        for sign in (-1, 1):
            check = checks.consistent(samples, estimate.value + sign * inside * half)
            assert check.holds is holds
            assert check.value == pytest.approx(-sign * inside * half)
            assert check.tolerance == pytest.approx(half)
    assert checks.consistent([1.0, 1.0], 1.0).holds
    assert not checks.consistent([1.0, 1.0], 1.0 + 1e-9).holds
    assert not checks.consistent(samples, math.nan).holds


@pytest.mark.parametrize("call", [checks.mean, checks.positive_mean, lambda x: checks.consistent(x, 0)])
@pytest.mark.parametrize("bad", [[], [1.0], [[1.0, 2.0]], [1.0, math.nan], [1.0, math.inf]])
def test_statistical_checks_refuse_empty_and_not_finite(call, bad):
    with pytest.raises(ValueError, match="is empty|at least two|NaN or infinite"):
        call(bad)


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, math.nan])
def test_a_level_is_a_probability(level):
    with pytest.raises(ValueError, match="level is a probability"):
        checks.mean([1, 2], level)


def test_proved_holds_with_its_assumption_and_not_without():
    """Data processing has a certificate given the chain, and none without it; a false constant has none either."""
    held = verify.proved("I(S;X) <= I(S;P)", ["S -> P -> X"])
    assert held.holds and held.kind == "proved"
    assert not verify.proved("I(S;X) <= I(S;P)").holds
    assert not verify.proved("I(S;X) <= 0.99 I(S;P)", ["S -> P -> X"]).holds


def test_a_constant_is_the_one_expected_and_the_one_just_beyond_it_fails():
    sharp = sharpest("I(S;W) <= {c} I(S;P)", "c", 5, 0, ["S -> P -> W"])
    assert verify.constants([sharp], [1]).holds
    assert not verify.constants([sharp], [Fraction(1, 2)]).holds and not verify.constants([sharp], [2]).holds
    assert not verify.constants([sharp], [1], within=1e-9).holds


# --- medians ----------------------------------------------------------------------------------------


def test_median_interval_covers_at_its_level_for_a_law_without_a_mean():
    rng = np.random.default_rng(0)
    found = [checks.median(row, level=0.9).ci for row in rng.standard_cauchy((4000, 25))]
    covered = np.mean([low <= 0 <= high for low, high in found])
    assert 0.89 < covered < 0.97  # conservative: the levels that order statistics can have are discrete


def test_median_interval_is_the_binomial_one():
    """Of ten values the second and the ninth: P(at least two of ten below) = 1 - 11/1024 on each side."""
    found = checks.median(np.arange(10.0), level=1 - 2 * 11 / 1024 - 1e-9)
    assert found.ci == (1.0, 8.0) and found.value == 4.5
    assert checks.median(np.arange(10.0), level=1 - 2 * 11 / 1024 + 1e-6).ci == (0.0, 9.0)
    assert found.se > 0


def test_positive_medians_at_the_margin_and_jointly():
    values = np.arange(1.0, 102.0)
    low = checks.median(values, 0.999).ci[0]
    assert checks.positive_medians(values, margin=low - 1e-9).holds
    assert not checks.positive_medians(values, margin=low).holds
    both = checks.positive_medians(np.stack([values, values + 50]), margin=low - 1e-9)
    assert not both.holds and both.ci[0] < low  # two rows: a wider interval
    assert both.measure.startswith("lowest of 2 medians") and both.kind == "statistical"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: checks.median(np.arange(5.0), 0.999), "too few"),
        (lambda: checks.median(np.ones((2, 3))), "1-d"),
        (lambda: checks.median([1.0, math.nan]), "NaN"),
        (lambda: checks.median(np.arange(50.0), 1.0), "strictly"),
        (lambda: checks.positive_medians(np.ones((2, 2, 2))), "shape"),
        (lambda: checks.positive_medians([]), "empty"),
    ],
)
def test_medians_refuse_what_says_nothing(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_numerical_keeps_the_verdict_of_an_exact_check_and_takes_no_other():
    for sound in (checks.at_most(0.0, 1.0), checks.at_most(1.0, 0.0)):
        assert checks.numerical(sound) == sound._replace(kind="numerical")
    with pytest.raises(ValueError, match="exact"):
        checks.numerical(checks.positive_mean([1.0, 2.0]))


@pytest.mark.parametrize(
    ("check", "cases"),
    [
        (checks.at_most(np.zeros((4, 5)), 1.0), 20),
        (checks.above(np.ones(3), np.zeros((2, 1))), 6),
        (checks.equal(1.0, 1.0), 1),
        (checks.increasing([1, 2, 3]), 2),
        (checks.numerical(checks.at_most([1, 2], 3)), 2),
        (checks.positive_mean([1.0, 1.1, 0.9, 1.2]), 4),
        (checks.positive_means(np.ones((2, 7)) + np.eye(2, 7)), 7),
        (checks.positive_medians(np.arange(40.0)), 40),
        (checks.consistent([1.0, 2.0, 3.0], 2.0), 3),
        (checks.same_law([30, 70], [0.3, 0.7]), 100),
        (checks.same("abc", "abd"), 4),
        (checks.all_of(checks.at_most([1, 2], 3), checks.equal(1, 1)), 3),
    ],
)
def test_a_check_says_on_how_many_cases_it_was_measured(check, cases):
    assert check.cases == cases


@pytest.mark.parametrize(
    ("parts", "margin"),
    [
        ([checks.at_most(1, 3, tol=0.5), checks.above(5, 1, margin=1.0)], 2.5),
        ([checks.at_most(1, 3, tol=0.5), checks.above(2, 1, margin=2.0)], -1.0),
        ([checks.equal(1.0, 1.25, tol=1.0), checks.increasing([0, 9])], 0.75),
        ([checks.equal(1.0, 3.0, tol=1.0)], -1.0),
    ],
)
def test_all_of_holds_where_every_part_does_by_the_smallest_margin(parts, margin):
    found = checks.all_of(*parts)
    assert found.holds == all(part.holds for part in parts) == (margin >= 0)
    assert found.value == pytest.approx(margin) and found.kind == "exact"
    assert checks.all_of(*parts, checks.numerical(checks.equal(0, 0))).kind == "numerical"


def test_all_of_refuses_what_has_no_margin():
    for part in (checks.positive_mean([1.0, 2.0, 3.0]), checks.same("a", "b")):
        with pytest.raises(ValueError, match="all_of takes"):
            checks.all_of(part)


def test_same_counts_the_members_that_differ():
    assert checks.same("ab", "ba").holds and checks.same("ab", "ba").value == 0
    assert not checks.same("abc", "abd").holds and checks.same("abc", "abd").value == 2
    with pytest.raises(ValueError, match="nothing"):
        checks.same("a", "")


def test_refuted_and_clears():
    wrong = checks.refuted(checks.same_law([500, 500], [0.3, 0.7]))
    assert wrong.holds and wrong.value < wrong.tolerance and wrong.ci is None
    assert not checks.refuted(checks.at_most(0, 1)).holds
    assert checks.clears("r", 0.5, (0.4, 0.6), 0.3).holds and not checks.clears("r", 0.5, (0.2, 0.6), 0.3).holds


def test_a_bootstrap_over_few_units_covers_as_often_as_it_says() -> None:
    rng, hits = np.random.default_rng(1), 0
    for _ in range(1000):
        x = rng.normal(size=10)
        low, high = checks.bootstrapped(x[rng.integers(10, size=(400, 10))].mean(axis=1), 10)
        hits += low <= 0 <= high
    assert 0.93 < hits / 1000 < 0.97, "the plain percentiles cover 0.9"


def test_a_bootstrap_interval_may_end_at_infinity_and_needs_units() -> None:
    assert checks.bootstrapped([1.0, 2.0, np.inf, np.inf], 10) == (1.0, np.inf)
    with pytest.raises(ValueError, match="two units"):
        checks.bootstrapped([1.0, 2.0], 1)
    with pytest.raises(ValueError, match="numbers"):
        checks.bootstrapped([1.0, np.nan], 10)
