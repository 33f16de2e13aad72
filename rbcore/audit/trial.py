"""How often the audit finds what was planted, names it, and accuses clean data.

    found = trials([None, "leakage"], range(20))       # a row for each audit
    python -m rbcore.audit.trial --record              # all defects in all corpora, many times, for the chapter

The chapter audits some data sets of planted notes whenever it runs.  `trials.json` records many more, on other
seeds, with the date and the versions that they were made with; :func:`agreement` compares the two.  The record
also holds every defect of :mod:`rbcore.audit.defects`, at three strengths, in real texts of several languages;
:mod:`rbcore.audit.recording` makes it, and :mod:`rbcore.audit.evidence` makes tables of it.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from threadpoolctl import threadpool_limits

from rbcore.audit import cells, corpora, evidence, runner
from rbcore.audit.planted import DEFECTS, STRENGTHS, Planted, clean, spoil
from rbcore.audit.prepared import Prepared
from rbcore.audit.result import Finding
from rbcore.checks import Check
from rbcore.estimate.base import share

CONTROL = "none"
PATH = Path(__file__).with_name("trials.json")
SEED = 100_000  # the first one of the record
WORLDS, CONTROLS = 5, 100  # of each corpus
TRIALS, CLEAN = 40, 120  # planted notes: data sets of each defect, and clean ones
LIBRARIES = ("numpy", "scipy", "scikit-learn", "pandas")
HALVED = {
    name: (1 + x) / 2 if name == "low temperature" else x / 2
    for name, x in STRENGTHS.items()
    if name != "missing subject"  # a subject is missing or not
}
"""The defects at half of their strength; a temperature half-way to one."""


def findings(defect: str | None, seed: int, strength: float | None = None, **sizes: int) -> list[Finding]:
    """The answers to all questions about one planted data set; `sizes` as :func:`rbcore.audit.planted.clean`."""
    return _audited(_world(seed, **sizes), defect, seed, strength, None)[0]


def _world(seed: int, **sizes: int) -> Planted:
    return clean(np.random.default_rng([seed, 0]), **sizes)


def _audited(
    world: Planted, defect: str | None, seed: int, strength: float | None, like: Prepared | None
) -> tuple[list[Finding], Prepared]:
    """Data and audit have generators of their own, which differ between defects."""
    number = list(DEFECTS).index(defect) + 1 if defect else 0
    planted = spoil(world, defect, np.random.default_rng([seed, number, 0]), strength) if defect else world
    data = runner.prepare(planted.records(), seed, like=like)
    return [one.finding for one in runner.check(data, np.random.default_rng([seed, number, 1]))], data


def trials(
    planted: Sequence[str | None],
    seeds: Sequence[int],
    strengths: Mapping[str, float] | None = None,
    progress: Callable[[], object] = lambda: None,
) -> pd.DataFrame:
    """A row for each planted defect and seed, a column for each question: whether it was flagged.

    The data sets of one seed are one world: they share anchors, held-out notes, and the synthetic notes that no
    defect has touched; worlds are independent.  So rows of one defect are independent draws, and rows of one seed
    are not.  The index has the levels `defect` (:data:`CONTROL` for none) and `seed`.  `progress` is called after
    each audit.
    """
    rows: dict[tuple[str, int], dict[str, bool]] = {}
    with threadpool_limits(1):  # the matrices are small: more threads take more processor time, and no less
        for seed in seeds:
            world, like = _world(seed), None
            for defect in planted:
                answers, data = _audited(world, defect, seed, (strengths or {}).get(defect or ""), like)
                like = like or data
                flags = {one.id: one.verdict == "flagged" for one in answers if one.verdict != "not checked"}
                rows[defect or CONTROL, seed] = flags
                progress()
    keys = [(defect or CONTROL, seed) for defect in planted for seed in seeds]
    index = pd.MultiIndex.from_tuples(keys, names=["defect", "seed"])
    return pd.DataFrame([rows[key] for key in keys], index=index).eq(True)  # not checked is not flagged


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """In how many data sets of each kind what was flagged: a row for each defect.

    Columns: `sets`, how many there were; `named`, in how many the question that should name the defect was flagged
    (none at all, for clean data); `alone`, in how many no other question was; and one for each question.
    """
    rows = {}
    for defect, flags in table.groupby(level="defect", sort=False):
        own = None if defect == CONTROL else DEFECTS[str(defect)][0]
        others = flags if own is None else flags.drop(columns=own)
        alone = int((~others.any(axis=1)).sum())
        named = alone if own is None else int(flags[own].sum())
        rows[defect] = {"sets": len(flags), "named": named, "alone": alone, **flags.sum().astype(int).to_dict()}
    return pd.DataFrame.from_dict(rows, orient="index")


def above(successes: Sequence[int], sets: Sequence[int], margins: ArrayLike, level: float = 0.99) -> Check:
    """Every one of these rates exceeds its margin, all at once at `level`, by lower Clopper-Pearson limits.

    Bonferroni over the rates, which may depend on one another.  The value is the rate whose limit exceeds its
    margin by least.
    """
    each = 1 - (1 - level) / len(successes)
    lows = np.array([share(int(k), int(n), each, "lower")[0] for k, n in zip(successes, sets, strict=True)])
    margins = np.broadcast_to(np.asarray(margins, dtype=float), lows.shape)
    i = int(np.argmin(lows - margins))
    rate, low, margin = successes[i] / sets[i], float(lows[i]), float(margins[i])
    name = "rate" if len(lows) == 1 else f"lowest of {len(lows)} rates, joint"
    return Check(low > margin, "statistical", f"{name} {level:.0%} limit", rate, (low, 1.0), margin, int(sets[i]))


def agreement(fresh: pd.DataFrame, recorded: pd.DataFrame, level: float = 0.001) -> Check:
    """Two tables of :func:`counts` agree in every cell that both have, at joint `level`.

    Fisher's exact test in each cell, Bonferroni over the cells.  The value is the least p-value times their
    number.

    Raises:
        ValueError: when the tables have no cell in common.
    """
    rows = [one for one in fresh.index if one in recorded.index]
    columns = [one for one in fresh.columns if one in recorded.columns and one != "sets"]
    p_values = []
    for row in rows:
        n, m = int(fresh.loc[row, "sets"]), int(recorded.loc[row, "sets"])
        for column in columns:
            k, j = int(fresh.loc[row, column]), int(recorded.loc[row, column])
            p_values.append(float(stats.fisher_exact([[k, n - k], [j, m - j]]).pvalue))
    if not p_values:
        raise ValueError("the tables have no cell in common")
    least = min(1.0, min(p_values) * len(p_values))
    name = f"least p-value times {len(p_values)} cells"
    ci = (level, 1.0) if least > level else None
    return Check(least > level, "statistical", name, least, ci, level, len(p_values))


def recorded(path: Path = PATH) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """What the record was made with, and its tables of :func:`counts` of notes, at full and at half strength."""
    kept = json.loads(path.read_text(encoding="utf8"))
    full, half = (pd.DataFrame.from_dict(kept[name], orient="index") for name in ("full", "half"))
    return kept["made"], full, half


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit texts with known defects many times: what is found, what is missed, what clean data are accused of."""
    parser = argparse.ArgumentParser(prog="python -m rbcore.audit.trial", description=main.__doc__)
    parser.add_argument("--record", action="store_true", help="write the record that chapter 11 shows")
    parser.add_argument("--folder", default="runs/corpora", help="of the corpora, and of what is done so far")
    parser.add_argument("--corpora", default=",".join(cells.TRIED), help="which, joined by commas (default: all)")
    parser.add_argument(
        "--worlds", type=int, default=WORLDS, help="random splits with all defects, of each corpus"
    )
    parser.add_argument("--controls", type=int, default=CONTROLS, help="clean data sets of each corpus, at least")
    parser.add_argument("--notes", type=int, default=TRIALS, help="data sets of planted notes for each defect")
    parser.add_argument("--clean", type=int, default=CLEAN, help="clean data sets of planted notes, at least")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=PATH)
    options = parser.parse_args(arguments)
    from rbcore.audit import recording  # which audits by this module

    chosen = [name.strip() for name in options.corpora.split(",") if name.strip()]
    unknown = sorted(set(chosen) - set(cells.TRIED))
    if unknown or options.worlds < 0 or options.seed < 0 or options.jobs < 1:
        known = f"--corpora: some of {', '.join(cells.TRIED)}"
        print(f"{known}; --worlds and --seed not negative, --jobs at least 1", file=sys.stderr)
        return 2
    begin = time.monotonic()
    try:
        corpora.fetch(options.folder, cells.sources(chosen))
        tasks = recording.plan(
            chosen, options.worlds, options.controls, options.notes, options.clean, options.seed
        )
        done = recording.gather(tasks, options.folder, options.jobs)
    except corpora.CorpusError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted; what is done is kept in {options.folder}: the same command goes on", file=sys.stderr)
        return 130
    made = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "seed": options.seed,
        "seconds": round(time.monotonic() - begin),
        "jobs": options.jobs,
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
    }
    kept = {"made": made, **recording.summary(done, options.folder)}
    print(recording.report(evidence.counted(kept)))
    if options.record:
        recording.write(kept, options.out)
        print(f"recorded in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
