"""The user's files, read one record at a time: a reader for each format, chosen by the name of the file.

A reader knows the columns of its source, yields one dictionary for each record, and says in the user's terms where
a record stands.  No more than one record is in memory, and of a record that is too long only its beginning.
Nothing in a file is executed: formats that can hold code are refused.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Literal

from rbcore.audit.read.arrow import DataSet, Parquet
from rbcore.audit.read.source import LONGEST, InputError, Kind, Source, kind_of_cell, listed, many, reason, shown

LINES = (".jsonl", ".ndjson")
TABLES = {".csv": ",", ".tsv": "\t"}
TEXTS = (".txt", ".md")
PICKLED = (".pkl", ".pickle", ".npy", ".npz", ".pt", ".pth", ".ckpt", ".bin", ".joblib", ".dill", ".mat")
KNOWN = (
    "JSON lines (.jsonl, .ndjson), CSV (.csv), TSV (.tsv), Parquet (.parquet), or a folder of .txt or .md files"
)
_OTHERS = ".json .gz .zip .tar .bz2 .xz .zst .7z .xlsx .xls .ods .arrow .feather .orc .avro .h5 .hdf5 .safetensors"
SUFFIXES = frozenset((*LINES, *TABLES, *TEXTS, *PICKLED, ".parquet", *_OTHERS.split()))
MAGIC: Mapping[bytes, str] = {
    b"PAR1": "is a Parquet file: give it a name that ends in .parquet",
    b"\x1f\x8b": "is compressed with gzip: give it a name that ends in .gz, such as data.jsonl.gz",
    b"PK\x03\x04": "is a zip archive (or a spreadsheet, or .npz): unpack it, or save it as .csv",
    b"\x93NUMPY": "is a NumPy file, which can run code when it is read: save the array as .parquet or .csv",
    b"ARROW1": "is an Arrow file: save the table as .parquet",
    b"SQLite format 3": "is a database: save the table as .csv or .parquet",
}

Place = Literal["file", "folder", "disk", "hub"]


class _Lines(Source):
    """A file of text in UTF-8, line by line; `gzip` files are unpacked on the way."""

    unit = "line"

    def lines(self) -> Iterator[str]:
        """The lines with their ends; `number` counts them.

        Raises:
            InputError: for what is not text in UTF-8, and for a line that is too long.
        """
        self.number, offset, at = 0, 0, ""
        try:
            with _opened(self.path) as file:
                while line := file.readline(LONGEST + 2):
                    self.number += 1
                    at = f"line {self.number:,}"
                    size = len(line)
                    if self.number == 1:
                        line = self.without_mark(line)
                    if len(line.rstrip(b"\r\n")) > LONGEST:
                        raise self.too_long(at)
                    yield self.decoded(line, at, offset + size - len(line))
                    offset += size
        except (OSError, EOFError, zlib.error) as error:
            raise self.error(f"cannot be read ({reason(error)})", at) from error


class JsonLines(_Lines):
    """One JSON object a line; blank lines are skipped."""

    void = "holds only blank lines"

    def rows(self, columns: Iterable[str]) -> Iterator[dict[str, Any]]:
        """The records, one after the other, each with its place."""
        decode = json.JSONDecoder(object_pairs_hook=_unique).decode
        for line in self.lines():
            if line.isspace() or not line:
                continue
            try:
                row = decode(line)
            except json.JSONDecodeError as error:
                raise self._invalid(line, error) from error
            except RecursionError as error:
                raise self.error(
                    "JSON that is nested too deeply: a record is a flat object", self.place
                ) from error
            except _Repeated as error:
                raise self.error(f"the field {shown(error)} appears twice: keep one", self.place) from error
            except ValueError as error:  # more digits than Python reads
                raise self.error(
                    "a number with thousands of digits: no such number can be used", self.place
                ) from error
            if type(row) is not dict:
                raise self.error(f'holds {_name_of(row)}, not an object such as {{"text": ...}}', self.place)
            yield row

    def _invalid(self, line: str, error: json.JSONDecodeError) -> InputError:
        start = line.lstrip()
        if self.number == 1 and start.startswith("[") and not start.startswith("[]"):
            return self.error(_ARRAY)
        hint = "each line must be one whole JSON object"
        if start.startswith(("{'", "{u'")):
            hint = "JSON has double quotes; write lines with json.dumps, not str"
        return self.error(f"not valid JSON at column {error.colno} ({error.msg}); {hint}", self.place)


class Table(_Lines):
    """Values separated by commas (or by tabs), one row of names above them; blank rows are skipped."""

    typed = False

    def __init__(self, name: str, path: str, delimiter: str):
        super().__init__(name, path)
        self.delimiter, self.row, self.line = delimiter, 0, 1

    @property
    def place(self) -> str:
        """Where a record stands, for messages."""
        return f"row {self.row:,} (line {self.line:,})" if self.row else f"line {self.number:,}"

    def rows(self, columns: Iterable[str]) -> Iterator[dict[str, str]]:
        """The records, one after the other, each with its place."""
        header: list[str] | None = None
        for cells in self._cells():
            if header is None:
                header = self._header(cells) if len(cells) > 1 or cells[0].strip() else None
                continue
            self.row += 1
            if len(cells) != len(header):
                raise self.error(
                    f"{many(len(cells), 'value')} where the header has {many(len(header), 'name')}: "
                    "put quotes around values with separators or line breaks in them",
                    self.place,
                )
            yield dict(zip(header, cells, strict=True))

    def _cells(self) -> Iterator[list[str]]:
        self.row, self.line, size = 0, 1, 0

        def feed() -> Iterator[str]:
            nonlocal size
            for line in self.lines():
                size += len(line)
                if size > LONGEST + 2:
                    self.row += 1
                    raise self.too_long(self.place, ", and look for a quote that is never closed")
                yield line

        with _field_limit(LONGEST + 2):
            reader = csv.reader(feed(), delimiter=self.delimiter, strict=True)
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    self.row += 1
                    raise self.error(
                        f"not valid CSV ({error}): put quotes around the whole value", self.place
                    ) from error
                if cells:
                    yield cells
                self.line, size = reader.line_num + 1, 0

    def _header(self, cells: list[str]) -> list[str]:
        blank = [i for i, cell in enumerate(cells, 1) if not cell.strip()]
        if blank:
            raise self.error(
                f"column {blank[0]} has no name in the header: give it one (pandas: to_csv(..., index=False))"
            )
        twice = sorted({cell for cell in cells if cells.count(cell) > 1}) if len(set(cells)) < len(cells) else []
        if twice:
            raise self.error(f"two columns have the name {listed(twice[:1])}: rename one")
        other = next((mark for mark in ";\t|," if mark != self.delimiter and mark in cells[0]), None)
        if len(cells) == 1 and other:
            mark, found = _MARKS[self.delimiter], _MARKS[other]
            raise self.error(f"the header {listed(cells)} has {found}s and no {mark}: separate columns by {mark}s")
        counted = [[str(i + start) for i in range(len(cells))] for start in (0, 1)]
        if cells not in counted and all(kind_of_cell(cell) == "number" for cell in cells):
            raise self.error("the first row holds numbers: put a row with the names of the columns above it")
        return cells


class Folder(Source):
    """A folder of text files, each one record: column `text`, and `folder` with the sub-folder that it is in."""

    unit = "file"

    def __init__(self, name: str, path: str):
        super().__init__(name, path)
        self.file = ""

    @property
    def place(self) -> str:
        """Where a record stands, for messages."""
        return f"file {shown(self.file, 200)}"

    def kinds(self) -> dict[str, Kind]:
        """The columns by name, with what they hold."""
        return {"text": "text", "folder": "text"} if self.files() else {}

    def files(self) -> list[str]:
        """The text files below the folder, sorted; links to folders are not followed, hidden files not read.

        Raises:
            InputError: when there are none, or a folder cannot be read.
        """
        found, others = [], []
        try:
            for base, folders, names in os.walk(self.path, onerror=_raise):
                folders[:] = [one for one in folders if not one.startswith(".")]
                here = os.path.relpath(base, self.path)
                for one in names:
                    if not one.startswith("."):
                        into = found if one.lower().endswith(TEXTS) else others
                        into.append(os.path.normpath(os.path.join(here, one)))
        except OSError as error:
            raise self.error(f"cannot be read ({reason(error)})") from error
        if not found:
            has = f"; it has {listed(sorted(others)[:3])}: give a file, not its folder" if others else ""
            raise self.error(f"is a folder without text files ({', '.join('*' + one for one in TEXTS)}){has}")
        return sorted(found)

    def rows(self, columns: Iterable[str]) -> Iterator[dict[str, str | None]]:
        """The records, one after the other, each with its place."""
        for file in self.files():
            self.file = file
            raw = self.without_mark(self._read(os.path.join(self.path, file)), self.place)
            text = self.decoded(raw, self.place)
            top, _, rest = file.partition(os.sep)
            yield {"text": text, "folder": top if rest else None}

    def _read(self, path: str) -> bytes:
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise self.error("is no ordinary file: leave it out", self.place)
            with open(path, "rb") as file:
                raw = file.read(LONGEST + 1)
        except OSError as error:
            raise self.error(f"cannot be read ({reason(error)})", self.place) from error
        if len(raw) > LONGEST:
            raise self.too_long(self.place)
        return raw


_ARRAY = (
    "is one JSON array: write one object a line and name the file .jsonl (for instance: jq -c '.[]' data.json)"
)
_MARKS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}


def locate(name: str, source: str | os.PathLike[str]) -> tuple[Place, str]:
    """What `source` is, and its path (or its name on the Hugging Face hub).

    Raises:
        InputError: when there is no such thing, or it is of a kind that is not read.
    """
    given = os.fspath(source)
    given = os.fsdecode(given)
    path = os.path.expanduser(given)

    def error(problem: str) -> InputError:
        return InputError(f"{name}: {shown(given, 200)}: {problem}")

    if not given.strip():
        raise InputError(f"{name}: no file is named")
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError) as problem:
        if os.path.lexists(path):
            raise error("is a link to a file that is not there") from problem
        if _like_a_data_set(given):
            return "hub", given
        raise error("there is no such file or folder") from problem
    except OSError as problem:
        raise error(f"cannot be read ({reason(problem)})") from problem
    except ValueError as problem:  # a NUL character
        raise error("is not the name of a file") from problem
    suffix = _suffix(path)
    if stat.S_ISDIR(mode):
        if any(os.path.isfile(os.path.join(path, one)) for one in ("state.json", "dataset_dict.json")):
            return "disk", path
        if suffix in SUFFIXES:
            raise error(f"is a folder, not a {suffix} file: give the file in it, or rename the folder")
        return "folder", path
    if not stat.S_ISREG(mode):
        raise error("is no ordinary file but a pipe or a device: write the records to a file first")
    if suffix in PICKLED:
        raise error(
            f"{suffix} files can run code when they are read (pickle): save the data as .parquet or .jsonl"
        )
    if suffix in TEXTS:
        raise error(
            f"one {suffix} file is one text: give the folder with all of them, or one text a line as .jsonl"
        )
    if suffix not in (*LINES, *TABLES, ".parquet", ".json"):
        raise error(f"its format is not known from its name: what is read is {KNOWN}")
    return "file", path


def opened(name: str, source: str | os.PathLike[str], split: str = "train", subset: str | None = None) -> Source:
    """The reader for `source`.

    Raises:
        InputError: when there is nothing that can be read.
    """
    place, path = locate(name, source)
    if place in ("disk", "hub"):
        return DataSet(name, path, place == "disk", split, subset)
    if place == "folder":
        return Folder(name, path)
    suffix, plain = _suffix(path), Source(name, path)
    try:
        with open(path, "rb") as file:
            start = file.read(64)
    except OSError as error:
        raise plain.error(f"cannot be read ({reason(error)})") from error
    if not start:
        raise plain.error("is empty: name a file that holds records")
    expected = b"PAR1" if suffix == ".parquet" else b"\x1f\x8b" if path.lower().endswith(".gz") else None
    for magic, problem in MAGIC.items():
        if start.startswith(magic) and magic != expected:
            raise plain.error(problem)
    if re.match(rb"\x80[\x02-\x05]", start) and suffix != ".parquet":
        raise plain.error("is a pickle, which can run code when it is read: save the data as .parquet or .jsonl")
    if suffix == ".parquet":
        return Parquet(name, path)
    if suffix == ".json" and start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        raise plain.error(_ARRAY)
    return Table(name, path, TABLES[suffix]) if suffix in TABLES else JsonLines(name, path)


class _Repeated(ValueError):
    """A key that an object has twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise _Repeated(next(key for key, _ in pairs if key in seen or seen.add(key)))
    return found


def _name_of(value: object) -> str:
    names = {str: "a string", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return "null" if value is None else names.get(type(value), "an object")


def _suffix(path: str) -> str:
    """The suffix that names the format, in lower case: that of the packed file for .gz."""
    stem, suffix = os.path.splitext(path.rstrip("/").lower())
    inner = os.path.splitext(stem)[1]
    return inner if suffix == ".gz" and inner in (*LINES, *TABLES) else suffix


def _like_a_data_set(given: str) -> bool:
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", given, re.ASCII) or _suffix(given) in SUFFIXES:
        return False
    owner, slash, _ = given.partition("/")
    return _suffix(owner) not in SUFFIXES and not os.path.isdir(owner) if slash else "." not in given


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    with open(path, "rb") as file:
        if path.lower().endswith(".gz"):
            yield io.BufferedReader(gzip.GzipFile(fileobj=file, mode="rb"), 1 << 16)  # type: ignore[arg-type]
        else:
            yield file


@contextmanager
def _field_limit(size: int) -> Iterator[None]:
    before = csv.field_size_limit(size)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _raise(error: OSError) -> None:
    raise error
