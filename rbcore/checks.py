"""Machine checks for sentences: each returns what was measured, how far it may be off, and whether it holds.

A check is handed to :func:`rbcore.book.ledger.claim`.  Its `kind` says what stands behind the sentence:

* ``proved``: exact rational arithmetic, no floating point, for every distribution;
* ``exact``: enumerated on finite models in float64, so only rounding is tolerated;
* ``numerical``: found by an iteration, a search or training, so another processor finds it to some digits only;
* ``statistical``: estimated from samples, so an interval decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

Kind = Literal["proved", "exact", "numerical", "statistical"]


class Check(NamedTuple):
    """The outcome of a machine check.

    `value` is the measured quantity named by `measure`; `ci` its interval (statistical checks only);
    `tolerance` the amount by which rounding, or a stated margin, may decide nothing.  `cases` on how many models,
    comparisons or samples it was measured; a proof has none.
    """

    holds: bool
    kind: Kind
    measure: str
    value: float | None = None
    ci: tuple[float, float] | None = None
    tolerance: float = 0.0
    cases: int | None = None


def _finite(name: str, x: ArrayLike) -> np.ndarray:
    array = np.asarray(x, dtype=float)
    if array.size == 0:
        raise ValueError(f"{name} is empty: there is nothing to check, so the claim would hold of itself")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a value that is NaN or infinite: mend the computation before claiming")
    return array


def at_most(lhs: ArrayLike, rhs: ArrayLike, tol: float = 1e-9) -> Check:
    """`lhs <= rhs` in every entry (arrays broadcast).  The value is the smallest slack, rhs - lhs."""
    slack = _finite("rhs", rhs) - _finite("lhs", lhs)
    smallest = float(np.min(slack))
    return Check(smallest >= -tol, "exact", "smallest slack", smallest, tolerance=tol, cases=np.size(slack))


def above(lhs: ArrayLike, rhs: ArrayLike, margin: float = 1e-9) -> Check:
    """`lhs > rhs` in every entry, by more than `margin`.  The value is the smallest excess, lhs - rhs."""
    excess = _finite("lhs", lhs) - _finite("rhs", rhs)
    smallest = float(np.min(excess))
    return Check(smallest > margin, "exact", "smallest excess", smallest, tolerance=margin, cases=np.size(excess))


def equal(lhs: ArrayLike, rhs: ArrayLike, tol: float = 1e-9) -> Check:
    """`lhs == rhs` in every entry.  The value is the largest absolute difference."""
    gap = np.abs(_finite("lhs", lhs) - _finite("rhs", rhs))
    largest = float(np.max(gap))
    return Check(largest <= tol, "exact", "largest difference", largest, tolerance=tol, cases=np.size(gap))


def increasing(values: ArrayLike, margin: float = 1e-9) -> Check:
    """Each value exceeds the one before it by more than `margin`.  The value is the smallest step."""
    values = _finite("values", values)
    if values.ndim != 1 or values.size < 2:
        raise ValueError(f"increasing needs a sequence of at least two numbers, got shape {values.shape}")
    step = float(np.diff(values).min())
    return Check(step > margin, "exact", "smallest step", step, tolerance=margin, cases=values.size - 1)


def numerical(check: Check) -> Check:
    """An exact comparison of what an iteration, a search or training found; its value is pinned to fewer digits.

    Raises:
        ValueError: for a check of another kind.
    """
    if check.kind != "exact":
        raise ValueError(f"an exact check becomes numerical, got one that is {check.kind}")
    return check._replace(kind="numerical")


def refuted(check: Check) -> Check:
    """The check fails: what it measured is on the other side.  It has no interval of values that hold."""
    return check._replace(holds=not check.holds, ci=None)


def all_of(*parts: Check) -> Check:
    """All of some checks without intervals hold.  The value is the smallest margin, each in its own unit.

    A margin is how far a check's value is on the right side of what decides.  Certificates have none.

    Raises:
        ValueError: for a check whose margin is not known, such as one that an interval decides.
    """
    if parts and all(part.measure == "certificate" for part in parts):
        return Check(all(part.holds for part in parts), "proved", "certificate")
    margins = []
    for part in parts:
        sign, edge = {
            "smallest slack": (1, -part.tolerance),
            "largest difference": (-1, part.tolerance),
        }.get(part.measure.removesuffix(", nats"), (1, part.tolerance))
        if part.value is None or not part.measure.startswith(("smallest ", "largest ")):
            raise ValueError(f"all_of takes checks of slacks, excesses, steps and differences, got {part}")
        margins.append(sign * (part.value - edge))
    kind: Kind = "numerical" if any(part.kind == "numerical" for part in parts) else "exact"
    cases = sum(part.cases or 0 for part in parts)
    return Check(all(part.holds for part in parts), kind, "smallest margin", min(margins), cases=cases)


def same(found: Iterable[object], expected: Iterable[object]) -> Check:
    """Two sets have the same members.  The value is the number of members that only one of them has."""
    one, other = set(found), set(expected)
    if not other:
        raise ValueError("nothing is expected: there is nothing to check")
    differ = len(one ^ other)
    return Check(differ == 0, "exact", "members that differ", float(differ), cases=len(one | other))


class Mean(NamedTuple):
    """A sample mean with its standard error and its two-sided interval at `level`."""

    value: float
    se: float
    ci: tuple[float, float]
    level: float = 0.95


def mean(samples: ArrayLike, level: float = 0.95) -> Mean:
    """The mean of independent `samples` (1-d, at least two) with a Student interval at `level`."""
    samples = _finite("samples", samples)
    if samples.ndim != 1 or samples.size < 2:
        raise ValueError(f"an interval needs a 1-d sample of at least two values, got shape {samples.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level is a probability strictly between 0 and 1, got {level}")
    centre = float(samples.mean())
    se = float(samples.std(ddof=1) / np.sqrt(samples.size))
    half = float(special.stdtrit(samples.size - 1, 0.5 + level / 2)) * se
    return Mean(centre, se, (centre - half, centre + half), level)


def ratio(numerator: ArrayLike, denominator: ArrayLike, level: float = 0.95) -> Mean:
    """The ratio of the means of paired samples, with the delta method's standard error and normal interval."""
    above, below = _finite("numerator", numerator), _finite("denominator", denominator)
    if above.shape != below.shape or above.ndim != 1 or above.size < 2:
        raise ValueError(
            f"paired 1-d samples of at least two values are needed, got {above.shape} and {below.shape}"
        )
    if below.mean() == 0:
        raise ValueError("the denominator's mean is zero: there is no ratio")
    value = float(above.mean() / below.mean())
    centred = mean((above - value * below) / below.mean(), level)
    shift = value - centred.value
    return Mean(value, centred.se, (centred.ci[0] + shift, centred.ci[1] + shift), level)


