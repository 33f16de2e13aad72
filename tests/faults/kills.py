"""SIGKILL at random moments of a build, a sweep and an audit: what is left, and what the next call makes of it.

Each trial starts a command on fresh inputs, kills its first process at a moment drawn evenly from its usual
duration, waits for its children to notice, looks at every file, and calls the command again.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import tiny

from rbcore.audit import planted
from rbcore.book.execute import ROOT

MARK, LONGEST, NOTICE = "RBCORE_FAULTS", 900.0, 30.0  # a variable; seconds of a call; until children have ended
CHAPTER = """---
jupytext: {{text_representation: {{extension: .md, format_name: myst}}}}
kernelspec: {{display_name: Python 3, language: python, name: python3}}
---

# {name}

```{{code-cell}} ipython3
:tags: [parameters]

seed = 1  # of the draws [0..99]
```

```{{code-cell}} ipython3
import numpy as np
from rbcore import checks
from rbcore.book.ledger import claim, record
draws = np.random.default_rng(seed).normal(1, 1, 10_000)
record("{name}-mean", checks.mean(draws), fmt=".2f")
claim("{name}-above", "It is above zero.", checks.positive_mean(draws))
```

We got {{ci}}`{name}-mean`. {{claim}}`{name}-above`
"""


class Subject(NamedTuple):
    """A command under test.  prepare: writes its inputs into a folder.  good: the statuses of a call that ended.

    results: patterns of the files that every call must leave equal.
    """

    name: str
    prepare: Callable[[Path], None]
    command: tuple[str, ...]
    good: tuple[int, ...]
    results: tuple[str, ...]


def two_chapters(folder: Path) -> None:
    """A book of two chapters with the real configuration and extensions."""
    tiny.small_book(folder)
    for name in ("01-one", "02-two"):
        (folder / "notebooks" / f"{name}.md").write_text(CHAPTER.format(name=name[3:]))


def small_data(folder: Path) -> None:
    """Real and synthetic records for an audit."""
    folder.mkdir(parents=True)
    made = planted.several(np.random.default_rng(7), anchors=80, synthetic=100, heldout=50)
    made.write(folder)


BOOKISH = (sys.executable, "-m", "rbcore", "--root", "{folder}")
SUBJECTS = {
    "build": Subject(
        "build", two_chapters, (*BOOKISH, "book"), (0,),
        ("book/_build/cache/*/*.ipynb", "book/_build/html/**/*", "book/_build/*.json.gz"),
    ),
    "sweep": Subject(
        "sweep", two_chapters, (*BOOKISH, "sweep", "--jobs", "2", "--", "01", "seed=1,2"), (0,),
        ("book/_build/cache-runs/**/*.ipynb", "runs/**/*"),
    ),
    "audit": Subject(
        "audit", small_data,
        (sys.executable, "-m", "rbcore.audit", "--anchor", "anchor.jsonl", "--synth", "synth.jsonl",
         "--heldout", "heldout.jsonl", "--out", "out"),
        (0, 3), ("out/*.*", "out/stages/*.npz"),
    ),
}  # fmt: skip


class Trial(NamedTuple):
    """One kill.  at: of the usual duration, from 0 to 1; ended: the command had ended before.

    torn: files that are not whole.  orphans: processes that lived on after :data:`NOTICE`.  left: unfinished
    files and temporary folders after the kill.  remained: those after the next call.  differ: results that are
    not those of a call that nothing disturbed.  status: of the next call.
    """

    at: float
    ended: bool
    torn: list[str]
    orphans: list[str]
    left: list[str]
    remained: list[str]
    differ: list[str]
    status: int
    said: str

    @property
    def sound(self) -> bool:
        """Whether nothing was half-written, no process was left, and the next call gave the same results."""
        return not (self.torn or self.orphans or self.differ or self.said)


def run(
    subject: Subject, kills: int, seed: int, journal: Path, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Kill the command so many times; counts for the record.  The journal keeps trials for a call that goes on."""
    known = [Trial(*json.loads(line)) for line in journal.read_text().splitlines()] if journal.exists() else []
    moments = np.random.default_rng([seed, *subject.name.encode()]).random(kills)
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        base, inputs = Path(place), Path(place) / "inputs"
        subject.prepare(inputs)
        expected, seconds = reference(subject, inputs, base)
        say(f"{subject.name}: {seconds:.1f} s undisturbed, {len(expected)} results")
        for number in range(len(known), kills):
            one = trial(subject, inputs, base / f"t{number}", float(moments[number]), seconds, expected)
            shutil.rmtree(base / f"t{number}", ignore_errors=True)
            known.append(one)
            with journal.open("a") as file:
                print(json.dumps(one), file=file)
            say(
                f"{subject.name}: {number + 1} of {kills} kills"
                if one.sound
                else f"{subject.name} {number}: {one}"
            )
    return {"name": subject.name} | summary(known[:kills], seconds)


