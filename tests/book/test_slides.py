"""The decks of slides: what they name exists, what they show fits, and they load nothing from outside."""

import re
from pathlib import Path

import pytest
from decks import can_be_taught
from playwright.sync_api import Browser

from rbcore.book import prose, slides
from rbcore.book.cli import ALLOWED
from rbcore.book.execute import ROOT, notebooks

DECKS = {deck.file: deck for deck in slides.decks(ROOT)}
BUILT = ("05", "A")


def test_every_chapter_has_a_deck() -> None:
    without = {path.stem for path in notebooks(ROOT)} - {deck.chapter for deck in DECKS.values()}
    assert not without, "write book/slides/NN.md for it; CONTRIBUTING.md, The slides"
    assert [deck.chapter for deck in DECKS.values()] == [path.stem for path in notebooks(ROOT)]


@pytest.mark.parametrize("file", DECKS)
def test_what_a_deck_names_is_in_its_notebook(file: str) -> None:
    assert not slides.missing(ROOT, DECKS[file])


@pytest.mark.parametrize("file", DECKS)
def test_a_deck_can_be_taught(file: str) -> None:
    can_be_taught(DECKS[file])


def test_the_session_on_the_teachers_page_is_made_of_slides_that_exist() -> None:
    page = (ROOT / "book" / "teach.md").read_text(encoding="utf8")
    minutes = 0
    for number, titles in re.findall(r"(?m)^- of deck (\w+) (.*)$", page):
        known = {slide.title: slide.minutes for slide in DECKS[f"{number}.md"].slides}
        chosen = re.findall(r"\*([^*]+)\*", titles)
        assert set(chosen) <= known.keys()
        minutes += sum(known[title] for title in chosen)
    assert 60 <= minutes <= 75  # of 90, with a vote, and work in pairs


@pytest.mark.parametrize("file", DECKS)
def test_no_number_is_typed_in_a_deck(file: str) -> None:
    text = (ROOT / "book" / "slides" / file).read_text(encoding="utf8")
    assert not prose.typed_numbers(f"book/slides/{file}", text, prose.load_allowed(ROOT / ALLOWED))


def deck_of(folder: Path, text: str) -> slides.Deck:
    """A deck of chapter 05 with this text."""
    (folder / "05.md").write_text(text)
    return slides.read(folder / "05.md", "05-reverse-bottleneck")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{box}`thm-flowe`", "has no box 'thm-flowe'; the nearest: thm-flow"),
        ("{figure}`fig-flows`", "has no figure 'fig-flows'; the nearest: fig-flow"),
        ("{claim}`flow-widen`", "has no claim 'flow-widen'; the nearest: flow-widens"),
        ("{val}`flow-gain-bit`", "has no val 'flow-gain-bit'; the nearest: flow-gain-bits"),
        ("{source}`gan2026synthetic`", "has no source 'gan2026synthetic'; the nearest: gan2025synthetic"),
        ("{boxes}`thm-flow`", "there is no role {boxes}"),
    ],
)
def test_a_name_that_has_gone_is_reported_with_its_place_and_the_nearest(
    tmp_path: Path, line: str, told: str
) -> None:
    deck = deck_of(tmp_path, f"# Why?\n\nNote (1 minute): A.\n\n## A slide\n\n{line}\n\nNote (1 minute): B.\n")
    (found,) = slides.missing(ROOT, deck)
    assert found.startswith("book/slides/05.md:5: slide “A slide”: ")
    assert told in found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("## A slide\n\nNote (1 minute): A.\n", "begin with one line"),
        ("# Why?\n\nNote (1 minute): A.\n\n## A slide\n\nWords.\n", "05.md:5: the slide “A slide” has no notes"),
        ("# Why?\n\nNote (1 minute):\n", "has no notes"),
        ("# Why?\n\nNote (1 minute): A.\n\n# Again?\n\nNote (1 minute): A.\n", "begin with one line"),
    ],
)
def test_a_deck_without_question_or_notes_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(slides.SlidesError, match=re.escape(told)):
        deck_of(tmp_path, text)


