"""The same experiment with any causal language model and any data set: names or folders, nothing else to change.

    from rbcore.lm.hub import Experiment, compare, run

    table = run(Experiment(model="distilgpt2", dataset="ag_news"), seeds=[1, 2, 3], folder="runs/hub")
    compare(table, "anchors", "synthetic")

The same from a shell, by one process or by several (:mod:`rbcore.lm.hub` has a command line):

    python -m rbcore.lm.hub --model distilgpt2 --dataset ag_news --seeds 1 2 3 --folder runs/hub
    accelerate launch --multi_gpu -m rbcore.lm.hub --model distilgpt2 --dataset ag_news --device cuda

Several processes share each step of training (data-parallel, by the Trainer).  All else, writing and evaluation
too, is done by the first, and the others get what it found.

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
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import stats
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from rbcore import grid
from rbcore.lm import training as lm_train
from rbcore.lm.hub import ranks as lm_ranks
from rbcore.lm.hub.read import check_fits, data_set, load, tokenizer_of

Verifier = Callable[[str], bool]
ARMS = ("base", "anchors", "synthetic", "mixture")


def _about(text: str, default: object = dataclasses.MISSING) -> Any:
    """A field that says what it is; the command line shows it."""
    return dataclasses.field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Experiment:
    """What to run: each field says what it is, and is an option of the command line."""

    model: str = _about("the student's start: a folder, or a name on the hub")
    dataset: str = _about("a folder (of save_to_disk, or of files that load_dataset reads), or a name on the hub")
    generator: str | None = _about("the model that writes the synthetic data; the student's start if none", None)
    subset: str | None = _about("the data set's configuration", None)
    split: str = _about("the part of the data set", "train")
    field: str = _about("the column that holds the texts", "text")
    anchors: int = _about("texts that are known", 32)
    held_out: int = _about("texts for evaluation", 256)
    validation: int = _about("texts, besides, that choose after how many steps a student is best; 0: the last", 64)
    synthetic: int = _about("answers that pass curation", 256)
    shown: int = _about("anchors in a prompt", 3)
    separator: str = _about("what ends a text in a prompt", "\n\n")
    tokens: int = _about("the longest text, and the longest answer, tokens", 64)
    least: int = _about("the shortest answer, tokens", 2)
    temperature: float = _about("of the generator", 1.0)
    steps: int = _about("steps of training", 100)
    batch: int = _about("texts in a step, shared by the processes; also prompts and held-out texts at a time", 8)
    rate: float = _about("the learning rate at its highest", 5e-5)
    share: float = _about("of anchors in the mixture", 0.2)
    device: str = _about("cpu, or cuda: the GPU of each process", "cpu")

    def __post_init__(self) -> None:
        if min(self.anchors, self.synthetic, self.shown, self.steps, self.batch) < 1 or self.held_out < 2:
            raise ValueError("at least one anchor, answer, step and anchor in a prompt, and two held-out texts")
        if self.validation < 0:
            raise ValueError(f"validation: a number of texts, or 0, got {self.validation}")
        if self.shown > self.anchors:
            raise ValueError(f"a prompt of {self.shown} anchors from {self.anchors}")
        if not 0 <= self.share <= 1 or not self.temperature > 0:
            raise ValueError("share is a probability, and the temperature is positive")
        if self.tokens < 1 or self.least < 0 or not self.rate > 0:
            raise ValueError("tokens and rate are positive, and least is not negative")
        if not self.separator or self.device not in ("cpu", "cuda"):
            raise ValueError("the separator is not empty, and the device is cpu or cuda")


class Texts(NamedTuple):
    """Texts of one seed."""

    anchors: list[str]
    held_out: list[str]
    validation: list[str]


def texts(experiment: Experiment, seed: int) -> Texts:
    """Anchors and held-out texts, disjoint, in an order that the seed determines.

    Raises:
        ValueError: when the data set cannot be read, has too few texts, or holds something else in that field.
    """
    found = data_set(experiment.dataset, experiment.subset, experiment.split)
    if experiment.field not in found.column_names:
        raise ValueError(f"field: one of {found.column_names}, got {experiment.field!r}")
    wanted = experiment.anchors + experiment.held_out + experiment.validation
    if len(found) < wanted:
        raise ValueError(f"{wanted} texts are wanted, the data set has {len(found)}")
    order = np.random.default_rng([seed, 0]).permutation(len(found))[:wanted]
    rows = [found[int(i)][experiment.field] for i in order]
    for row in rows:
        if not isinstance(row, str):
            raise ValueError(f"field: {experiment.field!r} holds {type(row).__name__}, not text")
    rows = [row.strip() for row in rows]
    end = experiment.anchors + experiment.held_out
    return Texts(rows[: experiment.anchors], rows[experiment.anchors : end], rows[end:])


def check(experiment: Experiment) -> None:
    """Read the texts and the models of an experiment now, for whoever runs it only after a while.

    Raises:
        ValueError: when one of them cannot be read.
    """
    texts(experiment, 0)
    for name in {experiment.model, experiment.generator or experiment.model}:
        load(name, experiment.device)


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
    with lm_ranks.bar(f"seed {seed}: synthetic texts", experiment.synthetic, "text") as bar:
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
            bar.update(min(len(kept), experiment.synthetic) - bar.n)
    return kept[: experiment.synthetic], len(kept) / asked


def train_student(
    experiment: Experiment, rows: Sequence[str], seed: int, note: str = "student", validation: Sequence[str] = ()
) -> PreTrainedModel:
    """A student: the start, post-trained on `rows` by transformers' Trainer.

    With `validation` texts it is taken after that eighth of the steps after which its loss on them was smallest.
    A model in double precision has its state rounded as in :mod:`rbcore.lm.training`: any processor trains it.

    All processes of a run call it together and have the whole student in the end.  Each of them takes its part of
    every batch; the numbers are those of one process, but for rounding, dropout and the last batch of an epoch.

    Raises:
        ValueError: for texts too long for the model, a batch that the processes cannot share evenly, or a launcher
            that spreads the parameters of the model over processes.
    """
    ranks = lm_ranks.count()
    if experiment.batch % ranks:
        raise ValueError(f"batch: {experiment.batch} texts cannot be shared evenly by {ranks} processes")
    tokenizer, model = load(experiment.model, experiment.device)
    check_fits(model, experiment.tokens + 2, "a text and its two ends")
    data = [_encode(experiment, tokenizer, row) for row in rows]

    def collate(batch: list[list[int]]) -> dict[str, torch.Tensor]:
        return dict(zip(("input_ids", "attention_mask", "labels"), _pad(batch, tokenizer), strict=True))

    with (
        tempfile.TemporaryDirectory() as folder,
        _unseeded(),
        lm_ranks.bar(f"seed {seed}: training, {note}", experiment.steps, "step") as bar,
    ):
        how = TrainingArguments(
            output_dir=folder,
            max_steps=experiment.steps,
            per_device_train_batch_size=experiment.batch // ranks,
            learning_rate=experiment.rate,
            lr_scheduler_type="cosine",
            seed=seed % 2**32,  # numpy's global generator takes no larger one
            data_seed=seed % 2**32,
            use_cpu=experiment.device == "cpu",
            ddp_timeout=int(lm_ranks.PATIENCE.total_seconds()),
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        how._n_gpu = min(1, how.n_gpu)  # one process has one device, whatever else the machine has
        best = _Best(experiment, validation)
        trainer = Trainer(
            model=model,
            args=how,
            train_dataset=data,  # ty: ignore[invalid-argument-type]  # any sequence of examples will do
            data_collator=collate,
            callbacks=[_Shown(bar.update), best],
        )
        trainer.remove_callback(PrinterCallback)  # what it prints would stand among the results
        if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
            raise ValueError("each process holds the whole model: launch without FSDP and DeepSpeed")
        trainer.train()
        student = trainer.accelerator.unwrap_model(trainer.model_wrapped).eval()
        if best.state is not None:
            student.load_state_dict(best.state)
        return student


class _Shown(TrainerCallback):
    """Counts the steps of a Trainer."""

    def __init__(self, count: Callable[[], object]):
        self.count = count

    def on_step_end(self, *_: object, **__: object) -> None:
        self.count()


class _Best(TrainerCallback):
    """Rounds the state of training, and keeps the parameters with the smallest loss on the validation texts."""

    def __init__(self, experiment: Experiment, validation: Sequence[str]):
        self.experiment, self.validation = experiment, list(validation)
        self.loss, self.state = float("inf"), None

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        model, step, steps = kwargs["model"], state.global_step, self.experiment.steps
        eighth = any(step == round(steps * i / 8) for i in range(1, 9))
        if step % grid.STEPS == 0 or eighth:
            lm_train.snap(model.parameters(), kwargs["optimizer"])
        if self.validation and eighth:
            training = model.training
            loss = log_losses(self.experiment, model.eval(), self.validation).mean()
            model.train(training)
            if loss < self.loss:
                plain = getattr(model, "module", model)  # without what spreads it over processes
                self.loss = loss
                self.state = {name: value.detach().clone() for name, value in plain.state_dict().items()}


@torch.no_grad()
def log_losses(experiment: Experiment, model: PreTrainedModel, rows: Sequence[str]) -> np.ndarray:
    """`-log pi(text)` of each text, cut at `experiment.tokens`, its end included, shape (N,), nats."""
    tokenizer, found = tokenizer_of(experiment.model), []
    check_fits(model, experiment.tokens + 2, "a text and its two ends")
    for i in range(0, len(rows), experiment.batch):
        batch = [_encode(experiment, tokenizer, row) for row in rows[i : i + experiment.batch]]
        inputs, mask, labels = (part.to(model.device) for part in _pad(batch, tokenizer))
        logs = model(input_ids=inputs, attention_mask=mask).logits[:, :-1].double().log_softmax(-1)
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
    All processes of a run call it together and get the same table; the first one writes.
    Columns: seed, arm, text (its number in the seed's held-out texts), loss, accepted (share of curated answers).
    A seed that is finished is kept in `folder`, in a file named for the experiment and the seed, and not run
    again. The name does not know the verifier: give each a folder of its own.
    """
    name = np.array([repr(dataclasses.astuple(experiment))], dtype=object)
    key = pd.util.hash_array(name)[0]  # ty: ignore[not-callable]  # pandas.util loads it lazily, as an object
    if folder is not None and lm_ranks.leads():
        Path(folder).mkdir(parents=True, exist_ok=True)
    parts = []
    with lm_ranks.bar("seeds", len(seeds), "seed") as bar:
        for seed in seeds:
            file = None if folder is None else Path(folder) / f"{key:016x}-{seed}.parquet"
            part = lm_ranks.first(partial(_finished, file), experiment.device)
            if part is None:
                part = _one_seed(experiment, int(seed), verifier)
                lm_ranks.first(partial(_keep, part, file), experiment.device)
            parts.append(part)
            bar.update()
    return pd.concat(parts, ignore_index=True)


