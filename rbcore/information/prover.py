r"""A prover for information inequalities, whose answers can be checked without it.

A statement that is a sum, with non-negative multipliers, of Shannon quantities (conditional entropies and mutual
informations, all at least 0) and of the assumptions is true of every distribution.  A linear program,
:class:`rbcore.information.shannon.Program`, decides whether there is such a sum, and :func:`prove` returns

* a :class:`Certificate`, the sum itself, equal to the statement coefficient by coefficient, or
* an :class:`Unprovable`, with a polymatroid that obeys all Shannon inequalities and the assumptions but
  not the statement, and, if a search finds one, with a distribution that violates it.

    print(prove("I(S;W) <= I(S;P)", ["S -> P -> W"]))

Both are exact: the solver's floating-point answer is made rational and then compared as fractions.
"""

import functools
import itertools
import json
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from scipy import sparse
from scipy.optimize import linprog

from rbcore.information.chains import Chain, check_chains, derive
from rbcore.information.expr import Constraint, Side, latex, parse
from rbcore.information.forms import Form, LinearForm, Quantity, combine, write
from rbcore.information.problem import SHANNON, Answer, Problem, ProverError, Question, Step, Text
from rbcore.information.refute import Counterexample, Unprovable, find_counterexample
from rbcore.information.shannon import Program, differences, is_equation, weights_of

_SETS = 400  # of variables, that a short proof may speak of


