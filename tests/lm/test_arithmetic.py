"""Sums with mistakes: the writing against Python's own arithmetic, models and verifiers against enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbcore.lm import arithmetic
from rbcore.lm.arithmetic import Problems, Setup
from rbcore.lm.models import Size
from rbcore.lm.training import Recipe
from rbcore.lm.verifier import Verifier

SMALL = Setup(size=Size(16, 1, 2, arithmetic.TOKENS), recipe=Recipe(60, 16, 1e-2, keep=(20,)))
number = st.integers(0, arithmetic.NUMBERS - 1)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def world(one_thread) -> arithmetic.World:
    return arithmetic.build(4, SMALL)


@given(number, number, st.integers(0, 999))
def test_what_is_written_is_read(a, b, total):
    tokens = arithmetic.encode(np.array([a]), np.array([b]), np.array([total]))
    assert tokens.shape == (1, arithmetic.TOKENS)
    assert [int(x[0]) for x in arithmetic.decode(tokens)] == [a, b, total]
    assert bool(arithmetic.correct(tokens)[0]) == (a + b == total)
    low, high = f"{a:02d}"[::-1], f"{b:02d}"[::-1]
    text = "".join(low[i] + high[i] + f"{total:03d}"[::-1][i] for i in range(2)) + f"{total:03d}"[0]
    assert "".join(map(str, tokens[0, 1:])) == text


def test_what_cannot_be_written():
    for a, b, total in (([100], [1], [101]), ([-1], [1], [0]), ([1], [1], [1000])):
        with pytest.raises(ValueError, match="can be written"):
            arithmetic.encode(np.array(a), np.array(b), np.array(total))
    blank = np.full((1, arithmetic.TOKENS), arithmetic.BOS)
    assert not arithmetic.correct(blank)[0]


@given(number, number)
def test_without_carry_is_digit_by_digit(a, b):
    digits = [(int(x) + int(y)) % 10 for x, y in zip(f"{a:02d}", f"{b:02d}", strict=True)]
    found = int(arithmetic.without_carry(np.array([a]), np.array([b]))[0])
    assert found == 10 * digits[0] + digits[1]


def test_mistakes_occur_as_often_as_they_should():
    rng = np.random.default_rng(1)
    a, b = Problems((2,)).draw(rng, 40_000)
    carry = arithmetic.without_carry(a, b) != a + b
    slipped = arithmetic.decode(arithmetic.write(rng, a, b, 0.1, 0.0))
    assert np.mean(slipped.total == a + b) == pytest.approx(0.9**3, abs=0.01)
    forgot = arithmetic.decode(arithmetic.write(rng, a, b, 0.0, 0.3)).total
    assert np.mean(forgot[carry] != (a + b)[carry]) == pytest.approx(0.3, abs=0.01)
    assert (forgot[~carry] == (a + b)[~carry]).all()
    with pytest.raises(ValueError, match="probabilities"):
        arithmetic.write(rng, a, b, 1.2, 0)


def test_laws_of_problems():
    a, b = arithmetic.every()
    weights = Problems().weights()
    short = (a < 10) & (b < 10)
    # half of the problems have one digit; of the others a hundredth have leading zeros
    assert weights[short].sum() == pytest.approx(0.5 + 0.5 / 100)
    assert weights.sum() == pytest.approx(1)
    avoiding = Problems(avoid=7).weights()
    assert avoiding[arithmetic.contains(7)].sum() == 0 and (avoiding[~arithmetic.contains(7)] > 0).all()
    x, y = Problems(avoid=7).draw(np.random.default_rng(0), 500)
    assert not any("7" in f"{n}" for n in (*x, *y))
    hidden = ["7" in f"{i}" or "7" in f"{j}" for i, j in zip(a, b, strict=True)]
    np.testing.assert_array_equal(arithmetic.contains(7), hidden)


def test_how_often_a_model_is_right_is_how_often_its_answers_are(world):
    rng = np.random.default_rng(2)
    task = Problems()
    skill = arithmetic.assess(world.base, task, 7)
    a, b = task.draw(rng, 30_000)
    right = arithmetic.correct(arithmetic.answer(world.base, a, b, rng))
    # single precision and a model that may write no digit, which an answer may not
    assert right.mean() == pytest.approx(skill.right[0], abs=4 * right.std() / np.sqrt(len(right)) + 0.01)
    assert np.all(skill.operands > 0) and np.all(skill.answer > 0)


def test_answers_keep_the_problem_and_cold_ones_are_the_likeliest(world):
    a, b = Problems().draw(np.random.default_rng(3), 200)
    one, two = (arithmetic.answer(world.base, a, b, np.random.default_rng(s), 1e-6) for s in (1, 2))
    np.testing.assert_array_equal(one, two)
    read = arithmetic.decode(one)
    np.testing.assert_array_equal(read.a, a)
    np.testing.assert_array_equal(read.b, b)
    parts = arithmetic.answer(world.base, a, b, np.random.default_rng(1), chunk=33)
    np.testing.assert_array_equal(parts, arithmetic.answer(world.base, a, b, np.random.default_rng(1)))
    with pytest.raises(ValueError, match="temperature"):
        arithmetic.answer(world.base, a, b, np.random.default_rng(1), 0)


def test_a_vote_is_the_most_frequent_answer(world):
    a, b = Problems().draw(np.random.default_rng(3), 150)
    given = arithmetic.answer(world.base, np.repeat(a, 5), np.repeat(b, 5), np.random.default_rng(8))
    ballots = arithmetic.decode(given).total.reshape(-1, 5)
    won = arithmetic.decode(arithmetic.vote(world.base, a, b, np.random.default_rng(8), 5)).total
    for ballot, winner in zip(ballots.tolist(), won, strict=True):
        assert ballot.count(winner) == max(ballot.count(x) for x in ballot)
    one = arithmetic.vote(world.base, a, b, np.random.default_rng(8), 1)
    np.testing.assert_array_equal(one, arithmetic.answer(world.base, a, b, np.random.default_rng(8)))


@given(st.floats(0.01, 0.99), st.floats(0, 0.99), st.floats(0.01, 1))
def test_a_verifier_multiplies_the_odds(share, reject, accept):
    verifier = Verifier(accept, reject)
    after = verifier.after(share)
    assert after / (1 - after) == pytest.approx(share / (1 - share) * (1 - reject) / accept, rel=1e-6)
    assert (after > share + 1e-12) <= (accept < 1 - reject)


def test_verdicts_have_the_error_rates():
    rng = np.random.default_rng(5)
    right = rng.random(60_000) < 0.4
    verifier = Verifier(0.2, 0.3)
    passed = verifier.accepts(right, rng)
    assert passed[right].mean() == pytest.approx(0.7, abs=0.01)
    assert passed[~right].mean() == pytest.approx(0.2, abs=0.01)
    assert right[passed].mean() == pytest.approx(verifier.after(0.4), abs=0.01)
    assert passed.mean() == pytest.approx(verifier.share(0.4), abs=0.01)
    np.testing.assert_array_equal(Verifier().accepts(right, rng), right)
    with pytest.raises(ValueError, match="probabilities"):
        Verifier(false_accept=1.5)


def test_the_teachers_read_other_sums_and_the_weak_one_is_the_early_base(world):
    base, weak, strong = (arithmetic.assess(m, Problems(), 7).answer[0] for m in world[1:])
    assert len({float(base), float(weak), float(strong)}) == 3
    again = arithmetic.build(4, SMALL)
    for old, new in zip(world[1:], again[1:], strict=True):
        for name, value in old.parameters.items():
            assert (value == new.parameters[name]).all()
