"""Reading the inputs of an audit: what is read, what is refused, and in which words."""

from __future__ import annotations

import csv
import dataclasses
import gc
import gzip
import io
import json
import os
import pickle
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy import stats

from rbcore.audit.read import arrow, formats
from rbcore.audit.read import records as audit_read
from rbcore.audit.read.records import LONGEST, MIN, InputError, Records, Selection, fingerprint, together
from rbcore.audit.read.source import shown

TEXTS = [f"text {i}" for i in range(30)]
FORMATS = (".jsonl", ".csv", ".tsv", ".parquet", ".jsonl.gz", ".csv.gz")
unicode = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PLAIN = Selection()


def examples(n: int) -> settings:
    """So many examples of a property, in one folder."""
    unfit = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=n, deadline=None, suppress_health_check=unfit)


def lines(rows: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def table(columns: dict[str, Sequence[Any]], delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode()


def write(path: Path, columns: dict[str, Sequence[Any]]) -> Path:
    """The columns in the format that the name of the file says."""
    name = path.name
    if name.endswith(".parquet"):
        pq.write_table(pa.table({key: list(values) for key, values in columns.items()}), path, row_group_size=500)
        return path
    if ".jsonl" in name:
        raw = lines(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    else:
        raw = table(columns, "\t" if ".tsv" in name else ",")
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


def read(name: str, path: Any, fields: Selection = PLAIN, progress: Any = abs, **options: Any) -> Records:
    """The records, with further options of the selection."""
    return audit_read.read(name, path, dataclasses.replace(fields, **options), progress)


def put(tmp_path: Path, name: str, raw: bytes) -> Path:
    (tmp_path / name).write_bytes(raw)
    return tmp_path / name


def said(path: Any, fields: Selection = PLAIN, name: str = "SYNTH", **options: Any) -> str:
    """What the user is told when no bad row may be skipped; the message names the input and is one line."""
    options.setdefault("skip", 0)
    with pytest.raises(InputError) as caught:
        read(name, path, fields, **options)
    message = str(caught.value)
    assert message.startswith(f"{name}: ") and message.isprintable(), message
    return message


def records(name: str = "SYNTH", texts: Sequence[str] | None = TEXTS, **rest: Any) -> Records:
    content = rest.pop("vectors") if texts is None else tuple(texts)
    return Records(name, f"{name}.jsonl", 30, content, **rest)


# What is read


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_yields_texts_labels_prompts_and_numbers_in_order(tmp_path, suffix):
    columns = {
        "answer": TEXTS,
        "topic": [i % 3 for i in range(30)],
        "asked": [f"q {i}" for i in range(30)],
        "lp": [-0.5 * i for i in range(30)],
        "a": [0.25 * i for i in range(30)],
        "b": [1.0] * 30,
    }
    fields = Selection("answer", None, "topic", "asked", "lp", ("a", "b"))
    found = read("HELDOUT", write(tmp_path / f"data{suffix}", columns), fields)
    assert found.texts == tuple(TEXTS) and found.vectors is None and found.found == len(found) == 30
    assert found.labels == tuple(str(i % 3) for i in range(30)) and found.prompts == tuple(columns["asked"])
    np.testing.assert_array_equal(found.logprobs, columns["lp"])
    np.testing.assert_array_equal(found.losses, np.column_stack([columns["a"], columns["b"]]))
    assert found.notes == ()


def test_losses_are_of_heldout_only(tmp_path):
    path = write(tmp_path / "data.csv", {"text": TEXTS})
    assert read("ANCHOR", path, Selection(losses=("a", "b"))).losses is None
    assert "has no column 'a' (losses); its columns are 'text'" in said(
        path, Selection(losses=("a", "b")), "HELDOUT"
    )


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
@examples(40)
@given(texts=st.lists(unicode.filter(str.strip), min_size=MIN, max_size=MIN + 5))
@example(texts=['a\nb, "c"', "x\r\ny", "\ufeff first", "1", "null", "[1]", "\x1f", "a\tb", "'", "\u2028"] * 2)
@example(texts=["line\rreturn", "\x0b.", "\x85.", "-", "NaN", "\U0001f600"] * 4)
def test_texts_survive_the_round_trip(tmp_path, suffix, texts):
    texts = [text.replace("\0", "") or "-" for text in texts] if ".csv" in suffix or ".tsv" in suffix else texts
    texts = [text if text.strip() else "-" for text in texts] + ["another one"]
    path = write(tmp_path / f"data{suffix}", {"text": texts})
    if len(set(texts)) > 1:
        assert read("SYNTH", path).texts == tuple(texts)


@examples(40)
@given(texts=st.lists(unicode, min_size=MIN, max_size=60))
def test_blank_texts_are_left_out_and_counted(tmp_path, texts):
    texts = [*texts, "a", "b"]
    full = [text for text in texts if text.strip()]
    path = write(tmp_path / "data.jsonl", {"text": texts})
    if 2 * len(full) < len(texts):
        assert f"{len(texts) - len(full)} of {len(texts)} texts are empty" in said(path)
    elif len(full) < MIN:
        assert f"{len(full)} records with text, at least 20 are needed" in said(path)
    else:
        found = read("SYNTH", path)
        blank = len(texts) - len(full)
        note = [f"{blank} empty text{'s' * (blank > 1)} left out"] if blank else []
        assert found.texts == tuple(full) and list(found.notes) == note and found.found == len(texts)


def test_null_is_an_empty_text_and_labels_stay_with_their_texts(tmp_path):
    rows = [{"text": None if i % 3 else f"t{i}", "label": i} for i in range(90)]
    assert "60 of 90 texts are empty: name the column" in said(put(tmp_path, "a.jsonl", lines(rows)))
    rows = [{"text": f"t{i}" if i % 3 else None, "label": i} for i in range(90)]
    found = read("SYNTH", put(tmp_path, "a.jsonl", lines(rows)), Selection(label="label"))
    assert [f"t{label}" for label in found.labels] == list(found.texts)
    assert found.notes == ("30 empty texts left out", "each record has a label of its own in 'label'")


@pytest.mark.parametrize("suffix", (".jsonl", ".csv", ".parquet"))
def test_vectors_come_from_lists_or_from_columns_of_numbers(tmp_path, suffix):
    x = np.random.default_rng(0).normal(size=(30, 3))
    lists = {"embedding": x.tolist(), "kind": ["a", "b"] * 15}
    found = read("ANCHOR", write(tmp_path / f"a{suffix}", lists), Selection(vector="embedding", label="kind"))
    np.testing.assert_array_equal(found.vectors, x)
    assert found.texts is None and found.labels == ("a", "b") * 15
    guessed = read("ANCHOR", write(tmp_path / f"b{suffix}", {"e": x.tolist()}))
    np.testing.assert_array_equal(guessed.vectors, x)
    assert guessed.notes == ("the column 'e' is read as the vector",)
    flat = {"x": x[:, 0].tolist(), "y": x[:, 1].tolist(), "kind": ["a", "b"] * 15}
    found = read("ANCHOR", write(tmp_path / f"c{suffix}", flat), Selection(label="kind"))
    np.testing.assert_array_equal(found.vectors, x[:, :2])
    assert found.notes == ("the columns 'x', 'y' are read as a vector",)


def test_vectors_keep_single_precision_and_own_their_memory(tmp_path):
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), 4)
    pq.write_table(pa.table({"v": column}), tmp_path / "a.parquet")
    found = read("ANCHOR", tmp_path / "a.parquet")
    assert found.vectors.dtype == np.float32 and found.vectors.flags.owndata
    np.testing.assert_array_equal(found.vectors, x)
    sampled = read("ANCHOR", tmp_path / "a.parquet", limit=50)
    assert {row.tobytes() for row in sampled.vectors} <= {row.tobytes() for row in x}


def test_at_most_so_many_numbers_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(audit_read, "NUMBERS", 300)
    path = write(tmp_path / "a.csv", {f"x{j}": np.arange(100) + j for j in range(10)})
    found = read("ANCHOR", path)
    assert len(found) == 30 and found.notes[-1] == "a uniform sample of 30 of 100 records is read"


def test_at_most_so_many_characters_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(audit_read, "CHARACTERS", 25 * 10)
    path = write(tmp_path / "a.csv", {"text": [f"{i:010}" for i in range(100)]})
    assert "more than 250 characters of text: read fewer records (limit)" in said(path)
    assert len(read("SYNTH", path, limit=25)) == 25


def test_the_column_of_texts_is_found_or_asked_for(tmp_path):
    path = write(tmp_path / "a.csv", {"text": TEXTS, "other": TEXTS})
    assert read("SYNTH", path).notes == ()
    path = write(tmp_path / "b.jsonl", {"body": TEXTS, "n": range(30)})
    assert read("SYNTH", path).notes == ("the column 'body' is read as the text",)
    path = write(tmp_path / "c.jsonl", {"body": TEXTS, "title": TEXTS})
    assert "the columns 'body', 'title' could all be the text: name the one that is meant" in said(path)
    assert read("SYNTH", path, Selection(label="title")).texts == tuple(TEXTS)
    path = write(tmp_path / "d.jsonl", {"n": range(30), "ok": [True] * 30})
    assert "no column of texts or vectors is found: name it ('n' holds a number; 'ok' holds true" in said(path)
    path = write(tmp_path / "e.csv", {"text": range(30)})
    assert read("SYNTH", path).texts == tuple(map(str, range(30)))


def test_chats_are_joined(tmp_path):
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    rows = [
        {"messages": [{"role": "user", "content": f"q{i}"}, {"role": "tool", "content": None},
                      {"role": "assistant", "content": parts}]}
        for i in range(30)
    ]  # fmt: skip
    found = read("SYNTH", put(tmp_path, "a.jsonl", lines(rows)))
    assert found.texts[3] == "q3\na\nb" and found.parts["prompt"][3] == "q3" and found.answers[3] == "a\nb"
    assert any("the messages in 'messages' are read as conversations" in note for note in found.notes)
    assert "parts of messages that are not text, such as images, are left out" in found.notes
    plain = [[{"role": "user", "content": f"q{i}"}] for i in range(30)]
    found = read("SYNTH", write(tmp_path / "a.parquet", {"chat": plain}), Selection(text="chat"))
    assert found.texts[3] == "q3"
    rows[25]["messages"][0]["content"] = 3
    path = put(tmp_path, "b.jsonl", lines(rows))
    assert "line 26: 'messages' holds a message whose role or content is not a string" in said(path)
    rows = [{"conversations": ["x"]}] * 30
    path = put(tmp_path, "c.jsonl", lines(rows))
    assert "line 1: 'conversations' holds a list, not text" in said(path, Selection(text="conversations"))


def test_labels_become_strings(tmp_path):
    values = ["a", 1, 2.0, True, False, -7]
    rows = [{"text": f"t{i}", "label": values[i % 6]} for i in range(30)]
    found = read("SYNTH", put(tmp_path, "a.jsonl", lines(rows)), Selection(label="label"))
    assert found.labels[:6] == ("a", "1", "2", "True", "False", "-7")
    for value, problem in {
        "null": "no label in 'label': fill it in or leave the record out",
        '" "': "no label in 'label'",
        "0.5": "'label' holds 0.5: a label is a string, a whole number or a flag",
        "[1]": "'label' holds [1]: a label",
    }.items():
        raw = lines(rows) + f'{{"text": "x", "label": {value}}}\n'.encode()
        assert f"line 31: {problem}" in said(put(tmp_path, "a.jsonl", raw), Selection(label="label"))
    raw = table({"text": TEXTS, "label": ["a"] * 28 + ["", "b"]})
    assert "row 29 (line 30): no label" in said(put(tmp_path, "a.csv", raw), Selection(label="label"))
    path = write(tmp_path / "a.parquet", {"text": TEXTS, "label": ["a"] * 28 + [None, "b"]})
    assert "row 29: no label" in said(path, Selection(label="label"))


def test_folders_of_text_files(tmp_path):
    for i in range(30):
        file = tmp_path / "docs" / "ab"[i % 2] / f"{i:02}.{['txt', 'MD'][i % 3 == 0]}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"\ufefftext\n{i}", encoding="utf-8")
    (tmp_path / "docs" / ".hidden.txt").write_bytes(b"\xff")
    (tmp_path / "docs" / "picture.png").write_bytes(b"\xff")
    (tmp_path / "docs" / "a" / "loop").symlink_to(tmp_path / "docs")
    found = read("ANCHOR", tmp_path / "docs", Selection(text="body", label="folder"))
    order = [*range(0, 30, 2), *range(1, 30, 2)]
    assert found.texts == tuple(f"text\n{i}" for i in order) and found.labels == ("a",) * 15 + ("b",) * 15
    assert "name 'folder' as the label" in said(tmp_path / "docs", Selection(label="topic"))
    (tmp_path / "docs" / "top.txt").write_text("at the top")
    assert "file top.txt: no label in 'folder'" in said(tmp_path / "docs", Selection(label="folder"))
    for raw, problem in {
        b"ok \xff": "not UTF-8 (byte 3 of the file is 0xff)",
        b"a\0b": "a NUL byte (byte 1 of the file)",
        "x".encode("utf-16"): "is in UTF-16: save it in UTF-8",
        b"x" * (LONGEST + 1): "longer than 1,000,000 bytes",
    }.items():
        (tmp_path / "docs" / "top.txt").write_bytes(raw)
        assert f"docs, file top.txt: {problem}" in said(tmp_path / "docs")
    (tmp_path / "docs" / "top.txt").unlink()
    (tmp_path / "docs" / "top.txt").symlink_to("top.txt")
    assert "file top.txt: cannot be read (" in said(tmp_path / "docs")
    (tmp_path / "docs" / "top.txt").unlink()
    os.mkfifo(tmp_path / "docs" / "top.txt")
    assert "file top.txt: is no ordinary file: leave it out" in said(tmp_path / "docs")


# Samples


def test_the_sample_keeps_the_order_and_follows_seed_and_name(tmp_path):
    path = write(tmp_path / "a.jsonl", {"text": [f"{i:04}" for i in range(2000)], "label": range(2000)})
    calls: list[int] = []
    one = read("SYNTH", path, Selection(label="label"), limit=50, progress=calls.append)
    assert calls == [1000, 1000] and len(one) == 50 and one.found == 2000
    assert list(one.texts) == sorted(set(one.texts)) and [int(t) for t in one.texts] == [
        int(x) for x in one.labels
    ]
    assert one.notes[0] == "a uniform sample of 50 of 2,000 records is read"
    assert read("SYNTH", path, limit=50).texts == one.texts
    assert read("SYNTH", path, limit=50, seed=1).texts != one.texts != read("RAW", path, limit=50).texts
    assert len(read("SYNTH", path, limit=2000).notes) == 0


def test_progress_counts_every_record(tmp_path):
    calls: list[int] = []
    read("SYNTH", write(tmp_path / "a.csv", {"text": [f"{i}" for i in range(2345)]}), progress=calls.append)
    assert calls == [1000, 1000, 345]


@pytest.mark.slow
def test_the_sample_is_uniform(tmp_path):
    path = write(tmp_path / "a.csv", {"text": [f"{i}" for i in range(100)]})
    counts = Counter(text for seed in range(1000) for text in read("SYNTH", path, limit=20, seed=seed).texts)
    seen = np.array([counts[f"{i}"] for i in range(100)])
    # counts have the variance 160 and, as each sample has 20, correlation -1/99: chi-square with 99 degrees
    statistic = ((seen - 200) ** 2 / 160).sum() * 99 / 100
    assert seen.sum() == 20_000 and stats.chi2(99).sf(statistic) > 1e-4


def test_options_are_checked(tmp_path):
    path = write(tmp_path / "a.csv", {"text": TEXTS, "v": TEXTS})
    for options, problem in (
        ({"limit": 19}, "limit: a whole number of records, at least 20, got 19"),
        ({"limit": 1e6}, "limit: a whole number"),
        ({"seed": -1}, "seed: a whole number, zero or more, got -1"),
        ({"losses": ("a",)}, "losses: the names of two columns"),
        ({"fields": Selection("text", "v")}, "a record is a text or a vector: name one of the two columns"),
        ({"fields": Selection("text", label="text")}, "the column 'text' is named for two purposes"),
    ):
        with pytest.raises(InputError, match=problem.replace("(", r"\(")):
            read("SYNTH", path, **options)


# What is refused: text files

GOOD = lines({"text": text} for text in TEXTS)
PAIRS = lines({"x": i, "y": 1} for i in range(30))
WIDE = lines({"v": [float(i), 2.0]} for i in range(30))


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "a.jsonl: is empty"),
        (b"\n  \n\r\n\t\n", "a.jsonl: holds only blank lines"),
        (b'{"text": "one"}\n', "a.jsonl: 1 record, at least 20 are needed"),
        (GOOD + b'{"body": "x"}\n', "line 31: no field 'text', which other records have; its fields are 'body'"),
        (GOOD + b"{}\n", "line 31: no field 'text', which other records have; its fields are none"),
        (GOOD + b'{"text": [{"role": "user", "content": "x"}]}',
         "line 31: 'text' holds a list of messages, and a string in most records"),
        (GOOD + b'{"text": ["x"]}', "line 31: 'text' holds a list, not text: name a column of texts"),
        (GOOD + b'{"text": 3}', "line 31: 'text' holds a number, not text"),
        (GOOD + b'\n{"text": "x\xff"}\n', f"line 32: not UTF-8 (byte {len(GOOD) + 12} of the file is 0xff)"),
        (b"\xef\xbb\xbf" + GOOD + b"\xff", f"line 31: not UTF-8 (byte {len(GOOD) + 3} of the file is 0xff)"),
        ("\ufeff".encode("utf-16-le") + GOOD, "a.jsonl: is in UTF-16: save it in UTF-8"),
        ("\ufeff".encode("utf-16-be") + GOOD, "a.jsonl: is in UTF-16: save it in UTF-8"),
        ("\ufeff".encode("utf-32-le") + GOOD, "a.jsonl: is in UTF-32: save it in UTF-8"),
        (GOOD.decode().encode("utf-16-le"), "line 1: a NUL byte (byte 1 of the file): not text in UTF-8"),
        (GOOD + b'{"text": "a\0b"}', f"line 31: a NUL byte (byte {len(GOOD) + 11} of the file)"),
        (GOOD + b'{"text" "x"}\n',
         "line 31: not valid JSON at column 9 (Expecting ':' delimiter); each line must be one whole JSON object"),
        (GOOD + b"{'text': 'x'}\n", "in double quotes); JSON has double quotes; write lines with json.dumps"),
        (GOOD + b'{"text": "x"} {"text": "y"}', "line 31: not valid JSON at column 15 (Extra data)"),
        (b'[{"text": "a"},\n{"text": "b"}]',
         "a.jsonl: is one JSON array: give it a name that ends in .json, or write one object a line"),
        (b'{\n"text": "a"}\n', "line 1: not valid JSON at column"),
        (GOOD + b'"just text"\n', 'line 31: holds a string, not an object such as {"text": ...}'),
        (GOOD + b"[1]\n", "line 31: holds a list, not an object"),
        (GOOD + b"null\n", "line 31: holds null, not an object"),
        (lines([{"text": "same"}] * 30), "all 30 texts are the same: name the column that tells records apart"),
        (GOOD + b'{"text": "x", "text": "y"}', "line 31: the field text appears twice: keep one"),
        (GOOD + b'{"text": "x", "m": {"k": 1, "k": 2}}', "line 31: the field k appears twice: keep one"),
        (GOOD + b'{"text": "x", "n": ' + b"9" * 5000 + b"}", "line 31: a number with thousands of digits"),
        (GOOD + b'{"text": "x", "n": ' + b"[" * 200_000 + b"}", "line 31: JSON that is nested too deeply"),
        (GOOD + b'{"text": "x", "n": ' + b'{"a":' * 150_000, "line 31: JSON that is nested too deeply"),
        (GOOD + b'{"text": "\\ud83d"}', "line 31: 'text' holds \\ud83d, half of a character"),
        (WIDE + b'{"v": [1.0]}', "line 31: 'v' holds 1 number, and 2 in records before it"),
        (WIDE + b'{"v": [1.0, NaN]}', "line 31: number 2 of 'v' is nan: only finite numbers can be used"),
        (WIDE + b'{"v": [-Infinity, 1]}', "line 31: number 1 of 'v' is -inf: only finite numbers"),
        (WIDE + b'{"v": [1e999, 1]}', "line 31: number 1 of 'v' is inf"),
        (WIDE + b'{"v": [1' + b"0" * 400 + b", 1]}", "line 31: number 1 of 'v' is inf"),
        (WIDE + b'{"v": [1.0, "2"]}', "line 31: 'v' holds a list, not a list of numbers such as [0.1, 0.2]"),
        (WIDE + b'{"v": [1.0, true]}', "line 31: 'v' holds a list, not a list of numbers"),
        (WIDE + b'{"v": [1.0, null]}', "line 31: 'v' holds a list, not a list of numbers"),
        (WIDE + b'{"v": null}', "line 31: 'v' holds nothing, not a list of numbers"),
        (WIDE + b'{"v": []}', "line 31: 'v' holds an empty list"),
        (WIDE + b'{"v": "[1, 2]"}', "line 31: 'v' holds a string, not a list of numbers"),
        (lines([{"v": [1.0, 2.0]}] * 30), "all 30 vectors are the same"),
        (PAIRS + b'{"x": 1}', "line 31: no field 'y', which other records have"),
        (PAIRS + b'{"x": 1, "y": null}', "line 31: 'y' has no value: fill it in"),
        (PAIRS + b'{"x": 1, "y": "z"}', "line 31: 'y' holds 'z', not a number"),
        (PAIRS + b'{"x": 1, "y": NaN}', "line 31: 'y' is nan: only finite"),
    ],
)  # fmt: skip
def test_json_lines_that_are_refused(tmp_path, raw, problem):
    assert problem in said(put(tmp_path, "a.jsonl", raw))


