"""What a chapter asks of a reader: words, the way to the first figure, code lines, bytes; one row a chapter.

    python tests/measure_pages.py [FOLDER] [--only 05]

Words are those of the main line: outside folded parts, exercises, code and formulas.  Bytes are what Chromium
transfers for a page with nothing in its cache, before any scrolling and after all of it, from a server that
compresses text with gzip, as the hosts of static sites do, and from one that does not.
"""

from __future__ import annotations

import argparse
import functools
import gzip
from pathlib import Path
from typing import NamedTuple

from browser import launched, settle
from playwright.sync_api import Browser, Page

from rbcore.book.browser import Quiet, served

ROOT = Path(__file__).parents[1]
WIDE = {"width": 1440, "height": 900}
TEXT = {".html", ".css", ".js", ".json", ".svg", ".txt", ".map", ".md", ".ipynb"}
# Folded parts are `details`, and what the theme makes a toggle; the cells of code are counted apart.
READ = """() => {
  const article = document.querySelector('.bd-article') ?? document.body;
  const aside = `details, .dropdown, .toggle, .exercise, .solution, .cell, pre, script, style, svg, .math,
    mjx-container, .headerlink, .rb-badge, .rb-minutes, [hidden]`;
  const spoken = 'p, h1, h2, h3, h4, h5, h6, figcaption';
  let words = 0;
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!parent.closest(aside) && parent.closest(spoken))
      words += walker.currentNode.textContent.split(/\\s+/).filter(w => /[\\p{L}\\p{N}]/u.test(w)).length;
  }
  const seen = e => e.checkVisibility({ contentVisibilityAuto: true });
  const lines = selector => [...article.querySelectorAll(selector)].filter(seen)
    .map(e => e.textContent.trimEnd().split('\\n').length).reduce((a, b) => a + b, 0);
  const figures = [...article.querySelectorAll('img, figure, svg[role=img]')]
    .filter(e => seen(e) && e.getBoundingClientRect().height > 40);
  const tops = figures.map(e => e.getBoundingClientRect().top + window.scrollY);
  const top = tops.length ? Math.min(...tops) : null;
  return { words, code: lines('.cell_input pre'), printed: lines('.cell_output pre'),
           figure: top === null ? null : Math.round(top) };
}"""


class Measured(NamedTuple):
    """One page; bytes come as (plain, gzip)."""

    name: str
    words: int
    figure: int | None
    code: int
    printed: int
    before: tuple[int, int]
    after: tuple[int, int]


class Plain(Quiet):
    """Serves a folder as it is, several files to a connection."""

    protocol_version = "HTTP/1.1"


class Packing(Plain):
    """Serves the texts of a folder compressed."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file() or path.suffix not in TEXT:
            return super().do_GET()
        body = _packed(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@functools.cache
def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


def weighed(browser: Browser, address: str) -> tuple[int, int, Page]:
    """Bytes transferred before and after scrolling; the page stays open."""
    page = browser.new_context(viewport=WIDE).new_page()
    got: list[float] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: got.append(event["encodedDataLength"]))
    page.goto(address)
    settle(page)
    page.wait_for_load_state("networkidle")
    before = int(sum(got))
    page.evaluate("""async () => {
        for (let y = 0; y < document.body.scrollHeight; y += 600) {
            window.scrollTo(0, y); await new Promise(done => setTimeout(done, 15)); } }""")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)
    return before, int(sum(got)), page


def measured(browser: Browser, plain: str, packed: str, name: str) -> Measured:
    """Measure one page of a site that two servers serve."""
    before, after, page = weighed(browser, f"{plain}/{name}.html")
    page.evaluate("window.scrollTo(0, 0)")
    read = page.evaluate(READ)
    page.context.close()
    less, least, page = weighed(browser, f"{packed}/{name}.html")
    page.context.close()
    return Measured(
        name, read["words"], read["figure"], read["code"], read["printed"], (before, less), (after, least)
    )


def table(rows: list[Measured]) -> str:
    """The rows as a table of Markdown."""
    head = (
        "| page | words | first figure, px | code lines | printed lines "
        "| kB at first | with gzip | kB after scrolling | with gzip |"
    )
    lines = [head, "|:---|" + "---:|" * 8]
    for row in rows:
        sizes = " | ".join(f"{size / 1000:,.0f}" for size in (*row.before, *row.after))
        figure = "" if row.figure is None else f"{row.figure:,}"
        lines.append(
            f"| {row.name.removeprefix('chapters/')} | {row.words:,} | {figure} | {row.code} "
            f"| {row.printed} | {sizes} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "book" / "_build" / "html")
    parser.add_argument("--only", default="", help="pages whose name holds this")
    given = parser.parse_args()
    pages = [p.relative_to(given.folder).with_suffix("").as_posix() for p in sorted(given.folder.rglob("*.html"))]
    pages = [p for p in pages if given.only in p and not p.startswith("_static/") and p not in ("index", "search")]
    pages.sort(key=lambda p: (not p.startswith("chapters/"), p))
    with served(given.folder, Plain) as plain, served(given.folder, Packing) as packed, launched() as browser:
        rows = [measured(browser, plain, packed, name) for name in pages]
    print(table(rows))
    files = [p for p in given.folder.rglob("*") if p.is_file()]
    print(f"\nthe site: {sum(p.stat().st_size for p in files) / 1e6:.1f} MB in {len(files)} files")


if __name__ == "__main__":
    main()
