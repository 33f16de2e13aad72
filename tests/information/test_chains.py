"""Proofs as chains: each link is what its reason says, the ends are the statement's sides, no forgery passes."""

import itertools
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statements import BOUND, FLOW, PROVED, TEXTBOOK, THEORY

from rbcore.information.chains import (
    MOST_LINKS,
    MOST_TERMS,
    Chain,
    Link,
    _Sets,
    _terms,
    check_chain,
    check_chains,
)
from rbcore.information.expr import latex, parse, parse_form
from rbcore.information.finite import random_chain, random_joint
from rbcore.information.forms import LinearForm, Quantity
from rbcore.information.problem import SHANNON, Problem, ProverError, Step
from rbcore.information.prover import Certificate, prove

PROVABLE = TEXTBOOK | THEORY


def lines(statement, assumed=()):
    """The chains as printed, without the spaces that align them."""
    chains = prove(statement, assumed).chains
    return [" ".join(line.split()) for chain in itertools.chain(*chains) for line in chain.lines()]


def test_a_chain_reads_as_a_proof():
    assert lines("I(X;W|Y) <= H(X|Z)", ["X -> Y -> Z"]) == [
        "I(X;W|Y)",
        "<= H(X|Y) since H(X|W,Y) >= 0: information is at most entropy",
        "= H(X|Y,Z) by X -> Y -> Z",
        "<= H(X|Z) since I(X;Y|Z) >= 0: conditioning does not raise entropy",
    ]
    assert lines("I(A;B) >= I(A;C)", ["A -> B -> C"]) == [
        "I(A;B)",
        "= I(A;B,C) by A -> B -> C",
        ">= I(A;C) since I(A;B|C) >= 0",
    ]


def test_the_words_of_assumptions():
    assert lines("H(A,B) = H(A) + H(B)", ["I(A;B) = 0"])[1:] == ["= H(A) + H(B) A and B are independent"]
    assert lines("I(A;B|C) = 0", ["H(A|D) = 0", "H(D|C) = 0"])[1:] == ["= 0 D is a function of C, A of D"]
    assert lines("H(A|Z) = H(A)", ["H(Z) = 0"])[1:] == ["= H(A) Z is constant"]
    assert lines("H(A) <= H(C)", ["H(A) <= 2 H(B)", "2 H(B) <= H(C)"])[1] == "<= 2 H(B) by H(A) <= 2 H(B)"
    assert lines("H(A) <= log|A|")[1] == "<= log|A| no entropy exceeds that of equal chances"
    assert lines("H(A,B) = H(A) + H(B|A)")[1] == "= H(A) + H(B|A) identically, in joint entropies"


def test_far_ends_of_a_markov_chain_are_independent_in_one_step():
    assert lines("S -> X -> W", ["S -> P -> X -> G -> W"]) == ["I(S;W|X)", "= 0 by S -> P -> X -> G -> W"]


def test_the_latex_has_a_reason_in_each_line():
    proof = prove("I(S;W) <= I(S;P)", ["S -> P -> W"])
    assert proof.chains_latex() == (
        "\\begin{aligned}\n"
        f"& {latex('I(S;W)')} \\\\\n"
        rf"&\quad \le {latex('I(S;W,P)')} \quad \text{{since }}{latex('I(S;P|W) >= 0')} \\" + "\n"
        rf"&\quad = {latex('I(S;P)')} \quad \text{{by }}{latex('S -> P -> W')}" + "\n"
        "\\end{aligned}"
    )
    assert prove("A -> B -> C", ["H(C|B) = 0"]).chains_latex().count(r"\text{ is a function of }") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("statement", "assumed"), PROVABLE.values(), ids=PROVABLE)
def test_statements_of_textbooks_and_of_the_theory_have_chains(statement, assumed):
    proof = prove(statement, assumed)
    assert check_chains(proof.problem, proof.chains)
    for index, chains in enumerate(proof.chains):
        left, sign, right = proof.problem.statement.relations[index]
        if chains:
            assert (chains[0].start, chains[0].links[-1].text) == (left.text, right.text)
            assert {link.relation for link in chains[0].links} <= {"=", "<=" if sign == "=" else sign}
            most = MOST_TERMS + max(_terms(left.text), _terms(right.text))
            assert all(_terms(link.text) <= most for chain in chains for link in chain.links[:-1])
            assert all(len(chain.links) <= MOST_LINKS for chain in chains)


@pytest.mark.slow
def test_most_statements_of_the_list_have_a_chain():
    whole = [all(prove(statement, assumed).chains) for statement, assumed in PROVABLE.values()]
    assert sum(whole) >= 0.9 * len(whole)


