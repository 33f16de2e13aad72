"""Trained critics: InfoNCE stays below the information, also where there is none; SMILE comes near it."""

import math

import numpy as np
import pytest
import torch
from oracles import gaussian_information, gaussian_pair

from rbcore.estimate import neural as neural
from rbcore.estimate.neural import infonce, smile

SEED = 20250424
pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed=SEED):
    return torch.Generator().manual_seed(seed)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "rho"), [(1, 0.8), (5, 0.6)])
def test_both_come_near_the_information(d, rho):
    x, y = gaussian_pair(np.random.default_rng(SEED), 2000, d, rho)
    truth = gaussian_information(d, rho)
    bound = infonce(x, y, seeded())
    assert bound.sided == "lower" and bound.ci[1] == math.inf
    assert 0.6 * truth < bound.ci[0] < bound.value < 1.1 * truth
    assert bound.ci[0] < truth
    near = smile(x, y, seeded())
    assert near.value == pytest.approx(truth, rel=0.4)
    assert near.ci[0] < near.value < near.ci[1]


@pytest.mark.slow
def test_they_see_what_correlation_does_not():
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=2000)
    y = np.abs(x) + 0.3 * rng.normal(size=2000)
    assert infonce(x, y, seeded()).ci[0] > 0.3
    assert smile(x, y, seeded()).ci[0] > 0.3


@pytest.mark.slow
def test_lower_limit_holds_without_dependence():
    rng = np.random.default_rng(SEED)
    found = [infonce(*gaussian_pair(rng, 300, 10, 0.0), seeded(turn), steps=100) for turn in range(20)]
    assert sum(one.ci[0] > 0 for one in found) <= 3
    assert max(one.value for one in found) < 0.2
    assert min(one.value for one in found) > -0.2  # not scored on what it was trained on


def test_no_row_serves_two_ends():
    x = np.arange(200.0)[:, None]
    parts, same = neural._split(x, x, seeded())
    assert [len(part) for part in parts] == [100, 30, 70]
    values = torch.cat(parts).ravel()
    assert len(torch.unique(values)) == 200
    assert all(torch.equal(one, other) for one, other in zip(parts, same, strict=True))
    assert float(parts[0].mean()) == pytest.approx(0, abs=1e-5) and float(parts[0].std()) == pytest.approx(
        1, abs=0.01
    )


@pytest.mark.slow
def test_ceiling_is_seen():
    x = np.random.default_rng(SEED).normal(size=(600, 2))
    found = infonce(x, x + 1e-3, seeded())
    assert "ceiling" in found.warning
    assert found.value <= math.log(neural.LARGEST)


def test_objectives():
    scores = torch.randn(6, 6, generator=seeded())
    exponentials = scores.exp()
    expected = np.mean([math.log(6 * exponentials[i, i] / exponentials[i].sum()) for i in range(6)])
    assert float(neural.contrast(scores)) == pytest.approx(expected, abs=1e-5)
    assert float(neural.contrast(torch.zeros(6, 6))) == pytest.approx(0, abs=1e-6)
    assert float(neural.jensen_shannon(torch.zeros(6, 6))) == pytest.approx(0, abs=1e-6)
    sigmoid = torch.sigmoid(scores)
    off = [math.log(1 - sigmoid[i, j]) for i in range(6) for j in range(6) if i != j]
    expected = sigmoid.diagonal().log().mean() + np.mean(off) + 2 * math.log(2)
    assert float(neural.jensen_shannon(scores)) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [infonce, smile])
def test_same_seed_same_number_and_nothing_global(estimator):
    x, y = gaussian_pair(np.random.default_rng(SEED), 400, 2, 0.5)
    before = torch.random.get_rng_state()
    first, second, other = (estimator(x, y, seeded(seed), steps=60) for seed in (1, 1, 2))
    assert first == second and first.value != other.value
    assert torch.equal(before, torch.random.get_rng_state())


def test_units_of_the_data_do_not_matter():
    x, y = gaussian_pair(np.random.default_rng(SEED), 400, 2, 0.7)
    first = infonce(x, y, seeded(), steps=100)
    second = infonce(1000 * x + 5, y / 50, seeded(), steps=100)
    assert second.value == pytest.approx(first.value, abs=0.02)


def test_arguments():
    x = np.zeros((50, 1))
    with pytest.raises(ValueError, match="100 rows"):
        infonce(x, x, seeded())
    x = np.random.default_rng(0).normal(size=(120, 1))
    with pytest.raises(ValueError, match="clip"):
        smile(x, x, seeded(), clip=0)
    with pytest.raises(ValueError, match="step"):
        infonce(x, x, seeded(), steps=0)
