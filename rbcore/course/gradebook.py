"""Grade a folder of submitted notebooks with the course's archives, and write what a gradebook takes.

Each submission is graded by Otter-Grader in a process of its own, with a time limit; what cannot be graded gets no
points and a reason, and stops nothing.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rbcore.course.submission import OUTCOMES, SubmissionError, answers, claimed
from rbcore.files import replace_file

SECONDS = 600.0  # for one submission
LARGEST = 20_000_000  # bytes of a notebook that is read
TOOL = ".venv-course"  # the tool's environment in a checkout


RUNNING: set[subprocess.Popen[bytes]] = set()  # the tool's processes, which an interruption ends
ODD = (  # how hints begin that a teacher should look at
    "not graded",
    "the answer replaces",
    "the answer ended its process",
    "the answer and its tests did not end",
    "the answer does not run: SystemExit",
)


class GradeError(RuntimeError):
    """Nothing can be graded; the message says what would be right."""


class Submission(NamedTuple):
    """One notebook that was handed in."""

    student: str
    chapter: str
    path: Path


class Row(NamedTuple):
    """One line of the gradebook: what a student got for one task, and the first hint where it is not all."""

    student: str
    chapter: str
    task: str
    points: float
    of: float
    hint: str


def tool(root: Path) -> Path:
    """The Python that has Otter-Grader: this one, or that of the checkout's `.venv-course`.

    Raises:
        GradeError: when neither has it.
    """
    for python in (Path(sys.executable), root / TOOL / "bin" / "python"):
        if (
            python.exists()
            and not subprocess.run([str(python), "-P", "-c", "import otter"], capture_output=True).returncode
        ):
            return python
    raise GradeError(
        "Otter-Grader is not installed here: in a checkout call `make course`, else see the course's README"
    )


def course(folder: Path) -> dict[str, Any]:
    """What a course holds.

    Raises:
        GradeError: for a folder without one.
    """
    try:
        return json.loads((folder / "course.json").read_text(encoding="utf8"))
    except (OSError, ValueError):
        raise GradeError(f"{folder} holds no course: `make course` writes one into book/_build/course") from None


def submissions(folder: Path, about: Mapping[str, Any]) -> tuple[list[Submission], list[str]]:
    """The notebooks in a folder, one of each student and chapter, and a line for each file that is left out.

    The chapter is known by its name in the file's name, or by the tasks that the notebook answers.  The student is
    the rest of the file's name, or the subfolder in which the file lies.

    Raises:
        GradeError: when there is no notebook.
    """
    if not folder.is_dir():
        raise GradeError(f"{folder} is not a folder of submissions")
    found: dict[tuple[str, str], Submission] = {}
    left = []
    paths = [p for p in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts and not p.is_symlink()]
    for path in sorted(paths, key=lambda p: (p.stat().st_mtime, p.name)):
        name = path.relative_to(folder).as_posix()
        chapter = _chapter(path, about)
        if not chapter:
            left.append(f"{name}: no notebook of this course: neither its name nor its cells name a chapter")
            continue
        student = _student(path.relative_to(folder), chapter)
        if earlier := found.get((student, chapter)):
            left.append(f"{earlier.path.relative_to(folder).as_posix()}: {student} handed in a later one, {name}")
        found[student, chapter] = Submission(student, chapter, path)
    if not found:
        raise GradeError("\n".join([f"{folder} holds no notebook of this course", *left]))
    return sorted(found.values()), left


def _chapter(path: Path, about: Mapping[str, Any]) -> str:
    for chapter in about["chapters"]:
        if chapter in path.name:
            return chapter
    with suppress(SubmissionError, ValueError, OSError, RecursionError):
        if path.stat().st_size <= LARGEST:
            labels = answers(json.loads(path.read_text(encoding="utf8"))).keys()
            for chapter, entry in about["chapters"].items():
                if labels & entry["tasks"].keys():
                    return chapter
    return ""


def _student(inside: Path, chapter: str) -> str:
    if len(inside.parts) > 1:
        return inside.parts[0]
    rest = re.sub(r"\s*\(\d+\)$|-\d+$", "", inside.stem.replace(chapter, "")).strip(" -_.")
    return rest or inside.stem


def grade(one: Submission, folder: Path, about: Mapping[str, Any], python: Path, seconds: float) -> list[Row]:
    """Grade one submission; a row for each task of its chapter, whatever happens.

    Args:
        folder: of the course.
        python: has Otter-Grader.
        seconds: after which the submission is given up.
    """
    tasks = about["chapters"][one.chapter]["tasks"]
    with tempfile.TemporaryDirectory(prefix="graded-", ignore_cleanup_errors=True) as place:
        outcomes = Path(place) / "outcomes.json"
        why = _run(one, folder / "autograder" / f"{one.chapter}.zip", python, Path(place), outcomes, seconds)
        found = json.loads(outcomes.read_text(encoding="utf8")) if not why else {}
    rows = []
    for label, task in tasks.items():
        result = found.get(label)
        if result is None:
            rows.append(Row(one.student, one.chapter, label, 0, task["points"], why or "it was not graded"))
            continue
        missed = [test for test in result["tests"] if not test["passed"]]
        hint = missed[0]["hint"] or missed[0]["test"] if missed else ""
        points = round(result["points"], 2) if missed else task["points"]
        rows.append(Row(one.student, one.chapter, label, points, task["points"], hint))
    return rows


def _run(one: Submission, archive: Path, python: Path, place: Path, outcomes: Path, seconds: float) -> str:
    """Let Otter grade a copy of the notebook; returns why there are no outcomes, or nothing."""
    try:
        if one.path.stat().st_size > LARGEST:
            raise SubmissionError(f"the file has more than {LARGEST // 1_000_000} MB: clear its outputs")
        notebook = json.loads(one.path.read_text(encoding="utf8"))
        if not answers(notebook):
            raise SubmissionError(
                "no cell begins with `# answer: task-...`: the first lines of the cells are missing"
            )
    except (ValueError, OSError, RecursionError) as error:
        said = error if isinstance(error, SubmissionError) else f"this is not a notebook: {error}"
        return f"not graded: {said}"
    copy = place / "submission.ipynb"
    cells = [
        _plain(cell) for cell in notebook["cells"] if isinstance(cell, dict) and cell.get("cell_type") == "code"
    ]
    copy.write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}), encoding="utf8"
    )
    command = [str(python), "-P", "-B", "-m", "otter", "run", "-a", str(archive.resolve()), "-o", str(place)]
    command += ["--no-logo", str(copy)]
    environment = os.environ | {OUTCOMES: str(outcomes), "TMPDIR": str(place), "HOME": str(place)}
    environment |= {"JUPYTER_PREFER_ENV_PATH": "1", "IPYTHONDIR": str(place / "ipython"), "MPLBACKEND": "Agg"}
    child = subprocess.Popen(
        command,
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    RUNNING.add(child)
    try:
        said, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"not graded: it did not end within {seconds:.0f} s"
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGTERM if child.poll() is None else signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=5)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        RUNNING.discard(child)
    if child.returncode or not outcomes.exists():
        lines = said.decode(errors="replace").strip().splitlines()
        return f"not graded: the tool says: {lines[-1] if lines else child.returncode}"
    return ""


def _plain(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A code cell with its source alone, in the form that every version of the tool reads."""
    source = cell.get("source", "")
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "execution_count": None}


