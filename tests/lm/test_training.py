"""Training: the same as one model at a time, whatever the stack, and whatever interrupts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from rbcore.lm import models, training
from rbcore.lm.language import create
from rbcore.lm.models import Ensemble, Size, join, log_probs
from rbcore.lm.training import Job, Recipe, batches, checkpoints, train

TONGUE = create(np.random.default_rng(0), skills=3, letters=3, length=2)


pytestmark = pytest.mark.usefixtures("one_thread")


def start(seed: int = 0, heads: int = 2) -> Ensemble:
    return models.create(TONGUE.vocabulary, Size(16, 1, heads, TONGUE.tokens), [np.random.default_rng(seed)])


def jobs(n: int) -> list[Job]:
    base = start()
    return [Job(base, TONGUE.draw(np.random.default_rng(i), range(3), 20 + i), i) for i in range(n)]


def same(a: Ensemble, b: Ensemble) -> None:
    assert all(torch.equal(a.parameters[name], b.parameters[name]) for name in a.parameters)


def test_losses_are_those_of_a_plain_loop_over_transformers_models():
    recipe = Recipe(30, 8, keep=(10,))
    found = train(jobs(3), recipe)
    for i, job in enumerate(jobs(3)):
        model = job.start.model(0).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=recipe.rate, betas=(0.9, 0.98))
        for step, rows in enumerate(batches(job.data, job.seed, recipe)):
            optimizer.param_groups[0]["lr"] = recipe.rate_at(step)
            tokens = torch.as_tensor(job.data[rows])
            loss = model(tokens, labels=tokens).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            assert found.losses[step, i] == pytest.approx(loss.item(), abs=1e-4)
            if step == 9:
                near = log_probs(found.snapshots[10][i], job.data)[0]
                logits = model(tokens[:, :-1]).logits.log_softmax(-1)
                mine = logits.gather(-1, tokens[:, 1:, None])[..., 0].detach().numpy()
                np.testing.assert_allclose(near[rows], mine, atol=1e-3)
    assert found.losses[-1].mean() < found.losses[0].mean() / 2


def test_numbers_do_not_depend_on_companions():
    recipe = Recipe(12, 4)
    whole = train(jobs(5), recipe, stack=5)
    for stack in (1, 2):
        again = train(jobs(5), recipe, stack=stack)
        same(again.models, whole.models)
        np.testing.assert_array_equal(again.losses, whole.losses)
    alone = train(jobs(5)[3:4], recipe)
    same(alone.models, whole.models[3])


def test_training_changes_neither_its_start_nor_global_randomness():
    mine, state = jobs(1), torch.get_rng_state()
    before = {name: value.clone() for name, value in mine[0].start.parameters.items()}
    np.random.seed(1)  # noqa: NPY002
    other = np.random.get_state()[1].copy()  # noqa: NPY002
    train(mine, Recipe(3, 4))
    assert all(torch.equal(before[name], value) for name, value in mine[0].start.parameters.items())
    assert torch.equal(state, torch.get_rng_state())
    assert (np.random.get_state()[1] == other).all()  # noqa: NPY002


def test_the_rate_warms_up_and_falls_to_its_floor():
    recipe = Recipe(100, 4, rate=0.1, warmup=0.1, floor=0.2)
    rates = [recipe.rate_at(step) for step in range(101)]
    np.testing.assert_allclose(rates[:10], 0.1 * np.arange(1, 11) / 10)
    assert (np.diff(rates[10:]) < 0).all() and rates[100] == pytest.approx(0.02)
    assert Recipe(100, 4, rate=0.1).rate_at(0) == 0.1


def test_snapshots_are_shorter_runs_of_the_same_schedule():
    found = train(jobs(2), Recipe(9, 4, keep=(0, 4, 9)), stack=1)
    same(found.snapshots[9], found.models)
    same(found.snapshots[0], join([start(), start()]))
    assert not torch.equal(
        found.snapshots[4].parameters[models.EMBEDDING], found.models.parameters[models.EMBEDDING]
    )


KILLED = """
import sys, torch
torch.set_num_threads(1)
sys.path.insert(0, "tests/lm")
from test_training import LONG, jobs
from rbcore.lm.training import train
train(jobs(3), LONG, stack=2, checkpoint=sys.argv[1], every=20)
"""
LONG = Recipe(400, 4, keep=(10,))


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_undisturbed(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        states = [torch.load(f, weights_only=True)["done"] for f in tmp_path.glob("*.pt")]
        if any(40 <= done < LONG.steps for done in states):
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it was killed"
    (left,) = [torch.load(f, weights_only=True)["done"] for f in tmp_path.glob("*.pt")]
    assert 0 < left < LONG.steps
    again = train(jobs(3), LONG, stack=2, checkpoint=tmp_path, every=20)
    undisturbed = train(jobs(3), LONG, stack=3)
    same(again.models, undisturbed.models)
    same(again.snapshots[10], undisturbed.snapshots[10])
    np.testing.assert_array_equal(again.losses, undisturbed.losses)


def test_a_finished_stack_is_not_trained_again(tmp_path, monkeypatch):
    recipe = Recipe(6, 4, keep=(3,))
    first = train(jobs(3), recipe, stack=2, checkpoint=tmp_path)
    files = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.pt")}
    assert len(files) == 2
    next(iter(files)).with_name(f".{next(iter(files)).name}.123").write_bytes(b"half a file")
    monkeypatch.setattr(training, "loss", lambda *_: pytest.fail("trained again"))
    again = train(jobs(3), recipe, stack=2, checkpoint=tmp_path)
    same(again.models, first.models)
    same(again.snapshots[3], first.snapshots[3])
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.pt")} == files


def test_a_build_names_the_folder_of_checkpoints_and_elsewhere_there_is_none(tmp_path, monkeypatch):
    for value, folder in ((str(tmp_path), tmp_path), ("", None)):
        monkeypatch.setenv("RBCORE_CHECKPOINTS", value)
        assert checkpoints() == folder
    monkeypatch.delenv("RBCORE_CHECKPOINTS")
    assert checkpoints() is None


def test_another_recipe_seed_start_architecture_or_data_is_another_run(tmp_path):
    (job,) = jobs(1)
    other = job.data.copy()
    other[0, 2] = (other[0, 2] + 1) % 3
    runs = [
        ([job], Recipe(2, 4)),
        ([job], Recipe(2, 4, rate=1e-3)),
        ([job._replace(seed=7)], Recipe(2, 4)),
        ([job._replace(data=other)], Recipe(2, 4)),
        ([job._replace(start=start(1))], Recipe(2, 4)),
        ([job._replace(start=start(heads=4))], Recipe(2, 4)),
    ]
    for i, (mine, recipe) in enumerate(runs):
        train(mine, recipe, checkpoint=tmp_path)
        assert len(list(tmp_path.glob("*.pt"))) == i + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"jobs": []}, "at least one job"),
        ({"stack": 0}, "at least one"),
        ({"data": np.zeros((0, 8), int)}, "at least one sequence"),
        ({"data": np.zeros((2, 99), int)}, "reads"),
        ({"data": np.full((2, 8), 99)}, "tokens in"),
        ({"start": join([start(), start()])}, "one model"),
    ],
)
def test_bad_jobs_are_refused(change, message):
    mine = change.pop("jobs", None)
    stack = change.pop("stack", 2)
    with pytest.raises(ValueError, match=message):
        train([jobs(1)[0]._replace(**change)] if mine is None else mine, Recipe(2, 4), stack)


@pytest.mark.parametrize("change", [{"steps": 0}, {"rate": 0.0}, {"floor": 2.0}, {"keep": (9,), "steps": 8}])
def test_bad_recipes_are_refused(change):
    with pytest.raises(ValueError):
        Recipe(**change)
