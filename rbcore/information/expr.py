r"""The expression language: information quantities, and the relations claimed between them.

A claim such as "I(G;W) <= I(X;W) + I(eps;W|X)", "S -> P -> X -> G -> W" or "H(G|X,eps) = 0" is parsed once, by
:func:`parse`, into *linear forms over joint entropies* (:mod:`rbcore.information.forms`), which are typeset,
evaluated on finite joints, and handed to the prover.  The grammar, with identifiers that may end in primes
(``W'``) for names:

    statement  =  sum (("<=" | ">=" | "=") sum)+   |   group ("->" group)("->" group)+           (or ≤ ≥ == →)
    sum        =  term (("+" | "-") term)*
    term       =  factor ("*" factor | "/" factor | factor)*         "2 H(A)", "1/2 H(A)", "H(A)/2"
    factor     =  ("+" | "-")* (number | "(" sum ")" | quantity)
                  | "log" integer | "log|" group "|"                           (a constant: of alphabets)
    quantity   =  "H(" group ["|" group] ")"   |   "I(" group (";" group)+ ["|" group] ")"
    group      =  name ("," name)*

LaTeX is read, too: ``I(X_1;Y \mid Z) \leq \tfrac{1}{2} H(\alpha)`` is I(X_1;Y|Z) <= 1/2 H(alpha).
"""

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, NoReturn, Protocol

import numpy as np

from rbcore.information.forms import LinearForm, Value, write
from rbcore.information.notation import latex_name

NAME = r"[A-Za-z_][A-Za-z0-9_]*'*"  # a variable's name: an ASCII identifier with optional trailing primes


class ExpressionError(ValueError):
    """A string that is not an expression, or does not fit the joint it is evaluated on.

    The message tells the problem and what would be right, then shows the text and a caret under the place;
    ``text`` and ``position`` (an index into the text) are kept as attributes.
    """

    def __init__(self, text: str, position: int, problem: str):
        self.text, self.position = text, position
        start = max(0, position - 200)  # of a long text, what is near the place
        one_line = re.sub(r"\s", " ", text[start : position + 200])
        super().__init__(f"{problem}\n    {one_line}\n    {' ' * (position - start)}^")


class Model(Protocol):
    """What a statement is evaluated on, such as :class:`rbcore.information.finite.Joint`."""

    names: tuple[str, ...]

    def entropies(self, subsets: Iterable[frozenset[str]]) -> Mapping[frozenset[str], Value]:
        """The joint entropies in nats of many sets of variables, and of the empty set, by set."""


class Side(NamedTuple):
    """One side of a relation: as it is written, and as a form.  As a goal: a form that shall be at least 0."""

    text: str
    form: LinearForm

    def minus(self, other: "Side") -> str:
        """The difference of two sides as text."""
        if other.text == "0":
            return self.text
        text = f"({other.text})" if re.search(r"[+-]", other.text) else other.text
        return f"-{text}" if self.text == "0" else f"{self.text} - {text}"


class Constraint(NamedTuple):
    """One linear constraint: ``form >= 0`` or ``form = 0``, and the piece of text that says so.

    The form is ``larger - smaller``; of an equation, these are the left and the right side.  A Markov chain says
    that a conditional information is 0.
    """

    form: LinearForm
    relation: str
    source: str
    larger: Side
    smaller: Side


class Copy(NamedTuple):
    """New variables that are, with the given ones, distributed as the old ones are, and know of others only so.

    Such variables can be added to every distribution: that is the copy lemma (Zhang & Yeung 1998).
    """

    text: str
    new: tuple[str, ...]
    old: tuple[str, ...]
    given: tuple[str, ...]

    def constraints(self, others: Iterable[str]) -> list[Constraint]:
        """What holds of the copy, where the old and all other variables are ``others``; the text is the source."""
        zero, result = Side("0", LinearForm()), []
        rest = frozenset(others) - {*self.given, *self.new}
        independent = LinearForm.information([self.new, rest], self.given)
        result.append(Constraint(independent, "=", self.text, Side(write(independent), independent), zero))
        for i, j in itertools.product(range(1, 1 << len(self.new)), range(1 << len(self.given))):
            some = [self.given[k] for k in range(len(self.given)) if j >> k & 1]
            new, old = (
                LinearForm({frozenset([*some, *(side[k] for k in range(len(side)) if i >> k & 1)]): 1})
                for side in (self.new, self.old)
            )
            result.append(Constraint(old - new, "=", self.text, Side(write(old), old), Side(write(new), new)))
        return result


