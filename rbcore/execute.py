"""Execute the chapter notebooks: jupytext reads them, papermill runs them, a cache keeps what is still true.

A cached notebook is named by a key over all that decides its outputs: its text, the modules of rbcore that it
imports (and those that they import), the lock file, its parameters and the Python version.  A notebook enters the
cache only when its last cell has run, by one atomic rename, so a killed build leaves finished notebooks and nothing
else, and the next call goes on from there.
"""

from __future__ import annotations

import ast
import hashlib
import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
BOUND = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
KEPT = 3  # finished executions kept per notebook, newest first


class ExecutionError(RuntimeError):
    """A notebook that did not run to its end; the message names the notebook, the cell and the error."""


@dataclass(frozen=True)
class Job:
    """One notebook to execute with some parameters; `key` decides whether it must run again."""

    source: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    root: Path = ROOT

    @property
    def name(self) -> str:
        return self.source.stem

    @property
    def key(self) -> str:
        digest = hashlib.sha256()
        lock = self.root / "requirements.lock"
        parts = [self.source, *imported_modules(self.source, self.root), *([lock] if lock.exists() else [])]
        for path in parts:
            digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
        digest.update(json.dumps([sorted(self.parameters.items()), sys.version_info[:2]]).encode())
        return digest.hexdigest()[:20]

    def target(self, cache: Path) -> Path:
        return cache / self.name / f"{self.key}.ipynb"


def notebooks(root: Path = ROOT) -> list[Path]:
    """The chapter sources, in the order of their numbers."""
    return sorted((root / "notebooks").glob("[0-9][0-9]-*.md"))


def find(number: str, root: Path = ROOT) -> Path:
    """The notebook whose name begins with `number` (``02``, ``2`` or the whole name)."""
    wanted = number.removesuffix(".md")
    wanted = wanted.zfill(2) if wanted.isdigit() else wanted
    found = [p for p in notebooks(root) if p.stem == wanted or p.stem.startswith(wanted + "-")]
    if len(found) != 1:
        names = ", ".join(p.stem for p in notebooks(root))
        raise ExecutionError(f"no notebook {number!r}: choose a number from {names}")
    return found[0]


# ---------------------------------------------------------------------------------------------------------------
# What decides the outputs of a notebook
# ---------------------------------------------------------------------------------------------------------------


def imported_modules(source: Path, root: Path = ROOT) -> list[Path]:
    """The files of rbcore that the notebook imports, directly or through one another, sorted."""
    import jupytext

    cells = jupytext.read(source).cells
    code = "\n".join(re.sub(r"(?m)^\s*[%!].*$", "", c.source) for c in cells if c.cell_type == "code")
    package = root / "rbcore"
    found: set[Path] = set()
    todo = _imports(code, package)
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo |= _imports(path.read_text(encoding="utf8"), package)
    return sorted(found)


def _imports(code: str, package: Path) -> set[Path]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # `from . import x` inside the package
                base = f"rbcore.{base}".rstrip(".")
            names |= {base} | {f"{base}.{a.name}" for a in node.names}
    files = {package / "__init__.py"} if any(n.split(".")[0] == "rbcore" for n in names) else set()
    files |= {package / (n.split(".")[1] + ".py") for n in names if n.startswith("rbcore.")}
    return {f for f in files if f.exists()}


def default_parameters(source: Path) -> dict[str, Any]:
    """The names and default values of the notebook's ``parameters`` cell.

    Raises:
        ExecutionError: when there is no such cell, or it assigns something that is not a literal.
    """
    import jupytext

    cells = [c for c in jupytext.read(source).cells if c.cell_type == "code"]
    if not cells or "parameters" not in cells[0].metadata.get("tags", []):
        raise ExecutionError(f"{source.name}: the first code cell must carry the tag 'parameters'")
    found: dict[str, Any] = {}
    for node in ast.parse(cells[0].source).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                try:
                    found[name] = ast.literal_eval(value)
                except ValueError:
                    raise ExecutionError(
                        f"{source.name}: parameter {name!r} must be a literal, got {ast.unparse(value)}"
                    ) from None
    return found


