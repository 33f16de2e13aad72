"""Agreement on made-up chapters: every kind of disagreement is found, named and explained, and nothing else."""

import copy
import json
import math
import os
from dataclasses import replace

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbcore.book.agree import (
    Problem,
    disagreements,
    drift,
    gather,
    pins_for,
    pins_of,
    read_pins,
    report,
    shown_unit,
    tolerance,
    write_pins,
)
from rbcore.book.execute import ROOT
from rbcore.book.ledger import MIME, Chapter, Claim, LedgerError, Value
from rbcore.book.prose import Allowed

EXACT = Value("gap", 0.25, ".2f", "nats", chapter="01-one")
COUNT = Value("runs", 20, ",d", chapter="01-one")
WORD = Value("wind", "south", chapter="01-one")
ESTIMATE = Value("risk", 0.5, ".2f", "", "statistical", 0.01, (0.48, 0.52), "01-one")
HOLDS = Claim("gap-small", "The gap is {val}`gap`.", "exact", "holds", "smallest slack", 0.125, None, 1e-9,
              "H(A) >= 0", "", "checks.at_most(gap, 1)", "01-one", 1.0, "", 8)  # fmt: skip
LIKELY = Claim("risk-up", "The risk went up.", "statistical", "holds", "mean", 0.25, (0.125, 0.375), 0.0,
               check="checks.positive_mean(x)", chapter="01-one", cases=8)  # fmt: skip
CHAPTER = Chapter("01-one", {"seed": 1, "rate": 0.5}, (EXACT, COUNT, WORD, ESTIMATE), (HOLDS, LIKELY))
TEXT = """---
kernelspec: 0.5
---
# One
In {num}`runs` runs the gap is {val}`gap`. The wind
is {val}`wind`. {claim}`gap-small` {statement}`gap-small`

The risk is {ci}`risk`. {claim}`risk-up`
"""
TEXTS = [("notebooks/01-one.md", TEXT)]
PINS = pins_of([CHAPTER])


def chapter(*changed: Value | Claim, drop: str = "", **fields) -> Chapter:
    """The chapter with some entries replaced (or added), one dropped, and other fields."""
    news = {getattr(x, "name", getattr(x, "id", "")): x for x in changed}

    def merged(old, name, sort):
        kept = [news.get(getattr(x, name), x) for x in old if getattr(x, name) != drop]
        return (*kept, *(x for x in changed if isinstance(x, sort) and x not in kept))

    return replace(
        CHAPTER, values=merged(CHAPTER.values, "name", Value), claims=merged(CHAPTER.claims, "id", Claim), **fields
    )


def pins(part: str, name: str, **fields) -> dict:
    """The pins with some fields of one entry changed; a field set to `None` is removed."""
    changed = copy.deepcopy(PINS)
    changed[part].setdefault(name, {}).update(fields)
    changed[part][name] = {k: v for k, v in changed[part][name].items() if v is not None}
    return json.loads(json.dumps(changed))


def problems(chapters, pinned, texts, allowed=()) -> list[Problem]:
    """Both questions at once, drift first."""
    texts = list(texts)
    return [*drift(chapters, pinned, texts), *disagreements(chapters, texts, allowed)]


def found(chapters=(CHAPTER,), pinned=PINS, texts=TEXTS, allowed=()) -> list[tuple[str, str]]:
    return [(p.found_by, p.name) for p in problems(chapters, pinned, texts, allowed)]


def one(*args, **kwargs) -> Problem:
    (problem,) = problems(*args, **kwargs)
    return problem


def test_nothing_is_found_when_all_agrees():
    assert found() == []
    assert found(pinned=json.loads(json.dumps(PINS))) == []
    assert problems([], {"parameters": {}, "values": {}, "claims": {}}, []) == []


# --- values ------------------------------------------------------------------------------------------


SEARCHED = replace(EXACT, kind="numerical")


