"""The expression language: what is read, what is refused and where, and what it evaluates to."""

import itertools
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbcore.information.expr import ExpressionError, latex, parse, parse_form, require_variables
from rbcore.information.finite import Joint, random_chain, random_joint
from rbcore.information.forms import LinearForm
from rbcore.information.notation import NOTATION, latex_name

NAMES = ("A", "B", "C", "W'")
SIZES = (2, 3, 2, 2)


def form(terms: dict[str, int | Fraction]) -> LinearForm:
    """A linear form from joint entropies written as ``{"A,B": 1}``."""
    return LinearForm({frozenset(names.split(",")): c for names, c in terms.items()})


# --- reading -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("H(A)", {"A": 1}),
        ("H(A,B|C)", {"A,B,C": 1, "C": -1}),
        ("I(A;B)", {"A": 1, "B": 1, "A,B": -1}),
        ("I(A;B|C)", {"A,C": 1, "B,C": 1, "A,B,C": -1, "C": -1}),
        ("I(A,B;W')", {"A,B": 1, "W'": 1, "A,B,W'": -1}),
        ("I(A;B;C)", {"A": 1, "B": 1, "C": 1, "A,B": -1, "A,C": -1, "B,C": -1, "A,B,C": 1}),
        ("2 H(A)", {"A": 2}),
        ("2H(A)", {"A": 2}),
        ("0.99*H(A)", {"A": Fraction(99, 100)}),
        ("1/2 H(A)", {"A": Fraction(1, 2)}),
        ("1/2H(A)/3", {"A": Fraction(1, 6)}),
        ("H(A)/2", {"A": Fraction(1, 2)}),
        ("H(A)*2/3", {"A": Fraction(2, 3)}),
        ("(1/2+1)*H(A|B)", {"A,B": Fraction(3, 2), "B": Fraction(-3, 2)}),
        ("2*(H(A)+H(B))", {"A": 2, "B": 2}),
        ("2(H(A)-H(B))", {"A": 2, "B": -2}),
        ("(1 + 1) (1/4) H(A)", {"A": Fraction(1, 2)}),
        ("-(H(A)-H(B))", {"A": -1, "B": 1}),
        ("+H(A) - -H(B)", {"A": 1, "B": 1}),
        ("2*-H(A)", {"A": -2}),
        ("log 2", {"log 2": 1}),
        ("1/2 log 12 - H(A)", {"log 2": 1, "log 3": Fraction(1, 2), "A": -1}),
        ("log|A| + log 1", {"log|A|": 1}),
        ("2 log |A , W'| + \\log(2)", {"log|A|": 2, "log|W'|": 2, "log 2": 1}),
        ("H(A|A)", {}),
        ("H(A) - H(A) + 0", {}),
        ("0", {}),
    ],
)
def test_reads_forms(text, terms):
    assert parse_form(text) == form(terms)


def test_interaction_information_by_its_recursion():
    assert parse_form("I(A;B;C|D)") == parse_form("I(A;B|D) - I(A;B|C,D)")
    assert parse_form("I(A;B;C;D)") == parse_form("I(A;B;C) - I(A;B;C|D)")


def test_reads_relations():
    statement = parse("0 <= H(X|Y) ≤ H(X)")
    assert [(c.form, c.relation, c.source) for c in statement.constraints] == [
        (parse_form("H(X|Y)"), ">=", "0 <= H(X|Y)"),
        (parse_form("H(X) - H(X|Y)"), ">=", "H(X|Y) ≤ H(X)"),
    ]
    assert parse("H(X) >= H(Y)").constraints[0].form == parse_form("H(X) - H(Y)")
    for equal in ("=", "=="):
        (constraint,) = parse(f"I(X;Y) {equal} H(X)").constraints
        assert (constraint.form, constraint.relation) == (parse_form("I(X;Y) - H(X)"), "=")
    assert parse("I(G;W) <= I(eps;W'|G)").variables == ("G", "W", "eps", "W'")


def test_reads_chains():
    statement = parse("A,B -> C → D -> E")
    assert [(c.form, c.relation, c.source) for c in statement.constraints] == [
        (parse_form("I(A,B;D|C)"), "=", "A,B -> C → D"),
        (parse_form("I(A,B,C;E|D)"), "=", "A,B -> C → D -> E"),
    ]
    assert statement.variables == ("A", "B", "C", "D", "E")