def _finished(file: Path | None) -> pd.DataFrame | None:
    return pd.read_parquet(file) if file is not None and file.exists() else None


def _keep(part: pd.DataFrame, file: Path | None) -> None:
    """Write beside the file, then rename; the next run overwrites what a killed one has left beside it."""
    if file is not None:
        part.to_parquet(file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)


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


@contextlib.contextmanager
def _unseeded() -> Generator[None]:
    """Leave the global generators as they were: the Trainer seeds all of them."""
    plain, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(legacy)  # noqa: NPY002


def _one_seed(experiment: Experiment, seed: int, verifier: Verifier | None) -> pd.DataFrame:
    first = partial(lm_ranks.first, device=experiment.device)
    own = first(lambda: texts(experiment, seed))
    made, accepted = first(lambda: synthesize(experiment, own.anchors, seed, verifier))
    rng = np.random.default_rng([seed, 2])
    real = rng.random(experiment.synthetic) < experiment.share
    mixed = [own.anchors[rng.integers(len(own.anchors))] if r else row for r, row in zip(real, made, strict=True)]
    rows = []
    for arm, data in zip(ARMS, (None, own.anchors, made, mixed), strict=True):
        if data is None:
            model = load(experiment.model, experiment.device)[1]
        else:
            model = train_student(experiment, data, seed, arm, own.validation)
        losses = first(partial(log_losses, experiment, model, own.held_out))
        rows.append(
            pd.DataFrame(
                {"seed": seed, "arm": arm, "text": range(len(losses)), "loss": losses, "accepted": accepted}
            )
        )
    return pd.concat(rows, ignore_index=True)


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
    longest = max(map(len, rows))
    check_fits(model, longest + experiment.tokens, "prompt and answer")
    pad = tokenizer.pad_token_id
    inputs = torch.tensor([[pad] * (longest - len(row)) + row for row in rows], device=model.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=model.device)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        found = model.generate(  # ty: ignore[not-callable]  # of a mixin that every causal language model has
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
