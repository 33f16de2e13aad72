"""``{rooms}``: the rooms of the core as a picture and as a matrix of their imports, read from the code."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from ledger_roles import row_of, table_of
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from rbcore.book.execute import ROOT
from rbcore.book.rooms import Room, arrows, levels, rooms

WIDE, HIGH, GAP, STEP = 150, 46, 20, 92  # of a box, between boxes, from level to level; in pixels


class RoomsDirective(SphinxDirective):
    """A picture of the rooms, each above those that it uses, and a table of how many imports go where."""

    def run(self) -> list[nodes.Node]:
        found, uses = rooms(ROOT), arrows(ROOT)
        names = [room.name for room in found]
        level = levels(uses, names)
        order = sorted(names, key=lambda name: (level[name], name))
        said = "; ".join(
            f"{name} uses {', '.join(below for below in order if (name, below) in uses) or 'no other'}"
            for name in reversed(order)
        )
        picture = nodes.raw("", drawing(found, set(uses), level, f"Rooms of the core: {said}."), format="html")
        rows = []
        for room in sorted(found, key=lambda room: (-level[room.name], room.name)):
            below = ", ".join(f"{name}\u00a0({uses[room.name, name]})" for name in order if uses[room.name, name])
            cells = [room.purpose.rstrip("."), str(room.modules), f"{room.lines:,}", below or "\u2013"]
            rows.append(row_of(nodes.literal("", room.name), *map(nodes.Text, cells)))
        head = ["Room", "Purpose", "Modules", "Lines", "Uses (import statements)"]
        return [picture, table_of("rb-rooms", head, [12, 42, 8, 8, 30], rows)]


def drawing(found: list[Room], uses: set[tuple[str, str]], level: dict[str, int], said: str) -> str:
    """An SVG with a box for each room, the lowest level at the foot, and a line to each room that it uses."""
    rows = [[room for room in found if level[room.name] == i] for i in range(max(level.values()) + 1)]
    width = max(len(row) for row in rows) * (WIDE + GAP)
    place = {}
    for i, row in enumerate(rows):
        for j, room in enumerate(row):
            x = width * (2 * j + 1) / (2 * len(row)) - WIDE / 2
            place[room.name] = (x, (len(rows) - 1 - i) * STEP + 4)
    parts = [f'<svg class="rb-rooms-picture" viewBox="0 0 {width} {len(rows) * STEP}" role="img">']
    parts.append(f"<title>{said}</title>")
    reach = {name: {name} for name in place}  # what a room uses, itself and through others
    for name in sorted(place, key=level.__getitem__):
        reach[name] |= {far for above, below in uses if above == name for far in reach[below]}
    for above, below in sorted(uses):
        others = {b for a, b in uses if a == above} - {below}
        if above in place and not any(below in reach[other] for other in others):
            (x1, y1), (x2, y2) = place[above], place[below]
            ends = f'x1="{x1 + WIDE / 2:.0f}" y1="{y1 + HIGH:.0f}" x2="{x2 + WIDE / 2:.0f}" y2="{y2:.0f}"'
            parts.append(f"<line {ends} />")
    for room in found:
        x, y = place[room.name]
        middle = f'x="{x + WIDE / 2:.0f}" text-anchor="middle"'
        parts.append(f'<rect x="{x:.0f}" y="{y:.0f}" width="{WIDE}" height="{HIGH}" rx="6" />')
        parts.append(f'<text {middle} y="{y + 20:.0f}" class="name">{room.name}</text>')
        parts.append(f'<text {middle} y="{y + 37:.0f}">{room.lines:,} lines</text>')
    return "\n".join([*parts, "</svg>"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("rooms", RoomsDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
