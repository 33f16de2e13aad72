"""The processes of one run, as `accelerate launch` starts them, or one process that is alone.

What must be the same in all of them is done by the first and sent to the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from tqdm import tqdm

T = TypeVar("T")
PATIENCE = timedelta(days=7)  # how long the others wait for the first one


def count() -> int:
    """How many processes share the work."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def leads() -> bool:
    """Whether this process is the first, or alone."""
    return int(os.environ.get("RANK", "0")) == 0


def place(device: str) -> torch.device:
    """Where this process computes: "cpu", or for "cuda" the GPU that is its own.

    Raises:
        ValueError: for "cuda" where there is none, or where the launcher gives this process none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: 'cuda' is wanted, and torch finds none here")
    if device == "cpu" and count() == 1:
        return torch.device("cpu")
    from accelerate import PartialState

    found = PartialState(cpu=device == "cpu", timeout=PATIENCE).device
    if found is None or found.type != device:
        raise ValueError(f"device: {device!r} is wanted, and accelerate was told to use {found and found.type!r}")
    return found


def first(work: Callable[[], T], device: str) -> T:
    """What `work` returns in the first process, in every process; what it raises there is raised in all."""
    if count() == 1:
        return work()
    place(device)  # the processes meet
    from accelerate.utils import broadcast_object_list

    sent: list[Any] = [None, None]
    if leads():
        try:
            sent[0] = work()
        except Exception as error:
            broadcast_object_list([None, f"{error}"])
            raise
    broadcast_object_list(sent)
    if sent[1] is not None:
        raise ValueError(sent[1])
    return sent[0]


def quiet() -> bool:
    """Whether bars are unwanted here: TQDM_DISABLE is set, or another process shows them."""
    return not leads() or os.environ.get("TQDM_DISABLE", "") not in ("", "0")


@contextmanager
def bar(note: str, total: int, unit: str) -> Generator[tqdm]:
    """A bar that only a terminal sees, gone when it is full."""
    with tqdm(total=total, desc=note, unit=unit, leave=False, disable=True if quiet() else None) as shown:
        yield shown
