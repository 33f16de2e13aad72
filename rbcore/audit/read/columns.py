"""What the columns of an input mean: which hold texts, vectors, labels, and each record's values checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rbcore.audit.read import layouts
from rbcore.audit.read.conversation import Role, Turn, Unreadable, turns
from rbcore.audit.read.layouts import Layout
from rbcore.audit.read.source import (
    LONGEST,
    MIN,
    BadRow,
    InputError,
    Kind,
    Source,
    kind,
    listed,
    many,
    number_of,
    shown,
)

ROLES = ("all", "assistant", "user", "last", "system")
SIDES = ("chosen", "rejected")

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
        fields: columns that are joined, in the place of `text`.
        role: of a conversation, what is kept: ``"all"`` but the system prompt, what ``"assistant"``, ``"user"`` or
            ``"system"`` says, or the ``"last"`` turn of the assistant.
        side: of preference data, ``"chosen"`` (which None stands for) or ``"rejected"``.
        skip: the share of rows that may be bad and are skipped; one row always may be, unless it is 0.

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
    fields: tuple[str, ...] | None = None
    role: str = "all"
    side: str | None = None
    skip: float = 0.01

    def __post_init__(self) -> None:
        for name, least, what in (("limit", MIN, f" of records, at least {MIN}"), ("seed", 0, ", zero or more")):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name}: a whole number{what}, got {shown(value)}")
        if self.losses is not None and (isinstance(self.losses, str) or len(self.losses) != 2):
            raise InputError(f"losses: the names of two columns, got {shown(self.losses)}")
        if self.role not in ROLES:
            raise InputError(f"role: one of {listed(ROLES)}, got '{shown(self.role)}'")
        if self.side not in (None, *SIDES):
            raise InputError(f"side: one of {listed(SIDES)}, got '{shown(self.side)}'")
        if isinstance(self.fields, str) or self.fields == ():
            raise InputError(f"fields: the names of columns, got {shown(self.fields)}")
        if isinstance(self.skip, bool) or not isinstance(self.skip, int | float) or not 0 <= self.skip <= 1:
            raise InputError(f"skip: a share of the rows from 0 to 1, got {shown(self.skip)}")


class Record(NamedTuple):
    """One record: a text or a vector, and what is known of it."""

    content: str | np.ndarray
    label: str | None
    prompt: str | None
    logprob: float | None
    losses: tuple[float, float] | None
    parts: Mapping[str, str]

    @property
    def characters(self) -> int:
        """Of its text, its prompt and its parts."""
        text = len(self.content) if isinstance(self.content, str) else 0
        return text + len(self.prompt or "") + sum(map(len, self.parts.values()))


class Columns:
    """The columns that are read of a source, and their values.

    `content` are the columns of text or vector; `form` says which: ``"text"``, ``"vector"`` (a column of lists),
    or ``"table"`` (columns of numbers).  `layout` is that of conversations, where there are any; `selection` names
    the others, and `notes` tells what was found.

    Raises:
        InputError: when a column that is named is not there, or that of texts or vectors cannot be found.
    """

    def __init__(self, source: Source, selection: Selection):
        self.source, self.selection, self.notes = source, selection, []
        self.losses = selection.losses or ()
        self.layout: Layout | None = None
        self.unanswered = 0
        self._said: set[str] = set()
        self._d: int | None = None
        self.kinds = kinds = source.kinds()
        if not kinds:
            raise source.error(source.void)
        single = ("text", "vector", "label", "prompt", "logprob")
        named = [(use, getattr(selection, use)) for use in single if getattr(selection, use) is not None]
        named += [("losses", column) for column in self.losses]
        named += [("fields", column) for column in selection.fields or ()]
        for use, column in named:
            if column not in kinds:
                raise source.error(f"has no column '{shown(column)}' ({use}); its columns are {listed(kinds)}")
        given = [column for use, column in named if not (use == "prompt" and column in (selection.fields or ()))]
        twice = next((column for column in given if given.count(column) > 1), None)
        if twice is not None:
            raise source.error(f"the column '{shown(twice)}' is named for two purposes: name another one for one")
        ways = [use for use in ("text", "vector", "fields") if getattr(selection, use) is not None]
        if len(ways) > 1:
            what = "name one of the two columns" if "fields" not in ways else f"name {' or '.join(ways)}, not both"
            raise source.error(f"a record is a text or a vector: {what}")
        if selection.text is not None:
            self.form, self.content = "text", (selection.text,)
            self.layout = Layout("chat", (), selection.text) if kinds[selection.text] == "chat" else None
        elif selection.fields is not None:
            self.form, self.content = "text", selection.fields
            self._join(kinds)
        elif selection.vector is not None:
            self.form, self.content = "vector", (selection.vector,)
        else:
            others = [column for use, column in named if use != "prompt"]
            free = {key: what for key, what in kinds.items() if key not in others}
            self.form, self.content = self._find(free)
        self._check_choices()
        if self.layout is not None and selection.fields is None:
            self.notes.append(self.layout.note)

    @property
    def names(self) -> list[str]:
        """All columns that are read, those at the top that hold nested ones."""
        others = (self.selection.label, self.selection.prompt, self.selection.logprob, *self.losses)
        content = self.content if self.layout is None else (*self.content, *self.layout.columns)
        names = [*content, *(column for column in others if column is not None)]
        return list(dict.fromkeys(self._root(name) for name in names))

    @property
    def what(self) -> str:
        """What the records are: columns, and what is chosen of them."""
        chosen = "" if self.layout is None else f":{self.selection.role}"
        return ",".join(self.content) + chosen

    def _root(self, name: str) -> str:
        if name not in self.source.nested:
            return name
        return max((one for one in self.kinds if name.startswith(f"{one}.")), key=len)

    def _join(self, kinds: Mapping[str, Kind]) -> None:
        """Several columns are the text; prompt and answer are told apart where the layout tells them."""
        found = layouts.find(kinds, self.selection.side or "chosen")
        if found is not None and found.form != "chat" and found.answer == self.content[-1]:
            self.layout = Layout("pair", self.content[:-1], found.answer)
        self.notes.append(f"the columns {listed(self.content)} are joined")

    def _check_choices(self) -> None:
        """Raise InputError when a role or a side is asked for that the format does not tell."""
        role, side = self.selection.role, self.selection.side
        if role != "all" and self.layout is None:
            held = "numbers" if self.form != "text" else "plain text"
            raise self.source.error(f"'{listed(self.content, 3)[1:-1]}' holds {held}, which has no roles: {role}?")
        if side is not None and (self.layout is None or self.layout.form != "preference"):
            problem = f"side '{side}' is of preference data, with columns 'chosen' and 'rejected'"
            raise self.source.error(f"{problem}; its columns are {listed(self.kinds)}")

    def record(self, row: Mapping[str, Any]) -> Record | None:
        """One record; None when its text is blank.

        Raises:
            InputError: for a value that is missing or cannot be used.
        """
        parts: Mapping[str, str] = {}
        if self.form == "text":
            text, parts = self._read(row)
            if not text.strip():
                return None
            content: str | np.ndarray = self._checked(text, self.content[0])
        elif self.form == "vector":
            content = self._vector(row, self.content[0])
        else:
            content = np.array([self._number(row, column) for column in self.content])
        label, prompt, logprob = self.selection.label, self.selection.prompt, self.selection.logprob
        losses = self.selection.losses
        if parts and not parts["answer"].strip():
            self.unanswered += 1
        return Record(
            content,
            None if label is None else self._label(row, label),
            None if prompt is None else self._prompt(row, prompt),
            None if logprob is None else self._logprob(row, logprob),
            None if losses is None else (self._number(row, losses[0]), self._number(row, losses[1])),
            parts,
        )

    def _find(self, kinds: Mapping[str, Kind]) -> tuple[str, tuple[str, ...]]:
        """The columns of texts or vectors, when none is named."""
        inner = {key: what for key, what in kinds.items() if key in self.source.nested}
        kinds = {key: what for key, what in kinds.items() if key not in inner}
        side = self.selection.side or "chosen"
        found = layouts.find(kinds, side, surely="text" in kinds)
        if found is None and "text" in kinds:
            return "text", ("text",)
        found = found or self._find_inside(inner, side, "text" in kinds.values())
        if found is not None:
            self.layout = found
            return "text", (*found.prompt, found.answer)
        kinds = {key: what for key, what in kinds.items() if key != self.selection.prompt}
        usual = {key: what for key, what in kinds.items() if key not in self.source.rare}
        for form, wanted in (("text", "text"), ("text", "chat"), ("vector", "numbers")):
            columns = tuple(column for column, what in (usual or kinds).items() if what == wanted)
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

    def _find_inside(self, inner: Mapping[str, Kind], side: str, surely: bool) -> Layout | None:
        """The layout of an object that a column holds, such as ``{"data": {"messages": [...]}}``."""
        found = []
        for root in dict.fromkeys(map(self._root, inner)):
            start = len(root) + 1
            there = {key[start:]: what for key, what in inner.items() if key.startswith(f"{root}.")}
            one = layouts.find(there, side, surely)
            found += [one.inside(root)] if one is not None else []
        return found[0] if len(found) == 1 else None

    def _error(self, problem: str) -> BadRow:
        """An error about the record that was read last."""
        return self.source.bad(problem)

    def _value(self, row: Mapping[str, Any], column: str, needed: bool = True) -> Any:
        if column not in row and column in self.source.nested:
            root = self._root(column)
            row, key = row.get(root) or {}, column[len(root) + 1 :]
        else:
            key = column
        if not isinstance(row, Mapping) or key not in row:
            if not needed:
                return None
            has = listed(row) if row else "none"
            problem = f"no field '{shown(column)}', which other records have; its fields are {has}"
            raise self._error(problem)
        return row[key]

    def _read(self, row: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
        """The text of a record, and its parts where the format tells them."""
        role = self.selection.role
        if self.layout is None:
            given = [self._turns(row, column, "other", True) for column in self.content]
            return _joined([turn for one in given for turn in one]), {}
        found = layouts.parse(self.layout, lambda column, who, needed: self._turns(row, column, who, needed))
        last = [turn for turn in found.turns if turn.role == "assistant"][-1:]
        if role == "all":
            kept = [turn for turn in found.turns if turn.role != "system"]
        else:
            kept = last if role == "last" else [turn for turn in found.turns if turn.role == role]
        if role in ("user", "system"):
            return _joined(kept), {}
        parts = {
            "prompt": _joined([turn for turn in found.turns if turn.role not in ("system", "assistant")]),
            "answer": _joined(last if role == "last" else [one for one in found.turns if one.role == "assistant"]),
            "system": _joined([turn for turn in found.turns if turn.role == "system"]),
        }
        if found.rejected is not None and self.selection.side != "rejected":
            parts["rejected"] = found.rejected
        return _joined(kept), {key: self._checked(text, self.content[-1]) for key, text in parts.items()}

    def _turns(self, row: Mapping[str, Any], column: str, role: Role, needed: bool) -> list[Turn]:
        """The turns that a value holds; a text is one turn of that role."""
        value = self._value(row, column, needed)
        if value is None or value == []:
            return []
        before, what = self.kinds[column], kind(value)
        if before == "number" or not self.source.typed:
            what = "text" if what == "number" else what
        elif before == "text" and isinstance(value, str):
            what = "text"
        if what == "number" and role == "assistant":
            what = "text"
        if before == "chat" and what == "text":
            raise self._error(f"'{shown(column)}' holds {WORDS[what]}, and {WORDS['chat']} in most records")
        if what not in ("text", "chat"):
            raise self._error(f"'{shown(column)}' holds {_form(value)}, not text: name a column of texts")
        if what == "chat" and before == "text":
            raise self._error(f"'{shown(column)}' holds {WORDS[what]}, and {WORDS['text']} in most records")
        if what == "text":
            return [Turn(role, self._checked(str(value), column))]
        return self._conversation(value, column)

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

    def _conversation(self, value: Any, column: str) -> list[Turn]:
        said: set[str] = set()
        try:
            found = turns(value, said)
        except Unreadable as problem:
            raise self._error(f"'{shown(column)}' {problem}") from problem
        if isinstance(value, str):
            said.add(f"'{shown(column)}' holds messages written as strings, which are read as messages")
        for note in sorted(said - self._said):
            if len(self._said) < 20:
                self._said.add(note)
                self.notes.append(shown(note, 200))
        return found

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
        if value is None:
            raise self._error(f"no prompt in '{shown(column)}': fill it in or leave the record out")
        if self.kinds[column] == "chat" and kind(value) == "chat":
            value = _joined([turn for turn in self._conversation(value, column) if turn.role != "system"])
        if not isinstance(value, str):
            raise self._error(f"'{shown(column)}' holds {_form(value)}, not text")
        return self._checked(value, column)


def _joined(turns: Sequence[Turn]) -> str:
    return "\n".join(turn.text for turn in turns if turn.text)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _form(value: object) -> str:
    """What a value is, in words."""
    return "a list" if isinstance(value, list | np.ndarray) and kind(value) == "other" else WORDS[kind(value)]
