"""Chapter 11: an audit of your own data."""

import numpy as np

from rbcore.book.formulas import tie
from rbcore.book.tex import Function, Operator
from rbcore.estimate.base import share
from rbcore.information.finite import Joint, random_pmf


@tie("one-event-limit", sharp=0.1)
def event(rng):
    """Counts as they are expected; the event may be all that matters, and the records many."""
    inside, outside = rng.uniform(0.5, 0.9), rng.uniform(0.05, 0.3)
    n, m = (int(x) for x in (rng.integers(20, 50, 2) if rng.random() < 0.5 else (20000, 20000)))
    k, j = round(inside * n), round(outside * m)
    low, high = share(k, n, 0.95)[0], share(j, m, 0.95)[1]
    return {
        1: low - high,
        "D": np.array([outside, 1 - outside]),
        r"D_{\mathrm{gen}}": np.array([inside, 1 - inside]),
        r"\underline{b}": Function(lambda count, total: share(count, total, 0.95)[0]),
        r"\overline{b}": Function(lambda count, total: share(count, total, 0.95)[1]),
        **{"k": k, "n": n, "j": j, "m": m},
    }


@tie("surprise", sharp=1e-9)
def surprise(rng):
    """One prompt of two; where both mean the same, no fixed law does worse than the model's own."""
    prompt, model = random_pmf(rng, 2), random_pmf(rng, 4, (2,))
    if rng.random() < 0.5:
        model = np.repeat(model[:, :1], 2, axis=1)
    fixed = model[:, 0] if rng.random() < 0.7 else random_pmf(rng, 4)
    joint = Joint(["P"], prompt).extend("X", model.T, ["P"])
    return {
        r"\E": Operator(lambda f: ((f if f.ndim == 2 else f[:, None]) * model * prompt).sum()),
        r"D_M(X \mid p)": model,
        r"H(X \mid p)": joint.evaluate("H(X|P)"),
        r"\Delta I": joint.evaluate("H(X) - I(P;X)"),
        "q(X)": fixed,
    }
