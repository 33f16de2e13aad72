"""The book on paper: the built pages, one after the other, printed by a browser into one PDF.

What a page folds is printed unfolded, but for code; what runs only on a screen is left out.  Links between pages
become links within the file.  The accounts are not printed: the site has them, with filters.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from rbcore.files import replace_file

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCREEN_ONLY = ("try", "ledger", "holds", "map", "api")
NAME = "the-reverse-bottleneck.pdf"
# Bring a page's article into this document: ids get the page's name, links to printed pages become local.
BRING = """async ({page, printed}) => {
  const url = new URL(page + '.html', location.href);
  const whole = new DOMParser().parseFromString(await (await fetch(url)).text(), 'text/html');
  const article = whole.querySelector('.bd-article');
  const mark = (path, id) => `${path}--${id}`.replaceAll('/', '-');
  const away = '.rb-touch, .rb-fold-code, .rb-check, .rb-foot, .headerlink, .rb-minutes, .rb-badge, script,'
    + ' noscript, .cell_input, .tableofcontents-wrapper, .rb-tall, .rb-map';
  article.querySelectorAll(away).forEach(e => e.remove());
  article.querySelectorAll('.dropdown').forEach(e => e.classList.remove('dropdown'));
  article.querySelectorAll('details').forEach(e => e.open = true);
  article.querySelectorAll('img').forEach(e => {
    e.src = new URL(e.getAttribute('src'), url).href; e.loading = 'eager'; e.removeAttribute('srcset');
  });
  article.querySelectorAll('a[href]').forEach(e => {
    const to = new URL(e.getAttribute('href'), url);
    const name = to.pathname.slice(1).replace(/\\.html$/, '');
    if (to.origin !== location.origin) return;
    if (!printed.includes(name)) return e.removeAttribute('href');
    e.setAttribute('href', '#' + mark(name, decodeURIComponent(to.hash.slice(1)) || 'top'));
  });
  article.querySelectorAll('[id]').forEach(e => e.id = mark(page, e.id));
  const holder = document.createElement('article');
  holder.className = 'bd-article rb-paper';
  holder.id = mark(page, 'top');
  holder.append(...document.importNode(article, true).childNodes);
  document.querySelector('#rb-book').append(holder);
  await MathJax.startup.promise;
  await MathJax.typesetPromise([holder]);
}"""
BEGIN = """() => {
  document.documentElement.dataset.theme = document.documentElement.dataset.mode = 'light';
  document.body.innerHTML = '<main id="rb-book" class="bd-content"></main>';
  const style = document.createElement('style');
  style.textContent = '.rb-paper { break-before: page; max-width: none; } #rb-book { display: block; }'
    + ' .rb-paper:first-child { break-before: auto; } body { background: white; }';
  document.head.append(style);
}"""
LOADED = "() => Promise.all([...document.images].map(e => e.decode().catch(() => null))).then(() => true)"
FOOT = '<p style="width: 100%; font-size: 8pt; text-align: center"><span class="pageNumber"></span></p>'


class PaperError(RuntimeError):
    """The book cannot be printed; the message says what is missing."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that does not log."""

    def log_message(self, format: str, *args: Any) -> None: ...


def pages(book: Path) -> list[str]:
    """The pages that go to paper, in the order of the table of contents."""
    contents = yaml.safe_load((book / "_toc.yml").read_text(encoding="utf8"))
    files = [one["file"] for part in contents["parts"] for one in part["chapters"]]
    return [contents["root"], *(name for name in files if name.split("/")[0] not in SCREEN_ONLY)]


def printed(built: Path, names: Sequence[str], say: Callable[[str], None] = print) -> bytes:
    """The PDF of these built pages, in this order.

    Raises:
        PaperError: without playwright or a browser.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise PaperError("printing needs playwright: pip install playwright") from None
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise PaperError(f"printing needs a browser: install one of {', '.join(NAMES)}")
    handler = functools.partial(_Quiet, directory=str(built))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page()
            page.set_default_timeout(0)
            formulas = next(name for name in names if "MathJax" in _text(built, name))
            page.goto(f"http://127.0.0.1:{server.server_address[1]}/{formulas}.html")
            page.evaluate("MathJax.startup.promise.then(() => true)")
            page.evaluate("() => history.replaceState(null, '', '/')")
            page.evaluate(BEGIN)
            for number, name in enumerate(names, 1):
                page.evaluate(BRING, {"page": name, "printed": list(names)})
                say(f"{number} of {len(names)} pages: {name}")
            page.evaluate(LOADED)
            page.emulate_media(media="print", color_scheme="light")
            how: dict[str, Any] = {"format": "A4", "print_background": True, "outline": True, "tagged": True}
            how |= {"margin": {"top": "18mm", "bottom": "20mm", "left": "18mm", "right": "18mm"}}
            how |= {"display_header_footer": True, "header_template": "<p></p>", "footer_template": FOOT}
            return page.pdf(**how)
        finally:
            server.shutdown()


def _text(built: Path, name: str) -> str:
    return (built / f"{name}.html").read_text(encoding="utf8")


def write(root: Path, built: Path) -> Path:
    """Print the built book, whole or not at all; where the site links it, too."""
    content = printed(built, pages(root / "book"))
    target = built / "downloads" / NAME
    replace_file(target, content)
    return target
