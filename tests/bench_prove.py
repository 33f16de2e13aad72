"""Proofs and refutations of statements about 4 to 10 variables: ours against plain linear programs.

python tests/bench_prove.py

"Plain" is the textbook program over all elemental inequalities on all 2^n entropies, by scipy's HiGHS, without
a proof that could be checked; psitip (with the GLOP solver) is included where it is installed.  Ours includes
the exact certificate or ray.  No one searches for counterexamples here.  Each runs in a process of its own:
GLOP's library and highspy cannot be loaded together.
"""

import importlib.util
import itertools
import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from rbcore.expr import LinearForm, parse

REPEATS = 3
PROCESS = (  # ten variables: anchors, prompt, its factors, the model's factor, answer, curation, data, parameters
    "S -> p -> X -> G -> W",
    "H(p|S) = 0",
    "H(e_p|p) = 0",
    "H(hp|e_p) = 0",
    "H(X|hp,e_M) = 0",
    "H(G|X,eps) = 0",
    "S,p,e_p,hp,e_M,X,eps -> G -> W",
    "G,W -> S -> W'",
)
FLOW = PROCESS[3:6]
BOUND = "I(G;W) <= -H(X|hp) + I(e_M;W) + I(e_p;W) + H(e_M) + I(eps;W|X) + I(e_p;e_M|W)"
GAIN = "I(S;W') - I(G;W) <= H(X|hp) - 3/2 H(S|W) + 2 (H(S) - H(G)) + H(G|W) + H(S|W) - H(S|W') + H(G|X)"
CHAIN = (" -> ".join(f"x{i}" for i in range(10)),)
QUESTIONS = (
    ("I(A;B) <= 2 I(A;B|C) + I(A;C|B) + I(B;C|A) + I(A;B|D) + I(C;D)", ()),
    ("I(S;W) <= I(S;G) <= I(S;X) <= I(S;p)", PROCESS[:1]),
    (BOUND, FLOW),
    (BOUND, PROCESS),
    (BOUND.replace(" + I(e_p;e_M|W)", ""), PROCESS),
    ("I(G;W) <= I(e_M;W) + I(e_p;W) - I(e_p;e_M) + I(eps;W|X) + I(e_p;e_M|W)", PROCESS),
    ("I(S;W) <= I(e_p;W) + I(e_M;W|e_p)", PROCESS),
    ("I(W;W') <= I(S;p)", PROCESS),
    ("I(W;W') <= 0.99 I(S;W)", PROCESS),
    (GAIN, (*PROCESS, "2 H(e_p) = H(p)")),
    ("I(x0;x9) <= I(x4;x5)", CHAIN),
    ("I(x0;x9) + I(x1;x8) <= I(x1;x2) + I(x3;x4)", CHAIN),
    ("I(x0;x9) <= 1/2 I(x3;x6)", CHAIN),
    ("2 H(x0,x1,x2,x3,x4,x5,x6,x7,x8,x9) <= H(x0,x1,x2,x3) + H(x3,x4,x5) + H(x5,x6,x7) + H(x7,x8,x9,x0)", ()),
)


def plainly_provable(statement: str, given: Sequence[str]) -> bool:
    """Whether the statement is a consequence of all elemental inequalities and the assumptions."""
    parsed, assumed = parse(statement), [c for text in given for c in parse(text).constraints]
    names = list(dict.fromkeys(v for s in (parsed, *map(parse, given)) for v in s.variables))
    bits, top = [1 << i for i in range(len(names))], (1 << len(names)) - 1

    def row(form: LinearForm) -> np.ndarray:
        dense = np.zeros(top + 1)
        for s, k in form.coefficients.items():
            dense[sum(bits[names.index(name)] for name in s)] = float(k)
        return dense

    rows = [[top, top, top, top ^ bit] for bit in bits]
    for x, y in itertools.combinations(bits, 2):
        rows += [[s | x, s | y, s | x | y, s] for s in range(top + 1) if not s & (x | y)]
    index = np.repeat(np.arange(len(rows)), 4), np.ravel(rows)
    elemental = sparse.csr_array((np.tile([1.0, 1, -1, -1], len(rows)), index), (len(rows), top + 1))
    equal = [row(c.form) for c in assumed if c.relation == "="]
    more = [row(c.form) for c in assumed if c.relation == ">="]
    inequalities = sparse.vstack([elemental, sparse.csr_array(more)]) if more else elemental
    bounds = [(0, 0), *[(0, 1)] * top]
    for form, relation, _ in parsed.constraints:
        for sign in (1, -1) if relation == "=" else (1,):
            lowest = linprog(
                sign * row(form),
                A_ub=-inequalities,
                b_ub=np.zeros(inequalities.shape[0]),
                A_eq=sparse.csr_array(equal) if equal else None,
                b_eq=np.zeros(len(equal)) if equal else None,
                bounds=bounds,
            ).fun
            if lowest < -1e-7:
                return False
    return True


