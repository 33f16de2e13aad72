"""Replaying an edition: verdicts follow from the stored numbers, and whatever was changed is found and named."""

import copy
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbcore import checks
from rbcore.book import cli, replay
from rbcore.book.agree import write_pins
from rbcore.book.execute import ROOT
from rbcore.book.ledger import Chapter, Claim, Value
from rbcore.checks import Check
from rbcore.information import theorem

NUMBERS = st.floats(-10, 10, allow_nan=False)
SOME = st.lists(NUMBERS, min_size=3, max_size=8)


def claimed(check: Check, source: str = "checks.some(x)") -> Claim:
    """The claim that stores this check."""
    verdict = "holds" if check.holds else "fails"
    fields = check.measure, check.value, check.ci, check.tolerance
    return Claim("one", "It is so.", check.kind, verdict, *fields, check=source)


@given(SOME, SOME, st.floats(0, 1))
def test_the_stored_numbers_decide_as_the_check_did(xs: list[float], ys: list[float], margin: float) -> None:
    size = min(len(xs), len(ys))
    a, b = np.array(xs[:size]), np.array(ys[:size])
    made = [
        checks.at_most(a, b, margin),
        checks.above(a, b, margin),
        checks.equal(a, b, margin),
        checks.increasing(a, margin),
        checks.same(xs, ys),
        checks.positive_mean(a, margin, 0.9),
        checks.positive_means([a, b], margin, 0.9),
        checks.positive_medians(np.tile(a, 6), margin, 0.9),
        checks.clears("a measure", a[0], (min(a[0], b[0]), max(a[0], b[0])), margin),
        checks.consistent(a, b[0], 0.9),
        checks.same_law(np.abs(a) * 9 + 10, np.abs(b) + 1, 0.1),
    ]
    for check in made:
        assert replay.judged(claimed(check)) == check.holds, check
    for check in made[:4]:
        assert replay.judged(claimed(checks.refuted(check), "checks.refuted(checks.some(x))")) != check.holds
        assert check.holds or replay.judged(claimed(checks.all_of(check))) is (all_margin(check) >= 0)
    for check in made[5:9]:
        turned = checks.refuted(check)
        assert replay.judged(claimed(turned, "checks.refuted(some(x))")) in (None, turned.holds)


def all_margin(check: Check) -> float:
    """What `all_of` stores of one check."""
    found = checks.all_of(check).value
    assert found is not None
    return found


def test_a_check_without_a_number_is_not_judged() -> None:
    assert replay.judged(claimed(Check(True, "proved", "certificate"))) is None
    assert replay.judged(claimed(Check(True, "exact", ""))) is None
    assert replay.judged(claimed(Check(True, "exact", "an unknown measure", 1.0))) is None


CELLS = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A chapter

It is {val}`gap`. {claim}`small` {claim}`shrinks` {claim}`told` {claim}`account`

```{code-cell} ipython3
:tags: [parameters]

seed = 1
```

