"""Statements about entropies: how to write them, prove them, refute them, and try them on distributions.

    from rbcore.information import Joint, prove, theorem

    theorem("I(A;C) <= I(A;B)", ["I(A;C|B) = 0"])  # a certificate, each assumption dropped, random models

From the language (:mod:`~rbcore.information.expr`, with its symbols in :mod:`~rbcore.information.notation`) over
finite distributions (:mod:`~rbcore.information.finite`), the cone of Shannon's inequalities
(:mod:`~rbcore.information.shannon`), counterexamples (:mod:`~rbcore.information.refute`) and certificates
(:mod:`~rbcore.information.prover`) to theorems (:mod:`~rbcore.information.theorems`).
"""

from rbcore.information.expr import latex, parse
from rbcore.information.finite import Joint
from rbcore.information.prover import Certificate, prove
from rbcore.information.refute import Counterexample
from rbcore.information.theorems import theorem

__all__ = ["Certificate", "Counterexample", "Joint", "latex", "parse", "prove", "theorem"]
