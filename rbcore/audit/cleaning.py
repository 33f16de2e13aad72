"""Synthetic data without the rows that flagged questions name, and what that changes.

result = run(options)
result = clean(options, result, "clean.jsonl")
result.cleaned.before, result.cleaned.after
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection
from pathlib import Path

from rbcore.audit import rows
from rbcore.audit.options import Options
from rbcore.audit.read import rewrite
from rbcore.audit.read.source import MIN, InputError
from rbcore.audit.read.writing import WRITTEN
from rbcore.audit.result import Change, Cleaned, Result

ANEW = ("extra", "missing", "language", "script", "openings", "label-shares")
"""Questions that choose in each audit what they count."""
FOLDER = "cleaned"  # of the second report, in that of the first
Rewrite = Callable[[Options, str, Collection[int], str], int]
"""As :func:`rbcore.audit.read.rewrite`: writes an input's rows but those at some positions, says how many."""


def check(options: Options, path: str) -> None:
    """Raise InputError for a file that cleaned data cannot go to."""
    where = Path(path)
    if not path.lower().endswith(WRITTEN):
        raise InputError(f"CLEAN={path}: name a file that ends in {', '.join(WRITTEN)}")
    if not where.parent.is_dir():
        raise InputError(f"CLEAN={path}: there is no folder {where.parent}; make it first")
    if where.is_dir():
        raise InputError(f"CLEAN={path}: this is a folder; name a file in it")
    for name, source in options.sources().items():
        if os.path.realpath(source) == os.path.realpath(path):
            raise InputError(f"CLEAN={path}: this is the input {name}, which is never written; name another file")
        if os.path.isdir(source) and Path(source).resolve() in where.resolve().parents:
            raise InputError(f"CLEAN={path}: this is inside the input {name}; name a file elsewhere")


def clean(options: Options, result: Result, path: str, quiet: bool | None = None) -> Result:
    """Write SYNTH to `path` without the rows that flagged questions name, audit that, and add what it changed.

    One record of each family of near-copies stays.  The report of the second audit goes to ``cleaned`` in
    `options.out`.

    Raises:
        InputError: when the file cannot be written, or SYNTH is no longer as it was read.
    """
    return _cleaned(options, result, path, rewrite, quiet)


def _cleaned(options: Options, result: Result, path: str, rewrite: Rewrite, quiet: bool | None) -> Result:
    check(options, path)
    drop = rows.dropped(result.rows)
    about = next(row for row in result.inputs if row["name"] == "SYNTH")
    found, used = int(about["found"]), int(about["used"])
    naming = {row.question for row in result.rows if row.verdict == "flagged" and row.drop}
    before = tuple(result.flagged)
    made = Cleaned("", 0, 0, found - used, before, before, tuple(id for id in before if id not in naming))
    settings = {**result.settings, "clean": path}
    if used - len(drop) < MIN:
        note = f"Only {used - len(drop):,} of {used:,} rows would be left, too few to go on with."
        if Path(path).is_file():  # of an earlier call: whoever goes on would train on it
            Path(path).unlink()
            note += f" The older {path} was removed."
        return dataclasses.replace(result, settings=settings, cleaned=dataclasses.replace(made, note=note))
    written = rewrite(options, "SYNTH", drop, path)
    made = dataclasses.replace(made, path=path, removed=len(drop), written=written)
    if not drop:
        note = "No flagged question names a row, so all rows were kept."
        return dataclasses.replace(result, settings=settings, cleaned=dataclasses.replace(made, note=note))
    from rbcore.audit import runner
    from rbcore.audit.report import write

    again = dataclasses.replace(options, synth=path, out=str(Path(options.out) / FOLDER))
    try:
        after = runner.run(again, quiet)
    except InputError as error:
        note = f"The cleaned data could not be audited: {error}"
        return dataclasses.replace(result, settings=settings, cleaned=dataclasses.replace(made, note=note))
    report = str(write.write(after, again.out))
    made = dataclasses.replace(made, after=tuple(after.flagged), shares=changes(result, after), report=report)
    return dataclasses.replace(result, settings=settings, cleaned=made)


def changes(before: Result, after: Result) -> tuple[Change, ...]:
    """The shares of both audits that are behind a question and differ; not of :data:`ANEW`."""
    ids = dict.fromkeys(key for one in before.findings if one.id not in ANEW for key in one.numbers)
    found = []
    for key in ids:
        if key in before.numbers and key in after.numbers:
            one, other = (result.numbers[key].estimate for result in (before, after))
            if one.unit == "share" and one.sided == "two" and one.value != other.value:
                found.append(Change(key, before.numbers[key].meaning, one.value, other.value))
    return tuple(found)