@pytest.mark.parametrize(
    "entry", [EXACT, ESTIMATE, SEARCHED, replace(EXACT, value=-1e6), replace(EXACT, value=0.0)]
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_value_may_move_by_its_tolerance_and_no_further(entry, sign):
    pinned = pins_of([chapter(entry)])
    for share, drifts in ((0.94, False), (1.06, True)):  # the pin has a digit more than it may move by
        shift = sign * share * tolerance(entry)
        ci = entry.ci and (entry.ci[0] + shift, entry.ci[1] + shift)
        moved = chapter(replace(entry, value=entry.value + shift, ci=ci))
        assert found([moved], pinned) == ([("value", entry.name)] if drifts else [])


@pytest.mark.parametrize(
    "entry",
    [
        replace(ESTIMATE, ci=(0.48, 0.57)),
        replace(ESTIMATE, ci=None),
        replace(COUNT, value=21),
        replace(COUNT, value=20.0),
        replace(WORD, value="north"),
        replace(EXACT, value=math.nan),
        replace(EXACT, ci=(0.2, 0.3)),
    ],
)
def test_ends_types_and_words_are_compared_too(entry):
    assert found([chapter(entry)]) == [("value", entry.name)]


def test_one_is_not_true():
    number, truth = chapter(replace(COUNT, value=1)), chapter(replace(COUNT, value=True))
    assert found([truth], pins_of([number])) == found([number], pins_of([truth])) == [("value", "runs")]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("gap", {"value": 0.2500001}),
        ("gap", {"value": math.nan}),
        ("gap", {"value": "0.25"}),
        ("gap", {"value": None}),
        ("gap", {"fmt": ".3f"}),
        ("gap", {"kind": "statistical"}),
        ("gap", {"kind": "numerical"}),
        ("gap", {"kind": ["exact"]}),
        ("gap", {"se": 0.1}),
        ("gap", {"unit": "bits"}),
        ("gap", {"chapter": "02-two"}),
        ("gap", {"ci": [0.2, 0.3]}),
        ("gap", {"ci": 0.2}),
        ("runs", {"value": 20.0}),
        ("runs", {"value": 21}),
        ("risk", {"ci": [0.4, 0.6]}),
        ("risk", {"ci": [0.48]}),
        ("risk", {"ci": None}),
        ("risk", {"se": 0.0}),
        ("risk", {"se": 0.1}),
        ("risk", {"se": "wide"}),
        ("risk", {"se": None}),
    ],
)
def test_a_tampered_pin_of_a_value_is_found(name, fields):
    assert found(pinned=pins("values", name, **fields)) == [("value", name)]


def test_new_and_vanished_values():
    new = one([chapter(replace(EXACT, name="new"))], PINS, [*TEXTS, ("book/x.md", "It is {val}`new`.")])
    assert (new.found_by, new.name, new.pinned, new.fresh) == ("value", "new", "not pinned", "0.25\u00a0nats")
    assert new.sentence == "It is {val}`new`."
    gone = problems([chapter(drop="wind")], PINS, TEXTS)
    assert [p[:2] for p in gone] == [("value", "wind"), ("role", "wind")]
    assert (gone[0].fresh, gone[1].fresh) == ("not stored", "unknown")
    assert gone[0].where == "01-one"


def test_a_drift_shows_the_sentence_that_quotes_the_value():
    problem = one([chapter(replace(EXACT, value=0.5))], PINS, TEXTS)
    assert problem[:3] == ("value", "gap", "01-one")
    assert problem[3:7] == ("In {num}`runs` runs the gap is {val}`gap`.", "0.25", "0.5", "2.5e-10")
    assert "make pin" in problem.remedy
    slight = one([chapter(replace(EXACT, value=0.25 + 1e-9))], PINS, TEXTS)
    assert (slight.pinned, slight.fresh) == ("0.25", "0.250000001")
    only_claimed = [("x.md", TEXT.replace("{val}`gap`", "large"))]
    assert one([chapter(replace(EXACT, value=0.5))], PINS, only_claimed).sentence == "The gap is {val}`gap`."


