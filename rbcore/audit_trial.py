"""How often the audit finds what was planted, names it, and accuses clean data."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from rbcore import audit
from rbcore.audit_planted import DEFECTS, plant
from rbcore.audit_result import Finding

CONTROL = "none"


def findings(defect: str | None, seed: int, strength: float | None = None, **sizes: int) -> list[Finding]:
    """The answers to all questions about one planted data set; `sizes` as in :func:`rbcore.audit_planted.plant`.

    Data and audit have generators of their own; the data of one seed differ between defects.
    """
    number = list(DEFECTS).index(defect) + 1 if defect else 0
    planted = plant(defect, np.random.default_rng([seed, number, 0]), strength, **sizes)
    data = audit.prepare(planted.records(), seed)
    return [one.finding for one in audit.check(data, np.random.default_rng([seed, number, 1]))]


def trials(
    defects: Sequence[str | None],
    seeds: Sequence[int],
    strengths: dict[str, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """A row for each planted defect and seed, a column for each question: whether it was flagged.

    The index has the levels `defect` (:data:`CONTROL` for none) and `seed`.
    """
    rows, index = [], []
    for defect in defects:
        for seed in seeds:
            found = findings(defect, seed, (strengths or {}).get(defect or ""))
            rows.append({one.id: one.verdict == "flagged" for one in found if one.verdict != "not checked"})
            index.append((defect or CONTROL, seed))
            if progress is not None:
                progress(len(rows), len(defects) * len(seeds))
    return pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(index, names=["defect", "seed"]))