@dataclass(frozen=True)
class Certificate(Answer):
    """A proof, made by :func:`prove`: ``proofs`` has, for each goal of the statement, the steps that sum to it."""

    proofs: tuple[tuple[Step, ...], ...]

    @functools.cached_property
    def chains(self) -> tuple[tuple[Chain, ...], ...]:
        """The proof to read, for each relation of the statement: see :mod:`rbcore.information.chains`."""
        return derive(self.problem, self.proofs)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of all goals."""
        return tuple(step for steps in self.proofs for step in steps)

    def verify(self) -> bool:
        """Check the proof in exact arithmetic, from the statement, the assumptions and the texts of the steps.

        Every step must be a Shannon quantity, with a multiplier >= 0, or an assumption, with a multiplier
        >= 0 unless it is an equation; and the steps must sum to the goal, coefficient by coefficient.
        """
        assumed = {(c.form, c.relation, c.source) for c in self.problem.premises}
        sums = []
        for steps in self.proofs:
            total = LinearForm()
            for text, multiplier, reason in steps:
                ((form, relation, *_),) = parse(text).constraints
                match = Quantity.match(form.coefficients)
                shannon = reason == SHANNON and relation == ">=" and match is not None and match[0] > 0
                if not (shannon or (form, relation, reason) in assumed) or (relation == ">=" and multiplier < 0):
                    return False
                total += multiplier * form
            sums.append(total)
        return sums == [goal.form for goal in self.problem.statement.goals]

    def __str__(self) -> str:
        """First the chains, then the sums that were verified; a relation without a chain has its sum alone."""
        lines, end, sums = [str(self.problem)], "", []
        width = max((chain.width for chain in itertools.chain(*self.chains)), default=0)
        for chains, goals in self._relations():
            for chain in chains:
                lines += [f"    {line}" for line in chain.lines(chain.start != end, width)]
                end = chain.links[-1].text
            for goal, steps in goals:
                if chains and steps:
                    text = f"{goal.text} = {_summed(steps)}"
                    sums += textwrap.wrap(text, 100, initial_indent="    ", subsequent_indent="      ")
                elif not chains:
                    lines += _listed(goal, steps)
        if sums:
            lines += ["  in sum, with [what is assumed]:", *sums]
        return "\n".join(lines)

    def _relations(self) -> Iterator[tuple[tuple[Chain, ...], list[tuple[Side, tuple[Step, ...]]]]]:
        """For each relation of the statement its chains, and its goals with their steps."""
        goals = iter(zip(self.problem.statement.goals, self.proofs, strict=True))
        for chains, constraint in zip(self.chains, self.problem.statement.constraints, strict=True):
            yield chains, list(itertools.islice(goals, 2 if constraint.relation == "=" else 1))

    def chains_latex(self) -> str:
        """The chains as an ``aligned`` block; empty if there are none."""
        lines, end = [], ""
        for chain in itertools.chain(*self.chains):
            lines += chain.latex(chain.start != end)
            end = chain.links[-1].text
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}" if lines else ""

    def latex(self) -> str:
        """The proof as an ``aligned`` block, each summand over what is known of it."""
        lines = []
        for goal, steps in zip(self.problem.statement.goals, self.proofs, strict=True):
            lines.append(rf"& {latex(goal.text)}" + ("" if steps else " = 0"))
            for i, (text, multiplier, _) in enumerate(steps):
                ((_, relation, _, larger, smaller),) = parse(text).constraints
                form = larger.minus(smaller)
                sign = "-" if multiplier < 0 else "+" if i else ""
                size = abs(multiplier)
                factor = "" if size == 1 else latex(str(size)) + r"\,"
                form = f"({form})" if re.search(r" [+-] |^-", form) else form
                below = r"\ge 0" if relation == ">=" else "= 0"
                lines.append(rf"&\quad {'' if i else '= '}{sign}{factor}\underbrace{{{latex(form)}}}_{{{below}}}")
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def payload(self) -> dict[str, Any]:
        """All of it for JSON, multipliers as strings such as "1/2"."""
        proofs = [[[s, str(m), r] for s, m, r in steps] for steps in self.proofs]
        chains = [[chain.payload() for chain in some] for some in self.chains]
        return super().payload() | {"proofs": proofs, "chains": chains}

    @classmethod
    def from_json(cls, text: str) -> "Certificate":
        """Read its payload back.  Raises ProverError unless it verifies, and its chains do if it has some."""
        data = json.loads(text)
        proofs = tuple(tuple(Step(s, Fraction(m), r) for s, m, r in steps) for steps in data["proofs"])
        certificate = cls(Problem.read(data["statement"], data["given"], data.get("copies", ())), proofs)
        if not certificate.verify():
            raise ProverError(f"this is no proof of {certificate.statement}")
        if "chains" in data:
            chains = tuple(tuple(Chain.read(chain) for chain in some) for some in data["chains"])
            if not check_chains(certificate.problem, chains):
                raise ProverError(f"this is no chain that proves {certificate.statement}")
            certificate.__dict__["chains"] = chains
        return certificate


def _summed(steps: Iterable[Step]) -> str:
    """The steps as a sum in one line, what is assumed in brackets."""
    text = ""
    for inequality, multiplier, reason in steps:
        form = inequality.rsplit(" ", 2)[0]
        factor = "" if abs(multiplier) == 1 else f"{abs(multiplier)} "
        text += f" {'-' if multiplier < 0 else '+'} {factor}{form if reason == SHANNON else f'[{form}]'}"
    return text.removeprefix(" + ").strip()


def _listed(goal: Side, steps: Sequence[Step]) -> list[str]:
    """The steps in a line each, with their reasons."""
    lines = [f"  because {goal.text} is" + ("" if steps else " 0 identically")]
    width = max((len(step.inequality) for step in steps), default=0)
    for text, multiplier, reason in steps:
        factor = "" if abs(multiplier) == 1 else str(abs(multiplier))
        lines.append(f"    {'-' if multiplier < 0 else '+'} {factor:>3} {text:<{width}}  ({reason})")
    return lines


def prove(
    statement: Question,
    given: Iterable[Text] = (),
    search: bool = True,
    rng: Generator | None = None,
    copies: Iterable[str] = (),
) -> Certificate | Unprovable:
    """Decide whether the statement follows from Shannon inequalities, the assumptions and the copies.

    Args:
        statement: what to prove; see :mod:`rbcore.information.expr` for the language.
        given: the assumptions; where the statement is a problem, those that it does not have yet.
        search: whether to look for a counterexample if there is no proof.
        rng: for that search; by default with a fixed seed.
        copies: variables to add, such as "A' ~ A | B,C": given B and C, A' is distributed as A is, and is
            independent of all others.  Each distribution can be so extended (the copy lemma of Zhang and Yeung
            1998), so what is proved of the larger one is true; more can be proved than without.

    Raises ExpressionError for a text that is no statement, and ProverError for one that says nothing or
    has too many variables.  The answer has passed its own ``verify``.

    >>> print(prove("I(A;C) <= I(A;B)", ["A -> B -> C"]))
    I(A;C) <= I(A;B)
      given A -> B -> C
        I(A;C)
          <= I(A;C,B)   since I(A;B|C) >= 0
           = I(A;B)     by A -> B -> C
      in sum, with [what is assumed]:
        I(A;B) - I(A;C) = I(A;B|C) - [I(A;C|B)]
    >>> prove("I(A;B|C) <= I(A;B)").refuted
    True
    """
    problem = Problem.read(statement, given, copies)
    program, proofs = Program(problem), []
    ready = not program.large and program.set_up()
    for goal in problem.statement.goals:
        form = program.masked(goal.form)
        proof = _near(program, form) if program.large else None
        if proof is None:
            rays = itertools.chain(program.matroids(form), _few_vary(problem, goal)) if program.large else ()
            failure = _failure(problem, program, goal.text, rays)
            if failure is None:
                ready = ready or program.set_up()
                proof, failure = _decide(problem, program, goal.text, form)
            if failure is not None:
                found = (find_counterexample(problem, (), rng) or failure.shared_bit()) if search else None
                return replace(failure, counterexample=found)
        assert proof is not None  # one of the two there is
        proofs.append(_steps(program, _shorten(program, form, program.cite(proof))))
    certificate = Certificate(problem, tuple(proofs))
    if not certificate.verify():
        raise RuntimeError(f"the proof of {certificate.statement!r} does not verify")
    return certificate


def _decide(
    problem: Problem, program: Program, text: str, form: Form
) -> tuple[dict[Any, Fraction] | None, Unprovable | None]:
    """A proof of the goal, or a ray against it: the solver's, made exact, or else an exact program's."""
    multipliers, point = program.solve(form)
    proof = program.certify(form, multipliers) if multipliers or not point else None
    if proof is not None:
        return proof, None
    failure = _failure(problem, program, text, program.rays(point) if point else ())
    if failure is None:
        proof, ray = program.exactly(form)
        failure = None if ray is None else _failure(problem, program, text, [ray])
    if proof is None and failure is None:
        raise RuntimeError(f"the solver's answer for {text} >= 0 could not be made exact")
    return proof, failure


def _few_vary(problem: Problem, goal: Side) -> Iterator[dict[frozenset[str], Fraction]]:
    """Rays at which all variables are constants, but for those of the goal's smaller side and two more at most."""
    (c,) = [c for c in problem.statement.constraints if goal.form in (c.form, -c.form)][:1]
    core = c.smaller.form.variables
    others = [name for name in problem.statement.variables if name not in core]
    for k in range(3 if len(core) <= 3 and not problem.copies else 0):
        for more in itertools.combinations(others, k):
            few = problem.among({*core, *more})
            [form] = [g.form for g in few.statement.goals if g.text == goal.text][:1]
            if form.coefficients:
                program = Program(few).set_up()
                _, point = program.solve(program.masked(form))
                yield from program.rays(point) if point else ()