# --- claims ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        replace(HOLDS, sentence="The gap is small, {val}`gap`."),
        replace(HOLDS, kind="statistical"),
        replace(HOLDS, check="checks.at_most(gap, 2)"),
        replace(HOLDS, statement="H(A) >= H(A|B)"),
        replace(HOLDS, departs="code: it says otherwise.", verdict="departs"),
        replace(HOLDS, measure="largest difference"),
        replace(HOLDS, cases=20_000),
        replace(HOLDS, value=0.126),
        replace(HOLDS, value=None),
        replace(HOLDS, tolerance=1e-7),  # weakened where its source does not show it
        replace(LIKELY, tolerance=0.1),
        replace(LIKELY, value=0.4),
        replace(LIKELY, ci=(0.125, 0.6)),
        replace(LIKELY, ci=None),
    ],
)
def test_a_changed_claim_is_found(entry):
    assert set(found([chapter(entry)])) - {("measure", entry.id)} == {("claim", entry.id)}


@pytest.mark.parametrize(
    ("fields", "fresh"),
    [
        ({"value": None, "measure": ""}, "a bare truth value"),
        ({"cases": None}, "no number of cases"),
        ({"cases": 0}, "no number of cases"),
    ],
)
def test_a_claim_says_what_it_measured_and_on_how_many_cases(fields, fresh):
    entry = replace(HOLDS, **fields)
    problem = one([chapter(entry)], pins_of([chapter(entry)]), TEXTS)
    assert (problem.found_by, problem.name, problem.fresh) == ("measure", "gap-small", fresh)
    proof = replace(entry, kind="proved")
    assert found([chapter(proof)], pins_of([chapter(proof)])) == []


def test_every_pinned_claim_says_on_how_many_cases_it_was_measured():
    pinned = read_pins(ROOT / "book" / "ledger.json")["claims"]
    assert [name for name, pin in pinned.items() if pin["kind"] != "proved" and not pin.get("cases")] == []


def test_a_literal_in_a_cell_is_a_problem():
    cell = "```{code-cell} ipython3\n%s\n```\n"
    code = 'from rbcore.book.ledger import record\nrecord("gap", 0.25)'
    problem = one([CHAPTER], PINS, [(TEXTS[0][0], TEXT + cell % "seed = 1" + cell % code)])
    assert (problem.found_by, problem.name, problem.fresh) == ("literal", "gap", "typed")
    assert problem.where == f"notebooks/01-one.md:{TEXT.count(chr(10)) + 6}" and "0.25" in problem.sentence


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("gap-small", {"sentence": "Another."}),
        ("gap-small", {"verdict": "departs"}),
        ("gap-small", {"check": None}),
        ("gap-small", {"kind": "proved"}),
        ("gap-small", {"value": 0.126}),
        ("gap-small", {"value": math.nan}),
        ("gap-small", {"cases": 3}),
        ("gap-small", {"tolerance": 0.5}),
        ("gap-small", {"tolerance": None}),
        ("risk-up", {"tolerance": 1.0}),
        ("gap-small", {"kind": "vague"}),
        ("risk-up", {"ci": [0.1, 0.9]}),
        ("risk-up", {"chapter": "02-two"}),
    ],
)
def test_a_tampered_pin_of_a_claim_is_found(name, fields):
    assert found(pinned=pins("claims", name, **fields)) == [("claim", name)]


@pytest.mark.parametrize(
    ("entry", "limit"),
    [
        (HOLDS, 1.25e-7),
        (replace(HOLDS, kind="numerical"), 0.0125),
        (LIKELY, 0.03125),
        (replace(HOLDS, value=1e-16), 1e-9),
    ],
)
def test_what_a_claim_measures_may_move_by_its_tolerance(entry, limit):
    pinned = pins_of([chapter(entry)])
    for share, drifts in ((0.9, False), (1.1, True)):
        moved = replace(entry, value=entry.value + share * limit)
        assert found([chapter(moved)], pinned) == ([("claim", entry.id)] if drifts else [])


