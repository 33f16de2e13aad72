"""A grid of runs of one chapter: `make sweep NB=02 P="strictness=0,0.5,0.9 seed=1..5"`.

Values of a parameter are divided by commas, or by ``|`` where they hold commas themselves, as lists do:
``task=[1,2]|[2,1]``; ``1..5`` stands for whole numbers.  Each run is executed by papermill in a process of a
joblib backend and kept where `make run` keeps it, so that a sweep that was interrupted goes on, and a run that is
part of two sweeps is executed once.  The result is a folder in `runs/`: ``values.csv``, ``claims.csv`` and a page.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from rbcore.book import agree, runs
from rbcore.book.execute import COSTS, ExecutionError, Job, parameters_of, recorded_costs
from rbcore.book.kernels import environment
from rbcore.book.ledger import Chapter, LedgerError, fill
from rbcore.book.parameters import Parameter, ParameterError, split, words
from rbcore.files import remove_abandoned, replace_folder

MOST = 2000  # runs of one sweep
START = 5.0  # seconds that a kernel takes to start, about
BACKENDS = ("loky", "dask", "ray")
STEPS = re.compile(r"(-?\d{1,18})\.\.(-?\d{1,18})")


class Finished(NamedTuple):
    """One run of a sweep: its parameters, and what it recorded or why it failed."""

    parameters: dict[str, Any]
    chapter: Chapter | None
    error: str = ""


@dataclass(frozen=True)
class Sweep:
    """A grid of one chapter.  axes: for each parameter that was named its values, one or more."""

    source: Path
    root: Path
    text: str
    axes: Mapping[str, Sequence[Any]]
    parameters: Sequence[Parameter]

    @property
    def jobs(self) -> list[Job]:
        """The runs, the last parameter changing fastest."""
        points = itertools.product(*self.axes.values())
        return [Job(self.source, dict(zip(self.axes, point, strict=True)), self.root) for point in points]

    @property
    def swept(self) -> dict[str, Sequence[Any]]:
        """The parameters that have several values."""
        return {name: values for name, values in self.axes.items() if len(values) > 1}

    @property
    def folder(self) -> Path:
        """Where the result goes."""
        return self.root / runs.FOLDER / runs.slug("sweep", self.source.stem, *filter(None, split(self.text)))

    def seconds(self) -> float | None:
        """About how long all runs take one after the other; None where the chapter's cost is not recorded."""
        costs = recorded_costs(self.root / COSTS)
        if self.source.stem not in costs:
            return None
        return sum(START + costs[self.source.stem] * self._growth(job.parameters) for job in self.jobs)

    def _growth(self, chosen: Mapping[str, Any]) -> float:
        """By which factor a chapter's time grows with these parameters."""
        factor = 1.0
        for p in self.parameters:
            value = chosen.get(p.name)
            if p.cost and isinstance(value, int | float) and isinstance(p.default, int | float) and p.default > 0:
                factor *= (value / p.default) ** (2 if p.cost.startswith("quadratic") else 1)
        return max(factor, 0.2)


def plan(text: str, source: Path, root: Path) -> Sweep:
    """Read and check a grid before anything runs.

    Raises:
        ExecutionError: for a name or a value that is not allowed, a value that is named twice, or too many runs.
    """
    parameters = parameters_of(source)
    known = {p.name: p for p in parameters}
    try:
        axes = {name: values(known[name], raw) for name, raw in words(text, known, source.stem).items()}
    except ParameterError as error:
        raise ExecutionError(str(error)) from None
    found = Sweep(source, root, text, axes, parameters)
    count = 1
    for one in axes.values():
        count *= len(one)
    if count > MOST:
        raise ExecutionError(f"{count:,} runs; a sweep has at most {MOST:,}")
    if count < 2:
        raise ExecutionError('a sweep needs a parameter with several values: P="seed=1..5"; for one run: make run')
    return found