def positive_mean(samples: ArrayLike, margin: float = 0.0, level: float = 0.999) -> Check:
    """The mean of independent `samples` (or paired differences) exceeds `margin`: its interval clears it."""
    estimate = mean(samples, level)
    return Check(
        estimate.ci[0] > margin,
        "statistical",
        f"mean, {level:.1%} interval",
        estimate.value,
        estimate.ci,
        margin,
        np.size(samples),
    )


def clears(
    name: str, value: float, ci: tuple[float, float], margin: float = 0.0, cases: int | None = None
) -> Check:
    """The interval `ci` of the estimate `value`, called `name`, lies above `margin`."""
    low, high = (float(end) for end in ci)
    return Check(low > margin, "statistical", name, float(value), (low, high), margin, cases)


def positive_means(rows: ArrayLike, margin: float = 0.0, level: float = 0.999) -> Check:
    """The mean of *every* row exceeds `margin`, all at once at `level` (Bonferroni over the rows).

    The value is the mean of the row whose interval reaches lowest.  Shape of `rows`: (comparisons, samples).
    """
    rows = _finite("rows", rows)
    if rows.ndim != 2:
        raise ValueError(f"rows has the shape (comparisons, samples), got {rows.shape}")
    each = 1 - (1 - level) / len(rows)
    lowest = min((mean(row, each) for row in rows), key=lambda one: one.ci[0])
    name = f"lowest of {len(rows)} means, joint {level:.1%} interval"
    return Check(lowest.ci[0] > margin, "statistical", name, lowest.value, lowest.ci, margin, rows.shape[1])


class Median(NamedTuple):
    """A sample median with its two-sided interval at `level`, from order statistics: right for any law."""

    value: float
    ci: tuple[float, float]
    level: float = 0.95

    @property
    def se(self) -> float:
        """The interval's width over a standard normal one's: a standard error to print, not to test with."""
        return (self.ci[1] - self.ci[0]) / (2 * float(special.ndtri(0.5 + self.level / 2)))


