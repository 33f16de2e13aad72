"""Sweeps: the same rows whatever the batch, the order, the backend, or a kill on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rbcore.book.execute import ROOT
from rbcore.gmm import Setting, panels, summarize, sweep, sweeps
from rbcore.gmm.sweeps import evaluate

GRID = [Setting(L=2), Setting(L=3, covariance="wishart"), Setting(K=3, concentration=2.0)]
QUICK = {"rounds": 2, "points": 50}


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(a, b, check_exact=True)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return sweep(GRID, 6, seed=1, **QUICK)


def test_a_table_is_tidy(table):
    assert len(table) == 18
    assert table["repeat"].tolist() == list(range(6)) * 3
    assert table["L"].tolist() == [2] * 6 + [3] * 6 + [2] * 6
    for name in ("released", "shared", "forward", "reverse"):
        np.testing.assert_allclose(table[name], table[f"{name}_anchors"] - table[f"{name}_synthetic"], atol=1e-9)
        assert np.isfinite(table[f"{name}_se"]).all()
    assert table["converged_synthetic"].dtype == bool and table["empty_synthetic"].dtype == np.int64


def test_rows_do_not_depend_on_batches_threads_or_estimators(table):
    same(sweep(GRID, 6, seed=1, batch=4, **QUICK), table)
    same(sweep(GRID, 6, seed=1, batch=1, jobs=2, **QUICK), table)
    part = sweep(GRID[1:2], [4, 2], seed=1, estimators=("density",), **QUICK)
    np.testing.assert_array_equal(part["reverse"], table.iloc[[10, 8]]["reverse"])
    assert "released" not in part
    other = sweep(GRID[1:2], [4, 2], seed=2, estimators=("density",), **QUICK)
    assert (other["reverse"].to_numpy() != part["reverse"].to_numpy()).all()


def test_a_checkpoint_is_not_computed_again(table, tmp_path, monkeypatch):
    first = sweep(GRID[:2], 3, seed=1, checkpoint=tmp_path / "c", batch=2, **QUICK)
    asked = []

    def counted(setting: Setting, repeats: list[int], *args: object, **how: object) -> pd.DataFrame:
        asked.extend((setting, r) for r in repeats)
        return evaluate(setting, repeats, *args, **how)

    monkeypatch.setattr(sweeps, "evaluate", counted)
    whole = sweep(GRID, 6, seed=1, checkpoint=tmp_path / "c", **QUICK)
    assert len(asked) == len(set(asked)) == 18 - 6
    same(whole, table)
    asked.clear()
    same(sweep(GRID[:2], 3, seed=1, checkpoint=tmp_path / "c", **QUICK), first)
    assert not asked


KILLED = """
import sys
from rbcore.gmm import Setting, sweep
sweep([Setting(L=l) for l in (2, 3, 4)], 40, seed=1, rounds=20, points=50, batch=2, checkpoint=sys.argv[1])
"""


@pytest.mark.slow
def test_a_killed_sweep_goes_on_without_losing_or_repeating_a_row(tmp_path):
    folder = tmp_path / "c"
    command = [sys.executable, "-c", KILLED, str(folder)]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 60
    while len(list(folder.glob("part-*.parquet"))) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the sweep ended before it was killed"
    kept = {file: file.stat().st_mtime_ns for file in folder.glob("part-*.parquet")}
    rows = sum(len(pd.read_parquet(file)) for file in kept)
    assert 0 < rows < 120
    grid, how = [Setting(L=l) for l in (2, 3, 4)], {"seed": 1, "rounds": 20, "points": 50}
    again = sweep(grid, 40, checkpoint=folder, **how)
    assert all(file.stat().st_mtime_ns == written for file, written in kept.items())
    assert sum(len(pd.read_parquet(file)) for file in folder.glob("part-*.parquet")) == 120
    same(again, sweep(grid, 40, **how))


def test_half_a_file_is_not_taken_for_a_batch(table, tmp_path):
    sweep(GRID, 2, seed=1, checkpoint=tmp_path, **QUICK)
    whole = next(tmp_path.glob("part-*.parquet"))
    (tmp_path / f".{whole.name}.123").write_bytes(whole.read_bytes()[:100])
    same(sweep(GRID, 6, seed=1, checkpoint=tmp_path, **QUICK), table)


@pytest.mark.slow
def test_two_dask_workers_give_the_same_rows(table, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path / "dask"
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        found = sweep(GRID, 6, seed=1, batch=2, checkpoint=tmp_path / "c", **QUICK)
    same(found, table)
    same(sweep(GRID, 6, seed=1, checkpoint=tmp_path / "c", **QUICK), table)


FORKED = """
import sys, joblib
sys.path.insert(0, "tests/gmm")
from test_sweeps import GRID, QUICK
from rbcore.gmm import sweep
with joblib.parallel_config(sys.argv[1], n_jobs=2):
    sweep(GRID[:1], 6, seed=1, batch=3, **QUICK).to_pickle(sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_processes_give_the_same_rows(table, backend, tmp_path):
    """The second backend, and Ray's, which is made from it, hand over no result before all are there.

    It forks, and a process that has used torch's or dask's threads must not: so a fresh one does.
    """
    command = [sys.executable, "-c", FORKED, backend, str(tmp_path / "rows")]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    same(pd.read_pickle(tmp_path / "rows"), table.iloc[:6])


def test_panels_vary_one_number_and_share_no_configuration(tmp_path):
    found = panels(1, repeats=2, values=(2, 4), estimators=("released",), rounds=1, checkpoint=tmp_path)
    assert found["panel"].tolist() == ["K"] * 4 + ["J"] * 4 + ["L"] * 4
    for name in "KJL":
        mine = found[found["panel"] == name]
        assert mine[name].tolist() == [2, 2, 4, 4]
        assert (mine[[other for other in "KJL" if other != name]] == 2).all(axis=None)
    assert found["released"].is_unique
    same(panels(1, repeats=2, values=(2, 4), estimators=("released",), rounds=1, checkpoint=tmp_path), found)


def test_other_dimensions_have_densities():
    found = sweep([Setting(d=d, covariance="wishart") for d in (1, 4)], 2, 0, ("density",), points=50)
    assert np.isfinite(found[["forward", "reverse"]]).all(axis=None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": []}, "at least one setting"),
        ({"repeats": 0}, "at least one setting"),
        ({"grid": [Setting(), Setting()]}, "once"),
        ({"repeats": [1, 1]}, "once"),
        ({"estimators": ()}, "estimators are some of"),
        ({"estimators": ("exact",)}, "estimators are some of"),
        ({"grid": [Setting(d=3)]}, "histograms are for d = 2"),
        ({"batch": 0}, "at least 1"),
        ({"rounds": 0, "points": 5}, "at least one round"),
        ({"points": 0}, "at least 1"),
        ({"estimators": "density"}, "in a tuple"),
        ({"grid": Setting()}, "sequence of settings"),
        ({"grid": [{"K": 2}]}, "sequence of settings"),
        ({"repeats": 1.5}, "whole number"),
        ({"repeats": [0.5]}, "whole numbers"),
    ],
)
def test_bad_sweeps_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        sweep(**({"grid": [Setting()], "repeats": 1, "seed": 0, **QUICK} | change))


