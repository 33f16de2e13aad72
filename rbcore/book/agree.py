"""Agreement, the book's side: two separate questions about a run.

1. Does the run agree with its own text?  Roles are bound, claims hold, nothing is typed: :func:`disagreements`.
2. Does the run reproduce the pinned results?  That guards against regression: :func:`drift`.

The pins, `book/ledger.json`, hold every value and verdict of the last accepted run, with the digits that count.
How far a fresh result may be from its pin follows from its kind (:func:`tolerance`):

* exact: rounding of a sum in float64, one part in 10^9; counts, words and fractions not at all;
* numerical: one unit of the last digit that its format shows to the reader;
* statistical: half a standard error, or that unit if it is larger.  The seeds are the same, so a run on another
  processor differs by rounding, and by the rare draw that rounding decides;
* a claim: its verdict, and how clearly it holds: to six digits where that is exact, to a tenth where it is
  numerical, to an eighth of its interval where it is statistical;
* a figure: what it shows, within a share of the range of its axes (:mod:`rbcore.book.plots`).
"""

from __future__ import annotations

import difflib
import json
import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import nbformat

from rbcore.book import directions, literals, plots, prose, records
from rbcore.book.ledger import VALUE_ROLES, Chapter, Claim, LedgerError, Value, collect
from rbcore.book.spelling import NEAR, SPELLED
from rbcore.files import replace_files

Finding = Literal[
    "value", "claim", "figure", "parameter", "role", "unused", "prose", "measure", "literal", "sentence", "source",
    "record", "formula",
]  # fmt: skip
ROUNDING, FLOOR = 1e-9, 1e-12  # relative and absolute, for exact float64 results on another machine
MARGIN = {"proved": 0.0, "exact": 1e-6, "numerical": 0.1, "statistical": 0.1}  # relative, of a claim's value
STATED = 1e-6  # a check's own tolerance widens its pin up to here; a larger one is a margin, and not rounding
SPREAD = 1.5  # standard errors, and tolerances that are estimated, may differ by this factor


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
VALUE_FIELDS = ("fmt", "unit", "kind", "chapter")


def tolerance(entry: Value | Claim | Mapping[str, Any]) -> float:
    """How far `entry.value` may be from its pin, in its unit; also of an entry of the pins."""
    fields = entry if isinstance(entry, Mapping) else vars(entry)
    value, kind, ci = fields.get("value"), fields.get("kind"), fields.get("ci")
    if not isinstance(value, float) or not math.isfinite(value):
        return 0.0
    if fields.get("sentence") is not None:  # a claim
        if kind == "statistical" and ci is not None:
            return (ci[1] - ci[0]) / 8
        return max(MARGIN[fields["kind"]] * abs(value), min(fields.get("tolerance") or 0.0, STATED), FLOOR)
    if kind == "exact":
        return max(ROUNDING * abs(value), FLOOR)
    return max(shown_unit(value, fields.get("fmt") or ""), (fields.get("se") or 0.0) / 2)


def shown_unit(value: float, fmt: str) -> float:
    """One unit of the last digit of `value` in the format `fmt`: 0.01 for ``.2f``, and also for ``.0%``.

    Of a value in words it is as much as these words allow.
    """
    if fmt in SPELLED:
        return NEAR * abs(value)
    match = re.fullmatch(r".*?(?:\.(\d+))?([a-zA-Z%]?)", fmt)
    digits, style = match.groups() if match else (None, "")
    places = 6 if digits is None else int(digits)
    if style in ("f", "F"):
        return 10.0**-places
    if style == "%":
        return 10.0 ** -(places + 2)
    leading = math.floor(math.log10(abs(value))) if value else 0
    return 10.0 ** (leading - places + (style not in ("e", "E")))


def _round(number: Any, allowed: float) -> Any:
    """A float with the digits that count: rounded to less than a tenth of what it may move by."""
    if not isinstance(number, float) or not allowed:
        return number
    return round(number, 1 - math.floor(math.log10(allowed)))


def _pin(entry: Value | Claim) -> dict[str, Any]:
    """What the pins hold of one entry."""
    allowed = tolerance(entry)
    names = (*VALUE_FIELDS, "se") if isinstance(entry, Value) else (*CLAIM_FIELDS, "tolerance", "cases")
    kept = {name: getattr(entry, name) for name in names}
    for name in ("se", "tolerance"):
        if kept.get(name):
            kept[name] = float(f"{kept[name]:.2g}")
    kept |= {"value": _round(entry.value, allowed), "ci": entry.ci and [_round(end, allowed) for end in entry.ci]}
    return {name: x for name, x in kept.items() if x not in (None, "") and (name, x) != ("tolerance", 0.0)}


