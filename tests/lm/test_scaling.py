"""Students by the amount of their data: rows against exact laws, fits and exchange rates against known curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from rbcore import lm
from rbcore.lm import scaling
from rbcore.lm.training import Recipe

SMALL = lm.Setup(
    own=2, open=4, letters=3, length=2, topic=2, base=lm.Size(16, 1, 2), generator=lm.Size(16, 1, 2),
    base_recipe=Recipe(400, 16, 1e-2), generator_recipe=Recipe(120, 16, 1e-2, keep=(60,)),
)  # fmt: skip
N = np.array([16, 32, 64, 128, 256, 512, 4096])

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def small(one_thread) -> pd.DataFrame:
    return scaling.measure(3, sizes=(4, 64), widths=(16,), tasks=(2, 4), setup=SMALL)


@pytest.mark.slow
def test_a_language_has_a_row_for_each_student_and_laws_that_agree(small):
    students = small[small.source.isin(scaling.SOURCES)]
    assert list(students.source) == [source for source in scaling.SOURCES for _ in range(2)]
    assert list(students.n) == [4, 64] * 4 and (students.skills == 2).all()
    real, checked = students[students.source == "real"], students[students.source.str.startswith("verified")]
    assert (real.level == 0).all() and real.excess.isna().all()
    assert (checked.excess > 0).all() and (checked.level > 0).all()
    levels = students.groupby("source")["level"].first()
    assert levels["raw"] > levels["verified"]  # wrong answers have mass
    fewer = scaling.measure(3, (4, 64), (16,), (), skip=[("raw", 4)], setup=SMALL)
    kept = students[(students.source != "raw") | (students.n == 64)]
    pd.testing.assert_frame_equal(fewer, kept.reset_index(drop=True))  # no student depends on its companions
    others = small[small.source == scaling.TASK]
    assert list(zip(others.skills, others.n, strict=True)) == [(2, 64), (2, 256), (4, 64), (4, 128)]
    assert (small.kl > 0).all() and small.steps.max() <= 1000


@pytest.mark.slow
def test_sources_have_the_laws_that_they_name():
    """Verified data is right, raw data is not always; the level is that of the law, by hand."""
    world = lm.build(3, SMALL)
    task, language = world.topics[0], world.language
    data = scaling.sources(world, 4000, np.random.default_rng(1))
    assert list(data) == list(scaling.SOURCES)
    right = {name: language.correct(one.tokens).mean() for name, one in data.items()}
    assert right["real"] == right["verified"] == right["verified, early"] == 1 and right["raw"] < 1
    assert all(set(language.tags(one.tokens)) == set(task) for one in data.values())
    target, support = lm.task_law(language, task), language.support(task)
    for name in ("verified", "verified, early"):
        law = data[name].law
        assert data[name].level == pytest.approx((target * np.log(target / law)).sum())
        seen = [(data[name].tokens == row).all(axis=1).mean() for row in support]
        np.testing.assert_allclose(seen, law, atol=5 * np.sqrt(law.max() / 4000))
    rows = [(data["raw"].tokens == row).all(axis=1).mean() for row in support]
    assert (target * np.log(target / np.maximum(rows, 1e-4))).sum() == pytest.approx(data["raw"].level, abs=0.1)


@settings(max_examples=50)
@given(st.floats(0.4, 2.5), st.floats(0.5, 500), st.floats(-7, 1))
def test_a_fit_finds_a_curve_of_its_form(exponent, factor, log_level):
    curve = np.exp(log_level) + factor * N**-exponent
    found = scaling.fit(N, np.log(curve))
    np.testing.assert_allclose(found.at(N), curve, rtol=0.12)
    if factor * 16**-exponent > 30 * np.exp(log_level) > 900 * factor * 4096**-exponent:  # both ends are seen
        assert float(found.level) == pytest.approx(np.exp(log_level), rel=0.12)
        assert float(found.exponent) == pytest.approx(exponent, abs=0.03 + 0.05 * exponent)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_a_fit_is_as_good_as_that_of_another_algorithm(seed):
    rng = np.random.default_rng(seed)
    curve = rng.uniform(0.01, 1) + rng.uniform(5, 200) * N ** -rng.uniform(0.6, 1.6)
    logs = np.log(curve) + 0.1 * rng.normal(size=len(N))

    def rest(x):
        return np.logaddexp(x[0], x[1] - np.exp(x[2]) * np.log(N)) - logs

    peer = min(least_squares(rest, [start, 3.0, 0.0]).cost * 2 for start in (-4.0, -2.0, 0.0))
    mine = ((np.log(scaling.fit(N, logs).at(N)) - logs) ** 2).sum()
    assert mine <= 1.1 * peer + 0.01


def test_fits_of_many_curves_are_those_of_each():
    logs = np.log(0.1 + np.array([[3.0], [20.0]]) * N**-0.9)
    both, one = scaling.fit(N, logs), scaling.fit(N, logs[1])
    assert both.level.shape == (2,) and both.at([8, 9]).shape == (2, 2)
    assert both.exponent[1] == one.exponent and both.factor[1] == pytest.approx(float(one.factor))
    with pytest.raises(ValueError, match="three amounts"):
        scaling.fit(N[:2], logs[:, :2])


@given(st.floats(0.6, 8), st.floats(0.5, 1.5))
def test_the_exchange_rate_of_a_shifted_curve_is_the_shift(worth, exponent):
    """A source that is `worth` times as poor: its curve at `worth n` is the real one's at n."""
    real, other = -exponent * np.log(N), -exponent * np.log(N / worth)
    found = scaling.exchange(N, real, other)
    inside = (N * worth >= N[0]) & (N * worth <= N[-1])
    np.testing.assert_allclose(found[inside], worth)
    assert np.isinf(found[N * worth > N[-1] * (1 + 1e-9)]).all()
    np.testing.assert_allclose(found[N * worth < N[0]], (N[0] / N)[N * worth < N[0]])


