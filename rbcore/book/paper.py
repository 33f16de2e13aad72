"""The book on paper: the built pages, one after the other, printed by a browser into one PDF.

What a page folds is printed unfolded, but for code; what runs only on a screen is left out.  Links between pages
become links within the file, solutions go last.  The long accounts stay on the site, which has filters for them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rbcore.book.browser import NAMES, executable, served
from rbcore.files import replace_files

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCREEN_ONLY = ("try", "game", "ledger", "holds", "map", "api")
NAME = "the-reverse-bottleneck.pdf"
LINKED = re.compile(r'(<span class="rb-pdf">).*?(</span>)', re.S)  # the place of the link on a page
HOW: dict[str, Any] = {"prefer_css_page_size": True, "print_background": True, "outline": True, "tagged": True}
WIDTH = 658  # CSS pixels between the margins of A4, as access.css sets them
# An empty document with the styles of the pages; the solutions wait at its end.
BEGIN = """() => {
  document.documentElement.dataset.theme = document.documentElement.dataset.mode = 'light';
  document.body.innerHTML = '<main id="rb-book" class="bd-content"><article id="rb-solutions"'
    + ' class="bd-article rb-paper"><h1>Solutions of the exercises</h1></article></main>';
}"""
# Bring a page's article into this document: ids get the page's name, links to printed pages become local.
BRING = """async ({page, printed}) => {
  const url = new URL(page + '.html', location.href);
  const whole = new DOMParser().parseFromString(await (await fetch(url)).text(), 'text/html');
  const article = whole.querySelector('.bd-article');
  const mark = (path, id) => `${path}--${id}`.replaceAll('/', '-');
  const away = '.rb-touch, .rb-task details, .rb-fold-code, .rb-fold .cell_input, details.hide, .rb-check,'
    + ' .rb-foot, .headerlink, .rb-minutes, .rb-pdf, .rb-slides, script, noscript, button,'
    + ' .tableofcontents-wrapper, .rb-tall, .rb-map';
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
  const last = document.querySelector('#rb-solutions');
  last.before(holder);
  await MathJax.startup.promise;
  await MathJax.typesetPromise([holder]);
  const solutions = holder.querySelectorAll('.solution');
  if (!solutions.length) return;
  const title = document.createElement('h2');
  title.textContent = holder.querySelector('h1').textContent;
  last.append(title, ...solutions);
}"""
# The note of what is left out; the head of each page of paper; whatever is too wide gets smaller, and never cut.
END = """async ({note}) => {
  document.querySelector('.rb-paper').insertAdjacentHTML('beforeend', note);
  const solutions = document.querySelector('#rb-solutions');
  if (!solutions.querySelector('.solution')) solutions.remove();
  const style = document.createElement('style');
  document.querySelectorAll('.rb-paper').forEach((e, i) => {
    e.style.page = `rb${i}`;
    const title = e.querySelector('h1').textContent.trim().replace(/\\s+/g, ' ').replace(/["\\\\]/g, '\\\\$&');
    if (i) style.textContent += `@page rb${i} { @top-center { content: "${title}"; } }\\n`;
  });
  document.head.append(style);
  await Promise.all([...document.images].map(e => e.decode().catch(() => null)));
  document.querySelectorAll('.rb-paper :is(table, mjx-container[display], svg)').forEach(e => {
    const room = e.parentElement.clientWidth, own = Math.max(e.scrollWidth, e.getBoundingClientRect().width);
    if (room && own > room + 1) e.style.zoom = room / own;
  });
}"""


class PaperError(RuntimeError):
    """The book cannot be printed; the message says what is missing."""


class NoBrowser(PaperError):
    """Nothing can be printed here, for want of a browser or of playwright."""


def pages(book: Path) -> list[str]:
    """The pages that go to paper, in the order of the table of contents."""
    return [name for name in _listed(book) if name not in SCREEN_ONLY]


def _listed(book: Path) -> list[str]:
    contents = yaml.safe_load((book / "_toc.yml").read_text(encoding="utf8"))
    return [contents["root"], *(one["file"] for part in contents["parts"] for one in part["chapters"])]


def note(book: Path, built: Path) -> str:
    """What stays on the screen, as the paper says it."""
    names = [name for name in _listed(book) if name in SCREEN_ONLY]
    listed = "".join(f"<li>{_title(built, name)} (<code>{name}.html</code>)</li>" for name in names)
    return (
        "<h2>This print</h2><p>This is the book on paper, printed from its pages. Code that the pages fold and"
        " figures that the reader moves are left out, and the solutions of the exercises stand at the end. These"
        f" pages are only on the screen; the marks of sentences lead to the ledger there.</p><ul>{listed}</ul>"
    )


def _title(built: Path, name: str) -> str:
    title = re.search(r"<title>(.*?) &#8212;", _text(built, name), re.S)
    return title[1].strip() if title else html.escape(name)


def _text(built: Path, name: str) -> str:
    return (built / f"{name}.html").read_text(encoding="utf8")


@contextmanager
def browsing(folder: Path, width: int, height: int) -> Generator[tuple[Page, str]]:
    """A page of the browser, as wide and high as named, and the address at which it finds this folder.

    Raises:
        NoBrowser: without playwright or a browser.
        PaperError: when the browser ends.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise NoBrowser("printing needs playwright: call `make setup`, or pip install playwright") from None
    program = executable()
    if program is None:
        raise NoBrowser(f"printing needs a browser: install one of {', '.join(NAMES)}")
    try:
        with served(folder) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            yield browser.new_page(viewport={"width": width, "height": height}), address
            browser.close()
    except Error as error:
        raise PaperError(f"the browser did not print: {str(error).splitlines()[0]}") from None


@contextmanager
def composed(
    built: Path, names: Sequence[str], say: Callable[[str], None] = print, note: str = ""
) -> Generator[Page]:
    """One document of these built pages, in this order, in a browser that is ready to print it.

    Raises:
        PaperError: without playwright or a browser, or when the browser ends.
    """
    with browsing(built, WIDTH, 900) as (page, address):
        page.emulate_media(media="print", color_scheme="light")
        formulas = next(name for name in names if "MathJax" in _text(built, name))
        page.goto(f"{address}/{formulas}.html")
        page.evaluate("MathJax.startup.promise.then(() => true)")
        page.evaluate("() => history.replaceState(null, '', '/')")
        page.evaluate(BEGIN)
        for number, name in enumerate(names, 1):
            page.evaluate(BRING, {"page": name, "printed": list(names)})
            say(f"{number} of {len(names)} pages: {name}")
        page.evaluate(END, {"note": note})
        yield page


def printed(built: Path, names: Sequence[str], say: Callable[[str], None] = print, note: str = "") -> bytes:
    """The PDF of these built pages, in this order; its paper, margins and heads are in the pages' styles."""
    with composed(built, names, say, note) as page:
        say("printing")
        return page.pdf(**HOW)


def write(root: Path, built: Path) -> Path:
    """Print the built book and put it on the site, which links it from then on; all of it or nothing."""
    content = printed(built, pages(root / "book"), note=note(root / "book", built))
    target = built.parent / NAME
    files: dict[str | Path, str | bytes] = {target: content, built / "downloads" / NAME: content}
    link = rf'\1<a href="downloads/{NAME}">The book as one PDF</a> ({len(content) / 1e6:.0f} MB).\2'
    for page in built.glob("*.html"):
        text = page.read_text(encoding="utf8")
        if LINKED.search(text):
            files[page] = LINKED.sub(link, text)
    replace_files(files)
    return target
