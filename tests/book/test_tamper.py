"""Tampering with the book: whatever makes text and numbers disagree is caught by the check that is meant for it.

Each case copies the book with its executed notebooks, changes one thing, and lets the copy's own code run and
check it.  What is changed is picked from the sources and the pins, so the chapters may be rewritten freely.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rbcore.book import prose
from rbcore.book.execute import ROOT

pytestmark = pytest.mark.book
PARTS = ("rbcore", "notebooks", "book", "requirements.lock", "README.md", "pyproject.toml")
AGAIN = """
import json, sys
from pathlib import Path
from rbcore.book import cli
root = Path.cwd()
assert Path(cli.__file__).is_relative_to(root)
chapters = cli.run_chapters(root)[1]
wrong, moved = cli.compare(root, chapters)
Path("found.json").write_text(json.dumps([p._asdict() for p in [*wrong, *moved]]))
print(cli.agree.report([*wrong, *moved]))
sys.exit(bool(wrong or moved))
"""


@dataclass
class Book:
    """A copy of the book, and what the cases need to know of it."""

    root: Path

    @property
    def pins(self) -> dict:
        return json.loads((self.root / "book/ledger.json").read_text(encoding="utf8"))

    def quotes(self) -> list[prose.Quote]:
        return [quote for file, text in prose.book_texts(self.root) for quote in prose.quotes(file, text)]

    def edit(self, file: str, change: Callable[[str], str]) -> None:
        path = self.root / file
        before = path.read_text(encoding="utf8")
        after = change(before)
        assert after != before, f"the tampering changed nothing in {file}"
        path.write_text(after, encoding="utf8")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(self.root)}
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=1200,
        )

    def calls(self, function: str) -> Iterator[tuple[str, str, str]]:
        """Each ``function("name", ...)`` of the notebooks: file, name, and the text of the call."""
        for path in sorted((self.root / "notebooks").glob("*.md")):
            text = path.read_text(encoding="utf8")
            for match in re.finditer(rf'^{function}\(\s*"([^"]+)"', text, re.MULTILINE):
                yield f"notebooks/{path.name}", match[1], text[match.start() : closing(text, match.start())]


def closing(text: str, start: int) -> int:
    """The index after the bracket that closes the first one from `start`."""
    depth = 0
    for index in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0 and text[index] == ")":
            return index + 1
    raise AssertionError("a bracket is not closed")


def a_value(book: Book) -> tuple[str, str, str, prose.Quote]:
    """A float that its own chapter records exactly, formats and quotes: file, name, call and quote."""
    quotes = [q for q in book.quotes() if q.role == "val"]
    for file, name, call in book.calls("record"):
        pin = book.pins["values"][name]
        quote = next((q for q in quotes if q.name == name and q.file == file), None)
        if quote and isinstance(pin["value"], float) and pin["kind"] == "exact" and 'fmt=".' in call:
            return file, name, call, quote
    raise AssertionError("no chapter quotes an exact value")


def a_claim(book: Book, wanted: str = "") -> tuple[str, str, str]:
    """A claim with `wanted` in its call that one place of its own chapter quotes: file, id and call."""
    for file, name, call in book.calls("claim"):
        quoted = [q.file for q in book.quotes() if q.name == name and q.role in ("claim", "statement")]
        if quoted == [file] and wanted in call:
            return file, name, call
    raise AssertionError(f"no claim is quoted once and has {wanted!r}")


# --- the tamperings ----------------------------------------------------------------------------------

# `found by`, the name ("*" for any), what the sentence that is shown must hold, and what else must be true
Expected = tuple[str, str, str, Callable[[dict], bool]]


def pinned_value(book: Book) -> Expected:
    _, name, _, quote = a_value(book)
    pins = book.pins
    pins["values"][name]["value"] *= 1.001
    book.edit("book/ledger.json", lambda _: json.dumps(pins))
    return "value", name, quote.sentence, lambda p: p["pinned"] != p["fresh"]


def number_in_a_chapter(book: Book) -> Expected:
    *_, quote = a_value(book)
    line = insert_line(book, quote.file, quote.line, "By hand: 0.4242.")
    return "prose", "0.4242", "By hand: 0.4242.", lambda p: p["where"] == f"{quote.file}:{line}"


def number_in_a_page(book: Book) -> Expected:
    page, text = next((file, text) for file, text in prose.book_texts(book.root) if file == "book/rerun.md")
    title = next(line.number for line in prose.prose_lines(text) if line.text.startswith("# "))
    line = insert_line(book, page, title, "It fell by 12 %.")
    return "prose", "12 %", "It fell by 12 %.", lambda p: p["where"] == f"{page}:{line}"


def insert_line(book: Book, file: str, after: int, line: str) -> int:
    """The number of the new line."""
    book.edit(file, lambda text: "\n".join([*text.split("\n")[:after], line, *text.split("\n")[after:]]))
    return after + 1


def false_predicate(book: Book) -> Expected:
    file, name, call = a_claim(book, "verify.satisfied(")
    book.edit(file, lambda t: t.replace(call, call.replace("verify.satisfied(", "verify.violated(")))
    return "claim", name, book.pins["claims"][name]["sentence"], lambda p: p["fresh"].startswith("fails")


def weaker_predicate(book: Book) -> Expected:
    file, name, call = a_claim(book, "verify.satisfied(")
    end = closing(call, call.index("verify.satisfied(")) - 1
    book.edit(file, lambda t: t.replace(call, f"{call[:end]}, tol=0.001{call[end:]}"))
    return "claim", name, book.pins["claims"][name]["sentence"], lambda p: "tol=0.001" in p["fresh"]


def misspelt_role(book: Book) -> Expected:
    file, name, _, quote = a_value(book)
    book.edit(file, lambda t: t.replace(f"{{val}}`{name}`", f"{{val}}`{name[:-1]}`"))
    sentence = quote.sentence.replace(f"{{val}}`{name}`", f"{{val}}`{name[:-1]}`")
    return (
        "role",
        name[:-1],
        sentence,
        lambda p: f"did you mean '{name}'?" in p["remedy"] and p["where"] == f"{file}:{quote.line}",
    )


def other_seed(book: Book) -> Expected:
    file = next(f"notebooks/{p.name}" for p in sorted((book.root / "notebooks").glob("*.md")))
    book.edit(file, lambda t: re.sub(r"(?m)^seed = \d+", "seed = 4242", t, count=1))
    return "parameter", "seed", "", lambda p: p["fresh"] == "4242" and p["where"] == Path(file).stem


def other_formula(book: Book) -> Expected:
    """The expected excess risk takes the forecasts for a little less smooth than they are."""
    book.edit(
        "rbcore/theory/posttrain.py", lambda t: t.replace("(n * law + smoothing)", "(n * law + 0.99 * smoothing)")
    )
    return "value", "*", "", lambda p: p["pinned"] != p["fresh"] and f"`{p['name']}`" in p["sentence"]


def unquoted_value(book: Book) -> Expected:
    file, _, call, _ = a_value(book)
    book.edit(file, lambda t: t.replace(call, f'record("nobody-quotes-this", 1)\n{call}'))
    return "unused", "nobody-quotes-this", "", lambda p: p["where"] == Path(file).stem


def reworded_claim(book: Book) -> Expected:
    file, name, call = a_claim(book)
    book.edit(file, lambda t: t.replace(call, re.sub(rf'("{name}",\s*")', r"\g<1>In truth: ", call)))
    return (
        "claim",
        name,
        "In truth: ",
        lambda p: p["pinned"] == f"sentence: {book.pins['claims'][name]['sentence']}",
    )


def claim_out_of_the_text(book: Book) -> Expected:
    file, name, _ = a_claim(book)
    book.edit(file, lambda t: re.sub(rf"\{{(claim|statement)\}}`{name}`", "", t))
    return "unused", name, "", lambda p: p["fresh"] == book.pins["claims"][name]["sentence"]


def needless_exception(book: Book) -> Expected:
    entry = '- {file: "*", text: "Version 42.42", reason: none at all}\n'
    book.edit("book/prose-allow.yml", lambda t: t + entry)
    return "prose", "Version 42.42", "", lambda p: p["where"] == "book/prose-allow.yml"


def other_format(book: Book) -> Expected:
    file, name, call, quote = a_value(book)
    book.edit(file, lambda t: t.replace(call, re.sub(r'fmt="[^"]*"', 'fmt=".7f"', call)))
    return "value", name, quote.sentence, lambda p: p["fresh"] == "fmt: .7f"


def other_coefficient(book: Book) -> Expected:
    """The statement of a claim gets a factor on its right-hand side, wherever its chapter writes it."""
    early = sorted(
        book.pins["claims"].items(), key=lambda item: item[1]["chapter"]
    )  # the late chapters take minutes
    for name, pin in early:
        file, statement = f"notebooks/{pin['chapter']}.md", pin.get("statement", "")
        if not pin["check"].startswith("verify."):
            continue  # a theorem: see below
        changed = re.sub(r"(<=|>=|=) (?=[HI]\()", r"\1 2 ", statement)
        if changed != statement and f'"{statement}"' in (book.root / file).read_text(encoding="utf8"):
            book.edit(file, lambda t, old=statement, new=changed: t.replace(f'"{old}"', f'"{new}"'))
            return "claim", name, pin["sentence"], lambda p, new=changed: p["fresh"] == f"statement: {new}"
    raise AssertionError("no claim has a statement to tamper with")


def a_theorem(book: Book, change: str) -> tuple[str, str, str]:
    """An inequality that a notebook hands to `theorem` as a plain string, and the same with another constant."""
    for path in sorted((book.root / "notebooks").glob("*.md")):
        for statement in re.findall(r'theorem\(\s*"([^"]+ <= [^"<>=]+)"', path.read_text(encoding="utf8")):
            smaller, larger = statement.split(" <= ")
            return f"notebooks/{path.name}", statement, f"{smaller} <= {change} ({larger})"
    raise AssertionError("no notebook hands an inequality to theorem()")


def weaker_theorem(book: Book) -> Expected:
    """It is still true and proved, but it is not what the text was written for."""
    file, statement, weaker = a_theorem(book, "2")
    book.edit(file, lambda t: t.replace(f'"{statement}"', f'"{weaker}"'))
    name = next(name for name, pin in book.pins["claims"].items() if pin.get("statement") == statement)
    return "claim", name, "", lambda p: p["fresh"] == f"statement: {weaker}"


def reworded_sentence(book: Book) -> Expected:
    """A sentence of a chapter says the opposite, and no role stands in it."""
    file, sentence = next(
        (file, sentence)
        for file, text in prose.book_texts(book.root)
        for sentence in prose.sentences(prose.prose_lines(text))
        if " at least " in sentence.text and "`" not in sentence.text and sentence.text in text
    )
    says = sentence.text.replace(" at least ", " at most ", 1)
    book.edit(file, lambda t: t.replace(sentence.text, says, 1))
    place = f"{file}:{sentence.first}"
    return "sentence", "prose", says, lambda p: p["where"] == place and "at least" in p["pinned"]


ROUNDS = (  # made at once, since none touches what another of its round is about
    (pinned_value, number_in_a_page, false_predicate, other_coefficient),
    (number_in_a_chapter, weaker_predicate, needless_exception, weaker_theorem),
    (misspelt_role, reworded_sentence, other_seed),
    (unquoted_value, claim_out_of_the_text, other_formula),
    (other_format, reworded_claim),
)


@pytest.fixture(scope="session")
def executed(built_book, tmp_path_factory) -> Book:
    """A copy of the book, executed; it agrees, or no tampering could be told from what was there."""
    root = tmp_path_factory.mktemp("tamper") / "book"
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("_build", "__pycache__"))
        else:
            shutil.copy2(ROOT / part, root / part)
    shutil.copytree(built_book.parent / "cache", root / "book/_build/cache")
    done = Book(root).run("-c", AGAIN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "executing" not in done.stderr, "all of it came out of the cache"
    return Book(root)


@pytest.mark.parametrize("tamperings", ROUNDS, ids=lambda some: "-".join(t.__name__ for t in some))
def test_tampering_is_caught(executed, tmp_path, tamperings):
    shutil.copytree(executed.root, tmp_path / "book")
    book = Book(tmp_path / "book")
    expected = [tampering(book) for tampering in tamperings]
    done = book.run("-c", AGAIN)
    assert (book.root / "found.json").exists(), done.stderr
    found = json.loads((book.root / "found.json").read_text())
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{len(found)} problem" in done.stdout
    for found_by, name, sentence, test in expected:
        here = [p for p in found if p["found_by"] == found_by and name in ("*", p["name"])]
        assert here, done.stdout
        assert any(test(p) for p in here), done.stdout
        assert all(sentence in p["sentence"] for p in here), done.stdout


def test_a_theorem_that_is_false_stops_its_chapter(executed, tmp_path):
    """One coefficient of one statement is changed: the run names the notebook, the cell and a distribution."""
    shutil.copytree(executed.root, tmp_path / "book")
    book = Book(tmp_path / "book")
    file, statement, false = a_theorem(book, "1/2")
    book.edit(file, lambda t: t.replace(f'"{statement}"', f'"{false}"'))
    done = book.run("-c", AGAIN)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert Path(file).name in said and false in said and "is false" in said and "violation:" in said, said
