"""The directive ``{task}``: an exercise with code, its stub and the tests that students see; never an answer.

The grammar is that of :mod:`rbcore.course.tasks`; the assembled sources hold tasks without answers already.
"""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx_exercise.directive import ExerciseDirective

from rbcore.course.tasks import ANSWERS, PART

LEVELS = {1: "a first step", 2: "needs the chapter", 3: "needs an idea"}
HEADS = {"given": "Given:", "stub": "Your answer begins with:"}


class Task(ExerciseDirective):
    """An exercise of sphinx-exercise whose blocks of code have heads, and whose tests are folded."""

    name = "task"
    option_spec = ExerciseDirective.option_spec | {
        "level": directives.nonnegative_int,
        "points": directives.nonnegative_int,
        "minutes": directives.nonnegative_int,
    }

    def run(self) -> list[nodes.Node]:
        text, said = "\n".join(self.content) + "\n", []
        for kind, words, code in PART.findall(text):
            if kind in ANSWERS:
                raise ExtensionError(f"{self.options.get('label')}: the sources of the pages hold a {kind}")
            if kind == "test":
                said.append(f"# {words}\n{code}")
        body = PART.sub(lambda part: self._block(*part.groups()), text)
        level, points, minutes = (self.options.pop(name, 0) for name in ("level", "points", "minutes"))
        body += f"\n*Code, level {level} ({LEVELS[level]}), {points} points, about {minutes} minutes.*\n"
        if said:
            code = "\n".join(said)
            body += f"\n`````{{dropdown}} What is tested\n```python\n{code}```\n`````\n"
        self.content = StringList(body.split("\n"), source=self.get_source_info()[0])
        self.options["class"] = [*self.options.get("class", []), "rb-task"]
        self.name = "exercise"  # whose class and number it has
        return super().run()

    def _block(self, kind: str, words: str, code: str) -> str:
        return f"{HEADS[kind]}\n\n```python\n{code}```\n\n" if kind in HEADS else ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("task", Task)
    return {"parallel_read_safe": True}
