"""What an answer of the audit is, and the tests behind it: flagged, clear, or undecided.

Every question compares the synthetic records with what fresh records of the task show.  It is *flagged* when a
difference is there at :data:`LEVEL`, and larger than the question's margin.  It is *clear* when a difference of
the size that matters would have been flagged in :data:`POWER` of such data sets, and not half of it is seen.
Everything else is *undecided*.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy import stats

from rbcore.audit.advice import finding
from rbcore.audit.prepared import Prepared
from rbcore.audit.result import Finding, Number, Verdict
from rbcore.audit.student import welch
from rbcore.estimate.base import Estimate, Sided, share

LEVEL = 0.999  # of each one-sided statement
HALF = 1 - (1 - LEVEL) / 2  # of each of two limits that make one statement
POWER = 0.9  # with which a clear answer would have found what matters
SHOWN = 5  # examples in a finding
TOO_FEW = "Too few records are left after the copies."


@dataclass(frozen=True)
class Named:
    """Synthetic records that an answer names.

    Attributes:
        hits: (n,) which ones.
        scores: (n,) of each record, larger is worse; None where all are alike.
        other, of: the input that a record resembles, and (n,) the index in it, -1 for none; or "" and None.
    """

    hits: np.ndarray
    scores: np.ndarray | None = None
    other: str = ""
    of: np.ndarray | None = None


@dataclass(frozen=True)
class Outcome:
    """A finding with its numbers, and which records of SYNTH it names, whether it is flagged or not."""

    finding: Finding
    numbers: Sequence[Number] = ()
    named: Named | None = None


class Answer(NamedTuple):
    """What a test says.

    p: of the hypothesis that nothing is wrong; valid, if conservative.  detects: the size that is flagged in
    :data:`POWER` of such data sets, NaN where none is.
    """

    verdict: Verdict
    p: float
    detects: float


def excess(size: float) -> str:
    """A size of :func:`compare` in words."""
    return f"an excess of {percent(size)}"


def difference(size: float) -> str:
    """A size of :func:`shares` in words."""
    return f"a share that differs by {percent(size)}"


def deviations(size: float) -> str:
    """A size of :func:`means` in words."""
    return f"a shift of {size:.2f} standard deviations"


def distance(size: float) -> str:
    """A size of :func:`laws` in words."""
    return f"a distance of {size:.2f} between the two distributions"


def outcome(
    id: str,
    answer: Answer,
    sentence: str,
    numbers: Sequence[Number] = (),
    examples: tuple[tuple[str, ...], ...] = (),
    named: Named | None = None,
    size: Callable[[float], str] = excess,
) -> Outcome:
    """The answer to the question `id`; `size` says in words how large a difference would have been found."""
    many = f"{POWER * 10:.0f} of 10 such data sets"
    known = np.isfinite(answer.detects)
    detects = f"{size(answer.detects)} would be flagged in {many}" if known else "no difference could be flagged"
    ids = [one.id for one in numbers]
    found = finding(id, answer.verdict, sentence, ids, examples, detects, float(answer.p))
    return Outcome(found, numbers, named)


def unchecked(id: str, sentence: str) -> Outcome:
    """A question that the inputs do not allow."""
    return Outcome(finding(id, "not checked", sentence))


def decided(flagged: bool, seen: float, detects: float, matters: float) -> Verdict:
    """The verdict for an effect `seen` and a size that would have been found; see the module."""
    if flagged:
        return "flagged"
    return "clear" if seen <= matters / 2 and detects <= matters else "undecided"


def compare(hits: np.ndarray, usual: np.ndarray, margin: float, matters: float) -> Answer:
    """Is the first probability larger?  Fisher's exact test, one-sided, at :data:`LEVEL`, and a margin.

    Records count as independent draws.  `matters`: an excess that a clear answer must have been able to find.
    """
    k, n, j, m = int(np.sum(hits)), len(hits), int(np.sum(usual)), len(usual)
    if not n or not m:
        return Answer("undecided", 1.0, np.nan)
    p, excess = fisher(k, n, j, m), k / n - j / m
    flagged = bool(p < 1 - LEVEL and excess > margin)
    detects = _found(n, j, m, margin)
    return Answer(decided(flagged, excess, detects, matters), p, detects)


def shares(task: np.ndarray, synth: np.ndarray, margin: float, matters: float) -> Answer:
    """Has one of several kinds another share?  Fisher's tests of each kind in both directions, and Bonferroni.

    Args:
        task, synth: the kind of each record.
    """
    names = np.union1d(task, synth)
    answers = []
    for name in names:
        one, other = synth == name, task == name
        answers += [compare(one, other, margin, matters), compare(other, one, margin, matters)]
    p = min(1.0, min(one.p for one in answers) * len(answers))
    seen = max(abs((synth == name).mean() - (task == name).mean()) for name in names)
    detects = float(np.nanmax([one.detects for one in answers] + [0.0])) or np.nan
    return Answer(decided(p < 1 - LEVEL and seen > margin, seen, detects, matters), p, detects)


def fisher(k: ArrayLike, n: int, j: ArrayLike, m: int) -> float:
    """P(at least k of the k + j hits fall among the n records), one-sided."""
    k, j = np.asarray(k), np.asarray(j)
    return np.minimum(1.0, stats.hypergeom.sf(k - 1, n + m, k + j, n))[()]


@functools.cache
def _found(n: int, j: int, m: int, margin: float) -> float:
    """The least excess over j of m that is flagged with :data:`POWER`, in steps of a two-hundredth."""
    excess = np.arange(1, 201) / 200
    excess = excess[excess + j / m <= 1]
    if not excess.size:
        return np.nan
    unlucky = stats.binom.ppf(1 - POWER, n, np.minimum(1.0, j / m + excess))
    found = (fisher(unlucky, n, j, m) < 1 - LEVEL) & (unlucky / n - j / m > margin)
    return smallest(excess, found)


def smallest(sizes: np.ndarray, found: np.ndarray) -> float:
    """The first of the sizes, in rising order, that was found; NaN where none was."""
    return float(sizes[int(np.argmax(found))]) if found.any() else np.nan


def means(x: np.ndarray, y: np.ndarray, margin: float, matters: float, two_sided: bool = False) -> Answer:
    """Is the mean of `x` larger than that of `y`, or another one?  Welch's test; sizes in deviations of `y`."""
    unit = max(float(y.std(ddof=1)), 1e-12)
    difference = welch(x, y, 0.95, "", "")
    deviation = float(np.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y)))
    seen = difference.value / unit
    if deviation == 0:
        return Answer("flagged" if abs(seen) > margin else "clear", float(seen == 0), margin)
    freedom = min(len(x), len(y)) - 1
    one = float(stats.t.sf(difference.value / deviation, freedom))
    p = min(1.0, 2 * min(one, 1 - one)) if two_sided else one
    seen = abs(seen) if two_sided else seen
    alpha = (1 - LEVEL) / (2 if two_sided else 1)
    detects = (stats.t.isf(alpha, freedom) + stats.norm.isf(1 - POWER)) * deviation / unit
    detects = float(max(detects, margin))
    return Answer(decided(p < 1 - LEVEL and seen > margin, seen, detects, matters), p, detects)


