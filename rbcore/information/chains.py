r"""Proofs that read from left to right: a <= b = c <= d, with a reason at each step.

A certificate is a sum, which is easy to check and hard to read.  :func:`derive` turns it into chains from the left
side of the statement to its right side.  Each link adds one non-negative Shannon quantity or one assumption with
"<=", or rewrites by an assumption that makes a quantity vanish; and it carries what proves that.  So
:func:`check_chain` needs nothing but the chain and the problem: it expands both sides of each link to joint
entropies, in fractions.

A link may use what an assumption implies, not only what it says: if G is a function of X and eps, then
I(G;W|X,eps) = 0.  Such a link carries the Shannon quantities by which the implied one is smaller than what the
assumption says to be zero.

Which sets of variables occur is taken from the certificate.  A linear program chooses the quantities, a search
over their order keeps short what stands between them, and a second linear program writes each expression with few
terms.  A chain is kept if it is worth reading: see :data:`MOST_LINKS` and :data:`MOST_TERMS`.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from rbcore.information.expr import Constraint, ExpressionError, Side, latex, parse, parse_form
from rbcore.information.forms import Form, LinearForm, Masks, Quantity, combine, write
from rbcore.information.problem import ALPHABET, SHANNON, Problem, Step, vanishing
from rbcore.information.shannon import differences, weights_of

MOST_LINKS = 10  # a longer chain is no easier to read than the sum
MOST_TERMS = 2  # an expression inside has at most so many more terms than the longer side of the statement
_SETS = 48  # of variables, up to which unions and intersections are added to those of the certificate
_WIDTH, _WIDTH_LATEX = 100, 75  # of a printed line, and of a line of a page, as text
_TERM = r"[HI]\([^()]*\)|\blog(?: \d+|\|[^|]*\|)"


class Link(NamedTuple):
    """One link of a chain, ``relation text``, such as "<= I(A;B,C)"; the expression before it is the last link's.

    ``step`` is what the two differ by, up to its sign: a Shannon quantity or an assumption, times a multiplier;
    None if they are the same form.  ``because`` are steps that sum to minus the quantity: it is zero by them.
    """

    relation: str
    text: str
    step: Step | None = None
    because: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Chain:
    """A proof of one relation of a statement, from one side to the other."""

    start: str
    links: tuple[Link, ...]

    @property
    def width(self) -> int:
        """Of the column of expressions, where they are short enough that the reasons can stand in another one."""
        width = max(len(link.text) for link in self.links)
        return width if width <= 60 else 0

    def lines(self, start: bool = True, width: int = 0) -> list[str]:
        """As text, a line for each link with its reason; without the start where it stands there already."""
        width = max(width, self.width)
        lines = [self.start] if start else []
        for before, link in zip([self.start, *(link.text for link in self.links)], self.links, strict=False):
            line = f"  {link.relation:>2} {link.text:<{width}}"
            reason = why(link, before).replace("$", "")
            lines += (
                [f"{line}   {reason}"] if len(line + reason) < _WIDTH else [line.rstrip(), f"        {reason}"]
            )
        return lines

    def latex(self, start: bool = True) -> list[str]:
        """The same as lines of an ``aligned`` block."""
        lines = [f"& {latex(self.start)}"] if start else []
        for before, link in zip([self.start, *(link.text for link in self.links)], self.links, strict=False):
            sign = {"<=": r"\le", ">=": r"\ge", "=": "="}[link.relation]
            lines.append(rf"&\quad {sign} {latex(link.text)}")
            reason = why(link, before)
            words = "".join(
                _math(part) if i % 2 else rf"\text{{{part}}}" for i, part in enumerate(reason.split("$")) if part
            )
            if len(link.text) + len(reason) < _WIDTH_LATEX:
                lines[-1] += rf" \quad {words}"
            else:
                lines.append(rf"&\qquad\quad {words}")
        return lines

    def payload(self) -> dict[str, Any]:
        """For JSON."""

        def plain(step: Step | None) -> list[str] | None:
            return step and [step.inequality, str(step.multiplier), step.reason]

        return {
            "start": self.start,
            "links": [[r, text, plain(s), [plain(b) for b in because]] for r, text, s, because in self.links],
        }

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Chain":
        """From its payload, unchecked."""

        def step(stored: Sequence[str] | None) -> Step | None:
            return None if stored is None else Step(stored[0], Fraction(stored[1]), stored[2])

        links = ((r, text, step(s), [step(b) for b in because]) for r, text, s, because in data["links"])
        return cls(data["start"], tuple(Link(r, text, s, tuple(b for b in bs if b)) for r, text, s, bs in links))


def check_chain(problem: Problem, chain: Chain, index: int = 0) -> bool:
    """Whether the chain proves the statement's relation number ``index``, or one direction of it if it is "=".

    Exact, and independent of how the chain was found.  Both ends must be the statement's sides, as it writes them;
    each link must change the expression by just its step, in the right direction; and the step must be a Shannon
    quantity, an assumption, or a Shannon quantity that is zero by the steps behind it.

    >>> from rbcore.information.prover import prove
    >>> proof = prove("I(A;C) <= I(A;B)", ["A -> B -> C"])
    >>> ((chain,),) = proof.chains
    >>> check_chain(proof.problem, chain), check_chain(Problem.read("I(A;C) <= I(A;B)"), chain)
    (True, False)
    """
    left, sign, right = problem.statement.relations[index]
    signs = {link.relation for link in chain.links} - {"="}
    sides = [(left.text, right.text)]
    if sign == "=" and signs:
        sides, sign = [*sides, (right.text, left.text)], "<="
    if not chain.links or (chain.start, chain.links[-1].text) not in sides or not signs <= {sign}:
        return False
    before = parse_form(chain.start)
    for link in chain.links:
        after = parse_form(link.text)
        if not _sound(problem, link, after - before):
            return False
        before = after
    return True


def _sound(problem: Problem, link: Link, change: LinearForm) -> bool:
    """Whether the link's step is known, and the expression changes by just this step in the right direction."""
    if link.step is None:
        return link.relation == "=" and not change.coefficients and not link.because
    text, multiplier, reason = link.step
    ((form, relation, *_),) = parse(text).constraints
    step = multiplier * form
    if link.relation == "=":
        if link.because:
            total = LinearForm()
            for one in link.because:
                ((part, sign, *_),) = parse(one.inequality).constraints
                if not _known(problem, part, sign, one.reason) or (sign == ">=" and one.multiplier < 0):
                    return False
                total += one.multiplier * part
            if not _shannon(form) or total != -form:
                return False
        elif relation != "=" or reason == SHANNON or not _known(problem, form, relation, reason):
            return False
        return change == step
    known = relation == ">=" and multiplier >= 0 and _known(problem, form, relation, reason)
    return known and not link.because and change == (step if link.relation == "<=" else -step)


