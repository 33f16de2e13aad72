"""rbcore: the thin core of *The Reverse Bottleneck*, in rooms of one purpose each.

:mod:`~rbcore.information` states and proves, :mod:`~rbcore.theory` computes the paper's quantities,
:mod:`~rbcore.gmm` and :mod:`~rbcore.lm` experiment, :mod:`~rbcore.estimate` estimates from samples,
:mod:`~rbcore.audit` reads your own data, and :mod:`~rbcore.book` keeps text and numbers in agreement.
"""

__version__ = "0.1.0"
