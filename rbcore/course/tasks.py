"""Exercises with code: statement, stub, solution, tests with hints, typical wrong answers; in a notebook's text.

A task stands in a Markdown cell, among the exercises of its chapter, so that it is not executed with the chapter:

    ````{task} A tighter constant
    :label: task-tighter-constant
    :level: 1
    :points: 4
    :minutes: 15
    What is to be done, in MyST; the names that an answer must define are in the stub.

    ```python
    # given
    from rbcore.theory import divergence
    ```

    ```python
    # stub
    def constant():
        return ...
    ```

    ```python
    # solution
    def constant():
        return 2
    ```

    ```python
    # test: the bound holds with this constant
    expect(checks.at_most(...), "Try the world in which ...")
    ```

    ```python
    # hidden: ... and with no smaller one
    expect(...)
    ```

    ```python
    # wrong: Try the world
    def constant():
        return 1
    ```
    ````

`given` comes before stub and answer, and is shown.  A `test` is shown to students, a `hidden` one is run by the
autograder alone; both may use `expect`, `checks`, `np` and all that answer and `given` define.  A name that
`given` defines means the same in every test, whatever an answer does with it.  A stub fails every test.  A
`wrong` answer fails one, and the words behind its name stand in the message of the first that it fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

from rbcore.course.sandbox import Outcome, attempt

Kind = Literal["given", "stub", "solution", "test", "hidden", "wrong"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ANSWERS = ("solution", "hidden", "wrong")  # what students do not see
TASK = re.compile(r"^(`{4,})\{task\}[ ]*([^\n]*)\n(.*?)^\1[ ]*\n?", re.M | re.S)
PART = re.compile(r"^```python\n# (\w+)(?::[ ]*([^\n]*))?\n(.*?)^```[ ]*\n\n*", re.M | re.S)
OPTIONS = re.compile(r"(?::[\w-]+:[^\n]*\n)+")
LABEL = re.compile(r"task(-[a-z0-9]+)+")


class TaskError(ValueError):
    """A task that cannot be read; the message names the file, the line and what would be right."""


class Part(NamedTuple):
    """One block of code of a task: its kind, the words behind the kind, its code."""

    kind: Kind
    said: str
    code: str


@dataclass(frozen=True)
class Task:
    """One exercise with code.  level: 1 to 3, rising difficulty; minutes: what it takes a student."""

    chapter: str
    label: str
    title: str
    level: int
    points: int
    minutes: int
    statement: str
    parts: tuple[Part, ...]

    def only(self, kind: Kind) -> str:
        """The code of the one part of this kind; empty where there is none."""
        return next((part.code for part in self.parts if part.kind == kind), "")

    @property
    def tests(self) -> tuple[Part, ...]:
        """The tests that students see and then those that they do not."""
        return tuple(
            sorted((p for p in self.parts if p.kind in ("test", "hidden")), key=lambda p: p.kind == "hidden")
        )

    @property
    def wrong(self) -> tuple[Part, ...]:
        """Typical wrong answers; their words stand in the message that such an answer gets."""
        return tuple(part for part in self.parts if part.kind == "wrong")

    def grade(self, answer: str) -> tuple[Outcome, ...]:
        """Run an answer and then every test on it, in this process; one that does not run fails all tests."""
        return attempt(self.label, self.only("given"), answer, [(test.said, test.code) for test in self.tests])


def tasks(source: Path) -> list[Task]:
    """The tasks of one chapter's notebook, in their order.

    Raises:
        TaskError: for a task that cannot be read.
    """
    return list(read(source.read_text(encoding="utf8"), source.stem))


def read(text: str, chapter: str) -> Iterator[Task]:
    """The tasks in the text of the notebook `chapter`; see :func:`tasks`."""
    opened = len(re.findall(r"^`{3,}\{task\}|^:{3,}\{task\}", text, re.M))
    found = list(TASK.finditer(text))
    if len(found) != opened:
        raise TaskError(
            f"{chapter}: a task opens with four backticks and ends with as many on a line of their own"
        )
    for match in found:
        _, title, body = match.groups()
        where = f"{chapter}.md:{text[: match.start()].count(chr(10)) + 1}"
        yield _task(chapter, where, title.strip(), body)


def _task(chapter: str, where: str, title: str, body: str) -> Task:
    head = OPTIONS.match(body)
    options = dict(re.findall(r":([\w-]+):[ ]*(.*)", head[0])) if head else {}
    label = options.get("label", "")
    if not title or not LABEL.fullmatch(label):
        raise TaskError(f"{where}: a task has a title and a label such as task-tighter-constant, got {label!r}")
    numbers = {}
    for name, most in (("level", 3), ("points", 20), ("minutes", 120)):
        given = options.get(name, "").strip()
        if not (given.isdecimal() and 1 <= int(given) <= most):
            raise TaskError(f"{where}: {label} needs `:{name}:`, a number from 1 to {most}, got {given!r}")
        numbers[name] = int(given)
    rest = body[head.end() :] if head else body
    parts = []
    for kind, said, code in PART.findall(rest):
        if kind not in KINDS:
            raise TaskError(
                f"{where}: {label}: a block of code begins with `# ` and one of {', '.join(KINDS)}, got {kind!r}"
            )
        if not said.strip() and kind in ("test", "hidden", "wrong"):
            raise TaskError(
                f"{where}: {label}: `# {kind}:` is followed by words: what is tested, or the hint that is due"
            )
        parts.append(Part(cast(Kind, kind), said.strip(), code))
    statement = PART.sub("", rest)
    if re.search(r"^`{3,}python", statement, re.M):
        raise TaskError(
            f"{where}: {label}: a block of code begins with ```python and then `# given`, `# stub`, ..."
        )
    counts = {kind: sum(part.kind == kind for part in parts) for kind in KINDS}
    if counts["stub"] != 1 or counts["solution"] != 1 or counts["given"] > 1 or not counts["test"]:
        raise TaskError(f"{where}: {label} needs one stub, one solution, a test, and at most one `given`")
    if counts["wrong"] < 2:
        raise TaskError(
            f"{where}: {label} needs two typical wrong answers, `# wrong: words of the hint that is due`"
        )
    return Task(
        chapter,
        label,
        title,
        statement=re.sub(r"\n{3,}", "\n\n", statement).strip(),
        parts=tuple(parts),
        **numbers,
    )


def without_answers(text: str) -> str:
    """The text of a notebook or a cell without solutions, hidden tests and wrong answers."""

    def shown(match: re.Match[str]) -> str:
        return PART.sub(lambda part: "" if part[1] in ANSWERS else part[0], match[0])

    return TASK.sub(shown, text)