def _known(problem: Problem, form: LinearForm, relation: str, reason: str) -> bool:
    """Whether ``form relation 0`` is Shannon's, or an assumption."""
    if reason == SHANNON:
        return relation == ">=" and _shannon(form)
    return any((c.form, c.relation, c.source) == (form, relation, reason) for c in problem.premises)


def _shannon(form: LinearForm) -> bool:
    match = Quantity.match(form.coefficients)
    return match is not None and match[0] > 0


# --- in words --------------------------------------------------------------------------------------------


def why(link: Link, before: str = "") -> str:
    """The reason of a link in words, with formulas between dollar signs; ``before`` is what it starts from."""
    if link.step is None:
        return "identically, in joint entropies"
    if link.because:
        return _assumed([step for step in link.because if step.reason != SHANNON])
    if link.step.reason == SHANNON:
        name = _name(before, link.text) if link.relation == "<=" else _name(link.text, before)
        return f"since ${link.step.inequality}$" + f": {name}" * bool(name)
    return "no entropy exceeds that of equal chances" if link.step.reason == ALPHABET else _assumed([link.step])


def _name(smaller: str, larger: str) -> str:
    """The name of the step from the one expression to the other, if they differ in one term and it has one."""
    old, new = (re.findall(_TERM, text) for text in (smaller, larger))
    less, more = [t for t in old if t not in new], [t for t in new if t not in old]
    if len(less) == len(more) == 1 and more[0][0] == "H":
        groups, _, given = more[0][2:-1].partition("|")
        condition = {*given.split(",")} - {""}
        parts = re.split("[;|]", less[0][2:-1])
        if less[0][0] == "H" and parts[0] == groups and condition < {*"".join(parts[1:]).split(",")}:
            return "conditioning does not raise entropy"
        if less[0][0] == "I" and groups in parts[:2] and condition == {*"".join(parts[2:]).split(",")} - {""}:
            return "information is at most entropy"
    return ""


