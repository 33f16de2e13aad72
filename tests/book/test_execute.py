"""Execution: what decides a key, what a run leaves behind, and what a failing or a killed run does not leave.

The books here are tiny ones in a temporary folder; each notebook appends a line to ``ran-<name>`` when it runs.
"""

import errno
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
import pytest
from tiny import START

from rbcore.book.cli import main
from rbcore.book.execute import (
    ROOT,
    ExecutionError,
    Job,
    default_parameters,
    execute,
    find,
    imported_modules,
    notebooks,
    parse_parameters,
)
from rbcore.book.kernels import kernel_folder

PARAMETERS = "seed = 1\nscale = 0.5\nword = 'one'\nflag = False\nsizes = (1, 2)"
# Waits to be killed on its first run and passes at once on the next; leaves the kernel's process number, and a
# file where training keeps its state.
WAIT = """import os, pathlib, time
pathlib.Path(os.environ["RBCORE_CHECKPOINTS"], "state").touch()
if not (at_work := pathlib.Path("../at-work")).exists():
    pathlib.Path("../number").write_text(str(os.getpid()))
    pathlib.Path("../number").rename(at_work)
    time.sleep(120)"""

# Says what an earlier run has left where training keeps its state, leaves something there, and fails until mended.
STATE = """import os, pathlib
folder = pathlib.Path(os.environ["RBCORE_CHECKPOINTS"])
print(len(list(folder.iterdir())), "left")
(folder / "state").touch()
assert pathlib.Path("../mended").exists(), 'not mended'"""
# Trains a small model; the first run waits at its twentieth step of forty.  ../kept lists the steps kept.
TRAIN = """import os, pathlib, time
import numpy as np
from rbcore.lm import language as lm_language, models as lm_models, training as lm_train

def save(state, target, plain=lm_train._save):
    plain(state, target)
    with open("../kept", "a") as kept:
        print(state["done"], file=kept)
    if state["done"] == 20 and not (at_work := pathlib.Path("../at-work")).exists():
        pathlib.Path("../number").write_text(str(os.getpid()))
        pathlib.Path("../number").rename(at_work)
        time.sleep(120)

lm_train._save = save
rng = np.random.default_rng(seed)
tongue = lm_language.create(rng, skills=3, letters=3, length=2)
start = lm_models.create(tongue.vocabulary, lm_models.Size(16, 1, 2, tongue.tokens), [rng])
jobs = [lm_train.Job(start, tongue.draw(rng, range(3), 50), i) for i in range(2)]
recipe = lm_train.Recipe(40, 8)
found = lm_train.train(jobs, recipe, checkpoint=lm_train.checkpoints(), every=5)
print(found.losses.tolist(), [value.tolist() for value in found.models.parameters.values()])"""


EDITS = """with open('01-a.md', 'a') as source:
    print('```{code-cell} ipython3\\n1 + 1\\n```', file=source)"""


def chapter(root: Path, name: str, *cells: str, parameters: str = PARAMETERS) -> Path:
    """Write a notebook with these code cells; its first one notes that it ran."""
    path = root / "notebooks" / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = f"with open('../ran-{name}', 'a') as ran:\n    print('ran', file=ran)"
    blocks = [f"```{{code-cell}} ipython3\n{cell}\n```\n" for cell in (mark, *cells)]
    first = f"```{{code-cell}} ipython3\n:tags: [parameters]\n\n{parameters}\n```\n"
    path.write_text(START + "\n".join([first, *blocks]), encoding="utf8")
    return path


def module(root: Path, name: str, text: str = "") -> Path:
    """Write a module of this book's own rbcore."""
    path = root / "rbcore" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf8")
    return path


def runs(root: Path, name: str) -> int:
    """How often the notebook has run."""
    path = root / f"ran-{name}"
    return len(path.read_text().splitlines()) if path.exists() else 0


def all_jobs(root: Path) -> list[Job]:
    return [Job(path, root=root) for path in notebooks(root)]


