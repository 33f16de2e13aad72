"""Ensembles, sampling, and the laws of prompted answers against brute force over all strings."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch
from oracles import numpy_gpt2
from scipy import stats
from scipy.special import log_softmax

from rbcore.information.finite import entropy, kl, tv
from rbcore.lm import models
from rbcore.lm.language import Language, create, documents, task_law
from rbcore.lm.models import Ensemble, Size, join, log_probs, next_law, sample
from rbcore.lm.prompt import (
    Curation,
    Prompt,
    answers,
    ask,
    divergences,
    generate,
    ideal_gain,
    information_gain,
    passed_entropy,
    prompt_information,
    tag_law,
    verified,
)
from rbcore.lm.training import Job, Recipe, train
from rbcore.lm.verifier import Verifier

TONGUE = create(np.random.default_rng(0), skills=2, letters=2, length=1, skew=0.5)  # 7 tokens, 5 after BOS
STRINGS = np.array([(TONGUE.bos, *s) for s in itertools.product(range(7), repeat=5)])
NONE = np.zeros((1, 0), dtype=np.int64)
RAW, EXACT, ERRS = Curation(verify=False), Curation(), Curation(verifier=Verifier(0.3, 0.4))
WORSE = Curation(verifier=Verifier(1, 0.9))  # it prefers wrong answers
SIZE = Size(8, 2, 2, 18, 4)


pytestmark = pytest.mark.usefixtures("one_thread")


def ensemble(n: int = 1, vocabulary: int = 7, size: Size = SIZE, seed: int = 0) -> Ensemble:
    return models.create(vocabulary, size, np.random.default_rng(seed).spawn(n))


@functools.cache
def sharp(seed: int = 0) -> Ensemble:
    """A model that has read documents with typos, for a short time."""
    rows = documents(TONGUE, np.random.default_rng(seed), [(0,), (0, 1)], 200, 3, typos=0.3)
    return train([Job(ensemble(seed=seed), rows, seed)], Recipe(60, 16, 1e-2)).models


def brute(model: Ensemble, context: np.ndarray = NONE[0], temperature: float = 1.0) -> np.ndarray:
    """The probability of each of all STRINGS after `context`, without torch."""
    (own,) = model.unstacked()
    own = {name: value.numpy() for name, value in own.items() if name != models.HEAD}
    c, prefixes = len(context), STRINGS[::7, :-1]
    whole = np.hstack([np.broadcast_to(context, (len(prefixes), c)), prefixes])
    logits = numpy_gpt2(own, whole, model.module.config.n_head)[:, c:] / temperature
    logs = np.repeat(log_softmax(logits, axis=-1), 7, axis=0)
    return np.exp(np.take_along_axis(logs, STRINGS[:, 1:, None], axis=2).sum(axis=(1, 2)))


def dense(language: Language, skills: list[int], law: np.ndarray) -> np.ndarray:
    """A law on the support as one on all STRINGS."""
    place = {tuple(row): i for i, row in enumerate(STRINGS)}
    found = np.zeros(len(STRINGS))
    found[[place[tuple(row)] for row in language.support(skills)]] = law
    return found


def test_exact_kl_is_brute_force_over_all_strings_without_torch():
    model = sharp(1)
    law = brute(model)
    assert law.sum() == pytest.approx(1) and law[TONGUE.correct(STRINGS)].sum() > 0.2
    for skills in ([0], [1, 0]):
        target = dense(TONGUE, skills, task_law(TONGUE, skills))
        found = models.kl(model, TONGUE, skills)
        assert found.total[0] == pytest.approx(float(kl(target, law)), abs=1e-5)
        tags = np.array([law[STRINGS[:, 1] == s + 2].sum() for s in skills])
        assert found.tag[0] == pytest.approx(-np.log(tags * len(skills)).mean(), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("curation", [RAW, EXACT, ERRS, WORSE])
@pytest.mark.parametrize("anchors", [0, 2])
def test_verifier_temperature_and_prompt_do_to_the_law_what_is_said(temperature, curation, anchors):
    model, task = sharp(2), [1]
    context = Prompt(anchors).contexts(TONGUE.support([0, 1]), np.random.default_rng(3), 1)
    law = brute(model, context[0], temperature)
    right = TONGUE.correct(STRINGS)
    curated = law * np.where(right, *curation.rates)
    accepted = curated.sum()
    curated = curated / accepted
    target = dense(TONGUE, task, task_law(TONGUE, task))
    found = answers(model, TONGUE, Prompt(anchors), context, [0, 1], temperature)
    assert found.outside[0] == pytest.approx(1 - law[(STRINGS[:, 1] >= 2) & (STRINGS[:, 1] < 4)].sum(), abs=1e-5)
    got = divergences(TONGUE, found, task, curation)
    near = {"abs": 2e-5}
    assert got.task[0] == pytest.approx(float(tv(target, law)), **near)
    assert got.generation[0] == got.generation_low[0] == pytest.approx(float(tv(law, curated)), **near)
    assert got.direct[0] == pytest.approx(float(tv(target, curated)), **near)
    assert got.right[0] == pytest.approx(law[right].sum(), **near)
    assert got.kl[0] == pytest.approx(float(kl(target, curated)), **near)
    assert got.off_task[0] == pytest.approx(curated[right & (STRINGS[:, 1] == 2)].sum(), **near)
    assert got.accepted[0] == pytest.approx(accepted, **near)
    assert np.isnan(got.entropy[0]) == (curation is not EXACT)
    if curation is not RAW:
        passed = passed_entropy(found, curation.verifier, float(entropy(law)))
        assert passed[0] == pytest.approx(float(entropy(curated)), **near)
    if curation is EXACT:
        assert got.entropy[0] == pytest.approx(passed[0]) == passed_entropy(found, curation.verifier, 0.0)[0]


def test_a_strict_prompt_fixes_the_tag_and_a_filter_conditions_on_it():
    model = sharp(4)
    law = brute(model)
    tags = STRINGS[:, 1] - 2
    strict = sum(0.5 * np.where(tags == s, law, 0) / law[tags == s].sum() for s in (0, 1))
    found = answers(model, TONGUE, Prompt(tags=(0, 1)), NONE, [0, 1])
    np.testing.assert_allclose(dense(TONGUE, [0, 1], np.exp(found.log_law[0])).sum(),
                               strict[TONGUE.correct(STRINGS)].sum(), atol=1e-5)  # fmt: skip
    target = dense(TONGUE, [0, 1], task_law(TONGUE, [0, 1]))
    assert divergences(TONGUE, found, [0, 1], Curation()).task[0] == pytest.approx(
        float(tv(target, strict)), abs=1e-5
    )
    loose = answers(model, TONGUE, Prompt(), NONE, [0, 1])
    kept = np.where((tags == 1) & TONGUE.correct(STRINGS), law, 0)
    got = divergences(TONGUE, loose, [1], Curation(tags=(1,)))
    assert got.accepted[0] == pytest.approx(kept.sum(), abs=1e-5) and got.off_task[0] == 0
    assert got.direct[0] == pytest.approx(
        float(tv(dense(TONGUE, [1], task_law(TONGUE, [1])), kept / kept.sum())), abs=1e-5
    )
    kept = np.where(tags == 1, law * np.where(TONGUE.correct(STRINGS), 0.6, 0.3), 0)
    got = divergences(TONGUE, loose, [1], Curation(tags=(1,), verifier=Verifier(0.3, 0.4)))
    assert got.accepted[0] == pytest.approx(kept.sum(), abs=1e-5)
    assert got.generation[0] == pytest.approx(float(tv(law, kept / kept.sum())), abs=1e-5)


def test_a_verifier_that_passes_everything_is_none_and_false_rejects_change_no_law():
    found = answers(sharp(2), TONGUE, Prompt(), NONE, [0, 1])
    for one, other in ((Verifier(1, 0), RAW), (Verifier(0.5, 0.5), RAW), (Verifier(0, 0.7), EXACT)):
        got, same = (divergences(TONGUE, found, [0], c)._asdict() for c in (Curation(verifier=one), other))
        for name in set(got) - {"accepted"}:
            np.testing.assert_allclose(got[name], same[name], atol=1e-12, err_msg=name)


def test_a_verifier_without_errors_draws_nothing():
    rng, same = np.random.default_rng(4), np.random.default_rng(4)
    made = generate(sharp(9), TONGUE, Prompt(), NONE, 300, rng)
    asked = ask(sharp(9), TONGUE, Prompt(), NONE, 512, same).tokens
    right = asked[TONGUE.correct(asked)]
    assert (made.tokens[: len(right)] == right[:300]).all() and len(right) > 100
    ask(sharp(9), TONGUE, Prompt(), NONE, 512 * (-(-300 // len(right)) - 1), same)  # as far as it went
    found = answers(sharp(9), TONGUE, Prompt(tags=(0, 1)), NONE, [0, 1])
    law = np.exp(found.log_law[0])
    rng, same = np.random.default_rng(4), np.random.default_rng(4)
    drawn = verified(sharp(9), TONGUE, [0, 1], found.log_law[0], 200, rng)
    rule = TONGUE.support([0, 1])[same.choice(len(law), size=200, p=law / law.sum())]
    np.testing.assert_array_equal(drawn, rule)
    assert rng.bit_generator.state == same.bit_generator.state


@pytest.mark.parametrize("curation", [ERRS, WORSE])
def test_what_an_erring_verifier_passes_has_the_law_that_is_computed(curation):
    """By its verdicts on answers, and where right answers are drawn from their law."""
    model, skills, n = sharp(9), [0, 1], 4000
    found = answers(model, TONGUE, Prompt(tags=(0, 1)), NONE, skills)
    exact = divergences(TONGUE, found, skills, curation)
    after = curation.verifier.after(exact.right[0])
    law = np.append(np.exp(found.log_law[0]) / exact.right[0] * after, 1 - after)
    made = generate(model, TONGUE, Prompt(tags=(0, 1)), NONE, n, np.random.default_rng(1), curation)
    assert abs(made.accepted - exact.accepted[0]) < 5 * np.sqrt(exact.accepted[0] * made.accepted / n)
    drawn = verified(model, TONGUE, skills, found.log_law[0], n, np.random.default_rng(1), curation.verifier)
    place = {tuple(row): i for i, row in enumerate(TONGUE.support(skills))}
    for tokens in (made.tokens, drawn):
        counts = np.bincount([place.get(tuple(row), len(place)) for row in tokens], minlength=len(law))
        assert stats.chisquare(counts, law * n).pvalue > 1e-3
    wrong = [np.unique(t[~TONGUE.correct(t)], axis=0, return_counts=True) for t in (made.tokens, drawn)]
    common = [{tuple(row): c for row, c in zip(*w, strict=True) if c > 40} for w in wrong]
    both = sorted(set(common[0]) & set(common[1]))
    assert len(both) > 1 and stats.chi2_contingency([[c[row] for row in both] for c in common]).pvalue > 1e-3
    few = verified(model, TONGUE, skills, found.log_law[0], 500, np.random.default_rng(1), curation.verifier)
    np.testing.assert_array_equal(few, drawn[:500])


@pytest.mark.parametrize("noise", [0.1, 0.6])
def test_noise_is_inside_its_bracket_and_direct_is_exact(noise):
    model = sharp(5)
    law, right = brute(model), TONGUE.correct(STRINGS)
    clean = np.where(right, law, 0) / law[right].sum()
    other = STRINGS.copy()
    other[:, -2] = np.where(other[:, -2] < 2, 1 - other[:, -2], other[:, -2])  # two letters: the other one
    place = {tuple(row): i for i, row in enumerate(STRINGS)}
    moved = clean[[place[tuple(row)] for row in other]]
    noisy = (1 - noise) * clean + noise * moved
    found = answers(model, TONGUE, Prompt(), NONE, [0, 1])
    got = divergences(TONGUE, found, [0, 1], Curation(noise=noise))
    assert got.generation_low[0] - 1e-5 <= float(tv(law, noisy)) <= got.generation[0] + 1e-5
    target = dense(TONGUE, [0, 1], task_law(TONGUE, [0, 1]))
    assert got.direct[0] == pytest.approx(float(tv(target, noisy)), abs=1e-5)
    assert float(tv(clean, noisy)) == pytest.approx(noise)


def test_a_mixture_of_prompts_is_the_mean_law():
    model = sharp(6)
    contexts = Prompt(1).contexts(TONGUE.support([0, 1]), np.random.default_rng(0), 3)
    laws = np.array([brute(model, context) for context in contexts])
    found = answers(model, TONGUE, Prompt(1), contexts, [0, 1])
    target = dense(TONGUE, [0], task_law(TONGUE, [0]))
    got = divergences(TONGUE, found, [0], Curation(), mixed=True)
    assert got.task[0] == pytest.approx(float(tv(target, laws.mean(axis=0))), abs=1e-5)
    kept = laws * TONGUE.correct(STRINGS)
    kept /= kept.sum(axis=1, keepdims=True)
    exact = float(entropy(kept.mean(axis=0))) - np.mean([float(entropy(k)) for k in kept])
    assert prompt_information(found, Curation(), TONGUE) == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("tags", [None, (0, 1)])
def test_the_information_gain_is_the_entropy_given_the_prompt(tags):
    model = sharp(7)
    contexts = Prompt(1).contexts(TONGUE.support([0, 1]), np.random.default_rng(0), 2)
    exact = []
    for context in contexts:
        law = brute(model, context, 0.8)
        if tags is None:
            exact.append(float(entropy(law)))
        else:
            named = [law * (STRINGS[:, 1] == s + 2) for s in tags]
            exact.append(np.log(2) + np.mean([float(entropy(q / q.sum())) for q in named]))
    found = information_gain(model, TONGUE, Prompt(1, tags), contexts, 4000, np.random.default_rng(1), 0.8)
    assert abs(found.total - np.mean(exact)) < 4 * found.se + 1e-4
    assert found.se < 0.02


def test_the_ideal_gain_is_the_entropy_of_the_documents():
    topics, typos = ((0,), (0, 1)), 0.1
    found = ideal_gain(TONGUE, topics, [[0]], typos)
    weights = np.array([2, 1]) / 3
    tag = np.array([weights @ [1, 1 / 2], weights[1] / 2])
    law = np.einsum("s,x,e->sxe", tag, TONGUE.law, [1 - typos, typos])
    assert found[0] == pytest.approx(float(entropy(law.ravel())))


@pytest.mark.slow
def test_draws_follow_the_exact_law_in_any_context():
    model, rng = sharp(8), np.random.default_rng(2)
    contexts = Prompt(1).contexts(TONGUE.support([0, 1]), rng, 2)
    n = 20_000
    tokens, rows, noted = ask(model, TONGUE, Prompt(1), contexts, n, rng)
    assert rows[:3].tolist() == [0, 1, 0]
    place = {tuple(row): i for i, row in enumerate(STRINGS)}
    for c in range(2):
        law = brute(model, contexts[c])
        counts = np.bincount([place[tuple(t)] for t in tokens[rows == c]], minlength=len(STRINGS))
        common = law > 2e-3
        observed = np.append(counts[common], counts[~common].sum())
        expected = np.append(law[common], law[~common].sum())
        assert stats.chisquare(observed, expected / expected.sum() * counts.sum()).pvalue > 1e-4
    assert noted.shape == (n, 5)


def test_generate_returns_what_passes_and_says_how_much():
    model, rng = sharp(9), np.random.default_rng(3)
    exact = divergences(TONGUE, answers(model, TONGUE, Prompt(), NONE, [0, 1]), [0, 1], Curation())
    made = generate(model, TONGUE, Prompt(), NONE, 300, rng)
    assert len(made.tokens) == 300 and TONGUE.correct(made.tokens).all()
    tried = 300 / made.accepted
    assert abs(made.accepted - exact.accepted[0]) < 5 * np.sqrt(exact.accepted[0] / tried)
    only = generate(model, TONGUE, Prompt(), NONE, 50, rng, Curation(tags=(1,)))
    assert (TONGUE.tags(only.tokens) == 1).all()
    raw = generate(model, TONGUE, Prompt(tags=(0,)), NONE, 50, rng, Curation(verify=False))
    assert raw.accepted == 1 and (TONGUE.tags(raw.tokens) == 0).all()
    again = generate(model, TONGUE, Prompt(), NONE, 300, np.random.default_rng(3))
    assert (again.tokens == made.tokens).all()
    more = generate(model, TONGUE, Prompt(), NONE, 900, np.random.default_rng(3))
    assert (more.tokens[:300] == made.tokens).all()


def test_an_ensemble_is_its_models():
    many = ensemble(3)
    tokens = torch.as_tensor(STRINGS[:50])
    together = many.logits(tokens.expand(3, -1, -1)).detach()
    for i in range(3):
        single = many.model(i)
        torch.testing.assert_close(together[i], single(tokens).logits.detach(), atol=1e-5, rtol=1e-5)
        assert sum(p.numel() for p in single.parameters()) == many.size
        np.testing.assert_array_equal(log_probs(many, STRINGS[:50])[i], log_probs(many[i], STRINGS[:50])[0])
    back = join([many[2], many[:2]])
    np.testing.assert_array_equal(log_probs(back, STRINGS[:5]), log_probs(many[[2, 0, 1]], STRINGS[:5]))


def test_a_context_that_is_cached_is_a_context_that_is_read():
    model = sharp(10)
    context = Prompt(2).contexts(TONGUE.support([0, 1]), np.random.default_rng(0), 1)[0]
    whole = np.hstack([np.broadcast_to(context, (100, len(context))), STRINGS[:100]])
    direct = log_probs(model, whole)[0][:, len(context) :]
    np.testing.assert_allclose(log_probs(model, STRINGS[:100], context, chunk=7)[0], direct, atol=1e-5)
    asked = np.append(context, TONGUE.bos)[None]
    np.testing.assert_allclose(next_law(model, asked)[0].sum(), 1)
    np.testing.assert_allclose(tag_law(model, TONGUE, context[None])[0], next_law(model, asked)[0, 2:4])


def test_making_models_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    one, two = ensemble(2, seed=5), ensemble(2, seed=5)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters.values(), two.parameters.values(), strict=True))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ensemble(0), "at least one"),
        (lambda: ensemble(size=Size(9, 1, 2, 8)), "multiple"),
        (lambda: log_probs(ensemble(), STRINGS[:2], temperature=0), "temperature"),
        (lambda: sample(ensemble(2), NONE, 3, np.random.default_rng(0)), "one model at a time"),
        (lambda: sample(ensemble(), np.array([[4]]), 3, np.random.default_rng(0), -1.0), "temperature"),
        (lambda: join([ensemble(), ensemble(size=Size(8, 1, 2, 18, 4))]), "one architecture"),
        (lambda: Prompt(3).contexts(TONGUE.support([0]), np.random.default_rng(0), 1), "3 anchors"),
        (lambda: information_gain(sharp(), TONGUE, Prompt(), NONE, 1, np.random.default_rng(0)), "two draws"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_laws_that_cannot_be_computed_are_refused():
    found = answers(sharp(), TONGUE, Prompt(), NONE, [0])
    with pytest.raises(ValueError, match="among those"):
        divergences(TONGUE, found, [1], Curation())
    for wrong in (Curation(verify=False, noise=0.1), Curation(noise=0.1, verifier=Verifier(0.1))):
        with pytest.raises(ValueError, match="may repair wrong answers"):
            divergences(TONGUE, found, [0], wrong)
    with pytest.raises(ValueError, match="lets nothing pass"):
        divergences(TONGUE, found, [0], Curation(tags=(1,)))
    for wrong in (RAW, ERRS):
        with pytest.raises(ValueError, match="for right answers"):
            prompt_information(found, wrong, TONGUE)
    with pytest.raises(ValueError, match="lets nothing pass"):
        divergences(TONGUE, found, [0], Curation(verifier=Verifier(0, 1)))
    never = Language(TONGUE.ciphers, TONGUE.law, 1)
    with pytest.raises(ValueError, match="too few pass"):
        generate(
            sharp(), never, Prompt(tags=(0,)), NONE, 5, np.random.default_rng(0), Curation(tags=(1,)), tries=2
        )
