"""Chapter 6: the post-training bound."""

import numpy as np

from rbcore.book.formulas import tie
from rbcore.book.tex import Function, Operator
from rbcore.information.finite import entropy, kl, random_pmf
from rbcore.theory import bound
from rbcore.theory.divergence import log_loss_charge
from rbcore.theory.generalization import gibbs, learn, xu_raginsky

GEN, PROMPT = r"D_{\mathrm{gen}}", r"(\cdot \mid p)"


def parts(rng):
    """Three prompts; the layers' coefficient is a number, and the loss is so much less sensitive."""
    scale, weak, n = rng.uniform(1, 2), rng.uniform(0.3, 1), int(rng.integers(1, 4))
    task, prompt = random_pmf(rng, 3), random_pmf(rng, 3)
    model, generated = random_pmf(rng, 3, (3,)), random_pmf(rng, 3, (3,))
    losses = weak * scale * rng.random((2, 3))
    learner = gibbs(losses, rng.uniform(1, 9))
    found = bound.assemble(task, prompt, model, generated, losses, learner, n, weak, scale)
    world = {
        r"\E[R_D(W) - \hat R_{S_{\mathrm{gen}}}(W)]": found.gap,
        "C": scale,
        r"\bar\tau": weak,
        "n": n,
        "I_p": learn(generated, learner, n).information,
        r"\E_p": Operator(lambda x: prompt @ x),
        "D": np.tile(task[:, None], 3),
        "D_M" + PROMPT: model,
        GEN + PROMPT: generated,
    }
    return world, found


@tie("post")
def post(rng):
    world, found = parts(rng)
    return {1: found.shortest} | world


@tie("post-two-divergences")
def ways(rng):
    world, found = parts(rng)
    return {0: found.task + found.generation} | world


@tie("post-information")
def information(rng):
    """What chapter 5 puts in the place of the information."""
    flow = bound.Flow(*rng.random(8))
    scale, weak, n = rng.uniform(1, 2), rng.uniform(0.3, 1), int(rng.integers(1, 9))
    return {
        0: weak * xu_raginsky(abs(flow.formulation), n, scale / 2),
        r"\bar\tau": weak,
        "C": scale,
        "n": n,
        r"\Delta I": flow.gain * np.sign(flow.formulation),
        r"B_{\mathrm{syn}}": (flow.bottleneck_p + flow.bottleneck_M) * np.sign(flow.formulation),
        "H(e_M)": flow.entropy_M * np.sign(flow.formulation),
        r"\delta": (flow.curation + flow.dependence) * np.sign(flow.formulation),
    }


def shrunk(rng):
    """Data, a task that they cover up to a factor, and a model; in some draws equality holds."""
    data = random_pmf(rng, 5)
    if rng.random() < 0.5:  # the task is the data given an event, which the model shrinks as a whole
        task = np.where(np.arange(5) < 2, data, 0) / data[:2].sum()
        small = rng.uniform(0.2, 0.9) * data[:2].sum()
        model = np.where(np.arange(5) < 2, task * small, data * (1 - small) / data[2:].sum())
    else:
        task, model = random_pmf(rng, 5), random_pmf(rng, 5)
    return data, task, model, float((task / data).max())


@tie("log-loss", sharp=1e-6)
def log_loss(rng):
    data, task, model, ratio = shrunk(rng)
    return {
        "D": task,
        r"\pi": model,
        GEN: data,
        r"\rho_\kappa": Function(lambda e: log_loss_charge(ratio, e)),
        "e": kl(data, model),
    }


@tie("log-loss-verdict")
def verdict(rng):
    """Draws are accepted with probability a D / D_gen."""
    data, task, model, ratio = shrunk(rng)
    accept = task / data / ratio
    q = float(model @ accept)
    return {
        r"\E_D": Operator(lambda x: task @ np.where(task > 0, x, 0)),
        "D": task,
        GEN: data,
        r"\pi": model,
        "a": 1 / ratio,
        "q": q,
        "k": kl(task, model * accept / q),
        r"\pi'": model * accept / q,
    }


@tie("log-loss-students", sharp=1e-6)
def students(rng):
    """Two students; training loss and gap add up to the loss on new data."""
    data, task, model, ratio = shrunk(rng)
    weights = np.array([0.0, 1.0]) if rng.random() < 0.6 else np.array([0.5, 0.5])
    models = np.stack([random_pmf(rng, 5), model], axis=1)
    loss, promised = float(-data @ np.log(models) @ weights), rng.uniform(0, 0.2)
    return {
        "D": np.tile(task[:, None], 2),
        GEN: np.tile(data[:, None], 2),
        r"\E": Operator(lambda x: weights @ x),
        r"\pi_W": models,
        r"\KL(D \,\|\, D_{\mathrm{gen}})": kl(task, data),
        r"\rho_\kappa": Function(lambda e: log_loss_charge(ratio, e)),
        r"\E[\hat R_{S_{\mathrm{gen}}}(W)]": loss - promised,
        rf"H({GEN})": entropy(data),
        r"\text{gap}": promised,
    }
