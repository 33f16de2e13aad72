"""What a reader need not read at once is one line that unfolds: set-up, code, proofs, further sections, claims.

- The parameters and the imports at the head of a chapter become one line, "Set-up".
- Hidden code cells that follow each other without output become one line, and say what they hold.
- A cell that proves statements becomes one line with the statements; code, proof and certificate unfold.
- A proof of more than a few lines is one line that unfolds, below the statement.
- A section whose title begins with "Further: " unfolds below its title.
- ``{checked}`` folds a list of claims that the text does not need; ``{goals}`` says what a chapter gives.

Links lead into folded parts, and open them.  Nothing is folded where a page is printed.
"""

from __future__ import annotations

import itertools
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator
from sphinx_proof.nodes import proof_node

FURTHER = "Further: "
LONGEST = 3  # lines that a proof may print unfolded
SHORT = 60  # words of a proof that stands unfolded
SHARED = {"proof", "proof-content", "solution-content", "exercise-content"}  # ids that sphinx-proof gives to many
CELL, SOURCE, OUTPUT = "cell_code", "cell_code_source", "cell_code_output"


class Fold(nodes.container):
    """A part that unfolds below one line; its first child is the line."""


class Line(nodes.TextElement):
    """What a fold says of itself."""


class Further(nodes.section):
    """A section whose text unfolds below its title."""


class FurtherTitle(nodes.title):
    """The title of such a section."""


def visit_fold(self: HTML5Translator, node: Fold) -> None:
    self.body.append(self.starttag(node, "details"))


def depart_fold(self: HTML5Translator, node: Fold) -> None:
    self.body.append("</details>\n")


def visit_line(self: HTML5Translator, node: Line) -> None:
    self.body.append(self.starttag(node, "summary", ""))


def depart_line(self: HTML5Translator, node: Line) -> None:
    self.body.append("</summary>\n")


def visit_further(self: HTML5Translator, node: Further) -> None:
    self.visit_section(node)
    self.body.append('<details class="rb-further">\n')


def depart_further(self: HTML5Translator, node: Further) -> None:
    self.body.append("</details>\n")
    self.depart_section(node)


def visit_title(self: HTML5Translator, node: FurtherTitle) -> None:
    self.body.append("<summary>")
    self.visit_title(node)


def depart_title(self: HTML5Translator, node: FurtherTitle) -> None:
    self.depart_title(node)
    self.body.append("</summary>\n")


def fold(line: str | nodes.Node, *children: nodes.Node, kind: str = "code") -> Fold:
    """A fold of its own kind; the line is text, or nodes."""
    text = nodes.Text(line) if isinstance(line, str) else line
    return Fold("", Line("", "", text), *children, classes=["rb-fold", f"rb-fold-{kind}"])


def is_cell(node: nodes.Node, *, output: bool | None = None) -> bool:
    """Whether the node is a code cell (with or without an output, where it matters)."""
    if not isinstance(node, nodes.container) or node.get("nb_element") != CELL:
        return False
    return output is None or output == any(part.get("nb_element") == OUTPUT for part in node.children)


def source(cell: nodes.Node) -> str:
    """The code of a cell."""
    return "\n".join(
        block.astext()
        for part in cell.children
        if isinstance(part, nodes.container) and part.get("nb_element") == SOURCE
        for block in part.findall(nodes.literal_block)
    )


def printed(cell: nodes.Node) -> str:
    """What a cell printed."""
    return "\n".join(
        block.astext()
        for part in cell.children
        if isinstance(part, nodes.container) and part.get("nb_element") == OUTPUT
        for block in part.findall(nodes.literal_block)
    )


def proved(text: str) -> list[str]:
    """The statements of a printed proof: lines that begin a block, and are followed by what is indented."""
    rows = text.splitlines()
    return [
        row.strip()
        for before, row, after in zip(["", *rows], rows, [*rows[1:], ""], strict=False)
        if row[:1].strip() and not before.strip() and after.startswith("  ")
    ]


def said(cells: list[nodes.Node]) -> str:
    """What hidden cells hold."""
    code = "\n".join(map(source, cells))
    checks = code.count("claim(")
    if checks:
        return f"Code, and the check{'s' * (checks > 1)} of {checks} sentence{'s' * (checks > 1)}"
    return "Code of the figure" if "plt." in code or "axes" in code else "Code"


def fold_code(document: nodes.document) -> None:
    """Fold set-up, hidden code and proofs."""
    cells = [node for node in document.findall(is_cell)]
    if not cells:
        return
    set_up(cells)
    for cell in cells:
        if cell.parent is not None and not folded(cell):
            prove(cell)
    for parent in {id(cell.parent): cell.parent for cell in cells if cell.parent is not None}.values():
        merge(parent)


def folded(node: nodes.Node) -> bool:
    return isinstance(node.parent, Fold)


