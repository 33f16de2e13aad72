"""Small students against scikit-learn and closed forms; their comparisons against scipy and simulation."""

import numpy as np
import pytest
from scipy import stats
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from rbcore.audit import student as audit_student
from rbcore.audit.student import UNIFORM, Arm, Data, arms, curve, difference, steps, train, welch
from rbcore.estimate.ngram import Ngram


def blobs(rng, n, shift=0.0, labels=("x", "y", "z")):
    """Vectors around a centre of their label."""
    chosen = rng.integers(len(labels), size=n)
    centres = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])[chosen]
    return Data(centres + shift + rng.normal(size=(n, 2)) * [1.0, 0.5], [labels[i] for i in chosen])


def notes(rng, n, sharp=1.0):
    """Texts of nine words from a unigram law, sharpened by a power."""
    law = (1 / np.arange(1, 41)) ** sharp
    ids = rng.choice(40, size=(n, 9), p=law / law.sum())
    return Data([" ".join(f"w{i}" for i in row) for row in ids])


def test_a_gaussian_student_is_the_standardized_ledoit_wolf_density():
    rng = np.random.default_rng(1)
    x, y = (rng.normal(size=(n, 4)) @ np.diag([1, 10, 0.1, 3]) + 5 for n in (60, 50))
    student = train("vectors", Data(x))
    scaler = StandardScaler().fit(x)
    fitted = LedoitWolf(assume_centered=True).fit(scaler.transform(x))
    law = stats.multivariate_normal(np.zeros(4), fitted.covariance_)
    expected = -law.logpdf(scaler.transform(y)) + np.log(scaler.scale_).sum()
    np.testing.assert_allclose(student.losses(Data(y)), expected, rtol=1e-9)
    far = fitted.mahalanobis(scaler.transform(y))
    np.testing.assert_allclose(student.errors(Data(y)), 1 - np.exp(-far / 8), rtol=1e-9)
    weights = rng.integers(0, 3, size=60)
    weighted, repeated = train("vectors", Data(x), weights), train("vectors", Data(np.repeat(x, weights, axis=0)))
    np.testing.assert_allclose(weighted.mean, repeated.mean)
    np.testing.assert_allclose(weighted.scale, repeated.scale)
    assert weighted.losses(Data(y)).mean() == pytest.approx(repeated.losses(Data(y)).mean(), abs=0.05)
    constant = train("vectors", Data(np.column_stack([x[:, 0], np.full(60, 7.0)])))
    assert np.isfinite(constant.losses(Data(y[:, :2]))).all()


def test_a_label_student_is_logistic_regression_mixed_with_the_uniform_law():
    rng = np.random.default_rng(2)
    data, heldout = blobs(rng, 300), blobs(rng, 200)
    weights = rng.uniform(0.5, 2, size=300)
    student = train("labels", data, weights, ["w", "x", "y", "z"])
    scaler = StandardScaler().fit(data.records, sample_weight=weights)
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit(scaler.transform(data.records), data.labels, sample_weight=weights)
    probs = model.predict_proba(scaler.transform(heldout.records))
    given = probs[np.arange(200), [model.classes_.tolist().index(y) for y in heldout.labels]]
    np.testing.assert_allclose(student.losses(heldout), -np.log((1 - UNIFORM) * given + UNIFORM / 4), rtol=1e-9)
    np.testing.assert_array_equal(
        student.errors(heldout), model.predict(scaler.transform(heldout.records)) != heldout.labels
    )
    np.testing.assert_allclose(student.probs(heldout.records).sum(axis=1), 1, rtol=1e-12)
    unseen = Data(heldout.records, ["w"] * 200)
    np.testing.assert_allclose(student.losses(unseen), -np.log(UNIFORM / 4))
    assert student.errors(unseen).all()


def test_a_student_of_one_label_knows_no_other():
    rng = np.random.default_rng(3)
    data = Data(rng.normal(size=(20, 2)), ["x"] * 20)
    weights = np.ones(40)
    weights[20:] = 0
    for student in (
        train("labels", data, None, ["x", "y"]),
        train("labels", data.join(Data(data.records, ["y"] * 20)), weights),
    ):
        np.testing.assert_allclose(student.probs(data.records), [[1 - UNIFORM / 2, UNIFORM / 2]] * 20)


def test_the_arms_have_the_shares_that_they_say():
    rng = np.random.default_rng(4)
    anchor, synth, heldout = notes(rng, 30), notes(rng, 90, 2.0), notes(rng, 50)
    found = arms("texts", anchor, synth, heldout, ratios=(0.5, 0.2))
    assert [(arm.name, arm.ratio) for arm in found] == [
        ("anchors only", 0.0),
        ("20% synthetic", 0.2),
        ("50% synthetic", 0.5),
        ("synthetic only", 1.0),
    ]
    both = [*anchor.records, *synth.records]
    weights = np.array([2.0] * 30 + [2 / 3] * 90)  # equal totals, mean one
    np.testing.assert_allclose(found[2].losses, Ngram.fit(both, weights=weights).losses(heldout.records))
    np.testing.assert_allclose(found[0].losses, Ngram.fit(anchor.records).losses(heldout.records))
    np.testing.assert_allclose(found[3].losses, Ngram.fit(synth.records).losses(heldout.records))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["texts", "labels", "vectors"])
def test_more_data_of_the_same_law_help_and_other_data_do_not(kind):
    rng = np.random.default_rng(5)
    draw = (lambda n, off: notes(rng, n, 1 + off)) if kind == "texts" else (lambda n, off: blobs(rng, n, 2 * off))
    anchor, same, other, heldout = draw(40, 0), draw(2000, 0), draw(2000, 1), draw(1500, 0)
    if kind == "labels":  # labels turned round
        other = Data(other.records, [{"x": "y", "y": "z", "z": "x"}[label] for label in other.labels])
    good, bad = (arms(kind, anchor, synth, heldout) for synth in (same, other))
    assert difference(good[-1], good[0]).ci[1] < 0
    assert difference(bad[-1], bad[0]).ci[0] > 0
    np.testing.assert_array_equal(good[0].losses, bad[0].losses)


