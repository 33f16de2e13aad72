"""The record of trials: every defect in every corpus, many times, by several processes; what is done is kept.

    done = gather(plan(worlds=4, controls=40), "runs/corpora")
    write({"made": {}, **summary(done, "runs/corpora")}, "trials.json")

:mod:`rbcore.audit.trial` is its command, and :mod:`rbcore.audit.evidence` makes tables of what it writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from rbcore.audit import cells, corpora, defects, evidence, runner
from rbcore.audit.planted import DEFECTS
from rbcore.audit.trial import CLEAN, CONTROL, CONTROLS, HALVED, SEED, TRIALS, WORLDS, counts, trials
from rbcore.files import replace_file


class Task(NamedTuple):
    """A piece of the record that one process makes.

    kind: "world" (all defects at all strengths), "control" (clean data), or "planted", "half" and "clean": the
    notes of the chapter.  seeds: of its worlds.
    """

    kind: str
    corpus: str
    seeds: tuple[int, ...]

    @property
    def audits(self) -> int:
        """How many."""
        each = {"world": cells.planned(), "planted": 1 + len(DEFECTS), "half": len(HALVED)}
        return len(self.seeds) * each.get(self.kind, 1)


def plan(
    corpora_: Sequence[str] = cells.TRIED,
    worlds: int = WORLDS,
    controls: int = CONTROLS,
    notes: int = TRIALS,
    clean_: int = CLEAN,
    seed: int = SEED,
) -> list[Task]:
    """The tasks of a record; the clean data of the worlds are controls, too."""
    made = [Task("world", name, (seed + i,)) for i in range(worlds) for name in corpora_]
    spare = range(seed + worlds, seed + max(worlds, controls))
    made += [Task("control", name, part) for part in _parts(spare, 11) for name in corpora_]
    made += [
        Task(kind, cells.GRAMMAR, part)
        for kind in ("planted", "half")
        for part in _parts(range(seed, seed + notes), 4)
    ]
    made += [
        Task("clean", cells.GRAMMAR, part) for part in _parts(range(seed + notes, seed + max(notes, clean_)), 20)
    ]
    return made


def _parts(seeds: range, size: int) -> list[tuple[int, ...]]:
    return [tuple(seeds[i : i + size]) for i in range(0, len(seeds), size)]


def work(task: Task, folder: str) -> list[dict[str, Any]]:
    """The rows of one task; see :func:`rbcore.audit.cells.audits`."""
    with threadpool_limits(1):
        if task.kind == "world":
            return [row for seed in task.seeds for row in cells.audits(cells.world(task.corpus, seed, folder))]
        if task.kind == "control":
            return [cells.control(cells.world(task.corpus, seed, folder)) for seed in task.seeds]
        if task.kind == "half":
            table = trials(list(HALVED), task.seeds, HALVED)
        else:
            table = trials([None, *DEFECTS] if task.kind == "planted" else [None], task.seeds)
        flags = table.reset_index().to_dict("records")
        return [{str(k): v if isinstance(v, str) else int(v) for k, v in row.items()} for row in flags]


def gather(tasks: Sequence[Task], folder: str, jobs: int = 2, quiet: bool | None = None) -> dict[Task, list]:
    """The rows of all tasks; what is done is kept in `folder`, and a later call of the same code goes on there.

    The progress bar counts audits, and says how much time is left.

    Raises:
        CorpusError: when a corpus is not at hand.
    """
    for name in sorted({task.corpus for task in tasks} - {cells.GRAMMAR}):
        corpora.corpus(name, folder)
    journal = Path(folder) / f"trials-{_key(folder)}.jsonl"
    done = _journal(journal)
    open_ = [task for task in tasks if task not in done]
    with tqdm(total=sum(task.audits for task in tasks), desc="audits", disable=quiet, smoothing=0.05) as bar:
        bar.update(sum(task.audits for task in tasks if task in done))
        with open(journal, "a", encoding="utf8") as file:
            file.write("\n")  # after a line that was cut short
            calls = (delayed(_numbered)(task, folder) for task in open_)
            for task, rows in Parallel(n_jobs=jobs, return_as="generator_unordered")(calls):
                done[task] = rows
                file.write(json.dumps([*task, rows]) + "\n")
                file.flush()
                bar.update(task.audits)
    return {task: done[task] for task in tasks}


def _numbered(task: Task, folder: str) -> tuple[Task, list[dict[str, Any]]]:
    return task, work(task, folder)


def _key(folder: str) -> str:
    """What the rows of a task depend on: the code, and the versions of the corpora."""
    here = [one.version for name in corpora.names() if (one := _found(name, folder)) is not None]
    return hashlib.sha256(json.dumps([runner._code(), *here]).encode()).hexdigest()[:16]


def _found(name: str, folder: str) -> corpora.Corpus | None:
    try:
        return corpora.corpus(name, folder)
    except corpora.CorpusError:
        return None


def _journal(path: Path) -> dict[Task, list[dict[str, Any]]]:
    """What was done before; a line that was cut short, by an interruption, is not."""
    done: dict[Task, list[dict[str, Any]]] = {}
    for line in path.read_text(encoding="utf8").splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):
            kind, corpus, seeds, rows = json.loads(line)
            done[Task(kind, corpus, tuple(seeds))] = rows
    return done


def summary(done: Mapping[Task, Sequence[Mapping[str, Any]]], folder: str) -> dict[str, Any]:
    """The record without what it was made with, as :func:`write` takes it; :func:`evidence.load` reads it again.

    Counts of questions are lists, in the order of `questions`.
    """
    rows = [row for task, some in done.items() if task.kind in ("world", "control") for row in some]
    notes: dict[str, list[Mapping[str, Any]]] = {"full": [], "half": []}
    for task, some in done.items():
        if task.kind not in ("world", "control"):
            notes["half" if task.kind == "half" else "full"] += some
    tables = {}
    for name, some in notes.items():
        frame = pd.DataFrame(some)
        order = [CONTROL, *DEFECTS]
        frame = (
            frame.sort_values("defect", key=lambda names: names.map(order.index), kind="stable") if some else frame
        )
        kept = frame.drop(columns="seed").set_index("defect").eq(1) if some else frame
        tables[name] = counts(kept).to_dict("index") if some else {}
    groups: dict[tuple[str, str, float], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["corpus"], row["defect"], row["strength"]), []).append(row)
    cells_ = [_cell(*key, some) for key, some in groups.items() if key[1] != cells.CONTROL]
    place = list(defects.DEFECTS).index
    cells_.sort(key=lambda cell: (place(cell["defect"]), cell["strength"], cell["corpus"]))
    controls = {key[0]: _control(some) for key, some in groups.items() if key[1] == cells.CONTROL}
    questions = list(dict.fromkeys(question for row in rows for question in row["verdicts"]))
    for one in (*cells_, *controls.values()):
        for kind in evidence.COUNTED & one.keys():
            one[kind] = [one[kind].get(question, 0) for question in questions]
    return {
        "questions": questions,
        "corpora": {name: _about(name, folder) for name in controls},
        "defects": {
            name: {"questions": sorted(one.questions), "strengths": one.strengths, "about": one.about}
            for name, one in defects.DEFECTS.items()
        },
        "controls": controls,
        "cells": cells_,
        **tables,
    }


def _about(name: str, folder: str) -> dict[str, Any]:
    if name == cells.GRAMMAR:
        return {"about": "notes of a village club, written by a grammar", "language": "en", "script": "Latin"}
    one = corpora.corpus(name, folder)
    keys = ("about", "language", "script", "package", "version", "licence")
    return {key: getattr(one, key) for key in keys} | {"texts": len(one.texts)}


def _verdicts(rows: Sequence[Mapping[str, Any]], verdict: str) -> dict[str, int]:
    """How often each question gave this verdict; none is left out that did once."""
    found = Counter(question for row in rows for question, said in row["verdicts"].items() if said == verdict)
    return dict(sorted(found.items()))


def _accused(row: Mapping[str, Any]) -> set[str]:
    return {question for question, said in row["verdicts"].items() if said == "flagged"}


def _cell(corpus: str, defect: str, strength: float, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    own = defects.DEFECTS[defect].questions
    named = [bool(_accused(row) & own) for row in rows]
    unsure = [any(row["verdicts"].get(question) == "undecided" for question in own) for row in rows]
    return {
        "defect": defect,
        "strength": strength,
        "corpus": corpus,
        "sets": len(rows),
        "named": sum(named),
        "any": sum(bool(_accused(row)) for row in rows),
        "open": sum(b and not a for a, b in zip(named, unsure, strict=True)),
        "flagged": _verdicts(rows, "flagged"),
        "undecided": _verdicts(rows, "undecided"),
        "harm": _mean([row["harm"] for row in rows]),
        "flattered": _mean([row["flattered"] for row in rows]),
        "repair": _mean([row["repair"] for row in rows if row["repair"] is not None]),
        "repaired": sum(row["repair"] is not None for row in rows),
        "removed": round(float(np.mean([row["removed"] for row in rows])), 4),
    }


def _control(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Clean data of a corpus; `low`: how often the p-value of a question was below 5 %."""
    low = Counter(question for row in rows for question, p in row["p"].items() if p < 0.05)
    return {
        "sets": len(rows),
        "any": sum(bool(_accused(row)) for row in rows),
        "flagged": _verdicts(rows, "flagged"),
        "undecided": _verdicts(rows, "undecided"),
        "not checked": _verdicts(rows, "not checked"),
        "low": dict(sorted(low.items())),
    }


