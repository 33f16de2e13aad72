"""The foot of a page: how to cite it, and a button that carries a sentence to where faults are reported.

Scholar's meta elements and the BibTeX entry are made from CITATION.cff.  The address of the project's issues is
`repository` in the configuration, or that of the clone's origin where it is a public one; without either the
button copies the report.
"""

from __future__ import annotations

import functools
import html
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from sphinx.application import Sphinx

from rbcore.book.address import repository
from rbcore.book.execute import ROOT

CHAPTERS = "chapters/"
BUTTON = "btn btn-sm btn-outline-primary"
APART = ("search", "genindex", "prf-prf")  # pages without text


class Work(NamedTuple):
    """What CITATION.cff says of the book."""

    title: str
    authors: tuple[str, ...]
    date: str
    version: str


@functools.cache
def cited(path: Path = ROOT / "CITATION.cff") -> Work:
    """The book as it wants to be cited."""
    said = yaml.safe_load(path.read_text(encoding="utf8"))
    names = (
        author.get("name") or ", ".join(filter(None, (author.get("family-names"), author.get("given-names"))))
        for author in said["authors"]
    )
    return Work(said["title"], tuple(names), str(said["date-released"]), str(said["version"]))


def scholar(title: str, work: Work) -> str:
    """Meta elements that Google Scholar and reference managers read."""
    tags = [("citation_title", title), *(("citation_author", name) for name in work.authors)]
    tags += [("citation_publication_date", work.date.replace("-", "/")), ("citation_language", "en")]
    tags += [("citation_inbook_title", work.title)] if title != work.title else []
    return "".join(f'<meta name="{name}" content="{html.escape(said)}" />\n' for name, said in tags)


def bibtex(page: str, title: str, work: Work) -> str:
    """An entry for one page."""
    key = "reverse-bottleneck-" + page.removeprefix(CHAPTERS).split("-")[0].lower()
    authors = " and ".join(f"{{{name}}}" if "," not in name else name for name in work.authors)
    return (
        f"@incollection{{{key},\n  author = {{{authors}}},\n  title = {{{title}}},\n"
        f"  booktitle = {{{work.title}}},\n  year = {{{work.date[:4]}}},\n"
        f"  note = {{Version {work.version}, {work.date}}}\n}}"
    )


def add_foot(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Meta elements above, the foot below."""
    if doctree is None or page in APART:
        return
    work = cited()
    title = html.unescape(re.sub(r"<[^>]+>|\\[()]", "", context.get("title", ""))).strip() or work.title
    context["metatags"] = context.get("metatags", "") + scholar(title, work)
    entry = html.escape(bibtex(page, title, work))
    chapter = (
        f'<details><summary>Cite this chapter</summary><pre tabindex="0">{entry}</pre>'
        f'<button type="button" class="{BUTTON} rb-copy" hidden>Copy the entry</button></details>'
    )
    where = repository(app.config.repository).issues
    version = f"{work.version}, {work.date}"
    context["body"] = context.get("body", "") + (
        f'<div class="rb-foot tex2jax_ignore" data-version="{html.escape(version)}"'
        f' data-issues="{html.escape(where)}">'
        f"{chapter if page.startswith(CHAPTERS) else ''}"
        "<p>Mark a sentence, or tap it, and say: "
        f'<button type="button" class="{BUTTON} rb-wrong" hidden>something is wrong here</button>'
        "<noscript>name it with the page and the version, "
        f"{html.escape(version)}</noscript></p>"
        '<div role="status"></div></div>'
    )
    app.add_js_file("wrong/wrong.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("repository", "", "html")
    app.connect("html-page-context", add_foot)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
