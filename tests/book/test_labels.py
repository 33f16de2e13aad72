"""References: those to nothing are found with the nearest label, those to elsewhere are written out."""

from pathlib import Path

import pytest

from rbcore.book import labels
from rbcore.book.execute import ROOT, notebooks

CHAPTER = """(here)=
# One

```{prf:theorem} A bound
:label: thm-bound
It holds.
```

$$
H(A) \\ge 0
$$ (entropy)

%s
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("notebooks", "book"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notebooks" / "02-two.md").write_text("(there)=\n# Two\n\n  name: fig-two\n")
    (tmp_path / "book" / "notation.md").write_text("(symbols)=\n# Notation\n")
    return tmp_path


def chapter(root: Path, text: str) -> Path:
    path = root / "notebooks" / "01-one.md"
    path.write_text(CHAPTER % text)
    return path


@pytest.mark.parametrize(
    "text",
    ["{ref}`here`", "{ref}`the second <there>`", "{prf:ref}`thm-bound`", "{numref}`fig-two`", "{eq}`entropy`",
     "{doc}`../notation`", "{ref}`symbols`"],
)  # fmt: skip
def test_what_some_source_defines_is_known(root: Path, text: str) -> None:
    assert list(labels.unknown(root, chapter(root, text))) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("See {prf:ref}`thm-bond`.", "thm-bound"),
        ("See {ref}`it <ther>`.", "there"),
        ("{numref}`fig-tow`", "fig-two"),
    ],
)
def test_what_none_defines_is_found_with_the_nearest(root: Path, text: str, name: str) -> None:
    (found,) = labels.unknown(root, chapter(root, text))
    assert f"did you mean {name!r}" in found.remedy and found.sentence == text
    assert found.where == "notebooks/01-one.md:13"


def test_references_to_elsewhere_are_written_out_and_others_stay(root: Path) -> None:
    chapter(root, "")
    names, here = labels.shown(root), labels.defined(CHAPTER) | {"../notation"}
    text = "{ref}`here` {ref}`there` {ref}`so <there>` {prf:ref}`thm-bound` {numref}`fig-two` {doc}`../notation`"
    written = "{ref}`here` *Two* so {prf:ref}`thm-bound` a figure of another chapter {doc}`../notation`"
    assert labels.without_links(text, here, names) == written


@pytest.mark.parametrize("source", notebooks(ROOT), ids=lambda source: source.stem)
def test_the_chapters_refer_to_what_there_is(source: Path) -> None:
    assert list(labels.unknown(ROOT, source)) == []
