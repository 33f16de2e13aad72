"""Near-copies: all of them and no others, by brute force; hot cases stay cheap; vectors by plain distances."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from rbcore import audit
from rbcore.audit import copies as audit_copies
from rbcore.audit import passages
from rbcore.audit.copies import between, split, within
from rbcore.audit.read.records import Records

TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=12).map(" ".join), max_size=14)


def shingles(text):
    marked = [None, *text.lower().split(), None]
    return set(zip(marked[:-1], marked[1:], strict=True))


def jaccard(a, b):
    a, b = shingles(a), shingles(b)
    return len(a & b) / len(a | b)


def table(texts, others):
    return np.array([[jaccard(a, b) for b in others] for a in texts]).reshape(len(texts), len(others))


def check(found, alike, threshold):
    """`found` against a table of all similarities; a pair that may not be taken has similarity -1."""
    assert found.complete
    hit = found.of >= 0
    np.testing.assert_array_equal(hit, (alike >= threshold).any(axis=1))
    np.testing.assert_array_equal(found.similarity[hit], alike[hit, found.of[hit]])
    assert (found.similarity[hit] >= threshold).all() and (found.similarity[~hit] == 0).all()
    assert (found.of[~hit] == -1).all()


@given(TEXTS, TEXTS, st.sampled_from([0.55, 2 / 3, 0.75, 0.8, 0.9, 1.0]))
@settings(max_examples=150, deadline=None)
def test_every_near_copy_is_found_and_no_other(texts, others, threshold):
    check(between(texts, others, threshold), table(texts, others), threshold)
    alike = np.where(np.tri(len(texts), k=-1, dtype=bool), table(texts, texts), -1)
    check(within(texts, threshold), alike, threshold)


def edited(rng, text, changes, vocabulary):
    out = text.split()
    for _ in range(changes):
        out[rng.integers(len(out))] = vocabulary[rng.integers(len(vocabulary))]
    return " ".join(out)


@pytest.mark.slow
@pytest.mark.parametrize("size", [30, 2000])
def test_long_texts_with_edits_by_brute_force(size, monkeypatch):
    """No pair at the threshold is missed; here with pieces of a few pairs, too."""
    rng = np.random.default_rng(size)
    vocabulary = [f"w{i}" for i in range(size)]
    others = [" ".join(rng.choice(vocabulary, size=rng.integers(5, 120))) for _ in range(150)]
    chosen = rng.integers(150, size=300)
    texts = [edited(rng, others[i], rng.integers(0, 12), vocabulary) for i in chosen]
    alike = table(texts, others)
    found = between(texts, others)
    assert 50 < (found.of >= 0).sum() < 250
    check(found, alike, 0.8)
    monkeypatch.setattr(audit_copies, "AT_ONCE", 7)
    monkeypatch.setattr(audit_copies, "ITEMS_AT_ONCE", 50)
    small = between(texts, others)
    np.testing.assert_array_equal(small.of >= 0, found.of >= 0)
    check(small, alike, 0.8)


def test_what_one_edit_does():
    """As the module says: one changed word from 17 words on, one appended word from 12 words on."""
    for n in range(2, 25):
        text = [f"w{i}" for i in range(n)]
        changed = " ".join([*text[: n // 2], "new", *text[n // 2 + 1 :]])
        assert (between([changed], [" ".join(text)]).of[0] == 0) == (n >= 17)
        assert (between([" ".join([*text, "new"])], [" ".join(text)]).of[0] == 0) == (n >= 12)


def test_punctuation_capitals_and_spaces_do_not_count_but_signs_do():
    found = within(["The cat sat.", "the cat - sat", "3 + 4", "3 * 4", "", "...", "!"])
    assert found.of.tolist() == [-1, 0, -1, -1, -1, -1, -1]  # a text of signs only is these signs
    assert found.similarity.tolist() == [0, 1, 0, 0, 0, 0, 0]


def test_many_near_copies_of_one_record_do_not_cost_the_square(monkeypatch):
    """A filled template: every pair of texts is one of near-copies."""
    n = 3000
    monkeypatch.setattr(audit_copies, "LOOKED_UP", 300 * n)
    alike = [
        f"dear customer your order number {i} has been shipped and will arrive within three days thank you"
        for i in range(n)
    ]
    for texts in (alike, ["the same text " * 10] * n):
        found = within(texts)
        assert found.complete and (found.of[1:] >= 0).all() and (found.of < np.arange(n)).all()
    template = "once upon a time there was {} and they all lived happily ever after in the house by the sea so far"
    rng = np.random.default_rng(0)
    told = [template.format(" ".join(map(str, rng.integers(500, size=8)))) for _ in range(n)]
    found = between(told, told[::-1])  # a shared template alone makes no copies, and costs nothing
    np.testing.assert_array_equal(found.of, np.arange(n)[::-1])
    found = within(told)
    assert found.complete and (found.of == -1).all()


@pytest.mark.parametrize("first_look", [1, 3, 32])
def test_a_copy_is_found_wherever_it_stands_in_a_long_list(first_look, monkeypatch):
    """A rare word that 150 texts share is looked up a piece at a time; each text has one near-copy among them."""
    monkeypatch.setattr(audit_copies, "FIRST_LOOK", first_look)
    rng = np.random.default_rng(7)
    others = [" ".join(["rare pair", *(f"w{j}" for j in rng.integers(30, size=20))]) for _ in range(150)]
    filler = [" ".join(f"w{j}" for j in rng.integers(30, size=22)) for _ in range(2000)]
    texts = [text.replace("rare pair", "rare pair new") for text in others]
    found = between(texts, [*others, *filler])
    assert found.of.tolist() == list(range(150))


def test_a_search_that_is_cut_short_says_so(monkeypatch):
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(list("abcdef"), size=9)) for _ in range(400)]
    monkeypatch.setattr(audit_copies, "LOOKED_UP", 1000)
    found = within(texts)
    assert not found.complete
    hit = np.flatnonzero(found.of >= 0)
    assert all(jaccard(texts[i], texts[found.of[i]]) >= 0.8 for i in hit)


@pytest.mark.slow
def test_the_same_in_every_process():
    code = (
        "import numpy as np; from rbcore.audit.copies import within; rng = np.random.default_rng(4);"
        "print(within([' '.join(rng.choice(list('abcd'), size=8)) for _ in range(300)]).of.tolist())"
    )
    shown = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(shown) == 1 and shown.pop().count(b",") == 299


def test_progress_grows_to_its_total():
    seen = []
    rng = np.random.default_rng(2)
    texts = [" ".join(rng.choice(list("abcdefgh"), size=12)) for _ in range(500)]
    within(texts, progress=lambda done, total: seen.append((done, total)))
    within(rng.normal(size=(300, 2)), progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 3 and all(0 <= done <= total for done, total in seen)
    assert seen[-1] == (300, 300)


def plain_vectors(x, y, reference, closeness):
    """All distances in standardized coordinates, the usual distance, and the largest one of near-copies."""
    pooled = np.concatenate([x, y])
    spread = pooled.std(axis=0)
    a, b = ((z - pooled.mean(axis=0)) / np.where(spread > 0, spread, 1) for z in (x, y))
    own = cdist(*[np.unique(b if reference else a, axis=0)] * 2)
    np.fill_diagonal(own, np.inf)
    nearest = own.min(axis=1)
    usual = np.median(nearest[nearest > audit_copies.ROUNDING * np.sqrt(x.shape[1])])
    return cdist(a, b), usual, closeness * usual


@pytest.mark.parametrize("d", [1, 3, 20])
def test_vectors_by_plain_distances(d):
    rng = np.random.default_rng(d)
    scale = 10.0 ** rng.uniform(-4, 4, size=d)
    others = rng.normal(size=(400, d)) * scale + 3 * scale
    noise = np.where(np.arange(200) < 100, 1e-9, 0.3)[:, None]
    copies = others[rng.integers(400, size=200)] + noise * rng.normal(size=(200, d)) * scale
    x = np.concatenate([rng.normal(size=(200, d)) * scale, copies])
    far, usual, radius = plain_vectors(x, others, True, 1e-3)
    found = between(x, others)
    hit = found.of >= 0
    np.testing.assert_array_equal(hit, (far <= radius).any(axis=1))
    assert hit[200:300].all() and hit[:200].mean() < 0.05
    np.testing.assert_array_equal(found.of[hit], far[hit].argmin(axis=1))
    np.testing.assert_allclose(found.similarity[hit], 1 - far[hit].min(axis=1) / usual, atol=1e-6)
    both = np.concatenate([others, x])
    far, usual, radius = plain_vectors(both, both, False, 1e-3)
    far[np.triu_indices(len(both))] = np.inf
    found = within(both)
    np.testing.assert_array_equal(found.of >= 0, (far <= radius).any(axis=1))
    hit = found.of >= 0
    np.testing.assert_array_equal(found.of[hit], far[hit].argmin(axis=1))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=25))
@settings(max_examples=60, deadline=None)
def test_vectors_on_a_grid_copy_what_equals_them(points):
    x = np.array(points, dtype=float)
    found = within(x)
    first = [points.index(p) for p in points]
    np.testing.assert_array_equal(found.of, [f if f < i else -1 for i, f in enumerate(first)])
    np.testing.assert_array_equal(found.similarity, (found.of >= 0).astype(float))
    np.testing.assert_array_equal(between(x, x[::-1]).of >= 0, np.ones(len(x), dtype=bool))


def test_a_crowd_of_noisy_copies_is_found_to_the_last():
    """Most neighbours of an early copy are later ones: it must look past them."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(3000, 4))
    x[500:2500] = x[0] + 1e-9 * rng.normal(size=(2000, 4))
    found = within(x)
    crowd = np.r_[0, 500:2500]
    assert (found.of[crowd[1:]] >= 0).all() and np.isin(found.of[crowd[1:]], crowd).all()
    assert (found.of < np.arange(3000)).all() and (found.of[1:500] == -1).all()


