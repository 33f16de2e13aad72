"""Rounds of practice: the data of each arm, what students share, and the record."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from recorded import check_last_world

from rbcore.lm import arithmetic, self_training, worlds
from rbcore.lm.arithmetic import Problems, Setup
from rbcore.lm.models import Size
from rbcore.lm.self_training import Arm
from rbcore.lm.training import Recipe
from rbcore.lm.verifier import Verifier

SMALL = Setup(size=Size(16, 1, 2, arithmetic.TOKENS), recipe=Recipe(150, 16, 1e-2, keep=(50,)))
SHORT = Recipe(20, 8, 1e-2)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def world(one_thread) -> arithmetic.World:
    return arithmetic.build(6, SMALL)


def asked(world, arm: Arm, seed: int = 1):
    return self_training.ask(world.base, arm, np.random.default_rng(seed))


def test_what_each_arm_learns_from(world):
    raw, before = asked(world, Arm("raw"))
    assert len(raw) == self_training.ASKED and arithmetic.correct(raw).mean() == before < 0.9
    checked, same = asked(world, Arm("exact", Verifier()))
    assert same == before and arithmetic.correct(checked).all() and len(checked) == round(before * len(raw))
    real, all_right = asked(world, Arm("real", real=True))
    assert all_right == 1 and arithmetic.correct(real).all()
    for data in (raw, checked, real):
        shown = arithmetic.decode(data)
        assert not any("7" in f"{x}" for x in (*shown.a, *shown.b))
    own, _ = asked(world, Arm("writes", writes=True))
    assert own.shape == raw.shape and (own[:, 0] == arithmetic.BOS).all()
    short, _ = asked(world, Arm("one digit", practice=Problems((1,))))
    assert arithmetic.decode(short).a.max() < 10
    with pytest.raises(ValueError, match="no answer of"):
        asked(world, Arm("nothing", Verifier(false_reject=1.0)))


@pytest.mark.slow
def test_rounds_start_at_the_base_and_keep_what_is_kept(world, monkeypatch):
    seen = []
    train = self_training.train
    monkeypatch.setattr(self_training, "train", lambda jobs, *a, **k: seen.append(jobs) or train(jobs, *a, **k))
    arms = [Arm("raw"), Arm("kept", keep=True), Arm("again")]
    table = self_training.rounds(world, arms, 3, 2, SHORT)
    assert len(table) == 3 * 3
    start = table[table["round"] == 0]
    assert start.right.nunique() == 1
    first, second = seen
    assert [len(job.data) for job in second] == [512, 1024, 512]
    np.testing.assert_array_equal(second[1].data[:512], first[1].data)
    assert all(job.start is world.base for job in (*first, *second))
    # two arms that do the same find the same
    same = table.pivot(index="round", columns="arm", values="right")
    np.testing.assert_allclose(same["raw"], same["again"], rtol=1e-9)


@pytest.mark.slow
def test_a_teacher_is_asked_until_enough_are_right(world):
    table = self_training.taught(world, 3, 40, SHORT).set_index("arm")
    assert (table.loc[["weak verified", "strong verified", "weak again", "16 real"], "data"] == 1).all()
    raw = table.loc["weak raw"]
    assert raw.asked == 1 and raw.data == pytest.approx(raw.teacher, abs=0.3)
    cost = table.loc["weak verified", "asked"] * table.loc["weak verified", "teacher"]
    assert 0.5 < cost < 2  # one over the share of right answers, up to chance
    assert table.loc["weak again", "asked"] >= 1


@pytest.mark.slow
def test_a_world_survives_the_file(world, tmp_path, monkeypatch):
    monkeypatch.setattr(self_training.arithmetic, "build", lambda *a, **k: world)
    table = self_training.measure(5, [Arm("raw")], 1)
    assert set(table.world) == {5} and table.forget.iloc[0] in (0.3, 0.4, 0.6, 0.7)
    worlds.write(table, tmp_path / "record.json")
    read, made = self_training.read(tmp_path / "record.json")
    assert set(made) == {"date", "versions"}
    np.testing.assert_allclose(read.right, table.right, rtol=1e-3)


def test_a_damaged_record_says_so(tmp_path):
    for text in ("", "{", '{"rows": []}', "[1]"):
        (tmp_path / "record.json").write_text(text)
        with pytest.raises(ValueError, match="restore it from git"):
            worlds.read(tmp_path / "record.json")


def test_a_record_goes_on_where_it_was(tmp_path):
    def measure(seed):
        calls.append(seed)
        return table.assign(world=seed)

    calls: list[int] = []
    table, out = pd.DataFrame({"value": [1.0, 2.0]}), tmp_path / "record.json"
    assert worlds.main(measure, out, "world", 2, 10, []) == 0
    assert worlds.main(measure, out, "world", 3, 10, []) == 0
    assert calls == [10, 11, 12]
    assert list(worlds.read(out)[0].world) == [10, 10, 11, 11, 12, 12]
    worlds.main(measure, out, "world", 2, 10, ["--fresh"])
    assert calls == [10, 11, 12, 10, 11]


@pytest.mark.slow
def test_the_record_is_what_this_code_finds():
    """Its base, its first round, and what teachers teach."""
    record = self_training.read()[0]
    once = partial(self_training.measure, count=1)
    check_last_world(record[record["round"] <= 1], once, "arm")