def laws(x: np.ndarray, y: np.ndarray, margin: float, matters: float) -> Answer:
    """Have two samples of numbers another law?  Kolmogorov and Smirnov's test; sizes are their distance."""
    found = stats.ks_2samp(x, y)
    deviation = np.sqrt(1 / len(x) + 1 / len(y))
    detects = float(stats.kstwobign.isf(1 - LEVEL) * deviation + stats.norm.isf(1 - POWER) * deviation / 2)
    detects = max(detects, margin) if detects < 1 else np.nan
    seen, p = float(found.statistic), float(found.pvalue)
    return Answer(decided(p < 1 - LEVEL and seen > margin, seen, detects, matters), p, detects)


def share_number(id: str, meaning: str, hits: np.ndarray) -> Number:
    """The share of true entries, with its Clopper-Pearson interval at 95 %."""
    count, total = int(np.sum(hits)), len(hits)
    return Number(id, meaning, Estimate("share", count / total, share(count, total), total, unit="share"))


def limit(hits: np.ndarray, side: Sided, level: float = HALF) -> float:
    """The Clopper-Pearson limit of a probability on one side, ``"lower"`` or ``"upper"``."""
    return share(int(hits.sum()), len(hits), level, side)[side == "upper"]


def limits(counts: ArrayLike, total: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper Clopper-Pearson limits of several shares, each one-sided at `level`."""
    counts = np.asarray(counts)
    low = stats.beta.ppf(1 - level, np.maximum(counts, 1), total - counts + 1)
    high = stats.beta.isf(1 - level, counts + 1, np.maximum(total - counts, 1))
    return np.where(counts > 0, low, 0.0), np.where(counts < total, high, 1.0)


def percent(x: np.ndarray | float) -> str:
    """A share, or the share of true entries: ``8.3 %``."""
    return f"{100 * np.mean(x):.1f} %"


def pairs(data: Prepared, named: Named, rng: Generator) -> tuple[tuple[str, ...], ...]:
    """Some synthetic records that are named, with the record that each resembles."""
    chosen = np.sort(rng.permutation(np.flatnonzero(named.hits))[:SHOWN])
    of = named.of if named.of is not None else np.full(len(named.hits), -1)
    return tuple((shown(data, "SYNTH", i), shown(data, named.other, of[i])) for i in chosen)


def examples(data: Prepared, name: str, order: np.ndarray) -> tuple[tuple[str, ...], ...]:
    """The first few of the records of `name`."""
    return tuple((shown(data, name, i),) for i in order[:SHOWN])


def shown(data: Prepared, name: str, i: int) -> str:
    """A record as text: vectors by their first numbers."""
    one = data.records[name].content[i]
    if isinstance(one, str):
        return one
    numbers = ", ".join(f"{x:.4g}" for x in one[:8])
    return f"record {i + 1}: [{numbers}{', ...' if len(one) > 8 else ''}]"
