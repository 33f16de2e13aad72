"""Labels of boxes, sections, figures, formulas: where they are, and what a reference to one is without a link."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from rbcore.book import prose
from rbcore.book.agree import Problem
from rbcore.book.downloads import titles
from rbcore.book.execute import notebooks

DEFINED = re.compile(r"(?m)^\(([\w:.-]+)\)=$|^:(?:label|name):\s*(\S+)$|^ +name:\s*(fig-\S+)$|^\$\$ \(([\w-]+)\)$")
LABELLED = re.compile(r"(?m)^\$\$\n(?P<tex>(?:(?!\$\$).*\n)+?)\$\$ \((?P<label>[\w-]+)\)$")
TIED = re.compile(r"(?m)^:::\{formula\}.*\n:label: (?P<label>[\w-]+)\n\n(?P<tex>(?:(?!:::).*\n)+?):::$")
REFERENCE = re.compile(r"\{(ref|prf:ref|numref|eq|doc)\}`([^`]+)`")


def target(content: str) -> str:
    """The label in a role's content: ``name`` of ``name``, and of ``a title <name>``."""
    return content.rpartition("<")[2].rstrip(">").strip()


def defined(text: str) -> set[str]:
    """The labels that a chapter or a page defines."""
    return {next(filter(None, match.groups())) for match in DEFINED.finditer(text)}


def sources(root: Path) -> dict[Path, str]:
    """The text of each chapter and of each page."""
    paths = [*notebooks(root), *sorted((root / "book").glob("*.md"))]
    return {path: path.read_text(encoding="utf8") for path in paths}


def shown(root: Path) -> dict[str, str]:
    """What references are shown as without links: boxes by kind and title, places by headings."""
    found: dict[str, str] = {}
    texts = sources(root)
    for page, text in texts.items():
        for label, title in re.findall(r"(?m)^\(([\w-]+)\)=\n#+ (.*)$", text):
            found[label] = f"*{title.strip()}*"
        for pattern in (LABELLED, TIED):
            for match in pattern.finditer(text):
                found[match["label"]] = f"${' '.join(match['tex'].split()).rstrip(' .,')}$"
        heading = re.search(r"(?m)^# (.*)$", text)
        if heading:
            named = f"*{heading[1].strip()}*"
            found |= {f"{folder}{page.stem}": named for folder in ("", "../", "/", "/chapters/")}
    return found | titles(texts.values())


def without_links(text: str, here: set[str], names: Mapping[str, str]) -> str:
    """`text` with each reference to a label or page that is not `here` written as the name of what it means."""

    def written(match: re.Match[str]) -> str:
        title, label = match[2].rpartition("<")[0].strip(), target(match[2])
        if label in here:
            return match[0]
        return title or names.get(label, "a figure of another chapter" if match[1] == "numref" else label)

    return REFERENCE.sub(written, text)


def unknown(root: Path, source: Path) -> Iterator[Problem]:
    """The references of a chapter to labels that no source defines."""
    text = source.read_text(encoding="utf8")
    known = set().union(*map(defined, sources(root).values()))
    lines = list(prose.prose_lines(text))
    file = source.relative_to(root).as_posix()
    for number, line in lines:
        for match in REFERENCE.finditer(line):
            label = target(match[2])
            if match[1] != "doc" and label not in known:
                close = difflib.get_close_matches(label, known, 1)
                remedy = "no chapter and no page has this label" + (
                    f"; did you mean {close[0]!r}?" if close else ""
                )
                sentence = prose.sentence_at(lines, number, match[0])
                yield Problem("role", label, f"{file}:{number}", sentence, "-", "unknown", "-", remedy)
