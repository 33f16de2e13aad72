"""The built pages in a browser: offline, fit for a phone, with working marks, search, downloads and formulas."""

import functools
import http.server
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browser import executable, launched, settle
from playwright.sync_api import Browser, Page, expect

from rbcore.book.execute import ROOT, notebooks

pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(executable() is None, reason="no Chromium is installed"),
]
CHAPTERS = [path.stem for path in notebooks(ROOT)]
NAMES = [
    "preface",
    "notation",
    "rerun",
    "audit-tool",
    "try",
    "holds",
    "subject",
    "departures",
    "ledger",
    "reproduction",
    "architecture",
    "references",
    *(f"chapters/{name}" for name in CHAPTERS),
]
PHONE = {"width": 390, "height": 844}
# Elements of the article that stick out of the window, unless something around them scrolls or cuts.
STICKING_OUT = """() => [...document.querySelectorAll('.bd-article *')].filter(e => {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (box.right <= window.innerWidth + 1 || !box.height || style.visibility == 'hidden') return false;
    for (let a = e.parentElement; a; a = a.parentElement)
        if (getComputedStyle(a).overflowX != 'visible') return false;
    return true;
}).map(e => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 40)}`)"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that does not log."""

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def server(built_book: Path) -> Iterator[str]:
    """The address at which the built pages are served."""
    handler = functools.partial(Quiet, directory=str(built_book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    with launched() as browser:
        yield browser


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


@pytest.fixture
def open_page(chromium: Browser, server: str) -> Iterator[Any]:
    """Open a page of the site and wait until its formulas are set."""
    contexts = []

    def opened(name: str, **how: Any) -> Watched:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | how)
        contexts.append(context)
        watched = Watched(context.new_page(), server)
        watched.page.goto(f"{server}/{name}.html" if "?" not in name else f"{server}/{name}")
        settle(watched.page)
        return watched

    yield opened
    for context in contexts:
        context.close()


def badge(page: Page) -> Any:
    """The first badge of the page's article."""
    return page.locator(".bd-article a:has(.rb-badge)").first


def test_every_page_of_the_site_is_among_those_tested(built_book: Path) -> None:
    pages = {p.relative_to(built_book).with_suffix("").as_posix() for p in built_book.rglob("*.html")}
    pages = {p for p in pages if not p.startswith("_static/")}
    assert pages - {"index", "search", "genindex", "prf-prf"} == set(NAMES), "a new page belongs into NAMES"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_offline_and_free_of_errors_and_fits_a_phone(open_page: Any, name: str) -> None:
    watched = open_page(name, viewport=PHONE)
    page = watched.page
    formulas, failed = (
        page.locator(".bd-article .math").count(),
        page.locator("mjx-merror, mjx-container .mjx-error").count(),
    )
    assert page.locator(".bd-article mjx-container").count() >= formulas
    assert formulas > 0 or not name.startswith(("chapters", "notation"))
    assert failed == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.evaluate(STICKING_OUT) == []
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(200)
    assert watched.wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_can_be_read_by_a_screen_reader(open_page: Any, name: str) -> None:
    page = open_page(name).page
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title().strip()
    assert page.locator(".bd-article h1").count() == 1
    assert page.locator("img:not([alt]), .bd-article img[alt='']").count() == 0
    named = "es => es.filter(e => !(e.title || e.getAttribute('aria-label') || '').trim()).map(e => e.outerHTML)"
    assert page.locator("a:has(.rb-badge)").evaluate_all(named) == []
    levels = [
        int(t[1])
        for t in page.locator(".bd-article :is(h1,h2,h3,h4)").evaluate_all("es => es.map(e => e.tagName)")
    ]
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False)), "no level of heading is skipped"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_badge_leads_to_its_row_of_the_ledger_and_the_row_leads_back(open_page: Any, chapter: str) -> None:
    watched = open_page(f"chapters/{chapter}")
    page = watched.page
    link = badge(page)
    target = link.get_attribute("href")
    claim = target.partition("#claim-")[2]
    sentence = page.locator(f"#said-{claim}").inner_text()
    link.click()
    page.wait_for_url(f"**/ledger.html#claim-{claim}")
    settle(page)
    row = page.locator(f"#claim-{claim}")
    expect(row).to_be_in_viewport()
    words = [word for word in sentence.split() if word.isalpha()]
    assert all(word in row.inner_text() for word in words)

    row.get_by_role("link", name=chapter.split("-")[0], exact=True).first.click()
    page.wait_for_url(f"**/chapters/{chapter}.html#said-{claim}")
    settle(page)
    expect(page.locator(f"#said-{claim}")).to_be_in_viewport()
    assert watched.wrong == []


