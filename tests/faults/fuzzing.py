"""Arbitrary input for everything that reads what a user wrote: only the documented errors may come out, in time.

A target takes bytes.  Hypothesis makes them from the words of each language, and by changing files that are right.
"""

from __future__ import annotations

import gzip
import json
import signal
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rbcore.audit.read import records
from rbcore.audit.read.records import InputError, Selection
from rbcore.book import agree, parameters, replay, sweep
from rbcore.book.ledger import LedgerError
from rbcore.estimate.table import Table
from rbcore.information import expr

SECONDS = 5.0  # of the processor, that one input may take


class Hang(AssertionError):
    """An input that takes longer than :data:`SECONDS`."""


@contextmanager
def in_time(seconds: float = SECONDS) -> Generator[None]:
    """End the block with :class:`Hang` after some seconds of the processor; in a main thread, on POSIX."""

    def late(number: int, frame: object) -> None:
        raise Hang(f"more than {seconds} s")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


class Target(NamedTuple):
    """What is fuzzed.  allowed: the errors that its documentation names.  inputs: of Hypothesis."""

    call: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...]
    inputs: st.SearchStrategy[bytes]


def check(target: Target, data: bytes) -> None:
    """Call the target.

    Raises:
        Exception: for any but its documented errors.
    """
    with in_time(), suppress(*target.allowed):
        target.call(data)


# ---------------------------------------------------------------------------------------------------------------
# Inputs
# ---------------------------------------------------------------------------------------------------------------

NUMBERS = (
    "0",
    "1",
    "-1",
    "0.5",
    "1e400",
    "nan",
    "inf",
    "-inf",
    "1_0",
    "9" * 400,
    "9" * 5000,
    "1/3",
    "0x1f",
    "٣",
    "²",
)


def written(words: tuple[str, ...], most: int = 12) -> st.SearchStrategy[bytes]:
    """Words of a language in any order, with other text between, and some of them very often."""
    one = st.one_of(st.sampled_from(words), st.sampled_from(NUMBERS), st.text(max_size=4))
    often = st.builds(lambda word, n: word * n, st.sampled_from(words), st.sampled_from([2, 30, 3000]))
    parts = st.lists(st.one_of(one, one, one, often), max_size=most)
    return parts.map(lambda found: " ".join(found).encode("utf8", "surrogatepass"))


def changed(good: bytes) -> st.SearchStrategy[bytes]:
    """A file that is right, with pieces cut out, doubled or replaced."""

    def make(cuts: list[tuple[int, int, bytes]]) -> bytes:
        data = good
        for place, length, new in cuts:
            at = place % (len(data) + 1)
            data = data[:at] + new + data[at + length :]
        return data

    new = st.one_of(st.binary(max_size=3), st.sampled_from([one.encode() for one in NUMBERS]), st.just(b""))
    cut = st.tuples(st.integers(0, len(good)), st.integers(0, 40), new)
    return st.lists(cut, min_size=1, max_size=4).map(make)


def as_json(value: Any) -> bytes:
    """The value as JSON."""
    return json.dumps(value).encode()


def replaced(good: Any) -> st.SearchStrategy[bytes]:
    """JSON that is right, with one of its parts replaced by something else."""
    odd = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just([]), st.just({}),
        st.just([[[]]]), st.just(10**400),
    )  # fmt: skip

    def make(choice: tuple[list[int], Any]) -> bytes:
        path, new = choice
        whole = json.loads(json.dumps(good))
        part, last = whole, None
        for number in path:
            if isinstance(part, dict | list) and part:
                keys = list(part) if isinstance(part, dict) else range(len(part))
                last = part, keys[number % len(keys)]
                part = part[last[1]]
        if last is None:
            return json.dumps(new).encode()
        last[0][last[1]] = new
        return json.dumps(whole).encode()

    return st.tuples(st.lists(st.integers(0, 50), max_size=6), odd).map(make)


# ---------------------------------------------------------------------------------------------------------------
# Targets
# ---------------------------------------------------------------------------------------------------------------


def _expression(data: bytes) -> None:
    text = data.decode("utf8", "replace")
    for read in (expr.parse, expr.parse_form, expr.parse_copy, expr.latex):
        with suppress(expr.ExpressionError):
            found = read(text)
            str(found), repr(found)
            if isinstance(found, expr.Statement):
                found.latex()
                [str(goal.form) for goal in found.goals]
                repr((found.relations, found.nodes, found.sets))


CELL = """seed = 1  # of the draws [0..9]
size = 2.0  # of the world [0..inf]
task = [1, 2]  # weights [2 numbers 0..9]
word = "a"  # a word [text | "b"]
flag = True  # or not [True | False]
none = None  # nothing [None | 1..3]
"""
KNOWN = parameters.read_cell(CELL)


def _parameters(data: bytes) -> None:
    text = data.decode("utf8", "replace")
    with suppress(parameters.ParameterError):
        parameters.choose(text, KNOWN, "01-one")
    for name, raw in parameters.words(text, {p.name: p for p in KNOWN}, "01-one").items():
        sweep.values(next(p for p in KNOWN if p.name == name), raw)


