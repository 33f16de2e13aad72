"""Comparisons of students: arms in pairs, facts about prompted data, other generators and other bases."""

from __future__ import annotations

import numpy as np
import pytest

from rbcore import lm
from rbcore.lm import study
from rbcore.lm.study import NOTHING, Way, by_arm, paired
from rbcore.lm.training import Recipe

SMALL = lm.Setup(
    own=2, open=4, letters=3, length=2, topic=2, typos=0.1, base=lm.Size(16, 1, 2), generator=lm.Size(16, 1, 2),
    base_recipe=Recipe(200, 16, 1e-2), generator_recipe=Recipe(300, 16, 1e-2),
)  # fmt: skip
QUICK = Recipe(30, 8, 1e-2)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def world(one_thread) -> lm.World:
    return lm.build(3, SMALL)


def test_arms_are_compared_in_pairs_and_each_is_the_student_of_its_data(world):
    task = world.topics[0]
    data = {s: world.language.draw(np.random.default_rng(s), task, 40) for s in (5, 6)}
    arms = {("few", 4): lambda s: data[s][:4], "all": data.get, "again": data.get}
    table = study.study(world, task, arms, [5, 6], QUICK)
    assert list(table["arm"]) == [a for a in arms for _ in range(2)] and list(table["seed"]) == [5, 6] * 3
    np.testing.assert_allclose(table["tag"] + table["input"] + table["answer"], table["total"], rtol=1e-6)
    alone = lm.students(world, [data[6]], [6], QUICK)
    rows = by_arm(table)
    assert rows["all"][1] == pytest.approx(lm.kl(alone, world.language, task).total[0], rel=1e-5)
    np.testing.assert_array_equal(rows["all"], rows["again"])
    assert list(rows) == list(arms) and (rows["few", 4] != rows["all"]).all()
    assert list(paired(table, "tag").columns) == [5, 6]
    with pytest.raises(ValueError, match="at least one arm"):
        study.study(world, task, {}, [1])


def test_prompted_students_come_with_the_facts_about_their_data(world):
    task = world.topics[0]
    pools = {s: world.language.draw_each(np.random.default_rng(s), task[:1], 6) for s in (1, 2)}
    ways = [Way(0), Way(1), Way(0, strict=True), Way(0, strict=True, verify=False), Way(0, temperature=0.5)]
    table = study.prompted(world, task, pools, ways, 60, contexts=5, recipe=QUICK)
    assert len(table) == 10 and (table["seed"] == [1, 2] * 5).all()
    strict = table[table["strict"]]
    assert (strict["off_task"] == 0).all() and np.allclose(strict["gain_tag"], np.log(2))
    assert (table[~table["verify"]]["accepted"] == 1).all() and (table[table["verify"]]["accepted"] < 1).all()
    assert (table["gain"] > table["gain_tag"]).all()
    loose = table[(table["anchors"] == 0) & ~table["strict"]]
    cold, warm = loose[loose["temperature"] == 0.5], loose[loose["temperature"] == 1]
    assert cold["gain"].max() < warm["gain"].min()
    # raw and verified answers come from one stream: the gain, which is that of raw answers, is the same
    raw, fine = strict[~strict["verify"]], strict[strict["verify"]]
    np.testing.assert_array_equal(raw["gain"], fine["gain"])
    err = study.prompted(world, task, pools, ways[2:4], 60, 5, lm.Verifier(0.8, 0.6), recipe=QUICK)
    np.testing.assert_array_equal(err["gain"], table["gain"][4:8])
    np.testing.assert_array_equal(err["total"][2:], table["total"][6:8])  # raw answers are the same
    assert (err["answer"][:2].to_numpy() > table["answer"][4:6].to_numpy()).all()


@pytest.mark.slow
def test_other_generators_keep_their_snapshots_and_get_better(world):
    recipe = Recipe(300, 16, 1e-2, keep=(5,))
    grown = study.grow_generator(world, lm.Size(16, 1, 2), recipe, 1)
    assert sorted(grown.snapshots) == [5, 300] and grown.parameters == world.generator.size
    prompt = lm.Prompt(tags=world.topics[0])
    right = [
        lm.divergences(
            world.language,
            lm.answers(grown.snapshots[k], world.language, prompt, NOTHING, world.topics[0]),
            world.topics[0],
            lm.Curation(),
        ).right[0]
        for k in (5, 300)
    ]
    assert right[0] < right[1]


def test_a_world_with_another_base_has_students_of_that_size(world):
    wide = study.with_base(world, lm.Size(24, 1, 2), Recipe(200, 16, 1e-2), 1)
    assert wide.base.size > world.base.size and wide.generator is world.generator
    own, others = (lm.kl(wide.base, world.language, skills).answer[0] for skills in ([0, 1], world.skills))
    assert own < others  # it has read its own skills
    data = world.language.draw(np.random.default_rng(0), world.topics[0], 20)
    assert lm.students(wide, [data], [1], QUICK).size == wide.base.size
