"""How much a noisy layer forgets: contraction coefficients of channels, and what they do to a generalization gap.

A channel `K` has its inputs on axis 0, its outputs on axis 1 and any batch behind.  Two coefficients say what is
left of a difference of inputs, whatever the two input laws are:

    eta_TV(K) = sup TV(PK, QK) / TV(P, Q)        (Dobrushin 1956)
    eta_KL(K) = sup KL(PK || QK) / KL(P || Q)    (Ahlswede and Gacs 1976)

Both lie in [0, 1], are multiplied along a cascade at most, and satisfy eta_TV^2 <= eta_KL <= eta_TV.
If the second law is known to be `mu`, the smaller `eta_KL(mu, K) = sup KL(PK || mu K) / KL(P || mu)` will do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr, erf

from rbcore.information.finite import Joint, PmfError, Value, check_channel, kl, tv

_HALVINGS = 80  # of the bracket around the best mixing weight
_NEAR = 1e-9  # laws with a smaller divergence are as good as equal: rounding would decide their ratio
_TINY = 1e-280  # a probability below this is none: it would matter for mixing weights below it only


# ---------------------------------------------------------------------------------------------------------------
# Coefficients
# ---------------------------------------------------------------------------------------------------------------


def le_cam(p: ArrayLike, q: ArrayLike, b: ArrayLike = 0.5) -> np.ndarray:
    """The Le Cam divergence `b (1-b) sum (p-q)^2 / (bp + (1-b)q) = 1 - sum pq / (bp + (1-b)q)`, in [0, 1].

    It is concave in `b`, at most TV for every `b`, and at least TV^2 at 1/2.

    Args:
        p, q: pmfs with the outcomes on axis 0, shape (k, ...).
        b: in [0, 1], broadcast against the rest of the shape; the ends are limits.
    """
    return 1 - _overlap(np.asarray(p, dtype=float), np.asarray(q, dtype=float), np.asarray(b, dtype=float))[0]


def _overlap(p: np.ndarray, q: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`sum pq / m` with `m = bp + (1-b)q`, and the slope of `le_cam` in `b`, `sum (pq/m) (p-q)/m`."""
    both = (p > _TINY) & (q > _TINY)
    mixture = np.where(both, b * p + (1 - b) * q, 1.0)
    shared = np.where(both, p / mixture * q, 0.0)
    return shared.sum(axis=0), (shared * ((p - q) / mixture)).sum(axis=0)


def eta_tv(channel: ArrayLike) -> Value:
    """Dobrushin's coefficient: the largest total variation between two rows of `channel` (inputs, outputs, ...).

    Shape of the result: that of the batch.  A channel with one input forgets everything: 0.
    """
    rows = _rows(channel)
    pairs = [tv(rows[i], rows[j]) for i, j in combinations(range(len(rows)), 2)]
    return _plain(np.array(pairs).max(axis=0) if pairs else np.zeros(rows.shape[2:]))


def eta_kl(channel: ArrayLike, tol: float = 1e-12) -> Value:
    """The contraction coefficient of KL divergence, `max over pairs of rows, max over b of le_cam(row, row', b)`.

    Two inputs suffice (Ordentlich and Polyanskiy 2022), and for two inputs it is the coefficient of chi-square
    (Choi, Ruskai and Seneta 1994).  The best `b` is found by halving, all pairs and all models at once, and the
    result is certified: a concave function lies below its tangents.

    Args:
        channel: rows sum to one, shape (inputs, outputs, ...).
        tol: how far below the true coefficient the result may be.

    Raises:
        ArithmeticError: when the tangents do not certify `tol`.
    """
    rows = _rows(channel)
    pairs = list(combinations(range(len(rows)), 2))
    if not pairs:
        return _plain(np.zeros(rows.shape[2:]))
    p, q = (np.stack([rows[pair[side]] for pair in pairs], axis=1) for side in (0, 1))
    return _plain(_largest_le_cam(*(x.reshape(len(x), -1) for x in (p, q)), tol).reshape(p.shape[1:]).max(axis=0))


