"""What the data and their log-probabilities tell about the generator: whom it saw, and what it cannot reach."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy import stats
from scipy.optimize import brentq
from scipy.spatial import KDTree

from rbcore.audit.prepared import Prepared, some
from rbcore.audit.questions.verdict import (
    LEVEL,
    POWER,
    Answer,
    Outcome,
    compare,
    decided,
    examples,
    outcome,
    percent,
    share_number,
    unchecked,
)
from rbcore.audit.result import Number
from rbcore.audit.segment import spaced
from rbcore.estimate.base import Estimate
from rbcore.estimate.ngram import Ngram

MOST = 5000  # real records that are ranked, of each kind
MARGIN, MATTERS = 0.02, 0.15  # of the area under the curve beyond one half
RARE = 100  # an anchor is out of reach when the generator gives it less than one RAREth of what its answers get
REACH, LOST = 0.03, 0.15  # a share out of reach beyond the usual one: worth a word, and found by a clear answer


def membership(data: Prepared, rng: Generator) -> Outcome:
    """Do the synthetic data give away which real records were anchors?

    Anchors and held-out records are ranked by how close the synthetic records are: by the loss of a model of the
    synthetic texts, or the distance to the nearest synthetic vector.  If the generator never saw which were which,
    the ranks are exchangeable.  The area under the curve is the probability that an anchor ranks before a held-out
    record (Mann and Whitney's U over the number of pairs).
    """
    if "HELDOUT" not in data.records:
        return unchecked("membership", "There is no HELDOUT: real records that the generator cannot have seen.")
    rows = {name: some(np.flatnonzero(_single(data, name)), MOST, rng) for name in ("ANCHOR", "HELDOUT")}
    if min(map(len, rows.values())) < 20:
        return unchecked("membership", "It takes 20 anchors and 20 held-out records that copy no other.")
    members, others = (-_far(data, name, chosen) for name, chosen in rows.items())
    n, m = len(members), len(others)
    test = stats.mannwhitneyu(members, others, alternative="greater")
    area, p = float(test.statistic) / (n * m), float(test.pvalue)
    deviation = np.sqrt((n + m + 1) / (12 * n * m))  # under exchangeability
    detects = float(max(MARGIN, (stats.norm.isf(1 - LEVEL) + stats.norm.isf(1 - POWER)) * deviation))
    low, high = _area_limits(area, n, m)
    numbers = [Number("membership", "probability that an anchor ranks before a held-out record", Estimate(
        "area", area, (low, high), min(n, m), unit="share", p_value=p))]  # fmt: skip
    sentence = (
        f"Ranked by how close the synthetic records are, an anchor stands before a held-out record in "
        f"{percent(area)} of the pairs [{100 * low:.1f}, {100 * high:.1f}]; half of them if nothing leaks."
    )
    seen = area - 0.5
    answer = Answer(decided(p < 1 - LEVEL and seen > MARGIN, seen, detects, MATTERS), p, detects)
    given_away = rows["ANCHOR"][np.argsort(-members)]
    return outcome("membership", answer, sentence, numbers, examples(data, "ANCHOR", given_away))


def _single(data: Prepared, name: str) -> np.ndarray:
    """One record of each family, none that is an anchor and held out."""
    both = data.copied("ANCHOR", "HELDOUT") if name == "ANCHOR" else data.origin("HELDOUT", "ANCHOR")
    return ~data.repeated(name) & ~both


def _far(data: Prepared, name: str, rows: np.ndarray) -> np.ndarray:
    """How far records are from the synthetic ones: nats per token, or a distance."""
    texts, made = data.records[name].texts, data.records["SYNTH"].texts
    if texts is None or made is None:
        return KDTree(data.points["SYNTH"]).query(data.points[name][rows], k=[1])[0][:, 0]
    model = Ngram.fit([spaced(one) for one in made])
    return model.losses_per_token([spaced(texts[i]) for i in rows])


def _area_limits(area: float, n: int, m: int) -> tuple[float, float]:
    """The 95 % interval of an area under the curve: all that are within 1.96 of their own standard errors.

    The variance is Hanley and McNeil's (1982), with both sizes replaced by their mean (Newcombe, 2006, method 5).
    """
    z2, mean = stats.norm.ppf(0.975) ** 2, (n + m) / 2 - 1

    def beyond(true: float) -> float:
        spread = true * (1 - true) * (1 + mean * ((1 - true) / (2 - true) + true / (1 + true))) / (n * m)
        return (area - true) ** 2 - z2 * spread

    inside = min(max(area, 1e-9), 1 - 1e-9)  # there the spread is no zero
    low = brentq(beyond, 0.0, inside) if area > 0 else 0.0
    high = brentq(beyond, inside, 1.0) if area < 1 else 1.0
    return float(low), float(high)


def coverage(data: Prepared, rng: Generator) -> Outcome:
    """Are anchors out of the generator's reach?

    By the log-probabilities that it gives to its own answers and to anchors.  A perfect generator gives its
    answers `exp(-H)` in the geometric mean, with `H` their entropy, and anchors as much; the profile is the share
    of anchors below `exp(-H) / N`, in the place of the coverage profile of Chen et al. (2025), which takes the law
    of the task.
    """
    name = "RAW" if "RAW" in data.records and data.records["RAW"].logprobs is not None else "SYNTH"
    own, real = data.records[name].logprobs, data.records["ANCHOR"].logprobs
    if own is None or real is None:
        return unchecked("coverage", "It takes log-probabilities of anchors and of answers (LOGPROB).")
    usual = float(np.mean(own))
    out, stray = real < usual - np.log(RARE), own < usual - np.log(RARE)
    what = "of what answers are given"
    numbers = [
        share_number(f"reach-{n}", f"anchors given less than 1/{n:,} {what}", real < usual - np.log(n))
        for n in (1, 10, RARE, RARE**2)
    ]
    numbers.append(share_number("reach-usual", f"answers given less than 1/{RARE} {what}", stray))
    sentence = (
        f"The generator gives {percent(out)} of the anchors less than a {RARE}th of what it gives its answers in "
        f"the mean; so it does to {percent(stray)} of its own answers."
    )
    answer = compare(out, stray, REACH, LOST)
    rarest = examples(data, "ANCHOR", np.argsort(real)[: int(out.sum())])
    return outcome("coverage", answer, sentence, numbers, rarest)
