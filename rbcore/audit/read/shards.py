"""Several files of one format as one source: those of a folder that holds data files, or of a pattern."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Generator, Iterable
from contextlib import closing

from rbcore.audit.read.source import BadRow, InputError, Kind, Row, Source, listed

ASIDE = re.compile(
    r"(readme|license|licence|notice|citation|changelog)\b.*|_success|_metadata|_common_metadata"
    r"|dataset_infos?\.json|datasets?_card.*|state\.json|.*\.(lock|crc|md5|sha256|yaml|yml)",
    re.IGNORECASE,
)
DATA = re.compile(r".+\.((jsonl|ndjson|json|csv|tsv)(\.gz|\.zst)?|parquet)", re.IGNORECASE)
TEXT = re.compile(r".+\.(txt|md)", re.IGNORECASE)
SPLIT = re.compile(r"(train|test|validation|valid|val|dev|eval)(?![a-z])", re.IGNORECASE)


def is_pattern(given: str) -> bool:
    """Whether a name has signs of a pattern, such as ``data/*.jsonl``."""
    return glob.has_magic(given) and "\0" not in given


def holds_data(folder: str) -> bool:
    """Whether a folder holds data files and no texts; files that go with data, such as README.md, do not count."""
    names = [os.path.basename(one) for one in _below(folder)]
    names = [one for one in names if not ASIDE.fullmatch(one)]
    return any(map(DATA.fullmatch, names)) and not any(map(TEXT.fullmatch, names))


def files(
    name: str,
    path: str,
    split: str,
    suffix: Callable[[str], str],
    check: Callable[[str, str, int], None],
) -> list[str]:
    """The files of a folder or a pattern, sorted; of files named by splits, those of `split`.

    Raises:
        InputError: when there are none, or they are not all of one format, or one is not read.
    """
    source = Source(name, path)
    pattern = not os.path.isdir(path)
    with source.reading():
        if pattern:
            found = sorted(one for one in glob.glob(path, recursive=True) if not os.path.isdir(one))
        else:
            found = [one for one in _below(path) if not ASIDE.fullmatch(os.path.basename(one))]
    if not found:
        raise source.error("there is no file that fits this pattern")
    for one in found:
        try:
            check(name, one, os.stat(one).st_mode)
        except FileNotFoundError as error:
            raise Source(name, one).error("is a link to a file that is not there") from error
    found = [one for one in found if os.path.getsize(one)] or found
    forms = sorted({suffix(one) for one in found})
    if len(forms) > 1:
        has = f"files of several formats ({listed(forms)})"
        raise source.error(f"{has}: give those of one format, for instance '{os.path.join(path, '*' + forms[0])}'")
    marks = {one: SPLIT.match(os.path.basename(one)) for one in found}
    marked = {one: mark[1].lower() for one, mark in marks.items() if mark is not None}
    if not pattern and len(set(marked.values())) > 1 and len(marked) == len(found):
        found = [one for one in found if marked[one] == split.lower()]
        if not found:
            raise source.error(f"it has no split '{split}': name one of {listed(sorted(set(marked.values())))}")
    return found


def _below(folder: str) -> list[str]:
    """The files below a folder, sorted; hidden ones and links to folders are left out."""

    def fail(error: OSError) -> None:
        raise error

    found = []
    for base, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [one for one in folders if not one.startswith(".")]
        found += [os.path.join(base, one) for one in names if not one.startswith(".")]
    return sorted(found)


class Shards(Source):
    """Files that are read one after another; places are those in the files."""

    def __init__(self, name: str, path: str, parts: list[Callable[[], Source]]):
        super().__init__(name, path)
        self.parts = parts
        self.now: Source = parts[0]()
        self.notes.append(f"{len(parts):,} file{'s' * (len(parts) > 1)} of '{os.path.basename(path)}' are read")
        self.typed, self.void = self.now.typed, self.now.void

    @property
    def place(self) -> str:
        """In the file that is read now."""
        return self.now.place

    @property
    def spot(self) -> tuple[str, int]:
        """In the file that is read now."""
        return self.now.spot

    def error(self, problem: str, at: str = "") -> InputError:
        """An error about the file that is read now, where a place is named."""
        return self.now.error(problem, at) if at else super().error(problem)

    def kinds(self) -> dict[str, Kind]:
        """The columns of the first file."""
        kinds = self.now.kinds()
        self.nested, self.rare = self.now.nested, self.now.rare
        return kinds

    def everything(self) -> list[str]:
        """The columns of the first file."""
        return self.now.everything()

    def rows(self, columns: Iterable[str]) -> Generator[Row | BadRow]:
        """The records of all files."""
        columns = list(columns)
        for make in self.parts:
            self.now = make()
            with closing(self.now.rows(columns)) as rows:
                for row in rows:
                    self.raw = self.now.raw
                    yield row
            for note in self.now.notes:
                if note not in self.notes:
                    self.notes.append(note)
