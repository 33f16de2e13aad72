"""Chapter 3: mutual information."""

import functools

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

from rbcore.book.formulas import tie
from rbcore.book.tex import At, Function, Operator, Over
from rbcore.information.finite import kl, random_joint, random_pmf
from rbcore.theory import generalization as gen
from rbcore.theory.generalization import erm, gibbs, learn

S = r"S_{\mathrm{gen}}"
COIN = 1 - np.eye(2)


def learned(rng):
    """A learner, its law, losses in [0, C], what it learns from n readings; some draws are nearly sharp coins."""
    n, scale = int(rng.integers(1, 4)), rng.uniform(1, 2)
    if rng.random() < 0.5:
        law, losses, learner = np.full(2, 0.5), scale * COIN, gibbs(COIN, 0.02)
    else:
        law, losses = random_pmf(rng, 3), scale * rng.random((3, 3))
        learner = gibbs(losses, rng.uniform(1, 20))
    return n, scale, law, losses, learner, learn(law, learner, n)


@tie("gap")
def gap(rng):
    n, _, law, losses, learner, found = learned(rng)
    kinds = gen.types(len(law), n)
    weight = gen.type_pmf(kinds, law)[:, None] * learner(kinds.counts)
    return {
        r"g_\mu": found.gap(losses),
        r"\E": Operator(lambda x: (weight * x).sum()),
        r"R_\mu(W)": losses @ law,
        rf"\hat R_{{{S}}}(W)": gen.training_risks(kinds.counts, losses),
    }


@tie("change-of-measure", "change-of-measure-parts", sharp=1e-9)
def measure(rng):
    p, q = random_pmf(rng, 4, (2,)).T
    f = np.log(p / q) + 1 if rng.random() < 0.4 else rng.normal(size=4)
    tilted = q * np.exp(f) / (q @ np.exp(f))
    return {
        "P": p,
        "Q": q,
        "f": f,
        r"\E_P": Operator(lambda x: p @ x),
        r"\E_Q": Operator(lambda x: q @ x),
        "P(z)": p,
        "Q(z)": q,
        "Q_f(z)": tilted,
        "f(z)": f,
    }


@tie("xu-raginsky", "single-readings", sharp=1e-3)
def bounds(rng):
    n, scale, _, losses, _, found = learned(rng)
    bound, single = (
        gen.xu_raginsky(found.information, n, scale / 2),
        gen.xu_raginsky(found.individual, 1, scale / 2),
    )
    return {
        r"g_\mu": found.gap(losses),
        r"\sigma": scale / 2,
        "n": n,
        f"I({S};W)": n * bound**2 / (scale**2 / 2),
        "I(Z_i;W)": single**2 / (scale**2 / 2),
    }


@tie("independent-moments", sharp=1e-6)
def moments(rng):
    """Two readings of a loss with two values, or of a normal one, whose moments Gauss and Hermite's rule gives."""
    n, t = 2, rng.uniform(0.5, 1.5)
    if rng.random() < 0.5:
        nodes, weights = hermegauss(40)
        sigma = rng.uniform(0.5, 1)
        loss, law = sigma * nodes, weights / weights.sum()
    else:
        loss, law, sigma = np.array([0.0, 1.0]), random_pmf(rng, 2), 0.5
    risk = loss @ law
    both = np.exp(t * (risk - (loss[:, None] + loss) / 2))
    return {
        rf"\E\, e^{{t \Delta({S}, w)}}": law @ both @ law,
        r"\E": Operator(lambda x: law @ x),
        r"\ell(w, Z_i)": loss,
        r"R_\mu(w)": risk,
        r"\sigma": sigma,
        "n": n,
        "t": t,
    }


@tie("parabola", sharp=1e-3)
def parabola(rng):
    """Below the information for every t; a nearly fair coin attains it at the best t."""
    n, scale, _, losses, _, found = learned(rng)
    best = n * found.gap(losses) / (scale / 2) ** 2
    t = best if rng.random() < 0.7 else best * rng.uniform(0, 2)
    return {r"g_\mu": found.gap(losses), r"\sigma": scale / 2, "n": n, "t": t, f"I({S};W)": found.information}


@tie("reading-after-others")
def after(rng):
    joint = random_joint(rng, ["Zi", "Zb", "W"], [2, 3, 3])
    return {
        r"I(Z_i;W \mid Z_{<i})": joint.evaluate("I(Zi;W|Zb)"),
        "I(Z_i;W)": joint.evaluate("I(Zi;W)"),
        r"I(Z_i;Z_{<i} \mid W)": joint.evaluate("I(Zi;Zb|W)"),
        "I(Z_i;Z_{<i})": joint.evaluate("I(Zi;Zb)"),
    }


