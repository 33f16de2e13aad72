"""What the moving figures of chapter 11 and of the appendices are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rbcore.audit import evidence
from rbcore.book.ledger import Value
from rbcore.estimate.table import Table

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
    "A": lambda recorded: {
        "rain": 0.3, "alarm": 0.1, "caught": 0.8, "dry": 0.05, "wet": 0.7,
    },
    "B": calibrated,
}  # fmt: skip
