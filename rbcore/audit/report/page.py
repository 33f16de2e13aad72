"""The page of an audit's report: what makes text harmless, pictures inline, tables fit a phone, and a page whole.

Every text that may come from the user goes through :func:`esc`.  The page holds no script and asks for nothing
from outside; its Content-Security-Policy forbids both once more.
"""

from __future__ import annotations

import html
import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from rbcore import figures

LONG = 2_000  # characters of a sentence that are shown
LABEL = 160  # of a name, a label, a path
EXAMPLE = 700  # of a record
JOINERS = "\u200c\u200d"  # parts of words and of emoji; they reorder nothing
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
INK = "#010203"  # stands for the text's colour until the picture is on the page


def visible(text: Any, limit: int = LONG, lines: bool = False) -> str:
    """`text` cut to `limit` characters, with what cannot be seen or reorders its surroundings written as ⟨U+202E⟩.

    Args:
        text: anything; its `str` is shown.
        limit: characters that are kept; what was cut is counted in the end.
        lines: whether line breaks and tabs stay.
    """
    text = str(text)
    if len(text) > limit:
        kept = limit
        while kept and (unicodedata.combining(text[kept]) or text[kept] in JOINERS or text[kept - 1] in JOINERS):
            kept -= 1
        kept = kept or limit
        text = f"{text[:kept].rstrip()}\N{HORIZONTAL ELLIPSIS} ({len(text) - kept:,} more characters)"
    return "".join(_seen(c, lines) for c in text.replace("\r\n", "\n"))


