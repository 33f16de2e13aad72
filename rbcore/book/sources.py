"""Mistakes in the source that Sphinx builds without a word: what is not closed, unknown macros, years, tables.

All of this reads text alone, and takes a second.  What Sphinx warns of is left to it.
"""

from __future__ import annotations

import functools
import importlib.metadata
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rbcore.book import prose, sentences
from rbcore.book.agree import Problem
from rbcore.book.downloads import MACROS
from rbcore.book.ledger import MARK, LedgerError

CODE = re.compile(r"(?:\{[\w:-]+\})?(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")  # a role or a piece of code
FORMULA = re.compile(r"(?<!\\)(\$\$?)(.+?)(?<!\\)\1")
ROLE = re.compile(r"\{(?:val|num|ci|claim|statement|shannon|math|cite(?::\w+)?|prf:ref|(?:num|eq)?ref|eq|doc)\}")
MACRO = re.compile(r"\\([A-Za-z]+)")
TAG = re.compile(r"<(/?)([a-z]\w*)\b[^<>]*(?<!/)>")
VERDICT = re.compile(f"[.?!]\\W{{0,3}}([{''.join(MARK.values())}])")  # behind a sentence
VOID = ("br", "hr", "img", "input", "link", "meta", "wbr")
CITED = re.compile(r"\{(?:cite(?::\w+)?|source)\}`([^`]*)`")  # the second on slides
LATER = 3  # years between a preprint and its publication, at most

Found = tuple[int, str, str, str]  # the line, what is wrong, the text there, what would be right


def problems(root: Path) -> list[Problem]:
    """Every mistake in the texts of the book and in its bibliography."""
    texts = sentences.texts_of(root)
    found = [
        Problem("source", wrong, f"{file}:{line}", text, "-", "wrong", "-", remedy)
        for file, text in texts
        for line, wrong, text, remedy in of_text(file, text)
    ]
    bibliography = root / "book" / "references.bib"
    return found + (of_bibliography(bibliography, texts) if bibliography.exists() else [])


def of_text(file: str, text: str) -> Iterator[Found]:
    """The mistakes of one text."""
    if file.endswith((".yaml", ".yml")):
        for sentence in sentences.read([(file, text)]).get(file, ()):
            yield from _of_paragraph(sentence.first, sentence.text)
        return
    lines = list(prose.prose_lines(text))
    tags: Counter[str] = Counter()
    rows = []
    for paragraph in prose.paragraphs(lines):
        whole = sentences.MARK.sub("", " ".join(line.text.strip() for line in paragraph))
        yield from _of_paragraph(paragraph[0].number, whole)
        rows += [paragraph[0]] * whole.startswith("|")
        for close, name in TAG.findall(FORMULA.sub(" ", CODE.sub(" ", whole))):
            tags[name] += -1 if close else 1
    for name, balance in tags.items():
        if balance and name not in VOID:
            yield 1, f"<{name}>", "(the whole text)", f"open and close each <{name}>"
    yield from _fences(text)
    yield from _footnotes(lines)
    for _, table in itertools.groupby(enumerate(rows), lambda row: row[1].number - row[0]):
        yield from _of_table([line for _, line in table])


# ---------------------------------------------------------------------------------------------------------------
# In a paragraph
# ---------------------------------------------------------------------------------------------------------------


def _of_paragraph(line: int, text: str) -> Iterator[Found]:
    plain = CODE.sub(lambda m: f"${m[2]}$" if m[0].startswith("{math}") else " ", text)
    formulas = [formula for _, formula in FORMULA.findall(plain)]
    rest = FORMULA.sub(" ", plain)
    around = re.sub(r"\\.", "", rest)
    if "`" in around:
        yield line, "`", text, "close the role or the code with as many backticks as opened it"
    elif role := ROLE.search(around):
        yield line, role[0], text, f"write {role[0]}`name`, without a space"
    if "$" in around:
        yield line, "$", text, "close the formula; a dollar that is none is \\$"
    elif macro := MACRO.search(rest):
        yield line, macro[0], text, "write TeX between dollars"
    if mark := VERDICT.search(rest):
        yield line, mark[1], text, "only the role {claim} marks what was checked"
    for mark in ("**", "*"):
        if around.count(mark) % 2:
            yield line, mark, text, f"close what {mark} opened; a star that is none is \\*"
            break
    for formula in formulas:
        yield from ((line, wrong, text, remedy) for wrong, remedy in _of_formula(formula))


def _of_formula(formula: str) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys(MACRO.findall(formula)):
        if name not in _known():
            yield f"\\{name}", "MathJax knows no such command; the book's own are in rbcore/book/downloads.py"
    braces = re.sub(r"\\.|[^{}]", "", formula)
    while "{}" in braces:
        braces = braces.replace("{}", "")
    if braces:
        yield braces[0], "close each brace"
    if Counter(re.findall(r"\\begin\{(\w+\*?)\}", formula)) != Counter(re.findall(r"\\end\{(\w+\*?)\}", formula)):
        yield "\\begin", "end each environment"
    if len(re.findall(r"\\left\b", formula)) != len(re.findall(r"\\right\b", formula)):
        yield "\\left", "give each \\left its \\right"