def grade_all(
    folder: Path,
    course_folder: Path,
    python: Path,
    *,
    seconds: float = SECONDS,
    jobs: int | None = None,
    say: Callable[[str], None] = print,
) -> tuple[list[Row], list[str]]:
    """Grade every submission in a folder; returns the rows, and lines about what is missing or odd."""
    about = course(course_folder)
    handed_in, notes = submissions(folder, about)
    rows: list[Row] = []
    began = time.monotonic()
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        waiting = [pool.submit(grade, one, course_folder, about, python, seconds) for one in handed_in]
        try:
            for number, (one, future) in enumerate(zip(handed_in, waiting, strict=True), 1):
                got = future.result()
                rows += got
                left = (time.monotonic() - began) / number * (len(waiting) - number)
                total, of = sum(row.points for row in got), sum(row.of for row in got)
                rest = f", about {left:.0f} s left" if number < len(waiting) else ""
                say(f"{number} of {len(waiting)}: {one.student}, {one.chapter}: {total:g} of {of:g}{rest}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in list(RUNNING):
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.pid, signal.SIGKILL)
            raise
    seen = {f"{r.student}, {r.chapter}{_of(r)}: {r.hint}": None for r in rows if r.hint.startswith(ODD)}
    for one in handed_in:
        with suppress(ValueError, OSError, RecursionError):
            for label, names in claimed(json.loads(one.path.read_text(encoding="utf8"))).items():
                seen[f"{one.student}, {one.chapter}, {label}: sets {', '.join(names)}, without effect"] = None
    return rows + list(_missing(rows, about)), [*notes, *seen]


