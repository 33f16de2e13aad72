"""The prover on the theory: what follows from the framework's assumptions, what does not, and what breaks it."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from rbcore.expr import parse
from rbcore.finite import random_chain, random_joint
from rbcore.prove import Certificate, prove
from rbcore.refute import Unprovable

FACTORS = ["H(hp|e_p) = 0", "H(X|hp,e_M) = 0", "H(G|X,eps) = 0"]
CHAIN = ["S -> P -> X -> G -> W"]
GAIN = "H(X|hp)"  # the information gain
FLOW = f"I(G;W) <= -{GAIN} + I(e_M;W) + I(e_p;W) + H(e_M) + I(eps;W|X)"

TRUE = [
    ("I(A;B) = I(B;A)", []),
    ("I(S;W) <= I(X;G)", CHAIN),
    ("I(A;B,C) = I(A;B) + I(A;C|B)", []),
    ("H(A,B,C) + H(B) <= H(A,B) + H(B,C)", []),
    (f"0 <= {GAIN} <= H(e_M)", FACTORS),
    (FLOW + " + I(e_p;e_M|W)", FACTORS),
    ("I(X;W) = I(e_p;W) + I(e_M;W) + I(e_p;e_M|W) - I(e_p;e_M) - I(e_p,e_M;W|X)", FACTORS),
    ("I(S;W') - I(G;W) = H(S) - H(G) + H(G|W) - H(S|W) + H(S|W) - H(S|W')", []),
    (f"I(S;W') - I(G;W) >= I(S;W') + {GAIN} - H(e_M) - I(e_M;W) - I(e_p;W) - I(eps;W|X) - I(e_p;e_M|W)", FACTORS),
]
FALSE = [
    ("I(S;W) <= 0.99 I(S;P)", CHAIN),
    ("I(S;G) <= I(S;X)", []),
    ("I(A;B|C) <= I(A;B)", []),
    ("I(A;B) <= I(A;B|C)", []),
    (FLOW, FACTORS),
]


@pytest.mark.parametrize(("statement", "given"), TRUE)
def test_what_follows_is_certified(statement, given):
    """A certificate is found, verifies from scratch, survives JSON, and one altered multiplier does not verify."""
    answer = prove(statement, given)
    assert isinstance(answer, Certificate), str(answer)
    assert answer.verify()
    again = Certificate.from_json(answer.to_json())
    assert again == answer
    for number, proof in enumerate(answer.proofs):
        if proof:
            wrong = (proof[0]._replace(multiplier=proof[0].multiplier + Fraction(1, 1000)), *proof[1:])
            proofs = (*answer.proofs[:number], wrong, *answer.proofs[number + 1 :])
            assert not dataclasses.replace(answer, proofs=proofs).verify()


@pytest.mark.parametrize(("statement", "given"), FALSE)
def test_what_is_false_is_broken_by_a_distribution(statement, given):
    """The counterexample satisfies the assumptions, violates the statement, and replays in the finite models."""
    answer = prove(statement, given)
    assert isinstance(answer, Unprovable), str(answer)
    assert answer.verify()
    assert answer.counterexample is not None
    joint = answer.counterexample.joint()
    assert all(parse(assumption).holds(joint, tol=1e-9) for assumption in given)
    assert not parse(statement).holds(joint, tol=1e-6)


def test_synergy_is_the_price_of_one_bit():
    """Without the synergy term the flow bound is broken, and by the sum of two fair bits by a whole bit."""
    answer = prove(FLOW, FACTORS)
    assert answer.counterexample.violation() > 0.1


def test_certified_statements_hold_in_random_models():
    """What is certified for every distribution holds in thousands drawn at random."""
    rng = np.random.default_rng(3)
    chains = random_chain(rng, list("SPXGW"), [3, 3, 3, 3, 3], batch=5000)
    for statement, given in TRUE:
        if given == CHAIN:
            assert parse(statement).holds(chains)
    triples = random_joint(rng, ["A", "B", "C"], [3, 2, 3], batch=5000, concentration=0.3)
    for statement, _ in (pair for pair in TRUE if "A" in pair[0]):
        assert parse(statement).holds(triples)


def test_a_non_shannon_inequality_is_neither_proved_nor_refuted():
    """Zhang and Yeung's inequality holds for all distributions but follows from no Shannon inequalities."""
    zhang_yeung = "2 I(C;D) <= I(A;B) + I(A;C,D) + 3 I(C;D|A) + I(C;D|B)"
    answer = prove(zhang_yeung)
    assert isinstance(answer, Unprovable)
    assert answer.verify()
    assert answer.counterexample is None


def test_nothing_to_prove_is_refused():
    with pytest.raises(ValueError):
        prove("H(A)")
