"""Numbers of an audit that no single defect decides: distances, support, diversity, dependence.

Each comes from an estimator of :mod:`rbcore.estimate`, which consults the calibration table of appendix B: where
the table says that an estimate must not be used, the number carries the reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from sklearn.decomposition import PCA

from rbcore import checks, estimate
from rbcore.audit.mauve import mauve
from rbcore.audit.prepared import Prepared, some
from rbcore.audit.result import Number
from rbcore.estimate.base import Estimate

MOST = 5000  # records of an input that an estimator sees, at most
LEAST = 21  # points of a sample whose support is compared, by five neighbours each
WORDY = 4  # texts of n words or more that a share of distinct n-grams takes
NEURAL = 100  # pairs that a neural estimator takes


def _points(data: Prepared, rng: Generator) -> dict[str, np.ndarray]:
    """Points that stand for draws: no near-copies, which would not be independent."""
    return {name: some(x[data.own(name)], MOST, rng).astype(float) for name, x in data.points.items()}


def distances(data: Prepared, rng: Generator) -> list[Number]:
    """Divergences between the laws behind anchors, raw answers and synthetic data, near-copies left out."""
    points = _points(data, rng)
    pairs = {
        "total": ("TV between the task and the synthetic data", "ANCHOR", "SYNTH"),
        "task": ("task divergence, TV between the task and the raw answers", "ANCHOR", "RAW"),
        "generation": ("generation divergence, TV between raw answers and synthetic data", "RAW", "SYNTH"),
    }
    numbers = []
    for tag, (meaning, *names) in pairs.items():
        if any(len(points.get(name, ())) < 40 for name in names):
            continue
        x, y = (points[name] for name in names)
        if tag != "total":  # that one is a question
            numbers.append(Number(f"tv-{tag}", f"{meaning}: at least", estimate.tv_lower(x, y, rng)))
        else:
            kl = estimate.kl_ratio(x, y, rng)
            numbers.append(Number("kl-total", "KL of the task from the synthetic data", kl))
            mmd = estimate.mmd(x, y, rng)
            numbers.append(Number("mmd-total", "squared MMD between task and synthetic data", mmd))
            numbers += _mauve(x, y, rng)
    return numbers


def _mauve(x: np.ndarray, y: np.ndarray, rng: Generator) -> list[Number]:
    """MAUVE of the two samples, and of two halves of the anchors, at equal numbers."""
    half = len(x) // 2
    first, second = np.array_split(some(x, 2 * half, rng)[rng.permutation(2 * half)], 2)
    most = min(half, len(y), MOST // 2)
    compared = {"mauve": ("task and synthetic data", y), "mauve-usual": ("two halves of the anchors", second)}
    about = f"by five clusterings of {most:,} records each, which are its range"
    return [
        Number(id, f"MAUVE of {who}, {about}", mauve(some(first, most, rng), some(one, most, rng), rng))
        for id, (who, one) in compared.items()
    ]


def support(data: Prepared, rng: Generator) -> tuple[list[Number], list[dict[str, Any]]]:
    """Precision, recall and coverage of the synthetic points, and the plane with its points of reference.

    Everything is compared with one half of the anchors, at equal numbers; the other half shows what fresh records
    of the task reach.
    """
    points = _points(data, rng)
    order = rng.permutation(len(points["ANCHOR"]))
    half = len(order) // 2
    real, fresh = points["ANCHOR"][order[:half]], points["ANCHOR"][order[half : 2 * half]]
    if half < LEAST:
        return [], []
    compared = {
        "fresh anchors": fresh,
        "copies of a tenth of the anchors": real[rng.integers(max(1, half // 10), size=half)],
        "anchors, coordinates shuffled": np.column_stack([rng.permutation(c) for c in fresh.T]),
    }
    compared |= {name: points[name] for name in ("SYNTH", "RAW") if name in points}
    plane, numbers = [], []
    for label, fake in compared.items():
        if len(fake) < LEAST:
            continue
        overlap = estimate.precision_recall_coverage(real, some(fake, half, rng), rng=rng)
        ends = {"faithfulness": overlap.precision, "diversity": overlap.coverage}
        kind = "data" if label in points else "reference"
        plane.append({"label": label, "kind": kind, **{k: [v.value, *v.ci] for k, v in ends.items()}})
        if label in ("SYNTH", "fresh anchors"):
            tag, who = ("", "synthetic records") if label == "SYNTH" else ("-usual", label)
            for name, value, meaning in (
                ("precision", overlap.precision, f"precision of {who}: share within the anchors' support"),
                ("recall", overlap.recall, f"recall of {who}: share of anchors within their support"),
                ("coverage", overlap.coverage, f"coverage by {who}: share of anchors with one nearby"),
            ):
                numbers.append(Number(f"{name}{tag}", meaning, value))
    return numbers, plane


def diversity(data: Prepared, rng: Generator) -> list[Number]:
    """Vendi score, distinct n-grams, nearest-neighbour entropy, at equal numbers of records, with copies."""
    size = min(1000, *(len(x) for x in data.points.values()))
    numbers = []
    for name, x in data.points.items():
        score = estimate.vendi(some(x, MOST, rng).astype(float), at=size, rng=rng)
        numbers.append(Number(f"vendi-{name.lower()}", f"Vendi score of {size:,} {name.lower()} records", score))
    texts = {name: one.texts for name, one in data.records.items() if one.texts is not None}
    if texts:
        tokens = min(20_000, *(sum(len(t.split()) for t in one) // 2 for one in texts.values()))
        for name, one in texts.items():
            chosen = [one[i] for i in rng.permutation(len(one))[:MOST]]
            long = [sum(len(text.split()) >= n for text in chosen) for n in (1, 2)]
            for n in (n for n, count in zip((1, 2), long, strict=True) if count >= WORDY):
                ratio = estimate.distinct_n(chosen, n, at=tokens, rng=rng)
                meaning = f"distinct {n}-grams per {n}-gram in {tokens:,} tokens of {name.lower()}"
                numbers.append(Number(f"distinct-{n}-{name.lower()}", meaning, ratio))
    flat = PCA(min(3, *(x.shape[1] for x in data.points.values()))).fit(data.points["ANCHOR"])
    for name, x in data.points.items():
        z = flat.transform(some(x, MOST, rng)).astype(float)
        meaning = f"nearest-neighbour entropy of {name.lower()} in {z.shape[1]} main directions"
        numbers.append(Number(f"entropy-{name.lower()}", meaning, estimate.nn_entropy(z)))
    return numbers


def dependence(data: Prepared, prompts: dict[str, np.ndarray], rng: Generator, seed: int) -> list[Number]:
    """How much an answer tells about its prompt, where prompts were given: a test, and three estimates in nats."""
    numbers = []
    for name, asked in prompts.items():
        import torch  # only here: an audit without prompts does without it

        rows = some(np.arange(len(asked)), MOST, rng)
        x, y = asked[rows].astype(float), data.points[name][rows].astype(float)
        tag, about = name.lower(), f"between prompt and {name.lower()} record"
        numbers.append(Number(f"hsic-{tag}", f"HSIC {about}", estimate.hsic(x, y, rng)))
        flat = [PCA(min(2, z.shape[1])).fit_transform(z) for z in (x, y)]
        found = [
            ("gaussian", estimate.gaussian_mi(*flat), "Gaussian copula, 2 directions"),
            ("ksg", estimate.ksg(*flat), "KSG, 2 directions"),
        ]
        if len(x) >= NEURAL:
            critic = estimate.infonce(x, y, torch.Generator().manual_seed(seed))
            found.append(("infonce", critic, "InfoNCE: at least"))
        for key, value, how in found:
            numbers.append(Number(f"{key}-{tag}", f"information {about}, {how}", value))
    return numbers


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
    gain = Estimate("mean", mean.value, mean.ci, len(given), unit="nats")
    where = "raw answers" if name == "RAW" else "synthetic records"
    return [Number("information-gain", f"information gain per record, from log-probabilities of {where}", gain)]