def test_errors_after_the_first_records_are_found_too(tmp_path):
    rows = [{"text": f"t{i}"} for i in range(5000)]
    assert "line 5,001: not valid JSON" in said(put(tmp_path, "a.jsonl", lines(rows) + b"{"), limit=20)


def test_marks_line_ends_and_unused_fields_do_no_harm(tmp_path):
    raw = b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n\r\n") + b'{"text": "x", "other": [{"a": NaN}]}'
    assert read("SYNTH", put(tmp_path, "a.ndjson", raw)).texts == (*TEXTS, "x")
    assert read("SYNTH", put(tmp_path, "a.json", raw)).texts == (*TEXTS, "x")
    raw = b"\xef\xbb\xbf" + table({"text": TEXTS}).replace(b"\r\n", b"\n\n")
    assert read("SYNTH", put(tmp_path, "a.csv", raw)).texts == tuple(TEXTS)
    assert (
        read("SYNTH", put(tmp_path, "b.jsonl", lines({"text": f"a\0{i}"} for i in range(30)))).texts[3] == "a\x003"
    )


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "a.csv: is empty"),
        (b"\n\n \n", "a.csv: holds no records"),
        (b"text\n", "a.csv: holds no records"),
        (table({"text": TEXTS[:1]}), "1 record, at least 20 are needed"),
        (table({"text": TEXTS, "n": TEXTS}) + b"\n\nx,y,z\n",
         "row 31 (line 34): 3 values where the header has 2 names: put quotes around values"),
        (table({"text": ["a\nb"] * 30, "n": TEXTS}) + b"x\n", "row 31 (line 62): 1 value where the"),
        (table({"text": TEXTS}) + b'"open\nx\n', "row 31 (line 32): not valid CSV (unexpected end of data)"),
        (table({"text": TEXTS}) + b'"open" x\n', "row 31 (line 32): not valid CSV ("),
        (b"a\rb\rc", "not valid CSV (new-line character seen in unquoted field"),
        (b"text,label,text\n", "two columns have the name 'text': rename one"),
        (b",text\n0,a\n", "column 1 has no name in the header: give it one (pandas: to_csv(..., index=False))"),
        (b"text, \n0,a\n", "column 2 has no name in the header"),
        (b",,,\n", "column 1 has no name in the header"),
        (b"text;label\na;b\n", "the header 'text;label' has semicolons and no comma: separate columns by commas"),
        (b"1.5,2.5\n3,4\n", "the first row holds numbers: put a row with the names of the columns above it"),
        (table({"text": TEXTS}) + b"x\xff\n", "line 32: not UTF-8 (byte"),
        (table({"text": TEXTS}) + b"x\0\n", "line 32: a NUL byte (byte"),
        (table({"x": range(30), "y": [1.0] * 29 + ["nan"]}), "row 30 (line 31): 'y' is nan: only finite numbers"),
        (table({"x": range(30), "y": [1.0] * 29 + [""]}), "row 30 (line 31): 'y' has no value: fill it in"),
        (table({"x": range(200), "y": [1.0] * 199 + ["a"]}), "row 200 (line 201): 'y' holds 'a', not a number"),
        (table({"v": ["[1, 2]"] * 200 + ["[1 2]"]}), "row 201 (line 202): 'v' holds a string, not"),
        (table({"x": [1] * 30, "y": [2] * 30}), "all 30 vectors are the same"),
        ("text\nä\n".encode("utf-16"), "a.csv: is in UTF-16: save it in UTF-8"),
    ],
)  # fmt: skip
def test_tables_that_are_refused(tmp_path, raw, problem):
    assert problem in said(put(tmp_path, "a.csv", raw))