@pytest.mark.slow
def test_chains_of_large_statements_and_of_copies_check():
    for statement, assumed, copies in PROVED:
        proof = prove(statement, assumed, copies=copies)
        assert check_chains(proof.problem, proof.chains), statement


# --- no forgery passes ---------------------------------------------------------------------------------------


def test_tampering_with_a_link_shows():
    """Each link says exactly what it adds, so whatever is changed in one link is noticed."""
    proof = prove(BOUND, FLOW)
    ((chain,),) = proof.chains
    assert check_chain(proof.problem, chain) and len(chain.links) > 5
    for i, link in enumerate(chain.links):
        step = link.step
        forged = [
            link._replace(relation="=" if link.relation == "<=" else "<="),
            link._replace(relation=">="),
            link._replace(text=f"{link.text} + H(W)"),
            link._replace(step=None),
            link._replace(step=step._replace(multiplier=step.multiplier + Fraction(1, 10**9))),
            link._replace(step=step._replace(multiplier=-step.multiplier)),
            link._replace(step=step._replace(reason="H(W) = 0")) if not link.because else None,
            link._replace(because=link.because[1:]) if link.because else None,
            link._replace(because=(*link.because, Step("H(W) >= 0", Fraction(1), SHANNON))),
            *(
                link._replace(because=(*link.because[:j], one._replace(reason="H(W) = 0"), *link.because[j + 1 :]))
                for j, one in enumerate(link.because)
            ),
        ]
        for other in filter(None, forged):
            links = (*chain.links[:i], other, *chain.links[i + 1 :])
            assert not check_chain(proof.problem, replace(chain, links=links)), (link, other)
        assert not check_chain(proof.problem, replace(chain, links=chain.links[:i] + chain.links[i + 1 :]))


def test_a_chain_is_of_its_problem_only():
    proof = prove("I(A;C) <= I(A;B)", ["A -> B -> C"])
    ((chain,),) = proof.chains
    for statement, assumed in (
        ("I(A;C) <= I(A;B)", []),
        ("I(A;C) <= I(A;B)", ["A -> C -> B"]),
        ("I(A;C) >= I(A;B)", ["A -> B -> C"]),
        ("I(A;C) <= I(B;A)", ["A -> B -> C"]),
        ("I(A;C) <= 0.99 I(A;B)", ["A -> B -> C"]),
    ):
        assert not check_chain(Problem.read(statement, assumed), chain)
    assert not check_chain(proof.problem, replace(chain, links=()))


@pytest.mark.parametrize(
    ("start", "link"),
    [
        ("H(A)", Link("<=", "0", Step("-H(A) >= 0", Fraction(1), SHANNON))),
        ("H(A)", Link("=", "0", Step("H(A) = 0", Fraction(-1), SHANNON))),
        ("H(A)", Link("=", "0", Step("H(A) >= 0", Fraction(-1), SHANNON))),
        ("H(A)", Link("<=", "0", Step("H(A) >= 0", Fraction(-1), SHANNON))),
        (
            "H(A)",
            Link("=", "0", Step("H(A) = 0", Fraction(-1), SHANNON), (Step("H(A) >= 0", Fraction(-1), SHANNON),)),
        ),
        ("H(A)", Link("<=", "0")),
    ],
)
def test_no_link_proves_that_an_entropy_vanishes(start, link):
    assert not check_chain(Problem.read("H(A) <= 0"), Chain(start, (link,)))
    assert not check_chain(Problem.read("H(A) = 0"), Chain(start, (link,)))


def test_one_direction_does_not_prove_an_equation():
    proof = prove("H(A) + H(B) = H(A,B)", ["I(A;B) <= H(Z)", "H(Z) <= 0"])
    assert len(proof.chains[0]) == 2 and check_chains(proof.problem, proof.chains)
    for chain in proof.chains[0]:
        assert not check_chains(proof.problem, ((chain,),)) and not check_chains(proof.problem, ((chain, chain),))


def test_chains_are_stored_with_the_certificate():
    proof = prove(BOUND, FLOW)
    stored = json.loads(json.dumps(proof.payload()))
    assert Certificate.from_json(json.dumps(stored)).chains == proof.chains
    older = {key: value for key, value in stored.items() if key != "chains"}
    assert Certificate.from_json(json.dumps(older)).chains == proof.chains
    stored["chains"][0][0]["links"][0][2][1] = "2"
    with pytest.raises(ProverError, match="no chain"):
        Certificate.from_json(json.dumps(stored))


