"""The prover: what it proves, what it does not, and that every answer survives an independent check."""

import itertools
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from bench_prove import apart, plainly_provable, python_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from statements import (
    BOUND,
    CHAIN,
    DEPENDENCE,
    ENCODED,
    FLOW,
    GAIN,
    GGMI,
    IDENTITY,
    NOISELESS,
    OPEN,
    PROVED,
    REFUTED,
    TEXTBOOK,
    THEORY,
    ZY,
    at,
    total,
)

from rbcore.information import prover, shannon
from rbcore.information.expr import ExpressionError, Statement, latex, parse
from rbcore.information.finite import Joint, random_chain, random_channel, random_joint, random_pmf
from rbcore.information.forms import Quantity, combine, write
from rbcore.information.problem import Problem, ProverError
from rbcore.information.prover import (
    SHANNON,
    Certificate,
    Step,
    Unprovable,
    _decide,
    needed_assumptions,
    prove,
    sharpest,
    simplest_between,
)
from rbcore.information.refute import Counterexample, find_counterexample, is_polymatroid
from rbcore.information.shannon import Program, _solve

BIT = np.log(2)

PROVABLE = TEXTBOOK | THEORY


@pytest.mark.parametrize(("statement", "assumed"), PROVABLE.values(), ids=PROVABLE)
def test_proves(statement, assumed):
    answer = prove(statement, assumed)
    assert isinstance(answer, Certificate), answer
    assert answer.verify() and (answer.statement, answer.given) == (statement, tuple(assumed))
    assert Certificate.from_json(json.dumps(answer.payload())) == answer
    assert len(answer.proofs) == len(parse(statement).goals)
    for steps in answer.proofs:  # short enough to read: not one step for each elemental inequality
        assert len(steps) <= 15


@pytest.mark.slow
def test_the_proof_does_not_depend_on_the_path_of_the_solver(monkeypatch):
    """Another processor may reach another vertex: here rows come in other portions, and another pivot rule."""
    questions = [*((*question, ()) for question in PROVABLE.values()), *PROVED]
    expected = [prove(statement, given, copies=copies) for statement, given, copies in questions]
    start = Program._start_solver

    def otherwise(self):
        start(self)
        self.solver.setOptionValue("random_seed", 7)
        self.solver.setOptionValue("simplex_strategy", 4)

    monkeypatch.setattr(Program, "_start_solver", otherwise)
    monkeypatch.setattr(shannon, "_ROWS", 3)
    assert [prove(statement, given, copies=copies) for statement, given, copies in questions] == expected


# --- what is proved is true of random models -------------------------------------------------------------


def random_process(rng: np.random.Generator, batch: int, noise: bool, markov: bool) -> Joint:
    """Random models of the process.  With ``markov``, W is made from G, otherwise from everything."""

    def channel(*inputs: str, size: int = 2, kind: str = "dirichlet") -> np.ndarray:
        sizes = [joint.sizes[name] for name in inputs]
        flat = random_channel(rng, int(np.prod(sizes)), size, batch, kind, 10.0 ** rng.uniform(-1, 1))
        return flat.reshape(*sizes, size, batch)

    joint = Joint("S", random_pmf(rng, 4, batch, 2.0)).extend("p", lambda s: s, "S")
    joint = joint.extend("e_p", channel("p", kind="deterministic"), "p")
    joint = joint.extend("hp", channel("e_p", kind="deterministic"), "e_p")
    joint = joint.extend("e_M", channel("e_p"), "e_p")
    joint = joint.extend("X", channel("hp", "e_M", size=3, kind="deterministic"), "hp,e_M")
    joint = joint.extend("eps", channel("X", size=2 if noise else 1), "X")
    joint = joint.extend("G", channel("X", "eps", size=3, kind="deterministic"), "X,eps")
    sources = ("G",) if markov else ("e_p", "e_M", "G", "eps")
    joint = joint.extend("W", channel(*sources), sources)
    return joint.extend("W'", channel("S"), "S")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in THEORY if "injective" not in name and "GGMI u" not in name])
def test_the_theory_holds_on_random_models(name):
    statement, assumed = THEORY[name]
    markov = "e_p,e_M,X,eps -> G -> W" in assumed
    joint = random_process(np.random.default_rng(1), 200, noise=True, markov=markov)
    assert all(parse(text).holds(joint) for text in assumed)
    assert parse(statement).holds(joint)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [False, True])
def test_the_upper_bound_holds_where_its_assumption_does(noise):
    joint = random_process(np.random.default_rng(2), 2000, noise=noise, markov=True)
    half = parse("H(e_p) <= 1/2 H(p)").slack(joint) >= 0
    statement, _ = THEORY["GGMI upper bound, noise" if noise else "GGMI upper bound, 1/2"]
    assert half.sum() > 100 and np.all(parse(statement).slack(joint)[half] >= -1e-10)


