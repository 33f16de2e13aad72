"""Bounds by chosen terms: that each is proved, that none is missing, and that none is implied by the others."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from bench_prove import plainly_provable
from scipy.optimize import linprog

from rbcore.information.discover import discover, simplify
from rbcore.information.expr import parse, parse_form
from rbcore.information.problem import ProverError
from rbcore.information.prover import Certificate

CASES = [
    ("H(A,B,C)", ["H(A,B)", "H(B,C)", "H(A,C)"], ()),
    ("I(A;C)", ["I(A;B)", "I(A;B|C)", "H(A|B)"], ()),
    ("I(A;C)", ["I(A;B)", "I(B;C)", "H(C)"], ("A -> B -> C",)),
    ("H(A)", ["H(B)", "H(A|B)", "I(A;B)"], ("H(B) <= 2 H(A)",)),
    ("H(A)", ["H(A,B)", "log|A|"], ()),
]


@pytest.mark.slow
@pytest.mark.parametrize(("term", "terms", "given"), CASES)
def test_no_bound_is_missing_and_none_is_spare(term, terms, given):
    """Against a grid of coefficients, each decided by the plain program or, with constants, by hand."""
    bounds = discover(term, terms, given)
    assert all(isinstance(bound, Certificate) and bound.verify() for bound in bounds)
    corners = []
    for bound in bounds:
        rest, unit = parse(bound.statement).constraints[0].form + parse_form(term), []
        rows = sorted({s for text in terms for s in parse_form(text).coefficients}, key=sorted)
        matrix = [[float(parse_form(text).coefficients.get(s, 0)) for text in terms] for s in rows]
        unit, *_ = np.linalg.lstsq(
            np.array(matrix), [float(rest.coefficients.get(s, 0)) for s in rows], rcond=None
        )
        corners.append(unit)

    def implied(by, c):
        n = len(by)
        found = linprog(np.zeros(n), A_ub=np.array(by).T, b_ub=c + 1e-9, A_eq=np.ones((1, n)), b_eq=[1])
        return n > 0 and found.status == 0

    for i, corner in enumerate(corners):
        others = corners[:i] + corners[i + 1 :]
        assert not others or not implied(others, corner)
    for c in itertools.product(
        [Fraction(0), Fraction(1, 3), Fraction(1, 2), Fraction(1), Fraction(3)], repeat=len(terms)
    ):
        if "log|A|" in terms:
            true = sum(c) >= 1
        else:
            text = " + ".join(f"{k} {t}" for k, t in zip(c, terms, strict=True))
            true = plainly_provable(f"{term} <= {text}", given)
        assert implied(corners, np.array(c, dtype=float)) == true, c


def test_what_nothing_bounds_has_no_bounds():
    assert discover("H(A)", ["I(A;B)", "H(B)"]) == []
    assert [b.statement for b in discover("I(A;B|C)", ["H(A)"], ["H(A) = 0"])] == ["I(A;B|C) <= 0"]


def test_refusals():
    with pytest.raises(ProverError, match="not provably at least 0"):
        discover("H(A)", ["H(A) - H(B)"])
    with pytest.raises(ProverError, match="from 1 to 6"):
        discover("H(A)", [])
    with pytest.raises(ProverError, match="no single inequality"):
        simplify("H(A) = H(B)")
    with pytest.raises(ProverError, match="cannot be proved"):
        simplify("H(A) <= H(B)")


@pytest.mark.parametrize(
    ("statement", "given", "expected"),
    [
        ("I(A;C) <= I(A;B) + 2 I(A;B|C) + H(C|A)", ["A -> B -> C"], "I(A;C) <= I(A;B)"),
        ("I(A;B) <= 3*H(A) + 1/2 H(B)", (), "I(A;B) <= H(A)"),
        ("I(A;B) <= 1/2 H(A) + 7 (H(B) + H(B|C))", (), "I(A;B) <= (H(B) + H(B|C))"),
        ("0.5 I(A;B) <= 0.25 H(A) + 1/2 H(B|C) + 0.75 I(B;C)", (), "0.5 I(A;B) <= 1/2 H(B|C) + 1/2 I(B;C)"),
    ],
)
def test_simplify(statement, given, expected):
    found = simplify(statement, given)
    assert found.statement == expected and found.verify() and found.given == tuple(given)
