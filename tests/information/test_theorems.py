"""A theorem brings its proof, dropped assumptions, random models and twin; and nothing false passes for one."""

import html
import json
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statements import THEORY

from rbcore.information import models
from rbcore.information.expr import parse
from rbcore.information.falsify import comparisons, falsify, twins
from rbcore.information.finite import Joint
from rbcore.information.models import random_models
from rbcore.information.problem import Problem, ProverError
from rbcore.information.prover import prove
from rbcore.information.theorems import SOURCES, theorem, verified

BIT = math.log(2)
CHAIN = "S -> P -> X -> G -> W"
PROCESSING = "H(S) >= I(S;P) >= I(S;X) >= I(S;G) >= I(S;W)"


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def processing():
    return theorem(PROCESSING, [CHAIN], np.random.default_rng(1), 2000, "textbook")


def test_compared_sides_are_the_words_of_the_statement():
    def sides(text):
        return [(c.smaller.text, c.larger.text) for c in comparisons(parse(text))]

    assert sides("I(S;W) <= I(S;P)") == [("I(S;W)", "I(S;P)")]
    assert sides("H(A) >= I(A;B) >= I(A;C)") == [("I(A;B)", "H(A)"), ("I(A;C)", "I(A;B)")]
    assert sides("0 <= H(A|B) <= H(A)") == [("H(A|B)", "H(A)")]
    assert sides("A -> B -> C") == sides("H(A|B) = 0") == sides("I(A;B) - H(A) <= 0") == []
    ((twin, _),) = twins("I(S;W) <= I(S;P) + H(S)", factor=Fraction(1, 2))
    assert twin == "I(S;W) <= 1/2 (I(S;P) + H(S))"


@pytest.mark.slow
@pytest.mark.parametrize("name", THEORY)
def test_random_models_satisfy_the_assumptions_and_the_statement(name, rng):
    statement, assumed = THEORY[name]
    found = falsify(statement, assumed, rng, 1000)
    assert found.models == 1000 and found.slack >= -1e-8
    assert parse(statement).slack(found.worst) == pytest.approx(found.slack, abs=1e-12)
    assert all(parse(text).slack(found.worst) >= -2e-9 for text in assumed)


def test_the_tightest_model_has_the_ratio(rng):
    found = falsify("I(S;W) <= I(S;P)", ["S -> P -> W"], rng, 2000)
    (ratio,), (model,) = found.ratios, found.tightest
    assert ratio == pytest.approx(model.I("S", "W") / model.I("S", "P")) and ratio > 0.999
    assert model.I("S", "P") > 0.01


def test_a_false_statement_is_broken_by_random_models(rng):
    for statement, assumed in (
        ("I(S;W) <= 0.9 I(S;P)", ["S -> P -> W"]),
        ("I(S;P) <= I(S;W)", ["S -> P -> W"]),
        ("I(A;B|C) <= I(A;B)", []),
        ("H(A) <= H(B)", ["H(A|B,C) = 0"]),
    ):
        assert falsify(statement, assumed, rng, 2000).slack < -0.01, statement


def test_each_kind_of_assumption_is_drawn_with_room_to_spare(rng):
    """Not only by constants: the variables that an assumption speaks of do vary."""
    for assumed, alive in (
        (["A -> B -> C"], "I(A;C)"),
        (["I(A;B) = 0"], "I(A;B|C)"),
        (["H(C|A,B) = 0"], "I(A;C|B)"),
        (["H(A) <= 1/2 H(B)"], "H(A)"),
        (["e_p,e_M,X,eps -> G -> W", "H(X|e_p,e_M) = 0", "H(G|X,eps) = 0"], "I(eps;W|X)"),
        (["S -> P -> X -> G -> W", "H(P|S) = 0"], "I(S;W)"),
    ):
        names = "A,B,C" if "W" not in alive else ""
        batches = random_models(Problem.read(f"H({names}) >= 0" if names else assumed[0], assumed), rng, 50)
        largest = max(float(np.max(next(batches).evaluate(alive))) for _ in range(80))
        assert largest > 0.1, (assumed, largest)


