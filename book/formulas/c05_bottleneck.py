"""Chapter 5: the reverse bottleneck."""

import numpy as np

from rbcore.book.formulas import proved, tie
from rbcore.book.tex import JOINT, Over
from rbcore.information.finite import kl, random_joint, random_pmf
from rbcore.theory import bottleneck, knowledge, process

FACTORS = ("H(hp|e_p) = 0", "H(X|hp,e_M) = 0", "H(G|X,eps) = 0")
DELTA = "(I(eps;W|X) + I(e_p;e_M|W) - I(e_p;e_M))"
NAMES = {r"\Delta I": "H(X|hp)", r"B_{\mathrm{syn}}": "(I(e_M;W) + I(e_p;W))", r"\delta": DELTA}

proved("gain-two-ways")
proved("three-sources")
proved("booking-orders")
proved("delta", names=NAMES)
proved("flow-in-short", *FACTORS, names=NAMES, claim="flow-bound")
proved("flow-enclosed", *FACTORS, "e_p,e_M -> G -> W")


@tie("factors", draws=2)
def factors(rng):
    """The three are functions in the running example."""
    return {JOINT: bottleneck.factored(process.World(strictness=rng.uniform(0.2, 0.9)))}


@tie("converse", sharp=1e-6)
def converse(rng):
    """A symmetric channel from the task to one reading attains it."""
    tasks = int(rng.integers(3, 6))
    prior, prompt = np.full(tasks, 1 / tasks), np.ones((1, tasks))
    right = rng.uniform(0.5, 0.95)
    data = np.full((tasks, 1, tasks), (1 - right) / (tasks - 1))
    data[np.arange(tasks), 0, np.arange(tasks)] = right
    n = int(rng.choice([1, 2]))
    if rng.random() < 0.5:
        prompt = random_pmf(rng, 2, (tasks,))
        data = np.repeat(data, 2, axis=1)
    model = data.mean(axis=2)
    found = knowledge.told(prior, prompt, model, data, n)
    s = found.success
    return {
        0: kl([s, 1 - s], [1 / tasks, 1 - 1 / tasks]),
        "s": s,
        "N": tasks,
        r"I(\theta; p, S_{\mathrm{gen}})": found.prompt + found.useful,
        r"I(\theta;p)": found.prompt,
        r"I(\theta;S_{\mathrm{gen}} \mid p)": found.useful,
    }


@tie("converse-fano")
def fano(rng):
    tasks = int(rng.integers(3, 20))
    information = rng.uniform(0, 0.3)
    return {
        0: knowledge.fano_floor(information, tasks),
        r"I(\theta; p, S_{\mathrm{gen}})": information,
        "N": tasks,
    }


def told(rng, n: int) -> knowledge.Told:
    """Three tasks, two prompts, four readings."""
    model = random_pmf(rng, 4, (2,))
    data = random_pmf(rng, 4, (2, 3))
    return knowledge.told(random_pmf(rng, 3), random_pmf(rng, 2, (3,)), model, data, n)


@tie("not-useful")
def useless(rng):
    n = int(rng.integers(1, 4))
    found = told(rng, n)
    return {
        0: found.gain - found.useful,
        r"H(S_{\mathrm{gen}} \mid p, \theta)": found.noise,
        r"\sum_i": Over("i", range(n)),
        r"H(X_i \mid p)": found.gain / n,
        r"H(S_{\mathrm{gen}} \mid p)": found.gain - found.alike,
    }


@tie("selection", sharp=1e-6)
def selection(rng):
    """A is one of four; the task is A, or says which half A is in.  The model may be the mean of what A makes."""
    prior, prompt = random_pmf(rng, 4), random_pmf(rng, 2)
    data = random_pmf(rng, 4, (2, 4))
    model = np.einsum("zpa,a->zp", data, prior) if rng.random() < 0.5 else random_pmf(rng, 4, (2,))
    whole = knowledge.told(prior, np.tile(prompt[:, None], 4), model, data, 1)
    halves = prior.reshape(2, 2)
    mixed = np.einsum("zpta,ta->zpt", data.reshape(4, 2, 2, 2), halves / halves.sum(axis=1, keepdims=True))
    half = knowledge.told(halves.sum(axis=1), np.tile(prompt[:, None], 2), model, mixed, 1)
    return {
        r"I(\theta;S_{\mathrm{gen}} \mid p)": (whole if rng.random() < 0.5 else half).useful,
        r"I(A;S_{\mathrm{gen}} \mid p)": whole.useful,
        r"n\, \E \KL\bigl(D_{\mathrm{gen}}(\cdot \mid p, A) \,\|\, D_M(\cdot \mid p)\bigr)": whole.price,
    }


@tie("two-curators")
def curators(rng):
    joint = random_joint(rng, ["e_p", "e_M", "eps_1", "eps_2", "W"], [2, 2, 2, 2, 2])
    return {0: joint.evaluate("I(e_p,e_M,eps_1,eps_2;W)"), JOINT: joint}