@pytest.mark.parametrize(("margin", "fine"), [(-math.log(2), True), (-0.75, False), (0.69, False)])
def test_a_negative_margin_is_pinned_like_a_positive_one(margin, fine):
    claims = [
        Claim("a-b", "It holds.", "numerical", "holds", "excess", 2.0, tolerance=t) for t in (-math.log(2), margin)
    ]
    first, again = (Chapter("01-a", {}, (), (claim,), 1.0) for claim in claims)
    assert bool(drift([again], pins_of([first]))) != fine


def test_a_margin_is_no_licence_to_drift():
    """A claim `more than a half above` pins what it measured, and not half a unit around it."""
    assert tolerance(replace(HOLDS, value=0.75, tolerance=0.5)) == 1e-6
    assert tolerance(replace(HOLDS, value=0.75, tolerance=0.5, kind="numerical")) == pytest.approx(0.075)


@pytest.mark.parametrize(
    ("value", "fmt", "unit"),
    [
        (0.374, ".3f", 1e-3), (37.4, ".0f", 1.0), (0.374, ".1%", 1e-3), (0.374, ".0%", 1e-2),
        (1234.5, ",.1f", 0.1),
        (374.0, ".2e", 1.0), (374.0, ".2g", 10.0), (0.00374, ".2g", 1e-4), (-374.0, "", 1e-3), (0.0, ".2g", 0.1),
        (374.0, "+.2f", 1e-2), (2.0, "times", 0.1), (0.2, "fraction", 0.01),
    ],
)  # fmt: skip
def test_a_unit_of_the_last_digit_shown(value, fmt, unit):
    assert shown_unit(value, fmt) == pytest.approx(unit)


def test_a_failing_claim_is_a_problem_even_when_it_is_pinned():
    entry = replace(HOLDS, verdict="fails", value=-0.5)
    problem = one([chapter(entry)], pins_of([chapter(entry)]), TEXTS)
    assert (problem.found_by, problem.name, problem.sentence) == ("claim", "gap-small", "The gap is {val}`gap`.")
    assert problem.fresh == "fails (smallest slack -0.5)"
    assert "checks.at_most(gap, 1)" in problem.remedy
    unmeasured = chapter(replace(entry, value=None))
    assert one([unmeasured], pins_of([unmeasured]), TEXTS).fresh == "fails (no number)"


def test_new_and_vanished_claims():
    new = replace(HOLDS, id="new")
    texts = [*TEXTS, ("book/x.md", "{claim}`new`")]
    assert found([chapter(new)], texts=texts) == [("claim", "new")]
    assert found([chapter(replace(new, verdict="fails"))], texts=texts) == [("claim", "new"), ("claim", "new")]
    assert [p.found_by for p in disagreements([chapter(new)], texts)] == [], "what is not pinned is no mistake"
    gone = problems([chapter(drop="risk-up")], PINS, TEXTS)
    assert [(p.found_by, p.name, p.sentence) for p in gone] == [
        ("claim", "risk-up", "The risk went up."),
        ("role", "risk-up", "{claim}`risk-up`"),
    ]


# --- parameters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"seed": 1, "rate": 0.5}, []),
        ({"seed": 2, "rate": 0.5}, ["seed"]),
        ({"seed": 1.0, "rate": 0.5}, ["seed"]),
        ({"seed": True, "rate": 0.5}, ["seed"]),
        ({"rate": 0.5}, ["seed"]),
        ({"seed": 1, "rate": 0.5, "n": None}, ["n"]),
    ],
)
def test_parameters_are_those_of_the_pins(parameters, names):
    assert found([replace(CHAPTER, parameters=parameters)]) == [("parameter", name) for name in names]


