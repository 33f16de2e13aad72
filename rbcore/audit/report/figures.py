"""The pictures of an audit, in the house style; each answers one question and is drawn to be read on a phone.

    figures.style()
    figure = audit_figures.waterfall(result.series["waterfall"])
    figure.get_label()              # the alternative text, with the numbers of the picture

Each function takes one entry of :attr:`rbcore.audit.result.Result.series` and raises :class:`NothingToDraw` when
there is none to show.  Numbers that are None or NaN are left out.  Texts that may come from the user are never
read as formulas.
"""

from __future__ import annotations

import itertools
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
from rbcore.audit.report.numbers import brief, finite
from rbcore.audit.report.text import no_formula, one_line
from rbcore.audit.result import Finding, Result

__all__ = ["NothingToDraw", "curve", "embedding_map", "intervals", "plane", "students", "waterfall"]

WIDTH = 4.8  # inches: ten-point type stays readable when a phone shows this at full width
NAMES = {"ANCHOR": "anchors", "SYNTH": "synthetic", "RAW": "raw answers", "HELDOUT": "held out"}
COLOURS = {"ANCHOR": figures.TASK, "SYNTH": figures.CURATED, "RAW": figures.MODEL, "HELDOUT": figures.PALETTE[4]}
MARKS = "^sDvPX*hp"
RINGS = [figures.TRUTH, *(figures.PALETTE[i] for i in (4, 1, 6, 5, 9, 0))]
EFFECT = {"better": (figures.TASK, "v"), "worse": (figures.TRUTH, "^"), "undecided": (figures.GREY, "o")}
ROW = 0.52  # inches for a row with its label above


class NothingToDraw(ValueError):
    """A series without a value that could be drawn."""


def embedding_map(series: Mapping[str, Any]) -> Figure:
    """Where do records lie that the anchors do not have?  A panel for each input, the anchors grey behind it.

    Args:
        series: ``axes``, two names; ``points``, for each input an array-like of shape (n, 2); and ``marked``, for
            some findings the indices of synthetic points.
    """
    points = {name: np.asarray(rows, dtype=float).reshape(-1, 2) for name, rows in series["points"].items()}
    points = {name: rows for name, rows in points.items() if len(rows)}
    if not points:
        raise NothingToDraw("a map needs at least one point")
    marked = series.get("marked") or {}
    shown = [name for name in ("SYNTH", "RAW", "HELDOUT") if name in points] or ["ANCHOR"]
    heights = [3.6, 2.3][: len(shown)]
    figure = plt.figure(figsize=(WIDTH, sum(heights) + 0.5), layout="constrained")
    grid = figure.add_gridspec(len(heights), max(1, len(shown) - 1), height_ratios=heights)
    axes = [figure.add_subplot(grid[0, :]), *(figure.add_subplot(grid[1, i]) for i in range(len(shown) - 1))]
    whole = np.concatenate(list(points.values()))
    low, high = np.quantile(whole[np.isfinite(whole).all(axis=1)], [0.002, 0.998], axis=0)
    room = 0.06 * np.maximum(high - low, 1e-9)
    style: dict[str, Any] = {"s": 9, "lw": 0, "rasterized": True}
    for ax, name in zip(axes, shown, strict=True):
        if name != "ANCHOR" and "ANCHOR" in points:
            ax.scatter(*points["ANCHOR"].T, color="0.6", alpha=0.5, label="anchors", **style)
        ax.scatter(*points[name].T, label=NAMES[name], color=COLOURS[name], alpha=0.6, **style)
        if name == "SYNTH":
            _ring(ax, points[name], marked)
        ax.set(xlim=(low[0] - room[0], high[0] + room[0]), ylim=(low[1] - room[1], high[1] + room[1]))
        ax.set(xlabel=_text(series["axes"][0], 40), title=f"{NAMES[name]} ({len(points[name]):,})")
    for ax in axes[:2]:
        ax.set(ylabel=_text(series["axes"][1], 40))
    entries: dict[str, Any] = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(name, handle)
    figure.legend(
        entries.values(), entries.keys(), loc="outside lower center", ncols=3, fontsize="small", markerscale=1.6
    )
    counts = ", ".join(f"{len(rows):,} {NAMES[name]}" for name, rows in points.items())
    text = f"Scatter of {series['axes'][0]} and {series['axes'][1]}: {counts}."
    if "ANCHOR" in points and "SYNTH" in points:
        low, high = np.nanquantile(points["ANCHOR"], [0.01, 0.99], axis=0)
        inside = ((points["SYNTH"] >= low) & (points["SYNTH"] <= high)).all(axis=1).mean()
        text += f" {100 * inside:.0f} % of the synthetic points lie in the rectangle that holds most anchors."
    named = ", ".join(f"{len(indices):,} by {name}" for name, indices in marked.items())
    return _labelled(figure, text + (f" Marked: {named}." if named else ""))


