"""The built pages in a browser: offline, fit for every width, readable by all, with working marks and downloads.

Each page is opened once and walked through everything that every page must bear: a load takes longer than a look.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from browser import AXE, RUN_AXE, STICKING_OUT, Watched, executable, settle
from measure_pages import Packing, weighed
from playwright.sync_api import Browser, BrowserContext, Page, expect

from rbcore.book.browser import served
from rbcore.book.execute import ROOT, notebooks
from rbcore.course.tasks import without_answers

pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(executable() is None, reason="no Chromium is installed"),
]
CHAPTERS = [path.stem for path in notebooks(ROOT)]
CONTENTS = (ROOT / "book" / "_toc.yml").read_text(encoding="utf8")
NAMES = [yaml.safe_load(CONTENTS)["root"], *re.findall(r"(?m)^\s*- file: (\S+)", CONTENTS)]
WIDE, TABLET, PHONE = ({"width": w, "height": h} for w, h in ((1440, 900), (768, 1024), (390, 844)))
LIGHTEST = 1_000_000  # bytes before scrolling, as a host with gzip sends them
# What the Tab key stops at, of formulas and of boxes that scroll.
STOPS = "es => es.filter(e => e.tabIndex >= 0).map(e => e.outerHTML.slice(0, 80))"


# Every piece of code that scrolls can be reached by keyboard.
FOCUSABLE = """() => [...document.querySelectorAll('pre')].every(e => e.tabIndex >= 0 ||
    (e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight))"""
# Figures wider than the column that holds them.
CUT = """() => [...document.querySelectorAll('.bd-article figure img')].filter(e =>
    e.offsetWidth > e.closest('figure').clientWidth + 1).map(e => e.src)"""


@pytest.fixture(scope="module")
def server(built_book: Path) -> Iterator[str]:
    """The address at which the built pages are served, as a host of static sites serves them."""
    with served(built_book, Packing) as address:
        yield address


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
    return page.locator(".bd-article a:has(.rb-badge):visible").first


def test_every_page_of_the_site_is_among_those_tested(built_book: Path) -> None:
    pages = {p.relative_to(built_book).with_suffix("").as_posix() for p in built_book.rglob("*.html")}
    pages = {p for p in pages if not p.startswith("_static/")}
    assert pages - {"index", "search", "genindex"} == set(NAMES), "a new page belongs into the table of contents"


def test_the_checker_of_pages_is_the_one_that_was_published() -> None:
    said = re.search(r"sha256 (\w+)", (AXE / "README").read_text())
    assert said and hashlib.sha256((AXE / "axe.min.js").read_bytes()).hexdigest() == said[1]


@pytest.fixture(scope="module")
def reader(chromium: Browser) -> Iterator[BrowserContext]:
    """One reader, whose browser keeps what pages share."""
    context = chromium.new_context(viewport=WIDE)
    yield context
    context.close()


@pytest.mark.parametrize("name", [*NAMES, "search", "genindex"])
def test_a_page_is_offline_fits_every_width_and_is_accessible(
    reader: BrowserContext, server: str, name: str
) -> None:
    """No third party, no complaint, nothing too wide at three widths, axe content in light and dark."""
    page = reader.new_page()
    watched = Watched(page, server)
    page.goto(f"{server}/{name}.html")
    settle(page)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    page.add_style_tag(content="* { transition: none !important; }")
    formulas = page.locator(".bd-article .math").count()
    assert page.locator(".bd-article mjx-container").count() >= formulas
    assert formulas > 0 or not name.startswith(("chapters", "notation"))
    assert page.locator("mjx-merror, mjx-container .mjx-error").count() == 0
    assert page.locator("mjx-container, mjx-container *").evaluate_all(STOPS) == []
    assert page.locator("mjx-container:not(:has(math))").count() == 0
    described(page, name)
    for size in (TABLET, PHONE, WIDE):
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert page.evaluate(STICKING_OUT) == []
        assert page.evaluate(CUT) == []
    page.evaluate((AXE / "axe.min.js").read_text(encoding="utf8"))
    page.wait_for_function(FOCUSABLE)  # the theme's script sees a new width after a while
    assert page.evaluate(RUN_AXE) == []
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_timeout(50)
    assert page.evaluate(RUN_AXE, ["color-contrast"]) == []
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(100)
    assert watched.wrong == []
    page.close()


def described(page: Page, name: str) -> None:
    """What a screen reader needs that axe does not ask for."""
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.title().strip()
    if name not in ("search", "genindex"):
        assert page.locator(".bd-article h1").count() == 1
    assert page.locator("img:not([alt]), .bd-article img[alt='']").count() == 0
    named = "es => es.filter(e => !(e.title || e.getAttribute('aria-label') || '').trim()).map(e => e.outerHTML)"
    assert page.locator("a:has(.rb-badge)").evaluate_all(named) == []
    headings = page.locator(".bd-article :is(h1,h2,h3,h4)").evaluate_all("es => es.map(e => e.tagName)")
    levels = [int(tag[1]) for tag in headings]
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False)), "no level of heading is skipped"


def test_a_page_weighs_less_than_a_megabyte_and_the_site_less_than_twenty_two(
    chromium: Browser, server: str, built_book: Path
) -> None:
    """Pages with the most figures and formulas, with nothing in the cache."""
    largest = sorted(NAMES, key=lambda name: -(built_book / f"{name}.html").stat().st_size)[:3]
    for name in dict.fromkeys(["preface", *largest, "chapters/08-gaussian-mixtures", "chapters/11-audit"]):
        before, _, page = weighed(chromium, f"{server}/{name}.html")
        page.context.close()
        assert before < LIGHTEST, name
    made_on_demand = ("slides", "the-reverse-bottleneck.pdf")  # and wheels
    files = [p for p in built_book.rglob("*") if p.is_file() and p.suffix != ".whl"]
    files = [p for p in files if not set(p.relative_to(built_book).parts) & set(made_on_demand)]
    assert sum(p.stat().st_size for p in files) < 22 * LIGHTEST


@pytest.mark.parametrize("chapter", [CHAPTERS[0], CHAPTERS[8]])
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
def test_both_downloads_of_a_chapter_are_there(built_book: Path, chapter: str) -> None:
    page = built_book / "chapters" / f"{chapter}.html"
    found = set(re.findall(r'href="([^"]*downloads/[^"]+)"', page.read_text(encoding="utf8")))
    files = {a.rpartition(".")[2]: (page.parent / a).resolve() for a in found}
    assert set(files) == {"ipynb", "md"}
    notebook = nbformat.reads(json.dumps(json.loads(files["ipynb"].read_bytes())), as_version=4)
    nbformat.validate(notebook)
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    assert not [role for role in ("{val}", "{num}", "{ci}", "{claim}", "{statement}") if role in text]
    source = (ROOT / "notebooks" / f"{chapter}.md").read_text(encoding="utf8")
    assert files["md"].read_text(encoding="utf8") == without_answers(source)


@pytest.mark.parametrize("name", ["preface", "ledger", f"chapters/{CHAPTERS[4]}"])
def test_a_page_opens_from_the_disk_without_a_server(chromium: Browser, built_book: Path, name: str) -> None:
    page = chromium.new_page()
    watched = Watched(page, "file://")
    page.goto((built_book / f"{name}.html").as_uri())
    settle(page)
    assert page.locator("mjx-container").count() >= page.locator(".math").count()
    assert watched.wrong == []
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


def test_a_figure_opens_in_full_and_takes_its_place_before_it_comes(open_page: Any) -> None:
    page = open_page(f"chapters/{CHAPTERS[7]}", viewport=PHONE).page
    figures = page.locator("figure a.rb-full")
    assert figures.count() >= 5
    sizes = page.locator("figure img").evaluate_all("es => es.map(e => [+e.getAttribute('width'), e.height])")
    assert all(wide > 0 and high > 0 for wide, high in sizes)
    assert page.locator("figure img[loading=lazy]").count() >= figures.count() - 1
    figures.first.click()
    page.wait_for_url("**/_images/*.png")


def test_a_page_says_how_to_cite_it_and_carries_a_sentence_to_a_report(open_page: Any) -> None:
    watched = open_page(f"chapters/{CHAPTERS[4]}", permissions=["clipboard-read", "clipboard-write"])
    page = watched.page
    assert page.get_attribute('meta[name="citation_title"]', "content")
    assert re.fullmatch(
        r"\d{4}/\d\d/\d\d", page.get_attribute('meta[name="citation_publication_date"]', "content")
    )
    foot = page.locator(".rb-foot")
    foot.locator("summary").click()
    foot.get_by_role("button", name="Copy the entry").click()
    expect(foot.get_by_role("status")).to_contain_text("@incollection")
    sentence = page.locator(".bd-article p:not(.rb-minutes)").first
    sentence.select_text()
    words = " ".join(page.evaluate("getSelection().toString()").split()[:4])
    page.evaluate("document.querySelector('.rb-foot').dataset.issues = ''")
    foot.get_by_role("button", name="something is wrong here").click()
    expect(foot.get_by_role("status")).to_contain_text("Copied")
    report = page.evaluate("navigator.clipboard.readText()")
    assert words in report and "Page:" in report and "Version:" in report
    assert watched.wrong == []


def test_scripts_of_the_pages_leave_what_the_browser_offers(open_page: Any) -> None:
    """A script that is no module shares its names with the window: a function `open` of its own would be every
    other script's, and no report would open."""
    names = ["open", "close", "stop", "print", "find", "focus", "scroll", "alert", "fetch", "getSelection"]
    for name in ("preface", "ledger", "try", "map", f"chapters/{CHAPTERS[4]}"):
        page = open_page(name).page
        taken = page.evaluate("names => names.filter(n => !/native code/.test(String(window[n])))", names)
        assert taken == [], name


def test_with_an_address_of_issues_the_report_is_a_form_there(open_page: Any) -> None:
    page = open_page(f"chapters/{CHAPTERS[0]}").page
    page.evaluate("""() => { window.open = address => { window.asked = address };
        document.querySelector('.rb-foot').dataset.issues = 'https://example.org/issues/new' }""")
    page.locator(".bd-article p:not(.rb-minutes)").nth(1).click()
    page.get_by_role("button", name="something is wrong here").click()
    asked = page.evaluate("window.asked")
    assert asked.startswith("https://example.org/issues/new?title=Something") and "body=%3E+" in asked
