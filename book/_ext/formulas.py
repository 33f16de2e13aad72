"""``{formula} name``: a displayed formula that is tied to code, by `book/formulas/`; the option label numbers it.

It is typeset from the very string that was evaluated or proved; `rbcore/book/formulas.py` says how, and the build
checks all of them before the pages are made.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.directives.patches import MathDirective


class FormulaDirective(MathDirective):
    """Display mathematics with the name of its tie."""

    required_arguments, optional_arguments, final_argument_whitespace = 1, 0, False

    def run(self) -> list[nodes.Node]:
        self.arguments.clear()  # what stands there for Sphinx is the first line of the formula
        return super().run()


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("formula", FormulaDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