@dataclass(frozen=True)
class Statement:
    """A parsed statement: its text, its constraints, and its variables in order of first appearance."""

    text: str
    constraints: tuple[Constraint, ...]
    variables: tuple[str, ...]
    tokens: "tuple[_Token, ...]" = field(default=(), repr=False, compare=False)

    def latex(self, names: Callable[[str], str] = latex_name) -> str:
        """The statement as it was written, in LaTeX; ``names`` gives the LaTeX of a variable."""
        return _typeset(self.tokens or _tokenize(self.text), names)

    @property
    def goals(self) -> list[Side]:
        """What is to be proved: one goal for each constraint ``form >= 0``, and two, of opposite sign, for each
        ``form = 0``, as the statement writes them.
        """
        result = []
        for form, relation, _, larger, smaller in self.constraints:
            result.append(Side(larger.minus(smaller), form))
            if relation == "=":
                result.append(Side(smaller.minus(larger), -form))
        return result

    @functools.cached_property
    def relations(self) -> tuple[tuple[Side, str, Side], ...]:
        """Of each constraint the left side, the relation and the right side, as written; a chain's ends in 0."""
        signs = [token.text for token in self.tokens if token.text in _RELATIONS]
        signs += [c.relation for c in self.constraints[len(signs) :]]
        return tuple(
            (c.smaller, sign, c.larger) if sign == "<=" else (c.larger, sign, c.smaller)
            for c, sign in zip(self.constraints, signs, strict=True)
        )

    @functools.cached_property
    def nodes(self) -> tuple[frozenset[str], ...]:
        """The nodes of a Markov chain, in its order; of another statement, none."""
        ends = [i for i, token in enumerate(self.tokens) if token.text == "->"]
        parts = [self.tokens[i:j] for i, j in zip([0, *ends], [*ends, None], strict=True)] if ends else []
        return tuple(frozenset(token.text for token in part if token.is_variable) for part in parts)

    @functools.cached_property
    def sets(self) -> frozenset[frozenset[str]]:
        """The sets of variables whose entropies occur in the constraints."""
        return frozenset(s for c in self.constraints for s in c.form.coefficients)

    def slack(self, joint: Model) -> Value:
        """By how much the statement holds, in nats: the worst of its constraints, one number per model.

        A constraint ``form >= 0`` contributes the form's value, ``form = 0`` minus its absolute value: the
        slack is >= 0 up to rounding iff the statement holds.  Shape: the joint's batch, or a float if it
        has none.  Raises ExpressionError if the joint lacks a variable.
        """
        if not {*self.variables} <= {*joint.names}:
            require_variables(self.text, joint.names)
        slack = self.slack_of(joint.entropies(self.sets))
        return slack if slack.ndim else float(slack)

    def slack_of(self, entropies: Mapping[frozenset[str], Value]) -> np.ndarray:
        """The same from the entropies of :attr:`sets` and of the empty set, in their shape."""
        values = [(c.relation, np.asarray(c.form.value(entropies))) for c in self.constraints]
        return np.asarray(functools.reduce(np.minimum, [v if sign == ">=" else -np.abs(v) for sign, v in values]))

    def holds(self, joint: Model, tol: float = 1e-10) -> bool:
        """Whether the statement holds, up to ``tol`` nats, on every model of the joint's batch."""
        return bool(np.all(self.slack(joint) >= -tol))


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Statement:
    """Read a relation, a chain of relations or a Markov chain.

    A chain ``A -> B -> C -> D`` says that given a node inside it, all that is earlier is independent of
    the next node: I(A;C|B) = 0 and I(A,B;D|C) = 0.  Raises ExpressionError.

    >>> [str(c.form) for c in parse("0 <= I(A;B) <= H(A)").constraints]
    ['H(A) + H(B) - H(A,B)', '-H(B) + H(A,B)']
    >>> parse("A -> B -> C").goals[0].text
    'I(A;C|B)'
    """
    return _Parser(text).statement()


