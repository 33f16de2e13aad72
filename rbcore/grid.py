"""Rounding the state of training to a grid, so that every processor trains the same model.

Training multiplies rounding errors.  Where a model computes in double precision and its state is rounded every
:data:`STEPS` steps, before errors of 1e-16 have grown to a thousandth of the grid, processors that round
differently train the same model, unless a number lies within an error of the middle between two points of it.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

STEPS = 20  # between two roundings
POINTS, BITS = 2.0**16, 16  # of parameters: points per unit; of Adam's moments: bits that are kept


@torch.no_grad()
def snap(parameters: Iterable[Tensor], optimizer: torch.optim.Adam) -> None:
    """Round double-precision `parameters`, and what `optimizer` keeps of them, in place."""
    low = 52 - BITS
    for value in parameters:
        value.mul_(POINTS).round_().div_(POINTS)
        for moment in (optimizer.state[value][name] for name in ("exp_avg", "exp_avg_sq")):
            moment.view(torch.int64).add_(1 << (low - 1)).bitwise_and_(-(1 << low))
