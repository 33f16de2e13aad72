"""How far a training risk misleads, exactly: finite outcomes, finite models, and samples enumerated by their type.

A learner turns a sample `S = (Z_1, .., Z_n)` into a model `W`.  If the order of the readings tells it nothing, all
that matters is the *type* of the sample, how often each of the k outcomes occurs, and there are only
C(n + k - 1, n) types.  So expectations over samples are finite sums.  Everything the expected gap and its
information bounds need is kept in :class:`Learned`: the joint pmf of one reading and the model, and `H(W|S)`.

    learned = learn([0.5, 0.5], erm(1 - np.eye(2)), n=10)
    learned.gap(1 - np.eye(2)) <= xu_raginsky(learned.information, n=10)

Outcomes come first in laws (k,), models first in losses (k_w, k), as `l(w, z)`; the batch is the last axis.
Information is in nats, losses have any unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from rbcore.information.finite import PmfError, entropy

Learner = Callable[[np.ndarray], np.ndarray]  # counts (T, k) to P(w | counts), (T, k_w) or (T, k_w, B)

MOST_TYPES = 3_000_000  # beyond this an enumeration would take minutes
_ROWS = 1 << 15  # types worked on at a time, which bounds the memory
_TIE = 1e-9  # training risks closer than this are equal, and so are informations
_NEVER = -1e6  # the logarithm of a probability that is zero: its exponential is zero, and zero times it is zero


class Types(NamedTuple):
    """All types of samples: how often each outcome occurs, (T, k), and the log of the number of orders, (T,)."""

    counts: np.ndarray
    log_orders: np.ndarray


class Largest(NamedTuple):
    """A model that announces the largest reading: expected gap, `I(S;W)` and `I(W;Z_i)` in nats."""

    gap: float
    information: float
    individual: float


class SharedPrompt(NamedTuple):
    """A learner whose readings all answer one prompt; each a number, information in nats.

    gap: `E[R_mu(W) - R_S(W)]` for the law `mu` of a reading over all prompts.  own: `E|g(p)|`, where `g(q)` is the
    expected gap given the prompt q, against the law of its own readings.  information: `I(S;W)`.  inside:
    `I(S;W|p)`.  about: `I(p;W)`.  individual: `I(W;Z_i)` over all prompts.
    """

    gap: float
    own: float
    information: float
    inside: float
    about: float
    individual: float


class Learned(NamedTuple):
    """What the expected gap of a learner depends on.

    pair: joint pmf of one reading and the model, `P(Z_i = z, W = w)`, averaged over `i`; shape (k, k_w[, B]).
    uncertainty: `H(W | S)` in nats, shape () or (B,).
    """

    pair: np.ndarray
    uncertainty: np.ndarray

    @property
    def models(self) -> np.ndarray:
        """The law of `W`, shape (k_w[, B])."""
        return self.pair.sum(axis=0)

    @property
    def law(self) -> np.ndarray:
        """The law of one reading, shape (k[, B])."""
        return self.pair.sum(axis=1)

    @property
    def information(self) -> np.ndarray:
        """`I(S;W) = H(W) - H(W|S)` in nats, shape () or (B,)."""
        return np.maximum(_entropy(self.models) - self.uncertainty, 0)

    @property
    def individual(self) -> np.ndarray:
        """`I(W;Z_i)` in nats, shape () or (B,): the same for every `i` if the learner does not see the order."""
        cells = self.pair.reshape(-1, *self.pair.shape[2:])
        return np.maximum(_entropy(self.models) + _entropy(self.law) - _entropy(cells), 0)

    @property
    def paired(self) -> np.ndarray:
        """`I(U_i;W|V_i)` in nats, shape () or (B,), for a pair `V_i` and the bit `U_i` that selects one reading.

        Given the pair, the model is a fair mixture of two laws: this is an average of Jensen-Shannon divergences.
        The readings must be i.i.d., and the learner must not see their order.
        """
        law = self.law
        channel = self.pair / np.where(law > 0, law, 1)[:, None]  # P(W = w | Z_i = z)
        apart = np.zeros(law.shape[1:])
        for z, other in zip(*np.triu_indices(len(law), 1), strict=True):
            two = channel[[z, other]].swapaxes(0, 1)  # (k_w, 2[, B])
            apart += 2 * law[z] * law[other] * (_entropy(two.mean(axis=1)) - _entropy(two).mean(axis=0))
        return np.maximum(apart, 0)

    def training_risk(self, losses: ArrayLike) -> np.ndarray:
        """`E[R_S(W)]` for losses (k_w, k[, B])."""
        return np.einsum("zw...,wz...->...", self.pair, np.asarray(losses, dtype=float))

    def risk(self, losses: ArrayLike, law: ArrayLike | None = None) -> np.ndarray:
        """`E[R_mu(W)]` for losses (k_w, k[, B]), under `law` (k[, B]) or, by default, the readings' own law."""
        law = self.law if law is None else np.asarray(law, dtype=float)
        return np.einsum("w...,wz...,z...->...", self.models, np.asarray(losses, dtype=float), law)

    def gap(self, losses: ArrayLike, law: ArrayLike | None = None) -> np.ndarray:
        """The expected gap with its sign, `E[R_mu(W) - R_S(W)]`."""
        return self.risk(losses, law) - self.training_risk(losses)

    def mix(self, weights: ArrayLike) -> Learned:
        """The batch as one mixture: a member is drawn with `weights` (B,), then all n readings come from its law.

        The learner must be the same function of the sample in the whole batch.  Then `H(W|S)` of the mixture is
        the average, whether or not the sample gives away which member was drawn.
        """
        weights = np.asarray(weights, dtype=float)
        if weights.shape != self.pair.shape[2:]:
            raise PmfError(f"weights is a pmf over the batch of shape {self.pair.shape[2:]}, got {weights.shape}")
        return Learned(self.pair @ weights, self.uncertainty @ weights)


