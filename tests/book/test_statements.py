"""The page of theorems is complete: every statement has a certificate or an entry, and no entry is left over."""

import re
from pathlib import Path

import pytest
import yaml

from rbcore.book.execute import ROOT, notebooks

BY_HAND = yaml.safe_load((ROOT / "book" / "statements.yaml").read_text(encoding="utf8"))
STATEMENT = re.compile(r"(?ms)^```\{prf:(?!proof|definition)\w+\}[^\n]*\n(.*?)^```")


def labels(path: Path) -> dict[str | None, bool]:
    """Each statement's label (None where it has none), and whether a checked string renders its formula."""
    found = {}
    for body in STATEMENT.findall(path.read_text(encoding="utf8")):
        label = re.match(r":label: ([\w-]+)\n", body)
        found[label and label[1]] = "{statement}`" in body
    return found


EVERY = {label: checked for path in notebooks() for label, checked in labels(path).items()}


def test_every_statement_has_a_label_and_a_proof_on_the_page():
    assert None not in EVERY and len(EVERY) > 80
    assert [label for label, checked in EVERY.items() if not checked and label not in BY_HAND] == []
    assert [label for label in BY_HAND if label not in EVERY] == []


@pytest.mark.parametrize("label", BY_HAND)
def test_an_entry_says_what_is_needed_and_whose_it_is_and_names_claims_of_the_book(label):
    entry = BY_HAND[label]
    assert set(entry) <= {"needs", "sharp", "checked", "source"} and entry["needs"] and entry["source"]
    text = "".join(path.read_text(encoding="utf8") for path in notebooks())
    for claim in entry.get("checked", []):
        assert f"{{claim}}`{claim}`" in text


def test_no_proof_is_folded_by_the_theme_whose_script_needs_a_title_that_proofs_lack():
    for path in sorted((ROOT / "notebooks").glob("*.md")):
        assert not re.search(r"\{prf:proof\}[^\n]*\n(:[^\n]*\n)*:class: dropdown", path.read_text()), path.name