def test_parse_is_cached_and_pickles():
    assert parse("H(A) >= 0") is parse("H(A) >= 0")
    assert pickle.loads(pickle.dumps(parse("A -> B -> C"))) == parse("A -> B -> C")


# --- forms -------------------------------------------------------------------------------------------


def test_forms_are_exact_immutable_and_print():
    a, b = parse_form("H(A)"), parse_form("H(B)")
    assert str(a + b - parse_form("H(A,B)")) == "H(A) + H(B) - H(A,B)"
    assert str(Fraction(1, 2) * b - 3 * a) == "-3 H(A) + 1/2 H(B)"
    assert str(LinearForm()) == "0" and LinearForm({frozenset(): 7}) == LinearForm()
    assert hash(a + b) == hash(b + a) and (a + b).variables == {"A", "B"}
    with pytest.raises(TypeError):
        0.5 * a  # a float would not be exact
    with pytest.raises(TypeError):
        a + 1
    with pytest.raises(TypeError):
        a.coefficients[frozenset("A")] = 2
    with pytest.raises(AttributeError):
        a.coefficients = {}


def forms():
    sets = st.frozensets(st.sampled_from(NAMES), min_size=1)
    return st.dictionaries(sets, st.fractions(max_denominator=1000), max_size=8).map(LinearForm)


@given(forms())
def test_str_reads_back(form):
    assert parse_form(str(form)) == form


# --- evaluation --------------------------------------------------------------------------------------

JOINT = random_joint(np.random.default_rng(20250101), NAMES, SIZES, batch=3, concentration=0.3)


def brute_force_entropy(model: int, names: set[str]) -> float:
    """H of the named variables, from a dictionary of outcomes."""
    marginal: dict[tuple[int, ...], float] = {}
    for cell in itertools.product(*map(range, SIZES)):
        key = tuple(value for name, value in zip(NAMES, cell, strict=True) if name in names)
        marginal[key] = marginal.get(key, 0.0) + JOINT.p[(*cell, model)]
    return -sum(p * math.log(p) for p in marginal.values() if p > 0)


TABLE = {
    frozenset(names): np.array([brute_force_entropy(model, set(names)) for model in range(3)])
    for size in range(len(NAMES) + 1)
    for names in itertools.combinations(NAMES, size)
}


@st.composite
def quantities(draw):
    """A quantity as text together with its value, found without the parser."""
    groups = draw(st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2), min_size=1, max_size=3))
    given = draw(st.lists(st.sampled_from(NAMES), max_size=2))

    def information(groups, given):  # the recursion I(A;..;Z|C) = I(A;..|C) - I(A;..|Z,C)
        *rest, last = groups
        if not rest:
            return TABLE[frozenset(last + given)] - TABLE[frozenset(given)]
        return information(rest, given) - information(rest, last + given)

    function = "H" if len(groups) == 1 else "I"
    condition = f" | {' , '.join(given)}" if given else ""
    text = f"{function}( {';'.join(map(','.join, groups))}{condition})"
    return text, information(groups, given)


def combined(parts):
    numbers = st.sampled_from([("2", 2.0), ("0.25", 0.25), ("1/3", 1 / 3), ("(1/2 - 2)", -1.5), ("3.", 3.0)])
    return st.one_of(
        st.tuples(parts, parts, st.sampled_from("+-")).map(
            lambda t: (f"({t[0][0]} {t[2]} {t[1][0]})", t[0][1] + (1 if t[2] == "+" else -1) * t[1][1])
        ),
        st.tuples(numbers, parts).map(lambda t: (f"{t[0][0]}*{t[1][0]}", t[0][1] * t[1][1])),
        st.tuples(numbers, parts).map(lambda t: (f"{t[0][0]} ({t[1][0]})", t[0][1] * t[1][1])),
        parts.map(lambda part: (f"-{part[0]}", -part[1])),
        parts.map(lambda part: (f"({part[0]})/4", part[1] / 4)),
    )


EXPRESSIONS = st.recursive(quantities(), combined, max_leaves=6)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS)
def test_random_expressions_evaluate(expression):
    text, value = expression
    np.testing.assert_allclose(JOINT.evaluate(text), value, atol=1e-9, rtol=1e-9)
    np.testing.assert_allclose(parse(f"{text} >= 0").slack(JOINT), value, atol=1e-9, rtol=1e-9)
    np.testing.assert_allclose(parse(f"0 = {text}").slack(JOINT), -np.abs(value), atol=1e-9, rtol=1e-9)


