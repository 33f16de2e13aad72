"""The parameters cell: what it says is read, what comes in is checked against it, and every chapter says it."""

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbcore.book.execute import ROOT, notebooks, parameters_of
from rbcore.book.parameters import (
    LONGEST,
    Only,
    Parameter,
    ParameterError,
    Range,
    Text,
    choose,
    read_cell,
    split,
    table,
)

CELL = """
seed = 2  # of every random draw [0..4294967295]
n = 200  # readings that one model is trained on [2..5000 readings; linear cost]
strictness = 2.0  # inverse temperature of the generator:
# 0 ignores the prompt, inf repeats it [0..inf]
task = [0, 0, 1, 2]  # weights of the sectors [4 numbers 0..inf]
sizes = (1, 2)  # of the models [1..3 numbers 1..9 layers; quadratic cost]
share = 0.5  # of mistakes [0..1]
device = "cpu"  # for the model above ["cpu" | "cuda"]
model = ""  # a folder; "": made here [text]
prior = None  # weights; None: all alike [2 numbers 0..1 | None]
whole = False  # the full tier [True | False]
odd = 3  # says nothing of its range
"""
PARAMETERS = read_cell(CELL)
BY_NAME = {p.name: p for p in PARAMETERS}


def test_a_cell_is_the_source_of_meaning_range_unit_and_cost() -> None:
    assert [p.name for p in PARAMETERS] == list(BY_NAME)
    assert BY_NAME["n"] == Parameter(
        "n", 200, "readings that one model is trained on", (Range(2, 5000, "readings"),), "linear cost"
    )
    assert BY_NAME["strictness"].meaning.endswith("generator: 0 ignores the prompt, inf repeats it")
    assert BY_NAME["strictness"].allowed == (Range(0, math.inf),)
    assert BY_NAME["sizes"].allowed == (Range(1, 9, "layers", (1, 3)),)
    assert BY_NAME["device"].allowed == (Only("cpu"), Only("cuda"))
    assert BY_NAME["model"].allowed == (Text(),)
    assert BY_NAME["prior"].allowed == (Range(0, 1, "", (2, 2)), Only(None))
    assert BY_NAME["whole"].allowed == (Only(True), Only(False))
    assert {p.name: p.problem for p in PARAMETERS if p.problem} == {"odd": "no range given"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("x = 1", "no range given"),
        ("x = 1  # [0..2]", "no meaning given"),
        ("x = 1  # what it is [2..1]", "the range '2..1' is empty"),
        ("x = 1  # what it is [2..3]", "the default is not in its range"),
        ("x = 1.5  # what it is [1 | 2]", "the default is not in its range"),
        ("x = [1]  # what it is [2 numbers 0..9]", "the default is not in its range"),
        ("x = 1  # what it is [0..9; cubic cost]", "'cubic cost' is not 'linear cost' or 'quadratic cost'"),
        ("x = 1  # what it is [see above]", "[see above] is none of low..high"),
    ],
)
def test_a_comment_that_does_not_say_what_is_allowed_is_a_problem_and_no_error(line: str, problem: str) -> None:
    (found,) = read_cell(line)
    assert problem in found.problem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seed=3", 3),
        ("strictness=1", 1.0),
        ("strictness=inf", math.inf),
        ("strictness=1e3", 1000.0),
        ("task=[0, 1, 2, 0.5]", [0, 1, 2, 0.5]),
        ("task=(0,1,2,3)", [0, 1, 2, 3]),
        ("sizes=[4]", (4,)),
        ("device=cuda", "cuda"),
        ("device='cuda'", "cuda"),
        ("model=3", "3"),
        ("model='two words'", "two words"),
        ("prior=None", None),
        ("prior=[1,0]", [1, 0]),
        ("whole=True", True),
        ("odd=-4", -4),
    ],
)
def test_a_value_is_read_in_the_type_of_the_default(text: str, value: object) -> None:
    (found,) = choose(text, PARAMETERS, "02-a").values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", """'seed' is not name=value; write P="seed=2\""""),
        ("seed=", "'seed=' is not name=value"),
        ("-x", "'-x' is not name=value"),
        ("seed=1 seed=2", "'seed' is given twice"),
        ("strict=3", "the nearest:\n    strictness: inverse temperature of the generator: 0 ignores the prompt"),
        ("zzz=3", "no parameter 'zzz' in 02-a; it has seed, n, strictness"),
        ("seed=-1", "seed=-1: out of range; it takes a whole number from 0 to 4294967295; the default is 2"),
        ("seed=2.0", "not a whole number"),
        ("seed=True", "not a whole number"),
        ("n=1", "n=1: out of range; it takes a whole number from 2 to 5000 readings; the default is 200"),
        ("n=2**3", "not a whole number"),
        ("n=" + "9" * 500, "... (500 characters): out of range"),
        ("strictness=nan", "not a number; it takes a number from 0 up, inf included"),
        ("strictness=-inf", "out of range"),
        ("strictness=" + "9" * 500, "too large"),
        ("share=1.0000001", "it takes a number from 0 to 1; the default is 0.5"),
        ("share=small", "not a number"),
        ("task=[1,2]", "a list of 2; it takes a list of 4 numbers, each from 0 up"),
        ("task=5", "not a list such as [1, 2, 3]"),
        ("task=[1,2,3,-4]", "the entry -4 is out of range"),
        ("task=[1,2,3,True]", "the entry True is not a number"),
        ("task=[1,2,3,1e999]", "an entry is infinite"),
        ("task=[1,2,3,'4']", "is not a number"),
        ("task=[1,2", "a bracket without its other one"),
        ("model='a", "a quotation mark without its other one"),
        ("model=\x1b[31m]", "without control characters"),
        ("device=gpu", 'it takes "cpu" or "cuda"'),
        ("whole=1", "it takes True or False"),
        ("prior=[1,2]", "the entry 2 is out of range"),
        ("odd=x", "not a whole number; it takes a value such as 3"),
        ("seed=" + "(" * 400 + ")" * 400, "not a whole number"),
        ("seed=" + "-" * 5000, f"the parameters have 5,005 characters; at most {LONGEST:,} are read"),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(ParameterError) as error:
        choose(text, PARAMETERS, "02-a")
    assert message in str(error.value)
    assert len(str(error.value)) < 400


