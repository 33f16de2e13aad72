"""Runs with other parameters: what is compared, why a claim may fail, and what a run leaves behind."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tiny import START

from rbcore.book import compare, runs
from rbcore.book.agree import pins_of, write_pins
from rbcore.book.cli import main
from rbcore.book.execute import ROOT, Job, default_parameters, notebooks
from rbcore.book.ledger import Chapter, Claim, Value, collect
from rbcore.book.parameters import read_cell

LIMIT = 2_000_000  # bytes of a run's folder
PARAMETERS = read_cell("""
seed = 2  # of the draws [0..99]
draws = 1000  # of the simulation [10..10000 runs; linear cost]
scale = 0.5  # of the world [0..inf]
skew = 0.5  # of the letters [0..1]
seeds = 5  # students of each kind [2..20 students; linear cost]
""")
BOOK = {"seed": 2, "draws": 1000, "scale": 0.5, "skew": 0.5, "seeds": 5}


def run_of(values: list[Value] = (), claims: list[Claim] = (), **parameters: Any) -> Chapter:
    """What a run of a chapter recorded and claimed."""
    entries = [Value(**vars(v) | {"chapter": "01-a"}) for v in values]
    said = [Claim(**vars(c) | {"chapter": "01-a"}) for c in claims]
    return Chapter("01-a", BOOK | parameters, tuple(entries), tuple(said))


def against(book: Chapter, run: Chapter, **more: Any) -> compare.Comparison:
    return compare.beside(run, pins_of([book]), PARAMETERS, **more)


# ---------------------------------------------------------------------------------------------------------------
# Beside the book
# ---------------------------------------------------------------------------------------------------------------


def test_numbers_within_the_tolerance_of_their_pins_have_not_changed() -> None:
    exact, numerical = Value("exact", 0.5, ".2f"), Value("numerical", 0.5, ".2f", kind="numerical")
    drawn = Value("drawn", 0.5, ".2f", se=0.02, kind="statistical", ci=(0.46, 0.54))
    book = run_of([exact, numerical, drawn])
    near = [Value("exact", 0.5 + 1e-12, ".2f"), Value("numerical", 0.505, ".2f", kind="numerical")]
    near += [Value("drawn", 0.505, ".2f", se=0.02, kind="statistical", ci=(0.465, 0.545))]
    assert against(book, run_of(near)).stayed == ("exact", "numerical", "drawn")
    far = [Value("exact", 0.5001, ".2f"), Value("numerical", 0.52, ".2f", kind="numerical")]
    far += [Value("drawn", 0.54, ".2f", se=0.02, kind="statistical", ci=(0.5, 0.58))]
    found = against(book, run_of(far, scale=0.7))
    assert [one.name for one in found.clear] == ["numerical", "exact"], "the largest change comes first"
    assert [one.name for one in found.moved if one.drawn] == ["drawn"]
    by_name = {one.name: one for one in found.moved}
    assert (by_name["exact"].book, by_name["exact"].yours) == ("0.5", "0.5001"), "its format would hide it"
    assert by_name["drawn"].difference == "+0.04 (1.4 standard errors)"
    assert found.changed == {"scale": (0.5, 0.7)}


def test_words_missing_and_new_results_are_compared_too() -> None:
    book = run_of([Value("word", "north"), Value("old", 1)], [Claim("gone", "It is.", "exact", "holds")])
    found = against(book, run_of([Value("word", "south"), Value("fresh", 1)]))
    assert [(one.name, one.book, one.yours) for one in found.moved] == [("word", "north", "south")]
    assert (found.gone, found.new) == (("gone", "old"), ("fresh",))


def claim(kind: str, **more: Any) -> Claim:
    return Claim("it", "It is.", kind, "fails", **{"measure": "smallest slack", "value": -0.1, **more})


@pytest.mark.parametrize(
    ("failing", "parameters", "part", "fault"),
    [
        (claim("proved"), {"scale": 9.0}, "no choice of parameters can make it false. This is a fault", True),
        (claim("exact"), {}, "the book's own parameters, so this is a fault", True),
        (claim("exact", cases=5000), {"scale": 9.0}, "on 5,000 models or runs, so it should hold in any", False),
        (claim("exact", cases=1), {"scale": 9.0}, "With another scale it may well be false", False),
        (claim("exact", cases=1), {"draws": 10}, "you chose less: draws from 1,000 to 10", False),
        (claim("exact", cases=1), {"seed": 9}, "for the draws of seed 2; other draws may differ", False),
        (claim("numerical"), {"scale": 9.0}, "With another scale it may be false", False),
        (claim("numerical"), {"scale": 9.0, "skew": 1.0}, "With other scale and skew it may be false", False),
        (claim("numerical"), {"seeds": 2}, "You gave it less: seeds from 5 to 2", False),
        (claim("numerical"), {"draws": 10}, "You gave it less: draws from 1,000 to 10", False),
        (
            claim("statistical", value=0.1, ci=(-0.1, 0.3)),
            {"draws": 10},
            "points the right way, but its interval, −0.1 to 0.3, is too wide to say so. "
            "You reduced draws from 1,000 to 10; more draws narrow the interval.",
            False,
        ),
        (
            claim("statistical", value=-0.2, ci=(-0.3, -0.1)),
            {"scale": 9.0},
            "more draws would not bring it",
            False,
        ),
        (
            claim("statistical", value=-0.1, ci=(-0.3, 0.1)),
            {"seed": 9},
            "On other seeds it held 3 times of 4",
            False,
        ),
        (claim("statistical", measure="chi-square p-value"), {"scale": 9.0}, "The counts differ", False),
    ],
)
def test_why_a_claim_may_fail_follows_from_its_kind_and_from_what_was_changed(
    failing: Claim, parameters: dict[str, Any], part: str, fault: bool
) -> None:
    book = run_of(claims=[Claim(**vars(failing) | {"verdict": "holds"})])
    record = {"claims": ["it"], "runs": {str(n): ["it"] * (n == 1) for n in range(4)}}
    (broken,) = against(book, run_of(claims=[failing], **parameters), record=record).broken
    assert part in broken.why
    assert broken.fault is fault


def test_names_of_folders_are_short_and_safe_and_differ() -> None:
    names = [
        runs.slug(*parts)
        for parts in (
            ("01-a", "x=1"),
            ("01-a", "x=[1]"),
            ("01-a", "x=(1)"),
            ("01-a", "x=../.."),
            ("01-a", "y" * 999),
        )
    ]
    assert names[0] == "01-a-x=1"
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[\w=.,-]{1,100}", name) for name in names)


def test_the_list_of_runs_survives_folders_that_go_or_are_spoilt(tmp_path: Path) -> None:
    about = {"kind": "run", "chapter": "01-a", "parameters": {"word": "<b>"}, "at": "2026-01-02 03:04"}
    about |= {"values": 5, "moved": 2, "claims": 3, "failing": 1}
    for name in ("one", "two", "three"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text(json.dumps(about))
    (tmp_path / "runs" / "two" / "run.json").write_text('{"kind": "run"')
    (tmp_path / "runs" / "three" / "run.json").write_text("[1]")
    page = runs.write_index(tmp_path).read_text()
    assert 'href="one/index.html"' in page and "two/" not in page and "three/" not in page
    assert "2 of 5" in page and "1 of 3" in page and "&lt;b&gt;" in page
    shutil.rmtree(tmp_path / "runs" / "one")
    assert "There is no run." in runs.write_index(tmp_path).read_text()


# ---------------------------------------------------------------------------------------------------------------
# The pages
# ---------------------------------------------------------------------------------------------------------------

CELLS = """(one)=
# A chapter

