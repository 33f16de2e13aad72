"""Synthetic data as people keep it: layouts, packed files, shards, bad rows, options for each input, rewriting."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rbcore.audit import embed, options
from rbcore.audit.options import Options
from rbcore.audit.read import rewrite
from rbcore.audit.read.conversation import is_chat, turns
from rbcore.audit.read.records import InputError, Records, Selection, fingerprint, read, together
from rbcore.audit.read.source import LONGEST, MIN

TEXTS = [f"the text {i} of a day" for i in range(40)]
ENDINGS = (".jsonl", ".json", ".parquet", ".jsonl.gz", ".json.gz", ".jsonl.zst", ".json.zst")
FEW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def packed(raw: bytes, name: str) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(raw)
    return pa.compress(raw, "zstd", asbytes=True) if name.endswith(".zst") else raw


def jsonl(rows: Sequence[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def put(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """The rows in the format that the name says."""
    if path.name.endswith(".parquet"):
        names = list(dict.fromkeys(name for row in rows for name in row))
        pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path, row_group_size=7)
    elif ".csv" in path.name:
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        path.write_bytes(packed(out.getvalue().encode(), path.name))
    else:
        raw = jsonl(rows) if ".jsonl" in path.name else json.dumps(rows, indent=len(rows) % 3 or None).encode()
        path.write_bytes(packed(raw, path.name))
    return path


def raw(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def got(path: Any, **chosen: Any) -> Records:
    return read("SYNTH", path, Selection(**chosen))


def said(path: Any, **chosen: Any) -> str:
    with pytest.raises(InputError) as caught:
        got(path, **chosen)
    message = str(caught.value)
    assert message.startswith("SYNTH: ") and message.isprintable()
    return message


def noted(found: Records, what: str) -> bool:
    return any(what in note for note in found.notes)


# Layouts: the same conversations in every writing

Spoken = list[tuple[str, str]]
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
spoken = st.lists(
    st.tuples(st.sampled_from(["user", "assistant", "tool", "user", "assistant"]), words), max_size=5
)
GPT = {"user": "human", "assistant": "gpt", "system": "system", "tool": "tool"}


def chatml(said: Spoken) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in said], "id": "x"}


def sharegpt(said: Spoken) -> dict[str, Any]:
    return {"conversations": [{"from": GPT[role], "value": text} for role, text in said], "score": 1.5}


def shouted(said: Spoken) -> dict[str, Any]:
    return {"chat": [{"role": role.title(), "content": text, "weight": 1} for role, text in said]}


def written(said: Spoken) -> dict[str, Any]:
    return {"messages": json.dumps(chatml(said)["messages"])}


def inner_list(said: Spoken) -> dict[str, Any]:
    return {"messages": [chatml(said)["messages"]]}


def in_parts(said: Spoken) -> dict[str, Any]:
    parts = [[{"type": "text", "text": text}, {"type": "image_url", "text": None}] for _, text in said]
    return {"messages": [{"role": role, "content": part} for (role, _), part in zip(said, parts, strict=True)]}


def by_keys(said: Spoken) -> dict[str, Any]:
    return {"conversations": {"from": [GPT[role] for role, _ in said], "value": [text for _, text in said]}}


def inside(said: Spoken) -> dict[str, Any]:
    return {"id": "one", "data": chatml(said)}


def joined(said: Spoken, *roles: str) -> str:
    return "\n".join(text for role, text in said if role in roles and text)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("write", [chatml, sharegpt, shouted, written, inner_list, in_parts, by_keys, inside])
@settings(FEW, max_examples=6)
@given(drawn=st.lists(spoken, min_size=1, max_size=4), system=words)
def test_conversations_are_the_same_in_every_writing(tmp_path, ending, write, drawn, system):
    rest: list[Spoken] = [[("user", f"q {i}"), ("assistant", f"a {i}")] for i in range(MIN)]
    all_said = [[("system", system), ("user", f"{i}"), *one] for i, one in enumerate(drawn)] + rest
    found = got(put(tmp_path / f"data{ending}", [write(one) for one in all_said]))
    expected = {
        "prompt": [joined(one, "user", "tool") for one in all_said],
        "answer": [joined(one, "assistant") for one in all_said],
        "system": [joined(one, "system") for one in all_said],
    }
    if not system.strip():
        del expected["system"]
    assert {key: list(column) for key, column in found.parts.items()} == expected
    assert list(found.content) == [joined(one, "user", "assistant", "tool") for one in all_said]
    assert found.answers == found.parts["answer"] and noted(found, "are read as conversations")
    assert found.positions.tolist() == list(range(len(all_said))) and not found.skipped


def alpaca(prompt: str, context: str, answer: str, other: str) -> dict[str, str]:
    return {"instruction": prompt, "input": context, "output": answer, "text": f"### {prompt} {answer}"}


def completion(prompt: str, context: str, answer: str, other: str) -> dict[str, str]:
    return {"prompt": prompt, "context": context, "completion": answer}


def question(prompt: str, context: str, answer: str, other: str) -> dict[str, str]:
    return {"id": "one", "Question": prompt, "context": context, "Answer": answer}


def query(prompt: str, context: str, answer: str, other: str) -> dict[str, str]:
    return {"query": prompt, "input": context, "response": answer}


def preference(prompt: str, context: str, answer: str, other: str) -> dict[str, str]:
    return {"prompt": prompt, "context": context, "chosen": answer, "rejected": other}


@pytest.mark.slow
@pytest.mark.parametrize("ending", (*ENDINGS, ".csv", ".csv.gz", ".csv.zst"))
@pytest.mark.parametrize("write", [alpaca, completion, question, query, preference])
@settings(FEW, max_examples=6)
@given(drawn=st.lists(st.tuples(words, words, words, words), min_size=1, max_size=5))
@example(drawn=[("", "0", "", "")])  # all contexts look like numbers
def test_prompts_and_answers_are_the_same_in_every_file(tmp_path, ending, write, drawn):
    rows = [(f"q{i}{one}", two, three, four) for i, (one, two, three, four) in enumerate(drawn)]
    rows += [(f"which one is {i}?", "", f"the {i}", f"not {i}") for i in range(MIN)]
    found = got(put(tmp_path / f"data{ending}", [write(*row) for row in rows]))
    asked = ["\n".join(filter(None, row[:2])) for row in rows]
    expected = {"prompt": asked, "answer": [row[2] for row in rows]}
    if write is preference:
        expected["rejected"] = [row[3] for row in rows]
    assert {key: list(column) for key, column in found.parts.items()} == expected
    assert list(found.content) == ["\n".join(filter(None, row[:3])) for row in rows]
    assert noted(found, "read as conversations: ")


@pytest.mark.parametrize("ending", ENDINGS)
def test_preferences_as_lists_with_the_prompt_repeated(tmp_path, ending):
    def side(i: int, answer: str) -> list[dict[str, str]]:
        return [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": f"first {i}"},
            {"role": "assistant", "content": f"reply {i}"},
            {"role": "user", "content": f"second {i}"},
            {"role": "assistant", "content": answer},
        ]

    rows = [
        {"prompt": f"second {i}", "chosen": side(i, f"good {i}"), "rejected": side(i, f"bad {i}")}
        for i in range(30)
    ]
    path = put(tmp_path / f"data{ending}", rows)
    found = got(path)
    assert found.parts["answer"][3] == "good 3" and found.parts["rejected"][3] == "bad 3"
    assert found.parts["prompt"][3] == "first 3\nreply 3\nsecond 3" and found.parts["system"][3] == "be brief"
    assert found.content[3] == "first 3\nreply 3\nsecond 3\ngood 3"
    other = got(path, side="rejected")
    assert other.answers[3] == "bad 3" and "rejected" not in other.parts
    assert got(path, role="assistant").content[3] == "good 3"
    assert got(path, text="chosen", prompt="prompt").content[3] == found.content[3].replace("\nreply", "\nreply")


def test_preferences_as_strings_that_repeat_the_prompt_and_as_single_messages(tmp_path):
    rows = [
        {"question": f"What is {i} plus one?", "chosen": f"What is {i} plus one? It is {i + 1}.",
         "rejected": f"What is {i} plus one? Nobody knows."}
        for i in range(30)
    ]  # fmt: skip
    found = got(put(tmp_path / "a.jsonl", rows))
    assert found.answers[3] == "It is 4." and found.parts["rejected"][3] == "Nobody knows."
    rows = [
        {"conversations": [{"from": "human", "value": f"hi {i}"}], "chosen": {"from": "gpt", "value": f"good {i}"},
         "rejected": {"from": "gpt", "value": f"bad {i}"}}
        for i in range(30)
    ]  # fmt: skip
    for ending in ENDINGS:
        found = got(put(tmp_path / f"b{ending}", rows))
        assert {key: one[3] for key, one in found.parts.items()} == {
            "prompt": "hi 3", "answer": "good 3", "rejected": "bad 3",
        }  # fmt: skip
    talk = "\n\nHuman: Hi {0}\n\nAssistant: Hello {0}\n\nHuman: Bye {0}\n\nAssistant: {1} {0}"
    rows = [{"chosen": talk.format(i, "See you"), "rejected": talk.format(i, "Go")} for i in range(30)]
    for ending in (*ENDINGS, ".csv"):
        found = got(put(tmp_path / f"c{ending}", rows))
        assert found.parts["prompt"][3] == "Hi 3\nHello 3\nBye 3"
        assert found.answers[3] == "See you 3" and found.parts["rejected"][3] == "Go 3"


def call(arguments: Any, **more: Any) -> dict[str, Any]:
    return {
        "role": "assistant",
        **more,
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": arguments}}],
    }


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "made",
    [
        call({"item": "cat", "n": 3}),
        call('{"item": "cat", "n": 3}', content=None),
        call({"item": "cat", "n": 3}, content=""),
        {"role": "assistant", "function_call": {"name": "look", "arguments": '{"item":"cat","n":3}'}},
        {"role": "assistant", "tool_calls": '[{"name": "look", "arguments": {"item": "cat", "n": 3}}]'},
        {"role": "assistant", "content": [{"type": "tool_use", "name": "look", "input": {"item": "cat", "n": 3}}]},
    ],
)
def test_tool_calls_become_text(tmp_path, ending, made):
    rows = [
        {"messages": [{"role": "user", "content": f"find {i}"}, made, {"role": "tool", "content": f"it is {i}"},
                      {"role": "assistant", "content": f"done {i}"}]}
        for i in range(30)
    ]  # fmt: skip
    if ending == ".parquet" and isinstance(made.get("content"), list):
        for row in rows:  # one column has one type
            for message in row["messages"]:
                if isinstance(message["content"], str):
                    message["content"] = [{"type": "text", "text": message["content"]}]
    found = got(put(tmp_path / f"data{ending}", rows))
    assert found.content[3] == 'find 3\nlook({"item": "cat", "n": 3})\nit is 3\ndone 3'
    assert (
        found.answers[3] == 'look({"item": "cat", "n": 3})\ndone 3'
        and found.parts["prompt"][3] == "find 3\nit is 3"
    )
    assert noted(found, "tool calls are read as text")
    assert got(tmp_path / f"data{ending}", role="last").content[3] == "done 3"


def test_a_call_and_a_text_are_both_kept_and_odd_calls_too():
    both = {"role": "assistant", "content": "wait", **{k: v for k, v in call({"a": None}).items() if k != "role"}}
    assert turns([both])[0].text == "wait\nlook({})"
    assert turns([{"role": "assistant", "tool_calls": "look(cat)"}])[0].text == "look(cat)"
    assert turns([{"from": "function_call", "value": "look()"}])[0] == ("assistant", "look()")
    assert turns([{"from": "observation", "value": "cat"}])[0].role == "tool"
    assert turns([{"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"n": 1}}}]}])[0].text == (
        'look({"n": 1})'
    )
    for value in (3, "plain", [3], [{"x": 1}], {"x": 1}, [], [[]], None, {"role": ["user"], "x": ["y"]}):
        assert not is_chat(value)


def test_what_is_chosen_of_a_conversation(tmp_path):
    rows = [
        {"messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": f"q {i}"},
                      {"role": "assistant", "content": f"a {i}"}, {"role": "user", "content": f"r {i}"},
                      {"role": "assistant", "content": f"b {i}"}]}
        for i in range(30)
    ]  # fmt: skip
    path = put(tmp_path / "a.jsonl", rows)
    chosen = {role: got(path, role=role) for role in ("all", "assistant", "user", "last")}
    assert {role: one.content[3] for role, one in chosen.items()} == {
        "all": "q 3\na 3\nr 3\nb 3", "assistant": "a 3\nb 3", "user": "q 3\nr 3", "last": "b 3",
    }  # fmt: skip
    assert chosen["last"].answers[3] == "b 3" and chosen["user"].answers[3] == "q 3\nr 3"
    assert "all 30 texts are the same" in said(path, role="system")
    path = put(
        tmp_path / "b.jsonl", [alpaca(f"q {i}", "", f"a {i}", "") | {"system": f"s {i}"} for i in range(30)]
    )
    assert [got(path, role=role).content[3] for role in ("assistant", "user", "last", "system")] == [
        "a 3", "q 3", "a 3", "s 3",
    ]  # fmt: skip
    assert got(path).parts["system"][3] == "s 3" and got(path, text="text").parts == {}
    path = put(tmp_path / "c.jsonl", [{"text": text} for text in TEXTS])
    assert "'text' holds plain text, which has no roles: assistant?" in said(path, role="assistant")
    assert "side 'rejected' is of preference data, with columns 'chosen' and 'rejected'" in said(
        path, side="rejected"
    )


@pytest.mark.parametrize("ending", (".jsonl", ".parquet", ".csv"))
def test_columns_are_joined(tmp_path, ending):
    rows = [{"instruction": f"q {i}", "input": "", "output": f"a {i}", "n": i} for i in range(30)]
    path = put(tmp_path / f"a{ending}", rows)
    found = got(path, fields=("instruction", "output"))
    assert found.content[3] == "q 3\na 3" and noted(found, "the columns 'instruction', 'output' are joined")
    assert found.parts == {
        "prompt": tuple(f"q {i}" for i in range(30)),
        "answer": tuple(f"a {i}" for i in range(30)),
    }
    assert got(path, fields=("output", "n")).content[3] == "a 3\n3" and got(path, fields=("n", "output")).parts
    assert got(path, fields=("output", "n")).parts == {}
    assert "has no column 'answer' (fields); its columns are 'instruction'" in said(path, fields=("n", "answer"))
    assert "name text or fields, not both" in said(path, text="output", fields=("n",))
    assert "fields: the names of columns" in str(pytest.raises(InputError, Selection, fields="a,b").value)


# Variants that are found in the wild


def talk(i: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"q {i}"}, {"role": "assistant", "content": f"a {i}"}]


@pytest.mark.parametrize("ending", ENDINGS)
def test_odd_conversations_are_left_out_or_said(tmp_path, ending):
    rows: list[dict[str, Any]] = [{"messages": talk(i)} for i in range(30)]
    rows[5]["messages"] = None
    rows[6]["messages"] = []
    rows[7]["messages"] = talk(7) + [{"role": "user", "content": "and?"}]
    rows[8]["messages"] = [{"role": "user", "content": "nobody answers"}]
    rows[9]["messages"] = [{"role": "narrator", "content": "once"}, *talk(9)]
    found = got(put(tmp_path / f"a{ending}", rows))
    assert len(found) == 28 and found.positions.tolist() == [i for i in range(30) if i not in (5, 6)]
    assert found.content[5] == "q 7\na 7\nand?" and found.answers[5] == "a 7"
    assert found.answers[6] == "" and noted(found, "1 record without an answer")
    assert noted(found, "2 empty texts left out") and noted(found, "the role 'narrator' is not known")
    assert found.parts["prompt"][7] == "once\nq 9"


def test_marks_ends_of_lines_and_extra_keys(tmp_path):
    rows = [
        {"messages": [one | {"weight": 1, "name": None} for one in talk(i)], "meta": {"a": [1, "x"]}}
        for i in range(30)
    ]
    content = b"\xef\xbb\xbf" + jsonl(rows).replace(b"\n", b"\r\n")
    assert got(raw(tmp_path / "a.jsonl", content)).content[3] == "q 3\na 3"
    content = b"\xef\xbb\xbf" + json.dumps(rows, indent=1).encode().replace(b"\n", b"\r\n")
    assert got(raw(tmp_path / "a.json", content)).content[3] == "q 3\na 3"
    rows = [
        {"conversations": [{"from": "user", "value": f"q {i}"}, {"from": "Assistant", "value": f"a {i}"}]}
        for i in range(30)
    ]
    assert got(put(tmp_path / "b.jsonl", rows)).answers[3] == "a 3"


def test_records_inside_one_object(tmp_path):
    rows = [{"text": text} for text in TEXTS]
    for i, content in enumerate(
        ({"data": rows}, {"version": 1, "rows": rows, "tags": ["a"]}, {"train": rows, "test": rows[:25]})
    ):
        for indent in (None, 2):
            path = raw(tmp_path / f"{i}.json", json.dumps(content, indent=indent).encode())
            assert got(path).texts == tuple(TEXTS) and noted(got(path), "the records are read from the list")
    assert len(got(path, split="test")) == 25
    assert "is one JSON object with lists 'train', 'test'" in said(path, split="dev")
    path = raw(tmp_path / "a.json", json.dumps({"text": TEXTS}, indent=1).encode())
    assert "is one JSON object with fields 'text': write its records as an array" in said(path)
    path = put(
        tmp_path / "b.jsonl",
        [{"id": f"{i}", "data": {"prompt": f"q {i}", "chosen": f"a {i}", "rejected": "b"}} for i in range(30)],
    )
    assert got(path).answers[3] == "a 3" and got(path).parts["rejected"][3] == "b"
    assert got(path, text="data.prompt").texts[3] == "q 3"


def test_a_column_named_text_goes_before_what_may_be_an_accident(tmp_path):
    rows = [
        {"text": text, "question": "q", "answer": "a", "meta": {"prompt": "p", "response": "r"}} for text in TEXTS
    ]
    assert got(put(tmp_path / "a.jsonl", rows)).texts == tuple(TEXTS)
    rows = [{"body": text, "meta": {"prompt": "p", "response": "r"}} for text in TEXTS]
    assert got(put(tmp_path / "b.jsonl", rows)).texts == tuple(TEXTS)
    rows = [{"id": f"{i}", "messages": talk(i), "prompt": "p", "title": "t"} for i in range(30)]
    assert got(put(tmp_path / "c.jsonl", rows)).content[3] == "q 3\na 3"


def test_answers_that_are_numbers(tmp_path):
    for ending in (".jsonl", ".parquet", ".csv"):
        found = got(put(tmp_path / f"a{ending}", [{"question": f"{i} + 1?", "answer": i + 1} for i in range(30)]))
        assert found.content[3] == "3 + 1?\n4" and found.answers[3] == "4"


@pytest.mark.parametrize(
    "texts",
    [
        [f"春眠不覺曉{i}，處處聞啼鳥。" for i in range(30)],
        [f"السَّلامُ عَلَيْكُم {i}" for i in range(30)],
        [f"?! {chr(0x2200 + i)}" for i in range(30)],
        [f"¿Dónde está el número {i}?" for i in range(30)],
        [f"What is -{i} + 3?" for i in range(30)],
    ],
    ids=["Chinese", "Arabic", "symbols", "Spanish", "sums"],
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_any_script_arrives_as_it_is(tmp_path, texts, ending):
    assert got(put(tmp_path / f"a{ending}", [{"text": text} for text in texts])).texts == tuple(texts)


# Sources


def test_large_strings_times_and_other_columns_of_parquet(tmp_path):
    times = pa.array(range(30), pa.timestamp("us"))
    table = pa.table({"text": pa.array(TEXTS[:30], pa.large_string()), "made": times, "raw": [b"\0"] * 30})
    pq.write_table(table, tmp_path / "a.parquet")
    assert got(tmp_path / "a.parquet").texts == tuple(TEXTS[:30])
    rows = [{"text": text, "meta": [1, "a", None, {"b": i}][i % 4]} for i, text in enumerate(TEXTS)]
    assert got(put(tmp_path / "a.jsonl", rows)).texts == tuple(TEXTS)
    assert got(put(tmp_path / "a.json.gz", rows)).texts == tuple(TEXTS)


@pytest.mark.parametrize("ending", (*ENDINGS, ".csv.gz", ".csv.zst"))
def test_shards_and_patterns(tmp_path, ending, monkeypatch):
    folder = tmp_path / "made" / "data"
    folder.mkdir(parents=True)
    for i in range(3):
        put(folder / f"part-{i}{ending}", [{"text": text} for text in TEXTS[i * 10 : i * 10 + 10]])
    (folder / "README.md").write_text("about")
    (folder / ".gitattributes").write_text("x")
    (folder / "_SUCCESS").write_text("")
    monkeypatch.chdir(tmp_path)
    for source in (tmp_path / "made", folder, f"made/data/*{ending}", f"{tmp_path}/**/part-?{ending}"):
        found = got(source)
        assert found.texts == tuple(TEXTS[:30]) and found.found == 30 and noted(found, "3 files of")
        assert found.positions.tolist() == list(range(30))
        assert [Path(file).name for file, _ in found.places] == [f"part-{i // 10}{ending}" for i in range(30)]
    first = 2 if ".csv" in ending else 1
    assert [line for _, line in found.places] == [*range(first, first + 10)] * 3
    assert "there is no file that fits this pattern" in said("made/data/*.tsv")
    one = fingerprint(folder)
    put(folder / f"part-1{ending}", [{"text": text} for text in TEXTS[30:]])
    assert fingerprint(folder) != one != fingerprint(f"made/data/*{ending}")
    other = ".csv" if ".csv" not in ending else ".jsonl"
    put(folder / f"part-4{other}", [{"text": "x"}])
    assert "files of several formats" in said(folder)


def test_bad_rows_of_shards_are_named_by_their_file(tmp_path):
    for i in range(2):
        put(tmp_path / f"{i}.jsonl", [{"text": text} for text in TEXTS[i * 20 : i * 20 + 20]])
    with open(tmp_path / "1.jsonl", "ab") as file:
        file.write(b'{"text": "cut')
    assert got(tmp_path).skipped[0][0].endswith("line 21") and len(got(tmp_path)) == 40
    assert "1.jsonl, line 21: not valid JSON" in said(tmp_path, skip=0)


def test_files_named_by_splits(tmp_path):
    for split, n in (("train", 30), ("test", 25)):
        put(tmp_path / f"{split}-00000-of-00001.parquet", [{"text": text} for text in TEXTS[:n]])
    assert len(got(tmp_path)) == 30 and len(got(tmp_path, split="test")) == 25
    assert "it has no split 'dev': name one of 'test', 'train'" in said(tmp_path, split="dev")
    assert len(got(tmp_path / "*.parquet")) == 55


def test_a_folder_of_texts_stays_what_it_is(tmp_path):
    for i in range(30):
        (tmp_path / f"{i:02}.txt").write_text(f"text {i}")
    put(tmp_path / "meta.jsonl", [{"text": text} for text in TEXTS])
    found = got(tmp_path)
    assert found.texts[3] == "text 3" and found.places[3] == (str(tmp_path / "03.txt"), 1)


@pytest.mark.parametrize("ending", (".jsonl.gz", ".json.gz", ".jsonl.zst", ".json.zst", ".csv.zst"))
def test_damaged_packed_files_are_refused(tmp_path, ending):
    path = put(
        tmp_path / f"a{ending}", [{"text": f"{i} {np.random.default_rng(i).bytes(9).hex()}"} for i in range(99)]
    )
    whole = path.read_bytes()
    damaged = [whole[:-20], whole[:30], b"plain text\n" * 30]
    if ending.endswith(".gz"):  # which holds a checksum always
        damaged.append(whole[:50] + b"x" * 40 + whole[90:])
    for content in damaged:
        assert "cannot be read (" in said(raw(path, content), skip=0.5)
    plain = tmp_path / "b.jsonl"
    kind = "gzip" if ending.endswith("gz") else "zstd"
    assert f"is compressed with {kind}: give it a name that ends in" in said(raw(plain, whole))


def test_packed_files_of_several_frames(tmp_path):
    halves = [jsonl([{"text": text} for text in half]) for half in (TEXTS[:20], TEXTS[20:])]
    for ending in (".gz", ".zst"):
        path = raw(tmp_path / f"a.jsonl{ending}", b"".join(packed(half, ending) for half in halves))
        assert got(path).texts == tuple(TEXTS)


def test_arrays_of_many_records_are_read_in_pieces(tmp_path, monkeypatch):
    rows = [{"text": f"{i} " + 'é"\\[{' * (i % 50)} for i in range(3000)]
    path = raw(tmp_path / "a.json", json.dumps(rows, ensure_ascii=False).encode())
    monkeypatch.setattr("rbcore.audit.read.objects.LONGEST", 997)
    assert got(path).texts == tuple(row["text"] for row in rows)


# Bad rows

GOOD = jsonl([{"text": text} for text in TEXTS])
BAD = {
    "no JSON": (b"{'text': 'x'}\n", "not valid JSON"),
    "cut off": (b'{"text": "x', "not valid JSON"),
    "no object": (b'"x"\n', "holds a string"),
    "no field": (b'{"body": "x"}\n', "no field 'text'"),
    "another type": (b'{"text": 3}\n', "'text' holds a number"),
    "half a character": (b'{"text": "\\ud83d"}\n', "half of a character"),
    "not UTF-8": (b'{"text": "\xff"}\n', "not UTF-8"),
    "NUL": (b'{"text": "\0"}\n', "a NUL byte"),
    "too long": (b'{"text": "' + b"x" * (LONGEST + 5000) + b'"}\n', "longer than 1,000,000 bytes"),
    "twice": (b'{"text": "x", "text": "y"}\n', "appears twice"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("ending", (".jsonl", ".jsonl.gz", ".jsonl.zst"))
def test_one_bad_line_is_skipped_and_listed(tmp_path, bad, ending):
    line, problem = BAD[bad]
    for where in (40,) if bad == "cut off" else (0, 11, 40):
        cut = sum(len(one) + 1 for one in GOOD.splitlines()[:where])
        path = raw(tmp_path / f"a{ending}", packed(GOOD[:cut] + line + GOOD[cut:], ending))
        found = got(path)
        assert found.texts == tuple(TEXTS) and found.found == 41
        [(place, what)] = found.skipped
        assert place == f"line {where + 1}" and problem in what
        assert noted(found, f"1 bad row is skipped at line {where + 1}: ") and noted(found, problem)
        assert found.positions.tolist() == [i for i in range(41) if i != where]
        assert found.places[-1][1] == (41 if where < 40 else 40)
        assert f"line {where + 1}: " in said(path, skip=0)


@pytest.mark.parametrize("ending", (".json", ".json.gz"))
@pytest.mark.parametrize(
    "bad", ["no object", "no field", "another type", "half a character", "not UTF-8", "too long", "twice"]
)
def test_one_bad_record_of_an_array_is_skipped(tmp_path, bad, ending):
    line, problem = BAD[bad]
    rows = [one.encode() for one in GOOD.decode().splitlines()]
    for where in (0, 11, 40):
        content = b"[" + b",\n".join([*rows[:where], line.strip(), *rows[where:]]) + b"]\n"
        found = got(raw(tmp_path / f"a{ending}", packed(content, ending)))
        assert found.texts == tuple(TEXTS) and found.skipped[0][0] == f"record {where + 1}"
        assert problem in found.skipped[0][1]


def test_arrays_that_are_cut_off_or_broken(tmp_path):
    whole = json.dumps([{"text": text} for text in TEXTS]).encode()
    for n in (1, 5, 20):
        found = got(raw(tmp_path / "a.json", whole[:-n]))
        assert found.texts == tuple(TEXTS[: len(found)]) and len(found) >= 39
        assert "the array is not closed: the file was cut off" in found.skipped[0][1]
    broken = whole.replace(b'"the text 7 of a day"}', b'"the text 7 of a day"', 1)
    assert "record 8: not valid JSON: brackets or quotes do not match" in said(raw(tmp_path / "a.json", broken))
    assert "is in UTF-16" in said(raw(tmp_path / "a.json", whole.decode().encode("utf-16")))
    assert said(raw(tmp_path / "a.json", whole.decode().encode("utf-16-le")))


def test_bad_rows_of_tables(tmp_path):
    rows = [f'{text},"a, b"\r\n' for text in TEXTS]
    for where in (0, 11, 40):
        for bad, problem in (("x\r\n", "1 value where the header has 2 names"), ("x,y,z\r\n", "3 values where"),
                             ('"x" y,z\r\n', "not valid CSV"), ('"open,x\r\n', "not valid CSV"),
                             ("\0,x\r\n", "a NUL byte"), ("\udcff,x\r\n", "not UTF-8")):  # fmt: skip
            content = "".join(["text,n\r\n", *rows[:where], bad, *rows[where:]])
            found = got(raw(tmp_path / "a.csv", content.encode(errors="surrogateescape")), text="text")
            assert found.texts == tuple(TEXTS), (where, bad)
            assert len(found.skipped) == 1 and problem in found.skipped[0][1]
            assert [line for _, line in found.places] == [i + 2 for i in range(41) if i != where]


def test_bad_rows_of_parquet(tmp_path):
    values = [*TEXTS[:11], "x" * (LONGEST + 1), *TEXTS[11:]]
    path = put(tmp_path / "a.parquet", [{"text": text} for text in values])
    found = got(path)
    assert found.texts == tuple(TEXTS) and found.skipped[0][0] == "row 12"
    assert found.places[11] == (str(path), 13)
    rows = [{"text": "x", "v": [1.0, float(i)]} for i in range(30)] + [{"text": "y", "v": [1.0]}]
    found = got(put(tmp_path / "b.parquet", rows), vector="v")
    assert len(found) == 30 and found.skipped[0][0] == "row 31"


@pytest.mark.parametrize("n", [100, 1000])
@pytest.mark.parametrize("skip", [0.0, 0.01, 0.05])
def test_the_share_of_bad_rows_decides(tmp_path, n, skip):
    most = max(1, round(skip * n)) if skip else 0
    rng = np.random.default_rng(0)
    for bad in {0, 1, most, most + 1}:
        out = set(rng.choice(n, bad, replace=False).tolist())
        lines = [b"{" if i in out else b'{"text": "t%d"}' % i for i in range(n)]
        path = raw(tmp_path / "a.jsonl", b"\n".join(lines))
        if bad <= most:
            found = got(path, skip=skip)
            assert found.texts == tuple(f"t{i}" for i in range(n) if i not in out) and len(found.skipped) == bad
        else:
            message = said(path, skip=skip)
            assert f"line {min(out) + 1}: not valid JSON" in message
            if skip:
                assert f"{bad} of {n:,} rows are bad, and SKIP={skip:g} allows" in message


def test_a_file_of_another_kind_is_refused_at_once(tmp_path):
    lines = b"".join(b"plain text, line %d\n" % i for i in range(200_000))
    for content in (lines, b"\0" * 3_000_000, bytes(range(256)) * 20_000):
        message = said(raw(tmp_path / "a.jsonl", content), skip=0.5)
        assert "a.jsonl, line 1: " in message or "a.jsonl, line 2: " in message


@settings(FEW, max_examples=60)
@given(data=st.data())
def test_whatever_is_damaged_good_rows_stay_in_order_with_their_positions(tmp_path, data):
    lines = GOOD.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        one = bytearray(lines[at])
        spot = data.draw(st.integers(0, len(one) - 1))
        one[spot : spot + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4)).replace(b"\n", b"")
        lines[at] = bytes(one).replace(b"\r", b"")
    path = raw(tmp_path / "a.jsonl", b"\n".join(lines))
    try:
        found = got(path, skip=0.2)
    except InputError:
        return
    rows = [line for line in lines if line.strip()]
    for text, position, (_, line) in zip(found.content, found.positions, found.places, strict=True):
        assert json.loads(rows[position].removeprefix(b"\xef\xbb\xbf"))["text"] == text
        assert lines[line - 1] == rows[position]
    assert len(found) + len(found.skipped) <= found.found == len(rows)


def test_the_sample_keeps_places_and_positions(tmp_path):
    path = put(tmp_path / "a.jsonl", [{"text": f"t{i}"} for i in range(500)])
    found = got(path, limit=30)
    assert [f"t{i}" for i in found.positions] == list(found.texts)
    assert [line - 1 for _, line in found.places] == found.positions.tolist()


def test_records_that_are_made_by_hand_have_places():
    one = Records("SYNTH", "made", 3, ("a", "b", "c"))
    assert one.positions.tolist() == [0, 1, 2] and one.places[2] == ("made", 3) and one.answers == one.texts


# Options


def test_options_for_each_input_apart(tmp_path):
    path = str(put(tmp_path / "a.jsonl", [alpaca(f"q {i}", "", f"a {i}", "") for i in range(30)]))
    made = Options(path, path, text="ANCHOR:instruction SYNTH:output")
    anchor, synth = (read(name, path, made.selection(name)) for name in ("ANCHOR", "SYNTH"))
    assert anchor.texts[3] == "q 3" and synth.texts[3] == "a 3" and together(anchor, synth) == ()
    made = Options(path, path, fields="SYNTH:instruction,output", role="ANCHOR:user")
    assert made.selection("SYNTH").fields == ("instruction", "output") and made.selection("ANCHOR").fields is None
    assert made.selection("ANCHOR").role == "user" and made.selection("SYNTH").role == "all"
    made = Options(path, path, raw=path, label="topic SYNTH:my field HELDOUT:x", heldout=path, prompt="p ANCHOR:q")
    assert [made.selection(name).label for name in options.INPUTS] == ["topic", "my field", "topic", "x"]
    assert [made.selection(name).prompt for name in options.INPUTS] == ["q", None, "p", None]
    for given_, problem in (
        ({"text": "RAW:x"}, "TEXT names RAW, which is not given"),
        ({"text": "SYNTH:x SYNTH:y"}, "TEXT names SYNTH twice"),
        ({"fields": "SYNTH:"}, "FIELDS names SYNTH without a value"),
        ({"role": "assistent"}, "ROLE: all, assistant, user, last or system, got 'assistent'"),
        ({"side": "SYNTH:left"}, "SIDE: chosen or rejected, got 'left'"),
        ({"skip": "2"}, "SKIP: a share of the rows from 0 to 1, such as 0.01 or 1%, got '2'"),
        ({"skip": "few"}, "SKIP: a share"),
    ):
        with pytest.raises(InputError, match="^" + problem.split("(")[0]):
            Options(path, path, **given_)
    assert Options(path, path, skip="2%").selection("SYNTH").skip == 0.02
    assert Options(path, path, role="Last").selection("SYNTH").role == "last"


def test_chosen_and_rejected_of_one_file_are_compared(tmp_path):
    path = str(put(tmp_path / "a.jsonl", [preference(f"q {i}", "", f"good {i}", f"bad {i}") for i in range(30)]))
    made = Options(path, path, side="SYNTH:rejected", role="assistant")
    anchor, synth = (read(name, path, made.selection(name)) for name in ("ANCHOR", "SYNTH"))
    assert anchor.texts[3] == "good 3" and synth.texts[3] == "bad 3" and together(anchor, synth) == ()
    made = Options(path, path, text="ANCHOR:chosen SYNTH:rejected")
    anchor, synth = (read(name, path, made.selection(name)) for name in ("ANCHOR", "SYNTH"))
    assert together(anchor, synth) == () and synth.texts[3] == "bad 3"
    made = Options(path, path, role="assistant")
    anchor, synth = (read(name, path, made.selection(name)) for name in ("ANCHOR", "SYNTH"))
    with pytest.raises(InputError, match="holds the same records"):
        together(anchor, synth)


def test_a_conversation_beside_plain_texts_is_said(tmp_path):
    talks = got(put(tmp_path / "a.jsonl", [{"messages": talk(i)} for i in range(30)]))
    plain = Records("ANCHOR", "made", 30, tuple(TEXTS[:30]))
    [note] = together(plain, talks)
    assert note.startswith("SYNTH holds conversations and ANCHOR plain texts: compare like with like")


def test_options_and_paths_need_no_large_library(tmp_path):
    path = put(tmp_path / "a.jsonl", [{"text": text} for text in TEXTS])
    code = (
        "import sys, types\n"
        "package = types.ModuleType('rbcore.audit')\n"  # the package itself is not what is tested here
        f"package.__path__ = [{str(Path(options.__file__).parent)!r}]\n"
        "sys.modules['rbcore.audit'] = package\n"
        "from rbcore.audit.options import Options\n"
        "from rbcore.audit.read.records import read\n"
        f"made = Options({str(path)!r}, {str(path)!r})\n"
        "read('SYNTH', made.synth, made.selection('SYNTH'))\n"
        "large = {'pyarrow', 'sklearn', 'torch', 'datasets', 'scipy', 'pandas'} & sys.modules.keys()\n"
        "assert not large, large\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert Options("a", "b").embed == embed.DEFAULT


def test_eight_seeds_are_refused_with_the_reason(tmp_path):
    message = said(put(tmp_path / "a.jsonl", [{"text": text} for text in TEXTS[:8]]))
    assert "8 records, at least 20 are needed: from fewer no difference" in message


# Rewriting

READERS: dict[str, Callable[[Path], list[dict[str, Any]]]] = {
    ".jsonl": lambda path: [json.loads(line) for line in path.read_bytes().splitlines()],
    ".jsonl.gz": lambda path: [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()],
    ".parquet": lambda path: pq.read_table(path).to_pylist(),
}
ROWS = [{"messages": talk(i), "n": i, "tag": "é" if i % 2 else None} for i in range(30)]


@pytest.mark.parametrize("into", READERS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_rows_are_written_but_those_to_drop(tmp_path, ending, into):
    path = put(tmp_path / f"a{ending}", ROWS)
    target = tmp_path / "new" / f"clean{into}"
    made = Options(str(path), str(path))
    assert rewrite(made, "SYNTH", {0, 7, 29, 99}, target) == 27
    assert READERS[into](target) == [row for i, row in enumerate(ROWS) if i not in (0, 7, 29)]
    assert [one.name for one in target.parent.iterdir()] == [target.name]
    if into == ".parquet" and ending == ".parquet":
        assert pq.read_schema(target).equals(pq.read_schema(path))


def test_lines_are_copied_byte_for_byte_and_bad_ones_left_out(tmp_path):
    lines = [b'{"text":  "t%d", "n": 1.10, "u": "\\u00e9"}\r\n' % i for i in range(30)]
    path = raw(
        tmp_path / "a.jsonl", b"\xef\xbb\xbf" + b"".join(lines[:9]) + b"\n{\n" + b"".join(lines[9:]).rstrip()
    )
    found = got(path)
    assert found.positions.tolist() == [i for i in range(31) if i != 9]
    drop = {int(found.positions[i]) for i in (2, 9)}
    assert rewrite(Options(str(path), str(path)), "SYNTH", drop, tmp_path / "b.jsonl") == 28
    kept = [line for i, line in enumerate(lines) if i not in (2, 9)]
    assert (tmp_path / "b.jsonl").read_bytes() == b"".join(kept).rstrip() + b"\n"
    made = Options(str(path), str(tmp_path / "b.jsonl"))
    assert rewrite(made, "SYNTH", (), tmp_path / "b.jsonl") == 28 and len(got(tmp_path / "b.jsonl")) == 28


def test_tables_and_folders_are_rewritten(tmp_path):
    rows = [{"text": f't{i}, "x"\ny', "n": str(i)} for i in range(30)]
    made = Options("a", str(put(tmp_path / "a.csv", rows)))
    assert rewrite(made, "SYNTH", {3}, tmp_path / "b.csv") == 29
    with open(tmp_path / "b.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [row for i, row in enumerate(rows) if i != 3]
    made = Options("a", str(put(tmp_path / "c.jsonl", ROWS)))
    assert rewrite(made, "SYNTH", {3}, tmp_path / "c.csv") == 29
    assert got(tmp_path / "c.csv").content[3] == "q 4\na 4"
    (tmp_path / "docs").mkdir()
    for i in range(30):
        (tmp_path / "docs" / f"{i:02}.txt").write_text(f"text {i}")
    assert rewrite(Options("a", str(tmp_path / "docs")), "SYNTH", {3}, tmp_path / "d.jsonl") == 29
    assert got(tmp_path / "d.jsonl", text="text").texts[3] == "text 4"
    mixed = put(tmp_path / "e.jsonl", [{"text": text, "m": "x" if i else 1} for i, text in enumerate(TEXTS)])
    with pytest.raises(InputError, match=r"do not fit into a Parquet file .*: write \.jsonl"):
        rewrite(Options("a", str(mixed)), "SYNTH", (), tmp_path / "e.parquet")
    with pytest.raises(InputError, match="rows are written as"):
        rewrite(Options("a", str(mixed)), "SYNTH", (), tmp_path / "e.xlsx")
    assert not [one for one in tmp_path.iterdir() if one.name.startswith((".", "e.p", "e.x"))]