def test_the_gain_of_an_injective_sum_on_random_models():
    statement, assumed = THEORY["gain of an injective sum"]
    rng = np.random.default_rng(3)
    joint = Joint("e_p", random_pmf(rng, 3, 50)).extend("e_M", random_pmf(rng, 3, 50))
    joint = joint.extend("hp", lambda e: e // 2, "e_p").extend("gM", lambda e: e % 2, "e_M")
    joint = joint.extend("X", lambda h, g: 2 * h + g, "hp,gM")
    assert all(parse(text).holds(joint) for text in (statement, *assumed))


def test_textbook_statements_hold_on_random_models():
    rng = np.random.default_rng(4)
    for statement, assumed in TEXTBOOK.values():
        if assumed == CHAIN:
            joint = random_chain(rng, "S,P,X,G,W", (2, 3, 2, 3, 2), 200)
        elif not assumed:
            joint = random_joint(rng, "A,B,C,D,X,Y,E", (2,) * 7, 200, concentration=0.2)
        else:
            continue
        assert all(parse(text).holds(joint) for text in (statement, *assumed))


# --- what is false ---------------------------------------------------------------------------------------

FALSE = {
    "reversed": ("I(A;B) >= H(A)", ()),
    "data processing without the chain": ("I(S;W) <= I(S;P)", ()),
    "curation that reads the anchors": ("I(S;G) <= I(S;X)", ()),
    "conditioning does not lower information": ("I(A;B|C) <= I(A;B)", ()),
    "nor raise it": ("I(A;B|C) >= I(A;B)", ()),
    "no negative interaction": ("I(A;B;C) >= 0", ()),
    "pairwise independence": ("I(A;B,C) = 0", ("I(A;B) = 0", "I(A;C) = 0")),
    "Markov is no independence": ("I(S;W) = 0", CHAIN),
    "Markov, wrong order": ("S -> X -> P", CHAIN),
    "Han off by 1 %": ("2 H(A,B,C) <= 0.99 (H(A,B) + H(B,C) + H(A,C))", ()),
    "data processing off by 1 %": ("I(S;W) <= 0.99 I(S;P)", CHAIN),
    "flow bound off by 1 %": (BOUND.replace("H(e_M)", "0.99 H(e_M)"), FLOW),
    "flow bound without dependence": (BOUND.replace(f" + {DEPENDENCE}", ""), FLOW),
    "flow bound without curation": (BOUND.replace(" + I(eps;W|X)", ""), FLOW),
    "flow identity, W not made from G": (IDENTITY, FLOW),
    "GGMI upper bound, 1": (f"{GGMI} <= {GAIN}".format(a=1), at("1", *NOISELESS)),
    "GGMI upper bound, beyond 1/2": (f"{GGMI} <= {GAIN}".format(a="0.51"), at("0.51", *NOISELESS)),
    "GGMI upper bound with noise": (f"{GGMI} <= {GAIN}".format(a="1/2"), at("1/2", *ENCODED)),
    "an assumption of wrong sign": ("H(A) >= H(B)", ("H(A) <= H(B)",)),
    "Ingleton": ("I(A;B) <= I(A;B|C) + I(A;B|D) + I(C;D)", ()),
}


@pytest.mark.parametrize(("statement", "assumed"), FALSE.values(), ids=FALSE)
def test_refutes(statement, assumed):
    answer = prove(statement, assumed)
    assert isinstance(answer, Unprovable) and answer.verify() and answer.refuted
    found = answer.counterexample
    assert found.check() and found.violation() > 1e-6
    joint = found.joint()
    assert all(parse(text).holds(joint, 1e-9) for text in assumed) and not parse(statement).holds(joint)
    assert joint.names == found.names and tuple(joint.sizes.values()) == found.sizes
    assert Counterexample.from_json(json.dumps(found.payload())) == found
    assert "is false" in str(answer) and "probability" in str(answer)


def test_without_dependence_given_W_the_flow_bound_misses_one_bit():
    """The counterexample is the parity of two fair bits: W learns from both what neither tells."""
    found = find_counterexample(*FALSE["flow bound without dependence"])
    assert found.violation() == pytest.approx(BIT)
    joint = found.joint()
    assert joint.I("e_p", "W") + joint.I("e_M", "W") == pytest.approx(0, abs=1e-12)
    assert joint.I("e_p,e_M", "W") == pytest.approx(BIT)


TERMS = {  # of the flow bound, with the least coefficient that each can have while the others keep theirs
    "I(e_M;W)": 1,
    "I(e_p;W)": 1,
    "I(eps;W|X)": 1,
    "I(e_p;e_M|W)": 1,
    "(H(e_M) - H(X|hp))": 0,
}


@pytest.mark.parametrize("term", TERMS)
def test_the_least_coefficient_of_each_term_of_the_flow_bound(term):
    """At that coefficient there is a proof, and a little below it a distribution that breaks the bound."""
    others = " + ".join(other for other in TERMS if other != term)
    statement = f"I(G;W) <= {{c}} {term} + {others} - I(e_p;e_M)"
    assert isinstance(prove(statement.format(c=TERMS[term]), FLOW), Certificate)
    assert find_counterexample(statement.format(c=f"({TERMS[term] - 0.01})"), FLOW).check()


def test_non_shannon_inequalities_stay_open():
    """Zhang and Yeung's inequality is true of all distributions, yet a polymatroid violates it."""
    answer = prove("I(A;B) <= 2 I(A;B|C) + I(A;C|B) + I(B;C|A) + I(A;B|D) + I(C;D)")
    assert isinstance(answer, Unprovable) and answer.verify()
    assert answer.counterexample is None and not answer.refuted
    assert "open" in str(answer) and "is false" not in str(answer)


def test_counterexamples_with_biased_bits():
    """No few fair bits have entropies in such a ratio, so the search has to go on to biased ones."""
    found = find_counterexample("H(A) = 0", ["0.4305 H(A) <= H(B) <= 0.4315 H(A)"])
    assert found.check() and sum(found.p) == 1
    assert any(p.denominator & (p.denominator - 1) for p in found.p)  # not a power of two


def test_a_broken_counterexample_is_refused():
    found = prove("I(A;B|C) <= I(A;B)").counterexample
    broken = replace(found, p=(found.p[0] * 2, *found.p[1:-1], found.p[-1] - found.p[0]))
    assert found.check() and not replace(found, problem=Problem.read(found.statement, ["I(A;B) = H(A)"])).check()
    with pytest.raises(ProverError, match="no counterexample"):
        Counterexample.from_json(json.dumps(replace(found, problem=Problem.read("H(A) >= 0")).payload()))
    with pytest.raises((ProverError, ValueError)):
        Counterexample.from_json(json.dumps(broken.payload()))


# --- certificates cannot be forged -----------------------------------------------------------------------


def test_tampering_shows():
    proof = prove(BOUND, FLOW)
    for i, step in enumerate(proof.steps):
        for changed in (
            step._replace(multiplier=step.multiplier + Fraction(1, 10**9)),
            step._replace(multiplier=-step.multiplier),
            step._replace(inequality=step.inequality.replace("W", "G") if "W" in step.inequality else "H(W) >= 0"),
            step._replace(reason="H(W) = 0"),
        ):
            steps = (*proof.steps[:i], changed, *proof.steps[i + 1 :])
            assert not replace(proof, proofs=(steps,)).verify()
        assert not replace(proof, proofs=(proof.steps[:i] + proof.steps[i + 1 :],)).verify()
    assert not replace(proof, problem=Problem.read(BOUND, FLOW[:2])).verify()
    assert not replace(proof, problem=Problem.read(BOUND.replace("H(e_M)", "0.99 H(e_M)"), FLOW)).verify()
    assert not replace(proof, proofs=()).verify()
    data = json.loads(json.dumps(proof.payload()))
    data["proofs"][0][0][1] = str(proof.steps[0].multiplier + 1)
    with pytest.raises(ProverError, match="no proof"):
        Certificate.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("inequality", "multiplier", "reason", "given"),
    [
        ("H(A) - H(B) >= 0", 1, "Shannon", ()),  # no Shannon quantity
        ("-H(A) >= 0", -1, "Shannon", ()),  # the wrong sign, twice
        ("H(B) - H(A) >= 0", -1, "H(A) <= H(B)", ("H(A) <= H(B)",)),  # an inequality taken negatively
        ("H(A) - H(B) >= 0", 1, "H(A) >= H(B)", ()),  # not assumed
        ("H(A) - H(B) = 0", 1, "Shannon", ()),
    ],
)
def test_a_step_needs_a_reason(inequality, multiplier, reason, given):
    statement = "H(A) >= 0" if "B" not in inequality else "H(A) >= H(B)"
    forged = Certificate(Problem.read(statement, given), ((Step(inequality, Fraction(multiplier), reason),),))
    assert not forged.verify()


