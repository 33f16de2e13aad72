"""Models and data sets of the Hugging Face hub, or of folders like its own; what cannot be read is named.

Nothing here runs code that comes with a model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from rbcore.lm.hub.ranks import place


def load(name: str, device: str = "cpu") -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Tokenizer and model of a folder or a name on the hub, the model on this process's device.

    Raises:
        ValueError: when there is no causal language model there, or one that needs code of its own.
    """
    tokenizer, where = tokenizer_of(name), place(device)
    with _named(f"{name}: no causal language model can be read there"):
        model = AutoModelForCausalLM.from_pretrained(name, trust_remote_code=False).to(where).eval()
    model.loss_type = "ForCausalLM"  # transformers derives it from the class's name, and warns of those it misses
    return tokenizer, model


def data_set(name: str, subset: str | None, split: str) -> Any:
    """The split of a data set, a folder or a name on the hub: rows by number and column.

    Raises:
        ValueError: when there is no such data set, or it has no such split.
    """
    import datasets  # only here: the other chapters do without it

    folder, named = Path(name), f"{name}: no data set can be read there"
    if not any((folder / file).exists() for file in ("state.json", "dataset_dict.json")):
        with _named(named):
            return datasets.load_dataset(name, subset, split=split)
    with _named(named):
        found = datasets.load_from_disk(name)
    if isinstance(found, datasets.DatasetDict):
        if split not in found:
            raise ValueError(f"split: one of {list(found)}, got {split!r}")
        return found[split]
    return found


def check_fits(model: PreTrainedModel, tokens: int, what: str) -> None:
    """Raise ValueError when the model reads fewer tokens than `what` needs."""
    limit = getattr(model.config, "max_position_embeddings", None)
    if limit is not None and tokens > limit:
        raise ValueError(f"{what} need {tokens} tokens, the model reads {limit}")


def tokenizer_of(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or a name on the hub, with a token that ends a text and one that pads.

    Raises:
        ValueError: when there is none, or none that ends texts.
    """
    with _named(f"{name}: no tokenizer can be read there"):
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    if tokenizer is None or tokenizer.eos_token_id is None:
        raise ValueError(f"{name}: its tokenizer has no token that ends a text")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@contextlib.contextmanager
def _named(what: str) -> Generator[None]:
    """Say in one line what failed: the libraries raise whatever their readers do."""
    try:
        yield
    except Exception as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ValueError(f"{what} ({reason})") from error
