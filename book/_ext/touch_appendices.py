"""What the moving figures of the appendices are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rbcore.book.ledger import Value
from rbcore.estimate.table import Table

Recorded = Mapping[str, Value]


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
    "A": lambda recorded: {  # as in the chapter; their informations are compared with the recorded ones
        "rain": 0.3, "alarm": 0.1, "caught": 0.8, "dry": 0.05, "wet": 0.7,
    },
    "B": calibrated,
}  # fmt: skip