def _failure(
    problem: Problem, program: Program, text: str, rays: Iterable[dict[frozenset[str], Fraction]]
) -> Unprovable | None:
    """The first of the rays that passes the check."""
    keys = [frozenset([name]) for name in problem.constants]
    values = ((ray, {min(key): ray.pop(key, Fraction(0)) for key in keys}) for ray in rays)
    candidates = (Unprovable(problem, text, ray, None, program.stands, constants) for ray, constants in values)
    return next((candidate for candidate in candidates if candidate.verify()), None)


def _shorten(program: Program, goal: Form, proof: dict[Any, Fraction]) -> dict[Any, Fraction]:
    """A proof with fewer steps, if a linear program finds one on the sets that occur in this one."""
    sets = {0}.union(*(goal, *map(program.form, proof)))
    if len(proof) < 2 or len(sets) > _SETS:
        return proof
    shorter = _least(program, goal, sets, [row for row in proof if isinstance(row, Constraint)])
    return shorter if shorter is not None and len(shorter) < len(proof) else proof


def _near(program: Program, goal: Form) -> dict[Any, Fraction] | None:
    """A proof on few sets, or None: those that are named, the first k variables, and where these meet.

    With many variables this is much faster than the program over all sets, and often enough.
    """
    named = sorted(program.named)
    names = [bit for bit in program.bit.values() if any(bit & s for s in named)]
    first = [sum(names[: i + 1]) for i in range(len(names))]
    sets = {0, *named, *first, *program.constants}
    for s, t in itertools.product(named, first):
        sets |= {s | t, s & t}
    for s, t in itertools.combinations(named, 2):
        sets |= {s | t, s & t} if len(sets) < _SETS else set()
    if len(sets) > 2 * _SETS:
        return None
    return _least(program, goal, sets, [*program.assumptions])


