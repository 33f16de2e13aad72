"""The directive ``{syllabus}``: what each chapter needs, takes and sets, read from the chapters themselves.

Rows are made when all pages are known: the minutes are those that stand below a chapter's title, the seconds those
that were last recorded, and levels and minutes of tasks those of :mod:`rbcore.course.tasks`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from reading import minutes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from rbcore.book.execute import ROOT, notebooks
from rbcore.course.tasks import tasks

HEADS = ("Chapter", "Reading, minutes", "Run, processor seconds", "Exercises", "With code (level: minutes)")


class syllabus(nodes.General, nodes.Element):
    """Where the table will stand."""


class Syllabus(SphinxDirective):
    """The place of the table."""

    def run(self) -> list[nodes.Node]:
        return [syllabus()]


def cell(*children: nodes.Node) -> nodes.entry:
    return nodes.entry("", nodes.paragraph("", "", *children))


def row(app: Sphinx, page: str, costs: dict[str, float], source: Path) -> nodes.row:
    """One chapter: its title leads there."""
    title = app.env.titles[f"chapters/{source.stem}"].astext()
    place = addnodes.pending_xref(
        "", refdomain="std", reftype="doc", refexplicit=True, reftarget=f"/chapters/{source.stem}",
        refdoc=page, refwarn=True,
    )  # fmt: skip
    place += nodes.inline("", f"{source.stem.split('-')[0]} {title}")
    rising = sorted(tasks(source), key=lambda task: task.level)
    code = ", ".join(f"{task.level}: {task.minutes}" for task in rising)
    pencil = source.read_text(encoding="utf8").count("{exercise}")
    cost = costs.get(source.stem)
    said = (
        minutes(app.env.get_doctree(f"chapters/{source.stem}")),
        "" if cost is None else max(1, round(cost)),
        pencil,
        code,
    )
    return nodes.row("", cell(place), *(cell(nodes.Text(str(one))) for one in said))


def fill(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put the table into its place."""
    for node in list(doctree.findall(syllabus)):
        record = ROOT / "book" / "costs.json"
        costs = json.loads(record.read_text(encoding="utf8"))["chapters"] if record.exists() else {}
        known = [path for path in notebooks(ROOT) if f"chapters/{path.stem}" in app.env.all_docs]
        head = nodes.thead("", nodes.row("", *(cell(nodes.Text(text)) for text in HEADS)))
        body = nodes.tbody("", *(row(app, page, costs, source) for source in known))
        group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (40, 10, 12, 10, 20)), head, body)
        node.replace_self(nodes.table("", group, classes=["rb-syllabus"]))
        for reference in list(doctree.findall(addnodes.pending_xref)):
            if reference.get("reftarget", "").startswith("/chapters/"):
                uri = app.builder.get_relative_uri(page, reference["reftarget"].lstrip("/"))
                reference.replace_self(nodes.reference("", "", *reference.children, internal=True, refuri=uri))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_node(syllabus)
    app.add_directive("syllabus", Syllabus)
    app.connect("doctree-resolved", fill)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
