"""The record of a figure: what changes in the picture drifts, what another processor would round does not."""

import json
from collections.abc import Callable

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rbcore.book.plots import as_json, differences, read
from rbcore.plotted import described, turns

SCALES = ("linear", "log", "symlog")
CURVES = arrays(float, 12, elements=st.floats(0.5, 10.0)).filter(lambda y: np.ptp(y) > 1)


def record(*curves: np.ndarray, change: Callable = lambda ax: None, scale: str = "linear", **labels: str) -> dict:
    figure, ax = plt.subplots()
    for number, y in enumerate(curves):
        ax.plot(np.arange(1, len(y) + 1), y, label="ab"[number])
    ax.set(xlabel="rounds", ylabel=labels.get("ylabel", "gap (nats)"), yscale=scale, ylim=(0.1, 12))
    ax.legend()
    change(ax)
    found = json.loads(json.dumps({"chapter": "01-one", **described(figure)}))
    plt.close(figure)
    return found


def drifts(*runs: dict) -> list[str]:
    return [what for what, *_ in differences(*runs)]


@settings(max_examples=15, deadline=None)
@given(CURVES, st.sampled_from(SCALES), st.randoms(use_true_random=False))
def test_rounding_is_no_drift(y, scale, random):
    noise = np.array([1 + 1e-7 * random.uniform(-1, 1) for _ in y])
    assert drifts(record(y, scale=scale), record(y * noise, scale=scale)) == []


@settings(max_examples=15, deadline=None)
@given(CURVES, st.sampled_from(SCALES))
def test_scaling_is_a_drift(y, scale):
    y[0] = 9.0  # some of it is large on its axis
    assert drifts(record(y, scale=scale), record(1.1 * y, scale=scale))


@settings(max_examples=15, deadline=None)
@given(CURVES, st.sampled_from(SCALES))
def test_a_reversed_curve_is_a_drift(y, scale):
    y = np.sort(y)
    found = differences(record(y, scale=scale), record(y[::-1], scale=scale))
    assert ("line 'a'", "rises", "falls", "none") in found


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(CURVES, CURVES)
def test_swapped_legends_are_a_drift(y, other):
    other[0] = y[0] + 1

    def swap(ax):
        lines = ax.get_lines()
        lines[0].set_label("b"), lines[1].set_label("a")
        ax.legend()

    assert drifts(record(y, other), record(y, other, change=swap))


CHANGES = {
    "y axis, label": lambda ax: ax.set_ylabel("gap (bits)"),
    "x axis, label": lambda ax: ax.set_xlabel("readings"),
    "y axis, scale": lambda ax: ax.set_yscale("log"),
    "y axis, limits": lambda ax: ax.set_ylim(0.1, 13),
    "title": lambda ax: ax.set_title("Another"),
    "legend": lambda ax: ax.legend(["c"]),
    "texts": lambda ax: ax.text(3, 3, "0.3 bits"),
    "x axis, ticks": lambda ax: ax.set_xticks([1, 2], ["one", "two"]),
    "line 'a', look": lambda ax: ax.get_lines()[0].set_linestyle("--"),
    "line without a name": lambda ax: ax.axhline(3, color="black"),
    "points without a name": lambda ax: ax.scatter([1, 2, 3], [1, 2, 3]),
    "interval without a name": lambda ax: ax.fill_between([1, 2], [1, 2], [2, 3], color="red"),
    "bars without a name": lambda ax: ax.bar([1, 2], [1, 2], color="green"),
    "line with errors without a name": lambda ax: ax.errorbar([1, 2], [1, 2], [0.1, 0.2], color="red"),
    "images": lambda ax: ax.imshow(np.eye(3), aspect="auto", extent=(0, 1, 0, 1)),
    "patches without a name": lambda ax: ax.axvspan(2, 3, color="red"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changes_in_a_picture_has_a_row(what):
    y = np.linspace(1, 9, 12) ** 0.5
    assert what in drifts(record(y), record(y, change=CHANGES[what]))
    assert drifts(record(y, change=CHANGES[what]), record(y, change=CHANGES[what])) == []


def marks(change: Callable = lambda x, y, size: (x, y, size)) -> dict:
    rng = np.random.default_rng(0)
    drawn = rng.random((3, 200))
    x, y, size = change(*drawn)
    figure, (left, right) = plt.subplots(1, 2)
    left.scatter(x, drawn[0, : len(x)] + y, 10 * size)
    right.bar(range(5), y[:5], bottom=x[:5], label="bar")
    right.errorbar(range(5), x[:5], size[:5], fmt="o", label="mean")
    for i in range(4):
        right.plot(i, y[i], "s", color="black")
    left.imshow(np.outer(x, y), extent=(0, 1, 0, 1), aspect="auto")
    left.set(xlim=(0, 1.2), ylim=(0, 2.4))
    right.set(ylim=(0, 2.4))
    found = json.loads(json.dumps({"chapter": "01-one", **described(figure)}))
    plt.close(figure)
    return found


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda x, y, size: (x[::-1], y, size), "chart 1, points without a name, rank correlation"),
        (lambda x, y, size: (x, 1.1 * y, size), "chart 2, bars 'bar', widths"),
        (lambda x, y, size: (x, y, 1.1 * size), "chart 2, line with errors 'mean', widths"),
        (lambda x, y, size: (x, y[::-1], size), "chart 1, image, at"),
        (lambda x, y, size: (x[:180], y[:180], size[:180]), "chart 1, points without a name, points"),
    ],
)
def test_clouds_bars_errors_and_images(change, what):
    assert what in drifts(marks(), marks(change))
    assert drifts(marks(), marks(lambda *all: tuple(1.0000001 * one for one in all))) == []


def test_single_marks_that_look_alike_are_taken_together():
    squares = [one for one in marks()["charts"][1]["drawn"] if one["look"].endswith(" s")]
    assert [(one["count"], one["n"]) for one in squares] == [(4, 4)]


def test_numbers_in_texts_may_differ_by_one_in_their_last_digit():
    y = np.linspace(1, 9, 12)
    texts = ("0.37 bits", "0.38 bits", "0.39 bits")
    told = [record(y, change=lambda ax, text=text: ax.text(3, 3, text)) for text in texts]
    assert drifts(told[0], told[1]) == [] and drifts(told[0], told[2]) == ["texts"]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(0.01, 2))
def test_turns_alternate_and_reverse(values, least):
    found = turns(values, least)
    assert all(a != b for a, b in zip(found, found[1:], strict=False))
    assert bool(found) == any(abs(a - b) > least for a in values for b in values)
    assert turns([-v for v in values], least) == [{"rises": "falls", "falls": "rises"}[word] for word in found]


@settings(max_examples=20, deadline=None)
@given(arrays(float, 6, elements=st.floats(width=32)), st.sampled_from(SCALES))
def test_any_numbers_have_a_record_in_json(y, scale):
    figure, ax = plt.subplots()
    ax.set_yscale(scale)
    ax.plot(range(6), y)
    json.dumps(described(figure), allow_nan=False)
    plt.close(figure)


def test_pins_survive_the_file(tmp_path):
    path = tmp_path / "figures.json"
    pins = {"fig-a": record(np.arange(1.0, 9)), "fig-b": marks()}
    path.write_text(as_json(pins))
    assert read(path) == pins
    assert max(map(len, path.read_text().splitlines())) < 700