def test_what_shall_be_independent_mostly_is(rng):
    """Where it holds by construction; the other structures look for independence by chance."""
    problem = Problem.read("H(A,B) >= 0", ["I(A;B) = 0"])
    a, b, both = map(frozenset, ("A", "B", "AB"))
    held = []
    for _ in range(200):
        values = models.random_functions(problem, rng, 20, 3)
        h = models.function_entropies(np.full(8, 1 / 8), values, [a, b, both])
        held.append((h[a] + h[b] - h[both] < 1e-9).all())
    assert np.mean(held) > 0.6


def test_some_models_lie_on_the_boundary(rng):
    ratios = []
    batches = random_models(Problem.read("H(A,B) >= 0", ["H(A) <= 1/2 H(B)"]), rng, 200)
    for _ in range(40):
        joint = next(batches)
        alive = joint.H("B") > 0.01
        ratios += [*(joint.H("A")[alive] / joint.H("B")[alive])]
    assert max(ratios) > 0.49 and max(ratios) <= 0.5 + 1e-6


def test_what_no_model_satisfies_is_named(rng, monkeypatch):
    monkeypatch.setattr(models, "_PATIENCE", 5)
    monkeypatch.setattr(models, "EXACT", -1.0)  # nothing is that exact
    with pytest.raises(ProverError, match=r"no random model satisfies H\(A\|B\) = 0: are they contradictory"):
        falsify("H(A) <= H(B)", ["H(A|B) = 0"], rng, 10)


@pytest.mark.parametrize(("asked", "batch"), [(1, 1), (250, 2), (1000, 10)])
def test_models_have_a_hundred_structures_where_there_are_so_many(rng, monkeypatch, asked, batch):
    sizes = []

    def drawn(problem, rng, size):
        sizes.append(size)
        return random_models(problem, rng, size)

    monkeypatch.setattr("rbcore.information.falsify.random_models", drawn)
    assert falsify("H(A) >= 0", [], rng, asked).models == asked and sizes == [batch]


def test_a_model_is_a_number(rng):
    with pytest.raises(ValueError, match="at least 1"):
        falsify("H(A) >= 0", [], rng, 0)


def test_the_twin_of_a_sharp_statement_is_broken(processing):
    assert [text for text, _ in processing.twins][1] == "I(S;X) <= 99/100 (I(S;P))"
    assert all(one.check() for _, one in processing.twins)
    assert processing.sharp().holds and processing.sharp().value == pytest.approx(0.01 * BIT, rel=1e-3)


def test_the_twin_of_a_loose_statement_survives(rng):
    loose = theorem("I(S;W) <= 2 I(S;P)", ["S -> P -> W"], rng, 100)
    assert not loose.sharp().holds and loose.sharp().value == 0
    assert "no model found that breaks it" in str(loose)


def test_an_equation_has_no_twin(rng):
    """It would fail on any model in which a side is not zero, whatever the equation says."""
    assert twins("I(A;B) = H(A) - H(A|B)") == []
    assert [text for text, _ in twins("I(A;B) <= H(A) = H(A|B) + I(A;B)")] == ["I(A;B) <= 99/100 (H(A))"]


def test_assumptions_are_sorted_into_needed_and_spare(rng):
    flow = theorem("I(S;W) <= I(S;P)", ["S -> P -> W", "H(P|S) = 0"], rng, 200)
    assert flow.needed == ("S -> P -> W",) and [n.assumption for n in flow.needs if not n.needed] == ["H(P|S) = 0"]
    assert flow.assumptions() == "S -> P -> W (needed); H(P|S) = 0 (not needed)"
    assert flow.check().holds and flow.check().kind == "proved"
    assert not flow.each_needed().holds
    assert replace(flow, needs=flow.needs[:1]).each_needed().holds
    shown = str(flow)
    assert "needed: without it, broken by" in shown and "not needed: the proof does without it" in shown


def test_what_has_no_assumptions_or_no_twin_says_so(rng):
    with pytest.raises(ProverError, match="nothing to drop"):
        theorem("H(A) >= I(A;B)", [], rng, 10).each_needed()
    with pytest.raises(ProverError, match="no twin"):
        theorem("H(A|B) >= 0", [], rng, 10).sharp()
    with pytest.raises(ProverError, match="no twin"):
        theorem("H(A,B) = H(A) + H(B|A)", [], rng, 10).sharp()


