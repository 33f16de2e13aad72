"""Notebooks as any Jupyter shows them: numbers filled in, boxes as quotations, references as names.

The pages are built by Sphinx, which knows MyST.  A reader who downloads a notebook opens it in a Jupyter that may
know only Markdown, and should still be able to read it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat

from rbcore.book import directions, ledger
from rbcore.course.tasks import without_answers
from rbcore.information.expr import ExpressionError, parse

# the macros that formulas may use: MathJax gets them for the pages, downloads have them written out
MACROS = {r"\TV": r"\mathrm{TV}", r"\KL": r"\mathrm{KL}", r"\E": r"\mathbb{E}"}
BOX = re.compile(
    r"^(`{3,}|:{3,})\{(?:prf:)?([\w-]+)\}[ ]*([^\n]*)\n((?::[\w-]+:[^\n]*\n)*)(.*?)^\1[ ]*$", re.M | re.S
)
KINDS = (
    "definition",
    "theorem",
    "lemma",
    "proposition",
    "corollary",
    "remark",
    "proof",
    "exercise",
    "solution",
    "task",
)
REFERENCE = re.compile(r"\{([\w:]+)\}`([^`]+)`")


def titles(texts: Iterable[str]) -> dict[str, str]:
    """The names that references to labels get: ``Theorem "Two divergences"``; from all chapters' Markdown."""
    found: dict[str, str] = {}
    for text in texts:
        for _, kind, title, options, _ in BOX.findall(text):
            label = re.search(r":label:\s*(\S+)", options)
            if label and kind in KINDS:
                found[label[1]] = f"{kind.capitalize()} “{title}”" if title else kind.capitalize()
    return found


def authors(bibliography: Path) -> dict[str, tuple[str, str]]:
    """For each key of a BibTeX file the last names and the year."""
    from pybtex.database import parse_file

    found = {}
    for key, entry in parse_file(str(bibliography)).entries.items():
        last = [" ".join(p.prelast_names + p.last_names) for p in entry.persons.get("author", [])]
        names = last[0] if len(last) == 1 else f"{', '.join(last[:-1])} and {last[-1]}" if last else key
        found[key] = (re.sub(r"[{}\\'\"`^~]", "", names), entry.fields.get("year", ""))
    return found


def writer(
    chapters: Sequence[ledger.Chapter], labels: Mapping[str, str], cited: Mapping[str, tuple[str, str]]
) -> Callable[[str], str]:
    """What writes the book's Markdown as plain Markdown, with the results of these chapters filled in."""
    values = {v.name: v for c in chapters for v in c.values}
    claims = {k.id: k for c in chapters for k in c.claims}

    def show(match: re.Match[str]) -> str:
        role, name = match.groups()
        claim = claims.get(name)
        if role == "claim" and claim:
            return f"**{ledger.fill(claim.sentence, values)}** {ledger.MARK[claim.verdict]}"
        if role == "statement" and claim and claim.statement:
            return f"${parse(claim.statement).latex()}$"
        return match.group(0)

    return lambda text: plain_markdown(ledger.fill(ledger.ROLE.sub(show, text), values), labels, cited)


def download(
    notebook: Any,
    chapters: Sequence[ledger.Chapter],
    labels: Mapping[str, str],
    cited: Mapping[str, tuple[str, str]],
    first: str = "",
) -> Any:
    """A copy of an executed notebook for readers: roles replaced by what they show, claims by sentence and mark.

    `labels` and `cited` come from :func:`titles` and :func:`authors`.  A figure's caption, which Jupyter does not
    show, follows it as a cell of its own.  `first` is the code of a cell that is put before all others.
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("rbcore", None)
    written = writer(chapters, labels, cited)
    values = {value.name: value for chapter in chapters for value in chapter.values}
    cells = [nbformat.v4.new_code_cell(first.rstrip(), id="install")] if first else []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = written(without_answers(cell.source))
        for output in cell.get("outputs", ()):  # values and claims are in the text now
            output.get("data", {}).pop(ledger.MIME, None)
            output.get("data", {}).pop(ledger.FIGURE, None)
        directions.resolve(cell, values)
        caption = cell.metadata.get("mystnb", {}).get("figure", {}).get("caption")
        if caption:
            cells.append(nbformat.v4.new_markdown_cell(f"*Figure.* {written(caption)}", id=f"{cell.id}-caption"))
    notebook.cells = cells
    return notebook


def plain_markdown(text: str, labels: Mapping[str, str], cited: Mapping[str, tuple[str, str]]) -> str:
    """One Markdown cell without MyST directives and roles."""
    while BOX.search(text):
        changed = BOX.sub(lambda match: _box(match, labels), text)
        if changed == text:
            break
        text = changed
    text = re.sub(r"^\([\w-]+\)=\n", "", text, flags=re.M)
    text = REFERENCE.sub(lambda match: _reference(*match.groups(), labels, cited), text)
    for macro, written in MACROS.items():
        text = re.sub(re.escape(macro) + r"(?![A-Za-z])", lambda _, w=written: w, text)
    return text


def _box(match: re.Match[str], labels: Mapping[str, str]) -> str:
    _, kind, title, options, body = match.groups()
    if kind == "goals":
        need = re.search(r":need:\s*(.*)", options)
        return f"**In this chapter**\n\n{body.strip()}\n" + (f"\n**You need:** {need[1]}\n" if need else "")
    if kind == "checked":
        return "Checked here, too:\n\n" + "\n".join(f"- {line}" for line in body.strip().split("\n"))
    if kind == "head-figure":
        return "*(The book's page has a figure here that is drawn below.)*"
    if kind == "touch":
        return "*(The book's page has a figure here that you can move.)*"
    if kind == "formula":
        return f"$$\n{body.strip()}\n$$"
    if kind == "worlds":
        return "*(The book's page has a table here: values of this run beside those of other worlds.)*"
    if kind not in KINDS:
        return match.group(0)
    if kind == "solution":  # its title is the label of the exercise
        head = f"Solution of {labels.get(title, 'the exercise')}"
    else:
        name = "Exercise with code" if kind == "task" else kind.capitalize()
        head = f"{name} ({title})" if title else name
    lines = f"**{head}.**\n\n{body.strip()}".split("\n")
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _reference(role: str, text: str, labels: Mapping[str, str], cited: Mapping[str, tuple[str, str]]) -> str:
    shown, _, target = text.rpartition("<")
    shown, target = shown.strip(), target.rstrip(">").strip()
    if role.startswith("cite"):
        names = [cited.get(key.strip(), (key.strip(), "")) for key in text.split(",")]
        if role == "cite:t":
            return "; ".join(f"{name} ({year})" for name, year in names)
        return "(" + "; ".join(f"{name}, {year}" for name, year in names) + ")"
    if role == "shannon":
        with suppress(ExpressionError):  # the page says what is wrong with it
            return f"${parse(text).latex()}$"
    if role == "eq" and target in labels:
        return labels[target]
    if role in ("prf:ref", "ref", "numref", "doc"):
        return shown or labels.get(target, "the figure" if role == "numref" else target)
    return "{" + role + "}`" + text + "`"
