"""Check an edition of the book without running it: one small file holds what was measured, all is judged again.

:func:`write` stores, for each chapter, its parameters, the key of its execution, the digests of the modules that
it used, and every value, claim and proof.  :func:`replay` judges each claim from its numbers, verifies each proof
and counterexample in exact arithmetic, and compares code, lock file, pins, text and built pages with the file.

Every entry carries a seal, a digest of itself, so that a number that was changed is found even where the verdict
stays.  A seal finds accidents and careless edits; somebody who recomputes it is found by the pins and the pages.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import html
import json
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

from rbcore.book import agree, prose
from rbcore.book.execute import ExecutionError, Job, find, imported_modules, notebooks, read, what_counts
from rbcore.book.ledger import VALUE_ROLES, Chapter, Claim, LedgerError, Value
from rbcore.files import replace_file
from rbcore.information.expr import ExpressionError, parse
from rbcore.information.problem import ProverError
from rbcore.information.prover import Certificate, prove
from rbcore.information.theorems import verified

NAME = "replay.json.gz"
FORMAT = 1
LARGEST = 64_000_000  # bytes of the file, unpacked; a larger one is not the book's
VALUE = re.compile(r'<span class="rb-value">([^<]*)</span>')
BADGE = re.compile(r'href="[^"]*#claim-([a-z0-9-]+)"[^>]*><span class="rb-badge rb-(\w+)"')


class ReplayError(RuntimeError):
    """The file cannot be read; the message says why."""


class Fault(NamedTuple):
    """One thing that is not as the edition says: which check found it, where, in what, and what is wrong."""

    kind: str
    chapter: str
    name: str
    said: str


class Row(NamedTuple):
    """What was done for one chapter: claims judged, proofs verified, values compared, seconds that it took."""

    chapter: str
    claims: int
    proofs: int
    values: int
    seconds: float


class Replayed(NamedTuple):
    """The outcome: a row for each chapter, what is wrong, and the claims whose data cannot be judged again."""

    rows: list[Row]
    faults: list[Fault]
    unjudged: list[str]


# ---------------------------------------------------------------------------------------------------------------
# The file
# ---------------------------------------------------------------------------------------------------------------


def content(root: Path, chapters: Sequence[Chapter], about: Mapping[str, Any]) -> dict[str, Any]:
    """What the file holds of these executed chapters; `about` goes into its head (version, commit)."""
    modules: dict[str, str] = {}
    stored = []
    for chapter in chapters:
        source = find(chapter.name, root)
        used = [(path, path.relative_to(root).as_posix()) for path in imported_modules(source, root)]
        modules |= {where: _digest(what_counts(path, where)) for path, where in used if where not in modules}
        entries: dict[str, dict[str, Any]] = {
            "values": {value.name: _entry(value) for value in chapter.values},
            "claims": {claim.id: _entry(claim) for claim in chapter.claims},
            "proofs": dict(chapter.theorems) | dict(_proofs(chapter, source)),
        }
        stored.append(
            {
                "name": chapter.name,
                "key": Job(source, root=root).key,
                "parameters": dict(chapter.parameters),
                "modules": sorted(where for _, where in used),
                **entries,
                "seals": {
                    part: {name: seal(one) for name, one in found.items()} for part, found in entries.items()
                },
            }
        )
    lock = root / "requirements.lock"
    texts = list(prose.book_texts(root))
    return {
        "format": FORMAT,
        **about,
        "python": ".".join(map(str, sys.version_info[:2])),
        "lock": _digest(lock.read_bytes()) if lock.exists() else "",
        "modules": dict(sorted(modules.items())),
        "quoted": {file: sorted({f"{q.role} {q.name}" for q in prose.quotes(file, text)}) for file, text in texts},
        "chapters": stored,
    }


def write(target: Path, root: Path, chapters: Sequence[Chapter], about: Mapping[str, Any]) -> Path:
    """Store the edition in `target`, whole or not at all; the same edition makes the same bytes."""
    text = json.dumps(content(root, chapters, about), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, gzip.compress(text.encode(), mtime=0))
    return target


def load(path: Path) -> dict[str, Any]:
    """Read the file.

    Raises:
        ReplayError: when there is none, or it is not what :func:`write` writes.
    """
    if not path.exists():
        raise ReplayError(f"there is no {path}: `make book` writes it, and a release carries it")
    try:
        with gzip.open(path) as file:
            raw = file.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise ReplayError(f"{path} holds more than {LARGEST:,} bytes: it is not a replay file of this book")
        edition = json.loads(raw)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise ReplayError(f"{path} is damaged or no replay file ({error}): fetch it again") from None
    if not isinstance(edition, dict) or edition.get("format") != FORMAT:
        found = edition.get("format") if isinstance(edition, dict) else type(edition).__name__
        raise ReplayError(f"{path} has the format {found}; this version of rbcore reads {FORMAT}")
    return edition


def chapters_of(edition: Mapping[str, Any]) -> list[Chapter]:
    """The chapters that the file holds.

    Raises:
        ReplayError: for an entry that is no value and no claim.
    """
    found = []
    try:
        chapters = list(edition["chapters"])
    except (KeyError, TypeError) as error:
        raise ReplayError(f"the replay file holds no chapters: {error}") from None
    for one in chapters:
        try:
            values = tuple(Value(**_tupled(entry)) for entry in one["values"].values())
            claims = tuple(Claim(**_tupled(entry)) for entry in one["claims"].values())
            found.append(Chapter(one["name"], one["parameters"], values, claims, theorems=one["proofs"]))
        except (TypeError, KeyError, AttributeError) as error:
            raise ReplayError(f"the replay file holds something that is no result: {error}") from None
    return found


def seal(entry: Any) -> str:
    """A digest of one entry."""
    return _digest(json.dumps(entry, sort_keys=True, ensure_ascii=False).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:20]


def _entry(entry: Value | Claim) -> dict[str, Any]:
    """The fields that were set; what a claim cost is no result."""
    unset = {field.name: field.default for field in fields(entry)}
    kept = {k: v for k, v in asdict(entry).items() if v != unset[k] and k != "seconds"}
    return json.loads(json.dumps(kept))


def _tupled(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(x) if isinstance(x, list) else x for name, x in entry.items()}


def _proofs(chapter: Chapter, source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Certificates for claims that were proved without a theorem, where the cells say of what; proved anew."""
    names = _named(source)
    for claim in chapter.claims:
        if claim.measure != "certificate" or claim.id in chapter.theorems:
            continue
        statement = _proved(claim.check, names)
        if statement is not None:
            answer = prove(*statement)
            if isinstance(answer, Certificate):
                payload = json.loads(json.dumps(answer.payload()))
                yield claim.id, {"certificate": payload, "needs": [], "twins": []}


