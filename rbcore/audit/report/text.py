"""Texts of the user's, made harmless: nothing invisible, nothing that reorders, runs or is taken for a formula."""

from __future__ import annotations

import unicodedata
from typing import Any

from markupsafe import Markup, escape

LONG = 2_000  # characters of a sentence that are shown
LABEL = 160  # of a name, a label, a path
EXAMPLE = 700  # of a record
JOINERS = "\u200c\u200d"  # parts of words and of emoji; they reorder nothing
INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # categories of characters


def visible(text: Any, limit: int = LONG, lines: bool = False) -> str:
    """`text` cut to `limit` characters, with what cannot be seen or reorders its surroundings written as ⟨U+202E⟩.

    Args:
        text: anything; its `str` is shown.
        limit: characters that are kept; what was cut is counted in the end.
        lines: whether line breaks and tabs stay.
    """
    text = str(text)
    if len(text) > limit:
        kept = limit
        while kept and (unicodedata.combining(text[kept]) or text[kept] in JOINERS or text[kept - 1] in JOINERS):
            kept -= 1
        kept = kept or limit
        text = f"{text[:kept].rstrip()}\N{HORIZONTAL ELLIPSIS} ({len(text) - kept:,} more characters)"
    return "".join(_visible_character(c, lines) for c in text.replace("\r\n", "\n"))


def _visible_character(c: str, lines: bool) -> str:
    if c in "\n\t":
        return c if lines else " "
    if c not in JOINERS and unicodedata.category(c) in INVISIBLE:
        return f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{ord(c):04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"
    return c


def esc(text: Any, limit: int = LONG, lines: bool = False) -> Markup:
    """`text` as :func:`visible` shows it, harmless inside an element and inside a quoted attribute.

    HTML that is safe already (:class:`markupsafe.Markup`) stays as it is.
    """
    return text if isinstance(text, Markup) else escape(visible(text, limit, lines))


def one_line(text: Any, width: int = 60) -> str:
    """`text` on one line of at most `width` characters, without invisible ones."""
    line = " ".join("".join(" " if unicodedata.category(c) in INVISIBLE else c for c in str(text)).split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def no_formula(text: Any) -> str:
    """`text` with its dollars escaped, so that matplotlib reads no formula in it."""
    return str(text).replace("\\$", "$").replace("$", r"\$")
