"""The house style of figures, on seaborn: one palette that colour-blind readers can tell apart, one type size."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PALETTE = sns.color_palette("colorblind")
TASK, MODEL, CURATED, BOUND, TRUTH = PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[7], PALETTE[3]
GREY = (0.45, 0.45, 0.45)


def style() -> None:
    """Set the house style for every figure of the running notebook."""
    sns.set_theme(context="notebook", style="ticks", palette="colorblind", font_scale=0.95)
    plt.rcParams.update(
        {
            "figure.figsize": (7.2, 3.6),
            "figure.dpi": 110,
            "savefig.dpi": 160,
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "legend.frameon": False,
            "svg.hashsalt": "reverse-bottleneck",
        }
    )


def band(ax: Axes, x: Sequence[float], mean: np.ndarray, low: np.ndarray, high: np.ndarray, label: str, color,
         marker: str = "o") -> None:  # fmt: skip
    """A line with its interval as a band; all arguments of one length."""
    ax.plot(x, mean, marker=marker, color=color, label=label, markersize=4)
    ax.fill_between(x, low, high, color=color, alpha=0.22, linewidth=0)


def process_overview(
    stages: Sequence[tuple[str, str]],
    distributions: Sequence[tuple[np.ndarray, str]],
    information: Sequence[float],
    ticks: Sequence[str],
    reference: np.ndarray,
) -> Figure:
    """The process above, the distributions that it passes through below.

    Args:
        stages: (symbol, description) of each node, left to right.
        distributions: (pmf over the ticks, title) below each node.
        information: bits that each node holds about the first, one per stage (the first: its entropy).
        ticks: names of the outcomes.
        reference: the task's pmf, drawn as an outline behind every distribution.
    """
    n = len(stages)
    figure = plt.figure(figsize=(9.6, 4.4))
    grid = figure.add_gridspec(2, n, height_ratios=[1, 1.5])
    top = figure.add_subplot(grid[0, :])
    top.set(xlim=(-0.5, n - 0.5), ylim=(-0.9, 1), xticks=[], yticks=[])
    sns.despine(ax=top, left=True, bottom=True)
    for i, ((symbol, meaning), bits) in enumerate(zip(stages, information, strict=True)):
        box = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": PALETTE[0], "linewidth": 1.6}
        top.text(i, 0.45, symbol, ha="center", va="center", bbox=box, fontsize=13)
        top.text(i, -0.12, meaning, ha="center", va="top", fontsize=9)
        about = f"entropy {bits:.2f} bits" if i == 0 else f"{bits:.2f} bits about {stages[0][0]}"
        top.text(i, -0.72, about, ha="center", va="top", fontsize=9, color=PALETTE[0])
        if i:
            arrow = {"arrowstyle": "->", "color": GREY, "linewidth": 1.4}
            top.annotate("", (i - 0.24, 0.45), (i - 1 + 0.24, 0.45), arrowprops=arrow)
    ceiling = 1.12 * max(max(p.max() for p, _ in distributions), reference.max())
    for i, (pmf, title) in enumerate(distributions):
        ax = figure.add_subplot(grid[1, i])
        ax.bar(range(len(pmf)), pmf, color=PALETTE[0] if i == 0 else PALETTE[1], alpha=0.85)
        ax.step(np.arange(-0.5, len(pmf) + 0.5), np.append(reference, reference[-1]), where="post", color="black",
                linewidth=1)  # fmt: skip
        ax.set(title=title, ylim=(0, ceiling), xticks=range(0, len(pmf), 2), xticklabels=ticks[::2])
        ax.set_xlabel("wind direction")
        if i == 0:
            ax.set_ylabel("probability")
        else:
            ax.set_yticklabels([])
    return figure
