"""The page of a sweep: a small figure for each of some values, the claims that fail somewhere, the failed runs.

A point is the value of a run with its interval or, where seeds are swept beside something else, the mean over the
seeds with its Student interval.  A dashed line is the book's value, a star its place.
"""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rbcore import checks
from rbcore.book import agree, compare, plain, runs
from rbcore.book.execute import ExecutionError
from rbcore.book.ledger import Value, fill

if TYPE_CHECKING:
    from rbcore.book.sweep import Finished, Sweep

PANELS = 6  # figures that are drawn by default
MARKS = {"o": "\u25cf", "s": "\u25a0", "^": "\u25b2", "D": "\u25c6", "v": "\u25bc", "P": "\u271a"}  # a line each
LINES = len(MARKS)
GRID = """<style>.panels { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); }
.panels figure { margin: 0; }</style>"""


class Point(NamedTuple):
    """Where a line passes: the place on the axis, the value and the ends of its interval."""

    x: float
    y: float
    low: float
    high: float


class Axis(NamedTuple):
    """The horizontal axis: the parameter, the place and the label of each of its values, the book's place.

    numeric: the places are the values; ordered: the values are numbers, inf perhaps among them.
    """

    name: str
    places: dict[str, float]
    labels: dict[str, str]
    numeric: bool
    ordered: bool
    book: float | None


def page(sweep: Sweep, done: Sequence[Finished], pins: Mapping[str, Any], chosen: Sequence[str] = ()) -> str:
    """The whole page, in one file."""
    ran = [one for one in done if one.chapter is not None]
    given = {name: ", ".join(map(runs.written, found)) for name, found in sweep.axes.items()}
    lost = f", {len(done) - len(ran)} of them failed" if len(ran) < len(done) else ""
    title = f"Sweep of {sweep.source.stem}"
    parts = [f"<p>{len(done)} runs of the chapter{lost}.</p><p>{runs.shown(given)}</p>"]
    parts.append('<p>Tables: <a href="values.csv">values.csv</a>, <a href="claims.csv">claims.csv</a>.</p>')
    if ran:
        across = axis(sweep)
        names = choose(sweep, ran, pins, chosen)
        lines = list(pooled(sweep, ran, names[0])) if names else []
        parts.append(f"<h2>Values against {html.escape(across.name)}</h2>{GRID}")
        if names:
            parts.append(f"<p>{words(sweep, across, lines)}</p>")
        drawn = [panel(sweep, ran, pins, name, across) for name in names]
        parts.append(f'<div class="panels">{"".join(drawn)}</div>' if drawn else "<p>No value varied.</p>")
        parts.append(claims(sweep, ran))
    if lost:
        rows = []
        for one in (one for one in done if one.chapter is None):
            chosen_here = {name: runs.written(value) for name, value in one.parameters.items()}
            rows.append(
                [runs.shown(chosen_here), f"<code>{html.escape((one.error.splitlines() or [''])[-1])}</code>"]
            )
        parts.append("<h2>Runs that failed</h2>" + plain.table(["Parameters", "Error"], rows))
    return plain.page(title, "\n".join(parts))


# ---------------------------------------------------------------------------------------------------------------
# What is drawn
# ---------------------------------------------------------------------------------------------------------------


def numbers(ran: Sequence[Finished]) -> dict[str, list[Value]]:
    """The values that every run recorded as a number, each with its value in each run."""
    found: dict[str, list[Value]] = {}
    for one in ran:
        for value in one.chapter.values if one.chapter else ():
            if isinstance(value.value, int | float) and not isinstance(value.value, bool):
                found.setdefault(value.name, []).append(value)
    return {name: values for name, values in found.items() if len(values) == len(ran)}


def choose(
    sweep: Sweep, ran: Sequence[Finished], pins: Mapping[str, Any], chosen: Sequence[str] = ()
) -> list[str]:
    """The names of the values to draw: those asked for, or those that vary most relative to the book.

    A value that only repeats a parameter is left out, and of values that are alike in all runs the first is kept.
    """
    known = numbers(ran)
    if chosen:
        unknown = compare.nearest(chosen, list(known))
        if unknown:
            raise ExecutionError(unknown)
        return list(dict.fromkeys(chosen))
    echoes = [[one.parameters.get(name) for one in ran] for name in sweep.axes]
    scores: dict[tuple[Any, ...], tuple[float, str]] = {}
    for name, values in known.items():
        row = tuple(v.value for v in values)
        if list(row) in echoes or len(set(row)) == 1 or row in scores:
            continue
        lines = pooled(sweep, ran, name)
        means = [point.y for line in lines.values() for point in line]
        book = pins["values"].get(name, {}).get("value", 0.0)
        scale = max([abs(book) if isinstance(book, int | float) else 0.0, *map(abs, means)])
        scores[row] = (max(means) - min(means)) / scale if scale else 0.0, name
    best = sorted(scores.values(), key=lambda one: -one[0])
    return [name for score, name in best if score > 0][:PANELS]


