"""Mutual information by a trained critic, judged on held-out data: InfoNCE, a lower bound, and SMILE, which is
none."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import stats
from torch import nn

from rbcore.estimate.base import Estimate, pair

PARTS = (0.5, 0.15)  # for training and for stopping; the rest is for the estimate
BATCH = 256  # of training
GROUPS = 8  # independent batches at least, that the test part is cut into
LARGEST = 512  # rows of such a batch
REGROUPINGS = 10  # random cuts of the test part that are averaged
SCALES = np.linspace(0, 1.2, 13)  # factors of the critic to choose from on the validation part


class Critic(nn.Module):
    """``f(x) . g(y)`` with a small network on each side: all pairs of a batch in one product."""

    def __init__(self, dx: int, dy: int, hidden: int, width: int, generator: torch.Generator) -> None:
        super().__init__()

        def linear(inputs: int, outputs: int) -> nn.Linear:
            layer = nn.utils.skip_init(nn.Linear, inputs, outputs)  # else it draws from the global generator
            bound = math.sqrt(3 / inputs)
            with torch.no_grad():
                layer.weight.uniform_(-bound, bound, generator=generator)
                layer.bias.zero_()
            return layer

        self.left, self.right = (
            nn.Sequential(linear(d, hidden), nn.ReLU(), linear(hidden, hidden), nn.ReLU(), linear(hidden, width))
            for d in (dx, dy)
        )

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Scores of all pairs, shape (batch of x, batch of y)."""
        left = self.left(x)
        return left @ self.right(y).T / math.sqrt(left.shape[1])


class Held(NamedTuple):
    """A trained critic and the standardized test part."""

    critic: Critic
    scale: float
    x: torch.Tensor
    y: torch.Tensor


def contrast(scores: torch.Tensor) -> torch.Tensor:
    """InfoNCE of a batch in nats, from scores (B, B) whose diagonal is the pairs (van den Oord et al. 2018)."""
    rows = scores.diagonal() - torch.logsumexp(scores, dim=1)
    return rows.mean() + math.log(len(scores))


def jensen_shannon(scores: torch.Tensor) -> torch.Tensor:
    """The Jensen-Shannon objective of a batch, which trains SMILE's critic; 2 log 2 is added: 0 for f = 0."""
    apart = ~torch.eye(len(scores), dtype=torch.bool)
    joint = -nn.functional.softplus(-scores.diagonal()).mean()
    return joint - nn.functional.softplus(scores[apart]).mean() + 2 * math.log(2)


