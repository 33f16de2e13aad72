"""Proofs that the reader's browser checks, and the page on which a reader tries an inequality.

Each box of a chapter that states something with a certificate gets a button, and so does each box of the page
"What holds"; ``{check-proof}`` puts one anywhere.  Certificates and verifier go into one script that is loaded at
the first press: a script, since a browser loads nothing else for a page that is opened from the disk.
``{try-inequality}`` is the place of the form, with its examples.  Its modules are joined into a script, and
those of the prover's worker into another.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from joined import WEB, joined
from ledger_roles import read_ledger, stored
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator
from theorems import labelled, proved_claims, text_of
from web import need, needed

from rbcore.information.prover import Certificate, prove

FOLDER = "prove"
CHAPTERS = "chapters/"
TRY = "prove/try-page.js"  # the script of the form
VARIABLES = 9  # that the form takes: VARIABLES in decide.js
ZHANG_YEUNG = "2 I(C;D) <= I(A;B) + I(A;C,D) + 3 I(C;D|A) + I(C;D|B)"
PAIRS = ["I(A;B) = 0", "I(B;C) = 0", "I(A;C) = 0"]
EXAMPLES = {
    "Textbook": [
        ("Data processing", "I(A;C) <= I(A;B)", ["A -> B -> C"]),
        ("Conditioning does not raise entropy", "H(A|B) <= H(A)", []),
        ("Submodularity", "H(A,B,C) + H(B) <= H(A,B) + H(B,C)", []),
        ("Han's inequality", "2 H(A,B,C) <= H(A,B) + H(B,C) + H(A,C)", []),
        ("Chain rule", "I(A,B;C) = I(A;C) + I(B;C|A)", []),
        ("Fano's bookkeeping", "H(X|Y) <= H(E) + H(X|E,Y)", []),
        ("A key is as long as its secret", "H(K) >= H(S)", ["H(S|K,M) = 0", "I(S;M) = 0"]),
    ],
    "Not true": [
        ("Conditioning does not raise information", "I(A;B|C) <= I(A;B)", []),
        ("Pairs suffice for independence", "H(A,B,C) = H(A) + H(B) + H(C)", PAIRS),
        ("Ingleton's inequality", "I(A;B) <= I(A;B|C) + I(A;B|D) + I(C;D)", []),
    ],
    "Not of Shannon type": [("Zhang and Yeung's inequality", ZHANG_YEUNG, [])],
}  # fmt: skip


class CheckProof(nodes.General, nodes.Element):
    """The place of a button; ``ids`` of certificates in its attribute ``check``."""


class TryInequality(nodes.General, nodes.Element):
    """The place of the form."""


def visit_check(self: HTML5Translator, node: CheckProof) -> None:
    asked = html.escape(json.dumps(node["asked"]))
    self.body.append(f'<div class="rb-check" data-check="{" ".join(node["check"])}" data-try="{asked}">')


def visit_try(self: HTML5Translator, node: TryInequality) -> None:
    examples = html.escape(json.dumps(node["examples"]))
    self.body.append(f'<div id="rb-try" class="rb-try" data-examples="{examples}">')
    self.body.append("<noscript>The form needs JavaScript.</noscript>")


def depart(self: HTML5Translator, node: nodes.Element) -> None:
    self.body.append("</div>\n")


def skip(self: Any, node: nodes.Element) -> None:
    """Nothing of it on paper."""
    raise nodes.SkipNode


def certificates(app: Sphinx) -> dict[str, dict[str, Any]]:
    """The certificates of the book by claim: what the theorems stored, and those of claimed identities."""
    cached = getattr(app, "_rb_certificates", None)
    if cached is None:
        ledger = stored(app)
        claimed = {id: ledger.claims[id].statement for id in proved_claims(ledger.claims)}
        cached = {id: payload["certificate"] for id, payload in ledger.theorems.items()}
        for path in sorted((Path(app.srcdir) / "chapters").glob("*.ipynb")):
            for id in (id for _, _, ids in labelled(text_of(path)) for id in ids):
                found = prove(claimed[id], search=False) if id in claimed and id not in cached else None
                if isinstance(found, Certificate):
                    cached[id] = found.payload()
        app._rb_certificates = cached
    return cached


def place(env: BuildEnvironment, ids: list[str]) -> CheckProof | None:
    """A button for those of the claims that have a certificate."""
    read_ledger(env)  # the page depends on it
    known = certificates(env.app)
    found = [id for id in ids if id in known]
    if not found:
        return None
    need(env, f"{FOLDER}/button.js", f"{FOLDER}/prove.css")
    asked = [{"statement": known[id]["statement"], "given": [*known[id]["given"]]} for id in found]
    return CheckProof("", check=found, asked=[one for one in asked if size(one) <= VARIABLES])


def size(asked: dict[str, Any]) -> int:
    """How many variables a question has."""
    names = re.findall(r"[A-Za-z_]\w*'*", " ".join([asked["statement"], *asked["given"]]))
    return len({*names} - {"H", "I", "log"})


class CheckProofDirective(SphinxDirective):
    """A button that checks the proofs of some claims: their ids are the argument."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        found = place(self.env, self.arguments[0].split())
        return [found] if found else []


