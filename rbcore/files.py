"""Files and folders that are written whole or not at all: first beside their place, then renamed into it."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def replace_file(path: str | Path, content: str | bytes) -> None:
    """Write one file whole or not at all; see :func:`replace_files`."""
    replace_files({path: content})


def replace_files(contents: Mapping[str | Path, str | bytes]) -> None:
    """Write the contents by path, text in UTF-8; none replaces an earlier file before all are on the disk.

    Raises:
        OSError: when a file cannot be written; then nothing half-written is left, and the earlier files are.
    """
    beside = {Path(path): Path(path).with_name(f".{Path(path).name}.{os.getpid()}.partial") for path in contents}
    for path in beside:
        remove_abandoned(path)
    try:
        for partial, content in zip(beside.values(), contents.values(), strict=True):
            with open(partial, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
        for path, partial in beside.items():
            os.replace(partial, path)
    finally:
        for partial in beside.values():
            partial.unlink(missing_ok=True)


def remove_abandoned(path: Path) -> None:
    """Remove what processes that were killed have left unfinished of this file or folder."""
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        number = partial.name.removesuffix(".partial").rpartition(".")[2]
        with suppress(OSError):
            if number.isdecimal() and not _alive(int(number)):
                shutil.rmtree(partial) if partial.is_dir() else partial.unlink()


def _alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


def replace_folder(fresh: Path, target: Path) -> None:
    """Put a finished folder in the place of an earlier one, which is removed when the new one stands there."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        os.replace(target, old)
    os.replace(fresh, target)
    shutil.rmtree(old, ignore_errors=True)
