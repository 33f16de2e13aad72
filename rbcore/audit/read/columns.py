"""What the columns of an input mean: which hold texts, vectors, labels, and each record's values checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rbcore.audit.read.source import LONGEST, MIN, InputError, Kind, Source, kind, listed, many, number_of, shown

WORDS: Mapping[Kind, str] = {
    "text": "a string",
    "number": "a number",
    "flag": "true or false",
    "numbers": "a list of numbers",
    "chat": "a list of messages",
    "null": "nothing",
    "other": "neither text nor numbers",
}


@dataclass(frozen=True)
class Selection:
    """What is read of an input: which columns, and how many records of which part.

    Attributes:
        text, vector: the column that the records are, at most one of the two; None for one that is to be found.
            Of a folder of text files `text` says nothing.
        label: the name of each record's group; for a folder of text files ``"folder"``, its sub-folders.
        prompt: what the generator was given.
        logprob: the log-probability (nats) that the generator gave the text.
        losses: of HELDOUT only: the losses of the anchors' model and of the synthetic data's model.
        limit: records that are kept, a uniform sample, drawn with `seed`.
        split, subset: of a data set.

    Raises:
        InputError: for what cannot be used.
    """

    text: str | None = None
    vector: str | None = None
    label: str | None = None
    prompt: str | None = None
    logprob: str | None = None
    losses: tuple[str, str] | None = None
    limit: int = 200_000
    seed: int = 0
    split: str = "train"
    subset: str | None = None

    def __post_init__(self) -> None:
        for name, least, what in (("limit", MIN, f" of records, at least {MIN}"), ("seed", 0, ", zero or more")):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name}: a whole number{what}, got {shown(value)}")
        if self.losses is not None and (isinstance(self.losses, str) or len(self.losses) != 2):
            raise InputError(f"losses: the names of two columns, got {shown(self.losses)}")


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

    `content` are the columns of text or vector; `form` says which: ``"text"``, ``"vector"`` (a column of lists),
    or ``"table"`` (columns of numbers).  `selection` names the others, and `notes` tells what was found.

    Raises:
        InputError: when a column that is named is not there, or that of texts or vectors cannot be found.
    """

    def __init__(self, source: Source, selection: Selection):
        self.source, self.selection, self.notes = source, selection, []
        self.losses = selection.losses or ()
        self._seen: Kind | None = None
        self._d: int | None = None
        kinds = source.kinds()
        if not kinds:
            raise source.error(source.void)
        single = ("text", "vector", "label", "prompt", "logprob")
        named = [(use, getattr(selection, use)) for use in single if getattr(selection, use) is not None]
        named += [("losses", column) for column in self.losses]
        for use, column in named:
            if column not in kinds:
                raise source.error(f"has no column '{shown(column)}' ({use}); its columns are {listed(kinds)}")
        given = [column for _, column in named]
        twice = next((column for column in given if given.count(column) > 1), None)
        if twice is not None:
            raise source.error(f"the column '{shown(twice)}' is named for two purposes: name another one for one")
        if selection.text is not None and selection.vector is not None:
            raise source.error("a record is a text or a vector: name one of the two columns")
        if selection.text is not None:
            self.form, self.content = "text", (selection.text,)
        elif selection.vector is not None:
            self.form, self.content = "vector", (selection.vector,)
        else:
            self.form, self.content = self._find({key: what for key, what in kinds.items() if key not in given})

    @property
    def names(self) -> list[str]:
        """All columns that are read."""
        others = (self.selection.label, self.selection.prompt, self.selection.logprob, *self.losses)
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
            content = self._vector(row, self.content[0])
        else:
            content = np.array([self._number(row, column) for column in self.content])
        label, prompt, logprob = self.selection.label, self.selection.prompt, self.selection.logprob
        losses = self.selection.losses
        return Record(
            content,
            None if label is None else self._label(row, label),
            None if prompt is None else self._prompt(row, prompt),
            None if logprob is None else self._logprob(row, logprob),
            None if losses is None else (self._number(row, losses[0]), self._number(row, losses[1])),
        )

    def _find(self, kinds: Mapping[str, Kind]) -> tuple[str, tuple[str, ...]]:
        """The columns of texts or vectors, when none is named."""
        if "text" in kinds:
            return "text", ("text",)
        for form, wanted in (("text", "text"), ("text", "chat"), ("vector", "numbers")):
            columns = tuple(column for column, what in kinds.items() if what == wanted)
            if len(columns) > 1:
                raise self.source.error(
                    f"the columns {listed(columns)} could all be the {form}: name the one that is meant"
                )
            if columns:
                self.notes.append(f"the column '{shown(columns[0])}' is read as the {form}")
                return form, columns
        if kinds and set(kinds.values()) == {"number"}:
            self.notes.append(f"the columns {listed(kinds, 5)} are read as a vector")
            return "table", tuple(kinds)
        has = "; ".join(f"'{shown(column)}' holds {WORDS[what]}" for column, what in list(kinds.items())[:10])
        raise self.source.error(f"no column of texts or vectors is found: name it ({has or 'no other columns'})")

    def _error(self, problem: str) -> InputError:
        """An error about the record that was read last."""
        return self.source.error(problem, self.source.place)

    def _value(self, row: Mapping[str, Any], column: str) -> Any:
        if column not in row:
            has = listed(row) if row else "none"
            problem = f"no field '{shown(column)}', which other records have; its fields are {has}"
            raise self._error(problem)
        return row[column]

    def _text(self, row: Mapping[str, Any], column: str) -> str:
        value = self._value(row, column)
        if value is None or value == []:
            return ""
        what = "text" if isinstance(value, str) else kind(value)
        self._seen = self._seen or what
        if what not in ("text", "chat"):
            raise self._error(f"'{shown(column)}' holds {_form(value)}, not text: name a column of texts")
        if what != self._seen:
            before = WORDS[self._seen]
            raise self._error(f"'{shown(column)}' holds {WORDS[what]}, and {before} in records before it")
        return self._checked(value if what == "text" else self._chat(value, column), column)

    def _checked(self, text: str, column: str) -> str:
        """The text, when it is not too long and can be written in UTF-8."""
        if len(text) > LONGEST:
            raise self.source.too_long(self.source.place)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(text[error.start]):04x}"
            problem = f"holds {half}, half of a character: write both halves, or leave it out"
            raise self._error(f"'{shown(column)}' {problem}") from error
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
                raise self._error(f"'{shown(column)}' holds a message whose role or content is not a string")
            lines.append(f"{role}: {content or ''}")
        return "\n".join(lines)

    def _vector(self, row: Mapping[str, Any], column: str) -> np.ndarray:
        value, holds = self._value(row, column), f"'{shown(column)}' holds"
        if isinstance(value, str) and not self.source.typed:
            with suppress(ValueError, RecursionError):
                value = json.loads(value)
        if isinstance(value, np.ndarray):
            vector = value.copy()
        elif isinstance(value, list) and all(type(one) in (int, float) for one in value):
            vector = np.array([_float(one) for one in value])
        else:
            raise self._error(f"{holds} {_form(value)}, not a list of numbers such as [0.1, 0.2]")
        if not len(vector):
            raise self._error(f"{holds} an empty list")
        self._d = self._d or len(vector)
        if len(vector) != self._d:
            raise self._error(f"{holds} {many(len(vector), 'number')}, and {self._d:,} in records before it")
        if not np.isfinite(vector).all():
            at = int(np.argmin(np.isfinite(vector)))
            problem = f"number {at + 1} of '{shown(column)}' is {vector[at]}: only finite numbers can be used"
            raise self._error(problem)
        return vector

    def _number(self, row: Mapping[str, Any], column: str) -> float:
        value = self._value(row, column)
        if isinstance(value, str) and not self.source.typed:
            number = number_of(value)
            value = number if number is not None else value or None
        if value is None:
            raise self._error(f"'{shown(column)}' has no value: fill it in or leave the record out")
        if type(value) not in (int, float):
            what = f"'{shown(value, 30)}'" if isinstance(value, str) else _form(value)
            raise self._error(f"'{shown(column)}' holds {what}, not a number")
        number = _float(value)
        if not math.isfinite(number):
            raise self._error(f"'{shown(column)}' is {number}: only finite numbers can be used")
        return number

    def _logprob(self, row: Mapping[str, Any], column: str) -> float:
        value = self._number(row, column)
        if value > 1e-6 and self.form == "text":
            problem = f"'{shown(column)}' is {value}, the logarithm of a probability is at most 0"
            raise self._error(f"{problem}: give log-probabilities in nats, not losses")
        return value

    def _label(self, row: Mapping[str, Any], column: str) -> str:
        value = self._value(row, column)
        if value is None or (isinstance(value, str) and not value.strip()):
            raise self._error(f"no label in '{shown(column)}': fill it in or leave the record out")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, str | int):
            problem = f"'{shown(column)}' holds {shown(value, 30)}"
            raise self._error(f"{problem}: a label is a string, a whole number or a flag")
        return self._checked(str(value), column)

    def _prompt(self, row: Mapping[str, Any], column: str) -> str:
        value = self._value(row, column)
        if isinstance(value, list) and kind(value) == "chat":
            value = self._chat(value, column)
        if value is None:
            raise self._error(f"no prompt in '{shown(column)}': fill it in or leave the record out")
        if not isinstance(value, str):
            raise self._error(f"'{shown(column)}' holds {_form(value)}, not text")
        return self._checked(value, column)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _form(value: object) -> str:
    """What a value is, in words."""
    return "a list" if isinstance(value, list | np.ndarray) and kind(value) == "other" else WORDS[kind(value)]