@pytest.mark.parametrize("change", [{"seed": 2}, {"points": 51}, {"estimators": ("density",)}])
def test_a_checkpoint_of_another_sweep_is_refused(tmp_path, change):
    how = {"seed": 1, "checkpoint": tmp_path, **QUICK}
    sweep(GRID[:1], 1, **how)
    with pytest.raises(ValueError, match=f"other {next(iter(change))}"):
        sweep(GRID[:1], 2, **(how | change))


def test_summaries_are_scipys():
    values = np.random.default_rng(0).standard_cauchy((2, 101))
    table = pd.DataFrame({"K": np.repeat([2, 3], 101), "gap": values.ravel()})
    found = summarize(table, ["K"], ["gap"])
    assert found["K"].tolist() == [2, 3] and found["n"].tolist() == [101, 101]
    for row, x in zip(found.itertuples(), values, strict=True):
        assert row.mean == pytest.approx(x.mean()) and row.median == np.median(x)
        assert row.trimmed == pytest.approx(stats.trim_mean(x, 0.1))
        interval = stats.quantile_test(x, p=0.5).confidence_interval(0.95)
        assert (row.median_low, row.median_high) == (interval.low, interval.high)
        assert stats.ttest_1samp(x, 0).confidence_interval() == pytest.approx((row.mean_low, row.mean_high))


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 100])
def test_intervals_cover(n):
    """The median's in at least 95 of 100 cases, for any law; the trimmed mean's about so, for a symmetric one."""
    x = np.random.default_rng(n).standard_t(2, (2000, n))
    found = summarize(pd.DataFrame({"g": np.repeat(range(2000), n), "x": x.ravel()}), ["g"], ["x"])
    for name, least in (("median", 0.95), ("trimmed", 0.93)):
        covered = (found[f"{name}_low"] <= 0) & (found[f"{name}_high"] >= 0)
        assert covered.mean() > least - 4 * np.sqrt(0.05 / 2000) and covered.mean() < 0.99


def test_too_few_rows_have_no_interval():
    with pytest.raises(ValueError, match="at least two rows"):
        summarize(pd.DataFrame({"K": [2], "gap": [1.0]}), ["K"], ["gap"])
    with pytest.raises(ValueError, match="level"):
        summarize(pd.DataFrame({"K": [2, 2], "gap": [1.0, 2.0]}), ["K"], ["gap"], level=95)
    with pytest.raises(ValueError, match="no column other"):
        summarize(pd.DataFrame({"K": [2, 2], "gap": [1.0, 2.0]}), ["K"], ["other"])
    with pytest.raises(ValueError, match="NaN"):
        summarize(pd.DataFrame({"K": [2, 2], "gap": [1.0, np.nan]}), ["K"], ["gap"])
    few = summarize(pd.DataFrame({"K": [2, 2], "gap": [1.0, 2.0]}), ["K"], ["gap"])
    assert few["median_low"][0] == -np.inf


def test_documentation_shows_each_backend():
    text = Path(sweeps.__file__).read_text()
    assert "register_ray" in text and 'parallel_config("dask")' in text