def _least(
    program: Program, goal: Form, chosen: Iterable[int], cited: Sequence[Constraint]
) -> dict[Any, Fraction] | None:
    """The proof of least weight from the Shannon quantities on the chosen sets and the assumptions cited; or None.

    The quantities are all, such as I(A,B;C|D) in place of a sum of elemental ones.  The sum of the multipliers is
    minimized, each times a weight near 1 so that only one proof has the least.
    """
    sets = np.array(sorted(chosen))
    low, v = (sets[i] for i in np.triu_indices(len(sets), 1))
    both, c = low | v, low & v
    u = np.where(c == low, v, low)  # H(v|u) if u is within v, else I(u;v|c)
    terms = np.array([u, v, both, c]).T[np.isin(both, sets) & np.isin(c, sets)]
    pool = [Quantity(u, v, c) for u, v, _, c in terms.tolist()]
    signed = [*((row, 1) for row in cited), *((row, -1) for row in cited if is_equation(row))]
    forms = {row: program.form(row) for row in cited}
    given = [[sign * float(forms[row].get(s, 0)) for row, sign in signed] for s in sets.tolist()]
    columns = sparse.hstack([differences(np.searchsorted(sets, terms), len(sets)).T, given])
    cost = weights_of(len(pool) + len(signed))
    cost[len(pool) :] /= 100
    target = [float(goal.get(s, 0)) for s in sets.tolist()]
    found = linprog(cost, A_eq=columns.tocsr()[1:], b_eq=target[1:]).x  # h of no set is 0
    if found is None:
        return None
    proof: dict[Any, Fraction] = {}
    for (row, sign), x in zip([*((q, 1) for q in pool), *signed], found, strict=True):
        proof[row] = proof.get(row, Fraction(0)) + sign * Fraction(x).limit_denominator(10_000)
    proof = {row: m for row, m in proof.items() if m}
    same = combine((1, goal), *((-m, program.form(row)) for row, m in proof.items())) == {}
    return proof if same else None


def _steps(program: Program, proof: Mapping[Any, Fraction]) -> tuple[Step, ...]:
    """The proof in words: Shannon quantities first, in the order of the variables' first appearance."""
    steps = []
    for row, multiplier in proof.items():
        shannon = isinstance(row, Quantity)
        form, relation, reason = (program.unmasked(row.form), ">=", SHANNON) if shannon else row[:3]
        steps.append(Step(f"{write(form, program.names)} {relation} 0", multiplier, reason))
    return tuple(sorted(steps, key=lambda step: (step.reason != SHANNON, len(step.inequality), step)))


