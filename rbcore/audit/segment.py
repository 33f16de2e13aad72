"""Texts as words, in every script and in formulas, for whoever compares texts by what they say.

Words are runs of letters with their marks, lower-cased; numbers are words, with their points and commas inside.
Scripts that put no space between words (Chinese, Japanese, Thai and others) give a word for each letter, so that
two of them, as neighbours, are what a short word is elsewhere.  Vowel marks that Arabic, Hebrew and Syriac may
leave out are left out.  White space and typographic punctuation do not count.  Signs that carry meaning are words:
``<``, ``!=``, ``+``, the minus of ``-5``, the factorial of ``5!``, the prime of ``f'(x)``, and a bracket that
follows a letter or a digit without a space, as in code.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata


def _ranges(points: list[int]) -> str:
    """Code points as the inside of a character class."""
    parts: list[list[int]] = []
    for point in points:
        if parts and parts[-1][1] == point - 1:
            parts[-1][1] = point
        else:
            parts.append([point, point])
    return "".join(re.escape(chr(a)) + (f"-{re.escape(chr(b))}" if b > a else "") for a, b in parts)


@functools.cache
def _special() -> re.Pattern[str]:
    """The pattern for texts with marks, or letters that stand for themselves; made when the first one is seen."""
    points = range(sys.maxunicode + 1)
    mark = _ranges([i for i in points if unicodedata.category(chr(i)) in ("Mn", "Mc", "Me")])
    letter = rf"[^\W\d{UNSPACED}]"
    return re.compile(
        rf"{letter}(?:[{mark}]|[^\W{UNSPACED}])*|{NUMBER}"
        rf"|[^\W\d_][{mark}]*"  # a letter of a script without spaces, with its marks
        rf"|{SIGNS}"
    )


# Blocks of scripts that are written without spaces: Thai, Lao, Tibetan, Myanmar, Khmer, New Tai Lue, Tai Tham,
# kana, bopomofo, and the ideographs of all planes.
UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u3005-\u3007\u3040-\u30ff"
    "\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uaa60-\uaa7f\uf900-\ufaff\U00020000-\U0003ffff"
)
OPTIONAL = re.compile("[\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed"
                      "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0711\u0730-\u074a]")  # fmt: skip
SIGNS = (
    r"[<>=!~]=+|[<>]+"  # comparisons
    r"|(?<![\w)])-(?=\d)|(?<=\d\s)-(?=\s\d)"  # a minus, not a hyphen or a dash
    r"|(?<=\d)!|'(?=\()|(?<=\w)[(\[{]"  # a factorial, a prime, the bracket of a call
    r"""|[^\w\s.,;:!?'"`()\[\]{}<>|…–—‘’“”„«»、。・「」『』【】《》〈〉।॥،؛؟۔၊။።፣-]"""  # others
)
NUMBER = r"\d+(?:[.,:/]\d+)*"  # or a date, a time, a fraction
PLAIN = re.compile(rf"[^\W\d]\w*|{NUMBER}|{SIGNS}")
# All but Latin, Greek, Cyrillic, Armenian, Georgian and Korean, which have neither marks nor unspaced letters.
SPECIAL = re.compile(
    "[^\x00-\u02ff\u0370-\u0482\u048a-\u058f\u10a0-\u11ff\u1e00-\u206f\u20a0-\u20cf\u2100-\u2bff\uac00-\ud7a3]"
)


LETTER = re.compile(rf"(?<=[{UNSPACED}])(?=[{UNSPACED}\w])|(?<=\w)(?=[{UNSPACED}])")


def spaced(text: str) -> str:
    """The text with a space around each letter of the scripts that put none between words."""
    return text if text.isascii() else LETTER.sub(" ", text)


def words(text: str) -> list[str]:
    """The words of a text; of one that has none, its signs."""
    if not text.isascii():
        text = OPTIONAL.sub("", unicodedata.normalize("NFKC", text))
    text = text.lower()
    pattern = PLAIN if text.isascii() or not SPECIAL.search(text) else _special()
    return pattern.findall(text) or list("".join(text.split()))
