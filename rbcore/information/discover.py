"""Which bounds follow?  The least combinations of chosen terms that bound a term, each with its certificate.

The coefficients c >= 0 for which ``term <= c1 T1 + c2 T2 + ..`` is provable form a convex set that contains, with
a point, all larger ones; its corners are the bounds that no other one implies.  They are found from outside: a
corner of a larger set is tried, and where it has no proof, the polymatroid against it cuts it off.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from rbcore.information.expr import parse_form
from rbcore.information.problem import ProverError, Text, read
from rbcore.information.prover import Certificate, prove
from rbcore.information.shannon import _solve

MOST = 6  # terms that may be combined
_Halfspace = tuple[tuple[Fraction, ...], Fraction]  # (a, b): a . c >= b


def discover(term: str, candidates: Sequence[str], given: Iterable[Text] = ()) -> list[Certificate]:
    """The upper bounds on ``term`` by non-negative combinations of the candidates, strongest first.

    All such bounds that can be proved are implied by those returned, and none of these by the others: by means of
    them, and larger coefficients.  The list is empty where nothing bounds the term.  First come those with fewest
    terms, then those of the smallest sum of coefficients.

    Args:
        term: an expression, as are the candidates.
        candidates: at most six, each non-negative under the assumptions.
        given: the assumptions.

    Raises ProverError for a candidate that is not provably at least 0, and for too many.

    >>> for bound in discover("H(A,B,C)", ["H(A,B)", "H(B,C)", "I(A;C)", "H(A,C)"], ["A -> B -> C"]):
    ...     print(bound.statement)
    H(A,B,C) <= H(A,B) + H(B,C)
    H(A,B,C) <= H(A,B) + H(A,C)
    H(A,B,C) <= H(B,C) + H(A,C)
    H(A,B,C) <= 1/2 H(A,B) + 1/2 H(B,C) + 1/2 H(A,C)
    """
    return _corners(term, tuple(candidates), tuple(map(read, given)), [None] * len(candidates))


def simplify(statement: str, given: Iterable[Text] = ()) -> Certificate:
    """The same bound with terms of its larger side left out or made smaller, as far as a proof can be found.

    Of the least bounds with the same terms and no larger coefficients it is the one with the fewest terms.  The
    larger side must be a sum of terms that are provably at least 0, with positive coefficients.

    Raises ProverError if the statement is no single inequality or cannot be proved.

    >>> simplify("I(A;C) <= I(A;B) + 2 I(A;B|C) + H(C|A)", ["A -> B -> C"]).statement
    'I(A;C) <= I(A;B)'
    """
    parsed, given = read(statement), tuple(map(read, given))
    if len(parsed.constraints) != 1 or parsed.constraints[0].relation != ">=":
        raise ProverError(f"{statement!r} is no single inequality")
    (_, _, _, larger, smaller), limits, terms = parsed.constraints[0], [], []
    for part in _summands(larger.text):
        number = re.match(r"(?:(\d+)/(\d+)|(\d+\.?\d*))\s*\*?\s*(?=[A-Zl(])", part)
        limits.append(Fraction(number[0].strip(" *")) if number else Fraction(1))
        terms.append(part[number.end() :] if number else part)
    found = _corners(smaller.text, tuple(terms), given, limits)
    if not found:
        raise ProverError(f"{statement!r} cannot be proved")
    return found[0]


def _summands(text: str) -> list[str]:
    """The parts of the text between plus signs that are in no parentheses."""
    parts, depth = [""], 0
    for symbol in text:
        depth += (symbol == "(") - (symbol == ")")
        parts = [*parts, ""] if symbol == "+" and not depth else [*parts[:-1], parts[-1] + symbol]
    return [part.strip() for part in parts if part.strip()]


def _corners(
    term: str, terms: tuple[str, ...], given: tuple[Text, ...], limits: Sequence[Fraction | None]
) -> list[Certificate]:
    """The provable bounds at the corners of the set of coefficients that do not exceed the limits."""
    if not 1 <= len(terms) <= MOST:
        raise ProverError(f"from 1 to {MOST} terms can be combined, not {len(terms)}")
    positive = [f"{text} >= 0" for text in terms]
    for text in positive:
        if not isinstance(prove(text, given, search=False), Certificate):
            raise ProverError(
                f"{text.removesuffix(' >= 0')!r} is not provably at least 0, so larger coefficients may be worse"
            )
    n = len(terms)
    units = [tuple(Fraction(i == j) for j in range(n)) for i in range(n)]
    cuts: list[_Halfspace] = [(unit, Fraction(0)) for unit in units]
    cuts += [(tuple(-x for x in unit), -top) for unit, top in zip(units, limits, strict=True) if top is not None]
    forms, goal = [parse_form(text) for text in terms], parse_form(term)
    proved: dict[tuple[Fraction, ...], str] = {}
    while True:
        corners = _vertices(cuts)
        for corner in (c for c in corners if c not in proved):
            bound = _bound(term, terms, corner)
            answer = prove(
                bound, (*given, *positive), search=False
            )  # so that its ray has all that the terms speak of
            if not isinstance(answer, Certificate):
                cuts.append((tuple(answer.value(form) for form in forms), answer.value(goal)))
                break
            proved[corner] = bound
        else:
            least = [c for c in corners if not any(d != c and all(map(Fraction.__le__, d, c)) for d in corners)]
            least.sort(key=lambda c: (sum(map(bool, c)), sum(c), [-x for x in c]))
            answers = [prove(proved[c], given, search=False) for c in least]
            return [answer for answer in answers if isinstance(answer, Certificate)]  # all of them


def _vertices(cuts: Sequence[_Halfspace]) -> list[tuple[Fraction, ...]]:
    """The corners of the intersection of half-spaces."""
    n, found = len(cuts[0][0]), {}
    for chosen in itertools.combinations(cuts, n):
        solution = _solve([({i: x for i, x in enumerate(a) if x}, b) for a, b in chosen])
        if solution is not None and len(solution) == n:
            point = tuple(solution[i] for i in range(n))
            if all(sum(map(Fraction.__mul__, a, point)) >= b for a, b in cuts):
                found[point] = None
    return list(found)


def _bound(term: str, terms: Sequence[str], coefficients: Sequence[Fraction]) -> str:
    """The bound as text, without terms of coefficient 0."""
    texts = [f"({text})" if len(_summands(text.replace("-", "+"))) > 1 else text for text in terms]
    parts = [("" if c == 1 else f"{c} ") + text for c, text in zip(coefficients, texts, strict=True) if c]
    return f"{term} <= {' + '.join(parts) or '0'}"
