"""Gaussian kernels for HSIC and MMD: bandwidths, blocks of the kernel matrix, and few features in place of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numba import njit
from scipy import stats

BLOCK_BYTES = 2**25  # of one block of a kernel matrix
LANDMARKS = 200  # of the Nystroem features


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances between the rows of `a` (n, d) and `b` (m, d), shape (n, m)."""
    out = a @ b.T
    out *= -2
    out += np.einsum("ij,ij->i", a, a)[:, None]
    out += np.einsum("ij,ij->i", b, b)
    return np.maximum(out, 0, out=out)


def bandwidth(x: np.ndarray, rng: np.random.Generator, at_most: int = 1000) -> float:
    """The median distance between two different rows of at most `at_most` rows of `x`; 0 when all rows are equal.

    Where more than half of the distances are zero the median of the others is taken.
    """
    rows = x if len(x) <= at_most else x[rng.choice(len(x), at_most, replace=False)]
    squares = squared_distances(rows, rows)[np.triu_indices(len(rows), 1)]
    positive = squares[squares > 1e-12 * max(float(squares.max()), 1e-300)]
    return float(np.sqrt(np.median(positive))) if len(positive) else 0.0


def gaussian(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    """``exp(-|a_i - b_j|^2 / (2 width^2))``, shape (n, m)."""
    out = squared_distances(a, b)
    out *= -0.5 / width**2
    return np.exp(out, out=out)


def slices(rows: int, columns: int) -> Iterator[slice]:
    """Slices of `rows` rows such that one block of `columns` columns takes about BLOCK_BYTES."""
    step = max(1, BLOCK_BYTES // (8 * max(columns, 1)))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def hollow(x: np.ndarray, part: slice, width: float) -> np.ndarray:
    """Rows `part` of the kernel matrix of `x`, its diagonal set to zero."""
    block = gaussian(x[part], x, width)
    block[np.arange(len(block)), np.arange(part.start, part.stop)] = 0
    return block


def features(x: np.ndarray, width: float, rng: np.random.Generator, landmarks: int = LANDMARKS) -> np.ndarray:
    """Nystroem features of shape (n, m), m <= `landmarks`: their inner products come near the kernel.

    The landmarks are random rows (Williams and Seeger 2001).
    """
    chosen = x[rng.choice(len(x), min(landmarks, len(x)), replace=False)]
    values, vectors = np.linalg.eigh(gaussian(chosen, chosen, width))
    kept = values > 1e-8 * values[-1]
    root = vectors[:, kept] / np.sqrt(values[kept])
    out = np.empty((len(x), int(kept.sum())), np.float32)
    for part in slices(len(x), len(chosen)):
        out[part] = gaussian(x[part], chosen, width) @ root
    return out


def spectrum(x: np.ndarray, width: float, rng: np.random.Generator, at_most: int = 500) -> tuple[float, float]:
    """The largest eigenvalue of the kernel's covariance operator and the sum of squares of all, from few rows."""
    rows = x if len(x) <= at_most else x[rng.choice(len(x), at_most, replace=False)]
    gram = gaussian(rows, rows, width)
    gram -= gram.mean(axis=0)
    gram -= gram.mean(axis=1, keepdims=True)
    gram /= len(rows)
    vector = rng.normal(size=len(rows))
    for _ in range(50):  # power iteration
        vector = gram @ vector
        vector /= max(float(np.linalg.norm(vector)), 1e-300)
    return float(vector @ gram @ vector), float(np.square(gram).sum())


def limits(value: float, variance: float, null: float, slope: float, level: float) -> tuple[float, float]:
    """The interval for a squared norm theta in a kernel space, of which `value` is an unbiased estimate.

    The lower limit takes the jackknife `variance`.  Near zero that is small where the value is small, and the
    interval would miss upwards.  So the upper limit is at least the largest theta with ``theta - value <= z
    sqrt(null + slope theta)``: the variance at zero is `null`, and grows at most by `slope` times theta, because
    the variance of a function f is at most the largest eigenvalue of the covariance operator times the squared
    norm of f.  The slope is also taken to be at most `variance` / `value`.
    """
    z = float(stats.norm.isf((1 - level) / 2))
    slope = min(slope, variance / value) if value > 0 else slope
    middle = value + z**2 * slope / 2
    high = middle + z * math.sqrt(max(0.0, null + slope * value + (z * slope) ** 2 / 4))
    half = z * math.sqrt(variance)
    return value - half, max(value + half, high)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def permuted_sum(K: np.ndarray, L: np.ndarray, order: np.ndarray) -> float:
    """The sum over i and j of K[i, j] L[order[i], order[j]], for symmetric matrices with a zero diagonal."""
    total = 0.0
    for i in range(len(K)):
        row, other = K[i], L[order[i]]
        part = 0.0
        for j in range(i):
            part += row[j] * other[order[j]]
        total += part
    return 2 * total
