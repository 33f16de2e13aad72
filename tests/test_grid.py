"""Training on a grid: rounding errors do not grow, whatever the processor rounds."""

import os
import subprocess
import sys

import pytest
import torch

from rbcore import grid


def slope(weights: torch.Tensor) -> torch.Tensor:
    return torch.tanh(weights @ weights.T + torch.linspace(-1, 1, 6, dtype=torch.float64)).pow(2).sum()


def trained(error: float, steps: int = 400) -> torch.Tensor:
    """Parameters after training in which every step adds a rounding error of so much."""
    noise = torch.Generator().manual_seed(1)
    weights = torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    optimizer = grid.Adam([weights], 0.02)
    for _ in range(steps):
        optimizer.step(slope(weights))
        if optimizer.steps % grid.STEPS:
            weights.data += error * torch.randn(6, 6, generator=noise, dtype=torch.float64)
    return weights.detach()


def test_another_rounding_trains_the_same_model():
    assert torch.equal(trained(0.0), trained(1e-15)) and not torch.equal(trained(0.0), trained(1e-3))


def test_it_is_adam(monkeypatch):
    monkeypatch.setattr(grid, "STEPS", 1000)
    ours = torch.full((6, 6), 0.3, dtype=torch.float64).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    one, two = grid.Adam([ours], 0.02), torch.optim.Adam([theirs], lr=0.02)
    for _ in range(30):
        one.step(slope(ours))
        two.zero_grad()
        slope(theirs).backward()
        two.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_the_state_lies_on_the_grid():
    weights = trained(0.0, steps=grid.STEPS)
    assert torch.equal(weights * grid.POINTS, (weights * grid.POINTS).round())


def test_single_precision_is_refused():
    with pytest.raises(ValueError, match="double precision"):
        grid.Adam([torch.zeros(2)], 0.1)


TRAINING = """
import hashlib, sys
import numpy as np, torch
from rbcore.lm import models
from rbcore.lm.language import create
from rbcore.lm.training import Job, Recipe, train
torch.set_num_threads(1)
language = create(np.random.default_rng(1))
starts = [models.create(language.vocabulary, models.Size(), [np.random.default_rng(i)]) for i in range(4)]
data = language.draw(np.random.default_rng(2), range(8), 256)
done = train([Job(start, data, i) for i, start in enumerate(starts)], Recipe(100, 12, 6e-3))
digest = hashlib.sha256()
for value in done.models.parameters.values():
    digest.update(value.numpy().tobytes())
losses = hashlib.sha256(done.losses.tobytes())
print(torch.backends.cpu.get_cpu_capability(), digest.hexdigest(), losses.hexdigest())
"""


@pytest.mark.slow
def test_language_models_come_out_bit_for_bit_alike_with_and_without_vector_instructions():
    plain = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "NPY_DISABLE_CPU_FEATURES": ""}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", TRAINING], env=os.environ | extra, stdout=subprocess.PIPE, text=True
        )
        for extra in ({}, plain)
    ]
    (own, models, loss), (other, others, lost) = (run.communicate(timeout=120)[0].split() for run in runs)
    assert other == "DEFAULT"
    assert models == others
    if own != other:
        assert loss != lost  # within twenty steps the two do part: it is the grid that brings them together
