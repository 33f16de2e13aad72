"""Any model, any data set: a small model and a small data set, made and saved on the spot."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from rbcore.book.execute import ROOT
from rbcore.lm.hub import __main__, ranks
from rbcore.lm.hub import experiment as hub
from rbcore.lm.hub.experiment import Experiment, compare, log_losses, run, synthesize, texts

datasets = pytest.importorskip("datasets")
pytest.importorskip("accelerate")
WORDS = [f"w{i}" for i in range(12)]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def experiment(one_thread, tmp_path_factory) -> Experiment:
    folder, rng = tmp_path_factory.mktemp("hub"), np.random.default_rng(0)
    vocabulary = {word: i for i, word in enumerate([*WORDS, ";", "<end>", "<unk>"])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<end>", unk_token="<unk>")
    tokenizer.save_pretrained(folder / "model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPT2Config(vocab_size=15, n_positions=64, n_embd=16, n_layer=1, n_head=2,
                            bos_token_id=13, eos_token_id=13,
                            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)  # fmt: skip
        GPT2LMHeadModel(config).save_pretrained(folder / "model")
    rows = [" ".join(rng.choice(WORDS[:4], size=rng.integers(3, 7))) for _ in range(80)]
    columns = {"text": rows, "label": list(range(80)), "gaps": [*rows[:40], *[None] * 40]}
    datasets.Dataset.from_dict(columns).save_to_disk(folder / "data")
    (folder / "files").mkdir()
    (folder / "files" / "train.txt").write_text("\n".join(rows))
    (folder / "empty").mkdir()
    (folder / "empty" / "notes").touch()
    return Experiment(
        str(folder / "model"), str(folder / "data"), anchors=10, held_out=30, validation=8, synthetic=12,
        separator=" ; ", tokens=8, steps=30, batch=4, rate=1e-2,
    )  # fmt: skip


def test_anchors_and_held_out_texts_are_disjoint_and_of_the_seed(experiment):
    one, again, other = texts(experiment, 1), texts(experiment, 1), texts(experiment, 2)
    assert one == again != other
    assert (len(one.anchors), len(one.held_out), len(one.validation)) == (10, 30, 8)


def test_what_cannot_be_read_is_known_before_a_run(experiment):
    hub.check(experiment)
    for change, reason in (
        ({"field": "body"}, "field: one of"),
        ({"generator": str(Path(experiment.dataset))}, "can be read there"),
    ):
        with pytest.raises(ValueError, match=reason):
            hub.check(dataclasses.replace(experiment, **change))


@pytest.mark.slow
def test_a_seed_may_be_larger_than_numpys_global_generator_takes(experiment):
    short = dataclasses.replace(experiment, steps=2, validation=0)
    hub.train_student(short, texts(experiment, 1).anchors, 100 * (2**32 - 1))


@pytest.mark.slow
def test_curation_keeps_new_texts_that_the_verifier_likes(experiment):
    own = texts(experiment, 1)
    made, accepted = synthesize(experiment, own.anchors, 1, lambda text: "w1" in text.split())
    assert len(made) == len(set(made)) == 12 and not set(made) & set(own.anchors)
    assert all("w1" in text.split() and ";" not in text for text in made) and 0 < accepted < 1
    assert synthesize(experiment, own.anchors, 1, lambda text: "w1" in text.split()) == (made, accepted)
    with pytest.raises(ValueError, match="too few"):
        synthesize(dataclasses.replace(experiment, synthetic=1), own.anchors, 1, lambda _: False)


def test_log_losses_are_those_of_each_text_alone(experiment):
    tokenizer, model = hub.load(experiment.model)
    rows = texts(experiment, 1).held_out[:5]
    found = log_losses(experiment, model, rows)
    for row, loss in zip(rows, found, strict=True):
        tokens = torch.tensor([[13, *tokenizer(row)["input_ids"], 13]])
        alone = model(tokens, labels=tokens).loss.item() * (tokens.shape[1] - 1)
        assert loss == pytest.approx(alone, rel=1e-4)


@pytest.mark.slow
def test_the_whole_experiment_runs_resumes_and_finds_what_anchors_teach(experiment, tmp_path, monkeypatch):
    state, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    table = run(experiment, [1, 2], tmp_path)
    assert torch.equal(state, torch.get_rng_state())
    assert (np.random.get_state()[1] == legacy).all()  # noqa: NPY002
    assert len(table) == 2 * 4 * 30 and set(table["arm"]) == {"base", "anchors", "synthetic", "mixture"}
    taught = compare(table[table["seed"] == 1], "base", "anchors")
    assert taught.low > 0  # four words of fifteen
    pairs = table[table["seed"] == 1].pivot(index="text", columns="arm", values="loss")
    interval = stats.ttest_rel(pairs["base"], pairs["anchors"]).confidence_interval()
    assert (taught.low, taught.high) == pytest.approx((interval.low, interval.high))
    both = compare(table, "base", "anchors")
    assert both.low < both.value < both.high
    monkeypatch.setattr(hub, "train_student", lambda *_: pytest.fail("trained again"))
    assert run(experiment, [2], tmp_path)["loss"].tolist() == table[table["seed"] == 2]["loss"].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"anchors": 0}, "at least one"),
        ({"shown": 11}, "prompt of 11"),
        ({"temperature": 0.0}, "positive"),
        ({"tokens": 0}, "tokens and rate are positive"),
        ({"separator": ""}, "separator"),
        ({"device": "tpu"}, "cpu or cuda"),
        ({"field": "body"}, "field: one of .*'text'.*, got 'body'"),
        ({"field": "label"}, "field: 'label' holds int, not text"),
        ({"field": "gaps"}, "field: 'gaps' holds NoneType, not text"),
        ({"held_out": 999}, "the data set has 80"),
        ({"tokens": 60}, "the model reads 64"),
    ],
)
def test_bad_experiments_are_refused(experiment, change, message):
    with pytest.raises(ValueError, match=message):
        bad = dataclasses.replace(experiment, **change)
        synthesize(bad, texts(bad, 1).anchors, 1)


def test_a_folder_of_text_files_is_a_data_set(experiment):
    folder = Path(experiment.dataset).with_name("files")
    found = texts(dataclasses.replace(experiment, dataset=str(folder)), 1)
    assert found == texts(experiment, 1)


def test_texts_too_long_for_the_student_are_refused(experiment):
    bad = dataclasses.replace(experiment, tokens=63)
    with pytest.raises(ValueError, match="a text and its two ends need 65 tokens, the model reads 64"):
        hub.train_student(bad, ["w1 w2"], 1)


def test_a_run_killed_while_it_writes_leaves_finished_seeds_and_nothing_that_is_taken_for_one(
    experiment, tmp_path, monkeypatch
):
    monkeypatch.setattr(hub, "_one_seed", lambda _, seed, __: pd.DataFrame({"seed": [seed], "loss": [seed / 2]}))
    child = os.fork()
    if child == 0:  # this process writes the first seed and dies in the middle of the second
        whole = pd.DataFrame.to_parquet

        def write(table, path):
            whole(table, path)
            if table["seed"][0] == 2:
                os.truncate(path, os.path.getsize(path) // 2)
                os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr(pd.DataFrame, "to_parquet", write)
        run(experiment, [1, 2], tmp_path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(list(tmp_path.glob("*-1.parquet"))) == len(list(tmp_path.glob("*"))) - 1 == 1
    assert run(experiment, [1, 2], tmp_path)["loss"].tolist() == [0.5, 1.0]
    assert sorted(path.suffix for path in tmp_path.glob("*")) == [".parquet"] * 2


# ---------------------------------------------------------------------------------------------------------------
# The command line, and several processes
# ---------------------------------------------------------------------------------------------------------------


def options(experiment: Experiment, **change: object) -> list[str]:
    """An experiment as one writes it in a shell."""
    given = {
        f.name: value
        for f in dataclasses.fields(experiment)
        if (value := getattr(experiment, f.name)) not in (f.default, None)
    }
    return [
        word for name, value in (given | change).items() for word in ("--" + name.replace("_", "-"), str(value))
    ]


def test_every_field_is_an_option_with_its_type_and_default(experiment):
    parse = __main__.parser()
    names = {field.name for field in dataclasses.fields(Experiment)}
    given = vars(parse.parse_args(options(experiment)))
    assert set(given) == names | {"seeds", "folder", "level"}
    assert Experiment(**{name: given[name] for name in names}) == experiment
    text = " ".join(parse.format_help().split())
    for field in dataclasses.fields(Experiment):
        assert " ".join(field.metadata["help"].split()) in text
    given = vars(parse.parse_args("--model m --dataset d --generator g --held-out 7 --share 0.5".split()))
    assert (given["generator"], given["held_out"], given["share"]) == ("g", 7, 0.5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": "{}/empty"}, "no tokenizer can be read there"),
        ({"model": "{}/data"}, "can be read there"),
        ({"dataset": "{}/empty"}, "no data set can be read there"),
        ({"dataset": "{}/model"}, "no data set can be read there"),
        ({"field": "body"}, "field: one of"),
        ({"field": "label"}, "field: 'label' holds int, not text"),
        ({"held_out": 999}, "1017 texts are wanted, the data set has 80"),
        ({"shown": 99}, "a prompt of 99 anchors from 10"),
        ({"device": "cuda"}, "device: 'cuda' is wanted, and torch finds none here"),
        ({"seeds": -1}, "seeds are not negative"),
    ],
)
def test_a_refused_experiment_says_why_in_one_line(experiment, change, reason, capsys, monkeypatch):
    monkeypatch.setattr(__main__, "_keep_libraries_quiet", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    change = {name: str(value).format(Path(experiment.dataset).parent) for name, value in change.items()}
    assert __main__.main(options(experiment, **change)) == 1
    said = capsys.readouterr()
    (line,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert reason in line and "Traceback" not in said.err and not said.out


def test_the_first_process_speaks_for_all_and_bars_are_for_a_terminal(monkeypatch, capsys):
    assert ranks.first(lambda: 3, "cpu") == 3 and ranks.leads() and ranks.count() == 1
    with ranks.bar("note", 2, "step") as bar:
        bar.update(2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for disabled, shown in (("1", False), ("0", True)):
        monkeypatch.setenv("TQDM_DISABLE", disabled)
        with ranks.bar("note", 2, "step") as bar:
            bar.update(2)
        assert ("note" in capsys.readouterr().err) is shown


@pytest.mark.slow
def test_two_processes_of_accelerate_find_what_one_finds(experiment, tmp_path):
    """No dropout, and whole batches in every epoch: all that is left is rounding."""
    whole = dataclasses.replace(experiment, anchors=8, synthetic=8, steps=12)
    words = [*options(whole), "--seeds", "1", "--folder", str(tmp_path / "two")]
    # without GPUs `--multi_gpu` starts processes of the CPU; `--cpu` would start one, unless MPI helps
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--main_process_port", "0", "-m", "rbcore.lm.hub", *words]
    variables = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        launch, env=os.environ | variables, cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    alone = run(whole, [1])
    two = run(whole, [1], tmp_path / "two")  # what they have written
    assert sorted(path.suffix for path in (tmp_path / "two").iterdir()) == [".parquet"]
    assert two.drop(columns="loss").equals(alone.drop(columns="loss"))
    np.testing.assert_allclose(two["loss"], alone["loss"], rtol=2e-4)
    assert done.stdout.splitlines() == ["2 processes shared every batch", *__main__.report(two).splitlines()]
    gaps = __main__.comparisons(two)
    assert gaps["gap"].tolist()[:4] == [
        "base - anchors",
        "base - synthetic",
        "base - mixture",
        "anchors - synthetic",
    ]
    assert (gaps.loc[0, "value"], gaps.loc[0, "low"], gaps.loc[0, "high"]) == compare(two, "base", "anchors")
