"""Execute the chapter notebooks: jupytext reads them, papermill runs them, a cache keeps what is still true.

A cached notebook is named by a key over all that can change its outputs: the code of its cells and of the modules
of rbcore that they import (and those that these import), parsed, so that comments and docstrings do not count; the
data files of rbcore that those modules name; the lock file, the parameters and the Python version.  Prose is no
part of it: a cached notebook gets the text that its source has now.

A notebook enters the cache only when its last cell has run, by one atomic rename, so a killed build leaves only
finished notebooks, and the next call goes on from there.  A notebook in which it was training models goes on from
the state that training kept (:func:`rbcore.lm.training.checkpoints`).
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from rbcore.book import records
from rbcore.book.kernels import (
    checkpoints,
    environment,
    inherited,
    kernel_folder,
    kill_kernels,
    locked,
    processor,
    quiet_manager,
    said,
)
from rbcore.book.parameters import Parameter, ParameterError, choose, read_cell
from rbcore.book.progress import Progress
from rbcore.files import replace_file

ROOT = Path(__file__).resolve().parents[2]
KEPT = 3  # finished executions kept per notebook, newest first
COSTS = "book/costs.json"  # what each chapter cost when that was last recorded


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
    def label(self) -> str:
        """The chapter's name, with the parameters where some were given: two jobs of one chapter differ in it."""
        return "-".join([self.name, *(f"{key}={value}" for key, value in self.parameters.items())])

    @property
    def key(self) -> str:
        """A digest of all that decides the outputs, as it is on the disk now."""
        digest = hashlib.sha256()
        for number, cell in enumerate(_code_cells(self.source), 1):
            tags = sorted(cell.metadata.get("tags", []))
            what = _syntax(cell.source, f"{self.source.name}, code cell {number}")
            digest.update(f"{tags}\0{what}{'shown' * shows_a_value(cell.source)}\0".encode())
        for path in imported_modules(self.source, self.root):
            where = path.relative_to(self.root).as_posix()
            digest.update(f"{where}\0".encode() + what_counts(path, where) + b"\0")
        lock = self.root / "requirements.lock"
        pinned = lock.read_text(encoding="utf8").splitlines() if lock.exists() else []
        kept = [line for line in pinned if not line.startswith("#")]
        digest.update(json.dumps([kept, sorted(self.parameters.items()), sys.version_info[:2]]).encode())
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


def _code_cells(source: Path) -> tuple[Any, ...]:
    """The code cells, not to be changed: a text is parsed once, as it is asked for several times in a build."""
    content = source.read_bytes() if source.is_file() else b""
    return _code_in(source, content)


@functools.lru_cache(maxsize=64)
def _code_in(source: Path, content: bytes) -> tuple[Any, ...]:
    return tuple(cell for cell in read(source).cells if cell.cell_type == "code")


def imported_modules(source: Path, root: Path = ROOT) -> list[Path]:
    """The files of rbcore that the notebook needs, directly or through one another: modules and data, sorted."""
    found: set[Path] = set()
    for number, cell in enumerate(_code_cells(source), 1):
        found |= _imports(_without_magics(cell.source), "", root, f"{source.name}, code cell {number}")
    return used_modules(found, root)


def used_modules(files: Iterable[Path], root: Path = ROOT) -> list[Path]:
    """The Python `files`, all files of rbcore that they import, and the data files that these name, sorted."""
    found: set[Path] = set()
    todo = set(files)
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            inside = path.is_relative_to(root)
            where = path.relative_to(root).as_posix() if inside else f"{path.parent.name}/{path.name}"
            package = ".".join(path.relative_to(root).parent.parts) if inside else ""
            todo |= _imports(path.read_text(encoding="utf8"), package, root, where)
    data = [p for p in (root / "rbcore").rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")]
    texts = [path.read_text(encoding="utf8") for path in found]
    return sorted(found | {p for p in data if any(p.name in text for text in texts)})


def imports_of(source: Path, root: Path = ROOT) -> set[str]:
    """The packages that a notebook and the modules of rbcore that it uses import, by their first name."""
    codes = [(_without_magics(cell.source), source.name) for cell in _code_cells(source)]
    modules = [path for path in imported_modules(source, root) if path.suffix == ".py"]
    codes += [(path.read_text(encoding="utf8"), path.name) for path in modules]
    names = {name for code, where in codes for name in _imported_names(code, "rbcore", where)}
    return {name.split(".")[0] for name in names} - {""}


def _imports(code: str, package: str, root: Path, where: str) -> set[Path]:
    """The files of rbcore that `code` in `package` imports, with the packages that these belong to."""
    files = set()
    for name in _imported_names(code, package, where):
        parts = name.split(".")
        if parts[0] == "rbcore":
            for end in range(1, len(parts) + 1):
                place = root.joinpath(*parts[:end])
                files |= {place / "__init__.py", place.with_name(place.name + ".py")}
    return {f for f in files if f.is_file()}


@functools.lru_cache(maxsize=4096)
def _imported_names(code: str, package: str, where: str) -> frozenset[str]:
    """What `code` in `package` imports: modules, and names from them, which may be modules, too."""
    names: set[str] = set()
    for node in ast.walk(_parse(code, where)):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # relative to the package
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [base])])
            names |= {base} | {f"{base}.{a.name}" for a in node.names}
    return frozenset(names)


