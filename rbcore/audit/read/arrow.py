"""Parquet files and Hugging Face data sets, read in small batches; nothing that comes with them is executed.

Only plain columns are read: an extension type has no meaning here.  Of a data set, only files that hold data are
read (Parquet, JSON, CSV, Arrow, text), without code of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from rbcore.audit.read.source import LONGEST, InputError, Kind, Source, listed, reason, shown

BATCH = 128  # rows; the columns of so many are in memory at a time
AT_ONCE = 64 << 20  # bytes of them, on average, at most
PLAIN = ("parquet", "json", "csv", "arrow", "text")
Batches = Iterator[pa.RecordBatch | pa.Table]


class _Arrow(Source):
    """A source that comes as batches of Arrow columns."""

    def schema(self) -> pa.Schema:
        """The columns and their types."""
        raise NotImplementedError

    def batches(self, columns: list[str]) -> Batches:
        """All records, `columns` of each."""
        raise NotImplementedError

    def kinds(self) -> dict[str, Kind]:
        """The columns by name, with what they hold."""
        schema = self.schema()
        twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
        if twice:
            raise self.error(f"two columns have the name {listed(twice[:1])}: rename one")
        return {field.name: _kind(field.type) for field in schema}

    def rows(self, columns: Iterable[str]) -> Iterator[dict[str, Any]]:
        """The records, one after the other, each with its place."""
        columns, self.number = list(columns), 0
        for batch in self.batches(columns):
            start, values = self.number, []
            for column in columns:
                with self.reading():
                    whole = batch.column(column)
                    whole = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
                values.append(self._values(whole, start))
            for self.number, row in enumerate(zip(*values, strict=True), start + 1):
                yield dict(zip(columns, row, strict=True))
            self.number = start + batch.num_rows

    def _values(self, column: pa.Array, start: int) -> list[Any] | np.ndarray:
        """Python values, or the rows of a matrix for lists of numbers that are all as long."""
        if isinstance(column.type, pa.BaseExtensionType):
            raise self.error(
                f"a column has the type {shown(column.type)}, which is not read: save it as plain values"
            )
        with self.reading():
            lengths = _lengths(column)
        if lengths is not None and (lengths > LONGEST).any():
            self.number = start + int(np.argmax(lengths > LONGEST)) + 1
            raise self.too_long(self.place)
        with self.reading():
            if _kind(column.type) == "numbers" and (matrix := _matrix(column)) is not None:
                return matrix
            with contextlib.suppress(UnicodeDecodeError):
                return column.to_pylist()
        found = []
        for self.number, value in enumerate(column, start + 1):
            try:
                found.append(value.as_py())
            except UnicodeDecodeError as error:
                raise self.error("not UTF-8: save the text in UTF-8", self.place) from error
        return found

    @contextlib.contextmanager
    def reading(self, what: str = "cannot be read") -> Iterator[None]:
        """Say in one line what failed: the libraries raise whatever their readers do."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            raise self.error(f"{what} ({reason(error)})") from error


