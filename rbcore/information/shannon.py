"""The linear program behind the prover: a statement against all Shannon inequalities, made small and exact.

Every conditional entropy and every conditional mutual information is at least 0.  The joint entropies h(S)
of all sets S of variables are therefore a point of the Shannon cone; a form that is negative nowhere on it
is, by duality, a sum of such *Shannon quantities* with non-negative multipliers, which is a proof (Yeung
1997; Information Theory and Network Coding, ch. 13-14).  :class:`Program` finds the one or the other.

The program is first made small, in three steps that lose nothing:

1. Only the *lattice* of the sets in the statement and the assumptions, closed under union and
   intersection, needs unknowns: a monotone submodular h on it extends to every set S of variables, as
   h of the smallest member that contains S.
2. H(Y|X) = 0 makes the entropies of S and of S with Y equal, for every S that contains X.
3. I(A;B|C) = 0 splits h(A,B,C) into h(A,C) + h(B,C) - h(C), and so for subsets of A and of B.

The inequalities themselves are given to the solver only as its candidate solutions violate them.  What
steps 2 and 3 took for granted is paid back in the proof, which speaks of the user's own assumptions.

A statement that can be proved mostly has many proofs, and which of them a solver finds depends on its path, and so
on the processor.  Therefore a second program picks one: each inequality has a weight, fixed and generic, and the
sum of the multipliers times the weights is made as small as it can be, which only one proof does.
"""

import functools
import itertools
import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import highspy
import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from rbcore.information.exact import separate
from rbcore.information.expr import Constraint, Side
from rbcore.information.forms import Form, LinearForm, Masks, Quantity, combine, write
from rbcore.information.problem import Problem, ProverError, vanishing

LIMIT = 12  # effective variables: at most 2^12 unknown entropies
LARGE = 9  # effective variables from which on short cuts are tried first
_ZERO, _NOISE = 1e-7, 1e-11  # what is zero, up to the solver's tolerances, and up to rounding
_ROWS = 400  # inequalities added to the program at a time
_SPREAD = 0.1  # of the weights that choose a proof: they are drawn between 1 and 1 + this


class _Fact(NamedTuple):
    """A quantity that an assumption makes vanish: quantity = scale * assumption - the sum of ``rest``.

    So minus the quantity is a sum that a certificate may contain, and so is the quantity itself.
    """

    quantity: Quantity
    scale: Fraction
    assumption: Constraint
    rest: tuple[Quantity, ...] = ()

    def part(self, quantity: Quantity, *rest: Quantity) -> "_Fact":
        """The same of a smaller quantity: this one less the sum of ``rest``."""
        return self._replace(quantity=quantity, rest=self.rest + tuple(q for q in rest if q.form))


