"""The task: sums of two whole numbers, all alike, and the prompts that ask for them.

`D` draws two numbers from 0 to :data:`HIGHEST`, independently and uniformly, and writes ``a + b = c`` with the
right result.  A prompt is a list: its items are anchors, drawn from `D`, and the model writes the next item.  A
strict prompt begins with a sentence that names the task.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

HIGHEST = 19
SUMS = [f"{a} + {b} = {a + b}" for a in range(HIGHEST + 1) for b in range(HIGHEST + 1)]  # the support of D
STRICT = (
    f"Below is a list of sums of two whole numbers from 0 to {HIGHEST}, each of the form a + b = c, "
    "with the right result.\n"
)
ANCHORS = (0, 1, 2, 4)
TEMPERATURES = (0.5, 1.0, 1.5)
FINE = (0.3, 0.5, 0.75, 1.0, 1.25, 1.5)  # of the strictest prompt
NUMBER = r"(0|[1-9]\d*)"
LINE = re.compile(rf" {NUMBER} \+ {NUMBER} = {NUMBER}")


class Cell(NamedTuple):
    """One way to ask.  strict: the task is named in words.  anchors: how many items the list has already."""

    strict: bool
    anchors: int
    temperature: float


class Sum(NamedTuple):
    """What a line says: the numbers, and the result that it gives."""

    a: int
    b: int
    c: int

    @property
    def on_task(self) -> bool:
        """The question is one of the task's."""
        return max(self.a, self.b) <= HIGHEST

    @property
    def right(self) -> bool:
        """The result is right."""
        return self.a + self.b == self.c


def cells() -> list[Cell]:
    """All ways to ask that the record holds: those of a grid, and more temperatures for the strictest prompt."""
    grid = [Cell(s, k, t) for s in (False, True) for k in ANCHORS for t in TEMPERATURES]
    return grid + [Cell(True, max(ANCHORS), t) for t in FINE if t not in TEMPERATURES]


def draw(rng: Generator, draws: int) -> list[list[str]]:
    """For each draw as many anchors from `D` as the longest prompt shows; shorter ones show the first."""
    return [[SUMS[i] for i in rng.integers(len(SUMS), size=max(ANCHORS))] for _ in range(draws)]


def prompt(strict: bool, anchors: list[str]) -> str:
    """The text that the model goes on with: perhaps the sentence, the items, and the beginning of the next one."""
    return (STRICT if strict else "") + "".join(f"- {one}\n" for one in anchors) + "-"


def parse(text: str) -> Sum | None:
    """The sum that a line states, or None where it states none in the form of the task."""
    found = LINE.fullmatch(text)
    return None if found is None else Sum(*map(int, found.groups()))


def place(one: Sum) -> int:
    """The number of a right sum of the task in :data:`SUMS`.

    Raises:
        ValueError: for one that is wrong or beyond the task.
    """
    if not (one.right and one.on_task):
        raise ValueError(f"no right sum of the task: {one}")
    return one.a * (HIGHEST + 1) + one.b


def operands() -> np.ndarray:
    """The two numbers of each of :data:`SUMS`, shape (sums, 2)."""
    return np.indices((HIGHEST + 1, HIGHEST + 1)).reshape(2, -1).T
