"""What the moving figures are told: the parameters of the running example, and results that the book recorded."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import touch_appendices
import touch_panels
from matplotlib.colors import to_hex

from rbcore import figures
from rbcore.book.ledger import Value
from rbcore.lm import pretrained, scaling, self_training
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


def practice(recorded: Recorded) -> dict[str, Any]:
    """Chapter 13: P(right) after each round behind each verifier, and the data of the first, over the worlds."""
    table, _ = self_training.read()
    table = table[table.world.isin(table.world.unique()[: int(recorded["st-worlds"].value)])]
    right = table.groupby(["arm", "round"]).right.mean().unstack()
    rounds = int(recorded["st-rounds"].value)
    arms = {}
    for arm in self_training.ERRORS:
        first = table[(table.arm == arm.name) & (table["round"] == 1)]
        row = right.loc[arm.name].iloc[: rounds + 1]
        arms[arm.name] = {"right": row.tolist(), "data": first.data.mean(), "before": first.before.tolist()}
    errors = [
        (one.verifier.false_accept, one.verifier.false_reject) for one in self_training.ERRORS if one.verifier
    ]
    accepts, rejects = (sorted(set(values)) for values in zip(*errors, strict=True))
    raw = right.loc["raw"].iloc[: rounds + 1].tolist()
    return {"arms": arms, "raw": raw, "rounds": rounds, "accepts": accepts, "rejects": rejects}


def rates(recorded: Recorded) -> dict[str, Any]:
    """Chapter 14: geometric means over languages for each source and width, and what a real sequence is worth."""
    table, n = scaling.read(), np.array(scaling.SIZES)
    every = {s: [scaling.curves(table, width, s) for width in scaling.WIDTHS] for s in scaling.SOURCES}
    found = {
        "median of three": {s: pd.concat(all_).groupby("language").median().mean() for s, all_ in every.items()}
    }
    for i, width in enumerate(scaling.WIDTHS):
        found[str(width)] = {source: widths[i].mean() for source, widths in every.items()}
    others = [source for source in scaling.SOURCES if source != "real"]
    curves = {width: {s: np.exp(c).tolist() for s, c in logs.items()} for width, logs in found.items()}
    worth = {
        width: {s: [finite(k) for k in scaling.exchange(n, logs["real"], logs[s])] for s in others}
        for width, logs in found.items()
    }
    return {"sizes": n.tolist(), "others": others, "widths": list(found), "curves": curves, "worth": worth}


CANDIDATES = {
    "chain": "difference of chains",
    "gain": "information gain",
    "useful": "useful gain",
    "ggmi": "GGMI, counting",
    "ggmi-losses": "GGMI, by losses",
    "sum": "sum of both divergences",
    "direct": "direct divergence",
    "log": "log divergence",
    "anchors": "log loss on anchors",
    "accepted": "share accepted",
}


def candidates(recorded: Recorded) -> dict[str, Any]:
    """Chapter 12: the recorded rank correlations of each candidate."""
    ranks = {
        key: {"all": recorded[f"pred-{key}"].value, "choice": recorded[f"pred-{key}-choice"].value}
        for key in CANDIDATES
    }
    return {"names": CANDIDATES, "ranks": ranks}


def web(recorded: Recorded) -> dict[str, Any]:
    """Chapter 15: mean gain and share of right answers, by prompt, temperature and anchors."""
    table = pretrained.table(pretrained.read())
    draws = table.groupby(["strict", "temperature", "anchors", "draw"])[["gain", "right"]].mean()
    means = draws.groupby(["strict", "temperature", "anchors"]).mean()
    heats, anchors = (0.5, 1.0, 1.5), sorted(int(k) for k in table.anchors.unique())
    told: dict[str, Any] = {"heats": heats, "anchors": anchors, "prompts": ["loose", "strict"]}
    for column in ("gain", "right"):
        told[column] = {
            name: {f"{t:g}": [float(means.loc[(strict, t, k), column]) for k in anchors] for t in heats}
            for name, strict in (("loose", False), ("strict", True))
        }
    return told


def gaps(recorded: Recorded) -> dict[str, Any]:
    """Chapter 9: the recorded gaps of three versions, and how they move."""
    versions = ("plain", "stopped", "smoothed")
    parts = {"gap": "gap", "zero": "zero", "j": "rise-j", "k": "rise-k", "l": "rise-l"}
    found = {v: {key: recorded[f"lm-{part}-{v}"].value for key, part in parts.items()} for v in versions}
    return {"versions": versions, "found": found}


def defects(recorded: Recorded) -> dict[str, Any]:
    """Chapter 11: in how many data sets each planted defect was found, at three strengths, and what it costs."""
    names = [name.removeprefix("audit-dose-") for name in recorded if name.startswith("audit-dose-")]
    found = {
        name: {
            "found": [recorded[f"audit-real-{name}-{level}"].value for level in range(3)],
            "strengths": recorded[f"audit-dose-{name}"].value,
            "harm": recorded[f"audit-harm-{name}"].value,
        }
        for name in names
    }
    return {"names": names, "defects": found}


def finite(number: float) -> float | None:
    """The number, or nothing if it is infinite."""
    return float(number) if np.isfinite(number) else None


DATA: dict[str, Callable[[Recorded], dict[str, Any]]] = {
    "01": plus(informed="informed-after"),
    "02": plus(readings="readings"),
    "03": lambda recorded: {},
    "04": depth,
    "05": world,
    "06": plus(readings="post-n", learning="post-learning", noise="post-noise"),
    "07": lambda recorded: {},
    "08": lambda recorded: json.loads(touch_panels.RECORD.read_text(encoding="utf8")),
    "09": gaps,
    "10": lambda recorded: {
        "n": recorded["collapse-size"].value,
        "fresh": 2,
        "fits": recorded["collapse-fits"].value,
    },
    "11": defects,
    "12": candidates,
    "13": practice,
    "14": rates,
    "15": web,
    "16": lambda recorded: {"first": recorded["loops-pull-first"].value, "away": 0.8, "keep": 0.8, "accepted": 20},
    "17": lambda recorded: {"target": 0.01},
}
DATA |= touch_appendices.DATA
