"""What pages carry: download buttons, the macros of formulas, the notation table, and figures of chapters.

The theme's own buttons offer the file that Sphinx read.  Readers want the two files that they can run: the
executed notebook with its numbers filled in, and the MyST source.  The build puts both under `downloads/`.
"""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from rbcore.book.downloads import MACROS
from rbcore.book.site import DOWNLOADS
from rbcore.information.notation import NOTATION

logger = logging.getLogger(__name__)


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


class FigureOf(SphinxDirective):
    """A figure of a chapter as this run drew it, on another page; the content is its caption there.

    The arguments are the chapter and the figure's name.  A chapter that did not run has no figure to show.
    """

    required_arguments = 2
    has_content = True

    def run(self) -> list[nodes.Node]:
        chapter, name = self.arguments
        path = Path(self.env.srcdir) / "chapters" / f"{chapter}.ipynb"
        self.env.note_dependency(str(path))
        cells = json.loads(path.read_text(encoding="utf8"))["cells"] if path.exists() else []
        for cell in cells:
            about = cell["metadata"].get("mystnb", {})
            drawn = [
                out["data"]["image/png"] for out in cell.get("outputs", ()) if "image/png" in out.get("data", ())
            ]
            if about.get("figure", {}).get("name") == name and drawn:
                picture = Path(self.env.srcdir) / "figures" / f"{name}.png"
                picture.parent.mkdir(exist_ok=True)
                picture.write_bytes(base64.b64decode("".join(drawn[0])))
                image = nodes.image(uri=f"/figures/{picture.name}", alt=about["image"]["alt"].strip())
                caption = nodes.caption()
                children, messages = self.state.inline_text(" ".join(self.content), self.lineno)
                caption += children
                return [nodes.figure("", image, caption), *messages]
        return []


class Awaited(nodes.General, nodes.Element):
    """The place of a figure that a later cell draws."""


class HeadFigure(SphinxDirective):
    """Show a figure here that a cell further down draws; the cell says where it went."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        place = Awaited(figure=self.arguments[0])
        self.set_source_info(place)
        return [place]


def move_figures(app: Sphinx, document: nodes.document) -> None:
    """Bring each awaited figure to its place."""
    for place in list(document.findall(Awaited)):
        name = place["figure"]
        drawn = [node for node in document.findall(nodes.figure) if name in (*node["ids"], *node["names"])]
        if not drawn:
            logger.warning("no cell of this chapter draws the figure %r", name, location=place)
            place.parent.remove(place)
            continue
        title = next(iter(document.findall(nodes.title)))
        link = nodes.reference("", "", nodes.Text("at the head of the chapter"), internal=True)
        link["refuri"] = f"#{title.parent['ids'][0]}"
        said = nodes.paragraph("", "The figure stands ", link, nodes.Text("."))
        drawn[0].parent.replace(drawn[0], said)  # replace_self would give the figure's labels away
        place.replace_self(drawn[0])


def set_macros(app: Sphinx, config: Config) -> None:
    """MathJax gets the macros that downloads have written out."""
    config.mathjax3_config = {
        "loader": {"load": []},  # the script holds its parts: see offline.py
        "tex": {"macros": {name.removeprefix("\\"): tex for name, tex in MACROS.items()}},
    }


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", set_macros)
    app.connect("doctree-read", move_figures, priority=400)
    app.add_directive("head-figure", HeadFigure)
    app.add_directive("notation", NotationDirective)
    app.add_directive("figure-of", FigureOf)
    app.connect("html-page-context", header_buttons, priority=900)
    app.connect("build-finished", copy_downloads)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