def test_empty_inputs_and_single_records():
    for none in ([], np.empty((0, 3))):
        some = ["a b"] if isinstance(none, list) else np.ones((1, 3))
        assert within(none).of.shape == (0,)
        assert between(none, some).of.shape == (0,)
        assert between(some, none).of.tolist() == within(some).of.tolist() == [-1]
        assert between(some, some).of.tolist() == [0]


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="threshold"):
        within(["a"], threshold=0.5)
    with pytest.raises(ValueError, match="closeness"):
        within(np.ones((2, 2)), closeness=1.0)
    with pytest.raises(ValueError, match="one of each"):
        between(["a"], np.ones((2, 2)))
    with pytest.raises(ValueError, match="one dimension"):
        between(np.ones((2, 3)), np.ones((2, 2)))
    with pytest.raises(ValueError, match="finite"):
        within(np.array([[np.nan, 0.0]]))
    for wrong in ("a text", [1, 2]):
        with pytest.raises(ValueError, match="sequence of texts"):
            within(wrong)


# --- templates ------------------------------------------------------------------------------------------------


def chats(rng, n, prompt, turn):
    """A system prompt of so many words before unrelated turns."""
    system = " ".join(f"rule{i}" for i in range(prompt))
    return [f"{system} {' '.join(f't{j}' for j in rng.integers(3000, size=turn))}" for _ in range(n)]


