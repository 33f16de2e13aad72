"""Results of the literature around the paper: what this book does with each, and whether the framework holds it.

`book/field.yaml` and every other `book/field*.yaml` is a list of entries; the page "The subject at a glance" shows
them.  An entry has the fields of :class:`Entry`; `source` and `claim` may be one name or a list, and of `label`
and `claim` one may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

STATUS = ("proved by machine", "proved by hand", "reproduced", "open")
RELATIONS = ("contained", "contradicts", "orthogonal")  # to the framework of the paper


class FieldError(ValueError):
    """An entry is not as it has to be; the message names the file, the entry and the field."""


class Entry(NamedTuple):
    """One result: in this book's notation and setting, with what it needs and whose it is."""

    key: str
    result: str  # one line of MyST
    assumptions: str
    source: tuple[str, ...]  # keys of the bibliography
    status: str  # here: one of STATUS
    chapter: str  # the name of a notebook
    relation: str  # one of RELATIONS
    reason: str  # for the relation, one line
    label: str = ""  # of a statement of the chapter
    claim: tuple[str, ...] = ()  # ids of claims of the chapter


def read(paths: Iterable[Path]) -> list[Entry]:
    """The entries of all files, by chapter and in the order of their files.

    Raises:
        FieldError: for a missing or unknown field, a value of the wrong kind, or a key that is used twice.
    """
    found: list[Entry] = []
    for path in sorted(paths):
        stored = yaml.safe_load(path.read_text(encoding="utf8"))
        if not isinstance(stored, list):
            raise FieldError(f"{path.name}: a list of entries is wanted, got {type(stored).__name__}")
        found += [_entry(path.name, raw) for raw in stored]
    keys = [entry.key for entry in found]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise FieldError(f"keys that are used twice: {', '.join(twice)}")
    return sorted(found, key=lambda entry: entry.chapter)


def _entry(file: str, raw: Any) -> Entry:
    if not isinstance(raw, dict):
        raise FieldError(f"{file}: an entry is a mapping, got {raw!r}")
    where = f"{file}, {raw.get('key', 'an entry without a key')}"
    needed = [name for name in Entry._fields if name not in Entry._field_defaults]
    if missing := [name for name in needed if not raw.get(name)]:
        raise FieldError(f"{where}: {', '.join(missing)} is missing")
    if unknown := sorted(set(raw) - set(Entry._fields)):
        raise FieldError(f"{where}: there is no field {', '.join(unknown)}; there are {', '.join(Entry._fields)}")
    if not raw.get("label") and not raw.get("claim"):
        raise FieldError(f"{where}: a label or a claim says where it stands")
    for name, allowed in (("status", STATUS), ("relation", RELATIONS)):
        if raw[name] not in allowed:
            raise FieldError(f"{where}: {name} is one of {', '.join(allowed)}, got {raw[name]!r}")
    fields = {name: value.strip() if isinstance(value, str) else value for name, value in raw.items()}
    for name in ("source", "claim"):
        value = fields.get(name) or ()
        fields[name] = (value,) if isinstance(value, str) else tuple(value)
    if wrong := [name for name, value in fields.items() if not isinstance(value, str | tuple)]:
        raise FieldError(f"{where}: {', '.join(wrong)} is text")
    return Entry(**fields)