def summary(trials: list[Trial], seconds: float) -> dict[str, Any]:
    """What the record keeps."""
    hit = [one for one in trials if not one.ended]
    return {
        "kills": len(hit),
        "late": len(trials) - len(hit),  # the command had ended
        "torn": sum(bool(one.torn) for one in hit),
        "orphans": sum(bool(one.orphans) for one in hit),
        "differ": sum(bool(one.differ or one.said) for one in hit),
        "left": sum(bool(one.left) for one in hit),
        "remained": sum(bool(one.remained) for one in hit),
        "kinds": sorted({_kind(name) for one in hit for name in one.left}),
        "seconds": round(seconds, 1),
    }


def trial(
    subject: Subject, inputs: Path, place: Path, moment: float, seconds: float, expected: dict[str, str]
) -> Trial:
    """One kill at the share `moment` of `seconds`, on a copy of the inputs."""
    folder, mark = place / "work", uuid.uuid4().hex
    shutil.copytree(inputs, folder)
    (place / "tmp").mkdir()
    process = start(subject, folder, place / "tmp", mark, place / "said")
    ended = True
    try:
        process.wait(moment * seconds)
    except subprocess.TimeoutExpired:
        ended = False
        process.send_signal(signal.SIGKILL)
        process.wait()
    orphans = _orphans(mark)
    broken, left = list(torn(subject, folder, expected)), _unfinished(folder, place / "tmp")
    again = start(subject, folder, place / "tmp", mark, place / "said")
    try:
        status = again.wait(LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(again.pid, signal.SIGKILL)
        status = -1
    orphans += _orphans(mark)
    said = (place / "said").read_text(errors="replace")
    wrong = f"status {status}: {said[-500:]}" if status not in subject.good or "Traceback" in said else ""
    found = digests(subject, folder)
    differ = [name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)]
    remained = _unfinished(folder, place / "tmp")
    return Trial(moment, ended, broken, orphans, left, remained, sorted(differ), status, wrong)


def reference(subject: Subject, inputs: Path, base: Path, calls: int = 2) -> tuple[dict[str, str], float]:
    """The results of a call that nothing disturbs, and its seconds; what differs between two calls is an error."""
    found, seconds = [], 0.0
    for number in range(calls):
        place = base / f"reference{number}"
        shutil.copytree(inputs, place / "work")
        (place / "tmp").mkdir()
        began = time.monotonic()
        process = start(subject, place / "work", place / "tmp", "reference", place / "said")
        status = process.wait(LONGEST)
        seconds = time.monotonic() - began
        if status not in subject.good:
            raise RuntimeError(f"{subject.name}: status {status}: {(place / 'said').read_text()}")
        found.append(digests(subject, place / "work"))
        if number == 1 and found[0] != found[1]:
            differ = [k for k in found[0].keys() | found[1].keys() if found[0].get(k) != found[1].get(k)]
            raise RuntimeError(f"{subject.name}: two undisturbed calls differ in {differ}; see {base}")
    return found[0], seconds


def start(subject: Subject, folder: Path, tmp: Path, mark: str, said: Path) -> subprocess.Popen[bytes]:
    command = [part.format(folder=folder) for part in subject.command]
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment = os.environ | one | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp), MARK: mark}
    with said.open("wb") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )


def alive(number: int) -> bool:
    """Whether the process runs, and is not merely waiting to be noticed as dead."""
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _orphans(mark: str) -> list[str]:
    """Processes with this mark that do not end in time; they are ended then."""
    deadline = time.monotonic() + NOTICE
    while (alive := list(_marked(mark))) and time.monotonic() < deadline:
        time.sleep(0.2)
    for one in alive:
        one.kill()
    return [" ".join(one.info["cmdline"] or [])[:200] for one in alive]


