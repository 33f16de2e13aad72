"""The wording of the book is pinned, too: whoever changes a sentence sees it beside the numbers that it speaks of.

`book/sentences.txt` holds the text as it was last accepted, a sentence a line, with roles and formulas as they are
written.  So "at least" cannot become "at most", a plus a minus, or the name of one value that of another, without
a drift that shows the words that changed.  Lines may be wrapped anew, and lists be marked otherwise.  Sentences of
claims stand in code cells; the ledger pins them.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import yaml

from rbcore.book import prose
from rbcore.book.agree import PIN_REMEDY, Problem
from rbcore.book.ledger import ROLE
from rbcore.book.prose import Sentence
from rbcore.files import replace_file

PINS = "book/sentences.txt"
HEAD = "# The text of the book as it was last accepted, a sentence a line; `make pin` writes it."
MARK = re.compile(r"^(?:(?:#+|[-*+>]|\d+[.)]|:)\s+)+")  # of headings, list items, quotations, definitions
LABEL = re.compile(r"\([\w:.-]+\)=")
NEAR = 8  # a reworded sentence is looked for among so many, to both sides of where it stood
ALIKE = 0.5  # the share of their words that two wordings of one sentence have in common, at least
CONTEXT = 3  # words that are shown around those that changed


# ---------------------------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------------------------


def texts_of(root: Path) -> list[tuple[str, str]]:
    """What a reader reads: the texts of the book, and the levels of the game."""
    game = root / "book" / "game.yml"
    levels = [("book/game.yml", game.read_text(encoding="utf8"))] if game.exists() else []
    return [*prose.book_texts(root), *levels]


def read(texts: Iterable[tuple[str, str]]) -> dict[str, list[Sentence]]:
    """The sentences of each text that has some, in their order; of a YAML file its fields."""
    found = {}
    for file, text in texts:
        these = _fields(yaml.compose(text)) if file.endswith((".yaml", ".yml")) else _sentences(text)
        found[file] = [s._replace(text=" ".join(s.text.split())) for s in these if re.search(r"\w", s.text)]
    return {file: these for file, these in found.items() if these}


def _sentences(text: str) -> Iterator[Sentence]:
    for sentence in prose.sentences(prose.prose_lines(text)):
        if not LABEL.fullmatch(sentence.text):
            yield sentence._replace(text=MARK.sub("", sentence.text))


def _fields(node: yaml.Node | None) -> Iterator[Sentence]:
    """Each field of a YAML document as ``name: value``; a list of words is one value."""
    if isinstance(node, yaml.SequenceNode):
        for part in node.value:
            yield from _fields(part)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
            words = [part.value for part in parts if isinstance(part, yaml.ScalarNode)]
            plain = len(words) == len(parts)
            shown = f"{key.value}: {', '.join(words)}" if plain else key.value
            yield Sentence(key.start_mark.line + 1, value.end_mark.line + 1, shown)
            yield from () if plain else _fields(value)


# ---------------------------------------------------------------------------------------------------------------
# Pins
# ---------------------------------------------------------------------------------------------------------------


def from_text(text: str) -> dict[str, list[str]]:
    """The pinned sentences of each file, from what :func:`as_text` made."""
    pins: dict[str, list[str]] = {}
    for line in text.split("\n"):
        if line.startswith(" ") and pins:
            pins[next(reversed(pins))].append(line[1:])
        elif line and not line.startswith("#"):
            pins[line] = []
    return pins


def as_text(pins: Mapping[str, Sequence[str]]) -> str:
    """Files in the order of their names, their sentences indented by a space."""
    return "\n".join(
        [HEAD, *(line for file in sorted(pins) for line in (file, *(f" {s}" for s in pins[file]))), ""]
    )


def pinned(root: Path) -> dict[str, list[str]]:
    """What `book/sentences.txt` holds; empty where there is none yet."""
    path = root / PINS
    return from_text(path.read_text(encoding="utf8")) if path.exists() else {}


def write(root: Path, chapters: Iterable[str] = ()) -> None:
    """Accept the wording of the book; or of these chapters and their slides, and leave the other pins alone."""
    pins = {file: [s.text for s in these] for file, these in read(texts_of(root)).items()}
    only = {file for name in chapters for file in (f"notebooks/{name}.md", f"book/slides/{name.split('-')[0]}.md")}
    if only:
        others = {file: these for file, these in pinned(root).items() if file not in only}
        pins = others | {file: these for file, these in pins.items() if file in only}
    replace_file(root / PINS, as_text(pins))


# ---------------------------------------------------------------------------------------------------------------
# Comparison
# ---------------------------------------------------------------------------------------------------------------


def drift(root: Path) -> list[Problem]:
    """Where the text of the book is not as it was pinned."""
    return differences(pinned(root), read(texts_of(root)))


def differences(pins: Mapping[str, Sequence[str]], fresh: Mapping[str, Sequence[Sentence]]) -> list[Problem]:
    """Reworded, moved, new and removed sentences with file and line; neighbours of one fate are one problem."""
    if not pins and fresh:
        whole = Sentence(1, 1, "(the whole text)")
        return [_problem(PINS, whole, "not pinned", _many(sum(map(len, fresh.values())), "there"))]
    return [
        problem
        for file in sorted(pins.keys() | fresh.keys())
        for problem in _of_file(file, pins.get(file, ()), fresh.get(file, ()))
    ]


def _of_file(file: str, old: Sequence[str], new: Sequence[Sentence]) -> Iterator[Problem]:
    texts = [sentence.text for sentence in new]
    opcodes = SequenceMatcher(None, old, texts, autojunk=False).get_opcodes()
    blocks = [(range(i1, i2), range(j1, j2)) for tag, i1, i2, j1, j2 in opcodes if tag != "equal"]
    moved = _moved(old, texts, [i for gone, _ in blocks for i in gone], [j for _, come in blocks for j in come])
    for i, j, length in _runs(moved.items()):
        after = (_short(before[k - 1]) if k else "the beginning" for before, k in ((old, i), (texts, j)))
        was, now = (f"after: {place}" for place in after)
        yield _problem(file, new[j], _many(length, was), _many(length, now))
    for gone, come in blocks:
        left = [i for i in gone if i not in moved]
        added = [j for j in come if j not in moved.values()]
        pairs = _alike(old, texts, left, added)
        for i, j in pairs.items():
            yield _problem(file, new[j], *reworded(old[i], texts[j]))
        for j, _, length in _runs((j, j) for j in added if j not in pairs.values()):
            yield _problem(file, new[j], "not pinned", _many(length, "there"))
        here = new[min(come.start, len(new) - 1)].first if new else 1
        for i, _, length in _runs((i, i) for i in left if i not in pairs):
            yield _problem(file, Sentence(here, here, old[i]), _many(length, "there"), "removed")


def _moved(old: Sequence[str], new: Sequence[str], gone: Sequence[int], come: Sequence[int]) -> dict[int, int]:
    """Where sentences of `old` that are not in their place stand in `new`."""
    places: dict[str, list[int]] = {}
    for j in reversed(come):
        places.setdefault(new[j], []).append(j)
    return {i: places[old[i]].pop() for i in gone if places.get(old[i])}


def _alike(old: Sequence[str], new: Sequence[str], gone: Sequence[int], come: Sequence[int]) -> dict[int, int]:
    """Which sentence of `new` each of `old` became, of those near its place; some became none."""
    if len(gone) == len(come):
        return dict(zip(gone, come, strict=True))
    found: dict[int, int] = {}
    for k, i in enumerate(gone):
        near = [j for j in come[max(k - NEAR, 0) : k + NEAR + 1] if j not in found.values()]
        ratios = [SequenceMatcher(None, old[i].split(), new[j].split(), autojunk=False).ratio() for j in near]
        if ratios and max(ratios) >= ALIKE:
            found[i] = near[ratios.index(max(ratios))]
    return found


def _runs(pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Pairs that follow each other: the first one and how many they are."""
    for _, run in itertools.groupby(enumerate(pairs), lambda one: (one[1][0] - one[0], one[1][1] - one[0])):
        first, *rest = (pair for _, pair in run)
        yield *first, 1 + len(rest)


def reworded(was: str, now: str) -> tuple[str, str]:
    """The words that changed, before and now, with a few around them."""
    old, new = was.split(), now.split()
    groups = list(SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT))
    return (
        _excerpt(old, [slice(group[0][1], group[-1][2]) for group in groups]),
        _excerpt(new, [slice(group[0][3], group[-1][4]) for group in groups]),
    )


def _excerpt(words: Sequence[str], parts: Sequence[slice]) -> str:
    shown = " … ".join(" ".join(words[part]) for part in parts)
    return f"{'… ' * (parts[0].start > 0)}{shown}{' …' * (parts[-1].stop < len(words))}" if parts else ""


def _many(count: int, what: str) -> str:
    return what if count == 1 else f"{count} sentences {what}"


def _short(text: str) -> str:
    return textwrap.shorten(text, 50, placeholder=" …")


def _problem(file: str, sentence: Sentence, was: str, now: str) -> Problem:
    names = ", ".join(dict.fromkeys(name.strip() for _, name in ROLE.findall(sentence.text)))
    where = f"{file}:{sentence.first}" if sentence.first else file
    return Problem("sentence", names or "prose", where, sentence.text, was, now, "none", PIN_REMEDY)
