"""What a link leads to and what a formula's letters are appear beside them, from the disk and by the keyboard."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import executable, settle
from playwright.sync_api import Browser, Page, expect

from rbcore.book.execute import ROOT

pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(executable() is None, reason="no Chromium is installed"),
]
AXE = ROOT / "tests" / "lib" / "axe" / "axe.min.js"
FAULTS = """() => axe.run('#rb-hover', { preload: false })
    .then(found => found.violations.map(v => `${v.id}: ${v.nodes[0].html}`))"""
# Links and formulas that a reader sees, not those in folds.
OTHER = ".bd-article a[href='03-mutual-information.html#mutual-information']:visible"


@pytest.fixture(scope="module")
def chapter(chromium: Browser, built_book: Path) -> Iterator[tuple[Page, list[str]]]:
    """A chapter opened from the disk, and what the console complained about."""
    page, wrong = chromium.new_page(viewport={"width": 1280, "height": 900}), []
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.goto((built_book / "chapters" / "05-reverse-bottleneck.html").as_uri())
    settle(page)
    page.add_script_tag(path=AXE)
    yield page, wrong
    page.close()


@pytest.fixture
def page(chapter: tuple[Page, list[str]]) -> Iterator[Page]:
    page, wrong = chapter
    page.mouse.move(1, 1)
    page.keyboard.press("Escape")
    yield page
    assert not wrong


def test_every_link_between_chapters_has_something_to_show(built_book: Path) -> None:
    shown, missing = {}, []
    for path in (built_book / "_static" / "hover" / "pages").rglob("*.js"):
        page, boxes = json.loads(f"[{path.read_text(encoding='utf8').strip()[len('rbHover.page(') : -2]}]")
        shown[page] = boxes
    for path in (built_book / "chapters").glob("*.html"):
        text = path.read_text(encoding="utf8")
        for page, label in re.findall(r'<a class="reference internal" href="([\w-]*)(?:\.html)?#([^"]+)"', text):
            if not shown[f"chapters/{page or path.stem}"].get(label):
                missing.append(f"{path.stem}: {page}#{label}")
    assert len(shown) > 20 and not missing


def inside_the_window(page: Page) -> None:
    at = page.locator("#rb-hover").bounding_box()
    assert at and at["x"] >= 0 and at["y"] >= 0 and at["x"] + at["width"] <= 1280 and at["y"] + at["height"] <= 900


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theorem_of_the_page_is_shown_and_the_pointer_may_enter(page: Page, theme: str) -> None:
    page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
    link, box = page.locator(".bd-article a[href='#thm-flow']:visible").first, page.locator("#rb-hover")
    link.hover()
    expect(box).to_contain_text("Theorem 5.1")
    assert box.locator("mjx-container").count() and not box.locator("[id], a, button").count()
    inside_the_window(page)
    page.wait_for_timeout(300)
    assert page.evaluate(FAULTS) == []
    box.hover()
    page.wait_for_timeout(400)
    expect(box).to_be_visible()
    page.mouse.move(1, 1)
    expect(box).to_be_hidden()


def test_a_section_of_another_page_is_loaded_from_the_disk(page: Page) -> None:
    page.locator(OTHER).first.hover()
    expect(page.locator("#rb-hover .rb-hover-title")).to_contain_text("Mutual information")
    inside_the_window(page)


def test_a_citation_says_what_is_cited_in_place_of_its_title(page: Page) -> None:
    link = page.locator(".bd-article .bibtex-citation a:visible").first
    said = link.get_attribute("title")
    link.hover()
    expect(page.locator("#rb-hover .citation")).to_be_visible()
    assert said and link.get_attribute("title") is None
    page.keyboard.press("Escape")
    assert link.get_attribute("title") == said


def test_the_keyboard_opens_it_and_escape_closes_it(page: Page) -> None:
    link, box = page.locator(".bd-article a[href='#thm-flow']:visible").first, page.locator("#rb-hover")
    page.keyboard.press("Tab")
    link.focus()
    expect(box).to_be_visible()
    assert link.get_attribute("aria-describedby") == "rb-hover" and box.get_attribute("role") == "tooltip"
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    assert link.get_attribute("aria-describedby") is None
    link.blur()


def test_a_formula_says_its_letters(page: Page) -> None:
    formulas = page.locator("#def-factors mjx-container")
    formulas.nth(3).hover()
    terms = page.locator("#rb-hover dd")
    expect(terms.filter(has_text="the synthetic data")).to_have_count(1)
    assert terms.count() == 3, terms.all_inner_texts()
    expect(page.locator("#rb-hover dt mjx-container")).to_have_count(3)


def test_touch_alone_opens_nothing_by_hovering(chromium: Browser, built_book: Path) -> None:
    context = chromium.new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.route("**/mathjax.js*", lambda route: route.abort())
    page.goto((built_book / "chapters" / "05-reverse-bottleneck.html").as_uri())
    page.locator(".bd-article a[href='#thm-flow']:visible").first.hover()
    page.wait_for_timeout(500)
    expect(page.locator("#rb-hover")).to_be_hidden()
    context.close()
