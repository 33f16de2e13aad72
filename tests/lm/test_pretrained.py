"""The pretrained generator: sums, sampling against enumeration in tiny models, the record, the model itself."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import entr

from rbcore.lm import pretrained
from rbcore.lm.pretrained import __main__ as command
from rbcore.lm.pretrained import store, students, sums, writer
from rbcore.lm.pretrained.sums import HIGHEST, SUMS, Sum

pytestmark = pytest.mark.usefixtures("one_thread")

PIECES = ["a", "b", "c", "\n", "ab", "\nc", "<end>", "b\n"]
SPECIAL = frozenset([6])


def tiny(
    kind: str, pieces: list[str], encode, special: frozenset[int] = frozenset(), seed: int = 0
) -> writer.Writer:
    """A small model with random parameters, not too flat, and a tokenizer of characters."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "llama":
            config = LlamaConfig(
                vocab_size=len(pieces), hidden_size=16, intermediate_size=16, num_hidden_layers=2,
                num_attention_heads=2, num_key_value_heads=1, initializer_range=0.4,
                bos_token_id=0, eos_token_id=0,
            )  # fmt: skip
            module = LlamaForCausalLM(config)
        else:
            config = GPT2Config(
                vocab_size=len(pieces), n_embd=16, n_layer=2, n_head=2, n_positions=200, initializer_range=0.4,
                bos_token_id=0, eos_token_id=0,
            )  # fmt: skip
            module = GPT2LMHeadModel(config)
    return writer.Writer(module.eval(), encode, pieces, special)


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def letters(request, one_thread) -> writer.Writer:
    return tiny(request.param, PIECES, lambda text: [PIECES.index(sign) for sign in text], SPECIAL)


def next_law(model: writer.Writer, tokens: list[int], temperature: float) -> np.ndarray:
    """The oracle: the law of the next token, from a forward pass over everything before it."""
    with torch.inference_mode():
        logits = model.module(torch.tensor([tokens]), use_cache=False).logits[0, -1].double()
    return torch.softmax(logits / temperature, -1).numpy()


def all_answers(
    model: writer.Writer, prompt: str, temperature: float, longest: int
) -> dict[tuple[int, ...], float]:
    """The oracle: every answer with its probability."""
    found, open_ = {}, {(): 1.0}
    for step in range(longest):
        further = {}
        for path, mass in open_.items():
            for token, p in enumerate(next_law(model, [*model.encode(prompt), *path], temperature)):
                done = model.ends[token] or step + 1 == longest
                (found if done else further)[(*path, token)] = mass * p
        open_ = further
    return found


@given(a=st.integers(0, 120), b=st.integers(0, 120), c=st.integers(0, 300))
def test_a_line_says_what_was_written_into_it(a, b, c):
    one = pretrained.parse(f" {a} + {b} = {c}")
    assert one == Sum(a, b, c)
    assert one.right == (a + b == c) and one.on_task == (a <= HIGHEST and b <= HIGHEST)
    if one.right and one.on_task:
        assert SUMS[sums.place(one)] == f"{a} + {b} = {c}"
    else:
        with pytest.raises(ValueError, match="no right sum"):
            sums.place(one)


@pytest.mark.parametrize(
    "text",
    ["", "1 + 2 = 3", " 1+2=3", " 1 + 2 = 3 ", " 1 + 2 = 3.", " 01 + 2 = 3", " -1 + 2 = 1", " 1 + 2 = ",
     "  1 + 2 = 3", " 1 - 1 = 0", " 1 + 2 + 3 = 6", " one + two = three", " ١ + ٢ = ٣"],
)  # fmt: skip
def test_what_has_not_the_form_of_the_task_is_no_sum(text):
    assert pretrained.parse(text) is None