def psitip_provable(statement: str, given: Sequence[str]) -> bool:
    """The same by psitip, with GLOP: it takes CBC's unbounded programs for proofs."""
    import psitip

    psitip.PsiOpts.setting(solver="ortools.GLOP")
    parsed, assumed = parse(statement), [parse(text) for text in given]
    names = dict.fromkeys(v for s in (parsed, *assumed) for v in s.variables)
    variables = {name: psitip.rv(f"v{i}") for i, name in enumerate(names)}

    def region(constraints):  # scaled to integers
        result = psitip.universe()
        for form, relation, _ in constraints:
            scale = math.lcm(*(k.denominator for k in form.coefficients.values()))
            total = psitip.Expr.zero()
            for s, k in form.coefficients.items():
                total += int(k * scale) * psitip.H(
                    sum((variables[name] for name in sorted(s)), psitip.Comp.empty())
                )
            result = result & ((total == 0) if relation == "=" else (total >= 0))
        return result

    return bool(region([c for s in assumed for c in s.constraints]).implies(region(parsed.constraints)))


def our_provable(statement: str, given: Sequence[str]) -> bool:
    """The same by our prover, exact answer included."""
    from rbcore.prove import Certificate, prove

    return isinstance(prove(statement, given, search=False), Certificate)


DECIDERS = {"rbcore": our_provable, "plain (scipy)": plainly_provable, "psitip (GLOP)": psitip_provable}


def apart(name: str, questions: Sequence[tuple[str, Sequence[str]]], repeats: int = 1) -> tuple[float, list[bool]]:
    """One decider in a process of its own: the median processor time of all questions, and its answers."""
    command = [sys.executable, __file__, name, str(repeats)]
    run = subprocess.run(command, input=json.dumps(list(questions)), capture_output=True, text=True, check=True)
    return tuple(json.loads(run.stdout.splitlines()[-1]))


def answer(name: str, repeats: str) -> None:
    """The other side of :func:`apart`."""
    questions, times = json.load(sys.stdin), []
    DECIDERS[name](*questions[0])  # imports are not counted
    for _ in range(int(repeats)):
        start = time.process_time()
        answers = [DECIDERS[name](*question) for question in questions]
        times.append(time.process_time() - start)
    print(json.dumps([median(times), answers]))


def main() -> None:
    """Print a table: statements decided per second, the time of all, and the ratio to ours."""
    names = [name for name in DECIDERS if "psitip" not in name or importlib.util.find_spec("psitip")]
    measured = {name: apart(name, QUESTIONS, REPEATS) for name in names}
    ours, answers = measured["rbcore"]
    print(f"{len(QUESTIONS)} statements, {sum(answers)} of them provable")
    print(f"{'':<14} {'seconds':>9} {'per second':>11} {'ratio':>7}")
    for name, (seconds, theirs) in measured.items():
        agree = "" if theirs == answers else "  other answers!"
        print(f"{name:<14} {seconds:>9.3f} {len(QUESTIONS) / seconds:>11.2f} {seconds / ours:>7.1f}{agree}")


if __name__ == "__main__":
    answer(*sys.argv[1:]) if sys.argv[1:] else main()