def test_slack_is_the_worst_constraint():
    joint = Joint("A,B", [[0.25, 0.25], [0.25, 0.25]])
    slack = parse("0 <= 2 H(A) <= 3 H(B)").slack(joint)
    assert isinstance(slack, float) and slack == pytest.approx(math.log(2))
    assert parse("H(A) <= H(A,B) = 2 H(B)").slack(joint) == pytest.approx(0)
    assert not parse("H(A) >= 1.01 H(B)").holds(joint)
    assert parse("0 = 0").slack(JOINT).shape == (3,)


def test_tight_inequalities():
    """Each holds on random models, is an equality on one model, and fails there with a constant 1 % off."""
    rng = np.random.default_rng(7)
    copied = Joint("A", [0.5, 0.5]).extend("B", lambda a: a, "A").extend("C", lambda b: b, "B")
    xor = Joint("A", [0.5, 0.5]).extend("B", [0.5, 0.5]).extend("C", lambda a, b: a ^ b, "A,B")
    for statement, perturbed, extremal in [
        ("I(A;B) <= H(A)", "I(A;B) <= 0.99 H(A)", copied),
        ("I(A;C) <= I(A;B) + I(A;C|B)", "1.01 I(A;C) <= I(A;B) + I(A;C|B)", copied),
        ("I(A;B|C) <= I(A;B) + H(C)", "I(A;B|C) <= I(A;B) + 0.99 H(C)", xor),
        ("H(A,B,C) >= 2/3 (H(A)+H(B)+H(C))/2", "H(A,B,C) >= 1.01/3 (H(A)+H(B)+H(C))", copied),
    ]:
        for sparse in (None, 3):
            joint = random_joint(rng, "A,B,C", (2, 3, 4), 500, concentration=0.5, support=sparse)
            assert parse(statement).holds(joint)
        assert parse(statement).slack(extremal) == pytest.approx(0, abs=1e-12)
        assert parse(perturbed).slack(extremal) < -1e-3


def test_data_processing_holds_on_random_chains_and_is_tight():
    chain = random_chain(np.random.default_rng(3), "S,P,X,G,W", (3, 4, 3, 4, 3), batch=2000)
    assert parse("S -> P -> X -> G -> W").holds(chain)
    for claim in ("I(S;W) <= I(S;G) <= I(S;P)", "I(S;W) <= I(P;X)", "I(S;X|G) >= 0 >= -I(S;G)"):
        assert parse(claim).holds(chain)
    assert not parse("S -> X -> P").holds(chain)
    copies = Joint.chain([("S", [0.3, 0.7]), ("P", np.eye(2)), ("X", np.eye(2))])
    assert parse("I(S;X) <= I(S;P)").slack(copies) == pytest.approx(0, abs=1e-12)
    assert parse("I(S;X) <= 0.99 I(S;P)").slack(copies) < -1e-3


# --- typesetting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I(G;W) <= I(X;W)+I(eps;W|X)", r"I(S_{\mathrm{gen}};W) \le I(X;W) + I(\varepsilon;W \mid X)"),
        ("S -> P,X -> W'", r"S_{\mathrm{anchor}} \to p,X \to W'"),
        ("2H(A,B|C)>=0", r"2\,H(A,B \mid C) \ge 0"),
        ("0.99*I(V;W) == -H(A)", r"0.99\,I(V;W) = -H(A)"),
        ("1/2 H(A)/2/3 = 1/2/3*H(A)", r"\tfrac{1}{2}\,H(A)/2/3 = \tfrac{1}{2}/3\,H(A)"),
        ("(1/2+1)*H(A)", r"(\tfrac{1}{2} + 1)\,H(A)"),
        ("2*-(H(A)-H(B))*3/4", r"2 \cdot -(H(A) - H(B)) \cdot \tfrac{3}{4}"),
        ("2(H(A))", r"2\,(H(A))"),
        ("H(A) <= 1/2 log 2+log|A,G|", r"H(A) \le \tfrac{1}{2}\,\log 2 + \log |A,S_{\mathrm{gen}}|"),
    ],
)
def test_latex(text, expected):
    assert latex(text) == expected