@pytest.mark.parametrize("turn", [10, 40])
def test_a_shared_system_prompt_makes_no_near_copies(turn):
    rng = np.random.default_rng(turn)
    texts = chats(rng, 300, 360, turn)
    assert (within(texts).of >= 0).mean() > 0.9
    found = passages.templates(split(texts))
    assert [len(one) for one in found] == [360]
    apart = passages.set_apart(split(texts), found)
    assert (within(apart).of == -1).all()
    again = passages.set_apart(split([*texts, f"{texts[5]} more"]), found)
    assert within(again).of[300] == (5 if turn == 40 else -1)  # at 40 words one more is tolerated
    bare = split([*texts, " ".join(texts[0].split()[:367])])  # seven words besides are too few to compare
    parts = np.split(passages.set_apart(bare, found).apart, np.cumsum(bare.sizes)[:-1])
    assert all(part.sum() == 360 for part in parts[:-1]) and not parts[-1].any()
    others = passages.set_apart(split([text.removeprefix("rule0 ") for text in texts]), found)
    assert others.apart is None  # half a template is none


def test_several_templates_and_their_slots():
    rng = np.random.default_rng(3)
    parts = [[f"p{k}w{i}" for i in range(30)] for k in range(3)]
    texts = []
    for i in range(200):
        own = [f"t{j}" for j in rng.integers(3000, size=15)]
        texts.append(" ".join([*parts[i % 2], *own[:4], *parts[2], *own[4:]]))
    found = passages.templates(split(texts))
    assert sorted(found) == sorted(map(tuple, parts))
    assert (within(passages.set_apart(split(texts), found)).of == -1).all()


