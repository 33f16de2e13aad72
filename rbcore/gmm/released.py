"""The KL gap as the released code estimates it, from histograms of fresh draws, and its smallest repair.

In each round 1,000 points are drawn from the truth, the anchor fit and the synthetic fit.  KL(fit || truth) is
computed from two histograms of 50 x 50 cells, whose densities are clipped at 1e-10 from below and then normalized.

* *as released*: each histogram on the range of its own points, so that cell i of one is another region than cell i
  of the other;
* *shared grid*: both histograms on the range of all their points.

Draws, transformation and counting happen in one compiled pass over memory that stays in the cache.  The generator
is xoshiro128++ (Blackman and Vigna) in sixteen lanes, and the normals are Box and Muller's by polynomials in
float32: compilers turn both into vector instructions.  Sums keep their order, so that another machine's numbers
differ at most by the rounding of single operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from rbcore.gmm.em import Mixtures
from rbcore.gmm.world import check, factors

F, I, U = np.float32, np.int32, np.uint32
LANES = 16
BINS = 50
CLIP = float(np.log(1e-10))
LN2 = F(np.log(2))


class Histograms(NamedTuple):
    """Histogram estimates in nats, means over the rounds; arrays of shape (B, 2): as released, on a shared grid.

    anchors, synthetic: of KL(fit || truth).  se: standard error of their difference over the rounds.
    """

    anchors: np.ndarray
    synthetic: np.ndarray
    se: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """`KL(anchor fit || truth) - KL(synthetic fit || truth)`, shape (B, 2)."""
        return self.anchors - self.synthetic


def histogram_gap(
    truth: Mixtures,
    anchor_fit: Mixtures,
    synthetic_fit: Mixtures,
    seeds: Sequence[np.random.SeedSequence],
    rounds: int = 100,
    draws: int = 1000,
    shared: bool = True,
) -> Histograms:
    """Both histogram estimates for each configuration, on the same draws.

    Args:
        seeds: one for each configuration.
        rounds: of fresh draws, over which the estimates are averaged.
        draws: from each of the three laws in each round.
        shared: whether to compute the second estimate; without it, it is NaN.

    Raises:
        ValueError: unless d = 2, for batches that differ, invalid mixtures, or fewer than one round or two draws.
    """
    laws = truth, anchor_fit, synthetic_fit
    B, _, d = truth.means.shape
    if any(law.means.shape[-1] != 2 for law in laws):
        raise ValueError(f"a histogram with {BINS} cells a side is for d = 2, got d = {d}")
    if any(len(law.means) != B for law in laws):
        raise ValueError(f"laws: one batch, got {[len(law.means) for law in laws]} configurations")
    check(*laws, roots=False)  # which `factors` does
    if rounds < 1 or not 2 <= draws <= 100_000:
        raise ValueError(f"at least one round and 2 to 100,000 draws, got {rounds} and {draws}")
    if len(seeds) != B:
        raise ValueError(f"seeds: one for each of the {B} configurations, got {len(seeds)}")
    parts = [_prepared(law) for law in laws]
    found = np.full((B, 2, 3), np.nan)
    for b, seed in enumerate(seeds):
        words = seed.generate_state(4 * LANES + 6, np.uint32)
        rng = np.random.Generator(np.random.SFC64(words[4 * LANES :]))
        counts = [rng.multinomial(draws, law.weights[b] / law.weights[b].sum(), rounds) for law in laws]
        state = words[: 4 * LANES].reshape(4, LANES).copy()
        _rounds(state, np.concatenate(counts, axis=1), *(part[b] for part in parts), draws, shared, found[b])
    return Histograms(found[..., 0], found[..., 1], found[..., 2])


def _prepared(law: Mixtures) -> np.ndarray:
    """Mean and root of the covariance of each component, float32 (B, k, 6)."""
    root = factors(law.covariances).reshape(*law.weights.shape, 4)
    return np.concatenate([law.means, root], axis=-1).astype(F)


@njit(cache=True, nogil=True)
def random_bits(state: np.ndarray, out: np.ndarray) -> None:
    """Fill `out`, uint32 of a length that 16 divides, by xoshiro128++ with `state` (4, 16)."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    for i in range(out.size // LANES):
        for l in range(LANES):
            s = U(a[l] + d[l])
            out[LANES * i + l] = U(U((s << U(7)) | (s >> U(25))) + a[l])
            t = U(b[l] << U(9))
            c[l] ^= a[l]
            d[l] ^= b[l]
            b[l] ^= c[l]
            a[l] ^= d[l]
            c[l] ^= t
            d[l] = U((d[l] << U(11)) | (d[l] >> U(21)))