def _largest_le_cam(p: np.ndarray, q: np.ndarray, tol: float) -> np.ndarray:
    """The supremum over `b` of `le_cam`, to within `tol`, for N pairs of pmfs, (k, N) each; shape (N,)."""
    bracket = np.stack([np.zeros(p.shape[1]), np.ones(p.shape[1])])
    overlap, slope = np.stack([_overlap(p, q, b) for b in bracket], axis=1)
    best = 1 - overlap.min(axis=0)
    todo = np.flatnonzero((slope[0] > 0) & (slope[1] < 0))  # elsewhere an end is best, by concavity
    p, q, bracket, overlap, slope = (x[:, todo] for x in (p, q, bracket, overlap, slope))
    for turn in range(1, _HALVINGS + 1):
        middle = bracket.mean(axis=0)
        here = _overlap(p, q, middle)
        end = np.where(here[1] > 0, 0, 1), np.arange(len(todo))  # the end that moves to the middle
        bracket[end], overlap[end], slope[end] = middle, *here
        if turn % 6 == 0 or turn == _HALVINGS:
            best[todo] = np.maximum(best[todo], 1 - overlap.min(axis=0))
            tangents = 1 - overlap + np.abs(slope) * (bracket[1] - bracket[0])
            still = tangents.min(axis=0) - best[todo] > tol
            todo = todo[still]
            p, q, bracket, overlap, slope = (x[:, still] for x in (p, q, bracket, overlap, slope))
            if not todo.size:
                return np.clip(best, 0, 1)
    raise ArithmeticError(f"the tangents do not certify {len(todo)} pairs of rows to {tol:.1e}")


def weak_ratio(channel: ArrayLike, b: ArrayLike, step: float = 1e-3) -> Value:
    """`KL(PK || QK) / KL(P || Q)` for two nearly equal laws on two inputs, `P = (b + step, ..)`, `Q = (b, ..)`.

    A lower bound on `eta_kl`, from its definition: as `step` goes to zero it tends to the Le Cam divergence.

    Args:
        channel: shape (inputs, outputs, ...).
        b: the probability of the first input under `Q`, shape (m,), each between 0 and 1 - step.

    Returns:
        The largest ratio over all pairs of inputs and all `b`, of the batch's shape.
    """
    rows = _rows(channel)
    if len(rows) < 2:
        return _plain(np.zeros(rows.shape[2:]))
    b = np.reshape(b, (1, -1, *[1] * (rows.ndim - 2)))
    spent = kl(np.concatenate([b + step, 1 - b - step]), np.concatenate([b, 1 - b]))
    found = []
    for first, second in combinations(rows[:, :, None], 2):
        laws = [weight * first + (1 - weight) * second for weight in (b + step, b)]
        found.append(np.max(kl(*laws) / spent, axis=0))
    return _plain(np.max(found, axis=0))


def eta_kl_at(law: ArrayLike, channel: ArrayLike, turns: int = 2000) -> Value:
    """`eta_KL(mu, K)`: the largest `KL(PK || mu K) / KL(P || mu)` for one law `mu` of the input.

    For nearly equal laws it tends to the squared maximal correlation at most, a singular value.  Elsewhere it is
    raised from many starts: with `t` the ratio at `P`, the law that maximizes `KL(PK || mu K)`,
    linearized at `P`, minus `t KL(P || mu)` is `mu exp(g / t)` up to a factor, with the gradient `g`, and has no
    smaller ratio, by convexity.  So the result is approached by laws and never too large; that it is the largest
    ratio a search cannot prove (on 400 random channels it was short of a fine grid by less than 1e-5).

    Args:
        law: `mu`, shape (inputs, ...), broadcast against the channel's batch.
        channel: shape (inputs, outputs, ...).
        turns: at most this many steps from each start.
    """
    rows, law = _rows(channel), np.asarray(law, dtype=float)
    if len(law) != len(rows):
        raise PmfError(f"the law has {len(law)} inputs, and the channel {len(rows)}")
    law = law.reshape(len(law), *[1] * (rows.ndim - 1 - law.ndim), *law.shape[1:])
    law = np.broadcast_to(law, (len(law), *np.broadcast_shapes(law.shape[1:], rows.shape[2:])))
    check_channel(law.reshape(1, len(law), -1))
    shape = law.shape[1:]
    rows = np.broadcast_to(rows, (*rows.shape[:2], *shape)).reshape(*rows.shape[:2], -1)
    law = law.reshape(len(law), -1)
    return _plain(np.clip(np.maximum(_correlation(law, rows), _climb(law, rows, turns)), 0, 1).reshape(shape))


