"""The audit: is this synthetic data good for the task, what is wrong with it, and what should be changed?

    rbcore-audit --anchor anchors.jsonl --synth synthetic.jsonl --heldout heldout.jsonl

or, in Python,

    from rbcore import audit

    options = audit.Options("anchors.jsonl", "synthetic.jsonl", heldout="heldout.jsonl", out="runs/audit")
    result = audit.run(options)
    result.flagged, result.rows
    result = audit.clean(options, result, "clean.jsonl")

An application on top of :mod:`rbcore.estimate`; nothing in the core depends on it.  :mod:`rbcore.audit.read` reads
records, :mod:`rbcore.audit.report` writes the report.  What computes is loaded when it is first asked for, so that
what cannot be audited is refused at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rbcore.audit.options import Options
from rbcore.audit.result import Result

if TYPE_CHECKING:
    from rbcore.audit.cleaning import clean
    from rbcore.audit.runner import ALIKE, prepare, run

__all__ = ["ALIKE", "Options", "Result", "clean", "prepare", "run"]


def __getattr__(name: str) -> Any:
    if name == "clean":
        from rbcore.audit import cleaning

        return cleaning.clean
    if name in ("ALIKE", "prepare", "run"):
        from rbcore.audit import runner

        return getattr(runner, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