def test_a_new_chapter_is_one_row_and_not_one_for_each_parameter():
    new = Chapter("02-two", {"seed": 1, "n": 5}, (), ())
    rows = [p for p in drift([CHAPTER, new], PINS) if p.found_by == "parameter"]
    assert [(p.where, p.sentence) for p in rows] == [("02-two", "(a new chapter)")]


def test_a_vanished_chapter_misses_its_parameters_values_and_claims():
    assert found([], texts=[]) == [
        *[("parameter", name) for name in ("rate", "seed")],
        *[("value", name) for name in ("gap", "risk", "runs", "wind")],
        *[("claim", name) for name in ("gap-small", "risk-up")],
    ]


# --- roles, unused results, prose --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "line", "remedy"),
    [
        ("One.\nIt is {val}`gpa`.", "gpa", 2, "did you mean 'gap'?"),
        ("It is {num}`zzz`.", "zzz", 1, "no notebook stores 'zzz'"),
        ("It is {val}`gap-small`.", "gap-small", 1, "no notebook stores 'gap-small'"),
        ("{claim}`gap-smal`", "gap-smal", 1, "did you mean 'gap-small'?"),
        ("{claim}`gap`", "gap", 1, "no notebook stores 'gap'"),
        ("{statement}`risk-up`", "risk-up", 1, "give the claim a statement"),
    ],
)
def test_a_role_that_leads_nowhere(text, name, line, remedy):
    problem = one([CHAPTER], PINS, [*TEXTS, ("book/x.md", text)])
    assert (problem.found_by, problem.name, problem.where) == ("role", name, f"book/x.md:{line}")
    assert problem.sentence == text.split("\n")[-1]
    assert remedy in problem.remedy


def test_a_role_in_the_sentence_of_a_claim_counts():
    entry = replace(LIKELY, sentence="The risk is {val}`rosk`.")
    problem = one([chapter(entry)], pins_of([chapter(entry)]), TEXTS)
    assert (problem.found_by, problem.where) == ("role", "notebooks/01-one.md")
    without = [("x.md", TEXT.replace("is {val}`gap`", "is there"))]
    assert found(texts=without) == []  # the sentence of gap-small quotes it


@pytest.mark.parametrize(
    ("quoted", "name"), [("{ci}`risk`", "risk"), ("{claim}`risk-up`", "risk-up"), ("{val}`wind`", "wind")]
)
def test_what_nobody_quotes_is_unused(quoted, name):
    problem = one([CHAPTER], PINS, [("x.md", TEXT.replace(quoted, "there"))])
    assert (problem.found_by, problem.name, problem.where) == ("unused", name, "01-one")
    only_taught = [("x.md", TEXT.replace(quoted, "there")), ("book/slides/01.md", quoted)]
    assert one([CHAPTER], PINS, only_taught).found_by == "unused"


def test_numbers_typed_into_pages_and_claims_and_departures():
    typed = one([CHAPTER], PINS, [*TEXTS, ("book/x.md", "One.\n\nIt is 0.25 today. Or not.")])
    assert (typed.found_by, typed.name, typed.where) == ("prose", "0.25", "book/x.md:3")
    assert typed.sentence == "It is 0.25 today."
    for entry in (replace(LIKELY, sentence="It is 5 %."), replace(LIKELY, departs="it has 5 %")):
        problem = one([chapter(entry)], pins_of([chapter(entry)]), TEXTS)
        assert (problem.found_by, problem.name, problem.where) == ("prose", "5 %", "notebooks/01-one.md (a claim)")


def test_numbers_in_words_typed_into_pages_and_not_those_of_claims():
    typed = one([CHAPTER], PINS, [*TEXTS, ("book/x.md", "It holds in three quarters of the worlds.")])
    assert (typed.found_by, typed.name, typed.where) == ("prose", "three quarters", "book/x.md:1")
    entry = replace(LIKELY, sentence="It is twice as large in 12 worlds.")
    assert found([chapter(entry)], pins_of([chapter(entry)])) == []


