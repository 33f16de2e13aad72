"""Execute the chapter notebooks: jupytext reads them, papermill runs them, a cache keeps what is still true.

A cached notebook is named by a key over all that decides its outputs: its text, the modules of rbcore that it
imports (and those that they import), the lock file, its parameters and the Python version.  A notebook enters the
cache only when its last cell has run, by one atomic rename, so a killed build leaves only finished notebooks, and
the next call goes on from there.  A notebook in which it was training models goes on from the state that training
kept (:func:`rbcore.lm_train.checkpoints`).
"""

from __future__ import annotations

import ast
import hashlib
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from rbcore.progress import Progress
from rbcore.surroundings import alone, checkpoints, environment, inherited, kill_kernels

ROOT = Path(__file__).resolve().parent.parent
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
        """The chapter's name: ``02-two-divergences``."""
        return self.source.stem

    @property
    def key(self) -> str:
        """A digest of all that decides the outputs, as it is on the disk now."""
        digest = hashlib.sha256()
        lock = self.root / "requirements.lock"
        parts = [self.source, *imported_modules(self.source, self.root), *([lock] if lock.exists() else [])]
        for path in parts:
            digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
        digest.update(json.dumps([sorted(self.parameters.items()), sys.version_info[:2]]).encode())
        return digest.hexdigest()[:20]

    def target(self, cache: Path) -> Path:
        """Where `cache` keeps the executed notebook of the present key."""
        return cache / self.name / f"{self.key}.ipynb"


def notebooks(root: Path = ROOT) -> list[Path]:
    """The sources of the chapters, in the order of their numbers, and then of the appendices, A, B, .."""
    folder = root / "notebooks"
    return [*sorted(folder.glob("[0-9][0-9]-*.md")), *sorted(folder.glob("[A-Z]-*.md"))]


def find(number: str, root: Path = ROOT) -> Path:
    """The notebook whose name begins with `number` (``02``, ``2``, ``A``, ``a`` or the whole name)."""
    wanted = number.removesuffix(".md")
    wanted = wanted.zfill(2) if wanted.isdigit() else wanted.upper() if len(wanted) == 1 else wanted
    found = [p for p in notebooks(root) if p.stem == wanted or p.stem.startswith(wanted + "-")]
    if len(found) != 1:
        names = ", ".join(p.stem for p in notebooks(root))
        raise ExecutionError(f"no notebook {number!r}: choose a number from {names}")
    return found[0]


# ---------------------------------------------------------------------------------------------------------------
# What decides the outputs of a notebook
# ---------------------------------------------------------------------------------------------------------------


def read(source: Path) -> Any:
    """The notebook in a MyST file.

    Raises:
        ExecutionError: when the file is no such notebook.
    """
    import jupytext

    try:
        return jupytext.read(source)
    except Exception as error:  # jupytext passes on whatever its parsers raise
        raise ExecutionError(f"{source.name} is not a notebook in MyST Markdown: {error}") from None


def imported_modules(source: Path, root: Path = ROOT) -> list[Path]:
    """The files of rbcore that the notebook imports, directly or through one another, sorted."""
    found: set[Path] = set()
    for number, cell in enumerate((c for c in read(source).cells if c.cell_type == "code"), 1):
        code = re.sub(r"(?m)^\s*[%!].*$", "", cell.source)
        found |= _imports(code, root / "rbcore", f"{source.name}, code cell {number}")
    return used_modules(found, root)


def used_modules(files: Iterable[Path], root: Path = ROOT) -> list[Path]:
    """The Python `files` and all files of rbcore that they import, directly or through one another, sorted."""
    found: set[Path] = set()
    todo = set(files)
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo |= _imports(path.read_text(encoding="utf8"), root / "rbcore", f"{path.parent.name}/{path.name}")
    return sorted(found)


def _imports(code: str, package: Path, where: str) -> set[Path]:
    names: set[str] = set()
    for node in ast.walk(_parse(code, where)):
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


def _parse(code: str, where: str) -> ast.Module:
    try:
        return ast.parse(code)
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise ExecutionError(f"{where}, line {error.lineno}: {error.msg}\n    {line}") from None


def default_parameters(source: Path) -> dict[str, Any]:
    """The names and default values of the notebook's ``parameters`` cell.

    Raises:
        ExecutionError: when there is no such cell, or it holds anything but ``name = literal``.
    """
    cells = [c for c in read(source).cells if c.cell_type == "code"]
    if not cells or "parameters" not in cells[0].metadata.get("tags", []):
        raise ExecutionError(f"{source.name}: the first code cell must carry the tag 'parameters'")
    found: dict[str, Any] = {}
    for node in _parse(cells[0].source, f"{source.name}, the parameters cell").body:
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
            case _:
                raise ExecutionError(
                    f"{source.name}: the parameters cell holds lines `name = literal`, got {ast.unparse(node)}"
                )
    return found


