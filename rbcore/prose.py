"""Read the book's text: where a number is typed by hand, and which sentence quotes which result.

Prose is what a reader reads: the Markdown of pages and notebooks, captions and alternative texts, and the contents
of theorem boxes and other directives.  Code blocks, roles, links and citations are not prose.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from rbcore.ledger import ROLE

DECIMAL = r"(?<![\w.])(?:\d+\.\d+|\.\d+)(?:e[+-−]?\d+)?(?![\w]|\.\d)"
SCIENTIFIC = r"(?<![\w.])\d+e[+-−]?\d+(?!\w)"
PERCENTAGE = r"(?<![\w.])\d+(?:\.\d+)?\s*(?:\\?%|per\s?cent\b|\{?\\%\}?)"
NUMBER = re.compile(f"{PERCENTAGE}|{SCIENTIFIC}|{DECIMAL}")
CAPTION_KEYS = ("caption", "alt")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class Line(NamedTuple):
    """One line of prose with its number in the file (from 1)."""

    number: int
    text: str


class TypedNumber(NamedTuple):
    """A number in prose that no run stands behind."""

    file: str
    line: int
    number: str
    sentence: str


class Quote(NamedTuple):
    """A sentence that uses a role, and where it stands."""

    role: str
    name: str
    file: str
    line: int
    sentence: str


class Allowed(NamedTuple):
    """An entry of the allow-list: `text` may stand in files that match `file`, for `reason`."""

    file: str
    text: str
    reason: str


def prose_lines(text: str) -> Iterator[Line]:
    """The prose of a MyST file, line by line: code blocks skipped, but captions and alternative texts kept."""
    lines = text.split("\n")
    start = 0
    if lines and lines[0].strip() == "---":  # the file's own metadata
        start = next((i + 1 for i, line in enumerate(lines[1:], 1) if line.strip() == "---"), 0)
    fence, in_code, in_yaml, caption_indent = "", False, False, -1
    for number, line in enumerate(lines[start:], start + 1):
        opening = re.match(r"\s*(`{3,}|~{3,}|:{3,})\s*(\{[^}]*\})?(.*)", line)
        if not in_code and opening and (opening[2] or opening[3].strip() or opening[1][0] in "`~"):
            closing = not opening[2] and not opening[3].strip()
            name = (opening[2] or "").strip("{}")
            if not closing and (not name or name in ("code-cell", "code", "code-block", "math-code")):
                in_code, fence, in_yaml, caption_indent = True, opening[1], False, -1
            elif opening[2] and opening[3].strip():
                yield Line(number, opening[3])  # the title of a theorem box
            continue
        if in_code:
            if line.strip() == fence:
                in_code = False
            elif line.strip() == "---":
                in_yaml, caption_indent = not in_yaml, -1
            elif in_yaml:
                indent = len(line) - len(line.lstrip())
                key = re.match(r"\s*(\w+):\s*[|>]?-?\s*(.*)", line)
                if caption_indent >= 0 and (indent > caption_indent or not line.strip()):
                    yield Line(number, line)
                elif key and key[1] in CAPTION_KEYS:
                    caption_indent = indent
                    yield Line(number, key[2])
                else:
                    caption_indent = -1
            continue
        if re.match(r"\s*:(label|name|class|nonumber|width|height|align|file|target|figclass):", line):
            continue
        yield Line(number, re.sub(r"^\s*:(alt|caption):", "", line))


def without_references(text: str) -> str:
    """`text` with roles, link targets and labels blanked, lengths kept."""

    def blank(match: re.Match[str]) -> str:
        return " " * len(match.group(0))

    text = re.sub(r"\{(?!math|alt)[\w:.-]+\}`[^`]*`", blank, text)
    text = re.sub(r"(?<=\])\([^)\s]*\)", blank, text)
    return re.sub(r"https?://\S+|^\([\w-]+\)=", blank, text)


def typed_numbers(
    file: str, text: str, allowed: Sequence[Allowed] = (), used: set[Allowed] | None = None
) -> list[TypedNumber]:
    """Decimal numbers and percentages in the prose of `text`; those that `allowed` covers are added to `used`."""
    found = []
    lines = list(prose_lines(text))
    for number, line in lines:
        visible = without_references(line)
        for match in NUMBER.finditer(visible):
            cover = next(
                (a for a in allowed if fnmatch.fnmatch(file, a.file) and _covers(a, visible, match)), None
            )
            if cover is None:
                found.append(TypedNumber(file, number, match.group(0), sentence_at(lines, number, match.group(0))))
            elif used is not None:
                used.add(cover)
    return found


def _covers(entry: Allowed, line: str, match: re.Match[str]) -> bool:
    """The allowed text stands in the line around the number (so "Python 3.11" does not allow a bare 3.11)."""
    return any(
        m.start() <= match.start() and match.end() <= m.end() for m in re.finditer(re.escape(entry.text), line)
    )


def quotes(file: str, text: str) -> list[Quote]:
    """Each use of a ledger role in the prose of `text`, with its sentence."""
    lines = list(prose_lines(text))
    found = []
    for number, line in lines:
        for match in ROLE.finditer(line):
            role, name = match.groups()
            found.append(Quote(role, name.strip(), file, number, sentence_at(lines, number, match.group(0))))
    return found


def sentence_at(lines: Sequence[Line], number: int, needle: str) -> str:
    """The sentence of the paragraph around line `number` that holds `needle`."""
    index = next(i for i, line in enumerate(lines) if line.number == number)
    first = last = index
    while first > 0 and lines[first - 1].text.strip() and lines[first - 1].number == lines[first].number - 1:
        first -= 1
    while (
        last + 1 < len(lines) and lines[last + 1].text.strip() and lines[last + 1].number == lines[last].number + 1
    ):
        last += 1
    paragraph = " ".join(line.text.strip() for line in lines[first : last + 1])
    return next((s for s in SENTENCE_END.split(paragraph) if needle in s), paragraph)


def load_allowed(path: Path) -> list[Allowed]:
    """Read the allow-list: a YAML list of entries with `file`, `text` and a `reason`.

    Raises:
        ValueError: for an entry that lacks one of the three.
    """
    entries = yaml.safe_load(path.read_text(encoding="utf8")) or [] if path.exists() else []
    for entry in entries:
        if not all(str(entry.get(key, "")).strip() for key in ("file", "text", "reason")):
            raise ValueError(f"{path}: an entry needs 'file', 'text' and a 'reason', got {entry}")
    return [Allowed(str(e["file"]), str(e["text"]), str(e["reason"])) for e in entries]


def book_texts(root: Path) -> Iterable[tuple[str, str]]:
    """The name and text of each source that a reader reads: chapters, pages, and the README."""
    paths = [
        *sorted((root / "notebooks").glob("*.md")),
        *sorted((root / "book").glob("*.md")),
        root / "README.md",
    ]
    for path in paths:
        if path.exists():
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf8")
