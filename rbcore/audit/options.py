"""The options of an audit, checked once: those of the command line, and of :func:`rbcore.audit.run`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rbcore.audit.read.records import MIN, InputError, Selection

INPUTS = ("ANCHOR", "SYNTH", "RAW", "HELDOUT")
DEFAULT = "tfidf"  # the embedding that needs no download


@dataclass(frozen=True)
class Options:
    """What is audited, and how; each field is an option of the command line, with its note as help.

    Raises:
        InputError: for a seed, a limit, or losses that cannot be used.
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
    embed: Annotated[str, "tfidf, or the name or folder of a sentence-transformers model"] = DEFAULT
    split: Annotated[str, "the split of a hub data set"] = "train"
    subset: Annotated[str | None, "the subset (configuration) of a hub data set"] = None
    limit: Annotated[int, "records kept of each input, drawn uniformly"] = 200_000
    out: Annotated[str, "the folder of the report"] = "runs/audit"
    seed: Annotated[int, "of everything that is drawn"] = 0

    def __post_init__(self) -> None:
        if self.seed < 0 or self.limit < MIN:
            raise InputError(f"SEED is not negative, LIMIT at least {MIN}: got {self.seed} and {self.limit}")
        both = (self.losses or "").split(",")
        if self.losses and (len(both) != 2 or not all(part.strip() for part in both)):
            raise InputError(f"LOSSES: two fields of HELDOUT joined by a comma, got {self.losses!r}")

    def sources(self) -> dict[str, str]:
        """The inputs that were named."""
        named = {name: getattr(self, name.lower()) for name in INPUTS}
        return {name: source for name, source in named.items() if source}

    def selection(self, name: str) -> Selection:
        """What to read of the input `name`."""
        generated = name == ("RAW" if self.raw else "SYNTH")
        prompt, logprob = (self.prompt, self.logprob) if generated else (None, None)
        first, _, second = (self.losses or "").partition(",")
        losses = (first.strip(), second.strip()) if self.losses else None
        columns = self.text, self.vector, self.label, prompt, logprob, losses
        return Selection(*columns, self.limit, self.seed, self.split, self.subset)