def test_a_ray_must_be_a_polymatroid_that_violates():
    answer = prove("I(A;B|C) <= I(A;B)", search=False)
    top = max(answer.ray, key=len)
    assert answer.verify() and answer.slack(answer.statement) < 0 and answer.counterexample is None
    assert not replace(answer, ray={**answer.ray, top: answer.ray[top] + 1}).verify()
    assert not replace(answer, problem=Problem.read("I(A;B|C) >= 0")).verify()
    assert not replace(answer, problem=Problem.read(answer.statement, ["H(A) = 0"])).verify()
    assert is_polymatroid(answer.ray)
    assert not is_polymatroid({s: -h for s, h in answer.ray.items()})
    assert not is_polymatroid({s: h + 1 for s, h in answer.ray.items()})


# --- random questions ------------------------------------------------------------------------------------

NAMES = ("A", "B", "C", "D")


@st.composite
def quantities(draw):
    pool = draw(st.permutations(NAMES))
    sizes = draw(st.sampled_from([(1, 0, 0), (1, 0, 1), (2, 0, 1), (1, 1, 0), (1, 1, 1), (1, 1, 2), (2, 1, 1)]))
    a, b, c = (",".join(pool[sum(sizes[:i]) : sum(sizes[: i + 1])]) for i in range(3))
    return f"{'I' if b else 'H'}({a}{';' * bool(b)}{b}{'|' * bool(c)}{c})"


@st.composite
def statements(draw):
    numbers = st.sampled_from(["", "2 ", "3 ", "1/2 ", "0.99 ", "3/7 "])
    right = " + ".join(draw(numbers) + draw(quantities()) for _ in range(draw(st.integers(1, 4))))
    left = " + ".join(draw(quantities()) for _ in range(draw(st.integers(1, 2))))
    return f"{left} {draw(st.sampled_from(['<=', '<=', '<=', '=']))} {right}"


@st.composite
def assumptions(draw):
    if draw(st.booleans()):
        return " -> ".join(draw(st.permutations(NAMES))[: draw(st.integers(3, 4))])
    right = draw(st.one_of(st.just("0"), quantities()))
    return f"{draw(quantities())} {draw(st.sampled_from(['=', '<=']))} {right}"


MODELS = [
    random_joint(np.random.default_rng(5), NAMES, (2, 2, 2, 2), 500, concentration=0.3),
    random_joint(np.random.default_rng(6), NAMES, (2, 3, 2, 2), 500, support=4),
    random_chain(np.random.default_rng(7), NAMES, (2, 3, 2, 2), 500),
]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(statements())
def test_what_is_proved_holds_and_what_is_refuted_does_not(statement):
    answer = prove(statement)
    assert answer.verify()
    if isinstance(answer, Certificate):
        assert all(parse(statement).holds(joint) for joint in MODELS)
    elif answer.refuted:
        assert not parse(statement).holds(answer.counterexample.joint())


