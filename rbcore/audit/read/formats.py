"""The user's files, read one record at a time: a reader for each format, chosen by the name of the file.

A reader knows the columns of its source, yields one dictionary for each record, and says in the user's terms where
a record stands.  No more than one record is in memory, and of a record that is too long only its beginning.
Nothing in a file is executed: formats that can hold code are refused.
"""

from __future__ import annotations

import csv
import os
import re
import stat
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Literal

from rbcore.audit.read import packed, shards
from rbcore.audit.read.columns import Selection
from rbcore.audit.read.objects import JsonArray, JsonObject, Objects, shape
from rbcore.audit.read.source import (
    LONGEST,
    BadRow,
    InputError,
    Kind,
    Source,
    kind_of_cell,
    listed,
    many,
    reason,
    shown,
)

LINES = (".jsonl", ".ndjson")
TABLES = {".csv": ",", ".tsv": "\t"}
DATA = (*LINES, ".json", *TABLES, ".parquet")
TEXTS = (".txt", ".md")
PICKLED = (".pkl", ".pickle", ".npy", ".npz", ".pt", ".pth", ".ckpt", ".bin", ".joblib", ".dill", ".mat")
KNOWN = (
    "JSON lines (.jsonl, .ndjson), JSON (.json), CSV (.csv), TSV (.tsv), these packed (.gz, .zst), "
    "Parquet (.parquet), a folder of such files, or a folder of .txt or .md files"
)
_OTHERS = ".gz .zip .tar .bz2 .xz .zst .7z .xlsx .xls .ods .arrow .feather .orc .avro .h5 .hdf5 .safetensors"
SUFFIXES = frozenset((*DATA, *TEXTS, *PICKLED, *_OTHERS.split()))
ARRAY = "is one JSON array: give it a name that ends in .json, or write one object a line (jq -c '.[]' data.json)"
MAGIC: Mapping[bytes, str] = {
    b"PAR1": "is a Parquet file: give it a name that ends in .parquet",
    b"\x1f\x8b": "is compressed with gzip: give it a name that ends in .gz, such as data.jsonl.gz",
    packed.FIRST[".zst"]: "is compressed with zstd: give it a name that ends in .zst, such as data.jsonl.zst",
    b"PK\x03\x04": "is a zip archive (or a spreadsheet, or .npz): unpack it, or save it as .csv",
    b"\x93NUMPY": "is a NumPy file, which can run code when it is read: save the array as .parquet or .csv",
    b"ARROW1": "is an Arrow file: save the table as .parquet",
    b"SQLite format 3": "is a database: save the table as .csv or .parquet",
}
SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}

Place = Literal["file", "folder", "shards", "disk", "hub"]


class _Lines(Source):
    """A file of text in UTF-8, line by line; packed files are unpacked on the way."""

    unit = "line"

    def lines(self) -> Generator[tuple[str, BadRow | None]]:
        """The lines with their ends, and what is wrong with one; `number` counts them.

        A line that is not text in UTF-8 comes with marks in the place of what cannot be read, one that is too long
        comes empty.

        Raises:
            InputError: for a file in another encoding, or one that cannot be read.
        """
        self.number, offset, at = 0, 0, ""
        try:
            with packed.opened(self.path) as file:
                while line := file.readline(LONGEST + 2):
                    self.number += 1
                    at = f"line {self.number:,}"
                    size, self.raw = len(line), line
                    if self.number == 1:
                        self.raw = line = self.without_mark(line)
                    if len(line.rstrip(b"\r\n")) > LONGEST:
                        yield "", self.too_long(at)
                        while not line.endswith(b"\n") and (line := file.readline(LONGEST)):
                            size += len(line)
                    else:
                        try:
                            text, problem = self.decoded(line, at, offset + size - len(line)), None
                        except BadRow as error:
                            text, problem = line.decode(errors="replace").replace("\0", ""), error
                        yield text, problem
                    offset += size
        except packed.errors() as error:
            raise self.error(f"cannot be read ({reason(error)})", at) from error


