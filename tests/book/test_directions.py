"""What alternative texts say of curves: the right words pass, turned ones do not, whatever is plotted."""

import json

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbcore.book.agree import disagreements
from rbcore.book.directions import described, mistakes, resolve, unmarked
from rbcore.book.ledger import Chapter, Value
from rbcore.book.prose import without_curves
from rbcore.plotted import described as record_of

X = np.linspace(0, 4, 30)


@pytest.fixture(scope="module")
def record():
    figure, (left, right, colours) = plt.subplots(1, 3)
    left.plot(X, np.exp(-X), label="gap")
    left.plot(X, 1.5 * np.exp(-X) + 0.1, "--", label="bound")
    left.plot(X, (X - 2) ** 2 / 4, label=r"$I(e_p;W \mid p)$")
    left.axhline(0.1, ls=":", color="black", label="limit")
    right.stackplot(X, np.minimum(X, 2), 4 - X, labels=["first", "second"])
    right.scatter(X, X**2, label="cloud")
    right.plot(X, 0.001 * X, color="black")
    colours.imshow(np.eye(3))
    figure.colorbar(colours.images[0])
    found = json.loads(json.dumps(record_of(figure)))
    plt.close(figure)
    return found


RIGHT = [
    "The gap falls towards zero <gap>",
    "both fall <gap & bound>",
    "it falls from one and levels off <left: gap>",
    "It falls steeply to a minimum and then rises <I(e_p;W>",
    "The bound stays above the gap <bound ~ gap>",
    "The gap is below its bound <left: gap ~ bound>",
    "the third crosses the gap <$I ~ gap>",
    "stays flat <limit>",
    "it stays above zero <bound ~ zero>",
    "one layer rises and levels off <2: first>",
    "the other shrinks <2: second>",
    "the sum of both falls <by hand: it rises first>",
    "its upper edge is flat, and then falls <2: top of second>",
    "a cloud that rises <cloud>",
    "a line that is nearly flat <2: #4>",
]
WRONG = [
    ("The gap rises <gap>", "gap (chart 1) falls, and the words say rises"),
    ("The gap falls and then rises <gap>", "the words say falls, rises"),
    ("It falls <$I>", "falls, rises, and the words say falls"),
    ("The gap falls to one <gap>", "gap is not to one"),
    ("The gap is flat <gap>", "gap (chart 1) is not level: it falls"),
    ("rises <limit>", "limit (chart 1) is level"),
    ("falls and levels off <2: second>", "second (chart 2) is not level at its end"),
    ("The bound lies below the gap <bound ~ gap>", "bound (chart 1) is not below gap"),
    ("The bound crosses the gap <bound ~ gap>", "is not crosses gap"),
    ("The gap falls <gab>", "no curve 'gab': there are 1: gap, 1: bound"),
    ("The gap falls <right: gap>", "no curve 'right: gap'"),
    ("The gap is there <gap>", "no direction in 'The gap is there'"),
    ("The gap falls to its bound <gap ~ bound>", "do not say how it lies to bound"),
    ("It falls <by hand: >", "'by hand' needs a reason"),
]


def alt(text: str) -> str:
    return f"{{curve}}`{text}`"


def reasons(text: str, record: dict) -> list[str]:
    (figure,) = described(cell(text))
    return [reason for _, reason in mistakes(figure, record)]


def cell(text: str, caption: str = "What?") -> str:
    options = f"  figure:\n    name: fig-a\n    caption: |\n      {caption}\n  image:\n    alt: |\n      {text}"
    return f"# One\n\n```{{code-cell}} ipython3\n---\ntags: [hide-input]\nmystnb:\n{options}\n---\nplot();\n```\n"


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_so_may_be_said(record, text):
    assert reasons(alt(text), record) == []


@pytest.mark.parametrize(("text", "reason"), WRONG)
def test_what_is_not_so_may_not(record, text, reason):
    (found,) = reasons(alt(text), record)
    assert reason in found


TURNED = {"rises": "falls", "falls": "rises", "rise": "fall", "fall": "rise", "shrinks": "grows"}


@pytest.mark.parametrize("text", [one for one in RIGHT if "hand" not in one and set(one.split()) & TURNED.keys()])
def test_a_turned_word_is_a_mistake(record, text):
    turned = " ".join(TURNED.get(word, word) for word in text.split())
    assert reasons(alt(turned), record)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 10), min_size=3, max_size=8, unique=True).filter(lambda v: np.ptp(v) > 1))
def test_a_curve_that_goes_one_way_goes_no_other(values):
    figure, ax = plt.subplots()
    ax.plot(sorted(values), label="gap")
    found = record_of(figure)
    plt.close(figure)
    assert not reasons(alt("it rises <gap>"), found) and reasons(alt("it falls <gap>"), found)


def test_a_rise_that_nothing_ties_to_a_curve_is_a_mistake_also_where_nothing_ran(record):
    (figure,) = described(cell("The gap grows and " + alt("falls <gap>") + " and fades."))
    assert [words for words, _ in mistakes(figure, None)] == ["grows", "fades"] == unmarked(figure.alt)


def test_the_book_says_which_figure_and_where(record):
    chapter = Chapter("01-one", figures={"fig-a": record})
    (problem,) = disagreements([chapter], [("notebooks/01-one.md", cell(alt("The gap rises <gap>")))])
    assert (problem.found_by, problem.name, problem.where) == ("figure", "fig-a", "notebooks/01-one.md:3")
    assert problem.sentence == "The gap rises" and "falls" in problem.fresh
    (problem,) = disagreements([chapter], [("notebooks/01-one.md", cell("A", alt("The gap rises <gap>")))])
    assert problem.sentence == "The gap rises"


def test_readers_get_the_words_and_the_numbers():
    text = "A {val}`share` gap: {curve}`it falls\nand rises <left: gap\n& bound>`."
    assert without_curves("x {curve}`it falls\n  <gap>`, y") == "x it falls\n  , y"
    made = nbformat.v4.new_code_cell("plot();")
    made.metadata["mystnb"] = {"image": {"alt": text}, "figure": {"caption": text}}
    resolve(made, {"share": Value("share", 0.25, ".0%")})
    assert made.metadata["mystnb"]["image"]["alt"] == "A 25% gap: it falls\nand rises."
    assert made.metadata["mystnb"]["figure"]["caption"] == "A {val}`share` gap: it falls\nand rises."