def _named(source: Path) -> dict[str, ast.expr]:
    """What names stand for in the cells of a notebook, those that are assigned once."""
    found: dict[str, ast.expr] = {}
    again: set[str] = set()
    for cell in (cell for cell in read(source).cells if cell.cell_type == "code"):
        for node in ast.walk(ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", cell.source))):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                again |= {name} & found.keys()
                found[name] = node.value
    return {name: value for name, value in found.items() if name not in again}


def _proved(check: str, names: Mapping[str, ast.expr]) -> tuple[str, list[str]] | None:
    """Statement and assumptions of a check ``verify.proved(statement, given)``; None where they are computed."""
    call = ast.parse(check, mode="eval").body
    if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "verify.proved"):
        return None
    try:
        parts = [ast.literal_eval(_literal(part, names)) for part in call.args]
    except (ValueError, RecursionError):
        return None
    return parts[0], list(parts[1]) if len(parts) > 1 else []


def _literal(node: ast.expr, names: Mapping[str, ast.expr]) -> ast.expr:
    """`node` with a name replaced by what it stands for, and a theorem's assumptions by the list it was given."""
    match node:
        case ast.Name(id=name) if name in names:
            return _literal(names[name], names)
        case ast.Attribute(value=ast.Name(id=name), attr="given"):
            made = names.get(name)
            if isinstance(made, ast.Call) and ast.unparse(made.func) == "theorem" and len(made.args) > 1:
                return _literal(made.args[1], names)
        case ast.Subscript(value=whole, slice=ast.Slice() as part):
            shown = ast.literal_eval(_literal(whole, names))
            ends = [None if end is None else ast.literal_eval(end) for end in (part.lower, part.upper)]
            return ast.parse(repr(list(shown)[slice(*ends)]), mode="eval").body
    return node


# ---------------------------------------------------------------------------------------------------------------
# Judging
# ---------------------------------------------------------------------------------------------------------------


def judged(claim: Claim) -> bool | None:
    """Whether the claim holds by its measured numbers alone; None where it stored none that decide.

    The measures are those of :mod:`rbcore.checks` and :mod:`rbcore.information.verify`.
    """
    measure, value, ci = claim.measure.removesuffix(", nats"), claim.value, claim.ci
    if value is None:
        return None
    decided: dict[str, Callable[[float], bool]] = {
        "smallest slack": lambda x: x >= -claim.tolerance,
        "smallest margin": lambda x: x >= 0,
        "largest difference": lambda x: x <= claim.tolerance,
        "members that differ": lambda x: x == 0,
        "terms left over": lambda x: x == 0,
    } | dict.fromkeys(
        ("smallest excess", "smallest step", "smallest violation", "largest violation"),
        lambda x: x > claim.tolerance,
    )
    if "p-value" in measure:
        decided[measure] = lambda x: x > claim.tolerance
    refuted = claim.check.removeprefix("checks.").startswith("refuted(")
    if measure in decided:
        return decided[measure](value) != refuted
    if refuted:  # an interval is not stored then; it held the estimate, so one below the margin decides
        return True if value <= claim.tolerance else None
    if ci is None:
        return None
    return ci[0] <= 0 <= ci[1] if measure.startswith("mean minus truth") else ci[0] > claim.tolerance


