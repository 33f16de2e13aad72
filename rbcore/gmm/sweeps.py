"""Sweeps over settings of the mixture world: a tidy table, checkpoints, and any joblib backend.

A row is one configuration, its numbers depend on (seed, setting, repeat) and on nothing else.  So rows may be
computed in any order, by any number of workers, and a sweep that was killed goes on from its checkpoint:

    table = sweep([Setting(K=k) for k in range(2, 16)], repeats=100, seed=1, checkpoint="runs/k")

By default it runs in this process; `jobs=2` takes two threads (the compiled loops release the lock).  A backend is
chosen as everywhere with joblib.  Dask, then Ray:

    with distributed.Client("scheduler:8786"), joblib.parallel_config("dask"):
        table = sweep(grid, repeats=100, seed=1, checkpoint="runs/k")

    ray.util.joblib.register_ray()
    with joblib.parallel_config("ray"):
        table = sweep(grid, repeats=100, seed=1, checkpoint="runs/k")

Workers return rows and only this process writes, so they need no common disk.  Most backends hand over a batch
when it is done; `multiprocessing` and `ray` cannot, and there a few batches for each worker are kept at a time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from scipy import stats
from tqdm import tqdm

from rbcore.files import replace_file
from rbcore.gmm.density import divergences
from rbcore.gmm.released import histogram_gap
from rbcore.gmm.theory import separated_gap
from rbcore.gmm.world import Setting, simulate

ESTIMATORS = ("released", "shared", "density")  # by default; "closed" is the other one
KEYS = [field.name for field in dataclasses.fields(Setting)] + ["repeat"]
PANELS = ("K", "J", "L")


def evaluate(
    setting: Setting,
    repeats: Sequence[int],
    seed: int,
    estimators: Sequence[str] = ESTIMATORS,
    rounds: int = 100,
    draws: int = 1000,
    points: int = 2000,
) -> pd.DataFrame:
    """The rows of some repeats of one setting, see :func:`sweep` for the arguments, columns and errors."""
    return pd.DataFrame(columns(setting, repeats, seed, estimators, rounds, draws, points))


def columns(
    setting: Setting,
    repeats: Sequence[int],
    seed: int,
    estimators: Sequence[str] = ESTIMATORS,
    rounds: int = 100,
    draws: int = 1000,
    points: int = 2000,
) -> dict[str, object]:
    """The columns of :func:`evaluate`: numbers of the setting, and arrays with an entry for each repeat."""
    _check([setting], estimators)
    run = simulate(setting, repeats, seed)
    fits = run.truth, run.anchor_fit.mixture, run.synthetic_fit.mixture
    found: dict[str, object] = {**dataclasses.asdict(setting), "repeat": np.asarray(repeats, dtype=np.int64)}
    for name, fitted in (("anchors", run.anchor_fit), ("synthetic", run.synthetic_fit)):
        found[f"converged_{name}"] = fitted.converged
        found[f"empty_{name}"] = fitted.empty
    seeds = [stream.spawn(2) for stream in run.streams]
    if "released" in estimators or "shared" in estimators:
        shared = "shared" in estimators
        histograms = histogram_gap(*fits, [s[0] for s in seeds], rounds, draws, shared)
        for i, name in enumerate(ESTIMATORS[:2]):
            if name in estimators:
                found[name], found[f"{name}_se"] = histograms.gap[:, i], histograms.se[:, i]
                found[f"{name}_anchors"] = histograms.anchors[:, i]
                found[f"{name}_synthetic"] = histograms.synthetic[:, i]
    if "density" in estimators:
        for name, estimate in divergences(*fits, points, [s[1] for s in seeds])._asdict().items():
            found[name], found[f"{name}_se"] = estimate
    if "closed" in estimators:
        for name, gap in separated_gap(run)._asdict().items():
            found[f"{name}_closed"] = gap
    return found


def sweep(
    grid: Sequence[Setting],
    repeats: int | Sequence[int],
    seed: int,
    estimators: Sequence[str] = ESTIMATORS,
    rounds: int = 100,
    draws: int = 1000,
    points: int = 2000,
    checkpoint: str | Path | None = None,
    jobs: int | None = None,
    batch: int = 25,
    progress: bool | None = None,
) -> pd.DataFrame:
    """One row for each setting of `grid` and each repeat, in that order.

    Columns: the setting; `repeat`; `converged_*` and `empty_*` of the two fits (`anchors`, `synthetic`); and for
    each estimate of the gap, in nats, its value, its Monte Carlo standard error (`_se`), and the two divergences
    that it is the difference of (`_anchors`, `_synthetic`): `released` and `shared` from histograms, `forward` =
    KL(fit || truth) and `reverse` = KL(truth || fit) from densities.  With the estimator "closed" also
    `forward_closed` and `reverse_closed`, the gaps by :func:`rbcore.gmm.theory.separated_gap`.

    Args:
        repeats: how many, or which.
        estimators: some of "released", "shared" (both need d = 2), "density" and "closed".
        rounds, draws: of the histograms.  points: of each law for the densities.
        checkpoint: a folder that keeps finished batches as Parquet files; a sweep of the same kind goes on from
        it.
        jobs: threads; None: what `joblib.parallel_config` says, else one.
        batch: configurations in one task.
        progress: show a bar; None: only on a terminal.

    Raises:
        ValueError: for an empty or repeated grid, unknown estimators, histograms in other than two dimensions, or
            a checkpoint of another kind of sweep.
        A setting checks its own values, see :class:`rbcore.gmm.world.Setting`.
    """
    if isinstance(grid, Setting) or not all(isinstance(setting, Setting) for setting in grid):
        raise ValueError(f"grid is a sequence of settings, as in [Setting(K=2), Setting(K=3)], got {grid!r}")
    if isinstance(repeats, float | str):
        raise ValueError(f"repeats is a whole number, or a sequence of them, got {repeats!r}")
    grid, numbers = list(grid), list(range(repeats) if isinstance(repeats, int | np.integer) else repeats)
    if not grid or not numbers:
        raise ValueError("grid and repeats: at least one setting and one repeat")
    if len(set(grid)) < len(grid) or len(set(numbers)) < len(numbers):
        raise ValueError("grid and repeats name each setting and each repeat once")
    _check(grid, estimators)
    if batch < 1:
        raise ValueError(f"batch is a number of configurations, at least 1, got {batch}")
    kind = {
        "seed": int(seed),
        "estimators": sorted(estimators),
        "rounds": int(rounds),
        "draws": int(draws),
        "points": int(points),
        "keys": KEYS,
    }
    folder = None if checkpoint is None else _folder(Path(checkpoint), kind)
    parts = [] if folder is None else [pd.read_parquet(file) for file in sorted(folder.glob("part-*.parquet"))]
    done = {key for part in parts for key in _keys(part)}
    tasks = []
    for setting in grid:
        missing = [r for r in numbers if (*dataclasses.astuple(setting), r) not in done]
        tasks += [(setting, missing[i : i + batch]) for i in range(0, len(missing), batch)]
    how = {"seed": seed, "estimators": tuple(estimators), "rounds": rounds, "draws": draws, "points": points}
    work = [joblib.delayed(evaluate)(*task, **how) for task in tasks]
    total = len(grid) * len(numbers)
    bar = tqdm(
        total=total,
        initial=total - sum(len(task[1]) for task in tasks),
        unit="configuration",
        disable=None if progress is None else not progress,
    )
    with bar:
        for part in _finished(work, jobs):
            if folder is not None:
                _save(part, folder)
            parts.append(part)
            bar.update(len(part))
    return _ordered(pd.concat(parts, ignore_index=True), grid, numbers)


def _check(grid: Sequence[Setting], estimators: Sequence[str]) -> None:
    """Refuse unknown estimators, and histograms in other than two dimensions."""
    if isinstance(estimators, str) or not estimators or set(estimators) - {*ESTIMATORS, "closed"}:
        raise ValueError(f"estimators are some of {', '.join(ESTIMATORS)}, closed, in a tuple, got {estimators!r}")
    if {"released", "shared"} & set(estimators) and any(setting.d != 2 for setting in grid):
        raise ValueError("histograms are for d = 2: use estimators=('density',) in other dimensions")


def _finished(work: Sequence[object], jobs: int | None) -> Iterator[pd.DataFrame]:
    """What the delayed calls return: one by one as they finish, or in groups if the backend cannot tell."""
    try:
        pool = joblib.Parallel(jobs, return_as="generator_unordered", prefer="threads")
    except ValueError:
        pool = joblib.Parallel(jobs, prefer="threads")
        size = 4 * joblib.effective_n_jobs(jobs)
        for i in range(0, len(work), size):
            yield from pool(work[i : i + size])
    else:
        yield from pool(work)


def panels(
    seed: int,
    repeats: int = 100,
    values: Sequence[int] = range(2, 16),
    base: Setting | None = None,
    names: Sequence[str] = PANELS,
    **how: Any,
) -> pd.DataFrame:
    """The three panels of the paper's figure: K, J, L in turn take `values`, with `repeats` configurations each.

    The table of :func:`sweep`, which takes `how`, with the column `panel` ("K", "J" or "L") first.  Where panels
    meet (all at two) each has its own repeats.  A checkpoint is one folder for each panel.

    Args:
        names: of the panels that are wanted; the rows of a panel do not depend on the others.
    """
    base = Setting() if base is None else base
    tables, checkpoint = [], how.pop("checkpoint", None)
    for i, name in ((PANELS.index(name), name) for name in names):
        grid = [dataclasses.replace(base, **{name: int(value)}) for value in values]
        where = None if checkpoint is None else Path(checkpoint) / name
        table = sweep(grid, range(i * repeats, (i + 1) * repeats), seed, checkpoint=where, **how)
        table.insert(0, "panel", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def summarize(table: pd.DataFrame, by: Sequence[str], columns: Sequence[str], level: float = 0.95) -> pd.DataFrame:
    """Location of each of `columns` over the rows of each group of `by`, with intervals at `level`.

    Columns of the result: `by`, `estimate` (the column's name), `n`, `sd`, and value, low and high of three
    locations: `mean` (Student), `median` (order statistics: exact for any law), and `trimmed`, the mean of the
    middle 80 % (Tukey and McLaughlin's interval from the winsorized variance).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is a probability strictly between 0 and 1, got {level}")
    if missing := (set(by) | set(columns)) - set(table.columns):
        raise ValueError(f"the table has no column {', '.join(sorted(missing))}")
    if table[list(columns)].isna().any(axis=None):
        raise ValueError("a column to summarize holds NaN")
    rows = []
    for group, part in table.groupby(list(by), sort=False):
        for column in columns:
            names = zip(by, group, strict=True)  # ty: ignore[invalid-argument-type]  # a tuple, since `by` is a list
            row = dict(names) | {"estimate": column}
            rows.append(row | _locations(np.sort(part[column].to_numpy(float)), level))
    return pd.DataFrame(rows)


def _locations(x: np.ndarray, level: float, trim: float = 0.1) -> dict[str, float]:
    """Mean, median and trimmed mean of the sorted values x, with intervals."""
    n = len(x)
    if n < 2:
        raise ValueError(f"an interval needs at least two rows in each group, got {n}")
    tail = (1 + level) / 2
    half = stats.t.ppf(tail, n - 1) * x.std(ddof=1) / np.sqrt(n)
    rank = int(stats.binom.ppf(1 - tail, n, 0.5))  # P(fewer than `rank` values lie below the median) < 1 - tail
    low, high = (x[rank - 1], x[n - rank]) if rank > 0 else (-np.inf, np.inf)
    g = int(trim * n)
    middle = x[g : n - g]
    spread = np.clip(x, x[g], x[n - g - 1]).std(ddof=1) / ((1 - 2 * g / n) * np.sqrt(n))
    wide = stats.t.ppf(tail, len(middle) - 1) * spread if len(middle) > 1 else np.inf
    found = {"n": n, "sd": x.std(ddof=1)}
    for name, value, a, b in (
        ("mean", x.mean(), x.mean() - half, x.mean() + half),
        ("median", np.median(x), low, high),
        ("trimmed", middle.mean(), middle.mean() - wide, middle.mean() + wide),
    ):
        found |= {name: value, f"{name}_low": a, f"{name}_high": b}
    return found


def _keys(table: pd.DataFrame) -> list[tuple]:
    """What identifies each row, as `(*astuple(setting), repeat)`."""
    return list(table[KEYS].itertuples(index=False, name=None))


def _ordered(table: pd.DataFrame, grid: Sequence[Setting], numbers: Sequence[int]) -> pd.DataFrame:
    """The wanted rows in the order of the grid; a checkpoint may hold others too."""
    place = {key: i for i, key in enumerate(_keys(table))}
    if len(place) < len(table):
        raise ValueError("the checkpoint holds a row twice: two sweeps have written into it at the same time")
    wanted = [place[(*dataclasses.astuple(setting), r)] for setting in grid for r in numbers]
    return table.iloc[wanted].reset_index(drop=True)


def _folder(folder: Path, kind: Mapping[str, object]) -> Path:
    """The checkpoint's folder, made or found to be of this kind of sweep."""
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "sweep.json"
    if not note.exists():
        replace_file(note, json.dumps(kind, indent=1))
    found = json.loads(note.read_text())
    differs = [name for name in kind if found.get(name) != kind[name]]
    if differs:
        raise ValueError(f"{folder} holds a sweep with other {', '.join(differs)}: choose another folder")
    return folder


def _save(part: pd.DataFrame, folder: Path) -> None:
    """Keep a finished batch, whole or not at all."""
    name = hashlib.blake2b(repr(_keys(part)).encode(), digest_size=12).hexdigest()
    replace_file(folder / f"part-{name}.parquet", part.to_parquet(index=False))
