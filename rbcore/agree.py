"""Agreement, the book's side: do the numbers and sentences of the text still follow from what was run?

The pins, `book/ledger.json`, hold every value and verdict with its tolerance as of the last accepted run.
:func:`problems` compares a fresh execution with them and with the text, and says which sentence is wrong.
"""

from __future__ import annotations

import json
import math
import os
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, NamedTuple

import nbformat

from rbcore import prose
from rbcore.ledger import VALUE_ROLES, Chapter, Claim, LedgerError, Value, collect

Finding = Literal["value", "claim", "parameter", "role", "unused", "prose"]
STANDARD_ERRORS = 4.0  # a statistical value may move this far before it has drifted
ROUNDING = 1e-9  # relative, for exact float64 results on another machine


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

CLAIM_FIELDS = ("sentence", "kind", "check", "statement", "departs", "verdict")


def tolerance(entry: Value | Claim) -> float:
    """How far `entry.value` may be from its pin: rounding for exact floats, standard errors for statistical ones."""
    if isinstance(entry, Claim) and entry.ci is not None:
        return (entry.ci[1] - entry.ci[0]) / 2
    if isinstance(entry, Value) and entry.se is not None:
        return STANDARD_ERRORS * entry.se
    if isinstance(entry.value, float):
        return max(ROUNDING * abs(entry.value), entry.tolerance if isinstance(entry, Claim) else 1e-12)
    return 0.0


def pins_of(chapters: Iterable[Chapter]) -> dict[str, Any]:
    """What `book/ledger.json` holds for these chapters."""
    pins: dict[str, Any] = {"parameters": {}, "values": {}, "claims": {}}
    for chapter in chapters:
        pins["parameters"][chapter.name] = dict(chapter.parameters)
        for entry in chapter.values:
            kept = {k: v for k, v in asdict(entry).items() if v not in (None, "") and k != "name"}
            pins["values"][entry.name] = kept | {"tolerance": tolerance(entry)}
        for entry in chapter.claims:
            kept = {k: getattr(entry, k) for k in (*CLAIM_FIELDS, "chapter", "measure", "value", "ci")}
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
    if not all(isinstance(pins.get(part), dict) for part in ("parameters", "values", "claims")):
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


def _parameter_drift(chapters: Sequence[Chapter], pins: Mapping[str, Any]) -> list[Problem]:
    found = []
    for chapter in chapters:
        pinned, fresh = pins.get(chapter.name, {}), chapter.parameters
        for name in sorted(pinned.keys() | fresh.keys()):
            if pinned.get(name) != fresh.get(name) or type(pinned.get(name)) is not type(fresh.get(name)):
                was, now = (repr(x[name]) if name in x else "absent" for x in (pinned, fresh))
                found.append(
                    Problem("parameter", name, chapter.name, "(the whole chapter was pinned with another value)",
                            was, now, "none", PIN_REMEDY)
                )  # fmt: skip
    return found


PIN_REMEDY = "if the new result is right, `make pin` accepts it; else mend what changed it"


def _value_drift(
    chapters: Sequence[Chapter], pins: Mapping[str, Any], quotes: Sequence[prose.Quote]
) -> list[Problem]:
    fresh = {v.name: v for c in chapters for v in c.values}
    found = []
    for name in sorted(pins.keys() | fresh.keys()):
        sentence = next((q.sentence for q in quotes if q.name == name and q.role in VALUE_ROLES), "(not quoted)")
        pin, value = pins.get(name), fresh.get(name)
        chapter = value.chapter if value else pin.get("chapter", "?")

        def drift(was: str, now: str, within: str, remedy: str = PIN_REMEDY) -> None:
            found.append(Problem("value", name, chapter, sentence, was, now, within, remedy))  # noqa: B023

        if pin is None:
            drift("not pinned", value.with_interval(), "-")
        elif value is None:
            drift(str(pin.get("value")), "not recorded", "-")
        else:
            allowed = float(pin.get("tolerance", 0.0))
            pairs = [(pin.get("value"), value.value)]
            if value.ci or pin.get("ci"):
                pairs += zip(pin.get("ci") or (None, None), value.ci or (None, None), strict=True)
            if any(not _within(a, b, allowed) for a, b in pairs):
                drift(_ends(pairs, 0), _ends(pairs, 1), f"{allowed:.3g}")
            elif allowed > tolerance(value) * 2 + 1e-9:
                drift(f"tolerance {allowed:.3g}", f"tolerance {tolerance(value):.3g}", "twice the fresh one",
                      "a pin wider than the result warrants hides drift: `make pin`")  # fmt: skip
            for part in ("fmt", "unit", "kind", "chapter"):
                if pin.get(part, "") != getattr(value, part):
                    drift(f"{part} {pin.get(part, '')!r}", f"{part} {getattr(value, part)!r}", "none")
    return found


