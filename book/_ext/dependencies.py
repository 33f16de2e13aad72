"""``{statement-map}``: which statement rests on which, read from the chapters, as a picture and as a list.

A statement rests on another if its box, or the proof right after it, refers to that one.  The picture has a column
for each chapter; shape and colour say how a statement is proved.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from folds import fold
from ledger_roles import read_ledger
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from theorems import boxes, how_proved, proved_claims, text_of
from web import need

REFERENCE = re.compile(r"\{prf:ref\}`(?:[^`<]*<)?([\w-]+)>?`")
HOW = {
    "certificate": "proved by a certificate",
    "evaluated": "proved by hand, and evaluated",
    "hand": "proved by hand",
    "definition": "definition",
}
WIDTH, HEIGHT, STEP, GAP, TOP = 168, 30, 42, 52, 34
LONGEST = 25  # characters of a title in the picture


class Statement(NamedTuple):
    """A labelled box: chapter, title, how it is proved, and the labels that it and its proof refer to."""

    chapter: str
    label: str
    title: str
    how: str
    needs: tuple[str, ...]


def statements(chapter: str, text: str, proved: frozenset[str], by_hand: Mapping[str, Any]) -> Iterator[Statement]:
    """The labelled boxes of a chapter, in order."""
    last: Statement | None = None
    for box in boxes(text):
        needs = tuple(REFERENCE.findall(box.body))
        if box.kind == "proof":
            last = last and last._replace(needs=last.needs + needs)
            continue
        if last:
            yield last
        last = None
        if box.label:
            entry = by_hand.get(box.label, {})
            how = "definition" if box.kind == "definition" else how_proved(box.formulas, proved, entry)
            last = Statement(chapter, box.label, box.title.strip() or box.label, how, needs)
    if last:
        yield last


def graph(texts: Mapping[str, str], proved: frozenset[str], by_hand: Mapping[str, Any]) -> dict[str, Statement]:
    """All statements by label; what they need is a statement each, without repetition."""
    found = {s.label: s for name, text in texts.items() for s in statements(name, text, proved, by_hand)}
    return {
        label: s._replace(needs=tuple(dict.fromkeys(n for n in s.needs if n in found and n != label)))
        for label, s in found.items()
    }


def places(found: Mapping[str, Statement]) -> dict[str, tuple[int, int]]:
    """The upper left corner of each statement: a column for each chapter that has any."""
    columns: dict[str, list[str]] = {}
    for statement in found.values():
        columns.setdefault(statement.chapter, []).append(statement.label)
    return {
        label: (10 + column * (WIDTH + GAP), TOP + row * STEP)
        for column, labels in enumerate(columns.values())
        for row, label in enumerate(labels)
    }


def plain(title: str) -> str:
    """A title without the marks of formulas."""
    return re.sub(r"\\mathrm|[${}\\]", "", title)


def edge(start: tuple[int, int], end: tuple[int, int], needed: str, by: str) -> str:
    """A line from what is needed to what needs it."""
    (x0, y0), (x1, y1) = start, end
    y0, y1 = y0 + HEIGHT // 2, y1 + HEIGHT // 2
    if x0 == x1:
        x0 = x1 = x0 + WIDTH
        bend = f"C{x0 + GAP - 8} {y0} {x1 + GAP - 8} {y1}"
    else:
        x0, x1 = (x0 + WIDTH, x1) if x0 < x1 else (x0, x1 + WIDTH)
        middle = (x0 + x1) // 2
        bend = f"C{middle} {y0} {middle} {y1}"
    return f'<path class="rb-edge" data-ends="{needed} {by}" d="M{x0} {y0} {bend} {x1} {y1}" />'


def shortened(title: str) -> str:
    """A title that fits its box, cut at a word: what is read must be part of the link's name."""
    return title if len(title) <= LONGEST else f"{title[: LONGEST - 1].rsplit(' ', 1)[0]} …"


def node(statement: Statement, place: tuple[int, int]) -> str:
    """A box that leads to its statement."""
    x, y = place
    title = plain(statement.title)
    short = shortened(title)
    round_ = {"certificate": 15, "evaluated": 5, "hand": 0, "definition": 0}[statement.how]
    said = html.escape(f"{title}: {HOW[statement.how]}")
    return (
        f'<a href="chapters/{statement.chapter}.html#{statement.label}" class="rb-node rb-{statement.how}" '
        f'data-label="{statement.label}" aria-label="{said}"><title>{said}</title>'
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="{round_}" />'
        f'<text x="{x + WIDTH / 2}" y="{y + HEIGHT / 2 + 4}" text-anchor="middle">{html.escape(short)}</text></a>'
    )


def picture(found: Mapping[str, Statement]) -> str:
    """The whole map."""
    where = places(found)
    heads = {statement.chapter: where[statement.label][0] for statement in found.values()}
    parts = []
    for name, x in heads.items():
        number = name.split("-")[0].lstrip("0")
        parts.append(f'<text class="rb-head" x="{x + WIDTH / 2}" y="20" text-anchor="middle">{number}</text>')
    parts += [edge(where[n], where[s.label], n, s.label) for s in found.values() for n in s.needs]
    parts += [node(s, where[s.label]) for s in found.values()]
    wide = max(x for x, _ in where.values()) + WIDTH + GAP
    high = max(y for _, y in where.values()) + HEIGHT + 12
    drawn = f'<svg width="{wide}" height="{high}" viewBox="0 0 {wide} {high}">{"".join(parts)}</svg>'
    label = "Map of all statements by chapter; it scrolls"
    keys = "".join(f'<span class="rb-key rb-{how}">{text}</span>' for how, text in HOW.items())
    return (
        f'<p class="rb-map-keys">{keys}</p>'
        f'<div class="rb-map" role="region" tabindex="0" aria-label="{label}">{drawn}</div>'
    )


def read(env: Any) -> dict[str, Statement]:
    """The statements of this build."""
    source = Path(env.srcdir)
    _, claims = read_ledger(env)
    by_hand = yaml.safe_load((source / "statements.yaml").read_text(encoding="utf8"))
    paths = sorted((source / "chapters").glob("*.ipynb"))
    for path in (source / "statements.yaml", *paths):
        env.note_dependency(str(path))
    return graph({path.stem: text_of(path) for path in paths}, proved_claims(claims), by_hand)


class MapDirective(SphinxDirective):
    """The picture, and below it the same as a list that unfolds."""

    def run(self) -> list[nodes.Node]:
        need(self.env, "map/map.js", "map/map.css")
        found = read(self.env)
        used: dict[str, list[str]] = {}
        for statement in found.values():
            for needed in statement.needs:
                used.setdefault(needed, []).append(statement.label)
        lines = []
        for s in found.values():
            rests = ""
            for said, labels in (("Rests on", s.needs), ("Used by", used.get(s.label, ()))):
                named = ", ".join(f"{{prf:ref}}`{label}`" for label in labels)
                rests += f" {said} {named}." if named else ""
            lines.append(f"- {{prf:ref}}`{s.label}`, {s.title}: {HOW[s.how]}.{rests}")
        holder = nodes.Element()
        self.state.nested_parse(StringList(lines, source="map"), self.content_offset, holder)
        arrows = sum(len(s.needs) for s in found.values())
        line = f"The same as a list: {len(found)} statements, {arrows} references"
        return [nodes.raw("", picture(found), format="html"), fold(line, *holder.children, kind="list")]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("statement-map", MapDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
