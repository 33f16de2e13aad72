"""Other arithmetic and other seeds, on tiny books: what differs is seen, and nothing is run twice."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import SEEDED

from rbcore.book import portable, seeds
from rbcore.book.agree import gather, pins_of
from rbcore.book.cli import main
from rbcore.book.execute import ROOT, Job, execute, find

HEAD = """```{code-cell} ipython3
import os, pathlib
from rbcore import checks
from rbcore.book.ledger import claim, record
with open("../ran", "a") as ran:
    print(seed, file=ran)
"""


def book(root: Path, code: str, name: str = "01-a") -> Path:
    """A book of one chapter with this code."""
    (root / "notebooks").mkdir(exist_ok=True)
    (root / "book").mkdir(exist_ok=True)
    path = root / "notebooks" / f"{name}.md"
    path.write_text(f"{SEEDED}{HEAD}{code}\n```\n")
    return path


def runs(root: Path) -> list[str]:
    """The seeds of all runs so far."""
    return (root / "ran").read_text().split() if (root / "ran").exists() else []


# --- other arithmetic --------------------------------------------------------------------------------


def test_the_last_arithmetic_is_all_generic_ones_and_the_first_is_this_processors_own() -> None:
    own, *others, whole = portable.arithmetics()
    assert own.variables == {} and own.threads == 1
    assert whole.name == "all generic"
    single = [way for way in others if way.threads == 1 and not way.name.startswith("OpenBLAS")]
    assert all(whole.variables.items() >= way.variables.items() for way in single)
    assert len({way.name for way in portable.arithmetics()}) == len(portable.arithmetics())


def test_numpy_takes_what_the_arithmetics_ask_for_and_rounds_otherwise() -> None:
    code = "import warnings; warnings.simplefilter('error'); import numpy as np; x = np.arange(1, 4001) / 7;"
    code += (
        "print(np.exp(np.sin(x)).sum().hex(), np.show_config(mode='dicts')['SIMD Extensions'].get('found', []))"
    )
    shown = []
    for way in portable.arithmetics()[:2]:
        outside = {k: v for k, v in os.environ.items() if k != "NPY_DISABLE_CPU_FEATURES"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=outside | way.variables, capture_output=True, text=True, check=True
        )
        shown.append(done.stdout)
    if portable.arithmetics()[1].variables.get("NPY_DISABLE_CPU_FEATURES"):
        assert shown[0] != shown[1]
        assert shown[1].rstrip().endswith("[]")


@pytest.mark.slow
def test_a_chapter_runs_only_where_its_packages_are_affected() -> None:
    assert "torch" in portable.packages(Job(find("09")))
    assert not {"torch", "numba"} & portable.packages(Job(find("01")))


@pytest.mark.slow
def test_what_another_arithmetic_changes_is_found(tmp_path: Path) -> None:
    code = 'word = os.environ.get("HARSH", "mild")\nrecord("word", word)\nrecord("one", 1)\n'
    code += 'claim("is-mild", "It is.", word == "mild", kind="exact")'
    job = Job(book(tmp_path, code), root=tmp_path)
    pins = pins_of(gather(execute([job], tmp_path / "cache")))
    ways = [portable.Arithmetic("mild", {}), portable.Arithmetic("harsh", {"HARSH": "harsh"})]
    ways += [portable.Arithmetic("of torch", {"HARSH": "harsh"}, packages=("torch",))]
    for _ in range(2):
        (mild, one, nothing), (harsh, two, found) = portable.run([job], tmp_path / "portable", pins, ways)
        assert (mild.name, one, nothing) == ("mild", 1, [])
        assert (harsh.name, two) == ("harsh", 1)
        assert [(p.found_by, p.name) for p in found] == [("claim", "is-mild"), ("value", "word")]
    assert len(runs(tmp_path)) == 3, "finished ones are kept"
    assert "HARSH" not in os.environ


# --- other seeds -------------------------------------------------------------------------------------

CLAIMS = """record("spread", checks.mean([seed - 1002.0, seed - 1001.0]))
record("plain", seed)
claim("always", "It holds.", checks.at_most(0, 1))
claim("often", "It holds for most.", seed != 1003, kind="exact")"""


