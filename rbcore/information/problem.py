"""What is asked of the prover: a statement and its assumptions, read once, and what the assumptions impose."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from rbcore.information.expr import Constraint, Statement, parse
from rbcore.information.forms import Quantity, Value

Text = str | Statement


class ProverError(ValueError):
    """A question the prover cannot take: it says nothing, is too large, or came with a broken answer."""


def read(statement: Text) -> Statement:
    """The statement, parsed.  Raises ProverError if it says nothing, ExpressionError if it is none."""
    statement = parse(statement) if isinstance(statement, str) else statement
    if not statement.variables or not statement.constraints:
        raise ProverError(f"{statement.text!r} says nothing: it has no variables")
    return statement


@dataclass(frozen=True)
class Problem:
    """A statement and the assumptions under which it shall hold.  Public functions read it from text, or take it
    as it is; from there on it travels as an object.
    """

    statement: Statement
    given: tuple[Statement, ...] = ()

    @classmethod
    def read(cls, statement: "Question", given: Iterable[Text] = ()) -> "Problem":
        """From texts or statements; a problem may get further assumptions.  Raises as :func:`read` does."""
        if isinstance(given, str):
            raise ProverError(f"assumptions are a list of statements, got the text {given!r}: write [{given!r}]")
        problem = statement if isinstance(statement, Problem) else cls(read(statement))
        more = tuple(map(read, given))
        return cls(problem.statement, problem.given + more) if more else problem

    def __str__(self) -> str:
        return "\n  given ".join([self.statement.text, *(g.text for g in self.given)])

    def without(self, index: int) -> "Problem":
        """The same with one assumption dropped."""
        return Problem(self.statement, self.given[:index] + self.given[index + 1 :])

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
        matches = {c: Quantity.match(c.form.coefficients) for c in self.assumptions}
        return {c: match for c, match in matches.items() if match and (c.relation == "=" or match[0] < 0)}

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
        """All of it for JSON."""
        return {"statement": self.statement, "given": [*self.given]}