def types(k: int, n: int) -> Types:
    """All C(n + k - 1, n) types of samples of `n` readings with `k` outcomes.

    Raises:
        ValueError: for fewer than one outcome or reading, or for more than `MOST_TYPES` types.
    """
    if k < 1 or n < 1:
        raise ValueError(f"types need at least one outcome and one reading, got k={k}, n={n}")
    if (size := math.comb(n + k - 1, n)) > MOST_TYPES:
        raise ValueError(f"{n} readings of {k} outcomes have {size:,} types: too many, lower n or k")
    counts, rest = np.zeros((1, 0), dtype=np.int64), np.array([n])
    for _ in range(k - 1):
        rows = np.repeat(np.arange(len(rest)), rest + 1)
        first = np.repeat(np.cumsum(rest + 1) - (rest + 1), rest + 1)
        column = np.arange(len(rows)) - first
        counts, rest = np.column_stack([counts[rows], column]), rest[rows] - column
    counts = np.column_stack([counts, rest])
    return Types(counts, gammaln(n + 1) - gammaln(counts + 1).sum(axis=1))


def type_pmf(kinds: Types, law: ArrayLike) -> np.ndarray:
    """The multinomial probability of each type of i.i.d. readings from `law` (k[, B]); shape (T[, B])."""
    law = np.asarray(law, dtype=float)
    logs = np.log(law, out=np.full(law.shape, _NEVER), where=law > 0)
    pmf = kinds.counts.astype(float) @ logs.reshape(len(law), -1)
    pmf += kinds.log_orders[:, None]
    return np.exp(pmf, out=pmf).reshape(-1, *law.shape[1:])


def training_risks(counts: np.ndarray, losses: ArrayLike) -> np.ndarray:
    """The training risk of each model on each type, shape (T, k_w[, B]), for losses (k_w, k[, B])."""
    return np.einsum(
        "tz,wz...->tw...", counts / counts.sum(axis=1, keepdims=True), np.asarray(losses, dtype=float)
    )