class TryInequalityDirective(SphinxDirective):
    """The form, with examples and the statements of the book."""

    def run(self) -> list[nodes.Node]:
        need(self.env, TRY, f"{FOLDER}/prove.css")
        book = []
        for id, payload in stored(self.env.app).theorems.items():
            asked = payload["certificate"]
            if size(asked) <= VARIABLES:
                name = payload["name"] or id.replace("-", " ").capitalize()
                book.append([name, asked["statement"], [*asked["given"]]])
        groups = [*EXAMPLES.items(), ("This book", book)]
        return [TryInequality("", examples=[[name, list(some)] for name, some in groups])]


def add_buttons(app: Sphinx, doctree: nodes.document) -> None:
    """A button at the end of each box of a chapter that states something with a certificate."""
    page = app.env.docname
    path = Path(app.srcdir) / f"{page}.ipynb"
    if not page.startswith(CHAPTERS) or not path.exists():
        return
    shown = {label: ids for label, _, ids in labelled(text_of(path)) if ids}
    for node in list(doctree.findall(nodes.Admonition)):
        if node.get("label") in shown and (found := place(app.env, shown[node["label"]])):
            node += found


def script(verifier: str, known: dict[str, dict[str, Any]]) -> str:
    """The verifier and the certificates as a classic script, which hands them over in an event."""
    body = re.sub(r"(?m)^export ", "", verifier)
    data = json.dumps(known, separators=(",", ":"))
    hand = 'document.dispatchEvent(new CustomEvent("rb:certificates", { detail: { verify, certificates } }));'
    return f'(() => {{\n"use strict";\n{body}\nconst certificates = {data};\n{hand}\n}})();\n'


KEPT = ("prove/button.js", TRY, "prove/solver.js", "game/page.js")  # of the scripts of prover and game
PACKED = {"prove/make-worker.js": "prove/packed-worker.js"}  # of pages, the way to the prover's worker


def solver() -> str:
    """The prover's worker and the code of its solver, packed, as a script that hands them over in an event."""
    code = base64.b64encode(gzip.compress(joined("prove/worker.js").encode(), mtime=0)).decode()
    wasm = base64.b64encode((WEB / "lib" / "highs" / "highs.wasm.gz").read_bytes()).decode()
    hand = f'new CustomEvent("rb:solver", {{ detail: {{ code: "{code}", wasm: "{wasm}" }} }})'
    return f"document.dispatchEvent({hand});\n"


def write_joined(app: Sphinx, env: BuildEnvironment) -> None:
    """Write the joined scripts where Sphinx finds them when it writes the pages, if one uses them."""
    if not {TRY, "game/page.js"} & needed(env):
        return
    target = Path(app.outdir) / "_static" / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    (Path(app.outdir) / "_static" / TRY).write_text(joined("prove/try-start.js", PACKED), encoding="utf8")
    (target / "solver.js").write_text(solver(), encoding="utf8")


def write_script(app: Sphinx, exception: Exception | None) -> None:
    """Put the script of the certificates beside the others, and take away what was joined into others."""
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    for path in [
        *(static / "lib" / "highs").glob("highs.*"),
        *static.glob("game/*.js"),
        *static.glob("prove/*.js"),
    ]:
        if path.relative_to(static).as_posix() not in KEPT:
            path.unlink()
    verifier = (WEB / FOLDER / "verify.js").read_text(encoding="utf8")
    (static / FOLDER / "check.js").write_text(script(verifier, certificates(app)), encoding="utf8")


def setup(app: Sphinx) -> dict[str, Any]:
    others = dict.fromkeys(("latex", "text", "man", "texinfo"), (skip, None))
    app.add_node(CheckProof, html=(visit_check, depart), **others)
    app.add_node(TryInequality, html=(visit_try, depart), **others)
    app.add_directive("check-proof", CheckProofDirective)
    app.add_directive("try-inequality", TryInequalityDirective)
    app.connect("doctree-read", add_buttons)
    app.connect("env-updated", write_joined)
    app.connect("build-finished", write_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
