"""The entropy game: ``{entropy-game}`` lists the levels of `game.yml`, ``{true-or-false}`` is where questions go.

Each level is written as an exercise, with its hints folded, so that the page serves without scripts as well.
What a script needs stands beside it as JSON; model answers are not among it, but for the largest constant.
The texts of the replies are there, hidden, since they have formulas in them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from joined import joined
from prove import PACKED
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from theorems import text_of
from web import need, needed

from rbcore.information.expr import latex, parse
from rbcore.information.notation import NOTATION, latex_name

FILE = "game.yml"
SCRIPT = "game/page.js"  # all modules of the game in one
KINDS = {
    "state": {"answer": str, "goal": list},
    "assume": {"answer": list, "goal": str, "cards": list, "most": int},
    "constant": {"answer": str, "goal": str},
    "break": {"answer": list, "goal": str, "build": dict, "watch": list},
}
EVERY = {
    "id": str,
    "title": str,
    "kind": str,
    "text": str,
    "motive": str,
    "see": str,
    "wrong": list,
    "hints": list,
}
MAY = {"given", "variables", "before", "quantities", "same"}
SENT = (
    "id",
    "kind",
    "title",
    "variables",
    "given",
    "before",
    "goal",
    "quantities",
    "cards",
    "most",
    "build",
    "watch",
)


def read_levels(path: Path) -> list[dict[str, Any]]:
    """The levels in order, each with its `chapter` and `number`; an error says which entry is wrong."""
    chapters = yaml.safe_load(path.read_text(encoding="utf8"))
    levels = [one | {"chapter": part["chapter"]} for part in chapters for one in part["levels"]]
    seen: set[str] = set()
    for number, level in enumerate(levels, 1):
        where = f"{path.name}, level {number} ({level.get('id', 'no id')})"
        if level.get("kind") not in KINDS:
            raise ValueError(f"{where}: kind is one of {', '.join(KINDS)}, not {level.get('kind')!r}")
        expected = EVERY | KINDS[level["kind"]]
        for key, kind in expected.items():
            if not isinstance(level.get(key), kind):
                raise ValueError(f"{where}: {key} must be given, as {kind.__name__}")
        if more := {*level} - {*expected} - MAY - {"chapter"}:
            raise ValueError(f"{where}: {', '.join(sorted(more))} means nothing here")
        if level["id"] in seen:
            raise ValueError(f"{where}: two levels have this id")
        if len(level["wrong"]) < 2 or not 2 <= len(level["hints"]) <= 3:
            raise ValueError(f"{where}: two typical wrong answers or more, and two or three hints")
        seen.add(level["id"])
        level["number"] = number
    return levels


def formula(text: str) -> str:
    """A statement, or a part of one, as the book prints it."""
    return latex(text.replace("{k}", "k"), latex_name)


def wrapping(text: str) -> str:
    """A statement as several formulas, so that it wraps before a relation or a sign outside parentheses."""
    pieces, depth = [""], 0
    for part in re.split(r"( \\le | \\ge | = | \+ | - |[()])", formula(text)):
        depth += {"(": 1, ")": -1}.get(part, 0)
        if part[:1] == " " and part.strip() and not depth and pieces[-1]:
            pieces.append(r"{}" + part)
        else:
            pieces[-1] += part
    return " ".join(f"${piece.strip()}$" for piece in pieces)


def prose(text: str) -> str:
    """A text with `{H(A|B)}` in it, as Markdown with formulas."""
    return re.sub(r"\{([^{}]+)\}", lambda found: f"${formula(found[1])}$", text)


def question(level: dict[str, Any]) -> list[str]:
    """The assumptions and what is asked for, as lines of Markdown."""
    lines = []
    if level.get("given"):
        lines += ["Given " + ", ".join(f"${formula(one)}$" for one in level["given"]) + ".", ""]
    match level["kind"]:
        case "state" if "before" in level:
            lines += [f"{wrapping(level['before'])} …", ""]
        case "assume":
            cards = ", ".join(f"${formula(one)}$" for one in level["cards"])
            lines += [wrapping(level["goal"]), "", f"The cards: {cards}.", ""]
        case "constant" | "break":
            lines += [wrapping(level["goal"]), ""]
    return lines


def data(level: dict[str, Any]) -> dict[str, Any]:
    """What the script gets of a level."""
    sent = {key: level[key] for key in SENT if key in level}
    sent["wrong"] = [one["answer"] for one in level["wrong"]]
    if level["kind"] == "constant":
        sent["largest"] = level["answer"]
    if level["kind"] == "break" and "table" in level["build"]:
        sent["variables"] = level["build"]["table"]
    return sent


def as_html(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


class Game(nodes.General, nodes.Element):
    """The levels; ``printed`` says how variables are printed."""


class Questions(nodes.General, nodes.Element):
    """The place of the questions."""


class GameDirective(SphinxDirective):
    """All levels, one below the other."""

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / FILE
        self.env.note_dependency(str(path))
        need(self.env, "prove/prove.css", "game/game.css", SCRIPT)
        game, chapter = Game(""), ""
        for level in read_levels(path):
            if level["chapter"] != chapter:
                chapter = level["chapter"]
                game += nodes.paragraph("", chapter, classes=["rb-part"])
            game += self.level(level)
        return [game]

    def level(self, level: dict[str, Any]) -> nodes.container:
        """One level as an exercise."""
        box = nodes.container("", ids=[f"level-{level['id']}"], classes=["rb-level"])
        sent = json.dumps(data(level)).replace("</", "<\\/")
        box += as_html(f'<script type="application/json">{sent}</script>')
        box += nodes.paragraph("", f"{level['number']}. {level['title']}", classes=["rb-level-title"])
        box += self.parsed(prose(level["text"]), "rb-level-text")
        box += self.parsed(f"{prose(level['motive'])} {self.see(level['see'])}", "rb-level-motive")
        box += self.parsed("\n".join(question(level)), "rb-level-question")
        for i, hint in enumerate(level["hints"], 1):
            box += as_html(f'<details class="rb-hint"><summary>Hint {i}</summary>')
            box += self.parsed(prose(hint), "rb-hint-text")
            box += as_html("</details>")
        for one in level["wrong"]:
            box += as_html('<div class="rb-reply" hidden>')
            box += self.parsed(prose(one["reply"]), "rb-reply-text")
            box += as_html("</div>")
        return box

    def see(self, label: str) -> str:
        """A link to the place in the book: a statement or an exercise, and its chapter."""
        link = f"{{ref}}`{label}`" if label.startswith("ex-") else f"{{prf:ref}}`{label}`"
        for path in sorted((Path(self.env.srcdir) / "chapters").glob("*.ipynb")):
            if f":label: {label}\n" in text_of(path):
                return f"In the book: {link} of {{doc}}`/chapters/{path.stem}`."
        raise ValueError(f"{FILE}: no chapter has the label {label}")

    def parsed(self, text: str, name: str) -> nodes.container:
        holder = nodes.container("", classes=[name])
        self.state.nested_parse(StringList(text.split("\n"), source=FILE), self.content_offset, holder)
        return holder


class QuestionsDirective(SphinxDirective):
    """The place of the questions, for the script of the levels."""

    def run(self) -> list[nodes.Node]:
        return [Questions("")]


def visit_game(self: Any, node: Game) -> None:
    printed = json.dumps({symbol.name: symbol.latex for symbol in NOTATION.values()})
    self.body.append('<div class="rb-game" id="rb-game"><script type="application/json" class="rb-printed">')
    self.body.append(f"{printed}</script>\n")


def visit_questions(self: Any, node: Questions) -> None:
    self.body.append(
        '<div class="rb-quiz" id="rb-quiz"><noscript><p>The questions need JavaScript.</p></noscript>'
    )


def depart(self: Any, node: nodes.Element) -> None:
    self.body.append("</div>\n")


def skip(self: Any, node: nodes.Element) -> None:
    """Nothing of it on paper."""
    raise nodes.SkipNode


def write_script(app: Sphinx, env: BuildEnvironment) -> None:
    """Write the joined script where Sphinx finds it when it writes the pages."""
    if SCRIPT in needed(env):
        target = Path(app.outdir) / "_static" / SCRIPT
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(joined("game/start.js", PACKED), encoding="utf8")


def checked(level: dict[str, Any]) -> list[str]:
    """All statements that a level makes, for a test that each can be read."""
    before = level.get("before", "")
    found = [*level.get("given", []), *level.get("cards", [])]
    found += [
        one.replace("{k}", "2") for one in ([level["goal"]] if isinstance(level["goal"], str) else level["goal"])
    ]
    if level["kind"] == "state":
        found += [f"{before} {one}".strip() for one in (level["answer"], *(w["answer"] for w in level["wrong"]))]
    return [parse(one).text for one in found]


def setup(app: Sphinx) -> dict[str, bool]:
    others = dict.fromkeys(("latex", "text", "man", "texinfo"), (skip, None))
    app.add_node(Game, html=(visit_game, depart), **others)
    app.add_node(Questions, html=(visit_questions, depart), **others)
    app.add_directive("entropy-game", GameDirective)
    app.add_directive("true-or-false", QuestionsDirective)
    app.connect("env-updated", write_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