@settings(max_examples=75, deadline=None)
@given(statements(), st.lists(assumptions(), max_size=4))
def test_agrees_with_the_plain_linear_program(statement, assumed):
    """All elemental inequalities on all 2^n entropies, without lattice, closures or splits."""
    answer = prove(statement, assumed, search=False)
    assert answer.verify()
    assert isinstance(answer, Certificate) == plainly_provable(statement, assumed)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(statements(), st.lists(assumptions(), min_size=1, max_size=2))
def test_counterexamples_under_assumptions_replay(statement, assumed):
    found = find_counterexample(statement, assumed, structures=10, models=20)
    assume(found is not None)
    assert found.check() and isinstance(prove(statement, assumed, search=False), Unprovable)


def test_agrees_with_psitip():
    if python_of("psitip (GLOP)") is None:
        pytest.skip("psitip is not installed; PSITIP_PYTHON may name a Python that has it")
    questions = [*PROVABLE.values(), *FALSE.values()]
    ours = [isinstance(prove(*question, search=False), Certificate) for question in questions]
    assert apart("psitip (GLOP)", questions)[1] == ours


# --- assumptions and constants ---------------------------------------------------------------------------


def test_needed_assumptions_of_the_flow_bound():
    """All three functional dependencies, and nothing more: neither W's chain nor the noise's independence."""
    spare = ["e_p,e_M,X,eps -> G -> W", "I(eps;e_p,e_M) = 0", "I(e_p;e_M) = 0"]
    needs = needed_assumptions(BOUND, [*FLOW, *spare])
    assert [need.assumption for need in needs] == [*FLOW, *spare]
    assert [need.needed for need in needs[3:]] == [False] * 3
    assert all(need.evidence.verify() for need in needs)
    for need in needed_assumptions(BOUND, FLOW):
        assert need.needed and need.evidence.refuted


@pytest.mark.parametrize(
    ("template", "lo", "hi", "given", "value"),
    [
        ("I(S;W) <= {c} I(S;P)", 5, 0, CHAIN, 1),
        ("H(A,B,C) >= {c} (H(A,B) + H(B,C) + H(A,C))", 0, 1, (), Fraction(1, 3)),
        ("H(A,B,C) >= {c} (H(A) + H(B) + H(C))", -1, "0.9", (), Fraction(1, 3)),
        ("{c} H(A) + 2/7 H(B) >= 1/7 H(A,B) - 1/3 I(A;B)", -3, 3, (), Fraction(1, 7)),
        (
            f"{GGMI} <= {GAIN}".replace("{a}", "{c}"),
            0,
            1,
            [t.replace("{a}", "{c}") for t in NOISELESS],
            Fraction(1, 2),
        ),
    ],
)
def test_sharpest(template, lo, hi, given, value):
    sharp = sharpest(template, "c", lo, hi, given)
    assert sharp.value == value and 0 < abs(sharp.beyond - value) <= Fraction(1, 1000)
    assert sharp.proof.verify() and sharp.failure.verify() and sharp.failure.refuted


def test_sharpest_where_the_parameter_is_squared():
    sharp = sharpest("{c} * {c} H(A) <= 2 H(A)", "c", 0, 3, tolerance=Fraction(1, 10_000))
    assert 0 < 2**0.5 - sharp.value < 1e-4 and sharp.beyond**2 > 2


def test_sharpest_refuses():
    with pytest.raises(ProverError, match="provable both at 0 and at 1"):
        sharpest("H(A) >= {c} I(A;B)", "c", 0, 1)
    with pytest.raises(ProverError, match="not provable both at 2 and at 3"):
        sharpest("H(A) >= {c} I(A;B)", "c", 2, 3)
    with pytest.raises(ProverError, match="tolerance must be positive"):
        sharpest("H(A) >= {c} I(A;B)", "c", 0, 2, tolerance=0)


@given(*[st.fractions(min_value=-5, max_value=5, max_denominator=50)] * 2)
def test_simplest_between(a, b):
    assume(a != b)
    low, high = sorted((a, b))
    found = simplest_between(a, b)
    assert low < found < high
    for denominator in range(1, found.denominator):
        first = (low * denominator).__floor__() + 1
        assert not low < Fraction(first, denominator) < high


# --- errors and limits -----------------------------------------------------------------------------------


def test_what_is_no_question():
    with pytest.raises(ExpressionError, match="a statement needs a relation"):
        prove("I(A;B)")
    with pytest.raises(ExpressionError):
        prove("H(A) >= 0", ["A -> B"])
    for nothing in ("0 <= 0", Statement("", (), ())):
        with pytest.raises(ProverError, match="says nothing"):
            prove(nothing)
    assert prove(parse("H(A) >= 0"), [parse("H(A) = 0")]).given == ("H(A) = 0",)
    assert prove("H(A) = H(A)").steps == ()


def test_the_limit_counts_effective_variables(monkeypatch):
    x = [f"x{i}" for i in range(20)]
    total = ",".join(x)
    subadditive = f"H({total}) <= {' + '.join(f'H({name})' for name in x)}"
    assert len(prove(subadditive).steps) == 19  # found on few sets
    with monkeypatch.context() as patch:
        patch.setattr(prover, "_near", lambda *_: None)
        with pytest.raises(ProverError, match="20 effective variables .* at most 12"):
            prove(subadditive)
    together = prove(f"H({total}) <= H({','.join(x[:9])}) + H({','.join(x[9:])})")
    assert isinstance(together, Certificate)
    apart = prove(f"H({total}) <= H({','.join(x[:9])})", search=False)
    assert apart.verify() and len(apart.ray) == 4
    with pytest.raises(ProverError, match="61 variables are too many"):
        prove("H(A) >= 0", [f"H({','.join(f'y{i}' for i in range(60))}) = 0"])


