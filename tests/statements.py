"""True statements about entropies with the assumptions that they need: of textbooks, and of the theory."""

from collections.abc import Iterable

# The generation process: anchors S, prompt p with factors e_p and hp = h(e_p), model factor e_M, answer X,
# curation eps, synthetic data G, and the parameters W trained on G, W' trained on S.
FLOW = ("H(hp|e_p) = 0", "H(X|hp,e_M) = 0", "H(G|X,eps) = 0")
DEPENDENCE = "I(e_p;e_M|W) - I(e_p;e_M)"  # by how much the factors depend more once W is known
BOUND = f"I(G;W) <= -H(X|hp) + I(e_M;W) + I(e_p;W) + H(e_M) + I(eps;W|X) + {DEPENDENCE}"
SHORT = f"I(G;W) <= I(e_M;W) + I(e_p;W) + I(eps;W|X) + {DEPENDENCE}"
IDENTITY = f"I(G;W) = I(e_p;W) + I(e_M;W) + {DEPENDENCE} - I(e_p,e_M;W|X) + I(eps;W|X)"
GGMI = "I(S;W') - I(G;W)"
GAIN = "H(X|hp) - ({a} + 1) H(S|W) + 2 (H(S) - H(G)) + H(G|W) + H(S|W) - H(S|W')"
ENCODED = ("H(p|S) = 0", "H(e_p) <= {a} H(p)", "H(hp|e_p) = 0")
NOISELESS = (*ENCODED, "H(G|X) = 0")
CHAIN = ("S -> P -> X -> G -> W",)


def at(a: str, *texts: str) -> list[str]:
    return [text.format(a=a) for text in texts]


TEXTBOOK = {
    "entropy is not negative": ("H(A|B) >= 0", ()),
    "conditioning": ("H(A|B,C) <= H(A|B) <= H(A)", ()),
    "chain rule of entropy": ("H(A,B,C) = H(A) + H(B|A) + H(C|A,B)", ()),
    "chain rule of information": ("I(A,B;C|D) = I(A;C|D) + I(B;C|A,D)", ()),
    "submodularity": ("H(A,B,C) + H(B) <= H(A,B) + H(B,C)", ()),
    "Han": ("2 H(A,B,C) <= H(A,B) + H(B,C) + H(A,C)", ()),
    "two of three": ("I(A;B|C) - I(A;B) <= H(C)", ()),
    "data processing": ("I(S;W) <= I(S;G) <= I(S;P)", CHAIN),
    "data processing, inner": ("I(S;W) <= I(P;G)", CHAIN),
    "data processing, innermost": ("I(S;W) <= I(X;G)", CHAIN),
    "symmetry": ("I(A;B) = I(B;A)", ()),
    "data processing, conditional": ("I(S;P|G) <= I(S;P)", CHAIN),
    "Markov, reversed": ("W -> G -> X -> P -> S", CHAIN),
    "Markov, sub-chain": ("S -> X -> W", CHAIN),
    "Markov, weak union": ("S -> P,X -> W", CHAIN),
    "Markov, contraction": ("A -> C -> B,D", ("A -> C -> B", "A -> B,C -> D")),
    "independence of functions": ("I(F;G) = 0", ("I(A;B) = 0", "H(F|A) = 0", "H(G|B) = 0")),
    "Fano's bookkeeping": ("H(X|Y) <= H(E) + H(X|E,Y)", ()),
    "secret sharing": ("H(K) >= H(S)", ("H(S|K,M) = 0", "I(S;M) = 0")),
    "an inequality as assumption": ("H(A) >= H(C)", ("H(A) >= 2 H(B)", "2 H(B) >= H(C)")),
    "an assumption times 3/7": ("3/7 I(A;B) >= H(C)", ("I(A;B) - 7/3 H(C) >= 0",)),
    "an assumption that is no quantity": ("H(A|C) + H(B) = 0", ("H(A|B) + H(B) = 0",)),
    "constants": ("I(A,Z;B|C) = I(A;B|C,Z)", ("H(Z) = 0",)),
    "small fractions": ("I(A;B) <= 1.000123 H(A)", ()),
    "a chain of equations": ("H(A,B) = H(A) = H(A,B,C)", ("H(B|A) = 0", "H(C|B) = 0")),
    "assumptions of other variables": ("I(A;B) <= H(A)", ("I(C;D) = H(E)", "F -> Q -> R")),
}
THEORY = {
    "gain at most H(e_M)": ("0 <= H(X|hp) <= H(e_M)", FLOW[1:2]),
    "gain of an injective sum": (
        "H(X|hp) = H(gM)",
        (FLOW[0], "H(gM|e_M) = 0", "H(X|hp,gM) = 0", "H(gM|X,hp) = 0", "I(e_M;e_p) = 0"),
    ),
    "flow identity": (IDENTITY, (*FLOW, "e_p,e_M,X,eps -> G -> W")),
    "flow identity of the answer": (
        f"I(X;W) = I(e_p;W) + I(e_M;W) + {DEPENDENCE} - I(e_p,e_M;W|X)",
        FLOW,
    ),
    "flow identity as a bound": (IDENTITY.replace("=", "<="), FLOW),
    "flow bound": (BOUND, FLOW),
    "flow bound, shorter": (SHORT, FLOW),
    "the shorter one implies the other": ("H(e_M) - H(X|hp) >= 0", FLOW),
    "GGMI identity": (f"{GGMI} = H(S) - H(G) + H(G|W) - H(S|W) + (H(S|W) - H(S|W'))", ()),
    "GGMI upper bound, 1/2": (f"{GGMI} <= {GAIN}".format(a="1/2"), at("1/2", *NOISELESS)),
    "GGMI upper bound, 1/3": (f"{GGMI} <= {GAIN}".format(a="1/3"), at("1/3", *NOISELESS)),
    "GGMI upper bound, noise": (f"{GGMI} <= {GAIN} + H(G|X)".format(a="1/2"), at("1/2", *ENCODED)),
    "GGMI lower bound": (
        f"{GGMI} >= I(S;W') + H(X|hp) - H(e_M) - I(e_M;W) - I(e_p;W) - I(eps;W|X) - ({DEPENDENCE})",
        FLOW,
    ),
}


