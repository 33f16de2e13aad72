"""Ledger and theorems: rows that come as they are asked for, filters, links, and browsers without scripts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import executable, settle
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.book, pytest.mark.skipif(executable() is None, reason="no Chromium is installed")]
NODES = "document.querySelectorAll('*').length"


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


def opened(page: Page, book: Path, name: str) -> Page:
    path, mark, rest = name.partition("?") if "?" in name else name.partition("#")
    page.goto(f"{(book / path).as_uri()}{mark}{rest}")
    settle(page)
    return page


@pytest.mark.parametrize("name", ["ledger.html", "holds.html"])
def test_a_long_account_opens_with_few_elements(built_book: Path, page: Page, name: str) -> None:
    opened(page, built_book, name)
    page.wait_for_timeout(500)
    assert 300 < page.evaluate(NODES) < 5000
    more = page.locator(".rb-more").first
    before = page.evaluate(NODES)
    more.click()
    page.wait_for_function(f"{NODES} > {before}")


def test_filters_and_the_address_agree(built_book: Path, page: Page) -> None:
    opened(page, built_book, "ledger.html?chapter=05&kind=proved")
    rows = page.locator("table.rb-claims tbody tr")
    assert rows.count() > 3
    assert {row.locator("td").nth(1).inner_text() for row in rows.all()} == {"05"}
    assert {row.locator("td").nth(2).inner_text() for row in rows.all()} == {"proved"}
    page.get_by_label("Text").first.fill("certificate")
    assert "text=certificate" in page.url
    found = [row.inner_text().lower() for row in rows.all()]
    assert found and all("certificate" in text for text in found)
    page.get_by_label("Text").first.fill("no sentence says this")
    expect(rows).to_have_count(0)
    expect(page.locator(".rb-count").first).to_contain_text("0 of ")


def test_a_link_brings_its_row(built_book: Path, page: Page) -> None:
    opened(page, built_book, "ledger.html#claim-te-loop")
    expect(page.locator("#claim-te-loop")).to_be_in_viewport()


@pytest.mark.parametrize("asked", ["ledger.html?chapter=99", "holds.html?chapter=99"])
def test_an_address_that_no_row_answers_shows_none(built_book: Path, page: Page, asked: str) -> None:
    opened(page, built_book, asked)
    expect(page.locator(".rb-count").first).to_contain_text("0 of ")
    assert page.locator("table.rb-claims tbody tr, .rb-theorem").count() == 0
    assert page.get_by_label("Chapter").first.input_value() == "99"


def test_a_link_to_a_row_that_the_filters_leave_out_clears_them(built_book: Path, page: Page) -> None:
    opened(page, built_book, "ledger.html?chapter=01&text=no+sentence+says+this")
    page.evaluate("location.hash = 'claim-te-loop'")
    expect(page.locator("#claim-te-loop")).to_be_in_viewport()
    assert page.get_by_label("Chapter").first.input_value() == page.get_by_label("Text").first.input_value() == ""
    assert page.url.endswith("ledger.html#claim-te-loop")


def test_a_certificate_is_made_when_it_unfolds(built_book: Path, page: Page) -> None:
    opened(page, built_book, "holds.html")
    fold = page.locator(".rb-theorem details").first
    assert fold.locator("mjx-container").count() == fold.locator("summary mjx-container").count()
    fold.locator("summary").press("Enter")
    expect(fold.locator(":scope > :not(summary)").first).to_be_visible()


def test_without_scripts_everything_stands_there(built_book: Path, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((built_book / "ledger.html").as_uri())
    assert page.locator("table.rb-claims tbody tr").count() > 500
    context.close()
