"""The page "What holds, and under what": every proved statement with what stands behind it.

``{theorems}`` lists what the notebooks' :class:`rbcore.information.theorems.Theorem` claims stored: the
statement and its assumptions, the certificate, a counterexample for each assumption that is needed, the random
models, the twin. Each certificate and counterexample is verified once more while the page is built, in exact
arithmetic.  ``{chains}`` counts the proofs that read from left to right, and ``{statements}`` is the list of all
labelled statements, with or without a certificate.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from accounts import in_rows
from docutils import nodes
from docutils.statemachine import StringList
from ledger_roles import display, read_ledger, stored
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from rbcore.book import falsified
from rbcore.book.ledger import Claim
from rbcore.information.expr import parse
from rbcore.information.notation import latex_name
from rbcore.information.prover import Certificate
from rbcore.information.refute import Counterexample
from rbcore.information.theorems import SOURCES, verified

logger = logging.getLogger(__name__)
BIT = math.log(2)
ROWS = 12  # outcomes of a counterexample that are shown
KINDS = {"certificate": "by certificate", "evaluated": "by hand, evaluated", "hand": "by hand"}
WHOSE = {
    "textbook": "a textbook's",
    "book": "this book's",
    "formulation": "this book's formulation in the paper's framework",
}


class TheoremsDirective(SphinxDirective):
    """All theorems, in the order of the book: first a table, then each with its evidence."""

    def run(self) -> list[nodes.Node]:
        _, claims = read_ledger(self.env)
        theorems = stored(self.env.app).theorems
        record = Path(self.env.srcdir) / "falsified.json"
        self.env.note_dependency(str(record))
        long = falsified.read(record)
        lines: list[str] = []
        chapter = ""
        for id, payload in theorems.items():
            if claims[id].chapter != chapter:
                chapter = claims[id].chapter
                lines += [f"```{{rubric}} {heading(Path(self.env.srcdir), chapter)}", "```", ""]
            if not verified(payload):
                logger.warning("the stored proof of %r does not verify", id, location=self.get_location())
            lines += [*theorem(claims[id], payload, long), ""]
        holder = nodes.Element()
        self.state.nested_parse(StringList(lines, source="theorems"), self.content_offset, holder)
        for table in holder.findall(nodes.table):
            table["classes"] += ["rb-table", "rb-holds"]
        return [in_rows(self.env, "theorems", *holder.children)]


class ChainsDirective(SphinxDirective):
    """A sentence on how many of the theorems have a proof that reads from left to right."""

    def run(self) -> list[nodes.Node]:
        read_ledger(self.env)  # the page depends on it
        return [nodes.paragraph(text=in_chains(stored(self.env.app).theorems.values()))]


class StatementsDirective(SphinxDirective):
    """Every labelled statement of the chapters: how it is proved, what it needs, how sharp it is, whose it is."""

    def run(self) -> list[nodes.Node]:
        source = Path(self.env.srcdir)
        self.env.note_dependency(str(source / "statements.yaml"))
        by_hand = yaml.safe_load((source / "statements.yaml").read_text(encoding="utf8"))
        theorems = stored(self.env.app).theorems
        _, claims = read_ledger(self.env)
        proved = proved_claims(claims)
        rows, kinds = [], Counter()
        for path in sorted((source / "chapters").glob("*.ipynb")):
            for label, title, formulas in labelled(text_of(path)):
                proofs, entry = [theorems[id] for id in formulas if id in theorems], by_hand.get(label)
                if not proofs and entry is None:
                    where = self.get_location()
                    logger.warning("%s has no certificate and is not in statements.yaml", label, location=where)
                    continue
                row = entry or {"needs": "in its box above", "source": proofs[0]["source"]}
                kind = KINDS[how_proved(formulas, proved, row)]
                kinds[kind] += 1
                whose = WHOSE.get(row["source"], row["source"])
                first = f"{{prf:ref}}`{label}`, {title}. *{kind.capitalize()}.* {whose[0].upper()}{whose[1:]}."
                rows.append([first, row["needs"], row.get("sharp", "")])
        counts = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
        lines = [f"{sum(kinds.values())} statements: {counts}.", "", "````{list-table}", ":header-rows: 1"]
        lines += [":widths: 34 36 30", ""]
        for row in [["Statement", "Needs", "Sharp"], *rows]:
            lines += [f"{'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
        holder = nodes.Element()
        self.state.nested_parse(StringList([*lines, "````"], source="statements"), self.content_offset, holder)
        for table in holder.findall(nodes.table):
            table["classes"] += ["rb-table", "colwidths-given"]
        return holder.children


class Box(NamedTuple):
    """A box of a chapter's source: its kind, title, label (of a proof none), the claims it shows, all its text."""

    kind: str
    title: str
    label: str
    formulas: list[str]
    body: str


def boxes(text: str) -> Iterator[Box]:
    """The boxes of a chapter, proofs included, in order."""
    for _, kind, title, body in re.findall(r"(?ms)^(`{3,})\{prf:(\w+)\} *([^\n]*)\n(.*?)^\1[ ]*$", text):
        label = re.search(r"(?m)^:label: ([\w-]+)", body)
        yield Box(kind, title, label[1] if label else "", re.findall(r"\{statement\}`([\w-]+)`", body), body)