def _assumed(steps: Iterable[Step]) -> str:
    """What the assumptions say that are cited, together."""
    sources = dict.fromkeys((step.reason, step.inequality) for step in steps)
    texts = [source for source, _ in sources]
    functions, others = [], []
    for source, inequality in sources:
        match = Quantity.match(parse(inequality).constraints[0].form.coefficients)
        exact = "->" not in source and "~" not in source and match is not None
        exact = exact and (inequality.endswith("= 0") and not inequality.endswith(">= 0"))
        if any(text != source and text.startswith(f"{source} ->") for text in texts):
            continue  # a part of a chain that is cited in full
        if not exact or match is None or match[1].u & match[1].v not in (match[1].u, match[1].c):
            others.append(f"by ${source}$")
            continue
        u, v, c = match[1]
        if u != v:
            given = f" given {_names(c, source)}" if c else ""
            order = parse(source).variables.index
            one, other = sorted((u - c, v - c), key=lambda side: min(map(order, side)))
            others.append(f"{_names(one, source)} and {_names(other, source)} are independent{given}")
        elif c:
            functions.append((_names(u - c, source), _names(c, source)))
        else:
            others.append(f"{_names(u, source)} is constant")
    first = [f"{y} is a function of {x}" if i == 0 else f"{y} of {x}" for i, (y, x) in enumerate(functions)]
    return ", ".join([*others, *first])


def _names(some: Iterable[str], source: str) -> str:
    """A group of variables in the order of the assumption."""
    inside = sorted(some, key=parse(source).variables.index)
    return f"$({','.join(inside)})$" if len(inside) > 1 else f"${inside[0]}$"


def _math(text: str) -> str:
    """The LaTeX of a formula, of a copy too."""
    try:
        return r" \sim ".join(map(latex, text.split("~")))
    except ExpressionError:
        return rf"\text{{{text}}}"


# --- how a chain is found --------------------------------------------------------------------------------


class _Atom(NamedTuple):
    """What a link adds: a form, and the step (of the multiplier 1) with what proves that it is zero."""

    form: Form
    step: Step
    because: tuple[Step, ...]
    equal: bool