@pytest.mark.slow
def test_ten_variables_with_dependencies():
    names = [f"x{i}" for i in range(10)]
    chain = [" -> ".join(names)]
    assert isinstance(prove("I(x0;x9) <= I(x4;x5)", chain), Certificate)
    assert prove("I(x0;x9) <= 1/2 I(x4;x5)", chain, search=False).verify()


# --- the pieces ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("H(A)", "H(A)"),
        ("H(B,A|C)", "H(A,B|C)"),
        ("I(B;A)", "I(A;B)"),
        ("-2 I(C;B|A,D)", "-2 I(B;C|A,D)"),
        ("H(A) - H(A|B)", "I(A;B)"),
        ("I(A,Z;B,Z|C)", "I(A,Z;B,Z|C)"),
        ("I(A;A|B)", "H(A|B)"),
        ("H(A) - H(B)", "H(A) - H(B)"),
        ("H(A) + H(B)", "H(A) + H(B)"),
        ("2 H(A) + H(B) - H(A,B)", "2 H(A) + H(B) - H(A,B)"),
        ("I(A;B;C)", "H(A) + H(B) + H(C) - H(A,B) - H(A,C) - H(B,C) + H(A,B,C)"),
        ("0", "0"),
    ],
)
def test_quantities_are_recognized(text, written):
    form = parse(f"{text} >= 0").constraints[0].form
    assert write(form) == written
    assert parse(f"{written} >= 0").constraints[0].form == form


def test_quantities_are_not_negative():
    """Whatever is recognized with a positive scale is at least 0 on random models."""
    sets = [frozenset(s) for size in range(1, 5) for s in itertools.combinations(NAMES, size)]
    entropies = MODELS[0].entropies(sets)
    for u, v in itertools.product(sets, repeat=2):
        for c in (s for s in (*sets, frozenset()) if s <= u & v):
            form = Quantity(u, v, c).form
            value = sum(float(k) * entropies[s] for s, k in form.items())
            assert not form or (np.min(value) > -1e-12 and Quantity.match(form)[0] == 1)


def test_exact_linear_equations():
    assert _solve([({"x": 2, "y": 1}, 5), ({"x": 1, "y": -1}, 1)]) == {"x": 2, "y": 1}
    assert _solve([({"x": Fraction(1), "y": Fraction(1)}, 1), ({"x": 1, "y": 1}, 2)]) is None
    assert _solve([({"x": 3, "y": 1}, 1)]) == {"x": Fraction(1, 3)}


def test_goals_are_written_as_the_statement_writes_them():
    texts = [goal.text for goal in parse("0 <= H(A|B) ≤ H(A) + H(C) = I(A;B)").goals]
    assert texts == [
        "H(A|B)",
        "H(A) + H(C) - H(A|B)",
        "H(A) + H(C) - I(A;B)",
        "I(A;B) - (H(A) + H(C))",
    ]
    assert [goal.text for goal in parse("A -> B -> C").goals] == ["I(A;C|B)", "-I(A;C|B)"]
    for goal in parse("0 <= -H(A|B) + H(A) = 2 (H(B) - H(A))").goals:
        assert parse(f"{goal.text} >= 0").constraints[0].form == goal.form


def test_a_proof_reads_as_a_proof():
    proof = prove("I(S;W) <= I(S;P)", ["S -> P -> W"])
    assert str(proof).split("\n") == [
        "I(S;W) <= I(S;P)",
        "  given S -> P -> W",
        "    I(S;W)",
        "      <= I(S;W,P)   since I(S;P|W) >= 0",
        "       = I(S;P)     by S -> P -> W",
        "  in sum, with [what is assumed]:",
        "    I(S;P) - I(S;W) = I(S;P|W) - [I(S;W|P)]",
    ]
    assert proof.steps[1] == Step("I(S;W|P) = 0", Fraction(-1), "S -> P -> W")
    assert proof.latex() == (
        "\\begin{aligned}\n"
        f"& {latex('I(S;P) - I(S;W)')} \\\\\n"
        f"&\\quad = \\underbrace{{{latex('I(S;P|W)')}}}_{{\\ge 0}} \\\\\n"
        f"&\\quad -\\underbrace{{{latex('I(S;W|P)')}}}_{{= 0}}\n"
        "\\end{aligned}"
    )
    assert "= H(A) + H(B|A)   identically" in str(prove("H(A,B) = H(A) + H(B|A)"))
    halves = prove("1/2 H(A,B) >= 1/2 H(A)").latex()
    assert r"\tfrac{1}{2}\,\underbrace{H(B \mid A)}_{\ge 0}" in halves


def test_assumptions_that_are_one_text_are_refused():
    with pytest.raises(ProverError, match=r"assumptions are a list of statements, .* write \['I\(A;B\) = 0'\]"):
        prove("I(A;B) <= H(A)", "I(A;B) = 0")


# --- the list ----------------------------------------------------------------------------------------------


def rank(vectors: list[int]) -> int:
    """Of bit vectors, modulo two."""
    basis: list[int] = []
    for vector in vectors:
        for other in basis:
            vector = min(vector, vector ^ other)
        basis += [vector] if vector else []
    return len(basis)


