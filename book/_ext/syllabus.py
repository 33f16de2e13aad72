"""The directive ``{syllabus}``: what each chapter needs, takes and sets, read from the chapters themselves.

Rows are made when all pages are known: the minutes are those that stand below a chapter's title, the seconds those
that were last recorded, and levels and minutes of tasks those of :mod:`rbcore.course.tasks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from ledger_roles import row_of, table_of
from reading import minutes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from rbcore.book.execute import COSTS, ROOT, notebooks, recorded_costs
from rbcore.course.tasks import tasks

HEADS = ["Chapter", "Reading, minutes", "Run, processor seconds", "Exercises", "With code (level: minutes)"]
WIDTHS = [40, 10, 12, 10, 20]


class syllabus(nodes.General, nodes.Element):
    """Where the table will stand."""


class Syllabus(SphinxDirective):
    """The place of the table."""

    def run(self) -> list[nodes.Node]:
        return [syllabus()]


def row(app: Sphinx, page: str, costs: dict[str, float], source: Path) -> nodes.row:
    """One chapter: its title leads there."""
    title = app.env.titles[f"chapters/{source.stem}"].astext()
    uri = app.builder.get_relative_uri(page, f"chapters/{source.stem}")
    place = nodes.reference("", f"{source.stem.split('-')[0]} {title}", internal=True, refuri=uri)
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
    return row_of(place, *(nodes.Text(str(one)) for one in said))


def fill(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put the table into its place."""
    for node in list(doctree.findall(syllabus)):
        costs = recorded_costs(ROOT / COSTS)
        known = [path for path in notebooks(ROOT) if f"chapters/{path.stem}" in app.env.all_docs]
        rows = [row(app, page, costs, source) for source in known]
        node.replace_self(table_of("rb-syllabus", HEADS, WIDTHS, rows))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_node(syllabus)
    app.add_directive("syllabus", Syllabus)
    app.connect("doctree-resolved", fill)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
