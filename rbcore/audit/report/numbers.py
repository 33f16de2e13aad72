"""How a report writes a number, its interval and what it means: digits that the interval supports, and no more.

show(estimate), interval(estimate)      # "8.3 %", "6.8 to 10.0 %"
"""

from __future__ import annotations

import math
from typing import Any

from rbcore.estimate.base import Estimate

UNKNOWN, OPEN = "unknown", "not trusted"
MOST = 6  # decimals


def finite(x: Any) -> bool:
    """Whether `x` is a number, and neither None nor NaN nor infinite."""
    return x is not None and math.isfinite(x)


def brief(x: float) -> str:
    """Three significant digits, and at most three decimals unless the number is below a hundredth."""
    if not finite(x):
        return UNKNOWN
    size = 0 if x == 0 else math.floor(math.log10(abs(x)))
    digits = max(0, min(3, 2 - size)) if size >= -2 else min(6, 1 - size)
    return f"{x:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def decimals(value: float, low: float, high: float) -> int:
    """Decimals that show two digits of the interval's width, or three of the value where there is no width."""
    width = high - low
    if math.isfinite(width) and width > 0:
        digits = 1 - math.floor(math.log10(width))
    elif value and math.isfinite(value):
        digits = 2 - math.floor(math.log10(abs(value)))
    else:
        digits = 2
    return max(0, min(MOST, digits))


def show(estimate: Estimate) -> str:
    """The value with its unit; a one-sided one as its limit, rounded to the safe side; never an untrusted one.

    Shares are percentages: ``8.3 %``, ``at least 12 %``, ``0.31 nats``, ``not trusted``, ``unknown``.
    """
    return written(estimate) if estimate.trusted else OPEN


def written(estimate: Estimate) -> str:
    """The same, trusted or not; a report strikes what is not trusted through."""
    value, low, high, unit = _scaled(estimate)
    if estimate.sided == "two":
        if not math.isfinite(value):
            return UNKNOWN
        return _join(_fixed(value, decimals(value, low, high)), unit)
    limit = low if estimate.sided == "lower" else high
    if not math.isfinite(limit):
        return UNKNOWN
    digits = decimals(limit, 0, 0)
    if limit and digits < MOST:
        digits = max(0, digits - 1)  # two digits of a limit
    step = 10.0**digits
    rounding, words = (math.floor, "at least") if estimate.sided == "lower" else (math.ceil, "at most")
    return f"{words} {_join(_fixed(rounding(round(limit * step, 6)) / step, digits), unit)}"


def interval(estimate: Estimate) -> str:
    """The interval in words; its level unless that is 95 %; a range at 100 %; empty when it does not exist."""
    value, low, high, unit = _scaled(estimate)
    usual = math.isclose(estimate.level, 0.95)
    level = (
        ""
        if usual
        else " (range)"
        if estimate.level == 1
        else f" (at\N{NO-BREAK SPACE}{100 * estimate.level:.4g}\N{NO-BREAK SPACE}%)"
    )
    if estimate.sided != "two":
        return "" if written(estimate) == UNKNOWN else f"one-sided{level}"
    if math.isfinite(low) and math.isfinite(high):
        digits = decimals(value, low, high)
        return f"{_join(f'{_fixed(low, digits)} to {_fixed(high, digits)}', unit)}{level}"
    side, end = ("from", low) if math.isfinite(low) else ("up to", high)
    return f"{side} {_join(_fixed(end, decimals(end, 0, math.inf)), unit)}{level}" if math.isfinite(end) else ""


def p_value(estimate: Estimate) -> str:
    """``p = 0.012``, ``p < 0.001``, or empty."""
    p = estimate.p_value
    if p is None or not math.isfinite(p):
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _scaled(estimate: Estimate) -> tuple[float, float, float, str]:
    """Value, limits and unit; shares in per cent."""
    factor, unit = (100.0, "%") if estimate.unit == "share" else (1.0, estimate.unit)
    return factor * estimate.value, factor * estimate.ci[0], factor * estimate.ci[1], unit


def _fixed(x: float, digits: int) -> str:
    text = f"{x:,.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text.replace(",", "")) else text.lstrip("-")


def _join(number: str, unit: str) -> str:
    return f"{number}\N{NO-BREAK SPACE}{unit}" if unit else number