@given(st.text(max_size=300))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    try:
        found = choose(text, PARAMETERS, "02-a")
    except ParameterError as error:
        assert str(error)
    else:
        assert set(found) <= set(BY_NAME)


@given(st.sampled_from(PARAMETERS), st.text(max_size=60))
def test_a_value_that_is_accepted_is_allowed(parameter: Parameter, raw: str) -> None:
    try:
        value = parameter.value(raw)
    except ParameterError:
        return
    again = parameter.value(value if isinstance(value, str) else repr(value))
    assert again == value or isinstance(value, str)
    ranges = [one for one in parameter.allowed if isinstance(one, Range) and one.length is None]
    assert all(one.low <= value <= one.high for one in ranges)


@given(st.floats(-10, 10), st.floats(0, 10), st.floats(-30, 30))
def test_both_ends_of_a_range_belong_to_it(low: float, width: float, number: float) -> None:
    high = low + width
    parameter = Parameter("x", low, "it", (Range(low, high),))
    assert parameter.value(repr(low)) == low
    assert parameter.value(repr(high)) == high
    if not low <= number <= high:
        with pytest.raises(ParameterError, match="out of range"):
            parameter.value(repr(number))


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=5))
def test_a_text_is_divided_outside_brackets_only(lists: list[list[int]]) -> None:
    text = "|".join(str(one) for one in lists)
    assert split(text, "|") == [str(one) for one in lists]
    assert split(f'"{text}" {text}'.replace(" ", "_"), "|")[0].startswith('"')


def test_the_table_names_everything() -> None:
    shown = table(PARAMETERS, 120)
    assert max(map(len, shown.splitlines())) <= 120
    for part in ("2..5000 readings", "time grows in proportion", "time grows with its square", "no range given"):
        assert part in shown
    assert all(p.name in shown for p in PARAMETERS)


@pytest.mark.parametrize("source", notebooks(ROOT), ids=lambda path: path.stem)
def test_every_parameter_of_the_book_has_a_meaning_and_a_range_that_holds_its_default(source: Path) -> None:
    problems = [f"{p.name}: {p.problem}" for p in parameters_of(source) if p.problem]
    assert not problems, problems


@pytest.mark.parametrize("source", notebooks(ROOT), ids=lambda path: path.stem)
def test_every_chapter_takes_its_defaults_and_refuses_what_is_wrong_or_too_extreme(source: Path) -> None:
    parameters = parameters_of(source)
    for p in parameters:
        assert choose(f"{p.name}={p.default!r}", parameters, source.stem) == {p.name: p.default}
        wrong = ["nan", "[]", "[[1]]", "-1e999"]
        for one in (one for one in p.allowed if isinstance(one, Range)):
            wrong += [str(int(end) + step) for end, step in ((one.low, -1), (one.high, 1)) if math.isfinite(end)]
        for raw in wrong if Text() not in p.allowed and p.allowed else ():
            with pytest.raises(ParameterError, match=re.escape(f"{p.name}={raw}: ")):
                choose(f"{p.name}={raw}", parameters, source.stem)
        with pytest.raises(ParameterError, match=f"the nearest:\n(.*\n)*    {p.name}: "):
            choose(f"{p.name}x=1", parameters, source.stem)
