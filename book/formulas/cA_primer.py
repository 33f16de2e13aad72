"""Appendix A: a primer in information theory."""

import itertools

import numpy as np

from rbcore.book.formulas import proved, tie
from rbcore.book.tex import At, Over
from rbcore.information.finite import entropy, random_pmf

proved("chain-rule")
proved("shannon-cipher", "I(M;C) = 0", "H(M|C,K) = 0")


@tie("entropy", "divergences")
def laws(rng):
    p, q = random_pmf(rng, 4, (2,)).T
    events = [list(e) for size in range(5) for e in itertools.combinations(range(4), size)]
    return {
        "H(A)": entropy(p),
        "P": p,
        "Q": q,
        r"\sum_a": Over("a", range(4)),
        "P(a)": At(lambda a: p[a]),
        "Q(a)": At(lambda a: q[a]),
        r"\sup_E": Over("E", events, max),
        "P(E)": At(lambda E: p[E].sum()),
        "Q(E)": At(lambda E: q[E].sum()),
    }


@tie("gibbs", sharp=1e-9)
def gibbs(rng):
    """Q may be P, or live on more; the sums run over what P can produce."""
    p, q = random_pmf(rng, 4, (2,)).T
    if rng.random() < 0.3:
        q = p
    elif rng.random() < 0.5:
        p = np.where(np.arange(4) < 3, p, 0) / p[:3].sum()
    return {
        "P": p,
        "Q": q,
        r"\sum_a": Over("a", np.flatnonzero(p)),
        "P(a)": At(lambda a: p[a]),
        "Q(a)": At(lambda a: q[a]),
    }
