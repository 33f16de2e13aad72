"""What small students make of the data: held-out losses of anchors, synthetic data and mixtures, what they imply.

Texts train n-gram models (of label and text, where labels exist), labelled vectors a classifier, other vectors a
Gaussian; see :mod:`rbcore.audit.student`.  Synthetic records that nearly copy a held-out one are left out, so that
no student is scored on what it has read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.random import Generator

from rbcore.audit import student
from rbcore.audit.advice import QUESTIONS
from rbcore.audit.measures import plain
from rbcore.audit.prepared import Prepared
from rbcore.audit.questions import LEVEL
from rbcore.audit.result import Finding, Number
from rbcore.audit.student import Arm, Data, Kind, Step
from rbcore.estimate.base import Estimate

TRAINED_ON = 20_000  # records of one origin, at most
SCORED_ON = 5000  # held-out records, at most
LEAST = 20  # records of a part
REPEATS = 3  # of a learning curve


class Parts(dict[str, Data]):
    """What students read: ``anchor``, ``synth``, ``heldout``, and ``raw`` where it exists."""


def learn(data: Prepared, rng: Generator) -> dict[str, Any]:
    """Numbers, findings and series (plain, as JSON holds them) of all students."""
    kind, parts = _parts(data, rng)
    if min(part.size for part in parts.values()) < LEAST:
        why = f"Each part needs {LEAST} records that are no copies of held-out ones."
        finding = _finding("students", "not checked", why, ())
        return {"numbers": [], "findings": [asdict(finding)], "series": {}}
    arms = student.arms(kind, parts["anchor"], parts["synth"], parts["heldout"])
    numbers, students = _compared(arms)
    numbers += _gain(kind, parts, rng)
    findings = [_students(arms)]
    series: dict[str, Any] = {"students": students, "curve": _curves(kind, parts, rng)}
    seen, fresh = _halves(parts["synth"], rng)
    steps = student.steps(kind, seen, fresh, parts.get("raw"), parts["heldout"], bounded=True)
    own = student.steps(kind, *_halves(parts["anchor"], rng), None, parts["heldout"], bounded=True)
    series["steps"] = [{"name": s.name, "role": s.role, "estimate": asdict(s.estimate)} for s in steps]
    series["unit"] = "loss in [0, 1]" if kind == "vectors" else "error rate"
    more = _kept(steps, own, seen.size)
    numbers += more
    findings.append(_ggmi(more))
    numbers += _given(data)
    kept = [asdict(finding) for finding in findings]
    return {"numbers": plain(numbers), "findings": kept, "series": series}


def pictures(series: Mapping[str, Any], numbers: Mapping[str, Number]) -> dict[str, Any]:
    """The series of the pictures: students, curve, and the waterfall with the measured divergences."""
    shown = {key: series[key] for key in ("students", "curve") if series.get(key)}
    if "steps" in series:
        shown["waterfall"] = {"unit": series["unit"], **waterfall(series["steps"], numbers)}
    return shown


def waterfall(steps: Sequence[Mapping[str, Any]], numbers: Mapping[str, Number]) -> dict[str, Any]:
    """The bound of chapter 06 with the user's numbers: what each term charges at least, and what it pays for.

    The sampling term holds an information that data cannot give.  By the theorem it is at least the step that it
    pays for, and so this is drawn in its place.
    """
    by_name = {step["name"]: step["estimate"] for step in steps}
    titles = {
        "generalization": ("sampling", None, "at least the step, by the theorem"),
        "curation": ("generation divergence", "tv-generation", ""),
        "divergence": ("task divergence", "tv-task", ""),
    }
    if "curation" not in by_name:
        titles["divergence"] = ("task and generation divergence", "tv-total", "")
    charges, shown = [], []
    for name, (label, source, note) in titles.items():
        if name not in by_name:
            continue
        step = by_name[name]
        low, high = step["ci"]
        shown.append({"label": name, "value": step["value"], "low": low, "high": high})
        if source is None:
            least = max(0.0, low, -high)
        else:
            least = numbers[source].estimate.ci[0] if source in numbers else 0.0
        charges.append({"label": label, "value": least, "low": least, "high": None, "note": note})
    return {
        "training": by_name["training"]["value"],
        "risk": by_name["task"]["value"],
        "charges": charges,
        "steps": shown,
    }


def _parts(data: Prepared, rng: Generator) -> tuple[Kind, Parts]:
    records = data.records
    labelled = all(records[name].labels is not None for name in ("ANCHOR", "SYNTH"))
    kind: Kind = "texts" if records["ANCHOR"].texts is not None else "labels" if labelled else "vectors"

    def part(name: str, rows: np.ndarray, most: int) -> Data:
        rows = rows if rows.size <= most else np.sort(rng.choice(rows, size=most, replace=False))
        one = records[name]
        contents = data.points[name].astype(float) if one.texts is None else one.texts
        labels = one.labels if labelled and one.labels is not None else None
        whole = Data(contents, labels)
        return whole.take(rows)

    anchors, synth = np.arange(len(records["ANCHOR"])), data.own("SYNTH")
    parts = Parts()
    if "HELDOUT" in records and (records["HELDOUT"].labels is not None or not labelled):
        parts["heldout"] = part("HELDOUT", np.arange(len(records["HELDOUT"])), SCORED_ON)
        anchors = anchors[~data.copied("ANCHOR", "HELDOUT")]
    else:  # a third of the anchors, chosen by families, so that no near-copy is on both sides
        family = data.families["ANCHOR"]
        held = np.isin(family, rng.permutation(np.unique(family))[: max(1, len(np.unique(family)) // 3)])
        parts["heldout"] = part("ANCHOR", np.flatnonzero(held), SCORED_ON)
        anchors = anchors[~held]
    parts["anchor"] = part("ANCHOR", anchors, TRAINED_ON)
    parts["synth"] = part("SYNTH", np.flatnonzero(synth), TRAINED_ON)
    if "RAW" in records and (records["RAW"].labels is not None or not labelled):
        parts["raw"] = part("RAW", np.flatnonzero(data.own("RAW")), SCORED_ON)
    return kind, parts


def _halves(data: Data, rng: Generator) -> tuple[Data, Data]:
    first, second = np.array_split(rng.permutation(data.size), 2)
    return data.take(np.sort(first)), data.take(np.sort(second))


def _compared(arms: Sequence[Arm]) -> tuple[list[Number], list[dict[str, Any]]]:
    numbers, students = [], []
    for arm in arms:
        risk, difference = arm.risk(), student.difference(arm, arms[0])
        tag = f"{round(100 * arm.ratio)}"
        numbers.append(Number(f"loss-{tag}", f"held-out loss of a student: {arm.name}", risk))
        if arm is not arms[0]:
            numbers.append(Number(f"loss-change-{tag}", f"the same less that of anchors: {arm.name}", difference))
        ends = [difference.value, *difference.ci]
        students.append({"arm": arm.name, "ratio": arm.ratio, "loss": risk.value, "difference": ends})
    return numbers, students


def _students(arms: Sequence[Arm]) -> Finding:
    others = arms[1:]
    each = 1 - 2 * (1 - LEVEL)  # one side; all of them have to be worse, so the level needs no correction
    worse = all(student.difference(arm, arms[0], each).ci[0] > 0 for arm in others)
    best = min(others, key=lambda arm: float(arm.losses.mean()))
    change = student.difference(best, arms[0])
    sentence = (
        f"The best student with synthetic data ({best.name}) has a held-out loss of {best.losses.mean():.3g} nats "
        f"per record, anchors alone {arms[0].losses.mean():.3g}: a change of {change.value:+.3g} "
        f"[{change.ci[0]:+.3g}, {change.ci[1]:+.3g}]."
    )
    tag = f"{round(100 * best.ratio)}"
    ids = (f"loss-{tag}", f"loss-change-{tag}", "loss-0")
    return _finding("students", "flagged" if worse else "clear", sentence, ids)


def _gain(kind: Kind, parts: Parts, rng: Generator) -> list[Number]:
    """What synthetic records teach about their own law beyond the anchors, on records that no student has seen."""
    seen, fresh = _halves(parts["synth"], rng)
    labels = student.all_labels(*parts.values()) if kind == "labels" else None
    taught = student.train(kind, seen, labels=labels).losses(fresh)
    before = student.train(kind, parts["anchor"], labels=labels).losses(fresh)
    arms = [Arm("before", 0.0, before), Arm("taught", 1.0, taught)]
    gained = student.difference(arms[0], arms[1])
    numbers = [
        Number("gain-beyond", "what a student of synthetic data knows of them beyond a student of anchors", gained)
    ]
    if kind == "texts":
        meaning = "entropy of a synthetic record, at most: the loss of a student on records it has not seen"
        numbers.append(Number("entropy-most", meaning, arms[1].risk()))
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


def _kept(steps: Sequence[Step], own: Sequence[Step], n: int) -> list[Number]:
    """The gaps of two students, and the least information that each implies: `I >= 2 n gap^2`, chapter 03."""
    numbers = []
    for tag, who, some in (("anchors", "anchors", own), ("synthetic", "synthetic records", steps)):
        by_name = {step.name: step.estimate for step in some}
        gap = by_name["generalization"]
        size = n if tag == "synthetic" else by_name["training"].n
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
    return _finding("ggmi", "not checked", sentence, tuple(kept))


def _given(data: Prepared) -> list[Number]:
    """The user's own losses on held-out records: of the synthetic model less that of the anchors' model."""
    held = data.records.get("HELDOUT")
    if held is None or held.losses is None:
        return []
    arms = [Arm("anchors", 0.0, held.losses[:, 0]), Arm("synthetic", 1.0, held.losses[:, 1])]
    change = student.difference(arms[1], arms[0])
    return [Number("given-losses", "your losses: the synthetic model's less the anchors' model's", change)]


def _finding(id: str, verdict: Any, sentence: str, ids: tuple[str, ...]) -> Finding:
    asked = QUESTIONS[id]
    advice = asked.advice if verdict == "flagged" else ""
    return Finding(id, asked.title, verdict, sentence, advice, ids, asked.chapter, asked.why)
