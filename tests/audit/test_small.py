"""The whole audit on small and odd inputs: a report or a refusal that says why, and no traceback."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from rbcore.audit import Options
from rbcore.audit.read.records import InputError
from rbcore.audit.runner import run

SIZES = st.sampled_from([20, 21, 22, 38, 40, 41, 43, 60, 79, 80, 99, 100, 101, 120])
LETTERS = "abcdefghijkl"
WORDS = st.one_of(
    st.sampled_from(["one and the same record", "x y z", "?!", "...", "z"]),  # few, short, no words
    st.lists(st.sampled_from(LETTERS), min_size=1, max_size=30).map(" ".join),
    st.text("渡轮七点离开旧港口", min_size=1, max_size=30),
)


@st.composite
def inputs(draw):
    """Texts of each input, and the options; often an input copies the anchors, with an edit or without."""
    anchors = draw(
        st.lists(WORDS, min_size=20, max_size=20).map(lambda x: [f"{y} {i % 7}" for i, y in enumerate(6 * x)])
    )
    anchors = anchors[: draw(SIZES)]
    names = ["anchor", "synth", *(name for name in ("raw", "heldout") if draw(st.booleans()))]
    texts = {"anchor": anchors}
    for name in names[1:]:
        kind, n = draw(st.sampled_from(["copies", "edited", "own"])), draw(SIZES)
        own = draw(st.lists(WORDS, min_size=n, max_size=n)) if kind == "own" else (6 * anchors)[:n]
        texts[name] = [f"{text} !" for text in own] if kind == "edited" else own
    fields = {name: name for name in ("label", "prompt", "logprob") if draw(st.booleans())}
    return texts, fields


@pytest.mark.slow
@given(inputs(), st.integers(0, 2**20))
@settings(max_examples=60, deadline=None)
def test_no_combination_of_sizes_and_fields_ends_in_a_traceback(given_inputs, seed):
    texts, fields = given_inputs
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        paths = {}
        for name, rows in texts.items():
            about = [{"text": x, "label": "pqr"[(i * seed) % 3], "prompt": LETTERS[i % 12], "logprob": -i / 9}
                     for i, x in enumerate(rows)]  # fmt: skip
            paths[name] = str(Path(folder) / f"{name}.jsonl")
            Path(paths[name]).write_text("\n".join(map(json.dumps, about)), encoding="utf8")
        try:
            result = run(Options(**paths, **fields, text="text", out=folder), quiet=True, keep=False)
        except InputError as error:
            assert len(str(error)) > 20
        else:
            assert result.findings and all(finding.sentence for finding in result.findings)
            if texts["synth"] == [f"{text} !" for text in texts["anchor"]]:
                (copied,) = (one for one in result.findings if one.id == "anchor-copies")
                assert "100.0 %" in copied.sentence
