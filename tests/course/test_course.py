"""The course: students get no answer, submissions are read kindly and graded apart from what they say."""

import csv
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbcore.book import course, labels
from rbcore.book.downloads import writer
from rbcore.book.execute import ROOT, notebooks
from rbcore.course import gradebook
from rbcore.course.sandbox import grade
from rbcore.course.submission import SubmissionError, answers, claimed
from rbcore.course.submission import test_file as written_test
from rbcore.course.tasks import read

UNITS = {unit.name: unit for unit in course.units(ROOT)}
SHOWN = "".join(course.without_solutions(source.read_text(encoding="utf8")) for source in notebooks(ROOT))
BUILT = ROOT / "book" / "_build" / "course"
TASK = '''````{task} Two
:label: task-two
:level: 1
:points: 3
:minutes: 5
Name two.

```python
# stub
two = ...
```

```python
# solution
two = 1 + 1  # the only even prime number there is
```

```python
# test: it is two
hint = """Count
again."""
expect(two == 2, hint)
```

```python
# hidden: it is a number
expect(isinstance(two, int), "Give a number.")
```

```python
# wrong: Count
two = 1
```

```python
# wrong: Count
two = 3
```
````
'''


@pytest.fixture(scope="module")
def written():
    """What writes Markdown; results of chapters, which a test has not executed, stay as they are named."""
    return writer([], labels.shown(ROOT), {})


def unit() -> course.Unit:
    pencil = course.Exercise("ex-one", "One", "Name one.", "It is the number of the moon.")
    return course.Unit("01-x", "Numbers", (pencil,), tuple(read(TASK, "01-x")))


def secrets_of(one: course.Unit) -> dict[str, str]:
    """What students must not get: each answer, and its telling lines, with where it comes from."""
    found = {}
    for task in one.tasks:
        for part in task.parts:
            if part.kind in ("solution", "hidden", "wrong"):
                lines = [line.strip() for line in part.code.splitlines() if len(line.strip()) > 30]
                found |= {line: f"{task.label}: {part.kind}" for line in lines if line not in SHOWN}
    for exercise in one.exercises:
        lines = [line.strip() for line in exercise.solution.splitlines() if len(line.strip()) > 30]
        found |= {line: f"{exercise.label}: solution" for line in lines if line not in SHOWN}
    return found


def texts(notebook) -> str:
    return "\n".join(cell.source for cell in notebook.cells)


@pytest.mark.parametrize("name", UNITS)
def test_students_get_no_answer_and_teachers_all(name, written):
    one = UNITS[name]
    given_out, kept = texts(course.student(one, written, "")), texts(course.instructor(one, written, ""))
    assert [where for secret, where in secrets_of(one).items() if written(secret) in given_out] == []
    for task in one.tasks:
        assert task.only("stub") in given_out + "\n"
        assert all(part.code.strip() in kept for part in task.parts if part.kind in ("solution", "wrong"))
    for exercise in one.exercises:
        assert written(exercise.statement) in given_out and written(exercise.solution) in kept


@pytest.mark.parametrize("name", UNITS)
def test_pages_and_sources_for_students_hold_no_solution(name):
    source = (ROOT / "notebooks" / f"{name}.md").read_text(encoding="utf8")
    text = course.without_solutions(source)
    assert (
        "{solution}" not in text and [w for secret, w in secrets_of(UNITS[name]).items() if secret in text] == []
    )
    assert all(exercise.statement in text for exercise in UNITS[name].exercises)


@pytest.mark.skipif(not BUILT.is_dir(), reason="no course is built: make course")
def test_what_was_built_for_students_holds_no_answer():
    paths = [p for part in ("student", "site") for p in (BUILT / part).rglob("*") if p.is_file()]
    paths = [p for p in paths if p.suffix in (".html", ".ipynb", ".js", ".md", ".txt", ".json")]
    plain = {p: re.sub(r"\s+|\\n", " ", p.read_text(encoding="utf8")) for p in paths}
    found = []
    for one in UNITS.values():
        for secret, where in secrets_of(one).items():
            words = json.dumps(re.sub(r"\s+", " ", secret), ensure_ascii=False)[1:-1]
            found += [(p.name, where) for p, text in plain.items() if words in text]
    assert paths and not found


@pytest.mark.slow
@pytest.mark.parametrize("name", UNITS)
def test_a_students_notebook_says_how_an_answer_goes(name, written, capsys):
    one = UNITS[name]
    for answer, word in (({t.label: t.only("solution") for t in one.tasks}, "passed"), ({}, "not yet")):
        names: dict = {}
        for cell in course.student(one, written, "", answers=answer).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, f"<{name}>", "exec"), names)
        said = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("passed", "not yet"))]
        shown = sum(test.kind == "test" for task in one.tasks for test in task.tests)
        assert len(said) == shown and all(line.startswith(word) for line in said), said