def test_tables_of_numbers_may_have_columns_that_are_counted(tmp_path):
    path = write(tmp_path / "a.csv", {"0": range(30), "1": range(30)})
    assert read("ANCHOR", path).vectors.shape == (30, 2)


def test_the_limit_of_the_csv_module_is_left_as_it_was(tmp_path):
    before = csv.field_size_limit()
    long = "x" * (before + 1)
    assert read("SYNTH", write(tmp_path / "a.csv", {"text": [long, *TEXTS]})).texts[0] == long
    assert csv.field_size_limit() == before


def test_missing_columns_are_named_with_those_that_are_there(tmp_path):
    path = write(tmp_path / "a.jsonl", {"body": TEXTS, "topic": TEXTS, **{f"c{i:02}": TEXTS for i in range(30)}})
    for fields, use in (
        (Selection(text="answer"), "text"), (Selection(vector="answer"), "vector"),
        (Selection("body", label="answer"), "label"), (Selection("body", prompt="answer"), "prompt"),
        (Selection("body", logprob="answer"), "logprob"),
    ):  # fmt: skip
        assert f"has no column 'answer' ({use}); its columns are 'body', 'topic', 'c00'" in said(path, fields)
    assert "and 12 more" in said(path, Selection("answer"))


def test_prompts_and_log_probabilities_are_checked(tmp_path):
    rows = [{"text": f"t{i}", "p": "", "lp": -1} for i in range(30)]
    fields = Selection("text", prompt="p", logprob="lp")
    found = read("SYNTH", put(tmp_path, "a.jsonl", lines(rows)), fields)
    assert set(found.prompts) == {""} and found.logprobs.dtype == float
    for last, problem in (
        ({"p": None, "lp": -1}, "no prompt in 'p': fill it in"),
        ({"p": 3, "lp": -1}, "'p' holds a number, not text"),
        ({"p": "q", "lp": 0.5}, "'lp' is 0.5, the logarithm of a probability is at most 0"),
        ({"p": "q", "lp": None}, "'lp' has no value"),
        ({"p": "q", "lp": "low"}, "'lp' holds 'low', not a number"),
        ({"p": "q", "lp": True}, "'lp' holds true or false, not a number"),
        ({"lp": -1}, "no field 'p', which other records have"),
    ):
        path = put(tmp_path, "a.jsonl", lines([*rows, {"text": "x"} | last]))
        assert f"line 31: {problem}" in said(path, fields)