class Parquet(_Arrow):
    """A Parquet file."""

    def schema(self) -> pa.Schema:
        """The columns that there are, from the file's own description."""
        with self.reading("not a Parquet file that can be read"), pq.ParquetFile(self.path) as file:
            return file.schema_arrow

    def batches(self, columns: list[str]) -> Batches:
        """The records in batches of bounded size."""
        texts = [field.name for field in self.schema() if field.name in columns and types.is_string(field.type)]
        with contextlib.ExitStack() as stack:
            with self.reading():
                plain, coded = (
                    stack.enter_context(pq.ParquetFile(self.path, read_dictionary=names, pre_buffer=False))
                    for names in ([], texts)
                )
            for group in range(plain.num_row_groups):
                with self.reading():
                    file = coded if _swells(coded, group, texts) else plain
                    about = plain.metadata.row_group(group)
                    mean = max(1, about.total_byte_size // max(1, about.num_rows))
                    rows = max(1, min(BATCH, AT_ONCE // mean))
                    batches = file.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False)
                yield from _each(batches, self.reading)


class DataSet(_Arrow):
    """A split of a data set: a folder that `datasets` saved, or a name on the Hugging Face hub (streamed)."""

    def __init__(self, name: str, path: str, saved: bool, split: str, subset: str | None):
        super().__init__(name, path)
        self.saved, self.split, self.subset = saved, split, subset
        self._data: Any = None

    @property
    def origin(self) -> str:
        """Where the records come from, for messages."""
        return f"{super().origin if self.saved else self.path}:{self.subset}:{self.split}"

    @property
    def data(self) -> Any:
        """The split, by columns in Arrow's form."""
        if self._data is None:
            self._data = self._from_disk() if self.saved else self._from_hub()
        return self._data

    def schema(self) -> pa.Schema:
        """The columns that there are, from the file's own description."""
        data = self.data
        with self.reading():
            if data.features is not None:
                return data.features.arrow_schema
            return next(iter(data.with_format("arrow").iter(batch_size=BATCH))).schema

    def kinds(self) -> dict[str, Kind]:
        """The columns by name, with what they hold."""
        return super().kinds() | {column: "text" for column in self._classes()}

    def batches(self, columns: list[str]) -> Batches:
        """The records in batches of bounded size."""
        data = self.data
        with self.reading():
            batches = data.select_columns(columns).with_format("arrow").iter(batch_size=BATCH)
        yield from _each(batches, self.reading)

    def rows(self, columns: Iterable[str]) -> Iterator[dict[str, Any]]:
        """The records, one after the other, each with its place."""
        classes = self._classes()
        for row in super().rows(columns):
            for column in classes.keys() & row.keys():
                code, names = row[column], classes[column]
                row[column] = names[code] if code is not None and 0 <= code < len(names) else None
            yield row

    def _classes(self) -> dict[str, list[str]]:
        """The names of the classes, for columns that hold their numbers."""
        import datasets

        features = self.data.features or {}
        return {key: one.names for key, one in features.items() if isinstance(one, datasets.ClassLabel)}

    def _from_disk(self) -> Any:
        import datasets  # only here: files do without it

        with self.reading("no data set can be read there"):
            found = datasets.load_from_disk(self.path)
            if isinstance(found, datasets.DatasetDict):
                if self.split not in found:
                    raise self.error(f"it has no split '{self.split}': name one of {listed(found)}")
                found = found[self.split]
        return found

    def _from_hub(self) -> Any:
        import datasets
        from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES as formats

        if self.path in formats:  # `datasets` would read whatever the working folder holds
            raise self.error("there is no such file or folder")
        nothing = "there is no such file or folder, and no data set of that name can be read from the hub"
        with self.reading(nothing):
            builder = datasets.load_dataset_builder(self.path, self.subset)
        form = type(builder).__module__.rpartition(".")[2]
        if form not in PLAIN:
            raise self.error(
                f"its files are read by '{form}': only data sets of {', '.join(PLAIN)} files are read"
            )
        with self.reading(nothing):
            return builder.as_streaming_dataset(split=self.split)


def _swells(coded: pq.ParquetFile, group: int, texts: list[str]) -> bool:
    """Whether a group's dictionary has a text that is too long: written out for each row it could fill the memory.

    What the file says of single columns is not asked: where that is damaged, Arrow ends the process.
    """
    if not texts or coded.metadata.row_group(group).total_byte_size <= LONGEST:
        return False
    first = next(coded.iter_batches(1, row_groups=[group], columns=texts, use_threads=False), None)
    columns = [] if first is None else first.columns
    lengths = [_lengths(one.dictionary) for one in columns if types.is_dictionary(one.type)]
    return any((one > LONGEST).any() for one in lengths if one is not None)


def _each(batches: Iterable[Any], reading: Callable[[], contextlib.AbstractContextManager[None]]) -> Batches:
    """The batches, with what the library raises on the way said in one line."""
    iterator = iter(batches)
    while True:
        with reading():
            batch = next(iterator, None)
        if batch is None:
            return
        yield batch


def _kind(form: pa.DataType) -> Kind:
    """What a column of an Arrow type holds."""
    if isinstance(form, pa.BaseExtensionType):
        return "other"
    if types.is_dictionary(form):
        return _kind(form.value_type)
    if types.is_string(form) or types.is_large_string(form) or types.is_string_view(form):
        return "text"
    if types.is_boolean(form):
        return "flag"
    if types.is_integer(form) or types.is_floating(form):
        return "number"
    if _is_list(form):
        inner = form.value_type
        if types.is_struct(inner) and {"role", "content"} <= {
            inner.field(i).name for i in range(inner.num_fields)
        }:
            return "chat"
        return "numbers" if types.is_integer(inner) or types.is_floating(inner) else "other"
    return "null" if types.is_null(form) else "other"


def _is_list(form: pa.DataType) -> bool:
    return types.is_list(form) or types.is_large_list(form) or types.is_fixed_size_list(form)


def _lengths(column: pa.Array) -> np.ndarray | None:
    """Bytes of each text, or numbers in each list; None where the type has no length."""
    if types.is_dictionary(column.type):
        inner = _lengths(column.dictionary)
        codes = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
        return None if inner is None else inner[codes] if len(inner) else np.zeros(len(codes), dtype=int)
    if types.is_string_view(column.type):
        column = column.cast(pa.large_string())
    if types.is_string(column.type) or types.is_large_string(column.type):
        return pc.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    if _is_list(column.type):
        return pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    return None


def _matrix(column: pa.Array) -> np.ndarray | None:
    """Lists of numbers as the rows of a float32 or float64 matrix; None when lengths differ or some are null."""
    lengths = _lengths(column)
    flat = column.flatten()
    if lengths is None or not len(lengths) or column.null_count or flat.null_count or np.ptp(lengths):
        return None
    values = flat.to_numpy(zero_copy_only=False).reshape(len(lengths), lengths[0])
    return values if values.dtype in (np.float32, np.float64) else values.astype(float)
