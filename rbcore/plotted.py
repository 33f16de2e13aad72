"""What a figure shows, as data: labels, scales, legends, and of each curve its extremes, direction and course.

A running notebook adds the record to the picture, under a MIME type of its own (:func:`install`), so that a
reversed curve, another unit or swapped legends show when two runs are compared.  Numbers are rounded by the range
of their axis: rounding on another processor does not reach them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.category import StrCategoryFormatter, StrCategoryLocator
from matplotlib.collections import Collection, LineCollection, PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Annotation
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    LogFormatter,
    NullFormatter,
    ScalarFormatter,
)

MIME = "application/vnd.rbcore.figure+json"
# Where a curve is read, as shares of its range: both ends, and places that are unlikely to be those of a jump.
PLACES = np.array([0.0, 0.119, 0.243, 0.491, 0.741, 0.877, 1.0])
LEVEL = 0.02  # of the range of the axis: a smaller swing is no rise and no fall
TEXTS = 24  # texts in a chart that are kept one by one


def install() -> None:
    """From now on every figure that the running notebook shows brings its record; outside of one, nothing."""
    if "IPython" not in sys.modules:
        return
    from IPython.core.formatters import JSONFormatter
    from IPython.core.getipython import get_ipython

    class Recorded(JSONFormatter):
        """By the type alone: matplotlib takes its figures out of the registers of formatters."""

        def __call__(self, shown: Any) -> Any:
            return described(shown) if isinstance(shown, Figure) else None

    shell = get_ipython()
    if shell is not None:
        shell.display_formatter.formatters[MIME] = Recorded(parent=shell.display_formatter)  # ty: ignore


def described(figure: Figure) -> dict[str, Any]:
    """The record of a figure, with what is empty left out."""
    title = figure.get_suptitle()
    shared = [entry for legend in figure.legends for entry in _entries(legend)]
    every = shared + [entry for ax in figure.axes if ax.get_legend() for entry in _entries(ax.get_legend())]
    charts = [_chart(ax, every) for ax in figure.axes if ax.get_visible()]
    return _filled({"title": title, "legend": [name for name, _ in shared], "charts": charts})


def turns(values: Sequence[float], least: float) -> list[str]:
    """The rises and falls of a sequence, in order; swings below `least` do not count.

    >>> turns([3, 1, 0, 0.5, 4], least=1)
    ['falls', 'rises']
    """
    words: list[str] = []
    low = high = values[0]  # since the last turn
    for value in values:
        low, high = min(low, value), max(high, value)
        if words[-1:] != ["rises"] and value - low > least:
            words.append("rises")
            high = value
        elif words[-1:] != ["falls"] and high - value > least:
            words.append("falls")
            low = value
    return words


def scaled(name: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """To the coordinates in which an axis is even, and back, for a scale as it is recorded: ``symlog 2``."""
    kind, _, where = name.partition(" ")
    if kind == "log":
        return np.log10, lambda u: 10.0**u
    if kind == "symlog":
        width = float(where)
        return lambda v: np.arcsinh(np.asarray(v) / width), lambda u: np.sinh(u) * width
    if kind == "logit":
        return lambda p: np.log(p / (1 - np.asarray(p))), lambda u: 1 / (1 + np.exp(-u))
    return np.asarray, np.asarray


@dataclass
class _Axis:
    """An axis of a chart: its label, its scale, its limits."""

    label: str
    scale: str
    limits: tuple[float, float]
    ticks: list[str]

    def __post_init__(self) -> None:
        self.even, self.back = scaled(self.scale)
        low, high = sorted(self.even(np.array(self.limits, float)))
        self.span = float(high - low) if math.isfinite(high - low) and high > low else 1.0

    def shown(self, values: Any) -> list[float]:
        """Data as JSON: with a few more digits than a reader of the picture can tell apart."""
        return [self._rounded(float(v)) for v in np.ravel(values)]

    def _rounded(self, value: float) -> float:
        if self.scale != "linear":
            return float(f"{value:.4g}")
        return float(f"{round(value, 4 - math.floor(math.log10(self.span))):.12g}") + 0.0  # no negative zero

    def record(self) -> dict[str, Any]:
        return {"label": self.label, "scale": "" if self.scale == "linear" else self.scale,
                "limits": self.shown(self.limits), "ticks": self.ticks}  # fmt: skip


@dataclass
class _Drawn:
    """Something drawn.  wide: the thickness of a band, half the length of a bar; ordered: it is read from left to
    right, and no cloud; count: artists that look alike and are taken together."""

    kind: str
    label: str
    look: str
    x: np.ndarray
    y: np.ndarray
    wide: np.ndarray = field(default_factory=lambda: np.array([]))
    ordered: bool = True
    count: int = 1

    def record(self, across: _Axis, up: _Axis) -> dict[str, Any]:
        found: dict[str, Any] = {"kind": self.kind, "label": self.label, "look": self.look}
        found |= {"count": self.count if self.count > 1 else 0}
        with np.errstate(all="ignore"):
            x, y = across.even(self.x.astype(float)), up.even(self.y.astype(float))
        seen = np.isfinite(x) & np.isfinite(y)
        wide = self.wide[seen] if len(self.wide) == len(seen) else np.array([])
        x, y = x[seen], y[seen]
        found["n"] = len(x)
        if not len(x):
            return _filled(found)
        step = np.diff(x)
        scattered = "points" in self.look and (step < 0).any() and (step > 0).any() and len(x) > len(PLACES) + 2
        if not self.ordered or scattered:
            quarters = [0, 0.25, 0.5, 0.75, 1]
            found["x"] = across.shown(across.back(np.quantile(x, quarters)))
            found["y"] = up.shown(up.back(np.quantile(y, quarters)))
            found["r"] = round(_rank_correlation(x, y), 2)
            found["wide"] = [float(f"{v:.4g}") for v in np.quantile(wide, quarters)] if len(wide) else []
            return _filled(found)
        found["x"] = across.shown(across.back(np.array([x.min(), x.max()])))
        found["y"] = up.shown(up.back(np.array([y.min(), y.max()])))
        if (step <= 0).all() and (step < 0).any():
            x, y, wide = x[::-1], y[::-1], wide[::-1]
        elif (step < 0).any():  # no function of x: read by the order of its points
            found["along"] = across.shown(across.back(_at(x)))
        where = x if (np.diff(x) >= 0).all() else np.arange(len(x))
        if self.kind != "interval":
            found["goes"] = ", ".join(turns(list(y), LEVEL * up.span)[:5]) or "level"
            found["at"] = up.shown(up.back(_read(where, y)))
        if len(wide) and wide.any():
            found["wide"] = [float(f"{v:.4g}") for v in _read(where, wide)]
        return _filled(found)


def _read(where: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`values` at :data:`PLACES` of the range of `where`; all of them where they are hardly more."""
    if len(values) <= len(PLACES) + 2:
        return values
    found = np.interp(where[0] + PLACES * (where[-1] - where[0]), where, values)
    found[[0, -1]] = values[[0, -1]]
    return found


