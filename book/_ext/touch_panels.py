"""Medians of chapter 8's panels, for its moving figure; `python book/_ext/touch_panels.py` records them anew.

The worlds are those of the chapter, by the same seed; a test compares the medians at K = J = L = 2 with the
chapter's own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rbcore.files import replace_file
from rbcore.gmm import panels

RECORD = Path(__file__).parent.parent / "panels.json"
ESTIMATES = ("released", "shared", "forward", "reverse")
SEED, REPEATS, ROUNDS = 8, 100, 25  # the chapter's parameters


def measure() -> dict[str, Any]:
    """Medians in nats for each panel and estimate; where the panels begin, over the worlds of all three."""
    table = panels(SEED, REPEATS, estimators=("released", "shared", "density"), rounds=ROUNDS)
    corner = table[(table.K == 2) & (table.J == 2) & (table.L == 2)]
    found: dict[str, Any] = {"values": sorted(int(k) for k in table.K.unique()), "medians": {}}
    for panel in "KJL":
        rows = table[table.panel == panel].groupby(panel)[list(ESTIMATES)].median()
        rows.iloc[0] = corner[list(ESTIMATES)].median()
        found["medians"][panel] = {name: rows[name].round(9).tolist() for name in ESTIMATES}
    return found


if __name__ == "__main__":
    replace_file(RECORD, json.dumps(measure(), indent=1) + "\n")
