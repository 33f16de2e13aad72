r"""Displayed formulas are tied to code: what the reader sees is evaluated, or proved, and not only typeset.

A chapter displays a formula as

    :::{formula} two-bound
    \bigl|R_D - \hat R_S\bigr| \le C \TV(D, D_M) + ..
    :::

and `book/formulas/` says under the same name what stands behind it:

* :func:`tie`: a function that draws admissible numbers for the symbols, most of them from functions of the core.
  Each relation must hold for every draw, be strict for some where it is an inequality, and each side that the draw
  gives (under its number, from 0) must have that value.  With ``sharp`` some draw must attain each inequality.
* :func:`proved`: a statement about entropies, which the prover must prove from the assumptions that are given.

What is displayed between ``$$`` is tied to nothing, and `book/formulas/by-hand.yml` says why.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rbcore.book import tex
from rbcore.book.agree import Problem, read_pins
from rbcore.book.execute import ROOT
from rbcore.book.prose import Allowed, load_allowed
from rbcore.information.expr import ExpressionError, parse
from rbcore.information.problem import ProverError
from rbcore.information.prover import Certificate, prove

FOLDER, BY_HAND, PINS = "book/formulas", "book/formulas/by-hand.yml", "book/ledger.json"
FORMULA = re.compile(r"(?ms)^(:{3,})\{formula\} *([\w-]+) *\n(?::label: [^\n]*\n\n)?(.*?)^\1[ ]*$")
DISPLAY = re.compile(r"(?ms)^\$\$\n(.*?)^\$\$(?: *\([\w-]+\))?[ ]*$")
SMALL = 1e-4  # values below this are compared with it, and not with each other
Draw = Callable[[np.random.Generator], Mapping[Any, Any]]


class Formula(NamedTuple):
    """A displayed formula: its name (by hand: none), its TeX, and where it stands."""

    name: str
    tex: str
    file: str
    line: int


class Fault(NamedTuple):
    """A formula that is not what its tie says, or that has none."""

    formula: Formula
    problem: str
    remedy: str


class Tie:
    """What stands behind a formula.  check: what is wrong with this TeX; nothing where it is right."""

    def __init__(self, name: str, check: Callable[[str], str]):
        self.name, self.check = name, check


_ties: dict[str, Tie] = {}  # of the modules that are being loaded


def _register(name: str, check: Callable[[str], str]) -> None:
    if name in _ties:
        raise ValueError(f"two formulas are tied under the name {name!r}: rename one")
    _ties[name] = Tie(name, check)


def tie(*names: str, sharp: float | None = None, draws: int = 8, tol: float = 1e-8) -> Callable[[Draw], Draw]:
    """Tie the formulas `names` to numbers, which the decorated function draws.

    Args:
        sharp: some draw must attain each inequality up to this share of the larger side.
        tol: how far two sides may be apart, relatively, and still be equal.
    """

    def register(draw: Draw) -> Draw:
        @functools.cache
        def worlds() -> list[Mapping[Any, Any]]:
            return [draw(np.random.default_rng(seed)) for seed in range(draws)]

        for name in names:
            _register(name, lambda text: _evaluated(text, worlds(), sharp, tol))
        return draw

    return register


def proved(name: str, *given: str, names: Mapping[str, str] | None = None, claim: str = "") -> None:
    """Tie a formula to the prover: it must follow from `given`, and each inequality must be none the other way.

    Args:
        names: what further symbols stand for, in the expression language.
        claim: the formula must be the statement of this claim, as it is pinned.
    """
    _register(name, lambda text: _proved(text, given, names or {}, claim))


def _evaluated(text: str, worlds: Sequence[Mapping[Any, Any]], sharp: float | None, tol: float) -> str:
    """What is wrong with a formula in these worlds."""
    slacks: dict[int, list[float]] = {}
    for world in worlds:
        try:
            chains = tex.evaluate(text, world)
        except tex.TexError as error:
            return str(error)
        except (ArithmeticError, ValueError, TypeError, IndexError, KeyError) as error:
            return f"it cannot be evaluated ({type(error).__name__}: {error})"
        values = [value for chain in chains for value in chain.values]
        for side, value in world.items():
            if isinstance(side, int) and (side >= len(values) or not _apart(values[side], value) <= tol):
                found = values[side] if side < len(values) else "missing"
                return f"side {side} is {found}, and the code says {value}"
        if len(values) == 1 and 0 not in world:
            return "it has no relation, and its tie gives no value for side 0"
        relations = [
            (chain.values[i], sign, chain.values[i + 1])
            for chain in chains
            for i, sign in enumerate(chain.relations)
        ]
        for number, (left, sign, right) in enumerate(relations):
            slack = _slack(left, sign, right)
            if not slack >= -tol:
                return f"{left} {sign} {right} is false"
            if sign != "=":
                slacks.setdefault(number, []).append(slack)
    for found in slacks.values():
        if max(found) < tol:
            return "an inequality is an equality in every draw: the tie cannot tell its direction"
        if sharp is not None and min(found) > sharp:
            return f"no draw attains an inequality: the smallest slack is {min(found):.2g} of the larger side"
    return ""


def _slack(left: Any, sign: str, right: Any) -> float:
    """By how much a relation holds, relative to the larger side (of :data:`SMALL` at least); not a number: NaN."""
    if sign == "=":
        return -_apart(left, right)
    left, right = (np.asarray(side, dtype=float) for side in ((left, right) if "<" in sign else (right, left)))
    return float(np.min(right - left)) / max(float(np.max(np.abs([left, right]))), SMALL)


def _apart(a: Any, b: Any) -> float:
    """The difference of two values, relative to the larger one (of :data:`SMALL` at least)."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    with np.errstate(invalid="ignore"):
        return float(np.max(np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), SMALL)))


