"""Tables that many drawn worlds fill, one after another, and that are stored with the book.

Each world is measured from its seed alone.  The table is written again after each of them, in one piece, so a run
may be interrupted and goes on where it was.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from rbcore.files import replace_file


def read(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A recorded table; when and with what it was made.

    Raises:
        ValueError: for a file that is no record.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf8"))
        table = pd.DataFrame(stored["rows"], columns=stored["columns"])
        return table, {key: stored[key] for key in ("date", "versions")}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no record of worlds, or damaged ({error}): restore it from git") from None


def write(table: pd.DataFrame, path: Path) -> None:
    """Record a table: four significant digits, a row a line."""
    rounded = table.map(lambda x: float(f"{x:.4g}") if isinstance(x, float) and np.isfinite(x) else x)
    rows = [[_plain(x) for x in row] for row in rounded.itertuples(index=False)]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    versions = f"torch {torch.__version__.partition('+')[0]}, numpy {np.__version__}"
    head = {"date": datetime.date.today().isoformat(), "versions": versions, "columns": list(table.columns)}
    replace_file(path, json.dumps(head)[:-1] + ', "rows": [\n' + lines + "\n]}\n")


def main(
    measure: Callable[[int], pd.DataFrame],
    record: Path,
    column: str,
    worlds: int,
    first: int,
    argv: Sequence[str] | None = None,
) -> int:
    """The command line that fills a record; worlds that are recorded are kept unless `--fresh`.

    Args:
        measure: the rows of the world with a seed.  column: where the rows have that seed.
        record, worlds, first: what the options `--out`, `--worlds` and `--first` say without being given.
    """
    parser = argparse.ArgumentParser(description="Measure drawn worlds and record them.")
    parser.add_argument("--worlds", type=int, default=worlds, help="how many (%(default)s)")
    parser.add_argument("--first", type=int, default=first, help="the seed of the first (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="worlds at a time (%(default)s)")
    parser.add_argument("--fresh", action="store_true", help="measure the recorded ones again")
    parser.add_argument("--out", type=Path, default=record)
    options = parser.parse_args(argv)
    wanted = range(options.first, options.first + options.worlds)
    tables: dict[Any, pd.DataFrame] = {}
    if options.out.exists() and not options.fresh:
        tables = {seed: rows for seed, rows in read(options.out)[0].groupby(column) if seed in wanted}
    todo = [seed for seed in wanted if seed not in tables]
    one = delayed(_alone)
    found = Parallel(n_jobs=options.jobs, return_as="generator_unordered")(one(measure, seed) for seed in todo)
    for rows in tqdm(found, total=len(todo), unit="world"):
        tables[int(rows[column].iloc[0])] = rows
        write(pd.concat([tables[seed] for seed in wanted if seed in tables]), options.out)
    return 0


def _alone(measure: Callable[[int], pd.DataFrame], seed: int) -> pd.DataFrame:
    """A world on one thread, which small models prefer."""
    torch.set_num_threads(1)
    return measure(seed)


def _plain(x: Any) -> Any:
    """A cell as JSON: no NaN, no numpy."""
    if isinstance(x, float) and np.isnan(x):
        return None
    return x.item() if hasattr(x, "item") else x