@tie("roots-averaged", sharp=1e-9)
def roots(rng):
    n = int(rng.integers(2, 5))
    info = np.full(n, rng.random()) if rng.random() < 0.5 else rng.random(n)
    return {
        "n": n,
        r"\sigma": rng.uniform(0.5, 2),
        r"\sum_i": Over("i", range(n)),
        "I(Z_i;W)": At(lambda i: info[i]),
    }


@tie("coin-information", "coin-series")
def coin(rng):
    n = int(rng.integers(1, 6))
    found = learn(np.full(2, 0.5), gibbs(COIN, rng.uniform(0.1, 1)), n)
    sign = np.array([1, -1])
    return {
        "I(Z_i;W)": found.individual,
        r"\rho": sign @ found.pair @ sign,
        r"\sum_{j \ge 1}": Over("j", range(1, 60)),
    }


@tie("supersample", sharp=0.07)
def supersample(rng):
    """One reading of many values, all of which is learned, nearly attains the second bound."""
    if rng.random() < 0.5:
        k, n = 16, 1
        law, learner, losses = np.full(k, 1 / k), lambda counts: counts / n, np.zeros((k, k))
    else:
        k, n = 3, 2
        law, losses = random_pmf(rng, k), rng.random((3, 3))
        learner = gibbs(losses, rng.uniform(0, 9))
    info = gen.supersample_information(law, learner, n)
    return {
        1: gen.steinke_zakynthinou(info, n, 1.5),
        r"g_\mu": gen.steinke_zakynthinou(info, n, 1.5) if k > 3 else 1.5 * learn(law, learner, n).gap(losses),
        "C": 1.5,
        r"I(U;W \mid Z)": info,
        "n": n,
    }


