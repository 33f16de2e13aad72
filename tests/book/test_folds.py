"""What a chapter shows at once and what unfolds, and the first screen; on the built pages."""

import json
import re
from pathlib import Path

import pytest
from browser import settle
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Browser, Page

from rbcore.book.execute import ROOT, notebooks

pytestmark = pytest.mark.book
CHAPTERS = [path.stem for path in notebooks(ROOT)]
THEORY = [name for name in CHAPTERS if name[0].isdigit()]
MOST_WORDS, MOST_MARKED = 2500, 2
OUT = "details, .rb-touch, .exercise, .solution, .cell, pre, .math, table.rb-table, script, .rb-minutes"


@pytest.fixture(scope="module", params=CHAPTERS)
def chapter(built_book: Path, request: pytest.FixtureRequest) -> Tag:
    page = (built_book / "chapters" / f"{request.param}.html").read_text(encoding="utf8")
    article = BeautifulSoup(page, "html.parser").select_one(".bd-article")
    assert article is not None
    article["name"] = request.param
    return article


def test_a_chapter_says_what_it_gives_and_shows_a_picture_before_it_defines(chapter: Tag) -> None:
    goals, figure = chapter.select_one(".rb-goals"), chapter.select_one("figure")
    definition = chapter.select_one(".proof")
    assert goals is not None and goals.select("li") and "You need" in goals.text
    assert figure is not None
    if definition is not None:
        order = [tag for tag in chapter.find_all(True) if tag is figure or tag is definition]
        assert order[0] is figure
    set_up = chapter.select_one("details.rb-fold > summary")
    assert set_up is not None and set_up.text.startswith("Set-up")


def test_a_chapter_ends_with_what_is_said_shown_and_open(chapter: Tag) -> None:
    if chapter["name"] not in THEORY:
        pytest.skip("an appendix")
    titles = [title.get_text() for title in chapter.select("h2")]
    assert any("What the paper says, what we show, what is open" in title for title in titles)


def test_a_paragraph_has_no_more_than_two_marked_sentences(chapter: Tag) -> None:
    crowded = [p.text[:60] for p in chapter.select("p, li") if len(p.select(".rb-badge")) > MOST_MARKED]
    assert crowded == []


def test_the_main_line_of_a_chapter_can_be_read_in_a_quarter_of_an_hour(chapter: Tag) -> None:
    whole = BeautifulSoup(str(chapter), "html.parser")
    for part in whole.select(OUT):
        part.extract()
    parts = [part for part in whole.select("p, li, h2, h3, figcaption") if part.select_one("p") is None]
    text = " ".join(part.get_text(" ") for part in parts)
    words = re.findall(r"\b[\w'-]+\b", text)
    assert 300 < len(words) <= MOST_WORDS


def test_no_page_has_two_places_of_one_name(chapter: Tag) -> None:
    names = [tag["id"] for tag in chapter.select("[id]")]
    assert len(names) == len(set(names))


def test_the_picture_of_the_first_screen_says_what_the_run_recorded(built_book: Path) -> None:
    page = BeautifulSoup((built_book / "index.html").read_text(encoding="utf8"), "html.parser")
    pinned = json.loads((ROOT / "book" / "ledger.json").read_text(encoding="utf8"))["values"]
    rows = pinned.items() if isinstance(pinned, dict) else [(v["name"], v) for v in pinned]
    recorded = {name: value for name, value in rows if name.startswith("flow-seen-")}
    stages = [name for name in recorded if not name.endswith(("-model", "-curation"))]
    assert len(stages) == 6
    for kind in ("rb-wide", "rb-tall"):
        drawn = [text.text for text in page.select(f"svg.{kind} .said")]
        expected = {f"{float(recorded[name]['value']):.2f} bits" for name in stages}
        assert set(drawn) == expected and len(drawn) == 7  # the real examples begin both roads


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Page:
    return chromium.new_page()


def test_a_link_into_a_folded_part_opens_it(built_book: Path, page: Page) -> None:
    tried = 0
    for name in CHAPTERS:
        path = built_book / "chapters" / f"{name}.html"
        source = BeautifulSoup(path.read_text(encoding="utf8"), "html.parser")
        inside = source.select_one("details.rb-further :is(.proof, .rb-claim, figure)[id]")
        if inside is None:
            continue
        page.goto(f"{path.as_uri()}#{inside['id']}")
        settle(page)
        assert page.locator(f"[id='{inside['id']}']").is_visible()
        tried += 1
        if tried == 5:  # what opens it is one script
            return
    raise AssertionError(f"only {tried} chapters have such a part")


def test_the_keyboard_opens_a_fold(built_book: Path, page: Page) -> None:
    page.goto((built_book / "chapters" / f"{CHAPTERS[0]}.html").as_uri())
    fold = page.locator("details.rb-fold").first
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.evaluate("e => e.open")