# What is refused: records that are too long


def huge_line(path: Path) -> str:
    with open(path, "wb") as file:
        file.write(GOOD + b'{"text": "')
        for _ in range(50):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n')
    return "line 31: longer than 1,000,000 bytes, the most that is read of one record: cut it up or leave it out"


def huge_field(path: Path) -> str:
    with open(path, "wb") as file:
        file.write(table({"text": TEXTS}) + b'"')
        for _ in range(50 << 10):
            file.write(b"x" * 1023 + b"\n")
    return (
        "row 31 (line 32): longer than 1,000,000 bytes, the most that is read of one record: cut it up or leave "
        "it out, and look for a quote that is never closed"
    )


def huge_file(path: Path) -> str:
    path.mkdir()
    for i in range(30):
        (path / f"{i:02}.txt").write_text(f"text {i}")
    with open(path / "29.txt", "wb") as file:
        file.truncate(50 << 20)
    return "file 29.txt: longer than 1,000,000 bytes"


def huge_unpacked(path: Path) -> str:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(GOOD)
        for _ in range(50):
            file.write(b"x" * (1 << 20))
    return "line 31: longer than 1,000,000 bytes"


@pytest.mark.parametrize(
    ("name", "make"),
    [("a.jsonl", huge_line), ("a.csv", huge_field), ("a", huge_file), ("a.jsonl.gz", huge_unpacked)],
)
def test_records_that_are_too_long_take_neither_memory_nor_time(tmp_path, name, make: Callable[[Path], str]):
    problem = make(tmp_path / name)
    tracemalloc.start()
    began = time.process_time()
    try:
        assert problem in said(tmp_path / name)
        assert tracemalloc.get_traced_memory()[1] < 12e6 and time.process_time() - began < 2
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_parquet_texts_that_are_too_long(tmp_path):
    path = write(tmp_path / "a.parquet", {"text": [*TEXTS, "x" * (50 << 20)]})
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    assert "row 31: longer than 1,000,000 bytes" in said(path)
    gc.collect()
    assert pool.bytes_allocated() - before < 1 << 20  # nothing of it is kept
    path = write(tmp_path / "b.parquet", {"v": [[1.0, 2.0]] * 300 + [[0.5] * (LONGEST + 1)]})
    assert "row 301: longer than 1,000,000 bytes" in said(path)


