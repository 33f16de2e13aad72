"""Find the numbers that a reader reads, in digits and in words, and tell which read as results.

:func:`numbers_in` lists every number of a sentence.  :func:`results_in` keeps those that say what a run found or
how large it was: digits, large numbers, fractions, multiples, counts of runs, "seven of twelve", what has a unit.
Small counts of what a text itself has ("two divergences", "three assumptions") are not among them.
"""

from __future__ import annotations

import re

from rbcore.book.spelling import PARTS, SMALL, TENS

VALUE = "\N{WHITE SQUARE}"  # in the place of a role that shows a value
_FEW = "|".join(SMALL[2:13])
_TEENS = "|".join(SMALL[13:])
_POWER = "(?:hundreds?|thousands?|millions?|billions?|dozens?)"
_TEN = rf"(?:{'|'.join(TENS.values())})(?:-(?:{'|'.join(SMALL[1:10])}))?"
_LARGE = rf"(?:(?:{_FEW}|{_TEENS}|{_TEN})(?:[- ]{_POWER})+|{_TEENS}|{_TEN})"  # "a thousand" is a figure of speech
_DIGITS = r"(?<![\w.,/^-])(?:\d{1,3}(?:(?:,|\{,\}|\\,|[\u00a0\u202f])\d{3})+|\d+)(?![\w/^]|[.,]\d)"
_NUMBER = rf"(?:{_LARGE}|(?:an? |one )?{_POWER}|{_FEW}|{_DIGITS})"
_PARTS = "|".join([*PARTS.values(), "fourth", "seventh", "ninth"][1:])
_ONE = "(?<!one and )(?:an?|one)[- ]"
_SHARE = rf"(?:{_ONE}(?:quarter|twentieth|fiftieth|hundredth|thousandth)|(?:{_FEW})[- ](?:{_PARTS})s)"
_ORDINAL = rf"{_ONE}(?:{_PARTS})(?= (?:of|as|more|less|the|to|at)\b|[.;:)]|$)"  # not "a third student"
_FRACTION = (
    rf"{_SHARE}|{_ORDINAL}|{_NUMBER} and an? (?:half|{_PARTS})"
    r"|(?<![\w/])\d+\s?/\s?\d+(?![\w/])|[½⅓⅔¼¾⅕⅛]|10\s?\^\s?\{?\s?[-−+]?\d+\}?|10[⁻⁰¹²³⁴-⁹]+"
)
_HEDGE = "about|near|nearly|almost|roughly|around|below|above|over|under|up to|at (?:most|least)"
_HEDGE += "|(?:more|less|fewer) than"
_FOLD = rf"{_NUMBER}[- ]times|(?:{_FEW}|{_LARGE}|hundred|thousand|\d+)-?fold"
_TIMES = rf"twice|thrice|doubl(?:e|es|ed|ing)|tripl(?:e|es|ed|ing)|halv(?:e|es|ed|ing)|{_FOLD}"
_COMPARED = r"as|the|what|that|its|their|th[ei]se?|more|less|(?!over|after|per|under)\w+er"
_UNIT = r"(?:bits?|nats?|seconds?|per[- ]?cent|[GM]B|standard deviations|orders of magnitude)"
_RUNS = "(?:cases|data sets|(?:\\w+ )?(?:worlds|seeds|runs|repeats|languages|corpora|splits|simulations|trials))"

# What reads as a result.  A small number before another noun ("two divergences") does not, nor a plain "half".
RULES = {
    "integer": _DIGITS,
    "large": _LARGE,
    "fraction": _FRACTION,
    "half": rf"(?:{_HEDGE}) (?:(?:an?|one) )?half(?! the)|half (?:as|the|what|an?)",
    "multiple": rf"{_FOLD}|(?:{_TIMES})(?= (?:{_COMPARED})\b)",
    "unit": rf"{_NUMBER}[- ]{_UNIT}",
    "ratio": rf"{_NUMBER} (?:of|out of) (?:the |these |all )?(?:{_NUMBER}|{VALUE})"
    rf"|{VALUE} (?:of|out of) (?:the |these |all )?(?:{_LARGE}|{_FEW}|{_DIGITS})"
    rf"|(?:one|{_NUMBER}) (?:(?!and |or )\w+ ){{0,3}}in (?:an? )?{_NUMBER}",
    "runs": rf"(?!two ){_NUMBER} {_RUNS}",
}
RESULTS = {name: re.compile(rf"(?<![\w-])(?:{pattern})(?!\w)", re.I) for name, pattern in RULES.items()}
_PART_OF = rf"(?:one|{_NUMBER})(?= (?:\w+ )?(?:of|in|out of) )"
_ANY = re.compile(rf"(?<![\w-])(?:{_FRACTION}|{_TIMES}|{_PART_OF}|{_NUMBER}|half|halves)(?!\w)", re.I)