def test_what_is_compared_are_the_pairs_of_words_beyond_the_template():
    rng = np.random.default_rng(4)
    texts = chats(rng, 60, 25, 30)
    texts += [edited(rng, text, 2, ["new"]) for text in texts[:30] if text]
    found = passages.templates(split(texts))
    apart = passages.set_apart(split(texts), found)
    marked = apart.apart.reshape(-1, 55) if (apart.sizes == 55).all() else None
    assert marked is not None and (marked.sum(axis=1) % 25 == 0).all()
    sets = []
    for text, row in zip(texts, marked, strict=True):
        said = [None, *text.split(), None]
        inside = [row[0], *row, row[-1]]
        pairs = zip(said[:-1], said[1:], inside[:-1], inside[1:], strict=True)
        sets.append({(a, b) for a, b, left, right in pairs if not (left and right)})
    alike = np.array([[len(a & b) / len(a | b) for b in sets] for a in sets])
    check(within(apart), np.where(np.tri(len(texts), k=-1, dtype=bool), alike, -1), 0.8)


@given(st.integers(20, 200), st.floats(0.02, 0.06), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_near_copies_of_few_records_have_no_template(length, edits, seed):
    """The same text over and over, with a word changed here and there, is a crowd of near-copies and stays one."""
    rng = np.random.default_rng(seed)
    seeds = [" ".join(f"s{k}w{i}" for i in range(length)) for k in range(3)]
    texts = [
        edited(rng, seeds[k % 3], max(1, int(edits * length)), [f"n{i}" for i in range(500)]) for k in range(150)
    ]
    words = split(texts)
    found = passages.templates(words)
    plain, apart = within(words), within(passages.set_apart(words, found))
    np.testing.assert_array_equal(plain.of >= 0, apart.of >= 0)


def test_copies_word_for_word_are_copies_whatever_they_share():
    texts = [
        "the same old text that everybody tells again and again until nobody listens to it any more " * 3
    ] * 50
    words = split(texts)
    assert (within(passages.set_apart(words, passages.templates(words))).of[1:] >= 0).all()


def test_an_audit_of_chats_with_one_system_prompt_finds_the_copies_only_and_says_what_it_left_out():
    rng = np.random.default_rng(8)
    anchors, synth = chats(rng, 80, 60, 25), chats(rng, 80, 60, 25)
    synth[:10] = [f"{text} more" for text in anchors[:10]]
    records = {k: Records(k, "test", 80, tuple(v)) for k, v in (("ANCHOR", anchors), ("SYNTH", synth))}
    data = audit.prepare(records, 0)
    assert np.flatnonzero(data.copied("SYNTH", "ANCHOR")).tolist() == list(range(10))
    assert not data.repeated("SYNTH").any() and not data.repeated("ANCHOR").any()
    for one in data.records.values():
        assert [
            note for note in one.notes if note.startswith("a passage that many records share, such as 'rule0 ")
        ]
    assert not any(one.notes for one in records.values())
