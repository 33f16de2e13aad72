"""A run with other parameters beside the book: which numbers changed, which claims fail and why, what stayed.

The book's side is the pins, so that a number within the tolerance of its pin has not changed (see
:mod:`rbcore.book.agree`).  Why a claim may fail follows from its kind: a proved sentence holds in every world, an
exact one may be about the book's world alone, one about draws may want more of them.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rbcore.book import agree, prose, seeds
from rbcore.book.ledger import VALUE_ROLES, Chapter, Claim, Value
from rbcore.book.parameters import Parameter

DRAWS = 2.0  # standard errors: a smaller difference of two estimates is what other draws give
REPEATS = ("seeds", "repeats")  # parameters of these names count repeats, however few they are
MANY = 1000  # models or runs on which a sentence was checked: from here on it was not meant for one world alone


class Moved(NamedTuple):
    """A number that is not the book's.

    sentence: the first one that quotes it, with its roles.  change: relative to the larger of the two.
    drawn: the difference is no more than other draws would make.
    """

    name: str
    sentence: str
    book: str
    yours: str
    difference: str
    change: float
    drawn: bool = False


class Broken(NamedTuple):
    """A claim that fails in the run: what it measured there and in the book, and why that may be right."""

    claim: Claim
    book: str
    yours: str
    why: str
    fault: bool = False


@dataclass(frozen=True)
class Comparison:
    """A run of a chapter beside the book.  stayed and held: what is as in the book; gone and new: names."""

    chapter: str
    parameters: Mapping[str, Any]
    changed: Mapping[str, tuple[Any, Any]]  # of the parameters: the book's value, and that of the run
    moved: tuple[Moved, ...] = ()
    broken: tuple[Broken, ...] = ()
    stayed: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()

    @property
    def clear(self) -> tuple[Moved, ...]:
        """The numbers that changed by more than other draws would make them."""
        return tuple(one for one in self.moved if not one.drawn)

    def counts(self) -> dict[str, int]:
        """How much there is, for a list of runs."""
        values, claims = len(self.moved) + len(self.stayed), len(self.broken) + len(self.held)
        return {
            "values": values, "moved": len(self.moved), "drawn": len(self.moved) - len(self.clear),
            "claims": claims, "failing": len(self.broken), "faults": sum(b.fault for b in self.broken),
        }  # fmt: skip


def beside(
    chapter: Chapter,
    pins: Mapping[str, Any],
    parameters: Sequence[Parameter],
    text: str = "",
    record: Mapping[str, Any] | None = None,
) -> Comparison:
    """Compare an executed chapter with the pins of that chapter.

    Args:
        parameters: of the chapter, for the book's defaults and what costs time.
        text: the chapter's source, for the sentences that quote its numbers.
        record: the chapter's entry of `book/seeds.json`, where it has one.
    """
    pins = agree.pins_for(pins, [chapter.name])
    ran = dict(chapter.parameters)
    changed = {p.name: (p.default, ran[p.name]) for p in parameters if p.name in ran and p.default != ran[p.name]}
    said = _sentences(chapter, text)
    values, claims = {v.name: v for v in chapter.values}, {k.id: k for k in chapter.claims}
    moved = []
    for name, value in values.items():
        if name in pins["values"] and _moved(pins["values"][name], value):
            moved.append(_difference(pins["values"][name], value, said.get(name, "")))
    moved.sort(key=lambda one: (one.drawn, -one.change))
    broken = []
    for id, claim in claims.items():
        if claim.verdict == "fails":
            pin = pins["claims"].get(id, {})
            because, fault = why(claim, pin, parameters, changed, record)
            broken.append(Broken(claim, _measured(pin), _measured(vars(claim)), because, fault))
    names = {one.name for one in moved}
    return Comparison(
        chapter.name,
        ran,
        changed,
        tuple(moved),
        tuple(sorted(broken, key=lambda b: not b.fault)),
        tuple(n for n in values if n in pins["values"] and n not in names),
        tuple(id for id, claim in claims.items() if claim.verdict != "fails"),
        tuple(sorted((pins["values"].keys() - values.keys()) | (pins["claims"].keys() - claims.keys()))),
        tuple(sorted((values.keys() - pins["values"].keys()) | (claims.keys() - pins["claims"].keys()))),
    )


def _sentences(chapter: Chapter, text: str) -> dict[str, str]:
    """For each value the first sentence that quotes it, in the text or in a claim."""
    found: dict[str, str] = {}
    for source in (text, *(claim.sentence for claim in chapter.claims)):
        for quote in prose.quotes(chapter.name, source):
            if quote.role in VALUE_ROLES:
                found.setdefault(quote.name, quote.sentence)
    return found


def quoted(chapter: str, text: str, name: str) -> str:
    """The first sentence of a chapter's source that quotes a value; empty where there is none."""
    found = prose.quotes(chapter, text)
    return next((quote.sentence for quote in found if quote.role in VALUE_ROLES and quote.name == name), "")


