"""The command: refusals come at once and in one line, statuses say what was found, the help can be read."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from rbcore.audit import Options, __main__, cleaning, runner
from rbcore.audit import planted as audit_planted
from rbcore.audit.read.records import InputError
from rbcore.audit.report import write
from rbcore.audit.result import Result, Row
from rbcore.book.execute import ROOT

HEAVY = ("sklearn", "scipy", "pandas", "torch", "pyarrow", "datasets", "matplotlib", "numba", "jinja2", "yaml")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The data are small: more threads take several times the processor time."""
    with threadpool_limits(1), pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # of the processes that are started
            patch.setenv(name, "1")
        yield


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> dict[str, str]:
    made = audit_planted.several(np.random.default_rng(7), anchors=200, synthetic=300, heldout=100)
    return made.write(tmp_path_factory.mktemp("planted"))


def empty(options: Options, *flagged: str) -> Result:
    """A finished audit that found nothing, or what is named."""
    from rbcore.audit.advice import finding

    found = [finding(id, "flagged", "It is so.") for id in flagged]
    found.append(finding("narrow", "clear", "It is not."))
    inputs = [
        {"name": name, "source": source, "found": 30, "used": 30} for name, source in options.sources().items()
    ]
    return Result(inputs, dataclasses.asdict(options), {}, found)


def arguments(paths: dict[str, str], out: Path, **others: str) -> list[str]:
    options = {**paths, "out": str(out), **others}
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def complaints(payload: dict[str, Any]) -> list[str]:
    """Where a report differs from its schema."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(Path(write.__file__).with_name("report.schema.json").read_text(encoding="utf-8"))
    return [error.json_path for error in jsonschema.Draft202012Validator(schema).iter_errors(payload)]


# What is loaded


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        ["--help"],
        ["--anchor", "missing.jsonl", "--synth", "s.jsonl"],
        ["--anchor", "missing", "--synth", "s"],
        ["--anchor", "a.jsonl", "--synth", "a.pkl"],
        ["--anchor", "a.jsonl", "--synth", "a.jsonl", "--seed", "-1"],
        ["--anchor", "a.jsonl", "--synth", "a.jsonl", "--out", "a.jsonl"],
        ["--anchor", "a.jsonl", "--synth", "a.jsonl", "--clean", "a.jsonl"],
        ["--anchor", "a.jsonl", "--synth", "a.jsonl", "--embed", "./nowhere"],
        ["--anchor", "a.jsonl", "--synth", "a.jsonl", "--text", "body"],
        ["--anchor", "a.jsonl", "--synth", "a.jsonl", "--label", "kind"],
        ["--anchor", "a.jsonl", "--nothing"],
    ],
    ids=" ".join,
)
def test_help_and_refusals_load_nothing_that_computes(given, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n' * 30)
    (tmp_path / "a.pkl").write_bytes(b"x")
    code = f"""
import sys
from rbcore.audit import __main__
try:
    status = __main__.main({given!r})
except SystemExit as left:
    status = left.code
print(status, *sorted({{name.partition(".")[0] for name in sys.modules}} & {{{", ".join(map(repr, HEAVY))}}}))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == ("0" if given == ["--help"] else "2")
    if "--nothing" not in given and given != ["--help"]:
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "a.pkl"]


# Help and options


def test_the_help_names_every_option_once_in_a_group_and_gives_an_example():
    said = __main__.parser().format_help()
    for option in (*(one.name for one in dataclasses.fields(Options)), "clean", "no-fail"):
        assert len(re.findall(rf"(?m)^  --{option.replace('_', '-')}\b", said)) == 1, option
    for title in ("inputs:", "fields of the records:", "output:", "example:", "exit status:"):
        assert f"\n{title}\n" in said
    assert max(map(len, said.splitlines())) <= 160 and "rbcore-audit --anchor" in said


def test_the_wheel_gives_the_command():
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module, _, name = about["project"]["scripts"]["rbcore-audit"].partition(":")
    assert getattr(sys.modules[module], name) is __main__.main
    shipped = about["tool"]["setuptools"]["package-data"]["rbcore.audit.report"]
    folder = Path(write.__file__).parent
    assert set(shipped) == {path.name for path in folder.iterdir() if path.suffix in (".j2", ".css", ".json")}


def test_make_knows_every_option():
    made = re.search(r"(?m)^AUDIT := (.+)$", (ROOT / "Makefile").read_text().replace("\\\n", " "))
    assert made is not None
    assert set(made[1].lower().split()) == {one.name for one in dataclasses.fields(Options)} | {"clean"}


