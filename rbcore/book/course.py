"""The course: student and instructor notebooks, autograder archives, the wheel; all from the chapters' sources.

What students get holds no answer: neither the solution of an exercise nor that of a task, no hidden test and no
typical wrong answer.  The archives are made by Otter-Grader, which lives in an environment of its own.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jupytext
import nbformat

from rbcore.book import address, install, labels, release, site
from rbcore.book.downloads import BOX, authors, writer
from rbcore.book.execute import notebooks
from rbcore.book.ledger import Chapter
from rbcore.course.submission import test_file
from rbcore.course.tasks import TASK, Part, Task, tasks, without_answers
from rbcore.files import replace_folder

EXAM = "book/course/exam.md"
TOOL = ".venv-course"  # the environment of the tool, in a checkout
LEVELS = {1: "a first step", 2: "needs the chapter", 3: "needs an idea"}
START = "import numpy as np\n\nfrom rbcore import checks\nfrom rbcore.course import expect, trial"
HOW = """\
Work from top to bottom. The first cell installs what is needed; nothing that you write leaves this computer.

- Write your answer to an exercise with code into the cell that begins with `# answer:`. More cells below it,
  down to `# check:`, belong to it, too. Leave the first line of these cells as it is: it says what is graded.
- The cell that begins with `# check:` tells how far you are, with a hint. Tests that are not shown here are
  run when your work is graded. What you change in `# given:` and `# check:` does not count.
- Statements that are named here stand in the chapter; keep it open.
- Each answer is graded alone, in a process of its own, and has a minute. It may import what it needs.
- Hand in this notebook under the name that it has.
"""
PENCIL = "*Your answer:*\n"


class CourseError(RuntimeError):
    """The course cannot be made; the message says what would be right."""


class Exercise(NamedTuple):
    """A pencil exercise: label, title, statement and solution in MyST; the solution is empty if there is none."""

    label: str
    title: str
    statement: str
    solution: str


class Unit(NamedTuple):
    """What the course takes from one chapter."""

    name: str
    title: str
    exercises: tuple[Exercise, ...]
    tasks: tuple[Task, ...]


def exercises(text: str) -> Iterator[Exercise]:
    """The pencil exercises in the text of a chapter, each with its solution."""
    boxes = [match.groups() for match in BOX.finditer(TASK.sub("", text))]
    solved = {title.strip(): body for _, kind, title, _, body in boxes if kind == "solution"}
    for _, kind, title, options, body in boxes:
        label = re.search(r":label:\s*(\S+)", options)
        if kind == "exercise":
            name = label[1] if label else ""
            yield Exercise(name, title.strip(), body.strip(), solved.get(name, "").strip())


def units(root: Path) -> list[Unit]:
    """The chapters that have tasks.

    Raises:
        CourseError: when no chapter has one.
    """
    found = []
    for source in notebooks(root):
        text = source.read_text(encoding="utf8")
        heading = re.search(r"(?m)^# (.*)$", text)
        if some := tasks(source):
            title = heading[1].strip() if heading else source.stem
            found.append(Unit(source.stem, title, tuple(exercises(text)), tuple(some)))
    if not found:
        raise CourseError(f"no chapter in {root / 'notebooks'} has a task: there is no course to make")
    return found


# notebooks -----------------------------------------------------------------------------------------------------


def _cells(*cells: tuple[str, str, str]) -> Any:
    """A notebook of cells, each with its id, its kind and its source."""
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    notebook = nbformat.v4.new_notebook(
        cells=[make[kind](source.strip("\n"), id=id) for id, kind, source in cells]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def _trials(tests: Sequence[Part]) -> str:
    """The code that tries these tests in a notebook."""
    body = [
        f"@trial({json.dumps(test.said, ensure_ascii=False)})\ndef _():\n{_indented(test.code)}" for test in tests
    ]
    return "\n\n\n".join(body)


def _indented(code: str) -> str:
    """Code, four spaces further in; lines inside of a string stay as they are."""
    inside = {
        line
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno != node.lineno
        for line in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)
    }
    lines = code.strip("\n").split("\n")
    return "\n".join(line if not line or n in inside else f"    {line}" for n, line in enumerate(lines, 1))


def _head(kind: str, task: Task) -> str:
    return f"# {kind}: {task.label}\n"


def _about(task: Task, written: Callable[[str], str]) -> str:
    facts = f"level {task.level} ({LEVELS[task.level]}), {task.points} points, about {task.minutes} minutes"
    return f"### {task.title}\n\n*{facts[0].upper()}{facts[1:]}.*\n\n{written(task.statement)}"


def student(
    unit: Unit, written: Callable[[str], str], first: str, *, answers: Mapping[str, str] | None = None
) -> Any:
    """The notebook for students.

    Args:
        first: the code that installs what is needed.
        answers: code by label that takes the place of stubs: what somebody hands in.
    """
    cells = [("title", "markdown", f"# {unit.title}: exercises\n\n{HOW}"), ("install", "code", first)]
    cells.append(("start", "code", START))
    if unit.exercises:
        cells.append(("pencil", "markdown", "## With pencil and paper"))
    for number, exercise in enumerate(unit.exercises, 1):
        head = f"### {number}. {exercise.title}".rstrip(". ")
        cells.append((f"pencil-{number}", "markdown", f"{head}\n\n{written(exercise.statement)}"))
        cells.append((f"pencil-{number}-answer", "markdown", PENCIL))
    cells.append(("code", "markdown", "## With code"))
    for task in unit.tasks:
        cells.append((task.label, "markdown", _about(task, written)))
        if task.only("given"):
            cells.append((f"{task.label}-given", "code", _head("given", task) + task.only("given")))
        answer = (answers or {}).get(task.label, task.only("stub"))
        cells.append((f"{task.label}-answer", "code", _head("answer", task) + answer))
        shown = [test for test in task.tests if test.kind == "test"]
        cells.append((f"{task.label}-check", "code", _head("check", task) + _trials(shown)))
    return _cells(*((_short(id), kind, source) for id, kind, source in cells))


def _short(id: str) -> str:
    """A cell's id has at most 64 characters."""
    return id[-64:]


