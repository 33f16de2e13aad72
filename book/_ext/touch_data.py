"""What the moving figures are told: the parameters of the running example, and results that the book recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.colors import to_hex

from rbcore import figures
from rbcore.book.ledger import Value
from rbcore.theory import contraction, process

Recorded = Mapping[str, Value]


def colors() -> dict[str, Any]:
    """The palette of the book's figures."""
    names = {"task": figures.TASK, "model": figures.MODEL, "curated": figures.CURATED, "bound": figures.BOUND}
    more = {"truth": figures.TRUTH, "grey": figures.GREY, "other": figures.PALETTE[4]}
    return {name: to_hex(color) for name, color in (names | more).items()}


def world(recorded: Recorded) -> dict[str, Any]:
    """The running example: its parameters, the law of the prompt, and its two tables."""
    example = process.World()
    tables = {
        "prompt": process.prompt_pmf(example),
        "closeness": np.cos(process.turn()),
        "loss": process.loss(),
        "task": np.asarray(example.task),
    }
    told = {key: value for key, value in dataclasses.asdict(example).items() if key != "prior"}
    return told | {"sectors": process.SECTORS} | {name: table.tolist() for name, table in tables.items()}


def plus(**named: str) -> Callable[[Recorded], dict[str, Any]]:
    """The running example and recorded values, each by a name of its own."""

    def told(recorded: Recorded) -> dict[str, Any]:
        return world(recorded) | {key: recorded[name].value for key, name in named.items()}

    return told


def depth(recorded: Recorded) -> dict[str, Any]:
    """Chapter 4: four readings, layers that forget at some rates, and the coefficients of these layers."""
    rates = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0)
    etas = {f"{rate:g}": contraction.eta_kl(contraction.forget(8, rate)) for rate in rates}
    return world(recorded) | {"readings": 4, "rate": 0.3, "etas": etas}


DATA: dict[str, Callable[[Recorded], dict[str, Any]]] = {
    "01": plus(informed="informed-after"),
    "02": plus(readings="readings"),
    "03": lambda recorded: {},
    "04": depth,
    "05": world,
    "06": plus(readings="post-n", learning="post-learning", noise="post-noise"),
    "07": lambda recorded: {},
}
