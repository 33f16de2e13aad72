"""Parquet files and Hugging Face data sets, read in small batches; nothing that comes with them is executed.

Only plain columns are read: an extension type has no meaning here.  Of a data set, only files that hold data are
read (Parquet, JSON, CSV, Arrow, text), without code of its own.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from rbcore.audit.read.conversation import CALLS, WHAT, WHO
from rbcore.audit.read.layouts import ANSWERS, CHATS, PROMPTS
from rbcore.audit.read.source import LONGEST, BadRow, Kind, Source, kind, listed, shown

BATCH = 128  # rows; the columns of so many are in memory at a time
LOOKED_AT = 16  # rows of columns of texts that could hold messages
COULD_BE_CHATS = frozenset((*CHATS, *PROMPTS, *ANSWERS, "chosen", "rejected"))
AT_ONCE = 64 << 20  # bytes of them, on average, at most
PLAIN = ("parquet", "json", "csv", "arrow", "text")
ANY = (Exception,)  # the libraries raise whatever their readers do


class _Arrow(Source):
    """A source that comes as batches of Arrow columns."""

    def schema(self) -> pa.Schema:
        """The columns and their types."""
        raise NotImplementedError

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch | pa.Table]:
        """All records in batches of bounded size, `columns` of each."""
        raise NotImplementedError

    def kinds(self) -> dict[str, Kind]:
        """The columns by name, with what they hold, by the types of the schema; texts may be messages as JSON."""
        schema = self.schema()
        self.check_names(schema.names)
        kinds = {field.name: _kind(field.type) for field in schema}
        texts = [key for key, what in kinds.items() if what == "text"]
        kinds |= self._unpacked([key for key in texts if key.lower() in COULD_BE_CHATS])
        nested = {
            f"{field.name}.{inner.name}": _kind(inner.type)
            for field in schema
            if types.is_struct(field.type) and kinds[field.name] == "other"
            for inner in field.type
        }
        nested = {key: what for key, what in nested.items() if key not in kinds}
        self.nested = frozenset(nested)
        return kinds | nested

    def everything(self) -> list[str]:
        """The names of all columns."""
        return self.schema().names

    def _unpacked(self, columns: list[str]) -> dict[str, Kind]:
        """Those of the columns of texts whose first values are messages written as strings."""
        if not columns:
            return {}
        with closing(self.rows(columns)) as rows:
            seen = [row for row in islice(rows, LOOKED_AT) if not isinstance(row, BadRow)]
        values = {column: [row[column] for row in seen if row[column]] for column in columns}
        chats = {key: sum(kind(one) == "chat" for one in found) for key, found in values.items()}
        return {key: "chat" for key, n in chats.items() if 2 * n > len(values[key])}

    def rows(self, columns: Iterable[str]) -> Generator[dict[str, Any] | BadRow]:
        """The records, batch by batch; only the named columns are read."""
        columns, self.number = list(columns), 0
        with self.reading(errors=ANY):
            for batch in self.batches(columns):
                start, values, bad = self.number, [], {}
                for column in map(batch.column, columns):
                    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
                    values.append(self._values(whole, start, bad))
                for self.number, row in enumerate(zip(*values, strict=True), start + 1):
                    yield bad.get(self.number) or dict(zip(columns, row, strict=True))
                self.number = start + batch.num_rows

    def _values(self, column: pa.Array, start: int, bad: dict[int, BadRow]) -> list[Any] | np.ndarray:
        """Python values, or the rows of a matrix for lists of numbers that are all as long; `bad` gains rows."""
        if isinstance(column.type, pa.BaseExtensionType):
            raise self.error(
                f"a column has the type {shown(column.type)}, which is not read: save it as plain values"
            )
        lengths = _lengths(column)
        long = np.zeros(len(column), dtype=bool) if lengths is None else lengths > LONGEST
        for i in np.flatnonzero(long):
            self.number = start + int(i) + 1
            bad.setdefault(self.number, self.too_long(self.place))
        if _kind(column.type) == "numbers" and not long.any() and (matrix := _matrix(column)) is not None:
            return matrix
        try:
            return column.to_pylist() if not long.any() else self._one_by_one(column, start, long, bad)
        except UnicodeDecodeError:
            return self._one_by_one(column, start, long, bad)

    def _one_by_one(self, column: pa.Array, start: int, long: np.ndarray, bad: dict[int, BadRow]) -> list[Any]:
        values = []
        for self.number, (value, too_long) in enumerate(zip(column, long, strict=True), start + 1):
            try:
                values.append(None if too_long else value.as_py())
            except UnicodeDecodeError:
                values.append(None)
                bad.setdefault(self.number, self.bad("not UTF-8: save the text in UTF-8"))
        return values


class Parquet(_Arrow):
    """A Parquet file."""

    def schema(self) -> pa.Schema:
        """The file's own description of its columns."""
        what = "not a Parquet file that can be read"
        with self.reading(what, errors=ANY), pq.ParquetFile(self.path) as file:
            return file.schema_arrow

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """The rows of each group in turn; the larger the mean row, the fewer at once."""
        texts = [field.name for field in self.schema() if field.name in columns and types.is_string(field.type)]
        with (
            pq.ParquetFile(self.path, pre_buffer=False) as plain,
            pq.ParquetFile(self.path, read_dictionary=texts, pre_buffer=False) as coded,
        ):
            for group in range(plain.num_row_groups):
                file = coded if _swells(coded, group, texts) else plain
                about = plain.metadata.row_group(group)
                mean = max(1, about.total_byte_size // max(1, about.num_rows))
                rows = max(1, min(BATCH, AT_ONCE // mean))
                yield from file.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False)


class DataSet(_Arrow):
    """A split of a data set: a folder that `datasets` saved, or a name on the Hugging Face hub (streamed)."""

    def __init__(self, name: str, path: str, saved: bool, split: str, subset: str | None):
        super().__init__(name, path)
        self.saved, self.split, self.subset = saved, split, subset

    @property
    def origin(self) -> str:
        """The folder or the name on the hub, with subset and split."""
        return f"{super().origin if self.saved else self.path}:{self.subset}:{self.split}"

    @cached_property
    def data(self) -> Any:
        """The split; loaded when it is first asked for."""
        return self._from_disk() if self.saved else self._from_hub()

    def schema(self) -> pa.Schema:
        """The declared features, or else the types of the first records."""
        data = self.data
        with self.reading(errors=ANY):
            if data.features is not None:
                return data.features.arrow_schema
            return next(iter(data.with_format("arrow").iter(batch_size=BATCH))).schema

    def kinds(self) -> dict[str, Kind]:
        """The columns by name, with what they hold; classes are texts."""
        return super().kinds() | {column: "text" for column in self._classes()}

    def batches(self, columns: list[str]) -> Iterator[pa.Table]:
        """Batches as `datasets` makes them."""
        yield from self.data.select_columns(columns).with_format("arrow").iter(batch_size=BATCH)

    def rows(self, columns: Iterable[str]) -> Generator[dict[str, Any] | BadRow]:
        """The records, with the names of classes in the place of their numbers."""
        classes = self._classes()
        for row in super().rows(columns):
            if isinstance(row, BadRow):
                yield row
                continue
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

        with self.reading("no data set can be read there", errors=ANY):
            loaded = datasets.load_from_disk(self.path)
            if isinstance(loaded, datasets.DatasetDict):
                if self.split not in loaded:
                    raise self.error(f"it has no split '{self.split}': name one of {listed(loaded)}")
                loaded = loaded[self.split]
        return loaded

    def _from_hub(self) -> Any:
        import datasets
        from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES as formats

        if self.path in formats:  # `datasets` would read whatever the working folder holds
            raise self.error("there is no such file or folder")
        nothing = "there is no such file or folder, and no data set of that name can be read from the hub"
        with self.reading(nothing, errors=ANY):
            builder = datasets.load_dataset_builder(self.path, self.subset)
            form = type(builder).__module__.rpartition(".")[2]
            if form not in PLAIN:
                raise self.error(
                    f"its files are read by '{form}': only data sets of {', '.join(PLAIN)} files are read"
                )
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


def _kind(form: pa.DataType) -> Kind:
    """What a column of an Arrow type holds."""
    if isinstance(form, pa.BaseExtensionType):
        return "other"
    if types.is_dictionary(form):
        return _kind(form.value_type)
    if _is_text(form):
        return "text"
    if types.is_boolean(form):
        return "flag"
    if _is_number(form):
        return "number"
    if _is_list(form):
        inner = form.value_type
        if _is_message(inner) or (_is_list(inner) and _is_message(inner.value_type)):
            return "chat"
        return "numbers" if _is_number(inner) else "other"
    if _is_message(form):
        return "chat"
    return "null" if types.is_null(form) else "other"


def _is_message(form: pa.DataType) -> bool:
    names = {field.name for field in form} if types.is_struct(form) else set()
    return not names.isdisjoint(WHO) and not names.isdisjoint((*WHAT, *CALLS))


def _is_text(form: pa.DataType) -> bool:
    return types.is_string(form) or types.is_large_string(form) or types.is_string_view(form)


def _is_number(form: pa.DataType) -> bool:
    return types.is_integer(form) or types.is_floating(form)


def _is_list(form: pa.DataType) -> bool:
    return types.is_list(form) or types.is_large_list(form) or types.is_fixed_size_list(form)


def _lengths(column: pa.Array) -> np.ndarray | None:
    """Bytes of each text, or numbers in each list; None where the type has no length."""
    if types.is_dictionary(column.type):
        inner = _lengths(column.dictionary)
        codes = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
        return None if inner is None else inner[codes] if len(inner) else np.zeros(len(codes), dtype=int)
    if _is_text(column.type):
        column = column.cast(pa.large_string()) if types.is_string_view(column.type) else column
        lengths = pc.binary_length(column)  # ty: ignore[missing-attribute]  # made when pyarrow is imported
    elif _is_list(column.type):
        lengths = pc.list_value_length(column)  # ty: ignore[missing-attribute]  # likewise
    else:
        return None
    return lengths.fill_null(0).to_numpy(zero_copy_only=False)


def _matrix(column: pa.Array) -> np.ndarray | None:
    """Lists of numbers as the rows of a float32 or float64 matrix; None when lengths differ or some are null."""
    lengths, flat = _lengths(column), column.flatten()
    if lengths is None or not len(lengths) or column.null_count or flat.null_count or np.ptp(lengths):
        return None
    values = flat.to_numpy(zero_copy_only=False).reshape(len(lengths), lengths[0])
    return values if values.dtype in (np.float32, np.float64) else values.astype(float)