def pins_of(chapters: Iterable[Chapter], old: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What `book/ledger.json` holds for these chapters; entries of `old` that have not drifted stay."""
    old = old or {"parameters": {}, "values": {}, "claims": {}}
    pins: dict[str, Any] = {"parameters": {}, "values": {}, "claims": {}, "figures": {}}
    for chapter in chapters:
        pins["parameters"][chapter.name] = dict(chapter.parameters)
        for part, entries in (("values", chapter.values), ("claims", chapter.claims)):
            for entry in entries:
                name = entry.name if isinstance(entry, Value) else entry.id
                pin = old[part].get(name)
                pins[part][name] = _pin(entry) if pin is None or any(_differences(pin, entry)) else dict(pin)
        for id, theorem in chapter.theorems.items() if chapter.claims else ():
            pins["claims"][id]["theorem"] = _shown_theorem(theorem)
        pins["figures"] |= plots.accepted(chapter.figures, old.get("figures", {}))
    return pins


def _shown_theorem(payload: Mapping[str, Any]) -> str:
    """What the page of theorems prints and no other pin holds: the name, whose it is, how often it was tried."""
    return f"{payload.get('name', '')} ({payload.get('source', '')}), {payload.get('models', 0):,} models"


def read_pins(path: Path) -> dict[str, Any]:
    """The pinned ledger; empty where there is none yet.

    Raises:
        LedgerError: when the file, or that of the figures beside it, is not the JSON that ``make pin`` writes.
    """
    figures = plots.read(path.with_name(plots.FILE))
    if not path.exists():
        return {"parameters": {}, "values": {}, "claims": {}, "figures": figures}
    pins = records.read(path, "make pin")
    parts = [pins.get(part) for part in ("parameters", "values", "claims")]
    if not all(isinstance(part, dict) and all(isinstance(x, dict) for x in part.values()) for part in parts):
        raise LedgerError(f"{path}: needs the objects 'parameters', 'values' and 'claims'; `make pin` writes them")
    for name, pin in pins["values"].items():
        if not (pin.get("ci") is None or isinstance(pin["ci"], list) and len(pin["ci"]) == 2):
            raise LedgerError(f"{path}: the interval of {name!r} is no pair of numbers; `make pin` writes it anew")
    return pins | {"figures": figures}


def value_of(name: str, pin: Mapping[str, Any]) -> Value:
    """The value that a pin stands for."""
    ci = pin.get("ci")
    kind = pin.get("kind", "exact")
    ends = tuple(ci) if ci else None
    return Value(name, pin.get("value", ""), pin.get("fmt", ""), pin.get("unit", ""), kind, pin.get("se"), ends)


def write_pins(path: Path, chapters: Sequence[Chapter], only: bool = False) -> None:
    """Accept the fresh numbers, whole or not at all; lines of results that have not drifted do not change.

    Args:
        only: these are not all chapters: pins of the others stay.
    """
    old = read_pins(path)
    pins = pins_of(chapters, old)
    if only:
        others = pins_for(old, old["parameters"].keys() - {chapter.name for chapter in chapters})
        pins = {part: others[part] | pins[part] for part in pins}
    written: dict[str | Path, str | bytes] = {path: _as_json(pins)}
    if pins["figures"] or old["figures"]:
        written[path.with_name(plots.FILE)] = plots.as_json(pins["figures"])
    replace_files(written)


def _as_json(pins: Mapping[str, Any]) -> str:
    """The pins as JSON: a line for each value, and for each part of a claim, so that a difference is readable."""
    parts = []
    for part in ("parameters", "values", "claims"):
        indent = 1 if part == "claims" else None
        rows = (
            f"  {json.dumps(name)}: "
            + json.dumps(pins[part][name], ensure_ascii=False, sort_keys=True, indent=indent).replace("\n", "\n  ")
            for name in sorted(pins[part])
        )
        parts.append(f' "{part}": {{\n' + ",\n".join(rows) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


# ---------------------------------------------------------------------------------------------------------------
# Comparison
# ---------------------------------------------------------------------------------------------------------------


def disagreements(chapters: Sequence[Chapter], texts: Iterable[tuple[str, str]],
                  allowed: Sequence[prose.Allowed] = ()) -> list[Problem]:  # fmt: skip
    """Where a run and its text differ: failing claims, unknown roles, unused results, numbers typed into prose.

    And where the text could not differ: claims that measured nothing, and literals in the place of results.
    """
    texts = list(texts)
    return [
        *_failing(chapters),
        *_empty(chapters),
        *_literals(texts),
        *_role_problems(chapters, _quotes(chapters, texts)),
        *_prose_problems(chapters, texts, allowed),
        *_direction_problems(chapters, texts),
    ]


def drift(
    chapters: Sequence[Chapter], pins: Mapping[str, Any], texts: Iterable[tuple[str, str]] = ()
) -> list[Problem]:
    """Where a run differs from the pins: moved, reworded, new and vanished results, and other parameters."""
    quotes = _quotes(chapters, list(texts))
    return [
        *_parameter_drift(chapters, pins["parameters"]),
        *_result_drift("value", {v.name: v for c in chapters for v in c.values}, pins["values"], quotes),
        *_result_drift("claim", {k.id: k for c in chapters for k in c.claims}, pins["claims"], quotes),
        *_theorem_drift(chapters, pins["claims"]),
        *_figure_drift(chapters, pins.get("figures", {})),
    ]


def pins_for(pins: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The pins of some chapters, for a run of those only."""
    names = set(names)
    return {
        "parameters": {name: x for name, x in pins["parameters"].items() if name in names},
        "values": {name: x for name, x in pins["values"].items() if x.get("chapter") in names},
        "claims": {name: x for name, x in pins["claims"].items() if x.get("chapter") in names},
        "figures": {name: x for name, x in pins.get("figures", {}).items() if x.get("chapter") in names},
    }


def _quotes(chapters: Sequence[Chapter], texts: Sequence[tuple[str, str]]) -> list[prose.Quote]:
    """All sentences that use a role, those of claims last."""
    quotes = [q for file, text in texts for q in prose.quotes(file, text)]
    for chapter in chapters:
        for entry in chapter.claims:
            quotes += [
                q._replace(file=f"notebooks/{chapter.name}.md", line=0)
                for q in prose.quotes(chapter.name, entry.sentence)
            ]
    return quotes


PIN_REMEDY = "if the new result is right, `make pin` accepts it; else fix what changed it"


def _parameter_drift(chapters: Sequence[Chapter], pins: Mapping[str, Any]) -> list[Problem]:
    parameters = {chapter.name: chapter.parameters for chapter in chapters}
    found = []
    for chapter in sorted(pins.keys() | parameters.keys()):
        if pins and chapter not in pins:
            found.append(
                Problem("parameter", "all", chapter, "(a new chapter)", "not pinned", "there", "-", PIN_REMEDY)
            )
            continue
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


def _result_drift(
    kind: Literal["value", "claim"],
    fresh: Mapping[str, Value | Claim],
    pins: Mapping[str, Any],
    quotes: Sequence[prose.Quote],
) -> list[Problem]:
    found = []
    said = {q.name: q.sentence for q in reversed(quotes) if q.role in VALUE_ROLES}  # the first of each
    for name in sorted(pins.keys() | fresh.keys()):
        pin, entry = pins.get(name, {}), fresh.get(name)
        sentence = said.get(name, "(not quoted)")
        if kind == "claim":
            sentence = entry.sentence if isinstance(entry, Claim) else pin.get("sentence", "?")
        if entry is None:
            differences = iter([(str(pin.get("value" if kind == "value" else "verdict")), "not stored", "-")])
        elif name not in pins:
            shown = entry.with_interval() if isinstance(entry, Value) else entry.verdict
            differences = iter([("not pinned", shown, "-")])
        else:
            differences = _differences(pin, entry)
        chapter = entry.chapter if entry else pin.get("chapter", "?")
        found += [Problem(kind, name, chapter, sentence, *difference, PIN_REMEDY) for difference in differences]
    return found


def _theorem_drift(chapters: Sequence[Chapter], pins: Mapping[str, Any]) -> Iterator[Problem]:
    for chapter in chapters:
        for claim in (claim for claim in chapter.claims if claim.id in chapter.theorems and claim.id in pins):
            theorem = chapter.theorems[claim.id]
            was, now = pins[claim.id].get("theorem", "none"), _shown_theorem(theorem)
            if "source" in theorem and was != now:  # an edition keeps the proof alone
                yield Problem("claim", claim.id, chapter.name, claim.sentence, was, now, "none", PIN_REMEDY)


def _figure_drift(chapters: Sequence[Chapter], pins: Mapping[str, Any]) -> list[Problem]:
    fresh = {name: record for chapter in chapters for name, record in chapter.figures.items()}
    found = []
    for name in sorted(pins.keys() | fresh.keys()):
        chapter = fresh.get(name, pins.get(name, {}))["chapter"]
        if name not in fresh or name not in pins:
            was, now = ("shown", "not shown") if name in pins else ("not pinned", "shown")
            rows: list[plots.Difference] = [("(the whole figure)", was, now, "none")]
        else:
            rows = plots.differences(pins[name], fresh[name])
        more = len(rows) - plots.MOST
        rows = rows[: plots.MOST] + [("(more)", "", f"{more} more", "")] * (more > 0)
        found += [Problem("figure", name, chapter, *row, PIN_REMEDY) for row in rows]
    return found


Difference = tuple[str, str, str]  # pinned, fresh, tolerance


def _differences(pin: Mapping[str, Any], entry: Value | Claim) -> Iterator[Difference]:
    """Where a fresh result left its pin: the value or an end of its interval, what it rests on, its wording."""
    try:
        allowed = tolerance(pin)
    except (TypeError, KeyError, IndexError, ValueError):
        allowed = math.nan  # not the pin of any result: nothing is within it
    pinned, fresh = _numbers(pin), _numbers(vars(entry))
    if len(pinned) != len(fresh) or not all(_within(a, b, allowed) for a, b in zip(pinned, fresh, strict=True)):
        yield _shown(pinned), _shown(fresh), f"{allowed:.2g}"
    name, was, now = "se", pin.get("se"), getattr(entry, "se", None)
    if isinstance(entry, Claim):
        name, was, now = "tolerance", pin.get("tolerance", 0.0), entry.tolerance
    factor = SPREAD if entry.kind == "statistical" else 1.05  # the pin has two digits
    if not _within_factor(was, now, factor):
        yield f"{name} {was}", f"{name} {now}", f"factor {factor}"
    if isinstance(entry, Claim) and not _within_factor(pin.get("cases"), entry.cases, 1.05):
        yield f"cases {pin.get('cases')}", f"cases {entry.cases}", "factor 1.05"
    for part in VALUE_FIELDS if isinstance(entry, Value) else CLAIM_FIELDS:
        # a claim that fails is no drift: the run disagrees with its text
        if pin.get(part, "") != getattr(entry, part) and (part, getattr(entry, part)) != ("verdict", "fails"):
            yield f"{part}: {pin.get(part, '')}", f"{part}: {getattr(entry, part)}", "none"


def _within_factor(was: Any, now: float | None, factor: float) -> bool:
    if not now or type(was) not in (int, float):
        return was == now
    return was * now > 0 and abs(now) / factor <= abs(was) <= abs(now) * factor


def _within(pinned: Any, fresh: Any, allowed: float) -> bool:
    if type(pinned) is not type(fresh):
        return False
    return pinned == fresh or (isinstance(fresh, int | float) and abs(fresh - pinned) <= allowed)


def _numbers(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    ci = entry.get("ci")
    return (entry.get("value"), *(ci if isinstance(ci, list | tuple) else () if ci is None else (ci,)))


def _shown(numbers: Sequence[Any]) -> str:
    """The value, and its interval where it has one, to twelve digits; a float does not look like an integer."""
    value, *ci = (str(float(f"{x:.12g}")) if isinstance(x, float) else str(x) for x in numbers)
    return f"{value} [{', '.join(ci)}]" if ci else value


def _failing(chapters: Sequence[Chapter]) -> list[Problem]:
    found = []
    for entry in (claim for chapter in chapters for claim in chapter.claims if claim.verdict == "fails"):
        measured = "no number" if entry.value is None else f"{entry.measure} {entry.value + 0.0:.6g}"
        found.append(
            Problem("claim", entry.id, entry.chapter, entry.sentence, "-", f"fails ({measured})",
                    f"{entry.tolerance:.3g}", f"the check is `{entry.check}`: fix the sentence or what it checks")
        )  # fmt: skip
    return found


def _empty(chapters: Sequence[Chapter]) -> Iterator[Problem]:
    """Claims of whose check no pin could tell what it was evaluated on; a proof holds of every distribution."""
    for entry in (claim for chapter in chapters for claim in chapter.claims):
        if entry.kind == "proved" or entry.verdict == "fails":
            continue
        if entry.value is None:
            fresh, remedy = "a bare truth value", "use a check that measures, such as checks.at_most"
        elif not entry.cases:
            fresh, remedy = "no number of cases", "tell the check on how many cases it was measured: cases=.."
        else:
            continue
        yield Problem("measure", entry.id, entry.chapter, entry.sentence, "-", fresh, "-", remedy)


def _literals(texts: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    """Literals in the code of notebooks that stand where results should."""
    for file, text in texts:
        if file.startswith("notebooks/"):
            for one in literals.find(text):
                yield Problem("literal", one.name, f"{file}:{one.line}", one.what, "-", "typed", "-", one.remedy)


BESIDE = ("book/slides/", "book/course/")  # who reads the book does not see these


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
    read = [q for q in quotes if not q.file.startswith(BESIDE)]
    used_values = {q.name for q in read if q.role in VALUE_ROLES}
    used_claims = {q.name for q in read if q.role in ("claim", "statement")}
    unused = [
        (v.name, v.chapter, v.with_interval(), "{val}") for v in values.values() if v.name not in used_values
    ]
    unused += [(k.id, k.chapter, k.sentence, "{claim}") for k in claims.values() if k.id not in used_claims]
    for name, chapter, shown, role in unused:
        found.append(Problem("unused", name, chapter, "(no sentence uses it)", "-", shown, "-",
                             f"quote it with {role}`{name}`, or do not store it"))  # fmt: skip
    return found


TYPED_REMEDY = (
    "record() it and show it with {val}`name` (fmt='words', 'fraction', 'times' spell); or, for a number that is "
    "no result, say it without, or add it to book/prose-allow.yml with a reason"
)


def _prose_problems(chapters: Sequence[Chapter], texts: Sequence[tuple[str, str]],
                    allowed: Sequence[prose.Allowed]) -> list[Problem]:  # fmt: skip
    claimed = [(k.chapter, text) for c in chapters for k in c.claims for text in (k.sentence, k.departs)]
    sentences = [(f"notebooks/{chapter}.md", text) for chapter, text in claimed]
    used: set[prose.Allowed] = set()
    found = []
    for file, text in [*texts, *sentences]:
        claim = (file, text) not in texts  # its words are what its check holds
        for typed in prose.typed_numbers(file, text, allowed, used, words=not claim):
            where = f"{typed.file} (a claim)" if claim else f"{typed.file}:{typed.line}"
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


def _direction_problems(chapters: Sequence[Chapter], texts: Sequence[tuple[str, str]]) -> list[Problem]:
    records = {name: record for chapter in chapters for name, record in chapter.figures.items()}
    remedy = "say what the figure shows, or name the curve that does"
    return [
        Problem("figure", figure.name, f"{file}:{figure.line}", words, "-", reason, "-", remedy)
        for file, text in texts
        if file.startswith("notebooks/")
        for figure in directions.described(text)
        for words, reason in directions.mistakes(figure, records.get(figure.name))
    ]


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
    """The table of what was found, widest facts wrapped, with what to do: once for all results that drifted."""
    rule = "-" * (sum(w for _, w in COLUMNS) + 2 * (len(COLUMNS) - 1))
    lines = [_row([name for name, _ in COLUMNS]), rule]
    for p in found:
        lines += [_row([p.found_by, p.name, p.where, p.sentence, p.pinned, p.fresh, p.tolerance])]
        if p.remedy != PIN_REMEDY:
            lines += [" " * 11 + line for line in textwrap.wrap(f"-> {p.remedy}", len(rule) - 11)]
        lines += [rule]
    lines += [f"-> {PIN_REMEDY}"] * any(p.remedy == PIN_REMEDY for p in found)
    return "\n".join([*lines, f"{len(found)} problem{'s' if len(found) != 1 else ''}"])


def _row(cells: Sequence[str]) -> str:
    wrapped = [textwrap.wrap(str(c), w) or [""] for c, (_, w) in zip(cells, COLUMNS, strict=True)]
    height = max(map(len, wrapped))
    lines = []
    for i in range(height):
        parts = [(c[i] if i < len(c) else "").ljust(w) for c, (_, w) in zip(wrapped, COLUMNS, strict=True)]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)