def test_a_text_of_several_lines_stays_as_it_is_when_its_test_is_indented():
    code = 'hint = """Count\nagain."""\nif True:\n    x = (1,\n         2)\n'
    names: dict = {}
    exec(f"def f():\n{course._indented(code)}\n    return hint, x", names)
    assert names["f"]() == ("Count\nagain.", (1, 2))


# what is handed in -----------------------------------------------------------------------------------------------


def cell(*lines: str, kind: str = "code") -> dict:
    return {"cell_type": kind, "source": [f"{line}\n" for line in lines], "metadata": {}}


def test_answers_are_found_whatever_else_a_student_did():
    handed_in = [
        cell("import math", "x = 1 / 0"),
        cell("# given: task-a", "changed = 1"),
        cell("help_a = 1"),
        cell("# answer: task-a", "%matplotlib inline", "!ls", "print?", 'a = "%d" % help_a'),
        cell("text", kind="markdown"),
        cell("more_a = 2"),
        cell("# check: task-a", "expect = None"),
        cell("from __future__ import annotations", "from os import path"),
        cell("%%bash", "# answer: task-c"),
        cell("# answer: task-b", "b = math.pi"),
    ]
    found = answers({"cells": handed_in})
    names: dict = {}
    exec(found["task-a"], names)
    assert found.keys() == {"task-a", "task-b"} and names["a"] == "1" and names["more_a"] == 2
    assert "changed" not in names and "x" not in names
    exec(found["task-b"], names)
    assert names["path"] and names["b"] > 3


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["cells", "cell_type", "source"]), inner),
)


@settings(max_examples=30)
@given(json_values | st.builds(lambda cells: {"cells": cells}, st.lists(json_values)))
def test_whatever_is_handed_in_is_read_or_refused(value):
    try:
        assert answers(value) == {} or value
    except SubmissionError as error:
        assert "not a notebook" in str(error)


def test_an_answer_that_sets_what_grades_is_reported():
    code = "# answer: task-a\ndef expect(*_): pass\nchecks = 1"
    assert claimed({"cells": [cell(code), cell("# answer: task-b", "b = 2")]}) == {"task-a": ["checks", "expect"]}


PATCH = "from rbcore.course import grading\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer, passed, said",
    [
        ("two = 2", True, ""),
        ("expect = lambda *_: None\nouter = 3\ntwo = 3", False, "Count"),
        (
            f"{PATCH}grading.expect.__code__ = (lambda answer, hint: None).__code__\ntwo = 3",
            False,
            "replaces rbcore",
        ),
        (
            "class N:\n    def __eq__(self, o):\n        checks.equal = 1\n        return True\ntwo = N()",
            False,
            "checks.equal",
        ),
        ("import os\nos._exit(0)", False, "ended its process"),
        ("import sys\nsys.exit(0)", False, "does not run: SystemExit"),
    ],
)
def test_an_answer_cannot_grade_itself_or_end_what_grades(answer, passed, said):
    (outcome,) = grade("task-two", "outer = 2", answer, [("it is two", "expect(two == outer, 'Count again.')")])
    assert outcome.passed == passed and said in outcome.message


@pytest.mark.slow
def test_an_endless_answer_is_ended():
    outcomes = grade("task-two", "", "while True: pass", [("a", ""), ("b", "")], seconds=1.0)
    assert [o.passed for o in outcomes] == [False, False] and "within 1 s" in outcomes[0].message


def test_a_test_file_is_python_with_its_codes_unchanged():
    tests = [("it's", "x = '''a'''\n", False), ('"b"', 'y = "\\n"\n', True), ("c", "z = 1\n", False)]
    text = written_test("task-two", 3, "given = 1\n", tests).replace("from otter.test_files import test_case", "")
    names: dict = {"test_case": lambda **said: lambda function: said}
    exec(compile(text, "task-two.py", "exec"), names)
    assert [code.strip() for _, code in names["graded"].tests] == [code.strip() for _, code, _ in tests]
    assert names["test_1"] == {"name": '"b"', "hidden": True} and names["points"] == 3


ABOUT = {"chapters": {"01-x": {"title": "X", "tasks": {"task-two": {"title": "Two", "points": 3}}}}}