def gibbs(losses: ArrayLike, learning: float) -> Learner:
    """The Gibbs learner: `P(w | s)` proportional to `exp(-learning * R_s(w))`, `R_s` the training risk (a mean).

    With `learning = n * c` it is exp(-c * sum of losses); with n = 1 it is :func:`rbcore.theory.process.learner`.
    """
    if not 0 <= learning < math.inf:
        raise ValueError(f"learning is a finite inverse temperature, at least 0, got {learning}")

    def learner(counts: np.ndarray) -> np.ndarray:
        risks = training_risks(counts, losses)
        weight = np.exp(-learning * (risks - risks.min(axis=1, keepdims=True)))
        return weight / weight.sum(axis=1, keepdims=True)

    return learner


def erm(losses: ArrayLike) -> Learner:
    """Empirical risk minimization: a model of smallest training risk; ties are broken by a fair draw."""

    def learner(counts: np.ndarray) -> np.ndarray:
        risks = training_risks(counts, losses)
        best = risks <= risks.min(axis=1, keepdims=True) + _TIE
        return best / best.sum(axis=1, keepdims=True)

    return learner


def tabulated(table: ArrayLike, k: int, n: int) -> Learner:
    """The learner that looks its models up: `table` (T, k_w[, B]) holds `P(w | type)` in their order.

    Raises:
        ValueError: when the table has another number of rows than there are types.
    """
    table, base = np.asarray(table, dtype=float), (n + 1) ** np.arange(k)[::-1]
    keys = types(k, n).counts @ base
    if len(table) != len(keys):
        raise ValueError(f"{n} readings of {k} outcomes have {len(keys)} types, and the table {len(table)} rows")
    order = np.argsort(keys)

    def learner(counts: np.ndarray) -> np.ndarray:
        return table[order[np.searchsorted(keys, counts @ base, sorter=order)]]

    return learner


def learn(law: ArrayLike, learner: Learner, n: int) -> Learned:
    """What `learner` makes of `n` i.i.d. readings from `law` (k,), or from each law of a batch (k, B); exact.

    Laws with the same support share one enumeration of its types, so outcomes that cannot occur cost nothing.

    Raises:
        PmfError: when a law is no pmf.
        ValueError: when there are too many types, see :func:`types`.
    """
    law = np.asarray(law, dtype=float)
    if law.ndim not in (1, 2):
        raise PmfError(f"law has the shape (k,) or (k, batch), got {law.shape}")
    entropy(law)  # raises if it is no pmf
    columns = law.reshape(len(law), -1)
    supports, group = np.unique(columns > 0, axis=1, return_inverse=True)
    parts = []
    for index, support in enumerate(supports.T):
        # one law may serve a learner with a batch of its own
        members = np.flatnonzero(group.ravel() == index) if columns.shape[1] > 1 else slice(None)
        parts.append((members, _learn(columns[:, members], support, members, learner, n)))
    shape = parts[0][1].pair.shape
    size = max(shape[2], columns.shape[1])
    pair, uncertainty = np.empty((*shape[:2], size)), np.empty(size)
    for members, part in parts:
        pair[..., members], uncertainty[members] = part
    single = law.ndim == 1 and pair.shape[2] == 1
    return Learned(pair[..., 0], uncertainty[0]) if single else Learned(pair, uncertainty)


def _learn(laws: np.ndarray, support: np.ndarray, those: np.ndarray | slice, learner: Learner, n: int) -> Learned:
    """:func:`learn` for laws (k, B) on one support."""
    kinds = types(int(support.sum()), n)
    pmf = type_pmf(kinds, laws[support])
    pair = uncertainty = np.zeros(())
    counts = np.zeros((len(kinds.counts), len(support)), dtype=np.int64)
    counts[:, support] = kinds.counts
    for start in range(0, len(counts), _ROWS):
        rows = slice(start, start + _ROWS)
        models = np.asarray(learner(counts[rows]), dtype=float)
        share = (counts[rows] / n)[:, :, None] * pmf[rows, None, :]  # (T, k, B)
        if models.ndim == 2:
            flat = models.T @ share.reshape(len(share), -1)
            pair = pair + flat.reshape(-1, *share.shape[1:]).swapaxes(0, 1)
            uncertainty = uncertainty + _entropy(models.T) @ pmf[rows]
        else:
            models = models if models.shape[2] == 1 else models[..., those]
            pair = pair + np.einsum("tzb,twb->zwb", share, models)
            uncertainty = uncertainty + (_entropy(models.swapaxes(0, 1)) * pmf[rows]).sum(axis=0)
    return Learned(pair, uncertainty)


