"""What is asked of the prover: a statement and its assumptions, read once, and what the assumptions impose."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from rbcore.information.expr import Constraint, Copy, Statement, parse, parse_copy
from rbcore.information.forms import LinearForm, Quantity, Value, combine, is_constant

Text = str | Statement
ALPHABET = "alphabet"  # why H(A) <= log|A|
SHANNON = "Shannon"  # why a conditional entropy or information is at least 0


class ProverError(ValueError):
    """A question the prover cannot take: it says nothing, is too large, or came with a broken answer."""


def read(statement: Text) -> Statement:
    """The statement, parsed.  Raises ProverError if it says nothing, ExpressionError if it is none."""
    statement = parse(statement) if isinstance(statement, str) else statement
    if not (statement.variables or statement.sets) or not statement.constraints:
        raise ProverError(f"{statement.text!r} says nothing: it has no variables")
    return statement


def vanishing(constraint: Constraint) -> tuple[Fraction, Quantity] | None:
    """The scale and the Shannon quantity that the constraint says to be zero, or None."""
    match = Quantity.match(constraint.form.coefficients)
    return match if match and (constraint.relation == "=" or match[0] < 0) else None


@dataclass(frozen=True)
class Problem:
    """A statement and the assumptions under which it shall hold.  Public functions read it from text, or take it
    as it is; from there on it travels as an object.
    """

    statement: Statement
    given: tuple[Statement, ...] = ()
    copies: tuple[Copy, ...] = ()

    @classmethod
    def read(cls, statement: "Question", given: Iterable[Text] = (), copies: Iterable[str] = ()) -> "Problem":
        """From texts or statements; a problem may get further assumptions and copies.

        Raises as :func:`read` does, and for a copy that is not of known variables under a new name.
        """
        for what, texts in (("assumptions", given), ("copies", copies)):
            if isinstance(texts, str):
                raise ProverError(f"{what} are a list of statements, got the text {texts!r}: write [{texts!r}]")
        problem = statement if isinstance(statement, Problem) else cls(read(statement))
        if not problem.statement.variables:
            raise ProverError(f"{problem.statement.text!r} says nothing: it has no variables")
        more = tuple(map(read, given)), tuple(map(parse_copy, copies))
        if not any(more):
            return problem
        problem = cls(problem.statement, problem.given + more[0], problem.copies + more[1])
        known = {*problem.variables}
        for copy in problem.copies:
            if missing := {*copy.old, *copy.given} - known:
                raise ProverError(f"the copy {copy.text!r} needs {min(missing)!r}, which no statement names")
            if known & {*copy.new}:
                raise ProverError(
                    f"the copy {copy.text!r} needs a new name: {min(known & {*copy.new})!r} is taken"
                )
            known |= {*copy.new}
        return problem

    def __str__(self) -> str:
        lines = [
            self.statement.text,
            *(f"given {g.text}" for g in self.given),
            *(f"copy {c.text}" for c in self.copies),
        ]
        return "\n  ".join(lines)

    def without(self, index: int) -> "Problem":
        """The same with one assumption dropped."""
        return Problem(self.statement, self.given[:index] + self.given[index + 1 :], self.copies)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The variables and their copies."""
        return tuple(
            dict.fromkeys((*self.variables, *(name for c in self.copies for name in (*c.old, *c.given, *c.new))))
        )

    @functools.cached_property
    def constants(self) -> tuple[str, ...]:
        """The logarithms that occur, and those of the alphabets are at least the entropies."""
        sets = set().union(*(s.sets for s in (self.statement, *self.given)))
        return tuple(sorted(name for s in sets for name in s if is_constant(name)))

    @functools.cached_property
    def premises(self) -> tuple[Constraint, ...]:
        """What a proof may cite besides Shannon's inequalities: the assumptions, and what holds of the copies."""
        news = [{*copy.new} for copy in self.copies]
        lemmas = []
        for i, copy in enumerate(self.copies):
            later = set().union(*news[i:])
            lemmas += copy.constraints([name for name in self.names if name not in later])
        texts = (f"H({name[4:-1]}) <= {name}" for name in self.constants if name.endswith("|"))
        alphabets = (parse(text).constraints[0]._replace(source=ALPHABET) for text in texts)
        return (*self.assumptions, *lemmas, *alphabets)

    def among(self, names: Iterable[str]) -> "Problem":
        """The same of constants in place of all variables but the named ones; its texts are not changed."""
        keep = frozenset(names).union(self.constants)

        def reduced(s: Statement) -> Statement:
            forms = (combine(*((k, {t & keep: 1}) for t, k in c.form.coefficients.items())) for c in s.constraints)
            constraints = (c._replace(form=LinearForm(f)) for c, f in zip(s.constraints, forms, strict=True))
            return Statement(s.text, tuple(constraints), tuple(name for name in s.variables if name in keep))

        return Problem(reduced(self.statement), tuple(map(reduced, self.given)))

    @functools.cached_property
    def variables(self) -> tuple[str, ...]:
        """The variables of the statement, then of the assumptions, in order of first appearance."""
        return tuple(dict.fromkeys(name for s in (self.statement, *self.given) for name in s.variables))

    @functools.cached_property
    def assumptions(self) -> tuple[Constraint, ...]:
        """The constraints of all assumptions."""
        return tuple(c for s in self.given for c in s.constraints)

    @functools.cached_property
    def vanishing(self) -> dict[Constraint, tuple[Fraction, Quantity]]:
        """The assumptions by which a Shannon quantity is zero, with their scale and the quantity."""
        return {c: match for c in self.assumptions if (match := vanishing(c))}

    @functools.cached_property
    def functions(self) -> list[tuple[frozenset[str], ...]]:
        """Functional dependences that the assumptions impose: (inputs, outputs)."""
        return [(c, (u & v) - c) for _, (u, v, c) in self.vanishing.values() if u & v != c]

    @functools.cached_property
    def independences(self) -> list[tuple[frozenset[str], ...]]:
        """Conditional independences that they impose: (one, other, given)."""
        return [(u - v, v - u, u & v) for _, (u, v, _) in self.vanishing.values() if u & v not in (u, v)]

    def inputs(self, name: str, known: Iterable[str]) -> list[str] | None:
        """The fewest known variables that ``name`` must be a function of, or None if it need not be one."""
        found = [inputs for inputs, outputs in self.functions if name in outputs and inputs <= {*known}]
        return sorted(min(found, key=len)) if found else None

    def separated(self, name: str) -> frozenset[str]:
        """The variables on which ``name`` must not depend directly, since they are independent given others."""
        ends = [(a, b) for one, other, _ in self.independences for a, b in ((one, other), (other, one))]
        return frozenset().union(*(b for a, b in ends if name in a))

    def assumed_slack(self, entropies: Mapping[frozenset[str], Value]) -> np.ndarray:
        """By how much the assumptions hold, but at most 0, from the entropies of their sets; one per model."""
        slacks = [g.slack_of(entropies) for g in self.given]
        return functools.reduce(np.minimum, slacks, np.zeros_like(entropies[frozenset()]))


class Step(NamedTuple):
    """One summand of a proof: ``multiplier`` times the left-hand side of ``inequality``, ".. >= 0" or ".. = 0".

    ``reason`` is "Shannon" or the text of an assumption (of a part of it, if it is a chain).
    """

    inequality: str
    multiplier: Fraction
    reason: str


Question = Text | Problem  # what the public functions take


@dataclass(frozen=True)
class Answer:
    """An answer to a problem, which can be checked without the prover and stored as JSON."""

    problem: Problem

    @property
    def statement(self) -> str:
        """The statement's text."""
        return self.problem.statement.text

    @property
    def given(self) -> tuple[str, ...]:
        """The assumptions' texts."""
        return tuple(g.text for g in self.problem.given)

    def payload(self) -> dict[str, Any]:
        """All of it for JSON; copies only where there are some."""
        copies = [copy.text for copy in self.problem.copies]
        return {"statement": self.statement, "given": [*self.given]} | ({"copies": copies} if copies else {})