def test_what_the_book_and_the_help_show_can_be_run(planted, tmp_path, monkeypatch):
    page = (ROOT / "book" / "audit-tool.md").read_text(encoding="utf-8")
    shown = re.findall(r"(?m)^(?:- run: |  )?(rbcore-audit --anchor .+)$", page + __main__.EXAMPLE)
    assert len(shown) == 3
    for line in shown:
        assert vars(__main__.parser().parse_args(shlex.split(line)[1:]))["synth"] == "made.jsonl"
    options = re.search(r"(?m)^make audit (.+)$", page)
    assert options is not None
    made = {part.partition("=")[0].lower() for part in options[1].split()}
    assert made <= vars(__main__.parser().parse_args(shlex.split(shown[0])[1:])).keys()
    for name, path in (("real", planted["anchor"]), ("made", planted["synth"])):
        shutil.copy(path, tmp_path / f"{name}.jsonl")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "run", lambda options, quiet=None: empty(options, "off-task"))
    code = re.search(r"(?s)```python\n(.*?)```", page)
    assert code is not None
    exec(code[1], names := {})
    assert names["rows"] == [] and (tmp_path / "audit" / "flags.jsonl").exists()
    assert set(re.findall(r"`(\w+)`", page)) >= {one.name for one in dataclasses.fields(Row)}
    statuses = {int(status) for status in re.findall(r"(?m)^\| (\d+) \|", page)}
    assert statuses == {0, 1, 2, 3, 4, 130} == {int(n) for n in re.findall(r"(?:^|  )(\d+)  ", __main__.EXAMPLE)}


# Statuses


@pytest.mark.parametrize(
    ("flagged", "more", "status"), [((), [], 0), (("off-task",), [], 3), (("off-task",), ["--no-fail"], 0)]
)
def test_the_status_says_whether_something_is_flagged(
    planted, tmp_path, capsys, monkeypatch, flagged, more, status
):
    monkeypatch.setattr(runner, "run", lambda options, quiet=None: empty(options, *flagged))
    assert __main__.main([*arguments(planted, tmp_path / "out"), *more]) == status
    said = capsys.readouterr().out
    assert ("FLAGGED" in said) == bool(flagged)
    for name in ("report.html", "report.json", "flags.jsonl"):
        assert str(tmp_path / "out" / name) in said and (tmp_path / "out" / name).exists()


