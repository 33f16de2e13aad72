"""The calibration, the table and its verdicts: hand-made tables, broken estimators, the shipped file."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rbcore import estimate
from rbcore.estimate import calibration, information
from rbcore.estimate import table as calibration_table
from rbcore.estimate import worlds as worlds
from rbcore.estimate.base import Estimate
from rbcore.estimate.calibration import Cell, Method, agreement, frame, grid, measure, run
from rbcore.estimate.table import Row, Table, consult, judge, reached

pytestmark = pytest.mark.usefixtures("one_thread")


def wald(rng: np.random.Generator, data: Sequence[Any], wider: float = 1.0, shift: float = 0.0) -> Estimate:
    """The mean of x with a Student interval, in a world where the truth is zero: right by the book."""
    x = data[0][:, 0]
    half = wider * stats.t.isf(0.025, len(x) - 1) * x.std(ddof=1) / math.sqrt(len(x))
    value = float(x.mean()) + shift
    return Estimate("mean", value, (value - half, value + half), len(x), data[0].shape[1])


def a_method(call: Any, kind: str = "two", names: tuple[str, ...] = ("mean",)) -> dict[str, Method]:
    """A calibration of one estimator of the mean of a centred Gaussian."""
    world = worlds.CLOUDS[0]._replace(truths={"mean": lambda n, d, s: 0.0}, strengths=(0.0,))
    return {"mean": Method(names, ("mean",) * len(names), kind, call, [world], ((40, 1), (160, 1)))}


CELLS = [Cell("mean", "cloud", n, 1, 0.0) for n in (40, 160)]


def a_row(**changes: Any) -> Row:
    """A row in which nothing is wrong."""
    fine = Row("ksg", "gaussian", 500, 5, 0.5, "two", 0.5, 0.5, 0.05, 0.4, 0.2, 95, 95, 100)
    return dataclasses.replace(fine, **changes)


def an_estimate(**changes: Any) -> Estimate:
    """An estimate of the size, dimension and value of :func:`a_row`."""
    return dataclasses.replace(Estimate("ksg", 0.5, (0.4, 0.6), 500, 5, "nats"), **changes)


# --- running ----------------------------------------------------------------------------------------------------


def test_the_interval_of_a_mean_covers_and_a_quarter_of_it_does_not() -> None:
    right = run(1, CELLS, 400, methods=a_method(wald))
    narrow = run(1, CELLS, 400, methods=a_method(lambda rng, data: wald(rng, data, wider=0.25)))
    for row, broken in zip(right, narrow, strict=True):
        assert row.interval[0] < 0.95 < row.interval[1]
        expected = 2 * stats.t.cdf(0.25 * stats.t.isf(0.025, row.n - 1), row.n - 1) - 1
        assert broken.interval[0] < expected < broken.interval[1]
        assert (broken.mean, broken.sd) == (row.mean, row.sd)
        assert broken.width == pytest.approx(row.width / 4)
        assert row.sd == pytest.approx(1 / math.sqrt(row.n), rel=0.2)


def test_a_broken_estimator_is_caught_by_the_calibration_and_by_consult() -> None:
    calls = {
        "right": wald,
        "narrow": lambda rng, data: wald(rng, data, wider=0.4),
        "biased": lambda rng, data: wald(rng, data, shift=0.5),
    }
    said = {}
    for name, call in calls.items():
        table = Table(run(3, CELLS, 200, methods=a_method(call)))
        (x,) = worlds.draw_cloud(np.random.default_rng(4), 50, 1, 0.0)
        said[name] = consult(call(None, (x,)), table).warning
    assert said["right"] == ""
    assert "instead of 95% at n=40, d=1" in said["narrow"] and "covers" in said["narrow"]
    assert "instead of 95% at n=40, d=1" in said["biased"]


def test_a_bias_inside_of_a_wide_interval_is_caught_too() -> None:
    row = a_row(mean=0.3, width=2.0, hits=100, own=100)
    assert "is biased at n=500, d=5, near 0.5: reads 0.3 for 0.5" in judge(row).text
    assert judge(dataclasses.replace(row, sd=1.5)) is None  # not clear
    assert judge(dataclasses.replace(row, mean=0.45)) is None  # small


@pytest.mark.slow
def test_same_seed_same_rows_and_a_cell_does_not_depend_on_the_others() -> None:
    cells = grid(["vendi", "nn-entropy"], [(50, 2), (100, 2)])
    rows = run(5, cells, 3)
    assert rows == run(5, reversed(cells), 3) == run(5, cells, 3, jobs=2)
    assert run(5, cells[3:4], 3)[0] in rows
    others = run(6, cells, 3)
    assert all(a.mean != b.mean for a, b in zip(rows, others, strict=True) if a.estimator == "nn-entropy")


def test_more_repeats_begin_with_the_fewer_ones() -> None:
    seen: dict[int, list[float]] = {}
    for repeats in (3, 6):
        values: list[float] = []

        def noted(rng: np.random.Generator, data: Sequence[Any], to: list[float] = values) -> Estimate:
            to.append(float(data[0].sum() + rng.random()))
            return wald(rng, data)

        measure(CELLS[0], 8, repeats, a_method(noted))
        seen[repeats] = values
    assert seen[6][:3] == seen[3] and len(set(seen[6])) == 6


def test_estimators_of_one_quantity_see_the_same_samples_and_other_random_numbers() -> None:
    seen = []

    def noted(rng: np.random.Generator, data: Sequence[Any]) -> Estimate:
        seen.append((float(data[0].sum()), float(rng.random())))
        return wald(rng, data)

    methods = a_method(noted) | {"other": a_method(noted)["mean"]}
    for name in methods:
        measure(CELLS[0]._replace(method=name), 8, 2, methods)
    assert [s for s, _ in seen[:2]] == [s for s, _ in seen[2:]]
    assert len({r for _, r in seen}) == 4


def test_bounds_tests_and_refusals_are_counted_as_what_they_are() -> None:
    bound = a_method(lambda rng, data: dataclasses.replace(wald(rng, data), ci=(0.001, math.inf)), "lower")
    (row,) = measure(CELLS[0], 1, 20, bound)
    assert row.hits == 0 and row.width is None and row.low == pytest.approx(0.001)
    fine = a_method(lambda rng, data: dataclasses.replace(wald(rng, data), ci=(-0.1, math.inf)), "lower")
    assert measure(CELLS[0], 1, 20, fine)[0].hits == 20

    def tested(rng: np.random.Generator, data: Sequence[Any]) -> Estimate:
        return dataclasses.replace(wald(rng, data), p_value=float(rng.random()))

    (row,) = measure(CELLS[0], 1, 400, {"mean": a_method(tested, "test")["mean"]._replace(quantities=(None,))})
    assert row.truth is None and row.interval[0] < 0.05 < row.interval[1]
    assert measure(CELLS[0], 1, 5, a_method(lambda r, d: dataclasses.replace(wald(r, d), value=math.nan))) == []


def test_the_frame_has_clopper_pearson_intervals_bias_and_sharpness() -> None:
    rows = [a_row(), a_row(world="bent", kind="lower", low=0.2, hits=100), a_row(world="chain", truth=None)]
    table = frame(rows)
    exact = stats.binomtest(95, 100).proportion_ci(0.95, "exact")
    assert tuple(table.loc[0, ["coverage_low", "coverage_high"]]) == pytest.approx((exact.low, exact.high))
    assert table.sharpness[1] == pytest.approx(0.4) and table.sharpness.isna()[[0, 2]].all()
    assert table.bias[0] == 0 and table.bias.isna()[2]
    assert calibration.worst(rows, "ksg").loc[500, 5] == 0.95


def test_the_grid_knows_its_methods() -> None:
    assert {cell.method for cell in grid()} == set(calibration.METHODS)
    assert len(set(grid())) == len(grid())
    with pytest.raises(ValueError, match="no method is called 'magic'"):
        grid(["magic"])
    with pytest.raises(ValueError, match="at least two repeats"):
        run(1, [], 1)


# --- the table --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"n": 499}, "n=499 is below the smallest calibrated sample, 500"),
        ({"d": 6}, "d=6 is above the highest calibrated dimension, 5"),
        ({"d": 1}, ""),
        ({"n": 100_000}, ""),
        ({"name": "ouija"}, "was never calibrated"),
    ],
)
def test_consult_at_the_borders_of_the_table(changes: dict[str, Any], said: str) -> None:
    assert consult(an_estimate(**changes), Table((a_row(),))).warning == said


def test_far_above_the_largest_sample_only_a_bias_speaks_against_an_estimate() -> None:
    table = Table((a_row(mean=0.48),))
    assert consult(an_estimate(n=2000), table).trusted
    assert (
        "n=2001 is far above the largest calibrated sample at d=5, 500"
        in consult(an_estimate(n=2001), table).warning
    )


def test_consult_says_what_the_table_saw() -> None:
    table = Table((a_row(hits=41, mean=0.31),))
    found = consult(an_estimate(value=0.3), table)
    assert found.warning == (
        "covers 41% instead of 95% at n=500, d=5, near 0.5 (Gaussians, correlated): reads 0.31 for 0.5 on average"
    )
    assert not found.trusted and found.value == 0.3
    kept = consult(an_estimate(warning="few rows"), table)
    assert kept.warning.startswith("few rows; covers 41%")


@pytest.mark.parametrize(("hits", "trusted"), [(95, True), (85, True), (80, True), (77, False), (50, False)])
def test_coverage_must_be_clearly_too_low(hits: int, trusted: bool) -> None:
    assert stats.binomtest(77, 100).proportion_ci(0.95, "exact").high < calibration_table.TOO_LOW
    assert consult(an_estimate(), Table((a_row(hits=hits),))).trusted == trusted


def test_few_repeats_are_no_clear_evidence() -> None:
    assert consult(an_estimate(), Table((a_row(hits=3, repeats=5),))).trusted


def test_the_cell_is_the_nearest_one_that_is_at_least_as_hard() -> None:
    bad = {"hits": 10}
    table = Table((a_row(), a_row(n=2000, **bad), a_row(d=20, **bad), a_row(n=100, **bad)))
    assert consult(an_estimate(n=900), table).trusted  # the next size is more than twice as large
    assert "n=2000" in consult(an_estimate(n=1000), table).warning
    assert "d=20" in consult(an_estimate(d=6), table).warning
    assert "n=100" in consult(an_estimate(n=240), table).warning
    assert consult(an_estimate(), table).trusted


def test_only_strengths_that_give_such_a_value_are_asked() -> None:
    cell = [a_row(strength=s, truth=s, mean=m) for s, m in [(0.0, 0.0), (0.5, 0.5), (2.0, 1.0), (4.0, 1.2)]]
    assert [r.strength for r in reached(cell, 0.52)] == [0.5]
    assert [r.strength for r in reached(cell, 0.7)] == [pytest.approx(0.5 + 1.5 * 0.4)]  # between two
    wide = [dataclasses.replace(row, sd=0.11) for row in cell]
    assert [r.strength for r in reached(wide, 1.1)] == [2.0, 4.0]
    assert [r.strength for r in reached(cell, 9.0)] == [4.0]
    assert [r.strength for r in reached(cell, -1.0)] == [0.0]
    assert len(reached(cell, math.nan)) == 4
    blind = [dataclasses.replace(row, mean=0.0) for row in cell]
    assert reached(blind, 0.5) == [] and reached(blind, 0.05) == blind


def test_between_two_strengths_the_share_of_hits_is_interpolated() -> None:
    one, two = a_row(mean=0.5, hits=90, repeats=100), a_row(strength=2.0, truth=2.0, mean=1.0, hits=0, repeats=50)
    middle = calibration_table.blend(one, two, 0.6)
    assert (middle.mean, middle.repeats, middle.hits) == (0.6, 50, 36)  # 0.8 times 0.9 of 50
    assert (middle.strength, middle.truth) == (pytest.approx(0.8), pytest.approx(0.8))


def test_a_region_of_values_is_barred_and_the_rest_is_not() -> None:
    rows = (a_row(strength=0.0, truth=0.0, mean=0.0), a_row(), a_row(strength=2.0, truth=2.0, mean=0.9, hits=0))
    said = {v: consult(an_estimate(value=v), Table(rows)).warning for v in (0.1, 0.3, 0.5, 0.7, 0.9, 2.0)}
    assert [v for v, why in said.items() if why] == [0.7, 0.9, 2.0]
    assert "near 1.25" in said[0.7] and "reads 0.7 for 1.25" in said[0.7]
    assert "reads 0.9 for 2" in said[0.9] == said[2.0]


def test_a_lower_bound_that_exceeds_the_truth_is_barred_and_a_loose_one_is_not() -> None:
    loose = a_row(kind="lower", hits=100, low=0.01, mean=0.02)
    found = an_estimate(sided="lower", ci=(0.01, math.inf), value=0.02)
    assert consult(found, Table((loose,))).trusted
    wrong = consult(found, Table((dataclasses.replace(loose, hits=60),)))
    assert "holds in 60% instead of 95%" in wrong.warning


def test_tests_are_held_to_their_level_and_to_their_power() -> None:
    none = a_row(estimator="mmd", strength=0.0, kind="test", truth=None, hits=5)
    weak = dataclasses.replace(none, strength=0.3, hits=12)
    strong = dataclasses.replace(none, strength=0.9, hits=10)  # beyond what counts as moderate
    table = Table((none, weak, strong))
    silent = an_estimate(name="mmd", p_value=0.4)
    assert "finds an effect in only 12% at n=500, d=5, near 0.3" in consult(silent, table).warning
    assert consult(dataclasses.replace(silent, p_value=0.01), table).trusted
    loud = Table((dataclasses.replace(none, hits=40), dataclasses.replace(weak, hits=90)))
    assert "rejects 40% instead of 5% without an effect" in consult(silent, loud).warning


def test_the_worst_objection_is_said() -> None:
    table = Table((a_row(hits=60), a_row(world="chain", hits=20), a_row(world="bent")))
    assert "covers 20%" in consult(an_estimate(), table).warning


def test_a_table_survives_its_file(tmp_path: Path) -> None:
    table = Table((a_row(world="chain", low=None), a_row(mean=1 / 3)), seed=4, repeats=100)
    table.save(tmp_path / "table.json")
    again = Table.load(tmp_path / "table.json")
    assert (again.seed, again.repeats) == (4, 100)
    assert [row.world for row in again.rows] == ["chain", "gaussian"]
    assert again.rows[1] == a_row(mean=0.333333)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "table.json").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.json", "table.json"]


def change(stored: dict[str, Any], name: str, value: object) -> None:
    """Put another value into the first row of a stored table."""
    stored["rows"][0][stored["fields"].index(name)] = value


@pytest.mark.parametrize(
    "damage",
    [
        lambda stored: stored["rows"][0].pop(),
        lambda stored: stored["fields"].reverse(),
        lambda stored: change(stored, "hits", 101),
        lambda stored: change(stored, "mean", math.inf),
        lambda stored: change(stored, "kind", "three"),
        lambda stored: stored.pop("seed"),
        lambda stored: stored["rows"].append(stored["rows"][0]),
    ],
)
def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "table.json"
    Table((a_row(),)).save(path)
    stored = json.loads(path.read_text())
    damage(stored)
    path.write_text(json.dumps(stored))
    with pytest.raises(ValueError, match="not a calibration table .*make calibrate"):
        Table.load(path)


def test_agreement_holds_for_a_second_run_and_fails_for_another_estimator() -> None:
    table = Table(run(1, CELLS, 150, methods=a_method(wald)))
    assert agreement(run(2, CELLS, 50, methods=a_method(wald)), table).holds
    other = run(2, CELLS, 50, methods=a_method(lambda rng, data: wald(rng, data, wider=0.4)))
    assert not agreement(other, table).holds
    moved = [
        dataclasses.replace(row, mean=row.mean + 4 * row.sd) for row in run(2, CELLS, 4, methods=a_method(wald))
    ]
    assert not agreement(moved, table).holds  # so few repeats, and the same hits: the means tell
    with pytest.raises(ValueError, match="the table lacks"):
        agreement([dataclasses.replace(other[0], n=41)], table)


# --- the shipped table, and the estimators that consult it -------------------------------------------------------


@pytest.mark.slow
def test_the_shipped_table_has_every_cell_of_the_grid() -> None:
    table = Table.load()
    assert (table.seed, table.repeats) == (calibration.SEED, calibration.REPEATS)
    assert set(table.by_estimator) == set(calibration.ESTIMATORS)
    cells = {(name, *cell[1:]) for cell in grid() for name in calibration.METHODS[cell.method].names}
    stored = {row.key for row in table.rows}
    assert stored <= cells
    refused = {key for key in cells - stored}
    assert all(name.startswith("gaussian-mi") and d == 64 and n == 100 for name, _, n, d, _ in refused)
    for row in table.rows:
        method = next(m for m in calibration.METHODS.values() if row.estimator in m.names)
        assert row.kind == method.kind
        assert row.repeats <= math.ceil(method.share * calibration.REPEATS)
        if row.estimator.startswith("tv"):
            assert row.low + row.width == pytest.approx(1, abs=1e-5)  # a lower bound of what is at most one
        if row.width is not None:  # each estimate lies in its interval, so their mean lies in the mean one
            assert row.low - 1e-5 <= row.mean <= row.low + row.width + 1e-5, row


def test_the_truth_of_a_cell_of_the_shipped_table_does_not_depend_on_the_number_of_data() -> None:
    """Only distinct n-grams have a truth for each length of text."""
    truths: dict[tuple, set[float | None]] = {}
    for row in Table.load().rows:
        if row.world != "tokens":
            truths.setdefault((row.estimator, row.world, row.d, row.strength), set()).add(row.truth)
    assert len(truths) > 500 and all(len(one) == 1 for one in truths.values())


@pytest.mark.slow
def test_the_shipped_table_is_what_the_code_measures() -> None:
    cells = grid(["vendi", "distinct-1", "overlap"], [(50, 1), (50, 5)]) + grid(["nn-entropy"], [(100, 2)])
    stored = {row.key: row for row in Table.load().rows}
    for row in run(calibration.SEED, cells, calibration.REPEATS):
        known = stored[row.key]
        assert (row.repeats, row.truth) == (known.repeats, pytest.approx(known.truth, rel=1e-5))
        assert row.mean == pytest.approx(known.mean, rel=1e-4, abs=1e-6)
        assert abs(row.hits - known.hits) <= 1  # an end of an interval that touches the truth


def pair(n: int, d: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    return worlds.draw_gaussian(np.random.default_rng(11), n, d, strength)


def test_the_public_estimators_are_the_raw_ones_with_the_tables_word() -> None:
    x, y = pair(500, 1, 0.5)
    found = estimate.ksg(x, y)
    assert found == information.ksg(x, y) and found.trusted
    x, y = pair(500, 5, 2.0)
    found, raw = estimate.ksg(x, y), information.ksg(x, y)
    assert (found.value, found.ci) == (raw.value, raw.ci) and raw.warning in found.warning
    assert "instead of 95% at n=500, d=5" in found.warning


@pytest.mark.slow
def test_every_public_estimator_consults() -> None:
    rng = np.random.default_rng(12)
    x, y = pair(40, 3, 0.5)
    texts = [f"a b {i}" for i in range(40)]
    found = {
        "gaussian_mi": estimate.gaussian_mi(x, y),
        "ksg": estimate.ksg(x, y),
        "hsic": estimate.hsic(x, y, rng, 19),
        "tv_lower": estimate.tv_lower(x, y, rng),
        "kl_ratio": estimate.kl_ratio(x, y, rng),
        "mmd": estimate.mmd(x, y, rng, 19),
        "vendi": estimate.vendi(x, rng=rng, at=20),
        "distinct_n": estimate.distinct_n(texts, 2, rng=rng),
        "nn_entropy": estimate.nn_entropy(x),
    }
    for name, one in found.items():
        assert "below the smallest calibrated sample" in one.warning, name
    overlap = estimate.precision_recall_coverage(x, y, rng=rng)
    assert all("below the smallest" in one.warning for one in overlap)
    assert {*found, "precision_recall_coverage", "infonce", "smile"} == set(estimate.__all__) - {
        "Estimate",
        "share",
    }


def test_trained_critics_consult(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(calibration_table, "shipped", lambda: Table((a_row(),)))
    x, y = pair(100, 1, 0.5)
    for call in (estimate.infonce, estimate.smile):
        assert call(x, y, torch.Generator().manual_seed(1), steps=2).warning.endswith("was never calibrated")


def test_the_plain_gaussian_estimate_is_consulted_as_such() -> None:
    plain = a_row(estimator="gaussian-mi-plain", hits=10)
    table = Table((a_row(estimator="gaussian-mi"), plain))
    found = an_estimate(name="gaussian-mi")
    assert consult(found, table).trusted and not consult(found, table, "gaussian-mi-plain").trusted


# --- the command ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_writes_and_replaces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "t.json"), "--repeats", "2", "--seed", "3"]
    assert calibration.main(["--only", "distinct-1", *out]) == 0
    assert calibration.main(["--only", "vendi", *out]) == 0
    table = Table.load(tmp_path / "t.json")
    assert set(table.by_estimator) == {"distinct-1", "vendi"} and (table.seed, table.repeats) == (3, 2)
    first = (tmp_path / "t.json").read_bytes()
    assert calibration.main(["--only", "vendi", *out]) == 0
    assert (tmp_path / "t.json").read_bytes() == first
    capsys.readouterr()
    assert calibration.main(["--only", "vendi", *out[:-1], "4"]) == 2
    assert "was made with --seed 3 --repeats 2" in capsys.readouterr().err
    assert calibration.main(["--only", "magic", *out]) == 2
    assert (tmp_path / "t.json").read_bytes() == first


def test_an_interrupted_command_leaves_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*args: Any) -> tuple[Row, ...]:
        raise KeyboardInterrupt

    monkeypatch.setattr(calibration, "run", stopped)
    assert calibration.main(["--only", "vendi", "--out", str(tmp_path / "t.json")]) == 130
    assert not list(tmp_path.iterdir())
    assert "stays as it was" in capsys.readouterr().err
