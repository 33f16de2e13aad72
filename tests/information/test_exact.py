"""Arithmetic without rounding, against floating point, products of integers, and the definitions."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from rbcore.information.exact import separate, sign

LOGS = st.dictionaries(st.integers(1, 60), st.integers(-9, 9), max_size=5)


@given(LOGS)
def test_signs_are_those_of_products_of_integers(logs):
    up = math.prod(n**k for n, k in logs.items() if k > 0)
    down = math.prod(n**-k for n, k in logs.items() if k < 0)
    for scale in (Fraction(1), Fraction(2, 7)):
        assert sign({n: k * scale for n, k in logs.items()}) == (up > down) - (up < down)


def test_signs_beyond_floating_point():
    large = 10**40
    assert sign({large + 1: Fraction(1), large: Fraction(-1)}) == 1
    assert sign({large**2 - 1: Fraction(1), large: Fraction(-2)}) == -1
    assert sign({large * 12: Fraction(1), large: Fraction(-1), 144: Fraction(-1, 2)}) == 0
    assert sign({}) == sign({1: Fraction(5)}) == 0


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_multipliers_or_a_separating_point(seed):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 5), rng.integers(1, 8)
    rows = [{j: Fraction(int(k)) for j, k in enumerate(row) if k} for row in rng.integers(-2, 3, (m, n))]
    target = {j: Fraction(int(k)) for j, k in enumerate(rng.integers(-2, 3, n)) if k}
    found, point = separate(rows, target)

    def dot(row):
        return sum(k * point.get(j, 0) for j, k in row.items())

    if found is None:
        assert dot(target) < 0 and all(dot(row) >= 0 for row in rows)
    else:
        assert all(x > 0 for x in found.values())
        for j in range(n):
            assert sum(x * rows[i].get(j, 0) for i, x in found.items()) == target.get(j, 0)
    dense = np.array([[float(row.get(j, 0)) for row in rows] for j in range(n)])
    feasible = linprog(np.zeros(m), A_eq=dense, b_eq=[float(target.get(j, 0)) for j in range(n)]).status == 0
    assert feasible == (found is not None)
