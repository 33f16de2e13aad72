"""After set-up nothing needs a network: a build, an audit and tests of the core without any but loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults import kills

from rbcore.book.execute import ROOT

UNSHARE = ("unshare", "-rn")
UP = "ip link set lo up && exec "
TESTS = (
    "tests/test_checks.py",
    "tests/test_files.py",
    "tests/information/test_expr.py",
    "tests/theory/test_process.py",
)


def possible() -> bool:
    """Whether this user may have a network of his own."""
    if shutil.which(UNSHARE[0]) is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*UNSHARE, "sh", "-c", f"{UP}true"], capture_output=True).returncode == 0


def run(say: Callable[[str], None] = print) -> list[dict[str, Any]]:
    """Call each of them once; a row each."""
    rows = []
    for name in ("build", "audit"):
        subject = kills.SUBJECTS[name]
        with tempfile.TemporaryDirectory(prefix="faults-") as place:
            folder = Path(place, "work")
            subject.prepare(folder)
            command = [part.format(folder=folder) for part in subject.command]
            rows.append(_row(name, command, folder, subject.good, say))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    rows.append(_row("tests of the core", command, ROOT, (0,), say))
    return rows


def _row(
    name: str, command: list[str], folder: Path, good: tuple[int, ...], say: Callable[[str], None]
) -> dict[str, Any]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", f'{UP}"$@"', "sh", *command],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=kills.LONGEST,
    )  # fmt: skip
    failed = done.returncode not in good
    say(f"without a network, {name}: status {done.returncode}" + (done.stdout + done.stderr)[-1500:] * failed)
    return {"name": name, "calls": 1, "failed": int(failed)}