def _mean(values: Sequence[float]) -> list[float | None]:
    """The mean with its 95 % t-interval over worlds; None where it is not known."""
    if not values:
        return [None, None, None]
    mean = float(np.mean(values))
    if len(values) < 2:
        return [round(mean, 4), None, None]
    half = stats.t.ppf(0.975, len(values) - 1) * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return [round(float(x), 4) for x in (mean, mean - half, mean + half)]


def _line(row: Any) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def write(kept: Mapping[str, Any], path: Path) -> None:
    """The record as JSON, a line for each row; whole or not at all."""
    parts = []
    for name, value in kept.items():
        if name in ("made", "questions"):
            parts.append(f" {json.dumps(name)}: {json.dumps(value)}")
        elif isinstance(value, Mapping):
            rows = ",\n".join(f"  {json.dumps(key)}: {_line(row)}" for key, row in value.items())
            parts.append(f' "{name}": {{\n{rows}\n }}')
        else:
            rows = ",\n".join(f"  {_line(row)}" for row in value)
            parts.append(f' "{name}": [\n{rows}\n ]')
    replace_file(path, "{\n" + ",\n".join(parts) + "\n}\n")


def report(kept: Mapping[str, Any]) -> str:
    """The record in words, as it was loaded: controls, and what share of each defect is found in each corpus."""
    parts = ["clean data", evidence.controls(kept).to_string(index=False)] if kept["controls"] else []
    if kept["cells"]:
        found = evidence.table(kept).pivot(index=["defect", "strength"], columns="corpus", values="found")
        order = list(dict.fromkeys((cell["defect"], cell["strength"]) for cell in kept["cells"]))
        parts += ["share that is found and named", found.loc[order].round(2).to_string(na_rep="")]
    for name in ("full", "half"):
        if kept[name]:
            parts += [
                f"planted notes, {name} strength",
                pd.DataFrame.from_dict(kept[name], orient="index").to_string(),
            ]
    return "\n".join(parts)