def _split(
    x: np.ndarray, y: np.ndarray, generator: torch.Generator
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Training, validation and test parts, standardized by the training part."""
    order = torch.randperm(len(x), generator=generator).numpy()
    cuts = np.cumsum([int(share * len(x)) for share in PARTS])
    pieces = []
    for z in (x, y):
        parts = np.split(z[order], cuts)
        centre, spread = parts[0].mean(axis=0), parts[0].std(axis=0)
        spread = np.where(spread > 0, spread, 1)
        pieces.append(
            [torch.tensor(((part - centre) / spread).clip(-10, 10), dtype=torch.float32) for part in parts]
        )
    return pieces[0], pieces[1]


def _train(x, y, generator: torch.Generator, objective, steps: int, hidden: int, width: int, rate: float) -> Held:
    """Train on one part, keep the parameters and the scale that are best on another."""
    xs, ys = _split(x, y, generator)
    critic = Critic(xs[0].shape[1], ys[0].shape[1], hidden, width, generator)
    optimizer = torch.optim.AdamW(critic.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    batch = min(BATCH, len(xs[0]))
    every, patience = max(10, steps // 40), 8
    checked = slice(0, 1024)

    def validation(scale: float = 1.0) -> float:
        with torch.no_grad():
            return float(objective(scale * critic(xs[1][checked], ys[1][checked])))

    best, kept, waiting = -math.inf, copy.deepcopy(critic.state_dict()), 0
    for step in range(steps):
        rows = torch.randperm(len(xs[0]), generator=generator)[:batch]
        optimizer.zero_grad(set_to_none=True)
        (-objective(critic(xs[0][rows], ys[0][rows]))).backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % every == 0:
            now = validation()
            if now > best:
                best, kept, waiting = now, copy.deepcopy(critic.state_dict()), 0
            else:
                waiting += 1
            if waiting >= patience:
                break
    critic.load_state_dict(kept)
    scale = max(SCALES, key=validation)
    return Held(critic.eval(), float(scale), xs[2], ys[2])


def _checked(x: ArrayLike, y: ArrayLike, steps: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = pair(x, y, least=100)
    if steps < 1:
        raise ValueError(f"training needs at least one step, got {steps}")
    return x, y


def infonce(
    x: ArrayLike,
    y: ArrayLike,
    generator: torch.Generator,
    *,
    steps: int = 800,
    hidden: int = 64,
    width: int = 32,
    rate: float = 3e-3,
    level: float = 0.95,
) -> Estimate:
    """InfoNCE (van den Oord et al. 2018) on held-out data: a lower bound of the MI in nats, in expectation.

    The critic is trained on half of the rows, stopped and scaled on 15 %, and judged on the rest, in independent
    batches of B rows.  Whatever the critic, the expectation of a batch is at most the MI, and at most log B.  The
    interval is one-sided, by the t distribution over the batches.  The value is averaged over several cuts into
    batches.

    Args:
        x, y: shapes (n, d_x) and (n, d_y).
        steps: of training, at most; hidden: units of each of two layers; width: of the features; rate: the largest
            learning rate.

    Raises:
        ValueError: as :func:`rbcore.estimate.base.pair`, for fewer than 100 rows, or for no steps.
    """
    x, y = _checked(x, y, steps)
    held = _train(x, y, generator, contrast, steps, hidden, width, rate)
    test = len(held.x)
    size = min(LARGEST, test // GROUPS)
    groups = test // size
    found = np.empty((REGROUPINGS, groups))
    with torch.no_grad():
        for turn in range(REGROUPINGS):
            order = torch.randperm(test, generator=generator)[: groups * size].reshape(groups, size)
            for group, rows in enumerate(order):
                found[turn, group] = float(contrast(held.scale * held.critic(held.x[rows], held.y[rows])))
    value = float(found.mean())
    # the mean over cuts varies no more than one cut does
    error = math.sqrt(float(found.var(axis=1, ddof=1).mean()) / groups)
    low = max(0.0, value - float(stats.t.ppf(level, groups - 1)) * error)
    warnings = []
    if value > 0.7 * math.log(size):
        warnings.append(f"near the ceiling of log {size} = {math.log(size):.2f} nats: the MI may be much larger")
    if size < 16:
        warnings.append(f"batches of {size} rows are too small")
    d = max(x.shape[1], y.shape[1])
    ci = min(low, max(value, 0.0)), math.inf
    return Estimate("infonce", value, ci, len(x), d, "nats", level, "lower", warning="; ".join(warnings))


def smile(
    x: ArrayLike,
    y: ArrayLike,
    generator: torch.Generator,
    *,
    clip: float = 5.0,
    steps: int = 800,
    hidden: int = 64,
    width: int = 32,
    rate: float = 3e-3,
    level: float = 0.95,
) -> Estimate:
    """SMILE (Song and Ermon 2020) on held-out data, in nats: an estimate of the MI that bounds it on neither side.

    The critic f is trained by the Jensen-Shannon objective.  The estimate is the mean of f over pairs minus the
    logarithm of the mean of exp(f), clipped at exp(-clip) and exp(clip), over rows that do not belong together.
    The interval is the jackknife's, for the limit of this critic, not for the MI.

    Args:
        clip: the largest absolute log density ratio in the second term; less means less variance and more bias.
        x, y, steps, hidden, width, rate: as in :func:`infonce`.

    Raises:
        ValueError: as :func:`infonce`, or for a clip that is not positive.
    """
    x, y = _checked(x, y, steps)
    if not clip > 0:
        raise ValueError(f"clip must be positive, got {clip}")
    held = _train(x, y, generator, jensen_shannon, steps, hidden, width, rate)
    values, variances, sizes, clipped = [], [], [], []
    for rows in np.array_split(np.arange(len(held.x)), max(1, len(held.x) // (4 * LARGEST))):
        with torch.no_grad():
            scores = (held.scale * held.critic(held.x[rows], held.y[rows])).double().numpy()
        n = len(scores)
        joint = scores.diagonal()
        weights = np.exp(scores.clip(-clip, clip))
        np.fill_diagonal(weights, 0)
        total, touching = weights.sum(), weights.sum(axis=0) + weights.sum(axis=1)
        without = (joint.sum() - joint) / (n - 1) - np.log((total - touching) / ((n - 1) * (n - 2)))
        values.append(joint.mean() - math.log(total / (n * (n - 1))))
        variances.append((n - 1) * np.var(without))
        sizes.append(n)
        clipped.append(float(np.mean(joint > clip)))
    share = np.array(sizes) / sum(sizes)
    value = float(share @ values)
    half = float(stats.norm.isf((1 - level) / 2)) * math.sqrt(float(share**2 @ variances))
    warnings = []
    if held.scale == 0:
        warnings.append(
            "the critic found no dependence on the validation part: the interval says nothing of the MI"
        )
    if np.mean(clipped) > 0.1:
        warnings.append(f"the log ratio of {np.mean(clipped):.0%} of the pairs is beyond the clip: biased")
    if value > math.log(sum(sizes)):
        warnings.append("above the logarithm of the number of test rows, which no data set of this size can show")
    d = max(x.shape[1], y.shape[1])
    return Estimate(
        "smile", value, (value - half, value + half), len(x), d, "nats", level, warning="; ".join(warnings)
    )