def test_intervals_are_those_of_scipy():
    rng = np.random.default_rng(6)
    x, y, z = rng.normal(size=50), rng.normal(size=50) + 1, rng.exponential(size=80)
    found = difference(Arm("a", 0.5, x), Arm("b", 0.0, y), 0.9)
    expected = stats.ttest_rel(x, y).confidence_interval(0.9)
    np.testing.assert_allclose(found.ci, (expected.low, expected.high))
    assert (found.name, found.unit, found.n, found.level) == ("student-loss", "nats", 50, 0.9)
    expected = stats.ttest_ind(x, z, equal_var=False).confidence_interval(0.95)
    np.testing.assert_allclose(welch(x, z).ci, (expected.low, expected.high))
    np.testing.assert_allclose(Arm("a", 0.5, x).risk().ci, stats.ttest_1samp(x, 0).confidence_interval())
    with pytest.raises(ValueError, match="same records"):
        difference(Arm("a", 0.5, x), Arm("b", 0.0, z))


@pytest.mark.parametrize("spread", [(1.0, 0.02, 0.1), (0.1, 0.3, 0.1)])
def test_the_curve_s_interval_covers_records_and_subsets(spread):
    """Losses with effects of the record, of the subset, and of both: which have the mean zero."""
    rng = np.random.default_rng(7)
    hits = []
    for _ in range(1000):
        parts = rng.normal(size=(1, 40)), rng.normal(size=(4, 1)), rng.normal(size=(4, 40))
        low, high = audit_student._two_way(sum(s * part for s, part in zip(spread, parts, strict=True)), 0.95).ci
        hits.append(low <= 0 <= high)
    assert stats.binom.cdf(sum(hits), 1000, 0.95) > 1e-4 and np.mean(hits) < 0.995


def test_a_learning_curve_falls_and_repeats_itself():
    rng = np.random.default_rng(8)
    data, heldout = notes(rng, 800), notes(rng, 500)
    points = curve("texts", data, heldout, [50, 200, 800], np.random.default_rng(1))
    assert [point.size for point in points] == [50, 200, 800]
    risks = [point.risk.value for point in points]
    assert risks[0] > risks[1] > risks[2]
    again = curve("texts", data, heldout, [800, 50, 200], np.random.default_rng(1))
    assert [point.risk for point in again] == [point.risk for point in points]
    whole = Arm("", 0, train("texts", data).losses(heldout)).risk()
    assert points[-1].risk == whole


@pytest.mark.parametrize("kind", ["texts", "labels", "vectors"])
@pytest.mark.parametrize("bounded", [False, True])
def test_the_steps_lead_from_the_training_loss_to_the_risk(kind, bounded):
    rng = np.random.default_rng(9)
    draw = (lambda n, off: notes(rng, n, 1 + off)) if kind == "texts" else (lambda n, off: blobs(rng, n, off))
    data = draw(60, 0.5), draw(700, 0.5), draw(500, 0.5), draw(600, 0)
    for raw in (data[2], None):
        found = steps(kind, data[0], data[1], raw, data[3], bounded)
        names = ["training", "generalization", *(["curation"] if raw else []), "divergence", "task"]
        assert [step.name for step in found] == names
        values = [step.estimate.value for step in found]
        assert sum(values[:-1]) == pytest.approx(values[-1], abs=1e-12)
        assert all(step.role == ("level" if step.name in ("training", "task") else "change") for step in found)
        by_name = {step.name: step.estimate for step in found}
        if not bounded:
            assert by_name["generalization"].ci[0] > 0 and by_name["divergence"].ci[0] > 0
        else:
            assert 0 <= values[0] <= 1 and 0 <= values[-1] <= 1
        if raw:
            wide = by_name["curation"].ci[1] - by_name["curation"].ci[0]
            assert abs(by_name["curation"].value) < wide  # the same law
        assert by_name["training"].ci == (values[0], values[0])


def test_texts_with_labels_are_modelled_with_them():
    rng = np.random.default_rng(10)
    labels = [("x", "y")[i] for i in rng.integers(2, size=300)]
    texts = [" ".join(rng.choice(["a", "b"] if y == "x" else ["b", "c"], size=6)) for y in labels]
    anchor, rest = Data(texts[:100], labels[:100]), Data(texts[100:], labels[100:])
    wrong = Data(rest.records, [("y", "x")[y == "y"] for y in rest.labels])
    right, swapped = (arms("texts", anchor, synth, rest, ratios=())[-1] for synth in (rest, wrong))
    assert difference(swapped, right).ci[0] > 1


def test_bad_arguments_are_refused():
    rng = np.random.default_rng(11)
    data = blobs(rng, 10)
    for arguments, said in (
        (("images", data), "kind"),
        (("vectors", data.take(np.arange(1))), "two records"),
        (("labels", Data(data.records)), "needs a label"),
        (("labels", Data(data.records, ["x"])), "belong together"),
        (("vectors", Data(np.ones(5))), "shape"),
        (("vectors", data, np.zeros(10)), "weights"),
    ):
        with pytest.raises(ValueError, match=said):
            train(*arguments)
    with pytest.raises(ValueError, match="ratios"):
        arms("vectors", data, data, data, ratios=(1.0,))
    with pytest.raises(ValueError, match="sizes"):
        curve("vectors", data, data, [11], rng)