def same_form(statement: str) -> bool:
    """Whether the sides of an identity are one linear form over entropies, in exact arithmetic."""
    try:
        return all(c.relation == "=" and not c.form.coefficients for c in parse(statement).constraints)
    except ExpressionError:
        return False


def replay(edition: Mapping[str, Any], root: Path | None = None, pages: Path | None = None) -> Replayed:
    """Judge an edition again.

    Args:
        root: a checkout, to compare the code, the lock file, the pins and the text with the edition.
        pages: a folder of built pages, whose numbers and marks are compared with it.
    """
    chapters = chapters_of(edition)
    rows, faults, unjudged = [], [], []
    for chapter, stored in zip(chapters, edition["chapters"], strict=True):
        began = time.perf_counter()
        found, open_claims, proofs = _chapter(chapter, stored, edition, root)
        faults += found
        unjudged += [f"{chapter.name}: {id}" for id in open_claims]
        spent = time.perf_counter() - began
        count = len(chapter.claims) - len(open_claims)
        rows.append(Row(chapter.name, count, proofs, len(chapter.values), spent))
    if root is not None:
        faults += _checkout(edition, chapters, root)
    if pages is not None:
        faults += on_pages(edition, chapters, pages)
    return Replayed(rows, faults, unjudged)


def _chapter(
    chapter: Chapter, stored: Mapping[str, Any], edition: Mapping[str, Any], root: Path | None
) -> tuple[list[Fault], list[str], int]:
    """One chapter: what is wrong, the claims that nothing judges, and how many proofs were verified."""
    found, unjudged, proofs = [], [], 0
    seals = stored.get("seals", {})
    for part in ("values", "claims", "proofs"):
        for name in sorted(stored[part].keys() | seals.get(part, {}).keys()):
            if name not in stored[part] or seals.get(part, {}).get(name) != seal(stored[part][name]):
                said = "is missing" if name not in stored[part] else "was changed after the file was written"
                found.append(Fault("seal", chapter.name, f"{part[:-1]} {name}", said))
    for claim in chapter.claims:
        verdict: bool | None = judged(claim)
        if claim.id in chapter.theorems:
            proofs += 1
            verdict = _proof_holds(chapter.theorems[claim.id], claim)
        elif claim.measure == "terms left over" and claim.statement:
            proofs += 1
            verdict = verdict is True and same_form(claim.statement)
        if verdict is None:
            unjudged.append(claim.id)
        elif verdict != (claim.verdict != "fails"):
            why = "its proof does not verify" if claim.kind == "proved" else _measured(claim)
            found.append(Fault("claim", chapter.name, claim.id, f"was published as {claim.verdict!r}, but {why}"))
        elif not verdict:
            found.append(Fault("claim", chapter.name, claim.id, "fails, and was published as failing"))
    if root is not None:
        try:
            key = Job(find(chapter.name, root), root=root).key
        except ExecutionError as error:
            found.append(Fault("code", chapter.name, "key", str(error)))
        else:
            if key != stored.get("key") and edition["python"] == ".".join(map(str, sys.version_info[:2])):
                said = f"the edition ran {stored.get('key')}, this checkout would run {key}"
                found.append(Fault("code", chapter.name, "key", said))
    return found, unjudged, proofs


def _proof_holds(payload: Mapping[str, Any], claim: Claim) -> bool:
    """The certificate proves the claim's own statement, and it and all counterexamples verify."""
    try:
        stated = claim.statement or payload["certificate"]["statement"]
        return payload["certificate"]["statement"] == stated and verified(payload)
    except (KeyError, TypeError, ValueError, AttributeError, ProverError, ArithmeticError):
        return False


def _measured(claim: Claim) -> str:
    interval = "" if claim.ci is None else f" [{claim.ci[0]:.6g}, {claim.ci[1]:.6g}]"
    return f"{claim.measure} {claim.value:.6g}{interval} decides otherwise (tolerance {claim.tolerance:.3g})"


