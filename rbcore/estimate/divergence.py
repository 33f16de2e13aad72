"""How far two samples are apart: bounds of TV and KL by classifiers, MMD, and overlap of supports."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import BaseEstimator

from rbcore.estimate import classifier as classifiers
from rbcore.estimate import kernel as kernel
from rbcore.estimate.base import Estimate, sample, share

HALVES = 40  # half-samples behind an interval
PAIRS = 20_000  # rows of both samples together up to which MMD takes all pairs
Classifier = str | BaseEstimator


def two(x: ArrayLike, y: ArrayLike, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Two samples with the same columns, of shapes (n, d) and (m, d).

    Raises:
        ValueError: as :func:`rbcore.estimate.base.sample`, or when their columns differ in number.
    """
    x, y = sample("x", x, least), sample("y", y, least)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"both samples need the same columns, got {x.shape[1]} and {y.shape[1]}")
    return x, y


def halves(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The row numbers of a random half (the smaller) and of the rest."""
    order = rng.permutation(n)
    return order[: n // 2], order[n // 2 :]


class Event(NamedTuple):
    """What a classifier two-sample test found: an event A, chosen on one half and counted on the other.

    `bound` is the lower bound of TV; `share_x` and `share_y` are the probabilities of A under the two laws, with
    intervals of their own; `classifier` is the name of the one that made A, `rule` its fitted form, and A holds
    where the log odds of `rule` are at least `threshold`.
    """

    bound: Estimate
    share_x: Estimate
    share_y: Estimate
    classifier: str
    rule: object
    threshold: float

    def holds(self, rows: ArrayLike) -> np.ndarray:
        """Whether A holds for each of `rows`, shape (n, d)."""
        return classifiers.log_odds(self.rule, sample("rows", rows, 1)) >= self.threshold


def event_masses(
    inside_x: ArrayLike, inside_y: ArrayLike, level: float = 0.95, d: int = 1
) -> tuple[Estimate, Estimate, Estimate]:
    """The bound of TV, and the two shares, of an event that was fixed before these data were seen.

    TV(P_x, P_y) >= P_y(A) - P_x(A) for every event A.  The lower bound is the Clopper-Pearson lower limit of
    P_y(A) minus the upper limit of P_x(A), each with half of the error probability.  It holds at every sample
    size.

    Args:
        inside_x, inside_y: whether A holds, shapes (n,) and (m,).

    Raises:
        ValueError: for an empty sample.
    """
    inside = [np.asarray(one, dtype=bool).ravel() for one in (inside_x, inside_y)]
    counts, totals = [int(one.sum()) for one in inside], [one.size for one in inside]
    if not all(totals):
        raise ValueError("both samples need at least one row")
    each = (1 + level) / 2
    upper_x = share(counts[0], totals[0], each, "upper")[1]
    lower_y = share(counts[1], totals[1], each, "lower")[0]
    value = max(0.0, counts[1] / totals[1] - counts[0] / totals[0])
    bound = Estimate("tv-lower", value, (max(0.0, lower_y - upper_x), 1.0), min(totals), d, "", level, "lower")
    shares = [
        Estimate("event-share", count / total, share(count, total, level), total, d, "", level)
        for count, total in zip(counts, totals, strict=True)
    ]
    return bound, shares[0], shares[1]


def _threshold(scores: np.ndarray, labels: np.ndarray) -> float:
    """The cut between scores at which the shares of the two classes above it differ most."""
    order = np.argsort(-scores, kind="stable")
    ordered, second = scores[order], labels[order] == 1
    gain = np.cumsum(second) / second.sum() - np.cumsum(~second) / (~second).sum()
    last = np.append(ordered[1:] < ordered[:-1], True)  # cut only between different scores
    best = int(np.argmax(np.where(last, gain, -1)))
    return float(ordered[best] if best + 1 == len(ordered) else (ordered[best] + ordered[best + 1]) / 2)


def tv_event(
    x: ArrayLike, y: ArrayLike, rng: np.random.Generator, level: float = 0.95, classifier: Classifier = "linear"
) -> Event:
    """The event that tells the samples apart best, found on a random half of each and counted on the other.

    Args:
        x, y: shapes (n, d) and (m, d).
        classifier: ``"linear"`` (logistic regression), ``"quadratic"``, ``"boosted"`` (trees), ``"auto"`` for the
            one of these with the least cross-validated log loss, or any scikit-learn classifier.

    Raises:
        ValueError: for too few rows, different columns, or an unknown classifier.
    """
    x, y = two(x, y, 2 * classifiers.FOLDS)
    (x_fit, x_test), (y_fit, y_test) = halves(len(x), rng), halves(len(y), rng)
    rows = np.concatenate([x[x_fit], y[y_fit]])
    labels = np.repeat([0, 1], [len(x_fit), len(y_fit)])
    name, rule, scores = classifiers.choose(classifier, rows, labels, rng)
    cut = _threshold(scores, labels)
    inside = [classifiers.log_odds(rule, part) >= cut for part in (x[x_test], y[y_test])]
    bound, share_x, share_y = event_masses(*inside, level=level, d=x.shape[1])
    return Event(bound, share_x, share_y, name, rule, cut)


def tv_lower(
    x: ArrayLike, y: ArrayLike, rng: np.random.Generator, level: float = 0.95, classifier: Classifier = "linear"
) -> Estimate:
    """A lower bound of TV(P_x, P_y) that holds with probability `level` for every classifier and sample size.

    The value is the held-out difference of the event's shares, not below 0.  It estimates what this event sees of
    TV, and the rest may be much.  Arguments and errors as :func:`tv_event`, which also gives the event.
    """
    return tv_event(x, y, rng, level, classifier).bound


def kl_ratio(
    x: ArrayLike, y: ArrayLike, rng: np.random.Generator, level: float = 0.95, classifier: Classifier = "auto"
) -> Estimate:
    """A lower estimate of KL(P_x || P_y) in nats, by a classifier's density ratio.

    The log odds f of a classifier, fitted on one half, give on the other half the Donsker-Varadhan value
    mean_x f - log mean_y exp f.  Its expectation under the laws never exceeds KL, whatever f; the logarithm of a
    mean adds a bias, which is removed to first order.  Both halves take turns and the two values are averaged.
    The interval is one-sided, by the delta method: the KL is at least its lower end, up to that approximation.
    How much of KL the classifier misses cannot be known, and KL may be infinite.

    Args:
        x, y: shapes (n, d) and (m, d).
        classifier: as in :func:`tv_event`; it needs probabilities.

    Raises:
        ValueError: as :func:`tv_event`, or for a classifier without probabilities.
    """
    x, y = two(x, y, 2 * classifiers.FOLDS)
    if not isinstance(classifier, str) and not hasattr(classifier, "predict_proba"):
        raise ValueError(f"a density ratio needs a classifier with predict_proba, got {classifier!r}")
    x_parts, y_parts = halves(len(x), rng), halves(len(y), rng)
    values, variances, effective, apart = [], [], [], []
    for turn in (0, 1):
        x_fit, y_fit, x_test, y_test = (
            x[x_parts[turn]],
            y[y_parts[turn]],
            x[x_parts[1 - turn]],
            y[y_parts[1 - turn]],
        )
        rows, labels = np.concatenate([y_fit, x_fit]), np.repeat([0, 1], [len(y_fit), len(x_fit)])
        _, rule, _ = classifiers.choose(classifier, rows, labels, rng, scored=False)
        f, g = classifiers.log_odds(rule, x_test), classifiers.log_odds(rule, y_test)
        top = float(g.max())
        weights = np.exp(g - top)
        mean = float(weights.mean())
        spread = float(weights.var(ddof=1)) / (len(g) * mean**2)  # squared relative error of the mean
        values.append(float(f.mean()) - top - math.log(mean) - spread / 2)
        variances.append(float(f.var(ddof=1)) / len(f) + spread)
        effective.append(float(weights.sum() ** 2 / np.square(weights).sum()))
        cut = math.log(len(x_fit) / len(y_fit))
        apart.append(float(np.mean(f > cut) + np.mean(g < cut)) / 2)
    value, error = float(np.mean(values)), math.sqrt(sum(variances)) / 2
    low = value - float(stats.norm.ppf(level)) * error
    warnings = []
    if min(effective) < 30:
        warnings.append(f"the weights are those of {min(effective):.0f} rows: the interval cannot be trusted")
    if min(apart) > 0.99:
        warnings.append("the samples hardly overlap: KL may be infinite")
    n = min(len(x), len(y))
    ci = (min(max(0.0, low), max(value, 0.0)), math.inf)
    return Estimate(
        "kl-ratio", max(value, 0.0), ci, n, x.shape[1], "nats", level, "lower", warning="; ".join(warnings)
    )


def _mmd(xx, yy, xy, n: int, m: int):
    """The unbiased squared MMD from the sums within and across the samples, diagonals left out."""
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def _mmd_sums(z: np.ndarray, n: int, width: float, marks: np.ndarray) -> tuple[np.ndarray, ...]:
    """Row sums of the kernel matrix over the first `n` rows of `z`, and over the others, shapes (rows,).

    Then for each column of `marks`, which is 1 for the rows of a random first sample, the sum over pairs within
    that sample, and the sum over pairs of its rows with all rows.
    """
    first, second = np.empty(len(z)), np.empty(len(z))
    within, touching = np.zeros(marks.shape[1]), np.zeros(marks.shape[1])
    for part in kernel.slices(len(z), len(z)):
        block = kernel.hollow(z, part, width)
        first[part], second[part] = block[:, :n].sum(axis=1), block[:, n:].sum(axis=1)
        product = block.astype(np.float32) @ marks
        within += np.einsum("ij,ij->j", marks[part], product, dtype=float)
        touching += (first[part] + second[part]) @ marks[part]
    return first, second, within, touching


def mmd(
    x: ArrayLike,
    y: ArrayLike,
    rng: np.random.Generator,
    permutations: int = 200,
    method: Literal["auto", "blocks", "features"] = "auto",
    level: float = 0.95,
) -> Estimate:
    """The squared maximum mean discrepancy with a Gaussian kernel, and a test with it (Gretton et al. 2012).

    Zero exactly if the laws are the same.  The columns are standardized, and the bandwidth is the median distance,
    both over the two samples together.  The estimate is unbiased for a given bandwidth, and may be negative.  The
    interval is the jackknife's, and reaches higher near zero (:func:`rbcore.estimate.kernel.limits`).  The p-value
    of the permutation test is valid for every method.

    Args:
        x, y: shapes (n, d) and (m, d).
        permutations: of the test; 0 for none.
        method: ``"blocks"`` takes all pairs of rows, in bounded memory and time (n + m)^2; ``"features"`` takes
            Nystroem features, in time n + m; ``"auto"`` takes all pairs up to PAIRS rows together.

    Raises:
        ValueError: as :func:`two`, or for an unknown method.
    """
    x, y = two(x, y, 4)
    if method not in ("auto", "blocks", "features"):
        raise ValueError(f"method must be 'auto', 'blocks' or 'features', got {method!r}")
    n, m, d = len(x), len(y), x.shape[1]
    z = np.concatenate([x, y])
    z = z - z.mean(axis=0)
    spread = z.std(axis=0)
    z = z[:, spread > 0] / spread[spread > 0]
    if not z.shape[1]:
        return Estimate("mmd", 0.0, (0.0, 0.0), min(n, m), d, "", level, p_value=1.0, warning="all rows are equal")
    width = kernel.bandwidth(z, rng)
    marks = np.zeros((n + m, permutations), np.float32)
    for column in marks.T:
        column[rng.permutation(n + m)[:n]] = 1
    if method == "features" or (method == "auto" and n + m > PAIRS):
        phi = kernel.features(z, width, rng).astype(float)
        sums, squares = phi[:n].sum(axis=0), np.square(phi).sum(axis=1)
        rest = phi[n:].sum(axis=0)
        first, second = phi @ sums, phi @ rest
        first[:n] -= squares[:n]
        second[n:] -= squares[n:]
        chosen = phi.T @ marks
        within = np.square(chosen).sum(axis=0) - squares @ marks
        touching = (first + second) @ marks
    else:
        first, second, within, touching = _mmd_sums(z, n, width, marks)
    xx, yy, xy = first[:n].sum(), second[n:].sum(), second[:n].sum()
    value = float(_mmd(xx, yy, xy, n, m))
    across = touching - within
    null = _mmd(within, xx + yy + 2 * xy - within - 2 * across, across, n, m)
    p_value = float((1 + np.sum(null >= value - 1e-6 * abs(value))) / (1 + permutations)) if permutations else None
    less_x = _mmd(xx - 2 * first[:n], yy, xy - second[:n], n - 1, m)
    less_y = _mmd(xx, yy - 2 * second[n:], xy - first[n:], n, m - 1)
    variance = (n - 1) * float(np.var(less_x)) + (m - 1) * float(np.var(less_y))
    top, squared = kernel.spectrum(z, width, rng)
    sizes = 1 / n + 1 / m
    ci = kernel.limits(value, variance, 2 * squared * sizes**2, 4 * top * sizes, level)
    warning = f"{min(n, m)} rows are too few for the interval" if min(n, m) < 30 else ""
    return Estimate("mmd", value, ci, min(n, m), d, "", level, "two", p_value, warning)


class Overlap(NamedTuple):
    """How far supports overlap: shares of fake in the balls of real, of real in those of fake, of balls hit."""

    precision: Estimate
    recall: Estimate
    coverage: Estimate


def _nearest(x: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances and row numbers of the `count` nearest other rows, nearest first, shapes (n, count)."""
    squares, rows = np.empty((len(x), count), np.float32), np.empty((len(x), count), np.int64)
    for part in kernel.slices(len(x), len(x)):
        block = kernel.squared_distances(x[part], x)
        block[np.arange(len(block)), np.arange(part.start, part.stop)] = np.inf
        near = np.argpartition(block, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(block, near, axis=1)
        order = np.argsort(values, axis=1)
        squares[part] = np.take_along_axis(values, order, axis=1)
        rows[part] = np.take_along_axis(near, order, axis=1)
    return squares, rows


def _radii(nearest: tuple[np.ndarray, np.ndarray], chosen: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each chosen row to its k-th nearest chosen one, as far as the lists reach."""
    inside = np.zeros(len(nearest[0]), bool)
    inside[chosen] = True
    ranks = np.cumsum(inside[nearest[1][chosen]], axis=1)
    place = np.minimum((ranks < k).sum(axis=1), ranks.shape[1] - 1)
    return nearest[0][chosen, place]


def _shares(across: np.ndarray, real_radii: np.ndarray, fake_radii: np.ndarray) -> np.ndarray:
    """Precision, recall and coverage from squared distances of real rows to fake ones."""
    hit = across <= real_radii[:, None]
    return np.array([hit.any(axis=0).mean(), (across <= fake_radii).any(axis=1).mean(), hit.any(axis=1).mean()])


def precision_recall_coverage(
    real: ArrayLike,
    fake: ArrayLike,
    k: int = 5,
    level: float = 0.95,
    *,
    rng: np.random.Generator,
    limit: int = 5000,
) -> Overlap:
    """Precision and recall (Kynkaanniemi et al. 2019) and coverage (Naeem et al. 2020), at equal sizes.

    A ball around each row reaches to its k-th nearest neighbour in its own sample.  Precision is the share of fake
    rows in a ball of real ones, recall the share of real rows in a ball of fake ones, coverage the share of real
    balls that hold a fake row.  Each is below 1 for equal laws (:func:`expected_for_same_law`) and changes with
    the sample size.  The rows share balls, so a binomial interval is not right.  This one is for the expectation
    at this size, and comes from half-samples: given the data, half of the rows, drawn without replacement, vary as
    much as the whole sample does.

    Args:
        real, fake: shapes (n, d) and (m, d); the larger one is cut to the size of the smaller one, and both to
            `limit`.

    Raises:
        ValueError: as :func:`two`, or unless ``1 <= k`` and the samples have more than 4 k rows.
    """
    real, fake = two(real, fake, 8)
    n = min(len(real), len(fake), limit)
    if k < 1 or n <= 4 * k:
        raise ValueError(f"k must be at least 1 and below a quarter of the {n} rows compared, got {k}")
    centre = real.mean(axis=0)
    real, fake = (z[rng.choice(len(z), n, replace=False)] - centre for z in (real, fake))
    reach = min(4 * k + 8, n - 1)
    near_real, near_fake = _nearest(real, reach), _nearest(fake, reach)
    across = np.empty((n, n), np.float32)
    for part in kernel.slices(n, n):
        across[part] = kernel.squared_distances(real[part], fake)
    values = _shares(across, near_real[0][:, k - 1], near_fake[0][:, k - 1])
    again = np.empty((HALVES, 3))
    for turn in range(HALVES):
        rows, columns = (np.sort(rng.choice(n, n // 2, replace=False)) for _ in range(2))
        again[turn] = _shares(across[rows][:, columns], _radii(near_real, rows, k), _radii(near_fake, columns, k))
    half = stats.t.isf((1 - level) / 2, HALVES - 1) * again.std(axis=0, ddof=1)
    warnings = []
    if n < 50:
        warnings.append(f"{n} rows are too few for the interval")
    if min(float(np.median(near[0][:, k - 1])) for near in (near_real, near_fake)) == 0:
        warnings.append("most rows are repeated: their balls are points")
    return Overlap(
        *(
            Estimate(
                name,
                float(value),
                (max(0.0, float(value - wide)), min(1.0, float(value + wide))),
                n,
                real.shape[1],
                "",
                level,
                warning="; ".join(warnings),
            )
            for name, value, wide in zip(Overlap._fields, values, half, strict=True)
        )
    )


def expected_for_same_law(
    real: ArrayLike, k: int = 5, level: float = 0.95, *, rng: np.random.Generator, limit: int = 5000
) -> Overlap:
    """The three shares between two halves of `real`: what they would be for a perfect generator, at half the size.

    Compare with shares of that size: at most ``len(real) // 2`` rows.  Arguments and errors as
    :func:`precision_recall_coverage`.
    """
    real = sample("real", real, 16)
    first, second = halves(len(real), rng)
    return precision_recall_coverage(real[first], real[second], k, level, rng=rng, limit=limit)
