"""The house style of figures, on seaborn: one palette that colour-blind readers can tell apart, one type size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rbcore import plotted

if TYPE_CHECKING:
    from rbcore.checks import Mean
    from rbcore.information.finite import Joint

PALETTE = sns.color_palette("colorblind")
TASK, MODEL, CURATED, BOUND, TRUTH = PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[7], PALETTE[3]
GREY = (0.45, 0.45, 0.45)
KINDS = [GREY, PALETTE[4], PALETTE[9]]  # kinds of curation
PARTS = [TASK, CURATED, MODEL, PALETTE[4], BOUND]  # of a bound: two divergences, information, slack
LAYERS = [TRUTH, *sns.color_palette("Greys", 5)[:4]]  # what is true, then what is given away


def style() -> None:
    """Set the house style for every figure of the running notebook; each brings the record of what it shows."""
    plotted.install()
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


def band(
    ax: Axes,
    x: Sequence[float],
    means: Sequence[Mean],
    label: str | None,
    color: tuple[float, ...],
    marker: str = "o",
) -> None:
    """A line through the `means`, one per entry of `x`, with their confidence intervals as a band."""
    low, high = np.array([m.ci for m in means]).T
    ax.plot(x, [m.value for m in means], marker=marker, color=color, label=label, markersize=4)
    ax.fill_between(x, low, high, color=color, alpha=0.25, linewidth=0)


def process_overview(
    joint: Joint, stages: Mapping[str, tuple[str, str, str]], task: Sequence[float], ticks: Sequence[str]
) -> Figure:
    """The process above, the distributions that it passes through below; all numbers come from `joint`.

    Args:
        joint: the joint pmf; its first stage is the anchors.
        stages: for each variable its symbol, what it is, and the name of its law; in the order of the process.
        task: the task's pmf, drawn below the anchors and as an outline below the others.
        ticks: names of the outcomes.
    """
    names, outline = list(stages), np.asarray(task)
    first = names[0]
    figure = plt.figure(figsize=(9.0, 4.8))
    grid = figure.add_gridspec(2, len(names), height_ratios=[1, 1.45])
    top = figure.add_subplot(grid[0, :])
    top.set(xlim=(-0.5, len(names) - 0.5), ylim=(-1.05, 1), xticks=[], yticks=[])
    sns.despine(ax=top, left=True, bottom=True)
    below = [figure.add_subplot(grid[1, i]) for i in range(len(names))]
    for i, (ax, (name, (symbol, meaning, law))) in enumerate(zip(below, stages.items(), strict=True)):
        bits = joint.I(first, name, units="bits")
        about = "entropy" if i == 0 else f"about {stages[first][0]}"
        box = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": TASK, "linewidth": 1.6}
        top.text(i, 0.55, symbol, ha="center", va="center", bbox=box, fontsize=14)
        top.text(i, 0.02, meaning, ha="center", va="top", fontsize=10.5)
        top.text(i, -0.5, f"{bits:.2f} bits\n{about}", ha="center", va="top", fontsize=10.5, color=TASK)
        if i:
            arrow = {"arrowstyle": "->", "color": GREY, "linewidth": 1.4}
            top.annotate("", (i - 0.3, 0.55), (i - 1 + 0.3, 0.55), arrowprops=arrow)
        pmf = outline if i == 0 else joint.marginal(name).p.ravel()
        ax.bar(range(len(pmf)), pmf, color=TASK if i == 0 else MODEL, alpha=0.85)
        ax.step(
            np.arange(-0.5, len(pmf) + 0.5), np.append(outline, outline[-1]), where="post", color="black", lw=1
        )
        ax.set(title=law, xticks=range(0, len(pmf), 2), xticklabels=ticks[::2], xlabel="wind direction")
        if i:
            ax.sharey(below[0])
            ax.tick_params(labelleft=False)
    below[0].set(ylabel="probability", ylim=(0, 1.08 * max(joint.marginal(v).p.max() for v in names[1:])))
    return figure


def strictness_axis(*axes: Axes) -> None:
    """The axis of prompt strictness: linear up to one, doubling beyond, so that loose prompts are not squeezed."""
    for ax in axes:
        ax.set_xscale("symlog", base=2, linthresh=1, linscale=0.7)
        ax.set_xticks([0, 1, 2, 4, 8, 16], ["0", "1", "2", "4", "8", "16"])
        ax.minorticks_off()
        ax.set_xlim(-0.05, 17)
        ax.set_xlabel(r"strictness $\beta$ (doubling beyond 1)")
