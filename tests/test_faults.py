"""A sample of `make faults`: some kills, some odd input, some intervals; and the record of all of it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults import disk, fuzzing, intervals, kills
from hypothesis import HealthCheck, given, settings

from rbcore.book import faults, site
from rbcore.book.execute import ROOT
from rbcore.book.ledger import LedgerError

RECORD = faults.read(ROOT / "book" / faults.FILE)


def test_nothing_in_the_record_is_wrong() -> None:
    assert set(RECORD) <= {*faults.BAD, "intervals"}
    assert list(faults.problems(RECORD)) == []
    assert all(row["kills"] > 0 for row in RECORD.get("kills", []))
    assert "fuzzing" not in RECORD or [row["name"] for row in RECORD["fuzzing"]] == list(fuzzing.TARGETS)


def test_the_record_has_every_kind_of_interval_as_often_as_asked() -> None:
    found = faults.covered(RECORD)
    assert [(one.name, one.where, one.by) for one in found] == [(k.name, k.where, k.by) for k in intervals.KINDS]
    assert all(one.repeats >= 1000 for one in found)


@pytest.mark.parametrize(
    ("part", "row", "said"),
    [
        ("kills", {"name": "build", "torn": 1, "orphans": 0, "differ": 0}, "kills, build: 1 torn"),
        (
            "intervals",
            {"name": "x", "where": "", "by": "exact", "hits": 890, "repeats": 1000},
            "covers 890",
        ),
        (
            "intervals",
            {"name": "x", "where": "", "by": "exact", "hits": 999, "repeats": 1000},
            "covers 999",
        ),
        ("intervals", {"name": "x", "where": "", "by": "at least", "hits": 920, "repeats": 1000}, "covers 920"),
        ("intervals", {"name": "x", "where": "", "by": "exact", "hits": 940, "repeats": 1000}, ""),
        ("intervals", {"name": "x", "where": "", "by": "at least", "hits": 999, "repeats": 1000}, ""),
    ],
)
def test_what_is_wrong_in_a_record_is_said(part: str, row: dict[str, object], said: str) -> None:
    found = list(faults.problems({part: [row]}))
    assert len(found) == bool(said) and all(said in line for line in found)


@pytest.mark.parametrize("name", fuzzing.TARGETS)
def test_odd_input_is_refused_by_the_documented_errors_alone(name: str) -> None:
    target = fuzzing.TARGETS[name]

    @settings(max_examples=25, database=None, suppress_health_check=list(HealthCheck))
    @given(target.inputs)
    def all_of(data: bytes) -> None:
        fuzzing.check(target, data)

    all_of()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("expression", b" -> ".join(b"A%d" % i for i in range(3000))),
        ("expression", b"9" * 5000 + b" H(A) >= 0"),
        ("expression", b"log " + b"9" * 5000),
        ("expression", b"log 999983 + " * 300 + b"H(A) >= 0"),
        ("expression", b"I(" + b";".join(b"X%d" % i for i in range(40)) + b") >= 0"),
        ("parameters", b"seed=" + b"-" * 1900 + b"1"),
        ("parameters cell", b"x = " + b"-" * 5000 + b"1"),
        ("parameters cell", b"x = {[]: 1}"),
        ("pins", b"\x80"),
        ("pins", b"[" * 100_000),
        ("pins", json.dumps(fuzzing.PINS).replace("[0, 1]", "3").encode()),
        ("edition", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xff\xff\xff"),
    ],
)
def test_what_fuzzing_found_stays_found(name: str, data: bytes) -> None:
    fuzzing.check(fuzzing.TARGETS[name], data)


def test_an_input_that_takes_too_long_and_an_error_that_is_not_documented_are_seen() -> None:
    nothing = fuzzing.written(("a",))
    slow = fuzzing.Target(lambda data: [math.sqrt(i) for i in iter(int, 1)], (ValueError,), nothing)
    with pytest.raises(fuzzing.Hang), fuzzing.in_time(0.05):
        slow.call(b"")
    wrong = fuzzing.Target(lambda data: {}[data], (ValueError,), fuzzing.written(("a",)))
    with pytest.raises(KeyError):
        fuzzing.check(wrong, b"")


@pytest.mark.parametrize("name", ["falsified", "seeds", "costs", "ledger"])
def test_a_damaged_record_is_an_error_of_one_line(name: str, tmp_path: Path) -> None:
    from rbcore.book import agree, execute, falsified, seeds

    read = {"falsified": falsified.read, "seeds": seeds.read, "costs": execute.recorded_costs}.get(
        name, agree.read_pins
    )
    for content in (b"{", b"\xff", b"[1]", b"[" * 100_000):
        (tmp_path / "record.json").write_bytes(content)
        with pytest.raises(LedgerError, match="restore it from git"):
            read(tmp_path / "record.json")


def test_simulated_intervals_cover_what_they_say() -> None:
    for kind in intervals.KINDS:
        if kind.name in ("mean, 5 repeats", "share of 200", "difference of two samples, Welch"):
            assert faults.Covered(**intervals.simulate(kind, 1000, 3)).good
    kind = intervals.Kind("narrow", "", "exact", lambda rng: (((x := rng.normal()) - 1.5, x + 1.5), 0.0))
    assert not faults.Covered(**intervals.simulate(kind, 1000, 3)).good


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_audit_leaves_whole_files_and_no_process_and_the_next_call_gives_the_same(tmp_path: Path) -> None:
    subject = kills.SUBJECTS["audit"]
    subject.prepare(tmp_path / "inputs")
    expected, seconds = kills.reference(subject, tmp_path / "inputs", tmp_path, calls=1)
    one = kills.trial(subject, tmp_path / "inputs", tmp_path / "trial", 0.7, seconds, expected)
    assert one.sound, one


WAIT = "print('ready', flush=True); time.sleep(60)"
SPHINX = site.PROGRAM.replace("from jupyter_book.cli.main import main\nmain()", WAIT)
WORKER = f"import os, time; from rbcore.book import sweep; sweep.end_with(os.getppid()); {WAIT}"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "getppid"), reason="POSIX")
@pytest.mark.parametrize("program", [SPHINX, WORKER], ids=["Sphinx", "a worker of a sweep"])
def test_what_a_process_started_ends_with_it(program: str) -> None:
    assert program != site.PROGRAM
    code = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {program!r}]); "
    code += "print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert parent.stdout.readline() == "ready\n" and kills.alive(child)
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while kills.alive(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not kills.alive(child)


@pytest.mark.slow
@pytest.mark.skipif(not disk.possible(), reason="file systems may not be mounted here")
def test_an_audit_on_a_full_disk_says_so_and_goes_on_when_there_is_room() -> None:
    row = disk.run("audit", 1)
    assert row == {"name": "audit", "trials": 2, "torn": 0, "unclear": 0, "differ": 0}