def test_a_false_statement_is_no_theorem(rng):
    with pytest.raises(ProverError, match=r"(?s)not proved.*is false"):
        theorem("I(S;P) <= I(S;W)", [CHAIN], rng, 10)
    with pytest.raises(ProverError, match="source is one of textbook, paper"):
        theorem("H(A) >= 0", [], rng, 10, source="folklore")
    assert set(SOURCES) == {"textbook", "paper", "formulation", "book"}


def test_a_theorem_that_a_model_breaks_does_not_hold(processing):
    assert processing.check().holds
    for slack, holds in ((-0.9e-8, True), (-1.1e-8, False), (-0.1, False)):  # beyond rounding
        assert replace(processing, falsified=processing.falsified._replace(slack=slack)).check().holds == holds


def test_a_theorem_with_another_proof_does_not_hold(processing):
    other = prove("I(S;X) <= I(S;P)", [CHAIN])
    assert not replace(processing, proof=replace(other, problem=Problem.read(PROCESSING, [CHAIN]))).check().holds


def test_the_payload_is_json_and_verifies(processing):
    payload = json.loads(json.dumps(processing.payload()))
    assert verified(payload)
    assert payload["models"] == 2000 and payload["source"] == "textbook"
    assert payload["needs"][0]["assumption"] == CHAIN and payload["needs"][0]["counterexample"]
    assert [ratio > 0.9 for ratio in payload["ratios"]] == [True] * 4


def test_a_tampered_payload_does_not_verify(processing):
    def tampered(change):
        payload = json.loads(json.dumps(processing.payload()))
        change(payload)
        return verified(payload)

    def coefficient(payload):
        payload["certificate"]["statement"] = PROCESSING.replace(">= I(S;W)", ">= 1.01 I(S;W)")

    def multiplier(payload):
        payload["certificate"]["proofs"][1][0][1] = "2"

    def counterexample(payload):
        payload["needs"][0]["counterexample"]["p"][0] = "1/3"

    def twin(payload):
        payload["twins"][0]["counterexample"]["statement"] = PROCESSING

    assert tampered(lambda payload: None)
    for change in (coefficient, multiplier, counterexample, twin):
        assert not tampered(change), change.__name__


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_chains_are_chains(seed):
    joint: Joint = next(random_models(Problem.read(CHAIN, [CHAIN]), np.random.default_rng(seed), 5))
    assert parse(CHAIN).holds(joint, 1e-9) and joint.batch <= 5


# --- the theorems of the book ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(built_book):
    """What the executed chapters stored: claims and theorems by id."""
    ledger = json.loads((built_book.parent / "source" / "_ledger.json").read_text(encoding="utf8"))
    return {claim["id"]: claim for claim in ledger["claims"]}, ledger["theorems"]


@pytest.mark.book
def test_all_certificates_of_the_book_verify_in_exact_arithmetic(stored):
    claims, theorems = stored
    assert len(theorems) > 20
    for id, payload in theorems.items():
        assert verified(payload), id
        assert payload["certificate"]["statement"] == claims[id]["statement"], id
        assert claims[id]["verdict"] != "fails" and claims[id]["kind"] == "proved", id
    whole = [all(payload["certificate"]["chains"]) for payload in theorems.values()]
    assert sum(whole) >= 0.9 * len(whole)  # most can be read as a chain, too


@pytest.mark.book
def test_every_assumption_of_the_books_theorems_was_dropped(stored):
    for id, payload in stored[1].items():
        assert [need["assumption"] for need in payload["needs"]] == payload["certificate"]["given"], id
        assert all(need["counterexample"] for need in payload["needs"] if need["needed"]), id


@pytest.mark.book
def test_no_random_model_breaks_a_theorem_of_the_book(stored):
    for id, payload in stored[1].items():
        assert payload["slack"] > -1e-8 and payload["models"] >= 1000, id


@pytest.mark.book
def test_the_page_of_theorems_shows_each_of_them(stored, built_book):
    page = html.unescape((built_book / "holds.html").read_text(encoding="utf8")).replace("\u2019", "'")
    claims, theorems = stored
    assert page.count('class="rb-theorem admonition"') == len(theorems)
    for id, payload in theorems.items():
        name = payload["name"] or id.replace("-", " ").capitalize()
        assert name in page, id
