"""Small students of the user's own data, and what they lose on held-out records.

A student is post-trained in seconds, so that an audit can compare training sets by what they are for:

* ``"texts"``: the n-gram model of :mod:`rbcore.estimate.ngram`; with labels it is joint in label and text;
* ``"labels"``: multinomial logistic regression of the label on the vector.  The law it predicts is mixed with a
  share :data:`UNIFORM` of the uniform law on all labels of the comparison, so that a label that the training set
  lacks costs a finite loss, ``-ln(UNIFORM / labels)`` at most;
* ``"vectors"``: a Gaussian with the mean and the Ledoit-Wolf covariance of the training set.

Losses are in nats per record.  All students of one kind give probabilities (densities) to the same events, so
their losses can be compared whatever they were trained on.  Every interval is for *these* students, given their
training sets, over the choice of the records that they are scored on; :func:`curve` says what it adds.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from rbcore import checks
from rbcore.estimate.base import Estimate
from rbcore.estimate.ngram import Ngram

Kind = Literal["texts", "labels", "vectors"]
R = TypeVar("R", bound=Sequence[str] | np.ndarray)
NAME = "student-loss"
LEVEL = 0.95
RATIOS = (0.25, 0.5, 0.75)
UNIFORM = 0.01  # share of the uniform law in what a classifier predicts
PENALTY = 1.0  # scikit-learn's C: inverse strength of the ridge penalty, on standardized vectors
LEAST_VARIANCE = 1e-6  # of a standardized direction, so that a constant column leaves a density


class Data(NamedTuple, Generic[R]):
    """Records of one origin: texts, or vectors of shape (n, d); and a label for each, or None."""

    records: R
    labels: Sequence[Hashable] | None = None

    @property
    def size(self) -> int:
        """The number of records."""
        return len(self.records)

    @property
    def names(self) -> list[str]:
        """The labels as strings; none where there are none."""
        return [] if self.labels is None else [str(label) for label in self.labels]

    def take(self, index: np.ndarray) -> Data:
        """The records at the positions `index`."""
        arrays = isinstance(self.records, np.ndarray)
        records = self.records[index] if arrays else [self.records[i] for i in index]
        return Data(records, None if self.labels is None else [self.labels[i] for i in index])

    def join(self, other: Data) -> Data:
        """These records, then the other ones."""
        arrays, labels = isinstance(self.records, np.ndarray), None
        both = self.records, other.records
        if self.labels is not None and other.labels is not None:
            labels = [*self.labels, *other.labels]
        return Data(np.concatenate(both) if arrays else [*both[0], *both[1]], labels)


class TextStudent:
    """The n-gram model.  Its bounded loss is the share of tokens that were not the most likely ones."""

    def __init__(self, data: Data[Sequence[str]], weights: np.ndarray, order: int = 3):
        self.model = Ngram.fit(data.records, order, weights, data.labels)

    def losses(self, data: Data[Sequence[str]]) -> np.ndarray:
        """-ln P(text), or -ln P(label, text)."""
        return self.model.losses(data.records, data.labels)

    def errors(self, data: Data[Sequence[str]]) -> np.ndarray:
        """Share of the tokens, ends included, that were not the most likely ones."""
        return self.model.errors(data.records, data.labels)


class LabelStudent:
    """Multinomial logistic regression.  Its bounded loss is 1 where the label is not the most likely one."""

    def __init__(self, data: Data[np.ndarray], weights: np.ndarray, labels: Sequence[str]):
        names = np.array(data.names)
        used = weights > 0
        self.number = {name: i for i, name in enumerate(labels)}
        self.seen = np.array([self.number[name] for name in np.unique(names[used])])
        self.scaler = StandardScaler().fit(data.records[used], sample_weight=weights[used])
        self.model = None
        if len(self.seen) > 1:
            self.model = LogisticRegression(C=PENALTY, max_iter=1000)
            self.model.fit(self.scaler.transform(data.records[used]), names[used], sample_weight=weights[used])

    def probs(self, vectors: np.ndarray) -> np.ndarray:
        """P(label | vector), shape (n, labels)."""
        probs = np.full((len(vectors), len(self.number)), UNIFORM / len(self.number))
        one = 1.0 if self.model is None else self.model.predict_proba(self.scaler.transform(vectors))
        probs[:, self.seen] += (1 - UNIFORM) * one
        return probs

    def _given(self, data: Data[np.ndarray]) -> np.ndarray:
        return np.array([self.number[name] for name in data.names])

    def losses(self, data: Data[np.ndarray]) -> np.ndarray:
        """-ln P(label | vector)."""
        return -np.log(self.probs(data.records)[np.arange(data.size), self._given(data)])

    def errors(self, data: Data[np.ndarray]) -> np.ndarray:
        """1 where the label is not the most likely one (of equally likely ones, the first)."""
        return (self.probs(data.records).argmax(axis=1) != self._given(data)).astype(float)


class VectorStudent:
    """A Gaussian.  Its bounded loss is ``1 - exp(-m^2 / 2d)`` at the Mahalanobis distance `m` from its mean."""

    def __init__(self, data: Data[np.ndarray], weights: np.ndarray):
        x, weights = data.records[weights > 0], weights[weights > 0]
        share = weights / weights.sum()
        self.mean = share @ x
        deviation = np.sqrt(share @ (x - self.mean) ** 2)
        self.scale = np.where(deviation > 1e-12 * np.maximum(1.0, np.abs(self.mean)), deviation, 1.0)
        # Rows times the root of their weight: the shrinkage sees the weighted estimate's own variance.
        rows = (x - self.mean) / self.scale * np.sqrt(share * len(x))[:, None]
        values, self.vectors = np.linalg.eigh(ledoit_wolf(rows, assume_centered=True)[0])
        self.values = np.maximum(values, LEAST_VARIANCE)

    def _squared(self, data: Data[np.ndarray]) -> np.ndarray:
        return (((data.records - self.mean) / self.scale @ self.vectors) ** 2 / self.values).sum(axis=1)

    def losses(self, data: Data[np.ndarray]) -> np.ndarray:
        """-ln of the density."""
        constant = len(self.mean) * np.log(2 * np.pi) + np.log(self.values).sum() + 2 * np.log(self.scale).sum()
        return 0.5 * (self._squared(data) + constant)

    def errors(self, data: Data[np.ndarray]) -> np.ndarray:
        """``1 - exp(-m^2 / 2d)``: 0 at the mean, near 1 far from it."""
        return -np.expm1(-self._squared(data) / (2 * len(self.mean)))


Student = TextStudent | LabelStudent | VectorStudent
"""Each has `losses`, nats for each record of shape (n,), and `errors`, a loss in [0, 1] for each."""


def train(
    kind: Kind, data: Data, weights: ArrayLike | None = None, labels: Sequence[str] | None = None
) -> Student:
    """The student of `data`, each record with its weight (one by default).

    `labels` are all labels that may be met (``"labels"`` only; those of `data` by default), as strings.

    Raises:
        ValueError: for another kind, too few records, weights that do not fit, or data of another kind.
    """
    data = _checked(kind, data)
    weight = np.ones(data.size) if weights is None else np.asarray(weights, dtype=float)
    if weight.shape != (data.size,) or not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise ValueError("weights: one finite number for each record, none negative, not all zero")
    if kind == "texts":
        return TextStudent(data, weight)
    if kind == "vectors":
        return VectorStudent(data, weight)
    return LabelStudent(data, weight, all_labels(data) if labels is None else list(labels))


def all_labels(*data: Data) -> list[str]:
    """The labels of all data, as sorted strings."""
    return sorted({name for one in data for name in one.names})


def _checked(kind: Kind, data: Data) -> Data:
    """The data, vectors as float64.

    Raises:
        ValueError: when the data are not of that kind.
    """
    data = data if isinstance(data, Data) else Data(data)
    if kind not in ("texts", "labels", "vectors"):
        raise ValueError(f"kind: 'texts', 'labels' or 'vectors', got {kind!r}")
    if data.size < 2:
        raise ValueError(f"a student needs at least two records, got {data.size}")
    if kind == "labels" and data.labels is None:
        raise ValueError("kind 'labels' needs a label for each vector")
    if data.labels is not None and len(data.labels) != data.size:
        raise ValueError(f"records and labels belong together, got {data.size} and {len(data.labels)}")
    if kind == "texts":
        return data
    vectors = np.asarray(data.records, dtype=float)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(f"vectors: a finite array of shape (n, d) is needed, got shape {vectors.shape}")
    return Data(vectors, data.labels)


class Arm(NamedTuple):
    """A student of one mixture: the share of synthetic data, and its losses on the held-out records, in nats."""

    name: str
    ratio: float
    losses: np.ndarray

    def risk(self, level: float = LEVEL) -> Estimate:
        """The mean loss with its t-interval over the held-out records."""
        return _mean(self.losses, level)


def arms(kind: Kind, anchor: Data, synth: Data, heldout: Data, ratios: Sequence[float] = RATIOS) -> list[Arm]:
    """Students of the anchors alone, of mixtures, and of the synthetic data alone, scored on the held-out records.

    A mixture holds *all* anchors and *all* synthetic records.  Each record of one origin has the same weight,
    chosen so that the synthetic records have the share `ratio` of the total weight, and the mean weight is one.
    Nothing is drawn: the same data give the same losses.

    Raises:
        ValueError: for data that are not of that kind, or ratios that are not strictly between 0 and 1.
    """
    if any(not 0 < ratio < 1 for ratio in ratios):
        raise ValueError(f"ratios: shares of synthetic data strictly between 0 and 1, got {tuple(ratios)}")
    anchor, synth, heldout = (_checked(kind, one) for one in (anchor, synth, heldout))
    labels = all_labels(anchor, synth, heldout) if kind == "labels" else None
    m, n = anchor.size, synth.size
    both = anchor.join(synth)
    mixtures = [
        (f"{r:.0%} synthetic", float(r), np.repeat([(1 - r) * (m + n) / m, r * (m + n) / n], [m, n]))
        for r in sorted(ratios)
    ]
    trained = [
        ("anchors only", 0.0, train(kind, anchor, None, labels)),
        *((name, ratio, train(kind, both, weights, labels)) for name, ratio, weights in mixtures),
        ("synthetic only", 1.0, train(kind, synth, None, labels)),
    ]
    return [Arm(name, ratio, student.losses(heldout)) for name, ratio, student in trained]


def difference(arm: Arm, base: Arm, level: float = LEVEL) -> Estimate:
    """By how much the mean loss of `arm` exceeds that of `base`: paired t-interval over the held-out records.

    Raises:
        ValueError: when the arms were scored on other numbers of records, or on fewer than two.
    """
    if arm.losses.shape != base.losses.shape:
        raise ValueError(
            f"arms scored on the same records are needed, got {arm.losses.size} and {base.losses.size}"
        )
    return _mean(arm.losses - base.losses, level)


class Point(NamedTuple):
    """A point of a learning curve: the size of the training sets and the mean held-out loss in nats."""

    size: int
    risk: Estimate


def curve(
    kind: Kind,
    data: Data,
    heldout: Data,
    sizes: Sequence[int],
    rng: Generator,
    repeats: int = 3,
    level: float = LEVEL,
) -> list[Point]:
    """The learning curve of `data`: students of random subsets, scored on the held-out records.

    Each of the `repeats` orders the records at random; its subsets are nested.  The interval is for the expected
    loss over held-out records *and* over subsets of the data at hand, not over other data sets.  Its variance is
    that of the records' mean losses over their number, plus that of the subsets' mean losses over `repeats`,
    which is slightly too large (the interplay of the two counts twice); its degrees of freedom are
    Satterthwaite's.  With one repeat, and for the whole of the data, only the held-out records vary.

    Raises:
        ValueError: for data that are not of that kind, no repeat, or sizes that are not between 2 and the data's.
    """
    data, heldout = _checked(kind, data), _checked(kind, heldout)
    sizes = sorted({int(size) for size in sizes})
    if not sizes or sizes[0] < 2 or sizes[-1] > data.size or repeats < 1:
        raise ValueError(f"sizes from 2 to {data.size} and at least one repeat are needed, got {sizes}, {repeats}")
    labels = all_labels(data, heldout) if kind == "labels" else None
    losses: dict[int, list[np.ndarray]] = {size: [] for size in sizes}
    for _ in range(repeats):
        order = rng.permutation(data.size)
        for size in sizes:
            if size < data.size or not losses[size]:  # the whole of the data is one subset only
                student = train(kind, data.take(np.sort(order[:size])), None, labels)
                losses[size].append(student.losses(heldout))
    return [Point(size, _two_way(np.array(rows), level)) for size, rows in losses.items()]


def _two_way(losses: np.ndarray, level: float) -> Estimate:
    """The mean of losses (subsets, records), both chosen at random."""
    subsets, records = losses.shape
    if subsets == 1:
        return _mean(losses[0], level)
    variances = [losses.mean(axis=0).var(ddof=1) / records, losses.mean(axis=1).var(ddof=1) / subsets]
    return _summed(float(losses.mean()), variances, [records - 1, subsets - 1], records, level)


@dataclass(frozen=True)
class Step:
    """A bar of the waterfall: ``"level"`` bars are risks, ``"change"`` bars lead from one to the next."""

    name: str
    role: Literal["level", "change"]
    estimate: Estimate


def steps(
    kind: Kind,
    train_on: Data,
    fresh: Data,
    raw: Data | None,
    heldout: Data,
    bounded: bool = False,
    level: float = LEVEL,
) -> list[Step]:
    """From the training loss to the risk on the task, for the student of the synthetic records `train_on`.

    The levels ``"training"`` and ``"task"`` are R_train(SYNTH) and R(D).  The changes between them are
    ``"generalization"`` (to fresh synthetic records: R(D_gen) - R_train), ``"curation"`` (to raw records: R(D_M) -
    R(D_gen)) and ``"divergence"`` (to held-out records: R(D) - R(D_M)).  Without raw records ``"divergence"``
    leads from D_gen to D at once.  The values add up exactly.  Losses are in nats, or in [0, 1] if `bounded`.

    The training loss is a fact about the student and has no error; the other intervals are a t-interval
    (generalization, task) and Welch's (between two samples), each at `level` for itself, given the student.

    Raises:
        ValueError: for data that are not of that kind.
    """
    named = {"training": train_on, "fresh": fresh, "raw": raw, "heldout": heldout}
    parts = {name: _checked(kind, one) for name, one in named.items() if one is not None}
    labels = all_labels(*parts.values()) if kind == "labels" else None
    student = train(kind, parts["training"], None, labels)
    score = student.errors if bounded else student.losses
    losses = {name: score(one) for name, one in parts.items()}
    unit = "" if bounded else "nats"
    known = float(losses["training"].mean())
    start = Estimate(NAME, known, (known, known), losses["training"].size, unit=unit, level=level)
    bars = [
        Step("training", "level", start),
        Step("generalization", "change", _mean(losses["fresh"] - known, level, unit)),
    ]
    before = losses["fresh"]
    for name, change in (("raw", "curation"), ("heldout", "divergence")):
        if name in losses:
            bars.append(Step(change, "change", welch(losses[name], before, level, unit)))
            before = losses[name]
    return [*bars, Step("task", "level", _mean(losses["heldout"], level, unit))]


def welch(x: np.ndarray, y: np.ndarray, level: float = LEVEL, unit: str = "nats", name: str = NAME) -> Estimate:
    """mean(x) - mean(y) of two independent samples, with Welch's interval (Welch 1947)."""
    value, variances = float(x.mean() - y.mean()), [x.var(ddof=1) / x.size, y.var(ddof=1) / y.size]
    return _summed(value, variances, [x.size - 1, y.size - 1], min(x.size, y.size), level, unit, name)


def _mean(losses: np.ndarray, level: float, unit: str = "nats") -> Estimate:
    mean = checks.mean(losses, level)
    return Estimate(NAME, mean.value, mean.ci, losses.size, unit=unit, level=level)


def _summed(
    value: float,
    variances: Sequence[float],
    freedoms: Sequence[int],
    n: int,
    level: float,
    unit: str = "nats",
    name: str = NAME,
) -> Estimate:
    """A t-interval for a variance that is a sum, with Satterthwaite's degrees of freedom."""
    parts = np.array(variances)
    freedom = parts.sum() ** 2 / (parts**2 / freedoms).sum() if parts.any() else np.inf
    half = float(stats.t.ppf(0.5 + level / 2, freedom)) * float(np.sqrt(parts.sum()))
    return Estimate(name, value, (value - half, value + half), n, unit=unit, level=level)
