"""Read the book's text: where a number is typed by hand, and which sentence quotes which result.

Decimals, percentages and powers are results wherever they stand.  An integer, or a number in words, is one where
it reads as such (:mod:`rbcore.book.numbers`) and the text says what was found: not in statements, proofs,
exercises, or on pages for teachers.  Prose is what a reader reads: the Markdown of pages and notebooks, captions
and alternative texts, and the contents of theorem boxes and other directives.  Code blocks, roles, links and
citations are not prose.
"""

from __future__ import annotations

import bisect
import fnmatch
import html
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from rbcore.book import numbers
from rbcore.book.ledger import ROLE, LedgerError

# A number begins outside a word (Qwen2.5) and outside a version (the 2.3 of 1.2.3); letters may follow (0.37nats).
_START = r"(?<![^\W_])(?<!\d\.)"
_GAP = r"(?:[-\s~{}$*_`]|\\[,;:! ])*"  # between a number and its percent sign: `$5\,\%$`, `**5** %`
PERCENTAGE = rf"{_START}\d+(?:[.,]\d+)*{_GAP}(?:\\?[%‰]|per[-\s]?cent(?:\b|age))"
POWER = rf"{_START}\d+(?:\.\d+)?\s*[×·]\s*10\s*[\^⁻⁰¹²³⁴-⁹]"
SCIENTIFIC = rf"{_START}\d+e[-+−]?\d+(?![^\W_])"
DECIMAL = rf"{_START}(?:\d+(?:\.|\{{\.\}})\d+|(?<!\.)\.\d+)(?:e[-+−]?\d+)?(?!\d|\.\d)"
DECIMAL_COMMA = rf"{_START}(?<![\[({{,])0(?:,|\{{,\}}|·)\d{{2,}}(?![\d,\])}}])"  # but not the interval [0,10]
NUMBER = re.compile("|".join((PERCENTAGE, POWER, SCIENTIFIC, DECIMAL, DECIMAL_COMMA)))

