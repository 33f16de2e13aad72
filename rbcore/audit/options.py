"""The options of an audit, checked once: those of the command line, and of :func:`rbcore.audit.run`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from rbcore.audit.read.columns import ROLES, SIDES, Selection
from rbcore.audit.read.source import MIN, InputError

INPUTS = ("ANCHOR", "SYNTH", "RAW", "HELDOUT")
APART = ("text", "vector", "label", "prompt", "fields", "role", "side")
"""The options that may be given for each input apart: ``TEXT="ANCHOR:question SYNTH:output"``."""
_INPUT = re.compile(rf"(?:^|\s+)({'|'.join(INPUTS)}):")
DEFAULT = "tfidf"  # the embedding that needs no download


@dataclass(frozen=True)
class Options:
    """What is audited, and how; each field is an option of the command line, with its note as help.

    Each of :data:`APART` holds for all inputs, or for those that it names: ``"ANCHOR:question SYNTH:output"``.

    Raises:
        InputError: for a value that cannot be used.
    """

    anchor: Annotated[str, "real records of the task: a file, a folder of texts, or a hub data set"]
    synth: Annotated[str, "the synthetic records, as a student would be trained on them"]
    raw: Annotated[str | None, "the generator's answers before curation"] = None
    heldout: Annotated[str | None, "real records that neither generator nor student may have seen"] = None
    text: Annotated[str | None, "the field that holds the text (default: the only one that can)"] = None
    vector: Annotated[str | None, "the field that holds a list of numbers, in the place of a text"] = None
    label: Annotated[str | None, "the field that holds the label"] = None
    prompt: Annotated[str | None, "the field of RAW, or else SYNTH, that holds the prompt of each record"] = None
    logprob: Annotated[
        str | None, "the field with the log-probability, in nats, that the generator gave the record"
    ] = None
    losses: Annotated[
        str | None, "two fields of HELDOUT, joined by a comma: losses of the anchors' and the synthetic model"
    ] = None
    embed: Annotated[str, "tfidf, or the name or folder of a sentence-transformers model"] = "tfidf"
    split: Annotated[str, "the split of a hub data set"] = "train"
    subset: Annotated[str | None, "the subset (configuration) of a hub data set"] = None
    limit: Annotated[int, "records kept of each input, drawn uniformly"] = 200_000
    out: Annotated[str, "the folder of the report"] = "runs/audit"
    seed: Annotated[int, "of everything that is drawn"] = 0
    fields: Annotated[str | None, "fields joined to the text, such as instruction,output"] = None
    role: Annotated[str | None, f"what is kept of a conversation: {', '.join(ROLES)} (default: all)"] = None
    side: Annotated[str | None, f"of preference data: {' or '.join(SIDES)} (default: chosen)"] = None
    skip: Annotated[float | str, "the share of bad rows that may be skipped; 0 stops at the first one"] = 0.01

    def __post_init__(self) -> None:
        if self.seed < 0 or self.limit < MIN:
            raise InputError(f"SEED is not negative, LIMIT at least {MIN}: got {self.seed} and {self.limit}")
        both = (self.losses or "").split(",")
        if self.losses and (len(both) != 2 or not all(part.strip() for part in both)):
            raise InputError(f"LOSSES: two fields of HELDOUT joined by a comma, got {self.losses!r}")

        object.__setattr__(self, "skip", _share(self.skip))
        named = self.sources()
        for option in APART:
            for name in _apart(option, getattr(self, option)).keys() - {""}:
                if name not in named:
                    raise InputError(
                        f"{option.upper()} names {name}, which is not given: give it, or leave it out"
                    )
        for name in named:
            self.selection(name)

    def sources(self) -> dict[str, str]:
        """The inputs that were named."""
        named = {name: getattr(self, name.lower()) for name in INPUTS}
        return {name: source for name, source in named.items() if source}

    def selection(self, name: str) -> Selection:
        """What to read of the input `name`."""
        chosen = {option: _apart(option, getattr(self, option)) for option in APART}
        own = {option: values.get(name, values.get("")) for option, values in chosen.items()}
        generated = name == ("RAW" if self.raw else "SYNTH")
        first, _, second = (self.losses or "").partition(",")
        fields = tuple(one.strip() for one in (own["fields"] or "").split(",") if one.strip())
        role, side = ((own[one] or "").strip().lower() or None for one in ("role", "side"))
        for option, value, known in (("ROLE", role, ROLES), ("SIDE", side, SIDES)):
            if value not in (None, *known):
                raise InputError(f"{option}: {', '.join(known[:-1])} or {known[-1]}, got {value!r}")
        return Selection(
            text=own["text"],
            vector=own["vector"],
            label=own["label"],
            prompt=own["prompt"] if generated else chosen["prompt"].get(name),
            logprob=self.logprob if generated else None,
            losses=(first.strip(), second.strip()) if self.losses else None,
            limit=self.limit,
            seed=self.seed,
            split=self.split,
            subset=self.subset,
            fields=fields or None,
            role=role or "all",
            side=side,
            skip=float(self.skip),
        )


def _apart(option: str, given: str | None) -> dict[str, str]:
    """The values of an option by the inputs' names, that of all others under ``""``."""
    if not given:
        return {}
    marks = list(_INPUT.finditer(given))
    if not marks:
        return {"": given}
    values = {"": given[: marks[0].start()].strip()}
    ends = [*(one.start() for one in marks[1:]), len(given)]
    for mark, end in zip(marks, ends, strict=True):
        value = given[mark.end() : end].strip()
        if mark[1] in values or not value:
            problem = "twice" if mark[1] in values else "without a value"
            raise InputError(f"{option.upper()} names {mark[1]} {problem}: write for instance SYNTH:output")
        values[mark[1]] = value
    return {name: value for name, value in values.items() if value}


def _share(given: float | str) -> float:
    """A share as a number: 0.01, or 1%."""
    text = str(given).strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise InputError(f"SKIP: a share of the rows from 0 to 1, such as 0.01 or 1%, got {given!r}")
    return share