def _checkout(edition: Mapping[str, Any], chapters: Sequence[Chapter], root: Path) -> Iterator[Fault]:
    """Where code, lock file, pins or text of a checkout are not those of the edition."""
    for where, digest in edition["modules"].items():
        path = root / where
        try:
            here = _digest(what_counts(path, where)) if path.exists() else "nothing"
        except ExecutionError as error:
            here = str(error)
        if here != digest:
            yield Fault("code", "all", where, f"the edition ran {digest}, this checkout has {here}")
    lock = root / "requirements.lock"
    here = _digest(lock.read_bytes()) if lock.exists() else "nothing"
    if here != edition["lock"]:
        yield Fault("lock", "all", lock.name, f"the edition ran with {edition['lock']}, this checkout has {here}")
    names = {chapter.name for chapter in chapters}
    for source in notebooks(root):
        if source.stem not in names:
            yield Fault("code", source.stem, "all", "this chapter is not in the edition")
    texts = list(prose.book_texts(root))
    pins = agree.read_pins(root / "book" / "ledger.json")
    for problem in agree.drift(chapters, pins | {"figures": {}}, texts):  # an edition has no arrays of figures
        said = f"the pin is {problem.pinned}, the edition has {problem.fresh} (tolerance {problem.tolerance})"
        yield Fault("pin", problem.where, f"{problem.found_by} {problem.name}", said)
    allowed = prose.load_allowed(root / "book" / "prose-allow.yml")
    for problem in agree.disagreements(chapters, texts, allowed):
        if problem.found_by != "claim":
            yield Fault("text", problem.where, problem.name, f"{problem.fresh}: {problem.remedy}")


def on_pages(edition: Mapping[str, Any], chapters: Sequence[Chapter], pages: Path) -> Iterator[Fault]:
    """Where built pages show another number than the edition's, or another mark at a claim.

    A number on a chapter's page must be how one of the values is shown that its text or its claims quote; on other
    pages, of any value.
    """
    values = {value.name: value for chapter in chapters for value in chapter.values}
    claims = {claim.id: claim for chapter in chapters for claim in chapter.claims}
    everything = set(_shown(values, values))
    for page in sorted(pages.rglob("*.html")):
        where = page.relative_to(pages).as_posix()
        text = page.read_text(encoding="utf8")
        source = re.sub(r"^chapters/(.*)\.html$", r"notebooks/\1.md", where)
        quoted = edition["quoted"].get(source)
        right = everything if quoted is None else set(_shown(values, _values_quoted(quoted, claims)))
        for shown in dict.fromkeys(html.unescape(found) for found in VALUE.findall(text)):
            if shown not in right:
                yield Fault("page", where, shown, "no value that this page quotes is shown like this")
        for id, mark in dict.fromkeys(BADGE.findall(text)):
            verdict = claims[id].verdict if id in claims else "unknown"
            if mark != verdict:
                yield Fault("page", where, id, f"the page marks it {mark!r}, the edition {verdict!r}")


def _values_quoted(quoted: Iterable[str], claims: Mapping[str, Claim]) -> Iterator[str]:
    for role, name in (entry.split(" ", 1) for entry in quoted):
        if role in VALUE_ROLES:
            yield name
        elif name in claims:
            yield from (
                quote.name for quote in prose.quotes("", claims[name].sentence) if quote.role in VALUE_ROLES
            )


def _shown(values: Mapping[str, Value], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name in values:
            yield from (values[name].text(), values[name].number(), values[name].with_interval())


# ---------------------------------------------------------------------------------------------------------------
# Saying it
# ---------------------------------------------------------------------------------------------------------------


def run(path: Path, root: Path | None, pages: Path | None) -> int:
    """Replay a file and print what was found; the exit status is 1 if anything is not as the edition says."""
    began = time.monotonic()
    edition = load(path)
    try:
        done = replay(edition, root, pages)
    except LedgerError as error:
        raise ReplayError(str(error)) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise ReplayError(f"{path} lacks what a replay file holds ({error!r}): fetch it again") from None
    print(table(done.rows))
    if done.unjudged:
        print(f"{len(done.unjudged)} proved in the chapter; the file holds no proof: {', '.join(done.unjudged)}")
    against = [said for said, place in (("code, lock, pins and text", root), ("the built pages", pages)) if place]
    print(f"compared with {' and '.join(against)}" if against else "compared with nothing outside the file")
    for fault in done.faults:
        print(f"{fault.kind}: {fault.chapter}: {fault.name}: {fault.said}", file=sys.stderr)
    what = f"edition {edition.get('version', '?')}, {time.monotonic() - began:.0f} s"
    print(f"{len(done.faults)} faults in {what}" if done.faults else f"every verdict stands; {what}")
    return 1 if done.faults else 0


def table(rows: Sequence[Row]) -> str:
    """A line for each chapter and one for all."""
    whole = Row("all", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True))) if rows else None
    head = f"{'chapter':36} {'claims':>7} {'proofs':>7} {'values':>7} {'seconds':>8}"
    shown = [*rows, *([whole] if whole else [])]
    return "\n".join([head, *(f"{r[0]:36} {r[1]:7d} {r[2]:7d} {r[3]:7d} {r[4]:8.2f}" for r in shown)])