@functools.cache
def _known() -> frozenset[str]:
    """The commands of TeX that the pages can show: those in MathJax's tables, and the book's own."""
    for file in importlib.metadata.files("sphinx-mathjax-offline") or []:
        if file.parts[-2:] == ("input", "tex.js"):
            script = Path(str(file.locate())).read_text(encoding="utf8")
            return frozenset(re.findall(r'[{,]"?(?:\\\\)?([A-Za-z]+)"?:', script)) | {name[1:] for name in MACROS}
    raise LedgerError("sphinx-mathjax-offline holds no input/tex.js: reinstall the pinned requirements")


# ---------------------------------------------------------------------------------------------------------------
# In a text
# ---------------------------------------------------------------------------------------------------------------


def _fences(text: str) -> Iterator[Found]:
    """Fences that nothing closes; what is in a block of code closes nothing but the block."""
    around: list[tuple[str, bool, int, str]] = []  # the fence, whether its contents are code, its line
    for number, line in enumerate(text.split("\n"), 1):
        if around and prose.closes(line, around[-1][0]):
            around.pop()
        elif (not around or not around[-1][1]) and (opening := prose.opens(line)):
            fence, name, _ = opening
            around.append((fence, name is None or name in prose.CODE, number, line.strip()))
    for fence, _, number, line in around:
        yield number, fence, line, f"close it with a line {fence}"


def _footnotes(lines: Sequence[prose.Line]) -> Iterator[Found]:
    defined = {m[1]: line for line in lines if (m := re.match(r"\s*\[\^([^\]]+)\]:", line.text))}
    used = {m[1]: line for line in lines for m in re.finditer(r"\[\^([^\]]+)\](?!:)", CODE.sub(" ", line.text))}
    for name in used.keys() - defined.keys():
        yield used[name].number, f"[^{name}]", used[name].text, f"write the footnote: [^{name}]: text"
    for name in defined.keys() - used.keys():
        yield defined[name].number, f"[^{name}]", defined[name].text, "refer to the footnote, or remove it"


def _of_table(table: Sequence[prose.Line]) -> Iterator[Found]:
    """Rows with more or fewer cells than the line of dashes below the head."""
    if len(table) < 2 or not re.fullmatch(r"\s*\|(?:\s*:?-+:?\s*\|)+\s*", table[1].text):
        yield table[0].number, "|", table[0].text, "a table has a line such as |:---|:---| below its head"
        return
    columns = _cells(table[1].text)
    for line in table:
        if _cells(line.text) != columns:
            wrong = f"{_cells(line.text)} cells of {columns}"
            yield line.number, wrong, line.text, "give each row as many cells as the head; in a cell write \\|"


def _cells(row: str) -> int:
    return len(re.findall(r"(?<!\\)\|", row.strip().removesuffix("|")))


# ---------------------------------------------------------------------------------------------------------------
# The bibliography
# ---------------------------------------------------------------------------------------------------------------


def _last_name(persons: Mapping[str, Sequence[Any]]) -> str:
    """The first author's or editor's, in plain letters: ``Gyorfi``, without ``van den``."""
    people = [*persons.get("author", ()), *persons.get("editor", ())]
    said = " ".join(people[0].last_names) if people else ""
    name = unicodedata.normalize("NFKD", re.sub(r"\\.", "", said))
    return re.sub("[^a-z]", "", name.lower())


def of_bibliography(path: Path, texts: Sequence[tuple[str, str]]) -> list[Problem]:
    """Years that do not fit key or preprint, entries that nobody cites, and keys that nothing defines."""
    from pybtex.database import parse_file

    entries, printed = parse_file(str(path)).entries, path.with_name("references.md").exists()
    found = []

    def report(key: str, where: str, text: str, remedy: str) -> None:
        found.append(Problem("source", key, where, text, "-", "wrong", "-", remedy))

    for key, entry in entries.items():
        shown = f"year {(year := entry.fields.get('year', 'none'))}"
        name = re.fullmatch(r"([a-z]+)(\d{4})[a-z0-9]+", key)
        preprint = re.match(r"(\d\d)\d\d\.\d{4,5}", entry.fields.get("eprint", ""))
        if name is None or name[2] != year or name[1] != _last_name(entry.persons):
            report(key, "book/references.bib", shown, "a key is the last name, the year and a word of the title")
        elif preprint and not 0 <= int(year) - 2000 - int(preprint[1]) <= LATER:
            report(key, "book/references.bib", shown, f"its preprint {preprint[0]} is of 20{preprint[1]}")
        if printed and not any(key in text for _, text in texts):
            report(key, "book/references.bib", shown, "cite it, or remove it")
    for file, text in texts:
        for keys in CITED.findall(text):
            for key in (part.strip() for part in keys.split(",")):
                if key not in entries:
                    report(key, file, f"{{cite}}`{keys}`", "book/references.bib has no such key")
    return found
