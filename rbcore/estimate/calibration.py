"""Calibration: run every estimator where the truth is known, and count how often its interval is right.

    rows = run(seed=1, cells=grid(["ksg"]), repeats=50)
    frame(rows)[["world", "n", "d", "truth", "mean", "coverage"]]

A cell is an estimator in a world at one size, dimension and strength.  Its random numbers depend on the seed and
on what the cell is, not on which other cells run; estimators of one quantity see the same samples.
``python -m rbcore.estimate.calibration`` writes the table that :mod:`rbcore.estimate` consults.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats
from tqdm import tqdm

from rbcore.checks import Check
from rbcore.estimate import worlds as worlds
from rbcore.estimate.base import Estimate
from rbcore.estimate.table import LEVEL, PATH, Kind, Row, Table, consult

__all__ = ["METHODS", "Cell", "Method", "Table", "agreement", "consult", "frame", "grid", "run", "worst"]

SEED, REPEATS = 2026, 60  # of the shipped table
Call = Callable[[np.random.Generator, Sequence[Any]], Estimate | Sequence[Estimate]]


class Cell(NamedTuple):
    """One method in one world."""

    method: str
    world: str
    n: int
    d: int
    strength: float


class Method(NamedTuple):
    """An estimator as it is calibrated.

    names: of what `call` returns, as in the table.  quantities: what each of them estimates; None for a test.
    kind: of the intervals.  places: the sizes and dimensions.  worlds: where.
    share: of the repeats; below 1 for slow estimators.  strengths: the highest number of strengths for each world.
    """

    names: tuple[str, ...]
    quantities: tuple[str | None, ...]
    kind: Kind
    call: Call
    worlds: Sequence[worlds.World]
    places: tuple[tuple[int, int], ...]
    share: float = 1.0
    strengths: int = 9


def _torch(rng: np.random.Generator) -> Any:
    import torch

    return torch.Generator().manual_seed(int(rng.integers(2**62)))


def _gaussian(rng: np.random.Generator, data: Sequence[Any], copula: bool = True) -> Estimate:
    from rbcore.estimate import information as raw

    return raw.gaussian_mi(*data, level=LEVEL, copula=copula)


def _ksg(rng: np.random.Generator, data: Sequence[Any]) -> Estimate:
    from rbcore.estimate import information as raw

    return raw.ksg(*data, level=LEVEL)


def _hsic(rng: np.random.Generator, data: Sequence[Any]) -> Estimate:
    from rbcore.estimate import information as raw

    return raw.hsic(*data, rng, permutations=PERMUTATIONS, level=LEVEL)


def _neural(rng: np.random.Generator, data: Sequence[Any], name: str) -> Estimate:
    from rbcore.estimate import neural as raw

    return getattr(raw, name)(*data, _torch(rng), level=LEVEL)


def _apart(rng: np.random.Generator, data: Sequence[Any], name: str) -> Estimate:
    from rbcore.estimate import divergence as raw

    return getattr(raw, name)(*data, rng, level=LEVEL)


def _mmd(rng: np.random.Generator, data: Sequence[Any]) -> Estimate:
    from rbcore.estimate import divergence as raw

    return raw.mmd(*data, rng, permutations=PERMUTATIONS, level=LEVEL)


def _overlap(rng: np.random.Generator, data: Sequence[Any]) -> Sequence[Estimate]:
    from rbcore.estimate import divergence as raw

    return raw.precision_recall_coverage(*data, rng=rng, level=LEVEL)


def _vendi(rng: np.random.Generator, data: Sequence[Any]) -> Estimate:
    from rbcore.estimate import diversity as raw

    return raw.vendi(*data, rng=rng, level=LEVEL)


def _distinct(rng: np.random.Generator, data: Sequence[Any], order: int) -> Estimate:
    from rbcore.estimate import diversity as raw

    return raw.distinct_n(*data, n=order, rng=rng, level=LEVEL)


def _entropy(rng: np.random.Generator, data: Sequence[Any]) -> Estimate:
    from rbcore.estimate import diversity as raw

    return raw.nn_entropy(*data, level=LEVEL)


def _all(sizes: Iterable[int], dimensions: Iterable[int]) -> tuple[tuple[int, int], ...]:
    return tuple((n, d) for n in sizes for d in dimensions)


PERMUTATIONS = 99
TINY, SMALL, MIDDLE, LARGE = 50, 100, 500, 2000
EVERY = (1, 2, 5, 20, 64)
INFORMATION = (("information",), "two")
METHODS: Mapping[str, Method] = {
    "gaussian-mi": Method(
        ("gaussian-mi",), *INFORMATION, _gaussian, worlds.PAIRS, _all((SMALL, MIDDLE, LARGE), EVERY)
    ),
    "gaussian-mi-plain": Method(
        ("gaussian-mi-plain",), *INFORMATION, functools.partial(_gaussian, copula=False), worlds.PAIRS,
        _all((SMALL, MIDDLE, LARGE), EVERY),
    ),
    "ksg": Method(
        ("ksg",), *INFORMATION, _ksg, worlds.PAIRS,
        _all((SMALL, MIDDLE), (1, 2, 5, 20)) + _all((LARGE,), (1, 2)), 0.75,
    ),
    "infonce": Method(
        ("infonce",), ("information",), "lower", functools.partial(_neural, name="infonce"),
        worlds.PAIRS[::2], _all((MIDDLE,), (1, 5, 20, 64)) + _all((LARGE,), (5, 64)), 0.2, 3,
    ),
    "smile": Method(
        ("smile",), *INFORMATION, functools.partial(_neural, name="smile"),
        worlds.PAIRS[::2], _all((MIDDLE,), (1, 5, 20, 64)) + _all((LARGE,), (5, 64)), 0.2, 3,
    ),
    "hsic": Method(("hsic",), (None,), "test", _hsic, worlds.PAIRS, _all((SMALL, MIDDLE), EVERY), 0.5, 3),
    "tv-lower": Method(
        ("tv-lower",), ("tv",), "lower", functools.partial(_apart, name="tv_lower"), worlds.LAWS,
        _all((SMALL, MIDDLE, LARGE), (1, 5, 20, 64)), 0.5,
    ),
    "kl-ratio": Method(
        ("kl-ratio",), ("kl",), "lower", functools.partial(_apart, name="kl_ratio"), worlds.LAWS,
        _all((200, MIDDLE), (5, 64)), 0.2, 3,
    ),
    "mmd": Method(("mmd",), (None,), "test", _mmd, worlds.LAWS, _all((SMALL, MIDDLE), EVERY), 0.5, 3),
    "overlap": Method(
        ("precision", "recall", "coverage"), ("precision", "recall", "coverage"), "size", _overlap,
        worlds.SUPPORTS, _all((TINY, SMALL, MIDDLE), EVERY),
    ),
    "vendi": Method(
        ("vendi",), ("vendi",), "size", _vendi, worlds.KINDS,
        _all((TINY, SMALL, MIDDLE, LARGE), (2, 5, 20, 64)),
    ),
    "nn-entropy": Method(
        ("nn-entropy",), ("entropy",), "two", _entropy, worlds.CLOUDS,
        _all((SMALL, MIDDLE), (1, 2, 3, 5, 20, 64)) + _all((LARGE,), (1, 2, 3, 5)),
    ),
    "distinct-1": Method(
        ("distinct-1",), ("distinct-1",), "two", functools.partial(_distinct, order=1), worlds.TEXTS,
        _all((TINY, SMALL, MIDDLE, LARGE), (1,)),
    ),
    "distinct-2": Method(
        ("distinct-2",), ("distinct-2",), "two", functools.partial(_distinct, order=2), worlds.TEXTS,
        _all((TINY, SMALL, MIDDLE, LARGE), (1,)),
    ),
}  # fmt: skip
ESTIMATORS = tuple(name for method in METHODS.values() for name in method.names)


def strengths(method: Method, world: worlds.World, d: int) -> list[float]:
    """The strengths of a world at which the method is calibrated: all, or the first, the last and some between."""
    there = [s for s in world.strengths if world.exists(d, s)]
    if len(there) <= method.strengths:
        return there
    kept = np.unique(np.round(np.linspace(0, len(there) - 1, method.strengths) + 1e-9).astype(int))
    return [there[i] for i in kept]


def grid(names: Iterable[str] = tuple(METHODS), places: Iterable[tuple[int, int]] | None = None) -> list[Cell]:
    """The cells of the named methods, at all their places or at those given.

    Raises:
        ValueError: for a method that does not exist.
    """
    wanted, found = None if places is None else set(places), []
    for name in names:
        if name not in METHODS:
            raise ValueError(f"no method is called {name!r}; there are {', '.join(METHODS)}")
        method = METHODS[name]
        for n, d in method.places:
            if wanted is None or (n, d) in wanted:
                found += [Cell(name, w.name, n, d, s) for w in method.worlds for s in strengths(method, w, d)]
    return found


def _stream(seed: int, repeat: int, *about: object) -> np.random.Generator:
    """A generator for one purpose: a function of the seed, the repeat and what it is about."""
    digest = hashlib.sha256("|".join(map(str, about)).encode()).digest()
    key = int.from_bytes(digest[:8], "big")
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key, repeat)))


def measure(cell: Cell, seed: int, repeats: int, methods: Mapping[str, Method] = METHODS) -> list[Row]:
    """The rows of one cell, one for each name of its method; none where the estimator never gives a number."""
    method = methods[cell.method]
    world = next(one for one in method.worlds if one.name == cell.world)
    found: list[list[Estimate]] = [[] for _ in method.names]
    for repeat in range(max(2, math.ceil(method.share * repeats))):
        data = world.draw(_stream(seed, repeat, *cell[1:]), cell.n, cell.d, cell.strength)
        answer = method.call(_stream(seed, repeat, *cell), data)
        for kept, one in zip(found, [answer] if isinstance(answer, Estimate) else answer, strict=True):
            if math.isfinite(one.value):
                kept.append(one)
    rows = []
    for name, quantity, estimates in zip(method.names, method.quantities, found, strict=True):
        truth = None if quantity is None else world.truth(quantity, cell.n, cell.d, cell.strength)
        if len(estimates) > 1:
            rows.append(summary(name, cell, method.kind, truth, estimates))
    return rows


def summary(name: str, cell: Cell, kind: Kind, truth: float | None, estimates: Sequence[Estimate]) -> Row:
    """A row from independent estimates.  Ends of intervals may miss by rounding."""
    values = np.array([one.value for one in estimates])
    low, high = np.array([one.ci for one in estimates]).T
    mean, slack = float(values.mean()), 1e-9
    own = int(((low <= mean + slack) & (mean - slack <= high)).sum())
    if kind == "test":
        hits = sum(one.p_value is not None and one.p_value <= 1 - LEVEL + slack for one in estimates)
    elif kind == "size":
        hits = own
    elif truth is None:
        raise ValueError(f"{name}: an estimate of kind {kind!r} is held against a truth, got none")
    else:
        hits = int(((low <= truth + slack) & ((high >= truth - slack) | (kind == "lower"))).sum())
    wide = float((high - low).mean())
    return Row(
        name, *cell[1:4], float(cell.strength), kind, truth, mean, float(values.std(ddof=1)),
        float(low.mean()) if np.isfinite(low).all() else None, wide if math.isfinite(wide) else None,
        int(hits), own, len(estimates),
    )  # fmt: skip


def run(
    seed: int,
    cells: Iterable[Cell] | None = None,
    repeats: int = REPEATS,
    jobs: int = 1,
    methods: Mapping[str, Method] = METHODS,
) -> tuple[Row, ...]:
    """All rows of the cells, sorted.  A bar shows the progress where somebody watches; Ctrl-C ends it at once.

    Raises:
        ValueError: for fewer than two repeats.
    """
    if repeats < 2:
        raise ValueError(f"at least two repeats are needed, got {repeats}")
    cells = grid() if cells is None else list(cells)
    bar = tqdm(_measured(cells, seed, repeats, jobs, methods), total=len(cells), disable=not sys.stderr.isatty())
    return tuple(sorted((row for rows in bar for row in rows), key=lambda row: row.key))


def _measured(
    cells: Sequence[Cell], seed: int, repeats: int, jobs: int, methods: Mapping[str, Method]
) -> Iterator[list[Row]]:
    """The rows of each cell, as they are ready."""
    if jobs == 1:
        return (measure(cell, seed, repeats, methods) for cell in cells)
    tasks = (delayed(measure)(cell, seed, repeats, methods) for cell in cells)
    return Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)


def frame(rows: Iterable[Row]) -> pd.DataFrame:
    """The rows as a table, with coverage, its interval, bias and sharpness."""
    listed = list(rows)
    found = pd.DataFrame([vars(row) for row in listed])
    ends = np.array([row.interval for row in listed]).reshape(-1, 2)
    return found.assign(
        coverage=[row.coverage for row in listed],
        coverage_low=ends[:, 0],
        coverage_high=ends[:, 1],
        bias=pd.array([row.bias for row in listed], dtype="Float64"),
        sharpness=pd.array([row.sharpness for row in listed], dtype="Float64"),
    )


def worst(rows: Iterable[Row], estimator: str) -> pd.DataFrame:
    """The lowest coverage over worlds and strengths, sizes in rows and dimensions in columns."""
    table = frame(row for row in rows if row.estimator == estimator)
    return table.pivot_table(index="n", columns="d", values="coverage", aggfunc="min")


def agreement(fresh: Iterable[Row], table: Table, level: float = 0.001) -> Check:
    """Shares of hits and mean estimates in `fresh` and `table` agree in every cell of both, at joint `level`.

    Fisher's exact test of the shares and Student's of the means in each cell, Bonferroni over all.  The value is
    the least p-value times the number of tests.

    Raises:
        ValueError: when a fresh cell is not in the table: it was calibrated with other cells.
    """
    stored = {row.key: row for row in table.rows}
    rows = list(fresh)
    missing = [row.key for row in rows if row.key not in stored]
    if missing or not rows:
        raise ValueError(f"the table lacks {missing[0] if missing else 'every cell'}: run `make calibrate`")
    p_values = []
    for row in rows:
        other = stored[row.key]
        counts = [[row.hits, row.repeats - row.hits], [other.hits, other.repeats - other.hits]]
        p_values += [float(stats.fisher_exact(counts).pvalue), _same_mean(row, other)]
    least = min(1.0, min(p_values) * len(p_values))
    name = f"least p-value times {len(p_values)} tests"
    ci = (level, 1.0) if least > level else None
    return Check(least > level, "statistical", name, least, ci, level, len(p_values))


def _same_mean(one: Row, two: Row) -> float:
    """The p-value of Student's test that two rows have one mean; the table keeps six digits of it."""
    error = max(1e-6, 1e-5 * abs(two.mean))
    apart = abs(one.mean - two.mean)
    if apart <= error:
        return 1.0
    freedom = one.repeats + two.repeats - 2
    squares = (one.repeats - 1) * one.sd**2 + (two.repeats - 1) * two.sd**2
    spread = math.sqrt(squares / freedom * (1 / one.repeats + 1 / two.repeats))
    return float(2 * stats.t.sf(apart / spread, freedom)) if spread > 0 else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the calibration table; with --only the named methods anew and the others as they were."""
    parser = argparse.ArgumentParser(prog="python -m rbcore.estimate.calibration", description=main.__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=PATH)
    parser.add_argument("--only", default="", help=f"methods, separated by commas: {','.join(METHODS)}")
    options = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(1)
    chosen = list(filter(None, options.only.split(","))) or list(METHODS)
    try:
        cells = grid(chosen)
        kept: tuple[Row, ...] = ()
        if options.only:
            old = Table.load(options.out) if options.out.exists() else Table(())
            if old.rows and (old.seed, old.repeats) != (options.seed, options.repeats):
                raise ValueError(
                    f"{options.out} was made with --seed {old.seed} --repeats {old.repeats}: repeat those"
                )
            replaced = {name for one in chosen for name in METHODS[one].names}
            kept = tuple(row for row in old.rows if row.estimator not in replaced)
        rows = run(options.seed, cells, options.repeats, options.jobs)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted; {options.out} stays as it was", file=sys.stderr)
        return 130
    Table((*kept, *rows), options.seed, options.repeats).save(options.out)
    print(f"{len(rows)} rows of {', '.join(chosen)} in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
