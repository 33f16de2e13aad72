"""Chapter 10: faithfulness, diversity, collapse."""

from scipy.special import digamma

from rbcore.book.formulas import tie
from rbcore.book.tex import At, Function, Over
from rbcore.information.finite import random_pmf
from rbcore.theory import collapse

KEPT = r"\frac{\E v_t}{v}"


@tie("tempered")
def tempered(rng):
    k = int(rng.integers(2, 6))
    law, errors, beta = random_pmf(rng, k), rng.uniform(0.05, 0.4), rng.uniform(0.3, 3)
    found = collapse.tempered(law, errors, 1 / beta)
    return {
        r"f(\beta)": found.input,
        r"g(\beta)": found.answer,
        r"\sum_a": Over("a", range(k)),
        r"\mathrm{p}_a": At(lambda a: law[a]),
        r"\beta": beta,
        "k": k,
        "u": errors / ((k - 1) * (1 - errors)),
    }


@tie("variance-with-fresh")
def fresh(rng):
    n, t = int(rng.integers(3, 40)), int(rng.integers(1, 9))
    m = int(rng.integers(1, n))
    share = m / n
    return {
        KEPT: collapse.kept(t, n, m),
        r"\rho": (1 - share) * (1 - share - 1 / n),
        "t": t,
        "n": n,
        "a": share,
    }


@tie("variance-accumulated", sharp=1e-3)
def accumulated(rng):
    """Many data and many fits attain the limits."""
    n, t = (int(rng.integers(2, 9)), int(rng.integers(1, 9))) if rng.random() < 0.5 else (500, 40)
    return {
        2: collapse.kept_for_ever(n, accumulate=True),
        KEPT: collapse.kept_accumulating(t, n),
        "t": t,
        "n": n,
    }


@tie("gaussian-walk")
def walk(rng):
    n, t = int(rng.integers(5, 40)), int(rng.integers(1, 9))
    return {
        r"\E \KL(D \,\|\, D_{W_t})": collapse.gaussian_kl(t, n),
        r"\psi": Function(digamma),
        "r": n / (n - 3),
        "n": n,
        "t": t,
    }