def test_the_allow_list_holds_what_is_needed_and_no_more():
    texts = [*TEXTS, ("book/x.md", "Python 3.11 runs it.")]
    needed, spare = Allowed("*", "Python 3.11", "a version"), Allowed("*", "CC BY 4.0", "a licence")
    assert found(texts=texts) == [("prose", "3.11")]
    assert found(texts=texts, allowed=[needed]) == []
    problem = one([CHAPTER], PINS, texts, [needed, spare])
    assert (problem.found_by, problem.name, problem.where) == ("prose", "CC BY 4.0", "book/prose-allow.yml")


# --- the report --------------------------------------------------------------------------------------


def test_the_report_shows_what_where_and_what_to_do():
    text = report(problems([chapter(replace(EXACT, value=0.5))], PINS, TEXTS))
    words = " ".join(text.split())
    for part in ("found by", "value", "gap", "01-one", "0.25", "0.5", "2.5e-10", "-> if the new result is right"):
        assert part in words
    columns = [line[65:109].strip() for line in text.splitlines()]
    assert "In {num}`runs` runs the gap is {val}`gap`." in " ".join(filter(None, columns))
    assert text.endswith("else fix what changed it\n1 problem")
    assert max(map(len, text.splitlines())) <= 173


@given(st.lists(st.builds(Problem, st.just("value"), *[st.text(max_size=200)] * 7), max_size=4))
def test_the_report_can_show_anything(found):
    text = report(found)
    assert text.endswith(f"{len(found)} problem{'' if len(found) == 1 else 's'}")


# --- pins --------------------------------------------------------------------------------------------


def test_pins_survive_the_file(tmp_path):
    path = tmp_path / "ledger.json"
    write_pins(path, [CHAPTER])
    assert problems([CHAPTER], read_pins(path), TEXTS) == []
    first = path.read_bytes()
    write_pins(path, [CHAPTER])
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["ledger.json"]


def test_no_pins_yet_means_that_nothing_is_pinned(tmp_path):
    pinned = read_pins(tmp_path / "ledger.json")
    assert {found_by for found_by, _ in found(pinned=pinned)} == {"parameter", "value", "claim"}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"values": {}, "claims": {}}', '{"parameters": {}, "values": [], "claims": {}}',
     '{"parameters": {}, "values": {"gap": 0.25}, "claims": {}}'],
)  # fmt: skip
def test_damaged_pins_say_so(tmp_path, text):
    (tmp_path / "ledger.json").write_text(text)
    with pytest.raises(LedgerError, match=r"ledger\.json.*make pin"):
        read_pins(tmp_path / "ledger.json")


def test_pins_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "ledger.json"
    write_pins(path, [CHAPTER])
    before = path.read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_pins(path, [chapter(replace(EXACT, value=0.5))])
    assert path.read_bytes() == before


def test_only_what_moved_or_was_reworded_gets_a_new_line(tmp_path):
    """A run on another machine, which differs by less than the pins allow, leaves the file as it is."""
    path = tmp_path / "ledger.json"
    write_pins(path, [CHAPTER])
    before = path.read_text()
    near = (replace(EXACT, value=0.25 + 2e-10), replace(ESTIMATE, value=0.504, ci=(0.484, 0.524), se=0.0107))
    near += (replace(HOLDS, value=0.125 + 1e-9), replace(LIKELY, value=0.26))
    write_pins(path, [chapter(*near)])
    assert path.read_text() == before
    write_pins(path, [chapter(replace(EXACT, value=0.26), replace(LIKELY, sentence="The risk rose."))])
    changed = [(a, b) for a, b in zip(before.split("\n"), path.read_text().split("\n"), strict=True) if a != b]
    assert len(changed) == 2
    assert "0.26" in changed[0][1] + changed[1][1]


