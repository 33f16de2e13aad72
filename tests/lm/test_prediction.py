"""Predictors of the gain: exact ones against brute force, scores against what they must find, and the record."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from rbcore import figures, lm
from rbcore.book.execute import ROOT, parameters_of
from rbcore.lm import prediction, worlds
from rbcore.lm.training import Recipe

SMALL = lm.Setup(
    own=2, open=4, letters=3, length=2, topic=2, base=lm.Size(16, 1, 2), generator=lm.Size(16, 1, 2),
    base_recipe=Recipe(400, 16, 1e-2), generator_recipe=Recipe(60, 16, 1e-2, keep=(20, 40)),
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_chapter_has_a_colour_for_each_set_of_anchors_that_it_may_draw():
    (sets,) = (p for p in parameters_of(ROOT / "notebooks" / "12-prediction.md") if p.name == "anchors")
    assert [sets.value(str(len(figures.PALETTE)))] == [len(figures.PALETTE)]
    with pytest.raises(ValueError, match="out of range"):
        sets.value(str(len(figures.PALETTE) + 1))


@pytest.mark.parametrize(("n", "k"), [(1, 1), (3, 1), (1, 4), (3, 2), (5, 3)])
def test_the_entropy_of_counts_by_enumeration(n, k):
    seen = Counter(tuple(sorted(draws)) for draws in itertools.product(range(k), repeat=n))
    p = np.array(list(seen.values())) / k**n
    assert prediction.counts_entropy(n, k) == pytest.approx(-(p * np.log(p)).sum(), abs=1e-12)


@pytest.fixture(scope="module")
def small(one_thread) -> pd.DataFrame:
    return prediction.measure(3, sources=4, anchors=2, repeats=2, setup=SMALL)


@pytest.mark.slow
def test_a_language_has_a_row_for_each_data_set_and_facts_that_agree(small):
    made, real = (small[small.kind == kind] for kind in ("synthetic", "anchors"))
    assert len(made) == 4 and len(real) == 2
    assert (small.kl <= small.start + 1e-9).all()  # a student may be stopped before it starts
    raw = made[~made.verify.astype(bool)]
    assert (raw.tv_generation == 0).all() and np.allclose(raw.tv_task, raw.tv_direct) and (raw.accepted == 1).all()
    checked = made[made.verify.astype(bool)]
    assert np.allclose(checked.tv_generation, 1 - checked.accepted)
    assert (made.tv_direct <= made.tv_task + made.tv_generation + 1e-9).all()
    assert (made.useful <= made.kept + 1e-9).all() and (made.distinct <= 1).all()


@pytest.mark.slow
def test_every_pair_has_its_gain(small):
    pairs = prediction.gains(small)
    made, real = (small[small.kind == kind] for kind in ("synthetic", "anchors"))
    assert len(pairs) == len(made) * len(real)
    wanted = np.subtract.outer(real.kl.to_numpy(), made.kl.to_numpy()).ravel()
    np.testing.assert_allclose(pairs.gain_of_data, wanted)


def trial(seed: int, language: int) -> pd.DataFrame:
    rng = np.random.default_rng([seed, language])
    gain = rng.normal(size=40)
    columns = {"language": language, "anchors": np.arange(40) % 2, "kl": 0.0, "gain_of_data": gain}
    return pd.DataFrame(columns | {"right": 2 * gain + 1, "wrong": -gain, "noise": rng.normal(size=40)})


def test_scores_tell_a_right_predictor_from_a_wrong_one_from_noise_and_from_a_constant():
    learn, test = (pd.concat([trial(0, i) for i in numbers]) for numbers in (range(4), (5, 6)))
    found = prediction.scores(learn, test)
    mean = found.groupby("predictor")[["rank", "choice", "explained"]].mean()
    np.testing.assert_allclose(mean.loc["right"], [1, 1, 1])
    np.testing.assert_allclose(mean.loc["wrong"], [-1, -1, 1])
    assert mean.loc["noise"].abs().max() < 0.4
    assert mean.loc["all together", "rank"] > 0.99
    assert prediction._rank(pd.DataFrame({"guess": [1, 1, 1], "truth": [1, 2, 3]})) == 0


@pytest.mark.slow
def test_a_record_survives_the_file(small, tmp_path):
    worlds.write(small, tmp_path / "record.json")
    read, made = prediction.read(tmp_path / "record.json")
    assert set(made) == {"date", "versions"} and list(read) == list(small)
    np.testing.assert_allclose(read.kl, small.kl, rtol=1e-3)
    assert list(read.skills) == list(small.skills)
    np.testing.assert_allclose(
        prediction.gains(read).gain_of_data, prediction.gains(small).gain_of_data, atol=2e-3
    )


@pytest.mark.slow
def test_the_record_is_what_this_code_finds(monkeypatch):
    """One language is measured again, with some of its students; a rounding may change a draw, and so a row."""
    whole, few = prediction._stopped, 6

    def first(world, data, *rest, **how):
        models, kl, start = whole(world, data[:few], *rest, **how)
        left = len(data) - few
        return models + models[:1] * left, np.append(kl, [np.nan] * left), start

    monkeypatch.setattr(prediction, "_stopped", first)
    record, _ = prediction.read()
    assert record.language.nunique() >= 16
    assert (record[record.kind == "anchors"].groupby("language").size() == 4).all()
    seed = int(record.language.iloc[-1])
    mine = record[record.language == seed].reset_index(drop=True)
    fresh = prediction.measure(seed)
    assert list(fresh.skills) == list(mine.skills)
    for name, count in (("kl", few), ("distance", len(fresh))):
        both = np.stack([fresh[name], mine[name]])[:, :count]
        assert np.isclose(*both, rtol=1e-3).mean() > 0.8
