"""Statements decided per second, and do the deciders agree?  Ours, psitip, and plain linear programs.

python tests/bench_prove.py
PSITIP_PYTHON=/somewhere/bin/python python tests/bench_prove.py

"Plain" is the textbook program over all elemental inequalities on all 2^n entropies, by scipy's HiGHS.  It answers
yes or no, as psitip does here; ours includes the exact certificate or ray, verified.  No one searches for
counterexamples.  psitip uses the GLOP solver, since it takes CBC's unbounded programs for proofs.

Each decider runs in a process of its own: GLOP's library and highspy cannot be loaded together.  psitip may stand
in another environment, whose Python the variable PSITIP_PYTHON names; it needs numpy and scipy there, and
`pip install --no-deps psitip pycddlib-standalone ortools lark-parser graphviz pylatexenc`.
Times are processor times without imports, medians over repeats.  The exit status is 1 if two verdicts differ.
"""

import itertools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from rbcore.information.expr import parse
from rbcore.information.forms import LinearForm

ROOT = Path(__file__).resolve().parent.parent
REPEATS = {"rbcore": 5, "psitip (GLOP)": 3, "plain (scipy)": 1}
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
FACTORS = ("H(X|e_p,e_M) = 0", "H(G|X,eps) = 0")
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
    ("I(G;W) <= I(e_p,e_M;W) + I(eps;W|X)", FACTORS),
    ("I(G;W|P) <= I(e_M;W|P) + I(eps;W|X,P)", ("H(e_p|P) = 0", *FACTORS)),
    ("I(e_p,e_M;W) <= I(G;W)", ("e_p,e_M -> G -> W",)),
    ("I(Z1;W) + I(Z2;W) + I(Z3;W) <= I(Z1,Z2,Z3;W)", ("H(Z1,Z2,Z3) = H(Z1) + H(Z2) + H(Z3)",)),
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
    for form, relation, *_ in parsed.constraints:
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
        for form, relation, *_ in constraints:
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
    from rbcore.information.prover import Certificate, prove

    return isinstance(prove(statement, given, search=False), Certificate)


DECIDERS = {"rbcore": our_provable, "psitip (GLOP)": psitip_provable, "plain (scipy)": plainly_provable}


class Answers(NamedTuple):
    """What one decider said: the processor time of each question in seconds, and whether it is provable."""

    seconds: list[float]
    provable: list[bool]


def python_of(name: str) -> str | None:
    """The Python that runs a decider; None where it is not installed."""
    python = os.environ.get("PSITIP_PYTHON", sys.executable) if "psitip" in name else sys.executable
    need = "psitip" if "psitip" in name else "scipy"
    try:
        found = subprocess.run([python, "-c", f"import {need}"], capture_output=True).returncode == 0
    except OSError:
        found = False
    return python if found else None


def apart(name: str, questions: Sequence[tuple[str, Sequence[str]]], repeats: int = 1) -> Answers:
    """One decider in a process of its own."""
    command = [python_of(name) or sys.executable, __file__, name, str(repeats)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        command, input=json.dumps(list(questions)), capture_output=True, text=True, env=environment
    )
    if run.returncode:
        raise RuntimeError(f"{name} failed:\n{run.stderr}")
    return Answers(*json.loads(run.stdout.splitlines()[-1]))


def answer(name: str, repeats: str) -> None:
    """The other side of :func:`apart`."""
    questions, times = json.load(sys.stdin), []
    DECIDERS[name](*questions[0])  # imports are not counted
    for _ in range(int(repeats)):
        answers, times_now = [], []
        for question in questions:
            start = time.process_time()
            answers.append(DECIDERS[name](*question))
            times_now.append(time.process_time() - start)
        times.append(times_now)
    print(json.dumps([[median(column) for column in zip(*times, strict=True)], answers]))


def main() -> int:
    """Print the statements with their verdicts and times, then the deciders; the exit status."""
    deciders = [name for name in DECIDERS if python_of(name)]
    said = {name: apart(name, QUESTIONS, REPEATS[name]) for name in deciders}
    ours = said["rbcore"]
    variables = [len({v for text in (s, *given) for v in parse(text).variables}) for s, given in QUESTIONS]
    short = [s if len(s) <= 60 else s[:57] + "..." for s, _ in QUESTIONS]

    print(f"{len(QUESTIONS)} statements, milliseconds to decide each (processor time)")
    print(f"{'vars':>4}  {'verdict':<14}" + "".join(f"{name:>15}" for name in deciders) + "  statement")
    for i, text in enumerate(short):
        verdict = "provable" if ours.provable[i] else "not provable"
        if len({said[name].provable[i] for name in deciders}) > 1:
            verdict = "THEY DISAGREE"
        times = "".join(f"{1000 * said[name].seconds[i]:>15.1f}" for name in deciders)
        print(f"{variables[i]:>4}  {verdict:<14}{times}  {text}")

    yes = sum(ours.provable)
    print(f"\nThe same in statements per second: {yes} provable ones, {len(QUESTIONS) - yes} that are not, all")
    row = "{:<16}{:>10}{:>14}{:>9}{:>9}{:>9}{:>12}   {}"
    print(row.format("", "provable", "not provable", "all", "times", "median", "verdicts", ""))
    print(row.format("", "/s", "/s", "/s", "slower", "slower", "as rbcore", "answer"))
    for name in DECIDERS:
        if name not in said:
            print(f"{name}: not installed")
            continue
        seconds, provable = map(np.array, said[name])
        rates = [n / seconds[chosen].sum() for n, chosen in split(np.array(ours.provable))]
        ratios = seconds / ours.seconds
        total = seconds.sum() / sum(ours.seconds)
        same = f"{int((provable == ours.provable).sum())} of {len(QUESTIONS)}"
        what = "exact certificate or ray, verified" if name == "rbcore" else "yes or no"
        shown = [f"{rate:.2f}" for rate in rates] + [f"{total:.1f}", f"{np.median(ratios):.1f}", same, what]
        print(row.format(name, *shown))
    agree = all(answers.provable == ours.provable for answers in said.values())
    print(f"agreement of {len(said)} deciders: {'yes' if agree else 'NO'}\n")
    return 0 if agree else 1


def split(provable: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """The provable statements, the others, and all, each with their number."""
    return [(int(chosen.sum()), chosen) for chosen in (provable, ~provable, np.ones_like(provable))]


if __name__ == "__main__":
    sys.exit(answer(*sys.argv[1:]) if sys.argv[1:] else main())
