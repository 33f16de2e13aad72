"""A verifier that may err: its verdicts, and what they do to the share of right answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator


@dataclass(frozen=True)
class Verifier:
    """It accepts a wrong answer with probability `false_accept` and rejects a right one with `false_reject`."""

    false_accept: float = 0.0
    false_reject: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.false_accept <= 1 and 0 <= self.false_reject <= 1):
            raise ValueError(f"false_accept and false_reject are probabilities, got {self}")

    def accepts(self, right: np.ndarray, rng: Generator) -> np.ndarray:
        """Its verdicts (N,) on answers that are right or not."""
        uniform = rng.random(len(right))
        return np.where(right, uniform >= self.false_reject, uniform < self.false_accept)

    def after(self, right: Any) -> Any:
        """The share of right answers among those that pass, if it is `right` before."""
        passed = right * (1 - self.false_reject)
        return passed / (passed + (1 - right) * self.false_accept)

    def share(self, right: Any) -> Any:
        """The share of answers that pass."""
        return right * (1 - self.false_reject) + (1 - right) * self.false_accept


PERFECT = Verifier()  # accepts what is right, and nothing else
