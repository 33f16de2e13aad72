"""Dependence between two samples whose rows belong together: Gaussian and nearest-neighbour MI, and HSIC."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special, stats
from scipy.spatial import KDTree

from rbcore.estimate import kernel as kernel
from rbcore.estimate.base import Estimate, pair

KEPT = 2048  # rows up to which HSIC keeps both kernel matrices, 64 MiB together
SPLITS = 10  # into halves, behind an interval; half as many above MANY rows
MANY = 10_000
DRIFT = 1.6  # standard errors between the whole and its halves that are taken for a bias
GROUP = 2000  # rows of a group when HSIC is averaged over groups


# --- Gaussian ---------------------------------------------------------------------------------------------------


def normal_scores(x: np.ndarray) -> np.ndarray:
    """Each column's ranks as normal quantiles, ties at their mean rank; shape (n, d)."""
    return special.ndtri(stats.rankdata(x, axis=0) / (len(x) + 1))


def tied(x: np.ndarray) -> float:
    """The share of values, in the column where it is largest, that repeat another value of the column."""
    return max(1 - len(np.unique(column)) / len(column) for column in x.T)


def _basis(x: np.ndarray) -> np.ndarray:
    """An orthonormal basis, (n, rank), of the centred columns."""
    centred = x - x.mean(axis=0)
    spread = centred.std(axis=0)
    centred = centred[:, spread > 1e-12 * max(1.0, float(np.abs(x).max()))]
    if not centred.shape[1]:
        return np.empty((len(x), 0))
    left, singular, _ = np.linalg.svd(centred / centred.std(axis=0), full_matrices=False)
    return left[:, singular > 1e-10 * singular[0]]


