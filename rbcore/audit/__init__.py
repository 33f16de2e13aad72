"""The audit: is this synthetic data good for the task, what is wrong with it, and what should be changed?

    make audit ANCHOR=anchors.jsonl SYNTH=synthetic.jsonl HELDOUT=heldout.jsonl

or, in Python,

    from rbcore import audit

    options = audit.Options("anchors.jsonl", "synthetic.jsonl", heldout="heldout.jsonl", out="runs/audit")
    result = audit.run(options)
    result.flagged

An application on top of :mod:`rbcore.estimate`; nothing in the core depends on it.  :mod:`rbcore.audit.read` reads
records, :mod:`rbcore.audit.report` writes the report.
"""

from rbcore.audit.options import Options
from rbcore.audit.result import Result
from rbcore.audit.runner import ALIKE, prepare, run

__all__ = ["ALIKE", "Options", "Result", "prepare", "run"]