```{code-cell} ipython3
:tags: [parameters]

seed = 1  # of nothing [0..9]
size = 2.0  # of the world [0..inf]
```

```{code-cell} ipython3
from rbcore import checks
from rbcore.book.ledger import claim, record

record("size-here", size, fmt=".2f", unit="bits")
claim("size-is-small", "It is {val}`size-here`, which is small.", checks.at_most(size, 3.0))
```

We got {val}`size-here`. {claim}`size-is-small` See {doc}`02-two`.

```{touch} 02
A figure that moves.
```
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of one chapter, with the real configuration and extensions, and a run of it; pinned."""
    root = tmp_path_factory.mktemp("book")
    (root / "book").mkdir()
    (root / "notebooks").mkdir()
    names = ("_ext", "_static", "_web", "_config.yml", "references.bib")
    for name in (*names, "ledger.md", "notation.md", "references.md"):
        where = ROOT / "book" / name
        (shutil.copytree if where.is_dir() else shutil.copy2)(where, root / "book" / name)
    (root / "notebooks" / "01-one.md").write_text(START.replace("# A chapter\n\n", "") + CELLS)
    book = Chapter("01-one", {"seed": 1, "size": 2.0}, (Value("size-here", 2.0, ".2f", "bits", chapter="01-one"),))
    said = Claim("size-is-small", "It is.", "exact", "holds", "smallest slack", 1.0, chapter="01-one")
    write_pins(root / "book" / "ledger.json", [replace(book, claims=(said,))])
    assert main(["--root", str(root), "run", "01", "size=4"]) == 0
    return root


@pytest.mark.slow
def test_a_run_is_shown_beside_the_book(small: Path) -> None:
    folder = small / "runs" / "01-one-size=4.0"
    said = re.sub(r"\s+", " ", re.sub("<[^>]*>", "", (folder / "index.html").read_text()))
    assert "1 of 1 numbers differ from the book’s. 1 of 1 claims do not hold." in said
    assert "We got 4.00 bits." in said and "2.00 bits" in said and "+2.00" in said
    assert "With another size it may well be false" in said
    page = (folder / "chapters" / "01-one.html").read_text()
    assert "rb-fails" in page and "\u2717" in page and "02-two.html" not in page
    assert "This is a run with size = 4.0 (book: 2.0), and not the book." in re.sub("<[^>]*>", "", page)
    assert "A figure that moves" not in page
    assert json.loads((folder / "run.json").read_text())["failing"] == 1


@pytest.mark.slow
def test_a_run_is_small_whole_and_finds_all_that_it_needs(small: Path) -> None:
    folder = small / "runs" / "01-one-size=4.0"
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < LIMIT
    assert not (folder / "_static").exists()
    assert sorted(p.name for p in folder.parent.iterdir()) == [folder.name, "_static", "index.html"]
    for page in [p for p in files if p.suffix == ".html"]:
        for link in re.findall(r'\b(?:src|href)="([^"#?:]+)', page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} needs {link}"
    assert (folder.parent / "_static" / "mathjax" / "mathjax.js").exists()
    assert not (folder.parent / "_static" / "prove").exists()
    (notebook,) = (folder / "downloads").glob("*.ipynb")
    assert "4.00" in notebook.read_text()


@pytest.fixture(scope="module")
def other_run() -> Iterator[tuple[Path, str]]:
    """Chapter 1 with a seed that nobody else runs, by the command; what it wrote and printed."""
    source = notebooks(ROOT)[0]
    seed = default_parameters(source)["seed"] + 1_000_003
    command = [sys.executable, "-m", "rbcore", "run", "--", "01", f"seed={seed}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    target = ROOT / "runs" / f"{source.stem}-seed={seed}"
    assert done.returncode == 0, done.stdout + done.stderr
    yield target, done.stdout
    shutil.rmtree(target)
    runs.write_index(ROOT)


@pytest.mark.book
def test_a_run_with_other_parameters_shows_its_own_numbers(other_run: tuple[Path, str]) -> None:
    target, said = other_run
    source = notebooks(ROOT)[0]
    seed = default_parameters(source)["seed"] + 1_000_003
    job = Job(source, {"seed": seed})
    assert f"notebook: {target / 'downloads' / source.stem}.ipynb" in said
    assert "numbers differ from the book's" in said
    values = collect(nbformat.read(job.target(runs.cache_of(job)), as_version=4), source.stem).values
    page = (target / "chapters" / f"{source.stem}.html").read_text()
    shown = [v for v in values if isinstance(v.value, float) and v.number() in page]
    assert len(shown) > len(values) / 2
    assert ("rb-fails" in page) == ("\u2717" in said)
    cells = nbformat.read(target / "downloads" / f"{source.stem}.ipynb", as_version=4).cells
    assert any(f"seed = {seed}" in c.source for c in cells if c.cell_type == "code")
    assert not any("{val}" in c.source for c in cells if c.cell_type == "markdown")
    assert sum(p.stat().st_size for p in target.rglob("*") if p.is_file()) < LIMIT
    assert target.name in (ROOT / "runs" / "index.html").read_text()
