"""Recording and claiming: what the ledger takes, what it refuses, how it is shown, and how it is read back."""

import math
from fractions import Fraction

import IPython.core.getipython
import IPython.display
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rbcore import checks
from rbcore.book import ledger
from rbcore.book.ledger import MIME, Claim, LedgerError, Value, claim, collect, fill, record
from rbcore.checks import Check
from rbcore.estimate.base import Estimate
from rbcore.information.expr import ExpressionError

OK, BAD = checks.at_most(0, 1), checks.at_most(1, 0)


@pytest.fixture
def stored(monkeypatch):
    """The payloads that a notebook would hold after the calls of the test."""
    outputs = []
    monkeypatch.setattr(IPython.core.getipython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "display", lambda data, raw: outputs.append(data))
    return outputs


def stored_value(stored, *args, **kwargs) -> Value:
    record("x", *args, **kwargs)
    return Value(**ledger._tupled(stored[-1][MIME]["record"]))


# --- record ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["", "X", "tv_task", "tv task", "-x", "x-", "x--y", "2x", "x.y", "x`", "é", None, 3]
)
def test_a_name_is_lower_case_words_joined_by_hyphens(name):
    with pytest.raises(LedgerError, match="joined by hyphens"):
        record(name, 1)
    with pytest.raises(LedgerError, match="joined by hyphens"):
        claim(name, "So it is.", OK)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (3, 3),
        (0.5, 0.5),
        (True, True),
        ("south", "south"),
        ("2.13.0", "2.13.0"),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("south"), "south"),
        (np.array([[0.5]]), 0.5),
        (torch.tensor(0.5), 0.5),
        (torch.tensor([3]), 3),
        (Fraction(-2, 4), "-1/2"),
    ],
)
def test_scalars_are_stored_as_plain_python(stored, value, plain):
    got = stored_value(stored, value).value
    assert got == plain
    assert type(got) is type(plain)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "not a finite number"),
        (-math.inf, "not a finite number"),
        (np.float64("nan"), "not a finite number"),
        (torch.tensor(math.inf), "not a finite number"),
        (np.arange(3), r"one value at a time, got an array of shape \(3,\)"),
        (np.zeros(0), "one value at a time"),
        (torch.zeros(2, 1), r"one value at a time, got an array of shape \(2, 1\)"),
        ([1], "a number or a word, got list"),
        (None, "a number or a word, got NoneType"),
        (1j, "a number or a word, got complex"),
        ("", "as it was computed"),
        ("0.37", "as it was computed"),
        ("−12,000 %", "as it was computed"),
        ("1e-3", "as it was computed"),
    ],
)
def test_refuses_what_is_no_single_finite_number_or_word(value, message):
    with pytest.raises(LedgerError, match=rf"record\('x'\).*{message}"):
        record("x", value)


@pytest.mark.parametrize(
    ("value", "fmt"),
    [(0.5, "d"), (3, "q"), (Fraction(1, 3), ".3f"), ("south", ".3"), (True, ".3f"), (0.5, ".3f nats")],
)
def test_refuses_a_format_that_does_not_fit(value, fmt):
    with pytest.raises(LedgerError, match="the format"):
        record("x", value, fmt=fmt)


@pytest.mark.parametrize(
    ("value", "given", "message"),
    [
        (0.5, {"ci": (0.6, 0.7)}, "does not hold the value"),
        (0.5, {"ci": (0.7, 0.3)}, "does not hold the value"),
        (0.5, {"ci": (math.nan, 1)}, "does not hold the value"),
        ("south", {"ci": (0, 1)}, "does not hold the value"),
        (0.5, {"ci": (-math.inf, math.inf), "se": 0.1}, "are finite"),
        (0.5, {"se": -0.1}, "not negative"),
        (0.5, {"se": math.nan}, "finite"),
        (checks.mean([0, 1, 2], level=0.99), {}, "95 % CI"),
    ],
)
def test_refuses_an_interval_that_cannot_be_right(value, given, message):
    with pytest.raises(LedgerError, match=message):
        record("x", value, **given)


def test_a_value_is_statistical_exactly_when_it_has_an_error(stored):
    assert stored_value(stored, 0.5).kind == "exact"
    with_se = stored_value(stored, 0.5, se=0.1)
    assert (with_se.kind, with_se.se, with_se.ci) == ("statistical", 0.1, None)
    with_ci = stored_value(stored, 0.5, ci=(0.3, 0.7))
    assert (with_ci.kind, with_ci.ci) == ("statistical", (0.3, 0.7))
    assert with_ci.se == pytest.approx(0.1)  # a quarter of the width
    estimate = checks.mean([0.0, 1.0, 2.0])
    with_mean = stored_value(stored, estimate)
    assert (with_mean.value, with_mean.se, with_mean.ci) == estimate[:3]


