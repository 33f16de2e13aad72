"""Chapter 8: Gaussian mixtures."""

import numpy as np
from scipy.special import xlogy

from rbcore.book.formulas import tie
from rbcore.book.tex import At, Function, Operator, Over
from rbcore.gmm.density import kl_gaussians
from rbcore.gmm.theory import label_information
from rbcore.information.finite import entropy, kl, random_pmf

BIT = Function(lambda x: -xlogy(x, x) - xlogy(1 - x, 1 - x))


def apart(rng, laws: int) -> np.ndarray:
    """Laws on nine points, (9, laws): any, or such that each lives on points of its own, up to a little."""
    found = random_pmf(rng, 9, (laws,))
    if rng.random() < 0.5:
        mask = np.arange(9)[:, None] % laws == np.arange(laws)
        found = np.where(mask, found, 1e-40)
    return found / found.sum(axis=0)


@tie("shares")
def shares(rng):
    """All components weigh alike."""
    k, j, l = rng.integers(1, 4, 3)
    parts = random_pmf(rng, 6, (int(k + j + l),))
    anchored, novel, off = np.split(parts, [k, k + j], axis=1)
    return {
        r"\nu": j / (k + j),
        r"\omega": l / (k + j + l),
        "A": anchored.mean(axis=1),
        "N": novel.mean(axis=1),
        "O": off.mean(axis=1),
        "D": parts[:, : k + j].mean(axis=1),
        "D_M": parts.mean(axis=1),
    }


@tie("forward-prices", "reverse-prices", sharp=0.03)
def prices(rng):
    a, n, o = apart(rng, 3).T
    nu, omega = rng.uniform(0.1, 0.9, 2)
    d = (1 - nu) * a + nu * n
    return {
        "A": a,
        "N": n,
        "O": o,
        "D": d,
        "D_M": (1 - omega) * d + omega * o,
        r"\nu": nu,
        r"\omega": omega,
        "h": BIT,
    }


@tie("price-steps", sharp=1e-6)
def steps(rng):
    p, r = apart(rng, 2).T
    x = rng.uniform(0.1, 0.9)
    return {
        "P": p,
        "R": r,
        "Q": (1 - x) * p + x * r,
        "x": x,
        "h": BIT,
        r"\E_P": Operator(lambda f: p @ f),
        r"\E_R": Operator(lambda f: r @ f),
    }


@tie("separated", "separated-parts", "separated-step", sharp=1e-6)
def separated(rng):
    """Components with a finite number of outcomes; in some draws they hardly overlap."""
    laws, w = apart(rng, 3), random_pmf(rng, 3)
    others, v, a = 0.5 * laws + 0.5 * apart(rng, 3), random_pmf(rng, 3), int(rng.integers(3))
    if rng.random() < 0.5:
        others = laws[:, ::-1] * 0.999999 + 1e-6 / 9
    far = np.array([[kl(laws[:, i], others[:, b]) for b in range(3)] for i in range(3)])
    r = v * np.exp(-far[a]) if rng.random() < 0.5 else random_pmf(rng, 3)
    r = r / r.sum()
    cells, h = laws * w, entropy(laws)
    of_label = entropy(cells.ravel()) - entropy(laws @ w)  # H(a|Z)
    return {
        "P": laws @ w,
        "Q": others @ v,
        r"\E_{P_a}": Operator(lambda f: laws[:, a] @ f),
        r"\sum_a": Over("a", range(3)),
        r"\sum_b": Over("b", range(3)),
        "w_a": At(lambda a: w[a]),
        "v_b": At(lambda b: v[b]),
        "r_b": At(lambda b: max(r[b], 1e-200)),
        "h_a": At(lambda a: h[a]),
        "a": a,
        "D_{ab}": At(lambda a, b: far[a, b]),
        r"H(a \mid Z)": of_label,
        "h(Z)": entropy(laws @ w),
        r"h(Z \mid a)": w @ h,
        "I(a; Z)": entropy(laws @ w) - w @ h,
        "H(w)": entropy(w),
    }


@tie("gaussians-apart")
def gaussians(rng):
    roots = rng.normal(size=(2, 2, 2))
    s0, s1 = (root @ root.T + 0.1 * np.eye(2) for root in roots)
    delta = rng.normal(size=2)
    inverse = np.linalg.inv(s1)
    return {
        "D_k": kl_gaussians(delta, s0, np.zeros(2), s1),
        r"\operatorname{tr}(\Sigma_k^{-1} \Sigma_0)": np.trace(inverse @ s0),
        r"\delta^\top \Sigma_k^{-1} \delta": delta @ inverse @ delta,
        r"\det \Sigma_k": np.linalg.det(s1),
        r"\det \Sigma_0": np.linalg.det(s0),
    }


@tie("mixture-gain")
def gain(rng):
    k, j, l = (int(x) for x in rng.integers(1, 9, 3))
    found = label_information(k, j, l)
    return {
        r"\Delta I": found[0],
        r"H(X \mid e_p)": found[2] - found[3],
        "h": BIT,
        "q": (j + l) / (k + j + l),
        "J": j,
        "L": l,
    }
