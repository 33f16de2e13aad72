"""Long accounts that a reader can use: rows come as they are asked for, with filters.

``Rows`` holds a table's rows or a page's boxes.  They are written inside ``<noscript>``: a browser without scripts
shows all of them, and one with scripts takes them for text, until ``accounts.js`` brings in those that pass the
filters, some at a time.  So a page of thousands of formulas opens at once, also from the disk.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


class Rows(nodes.General, nodes.Element):
    """What is brought in row by row: the attribute ``of`` says what, in the plural."""


def visit_rows(self: HTML5Translator, node: Rows) -> None:
    self.body.append(f'<div class="rb-rows" data-of="{node["of"]}"><noscript>')


def depart_rows(self: HTML5Translator, node: Rows) -> None:
    self.body.append("</noscript></div>\n")


def add_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """The script, on pages that have such rows."""
    if doctree is not None and any(doctree.findall(Rows)):
        app.add_js_file("accounts/accounts.js", loading_method="defer")
        app.add_css_file("accounts/accounts.css")


def setup(app: Sphinx) -> dict[str, Any]:
    through = (lambda self, node: None, lambda self, node: None)
    app.add_node(Rows, html=(visit_rows, depart_rows), text=through, latex=through)
    app.connect("html-page-context", add_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
