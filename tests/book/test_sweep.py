"""Sweeps: what a grid is, that a sweep goes on after an interruption, and that one failing run loses no other."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import START

from rbcore.book import sweep, sweep_page
from rbcore.book.cli import main
from rbcore.book.execute import ROOT, ExecutionError
from rbcore.book.ledger import Chapter, Claim, Value
from rbcore.book.parameters import Parameter, ParameterError, Range

# Notes that it ran; waits once, in the run of seed 2, until the test has seen that; fails for seed 9.
CELLS = """```{code-cell} ipython3
:tags: [parameters]

seed = 1  # of the draws [0..9]
size = 2.0  # of the world [0..inf]
task = [1, 2]  # weights [2 numbers 0..9]
word = "a"  # a word [text]
```

```{code-cell} ipython3
import pathlib, time
from rbcore import checks
from rbcore.book.ledger import claim, record
with open("../ran", "a") as ran:
    print(seed, size, task, file=ran)
if seed == 2 and pathlib.Path("../wait").exists():
    pathlib.Path("../wait").rename("../waits")
    time.sleep(120)
assert seed < 9, "seed 9 is not liked"
record("area", size**2 + seed / 10, fmt=".2f", unit="m")
record("size-itself", size, fmt=".2f")
record("first", task[0])
claim("small", "It is {val}`area`.", checks.at_most(size, 2.5))
```

We got {val}`area`.
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A book of one chapter."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01-one.md").write_text(START + CELLS)
    return tmp_path


def planned(book: Path, text: str) -> sweep.Sweep:
    return sweep.plan(text, book / "notebooks" / "01-one.md", book)


def ran(book: Path) -> list[str]:
    return sorted((book / "ran").read_text().splitlines())


# ---------------------------------------------------------------------------------------------------------------
# Grids
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "axes"),
    [
        ("size=0,0.5,inf seed=1..3", {"size": [0.0, 0.5, float("inf")], "seed": [1, 2, 3]}),
        ("seed=1..2,5", {"seed": [1, 2, 5]}),
        ("task=[1,2]|[2,1]", {"task": [[1, 2], [2, 1]]}),
        ("task=[1, 2],[2, 1] seed=1", {"task": [[1, 2], [2, 1]], "seed": [1]}),
        ("word=a|b,c|'d|e'", {"word": ["a", "b,c", "d|e"]}),
    ],
)
def test_a_grid_is_read_with_all_its_values(book: Path, text: str, axes: dict[str, list[Any]]) -> None:
    found = planned(book, text)
    assert found.axes == axes
    count = 1
    for values in axes.values():
        count *= len(values)
    assert len({job.label for job in found.jobs}) == count


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a sweep needs a parameter with several values"),
        ("seed=3 size=2", "a sweep needs a parameter with several values"),
        ("seed=1..3 siez=1,2", "no parameter 'siez' in 01-one; the nearest:\n    size"),
        ("seed=1,2,10", "seed=10: out of range"),
        ("seed=1,1", "seed: 1 is named twice"),
        ("seed=3..1", "seed=3..1: from low to high"),
        ("seed=0..99999999999999999", "at most 2,000 values"),
        ("seed=0..9 size=" + ",".join(map(str, range(300))), "3,000 runs; a sweep has at most 2,000"),
        ("size=0..1", "size=0..1: low..high stands for whole numbers; write the values"),
        ("task=[1,2]|[1]", "a list of 1"),
        ("seed=,", "seed=,: an empty value"),
        ("seed=1,,2", "seed=1,,2: an empty value"),
        ("seed=1,2,", "seed=1,2,: an empty value"),
        ("task=[1,2]||[2,1]", "an empty value"),
    ],
)
def test_a_wrong_grid_is_refused_before_anything_runs(book: Path, text: str, message: str) -> None:
    with pytest.raises(ExecutionError, match=re.escape(message)):
        planned(book, text)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=9, unique=True))
def test_values_come_back_in_the_order_in_which_they_were_written(numbers: list[int]) -> None:
    parameter = Parameter("x", 1, "it", (Range(0, 99),))
    assert sweep.values(parameter, ",".join(map(str, numbers))) == numbers
    assert sweep.values(parameter, f"{min(numbers)}..{max(numbers)}") == [*range(min(numbers), max(numbers) + 1)]
    with pytest.raises(ParameterError, match="twice"):
        sweep.values(parameter, ",".join(map(str, [*numbers, numbers[0]])))


def test_the_expected_time_grows_as_the_parameters_say(book: Path) -> None:
    source = book / "notebooks" / "01-one.md"
    text = source.read_text().replace("[0..inf]", "[0..inf; quadratic cost]")
    source.write_text(text)
    assert planned(book, "size=2,4").seconds() is None
    (book / "book").mkdir()
    (book / "book" / "costs.json").write_text('{"chapters": {"01-one": 10}}')
    assert planned(book, "size=2,4").seconds() == pytest.approx(2 * sweep.START + 10 + 40)


# ---------------------------------------------------------------------------------------------------------------
# Results
# ---------------------------------------------------------------------------------------------------------------