def _moved(pin: Mapping[str, Any], value: Value) -> bool:
    was, now = pin.get("value"), value.value
    if isinstance(was, int | float) and isinstance(now, int | float) and not isinstance(was, bool):
        return not abs(now - was) <= agree.tolerance(pin)
    return was != now


def _difference(pin: Mapping[str, Any], value: Value, sentence: str) -> Moved:
    old = agree.value_of(value.name, pin)
    was, now = old.value, value.value
    book, yours = old.with_interval(), value.with_interval()
    if isinstance(was, bool | str) or isinstance(now, bool | str):
        return Moved(value.name, sentence, book, yours, "another word" if type(was) is type(now) else "", 1.0)
    gap = now - was
    if old.text() == value.text():  # the format hides it
        book, yours = f"{was:.9g}", f"{now:.9g}"
    shown = _signed(gap, value.fmt)
    spread = math.hypot(old.se or 0.0, value.se or 0.0)
    drawn = bool(old.se and value.se) and abs(gap) < DRAWS * spread
    if old.se and value.se:
        shown += f" ({abs(gap) / spread:.1f} standard errors)"
    return Moved(value.name, sentence, book, yours, shown, abs(gap) / max(abs(was), abs(now)), drawn)


def _signed(gap: float, fmt: str) -> str:
    """A difference in the format of what differs; in two digits where that would show nothing."""
    try:
        shown = format(gap, f"+{fmt}")
    except ValueError:
        shown = ""
    if not any(digit in shown for digit in "123456789"):
        shown = f"{gap:+.2g}"
    return shown.replace("-", "\u2212").replace("%", " points")


def _measured(entry: Mapping[str, Any]) -> str:
    """What a check measured: its name, the number and its interval."""
    value, ci = entry.get("value"), entry.get("ci")
    if value is None:
        return ""
    within = f" [{ci[0]:.3g}, {ci[1]:.3g}]" if ci else ""
    return f"{entry.get('measure') or 'measured'} {value + 0.0:.4g}{within}".replace("-", "\u2212")


# ---------------------------------------------------------------------------------------------------------------
# Why a claim may fail
# ---------------------------------------------------------------------------------------------------------------


def why(
    claim: Claim,
    pin: Mapping[str, Any],
    parameters: Sequence[Parameter],
    changed: Mapping[str, tuple[Any, Any]],
    record: Mapping[str, Any] | None = None,
) -> tuple[str, bool]:
    """Why a claim fails in a run, from its kind and from what was changed; and whether that is surely a fault."""
    fewer = {
        p.name: changed[p.name]
        for p in parameters
        if p.name in changed and p.name != "seed" and _is_size(p) and changed[p.name][1] < changed[p.name][0]
    }
    world = [name for name in changed if name != "seed" and name not in fewer]
    names = f"{'another' if len(world) == 1 else 'other'} {listed(world)}"
    if claim.kind == "proved":
        said = "It is proved for every distribution, so no choice of parameters can make it false."
        return f"{said} This is a fault of the program or of the statement: please report it.", True
    if not changed:
        return "The run has the book's own parameters, so this is a fault: please report it.", True
    if claim.kind == "exact":
        cases = pin.get("cases") or claim.cases or 1
        if cases >= MANY:
            said = f"The book checked it on {cases:,} models or runs, so it should hold in any world."
            return f"{said} If a theorem of the chapter says the same, this is a fault: please report it.", False
        if world:
            said = "It was enumerated in the book's world, with nothing left to chance."
            return f"{said} With {names} it may well be false: nothing is wrong.", False
        if fewer:
            said = f"It was enumerated at the book's sizes, and you chose less: {_reduced(fewer)}."
            return f"{said} What needs the larger size is not reached.", False
        return f"It was enumerated for the draws of seed {changed['seed'][0]}; other draws may differ.", False
    if claim.kind == "numerical":
        said = "An iteration, a search or training found it, so it is about the models that were found."
        because = [said]
        if fewer:
            because.append(f"You gave it less: {_reduced(fewer)}. With the book's size it may hold again.")
        if world:
            because.append(f"With {names} it may be false.")
        return " ".join(because if len(because) > 1 else [said, _over_seeds(claim, record)]).strip(), False
    because = [_interval(claim)]
    clear = claim.ci is not None and claim.ci[1] <= claim.tolerance  # no lack of draws
    if fewer and clear:
        because.append(f"You reduced {_reduced(fewer)}, on which the sentence may depend.")
    elif fewer:
        because.append(f"You reduced {_reduced(fewer)}; more draws narrow the interval.")
    if world:
        because.append(f"With {names} the sentence may be false.")
    if not fewer and not world:
        because.append(_over_seeds(claim, record))
    return " ".join(filter(None, because)), False


