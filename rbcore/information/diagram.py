"""Information diagrams: variables as circles, and what each region of the overlapping circles is worth.

The region inside the circles of some variables T and outside those of the others C is worth I(T1;..;Tk|C), so that
a circle sums to its variable's entropy, and all circles together to the joint entropy.  These worths exist and are
unique for every distribution (Yeung 1991, "A new outlook on Shannon's information measures").  The centre of three
circles can be negative.  The areas are not to scale; the colour and the number are the worth.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.patches import Circle

from rbcore.figures import GREY, MODEL, TASK
from rbcore.information.expr import LinearForm
from rbcore.information.finite import Joint
from rbcore.information.notation import latex_name

CENTRES = {2: ((-0.55, 0.0), (0.55, 0.0)), 3: ((0.0, 0.62), (-0.54, -0.31), (0.54, -0.31))}
NAMES_AT = {2: ((-1.3, 1.0), (1.3, 1.0)), 3: ((0.85, 1.55), (-1.5, -1.2), (1.5, -1.2))}
PIXELS = 480
COLOURS = LinearSegmentedColormap.from_list("worth", [MODEL, (1, 1, 1), TASK])


def atoms(joint: Joint, names: Sequence[str]) -> dict[frozenset[str], float]:
    """The worth in bits of each region, by the set of variables inside whose circles it lies.

    The joint may have further variables, but no batch.  Raises ValueError for a batch.
    """
    if joint.batch is not None:
        raise ValueError(f"a diagram shows one model, not a batch of {joint.batch}")
    result = {}
    for size in range(1, len(names) + 1):
        for inside in itertools.combinations(names, size):
            outside = [name for name in names if name not in inside]
            form = LinearForm.information([[name] for name in inside], outside)
            result[frozenset(inside)] = joint.evaluate(form) / math.log(2)
    return result


def information_diagram(ax: Axes, joint: Joint, names: Sequence[str], limit: float = 1.0) -> None:
    """Draw the diagram of two or three variables of an unbatched joint.

    Args:
        limit: the worth, in bits, of the deepest colour; blue above zero, orange below, white at zero.

    Raises ValueError for another number of variables.
    """
    if len(names) not in CENTRES:
        raise ValueError(f"a diagram has two or three circles, not {len(names)}")
    worth = atoms(joint, names)
    centres = CENTRES[len(names)]
    side = np.linspace(-1.7, 1.7, PIXELS)
    x, y = np.meshgrid(side, side)
    within = [np.hypot(x - cx, y - cy) < 1 for cx, cy in centres]
    image = np.zeros((PIXELS, PIXELS, 4))
    scale = Normalize(-limit, limit)
    for inside, bits in worth.items():
        region = np.logical_and.reduce(
            [disc if name in inside else ~disc for name, disc in zip(names, within, strict=True)]
        )
        image[region] = COLOURS(scale(bits))
        shown = f"{bits + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "\u2212")
        ax.text(x[region].mean(), y[region].mean(), shown, ha="center", va="center", fontsize=10.5, color="black")
    ax.imshow(image, extent=(-1.7, 1.7, -1.7, 1.7), origin="lower", interpolation="nearest")
    for name, centre, place in zip(names, centres, NAMES_AT[len(names)], strict=True):
        ax.add_patch(Circle(centre, 1, fill=False, edgecolor=GREY, linewidth=1.4))
        ax.text(*place, f"${latex_name(name)}$", ha="center", va="center", fontsize=13)
    ax.set(xlim=(-1.75, 1.75), ylim=(-1.45, 1.8), aspect="equal")
    ax.axis("off")
