"""Ensembles of GPT-2 models: one architecture, many parameters, every computation for all models at once.

The models are genuine `transformers.GPT2LMHeadModel`s, made from a configuration, with nothing to download.  An
:class:`Ensemble` holds one module and the parameters of B models stacked in front, and `torch.vmap` runs the
module for each of them.  Attention is eager and there is no dropout, so the models of an ensemble are
independent of one another, and what happens to one does not depend on its companions.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.func import functional_call
from transformers import DynamicCache, GPT2Config, GPT2LMHeadModel

from rbcore.lm.language import Language, Parts, kl_parts, task_law

HEAD, EMBEDDING = "lm_head.weight", "transformer.wte.weight"  # one tensor with two names
Parameters = dict[str, Tensor]


class Size(NamedTuple):
    """The architecture: width, layers, attention heads, and the longest context in tokens.

    hidden: the width of the middle of an MLP in units of `width`; 4 in GPT-2 itself.
    """

    width: int = 48
    layers: int = 1
    heads: int = 4
    context: int = 10
    hidden: int = 2


@dataclass(frozen=True, eq=False)
class Ensemble:
    """B models of one architecture: the module, and its parameters stacked in front, (B, ...)."""

    module: GPT2LMHeadModel
    parameters: Parameters

    def __len__(self) -> int:
        return len(self.parameters[EMBEDDING])

    def __getitem__(self, which: int | slice | Sequence[int]) -> Ensemble:
        """The ensemble of some of the models."""
        which = [int(which)] if isinstance(which, int | np.integer) else which
        rows = which if isinstance(which, slice) else torch.as_tensor(which)
        return Ensemble(self.module, {name: value[rows] for name, value in self.parameters.items()})

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.parameters[EMBEDDING].device

    @property
    def size(self) -> int:
        """The number of parameters of one model."""
        return sum(value[0].numel() for value in self.parameters.values())

    def logits(self, tokens: Tensor, parameters: Parameters | None = None) -> Tensor:
        """The logits (B, N, T, vocabulary) of each model for tokens (B, N, T)."""
        return torch.vmap(self._one)(self.parameters if parameters is None else parameters, tokens)

    def _one(self, parameters: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        return functional_call(self.module, _tied(parameters), (tokens,), {"use_cache": False}).logits

    def unstacked(self) -> Iterator[Parameters]:
        """The parameters of one model after another, with the output layer, which shares the embedding."""
        for which in range(len(self)):
            yield _tied({name: value[which] for name, value in self.parameters.items()})

    def single(self) -> Ensemble:
        """The same models in single precision: half as long to evaluate, and right to some six digits."""
        return Ensemble(self.module, {name: value.float() for name, value in self.parameters.items()})

    def model(self, which: int) -> GPT2LMHeadModel:
        """One of the models as an ordinary transformers model, with parameters of its own."""
        model = _module(copy.deepcopy(self.module.config)).to(self.parameters[EMBEDDING].dtype)
        model.load_state_dict(
            _tied({name: value[which].detach().cpu() for name, value in self.parameters.items()})
        )
        return model.eval()


def create(
    vocabulary: int,
    size: Size,
    rngs: Sequence[Generator],
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float64,
) -> Ensemble:
    """Fresh models, one for each of `rngs`, with GPT-2's initialization at the scale `1 / sqrt(width)`.

    GPT-2's own scale of 0.02 fits a width of 768 and leaves narrow models on a plateau for long.  Double precision
    costs half as much again here, and lets every processor train the same models (:mod:`rbcore.lm.training`).
    """
    if not rngs:
        raise ValueError("rngs: one numpy generator for each model, at least one")
    if size.width % size.heads:
        raise ValueError(f"the width is a multiple of the number of heads, got {size.width} and {size.heads}")
    scale = 1 / math.sqrt(size.width)
    config = GPT2Config(
        vocab_size=vocabulary,
        n_positions=size.context,
        n_embd=size.width,
        n_layer=size.layers,
        n_head=size.heads,
        n_inner=size.hidden * size.width,
        activation_function="relu",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        initializer_range=scale,
        bos_token_id=vocabulary - 3,
        eos_token_id=vocabulary - 1,
        attn_implementation="eager",  # ty: ignore[unknown-argument]  # the base class takes it
    )
    module = _module(config)
    parameters = {}
    for name, value in module.named_parameters():
        if value.ndim == 1:
            start = torch.ones if ".ln_" in name and name.endswith("weight") else torch.zeros
            parameters[name] = start(len(rngs), *value.shape, dtype=dtype)
        else:
            std = scale / math.sqrt(2 * size.layers) if name.endswith("c_proj.weight") else scale
            parameters[name] = torch.as_tensor(
                np.stack([rng.normal(0, std, value.shape) for rng in rngs]), dtype=dtype
            )
    return Ensemble(module.to(device, dtype), {name: value.to(device) for name, value in parameters.items()})


def join(ensembles: Sequence[Ensemble]) -> Ensemble:
    """One ensemble of all their models, in order; they have one architecture."""
    names = ensembles[0].parameters
    if any(e.module.config.to_dict() != ensembles[0].module.config.to_dict() for e in ensembles):
        raise ValueError("ensembles to join have one architecture")
    return Ensemble(ensembles[0].module, {n: torch.cat([e.parameters[n] for e in ensembles]) for n in names})


@torch.no_grad()
def log_probs(
    models: Ensemble,
    tokens: np.ndarray,
    context: np.ndarray | None = None,
    temperature: float = 1.0,
    chunk: int = 512,
) -> np.ndarray:
    """The log-probability of every token given those before it, shape (B, N, T - 1), nats.

    Args:
        tokens: sequences (N, T), the same for all models.
        context: the tokens (c,) that stand before each of them; read once.
        temperature: of the sampling: probabilities are in proportion to their `1 / temperature`-th power.
        chunk: sequences in one pass; a processor likes few, an accelerator many.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is positive, got {temperature}")
    whole, found = torch.as_tensor(tokens, device=models.device), []
    for i, parameters in enumerate(models.unstacked()):
        cache = None if context is None or not len(context) else _read(models[i], parameters, context[None])[0]
        rows = []
        for part in whole.split(chunk):
            if cache is None:
                given = {"use_cache": False}
                logits = functional_call(models.module, parameters, (part[:, :-1],), given).logits
            else:
                read = copy.deepcopy(cache)
                read.batch_repeat_interleave(len(part))
                logits = _next(models.module, parameters, part[:, :-1], read)
            logits = logits / temperature
            rows.append((logits.gather(-1, part[:, 1:, None])[..., 0] - logits.logsumexp(-1)).cpu())
        found.append(torch.cat(rows))
    return torch.stack(found).numpy()


