"""The words of an audit's report that no run changes: titles of chapters, captions, what numbers do not say."""

from __future__ import annotations

import functools
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CHAPTERS = {
    "01-generation-process": "The generation process is a Markov chain",
    "02-two-divergences": "Two divergences bound the error",
    "03-mutual-information": "Mutual information bounds what training can hide",
    "04-contraction": "Depth and contraction",
    "05-reverse-bottleneck": "The reverse bottleneck",
    "06-post-training-bound": "The post-training bound, end to end",
    "07-ggmi": "GGMI: two models compared by what they remember",
    "08-gaussian-mixtures": "Gaussian mixtures: one gap, estimated three ways",
    "09-language-models": "Post-training language models on synthetic data",
    "10-faithfulness-diversity-collapse": "Faithfulness, diversity, collapse",
    "11-audit": "An audit of your own data",
    "A-primer": "A primer in information theory",
    "B-calibration": "How far can an estimator be trusted?",
}
"""Titles of the book's chapters, by the file names of their notebooks; a test holds them against these."""

CAPTIONS = {
    "intervals": (
        "How large are the shares behind the findings, and how sure?",
        "Points with 95 % intervals. A filled point is the share in question, an open one what it is compared "
        "with. Shaded rows belong to flagged findings. A finding is flagged at a stricter level than these "
        "intervals have.",
    ),
    "map": (
        "Where do the records lie, and what do the findings name?",
        "Each panel shows one input over the anchors in grey, in the two directions in which the anchors vary "
        "most. Look for places with colour and no grey, or grey and no colour. Two directions of many: what "
        "overlaps here can still differ.",
    ),
    "plane": (
        "As faithful and as diverse as fresh records of the task?",
        "Lines are intervals. Open marks are references made from anchors; the fresh anchors show what is "
        "possible. Left of them records are off the task, below them a part of the task is missing.",
    ),
    "waterfall": (
        "What does each term of the bound charge, and for what?",
        "Each coloured bar begins where the one above it ends; an arrow says that it is a lower limit. The thick "
        "mark is the true step of the risk that it pays for, measured from the foot of the bar, with its "
        "interval. A charge much longer than its step is slack.",
    ),
    "students": (
        "Does a student learn more with the synthetic data?",
        "Held-out losses of small students, less that of one trained on the anchors alone, with 95 % intervals. "
        "An interval that crosses the line decides nothing. Small students rank data; they do not forecast yours.",
    ),
    "curve": (
        "How many anchors is a synthetic record worth?",
        "The loss of small students against the number of records, with 95 % bands. Go from a point of the upper "
        "curve straight left to the lower one: so many of those records would have done.",
    ),
}

NOTES = {
    "share": (
        "Shares of records",
        "Clopper-Pearson intervals. They take records as independent draws. Near-copies are found by their words "
        "or by distance: a paraphrase is none.",
    ),
    "tv-lower": (
        "Total variation, at least",
        "A classifier proposes an event on one half of the records, and its probabilities are counted on the "
        "other half. The truth can be far above the limit, and nothing computed from samples bounds it from "
        "above.",
    ),
    "kl-ratio": (
        "Kullback-Leibler divergence, at least",
        "From a classifier's density ratio. Where one law has records and the other has none, the truth is "
        "infinite.",
    ),
    "mmd": (
        "Squared MMD",
        "A distance between mean embeddings, in the kernel's own scale. Only its test and comparisons at the same "
        "kernel mean something.",
    ),
    "precision": (
        "Precision, recall, coverage",
        "Shares of records within nearest-neighbour balls. They are below 100 % for equal laws too and depend on "
        "the size: compare with the fresh anchors beside them.",
    ),
    "vendi": (
        "Vendi score",
        "An effective number of different records among as many as are named. It knows nothing of the task: noise "
        "scores high.",
    ),
    "distinct-": ("Distinct n-grams", "Variety of words at an equal number of tokens, right or wrong."),
    "nn-entropy": (
        "Nearest-neighbour entropy",
        "Differential entropy in a few main directions; it can be negative, and its zero means nothing.",
    ),
    "hsic": ("HSIC", "A test of dependence. Its size is in the kernel's scale and is no information."),
    "gaussian-mi": (
        "Information, Gaussian copula",
        "Right if the dependence is Gaussian; it does not see any other.",
    ),
    "ksg": ("Information, KSG", "Nearest neighbours; biased low when the information or the dimension is large."),
    "infonce": (
        "Information, InfoNCE",
        "A lower limit on average, and it cannot exceed the logarithm of the batch. A low value is no evidence of "
        "little information.",
    ),
    "mean": ("Means", "With Student's interval, over records taken as independent."),
    "mean-difference": ("Differences of means", "With Welch's interval, over records taken as independent."),
}
"""For estimators, by the beginning of their names: what they are called, and what their numbers do not say."""


def notes(names: set[str]) -> list[tuple[str, str]]:
    """The entries of :data:`NOTES` for the estimators that were used, in its order."""
    return [
        about
        for key, about in NOTES.items()
        if any(name == key or (key[-1] == "-" and name.startswith(key)) for name in names)
        or (key == "precision" and names & {"recall", "coverage"})
    ]


def chapter(name: str) -> str:
    """``chapter 10, Faithfulness, diversity, collapse``."""
    number, _, rest = name.partition("-")
    kind = f"chapter {int(number)}" if number.isdecimal() else f"appendix {number}"
    return f"{kind}, {CHAPTERS.get(name, rest.replace('-', ' '))}"


@functools.cache
def places(name: str) -> list[str]:
    """Where a chapter can be read, as paths from the repository: its notebook and its page, those that exist."""
    paths = [f"notebooks/{name}.md", f"book/_build/html/chapters/{name}.html"]
    known = re.fullmatch(r"[A-Za-z0-9-]{1,80}", name) and (ROOT / paths[0]).is_file()
    return [path for path in paths if (ROOT / path).is_file()] if known else []