class JsonLines(_Lines):
    """One JSON object a line; blank lines are skipped."""

    void = "holds only blank lines"

    def rows(self, columns: Iterable[str]) -> Generator[dict[str, Any] | BadRow]:
        """The objects, all of their fields."""
        objects = Objects(self)
        for line, problem in self.lines():
            if problem is not None:
                yield problem
            elif line and not line.isspace():
                if self.number == 1 and re.match(r"\s*\[\s*(\{|$)", line):
                    raise self.error(ARRAY)
                yield objects.read(line)


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

    @property
    def spot(self) -> tuple[str, int]:
        """The file, and the line that the row begins in."""
        return self.path, self.line

    def rows(self, columns: Iterable[str]) -> Generator[dict[str, str] | BadRow]:
        """The rows below the header, all of their cells as text."""
        header: list[str] | None = None
        for cells in self._cells():
            if header is None:
                if isinstance(cells, BadRow):
                    raise cells
                header = self._header(cells) if len(cells) > 1 or cells[0].strip() else None
                continue
            self.row += 1
            if isinstance(cells, BadRow):
                yield cells
            elif len(cells) != len(header):
                yield self.bad(
                    f"{many(len(cells), 'value')} where the header has {many(len(header), 'name')}: "
                    "put quotes around values with separators or line breaks in them"
                )
            else:
                yield dict(zip(header, cells, strict=True))

    def _cells(self) -> Iterator[list[str] | BadRow]:
        """The cells of each row that is not blank; after one that is no CSV, the next line begins another."""
        self.row, self.line = 0, 1
        source = self.lines()
        ahead: deque[tuple[str, BadRow | None, int]] = deque()
        taken: list[tuple[str, BadRow | None, int]] = []
        size = 0

        def feed() -> Iterator[str]:
            nonlocal size
            while True:
                if ahead:
                    taken.append(ahead.popleft())
                elif (line := next(source, None)) is not None:
                    taken.append((*line, self.number))
                else:
                    return
                if len(taken) == 1:
                    self.line = taken[0][2]
                size += len(taken[-1][0])
                if size > LONGEST + 2:
                    raise csv.Error("too long")
                yield taken[-1][0]

        with ExitStack() as stack:
            stack.callback(csv.field_size_limit, csv.field_size_limit(LONGEST + 2))
            stack.callback(source.close)
            reader = csv.reader(feed(), delimiter=self.delimiter, strict=True)
            while True:
                taken.clear()
                size = 0
                try:
                    cells = next(reader, None)
                except csv.Error as error:
                    hint = ", and look for a quote that is never closed"
                    here = f"row {self.row + 1:,} (line {self.line:,})"
                    first = next((problem for _, problem, _ in taken if problem is not None), None)
                    if first is not None:
                        yield first
                    elif size > LONGEST + 2:
                        yield self.too_long(here, hint)
                    else:
                        yield self.bad(f"not valid CSV ({error}): put quotes around the whole value", here)
                    ahead.extendleft(reversed(taken[1:]))
                    reader = csv.reader(feed(), delimiter=self.delimiter, strict=True)
                    continue
                if cells is None and not taken:
                    return
                problem = next((problem for _, problem, _ in taken if problem is not None), None)
                if problem is not None:
                    yield problem
                elif cells:
                    yield cells

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

    @property
    def spot(self) -> tuple[str, int]:
        """The file; all of it is the record."""
        return os.path.join(self.path, self.file), 1

    def rows(self, columns: Iterable[str]) -> Generator[dict[str, str | None] | BadRow]:
        """The files in order; a file at the top has no folder."""
        for file_name in self.files():
            self.file = file_name
            try:
                yield self._record(os.path.join(self.path, self.file))
            except BadRow as problem:
                yield problem

    def _record(self, path: str) -> dict[str, str | None]:
        try:
            with self.reading(at=self.place):
                if not stat.S_ISREG(os.stat(path).st_mode):
                    raise self.bad("is no ordinary file: leave it out")
                with open(path, "rb") as file:
                    raw = file.read(LONGEST + 1)
            if len(raw) > LONGEST:
                raise self.too_long(self.place)
            text = self.decoded(self.without_mark(raw, self.place), self.place)
        except BadRow:
            raise
        except InputError as problem:
            raise BadRow(str(problem), self.place, str(problem).partition(f"{self.place}: ")[2]) from problem
        top, _, rest = self.file.partition(os.sep)
        return {"text": text, "folder": top if rest else None}


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
        if shards.is_pattern(given):
            return "shards", path
        if _like_a_data_set(given):
            return "hub", given
        where = "" if os.path.isabs(path) else f" in {os.getcwd()}"
        raise error(f"there is no such file or folder{where}") from problem
    except OSError as problem:
        raise error(f"cannot be read ({reason(problem)})") from problem
    except ValueError as problem:  # a NUL character
        raise error("is not the name of a file") from problem
    if stat.S_ISDIR(mode):
        if any(os.path.isfile(os.path.join(path, one)) for one in ("state.json", "dataset_dict.json")):
            return "disk", path
        with Source(name, path).reading():
            data = shards.holds_data(path)
        if data:
            return "shards", path
        if suffix in SUFFIXES:
            raise error(f"is a folder, not a {suffix} file: give the file in it, or rename the folder")
        return "folder", path
    check_file(name, path, mode, given)
    return "file", path


