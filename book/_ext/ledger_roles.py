"""Roles and directives that show what the notebooks recorded and claimed.

``{val}`name` `` a value with its unit, ``{num}`name` `` the bare number, ``{ci}`name` `` the value with its
interval, ``{claim}`id` `` a machine-checked sentence with its badge, ``{statement}`id` `` the formula behind a
claim, ``{shannon}`I(A;B) >= 0` `` any formula of the expression language.

Directives: ``{ledger}`` the tables of claims and of values, ``{agreement}`` a line that says whether this run
agrees with its text and with the pins, ``{drift}`` the results that drifted, ``{seeds}`` on how many other seeds
claims hold, ``{worlds}`` what values are on other seeds, ``{costs}`` what each chapter cost.

All of them read `_ledger.json`, which the build writes beside the sources; a page that uses a role depends on it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from accounts import in_rows
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from rbcore.book import seeds
from rbcore.book.agree import tolerance
from rbcore.book.display import display
from rbcore.book.ledger import DEPARTURES, MARK, Claim, Value
from rbcore.information.expr import ExpressionError, parse

logger = logging.getLogger(__name__)
SHOW = {"val": Value.text, "num": Value.number, "ci": Value.with_interval}


class Stored(NamedTuple):
    """What `_ledger.json` holds of the notebooks, and when it was written."""

    stamp: int
    values: dict[str, Value]
    claims: dict[str, Claim]
    theorems: dict[str, Any]
    run: dict[str, Any]


def stored(app: Sphinx) -> Stored:
    """The ledger of this build, read again only when it has changed."""
    path = Path(app.srcdir) / "_ledger.json"
    stamp = path.stat().st_mtime_ns
    cached = getattr(app, "_rb_ledger", None)
    if cached is None or cached.stamp != stamp:
        raw = json.loads(path.read_text(encoding="utf8"))
        values = {v["name"]: Value(**v) for v in raw["values"]}
        claims = {c["id"]: Claim(**c) for c in raw["claims"]}
        run = {name: raw.get(name) for name in ("drift", "failed", "costs")}
        cached = app._rb_ledger = Stored(stamp, values, claims, raw["theorems"], run)
    return cached


def read_ledger(env: BuildEnvironment) -> tuple[dict[str, Value], dict[str, Claim]]:
    """The values and claims of this build; the page is noted as depending on them."""
    env.note_dependency(str(Path(env.srcdir) / "_ledger.json"))
    return stored(env.app).values, stored(env.app).claims


class ValueRole(SphinxRole):
    """Show a recorded value; the element's title is its name, so that a reader can find it in the notebook."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        values, _ = read_ledger(self.env)
        value = values.get(self.text.strip())
        if value is None:
            logger.warning("no notebook records %r", self.text, location=self.get_location())
            return [nodes.problematic(self.rawtext, f"?{self.text}?")], []
        return [nodes.inline(self.rawtext, SHOW[self.name](value), classes=["rb-value"])], []


class ClaimRole(SphinxRole):
    """The claimed sentence, marked, and the badge that leads to its row of the ledger."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        _, claims = read_ledger(self.env)
        claim = claims.get(self.text.strip())
        if claim is None:
            logger.warning("no notebook claims %r", self.text, location=self.get_location())
            return [nodes.problematic(self.rawtext, f"?{self.text}?")], []
        sentence = nodes.inline(self.rawtext, classes=["rb-claim"])
        said = self.env.temp_data.setdefault("rb_said", set())  # of this document
        if self.env.docname == f"chapters/{claim.chapter}" and claim.id not in said:
            sentence["ids"] = [f"said-{claim.id}"]
            said.add(claim.id)
        children, messages = self.inliner.parse(claim.sentence, self.lineno, self.inliner, sentence)
        sentence += children
        return [sentence, nodes.Text("\u202f"), badge(claim, self.env.docname)], messages


def badge(claim: Claim, docname: str) -> pending_xref:
    """The mark of a claim's verdict, which leads to its row of the ledger."""
    return pending_xref(
        "",
        nodes.inline("", MARK[claim.verdict], classes=["rb-badge", f"rb-{claim.verdict}"]),
        refdomain="",
        reftype="claim",
        reftarget=claim.id,
        refwarn=True,
        refdoc=docname,
        refexplicit=True,
        rb_label=f"{claim.verdict} ({claim.kind}): see the ledger",
    )


