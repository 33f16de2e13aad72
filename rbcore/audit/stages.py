"""Stages of a long computation that are kept as they finish: an interrupted run goes on with the next one.

A stage's result is kept as JSON, with arrays beside it (npz, never pickled).  It is used again only for the same
inputs, options and code.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from rbcore.audit.copies import Progress
from rbcore.files import replace_file

ARRAY, TYPE = "array in this file", "type"


class Stages:
    """Runs stages in turn, shows how far each one is, and keeps what it returned.

    Args:
        folder: where results are kept; None keeps nothing.
        key: what the results depend on; any change of it begins anew.
        total: the number of stages, for the bar.
        quiet: no bar; None: a bar where a terminal watches.
        types: dataclasses that a result may hold, besides what JSON holds and arrays; their sequences come back as
            tuples.
    """

    def __init__(
        self,
        folder: str | Path | None,
        key: Any,
        total: int,
        quiet: bool | None = None,
        types: Sequence[type] = (),
    ):
        self.folder = None if folder is None else Path(folder)
        self.key = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        self.total, self.quiet, self.count = total, quiet, 0
        self.types = {one.__name__: one for one in types}
        self.seconds: dict[str, float] = {}
        self.resumed: list[str] = []
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, name: str, work: Callable[[Progress], Any], keep: bool = True) -> Any:
        """The result of `work`, which reports its progress, or what an earlier run kept of it.

        Raises:
            TypeError: for a result that cannot be kept.
        """
        self.count += 1
        path = self.folder / f"{name.replace(' ', '-')}.npz" if keep and self.folder is not None else None
        if path is not None and path.exists():
            try:
                result = self._load(path, name)
                self.resumed.append(name)
                return result
            except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError):
                pass  # a file that cannot be read, or of another run, is no result
        began = time.monotonic()
        shown = f"{self.count} of {self.total}: {name}"
        form = "{desc} {percentage:3.0f}%|{bar:24}| {elapsed} so far, {remaining} left"
        quiet = os.environ.get("TQDM_DISABLE", "") not in ("", "0") or self.quiet
        with tqdm(total=1, desc=f"{shown:34}", bar_format=form, leave=False, disable=quiet) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = max(total, 1)
                bar.update(done - bar.n)

            result = work(progress)
        self.seconds[name] = time.monotonic() - began
        if path is not None:
            self._save(path, name, result)
        return result

    def _save(self, path: Path, name: str, result: Any) -> None:
        arrays: dict[str, np.ndarray] = {}

        def plain(value: Any) -> dict[str, Any]:
            if isinstance(value, np.ndarray):
                arrays[f"array {len(arrays)}"] = value
                return {ARRAY: f"array {len(arrays) - 1}"}
            if type(value).__name__ in self.types:
                return {TYPE: type(value).__name__, **{k: getattr(value, k) for k in value.__dataclass_fields__}}
            raise TypeError(f"a stage cannot keep a value of type {type(value).__name__}")

        text = json.dumps(result, default=plain)
        about = json.dumps({"key": self.key, "seconds": self.seconds[name]})
        buffer = io.BytesIO()
        np.savez(buffer, about=np.array(about), result=np.array(text), allow_pickle=False, **arrays)
        replace_file(path, buffer.getvalue())

    def _load(self, path: Path, name: str) -> Any:
        with np.load(path, allow_pickle=False) as file:

            def back(value: dict[str, Any]) -> Any:
                if value.keys() == {ARRAY}:
                    return file[value[ARRAY]]
                kind = self.types.get(value.get(TYPE))
                return value if kind is None else kind(**{k: _tuples(v) for k, v in value.items() if k != TYPE})

            about = json.loads(str(file["about"]))
            if about["key"] != self.key:
                raise ValueError("the result of another run")
            result = json.loads(str(file["result"]), object_hook=back)
            self.seconds[name] = float(about["seconds"])
        return result


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