def plane(series: Sequence[Mapping[str, Any]]) -> Figure:
    """Are the synthetic data as faithful and as diverse as fresh records of the task?  Points with two intervals.

    Args:
        series: for each point its ``label``, ``kind`` (``"reference"`` or ``"data"``), ``faithfulness`` and
            ``diversity``, each a value with its lower and upper limit.
    """
    known = [one for one in series if finite(one["faithfulness"][0]) and finite(one["diversity"][0])]
    if not known:
        raise NothingToDraw("a plane needs at least one point")
    labels = [one_line(one["label"], 40) for one in known]
    columns = 2 if max(map(len, labels)) <= 24 else 1
    figure, ax = plt.subplots(figsize=(WIDTH, 3.9 + 0.22 * math.ceil(len(known) / columns)))
    others = iter([figures.PALETTE[i] for i in (4, 9, 5, 8, 6, 0)] * len(known))
    for i, (one, label) in enumerate(zip(known, labels, strict=True)):
        reference = one["kind"] == "reference"
        colour = figures.GREY if reference else COLOURS.get(one["label"]) or next(others)
        x, y = one["faithfulness"], one["diversity"]
        ax.errorbar(x[0], y[0], xerr=_bars(*x), yerr=_bars(*y), fmt="none", ecolor=colour, elinewidth=1.3)
        look: dict[str, Any] = {"color": colour, "mfc": "none" if reference else colour, "ms": 8, "ls": "none"}
        ax.plot(x[0], y[0], MARKS[i % len(MARKS)], label=no_formula(label), **look)
    ax.set(xlabel="faithfulness (share of records near anchors)")
    ax.set(ylabel="diversity (share of anchors\nwith a record nearby)")
    ax.margins(0.12)
    figure.legend(loc="outside lower center", ncols=columns, fontsize="small")
    parts = [
        f"{one['label']} ({one['kind']}): faithfulness {_with(*one['faithfulness'])}, "
        f"diversity {_with(*one['diversity'])}"
        for one in known
    ]
    return _labelled(figure, f"Scatter of diversity against faithfulness. {'; '.join(parts)}.")


def waterfall(series: Mapping[str, Any]) -> Figure:
    """Which term of the bound pays how much, and for what?

    A bar for each charge begins where the one before it ends; the thick mark is the true, signed step that it pays
    for, measured from the foot of the bar.

    Args:
        series: ``unit`` of the risk, ``training`` risk, ``risk`` on the task, ``charges`` and ``steps``, each with
            ``label``, ``value``, ``low`` and ``high`` and, for a charge, a ``note``.  An upper limit of None makes
            the value a lower limit.  The i-th charge pays for the i-th step; later steps are not charged for.
    """
    charges, steps = ([one for one in series[key] if finite(one["value"])] for key in ("charges", "steps"))
    if not charges or not finite(series["training"]) or not finite(series["risk"]):
        raise NothingToDraw("a waterfall needs at least one charge, and the risks in training and on the task")
    training, risk, unit = float(series["training"]), float(series["risk"]), str(series["unit"])
    total = training + sum(one["value"] for one in charges)
    rows = list(itertools.zip_longest(charges, steps))
    labels, paid = [f"training: {brief(training)}"], []
    for charge, step in rows:
        true = f"true step {brief(step['value'])}" if step else ""
        if charge is None:
            labels.append(f"{step['label']}: not charged for; {true}")
            continue
        note = f" ({charge['note']})" if charge.get("note") else ""
        open_, value = not finite(charge.get("high")), brief(charge["value"])
        labels.append(f"{charge['label']}: charges {'≥ ' * open_}{value}{note}" + (f"; {true}" if true else ""))
        pays = f" for a true step of {brief(step['value'])}" if step else ""
        paid.append(f"{charge['label']} charges {'at least ' * open_}{value}{pays}")
    limit = "≥ " if any(not finite(one.get("high")) for one in charges) else ""
    labels.append(f"bound on the risk: {limit}{brief(total)}; true risk {brief(risk)}")
    figure, ax = _rows(labels)
    ink, foot = plt.rcParams["text.color"], training
    ax.barh(0, training, height=0.34, color=figures.GREY, lw=0)
    for i, (charge, step) in enumerate(rows, 1):
        if step:
            ax.plot([foot + step["value"]] * 2, [i - 0.24, i + 0.24], color=ink, lw=2.6, zorder=4)
            if finite(step.get("low")) and finite(step.get("high")):
                ax.plot([foot + step["low"], foot + step["high"]], [i] * 2, color=ink, lw=1.2, zorder=4)
        if charge:
            colour, end = figures.PARTS[(i - 1) % len(figures.PARTS)], foot + charge["value"]
            ax.barh(i, charge["value"], left=foot, height=0.34, color=colour, alpha=0.9, lw=0)
            if not finite(charge.get("high")):
                ax.plot(end, i, ">", color=colour, ms=8, zorder=3)
            elif finite(charge.get("low")):
                ax.plot([foot + charge["low"], foot + charge["high"]], [i + 0.21] * 2, color=colour, lw=1.6)
            foot = end
    ax.barh(len(labels) - 1, total, height=0.34, fill=False, edgecolor=ink, lw=1.2)
    _line(ax, risk, len(labels), ls="--", lw=1.2)
    if unit == "error rate" and total > 1:
        ax.axvspan(1, max(1.02, total * 1.05), color=figures.GREY, alpha=0.18, lw=0)
    ax.set(xlabel=f"{_text(unit)} (dashed: the true risk)", xlim=(min(0.0, ax.get_xlim()[0]), None))
    begin = f"Waterfall of the bound ({unit}), from training at {brief(training)}"
    return _labelled(figure, f"{begin}. {'; '.join(paid)}. The true risk is {brief(risk)}.")


