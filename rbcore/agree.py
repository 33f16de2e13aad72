"""Agreement, the book's side: do the numbers and sentences of the text still follow from what was run?

The pins, `book/ledger.json`, hold every value and verdict with its tolerance as of the last accepted run.
:func:`problems` compares a fresh execution with them and with the text, and says which sentence is wrong.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, NamedTuple

import nbformat

from rbcore import prose
from rbcore.ledger import VALUE_ROLES, Chapter, Claim, LedgerError, Value, collect

Finding = Literal["value", "claim", "parameter", "role", "unused", "prose"]
STANDARD_ERRORS = 4.0  # a statistical value may move this far before it has drifted
ROUNDING, FLOOR = 1e-9, 1e-12  # relative and absolute, for exact float64 results on another machine
TRAINED, LOOSE = 3.0, 6.0  # where networks are trained: how many times as far, and as wide
STATED = 1e-6  # a check's own tolerance widens its pin up to here; a larger one is a margin, and not rounding


class Problem(NamedTuple):
    """One disagreement.  `found_by` names the check that caught it; `where` is ``file:line`` or a chapter."""

    found_by: Finding
    name: str
    where: str
    sentence: str
    pinned: str
    fresh: str
    tolerance: str
    remedy: str


def gather(executed: Mapping[str, Path]) -> list[Chapter]:
    """Read the executed notebooks back, in the order of the book.

    Raises:
        LedgerError: when two notebooks store the same name.
    """
    chapters = [collect(nbformat.read(path, as_version=4), name) for name, path in sorted(executed.items())]
    for kind, names in (
        ("value", [(v.name, c.name) for c in chapters for v in c.values]),
        ("claim", [(k.id, c.name) for c in chapters for k in c.claims]),
    ):
        seen: dict[str, str] = {}
        for name, chapter in names:
            if name in seen:
                raise LedgerError(f"the {kind} {name!r} is stored in {seen[name]} and in {chapter}: rename one")
            seen[name] = chapter
    return chapters


# ---------------------------------------------------------------------------------------------------------------
# Pins
# ---------------------------------------------------------------------------------------------------------------

CLAIM_FIELDS = ("sentence", "kind", "check", "statement", "given", "departs", "verdict", "measure", "chapter")


def tolerance(entry: Value | Claim) -> float:
    """How far `entry.value` may be from its pin: rounding for exact floats, standard errors for estimates.

    A statistical claim may move by half the width of its interval.  Where networks are trained (see
    :func:`rbcore.ledger.trained`) statistical results may move `TRAINED` times as far.
    """
    more = TRAINED if entry.trained else 1
    rounding = max(ROUNDING * abs(entry.value), FLOOR) if isinstance(entry.value, float) else 0.0
    if isinstance(entry, Value):
        return rounding if entry.se is None else max(more * STANDARD_ERRORS * entry.se, rounding)
    if entry.ci is not None:
        return max(more * (entry.ci[1] - entry.ci[0]) / 2, rounding)
    return max(min(entry.tolerance, STATED), rounding) if isinstance(entry.value, float) else 0.0


def pins_of(chapters: Iterable[Chapter]) -> dict[str, Any]:
    """What `book/ledger.json` holds for these chapters."""
    pins: dict[str, Any] = {"parameters": {}, "values": {}, "claims": {}}
    for chapter in chapters:
        pins["parameters"][chapter.name] = dict(chapter.parameters)
        for entry in chapter.values:
            kept = {k: v for k, v in asdict(entry).items() if v not in (None, "") and k not in ("name", "trained")}
            pins["values"][entry.name] = kept | {"tolerance": tolerance(entry)}
        for entry in chapter.claims:
            kept = {k: getattr(entry, k) for k in (*CLAIM_FIELDS, "value", "ci")}
            kept = {k: v for k, v in kept.items() if v not in (None, "")}
            pins["claims"][entry.id] = kept | {"tolerance": tolerance(entry)}
    return pins


def read_pins(path: Path) -> dict[str, Any]:
    """The pinned ledger; empty where there is none yet.

    Raises:
        LedgerError: when the file is not the JSON that ``make pin`` writes.
    """
    if not path.exists():
        return {"parameters": {}, "values": {}, "claims": {}}
    try:
        pins = json.loads(path.read_text(encoding="utf8"))
    except json.JSONDecodeError as error:
        raise LedgerError(f"{path}: not valid JSON ({error}); restore it from git, or run `make pin`") from None
    parts = [pins.get(part) for part in ("parameters", "values", "claims")] if isinstance(pins, dict) else [None]
    if not all(isinstance(part, dict) and all(isinstance(x, dict) for x in part.values()) for part in parts):
        raise LedgerError(f"{path}: needs the objects 'parameters', 'values' and 'claims'; `make pin` writes them")
    return pins


def write_pins(path: Path, chapters: Iterable[Chapter]) -> None:
    """Accept the fresh numbers: write them as the new pins, whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(pins_of(chapters), indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf8")
    os.replace(partial, path)


# ---------------------------------------------------------------------------------------------------------------
# Comparison
# ---------------------------------------------------------------------------------------------------------------


def problems(chapters: Sequence[Chapter], pins: Mapping[str, Any], texts: Iterable[tuple[str, str]],
             allowed: Sequence[prose.Allowed] = ()) -> list[Problem]:  # fmt: skip
    """All that is wrong: drifted pins, failing claims, unknown roles, unused results, numbers typed into prose."""
    texts = list(texts)
    quotes = [q for file, text in texts for q in prose.quotes(file, text)]
    for chapter in chapters:
        for entry in chapter.claims:
            quotes += [
                q._replace(file=f"notebooks/{chapter.name}.md", line=0)
                for q in prose.quotes(chapter.name, entry.sentence)
            ]
    return [
        *_parameter_drift(chapters, pins["parameters"]),
        *_value_drift(chapters, pins["values"], quotes),
        *_claim_drift(chapters, pins["claims"]),
        *_role_problems(chapters, quotes),
        *_prose_problems(chapters, texts, allowed),
    ]


PIN_REMEDY = "if the new result is right, `make pin` accepts it; else mend what changed it"


def _parameter_drift(chapters: Sequence[Chapter], pins: Mapping[str, Any]) -> list[Problem]:
    parameters = {chapter.name: chapter.parameters for chapter in chapters}
    found = []
    for chapter in sorted(pins.keys() | parameters.keys()):
        pinned, fresh = pins.get(chapter, {}), parameters.get(chapter, {})
        for name in sorted(pinned.keys() | fresh.keys()):
            was, now = (repr(x[name]) if name in x else "absent" for x in (pinned, fresh))
            # as JSON, in which 1, 1.0 and true differ
            if (name in pinned) != (name in fresh) or json.dumps(pinned[name]) != json.dumps(fresh[name]):
                found.append(
                    Problem("parameter", name, chapter, "(the whole chapter was pinned with another value)",
                            was, now, "none", PIN_REMEDY)
                )  # fmt: skip
    return found


def _value_drift(
    chapters: Sequence[Chapter], pins: Mapping[str, Any], quotes: Sequence[prose.Quote]
) -> list[Problem]:
    fresh = {v.name: v for c in chapters for v in c.values}
    found = []
    for name in sorted(pins.keys() | fresh.keys()):
        sentence = next((q.sentence for q in quotes if q.name == name and q.role in VALUE_ROLES), "(not quoted)")
        pin, value = pins.get(name), fresh.get(name)
        chapter = value.chapter if value else pin.get("chapter", "?")
        if pin is None:
            drifts = [("not pinned", value.with_interval(), "-", PIN_REMEDY)]
        elif value is None:
            drifts = [(str(pin.get("value")), "not recorded", "-", PIN_REMEDY)]
        else:
            drifts = [*_moved(pin, value), *_reworded(pin, value, ("fmt", "unit", "kind", "chapter"))]
        found += [Problem("value", name, chapter, sentence, *drift) for drift in drifts]
    return found


CLAIM_REMEDY = "the check is `{}`: mend the sentence or what it checks"


def _claim_drift(chapters: Sequence[Chapter], pins: Mapping[str, Any]) -> list[Problem]:
    fresh = {k.id: k for c in chapters for k in c.claims}
    found = []
    for name in sorted(pins.keys() | fresh.keys()):
        pin, entry = pins.get(name), fresh.get(name)
        chapter, sentence = (
            entry and getattr(entry, k) or (pin or {}).get(k, "?") for k in ("chapter", "sentence")
        )
        drifts = []
        if entry and entry.verdict == "fails":
            measured = "no number" if entry.value is None else f"{entry.measure} {entry.value + 0.0:.6g}"
            was = pin.get("verdict", "not pinned") if pin else "not pinned"
            drifts += [(was, f"fails ({measured})", f"{entry.tolerance:.3g}", CLAIM_REMEDY.format(entry.check))]
        if entry is None:
            drifts += [(pin.get("verdict", "?"), "not claimed", "-", PIN_REMEDY)]
        elif pin is None:
            drifts += [("not pinned", entry.verdict, "-", PIN_REMEDY)]
        else:
            parts = [part for part in CLAIM_FIELDS if part != "verdict" or entry.verdict != "fails"]
            drifts += [*_moved(pin, entry), *_reworded(pin, entry, parts)]
        found += [Problem("claim", name, chapter, sentence, *drift) for drift in drifts]
    return found


Drift = tuple[str, str, str, str]  # pinned, fresh, tolerance, remedy


def _moved(pin: Mapping[str, Any], entry: Value | Claim) -> Iterator[Drift]:
    """The value or an end of its interval left the pinned tolerance, or that tolerance was itself changed."""
    allowed, warranted = pin.get("tolerance", 0.0), tolerance(entry)
    if type(allowed) not in (int, float):
        allowed = math.nan  # nothing is within it
    factor = LOOSE if entry.trained else 2
    pinned, fresh = _numbers(pin), _numbers(vars(entry))
    if len(pinned) != len(fresh) or not all(_within(a, b, allowed) for a, b in zip(pinned, fresh, strict=True)):
        yield _ends(pinned), _ends(fresh), f"{allowed:.3g}", PIN_REMEDY
    elif not warranted / factor - FLOOR <= allowed <= warranted * factor + FLOOR:
        remedy = "a pin wider than the result warrants hides drift: `make pin`"
        yield (f"tolerance {allowed:.3g}", f"tolerance {warranted:.3g}", f"factor {factor:g}",
               remedy if allowed > warranted else PIN_REMEDY)  # fmt: skip


def _reworded(pin: Mapping[str, Any], entry: Value | Claim, parts: Iterable[str]) -> Iterator[Drift]:
    for part in parts:
        if pin.get(part, "") != getattr(entry, part):
            yield f"{part}: {pin.get(part, '')}", f"{part}: {getattr(entry, part)}", "none", PIN_REMEDY


def _within(pinned: Any, fresh: Any, allowed: float) -> bool:
    if type(pinned) is not type(fresh):
        return False
    return pinned == fresh or (isinstance(fresh, int | float) and abs(fresh - pinned) <= allowed)


def _numbers(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    ci = entry.get("ci")
    return (entry.get("value"), *(ci if isinstance(ci, list | tuple) else () if ci is None else (ci,)))


def _ends(numbers: Sequence[Any]) -> str:
    """The value, and its interval where it has one, to twelve digits; a float is told from an integer."""
    value, *ci = (str(float(f"{x:.12g}")) if isinstance(x, float) else str(x) for x in numbers)
    return f"{value} [{', '.join(ci)}]" if ci else value


def _role_problems(chapters: Sequence[Chapter], quotes: Sequence[prose.Quote]) -> list[Problem]:
    values = {v.name: v for c in chapters for v in c.values}
    claims = {k.id: k for c in chapters for k in c.claims}
    found = []
    for quote in quotes:
        known = values if quote.role in VALUE_ROLES else claims
        where = f"{quote.file}:{quote.line}" if quote.line else quote.file
        if quote.name not in known:
            close = difflib.get_close_matches(quote.name, known, 1)
            remedy = f"no notebook stores {quote.name!r}" + (f"; did you mean {close[0]!r}?" if close else "")
            found.append(Problem("role", quote.name, where, quote.sentence, "-", "unknown", "-", remedy))
        elif quote.role == "statement" and not claims[quote.name].statement:
            found.append(Problem("role", quote.name, where, quote.sentence, "-", "no statement", "-",
                                 "give the claim a statement=..., or use {claim}"))  # fmt: skip
    used_values = {q.name for q in quotes if q.role in VALUE_ROLES}
    used_claims = {q.name for q in quotes if q.role in ("claim", "statement")}
    unused = [
        (v.name, v.chapter, v.with_interval(), "{val}") for v in values.values() if v.name not in used_values
    ]
    unused += [(k.id, k.chapter, k.sentence, "{claim}") for k in claims.values() if k.id not in used_claims]
    for name, chapter, shown, role in unused:
        found.append(Problem("unused", name, chapter, "(no sentence uses it)", "-", shown, "-",
                             f"quote it with {role}`{name}`, or do not store it"))  # fmt: skip
    return found


TYPED_REMEDY = (
    "record() it and show it with {val}`name`; or, for a number that is no result, add it to book/prose-allow.yml "
    "with a reason"
)


def _prose_problems(chapters: Sequence[Chapter], texts: Sequence[tuple[str, str]],
                    allowed: Sequence[prose.Allowed]) -> list[Problem]:  # fmt: skip
    spoken = [(k.chapter, text) for c in chapters for k in c.claims for text in (k.sentence, k.departs)]
    sentences = [(f"notebooks/{chapter}.md", text) for chapter, text in spoken]
    used: set[prose.Allowed] = set()
    found = []
    for file, text in [*texts, *sentences]:
        for typed in prose.typed_numbers(file, text, allowed, used):
            where = f"{typed.file}:{typed.line}" if (file, text) in texts else f"{typed.file} (a claim)"
            found.append(Problem("prose", typed.number, where, typed.sentence, "-", "typed", "-", TYPED_REMEDY))
    for entry in allowed:
        if entry not in used:
            needed = "(nothing in the text needs this entry)"
            found.append(
                Problem(
                    "prose", entry.text, "book/prose-allow.yml", needed, "-", "unused", "-", "remove the entry"
                )
            )
    return found


# ---------------------------------------------------------------------------------------------------------------
# Report
# ---------------------------------------------------------------------------------------------------------------

COLUMNS = (
    ("found by", 9),
    ("name", 24),
    ("where", 26),
    ("sentence", 44),
    ("pinned", 24),
    ("fresh", 24),
    ("tolerance", 10),
)


def report(found: Sequence[Problem]) -> str:
    """The table of what drifted, widest facts wrapped, each row followed by its remedy."""
    rule = "-" * (sum(w for _, w in COLUMNS) + 2 * (len(COLUMNS) - 1))
    lines = [_row([name for name, _ in COLUMNS]), rule]
    for p in found:
        lines += [_row([p.found_by, p.name, p.where, p.sentence, p.pinned, p.fresh, p.tolerance])]
        lines += textwrap.wrap(f"-> {p.remedy}", len(rule), initial_indent=" " * 11, subsequent_indent=" " * 14)
        lines += [rule]
    return "\n".join([*lines, f"{len(found)} problem{'s' if len(found) != 1 else ''}"])


def _row(cells: Sequence[str]) -> str:
    wrapped = [textwrap.wrap(str(c), w) or [""] for c, (_, w) in zip(cells, COLUMNS, strict=True)]
    height = max(map(len, wrapped))
    lines = []
    for i in range(height):
        parts = [(c[i] if i < len(c) else "").ljust(w) for c, (_, w) in zip(wrapped, COLUMNS, strict=True)]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)
