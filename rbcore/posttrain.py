"""Post-training in the running example: learn a forecast from synthetic readings that share a prompt.

The model is a probability forecast `pi` over the k outcomes and the loss is half the Brier score,
`l(pi, z) = |pi - e_z|^2 / 2`, which lies in [0, 1] and whose risk under `Q` is smallest at `pi = Q`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rbcore.divergence import additive_bound
from rbcore.finite import tv


class Trained(NamedTuple):
    """Risks of post-trained models; every array has shape ([settings,] runs).

    task, generated, own_prompt, empirical: risk under `D`, under `D_gen`, under `D_gen(.|p)` of the run's own
    prompt, and on the training readings.  excess: risk under `D` above that of the best forecast, `D` itself.
    """

    task: np.ndarray
    generated: np.ndarray
    own_prompt: np.ndarray
    empirical: np.ndarray
    excess: np.ndarray
    prompts: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """`|R_D(pi) - R_S(pi)|`: how far the training risk is from the risk on the task."""
        return np.abs(self.task - self.empirical)


class Account(NamedTuple):
    """Where the bound of two divergences goes; each of shape (settings, runs), and the first four sum to `bound`.

    error: `|R_D - R_S|`.  signs: lost by adding absolute values.  worst_loss: `TV(D, D_gen)` allows for the worst
    loss.  triangle: `TV(D, D_M) + TV(D_M, D_gen)` stands for `TV(D, D_gen)`.
    """

    error: np.ndarray
    signs: np.ndarray
    worst_loss: np.ndarray
    triangle: np.ndarray
    bound: np.ndarray


def account(trained: Trained, task: ArrayLike, model: ArrayLike, generated: ArrayLike) -> Account:
    """Split the bound for losses in [0, 1] into the error and what each step of its proof gives away.

    Args:
        trained: the runs, shape (settings, runs) each.
        task, model, generated: `D` (k,), `D_M` and `D_gen` (k, settings).
    """
    task = np.asarray(task, dtype=float)[:, None]
    divergences = np.asarray(additive_bound(task, model, generated))[:, None]
    distance = np.asarray(tv(task, generated))[:, None]
    shift, sampling = np.abs(trained.task - trained.generated), np.abs(trained.generated - trained.empirical)
    return Account(
        error=trained.error,
        signs=shift + sampling - trained.error,
        worst_loss=distance - shift,
        triangle=np.broadcast_to(divergences - distance, shift.shape),
        bound=divergences + sampling,
    )


def brier_risk(forecast: np.ndarray, law: np.ndarray) -> np.ndarray:
    """Risk of `forecast` (..., k) under `law` (..., k): `(|pi|^2 + 1) / 2 - <pi, Q>`."""
    return ((forecast**2).sum(axis=-1) + 1) / 2 - (forecast * law).sum(axis=-1)


def post_train(
    rng: np.random.Generator,
    task: ArrayLike,
    prompt_pmf: ArrayLike,
    generated: ArrayLike,
    n: int,
    runs: int,
    smoothing: float = 0.5,
) -> Trained:
    """Draw a prompt for each run, `n` readings from `D_gen(.|p)` for that prompt, and learn a forecast from them.

    Args:
        task: `D`, shape (k,).
        prompt_pmf: `D_p`, shape (k_p,).  All settings share the runs' prompts, so that differences are paired.
        generated: `D_gen(z | p)`, shape (k, k_p) or (k, k_p, settings), outcomes first as everywhere.
        smoothing: added to each count, so the forecast is (counts + a) / (n + k a).

    Raises:
        ValueError: for fewer than one reading or run, or a smoothing that is not positive.
    """
    task = np.asarray(task, dtype=float)
    rows = np.moveaxis(np.asarray(generated, dtype=float), 0, -1)  # (k_p, [settings,] k)
    rows = np.moveaxis(rows, 0, -2)  # ([settings,] k_p, k)
    if n < 1 or runs < 1:
        raise ValueError(f"n and runs count readings and repetitions, at least 1 each, got n={n}, runs={runs}")
    if not smoothing > 0:
        raise ValueError(f"smoothing is a positive pseudo-count, got {smoothing}")
    prompts = rng.choice(len(prompt_pmf), size=runs, p=prompt_pmf)
    own = rows[..., prompts, :]
    counts = rng.multinomial(n, own / own.sum(axis=-1, keepdims=True))
    forecast = (counts + smoothing) / (n + task.size * smoothing)
    overall = (np.asarray(prompt_pmf)[:, None] * rows).sum(axis=-2)[..., None, :]
    risk = brier_risk(forecast, task)
    return Trained(
        task=risk,
        generated=brier_risk(forecast, overall),
        own_prompt=brier_risk(forecast, own),
        empirical=brier_risk(forecast, counts / n),
        excess=risk - brier_risk(task, task),
        prompts=prompts,
    )
