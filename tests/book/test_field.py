"""The results of the literature: every entry is whole, and its sources, labels and claims exist."""

import re
from pathlib import Path

import pytest
import yaml
from pybtex.database import parse_file

from rbcore.book.execute import ROOT, notebooks
from rbcore.book.field import Entry, FieldError, read

ENTRIES = read((ROOT / "book").glob("field*.yaml"))
TEXTS = {path.stem: path.read_text(encoding="utf8") for path in notebooks()}
BY_HAND = yaml.safe_load((ROOT / "book" / "statements.yaml").read_text(encoding="utf8"))
SOURCES = set(parse_file(str(ROOT / "book" / "references.bib")).entries)
GOOD = {
    "key": "one",
    "result": "It holds.",
    "assumptions": "Nothing.",
    "source": "gan2025synthetic",
    "status": "open",
    "chapter": "01-one",
    "label": "thm-one",
    "relation": "orthogonal",
    "reason": "It is about something else.",
}


def by_key(entry: Entry) -> str:
    """What a test of an entry is called."""
    return entry.key


@pytest.mark.parametrize("entry", ENTRIES, ids=by_key)
def test_the_sources_the_label_and_the_claims_of_an_entry_exist(entry: Entry) -> None:
    assert set(entry.source) <= SOURCES
    text = TEXTS[entry.chapter]
    assert not entry.label or f":label: {entry.label}\n" in text
    for id in entry.claim:
        assert f'"{id}",' in text and f"{{claim}}`{id}`" in text


@pytest.mark.parametrize("entry", ENTRIES, ids=by_key)
def test_what_is_called_proved_is_proved(entry: Entry) -> None:
    if entry.status == "proved by machine":
        body = re.search(rf"(?ms):label: {entry.label}\n(.*?)^```", TEXTS[entry.chapter])
        assert body and "{statement}`" in body[1]
    elif entry.status == "proved by hand" and entry.label:
        assert entry.label in BY_HAND


@pytest.mark.parametrize("entry", ENTRIES, ids=by_key)
def test_a_source_is_cited_in_the_chapter_or_on_the_page(entry: Entry) -> None:
    cited = re.findall(r"\{cite:[tp]s?\}`([^`]*)`|\{cite\}`([^`]*)`", TEXTS[entry.chapter])
    keys = {key.strip() for pair in cited for part in pair for key in part.split(",")}
    assert set(entry.source) <= keys or entry.key == "closed-loop"


def written(folder: Path, *entries: dict[str, object], name: str = "field.yaml") -> list[Path]:
    """A file of entries."""
    (folder / name).write_text(yaml.safe_dump(list(entries)), encoding="utf8")
    return sorted(folder.glob("field*.yaml"))


def test_files_are_read_together_and_sorted_by_chapter(tmp_path: Path) -> None:
    written(tmp_path, {**GOOD, "chapter": "02-two"}, {**GOOD, "key": "two", "claim": "said"})
    found = read(written(tmp_path, {**GOOD, "key": "three", "claim": ["a", "b"]}, name="field-more.yaml"))
    assert [(entry.key, entry.claim) for entry in found] == [
        ("three", ("a", "b")),
        ("two", ("said",)),
        ("one", ()),
    ]
    assert found[0].source == ("gan2025synthetic",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reason": ""}, "reason is missing"),
        ({"source": None}, "source is missing"),
        ({"status": "proved"}, "status is one of"),
        ({"relation": "Contained"}, "relation is one of"),
        ({"label": ""}, "a label or a claim"),
        ({"page": "3"}, "no field page"),
        ({"result": 3}, "result is text"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        read(written(tmp_path, {**GOOD, **changes}))


def test_a_key_is_used_once_and_a_file_is_a_list_of_mappings(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="used twice: one"):
        read(written(tmp_path, GOOD, GOOD))
    with pytest.raises(FieldError, match="an entry is a mapping"):
        read(written(tmp_path, "one"))  # type: ignore[arg-type]
    (tmp_path / "field.yaml").write_text("key: one\n", encoding="utf8")
    with pytest.raises(FieldError, match="a list of entries"):
        read([tmp_path / "field.yaml"])
