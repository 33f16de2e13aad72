"""What the readers of an audit's inputs have in common: columns, places, and errors in the user's terms."""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any, Literal

from rbcore.audit.read.conversation import is_chat, unpacked

LONGEST = 1_000_000
"""The most bytes that one record may have."""
MIN = 20
"""The fewest records that an input may have."""
PEEK = 100  # records that are looked at to find out what the columns hold

Kind = Literal["text", "number", "flag", "numbers", "chat", "null", "other"]


class InputError(ValueError):
    """Something is wrong with the user's data or options; the message, one line, says what and how to mend it."""


class BadRow(InputError):
    """Something is wrong with one row; few such rows are skipped.  The message holds `place` and `problem`."""

    def __init__(self, message: str, place: str, problem: str):
        super().__init__(message)
        self.place, self.problem = place, problem


Row = Mapping[str, Any]


class Source:
    """A source of records.

    `name` is the input's (such as ``"SYNTH"``), `path` the file's, `number` that of the record that was read last,
    `typed` whether the format tells numbers from texts, and `void` what is said of a source without records.
    `nested` are the names of :meth:`kinds` for what stands inside of an object, such as ``"data.text"``; `rare`
    those that most rows lack; `notes` what the user should know.  `raw` are the bytes of the row read last, where
    it is a line of JSON.
    """

    unit, typed, void = "row", True, "holds no records"
    raw: bytes | None = None

    def __init__(self, name: str, path: str):
        self.name, self.path, self.number = name, path, 0
        self.nested: frozenset[str] = frozenset()
        self.rare: frozenset[str] = frozenset()
        self.notes: list[str] = []

    @property
    def spot(self) -> tuple[str, int]:
        """The file and the line or the row, counted from 1, of the record that was read last."""
        return self.path, self.number

    @property
    def origin(self) -> str:
        """What the source is, however the user wrote it."""
        return os.path.realpath(self.path)

    @property
    def place(self) -> str:
        """Where the record that was read last stands."""
        return f"{self.unit} {self.number:,}"

    def error(self, problem: str, at: str = "") -> InputError:
        """An error about this source, or about a place in it."""
        return InputError(f"{self.name}: {shown(self.path, 200)}{', ' if at else ''}{at}: {problem}")

    def bad(self, problem: str, at: str | None = None) -> BadRow:
        """An error about the record that was read last."""
        at = self.place if at is None else at
        return BadRow(str(self.error(problem, at)), at, problem)

    @contextmanager
    def reading(
        self,
        what: str = "cannot be read",
        at: str = "",
        errors: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error),
    ) -> Generator[None]:
        """Turn `errors` of the libraries inside into an InputError of one line."""
        try:
            yield
        except InputError:
            raise
        except errors as error:
            raise self.error(f"{what} ({reason(error)})", at) from error

    def too_long(self, at: str, or_else: str = "") -> BadRow:
        """An error about a record of more than :data:`LONGEST` bytes."""
        most = f"longer than {LONGEST:,} bytes, the most that is read of one record"
        return self.bad(f"{most}: cut it up or leave it out{or_else}", at)

    def decoded(self, raw: bytes, at: str, offset: int = 0) -> str:
        """Bytes as text, or an InputError when they are not in UTF-8; `offset` is where they begin in the file."""
        if b"\0" in raw:
            where = offset + raw.index(b"\0")
            raise self.bad(f"a NUL byte (byte {where:,} of the file): not text in UTF-8, save it as such", at)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            what = f"byte {offset + error.start:,} of the file is 0x{raw[error.start]:02x}"
            raise self.bad(f"not UTF-8 ({what}): save the file in UTF-8", at) from error

    def without_mark(self, raw: bytes, at: str = "") -> bytes:
        """The file's first bytes without the mark of UTF-8; InputError for that of another encoding."""
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            wide = "UTF-32" if raw.startswith(b"\xff\xfe\0\0") else "UTF-16"
            raise self.error(f"is in {wide}: save it in UTF-8", at)
        return raw.removeprefix(b"\xef\xbb\xbf")

    def check_names(self, names: Sequence[str]) -> None:
        """Raise InputError when two columns have the same name."""
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise self.error(f"two columns have the name {listed(twice[:1])}: rename one")

    def kinds(self) -> dict[str, Kind]:
        """What the columns hold, by their names; looked up in the first records.

        Where values differ, most of them decide; without types all are text then.

        Raises:
            InputError: when none of the first records can be read.
        """
        counts: dict[str, Counter[Kind]] = {}
        nested, seen, bad = set(), 0, None
        with closing(self.rows([])) as rows:
            for row in islice(rows, PEEK):
                if isinstance(row, BadRow):
                    bad = bad or row
                    continue
                seen += 1
                for column, value in row.items():
                    what = kind(value) if self.typed else kind_of_cell(value)
                    counts.setdefault(column, Counter())[what] += 1
                    if what == "other" and isinstance(value, dict):
                        for key, inner in value.items():
                            if (name := f"{column}.{key}") not in row:
                                nested.add(name)
                                counts.setdefault(name, Counter())[kind(inner)] += 1
        if bad is not None and not seen:
            raise bad
        self.nested = frozenset(nested)
        self.rare = frozenset(name for name, one in counts.items() if 2 * one.total() < seen)
        kinds = {name: _most(one, self.typed) for name, one in counts.items()}
        return {name: kinds[name] for name in (*(n for n in kinds if n not in nested), *sorted(nested))}

    def rows(self, columns: Iterable[str]) -> Generator[Row | BadRow]:
        """The records, and errors in the place of those that cannot be read.

        A reader may leave out columns that are not named, if any are.

        Raises:
            InputError: when the source as a whole cannot be read.
        """
        raise NotImplementedError

    def everything(self) -> list[str]:
        """The names of all columns, where rows have to be asked for by them."""
        return []


def _most(counts: Counter[Kind], typed: bool) -> Kind:
    """What most values are that are not null; the first of those that are as many."""
    found = {what: n for what, n in counts.items() if what != "null"}
    if not typed and len(found) > 1:
        return "text"
    return max(found, key=lambda what: found[what], default="null")


def kind(value: Any) -> Kind:
    """What a value is; an empty list says as little as null, and messages may be JSON in a string."""
    if value is None or value == []:
        return "null"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, str):
        return "chat" if unpacked(value) is not None else "text"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list) and all(type(one) in (int, float) for one in value):
        return "numbers"
    return "chat" if is_chat(value) else "other"


def number_of(cell: str) -> float | None:
    """The number that a cell holds, if it does."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def shown(value: object, most: int = 60) -> str:
    """A value of the user's as one short printable line."""
    text = str(value)
    text = text if len(text) <= most else f"{text[: most - 4]} ..."
    text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listed(names: Iterable[object], most: int = 20) -> str:
    """Names as a list in a sentence, the rest counted."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"'{shown(one)}'" for one in names[:most]) + more


def many(n: int, noun: str) -> str:
    """A number with its noun."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def reason(error: BaseException) -> str:
    """Why a library failed, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return shown(next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__), 200)


def kind_of_cell(cell: str | None) -> Kind:
    """What a cell of a table without types holds."""
    if not cell:
        return "null"
    if number_of(cell) is not None:
        return "number"
    if cell.startswith("[") and cell.endswith("]"):
        try:
            found = kind(json.loads(cell))
            return found if found in ("numbers", "chat") else "text"
        except (ValueError, RecursionError):
            pass
    return "text"