def shared_prompt(law: ArrayLike, weights: ArrayLike, learner: Learner, losses: ArrayLike, n: int) -> SharedPrompt:
    """One prompt, `n` readings, i.i.d. given it; exact.

    Args:
        law: the law of a reading given each prompt, (k, n_prompts).
        weights: the pmf of the prompt, (n_prompts,).
        losses: (k_w, k), for one learner that sees the sample alone.
    """
    law, weights = np.asarray(law, dtype=float), np.asarray(weights, dtype=float)
    if law.ndim != 2 or weights.shape != law.shape[1:]:
        raise PmfError(
            f"law and weights have shapes (k, prompts) and (prompts,), got {law.shape}, {weights.shape}"
        )
    entropy(weights)  # raises if it is no pmf
    each, weights = learn(law[:, weights > 0], learner, n), weights[weights > 0]
    mixed = each.mix(weights)
    return SharedPrompt(
        gap=float(mixed.gap(losses)),
        own=float(np.abs(each.gap(losses)) @ weights),
        information=float(mixed.information),
        inside=float(each.information @ weights),
        about=float(max(_entropy(mixed.models) - _entropy(each.models) @ weights, 0.0)),
        individual=float(mixed.individual),
    )


def mean_deviation(law: ArrayLike, losses: ArrayLike, learner: Learner, n: int) -> np.ndarray:
    """`E|R_mu(W) - R_S(W)|`, what the expected gap may hide, for `law` (k[, B]) and losses (k_w, k[, B]); exact.

    Shape () or (B,).  The learner sees the types of all k outcomes.
    """
    law, losses = np.asarray(law, dtype=float), np.asarray(losses, dtype=float)
    entropy(law)  # raises if it is no pmf
    kinds = types(len(law), n)
    off = np.abs(np.einsum("wz...,z...->w...", losses, law) - training_risks(kinds.counts, losses))
    return np.einsum("t...,tw...,tw...->...", type_pmf(kinds, law), learner(kinds.counts), off)