def resolve_claim(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node
) -> nodes.Node | None:
    """Point a badge at its row of the ledger page."""
    if node.get("reftype") != "claim":
        return None
    uri = app.builder.get_relative_uri(node["refdoc"], "ledger") + f"#claim-{node['reftarget']}"
    return nodes.reference("", "", content, internal=True, refuri=uri, reftitle=node["rb_label"])


class StatementRole(SphinxRole):
    """The formula of a claim, rendered from the very string that was checked; displayed where it stands alone."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        _, claims = read_ledger(self.env)
        claim = claims.get(self.text.strip())
        if claim is None or not claim.statement:
            logger.warning("no claim with a statement is called %r", self.text, location=self.get_location())
            return [nodes.problematic(self.rawtext, f"?{self.text}?")], []
        latex = parse(claim.statement).latex()
        return [nodes.math(self.rawtext, latex, rb_statement=claim.statement)], []


def display_statements(app: Sphinx, doctree: nodes.document) -> None:
    """A statement that is a paragraph of its own becomes display mathematics."""
    for paragraph in list(doctree.findall(nodes.paragraph)):
        if len(paragraph) == 1 and isinstance(paragraph[0], nodes.math) and "rb_statement" in paragraph[0]:
            latex = display(paragraph[0]["rb_statement"])
            block = nodes.math_block(latex, latex, number=None, label=None, nowrap=False, docname=app.env.docname)
            paragraph.replace_self(block)


class CurveRole(SphinxRole):
    """Words about a curve, in a sentence that is quoted from an alternative text: the words alone."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        return [nodes.Text(self.text.rpartition("<")[0].strip())], []


