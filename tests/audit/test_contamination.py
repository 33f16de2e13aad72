"""Passages word for word: each is found and no other, by brute force; planted ones are named, clean ones not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_texts import docstrings, functions, halves, prepared

from rbcore.audit import passages
from rbcore.audit.copies import split
from rbcore.audit.passages import RUN, SHORTEST, Sought, holders
from rbcore.audit.questions import contamination
from rbcore.audit.questions import passages as quoted
from rbcore.audit.segment import words

TEXTS = st.lists(st.lists(st.sampled_from("ab"), max_size=22).map(" ".join), max_size=8)
FILLER = "and so they went on for a while, as one does on such a day, until it was late"


def plain(text: str) -> set[tuple[str, ...]]:
    """The passages of a text."""
    said = words(text)
    if SHORTEST <= len(said) < RUN:
        return {tuple(said)}
    return {tuple(said[i : i + RUN]) for i in range(len(said) - RUN + 1)}


def holds(text: str, passage: tuple[str, ...]) -> bool:
    said = words(text)
    return any(tuple(said[i : i + len(passage)]) == passage for i in range(len(said)))


@given(TEXTS, TEXTS, st.sampled_from([1, 30, 4_000_000]))
@settings(max_examples=120, deadline=None)
def test_every_passage_is_found_and_no_other(sources, texts, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passages, "AT_ONCE", at_once)
        sought = Sought(split(sources))
        record, passage = sought.found(split(texts))
    kinds = set().union(*map(plain, sources))
    assert sought.text.size == len(kinds)
    wanted = {(i, p) for i, text in enumerate(texts) for p in kinds if holds(text, p)}
    numbers = [words(text) for text in sources]
    flat = [word for text in numbers for word in text]
    said = [tuple(flat[a : a + k]) for a, k in zip(sought.start, sought.length, strict=True)]
    assert sorted(said) == sorted(kinds) and all(
        p in plain(sources[i]) for p, i in zip(said, sought.text, strict=True)
    )
    got = [(i, said[k]) for i, k in zip(record.tolist(), passage.tolist(), strict=True)]
    assert len(got) == len(set(got)) and set(got) == wanted
    count = [len(text) - RUN + 1 if len(text) >= RUN else int(len(text) >= SHORTEST) for text in numbers]
    assert sought.passages.tolist() == count


@given(TEXTS, TEXTS, st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_holders_and_what_is_new_beside_common_runs(sources, others, few):
    """Against counts of runs by plain loops."""
    mine, theirs = holders(split(sources), split(others))
    sides = [[words(text) for text in side] for side in (sources, others)]

    def runs(text):
        return [tuple(text[i : i + SHORTEST]) for i in range(len(text) - SHORTEST + 1)]

    every = [run for text in sides[0] for run in runs(text)]
    for counted, side in zip((mine, theirs), sides, strict=True):
        assert counted.tolist() == [sum(run in runs(text) for text in side) for run in every]
    sought = Sought(split(sources))
    covered = [np.zeros(len(text), dtype=bool) for text in sides[0]]
    for text, mask in zip(sides[0], covered, strict=True):
        for i, run in enumerate(runs(text)):
            if sum(run in runs(one) for one in sides[0]) >= few:
                mask[i : i + SHORTEST] = True
    left = ~np.concatenate([np.zeros(0, dtype=bool), *covered])
    fresh = [left[a : a + k].sum() >= SHORTEST for a, k in zip(sought.start, sought.length, strict=True)]
    assert sought.fresh(mine >= few).tolist() == fresh


def asked(data, question, rng):
    one = question(data, rng)
    return one.finding, one.named


def spread(rng, texts, share):
    """Which records are changed."""
    return rng.permutation(len(texts)) < share * len(texts)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.12, 0.5])
def test_held_out_questions_in_longer_chats_are_found_and_named(share):
    rng = np.random.default_rng(1)
    anchors, synth, held = halves(docstrings(), rng, 250, 3)
    long = [text for text in held if len(words(text)) >= SHORTEST]
    changed = spread(rng, synth, share)
    made = [
        f"Tell me: {long[i % len(long)]}\n{FILLER} {text} {text[::-1]}" if c else text
        for i, (text, c) in enumerate(zip(synth, changed, strict=True))
    ]
    data = prepared(rng, ANCHOR=anchors, SYNTH=made, HELDOUT=held)
    assert data.copied("SYNTH", "HELDOUT")[changed].mean() < 0.3  # whole records are not alike
    finding, named = asked(data, contamination, rng)
    assert finding.verdict == "flagged"
    assert named.hits[changed & ~data.copied("SYNTH", "HELDOUT")].all()
    assert named.hits[~changed].mean() < 0.05
    right = [held[named.of[i]] in made[i] for i in np.flatnonzero(named.hits & changed)]
    assert np.mean(right) > 0.9


@pytest.mark.slow
def test_prompts_and_answers_are_looked_for_apart():
    rng = np.random.default_rng(2)
    anchors, synth, asks, answers = halves(docstrings(), rng, 200, 4)
    long = [text for text in asks if len(words(text)) >= RUN]
    made = [f"{text} {long[i % len(long)]}" if i % 3 == 0 else text for i, text in enumerate(synth)]
    whole = [f"{a}\n{b}" for a, b in zip(asks, answers, strict=True)]
    parts = {"HELDOUT": {"prompt": asks, "answer": answers}}
    found = contamination(prepared(rng, parts, ANCHOR=anchors, SYNTH=made, HELDOUT=whole), rng)
    numbers = {one.id: one.estimate.value for one in found.numbers}
    assert found.finding.verdict == "flagged"
    assert numbers["contamination-prompts"] > 0.3 and numbers["contamination-answers"] < 0.05


def test_a_few_whole_held_out_prompts_are_flagged_where_their_passages_are_common():
    rng = np.random.default_rng(3)
    says = "please tell me how I can send the parcel number {} back to the shop that I bought it from".format
    first = {"ANCHOR": 0, "SYNTH": 300, "HELDOUT": 600}
    sides = {name: [says(k + i) for i in range(200)] for name, k in first.items()}
    sides["SYNTH"][:8] = sides["HELDOUT"][:8]
    answers = {name: [" ".join(map(str, rng.integers(10**6, size=30))) for _ in range(200)] for name in sides}
    parts = {name: {"prompt": sides[name], "answer": answers[name]} for name in sides}
    whole = {name: [f"{a}\n{b}" for a, b in zip(sides[name], answers[name], strict=True)] for name in sides}
    found = contamination(prepared(rng, parts, **whole), rng)
    assert found.finding.verdict == "flagged" and "whole prompt 4.0 % against 0.0 %" in found.finding.sentence
    assert found.named is not None and found.named.hits[:8].all()
    assert found.named.of is not None and found.named.of[:8].tolist() == list(range(8))


def test_whole_held_out_prompts_are_usual_where_anchors_hold_some():
    rng = np.random.default_rng(3)
    ask = "would you please send the parcel with the number {} back to the shop".format
    prompts = {
        name: [ask(k + i) for i in range(200)] for name, k in (("ANCHOR", 0), ("SYNTH", 300), ("HELDOUT", 600))
    }

    def verdict(mine, theirs):
        sides = {
            "ANCHOR": prompts["HELDOUT"][:theirs] + prompts["ANCHOR"][theirs:],
            "SYNTH": prompts["HELDOUT"][:mine] + prompts["SYNTH"][mine:],
            "HELDOUT": prompts["HELDOUT"],
        }
        texts = {name: [" ".join(map(str, rng.integers(10**6, size=30))) for _ in range(200)] for name in sides}
        data = prepared(rng, {name: {"prompt": side} for name, side in sides.items()}, **texts)
        return contamination(data, rng).finding.verdict

    assert verdict(8, 0) == "flagged"
    assert verdict(8, 1) != "flagged" and verdict(8, 8) != "flagged" and verdict(3, 0) != "flagged"


def test_a_template_that_all_share_is_no_contamination():
    rng = np.random.default_rng(3)
    template = (
        " ".join(functions()[0].split()[:60]) + " You are to answer the question of the user below in a kind tone:"
    )
    anchors, synth, held = ([f"{template} {text}" for text in part] for part in halves(docstrings(), rng, 200, 3))
    data = prepared(rng, ANCHOR=anchors, SYNTH=synth, HELDOUT=held)
    for question in (contamination, quoted):
        finding, named = asked(data, question, rng)
        assert finding.verdict != "flagged" and named.hits.mean() < 0.05


def test_a_template_of_the_held_out_and_the_synthetic_records_is_none_either():
    rng = np.random.default_rng(4)
    template = "You are to answer the question of the user below in a kind tone and in no more than ten words:"
    anchors, synth, held = halves(docstrings(), rng, 200, 3)
    synth, held = ([f"{template} {text}" for text in part] for part in (synth, held))
    finding, _ = asked(prepared(rng, ANCHOR=anchors, SYNTH=synth, HELDOUT=held), contamination, rng)
    assert finding.verdict != "flagged"


def test_anchors_that_hold_held_out_passages_are_found():
    rng = np.random.default_rng(5)
    anchors, synth, held = halves(docstrings(), rng, 250, 3)
    long = [text for text in held if len(words(text)) >= RUN]
    anchors = [f"{text} {long[i % len(long)]} {text[::-1]}" if i % 2 else text for i, text in enumerate(anchors)]
    finding, _ = asked(prepared(rng, ANCHOR=anchors, SYNTH=synth, HELDOUT=held), contamination, rng)
    assert finding.verdict == "flagged"


def test_anchors_with_sentences_shuffled_or_words_deleted_are_found():
    """A leak that is no near-copy: passages stay whole in it."""
    rng = np.random.default_rng(6)
    names = np.array([f"w{i}" for i in range(3000)])
    told = [". ".join(" ".join(rng.choice(names, size=25)) for _ in range(4)) for _ in range(500)]
    anchors, synth = halves(told, rng, 250)
    leaked = spread(rng, synth, 0.3)
    sources = rng.permutation(250)

    def leak(text):
        sentences = text.split(". ")
        said = ". ".join(sentences[i] for i in rng.permutation(len(sentences))).split()
        return " ".join(word for word in said if rng.random() > 0.1)

    made = [
        leak(anchors[sources[i]]) if hit else text for i, (text, hit) in enumerate(zip(synth, leaked, strict=True))
    ]
    data = prepared(rng, ANCHOR=anchors, SYNTH=made)
    assert data.copied("SYNTH", "ANCHOR")[leaked].mean() < 0.3
    finding, named = asked(data, quoted, rng)
    assert finding.verdict == "flagged"
    assert (named.hits | data.copied("SYNTH", "ANCHOR"))[leaked].mean() > 0.7 and not named.hits[~leaked].any()
    right = named.of[named.hits & leaked] == sources[named.hits & leaked]
    assert right.mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("texts", [functions, docstrings])
def test_parts_of_real_text_are_not_accused(texts):
    wrong = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        anchors, synth, held = halves(texts(), rng, 250, 3)
        data = prepared(rng, ANCHOR=anchors, SYNTH=synth, HELDOUT=held)
        wrong += sum(question(data, rng).finding.verdict == "flagged" for question in (contamination, quoted))
    assert wrong <= 1


def test_not_checked_without_what_it_takes():
    rng = np.random.default_rng(0)
    anchors, synth = halves(docstrings(), rng, 60)
    assert contamination(prepared(rng, ANCHOR=anchors, SYNTH=synth), rng).finding.verdict == "not checked"
    copies = prepared(rng, ANCHOR=anchors, SYNTH=anchors[::-1], HELDOUT=synth)
    assert quoted(copies, rng).finding.verdict == "not checked"
