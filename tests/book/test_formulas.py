"""Displayed formulas and what stands behind them: each holds, and no sign, relation or digit of one may change."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbcore.book import formulas, tex
from rbcore.book.downloads import plain_markdown
from rbcore.book.execute import ROOT
from rbcore.book.prose import Allowed, book_texts
from rbcore.information.finite import Joint

TEXTS = list(book_texts(ROOT))
TIES = formulas.load(ROOT / formulas.FOLDER)
TIED = {f.name: f for file, text in TEXTS for f in formulas.formulas(file, text) if f.name}
CHANGES = {
    "+": ("-",),
    "-": ("+",),
    r"\le": (r"\ge", "="),
    r"\ge": (r"\le", "="),
    "<": (">",),
    ">": ("<",),
    "=": (r"\le",),
    **{str(digit): (str((digit + 1) % 10),) for digit in range(10)},
}
PART = re.compile(r"\\[A-Za-z]+|\{=?\}|[-+<>=]|\d")


def mutants(formula: str) -> Iterator[str]:
    """The formula with one sign, relation or digit changed."""
    for match in PART.finditer(formula):
        for other in CHANGES.get(match[0].strip("{}"), ()):
            yield f"{formula[: match.start()]}{other} {formula[match.end() :]}"


# changes that change nothing: what has the other sign is zero by the assumptions
EQUIVALENT = {"shannon-cipher": {"H(K \\mid C) - H(M \\mid C, K)"}}


@pytest.mark.slow
@pytest.mark.parametrize("name", TIED)
def test_a_changed_formula_is_noticed(name: str) -> None:
    assert not TIES[name].check(TIED[name].tex)
    survivors = [m for m in mutants(TIED[name].tex) if not TIES[name].check(m)]
    excused = EQUIVALENT.get(name, set())
    assert [m for m in survivors if not any(piece in " ".join(m.split()) for piece in excused)] == []
    assert len(survivors) >= len(excused)


@pytest.mark.slow
def test_every_displayed_formula_is_tied_or_listed() -> None:
    assert formulas.problems(ROOT, TEXTS) == []
    assert len(TIED) > 100


TEXT = ("notebooks/01-a.md", "$$\nE = m c^2\n$$\n\n:::{formula} square\n:label: eq-square\n\nx^2 \\ge 0 .\n:::\n")


def faults_of(ties: dict[str, formulas.Tie], *by_hand: Allowed) -> list[str]:
    return [fault.problem for fault in formulas.faults([TEXT], ties, by_hand)]


def test_what_is_wrong_with_a_book() -> None:
    holds, fails = (formulas.Tie("square", lambda _, said=said: said) for said in ("", "it is false"))
    reason = Allowed("notebooks/01-*", "m c^2", "physics")
    assert faults_of({"square": holds}, reason) == []
    assert faults_of({"square": holds}) == ["this formula is tied to nothing"]
    assert faults_of({"square": fails}, reason) == ["it is false"]
    assert faults_of({}, reason) == ["no module in book/formulas ties 'square'"]
    assert faults_of({"square": holds, "cube": holds}, reason) == ["no chapter shows this formula"]
    other = Allowed("notebooks/01-*", "m c^3", "a mistake")
    assert faults_of({"square": holds}, reason, other) == ["no untied formula there has this text"]


def test_a_tie_needs_a_direction_and_an_end() -> None:
    def problem(text: str, *worlds: dict, sharp: float | None = None) -> str:
        return formulas._evaluated(text, worlds, sharp, 1e-9)

    assert problem(r"x \le y", {"x": 1.0, "y": 2.0}, {"x": 1.0, "y": 1.0}, sharp=1e-9) == ""
    assert "cannot tell its direction" in problem(r"x \le y", {"x": 1.0, "y": 1.0})
    assert "no draw attains" in problem(r"x \le y", {"x": 1.0, "y": 2.0}, sharp=0.1)
    assert "is false" in problem(r"x \ge y", {"x": 1.0, "y": 2.0})
    assert "side 1 is 2.0, and the code says 3" in problem(r"x \le y", {"x": 1.0, "y": 2.0, 1: 3.0})
    assert "gives no value" in problem("x + y", {"x": 1.0, "y": 2.0})
    assert "no symbol" in problem(r"x \le z", {"x": 1.0})
    assert "inf is false" in problem(r"x = \frac{1}{y}", {"x": np.float64(1), "y": np.float64(0)})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\frac12 x", 1.5),
        (r"\tfrac xy", 1.5),
        (r"x / 2 y", 0.75),
        (r"-x^2 + y", -7.0),
        (r"x^{-1} y", 2 / 3),
        (r"\sqrt{x + 1}\,y", 4.0),
        (r"\bigl|y - x\bigr| \cdot |x|", 3.0),
        (r"2 |y - x| |x|", 6.0),
        (r"\log e^x", 3.0),
        (r"\tanh^2(x)", np.tanh(3) ** 2),
        (r"\sum_{i=1}^3 i\,x - y", 16.0),
        (r"\prod_{i=1}^x (i + 1)", 24.0),
        (r"\sum P x + y", 5.0),
        (r"\sum_k k + 1", 4.0),
        (r"\E_P k_j \,x + y", 8.0),
        (r"\lVert P - 1 \rVert^2", 0.5),
        (r"\TV(P, Q)", 0.5),
        (r"\hat R_{S} + x", 10.0),
        (r"H(A) / \log 2", 1.0),
    ],
)
def test_the_grammar(text: str, value: float) -> None:
    world = {
        "x": 3.0,
        "y": 2.0,
        "P": np.array([0.5, 0.5]),
        "Q": np.array([1.0, 0.0]),
        r"\sum_k": tex.Over("k", [1, 2]),
        "k": tex.At(lambda k: k),
        r"\E_P": tex.Operator(lambda f: f.mean()),
        "k_j": np.array([1.0, 3.0]),
        r"\hat R_S": 1.0,
        r"\hat R_{S}": 7.0,
        tex.JOINT: Joint("A", [0.5, 0.5]),
    }
    [chain] = tex.evaluate(text, world)
    assert chain.values == [pytest.approx(value)] and not chain.relations


@given(st.lists(st.tuples(st.sampled_from("+-"), st.integers(0, 99), st.integers(1, 9)), min_size=1, max_size=6))
def test_sums_of_fractions_are_those_of_python(terms: list[tuple[str, int, int]]) -> None:
    text = " ".join(rf"{sign} \frac{{{a}}}{{{b}}} x^{b}" for sign, a, b in terms)
    [chain] = tex.evaluate(text, {"x": 2.0})
    assert chain.values[0] == pytest.approx(sum((-1) ** (s == "-") * a / b * 2.0**b for s, a, b in terms))


@pytest.mark.parametrize("text", ["x +", "(x", "|x", r"\frac{x}", "x )", r"\sum_{i}^3 i", "y", "x_2", "x'", ""])
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(tex.TexError):
        tex.evaluate(text, {"x": 1.0})


def test_a_formula_as_the_prover_reads_it() -> None:
    assert tex.plain(r"H(h(e_p) \mid e_p) &= 0 .") == "H(hp|e_p)= 0"
    assert tex.plain(r"I(S_{\mathrm{anchor}};W') - \Delta I", {r"\Delta I": "H(X)"}) == "I(S;W')- H(X)"
    assert tex.plain(r"S_{\mathrm{anchor}} \to p \to \varepsilon_1") == r"S -> P -> \varepsilon_1"


def test_a_downloaded_notebook_shows_it() -> None:
    shown = plain_markdown(":::{formula} square\n:label: eq-square\n\nx^2 \\ge 0 .\n:::\n", {}, {})
    assert shown == "$$\nx^2 \\ge 0 .\n$$\n"