def instructor(unit: Unit, written: Callable[[str], str], first: str) -> Any:
    """The notebook for teachers: solutions stand where students answer, with hidden tests and wrong answers."""
    notebook = student(unit, written, first, answers={task.label: task.only("solution") for task in unit.tasks})
    notebook.cells[0].source = f"# {unit.title}: exercises with solutions\n\nNot for students."
    cells, by_check = [], {_short(f"{task.label}-check"): task for task in unit.tasks}
    solved = {f"pencil-{n}-answer": exercise.solution for n, exercise in enumerate(unit.exercises, 1)}
    for cell in notebook.cells:
        if cell.id in solved:
            cell.source = f"**Solution.** {written(solved[cell.id]) or 'None is given.'}"
        cells.append(cell)
        task = by_check.get(cell.id)
        if task is None:
            continue
        hidden = [test for test in task.tests if test.kind == "hidden"]
        if hidden:
            source = f"# hidden tests: {task.label}\n{_trials(hidden)}"
            cells.append(nbformat.v4.new_code_cell(source, id=_short(f"{task.label}-hidden")))
        lines = [f"**Students begin with**\n\n```python\n{task.only('stub')}```"]
        lines += [
            f"**A typical wrong answer**\n\n```python\n{wrong.code}```\n\nIts hint: *{hint(task, wrong)}*"
            for wrong in task.wrong
        ]
        cells.append(nbformat.v4.new_markdown_cell("\n\n".join(lines), id=_short(f"{task.label}-wrong")))
    notebook.cells = cells
    return notebook


