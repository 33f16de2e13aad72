"""Post-training in the running example: learn a forecast from synthetic readings that share a prompt.

The model is a probability forecast `pi` over the k outcomes and the loss is half the Brier score,
`l(pi, z) = |pi - e_z|^2 / 2`, which lies in [0, 1] and whose risk under `Q` is smallest at `pi = Q`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rbcore.information.finite import tv
from rbcore.theory.divergence import additive_bound


class Trained(NamedTuple):
    """Risks of post-trained models; every array has shape ([settings,] runs).

    task, generated, own_prompt, empirical: risk under `D`, under `D_gen`, under `D_gen(.|p)` of the run's own
    prompt, and on the training readings.  excess: risk under `D` above that of the best forecast, `D` itself.
    range: largest minus smallest loss of the forecast over all outcomes.
    """

    task: np.ndarray
    generated: np.ndarray
    own_prompt: np.ndarray
    empirical: np.ndarray
    excess: np.ndarray
    range: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """`|R_D(pi) - R_S(pi)|`: how far the training risk is from the risk on the task."""
        return np.abs(self.task - self.empirical)


class Account(NamedTuple):
    """Where the bound of two divergences goes; each of shape (settings, runs), and the first five sum to `bound`.

    gap: `|R_D - R_S|`.  signs: lost by adding absolute values.  shape: the model's loss is not the worst one of
    its range.  range: `C` stands for that range.  triangle: `TV(D, D_M) + TV(D_M, D_gen)` stands for
    `TV(D, D_gen)`.  sharper: the bound with the range of the model's own loss in place of `C`.
    """

    gap: np.ndarray
    signs: np.ndarray
    shape: np.ndarray
    range: np.ndarray
    triangle: np.ndarray
    bound: np.ndarray
    sharper: np.ndarray


def account(trained: Trained, task: ArrayLike, model: ArrayLike, generated: ArrayLike) -> Account:
    """Split the bound for losses in [0, 1] into the gap and what each step of its proof gives away.

    Args:
        trained: the runs, shape (settings, runs) each.
        task, model, generated: `D` (k,), `D_M` and `D_gen` (k, settings).
    """
    task = np.asarray(task, dtype=float)[:, None]
    divergences = np.asarray(additive_bound(task, model, generated))[:, None]
    distance = np.asarray(tv(task, generated))[:, None]
    shift, sampling = np.abs(trained.task - trained.generated), np.abs(trained.generated - trained.empirical)
    return Account(
        gap=trained.gap,
        signs=shift + sampling - trained.gap,
        shape=trained.range * distance - shift,
        range=(1 - trained.range) * distance,
        triangle=np.broadcast_to(divergences - distance, shift.shape),
        bound=divergences + sampling,
        sharper=trained.range * divergences + sampling,
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
    prompts: ArrayLike,
    smoothing: float = 0.5,
) -> Trained:
    """For each run, draw `n` readings from `D_gen(.|p)` of the run's prompt and learn a forecast from them.

    Args:
        task: `D`, shape (k,).
        prompt_pmf: `D_p`, shape (k_p,).
        generated: `D_gen(z | p)`, shape (k, k_p) or (k, k_p, settings), outcomes first as everywhere.
        prompts: the prompt of each run, integers of shape (runs,).  Every setting uses the same ones, and calls
            that are given the same ones can be compared run by run.
        smoothing: added to each count, so the forecast is (counts + a) / (n + k a).

    Raises:
        ValueError: for fewer than one reading or run, an unknown prompt, or a smoothing that is not positive.
    """
    task, prompts = np.asarray(task, dtype=float), np.asarray(prompts)
    if n < 1 or prompts.size < 1:
        raise ValueError(f"n and prompts: at least one reading and one run, got n={n} and {prompts.size} prompts")
    if not smoothing > 0:
        raise ValueError(f"smoothing is a positive pseudo-count, got {smoothing}")
    rows = np.moveaxis(np.asarray(generated, dtype=float), 0, -1)  # (k_p, [settings,] k)
    rows = np.moveaxis(rows, 0, -2)  # ([settings,] k_p, k)
    if prompts.min() < 0 or prompts.max() >= rows.shape[-2]:
        raise ValueError(f"prompts are integers in 0..{rows.shape[-2] - 1}, got {prompts.min()}..{prompts.max()}")
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
        range=forecast.max(axis=-1) - forecast.min(axis=-1),
    )


def expected_excess(
    task: ArrayLike, prompt_pmf: ArrayLike, generated: ArrayLike, n: int, smoothing: float = 0.5
) -> np.ndarray:
    """The exact mean of `post_train(...).excess` over prompts and readings; shape () or (settings,).

    The excess is `|pi - D|^2 / 2` and the counts are multinomial, so with `q = D_gen(.|p)` its mean given the
    prompt is `|E pi - D|^2 / 2 + n (1 - |q|^2) / (2 (n + k a)^2)`, where `E pi = (n q + a) / (n + k a)`.
    """
    task, law = np.asarray(task, dtype=float), np.asarray(generated, dtype=float)
    total = n + task.size * smoothing
    centre = (n * law + smoothing) / total
    bias = ((centre - task.reshape(-1, *[1] * (law.ndim - 1))) ** 2).sum(axis=0)
    spread = n * (1 - (law**2).sum(axis=0)) / total**2
    return np.tensordot(np.asarray(prompt_pmf, dtype=float), (bias + spread) / 2, axes=1)