def slack_of_code(text: str, code: dict[str, list[int]]) -> Fraction:
    """By how many bits a statement holds where each variable is some parities of independent fair bits."""
    slacks = []
    for form, relation, *_ in parse(text).constraints:
        ranks = ((k, rank([v for name in s for v in code[name]])) for s, k in form.coefficients.items())
        value = sum((k * r for k, r in ranks), Fraction(0))
        slacks.append(value if relation == ">=" else -abs(value))
    return min(slacks)


@pytest.mark.slow
@pytest.mark.parametrize(("statement", "assumed", "copies"), PROVED)
def test_the_list_proved(statement, assumed, copies):
    answer = prove(statement, assumed, copies=copies)
    assert isinstance(answer, Certificate), answer
    assert Certificate.from_json(json.dumps(answer.payload())) == answer
    rng, names = np.random.default_rng(8), answer.problem.variables
    tried = 0
    for bits in (1, 2, 3) * 100:
        code = {name: rng.integers(0, 1 << bits, rng.integers(0, 3)).tolist() for name in names}
        for i, name in enumerate(names):  # mostly a function of the one before, for the sake of the assumptions
            if assumed and i and rng.random() < 0.7:
                code[name] = code[names[i - 1]][: rng.integers(0, 3)]
        if all(slack_of_code(text, code) >= 0 for text in assumed):
            tried += 1
            assert slack_of_code(statement, code) >= 0
    assert tried


@pytest.mark.parametrize(("statement", "assumed", "code"), REFUTED)
def test_the_list_refuted(statement, assumed, code):
    if code is not None:
        assert slack_of_code(statement, code) < 0
        assert all(slack_of_code(text, code) >= 0 for text in assumed)
    answer = prove(statement, assumed)
    assert isinstance(answer, Unprovable) and answer.verify() and answer.refuted
    assert parse(statement).slack(answer.counterexample.joint()) < -1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("statement", "assumed", "copies"), OPEN)
def test_the_list_open(statement, assumed, copies):
    answer = prove(statement, assumed, copies=copies)
    assert isinstance(answer, Unprovable) and answer.verify() and not answer.refuted


def test_the_list_is_as_long_as_it_says():
    sizes = [len(Problem.read(*question[:2]).variables) for question in (*PROVED, *REFUTED, *OPEN)]
    assert len(sizes) == 60 and {*sizes} == {*range(3, 13)}


# --- coefficients far apart, long chains, many variables -----------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("large", ["1000000000000", "3", "100000000000000000000000000000"])
@pytest.mark.parametrize("small", ["0.000001", "1/7", "0.00000000000000000001"])
def test_coefficients_may_be_far_apart(large, small):
    """The solver cannot see both; what is true then has a certificate, and what is false a counterexample."""
    true = f"{large} H(A|C) <= {large} H(A,B|C) + {small} I(A;B) + {small} I(A;C|B)"
    assert isinstance(prove(true), Certificate)
    false = prove(f"{large} H(A) + {small} I(A;B) <= {large} H(A,B)")
    assert isinstance(false, Unprovable) and false.refuted
    assert isinstance(prove(f"{large} I(S;W) <= {large} I(P;X) + {small} H(G)", CHAIN), Certificate)


@pytest.mark.parametrize("zeros", [1, 5, 11, 40])
def test_constants_may_be_near_the_true_one(zeros):
    nine = "0." + "9" * zeros
    answer = prove(f"I(A;B) <= {nine} H(A)")
    assert isinstance(answer, Unprovable) and answer.verify() and answer.refuted
    assert isinstance(prove(f"{nine} I(A;B) <= H(A)"), Certificate)
    assert isinstance(prove(f"I(S;W) <= {nine} I(S;P)", CHAIN, search=False), Unprovable)


@settings(max_examples=20, deadline=None)
@given(statements(), st.lists(assumptions(), max_size=2))
def test_the_exact_program_agrees_with_the_solver(statement, assumed):
    problem = Problem.read(statement, assumed)
    program = Program(problem).set_up()
    for goal in problem.statement.goals:
        form = program.masked(goal.form)
        proof, ray = program.exactly(form)
        assert (proof is None) == (ray is not None)
        if proof is not None:
            assert combine((1, form), *((-m, program.form(row)) for row, m in proof.items())) == {}
        else:
            assert Unprovable(problem, goal.text, ray).verify()


@pytest.mark.parametrize(
    ("statement", "assumed"),
    [
        ("H(A,B) >= 1/2 H(A) + 1/3 H(B)", []),
        ("H(A) + H(B) + H(C) >= 1/5 I(A;B|C)", []),
        ("H(A,B,C) + 1/5 H(C) >= 1/2 I(A;B|C)", []),
        ("I(S;W) <= I(S;P) + 1/4 H(W)", ["S -> P -> W"]),
        ("H(A,B,C,D) >= 1/3 (H(A,B) + H(C,D))", ["H(D|A) <= 1/2 H(B)"]),
    ],
)
def test_of_all_proofs_the_one_of_least_weight_is_taken(statement, assumed):
    """Against scipy's program over all multipliers at once."""
    program = Program(Problem.read(statement, assumed)).set_up()
    (goal,) = program.problem.statement.goals
    multipliers, _ = program.solve(program.masked(goal.form))

    def dense(form):
        reduced = program.reduce(form)
        return [float(reduced.get(s, 0)) for s in program.unknowns]

    elemental = [Quantity(*map(int, program.lattice[[u, v, c]])) for u, v, _, c in program.rows]
    bounds, given = [Quantity(s, s, 0) for s in program.unknowns], [*program.assumptions]
    weights = [*program.weights, *program.bound_weights, *program.row_weights[: len(given)]]
    of = {}
    for row, weight in zip([*elemental, *bounds, *given], weights, strict=True):
        of[row] = min(weight, of.get(row, weight))  # some entropies are bounded twice
    signed = [(1, row) for row in of] + [(-1, row) for row in given if shannon.is_equation(row)]
    columns = [np.multiply(sign, dense(program.form(row))) for sign, row in signed]
    best = linprog(
        [of[row] for _, row in signed], A_eq=np.transpose(columns), b_eq=dense(program.masked(goal.form))
    )
    assert sum(of[row] * abs(m) for row, m in multipliers.items()) == pytest.approx(best.fun)