class _Sets(Masks):
    """The problem over sets of bits: which quantities vanish, and why."""

    def __init__(self, problem: Problem):
        self.problem = problem
        self.names = (*problem.names, *problem.constants)
        self.bit = {name: 1 << i for i, name in enumerate(self.names)}
        self.constants = {self.bit[name] for name in problem.constants}
        self.functions: list[tuple[int, int, Constraint]] = []
        self.independent: list[tuple[int, int, int, tuple[Step, ...]]] = []  # and what sums to -I(a;b|c)
        self.cited: list[Constraint] = []  # as they are
        self.closed: dict[int, tuple[int, tuple[int, ...]]] = {}
        for c in problem.premises:
            match = vanishing(c)
            if match is None or c.form.variables & {*problem.constants}:
                self.cited.append(c)
                continue
            u, v = sorted(self.mask(s) for s in match[1][:2])  # the order of sets of names varies from run to run
            w = self.mask(match[1].c)
            if u & v != w:
                self.functions.append((w, u & v, c))
            if u & v not in (u, v):
                steps = [self._cite(c, -1 / match[0]), *self._steps([Quantity(u & v, u & v, w)])]
                self.independent.append((u & ~v, v & ~u, u & v, tuple(steps)))
        self._add_chains()
        self._add_functions()

    def text(self, form: Form) -> str:
        """The form as text."""
        return write(self.unmasked(form), self.names)

    def closure(self, s: int) -> tuple[int, tuple[int, ...]]:
        """What the set determines, itself included, and which functions show it, in their order."""
        if s in self.closed:
            return self.closed[s]
        start, used, grown = s, [], True
        while grown:
            grown = False
            for i, (inputs, outputs, _) in enumerate(self.functions):
                if inputs & ~s == 0 and outputs & ~s:
                    s |= outputs
                    used.append(i)
                    grown = True
        self.closed[start] = s, tuple(used)
        return self.closed[start]

    def zero(self, q: Quantity) -> tuple[Step, ...] | None:
        """Steps that sum to minus the quantity, if one independence or some functions make it vanish."""
        closed, used = self.closure(q.c)
        for inner, other in ((q.u, q.v), (q.v, q.u)):
            if inner & ~closed == 0:
                return self._by_functions(q, inner, other, used)
        for a, b, c, steps in self.independent:
            for one, two in ((a, b), (b, a)):
                if c & ~q.c or q.c & ~(a | b | c) or q.u & ~q.c & ~one or q.v & ~q.c & ~two:
                    continue
                return (*self._by_independence(q, one, two, c), *steps)
        return None

    def _by_functions(self, q: Quantity, inner: int, other: int, used: Sequence[int]) -> tuple[Step, ...]:
        needed, wanted = [], inner & ~q.c
        for i in reversed(used):  # those that are not needed are left out
            inputs, outputs, _ = self.functions[i]
            if outputs & wanted:
                needed.append(i)
                wanted = (wanted & ~outputs) | (inputs & ~q.c)
        state, rest, steps = q.c, [], []
        for i in reversed(needed):
            inputs, outputs, source = self.functions[i]
            rest.append(Quantity(inputs | outputs, state, inputs))
            state |= outputs
            steps += self._assumed(source)
        rest.append(Quantity(state, state, inner))  # H(all | inner)
        if inner != other or q.u != q.v:
            rest.append(Quantity(inner | other, inner | other, other))
        return (*self._steps(rest), *steps)

    def _assumed(self, source: Constraint) -> Iterator[Step]:
        """Steps that sum to minus the conditional entropy that is zero by the assumption, or by a part of it."""
        scale, quantity = vanishing(source) or (Fraction(0), Quantity((), (), ()))
        u, v, _ = map(self.mask, quantity)
        yield self._cite(source, -1 / scale)
        yield from self._steps([Quantity(u, v, u & v)] if u != v else [])

    def _by_independence(self, q: Quantity, a: int, b: int, c: int) -> list[Step]:
        """Steps that sum to I(a;b|c) - q, for a quantity that is a part of the information."""
        a1, b1 = q.c & a, q.c & b
        rest = [Quantity(c | a1, c | b, c), Quantity(c | a, c | a1 | b1, c | a1)]
        rest += [Quantity(q.u | a, q.u | b, q.u), Quantity(q.v | q.u, q.v | b, q.v)]
        return self._steps(rest)

    def _add_chains(self) -> None:
        """Of a Markov chain of four or more nodes: what is before a node and all after it are independent."""
        found = []
        for given in self.problem.given:
            nodes = [self.mask(node) for node in given.nodes]
            for j in range(1, len(nodes) - 2):
                before, steps = sum(nodes[:j]), []
                for m in range(j + 1, len(nodes)):
                    between = sum(nodes[j:m])
                    steps += self.zero(Quantity(before | between, nodes[m] | between, between)) or ()
                found.append((before, sum(nodes[j + 1 :]), nodes[j], tuple(steps)))
        self.independent += found

    def _add_functions(self) -> None:
        """What is a function of independent variables is independent, too."""
        for a, b, c, steps in tuple(self.independent):
            more = self.closure(a | c)[0] & ~(b | c)
            other = self.closure(b | c)[0] & ~(more | c)
            if (more, other) != (a, b) and b & ~other == 0:
                parts = [Quantity(c | more, c | a | b, c | a), Quantity(c | b | more, c | other, c | b)]
                parts = [Quantity(u, v | w, w) for u, v, w in parts]
                shown = [step for q in parts if q.form for step in self.zero(q) or ()]
                self.independent.append((more, other, c, (*steps, *shown)))

    def _cite(self, source: Constraint, multiplier: Fraction) -> Step:
        return Step(f"{self.text(self.masked(source.form))} {source.relation} 0", multiplier, source.source)

    def _steps(self, quantities: Iterable[Quantity]) -> list[Step]:
        forms = [q.form for q in quantities]
        return [Step(f"{self.text(form)} >= 0", Fraction(1), SHANNON) for form in forms if form]