def _of(row: Row) -> str:
    """The task, in a line of the report, unless the whole submission was not graded."""
    return "" if row.hint.startswith("not graded") else f", {row.task}"


def _missing(rows: Sequence[Row], about: Mapping[str, Any]) -> Iterator[Row]:
    """A row for each task of a chapter that others handed in, and a student did not."""
    there = {(row.student, row.chapter) for row in rows}
    for student in sorted({row.student for row in rows}):
        for chapter in sorted({row.chapter for row in rows}):
            if (student, chapter) not in there:
                for label, task in about["chapters"][chapter]["tasks"].items():
                    yield Row(student, chapter, label, 0, task["points"], "not handed in")


def write(rows: Sequence[Row], notes: Sequence[str], target: Path) -> None:
    """Write `grades.csv`, `totals.csv`, a text of hints for each student, and `report.txt` into a folder."""
    rows = sorted(rows, key=lambda row: (row.student, row.chapter))  # tasks in the chapter's order
    target.mkdir(parents=True, exist_ok=True)
    replace_file(target / "grades.csv", _table(Row._fields, rows))
    students: dict[str, list[Row]] = {}
    for row in rows:
        students.setdefault(row.student, []).append(row)
    totals = [
        (name, round(sum(r.points for r in got), 2), sum(r.of for r in got)) for name, got in students.items()
    ]
    replace_file(target / "totals.csv", _table(("student", "points", "of"), totals))
    hints = target / "hints"
    hints.mkdir(exist_ok=True)
    for name, got in students.items():
        lines = []
        for chapter in dict.fromkeys(row.chapter for row in got):
            lines += [chapter, *(_line(row) for row in got if row.chapter == chapter), ""]
        safe = re.sub(r"[^\w.@ -]", "_", name).strip(". ") or "student"
        replace_file(hints / f"{safe}.txt", "\n".join(lines))
    replace_file(target / "report.txt", "\n".join([*(notes or ["nothing to report"]), ""]))


def _line(row: Row) -> str:
    hint = "\n".join(f"      {line}" for line in row.hint.splitlines())
    return f"  {row.task}: {row.points:g} of {row.of:g}" + (f"\n{hint}" if hint else "")


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows as CSV; a text that a spreadsheet would take for a formula gets a quotation mark before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow(
            [f"'{v}" if isinstance(v, str) and v[:1] in ("=", "+", "-", "@", "\t") else v for v in row]
        )
    return out.getvalue()


def check(course_folder: Path, python: Path, say: Callable[[str], None] = print) -> int:
    """Grade the course's own right and wrong submissions as a teacher would; 1 if one is graded wrongly.

    The right one has every point; the wrong one misses points in each task, with the hint of its mistake.
    """
    about, wrong = course(course_folder), 0
    trials = course_folder / "instructor" / "trials"
    rows, notes = grade_all(trials, course_folder, python, say=lambda line: say(f"  {line}"))
    for chapter, entry in about["chapters"].items():
        expected = json.loads((trials / f"{chapter}.json").read_text(encoding="utf8"))
        for kind in ("right", "wrong"):
            got = [row for row in rows if (row.student, row.chapter) == (kind, chapter)]
            bad = [row for row in got if not _as_expected(row, kind, expected[row.task])]
            bad_count = len(bad) + len(entry["tasks"]) - len(got)
            wrong += bad_count
            say(
                f"{chapter:<36} {kind:<6} {sum(r.points for r in got):>5g} of {sum(r.of for r in got):<4g}"
                + ("as it should be" if not bad_count else f"{bad_count} TASKS GRADED WRONGLY")
            )
            for row in bad:
                say(f"    {row.task}: {row.points:g} of {row.of:g}, {row.hint!r}; expected {expected[row.task]!r}")
    odd = [note for note in notes if note.split(",")[0] == "right"]
    for note in odd:
        say(note)
    return 1 if wrong or odd else 0


def _as_expected(row: Row, kind: str, words: str) -> bool:
    return row.points == row.of if kind == "right" else row.points < row.of and words in row.hint
