"""What the moving figures of chapters 11, 12, 15, 17 and of the appendices are told, mostly from stored runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import entr

from rbcore.audit import evidence
from rbcore.book.ledger import Value
from rbcore.estimate.table import Table
from rbcore.lm import prediction, pretrained
from rbcore.lm.pretrained import Cell

Recorded = Mapping[str, Value]


def defects(recorded: Recorded) -> dict[str, Any]:
    """Chapter 11: how often each defect, planted into real texts, was found at each of three strengths."""
    kept = evidence.load()
    cells = evidence.pooled(kept)
    rows = {
        name: cells[cells.defect == name].sort_values("level")[["strength", "found", "low", "high"]].to_numpy()
        for name in kept["defects"]
    }
    return {"defects": {name: table.tolist() for name, table in rows.items()}}


def trial(recorded: Recorded) -> dict[str, Any]:
    """Chapter 12: rank correlations of each candidate with the gain, in each test language."""
    pairs = prediction.gains(prediction.read()[0])
    languages = pairs.language.unique()
    half = languages[: len(languages) // 2]
    learned = pairs.language.isin(half)
    scores = prediction.scores(pairs[learned], pairs[~learned]).set_index(["predictor", "language"])
    found = {}
    for score in ("rank", "choice"):
        table = scores[score].unstack()
        found[score] = {name: row.tolist() for name, row in zip(table.index, table.to_numpy(), strict=True)}
    return found


def heats(recorded: Recorded) -> dict[str, Any]:
    """Chapter 15: for each temperature, with four anchors and the task named, what the model's answers are."""
    stored = pretrained.read()
    table, laws = pretrained.table(stored), pretrained.laws(stored)
    rows = table[table.strict & (table.anchors == table.anchors.max())]
    gain = rows.groupby(["temperature", "draw"]).gain.mean().groupby("temperature").mean()
    found = {}
    for heat in sorted(rows.temperature.unique()):
        law = laws[Cell(True, int(table.anchors.max()), heat)]
        accepted, even = law.sum(axis=1), 1 / law.shape[1]
        verified = np.log(even) - np.log(law / accepted[:, None]).mean(axis=1)
        mixed = law.mean(axis=0)
        kept = mixed / mixed.sum()
        found[f"{heat:g}"] = {
            "raw": float((verified - np.log(accepted)).mean()),
            "verified": float(verified.mean()),
            "accepted": float(accepted.mean()),
            "task": float(1 - np.minimum(even, mixed).sum()),
            "generation": float(1 - mixed.sum()),
            "direct": float(1 - np.minimum(even, kept).sum()),
            "entropy": float(entr(kept).sum()),
            "gain": float(gain[heat]),
        }
    return {"heats": found, "most": float(np.log(len(pretrained.SUMS)))}


def calibrated(recorded: Recorded) -> dict[str, Any]:
    """Appendix B: two estimators of mutual information in four worlds."""
    names = ("ksg", "gaussian-mi")
    rows = [row for row in Table.load().rows if row.estimator in names and row.strength == 0.5 and row.d <= 20]
    cells = [
        {"estimator": r.estimator, "world": r.world, "n": r.n, "d": r.d, "mean": r.mean, "sd": r.sd}
        | {"coverage": r.coverage, "high": r.interval[1]}
        for r in rows
    ]
    return {"cells": cells, "truth": recorded["cal-truth"].value, "n": recorded["cal-middle"].value}


DATA: dict[str, Callable[[Recorded], dict[str, Any]]] = {
    "11": defects,
    "12": trial,
    "15": heats,
    "17": lambda recorded: {"loss": 1.0, "hard": 0.1, "allowed": 0.01},
    "A": lambda recorded: {
        "rain": 0.3, "alarm": 0.1, "caught": 0.8, "dry": 0.05, "wet": 0.7,
    },
    "B": calibrated,
}  # fmt: skip