@pytest.fixture
def pool() -> Iterator[pa.MemoryPool]:
    """Counts what Arrow allocates from now on."""
    before = pa.default_memory_pool()
    counted = pa.proxy_memory_pool(before)
    yield counted
    pa.set_memory_pool(before)


def test_a_small_parquet_file_with_a_long_text_many_times_takes_no_memory(tmp_path, pool):
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), pa.array(["x" * (8 << 20)]))
    pq.write_table(pa.table({"text": long}), tmp_path / "a.parquet", store_schema=False)
    assert (tmp_path / "a.parquet").stat().st_size < 1 << 20
    pa.set_memory_pool(pool)
    assert "row 1: longer than 1,000,000 bytes" in said(tmp_path / "a.parquet")
    assert pool.max_memory() < 100 << 20  # 128 copies would be a gigabyte


@pytest.mark.slow
def test_long_parquet_texts_that_are_packed_well_take_no_memory(tmp_path, pool):
    texts = [f"{i:02}" * (8 << 19) for i in range(30)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", compression="zstd", use_dictionary=False)
    assert (tmp_path / "a.parquet").stat().st_size < 1 << 20
    pa.set_memory_pool(pool)
    assert "row 1: longer than 1,000,000 bytes" in said(tmp_path / "a.parquet")
    assert pool.max_memory() < 150 << 20  # all of them are 240 MiB, twice while they grow


def test_the_longest_record_is_read(tmp_path):
    longest = "x" * (LONGEST - len('{"text": ""}'))
    assert read("SYNTH", put(tmp_path, "a.jsonl", GOOD + lines([{"text": longest}]))).texts[-1] == longest
    assert "line 31: longer" in said(put(tmp_path, "a.jsonl", GOOD + lines([{"text": longest + "x"}])))
    whole = "x" * LONGEST
    assert read("SYNTH", write(tmp_path / "a.csv", {"text": [*TEXTS, whole]})).texts[-1] == whole
    assert read("SYNTH", write(tmp_path / "a.parquet", {"text": [*TEXTS, whole]})).texts[-1] == whole


# What is refused: Parquet and files of other kinds


def test_parquet_files_that_are_refused(tmp_path):
    whole = write(tmp_path / "a.parquet", {"text": TEXTS}).read_bytes()
    assert "not a Parquet file that can be read (" in said(put(tmp_path, "b.parquet", whole[:-20]))
    assert "not a Parquet file that can be read (" in said(put(tmp_path, "b.parquet", b"text\n" * 30))
    assert "is empty" in said(put(tmp_path, "b.parquet", b""))
    for name in ("b.jsonl", "b.csv"):
        assert "is a Parquet file: give it a name that ends in .parquet" in said(put(tmp_path, name, whole))
    x = np.arange(60.0).reshape(30, 2)
    path = write(tmp_path / "c.parquet", {"v": [*x.tolist(), [1.0]]})
    assert "row 31: 'v' holds 1 number, and 2 in records before it" in said(path)
    path = write(tmp_path / "c.parquet", {"v": [*(x.tolist() * 10), [1.0, float("nan")]]})
    assert "row 301: number 2 of 'v' is nan" in said(path)
    path = write(tmp_path / "c.parquet", {"v": [*x.tolist(), [1.0, None]]})
    assert "row 31: 'v' holds a list, not a list of numbers" in said(path)
    path = write(tmp_path / "c.parquet", {"v": [*x.tolist(), None]})
    assert "row 31: 'v' holds nothing, not a list of numbers" in said(path)
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "c.parquet")
    assert "0 records, at least 20 are needed" in said(tmp_path / "c.parquet")
    bad = pa.Array.from_buffers(pa.string(), 30, [None, pa.array(range(31), pa.int32()).buffers()[1],
                                                  pa.py_buffer(b"a" * 29 + b"\xff")])  # fmt: skip
    pq.write_table(pa.table({"text": bad}), tmp_path / "c.parquet")
    assert "row 30: not UTF-8: save the text in UTF-8" in said(tmp_path / "c.parquet")


