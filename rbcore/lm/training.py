"""Training many models at once, with a bar, checkpoints, and the same numbers whatever interrupts it.

A :class:`Job` is one model to train: where it starts, on which data, and with which seed for the order of the
data. `train` runs jobs in stacks.  Each model has a generator of its own for its batches, and nothing else is
random, so its numbers do not depend on its companions.  With a checkpoint folder the state of a running stack
(parameters, Adam's moments, losses, snapshots) is kept every `every` steps; a killed run goes on from there,
bit by bit as if undisturbed.

Training multiplies rounding errors, so that processors which round differently would soon train different models.
Here they do not: models compute in double precision, and every few steps, before errors of 1e-16 have grown,
parameters and moments are rounded to a grid that is coarse beside the errors and fine beside a step of training.
Only where a number lies within an error of the middle between two points of the grid do processors part.  That is
rare, and then one model of many differs, as one that was trained on a slightly other draw would.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from rbcore import grid
from rbcore.files import replace_file
from rbcore.lm.models import Ensemble, join


@dataclass(frozen=True)
class Recipe:
    """How to train: Adam without weight decay, the rate falling from `rate` along a cosine to `floor` of it.

    steps, batch: gradient steps, and sequences in each, drawn with replacement.  warmup: the share of steps over
    which the rate rises.  keep: steps after which the parameters are kept, for early stopping.
    """

    steps: int = 300
    batch: int = 16
    rate: float = 4e-3
    warmup: float = 0.0
    floor: float = 0.03
    keep: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise ValueError(f"at least one step of one sequence, got {self.steps} of {self.batch}")
        if not self.rate > 0 or not 0 <= self.floor <= 1 or not 0 <= self.warmup < 1:
            raise ValueError("rate is positive, floor a share of it, warmup a share of the steps below one")
        if any(not 0 <= step <= self.steps for step in self.keep):
            raise ValueError(f"keep: numbers of steps in 0..{self.steps}, got {self.keep}")

    def rate_at(self, step: int) -> float:
        """The learning rate of step 0, 1, .."""
        rise = max(1, round(self.warmup * self.steps))
        if self.warmup and step < rise:
            return self.rate * (step + 1) / rise
        wave = (1 + math.cos(math.pi * step / self.steps)) / 2
        return self.rate * (self.floor + (1 - self.floor) * wave)


class Job(NamedTuple):
    """One model to train: an ensemble of one to start from, sequences (N, T), and the seed of the data's order."""

    start: Ensemble
    data: np.ndarray
    seed: int


class Trained(NamedTuple):
    """Models in the order of the jobs, the loss of each step (steps, B) in nats per token, and snapshots.

    snapshots: the models after each number of steps in `Recipe.keep`.
    """

    models: Ensemble
    losses: np.ndarray
    snapshots: dict[int, Ensemble]


def train(
    jobs: Sequence[Job],
    recipe: Recipe,
    stack: int = 32,
    checkpoint: str | Path | None = None,
    every: int = 200,
    progress: bool | None = None,
    note: str = "students",
) -> Trained:
    """Train one model for each job.

    Args:
        stack: models that are trained side by side; the results do not depend on it.
        checkpoint: a folder for the state of each stack, written in one piece every `every` steps and at the end.
            It is found again by the recipe, starts, data and seeds of the stack's jobs, and by nothing else.
        progress: show a bar; None: only on a terminal.  note: its name.

    Raises:
        ValueError: for no jobs, architectures that differ, or data that does not fit the context.
    """
    jobs = [Job(*job) for job in jobs]
    if not jobs or stack < 1 or every < 1:
        raise ValueError("train: at least one job, in stacks of at least one, kept every so many steps")
    for job in jobs:
        _check(job)
    folder = None if checkpoint is None else Path(checkpoint)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    total, parts = recipe.steps * len(jobs), []
    with tqdm(
        total=total, desc=note, unit="step", unit_scale=True, disable=None if progress is None else not progress
    ) as bar:
        for i in range(0, len(jobs), stack):
            group = jobs[i : i + stack]
            file = None if folder is None else folder / f"{_name(group, recipe)}.pt"
            parts.append(_stack(group, recipe, file, every, bar))
    snapshots = {step: join([part.snapshots[step] for part in parts]) for step in recipe.keep}
    return Trained(join([p.models for p in parts]), np.concatenate([p.losses for p in parts], axis=1), snapshots)


def checkpoints() -> Path | None:
    """The folder where a running build keeps the state of training, or None where nothing is kept.

    It is what the environment variable RBCORE_CHECKPOINTS names.  The build sets it, to a folder that a change of
    the core or of the lock file makes another one, and removes it when all notebooks have run.
    """
    named = os.environ.get("RBCORE_CHECKPOINTS", "")
    return Path(named) if named else None


def batches(data: np.ndarray, seed: int, recipe: Recipe) -> np.ndarray:
    """The rows that a job sees at each step, (steps, batch): what `train` draws, for whoever wants to check it."""
    return np.random.default_rng(seed).integers(len(data), size=(recipe.steps, recipe.batch))