def test_students_are_told_apart_as_platforms_name_files(tmp_path):
    notebook = json.dumps({"cells": [cell("# answer: task-two", "two = 2")]})
    for name in ("ann/01-x.ipynb", "bob_123_01-x.ipynb", "01-x_carl (2).ipynb", "dora/homework.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(notebook)
    (tmp_path / "other.ipynb").write_text("{")
    found, notes = gradebook.submissions(tmp_path, ABOUT)
    assert [one.student for one in found] == ["ann", "bob_123", "carl", "dora"]
    assert len(notes) == 1 and "other.ipynb: no notebook of this course" in notes[0]
    with pytest.raises(gradebook.GradeError, match="holds no notebook"):
        gradebook.submissions(tmp_path / "ann" / "..", {"chapters": {}})
    with pytest.raises(gradebook.GradeError, match="not a folder"):
        gradebook.submissions(tmp_path / "nowhere", ABOUT)


def test_the_gradebook_is_csv_that_no_spreadsheet_executes(tmp_path):
    rows = [
        gradebook.Row("=1+1", "01-x", "task-two", 1.5, 3, 'Count,\n"again"'),
        gradebook.Row("../b", "01-x", "t", 3, 3, ""),
    ]
    gradebook.write(rows, [], tmp_path / "grades")
    with (tmp_path / "grades" / "grades.csv").open(newline="") as file:
        read_back = list(csv.reader(file))
    assert read_back[2] == ["'=1+1", "01-x", "task-two", "1.5", "3", 'Count,\n"again"']
    assert (tmp_path / "grades" / "totals.csv").read_text() == "student,points,of\n../b,3,3\n'=1+1,1.5,3\n"
    assert {p.parent.name for p in (tmp_path / "grades").rglob("*.txt")} == {"hints", "grades"}
    assert len(list((tmp_path / "grades" / "hints").iterdir())) == 2


TOOL = ROOT / course.TOOL / "bin" / "python"


@pytest.mark.slow
@pytest.mark.skipif(not TOOL.exists(), reason="the tool that grades is not installed: make course")
def test_the_tool_grades_as_a_teacher_would(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # grade with this checkout, not with the wheel of the last course
    one, place = unit(), tmp_path / "course"
    wheel = tmp_path / "rbcore-0-py3-none-any.whl"
    wheel.write_bytes(b"")
    course.archive(one, TOOL, place, wheel, [], [], seconds=20)
    (place / "course.json").write_text(json.dumps(ABOUT))
    handed_in = {"right": "two = 2", "wrong": "two = 3", "forger": "expect = print\ntwo = None\nprint('score: 3')"}
    for name, answer in handed_in.items():
        notebook = course.student(one, str, "raise SystemExit", answers={"task-two": answer})
        notebook.cells = [c for c in notebook.cells if name != "forger" or "check" not in c.id]
        course._save(tmp_path / "in" / name / "01-x.ipynb", notebook)
    (tmp_path / "in" / "broken 01-x.ipynb").write_text('{"cells": ')
    rows, notes = gradebook.grade_all(tmp_path / "in", place, TOOL, say=lambda _: None)
    got = {row.student: (row.points, row.hint) for row in rows}
    assert got["right"] == (3, "") and got["wrong"] == (1.5, "Count\nagain.")
    assert got["forger"] == (0, "Count\nagain.") and got["broken"][0] == 0
    assert "not graded: this is not a notebook" in got["broken"][1]
    assert sorted(note.split(",")[0] for note in notes) == ["broken", "forger"]


def test_the_command_says_what_is_missing(tmp_path, capsys):
    from rbcore.course.__main__ import main

    assert main(["check", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "holds no course" in said or "not installed" in said
    assert main(["grade", str(tmp_path), "--seconds", "0"]) == 1
    assert "positive" in capsys.readouterr().err


def test_a_book_without_tasks_makes_no_course(tmp_path: Path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01-x.md").write_text("# X\n")
    with pytest.raises(course.CourseError, match="has a task"):
        course.units(tmp_path)
    with pytest.raises(course.CourseError, match="make course"):
        course.make(tmp_path, [], tmp_path / "course")


def test_an_exam_has_an_answer_to_each_question_and_a_version_without_them() -> None:
    exam = (ROOT / course.EXAM).read_text(encoding="utf8")
    heads = re.findall(r"(?m)^## (.*)$", exam)
    assert len(heads) > 10 and len(re.findall(r"(?m)^Answer:", exam)) == len(heads)
    chapters = {path.stem.split("-")[0] for path in notebooks(ROOT)}
    for head in heads:
        found = re.fullmatch(r"(\w+): .+ \(\d+ minutes, \d+ points\)", head)
        assert found and found[1] in chapters, head
    left = course.questions(exam)
    assert re.findall(r"(?m)^## (.*)$", left) == heads and "Answer:" not in left.split("## ", 1)[1]
