"""Tries with a verifier: chances against the sampler, profiles against sums, and the record."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from recorded import check_last_world

from rbcore.lm import arithmetic, self_training, tries
from rbcore.lm.arithmetic import Setup
from rbcore.lm.models import Size
from rbcore.lm.training import Recipe

SMALL = Setup(size=Size(16, 1, 2, arithmetic.TOKENS), recipe=Recipe(150, 16, 1e-2, keep=(50,)))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def world(one_thread) -> arithmetic.World:
    return arithmetic.build(6, SMALL)


def test_chances_are_those_of_the_assessment(world):
    law = self_training.TASK.weights()
    found = tries.chances(world.base)
    assert found.shape == (10_000,) and found.min() > 0 and found.max() < 1
    assert found @ law == pytest.approx(arithmetic.assess(world.base, self_training.TASK, 7).right[0])


@pytest.mark.slow
def test_chances_at_a_temperature_are_how_often_answers_are_right(world):
    a, b = np.full(20_000, 3), np.full(20_000, 4)
    for temperature in (0.5, 2.0):
        drawn = arithmetic.answer(world.base, a, b, np.random.default_rng(1), temperature)
        wanted = tries.chances(world.base, temperature)[3 * arithmetic.NUMBERS + 4]
        assert arithmetic.correct(drawn).mean() == pytest.approx(wanted, abs=0.015)


def test_a_profile_by_hand():
    law = np.array([0.5, 0.3, 0.2, 0.0])
    found = tries.profile(np.array([0.5, 0.2, 0.01, 0.0]), law)
    assert found["right"] == pytest.approx(0.25 + 0.06 + 0.002)
    assert found["loss"] == pytest.approx(-(0.5 * np.log(0.5) + 0.3 * np.log(0.2) + 0.2 * np.log(0.01)))
    assert found["missed 4"] == pytest.approx(0.5) and found["missed 64"] == pytest.approx(0.2)
    assert found["failed 4"] == pytest.approx(0.5 * 0.5**4 + 0.3 * 0.8**4 + 0.2 * 0.99**4)


@pytest.mark.slow
def test_a_study_has_every_model_and_a_student_of_right_answers(world, monkeypatch):
    seen = []
    train = tries.train
    monkeypatch.setattr(tries, "train", lambda jobs, *a, **k: seen.append(jobs) or train(jobs, *a, **k))
    table = tries.study(world, 3, Recipe(20, 8, 1e-2))
    assert len(table) == len(tries.MODELS) * len(tries.TEMPERATURES) + 1
    ((job,),) = seen
    student = table[table.model == "student"].iloc[0]
    assert arithmetic.correct(job.data).all() and len(job.data) == round(student.solved * self_training.ASKED)
    assert student.right > table[(table.model == "base") & (table.temperature == 1)].right.iloc[0]
    shares = table.share.unique()
    assert len(shares) == 1 and 0 < shares[0] < 1 and 0 <= student.posed <= 1


def test_ranks_are_one_for_what_is_in_order():
    chance = np.array([[0.1, 0.2], [0.3, 0.3], [0.05, 0.9]])
    rows = [{"model": "base", "world": 1} | tries.profile(c, np.array([0.5, 0.5])) for c in chance]
    rows.append(rows[0] | {"model": "student", "right": 9.0})
    found = tries.ranks(pd.DataFrame(rows), [4]).set_index("predictor")["rank"]
    order = np.argsort(np.argsort([1 - row["failed 4"] for row in rows[:3]]))
    wanted = np.corrcoef(order, np.argsort(np.argsort(chance.mean(axis=1))))[0, 1]
    assert found["right"] == pytest.approx(wanted)


@pytest.mark.slow
def test_the_record_is_what_this_code_finds():
    check_last_world(tries.read()[0], tries.measure, "model")
