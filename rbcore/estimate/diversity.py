"""How varied one sample is: Vendi score, distinct n-grams, and differential entropy by nearest neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats
from scipy.linalg import lapack
from scipy.spatial import KDTree

from rbcore.estimate import kernel as kernels
from rbcore.estimate.base import Estimate, sample
from rbcore.estimate.information import half_sampled
from rbcore.estimate.ngram import tokenize as tokens

GROUPS = 20  # that a jackknife leaves out in turn
MANY = 50  # rows for each effectively different one, from which on the infinitesimal jackknife is near
HALVES = 40  # random orders behind a half-sample interval
ROUNDS = 10  # random orders over which a size-matched value is averaged
APART = 8  # disjoint subsets from which on their spread gives the interval
GRAM = 1000  # rows up to which a kernel matrix is decomposed


# --- Vendi ------------------------------------------------------------------------------------------------------


def _renyi(p: np.ndarray, q: float) -> tuple[float, np.ndarray]:
    """The Renyi entropy of order `q` of `p`, and its derivative by a growth of each p (the rest unchanged)."""
    if q == 1:
        logs = np.log(p)
        return -float(p @ logs), -logs
    if math.isinf(q):
        return -math.log(p.max()), np.where(p == p.max(), -1 / p, 0.0)
    powers = p**q
    return math.log(powers.sum()) / (1 - q), q / (1 - q) * powers / p / powers.sum()


def _spectrum(rows: np.ndarray, q: float) -> tuple[float, float]:
    """The entropy of ``rows @ rows.T / n`` for n rows of length 1, and its standard error.

    The error is the infinitesimal jackknife's: how the entropy answers to a growth of the weight of each row.
    """
    n, d = rows.shape
    if n <= d:
        values, vectors = np.linalg.eigh(rows @ rows.T / n)
        weights = n * values.clip(0) * np.square(vectors)
    else:
        values, vectors = np.linalg.eigh(rows.T @ rows / n)
        weights = np.square(rows @ vectors)
    kept = values > 1e-12
    entropy, slope = _renyi(values[kept] / values[kept].sum(), q)
    return entropy, float((weights[:, kept] @ slope).std(ddof=1)) / math.sqrt(n)


def _root(gram: np.ndarray) -> np.ndarray:
    """Rows, (n, rank), whose inner products are `gram` to 1e-6, by a Cholesky factorization with pivots."""
    factor, pivots, rank, _ = lapack.dpstrf(gram, tol=1e-6, lower=1)  # ty: ignore[missing-attribute]  # compiled
    out = np.empty((len(gram), rank))
    out[pivots - 1] = np.tril(factor)[:, :rank]
    return out


def vendi(
    x: ArrayLike,
    q: float = 1,
    kernel: Literal["cosine", "gaussian"] = "cosine",
    *,
    rng: np.random.Generator,
    at: int | None = None,
    width: float | None = None,
    level: float = 0.95,
) -> Estimate:
    """The Vendi score (Friedman and Dieng 2023): an effective number of different rows, between 1 and n.

    It is the exponential of the entropy of the eigenvalues of K / n, where K holds the similarities of the rows.
    It grows with n: compare two samples at the same `at`.  The interval is for the expected score of a sample of
    that
    size: by the spread of disjoint subsets where there are APART of them, else by a jackknife, over
    groups of rows if the score is more than a small part of n.

    Args:
        x: shape (n, d).
        q: order of the Renyi entropy; 1 is Shannon's, ``math.inf`` looks at the largest eigenvalue only.
        kernel: ``"cosine"`` needs memory d^2 at most; ``"gaussian"`` decomposes a matrix of `at` rows.
        at: size of the subsets whose mean score is taken; all rows by default (GRAM at most for ``"gaussian"``).
        width: bandwidth of the Gaussian kernel; the median distance by default.  Give it to compare two samples.

    Raises:
        ValueError: as :func:`rbcore.estimate.base.sample`; for `at` outside 2 to n, `q` not positive, an unknown
            kernel, a width that is not positive, or a row of zeros with ``"cosine"``.
    """
    x = sample("x", x, 4)
    n, d = x.shape
    if kernel not in ("cosine", "gaussian"):
        raise ValueError(f"kernel must be 'cosine' or 'gaussian', got {kernel!r}")
    if not q > 0:
        raise ValueError(f"the order q must be positive, got {q}")
    at = (n if kernel == "cosine" else min(n, GRAM)) if at is None else at
    if not 2 <= at <= n:
        raise ValueError(f"at must be between 2 and the {n} rows, got {at}")
    warnings = []
    if kernel == "cosine":
        lengths = np.linalg.norm(x, axis=1, keepdims=True)
        if not lengths.all():
            raise ValueError(f"{int((lengths == 0).sum())} rows are zero and have no direction: remove them")
        x = x / lengths

        def score(rows: np.ndarray) -> tuple[float, float]:
            return _spectrum(x[rows], q)
    else:
        x = x - x.mean(axis=0)
        if width is None:
            width = kernels.bandwidth(x, rng) or 1.0
        if not width > 0:
            raise ValueError(f"width must be positive, got {width}")

        def score(rows: np.ndarray) -> tuple[float, float]:
            return _spectrum(_root(kernels.gaussian(x[rows], x[rows], width)), q)

    value, error, freedom = _at_size(score, n, at, rng, GRAM if kernel == "gaussian" else n)
    if value > at / 2:
        warnings.append(f"{at} rows are nearly all different: the score measures their number")
    half = float(stats.t.isf((1 - level) / 2, freedom)) * error
    ci = max(1.0, value - half), min(float(at), value + half)
    return Estimate("vendi", value, ci, at, d, "", level, warning="; ".join(warnings))


def _at_size(
    score: Callable[[np.ndarray], tuple[float, float]], n: int, at: int, rng: np.random.Generator, largest: int
) -> tuple[float, float, int]:
    """The mean score of subsets of `at` of `n` rows, its standard error and degrees of freedom."""
    apart = n // at
    rounds = 1 if at == n else max(1, ROUNDS // apart)
    parts = [part for _ in range(rounds) for part in rng.permutation(n)[: apart * at].reshape(apart, at)]
    found = [score(part) for part in parts]
    scores = np.exp([entropy for entropy, _ in found]).reshape(rounds, apart)
    value = float(scores.mean())
    if apart >= APART:
        return value, float(np.sqrt(scores.var(axis=1, ddof=1).mean() / apart)), apart - 1
    rows = rng.permutation(n)[: max(at, min(n, largest))]
    entropy, error = found[0] if at == n else score(rows)
    if math.exp(entropy) > len(rows) / MANY:
        groups = np.array_split(rows, min(GROUPS, len(rows)))
        logs = [score(np.setdiff1d(rows, group, assume_unique=True))[0] for group in groups]
        return value, value * jackknife_error(np.array(logs)) * math.sqrt(len(rows) / n), len(groups) - 1
    return value, value * error * math.sqrt(len(rows) / n), len(rows) - 1


def jackknife_error(without: np.ndarray) -> float:
    """The standard error of a statistic from its values without each group in turn (Efron and Stein 1981)."""
    return math.sqrt((len(without) - 1) * float(np.var(without)))


# --- distinct n-grams -------------------------------------------------------------------------------------------


def _grams(texts: Sequence[str], n: int) -> tuple[np.ndarray, np.ndarray]:
    """For each token of all texts the number of the n-gram that starts there, or -1, and the texts' lengths."""
    seen: dict[tuple[str, ...], int] = {}
    starts, lengths = [], []
    for text in texts:
        words = tokens(text)
        grams = [seen.setdefault(gram, len(seen)) for gram in zip(*(words[i:] for i in range(n)), strict=False)]
        starts += grams + [-1] * (len(words) - len(grams))
        lengths.append(len(words))
    return np.array(starts, dtype=np.int64), np.array(lengths, dtype=np.int64)


