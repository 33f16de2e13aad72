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

Signatures and errors are those of the modules of this package, whose functions these are.  Every estimate
has been held against the calibration table (:mod:`rbcore.estimate.table`, appendix B of the book): where its
interval is known not to cover what it says at such a size, dimension and value, a warning says so.  The table was
made with the default settings of each estimator; for others it is a hint.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec

from numpy.typing import ArrayLike

from rbcore.estimate import divergence, diversity, information
from rbcore.estimate.base import Estimate, share
from rbcore.estimate.table import consult

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


P = ParamSpec("P")


def consulted(estimator: Callable[P, Estimate]) -> Callable[P, Estimate]:
    """The estimator, with its estimate held against the table."""

    @functools.wraps(estimator)
    def call(*args: P.args, **kwargs: P.kwargs) -> Estimate:
        return consult(estimator(*args, **kwargs))

    return call


def gaussian_mi(x: ArrayLike, y: ArrayLike, level: float = 0.95, copula: bool = True) -> Estimate:
    """As in :mod:`rbcore.estimate.information`; with and without normal scores it has rows of its own."""
    found = information.gaussian_mi(x, y, level, copula)
    return consult(found, name="gaussian-mi" if copula else "gaussian-mi-plain")


ksg = consulted(information.ksg)
hsic = consulted(information.hsic)
tv_lower = consulted(divergence.tv_lower)
kl_ratio = consulted(divergence.kl_ratio)
mmd = consulted(divergence.mmd)
vendi = consulted(diversity.vendi)
distinct_n = consulted(diversity.distinct_n)
nn_entropy = consulted(diversity.nn_entropy)


@functools.wraps(divergence.precision_recall_coverage)
def precision_recall_coverage(*args: Any, **options: Any) -> divergence.Overlap:
    """As in :mod:`rbcore.estimate.divergence`, with its three estimates held against the table."""
    return divergence.Overlap(*map(consult, divergence.precision_recall_coverage(*args, **options)))


def infonce(x: ArrayLike, y: ArrayLike, generator: torch.Generator, **options: Any) -> Estimate:
    """:func:`rbcore.estimate.neural.infonce`; torch is imported when it is first called."""
    from rbcore.estimate import neural

    return consult(neural.infonce(x, y, generator, **options))


def smile(x: ArrayLike, y: ArrayLike, generator: torch.Generator, **options: Any) -> Estimate:
    """:func:`rbcore.estimate.neural.smile`; torch is imported when it is first called."""
    from rbcore.estimate import neural

    return consult(neural.smile(x, y, generator, **options))