def test_without_a_chain_the_sum_is_printed():
    proof = prove("2 I(C;D) <= I(A;B) + I(A;C,D) + 3 I(C;D|A) + I(C;D|B)", copies=["D' ~ D | A,C"])
    assert proof.chains == ((),) and "because" in str(proof) and proof.chains_latex() == ""


# --- random statements ----------------------------------------------------------------------------------------

SUBSETS = [frozenset(c) for k in (1, 2, 3, 4) for c in itertools.combinations("ABCD", k)]
quantities = st.tuples(*[st.sampled_from([frozenset(), *SUBSETS])] * 3).map(
    lambda s: Quantity(s[0] | s[2], s[1] | s[2], s[2])
)
ASSUMED = st.sampled_from(
    [
        (),
        ("A -> B -> C",),
        ("A -> B -> C -> D",),
        ("H(C|A,B) = 0",),
        ("H(B|A) = 0", "H(C|B) = 0"),
        ("I(A;B) = 0",),
        ("I(A;B|C) = 0", "H(D|A) = 0"),
        ("A -> B -> C", "H(D|C) = 0"),
    ]
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(quantities, st.integers(1, 3)), min_size=1, max_size=4), ASSUMED, st.randoms())
def test_chains_of_random_true_inequalities_check(summed, assumed, random):
    """Of a sum of Shannon quantities and the assumptions, split anyhow between the two sides."""
    total = LinearForm()
    for quantity, k in summed:
        total += k * LinearForm(quantity.form)
    problem = Problem.read("H(A,B,C,D) >= 0", assumed)
    for c in problem.assumptions:
        total += random.choice([0, 1, -2]) * c.form
    assume(total.coefficients)
    left = {s: -k for s, k in total.coefficients.items() if random.random() < 0.5}
    right = total + LinearForm(left)
    sides = [str(LinearForm(left)), str(right)]
    statement = f"{sides[0]} <= {sides[1]}" if random.random() < 0.5 else f"{sides[1]} >= {sides[0]}"
    proof = prove(statement, assumed, search=False)
    assert isinstance(proof, Certificate) and check_chains(proof.problem, proof.chains)
    ends = statement.replace(">=", "<=").split(" <= ")
    for chain in proof.chains[0]:
        assert [chain.start, chain.links[-1].text] == ends


@settings(max_examples=40, deadline=None)
@given(ASSUMED, st.lists(quantities, min_size=5, max_size=5))
def test_what_is_said_to_vanish_does(assumed, several):
    """The steps behind an implied zero are known and sum to minus the quantity, and the prover agrees."""
    problem = Problem.read("H(A,B,C,D) >= 0", assumed)
    sets = _Sets(problem)
    known = {(c.form, c.source) for c in problem.premises}
    for quantity in (q for q in several if q.form):
        u, v, c = map(sets.mask, quantity)
        steps = sets.zero(Quantity(u, v, c))
        text = f"{LinearForm(quantity.form)} = 0"
        assert (steps is not None) <= isinstance(prove(text, assumed, search=False), Certificate)
        total = LinearForm()
        for step in steps or ():
            form = parse(step.inequality).constraints[0].form
            assert step.reason == SHANNON and step.multiplier > 0 or (form, step.reason) in known
            total += step.multiplier * form
        assert steps is None or total == -LinearForm(quantity.form)


@pytest.mark.parametrize("statement", ["I(S;W) <= I(P;G)", "I(S;P|G) <= I(S;P)", "I(S;W) <= I(S;G) <= I(S;P)"])
def test_every_link_holds_on_random_models(statement):
    """An oracle without the prover: what stands before and after each relation, evaluated."""
    chain = ["S -> P -> X -> G -> W"]
    joint = random_chain(np.random.default_rng(0), "S,P,X,G,W", (2, 3, 2, 3, 2), 200)
    for some in itertools.chain(*prove(statement, chain).chains):
        before = some.start
        for link in some.links:
            assert parse(f"{before} {link.relation} {link.text}").holds(joint, 1e-9), link
            before = link.text
    free = random_joint(np.random.default_rng(1), "A,B,C", (2, 2, 2), 200)
    for some in itertools.chain(*prove("2 H(A,B,C) <= H(A,B) + H(B,C) + H(A,C)").chains):
        values = [parse_form(text).value for text in (some.start, *(link.text for link in some.links))]
        sets = {s for text in (some.start, *(k.text for k in some.links)) for s in parse_form(text).coefficients}
        entropies = free.entropies([frozenset(), *sets])
        assert np.all(np.diff([value(entropies) for value in values], axis=0) >= -1e-9)
