"""Records of many worlds against the code that made them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd


def check_last_world(record: pd.DataFrame, measure: Callable[[int], pd.DataFrame], name: str) -> None:
    """The last recorded world is measured again; a draw on the other side of a rounding may change a row.

    name: the column that says what a row is.
    """
    assert record.world.nunique() >= 16
    seed = int(record.world.iloc[-1])
    mine = record[record.world == seed].reset_index(drop=True)
    fresh = measure(seed)
    assert list(fresh[name]) == list(mine[name])
    assert np.isclose(fresh.right, mine.right, rtol=2e-3).mean() > 0.9