def test_latex_takes_other_names():
    assert parse("A -> B -> C").latex(str.lower) == r"a \to b \to c"


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS)
def test_latex_is_balanced(expression):
    for opening, closing in ("{}", "()"):
        depth = [(c == opening) - (c == closing) for c in parse(f"{expression[0]} >= 0").latex()]
        assert sum(depth) == 0 and min(itertools.accumulate(depth)) >= 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *[(symbol.name, symbol.latex) for symbol in NOTATION.values()],
        ("W''", "W''"),
        ("G'", r"S_{\mathrm{gen}}'"),
        ("x1", "x_{1}"),
        ("x12'", "x_{12}'"),
        ("foo_bar", r"\mathrm{foo}_{\mathrm{bar}}"),
        ("e_1", "e_{1}"),
        ("theta1", r"\theta_{1}"),
        ("alpha'", r"\alpha'"),
        ("a_beta_2", r"a_{\beta,2}"),
        ("x1_y", "x_{1,y}"),
        ("phi", r"\varphi"),
    ],
)
def test_latex_name(name, expected):
    assert latex_name(name) == expected


# --- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "caret", "message"),
    [
        ("H(A) <= $", 8, "unknown character '$'"),
        ("H(A) < 0", 5, "unknown character '<': write '<='"),
        ("H(A,B", 1, "unbalanced '(': no ')' closes it"),
        ("2*(H(A) + H(B) = 0", 2, "unbalanced '('"),
        ("H(A)) = 0", 4, "unbalanced ')': no '(' opens it"),
        ("I(A) = 0", 3, "I needs two groups separated by ';'"),
        ("I(A,B|C) = 0", 5, "I needs two groups separated by ';'"),
        ("H(A;B) = 0", 3, "H takes one group: write H(A,B)"),
        ("H() = 0", 2, "empty group"),
        ("H(A,) = 0", 4, "empty group"),
        ("I(;B) = 0", 2, "empty group"),
        ("H(A|) = 0", 4, "empty group"),
        ("H(A|B|C) = 0", 5, "expected ',' or ')', not '|'"),
        ("H(A B) = 0", 4, "expected ',' or ')', not 'B'"),
        ("h(A) = 0", 0, "unknown function 'h': write H(A|C) or I(A;B|C)"),
        ("H(A) = KL(A)", 7, "unknown function 'KL'"),
        ("A = 0", 0, "not a quantity: 'A': write H(A|C)"),
        ("H = 0", 0, "not a quantity: 'H'"),
        ("H(H) = 0", 2, "'H' is reserved"),
        ("A -> I -> B", 5, "'I' is reserved"),
        ("H(A)*H(B) = 0", 4, "product of two quantities"),
        ("H(A) H(B) = 0", 5, "expected '+', '-', a relation or the end, not 'H'"),
        ("(H(A) H(B)) = 0", 6, "expected '+', '-' or ')', not 'H'"),
        ("2 3 H(A) = 0", 2, "not '3'"),
        ("H(A) <= log 0", 8, "an integer from 1 to a million"),
        ("H(A) <= log A", 8, "not a quantity: 'log'"),
        ("H(A)/0 = 0", 5, "division by a quantity or by zero"),
        ("H(A)/(1-1) = 0", 5, "division by a quantity or by zero"),
        ("1/H(A) = 0", 2, "division by a quantity or by zero"),
        ("H(A) <= 1", 8, "a constant alone has no unit: multiply it with a quantity"),
        ("H(A) + 1/2 = 0", 7, "a constant alone has no unit"),
        ("1 + H(A) = 0", 0, "a constant alone has no unit"),
        ("H(A) <=", 5, "one side of '<=' is missing: write 0 for zero"),
        (">= H(A)", 0, "one side of '>=' is missing"),
        ("0 <= <= H(A)", 2, "one side of '<=' is missing"),
        ("H(A) +", 6, "expected a quantity or a number, not the end"),
        ("", 0, "expected a quantity or a number, not the end"),
        ("H(A)", 4, "a statement needs a relation <=, >= or =, or a chain"),
        ("H(A) = 0;", 8, "expected '+', '-', a relation or the end, not ';'"),
        ("A -> B", 6, "a chain needs three nodes, as in 'A -> B -> C'"),
        ("A -> B <= H(A)", 7, "a chain '->' and a relation cannot be mixed"),
        ("H(A) <= A -> B", 10, "a chain '->' and a relation cannot be mixed"),
        ("A -> B -> C,A", 12, "'A' is in this chain twice"),
        ("A -> -> B", 5, "empty group: expected a variable, not '->'"),
        ("A -> B -> C D", 12, "expected ',' or '->', not 'D'"),
    ],
)
def test_errors_point_at_the_place(text, caret, message):
    with pytest.raises(ExpressionError) as error:
        parse(text)
    problem, shown, pointer = str(error.value).split("\n")
    assert message in problem
    assert shown == f"    {text}" and pointer == f"    {' ' * caret}^"
    assert (error.value.text, error.value.position) == (text, caret)