# --- how a value is shown ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "fmt", "unit", "text"),
    [
        (0.3744, ".3f", "", "0.374"),
        (0.3744, ".3f", "nats", "0.374\u00a0nats"),
        (0.3744, ".1%", "", "37.4%"),
        (20000, ",d", "", "20,000"),
        (-0.5, ".1f", "", "\u22120.5"),
        (-3, "d", "", "\u22123"),
        (-0.0004, ".3f", "", "0.000"),
        (-0.0004, ".1%", "", "0.0%"),
        (-0.0, "", "", "0.0"),
        (-0.0, ".1e", "", "0.0e+00"),
        (-0.06, ".1f", "", "\u22120.1"),
        (0.00012, ".1e", "", "1.2e\u221204"),
        ("sea-breeze", "", "", "sea-breeze"),
        ("-1/2", "", "", "\u22121/2"),
    ],
)
def test_shows_value_format_and_unit(value, fmt, unit, text):
    assert Value("x", value, fmt, unit).text() == text
    assert Value("x", value, fmt, unit).number() == text.split("\u00a0")[0]


def test_shows_the_interval_in_the_format_of_the_value():
    value = Value("x", 0.0123, ".1%", "", "statistical", 0.01, (-0.004, 0.0286))
    assert value.with_interval() == "1.2% (95\u00a0% CI \u22120.4% to 2.9%)"
    assert Value("x", 0.5).with_interval() == "0.5"


@given(st.floats(-1e300, 1e300), st.sampled_from(["", ".2f", ".3g", ".1%", ".0e"]))
def test_no_negative_zero_is_ever_shown(number, fmt):
    shown = Value("x", number, fmt).number()
    assert "-" not in shown
    assert not shown.startswith("\u2212") or any(c in "123456789" for c in shown.split("e")[0])


def test_fill_replaces_value_roles_and_leaves_the_rest():
    values = {"x": Value("x", 0.5, ".2f", "nats", "statistical", 0.1, (0.4, 0.6))}
    text = "{val}`x`, {num}` x `, {ci}`x`, {val}`y`, {claim}`x` and {doc}`x`."
    assert fill(text, values) == (
        "0.50\u00a0nats, 0.50, 0.50\u00a0nats (95\u00a0% CI 0.40 to 0.60), {val}`y`, {claim}`x` and {doc}`x`."
    )


# --- claim -------------------------------------------------------------------------------------------


def stored_claim(stored, *args, **kwargs) -> Claim:
    claim("x", *args, **kwargs)
    return Claim(**ledger._tupled(stored[-1][MIME]["claim"]))


@pytest.mark.parametrize(
    ("check", "departs", "verdict"),
    [
        (OK, "", "holds"),
        (BAD, "", "fails"),
        (OK, "code: it says otherwise.", "departs"),
        (BAD, "summary: it says otherwise.", "fails"),
    ],
)
def test_the_verdict_is_the_checks_and_a_departure_must_hold_too(stored, check, departs, verdict):
    assert stored_claim(stored, "So  it\nis.", check, departs=departs).verdict == verdict
    assert stored[-1][MIME]["claim"]["sentence"] == "So it is."
    assert ("FAILS" in stored[-1]["text/plain"]) == (verdict == "fails")


@pytest.mark.parametrize("departs", ["it says otherwise.", "paper: it says otherwise.", "code: it says otherwise"])
def test_a_departure_says_from_what_and_in_a_sentence(stored, departs):
    with pytest.raises(LedgerError, match="one of|from code, summary, expected"):
        claim("x", "So it is.", OK, departs=departs)


@pytest.mark.parametrize("check", [True, np.True_, lambda: True, lambda: checks.at_most(0, 1), OK])
def test_takes_checks_truth_values_and_predicates(stored, check):
    kind = None if isinstance(check, Check) or (callable(check) and isinstance(check(), Check)) else "exact"
    got = stored_claim(stored, "So it is.", check, kind=kind)
    assert (got.verdict, got.kind) == ("holds", "exact")