def test_no_amount_is_worth_what_lies_below_the_level():
    real, other = np.log(10 / N), np.log(0.2 + 10 / N)
    found = scaling.exchange(N, np.stack([real, other]), np.stack([other, other]))
    assert np.isfinite(found[0, :2]).all() and np.isinf(found[0, 2:]).all()
    np.testing.assert_allclose(found[1], 1)


@pytest.mark.slow
def test_curves_and_resampled_languages(small):
    table = pd.concat([small, small.assign(language=4, kl=2 * small.kl)])
    logs = scaling.curves(table, 16, "raw")
    assert logs.shape == (2, 2) and list(logs.columns) == [4, 64]
    np.testing.assert_allclose(logs.loc[4] - logs.loc[3], np.log(2))
    means = scaling.resampled(logs, np.array([[0, 0], [0, 1]]))
    np.testing.assert_allclose(means[1] - means[0], np.log(2) / 2)


@pytest.mark.slow
def test_a_record_survives_the_file_and_is_gone_on_with(small, tmp_path, monkeypatch):
    out, asked = tmp_path / "record.json", []

    def measure(seed: int) -> pd.DataFrame:
        asked.append(seed)
        return small.assign(language=seed)

    monkeypatch.setattr(scaling, "measure", measure)
    arguments = ["--first", "5", "--out", str(out), "--worlds"]
    assert scaling.main([*arguments, "2"]) == scaling.main([*arguments, "3"]) == 0
    assert asked == [5, 6, 7]
    read = scaling.read(out)
    assert list(read) == list(small) and list(read.language.unique()) == [5, 6, 7]
    np.testing.assert_allclose(read.kl[: len(small)], small.kl, rtol=1e-3)
    assert scaling.main([*arguments, "1", "--fresh"]) == 0 and asked[-1] == 5


@pytest.mark.slow
def test_the_record_is_what_this_code_finds():
    """Small data of one language is measured again; a draw on the other side of a rounding may change a row."""
    record = scaling.read()
    assert (
        record.language.nunique() >= 8
        and not record.duplicated(["language", "skills", "width", "source", "n"]).any()
    )
    seed = int(record.language.iloc[-1])
    most = scaling.SIZES[-1]  # is drawn, as the record's data is a part of it, and has no student here
    skip = [(source, most) for source in scaling.SOURCES]
    fresh = scaling.measure(seed, (16, most), scaling.WIDTHS[-1:], tasks=(2,), skip=skip)
    keys = ["language", "skills", "width", "source", "n"]
    both = fresh.merge(record, on=keys)
    assert len(both) == len(fresh)
    np.testing.assert_allclose(both.level_x, both.level_y, rtol=1e-3)
    assert np.isclose(both.kl_x, both.kl_y, rtol=1e-3).mean() > 0.8
