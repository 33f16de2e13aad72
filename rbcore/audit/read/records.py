"""The inputs of an audit: texts or vectors, with labels and what else is known of each record.

    anchor = read("ANCHOR", "anchors.jsonl", Selection(label="topic"))
    synth = read("SYNTH", "synthetic.parquet", Selection(text="answer", label="topic"))
    together(anchor, synth)

Files stream: of a source with more than `limit` records a uniform sample is kept, so memory does not grow with the
file.  Whatever is wrong with the data is an :class:`InputError` that names the input, the file and the record.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from rbcore.audit.read.columns import Columns, Record, Selection
from rbcore.audit.read.formats import Folder, locate, opened, parts
from rbcore.audit.read.source import LONGEST, MIN, BadRow, InputError, Source, listed, many, shown

__all__ = ["LONGEST", "MIN", "InputError", "Records", "Selection", "fingerprint", "read", "together"]

CHARACTERS = 1_000_000_000  # of all texts and prompts that are kept
NUMBERS = 50_000_000  # of all vectors that are kept
EVERYTHING = Selection()
STEP = 1000  # records between two calls of `progress`
CHEAP = 64 << 20  # bytes of a file whose contents are hashed as a whole; of a larger one some are
EDGE = 1 << 20
NEEDED = f"at least {MIN} are needed: from fewer no difference of any use could be told from chance"
HOPELESS = 20  # bad rows that end the reading at once where most rows are bad


@dataclass(frozen=True)
class Records:
    """One input of an audit.

    Attributes:
        name: such as ``"ANCHOR"``.  source: as the user gave it.  found: records in the source.
        content: texts, or vectors of shape (n, d) in float32 or float64.
        labels, prompts: of each record.  logprobs: shape (n,), nats.  losses: shape (n, 2).
        notes: what the user should know, in words.
        origin: the file, or the split of a data set, and the columns that were read as texts or vectors.
        parts: of each record its ``"prompt"``, ``"answer"``, ``"system"`` prompt and ``"rejected"`` answer, where
            the format tells them; texts by these names, none for a part that no record has.
        places: of each record the file, and the line or row, counted from 1.
        positions: shape (n,), of each record its number among all rows of the source, counted from 0.
        skipped: of each row that was left out as bad, the place and the problem.
    """

    name: str
    source: str
    found: int
    content: tuple[str, ...] | np.ndarray
    labels: tuple[str, ...] | None = None
    prompts: tuple[str, ...] | None = None
    logprobs: np.ndarray | None = None
    losses: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    origin: str = ""
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: tuple[tuple[str, int], ...] = ()
    positions: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    skipped: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if len(self.positions) != len(self) or len(self.places) != len(self):
            object.__setattr__(self, "positions", np.arange(len(self)))
            object.__setattr__(self, "places", tuple((self.source, i + 1) for i in range(len(self))))

    def __len__(self) -> int:
        return len(self.content)

    @property
    def texts(self) -> tuple[str, ...] | None:
        """The records, where they are texts."""
        return None if isinstance(self.content, np.ndarray) else self.content

    @property
    def answers(self) -> tuple[str, ...] | None:
        """The answers of conversations, or else the texts."""
        return self.parts.get("answer", self.texts)

    @property
    def vectors(self) -> np.ndarray | None:
        """The records, where they are vectors."""
        return self.content if isinstance(self.content, np.ndarray) else None


def read(
    name: str,
    source: str | os.PathLike[str],
    selection: Selection = EVERYTHING,
    progress: Callable[[int], object] = lambda n: None,
) -> Records:
    """The records of `source`, in its order; a uniform sample when there are more than the selection's limit.

    The sample depends on seed and `name`.  `progress` is called with the number of records since its last call.

    Raises:
        InputError: for whatever is wrong with the data.
    """
    where = opened(name, source, selection)
    if name != "HELDOUT":
        selection = dataclasses.replace(selection, losses=None)
    if isinstance(where, Folder):
        selection = dataclasses.replace(selection, text=None)
        if selection.label not in (None, "folder"):
            problem = "the labels of a folder of text files are its sub-folders: name 'folder' as the label"
            raise where.error(problem)
    columns = Columns(where, selection)
    sample = _Sample(selection.limit, np.random.default_rng([selection.seed, zlib.crc32(name.encode())]))
    found, bad = 0, _Bad(where, selection.skip)
    with closing(where.rows(columns.names)) as rows:
        for row in rows:
            found += 1
            try:
                if isinstance(row, BadRow):
                    raise row
                record = columns.record(row)
            except BadRow as problem:
                bad.add(problem, found)
                continue
            finally:
                if found % STEP == 0:
                    progress(STEP)
            if record is not None:
                sample.add(record, found - 1, where.spot)
            if sample.characters > CHARACTERS:
                raise where.error(f"more than {CHARACTERS:,} characters of text: read fewer records (limit)")
    if found % STEP:
        progress(found % STEP)
    bad.check(found)
    return _records(name, os.fsdecode(source), where, columns, sample, found, bad)


def together(
    anchor: Records, synth: Records, raw: Records | None = None, heldout: Records | None = None
) -> tuple[str, ...]:
    """Check that the inputs of one audit fit together; what the user should know of them, in words.

    Raises:
        InputError: when they do not.
    """
    inputs = [one for one in (anchor, synth, raw, heldout) if one is not None]
    for one in inputs:
        if len(one) < MIN:
            raise InputError(f"{_called(one)}: {many(len(one), 'record')}, {NEEDED}")
    for one in inputs[1:]:
        _check_alike(anchor, one)
    notes = []
    for i, one in enumerate(inputs):
        for other in inputs[:i]:
            if _same(one, other) and one is raw and other is synth:
                what = "curation changed nothing, or one file is meant to be another"
                notes.append(f"RAW and SYNTH hold the same records: {what}")
            elif _same(one, other):
                raise InputError(
                    f"{_called(one)} holds the same records as {_called(other)}: give each input its own data"
                )
    return tuple(notes)


def fingerprint(source: str | os.PathLike[str], selection: Selection = EVERYTHING, name: str = "input") -> str:
    """What identifies the contents of `source`, so that a run can tell whether it may resume; 64 hex digits.

    A file is known by its path, its size and its contents; when it is large by the time of its last change and its
    first and last bytes; a folder by the sizes and times of its files; a data set of the hub by its name.

    Raises:
        InputError: when there is no such source, or it cannot be read.
    """
    place, path = locate(name, source)
    digest = hashlib.sha256()

    def add(*parts: object) -> None:
        digest.update(repr(parts).encode("utf-8", "backslashreplace"))

    part = (selection.split, selection.subset) if place in ("hub", "disk") else ()
    add(path if place == "hub" else os.path.realpath(path), *part)
    files = parts(name, path, selection) if place == "shards" else [path] if place == "file" else []
    with Source(name, path).reading():
        for one in files:
            with open(one, "rb") as file:
                status = os.fstat(file.fileno())
                add(os.path.realpath(one), status.st_size)
                if status.st_size <= CHEAP:
                    add(hashlib.file_digest(file, "sha256").hexdigest())
                else:
                    add(status.st_mtime_ns, file.read(EDGE), file.seek(-EDGE, os.SEEK_END), file.read(EDGE))
        if place in ("folder", "disk"):  # links to folders are not followed
            names = (os.path.join(base, one) for base, _, names in os.walk(path) for one in names)
            for one in sorted(filter(os.path.isfile, names)):
                status = os.stat(one)
                add(os.path.relpath(one, path), status.st_size, status.st_mtime_ns)
    return digest.hexdigest()


class _Bad:
    """Bad rows: skipped while they are few."""

    def __init__(self, source: Source, share: float):
        self.source, self.share = source, share
        self.rows: list[BadRow] = []

    def add(self, row: BadRow, found: int) -> None:
        """One more, the last of `found` rows; InputError when it is clear that they are too many."""
        self.rows.append(row)
        if not self.share:
            raise row
        if len(self.rows) == found == HOPELESS:  # a file of another kind
            raise self.rows[0]
        if len(self.rows) >= HOPELESS and len(self.rows) > found / 2 > found * self.share:
            self.check(found)

    def check(self, found: int) -> None:
        """Raise InputError when more of the `found` rows are bad than may be: one, or the share of them."""
        n = len(self.rows)
        if n == found and n:
            raise self.rows[0]
        if n > max(1, self.share * found):
            more = f"; {n:,} of {found:,} rows are bad, and SKIP={self.share:g} allows that share of them"
            raise InputError(f"{self.rows[0]}{more}")

    @property
    def note(self) -> str:
        """What is said of those that were skipped."""
        first = self.rows[0]
        others = "" if len(self.rows) == 1 else f", the first at {first.place}"
        where = f" at {first.place}" if len(self.rows) == 1 else ""
        what = "1 bad row is" if len(self.rows) == 1 else f"{len(self.rows):,} bad rows are"
        return f"{what} skipped{where}{others}: {shown(first.problem, 150)}"


class _Sample:
    """A uniform sample of a stream, in its order (algorithm R of Vitter 1985)."""

    def __init__(self, size: int, rng: Generator):
        self.size, self.rng, self.seen, self.characters = size, rng, 0, 0
        self.kept: list[tuple[int, Record, int, tuple[str, int]]] = []
        self._chances: list[float] = []

    def add(self, record: Record, position: int, place: tuple[str, int]) -> None:
        """One more record of the stream, and where it stands."""
        if self.seen == 0 and isinstance(record.content, np.ndarray):
            self.size = min(self.size, max(MIN, NUMBERS // record.content.size))
        entry = (self.seen, record, position, place)
        self.seen += 1
        if len(self.kept) < self.size:
            self.kept.append(entry)
        else:
            if not self._chances:
                self._chances = self.rng.random(4096).tolist()
            slot = int(self._chances.pop() * self.seen)
            if slot >= self.size:
                return
            self.characters -= self.kept[slot][1].characters
            self.kept[slot] = entry
        self.characters += record.characters

    def records(self) -> list[tuple[Record, int, tuple[str, int]]]:
        """Those that were kept, in the order of the stream, with their positions and places."""
        return [entry[1:] for entry in sorted(self.kept, key=lambda entry: entry[0])]


def _records(
    name: str, source: str, where: Source, columns: Columns, sample: _Sample, found: int, bad: _Bad
) -> Records:
    """The sample as columns, with what is to be said of it.

    Raises:
        InputError: when too few of the `found` records have a text, or all are the same.
    """
    full, entries, selection = sample.seen, sample.records(), columns.selection
    read = found - len(bad.rows)
    if 2 * full < read:
        problem = f"{read - full:,} of {many(read, 'text')} are empty: name the column that holds the texts"
        raise where.error(problem)
    if full < MIN:
        raise where.error(f"{many(full, 'record')}{' with text' * (full < read)}, {NEEDED}")
    kept, positions, places = zip(*entries, strict=True)
    contents, labels, prompts, logprobs, losses, parts = zip(*kept, strict=True)
    notes = [*where.notes, *columns.notes]
    if bad.rows:
        notes.append(bad.note)
    if full < read:
        notes.append(f"{many(read - full, 'empty text')} left out")
    if columns.unanswered:
        notes.append(f"{many(columns.unanswered, 'record')} without an answer")
    if len(kept) < full:
        notes.append(f"a uniform sample of {len(kept):,} of {full:,} records is read")
    if selection.label is not None and len(set(labels)) == len(kept):
        notes.append(f"each record has a label of its own in '{shown(selection.label)}'")
    texts = columns.form == "text"
    content = contents if texts else np.stack(contents)
    if len(set(contents)) == 1 if texts else np.all(content == content[0]):
        what = "texts" if texts else "vectors"
        raise where.error(f"all {len(kept):,} {what} are the same: name the column that tells records apart")
    return Records(
        name,
        source,
        found,
        content,
        labels if selection.label is not None else None,
        prompts if selection.prompt is not None else None,
        np.array(logprobs) if selection.logprob is not None else None,
        np.array(losses) if selection.losses else None,
        tuple(notes),
        f"{where.origin}:{columns.what}",
        _parts(parts),
        places,
        np.array(positions, dtype=int),
        tuple((row.place, row.problem) for row in bad.rows),
    )


def _parts(parts: Sequence[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """The parts by name, for all records; without one that is blank in all."""
    names = dict.fromkeys(name for one in parts for name in one)
    columns = {name: tuple(one.get(name, "") for one in parts) for name in names}
    return {name: column for name, column in columns.items() if any(map(str.strip, column))}


def _check_alike(anchor: Records, one: Records) -> None:
    """Raise InputError when two inputs are not of one kind."""
    if (anchor.texts is None) != (one.texts is None):
        texts, vectors = (one, anchor) if anchor.texts is None else (anchor, one)
        raise InputError(
            f"{_called(texts)} holds texts and {_called(vectors)} vectors: give all inputs as one kind"
        )
    mine, other = (None if x.vectors is None else x.vectors.shape[1] for x in (one, anchor))
    if mine != other:
        raise InputError(f"{_called(one)}: vectors of {mine:,} numbers, those of {_called(anchor)} have {other:,}")
    if (anchor.labels is None) != (one.labels is None):
        having, lacking = (one, anchor) if anchor.labels is None else (anchor, one)
        raise InputError(
            f"{_called(lacking)} has no labels and {_called(having)} has: name a label for all inputs or for none"
        )
    if anchor.labels is not None and one.labels is not None and not set(anchor.labels) & set(one.labels):
        mine, other = (listed(sorted(set(labels)), 5) for labels in (one.labels, anchor.labels))
        raise InputError(f"{_called(one)}: none of its labels ({mine}) is one of {_called(anchor)} ({other})")


def _same(one: Records, other: Records) -> bool:
    """Whether two inputs are the same column of the same file, or the same records in any order."""
    if one.origin and one.origin == other.origin:
        return True
    if len(one) != len(other) or (one.texts is None) != (other.texts is None):
        return False
    if one.vectors is None or other.vectors is None:
        return Counter(one.texts) == Counter(other.texts)
    with np.errstate(over="ignore"):  # no -0, any precision
        rows = [x.astype(np.float32) + np.float32(0) for x in (one.vectors, other.vectors)]
    return Counter(row.tobytes() for row in rows[0]) == Counter(row.tobytes() for row in rows[1])


def _called(one: Records) -> str:
    return f"{one.name} ({shown(one.source, 200)})"
