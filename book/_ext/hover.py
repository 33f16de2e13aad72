"""What a link leads to, and what the letters of a formula stand for, shown where the reader is.

Each page gets a script beside it that holds its boxes: statements, equations, figures, citations, and the
beginnings of sections.  Another page loads it when the reader first points at a link that leads there.  It is a
script and not data because pages opened from the disk may not fetch files.

sphinx-tippy does something similar.  By default it loads tippy and popper from a third party, it is made for pages
that come over http and not for files, and it would be one more dependency.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from sphinx.application import Sphinx

from rbcore.information.notation import NOTATION

FOLDER = Path("_static") / "hover"
BOXES = "div.proof[id], div.exercise[id], div.math[id], figure[id], table[id], div.citation[id]"
LEFT_OUT = "script, noscript, details, button, .headerlink, .dropdown, .rb-check, figure.rb-touch"


def beginning(section: Tag) -> str:
    """The title of a section and its first paragraph, which may stand inside its fold."""
    parts = [section.find(re.compile("^h[1-6]$")), section.select_one(":scope > p:not(.rb-minutes)")]
    if fold := section.find("details", class_="rb-further", recursive=False):
        parts[1] = fold.find("p", recursive=False)
    return "".join(str(part) for part in parts if part)


def boxes(body: str) -> dict[str, str]:
    """The boxes of a page by label.  Rows that scripts bring in are no boxes, and long to read."""
    soup = BeautifulSoup(re.sub(r"(?s)<noscript>.*?</noscript>", "", body), "html.parser")
    found = {}
    for section in soup.select("section[id]"):
        labels = [section["id"], *(one["id"] for one in section.find_all("span", id=True, recursive=False))]
        found |= dict.fromkeys(map(str, labels), beginning(section))
    for box in soup.select(BOXES):
        if "rb-touch" not in box.get_attribute_list("class"):
            found[str(box["id"])] = str(box)
    return {label: cleaned(one) for label, one in found.items() if one}


def cleaned(box: str) -> str:
    """A box without what only works in its place."""
    soup = BeautifulSoup(box, "html.parser")
    for one in soup.select(LEFT_OUT):
        one.decompose()
    for one in soup.select("[id]"):
        del one["id"]
    return str(soup)


def letters() -> list[dict[str, str]]:
    """The table of symbols, longest first, with formulas inside the meanings in MathJax's delimiters."""

    def marked(text: str) -> str:
        return re.sub(r"\$(.+?)\$", r'<span class="math">\\(\1\\)</span>', text)

    table = sorted(NOTATION.values(), key=lambda one: -len(one.latex))
    return [{"latex": one.latex, "meaning": marked(one.meaning)} for one in table]


def write(app: Sphinx, name: str, call: str, *values: Any) -> None:
    path = Path(app.outdir) / FOLDER / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    said = ", ".join(json.dumps(value, ensure_ascii=False) for value in values)
    path.write_text(f"{call}({said});\n", encoding="utf8")


def add_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """The script on every page with a text, and the page's own boxes for the others."""
    if doctree is None or app.builder.format != "html":
        return
    write(app, f"pages/{page}", "rbHover.page", page, boxes(context["body"]))
    app.add_js_file("hover/hover.js", loading_method="defer")
    app.add_css_file("hover/hover.css")


def write_letters(app: Sphinx, exception: Exception | None) -> None:
    """The table of symbols, for all pages."""
    if exception is None and app.builder.format == "html":
        write(app, "letters", "rbHover.letters", letters())


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", add_script, priority=900)
    app.connect("build-finished", write_letters)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