def test_a_number_without_a_deck_is_refused() -> None:
    with pytest.raises(slides.SlidesError, match="no deck 99; there are 01, 02"):
        slides.decks(ROOT, "99")


def test_reveal_is_the_published_one() -> None:
    import hashlib

    folder = ROOT / "book" / "_web" / "lib" / "reveal"
    sums = re.findall(r"(?m)^([0-9a-f]{64})  (\S+)$", (folder / "README").read_text())
    assert {name for _, name in sums} == {path.name for path in folder.iterdir()} - {"README"}
    for digest, name in sums:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


@pytest.fixture(scope="module")
def made(built_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two decks with a PDF each, made of the built book."""
    place = tmp_path_factory.mktemp("made") / "slides"
    slides.make(ROOT, built_book, place, slides.decks(ROOT, " ".join(BUILT)), say=lambda line: None)
    return place


# What is outside of its slide or of its column, and the sizes of the text.
MEASURE = """() => [...document.querySelectorAll('.slides .sheet')].map(sheet => {
  const inside = e => { const r = e.getBoundingClientRect(), s = sheet.getBoundingClientRect();
    return r.left >= s.left - 1 && r.right <= s.right + 1 && r.top >= s.top - 1 && r.bottom <= s.bottom + 1; };
  const shown = [...sheet.querySelectorAll('*')].filter(e => e.getClientRects().length
    && !e.parentElement.closest('mjx-container'));  // boxes of glyphs are larger than what they show
  const text = sheet.querySelector('.text')?.getBoundingClientRect();
  const image = sheet.querySelector('figure')?.getBoundingClientRect();
  return {
    out: shown.filter(e => !inside(e)).map(e => e.outerHTML.slice(0, 80)),
    over: Boolean(text && image && text.left < image.right - 1 && text.top < image.bottom - 1),
    size: parseFloat(getComputedStyle(sheet).fontSize),
    alt: [...sheet.querySelectorAll('img')].every(e => e.alt.split(' ').length > 4 && e.naturalWidth > 0),
    math: sheet.querySelectorAll('.math').length === sheet.querySelectorAll('.math mjx-container').length,
    error: sheet.querySelector('mjx-merror, [data-mjx-error]') !== null,
  };
})"""


@pytest.mark.book
def test_slides_fit_load_nothing_from_outside_and_print(made: Path, chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    for deck in slides.decks(ROOT, " ".join(BUILT)):
        folder = made / deck.chapter
        page.goto(f"{(folder / 'index.html').as_uri()}?view=print")
        page.wait_for_selector("html[data-slides='ready']", state="attached")
        measured = page.evaluate(MEASURE)
        assert len(measured) == len(deck.slides)
        for slide, one in zip(deck.slides, measured, strict=True):
            where = f"{deck.file}: {slide.title}"
            assert not one["out"], where
            assert not one["over"], where
            assert one["size"] >= 22, where
            assert one["alt"] and one["math"] and not one["error"], where
        pdf = (folder / f"{deck.chapter}.pdf").read_bytes()
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == len(deck.slides)
        page.goto((folder / "index.html").as_uri())
        page.wait_for_selector("html[data-slides='ready']", state="attached")
        asked_at = [i for i, slide in enumerate(deck.slides) if slide.title.startswith("Question")][0]
        page.keyboard.press("Home")
        for _ in range(asked_at + sum(len(slide.steps) - 1 for slide in deck.slides[:asked_at])):
            page.keyboard.press("ArrowRight")
        answer = page.locator("section.present .fragment")
        assert "visible" not in str(answer.get_attribute("class"))
        page.keyboard.press("ArrowRight")
        assert "visible" in str(answer.get_attribute("class"))
        notes = (folder / "notes.html").read_text(encoding="utf8")
        assert notes.count("<li><h2>") == len(deck.slides)
    page.goto((made / "index.html").as_uri())
    for link in page.locator("a").evaluate_all("all => all.map(a => a.getAttribute('href'))"):
        assert (made / link).exists(), link
    page.close()
    assert not wrong
    assert asked and all(url.startswith("file:") for url in asked)