def test_extension_types_are_not_read(tmp_path):
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(120.0).reshape(30, 2, 2))
    pq.write_table(pa.table({"text": TEXTS, "tensor": tensors}), tmp_path / "a.parquet")
    assert read("SYNTH", tmp_path / "a.parquet").texts == tuple(TEXTS)
    assert "which is not read: save it as plain values" in said(tmp_path / "a.parquet", Selection(vector="tensor"))


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".npy", ".npz", ".pt", ".pth", ".bin", ".joblib", ".PKL"])
def test_files_that_could_run_code_are_refused(tmp_path, suffix):
    mark = tmp_path / "mark"
    raw = pickle.dumps([Trap(mark)] * 30)
    message = said(put(tmp_path, f"a{suffix}", raw))
    assert "can run code when they are read (pickle): save the data as .parquet or .jsonl" in message
    for name in ("a.jsonl", "a.csv"):
        assert "is a pickle, which can run code when it is read" in said(put(tmp_path, name, raw))
    assert "not a Parquet file" in said(put(tmp_path, "a.parquet", raw)) and not mark.exists()
    np.save(tmp_path / "b.npy", np.zeros(3))
    (tmp_path / "b.npy").rename(tmp_path / "b.jsonl")
    assert "is a NumPy file, which can run code when it is read" in said(tmp_path / "b.jsonl")


def test_files_of_other_kinds_are_refused(tmp_path):
    assert "its format is not known from its name: what is read is JSON lines" in said(
        put(tmp_path, "a.xlsx", b"x")
    )
    assert "its format is not known from its name" in said(put(tmp_path, "a", b"x"))
    assert "its format is not known from its name" in said(put(tmp_path, "a.gz", b"x"))
    assert "one .txt file is one text: give the folder" in said(put(tmp_path, "a.txt", b"x"))
    packed = gzip.compress(GOOD)
    assert "is compressed with gzip: give it a name that ends in .gz" in said(put(tmp_path, "a.jsonl", packed))
    assert "line 1: not UTF-8" in said(put(tmp_path, "b.csv", b"\x80abc"))
    for raw in (packed[:-9], packed[:20], packed[:-4] + b"abcd", packed[:30] + b"x" * 40 + packed[70:], GOOD):
        assert "cannot be read (" in said(put(tmp_path, "a.jsonl.gz", raw))
    assert "is a zip archive" in said(put(tmp_path, "a.jsonl", b"PK\x03\x04"))


# What is refused: paths