@functools.cache
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Two pairs of readings of three outcomes, rows (Z_1^0, Z_1^1, Z_2^0, Z_2^1, U_1, U_2), and what is seen."""
    cells = np.array(list(np.ndindex(3, 3, 3, 3, 2, 2)))
    seen = np.stack([cells[np.arange(len(cells)), 2 * i + cells[:, 4 + i]] for i in range(2)], axis=1)
    return cells, seen


@tie("supersample-gap")
def differences(rng):
    law, losses = random_pmf(rng, 3), rng.random((3, 3))
    learner = gibbs(losses, rng.uniform(1, 9))
    cells, seen = pairs()
    counts = (seen[:, :, None] == np.arange(3)).sum(axis=1)
    weight = law[cells[:, :4]].prod(axis=1)[:, None] / 4 * learner(counts)
    apart = {i: (losses[:, cells[:, 2 * i - 1]] - losses[:, cells[:, 2 * i - 2]]).T for i in (1, 2)}
    return {
        r"g_\mu": learn(law, learner, 2).gap(losses),
        r"\E": Operator(lambda x: (weight * x).sum()),
        "n": 2,
        "U_i": At(lambda i: cells[:, 3 + i][:, None]),
        "d_i": At(lambda i: apart[i]),
    }


@tie("gap-cost")
def cost(rng):
    """Below the point where it turns straight, the envelope is the function."""
    g = rng.uniform(0.05, gen.cost_leaves())
    return {r"\Psi(g)": gen.supersample_cost(g), "g": g}


@tie("gap-cost-curvature", tol=1e-4)
def curvature(rng):
    g, step = rng.uniform(0.1, 0.5), 2e-3
    nodes = [(-2, -1), (-1, 16), (0, -30), (1, 16), (2, -1)]
    return {"g": g, r"\Psi''(g)": sum(w * gen.supersample_cost(g + s * step) for s, w in nodes) / (12 * step**2)}


@tie("gap-costs", sharp=2e-2)
def costs(rng):
    """Nearly fair coins attain both, to first order; one reading makes the second an equality."""
    n, scale, law, losses, learner, found = learned(rng)
    n = 1 if rng.random() < 0.5 else n
    found = learn(law, learner, n)
    return {
        1: found.paired,
        2: gen.supersample_information(law, learner, n) / n,
        r"\Psi^*": Function(gen.supersample_cost),
        r"g_\mu": found.gap(losses),
        "C": scale,
        r"\frac1n \sum_{i=1}^n I(U_i;W \mid V_i)": found.paired,
        r"I(U;W \mid Z)": gen.supersample_information(law, learner, n),
        "n": n,
    }


@tie("losses-differ")
def differ(rng):
    """Two losses of a pair: the selected one is 0 with probability a, the other 1 with probability q."""
    a, q = rng.random(2)
    selected, other = np.array([a, 1 - a]), np.array([1 - q, q])
    return {"a": a, "q": q, r"\gamma": other[1] - selected[1], "v": 1 - selected @ other}


@tie("largest-reading", sharp=0.2)
def largest(rng):
    n, k = int(rng.integers(1, 5)), int(rng.integers(5, 2000))
    found = gen.largest_reading(k, n)
    return {
        5: gen.largest_reading_supersample(n),
        f"I({S};W)": found.information,
        "I(Z_i;W)": found.individual,
        r"I(U;W \mid Z)": gen.largest_reading_supersample(n) * (1 if rng.random() < 0.5 else 0.9),
        "k": k,
        "n": n,
    }


@tie("one-event")
def event(rng):
    a, k = rng.random(), int(rng.integers(2, 9))
    return {0: kl([a, 1 - a], [1 / k, 1 - 1 / k]), "a": a, "k": k}


@tie("own-prompt", sharp=1e-3)
def prompts(rng):
    """One prompt of three, or of one; nearly fair coins are sharp."""
    n, scale, law, losses, learner, _ = learned(rng)
    laws, weights = np.tile(law[:, None], (1, 2)), np.full(2, 0.5)
    if rng.random() < 0.5:
        laws, weights = random_pmf(rng, len(law), (3,)), random_pmf(rng, 3)
    found, each = gen.shared_prompt(laws, weights, learner, losses, n), learn(laws, learner, n)
    return {
        1: weights @ gen.xu_raginsky(each.information, n, scale / 2),
        2: gen.xu_raginsky(found.inside, n, scale / 2),
        r"\E\, |g(p)|": found.own,
        r"\E": Operator(lambda x: weights @ x),
        "I_p": each.information,
        rf"I({S};W \mid p)": found.inside,
        r"\sigma": scale / 2,
        "n": n,
    }


@tie("once", sharp=1e-3)
def once(rng):
    """One prompt; the second term vanishes where the readings are the prompt, the first where it tells nothing."""
    scale, n = rng.uniform(1, 2), int(rng.integers(1, 4))
    case = rng.random()
    if case < 0.3:  # the readings repeat the prompt
        laws, weights, losses, learner, n = np.eye(2), np.full(2, 0.5), COIN, gibbs(COIN, 0.02), 1
    elif case < 0.6:  # the prompt tells nothing
        laws, weights, losses, learner, n = np.full((2, 2), 0.5), np.full(2, 0.5), COIN, gibbs(COIN, 0.02), 1
    else:
        laws, weights, losses = random_pmf(rng, 3, (3,)), random_pmf(rng, 3), rng.random((3, 3))
        learner = gibbs(losses, rng.uniform(1, 9))
    found = gen.shared_prompt(laws, weights, learner, losses, n)
    return {
        1: gen.xu_raginsky(found.about, 1, scale / 2) + gen.xu_raginsky(found.inside, n, scale / 2),
        r"g_{D_{\mathrm{gen}}}": scale * found.gap,
        "C": scale,
        "J": 1,
        "n": n,
        "I(p;W)": found.about,
        rf"I({S};W \mid p)": found.inside,
    }


@tie("once-parts")
def parts(rng):
    laws, weights, losses = random_pmf(rng, 3, (3,)), random_pmf(rng, 3), rng.random((3, 3))
    learner = gibbs(losses, 5.0)
    found, each = gen.shared_prompt(laws, weights, learner, losses, 2), learn(laws, learner, 2)
    overall = np.full(3, each.risk(losses, np.tile((laws @ weights)[:, None], (1, 3))))
    return {
        r"g_{D_{\mathrm{gen}}}": found.gap,
        r"\E": Operator(lambda x: weights @ x),
        r"R_{D_{\mathrm{gen}}}(W)": overall,
        r"\bar R(W)": each.risk(losses),
        rf"\hat R_{{{S}}}(W)": each.training_risk(losses),
    }


@tie("mean-absolute")
def absolute(rng):
    n, scale, law, losses, learner, found = learned(rng)
    return {
        1: gen.xu_raginsky(found.information + np.log(2), n, scale / 2),
        rf"\E\bigl|R_\mu(W) - \hat R_{{{S}}}(W)\bigr|": gen.mean_deviation(law, losses, learner, n),
        r"\sigma": scale / 2,
        "n": n,
        f"I({S};W)": found.information,
    }


@tie("fit", sharp=1e-9)
def fit(rng):
    """Learners without a loss on their data: the largest reading, and one that knows nothing but its one datum."""
    n, k, scale = int(rng.integers(1, 4)), int(rng.integers(2, 5)), rng.uniform(1, 2)
    if rng.random() < 0.5:
        n, losses = 1, 1.0 - np.eye(k)
        learner = erm(losses)
    else:
        losses = (np.arange(k) > np.arange(k)[:, None]).astype(float)
        learner = largest_seen
    law = np.full(k, 1 / k)
    gap, info = learn(law, learner, n).gap(losses), gen.supersample_information(law, learner, n)
    return {r"g_\mu": scale * gap, "C": scale, r"I(U;W \mid Z)": info, "n": n}


def largest_seen(counts: np.ndarray) -> np.ndarray:
    """The model that is the largest reading."""
    k = counts.shape[1]
    return np.eye(k)[k - 1 - np.argmax(counts[:, ::-1] > 0, axis=1)]
