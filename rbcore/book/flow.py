"""What a value of a notebook depends on: the cells are read as code, not run.

:class:`Flow` interprets the cells in their order.  Instead of a value, a name stands for a :class:`Fact`: does the
value rest on data, that is on a parameter, on a random draw or on the core package, and through which assignments?
Literals, and all that is computed from literals alone, rest on none.  Branches and loops add what they decide by,
functions of the notebook are followed where they are called.  In doubt a value rests on data.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

SILENT = ("rbcore.book", "rbcore.checks", "rbcore.figures", "rbcore.information.verify")  # they add no data
PROVES = ("rbcore.information.verify.identity", "rbcore.information.verify.proved")  # what they find is a result
MEASURED = ("time", "sklearn.datasets", "torch.load")  # outside the core, what is not a function of its arguments
LOOPS = 2  # passes over the body of a loop: what its end assigns reaches its beginning


class Fact(NamedTuple):
    """Whether a value rests on data, and the assignments that it went through, as ``name@place``."""

    data: bool = False
    names: frozenset[str] = frozenset()

    def __or__(self, other: Fact) -> Fact:  # type: ignore[override]
        return Fact(self.data or other.data, self.names | other.names)


NOTHING, DATA = Fact(), Fact(True)


def together(facts: Iterable[Fact]) -> Fact:
    """What all of them rest on."""
    facts = list(facts)
    return Fact(any(fact.data for fact in facts), frozenset().union(*(fact.names for fact in facts)))


class Called(NamedTuple):
    """A call: the cell it stands in, its full name where that is known, and what each argument rests on."""

    cell: int
    node: ast.Call
    name: str
    given: Mapping[int | str | None, Fact]
    decides: Fact = Fact()  # what decides whether it runs


Function = ast.FunctionDef | ast.Lambda


class Flow:
    """The cells of a notebook, interpreted; `calls` has every call, `data` every assignment that data met.

    Args:
        cells: the code of the cells, of which the first holds the parameters.
    """

    def __init__(self, cells: Sequence[str]) -> None:
        self.facts: list[dict[str, Fact]] = [{}]  # the scopes, innermost last
        self.functions: dict[str, Function] = {}
        self.imports: dict[str, str] = {}
        self.decides: list[Fact] = []  # what the branches and loops around a statement decide by
        self.found: dict[ast.Call, Called] = {}
        self.met: set[str] = set()
        self.active: list[ast.AST] = []
        self.returned: list[Fact] = []
        for self.cell, code in enumerate(cells):
            self.parameters = not self.cell
            self.run(ast.parse(code).body)

    @property
    def calls(self) -> list[Called]:
        """Every call, in the order of the text."""
        return sorted(self.found.values(), key=lambda one: (one.cell, one.node.lineno, one.node.col_offset))

    # -- statements -------------------------------------------------------------------------------------------

    def run(self, body: Sequence[ast.stmt]) -> None:
        """Interpret statements."""
        for node in body:
            self.statement(node)

    def statement(self, node: ast.stmt) -> None:
        """Interpret a statement."""
        match node:
            case ast.Import() | ast.ImportFrom():
                self.imports |= imported(node)
            case ast.FunctionDef():
                self.define(node.name, node)
            case ast.Return():
                self.returned.append(together([self.value(node.value), *self.decides]))
            case ast.Assign():
                for target in node.targets:
                    self.assign(target, node.value)
            case ast.AnnAssign(value=value) if value is not None:
                self.assign(node.target, value)
            case ast.AugAssign():
                self.bind(node.target, self.value(node.value), weak=True)
            case ast.Expr(value=ast.Call() as call):  # it may write into what it is given
                fact = self.value(call)
                for name in () if under(self.full(call.func), *SILENT) else roots(call):
                    self.widen(name, fact)
            case ast.For() | ast.While():
                self.loop(node)
            case ast.If():
                with_test = self.value(node.test)
                self.inside(with_test, node.body, node.orelse)
            case ast.With():
                for item in node.items:
                    fact = self.value(item.context_expr)
                    if item.optional_vars is not None:
                        self.bind(item.optional_vars, fact)
                self.run(node.body)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.stmt):
                        self.statement(child)
                    elif isinstance(child, ast.ExceptHandler):
                        self.run(child.body)
                    else:
                        self.value(child)

    def loop(self, node: ast.For | ast.While) -> None:
        """Interpret the body of a loop, twice."""
        for _ in range(LOOPS):
            decides = self.value(node.iter if isinstance(node, ast.For) else node.test)
            if isinstance(node, ast.For):
                self.bind(node.target, decides)
            self.inside(decides, node.body, node.orelse)

    def inside(self, decides: Fact, *bodies: Sequence[ast.stmt]) -> None:
        """Interpret statements that run, or how often they run, as something decides."""
        self.decides.append(decides)
        before = dict(self.facts[-1])
        for body in bodies:
            self.run(body)
        for name, fact in self.facts[-1].items():  # they may not have run
            self.facts[-1][name] = fact | before.get(name, NOTHING)
        self.decides.pop()

    def define(self, name: str, node: Function) -> None:
        """A function: it rests on what its body rests on, whatever it is called with."""
        self.functions[name] = node
        self.facts[-1][name] = self.follow(node, {})

    # -- names ------------------------------------------------------------------------------------------------

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        """Bind a target to a value; each of several targets to its own where both are written out."""
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            if len(target.elts) == len(value.elts) and not any(isinstance(x, ast.Starred) for x in target.elts):
                pairs = list(zip(target.elts, value.elts, strict=True))
        facts = [self.value(value) for _, value in pairs]
        for (one, given), fact in zip(pairs, facts, strict=True):
            if isinstance(one, ast.Name) and isinstance(given, ast.Lambda):
                self.functions[one.id] = given
            elif isinstance(one, ast.Name):
                self.functions.pop(one.id, None)
            self.bind(one, fact)

    def bind(self, target: ast.expr, fact: Fact, weak: bool = False) -> None:
        """Let a target stand for a fact; `weak` when it keeps what it stood for."""
        if self.parameters:
            fact |= DATA
        fact |= together(self.decides)
        if isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self.bind(part, fact, weak)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, fact, weak)
        elif isinstance(target, ast.Name) and not weak:
            here = f"{target.id}@{self.cell}:{target.lineno}:{target.col_offset}"
            fact = Fact(fact.data, fact.names | {here})
            self.facts[-1][target.id] = fact
            self.meet(fact)
        else:
            fact |= self.value(target)
            for name in roots(target):
                self.widen(name, fact)

    def widen(self, name: str, fact: Fact) -> None:
        """What `name` stands for may have come to rest on more."""
        for scope in reversed(self.facts):
            if name in scope:
                scope[name] |= fact
                self.meet(scope[name])
                return

    def meet(self, fact: Fact) -> None:
        """Remember the assignments that a value with data went through."""
        if fact.data:
            self.met |= fact.names

    # -- expressions ------------------------------------------------------------------------------------------

    def value(self, node: ast.AST | None) -> Fact:
        """What an expression rests on."""
        match node:
            case None | ast.Constant():
                return NOTHING
            case ast.Name():
                known = next((scope[node.id] for scope in reversed(self.facts) if node.id in scope), None)
                return known if known is not None else brings(self.imports.get(node.id, ""))
            case ast.Attribute():
                name = self.full(node)
                return brings(name) if name else self.value(node.value)
            case ast.Lambda():
                return self.follow(node, {})
            case ast.NamedExpr():
                fact = self.value(node.value)
                self.bind(node.target, fact)
                return fact
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self.comprehension(node)
            case ast.Call():
                return self.call(node)
            case ast.stmt():
                self.statement(node)
                return NOTHING
            case _:
                return together([self.value(child) for child in ast.iter_child_nodes(node)])

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Fact:
        """What a comprehension rests on: its elements, what it goes through, and what it leaves out."""
        self.facts.append({})
        facts = []
        for part in node.generators:
            facts.append(self.value(part.iter))
            self.bind(part.target, facts[-1])
            facts += [self.value(test) for test in part.ifs]
        made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        facts += [self.value(one) for one in made]
        self.facts.pop()
        return together(facts)

    def call(self, node: ast.Call) -> Fact:
        """What a call rests on: a function of the notebook on what its body rests on, any other on all it gets."""
        given: dict[int | str | None, Fact] = {}
        for place, one in enumerate(node.args):
            given[place] = self.value(one)
        for keyword in node.keywords:
            given[keyword.arg] = given.get(keyword.arg, NOTHING) | self.value(keyword.value)
        name = self.full(node.func)
        old = self.found.get(node)
        seen = {key: fact | old.given.get(key, NOTHING) for key, fact in given.items()} if old else given
        cell = self.cell if old is None else old.cell
        self.found[node] = Called(cell, node, name, seen, together(self.decides))
        function = self.functions.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if function is not None and function not in self.active:
            return self.follow(function, given)
        if name in PROVES:
            return DATA
        fact = self.value(node.func) | together(given.values())
        if not under(name, *SILENT):  # to compare with data is not to compute
            self.meet(fact)
        return fact

    def follow(self, node: Function, given: Mapping[int | str | None, Fact]) -> Fact:
        """What a function of the notebook returns, for these arguments."""
        if node in self.active:
            return together(given.values())
        names = [*node.args.posonlyargs, *node.args.args]
        scope = {arg.arg: given.get(place, given.get(arg.arg, NOTHING)) for place, arg in enumerate(names)}
        for arg, default in zip(reversed(names), reversed(node.args.defaults), strict=False):
            scope[arg.arg] |= self.value(default)
        for arg, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            scope[arg.arg] = given.get(arg.arg, NOTHING) | self.value(default)
        rest = together(given.values())
        scope |= {arg.arg: rest for arg in (node.args.vararg, node.args.kwarg) if arg is not None}
        if None in given:
            scope = {name: fact | given[None] for name, fact in scope.items()}
        returned, self.returned = self.returned, []
        self.active.append(node)
        self.facts.append(scope)
        if isinstance(node, ast.Lambda):
            self.returned.append(self.value(node.body))
        else:
            self.run(node.body)
            for part in ast.walk(node):
                if isinstance(part, ast.Yield | ast.YieldFrom):
                    self.returned.append(self.value(part.value))
        self.facts.pop()
        self.active.pop()
        fact, self.returned = together(self.returned), returned
        return fact

    def full(self, node: ast.AST) -> str:
        """The full name of what is imported, ``rbcore.checks.above``; empty for anything else."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        known = isinstance(node, ast.Name) and not any(node.id in scope for scope in self.facts)
        base = self.imports.get(node.id, "") if known else ""
        return ".".join([base, *reversed(parts)]) if base else ""


def imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """The names that a statement imports, each with its full name."""
    if isinstance(node, ast.Import):
        return {a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names}
    return {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}


def under(name: str, *packages: str) -> bool:
    """Whether a full name lies in one of the packages."""
    return any(name == package or name.startswith(package + ".") for package in packages)


def brings(name: str) -> Fact:
    """What an imported name brings by itself."""
    return Fact((under(name, "rbcore") and not under(name, *SILENT)) or under(name, *MEASURED))


def roots(node: ast.AST) -> Iterator[str]:
    """The names that an expression reaches into: of ``a.b[0].c(d, e.f)`` they are a, d and e."""
    match node:
        case ast.Name():
            yield node.id
        case ast.Attribute() | ast.Subscript() | ast.Starred():
            yield from roots(node.value)
        case ast.Call():
            for part in (node.func, *node.args):
                yield from roots(part)
