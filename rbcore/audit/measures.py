"""Numbers of an audit that no single defect decides: distances, support, diversity, dependence.

Each comes from an estimator of :mod:`rbcore.estimate`, which consults the calibration table of appendix B: where
the table says that an estimate must not be used, the number carries the reason.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from sklearn.decomposition import PCA

from rbcore import checks, estimate
from rbcore.audit.prepared import Prepared
from rbcore.audit.result import Number
from rbcore.estimate.base import Estimate

MOST = 5000  # records of an input that an estimator sees, at most


def _some(x: np.ndarray, rng: Generator, most: int = MOST) -> np.ndarray:
    return x if len(x) <= most else x[np.sort(rng.choice(len(x), size=most, replace=False))]


def _points(data: Prepared, rng: Generator) -> dict[str, np.ndarray]:
    """Points that stand for draws: no near-copies, which would not be independent."""
    return {name: _some(x[data.own(name)], rng).astype(float) for name, x in data.points.items()}


def distances(data: Prepared, rng: Generator) -> list[Number]:
    """Divergences between the laws behind anchors, raw answers and synthetic data, near-copies left out."""
    points = _points(data, rng)
    raw = points.get("RAW")
    pairs = [("total", "TV between the task and the synthetic data", points["ANCHOR"], points["SYNTH"])]
    if raw is not None:
        pairs += [
            ("task", "task divergence, TV between the task and the raw answers", points["ANCHOR"], raw),
            (
                "generation",
                "generation divergence, TV between raw answers and synthetic data",
                raw,
                points["SYNTH"],
            ),
        ]
    found = []
    for tag, meaning, x, y in pairs:
        if min(len(x), len(y)) < 40:
            continue
        bound = estimate.tv_lower(x, y, rng)
        found.append(Number(f"tv-{tag}", f"{meaning}: at least", _first(bound)))
        if tag == "total":
            found.append(
                Number("kl-total", "KL of the task from the synthetic data", estimate.kl_ratio(x, y, rng))
            )
            found.append(
                Number("mmd-total", "squared MMD between task and synthetic data", estimate.mmd(x, y, rng))
            )
    return found


def _first(result: Any) -> Estimate:
    """The estimate in what an estimator returned."""
    return result if isinstance(result, Estimate) else result[0]


def support(data: Prepared, rng: Generator) -> tuple[list[Number], list[dict[str, Any]]]:
    """Precision, recall and coverage of the synthetic points, and the plane with its points of reference.

    Everything is compared with one half of the anchors, at equal numbers; the other half shows what fresh records
    of the task reach.
    """
    points = _points(data, rng)
    order = rng.permutation(len(points["ANCHOR"]))
    half = len(order) // 2
    real, fresh = points["ANCHOR"][order[:half]], points["ANCHOR"][order[half : 2 * half]]
    if half < 20:
        return [], []
    where = {
        "fresh anchors": ("reference", fresh),
        "copies of a tenth of the anchors": ("reference", real[rng.integers(max(1, half // 10), size=half)]),
        "anchors, coordinates shuffled": ("reference", np.column_stack([rng.permutation(c) for c in fresh.T])),
        "SYNTH": ("data", points["SYNTH"]),
    }
    if "RAW" in points:
        where["RAW"] = ("data", points["RAW"])
    plane, numbers = [], []
    for label, (kind, fake) in where.items():
        if len(fake) < 20:
            continue
        found = estimate.precision_recall_coverage(real, _some(fake, rng, half), rng=rng)
        ends = {k: [v.value, *v.ci] for k, v in (("faithfulness", found.precision), ("diversity", found.coverage))}
        plane.append({"label": label, "kind": kind, **ends})
        if label in ("SYNTH", "fresh anchors"):
            tag = "" if label == "SYNTH" else "-usual"
            who = "synthetic records" if label == "SYNTH" else "fresh anchors"
            numbers += [
                Number(
                    f"precision{tag}", f"precision of {who}: share within the anchors' support", found.precision
                ),
                Number(f"recall{tag}", f"recall of {who}: share of anchors within their support", found.recall),
                Number(f"coverage{tag}", f"coverage by {who}: share of anchors with one nearby", found.coverage),
            ]
    return numbers, plane


def diversity(data: Prepared, rng: Generator) -> list[Number]:
    """Vendi score, distinct n-grams, nearest-neighbour entropy, at equal numbers of records, with copies."""
    size = min(1000, *(len(x) for x in data.points.values()))
    found = []
    for name, x in data.points.items():
        who, tag = name.lower(), name.lower()
        score = estimate.vendi(_some(x, rng).astype(float), at=size, rng=rng)
        found.append(Number(f"vendi-{tag}", f"Vendi score of {size:,} {who} records", score))
    texts = {name: one.texts for name, one in data.records.items() if one.texts is not None}
    if texts:
        tokens = min(20_000, *(sum(len(t.split()) for t in one) // 2 for one in texts.values()))
        for name, one in texts.items():
            chosen = [one[i] for i in rng.permutation(len(one))[:MOST]]
            for n in (1, 2):
                ratio = estimate.distinct_n(chosen, n, at=tokens, rng=rng)
                meaning = f"distinct {n}-grams per {n}-gram in {tokens:,} tokens of {name.lower()}"
                found.append(Number(f"distinct-{n}-{name.lower()}", meaning, ratio))
    flat = PCA(min(3, *(x.shape[1] for x in data.points.values()))).fit(data.points["ANCHOR"])
    for name, x in data.points.items():
        z = flat.transform(_some(x, rng)).astype(float)
        meaning = f"nearest-neighbour entropy of {name.lower()} in {z.shape[1]} main directions"
        found.append(Number(f"entropy-{name.lower()}", meaning, estimate.nn_entropy(z)))
    return found


def dependence(data: Prepared, prompts: dict[str, np.ndarray], rng: Generator, seed: int) -> list[Number]:
    """How much an answer tells about its prompt, where prompts were given: a test, and three estimates in nats."""
    return [number for name in prompts for number in _dependence(data, name, prompts[name], rng, seed)]


def _dependence(data: Prepared, name: str, asked: np.ndarray, rng: Generator, seed: int) -> Iterator[Number]:
    rows = np.arange(len(asked)) if len(asked) <= MOST else np.sort(rng.choice(len(asked), MOST, replace=False))
    x, y = asked[rows].astype(float), data.points[name][rows].astype(float)
    tag, about = name.lower(), f"between prompt and {name.lower()} record"
    yield Number(f"hsic-{tag}", f"HSIC {about}", estimate.hsic(x, y, rng))
    flat_x, flat_y = (PCA(min(2, z.shape[1])).fit_transform(z) for z in (x, y))
    copula = estimate.gaussian_mi(flat_x, flat_y)
    yield Number(f"gaussian-{tag}", f"information {about}, Gaussian copula, 2 directions", copula)
    yield Number(f"ksg-{tag}", f"information {about}, KSG, 2 directions", estimate.ksg(flat_x, flat_y))
    import torch  # only here: an audit without prompts does without it

    found = estimate.infonce(x, y, torch.Generator().manual_seed(seed))
    yield Number(f"infonce-{tag}", f"information {about}, InfoNCE: at least", found)


def information_gain(data: Prepared) -> list[Number]:
    """The mean surprise of the generator at its own answers, nats: `H(X|p)` where prompts are `h(e_p)`.

    It estimates the information gain of one answer when the log-probabilities are those that the answer was
    sampled with, and each answer has its prompt to itself or is independent of the others given it.
    """
    name = "RAW" if "RAW" in data.records else "SYNTH"
    given = data.records[name].logprobs
    if given is None:
        return []
    mean = checks.mean(-given)
    found = Estimate("mean", mean.value, mean.ci, len(given), unit="nats")
    where = "raw answers" if name == "RAW" else "synthetic records"
    return [Number("information-gain", f"information gain per record, from log-probabilities of {where}", found)]


def plain(numbers: list[Number]) -> list[dict[str, Any]]:
    """Numbers as JSON can hold them."""
    return [dataclasses.asdict(one) for one in numbers]


def numbers_of(kept: list[dict[str, Any]]) -> list[Number]:
    """The numbers back from JSON."""
    return [
        Number(one["id"], one["meaning"], Estimate(**one["estimate"] | {"ci": tuple(one["estimate"]["ci"])}))
        for one in kept
    ]
