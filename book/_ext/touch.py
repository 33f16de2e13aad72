"""``{touch} 05``: a figure that the reader moves, below the static one that it belongs to.

The content is its caption; the option `claims` names the sentences that are judged again for the chosen setting.
Parameters and recorded results come from :mod:`touch_data`, what is computed from them from `_web/touch/05.js`.
Pages are also opened from the disk, where a browser loads no modules: so the build joins those that a page needs
into one script.  Without scripts the figure is hidden, and the static one stands.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from ledger_roles import badge, read_ledger
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from web import need

logger = logging.getLogger(__name__)
FOLDER = Path(__file__).parent.parent / "_web" / "touch"
SHARED = ("laws.js", "draw.js", "figure.js")
IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)


class Touch(nodes.General, nodes.Element):
    """The figure; its children are sentences."""


class Judged(nodes.General, nodes.TextElement):
    """A sentence, its badge, and room for the verdict at the chosen setting."""


class Caption(nodes.General, nodes.Element):
    """What the figure is about and can do."""


class TouchDirective(SphinxDirective):
    """The figure with its data, caption and sentences."""

    has_content = True
    required_arguments = 1
    option_spec = {"claims": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        import touch_data  # takes seconds, and a book without moving figures needs none

        name = self.arguments[0]
        values, claims = read_ledger(self.env)
        for path in [*(FOLDER / one for one in SHARED), FOLDER / f"{name}.js", Path(touch_data.__file__)]:
            self.env.note_dependency(str(path))
        data = touch_data.DATA[name](values) | {"colors": touch_data.colors()}
        figure = Touch("", name=name, data=json.dumps(data), ids=[f"touch-{name}"], classes=["rb-touch"])
        caption = Caption()
        self.state.nested_parse(self.content, self.content_offset, caption)
        figure += caption
        for one in self.options.get("claims", "").split():
            if one not in claims:
                logger.warning("no notebook claims %r", one, location=self.get_location())
                continue
            sentence, messages = self.state.inline_text(claims[one].sentence, self.lineno)
            figure += Judged(
                "", "", *sentence, nodes.Text("\u202f"), badge(claims[one], self.env.docname), claim=one
            )
        need(self.env, f"touch/page-{name}.js", "touch/touch.css")
        return [figure]


def visit_touch(self: Any, node: Touch) -> None:
    data = node["data"].replace("</", "<\\/")
    self.body.append(
        f'<figure class="rb-touch" id="{node["ids"][0]}" data-touch="{html.escape(node["name"])}" hidden>'
        f'<script type="application/json">{data}</script>\n<div class="rb-stage"></div>\n'
    )


def depart_touch(self: Any, node: Touch) -> None:
    self.body.append("</figure>\n")


def visit_caption(self: Any, node: Caption) -> None:
    self.body.append("<figcaption>")


def depart_caption(self: Any, node: Caption) -> None:
    self.body.append("</figcaption>\n")


def visit_judged(self: Any, node: Judged) -> None:
    self.body.append(f'<p class="rb-judged" data-claim="{html.escape(node["claim"])}">')


def depart_judged(self: Any, node: Judged) -> None:
    self.body.append(' <span class="rb-here"></span></p>\n')


def skip(self: Any, node: nodes.Element) -> None:
    raise nodes.SkipNode


def joined(name: str) -> str:
    """The modules of one figure as one script without imports."""
    parts = []
    for file in (*SHARED, f"{name}.js"):
        text = IMPORT.sub("", (FOLDER / file).read_text(encoding="utf8"))
        parts.append(re.sub(r"^export ", "", text, flags=re.MULTILINE))
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "\nstart(figure);\n})();\n"


def write_scripts(app: Sphinx, env: BuildEnvironment) -> None:
    """Write the script of each figure where Sphinx finds it when it writes the pages."""
    target = Path(app.outdir) / "_static" / "touch"
    target.mkdir(parents=True, exist_ok=True)
    for name in sorted({path.stem for path in FOLDER.glob("*.js") if path.name not in SHARED}):
        (target / f"page-{name}.js").write_text(joined(name), encoding="utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    for node, visit, depart in (
        (Touch, visit_touch, depart_touch),
        (Judged, visit_judged, depart_judged),
        (Caption, visit_caption, depart_caption),
    ):
        app.add_node(node, html=(visit, depart), text=(skip, None), latex=(skip, None))
    app.add_directive("touch", TouchDirective)
    app.connect("env-updated", write_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
