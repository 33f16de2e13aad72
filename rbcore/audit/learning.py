"""What small students make of the data: held-out losses of anchors, synthetic data and mixtures, what they imply.

Texts train n-gram models (of label and text, where labels exist), labelled vectors a classifier, other vectors a
Gaussian; see :mod:`rbcore.audit.student`.  Synthetic records that nearly copy a held-out one are left out, so that
no student is scored on what it has read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from rbcore.audit import student
from rbcore.audit.advice import finding
from rbcore.audit.fixes import fixes, lesson
from rbcore.audit.prepared import Prepared, some
from rbcore.audit.questions.verdict import LEVEL, Outcome
from rbcore.audit.result import Finding, Number
from rbcore.audit.student import Arm, Data, Kind, Step
from rbcore.estimate.base import Estimate

TRAINED_ON = 20_000  # records of one origin, at most
SCORED_ON = 5000  # held-out records, at most
LEAST = 20  # records of a part
REPEATS = 3  # of a learning curve

Parts = dict[str, Data]
"""What students read: ``anchor``, ``synth``, ``heldout``, and ``raw`` where it exists."""


def learn(
    data: Prepared, outcomes: Sequence[Outcome], rng: Generator
) -> tuple[list[Number], list[Finding], dict[str, Any]]:
    """Numbers, findings and series (for :func:`pictures`) of all students, and what each fix is worth."""
    kind, parts = _parts(data, rng)
    if min(part.size for part in parts.values()) < LEAST:
        why = f"Each part needs {LEAST} records that are no copies of held-out ones."
        return [], [finding("students", "not checked", why)], {}
    arms = student.arms(kind, parts["anchor"], parts["synth"], parts["heldout"])
    numbers, students = _compared(arms)
    numbers += _gain(kind, parts, rng)
    series: dict[str, Any] = {"students": students, "curve": _curves(kind, parts, rng)}
    seen, fresh = _halves(parts["synth"], rng)
    steps = student.steps(kind, seen, fresh, parts.get("raw"), parts["heldout"], bounded=True)
    own = student.steps(kind, *_halves(parts["anchor"], rng), None, parts["heldout"], bounded=True)
    series |= {"steps": steps, "unit": "loss in [0, 1]" if kind == "vectors" else "error rate"}
    kept = _kept(steps, own)
    numbers += [*kept, *_given(data), *fixes(data, outcomes, kind, rng)]
    return numbers, [_students(arms), _ggmi(kept)], series


def pictures(series: Mapping[str, Any], numbers: Mapping[str, Number]) -> dict[str, Any]:
    """The series of the pictures: students, curve, and the waterfall with the measured divergences."""
    shown = {key: series[key] for key in ("students", "curve") if series.get(key)}
    if "steps" in series:
        shown["waterfall"] = {"unit": series["unit"], **waterfall(series["steps"], numbers)}
    return shown


def waterfall(steps: Sequence[Step], numbers: Mapping[str, Number]) -> dict[str, Any]:
    """The bound of chapter 06 with the user's numbers: what each term charges at least, and what it pays for.

    The sampling term holds an information that data cannot give.  By the theorem it is at least the step that it
    pays for, and so this is drawn in its place.
    """
    by_name = {step.name: step.estimate for step in steps}
    titles = {
        "generalization": ("sampling", "", "at least the step, by the theorem"),
        "curation": ("generation divergence", "tv-generation", ""),
        "divergence": ("task divergence", "tv-task", ""),
    }
    if "curation" not in by_name:
        titles["divergence"] = ("task and generation divergence", "tv-total", "")
    charges, shown = [], []
    for name, (label, source, note) in titles.items():
        if name not in by_name:
            continue
        low, high = by_name[name].ci
        shown.append({"label": name, "value": by_name[name].value, "low": low, "high": high})
        measured = numbers[source].estimate.ci[0] if source in numbers else 0.0
        least = measured if source else max(0.0, low, -high)
        charges.append({"label": label, "value": least, "low": least, "high": None, "note": note})
    ends = {"training": by_name["training"].value, "risk": by_name["task"].value}
    return {**ends, "charges": charges, "steps": shown}


def _parts(data: Prepared, rng: Generator) -> tuple[Kind, Parts]:
    records = data.records
    labelled = all(records[name].labels is not None for name in ("ANCHOR", "SYNTH"))
    kind: Kind = "texts" if records["ANCHOR"].texts is not None else "labels" if labelled else "vectors"

    def usable(name: str) -> bool:
        return name in records and (records[name].labels is not None or not labelled)

    def part(name: str, rows: np.ndarray, most: int) -> Data:
        return lesson(data, name, some(rows, most, rng), labelled)

    anchors, parts = np.arange(len(records["ANCHOR"])), {}
    if usable("HELDOUT"):
        parts["heldout"] = part("HELDOUT", np.arange(len(records["HELDOUT"])), SCORED_ON)
        anchors = anchors[~data.copied("ANCHOR", "HELDOUT")]
    else:  # a third of the anchors, chosen by families, so that no near-copy is on both sides
        family = data.families["ANCHOR"]
        held = np.isin(family, rng.permutation(np.unique(family))[: max(1, len(np.unique(family)) // 3)])
        parts["heldout"] = part("ANCHOR", np.flatnonzero(held), SCORED_ON)
        anchors = anchors[~held]
    parts["anchor"] = part("ANCHOR", anchors, TRAINED_ON)
    parts["synth"] = part("SYNTH", np.flatnonzero(data.own("SYNTH")), TRAINED_ON)
    if usable("RAW"):
        parts["raw"] = part("RAW", np.flatnonzero(data.own("RAW")), SCORED_ON)
    return kind, parts


def _halves(data: Data, rng: Generator) -> list[Data]:
    return [data.take(np.sort(half)) for half in np.array_split(rng.permutation(data.size), 2)]


def _tag(arm: Arm) -> str:
    return f"{round(100 * arm.ratio)}"


def _compared(arms: Sequence[Arm]) -> tuple[list[Number], list[dict[str, Any]]]:
    numbers, students = [], []
    for arm in arms:
        risk, difference = arm.risk(), student.difference(arm, arms[0])
        numbers.append(Number(f"loss-{_tag(arm)}", f"held-out loss of a student: {arm.name}", risk))
        if arm is not arms[0]:
            meaning = f"the same less that of anchors: {arm.name}"
            numbers.append(Number(f"loss-change-{_tag(arm)}", meaning, difference))
        ends = [difference.value, *difference.ci]
        students.append({"arm": arm.name, "ratio": arm.ratio, "loss": risk.value, "difference": ends})
    return numbers, students


def _students(arms: Sequence[Arm]) -> Finding:
    each = 1 - 2 * (1 - LEVEL)  # one side; all of them have to be worse, so the level needs no correction
    worse = all(student.difference(arm, arms[0], each).ci[0] > 0 for arm in arms[1:])
    best = min(arms[1:], key=lambda arm: float(arm.losses.mean()))
    change = student.difference(best, arms[0])
    sentence = (
        f"The best student with synthetic data ({best.name}) has a held-out loss of {best.losses.mean():.3g} nats "
        f"per record, anchors alone {arms[0].losses.mean():.3g}: a change of {change.value:+.3g} "
        f"[{change.ci[0]:+.3g}, {change.ci[1]:+.3g}]."
    )
    ids = f"loss-{_tag(best)}", f"loss-change-{_tag(best)}", "loss-0"
    return finding("students", "flagged" if worse else "clear", sentence, ids)


def _gain(kind: Kind, parts: Parts, rng: Generator) -> list[Number]:
    """What synthetic records teach about their own law beyond the anchors, on records that no student has seen."""
    seen, fresh = _halves(parts["synth"], rng)
    labels = student.all_labels(*parts.values()) if kind == "labels" else None
    taught = Arm("taught", 1.0, student.train(kind, seen, labels=labels).losses(fresh))
    before = Arm("before", 0.0, student.train(kind, parts["anchor"], labels=labels).losses(fresh))
    meaning = "what a student of synthetic data knows of them beyond a student of anchors"
    numbers = [Number("gain-beyond", meaning, student.difference(before, taught))]
    if kind == "texts":
        meaning = "entropy of a synthetic record, at most: the loss of a student on records it has not seen"
        numbers.append(Number("entropy-most", meaning, taught.risk()))
    return numbers


def _curves(kind: Kind, parts: Parts, rng: Generator) -> list[dict[str, Any]]:
    rows = []
    for name, key in (("anchors", "anchor"), ("synthetic", "synth")):
        size = parts[key].size
        sizes = sorted({*(int(size / 2**i) for i in range(6) if size / 2**i >= LEAST), size})
        for point in student.curve(kind, parts[key], parts["heldout"], sizes, rng, REPEATS):
            low, high = point.risk.ci
            rows.append({"data": name, "size": point.size, "loss": point.risk.value, "low": low, "high": high})
    return rows


def _kept(steps: Sequence[Step], own: Sequence[Step]) -> list[Number]:
    """The gaps of two students, and the least information that each implies: `I >= 2 n gap^2`, chapter 03."""
    numbers = []
    for tag, who, path in (("anchors", "anchors", own), ("synthetic", "synthetic records", steps)):
        by_name = {step.name: step.estimate for step in path}
        gap, size = by_name["generalization"], by_name["training"].n
        meaning = f"error rate on fresh {who} less that on the {size:,} {who} trained on"
        numbers.append(Number(f"gap-{tag}", meaning, gap))
        value, limit = (2 * size * max(0.0, g) ** 2 for g in (gap.value, gap.ci[0]))
        kept = Estimate("kept", value, (limit, np.inf), size, unit="nats", sided="lower")
        numbers.append(Number(f"kept-{tag}", f"what a student keeps of {size:,} {who}: at least", kept))
    return numbers


def _ggmi(numbers: Sequence[Number]) -> Finding:
    kept = {one.id: one.estimate.ci[0] for one in numbers}
    sentence = (
        "GGMI is a difference of two informations that no data set shows. If the gaps of these students are "
        f"typical, they keep at least {kept['kept-anchors']:.3g} nats of half of the anchors and "
        f"{kept['kept-synthetic']:.3g} nats of half of the synthetic records, by chapter 03; the difference of "
        "two lower limits bounds nothing."
    )
    return finding("ggmi", "not checked", sentence, tuple(kept))


def _given(data: Prepared) -> list[Number]:
    """The user's own losses on held-out records: of the synthetic model less that of the anchors' model."""
    held = data.records.get("HELDOUT")
    if held is None or held.losses is None:
        return []
    anchors, synthetic = (Arm(name, i, held.losses[:, i]) for i, name in enumerate(("anchors", "synthetic")))
    change = student.difference(synthetic, anchors)
    return [Number("given-losses", "your losses: the synthetic model's less the anchors' model's", change)]