def _marked(mark: str) -> Iterator[psutil.Process]:
    for one in psutil.process_iter(["cmdline", "status"]):
        try:
            if one.info["status"] != psutil.STATUS_ZOMBIE and one.environ().get(MARK) == mark:
                yield one
        except psutil.Error:
            continue


# ---------------------------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------------------------


def _results(subject: Subject, folder: Path) -> dict[str, Path]:
    found = (path for pattern in subject.results for path in folder.glob(pattern))
    return {
        path.relative_to(folder).as_posix(): path
        for path in found
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def digests(subject: Subject, folder: Path) -> dict[str, str]:
    """A digest of each result, without seconds, dates and the folder's own path."""
    return {
        name: hashlib.sha256(plain(path, folder)).hexdigest()[:16]
        for name, path in _results(subject, folder).items()
    }


def plain(path: Path, folder: Path) -> bytes:
    """The content of a result without seconds, dates and the names of folders: what equal calls have in common."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return b"".join(name.encode() + file[name].tobytes() for name in file.files if name != "about")
    text = path.read_bytes().replace(str(folder).encode(), b"FOLDER")
    if path.suffix in (".json", ".ipynb"):
        return json.dumps(_timeless(json.loads(text)), sort_keys=True).encode()
    if path.name == "searchindex.js":  # of the words that pages hold, seconds among them
        return re.sub(rb'"?\d+"?: ?(\d+|\[[\d, ]*\]),? ?', b"", text)
    return re.sub(
        rb'\d+(\.\d+)?(?: |\xc2\xa0)(?:s|min)\b|\d{4}-\d\d-\d\d \d\d:\d\d|(?<="seconds">)(<b>)?[\d.]+',
        b"TIME",
        text,
    )


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in ("seconds", "processor", "at")}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def torn(subject: Subject, folder: Path, expected: dict[str, str]) -> Iterator[str]:
    """Results that are not whole: that do not parse, or, of a folder that appears at once, that are missing."""
    there = _results(subject, folder)
    for name, path in there.items():
        try:
            parse(path)
        except Exception as error:  # whatever a parser says of half a file
            yield f"{name}: {type(error).__name__} {error}"
    for whole in WHOLE:
        groups = {m[0] for name in expected if (m := re.match(whole, name))}
        for group in groups:
            names = {name for name in expected if name.startswith(group)}
            if there.keys() & names and names - there.keys():
                yield f"{group}: {len(names - there.keys())} of {len(names)} files are missing"


WHOLE = (r"book/_build/html/", r"runs/sweep-[^/]+/")  # folders that appear whole


def parse(path: Path) -> None:
    """Read a result as what its name says it is.

    Raises:
        Exception: of the parser, where it is not.
    """
    match path.suffix:
        case ".json" | ".ipynb":
            json.loads(path.read_bytes())
        case ".jsonl":
            lines = path.read_text(encoding="utf8")
            if lines and not lines.endswith("\n"):
                raise ValueError("the last line is cut")
            for line in lines.splitlines():
                json.loads(line)
        case ".csv":
            rows = list(csv.reader(path.open(encoding="utf8")))
            if len({len(row) for row in rows}) != 1:
                raise ValueError("rows of several lengths")
        case ".html":
            if not path.read_text(encoding="utf8").rstrip().endswith("</html>"):
                raise ValueError("no end")
        case ".npz":
            with np.load(path, allow_pickle=False) as file:
                for name in file.files:
                    file[name]


def _unfinished(folder: Path, tmp: Path) -> list[str]:
    """Unfinished files, working folders and temporary files that are there."""
    inside = [p for p in folder.rglob("*") if p.name.endswith((".partial", ".old", "-new")) or p.name == "run"]
    return [p.relative_to(folder).as_posix() for p in inside] + [f"tmp/{p.name}" for p in tmp.iterdir()]


def _kind(name: str) -> str:
    """What of a name is not a number, such as ``tmp/rbcore-*``."""
    name = re.sub(r"\b(?=\w*\d)\w{6,}", "*", name.rpartition("/")[2] if not name.startswith("tmp/") else name)
    return re.sub(r"\d+", "*", name)