@pytest.mark.slow
def test_seeds_are_counted_once_and_again_when_the_code_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = book(tmp_path, CLAIMS)
    record = tmp_path / "book" / "seeds.json"
    found = seeds.run([source], tmp_path, record, 2)["01-a"]
    assert found["runs"] == {"1001": [], "1002": []} and len(found["claims"]) == 2
    assert sorted(runs(tmp_path)) == ["1001", "1002"]

    assert main(["--root", str(tmp_path), "seeds", "--seeds", "4"]) == 1  # three of four are too few
    said = capsys.readouterr()
    assert "01-a: 4 seeds, 1 of 2 claims hold on all" in said.out
    assert "01-a: 'often' holds on 3 of 4 seeds" in said.err
    assert sorted(runs(tmp_path)) == ["1001", "1002", "1003", "1004"]
    entry = json.loads(record.read_text())["01-a"]
    assert seeds.counts(entry) == {"often": 3}
    assert "numpy" in entry["versions"] and entry["date"]
    assert entry["values"] == {"spread": {"1001": -0.5, "1002": 0.5, "1003": 1.5, "1004": 2.5}}
    over = seeds.over(entry, "spread")
    assert over.mean == pytest.approx(1.0) and over.ci[0] < 1 < over.ci[1] and (over.same, over.seeds) == (3, 4)
    assert seeds.over(entry, "plain") is None

    source.write_text(source.read_text() + "\nMore prose.\n")
    assert len(seeds.run([source], tmp_path, record, 4)["01-a"]["runs"]) == 4
    assert len(runs(tmp_path)) == 4, "prose changes no result"
    book(tmp_path, CLAIMS.replace("1003", "1"))
    assert seeds.run([source], tmp_path, record, 1)["01-a"]["runs"] == {"1001": []}


@pytest.mark.slow
def test_a_run_that_ends_with_an_error_is_recorded_as_one(tmp_path: Path) -> None:
    record = tmp_path / "book" / "seeds.json"
    found = seeds.run([book(tmp_path, "assert seed != 1002, 'a bad seed'")], tmp_path, record, 2)
    assert found["01-a"]["runs"]["1002"] == {"error": "AssertionError: a bad seed"}
    assert list(seeds.weak(found)) == ["01-a: seed 1002 ended with AssertionError: a bad seed"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["seeds", "--seeds", "0"], "SEEDS=0: a number of seeds, at least 1"),
        (["seeds", "--notebooks", "07"], "no notebook '07'"),
        (["portable", "--only", "abacus"], "no arithmetic 'abacus': choose from its own"),
    ],
)
def test_what_cannot_be_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], message: str
) -> None:
    book(tmp_path, CLAIMS)
    assert main(["--root", str(tmp_path), *command]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_says_what_is_wrong_with_the_text_of_its_chapter(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for name in ("_ext", "_static", "_web", "_config.yml", "references.bib", "notation.md", "ledger.md"):
        where, there = ROOT / "book" / name, tmp_path / "book" / name
        there.parent.mkdir(exist_ok=True)
        (shutil.copytree if where.is_dir() else shutil.copy2)(where, there)
    path = book(tmp_path, 'record("gap", 0.5)')
    path.write_text(path.read_text() + "\nThe gap is {val}`gpa`, or 0.25.\n")
    main(["--root", str(tmp_path), "run", "01"])
    said = capsys.readouterr().out
    assert "did you mean 'gap'?" in said and "0.25" in said and "page: " in said


@pytest.mark.parametrize("command", [["book"], ["run", "01"], ["pin"], ["seeds", "--seeds", "1"]])
def test_a_mistake_in_a_task_is_said_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture, command: list[str]
) -> None:
    path = book(tmp_path, "print(1)")
    path.write_text(path.read_text() + "\n````{task} Two\n:label: task-two\n:level: 1\nName two.\n````\n")
    assert main(["--root", str(tmp_path), *command]) == 1
    said = capsys.readouterr()
    assert "task-two needs `:points:`" in said.err and "Traceback" not in said.err
    assert not (tmp_path / "book" / "_build").exists()