def kl(models: Ensemble, language: Language, skills: Sequence[int], chunk: int = 512) -> Parts:
    """The exact KL(D || model) of each model on the task with these skills, by enumeration; each part (B,),
    nats.
    """
    law, support = task_law(language, skills), language.support(skills)
    return kl_parts(language, law, log_probs(models, support, chunk=chunk))


class Sampled(NamedTuple):
    """Sequences (N, T) that a model wrote, and the entropy of its choices on the way (N, T - 1), nats.

    `entropy[i, t]` is the entropy of the law from which token t + 1 was drawn.  Given the context, the mean over
    draws of its sum over tokens is the entropy of the sequence, by the chain rule.
    """

    tokens: np.ndarray
    entropy: np.ndarray


@torch.no_grad()
def sample(
    model: Ensemble,
    contexts: np.ndarray,
    length: int,
    rng: Generator,
    temperature: float = 1.0,
    rows: np.ndarray | None = None,
) -> Sampled:
    """Let one model go on after `contexts` (C, c) for `length` tokens; only what it writes is returned.

    rows: which context each of the N draws has; without it, each has one draw.  A context is read only once.
    """
    if len(model) != 1:
        raise ValueError(f"sample takes one model at a time, got an ensemble of {len(model)}")
    if not temperature > 0:
        raise ValueError(f"temperature is positive, got {temperature}")
    (parameters,) = model.unstacked()
    rows = np.arange(len(contexts)) if rows is None else rows
    cache, logits = _read(model, parameters, contexts)
    where = torch.as_tensor(rows, device=model.device)
    cache.batch_select_indices(where)
    logits, tokens, entropy = logits[where], [], []
    for step in range(length):
        logs = torch.log_softmax(logits.double() / temperature, dim=-1)
        sums = logs.exp().cumsum(-1)
        entropy.append(-(logs.exp() * logs).sum(-1))
        uniform = torch.as_tensor(rng.random((len(logs), 1)), device=model.device)
        tokens.append(torch.searchsorted(sums, uniform * sums[:, -1:]).clamp(max=logs.shape[1] - 1)[:, 0])
        if step + 1 < length:
            logits = _next(model.module, parameters, tokens[-1][:, None], cache)[:, -1]
    return Sampled(torch.stack(tokens, 1).cpu().numpy(), torch.stack(entropy, 1).cpu().numpy())


@torch.no_grad()
def next_law(model: Ensemble, contexts: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """One model's law of the token that follows each of `contexts` (C, c), shape (C, vocabulary)."""
    (parameters,) = model.unstacked()
    _, logits = _read(model, parameters, contexts)
    return torch.softmax(logits.double() / temperature, dim=-1).cpu().numpy()


def _read(model: Ensemble, parameters: Parameters, contexts: np.ndarray) -> tuple[DynamicCache, Tensor]:
    """The cache after reading the contexts (C, c), and the logits of the next token (C, vocabulary)."""
    cache = DynamicCache(config=model.module.config)
    return cache, _next(model.module, parameters, torch.as_tensor(contexts, device=model.device), cache)[:, -1]


def _next(module: GPT2LMHeadModel, parameters: Parameters, tokens: Tensor, cache: DynamicCache) -> Tensor:
    """The logits at `tokens` (N, c), which enter the cache."""
    inputs = {"past_key_values": cache, "use_cache": True}
    return functional_call(module, parameters, (tokens,), inputs).logits


def _tied(parameters: Mapping[str, Tensor]) -> Parameters:
    """With the output layer, which shares the embedding."""
    return {**parameters, HEAD: parameters[EMBEDDING]}


def _module(config: GPT2Config) -> GPT2LMHeadModel:
    """A module to call with parameters; its own are random, and torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        return GPT2LMHeadModel(config).eval()
