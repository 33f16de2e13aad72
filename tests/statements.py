"""True statements about entropies with the assumptions that they need: of textbooks, and of the theory."""

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