def _seen(c: str, lines: bool) -> str:
    if c in "\n\t":
        return c if lines else " "
    if c not in JOINERS and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{ord(c):04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"
    return c


def esc(text: Any, limit: int = LONG, lines: bool = False) -> str:
    """`text` as :func:`visible` shows it, harmless inside an element and inside a quoted attribute."""
    return html.escape(visible(text, limit, lines), quote=True)


def bdi(text: Any, limit: int = LABEL) -> str:
    """A text of the user inside a sentence; its direction does not reach the words around it."""
    return f"<bdi>{esc(text, limit)}</bdi>"


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table whose first column names its rows; on a phone each row becomes a block of its own.

    Args:
        caption, heads: texts.  rows: cells as HTML, escaped by the caller.  kind: class of the table.
    """
    head = "".join(f'<th scope="col" role="columnheader">{esc(one, LABEL)}</th>' for one in heads)
    body = []
    for first, *others in rows:
        cells = "".join(
            f'<td role="cell" data-head="{esc(name, LABEL)}">{cell}</td>'
            for name, cell in zip(heads[1:], others, strict=True)
        )
        body.append(f'<tr role="row"><th scope="row" role="rowheader">{first}</th>{cells}</tr>')
    return (
        f'<table role="table" class="{esc(kind)}"><caption>{esc(caption)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(body)}</tbody></table>'
    )


def picture(draw: Callable[[], Figure], name: str, alternative: str, caption: str) -> str:
    """A figure as inline SVG that takes the colour of the text around it, light or dark.

    Args:
        draw: makes the figure.  name: unique on the page.  alternative: its alternative text.  caption: HTML.
    """
    with plt.rc_context():
        figures.style()
        keys = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
        plt.rcParams.update({key: INK for key in keys} | {"svg.fonttype": "path", "svg.image_inline": True})
        plt.rcParams.update({"savefig.dpi": 220, "axes.facecolor": "none", "figure.facecolor": "none"})
        figure = draw()
        try:
            svg = _svg(figure, name)
        finally:
            plt.close(figure)
    label = f'role="img" aria-label="{esc(alternative)}"'
    svg = svg.replace("<svg ", f"<svg {label} ", 1)
    return f'<figure id="figure-{esc(name)}"><figcaption>{caption}</figcaption>{svg}</figure>'


def _svg(figure: Figure, name: str) -> str:
    """The SVG element alone: no prologue, no metadata, no comments, ids that no other picture has."""
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the alternative text has these letters
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    whole = buffer.getvalue()
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", whole[whole.index("<svg") :], flags=re.DOTALL)
    start, rest = svg.split(">", 1)
    svg = re.sub(r'\s(xmlns(:\w+)?|version|width|height)="[^"]*"', "", start) + ">" + rest
    svg = re.sub(r"\s*\n\s*", "\n", svg.replace("xlink:href=", "href=").replace(INK, "currentColor"))
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{re.escape(name)}-", svg)
    return svg.strip()


def page(title: str, body: str) -> str:
    """A whole document; `body` is HTML."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{esc(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


LIGHT = """
  --page: #ffffff; --text: #1c2127; --soft: #56606b; --line: #d5dae0; --well: #f4f6f8;
  --flagged: #a4261d; --clear: #0a6b4b; --unchecked: #7a5200; --mark: #ffe3a3; --link: #0a5a94;"""
DARK = """
  --page: #14181d; --text: #e7eaee; --soft: #a9b3be; --line: #39424c; --well: #1d232a;
  --flagged: #ff9c94; --clear: #58d6a6; --unchecked: #f2bd5c; --mark: #5a4513; --link: #7cc0f5;"""
CSS = """
:root { LIGHT color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { DARK } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text); overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 3rem 0 .8rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.08rem; line-height: 1.35; margin: 0 0 .5rem; }
h4 { font-size: 1rem; margin: 1.1rem 0 .4rem; }
p { margin: 0 0 .8rem; max-width: 44rem; }
a { color: var(--link); }
a:focus-visible { outline: 2px solid currentcolor; outline-offset: 2px; }
.lead { font-size: 1.12rem; }
.soft, figcaption { color: var(--soft); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding: 0; margin: 1.2rem 0 0; }
.counts { list-style: none; display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; margin: 0 0 1.1rem; }
.badge { display: inline-block; border: 1.5px solid currentcolor; border-radius: 1rem; padding: .02rem .6rem;
  font-size: .85rem; font-weight: 650; white-space: nowrap; }
.flagged { color: var(--flagged); }
.clear { color: var(--clear); }
.unchecked, .why-not { color: var(--unchecked); }
article { margin: 0 0 1.4rem; padding: 1rem 1.15rem; border: 1px solid var(--line);
  border-left: 5px solid var(--flagged); border-radius: 6px; }
article > .badge { margin-bottom: .45rem; }
.do { background: var(--well); border-radius: 6px; padding: .7rem .9rem; }
.do b, figcaption b { display: block; color: var(--text); }
.short { list-style: none; padding: 0; }
.short > li { margin-bottom: .8rem; max-width: 44rem; }
.examples { list-style: none; margin: 0 0 1rem; padding: 0; display: grid; gap: .6rem; }
.examples > li { display: grid; gap: .3rem;
  grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr)); }
blockquote { margin: 0; padding: .45rem .7rem; background: var(--well); border-radius: 4px; overflow: hidden;
  white-space: pre-wrap; font-size: .92rem; line-height: 1.45; }
mark { background: var(--mark); color: inherit; text-decoration: underline; text-decoration-thickness: 2px; }
code, pre { font: .87em ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { white-space: pre-wrap; background: var(--well); border-radius: 4px; padding: .7rem .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; margin: 0 0 1.2rem; }
caption { text-align: left; padding-bottom: .35rem; color: var(--text); font-weight: 650; }
.numbers caption { color: var(--soft); font-weight: 400; }
th, td { text-align: left; vertical-align: top; padding: .38rem .8rem .38rem 0;
  border-bottom: 1px solid var(--line); }
thead th { font-weight: 650; }
tbody th { font-weight: 400; }
td { font-variant-numeric: tabular-nums; }
.whole { white-space: nowrap; }
.numbers tbody code { display: block; color: var(--soft); font-size: .8rem; }
del { color: var(--soft); }
figure { margin: 0 0 2.8rem; }
figure svg { display: block; width: 100%; max-width: 34rem; height: auto; color: var(--text); }
figcaption { max-width: 40rem; font-size: .95rem; margin-bottom: .6rem; }
@media (min-width: 44rem) {
  .numbers { table-layout: fixed; }
  .numbers th:nth-child(1) { width: 30%; }
  .numbers th:nth-child(2) { width: 19%; }
  .numbers th:nth-child(3) { width: 18%; }
  .numbers th:nth-child(4) { width: 8%; }
  .numbers th:nth-child(5) { width: 5%; }
}
@media (max-width: 43.99rem) {
  main { padding: 1.2rem 1rem 3rem; }
  h1 { font-size: 1.55rem; }
  article { padding: .8rem .85rem; }
  table, caption, tbody, tr, tbody th, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  th, td { border: 0; padding: .05rem 0; }
  tbody th { font-weight: 600; }
  td:empty { display: none; }
  td::before { content: attr(data-head) ": "; color: var(--soft); }
}
@media print {
  :root { LIGHT color-scheme: only light; }
  @page { margin: 16mm; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  figure, tr, .examples > li { break-inside: avoid; }
  h2, h3, h4 { break-after: avoid; }
  figure svg { max-width: 13cm; }
}
""".replace("LIGHT", LIGHT).replace("DARK", DARK)
