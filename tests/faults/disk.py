"""A full disk, and one that cannot be written: a line says so, nothing is half-written, and then all is as usual.

Each trial has a file system of its own, in memory, in a mount namespace of its own; where a user may not have
these, there is no trial.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # started by :func:`_trial` as a program
    sys.path.insert(0, str(Path(__file__).parents[1]))

from faults import kills

UNSHARE = ("unshare", "-rm")
MOST = 3  # lines that an error may take


def possible() -> bool:
    """Whether this user may mount here."""
    if shutil.which(UNSHARE[0]) is None:
        return False
    code = "mount -t tmpfs -o size=1m tmpfs /mnt"
    return subprocess.run([*UNSHARE, "sh", "-c", code], capture_output=True).returncode == 0


def run(name: str, sizes: int, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Let the disk be full at so many sizes between the inputs' and the results', and not writable once."""
    subject = kills.SUBJECTS[name]
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        base, inputs = Path(place), Path(place) / "inputs"
        subject.prepare(inputs)
        expected, _ = kills.reference(subject, inputs, base)
        (base / "expected").write_text(json.dumps(expected))
        low = _bytes(inputs)
        high = low + _bytes(base / "reference1")
        found = []
        for number in range(sizes + 1):
            room = -1 if number == sizes else int(low + (high - low) * (number + 0.5) / sizes)
            found.append(_trial(name, base, room))
            say(f"{name}, {'read-only' if room < 0 else f'{room:,} bytes'}: {found[-1] or 'as it should'}")
    kinds = [kind for one in found for kind in one]
    return {"name": name, "trials": len(found)} | {k: kinds.count(k) for k in ("torn", "unclear", "differ")}


def _bytes(folder: Path) -> int:
    """What the files take in pages of memory."""
    return sum(-(-p.stat().st_size // 4096) * 4096 + 4096 for p in folder.rglob("*") if p.is_file())


def _trial(name: str, base: Path, room: int) -> list[str]:
    mounted = base / "mounted"
    mounted.mkdir(exist_ok=True)
    command = [*UNSHARE, sys.executable, __file__, name, str(base), str(room)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * kills.LONGEST)
    if done.returncode:
        raise RuntimeError(done.stderr)
    print(done.stderr, end="", file=sys.stderr)
    return json.loads(done.stdout)


def _inside(name: str, base: Path, room: int) -> list[str]:
    """The trial, in the namespace: which of torn, unclear and differ were seen."""
    subject, mounted = kills.SUBJECTS[name], base / "mounted"
    expected, seen = json.loads((base / "expected").read_text()), []
    _mount(mounted, f"size={max(room, 2**30) if room < 0 else room}")
    work, tmp = mounted / "work", mounted / "tmp"
    shutil.copytree(base / "inputs", work)
    tmp.mkdir()
    if room < 0:
        _mount(mounted, "remount,ro")
    status, said = _call(subject, work, tmp, base)
    if list(kills.torn(subject, work, expected)):
        seen.append("torn")
    if status not in subject.good and (
        "Traceback" in said or "error" not in said or len(said.strip().splitlines()[-8:]) > 8
    ):
        print(f"{name}, {room}: status {status}: {said[-1500:]}", file=sys.stderr)
        seen.append("unclear")
    _mount(mounted, f"remount,rw,size={2**31}")
    status, said = _call(subject, work, tmp, base)
    if status not in subject.good or kills.digests(subject, work) != expected:
        print(f"{name}, {room}, again: status {status}: {said[-1500:]}", file=sys.stderr)
        seen.append("differ")
    return seen


def _mount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)


def _call(subject: kills.Subject, work: Path, tmp: Path, base: Path) -> tuple[int, str]:
    process = kills.start(subject, work, tmp, "disk", base / "said")
    try:
        status = process.wait(kills.LONGEST)
    finally:
        process.kill()
    return status, (base / "said").read_text(errors="replace")


if __name__ == "__main__":
    print(json.dumps(_inside(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