def canonical_correlations(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The sample canonical correlations, and the ranks of `x` and `y` (Hotelling 1936)."""
    qx, qy = _basis(x), _basis(y)
    if not qx.shape[1] or not qy.shape[1]:
        return np.empty(0), qx.shape[1], qy.shape[1]
    return np.linalg.svd(qx.T @ qy, compute_uv=False).clip(0, 1), qx.shape[1], qy.shape[1]


def _log_det_bias(n: int, d: int) -> float:
    """E log det of a sample covariance minus log det of the covariance, for Gaussian rows."""
    return float(special.psi((n - np.arange(1, d + 1)) / 2).sum() - d * math.log((n - 1) / 2))


def _information_interval(raw: float, parts: np.ndarray, n: int, dx: int, dy: int, level: float) -> tuple:
    """The interval for the MI that the plug-in value `raw` allows, its bias, and the p-value of independence.

    For a candidate I the plug-in is taken as a multiple of a noncentral chi-square with dx dy degrees of freedom.
    Its mean is I plus the exact bias, its variance sum(rho_i^2) / n (that of the information density) plus the
    exact variance under independence, where -2 times the plug-in is the logarithm of Wilks' Lambda.
    """
    bias = 0.5 * (_log_det_bias(n, dx) + _log_det_bias(n, dy) - _log_det_bias(n, dx + dy))
    steps = n - np.arange(1, dy + 1)
    null = 0.25 * float((special.polygamma(1, (steps - dx) / 2) - special.polygamma(1, steps / 2)).sum())
    weights = parts / parts.sum() if parts.sum() > 0 else np.full(len(parts), 1 / len(parts))
    degrees, effective = dx * dy, n - dx - dy

    def below(information: float) -> float:
        """The probability of a plug-in value of at most `raw`."""
        mean = information + bias
        variance = float(-np.expm1(-2 * weights * information).sum()) / effective + null
        ratio = min(variance / mean**2, 2 / degrees)
        total = (2 + math.sqrt(4 - 2 * degrees * ratio)) / ratio  # degrees plus noncentrality
        if total > 5e3:
            return float(special.ndtr((raw - mean) / math.sqrt(variance)))
        return float(stats.ncx2.cdf(raw * total / mean, degrees, max(total - degrees, 1e-12)))

    def solve(target: float) -> float:
        """The candidate under which `raw` is the quantile `target`; 0 where none is that small."""
        if below(0.0) <= target:
            return 0.0
        high = max(raw, 1e-6)
        while below(high) > target:
            high *= 2
        return float(optimize.brentq(lambda value: below(value) - target, 0.0, high, xtol=1e-9))

    ci = solve((1 + level) / 2), solve((1 - level) / 2)
    return ci, bias, float(stats.gamma.sf(raw, bias**2 / null, scale=null / bias))


def gaussian_mi(x: ArrayLike, y: ArrayLike, level: float = 0.95, copula: bool = True) -> Estimate:
    """Mutual information in nats of a Gaussian (copula) with the same (rank) correlations.

    With `copula` each column is first replaced by its normal scores.  The value is exact when the joint copula of
    all columns is Gaussian.  With one column on each side it is then a lower bound of the MI, whatever the copula,
    because a Gaussian has the least MI among laws with Gaussian margins and the same correlation (Ince et al.
    2017 use it so).  With more columns it is that only if each side is jointly Gaussian after the transform, and
    otherwise bounds nothing.  Dependence without correlation it does not see.  The bias of Gaussian rows is
    subtracted, so it may be slightly negative.

    Args:
        x, y: shapes (n, d_x) and (n, d_y).

    Raises:
        ValueError: as :func:`rbcore.estimate.base.pair`.
    """
    x, y = pair(x, y, least=4)
    n, d = len(x), max(x.shape[1], y.shape[1])
    warnings = []
    repeated = max(tied(x), tied(y))
    if copula and repeated > 0.05:
        warnings.append(f"{repeated:.0%} of the values of a column repeat others: no copula is unique")
    scores = (normal_scores(x), normal_scores(y)) if copula else (x, y)
    rho, dx, dy = canonical_correlations(*scores)
    if dx < x.shape[1] or dy < y.shape[1]:
        warnings.append("some columns are constant or combinations of others, and add nothing")

    def blind(why: str) -> Estimate:
        reasons = "; ".join([*warnings, why])
        return Estimate("gaussian-mi", math.nan, (0.0, math.inf), n, d, "nats", level, warning=reasons)

    if not len(rho):
        return blind("a variable is constant")
    if n < dx + dy + 3:
        return blind(f"{n} rows are too few for {dx} and {dy} columns")
    if rho[0] > 1 - 1e-10:
        return blind("one variable determines a part of the other linearly: the MI is infinite")
    if n < 5 * (dx + dy):
        warnings.append(f"{n} rows are few for {dx} and {dy} columns: the correction is as large as the value")
    parts = -0.5 * np.log1p(-(rho**2))
    raw = float(parts.sum())
    ci, bias, p_value = _information_interval(raw, parts, n, dx, dy, level)
    value = raw - bias
    ci = min(ci[0], value), max(ci[1], value)
    return Estimate("gaussian-mi", value, ci, n, d, "nats", level, "two", p_value, "; ".join(warnings))


# --- Kraskov, Stoegbauer and Grassberger ------------------------------------------------------------------------


def standardized(x: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and standard deviation 1; constant columns become 0."""
    centred = x - x.mean(axis=0)
    spread = centred.std(axis=0)
    return np.where(
        spread > 1e-12 * np.maximum(np.abs(x).max(axis=0), 1e-300), centred / np.maximum(spread, 1e-300), 0
    )


def _closer(x: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """How many other rows lie strictly closer to each row than its radius, in the maximum norm."""
    if x.shape[1] > 1:
        return KDTree(x).query_ball_point(x, np.nextafter(radius, 0), p=np.inf, return_length=True) - 1
    column, n = x[:, 0], len(x)
    ordered = np.sort(column)
    high = np.searchsorted(ordered, column + radius)
    low = np.searchsorted(ordered, column - radius, side="right")
    # rounding in the sums: decide the outermost two by their differences
    high -= ordered[np.maximum(high - 1, 0)] - column >= radius
    high += (high < n) & (ordered[np.minimum(high, n - 1)] - column < radius)
    low += column - ordered[np.minimum(low, n - 1)] >= radius
    low -= (low > 0) & (column - ordered[np.maximum(low - 1, 0)] < radius)
    return np.maximum(high - low - 1, 0)


def _ksg(x: np.ndarray, y: np.ndarray, k: int) -> float:
    """The KSG estimate in nats of standardized samples."""
    both = np.concatenate([x, y], axis=1)
    radius = KDTree(both).query(both, [k + 1], p=np.inf)[0][:, 0]
    counts = _closer(x, radius), _closer(y, radius)
    local = special.psi(counts[0] + 1) + special.psi(counts[1] + 1)
    return float(special.psi(k) + special.psi(len(x)) - local.mean())


def half_sampled(statistic: Callable[[np.ndarray], float], n: int, level: float) -> tuple[float, float, str]:
    """A statistic of `n` rows, half the width of its interval, and what speaks against that.

    The variance is half of that between the two halves of a random split, averaged over fixed random splits
    (Politis, Romano and Wolf 1999).  A bootstrap would repeat rows, which nearest neighbours do not survive.
    A statistic whose halves differ from the whole has a bias that depends on the sample size, and warns.
    """
    value = statistic(np.arange(n))
    splits = SPLITS if n <= MANY else SPLITS // 2
    fixed = np.random.default_rng(n)  # the same splits each time: a part of the method, no source of results
    found = np.empty((splits, 2))
    for turn in range(splits):
        order = fixed.permutation(n)
        found[turn] = statistic(order[: n // 2]), statistic(order[n // 2 :])
    error = math.sqrt(float(found.var(axis=1, ddof=1).mean()) / 2)
    drift = value - float(found.mean())
    why = ""
    if abs(drift) > max(DRIFT * error, 1e-9):
        why = f"it moves from {found.mean():.3g} to {value:.3g} when the sample doubles: still biased at this size"
    return value, float(stats.t.isf((1 - level) / 2, splits)) * error, why


def ksg(x: ArrayLike, y: ArrayLike, k: int = 3, level: float = 0.95) -> Estimate:
    """Mutual information in nats by nearest neighbours: the first estimator of Kraskov et al. (2004).

    Columns are standardized.  The estimate falls short of strong dependence in several dimensions.  The interval
    is for its expectation at this sample size, from half-samples.

    Args:
        x, y: shapes (n, d_x) and (n, d_y).
        k: which neighbour in the joint space sets the radius.

    Raises:
        ValueError: as :func:`rbcore.estimate.base.pair`, or unless ``1 <= k < n / 4``.
    """
    x, y = pair(x, y, least=8)
    n, d = len(x), max(x.shape[1], y.shape[1])
    if not 1 <= k < n / 4:
        raise ValueError(f"k must be at least 1 and below a quarter of the {n} rows, got {k}")
    warnings = []
    repeated = max(tied(x), tied(y))
    if repeated > 0.01:
        warnings.append(f"{repeated:.0%} of the values of a column repeat others: the data must be continuous")
    both = x.shape[1] + y.shape[1]
    if both > math.log2(n):
        warnings.append(f"{n} rows are too few for {both} dimensions: strong dependence is underestimated")
    x, y = standardized(x), standardized(y)
    value, half, why = half_sampled(lambda rows: _ksg(x[rows], y[rows], k), n, level)
    warning = "; ".join(filter(None, [*warnings, why]))
    return Estimate("ksg", value, (value - half, value + half), n, d, "nats", level, warning=warning)


# --- HSIC -------------------------------------------------------------------------------------------------------


def _hsic(cross, across, total_x, total_y, n: int):
    """The unbiased HSIC from the sums of K o L, of (K1)(L1), of K and of L (Song et al. 2012)."""
    third = total_x * total_y / ((n - 1) * (n - 2))
    return (cross + third - 2 / (n - 2) * across) / (n * (n - 3))


def _exact(x: np.ndarray, y: np.ndarray, widths: tuple[float, float]) -> tuple[float, np.ndarray]:
    """The unbiased HSIC and its leave-one-out values, in blocks and two passes."""
    n = len(x)
    r, s, both = np.empty(n), np.empty(n), np.empty(n)
    ks, lr = np.empty(n), np.empty(n)
    parts = list(kernel.slices(n, n))

    @functools.lru_cache(maxsize=1)  # a single block serves both passes
    def blocks(index: int) -> tuple[np.ndarray, np.ndarray]:
        return kernel.hollow(x, parts[index], widths[0]), kernel.hollow(y, parts[index], widths[1])

    for index, part in enumerate(parts):
        k, l = blocks(index)
        r[part], s[part] = k.sum(axis=1), l.sum(axis=1)
        both[part] = np.einsum("ij,ij->i", k, l)
    for index, part in enumerate(parts):
        k, l = blocks(index)
        ks[part], lr[part] = k @ s, l @ r
    value = _hsic(both.sum(), r @ s, r.sum(), s.sum(), n)
    without = _hsic(both.sum() - 2 * both, r @ s - r * s - ks - lr + both, r.sum() - 2 * r, s.sum() - 2 * s, n - 1)
    return float(value), without


def _null_kept(x: np.ndarray, y: np.ndarray, widths, rng: np.random.Generator, permutations: int) -> np.ndarray:
    """HSIC for permuted `y`, first for the data as they are; both kernel matrices are kept."""
    n = len(x)
    K, L = (kernel.hollow(z, slice(0, n), w).astype(np.float32) for z, w in zip((x, y), widths, strict=True))
    r, s = K.sum(axis=1, dtype=float), L.sum(axis=1, dtype=float)
    found = np.empty(permutations + 1)
    for turn in range(permutations + 1):
        order = rng.permutation(n) if turn else np.arange(n)
        cross = kernel.permuted_sum(K, L, order)
        found[turn] = _hsic(cross, r @ s[order], r.sum(), s.sum(), n)
    return found


def _null_features(
    x: np.ndarray, y: np.ndarray, widths, rng: np.random.Generator, permutations: int
) -> np.ndarray:
    """Squared norm of the covariance of features for permuted `y`, first for the data as they are."""
    phi, psi = (kernel.features(z, w, rng) for z, w in zip((x, y), widths, strict=True))
    phi -= phi.mean(axis=0)
    found = np.empty(permutations + 1)
    for turn in range(permutations + 1):
        order = rng.permutation(len(x)) if turn else np.arange(len(x))
        found[turn] = float(np.square(phi.T @ psi[order]).sum())
    return found


def permutation_p(found: np.ndarray) -> float:
    """The p-value of the first statistic among all: (1 + number as large) / (1 + permutations)."""
    slack = 1e-6 * abs(found[0])  # equal statistics differ by rounding
    return float((1 + np.sum(found[1:] >= found[0] - slack)) / len(found))


def hsic(
    x: ArrayLike,
    y: ArrayLike,
    rng: np.random.Generator,
    permutations: int = 200,
    method: Literal["auto", "blocks", "features"] = "auto",
    level: float = 0.95,
) -> Estimate:
    """The Hilbert-Schmidt independence criterion with Gaussian kernels (Gretton et al. 2005), and a test with it.

    Zero exactly if x and y are independent.  Its size depends on the bandwidths, which are median distances of
    the standardized columns, so compare it only between samples of the same kind.  The unbiased estimate may be
    negative.  The interval is the jackknife's, and reaches higher near independence
    (:func:`rbcore.estimate.kernel.limits`).  The p-value of the permutation
    test is valid for every method: the statistic is the estimate itself up to KEPT rows, and beyond that the
    covariance of Nystroem features.

    Args:
        x, y: shapes (n, d_x) and (n, d_y).
        permutations: of the test; 0 for none.
        method: ``"blocks"`` takes all pairs of rows, in bounded memory and time n^2.  ``"features"`` takes the
            pairs within random groups of about GROUP rows, in time n.  ``"auto"`` takes all pairs up to 2 GROUP
            rows.

    Raises:
        ValueError: as :func:`rbcore.estimate.base.pair`, or for an unknown method.
    """
    x, y = pair(x, y, least=8)
    n, d = len(x), max(x.shape[1], y.shape[1])
    if method not in ("auto", "blocks", "features"):
        raise ValueError(f"method must be 'auto', 'blocks' or 'features', got {method!r}")
    x, y = standardized(x), standardized(y)
    widths = kernel.bandwidth(x, rng), kernel.bandwidth(y, rng)
    if not all(widths):
        return Estimate("hsic", 0.0, (0.0, 0.0), n, d, level=level, p_value=1.0, warning="a variable is constant")
    grouped = (method == "features" and n >= 4 * GROUP) or (method == "auto" and n > 2 * GROUP)
    if grouped:
        groups = np.array_split(rng.permutation(n), max(n // GROUP, 2))
        found = [_exact(x[group], y[group], widths) for group in groups]
        value = float(np.mean([one for one, _ in found]))
        variance = sum(_jackknife(without) for _, without in found) / len(found) ** 2
    else:
        value, without = _exact(x, y, widths)
        variance = _jackknife(without)
    (top_x, squares_x), (top_y, squares_y) = (
        kernel.spectrum(z, w, rng) for z, w in zip((x, y), widths, strict=True)
    )
    pairs = n * (GROUP if grouped else n)  # that the variance at independence goes with
    ci = kernel.limits(value, variance, 2 * squares_x * squares_y / pairs, 4 * top_x * top_y / n, level)
    p_value = None
    if permutations:
        test = _null_kept if n <= KEPT and method != "features" else _null_features
        p_value = permutation_p(test(x, y, widths, rng, permutations))
    warning = f"{n} rows are too few for the interval" if n < 30 else ""
    return Estimate("hsic", value, ci, n, d, "", level, "two", p_value, warning)


def _jackknife(without: np.ndarray) -> float:
    """The jackknife variance from leave-one-out values."""
    return float((len(without) - 1) * np.var(without))
