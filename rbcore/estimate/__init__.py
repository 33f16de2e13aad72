"""Estimators of information, divergence and diversity, each of which knows where it can be trusted.

    from rbcore import estimate
    found = estimate.ksg(x, y)
    found.value, found.ci, found.trusted, found.warning

Dependence of two samples whose rows belong together:

* :func:`gaussian_mi`: mutual information of the Gaussian copula with the same rank correlations.
* :func:`ksg`: mutual information by nearest neighbours.
* :func:`infonce`: a lower bound of mutual information by a trained critic.
* :func:`smile`: mutual information by a trained critic, no bound.
* :func:`hsic`: a kernel measure of dependence, with a permutation test.

Two samples of two laws:

* :func:`tv_lower`: a lower bound of total variation, by an event that a classifier finds.
* :func:`kl_ratio`: a lower estimate of Kullback-Leibler divergence, by a classifier's density ratio.
* :func:`mmd`: a kernel distance, with a permutation test.
* :func:`precision_recall_coverage`: how far the supports overlap.

One sample:

* :func:`vendi`: the effective number of different rows.
* :func:`distinct_n`: distinct n-grams over all n-grams, of texts.
* :func:`nn_entropy`: differential entropy by nearest neighbours.

Signatures and errors are those of the modules ``rbcore.estimate_*``, whose functions these are.  Every estimate
has been held against the calibration table (:mod:`rbcore.calibration_table`, appendix B of the book): where its
interval is known not to cover what it says at such a size, dimension and value, a warning says so.  The table was
made with the default settings of each estimator; for others it is a hint.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from numpy.typing import ArrayLike

from rbcore import estimate_divergence, estimate_diversity, estimate_information
from rbcore.calibration_table import consult
from rbcore.estimate_base import Estimate, share

if TYPE_CHECKING:
    import torch

__all__ = [
    "Estimate",
    "distinct_n",
    "gaussian_mi",
    "hsic",
    "infonce",
    "kl_ratio",
    "ksg",
    "mmd",
    "nn_entropy",
    "precision_recall_coverage",
    "share",
    "smile",
    "tv_lower",
    "vendi",
]


P, R = ParamSpec("P"), TypeVar("R")


def consulted(estimator: Callable[P, R]) -> Callable[P, R]:
    """The estimator, with its estimate (or each of the estimates that it returns) held against the table."""

    @functools.wraps(estimator)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        found = estimator(*args, **kwargs)
        if isinstance(found, Estimate):
            return consult(found)
        return type(found)(*map(consult, found))

    return call


def gaussian_mi(x: ArrayLike, y: ArrayLike, level: float = 0.95, copula: bool = True) -> Estimate:
    """As in :mod:`rbcore.estimate_information`; with and without normal scores it has rows of its own."""
    found = estimate_information.gaussian_mi(x, y, level, copula)
    return consult(found, name="gaussian-mi" if copula else "gaussian-mi-plain")


ksg = consulted(estimate_information.ksg)
hsic = consulted(estimate_information.hsic)
tv_lower = consulted(estimate_divergence.tv_lower)
kl_ratio = consulted(estimate_divergence.kl_ratio)
mmd = consulted(estimate_divergence.mmd)
precision_recall_coverage = consulted(estimate_divergence.precision_recall_coverage)
vendi = consulted(estimate_diversity.vendi)
distinct_n = consulted(estimate_diversity.distinct_n)
nn_entropy = consulted(estimate_diversity.nn_entropy)


def infonce(x: ArrayLike, y: ArrayLike, generator: torch.Generator, **options: Any) -> Estimate:
    """:func:`rbcore.estimate_neural.infonce`; torch is imported when it is first called."""
    from rbcore import estimate_neural

    return consult(estimate_neural.infonce(x, y, generator, **options))


def smile(x: ArrayLike, y: ArrayLike, generator: torch.Generator, **options: Any) -> Estimate:
    """:func:`rbcore.estimate_neural.smile`; torch is imported when it is first called."""
    from rbcore import estimate_neural

    return consult(estimate_neural.smile(x, y, generator, **options))
