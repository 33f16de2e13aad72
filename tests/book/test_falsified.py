"""The long falsification: each theorem once, resumed after an interruption, forgotten when the theorem changes."""

import json

import pytest

from rbcore.book import falsified
from rbcore.book.ledger import Chapter
from rbcore.information.shannon import ProverError

CHAIN = ("I(S;W) <= I(S;P)", ("S -> P -> W",))
PLAIN = ("I(A;B) <= H(A)", ())


def test_each_theorem_is_evaluated_on_so_many_models(tmp_path, monkeypatch):
    monkeypatch.setattr(falsified, "CHUNK", 300)
    record = tmp_path / "falsified.json"
    got = falsified.run([CHAIN, PLAIN], record, 1000, workers=2)
    assert got == json.loads(record.read_text())
    assert [entry["models"] for entry in got.values()] == [1000, 1000]
    assert all(entry["slack"] > -1e-8 and 0.9 < entry["ratios"][0] <= 1 + 1e-9 for entry in got.values())
    shown = falsified.table(got)
    assert "1,000" in shown and "I(S;W) <= I(S;P) | given S -> P -> W" in shown


def test_what_was_done_is_not_done_again(tmp_path, monkeypatch):
    record = tmp_path / "falsified.json"
    first = falsified.run([PLAIN], record, 100, workers=1)
    monkeypatch.setattr(falsified, "_chunk", None)  # would fail
    assert falsified.run([PLAIN], record, 100, workers=1) == first
    assert falsified.run([PLAIN], record, 50, workers=1) == first
    assert falsified.run([], record, 50, workers=1) == {}


def test_the_same_theorem_gives_the_same_numbers(tmp_path):
    one, two = (falsified.run([CHAIN], tmp_path / f"{i}.json", 200, workers=1) for i in "ab")
    assert one == two


def test_other_theorems_keep_their_entries_where_some_are_named(tmp_path):
    record = tmp_path / "falsified.json"
    falsified.run([PLAIN], record, 100, workers=1)
    falsified.run([CHAIN], record, 200, workers=1, only=True)
    assert {name: entry["models"] for name, entry in falsified.read(record).items()} == {
        falsified.key(*PLAIN): 100, falsified.key(*CHAIN): 200,
    }  # fmt: skip


def test_an_interruption_keeps_what_was_finished(tmp_path):
    record = tmp_path / "falsified.json"
    with pytest.raises(ProverError):  # the second one cannot be evaluated
        falsified.run([PLAIN, ("0 <= 0", ())], record, 100, workers=1)
    assert list(falsified.read(record)) == [falsified.key(*PLAIN)]


def test_a_false_statement_is_recorded_with_its_negative_slack(tmp_path):
    false = ("I(A;B) <= 1/2 H(A)", ())
    got = falsified.run([false], tmp_path / "falsified.json", 500, workers=1)
    assert got[falsified.key(*false)]["slack"] < -0.1


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        falsified.run([PLAIN], tmp_path / "x.json", 0)
    with pytest.raises(ProverError):
        falsified.run([("0 <= 0", ())], tmp_path / "x.json", 10, workers=1)
    assert falsified.read(tmp_path / "none.json") == {}


def test_theorems_of_chapters_are_listed_once():
    payload = {"certificate": {"statement": CHAIN[0], "given": list(CHAIN[1]), "proofs": []}}
    chapters = [Chapter("01-x", theorems={"a": payload, "b": payload}), Chapter("02-y", theorems={"c": payload})]
    assert falsified.theorems_of(chapters) == [CHAIN]
