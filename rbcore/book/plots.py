"""Figures between two runs: what each showed when it was pinned, and where a fresh one shows something else.

A record (:mod:`rbcore.plotted`) is compared in the coordinates of its axes: a number may move by
:data:`TOLERANCE` of the range that the axis shows, so that rounding and the rare draw that rounding decides do not
count.  Words count to the letter, but for numbers in them, which may differ by one in their last digit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rbcore.book import records
from rbcore.book.ledger import LedgerError

FILE = "figures.json"  # beside the ledger
TOLERANCE = 0.003  # of the range of an axis
SHARE = 0.02  # by which a width, a number of many points or a rank correlation may change
MOST = 4  # rows of drift for one figure
NUMBER = re.compile(r"[-\u2212]?\d+(?:\.\d+)?")

Difference = tuple[str, str, str, str]  # what, pinned, fresh, tolerance


def differences(pinned: Mapping[str, Any], fresh: Mapping[str, Any]) -> list[Difference]:
    """Where the record of a figure left its pin, the most telling first."""
    was, now = pinned.get("charts", []), fresh.get("charts", [])
    found: list[Difference] = [
        *_words("title", pinned, fresh, "title"),
        *_words("legend", pinned, fresh, "legend"),
    ]
    if len(was) != len(now):
        return [*found, ("charts", str(len(was)), str(len(now)), "none")]
    for number, (before, after) in enumerate(zip(was, now, strict=True), 1):
        where = f"chart {number}, " if len(now) > 1 else ""
        found += [(where + what, *rest) for what, *rest in _chart(before, after)]  # ty: ignore
    return found


def _chart(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    yield from _words("title", was, now, "title")
    axes = {}
    for name in ("x", "y"):
        before, after = was.get(name, {}), now.get(name, {})
        for part in ("label", "scale", "ticks"):
            yield from _words(f"{name} axis, {part}", before, after, part)
        axes[name] = _Even(before)
        yield from axes[name].moved(f"{name} axis, limits", before, after, "limits")
    for part in ("legend", "texts"):
        yield from _words(part, was, now, part)
    for one, other in zip(was.get("images", []), now.get("images", []), strict=False):
        yield from _image(one, other)
    if len(was.get("images", [])) != len(now.get("images", [])):
        yield "images", str(len(was.get("images", []))), str(len(now.get("images", []))), "none"
    yield from _shares("numbers in it", was, now, "numbers")
    yield from _curves(was.get("drawn", []), now.get("drawn", []), axes)


def _curves(was: Sequence[Any], now: Sequence[Any], axes: Mapping[str, _Even]) -> Iterator[Difference]:
    before, after = _by_name(was), _by_name(now)
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after or name not in before:
            yield name, *(("there", "gone") if name in before else ("absent", "there")), "none"
            continue
        one, other = before[name], after[name]
        yield from _words(name, one, other, "goes")
        yield from _words(f"{name}, look", one, other, "look")
        yield from axes["y"].moved(f"{name}, from left to right", one, other, "at")
        yield from axes["y"].moved(f"{name}, extremes", one, other, "y")
        yield from axes["x"].moved(f"{name}, range of x", one, other, "x")
        yield from axes["x"].moved(f"{name}, along x", one, other, "along")
        yield from _shares(f"{name}, widths", one, other, "wide")
        yield from _shares(f"{name}, artists", one, other, "count")
        yield from _shares(f"{name}, points", one, other, "n")
        if abs(one.get("r", 0) - other.get("r", 0)) > SHARE:
            yield f"{name}, rank correlation", str(one.get("r", 0)), str(other.get("r", 0)), str(SHARE)


def _by_name(drawn: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """What was drawn by kind and label, ``line 'exact'``; of several alike each with its number."""
    found: dict[str, Mapping[str, Any]] = {}
    for one in drawn:
        name = f"{one['kind']} {one['label']!r}" if one.get("label") else f"{one['kind']} without a name"
        number = 1 + sum(other.partition(" no. ")[0] == name for other in found)
        found[name if number == 1 else f"{name} no. {number}"] = one
    return found


def _image(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for part in ("shape", "colours"):
        yield from _words(f"image, {part}", was, now, part)
    colours = _Even(was)
    for part in ("limits", "values", "at"):
        yield from colours.moved(f"image, {part}", was, now, part)


class _Even:
    """Compare numbers of an axis in the coordinates in which it is even."""

    def __init__(self, axis: Mapping[str, Any]) -> None:
        from rbcore.plotted import scaled

        self.even, _ = scaled(axis.get("scale", "linear"))
        self.low, self.high = sorted(float(self.even(v)) for v in axis.get("limits", (0.0, 1.0)))

    def moved(self, what: str, was: Mapping[str, Any], now: Mapping[str, Any], part: str) -> Iterator[Difference]:
        before, after = was.get(part, []), now.get(part, [])
        if len(before) != len(after) or not all(map(self.near, before, after)):
            yield what, _shown(before), _shown(after), f"{TOLERANCE:.1%} of the axis"

    def near(self, was: float, now: float) -> bool:
        a, b = float(self.even(was)), float(self.even(now))
        outside = max(self.low - a, a - self.high, 0.0)  # what leaves the picture is seen less exactly
        return a == b or abs(a - b) <= TOLERANCE * (self.high - self.low + outside)


def _words(what: str, was: Mapping[str, Any], now: Mapping[str, Any], part: str) -> Iterator[Difference]:
    before, after = (_text(record.get(part, "")) for record in (was, now))
    if NUMBER.sub("#", before) != NUMBER.sub("#", after) or not all(
        map(_digits_near, NUMBER.findall(before), NUMBER.findall(after))
    ):
        yield what, before or "none", after or "none", "none"


def _text(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _digits_near(was: str, now: str) -> bool:
    """Equal, or decimals that differ by one in their last digit."""
    if was == now or "." not in was:
        return was == now
    a, b = (float(number.replace("\u2212", "-")) for number in (was, now))
    return abs(a - b) <= 1.01 * 10.0 ** -len(was.partition(".")[2])


def _shares(what: str, was: Mapping[str, Any], now: Mapping[str, Any], part: str) -> Iterator[Difference]:
    before, after = (v if isinstance(v, list) else [v] for v in (was.get(part, 0), now.get(part, 0)))
    largest = max(map(abs, before), default=0)
    if len(before) != len(after) or any(abs(a - b) > SHARE * largest for a, b in zip(before, after, strict=True)):
        yield what, _shown(before), _shown(after), f"{SHARE:.0%}"


def _shown(numbers: Iterable[float]) -> str:
    return " ".join(f"{v:.4g}" for v in numbers)


# ---------------------------------------------------------------------------------------------------------------
# Pins
# ---------------------------------------------------------------------------------------------------------------


def read(path: Path) -> dict[str, Any]:
    """The pinned figures; empty where there are none yet.

    Raises:
        LedgerError: when the file is not the JSON that ``make pin`` writes.
    """
    pins = records.read(path, "make pin")
    if not all(isinstance(pin, dict) and "chapter" in pin for pin in pins.values()):
        raise LedgerError(f"{path}: needs an object for each figure, with its chapter; `make pin` writes them")
    return pins


def accepted(fresh: Mapping[str, Any], pinned: Mapping[str, Any]) -> dict[str, Any]:
    """The pins of these figures: those that have not drifted as they were."""
    kept = {name for name in fresh if name in pinned and not differences(pinned[name], fresh[name])}
    return {name: dict(pinned[name]) if name in kept else dict(record) for name, record in fresh.items()}


def as_json(pins: Mapping[str, Any]) -> str:
    """The pins as JSON: a line for each curve, so that a difference is readable."""
    return "{\n" + ",\n".join(f'"{name}": {_lines(pins[name])}' for name in sorted(pins)) + "\n}\n"


def _lines(pin: Mapping[str, Any]) -> str:
    charts = []
    for chart in pin.get("charts", []):
        head = {name: value for name, value in chart.items() if name not in ("drawn", "images")}
        rows = [f'"{part}": [\n   ' + ",\n   ".join(map(_line, chart[part])) + "]"
                for part in ("drawn", "images") if part in chart]  # fmt: skip
        charts.append(",\n  ".join([_line(head)[:-1], *rows]) + "}")
    head = _line({name: value for name, value in pin.items() if name != "charts"})[:-1]
    return f'{head},\n "charts": [\n  ' + ",\n  ".join(charts) + "]}" if charts else f"{head}}}"


ORDER = ("kind", "label", "look", "count", "n", "goes", "x", "y", "along", "at", "r", "wide", "title", "legend")


def _line(record: Mapping[str, Any]) -> str:
    names = [*(name for name in ORDER if name in record), *sorted(record.keys() - set(ORDER))]
    return json.dumps({name: record[name] for name in names}, ensure_ascii=False)