def test_prompts_show_their_anchors_and_draws_are_nested():
    anchors = sums.draw(np.random.default_rng(0), 3)
    assert {len(one) for one in anchors} == {max(sums.ANCHORS)} and all(a in SUMS for one in anchors for a in one)
    assert pretrained.prompt(False, []) == "-"
    shown = pretrained.prompt(True, anchors[0][:2])
    assert shown == f"{sums.STRICT}- {anchors[0][0]}\n- {anchors[0][1]}\n-"
    assert shown.endswith(pretrained.prompt(False, anchors[0][:2]))
    ways = pretrained.cells()
    assert len(ways) == len(set(ways)) and {c.temperature for c in ways if c.strict and c.anchors == 4} == set(
        sums.FINE
    )


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
def test_answers_have_the_enumerated_law_and_their_gain_is_its_entropy(letters, temperature):
    prompts = ["abca", "c"]
    found = writer.write(letters, prompts, 1500, temperature, np.random.default_rng(1), longest=3)
    for prompt, answers in zip(prompts, found, strict=True):
        law = all_answers(letters, prompt, temperature, 3)
        assert sum(law.values()) == pytest.approx(1)
        wanted = float(entr(np.array(list(law.values()))).sum())
        gains = np.array([one.entropy.sum() for one in answers])
        assert abs(gains.mean() - wanted) < 5 * gains.std() / np.sqrt(len(gains)) + 1e-4
        for one in answers[:50]:  # each log-probability is that of the path
            assert one.log_prob.sum() == pytest.approx(np.log(law[tuple(one.tokens)]), abs=1e-4)
        seen = pd.Series([tuple(one.tokens) for one in answers]).value_counts(normalize=True)
        far = sum(abs(seen.get(path, 0) - p) for path, p in law.items()) / 2
        assert far < np.sqrt(len(law) / len(answers))  # twice what sampling leaves, and more


def test_an_answer_does_not_depend_on_its_companions(letters):
    """Padding, other prompts and other answers that end earlier change nothing but rounding."""
    long = writer.write(letters, ["abcab", "c"], 20, 1.0, np.random.default_rng(2), longest=6)
    uniform = np.random.default_rng(2).random((40, 6))

    class Fixed:
        def random(self, shape):
            return uniform[20:]

    alone = writer.write(letters, ["c"], 20, 1.0, Fixed(), longest=6)  # ty: ignore[invalid-argument-type]
    for one, other in zip(long[1], alone[0], strict=True):
        np.testing.assert_array_equal(one.tokens, other.tokens)
        np.testing.assert_allclose(one.entropy, other.entropy, atol=1e-4)


def test_a_forward_pass_finds_what_the_cache_found(letters):
    found = writer.write(letters, ["abcab", "c"], 10, 0.8, np.random.default_rng(3), longest=5)
    for prompt, answers in zip(["abcab", "c"], found, strict=True):
        again = writer.score(letters, [prompt] * 10, [one.tokens for one in answers], 0.8)
        for one, other in zip(answers, again, strict=True):
            np.testing.assert_allclose(one.entropy, other.entropy, atol=1e-4)
            np.testing.assert_allclose(one.log_prob, other.log_prob, atol=1e-4)


def test_the_law_on_listed_answers_by_brute_force(letters):
    answers = ["", "a", "ab", "ba", "abc", "c"]
    found = writer.law(letters, "abca", answers, [0.7, 1.3])
    clean = np.flatnonzero(letters.clean)
    assert set(clean) == {3, 5, 6} and set(np.flatnonzero(letters.ends)) == {3, 5, 6, 7}
    for i, temperature in enumerate([0.7, 1.3]):
        for j, text in enumerate(answers):
            tokens, p = letters.encode("abca"), 1.0
            for token in letters.encode(text):
                p *= next_law(letters, tokens, temperature)[token]
                tokens = [*tokens, token]
            p *= next_law(letters, tokens, temperature)[clean].sum()
            assert found[i, j] == pytest.approx(np.log(p), abs=1e-4)


def test_the_text_of_an_answer_ends_with_its_line(letters):
    assert letters.text([0, 1, 3]) == "ab" and letters.text([4, 5]) == "ab" and letters.text([0, 7]) == "ab"
    assert letters.text([0, 6]) == "a" and letters.text([0, 1]) == "ab"


@pytest.mark.parametrize("bad", [{"temperature": 0.0}, {"each": 0}, {"longest": 0}, {"prompts": []}])
def test_nothing_to_write_is_refused(letters, bad):
    given_ = {"prompts": ["a"], "each": 1, "temperature": 1.0, "longest": 2} | bad
    with pytest.raises(ValueError, match="at least one answer"):
        writer.write(letters, rng=np.random.default_rng(0), **given_)


@given(st.lists(st.floats(0, 65), max_size=30))
def test_packed_numbers_come_back_to_a_thousandth(values):
    np.testing.assert_allclose(store.unpack(store.pack(values, store.UNIT), store.UNIT), values, atol=5.001e-4)


def test_numbers_that_cannot_be_packed():
    with pytest.raises(ValueError, match="not negative"):
        store.pack([-1.0])
    with pytest.raises(ValueError, match="not negative"):
        store.pack([np.nan])
    assert store.unpack(store.pack([1e9])) == [65535]


CHARACTERS = sorted(set("".join([*SUMS, sums.STRICT, "-\n"])))
SMALL = store.Plan(seed=3, draws=3, each=2, many=3, laws=2)


