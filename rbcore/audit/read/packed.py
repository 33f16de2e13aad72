"""Files as they are, and files packed with gzip or Zstandard, opened alike for reading bytes."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from typing import BinaryIO, cast

PACKED = (".gz", ".zst")
FIRST = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}


def ending(path: str) -> str:
    """``".gz"``, ``".zst"``, or nothing."""
    return next((one for one in PACKED if path.lower().endswith(one)), "")


def opened(path: str) -> BinaryIO:
    """The contents of a file, unpacked as they are read.

    Raises:
        one of :func:`errors`, here or while it is read.
    """
    packing = ending(path)
    if packing == ".zst":
        import pyarrow as pa  # only here: other files do without it

        return cast(BinaryIO, io.BufferedReader(pa.CompressedInputStream(pa.OSFile(path), "zstd")))
    return cast(BinaryIO, gzip.open(path, "rb")) if packing else open(path, "rb")


def errors() -> tuple[type[Exception], ...]:
    """What may be raised by a file that is damaged, or may not be read."""
    arrow = sys.modules.get("pyarrow")
    return (OSError, EOFError, zlib.error, *((arrow.ArrowException,) if arrow is not None else ()))
