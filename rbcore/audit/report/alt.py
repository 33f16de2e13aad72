"""What the pictures of an audit say in words: the rows that they draw, and texts that stand in their place."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rbcore.audit.result import Finding, Result

WORDS = {"ANCHOR": "anchors", "SYNTH": "synthetic", "RAW": "raw answers", "HELDOUT": "held out"}


def alt(name: str, series: Any) -> str:
    """The alternative text of a picture, with its numbers.

    Args:
        name: the function that draws it, or the key of the series (``map``).
        series: what that function takes.

    Raises:
        ValueError: for a picture that does not exist.
    """
    if name in ("map", "embedding_map"):
        return _alt_map(series)
    if name == "plane":
        parts = [
            f"{one['label']} ({one['kind']}): faithfulness {_with(*one['faithfulness'])}, "
            f"diversity {_with(*one['diversity'])}"
            for one in series
            if finite(one["faithfulness"][0]) and finite(one["diversity"][0])
        ]
        return f"Scatter of diversity against faithfulness. {'; '.join(parts)}."
    if name == "waterfall":
        charges, steps = terms(series)
        paid = [
            f"{one['label']} charges {'at least ' if one['high'] is None else ''}{number(one['value'])}"
            + (f" for a true step of {number(steps[i]['value'])}" if i < len(steps) else "")
            for i, one in enumerate(charges)
        ]
        begin = f"Waterfall of the bound ({series['unit']}), from training at {number(series['training'])}"
        return f"{begin}. {'; '.join(paid)}. The true risk is {number(series['risk'])}."
    if name == "students":
        parts = [f"{one['arm']} {_with(*one['difference'])}, {effects(one)}" for one in compared(series)]
        return f"Differences of loss from anchors alone, nats per record. {'; '.join(parts)}."
    if name == "curve":
        parts = [f"{one['size']:,} {one['data']}: {number(one['loss'])}" for one in series if finite(one["loss"])]
        return f"Loss in nats per record against the number of records. {'; '.join(parts)}."
    if name == "intervals":
        rows = [series.numbers[key] for _, ids in shares(series) for key in ids]
        parts = [
            f"{one.meaning} {_with(*(100 * x for x in (one.estimate.value, *one.estimate.ci)))}" for one in rows
        ]
        return f"Shares in per cent with their intervals. {'; '.join(parts)}."
    raise ValueError(f"no picture is called {name!r}: map, plane, waterfall, students, curve or intervals")


def shares(result: Result) -> list[tuple[Finding, list[str]]]:
    """The findings that rest on trusted two-sided shares, each with their ids; a share is named once."""
    seen: set[str] = set()
    found = []
    for finding in result.findings:
        ids = [key for key in dict.fromkeys(finding.numbers) if key not in seen and _share(result, key)]
        seen.update(ids)
        if ids:
            found.append((finding, ids))
    return found


def terms(series: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The charges and steps of a waterfall that have a value; limits that are none become None."""
    both = []
    for key in ("charges", "steps"):
        rows = [one for one in series[key] if finite(one["value"])]
        both.append([{**one, **{end: either(one.get(end), None) for end in ("low", "high")}} for one in rows])
    return both[0], both[1]


def compared(series: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The students whose difference from anchors alone is known."""
    return [one for one in series if one.get("difference") and all(map(finite, one["difference"]))]


def effects(one: Mapping[str, Any]) -> str:
    """What the interval of a student's difference says: ``better``, ``worse`` or ``undecided``."""
    _, low, high = one["difference"]
    return "better" if high < 0 else "worse" if low > 0 else "undecided"


def number(x: float) -> str:
    """Three significant digits, and at most three decimals unless the number is below a hundredth."""
    if not finite(x):
        return "unknown"
    size = 0 if x == 0 else math.floor(math.log10(abs(x)))
    digits = max(0, min(3, 2 - size)) if size >= -2 else min(6, 1 - size)
    return f"{x:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def shorten(text: Any, width: int = 60) -> str:
    """`text` on one line of at most `width` characters, without controls, for :func:`plain` to make harmless."""
    odd = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    line = " ".join("".join(" " if unicodedata.category(c) in odd else c for c in str(text)).split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def plain(text: Any) -> str:
    """`text` with its dollars escaped, so that matplotlib reads no formula in it."""
    return str(text).replace("\\$", "$").replace("$", r"\$")


def _alt_map(series: Mapping[str, Any]) -> str:
    points = {name: cloud(rows) for name, rows in series["points"].items()}
    parts = [f"{len(rows):,} {WORDS[name]}" for name, rows in points.items() if len(rows)]
    text = f"Scatter of {series['axes'][0]} and {series['axes'][1]}: {', '.join(parts)}."
    if len(points.get("ANCHOR", ())) and len(points.get("SYNTH", ())):
        low, high = np.nanquantile(points["ANCHOR"], [0.01, 0.99], axis=0)
        inside = ((points["SYNTH"] >= low) & (points["SYNTH"] <= high)).all(axis=1).mean()
        text += f" {100 * inside:.0f} % of the synthetic points lie in the rectangle that holds most anchors."
    marked = [f"{len(indices):,} by {name}" for name, indices in (series.get("marked") or {}).items()]
    return text + (f" Marked: {', '.join(marked)}." if marked else "")


def cloud(rows: Any) -> np.ndarray:
    """Points as an array of shape (n, 2)."""
    array = np.asarray(rows, dtype=float)
    return array.reshape(-1, 2)


def _share(result: Result, key: str) -> bool:
    one = result.numbers[key].estimate
    return one.unit == "share" and one.trusted and one.sided == "two" and all(map(finite, (one.value, *one.ci)))


def finite(x: Any) -> bool:
    """Whether `x` is a number, and neither None nor NaN nor infinite."""
    return x is not None and math.isfinite(x)


def either(x: Any, otherwise: Any) -> Any:
    """`x` where it is a number, else `otherwise`."""
    return float(x) if finite(x) else otherwise


def _with(value: float, low: float, high: float) -> str:
    return f"{number(value)} [{number(low)}, {number(high)}]"