@pytest.mark.parametrize(
    ("problem", "status", "message"),
    [
        (InputError("ANCHOR: it is so"), 2, "error: ANCHOR: it is so\n"),
        (OSError(28, "No space left on device"), 1, "error: [Errno 28] No space left on device\n"),
        (MemoryError(), 1, "error: there is not enough memory; use a smaller limit, such as --limit 50000\n"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_goes_wrong_has_a_status_and_one_line(
    planted, tmp_path, capsys, monkeypatch, problem, status, message
):
    def fail(options: Options, quiet: bool | None = None) -> None:
        raise problem

    monkeypatch.setattr(runner, "run", fail)
    assert __main__.main(arguments(planted, tmp_path / "out")) == status
    assert message in capsys.readouterr().err


def test_a_mistake_of_ours_is_no_bad_input(planted, tmp_path, monkeypatch):
    def fail(options: Options, quiet: bool | None = None) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(runner, "run", fail)
    with pytest.raises(ValueError, match="a bug"):
        __main__.main(arguments(planted, tmp_path / "out"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"anchor": "nowhere.jsonl"}, "ANCHOR: nowhere.jsonl"),
        ({"anchor": "nowhere"}, "of the hub, name owner/name"),
        ({"seed": "-1"}, "SEED is not negative"),
        ({"limit": "0"}, "LIMIT at least"),
        ({"losses": "one"}, "two fields of HELDOUT"),
        ({"text": "body"}, "body"),
        ({"embed": "/nowhere/model"}, "EMBED=/nowhere/model"),
        ({"clean": "clean.txt"}, "ends in .jsonl"),
        ({"clean": "nowhere/clean.jsonl"}, "there is no folder"),
    ],
)
def test_a_bad_option_is_one_line(planted, tmp_path, capsys, monkeypatch, change, message):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert __main__.main(arguments({**planted, **change}, tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_file_where_the_report_should_go_is_refused(planted, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert __main__.main(arguments(planted, tmp_path / "out")) == 2
    assert "name a folder" in capsys.readouterr().err
    assert __main__.main(arguments(planted, tmp_path / "out" / "below")) == 2
    assert "no folder that can be written" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


def test_cleaned_data_never_take_the_place_of_an_input(planted, tmp_path):
    (tmp_path / "link.jsonl").symlink_to(planted["synth"])
    for path in (planted["synth"], str(tmp_path / "link.jsonl"), str(tmp_path / "folder.jsonl")):
        (tmp_path / "folder.jsonl").mkdir(exist_ok=True)
        with pytest.raises(InputError, match="CLEAN="):
            cleaning.check(Options(planted["anchor"], planted["synth"]), path)
    cleaning.check(Options(planted["anchor"], planted["synth"]), str(tmp_path / "new.jsonl.gz"))


# The whole


@pytest.mark.slow
def test_the_command_writes_a_report_and_says_so(planted, tmp_path, capsys):
    given = [*arguments(planted, tmp_path / "out", label="label")]
    assert __main__.main(given) == 3
    said = capsys.readouterr().out
    assert "FLAGGED" in said and str(tmp_path / "out" / "report.html") in said
    stored = json.loads((tmp_path / "out" / "report.json").read_text())
    assert said.startswith(stored["verdict"]["headline"])
    assert complaints(stored) == []
    flags = [json.loads(line) for line in (tmp_path / "out" / "flags.jsonl").read_text().splitlines()]
    assert len({one["position"] for one in flags}) == stored["rows"]["rows"] > 0
    texts = [json.loads(line)["text"] for line in Path(planted["synth"]).read_text().splitlines()]
    assert all(texts[one["line"] - 1].startswith(one["excerpt"].rstrip("\u2026")) for one in flags)


@pytest.mark.slow
def test_an_audit_of_vectors_cleans_a_table_and_follows_the_schema(tmp_path, capsys):
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(150, 3)), rng.normal(size=(200, 3))
    made[:50] = real[:50]
    paths = {name: str(tmp_path / f"{name}.csv") for name in ("anchor", "synth", "clean")}
    for name, x in (("anchor", real), ("synth", made)):
        np.savetxt(paths[name], x, delimiter=",", header="a,b,c", comments="")
    assert __main__.main(arguments(paths, tmp_path / "out")) == 3
    said = " ".join(capsys.readouterr().out.split())
    assert f"50 rows were left out, 150 were written to {paths['clean']}" in said
    assert np.allclose(np.loadtxt(paths["clean"], delimiter=",", skiprows=1), made[50:])
    for folder in (tmp_path / "out", tmp_path / "out" / "cleaned"):
        assert complaints(json.loads((folder / "report.json").read_text())) == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="no make is installed")
@pytest.mark.parametrize(("change", "status"), [({}, 0), ({"SEED": "-1"}, 2)])
def test_make_prints_the_verdict_and_fails_only_on_errors(planted, tmp_path, change, status):
    options = {name.upper(): path for name, path in planted.items()} | {"OUT": str(tmp_path / "out")} | change
    makefile = (ROOT / "Makefile").read_text()
    (tmp_path / "Makefile").write_text(re.sub(r"(?m)^audit: \$\(READY\)", "audit:", makefile))
    done = subprocess.run(
        ["make", "audit", "RUN=" + sys.executable, *(f"{name}={value}" for name, value in options.items())],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stderr
    if not status:
        assert "FLAGGED" in done.stdout and (tmp_path / "out" / "report.html").exists()


@pytest.mark.slow
def test_a_killed_audit_goes_on_where_it_was(planted, tmp_path):
    call = [sys.executable, "-m", "rbcore.audit", "--anchor", planted["anchor"], "--synth", planted["synth"]]
    call += ["--out", str(tmp_path / "out")]
    process = subprocess.Popen(call, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kept = tmp_path / "out" / "stages"
    deadline = time.monotonic() + 120
    while not (kept / "questions.npz").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.npz")}
    assert "questions.npz" in before and not (tmp_path / "out" / "report.html").exists()
    assert __main__.main(call[3:]) in (0, 3)  # here, which saves the start of another process
    assert (tmp_path / "out" / "report.html").exists()
    assert all((kept / name).stat().st_mtime_ns == at for name, at in before.items())


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_says_how_to_go_on(planted, tmp_path):
    call = [sys.executable, "-m", "rbcore.audit", "--anchor", planted["anchor"], "--synth", planted["synth"]]
    process = subprocess.Popen(
        [*call, "--out", str(tmp_path / "out")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "out" / "stages").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command goes on" in error and "Traceback" not in error


@pytest.mark.skipif(shutil.which("make") is None, reason="no make is installed")
def test_make_refuses_an_option_that_it_does_not_know():
    command = ["make", "audit", "-o", ".venv/.ready", "RUN=false", "ANCHOR=a", "SYNTH=b", "HELDOUTS=c"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "no option HELDOUTS; its options are ANCHOR" in done.stderr
