"""A mutant: one small change of one file of the book, with a name that says where and what."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rbcore.book import agree, prose
from rbcore.book.cli import PINS
from rbcore.book.execute import ROOT


class Edit(NamedTuple):
    """In `file`, the characters from `start` to `end` become `new`."""

    file: str
    start: int
    end: int
    new: str


class Mutant(NamedTuple):
    """An edit as a member of a class: what it replaces, and the line it stands in."""

    kind: str
    edit: Edit
    old: str
    line: int

    @property
    def place(self) -> str:
        """Where it is: ``notebooks/02-two-divergences.md:85``."""
        return f"{self.edit.file}:{self.line}"

    @property
    def change(self) -> str:
        """What it changes: ``at least -> at most``; what is long is cut in its middle."""
        return f"{_short(self.old)} -> {_short(self.edit.new)}"

    @property
    def name(self) -> str:
        """Class, place and change."""
        return f"{self.kind} | {self.place} | {self.change}"


def _short(text: str, most: int = 60) -> str:
    text = " ".join(text.split()) or "(nothing)"
    return text if len(text) <= most else f"{text[: most - 25]} .. {text[-20:]}"


class Sources:
    """The files of the book, read once, and what its pins say."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self._read: dict[str, str] = {}
        self.lines: list[Any] = []  # of prose, when they were asked for
        self.pins: Mapping[str, Any] = agree.read_pins(root / PINS)
        self.texts: Mapping[str, str] = dict(prose.book_texts(root))

    def text(self, file: str) -> str:
        """The text of one file."""
        if file not in self._read:
            self._read[file] = (self.root / file).read_text(encoding="utf8")
        return self._read[file]

    def mutant(self, kind: str, edit: Edit) -> Mutant:
        """The edit, named; its ends are drawn in to what differs, by whole words."""
        text = self.text(edit.file)
        old = text[edit.start : edit.end]
        return Mutant(kind, edit, old, text.count("\n", 0, edit.start) + 1)

    def applied(self, edit: Edit) -> str:
        """The text of the edit's file after it."""
        text = self.text(edit.file)
        return text[: edit.start] + edit.new + text[edit.end :]


Generator = Callable[[Sources], Iterable[Edit]]


def chosen(sources: Sources, kind: str, generators: Mapping[Generator, int], seed: int) -> Iterator[Mutant]:
    """So many edits of each generator, those whose digests are smallest.

    A digest is over seed, file and change, not over the line: when the book changes elsewhere, the same mutants
    are chosen again, and what is known of them need not be found out anew.
    """
    for generator, count in generators.items():
        ranked: dict[bytes, Edit] = {}
        for edit in generator(sources):
            text = sources.text(edit.file)
            if edit.new == text[edit.start : edit.end]:
                continue
            around = text[max(0, edit.start - 40) : edit.end + 40]
            key = "\0".join([str(seed), kind, generator.__name__, edit.file, around, edit.new])
            ranked.setdefault(hashlib.sha256(key.encode()).digest(), edit)
        for digest in sorted(ranked)[:count]:
            yield sources.mutant(kind, ranked[digest])