# --- the list: sixty statements of three to twelve variables, with verdicts by hand ----------------------------


def x(*numbers: int) -> str:
    return ",".join(f"X{i}" for i in numbers)


def total(terms: Iterable[str]) -> str:
    return " + ".join(terms)


def singles(n: int) -> str:
    return total(f"H(X{i})" for i in range(n))


def all_but_one(n: int) -> str:
    return total(f"H({x(*(j for j in range(n) if j != i))})" for i in range(n))


def windows(n: int, width: int) -> str:
    return total(f"H({x(*((i + j) % n for j in range(width)))})" for i in range(n))


def chain(n: int) -> str:
    return " -> ".join(f"X{i}" for i in range(n))


def independent(n: int, more: str = "") -> str:
    return f"H({x(*range(n))}{more}) = {singles(n)}"


def same(n: int) -> dict[str, list[int]]:
    return {f"X{i}": [1] for i in range(n)}


def apart(n: int) -> dict[str, list[int]]:
    return {f"X{i}": [1 << i] for i in range(n)}


ZY = "2 I(C;D) <= I(A;B) + I(A;C,D) + 3 I(C;D|A) + I(C;D|B)"
ZY_GIVEN = "2 I(C;D|E) <= I(A;B|E) + I(A;C,D|E) + 3 I(C;D|A,E) + I(C;D|B,E)"
INGLETON = "I(A;B) <= I(A;B|C) + I(A;B|D) + I(C;D)"
DETERMINISTIC = tuple(f"H(X{i + 1}|X{i}) = 0" for i in range(11))
BUTTERFLY = ("I(A;B) = 0", "H(E|A,B) = 0", "H(B|A,E) = 0", "H(A|B,E) = 0")
PARITY = {"A": [1], "B": [2], "C": [3]}