def students(series: Sequence[Mapping[str, Any]]) -> Figure:
    """Do the synthetic data help a student?  The difference of each student's loss from that of anchors alone.

    Args:
        series: for each student its ``arm``, ``ratio`` of synthetic to real records or None, ``loss``, and its
            ``difference`` from anchors alone with both limits; nats per record, negative when it is better.
    """
    known = [one for one in series if one.get("difference") and all(map(finite, one["difference"]))]
    if not known:
        raise NothingToDraw("students need at least one difference")
    figure, ax = _rows([f"{one['arm']}: loss {brief(one['loss'])}" for one in known], more=0.6)
    for i, one in enumerate(known):
        colour, mark = EFFECT[effect(one)]
        look: dict[str, Any] = {"fmt": mark, "color": colour, "ms": 7, "elinewidth": 1.6}
        ax.errorbar(one["difference"][0], i, xerr=_bars(*one["difference"]), label=effect(one), **look)
    _line(ax, 0.0, len(known), lw=1.2)
    ax.set(xlabel="loss less that of anchors alone\n(nats per record; left of the line is better)")
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=3, fontsize="small")
    parts = "; ".join(f"{one['arm']} {_with(*one['difference'])}, {effect(one)}" for one in known)
    return _labelled(figure, f"Differences of loss from anchors alone, nats per record. {parts}.")


def effect(one: Mapping[str, Any]) -> str:
    """What the interval of a student's difference says: ``better``, ``worse`` or ``undecided``."""
    _, low, high = one["difference"]
    return "better" if high < 0 else "worse" if low > 0 else "undecided"


def curve(series: Sequence[Mapping[str, Any]]) -> Figure:
    """How many synthetic records are worth how many anchors?  The loss against the size, for both kinds of data.

    Args:
        series: for each student its ``data`` (``"anchors"`` or ``"synthetic"``), ``size``, and ``loss`` with its
            limits ``low`` and ``high``, in nats per record.
    """
    known = [one for one in series if finite(one["loss"]) and one["size"] > 0]
    if not known:
        raise NothingToDraw("a learning curve needs at least one student")
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6))
    for data, colour, mark in (("anchors", figures.TASK, "o"), ("synthetic", figures.CURATED, "^")):
        rows = sorted((one for one in known if one["data"] == data), key=lambda one: one["size"])
        if rows:
            sizes, losses = ([one[key] for one in rows] for key in ("size", "loss"))
            low, high = ([_or(one[end], one["loss"]) for one in rows] for end in ("low", "high"))
            ax.plot(sizes, losses, marker=mark, color=colour, label=data, ms=6)
            ax.fill_between(sizes, low, high, color=colour, alpha=0.25, lw=0)
    sizes = sorted({one["size"] for one in known})
    ax.set(xscale="log", xlabel="records that the student saw", ylabel="loss on the task (nats per record)")
    keep = [s for i, s in enumerate(sizes) if i == 0 or s / sizes[i - 1] > 1.25]
    ax.set_xticks(keep, [f"{s:,}" for s in keep])
    ax.minorticks_off()
    ax.legend()
    parts = "; ".join(f"{one['size']:,} {one['data']}: {brief(one['loss'])}" for one in known)
    return _labelled(figure, f"Loss in nats per record against the number of records. {parts}.")


