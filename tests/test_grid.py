"""Training on a grid: rounding errors do not grow, whatever the processor rounds."""

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
