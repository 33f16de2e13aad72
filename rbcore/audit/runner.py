"""The audit: is this synthetic data good for the task, what is wrong with it, and what should be changed?

    make audit ANCHOR=anchors.jsonl SYNTH=synthetic.jsonl HELDOUT=heldout.jsonl

or, in Python,

    result = audit.run(Options("anchors.jsonl", "synthetic.jsonl", heldout="heldout.jsonl", out="runs/audit"))
    result.flagged

`run` reads the inputs, embeds all records by one map, looks for near-copies, asks the questions of
:mod:`rbcore.audit.questions`, measures, trains small students, and writes the report.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from rbcore.audit import copies as audit_copies
from rbcore.audit import embed as audit_embed
from rbcore.audit import learning, measures, prepared, questions
from rbcore.audit.copies import Copies
from rbcore.audit.measures import numbers_of, plain
from rbcore.audit.prepared import Prepared
from rbcore.audit.questions import Outcome
from rbcore.audit.read import records as audit_read
from rbcore.audit.read.records import Fields, InputError, Records
from rbcore.audit.result import Finding, Result
from rbcore.audit.stages import Kept, Stages

ALIKE = 0.8  # Jaccard similarity from which texts are near-copies
DRAWN = 1500  # points of an input in the map, at most
INPUTS = ("ANCHOR", "SYNTH", "RAW", "HELDOUT")


def _help(text: str, default: Any = None) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Options:
    """What is audited, and how; the fields are the options of the command line."""

    anchor: str = field(
        metadata={"help": "real records of the task: a file, a folder of texts, or a hub data set"}
    )
    synth: str = field(metadata={"help": "the synthetic records, as a student would be trained on them"})
    raw: str | None = _help("the generator's answers before curation")
    heldout: str | None = _help("real records that neither generator nor student may have seen")
    text: str | None = _help("the field that holds the text (default: the only one that can)")
    vector: str | None = _help("the field that holds a list of numbers, in the place of a text")
    label: str | None = _help("the field that holds the label")
    prompt: str | None = _help("the field of RAW, or else SYNTH, that holds the prompt of each record")
    logprob: str | None = _help("the field with the log-probability, in nats, that the generator gave the record")
    losses: str | None = _help(
        "two fields of HELDOUT, joined by a comma: losses of the anchors' and the synthetic model"
    )
    embed: str = _help("tfidf, or the name or folder of a sentence-transformers model", audit_embed.DEFAULT)
    split: str = _help("the split of a hub data set", "train")
    subset: str | None = _help("the subset (configuration) of a hub data set")
    limit: int = _help("records kept of each input, drawn uniformly", 200_000)
    out: str = _help("the folder of the report", "runs/audit")
    seed: int = _help("of everything that is drawn", 0)

    def sources(self) -> dict[str, str]:
        """The inputs that were named."""
        named = {name: getattr(self, name.lower()) for name in INPUTS}
        return {name: source for name, source in named.items() if source}

    def fields(self, name: str) -> Fields:
        """The fields to read of the input `name`.

        Raises:
            InputError: when `losses` are not two names.
        """
        asked = name == ("RAW" if self.raw else "SYNTH")
        losses = None
        if self.losses and name == "HELDOUT":
            both = [part.strip() for part in self.losses.split(",")]
            if len(both) != 2 or not all(both):
                raise InputError(f"LOSSES: two fields of HELDOUT joined by a comma, got {self.losses!r}")
            losses = (both[0], both[1])
        return Fields(
            text=self.text,
            vector=self.vector,
            label=self.label,
            prompt=self.prompt if asked else None,
            logprob=self.logprob if asked else None,
            losses=losses,
        )


def read(options: Options, stages: Stages | None = None) -> dict[str, Records]:
    """The inputs, read and checked against one another.

    Raises:
        InputError: with one message that says what to do.
    """
    records: dict[str, Records] = {}
    for name, source in options.sources().items():

        def work(progress: Callable[[int, int], None], name: str = name, source: str = source) -> Kept:
            seen = [0]

            def count(n: int) -> None:
                seen[0] += n
                progress(seen[0], max(seen[0], options.limit))

            records[name] = audit_read.read(
                name, source, options.fields(name), limit=options.limit, seed=options.seed,
                split=options.split, subset=options.subset, progress=count,
            )  # fmt: skip
            return {}

        if stages is None:
            work(lambda done, total: None)
        else:
            stages.run(f"read {name}", work, keep=False)
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
        "inputs": {name: _identity(name, source, options) for name, source in sources.items()},
        "code": _code(),
    }
    stages = Stages(Path(options.out) / "stages" if keep else None, key, len(sources) + 9, quiet)
    records = read(options, stages)
    data = prepare(records, options.seed, stages, options.embed)

    def numbers(name: str, work: Callable[[Generator], Any]) -> Kept:
        return stages.run(name, lambda progress: work(_rng(options.seed, name)))

    def judged(rng: Generator) -> Kept:
        outcomes = check(data, rng)
        return {
            "findings": [dataclasses.asdict(one.finding) for one in outcomes],
            "numbers": plain([number for one in outcomes for number in one.numbers]),
            "named": {o.finding.id: np.flatnonzero(o.named).tolist() for o in outcomes if o.named is not None},
        }

    answers = numbers("questions", judged)
    apart = numbers("distances", lambda rng: {"numbers": plain(measures.distances(data, rng))})
    shape = numbers("support", lambda rng: dict(zip(("numbers", "plane"), _support(data, rng), strict=True)))
    varied = numbers("diversity", lambda rng: {"numbers": plain(measures.diversity(data, rng))})
    told = numbers("information", lambda rng: {"numbers": plain(_information(data, rng, options))})
    learned = numbers("students", lambda rng: learning.learn(data, rng))
    found = [
        *numbers_of(answers["numbers"]),
        *numbers_of(apart["numbers"]),
        *numbers_of(shape["numbers"]),
        *numbers_of(varied["numbers"]),
        *numbers_of(told["numbers"]),
        *numbers_of(learned["numbers"]),
    ]
    by_id = {number.id: number for number in found}
    findings = [_finding(one) for one in [*answers["findings"], *learned["findings"]]]
    series = {
        "map": _map(data, answers["named"], _rng(options.seed, "map")),
        "plane": shape["plane"],
        **learning.pictures(learned["series"], by_id),
    }
    settings = {k: v for k, v in dataclasses.asdict(options).items() if v is not None}
    inputs = [_about(one) for one in records.values()]
    return Result(inputs, settings, by_id, findings, series, dict(stages.seconds))


def _identity(name: str, source: str, options: Options) -> str:
    try:
        return audit_read.fingerprint(source, options.split, options.subset)
    except InputError as error:  # it does not know which input it looks at
        raise InputError(str(error).replace("input:", f"{name}:", 1)) from error


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
    contents = {name: _content(one) for name, one in records.items()}
    known = _known(records, like)
    points = stages.run(
        "embed", lambda go: dict(audit_embed.embed(contents, _rng(seed, "embed"), encoder, progress=go))
    )

    def copies(progress: Callable[[int, int], None]) -> Kept:
        kept: Kept = {}
        pairs = _pairs(records)
        texts = {name: audit_copies.split(one) for name, one in contents.items() if isinstance(one, list)}
        split = contents | texts
        for i, (name, other) in enumerate(pairs):

            def go(done: int, total: int, i: int = i) -> None:
                progress(round(1000 * (i + done / max(total, 1))), 1000 * len(pairs))

            if name in known and other in known:
                found = like.copies[name, other]
            elif name == other:
                found = audit_copies.within(split[name], threshold=ALIKE, progress=go)
            else:
                found = audit_copies.between(split[name], split[other], threshold=ALIKE, progress=go)
            kept |= {f"{name}|{other}|{k}": v for k, v in found._asdict().items()}
        return kept

    kept = stages.run("near-copies", copies)
    found = {pair: Copies(*(kept["|".join([*pair, k])] for k in Copies._fields)) for pair in _pairs(records)}
    fitted, fresh = prepared.split(len(records["ANCHOR"]), _rng(seed, "split"))
    same = "ANCHOR" in known and np.array_equal(fitted, like.fitted)
    seen = {name: like.surprise[name] for name in known} if same else {}
    new = {name: one for name, one in records.items() if name not in seen or name == "ANCHOR"}
    surprise = stages.run("surprise", lambda go: seen | prepared.surprise(new, points, fitted))
    families = {name: prepared.families(found[name, name]) for name in records}
    return Prepared(records, points, families, found, fitted, fresh, surprise)


def _known(records: Mapping[str, Records], like: Prepared | None) -> list[str]:
    """The inputs whose texts are those of `like`."""
    before = {} if like is None else like.records
    return [
        name for name, one in records.items() if one.texts and name in before and one.texts == before[name].texts
    ]


def _pairs(records: Mapping[str, Records]) -> list[tuple[str, str]]:
    """Which inputs are searched for near-copies of which."""
    across = [
        "SYNTH ANCHOR",
        "SYNTH HELDOUT",
        "ANCHOR HELDOUT",
        "RAW ANCHOR",
        "RAW HELDOUT",
        "RAW SYNTH",
        "SYNTH RAW",
    ]
    pairs = [(name, name) for name in INPUTS] + [(a, b) for a, b in map(str.split, across)]
    return [(a, b) for a, b in pairs if a in records and b in records]


def check(data: Prepared, rng: Generator) -> list[Outcome]:
    """The answers to all questions of :mod:`rbcore.audit.questions`."""
    return [ask(data, rng) for ask in questions.CHECKS]


def _content(one: Records) -> Any:
    return list(one.texts) if one.texts is not None else one.vectors


def _rng(seed: int, stage: str) -> Generator:
    """A generator of its own for each stage, so that a stage that is not run again changes no other."""
    return np.random.default_rng([seed, *stage.encode()])


def _support(data: Prepared, rng: Generator) -> tuple[Any, Any]:
    numbers, plane = measures.support(data, rng)
    return plain(numbers), plane


def _information(data: Prepared, rng: Generator, options: Options) -> list[Any]:
    asked = {name: list(one.prompts) for name, one in data.records.items() if one.prompts is not None}
    prompts = {name: audit_embed.embed({name: texts}, rng)[name] for name, texts in asked.items()}
    return measures.information_gain(data) + measures.dependence(data, prompts, rng, options.seed)


def _map(data: Prepared, named: Mapping[str, list[int]], rng: Generator) -> dict[str, Any]:
    """The first two directions of all points, at most :data:`DRAWN` of each input."""
    from sklearn.decomposition import PCA

    flat = PCA(2 if data.points["ANCHOR"].shape[1] > 1 else 1).fit(data.points["ANCHOR"])
    points, marked = {}, {}
    for name, x in data.points.items():
        rows = np.sort(rng.permutation(len(x))[:DRAWN])
        z = flat.transform(x[rows])
        points[name] = np.column_stack([z, np.zeros((len(z), 2 - z.shape[1]))]).round(4).tolist()
        if name == "SYNTH":
            marked = {id: np.flatnonzero(np.isin(rows, hits)).tolist() for id, hits in named.items()}
    return {"axes": ["first direction", "second direction"], "points": points, "marked": marked}


def _finding(kept: Mapping[str, Any]) -> Finding:
    return Finding(**{**kept, "numbers": tuple(kept["numbers"]), "examples": tuple(map(tuple, kept["examples"]))})


def _about(one: Records) -> dict[str, Any]:
    labels = None if one.labels is None else sorted(set(one.labels))[:50]
    kind = "texts" if one.texts is not None else f"vectors of {one.vectors.shape[1]} numbers"
    return {
        "name": one.name, "source": one.source, "found": one.found, "used": len(one), "kind": kind,
        "labels": labels, "notes": list(one.notes),
    }  # fmt: skip


def _code() -> str:
    """What the stages' results depend on besides inputs and options: the modules of this package that they use."""
    import hashlib

    core = Path(__file__).parents[1]
    used = [p for room in ("audit", "estimate") for p in sorted((core / room).rglob("*.py"))]
    used += [core / "estimate" / "calibration.json"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in used if path.exists())).hexdigest()
