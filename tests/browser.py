"""A headless Chromium for the tests and the screenshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from rbcore.book.browser import NAMES, executable

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

AXE = Path(__file__).parent / "lib" / "axe"
# What axe finds, without headers that hold a formula alone: it does not read MathML, screen readers do.
RUN_AXE = """rules => axe.run(document, { resultTypes: ['violations'], ...(rules ? { runOnly: rules } : {}) })
    .then(found => found.violations.flatMap(v => v.nodes
        .filter(n => v.id != 'empty-table-header' || !document.querySelector(n.target[0])?.querySelector('math'))
        .map(n => `${v.id}: ${n.target.join(' ')} ${n.html.slice(0, 120)}`)))"""
# Elements of the article that stick out of the window, unless something around them scrolls or cuts.
STICKING_OUT = """() => [...document.querySelectorAll('.bd-article *')].filter(e => {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (box.right <= window.innerWidth + 1 || !box.height || style.visibility == 'hidden') return false;
    for (let a = e.parentElement; a; a = a.parentElement)
        if (getComputedStyle(a).overflowX != 'visible') return false;
    return true;
}).map(e => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 40)}`)"""


@contextmanager
def launched() -> Iterator[Browser]:
    """A running browser."""
    path = executable()
    if path is None:
        raise SystemExit(f"no browser: install one of {', '.join(NAMES)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


def settle(page: Page) -> None:
    """Wait until the page has loaded and its formulas are set."""
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready.then(() => true)")
    page.evaluate("window.MathJax?.startup?.promise?.then(() => true)")


class Watched:
    """A page, and what went wrong on it: requests that leave the site or fail, and complaints on the console."""

    def __init__(self, page: Page, site: str):
        self.page, self.wrong = page, []
        page.on("request", lambda r: self.note(not r.url.startswith((site, "data:", "blob:")), f"leaves: {r.url}"))
        page.on("requestfailed", lambda r: self.note(True, f"failed: {r.url} {r.failure}"))
        page.on("response", lambda r: self.note(r.status >= 400, f"{r.status}: {r.url}"))
        page.on("console", lambda m: self.note(m.type in ("error", "warning"), f"{m.type}: {m.text}"))
        page.on("pageerror", lambda e: self.note(True, f"error: {e}"))

    def note(self, true: bool, what: str) -> None:
        if true:
            self.wrong.append(what)
