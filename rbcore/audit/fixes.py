"""What each recommendation is worth: follow it, train the small student again, compare on held-out records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from rbcore import checks
from rbcore.audit import student
from rbcore.audit.prepared import Prepared
from rbcore.audit.questions.verdict import Outcome
from rbcore.audit.result import Number
from rbcore.audit.student import Data, Kind
from rbcore.estimate.base import Estimate

LEAST = 20  # records that a student reads, and that it is scored on
MIXED = (
    "missing",
    "narrow",
    "stranger",
    "order",
    "distance",
    "length",
)  # no record is to blame: anchors are added


def fixes(data: Prepared, outcomes: Sequence[Outcome], kind: Kind, rng: Generator) -> list[Number]:
    """Of each flagged question, by how much its fix changes the held-out loss of a student; paired, in nats.

    The fix is to leave out the records that the question names; for labels' shares, to weigh the records; where no
    record is to blame, to add the anchors with half of the weight.  Held-out records that a synthetic one copies
    are not scored.
    """
    flagged = [one for one in outcomes if one.finding.verdict == "flagged"]
    synth, heldout, anchor = _whole(data, rng)
    if not flagged or min(synth.size, heldout.size) < LEAST:
        return []
    labels = student.all_labels(synth, heldout, anchor) if kind == "labels" else None

    def losses(rows: Data, weights: np.ndarray | None = None) -> np.ndarray:
        return student.train(kind, rows, weights, labels).losses(heldout)

    before, numbers = losses(synth), []
    for one in flagged:
        id, hits = one.finding.id, None if one.named is None else one.named.hits
        if hits is not None and 0 < hits.sum() <= synth.size - LEAST:
            what = f"without the {hits.sum():,} records that it names"
            after = losses(synth.take(np.flatnonzero(~hits)))
        elif id == "label-shares":
            what, names, real = (
                "with the labels' shares of the task",
                np.array(synth.names),
                np.array(anchor.names),
            )
            weight = {label: np.mean(real == label) / np.mean(names == label) for label in np.unique(names)}
            after = losses(synth, np.array([weight[label] for label in names]))
        elif id in MIXED and anchor.size >= LEAST:
            what, both = "with the anchors, half and half", anchor.join(synth)
            sizes = [anchor.size, synth.size]
            after = losses(both, np.repeat([both.size / (2 * n) for n in sizes], sizes))
        else:
            continue
        mean = checks.mean(after - before)
        change = Estimate("mean-difference", mean.value, mean.ci, heldout.size, unit="nats")
        numbers.append(Number(f"fix-{id}", f"change of a student's held-out loss per record {what}", change))
    return numbers


def _whole(data: Prepared, rng: Generator) -> tuple[Data, Data, Data]:
    """All synthetic records; real ones to score on, which none of them copies; the other anchors."""
    records = data.records
    labelled = all(records[name].labels is not None for name in ("ANCHOR", "SYNTH"))
    held = records.get("HELDOUT")
    real = "HELDOUT" if held is not None and (held.labels is not None or not labelled) else "ANCHOR"
    copied = data.copies["SYNTH", real].of
    scored, rest = np.setdiff1d(np.arange(len(records[real])), copied), np.arange(len(records["ANCHOR"]))
    if real == "ANCHOR":
        scored = np.sort(rng.permutation(scored)[: max(LEAST, len(scored) // 3)])
        rest = np.setdiff1d(rest, scored)

    parts = ("SYNTH", np.arange(len(records["SYNTH"]))), (real, scored), ("ANCHOR", rest)
    synth, heldout, anchor = (lesson(data, name, rows, labelled) for name, rows in parts)
    return synth, heldout, anchor


def lesson(data: Prepared, name: str, rows: np.ndarray, labelled: bool) -> Data:
    """Some records of an input as a student reads them: texts or points, with labels if `labelled`."""
    one = data.records[name]
    contents = data.points[name].astype(float) if one.texts is None else one.texts
    return Data(contents, one.labels if labelled else None).take(rows)
