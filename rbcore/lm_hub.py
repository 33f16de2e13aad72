"""The same experiment with any causal language model and any data set: names or folders, nothing else to change.

    from rbcore.lm_hub import Experiment, compare, run

    table = run(Experiment(model="distilgpt2", dataset="ag_news"), seeds=[1, 2, 3], folder="runs/hub")
    compare(table, "anchors", "synthetic")

Models come from `transformers`' `from_pretrained`, data from `datasets`' `load_dataset`, students from its
`Trainer` (which needs `accelerate`).  Where no task distribution is known there is no KL: what remains is the
excess log loss, `E -log pi(text)` on held-out data.  KL(D || pi) is that minus `H(D)`, which is the same for
all students, so their differences are differences of KL, and they have intervals.

The generator continues a prompt of a few anchors, each after the separator; what it writes up to the next
separator is the answer.  Curation drops answers that are empty, too short, repeated, or copies of anchors, and
whatever else the caller's verifier rejects.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import stats
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
)

Verifier = Callable[[str], bool]


@dataclass(frozen=True)
class Experiment:
    """What to run.

    model: the student's start, a folder or a name on the hub; generator: what writes the synthetic data, the same
    when None.  dataset, subset, split, field: a folder (of `save_to_disk`) or a name, and where in it the texts
    are. anchors, held_out, synthetic: how many texts.  shown: anchors in a prompt.  separator: what ends a text.
    tokens: the longest text, answers included.  temperature: of the generator.  least: the shortest answer,
    tokens. steps, batch, rate: of the students.  share: of anchors in the mixture.  device: "cpu", or "cuda".
    """

    model: str
    dataset: str
    generator: str | None = None
    subset: str | None = None
    split: str = "train"
    field: str = "text"
    anchors: int = 32
    held_out: int = 256
    synthetic: int = 256
    shown: int = 3
    separator: str = "\n\n"
    tokens: int = 64
    least: int = 2
    temperature: float = 1.0
    steps: int = 100
    batch: int = 8
    rate: float = 5e-5
    share: float = 0.2
    device: str = "cpu"

    def __post_init__(self) -> None:
        if min(self.anchors, self.synthetic, self.shown, self.steps, self.batch) < 1 or self.held_out < 2:
            raise ValueError("at least one anchor, answer, step and anchor in a prompt, and two held-out texts")
        if self.shown > self.anchors:
            raise ValueError(f"a prompt of {self.shown} anchors from {self.anchors}")
        if not 0 <= self.share <= 1 or not self.temperature > 0:
            raise ValueError("share is a probability, and the temperature is positive")


class Texts(NamedTuple):
    """Texts of one seed."""

    anchors: list[str]
    held_out: list[str]


def texts(experiment: Experiment, seed: int) -> Texts:
    """Anchors and held-out texts, disjoint, in an order that the seed determines."""
    import datasets  # only here: the other chapters do without it

    if Path(experiment.dataset).exists():
        found = datasets.load_from_disk(experiment.dataset)
        found = found[experiment.split] if isinstance(found, datasets.DatasetDict) else found
    else:
        found = datasets.load_dataset(experiment.dataset, experiment.subset, split=experiment.split)
    if experiment.field not in found.column_names:
        raise ValueError(f"field: one of {found.column_names}, got {experiment.field!r}")
    wanted = experiment.anchors + experiment.held_out
    if len(found) < wanted:
        raise ValueError(f"{wanted} texts are wanted, the data set has {len(found)}")
    order = np.random.default_rng([seed, 0]).permutation(len(found))[:wanted]
    rows = [str(found[int(i)][experiment.field]).strip() for i in order]
    return Texts(rows[: experiment.anchors], rows[experiment.anchors :])


def synthesize(
    experiment: Experiment, anchors: Sequence[str], seed: int, verifier: Verifier | None = None
) -> tuple[list[str], float]:
    """`experiment.synthetic` curated answers, and the share of answers that passed.

    Raises:
        ValueError: when fewer than one answer in fifty passes.
    """
    tokenizer, model = load(experiment.generator or experiment.model, experiment.device)
    rng, kept, asked = np.random.default_rng([seed, 1]), [], 0
    known = set(anchors)
    while len(kept) < experiment.synthetic:
        if asked > 50 * (experiment.synthetic + experiment.batch):
            raise ValueError(f"{len(kept)} of {asked} answers passed: the curation lets too few pass")
        shown = [rng.choice(len(anchors), experiment.shown, replace=False) for _ in range(experiment.batch)]
        prompts = [experiment.separator.join([*(anchors[i] for i in row), ""]) for row in shown]
        for answer in _answers(experiment, tokenizer, model, prompts, int(rng.integers(2**31))):
            asked += 1
            enough = len(tokenizer(answer)["input_ids"]) >= experiment.least
            if enough and answer not in known and (verifier is None or verifier(answer)):
                known.add(answer)
                kept.append(answer)
    return kept[: experiment.synthetic], len(kept) / asked


def train_student(experiment: Experiment, rows: Sequence[str], seed: int) -> PreTrainedModel:
    """A student: the start, post-trained on `rows` by transformers' Trainer."""
    tokenizer, model = load(experiment.model, experiment.device)
    data = [_encode(experiment, tokenizer, row) for row in rows]

    def collate(batch: list[list[int]]) -> dict[str, torch.Tensor]:
        return dict(zip(("input_ids", "attention_mask", "labels"), _pad(batch, tokenizer), strict=True))

    with tempfile.TemporaryDirectory() as folder, _unseeded():
        how = TrainingArguments(
            output_dir=folder,
            max_steps=experiment.steps,
            per_device_train_batch_size=experiment.batch,
            learning_rate=experiment.rate,
            lr_scheduler_type="cosine",
            seed=seed,
            data_seed=seed,
            use_cpu=experiment.device == "cpu",
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        Trainer(model=model, args=how, train_dataset=data, data_collator=collate).train()
    return model.eval()


@torch.no_grad()
def log_losses(experiment: Experiment, model: PreTrainedModel, rows: Sequence[str]) -> np.ndarray:
    """`-log pi(text)` of each text, cut at `experiment.tokens`, its end included, shape (N,), nats."""
    tokenizer, found = _tokenizer(experiment.model), []
    for i in range(0, len(rows), experiment.batch):
        batch = [_encode(experiment, tokenizer, row) for row in rows[i : i + experiment.batch]]
        inputs, mask, labels = (part.to(model.device) for part in _pad(batch, tokenizer))
        logs = model(input_ids=inputs, attention_mask=mask).logits[:, :-1].float().log_softmax(-1)
        chosen = logs.gather(-1, labels[:, 1:, None].clamp(min=0))[..., 0]
        found.append(-(chosen * (labels[:, 1:] >= 0)).sum(1).cpu().numpy())
    return np.concatenate(found).astype(float)


def run(
    experiment: Experiment,
    seeds: Sequence[int],
    folder: str | Path | None = None,
    verifier: Verifier | None = None,
) -> pd.DataFrame:
    """One row for each seed, arm and held-out text, with its log loss in nats.

    Arms: "base" (no post-training), "anchors", "synthetic", and "mixture", with `experiment.share` of anchors.
    Columns: seed, arm, text (its number in the seed's held-out texts), loss, accepted (share of curated answers).
    A seed that is finished is kept in `folder`, in a file named for the experiment and the seed, and not run
    again. The name does not know the verifier: give each a folder of its own.
    """
    parts = []
    for seed in seeds:
        file = None
        if folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            key = pd.util.hash_array(np.array([repr(dataclasses.astuple(experiment))], dtype=object))[0]
            file = Path(folder) / f"{key:016x}-{seed}.parquet"
        if file is not None and file.exists():
            parts.append(pd.read_parquet(file))
            continue
        part = _one_seed(experiment, int(seed), verifier)
        if file is not None:
            part.to_parquet(file.with_suffix(".part"))
            file.with_suffix(".part").replace(file)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


class Comparison(NamedTuple):
    """The mean of `loss(first) - loss(second)` over held-out texts, in nats per text, with an interval."""

    value: float
    low: float
    high: float


def compare(table: pd.DataFrame, first: str, second: str, level: float = 0.95) -> Comparison:
    """The gap between two arms of :func:`run`: an estimate of KL(D || first) - KL(D || second).

    Texts are paired.  With two seeds or more the interval is Student's over the means of the seeds, since texts of
    one seed share a student; with one seed it is over texts, and speaks of that student alone.
    """
    wide = table.pivot_table(index=["seed", "text"], columns="arm", values="loss")
    difference = wide[first] - wide[second]
    means = difference.groupby(level="seed").mean()
    units = (means if len(means) > 1 else difference).to_numpy()
    half = stats.t.ppf((1 + level) / 2, len(units) - 1) * units.std(ddof=1) / np.sqrt(len(units))
    return Comparison(float(units.mean()), float(units.mean() - half), float(units.mean() + half))


def load(name: str, device: str = "cpu") -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Tokenizer and model of a folder or a name on the hub."""
    return _tokenizer(name), AutoModelForCausalLM.from_pretrained(name).to(device).eval()


@contextlib.contextmanager
def _unseeded() -> Iterator[None]:
    """Leave the global generators as they were: the Trainer seeds all of them."""
    plain, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(legacy)  # noqa: NPY002


def _one_seed(experiment: Experiment, seed: int, verifier: Verifier | None) -> pd.DataFrame:
    own = texts(experiment, seed)
    made, accepted = synthesize(experiment, own.anchors, seed, verifier)
    rng = np.random.default_rng([seed, 2])
    real = rng.random(experiment.synthetic) < experiment.share
    mixed = [own.anchors[rng.integers(len(own.anchors))] if r else row for r, row in zip(real, made, strict=True)]
    rows = []
    for arm, data in (("base", None), ("anchors", own.anchors), ("synthetic", made), ("mixture", mixed)):
        model = load(experiment.model, experiment.device)[1] if data is None else None
        model = train_student(experiment, data, seed) if model is None else model
        losses = log_losses(experiment, model, own.held_out)
        rows.append(
            pd.DataFrame(
                {"seed": seed, "arm": arm, "text": range(len(losses)), "loss": losses, "accepted": accepted}
            )
        )
    return pd.concat(rows, ignore_index=True)


def _tokenizer(name: str) -> PreTrainedTokenizerBase:
    tokenizer = AutoTokenizer.from_pretrained(name)
    if tokenizer.eos_token_id is None:
        raise ValueError(f"{name}: its tokenizer has no token that ends a text")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _encode(experiment: Experiment, tokenizer: PreTrainedTokenizerBase, row: str) -> list[int]:
    """The tokens of a text, between two of those that end a text, as GPT-2 has read its texts."""
    tokens = tokenizer(row, add_special_tokens=False)["input_ids"][: experiment.tokens]
    return [tokenizer.eos_token_id, *tokens, tokenizer.eos_token_id]


def _pad(batch: list[list[int]], tokenizer: PreTrainedTokenizerBase) -> tuple[torch.Tensor, ...]:
    """Tokens, attention mask and labels (-100 where padded), each (N, longest)."""
    longest = max(map(len, batch))
    inputs = torch.tensor([row + [tokenizer.pad_token_id] * (longest - len(row)) for row in batch])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in batch])
    return inputs, mask, inputs.masked_fill(mask == 0, -100)


@torch.no_grad()
def _answers(
    experiment: Experiment,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    prompts: Sequence[str],
    seed: int,
) -> list[str]:
    """What the generator writes after each prompt, up to the separator; the global generator is left as it was."""
    rows = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    limit = getattr(model.config, "max_position_embeddings", None)
    longest = max(map(len, rows))
    if limit is not None and longest + experiment.tokens > limit:
        raise ValueError(f"prompt and answer need {longest + experiment.tokens} tokens, the model reads {limit}")
    pad = tokenizer.pad_token_id
    inputs = torch.tensor([[pad] * (longest - len(row)) + row for row in rows], device=model.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=model.device)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        found = model.generate(
            input_ids=inputs,
            attention_mask=mask,
            do_sample=True,
            temperature=experiment.temperature,
            top_k=0,
            max_new_tokens=experiment.tokens,
            pad_token_id=pad,
            eos_token_id=tokenizer.eos_token_id,
        )
    written = tokenizer.batch_decode(found[:, longest:], skip_special_tokens=True)
    mark = experiment.separator.strip() or experiment.separator
    return [text.split(mark)[0].strip() for text in written]
