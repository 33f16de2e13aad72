"""Chapter 4: depth and contraction."""

import numpy as np
from scipy.special import ndtr

from rbcore.book.formulas import tie
from rbcore.book.tex import At, Function, Operator, Over
from rbcore.information.finite import random_channel, random_pmf
from rbcore.theory import contraction as con


@tie("cascade", sharp=1e-6)
def cascade(rng):
    """Erased symbols multiply; of random channels either coefficient is submultiplicative."""
    first, second = random_channel(rng, 3, 3), random_channel(rng, 3, 3)
    eta = con.eta_tv if rng.random() < 0.5 else con.eta_kl
    if rng.random() < 0.5:
        first, second = con.flip(rng.uniform(0.1, 0.4)), con.flip(rng.uniform(0.1, 0.4))
        eta = con.eta_tv
    return {
        r"\eta": Function(eta),
        "K_1 K_2": first @ second,
        "K_1": first,
        "K_2": second,
    }


@tie("le-cam")
def le_cam(rng):
    p, q = random_pmf(rng, 4, (2,)).T
    b = rng.uniform(0.1, 0.9)
    return {r"\mathrm{LC}_b": Function(lambda x, y: con.le_cam(x, y, b)), "P": p, "Q": q, "b": b}


@tie("taylor")
def taylor(rng):
    """Gauss and Legendre's rule for the integral."""
    p, q = random_pmf(rng, 4, (2,), concentration=5).T
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t, w = (nodes + 1) / 2, weights / 2
    return {
        "P": p,
        "Q": q,
        r"\int_0^1": Over("t", t, lambda values: np.dot(w, values)),
        "t": At(lambda t: t),
        "V_t": At(lambda t: t * p + (1 - t) * q),
        "dt": 1.0,
    }


@tie("cauchy-schwarz", sharp=1e-9)
def cauchy(rng):
    """Equality where a mirror exchanges the laws."""
    p, q = random_pmf(rng, 4, (2,)).T
    if rng.random() < 0.5:
        p, q = np.array([0.2, 0.8]), np.array([0.8, 0.2])
    return {"P": p, "Q": q, r"\mathrm{LC}_{1/2}": Function(lambda x, y: con.le_cam(x, y, 0.5))}


def normal(centre: float) -> tuple[np.ndarray, np.ndarray]:
    """Points and probabilities of a normal variable with variance one."""
    points = np.linspace(-10, 10, 2001)
    weights = np.exp(-(points**2) / 2)
    return points + centre, weights / weights.sum()


@tie("gaussian-noise")
def gaussian(rng):
    u = rng.uniform(0.2, 2)
    y, weights = normal(u)
    return {
        r"\eta_{\mathrm{TV}}": con.gaussian_tv(u),
        r"\eta_{\mathrm{KL}}": con.gaussian_kl(u),
        r"\Phi": Function(ndtr),
        r"\E": Operator(lambda x: weights @ x),
        "u": u,
        "Y": y,
    }


@tie("gaussian-mirror")
def mirror(rng):
    """Two normal laws that are 2v apart."""
    v = rng.uniform(0.2, 2)
    y = np.linspace(-12, 12, 4001)
    p, q = (np.exp(-((y - centre) ** 2) / 2) for centre in (v, -v))
    p, q = p / p.sum(), q / q.sum()
    return {
        1: con.gaussian_kl(v),
        r"\mathrm{LC}_{1/2}": Function(lambda a, b: con.le_cam(a, b, 0.5)),
        "P": p,
        "Q": q,
        r"\E_V": Operator(lambda x: (p + q) / 2 @ x),
        "v": v,
        "Y": y,
    }


@tie("power-inequality", sharp=1e-9)
def power(rng):
    """Normal laws, for which Shannon's inequality is an equality, through added normal noise."""
    s, noise, var, shift = rng.uniform(0.5, 2, 4)
    c = s / (s + noise)

    def divergence(variance: float, of: float, away: float) -> float:
        return (variance / of - 1 - np.log(variance / of) + away**2 / of) / 2

    entropy, x = np.log(2 * np.pi * np.e * var) / 2, (var + shift**2) / s
    delta = (np.log(2 * np.pi * np.e * s) - 2 * entropy) / 2
    loose = rng.choice([0.0, 0.3])
    return {
        r"\KL(PK \,\|\, \mu K)": divergence(var + noise, s + noise, shift) - loose,
        r"\delta": delta,
        "c": c,
        "x": x,
    }


@tie("depth", "depth-with-law", sharp=0.05)
def depth(rng):
    """Fair bits and a learner with a slight preference, for which the bounds are nearly attained; or any."""
    n = 2
    if rng.random() < 0.6:
        ones = np.add.outer(np.arange(2), np.arange(2))
        prefers = 0.5 + 0.02 * (ones / n - 0.5)
        law, learner, loss = np.full(2, 0.5), np.stack([1 - prefers, prefers], axis=-1), 1 - np.eye(2)
        layers = [con.flip(rng.uniform(0.1, 0.3)) for _ in range(int(rng.integers(1, 3)))]
    else:
        law, loss = random_pmf(rng, 3), rng.random((2, 3))
        learner = np.moveaxis(random_pmf(rng, 2, (3, 3)), 0, -1)
        layers = [random_channel(rng, 3, 3, concentration=3) for _ in range(2)]
    joint = con.samples(law, learner, n)
    found, scale, long = con.behind_layers(joint, loss, layers), rng.uniform(1, 2), len(layers)
    along = con.eta_kl_along(law, layers, turns=50)
    single = [joint.I(f"Z{i}", "W") for i in (1, 2)]
    return {
        r"g_\mu": scale * found.gap,
        r"\tau": found.tv ** (1 / long),
        r"\eta_\mu": along ** (1 / long),
        "L": long,
        "C": scale,
        "n": n,
        "I(S;W)": found.information,
        "I(Z_i;W)": At(lambda i: single[i - 1]),
    }


@tie("depth-one-model", "depth-one-model-law", sharp=0.05)
def one_model(rng):
    """Two laws of the datum behind layers; those of fair bits, nearly alike, attain the bounds."""
    if rng.random() < 0.6:
        law, other, loss = np.full(2, 0.5), np.array([0.52, 0.48]), np.array([0.0, 1.0])
        layers = [con.flip(rng.uniform(0.1, 0.3))]
    else:
        law, other, loss = *random_pmf(rng, 3, (2,)).T, rng.random(3)
        layers = [random_channel(rng, 3, 3, concentration=3) for _ in range(2)]
    scale, long = rng.uniform(1, 2), len(layers)
    mean = scale * np.linalg.multi_dot([*layers, loss]) if long > 1 else scale * layers[0] @ loss
    return {
        r"\E_\mu\, \bar\ell(w, \cdot)": law @ mean,
        r"\E_{\mu_{i,w}} \bar\ell(w, \cdot)": other @ mean,
        r"\mu_{i,w}": other,
        r"\mu": law,
        r"\tau": np.prod([con.eta_tv(layer) for layer in layers]) ** (1 / long),
        r"\eta_\mu": con.eta_kl_along(law, layers, turns=50) ** (1 / long),
        "L": long,
        "C": scale,
    }
