"""A headless Chromium for the tests and the screenshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from rbcore.book.browser import NAMES, executable

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


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
