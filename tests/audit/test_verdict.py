"""The tests behind the audit's answers, against enumeration, scipy's own tests and quantiles from tables."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from rbcore.audit.questions import verdict
from rbcore.audit.questions.verdict import LEVEL, POWER, Answer
from rbcore.estimate.base import share


def hits(count: int, total: int) -> np.ndarray:
    return np.arange(total) < count


@pytest.mark.parametrize(
    ("flagged", "seen", "detects", "expected"),
    [
        (True, 0.0, 9.0, "flagged"),
        (False, 0.05, 0.1, "clear"),  # half of what matters is seen, and it would just have been found
        (False, 0.051, 0.1, "undecided"),
        (False, 0.05, 0.101, "undecided"),
        (False, 0.0, math.nan, "undecided"),
    ],
)
def test_a_verdict_needs_a_difference_or_the_power_to_find_one(flagged, seen, detects, expected):
    assert verdict.decided(flagged, seen, detects, matters=0.1) == expected


@pytest.mark.parametrize(("k", "n"), [(0, 9), (3, 40), (40, 40)])
def test_two_limits_make_one_interval_at_the_level_of_a_statement(k, n):
    exact = stats.binomtest(k, n).proportion_ci(LEVEL, "exact")
    ends = [verdict.limit(hits(k, n), side) for side in ("lower", "upper")]
    assert ends == pytest.approx([exact.low, exact.high], abs=1e-9)


@pytest.mark.parametrize(("k", "n", "j", "m"), [(3, 7, 1, 9), (0, 5, 2, 6), (4, 4, 0, 5), (5, 12, 5, 12)])
def test_fishers_test_counts_the_tables_that_are_as_extreme(k, n, j, m):
    ways = sum(math.comb(n, i) * math.comb(m, k + j - i) for i in range(k, k + j + 1))
    assert verdict.fisher(k, n, j, m) == pytest.approx(ways / math.comb(n + m, k + j))
    exact = stats.fisher_exact([[k, n - k], [j, m - j]], alternative="greater").pvalue
    assert verdict.fisher(k, n, j, m) == pytest.approx(exact)


@pytest.mark.parametrize(("k", "n", "j", "m", "margin"), [(30, 200, 2, 300, 0.02), (9, 80, 3, 90, 0.0)])
def test_a_comparison_flags_what_is_improbable_and_beyond_the_margin(k, n, j, m, margin):
    found = verdict.compare(hits(k, n), hits(j, m), margin, matters=0.3)
    p = stats.fisher_exact([[k, n - k], [j, m - j]], alternative="greater").pvalue
    assert found.p == pytest.approx(p)
    assert (found.verdict == "flagged") == (p < 0.001 and k / n - j / m > margin)
    assert verdict.compare(hits(k, n), hits(j, m), k / n - j / m, matters=0.3).verdict != "flagged"
    assert verdict.compare(hits(j, m), hits(k, n), margin, matters=0.3).verdict != "flagged", "one-sided"
    assert verdict.compare(hits(0, 0), hits(j, m), margin, 0.3)[:2] == ("undecided", 1.0)
    assert math.isnan(verdict.compare(hits(k, n), hits(0, 0), margin, 0.3).detects)


@pytest.mark.parametrize(("n", "j", "m", "margin"), [(60, 2, 90, 0.0), (200, 10, 150, 0.1), (40, 0, 400, 0.02)])
def test_what_would_be_found_is_the_least_excess_with_power(n, j, m, margin):
    """The power is a binomial sum over the counts that Fisher's test flags, for each two-hundredth in turn."""
    detects = verdict.compare(hits(j * n // m, n), hits(j, m), margin, matters=1.0).detects
    flagged = [
        k / n - j / m > margin
        and stats.fisher_exact([[k, n - k], [j, m - j]], alternative="greater").pvalue < 1 - LEVEL
        for k in range(n + 1)
    ]

    def power(excess):
        return sum(stats.binom.pmf(np.flatnonzero(flagged), n, j / m + excess))

    assert power(detects) >= POWER - 1e-9 and power(detects - 1 / 200) <= POWER + 1e-9
    assert detects * 200 == pytest.approx(round(detects * 200))


def test_nothing_can_be_found_where_every_record_is_usual_or_few_are_there():
    assert math.isnan(verdict.compare(hits(5, 5), hits(7, 7), 0.0, 0.1).detects)
    assert math.isnan(verdict.compare(hits(1, 3), hits(1, 3), 0.0, 0.1).detects)


def test_shares_of_several_kinds_are_compared_both_ways_with_one_level():
    task, synth = np.repeat(["a", "b", "c"], [60, 30, 10]), np.repeat(["a", "b", "d"], [20, 40, 20])
    found = verdict.shares(task, synth, margin=0.1, matters=0.5)
    tables = []
    for name in "abcd":
        k, j = int((synth == name).sum()), int((task == name).sum())
        tables += [[[k, 80 - k], [j, 100 - j]], [[j, 100 - j], [k, 80 - k]]]
    least = min(stats.fisher_exact(table, alternative="greater").pvalue for table in tables)
    assert found.p == pytest.approx(8 * least) and found.verdict == "flagged"
    assert verdict.shares(task, synth, margin=0.35, matters=0.5).verdict != "flagged", "0.6 - 0.25 is the largest"
    alike = verdict.shares(task, task, margin=0.1, matters=0.9)
    assert alike.p == 1 and alike.verdict == "clear"
    each = [verdict.compare(task == name, task == name, 0.1, 0.9).detects for name in "abc"]
    assert alike.detects == max(each)


@pytest.mark.parametrize("two_sided", [False, True])
def test_means_are_compared_by_welchs_statistic_with_the_smaller_samples_freedom(two_sided):
    rng = np.random.default_rng(3)
    for shift in (-0.8, 0.0, 1.5):
        x, y = rng.normal(shift, 1, 40), rng.normal(0, 2, 25)
        found = verdict.means(x, y, margin=0.1, matters=2.0, two_sided=two_sided)
        t = stats.ttest_ind(x, y, equal_var=False).statistic
        p = 2 * stats.t.sf(abs(t), 24) if two_sided else stats.t.sf(t, 24)
        assert found.p == pytest.approx(p)
        seen = (x.mean() - y.mean()) / y.std(ddof=1)
        assert (found.verdict == "flagged") == (p < 0.001 and (abs(seen) if two_sided else seen) > 0.1)
        error = math.sqrt(x.var(ddof=1) / 40 + y.var(ddof=1) / 25) / y.std(ddof=1)
        quantile = 3.7454 if two_sided else 3.4668  # of Student's law with 24 degrees, from tables
        assert found.detects == pytest.approx((quantile + 1.2816) * error, rel=1e-4)
        wide = verdict.means(x, y, margin=abs(seen) + 5, matters=2.0, two_sided=two_sided)
        assert wide.verdict != "flagged" and wide.detects == abs(seen) + 5


def test_means_without_any_spread():
    ones = np.ones(5)
    assert verdict.means(ones, ones, 0.1, 0.5) == Answer("clear", 1.0, 0.1)
    assert verdict.means(2 * ones, ones, 0.1, 0.5) == Answer("flagged", 0.0, 0.1)


def test_laws_are_compared_by_their_largest_distance():
    rng = np.random.default_rng(4)
    x, y = rng.normal(0, 1, 500), rng.normal(0, 1, 400)
    for shift in (0.0, 0.5):
        found = verdict.laws(x + shift, y, margin=0.05, matters=0.3)
        distance = max(abs(np.mean(x + shift <= c) - np.mean(y <= c)) for c in [*x + shift, *y])
        assert (found.verdict == "flagged") == (shift > 0) and (found.p < 0.001) == (shift > 0)
        error = math.sqrt(1 / 500 + 1 / 400)
        assert found.detects == pytest.approx((1.9495 + 1.2816 / 2) * error, rel=1e-3)  # Kolmogorov's table
        assert verdict.laws(x + shift, y, margin=distance + 1e-9, matters=0.3).verdict != "flagged"
    assert verdict.laws(x, y, margin=0.4, matters=0.5).detects == 0.4
    assert math.isnan(verdict.laws(x[:5], y[:5], 0.05, 0.3).detects)


def test_limits_of_shares_are_those_of_one_share():
    counts = np.array([0, 1, 7, 20])
    low, high = verdict.limits(counts, 20, 0.99)
    for count, one, other in zip(counts.tolist(), low, high, strict=True):
        assert one == pytest.approx(share(count, 20, 0.99, "lower")[0])
        assert other == pytest.approx(share(count, 20, 0.99, "upper")[1])
    assert low[1] == pytest.approx(1 - 0.99 ** (1 / 20))  # P(no hit) = 0.99
    assert verdict.limit(hits(7, 20), "lower", 0.99) == low[2]
    assert verdict.limit(hits(7, 20), "upper", 0.99) == high[2]
    number = verdict.share_number("x", "what it is", hits(7, 20))
    assert number.estimate.value == 0.35 and number.estimate.n == 20
    assert number.estimate.ci == pytest.approx(stats.binomtest(7, 20).proportion_ci(0.95, "exact"))


def test_sizes_in_words_and_the_first_that_was_found():
    said = [size(0.083) for size in (verdict.excess, verdict.difference, verdict.deviations, verdict.distance)]
    assert said == ["an excess of 8.3 %", "a share that differs by 8.3 %", "a shift of 0.08 standard deviations",
                    "a distance of 0.08 between the two distributions"]  # fmt: skip
    assert verdict.percent(hits(1, 12)) == "8.3 %"
    sizes = np.array([1.0, 2.0, 3.0])
    for found in itertools.product([False, True], repeat=3):
        first = next((size for size, one in zip(sizes, found, strict=True) if one), math.nan)
        assert verdict.smallest(sizes, np.array(found)) == pytest.approx(first, nan_ok=True)
