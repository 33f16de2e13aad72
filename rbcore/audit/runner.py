"""An audit from its inputs to its result.

`run` reads the inputs, embeds all records by one map, looks for near-copies, asks the questions of
:mod:`rbcore.audit.questions`, measures, and trains small students.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from sklearn.decomposition import PCA

from rbcore.audit import copies as audit_copies
from rbcore.audit import embed as audit_embed
from rbcore.audit import evidence, features, learning, measures, passages, prepared, questions
from rbcore.audit import rows as audit_rows
from rbcore.audit.copies import Copies, Progress
from rbcore.audit.options import INPUTS, Options
from rbcore.audit.prepared import Prepared
from rbcore.audit.questions import omnibus
from rbcore.audit.questions.verdict import Named, Outcome
from rbcore.audit.read import records as audit_read
from rbcore.audit.read.records import Records
from rbcore.audit.result import Finding, Number, Result
from rbcore.audit.stages import Stages
from rbcore.audit.student import Step
from rbcore.estimate.base import Estimate

ALIKE = 0.8  # Jaccard similarity from which texts are near-copies
DRAWN = 1500  # points of an input in the map, at most
KEPT = (Copies, Estimate, Finding, Named, Number, Outcome, Step)  # what stages keep besides arrays and JSON
ACROSS = "SYNTH|ANCHOR SYNTH|HELDOUT ANCHOR|HELDOUT RAW|ANCHOR RAW|HELDOUT RAW|SYNTH SYNTH|RAW".split()


def read(options: Options, stages: Stages | None = None) -> dict[str, Records]:
    """The inputs, read and checked against one another.

    Raises:
        InputError: with one message that says what to do.
    """
    stages = stages or Stages(None, None, len(options.sources()), quiet=True)

    def work(name: str, source: str, progress: Progress) -> Records:
        seen = 0

        def count(n: int) -> None:
            nonlocal seen
            seen += n
            progress(seen, max(seen, options.limit))

        return audit_read.read(name, source, options.selection(name), count)

    records = {
        name: stages.run(f"read {name}", partial(work, name, source), keep=False)
        for name, source in options.sources().items()
    }
    notes = audit_read.together(records["ANCHOR"], records["SYNTH"], records.get("RAW"), records.get("HELDOUT"))
    synth = records["SYNTH"]
    return records | {"SYNTH": dataclasses.replace(synth, notes=(*synth.notes, *notes))}


def run(options: Options, quiet: bool | None = None, keep: bool = True) -> Result:
    """The whole audit, without writing the report; finished stages are kept in `out`/stages.

    Raises:
        InputError: for inputs that cannot be audited.  EmbedError: for an encoder that cannot be used.
    """
    sources = options.sources()
    key = {
        "options": {k: v for k, v in dataclasses.asdict(options).items() if k != "out"},
        "inputs": {k: audit_read.fingerprint(v, options.selection(k), k) for k, v in sources.items()},
        "code": _code(),
    }
    stages = Stages(Path(options.out) / "stages" if keep else None, key, len(sources) + 9, quiet, KEPT)
    records = read(options, stages)
    data = prepare(records, options.seed, stages, options.embed)

    def stage(name: str, work: Callable[[Generator], Any]) -> Any:
        return stages.run(name, lambda progress: work(_rng(options.seed, name)))

    outcomes = stage("questions", partial(check, data))
    distances = stage("distances", partial(measures.distances, data))
    support, plane = stage("support", partial(measures.support, data))
    diversity = stage("diversity", partial(measures.diversity, data))
    information = stage("information", partial(_information, data, options.seed))
    students, findings, series = stage("students", partial(learning.learn, data, outcomes))
    numbers = [number for one in outcomes for number in one.numbers]
    numbers = {one.id: one for one in (*numbers, *distances, *support, *diversity, *information, *students)}
    series = {
        "map": _map(data, outcomes, _rng(options.seed, "map")),
        "plane": plane,
        **learning.pictures(series, numbers),
    }
    settings = {k: v for k, v in dataclasses.asdict(options).items() if v is not None}
    costs = evidence.severity(evidence.load())
    findings = [_priced(one, numbers, costs) for one in (*(one.finding for one in outcomes), *findings)]
    inputs = [_about(one) for one in data.records.values()]
    found = audit_rows.named(records, outcomes)
    return Result(inputs, settings, numbers, findings, series, dict(stages.seconds), found)


def prepare(
    records: Mapping[str, Records],
    seed: int,
    stages: Stages | None = None,
    encoder: str = audit_embed.DEFAULT,
    like: Prepared | None = None,
) -> Prepared:
    """Embed all records, find the near-copies, split the anchors, and score the surprise.

    Near-copies and surprise of inputs whose texts are those of `like`, another audit, are taken from there: one
    looks once at what several audits have in common.
    """
    stages = stages or Stages(None, None, 3, quiet=True)
    contents = {name: one.content for name, one in records.items()}
    across = (pair.split("|") for pair in ACROSS)
    pairs = [(a, b) for a, b in (*zip(INPUTS, INPUTS, strict=True), *across) if {a, b} <= records.keys()]
    fitted, fresh = prepared.split(len(records["ANCHOR"]), _rng(seed, "split"))
    before, seen, known = {}, {}, []
    if like is not None:
        old = {name: one.texts for name, one in like.records.items()}
        known = [name for name, one in records.items() if one.texts and one.texts == old.get(name)]
        before = {pair: copies for pair, copies in like.copies.items() if set(pair) <= set(known)}
        if "ANCHOR" in known and np.array_equal(fitted, like.fitted):
            seen = {name: like.surprise[name] for name in known}
    points = stages.run(
        "embed", lambda go: dict(audit_embed.embed(contents, _rng(seed, "embed"), encoder, progress=go))
    )

    def near_copies(progress: Progress) -> dict[str, Any]:
        split = {k: v if isinstance(v, np.ndarray) else audit_copies.split(v) for k, v in contents.items()}
        common = {k: [] if isinstance(v, np.ndarray) else passages.templates(v) for k, v in split.items()}
        copied: dict[str, Any] = {"common": {k: [" ".join(one) for one in v] for k, v in common.items()}}
        for i, (name, other) in enumerate(pairs):

            def go(done: int, total: int, i: int = i) -> None:
                progress(round(1000 * (i + done / max(total, 1))), 1000 * len(pairs))

            if (name, other) in before:
                copies = before[name, other]
            else:
                x, y = _without(split[name], split[other], {*common[name], *common[other]})
                if name == other:
                    copies = audit_copies.within(x, threshold=ALIKE, progress=go)
                else:
                    copies = audit_copies.between(x, y, threshold=ALIKE, progress=go)
            copied[f"{name}|{other}"] = copies
        return copied

    kept = stages.run("near-copies", near_copies)
    copies: dict[tuple[str, str], Copies] = {(name, other): kept[f"{name}|{other}"] for name, other in pairs}
    records = {name: _noted(one, kept["common"][name]) for name, one in records.items()}
    new = {name: one for name, one in records.items() if name not in seen or name == "ANCHOR"}
    texts = {name: one.texts for name, one in new.items() if one.texts is not None}

    def surprised(progress: Progress) -> dict[str, dict[str, np.ndarray]]:
        made = {"surprise": seen | prepared.surprise(new, points, fitted), "foreseen": {}, "looks": {}}
        if texts:
            made["foreseen"] = features.foreseen(texts, made["surprise"], fitted, fresh)
            made["looks"] = {name: features.looks(one) for name, one in texts.items()}
        if like is not None and seen:
            for kind in ("foreseen", "looks"):
                made[kind] = {name: getattr(like, kind)[name] for name in known} | made[kind]
        return made

    scored = stages.run("surprise", surprised)
    families = {name: prepared.families(copies[name, name].of) for name in records}
    about = scored["surprise"], scored["foreseen"], scored["looks"]
    return Prepared(records, points, families, copies, fitted, fresh, *about)


def _without(x: Any, y: Any, common: set[tuple[str, ...]]) -> tuple[Any, Any]:
    """Two inputs in words, with the passages of either that many records have in common set apart."""
    if not common:
        return x, y
    shared = sorted(common)
    first = passages.set_apart(x, shared)
    return first, first if x is y else passages.set_apart(y, shared)


def _noted(one: Records, common: Sequence[str]) -> Records:
    """The records with a note on the passages that many of them have in common."""
    if not common:
        return one
    longest = max(common, key=len)
    shown = longest if len(longest) <= 60 else f"{longest[:60].rstrip()}..."
    many = "a passage" if len(common) == 1 else f"{len(common)} passages"
    note = f"{many} that many records share, such as '{shown}', did not count when near-copies were sought"
    return dataclasses.replace(one, notes=(*one.notes, note))


def check(data: Prepared, rng: Generator) -> list[Outcome]:
    """The answers to all questions of :mod:`rbcore.audit.questions`."""
    outcomes = [ask(data, rng) for ask in questions.CHECKS]
    return [*outcomes, omnibus.whole(outcomes)]


def _rng(seed: int, stage: str) -> Generator:
    """A generator of its own for each stage, so that a stage that is not run again changes no other."""
    return np.random.default_rng([seed, *stage.encode()])


def _information(data: Prepared, seed: int, rng: Generator) -> list[Number]:
    asked = {name: list(one.prompts) for name, one in data.records.items() if one.prompts is not None}
    prompts = {name: audit_embed.embed({name: texts}, rng)[name] for name, texts in asked.items()}
    return measures.information_gain(data) + measures.dependence(data, prompts, rng, seed)


def _priced(one: Finding, numbers: Mapping[str, Number], costs: Mapping[str, float]) -> Finding:
    """The finding with what its fix is worth to a student here, and what such defects have cost in trials."""
    worth = [id for id in (f"fix-{one.id}",) if id in numbers]
    cost = costs.get(one.id) if one.verdict == "flagged" else None
    return dataclasses.replace(one, cost=cost, numbers=(*one.numbers, *worth))


def _map(data: Prepared, outcomes: Sequence[Outcome], rng: Generator) -> dict[str, Any]:
    """The first two directions of all points, at most :data:`DRAWN` of each input."""
    flat = PCA(2 if data.points["ANCHOR"].shape[1] > 1 else 1).fit(data.points["ANCHOR"])
    points, marked = {}, {}
    for name, x in data.points.items():
        rows = np.sort(rng.permutation(len(x))[:DRAWN])
        z = flat.transform(x[rows])
        points[name] = np.column_stack([z, np.zeros((len(z), 2 - z.shape[1]))]).round(4).tolist()
        if name == "SYNTH":
            named = {one.finding.id: one.named for one in outcomes if one.named is not None}
            marked = {id: np.flatnonzero(one.hits[rows]).tolist() for id, one in named.items()}
    return {"axes": ["first direction", "second direction"], "points": points, "marked": marked}


def _about(one: Records) -> dict[str, Any]:
    return {
        "name": one.name,
        "source": one.source,
        "found": one.found,
        "used": len(one),
        "kind": "texts" if one.vectors is None else f"vectors of {one.vectors.shape[1]} numbers",
        "labels": None if one.labels is None else sorted(set(one.labels))[:50],
        "notes": list(one.notes),
    }


def _code() -> str:
    """What the stages' results depend on besides inputs and options: the modules of this package that they use."""
    core = Path(__file__).parents[1]
    used = [path for room in ("audit", "estimate") for path in sorted((core / room).rglob("*.py"))]
    used += [core / "audit" / name for name in ("words.yaml", "phrases.yaml")]
    used += [core / "estimate" / "calibration.json"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in used)).hexdigest()