```{code-cell} ipython3
from rbcore.figures import style

both = ["A -> B -> C", "A -> C -> D"]
```
"""


TOLD = "verify.proved('I(A;D) <= I(A;B)', both)"


@pytest.fixture
def edition(tmp_path: Path) -> tuple[Path, Path]:
    """A checkout with one chapter, and the file of its edition."""
    root = tmp_path / "checkout"
    for place in ("notebooks", "book", "rbcore"):
        (root / place).mkdir(parents=True)
    (root / "rbcore" / "__init__.py").write_text("")
    (root / "rbcore" / "figures.py").write_text("def style():\n    return 1\n")
    (root / "requirements.lock").write_text("numpy==2.3.0\n")
    (root / "notebooks" / "01-one.md").write_text(CELLS)
    proof = theorem("I(A;C) <= I(A;B)", ["A -> B -> C"], np.random.default_rng(0), models=20)
    claims = (
        Claim(
            "small", "It is small.", "exact", "holds", "smallest slack", 0.5, None, 1e-9, check="at_most(x)", cases=1
        ),
        Claim("shrinks", "It shrinks.", "proved", "holds", "certificate", statement=proof.statement, check="it"),
        Claim("told", "It is told.", "proved", "holds", "certificate", check=TOLD),
        Claim(
            "account", "It adds up.", "proved", "holds", "terms left over", 0.0,
            statement="I(A;B) = H(A) - H(A|B)", check="verify.identity(account)",
        ),
    )  # fmt: skip
    claims = tuple(Claim(**(vars(claim) | {"chapter": "01-one"})) for claim in claims)
    payload = json.loads(json.dumps(proof.payload()))
    values = (Value("gap", 0.25, ".2f", "nats", chapter="01-one"),)
    chapter = Chapter("01-one", {"seed": 1}, values, claims, theorems={"shrinks": payload})
    write_pins(root / "book" / "ledger.json", [chapter])
    return root, replay.write(tmp_path / replay.NAME, root, [chapter], {"version": "1"})


def found(edition: dict, root: Path | None = None, pages: Path | None = None) -> set[tuple[str, str]]:
    """What is wrong, by the check that found it and the name of it."""
    return {(fault.kind, fault.name) for fault in replay.replay(edition, root, pages).faults}


def test_an_edition_stands_as_it_was_written(edition: tuple[Path, Path], capsys: pytest.CaptureFixture) -> None:
    root, path = edition
    done = replay.replay(replay.load(path), root)
    assert done.faults == [] and done.unjudged == []
    ((name, claims, proofs, values, _),) = done.rows
    assert (name, claims, proofs, values) == ("01-one", 4, 3, 1), "a proof found anew is stored, too"
    assert replay.run(path, root, None) == 0
    assert "every verdict stands" in capsys.readouterr().out


def test_the_same_edition_makes_the_same_bytes(edition: tuple[Path, Path], tmp_path: Path) -> None:
    root, path = edition
    again = replay.write(tmp_path / "again.gz", root, replay.chapters_of(replay.load(path)), {"version": "1"})
    assert again.read_bytes() == path.read_bytes()


def test_a_changed_number_is_found_and_named(edition: tuple[Path, Path]) -> None:
    root, path = edition
    read = replay.load(path)
    (stored,) = read["chapters"]
    stored["claims"]["small"]["value"] = -0.5
    assert found(read) == {("seal", "claim small"), ("claim", "small")}
    stored["seals"]["claims"]["small"] = replay.seal(stored["claims"]["small"])
    assert found(read) == {("claim", "small")}
    stored["claims"]["small"]["value"] = 0.75  # the verdict stays
    stored["seals"]["claims"]["small"] = replay.seal(stored["claims"]["small"])
    assert found(read) == set() and found(read, root) == {("pin", "claim small")}


def test_a_changed_multiplier_is_found_and_named(edition: tuple[Path, Path]) -> None:
    read = replay.load(edition[1])
    (stored,) = read["chapters"]
    for name in ("shrinks", "told"):
        changed = copy.deepcopy(read)
        (there,) = changed["chapters"]
        step = there["proofs"][name]["certificate"]["proofs"][0][0]
        step[1] = "2" if step[1] != "2" else "3"
        there["seals"]["proofs"][name] = replay.seal(there["proofs"][name])
        assert found(changed) == {("claim", name)}
    stored["proofs"]["shrinks"] = stored["proofs"]["told"]  # a proof, but of something else
    stored["seals"]["proofs"]["shrinks"] = replay.seal(stored["proofs"]["told"])
    assert found(read) == {("claim", "shrinks")}


def test_an_identity_that_is_none_is_found(edition: tuple[Path, Path]) -> None:
    read = replay.load(edition[1])
    (stored,) = read["chapters"]
    stored["claims"]["account"]["statement"] = "I(A;B) = H(A) + H(A|B)"
    assert ("claim", "account") in found(read)
    assert not replay.same_form("this is no statement")


def test_a_missing_proof_or_entry_is_found(edition: tuple[Path, Path]) -> None:
    read = replay.load(edition[1])
    (stored,) = read["chapters"]
    del stored["proofs"]["shrinks"], stored["claims"]["small"]
    assert found(read) == {("seal", "proof shrinks"), ("seal", "claim small")}


def test_changed_code_and_lock_are_found_and_named(edition: tuple[Path, Path]) -> None:
    root, path = edition
    read = replay.load(path)
    module = root / "rbcore" / "figures.py"
    module.write_text('"""A docstring counts for nothing."""\n\n\n' + module.read_text())
    assert found(read, root) == set()
    module.write_text("def style():\n    return 2\n")
    assert found(read, root) == {("code", "key"), ("code", "rbcore/figures.py")}
    read["modules"]["rbcore/figures.py"] = "0" * 20
    assert ("code", "rbcore/figures.py") in found(read, root)
    (root / "requirements.lock").write_text("numpy==2.4.0\n")
    assert ("lock", "requirements.lock") in found(read, root)


def test_text_that_quotes_nothing_known_is_found(edition: tuple[Path, Path]) -> None:
    root, path = edition
    source = root / "notebooks" / "01-one.md"
    source.write_text(source.read_text().replace("{val}`gap`", "0.25, and {val}`gp`"))
    assert {("text", "gp"), ("text", "0.25"), ("text", "gap")} <= found(replay.load(path), root)


def test_pages_that_show_another_number_or_mark_are_found(edition: tuple[Path, Path], tmp_path: Path) -> None:
    pages = tmp_path / "html" / "chapters"
    pages.mkdir(parents=True)
    page = (
        '<p>It is <span class="rb-value">0.25\u00a0nats</span>'
        '<a class="reference" href="../ledger.html#claim-small" title="x"><span class="rb-badge rb-holds">'
    )
    (pages / "01-one.html").write_text(page)
    read = replay.load(edition[1])
    assert found(read, pages=pages.parent) == set()
    (pages / "01-one.html").write_text(page.replace("0.25", "0.26").replace("rb-holds", "rb-fails"))
    assert found(read, pages=pages.parent) == {("page", "0.26\u00a0nats"), ("page", "small")}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "damaged"),
        (b"not gzip", "damaged"),
        (gzip.compress(b"{"), "damaged"),
        (gzip.compress(b"[]"), "format list"),
        (gzip.compress(b'{"format": 99}'), "format 99"),
        (gzip.compress(b'{"format": 1}'), "holds no chapters"),
        (gzip.compress(b'{"format": 1, "chapters": [{"values": {"a": {"b": 1}}}]}'), "no result"),
    ],
    ids=["empty", "no archive", "no JSON", "a list", "a later format", "no chapters", "no result"],
)
def test_what_is_no_replay_file_is_refused(raw: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json.gz"
    path.write_bytes(raw)
    with pytest.raises(replay.ReplayError, match=said):
        replay.run(path, None, None)


def test_a_file_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["replay", "--file", str(tmp_path / "none.json.gz")]) == 1
    assert "`make book` writes it" in capsys.readouterr().err


@pytest.mark.book
def test_the_book_replays(built_book: Path, capsys: pytest.CaptureFixture) -> None:
    """Verdicts, proofs, code, pins, text and pages of the whole book; nearly every claim is judged."""
    path = built_book.parent / replay.NAME
    assert replay.run(path, ROOT, built_book) == 0, capsys.readouterr().err
    done = replay.replay(replay.load(path))
    assert sum(row.claims for row in done.rows) > 600 and len(done.unjudged) < 3
    assert path.stat().st_size < 400_000
    page = built_book / "chapters" / "02-two-divergences.html"
    assert len(replay.VALUE.findall(page.read_text())) > 20 and len(replay.BADGE.findall(page.read_text())) > 20
