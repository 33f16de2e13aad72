"""Adam on a grid, so that every processor trains the same model.

Training multiplies rounding errors.  Where a model computes in double precision and the state of training is
rounded every :data:`STEPS` steps, before errors of 1e-16 have grown to a thousandth of the grid, processors that
round differently train the same model, unless a number lies within an error of the middle of two points of it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import torch
from torch import Tensor

STEPS = 20  # between two roundings
POINTS, BITS = 2.0**16, 16  # of parameters: points per unit; of Adam's moments: bits that are kept


class Adam:
    """Adam without weight decay (Kingma and Ba 2015) for double-precision parameters, which :meth:`snap` rounds.

    That of torch imports a compiler at its first use, which costs more than training a small network.
    """

    def __init__(self, parameters: Iterable[Tensor], rate: float, betas: tuple[float, float] = (0.9, 0.999)):
        self.parameters, self.rate, self.betas, self.steps = list(parameters), rate, betas, 0
        if any(value.dtype != torch.float64 for value in self.parameters):
            raise ValueError("only a state in double precision is the same on every processor")
        self.moments = [(torch.zeros_like(value), torch.zeros_like(value)) for value in self.parameters]

    @torch.no_grad()
    def step(self, loss: Tensor) -> None:
        """One step down the gradient of `loss`; every :data:`STEPS` steps the state is rounded."""
        self.steps += 1
        one, two = (1 - beta**self.steps for beta in self.betas)
        slopes = torch.autograd.grad(loss, self.parameters)
        for value, slope, (first, second) in zip(self.parameters, slopes, self.moments, strict=True):
            first.lerp_(slope, 1 - self.betas[0])
            second.mul_(self.betas[1]).addcmul_(slope, slope, value=1 - self.betas[1])
            value.addcdiv_(first, (second.sqrt() / math.sqrt(two)).add_(1e-8), value=-self.rate / one)
        if self.steps % STEPS == 0:
            self.snap()

    def snap(self) -> None:
        """Round parameters and moments."""
        snap(self.parameters, itertools.chain(*self.moments))


@torch.no_grad()
def snap(parameters: Iterable[Tensor], moments: Iterable[Tensor]) -> None:
    """Round the state of training with Adam, double-precision tensors, in place."""
    low = 52 - BITS
    for value in parameters:
        value.mul_(POINTS).round_().div_(POINTS).add_(0.0)  # one zero, not two
    for moment in moments:
        moment.view(torch.int64).add_(1 << (low - 1)).bitwise_and_(-(1 << low))
