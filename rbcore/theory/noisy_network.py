"""Small networks with noise in every layer, many of them side by side, and what their layers know of the input.

A layer is `T_l = tanh(A_l T_{l-1} + b_l) + s N` with standard normal `N`: whatever the weights, the noise is added
to a point of the cube [-1, 1]^width.  All networks of a batch are one set of tensors with the batch in front, as
torch wants it, in double precision.  Information is in nats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from rbcore import grid
from rbcore.theory.contraction import gaussian_kl

DTYPE = torch.float64


def circle(k: int) -> Tensor:
    """The `k` wind directions as points of the unit circle, shape (k, 2)."""
    angle = 2 * math.pi * torch.arange(k, dtype=DTYPE) / k
    return torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)


class NoisyNetworks(torch.nn.Module):
    """Networks with the same shape, side by side.

    Args:
        noise: the standard deviation `s` of each network's layer noise; its length B is the number of networks.
        layers: number of hidden layers.
        width: units per hidden layer.
        sizes: of the input and of the output.
        generator: for the initial weights, `A` from N(0, 2 / inputs of the layer), `b` zero.
    """

    def __init__(
        self,
        noise: Sequence[float],
        layers: int,
        width: int,
        sizes: tuple[int, int],
        generator: Generator,
    ) -> None:
        super().__init__()
        self.noise = torch.as_tensor(noise, dtype=DTYPE)
        if self.noise.ndim != 1 or (self.noise < 0).any():
            raise ValueError(f"noise holds one standard deviation per network, none negative, got {noise}")
        if layers < 1 or width < 1:
            raise ValueError(f"at least one layer of one unit, got {layers} layers of {width}")
        dims = [sizes[0], *[width] * layers, sizes[1]]
        self.weights, self.biases = torch.nn.ParameterList(), torch.nn.ParameterList()
        for before, after in zip(dims, dims[1:], strict=False):
            start = torch.from_numpy(generator.standard_normal((len(self.noise), before, after)))
            self.weights.append(start * math.sqrt(2 / before))
            self.biases.append(torch.zeros(len(self.noise), 1, after, dtype=DTYPE))

    @property
    def layers(self) -> int:
        """The number of hidden layers."""
        return len(self.weights) - 1

    def means(self, layer: int, t: Tensor) -> Tensor:
        """The mean of hidden layer `layer` (from 1) given what comes in: (B, N, inputs) -> (B, N, width)."""
        return torch.tanh(torch.baddbmm(self.biases[layer - 1], t, self.weights[layer - 1]))

    def hidden(self, x: Tensor, generator: Generator) -> list[Tensor]:
        """One draw of `T_0 = x` (N, inputs), `T_1`, .., `T_L`, each (B, N, width), with fresh noise."""
        states = [x.expand(len(self.noise), *x.shape)]
        for layer in range(1, self.layers + 1):
            mean = self.means(layer, states[-1])
            fresh = torch.from_numpy(generator.standard_normal(tuple(mean.shape)))
            states.append(mean + self.noise[:, None, None] * fresh)
        return states

    def forward(self, x: Tensor, generator: Generator) -> Tensor:
        """The outputs for inputs `x` (N, inputs) after one draw of the noise, shape (B, N, outputs)."""
        return torch.baddbmm(self.biases[-1], self.hidden(x, generator)[-1], self.weights[-1])


def train(
    networks: NoisyNetworks, x: Tensor, steps: int, copies: int, generator: Generator, rate: float = 0.02
) -> Tensor:
    """Teach each network to tell the points `x` (k, inputs) apart; mean cross-entropy per step, (steps, B), nats.

    Every step sees each point `copies` times, with fresh noise, and is one of Adam at the rate `rate`.  The state
    is rounded as :mod:`rbcore.grid` says, so that other processors train the same networks.
    """
    inputs, labels = x.repeat(copies, 1), torch.arange(len(x)).repeat(copies)
    labels = labels.expand(len(networks.noise), -1)
    optimizer = grid.Adam(networks.parameters(), rate)
    history = []
    for _ in range(steps):
        outputs = networks(inputs, generator)
        each = torch.nn.functional.cross_entropy(outputs.transpose(1, 2), labels, reduction="none").mean(dim=1)
        optimizer.step(each.sum())
        history.append(each.detach())
    optimizer.snap()
    return torch.stack(history)


@torch.no_grad()
def error(networks: NoisyNetworks, x: Tensor, copies: int, generator: Generator) -> np.ndarray:
    """The share of `copies` noisy passes of each point `x` (k, inputs) that end in a wrong answer, shape (B,)."""
    answers = networks(x.repeat(copies, 1), generator).argmax(dim=2)
    return (answers != torch.arange(len(x)).repeat(copies)).double().mean(dim=1).numpy()


@torch.no_grad()
def information(
    networks: NoisyNetworks,
    x: Tensor,
    particles: int,
    generator: Generator,
    layers: Iterable[int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """`I(U; T_l)` for a uniform choice `U` among the points `x` (k, inputs), from below and from above.

    Each point is sent through `particles` times.  The density of `T_l` given the layer before is Gaussian, so
    `p(t | u)` is the mean of known densities over what the layer before can be.  The mean over the particles that
    did not make `t` is unbiased, and its logarithm too small on average (Jensen); with the one that made `t`
    among them the logarithm is too large on average (Sobolev and Vetrov 2019).  Both errors fall like one over
    `particles`.  Returns (lower, upper), each (layers, B) in nats: the expectation of `lower` is at most the
    information, and that of `upper` at least.  A network without noise is not estimated: NaN; nor is a layer that
    is not among `layers`, if these are given.

    Raises:
        ValueError: for fewer than two particles: the lower estimate leaves one out.
    """
    if particles < 2:
        raise ValueError(f"at least two particles per point are needed, got {particles}")
    k, batch = len(x), len(networks.noise)
    states = networks.hidden(x.repeat_interleave(particles, dim=0), generator)  # point by point
    lower, upper = np.full((2, networks.layers, batch), np.nan)
    for layer in range(1, networks.layers + 1) if layers is None else layers:
        centres, drawn = networks.means(layer, states[layer - 1]), states[layer]
        for b in np.flatnonzero(networks.noise.numpy() > 0):
            scaled = torch.cdist(drawn[b], centres[b]) / networks.noise[b]
            low, high = _sandwich(-(scaled**2) / 2, k)
            lower[layer - 1, b], upper[layer - 1, b] = low, high
    return lower, upper


def _sandwich(logs: Tensor, k: int) -> tuple[float, float]:
    """The two estimates from `logs`, the log density of draw i from the centre of particle j, (k M, k M)."""
    m = len(logs) // k
    points = torch.arange(k)
    blocks = logs.reshape(k, m, k, m)
    sums = torch.logsumexp(blocks, dim=3)  # (point, draw, point): over the particles of the second point
    others = blocks[points, :, points].masked_fill(torch.eye(m, dtype=torch.bool), -math.inf)
    rest = torch.logsumexp(others, dim=2) - math.log(m - 1)
    own = sums[points, :, points] - math.log(m)
    with_all = torch.logsumexp(sums, dim=2) - math.log(k * m)
    sums[points, :, points] = -math.inf
    apart = torch.logsumexp(sums, dim=2) - math.log(k * m)
    without = torch.logaddexp(apart, rest - math.log(k))
    return float((rest - with_all).mean()), float((own - without).mean())


def ceiling(noise: Sequence[float], layers: int, width: int, k: int) -> np.ndarray:
    """`eta^l log k` for l = 1..layers, nats, shape (layers, B): no weights whatever let more pass.

    The means of a layer lie in a cube whose half diagonal is sqrt(width), so `eta` is that of Gaussian noise with
    a reach of sqrt(width) / s, and one without noise.
    """
    s = np.asarray(noise, dtype=float)
    reach = np.sqrt(width) / np.where(s > 0, s, 1)
    eta = np.where(s > 0, gaussian_kl(reach), 1.0)
    return eta ** np.arange(1, layers + 1)[:, None] * math.log(k)