def _claim_drift(chapters: Sequence[Chapter], pins: Mapping[str, Any]) -> list[Problem]:
    fresh = {k.id: k for c in chapters for k in c.claims}
    found = []
    for name in sorted(pins.keys() | fresh.keys()):
        pin, entry = pins.get(name), fresh.get(name)
        if entry is None:
            found.append(Problem("claim", name, pin.get("chapter", "?"), pin.get("sentence", ""), pin.get("verdict", "?"),
                                 "not claimed", "-", PIN_REMEDY))  # fmt: skip
            continue

        def drift(was: str, now: str, within: str, remedy: str = PIN_REMEDY) -> None:
            found.append(Problem("claim", name, entry.chapter, entry.sentence, was, now, within, remedy))  # noqa: B023

        if entry.verdict == "fails":
            measured = "no number" if entry.value is None else f"{entry.measure} {entry.value:.6g}"
            drift(pin.get("verdict", "not pinned") if pin else "not pinned", f"fails ({measured})",
                  f"{entry.tolerance:.3g}", f"the check is `{entry.check}`: mend the sentence or what it checks")  # fmt: skip
        if pin is None:
            drift("not pinned", entry.verdict, "-")
            continue
        for part in CLAIM_FIELDS:
            if part == "verdict" and entry.verdict == "fails":
                continue
            if pin.get(part, "") != getattr(entry, part):
                drift(f"{part}: {pin.get(part, '')}", f"{part}: {getattr(entry, part)}", "none")
        if not _within(pin.get("value"), entry.value, float(pin.get("tolerance", 0.0))):
            drift(f"{pin.get('value')}", f"{entry.value}", f"{pin.get('tolerance', 0.0):.3g}")
    return found


def _within(pinned: Any, fresh: Any, allowed: float) -> bool:
    if isinstance(pinned, int | float) and isinstance(fresh, int | float) and not isinstance(pinned, bool):
        return math.isfinite(fresh) and abs(fresh - pinned) <= allowed
    return pinned == fresh and type(pinned) is type(fresh)


def _ends(pairs: Sequence[tuple[Any, Any]], side: int) -> str:
    shown = [f"{p[side]:.9g}" if isinstance(p[side], float) else str(p[side]) for p in pairs]
    return shown[0] if len(shown) == 1 else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _role_problems(chapters: Sequence[Chapter], quotes: Sequence[prose.Quote]) -> list[Problem]:
    values = {v.name: v for c in chapters for v in c.values}
    claims = {k.id: k for c in chapters for k in c.claims}
    found = []
    for quote in quotes:
        known = values if quote.role in VALUE_ROLES else claims
        where = f"{quote.file}:{quote.line}" if quote.line else quote.file
        if quote.name not in known:
            close = _closest(quote.name, known)
            found.append(Problem("role", quote.name, where, quote.sentence, "-", "unknown", "-",
                                 f"no notebook stores {quote.name!r}" + (f"; did you mean {close!r}?" if close else "")))  # fmt: skip
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


def _closest(name: str, known: Iterable[str]) -> str | None:
    import difflib

    return next(iter(difflib.get_close_matches(name, list(known), 1)), None)


def _prose_problems(chapters: Sequence[Chapter], texts: Sequence[tuple[str, str]],
                    allowed: Sequence[prose.Allowed]) -> list[Problem]:  # fmt: skip
    sentences = [(f"notebooks/{k.chapter}.md", k.sentence) for c in chapters for k in c.claims]
    used: set[prose.Allowed] = set()
    found = []
    for file, text in [*texts, *sentences]:
        for typed in prose.typed_numbers(file, text, allowed, used):
            where = f"{typed.file}:{typed.line}" if (file, text) in texts else f"{typed.file} (a claim)"
            found.append(Problem("prose", typed.number, where, typed.sentence, "-", "typed", "-",
                                 "record() it and show it with {val}`name`; or, for a number that is no result, add it "
                                 "to book/prose-allow.yml with a reason"))  # fmt: skip
    for entry in allowed:
        if entry not in used:
            found.append(Problem("prose", entry.text, "book/prose-allow.yml", "(nothing in the text needs this entry)",
                                 "-", "unused", "-", "remove the entry"))  # fmt: skip
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