def median(samples: ArrayLike, level: float = 0.95) -> Median:
    """The median of independent `samples` (1-d) with the interval between two order statistics.

    The number of samples below the median is binomial, so the interval covers it with probability `level` at
    least, whatever the law, heavy tails included.

    Raises:
        ValueError: if there are too few samples for an interval at `level`.
    """
    samples = np.sort(_finite("samples", samples))
    if samples.ndim != 1:
        raise ValueError(f"a median needs a 1-d sample, got shape {samples.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level is a probability strictly between 0 and 1, got {level}")
    from scipy import stats  # its import takes longer than that of the rest of the core

    rank = int(stats.binom.ppf((1 - level) / 2, samples.size, 0.5))  # P(fewer than `rank` below) < (1 - level) / 2
    if rank < 1:
        raise ValueError(f"{samples.size} samples are too few for a {level:.4%} interval of a median")
    ends = float(samples[rank - 1]), float(samples[-rank])
    return Median(float(np.median(samples)), ends, level)


def bootstrapped(values: ArrayLike, units: int, level: float = 0.95) -> tuple[float, float]:
    """The interval for a statistic from its `values` over bootstrap samples of so many independent `units`.

    Percentiles, but those of Student's quantile in the place of the normal one: plain percentiles over ten units
    cover 88 times in a hundred instead of 95 (the expanded percentile interval, Hesterberg 2015).  That is for
    means and what follows them; of a rank correlation the plain percentiles are wide enough.  Values may be
    infinite.

    Raises:
        ValueError: for values that are not numbers, or fewer than two units.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or values.size < 2 or np.isnan(values).any():
        raise ValueError(f"an interval needs 1-d bootstrap values that are numbers, got shape {values.shape}")
    if units < 2:
        raise ValueError(f"a bootstrap needs at least two units, got {units}")
    far = float(special.stdtrit(units - 1, 0.5 + level / 2)) * np.sqrt(units / (units - 1))
    low, high = np.quantile(values, special.ndtr([-far, far]), method="inverted_cdf")
    return float(low), float(high)


def positive_medians(rows: ArrayLike, margin: float = 0.0, level: float = 0.999) -> Check:
    """The median of *every* row exceeds `margin`, all at once at `level` (Bonferroni over the rows).

    The value is the median of the row whose interval reaches lowest.  Shape of `rows`: (comparisons, samples), or
    (samples,) for one.
    """
    rows = np.atleast_2d(_finite("rows", rows))
    if rows.ndim != 2:
        raise ValueError(f"rows has the shape (comparisons, samples), got {rows.shape}")
    found = [median(row, 1 - (1 - level) / len(rows)) for row in rows]
    lowest = min(found, key=lambda one: one.ci[0])
    name = f"lowest of {len(rows)} medians, joint" if len(rows) > 1 else "median,"
    name = f"{name} {level:.1%} interval"
    return Check(lowest.ci[0] > margin, "statistical", name, lowest.value, lowest.ci, margin, rows.shape[1])


def same_law(counts: ArrayLike, pmf: ArrayLike, level: float = 0.001) -> Check:
    """Pearson's chi-square test does not reject, at `level`, that `counts` were drawn from `pmf` (same shape).

    The value is the p-value and the interval the values that do not reject: any of them says the same, so one may
    drift into another.  Cells that expect fewer than five counts are pooled into one.

    Raises:
        ValueError: for shapes that differ, or when fewer than two cells are left after pooling.
    """
    counts, pmf = _finite("counts", counts).ravel(), _finite("pmf", pmf).ravel()
    if counts.shape != pmf.shape:
        raise ValueError(f"counts and pmf have one shape, got {counts.size} and {pmf.size} cells")
    expected = counts.sum() * pmf / pmf.sum()
    rare = expected < 5
    seen, wanted = (np.append(x[~rare], x[rare].sum()) for x in (counts, expected))
    possible = wanted > 0
    name = f"chi-square p-value, {int(possible.sum())} cells"
    if possible.sum() < 2:
        raise ValueError("fewer than two cells expect five counts: draw more")
    drawn = int(counts.sum())
    if seen[~possible].any() or counts[pmf <= 0].any():  # seen where it cannot be
        return Check(False, "statistical", name, 0.0, None, level, drawn)
    from scipy import stats  # its import takes longer than that of the rest of the core

    p_value = float(stats.chisquare(seen[possible], wanted[possible]).pvalue)
    ci = (level, 1.0) if p_value > level else None
    return Check(p_value > level, "statistical", name, p_value, ci, level, drawn)


def consistent(samples: ArrayLike, truth: float, level: float = 0.9999) -> Check:
    """The mean of `samples` agrees with the known `truth`: the interval at `level` holds it.

    The value is the difference, and `tolerance` is the half-width, so that a wide and therefore empty test shows.
    """
    estimate = mean(samples, level)
    low, high = estimate.ci[0] - truth, estimate.ci[1] - truth
    name = f"mean minus truth, {level:.2%} interval"
    difference, half = estimate.value - truth, (high - low) / 2
    return Check(low <= 0 <= high, "statistical", name, difference, (low, high), half, np.size(samples))
