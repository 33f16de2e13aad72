"""Records in `book/`: JSON that a command writes whole, and that git keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rbcore.book.ledger import LedgerError


def read(path: Path, made_by: str) -> dict[str, Any]:
    """The object that a record holds; empty where there is none yet.  made_by: the command that writes it.

    Raises:
        LedgerError: when the file is no JSON object.
    """
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf8"))
    except (ValueError, RecursionError) as error:  # of JSON or of UTF-8
        raise LedgerError(f"{path}: not valid JSON ({error}); restore it from git, or call `{made_by}`") from None
    if not isinstance(found, dict):
        raise LedgerError(
            f"{path}: a record is an object, not {type(found).__name__}; restore it from git, or call `{made_by}`"
        )
    return found
