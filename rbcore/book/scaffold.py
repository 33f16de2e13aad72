"""A new chapter that builds as it is: a theorem with certificate, a figure, claims, exercises, slides.

:func:`write` puts the notebook into `notebooks/`, its deck into `book/slides/`, its page into the table of
contents and its row into the table of the README, all of it or nothing.  The templates, `new-chapter.md` and
`new-deck.md`, say what goes where; their example is a word that is passed on through noisy steps.
"""

from __future__ import annotations

import re
from pathlib import Path

from rbcore.book import agree, prose
from rbcore.book.execute import notebooks
from rbcore.files import replace_files

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST_NAME, LONGEST_TITLE = 30, 80  # so that lines of the template keep their form
FORBIDDEN = re.compile(r"[\\`{}|<>#*_$\[\]\x00-\x1f\x7f]")  # they would mean something in Markdown or in the table
ENTRY = re.compile(r"(?m)^( *)- file: chapters/\d\d-[a-z0-9-]+\n")
ROW = re.compile(r"(?m)^\| \d\d \|.*\n")
PINS = "book/ledger.json"

TEMPLATES = {
    "chapter": Path(__file__).with_name("new-chapter.md"),
    "deck": Path(__file__).with_name("new-deck.md"),
}


class ScaffoldError(ValueError):
    """A chapter that cannot be added; the message says what would be right."""


def filled(name: str, title: str, number: int, what: str = "chapter") -> str:
    """The notebook of a chapter, or its ``deck`` of slides."""
    text = TEMPLATES[what].read_text(encoding="utf8")
    return text.replace("@name", name).replace("@title", title).replace("@seed", str(number))


def write(root: Path, name: str, title: str) -> Path:
    """Add a chapter to the checkout `root`, as the last one before the appendices; its path.

    Args:
        name: lower-case words joined by hyphens, ``my-chapter``; labels and results of the chapter begin with it.
        title: its heading, also in the tables.

    Raises:
        ScaffoldError: for a name or a title that does not fit or exists; nothing is written then.
    """
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ScaffoldError(
            f"CHAPTER={name!r}: a name is lower-case words joined by hyphens, such as my-chapter, "
            f"without its number; {LONGEST_NAME} characters at most"
        )
    title = title.strip()
    if not title or len(title) > LONGEST_TITLE or title != " ".join(title.split()) or FORBIDDEN.search(title):
        raise ScaffoldError(
            f'TITLE={title!r}: a title is one line of plain text, such as TITLE="My chapter", '
            f"{LONGEST_TITLE} characters at most"
        )
    if prose.typed_numbers("", f"# {title}"):
        raise ScaffoldError(f"TITLE={title!r}: a title holds no decimal number or percentage")
    _refuse_taken(root, name, title)
    contents, readme = (root / "book" / "_toc.yml", root / "README.md")
    number = 1 + max(
        (int(path.stem[:2]) for path in notebooks(root) if path.stem[:2].isdigit()), default=0
    )  # fmt: skip
    if number > 99:
        raise ScaffoldError("there are 99 chapters, and a number has two digits")
    target = root / "notebooks" / f"{number:02d}-{name}.md"
    replace_files(
        {
            target: filled(name, title, number),
            root / "book" / "slides" / f"{number:02d}.md": filled(name, title, number, "deck"),
            contents: _after_last(contents, ENTRY, f"- file: chapters/{target.stem}\n"),
            readme: _after_last(readme, ROW, f"| {number:02d} | {title} | what it shows, in one line |\n"),
        }
    )
    return target


def _refuse_taken(root: Path, name: str, title: str) -> None:
    """Raise if a chapter, a label or a result has this name already."""
    for path in [*notebooks(root), *sorted((root / "book").glob("*.md"))]:
        text = path.read_text(encoding="utf8")
        taken = [f"thm-{name}", f"fig-{name}", f"ex-{name}-equal", f"task-{name}-left"]
        if path.stem.partition("-")[2] == name or path.stem == name or f"({name})=" in text:
            raise ScaffoldError(f"CHAPTER={name}: {path.name} has this name; choose another")
        if found := [label for label in taken if re.search(rf"(?m)[:\s]{label}\s*$", text)]:
            raise ScaffoldError(f"CHAPTER={name}: {path.name} has the label {found[0]}; choose another name")
        if re.search(rf"(?mi)^# {re.escape(title)}$", text):
            raise ScaffoldError(f"TITLE={title!r}: {path.name} has this title; choose another")
    pins = agree.read_pins(root / PINS)
    results = sorted(one for part in ("values", "claims") for one in pins[part] if one.startswith(f"{name}-"))
    if results:
        raise ScaffoldError(f"CHAPTER={name}: results such as {results[0]!r} begin with it; choose another name")


def _after_last(path: Path, pattern: re.Pattern[str], line: str) -> str:
    """The file with a line more, indented as the last one that matches.

    Raises:
        ScaffoldError: when the file has no such line.
    """
    text = path.read_text(encoding="utf8")
    found = list(pattern.finditer(text))
    if not found:
        raise ScaffoldError(f"{path.name} lists no chapter, so a new one has no place in it")
    indent = found[-1][1] if pattern.groups else ""
    return text[: found[-1].end()] + indent + line + text[found[-1].end() :]
