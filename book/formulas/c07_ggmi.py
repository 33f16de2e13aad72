"""Chapter 7: GGMI."""

from scipy.optimize import brentq

from rbcore.book.formulas import proved, tie
from rbcore.book.tex import JOINT
from rbcore.information.finite import random_joint
from rbcore.theory import ggmi
from rbcore.theory.generalization import xu_raginsky

NAMES = {
    r"\Delta I": "H(X|hp)",
    r"\Delta H": "(H(S) - H(G))",
    r"\Delta H_W": "(H(S|W) - H(S|W'))",
    r"\mathrm{GGMI}": "(I(S;W') - I(G;W))",
}
HALF, THIRD = NAMES | {r"\alpha": "1/2"}, NAMES | {r"\alpha": "1/3"}
NOISELESS = ("H(P|S) = 0", "H(hp|e_p) = 0", "H(G|X) = 0")

proved("process-chain", "S -> P -> X -> G -> W")
proved("ggmi", names=NAMES)
proved("gain", names=NAMES)
proved("upper-formulation", *NOISELESS, "H(e_p) <= 1/2 H(P)", names=HALF, claim="ggmi-upper")
proved("floor-steps", *NOISELESS, names=NAMES)
proved("floor", *NOISELESS, "H(e_p) <= 1/3 H(P)", names=THIRD)
proved("rounded", "H(G|X) = 0", "H(X|G) = 0", names=THIRD)


def upper(joint, alpha: float) -> float:
    """The right-hand side of the upper bound less GGMI."""
    right = joint.evaluate("H(X|hp) + 2 H(S) - 2 H(G) + H(G|W) + H(S|W) - H(S|W')")
    return right - (alpha + 1) * joint.evaluate("H(S|W)") - joint.evaluate("I(S;W') - I(G;W)")


@tie("slack")
def slack(rng):
    joint, alpha = random_joint(rng, ["S", "hp", "X", "G", "W", "W'"], [2] * 6), rng.random()
    return {
        0: upper(joint, alpha),
        r"\alpha": alpha,
        r"\Delta I": joint.evaluate("H(X|hp)"),
        r"\Delta H": joint.evaluate("H(S) - H(G)"),
        JOINT: joint,
    }


@tie("region", sharp=1e-6, draws=4)
def region(rng):
    """In the edge worlds the slack changes its sign exactly there."""
    t = rng.uniform(0.2, 1)

    def left(alpha: float) -> float:
        return upper(ggmi.edge_worlds([alpha], [t]).take(0), alpha)

    edge = brentq(left, 1 - t + 1e-9, 1, xtol=1e-13)
    return {r"\alpha": edge if rng.random() < 0.5 else 0.8 * edge, "t": t}


@tie("trade", "trade-solved", sharp=0.03)
def trade(rng):
    """Worlds in which synthetic data win, some by little."""
    n, m, d, sigma = int(rng.integers(5, 40)), int(rng.integers(2, 9)), rng.uniform(0.1, 0.8), rng.uniform(1.2, 2)
    anchors = rng.uniform(0.2, 2)
    bound = float(xu_raginsky(anchors, m, sigma))
    most = n * (bound * (1 - d)) ** 2 / (2 * sigma**2)
    synthetic = most * (0.999 if rng.random() < 0.5 else rng.uniform(0, 1))
    scale = 2 * sigma
    return {
        "I": synthetic,
        "I'": anchors,
        "n": n,
        "m": m,
        "d": d,
        r"\sigma": sigma,
        "C": scale,
        "v": d * bound / scale,
    }