def labelled(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Label, title and shown claims of each statement of a chapter, definitions apart."""
    for box in boxes(text):
        if box.label and box.kind not in ("definition", "proof"):
            yield box.label, box.title, box.formulas


def proved_claims(claims: Mapping[str, Claim]) -> frozenset[str]:
    """The claims that have an exact proof."""
    return frozenset(id for id, claim in claims.items() if claim.kind == "proved")


def how_proved(formulas: Iterable[str], proved: frozenset[str], entry: Mapping[str, Any]) -> str:
    """How a statement that shows these claims is proved; `entry` is that of `statements.yaml`, or empty."""
    if proved.intersection(formulas):
        return "certificate"
    return "evaluated" if entry.get("checked") else "hand"


def text_of(path: Path) -> str:
    """The prose of an executed chapter."""
    cells = json.loads(path.read_text(encoding="utf8"))["cells"]
    return "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "markdown")


def in_chains(payloads: Iterable[Mapping[str, Any]]) -> str:
    """How many of the theorems have such a proof for each of their relations, and how long it is at most."""
    proofs = [Certificate.from_json(json.dumps(payload["certificate"])).chains for payload in payloads]
    whole = sum(all(proof) for proof in proofs)
    links = [sum(len(chain.links) for some in proof for chain in some) for proof in proofs]
    most = max(links, default=0)
    return (
        f"{whole} of {len(proofs)} statements have a proof that goes from left to right, in {most} steps at most."
    )


def heading(source: Path, chapter: str) -> str:
    """The chapter's number and title, the title from its page."""
    title = re.search(r"(?m)^# (.*)$", text_of(source / "chapters" / f"{chapter}.ipynb"))
    number = chapter.split("-")[0].lstrip("0")
    return f"{'Chapter' if number.isdigit() else 'Appendix'} {number}. {title[1] if title else chapter}"


def theorem(claim: Claim, payload: Mapping[str, Any], long: Mapping[str, Any]) -> Iterator[str]:
    """One theorem as MyST."""
    name = payload["name"] or claim.id.replace("-", " ").capitalize()
    number = claim.chapter.split("-")[0]
    yield f"````{{admonition}} {name}"
    yield ":class: rb-theorem"
    yield from ["", "$$", display(claim.statement), "$$", ""]
    yield f"*{SOURCES[payload['source']].capitalize()}.*"
    place = f"chapter {number.lstrip('0')}" if number.isdigit() else f"appendix {number}"
    yield f"From {{doc}}`{place} <chapters/{claim.chapter}>`."
    yield ""
    yield from _assumptions(payload)
    ratios = [ratio for ratio in payload["ratios"] if ratio is not None]
    tight = f"; the smaller side reaches {_percent(min(ratios))} of the larger" if ratios else ""
    yield f"{payload['models']:,} random models: smallest slack {_bits(payload['slack'])}{tight}."
    certificate = payload["certificate"]
    if entry := long.get(falsified.key(certificate["statement"], certificate["given"])):
        yield f"Full tier, {entry['date']}: {entry['models']:,} models, smallest slack {_bits(entry['slack'])}."
    yield from _twins(payload)
    yield ""
    yield from [f"```{{check-proof}} {claim.id}", "```", ""]
    certificate = Certificate.from_json(json.dumps(payload["certificate"]))
    steps, chain = len(certificate.steps), certificate.chains_latex()
    if not steps:
        yield from ["The two sides are the same combination of joint entropies.", "````"]
        return
    title = f"ertificate: {steps} step{'s' * (steps != 1)}"
    yield f"```{{admonition}} {'Proof, and c' if chain else 'C'}{title}"
    yield from [":class: dropdown", ""]
    if chain:
        yield from ["$$", chain, "$$", "", "The certificate:", ""]
    yield from ["$$", certificate.latex(), "$$", "```", "````"]


def _assumptions(payload: Mapping[str, Any]) -> Iterator[str]:
    """Each assumption, and what happens without it; a counterexample unfolds."""
    if not payload["needs"]:
        yield from ["It needs no assumption.", ""]
    for need in payload["needs"]:
        assumption = f"${parse(need['assumption']).latex()}$"
        if need["counterexample"]:
            found = _read(need["counterexample"])
            yield f"```{{admonition}} Needs {assumption}: without it, false by {_bits(found.violation())}"
            yield from [":class: dropdown", "", *_table(found), "```", ""]
        else:
            what = "no proof without it, and no counterexample was found: open" if need["needed"] else "not needed"
            yield from [f"Assumed, too: {assumption}; {what}.", ""]


def _twins(payload: Mapping[str, Any]) -> Iterator[str]:
    broken = [_read(twin["counterexample"]).violation() for twin in payload["twins"] if twin["counterexample"]]
    if not payload["twins"]:
        return
    if len(broken) < len(payload["twins"]):
        yield "With a constant one per cent worse no distribution was found that breaks it."
    else:
        each = "each inequality is" if len(broken) > 1 else "it is"
        yield f"With a constant one per cent worse {each} false, by {_bits(min(broken))}."


def _table(found: Counterexample) -> Iterator[str]:
    """The distribution, a row for each outcome."""
    yield "| " + " | ".join(f"${latex_name(name)}$" for name in found.names) + " | probability |"
    yield "|" + ":---|" * (len(found.names) + 1)
    for outcome, p in list(zip(found.outcomes, found.p, strict=True))[:ROWS]:
        yield f"| {' | '.join(map(str, outcome))} | {p} |"
    if len(found.outcomes) > ROWS:
        yield from ["", f"and {len(found.outcomes) - ROWS} more outcomes."]


def _read(stored: Mapping[str, Any]) -> Counterexample:
    return Counterexample.from_json(json.dumps(stored))


def _bits(nats: float) -> str:
    bits = nats / BIT
    return "0 bit, up to rounding" if abs(bits) < 1e-8 else f"{bits:.3g} bit".replace("-", "\u2212")


def _percent(ratio: float) -> str:
    return "100 %" if ratio > 0.9999 else f"{100 * ratio:.3g} %"


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("theorems", TheoremsDirective)
    app.add_directive("chains", ChainsDirective)
    app.add_directive("statements", StatementsDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
