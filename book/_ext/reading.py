"""What a reader wants to know first: a page's description, for search engines and previews, and a chapter's time.

The description is the page's first paragraph.  Previews follow the Open Graph protocol, without a picture, which
would need the site's address.  What a notebook costs is what was last recorded, the same in every build.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from rbcore.book.execute import recorded_costs

WORDS_PER_MINUTE = 200
MINUTES = "rb-minutes"
LONGEST = 200  # characters of a description
CHAPTERS = "chapters/"
FOLDED = {"dropdown", "solution", "exercise", "rb-fold", "rb-further", "rb-touch"}
SPOKEN = (nodes.paragraph, nodes.title, nodes.caption)


def described(doctree: nodes.document) -> str:
    """The first paragraph of the page's text that holds no formula, cut at a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) > 40 and MINUTES not in paragraph["classes"] and not any(paragraph.findall(nodes.math)):
            return text if len(text) <= LONGEST else f"{text[:LONGEST].rsplit(' ', 1)[0]} ..."
    return ""


def add_description(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Meta elements of the page."""
    text = described(doctree) if doctree is not None else ""
    if not text:
        return
    tags = {
        ("name", "description"): text,
        ("property", "og:title"): nodes_text(context.get("title", "")),
        ("property", "og:description"): text,
        ("property", "og:type"): "website" if page == app.config.root_doc else "article",
        ("property", "og:site_name"): app.config.project,
    }
    made = (f'<meta {kind}="{name}" content="{html.escape(said)}" />' for (kind, name), said in tags.items())
    context["metatags"] = context.get("metatags", "") + "\n".join(made) + "\n"


def nodes_text(title: str) -> str:
    """A title as text: the theme has it as HTML."""
    return html.unescape("".join(part.split(">", 1)[-1] for part in title.split("<")))


def minutes(doctree: nodes.document) -> int:
    """Minutes that the text of a page takes, without formulas, code, folded parts and exercises."""
    words = 0
    for node in doctree.findall(lambda one: isinstance(one, SPOKEN)):
        around, inside = node.parent, False
        while around is not None and not inside:
            inside = bool(FOLDED & set(around.get("classes", ()))) if isinstance(around, nodes.Element) else False
            around = around.parent
        if not inside:
            said = (text for text in node.findall(nodes.Text) if not isinstance(text.parent, nodes.math))
            words += sum(len(text.split()) for text in said)
    return max(1, round(words / WORDS_PER_MINUTE))


def add_minutes(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Below a chapter's title: how long it takes to read, and what its notebook costs."""
    title = next(iter(doctree.findall(nodes.title)), None)
    if not page.startswith(CHAPTERS) or title is None:
        return
    cost = recorded_costs(Path(app.srcdir) / "costs.json").get(page.removeprefix(CHAPTERS))
    said = f"{minutes(doctree)} minutes to read"
    said += "" if cost is None else f"; its notebook takes {max(1, round(cost))} seconds of processor time"
    place = title.parent.index(title) + 1
    title.parent.insert(place, nodes.paragraph("", said + ".", classes=[MINUTES]))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-resolved", add_minutes)
    app.connect("html-page-context", add_description)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