def across_and_lines(sweep: Sweep) -> tuple[str, list[str], bool]:
    """The parameter of the axis, those that tell lines apart, and whether seeds are averaged over."""
    swept = list(sweep.swept)
    others = [name for name in swept if name != "seed"]
    return (others or swept)[0], others[1:], bool(others) and "seed" in swept


def axis(sweep: Sweep) -> Axis:
    """The axis of all figures."""
    name, _, _ = across_and_lines(sweep)
    values = sweep.axes[name]
    default = next(p.default for p in sweep.parameters if p.name == name)
    keys = [runs.written(v) for v in values]
    ordered = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if ordered and all(map(math.isfinite, values)):
        places = {key: float(v) for key, v in zip(keys, values, strict=True)}
        book = float(default) if min(values) <= default <= max(values) else None
        return Axis(name, places, {key: key for key in keys}, True, True, book)
    long = any(len(key) > 8 for key in keys)
    labels = {key: str(i) if long else key for i, key in enumerate(keys, 1)}
    places = {key: float(i) for i, key in enumerate(keys)}
    return Axis(name, places, labels, False, ordered, places.get(runs.written(default)))


def words(sweep: Sweep, across: Axis, lines: Sequence[str]) -> str:
    """What the figures show, in HTML, with a key of their lines."""
    from rbcore import figures

    _, _, averaged = across_and_lines(sweep)
    said = "A point is the mean over the seeds with its interval." if averaged else "A bar is a value's interval."
    said += " The dashed line is the book's value" + (", the star its place." if across.book is not None else ".")
    keys = [f"{label}: <code>{html.escape(key)}</code>" for key, label in across.labels.items() if key != label]
    said += f" On the axis, {'; '.join(keys)}." if keys else ""
    if len(lines) > 1:
        for line, mark, (red, green, blue) in zip(lines, MARKS.values(), figures.PALETTE, strict=False):
            color = f"rgb({255 * red:.0f} {255 * green:.0f} {255 * blue:.0f})"
            said += f'<br><span style="color: {color}">{mark}</span> {html.escape(line)}'
    return said


def pooled(sweep: Sweep, ran: Sequence[Finished], name: str) -> dict[str, list[Point]]:
    """The points of one value by line, each line named by the parameters that set it apart."""
    across = axis(sweep)
    _, lines, averaged = across_and_lines(sweep)
    cells: dict[tuple[str, float], list[Value]] = {}
    for one in ran:
        value = next((v for v in one.chapter.values if v.name == name), None) if one.chapter else None
        if value is not None:
            line = ", ".join(f"{k} = {runs.written(one.parameters[k])}" for k in lines)
            place = across.places[runs.written(one.parameters[across.name])]
            cells.setdefault((line, place), []).append(value)
    found: dict[str, list[Point]] = {}
    for (line, place), values in sorted(cells.items(), key=lambda cell: (cell[0][0], cell[0][1])):
        if averaged and len(values) > 1:
            mean = checks.mean([float(v.value) for v in values])
            point = Point(place, mean.value, *mean.ci)
        else:
            y = float(values[0].value)
            point = Point(place, y, *(values[0].ci or (y, y)))
        found.setdefault(line, []).append(point)
    return found


def panel(sweep: Sweep, ran: Sequence[Finished], pins: Mapping[str, Any], name: str, across: Axis) -> str:
    """One figure in HTML, with its alternative text."""
    lines = pooled(sweep, ran, name)
    pin = pins["values"].get(name)
    book = agree.value_of(name, pin) if pin else None
    value = numbers(ran)[name][0]
    alt = f"{name} against {across.name}. " + alternative(lines, across, value, book)
    left = len(lines) - LINES
    more = f" The first {LINES} of {len(lines)} lines; values.csv has all." if left > 0 else ""
    svg = draw(dict(list(lines.items())[:LINES]), across, value, book, alt, name)
    said = sentence(sweep, ran, name)
    return f"<figure>{svg}<figcaption><b>{name}</b>{': ' if said else ''}{said}{more}</figcaption></figure>\n"


def sentence(sweep: Sweep, ran: Sequence[Finished], name: str) -> str:
    """A sentence that quotes the value, with an ellipsis for numbers; nothing where it needs typesetting."""
    text = sweep.source.read_text(encoding="utf8")
    quoted = compare.quoted(sweep.source.stem, text, name)
    plain_text = re.sub(r"\{(?:val|num|ci)\}`[^`]+`", "\u2026", quoted)
    telling = len(re.findall(r"[a-z]{4,}", plain_text)) > 2 and not re.search(r"[$\\{`|]", plain_text)
    return html.escape(plain_text.replace("\u2026.", "\u2026")) if telling else ""


