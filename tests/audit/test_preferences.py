"""Pairs of answers: nearly the same, longer ones and contradictions are found; clean pairs are not accused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_texts import prepared
from scipy import stats

from rbcore.audit.questions import LEVEL, alike, contradicted, longer
from rbcore.audit.questions.preferences import beyond

QUESTIONS = (alike, longer, contradicted)


def answers(rng, n, least=10, most=40):
    names = np.array([f"w{i}" for i in range(2000)])
    return [" ".join(rng.choice(names, size=k)) for k in rng.integers(least, most, size=n)]


def asked(rng, chosen, rejected, prompts=None, task=None):
    """What the three questions find of pairs; the anchors are pairs where `task` is given."""
    n = len(chosen)
    prompts = prompts or [f"question {i}" for i in range(n)]
    parts = {"SYNTH": {"prompt": prompts, "answer": chosen, "rejected": rejected}}
    anchors = answers(rng, 60)
    if task is not None:
        anchors = task[0]
        parts["ANCHOR"] = {
            "prompt": [f"task {i}" for i in range(len(anchors))],
            "answer": task[0],
            "rejected": task[1],
        }
    whole = [f"{a} {b}" for a, b in zip(prompts, chosen, strict=True)]
    data = prepared(rng, parts, ANCHOR=anchors, SYNTH=whole)
    found = [question(data, rng) for question in QUESTIONS]
    return {one.finding.id: (one.finding.verdict, one.named, one.finding) for one in found}


def flagged(found):
    return {id for id, one in found.items() if one[0] == "flagged"}


@pytest.mark.slow
def test_clean_pairs_are_not_accused():
    wrong = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        task = (answers(rng, 150), answers(rng, 150)) if seed % 2 else None
        wrong += len(flagged(asked(rng, answers(rng, 250), answers(rng, 250), task=task)))
    assert wrong == 0


def test_pairs_with_nearly_the_same_answers_are_found_and_named():
    for with_task in (False, True):
        rng = np.random.default_rng(1)
        chosen, rejected = answers(rng, 250, 25, 40), answers(rng, 250, 25, 40)
        same = rng.random(250) < 0.2
        rejected = [f"{a} more" if hit else b for a, b, hit in zip(chosen, rejected, same, strict=True)]
        task = (answers(rng, 250), answers(rng, 250)) if with_task else None
        found = asked(rng, chosen, rejected, task=task)
        assert "pairs-alike" in flagged(found)
        np.testing.assert_array_equal(found["pairs-alike"][1].hits, same)


def test_pairs_of_which_the_longer_answer_is_chosen_are_found():
    rng = np.random.default_rng(2)
    one, two = answers(rng, 250), answers(rng, 250)
    for way in (1, -1):
        pairs = [
            sorted(pair, key=lambda x: way * len(x.split()), reverse=True) for pair in zip(one, two, strict=True)
        ]
        mixed = [pair if rng.random() < 0.8 else pair[::-1] for pair in pairs]
        found = asked(rng, *map(list, zip(*mixed, strict=True)))
        assert flagged(found) == {"longer-chosen"}
        assert (found["longer-chosen"][2].sentence.split()[1] > "50") == (way == 1)


def test_anchors_that_are_pairs_say_how_often_the_longer_answer_wins():
    rng = np.random.default_rng(2)
    short, long = answers(rng, 250, 10, 20), answers(rng, 250, 25, 40)
    task = (answers(rng, 250, 25, 40), answers(rng, 250, 10, 20))
    assert not flagged(asked(rng, long, short, task=task))
    assert flagged(asked(rng, short, long, task=task)) == {"longer-chosen"}


@pytest.mark.slow
def test_contradictions_are_found_and_rankings_are_none():
    rng = np.random.default_rng(3)
    chosen, rejected = answers(rng, 200), answers(rng, 200)
    prompts = [f"question {i}" for i in range(200)]
    turned = [chosen + rejected[:20], rejected + chosen[:20], prompts + prompts[:20]]
    found = asked(rng, *turned)
    assert flagged(found) == {"contradicted"}
    hits = found["contradicted"][1].hits
    assert np.flatnonzero(hits).tolist() == [*range(20), *range(200, 220)]
    assert (found["contradicted"][1].of[:20] == np.arange(200, 220)).all()
    elsewhere = asked(rng, chosen, [*chosen[20:40], *rejected[20:]])  # to other prompts
    assert flagged(elsewhere) == {"contradicted"}
    best, middle, worst = answers(rng, 100), answers(rng, 100), answers(rng, 100)
    ranked = asked(rng, best + middle, middle + worst, prompts[:100] * 2)
    assert not ranked["contradicted"][1].hits.any()
    short = asked(rng, ["yes"] * 60 + ["no"] * 60, ["no"] * 60 + ["yes"] * 60)
    assert not short["contradicted"][1].hits.any()


def test_without_pairs_nothing_is_checked():
    rng = np.random.default_rng(4)
    data = prepared(rng, ANCHOR=answers(rng, 50), SYNTH=answers(rng, 50))
    assert {question(data, rng).finding.verdict for question in QUESTIONS} == {"not checked"}


@given(st.integers(1, 300), st.floats(0, 1), st.sampled_from([0.01, 0.05, 0.5]), st.floats(0, 0.2))
@settings(max_examples=100, deadline=None)
def test_beyond_is_a_test_and_a_margin(n, share, allowed, margin):
    hits = np.arange(n) < round(share * n)
    found = beyond(hits, allowed, allowed + 0.2, margin)
    p = stats.binomtest(int(hits.sum()), n, allowed, alternative="greater").pvalue
    assert found.p == 1
    assert (found.verdict == "flagged") == (p < 1 - LEVEL and hits.mean() > allowed + margin)
    if np.isfinite(found.detects):
        assert found.detects > allowed + margin