def _ratio(starts: np.ndarray) -> float:
    """Distinct n-grams over n-grams; NaN where there are none."""
    real = starts[starts >= 0]
    return len(np.unique(real)) / len(real) if len(real) else math.nan


def distinct_n(
    texts: Sequence[str], n: int = 1, at: int | None = None, *, rng: np.random.Generator, level: float = 0.95
) -> Estimate:
    """Distinct-n (Li et al. 2016): distinct n-grams over all n-grams, of `at` tokens of texts in random order.

    It falls with the number of tokens: compare two samples at the same `at`.  N-grams do not cross texts.  The
    interval is for the expected ratio at that size: by the spread of disjoint pieces where there are APART of
    them, else by a jackknife over groups of texts.  A bootstrap would repeat texts and so find too few distinct
        n-grams.

    Args:
        texts: one string a record.
        at: tokens; all by default.

    Raises:
        ValueError: for `n` below 1, fewer than 4 texts with an n-gram, or `at` below n or above
            the number of tokens.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    starts, lengths = _grams(texts, n)
    total = int(lengths.sum())
    if int((lengths >= n).sum()) < 4:
        raise ValueError(f"at least 4 texts of {n} tokens or more are needed, got {int((lengths >= n).sum())}")
    at = total if at is None else at
    if not n <= at <= total:
        raise ValueError(f"at must be between {n} and the {total} tokens, got {at}")
    offsets = np.cumsum(lengths) - lengths

    def stream(order: np.ndarray) -> np.ndarray:
        """The n-grams of texts in this order, one after the other."""
        sizes = lengths[order]
        return starts[np.arange(sizes.sum()) + np.repeat(offsets[order] - np.cumsum(sizes) + sizes, sizes)]

    def orders() -> np.ndarray:
        return stream(rng.permutation(len(lengths)))

    apart = total // at
    if apart >= APART:
        found = np.array(
            [[_ratio(part) for part in orders()[: apart * at].reshape(apart, at)] for _ in range(ROUNDS)]
        )
        value, error = float(np.nanmean(found)), float(np.sqrt(np.nanvar(found, axis=1, ddof=1).mean() / apart))
        freedom = apart - 1
    else:
        value = (
            _ratio(starts) if at == total else float(np.nanmean([_ratio(orders()[:at]) for _ in range(ROUNDS)]))
        )
        groups = np.array_split(rng.permutation(len(lengths)), min(GROUPS, len(lengths)))
        least = total - max(int(lengths[group].sum()) for group in groups)
        logs = [
            math.log(_ratio(stream(rng.permutation(np.setdiff1d(np.arange(len(lengths)), group)))[:least]))
            for group in groups
        ]
        error, freedom = value * jackknife_error(np.array(logs)), len(groups) - 1
    half = float(stats.t.isf((1 - level) / 2, freedom)) * error
    ci = max(0.0, value - half), min(1.0, value + half)
    warnings = [f"{len(lengths)} texts are too few for the interval"] if len(lengths) < 20 else []
    if value > 0.99:
        warnings.append(f"hardly any n-gram of {at} tokens repeats: take more tokens or a smaller n")
    return Estimate(f"distinct-{n}", value, ci, len(lengths), 1, "", level, warning="; ".join(warnings))


# --- entropy ----------------------------------------------------------------------------------------------------


def nn_entropy(
    x: ArrayLike, k: int = 3, level: float = 0.95, norm: Literal["euclid", "max"] = "euclid"
) -> Estimate:
    """Differential entropy in nats by the distance to the k-th neighbour (Kozachenko and Leonenko 1987).

    With ``psi`` the digamma function and c the volume of the unit ball it is the mean over rows of
    ``psi(n) - psi(k) + log c + d log distance``.  Columns are standardized first, which only shifts it.

    Args:
        x: shape (n, d), from a law with a density.
        norm: the norm of the distances.

    Raises:
        ValueError: as :func:`rbcore.estimate.base.sample`, unless ``1 <= k < n / 4``, or for an unknown norm.
    """
    x = sample("x", x, 8)
    n, d = x.shape
    if norm not in ("euclid", "max"):
        raise ValueError(f"norm must be 'euclid' or 'max', got {norm!r}")
    if not 1 <= k < n / 4:
        raise ValueError(f"k must be at least 1 and below a quarter of the {n} rows, got {k}")
    x = x - x.mean(axis=0)
    spread = x.std(axis=0)
    if not spread.all():
        why = "a column is constant: there is no density"
        return Estimate("nn-entropy", -math.inf, (-math.inf, math.inf), n, d, "nats", level, warning=why)
    x = x / spread
    volume = d * math.log(2) if norm == "max" else d / 2 * math.log(math.pi) - special.gammaln(d / 2 + 1)

    def entropy(rows: np.ndarray) -> float:
        z = x[rows]
        distance = KDTree(z).query(z, [k + 1], p=2 if norm == "euclid" else np.inf)[0][:, 0]
        positive = distance[distance > 0]
        logs = np.log(positive).mean() if len(positive) else -math.inf
        return float(special.psi(len(z)) - special.psi(k) + volume + d * logs)

    warnings = []
    if d > math.log2(n) - 3:
        warnings.append(f"{n} rows are too few for {d} dimensions: the density varies within the distances")
    repeated = 1 - len(np.unique(x, axis=0)) / n
    if repeated > 0:
        warnings.append(f"{repeated:.1%} of the rows repeat others: the data must be continuous")
    if entropy(np.arange(n)) == -math.inf:
        why = "; ".join([*warnings, "no row has its own place"])
        return Estimate("nn-entropy", -math.inf, (-math.inf, math.inf), n, d, "nats", level, warning=why)
    value, half, why = half_sampled(entropy, n, level)
    value += float(np.log(spread).sum())
    warning = "; ".join(filter(None, [*warnings, why]))
    return Estimate("nn-entropy", value, (value - half, value + half), n, d, "nats", level, warning=warning)
