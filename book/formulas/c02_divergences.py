"""Chapter 2: two divergences."""

import numpy as np

from rbcore.book.formulas import tie
from rbcore.book.tex import At, Function, Operator, Over
from rbcore.information.finite import kl, random_pmf, tv
from rbcore.theory import posttrain
from rbcore.theory.divergence import additive_bound, convolve
from rbcore.theory.generalization import type_pmf, types

GEN = r"D_{\mathrm{gen}}"


def two(rng):
    """A loss in [0, C]; in the worst case, of prop-sharp, the gap is the bound."""
    k, scale = 5, rng.uniform(1, 3)
    task, model, generated, sample = random_pmf(rng, k, (4,)).T if rng.random() < 0.7 else np.zeros((4, k))
    loss = scale * rng.random(k)
    if not task.any():
        loss = scale * np.eye(k)[0]
        for law, one in zip((task, model, generated, sample), (0.1, 0.3, 0.6, 0.7), strict=True):
            law[:2] = 1 - one, one
    risk = {law: float(loss @ p) for law, p in (("D", task), ("D_M", model), (GEN, generated))}
    own = {"D": task, r"D_M(\cdot \mid p)": model, GEN + r"(\cdot \mid p)": generated}
    return {
        "D_M": model,
        GEN: generated,
        "C": scale,
        "R_D": risk["D"],
        "R_{D_M}": risk["D_M"],
        f"R_{{{GEN}}}": risk[GEN],
        rf"R_{{{GEN}(\cdot \mid p)}}": risk[GEN],
        r"\hat R_{S_{\mathrm{gen}}}": float(loss @ sample),
        **own,
    }


@tie("two-parts")
def steps(rng):
    return two(rng)


@tie("two-bound", "two-own-prompt")
def through(rng):
    world = two(rng)
    charged = additive_bound(world["D"], world["D_M"], world[GEN], world["C"])
    return {1: charged + abs(world[f"R_{{{GEN}}}"] - world[r"\hat R_{S_{\mathrm{gen}}}"])} | world


@tie("two-direct")
def direct(rng):
    world = two(rng)
    charged = additive_bound(world["D"], world[GEN], world[GEN], world["C"])
    return {1: charged + abs(world[f"R_{{{GEN}}}"] - world[r"\hat R_{S_{\mathrm{gen}}}"])} | world


@tie("coupling")
def coupling(rng):
    """Answers 0..4 and a change that may look at them; in one draw it leaves A, or does nothing."""
    change = random_pmf(rng, 25).reshape(5, 5)
    event = rng.random(5) < 0.5
    if rng.random() < 0.5:
        event = np.arange(5) < 2
        change = np.zeros((5, 5))
        change[0, 0], change[1, 3] = 0.4, 0.6
    before, after = event[:, None], event[(np.arange(5)[:, None] + np.arange(5)) % 5]
    return {
        r"P(X \in A)": (change * before).sum(),
        r"P(X + \varepsilon \in A)": (change * after).sum(),
        r"P(X \in A,\; X + \varepsilon \notin A)": (change * (before & ~after)).sum(),
        r"P(\varepsilon \ne 0)": change[:, 1:].sum(),
    }


@tie("noise-mixes", sharp=1e-9)
def noise(rng):
    law, noise = random_pmf(rng, 5, (2,)).T
    noise = noise if rng.random() < 0.5 else np.eye(5)[1]
    return {
        "D_M": law,
        GEN: convolve(law, noise),
        r"\sum_e": Over("e", range(5)),
        r"P(\varepsilon = e)": At(lambda e: noise[e]),
        r"\TV\bigl(D_M(\cdot), D_M(\cdot - e)\bigr)": At(lambda e: tv(law, np.roll(law, e))),
    }


@tie("kl")
def divergence(rng):
    p, q = random_pmf(rng, 5, (2,)).T
    return {
        "P": p,
        "Q": q,
        r"\sum_z": Over("z", range(5)),
        "P(z)": At(lambda z: p[z]),
        "Q(z)": At(lambda z: q[z]),
    }


def huber(p, q):
    return {"P": p, "Q": q, r"\TV": tv(p, q), r"\KL": kl(p, q), r"\E_P": Operator(lambda f: p @ f)}


@tie("huber-overlap", sharp=1e-9)
def overlap(rng):
    """Equality where a mirror exchanges two outcomes."""
    if rng.random() < 0.5:
        return huber(np.array([0.2, 0.8]), np.array([0.8, 0.2]))
    return huber(*random_pmf(rng, 5, (2,)).T)


@tie("huber-jensen", sharp=1e-9)
def jensen(rng):
    """Equality for equal laws."""
    p, q = random_pmf(rng, 5, (2,)).T
    return huber(p, p) if rng.random() < 0.3 else huber(p, q)


@tie("pinsker-slope", sharp=1e-9, tol=1e-5)
def pinsker(rng):
    """The slope of KL - 2 (x - y)^2 in y for two outcomes, by a difference quotient."""
    x, case = rng.uniform(0.6, 0.9), rng.integers(3)
    y = (0.5, x, rng.uniform(0.1, x))[case]

    def g(t: float) -> float:
        return float(kl([x, 1 - x], [t, 1 - t])) - 2 * (x - t) ** 2

    step = 1e-3 * y
    nodes = [(-2, 1), (-1, -8), (1, 8), (2, -1)]
    slope = sum(w * g(y + s * step) for s, w in nodes) / (12 * step)
    return {"x": x, "y": y, "g'(y)": 0.0 if y == 0.5 else slope}


@tie("brier-excess")
def brier(rng):
    forecast, task = random_pmf(rng, 8, (2,)).T
    risk = Function(lambda pi: posttrain.brier_risk(pi, task))
    return {r"\pi": forecast, "D": task, "R_D": risk}


@tie("frequencies-near", sharp=1e-9)
def frequencies(rng):
    """One reading of a fair bit attains both inequalities."""
    k, n = (2, 1) if rng.random() < 0.4 else (3, int(rng.integers(1, 6)))
    law = np.full(2, 0.5) if k == 2 else random_pmf(rng, k)
    kinds = types(k, n)
    far = np.abs(kinds.counts / n - law).sum(axis=1) / 2
    return {
        r"\E\,\TV(q, \hat q)": type_pmf(kinds, law) @ far,
        r"\sum_z": Over("z", range(k)),
        "q(z)": At(lambda z: law[z]),
        "n": n,
        "k": k,
    }


@tie("excess-planned")
def planned(rng):
    """Frequencies of r readings of each of J prompts: their mean is the mixture; one prompt is the core's own."""
    task, prompt = random_pmf(rng, 4), random_pmf(rng, 3)
    rows = random_pmf(rng, 4, (3,)).T  # a law for each prompt
    r = int(rng.integers(1, 9))
    mean = prompt @ rows
    return {
        0: 2 * posttrain.expected_excess(task, prompt, rows.T, r, smoothing=1e-15),
        "D": task,
        "D_M": mean,
        r"D_M(\cdot \mid p)": rows,
        r"\E_p": Operator(lambda x: prompt @ x),
        "J": 1,
        "r": r,
    }