class Program(Masks):
    """The linear program for the goals of one statement; sets of variables are bit masks."""

    def __init__(self, problem: Problem):
        self.names = (*problem.names, *problem.constants)
        self.bit = {name: 1 << i for i, name in enumerate(self.names)}
        if len(self.bit) > 60:  # bits of an integer
            raise ProverError(f"{len(self.bit)} variables are too many: at most 60 can be handled")
        self.problem, self.stands, self.derived = problem, {}, {}
        self.constants = {self.bit[name]: name for name in problem.constants}  # no part of the lattice
        reached, waiting = {*problem.statement.variables}.union(*problem.statement.sets), problem.premises
        self.assumptions: dict[Constraint, Form] = {}  # those that share variables with the statement
        while near := [c for c in waiting if c.form.variables & reached]:
            self.assumptions |= {c: self.masked(c.form) for c in near}
            reached.update(*(c.form.variables for c in near))
            waiting = [c for c in waiting if c not in near]
        self._find_atoms()
        if len(self.atoms) > LIMIT:
            self._marginalize()
            self._find_atoms()
        self.large = len(self.atoms) > LARGE

    def set_up(self) -> "Program":
        """The same, with the lattice, the unknowns and the solver; :meth:`solve` and what follows need them."""
        if len(self.atoms) > LIMIT:
            many = f"{len(self.atoms)} effective variables (of {len(self.bit)})"
            raise ProverError(f"{many} are too many: at most {LIMIT} (of 60) can be handled")
        self._find_facts()
        self._build_lattice()
        self._eliminate_entropies()
        self._start_solver()
        return self

    def _find_atoms(self) -> None:
        """The smallest member of the lattice that holds a variable: the intersection of the named sets with it."""
        forms = [self.masked(c.form) for c in self.problem.statement.constraints]
        self.named = {s for form in (*forms, *self.assumptions.values()) for s in form if s not in self.constants}
        self.least: dict[int, int] = {}
        for bit in self.bit.values():
            if holders := [s for s in self.named if s & bit]:
                self.least[bit] = int(np.bitwise_and.reduce(holders))
        self.atoms = sorted(set(self.least.values()))

    def _marginalize(self) -> None:
        """Drop variables of which the statement does not speak, where the assumptions about the others are known.

        An assumption that is trivial once variables of its own are constants says nothing about the others.  Nodes
        of a Markov chain that occur nowhere else leave a chain of the others: one inside it may be a copy of the
        last one kept before it, one at an end a constant.  So a ray of the smaller program extends, and
        a proof from it is a proof: of nodes N0 .. Nt, where b < t are neighbours among the kept ones, K are those
        kept before b, P all before b, and c_s is the assumption I(N0..Ns-2;Ns|Ns-1) = 0,

            I(K;Nt|Nb) = sum over s = b+1..t of (c_s - I(Nb..Ns-2;Ns|Ns-1)) - I(P;Nb+1..Nt-1|Nb,Nt) - I(P;Nt|K,Nb).
        """
        spoken = self.mask(self.problem.statement.variables)
        for statement in self.problem.given:
            nodes, chain = (
                [*map(self.mask, statement.nodes)],
                [c for c in statement.constraints if statement.nodes],
            )
            if not chain or chain[0] not in self.assumptions:
                continue
            others = [self._span(form) for c, form in self.assumptions.items() if c not in chain]
            elsewhere = functools.reduce(operator.or_, others, spoken)
            kept = [i for i, node in enumerate(nodes) if node & elsewhere]
            for c in chain:
                self.assumptions.pop(c, None)
            for b, t in itertools.pairwise(kept):
                for i in range(b + 1, t):
                    self.stands |= dict.fromkeys(statement.nodes[i], statement.nodes[b])
                before = sum(nodes[i] for i in kept if i < b)
                if not before:
                    continue
                B, T, P = nodes[b], nodes[t], sum(nodes[:b])
                rest = [
                    Quantity(sum(nodes[b:s]), nodes[s - 1] | nodes[s], nodes[s - 1]) for s in range(b + 2, t + 1)
                ]
                rest += [
                    Quantity(P | B | T, sum(nodes[b : t + 1]), B | T),
                    Quantity(P | B, before | B | T, before | B),
                ]
                quantity = Quantity(before | B, B | T, B)
                form = self.unmasked(quantity.form)
                side = Side(write(form, self.names), form)
                link = Constraint(form, "=", statement.text, side, Side("0", LinearForm()))
                self.derived[link] = quantity, chain[b - 1 : t - 1], [q for q in rest if q.form]
                self.assumptions[link] = self.masked(form)
        for c, form in [*self.assumptions.items()]:
            others = (self._span(other) for d, other in self.assumptions.items() if d != c)
            shared = functools.reduce(operator.or_, others, spoken)
            left = combine(*((k, {s & shared: 1}) for s, k in form.items()))
            match = Quantity.match(left)
            if not left or (not is_equation(c) and match and match[0] > 0):
                del self.assumptions[c]

    def _span(self, form: Form) -> int:
        return functools.reduce(operator.or_, form, 0)

    def cite(self, proof: dict[Any, Fraction]) -> dict[Any, Fraction]:
        """The proof from the assumptions as they were given: what was derived of them is put in."""
        terms: list[tuple[Any, Fraction]] = []
        for row, m in proof.items():
            if row not in self.derived:
                terms.append((row, m))
                continue
            quantity, sources, rest = self.derived[row]
            terms += [(quantity, m)] if m > 0 else [*((c, m) for c in sources), *((q, -m) for q in rest)]
        return _collect(terms)

    def _find_facts(self) -> None:
        """Read off what the assumptions make vanish: H(u|c) in ``functions``, I(u;v|c) in ``splits``."""
        self.functions, self.splits = [], []
        found = ((c, vanishing(c)) for c, form in self.assumptions.items() if not form.keys() & {*self.constants})
        for constraint, (scale, quantity) in ((c, match) for c, match in found if match):
            whole = Quantity(*map(self.mask, quantity))
            (u, v, c), both = whole, whole.u & whole.v
            fact = _Fact(whole, 1 / scale, constraint)
            if both != c:
                self.functions.append(fact.part(Quantity(both, both, c), Quantity(u, v, both)))
            if both not in (u, v):
                self.splits.append(fact.part(Quantity(u, v, both), Quantity(both, both, c)))

    def _build_lattice(self) -> None:
        """The lattice, sorted, its elemental inequalities as rows of indices, and all sets' closures.

        Each member is a union of ``atoms``.  An atom's own variables are those no smaller one holds.
        The inequalities: h falls when the top loses one atom, and I(atom;atom'|set) >= 0.
        """
        least, atoms = self.least, self.atoms
        members = {0}
        for atom in atoms:
            members |= {s | atom for s in members}
        self.lattice = L = np.array(sorted(members))
        own = {atom: sum(bit for bit, a in least.items() if a == atom) for atom in atoms}
        fits = {atom: (L & atom) == atom ^ own[atom] for atom in atoms}  # the sets it can be added to
        rows = []
        for atom in atoms:
            most = max(L[fits[atom]], key=lambda s: int(s).bit_count())
            rows.append(np.array([[most | atom], [most | atom], [most | atom], [most]]))
        for a, b in itertools.combinations(atoms, 2):
            sets = L[fits[a] & fits[b]]
            rows.append(np.array([sets | a, sets | b, sets | a | b, sets]))
        self.rows = np.searchsorted(L, np.concatenate([np.zeros((4, 0), int), *rows], axis=1)).T
        closed = L.copy()
        for _ in self.functions:
            for both, _, c in (fact.quantity for fact in self.functions):
                closed[(closed & c) == c] |= both
        self.closure = dict(zip(L.tolist(), closed.tolist(), strict=True))

    def vanishing(self, s: int) -> _Fact | None:
        """A fact about a quantity that is -h(s) plus entropies of larger closed or of smaller sets."""
        if s == 0 or s in self.constants:
            return None
        if self.closure[s] != s:
            fact = next(f for f in self.functions if f.quantity.c & s == f.quantity.c and f.quantity.u & ~s)
            both, _, c = fact.quantity
            return fact.part(Quantity(s | both, s | both, s), Quantity(both, s, c))
        for fact in self.splits:
            u, v, c = fact.quantity
            if c & s == c and s & ~(u | v) == 0 and s & ~u and s & ~v:
                a, b = s & u, s & v
                if s not in (self.closure[a], self.closure[b]):
                    return fact.part(Quantity(a, b, c), Quantity(u, a | v, a), Quantity(v, b | a, b))
        return None

    def reduce(self, form: Mapping[Any, Fraction | int]) -> Form:
        """The form in the entropies that remain unknown."""
        return combine(*((k, self.entropy[s]) for s, k in form.items()))

    def _eliminate_entropies(self) -> None:
        """Write each entropy in terms of the unknown ones; group the inequalities that become the same."""
        self.entropy: dict[int, dict[int, int]] = {}
        for s in sorted(self.closure, key=lambda s: (self.closure[s].bit_count(), -s.bit_count())):
            if self.closure[s] != s and s:
                self.entropy[s] = self.entropy[self.closure[s]]
            elif fact := self.vanishing(s):
                others = {t: int(k) for t, k in fact.quantity.form.items() if t != s}
                self.entropy[s] = {t: int(k) for t, k in self.reduce(others).items()}
            else:
                self.entropy[s] = {s: 1} if s else {}
        self.entropy |= {s: {s: 1} for s in self.constants}
        self.unknowns = sorted({t for form in self.entropy.values() for t in form})
        column = {s: i for i, s in enumerate(self.unknowns)}
        cells = [(i, column[t], k) for i, s in enumerate(self.lattice) for t, k in self.entropy[s].items()]
        i, j, k = np.array(cells, dtype=int).reshape(-1, 3).T
        self.matrix = sparse.csr_array((k.astype(float), (i, j)), (len(self.lattice), len(column)))
        weights = np.random.default_rng(0).integers(1, 1 << 40, len(column))
        keys = self._left_sides(self.matrix.astype(int) @ weights)  # equal rows have equal keys
        first = np.unique(keys, return_index=True)[1]
        self.rows = self.rows[first[keys[first] != 0]]
        self.weights = weights_of(len(self.rows))

    def _left_sides(self, h: np.ndarray) -> np.ndarray:
        """The values of the elemental inequalities' left-hand sides, from h on the lattice."""
        u, v, both, c = self.rows.T
        return h[u] + h[v] - h[both] - h[c]

    def _start_solver(self) -> None:
        """Unknowns between 0 and 1 (the cone is cut to a polytope), and the assumptions as first rows."""
        self.solver = highspy.Highs()
        for option, value in (("output_flag", False), ("threads", 1), ("solver", "simplex")):
            self.solver.setOptionValue(option, value)
        for option in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
            self.solver.setOptionValue(option, 1e-9)
        n = len(self.unknowns)
        self.solver.addVars(n, np.zeros(n), np.ones(n))
        self.used: list[Quantity | Constraint] = []  # what the solver's rows stand for
        self.row_weights: list[float] = []  # their weights
        self.bound_weights = weights_of(n, seed=1)  # those of the unknowns' bounds
        forms = {c: self.reduce(form) for c, form in self.assumptions.items()}
        for constraint, form in forms.items():
            if form:
                upper = 0.0 if is_equation(constraint) else highspy.kHighsInf
                columns = np.searchsorted(self.unknowns, list(form)).astype(np.int32)
                self.solver.addRow(0.0, upper, len(form), columns, np.array(list(form.values()), float))
                self.used.append(constraint)
        self.row_weights += (weights_of(len(self.used), seed=2) / 10).tolist()  # an assumption is there to be used

    def _optimize(self, cost: np.ndarray | None = None) -> Any:
        """The solver's solution, or None if there is none: inequalities are added until it violates no others.

        With a ``cost``, a point whose cost is not negative will do.  Without, each inequality may be violated by
        its weight.
        """
        allowed = self.weights if cost is None else np.zeros(len(self.rows))
        while True:
            self.solver.run()
            if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                return None
            solution = self.solver.getSolution()
            point = np.array(solution.col_value)
            values = self._left_sides(self.matrix @ point) + allowed
            worst = np.argsort(values)[:_ROWS]
            worst = worst[values[worst] < -_ZERO]
            if not len(worst) or (cost is not None and cost @ point > -_NOISE):
                return solution
            block = differences(self.rows[worst], len(self.lattice)) @ self.matrix
            block.eliminate_zeros()
            pointers, columns = block.indptr[:-1].astype(np.int32), block.indices.astype(np.int32)
            low, high = -allowed[worst], np.full(len(worst), highspy.kHighsInf)
            self.solver.addRows(len(worst), low, high, block.nnz, pointers, columns, block.data)
            self.used += [Quantity(*map(int, self.lattice[[u, v, c]])) for u, v, _, c in self.rows[worst]]
            self.row_weights += self.weights[worst].tolist()

    def solve(self, goal: Form) -> tuple[dict[Quantity | Constraint, float], dict[int, float]]:
        """Minimize the goal: the multipliers of a proof, and a point of the polytope where it is negative.

        The one of the two that there cannot be is empty; within the solver's tolerance both are there.
        """
        target = self.reduce(goal)
        if not target:
            return {}, {}
        n, cost = len(self.unknowns), np.zeros(len(self.unknowns))
        scale = float(max(map(abs, target.values())))
        for s, k in target.items():
            cost[np.searchsorted(self.unknowns, s)] = float(k) / scale
        self.solver.changeColsCost(n, np.arange(n, dtype=np.int32), cost)
        if (solution := self._optimize(cost)) is None:
            raise RuntimeError(f"the solver stopped: {self.solver.getModelStatus()}")
        point = np.array(solution.col_value)
        value = cost @ point
        point = point if value <= -_NOISE else []
        multipliers: dict[Quantity | Constraint, float] = {}
        if value > -_ZERO:
            solution = (not self.large and self._choose()) or solution
            lower = [Quantity(s, s, 0) for s in self.unknowns]  # an unknown's bound is H(s) >= 0
            duals = zip([*self.used, *lower], [*solution.row_dual, *solution.col_dual], strict=True)
            for row, dual in duals:
                multipliers[row] = multipliers.get(row, 0.0) + dual * scale
        rank = {row: i for i, row in enumerate(self.assumptions)}
        order = sorted(multipliers, key=lambda row: (rank[row],) if row in rank else (len(rank), *row))
        return (
            {row: multipliers[row] for row in order if abs(multipliers[row]) > _NOISE * scale},
            dict(zip(self.unknowns, point, strict=False)),
        )

    def _choose(self) -> Any:
        """The solver's solution where the proof is the one of least weight; None if there is none.

        By duality: where each inequality may be violated by its weight, and an equation by its weight on either
        side, the minimum of the goal is minus the least weight of a proof.
        """
        n = len(self.unknowns)
        columns, weights = np.arange(n, dtype=np.int32), np.array(self.row_weights)
        self.solver.changeColsBounds(n, columns, -self.bound_weights, np.full(n, highspy.kHighsInf))
        self._bound_rows(-weights, weights)
        solution = self._optimize()
        self.solver.changeColsBounds(n, columns, np.zeros(n), np.ones(n))
        self._bound_rows(np.zeros(len(self.used)), np.zeros(len(self.used)))
        return solution

    def _bound_rows(self, low: np.ndarray, high: np.ndarray) -> None:
        """Change the bounds of all rows; an inequality has no upper one."""
        high = np.where([is_equation(row) for row in self.used], high, highspy.kHighsInf)
        rows = np.arange(len(self.used), dtype=np.int32)
        self.solver.changeRowsBounds(len(rows), rows, low, high)  # ty: ignore[missing-attribute]  # not in the stubs

    def certify(self, goal: Form, multipliers: Mapping[Any, float]) -> dict[Any, Fraction] | None:
        """An exact proof near the solver's multipliers, or None."""
        proofs = (self._expand(goal, guess) for guess in self._guesses(self.reduce(goal), multipliers))
        return next((proof for proof in proofs if proof is not None), None)

    def _guesses(self, target: Form, multipliers: Mapping[Any, float]) -> Iterator[dict[Any, Fraction]]:
        """Rational multipliers: the solver's, rounded; then, rounded, those of smallest sum on the same rows,
        which are simpler numbers; then these, solved for exactly where they are not zero.
        """
        scale = max(map(abs, target.values()), default=Fraction(1))

        def rounded(values: Mapping[Any, float]) -> dict[Any, Fraction]:
            return {r: scale * Fraction(x / float(scale)).limit_denominator(10_000) for r, x in values.items()}

        yield rounded(multipliers)
        rows = list(dict.fromkeys([*self.used, *multipliers]))
        forms = [self.reduce(self.form(row)) for row in rows]
        sets, j, k = zip(*((s, j, float(k)) for j, f in enumerate(forms) for s, k in f.items()), strict=True)
        i = np.searchsorted(self.unknowns, sets)
        columns = sparse.csr_array((k, (i, j)), (len(self.unknowns), len(rows)))
        right = [float(target.get(s, 0) / scale) for s in self.unknowns]
        free = [is_equation(row) for row in rows]
        bounds = [(None if f else 0, None) for f in free]
        x = linprog(np.logical_not(free), A_eq=columns, b_eq=right, bounds=bounds).x
        if x is None:
            return
        yield rounded(dict(zip(rows, x * float(scale), strict=True)))
        support = {rows[j]: forms[j] for j in np.argsort(-np.abs(x)) if abs(x[j]) > _NOISE}
        equations = [({r: f[s] for r, f in support.items() if s in f}, target.get(s, 0)) for s in self.unknowns]
        if exact := _solve(equations):
            yield exact

    def form(self, row: "Quantity | Constraint") -> Form:
        """What a row of the program says is at least 0, or 0."""
        return row.form if isinstance(row, Quantity) else self.masked(row.form)

    def _expand(self, goal: Form, multipliers: Mapping[Any, Fraction]) -> "dict[Any, Fraction] | None":
        """The proof over all entropies: what is left over must vanish by the facts, which are then cited."""
        terms = [*multipliers.items()]
        rest = combine((1, goal), *((-m, self.form(row)) for row, m in multipliers.items()))
        while known := [(s, fact) for s in rest if (fact := self.vanishing(s))]:
            s, fact = max(known, key=lambda pair: self.closure[pair[0]].bit_count())
            quantity, scale, assumption, parts = fact
            k = rest[s]  # the rest is k times -h(s), and more: take away -k times the quantity
            rest = combine((1, rest), (k, quantity.form))
            terms += [(quantity, -k)] if k < 0 else [(assumption, -k * scale), *((q, k) for q in parts)]
        proof = _collect(terms)
        bad = any(m < 0 and not is_equation(row) for row, m in proof.items())
        return None if rest or bad else proof

    def exactly(self, goal: Form) -> tuple[dict[Any, Fraction] | None, dict[frozenset[str], Fraction] | None]:
        """The proof or the ray, one of them, by a program in fractions; slow, for where the solver fails."""
        target = self.reduce(goal)
        rows: list[Any] = [*dict.fromkeys([*self.used, *(Quantity(s, s, 0) for s in self.unknowns)])]
        while True:
            signed = [*((row, 1) for row in rows), *((row, -1) for row in rows if is_equation(row))]
            forms = [combine((sign, self.reduce(self.form(row)))) for row, sign in signed]
            found, point = separate(forms, target)
            if found is not None:
                return self._expand(
                    goal, _collect((signed[i][0], signed[i][1] * m) for i, m in found.items())
                ), None
            scale = math.lcm(*(x.denominator for x in point.values()))
            h = [int(scale * sum(k * point.get(t, 0) for t, k in self.entropy[s].items())) for s in self.lattice]
            values = self._left_sides(np.array(h, dtype=object))
            worst = np.argsort(values, kind="stable")[:_ROWS]
            if not len(worst) or values[worst[0]] >= 0:
                return None, self._extend({s: point.get(s, Fraction(0)) for s in self.unknowns})
            found = [self.lattice[self.rows[i][[0, 1, 3]]].tolist() for i in worst if values[i] < 0]
            rows += [Quantity(*sets) for sets in found]

    def matroids(self, goal: Form) -> Iterator[dict[frozenset[str], Fraction]]:
        """Rays at which the goal is negative: any k of some variables, one for each atom, determine these.

        Of these uniform matroids, h(S) = min(k, how many of the variables are in S), only those up to k = 3.
        """
        names = self._representatives()
        if len(names) > LIMIT + 1:
            return
        bits = [self.bit[name] for name in names.values()]
        some = np.arange(1 << len(bits))

        def count(s: int) -> np.ndarray:
            return np.bitwise_count(some & sum(1 << i for i, bit in enumerate(bits) if s & bit))

        counts = {s: count(s) for s in (*self.named, *self.constants)}
        for k in (1, 2, 3):

            def values(form: Form, k: int = k) -> np.ndarray:
                return sum((float(x) * np.minimum(counts[s], k) for s, x in form.items()), np.zeros(len(some)))

            good = values(goal) < -_ZERO
            for c, form in self.assumptions.items():
                good &= np.abs(values(form)) < _ZERO if is_equation(c) else values(form) > -_ZERO
            for chosen in np.flatnonzero(good)[:3]:
                ray = [(frozenset(), 0)]
                for i, name in enumerate(names.values()):
                    ray += [(s | {name}, n + int(chosen >> i & 1)) for s, n in ray]
                yield {s: Fraction(min(n, k)) for s, n in ray}

    def _representatives(self) -> dict[int, str]:
        """A variable for each atom."""
        return {self.least[bit]: name for name, bit in reversed(self.bit.items()) if bit in self.least}

    def rays(self, point: Mapping[int, float]) -> Iterator[dict[frozenset[str], Fraction]]:
        """The solver's point as integers, on all sets of one variable for each atom: rounded, or solved for."""
        for denominator in (60, 10_000):
            yield self._extend({s: Fraction(x).limit_denominator(denominator) for s, x in point.items()})
        forms = [self.reduce(self.form(row)) for row in self.used]
        tight = [(f, 0) for f in forms if abs(sum(float(k) * point[s] for s, k in f.items())) < _ZERO]
        ends = [({s: Fraction(1)}, round(x)) for s, x in point.items() if min(x, 1 - x) < _ZERO]
        if exact := _solve([*ends, *tight]):
            yield self._extend({s: exact.get(s, Fraction(0)) for s in point})

    def _extend(self, point: Mapping[int, Fraction]) -> dict[frozenset[str], Fraction]:
        h = {s: sum((k * point[t] for t, k in form.items()), Fraction(0)) for s, form in self.entropy.items()}
        down, up = math.gcd(*(x.numerator for x in h.values())), math.lcm(*(x.denominator for x in h.values()))
        sets = [(frozenset(), 0)]
        for atom, name in self._representatives().items():
            sets += [(s | {name}, member | atom) for s, member in sets]
        sets += [(frozenset([name]), bit) for bit, name in self.constants.items()]
        return {s: h[member] * up / (down or 1) for s, member in sets}


