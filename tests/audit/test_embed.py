"""Embeddings: one map for all inputs, the same for one seed, with any sentence encoder; refusals say why."""

from __future__ import annotations

import numpy as np
import pytest

from rbcore.audit.embed import EmbedError, embed
from rbcore.audit.planted import notes
from rbcore.lm import small

pytestmark = pytest.mark.usefixtures("one_thread")


def texts(seed: int, n: int = 120) -> list[str]:
    return notes(np.random.default_rng(seed), n).texts


def test_equal_texts_have_equal_points_whatever_the_input_and_its_blocks():
    inputs = {"ANCHOR": texts(1), "SYNTH": texts(1)[::-1]}
    points = embed(inputs, np.random.default_rng(0))
    assert np.allclose(points["ANCHOR"], points["SYNTH"][::-1], atol=1e-6)
    assert np.allclose(np.linalg.norm(points["ANCHOR"], axis=1), 1, atol=1e-5)
    again = embed(inputs, np.random.default_rng(0))
    assert np.array_equal(points["ANCHOR"], again["ANCHOR"])


def test_texts_of_one_subject_lie_together():
    made = notes(np.random.default_rng(2), 400)
    x, label = embed({"ANCHOR": made.texts}, np.random.default_rng(0))["ANCHOR"], np.array(made.labels)
    alike = x @ x.T
    same = label[:, None] == label
    assert alike[same].mean() > alike[~same].mean() + 0.1


def test_progress_counts_every_record():
    seen = []
    embed(
        {"a": texts(1), "b": texts(2)},
        np.random.default_rng(0),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (240, 240)


def test_vectors_are_standardized_by_the_first_input_and_constants_stay():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(5, 100, 500), np.ones(500), rng.normal(0, 0.001, 500)])
    y = np.column_stack([rng.normal(5, 100, 50), np.r_[np.ones(49), 2], rng.normal(0, 0.001, 50)])
    points = embed({"ANCHOR": x, "SYNTH": y}, rng)
    assert np.allclose(points["ANCHOR"].std(axis=0), [1, 0, 1], atol=1e-5)
    assert np.isfinite(points["SYNTH"]).all() and np.ptp(points["SYNTH"][:, 1]) > 1


@pytest.mark.parametrize(
    ("inputs", "encoder", "message"),
    [
        ({"a": np.zeros((5, 2))}, "some-model", "vectors already"),
        ({"a": ["word"] * 9}, "tfidf", "fewer than two different words"),
        ({"a": ["", " "] * 9}, "tfidf", "fewer than two different words"),
    ],
)
def test_what_cannot_be_embedded_is_named(inputs, encoder, message):
    with pytest.raises(EmbedError, match=message):
        embed(inputs, np.random.default_rng(0), encoder)


@pytest.fixture(scope="module")
def encoder(one_thread, tmp_path_factory) -> str:
    """A sentence encoder with random weights, made and saved on the spot."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    import torch
    from sentence_transformers.sentence_transformer import modules
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = small.tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(folder / "bert")
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder / "bert")
    words = modules.Transformer(str(folder / "bert"))
    pooled = modules.Pooling(16)
    sentence_transformers.SentenceTransformer(modules=[words, pooled]).save(str(folder / "sentence"))
    return str(folder / "sentence")


def test_a_sentence_encoder_of_ones_own_takes_its_place(encoder):
    sea = small.sentences(np.random.default_rng(0), "sea", 30)
    farm = small.sentences(np.random.default_rng(0), "farm", 20)
    points = embed({"ANCHOR": sea, "SYNTH": farm}, np.random.default_rng(0), encoder)
    assert points["ANCHOR"].shape == (30, 16) and points["SYNTH"].shape == (20, 16)
    assert np.allclose(
        points["ANCHOR"], embed({"ANCHOR": sea}, np.random.default_rng(1), encoder)["ANCHOR"], atol=1e-5
    )


def test_a_folder_that_is_no_encoder_is_named(tmp_path, monkeypatch):
    pytest.importorskip("sentence_transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EmbedError, match="no sentence-transformers model"):
        embed({"a": texts(1)}, np.random.default_rng(0), str(tmp_path))
