"""Compiled loops over points and components: k-means, expectation-maximization and log densities.

Points are stored as (d, n), so that the innermost loops run over them and become vector instructions.  These loops
call one another, and a compiler's cache looks at one file at a time, so they stand together.  Arrays are copied
and compared element by element: slices and array expressions take seconds more to compile.
"""

from __future__ import annotations

import numpy as np
from numba import njit

EPS = np.finfo(float).eps
LOG_2PI = float(np.log(2 * np.pi))
SUMS = {"reassoc", "contract", "nsz"}  # what a sum needs to be vectorized; NaN and infinity keep their meaning


@njit(cache=True, nogil=True, fastmath={"contract"})
def exp(x: float) -> float:
    """The exponential of x <= 700 to 1e-15 relative; compiled loops over it use vector instructions."""
    x = x if x > -708.0 else -708.0
    n = np.floor(x * 1.4426950408889634 + 0.5)
    r = x - n * 6.93147180369123816490e-01
    r = r - n * 1.90821492927058770002e-10
    p = 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * np.int64((np.int64(np.int32(n)) + np.int64(1023)) << np.int64(52)).view(np.float64)


@njit(cache=True, nogil=True, fastmath=SUMS)
def _sum(a, i):
    total = 0.0
    for p in range(a.shape[1]):
        total += a[i, p]
    return total


@njit(cache=True, nogil=True, fastmath=SUMS)
def _dot(a, i, b, j):
    total = 0.0
    for p in range(a.shape[1]):
        total += a[i, p] * b[j, p]
    return total


@njit(cache=True, nogil=True)
def _distances(x, centres, c, out, row):
    """Squared distances of the points x (d, n) to centre c, into row `row` of `out`."""
    d, n = x.shape
    for p in range(n):
        out[row, p] = (x[0, p] - centres[c, 0]) ** 2
    for i in range(1, d):
        for p in range(n):
            out[row, p] += (x[i, p] - centres[c, i]) ** 2


@njit(cache=True, nogil=True)
def _first_at_least(values, least):
    """The index of the first of the increasing `values` that is not below `least`; the last one if none is."""
    low, high = 0, values.size - 1
    while low < high:
        middle = (low + high) // 2
        if values[middle] < least:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _place(x, point, centres, c):
    """Make a point of x (d, n) centre c."""
    for i in range(x.shape[0]):
        centres[c, i] = x[i, point]


@njit(cache=True, nogil=True)
def plus_plus(x: np.ndarray, uniforms: np.ndarray, centres: np.ndarray) -> None:
    """Greedy k-means++: of several candidates, drawn by squared distance, keep the one that lowers it most."""
    d, n = x.shape
    k, trials = uniforms.shape
    closest, new, best = np.empty((1, n)), np.empty((1, n)), np.empty((1, n))
    _place(x, min(int(uniforms[0, 0] * n), n - 1), centres, 0)
    _distances(x, centres, 0, closest, 0)
    total = _sum(closest, 0)
    cumulative = np.empty(n)
    for c in range(1, k):
        running = 0.0
        for p in range(n):
            running += closest[0, p]
            cumulative[p] = running
        lowest = np.inf
        chosen = 0
        for t in range(trials):
            candidate = _first_at_least(cumulative, uniforms[c, t] * total)
            _place(x, candidate, centres, c)
            _distances(x, centres, c, new, 0)
            for p in range(n):
                new[0, p] = min(new[0, p], closest[0, p])
            reached = _sum(new, 0)
            if reached < lowest:
                lowest, chosen = reached, candidate
                for p in range(n):
                    best[0, p] = new[0, p]
        _place(x, chosen, centres, c)
        for p in range(n):
            closest[0, p] = best[0, p]
        total = lowest


