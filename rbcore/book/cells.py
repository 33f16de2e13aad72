"""The code cells of a notebook in MyST Markdown, and where they stand in its file."""

from __future__ import annotations

import re
from typing import NamedTuple

HIDDEN = ("hide-input", "hide-cell", "remove-input", "remove-cell", "parameters")  # the last: into "Set-up"
CELL = re.compile(r"^(?P<fence>`{3,}|:{3,})\{code-cell\}[^\n]*\n(?P<inside>.*?)^(?P=fence)[ ]*$", re.M | re.S)
OPTION_LINES = re.compile(r"\A(?:\s*^---\n.*?^---[ ]*\n|(?:^:[\w-]+:[^\n]*\n)+)?\s*", re.M | re.S)


class Body(NamedTuple):
    """The code of one cell, and where it stands in the file."""

    start: int
    end: int
    code: str
    folded: bool
    figure: bool = False


def bodies(text: str) -> list[Body]:
    """The code cells of a MyST notebook without their options."""
    found = []
    for match in CELL.finditer(text):
        options = OPTION_LINES.match(match["inside"])
        start = match.start("inside") + (options.end() if options else 0)
        code = text[start : match.end("inside")].rstrip()
        given = text[match.start("inside") : start]
        folded = any(tag in given for tag in HIDDEN)
        found.append(Body(start, start + len(code), code, folded, "figure:" in given))
    return found
