"""Students of a teacher's labels against a general optimizer, and the identities that they obey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from rbcore.information.finite import PmfError, kl, random_pmf
from rbcore.theory.teacher import divided, matched, tilted

seeds = st.integers(0, 2**32 - 1)


def case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A teacher, a truth and a feature."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(3, 7))
    return random_pmf(rng, k, concentration=2), random_pmf(rng, k, concentration=2), rng.normal(size=k)


def slsqp(loss, feature: np.ndarray, bound: float, equal: bool) -> float:
    """The least loss of a law of the class, by sequential quadratic programming."""
    k = len(feature)
    constraints = [
        {"type": "eq", "fun": lambda s: s.sum() - 1},
        {"type": "eq" if equal else "ineq", "fun": lambda s: bound - s @ feature},
    ]
    found = minimize(loss, np.full(k, 1 / k), bounds=[(1e-9, 1)] * k, constraints=constraints, method="SLSQP",
                     options={"ftol": 1e-14, "maxiter": 500})  # fmt: skip
    return float(found.fun)


@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_students_against_a_general_optimizer(seed, equal):
    teacher, truth, feature = case(seed)
    bound = float(truth @ feature)
    tilt, divide = tilted(teacher, feature, bound, equal), divided(teacher, feature, bound, equal)
    for student in (tilt, divide):
        assert student.min() > 0 and student.sum() == pytest.approx(1, abs=1e-12)
        off = student @ feature - bound
        assert off <= 1e-9 and (not equal or abs(off) < 1e-9)
    best = slsqp(lambda s: float((s * np.log(s / teacher)).sum()), feature, bound, equal)
    assert kl(tilt, teacher) == pytest.approx(best, abs=1e-6)
    best = slsqp(lambda s: float((teacher * np.log(teacher / s)).sum()), feature, bound, equal)
    assert kl(teacher, divide) == pytest.approx(best, abs=1e-6)


@settings(deadline=None)
@given(seeds, st.floats(0.0, 0.9))
def test_what_a_student_gains(seed, slack):
    """Reverse: at least the misfit, and it for a known mean.  Samples: at least -log of the mean ratio, >= 0."""
    teacher, truth, feature = case(seed)
    mean = float(truth @ feature)
    bound = mean + slack * (feature.max() - mean)

    def gain(student):
        return kl(truth, teacher) - kl(truth, student)

    student = tilted(teacher, feature, bound)
    assert gain(student) >= kl(student, teacher) - 1e-9
    student = tilted(teacher, feature, mean, equal=True)
    assert gain(student) == pytest.approx(kl(student, teacher), abs=1e-9)
    for student in (divided(teacher, feature, bound), divided(teacher, feature, mean, equal=True)):
        assert gain(student) >= -np.log(truth @ (teacher / student)) - 1e-9 >= -2e-9


@given(seeds, st.floats(-3, 3))
def test_the_family_matches_the_mean_and_splits_the_divergence(seed, power):
    teacher, _, feature = case(seed)
    member = np.exp(power * feature) / np.exp(power * feature).sum()
    student = matched(teacher, feature)
    assert student @ feature == pytest.approx(teacher @ feature, abs=1e-9)
    assert kl(teacher, member) == pytest.approx(kl(teacher, student) + kl(student, member), abs=1e-8)
    np.testing.assert_allclose(matched(member, feature), member, atol=1e-9)


def test_a_teacher_of_the_class_is_its_own_student():
    teacher, feature = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0])
    for student in (tilted(teacher, feature, 0.7), divided(teacher, feature, 1.5)):
        np.testing.assert_array_equal(student, teacher)


def test_arguments():
    law, feature = np.array([0.5, 0.5]), np.array([0.0, 1.0])
    for make in (tilted, divided):
        with pytest.raises(PmfError, match="all possible"):
            make([1.0, 0.0], feature, 0.5)
        with pytest.raises(ValueError, match="between them"):
            make(law, feature, 1.0)
        with pytest.raises(ValueError, match="between them"):
            make(law, feature, 0.0)
        with pytest.raises(ValueError, match="one number"):
            make(law, [0.0, 1.0, 2.0], 0.5)