PROVED = [  # statement, assumptions, copies
    ("I(A;B|C) <= H(A|C)", (), ()),
    ("I(A;B) <= I(A;B,C)", (), ()),
    ("H(A,B) + H(B,C) + H(A,C) <= 2 H(A) + 2 H(B) + 2 H(C)", (), ()),
    ("I(A;C) <= I(A;B)", ("A -> B -> C",), ()),
    ("H(C) <= H(A,B)", ("H(C|A,B) = 0",), ()),
    ("I(A;B|C) >= I(A;B)", ("I(A;C) = 0",), ()),
    ("I(A;B|C) <= I(A;B)", ("A -> B -> C",), ()),
    ("I(A;D) <= I(B;C)", ("A -> B -> C -> D",), ()),
    ("I(A;B) <= I(A;B|C) + I(A;B|D) + I(C;D)", ("H(C|A) = 0",), ()),
    ("I(A;B,C|D) = I(A;B|D) + I(A;C|B,D)", (), ()),
    ("H(A|B) <= H(A|C) + H(C|B)", (), ()),
    ("H(A|D) <= H(A|B) + H(B|C) + H(C|D)", (), ()),
    (ZY, (), ("D' ~ D | A,C",)),
    (ZY, (), ("A' ~ A | C,D",)),
    (ZY.translate(str.maketrans("ABCD", "WXYZ")), (), ("W' ~ W | Y,Z",)),
    (ZY_GIVEN, (), ("D' ~ D | A,C,E",)),
    (ZY.replace("D", "D,E"), (), ("A' ~ A | C,D,E",)),
    ("H(E) >= H(B)", BUTTERFLY, ()),
    ("H(E) >= H(A)", BUTTERFLY, ()),
    (f"H({x(0, 1, 2, 3, 4)}) <= {singles(5)}", (), ()),
    (f"2 H({x(0, 1, 2, 3, 4)}) <= {windows(5, 2)}", (), ()),
    ("I(X0;X5) <= I(X2;X3)", (chain(6),), ()),
    ("I(X0,X1;X4,X5) = I(X1;X4)", (chain(6),), ()),
    (f"6 H({x(*range(7))}) <= {all_but_one(7)}", (), ()),
    (f"3 H({x(*range(7))}) <= {windows(7, 3)}", (), ()),
    (f"{total(f'I(X{i};W)' for i in range(7))} <= I({x(*range(7))};W)", (independent(7),), ()),
    (f"H({x(*range(8))}) = {total(f'H(X{i}|{x(*range(i))})' for i in range(1, 8))} + H(X0)", (), ()),
    ("I(X0;X8|X3) <= I(X3;X5)", (chain(9),), ()),
    ("I(X0;X9) + I(X1;X8) <= I(X1;X2) + I(X4;X5)", (chain(10),), ()),
    (f"2 H({x(*range(10))}) <= {windows(10, 2)}", (), ()),
    (f"H({x(*range(11))}) <= {singles(11)}", (), ()),
    ("H(X11) <= H(X0)", DETERMINISTIC, ()),
    (f"H({x(*range(12))}) <= {singles(12)}", (), ()),
    (f"11 H({x(*range(12))}) <= {all_but_one(12)}", (), ()),
    (f"3 H({x(*range(12))}) <= {windows(12, 3)}", (), ()),
    ("I(X0;X11) <= I(X5;X6)", (chain(12),), ()),
    (f"{total(f'I(X{i};W)' for i in range(11))} <= I({x(*range(11))};W)", (independent(11),), ()),
]
REFUTED = [  # statement, assumptions, linear functions of independent fair bits that break it (None: no such can)
    ("I(A;B|C) <= I(A;B)", (), PARITY),
    ("I(A;B|C) >= I(A;B)", (), {"A": [1], "B": [1], "C": [1]}),
    ("I(A;B;C) >= 0", (), PARITY),
    ("H(A,B,C) = H(A) + H(B) + H(C)", ("I(A;B) = 0", "I(B;C) = 0", "I(A;C) = 0"), PARITY),
    ("I(A;C) = 0", ("I(A;B) = 0", "I(B;C) = 0"), {"A": [1], "B": [2], "C": [1]}),
    ("H(C|A) = 0", ("H(C|A,B) = 0",), PARITY),
    (INGLETON, (), None),
    ("I(A;B) + I(C;D) <= I(A,C;B,D)", (), {name: [1] for name in "ABCD"}),
    ("I(A;D) <= 1/2 I(B;C)", ("A -> B -> C -> D",), {name: [1] for name in "ABCD"}),
    ("H(E) >= H(A) + H(B)", BUTTERFLY, {"A": [1], "B": [2], "E": [3]}),
    (f"H({x(*range(5))}) <= 99/100 ({singles(5)})", (), apart(5)),
    (f"3 H({x(*range(5))}) <= {windows(5, 2)}", (), apart(5)),
    ("I(X0;X5) = 0", (chain(6),), same(6)),
    ("X0 -> X2 -> X1", (chain(7),), {"X0": [1], "X1": [1], **{f"X{i}": [] for i in range(2, 7)}}),
    (f"7 H({x(*range(7))}) <= {all_but_one(7)}", (), apart(7)),
    (
        f"{total(f'I(X{i};W)' for i in range(7))} >= I({x(*range(7))};W)",
        (independent(7),),
        {**apart(7), "W": [127]},
    ),
    ("I(X0;X8) <= 2/3 I(X4;X5)", (chain(9),), same(9)),
    (f"H({x(*range(10))}) <= 9/10 ({singles(10)})", (), apart(10)),
    ("H(X0) <= H(X11)", DETERMINISTIC, {"X0": [1], **{f"X{i}": [] for i in range(1, 12)}}),
    (f"12 H({x(*range(12))}) <= {all_but_one(12)}", (), apart(12)),
    ("I(X0;X11) <= 99/100 I(X5;X6)", (chain(12),), same(12)),
]
OPEN = [  # true, as the copy lemma shows, but no sum of Shannon's inequalities
    (ZY, (), ()),
    (ZY_GIVEN, (), ()),
]