def set_up(cells: list[nodes.Node]) -> None:
    """The first cell holds the parameters, those that follow it what is imported."""
    if "tag_parameters" not in cells[0]["classes"]:
        return
    after = cells[0].parent.children[cells[0].parent.index(cells[0]) + 1 :]
    imports = itertools.takewhile(
        lambda cell: is_cell(cell, output=False) and source(cell).startswith(("import ", "from ")), after
    )
    first = [cells[0], *imports]
    names = [row.split("=")[0].strip() for row in source(cells[0]).splitlines() if "=" in row.split("#")[0]]
    names = [name for name in names if name.isidentifier()]
    line = nodes.inline("", "Set-up: imports, and the parameters ")
    for i, name in enumerate(names):
        line += [nodes.Text(", ")] * (i > 0) + [nodes.literal("", name)]
    parent, place = cells[0].parent, cells[0].parent.index(cells[0])
    for cell in first:
        cell.parent.remove(cell)
        cell["hide_mode"] = None
    parent.insert(place, fold(line, *first))


def prove(cell: nodes.Node) -> None:
    """Fold a proof to the statements that it proves."""
    text = printed(cell)
    statements = proved(text)
    if not statements or "theorem(" not in source(cell) or text.count("\n") <= LONGEST:
        return
    line = nodes.inline("", "Proof by machine: ")
    line += nodes.literal("", statements[0])
    if len(statements) > 1:
        line += nodes.Text(f", and {len(statements) - 1} more")
    parent, place = cell.parent, cell.parent.index(cell)
    parent.remove(cell)
    cell["hide_mode"] = None
    parent.insert(place, fold(line, cell, kind="proof"))


def merge(parent: nodes.Element) -> None:
    """Make one line of hidden cells that follow each other; one with an output ends the row, and shows it."""
    row: list[nodes.Node] = []
    for node in [*parent.children, None]:
        hidden = node is not None and is_cell(node) and node.get("hide_mode") == "input"
        if hidden and not is_cell(node, output=True):
            row.append(node)
            continue
        if hidden:
            own = node.children[0]
            whole = [*row, node]
            place = parent.index(whole[0])
            line = said(whole)
            for cell in row:
                parent.remove(cell)
            node["hide_mode"] = None
            node.remove(own)
            parent.insert(place, fold(line, *row, nodes.container("", own, classes=["cell"])))
        elif row:
            place = parent.index(row[0])
            for cell in row:
                parent.remove(cell)
            parent.insert(place, fold(said(row), *row))
        for cell in row:
            cell["hide_mode"] = None
        row = []


def fold_sections(document: nodes.document) -> None:
    """Fold further sections below their titles."""
    for section in list(document.findall(nodes.section)):
        title = section.children[0] if section.children else None
        if isinstance(title, nodes.title) and title.astext().startswith(FURTHER):
            inner = FurtherTitle(title.rawsource, "", *title.children, **title.attributes)
            section["classes"].append("rb-further")
            outer = Further(section.rawsource, inner, *section.children[1:], **section.attributes)
            section.replace_self(outer)


def fold_proofs(document: nodes.document) -> None:
    """Fold the longer proofs."""
    for proof in list(document.findall(proof_node)):
        if len(proof.astext().split()) > SHORT:
            holder = Fold("", Line("", "Proof"), classes=["rb-fold", "rb-fold-proof"])
            proof.replace_self(holder)
            holder += proof


def drop_shared(app: Sphinx, document: nodes.document, page: str) -> None:
    """Drop ids that all statements or all proofs of a page share; the table of contents needed them."""
    for part in document.findall(nodes.Element):
        if SHARED & set(part.get("ids", ())):
            part["ids"] = [name for name in part["ids"] if name not in SHARED]


def fold_all(app: Sphinx, document: nodes.document) -> None:
    fold_sections(document)
    fold_proofs(document)
    fold_code(document)


class Checked(SphinxDirective):
    """Claims that the argument does not need, in one line that unfolds; one to a line of the content."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        rows = [f"- {line.strip()}" for line in self.content if line.strip()]
        holder = nodes.Element()
        self.state.nested_parse(StringList(rows, source="checked"), self.content_offset, holder)
        many = len(rows)
        line = f"Checked here, too: {many} sentence{'s' * (many > 1)}"
        return [fold(line, *holder.children, kind="claims")]


class Goals(SphinxDirective):
    """What a chapter gives (the content) and what it needs (the option)."""

    has_content = True
    option_spec = {"need": str}

    def run(self) -> list[nodes.Node]:
        box = nodes.container(classes=["rb-goals"])
        box += nodes.paragraph("", "", nodes.strong("", "In this chapter"))
        self.state.nested_parse(self.content, self.content_offset, box)
        if "need" in self.options:
            need, messages = self.state.inline_text(self.options["need"], self.lineno)
            box += nodes.paragraph("", "", nodes.strong("", "You need: "), *need)
        return [box]


def setup(app: Sphinx) -> dict[str, Any]:
    nothing = (lambda self, node: None, lambda self, node: None)
    app.add_node(Fold, html=(visit_fold, depart_fold), text=nothing, latex=nothing)
    app.add_node(Line, html=(visit_line, depart_line), text=nothing, latex=nothing)
    app.add_node(Further, html=(visit_further, depart_further), text=nothing, latex=nothing)
    app.add_node(FurtherTitle, html=(visit_title, depart_title), text=nothing, latex=nothing)
    app.add_directive("checked", Checked)
    app.add_directive("goals", Goals)
    app.connect("doctree-read", fold_all)
    app.connect("doctree-resolved", drop_shared)
    app.add_js_file("folds/folds.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