def _at(values: np.ndarray) -> np.ndarray:
    return _read(np.arange(len(values)), values)


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Of the ranks; 0 where one of the two does not vary beyond rounding."""
    ranks = [np.argsort(np.argsort(np.round(v / (np.ptp(v) or 1.0), 6), kind="stable")) for v in (x, y)]
    if len(x) < 3 or not all(np.ptp(v) > 0 for v in (x, y)):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])  # ty: ignore


def _chart(ax: Axes, every: list[tuple[str, str]]) -> dict[str, Any]:
    """One chart; what is not named in it has the name that `every`, the legends of the figure, gives its look."""
    across, up = _axis(ax, "x"), _axis(ax, "y")
    legend = _entries(ax.get_legend()) if ax.get_legend() else []
    found = [] if hasattr(ax, "_colorbar") else list(_together(_drawn(ax)))
    for one in found:
        if not one.label:
            one.kind = "interval" if one.kind == "band" else one.kind
            one.label = _named_by_look(one, legend) or _named_by_look(one, every)
    texts = [text for text in (_text(t) for t in ax.texts if t.get_visible()) if text]
    return _filled({
        "title": " | ".join(filter(None, (ax.get_title(loc=side) for side in ("left", "center", "right")))),
        "x": _filled(across.record()),
        "y": _filled(up.record()),
        "legend": [f"{name} ({look})" for name, look in legend],
        "texts": texts if len(texts) <= TEXTS else [],
        "numbers": _numbers(texts) if len(texts) > TEXTS else [],
        "images": [_image(image) for image in _images(ax)],
        "drawn": [one.record(across, up) for one in found],
    })  # fmt: skip


def _axis(ax: Axes, name: str) -> _Axis:
    axis = getattr(ax, f"{name}axis")
    scale = axis.get_scale()
    if scale == "symlog":
        scale = f"symlog {axis.get_transform().linthresh:g}"
    where, shown = axis.get_major_locator(), axis.get_major_formatter()
    ticks: list[str] = []
    if isinstance(shown, FixedFormatter | FuncFormatter | StrCategoryFormatter):
        fixed = isinstance(where, FixedLocator | StrCategoryLocator)
        ticks = list(shown.format_ticks(where.tick_values(None, None))) if fixed else []
    elif not isinstance(shown, ScalarFormatter | LogFormatter | NullFormatter):
        ticks = [f"one is {shown(1.0)}"]  # a unit, such as per cent
    low, high = sorted(map(float, axis.get_view_interval()))
    limits = (high, low) if axis.get_inverted() else (low, high)
    return _Axis(axis.get_label_text(), scale, limits, ticks)


def _entries(legend: Any) -> list[tuple[str, str]]:
    """Each name of a legend with the look of what stands beside it."""
    title = legend.get_title().get_text()
    handles = zip(legend.get_texts(), legend.legend_handles, strict=False)
    return [*([(title, "title")] if title else []), *((t.get_text(), _look(h)) for t, h in handles)]


def _named_by_look(one: _Drawn, names: list[tuple[str, str]]) -> str:
    """The name in a legend of what looks like this, or for a band what has its colour, if it is the only one."""
    colour = one.look.split()[:1]
    same = {name for name, look in names if look == one.look}
    if one.kind == "interval":
        same = same or {name for name, look in names if look.split()[:1] == colour}
    return same.pop() if len(same) == 1 else ""


def _look(artist: Any) -> str:
    """Colour, and style and marker where they are not the usual ones."""
    if isinstance(artist, ErrorbarContainer):
        artist = artist.lines[0] or artist.lines[2][0]
    if isinstance(artist, tuple | BarContainer):
        artist = artist[0]
    if isinstance(artist, Line2D):
        style = artist.get_linestyle()
        style = {"-": "", "None": "points"}.get(style, style)
        marker = "" if artist.get_marker() in ("None", None, "", " ") else str(artist.get_marker())
        return " ".join(filter(None, [_colour(artist.get_color()), style, marker]))
    if isinstance(artist, Collection) and artist.get_array() is not None:
        return "colours by value"
    if isinstance(artist, Collection):
        faces = artist.get_facecolor() if len(artist.get_facecolor()) else artist.get_edgecolor()
        colours = sorted({_colour(face) for face in np.asarray(faces)})
        points = " points" if isinstance(artist, PathCollection) else ""
        return (colours[0] if len(colours) == 1 else "many colours") + points
    if isinstance(artist, Patch):
        filled = artist.get_fill() and artist.get_facecolor()[3] > 0
        hatch = f" {artist.get_hatch()}" if artist.get_hatch() else ""
        return _colour(artist.get_facecolor()) + hatch if filled else _colour(artist.get_edgecolor()) + " outline"
    return ""


def _colour(colour: Any) -> str:
    return to_hex(colour, keep_alpha=False)


def _drawn(ax: Axes) -> Iterable[_Drawn]:
    """What an axes holds, container by container, and what is in none of them."""
    inside: set[int] = set()
    for container in ax.containers:
        inside |= {id(part) for part in _parts(container)}
        label = _label(container)
        if isinstance(container, ErrorbarContainer):
            yield _with_bars(container, label)
        elif isinstance(container, BarContainer) and container.patches:
            yield _bars(container, label)
    for artist in ax.get_children():
        if id(artist) in inside or not artist.get_visible():
            continue
        label, look = _label(artist), _look(artist)
        if isinstance(artist, Line2D) and artist in ax.lines:
            x, y = (np.ma.filled(np.ma.asarray(v, float), np.nan) for v in artist.get_data(orig=False))
            yield _Drawn("line", label, look, x, y)
        elif isinstance(artist, PolyCollection):
            yield _band(artist, label, look)
        elif isinstance(artist, ContourSet):
            corners = [path.vertices for path in artist.get_paths() if len(path.vertices)]  # ty: ignore
            x, y = np.vstack(corners).T if corners else np.zeros((2, 0))
            yield _Drawn("contour", label, look, x, y, ordered=False)
        elif isinstance(artist, PathCollection):
            x, y = np.ma.filled(artist.get_offsets().astype(float), np.nan).T  # ty: ignore
            by_value = artist.get_array()
            sizes = artist.get_sizes()
            wide = by_value if by_value is not None else sizes if len(sizes) == len(x) else []
            yield _Drawn("points", label, look, x, y, np.asarray(wide, float), ordered=False)
        elif isinstance(artist, LineCollection):
            parts = [np.asarray(part, float) for part in artist.get_segments() if len(part)]
            x, y = np.array([part.mean(axis=0) for part in parts]).reshape(-1, 2).T
            yield _Drawn("segments", label, look, x, y, np.array([np.ptp(part, axis=0).max() for part in parts]))
        elif isinstance(artist, Annotation) and artist.arrow_patch is not None:
            ends = np.array([artist.xy, artist.xyann], float)
            yield _Drawn("arrows", "", "", ends[:1, 0], ends[:1, 1], np.abs(np.diff(ends, axis=0)).max(axis=1))
        elif isinstance(artist, Patch) and artist in ax.patches:
            box = artist.get_path().get_extents(artist.get_patch_transform())
            size = np.array([max(box.width, box.height)])
            yield _Drawn("patches", label, look, np.array([box.x0 + box.width / 2]),
                         np.array([box.y0 + box.height / 2]), size)  # fmt: skip


def _parts(container: Any) -> list[Any]:
    if isinstance(container, ErrorbarContainer):
        line, caps, bars = container.lines
        return [line, *caps, *bars]
    return list(container)


def _label(artist: Artist | Any) -> str:
    label = str(artist.get_label() or "")
    return "" if label.startswith("_") else label


def _with_bars(container: ErrorbarContainer, label: str) -> _Drawn:
    """Points or a line with error bars: their longer ends as the width."""
    line, _, bars = container.lines
    parts = [np.asarray(part, float) for part in bars[0].get_segments()] if bars else []
    lengths = np.array([np.ptp(part, axis=0).max() if len(part) else np.nan for part in parts])
    if line is None:
        x, y = np.array([part.mean(axis=0) for part in parts]).T
        return _Drawn("bars of error", label, _look(bars[0]), x, y, lengths)
    x, y = (np.ma.filled(np.ma.asarray(v, float), np.nan) for v in line.get_data(orig=False))
    return _Drawn("line with errors", label, _look(line), x, y, lengths)


def _bars(container: BarContainer, label: str) -> _Drawn:
    """Bars by their ends; where they do not begin at zero, their lengths as the width."""
    upright = container.orientation != "horizontal"
    boxes = [(p.get_x(), p.get_width(), p.get_y(), p.get_height()) for p in container.patches]
    x, wide, y, high = np.array(boxes, float).T
    middle, foot, length = (x + wide / 2, y, high) if upright else (y + high / 2, x, wide)
    from_zero = not foot.any()
    looks = {_look(patch) for patch in container.patches}
    look = looks.pop() if len(looks) == 1 else "many colours"
    ends = (middle, foot + length) if upright else (foot + length, middle)
    return _Drawn("bars" if upright else "level bars", label, look, *ends, np.array([]) if from_zero else length)


def _band(artist: PolyCollection, label: str, look: str) -> _Drawn:
    """A filled band by its upper edge and its thickness; other polygons by their corners."""
    paths = [np.asarray(path.vertices, float) for path in artist.get_paths()]
    if len(paths) == 1 and len(paths[0]) >= 7 and len(paths[0]) % 2:
        half = (len(paths[0]) - 3) // 2
        lower, upper = paths[0][1 : half + 1], paths[0][half + 2 : 2 * half + 2][::-1]
        if lower.shape == upper.shape and np.allclose(lower[:, 0], upper[:, 0], equal_nan=True):
            top, foot = np.maximum(lower[:, 1], upper[:, 1]), np.minimum(lower[:, 1], upper[:, 1])
            return _Drawn("band", label, look, lower[:, 0], top, top - foot)
    x, y = np.vstack(paths).T if paths else (np.array([]), np.array([]))
    return _Drawn("shapes", label, look, x, y, ordered=False)


def _together(drawn: Iterable[_Drawn]) -> Iterable[_Drawn]:
    """Single marks, and what is unnamed, that look alike as one; the number of curves in it is kept."""
    groups: dict[tuple[str, ...], list[_Drawn]] = {}
    for number, one in enumerate(drawn):
        alone = "" if len(one.x) == 1 or not one.label else str(number)
        groups.setdefault((one.kind, one.label, one.look, alone), []).append(one)
    for (kind, label, look, _), members in groups.items():
        if len(members) == 1 or (not label and len(members) <= 3 and max(len(m.x) for m in members) > 1):
            yield from members
            continue
        x, y = (np.concatenate([getattr(m, name) for m in members]) for name in ("x", "y"))
        wide = np.concatenate([m.wide if len(m.wide) == len(m.x) else np.full(len(m.x), np.nan) for m in members])
        single = all(len(m.x) == 1 for m in members)
        wide = wide if np.isfinite(wide).all() else np.array([])
        yield _Drawn(kind, label, look, x, y, wide, ordered=single, count=len(members))


def _text(text: Any) -> str:
    return "" if isinstance(text, Annotation) and not text.get_text() else " ".join(text.get_text().split())


def _numbers(texts: Sequence[str]) -> list[Any]:
    """Many texts of one chart, such as those of a table of numbers: how many, and the numbers' quantiles."""
    numbers = []
    for text in texts:
        try:
            numbers.append(float(text.replace("\u2212", "-").rstrip("%")))
        except ValueError:
            continue
    quantiles = [float(f"{v:.4g}") for v in np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1])] if numbers else []
    return [len(texts), len(numbers), *quantiles]