def _cell(data: bytes) -> None:
    parameters.table(parameters.read_cell(data.decode("utf8", "replace")))


def in_file(suffix: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A target that takes a file."""

    def call(data: bytes) -> object:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            path = Path(folder, f"file{suffix}")
            path.write_bytes(data)
            return read(path)

    return call


def _pins(path: Path) -> None:
    pins = agree.read_pins(path)
    for name, pin in pins["values"].items():
        agree.value_of(name, pin)
    list(agree.drift([], pins, []))


def _replay(path: Path) -> None:
    replay.chapters_of(replay.load(path))


def _records(suffix: str) -> Callable[[bytes], object]:
    def read(path: Path) -> object:
        return records.read("ANCHOR", path, Selection(limit=50, seed=0))

    return in_file(suffix, read)


PINS = {
    "parameters": {"01-one": {"seed": 1}},
    "values": {
        "half": {"value": 0.5, "kind": "statistical", "fmt": ".2f", "unit": "nats", "se": 0.1, "ci": [0, 1]}
    },
    "claims": {"is": {"kind": "exact", "value": 0.1, "measure": "smallest slack", "sentence": "It is."}},
}
EDITION = {"format": replay.FORMAT, "chapters": [{
    "name": "01-one", "parameters": {}, "proofs": {},
    "values": {"half": {"name": "half", "value": 0.5, "fmt": ".2f", "kind": "exact"}},
    "claims": {"is": {"id": "is", "sentence": "It is.", "kind": "exact", "verdict": "holds"}},
}]}  # fmt: skip
CHAT = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}], "label": "a"}
LINES = b"\n".join(json.dumps({"text": f"words {i}", "label": i, "n": [1.5, i]}).encode() for i in range(4))
EXPRESSION = (
    "H(A)", "I(A;B|C)", "H(A,B)", "I(A;B;C)", "<=", ">=", "=", "->", "A -> B -> C", "A", "B'", "X_{1}", "(", ")",
    "-", "+", "2", "/", "*", "|", ";", ",", "log 12", "log|A|", r"\leq", r"\tfrac{1}{2}", r"\mid", "~",
    "A' ~ A | B",
)  # fmt: skip
WORDS = (
    "seed=",
    "size=",
    "task=",
    "word=",
    "flag=",
    "none=",
    "[1,2]",
    "|",
    ",",
    "..",
    "1..5",
    "'",
    '"',
    "(",
    "-",
    "{",
)
CODE = (
    "x = 1",
    "\n",
    "# a word [0..9]",
    "[",
    "]",
    "(",
    "-",
    "lambda: 0",
    "{[]: 1}",
    "=",
    "x: int = 2",
    "'",
    "\\",
    "[1..0]",
)
TARGETS = {
    "expression": Target(_expression, (expr.ExpressionError,), written(EXPRESSION)),
    "parameters": Target(_parameters, (parameters.ParameterError,), written(WORDS)),
    "parameters cell": Target(
        _cell, (parameters.ParameterError, SyntaxError), st.one_of(written(CODE), changed(CELL.encode()))
    ),
    "pins": Target(in_file(".json", _pins), (LedgerError,), st.one_of(replaced(PINS), changed(as_json(PINS)))),
    "edition": Target(
        in_file(".gz", _replay), (replay.ReplayError,),
        st.one_of(replaced(EDITION).map(gzip.compress), changed(gzip.compress(as_json(EDITION), mtime=0))),
    ),
    "JSON lines": Target(
        _records(".jsonl"), (InputError,),
        st.one_of(changed(LINES), written(('{"text": "a"}\n', "\n", "{", "["))),
    ),
    "JSON": Target(_records(".json"), (InputError,), st.one_of(replaced([CHAT] * 3), changed(as_json([CHAT])))),
    "CSV": Target(_records(".csv"), (InputError,), changed(b"text,label\na b,1\n\"c\nd\",2\ne,3\n")),
    "text": Target(_records(".txt"), (InputError,), st.binary(max_size=60)),
    "calibration": Target(in_file(".json", Table.load), (ValueError,), changed(
        b'{"repeats": 6, "seed": 1, "fields": ["estimator"], "rows": [["ksg"]]}')),
}  # fmt: skip


def run(name: str, inputs: int, say: Callable[[str], None] = print) -> dict[str, Any]:
    """So many inputs for a target; a row with how many kinds of other errors came out, each said once."""
    target, wrong = TARGETS[name], 0

    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def all_of(data: bytes) -> None:
        check(target, data)

    try:
        all_of()
    except Exception as error:  # what the target let out, one or several
        found = error.exceptions if isinstance(error, ExceptionGroup) else [error]
        wrong = len(found)
        for one in found:
            say(f"{name}: {type(one).__name__}: {one}")
    return {"name": name, "inputs": inputs, "wrong": wrong}