def hint(task: Task, wrong: Part) -> str:
    """The whole hint of which `wrong` names some words, as far as it is a text of a test."""
    for test in task.tests:
        for node in ast.walk(ast.parse(test.code)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and wrong.said in node.value:
                return node.value
    return wrong.said


def questions(exam: str) -> str:
    """The questions of an exam without the answers, which begin with `Answer:` and end before a heading."""
    return re.sub(r"(?ms)^Answer:.*?(?=^## |\Z)", "", exam).rstrip() + "\n"


# the whole course ----------------------------------------------------------------------------------------------


def make(
    root: Path,
    chapters: Sequence[Chapter],
    target: Path,
    executed: Mapping[str, Path] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Write the course into `target`, whole or not at all.

    Args:
        executed: the executed notebooks, by chapter, for pages without solutions; None: no pages are built.

    Raises:
        CourseError: without the tool's environment, without tasks, or when an archive cannot be made.
    """
    tool = root / TOOL / "bin" / "python"
    if not tool.exists():
        raise CourseError(f"{root / TOOL} is missing: call `make course`, which makes it")
    chosen = units(root)
    bibliography = root / "book" / "references.bib"
    written = writer(chapters, labels.shown(root), authors(bibliography) if bibliography.exists() else {})
    with tempfile.TemporaryDirectory(prefix="course-", dir=_made(target.parent)) as folder:
        work = Path(folder) / "course"
        wheel = release.wheel(root, work / "wheel")
        about: dict[str, Any] = {"version": address.version(root), "wheel": wheel.name, "chapters": {}}
        for unit in chosen:
            extras, modules = _write(root, unit, written, work)
            about["chapters"][unit.name] = {
                "title": unit.title,
                "extras": extras,
                "modules": modules,
                "tasks": {task.label: {"title": task.title, "points": task.points} for task in unit.tasks},
            }
        extras = sorted({extra for entry in about["chapters"].values() for extra in entry["extras"]})
        named = f"rbcore[{','.join(extras)}]" if extras else "rbcore"
        say(f"installing {named} where the autograder runs")
        _install(tool, wheel, named)
        for number, unit in enumerate(chosen, 1):
            entry = about["chapters"][unit.name]
            say(f"{number} of {len(chosen)}: {unit.name}, {len(unit.tasks)} tasks")
            archive(unit, tool, work, wheel, entry["extras"], entry["modules"])
        shutil.copyfile(wheel, work / "student" / wheel.name)
        (work / "student" / "README.md").write_text(STUDENT.format(wheel=wheel.name), encoding="utf8")
        exam = (root / EXAM).read_text(encoding="utf8") if (root / EXAM).exists() else ""
        (work / "instructor" / "exam.md").write_text(questions(exam), encoding="utf8")
        (work / "instructor" / "exam-answers.md").write_text(exam, encoding="utf8")
        requirements = Path(__file__).parents[1] / "course" / "requirements.txt"
        shutil.copyfile(requirements, work / "autograder" / requirements.name)
        shutil.copyfile(tool.parents[1] / "constraints.txt", work / "autograder" / "constraints.txt")
        (work / "course.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf8")
        (work / "README.md").write_text(_readme(chosen, wheel.name, named), encoding="utf8")
        if executed is not None:
            say("the pages without solutions")
            site.assemble(root, executed, chapters, Path(folder) / "source")
            for_students(Path(folder) / "source")
            site.build(Path(folder) / "source", work / "site", strict=False)
        replace_folder(work, target)


def _install(tool: Path, wheel: Path, named: str) -> None:
    """Put this edition of the core, and what its tasks need, where the autograder runs."""
    pip = [str(tool), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    limits = ["-c", str(tool.parents[1] / "constraints.txt")]
    for command in ([*pip, "--force-reinstall", "--no-deps", str(wheel)], [*pip, *limits, named]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise CourseError(f"pip could not install {named}:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(
    root: Path, unit: Unit, written: Callable[[str], str], work: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The notebooks of one chapter; returns the extras of rbcore that they need, and the modules behind these."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{unit.name}.md"
        draft = instructor(unit, written, "")  # with all its code: answers and hidden tests may import, too
        source.write_text(jupytext.writes(draft, fmt="md:myst"), encoding="utf8")
        first, needed = install.cell(source, root), install.needed(source, root)
    wrong = {task.label: task.wrong[0].code for task in unit.tasks}
    right = {task.label: task.only("solution") for task in unit.tasks}
    _save(work / "student" / f"{unit.name}.ipynb", student(unit, written, first))
    _save(work / "instructor" / f"{unit.name}.ipynb", instructor(unit, written, first))
    trials = work / "instructor" / "trials"
    _save(trials / "right" / f"{unit.name}.ipynb", student(unit, written, first, answers=right))
    _save(trials / "wrong" / f"{unit.name}.ipynb", student(unit, written, first, answers=wrong))
    expected = {task.label: task.wrong[0].said for task in unit.tasks}
    (trials / f"{unit.name}.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf8")
    return needed


def _save(path: Path, notebook: Any) -> None:
    _made(path.parent)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf8")


def archive(
    unit: Unit,
    tool: Path,
    work: Path,
    wheel: Path,
    extras: Sequence[str],
    modules: Sequence[str],
    seconds: int = 60,
) -> None:
    """Have Otter-Grader make the archive of one chapter, for Gradescope and for `otter run`.

    Raises:
        CourseError: with the tool's words.
    """
    target = _made(work / "autograder") / f"{unit.name}.zip"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for task in unit.tasks:
            tests = [(test.said, test.code, test.kind == "hidden") for test in task.tests]
            text = test_file(task.label, task.points, task.only("given"), tests)
            (_made(folder / "tests") / f"{task.label}.py").write_text(text, encoding="utf8")
        shutil.copyfile(wheel, folder / wheel.name)
        config = {
            "show_hidden": True,  # after the teacher has published the grades
            "show_stdout": False,
            "plugins": [{"rbcore.course.submission.Plugin": {"seconds": seconds}}],
        }
        (folder / "config.json").write_text(json.dumps(config), encoding="utf8")
        lines = [f"--extra-index-url {install.CPU_TORCH}"] if "torch" in modules else []
        lines.append(f"/autograder/source/files/{wheel.name}" + (f"[{','.join(extras)}]" if extras else ""))
        (folder / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf8")
        command = [str(tool), "-m", "otter", "generate", "--tests-dir", "tests", "--output-path", str(target)]
        command += ["--config", "config.json", "--requirements", "requirements.txt", "--no-environment"]
        command += ["--python-version", "3.12", wheel.name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode or not target.exists():
            raise CourseError(f"no archive of {unit.name}:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def _readme(chosen: Sequence[Unit], wheel: str, named: str) -> str:
    rows = "\n".join(
        f"| {unit.name} | {unit.title} | {len(unit.exercises)} | {len(unit.tasks)} "
        f"| {sum(task.points for task in unit.tasks)} | {sum(task.minutes for task in unit.tasks)} |"
        for unit in chosen
    )
    with_extras = wheel + (named.removeprefix("rbcore"))
    return README.format(rows=rows, wheel=wheel, with_extras=with_extras)


STUDENT = """\
# Exercises with code

Each notebook belongs to a chapter of the book. You need Python 3.11 or newer and Jupyter.

1. Keep `{wheel}` beside the notebooks, and open one of them from this folder.
2. Run its first cell, which installs what it needs, and then the cells in their order.
3. An exercise has a cell that begins with `# answer`: put your code in the place of `...`, and keep the names.
4. The cell behind it, which begins with `# check`, tries your answer and gives a hint where it fails.
5. Hand in the notebook itself, saved, under its own name. More tests are run when it is graded.
"""
README = """\
# The course

| Chapter | | Pencil | Code | Points | Minutes |
|:---|:---|---:|---:|---:|---:|
{rows}

Points and minutes are those of the exercises with code.

## Give out

Hand out the folder `student`, or notebooks of it with `{wheel}` beside them. The first cell of a notebook
installs what it needs. Nothing in this folder holds an answer. Keep `instructor` and `autograder` to
yourself. `instructor/exam.md` has questions for an exam, `exam-answers.md` their answers, too.

```bash
zip -r exercises.zip student
```

## Grade

Put what was handed in into one folder: a subfolder for each student, or files whose names hold the student's
name before or after the notebook's, as learning platforms write them. In a checkout of the book:

```bash
make grade SUBMISSIONS=folder
```

Anywhere else, with Python 3.11 or newer, in an environment of its own:

```bash
python3 -m venv grading
grading/bin/python -m pip install -c autograder/constraints.txt -r autograder/requirements.txt \\
  "./wheel/{with_extras}"
grading/bin/python -m rbcore.course grade folder --course .
```

Grades are written into the folder `grades` beside that of the submissions. One submission alone is graded by
the tool itself, `otter run -a autograder/01-....zip -o result submission.ipynb`. On Gradescope, upload the
archive of a chapter as the autograder of a programming assignment.

## Read the result

`grades.csv` has a row for each student and task, with points and the first hint; `totals.csv` a row for each
student, for a gradebook; `hints` a text for each student; `report.txt` what could not be graded, or is odd.

```bash
column -s, -t < grades/totals.csv
```

## What the autograder can and cannot do

It takes the answers out of a notebook and runs each with its tests in a process of its own, with a time
limit, at most 4 GiB, in an empty folder. Tests, points and what is given come from the archive. So a broken
notebook, an endless loop, an exit, test cells that were changed or removed, a printed grade, or a function
put in the place of one that grades cost points and stop nothing.

It is no prison. An answer runs with the rights of the user who grades: it can read that user's files, hidden
tests among them, and use the network if there is one. Code written to find the grader in its own process can
forge a result. Grade in a container, or as a user of its own, where you do not know who hands in, and read an
answer that looks strange. The autograder does not know who wrote an answer, and grades no pencil exercise.
"""


# the student edition of the pages ------------------------------------------------------------------------------


def without_solutions(text: str) -> str:
    """The text of a chapter without solutions of exercises and answers to tasks."""

    def kept(match: re.Match[str]) -> str:
        return "" if match[2] == "solution" else match[0]

    return BOX.sub(kept, without_answers(text))


def for_students(source: Path) -> None:
    """Take the solutions out of an assembled folder: of pages, downloads and sources."""
    for path in [*source.rglob("*.ipynb"), *(source / site.DOWNLOADS).glob("*.md")]:
        if path.suffix == ".md":
            path.write_text(without_solutions(path.read_text(encoding="utf8")), encoding="utf8")
            continue
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = _unquoted(without_solutions(cell.source))
        path.write_text(nbformat.writes(notebook) + "\n", encoding="utf8")


def _unquoted(text: str) -> str:
    """Markdown without the quotations that downloads show solutions as."""
    return re.sub(r"(?m)^> \*\*Solution of .*\n(?:>.*(?:\n|$))*", "", text)