def _images(ax: Axes) -> list[Any]:
    if hasattr(ax, "_colorbar"):
        return []
    return [*ax.images, *(mesh for mesh in ax.collections if isinstance(mesh, QuadMesh))]


def _image(image: AxesImage | Collection) -> dict[str, Any]:
    """An image or a mesh: its shape, its colours, quantiles, and nine places in a square."""
    values = np.ma.filled(np.ma.asarray(image.get_array(), float), np.nan)
    values = values.mean(axis=2) if values.ndim == 3 else values
    norm = image.norm
    low, high = (float(norm.vmin or 0.0), float(norm.vmax or 0.0))  # ty: ignore
    axis = _Axis("", "linear", (low, high), [])
    rows, columns = (np.linspace(0, size - 1, min(3, size)).round().astype(int) for size in (*values.shape, 1)[:2])
    finite = values[np.isfinite(values)]
    return _filled({
        "shape": list(values.shape),
        "colours": image.get_cmap().name,
        "limits": axis.shown([low, high]),
        "values": axis.shown(np.quantile(finite, [0, 0.25, 0.5, 0.75, 1])) if len(finite) else [],
        "at": axis.shown(np.nan_to_num(values[np.ix_(rows, columns)])),
    })  # fmt: skip


def _filled(record: dict[str, Any]) -> dict[str, Any]:
    """The record without what is empty."""
    return {name: value for name, value in record.items() if value or value == 0.0 and name == "r"}