def values(parameter: Parameter, raw: str) -> list[Any]:
    """The values of one parameter in a grid: ``0,0.5,0.9``, ``1..5``, ``[1,2]|[2,1]``.

    Raises:
        ParameterError: for a value that is not allowed or named twice.
    """
    parts = split(raw, "|")
    parts = parts if len(parts) > 1 else split(raw, ",")
    if not all(part.strip() for part in parts):
        raise ParameterError(f"{parameter.name}={raw}: an empty value; write one between any two commas or bars")
    found: list[Any] = []
    for part in parts:
        steps = STEPS.fullmatch(part)
        if steps and type(parameter.default) is int:
            first, last = int(steps[1]), int(steps[2])
            if not 0 <= last - first < MOST:
                raise ParameterError(f"{parameter.name}={part}: from low to high, at most {MOST:,} values")
            found += [parameter.value(str(number)) for number in range(first, last + 1)]
        elif steps:
            raise ParameterError(
                f"{parameter.name}={part}: low..high stands for whole numbers; write the values, 0,0.5,1"
            )
        else:
            found.append(parameter.value(part.strip()))
    twice = next((one for i, one in enumerate(found) if one in found[:i]), None)
    if twice is not None:
        raise ParameterError(f"{parameter.name}: {twice!r} is named twice")
    return found


# ---------------------------------------------------------------------------------------------------------------
# Running
# ---------------------------------------------------------------------------------------------------------------

_alone = threading.Lock()  # kernels get their settings by the environment of the process that starts them


def end_with(parent: int) -> None:
    """Let this worker end when its parent does: a process that is killed cannot end those that it started."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def execute_one(number: int, job: Job) -> tuple[int, Finished]:
    """One run, in a process of the backend; a notebook that fails is no error here."""
    chosen = dict(job.parameters)
    with _alone, redirect_stderr(io.StringIO()):
        try:
            done = runs.run(job)
            if done.failed:
                return number, Finished(chosen, None, "\n".join(done.failed.values()))
            (path,) = done.paths.values()
            (chapter,) = agree.gather({job.name: path})
            return number, Finished(chosen, chapter)
        except (ExecutionError, LedgerError, OSError) as error:
            return number, Finished(chosen, None, str(error))


def run(sweep: Sweep, backend: str = "loky", at_once: int = 0) -> list[Finished]:
    """Execute the runs of a grid that are not kept yet, and return all, in the order of the grid.

    Args:
        backend: of joblib: ``loky`` (processes of this machine), ``dask`` or ``ray``; the scheduler of the last
            two is the one that their own settings name, or one that is started here.
        at_once: runs at a time; 0: one per core.
    """
    joblib = _needed("joblib")
    jobs = sweep.jobs
    at_once = min(at_once or joblib.cpu_count(), len(jobs))
    seconds = sweep.seconds()
    about = f", about {_time(seconds / at_once)}" if seconds else ""
    print(f"{len(jobs)} runs of {sweep.source.stem}, {at_once} at a time{about}", file=sys.stderr, flush=True)
    found: list[Finished | None] = [None] * len(jobs)
    quiet = environment({"PYTHONWARNINGS": "ignore:resource_tracker"})  # of what an interruption leaves
    own = {"initializer": end_with, "initargs": (os.getpid(),)} if backend == "loky" else {}
    with quiet, scheduler(backend, at_once), joblib.parallel_config(backend=backend, n_jobs=at_once, **own):
        how = "generator_unordered" if backend != "ray" else "list"
        done = joblib.Parallel(return_as=how, batch_size=1, pre_dispatch="n_jobs")(
            joblib.delayed(execute_one)(number, job) for number, job in enumerate(jobs)
        )
        with progress(len(jobs)) as tell:
            for number, one in done:
                found[number] = one
                tell(jobs[number], one.error)
    return [one for one in found if one is not None]


@contextmanager
def scheduler(backend: str, at_once: int) -> Generator[None]:
    """What a backend needs before joblib may use it.

    Raises:
        ExecutionError: for an unknown backend, or one whose package is not installed.
    """
    if backend not in BACKENDS:
        raise ExecutionError(f"BACKEND={backend}: choose from {', '.join(BACKENDS)}")
    client: Any = nullcontext()
    if backend == "dask":
        known = _needed("dask.config").get("scheduler-address", None)
        own = {"n_workers": at_once, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 40}
        client = _needed("distributed").Client(**({} if known else own))
    if backend == "ray":
        _needed("ray.util.joblib").register_ray()
    with client:
        yield


def _needed(module: str) -> Any:
    """A module that only sweeps use."""
    try:
        return import_module(module)
    except ImportError as error:
        name = {"distributed": "dask[distributed]"}.get(module, module.split(".")[0])
        raise ExecutionError(f"a sweep needs {name} ({error}): .venv/bin/python -m pip install '{name}'") from None


@contextmanager
def progress(count: int) -> Generator[Callable[[Job, str], None]]:
    """A bar over the runs with the time left; where nobody watches, a line for each run."""
    watched, began, ended = sys.stderr.isatty(), time.monotonic(), 0
    form = "{desc} {n} of {total} |{bar:30}| {elapsed} so far, {remaining} left"
    bar = tqdm(total=count, bar_format=form, disable=not watched, leave=False, desc="runs")

    def tell(job: Job, error: str) -> None:
        nonlocal ended
        ended += 1
        bar.update()
        if error:
            tqdm.write(f"{job.label} failed: {_last(error)}", file=sys.stderr)
        if not watched:
            left = (time.monotonic() - began) / ended * (count - ended)
            state = "failed" if error else "done"
            print(f"{ended} of {count} {state}: {job.label}; {_time(left)} left", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        bar.close()


def _last(error: str) -> str:
    return next((line for line in reversed(error.splitlines()) if line.strip()), "no reason given")


def _time(seconds: float) -> str:
    """A duration in words: ``40 s``, ``3 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# ---------------------------------------------------------------------------------------------------------------
