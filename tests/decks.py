"""What every deck of slides has, that of a new chapter as well."""

import re

from rbcore.book.slides import Deck

WORDS = 75  # of Markdown on one slide, without what roles show


def can_be_taught(deck: Deck) -> None:
    """A question to the class with its answer, figures and a claim, notes, 45 to 90 minutes, no crowded slide."""
    titles = [slide.title for slide in deck.slides]
    assert 15 <= len(titles) <= 25
    last = ["The paper says, we show, open", "To take home", "Sources"]
    assert titles[-3:] == last or (deck.file in ("A.md", "B.md") and titles[-2:] == last[1:])
    (asked,) = (slide for slide in deck.slides if slide.title.startswith("Question to the class"))
    assert len(asked.steps) == 2, "the answer is the next step of the slide"
    assert 45 <= sum(slide.minutes for slide in deck.slides) <= 90
    text = "\n".join("\n".join(slide.steps) for slide in deck.slides)
    assert text.count("{figure}`") >= 2
    assert "{claim}`" in text
    for slide in deck.slides:
        assert 1 <= len(re.findall(r"[.?!](?=\s|$)", slide.note)) <= 7, slide.title
        assert len(" ".join(slide.steps).split()) <= WORDS, slide.title