def check_file(name: str, path: str, mode: int, given: str = "") -> None:
    """Raise InputError for a file that is not read, by its kind and its name."""
    suffix, error = _suffix(path), Source(name, given or path).error
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
    if suffix not in DATA:
        raise error(f"its format is not known from its name: what is read is {KNOWN}")


def parts(name: str, path: str, selection: Selection) -> list[str]:
    """The files of a folder or of a pattern, sorted.

    Raises:
        InputError: when there are none, or they are not all of one format.
    """
    return shards.files(name, path, selection.split, _suffix, check_file)


def opened(name: str, source: str | os.PathLike[str], selection: Selection) -> Source:
    """The reader for `source`.

    Raises:
        InputError: when there is nothing that can be read.
    """
    place, path = locate(name, source)
    if place in ("disk", "hub"):
        from rbcore.audit.read.arrow import DataSet  # only here: it needs pyarrow

        return DataSet(name, path, place == "disk", selection.split, selection.subset)
    if place == "folder":
        return Folder(name, path)
    if place == "shards":
        files = parts(name, path, selection)
        return shards.Shards(name, path, [lambda file=file: _file(name, file, selection) for file in files])
    return _file(name, path, selection)


def _file(name: str, path: str, selection: Selection) -> Source:
    """The reader for one file."""
    suffix, plain = _suffix(path), Source(name, path)
    with plain.reading(), open(path, "rb") as file:
        start = file.read(64)
    if not start:
        raise plain.error("is empty: name a file that holds records")
    expected = b"PAR1" if suffix == ".parquet" else packed.FIRST.get(packed.ending(path))
    for magic, problem in MAGIC.items():
        if start.startswith(magic) and magic != expected:
            raise plain.error(problem)
    if re.match(rb"\x80[\x02-\x05]", start) and suffix != ".parquet":
        raise plain.error("is a pickle, which can run code when it is read: save the data as .parquet or .jsonl")
    if suffix == ".parquet":
        from rbcore.audit.read.arrow import Parquet  # only here: it needs pyarrow

        return Parquet(name, path)
    if suffix == ".json":
        with plain.reading(errors=packed.errors()), packed.opened(path) as file:
            start = file.read(LONGEST + 2)
        form = shape(start, len(start) < LONGEST + 2)
        if form != "lines":
            return JsonArray(name, path) if form == "array" else JsonObject(name, path, selection.split)
    return Table(name, path, TABLES[suffix]) if suffix in TABLES else JsonLines(name, path)


def _suffix(path: str) -> str:
    """The suffix that names the format, in lower case: that of the packed file for .gz and .zst."""
    stem, suffix = os.path.splitext(path.rstrip("/").lower())
    inner = os.path.splitext(stem)[1]
    return inner if suffix in packed.PACKED and inner in (*LINES, ".json", *TABLES) else suffix


def _like_a_data_set(given: str) -> bool:
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", given, re.ASCII) or _suffix(given) in SUFFIXES:
        return False
    owner, slash, _ = given.partition("/")
    return _suffix(owner) not in SUFFIXES and not os.path.isdir(owner) if slash else "." not in given
