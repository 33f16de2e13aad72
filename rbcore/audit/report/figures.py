"""The pictures of an audit, in the house style; each answers one question and is drawn to be read on a phone.

    figures.style()
    audit_figures.waterfall(result.series["waterfall"])

Each function takes one entry of :attr:`rbcore.audit.result.Result.series`.  Numbers that are None
or NaN are left out.  Texts that may come from the user are never read as formulas.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rbcore import figures
from rbcore.audit.report.alt import (
    WORDS,
    alt,
    cloud,
    compared,
    effects,
    either,
    finite,
    number,
    plain,
    shares,
    shorten,
    terms,
)
from rbcore.audit.result import Result

__all__ = ["alt", "curve", "embedding_map", "intervals", "plane", "students", "waterfall"]

WIDTH = 4.8  # inches: ten-point type stays readable when a phone shows this at full width
COLOURS = {
    "ANCHOR": figures.TASK,
    "SYNTH": figures.CURATED,
    "RAW": figures.MODEL,
    "HELDOUT": figures.PALETTE[4],
}
MARKS = "^sDvPX*hp"
RINGS = [figures.TRUTH, *(figures.PALETTE[i] for i in (4, 1, 6, 5, 9, 0))]
EFFECT = {"better": (figures.TASK, "v"), "worse": (figures.TRUTH, "^"), "undecided": (figures.GREY, "o")}
AXES = (
    "faithfulness (share of records near anchors)",
    "diversity (share of anchors\nwith a record nearby)",
)
ROW = 0.52  # inches for a row with its label above


def embedding_map(series: Mapping[str, Any]) -> Figure:
    """Where do records lie that the anchors do not have?  A panel for each input, the anchors grey behind it.

    Args:
        series: ``axes``, two names; ``points``, for each input an array-like of shape (n, 2); and ``marked``, for
            some findings the indices of synthetic points.

    Raises:
        ValueError: without a point.
    """
    points = {name: cloud(rows) for name, rows in series["points"].items()}
    points = {name: rows for name, rows in points.items() if len(rows)}
    if not points:
        raise ValueError("a map needs at least one point")
    shown = [name for name in ("SYNTH", "RAW", "HELDOUT") if name in points] or ["ANCHOR"]
    below = shown[1:]
    heights = [3.6, *([2.3] if below else [])]
    figure = plt.figure(figsize=(WIDTH, sum(heights) + 0.5), layout="constrained")
    grid = figure.add_gridspec(len(heights), max(1, len(below)), height_ratios=heights)
    axes = [figure.add_subplot(grid[0, :]), *(figure.add_subplot(grid[1, i]) for i in range(len(below)))]
    whole = np.concatenate(list(points.values()))
    whole = whole[np.isfinite(whole).all(axis=1)]
    low, high = np.quantile(whole, [0.002, 0.998], axis=0)
    room = 0.06 * np.maximum(high - low, 1e-9)
    for ax, name in zip(axes, shown, strict=True):
        if name != "ANCHOR" and "ANCHOR" in points:
            ax.scatter(*points["ANCHOR"].T, s=9, color="0.6", alpha=0.5, lw=0, label="anchors", rasterized=True)
        style = {"s": 9, "color": COLOURS[name], "alpha": 0.6, "lw": 0, "rasterized": True}
        ax.scatter(*points[name].T, label=WORDS[name], **style)
        if name == "SYNTH":
            _ring(ax, points[name], series.get("marked") or {})
        ax.set(xlim=(low[0] - room[0], high[0] + room[0]), ylim=(low[1] - room[1], high[1] + room[1]))
        ax.set(xlabel=plain(shorten(series["axes"][0], 40)), title=f"{WORDS[name]} ({len(points[name]):,})")
    entries: dict[str, Any] = {}
    for ax in axes:
        handles, names = ax.get_legend_handles_labels()
        entries |= {name: handle for name, handle in zip(names, handles, strict=True) if name not in entries}
    figure.legend(
        entries.values(), entries.keys(), loc="outside lower center", ncols=3, fontsize="small", markerscale=1.6
    )
    axes[0].set(ylabel=plain(shorten(series["axes"][1], 40)))
    if below:
        axes[1].set(ylabel=plain(shorten(series["axes"][1], 40)))
    return figure


def plane(series: Sequence[Mapping[str, Any]], names: tuple[str, str] = AXES) -> Figure:
    """Are the synthetic data as faithful and as diverse as fresh records of the task?  Points with two intervals.

    Args:
        series: for each point its ``label``, ``kind`` (``"reference"`` or ``"data"``), ``faithfulness`` and
            ``diversity``, each a value with its lower and upper limit.
        names: of the axes, with units.

    Raises:
        ValueError: without a point.
    """
    known = [one for one in series if finite(one["faithfulness"][0]) and finite(one["diversity"][0])]
    if not known:
        raise ValueError("a plane needs at least one point")
    labels = [shorten(one["label"], 40) for one in known]
    columns = 2 if max(map(len, labels)) <= 24 else 1
    figure, ax = plt.subplots(figsize=(WIDTH, 3.9 + 0.22 * math.ceil(len(known) / columns)))
    others = iter([figures.PALETTE[i] for i in (4, 9, 5, 8, 6, 0)] * len(known))
    for i, (one, label) in enumerate(zip(known, labels, strict=True)):
        reference = one["kind"] == "reference"
        colour = figures.GREY if reference else COLOURS.get(one["label"]) or next(others)
        (x, *across), (y, *up) = one["faithfulness"], one["diversity"]
        ax.errorbar(x, y, xerr=_bars(x, *across), yerr=_bars(y, *up), fmt="none", ecolor=colour, elinewidth=1.3)
        look = {"color": colour, "mfc": "none" if reference else colour, "ms": 8, "ls": "none"}
        ax.plot(x, y, MARKS[i % len(MARKS)], label=plain(label), **look)
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.margins(0.12)
    figure.legend(loc="outside lower center", ncols=columns, fontsize="small")
    return figure


def waterfall(series: Mapping[str, Any]) -> Figure:
    """Which term of the bound pays how much, and for what?

    A bar for each charge begins where the one before it ends; the thick mark is the true, signed step that it pays
    for, measured from the foot of the bar.

    Args:
        series: ``unit`` of the risk, ``training`` risk, ``risk`` on the task, ``charges`` and ``steps``, each with
            ``label``, ``value``, ``low`` and ``high`` and, for a charge, a ``note``.  An upper limit of None makes
            the value a lower limit.  The i-th charge pays for the i-th step; later steps are not charged for.

    Raises:
        ValueError: without a charge.
    """
    charges, steps = terms(series)
    if not charges:
        raise ValueError("a waterfall needs at least one charge")
    training, risk, unit = float(series["training"]), float(series["risk"]), str(series["unit"])
    total = training + sum(one["value"] for one in charges)
    labels = [f"training: {number(training)}"]
    for i in range(max(len(charges), len(steps))):
        words = (charges[i] if i < len(charges) else steps[i])["label"] + ": "
        if i < len(charges):
            note = f" ({charges[i]['note']})" if charges[i].get("note") else ""
            words += f"charges {_at_least(charges[i])}{number(charges[i]['value'])}{note}"
        else:
            words += "not charged for"
        labels.append(words + (f"; true step {number(steps[i]['value'])}" if i < len(steps) else ""))
    limit = "\u2265 " if any(one["high"] is None for one in charges) else ""
    labels.append(f"bound on the risk: {limit}{number(total)}; true risk {number(risk)}")
    figure, ax = _rows(labels)
    ink, foot = plt.rcParams["text.color"], training
    ax.barh(0, training, height=0.34, color=figures.GREY, lw=0)
    for i in range(max(len(charges), len(steps))):
        if i < len(steps):
            step = steps[i]
            ax.plot([foot + step["value"]] * 2, [i + 0.76, i + 1.24], color=ink, lw=2.6, zorder=4)
            if step["low"] is not None and step["high"] is not None:
                ax.plot([foot + step["low"], foot + step["high"]], [i + 1] * 2, color=ink, lw=1.2, zorder=4)
        if i >= len(charges):
            continue
        charge, colour = charges[i], figures.PARTS[i % len(figures.PARTS)]
        ax.barh(i + 1, charge["value"], left=foot, height=0.34, color=colour, alpha=0.9, lw=0)
        end = foot + charge["value"]
        if charge["high"] is None:
            ax.plot(end, i + 1, ">", color=colour, ms=8, zorder=3)
        elif charge["low"] is not None:
            ax.plot([foot + charge["low"], foot + charge["high"]], [i + 1.21] * 2, color=colour, lw=1.6)
        foot = end
    last = len(labels) - 1
    ax.barh(last, total, height=0.34, fill=False, edgecolor=ink, lw=1.2)
    _line(ax, risk, len(labels), ls="--", lw=1.2)
    if unit == "error rate" and total > 1:
        ax.axvspan(1, max(1.02, total * 1.05), color=figures.GREY, alpha=0.18, lw=0)
    ax.set(xlabel=f"{plain(shorten(unit))} (dashed: the true risk)", xlim=(min(0.0, ax.get_xlim()[0]), None))
    return figure


def students(series: Sequence[Mapping[str, Any]]) -> Figure:
    """Do the synthetic data help a student?  The difference of each student's loss from that of anchors alone.

    Args:
        series: for each student its ``arm``, ``ratio`` of synthetic to real records or None, ``loss``, and its
            ``difference`` from anchors alone with both limits; nats per record, negative when it is better.

    Raises:
        ValueError: without a student that can be compared.
    """
    known = compared(series)
    if not known:
        raise ValueError("students need at least one difference")
    labels = [f"{one['arm']}: loss {number(one['loss'])}" for one in known]
    figure, ax = _rows(labels, more=0.6)
    for i, one in enumerate(known):
        value, low, high = one["difference"]
        effect = effects(one)
        colour, mark = EFFECT[effect]
        bars = _bars(value, low, high)
        ax.errorbar(value, i, xerr=bars, fmt=mark, color=colour, ms=7, label=effect, elinewidth=1.6)
    _line(ax, 0.0, len(known), lw=1.2)
    ax.set(xlabel="loss less that of anchors alone\n(nats per record; left of the line is better)")
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=3, fontsize="small")
    return figure


def curve(series: Sequence[Mapping[str, Any]]) -> Figure:
    """How many synthetic records are worth how many anchors?  The loss against the size, for both kinds of data.

    Args:
        series: for each student its ``data`` (``"anchors"`` or ``"synthetic"``), ``size``, and ``loss`` with its
            limits ``low`` and ``high``, in nats per record.

    Raises:
        ValueError: without a student.
    """
    known = [one for one in series if finite(one["loss"]) and one["size"] > 0]
    if not known:
        raise ValueError("a learning curve needs at least one student")
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6))
    looks = {"anchors": (figures.TASK, "o"), "synthetic": (figures.CURATED, "^")}
    for data, (colour, mark) in looks.items():
        rows = sorted((one for one in known if one["data"] == data), key=lambda one: one["size"])
        if not rows:
            continue
        sizes, losses = ([one[key] for one in rows] for key in ("size", "loss"))
        low, high = ([either(one[end], one["loss"]) for one in rows] for end in ("low", "high"))
        ax.plot(sizes, losses, marker=mark, color=colour, label=data, ms=6)
        ax.fill_between(sizes, low, high, color=colour, alpha=0.25, lw=0)
    sizes = sorted({one["size"] for one in known})
    ax.set(xscale="log", xlabel="records that the student saw", ylabel="loss on the task (nats per record)")
    keep = [s for i, s in enumerate(sizes) if i == 0 or s / sizes[i - 1] > 1.25]
    ax.set_xticks(keep, [f"{s:,}" for s in keep])
    ax.minorticks_off()
    ax.legend()
    return figure


def intervals(result: Result) -> Figure:
    """How large are the shares that the findings rest on, and how sure?  A row for each, with its interval.

    Raises:
        ValueError: when no finding rests on a trusted share.
    """
    groups = shares(result)
    if not groups:
        raise ValueError("the intervals need a finding with a trusted share")
    rows = [(finding, key, j) for finding, ids in groups for j, key in enumerate(ids)]
    labels = [result.numbers[key].meaning for _, key, _ in rows]
    figure, ax = _rows(labels)
    band = 0
    for finding, ids in groups:
        if finding.verdict == "flagged":
            size = (1, len(ids))
            place = (0, band - 0.62)
            ax.add_patch(
                Rectangle(place, *size, transform=ax.get_yaxis_transform(), fc=figures.TRUTH, alpha=0.13, lw=0)
            )
        band += len(ids)
        if band < len(rows):
            ax.axhline(band - 0.62, color=figures.GREY, lw=0.6)
    for i, (finding, key, j) in enumerate(rows):
        one = result.numbers[key].estimate
        value, (low, high) = 100 * one.value, (100 * end for end in one.ci)
        colour = figures.TRUTH if finding.verdict == "flagged" else figures.TASK
        style = {"color": colour, "mfc": "none" if j else colour, "ms": 6, "elinewidth": 1.6}
        ax.errorbar(value, i, xerr=_bars(value, low, high), fmt="o", **style)
    right = ax.get_xlim()[1]
    ax.set(xlabel="share of records (%), with 95 % interval", xlim=(-0.02 * right, right))
    return figure


def _rows(labels: Sequence[str], more: float = 0.0) -> tuple[Figure, Axes]:
    """Rows from top to bottom, each with its label above its mark; `more` inches for what else is drawn."""
    lines = [textwrap.wrap(shorten(label, 130), 70) or [""] for label in labels]
    row = ROW * (1.35 if any(len(line) > 1 for line in lines) else 1.0)
    height = row * len(lines) + 0.85 + more
    figure, ax = plt.subplots(figsize=(WIDTH, height))
    for i, line in enumerate(lines):
        place = {"transform": ax.get_yaxis_transform(), "ha": "left", "va": "bottom", "fontsize": "small"}
        text = ax.text(0.01, i - 0.24, plain("\n".join(line)), linespacing=1.0, **place)
        text.set_in_layout(False)  # a long label does not squeeze the axes
    ax.set(yticks=[], ylim=(len(lines) - 0.6, -0.9))
    ax.spines["left"].set_visible(False)
    return figure, ax


def _line(ax: Axes, x: float, rows: int, **how: Any) -> None:
    """A vertical line that leaves out the labels of the rows."""
    for i in range(rows):
        ax.plot([x, x], [i - 0.2, i + 0.36], color=plt.rcParams["text.color"], **how)


def _at_least(charge: Mapping[str, Any]) -> str:
    return "\u2265 " if charge["high"] is None else ""


def _ring(ax: Axes, points: np.ndarray, marked: Mapping[str, Sequence[int]]) -> None:
    """Synthetic points that a finding names, each finding with its own shape and colour."""
    for i, (name, indices) in enumerate(marked.items()):
        own = [int(k) for k in indices if 0 <= int(k) < len(points)]
        if own:
            look = {"s": 24, "facecolors": "none", "edgecolors": [RINGS[i % len(RINGS)]], "linewidths": 0.9}
            ax.scatter(*points[own].T, marker=MARKS[i % len(MARKS)], label=plain(shorten(name, 24)), **look)


def _bars(value: float, low: float, high: float) -> list[list[float]]:
    """What errorbar wants: the distances down and up; none where a limit does not exist."""
    ends = (value - either(low, value), either(high, value) - value)
    return [[max(0.0, end)] for end in ends]