@njit(cache=True, nogil=True)
def lloyd(x: np.ndarray, centres: np.ndarray, labels: np.ndarray, max_iter: int) -> None:
    """Lloyd's iterations until no label changes or centres move little; an empty one takes the farthest point."""
    d, n = x.shape
    k = len(centres)
    distance, nearest = np.empty((1, n)), np.empty(n)
    best, old = np.empty(n, np.int64), np.empty((k, d))
    size = np.empty(k)
    little = 0.0
    for i in range(d):
        little += 1e-4 * _dot(x, i, x, i) / n / d
    for step in range(max_iter):
        for p in range(n):
            nearest[p] = np.inf
        for c in range(k):
            _distances(x, centres, c, distance, 0)
            for p in range(n):
                closer = distance[0, p] < nearest[p]
                nearest[p] = distance[0, p] if closer else nearest[p]
                best[p] = c if closer else best[p]
        changed = 0
        for p in range(n):
            changed += best[p] != labels[p]
            labels[p] = best[p]
        if changed == 0 and step > 0:
            return
        for c in range(k):
            size[c] = 0.0
            for i in range(d):
                old[c, i] = centres[c, i]
                centres[c, i] = 0.0
        for p in range(n):
            size[best[p]] += 1
            for i in range(d):
                centres[best[p], i] += x[i, p]
        for c in range(k):
            if size[c] == 0:
                far = 0
                for p in range(1, n):
                    far = p if nearest[p] > nearest[far] else far
                nearest[far] = 0.0
                _place(x, far, centres, c)
            else:
                for i in range(d):
                    centres[c, i] /= size[c]
        moved, empty = 0.0, 0
        for c in range(k):
            empty += size[c] == 0
            for i in range(d):
                moved += (centres[c, i] - old[c, i]) ** 2
        if moved <= little and empty == 0:
            break
    for p in range(n):  # the labels of the last centres
        nearest[p] = np.inf
    for c in range(k):
        _distances(x, centres, c, distance, 0)
        for p in range(n):
            if distance[0, p] < nearest[p]:
                nearest[p], labels[p] = distance[0, p], c


@njit(cache=True, nogil=True)
def cholesky(covariance: np.ndarray, floor: float, lower: np.ndarray) -> float:
    """Cholesky factor of one matrix (d, d) into `lower`; squared pivots are at least `floor`.

    Returns half the log-determinant.
    """
    d = len(covariance)
    half = 0.0
    for j in range(d):
        pivot = covariance[j, j]
        for m in range(j):
            pivot -= lower[j, m] ** 2
        pivot = np.sqrt(max(pivot, floor))
        half += np.log(pivot)
        lower[j, j] = pivot
        for i in range(j + 1, d):
            total = covariance[i, j]
            for m in range(j):
                total -= lower[i, m] * lower[j, m]
            lower[i, j] = total / pivot
            lower[j, i] = 0.0
    return half


@njit(cache=True, nogil=True)
def log_joint(
    x: np.ndarray, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, floor: float, out: np.ndarray
) -> None:
    """`log w_c + log N(x; m_c, S_c)` in nats for the points x (d, n), into `out` (k, n)."""
    d, n = x.shape
    lower, y = np.empty((d, d)), np.empty((d, n))
    for c in range(len(weights)):
        half = cholesky(covariances[c], floor, lower)
        constant = np.log(max(weights[c], 1e-300)) - 0.5 * d * LOG_2PI - half
        for p in range(n):
            out[c, p] = 0.0
        for i in range(d):
            scale = 1.0 / lower[i, i]
            for p in range(n):
                y[i, p] = x[i, p] - means[c, i]
            for j in range(i):
                factor = lower[i, j]
                for p in range(n):
                    y[i, p] -= factor * y[j, p]
            for p in range(n):
                y[i, p] *= scale
                out[c, p] += y[i, p] * y[i, p]
        for p in range(n):
            out[c, p] = constant - 0.5 * out[c, p]


@njit(cache=True, nogil=True)
def log_density(
    x: np.ndarray,
    weights: np.ndarray,
    means: np.ndarray,
    covariances: np.ndarray,
    joint: np.ndarray,
    largest: np.ndarray,
    out: np.ndarray,
) -> None:
    """Log density of the points x (d, n) into `out` (n,); `joint` (k, n) and `largest` (n,) are scratch."""
    log_joint(x, weights, means, covariances, 1e-300, joint)
    for p in range(out.size):
        largest[p], out[p] = joint[0, p], 0.0
    for c in range(1, len(weights)):
        for p in range(out.size):
            largest[p] = joint[c, p] if joint[c, p] > largest[p] else largest[p]
    for c in range(len(weights)):
        for p in range(out.size):
            out[p] += exp(joint[c, p] - largest[p])
    for p in range(out.size):
        out[p] = largest[p] + np.log(out[p])