def finished(parameters: dict[str, Any], **numbers: float) -> sweep.Finished:
    """A run that recorded these numbers; its claim fails where the size is above two."""
    values = tuple(Value(name.replace("_", "-"), x, ".3f") for name, x in numbers.items())
    verdict = "fails" if parameters.get("size", 0) > 2 else "holds"
    claims = (Claim("small", "It is {val}`area`.", "exact", verdict, "slack", 0.5),)
    return sweep.Finished(parameters, Chapter("01-one", parameters, values, claims))


PINS: dict[str, Any] = {"parameters": {}, "claims": {}, "values": {"area": {"value": 4.0, "chapter": "01-one"}}}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ([0, 1, 2, 3, 4, 5], "in all runs"),
        ([4, 5], "size = 3.0"),
        ([0, 2, 4], "seed = 1"),
        ([2, 4], "size = 2.0 or 3.0; seed = 1"),
        ([0, 3], "size = 1.0, seed = 1; size = 2.0, seed = 2"),
    ],
)
def test_where_a_claim_fails_is_said_shortly(book: Path, where: list[int], said: str) -> None:
    found = planned(book, "size=1,2,3 seed=1..2")
    done = [finished(job.parameters) for job in found.jobs]
    assert sweep_page.places(found, [done[i] for i in where], len(done)) == said


@pytest.mark.slow
def test_the_page_draws_what_varies_most_and_says_it_in_words(book: Path) -> None:
    found = planned(book, "size=1,2,3 seed=1..2")
    done = [
        finished(job.parameters, area=job.parameters["size"] ** 2 + job.parameters["seed"] / 10,
                 size_itself=job.parameters["size"], still=5.0, half=10 + job.parameters["size"])
        for job in found.jobs
    ]  # fmt: skip
    assert sweep_page.choose(found, done, PINS) == ["area", "half"], "no echo of a parameter, nothing constant"
    page = sweep_page.page(found, done, PINS)
    assert "area against size. 1.150 at 1.0, 4.150 at 2.0, 9.150 at 3.0. The book has 4" in page.replace(
        "1.150", "1.150"
    )
    assert "2 of 6" in page and '<td data-is="Where">size = 3.0</td>' in page
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", page).replace("http://www.w3.org", "")
    assert sweep_page.choose(found, done, PINS, ["still"]) == ["still"]
    with pytest.raises(ExecutionError, match="no value 'aera' in every run; the nearest: area"):
        sweep_page.choose(found, done, PINS, ["aera"])


def test_tables_have_a_row_for_each_run_and_value(book: Path) -> None:
    found = planned(book, "task=[1,2]|[2,1] size=1,3")
    done = [finished(job.parameters, area=2.0) for job in found.jobs]
    done[1] = sweep.Finished(done[1].parameters, None, "ValueError: no")
    written = sweep.tables(found, done, PINS)
    rows = list(csv.DictReader(io.StringIO(written["values.csv"])))
    assert [(r["run"], r["task"], r["size"]) for r in rows] == [
        ("1", "[1,2]", "1.0"), ("3", "[2,1]", "1.0"), ("4", "[2,1]", "3.0")
    ]  # fmt: skip
    assert {(r["name"], r["value"], r["book"]) for r in rows} == {("area", "2.0", "4.0")}
    verdicts = [r["verdict"] for r in csv.DictReader(io.StringIO(written["claims.csv"]))]
    assert verdicts == ["holds", "holds", "fails"]
    page, index = sweep.write(found, done)
    assert "ValueError: no" in page.read_text() and "task = [1,2]" in page.read_text()
    assert page.parent.name in index.read_text()
    assert sorted(p.name for p in page.parent.iterdir()) == ["claims.csv", "index.html", "run.json", "values.csv"]
    assert sorted(p.name for p in index.parent.iterdir()) == sorted(["index.html", page.parent.name])


# ---------------------------------------------------------------------------------------------------------------
# Running
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_interrupted_sweep_goes_on_with_another_backend_and_a_failing_run_loses_no_other(book: Path) -> None:
    (book / "wait").touch()
    command = [sys.executable, "-m", "rbcore", "--root", str(book), "sweep", "--jobs", "2", "--"]
    command += ["01", "seed=1,2,9 size=2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    end = time.monotonic() + 90
    kept = book / "book" / "_build" / "cache-runs" / "01-one-seed=1-size=2.0"
    while not ((book / "waits").exists() and list(kept.rglob("*.ipynb"))):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said, said
    assert not (book / "runs").exists()
    before = ran(book)
    assert (
        main(["--root", str(book), "sweep", "--backend", "dask", "--jobs", "1", "--", "01", "seed=1,2,9 size=2"])
        == 1
    )
    assert "1 2.0 [1, 2]" in before and ran(book).count("1 2.0 [1, 2]") == 1, "what had finished ran once"
    (folder,) = (p for p in (book / "runs").iterdir() if p.is_dir())
    rows = list(csv.DictReader((folder / "values.csv").open()))
    assert [(r["seed"], r["value"]) for r in rows if r["name"] == "area"] == [("1", "4.1"), ("2", "4.2")]
    assert "seed 9 is not liked" in (folder / "index.html").read_text()