CAPTION_KEYS = ("caption", "alt")
CURVE = re.compile(r"\{curve\}`([^`<]+?)(\s*<([^`]*)>)`")  # words about a curve (rbcore.book.directions)
FENCE = re.compile(r"\s*(`{3,}|~{3,}|:{3,})\s*(?:\{([^}]*)\})?(.*)")
CODE = ("code-cell", "code", "code-block", "sourcecode", "literalinclude")
NO_TITLE = ("figure", "image", "include", "touch", "grid", "figure-of")  # what follows their name is no text
FORMULAS = {"math", "formula"}  # directives: their numbers are not words
# Where numbers are given and not found: statements and exercises, and pages on how to use the book.
GIVEN = re.compile(r"prf:.*|exercise|solution|task")
MANUALS = ("book/course/*", "book/teach.md", "book/audit-tool.md", "book/notation.md", "book/new-chapter.md")
SHOWN_ROLES = re.compile(r"math|alt|abbr|su[bp]|su(b|per)script|strong|emphasis|del|u|kbd|code|literal|samp|eval")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=\x00)\s+(?=[A-Z{])")  # \x00 marks the end of a claim, a sentence too
BLOCK_START = re.compile(r"\s*([-*+]\s|\d+[.)]\s|\||>|#+\s)")  # a list item, a table row, a quotation, a heading


class Line(NamedTuple):
    """One line of prose with its number in the file (from 1)."""

    number: int
    text: str


class Sentence(NamedTuple):
    """A sentence of prose on one line, with the numbers of the lines of the file that it begins and ends in."""

    first: int
    last: int
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


def without_curves(text: str) -> str:
    """The text with the words of its ``{curve}`words <where>``` alone; lines stay as they are."""
    return CURVE.sub(lambda match: match[1] + "".join(re.findall(r"\n\s*", match[2])), text)


def prose_lines(text: str) -> Iterator[Line]:
    """The prose of a MyST file, line by line: code blocks skipped, but captions and alternative texts kept."""
    return (line for line, _ in _lines_within(text))


def _lines_within(text: str) -> Iterator[tuple[Line, tuple[str, ...]]]:
    """The lines of prose, each with the names of the directives around it."""
    lines = without_curves(text).split("\n")
    start = 0
    if lines[0].strip() == "---":  # the file's own metadata
        start = next((i + 1 for i, line in enumerate(lines[1:], 1) if line.strip() == "---"), 0)
    directives: list[str] = []  # the fences of the directives around this line, whose contents are prose
    names: tuple[str, ...] = ()  # and what they are
    code = ""  # the fence of the code block around it
    header, caption = "", -1  # in the head of a directive: "options" or "yaml"; the indent of a caption in it
    for number, line in enumerate(lines[start:], start + 1):
        if header == "yaml":
            key = re.match(r"\s*(\w+):\s*[|>]?-?\s*(.*)", line)
            indent = len(line) - len(line.lstrip())
            if line.strip() == "---":
                header = ""
            elif caption >= 0 and (indent > caption or not line.strip()):
                yield Line(number, line), names
            elif key and key[1] in CAPTION_KEYS:
                caption = indent
                yield Line(number, key[2]), names
            else:
                caption = -1
            continue
        if header == "options":
            option = re.match(r"\s*:([\w-]+):(.*)", line)
            if option and option[1] in CAPTION_KEYS:
                yield Line(number, option[2]), names
            if option:
                continue
            header, caption = ("yaml", -1) if line.strip() == "---" else ("", -1)
            if header:
                continue
        if code:
            code = "" if closes(line, code) else code
            continue
        if directives and closes(line, directives[-1]):
            if names[-1] == "formula":
                yield Line(number, "$$"), names
            directives.pop()
            names = names[:-1]
            continue
        fence, name, title = opens(line) or ("", None, "")
        if not fence:
            if not re.match(r" {0,3}%", line):  # a comment
                yield Line(number, line), names
        elif name is None or name in CODE:
            code, header = fence, "" if name is None else "options"
        else:
            directives.append(fence)
            names = (*names, name)
            header = "options"
            if name == "formula":  # displayed mathematics under a name that nobody reads
                yield Line(number, "$$"), names
            elif title.strip() and name not in NO_TITLE:
                yield Line(number, title), names


def opens(line: str) -> tuple[str, str | None, str] | None:
    """The fence of a line that opens a block, the directive's name where it is one, and what follows."""
    opening = FENCE.match(line)
    fence, name, title = opening.groups() if opening else ("", None, "")
    if not opening or (fence[0] == "`" and "`" in title) or (fence[0] == ":" and name is None):
        return None
    return fence, name, title


def closes(line: str, fence: str) -> bool:
    """Whether a line closes the block that `fence` opened."""
    return len(line.strip()) >= len(fence) and set(line.strip()) == {fence[0]}


def without_references(text: str) -> str:
    """`text` as a reader sees it: without the targets of roles and links, labels and typesetting commands."""
    text = _characters(text)
    text = re.sub(r"(\{[\w-]+\}`[^`<]*)<[^>`]*$", r"\1", text)  # of a role that goes on in the next line,
    text = re.sub(r"\{([\w:.-]+)\}`([^`]*)`", _shown_of_role, text)
    text = re.sub(r"<[^<>`]*>`", " ", text)  # and of one that began in the line before
    text = re.sub(r"(?<=\])\((?:<[^>]*>|[^)\s]*)", " ", text)
    text = re.sub(r"https?://[^\s)>\]]+|^\([\w.:-]+\)=|(?i:\b(?:arxiv|doi):\s?\S+)", " ", text)
    text = re.sub(r"\b(?:width|height|style)=(?:\"[^\"]*\"|[^\s>}]+)", " ", text)
    text = re.sub(r"\\[hv]space\*?\{[^}]*\}|\\\\\[[^\]]*\]", " ", text)
    return re.sub(r"\\[A-Za-z]+", " ", re.sub(r"\\(?:times|cdot)(?![A-Za-z])", "×", text))


def _characters(text: str) -> str:
    """`text` without HTML entities, characters of no width, and wide forms."""
    text = re.sub(r"[\u00ad\u200b-\u200d\u2060\ufeff]", "", html.unescape(text))
    return re.sub(r"[！-～]", lambda wide: unicodedata.normalize("NFKC", wide[0]), text)


def _shown_of_role(match: re.Match[str]) -> str:
    """What a role shows of its own text: all of it, or the title of a reference, ``{doc}`title <target>```."""
    name, content = match.groups()
    title = re.fullmatch(r"(.*?)<[^>]*>", content)
    return f" {content if SHOWN_ROLES.fullmatch(name) else title[1] if title else ''} "


def typed_numbers(
    file: str, text: str, allowed: Sequence[Allowed] = (), used: set[Allowed] | None = None, words: bool = True
) -> list[TypedNumber]:
    """Numbers in the prose of `text` that read as results; those that `allowed` covers are added to `used`.

    Args:
        words: look for integers and numbers in words, too, and not for decimals, percentages and powers alone.
    """
    found = []
    placed = list(_lines_within(text))
    lines = [line for line, _ in placed]
    here = [entry for entry in allowed if fnmatch.fnmatch(file, entry.file)]
    words = words and not any(fnmatch.fnmatch(file, pattern) for pattern in MANUALS)
    displayed = False  # between two lines $$
    for (number, line), within in placed:
        visible = without_references(line)
        matches = [(visible, match) for match in NUMBER.finditer(visible)]
        displayed ^= line.count("$$") % 2 == 1
        if words and not displayed and not FORMULAS & set(within):
            matches += _in_words(line, any(GIVEN.fullmatch(name) for name in within))
        for shown, match in matches:
            cover = next((entry for entry in here if _covers(entry, shown, match)), None)
            if cover is None:
                needle = match[0] if match[0] in line else line.strip()
                found.append(TypedNumber(file, number, match[0], sentence_at(lines, number, needle)))
            elif used is not None:
                used.add(cover)
    return found


def _in_words(line: str, given: bool) -> list[tuple[str, re.Match[str]]]:
    """Integers and numbers in words of a line that read as results, each with the text it stands in.

    Where numbers are `given`, those in digits outside formulas alone, and no single digit.
    """
    shown = re.sub(r"\$[^$]*\$", "x", line) if given else line
    shown = without_references(numbers.readable(_characters(shown)))
    decimals = [match.span() for match in NUMBER.finditer(shown)]
    found = [m for m in numbers.results_in(shown) if not given or re.search(r"[½⅓⅔¼¾]|\d.", m[0])]
    return [(shown, m) for m in found if not any(a < m.end() and m.start() < b for a, b in decimals)]


def _covers(entry: Allowed, line: str, match: re.Match[str]) -> bool:
    """The allowed text stands in the line around the number (so "Python 3.11" does not allow a bare 3.11)."""
    texts = {without_references(entry.text), without_references(numbers.readable(entry.text))}
    found = (m for text in texts if text.strip() for m in re.finditer(re.escape(text), line, re.IGNORECASE))
    return any(m.start() <= match.start() and match.end() <= m.end() for m in found)


def quotes(file: str, text: str) -> list[Quote]:
    """Each use of a ledger role in the prose of `text`, with its sentence; in ``double backticks`` it is code."""
    lines = list(prose_lines(text))
    found = []
    for number, line in lines:
        for match in ROLE.finditer(re.sub(r"(?<!`)``(?!`).+?(?<!`)``(?!`)", " ", line)):
            role, name = match.groups()
            found.append(Quote(role, name.strip(), file, number, sentence_at(lines, number, match.group(0))))
    return found


def paragraphs(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """The lines of some prose by paragraph; a heading, a list item and a row of a table are one each."""
    paragraph: list[Line] = []
    displayed = False  # between two lines of $$, where a line may begin with a minus
    for line in lines:
        if paragraph and not (displayed or _continues(paragraph[-1], line)):
            yield paragraph
            paragraph = []
        if line.text.strip():
            paragraph.append(line)
            displayed ^= line.text.count("$$") % 2 == 1
    if paragraph:
        yield paragraph


def sentences(lines: Iterable[Line]) -> Iterator[Sentence]:
    """The sentences of some prose in their order."""
    for paragraph in paragraphs(lines):
        yield from _sentences_of(paragraph)


def sentence_at(lines: Sequence[Line], number: int, needle: str) -> str:
    """The sentence that holds `needle` in line `number`, from the paragraph (or list item, or row) around it."""
    index = next(i for i, line in enumerate(lines) if line.number == number)
    first = last = index
    while first > 0 and _continues(lines[first - 1], lines[first]):
        first -= 1
    while last + 1 < len(lines) and _continues(lines[last], lines[last + 1]):
        last += 1
    paragraph = lines[first : last + 1]
    here = [s.text for s in _sentences_of(paragraph) if s.last >= number]
    whole = here[0] if len(here) == 1 else " ".join(line.text.strip() for line in paragraph)
    return next((text for text in here if needle in text), whole)


def _sentences_of(paragraph: Sequence[Line]) -> Iterator[Sentence]:
    lines = [re.sub(r"(\{claim\}`[^`]+`)", "\\1\0", line.text.strip()) for line in paragraph]
    text = " ".join(lines)
    begins = [0, *itertools.accumulate(len(line) + 1 for line in lines[:-1])]
    ends = [m.end() for m in SENTENCE_END.finditer(text)] + [len(text)]
    for start, end in zip([0, *ends], ends, strict=False):
        if sentence := text[start:end].rstrip():
            first, last = (bisect.bisect(begins, at) - 1 for at in (start, start + len(sentence) - 1))
            yield Sentence(paragraph[first].number, paragraph[last].number, sentence.replace("\0", "").strip())


def _continues(line: Line, after: Line) -> bool:
    """Whether the line `after` belongs to the same paragraph as `line`."""
    if after.number != line.number + 1 or not line.text.strip() or not after.text.strip():
        return False
    return not (re.match(r"\s*#+\s", line.text) or BLOCK_START.match(after.text))


def load_allowed(path: Path) -> list[Allowed]:
    """Read the allow-list: a YAML list of entries with `file`, `text` and a `reason`.

    Raises:
        LedgerError: for a file that is no such list, and for an entry that lacks one of the three.
    """
    try:
        entries = (yaml.safe_load(path.read_text(encoding="utf8")) if path.exists() else None) or []
    except yaml.YAMLError as error:
        raise LedgerError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(entries, list):
        raise LedgerError(f"{path}: needs a list of entries, each with 'file', 'text' and a 'reason'")
    for entry in entries:
        parts = [entry.get(key) for key in Allowed._fields] if isinstance(entry, dict) else [None]
        if any(part is None or not str(part).strip() for part in parts):
            raise LedgerError(f"{path}: an entry needs 'file', 'text' and a 'reason', got {entry}")
    return [Allowed(str(e["file"]), str(e["text"]), str(e["reason"])) for e in entries]


def book_texts(root: Path) -> Iterable[tuple[str, str]]:
    """The name and text of each source that a reader reads: chapters, pages, statements, results, README."""
    paths = [
        *sorted((root / "notebooks").glob("*.md")),
        *sorted(p for p in (root / "book").rglob("*.md") if "/_" not in p.relative_to(root).as_posix()),
        root / "book" / "statements.yaml",
        *sorted((root / "book").glob("field*.yaml")),
        root / "README.md",
    ]
    for path in paths:
        if path.exists():
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf8")
