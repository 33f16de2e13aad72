"""Run an answer and its tests: in this process, or as the autograder does, in one of its own with a time limit.

A process of its own keeps endless loops, exits and crashes from what grades; its result counts only with a token
that the answer is not told.  What grades is recorded before the answer runs, and an answer that replaces any of it
fails.  That is a guard against accidents and simple tricks.  It is no prison: code that looks for the token in the
frames of its own process finds it, and it has the rights of the user who grades.
"""

from __future__ import annotations

import ast
import ctypes
import importlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rbcore import checks
from rbcore.course.grading import expect

SECONDS = 60.0  # for an answer and its tests, unless the autograder's configuration says otherwise
MEMORY = 4 << 30  # bytes of data that an answer may allocate
FILES = 64 << 20  # bytes of the largest file that it may write
HOME = Path(__file__).resolve().parents[2]  # where this rbcore is
GRADES = ("rbcore", "numpy", "builtins")  # first names of the modules that grade


class Outcome(NamedTuple):
    """How one test went: its words, whether it passed, and the message where it did not."""

    test: str
    passed: bool
    message: str = ""


def attempt(
    label: str, given: str, answer: str, tests: Sequence[tuple[str, str]], *, guarded: bool = False
) -> tuple[Outcome, ...]:
    """Run an answer and then every test on it, in this process.

    The names that `given` defines, and `np`, `checks`, `expect`, mean the same in a test whatever the answer did.

    Args:
        tests: for each its words and its code.
        guarded: fail an answer that replaces something that grades; for a process that ends afterwards.
    """
    ours: dict[str, Any] = {"__name__": label, "np": np, "checks": checks, "expect": expect}
    names = dict(ours)
    try:
        exec(compile(given, f"<{label}, given>", "exec"), names)
        ours |= {name: value for name, value in names.items() if name != "__builtins__"}
        before = _grading(tests) if guarded else {}
        exec(compile(answer, f"<{label}>", "exec"), names)
    except (Exception, SystemExit) as error:
        return _all(tests, f"the answer does not run: {_said(error)}")
    found = []
    for said, code in tests:
        if replaced := _replaced(before):
            return _all(tests, f"the answer replaces {replaced}, which is used to grade it")
        found.append(_one(label, said, code, names | ours))
    if replaced := _replaced(before):
        return _all(tests, f"the answer replaces {replaced}, which is used to grade it")
    return tuple(found)


def _one(label: str, said: str, code: str, names: dict[str, Any]) -> Outcome:
    try:
        exec(compile(code, f"<{label}, {said}>", "exec"), names)
    except AssertionError as error:
        return Outcome(said, False, str(error))
    except (Exception, SystemExit) as error:
        return Outcome(said, False, f"the test could not use the answer: {_said(error)}")
    return Outcome(said, True)


def _said(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


def _all(tests: Sequence[tuple[str, str]], message: str) -> tuple[Outcome, ...]:
    return tuple(Outcome(said, False, message) for said, _ in tests)


def _grading(tests: Sequence[tuple[str, str]]) -> dict[tuple[str, str], object]:
    """The functions and classes of the modules that grade, with their code; the tests' modules are loaded."""
    for _, code in tests:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and node.module:
                importlib.import_module(node.module)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    importlib.import_module(alias.name)
    return {key: value for name in list(sys.modules) for key, value in _functions(name)}


def _functions(module: str) -> list[tuple[tuple[str, str], object]]:
    if module.split(".")[0] not in GRADES or module not in sys.modules:
        return []
    found = []
    for name, value in list(vars(sys.modules[module]).items()):
        if callable(value):
            found.append(((module, name), value))
            found.append(((module, f"{name}.__code__"), getattr(value, "__code__", None)))
            if isinstance(value, type) and value.__module__.startswith("rbcore"):
                inner = [(key, one) for key, one in vars(value).items() if callable(one)]
                found += [((module, f"{name}.{key}"), one) for key, one in inner]
    return found


def _replaced(before: Mapping[tuple[str, str], object]) -> str:
    """The first thing that grades and is not what it was; empty if there is none."""
    if not before:
        return ""
    modules = dict.fromkeys(module for module, _ in before)
    now = {key: value for module in modules for key, value in _functions(module)}
    return next((".".join(key) for key, value in before.items() if now.get(key) is not value), "")


def grade(
    label: str, given: str, answer: str, tests: Sequence[tuple[str, str]], *, seconds: float = SECONDS
) -> tuple[Outcome, ...]:
    """Run an answer and its tests in a process of its own, in an empty folder; its process group ends with it.

    Args:
        seconds: after which the process is ended and every test counts as failed.
    """
    token = secrets.token_hex(16)
    request = {
        "token": token,
        "seconds": seconds,
        "label": label,
        "given": given,
        "answer": answer,
        "tests": list(tests),
    }
    kept = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "SYSTEMROOT")
    with tempfile.TemporaryDirectory(prefix="answer-", ignore_cleanup_errors=True) as folder:
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        if HOME.name != "site-packages":  # a checkout: the answer runs with the same one
            environment["PYTHONPATH"] = os.pathsep.join(
                [str(HOME), *filter(None, [environment.get("PYTHONPATH")])]
            )
        environment |= {"HOME": folder, "TMPDIR": folder, "MPLBACKEND": "Agg", "MPLCONFIGDIR": folder}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        child = subprocess.Popen(
            [sys.executable, "-P", "-B", "-m", "rbcore.course.sandbox"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        try:
            out, _ = child.communicate(json.dumps(request).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            return _all(tests, f"the answer and its tests did not end within {seconds:.0f} s")
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.kill()
            child.communicate()
    with suppress(ValueError, KeyError, TypeError):
        said = json.loads(out)
        if said["token"] == token and len(said["outcomes"]) == len(tests):
            return tuple(Outcome(str(test), passed is True, str(why)) for test, passed, why in said["outcomes"])
    return _all(tests, f"the answer ended its process before its tests were done (exit status {child.returncode})")


def _end_with_parent(seconds: int) -> None:
    """End this process when the one that started it was killed: at once on Linux, elsewhere after its time."""
    with suppress(AttributeError, OSError):
        signal.alarm(seconds + 5)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main() -> None:
    """The process of one answer: the request comes from standard input, the outcomes go to standard output."""
    result = os.dup(1)
    silent = os.open(os.devnull, os.O_RDWR)
    request = json.loads(sys.stdin.buffer.read())
    for number in (0, 1):  # what the answer prints is nobody's result
        os.dup2(silent, number)
    _end_with_parent(int(request.pop("seconds")))
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILES, FILES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    token, dumps, write, leave = request.pop("token"), json.dumps, os.write, os._exit
    outcomes = attempt(**request, guarded=True)
    data = dumps({"token": token, "outcomes": outcomes}).encode()
    while data:
        data = data[write(result, data) :]
    leave(0)


if __name__ == "__main__":
    main()