def _without_magics(code: str) -> str:
    return re.sub(r"(?m)^\s*[%!].*$", "", code)


@functools.lru_cache(maxsize=1024)
def _syntax(code: str, where: str) -> str:
    """What of a module or a cell can change a result: its syntax tree without docstrings; magics stay as text."""
    magics = re.findall(r"(?m)^\s*[%!].*$", code)
    tree = _parse(_without_magics(code), where)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
                node.body = node.body[1:]
    return ast.dump(tree) + "\n".join(magics)


@functools.lru_cache(maxsize=1024)
def shows_a_value(code: str) -> bool:
    """Whether Jupyter may show the value of a cell's last line, which a semicolon would hide."""
    tree = _parse(_without_magics(code), "a cell")
    if not tree.body or not isinstance(tree.body[-1], ast.Expr) or code.rstrip().endswith(";"):
        return False
    value = tree.body[-1].value
    return not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name))


def what_counts(path: Path, where: str) -> bytes:
    """What of a file of rbcore can change a result: of a module its syntax, of data every byte."""
    return _syntax(path.read_text(encoding="utf8"), where).encode() if path.suffix == ".py" else path.read_bytes()


_parsing = threading.Lock()  # Python 3.11 counts the depth of a tree for all threads together


def _parse(code: str, where: str) -> ast.Module:
    try:
        with _parsing:
            return ast.parse(code)
    except (RecursionError, MemoryError):
        raise ExecutionError(f"{where}: an expression is nested too deeply") from None
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise ExecutionError(f"{where}, line {error.lineno}: {error.msg}\n    {line}") from None


def parameters_of(source: Path) -> tuple[Parameter, ...]:
    """The parameters of a notebook, from its ``parameters`` cell (see :mod:`rbcore.book.parameters`).

    Raises:
        ExecutionError: when there is no such cell, or it holds anything but ``name = literal``.
    """
    cells = _code_cells(source)
    if not cells or "parameters" not in cells[0].metadata.get("tags", []):
        raise ExecutionError(f"{source.name}: the first code cell must carry the tag 'parameters'")
    _parse(cells[0].source, f"{source.name}, the parameters cell")
    try:
        with _parsing:
            return read_cell(cells[0].source)
    except ParameterError as error:
        raise ExecutionError(f"{source.name}: {error}") from None


def default_parameters(source: Path) -> dict[str, Any]:
    """The names and default values of the notebook's parameters; errors as in :func:`parameters_of`."""
    return {parameter.name: parameter.default for parameter in parameters_of(source)}


def parse_parameters(text: str, source: Path) -> dict[str, Any]:
    """Read ``seed=3 n=500`` against the notebook's own parameters.

    Raises:
        ExecutionError: for a name that the notebook does not have, or a value that it does not allow.
    """
    try:
        return choose(text, parameters_of(source), source.stem)
    except ParameterError as error:
        raise ExecutionError(str(error)) from None


# ---------------------------------------------------------------------------------------------------------------
# Running
# ---------------------------------------------------------------------------------------------------------------


class Executed(NamedTuple):
    """The executed notebook of each job that ran to its end, and why the others did not, both by label."""

    paths: dict[str, Path]
    failed: dict[str, str]


def execute(jobs: Sequence[Job], cache: Path, **how: Any) -> dict[str, Path]:
    """:func:`attempt`, which takes `how`, for a caller that needs the executed notebook of every job, by label.

    Raises:
        ExecutionError: when a cell fails.  No further notebook starts then.  Those that had finished stay in the
            cache, and the state of training stays beside it, for the next call.
    """
    done = attempt(jobs, cache, keep_going=False, **how)
    if done.failed:
        raise ExecutionError("\n\n".join(done.failed.values()))
    return done.paths


