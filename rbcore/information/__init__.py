"""Statements about entropies: how to write them, prove them, refute them, and try them on distributions.

    from rbcore.information import Joint, prove, theorem

    theorem("I(A;C) <= I(A;B)", ["I(A;C|B) = 0"], rng, models=1000)
    # a certificate, each assumption dropped, random models, and whether it is sharp

From low to high: :mod:`~rbcore.information.notation`, linear :mod:`~rbcore.information.forms`,
:mod:`~rbcore.information.exact` arithmetic, the language (:mod:`~rbcore.information.expr`),
:mod:`~rbcore.information.finite` distributions, statements with assumptions
(:mod:`~rbcore.information.problem`), the linear program (:mod:`~rbcore.information.shannon`), random
:mod:`~rbcore.information.models`, counterexamples (:mod:`~rbcore.information.refute`), proofs as
:mod:`~rbcore.information.chains`, certificates (:mod:`~rbcore.information.prover`), bounds that follow
(:mod:`~rbcore.information.discover`), :mod:`~rbcore.information.falsify` and :mod:`~rbcore.information.theorems`.
Text is parsed by the first public function that takes it; from there on statements travel as objects.
"""

from rbcore.information.expr import latex, parse
from rbcore.information.finite import Joint
from rbcore.information.prover import Certificate, prove
from rbcore.information.refute import Counterexample
from rbcore.information.theorems import theorem

__all__ = ["Certificate", "Counterexample", "Joint", "latex", "parse", "prove", "theorem"]