_NAMED = re.compile(  # numbers that name a thing: a chapter, a part, an item of a list, a year, a file
    r"(?i:\b(?:chapters?|appendix|parts?|steps?|claims?|levels?|digit|generation|weeks?|figures?|sections?))"
    r" \d+(?:(?:,| and| or| to) \d+)*|^\s*(?:\d+\\?[.)](?!\d)|\|\s*\d+(?:(?:, | to )\d+)*\s*\|)"
    r"|\b(?:in|since|[A-Z]\w+) (?:19|20)\d\d\b(?! \w+s\b)|\bNote \(\d+ minutes?\)|\b\d+-[A-Za-z][\w-]*|\[\d+\]"
)
_TARGET = re.compile(r"\s*<[^<>`]*>`|^[^<>`]*>`|\s*<[^>`]*$")  # of a role, which may go on in the next line
_CURVE = re.compile(r"\{curve\}`([^`]*)`?")
_VALUE = re.compile(r"\{(?:val|num|ci)\}`[^`]*`")
_ROLE = re.compile(r"\{[\w:-]+\}`[^`<]*(?:<[^>]*>)?`")
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_MATH = re.compile(r"\$[^$]*\$")
_JUST_A_NUMBER = re.compile(r"[-−+]?[\d.,/×^{} −+-]*\d[\d.,/×^{} −+-]*")


def numbers_in(sentence: str) -> list[str]:
    """Each number that a reader reads in `sentence`, in words or digits, and in formulas that are just numbers."""
    return [match[0] for match in _ANY.finditer(readable(sentence))]


def results_in(line: str) -> list[re.Match[str]]:
    """Where :func:`readable` text says a number as results are said; of matches that overlap the longest."""
    matches = [match for pattern in RESULTS.values() for match in pattern.finditer(line)]
    found: list[re.Match[str]] = []
    for match in sorted(matches, key=lambda m: m.start() - m.end()):
        if not any(other.start() < match.end() and match.start() < other.end() for other in found):
            found.append(match)
    return sorted(found, key=re.Match.start)


def readable(line: str) -> str:
    """`line` without roles, code and formulas that are more than a number, and without numbers that are names.

    :data:`VALUE` stands for each value.
    """
    line = _CURVE.sub(r"\1", _TARGET.sub("`", line)) if "`" in line else line
    line = _ROLE.sub(" ", _VALUE.sub(VALUE, line))
    line = _CODE.sub(lambda m: m[2] if _JUST_A_NUMBER.fullmatch(m[2].strip()) else " ", line)
    line = _MATH.sub(lambda m: _formula(m[0][1:-1]), line)
    return _NAMED.sub(" ", re.sub(r"[*_]{1,2}", "", line))


def _formula(text: str) -> str:
    """A formula that is just a number, as text; else a letter, which 0 and 1 are like."""
    text = re.sub(r"\\[dt]?frac\s*(\d|\{\d+\})\s*(\d|\{\d+\})", r"\1/\2", text)
    text = re.sub(r"(?<=/)\{(\d+)\}|\{(\d+)\}(?=/)", r"\1\2", text)
    text = re.sub(r"\\(?:times|cdot)(?![A-Za-z])", "×", re.sub(r"\\[,;:! ]|\{,\}", "", text)).strip()
    return text if _JUST_A_NUMBER.fullmatch(text) and text.strip("-−") not in ("0", "1") else "x"