def parse_parameters(text: str, source: Path) -> dict[str, Any]:
    """Read ``seed=3 n=500`` against the notebook's own parameters.

    Raises:
        ExecutionError: for a word that is not ``name=value``, a name that the notebook does not have, or a value
            of another type than the default.
    """
    defaults = default_parameters(source)
    chosen: dict[str, Any] = {}
    for word in text.split():
        name, equals, raw = word.partition("=")
        if not equals or not raw:
            raise ExecutionError(f'{word!r} is not name=value; write P="seed=3 n=500"')
        if name in chosen:
            raise ExecutionError(f"{name!r} is given twice; write it once")
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
        workers: notebooks at a time; by default one per core.  The numerical libraries of each kernel get an
            equal share of the cores.

    Raises:
        ExecutionError: when a cell fails.  Notebooks that had finished stay in the cache, and the state of
            training stays beside it, for the next call.
    """
    root = jobs[0].root if jobs else ROOT
    with alone(cache), checkpoints(cache, root, fresh) as state:
        for stale in cache.glob("*/*.partial"):
            stale.unlink()
        targets = {job.name: job.target(cache) for job in jobs}
        todo = [job for job in jobs if fresh or not targets[job.name].exists()]
        for job in todo:
            default_parameters(job.source)  # a clear error before any kernel starts
        if todo:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            workers = max(1, min(workers or cores, len(jobs)))
            # a share by all jobs, finished or not: numbers may depend on threads, never on what a killed call left
            variables = inherited(root, max(1, cores // workers)) | {"RBCORE_CHECKPOINTS": str(state)}
            _run_all(todo, targets, cache, workers, variables)
    return targets


def _run_all(
    todo: Sequence[Job], targets: Mapping[str, Path], cache: Path, workers: int, variables: Mapping[str, str]
) -> None:
    progress = Progress({job.name: _expected_seconds(job, cache) for job in todo})
    longest_first = sorted(todo, key=lambda job: -sum(progress.seconds[job.name]))
    pool = ThreadPoolExecutor(workers)
    with tempfile.TemporaryDirectory(prefix="rbcore-", ignore_cleanup_errors=True) as kernels:
        with environment(variables | {"IPYTHONDIR": str(Path(kernels) / "ipython")}):
            futures = [pool.submit(_run, job, targets[job.name], Path(kernels), progress) for job in longest_first]
            try:
                _, waiting = wait(futures, return_when=FIRST_EXCEPTION)
                waiting = {future for future in waiting if not future.cancel()}
                if waiting:
                    print("a notebook failed; the others that run may finish", file=sys.stderr, flush=True)
                wait(waiting)
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                while wait(futures, timeout=0.2).not_done:
                    kill_kernels(kernels)
                raise
            finally:
                progress.close()
                pool.shutdown()
    errors = [error for f in futures if not f.cancelled() and (error := f.exception())]
    if errors:
        raise errors[0] if len(errors) == 1 else ExecutionError("\n\n".join(map(str, errors)))


def _run(job: Job, target: Path, kernels: Path, progress: Progress) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    notebook = read(job.source)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    logging.getLogger("papermill").setLevel(logging.ERROR)
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    progress.start(job.name)
    at_work: dict[str, Any] = {}  # the cell that runs now
    try:
        executed = papermill.execute_notebook(
            nbformat.from_dict(notebook),
            None,
            parameters=dict(job.parameters),
            progress_bar=False,
            extra_arguments=["--IPKernelApp.log_level=50"],  # the kernel does not talk over the progress bar
            # sockets in a folder of their own: two kernels that start at once cannot ask for one port
            config=Config(
                KernelManager={"transport": "ipc", "connection_file": str(kernels / f"{job.name}.json")}
            ),
            resources={"metadata": {"path": str(job.source.parent)}},
            on_cell_execute=lambda cell, cell_index: at_work.update(cell=cell),
            on_cell_executed=lambda cell, cell_index, execute_reply: progress.cell(job.name, cell_index),
        )
    except PapermillExecutionError as error:
        raise ExecutionError(_describe(job, error.source, error.exec_count, error.traceback)) from None
    except (DeadKernelError, RuntimeError) as error:
        where = _describe(job, at_work["cell"].source, None, []) if at_work else job.source.name
        raise ExecutionError(f"{where}\nthe kernel died (out of memory, or killed): {error}") from None
    if job.target(target.parent.parent) != target:
        raise ExecutionError(f"{job.source.name}, or what it imports, was edited while it ran: run it again")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_text(nbformat.writes(_tidy(executed, job)) + "\n", encoding="utf8")
    os.replace(partial, target)
    progress.finish(job.name)
    for old in sorted(target.parent.glob("*.ipynb"), key=lambda p: -p.stat().st_mtime)[KEPT:]:
        old.unlink()


def _describe(job: Job, source: str, number: int | None, traceback: Sequence[str]) -> str:
    """The notebook with the line, the cell, its source and the error."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback))
    arrows = re.findall(r"(?m)^-+> (\d+)", plain)
    text = job.source.read_text(encoding="utf8")
    before = text.partition(source.strip())[0] if source.strip() in text else ""
    line = f":{before.count(chr(10)) + int(arrows[0] if arrows else 1)}" if before else ""
    cell = f", cell {number}" if number is not None else ""
    shown = "\n".join("    " + row for row in source.rstrip().split("\n"))
    reason = re.sub(r"\x1b\[[0-9;]*m", "", traceback[-1]).strip() if traceback else ""
    return f"{job.source.name}{line}{cell}:\n{shown}\n{reason}".rstrip()


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


def _expected_seconds(job: Job, cache: Path) -> list[float]:
    """Seconds of each cell in the last finished run; where there was none, one second for a code cell."""
    cells = read(job.source).cells
    finished = sorted((cache / job.name).glob("*.ipynb"), key=lambda p: p.stat().st_mtime)
    if finished:
        last = json.loads(finished[-1].read_text(encoding="utf8"))["metadata"].get("rbcore", {}).get("seconds", [])
        if len(last) == len(cells):
            return [max(s, 0.01) * (c.cell_type == "code") for s, c in zip(last, cells, strict=True)]
    return [float(c.cell_type == "code") for c in cells]