def test_badges_can_be_reached_and_followed_with_the_keyboard(open_page: Any) -> None:
    page = open_page(f"chapters/{CHAPTERS[0]}").page
    link = badge(page)
    link.focus()
    outline = "e => { const s = getComputedStyle(e); return s.outlineStyle + s.boxShadow + s.textDecorationLine }"
    assert link.evaluate("e => e == document.activeElement")
    assert link.evaluate(outline) != "nonenonenone", "the focus is seen"
    page.keyboard.press("Enter")
    page.wait_for_url("**/ledger.html#claim-*")


def test_the_search_finds_a_word_without_any_other_site(open_page: Any) -> None:
    watched = open_page("search.html?q=strictness")
    links = watched.page.locator("#search-results li a")
    expect(links.first).to_be_visible(timeout=10_000)
    assert any("chapters/" in href for href in links.evaluate_all("es => es.map(e => e.href)"))
    assert watched.wrong == []


@pytest.mark.parametrize("name", ["preface", "ledger", f"chapters/{CHAPTERS[0]}"])
def test_the_dark_theme_is_dark_and_readable(open_page: Any, name: str) -> None:
    """The chosen theme, and the system's; text and background are far apart in both."""
    brightness = """e => { let rgb = s => s.match(/[\\d.]+/g).map(Number);
        let mean = s => { let c = rgb(s); return (c[0] + c[1] + c[2]) / 3 };
        return [mean(getComputedStyle(document.body).backgroundColor), mean(getComputedStyle(e).color)] }"""
    page = open_page(name).page
    paragraph = page.locator("main p").first
    light, ink = paragraph.evaluate(brightness)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_timeout(400)
    dark, chalk = paragraph.evaluate(brightness)
    assert light > ink + 120
    assert dark + 120 < chalk
    system = open_page(name, color_scheme="dark").page
    assert system.locator("main p").first.evaluate(brightness)[0] == dark


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_both_downloads_of_a_chapter_are_there(open_page: Any, server: str, chapter: str) -> None:
    page = open_page(f"chapters/{chapter}").page
    links = page.locator(".dropdown-download-buttons a, .article-header-buttons a[href*='downloads/']")
    found = {a.rpartition(".")[2]: a for a in links.evaluate_all("es => es.map(e => e.href)") if "downloads" in a}
    assert set(found) == {"ipynb", "md"}
    answers = {suffix: page.request.get(address) for suffix, address in found.items()}
    assert {answer.status for answer in answers.values()} == {200}
    notebook = nbformat.reads(json.dumps(answers["ipynb"].json()), as_version=4)
    nbformat.validate(notebook)
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    assert not [role for role in ("{val}", "{num}", "{ci}", "{claim}", "{statement}") if role in text]
    assert answers["md"].body() == (ROOT / "notebooks" / f"{chapter}.md").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_from_the_disk_without_a_server(chromium: Browser, built_book: Path, name: str) -> None:
    page = chromium.new_page()
    watched = Watched(page, "file://")
    began = time.monotonic()
    page.goto((built_book / f"{name}.html").as_uri())
    settle(page)
    assert page.locator("mjx-container").count() >= page.locator(".math").count()
    assert watched.wrong == []
    assert time.monotonic() - began < 20
    page.close()


def test_the_page_to_open_is_the_preface_and_describes_itself(chromium: Browser, built_book: Path) -> None:
    page = chromium.new_page()
    page.goto((built_book / "index.html").as_uri())
    assert page.url.endswith("/index.html") and "The Reverse Bottleneck" in (page.text_content("h1") or "")
    described = page.get_attribute('meta[name="description"]', "content")
    assert described is not None and len(described) > 40 and page.inner_text("article").find(described[:30]) > 0
    assert page.get_attribute('meta[property="og:description"]', "content") == described
    page.goto((built_book / "chapters" / "05-reverse-bottleneck.html").as_uri())
    assert re.fullmatch(r"\d+ minutes to read; its notebook takes \d+ seconds of processor time\.",
                        page.inner_text(".rb-minutes"))  # fmt: skip
    page.close()