@pytest.mark.parametrize("n", [13, 30])
def test_long_chains_are_marginalized(n):
    names = [f"X{i}" for i in range(n)]
    long, last = [" -> ".join(names)], names[-1]
    for statement in (
        f"I(X0;{last}) <= I(X5;X6)",
        "I(X1;X9) <= I(X3;X6)",
        f"X2 -> X7 -> {last}",
        "I(X0,X1;X8|X4) = 0",
        "I(X3;X9|X5) <= H(X5)",
    ):
        proof = prove(statement, long)
        assert isinstance(proof, Certificate) and proof.verify(), statement
        assert {step.reason for step in proof.steps} <= {SHANNON, *(c.source for c in parse(long[0]).constraints)}
    for statement in (f"I(X0;{last}) <= 1/2 I(X5;X6)", "X2 -> X9 -> X7", "I(X1;X9) <= I(X3;X6|X2)"):
        answer = prove(statement, long, search=n < 20)  # the search takes seconds where there are many variables
        assert isinstance(answer, Unprovable) and answer.verify(), statement
        assert answer.refuted == (n < 20), statement


@settings(max_examples=60, deadline=None)
@given(statements(), st.permutations([*"ABCDEFG"]), st.integers(4, 7), st.lists(assumptions(), max_size=1))
def test_to_marginalize_changes_no_verdict(statement, order, length, more):
    """Chains through variables of which nothing else speaks, reduced although they need not be."""
    problem = Problem.read(statement, [" -> ".join(order[:length]), *more])
    program = Program(problem)
    program._marginalize()
    program._find_atoms()
    program.set_up()
    whole = prove(problem, search=False)
    answers = [_decide(problem, program, g.text, program.masked(g.form)) for g in problem.statement.goals]
    assert all(proof is not None for proof, _ in answers) == isinstance(whole, Certificate)
    for (proof, failure), goal in zip(answers, problem.statement.goals, strict=True):
        if proof is None:
            assert failure.verify()
        else:
            cited = program.cite(proof)
            assert all(row in problem.assumptions or Quantity.match(row.form)[0] > 0 for row in cited)
            rows = ((-m, program.form(row)) for row, m in cited.items())
            assert combine((1, program.masked(goal.form)), *rows) == {}


def test_groups_in_the_middle_of_a_chain_are_not_thinned_out():
    """X -> A,B -> Y does not say that A alone separates; nodes that another assumption names stay, too."""
    nodes = [f"X{i}" for i in range(14)]
    nodes[5] = "A,B"
    chain = " -> ".join(nodes)
    assert prove("I(X2;X9|A) = 0", [chain]).refuted
    assert isinstance(prove("I(X2;X9|A,B) = 0", [chain]), Certificate)
    assert isinstance(prove("I(X2;X9) <= H(Z)", [chain, "H(X7) <= H(Z)"]), Certificate)
    assert isinstance(prove("I(X2;X9) = 0", [chain, "H(X7) = 0", "H(Q,R,S,T) <= H(U)"]), Certificate)


@pytest.mark.slow
def test_many_variables_when_only_some_of_them_matter():
    """A non-Shannon inequality among four of twelve; a ray breaks it at which the others are constants."""
    names = [f"x{i}" for i in range(12)]
    loop = total(f"I({a};{b}|{c})" for a, b, c in zip(names, names[1:], names[2:], strict=False))
    swapped = ZY.replace("A", "x0").replace("B", "x1").replace("C", "x2").replace("D", "x3")
    answer = prove(f"{swapped} + 1/1000 ({loop})", search=False)
    assert isinstance(answer, Unprovable) and answer.verify()


# --- copies --------------------------------------------------------------------------------------------------


def test_a_copy_is_a_reason_that_cannot_be_forged():
    proof = prove(ZY, copies=["D' ~ D | A,C"])
    assert isinstance(proof, Certificate) and proof.verify()
    assert "copy D' ~ D | A,C" in str(proof) and json.loads(json.dumps(proof.payload()))["copies"] == [
        "D' ~ D | A,C"
    ]
    assert any(step.reason == "D' ~ D | A,C" for step in proof.steps)
    for copies in ([], ["D' ~ D | A"], ["D' ~ D | A,B"]):
        assert not replace(proof, problem=Problem.read(ZY, (), copies)).verify()
    assert isinstance(prove(ZY, copies=["D' ~ D | A"], search=False), Unprovable)
    assert isinstance(prove(ZY, copies=["B' ~ B | C,D"], search=False), Unprovable)
    false = prove("H(A) <= H(B)", copies=["A' ~ A | B"])
    assert (
        false.refuted
        and Counterexample.from_json(json.dumps(false.counterexample.payload())) == false.counterexample
    )
    assert "copies" not in prove("H(A) >= 0").payload()


