"""What every estimator returns: a number, its interval, what it was computed from, and why not to trust it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

Sided = Literal["two", "lower", "upper"]


@dataclass(frozen=True)
class Estimate:
    """One estimated quantity.

    Attributes:
        name: the estimator, as the calibration table names it, such as ``"ksg"``.
        value: the point estimate, in `unit`.
        ci: the interval for the quantity at `level`; the open side of a one-sided one holds the quantity's limit.
        unit: ``"nats"``, ``"bits"``, or empty for a number without unit.
        n, d: sample size and dimension that it was computed from (`d` the larger one of two variables).
        sided: ``"lower"`` when only the lower end of `ci` says something (the quantity is at least that much).
        p_value: of the test that the quantity is zero, where the estimator has one.
        warning: why it cannot be trusted; empty when nothing speaks against it.
    """

    name: str
    value: float
    ci: tuple[float, float]
    n: int
    d: int = 1
    unit: str = ""
    level: float = 0.95
    sided: Sided = "two"
    p_value: float | None = None
    warning: str = ""

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.warning

    def warn(self, why: str) -> Estimate:
        """The same estimate with one more reason not to trust it."""
        return dataclasses.replace(self, warning="; ".join(filter(None, [self.warning, why])))

    def payload(self) -> dict[str, Any]:
        """As a dictionary that JSON can hold: numbers that are not finite become None."""
        fields = dataclasses.asdict(self) | {"ci": [finite(x) for x in self.ci], "value": finite(self.value)}
        return fields | {"trusted": self.trusted}


def finite(x: float) -> float | None:
    """`x`, or None where JSON has no number for it."""
    return float(x) if math.isfinite(x) else None


def share(count: int, total: int, level: float = 0.95, sided: Sided = "two") -> tuple[float, float]:
    """The Clopper-Pearson interval of a binomial probability: right at every sample size.

    One-sided intervals spend all of `1 - level` on their side, and end at 0 or 1 on the other.

    Raises:
        ValueError: unless ``0 <= count <= total`` and ``total >= 1``.
    """
    if not 0 <= count <= total or total < 1:
        raise ValueError(f"a share needs 0 <= count <= total and total >= 1, got {count} of {total}")
    alpha = (1 - level) / (2 if sided == "two" else 1)
    low = float(stats.beta.ppf(alpha, count, total - count + 1)) if count and sided != "upper" else 0.0
    high = float(stats.beta.isf(alpha, count + 1, total - count)) if count < total and sided != "lower" else 1.0
    return low, high


def sample(name: str, x: ArrayLike, least: int = 2) -> np.ndarray:
    """`x` as a float64 array of shape (n, d); a vector becomes one column.

    Raises:
        ValueError: for other shapes, fewer than `least` rows, no columns, NaN or infinity.
    """
    array = np.asarray(x, dtype=float)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[1] < 1 or len(array) < least:
        raise ValueError(f"{name}: at least {least} rows and one column are needed, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity: remove or mend those rows first")
    return array


def pair(x: ArrayLike, y: ArrayLike, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Two samples whose rows belong together, of shapes (n, d_x) and (n, d_y).

    Raises:
        ValueError: as :func:`sample`, or when their lengths differ.
    """
    x, y = sample("x", x, least), sample("y", y, least)
    if len(x) != len(y):
        raise ValueError(f"x and y belong together row by row, got {len(x)} and {len(y)} rows")
    return x, y