def printed(path: Path) -> str:
    """All that an executed notebook printed."""
    cells = nbformat.read(path, as_version=4).cells
    return "".join(o.get("text", "") for c in cells for o in c.get("outputs", []))


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until `true()`; fail after some seconds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def alive(number: int) -> bool:
    """Whether the process runs (and is not merely waiting to be noticed as dead)."""
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def start(root: Path, *command: str, **how: object) -> subprocess.Popen[str]:
    """Start ``python -m rbcore`` on this book in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "rbcore", "--root", str(root), *command],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment, "cwd": ROOT}
        | how,
    )


# ---------------------------------------------------------------------------------------------------------------
# Keys
# ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def keyed(tmp_path: Path) -> Path:
    """A book whose notebook imports `one`, which imports `two` and a room; nothing imports `three`."""
    module(tmp_path, "__init__")
    module(tmp_path, "one", "from . import two\nfrom rbcore.room.inside import x\nDATA = 'data.json'\n")
    module(tmp_path, "room/__init__")
    module(tmp_path, "room/inside", "from .beside import x\n")
    module(tmp_path, "room/beside", "x = 1\n")
    module(tmp_path, "room/apart")
    for name in ("data.json", "other.json"):
        (tmp_path / "rbcore" / name).write_text("{}")
    module(tmp_path, "two")
    module(tmp_path, "three")
    (tmp_path / "requirements.lock").write_text("numpy==2.0\n")
    chapter(tmp_path, "01-a", "from rbcore import one")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "more", "changes"),
    [
        ("notebooks/01-a.md", "\nMore prose.\n", False),
        ("notebooks/01-a.md", "\n```{code-cell} ipython3\n1 + 1\n```\n", True),
        ("rbcore/one.py", "\nX = 1\n", True),
        ("rbcore/two.py", "\nX = 1\n", True),
        ("rbcore/two.py", "\n# a comment\n", False),
        ("rbcore/__init__.py", "\nX = 1\n", True),
        ("rbcore/data.json", " ", True),
        ("rbcore/other.json", " ", False),
        ("requirements.lock", "scipy==1.0\n", True),
        ("requirements.lock", "# a comment\n", False),
        ("rbcore/three.py", "\nX = 1\n", False),
        ("rbcore/room/__init__.py", "\nX = 1\n", True),
        ("rbcore/room/inside.py", "\nX = 1\n", True),
        ("rbcore/room/beside.py", "\nX = 1\n", True),
        ("rbcore/room/apart.py", "\nX = 1\n", False),
    ],
)
def test_the_key_changes_with_what_can_change_a_result_and_with_nothing_else(
    keyed: Path, file: str, more: str, changes: bool
) -> None:
    before = Job(find("1", keyed), root=keyed).key
    with (keyed / file).open("a") as stream:
        stream.write(more)
    assert (Job(find("1", keyed), root=keyed).key != before) is changes


@pytest.mark.parametrize(
    ("code", "same"),
    [
        ('"""What two does."""\n\n\ndef f(x):\n    # doubled\n    return 2 * x\n', True),
        ('def f(x):\n    """Twice x."""\n    return 2 * x\n', True),
        ("def f(x):\n    return 3 * x\n", False),
        ('def f(x):\n    "kept"; y = "shown"\n    return 2 * x\n', False),
    ],
)
def test_comments_and_docstrings_are_no_part_of_the_key(keyed: Path, code: str, same: bool) -> None:
    module(keyed, "two", "def f(x):\n    return 2 * x\n")
    before = Job(find("1", keyed), root=keyed).key
    module(keyed, "two", code)
    assert (Job(find("1", keyed), root=keyed).key == before) is same


@pytest.mark.parametrize(("line", "hidden"), [("x.real", True), ("x.conjugate()", True), ("print(x)", False)])
def test_a_semicolon_that_hides_a_value_changes_the_key(tmp_path: Path, line: str, hidden: bool) -> None:
    keys = []
    for end in ("", ";"):
        chapter(tmp_path, "01-a", f"x = 1\n{line}{end}")
        keys.append(Job(find("1", tmp_path), root=tmp_path).key)
    assert (keys[0] != keys[1]) is hidden


def test_the_key_changes_with_a_parameter_and_not_with_their_order(keyed: Path) -> None:
    source = find("1", keyed)
    keys = [Job(source, p, keyed).key for p in ({}, {"seed": 2}, {"seed": 2.0}, {"seed": 2, "flag": True})]
    assert len(set(keys)) == 4
    assert Job(source, {"flag": True, "seed": 2}, keyed).key == keys[3]


@pytest.mark.parametrize(
    ("line", "modules"),
    [
        ("import rbcore.room.apart", ["__init__", "room/__init__", "room/apart"]),
        ("from rbcore import room", ["__init__", "room/__init__"]),
        ("from rbcore.room import beside as b", ["__init__", "room/__init__", "room/beside"]),
        ("import rbcore", ["__init__"]),
        ("from rbcore import two, three", ["__init__", "three", "two"]),
        ("from rbcore.two import anything", ["__init__", "two"]),
        ("if True:\n    import rbcore.three as t", ["__init__", "three"]),
        ("%matplotlib inline\nfrom rbcore import three", ["__init__", "three"]),
        ("import rbcorelike", []),
    ],
)
def test_imports_of_every_form_are_followed(keyed: Path, line: str, modules: list[str]) -> None:
    source = chapter(keyed, "02-b", line)
    package = keyed / "rbcore"
    found = [path.relative_to(package).with_suffix("").as_posix() for path in imported_modules(source, keyed)]
    assert found == modules


def test_keys_are_found_in_several_threads_at_once(tmp_path: Path) -> None:
    """Python 3.11 fails where two threads parse at once, unless they take turns."""
    deep = "x = " + "(" * 30 + "1" + " + 1)" * 30
    paths = [chapter(tmp_path, f"{i:02d}-a", *[f"{deep}  # {i} {j}" for j in range(40)]) for i in range(1, 5)]
    with ThreadPoolExecutor(4) as pool:
        keys = list(pool.map(lambda path: Job(path, root=tmp_path).key, paths * 2))
    assert len(set(keys)) == 4


def test_a_cell_that_is_not_python_is_named(keyed: Path) -> None:
    source = chapter(keyed, "02-b", "x = 1\ny = = 2")
    with pytest.raises(ExecutionError, match=r"02-b.md, code cell 3, line 2: invalid syntax\n    y = = 2"):
        imported_modules(source, keyed)


def test_a_module_that_is_not_python_is_named(keyed: Path) -> None:
    module(keyed, "two", "def broken(:\n")
    with pytest.raises(ExecutionError, match="rbcore/two.py, line 1: invalid syntax"):
        imported_modules(find("1", keyed), keyed)


# ---------------------------------------------------------------------------------------------------------------
# Names and parameters
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["2", "02", "02-b", "02-b.md"])
def test_a_notebook_is_found_by_its_number_or_its_name(tmp_path: Path, number: str) -> None:
    chapter(tmp_path, "01-a"), chapter(tmp_path, "02-b")
    assert find(number, tmp_path) == tmp_path / "notebooks" / "02-b.md"


@pytest.mark.parametrize("number", ["7", "", "b", "02-c", "."])
def test_a_wrong_number_is_answered_with_the_names(tmp_path: Path, number: str) -> None:
    chapter(tmp_path, "01-a"), chapter(tmp_path, "02-b")
    with pytest.raises(ExecutionError, match="choose a number from 01-a, 02-b"):
        find(number, tmp_path)


def test_a_notebooks_parameters_are_those_of_its_first_cell(tmp_path: Path) -> None:
    source = chapter(tmp_path, "01-a")
    assert default_parameters(source) == {"seed": 1, "scale": 0.5, "word": "one", "flag": False, "sizes": (1, 2)}
    assert parse_parameters("seed=3 scale=2", source) == {"seed": 3, "scale": 2.0}
    with pytest.raises(ExecutionError, match="no parameter 'sed' in 01-a; the nearest:\n    seed"):
        parse_parameters("sed=3", source)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("seed = 1 + len('x')", r"parameter 'seed' must be a literal, got 1 \+ len\('x'\)"),
        ("import os", "the parameters cell holds lines `name = literal`, got import os"),
        ("a = b = 1", "the parameters cell holds lines `name = literal`, got a = b = 1"),
        ("seed = = 1", "01-a.md, the parameters cell, line 1: invalid syntax"),
    ],
)
def test_a_wrong_parameters_cell_is_refused(tmp_path: Path, parameters: str, message: str) -> None:
    with pytest.raises(ExecutionError, match=message):
        default_parameters(chapter(tmp_path, "01-a", parameters=parameters))


def test_a_notebook_without_a_parameters_cell_runs_nothing(tmp_path: Path) -> None:
    chapter(tmp_path, "01-a")
    source = chapter(tmp_path, "02-b")
    source.write_text(source.read_text().replace(":tags: [parameters]\n", ""))
    with pytest.raises(ExecutionError, match="02-b.md: the first code cell must carry the tag 'parameters'"):
        execute(all_jobs(tmp_path), tmp_path / "cache")
    assert runs(tmp_path, "01-a") == 0


def test_a_file_that_is_no_notebook_is_named(tmp_path: Path) -> None:
    source = chapter(tmp_path, "01-a")
    source.write_text("```{code-cell}\n---\ntags: [\n---\nx\n```\n")
    with pytest.raises(ExecutionError, match="01-a.md is not a notebook in MyST Markdown"):
        default_parameters(source)


# ---------------------------------------------------------------------------------------------------------------
# Runs
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_notebooks_run_in_parallel_once_and_again_only_when_edited(tmp_path: Path) -> None:
    """Each waits for the other to have begun, so they run at once; then one edit runs one of them again."""
    meet = "import pathlib, time\nend = time.time() + 30\nwhile not pathlib.Path('../ran-{}').exists():\n"
    meet += "    assert time.time() < end\n    time.sleep(.05)\nprint('met')"
    chapter(tmp_path, "01-a", meet.format("02-b")), chapter(tmp_path, "02-b", meet.format("01-a"))
    sources = {path: hashlib.sha256(path.read_bytes()).digest() for path in notebooks(tmp_path)}
    cache = tmp_path / "cache"
    executed = execute(all_jobs(tmp_path), cache, workers=2)
    assert [printed(path) for path in executed.values()] == ["met\n", "met\n"]
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in notebooks(tmp_path)} == sources
    assert sorted(p.name for p in (tmp_path / "notebooks").iterdir()) == ["01-a.md", "02-b.md"]

    assert execute(all_jobs(tmp_path), cache) == executed
    assert (runs(tmp_path, "01-a"), runs(tmp_path, "02-b")) == (1, 1)
    with find("2", tmp_path).open("a") as stream:
        stream.write("\n```{code-cell} ipython3\nmore = 1\n```\n")
    execute(all_jobs(tmp_path), cache)
    assert (runs(tmp_path, "01-a"), runs(tmp_path, "02-b")) == (1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{}, {"seed": 2}])
def test_a_notebook_whose_prose_was_edited_gets_the_new_text_and_keeps_its_outputs(
    tmp_path: Path, parameters: dict[str, int]
) -> None:
    source, cache = chapter(tmp_path, "01-a", "x = seed  # old", "print(x)"), tmp_path / "cache"
    job = Job(source, parameters, tmp_path)
    before = nbformat.read(execute([job], cache)[job.label], as_version=4)
    text = source.read_text().replace("# A chapter", "# A chapter\n\nA new sentence.\n\n## A part\n\nText.")
    source.write_text(text.replace("# old", "# new").replace("print(x)", "print(x)\n```\n\n```{note}\nMore."))
    after = nbformat.read(execute([job], cache)[job.label], as_version=4)
    assert runs(tmp_path, "01-a") == 1
    code = [[c for c in n.cells if c.cell_type == "code"] for n in (before, after)]
    assert [c.outputs for c in code[0]] == [c.outputs for c in code[1]]
    assert code[1][-1].outputs[0].text == f"{parameters.get('seed', 1)}\n"
    assert [c.source.replace("# old", "# new") for c in code[0]] == [c.source for c in code[1]]
    written = "".join(c.source for c in after.cells if c.cell_type == "markdown")
    assert "A new sentence." in written and "More." in written
    facts = after.metadata.rbcore
    assert len(facts.seconds) == len(facts.processor) == len(after.cells)
    assert sum(facts.seconds) == pytest.approx(
        sum(before.metadata.rbcore.seconds), abs=0.02
    )  # a cell of text may cost a ms
    assert [c.id for c in after.cells] == [f"cell-{i:03d}" for i in range(len(after.cells))]
    assert facts.parameters["seed"] == parameters.get("seed", 1)


@pytest.mark.slow
def test_the_kernel_gets_bounded_threads_the_books_rbcore_and_the_parameters(tmp_path: Path) -> None:
    module(tmp_path, "__init__", "mark = 'the tiny one'\n")
    source = chapter(
        tmp_path,
        "01-a",
        "import os, sys, rbcore\nprint(os.environ['OMP_NUM_THREADS'], os.environ['OPENBLAS_NUM_THREADS'])",
        "print(rbcore.mark, sys.executable, os.path.basename(os.getcwd()), seed, scale, word, flag, sizes)",
    )
    here, before = os.getcwd(), dict(os.environ)
    job = Job(source, {"seed": 7, "sizes": (3, 4), "word": "it's"}, tmp_path)
    threads, rest = printed(execute([job], tmp_path / "cache")[job.label]).splitlines()
    assert threads.split() == [str(len(os.sched_getaffinity(0)))] * 2
    assert rest == f"the tiny one {sys.executable} notebooks 7 0.5 it's False (3, 4)"
    assert (os.getcwd(), dict(os.environ)) == (here, before)


@pytest.mark.slow
def test_two_kernels_share_the_cores(tmp_path: Path) -> None:
    for name in ("01-a", "02-b"):
        chapter(tmp_path, name, "import os\nprint(os.environ['OMP_NUM_THREADS'])")
    executed = execute(all_jobs(tmp_path), tmp_path / "cache", workers=2)
    share = max(1, len(os.sched_getaffinity(0)) // 2)
    assert [printed(path) for path in executed.values()] == [f"{share}\n"] * 2


@pytest.mark.slow
def test_the_share_of_the_cores_does_not_depend_on_what_is_finished(tmp_path: Path) -> None:
    """Numbers may depend on the number of threads, so a build that goes on must not change it."""
    for name in ("01-a", "02-b"):
        chapter(tmp_path, name, "import os\nprint(os.environ['OMP_NUM_THREADS'])")
    execute(all_jobs(tmp_path)[:1], tmp_path / "cache", workers=2)
    executed = execute(all_jobs(tmp_path), tmp_path / "cache", workers=2)
    assert printed(executed["02-b"]) == f"{max(1, len(os.sched_getaffinity(0)) // 2)}\n"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_notebook_but_for_its_seconds(tmp_path: Path) -> None:
    source = chapter(
        tmp_path,
        "01-a",
        "import random\nfrom rbcore.book.ledger import record\nrandom.seed(seed)",
        "print({'some', 'words', 'of', 'a', 'set'})",
        "record('drawn', random.random(), fmt='.3f')",
    )
    contents = []
    for _ in range(2):
        path = execute([Job(source)], tmp_path / "cache", fresh=True)["01-a"]
        notebook = json.loads(path.read_text())
        for costs in ("seconds", "processor"):
            assert len(notebook["metadata"]["rbcore"].pop(costs)) == len(notebook["cells"])
        contents.append(notebook)
    assert runs(tmp_path, "01-a") == 2
    assert contents[0] == contents[1]


@pytest.mark.slow
def test_a_failing_cell_is_named_and_nothing_of_its_notebook_is_kept(tmp_path: Path) -> None:
    chapter(tmp_path, "01-a")
    chained = "import json\ntry:\n    json.loads('{')\nexcept ValueError as error:\n    1 / 0"
    source = chapter(tmp_path, "02-b", chained, "print('not reached')")
    with pytest.raises(ExecutionError) as caught:
        execute(all_jobs(tmp_path), tmp_path / "cache")
    line = source.read_text().split("\n").index("    1 / 0") + 1
    assert str(caught.value).startswith(f"02-b.md:{line}, cell 3:\n    import json\n    try:\n")
    assert str(caught.value).endswith("ZeroDivisionError: division by zero")
    assert [p.parent.name for p in (tmp_path / "cache").glob("*/*")] == ["01-a"]


@pytest.mark.slow
def test_two_failing_notebooks_are_both_reported(tmp_path: Path) -> None:
    chapter(tmp_path, "01-a", "import time; time.sleep(1)\nraise ValueError('first')")
    chapter(tmp_path, "02-b", "import time; time.sleep(1)\nraise ValueError('second')")
    with pytest.raises(ExecutionError, match=r"(?s)ValueError: first.*ValueError: second"):
        execute(all_jobs(tmp_path), tmp_path / "cache", workers=2)


@pytest.mark.slow
def test_a_kernel_that_dies_is_reported_with_its_cell(tmp_path: Path) -> None:
    chapter(tmp_path, "01-a", "import os\nos.kill(os.getpid(), 9)")
    with pytest.raises(ExecutionError, match=r"(?s)01-a.md:\d+:\n    import os.*the kernel died"):
        execute(all_jobs(tmp_path), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*/*"))


@pytest.mark.slow
def test_the_last_words_of_a_kernel_that_dies_are_in_the_report(tmp_path: Path) -> None:
    chapter(tmp_path, "01-a", "import faulthandler\nfaulthandler._sigsegv()")
    with pytest.raises(ExecutionError, match=r"(?s)the kernel died.*Segmentation fault"):
        execute(all_jobs(tmp_path), tmp_path / "cache")


@pytest.mark.slow
def test_what_a_kernel_says_at_its_end_does_not_stand_between_the_lines_of_the_call(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Kernels that are asked to end may print tracebacks about their own sockets."""
    chapter(tmp_path, "01-a", "import atexit, os\natexit.register(os.write, 2, b'some last words')")
    execute(all_jobs(tmp_path), tmp_path / "cache")
    assert "last words" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_notebook_that_is_edited_while_it_runs_is_not_kept(tmp_path: Path) -> None:
    """Its outputs would belong to neither text."""
    chapter(tmp_path, "01-a", EDITS)
    with pytest.raises(ExecutionError, match="01-a.md, or what it imports, was edited while it ran"):
        execute(all_jobs(tmp_path), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*/*"))


@pytest.mark.slow
def test_only_the_newest_executions_are_kept(tmp_path: Path) -> None:
    source, cache = chapter(tmp_path, "01-a"), tmp_path / "cache"
    for seed in range(5):
        (newest,) = execute([Job(source, {"seed": seed}, tmp_path)], cache).values()
    assert len(list(cache.glob("*/*.ipynb"))) == 3
    assert newest.exists()


# ---------------------------------------------------------------------------------------------------------------
# Interruption, company and progress
# ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A book whose second notebook waits to be interrupted."""
    chapter(tmp_path, "01-a"), chapter(tmp_path, "02-b", WAIT)
    return tmp_path


def in_the_middle(root: Path) -> tuple[subprocess.Popen[str], int]:
    """A call that has finished the first notebook and is in the second; and the number of that kernel."""
    cache = root / "book" / "_build" / "cache"
    process = start(root, "book")
    until(lambda: (root / "at-work").exists() and any(cache.glob("01-a/*.ipynb")))
    return process, int((root / "at-work").read_text())


def check_resumes(root: Path) -> None:
    """Only the first notebook is there; the next call runs only the second."""
    cache = root / "book" / "_build" / "cache"
    assert [p.parent.name for p in cache.glob("*/*")] == ["01-a"]
    assert [p.name for p in (cache.parent / "checkpoints").rglob("state")] == ["state"]
    execute(all_jobs(root), cache)
    assert (runs(root, "01-a"), runs(root, "02-b")) == (1, 2)
    assert sorted(p.parent.name for p in cache.glob("*/*")) == ["01-a", "02-b"]


@pytest.mark.slow
def test_a_killed_call_keeps_what_was_finished_and_leaves_no_kernel(waiting: Path) -> None:
    process, kernel = in_the_middle(waiting)
    process.kill()
    process.communicate()
    until(lambda: not alive(kernel), 10)
    check_resumes(waiting)


@pytest.mark.slow
def test_a_build_that_is_killed_in_training_goes_on_from_there_to_the_same_numbers(tmp_path: Path) -> None:
    """The undisturbed book finds the mark at which the other waits."""
    books = [tmp_path / name for name in ("disturbed", "undisturbed")]
    for root in books:
        chapter(root, "01-a", TRAIN)
    (books[1] / "at-work").touch()
    process = start(books[0], "book")
    execute(all_jobs(books[1]), books[1] / "book" / "_build" / "cache")
    until((books[0] / "at-work").exists)
    process.kill()
    process.communicate()
    with suppress(ProcessLookupError):
        os.kill(int((books[0] / "at-work").read_text()), signal.SIGKILL)
    assert (books[0] / "kept").read_text().split() == ["5", "10", "15", "20"]
    assert len(list((books[0] / "book" / "_build" / "checkpoints").rglob("*.pt"))) == 1
    execute(all_jobs(books[0]), books[0] / "book" / "_build" / "cache")
    assert runs(books[0], "01-a") == 2
    kept = [(root / "kept").read_text() for root in books]
    assert kept[0] == kept[1] == "".join(f"{step}\n" for step in range(5, 41, 5))
    texts = [all_jobs(root)[0].target(root / "book" / "_build" / "cache").read_text() for root in books]
    seconds = re.compile(r'"(seconds|processor)": \[[^]]*\]')
    assert seconds.sub("", texts[0]) == seconds.sub("", texts[1])
    assert len(seconds.findall(texts[0])) == 2
    assert not any((root / "book" / "_build" / "checkpoints").exists() for root in books)


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """A book whose only notebook has failed and left a state of training."""
    module(tmp_path, "__init__"), module(tmp_path, "unused")
    chapter(tmp_path, "01-a", STATE)
    with pytest.raises(ExecutionError, match="not mended"):
        execute(all_jobs(tmp_path), tmp_path / "cache")
    assert states(tmp_path)
    return tmp_path


def states(root: Path) -> list[Path]:
    """What is kept of training."""
    return list((root / "checkpoints").rglob("state"))


@pytest.mark.slow
def test_the_state_of_training_outlives_a_failure_and_not_success(failed: Path) -> None:
    with pytest.raises(ExecutionError, match="not mended"):
        execute(all_jobs(failed), failed / "cache")
    (failed / "mended").touch()
    assert printed(execute(all_jobs(failed), failed / "cache")["01-a"]) == "1 left\n"
    assert not (failed / "checkpoints").exists()


@pytest.mark.slow
def test_a_call_that_finds_all_finished_removes_a_state_that_is_left(failed: Path) -> None:
    """A build killed after its last notebook leaves one."""
    (failed / "mended").touch()
    left = states(failed)[0]
    execute(all_jobs(failed), failed / "cache")
    left.parent.mkdir(parents=True)
    left.touch()
    execute(all_jobs(failed), failed / "cache")
    assert (runs(failed, "01-a"), states(failed)) == (2, [])


@pytest.mark.slow
def test_a_fresh_execution_begins_training_anew(failed: Path) -> None:
    (failed / "mended").touch()
    assert printed(execute(all_jobs(failed), failed / "cache", fresh=True)["01-a"]) == "0 left\n"


@pytest.mark.slow
@pytest.mark.parametrize("file", ["rbcore/unused.py", "requirements.lock"])
def test_another_core_or_lock_never_meets_an_old_state(failed: Path, file: str) -> None:
    (before,) = states(failed)
    with (failed / file).open("a") as stream:
        stream.write("# edited\n")
    with pytest.raises(ExecutionError, match="not mended"):
        execute(all_jobs(failed), failed / "cache")
    (after,) = states(failed)
    assert before != after
    assert not before.parent.exists()


def test_a_state_made_while_the_core_was_edited_is_not_kept(tmp_path: Path) -> None:
    """It may come from either text, and the edit may be taken back."""
    used = module(tmp_path, "__init__")
    chapter(
        tmp_path, "01-a", "import rbcore\n" + STATE, "raise SystemError(open(rbcore.__file__, 'a').write('#'))"
    )
    (tmp_path / "mended").touch()
    with pytest.raises(ExecutionError):
        execute(all_jobs(tmp_path), tmp_path / "cache")
    assert used.read_text() == "#"
    assert not states(tmp_path)


@pytest.mark.slow
def test_two_caches_side_by_side_keep_their_states_apart(failed: Path) -> None:
    """One is of the book, one of single runs, and both may be at work at once."""
    (failed / "mended").touch()
    executed = execute(all_jobs(failed), failed / "cache-runs")
    assert printed(executed["01-a"]) == "0 left\n"
    assert len(states(failed)) == 1


def test_a_half_written_file_of_a_killed_call_is_never_taken_for_a_notebook(tmp_path: Path) -> None:
    source, cache = chapter(tmp_path, "01-a"), tmp_path / "cache"
    partial = Job(source, root=tmp_path).target(cache).with_suffix(".partial")
    partial.parent.mkdir(parents=True)
    partial.write_text('{"cells": [')
    nbformat.read(execute(all_jobs(tmp_path), cache)["01-a"], as_version=4)
    assert runs(tmp_path, "01-a") == 1
    assert not partial.exists()


@pytest.mark.slow
def test_sigterm_is_answered_as_ctrl_c_is_and_leaves_no_folder(waiting: Path, tmp_path: Path) -> None:
    process, kernel = in_the_middle(waiting)
    (folder,) = Path(tempfile.gettempdir()).glob(f"rbcore-{process.pid}-*")
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "interrupted" in said
    until(lambda: not alive(kernel))
    assert not folder.exists()


@pytest.mark.slow
def test_an_interrupted_call_ends_although_notebooks_still_wait_for_their_turn(waiting: Path) -> None:
    for name in ("03-c", "04-d", "05-e"):
        chapter(waiting, name, "import time; time.sleep(120)")
    process = start(waiting, "book")
    until((waiting / "at-work").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    process.communicate()
    assert runs(waiting, "05-e") == 0 or os.cpu_count() > 4


def test_folders_of_killed_calls_are_removed_and_those_of_living_ones_are_not() -> None:
    place = Path(tempfile.gettempdir())
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead, living = (place / f"rbcore-{pid}-test" for pid in (gone.pid, os.getpid()))
    for folder in (dead, living):
        (folder / "inside").mkdir(parents=True)
    with kernel_folder() as folder:
        assert folder.name.startswith(f"rbcore-{os.getpid()}-")
        assert not dead.exists() and living.exists()
    shutil.rmtree(living)
    assert not folder.exists()


@pytest.mark.slow
def test_a_long_temporary_folder_and_a_long_name_are_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path has room for some hundred bytes; macOS gives 103, and names folders with half of them."""
    long = tmp_path / ("long" * 20) / "folder"
    long.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with kernel_folder() as folder:
        assert len(str(folder / "k99-ipc-5")) < 60
    monkeypatch.setattr(tempfile, "tempdir", "/" + "x" * 47)  # as long as on macOS
    assert len("/" + "x" * 47 + f"/rbcore-{2**22}-abcdefgh/k99-ipc-5") <= 103
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    name = "01-" + "a-long-name-" * 10
    chapter(tmp_path, name, "print('ran')")
    assert printed(execute(all_jobs(tmp_path), tmp_path / "cache")[name]) == "ran\n"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "word"), [(errno.ENOSPC, "No space left"), (errno.EROFS, "Read-only")])
def test_a_full_disk_and_a_read_only_folder_are_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    word: str,
) -> None:
    chapter(tmp_path, "01-a")

    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / "here"))

    monkeypatch.setattr(os, "replace", full)
    for command in (["book"], ["agree"], ["run", "01"]):
        assert main(["--root", str(tmp_path), *command]) == 1
        said = capsys.readouterr().err
        assert f"error: {word}" in said and "here" in said and "Traceback" not in said
    assert not list(tmp_path.rglob("*.ipynb"))


@pytest.mark.slow
def test_ctrl_c_ends_the_call_and_its_kernels_at_once(waiting: Path) -> None:
    process, kernel = in_the_middle(waiting)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: finished notebooks are kept, the next call goes on from there" in said
    assert "Traceback" not in said
    assert not alive(kernel)
    check_resumes(waiting)


@pytest.mark.slow
def test_two_calls_at_once_take_turns_and_run_each_notebook_once(tmp_path: Path) -> None:
    chapter(tmp_path, "01-a", "import time; time.sleep(5)")
    calls = [start(tmp_path, "book") for _ in range(2)]
    said = [call.communicate(timeout=60)[1] for call in calls]
    assert any("waiting for another call that works in" in text for text in said)
    assert runs(tmp_path, "01-a") == 1


def test_a_log_gets_a_line_when_a_notebook_begins_and_when_it_ends(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    chapter(tmp_path, "01-a")
    execute(all_jobs(tmp_path), tmp_path / "cache")
    first, last = capfd.readouterr().err.splitlines()
    assert first == "executing 01-a (2 cells)"
    assert last.startswith("executed 01-a in ")


@pytest.mark.slow
def test_a_terminal_gets_a_bar_over_all_cells_with_the_time_left(tmp_path: Path) -> None:
    chapter(tmp_path, "01-a", *["import time; time.sleep(.3)"] * 4)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    process = start(tmp_path, "book", stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # the terminal is gone when the call has ended
        pass
    process.wait(timeout=30)
    text = shown.decode()
    assert "01-a" in text
    assert "cell 3 of 6" in text
    assert " left" in text
    assert "100%" in text


# ---------------------------------------------------------------------------------------------------------------
# Commands
# ---------------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_no_book_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path), "book"]) == 1
    assert "is not the book's folder: it has no notebooks/01-...md" in capsys.readouterr().err


@pytest.mark.slow
def test_a_refused_command_says_why_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chapter(tmp_path, "01-a", "1 / 0")
    for command, reason in [
        (["run", "07"], "error: no notebook '07': choose a number from 01-a"),
        (["run", "01", "n=5"], "error: no parameter 'n' in 01-a; it has seed, scale, word, flag, sizes"),
        (["sweep", "01", "seed=5"], "error: a sweep needs a parameter with several values"),
        (["sweep", "01", "seed=1,2", "--jobs", "0"], "error: JOBS=0: runs at a time"),
        (["sweep", "01", "seed=1,2", "--backend", "cloud"], "error: BACKEND=cloud: choose from loky, dask, ray"),
        (["run", "01", "seed=5"], "ZeroDivisionError: division by zero"),
        (["book"], "ZeroDivisionError: division by zero"),
        (["serve"], "no pages yet: run `make book` first"),
    ]:
        assert main(["--root", str(tmp_path), *command]) == 1
        assert reason in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_port_that_is_taken_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    (tmp_path / "book" / "_build" / "html").mkdir(parents=True)
    (tmp_path / "book" / "_build" / "html" / "index.html").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--root", str(tmp_path), "serve", "--port", str(port)]) == 1
    assert f"port {port} cannot be used" in capsys.readouterr().err