def test_a_copy_must_be_new_and_of_what_is_there():
    for copies, message in (
        (["B ~ D | A"], "needs a new name"),
        (["D' ~ D | A", "D' ~ C | A"], "needs a new name"),
        (["E' ~ E | A"], "needs 'E', which no statement names"),
        ("D' ~ D | A", "copies are a list"),
    ):
        with pytest.raises(ProverError, match=message):
            prove(ZY, copies=copies)
    for text in ("D' ~ D", "D' ~ D,A | B", "D' ~ D | D", "H ~ D | A", "D' = D | A"):
        with pytest.raises(ExpressionError, match="a copy is written"):
            prove(ZY, copies=[text])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([("E", "D", "A,B"), ("E,F", "C,D", "A"), ("E", "A", "C")]))
def test_every_distribution_has_a_copy(seed, which):
    """Draw the new variables from the law of the old ones: all that a proof may cite of them holds."""
    new, old, condition = which
    joint = random_joint(np.random.default_rng(seed), NAMES, (2, 2, 2, 2), concentration=0.3)
    law = joint.marginal(condition, old).p[..., 0]
    inputs = len(condition.split(","))
    law = law / np.maximum(law.sum(axis=tuple(range(inputs, law.ndim)), keepdims=True), 1e-300)
    first, *second = new.split(",")
    channel = law.sum(axis=-1) if second else law
    larger = joint.extend(first, channel, condition)
    if second:
        larger = larger.extend(second[0], law / np.maximum(channel[..., None], 1e-300), f"{condition},{first}")
    (copy,) = Problem.read("H(A,B,C,D) >= 0", (), [f"{new} ~ {old} | {condition}"]).copies
    constraints = copy.constraints(NAMES)
    assert len(constraints) == 1 + (2 ** len(new.split(",")) - 1) * 2**inputs
    assert all(abs(larger.evaluate(c.form)) < 1e-9 for c in constraints)


# --- constants -----------------------------------------------------------------------------------------------

FANO = "H(X|Z) <= log 2 + 1/10 log|X|"
CONSTANTS = [  # statement, assumptions, whether it is true
    ("H(A) <= log|A|", (), True),
    ("I(A;B|C) <= log|A|", (), True),
    ("H(A,B) <= log|A,B|", (), True),
    ("I(A;C) <= log|B|", ("A -> B -> C",), True),
    ("H(A,B) <= log 6", ("log|A| = log 2", "log|B| <= log 3"), True),
    ("H(A) <= 1/2 log 4", ("log|A| <= log 2",), True),
    ("H(A) + log 2 >= 0", (), True),
    ("9/10 log|X| - log 2 <= I(X;Y)", ("X -> Y -> Z", "H(X) = log|X|", FANO), True),
    ("H(A) <= log 2", (), False),
    ("H(A) >= log|A|", (), False),
    ("H(A) <= 1/2 log|A|", (), False),
    ("H(A,B) <= log 3", ("H(A) <= log 2", "H(B) <= log 2"), False),
    ("9/10 log|X| <= I(X;Y)", ("X -> Y -> Z", "H(X) = log|X|", FANO), False),
]


@pytest.mark.parametrize(("statement", "assumed", "true"), CONSTANTS)
def test_constants_and_alphabets(statement, assumed, true):
    answer = prove(statement, assumed)
    assert answer.verify() and isinstance(answer, Certificate) == true
    if true:
        assert Certificate.from_json(json.dumps(answer.payload())) == answer
        forged = tuple(
            tuple(s._replace(inequality=s.inequality.replace("log", "2 log")) for s in p) for p in answer.proofs
        )
        assert not replace(answer, proofs=forged).verify()
    else:
        assert answer.refuted
        joint = answer.counterexample.joint()
        assert not parse(statement).holds(joint) and all(parse(text).holds(joint) for text in assumed)


# --- exact counterexamples -----------------------------------------------------------------------------------


def test_assumptions_of_a_counterexample_hold_exactly():
    found = prove("I(A;B) = 0").counterexample
    near = Fraction(1, 2) + Fraction(1, 10**12)
    moved = replace(found, p=(near, 1 - near))
    assert moved.check()  # still not independent
    fair = replace(found, problem=Problem.read("I(A;B) = 0", ["H(A) = H(B)"]))
    assert fair.check()
    four = ((0, 0), (0, 1), (1, 0), (1, 1))
    e = Fraction(1, 10**9)  # nearly independent: the information is of the order of 1e-18 nats
    off = replace(found, outcomes=four, p=(Fraction(1, 4) + e, Fraction(1, 4) - e, *[Fraction(1, 4)] * 2))
    assert off.check() and abs(off.violation()) < 1e-15
    assert not replace(off, problem=Problem.read("H(A) = 0", ["I(A;B) = 0"])).check()
    exact = replace(
        found, outcomes=four, p=(Fraction(1, 4),) * 4, problem=Problem.read("H(A) = 0", ["I(A;B) = 0"])
    )
    assert exact.check()


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_products_are_exactly_independent(a, b):
    p = [Fraction(x * y, sum(a) * sum(b)) for x in a for y in b]
    outcomes = tuple(itertools.product(range(len(a)), range(len(b))))
    one = Counterexample(Problem.read("I(A;B) >= 0"), ("A", "B"), outcomes, tuple(p))
    assert one.sign(parse("I(A;B) >= 0").constraints[0].form) == 0
    assert one.sign(parse("H(A|B) >= 1/1000 H(A)").constraints[0].form) == 1
    assert not one.check()
