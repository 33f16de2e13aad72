"""The questions that an audit asks, each with a test and a margin: see :mod:`rbcore.audit.questions.verdict`.

A record that one question has named is left out of the next, so that each defect is named once.
"""

from rbcore.audit.questions.copying import anchor_copies, heldout_copies, repeats
from rbcore.audit.questions.form import boilerplate, endings, language, length, openings, script
from rbcore.audit.questions.generator import coverage, membership
from rbcore.audit.questions.labels import label_shares, wrong_labels
from rbcore.audit.questions.law import curation, distance, extra, missing, narrow, off_task, order, stranger
from rbcore.audit.questions.verdict import LEVEL, POWER, Outcome

__all__ = ["CHECKS", "LEVEL", "POWER", "Outcome"]

CHECKS = (
    repeats,
    anchor_copies,
    heldout_copies,
    off_task,
    extra,
    stranger,
    narrow,
    order,
    missing,
    length,
    endings,
    script,
    language,
    boilerplate,
    openings,
    distance,
    wrong_labels,
    label_shares,
    curation,
    membership,
    coverage,
)
"""In the order of the report."""