def test_paths_that_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow.DataSet, "_from_hub", lambda self: pytest.fail("the hub was asked"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for missing in ("a.jsonl", "data/a.csv", "data/a", "a/b/c", "./a", "~/no such", "/no/such", "x" * 5000, "a.b",
                    "owner/a.parquet", "owner/a.dat.json", "a\nb", "\udcff", "a.jsonl/b"):  # fmt: skip
        assert any(
            why in said(missing) for why in ("there is no such file or folder", "cannot be read (File name")
        )
    assert "is not the name of a file" in said("a\0b")
    with pytest.raises(InputError, match="SYNTH: no file is named"):
        read("SYNTH", " ")
    (tmp_path / "x.jsonl").mkdir()
    assert "is a folder, not a .jsonl file: give the file in it, or rename the folder" in said(
        tmp_path / "x.jsonl"
    )
    assert "is a folder without text files (*.txt, *.md)" in said(tmp_path / "data")
    write(tmp_path / "data" / "train.parquet", {"text": TEXTS})
    assert read("SYNTH", tmp_path / "data").texts == tuple(TEXTS)
    put(tmp_path, "data/picture.png", b"x")
    assert "picture.png: its format is not known from its name" in said(tmp_path / "data")
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    assert "cannot be read (Too many levels of symbolic links)" in said("loop.jsonl")
    (tmp_path / "gone.jsonl").symlink_to("nowhere")
    assert "is a link to a file that is not there" in said("gone.jsonl")
    os.mkfifo(tmp_path / "pipe.jsonl")
    for special in ("pipe.jsonl", "/dev/null", "/dev/zero"):
        assert "is no ordinary file but a pipe or a device: write the records to a file first" in said(special)
    (tmp_path / "link.jsonl").symlink_to(put(tmp_path, "real.jsonl", GOOD))
    assert read("SYNTH", "link.jsonl").texts == tuple(TEXTS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_without_permission(tmp_path):
    path = put(tmp_path, "a.jsonl", GOOD)
    path.chmod(0)
    assert "cannot be read (Permission denied)" in said(path)
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "sub").chmod(0)
    assert "cannot be read (Permission denied)" in said(tmp_path / "docs")
    with pytest.raises(InputError, match="Permission denied"):
        fingerprint(path)


def test_a_file_that_cannot_be_opened(tmp_path, monkeypatch):
    path = put(tmp_path, "a.jsonl", GOOD)

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    problems = [said(path)]
    with pytest.raises(InputError) as caught:
        fingerprint(path)
    monkeypatch.undo()
    assert all("cannot be read (Permission denied)" in one for one in (*problems, str(caught.value)))


# Data sets


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    datasets = pytest.importorskip("datasets")
    folder = tmp_path_factory.mktemp("sets")
    features = datasets.Features(
        text=datasets.Value("string"), kind=datasets.ClassLabel(names=["dog", "cat"]), picture=datasets.Image()
    )
    columns = {"text": TEXTS, "kind": [i % 2 for i in range(30)], "picture": [None] * 30}
    data = datasets.Dataset.from_dict(columns, features=features)
    data.save_to_disk(folder / "one")
    datasets.DatasetDict(train=data, test=data.select(range(25))).save_to_disk(folder / "splits")
    (folder / "hub").mkdir()
    data.remove_columns("picture").to_parquet(folder / "hub" / "train.parquet")
    (folder / "lines").mkdir()
    (folder / "lines" / "train.jsonl").write_bytes(GOOD)
    (folder / "code").mkdir()
    (folder / "code" / "code.py").write_text("open('ran', 'w')")
    (folder / "tar").mkdir()
    (folder / "tar" / "train.tar").write_bytes(b"\0" * 10240)
    return folder


def test_data_sets_on_disk(saved):
    found = read("ANCHOR", saved / "one", Selection(label="kind"))
    assert found.texts == tuple(TEXTS) and found.labels == ("dog", "cat") * 15
    assert len(read("ANCHOR", saved / "splits", split="test")) == 25
    assert "it has no split 'dev': name one of 'train', 'test'" in said(saved / "splits", split="dev")
    assert "no column of texts" not in said(saved / "one", Selection(text="topic"))
    assert (
        len(
            {
                fingerprint(saved / "splits"),
                fingerprint(saved / "splits", Selection(split="test")),
                fingerprint(saved / "one"),
            }
        )
        == 3
    )


def test_broken_data_sets_on_disk(tmp_path, saved):
    (tmp_path / "state.json").write_text("[")
    assert "no data set can be read there (" in said(tmp_path)


def hub(monkeypatch, folder: Path) -> None:
    """Serve the folder as the data set that has its name; the loading is that of a real one."""
    import datasets

    real = datasets.load_dataset_builder
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda name, subset: real(str(folder / name), subset))


def test_data_sets_of_the_hub_stream(saved, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    hub(monkeypatch, saved)
    found = read("ANCHOR", "hub", Selection(label="kind"), limit=25)
    assert len(found) == 25 and found.found == 30 and found.texts[0] in TEXTS
    assert all(
        (text.endswith(tuple("02468"))) == (kind == "dog")
        for text, kind in zip(found.texts, found.labels, strict=True)
    )
    assert read("ANCHOR", "lines").texts == tuple(TEXTS)
    assert "has no column 'answer' (text); its columns are 'text', 'kind'" in said("hub", Selection(text="answer"))
    for name, split in (("hub", "dev"), ("nothing", "train"), ("code", "train")):
        assert "no data set of that name can be read from the hub (" in said(name, split=split)
    assert "its files are read by 'webdataset': only data sets of parquet, json, csv" in said("tar")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["csv", "text", "parquet"])
def test_names_of_formats_do_not_read_the_working_folder(saved, monkeypatch, name):
    monkeypatch.chdir(saved / "lines")
    assert "there is no such file or folder" in said(name)