def _is_size(parameter: Parameter) -> bool:
    """Whether it counts draws, models or repeats, and is no part of the world: many of them, which cost time."""
    many = type(parameter.default) is int and (parameter.default >= 10 or parameter.name in REPEATS)
    return many and bool(parameter.cost or not parameter.allowed)


def listed(names: Sequence[str]) -> str:
    """Names as one says them: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _reduced(fewer: Mapping[str, tuple[Any, Any]]) -> str:
    return listed([f"{name} from {was:,} to {now:,}" for name, (was, now) in fewer.items()])


def _interval(claim: Claim) -> str:
    """What the interval of a statistical check says of its failure."""
    if claim.measure.startswith("chi-square"):
        return "The counts differ from the law that they should have, by more than chance."
    if claim.measure.startswith("mean minus truth"):
        return "The estimate is further from the exact value than its interval allows."
    if claim.ci is None or claim.value is None:
        return "It is about random draws."
    low, high = claim.ci
    ends = f"{low:.3g} to {high:.3g}".replace("-", "\u2212")
    if high <= claim.tolerance:
        return f"The whole interval, {ends}, is on the other side: more draws would not bring it back."
    if claim.value > claim.tolerance:
        return f"The estimate points the right way, but its interval, {ends}, is too wide to say so."
    return f"The interval, {ends}, has both sides: these draws decide nothing."


def _over_seeds(claim: Claim, record: Mapping[str, Any] | None) -> str:
    """On how many recorded seeds it held."""
    held, of = seeds.claims(record or {"runs": {}}).get(claim.id, (0, 0))
    return f"On other seeds it held {held} times of {of}." if of else "Other draws may fail where the book's hold."


# ---------------------------------------------------------------------------------------------------------------
# As text
# ---------------------------------------------------------------------------------------------------------------


def headline(found: Comparison) -> list[str]:
    """A sentence on the numbers and one on the claims."""
    count = found.counts()
    numbers = f"{count['moved']} of {count['values']} numbers differ from the book's"
    if not count["values"]:
        numbers = "No number of this chapter is pinned yet, so there is nothing to compare with"
    if count["drawn"]:
        numbers += f", {count['drawn']} of them by no more than other draws would"
    claims = f"{count['failing']} of {count['claims']} claims do not hold"
    if count["faults"]:
        claims += f", {count['faults']} of them by a fault"
    return [f"{numbers}.", f"{claims}."]


def settings(found: Comparison) -> str:
    """What was changed: ``strictness = 0.9 (book: 2.0)``."""
    return ", ".join(f"{k} = {now!r} (book: {was!r})" for k, (was, now) in found.changed.items())


def nearest(names: Sequence[str], known: Sequence[str]) -> str:
    """A line for each of these names that is not known, with the known ones next to it."""
    lines = []
    for name in (name for name in names if name not in known):
        close = difflib.get_close_matches(name, known, 3) or list(known)[:8]
        lines.append(f"no value {name!r} in every run; the nearest: {', '.join(close)}")
    return "\n".join(lines)
