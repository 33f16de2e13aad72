"""What alternative texts and captions say of curves, held against what was plotted.

``{curve}`The gap falls and then rises <left: gap>` `` shows its words and names a curve: its chart, where there
are several, by number or side, and the first words of its label.  The directions come from the words themselves:
"falls" in place of "rises" is a mistake of the text.  Several curves are joined by ``&``; ``*`` is all of a chart,
``#2`` the second in it; a band is taken by its thickness, ``top of gap`` by its upper edge.  The words say:

* rises, grows, falls, shrinks ..: the course of the curve, in this order; "levels off" and "flat" are its end, its
  beginning or all of it;
* "from zero", "to one": where it begins or ends; "towards zero": it comes at least half of the way;
* above, below, crosses, on: against the curve, or the number, behind ``~``: ``<gap ~ bound>``.

A direction that cannot be tied to a curve is marked ``<by hand: reason>``; one without a mark is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import yaml

from rbcore.book.ledger import Value, fill
from rbcore.book.prose import CURVE
from rbcore.plotted import scaled, turns

WORDS = {
    "rises": "ris(?:e|es|ing)|rais(?:e|es|ing)|grow(?:s|ing)?|climb(?:s|ing)?|increases?",
    "falls": "fall(?:s|ing)?|shrink(?:s|ing)?|decay(?:s|ing)?|drop(?:s|ping)?|decreases?|fad(?:e|es|ing)"
    "|vanish(?:es)?|lowers",
    "minimum": "minimum",
    "level": "flat|flatten(?:s|ing)?|level(?:s|ling)?(?= off| line| at|[.,;]|$)"
    "|stay(?:s|ing)?(?! (?:above|below))",
    "above": "above|over|exceeds?",
    "below": "below|under|beneath",
    "along": "on|follows?|coincides?",
    "crosses": "cross(?:es)?|through",
}
TOKEN = re.compile("|".join(rf"(?P<{name}>\b(?:{words})\b)" for name, words in WORDS.items()), re.IGNORECASE)
MOVES = ("rises", "falls")
NUMBERS = {"zero": 0.0, "half": 0.5, "one half": 0.5, "one": 1.0, "two": 2.0, "three": 3.0, "eight": 8.0}
END = re.compile(r"\b(from|to|towards) (zero|one half|one|two|three|eight)\b", re.IGNORECASE)
SIDES = {"left": 0, "first": 0, "second": 1, "third": 2, "right": -1, "last": -1, "middle": 1}
SWING = 0.15  # of its own range: a smaller turn does not contradict "rises"
SMALL = 0.1  # of the range of the axis: what a level curve may do
LEVEL_END = 0.18  # of its own range: what the first or last quarter of a curve may do and be called level
NEAR = 0.06  # of the range of the axis: what is called "on", and "from zero"; "towards" may be three times that


HEAD = re.compile(r"(?ms)^`{3,}\{code-cell\}[^\n]*\n---\n(.*?)^---$")


class Described(NamedTuple):
    """A figure as a notebook's text describes it, and the line where its cell begins."""

    name: str
    line: int
    alt: str
    caption: str


def described(text: str) -> Iterator[Described]:
    """The figures of a notebook's text with their alternative texts and captions."""
    for match in HEAD.finditer(text):
        options = yaml.safe_load(match[1]) or {}
        figure, image = (options.get("mystnb", {}).get(part, {}) for part in ("figure", "image"))
        if figure.get("name"):
            line = text.count("\n", 0, match.start()) + 1
            yield Described(figure["name"], line, image.get("alt", ""), figure.get("caption", ""))