@pytest.mark.parametrize("name", ["owner/name", "name", "owner/data-v1.0", "owner_1/na.me"])
def test_names_that_the_hub_is_asked_for(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert formats.locate("SYNTH", name) == ("hub", name)
    test = Selection(split="test")
    assert (
        fingerprint(name) != fingerprint(name, test) != fingerprint(name, dataclasses.replace(test, subset="en"))
    )


# Inputs together


def test_inputs_that_fit_together_pass():
    anchor, synth = records("ANCHOR"), records("SYNTH", [f"s{i}" for i in range(40)])
    assert together(anchor, synth) == together(anchor, synth, records("RAW", [f"r{i}" for i in range(40)])) == ()
    labels = {"labels": ("a", "b") * 15}
    assert together(records("ANCHOR", **labels), records("SYNTH", TEXTS[:29] + ["x"], **labels)) == ()
    notes = together(anchor, synth, records("RAW", synth.texts))
    assert len(notes) == 1 and notes[0].startswith("RAW and SYNTH hold the same records")


def vectors(name: str, shape: tuple[int, int], seed: int = 0, **rest: Any) -> Records:
    return records(name, None, vectors=np.random.default_rng(seed).normal(size=shape), **rest)


def test_inputs_that_do_not_fit_together():
    anchor, synth = records("ANCHOR"), records("SYNTH", [f"s{i}" for i in range(40)])
    labelled = records("SYNTH", synth.texts[:30], labels=("a", "b") * 15)
    rows = vectors("ANCHOR", (30, 3))
    shuffled = np.random.default_rng(1).permutation(rows.vectors).astype(np.float32)
    for inputs, problem in (
        ((anchor, records("SYNTH", TEXTS[:19])), "SYNTH (SYNTH.jsonl): 19 records, at least 20 are needed"),
        ((anchor, synth, None, records("HELDOUT", ["x"])), "HELDOUT (HELDOUT.jsonl): 1 record, at least 20"),
        ((anchor, vectors("SYNTH", (30, 3))), "ANCHOR (ANCHOR.jsonl) holds texts and SYNTH (SYNTH.jsonl) vectors"),
        (
            (rows, synth),
            "SYNTH (SYNTH.jsonl) holds texts and ANCHOR (ANCHOR.jsonl) vectors: give all inputs as one",
        ),
        ((rows, vectors("SYNTH", (30, 4), 1)), "vectors of 4 numbers, those of ANCHOR (ANCHOR.jsonl) have 3"),
        (
            (anchor, labelled),
            "ANCHOR (ANCHOR.jsonl) has no labels and SYNTH (SYNTH.jsonl) has: name a label for all",
        ),
        ((records("ANCHOR", labels=("a",) * 30), synth), "SYNTH (SYNTH.jsonl) has no labels and ANCHOR"),
        ((records("ANCHOR", labels=("x", "y") * 15), labelled), "none of its labels ('a', 'b') is one of ANCHOR"),
        ((anchor, records("SYNTH", TEXTS[::-1])), "SYNTH (SYNTH.jsonl) holds the same records as ANCHOR"),
        ((rows, records("SYNTH", None, vectors=shuffled)), "SYNTH (SYNTH.jsonl) holds the same records as ANCHOR"),
        ((anchor, synth, records("RAW")), "RAW (RAW.jsonl) holds the same records as ANCHOR"),
        ((anchor, synth, None, records("HELDOUT")), "HELDOUT (HELDOUT.jsonl) holds the same records as ANCHOR"),
    ):
        with pytest.raises(InputError) as caught:
            together(*inputs)
        assert problem in str(caught.value) and str(caught.value).isprintable()


def test_repeated_records_count_when_inputs_are_compared():
    one, other = ["a"] * 10 + ["b"] * 20, ["a"] * 20 + ["b"] * 10
    assert together(records("ANCHOR", one), records("SYNTH", other)) == ()


def test_one_file_may_be_two_inputs_only_by_other_columns(tmp_path, monkeypatch):
    columns = {"real": TEXTS, "made": [f"m{i}" for i in range(30)]}
    path = write(tmp_path / "a.csv", columns)
    monkeypatch.chdir(tmp_path)
    anchor = read("ANCHOR", path, Selection(text="real"))
    together(anchor, read("SYNTH", path, Selection(text="made")))
    with pytest.raises(InputError, match="holds the same records as ANCHOR"):  # though the samples differ
        together(anchor, read("SYNTH", "a.csv", Selection(text="real"), limit=20))


# Fingerprints


def test_fingerprints_follow_the_contents(tmp_path, monkeypatch):
    path = put(tmp_path, "a.jsonl", GOOD)
    first = fingerprint(path)
    os.utime(path, (1, 1))
    monkeypatch.chdir(tmp_path)
    assert first == fingerprint(path) == fingerprint("a.jsonl") and len(first) == 64
    status = path.stat()
    path.write_bytes(GOOD.replace(b"text 7", b"text 8"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert fingerprint(path) != first  # though size and time are those of before
    monkeypatch.setattr(audit_read, "CHEAP", 10)
    monkeypatch.setattr(audit_read, "EDGE", 8)
    before = fingerprint(path)
    os.utime(path, (2, 2))
    assert fingerprint(path) != before
    (tmp_path / "docs").mkdir()
    for i in range(3):
        (tmp_path / "docs" / f"{i}.txt").write_text("x")
    before = fingerprint(tmp_path / "docs")
    (tmp_path / "docs" / "1.txt").write_text("xy")
    assert fingerprint(tmp_path / "docs") != before
    with pytest.raises(InputError, match="there is no such file"):
        fingerprint(tmp_path / "b.jsonl")


# Whatever bytes there are


def parquet() -> bytes:
    """A whole Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": TEXTS, "n": range(30), "v": [[1.0, 2.0]] * 30}), sink, row_group_size=20)
    return sink.getvalue().to_pybytes()


SEEDS = {
    ".jsonl": GOOD,
    ".json": GOOD,
    ".csv": table({"text": TEXTS, "n": range(30)}),
    ".tsv": table({"text": TEXTS, "n": range(30)}, "\t"),
    ".jsonl.gz": gzip.compress(GOOD, mtime=0),
    ".parquet": parquet(),
}
STARTS = [
    b"",
    b"{",
    b"[",
    b'{"text": "',
    b"text\n",
    b"\xff\xfe",
    b"PAR1",
    b"\x1f\x8b\x08",
    b"\x80\x04",
    b'"',
    b"\xef\xbb",
]


def harmless(path: Path, fields: Selection = PLAIN) -> None:
    """Reading gives records or an InputError, whatever is there."""
    try:
        found = read("SYNTH", path, fields)
    except InputError as error:
        assert str(error).isprintable()
    else:
        assert len(found) >= MIN and (found.texts is None) != (found.vectors is None)


@pytest.mark.parametrize("suffix", SEEDS)
@examples(120)
@given(raw=st.binary(max_size=400), start=st.sampled_from(STARTS), column=st.sampled_from([None, "text", "n"]))
def test_random_bytes_do_no_harm(tmp_path, suffix, raw, start, column):
    harmless(
        put(tmp_path, f"a{suffix}", start + raw + (b"PAR1" if suffix == ".parquet" else b"")),
        Selection(label=column),
    )


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SEEDS)
@examples(120)
@given(data=st.data())
def test_damaged_files_do_no_harm(tmp_path, suffix, data):
    raw = bytearray(SEEDS[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        raw = raw or bytearray(b"x")
    harmless(put(tmp_path, f"a{suffix}", bytes(raw)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["role", "content", "x"]), inner),
    max_leaves=6,
)


@pytest.mark.slow
@examples(150)
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(["text", "v", "label"]), json_values), min_size=1, max_size=25),
    fields=st.sampled_from(
        [Selection(), Selection(text="v"), Selection(vector="v"), Selection(label="label", prompt="v")]
    ),
)
def test_any_json_does_no_harm(tmp_path, rows, fields):
    harmless(put(tmp_path, "a.jsonl", lines(rows + [rows[-1]] * MIN)), fields)


@examples(60)
@given(raw=st.lists(st.binary(max_size=60), min_size=MIN, max_size=MIN))
def test_any_folder_does_no_harm(tmp_path, raw):
    (tmp_path / "docs").mkdir(exist_ok=True)
    for i, one in enumerate(raw):
        (tmp_path / "docs" / f"{i}.txt").write_bytes(one)
    harmless(tmp_path / "docs")


@examples(100)
@given(text=st.text(max_size=100))
def test_what_is_shown_is_one_printable_line(text):
    found = shown(text, 50)
    found.encode()
    assert found.isprintable()
