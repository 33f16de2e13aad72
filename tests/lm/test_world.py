"""The small world: data of all kinds, the KL gap in pairs, the loop, and the terms of the bound."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rbcore import lm
from rbcore.information.finite import kl
from rbcore.information.finite import tv as total_variation
from rbcore.lm import bound as lm_bound
from rbcore.lm.training import Recipe

SMALL = lm.Setup(
    own=2, open=4, letters=3, length=2, topic=2, typos=0.1, base=lm.Size(16, 1, 2), generator=lm.Size(16, 1, 2),
    base_recipe=Recipe(400, 16, 1e-2), generator_recipe=Recipe(300, 16, 1e-2),
)  # fmt: skip
QUICK = Recipe(40, 8, 1e-2)
NONE, RNG = np.zeros((1, 0), dtype=np.int64), np.random.default_rng(0)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def world(one_thread) -> lm.World:
    return lm.build(3, SMALL)


@pytest.mark.slow
def test_a_world_is_made_of_its_seed(world, tmp_path):
    again = lm.build(3, SMALL, checkpoint=tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(world.generator.parameters.values(),
                                                 again.generator.parameters.values(), strict=True))  # fmt: skip
    assert (again.losses[0] == world.losses[0]).all() and len(list(tmp_path.glob("*.pt"))) == 2
    other = lm.build(4, dataclasses.replace(SMALL, base_recipe=Recipe(2), generator_recipe=Recipe(2)))
    assert (other.language.ciphers != world.language.ciphers).any()
    assert world.topics == ((2, 3), (3, 4), (4, 5), (5, 2))


def test_the_base_knows_its_own_skills_and_no_others(world):
    own = lm.kl(world.base, world.language, [0, 1]).answer[0]
    other = lm.kl(world.base, world.language, world.skills).answer[0]
    assert own < 1 and other > 2 * np.log(3) * 0.8


def test_mixtures_have_their_share(world):
    rng = np.random.default_rng(0)
    one, other = (world.language.draw(rng, [s], 50) for s in (2, 3))
    for share in (0.0, 0.3, 1.0):
        found = world.language.tags(lm.mix(other, one, share, 5000, rng))
        assert abs((found == 2).mean() - share) < 4 * np.sqrt(0.25 / 5000)
    with pytest.raises(ValueError, match="share"):
        lm.mix(other, one, 1.2, 5, rng)


def test_duplicates_are_of_the_first(world):
    rows = np.arange(12).reshape(6, 2)
    assert lm.duplicate(rows, 2).tolist() == [[0, 1], [2, 3]] * 3
    assert len(lm.duplicate(rows, 4, 10)) == 10
    with pytest.raises(ValueError, match="between 1 and 6"):
        lm.duplicate(rows, 7)


def test_rules_have_the_laws_that_they_say(world):
    language, skills = world.language, world.skills[:2]
    law = lm.rule_law(language, skills)
    np.testing.assert_allclose(law, 1 / 18)
    exact = 2 * -np.log(3) - 2 * (language.law @ np.log(language.law))
    assert float(kl(law, lm.task_law(language, skills))) > 0
    assert float(kl(lm.task_law(language, skills), law)) == pytest.approx(-exact)
    few = lm.rule_law(language, skills, templates=[0, 4], uniform=False)
    kept = language.input_law[[0, 4]].sum()
    assert (few > 0).sum() == 4
    assert float(total_variation(few, lm.task_law(language, skills))) == pytest.approx(1 - kept)
    rows = lm.rule_based(language, skills, few, 4000, np.random.default_rng(1))
    assert language.correct(rows).all()
    counts = [(rows == row).all(axis=1).sum() for row in language.support(skills)[few > 0]]
    assert stats.chisquare(counts, few[few > 0] * 4000).pvalue > 1e-3
    with pytest.raises(ValueError, match="at least one input"):
        lm.rule_law(language, skills, templates=[])


def test_gaps_are_differences_in_pairs(world):
    settings = [(1, 0, 0), (1, 1, 0), (2, 1, 1)]
    how = {"recipe": QUICK, "n": 120, "anchors": 8, "early": (0, 10)}
    table = lm.gap_table(world, settings, [1, 2], **how)
    assert len(table) == 2 * 3 * 5
    np.testing.assert_allclose(table["total"], table[["tag", "input", "answer"]].sum(axis=1))
    found = lm.gaps(table)
    assert found[["K", "J", "L"]].apply(tuple, axis=1).tolist() == settings * 2
    row = table[(table["seed"] == 2) & (table["K"] == 2)].set_index(["arm", "variant"])["total"]
    mine = found[(found["seed"] == 2) & (found["K"] == 2)].iloc[0]
    assert mine["plain"] == row["anchors", "plain"] - row["synthetic", "plain"]
    assert mine["smoothed"] == row["anchors", "smoothed"] - row["synthetic", "smoothed"]
    assert mine["stopped"] == row["anchors", "stopped"] - row["synthetic", "plain"]
    assert row["anchors", "stopped"] <= row["anchors", "plain"]
    alone = lm.gap_table(world, settings[1:2], [2], **how)
    both = table[(table["seed"] == 2) & (table["J"] == 1) & (table["K"] == 1)].reset_index(drop=True)
    assert (alone["total"].to_numpy() == both["total"].to_numpy()).all()
    assert (found["plain"][[1, 4]].to_numpy() > found["plain"][[0, 3]].to_numpy()).all()


@pytest.mark.slow
def test_the_loop_has_a_row_for_everything_and_shares_generation_zero(world, tmp_path):
    arms = [
        lm.Arm("raw"),
        lm.Arm("all", True, True, 20),
        lm.Arm("kept", accumulate=True),
        lm.Arm("real", fresh=60),
    ]
    how = {"generations": 2, "n": 60, "recipe": QUICK}
    found = lm.iterate(world, arms, [1, 2], world.topics[0], **how)
    assert len(found) == 4 * 2 * 3
    zero = found[found["generation"] == 0].set_index(["arm", "seed"])["total"].unstack()
    assert (zero.nunique() == 1).all()
    np.testing.assert_allclose(found["total"], found[["tag", "input", "answer"]].sum(axis=1))
    assert (found[found["arm"] == "raw"]["accepted"] == 1).all()
    assert found["rarest"].between(0, 1).all() and found["off_task"].between(0, 1).all()
    again = lm.iterate(world, arms[:2], [1, 2], world.topics[0], checkpoint=tmp_path, **how)
    assert (again["total"].to_numpy() == found["total"].to_numpy()[found["arm"].isin(["raw", "all"])]).all()
    with pytest.raises(ValueError, match="names of their own"):
        lm.iterate(world, [lm.Arm("a"), lm.Arm("a")], [1], world.topics[0])
    with pytest.raises(ValueError, match="fresh"):
        lm.iterate(world, [lm.Arm("a", fresh=9)], [1], world.topics[0], n=8)


@pytest.mark.slow
@pytest.mark.parametrize("verifier", [lm.Verifier(), lm.Verifier(0.5, 0.3)])
def test_terms_are_risks_under_the_laws_that_they_name(world, verifier):
    language, task, rng = world.language, world.topics[0], np.random.default_rng(5)
    prompt, curation = lm.Prompt(tags=task), lm.Curation(verifier=verifier)
    asked = world.generator, language, prompt, NONE
    data = [lm.generate(*asked, 100, rng, curation).tokens for _ in range(3)]
    models = lm.students(world, data, [1, 1, 1], QUICK)
    found = lm.answers(world.generator, language, prompt, NONE, task)
    raw = lm.ask(*asked, 4000, rng)
    terms = lm.terms(language, models, data, found, task, raw, verifier)
    real = lm.losses(models, language, language.draw(rng, task, 4000))
    passed = lm.generate(*asked, 4000, rng, curation).tokens
    made = lm.losses(models, language, passed)
    for estimate, exact in ((real, terms.task), (made, terms.generated)):
        assert (abs(estimate.mean(axis=1) - exact) < 5 * estimate.std(axis=1) / np.sqrt(4000)).all()
    logs = lm.log_probs(world.generator, passed)[0][:, 1:].sum(axis=1) - np.log(len(task))
    accepted = lm.divergences(language, found, task, curation).accepted[0]
    logs += np.log(np.where(language.correct(passed), *curation.rates) / accepted)
    assert abs(logs.mean() + terms.entropy) < 5 * logs.std() / np.sqrt(4000)
    drawn = lm.losses(models, language, raw.tokens)
    assert (abs(drawn.mean(axis=1) - terms.model) < 5 * drawn.std(axis=1) / np.sqrt(4000)).all()
    charged = np.array([[terms.to_task], [terms.to_generation]])
    assert (abs(terms.steps[:2]) <= charged + 5 * terms.steps_se[:2]).all()
    assert (terms.steps_se[2] > 0).all() == bool(verifier.false_accept)
    np.testing.assert_allclose(terms.steps.sum(axis=0), terms.task - terms.training)
    assert terms.training[0] == pytest.approx(lm.losses(models[0], language, data[0]).mean())
    with pytest.raises(ValueError, match="one prompt"):
        lm.terms(language, models, data, found._replace(log_law=np.zeros((2, 3))), task, raw)
    with pytest.raises(ValueError, match="too few wrong"):
        lm.terms(language, models, data, found, task, raw._replace(tokens=language.draw(rng, task, 4000)))


def test_the_log_loss_of_what_an_erring_verifier_passes_against_draws(world):
    language, task, rng, verifier = (
        world.language,
        world.topics[0],
        np.random.default_rng(6),
        lm.Verifier(0.5, 0.3),
    )
    asked = world.generator, language, lm.Prompt(tags=task), NONE
    found, raw = lm.answers(*asked, task), lm.ask(*asked, 4000, rng)
    made = lm.verified(world.generator, language, task, found.log_law[0], 4000, rng, verifier)
    got = lm.log_terms(language, world.base, [made], found, task, raw, verifier)
    law = lm.Curation(verifier=verifier)
    split = lm.divergences(language, found, task, law)
    assert got.distance == pytest.approx(float(split.kl[0]))
    exact = lm.log_terms(language, world.base, [made], found, task)
    after = verifier.after(split.right[0])
    assert got.ratio == pytest.approx(exact.ratio / after) and got.task[0] == exact.task[0]
    # of draws, -log D_gen is known, so their mean is H(D_gen)
    raw_logs = lm.log_probs(world.generator, made)[0][:, 1:].sum(axis=1) - np.log(len(task))
    rates = np.where(language.correct(made), *law.rates) / split.accepted[0]
    own = -raw_logs - np.log(rates)
    entropy = lm.passed_entropy(found, verifier, raw.entropy.sum(axis=1).mean())[0]
    assert abs(own.mean() - entropy) < 5 * own.std() / np.sqrt(4000)
    excess = lm.log_losses(world.base, language, made)[0] - own
    assert abs(excess.mean() - got.generated[0]) < 6 * excess.std() / np.sqrt(4000)
    assert got.training[0] == pytest.approx(lm.log_losses(world.base, language, made).mean() - entropy)
    with pytest.raises(ValueError, match="needs raw ones"):
        lm.log_terms(language, world.base, [made], found, task, verifier=verifier)


@pytest.mark.slow
def test_synthetic_pools_and_loops_meet_the_verifier_that_is_named(world):
    language, task, lax = world.language, world.topics[0], lm.Verifier(1, 0)
    found = lm.answers(world.generator, language, lm.Prompt(tags=world.skills), NONE, world.skills)
    share = len(world.skills) * np.exp(found.log_law[0]).reshape(len(world.skills), -1).sum(axis=1)
    made = lm.pools(world, 3, 500, 2, verifier=lax)
    right = np.array([language.correct(rows).mean() for rows in made.synthetic])
    assert (abs(right - share) < 5 * np.sqrt(share * (1 - share) / 500)).all() and right.min() < 1
    assert (language.tags(made.synthetic[1]) == world.skills[1]).all()
    few = lm.pools(world, 3, 50, 2, verifier=lax)
    np.testing.assert_array_equal(few.synthetic, made.synthetic[:, :50])
    exact = lm.pools(world, 3, 50, 2)
    assert all(language.correct(rows).all() for rows in exact.synthetic)
    np.testing.assert_array_equal(exact.anchors, few.anchors)
    arms = [lm.Arm("raw"), lm.Arm("checked", verify=True)]
    how = {"generations": 1, "n": 40, "recipe": QUICK}
    table = lm.iterate(world, arms, [1], task, verifier=lax, **how).set_index(["arm", "generation"])
    assert table.accepted["checked", 1] == 1
    table = lm.iterate(world, arms, [1], task, verifier=lm.Verifier(0, 0.5), **how).set_index(
        ["arm", "generation"]
    )
    strict = lm.iterate(world, arms, [1], task, **how).set_index(["arm", "generation"])
    assert table.accepted["checked", 1] < strict.accepted["checked", 1] < 1


def test_the_gaussian_bound_is_above_the_exact_information(world):
    """For W = S ~ N(0, 1) in each of d coordinates, I(S; W + sigma N) = d log(1 + 1 / sigma^2) / 2."""
    runs, rng, sigma = 40, np.random.default_rng(6), 2.0
    one = world.base[[0] * runs]
    values = {n: torch.as_tensor(rng.normal(size=v.shape)) for n, v in one.parameters.items()}
    found = lm.gaussian_information(lm.Ensemble(one.module, values), sigma)
    d = one.size
    exact, expected = d * np.log1p(1 / sigma**2) / 2, d * (1 + 1 / (runs - 1)) / (2 * sigma**2)
    assert exact < found.value and abs(found.value - expected) < 5 * found.se
    with pytest.raises(ValueError, match="three students"):
        lm.gaussian_information(world.base, 1.0)


def test_perturbed_models_are_moved_by_the_noise_that_is_asked_for(world):
    moved = lm.perturb(world.base, 0.1, np.random.default_rng(0))
    away = torch.cat([(moved.parameters[n] - v).flatten() for n, v in world.base.parameters.items()])
    assert abs(float(away.std()) - 0.1) < 0.01
    assert lm.kl(moved, world.language, [0]).total[0] != lm.kl(world.base, world.language, [0]).total[0]


def test_the_loss_difference_bound_is_the_jensen_shannon_divergence():
    rng = np.random.default_rng(7)
    p = np.array([0.5, 0.3, 0.2])  # of d = -1/2, 0, 1/2 is reversed below
    d = rng.choice([0, 1, 2], p=p[::-1], size=(50, 2000)) - 1
    training, ghosts = np.where(d < 0, 0.5, 0.0), np.where(d > 0, 0.5, 0.0)
    found = lm.loss_difference(training, ghosts, 0.5, rng)
    middle = (p + p[::-1]) / 2
    exact = float(kl(p, middle))
    assert abs(found.information.value - exact) < 4 * found.information.se + 1e-4
    assert abs(found.gap.value - 0.15) < 4 * found.gap.se
    assert abs(found.square.value - 0.175) < 4 * found.square.se
    assert found.bound.value == pytest.approx(np.sqrt(2 * found.information.value * found.square.value))
    assert found.gap.value < found.bound.value


def test_rounding_at_random_keeps_the_gap_and_losses_need_no_largest_value():
    rng = np.random.default_rng(9)
    training, ghosts = rng.exponential(3.0, (20, 4000)), rng.exponential(3.3, (20, 4000))
    plain = (ghosts - training).mean()
    for step in (0.5, 4.0):
        found = lm.loss_difference(training, ghosts, step, rng)
        assert abs(found.gap.value - plain) < 4 * step / np.sqrt(2 * training.size)
        assert found.gap.value < found.bound.value


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_the_loss_difference_bound_holds_for_any_losses(seed, most):
    counts = np.random.default_rng(seed).dirichlet(np.full(2 * most + 1, 0.2))
    gap, _, square, bound = lm_bound._difference(counts, 0.3)
    assert abs(gap) <= bound + 1e-12 and gap**2 <= square + 1e-12


def test_the_loss_difference_bound_is_nearly_attained():
    """Small differences of one size: d = 1 or -1 with probability (1 +- t) / 2, information t^2 / 2."""
    t = 0.01
    gap, information, square, bound = lm_bound._difference(np.array([(1 - t) / 2, 0, (1 + t) / 2]), 1.0)
    assert gap == pytest.approx(t) and square == pytest.approx(1)
    assert bound == pytest.approx(t, rel=1e-3) and information == pytest.approx(t**2 / 2, rel=1e-3)


def test_the_terms_of_the_log_loss_against_sums_over_all_sequences(world):
    """The base as a student, against the definitions, written as loops over the support."""
    language, task, rng = world.language, world.topics[0], np.random.default_rng(3)
    prompt = lm.Prompt(tags=task)
    found = lm.answers(world.generator, language, prompt, NONE, task)
    data = [language.draw(rng, task, 50)]
    got = lm.log_terms(language, world.base, data, found, task)
    support = language.support(task)
    law = np.exp(found.log_law[0]) / np.exp(found.log_law[0]).sum()
    target = lm.task_law(language, task)
    model = np.exp(lm.log_probs(world.base, support)[0].sum(axis=1).astype(float))
    by_hand = sum(d * np.log(d / m) for d, m in zip(target, model, strict=True))
    assert got.task[0] == pytest.approx(by_hand)
    assert got.task[0] == pytest.approx(lm.kl(world.base, language, task).total[0], rel=1e-5)
    assert got.generated[0] == pytest.approx(sum(q * np.log(q / m) for q, m in zip(law, model, strict=True)))
    assert got.ratio == pytest.approx(max(target / law))
    assert got.distance == pytest.approx(float(kl(target, law)))
    seen = -lm.log_probs(world.base, data[0])[0].sum(axis=1).mean()
    assert got.training[0] == pytest.approx(seen + sum(law * np.log(law)), rel=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: lm.gap_table(w, [(0, 1, 0)], [1]), "K >= 1"),
        (lambda w: lm.gap_table(w, [(3, 1, 1)], [1]), "at most 4"),
        (lambda w: lm.students(w, [NONE], [1, 2]), "one seed"),
        (lambda w: lm.own_losses(w.base, w.language, []), "one data set"),
        (lambda w: lm.loss_difference(np.zeros((2, 5)), np.zeros((2, 5)), 0.1, RNG), "three runs"),
        (lambda w: lm.loss_difference(np.zeros((3, 5)), np.full((3, 5), np.inf), 0.1, RNG), "finite"),
        (lambda w: lm.loss_difference(np.zeros((3, 5)), np.ones((3, 5)), 0.0, RNG), "positive"),
    ],
)
def test_bad_input_is_refused(world, call, message):
    with pytest.raises(ValueError, match=message):
        call(world)
