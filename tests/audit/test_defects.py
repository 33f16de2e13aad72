"""Defects do what they say, and nothing else."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbcore.audit import cells, defects
from rbcore.audit.defects import DEFECTS, Side, World, pieces, spoil

WORDS = (
    "able bird corn dish east farm gate hill iron jump king lamp moon nest open pear quay rain salt tree".split()
)
CASES = [(name, strength) for name, one in DEFECTS.items() for strength in one.strengths]


def texts(rng, n, words=WORDS):
    """Different texts of two or three sentences."""
    made = set()
    while len(made) < n:
        sentences = (" ".join(rng.choice(words, size=rng.integers(3, 9))) for _ in range(rng.integers(2, 4)))
        made.add(". ".join(sentences) + ".")
    return tuple(sorted(made, key=lambda text: zlib.crc32(text.encode())))


@pytest.fixture(scope="module")
def small():
    """A world of 60 synthetic records, with labels."""
    rng = np.random.default_rng(0)
    drawn, ends = texts(rng, 560), (60, 120, 160, 160)
    parts = [drawn[a:b] for a, b in zip((0, *ends), (*ends, 560), strict=True)]
    sides = [Side(part, tuple("xyz"[len(text) % 3] for text in part)) for part in parts]
    alien, foreign = (tuple(text.translate(str.maketrans(mine, theirs)) for text in texts(rng, 80))
                      for mine, theirs in (("aeio", "zqxv"), ("aeio", "àéîö")))  # fmt: skip
    return World(cells.GRAMMAR, 3, "en", *sides, alien, foreign)


def made(world, defect, strength, seed=0):
    return spoil(world, defect, strength, np.random.default_rng(seed))


def changed(world, spoiled):
    return np.array([a != b for a, b in zip(spoiled.side.texts, world.synth.texts, strict=True)])


@pytest.mark.parametrize(("defect", "strength"), CASES)
def test_a_defect_touches_only_what_it_says_and_is_the_same_each_time(small, defect, strength):
    one, again = made(small, defect, strength), made(small, defect, strength)
    assert one.side == again.side and np.array_equal(one.touched, again.touched)
    assert len(one.texts) == len(one.side.labels) == 60 and all(one.texts)
    if defect != "wrong labels":
        assert not (changed(small, one) & ~one.touched).any()
        if defect not in ("word shuffle", "too short", "predictable", "missing part", "missing label"):
            assert changed(small, one).sum() >= 0.95 * one.touched.sum()
    else:
        assert not changed(small, one).any()
        other = np.array(one.side.labels) != np.array(small.synth.labels)
        assert np.array_equal(other, one.touched)


@pytest.mark.parametrize("defect", [
    name for name, one in DEFECTS.items() if "{:.0%} of the records" in one.about or name == "wrong labels"
])  # fmt: skip
def test_a_share_is_a_share(small, defect):
    for strength in DEFECTS[defect].strengths:
        assert made(small, defect, strength).touched.sum() == round(60 * strength)


def jaccard(a, b):
    a, b = set(a), set(b)
    return len(a & b) / len(a | b)


def test_copies_are_of_where_they_say(small):
    sources = {
        "near-duplicates": small.synth,
        "leakage, a word": small.anchor,
        "leakage, deletion": small.anchor,
        "leakage, sentences": small.anchor,
        "contamination, record": small.heldout,
    }
    for defect, source in sources.items():
        one = made(small, defect, DEFECTS[defect].strengths[-1])
        for i in np.flatnonzero(one.touched):
            words = one.texts[i].replace(".", "").split()
            shared = {text: sorted(text.replace(".", "").split()) for text in source.texts}
            best = max(shared, key=lambda text: jaccard(shared[text], words))
            lost = len(shared[best]) - len(words)
            if defect == "contamination, record":
                assert one.texts[i] in source.texts
            elif defect == "leakage, sentences":
                assert (
                    any(sorted(words) == other for other in shared.values()) and one.texts[i] not in source.texts
                )
            elif defect == "leakage, deletion":
                assert any(
                    len(other) - len(words) == max(1, round(len(pieces(text)) / 10))
                    for text, other in shared.items()
                )
            else:
                assert lost == 0 or jaccard(shared[best], words) > 0.5


def test_a_passage_stands_inside(small):
    one = made(small, "contamination, passage", 0.12)
    for i in np.flatnonzero(one.touched):
        inside = [text for text in small.heldout.texts if text in one.texts[i]]
        assert inside and one.texts[i].startswith(small.synth.texts[i])
        assert not one.texts[i].endswith(inside[0])


def test_strays_are_strays(small):
    for defect, source in (("off-domain", small.alien), ("another language", small.foreign)):
        one = made(small, defect, 0.2)
        stray = [one.texts[i] for i in np.flatnonzero(one.touched)]
        assert set(stray) <= set(source) and len(set(stray)) == len(stray) == 12


def test_a_world_without_other_texts_has_no_strays(small):
    bare = World("code", 1, "code", *(Side(part.texts) for part in (
        small.anchor, small.synth, small.heldout, small.judge, small.pool)))  # fmt: skip
    absent = [name for name, one in DEFECTS.items() if made(bare, name, one.strengths[0]) is None]
    assert absent == ["off-domain", "another language", "wrong labels", "low temperature", "missing label"]


@pytest.mark.parametrize(("strength", "factor"), [(1.25, 1.25), (1.5, 1.5), (2.0, 2.0)])
def test_long_texts_hold_so_many_records(small, strength, factor):
    one = made(small, "too long", strength)
    count = [sum(part in text for part in {*small.synth.texts, *small.pool.texts}) for text in one.texts]
    assert np.mean(count) == pytest.approx(factor, abs=0.04)
    assert all(text.startswith(first) for text, first in zip(one.texts, small.synth.texts, strict=True))


@pytest.mark.parametrize("share", DEFECTS["truncation"].strengths)
def test_truncation_keeps_a_beginning(small, share):
    one = made(small, "truncation", share)
    for text, whole in zip(one.texts, small.synth.texts, strict=True):
        assert whole.startswith(text)
        assert len(pieces(text)) == max(1, round((1 - share) * len(pieces(whole))))


def test_selection_leaves_out_what_it_says(small):
    whole = small.candidates.texts
    lengths = sorted(map(len, whole))
    for share in DEFECTS["too short"].strengths:
        longest = max(map(len, made(small, "too short", share).texts))
        assert longest <= lengths[round((1 - share) * len(lengths))]
        kept = set(made(small, "predictable", share).texts)
        limit = np.sort(small.surprise)[round((1 - share) * len(whole))]
        assert all(small.surprise[whole.index(text)] <= limit for text in kept)
    gone = made(small, "missing label", 1.0)
    assert len(set(gone.side.labels)) == 2
    assert set(gone.side.texts) <= set(whole)
    assert len(set(gone.side.texts)) == 60


def test_a_missing_part_is_a_neighbourhood(small):
    for share in DEFECTS["missing part"].strengths:
        rng = np.random.default_rng(5)
        centre = small.points[rng.integers(len(small.points))]
        closest = small.points @ centre
        limit = np.sort(closest)[-round(share * len(closest))]
        kept = made(small, "missing part", share, 5).texts
        assert all(closest[small.candidates.texts.index(text)] <= limit for text in kept)


def test_what_the_small_generator_writes_is_made_of_its_words_and_colder_is_more_alike(small):
    kinds = []
    for cold in (0.0, 0.4, 0.8):
        one = made(small, "small generator", cold)
        seen = {word for text in one.texts for word in text.replace(".", "").split()}
        assert seen <= set(WORDS)
        assert not set(one.texts) & set(small.pool.texts)
        pairs = [pair for text in one.texts for pair in zip(pieces(text), pieces(text)[1:], strict=False)]
        kinds.append(len(set(pairs)) / len(pairs))
    assert kinds[0] > kinds[2]


@given(st.text(max_size=80))
@settings(deadline=None)
def test_pieces_join_to_the_text(text):
    assert "".join(pieces(text)) == text


def test_pieces_are_words_or_letters():
    assert pieces("a word,\n  and") == ["a ", "word,\n  ", "and"]
    assert pieces("花は red です") == ["花", "は ", "red ", "で", "す"]


@given(st.lists(st.sampled_from([*WORDS, "花", "は。"]), min_size=2, max_size=30), st.integers(0, 99))
@settings(deadline=None)
def test_edits_keep_what_they_say(words, seed):
    text, rng = " ".join(words), np.random.default_rng(seed)
    shuffled = defects.words_shuffled(text, rng)
    assert sorted("".join(shuffled.split())) == sorted("".join(text.split()))
    if text.isascii():
        assert sorted(shuffled.split()) == sorted(text.split())
    one = defects.word_changed(text, rng, ["other"])
    if text.isascii():
        assert sum(a != b for a, b in zip(pieces(one), pieces(text), strict=True)) == 1
    else:
        assert one != text and "other" in one
    fewer = defects.words_deleted(text, rng)
    assert len(pieces(text)) - len(pieces(fewer)) == max(1, round(0.1 * len(pieces(text))))
    assert defects.cut(text, 0.0) == text


def test_sentences_change_their_order():
    rng = np.random.default_rng(1)
    text = "One is first. Two comes then. Three ends it."
    other = defects.sentences_shuffled(text, rng)
    assert other != text and sorted(other.split()) == sorted(text.split())
    assert defects.sentences_shuffled("only one sentence here", rng) == "sentence here only one"
    assert defects.sentences_shuffled("第一句。第二句。", rng) == "第二句。第一句。"


def test_a_defect_that_does_not_exist_is_named(small):
    with pytest.raises(ValueError, match="one of near-duplicates, .*got 'typos'"):
        made(small, "typos", 0.1)


def test_every_defect_has_a_question_three_strengths_and_words():
    assert len(DEFECTS) >= 12
    for name, one in DEFECTS.items():
        assert one.questions and one.strengths == tuple(sorted(set(one.strengths))), name
        assert one.about.format(one.strengths[0]) != one.about
