"""``{field}``: the results of the literature around the paper as a table, from `field*.yaml`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from ledger_roles import badge, chapter_link, read_ledger, row_of, table_of
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from rbcore.book.field import RELATIONS, Entry, read

logger = logging.getLogger(__name__)


class FieldDirective(SphinxDirective):
    """A line that counts the relations, and a row for each result: what, under what, how, the framework."""

    def run(self) -> list[nodes.Node]:
        paths = sorted(Path(self.env.srcdir).glob("field*.yaml"))
        for path in paths:
            self.env.note_dependency(str(path))
        _, self.claims = read_ledger(self.env)
        entries = read(paths)
        kinds = Counter(entry.relation for entry in entries)
        counts = ", ".join(f"{name}: {kinds[name]}" for name in RELATIONS)
        line = nodes.paragraph("", f"Results: {len(entries)}; {counts}.")
        head = ["Result", "Here", "In the framework"]
        return [line, table_of("rb-field", head, [48, 20, 32], [self.row(entry) for entry in entries])]

    def row(self, entry: Entry) -> nodes.row:
        sources = " ".join(f"{{cite:t}}`{key}`" for key in entry.source)
        row = row_of(
            self.parsed(f"{entry.result} {sources}", "", f"*Needs:* {entry.assumptions}"),
            self.place(entry),
            self.parsed(f"*{entry.relation.capitalize()}.* {entry.reason}"),
        )
        row["ids"].append(f"field-{entry.key}")
        return row

    def place(self, entry: Entry) -> nodes.entry:
        """How it stands here, and where: the statement, the badges of the claims, the chapter."""
        text = entry.status.capitalize() + (f", {{prf:ref}}`{entry.label}`" if entry.label else "")
        cell = self.parsed(text)
        line = nodes.paragraph("", "Chapter\u00a0")
        line += chapter_link(self.env, entry.chapter, "")
        for id in entry.claim:
            if id not in self.claims:
                logger.warning("no notebook claims %r", id, location=self.get_location())
                continue
            line += [nodes.Text("\u2002"), badge(self.claims[id], self.env.docname)]
        cell += line
        return cell

    def parsed(self, *lines: str) -> nodes.entry:
        holder = nodes.Element()
        self.state.nested_parse(StringList(lines, source="field"), self.content_offset, holder)
        return nodes.entry("", *holder.children)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("field", FieldDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