@functools.lru_cache(maxsize=4096)
def parse_form(text: str) -> LinearForm:
    """Read a bare expression such as ``"I(G;W) - 1/2 H(S)"``, without a relation.  Raises ExpressionError."""
    return _Parser(text).bare_form()


@functools.lru_cache(maxsize=4096)
def parse_copy(text: str) -> Copy:
    """Read "A' ~ A | B,C": given B and C, A' is distributed as A, and independent of all other variables.

    >>> parse_copy("A',B' ~ A,B | C").given
    ('C',)
    """
    groups = [part.split(",") for part in re.split("[~|]", text)]
    names = [tuple(name.strip() for name in group) for group in groups]
    good = re.fullmatch(r"[^~|]+~[^~|]+\|[^~|]+", text) and len(names[0]) == len(names[1])
    for name in itertools.chain(*names):
        good = good and re.fullmatch(NAME, name) and name not in ("H", "I")
    if not good or len({*itertools.chain(*names)}) < sum(map(len, names)):
        raise ExpressionError(
            text, 0, 'a copy is written "A\' ~ A | B,C", or "A\',D\' ~ A,D | B" for two variables'
        )
    return Copy(text, *names)


def require_variables(text: str, names: Sequence[str]) -> None:
    """Raise an ExpressionError at the first variable of the expression that is not among ``names``."""
    for token in _tokenize(text):
        if missing := [name for name in token.variables if name not in names]:
            problem = f"the joint has no variable '{missing[0]}': its variables are {', '.join(names)}"
            raise ExpressionError(text, token.start, problem)


def latex(text: str, names: Callable[[str], str] = latex_name) -> str:
    """Typeset an expression or statement as it is written, token by token; its grammar is not checked."""
    return _typeset(_tokenize(text), names)


def _typeset(tokens: "tuple[_Token, ...]", names: Callable[[str], str]) -> str:
    pieces = []
    for before, token, after in zip(tokens[-1:] + tokens, tokens, tokens[1:], strict=False):
        piece = names(token.text) if token.is_variable else _LATEX.get(token.text, token.text)
        if token.kind == "constant":
            inside = ",".join(map(names, token.variables))
            piece = rf"\log |{inside}|" if inside else "\\" + token.text
        if token.text in ("+", "-") and (before.kind in ("number", "name", "constant") or before.text == ")"):
            piece = f" {token.text} "
        if after.opens_factor and (token.kind == "number" or token.text in (")", "*")):
            piece = piece.replace(_LATEX["*"], "") + r"\,"
        pieces.append(piece)
    return re.sub(rf"(?<![/\d.])({_NUMBER})/({_NUMBER})", r"\\tfrac{\1}{\2}", "".join(pieces))


