"""The map of statements: its lines are the references of the sources, its boxes lead to what they name."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from rbcore.book.execute import ROOT, notebooks

sys.path.insert(0, str(ROOT / "book" / "_ext"))
from dependencies import LONGEST, graph, picture

TEXT = """
```{prf:definition} One
:label: def-one
A thing.
```

```{prf:theorem} Two, with $x$
:label: thm-two
By {prf:ref}`def-one`: {statement}`two-holds`
```

```{prf:proof}
By {prf:ref}`the third <thm-three>` and {prf:ref}`thm-two` and {prf:ref}`def-one`.
```

Prose that refers to {prf:ref}`thm-three`.

```{prf:lemma} Three
:label: thm-three
Nothing.
```
"""


def test_a_statement_needs_what_its_box_and_its_proof_refer_to() -> None:
    found = graph({"01-a": TEXT}, frozenset({"two-holds"}), {"thm-three": {"checked": "x"}})
    assert {label: s.needs for label, s in found.items()} == {
        "def-one": (),
        "thm-two": ("def-one", "thm-three"),
        "thm-three": (),
    }
    assert [s.how for s in found.values()] == ["definition", "certificate", "evaluated"]
    drawn = BeautifulSoup(picture(found), "html.parser")
    assert {path["data-ends"] for path in drawn.select("path")} == {"def-one thm-two", "thm-three thm-two"}


def test_every_label_of_the_sources_is_on_the_map() -> None:
    texts = {path.stem: path.read_text(encoding="utf8") for path in notebooks(ROOT)}
    by_hand = yaml.safe_load((ROOT / "book" / "statements.yaml").read_text(encoding="utf8"))
    found = graph(texts, frozenset(), by_hand)
    pattern = r"(?m)^`{3,}\{prf:(?!proof)\w+\}[^\n]*\n:label: ([\w-]+)"
    assert set(found) == {label for text in texts.values() for label in re.findall(pattern, text)}
    assert len(found) > 80


def test_what_a_box_shows_are_whole_words_of_its_name() -> None:
    texts = {path.stem: path.read_text(encoding="utf8") for path in notebooks(ROOT)}
    by_hand = yaml.safe_load((ROOT / "book" / "statements.yaml").read_text(encoding="utf8"))
    boxes = BeautifulSoup(picture(graph(texts, frozenset(), by_hand)), "html.parser").select(".rb-node")
    cut = [box for box in boxes if box.find("text").get_text().endswith("…")]
    assert len(cut) > 10
    for box in boxes:
        shown = box.find("text").get_text()
        words = shown.removesuffix(" …").split()
        said = box["aria-label"].rpartition(": ")[0].split()
        assert words and len(shown) <= LONGEST and said[: len(words)] == words


@pytest.mark.book
def test_every_box_of_the_map_leads_to_its_statement(built_book: Path) -> None:
    page = BeautifulSoup((built_book / "map.html").read_text(encoding="utf8"), "html.parser")
    targets = {tuple(link["href"].split("#")) for link in page.select(".rb-map a")}
    assert len(targets) > 80
    for name in {name for name, _ in targets}:
        text = (built_book / name).read_text(encoding="utf8")
        missing = [label for path, label in targets if path == name and f'id="{label}"' not in text]
        assert missing == []