def supersample_information(law: ArrayLike, learner: Learner, n: int) -> np.ndarray:
    """The conditional mutual information `I(U;W|Z)` in nats of Steinke and Zakynthinou (2020); exact.

    The supersample `Z` holds n pairs of i.i.d. readings from `law` (k[, B]), and a fair coin `U_i` for each pair
    says which of the two the learner gets.  A cell of the enumeration is a type of n ordered pairs (selected, left
    over), so there are C(n + k^2 - 1, n) of them; forgetting the order within the pairs gives the supersample.
    Shape () or (B,).
    """
    law = np.asarray(law, dtype=float)
    entropy(law)  # raises if it is no pmf
    support = np.flatnonzero((law > 0).reshape(len(law), -1).any(axis=1))
    k, some = len(support), law[support]
    kinds = types(k * k, n)
    pmf = type_pmf(kinds, (some[:, None] * some[None]).reshape(k * k, *law.shape[1:]))
    cells = kinds.counts.reshape(-1, k, k)
    counts = np.zeros((len(cells), len(law)), dtype=np.int64)
    counts[:, support] = cells.sum(axis=2)
    models = np.asarray(learner(counts), dtype=float)
    pmf = pmf.reshape(*pmf.shape, *[1] * (models.ndim - 1 - pmf.ndim))  # a batch of learners, one law
    models = models.reshape(*models.shape, *[1] * (pmf.ndim + 1 - models.ndim))
    pairs = (cells + cells.swapaxes(1, 2))[:, *np.triu_indices(k)]
    _, group = np.unique(pairs, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    start = np.flatnonzero(np.diff(group.ravel()[order], prepend=-1))
    total = np.add.reduceat(pmf[order], start)
    mixed = np.add.reduceat((pmf[:, None] * models)[order], start) / np.where(total > 0, total, 1)[:, None]
    inside = (_entropy(models.swapaxes(0, 1)) * pmf).sum(axis=0)
    return np.maximum((_entropy(mixed.swapaxes(0, 1)) * total).sum(axis=0) - inside, 0)


def largest_reading(marks: int, n: int) -> Largest:
    """The learner `W = max Z_i` on `n` i.i.d. readings, uniform on 1..marks, with the loss `1{z > w}`; exact.

    Time and memory grow with `marks` alone.  The training risk is zero, so the gap is `P(Z > W)`.
    """
    if marks < 1 or n < 1:
        raise ValueError(f"at least one mark and one reading are needed, got marks={marks}, n={n}")
    w = np.arange(1, marks + 1)
    step = np.log1p(-1 / w, out=np.full(marks, _NEVER), where=w > 1)  # log((w - 1) / w)
    new, new_others = -np.expm1(n * step), -np.expm1((n - 1) * step)  # no powers: they underflow for many readings
    law = (w / marks) ** n * new  # of W on 1..marks
    others = (w / marks) ** (n - 1)  # P(the other readings are at most w)
    below, equal = others * new_others / marks, others / marks  # P(Z_1 = z, W = w) for each z < w, and for z = w
    ratio = np.array([new_others, np.ones(marks)]) * marks / (w * new)
    share = (w - 1) * xlogy(below, ratio[0]) + xlogy(equal, ratio[1])
    return Largest(float(law @ (1 - w / marks)), float(_entropy(law)), float(share.sum()))


def largest_reading_supersample(n: int) -> float:
    """`I(U;W|Z) = (2n / (n + 1)) log 2` in nats of `W = max Z_i` for n readings from a continuous law.

    Sort the supersample downwards, and let J be the first rank whose partner came before.  Given the supersample
    the maximum has rank j < J with probability 2^-j and else rank J, which has the entropy 2 (1 - 2^(1-J)) log 2.
    The mean of 2^(1-J) is the probability that the partner of the maximum exceeds it, 1 / (n + 1).
    """
    if n < 1:
        raise ValueError(f"at least one reading is needed, got n={n}")
    return 2 * n / (n + 1) * math.log(2)


def xu_raginsky(information: ArrayLike, n: ArrayLike, sigma: float = 0.5) -> np.ndarray:
    """`sqrt(2 sigma^2 I(S;W) / n)` (Xu and Raginsky 2017); `information` in nats.

    For losses in [0, C], `sigma` = C/2.  With `I(W;Z_i)` and n = 1 it is the bound of Bu, Zou and Veeravalli
    (2020) on the share of one reading.
    """
    return sigma * _root(information, n)


def _psi(gap: np.ndarray) -> np.ndarray:
    """`((1+g)^2 log(1+g) + (1-g)^2 log(1-g) - (1+g^2) log(1+g^2)) / 2` for `g` in [0, 1], any shape."""
    square = gap**2
    series = square * (1 - square / 3 + square**2 / 15 - square**3 / 21)  # where the logarithms would cancel
    lost = xlogy((1 + gap) ** 2, 1 + gap) + xlogy((1 - gap) ** 2, 1 - gap) - xlogy(1 + square, 1 + square)
    return np.where(gap < 0.02, series, lost / 2)


@lru_cache(maxsize=1)
def _leaving() -> tuple[float, float]:
    """Where the lower convex envelope of `_psi` leaves it for a line to (1, log 2), and the slope of the line."""

    def slope(g: float) -> float:
        return (1 + g) * math.log1p(g) - (1 - g) * math.log1p(-g) - g * math.log1p(g * g)

    low, high = 0.1, 0.9  # the tangents at these two end below and above (1, log 2)
    for _ in range(60):
        middle = (low + high) / 2
        short = float(_psi(np.array(middle))) + (1 - middle) * slope(middle) < math.log(2)
        low, high = (middle, high) if short else (low, middle)
    return low, slope(low)


def supersample_cost(gap: ArrayLike) -> np.ndarray:
    """The least `I(U;W|Z) / n` in nats with which the expected gap is `gap`, for losses in [0, 1] (chapter 3).

    It is the lower convex envelope of `_psi`, from 0 at `gap` = 0 to log 2 at `gap` = 1; any shape.
    """
    gap = np.asarray(gap, dtype=float)
    if (gap < 0).any() or (gap > 1 + _TIE).any():
        raise ValueError(f"a gap lies in [0, 1], got values from {gap.min()} to {gap.max()}")
    gap = np.minimum(gap, 1)
    leaving, slope = _leaving()
    return np.where(gap > leaving, math.log(2) - slope * (1 - gap), _psi(gap))


def cost_leaves() -> float:
    """The gap, near 0.60, from which :func:`supersample_cost` is a straight line."""
    return _leaving()[0]


def supersample_bound(information: ArrayLike, n: ArrayLike, scale: float = 1.0) -> np.ndarray:
    """The largest expected gap with `I(U;W|Z)` = `information` (nats), for losses in [0, C], `scale` = C.

    It is C times the inverse of :func:`supersample_cost` at `information / n`, found by halving, so at most C
    (this book, chapter 3).  With the `paired` information of one pair and n = 1 it bounds one reading's share.
    """
    leaving, slope = _leaving()
    each = np.minimum(_root(information, n) ** 2 / 2, math.log(2))
    low, high = np.zeros(each.shape), np.full(each.shape, leaving)
    for _ in range(60):
        middle = (low + high) / 2
        short = _psi(middle) < each
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    straight = 1 - (math.log(2) - each) / slope
    return scale * np.where(straight > leaving, straight, high)


def name_a_bit(
    right: float, risk: float, bits: int, n: int, draws: int, rng: Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Gap and `I(U;W|Z)` (nats) given each of `draws` supersamples, when a model is one of many bits of a reading.

    A reading is `bits` independent bits, each one with probability `risk`, and the loss of model j is bit j.  With
    the weights `right / (1 - risk)` for a zero and `(1 - right) / risk` for a one, the learner takes j with a
    probability proportional to the product of the weights of bit j in its n readings.  All 2^n selections are
    enumerated, so the only randomness is that of the supersample.  As `bits` grows the gap tends to
    `risk + right - 1`, and with `right = risk` the information to `n * supersample_cost` of it, up to where the
    cost turns straight.

    Returns:
        Two arrays (draws,): the mean loss on the readings left over minus that on the selected ones, whose
        expectation is the expected gap, and the information.

    Raises:
        ValueError: for probabilities at the ends of their range, and counts below one.
    """
    if not (0 < right < 1 and 0 < risk < 1) or min(bits, n, draws) < 1:
        raise ValueError(f"two probabilities inside (0, 1) and three counts, got {(right, risk, bits, n, draws)}")
    selections = (np.arange(2**n)[:, None] >> np.arange(n)) % 2  # (2^n, n)
    log_weight = np.log([right / (1 - risk), (1 - right) / risk])
    gaps, informations = np.empty(draws), np.empty(draws)
    for draw in range(draws):
        pairs = (rng.random((n, 2, bits)) < risk).astype(np.int64)
        seen = pairs[np.arange(n), selections]  # (2^n, n, bits)
        models = np.exp(log_weight[seen].sum(axis=1))
        models /= models.sum(axis=1, keepdims=True)
        left_over = pairs[np.arange(n), 1 - selections]
        gaps[draw] = (models * (left_over - seen).mean(axis=1)).sum(axis=1).mean()
        informations[draw] = _entropy(models.mean(axis=0)) - _entropy(models.T).mean()
    return gaps, np.maximum(informations, 0)


def steinke_zakynthinou(information: ArrayLike, n: ArrayLike, scale: float = 1.0) -> np.ndarray:
    """`C sqrt(2 I(U;W|Z) / n)` for losses in [0, C], `scale` = C (Steinke and Zakynthinou 2020)."""
    return scale * _root(information, n)


def _root(information: ArrayLike, n: ArrayLike) -> np.ndarray:
    """`sqrt(2 I / n)`, where an information may be negative by rounding and no more."""
    information = np.asarray(information, dtype=float)
    if (information < -_TIE).any():
        raise ValueError(f"information is not negative, got {information.min()}")
    return np.sqrt(2 * np.maximum(information, 0) / np.asarray(n))


def _entropy(p: np.ndarray) -> np.ndarray:
    """Entropy in nats along axis 0, without checks."""
    return -xlogy(p, p).sum(axis=0)