@njit(cache=True, nogil=True)
def _expect(x, weights, means, covariances, floor, resp):
    """The responsibilities into `resp` (k, n); the mean log-likelihood of the points, in nats."""
    n = x.shape[1]
    k = len(weights)
    log_joint(x, weights, means, covariances, floor, resp)
    largest, total = np.empty(n), np.zeros(n)
    for p in range(n):
        largest[p] = resp[0, p]
    for c in range(1, k):
        for p in range(n):
            largest[p] = resp[c, p] if resp[c, p] > largest[p] else largest[p]
    for c in range(k):
        for p in range(n):
            below = resp[c, p] - largest[p]
            e = exp(below) if below > -300.0 else 0.0  # smaller numbers would underflow later, and be slow
            resp[c, p] = e
            total[p] += e
    likelihood = 0.0
    product = 1.0
    for p in range(n):  # the log of a product of up to 64 numbers in 1..k
        likelihood += largest[p]
        product *= total[p]
        if p % 64 == 63:
            likelihood += np.log(product)
            product = 1.0
        total[p] = 1.0 / total[p]
    for c in range(k):
        for p in range(n):
            resp[c, p] *= total[p]
    return (likelihood + np.log(product)) / n


@njit(cache=True, nogil=True)
def _maximize(x, resp, reg, weights, means, covariances, y):
    """Weights, means, covariances from responsibilities; a component without any keeps its mean and covariance."""
    d, n = x.shape
    for c in range(len(weights)):
        held = _sum(resp, c) + 10 * EPS
        weights[c] = held
        if held < 1e-12:
            continue
        for i in range(d):
            means[c, i] = _dot(resp, c, x, i) / held
            for p in range(n):
                y[i, p] = x[i, p] - means[c, i]
        for i in range(d):
            for p in range(n):
                y[d, p] = resp[c, p] * y[i, p]
            for j in range(i + 1):
                value = _dot(y, d, y, j) / held
                covariances[c, i, j] = value
                covariances[c, j, i] = value
            covariances[c, i, i] += reg
    total = 0.0
    for c in range(len(weights)):
        total += weights[c]
    for c in range(len(weights)):
        weights[c] /= total


@njit(cache=True, nogil=True)
def best_of(
    x: np.ndarray,
    starts: np.ndarray,
    uniforms: np.ndarray,
    tol: float,
    max_iter: int,
    reg: float,
    weights: np.ndarray,
    means: np.ndarray,
    covariances: np.ndarray,
    report: np.ndarray,
) -> None:
    """EM from every start; the best goes into the last four arguments, as in `gmm_em.Fit`."""
    d, n = x.shape
    k = len(weights)
    resp, y = np.empty((k, n)), np.empty((d + 1, n))
    w, m, s = np.empty(k), np.empty((k, d)), np.empty((k, d, d))
    labels = np.empty(n, np.int64)
    report[0] = -np.inf
    for start in range(len(starts)):
        for p in range(n):
            labels[p] = max(starts[start, p], 0)
        if starts[start, 0] < 0:
            plus_plus(x, uniforms[start], m)
            lloyd(x, m, labels, 300)
        for c in range(k):
            for p in range(n):
                resp[c, p] = labels[p] == c
            for i in range(d):
                m[c, i] = 0.0  # the centre of the points: where a component stays that starts without any
                for j in range(d):
                    s[c, i, j] = _dot(x, i, x, j) / n + (reg if i == j else 0.0)
        _maximize(x, resp, reg, w, m, s, y)
        before, steps, converged = -np.inf, 0, False
        while steps < max_iter and not converged:
            now = _expect(x, w, m, s, reg, resp)
            _maximize(x, resp, reg, w, m, s, y)
            converged = abs(now - before) < tol
            before = now
            steps += 1
        reached = _expect(x, w, m, s, reg, resp)
        if reached > report[0]:
            report[0], report[1], report[2], report[3] = reached, steps, converged, 0.0
            for c in range(k):
                report[3] += w[c] * n < 0.5
                weights[c] = w[c]
                for i in range(d):
                    means[c, i] = m[c, i]
                    for j in range(d):
                        covariances[c, i, j] = s[c, i, j]