def test_numbers_are_written_with_the_digits_that_count(tmp_path):
    long = (replace(EXACT, value=1 / 3), replace(ESTIMATE, value=1 / 3, ci=(0.2, 2 / 3), se=1 / 30))
    long += (replace(LIKELY, value=1 / 3, ci=(0.1, 2 / 3)), replace(SEARCHED, name="found", value=1 / 3))
    pinned = pins_of([chapter(*long)])
    assert pinned["values"]["gap"]["value"] == 0.33333333333
    assert pinned["values"]["found"]["value"] == 0.333
    assert pinned["values"]["risk"] == {
        "value": 0.333, "ci": [0.2, 0.667], "se": 0.033, "fmt": ".2f", "kind": "statistical", "chapter": "01-one"
    }  # fmt: skip
    assert pinned["claims"]["risk-up"]["ci"] == [0.1, 0.667]


def test_pins_of_some_chapters():
    other = replace(CHAPTER, name="02-two", values=(replace(EXACT, name="other", chapter="02-two"),), claims=())
    both = pins_of([CHAPTER, other])
    assert pins_for(both, ["01-one"]) == PINS
    assert drift([other], pins_for(both, ["02-two"])) == []


def test_pins_of_one_chapter_may_be_written_and_the_others_stay(tmp_path):
    path, other = tmp_path / "ledger.json", replace(CHAPTER, name="02-two", values=(), claims=())
    other = replace(other, values=(replace(EXACT, name="other", chapter="02-two"),))
    write_pins(path, [CHAPTER, other])
    changed = replace(other, values=(replace(EXACT, name="another", chapter="02-two"),))
    write_pins(path, [changed], only=True)
    assert read_pins(path) == pins_of([CHAPTER, changed])


# --- gathering ---------------------------------------------------------------------------------------


def executed(path, *payloads):
    cell = nbformat.v4.new_code_cell("claim('x', s, f)")
    cell.outputs = [nbformat.v4.new_output("display_data", {MIME: payload}) for payload in payloads]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


def test_gather_reads_chapters_in_order_and_refuses_a_name_in_two(tmp_path):
    value = {"record": {"name": "gap", "value": 0.25}}
    claim = {"claim": {"id": "x", "sentence": "So.", "kind": "exact", "verdict": "holds"}}
    one = executed(tmp_path / "1.ipynb", value, claim)
    assert [c.name for c in gather({"02-b": executed(tmp_path / "2.ipynb"), "01-a": one})] == ["01-a", "02-b"]
    for kind, name, payload in (("value", "gap", value), ("claim", "x", claim)):
        with pytest.raises(LedgerError, match=f"the {kind} '{name}' is stored in 01-a and in 02-b"):
            gather({"01-a": one, "02-b": executed(tmp_path / "3.ipynb", payload)})


def test_a_figure_that_shows_something_else_drifts_until_it_is_pinned(tmp_path):
    def drawn(*at):
        line = {"kind": "line", "label": "gap", "n": 2, "x": [0, 1], "at": list(at)}
        line["goes"] = "rises" if at[1] > at[0] else "falls"
        charts = [{"x": {"limits": [0, 1]}, "y": {"label": "nats", "limits": [0, 1]}, "drawn": [line]}]
        return replace(CHAPTER, figures={"fig-gap": {"chapter": "01-one", "charts": charts}})

    path = tmp_path / "ledger.json"
    (problem,) = drift([drawn(0, 1)], PINS)
    assert (problem.found_by, problem.name, problem.pinned) == ("figure", "fig-gap", "not pinned")
    write_pins(path, [drawn(0, 1)])
    pinned = read_pins(path)
    assert drift([drawn(0, 1)], pinned) == drift([drawn(1e-7, 1)], pinned) == []
    first, *_ = drift([drawn(1, 0)], pinned)
    assert (first.where, first.sentence, first.pinned, first.fresh) == ("01-one", "line 'gap'", "rises", "falls")
    (gone,) = drift([CHAPTER], pinned)
    assert (gone.name, gone.fresh) == ("fig-gap", "not shown")
    assert drift([], pins_for(pinned, [])) == []
    write_pins(path, [drawn(1, 0)])
    assert drift([drawn(1, 0)], read_pins(path)) == []