@njit(cache=True, nogil=True, fastmath={"contract"})
def normal_pairs(u: np.ndarray, v: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """Independent standard normals into x and y (float32) from random bits u and v, by Box and Muller.

    The radius is `sqrt(-2 log u)` with the logarithm of the Cephes library; the angle is one in [-pi/4, pi/4] with
    a random sign and a random exchange of the coordinates.
    """
    for i in range(x.size):
        bits = F(F(I(u[i] >> U(1))) + F(0.5)).view(I)
        m = F(I((bits & I(0x7FFFFF)) | I(0x3F000000)).view(F))
        e = F(I(I(bits >> I(23)) - I(157)))
        small = m < F(0.70710678)
        m = F(m + m) if small else m
        e = e - F(1) if small else e
        t = m - F(1)
        z = t * t
        p = F(7.0376836292e-2)
        p = p * t + F(-1.1514610310e-1)
        p = p * t + F(1.1676998740e-1)
        p = p * t + F(-1.2420140846e-1)
        p = p * t + F(1.4249322787e-1)
        p = p * t + F(-1.6668057665e-1)
        p = p * t + F(2.0000714765e-1)
        p = p * t + F(-2.4999993993e-1)
        p = p * t + F(3.3333331174e-1)
        radius = np.sqrt(F(-2) * (p * t * z - F(0.5) * z + t + e * LN2))
        w = v[i]
        angle = ((F(I(w >> U(2))) + F(0.5)) * F(2**-30) - F(0.5)) * F(np.pi / 2)
        q = angle * angle
        sine = angle + angle * q * (F(-1.6666654611e-1) + q * (F(8.3321608736e-3) + q * F(-1.9515295891e-4)))
        cosine = F(-1.388731625493765e-3) + q * F(2.443315711809948e-5)
        cosine = F(1) - F(0.5) * q + q * q * (F(4.166664568298827e-2) + q * cosine)
        cosine = -cosine if (w & U(2)) != U(0) else cosine
        exchange = (w & U(1)) != U(0)
        x[i] = radius * (sine if exchange else cosine)
        y[i] = radius * (cosine if exchange else sine)


@njit(cache=True, nogil=True)
def _draw(state, bits, counts, law, x, y):
    """Points from one mixture into x and y, sorted by component, as many of each as `counts` says."""
    n = x.size
    half = bits.size // 2
    random_bits(state, bits)
    normal_pairs(bits[:n], bits[half : half + n], x, y)
    start = 0
    for c in range(len(counts)):
        stop = start + counts[c]
        m0, m1, r00, r01, r10, r11 = law[c]
        first, second = x[start:stop], y[start:stop]
        for i in range(first.size):
            s, t = first[i], second[i]
            first[i] = m0 + (r00 * s + r01 * t)
            second[i] = m1 + (r10 * s + r11 * t)
        start = stop


@njit(cache=True, nogil=True)
def _range(x):
    """The smallest and the largest of x, by integers that are ordered as the floats are: these vectorize."""
    words = x.view(I)
    low, high = I(2**31 - 1), I(-(2**31))
    for i in range(words.size):
        key = I(words[i] ^ I(I(words[i] >> I(31)) & I(2**31 - 1)))
        low, high = I(min(low, key)), I(max(high, key))
    return I(low ^ ((low >> I(31)) & I(2**31 - 1))).view(F), I(high ^ ((high >> I(31)) & I(2**31 - 1))).view(F)


@njit(cache=True, nogil=True)
def _cells(x, y, x0, x1, y0, y1, out):
    """The cell of each point on the grid over [x0, x1] x [y0, y1]; the log area of a cell."""
    if x1 <= x0:
        x0, x1 = x0 - F(0.5), x0 + F(0.5)
    if y1 <= y0:
        y0, y1 = y0 - F(0.5), y0 + F(0.5)
    sx, sy = F(BINS) / F(x1 - x0), F(BINS) / F(y1 - y0)
    for i in range(x.size):
        column = min(I((x[i] - x0) * sx), I(BINS - 1))
        row = min(I((y[i] - y0) * sy), I(BINS - 1))
        out[i] = U(column * I(BINS) + row)
    return np.log((np.float64(x1) - np.float64(x0)) * (np.float64(y1) - np.float64(y0)) / BINS**2)


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _sum_where(values, counts):
    """The sum of `values` where `counts` is positive; it will weigh 1e-10, so its rounding is without effect."""
    total = 0.0
    for j in range(counts.size):
        total += values[j] if counts[j] > 0 else 0.0
    return total


@njit(cache=True, nogil=True)
def _reference(cells, log_area, logs, counts, lift):
    """From the cells of the second law's points: by how much the log density of each cell lies above the clip.

    `lift` (2500,) is zero in an empty cell.  Returns how many cells are not empty, and the sum of `lift`.
    """
    counts[:] = 0
    lift[:] = 0.0
    base = -np.log(cells.size) - log_area - CLIP
    for i in range(cells.size):
        cell = cells[i]
        c = U(counts[cell] + U(1))
        counts[cell] = c
        lift[cell] = logs[c] + base
    filled = 0
    for j in range(counts.size):
        filled += I(counts[j] > 0)
    return filled, _sum_where(lift, counts)


@njit(cache=True, nogil=True)
def _kl(cells, log_area, q_log_area, q_filled, q_total, lift, entropies, counts):
    """KL between two clipped and normalized histograms, from the cells of the first law's points.

    With n points in cells of area A a count c is the density c / (n A).  Cells that are empty in both histograms
    cancel, and those empty only in the first weigh 1e-10 each.
    """
    n = cells.size
    counts[:] = 0
    one, two = 0.0, 0.0  # two sums, so that one does not wait for the other
    for i in range(n // 2):
        here, there = cells[2 * i], cells[2 * i + 1]
        c = counts[here]
        counts[here] = c + U(1)
        one += entropies[c] - lift[here]
        c = counts[there]
        counts[there] = c + U(1)
        two += entropies[c] - lift[there]
    if n % 2 == 1:
        here = cells[n - 1]
        one += entropies[counts[here]] - lift[here]
        counts[here] += U(1)
    met, filled = _sum_where(lift, counts), 0
    for j in range(counts.size):
        filled += I(counts[j] > 0)
    area, q_area = np.exp(log_area), np.exp(q_log_area)
    inner = ((one + two) / n - np.log(n) - log_area - CLIP) / area - 1e-10 * (q_total - met)
    mass, q_mass = 1 / area + 1e-10 * (BINS**2 - filled), 1 / q_area + 1e-10 * (BINS**2 - q_filled)
    return inner / mass - np.log(mass) + np.log(q_mass)


@njit(cache=True, nogil=True)
def _rounds(state, counts, truth, anchor_fit, synthetic_fit, draws, shared, out):
    """Averages over rounds into `out` (2, 3): KL of the anchor fit, of the synthetic fit, error of their gap."""
    bits = np.empty(2 * ((draws + LANES - 1) // LANES * LANES), U)
    x, y = np.empty((3, draws), F), np.empty((3, draws), F)
    cells, scratch, lift = np.empty(draws, U), np.empty(BINS**2, U), np.empty(BINS**2)
    box = np.empty((3, 4), F)
    logs = np.zeros(draws + 1)
    for c in range(1, draws + 1):
        logs[c] = np.log(c)
    entropies = np.empty(draws)
    for c in range(draws):  # (c + 1) log(c + 1) - c log c
        entropies[c] = (c + 1) * logs[c + 1] - c * logs[c]
    rounds, k0 = len(counts), len(truth)
    k1 = k0 + len(anchor_fit)
    sums, squares = np.zeros((2, 2)), np.zeros(2)
    for r in range(rounds):
        _draw(state, bits, counts[r, :k0], truth, x[0], y[0])
        _draw(state, bits, counts[r, k0:k1], anchor_fit, x[1], y[1])
        _draw(state, bits, counts[r, k1:], synthetic_fit, x[2], y[2])
        for law in range(3):
            box[law, 0], box[law, 1] = _range(x[law])
            box[law, 2], box[law, 3] = _range(y[law])
        for estimate in range(2 if shared else 1):
            difference = 0.0
            for law in range(1, 3):
                x0, x1, y0, y1 = box[law]
                u0, u1, v0, v1 = box[0]
                if estimate == 1:
                    x0, x1, y0, y1 = min(x0, u0), max(x1, u1), min(y0, v0), max(y1, v1)
                    u0, u1, v0, v1 = x0, x1, y0, y1
                if estimate == 1 or law == 1:
                    q_log_area = _cells(x[0], y[0], u0, u1, v0, v1, cells)
                    q_filled, q_total = _reference(cells, q_log_area, logs, scratch, lift)
                log_area = _cells(x[law], y[law], x0, x1, y0, y1, cells)
                kl = _kl(cells, log_area, q_log_area, q_filled, q_total, lift, entropies, scratch)
                sums[estimate, law - 1] += kl
                difference += kl if law == 1 else -kl
            squares[estimate] += difference**2
    for estimate in range(2 if shared else 1):
        out[estimate, 0], out[estimate, 1] = sums[estimate] / rounds
        mean = out[estimate, 0] - out[estimate, 1]
        spread = max(squares[estimate] / rounds - mean**2, 0.0)
        out[estimate, 2] = np.sqrt(spread / (rounds - 1)) if rounds > 1 else np.nan