def attempt(
    jobs: Sequence[Job],
    cache: Path,
    *,
    fresh: bool = False,
    workers: int | None = None,
    threads: int | None = None,
    kept: int = KEPT,
    keep_going: bool = True,
) -> Executed:
    """Execute what is not in `cache` yet, in parallel.

    Args:
        fresh: run everything, whatever the cache holds.
        workers: notebooks at a time; by default one per core.
        threads: of the numerical libraries in each kernel; by default an equal share of the cores.
        kept: finished executions that stay in the cache for each notebook.
        keep_going: when a notebook fails, start the others nevertheless.
    """
    root = jobs[0].root if jobs else ROOT
    failed: dict[str, str] = {}
    for job in jobs:
        try:
            default_parameters(job.source)  # a clear error before any kernel starts
            job.target(cache)
        except ExecutionError as error:
            failed[job.label] = str(error)
    if failed and not keep_going:
        return Executed({}, failed)
    targets = {job.label: job.target(cache) for job in jobs if job.label not in failed}
    with suppress(_Unfinished), locked(cache), checkpoints(cache, root, fresh) as state:
        for stale in cache.glob("*/*.partial"):
            stale.unlink()
        todo = [job for job in jobs if job.label in targets and (fresh or not targets[job.label].exists())]
        if todo:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            workers = max(1, min(workers or cores, len(jobs)))
            # a share by all jobs, finished or not: numbers may depend on threads, never on what a killed call left
            threads = threads or max(1, cores // workers)
            variables = inherited(root, threads) | {"RBCORE_CHECKPOINTS": str(state)}
            failed |= _run_all(todo, targets, workers, variables, cache, keep_going)
        for job in jobs:
            if job.label in targets and targets[job.label].exists():
                _renew_text(job, targets[job.label])
        for folder in {targets[job.label].parent for job in todo}:
            for old in sorted(folder.glob("*.ipynb"), key=lambda p: -p.stat().st_mtime)[kept:]:
                old.unlink()
        if failed:
            raise _Unfinished
    return Executed({label: path for label, path in targets.items() if label not in failed}, failed)


class _Unfinished(Exception):
    """Some notebook failed, so the state of training stays."""


def _run_all(
    todo: Sequence[Job],
    targets: Mapping[str, Path],
    workers: int,
    variables: dict[str, str],
    cache: Path,
    keep_going: bool,
) -> dict[str, str]:
    """Run the jobs, the longest first; what failed, by label."""
    progress = Progress({job.label: _expected_seconds(job, cache) for job in todo})
    longest_first = sorted(todo, key=lambda job: -sum(progress.seconds[job.label]))
    pool = ThreadPoolExecutor(workers)
    with kernel_folder() as kernels:
        with environment(variables | {"IPYTHONDIR": str(kernels / "ipython")}):
            futures = {
                pool.submit(_run, job, targets[job.label], kernels / f"k{number}.json", progress): job
                for number, job in enumerate(longest_first)
            }
            try:
                _, waiting = wait(futures, return_when=ALL_COMPLETED if keep_going else FIRST_EXCEPTION)
                waiting = {future for future in waiting if not future.cancel()}
                if waiting:
                    print("a notebook failed; the others that run may finish", file=sys.stderr, flush=True)
                wait(waiting)
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                running = [future for future in futures if not future.cancelled()]  # those are never done
                while wait(running, timeout=0.2).not_done:
                    kill_kernels(str(kernels))
                raise
            finally:
                progress.close()
                pool.shutdown()
    failed = {}
    for future, job in futures.items():
        if not future.cancelled() and (error := future.exception()):
            if not isinstance(error, ExecutionError):
                raise error
            failed[job.label] = str(error)
    return failed


def _run(job: Job, target: Path, connection: Path, progress: Progress) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config
    from zmq import ZMQError

    text, notebook = _text_digest(job.source), read(job.source)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    logging.getLogger("papermill").setLevel(logging.ERROR)
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    progress.start(job.label)
    current: dict[str, Any] = {}  # the cell that runs now
    spent = [0.0]  # processor seconds of the kernel after each cell

    def executed_cell(cell: Any, cell_index: int, execute_reply: Any) -> None:
        progress.cell(job.label, cell_index)
        now = processor(str(connection))
        cell.metadata["processor"] = round(now - spent[0], 3)
        spent[0] = now

    try:
        executed = papermill.execute_notebook(
            nbformat.from_dict(notebook),
            None,
            parameters=dict(job.parameters),
            progress_bar=False,
            extra_arguments=["--IPKernelApp.log_level=50"],  # the kernel does not talk over the progress bar
            # sockets in a folder of their own: two kernels that start at once cannot ask for one port
            config=Config(KernelManager={"transport": "ipc", "connection_file": str(connection)}),
            kernel_manager_class=quiet_manager(),
            resources={"metadata": {"path": str(job.source.parent)}},
            on_cell_execute=lambda cell, cell_index: current.update(cell=cell),
            on_cell_executed=executed_cell,
        )
    except PapermillExecutionError as error:
        raise ExecutionError(_describe(job, error.source, error.exec_count, error.traceback)) from None
    except ZMQError as error:
        raise ExecutionError(
            f"{job.source.name}: no connection to a kernel at {connection} ({error}); "
            "a shorter TMPDIR, such as TMPDIR=/tmp, may help"
        ) from None
    except (DeadKernelError, RuntimeError) as error:
        where = _describe(job, current["cell"].source, None, []) if current else job.source.name
        last = "".join(f"\n    {line}" for line in said(connection))
        raise ExecutionError(f"{where}\nthe kernel died (out of memory, or killed): {error}{last}") from None
    if job.target(target.parent.parent) != target:
        raise ExecutionError(f"{job.source.name}, or what it imports, was edited while it ran: run it again")
    _write(_tidy(executed, job, text), target)
    progress.finish(job.label)


def _write(notebook: Any, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, nbformat.writes(notebook) + "\n")


def _describe(job: Job, source: str, number: int | None, traceback: Sequence[str]) -> str:
    """The notebook with the line, the cell, its source and the error."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback))
    lines = re.findall(rf"Cell In\[{number}\], line (\d+)", plain)
    text = job.source.read_text(encoding="utf8")
    before = text.partition(source.strip())[0] if source.strip() in text else ""
    line = f":{before.count(chr(10)) + int(lines[0] if lines else 1)}" if before else ""
    cell = f", cell {number}" if number is not None else ""
    shown = "\n".join("    " + row for row in source.rstrip().split("\n"))
    reason = re.sub(r"\x1b\[[0-9;]*m", "", traceback[-1]).strip() if traceback else ""
    return f"{job.source.name}{line}{cell}:\n{shown}\n{reason}".rstrip()


def _tidy(notebook: Any, job: Job, text: str) -> Any:
    """Drop all that differs between equal runs, but for the seconds of each cell, which the metadata keep.

    `text` is the digest of the source that ran.
    """
    seconds, processor_seconds = [], []
    for index, cell in enumerate(notebook.cells):
        seconds.append(round(cell.metadata.get("papermill", {}).get("duration") or 0.0, 3))
        processor_seconds.append(cell.metadata.pop("processor", 0.0))
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell["id"] = f"cell-{index:03d}"
    notebook.metadata.pop("papermill", None)
    notebook.metadata["rbcore"] = {
        "chapter": job.name,
        "parameters": default_parameters(job.source) | dict(job.parameters),
        "seconds": seconds,
        "processor": processor_seconds,
        "text": text,
    }
    return notebook


def _text_digest(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()[:20]


def _renew_text(job: Job, target: Path) -> None:
    """Give a cached notebook the text, comments and options of cells that its source has now."""
    executed = nbformat.read(target, as_version=4)
    if executed.metadata["rbcore"]["text"] == _text_digest(job.source):
        return
    facts = executed.metadata["rbcore"]
    ran = [
        (cell, *costs)
        for cell, *costs in zip(executed.cells, facts["seconds"], facts["processor"], strict=True)
        if cell.cell_type == "code"
    ]
    renewed = read(job.source)
    renewed.metadata["kernelspec"] = executed.metadata["kernelspec"]
    cells, seconds, processor_seconds = [], [], []
    for cell in renewed.cells:
        old, *costs = ran.pop(0) if cell.cell_type == "code" else (None, 0.0, 0.0)
        if old is not None:
            cell["outputs"], cell["execution_count"] = old["outputs"], old["execution_count"]
        found = [(cell, *costs)]
        if old is not None and ran and "injected-parameters" in ran[0][0].metadata.get("tags", []):
            found.append(ran.pop(0))
        for one, second, processor_second in found:
            one["id"] = f"cell-{len(cells):03d}"
            cells.append(one)
            seconds.append(second)
            processor_seconds.append(processor_second)
    renewed.cells = cells
    if "language_info" in executed.metadata:
        renewed.metadata["language_info"] = executed.metadata["language_info"]
    costs = {"seconds": seconds, "processor": processor_seconds, "text": _text_digest(job.source)}
    renewed.metadata["rbcore"] = dict(facts) | costs
    _write(renewed, target)


def recorded_costs(record: Path) -> dict[str, float]:
    """Processor seconds of each chapter when they were last recorded; empty where there is no record."""
    return dict(records.read(record, "tests/bench_book.py --record").get("chapters", {}))


def _expected_seconds(job: Job, cache: Path) -> list[float]:
    """Seconds of each cell in the last finished run; where there was none, an equal share of the recorded cost."""
    cells = read(job.source).cells
    finished = sorted((cache / job.name).glob("*.ipynb"), key=lambda p: p.stat().st_mtime)
    if finished:
        last = json.loads(finished[-1].read_text(encoding="utf8"))["metadata"].get("rbcore", {}).get("seconds", [])
        if len(last) == len(cells):
            return [max(s, 0.01) * (c.cell_type == "code") for s, c in zip(last, cells, strict=True)]
    code = [c.cell_type == "code" for c in cells]
    costs = recorded_costs(job.root / COSTS)
    return [costs.get(job.name, sum(code)) / max(1, sum(code)) * one for one in code]
