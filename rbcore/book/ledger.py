"""Agreement, the notebook's side: record a number, claim a sentence, read both back from the executed notebook.

:func:`record` and :func:`claim` write one output each into the cell that calls them, under a MIME type of their
own, and nothing anywhere else.  :func:`collect` reads an executed notebook back.  So what the book says is a pure
function of the notebooks that ran.  The comparison with the pinned values is :mod:`rbcore.book.agree`.
"""

from __future__ import annotations

import ast
import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any, Literal, get_args

from rbcore.book.spelling import SPELLED, spelled
from rbcore.checks import Check, Kind
from rbcore.information.expr import parse
from rbcore.information.theorems import Theorem

MIME = "application/vnd.rbcore.book.ledger+json"
FIGURE = "application/vnd.rbcore.figure+json"  # rbcore.plotted's
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
ROLE = re.compile(r"\{(val|num|ci|claim|statement)\}`([^`]+)`")
VALUE_ROLES = ("val", "num", "ci")
Verdict = Literal["holds", "fails", "departs"]
MARK: dict[Verdict, str] = {"holds": "\u2713", "fails": "\u2717", "departs": "\u2197"}
DEPARTURES = {  # what a sentence that holds may depart from: the first words of `departs`
    "code": "the authors' released code",
    "summary": "the summary of the paper",
    "expected": "what this book expected",
}


class LedgerError(ValueError):
    """A value or a claim that the ledger cannot take; the message says what would be right."""


@dataclass(frozen=True)
class Value:
    """One recorded number (or word), as it is shown in the text.

    `kind` is ``exact``, ``numerical`` or ``statistical`` (see :mod:`rbcore.checks`); `se` is the standard error
    and `ci` the interval shown to the reader, both in the unit of `value`.
    """

    name: str
    value: int | float | str | bool
    fmt: str = ""
    unit: str = ""
    kind: Kind = "exact"
    se: float | None = None
    ci: tuple[float, float] | None = None
    chapter: str = ""

    def number(self) -> str:
        """The value in its format, without unit: ``0.374`` or ``37.4%``."""
        return _show(self.value, self.fmt)

    def text(self) -> str:
        """The value in its format with its unit, joined by a no-break space."""
        return f"{self.number()}\u00a0{self.unit}" if self.unit else self.number()

    def with_interval(self) -> str:
        """The value with its unit and, where it has one, its interval."""
        if self.ci is None:
            return self.text()
        low, high = (_show(end, self.fmt) for end in self.ci)
        return f"{self.text()} (95\u00a0% CI {low} to {high})"


@dataclass(frozen=True)
class Claim:
    """One machine-checked sentence.  `check` is the source of the predicate, read from the cell that ran it.

    A theorem's claim also has its assumptions, `given`, each with what dropping it does.
    """

    id: str
    sentence: str
    kind: Kind
    verdict: Verdict
    measure: str = ""
    value: float | None = None
    ci: tuple[float, float] | None = None
    tolerance: float = 0.0
    statement: str = ""
    departs: str = ""
    check: str = ""
    chapter: str = ""
    seconds: float = 0.0
    given: str = ""
    cases: int | None = None

    @property
    def departure(self) -> tuple[str, str]:
        """What the sentence departs from, a key of :data:`DEPARTURES`, and in which way."""
        source, _, how = self.departs.partition(": ")
        return source, how


