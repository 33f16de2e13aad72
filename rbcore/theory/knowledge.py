"""What synthetic data tells about the task, and what a learner can make of it; exact on finite worlds.

The unknown of the task is `theta`, one of N tasks with a prior.  It leaves a prompt `p`; given both, readings are
independent draws from `D_gen(.|p,theta)`.  The generator, `D_M(.|p)`, knows of the task what the prompt says and
no more; a verifier, or a judge who picks the best of some answers, may know `theta`.  Then

    I(theta;p,S_gen) = I(theta;p) + I(theta;S_gen|p),
    I(theta;S_gen|p) <= n E KL(D_gen(.|p,theta) || D_M(.|p)),

and no learner succeeds more often than :func:`success_limit` allows.  Information is in nats, outcomes come first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from rbcore.information.finite import PmfError, entropy, kl
from rbcore.theory.generalization import type_pmf, types


class Told(NamedTuple):
    """What prompt and n readings tell about the task, in nats, and the best that a learner makes of it.

    prompt: `I(theta;p)`.  useful: `I(theta;S_gen|p)`.  price: `n E KL(D_gen(.|p,theta) || D_M(.|p))`.
    gain: `n H(Z|p)`, of n readings by themselves.  alike: `n H(Z|p) - H(S_gen|p)`, by how much less they hold
    together.  noise: `H(S_gen|p,theta)`.  success: the largest probability of a good model, for any learner.
    """

    prompt: float
    useful: float
    price: float
    gain: float
    alike: float
    noise: float
    success: float


def told(
    prior: ArrayLike, prompt: ArrayLike, model: ArrayLike, data: ArrayLike, n: int, good: ArrayLike | None = None
) -> Told:
    """Everything of :class:`Told`, by enumeration of the types of `n` readings.

    Args:
        prior: of the tasks, shape (N,).
        prompt: the law of the prompt given the task, shape (k_p, N).
        model: `D_M(x|p)`, shape (k, k_p).
        data: `D_gen(z|p,theta)`, shape (k, k_p, N).
        n: readings, 0 or more.
        good: which model is good for which task, shape (k_w, N); by default a model names a task, and that one.

    Raises:
        PmfError: when a law is none, or when the shapes do not fit.  ValueError: when there are too many types.
    """
    prior, prompt, model, data = (np.asarray(x, dtype=float) for x in (prior, prompt, model, data))
    if data.shape != (*model.shape, len(prior)) or prompt.shape != data.shape[1:]:
        raise PmfError(
            "shapes (N,), (k_p, N), (k, k_p) and (k, k_p, N) are needed, got "
            f"{prior.shape}, {prompt.shape}, {model.shape} and {data.shape}"
        )
    joint = prompt * prior  # (k_p, N)
    weight = joint.sum(axis=1)
    posterior = joint / np.where(weight > 0, weight, 1.0)[:, None]
    mixed = np.einsum("zpt,pt->zp", data, posterior)  # D_gen(z|p)
    k, tasks = len(model), len(prior)
    seen, log_orders = np.ones((1, *joint.shape)), np.zeros(1)
    if n:
        kinds = types(k, n)
        seen, log_orders = type_pmf(kinds, data.reshape(k, -1)).reshape(-1, *joint.shape), kinds.log_orders
    with_task = seen * joint  # (types, k_p, N)
    together = with_task.sum(axis=2)
    useful = float(xlogy(with_task, seen).sum() - xlogy(together, together).sum() + xlogy(weight, weight).sum())
    gain = n * float(weight @ _by_prompt(mixed, weight))
    held = float(
        -xlogy(together, together).sum() + xlogy(weight, weight).sum() + log_orders @ together.sum(axis=1)
    )
    used = joint > 0
    apart = kl(data[:, used], np.broadcast_to(model[:, :, None], data.shape)[:, used])
    hits = with_task @ (np.eye(tasks) if good is None else np.asarray(good, dtype=float)).T
    return Told(
        prompt=float(entropy(prior) - weight @ _by_prompt(posterior.T, weight)),
        useful=max(useful, 0.0),
        price=n * float(joint[used] @ apart),
        gain=gain,
        alike=gain - held,
        noise=n * float(np.sum(joint * entropy(data))),
        success=float(hits.max(axis=-1).sum()),
    )


def _by_prompt(laws: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The entropy of each column of `laws` whose prompt occurs, 0 for others; nats, shape (k_p,)."""
    return np.where(weight > 0, -xlogy(laws, laws).sum(axis=0), 0.0)


def best_of(law: ArrayLike, score: ArrayLike, draws: int) -> np.ndarray:
    """The law of the one with the highest score among `draws` draws from `law` (k, ..), ties broken at random.

    Args:
        score: of each outcome, shape (k,).

    Raises:
        ValueError: for no draws, or a score of another shape.
    """
    law, score = np.asarray(law, dtype=float), np.asarray(score, dtype=float)
    if draws < 1 or score.shape != law.shape[:1]:
        raise ValueError(
            f"best_of needs a score for each of {len(law)} outcomes and a draw, got {score.shape}, {draws}"
        )
    below = np.tensordot(score[:, None] > score, law, axes=1)
    level = np.tensordot(score[:, None] == score, law, axes=1)
    share = np.divide(law, level, out=np.zeros_like(law), where=level > 0)
    return share * ((below + level) ** draws - below**draws)


def best_of_price(draws: ArrayLike) -> np.ndarray:
    """`log N - (N-1)/N` nats: at most so far is the best of N = `draws` from a single draw, whatever the score."""
    draws = np.asarray(draws, dtype=float)
    return np.log(draws) - (draws - 1) / draws


def success_limit(information: ArrayLike, tasks: int) -> np.ndarray:
    """The largest probability `s` with `kl(s || 1/N) <= information` (nats): no learner succeeds more often.

    It is for N = `tasks` equally likely tasks no two of which share a good model; by bisection, to rounding.
    """
    information = np.asarray(information, dtype=float)
    low, high = np.full(information.shape, 1 / tasks), np.ones(information.shape)
    for _ in range(60):
        s = (low + high) / 2
        spent = xlogy(s, s * tasks) + xlogy(1 - s, (1 - s) * tasks / (tasks - 1))
        low, high = np.where(spent <= information, s, low), np.where(spent <= information, high, s)
    return np.where(information >= np.log(tasks), 1.0, high)


def fano_floor(information: ArrayLike, tasks: int) -> np.ndarray:
    """`1 - (information + log 2) / log N`, or 0: the plain form of the same limit, as a floor of the failures."""
    return np.maximum(1 - (np.asarray(information, dtype=float) + np.log(2)) / np.log(tasks), 0.0)
