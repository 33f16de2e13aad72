"""Buttons that open a chapter elsewhere: executed on Colab, its source on Binder, by plain links.

They are shown where the repository's address is known (`repository` in the configuration, or git's remote) and is
on GitHub. Colab opens the executed notebooks of the branch `notebooks`, which the workflow that publishes makes.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from rbcore.book.address import Address, repository

CHAPTERS, BRANCH = "chapters/", "notebooks"


def buttons(place: Address, chapter: str) -> list[dict[str, Any]]:
    """The links for one chapter; none where the address is not known or another host's."""
    if not place.on_github:
        return []
    colab = f"https://colab.research.google.com/github/{place.path}/blob/{BRANCH}/{chapter}.ipynb"
    binder = f"https://mybinder.org/v2/gh/{place.path}/HEAD?urlpath=lab/tree/notebooks/{chapter}.md"
    return [
        {
            "type": "link",
            "url": url,
            "text": name,
            "icon": "fas fa-rocket",
            "tooltip": f"Open on {name}: leaves this site",
            "label": f"launch-{name.lower()}-button",
        }
        for name, url in (("Colab", colab), ("Binder", binder))
    ]


def add_buttons(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Add a group of links to the head of a chapter's page."""
    if not page.startswith(CHAPTERS):
        return
    links = buttons(repository(app.config.repository), page.removeprefix(CHAPTERS))
    if links:
        group = {
            "type": "group",
            "tooltip": "Run it elsewhere",
            "icon": "fas fa-rocket",
            "buttons": links,
            "label": "launch-buttons",
        }
        context.setdefault("header_buttons", []).insert(0, group)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", add_buttons, priority=503)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
