"""What the trials of the audit have shown: the record of :mod:`rbcore.audit.trial`, as tables.

    record = load()
    table(record)                      # how often each defect is found in each corpus, and what it costs a student
    severity(record)["near-duplicates"]   # the mean measured harm of the defects that this question names

Harm is the loss of a small student of the spoiled records less that of a student of the same world's clean ones,
in nats per token, on fresh records that nothing was made of.  Flattery is by how much the score on the held-out
records hides it: with held-out records in the training data the score falls, and the true loss does not.  Repair
is the loss after the records that the audit named were left out, less the loss before.  Intervals of shares are
Clopper's and Pearson's, those of harm are t-intervals over worlds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from rbcore.estimate.base import share

PATH = Path(__file__).with_name("trials.json")
LEVEL = 0.95
COUNTED = {"flagged", "undecided", "not checked", "low"}
"""What cells and controls hold of each question: a dict of those that are not zero; a list in the file."""
Record = Mapping[str, Any]


def load(path: Path = PATH) -> dict[str, Any]:
    """The record.

    Raises:
        ValueError: for a file that holds none.
    """
    kept = json.loads(path.read_text(encoding="utf8"))
    if not {"made", "questions", "corpora", "defects", "cells", "controls"} <= kept.keys():
        raise ValueError(f"{path}: no record of trials; python -m rbcore.audit.trial --record makes one")
    return counted(kept)


def counted(kept: dict[str, Any]) -> dict[str, Any]:
    """The record with its counts by question, where it holds lists."""
    questions = kept["questions"]

    def one(row: Mapping[str, Any]) -> dict[str, Any]:
        lists = {kind: row[kind] for kind in COUNTED & row.keys()}
        return {
            **row,
            **{kind: {q: k for q, k in zip(questions, n, strict=True) if k} for kind, n in lists.items()},
        }

    cells, controls = [one(row) for row in kept["cells"]], {k: one(row) for k, row in kept["controls"].items()}
    return {**kept, "cells": cells, "controls": controls}


def table(record: Record) -> pd.DataFrame:
    """A row for each defect, strength and corpus.

    Columns: `sets`, data sets; `found` with `low` and `high`, the share of them in which a question that names the
    defect was flagged; `any`, the share in which something was; `undecided`, the share in which a question that
    names it was undecided and none was flagged; `harm`, `flattered` and `repair` with their intervals (NaN where
    there is none); `removed`, the mean share of records that were left out for the repair.
    """
    rows = []
    for cell in record["cells"]:
        row = {key: cell[key] for key in ("defect", "strength", "corpus", "sets")}
        row |= _share(cell["named"], cell["sets"])
        row |= {"any": cell["any"] / cell["sets"], "undecided": cell["open"] / cell["sets"]}
        for key in ("harm", "flattered", "repair"):
            mean, low, high = (np.nan if x is None else x for x in cell[key])
            row |= {key: mean, f"{key}_low": low, f"{key}_high": high}
        rows.append(row | {"removed": cell["removed"]})
    return pd.DataFrame(rows)


def pooled(record: Record) -> pd.DataFrame:
    """A row for each defect and strength, over all corpora that have it.

    Columns: `level`, 0 to 2, of the strength; `corpora`; `sets`, `named`, `found` with `low` and `high` (every
    data set counts alike); and `harm`, `flattered`, `repair` with `_low` and `_high`: the mean over corpora with a
    t-interval over them, or, of one corpus, its own over worlds.
    """
    rows = []
    whole = table(record)
    for defect, strength in dict.fromkeys((cell["defect"], cell["strength"]) for cell in record["cells"]):
        cells = whole[(whole["defect"] == defect) & (whole["strength"] == strength)]
        counts = [cell for cell in record["cells"] if (cell["defect"], cell["strength"]) == (defect, strength)]
        named, sets = (sum(cell[kind] for cell in counts) for kind in ("named", "sets"))
        row: dict[str, Any] = {"defect": defect, "strength": strength, "corpora": len(cells), "sets": sets}
        row |= {"level": list(record["defects"][defect]["strengths"]).index(strength), "named": named}
        row |= _share(named, sets)
        for kind in ("harm", "flattered", "repair"):
            ends = [kind, f"{kind}_low", f"{kind}_high"]
            known = cells[ends].dropna(subset=[kind]).to_numpy(dtype=float)
            if len(known) > 1:
                mean, spread = known[:, 0].mean(), known[:, 0].std(ddof=1) / np.sqrt(len(known))
                half = float(stats.t.ppf((1 + LEVEL) / 2, len(known) - 1)) * spread
                known = np.array([[mean, mean - half, mean + half]])
            row |= dict(zip(ends, known[0] if len(known) else [np.nan] * 3, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def controls(record: Record) -> pd.DataFrame:
    """A row for each corpus, and one for all: clean data sets, and in how many something was flagged.

    Columns: `sets`, `flagged`, `share` with `low` and `high`, and `by`, which questions accused how often.
    """
    rows, total = [], {"corpus": "all", "sets": 0, "flagged": 0}
    by: dict[str, int] = {}
    for corpus, one in record["controls"].items():
        rows.append({"corpus": corpus, "sets": one["sets"], "flagged": one["any"], "by": _words(one["flagged"])})
        total["sets"] += one["sets"]
        total["flagged"] += one["any"]
        for question, k in one["flagged"].items():
            by[question] = by.get(question, 0) + k
    rows.append(total | {"by": _words(by)})
    shares = [_share(row["flagged"], row["sets"]) for row in rows]
    order = ["corpus", "sets", "flagged", "share", "low", "high", "by"]
    return pd.DataFrame([row | one | {"share": one["found"]} for row, one in zip(rows, shares, strict=True)])[
        order
    ]


def power(record: Record, defect: str) -> pd.DataFrame:
    """How often the defect is found at each strength, in each corpus and in all of them (`corpus` "all").

    Columns: `strength`, `corpus`, `sets`, `found`, `low`, `high`, and `harm`, the mean.

    Raises:
        ValueError: for a defect that the record does not hold.
    """
    cells = pd.DataFrame([cell for cell in record["cells"] if cell["defect"] == defect])
    if cells.empty:
        raise ValueError(f"defect: one of {', '.join(record['defects'])}, got {defect!r}")
    cells["harm"] = [one[0] for one in cells["harm"]]
    both = cells.groupby("strength", as_index=False).agg({"sets": "sum", "named": "sum", "harm": "mean"})
    cells = pd.concat([cells, both.assign(corpus="all")], ignore_index=True)
    found = [_share(int(k), int(n)) for k, n in zip(cells["named"], cells["sets"], strict=True)]
    made = pd.concat([cells, pd.DataFrame(found)], axis=1)
    columns = ["strength", "corpus", "sets", "found", "low", "high", "harm"]
    return made[columns].sort_values(["corpus", "strength"], ignore_index=True)


def severity(record: Record) -> dict[str, float]:
    """For each question the mean cost of the defects that it names, in nats per token, over strengths and corpora.

    The cost is the harm, or the flattery where that is larger: a score that is wrong by so much.  Questions that
    name none of the defects are not in it.
    """
    harms: dict[str, list[tuple[float, float]]] = {}
    for cell in record["cells"]:
        for question in record["defects"][cell["defect"]]["questions"]:
            harms.setdefault(question, []).append((cell["harm"][0], cell["flattered"][0]))
    return {question: float(np.mean(found, axis=0).max()) for question, found in harms.items()}


def _share(k: int, n: int) -> dict[str, float]:
    low, high = share(k, n, LEVEL)
    return {"found": k / n, "low": low, "high": high}


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{question} {k}" for question, k in sorted(counts.items(), key=lambda one: -one[1]))