def alternative(lines: Mapping[str, Sequence[Point]], across: Axis, value: Value, book: Value | None) -> str:
    """The figure in words."""
    labels = {across.places[key]: key for key in across.labels}
    said = []
    for line, points in list(lines.items())[:LINES]:
        read = ", ".join(f"{_number(p.y, value)} at {labels.get(p.x, p.x)}" for p in points)
        said.append(f"{line}: {read}." if line else f"{read[:1].upper()}{read[1:]}.")
    if book is not None:
        said.append(f"The book has {book.text()}.")
    return " ".join(said)


def _number(y: float, value: Value) -> str:
    try:
        return format(y, value.fmt or ".4g")
    except ValueError:  # a mean of whole numbers
        return f"{y:.4g}"


def draw(lines: Mapping[str, Sequence[Point]], across: Axis, value: Value, book: Value | None,
         alt: str, name: str) -> str:  # fmt: skip
    """The figure as SVG."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    from rbcore import figures

    figures.style()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif"}):
        figure, ax = plt.subplots(figsize=(3.7, 2.7))
        for points, color, mark in zip(lines.values(), figures.PALETTE, MARKS, strict=False):
            x, y = [p.x for p in points], [p.y for p in points]
            ends = [[p.y - p.low for p in points], [p.high - p.y for p in points]]
            style = "-" if across.ordered else "none"
            ax.errorbar(x, y, ends, color=color, marker=mark, ms=4.5, ls=style, capsize=2, lw=1.3)
        if book is not None:
            ax.axhline(float(book.value), color=figures.GREY, ls="--", lw=1)
            if across.book is not None:
                ax.plot([across.book], [float(book.value)], "*", color="black", ms=10)
        if across.numeric:
            places = sorted(across.places.values())
            if places[0] > 0 and places[-1] / places[0] > 30:
                ax.set_xscale("log")
        else:
            ax.set_xticks(list(across.places.values()), list(across.labels.values()))
            ax.margins(x=0.15)
        ax.set(xlabel=across.name, ylabel=value.unit or None)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    opening = f'<svg role="img" aria-label="{html.escape(alt)}" '
    return re.sub(
        r'^<svg (?:width="[^"]*" height="[^"]*" )?',
        lambda _: opening,
        re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S),
    )


# ---------------------------------------------------------------------------------------------------------------
# Claims
# ---------------------------------------------------------------------------------------------------------------


def claims(sweep: Sweep, ran: Sequence[Finished]) -> str:
    """A table of the claims that fail in some run: in how many, and where."""
    failing: dict[str, list[Finished]] = {}
    said: dict[str, tuple[str, str]] = {}
    for one in ran:
        for claim in one.chapter.claims if one.chapter else ():
            if claim.verdict == "fails":
                failing.setdefault(claim.id, []).append(one)
                shown = {v.name: v for v in one.chapter.values} if one.chapter else {}
                said.setdefault(claim.id, (claim.kind, fill(claim.sentence, shown)))
    if not failing:
        return "<h2>Claims</h2><p>All claims hold in all runs.</p>"
    rows = []
    for id, where in sorted(failing.items(), key=lambda item: -len(item[1])):
        kind, text = said[id]
        kind += ": a fault, please report it" * (kind == "proved")
        said_of = f"<code>{id}</code><br>{html.escape(text)}"
        rows.append([said_of, kind, f"{len(where)} of {len(ran)}", html.escape(places(sweep, where, len(ran)))])
    return "<h2>Claims that fail in some run</h2>" + plain.table(["Claim", "Kind", "Runs", "Where"], rows)


def places(sweep: Sweep, where: Sequence[Finished], runs_in_all: int) -> str:
    """At which parameters these runs are, as shortly as it can be said."""
    if len(where) == runs_in_all:
        return "in all runs"
    at = [{name: runs.written(one.parameters[name]) for name in sweep.swept} for one in where]
    found = {name: list(dict.fromkeys(one[name] for one in at)) for name in sweep.swept}
    if math.prod(map(len, found.values())) == len(where):  # every combination of some values
        named = {name: values for name, values in found.items() if len(values) < len(sweep.axes[name])}
        return "; ".join(f"{name} = {' or '.join(values)}" for name, values in named.items())
    said = [", ".join(f"{name} = {value}" for name, value in one.items()) for one in at]
    return "; ".join(said[:8]) + (f"; and {len(said) - 8} more" if len(said) > 8 else "")