@pytest.fixture(scope="module")
def small(one_thread) -> writer.Writer:
    return tiny("gpt2", CHARACTERS, lambda text: [CHARACTERS.index(sign) for sign in text])


@pytest.fixture(scope="module")
def made(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    text = store.make(small, folder / "parts", SMALL, {"model": "tiny", "sha256": "0"}, progress=False)
    (folder / "record.json").write_text(text)
    return folder


def test_a_record_holds_what_was_written(small, made):
    record = pretrained.read(made / "record.json")
    table = pretrained.table(record)
    ways = pretrained.cells()
    fine = sum(c.strict and c.anchors == 4 for c in ways)
    assert len(table) == 3 * (3 * fine + 2 * (len(ways) - fine)) and record.plan == SMALL
    number = ways.index(sums.Cell(True, 4, 1.0))
    anchors = store.anchors_of(SMALL)
    assert record.anchors == anchors
    for i, one in enumerate(store.tokens_of(record, number)):
        (again,) = writer.score(small, [sums.prompt(True, anchors[i // 3])], [one.tokens], 1.0)
        np.testing.assert_allclose(one.entropy, again.entropy, atol=1.1e-3)
        np.testing.assert_allclose(one.log_prob, again.log_prob, atol=1.1e-3)
    laws = pretrained.laws(record)
    assert set(laws) == set(ways)
    assert {k: len(laws[sums.Cell(False, k, 1.0)]) for k in sums.ANCHORS} == {0: 1, 1: 2, 2: 2, 4: 2}
    mine = writer.law(small, sums.prompt(False, anchors[1][:2]), [f" {one}" for one in SUMS], [1.5])
    np.testing.assert_allclose(np.log(laws[sums.Cell(False, 2, 1.5)][1]), mine[0], atol=2e-3)


@pytest.mark.slow
def test_a_record_goes_on_where_it_was_stopped(small, made, tmp_path, monkeypatch):
    calls, plain = itertools.count(), store.ask

    def stopped(*given_):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return plain(*given_)

    monkeypatch.setattr(store, "ask", stopped)
    about = {"model": "tiny", "sha256": "0"}
    with pytest.raises(KeyboardInterrupt):
        store.make(small, tmp_path, SMALL, about, progress=False)
    assert len(list(tmp_path.iterdir())) == 3
    assert store.make(small, tmp_path, SMALL, about, progress=False) == (made / "record.json").read_text()
    assert next(calls) == 4 + len(pretrained.cells()) - 3 + 0


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[: len(text) // 2], "no whole record"),
        (lambda text: "[]", "no whole record"),
        (lambda text: "", "no whole record"),
        (lambda text: text.replace('"draws": 3', '"draws": 4'), "damaged"),
        (lambda text: text.replace('"model": "tiny"', '"model": "huge"'), "damaged"),
    ],
)
def test_a_damaged_record_says_so(made, tmp_path, damage, said):
    text = (made / "record.json").read_text()
    assert damage(text) != text
    (tmp_path / "record.json").write_text(damage(text))
    with pytest.raises(ValueError, match=f"{said}.*make real"):
        pretrained.read(tmp_path / "record.json")


def test_a_record_of_another_task_is_refused(made, tmp_path):
    content = json.loads((made / "record.json").read_text())
    del content["digest"]
    (tmp_path / "record.json").write_text(store.dump(content | {"highest": 9}))
    with pytest.raises(ValueError, match="another task"):
        pretrained.read(tmp_path / "record.json")


def test_without_the_package_the_command_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(writer.importlib.util, "find_spec", lambda name: None)
    assert command.main(["--folder", str(tmp_path), "--out", str(tmp_path / "out.json")]) == 1
    assert "make real" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_student_reads_columns_and_one_sign_for_what_is_no_sum():
    rows = students.encode([Sum(12, 5, 17), None, Sum(9, 9, 18), Sum(1, 2, 100), Sum(0, 0, 99)])
    other = [students.OTHER] * 6
    wanted = [[2, 5, 7, 1, 0, 1], other, [9, 9, 8, 0, 0, 1], other, [0, 0, 9, 0, 0, 9]]
    assert rows[:, 1:].tolist() == wanted and (rows[:, 0] == students.BOS).all()
    assert len(np.unique(students.support(), axis=0)) == len(SUMS)


def test_the_distance_of_a_student_by_enumeration():
    start = students.models.create(students.BOS + 3, students.SIZE, [np.random.default_rng(i) for i in range(2)])
    found = students.distances(start, start[0])
    module, rows = start.model(1), students.support()
    with torch.inference_mode():
        logs = torch.log_softmax(module(torch.as_tensor(rows[:, :-1])).logits, -1).numpy()
    each = np.take_along_axis(logs, rows[:, 1:, None], 2)[..., 0]
    assert found.wrong[1] == pytest.approx(1 - np.exp(each[:, 2] + each[:, 5]).mean(), rel=1e-9)
    before = students.log_probs(start[0], rows)[0].sum(-1)
    mixed = np.logaddexp(np.log(0.99) + each.sum(-1), np.log(0.01) + before)
    assert found.kl[1] == pytest.approx(-np.log(400) - mixed.mean(), rel=1e-9)


def test_students_learn_from_their_own_arm(monkeypatch):
    monkeypatch.setattr(students, "BASE", students.Recipe(40, 16, 1e-2))
    monkeypatch.setattr(students, "RECIPE", students.Recipe(60, 16, 1e-2, keep=(0, 20)))
    start = students.bases([1])
    right = [Sum(a, b, a + b) for a in range(20) for b in range(20)]
    table = students.teach(start, {"right": right, "nothing": [], "off": [None] * 40}, 1).set_index("arm")
    base = students.distances(start, start)
    assert list(table.n) == [400, 0, 40]
    assert table.kl["right"] < table.kl["nothing"] == base.kl[0] == table.kl["off"]  # stopped before it starts
    assert table.wrong["right"] <= table.wrong["nothing"] == base.wrong[0]


def test_arms_are_the_anchors_and_answers_of_their_draws(made):
    record = pretrained.read(made / "record.json")
    table = pretrained.table(record)
    mine = table[table.strict & (table.anchors == 4)]
    found = students.arms(mine, record.anchors, [0, 2])
    assert [f" {s.a} + {s.b} = {s.c}" for s in found["anchors", 0.0]] == [
        f" {one}" for draw in (0, 2) for one in record.anchors[draw]
    ]
    assert all(len(found["raw", t]) == 6 and len(found["verified", t]) <= 6 for t in sums.FINE)


# The model itself: only where its package is installed.


@pytest.fixture(scope="module")
def real(one_thread) -> writer.Writer:
    try:
        return writer.load()
    except writer.Unavailable as error:
        pytest.skip(str(error))


@pytest.mark.slow
def test_the_pretrained_model_still_gives_its_recorded_answers_their_probabilities(real):
    """What another processor must find, too: no draw is made again."""
    record = pretrained.read()
    assert store.provenance()["sha256"] == record.provenance["sha256"]
    assert all(real.pieces[token] == piece for token, piece in record.pieces.items())
    for number in (0, 7, 13, len(record.cells) - 1):
        cell, answers = record.cells[number], store.tokens_of(record, number)
        prompts = [sums.prompt(cell["strict"], a[: cell["anchors"]]) for a in record.anchors]
        for i in (0, len(answers) - 1):
            (again,) = writer.score(real, [prompts[i // cell["each"]]], [answers[i].tokens], cell["temperature"])
            np.testing.assert_allclose(answers[i].entropy, again.entropy, atol=5e-3)
            np.testing.assert_allclose(answers[i].log_prob, again.log_prob, atol=5e-3)


@pytest.mark.slow
def test_the_pretrained_model_writes_the_recorded_answers_again(real):
    """A cell is asked again: rounding moves a draw to the next token now and then, and then its answer differs."""
    record = pretrained.read()
    number = pretrained.cells().index(sums.Cell(True, 1, 0.5))
    again = record._replace(cells=[*record.cells[:number], store.ask(real, record.plan, number)])
    old, new = (store.tokens_of(one, number) for one in (record, again))
    same = [len(a.tokens) == len(b.tokens) and (a.tokens == b.tokens).all() for a, b in zip(old, new, strict=True)]
    assert np.mean(same) > 0.95


@pytest.mark.slow
def test_the_pretrained_model_still_has_its_recorded_law(real):
    record = pretrained.read()
    text = sums.prompt(True, record.anchors[0][:1])
    some = [0, 7, 123, 399]
    found = writer.law(real, text, [f" {SUMS[i]}" for i in some], [1.0])
    mine = np.log(pretrained.laws(record)[sums.Cell(True, 1, 1.0)][0][some])
    np.testing.assert_allclose(found[0], mine, atol=1e-2)
    start = real.encode(text)  # the answer's tokens do not depend on what stands before it
    assert all(real.encode(f"{text} {SUMS[i]}") == start + real.encode(f" {SUMS[i]}") for i in some)