_LONGEST, _DEPTH, _GROUPS = 4000, 100, 6  # characters; of parentheses; of a co-information, which has 2^n terms
_LATEX = {"<=": r" \le ", ">=": r" \ge ", "=": " = ", "->": r" \to ", "|": r" \mid ", "*": r" \cdot "}
_SYNONYMS = {"≤": "<=", "≥": ">=", "==": "=", "→": "->", "\\cdot": "*", "\\mid": "|", "\\vert": "|"}
_SYNONYMS |= {"\\le": "<=", "\\leq": "<=", "\\ge": ">=", "\\geq": ">=", "\\to": "->", "\\rightarrow": "->"}
_PRIMES = {"′": "'", "’": "'", "″": "''", r"^\prime": "'", r"^{\prime}": "'"}
_INDEPENDENT = r"⊥+|⫫|_\|_|\|\||\\perp\b|\b(?:indep|independent)(?=\s+[A-Za-z])"
_RELATIONS = ("<=", ">=", "=")
_NUMBER = r"\d+\.?\d*|\.\d+"
_TOKEN = re.compile(
    r"(?P<space>(?:\s|\\[,;:! ]|\\(?:q?quad|left|right|[bB]igg?[lr]?)(?![A-Za-z]))+)"
    rf"|(?P<independent>{_INDEPENDENT})"
    rf"|(?P<constant>\\?\blog(?:\s+\d+|\s*\(\s*\d+\s*\)|\s*\|\s*{NAME}(?:\s*,\s*{NAME})*\s*\|)(?!\w))"
    rf"|(?P<number>{_NUMBER}|\\[td]?frac\{{\d+\}}\{{0*[1-9]\d*\}})"
    r"|(?P<sign>[<>=]=|->|[≤≥→=+\-*/(),;|]|\\(?:leq?|geq?|mid|vert|to|rightarrow|cdot)(?![A-Za-z]))"
    r"|(?P<name>(?:(?:\\[A-Za-z]+\{[A-Za-z]\w*\}|\\[A-Za-z]+|[A-Za-z]\w*?)(?:_\{[\w,\\]+(?:\{\w+\})?\}|_\w+)"
    r"|\\[A-Za-z]+\{[A-Za-z]\w*\}|\\[A-Za-z]+|[A-Za-z_]\w*)"
    r"(?:['′’″]|\^\\prime|\^\{\\prime\})*)"
    r"|(?P<bad>.)",
    re.ASCII,
)


def _plain(kind: str, text: str) -> str:
    """A token as the language writes it: ``≤`` and LaTeX's ``\\leq`` as ``<=``, ``X_{1}`` as ``X_1``."""
    if kind == "number" and "frac" in text:
        return "/".join(re.findall(r"\d+", text))
    if kind == "constant":
        inside = ",".join(re.findall(rf"{NAME}|\d+", text.lstrip("\\")[3:]))
        return f"log|{inside}|" if "|" in text else f"log {inside}"
    if kind == "name":
        for prime, plain in _PRIMES.items():
            text = text.replace(prime, plain)
        text = re.sub(r"\\(?:mathrm|mathit|mathsf|text|operatorname)(?=\{)|[{}]", "", text)
        return text.replace("\\varepsilon", "eps").replace("\\var", "").replace("\\", "").replace(",", "_")
    return _SYNONYMS.get(text, text)


class _Token(NamedTuple):
    """A number, name or sign with its place in the text; synonyms such as ≤ are already replaced."""

    kind: str
    text: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"'{self.text}'" if self.text else "the end"

    @property
    def is_variable(self) -> bool:
        return self.kind == "name" and self.text not in ("H", "I")

    @property
    def variables(self) -> list[str]:
        """Those that the token names: itself, or those of whose alphabets it is the logarithm."""
        if self.kind == "constant":
            return self.text[4:-1].split(",") if self.text.endswith("|") else []
        return [self.text] if self.is_variable else []

    @property
    def opens_factor(self) -> bool:
        return self.kind in ("name", "constant") or self.text == "("


@functools.lru_cache(maxsize=4096)
def _tokenize(text: str) -> tuple[_Token, ...]:
    """Split the text into tokens, the last of kind "end", and check that the parentheses balance."""
    tokens, unclosed = [], []
    for match in _TOKEN.finditer(text):
        symbol, start = _plain(match.lastgroup or "", match.group()), match.start()
        if match.lastgroup == "independent":
            hint = "write I(A;B) = 0 for independence, and I(A;B|C) = 0 given C"
            raise ExpressionError(text, start, f"'{symbol}' is not in the language: {hint}")
        if match.lastgroup == "bad":
            hint = f": write '{symbol}='" if symbol in "<>" else ""
            raise ExpressionError(text, start, f"unknown character '{symbol}'{hint}")
        if symbol == ")" and not unclosed:
            raise ExpressionError(text, start, "unbalanced ')': no '(' opens it")
        if symbol == "(":
            unclosed.append(start)
            if len(unclosed) > _DEPTH:
                raise ExpressionError(text, start, f"parentheses are nested deeper than {_DEPTH} levels")
        elif symbol == ")":
            unclosed.pop()
        if (kind := match.lastgroup) and kind != "space":
            tokens.append(_Token(kind, symbol, start, match.end()))
    if unclosed:
        raise ExpressionError(text, unclosed[-1], "unbalanced '(': no ')' closes it")
    if len(text) > _LONGEST:
        raise ExpressionError(
            text, _LONGEST, f"an expression has at most {_LONGEST:,} characters, not {len(text):,}"
        )
    return (*tokens, _Token("end", "", len(text), len(text)))


