"""Any model, any data set: a small model and a small data set, made and saved on the spot."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from rbcore import lm_hub
from rbcore.lm_hub import Experiment, compare, log_losses, run, synthesize, texts

datasets = pytest.importorskip("datasets")
pytest.importorskip("accelerate")
WORDS = [f"w{i}" for i in range(12)]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def experiment(one_thread, tmp_path_factory) -> Experiment:
    folder, rng = tmp_path_factory.mktemp("hub"), np.random.default_rng(0)
    vocabulary = {word: i for i, word in enumerate([*WORDS, ";", "<end>", "<unk>"])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<end>", unk_token="<unk>")
    tokenizer.save_pretrained(folder / "model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPT2Config(vocab_size=15, n_positions=64, n_embd=16, n_layer=1, n_head=2,
                            bos_token_id=13, eos_token_id=13)  # fmt: skip
        GPT2LMHeadModel(config).save_pretrained(folder / "model")
    rows = [" ".join(rng.choice(WORDS[:4], size=rng.integers(3, 7))) for _ in range(80)]
    datasets.Dataset.from_dict({"text": rows}).save_to_disk(folder / "data")
    return Experiment(
        str(folder / "model"), str(folder / "data"), anchors=10, held_out=30, synthetic=12, separator=" ; ",
        tokens=8, steps=30, batch=4, rate=1e-2,
    )  # fmt: skip


def test_anchors_and_held_out_texts_are_disjoint_and_of_the_seed(experiment):
    one, again, other = texts(experiment, 1), texts(experiment, 1), texts(experiment, 2)
    assert one == again != other
    assert (len(one.anchors), len(one.held_out)) == (10, 30)


def test_curation_keeps_new_texts_that_the_verifier_likes(experiment):
    own = texts(experiment, 1)
    made, accepted = synthesize(experiment, own.anchors, 1, lambda text: "w1" in text.split())
    assert len(made) == len(set(made)) == 12 and not set(made) & set(own.anchors)
    assert all("w1" in text.split() and ";" not in text for text in made) and 0 < accepted < 1
    assert synthesize(experiment, own.anchors, 1, lambda text: "w1" in text.split()) == (made, accepted)
    with pytest.raises(ValueError, match="too few"):
        synthesize(dataclasses.replace(experiment, synthetic=1), own.anchors, 1, lambda _: False)


def test_log_losses_are_those_of_each_text_alone(experiment):
    tokenizer, model = lm_hub.load(experiment.model)
    rows = texts(experiment, 1).held_out[:5]
    found = log_losses(experiment, model, rows)
    for row, loss in zip(rows, found, strict=True):
        tokens = torch.tensor([[13, *tokenizer(row)["input_ids"], 13]])
        alone = model(tokens, labels=tokens).loss.item() * (tokens.shape[1] - 1)
        assert loss == pytest.approx(alone, rel=1e-4)


def test_the_whole_experiment_runs_resumes_and_finds_what_anchors_teach(experiment, tmp_path, monkeypatch):
    state, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    table = run(experiment, [1, 2], tmp_path)
    assert torch.equal(state, torch.get_rng_state())
    assert (np.random.get_state()[1] == legacy).all()  # noqa: NPY002
    assert len(table) == 2 * 4 * 30 and set(table["arm"]) == {"base", "anchors", "synthetic", "mixture"}
    taught = compare(table[table["seed"] == 1], "base", "anchors")
    assert taught.low > 0  # four words of fifteen
    pairs = table[table["seed"] == 1].pivot(index="text", columns="arm", values="loss")
    interval = stats.ttest_rel(pairs["base"], pairs["anchors"]).confidence_interval()
    assert (taught.low, taught.high) == pytest.approx((interval.low, interval.high))
    both = compare(table, "base", "anchors")
    assert both.low < both.value < both.high
    monkeypatch.setattr(lm_hub, "train_student", lambda *_: pytest.fail("trained again"))
    assert run(experiment, [2], tmp_path)["loss"].tolist() == table[table["seed"] == 2]["loss"].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"anchors": 0}, "at least one"),
        ({"shown": 11}, "prompt of 11"),
        ({"temperature": 0.0}, "positive"),
        ({"field": "body"}, "field"),
        ({"held_out": 999}, "the data set has 80"),
        ({"tokens": 60}, "the model reads 64"),
    ],
)
def test_bad_experiments_are_refused(experiment, change, message):
    with pytest.raises(ValueError, match=message):
        bad = dataclasses.replace(experiment, **change)
        synthesize(bad, texts(bad, 1).anchors, 1)