def mistakes(figure: Described, record: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Words of a figure's texts that do not fit what it shows, or that nothing ties to it, each with the reason.

    record: what it shows; None where its notebook did not run.
    """
    for words in unmarked(figure.alt):
        yield words, "tie it to a curve: {curve}`the gap falls <gap>`, or <by hand: reason>"
    if record is not None:
        for one in [*said(figure.alt), *said(figure.caption)]:
            yield from ((one.words, reason) for reason in wrong(one, record))


class Said(NamedTuple):
    """Words about curves, and which: a selection as it was written."""

    words: str
    where: str


def said(text: str) -> list[Said]:
    """The marked words of an alternative text or a caption."""
    return [Said(*(" ".join(match[i].split()) for i in (1, 3))) for match in CURVE.finditer(text)]


def resolve(cell: Any, values: Mapping[str, Value]) -> None:
    """Put into the options of a cell what its texts show; an alternative text is plain, so its numbers, too."""
    options = cell.metadata.get("mystnb", {})
    if "alt" in options.get("image", {}):
        options["image"]["alt"] = fill(CURVE.sub(r"\1", options["image"]["alt"]), values)
    if "caption" in options.get("figure", {}):
        options["figure"]["caption"] = CURVE.sub(r"\1", options["figure"]["caption"])


def unmarked(text: str) -> list[str]:
    """Words of a rise or a fall in an alternative text that no mark ties to a curve."""
    return [match[0] for match in TOKEN.finditer(CURVE.sub(" ", text)) if match.lastgroup in MOVES]


def wrong(one: Said, record: Mapping[str, Any]) -> Iterator[str]:
    """Why the words do not fit what was plotted; nothing where they do, or are judged by hand."""
    if one.where.startswith("by hand"):
        if not one.where.partition(":")[2].strip():
            yield "'by hand' needs a reason: <by hand: a heat map>"
        return
    tokens = [str(match.lastgroup) for match in TOKEN.finditer(one.words)]
    subject, _, other = one.where.partition("~")
    curves = list(select(subject, record))
    if not curves:
        yield f"no curve {subject.strip()!r}: there are {', '.join(names(record)) or 'none'}"
    if not tokens:
        yield f"no direction in {one.words!r}: words such as rises, falls, flat, below"
    for curve in curves:
        course = [token for token in tokens if token in (*MOVES, "minimum", "level")]
        if course:
            yield from _course(curve, course, one.words)
        for preposition, number in END.findall(one.words):
            first, last = (abs(curve.back(y) - NUMBERS[number.lower()]) for y in curve.y[[0, -1]])
            near = NEAR * abs(curve.back(curve.high) - curve.back(curve.low))
            fits = {"from": first <= near, "to": last <= near, "towards": last <= first / 2}
            if not fits[preposition.lower()]:
                begins, ends = curve.back(curve.y[[0, -1]])
                went = f"it goes from {begins:.3g} to {ends:.3g}"
                yield f"{curve.name or 'the curve'} is not {preposition} {number}: {went}"
        if other.strip():
            relations = [token for token in tokens if token in ("above", "below", "along", "crosses")]
            yield from _relation(curve, relations[-1:], other.strip(), record)


class Curve(NamedTuple):
    """A curve in the coordinates in which its axes are even."""

    name: str
    chart: int
    x: np.ndarray
    y: np.ndarray
    goes: list[str]
    low: float
    high: float
    even: Any
    back: Any

    @property
    def span(self) -> float:
        """The range of the axis."""
        return self.high - self.low


def select(where: str, record: Mapping[str, Any]) -> Iterator[Curve]:
    """The curves that a selection names, ``left: gap & bound``; none where one of its names is unknown."""
    side, colon, rest = where.partition(":")
    charts = list(enumerate(_charts(record)))
    if colon and (chosen := _numbered(side.strip().lower())) is not None:
        charts = [charts[i] for i in chosen if -len(charts) <= i < len(charts)]
    else:
        rest = where
    found: list[Curve] = []
    for name in filter(None, (_plain(part) for part in rest.split(" & "))):
        here = [curve for number, chart in charts for curve in _named(name, number, chart)]
        if not here:
            return
        found += here
    yield from found


def _numbered(side: str) -> list[int] | None:
    parts = [part.strip() for part in side.split(",")]
    numbers = [int(p) - 1 if p.isdigit() else SIDES[p] if p in SIDES else None for p in parts]
    return None if None in numbers else [number for number in numbers if number is not None]


def _charts(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The charts in which something was drawn; a scale of colours is none."""
    return [chart for chart in record.get("charts", []) if chart.get("drawn") or chart.get("images")]


def _named(name: str, number: int, chart: Mapping[str, Any]) -> list[Curve]:
    drawn = [one for one in chart.get("drawn", []) if one.get("at") or "r" in one]
    curves = [_curve(one, number, chart) for one in drawn]
    if name == "*":
        return [curve for one, curve in zip(drawn, curves, strict=True) if one.get("label")] or curves
    if re.fullmatch(r"#\d+", name):
        return curves[int(name[1:]) - 1 : int(name[1:])]
    if name.startswith("top of "):  # the upper edge of a band, and not its thickness
        edges = [one | {"kind": "edge"} for one in drawn if one.get("kind") == "band"]
        return [curve for curve in (_curve(one, number, chart) for one in edges) if _plain(curve.name) == name[7:]]
    same = [curve for curve in curves if _plain(curve.name) == name]
    return same or [curve for curve in curves if name and _plain(curve.name).startswith(name)]


def _curve(one: Mapping[str, Any], number: int, chart: Mapping[str, Any]) -> Curve:
    even, back = scaled(chart.get("y", {}).get("scale", "linear"))
    across, _ = scaled(chart.get("x", {}).get("scale", "linear"))
    low, high = sorted(even(np.array(chart["y"]["limits"], float)))
    if "at" not in one:  # a cloud: its rank correlation says where it goes
        goes = ["rises"] if one["r"] > 0.3 else ["falls"] if one["r"] < -0.3 else []
        return Curve(one.get("label", ""), number, across(np.array(one["x"])), even(np.array(one["y"])), goes,
                     low, high, even, back)  # fmt: skip
    y = even(np.array(one["at"], float))
    goes = [] if one["goes"] == "level" else one["goes"].split(", ")
    if one["kind"] == "band":  # a layer grows where it gets thicker
        y = np.array(one.get("wide", [0.0] * len(y)), float)
        goes, even, back = turns(list(y), SWING * (np.ptp(y) or 1.0)), np.asarray, np.asarray
    x = across(np.array(one["along"], float)) if "along" in one else places(across(np.array(one["x"])), len(y))
    return Curve(one.get("label", ""), number, x, y, goes, low, high, even, back)


def places(ends: np.ndarray, count: int) -> np.ndarray:
    """Where a curve was read, between the ends of its range."""
    from rbcore.plotted import PLACES

    shares = PLACES if count == len(PLACES) else np.linspace(0, 1, count)
    return ends[0] + shares * (ends[1] - ends[0])


def names(record: Mapping[str, Any]) -> list[str]:
    """The labels of a figure's curves, each with the number of its chart."""
    return [
        f"{number}: {one.get('label') or '#' + str(place)}"
        for number, chart in enumerate(_charts(record), 1)
        for place, one in enumerate((o for o in chart.get("drawn", []) if o.get("at") or "r" in o), 1)
    ]


def _plain(label: str) -> str:
    return re.sub(r"[$\\{}]|mathrm|mathit|text", "", label).strip().lower()


def _course(curve: Curve, said: list[str], words: str) -> Iterator[str]:
    """Whether the curve goes as the words say."""
    said = [move for token in said for move in (("falls", "rises") if token == "minimum" else (token,))]
    moves = [token for token in said if token in MOVES]
    moves = [token for i, token in enumerate(moves) if moves[i - 1 : i] != [token]]  # "falls .. and falls"
    own = float(np.ptp(curve.y))
    coarse = turns(list(curve.y), SWING * own) if own > 0 and len(curve.y) > 1 else []
    here = f"{curve.name or 'the curve'} (chart {curve.chart + 1})"
    if not moves and "off" not in words.split():
        if own > SMALL * curve.span:
            yield f"{here} is not level: it {', '.join(curve.goes) or 'moves'}"
        return
    if moves and moves not in (curve.goes, coarse):
        yield f"{here} {', '.join(curve.goes) or 'is level'}, and the words say {', '.join(moves)}"
        return
    quarter = max(1, (len(curve.y) + 1) // 4)
    for at_this_end, part, name in ((moves and said[0] == "level", curve.y[: quarter + 1], "beginning"),
                                    (said[-1] == "level", curve.y[-quarter - 1 :], "end")):  # fmt: skip
        if at_this_end and np.ptp(part) > LEVEL_END * own:
            yield f"{here} is not level at its {name}"


def _relation(curve: Curve, tokens: list[str], other: str, record: Mapping[str, Any]) -> Iterator[str]:
    here = f"{curve.name or 'the curve'} (chart {curve.chart + 1})"
    if not tokens:
        yield f"{here}: the words do not say how it lies to {other}: above, below, along, crosses"
        return
    if other in NUMBERS:
        yield from _judged(here, tokens[0], other, curve.y - curve.even(NUMBERS[other]), curve.span)
    else:
        found = list(select(other if ":" in other else f"{curve.chart + 1}: {other}", record))
        if not found:
            yield f"no curve {other!r}: there are {', '.join(names(record))}"
            return
        for one in found:
            x = np.linspace(max(curve.x[0], one.x[0]), min(curve.x[-1], one.x[-1]), 7)
            gap = np.interp(x, curve.x, curve.y) - np.interp(x, one.x, one.y)
            yield from _judged(here, tokens[0], one.name, gap, curve.span)


def _judged(here: str, token: str, other: str, gap: np.ndarray, span: float) -> Iterator[str]:
    slack = NEAR / 3 * span
    fits = {
        "above": (gap >= -slack).all() and gap.max() > slack,
        "below": (gap <= slack).all() and gap.min() < -slack,
        "along": (abs(gap) <= NEAR * span).all(),
        "crosses": gap.min() < 0 < gap.max(),
    }
    if not fits[token]:
        yield f"{here} is not {token} {other}: they differ by {gap.min():.3g} to {gap.max():.3g} on the axis"
