"""Gan and Liu's Gaussian-mixture simulation, at the size of the paper's figure in seconds.

    from rbcore.gmm import Setting, simulate, sweep, panels, summarize

    run = simulate(Setting(K=2, J=15), repeats=range(100), seed=1)  # worlds, data and fits
    table = panels(seed=1)  # the whole figure: 4,200 configurations, four estimates of the gap each
    summarize(table, ["panel", "K", "J", "L"], ["released", "shared", "forward", "reverse"])

One module per idea: :mod:`rbcore.gmm.world` (setting, truth, generator, data), :mod:`rbcore.gmm.em` (fits),
:mod:`rbcore.gmm.released` (histogram estimates), :mod:`rbcore.gmm.density` (estimates from densities, closed
forms), :mod:`rbcore.gmm.theory` (separated components, information) and :mod:`rbcore.gmm.sweeps`.
:mod:`rbcore.gmm.cells` takes the histogram estimates apart.
"""

from __future__ import annotations

from rbcore.gmm.density import (
    Divergences,
    Estimate,
    divergences,
    kl,
    kl_gaussians,
    kl_separated,
    label_entropy,
    log_density,
)
from rbcore.gmm.em import Fit, Mixtures, fit
from rbcore.gmm.released import Histograms, histogram_gap
from rbcore.gmm.sweeps import columns, evaluate, panels, summarize, sweep
from rbcore.gmm.theory import (
    anchor_kl,
    estimation_kl,
    estimation_kl_reverse,
    label_information,
    posterior_information,
    separated_gap,
    synthetic_kl,
)
from rbcore.gmm.world import Run, Setting, mixtures, simulate

__all__ = [
    "Divergences",
    "Estimate",
    "Fit",
    "Histograms",
    "Mixtures",
    "Run",
    "Setting",
    "anchor_kl",
    "columns",
    "divergences",
    "estimation_kl",
    "estimation_kl_reverse",
    "evaluate",
    "fit",
    "histogram_gap",
    "kl",
    "kl_gaussians",
    "kl_separated",
    "label_entropy",
    "label_information",
    "log_density",
    "mixtures",
    "panels",
    "posterior_information",
    "separated_gap",
    "simulate",
    "summarize",
    "sweep",
    "synthetic_kl",
]
