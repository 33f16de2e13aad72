"""The calibration table: what each estimator did in worlds of known truth, and what that says about an estimate.

    found = consult(ksg(x, y))
    found.warning  # "covers 3% instead of 95% at n=512, d=20, near 0.5 (Gaussians, correlated): reads 0.12 ..."

The rule is in :func:`judge` and :func:`Table.near`.  It speaks only where the evidence is clear, so silence means
that nothing was found against the estimator in these worlds, not that it is right in all.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from rbcore.estimate.base import Estimate, share
from rbcore.files import replace_file

PATH = Path(__file__).with_name("calibration.json")
LEVEL = 0.95  # of all intervals that were calibrated, and of the tests
TOO_LOW = 0.85  # an interval that covers less errs at least three times as often as it says
TOO_OFTEN = 0.15  # a test that rejects more than this without reason: the same, for tests
TOO_WEAK = 0.5  # a test that misses a moderate effect more often than not says nothing by its silence
MODERATE = 0.5  # nats of dependence, or total variation: the strongest effect that is called moderate
TOO_BIASED = 0.25  # of the truth
FARTHER = 4  # times the largest calibrated sample size: how far a biased estimator is trusted beyond it
FREE = ("nn-entropy",)  # their values move with the unit of the data, so that every strength is asked
CLOSE = 2  # a calibrated size at most this factor above that of the estimate is consulted, too

Kind = Literal["two", "size", "lower", "test"]
KINDS = get_args(Kind)


@dataclass(frozen=True)
class Row:
    """One cell: an estimator in a world, over `repeats` independent samples.

    kind: of its interval: ``"two"``-sided; two-sided, but for the expectation at this sample ``"size"``; a
        ``"lower"`` bound; or that of a ``"test"``.
    strength: the world's dial.  truth: the quantity; None for a test.
    mean, sd: of the estimates.  low, width: mean lower end and mean width of the intervals; None where infinite.
    hits: intervals that hold the truth (of kind ``"size"``: the mean of all estimates); bounds that do not exceed
        it; rejections at 1 - LEVEL.
    own: intervals that hold the mean of the estimates: with many of them and few `hits` the bias is at fault.
    """

    estimator: str
    world: str
    n: int
    d: int
    strength: float
    kind: Kind
    truth: float | None
    mean: float
    sd: float
    low: float | None
    width: float | None
    hits: int
    own: int
    repeats: int

    @property
    def coverage(self) -> float:
        """The share of hits."""
        return self.hits / self.repeats

    @property
    def interval(self) -> tuple[float, float]:
        """The Clopper-Pearson interval of :attr:`coverage`."""
        return share(self.hits, self.repeats, LEVEL)

    @property
    def bias(self) -> float | None:
        """Mean estimate minus truth."""
        return None if self.truth is None else self.mean - self.truth

    @property
    def sharpness(self) -> float | None:
        """Of a lower bound: its mean over the truth, where that is not zero."""
        if self.kind != "lower" or not self.truth or self.low is None:
            return None
        return self.low / self.truth

    @property
    def key(self) -> tuple[str, str, int, int, float]:
        """What the row is about; sorts the table."""
        return self.estimator, self.world, self.n, self.d, self.strength


class Objection(NamedTuple):
    """Why an estimator should not be used in the neighbourhood of a row; the worst has the largest `weight`."""

    weight: float
    text: str


def _percent(x: float) -> str:
    return f"{100 * x:.0f}%"


def judge(row: Row, about: str = "", silent: bool = True) -> Objection | None:
    """What the row says against the estimator, if the evidence is clear.

    Two-sided intervals: the Clopper-Pearson interval of the coverage lies below TOO_LOW; or the mean is off by
    more than TOO_BIASED of the truth, by three standard errors.  Lower bounds: they hold less often than TOO_LOW.
    Tests: without an effect they reject more often than TOO_OFTEN; or, if this one was `silent`, they reject a
    moderate effect less often than TOO_WEAK.
    """
    low, high = row.interval
    place = f"at n={row.n}, d={row.d}, near {row.strength:.3g}" + (f" ({about})" if about else "")
    if row.kind == "test":
        if row.strength == 0 and low > TOO_OFTEN:
            text = f"rejects {_percent(row.coverage)} instead of {_percent(1 - LEVEL)} without an effect {place}"
            return Objection(row.coverage, text)
        if silent and 0 < row.strength <= MODERATE and high < TOO_WEAK:
            return Objection(1 - row.coverage, f"finds an effect in only {_percent(row.coverage)} {place}")
        return None
    verb = {"two": "covers", "size": "covers its own mean in", "lower": "holds in"}[row.kind]
    reads = f": reads {row.mean:.3g} for {row.truth:.3g} on average"
    if high < TOO_LOW:
        text = f"{verb} {_percent(row.coverage)} instead of {_percent(LEVEL)} {place}{reads}"
        return Objection(1 - row.coverage, text)
    if row.kind in ("two", "size") and row.truth:
        clear = abs(row.mean - row.truth) - 3 * row.sd / math.sqrt(row.repeats)
        if clear > TOO_BIASED * abs(row.truth):
            return Objection(0.0, f"is biased {place}{reads}")
    return None


@dataclass(frozen=True)
class Table:
    """All rows of a calibration, with the seed and the largest number of repeats behind it."""

    rows: tuple[Row, ...]
    seed: int = 0
    repeats: int = 0

    def __post_init__(self) -> None:
        seen = [row.key for row in self.rows]
        if len(set(seen)) < len(seen):
            twice = next(key for key in seen if seen.count(key) > 1)
            raise ValueError(f"a cell stands once in the table, {twice} stands there more often")

    @functools.cached_property
    def by_estimator(self) -> dict[str, list[Row]]:
        """The rows of each estimator."""
        found: dict[str, list[Row]] = {}
        for row in sorted(self.rows, key=lambda row: row.key):
            found.setdefault(row.estimator, []).append(row)
        return found

    @classmethod
    def load(cls, path: Path = PATH) -> Table:
        """Read a table that :meth:`save` wrote.

        Raises:
            ValueError: when there is no such file, or it is no such table.
        """
        try:
            stored = json.loads(path.read_text(encoding="utf8"))
            rows = tuple(_row(dict(zip(stored["fields"], entry, strict=True))) for entry in stored["rows"])
            return cls(rows, int(stored["seed"]), int(stored["repeats"]))
        except (OSError, json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: not a calibration table ({error}); `make calibrate` writes one") from None

    def save(self, path: Path) -> None:
        """Write the table, sorted, a row to a line, whole or not at all."""
        rows = [json.dumps(_rounded(row)) for row in sorted(self.rows, key=lambda row: row.key)]
        names = json.dumps([field.name for field in fields(Row)])
        head = f'{{"repeats": {self.repeats}, "seed": {self.seed}, "fields": {names},\n"rows": [\n'
        replace_file(path, head + ",\n".join(rows) + "\n]}\n")

    def near(self, name: str, n: int, d: int, value: float) -> list[Row]:
        """The rows that speak about an estimate: at least as hard, and of strengths that give such values.

        Of the calibrated dimensions the smallest that is not below `d`; of its sizes the largest that is not above
        `n`, and the next one if it is at most CLOSE times as large.  (Where a bias decides, more points are
        harder.)  In each world the strengths whose estimates reach `value` within two standard deviations, or what
        lies between the two whose means enclose it.  A value above all means is compared with the strongest,
        unless the estimator does not react to the world at all.
        """
        harder = [row for row in self.by_estimator.get(name, []) if row.d >= d and row.n <= CLOSE * n]
        at_all = [row for row in harder if row.n <= n]
        if not at_all:
            return []
        dimension = min(row.d for row in at_all)
        sizes = {max(row.n for row in at_all if row.d == dimension)}
        sizes |= {row.n for row in harder if row.d == dimension and n < row.n}
        chosen = []
        for world, size in {(row.world, row.n): None for row in harder if row.d == dimension and row.n in sizes}:
            cell = [r for r in harder if (r.world, r.n, r.d) == (world, size, dimension)]
            chosen += reached(sorted(cell, key=lambda row: row.strength), value)
        return chosen

    def objection(self, estimate: Estimate, name: str = "") -> str:
        """Why the table says that `estimate` must not be used; empty when it does not say so.

        name: of the estimator in the table, where it is not that of the estimate.
        """
        name = name or estimate.name
        rows = self.by_estimator.get(name)
        if not rows:
            return "was never calibrated"
        smallest, highest, kind = min(row.n for row in rows), max(row.d for row in rows), rows[0].kind
        if estimate.n < smallest:
            return f"n={estimate.n} is below the smallest calibrated sample, {smallest}"
        if estimate.d > highest:
            return f"d={estimate.d} is above the highest calibrated dimension, {highest}"
        value = math.nan if kind == "test" or name in FREE else estimate.value
        near = self.near(name, estimate.n, estimate.d, value)
        if not near:
            return f"no calibrated cell is at least as hard as n={estimate.n}, d={estimate.d}"
        largest = max(row.n for row in near)
        if kind == "two" and estimate.n > FARTHER * largest and any(map(biased, near)):
            where = f"the largest calibrated sample at d={near[0].d}, {largest}"
            return f"n={estimate.n} is far above {where}: a bias may stay while the interval narrows"
        silent = estimate.p_value is None or estimate.p_value > 1 - LEVEL
        found = [judge(row, _about(row.world), silent) for row in near]
        if kind == "test":
            found = [judge(row, _about(row.world), silent) for row in moderate(near)]
        said = [one for one in found if one]
        return max(said, key=lambda one: one.weight).text if said else ""


def biased(row: Row) -> bool:
    """Whether the mean differs from the truth by more than three standard errors."""
    return row.truth is not None and abs(row.mean - row.truth) > 3 * row.sd / math.sqrt(row.repeats)


def moderate(rows: Iterable[Row]) -> list[Row]:
    """Of each world, size and dimension: the row without an effect, and the strongest moderate one."""
    groups: dict[tuple[str, int, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.world, row.n, row.d), []).append(row)
    chosen = []
    for group in groups.values():
        chosen += [row for row in group if row.strength == 0]
        some = [row for row in group if 0 < row.strength <= MODERATE]
        chosen += [max(some, key=lambda row: row.strength)] if some else []
    return chosen


def reached(cell: Sequence[Row], value: float) -> list[Row]:
    """The rows of one world, by strength, from which an estimate of about `value` may come; all if it is NaN."""
    if math.isnan(value) or len(cell) == 1:
        return list(cell)
    kept = [row for row in cell if abs(value - row.mean) <= 2 * row.sd]
    between = [] if kept else [pair for pair in itertools.pairwise(cell) if _within(pair, value)]
    if kept or between:
        return kept + [blend(*pair, value) for pair in between]
    order = sorted(cell, key=lambda row: row.mean)
    bottom, top = order[0], order[-1]
    if top.mean - bottom.mean <= 2 * (top.sd + bottom.sd):  # it does not react
        return []
    return [top if value > top.mean else bottom]


def _within(pair: tuple[Row, Row], value: float) -> bool:
    return min(pair[0].mean, pair[1].mean) <= value <= max(pair[0].mean, pair[1].mean)


def blend(one: Row, two: Row, value: float) -> Row:
    """A row between two of a world, linear in the mean, whose mean is `value`; as many repeats as the fewer."""
    weight = (value - one.mean) / (two.mean - one.mean) if two.mean != one.mean else 0.5
    repeats = min(one.repeats, two.repeats)

    def mixed(a: float, b: float) -> float:
        return (1 - weight) * a + weight * b

    pairs = {
        name: (getattr(one, name), getattr(two, name)) for name in ("strength", "truth", "sd", "low", "width")
    }
    numbers = {name: None if None in pair else mixed(*pair) for name, pair in pairs.items()}
    counts = {
        name: round(repeats * mixed(getattr(one, name) / one.repeats, getattr(two, name) / two.repeats))
        for name in ("hits", "own")
    }
    return replace(one, mean=value, repeats=repeats, **numbers, **counts)


def _about(world: str) -> str:
    from rbcore.estimate.worlds import WORLDS

    return WORLDS[world].about if world in WORLDS else world


@functools.cache
def shipped() -> Table:
    """The table that comes with the package, read once."""
    return Table.load()


def consult(estimate: Estimate, table: Table | None = None, name: str = "") -> Estimate:
    """The estimate, with a warning if the calibration `table` (by default the shipped one) speaks against it.

    name: of the estimator in the table, where it is not that of the estimate.
    """
    why = (shipped() if table is None else table).objection(estimate, name)
    return estimate.warn(why) if why else estimate


def _rounded(row: Row) -> list[Any]:
    """The row's fields as JSON holds them, floats to six digits."""
    return [float(f"{v:.6g}") if isinstance(v, float) else v for v in asdict(row).values()]


def _row(entry: dict[str, Any]) -> Row:
    """A row from JSON.

    Raises:
        ValueError: for other fields, numbers that are not finite, or counts that do not fit.
    """
    if set(entry) != {field.name for field in fields(Row)}:
        raise ValueError(f"a row has other fields than expected: {sorted(entry)}")
    row = Row(**entry)
    numbers = [row.strength, row.mean, row.sd, *(x for x in (row.truth, row.low, row.width) if x is not None)]
    if not all(map(math.isfinite, numbers)) or row.kind not in KINDS:
        raise ValueError(f"a row has a number that is not finite, or an unknown kind: {row.key}")
    if not (0 <= row.hits <= row.repeats and 0 <= row.own <= row.repeats and row.repeats >= 1 and row.n >= 1):
        raise ValueError(f"a row's counts do not fit: {row.key}")
    return row
