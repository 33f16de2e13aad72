"""Records of many worlds against the code that made them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd


def check_last_world(record: pd.DataFrame, measure: Callable[[int], pd.DataFrame], name: list[str]) -> None:
    """The last recorded world is measured again; a draw on the other side of a rounding may change a row.

    measure: may leave out later rows of a world.  name: the columns that say what a row is.
    """
    assert record.world.nunique() >= 16
    seed = int(record.world.iloc[-1])
    fresh, mine = measure(seed), record[record.world == seed]
    mine = mine[mine[name].apply(tuple, axis=1).isin(fresh[name].apply(tuple, axis=1))]
    assert mine[name].to_numpy().tolist() == fresh[name].to_numpy().tolist()
    assert np.isclose(fresh.right, mine.right, rtol=2e-3).mean() > 0.9
