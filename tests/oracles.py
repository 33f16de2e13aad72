"""Independent answers: closed forms and plain implementations that the core is held against."""

import itertools
import math

import numpy as np
from scipy.special import softmax


def gaussian_pair(rng, n, d, rho):
    """Two samples of d columns; each column of one has correlation rho with the same column of the other."""
    x = rng.normal(size=(n, d))
    return x, rho * x + math.sqrt(1 - rho**2) * rng.normal(size=(n, d))


def gaussian_information(d, rho):
    """Their mutual information, in nats."""
    return -d / 2 * math.log(1 - rho**2)


def numpy_gpt2(parameters: dict[str, np.ndarray], tokens: np.ndarray, heads: int) -> np.ndarray:
    """The logits of GPT-2 with relu, (N, T, vocabulary), written out without torch."""
    p = {name.removeprefix("transformer."): value.astype(float) for name, value in parameters.items()}

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        return (
            centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * p[f"{name}.weight"]
            + p[f"{name}.bias"]
        )

    def dense(x, name):
        return x @ p[f"{name}.weight"] + p[f"{name}.bias"]

    n, t = tokens.shape
    x = p["wte.weight"][tokens] + p["wpe.weight"][:t]
    for layer in itertools.takewhile(lambda i: f"h.{i}.ln_1.weight" in p, itertools.count()):
        h = f"h.{layer}"
        q, k, v = (
            part.reshape(n, t, heads, -1).swapaxes(1, 2)
            for part in np.split(dense(norm(x, f"{h}.ln_1"), f"{h}.attn.c_attn"), 3, axis=-1)
        )
        scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
        scores[..., np.triu(np.ones((t, t), bool), 1)] = -np.inf
        mixed = (softmax(scores, axis=-1) @ v).swapaxes(1, 2).reshape(n, t, -1)
        x = x + dense(mixed, f"{h}.attn.c_proj")
        x = x + dense(np.maximum(dense(norm(x, f"{h}.ln_2"), f"{h}.mlp.c_fc"), 0), f"{h}.mlp.c_proj")
    return norm(x, "ln_f") @ p["wte.weight"].T
