"""JSON objects: one from a line, those of an array that is read piece by piece, those inside one large object."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from rbcore.audit.read import packed
from rbcore.audit.read.conversation import is_chat
from rbcore.audit.read.source import LONGEST, BadRow, InputError, Source, listed, reason, shown

WHOLE = 256 << 20  # bytes of a file with one object around its records, which is read at once, at most
NAMES = {str: "a string", bool: "true or false", int: "a number", float: "a number", list: "a list"}
_BOUNDS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


class Objects:
    """Turns JSON text into the objects of a source, or into errors about its present place."""

    def __init__(self, source: Source):
        self.source = source
        self.decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def read(self, text: str) -> dict[str, Any] | BadRow:
        """The object, or what is wrong with the text."""
        try:
            return self.checked(self.decoder.decode(text))
        except BadRow as problem:
            return problem
        except (ValueError, RecursionError) as error:
            return self.invalid(text, error)

    def checked(self, row: Any) -> dict[str, Any] | BadRow:
        """The value, when it is an object."""
        if type(row) is dict:
            return row
        what = NAMES.get(type(row), "null")
        return self.source.bad(f'holds {what}, not an object such as {{"text": ...}}')

    def invalid(self, text: str, error: ValueError | RecursionError) -> BadRow:
        """An error about text that the decoder refused."""
        if isinstance(error, RecursionError):
            return self.source.bad("JSON that is nested too deeply: a record is a flat object")
        if not isinstance(error, json.JSONDecodeError):  # more digits than Python reads
            return self.source.bad("a number with thousands of digits: no such number can be used")
        if self.source.unit != "line":
            return self.source.bad(f"not valid JSON ({error.msg})")
        hint = "each line must be one whole JSON object"
        if text.lstrip().startswith(("{'", "{u'")):
            hint = "JSON has double quotes; write lines with json.dumps, not str"
        return self.source.bad(f"not valid JSON at column {error.colno} ({error.msg}); {hint}")

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
            raise self.source.bad(f"the field {shown(twice)} appears twice: keep one")
        return made


class JsonArray(Source):
    """The objects of a JSON array, read piece by piece; no more than a few records are in memory."""

    unit = "record"

    def rows(self, columns: Iterable[str]) -> Generator[dict[str, Any] | BadRow]:
        """The objects, all of their fields; an array that is cut off ends with a bad row."""
        objects, self.number, buffer, at = Objects(self), 0, "", 0
        pieces, begun, ended = self._pieces(), False, False
        while True:
            while not ended and len(buffer) - at <= LONGEST + 2:
                piece = next(pieces, None)
                ended = piece is None
                buffer, at = buffer[at:] + (piece or ""), 0
            if not begun and "[" in buffer:
                at, begun = buffer.index("[") + 1, True
            while at < len(buffer) and buffer[at] in " \t\r\n,":
                at += 1
            if at < len(buffer) and buffer[at] == "]":
                return
            if at == len(buffer) and not ended:
                continue
            self.number += 1
            if at == len(buffer):
                yield self._cut(buffer[at:])
                return
            try:
                value, end = objects.decoder.raw_decode(buffer, at)
            except BadRow as problem:
                row, end = problem, _end(buffer, at)
            except (ValueError, RecursionError) as error:
                end = _end(buffer, at)
                row = objects.invalid("", error)
                if end is None and ended:
                    yield self._cut(buffer[at:])
                    return
            else:
                row = self._plain(buffer, at, end) or objects.checked(value)
            if end is None or end - at > LONGEST:
                row = self.too_long(self.place)
            yield row
            while end is None:  # the rest of a record that is too long
                piece = next(pieces, None)
                if piece is None:
                    return
                buffer, at = buffer[at:] + piece, 0
                if len(buffer) > 64 * LONGEST:
                    raise self.error("a record that is never closed: the file is damaged there", self.place)
                end = _end(buffer, at)
            at = end

    def _cut(self, rest: str) -> BadRow:
        """What is said of an array without its end; InputError when it is broken in its middle."""
        if rest.rstrip().endswith("]") or len(rest) > LONGEST:
            raise self.error("not valid JSON: brackets or quotes do not match from there on", self.place)
        return self.bad("the array is not closed: the file was cut off")

    def _plain(self, buffer: str, at: int, end: int) -> BadRow | None:
        """What is wrong when the bytes of a record are not UTF-8."""
        try:
            buffer[at:end].encode()
        except UnicodeEncodeError:
            return self.bad("not UTF-8: save the file in UTF-8")
        return None

    def _pieces(self) -> Iterator[str]:
        """The file as text; bytes that are not UTF-8 come as half characters."""
        decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        first = True
        with self.reading(errors=packed.errors()), packed.opened(self.path) as file:
            while raw := file.read(LONGEST):
                if first:
                    raw, first = self.without_mark(raw), False
                    if b"\0" in raw[:4]:
                        self.decoded(raw[:4], "")
                yield decode(raw)
            yield decode(b"", final=True)


class JsonObject(Source):
    """One JSON object that holds its records in a list, such as ``{"data": [...]}``; it is read at once."""

    unit = "record"

    def __init__(self, name: str, path: str, split: str):
        super().__init__(name, path)
        self.split = split

    def rows(self, columns: Iterable[str]) -> Generator[dict[str, Any] | BadRow]:
        """The objects of the list; that of the split, or of the only one."""
        self.number = 0
        objects = Objects(self)
        key, found = self._list()
        note = f"the records are read from the list '{shown(key)}'"
        if note not in self.notes:
            self.notes.append(note)
        for self.number, row in enumerate(found, 1):
            yield objects.checked(row)

    def _list(self) -> tuple[str, list[Any]]:
        with self.reading(errors=packed.errors()), packed.opened(self.path) as file:
            raw = file.read(WHOLE + 1)
        if len(raw) > WHOLE:
            most = f"{WHOLE >> 20} MiB"
            raise self.error(f"is one JSON object of more than {most}: write one object a line and name it .jsonl")
        text = self.decoded(self.without_mark(raw), "")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self.error(f"not valid JSON ({reason(error)}); give one object a line, or an array") from error
        lists = lists_of(value)
        names = [name for name in lists if name == self.split] or list(lists)
        if len(names) != 1:
            has = f"lists {listed(lists)}" if lists else f"fields {listed(value)}" if value else "nothing"
            raise self.error(f"is one JSON object with {has}: write its records as an array, or one object a line")
        return names[0], lists[names[0]]


def lists_of(value: Any) -> dict[str, list[Any]]:
    """The lists of objects that an object holds, other than conversations."""
    if not isinstance(value, dict):
        return {}
    return {
        key: one
        for key, one in value.items()
        if isinstance(one, list) and one and all(isinstance(row, dict) for row in one) and not is_chat(one)
    }


def shape(start: bytes, whole: bool) -> str:
    """What a `.json` file is by its beginning: ``"array"``, ``"object"`` around records, or ``"lines"``.

    `whole` says whether that beginning is the file.
    """
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return "array"
    line, _, rest = text.partition(b"\n")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        goes_on = b"\n" not in text or line.rstrip().endswith((b"{", b"[", b","))
        return "object" if text.startswith(b"{") and goes_on and not whole or (goes_on and rest) else "lines"
    return "object" if whole and not rest.strip() and lists_of(value) else "lines"


def _end(buffer: str, at: int) -> int | None:
    """Where the value that begins at `at` ends, by its brackets; None when it does not end in the buffer."""
    if buffer[at] not in "[{":
        found = re.compile(r"[,\]\n]").search(buffer, at + 1)
        return found.start() if found else None
    depth = 0
    for one in _BOUNDS.finditer(buffer, at):
        depth += (one[0] in "[{") - (one[0] in "]}")
        if depth == 0 and one[0] in "]}":
            return one.end()
    return None


__all__ = ["InputError", "JsonArray", "JsonObject", "Objects", "lists_of", "shape"]
