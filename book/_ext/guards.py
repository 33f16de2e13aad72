"""What the guards of the book catch: directive ``{mutants}``, and the role ``{mutant}`made` `` for one total.

Both read `mutants.json`, the record of `make mutants`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from ledger_roles import row_of, table_of
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from rbcore.book import mutants

logger = logging.getLogger(__name__)


def read(env: BuildEnvironment) -> dict[str, Any]:
    """The record; the page is noted as depending on it."""
    path = Path(env.srcdir) / "mutants.json"
    env.note_dependency(str(path))
    return mutants.read(path)


TOTALS: dict[str, Callable[[mutants.Row], str]] = {
    "made": lambda row: f"{row.made:,}",
    "equivalent": lambda row: f"{row.equivalent:,}",
    "killed": lambda row: f"{row.killed:,}",
    "worded": lambda row: f"{row.worded:,}",
    "survivors": lambda row: f"{row.made - row.killed - row.equivalent:,}",
    "share": lambda row: f"{row.share:.1%}",
    "beyond": lambda row: f"{row.beyond:.1%}",
}


class TotalRole(SphinxRole):
    """One number of the record, over all classes."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        show = TOTALS.get(self.text.strip())
        if show is None:
            logger.warning("no total %r; there are %s", self.text, ", ".join(TOTALS), location=self.get_location())
            return [nodes.problematic(self.rawtext, f"?{self.text}?")], []
        return [nodes.inline(self.rawtext, show(mutants.total(read(self.env))), classes=["rb-count"])], []


class MutantsDirective(SphinxDirective):
    """The classes with their counts, or with ``:of: survivors`` the mutants that nothing noticed."""

    option_spec = {"of": lambda text: directives.choice(text, ("classes", "survivors"))}

    def run(self) -> list[nodes.Node]:
        record = read(self.env)
        if self.options.get("of") == "survivors":
            items = [
                self.item(name, one)
                for name, entry in record.get("classes", {}).items()
                for one in entry["survivors"]
            ]
            return [nodes.bullet_list("", *items)] if items else []
        rows = [self.row(row) for row in [*mutants.rows(record), mutants.total(record)]] if record else []
        head = ["Class", "Noticed", "Not only as wording", "Made", "Change nothing"]
        return [table_of("rb-mutants", head, [32, 16, 20, 14, 18], rows)] if rows else []

    def row(self, row: mutants.Row) -> nodes.row:
        shown = [TOTALS[name](row) for name in ("share", "beyond", "made", "equivalent")]
        return row_of(nodes.Text(row.name), *map(nodes.Text, shown))

    def item(self, name: str, one: Mapping[str, Any]) -> nodes.list_item:
        """A survivor: its class, place and change, and why nothing notices it."""
        equivalent = " It changes nothing." if one.get("equivalent") else ""
        parts = [
            nodes.strong("", name),
            nodes.Text(" in "),
            nodes.literal("", one["place"]),
            nodes.Text(", "),
            nodes.literal("", one["change"].replace(" -> ", " \u2192 ")),
            nodes.Text(f": {one['reason']}{equivalent}"),
        ]
        return nodes.list_item("", nodes.paragraph("", "", *parts))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_role("mutant", TotalRole())
    app.add_directive("mutants", MutantsDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