def _correlation(law: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The squared maximal correlation of input and output, for laws (k, N) and channels (k, m, N); shape (N,)."""
    out = np.einsum("in,ijn->jn", law, rows)
    scaled = np.sqrt(law)[:, None] * rows / np.sqrt(np.where(out > 0, out, 1))
    values = np.linalg.svd(np.moveaxis(scaled, -1, 0), compute_uv=False)
    return values[:, 1] ** 2 if values.shape[1] > 1 else np.zeros(len(values))


def _climb(law: np.ndarray, rows: np.ndarray, turns: int) -> np.ndarray:
    """The largest ratio found for laws (k, N) and channels (k, m, N), from corners and random tilts; (N,)."""
    k, size = law.shape
    tilts = np.exp(np.random.default_rng(0).normal(0, 2, (k, 6)))
    corners = np.concatenate([np.eye(k), 1 - np.eye(k), tilts, 0.99 * np.eye(k) + 0.01], axis=1)
    start = corners[:, :, None] * law[:, None]  # (k, starts, N)
    mass = start.sum(axis=0)
    start = np.where(mass > 0, start / np.where(mass > 0, mass, 1), law[:, None]).reshape(k, -1)
    law, rows = (np.tile(x, corners.shape[1]) for x in (law, rows))
    out = np.einsum("in,ijn->jn", law, rows)
    best, todo, p = np.zeros(law.shape[1]), np.arange(law.shape[1]), start
    for _ in range(turns):
        here = np.einsum("in,ijn->jn", p, rows)
        spent = kl(p, law)
        ratio = np.where(spent > _NEAR, kl(here, out) / np.where(spent > _NEAR, spent, 1), 0)
        gain = ratio - best[todo]
        best[todo] = np.maximum(best[todo], ratio)
        still = (gain > 1e-12) & (ratio > _NEAR)
        if not still.any():
            break
        todo, p, law, rows, out, here = (x[..., still] for x in (todo, p, law, rows, out, here))
        surprise = np.log(np.where(here > 0, here, _TINY) / np.where(out > 0, out, _TINY))
        slope = np.einsum("ijn,jn->in", rows, surprise) / ratio[still]
        slope = np.where(law > 0, slope, -np.inf)
        p = law * np.exp(slope - slope.max(axis=0))
        p /= p.sum(axis=0)
    return best.reshape(-1, size).max(axis=0)


def gaussian_tv(reach: ArrayLike) -> np.ndarray:
    """`eta_TV` of added Gaussian noise: TV of two normal laws 2 s `reach` apart, `1 - 2 Q(reach)`.

    `reach` is half the diameter of the set of means over the standard deviation `s` of the noise, any shape.
    """
    return erf(np.asarray(reach, dtype=float) / math.sqrt(2))


def gaussian_kl(reach: ArrayLike, points: int = 8001) -> np.ndarray:
    """`eta_KL` of added Gaussian noise: `E tanh(u Y)^2` with `Y ~ N(u, 1)` and `u` the `reach` (see above).

    It is the Le Cam divergence of two normal laws at `b = 1/2`, where it is largest by symmetry, and also one
    minus the least mean square error of a sign that is seen in noise.  The trapezoid rule on 24 standard
    deviations is exact to 1e-12 for reaches up to 50; in any dimension, by rotation.
    """
    u = np.asarray(reach, dtype=float)
    z = np.linspace(-12, 12, points)
    weight = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    return (weight * np.tanh(u[..., None] * (z + u[..., None])) ** 2).sum(axis=-1)


# ---------------------------------------------------------------------------------------------------------------
# Layers
# ---------------------------------------------------------------------------------------------------------------


def flip(rate: float) -> np.ndarray:
    """A bit that is flipped with probability `rate` (the binary symmetric channel), shape (2, 2)."""
    return np.array([[1 - rate, rate], [rate, 1 - rate]])


def erase(k: int, rate: float) -> np.ndarray:
    """A symbol that is lost with probability `rate`; the last output says so.  Shape (k, k + 1)."""
    return np.concatenate([(1 - rate) * np.eye(k), np.full((k, 1), rate)], axis=1)


def forget(k: int, rate: float) -> np.ndarray:
    """A symbol that is replaced by a uniform one with probability `rate`, shape (k, k)."""
    return (1 - rate) * np.eye(k) + rate / k


def dropout(units: int, rate: float) -> np.ndarray:
    """`units` binary units, each of them erased with probability `rate` on its own; shape (2^units, 3^units)."""
    layer = np.ones((1, 1))
    for _ in range(units):
        layer = np.kron(layer, erase(2, rate))
    return layer


def beside(layer: ArrayLike, k: int) -> np.ndarray:
    """`layer` (inputs, outputs, ...) with a label of `k` values that passes by it untouched.

    The pair (input, label) has the index `input * k + label`; shape (inputs k, outputs k, ...).
    """
    rows = _rows(layer)
    both = np.einsum("ij...,ab->iajb...", rows, np.eye(k))
    return both.reshape(rows.shape[0] * k, rows.shape[1] * k, *rows.shape[2:])


def least_error(k: int, information: ArrayLike) -> np.ndarray:
    """Fano: the least error in telling one of `k` equally likely symbols with this `information` (nats) about it.

    Solves `h(e) + e log(k - 1) = log k - information` for `e` in [0, 1 - 1/k] by halving; the shape of
    `information`.  A symbol without alternative is never mistaken.  Cover & Thomas, section 2.10.
    """
    if k < 1:
        raise ValueError(f"at least one symbol is needed, got k={k}")
    missing = np.clip(math.log(k) - np.asarray(information, dtype=float), 0, None)
    low, high = np.zeros(missing.shape), np.full(missing.shape, 1 - 1 / k)
    for _ in range(60):
        e = (low + high) / 2
        short = entr(e) + entr(1 - e) + e * math.log(max(k - 1, 1)) < missing
        low, high = np.where(short, e, low), np.where(short, high, e)
    return low


# ---------------------------------------------------------------------------------------------------------------
# Depth and generalization
# ---------------------------------------------------------------------------------------------------------------


class Depth(NamedTuple):
    """A learner behind noisy layers, exactly; each of the batch's shape.

    risk, training: expected risk and training risk, both with fresh layer noise.  information: `I(S;W)`, nats.
    individual: mean over the data of `sqrt(I(Z_i;W) / 2)`.  tv, kl: the products over the layers of `eta_TV` and
    `eta_KL`, each at the parameters where it is largest.  flat: the bound without layers, `sqrt(I(S;W) / 2n)`.
    All bounds are for losses in [0, 1].
    """

    risk: Value
    training: Value
    information: np.ndarray
    individual: np.ndarray
    tv: Value
    kl: Value
    flat: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """`|E[R(W) - R_S(W)]|`."""
        return np.abs(self.risk - self.training)

    @property
    def sharp_bound(self) -> np.ndarray:
        """`eta_TV^L (1/n) sum_i sqrt(I(Z_i;W) / 2)`: sensitivity and single data."""
        return self.tv * self.individual

    @property
    def tv_bound(self) -> np.ndarray:
        """`eta_TV^L sqrt(I(S;W) / 2n)`."""
        return self.tv * self.flat

    @property
    def kl_bound(self) -> np.ndarray:
        """`exp(-(L/2) log(1/eta_KL)) sqrt(I(S;W) / 2n)`: the depth factor."""
        return np.sqrt(self.kl) * self.flat


def samples(pmf: ArrayLike, learner: ArrayLike, n: int) -> Joint:
    """The joint pmf of `n` i.i.d. data `Z1 .. Zn ~ pmf` and of what is learned from them, `W`.

    Args:
        pmf: shape (k,) or (k, B).
        learner: `P(w | z_1 .. z_n)`, shape (k,) * n + (parameters,), or with the batch behind.
    """
    names = [f"Z{i + 1}" for i in range(n)]
    joint = Joint([names[0]], pmf)
    for name in names[1:]:
        joint = joint.extend(name, pmf)
    return joint.extend("W", learner, given=names)


def behind_layers(joint: Joint, loss: ArrayLike, layers: Sequence[ArrayLike]) -> Depth:
    """Gap and bounds when the loss of the parameters `w` at a datum is that of the last layer's output.

    Args:
        joint: of the data and of `W`, from :func:`samples`.
        loss: `l(w, t)` in [0, 1], shape (parameters, outputs) or (parameters, outputs, B).
        layers: channels (inputs, outputs), (inputs, outputs, parameters) or (inputs, outputs, parameters, B):
            a layer may depend on the parameters.  No layers at all: the loss sees the datum.

    Raises:
        PmfError: for a loss outside [0, 1], or one that does not fit the layers.
    """
    data = [name for name in joint.names if name != "W"]
    loss = np.asarray(loss, dtype=float)
    if loss.min() < 0 or loss.max() > 1:
        raise PmfError(f"a loss lies in [0, 1], got values from {loss.min():g} to {loss.max():g}")
    loss = np.moveaxis(loss[..., None] if loss.ndim == 2 else loss, 0, 1)[None]  # (1, outputs, parameters, B)
    full = [np.reshape(layer, (*np.shape(layer), 1, 1)[:4]) for layer in layers]
    sizes = [joint.sizes[data[0]], *(layer.shape[1] for layer in full)]
    inputs = [*(layer.shape[0] for layer in full), loss.shape[1]]
    if sizes != inputs:
        raise PmfError(f"the layers do not fit: they have {sizes} outputs, and {inputs} inputs are expected")
    channel = np.eye(sizes[0])[..., None, None]
    for layer in full:
        channel = np.einsum("ij...,jk...->ik...", channel, layer)
    expected = (channel * loss).sum(axis=1)  # of a datum and parameters: (k, parameters, B)
    apart = joint.marginal(data[0]).p[:, None] * joint.marginal("W").p
    together = [joint.marginal(name, "W").p for name in data]
    total = np.maximum(joint.I(data, "W"), 0)
    single = np.maximum([joint.I(name, "W") for name in data], 0)
    return Depth(
        risk=_plain((apart * expected).sum(axis=(0, 1))),
        training=_plain(np.mean([(p * expected).sum(axis=(0, 1)) for p in together], axis=0)),
        information=total,
        individual=np.sqrt(single / 2).mean(axis=0),
        tv=_product(eta_tv, full),
        kl=_product(eta_kl, full),
        flat=np.sqrt(total / (2 * len(data))),
    )


def eta_kl_along(law: ArrayLike, layers: Sequence[ArrayLike], turns: int = 2000) -> Value:
    """The product of `eta_kl_at` along `layers`, each at the law that enters it when `law` enters the first.

    Args:
        law: of the datum, shape (k,) or (k, B).
        layers: as in :func:`behind_layers`.
        turns: as in :func:`eta_kl_at`.

    Returns:
        The largest product over the parameters, of the batch's shape.
    """
    law = np.asarray(law, dtype=float)
    law = law[:, None, None] if law.ndim == 1 else law[:, None]
    product = np.ones((1, 1))
    for layer in layers:
        full = np.reshape(layer, (*np.shape(layer), 1, 1)[:4])
        product = product * eta_kl_at(law, full, turns)
        law = np.einsum("i...,ij...->j...", law, full)
    return _plain(product.max(axis=0))


def _product(coefficient: Callable[[ArrayLike], Value], layers: Sequence[np.ndarray]) -> Value:
    """The product of the layers' coefficients, at the parameters for which it is largest; shape of the batch."""
    product = np.ones((1, 1))
    for layer in layers:
        product = product * coefficient(layer)
    return _plain(product.max(axis=0))


def _rows(channel: ArrayLike) -> np.ndarray:
    """The checked channel as float64, shape (inputs, outputs, ...)."""
    rows = np.asarray(channel, dtype=float)
    if rows.ndim < 2:
        raise PmfError(f"a channel has inputs, then outputs, got shape {rows.shape}")
    check_channel(rows.reshape(*rows.shape[:2], -1))
    return rows


def _plain(value: np.ndarray) -> Value:
    """A number for a batch of one, else the array."""
    return float(value.reshape(())) if np.size(value) == 1 else value
