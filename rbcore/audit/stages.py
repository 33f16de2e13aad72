"""Stages of a long computation that are kept as they finish: an interrupted run goes on with the next one.

A stage's result is numbers and strings (JSON) and arrays (npz, never pickled).  It is used again only for the same
inputs, options and code.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

Kept = dict[str, Any]
"""What a stage returns: arrays, and values that JSON can hold, by name."""


class Stages:
    """Runs stages in turn, shows how far each one is, and keeps what it returned.

    Args:
        folder: where results are kept; None keeps nothing.
        key: what the results depend on; any change of it begins anew.
        total: the number of stages, for the bar.
        quiet: no bar; None: a bar where a terminal watches.
    """

    def __init__(self, folder: str | Path | None, key: Any, total: int, quiet: bool | None = None):
        self.folder = None if folder is None else Path(folder)
        self.key = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        self.total, self.quiet, self.count = total, quiet, 0
        self.seconds: dict[str, float] = {}
        self.resumed: list[str] = []
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, name: str, work: Callable[[Callable[[int, int], None]], Kept], keep: bool = True) -> Kept:
        """The result of `work`, or what an earlier run kept of it.

        `work` is handed a function to call with how much is done and how much there is.
        """
        self.count += 1
        found = self._load(name) if keep else None
        if found is not None:
            self.resumed.append(name)
            return found
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
        if keep:
            self._save(name, result)
        return result

    def _path(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{name.replace(' ', '-')}.npz"

    def _save(self, name: str, result: Mapping[str, Any]) -> None:
        if self.folder is None:
            return
        arrays = {f"array:{k}": v for k, v in result.items() if isinstance(v, np.ndarray)}
        plain = {k: v for k, v in result.items() if not isinstance(v, np.ndarray)}
        about = json.dumps({"key": self.key, "seconds": self.seconds[name], "plain": plain})
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as file:
            try:
                np.savez(file, about=np.array(about), **arrays)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                os.unlink(file.name)
                raise
        os.replace(file.name, self._path(name))

    def _load(self, name: str) -> Kept | None:
        if self.folder is None or not self._path(name).exists():
            return None
        try:
            with np.load(self._path(name), allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                if about["key"] != self.key:
                    return None
                self.seconds[name] = float(about["seconds"])
                arrays = {k.removeprefix("array:"): file[k] for k in file.files if k.startswith("array:")}
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError):
            return None  # a file that cannot be read is no result; the stage runs again
        return {**about["plain"], **arrays}