def derive(problem: Problem, proofs: Sequence[Sequence[Step]]) -> tuple[tuple[Chain, ...], ...]:
    """For each relation of the statement its chain; of an equation one, or one for each direction; () if none.

    Args:
        problem: what is proved.
        proofs: the steps of a certificate, for each goal.
    """
    sets, found, at = _Sets(problem), [], 0
    for index, (left, sign, right) in enumerate(problem.statement.relations):
        goals = proofs[at : at + 1 + (sign == "=")]
        at += len(goals)
        steps = [step for proof in goals for step in proof]
        chains: list[Chain | None] = [_chain(sets, left, sign, right, steps)]
        if sign == "=" and chains[0] is None:
            chains = [_chain(sets, *ends, goals) for ends, goals in
                      (((left, "<=", right), goals[1]), ((right, "<=", left), goals[0]))]  # fmt: skip
        good = [chain for chain in chains if chain is not None and check_chain(problem, chain, index)]
        found.append(tuple(good) if len(good) == len(chains) else ())
    return tuple(found)


def _chain(sets: _Sets, left: Side, sign: str, right: Side, proof: Sequence[Step]) -> Chain | None:
    """The chain from the left to the right side, with quantities on the sets of the proof."""
    start, end = sets.masked(left.form), sets.masked(right.form)
    atoms = _choose(sets, combine((1, end), (-1, start)), sign, proof)
    if atoms is None or len(atoms) > MOST_LINKS:
        return None
    if not atoms:
        return Chain(left.text, (Link("=", right.text),))
    factor = -1 if sign == ">=" else 1
    writer = _Writer(sets, left, right)
    best = None
    for order in _orders(start, [(factor if not a.equal else 1, m, a) for a, m in atoms]):
        texts, size = writer.expressions(
            start, [combine(((1 if a.equal else factor) * m, a.form)) for a, m in order]
        )
        if best is None or size < best[0]:
            best = size, order, texts
    if best is None:
        return None
    _, order, texts = best
    most = MOST_TERMS + max(_terms(left.text), _terms(right.text))
    if any(_terms(text) > most for text in texts[:-1]):
        return None
    links = []
    for (atom, m), text in zip(order, [*texts[:-1], right.text], strict=True):
        step = atom.step._replace(multiplier=atom.step.multiplier * m)
        links.append(Link("=" if atom.equal else sign, text, step, atom.because))
    return Chain(left.text, tuple(links))


def check_chains(problem: Problem, chains: Sequence[Sequence[Chain]]) -> bool:
    """Whether there are chains for each relation of the statement, or none, and all of them check.

    Two chains for one relation are those of the two directions of an equation.
    """
    if len(chains) != len(problem.statement.relations):
        return False
    for index, some in enumerate(chains):
        left, sign, right = problem.statement.relations[index]
        if not all(check_chain(problem, chain, index) for chain in some):
            return False
        exact = all(link.relation == "=" for chain in some for link in chain.links)
        both = [chain.start for chain in some] == [left.text, right.text]
        if some and not (len(some) == 1 and (sign != "=" or exact)) and not (sign == "=" and both):
            return False
    return True


def _terms(text: str) -> int:
    return len(re.findall(_TERM, text))


