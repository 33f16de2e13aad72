"""The user's files, read one record at a time: a reader for each format, chosen by the name of the file.

A reader knows the columns of its source, yields one dictionary for each record, and says in the user's terms where
a record stands.  No more than one record is in memory, and of a record that is too long only its beginning.
Nothing in a file is executed: formats that can hold code are refused.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import stat
import zlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Literal

from rbcore.audit.read.columns import Selection
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
ARRAY = "is one JSON array: write one object a line and name the file .jsonl (for instance: jq -c '.[]' data.json)"
MAGIC: Mapping[bytes, str] = {
    b"PAR1": "is a Parquet file: give it a name that ends in .parquet",
    b"\x1f\x8b": "is compressed with gzip: give it a name that ends in .gz, such as data.jsonl.gz",
    b"PK\x03\x04": "is a zip archive (or a spreadsheet, or .npz): unpack it, or save it as .csv",
    b"\x93NUMPY": "is a NumPy file, which can run code when it is read: save the array as .parquet or .csv",
    b"ARROW1": "is an Arrow file: save the table as .parquet",
    b"SQLite format 3": "is a database: save the table as .csv or .parquet",
}
JSON_NAMES = {str: "a string", bool: "true or false", int: "a number", float: "a number", list: "a list"}
SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}

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
            with (gzip.open if self.path.lower().endswith(".gz") else open)(self.path, "rb") as file:
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

    def rows(self, columns: Iterable[str]) -> Generator[dict[str, Any]]:
        """The objects, all of their fields."""
        decode = json.JSONDecoder(object_pairs_hook=self._object).decode
        for line in self.lines():
            if line.isspace() or not line:
                continue
            try:
                row = decode(line)
            except InputError:
                raise
            except (ValueError, RecursionError) as error:
                raise self._invalid(line, error) from error
            if type(row) is not dict:
                names = {
                    str: "a string",
                    bool: "true or false",
                    int: "a number",
                    float: "a number",
                    list: "a list",
                }
                what = names.get(type(row), "null")
                raise self.error(f'holds {what}, not an object such as {{"text": ...}}', self.place)
            yield row

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
            raise self.error(f"the field {shown(twice)} appears twice: keep one", self.place)
        return made

    def _invalid(self, line: str, error: ValueError | RecursionError) -> InputError:
        """An error about a line that the decoder refused."""
        start = line.lstrip()
        if isinstance(error, RecursionError):
            return self.error("JSON that is nested too deeply: a record is a flat object", self.place)
        if not isinstance(error, json.JSONDecodeError):  # more digits than Python reads
            return self.error("a number with thousands of digits: no such number can be used", self.place)
        if self.number == 1 and start.startswith("[") and not start.startswith("[]"):
            return self.error(ARRAY)
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
        """The row, counted without the header, and the line that it begins in."""
        return f"row {self.row:,} (line {self.line:,})" if self.row else f"line {self.number:,}"

    def rows(self, columns: Iterable[str]) -> Generator[dict[str, str]]:
        """The rows below the header, all of their cells as text."""
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

        with ExitStack() as stack:
            stack.callback(csv.field_size_limit, csv.field_size_limit(LONGEST + 2))
            reader = csv.reader(feed(), delimiter=self.delimiter, strict=True)
            try:
                for cells in reader:
                    if cells:
                        yield cells
                    self.line, size = reader.line_num + 1, 0
            except csv.Error as error:
                self.row += 1
                problem = f"not valid CSV ({error}): put quotes around the whole value"
                raise self.error(problem, self.place) from error

    def _header(self, cells: list[str]) -> list[str]:
        blank = [i for i, cell in enumerate(cells, 1) if not cell.strip()]
        if blank:
            raise self.error(
                f"column {blank[0]} has no name in the header: give it one (pandas: to_csv(..., index=False))"
            )
        self.check_names(cells)
        other = next((mark for mark in ";\t|," if mark != self.delimiter and mark in cells[0]), None)
        if len(cells) == 1 and other:
            expected, used = SEPARATORS[self.delimiter], SEPARATORS[other]
            raise self.error(
                f"the header {listed(cells)} has {used}s and no {expected}: separate columns by {expected}s"
            )
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
        """The file, from the folder on."""
        return f"file {shown(self.file, 200)}"

    def kinds(self) -> dict[str, Kind]:
        """Both columns, if there is a file."""
        return {"text": "text", "folder": "text"} if self.files() else {}

    def files(self) -> list[str]:
        """The text files below the folder, sorted; links to folders are not followed, hidden files not read.

        Raises:
            InputError: when there are none, or a folder cannot be read.
        """

        def fail(error: OSError) -> None:
            raise error

        texts, others = [], []
        with self.reading():
            for base, folders, names in os.walk(self.path, onerror=fail):
                folders[:] = [one for one in folders if not one.startswith(".")]
                here = os.path.relpath(base, self.path)
                for one in names:
                    if not one.startswith("."):
                        into = texts if one.lower().endswith(TEXTS) else others
                        into.append(os.path.normpath(os.path.join(here, one)))
        if not texts:
            has = f"; it has {listed(sorted(others)[:3])}: give a file, not its folder" if others else ""
            raise self.error(f"is a folder without text files ({', '.join('*' + one for one in TEXTS)}){has}")
        return sorted(texts)

    def rows(self, columns: Iterable[str]) -> Generator[dict[str, str | None]]:
        """The files in order; a file at the top has no folder."""
        for file_name in self.files():
            self.file = file_name
            path = os.path.join(self.path, self.file)
            with self.reading(at=self.place):
                if not stat.S_ISREG(os.stat(path).st_mode):
                    raise self.error("is no ordinary file: leave it out", self.place)
                with open(path, "rb") as file:
                    raw = file.read(LONGEST + 1)
            if len(raw) > LONGEST:
                raise self.too_long(self.place)
            text = self.decoded(self.without_mark(raw, self.place), self.place)
            top, _, rest = self.file.partition(os.sep)
            yield {"text": text, "folder": top if rest else None}


def locate(name: str, source: str | os.PathLike[str]) -> tuple[Place, str]:
    """What `source` is, and its path (or its name on the Hugging Face hub).

    Raises:
        InputError: when there is no such thing, or it is of a kind that is not read.
    """
    given = os.fsdecode(os.fspath(source))
    path, suffix, error = os.path.expanduser(given), _suffix(given), Source(name, given).error
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


def opened(name: str, source: str | os.PathLike[str], selection: Selection) -> Source:
    """The reader for `source`.

    Raises:
        InputError: when there is nothing that can be read.
    """
    from rbcore.audit.read.arrow import DataSet, Parquet  # only here: Arrow takes long to load

    place, path = locate(name, source)
    if place in ("disk", "hub"):
        return DataSet(name, path, place == "disk", selection.split, selection.subset)
    if place == "folder":
        return Folder(name, path)
    suffix, plain = _suffix(path), Source(name, path)
    with plain.reading(), open(path, "rb") as file:
        start = file.read(64)
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
        raise plain.error(ARRAY)
    return Table(name, path, TABLES[suffix]) if suffix in TABLES else JsonLines(name, path)


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
