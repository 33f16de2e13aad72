"""The book on paper: what is printed, what is left to the screen, and that nothing is half written."""

import re
from pathlib import Path

import pytest

from rbcore import files
from rbcore.book import browser, paper
from rbcore.book.browser import executable
from rbcore.book.execute import ROOT, notebooks


def test_every_chapter_goes_to_paper_and_accounts_stay_on_the_screen() -> None:
    names = paper.pages(ROOT / "book")
    assert names[0] == "preface"
    assert {f"chapters/{path.stem}" for path in notebooks(ROOT)} <= set(names)
    assert not {"ledger", "holds", "try", "map"} & set(names)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Pages of which one has a place for the link, and an earlier print."""
    built = tmp_path / "html"
    (built / "downloads").mkdir(parents=True)
    for name in ("rerun", *paper.SCREEN_ONLY):
        place = '<p>In words. <span class="rb-pdf"></span></p>' if name == "rerun" else ""
        (built / f"{name}.html").write_text(f"<title>About {name} &#8212; The book</title>{place}")
    for old in (tmp_path / paper.NAME, built / "downloads" / paper.NAME):
        old.write_bytes(b"old")
    return built


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("broken", ["printer", "disk"])
def test_an_interruption_leaves_everything_as_it_was(
    site: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(paper, "printed", stop if broken == "printer" else lambda *_, **__: b"new")
    if broken == "disk":
        monkeypatch.setattr(files.os, "fsync", stop)
    before = contents(site.parent)
    with pytest.raises(KeyboardInterrupt):
        paper.write(ROOT, site)
    assert contents(site.parent) == before


def test_a_print_is_linked_once_it_is_there(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (b"new", b"newer"):
        monkeypatch.setattr(paper, "printed", lambda *_, content=content, **__: content)
        target = paper.write(ROOT, site)
        text = (site / "rerun.html").read_text()
        assert text.count("<a ") == 1
        (link,) = re.findall(r'<span class="rb-pdf"><a href="([^"]+)">', text)
        assert (site / link).read_bytes() == target.read_bytes() == content


def test_the_paper_says_what_it_leaves_out(site: Path) -> None:
    text = paper.note(ROOT / "book", site)
    assert re.findall(r"<li>About (\w+) \(<code>(\w+).html</code>\)", text) == [
        (name, name) for name in ("try", "game", "holds", "map", "ledger", "api")
    ]


def test_without_a_browser_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    with pytest.raises(paper.PaperError, match="install one of chromium"):
        paper.printed(tmp_path, ["preface"])


CHAPTERS = ("05-reverse-bottleneck", "12-prediction")
# What is wrong on paper, each with a word of what it is.
WRONG = """() => {
  const shown = e => e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length;
  const all = of => [...document.querySelectorAll(of)];
  const right = document.querySelector('#rb-book').getBoundingClientRect().right;
  const ids = all('[id]').map(e => e.id);
  return [
    ...all('details > summary:not(:has(h2, h3, h4))').filter(shown).map(e => `fold: ${e.textContent}`),
    ...all('details').filter(e => !e.open).map(e => `closed: ${e.textContent.slice(0, 60)}`),
    ...all('.rb-fold-code, button, input').filter(shown).map(e => `screen: ${e.outerHTML.slice(0, 60)}`),
    ...all('img, table, svg, pre, mjx-container[display]').filter(e => e.getBoundingClientRect().right > right + 2)
      .map(e => `cut: ${e.outerHTML.slice(0, 90)}`),
    ...all('img').filter(e => !e.naturalWidth).map(e => `no picture: ${e.src}`),
    ...all('a[href^="#"]').filter(e => !document.getElementById(decodeURIComponent(e.hash.slice(1))))
      .map(e => `dead: ${e.hash}`),
    ...ids.filter((id, i) => ids.indexOf(id) != i).map(id => `twice: ${id}`),
    ...all('mjx-merror').map(e => `formula: ${e.textContent}`),
    ...all('#rb-book > :not(#rb-solutions) .solution').map(e => `not last: ${e.id}`),
  ];
}"""


@pytest.mark.book
@pytest.mark.skipif(executable() is None, reason="no Chromium is installed")
def test_chapters_are_printed_unfolded_and_whole(built_book: Path) -> None:
    said: list[str] = []
    names = ["preface", *(f"chapters/{name}" for name in CHAPTERS)]
    with paper.composed(built_book, names, said.append) as page:
        assert page.evaluate(WRONG) == []
        assert page.locator(".rb-paper").count() == len(names) + 1, "solutions are a part of their own"
        assert page.locator("#rb-solutions .solution").count() > len(CHAPTERS)
        assert page.locator(".rb-badge").count() > 10, "paper has the marks of sentences, too"
        assert page.locator(".rb-further :is(p, figure)").first.is_visible()
        content = page.pdf(**paper.HOW)
    assert said == [f"{i} of {len(names)} pages: {name}" for i, name in enumerate(names, 1)]
    assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 3 * len(names)
