"""What a submitted notebook answers, and how Otter-Grader is told to grade it.

A student's notebook is never executed as a whole.  The cells from ``# given: task-x`` or ``# answer: task-x`` to
``# check: task-x`` are the answer to a task; of other cells only imports count.  Otter executes an empty
notebook in its place and runs the test files of its archive, each of which asks :class:`Graded` how its test
went.  So the tests, what is given and the points come from the archive, whatever the notebook says.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rbcore.course.sandbox import SECONDS, Outcome, grade

HEAD = re.compile(r"\A\s*#[ ]*(given|answer|check):[ ]*(task(?:-[a-z0-9]+)+)")
OUTCOMES = "RBCORE_OUTCOMES"  # names the file for the outcomes of one submission, where they are wanted
ANSWERS = "answers.json"  # beside the notebook, while it is graded
MARKED = "AssertionError: "  # what Otter puts before the message of a test that failed


class SubmissionError(ValueError):
    """A file that is no notebook; the message says what is wrong with it."""


def answers(notebook: Mapping[str, Any]) -> dict[str, str]:
    """The code that answers each task, by label.

    Raises:
        SubmissionError: for something that has no list of cells.
    """
    cells = notebook.get("cells") if isinstance(notebook, Mapping) else None
    if not isinstance(cells, list):
        raise SubmissionError("this is not a notebook: it has no list of cells")
    found: dict[str, list[str]] = {}
    imports: list[str] = []
    label = ""
    for cell in cells:
        if not isinstance(cell, Mapping) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", "")
        code = _plain("".join(source) if isinstance(source, list) else str(source))
        head = HEAD.match(code)
        if head:
            label = "" if head[1] == "check" else head[2]
        if head and head[1] in ("given", "check"):
            continue
        if label:
            found.setdefault(label, []).append(code)
        else:
            imports += _imports(code)
    above = "\n".join(dict.fromkeys(imports))
    return {label: "\n".join([above, *codes]) if above else "\n".join(codes) for label, codes in found.items()}


def claimed(notebook: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of what grades that an answer sets itself, by task: without effect, but worth a look."""
    found = {}
    for label, code in answers(notebook).items():
        with suppress(SyntaxError, ValueError):
            nodes = list(ast.walk(ast.parse(code)))
            names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
            names |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            if own := sorted(names & {"expect", "trial", "checks"}):
                found[label] = own
    return found


def _plain(code: str) -> str:
    """Code without the lines that only IPython understands, and nothing of a cell in another language."""
    if code.lstrip().startswith("%%"):
        return ""
    return "\n".join(line for line in code.split("\n") if not re.match(r"[%!?]|[\w.]+\?+\s*$", line))


def _imports(code: str) -> list[str]:
    """The imports at the top level of a cell; none where it cannot be read."""
    with suppress(SyntaxError, ValueError):
        nodes = ast.parse(code).body
        kept = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        kept = [node for node in kept if getattr(node, "module", "") != "__future__"]
        return [f"try:\n    {ast.unparse(node)}\nexcept ImportError:\n    pass" for node in kept]
    return []


class Graded:
    """One task in a test file of an archive: asks the answer beside the notebook, once, for all tests."""

    def __init__(self, label: str, given: str, tests: Sequence[tuple[str, str]]) -> None:
        self.label, self.given, self.tests = label, given, tests

    @functools.cached_property
    def outcomes(self) -> tuple[Outcome, ...]:
        """How each test went; the answer runs in a process of its own."""
        kept = json.loads(Path(ANSWERS).read_text(encoding="utf8"))
        answer = kept["answers"].get(self.label)
        if answer is None:
            why = f"no cell begins with `# answer: {self.label}`"
            return tuple(Outcome(said, False, why) for said, _ in self.tests)
        return grade(self.label, self.given, answer, self.tests, seconds=kept["seconds"])

    def ask(self, number: int) -> None:
        """Go on if the test of this number passed.

        Raises:
            AssertionError: with the hint.
        """
        outcome = self.outcomes[number]
        if not outcome.passed:
            raise AssertionError(f"{outcome.message}\n")  # Otter strips quotation marks at the end


class Plugin:
    """The plugin that an archive names: takes the answers out of the notebook, and hints into the results."""

    def __init__(self, path: str, metadata: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        self.path, self.seconds = Path(path or "."), float(config.get("seconds", SECONDS))

    def before_execution(self, notebook: Any) -> Any:
        """Keep the answers beside the notebook, remove every other file that was handed in, execute nothing."""
        for path in self.path.parent.iterdir():
            if path.is_file() and path != self.path:
                path.unlink()
            elif path.is_dir() and path.name != "tests":
                path.rename(path.with_name(f"_{path.name.replace('.', '_')}-not-used"))
        kept = {"answers": answers(notebook), "seconds": self.seconds}
        (self.path.parent / ANSWERS).write_text(json.dumps(kept), encoding="utf8")
        notebook.cells = []
        return notebook

    def after_grading(self, results: Any) -> None:
        """Say of each test what it found instead of where it stands; write it down where that is asked for."""
        found = {}
        for label, file in results.results.items():
            tests = []
            for result in file.test_case_results:
                hint = (result.message or "").partition(MARKED)[2].strip()
                result.message = "passed" if result.passed else hint
                case = result.test_case
                tests.append({"test": case.name, "hidden": case.hidden, "passed": result.passed, "hint": hint})
            found[label] = {"points": file.score, "of": file.possible, "tests": tests}
        if OUTCOMES in os.environ:
            Path(os.environ[OUTCOMES]).write_text(json.dumps(found), encoding="utf8")


def test_file(label: str, points: int, given: str, tests: Sequence[tuple[str, str, bool]]) -> str:
    """The text of a test file of Otter for one task.

    Args:
        tests: for each its words, its code, and whether it is hidden from students.
    """
    lines = [
        "from otter.test_files import test_case",
        "",
        "from rbcore.course.submission import Graded",
        "",
        "OK_FORMAT = False",
        f"name = {label!r}",
        f"points = {points}",
        "all_or_nothing = False",
        f"given = {_literal(given)}",
        "tests = [",
        *(f"    ({said!r}, {_literal(code)})," for said, code, _ in tests),
        "]",
        "graded = Graded(name, given, tests)",
    ]
    for number, (said, _, hidden) in enumerate(tests):
        lines += ["", "", f"@test_case(name={said!r}, hidden={hidden})"]
        lines += [f"def test_{number}():", f"    graded.ask({number})"]
    return "\n".join(lines) + "\n"


def _literal(code: str) -> str:
    """Code as a literal to read, where its quotes and backslashes allow that."""
    return repr(code) if "'''" in code or "\\" in code or code.endswith("'") else f"'''\n{code}'''"