class Need(NamedTuple):
    """Whether a statement is still provable without one of its assumptions, and the answer that shows it."""

    assumption: str
    needed: bool
    evidence: Certificate | Unprovable

    @property
    def counterexample(self) -> Counterexample | None:
        """The distribution that breaks the statement without the assumption, if one was found."""
        return self.evidence.counterexample if isinstance(self.evidence, Unprovable) else None

    def payload(self) -> dict[str, Any]:
        """All of it for JSON, but of the evidence only the counterexample."""
        found = self.counterexample and self.counterexample.payload()
        return {"assumption": self.assumption, "needed": self.needed, "counterexample": found}


def needed_assumptions(
    statement: Question, given: Iterable[Text] = (), rng: Generator | None = None
) -> list[Need]:
    """Drop each assumption in turn.  "Needed" is certain only where the evidence has a counterexample."""
    problem = Problem.read(statement, given)
    answers = [prove(problem.without(i), rng=rng) for i in range(len(problem.given))]
    return [Need(g.text, isinstance(a, Unprovable), a) for g, a in zip(problem.given, answers, strict=True)]


class Sharp(NamedTuple):
    """The last constant for which a statement is provable, and one just beyond it for which it is not."""

    value: Fraction
    proof: Certificate
    beyond: Fraction
    failure: Unprovable


def sharpest(
    template: str,
    parameter: str,
    lo: Any,
    hi: Any,
    given: Iterable[Text] = (),
    tolerance: Fraction = Fraction(1, 1000),
) -> Sharp:
    """The constant between ``lo`` and ``hi`` at which a statement stops being provable.

    Args:
        template: a statement with a place such as ``"I(S;W) >= {c} I(S;P)"`` for the parameter, "c".
        given: the assumptions, which may have such a place, too.
        lo, hi: two constants; the statement must be provable at one of them and not at the other.
        tolerance: how near the two constants of the answer shall be.

    Bisection, sped up by the rays: if the statement is linear in the parameter, the constant at which a
    ray stops violating it is the next one to try, and is often the sharp one.
    """
    given = tuple(g if isinstance(g, str) else g.text for g in given)

    def attempt(c: Fraction) -> Certificate | Unprovable:
        value = {parameter: f"({c})"}
        return prove(template.format(**value), [text.format(**value) for text in given], search=False)

    if tolerance <= 0:
        raise ProverError(f"the tolerance must be positive, not {tolerance}")
    good, bad = Fraction(lo), Fraction(hi)
    proof, failure = attempt(good), attempt(bad)
    if isinstance(proof, Unprovable):
        good, bad, proof, failure = bad, good, failure, proof
    if isinstance(proof, Unprovable) or isinstance(failure, Certificate):
        which = "provable" if isinstance(failure, Certificate) else "not provable"
        raise ProverError(f"{template!r} is {which} both at {lo} and at {hi}: there is nothing between to find")
    for turn in itertools.count():
        c = (good + bad) / 2
        if abs(bad - good) <= tolerance:
            c = simplest_between(good, bad)
            if c.denominator >= good.denominator:
                break
        elif turn % 2 == 0 and (held := failure.slack(proof.problem.statement)) >= 0:
            crossing = good + (bad - good) * held / (held - failure.slack(failure.problem.statement))
            if held == 0:
                c = good + (tolerance if bad > good else -tolerance)
            elif abs(bad - crossing) > tolerance / 10:  # else too near for the solver, if not linear
                c = crossing.limit_denominator(10_000)
        answer = attempt(c)
        if isinstance(answer, Certificate):
            good, proof = c, answer
        else:
            bad, failure = c, answer
    return Sharp(good, proof, bad, replace(failure, counterexample=find_counterexample(failure.problem)))


def simplest_between(a: Fraction, b: Fraction) -> Fraction:
    """The fraction of smallest denominator strictly between a and b (Stern-Brocot)."""
    low, high = sorted((a, b))
    whole = math.floor(low)
    if low < 0 < high:
        return Fraction(0)
    if high <= 0:
        return -simplest_between(-high, -low)
    if whole + 1 < high:
        return Fraction(whole + 1)
    if low == whole:
        return whole + Fraction(1, math.floor(1 / (high - whole)) + 1)
    return whole + 1 / simplest_between(1 / (high - whole), 1 / (low - whole))