def intervals(result: Result) -> Figure:
    """How large are the shares that the findings rest on, and how sure?  A row for each, with its interval."""
    groups = shares(result)
    if not groups:
        raise NothingToDraw("the intervals need a finding with a trusted share")
    rows = [(finding, result.numbers[key], j) for finding, ids in groups for j, key in enumerate(ids)]
    figure, ax = _rows([one.meaning for _, one, _ in rows])
    band, parts = 0, []
    for finding, ids in groups:
        if finding.verdict == "flagged":
            corner, wide = (0, band - 0.62), ax.get_yaxis_transform()
            ax.add_patch(Rectangle(corner, 1, len(ids), transform=wide, fc=figures.TRUTH, alpha=0.13, lw=0))
        band += len(ids)
        if band < len(rows):
            ax.axhline(band - 0.62, color=figures.GREY, lw=0.6)
    for i, (finding, one, j) in enumerate(rows):
        ends = [100 * x for x in (one.estimate.value, *one.estimate.ci)]
        colour = figures.TRUTH if finding.verdict == "flagged" else figures.TASK
        style: dict[str, Any] = {"color": colour, "mfc": "none" if j else colour, "ms": 6, "elinewidth": 1.6}
        ax.errorbar(ends[0], i, xerr=_bars(*ends), fmt="o", **style)
        parts.append(f"{one.meaning} {_with(*ends)}")
    right = ax.get_xlim()[1]
    ax.set(xlabel="share of records (%), with 95 % interval", xlim=(-0.02 * right, right))
    return _labelled(figure, f"Shares in per cent with their intervals. {'; '.join(parts)}.")


def shares(result: Result) -> list[tuple[Finding, list[str]]]:
    """The findings that rest on trusted two-sided shares, each with their ids; a share is named once."""

    def drawable(key: str) -> bool:
        one = result.numbers[key].estimate
        ends = (one.value, *one.ci)
        return one.unit == "share" and one.trusted and one.sided == "two" and all(map(finite, ends))

    seen: set[str] = set()
    groups = []
    for finding in result.findings:
        ids = [key for key in dict.fromkeys(finding.numbers) if key not in seen and drawable(key)]
        seen.update(ids)
        if ids:
            groups.append((finding, ids))
    return groups


def _labelled(figure: Figure, text: str) -> Figure:
    figure.set_label(text)
    return figure


def _text(text: Any, width: int = 60) -> str:
    return no_formula(one_line(text, width))


def _with(value: float, low: float, high: float) -> str:
    return f"{brief(value)} [{brief(low)}, {brief(high)}]"


def _or(x: Any, otherwise: float) -> float:
    return float(x) if finite(x) else otherwise


def _rows(labels: Sequence[str], more: float = 0.0) -> tuple[Figure, Axes]:
    """Rows from top to bottom, each with its label above its mark; `more` inches for what else is drawn."""
    lines = [textwrap.wrap(one_line(label, 130), 70) or [""] for label in labels]
    row = ROW * (1.35 if any(len(line) > 1 for line in lines) else 1.0)
    figure, ax = plt.subplots(figsize=(WIDTH, row * len(lines) + 0.85 + more))
    for i, line in enumerate(lines):
        text = ax.text(0.01, i - 0.24, no_formula("\n".join(line)), transform=ax.get_yaxis_transform())
        text.set(ha="left", va="bottom", fontsize="small", linespacing=1.0)
        text.set_in_layout(False)  # a long label does not squeeze the axes
    ax.set(yticks=[], ylim=(len(lines) - 0.6, -0.9))
    ax.spines["left"].set_visible(False)
    return figure, ax


def _line(ax: Axes, x: float, rows: int, **how: Any) -> None:
    """A vertical line that leaves out the labels of the rows."""
    for i in range(rows):
        ax.plot([x, x], [i - 0.2, i + 0.36], color=plt.rcParams["text.color"], **how)


def _ring(ax: Axes, points: np.ndarray, marked: Mapping[str, Sequence[int]]) -> None:
    """Synthetic points that a finding names, each finding with its own shape and colour."""
    for i, (name, indices) in enumerate(marked.items()):
        own = [int(k) for k in indices if 0 <= int(k) < len(points)]
        if own:
            look: dict[str, Any] = {"facecolors": "none", "edgecolors": [RINGS[i % len(RINGS)]], "linewidths": 0.9}
            ax.scatter(*points[own].T, s=24, marker=MARKS[i % len(MARKS)], label=_text(name, 24), **look)


def _bars(value: float, low: float, high: float) -> list[list[float]]:
    """What errorbar wants: the distances down and up; none where a limit does not exist."""
    return [[max(0.0, end)] for end in (value - _or(low, value), _or(high, value) - value)]
