"""Chapter 14: what is one real datum worth?"""

import numpy as np

from rbcore.book.formulas import tie
from rbcore.book.tex import Function
from rbcore.information.finite import kl, random_pmf
from rbcore.theory.divergence import log_loss_charge, log_loss_relief


@tie("level", sharp=1e-6)
def level(rng):
    """The task may be the data given an event, which the model shrinks or swells as a whole."""
    data = random_pmf(rng, 5)
    task, model = random_pmf(rng, 5), random_pmf(rng, 5)
    case = rng.integers(3)
    if case:
        a = data[:2].sum()
        task = np.where(np.arange(5) < 2, data, 0) / a
        mass = a * rng.uniform(0.3, 0.9) if case == 1 else a + (1 - a) * rng.uniform(0.1, 0.9)
        model = np.where(np.arange(5) < 2, task * mass, data * (1 - mass) / (1 - a))
    ratio = float((task / data).max())
    return {
        "D": task,
        r"D_{\mathrm{gen}}": data,
        r"\pi": model,
        r"\lambda_\kappa": Function(lambda e: log_loss_relief(ratio, e)),
        r"\rho_\kappa": Function(lambda e: log_loss_charge(ratio, e)),
        "e": kl(data, model),
    }