def _choose(sets: _Sets, goal: Form, sign: str, proof: Iterable[Step]) -> list[tuple[_Atom, Fraction]] | None:
    """Few atoms with multipliers that sum to the goal; for ">=" the inequalities among them count negative."""
    if not goal:
        return []
    members = {0, *goal}
    for step in proof:
        members |= {*sets.masked(parse(step.inequality).constraints[0].form)}
    members -= sets.constants
    for s, t in itertools.combinations(sorted(members), 2):
        if len(members) < _SETS:
            members |= {s | t, s & t}
    chosen = np.array(sorted(members))
    low, v = (chosen[i] for i in np.triu_indices(len(chosen), 1))
    both, c = low | v, low & v
    u = np.where(c == low, v, low)
    terms = np.array([u, v, both, c]).T[np.isin(both, chosen) & np.isin(c, chosen)]
    atoms: list[Any] = [Quantity(u, v, c) for u, v, _, c in terms.tolist()]
    zeros = [sets.zero(q) for q in atoms]
    rows = [*chosen.tolist(), *sets.constants]
    raw = [(c, sets.masked(c.form)) for c in sets.cited]
    raw = [(c, form) for c, form in raw if form.keys() <= {*rows} and (sign != "=" or c.relation == "=")]
    columns = differences(np.searchsorted(chosen, terms), len(rows)).T
    more = sparse.csc_array(np.array([[float(f.get(s, 0)) for _, f in raw] for s in rows]).reshape(len(rows), -1))
    factor = -1.0 if sign == ">=" else 1.0
    free = [*(zero is not None for zero in zeros), *(c.relation == "=" for c, _ in raw)]
    columns = sparse.hstack([columns, more]).tocsr()
    columns = columns @ sparse.diags_array([1.0 if one else factor for one in free])
    use = np.array([one or sign != "=" for one in free])
    costs = weights_of(len(free)) * np.where(free, 0.6, 1.0)
    index = np.flatnonzero(use)
    back = np.array([i for i in index if free[i]], dtype=int)
    if not len(index):
        return None
    program = sparse.hstack([columns[:, index], -columns[:, back]]).tocsr()[1:]
    target = [float(goal.get(s, 0)) for s in rows][1:]
    found = linprog([*costs[index], *costs[back]], A_eq=program, b_eq=target).x
    if found is None:
        return None
    multipliers: dict[int, Fraction] = {}
    for i, x, direction in zip([*index, *back], found, [1] * len(index) + [-1] * len(back), strict=True):
        value = Fraction(x).limit_denominator(10_000)
        multipliers[i] = multipliers.get(i, Fraction(0)) + direction * value
    result = []
    for i, m in multipliers.items():
        if not m:
            continue
        if i < len(atoms):
            form, because = atoms[i].form, zeros[i]
            equal = because is not None
            step = Step(f"{sets.text(form)} {'=' if equal else '>='} 0", Fraction(1), SHANNON)
            result.append((_Atom(form, step, because or (), equal), m))
        else:
            c, form = raw[i - len(atoms)]
            step = Step(f"{sets.text(form)} {c.relation} 0", Fraction(1), c.source)
            result.append((_Atom(form, step, (), c.relation == "="), m))
    total = combine(*((m if a.equal else int(factor) * m, a.form) for a, m in result))
    return result if total == goal else None


