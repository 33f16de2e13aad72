"""Changes of what a reader reads: numbers, words, formulas, roles and markup of chapters and pages."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from mutants.cells import calls, span
from mutants.edits import Edit, Sources
from rbcore.book import agree, prose
from rbcore.book.cells import CELL
from rbcore.book.ledger import ROLE, VALUE_ROLES
from rbcore.information.expr import parse


class Prose(NamedTuple):
    """One line of prose: where it begins in its file, what it says, and what it is part of."""

    file: str
    start: int
    text: str
    part: str  # "alt", "table", "formula", "chapter" or "page"


SHOWN_KEYS = re.compile(r"\s*-?\s*(result|assumptions|reason|needs|sharp):")
NO_WORDS = re.compile(  # roles, code, formulas, targets of links, tags, addresses, labels, files
    r"\{[\w:.-]+\}`[^`]*`|`+[^`]*`+|\$[^$]*\$|(?<=\])\([^)]*\)|<[^>]*>|https?://\S+"
    r"|^\s*\([\w.:-]+\)=|\b[\w.-]+\.(?:md|py|json|ya?ml)\b"
)


def lines(sources: Sources) -> list[Prose]:
    """The prose of the book, line by line."""
    if not sources.lines:
        sources.lines = list(_lines(sources))
    return sources.lines


def _lines(sources: Sources) -> Iterator[Prose]:
    for file, text in sources.texts.items():
        starts = [0, *(m.end() for m in re.finditer("\n", text))]
        cells = [m.span() for m in CELL.finditer(text)] if file.startswith("notebooks/") else []
        displayed = False
        for number, line, *_ in prose.prose_lines(text):
            raw = text[starts[number - 1] :].partition("\n")[0]
            if file.endswith(".yaml") and not SHOWN_KEYS.match(raw):
                continue
            start = starts[number - 1] + raw.find(line)
            here = displayed or line.count("$$") > 0
            displayed ^= line.count("$$") % 2 == 1
            part = "formula" if here else "table" if line.startswith("|") else "page"
            if part == "page" and any(a <= start < b for a, b in cells):
                part = "alt"
            elif part == "page" and file.startswith("notebooks/"):
                part = "chapter"
            yield Prose(file, start, line, part)


@functools.lru_cache(maxsize=100_000)
def words(line: Prose) -> str:
    """The line with all that is no word blanked out, at the same places."""
    return NO_WORDS.sub(lambda m: " " * len(m[0]), line.text)


def _roles(sources: Sources, *names: str) -> Iterator[tuple[Prose, re.Match[str]]]:
    for line in lines(sources):
        for match in ROLE.finditer(line.text):
            if match[1] in names:
                yield line, match


def _edit(line: Prose, start: int, end: int, new: str) -> Edit:
    return Edit(line.file, line.start + start, line.start + end, new)


# --- typed numbers ---------------------------------------------------------------------------------------------


def value_typed(sources: Sources, decimal: bool) -> Iterator[Edit]:
    """What a role shows, typed in its place."""
    for line, match in _roles(sources, "val"):
        pin = sources.pins["values"].get(match[2].strip())
        if pin is not None:
            shown = agree.value_of(match[2].strip(), pin).text().replace("\u00a0", " ")
            if bool(re.search(r"\d[.,]\d(?!\d\d\b)|%", shown)) == decimal and re.search(r"\d", shown):
                yield _edit(line, *match.span(), shown)


def decimal_for_value(sources: Sources) -> Iterator[Edit]:
    """A decimal or a percentage in the place of its role."""
    yield from value_typed(sources, True)


def integer_for_value(sources: Sources) -> Iterator[Edit]:
    """An integer in the place of its role."""
    yield from value_typed(sources, False)


WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()


def word_for_value(sources: Sources) -> Iterator[Edit]:
    """A number word in the place of the role of a small count."""
    for line, match in _roles(sources, "val"):
        value = sources.pins["values"].get(match[2].strip(), {}).get("value")
        if type(value) is int and 0 <= value <= 12:
            yield _edit(line, *match.span(), WORDS[value])


def _added(*said: str, parts: tuple[str, ...]):
    """A generator that puts a sentence with a number behind another one, in such parts of the text."""

    def added(sources: Sources) -> Iterator[Edit]:
        for line in lines(sources):
            if line.part in parts and re.search(r"\w\.$" if line.part != "table" else r"\w \|$", line.text):
                for one in said:
                    end = len(line.text) - 2 * (line.part == "table")
                    yield _edit(line, end, end, f" {one}")

    added.__name__ = f"added to {' and '.join(parts)}"
    return added


decimal_in_prose = _added(
    "It is 0.4242.",
    "It fell by 12 %.",
    "That is $x = 0.31$ nats.",
    "It rose to <b>1.37</b> nats.",
    "In all 3.5 per cent are.",
    parts=("chapter", "page"),
)
decimal_in_alt = _added("It ends at 0.42.", "About 12 % are there.", parts=("alt",))
decimal_in_table = _added("0.42", "12 %", parts=("table",))
integer_in_prose = _added(
    "This was so in 7 of 12 cases.",
    "It held on 50,000 chains.",
    "That is 2 bits.",
    "It took 37 times as long.",
    "One in $\\frac{1}{3}$ does.",
    "The rest is of the order of $10^{-3}$.",
    "That is ½ of it.",
    "That are 1/3 of all.",
    parts=("chapter", "page"),
)
word_in_prose = _added(
    "This was so in three quarters of the cases.",
    "It is about twice as large.",
    "It took seven times as long.",
    "About a third of them do.",
    "Twelve per cent are lost.",
    "That is nearly two bits.",
    "Nine of ten runs agree.",
    parts=("chapter", "page"),
)
count_in_alt = _added("It ends at 3 bits.", "It is about twice as high.", "It falls to a third.", parts=("alt",))
count_in_table = _added("7 of 12", "three quarters", parts=("table",))


# --- words that are there --------------------------------------------------------------------------------------

NUMBER_WORDS = {
    "two": "three",
    "three": "four",
    "four": "five",
    "five": "six",
    "six": "seven",
    "seven": "eight",
    "eight": "nine",
    "nine": "ten",
    "ten": "twelve",
    "twelve": "ten",
    "twenty": "thirty",
    "hundred": "thousand",
    "thousand": "million",
    "million": "thousand",
    "half": "third",
    "halves": "thirds",
    "thirds": "quarters",
    "quarter": "fifth",
    "quarters": "fifths",
    "tenth": "fifth",
    "hundredth": "tenth",
    "twice": "thrice",
    "doubled": "tripled",
    "doubles": "triples",
    "halved": "doubled",
    "both": "neither",
}
OPPOSITES = [
    ("at least", "at most"),
    ("rises", "falls"),
    ("rise", "fall"),
    ("rising", "falling"),
    ("larger", "smaller"),
    ("largest", "smallest"),
    ("more", "less"),
    ("most", "least"),
    ("never", "always"),
    ("above", "below"),
    ("higher", "lower"),
    ("grows", "shrinks"),
    ("grow", "shrink"),
    ("increases", "decreases"),
    ("better", "worse"),
    ("best", "worst"),
    ("longer", "shorter"),
    ("faster", "slower"),
    ("upper", "lower"),
    ("gains", "loses"),
]
DIRECTIONS = {one: other for a, b in OPPOSITES for one, other in ((a, b), (b, a))} | {"lower": "higher"}


@functools.lru_cache
def _any_of(said: tuple[str, ...]) -> re.Pattern[str]:
    pattern = "|".join(sorted(map(re.escape, said), key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE)


def _swapped(line: Prose, table: dict[str, str]) -> Iterator[Edit]:
    for match in _any_of(tuple(table)).finditer(words(line)):
        new = table[match[0].lower()]
        yield _edit(line, *match.span(), new.capitalize() if match[0][0].isupper() else new)


def number_word(sources: Sources) -> Iterator[Edit]:
    """Another number word."""
    for line in lines(sources):
        yield from _swapped(line, NUMBER_WORDS)


def integer(sources: Sources) -> Iterator[Edit]:
    """Another integer, outside formulas and code."""
    for line in lines(sources):
        for match in re.finditer(r"(?<![\w.,-])\d{1,3}(?:,\d{3})*(?![\w.,-]*\d)", words(line)):
            number = int(match[0].replace(",", ""))
            yield _edit(line, *match.span(), f"{number + (1 if number < 100 else number // 2):,}")


def direction(sources: Sources) -> Iterator[Edit]:
    """The opposite of a direction, in prose of chapters that no check carries."""
    for line in lines(sources):
        if line.part == "chapter":
            yield from _swapped(line, DIRECTIONS)


def direction_of_page(sources: Sources) -> Iterator[Edit]:
    """The opposite of a direction, on a page and in a table."""
    for line in lines(sources):
        if line.part in ("page", "table"):
            yield from _swapped(line, DIRECTIONS)


def direction_of_picture(sources: Sources) -> Iterator[Edit]:
    """The opposite of a direction, in a caption or an alternative text."""
    for line in lines(sources):
        if line.part == "alt":
            yield from _swapped(line, DIRECTIONS)


def direction_of_claim(sources: Sources) -> Iterator[Edit]:
    """The opposite of a direction, in a sentence that is checked."""
    for file, cell, call in calls(sources, "claim"):
        start, end = span(cell, call.args[1])
        yield from _swapped(Prose(file, start, sources.text(file)[start:end], "claim"), DIRECTIONS)


# --- formulas --------------------------------------------------------------------------------------------------

SIGNS = [
    (r"\\le(?:q)?(?![a-zA-Z])", r"\ge"),
    (r"\\ge(?:q)?(?![a-zA-Z])", r"\le"),
    (r"(?<=[\w)}|\]] )\+", "-"),
    (r"(?<=[\w)}|\]] )-", "+"),
    (r"(?<=[\w)}|\]] )<", ">"),
    (r"(?<=[\w)}|\]] )>", "<"),
    (r"(?<=[ }])=(?=[ {])", r"\le"),
    (r"\\sup(?![a-zA-Z])", r"\inf"),
    (r"\\max(?![a-zA-Z])", r"\min"),
    (r"\\min(?![a-zA-Z])", r"\max"),
    (r"\\tfrac12", r"\tfrac13"),
    (r"\\frac12", r"\frac13"),
    (r"\\sum(?![a-zA-Z])", r"\prod"),
    (r"(?<![\w\\{_.^,])2(?=[\s\\(a-zA-Z])", "3"),
    (r"(?<![\w\\{_.^,])1(?= [-+])", "2"),
    (r"\^2(?!\w)", "^3"),
]


def _signs(file: str, start: int, formula: str) -> Iterator[Edit]:
    for pattern, new in SIGNS:
        for match in re.finditer(pattern, formula):
            yield Edit(file, start + match.start(), start + match.end(), new)


def displayed(sources: Sources) -> Iterator[Edit]:
    """A sign, a relation or a constant of a displayed formula."""
    for file, text in sources.texts.items():
        cells = [m.span() for m in CELL.finditer(text)]
        for match in re.finditer(r"^\$\$\n(.*?)^\$\$", text, re.MULTILINE | re.DOTALL):
            if not any(a <= match.start() < b for a, b in cells):
                yield from _signs(file, match.start(1), match[1])


def inline(sources: Sources) -> Iterator[Edit]:
    """A sign, a relation or a constant of a formula inside a sentence."""
    for line in lines(sources):
        if line.part != "formula":
            for match in re.finditer(r"\$([^$]+)\$", line.text):
                yield from _signs(line.file, line.start + match.start(1), match[1])


def shannon(sources: Sources) -> Iterator[Edit]:
    """A relation or a sign of a statement that is written where it is shown."""
    for line in lines(sources):
        for match in re.finditer(r"\{shannon\}`([^`]+)`", line.text):
            for sign in re.finditer(r"<=|>=|(?<= )[-+](?= )", match[1]):
                new = {"<=": ">=", ">=": "<=", "+": "-", "-": "+"}[sign[0]]
                yield _edit(line, match.start(1) + sign.start(), match.start(1) + sign.end(), new)


# --- roles -----------------------------------------------------------------------------------------------------


def misspelt(sources: Sources) -> Iterator[Edit]:
    """A name that has lost its last letter."""
    for line, match in _roles(sources, "val", "num", "ci", "claim", "statement"):
        yield _edit(line, match.end(2) - 1, match.end(2), "")


def other_role(sources: Sources) -> Iterator[Edit]:
    """A role that does not fit what it names."""
    other = {"val": "claim", "ci": "statement", "claim": "val", "statement": "val"}
    for line, match in _roles(sources, *other):
        yield _edit(line, *match.span(1), other[match[1]])


def quote_deleted(sources: Sources) -> Iterator[Edit]:
    """The only quote of a result is gone."""
    count = Counter(match[2] for _, match in _roles(sources, *VALUE_ROLES, "claim", "statement"))
    for line, match in _roles(sources, "val", "claim", "statement"):
        if count[match[2]] == 1:
            yield _edit(line, *match.span(), "")


def unit_dropped(sources: Sources) -> Iterator[Edit]:
    """The bare number in the place of the one with its unit."""
    for line, match in _roles(sources, "val"):
        if sources.pins["values"].get(match[2], {}).get("unit"):
            yield _edit(line, *match.span(1), "num")


def interval_hidden(sources: Sources) -> Iterator[Edit]:
    """The value in the place of the one with its interval."""
    for line, match in _roles(sources, "ci"):
        yield _edit(line, *match.span(1), "val")


def _exchanged(sources: Sources, role: str, near: int) -> Iterator[Edit]:
    """Two neighbours of one role change places, at most `near` characters apart."""
    for file, text in sources.texts.items():
        found = [m for line in lines(sources) if line.file == file for m in _found(line, role)]
        for (a, b, one), (c, d, two) in zip(found, found[1:], strict=False):
            if one != two and c - b < near:
                yield Edit(file, a, d, two + text[b:c] + one)


def _found(line: Prose, role: str) -> Iterator[tuple[int, int, str]]:
    for match in re.finditer(r"\{" + role + r"\}`[^`]+`", line.text):
        yield line.start + match.start(), line.start + match.end(), match[0]


def values_exchanged(sources: Sources) -> Iterator[Edit]:
    """Two values of neighbouring sentences change places."""
    yield from _exchanged(sources, "val", 250)


def claims_exchanged(sources: Sources) -> Iterator[Edit]:
    """Two checked sentences change places."""
    yield from _exchanged(sources, "claim", 250)


def references_exchanged(sources: Sources) -> Iterator[Edit]:
    """Two references to statements or pictures change places."""
    yield from _exchanged(sources, "prf:ref", 1500)
    yield from _exchanged(sources, "numref", 3000)


def statement_typed(sources: Sources) -> Iterator[Edit]:
    """The formula of a checked statement, typed in the place of its role, with its relation turned round."""
    for line, match in _roles(sources, "statement"):
        statement = sources.pins["claims"].get(match[2], {}).get("statement", "")
        if statement:
            typed = f"${parse(statement).latex()}$"
            yield _edit(line, *match.span(), typed)
            yield _edit(line, *match.span(), re.sub(r"\\le(?:q)?(?![a-z])", r"\\ge", typed))


def citation(sources: Sources) -> Iterator[Edit]:
    """Another key of the bibliography."""
    keys = re.findall(r"(?m)^@\w+\{([^,]+),", sources.text("book/references.bib"))
    for line in lines(sources):
        for match in re.finditer(r"\{cite(?::\w+)?\}`([^`,]+)`", line.text):
            if match[1] in keys:
                yield _edit(line, *match.span(1), keys[(keys.index(match[1]) + 1) % len(keys)])


def tick(sources: Sources) -> Iterator[Edit]:
    """The mark of a checked sentence, typed behind one that is not."""
    for line in lines(sources):
        if line.part in ("chapter", "page") and re.search(r"\w\.$", line.text):
            yield _edit(line, len(line.text), len(line.text), " ✓")


# --- markup ----------------------------------------------------------------------------------------------------


def _first(pattern: str, new: str, name: str, *, raw: bool = False):
    """A generator that replaces what a pattern finds in each line of prose, or in the whole text."""

    def replaced(sources: Sources) -> Iterator[Edit]:
        for file, text in sources.texts.items():
            if file == "README.md" or file.endswith(".yaml"):
                continue
            places = [(0, text)] if raw else [(x.start, x.text) for x in lines(sources) if x.file == file]
            for start, part in places:
                for match in re.finditer(pattern, part, re.MULTILINE):
                    yield Edit(file, start + match.start(), start + match.end(), match.expand(new))

    replaced.__name__ = name
    return replaced


open_formula = _first(r"\$([^$\n]+)\$", r"$\1", "formula not closed")
open_bold = _first(r"\*\*([^*\n]+)\*\*", r"**\1", "bold not closed")
open_role = _first(r"\{(prf:ref|ref|doc|numref)\}`([^`]+)`", r"{\1}`\2", "role not closed")
open_division = _first(r"(\w\.)$", r'\1 <div class="x">', "division not closed")
unknown_macro = _first(r"\\(TV|KL|Bin|E|argmin)(?![a-zA-Z])", r"\\\1x", "unknown macro")
unknown_key = _first(r"(\{cite(?::\w)?\}`)([^`]+)`", r"\1no\2`", "unknown citation")
unknown_target = _first(r"(\{(?:prf:ref|ref|numref)\}`)([\w:-]+)`", r"\1no-\2`", "unknown reference")
unknown_page = _first(r"(\{doc\}`[^<`]*<)([^>`]+)>`", r"\1no-\2>`", "unknown page")
unknown_role = _first(r"\{(prf:ref|cite:t|cite|numref)\}`", r"{\1x}`", "unknown role")
unknown_directive = _first(r"^```\{prf:(\w+)\}", r"```{prf:x\1}", "unknown directive", raw=True)
second_label = _first(r"^(:label: [\w-]+)$", r"\1\n:label2: x", "unknown option", raw=True)
twin_label = _first(r"^\(([\w-]+)\)=\n(.*)$", r"(\1)=\n\2\n\n(\1)=\n### Again", "two places of one name", raw=True)
missing_note = _first(r"(\w)\.$", r"\1.[^nowhere]", "missing footnote")
wide_row = _first(r"^\|(.+)\|$", r"|\1| a cell too much |", "row too wide")
lost_rule = _first(r"^\|[:| -]+\|$", r"|no rule|", "table without its rule", raw=True)
jumping = _first(r"^## (\w.*)$", r"#### \1", "heading that jumps", raw=True)
said_twice = _first(r"^(\{claim\}`[^`]+`)$", r"\1\n\1", "sentence shown twice")
