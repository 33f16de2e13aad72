"""An input written again without some of its rows."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import tempfile
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from rbcore.audit.read.formats import opened
from rbcore.audit.read.source import BadRow, InputError, Row, Source

if TYPE_CHECKING:
    from rbcore.audit.options import Options

WRITTEN = (".jsonl", ".jsonl.gz", ".parquet", ".csv")
AT_ONCE = 1000  # rows of a Parquet file that are written at once


def rewrite(options: Options, name: str, drop: Collection[int], path: str | os.PathLike[str]) -> int:
    """Write the rows of the input `name` but those whose position is in `drop`; how many rows were written.

    A position counts all rows of the input from 0, as in :class:`rbcore.audit.read.records.Records`.  Rows that
    cannot be read, such as lines that are no JSON, are left out.  The suffix of `path` says the format: ``.jsonl``
    (lines of JSON are copied byte for byte), ``.jsonl.gz``, ``.parquet`` or ``.csv``.  The file appears when it is
    whole.

    Raises:
        InputError: for another suffix, for rows that the format cannot hold, and when reading or writing fails.
    """
    path = Path(path)
    write = next((_WRITERS[one] for one in WRITTEN if path.name.lower().endswith(one)), None)
    if write is None:
        raise InputError(f"{path}: rows are written as {', '.join(WRITTEN)}: give the file one of these endings")
    source = opened(name, options.sources()[name], options.selection(name))
    try:
        with _whole(path) as file, closing(_kept(source, frozenset(drop))) as rows:
            return write(source, rows, file)
    except InputError:
        raise
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be written ({' '.join(str(error).split())[:200]})") from error


@contextmanager
def _whole(path: Path) -> Generator[BinaryIO]:
    """A file that takes its name when it is finished, and leaves nothing when it is not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.")
    try:
        with os.fdopen(number, "wb") as file:
            yield file
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(unfinished, 0o666 & ~umask)
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise


def _kept(source: Source, drop: frozenset[int]) -> Generator[Row]:
    with closing(source.rows(source.everything())) as rows:
        for position, row in enumerate(rows):
            if position not in drop and not isinstance(row, BadRow):
                yield row


def _lines(source: Source, rows: Iterator[Row], file: BinaryIO) -> int:
    n = 0
    for row in rows:
        file.write(_line(source, row))
        n += 1
    return n


def _line(source: Source, row: Row) -> bytes:
    if source.raw is not None and source.unit == "line" and source.typed:
        return source.raw if source.raw.endswith(b"\n") else source.raw + b"\n"
    try:
        return json.dumps(row, ensure_ascii=False, default=_plain).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(row, default=_plain).encode() + b"\n"


def _packed(source: Source, rows: Iterator[Row], file: BinaryIO) -> int:
    with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as inner:
        return _lines(source, rows, cast(BinaryIO, inner))


def _table(source: Source, rows: Iterator[Row], file: BinaryIO) -> int:
    """Comma-separated values under the names of all columns of the first rows; what is nested as JSON."""
    first = list(islice(rows, AT_ONCE))
    names = list(dict.fromkeys(chain.from_iterable(first))) or source.everything() or list(source.kinds())
    n, text = 0, io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    for row in chain(first, rows):
        writer.writerow({key: _cell(value) for key, value in row.items()})
        n += 1
    text.flush()
    text.detach()
    return n


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _parquet(source: Source, rows: Iterator[Row], file: BinaryIO) -> int:
    """With the columns and types of a Parquet source; otherwise with those that Arrow finds in all rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if source.everything():
            schema, n = source.schema(), 0  # ty: ignore[missing-attribute]  # a source with columns has one
            with pq.ParquetWriter(file, schema) as writer:
                while part := list(islice(rows, AT_ONCE)):
                    writer.write_table(pa.Table.from_pylist([_listed(row) for row in part], schema))
                    n += len(part)
            return n
        kept = [dict(row) for row in rows]
        names = list(dict.fromkeys(chain.from_iterable(kept)))
        pq.write_table(pa.table({key: [row.get(key) for row in kept] for key in names}), file)
        return len(kept)
    except pa.ArrowException as error:
        what = " ".join(str(error).split())[:200]
        raise source.error(f"its rows do not fit into a Parquet file ({what}): write .jsonl") from error


def _listed(row: Row) -> dict[str, Any]:
    return {key: value.tolist() if hasattr(value, "tolist") else value for key, value in row.items()}


def _plain(value: Any) -> Any:
    """What JSON has no form for: arrays as lists, bytes as hexadecimal digits, times and others as text."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value.hex() if isinstance(value, bytes) else str(value)


_WRITERS: dict[str, Callable[[Source, Iterator[Row], BinaryIO], int]] = {
    ".jsonl": _lines,
    ".jsonl.gz": _packed,
    ".parquet": _parquet,
    ".csv": _table,
}
