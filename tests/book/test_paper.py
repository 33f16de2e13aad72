"""The book on paper: what is printed, what is left to the screen, and that nothing is half written."""

import re
from pathlib import Path

import pytest
from browser import executable

from rbcore.book import paper
from rbcore.book.execute import ROOT, notebooks


def test_every_chapter_goes_to_paper_and_accounts_stay_on_the_screen() -> None:
    names = paper.pages(ROOT / "book")
    assert names[0] == "preface"
    assert {f"chapters/{path.stem}" for path in notebooks(ROOT)} <= set(names)
    assert not {"ledger", "holds", "try", "map"} & set(names)


def test_an_interruption_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = tmp_path / "html"
    (built / "downloads").mkdir(parents=True)
    old = built / "downloads" / paper.NAME
    old.write_bytes(b"old")

    def stop(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(paper, "printed", stop)
    with pytest.raises(KeyboardInterrupt):
        paper.write(ROOT, built)
    assert old.read_bytes() == b"old"
    assert [path.name for path in old.parent.iterdir()] == [paper.NAME]


def test_without_a_browser_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper.shutil, "which", lambda name: None)
    with pytest.raises(paper.PaperError, match="install one of chromium"):
        paper.printed(tmp_path, ["preface"])


@pytest.mark.book
@pytest.mark.skipif(executable() is None, reason="no Chromium is installed")
def test_a_chapter_is_printed(built_book: Path) -> None:
    said: list[str] = []
    content = paper.printed(built_book, ["preface", "chapters/12-prediction"], said.append)
    assert content.startswith(b"%PDF") and content.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 5
    assert said == ["1 of 2 pages: preface", "2 of 2 pages: chapters/12-prediction"]
