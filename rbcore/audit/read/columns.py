"""What the columns of an input mean: which hold texts, vectors, labels, and each record's values checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rbcore.audit.read.source import LONGEST, InputError, Kind, Source, kind, listed, many, number_of, shown

WORDS: Mapping[Kind, str] = {
    "text": "a string",
    "number": "a number",
    "flag": "true or false",
    "numbers": "a list of numbers",
    "chat": "a list of messages",
    "null": "nothing",
    "other": "neither text nor numbers",
}


class Record(NamedTuple):
    """One record: a text or a vector, and what is known of it."""

    content: str | np.ndarray
    label: str | None
    prompt: str | None
    logprob: float | None
    losses: tuple[float, float] | None

    @property
    def characters(self) -> int:
        """Of its text and its prompt."""
        return (len(self.content) if isinstance(self.content, str) else 0) + len(self.prompt or "")


class Columns:
    """The columns that are read of a source, and their values.

    `content` are the columns of text or vector; `form` says which: ``"text"``, ``"vector"`` (a column
    of lists), or ``"table"`` (columns of numbers).  The other names are columns or None.  `notes` tells what was
    found.

    Raises:
        InputError: when a column that is named is not there, or that of texts or vectors cannot be found.
    """

    def __init__(self, source: Source, text: str | None, vector: str | None, label: str | None,
                 prompt: str | None, logprob: str | None, losses: tuple[str, str] | None):  # fmt: skip
        self.source, self.notes = source, []
        self.label, self.prompt, self.logprob, self.losses = label, prompt, logprob, tuple(losses or ())
        self._seen: Kind | None = None
        self._d: int | None = None
        kinds = source.kinds()
        if not kinds:
            raise source.error(source.void)
        purposes = [("text", text), ("vector", vector), ("label", label), ("prompt", prompt), ("logprob", logprob)]
        named = [(use, column) for use, column in purposes if column is not None]
        named += [("losses", column) for column in self.losses]
        for use, column in named:
            if column not in kinds:
                raise source.error(f"has no column '{shown(column)}' ({use}); its columns are {listed(kinds)}")
        given = [column for _, column in named]
        twice = next((column for column in given if given.count(column) > 1), None)
        if twice is not None:
            raise source.error(f"the column '{shown(twice)}' is named for two purposes: name another one for one")
        if text is not None and vector is not None:
            raise source.error("a record is a text or a vector: name one of the two columns")
        if text is not None:
            self.form, self.content = "text", (text,)
        elif vector is not None:
            self.form, self.content = "vector", (vector,)
        else:
            self.form, self.content = self._find({key: what for key, what in kinds.items() if key not in given})

    @property
    def names(self) -> list[str]:
        """All columns that are read."""
        others = (self.label, self.prompt, self.logprob, *self.losses)
        return [*self.content, *(column for column in others if column is not None)]

    def record(self, row: Mapping[str, Any]) -> Record | None:
        """One record; None when its text is blank.

        Raises:
            InputError: for a value that is missing or cannot be used.
        """
        if self.form == "text":
            content: str | np.ndarray = self._text(row, self.content[0])
            if not content.strip():
                return None
        elif self.form == "vector":
            content = self._vector(self._value(row, self.content[0]))
        else:
            content = np.array([self._number(row, column) for column in self.content])
        return Record(
            content,
            self._label(row) if self.label is not None else None,
            self._prompt(row) if self.prompt is not None else None,
            self._logprob(row) if self.logprob is not None else None,
            (self._number(row, self.losses[0]), self._number(row, self.losses[1])) if self.losses else None,
        )

    def _find(self, kinds: Mapping[str, Kind]) -> tuple[str, tuple[str, ...]]:
        """The columns of texts or vectors, when none is named."""
        if "text" in kinds:
            return "text", ("text",)
        for form, wanted in (("text", {"text"}), ("text", {"chat"}), ("vector", {"numbers"})):
            found = [column for column, what in kinds.items() if what in wanted]
            if len(found) > 1:
                raise self.source.error(
                    f"the columns {listed(found)} could all be the {form}: name the one that is meant"
                )
            if found:
                self.notes.append(f"the column '{shown(found[0])}' is read as the {form}")
                return form, (found[0],)
        if kinds and set(kinds.values()) == {"number"}:
            self.notes.append(f"the columns {listed(kinds, 5)} are read as a vector")
            return "table", tuple(kinds)
        has = "; ".join(f"'{shown(column)}' holds {WORDS[what]}" for column, what in list(kinds.items())[:10])
        raise self.source.error(f"no column of texts or vectors is found: name it ({has or 'no other columns'})")

    def _bad(self, problem: str) -> InputError:
        return self.source.error(problem, self.source.place)

    def _value(self, row: Mapping[str, Any], column: str) -> Any:
        try:
            return row[column]
        except KeyError:
            has = listed(row) if row else "none"
            problem = f"no field '{shown(column)}', which other records have; its fields are {has}"
            raise self._bad(problem) from None

    def _text(self, row: Mapping[str, Any], column: str) -> str:
        value = self._value(row, column)
        if value is None or value == []:
            return ""
        what = "text" if isinstance(value, str) else kind(value)
        if self._seen is None:
            self._seen = what
        if what not in ("text", "chat"):
            raise self._bad(f"'{shown(column)}' holds {_form(value)}, not text: name a column of texts")
        if what != self._seen:
            raise self._bad(f"'{shown(column)}' holds {WORDS[what]}, and {WORDS[self._seen]} in records before it")
        text = value if what == "text" else self._chat(value, column)
        return self._checked(text, column)

    def _checked(self, text: str, column: str) -> str:
        """The text, when it is not too long and can be written in UTF-8."""
        if len(text) > LONGEST:
            raise self.source.too_long(self.source.place)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                half = f"{ord(text[error.start]):04x}"
                raise self._bad(
                    f"'{shown(column)}' holds \\u{half}, half of a character: write both halves, or leave it out"
                ) from error
        return text

    def _chat(self, messages: Sequence[Mapping[str, Any]], column: str) -> str:
        note = f"the messages in '{shown(column)}' are joined as lines 'role: content'"
        if note not in self.notes:
            self.notes.append(note)
        lines = []
        for message in messages:
            role, content = message["role"], message["content"]
            if isinstance(content, list) and all(isinstance(part, dict) for part in content):
                texts = [part.get("text") for part in content]
                content = "\n".join(text for text in texts if isinstance(text, str))
            if not isinstance(role, str) or not isinstance(content, str | None):
                raise self._bad(f"'{shown(column)}' holds a message whose role or content is not a string")
            lines.append(f"{role}: {content or ''}")
        return "\n".join(lines)

    def _vector(self, value: Any) -> np.ndarray:
        column = self.content[0]
        if isinstance(value, str) and not self.source.typed:
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                pass
        if isinstance(value, np.ndarray):
            vector = value.copy()
        elif isinstance(value, list) and all(type(one) in (int, float) for one in value):
            vector = np.array([_float(one) for one in value])
        else:
            raise self._bad(f"'{shown(column)}' holds {_form(value)}, not a list of numbers such as [0.1, 0.2]")
        if self._d is None:
            self._d = len(vector)
        if not len(vector):
            raise self._bad(f"'{shown(column)}' holds an empty list")
        if len(vector) != self._d:
            raise self._bad(
                f"'{shown(column)}' holds {many(len(vector), 'number')}, and {self._d:,} in records before it"
            )
        if not np.isfinite(vector).all():
            at = int(np.argmin(np.isfinite(vector)))
            raise self._bad(
                f"number {at + 1} of '{shown(column)}' is {vector[at]}: only finite numbers can be used"
            )
        return vector

    def _number(self, row: Mapping[str, Any], column: str) -> float:
        value = self._value(row, column)
        if isinstance(value, str) and not self.source.typed:
            value = number_of(value) if value and number_of(value) is not None else value or None
        if value is None:
            raise self._bad(f"'{shown(column)}' has no value: fill it in or leave the record out")
        if type(value) not in (int, float):
            what = f"'{shown(value, 30)}'" if isinstance(value, str) else _form(value)
            raise self._bad(f"'{shown(column)}' holds {what}, not a number")
        found = _float(value)
        if not math.isfinite(found):
            raise self._bad(f"'{shown(column)}' is {found}: only finite numbers can be used")
        return found

    def _logprob(self, row: Mapping[str, Any]) -> float:
        value = self._number(row, self.logprob)
        if value > 1e-6 and self.form == "text":
            raise self._bad(f"'{shown(self.logprob)}' is {value}, the logarithm of a probability is at most 0: "
                            "give log-probabilities in nats, not losses")  # fmt: skip
        return value

    def _label(self, row: Mapping[str, Any]) -> str:
        value = self._value(row, self.label)
        if value is None or (isinstance(value, str) and not value.strip()):
            raise self._bad(f"no label in '{shown(self.label)}': fill it in or leave the record out")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, float) or not isinstance(value, str | int):
            what = f"'{shown(self.label)}' holds {shown(value, 30)}"
            raise self._bad(f"{what}: a label is a string, a whole number or a flag")
        return self._checked(str(value), self.label)

    def _prompt(self, row: Mapping[str, Any]) -> str:
        value = self._value(row, self.prompt)
        if isinstance(value, list) and kind(value) == "chat":
            value = self._chat(value, self.prompt)
        if value is None:
            raise self._bad(f"no prompt in '{shown(self.prompt)}': fill it in or leave the record out")
        if not isinstance(value, str):
            raise self._bad(f"'{shown(self.prompt)}' holds {_form(value)}, not text")
        return self._checked(value, self.prompt)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _form(value: object) -> str:
    """What a value is, in words."""
    return "a list" if isinstance(value, list | np.ndarray) and kind(value) == "other" else WORDS[kind(value)]