def loss(models: Ensemble, tokens: Tensor, parameters: dict[str, Tensor] | None = None) -> Tensor:
    """Mean cross-entropy per token, shape (B,), for tokens (B, N, T); nats."""
    logits = models.logits(tokens[:, :, :-1], parameters)
    flat = torch.nn.functional.cross_entropy(logits.flatten(0, 2), tokens[:, :, 1:].flatten(), reduction="none")
    return flat.view(len(tokens), -1).mean(1)


def _stack(group: Sequence[Job], recipe: Recipe, file: Path | None, every: int, bar: tqdm) -> Trained:
    """Train one stack, from its checkpoint if there is one."""
    device, shared = group[0].start.device, join([job.start for job in group])
    parameters = {name: value.detach().clone().requires_grad_() for name, value in shared.parameters.items()}
    optimizer = torch.optim.Adam(parameters.values(), lr=recipe.rate, betas=(0.9, 0.98), fused=True)
    data = [torch.as_tensor(job.data, device=device) for job in group]
    # the whole order of the data is drawn beforehand, so that a checkpoint needs no generator
    order = torch.as_tensor(
        np.stack([batches(job.data, job.seed, recipe) for job in group], axis=1), device=device
    )
    losses = torch.zeros(recipe.steps, len(group), dtype=next(iter(parameters.values())).dtype)
    snapshots: dict[int, dict[str, Tensor]] = {}
    done = 0
    if file is not None and file.exists():
        state = torch.load(file, map_location=device, weights_only=True)
        done, losses, snapshots = state["done"], state["losses"].cpu(), state["snapshots"]
        for name, value in state["parameters"].items():
            parameters[name].data.copy_(value)
        if done < recipe.steps:
            optimizer.load_state_dict(state["optimizer"])
    bar.update(done * len(group))
    if 0 in recipe.keep and not done:
        snapshots[0] = _copy(parameters)
    for step in range(done, recipe.steps):
        for settings in optimizer.param_groups:
            settings["lr"] = recipe.rate_at(step)
        tokens = torch.stack([rows[order[step, b]] for b, rows in enumerate(data)])
        each = loss(shared, tokens, parameters)
        optimizer.zero_grad(set_to_none=True)
        each.sum().backward()
        optimizer.step()
        if (step + 1) % grid.STEPS == 0 or step + 1 == recipe.steps or step + 1 in recipe.keep:
            snap(parameters.values(), optimizer)
        losses[step] = each.detach().cpu()
        if step + 1 in recipe.keep:
            snapshots[step + 1] = _copy(parameters)
        if file is not None and ((step + 1) % every == 0 or step + 1 == recipe.steps):
            whole = {"done": step + 1, "losses": losses, "snapshots": snapshots, "parameters": _copy(parameters)}
            _save(whole | {"optimizer": optimizer.state_dict() if step + 1 < recipe.steps else {}}, file)
        bar.update(len(group))
    kept = {step: Ensemble(shared.module, values) for step, values in snapshots.items()}
    return Trained(Ensemble(shared.module, _copy(parameters)), losses.numpy(), kept)


def snap(parameters: Iterable[Tensor], optimizer: torch.optim.Optimizer) -> None:
    """Round the state of training with Adam to its grid; a state in single precision stays as it is."""
    parameters = list(parameters)
    if all(value.dtype == torch.float64 for value in parameters):
        moments = (optimizer.state[value][name] for value in parameters for name in ("exp_avg", "exp_avg_sq"))
        grid.snap(parameters, moments)


def _copy(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in parameters.items()}


def _check(job: Job) -> None:
    """Refuse a job that cannot be run."""
    if len(job.start) != 1:
        raise ValueError(f"a job starts from one model, got an ensemble of {len(job.start)}")
    config = job.start.module.config
    if job.data.ndim != 2 or not len(job.data) or job.data.shape[1] < 2:
        raise ValueError(f"data: at least one sequence of at least two tokens, got shape {job.data.shape}")
    if job.data.shape[1] - 1 > config.n_positions:
        raise ValueError(f"data of {job.data.shape[1]} tokens: the model reads {config.n_positions} at most")
    if job.data.min() < 0 or job.data.max() >= config.vocab_size:
        raise ValueError(f"data: tokens in 0..{config.vocab_size - 1}")


def name(job: Job, recipe: Recipe) -> str:
    """What a job's numbers depend on, in short: two jobs of one name train the same model."""
    return _name([job], recipe)


def _name(group: Sequence[Job], recipe: Recipe) -> str:
    """What a stack's numbers depend on, in short."""
    digest = hashlib.blake2b(repr((astuple(recipe), torch.__version__)).encode(), digest_size=16)
    digest.update(group[0].start.module.config.to_json_string(use_diff=False).encode())
    for job in group:
        digest.update(repr((job.seed, job.data.shape, job.start.device.type)).encode())
        digest.update(np.ascontiguousarray(job.data, dtype=np.int64).tobytes())
        for name, value in job.start.parameters.items():
            digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _save(state: dict[str, object], target: Path) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    replace_file(target, buffer.getvalue())