def test_a_bare_form_has_no_relation():
    with pytest.raises(ExpressionError, match="'<=' makes this a statement") as error:
        parse_form("H(A) <= H(B)")
    assert error.value.position == 5


def test_the_caret_stays_under_a_text_of_several_lines():
    with pytest.raises(ExpressionError) as error:
        parse("H(A)\n\t<= ?")
    assert str(error.value).split("\n")[1:] == ["    H(A)  <= ?", "            ".ljust(13) + "^"]


@pytest.mark.parametrize("text", ["H(A) >= H(B,Z)", "A -> B -> Z"])
def test_missing_variables_are_pointed_at(text):
    with pytest.raises(ExpressionError, match="no variable 'Z': its variables are A, B, C, W'") as error:
        parse(text).slack(JOINT)
    assert error.value.position == text.index("Z")
    with pytest.raises(ExpressionError):
        require_variables(text, NAMES)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        (r"I(X;Y \mid Z) \le H(X)", "I(X;Y|Z) <= H(X)"),
        (
            r"I(X_1;Y_{12}\,|\,Z) \leq \tfrac{1}{2} H(X_1) + \frac{2}{3}\cdot H(Z)",
            "I(X_1;Y_12|Z) <= 1/2 H(X_1) + 2/3 H(Z)",
        ),
        (
            r"\mathrm{H}\left(\alpha, \varepsilon \right) \geq I(S_{\mathrm{gen}};W')",
            "H(alpha,eps) >= I(S_gen;W')",
        ),
        (r"A \to X_{i,1} \rightarrow W^\prime", "A -> X_i_1 -> W'"),
        ("I(G;W′) <= H(W’) + H(G″)", "I(G;W') <= H(W') + H(G'')"),
        (r"H(\varphi|X) \ge 0", "H(phi|X) >= 0"),
    ],
)
def test_latex_and_unicode_are_read(written, plain):
    one, other = parse(written), parse(plain)
    assert one.variables == other.variables
    assert [(c.form, c.relation) for c in one.constraints] == [(c.form, c.relation) for c in other.constraints]
    assert one.latex() == other.latex()
    for goal in one.goals:
        assert parse(f"{goal.text} >= 0").constraints[0].form == goal.form


@pytest.mark.parametrize(
    "text", ["A ⊥ B", "A indep B", "A _|_ B", r"A \perp B \mid C", "A ⫫ B", "A independent B"]
)
def test_independence_has_a_hint(text):
    with pytest.raises(ExpressionError, match=r"write I\(A;B\) = 0 for independence") as error:
        parse(text)
    assert error.value.position == 2


def test_a_variable_may_be_named_indep():
    assert parse("H(indep) <= H(A,indep|independent)").variables == ("indep", "A", "independent")


def test_deep_nesting_is_refused_with_its_place():
    deep = "(" * 2000 + "H(A)" + ")" * 2000 + " >= 0"
    with pytest.raises(ExpressionError, match="nested deeper than 100") as error:
        parse(deep)
    assert error.value.position == 100
    assert parse("(" * 90 + "H(A)" + ")" * 90 + " >= 0").goals[0].form == parse_form("H(A)")
    assert parse("- " * 1800 + "H(A) <= 0").constraints[0].form == parse_form("-H(A)")


def test_constants_have_values():
    """log 2 is a number; log|A| is that of the alphabet of the joint, even of values that never occur."""
    assert JOINT.evaluate("log 6 - log 2") == pytest.approx(np.full(3, math.log(3)))
    assert JOINT.evaluate("log|A,B|") == pytest.approx(np.full(3, math.log(6)))
    assert parse("H(A) <= log|A|").holds(JOINT) and parse("log|A| = log 2").holds(JOINT)
    assert Joint("A", [0.5, 0.5, 0.0]).evaluate("log|A| - H(A)") == pytest.approx(math.log(1.5))
    assert str(parse_form("H(A) - 2 log 2")) == "H(A) - 2 log 2"
    with pytest.raises(ExpressionError, match="no variable 'Z'"):
        JOINT.evaluate("log|A,Z|")
