"""Pages in one file that load nothing: the list of runs, and the page of a sweep."""

from __future__ import annotations

import html
from collections.abc import Sequence

STYLE = """
:root { --page: #fff; --text: #1c2127; --soft: #56606b; --line: #d5dae0; --well: #f4f6f8; --link: #0a5a94;
  --bad: #a4261d; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --page: #14181d; --text: #e7eaee; --soft: #a9b3be; --line: #39424c;
  --well: #1d232a; --link: #7cc0f5; --bad: #ff9c94; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); overflow-wrap: break-word;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
a { color: var(--link); } a:focus-visible { outline: 2px solid currentcolor; outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0;
  border-bottom: 1px solid var(--line); }
td.number { font-variant-numeric: tabular-nums; } .bad { color: var(--bad); } .soft { color: var(--soft); }
h1, td code, p code { overflow-wrap: anywhere; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
figure { margin: 1rem 0; background: #fff; color: #1c2127; border-radius: 6px; padding: .6rem; }
figure svg { display: block; width: 100%; height: auto; } figcaption { font-size: .92rem; padding: .4rem; }
@media (max-width: 40rem) { thead { display: none; } table, tbody, tr, td { display: block; }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0; } td { border: 0; padding: .05rem 0; }
  td[data-is]::before { content: attr(data-is) ": "; color: var(--soft); } }
"""


def page(title: str, body: str) -> str:
    """A page in one file that loads nothing."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    name = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>{head}<title>{name}</title>\n<style>{STYLE}</style></head>\n'
        f"<body><main>\n<h1>{name}</h1>\n{body}\n</main></body>\n</html>\n"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML cells, which is a list on a phone."""
    top = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    body = ""
    for row in rows:
        cells = (f'<td data-is="{html.escape(name)}">{cell}</td>' for name, cell in zip(head, row, strict=True))
        body += f"<tr>{''.join(cells)}</tr>\n"
    return f"<table><thead><tr>{top}</tr></thead>\n<tbody>\n{body}</tbody></table>"