@pytest.mark.parametrize(
    ("check", "given", "message"),
    [
        (True, {}, "needs kind"),
        (True, {"kind": "proved"}, "needs a check that proves"),
        (np.True_, {"kind": "proved"}, "needs a check that proves"),
        (True, {"kind": "approximate"}, "a kind is one of"),
        (True, {"kind": "exact", "tolerance": math.inf}, "not finite"),
        (Check(True, "obvious", ""), {}, "a kind is one of"),
        (OK, {"kind": "proved"}, "cannot be claimed as proved"),
        (OK, {"kind": "statistical"}, "cannot be claimed as statistical"),
        (1, {"kind": "exact"}, "a Check or a truth value, got int"),
        (None, {"kind": "exact"}, "got NoneType"),
        (np.array([True, True]), {"kind": "exact"}, "got ndarray"),
        (Check(True, "exact", "gap", math.nan), {}, "not finite"),
        (Check(True, "statistical", "mean", 0.0, (-math.inf, math.inf)), {}, "not finite"),
        (checks.equal(0, 1, tol=math.inf), {}, "not finite"),
    ],
)
def test_refuses_what_is_no_check_of_its_kind(check, given, message):
    with pytest.raises(LedgerError, match=message):
        claim("x", "So it is.", check, **given)


@pytest.mark.parametrize("sentence", ["", "So it is", "So it is:", "See {claim}`y`."])
def test_a_sentence_ends_as_one_and_holds_no_other_claim(sentence):
    with pytest.raises(LedgerError, match="sentence"):
        claim("x", sentence, OK)


def test_a_statement_is_read_when_it_is_claimed(stored):
    assert stored_claim(stored, "So it is.", OK, statement="H(A) >= 0").statement == "H(A) >= 0"
    with pytest.raises(ExpressionError):
        claim("x", "So it is.", OK, statement="H(A >= 0")


def test_prints_outside_of_a_notebook(capsys):
    record("gap-here", 0.25, fmt=".2f")
    claim("x", "The gap is {val}`gap-here`.", BAD)
    assert capsys.readouterr().out.splitlines() == ["gap-here = 0.25", "✗ FAILS (exact): The gap is 0.25."]


# --- reading an executed notebook --------------------------------------------------------------------


def cell(source: str, *payloads: dict, kind: str = "code") -> dict:
    outputs = [{"output_type": "stream", "text": "noise"}] + [
        {"data": {MIME: p, "text/plain": ""}} for p in payloads
    ]
    return {"cell_type": kind, "source": source} | ({"outputs": outputs} if kind == "code" else {})


def a_claim(id: str = "x", **more) -> dict:
    return {
        "claim": {"id": id, "sentence": "So it is.", "kind": "exact", "verdict": "holds", "tolerance": 0.0} | more
    }


def a_value(name: str = "v", **more) -> dict:
    return {"record": {"name": name, "value": 1} | more}


def notebook(*cells: dict, seconds=(), **parameters) -> dict:
    return {"cells": list(cells), "metadata": {"rbcore": {"seconds": list(seconds), "parameters": parameters}}}


def test_collect_reads_parameters_values_claims_and_costs():
    cells = (
        cell("Text", kind="markdown"),
        cell("setup()"),
        cell("claim('a', s, f()); claim('b', s, g())", a_value(ci=[0, 2], se=0.5), a_claim("a"), a_claim("b")),
        cell("claim('c', s, h)", a_claim("c", ci=[0.0, 1.0])),
        cell("after()", a_value("w", value="south")),
    )
    got = collect(notebook(*cells, seconds=[0, 2, 4, 1, 8], seed=3), "01-x")
    assert got == collect(notebook(*cells, seconds=[0, 2, 4, 1, 8], seed=3), "01-x")  # a pure function
    assert (got.name, got.parameters, got.seconds) == ("01-x", {"seed": 3}, 15)
    assert [(v.name, v.value, v.ci, v.chapter) for v in got.values] == [
        ("v", 1, (0, 2), "01-x"),
        ("w", "south", None, "01-x"),
    ]
    assert [(c.id, c.check, c.seconds) for c in got.claims] == [("a", "f()", 3), ("b", "g()", 3), ("c", "h", 1)]
    assert got.claims[2].ci == (0.0, 1.0)


def test_costs_add_up_to_the_time_until_the_last_claim():
    cells = [
        cell("claim('a', s, f)", a_claim("a")),
        cell("x = 1"),
        cell("claim('b', s, f)", a_claim("b")),
        cell("y"),
    ]
    got = collect(notebook(*cells, seconds=[1, 2, 4, 8]), "01-x")
    assert sum(c.seconds for c in got.claims) == 7


def test_a_notebook_without_our_metadata_has_no_costs():
    assert collect({"cells": [cell("x = 1")]}, "01-x").seconds == 0