class ShannonRole(SphinxRole):
    """Any formula of the expression language as mathematics."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            return [nodes.math(self.rawtext, parse(self.text).latex())], []
        except ExpressionError as error:
            logger.warning("%s", error, location=self.get_location())
            return [nodes.problematic(self.rawtext, self.text)], []


def read_run(env: BuildEnvironment) -> dict[str, Any]:
    """What `_ledger.json` says of the run as a whole: drift (None: not compared), failed chapters, costs."""
    read_ledger(env)  # the page depends on it
    return stored(env.app).run


class AgreementDirective(SphinxDirective):
    """One line on the run that made these pages: does it agree with its text, and with the pins?"""

    def run(self) -> list[nodes.Node]:
        values, claims = read_ledger(self.env)
        run = read_run(self.env)
        if run["drift"] is None:  # a run with other parameters is compared with nothing
            return []
        failing = sum(claim.verdict == "fails" for claim in claims.values())
        drifted = len({(row["found_by"], row["name"]) for row in run["drift"]})
        parts = [
            f"{failing} of {len(claims)} claims {'fails' if failing == 1 else 'fail'}" if failing else "",
            f"{drifted} of {len(values) + len(claims)} pinned results drifted" if drifted else "",
            f"{len(run['failed'])} chapters did not run" if run["failed"] else "",
        ]
        said = " and ".join(part for part in parts if part)
        if not said:
            text = f"In this run all {len(claims)} claims hold, and all {len(values) + len(claims)} pinned results"
            return [nodes.paragraph("", f"{text} were reproduced.", classes=["rb-agreement"])]
        line = nodes.paragraph("", f"In the run that made these pages {said}: ")
        uri = self.env.app.builder.get_relative_uri(self.env.docname, "ledger")
        line += nodes.reference("", "", nodes.Text("the ledger"), internal=True, refuri=uri)
        line += nodes.Text(" lists them.")
        return [nodes.warning("", line)]


class DriftDirective(SphinxDirective):
    """The results that are not as pinned, with both values; nothing where all were reproduced."""

    def run(self) -> list[nodes.Node]:
        drift = read_run(self.env)["drift"]
        if not drift:
            return []
        head = ["Name", "Chapter", "Sentence", "Pinned", "This run", "May differ by"]
        rows = [self.row(problem) for problem in drift]
        return [table_of("rb-drift", head, [16, 8, 36, 16, 16, 8], rows)]

    def row(self, problem: dict[str, str]) -> nodes.row:
        holder = nodes.Element()
        self.state.nested_parse(StringList([problem["sentence"]], source="drift"), self.content_offset, holder)
        texts = [nodes.Text(problem[name]) for name in ("pinned", "fresh", "tolerance")]
        chapter = nodes.Text(problem["where"].split("-")[0])
        return row_of(nodes.literal("", problem["name"]), chapter, nodes.entry("", *holder.children), *texts)


def read_seeds(env: BuildEnvironment) -> dict[str, Any]:
    """The recorded outcome of `make seeds`; the page is noted as depending on it."""
    path = Path(env.srcdir) / "seeds.json"
    env.note_dependency(str(path))
    return seeds.read(path)


class SeedsDirective(SphinxDirective):
    """The recorded outcome of `make seeds`: a row for each chapter, with the claims that failed on some seed."""

    def run(self) -> list[nodes.Node]:
        record = read_seeds(self.env)
        head = ["Chapter", "Seeds", "Claims", "Hold on all", "The others", "Counted"]
        rows = [self.row(chapter, entry) for chapter, entry in record.items()]
        return [table_of("rb-seeds", head, [10, 8, 8, 10, 40, 24], rows)] if rows else []

    def row(self, chapter: str, entry: dict[str, Any]) -> nodes.row:
        found, runs = seeds.counts(entry), len(entry["runs"])
        others = ", ".join(f"{id} {held}/{runs}" for id, held in found.items())
        whole = len(entry.get("claims", ()))
        cells = [str(runs), str(whole), str(whole - len(found)), others, f"{entry['date']}, {entry['versions']}"]
        return row_of(chapter_link(self.env, chapter, ""), *map(nodes.Text, cells))


class WorldsDirective(SphinxDirective):
    """Values here and over other seeds, which draw other worlds; a line of the content is `name: what it is`."""

    has_content = True
    required_arguments = 1  # what a seed draws, in the plural: languages
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        values, _ = read_ledger(self.env)
        record = read_seeds(self.env)
        rows = []
        for line in self.content:
            name, _, what = (part.strip() for part in line.partition(":"))
            if name not in values:
                logger.warning("no notebook records %r", name, location=self.get_location())
                continue
            value = values[name]
            label = nodes.paragraph()
            children, _ = self.state.inline_text(what, self.lineno)
            label += children
            found = seeds.over(record.get(value.chapter, {}), name)
            if found is None:
                others = ["not counted yet", ""]
            else:
                fields = {"value": found.mean, "ci": found.ci, "unit": ""}
                others = [replace(value, **fields).with_interval(), f"{found.same} of {found.seeds}"]
            here = replace(value, unit="").with_interval()
            rows.append(row_of(nodes.entry("", label), nodes.Text(here), *map(nodes.Text, others)))
        head = ["", "Here", f"Over other {self.arguments[0]}", "Of this sign"]
        return [table_of("rb-worlds", head, [40, 24, 24, 12], rows)]


class CostsDirective(SphinxDirective):
    """What each chapter cost in this run, in processor seconds, beside the last recorded cost."""

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / "costs.json"
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text(encoding="utf8")) if path.exists() else {"chapters": {}}
        fresh, recorded = read_run(self.env)["costs"], record["chapters"]
        rows = []
        for name, spent in [*fresh.items(), ("all chapters", sum(fresh.values()))]:
            was = sum(recorded.values()) if name == "all chapters" else recorded.get(name)
            shown = ("" if x is None else f"{x:.0f}\u00a0s" for x in (spent, was))
            rows.append(row_of(nodes.Text(name), *map(nodes.Text, shown)))
        return [table_of("rb-costs", ["Chapter", "This run", record.get("on", "Recorded")], [50, 20, 30], rows)]


class DeparturesDirective(SphinxDirective):
    """The sentences that hold and depart from the released code, from the summary or from what was expected."""

    def run(self) -> list[nodes.Node]:
        _, claims = read_ledger(self.env)
        marked = [claim for claim in claims.values() if claim.departs]
        marked.sort(key=lambda claim: list(DEPARTURES).index(claim.departure[0]))
        head = ["From", "What is said or was expected", "What we show", "Chapter"]
        return [table_of("rb-departures", head, [14, 34, 42, 10], [self.row(claim) for claim in marked])]

    def row(self, claim: Claim) -> nodes.row:
        source, how = claim.departure
        holder = nodes.Element()
        self.state.nested_parse(StringList([claim.sentence], source="departures"), self.content_offset, holder)
        how = nodes.Text(how[0].upper() + how[1:])
        link = chapter_link(self.env, claim.chapter, f"#said-{claim.id}")
        return row_of(nodes.Text(DEPARTURES[source]), how, nodes.entry("", *holder.children), link)


class LedgerDirective(SphinxDirective):
    """The ledger: every claim with its verdict, then every value with its interval."""

    option_spec = {"of": lambda text: directives.choice(text, ("claims", "values"))}

    def run(self) -> list[nodes.Node]:
        values, claims = read_ledger(self.env)
        if self.options.get("of") == "values":
            rows = [self.value_row(v) for v in values.values()]
            head = ["Name", "Chapter", "Value", "Kind", "May drift by"]
            return [in_rows(self.env, "values", table_of("rb-values", head, [24, 10, 34, 14, 18], rows))]
        self.others = {k: v for entry in read_seeds(self.env).values() for k, v in seeds.claims(entry).items()}
        head = ["Sentence and check", "Chapter", "Kind", "Value", "Tolerance", "Verdict", "Cost"]
        rows = [self.claim_row(c) for c in claims.values()]
        return [in_rows(self.env, "claims", table_of("rb-claims", head, [42, 8, 9, 16, 9, 9, 7], rows))]

    def claim_row(self, claim: Claim) -> nodes.row:
        holder = nodes.Element()
        self.state.nested_parse(StringList([claim.sentence], source="ledger"), self.content_offset, holder)
        sentence = nodes.entry("", *holder.children)
        if claim.statement:
            sentence += nodes.paragraph("", "", nodes.math("", display(claim.statement)), classes=["rb-formula"])
        if claim.departs:
            source, how = claim.departure
            text = f"Departs from {DEPARTURES[source]}: {how}"
            sentence += nodes.paragraph("", text, classes=["rb-departs-how"])
        if claim.check:
            sentence += nodes.paragraph("", "", nodes.literal("", claim.check), classes=["rb-check"])
        measured = "" if claim.value is None else f"{claim.measure}: {_short(claim.value)}"
        if claim.ci is not None:
            measured += f" ({_short(claim.ci[0])} to {_short(claim.ci[1])})"
        if claim.cases is not None:
            measured += f"; of {claim.cases:,} {'samples' if claim.kind == 'statistical' else 'cases'}"
        verdict = nodes.inline("", f"{MARK[claim.verdict]} {claim.verdict}", classes=[f"rb-{claim.verdict}"])
        if others := self.others.get(claim.id):
            verdict += nodes.Text(f"; on {others[0]} of {others[1]} other seeds")
        row = row_of(
            sentence,
            chapter_link(self.env, claim.chapter, f"#said-{claim.id}"),
            nodes.Text(claim.kind),
            nodes.Text(measured),
            nodes.Text(_short(claim.tolerance) if claim.tolerance else "none"),
            verdict,
            nodes.Text(f"{claim.seconds:.1f}\u00a0s"),
        )
        row["ids"].append(f"claim-{claim.id}")
        return row

    def value_row(self, value: Value) -> nodes.row:
        shown = nodes.entry("", nodes.paragraph("", value.with_interval()))
        drift = tolerance(value)
        return row_of(
            nodes.literal("", value.name),
            chapter_link(self.env, value.chapter, ""),
            shown,
            nodes.Text(value.kind),
            nodes.Text(_short(drift) if drift else "nothing"),
        )


def chapter_link(env: BuildEnvironment, chapter: str, anchor: str) -> nodes.reference:
    """The number of a chapter, as a link to a place in it."""
    uri = env.app.builder.get_relative_uri(env.docname, f"chapters/{chapter}") + anchor
    return nodes.reference("", "", nodes.Text(chapter.split("-")[0]), internal=True, refuri=uri)


def _short(number: float) -> str:
    return f"{number + 0.0:.3g}".replace("-", "\u2212")  # + 0.0: no negative zero


def row_of(*cells: nodes.Node) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        row += cell if isinstance(cell, nodes.entry) else nodes.entry("", nodes.paragraph("", "", cell))
    return row


def table_of(name: str, head: list[str], widths: list[int], rows: list[nodes.row]) -> nodes.Node:
    group = nodes.tgroup("", *[nodes.colspec(colwidth=w) for w in widths], cols=len(head))
    group += nodes.thead("", row_of(*[nodes.Text(h) for h in head]))
    group += nodes.tbody("", *rows)
    return nodes.table("", group, classes=["rb-table", "colwidths-given", name])


def setup(app: Sphinx) -> dict[str, Any]:
    for name in SHOW:
        app.add_role(name, ValueRole())
    app.add_role("claim", ClaimRole())
    app.add_role("statement", StatementRole())
    app.add_role("shannon", ShannonRole())
    app.add_role("curve", CurveRole())
    app.add_directive("ledger", LedgerDirective)
    app.add_directive("agreement", AgreementDirective)
    app.add_directive("drift", DriftDirective)
    app.add_directive("departures", DeparturesDirective)
    app.add_directive("seeds", SeedsDirective)
    app.add_directive("worlds", WorldsDirective)
    app.add_directive("costs", CostsDirective)
    app.connect("doctree-read", display_statements)
    app.connect("missing-reference", resolve_claim)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
