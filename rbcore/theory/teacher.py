"""Students of a teacher's labels: the best imitation within a class, for laws on finitely many outcomes.

The class is the set of laws whose mean of a `feature` is at most `bound` (or equal to it).  Two students imitate a
teacher `w` within it.  One minimizes `KL(s || w)` and tilts the teacher; the other minimizes `KL(w || s)`, the
cross-entropy on the teacher's samples, and divides it.  Both are found as the root of an equation in one unknown.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import logsumexp

from rbcore.information.finite import PmfError


def tilted(teacher: ArrayLike, feature: ArrayLike, bound: float, equal: bool = False) -> np.ndarray:
    """The law `s` of the class with the least `KL(s || teacher)`: in proportion to `teacher exp(-t feature)`.

    Args:
        teacher: a law on k outcomes, shape (k,), all of them possible.
        feature: a number for each outcome, shape (k,), not all equal.
        bound: the largest mean of the feature in the class, strictly between its extremes.
        equal: the class has this mean, and no smaller one.

    Raises:
        PmfError: for a teacher that is no law, or with impossible outcomes.  ValueError: for a bound outside.
    """
    law, feature = _arguments(teacher, feature, bound)
    if not equal and law @ feature <= bound:
        return law
    scale = np.abs(feature - bound).max()

    def at(t: float) -> np.ndarray:
        logs = np.log(law) - t * feature / scale
        return np.exp(logs - logsumexp(logs))

    t = _root(lambda t: float(at(t) @ feature - bound) / scale)
    return at(t)


def divided(teacher: ArrayLike, feature: ArrayLike, bound: float, equal: bool = False) -> np.ndarray:
    """The law `s` of the class with the least `KL(teacher || s)`: `teacher / (1 + t (feature - bound))`.

    Arguments and errors are those of :func:`tilted`.
    """
    law, feature = _arguments(teacher, feature, bound)
    if not equal and law @ feature <= bound:
        return law
    off = feature - bound
    low, high = -1 / off.max(), -1 / off.min()  # between them all denominators are positive

    def slope(t: float) -> float:
        return float((law * off / (1 + t * off)).sum())

    inside = [end * (1 - 1e-12) for end in (low, high)]
    found = law / (1 + brentq(slope, *inside, xtol=1e-15, rtol=1e-15) * off)
    return found / found.sum()


def matched(teacher: ArrayLike, feature: ArrayLike) -> np.ndarray:
    """The law `s` of the exponential family `exp(t feature)` with the least `KL(teacher || s)`.

    It has the teacher's mean of the feature.  Arguments and errors are those of :func:`tilted`.
    """
    law = np.asarray(teacher, dtype=float)
    uniform = np.full(law.shape, 1 / law.size)
    return tilted(uniform, feature, float(law @ np.asarray(feature, dtype=float)), equal=True)


def _root(falling: Callable[[float], float]) -> float:
    """The zero of a falling function on the line."""
    reach = 1.0
    while falling(-reach) < 0 or falling(reach) > 0:
        reach *= 2
    return float(brentq(falling, -reach, reach, xtol=1e-15, rtol=1e-15))


def _arguments(teacher: ArrayLike, feature: ArrayLike, bound: float) -> tuple[np.ndarray, np.ndarray]:
    law, feature = np.asarray(teacher, dtype=float), np.asarray(feature, dtype=float)
    if law.ndim != 1 or not (law > 0).all() or abs(law.sum() - 1) > 1e-9:
        raise PmfError(f"teacher: a law on k outcomes that are all possible, got {law}")
    if feature.shape != law.shape or not feature.min() < bound < feature.max():
        raise ValueError(f"feature: one number for each outcome, the bound {bound} between them, got {feature}")
    return law, feature