@functools.lru_cache(maxsize=4096)
def _follows(statement: str, given: tuple[str, ...]) -> bool:
    """Whether the prover finds a proof."""
    return isinstance(prove(statement, given, search=False), Certificate)


def _proved(text: str, given: tuple[str, ...], names: Mapping[str, str], claim: str) -> str:
    """What is wrong with a formula about entropies; several in one display are separated at the ends of lines."""
    for part in re.split(r",\s*\\\\", text):
        written = tex.plain(part, names)
        try:
            statement = parse(written)
            if not _follows(written, given):
                return f"{written}: it does not follow from Shannon's inequalities and {list(given)}"
            for form, sign, source, _, _ in statement.constraints:
                if sign == ">=" and _follows(f"{-form} >= 0", given):
                    return f"{source}: this holds with equality, so write ="
        except (ExpressionError, ProverError) as error:
            return f"the prover cannot read it: {error}"
        if claim:
            pinned = parse(read_pins(ROOT / PINS)["claims"][claim]["statement"])
            if [c.form for c in pinned.constraints] != [c.form for c in statement.constraints]:
                return f"{written}: this is not the statement of {claim!r}, {pinned.text}"
    return ""


# ---------------------------------------------------------------------------------------------------------------
# The book
# ---------------------------------------------------------------------------------------------------------------


def load(folder: Path) -> dict[str, Tie]:
    """The ties of the modules in a folder, by name."""
    _ties.clear()
    for path in sorted(folder.glob("*.py")):
        name = f"_formulas_{path.stem}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return dict(_ties)


def formulas(file: str, text: str) -> Iterator[Formula]:
    """The displayed formulas of a chapter or page, tied ones with their names; decks of slides repeat them."""
    if file.startswith("book/slides/"):
        return
    for pattern, named in ((FORMULA, True), (DISPLAY, False)):
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield Formula(match[2] if named else "", match[3] if named else match[1], file, line)


def faults(texts: Iterable[tuple[str, str]], ties: Mapping[str, Tie], by_hand: Sequence[Allowed]) -> list[Fault]:
    """What is wrong: formulas that their ties refute, ties and exceptions of nothing, formulas with neither."""
    found, unused, listed = [], dict(ties), set(by_hand)
    for formula in (f for file, text in texts for f in formulas(file, text)):
        if formula.name:
            unused.pop(formula.name, None)
            if formula.name not in ties:
                why = f"no module in {FOLDER} ties {formula.name!r}"
                found.append(Fault(formula, why, "write its tie there, as the others are"))
            elif problem := ties[formula.name].check(formula.tex):
                found.append(Fault(formula, problem, "mend the formula, or its tie in " + FOLDER))
            continue
        reasons = [entry for entry in by_hand if fnmatch(formula.file, entry.file) and entry.text in formula.tex]
        listed -= {*reasons}
        if not reasons:
            why = "this formula is tied to nothing"
            found.append(Fault(formula, why, f"make it a {{formula}}, or say in {BY_HAND} why not"))
    for name in unused:
        where = Formula(name, "", FOLDER, 0)
        found.append(Fault(where, "no chapter shows this formula", "remove the tie"))
    for entry in sorted(listed):
        where = Formula("", entry.text, entry.file, 0)
        found.append(Fault(where, "no untied formula there has this text", f"remove it from {BY_HAND}"))
    return found


def problems(root: Path, texts: Iterable[tuple[str, str]]) -> list[Problem]:
    """What is wrong with the displayed formulas of the book in `root`, as the agreement reports it."""
    found = faults(texts, load(root / FOLDER), load_allowed(root / BY_HAND))
    return [
        Problem(
            "formula", f.name or "(untied)", f"{f.file}:{f.line}", " ".join(f.tex.split()), "-", why, "-", remedy
        )
        for f, why, remedy in found
    ]
