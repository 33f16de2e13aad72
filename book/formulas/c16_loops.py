"""Chapter 16: when does a loop learn?"""

import numpy as np

from rbcore.book.formulas import tie
from rbcore.book.tex import Function
from rbcore.theory import loops


@tie("regression")
def regression(rng):
    t, n, d = int(rng.integers(2, 9)), int(rng.integers(6, 20)), int(rng.integers(1, 4))
    return {
        0: loops.regression(t, n, d)[-1],
        1: loops.regression(t, n, d, accumulate=True)[-1],
        **{"t": t, "n": n, "d": d},
    }


@tie("majority", draws=12)
def majority(rng):
    """Also where many labels are right a little more often than not, which is where the exponent is needed."""
    n, q = int(2 * rng.integers(0, 9) + 1), rng.uniform(0.05, 0.95)
    if rng.random() < 0.5:
        n, q = 2001, rng.choice([0.45, 0.55])
    return {
        1: np.exp(-n * (2 * q - 1) ** 2 / 2),  # Hoeffding's
        r"\mathrm{B}_n": Function(lambda right: loops.majority(right, n)),
        r"\mathbf{1}\{q > \tfrac12\}": float(q > 0.5),
        "n": n,
        "q": q,
    }


@tie("pulled")
def pulled(rng):
    t, n = int(rng.integers(1, 6)), int(rng.integers(1, 9))
    start, away, keep = rng.uniform(0.1, 1), rng.normal(), rng.uniform(0.2, 0.9)
    found = loops.pull(t, n, start, away, keep)
    return {
        0: found.bias[-1],
        1: found.variance[-1],
        "b": away,
        r"\lambda": keep,
        "v_0": start,
        "n": n,
        "t": t,
    }
