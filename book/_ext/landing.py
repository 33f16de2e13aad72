"""``{reverse-bottleneck}``: what each stage knows of its sources, drawn from recorded values.

A line of the content is ``stage | what it is for a language model | values``: the stage's total, what comes from
the model, and what comes from curation, as roles ``{num}`name```.  A line of dashes begins another road.
The picture is drawn twice, along the page and down a phone; both are vectors in the colours of the theme.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import NamedTuple

from docutils import nodes
from ledger_roles import read_ledger
from matplotlib.colors import to_hex
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from rbcore.book.ledger import Value
from rbcore.figures import CURATED, MODEL, TASK

logger = logging.getLogger(__name__)
COLORS = tuple(to_hex(color) for color in (TASK, MODEL, CURATED))
SOURCES = ("the real data, through the prompt", "the generative model", "curation")


class Stage(NamedTuple):
    """A stage of a road: its name, its meaning for a language model, bits from each source, the total as text."""

    name: str
    means: str
    layers: tuple[float, float, float]
    said: str


class Frame(NamedTuple):
    """Where a road lies: the axis runs along the page or down it."""

    down: bool
    step: float  # between stages
    start: float
    middle: float
    scale: float  # length of a bit

    def point(self, along: float, across: float) -> str:
        x, y = self.start + along * self.step, self.middle + across * self.scale
        return f"{y:.1f},{x:.1f}" if self.down else f"{x:.1f},{y:.1f}"


WIDE = Frame(False, 150, 74, 0, 27)
TALL = Frame(True, 92, 26, 96, 42)


def edges(stage: Stage) -> list[float]:
    """Where the layers of a stage begin and end, in bits, centred."""
    ends = [-sum(stage.layers) / 2]
    for layer in stage.layers:
        ends.append(ends[-1] + layer)
    return ends


def ribbon(frame: Frame, at: int, before: tuple[float, float], after: tuple[float, float], color: str) -> str:
    """What flows of one source from a stage to the next."""
    start, turn, end = at + 0.06, at + 0.5, at + 0.94
    upper = f"M{frame.point(start, before[0])} C{frame.point(turn, before[0])} {frame.point(turn, after[0])}"
    lower = f"L{frame.point(end, after[1])} C{frame.point(turn, after[1])} {frame.point(turn, before[1])}"
    path = f"{upper} {frame.point(end, after[0])} {lower} {frame.point(start, before[1])} Z"
    return f'<path d="{path}" fill="{color}" fill-opacity="0.45" />'


def bar(frame: Frame, at: int, low: float, high: float, color: str) -> str:
    corners = [(at - 0.06, low), (at + 0.06, low), (at + 0.06, high), (at - 0.06, high)]
    return f'<polygon points="{" ".join(frame.point(*corner) for corner in corners)}" fill="{color}" />'


def words(frame: Frame, at: int, stage: Stage, top: float) -> str:
    """The names and numbers of a stage: below it, or at its side."""
    name, means, said = (html.escape(text) for text in (stage.name, stage.means, f"{stage.said} bits"))
    if frame.down:
        x, y = 2 * frame.middle + 12, frame.start + at * frame.step
        anchor, rows = "start", [(y - 8, name, "name"), (y + 9, said, "said"), (y + 25, means, "means")]
    else:
        x, y = frame.start + at * frame.step, frame.middle + top * frame.scale
        anchor, rows = "middle", [(y + 20, name, "name"), (y + 37, means, "means")]
        rows.append((frame.middle + edges(stage)[0] * frame.scale - 7, said, "said"))
    parts = (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{t}</text>' for y, t, kind in rows
    )
    return "".join(parts)


def road(frame: Frame, stages: Sequence[Stage]) -> str:
    """One road, from its first stage to its last."""
    parts = []
    for at, (a, b) in enumerate(zip(stages, stages[1:], strict=False)):
        before, after = edges(a), edges(b)
        parts += [
            ribbon(frame, at, (before[i], before[i + 1]), (after[i], after[i + 1]), color)
            for i, color in enumerate(COLORS)
            if a.layers[i] or b.layers[i]
        ]
    top = max(sum(stage.layers) for stage in stages) / 2
    for at, stage in enumerate(stages):
        ends = edges(stage)
        parts += [bar(frame, at, ends[i], ends[i + 1], c) for i, c in enumerate(COLORS) if stage.layers[i]]
        parts.append(words(frame, at, stage, top))
    return "".join(parts)


def picture(roads: Sequence[Sequence[Stage]], down: bool) -> str:
    """All roads under each other, each with a scale of its own place."""
    parts, place = [], 24.0
    width = 350 if down else 2 * WIDE.start + WIDE.step * (max(map(len, roads)) - 1)
    for stages in roads:
        most = max(sum(stage.layers) for stage in stages)
        if down:
            parts.append(road(TALL._replace(start=place + 20), stages))
            place += TALL.step * (len(stages) - 1) + 100
        else:
            half = most / 2 * WIDE.scale
            parts.append(road(WIDE._replace(middle=place + half), stages))
            place += 2 * half + 72
    kind = "rb-tall" if down else "rb-wide"
    said = "; ".join(", ".join(f"{s.name} {s.said} bits" for s in stages) for stages in roads)
    return (
        f'<svg class="rb-bottleneck {kind}" viewBox="0 0 {width:.0f} {place - 20:.0f}" role="img" '
        f'aria-label="What each stage knows of its sources: {html.escape(said)}.">{"".join(parts)}</svg>'
    )


class BottleneckDirective(SphinxDirective):
    """The picture, its legend, and whether any of its values is missing from the run."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        values, _ = read_ledger(self.env)
        roads: list[list[Stage]] = [[]]
        for line in filter(None, map(str.strip, self.content)):
            if set(line) == {"-"}:
                roads.append([])
            elif stage := self.stage(line, values):
                roads[-1].append(stage)
        pictures = "".join(picture(roads, down) for down in (False, True))
        keys = (f'<span style="--key:{color}">{text}</span>' for color, text in zip(COLORS, SOURCES, strict=True))
        legend = f'<p class="rb-keys">Known of {" ".join(keys)}</p>'
        return [nodes.raw("", f'<div class="rb-first">{pictures}{legend}</div>', format="html")]

    def stage(self, line: str, values: dict[str, Value]) -> Stage | None:
        name, means, roles = (part.strip() for part in line.split("|"))
        names = re.findall(r"\{num\}`([\w-]+)`", roles)
        missing = [one for one in names if one not in values]
        if missing or not names:
            logger.warning("no notebook records %s", ", ".join(missing), location=self.get_location())
            return None
        total, *parts = (float(values[one].value) for one in names)
        model, curation = [*parts, 0.0, 0.0][:2]
        return Stage(name, means, (total - model - curation, model, curation), values[names[0]].number())


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("reverse-bottleneck", BottleneckDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
