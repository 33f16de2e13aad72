"""What every page carries: download buttons, the macros of its formulas, and the notation table.

The theme's own buttons offer the file that Sphinx read.  Readers want the two files that they can run: the
executed notebook with its numbers filled in, and the MyST source.  The build puts both under `downloads/`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

from rbcore.book.downloads import MACROS
from rbcore.book.site import DOWNLOADS
from rbcore.information.notation import NOTATION


def header_buttons(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Replace the theme's download group by links to files that run."""
    buttons = context.get("header_buttons", [])
    chapter = page.removeprefix("chapters/")
    for group in [b for b in buttons if b.get("label") == "download-buttons"]:
        kept = [b for b in group["buttons"] if b.get("label") == "download-pdf-button"]
        files = [
            ("ipynb", "Executed notebook", "download-notebook-button", "fas fa-code"),
            ("md", "Notebook source", "download-source-button", "fas fa-file"),
        ]
        links = [
            {
                "type": "link",
                "url": f"{context['pathto']('downloads', 1)}/{chapter}.{suffix}",
                "text": f".{suffix}",
                "icon": icon,
                "tooltip": text,
                "label": label,
            }
            for suffix, text, label, icon in files
            if (Path(app.srcdir) / DOWNLOADS / f"{chapter}.{suffix}").exists()
        ]
        group["buttons"] = links + kept


def copy_downloads(app: Sphinx, exception: Exception | None) -> None:
    source = Path(app.srcdir) / DOWNLOADS
    if exception is None and app.builder.format == "html" and source.is_dir():
        shutil.copytree(source, Path(app.outdir) / "downloads", dirs_exist_ok=True)


class NotationDirective(SphinxDirective):
    """The table of symbols, from the same list that renders every formula."""

    def run(self) -> list[nodes.Node]:
        lines = ["| In a formula | In a notebook | Meaning |", "|:---|:---|:---|"]
        lines += [f"| ${s.latex}$ | `{s.name}` | {s.meaning} |" for s in NOTATION.values()]
        holder = nodes.Element()
        self.state.nested_parse(StringList(lines, source="notation"), self.content_offset, holder)
        for table in holder.findall(nodes.table):
            table["classes"] += ["rb-table", "rb-notation"]
        return holder.children


def set_macros(app: Sphinx, config: Config) -> None:
    """MathJax gets the macros that downloads have written out."""
    config.mathjax3_config = {"tex": {"macros": {name.removeprefix("\\"): tex for name, tex in MACROS.items()}}}


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", set_macros)
    app.add_directive("notation", NotationDirective)
    app.connect("html-page-context", header_buttons, priority=900)
    app.connect("build-finished", copy_downloads)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