def parse_parameters(text: str, source: Path) -> dict[str, Any]:
    """Read ``seed=3 n=500`` against the notebook's own parameters.

    Raises:
        ExecutionError: for a word that is not ``name=value``, a name that the notebook does not have, or a value of
            another type than the default.
    """
    defaults = default_parameters(source)
    chosen: dict[str, Any] = {}
    for word in text.split():
        name, equals, raw = word.partition("=")
        if not equals or not raw:
            raise ExecutionError(f'{word!r} is not name=value; write P="seed=3 n=500"')
        if name not in defaults:
            raise ExecutionError(f"{source.stem} has no parameter {name!r}; it has {_listed(defaults)}")
        try:
            value = ast.literal_eval(raw)
        except (ValueError, SyntaxError):
            value = raw
        default = defaults[name]
        if isinstance(default, float) and type(value) is int:
            value = float(value)
        if type(value) is not type(default):
            raise ExecutionError(
                f"{name}={raw}: {source.stem} expects {type(default).__name__} here, such as {default!r}"
            )
        chosen[name] = value
    return chosen


def _listed(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v!r}" for k, v in parameters.items()) or "none"


# ---------------------------------------------------------------------------------------------------------------
# Running
# ---------------------------------------------------------------------------------------------------------------


def execute(
    jobs: Sequence[Job], cache: Path, *, fresh: bool = False, workers: int | None = None
) -> dict[str, Path]:
    """Execute what is not in `cache` yet, in parallel, and return the executed notebook of each job by its name.

    Args:
        fresh: run everything, whatever the cache holds.
        workers: notebooks at a time; by default one per core.  Each kernel's numerical libraries get an equal share
            of the cores.

    Raises:
        ExecutionError: when a cell fails.  Notebooks that had finished stay in the cache.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for stale in cache.glob("*/*.partial"):
        stale.unlink()
    targets = {job.name: job.target(cache) for job in jobs}
    todo = [job for job in jobs if fresh or not targets[job.name].exists()]
    if todo:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        workers = max(1, min(workers or cores, len(todo)))
        environment = {name: str(max(1, cores // workers)) for name in BOUND}
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(jobs[0].root), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        environment["TQDM_DISABLE"] = "1"  # bars of the notebooks' own loops would change from run to run
        _run_all(todo, cache, workers, environment)
    return targets


def _run_all(todo: Sequence[Job], cache: Path, workers: int, environment: Mapping[str, str]) -> None:
    saved = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    progress = Progress(todo, cache)
    todo = sorted(todo, key=lambda job: -progress.expected[job.name])  # the longest first
    pool = ThreadPoolExecutor(workers)
    try:
        futures = [pool.submit(_run, job, cache, progress) for job in todo]
        done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        for future in waiting:
            future.cancel()
        wait(waiting)
        errors = [f.exception() for f in futures if not f.cancelled() and f.exception()]
        if errors:
            raise errors[0] if len(errors) == 1 else ExecutionError("\n\n".join(map(str, errors)))
    except KeyboardInterrupt:
        progress.close()
        print("interrupted: finished notebooks are kept, the next call goes on from there", file=sys.stderr)
        os._exit(130)  # the kernels end with their parent
    finally:
        progress.close()
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in saved.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _run(job: Job, cache: Path, progress: Progress) -> None:
    import jupytext
    import papermill
    from papermill.exceptions import PapermillExecutionError

    default_parameters(job.source)  # a clear error before a kernel starts
    target = job.target(cache)
    target.parent.mkdir(parents=True, exist_ok=True)
    notebook = jupytext.read(job.source)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    partial = target.with_suffix(f".{os.getpid()}.partial")
    logging.getLogger("papermill").setLevel(logging.ERROR)
    progress.start(job)
    try:
        executed = papermill.execute_notebook(
            nbformat.from_dict(notebook),
            None,
            parameters=dict(job.parameters),
            progress_bar=False,
            extra_arguments=["--IPKernelApp.log_level=50"],  # the kernel does not talk over the progress bar
            cwd=str(job.source.parent),
            on_cell_executed=lambda cell, cell_index, execute_reply: progress.cell(job, cell_index),
        )
    except PapermillExecutionError as error:
        raise ExecutionError(_describe(job, error)) from None
    partial.write_text(nbformat.writes(_tidy(executed, job)) + "\n", encoding="utf8")
    os.replace(partial, target)
    progress.finish(job)
    for old in sorted(target.parent.glob("*.ipynb"), key=lambda p: -p.stat().st_mtime)[KEPT:]:
        old.unlink()


def _describe(job: Job, error: Any) -> str:
    source = "\n".join("    " + line for line in error.source.rstrip().split("\n"))
    trace = re.sub(r"\x1b\[[0-9;]*m", "", error.traceback[-1] if error.traceback else "")
    where = "\n".join(
        line for line in re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback)).split("\n") if "-->" in line
    )
    reason = trace.strip() or f"{error.ename}: {error.evalue}"
    return f"{job.source.name}, cell {error.exec_count}:\n{source}\n{where}\n{reason}\n(no page was written for this notebook)"


def _tidy(notebook: Any, job: Job) -> Any:
    """Drop all that differs between equal runs, but for the seconds of each cell, kept apart in the metadata."""
    seconds = []
    for index, cell in enumerate(notebook.cells):
        seconds.append(round(cell.metadata.get("papermill", {}).get("duration") or 0.0, 3))
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell["id"] = f"cell-{index:03d}"
    notebook.metadata.pop("papermill", None)
    notebook.metadata["rbcore"] = {
        "chapter": job.name,
        "parameters": default_parameters(job.source) | dict(job.parameters),
        "seconds": seconds,
    }
    return notebook


class Progress:
    """One bar over all cells, weighted by the seconds that each notebook took last time, with the time left.

    Where nobody watches (a log, CI) it prints a line when a notebook begins and one when it ends.
    """

    def __init__(self, jobs: Iterable[Job], cache: Path):
        self.lock = threading.Lock()
        self.began: dict[str, float] = {}
        self.cells: dict[str, list[float]] = {job.name: _earlier_seconds(job, cache) for job in jobs}
        self.expected = {name: sum(cells) for name, cells in self.cells.items()}
        self.total, self.ran = sum(map(len, self.cells.values())), 0
        self.watched = sys.stderr.isatty()
        form = "{desc} {percentage:3.0f}%|{bar:30}| {elapsed} so far, {remaining} left {postfix}"
        self.bar = tqdm(total=sum(self.expected.values()), bar_format=form, disable=not self.watched, leave=False)

    def start(self, job: Job) -> None:
        with self.lock:
            self.began[job.name] = time.monotonic()
            self.bar.set_description_str(", ".join(sorted(self.began)))
            if not self.watched:
                print(f"executing {job.name} ({len(self.cells[job.name])} cells)", file=sys.stderr, flush=True)

    def cell(self, job: Job, index: int) -> None:
        with self.lock:
            self.ran += 1
            weights = self.cells[job.name]
            self.bar.set_postfix_str(f"cell {self.ran} of {self.total}", refresh=False)
            self.bar.update(weights[index] if index < len(weights) else 0.0)

    def finish(self, job: Job) -> None:
        with self.lock:
            seconds = time.monotonic() - self.began.pop(job.name)
            if not self.watched:
                print(f"executed {job.name} in {seconds:.0f} s", file=sys.stderr, flush=True)

    def close(self) -> None:
        self.bar.close()


def _earlier_seconds(job: Job, cache: Path) -> list[float]:
    """Seconds per cell of the last finished run of this notebook, or one second a cell where there was none."""
    import jupytext

    count = len(jupytext.read(job.source).cells)
    finished = sorted((cache / job.name).glob("*.ipynb"), key=lambda p: p.stat().st_mtime)
    if finished:
        seconds = (
            json.loads(finished[-1].read_text(encoding="utf8"))["metadata"].get("rbcore", {}).get("seconds", [])
        )
        if len(seconds) == count:
            return [max(s, 0.01) for s in seconds]
    return [1.0] * count
