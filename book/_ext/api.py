"""``{api} ROOM``: what a room of the core offers, from its docstrings, and which chapters use it."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from rbcore.book.api import Entry, modules, used
from rbcore.book.execute import ROOT

PARTS = re.compile(r"^(Args|Returns|Raises|Yields|Attributes):$")


class Api(SphinxDirective):
    """A section for each module of the rooms that are named."""

    required_arguments = 1
    optional_arguments = 20

    def run(self) -> list[nodes.Node]:
        users = used(ROOT)
        return [self.section(module, users) for room in self.arguments for module in modules(ROOT, room)]

    def section(self, module: Any, users: dict[tuple[str, str], list[str]]) -> nodes.section:
        ident = nodes.make_id(f"api-{module.name}")
        section = nodes.section("", nodes.title("", "", nodes.literal("", module.name)), ids=[ident])
        section += prose(module.text)
        rows = nodes.definition_list(classes=["rb-api"])
        for entry in module.entries:
            rows += self.entry(entry, users.get((entry.module, entry.name), []))
        section += rows
        return section

    def entry(self, entry: Entry, chapters: list[str]) -> nodes.definition_list_item:
        term = nodes.term("", "", nodes.literal("", entry.signature))
        term["ids"] = [f"{entry.module}.{entry.name}"]  # as Python spells it: Mean and mean are two
        said = nodes.definition("", *prose(entry.text))
        if chapters:
            line = nodes.paragraph("", "Used in ", classes=["rb-api-used"])
            for i, chapter in enumerate(chapters):
                place = addnodes.pending_xref(
                    "", refdomain="std", reftype="doc", refexplicit=True, reftarget=f"/chapters/{chapter}",
                    refdoc=self.env.docname, refwarn=True,
                )  # fmt: skip
                place += nodes.inline("", chapter.split("-")[0])
                line += [nodes.Text(", ")] * (i > 0) + [place]
            line += nodes.Text(".")
            said += line
        return nodes.definition_list_item("", term, said)


def inline(text: str) -> list[nodes.Node]:
    """Text with its code in literals."""
    text = re.sub(r":\w+:`~?", "`", " ".join(text.split()))
    parts = re.split(r"(``.+?``|`[^`]+`)", text)
    return [
        nodes.literal("", part.strip("`")) if part.startswith("`") else nodes.Text(part) for part in parts if part
    ]


def prose(text: str) -> list[nodes.Node]:
    """A docstring of the house: paragraphs, and lists below `Args:` and the like."""
    found: list[nodes.Node] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        head, *rest = block.splitlines()
        if PARTS.match(head.strip()) and rest:
            found.append(nodes.paragraph("", "", nodes.strong("", head.strip())))
            entries: list[str] = []
            deep = len(rest[0]) - len(rest[0].lstrip())
            for row in rest:
                if entries and len(row) - len(row.lstrip()) > deep:
                    entries[-1] += " " + row.strip()
                else:
                    entries.append(row.strip())
            items = [nodes.list_item("", nodes.paragraph("", "", *item(one, head))) for one in entries]
            found.append(nodes.bullet_list("", *items))
        elif re.search(r"(?m)^(?:\s{4,}|- |\* |>>> )", block):
            found.append(nodes.literal_block(block, block, language="text"))
        else:
            found.append(nodes.paragraph("", "", *inline(block)))
    return found


def item(text: str, head: str) -> list[nodes.Node]:
    name, mark, said = text.partition(": ")
    if mark and not head.startswith(("Returns", "Yields")) and re.fullmatch(r"[\w*, ]+", name):
        return [nodes.literal("", name), nodes.Text(": "), *inline(said)]
    return inline(text)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("api", Api)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