# Tables
# ---------------------------------------------------------------------------------------------------------------


def tables(sweep: Sweep, done: Sequence[Finished], pins: Mapping[str, Any]) -> dict[str, str]:
    """``values.csv`` and ``claims.csv``: a row for each run and value, and for each run and claim."""
    names = list(sweep.axes)
    columns = ["run", *names, "name", "value", "unit", "low", "high", "kind", "book"]
    marks = ["run", *names, "id", "kind", "verdict", "measure", "value", "low", "high", "sentence"]
    rows: list[list[Any]] = [columns]
    verdicts: list[list[Any]] = [marks]
    for number, one in enumerate(done, 1):
        if one.chapter is None:
            continue
        first = [number, *(runs.written(one.parameters[name]) for name in names)]
        shown = {v.name: v for v in one.chapter.values}
        for v in one.chapter.values:
            book = pins["values"].get(v.name, {}).get("value", "")
            rows.append([*first, v.name, v.value, v.unit, *(v.ci or ("", "")), v.kind, book])
        for c in one.chapter.claims:
            measured = [c.measure, "" if c.value is None else c.value, *(c.ci or ("", ""))]
            verdicts.append([*first, c.id, c.kind, c.verdict, *measured, fill(c.sentence, shown)])
    return {"values.csv": _csv(rows), "claims.csv": _csv(verdicts)}


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def write(sweep: Sweep, done: Sequence[Finished], chosen: Sequence[str] = ()) -> tuple[Path, Path]:
    """Write tables, page and the list of runs; the folder appears whole.  Returns the page and the list.

    Args:
        chosen: names of the values that the page draws; by default those that vary most, relative to the book.

    Raises:
        ExecutionError: for a name that no run recorded as a number.
    """
    from rbcore.book import sweep_page

    pins = agree.read_pins(sweep.root / runs.PINS)
    contents = tables(sweep, done, pins)
    contents[runs.INDEX] = sweep_page.page(sweep, done, pins, chosen)
    contents[runs.ABOUT] = json.dumps(about(sweep, done, pins), indent=1)
    work = sweep.root / runs.FOLDER / f".{sweep.folder.name}.{os.getpid()}.partial"
    remove_abandoned(sweep.folder)
    work.mkdir(parents=True, exist_ok=True)
    try:
        for name, content in contents.items():
            (work / name).write_text(content, encoding="utf8")
        replace_folder(work, sweep.folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return sweep.folder / runs.INDEX, runs.write_index(sweep.root)


def about(sweep: Sweep, done: Sequence[Finished], pins: Mapping[str, Any]) -> dict[str, Any]:
    """What the list of runs says of a sweep: how many values and claims differ or fail in some run."""
    names, moved, claims, failing = set(), set(), set(), set()
    for one in done:
        if one.chapter is not None:
            found = runs.compare.beside(one.chapter, pins, sweep.parameters)
            moved |= {m.name for m in found.moved}
            names |= {m.name for m in found.moved} | set(found.stayed)
            failing |= {b.claim.id for b in found.broken}
            claims |= {b.claim.id for b in found.broken} | set(found.held)
    given = {name: " | ".join(map(runs.written, found)) for name, found in sweep.axes.items()}
    counts = {"values": len(names), "moved": len(moved), "claims": len(claims), "failing": len(failing)}
    said = {"kind": "sweep", "chapter": sweep.source.stem, "parameters": given, "at": runs.now()}
    return said | counts | {"runs": len(done), "failed": sum(one.chapter is None for one in done)}