def _collect(terms: Iterable[tuple[Any, Fraction]]) -> dict[Any, Fraction]:
    """The sum of the multipliers of each row, without zeros."""
    total: dict[Any, Fraction] = {}
    for row, m in terms:
        total[row] = total.get(row, Fraction(0)) + m
    return {row: m for row, m in total.items() if m}


def is_equation(row: Quantity | Constraint) -> bool:
    """Whether a row of the program says that its form is 0, not only at least 0."""
    return isinstance(row, Constraint) and row.relation == "="


def weights_of(n: int, seed: int = 0) -> np.ndarray:
    """Weights that choose among `n` inequalities: fixed, all a little above 1, and without any relation."""
    return 1 + _SPREAD * np.random.default_rng(seed).random(n)


def differences(terms: np.ndarray, width: int) -> sparse.csr_array:
    """The matrix whose rows are h(u) + h(v) - h(u or v) - h(c), from their indices in rows of four."""
    cells = np.repeat(np.arange(len(terms)), 4), terms.ravel()
    return sparse.csr_array((np.tile([1.0, 1, -1, -1], len(terms)), cells), (len(terms), width))


def _solve(equations: Iterable[tuple[Mapping[Any, Fraction], Any]]) -> dict[Any, Fraction] | None:
    """A solution of linear equations (coefficients, right-hand side), by elimination; None if there is none.

    Unknowns that remain free are 0.
    """
    pivots: dict[Any, tuple[dict[Any, Fraction], Fraction]] = {}  # none holds the pivots before it
    for coefficients, right in equations:
        row, right = {key: Fraction(k) for key, k in coefficients.items()}, Fraction(right)
        for pivot, (other, value) in pivots.items():
            if factor := row.get(pivot, Fraction(0)):
                for key, k in other.items():
                    row[key] = row.get(key, Fraction(0)) - factor * k
                right -= factor * value
        row = {key: k for key, k in row.items() if k}
        if row:
            pivot, lead = next(iter(row.items()))
            pivots[pivot] = {key: k / lead for key, k in row.items()}, right / lead
        elif right:
            return None
    solution: dict[Any, Fraction] = {}
    for pivot, (row, right) in reversed(pivots.items()):
        solution[pivot] = right - sum(k * solution.get(key, 0) for key, k in row.items() if key != pivot)
    return solution