class _Parser:
    """Recursive descent, one method per rule of the grammar; constants are Fractions."""

    def __init__(self, text: str):
        self.text, self.tokens, self.index = text, _tokenize(text), 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.index]

    def take(self) -> _Token:
        self.index += 1
        return self.tokens[self.index - 1]

    def accept(self, *symbols: str) -> _Token | None:
        return self.take() if self.token.text in symbols else None

    def fail(self, token: _Token, problem: str) -> NoReturn:
        raise ExpressionError(self.text, token.start, problem)

    def statement(self) -> Statement:
        links = [token for token in self.tokens if token.text in (*_RELATIONS, "->")]
        for link in links:
            if (link.text == "->") != (links[0].text == "->"):
                self.fail(link, "a chain '->' and a relation cannot be mixed: write two statements")
        constraints = self.chain() if links and links[0].text == "->" else self.relations()
        variables = dict.fromkeys(name for token in self.tokens for name in token.variables)
        return Statement(self.text, tuple(constraints), tuple(variables), self.tokens)

    def bare_form(self) -> LinearForm:
        form = self.side().form
        if self.token.kind != "end":
            self.fail(self.token, f"{self.token} makes this a statement: expected an expression without it")
        return form

    def chain(self) -> list[Constraint]:
        seen: set[str] = set()
        for token in self.tokens:
            if token.is_variable and token.text in seen:
                self.fail(token, f"'{token.text}' is in this chain twice: a chain has each variable once")
            seen.add(token.text if token.is_variable else "")
        nodes, constraints = [self.group()], []
        while self.accept("->"):
            nodes.append(self.group())
            if len(nodes) > 2:
                form = LinearForm.information([frozenset().union(*nodes[:-2]), nodes[-1]], nodes[-2])
                sides = Side(write(form), form), Side("0", LinearForm())
                constraints.append(Constraint(form, "=", self.source(self.tokens[0]), *sides))
        if self.token.kind != "end":
            self.fail(self.token, f"expected ',' or '->', not {self.token}")
        if not constraints:
            self.fail(self.token, "a chain needs three nodes, as in 'A -> B -> C': two nodes say nothing")
        return constraints

    def relations(self) -> list[Constraint]:
        constraints, start, left = [], self.token, self.side()
        while relation := self.accept(*_RELATIONS):
            middle, right = self.token, self.side(relation)
            larger, smaller = (right, left) if relation.text == "<=" else (left, right)
            sign = "=" if relation.text == "=" else ">="
            form = larger.form - smaller.form
            constraints.append(Constraint(form, sign, self.source(start), larger, smaller))
            start, left = middle, right
        if not constraints:
            self.fail(self.token, "a statement needs a relation <=, >= or =, or a chain 'A -> B -> C'")
        return constraints

    def source(self, first: _Token) -> str:
        return self.text[first.start : self.tokens[self.index - 1].end]

    def side(self, relation: _Token | None = None) -> Side:
        start = self.token
        if start.text in _RELATIONS or (relation and start.kind == "end"):
            self.fail(relation or start, f"one side of {relation or start} is missing: write 0 for zero")
        value = self.sum()
        if self.token.kind != "end" and self.token.text not in _RELATIONS:
            self.fail(self.token, f"expected '+', '-', a relation or the end, not {self.token}")
        return Side(self.source(start), self.as_form(value, start))

    def as_form(self, value: Fraction | LinearForm, start: _Token) -> LinearForm:
        if isinstance(value, Fraction) and value:
            self.fail(start, "a constant alone has no unit: multiply it with a quantity (only 0 needs none)")
        return value if isinstance(value, LinearForm) else LinearForm()

    def sum(self) -> Fraction | LinearForm:
        first = self.token
        total = self.term()
        while operator := self.accept("+", "-"):
            second = self.token
            value = self.term()
            sign = 1 if operator.text == "+" else -1
            if isinstance(total, Fraction) and isinstance(value, Fraction):
                total += sign * value
            else:
                total = self.as_form(total, first) + sign * self.as_form(value, second)
        return total

    def term(self) -> Fraction | LinearForm:
        product = self.factor()
        while self.token.text in ("*", "/") or (isinstance(product, Fraction) and self.token.opens_factor):
            operator = self.token
            self.accept("*", "/")
            second = self.token
            factor = self.factor()
            if operator.text == "/":
                if isinstance(factor, LinearForm) or factor == 0:
                    self.fail(second, "division by a quantity or by zero: a divisor is a number other than 0")
                factor = 1 / factor
            if isinstance(factor, Fraction):
                product = product * factor
            elif isinstance(product, Fraction):
                product = factor * product
            else:
                self.fail(operator, "product of two quantities: one of the factors must be a number")
        return product

    def factor(self) -> Fraction | LinearForm:
        negative = False
        while sign := self.accept("+", "-"):
            negative ^= sign.text == "-"
        value = self.unsigned()
        return -value if negative else value

    def unsigned(self) -> Fraction | LinearForm:
        if self.accept("("):
            value = self.sum()
            if not self.accept(")"):
                self.fail(self.token, f"expected '+', '-' or ')', not {self.token}")
            return value
        if self.token.kind == "constant":
            return self.constant()
        if self.token.kind == "number":
            return Fraction(self.take().text)
        if self.token.kind != "name":
            self.fail(self.token, f"expected a quantity or a number, not {self.token}")
        return self.quantity()

    def constant(self) -> LinearForm:
        """log 12 is 2 log 2 + log 3, and log|A,B| is log|A| + log|B|."""
        token = self.take()
        if token.text.endswith("|"):
            parts = [f"log|{name}|" for name in token.text[4:-1].split(",")]
        else:
            n, parts = int(token.text[4:]), []
            if not 0 < n <= 1_000_000:
                self.fail(token, f"the logarithm of an integer from 1 to a million, not of {n}")
            p = 2
            while n > 1:
                p = p if p * p <= n else n  # what has no smaller factor is prime
                if n % p == 0:
                    n, parts = n // p, [*parts, f"log {p}"]
                else:
                    p += 1
        return sum((LinearForm({frozenset([part]): 1}) for part in parts), LinearForm())

    def quantity(self) -> LinearForm:
        name = self.take()
        if name.is_variable or self.token.text != "(":
            problem = "unknown function" if self.token.text == "(" else "not a quantity:"
            self.fail(name, f"{problem} '{name.text}': write H(A|C) or I(A;B|C), in capital letters")
        self.take()
        groups = [self.group()]
        while separator := self.accept(";"):
            if name.text == "H":
                self.fail(separator, "H takes one group: write H(A,B) for the joint entropy")
            groups.append(self.group())
            if len(groups) > _GROUPS:
                self.fail(separator, f"I takes at most {_GROUPS} groups: join variables by ',' in one")
        if name.text == "I" and len(groups) == 1:
            self.fail(self.token, "I needs two groups separated by ';', as in I(A;B)")
        given = self.group() if self.accept("|") else ()
        if not self.accept(")"):
            self.fail(self.token, f"expected ',' or ')', not {self.token}")
        return LinearForm.information(groups, given)

    def group(self) -> frozenset[str]:
        names = set()
        while not names or self.accept(","):
            token = self.take()
            if token.kind != "name":
                self.fail(token, f"empty group: expected a variable, not {token}")
            if not token.is_variable:
                self.fail(token, f"'{token.text}' is reserved: give the variable another name")
            names.add(token.text)
        return frozenset(names)
