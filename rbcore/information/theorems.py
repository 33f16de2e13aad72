"""A statement with all that stands behind it: proof, dropped assumptions, attempts to break it, a worse constant.

    bound = theorem("I(S;W) <= I(S;P)", ["S -> P -> W"], rng, models=20_000)
    claim("dpi", "Information about the anchors can only shrink.", bound)

The claim stores everything in the notebook's output; the page "What holds, and under what" is made from it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.random import Generator

from rbcore.checks import Check
from rbcore.information.falsify import Falsified, falsify, twins
from rbcore.information.problem import Problem, ProverError, Text
from rbcore.information.prover import Certificate, Need, needed_assumptions, prove
from rbcore.information.refute import Counterexample
from rbcore.information.verify import broken

BIT = math.log(2)
SOURCES = {
    "textbook": "a fact of information theory",
    "paper": "the framework of the paper",
    "formulation": "this book's formulation of a bound in the paper's framework",
    "book": "this book's",
}


@dataclass(frozen=True)
class Theorem:
    """A proved statement of Shannon type; made by :func:`theorem`."""

    proof: Certificate
    needs: tuple[Need, ...]  # for each assumption, whether the statement is provable without it
    falsified: Falsified  # the smallest slack on random models that satisfy the assumptions
    twins: tuple[tuple[str, Counterexample | None], ...]  # a constant one per cent off, and a model that breaks it
    source: str  # whose it is, a key of SOURCES
    name: str = ""  # what the page of theorems calls it

    @property
    def statement(self) -> str:
        """The text that was proved."""
        return self.proof.statement

    @property
    def given(self) -> tuple[str, ...]:
        """The assumptions."""
        return self.proof.given

    @property
    def needed(self) -> tuple[str, ...]:
        """The assumptions without which a distribution breaks the statement."""
        return tuple(n.assumption for n in self.needs if n.counterexample)

    def check(self) -> Check:
        """The certificate verifies, every dropped assumption's evidence does, and no random model breaks it."""
        evidence = all(need.evidence.verify() for need in self.needs)
        holds = self.proof.verify() and evidence and self.falsified.slack >= -1e-8
        return Check(holds, "proved", "certificate")

    def each_needed(self) -> Check:
        """Every assumption is needed: without it there is a distribution that breaks the statement.

        The value is the smallest of these violations, in nats.
        """
        if not self.needs:
            raise ProverError(f"{self.statement!r} has no assumptions: there is nothing to drop")
        return broken(*(need.counterexample for need in self.needs))

    def sharp(self) -> Check:
        """With its larger side one per cent smaller, each inequality is broken by a distribution.

        The value is the smallest of these violations, in nats.  An equation has no such twin, and a statement that
        has equations only raises ProverError.
        """
        if not self.twins:
            raise ProverError(f"{self.statement!r} has no inequality with a positive side, so it has no twin")
        return broken(*(found for _, found in self.twins))

    def assumptions(self) -> str:
        """The assumptions, each with what dropping it does; one line, for the pins."""
        effects = {
            n.assumption: "not needed" if not n.needed else "needed" if n.counterexample else "open"
            for n in self.needs
        }
        return "; ".join(f"{assumption} ({effect})" for assumption, effect in effects.items())

    def payload(self) -> dict[str, Any]:
        """All of it as JSON: what the notebook keeps, and the page of theorems shows."""
        found = self.falsified
        return {
            "certificate": self.proof.payload(),
            "name": self.name,
            "source": self.source,
            "needs": [need.payload() for need in self.needs],
            "models": found.models,
            "slack": _settled(found.slack),
            "ratios": [None if math.isnan(ratio) else _settled(ratio) for ratio in found.ratios],
            "twins": [{"statement": text, "counterexample": one and one.payload()} for text, one in self.twins],
        }

    def __str__(self) -> str:
        lines = [str(self.proof), ""]
        for need in self.needs:
            what = "not needed: the proof does without it"
            if need.needed:
                found = need.counterexample
                size = f"broken by {found.violation() / BIT:.4g} bit" if found else "no proof; open"
                what = f"needed: without it, {size}"
            lines.append(f"  {need.assumption:<24} {what}")
        found = self.falsified
        lines.append(f"  {found.models:,} random models: smallest slack {_settled(found.slack) / BIT:.1g} bit")
        for text, one in self.twins:
            size = f"broken by {one.violation() / BIT:.2g} bit" if one else "no model found that breaks it"
            lines.append(f"  {text}: {size}")
        return "\n".join(lines)

    __repr__ = __str__


def theorem(
    statement: Text, given: Iterable[Text], rng: Generator, models: int, source: str = "book", name: str = ""
) -> Theorem:
    """Prove a statement, drop its assumptions one by one, and try to break it.

    Args:
        statement, given: in the expression language.
        rng: for the random models.
        models: on how many of them the statement is evaluated.
        source: whose statement it is: one of :data:`SOURCES`.
        name: a short name, for the page that lists all theorems; by default its claim's id in words.

    Raises ProverError if it cannot be proved, with the counterexample if one was found.

    >>> import numpy as np
    >>> shrinks = theorem("I(A;C) <= I(A;B)", ["A -> B -> C"], np.random.default_rng(0), models=100)
    >>> shrinks.needed, shrinks.sharp().holds
    (('A -> B -> C',), True)
    """
    if source not in SOURCES:
        raise ProverError(f"a statement's source is one of {', '.join(SOURCES)}, got {source!r}")
    problem = Problem.read(statement, given)
    proof = prove(problem)
    if not isinstance(proof, Certificate):
        raise ProverError(f"not proved:\n{proof}")
    needs, found = tuple(needed_assumptions(problem)), falsify(problem, (), rng, models)
    return Theorem(proof, needs, found, tuple(twins(problem)), source, name)


def verified(payload: Mapping[str, Any]) -> bool:
    """Whether what :meth:`Theorem.payload` stored is a proof and counterexamples, checked anew and exactly."""
    try:
        Certificate.from_json(json.dumps(payload["certificate"]))
        for one in [*payload["needs"], *payload["twins"]]:
            if one["counterexample"] is not None:
                Counterexample.from_json(json.dumps(one["counterexample"]))
    except ProverError:
        return False
    return True


def _settled(x: float) -> float:
    """Without the digits that are rounding: a slack of zero is zero on every processor."""
    return round(x, 12) + 0.0