@dataclass(frozen=True)
class Chapter:
    """What one executed notebook says: its parameters, values and claims, and its processor seconds."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[Value, ...] = ()
    claims: tuple[Claim, ...] = ()
    seconds: float = 0.0
    theorems: Mapping[str, Any] = field(default_factory=dict)  # of the claims that have one, by id
    figures: Mapping[str, Any] = field(default_factory=dict)  # what each shows, by name (rbcore.plotted)


# ---------------------------------------------------------------------------------------------------------------
# In the notebook
# ---------------------------------------------------------------------------------------------------------------

_recorded_here: dict[str, Value] = {}  # for the text that `claim` prints in a running notebook; never read back


def record(
    name: str,
    value: Any,
    *,
    ci: tuple[float, float] | None = None,
    se: float | None = None,
    unit: str = "",
    fmt: str = "",
    kind: Literal["numerical"] | None = None,
) -> None:
    """Store a result in this cell's output, under `name`, for the text to show with the role ``{val}`name```.

    Args:
        name: lower-case words joined by hyphens, unique in the book.
        value: a number, a word, or a :class:`rbcore.checks.Mean`, which brings its own `se` and `ci`.
        ci: the 95 % interval, in the unit of `value`.  A value with `ci` or `se` is statistical, else it is exact.
        se: the standard error; taken as a quarter of the 95 % interval's width when only `ci` is given.
        unit: shown after the number: ``nats``, ``bits``, ``s`` ...
        fmt: a Python format specification such as ``.3f``, ``.1%`` or ``,d``; or ``words`` ("sixteen"),
            ``fraction`` ("a third", "about half") or ``times`` ("twice"), in digits where no words fit.
        kind: ``numerical`` for what an iteration, a search or a trained model found: it is reproducible to the
            digits that `fmt` shows, and pinned at those.

    Raises:
        LedgerError: for a bad name, a number that is not finite or was typed as a word, a format that does not fit
            the value, an interval that is infinite or does not hold the value, or a kind that does not fit.
    """
    _check_name("record", name)
    if hasattr(value, "se") and hasattr(value, "ci"):
        if getattr(value, "level", 0.95) != 0.95:
            raise LedgerError(
                f"record({name!r}): the text says 95 % CI, so level={value.level} would be shown wrongly"
            )
        value, se, ci = value.value, value.se, value.ci
    value = _plain(name, float(value) if fmt in SPELLED and isinstance(value, Fraction) else value)
    if ci is not None:
        ci = (float(ci[0]), float(ci[1]))
        if not (isinstance(value, (int, float)) and ci[0] <= value <= ci[1]):
            raise LedgerError(f"record({name!r}): the interval {ci} does not hold the value {value!r}")
        if not all(map(math.isfinite, ci)):
            raise LedgerError(f"record({name!r}): the ends of an interval are finite, got {ci}")
        se = (ci[1] - ci[0]) / 4 if se is None else se
    if se is not None and not (math.isfinite(se) and se >= 0):
        raise LedgerError(f"record({name!r}): a standard error is finite and not negative, got {se}")
    if fmt and isinstance(value, bool | str):
        raise LedgerError(f"record({name!r}): the format {fmt!r} is one for numbers, got {value!r}")
    try:
        if not isinstance(value, str) and "inf" in _show(value, fmt):
            raise ValueError("it shows a finite number as infinite")
    except (ValueError, TypeError) as error:
        raise LedgerError(f"record({name!r}): the format {fmt!r} does not fit {value!r}: {error}") from None
    if kind is not None and (kind != "numerical" or se is not None or not (fmt and isinstance(value, float))):
        raise LedgerError(f"record({name!r}): kind='numerical' is for a float with a format and without se and ci")
    shown: Kind = kind or ("exact" if se is None else "statistical")
    entry = Value(name, value, fmt, unit, shown, None if se is None else float(se), ci)
    _recorded_here[name] = entry
    _emit({"record": _payload(entry)}, f"{name} = {entry.with_interval()}")


def claim(
    id: str,
    sentence: str,
    check: Check | bool | Callable[[], Check | bool] | Theorem,
    *,
    kind: Kind | None = None,
    tolerance: float = 0.0,
    statement: str = "",
    departs: str = "",
) -> None:
    """Store a machine-checked sentence in this cell's output; the text marks it with the role ``{claim}`id```.

    Args:
        id: lower-case words joined by hyphens, unique in the book.
        sentence: one MyST sentence.  A number in it is a role, ``{val}`name```, never typed, and no other claim
            stands in it.
        check: a :class:`rbcore.checks.Check`, a :class:`rbcore.information.theorems.Theorem` (which is stored
            with all that stands behind it, and brings its statement), or a predicate; a bare truth value needs
            `kind`.
        kind: ``proved``, ``exact``, ``numerical`` or ``statistical``; taken from the check where it has one.
        tolerance: of a bare truth value: the margin that the predicate allows.
        statement: the expression-language string behind the sentence; the role ``{statement}`id``` renders it.
        departs: where the sentence departs from the released code, from the summary of the paper or from what was
            expected: one of the words of :data:`DEPARTURES`, a colon, and a sentence that says in which way.

    A check that fails is stored as such: the notebook goes on, and the page shows the sentence as failing.
    """
    _check_name("claim", id)
    theorem = check if isinstance(check, Theorem) else None
    if theorem is not None:
        if statement:
            raise LedgerError(f"claim({id!r}): a theorem brings its own statement; do not give another")
        check, statement = theorem.check(), theorem.statement
    outcome = check() if callable(check) else check
    if isinstance(outcome, Check):
        if kind is not None and kind != outcome.kind:
            raise LedgerError(f"claim({id!r}): the check is {outcome.kind}, so it cannot be claimed as {kind}")
    elif isinstance(outcome, bool) or type(outcome).__name__ in ("bool_", "bool"):
        if kind is None:
            raise LedgerError(f"claim({id!r}): a bare truth value needs kind='exact' or kind='statistical'")
        if kind == "proved":
            raise LedgerError(f"claim({id!r}): 'proved' needs a check that proves, such as verify.identity")
        outcome = Check(bool(outcome), kind, "", tolerance=tolerance)
    else:
        raise LedgerError(f"claim({id!r}): a check is a Check or a truth value, got {type(outcome).__name__}")
    if outcome.kind not in get_args(Kind):
        raise LedgerError(f"claim({id!r}): a kind is one of {get_args(Kind)}, got {outcome.kind!r}")
    measured = [x for x in (outcome.value, outcome.tolerance, *(outcome.ci or ())) if x is not None]
    if not all(map(math.isfinite, measured)):
        raise LedgerError(f"claim({id!r}): the check measured something that is not finite: {outcome}")
    if "{claim}" in sentence:
        raise LedgerError(f"claim({id!r}): a sentence cannot hold another claim; quote both in the text")
    if not sentence.strip().endswith((".", "?", "!")):
        raise LedgerError(f"claim({id!r}): the sentence must end as a sentence does, got {sentence!r}")
    if statement:
        parse(statement)
    if departs and (departs.partition(": ")[0] not in DEPARTURES or not departs.endswith(".")):
        sources = ", ".join(DEPARTURES)
        raise LedgerError(f"claim({id!r}): departs is '<from>: <sentence>.', from {sources}; got {departs!r}")
    verdict: Verdict = "fails" if not outcome.holds else "departs" if departs else "holds"
    entry = Claim(
        id,
        " ".join(sentence.split()),
        outcome.kind,
        verdict,
        outcome.measure,
        None if outcome.value is None else float(outcome.value),
        None if outcome.ci is None else (float(outcome.ci[0]), float(outcome.ci[1])),
        float(outcome.tolerance),
        statement,
        departs,
        given=theorem.assumptions() if theorem is not None else "",
        cases=outcome.cases,
    )
    mark = "✗ FAILS" if verdict == "fails" else "✓ " + verdict
    behind = {} if theorem is None else {"theorem": theorem.payload()}
    _emit({"claim": _payload(entry), **behind}, f"{mark} ({entry.kind}): {fill(entry.sentence, _recorded_here)}")


def fill(text: str, values: Mapping[str, Value]) -> str:
    """`text` with each value role replaced by the value it shows; roles with unknown names stay as they are."""
    show = {"val": Value.text, "num": Value.number, "ci": Value.with_interval}

    def one(match: re.Match[str]) -> str:
        role, name = match[1], match[2].strip()
        return show[role](values[name]) if role in show and name in values else match.group(0)

    return ROLE.sub(one, text)


def _emit(payload: dict[str, Any], plain: str) -> None:
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        print(plain)
    else:
        display({MIME: payload, "text/plain": plain}, raw=True)


def _payload(entry: Value | Claim) -> dict[str, Any]:
    """The fields that were set, without those that only `collect` knows."""
    return {
        k: v for k, v in asdict(entry).items() if v not in (None, "") and k not in ("chapter", "seconds", "check")
    }


def _plain(name: str, value: Any) -> int | float | str | bool:
    if hasattr(value, "item"):  # numpy and torch scalars
        if math.prod(getattr(value, "shape", ())) != 1:
            raise LedgerError(f"record({name!r}): one value at a time, got an array of shape {tuple(value.shape)}")
        value = value.item()
    if isinstance(value, str) and re.fullmatch(r"\s*([-+−]?[\d,]*\.?\d+(e[-+−]?\d+)?\s*%?)?\s*", value):
        raise LedgerError(f"record({name!r}): a number is recorded as it was computed, not as the word {value!r}")
    if isinstance(value, bool | str | int):
        return value
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, numbers.Real):
        if not math.isfinite(value):
            raise LedgerError(f"record({name!r}): {value} is not a finite number; fix it, or record a word")
        return float(value)
    raise LedgerError(f"record({name!r}): a value is a number or a word, got {type(value).__name__}")


def _check_name(call: str, name: str) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise LedgerError(f"{call}({name!r}): a name is lower-case words joined by hyphens, such as 'tv-task'")


def _show(value: int | float | str | bool, fmt: str) -> str:
    words = fmt in SPELLED and not isinstance(value, str)
    shown = spelled(value, fmt) if words else format(value, fmt)
    if isinstance(value, float) and re.fullmatch(r"-0(\.0+)?(e[-+]0+)?%?", shown):
        shown = shown[1:]  # a rounded negative zero
    if words or isinstance(value, str):
        return re.sub(r"^-(?=\d)", "\u2212", shown)  # a fraction; words keep their hyphens
    return shown.replace("-", "\u2212")


# ---------------------------------------------------------------------------------------------------------------
# From the executed notebook
# ---------------------------------------------------------------------------------------------------------------


def collect(notebook: Mapping[str, Any], chapter: str) -> Chapter:
    """Read an executed notebook (nbformat 4) back: a pure function of its cells and outputs.

    A claim costs the processor seconds since the claim before it, shared equally by the claims of one cell, so
    that the costs of a chapter's claims add up to the time until its last claim.

    Raises:
        LedgerError: when a name or an id is stored twice, or a claim's check cannot be read from its cell.
    """
    facts = notebook.get("metadata", {}).get("rbcore", {})
    seconds = facts.get("processor", facts.get("seconds", []))
    values: dict[str, Value] = {}
    claims: dict[str, Claim] = {}
    theorems: dict[str, Any] = {}
    figures: dict[str, Any] = {}
    since_claim = 0.0
    for index, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        since_claim += seconds[index] if index < len(seconds) else 0.0
        figures |= _figures(cell, chapter)
        payloads = [o["data"][MIME] for o in cell.get("outputs", []) if MIME in o.get("data", {})]
        here = [p["claim"] for p in payloads if "claim" in p]
        theorems |= {p["claim"]["id"]: p["theorem"] for p in payloads if "theorem" in p}
        sources = _check_sources(_joined(cell["source"])) if here else {}
        for payload in (p["record"] for p in payloads if "record" in p):
            _check_new(values, payload["name"], chapter)
            values[payload["name"]] = Value(**_tupled(payload), chapter=chapter)
        for payload in here:
            _check_new(claims, payload["id"], chapter)
            check = sources.get(payload["id"]) or sources.get("")
            if check is None:
                raise LedgerError(f"{chapter}: the cell of claim {payload['id']!r} must call claim(...) itself")
            claims[payload["id"]] = Claim(
                **_tupled(payload),
                check=check,
                chapter=chapter,
                seconds=since_claim / len(here),
            )
        if here:
            since_claim = 0.0
    parameters = facts.get("parameters", {})
    entries = tuple(values.values()), tuple(claims.values())
    return Chapter(chapter, dict(parameters), *entries, sum(seconds), theorems, figures)


def _figures(cell: Mapping[str, Any], chapter: str) -> dict[str, Any]:
    """What the figures of a cell show, by the name in its options; of several figures each with its number."""
    shown = [o["data"][FIGURE] for o in cell.get("outputs", []) if FIGURE in o.get("data", {})]
    name = cell.get("metadata", {}).get("mystnb", {}).get("figure", {}).get("name", "")
    names = [name if number == 1 else f"{name}-{number}" for number in range(1, len(shown) + 1)]
    return {name: {"chapter": chapter, **one} for name, one in zip(names, shown, strict=True) if name}


def _check_sources(source: str) -> dict[str, str]:
    """For each ``claim("id", sentence, check, ...)`` of a cell, the normalized source of `check`.

    Calls whose id is computed (in a loop) share one entry under the empty id: all their checks.
    """
    from IPython.core.inputtransformer2 import TransformerManager

    source = re.sub(r"\A(\s*%%.*\n)+", "", source)
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(TransformerManager().transform_cell(source))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "claim":
            given = dict(zip(("id", "sentence", "check"), node.args, strict=False))
            given |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
            if "id" in given and "check" in given:
                name = str(given["id"].value) if isinstance(given["id"], ast.Constant) else ""
                found[name] = "; ".join(filter(None, [found.get(name), ast.unparse(given["check"])]))
    return found


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _tupled(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in payload.items()}


def _check_new(seen: Mapping[str, Value | Claim], name: str, chapter: str) -> None:
    if name in seen:
        raise LedgerError(f"{chapter}: {name!r} is stored twice; each name stands for one result")
