"""Long accounts that a reader can use: rows come as they are asked for, with filters.

``Rows`` holds a table's rows or a page's boxes.  They are written inside ``<noscript>``: a browser without scripts
shows all of them, and one with scripts takes them for text, until ``accounts.js`` brings in those that pass the
filters, some at a time.  So a page of thousands of formulas opens at once, also from the disk.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.writers.html5 import HTML5Translator
from web import need


class Rows(nodes.General, nodes.Element):
    """What is brought in row by row: the attribute ``of`` says what, in the plural."""


def visit_rows(self: HTML5Translator, node: Rows) -> None:
    self.body.append(f'<div class="rb-rows" data-of="{node["of"]}"><noscript>')


def depart_rows(self: HTML5Translator, node: Rows) -> None:
    self.body.append("</noscript></div>\n")


def in_rows(env: BuildEnvironment, of: str, *children: nodes.Node) -> Rows:
    """Such rows on the page being read, which gets their script."""
    need(env, "accounts/accounts.js", "accounts/accounts.css")
    return Rows("", *children, of=of)


def setup(app: Sphinx) -> dict[str, Any]:
    through = (lambda self, node: None, lambda self, node: None)
    app.add_node(Rows, html=(visit_rows, depart_rows), text=through, latex=through)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