def _orders(start: Form, atoms: Sequence[tuple[int, Fraction, _Atom]]) -> list[list[tuple[_Atom, Fraction]]]:
    """Orders of the atoms by which few joint entropies stand between them, the best first."""
    n = len(atoms)
    keys = sorted({*start}.union(*(a.form for _, _, a in atoms)))
    rows = np.array([[float(f * m * a.form.get(s, 0)) for s in keys] for f, m, a in atoms])
    chosen = (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(float)
    values = np.array([float(start.get(s, 0)) for s in keys]) + chosen @ rows
    size = (np.abs(values) > 1e-9).sum(axis=1) + 0.2 * np.abs(values).sum(axis=1).round(6)
    cost, best = np.full(1 << n, np.inf), [[] for _ in range(1 << n)]
    cost[0], best[0] = 0, [(0.0, ())]
    for s in range(1 << n):
        for i in range(n):
            if not s >> i & 1:
                t = s | 1 << i
                best[t] = sorted([*best[t], *((c + size[t], (*path, i)) for c, path in best[s])])[:4]
    return [[(atoms[i][2], atoms[i][1]) for i in path] for _, path in best[-1]]


_Terms = list[tuple[str, Fraction]]  # of an expression, with their coefficients


class _Writer:
    """Writes forms with few terms, and with those that the sides and the expression before have."""

    def __init__(self, sets: _Sets, left: Side, right: Side):
        self.sets, self.left, self.right = sets, left, right
        texts = re.findall(r"[HI]\([^()]*\)", f"{left.text} {right.text}")
        behind = (re.split(r"[|)]", text.rpartition(";")[2])[0] for text in texts if ";" in text)
        self.last = {name for group in behind for name in group.split(",")}
        forms = ((text, sets.masked(parse_form(text))) for text in texts)
        self.known = {frozenset(form.items()): text for text, form in forms if form}

    def term(self, form: Form) -> str:
        """One term; what the statement has behind a semicolon stands there."""
        text = self.sets.text(form)
        if match := re.fullmatch(r"I\(([^;|]+);([^;|]+?)((?:\|.*)?)\)", text):
            one, other, given = match.groups()
            if {*one.split(",")} <= self.last and not {*other.split(",")} <= self.last:
                return f"I({other};{one}{given})"
        return text

    def expressions(self, form: Form, changes: Iterable[Form]) -> tuple[list[str], float]:
        """The texts after each change, and their size all together."""
        terms, _ = self.write(form, [])
        texts, total = [], 0.0
        for change in changes:
            form = combine((1, form), (1, change))
            terms, size = self.write(form, terms, change)
            texts.append(_join(terms))
            total += size
        return texts, total

    def write(self, form: Form, before: _Terms, change: Iterable[int] = ()) -> tuple[_Terms, float]:
        """The terms of the form, with their coefficients, in the order of those before; and their size."""
        if not form:
            return [], 0.0
        sets = self.sets
        used = {text: sets.masked(parse_form(text)) for text, _ in before}
        members = sorted({0, *form, *change}.union(*used.values()) - sets.constants)
        pool: dict[frozenset, str] = {}
        for s, t in itertools.combinations(members, 2):
            both, c = s | t, s & t
            if both in members and c in members:
                q = Quantity(t if c == s else s, t, c)
                pool.setdefault(frozenset(q.form.items()), "")
        for s in (*members[1:], *(s for s in form if s in sets.constants)):
            pool.setdefault(frozenset({s: Fraction(1)}.items()), "")
        pool |= self.known
        for text, terms in used.items():
            pool[frozenset(terms.items())] = text
        rows = sorted({s for key in pool for s, _ in key} | {*form})
        place = {s: i for i, s in enumerate(rows)}
        keys = list(pool)
        columns = np.zeros((len(rows), len(keys)))
        cost = np.empty(len(keys))
        for j, key in enumerate(keys):
            names = sum(s.bit_count() for s, _ in key)
            for s, k in key:
                columns[place[s], j] = float(k)
            cost[j] = 1 + 0.01 * names + 0.1 * (len(key) > 2) + 0.02 * (len(key) > 3)
            cost[j] *= 0.8 if pool[key] in used and pool[key] else 0.9 if pool[key] else 1
        cost *= 1 + 0.001 * (weights_of(len(keys)) - 1)
        target = [float(form.get(s, 0)) for s in rows]
        found = linprog([*cost, *(1.05 * cost)], A_eq=np.hstack([columns, -columns]), b_eq=target).x
        terms: dict[str, Fraction] = {}
        if found is not None:
            x = found[: len(keys)] - found[len(keys) :]
            values = [Fraction(y).limit_denominator(10_000) for y in x]
            if combine(*((y, dict(key)) for key, y in zip(keys, values, strict=True))) == form:
                terms = {pool[k] or self.term(dict(k)): y for k, y in zip(keys, values, strict=True) if y}
        if not terms:
            terms = {sets.text({s: Fraction(1)}): k for s, k in form.items()}
        return _arranged(terms, before), len(terms) + 0.02 * sum(map(len, terms))


def _arranged(terms: dict[str, Fraction], before: _Terms) -> _Terms:
    """New terms stand where the first one that they replace stood."""
    result: _Terms = []
    new = [item for item in terms.items() if item[0] not in {text for text, _ in before}]
    for text, _ in before:
        if text in terms:
            result.append((text, terms[text]))
        else:
            result, new = [*result, *new], []
    result += new
    first = next((i for i, (_, k) in enumerate(result) if k > 0), 0)
    return [result[first], *result[:first], *result[first + 1 :]] if result else []


def _join(terms: Iterable[tuple[str, Fraction]]) -> str:
    text = " ".join(f"{'-' if k < 0 else '+'} {'' if abs(k) == 1 else f'{abs(k)} '}{term}" for term, k in terms)
    return re.sub(r"^\+ |^(-) ", r"\1", text) or "0"