@pytest.mark.parametrize(
    "cells",
    [
        [cell("", a_value(), a_value())],
        [cell("", a_value()), cell("", a_value())],
        [cell("claim('x', s, f)", a_claim()), cell("claim('x', s, f)", a_claim())],
    ],
)
def test_a_name_is_stored_once(cells):
    with pytest.raises(LedgerError, match="01-x: '[vx]' is stored twice"):
        collect(notebook(*cells), "01-x")


@pytest.mark.parametrize(
    ("source", "check"),
    [
        ('claim("x", "So it is.", checks.equal(a, b))', "checks.equal(a, b)"),
        (
            "claim('x', 'So it is.', check=checks.equal(a,\n   b, tol=1e-3),\n kind='exact')",
            "checks.equal(a, b, tol=0.001)",
        ),
        ("claim(id='x', sentence='So it is.', check=a < b)", "a < b"),
        ("ledger.claim('x', s, lambda: a  <  b)", "lambda: a < b"),
        ("if True:\n    %matplotlib inline\n    claim('x', s, f)", "f"),
        ("files = !ls\n!ls\nclaim('x', s, f)", "f"),
        ("%%time\nclaim('x', s, f)", "f"),
        ("claim('x', s, (7\n  % 2) == 1)", "7 % 2 == 1"),
        ("y = '''\n% no magic\n'''\nclaim('x', s, f)  # why", "f"),
        ("for name in 'xy':\n    claim(name, s, f(name))", "f(name)"),
        ("for n in 'xy':\n    claim(n, s, f(n))\n    claim(n + n, s, g(n))", "f(n); g(n)"),
        ("claim('y', s, g); claim('x', s, f)", "f"),
    ],
)
def test_the_check_is_the_normalized_source_of_the_predicate(source, check):
    (got,) = collect(notebook(cell(source, a_claim())), "01-x").claims
    assert got.check == check


@pytest.mark.parametrize("source", ["helper()", "claim('y', s, f)", "claim(*everything)"])
def test_a_claim_whose_predicate_cannot_be_read_is_refused(source):
    """Else somebody could weaken it unseen."""
    with pytest.raises(LedgerError, match=r"01-x: the cell of claim 'x' must call claim"):
        collect(notebook(cell(source, a_claim())), "01-x")


def test_source_may_be_a_list_of_lines():
    (got,) = collect(notebook(cell(["x = 1\n", "claim('x', s, f)"], a_claim())), "01-x").claims
    assert got.check == "f"


def test_what_is_recorded_is_what_is_collected(stored):
    record("v", -0.25, ci=(-0.5, 0.0), unit="nats", fmt=".2f")
    mean = checks.positive_mean([1.0, 2.0, 3.0])
    claim("x", "So it is.", mean, statement="H(A) >= 0", departs="expected: it is not.")
    got = collect(notebook(cell("claim('x', s, f)", *(output[MIME] for output in stored))), "01-x")
    assert got.values == (Value("v", -0.25, ".2f", "nats", "statistical", 0.125, (-0.5, 0.0), "01-x"),)
    check = checks.positive_mean([1.0, 2.0, 3.0])
    assert got.claims == (
        Claim("x", "So it is.", "statistical", "fails", check.measure, check.value, check.ci, 0.0, "H(A) >= 0",
              "expected: it is not.", "f", "01-x", cases=3),
    )  # fmt: skip


def test_a_format_that_overflows_is_refused():
    """A percentage of the largest floats is infinite in float64, and would be shown as such."""
    with pytest.raises(LedgerError, match="finite number as infinite"):
        record("huge", 1.5e308, fmt=".1%")


def test_a_numerical_value_has_a_format_and_no_interval(stored):
    record("found", 0.25, fmt=".2f", kind="numerical")
    assert stored[-1][MIME]["record"]["kind"] == "numerical"
    for how in ({}, {"fmt": ".2f", "se": 0.1}, {"fmt": ".2f", "ci": (0.2, 0.3)}):
        with pytest.raises(LedgerError, match="numerical"):
            record("found", 0.25, kind="numerical", **how)
    with pytest.raises(LedgerError, match="numerical"):
        record("found", 3, fmt="d", kind="numerical")


def test_an_estimate_is_no_check(stored):
    estimate = Estimate("ksg", 0.5, (0.4, 0.6), 100)
    with pytest.raises(LedgerError, match="a check is a Check or a truth value, got Estimate"):
        claim("a-b", "It holds.", estimate)
