"""Make the mutants, let the judges see each once, keep what was found, and report by class."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml
from tqdm import tqdm

from mutants.classes import CLASSES
from mutants.edits import Mutant, Sources, chosen
from mutants.judges import Digests, Judges, Tree, by_pages, speed_up
from rbcore.book import agree
from rbcore.book import mutants as book_mutants
from rbcore.book.execute import ROOT, Job, notebooks
from rbcore.book.ledger import Chapter
from rbcore.files import replace_file

COST = {"run": 2, "tests": 1}  # the order of judges by what they take
KEPT = "book/_build/mutants.jsonl"  # what is known: a line for each mutant that was judged
RECORD, REASONS = "book/mutants.json", "tests/mutants/reasons.yml"
LARGE = (
    "numpy",
    "scipy.stats",
    "scipy.optimize",
    "scipy.sparse",
    "matplotlib.pyplot",
    "pandas",
    "pytest",
    "hypothesis",
    "numba",
    "torch",
    "sklearn.linear_model",
    "sklearn.neighbors",
    "highspy",
    "yaml",
)


class MutantError(RuntimeError):
    """The mutants cannot be judged; the message says what would be right."""


def made(sources: Sources, seed: int, only: str = "") -> list[Mutant]:
    """The mutants of the classes whose names hold `only`, or one of its parts between commas.

    Raises:
        MutantError: when no class has such a name.
    """
    names = [name for name in CLASSES if any(part.strip().lower() in name for part in only.split(","))]
    if not names:
        raise MutantError(f"no class of mutants is called {only!r}: choose from {', '.join(CLASSES)}")
    return [mutant for name in names for mutant in chosen(sources, name, CLASSES[name].of, seed)]


def executed(root: Path = ROOT) -> dict[str, Path]:
    """The executed notebook of every chapter.

    Raises:
        MutantError: when one is missing.
    """
    cache = root / "book" / "_build" / "cache"
    found = {source.stem: Job(source, root=root).target(cache) for source in notebooks(root)}
    missing = [name for name, path in found.items() if not path.exists()]
    if missing:
        raise MutantError(f"not executed yet: {', '.join(missing)}; `make book` does it")
    return found


# ---------------------------------------------------------------------------------------------------------------
# Judging
# ---------------------------------------------------------------------------------------------------------------


def key(mutant: Mutant, sources: Sources, digests: Digests) -> str:
    """What a verdict is kept under: the change in its surroundings, and all that its judges rest on."""
    text = sources.text(mutant.edit.file)
    around = text[max(0, mutant.edit.start - 40) : mutant.edit.end + 40]
    rests = [f"{judge} {digests.of(judge, mutant)}" for judge in CLASSES[mutant.kind].judges]
    return hashlib.sha256(
        "\0".join([mutant.kind, mutant.edit.file, around, mutant.edit.new, *rests]).encode()
    ).hexdigest()


def read_kept(path: Path) -> dict[str, str]:
    """What noticed each mutant that was judged before, by key; a line that a kill cut off is left out."""
    kept = {}
    for line in path.read_text(encoding="utf8").splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
            kept[entry["key"]] = entry["by"]
        except (ValueError, KeyError):
            continue
    return kept


_judges: Judges | None = None


def _begin(folder: str, chapters: Sequence[Chapter], runs: Path) -> None:
    """Give this worker a tree of its own."""
    global _judges
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sources = Sources()
    _judges = Judges(sources, chapters, Tree(Path(folder) / str(os.getpid())), runs)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _one(mutant: Mutant) -> tuple[Mutant, str]:
    assert _judges is not None
    return mutant, _judges.judge(mutant, CLASSES[mutant.kind].judges)


def judged(mutants: Sequence[Mutant], sources: Sources, workers: int) -> Iterator[tuple[Mutant, str]]:
    """Each mutant with the guard that noticed it, or with nothing; those that take longest come first."""
    build = sources.root / "book" / "_build"
    judges = {judge for m in mutants for judge in CLASSES[m.kind].judges}
    chapters = agree.gather(executed(sources.root)) if judges != {"tests"} else []
    order = sorted(mutants, key=lambda m: -max(COST.get(judge, 0) for judge in CLASSES[m.kind].judges))
    if "tests" in judges:
        for name in LARGE:
            __import__(name)
    speed_up()
    waiting: dict[Mutant, str] = {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        context = multiprocessing.get_context("fork")
        pool = context.Pool(workers, _begin, (folder, chapters, build / "mutants"))
        try:
            for mutant, said in pool.imap_unordered(_one, order):
                if "pages" in CLASSES[mutant.kind].judges and said in ("", f"text: {book_mutants.WORDED}"):
                    waiting[mutant] = said
                else:
                    yield mutant, said
            pool.close()
        except BaseException:
            for worker in psutil.Process().children():  # what they started; a killed worker would keep its lock
                for process in worker.children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
            pool.terminate()
            raise
        finally:
            pool.join()
        tree = Tree(Path(folder) / "pages")
        for batch in batches(list(waiting)):
            found = by_pages(sources, tree, build / "cache", batch)
            for mutant in batch:
                yield mutant, f"pages: {found[mutant]}" if mutant in found else waiting[mutant]


def batches(mutants: Sequence[Mutant]) -> list[list[Mutant]]:
    """As few lists as possible in which no file is twice."""
    lists: list[list[Mutant]] = []
    number: Counter[str] = Counter()
    for mutant in mutants:
        index = number[mutant.edit.file]
        number[mutant.edit.file] += 1
        if index == len(lists):
            lists.append([])
        lists[index].append(mutant)
    return lists


# ---------------------------------------------------------------------------------------------------------------
# Report
# ---------------------------------------------------------------------------------------------------------------


class Reason(NamedTuple):
    """Why mutants survive: those of a class (a pattern) in a file (a pattern) with a change (a pattern)."""

    kind: str
    file: str
    change: str
    reason: str
    equivalent: bool


def read_reasons(path: Path) -> list[Reason]:
    """The checked list of reasons.

    Raises:
        MutantError: for an entry that lacks a part.
    """
    found = []
    for entry in (yaml.safe_load(path.read_text(encoding="utf8")) if path.exists() else None) or []:
        if not isinstance(entry, dict) or set(entry) - {"equivalent"} != {"class", "file", "change", "reason"}:
            raise MutantError(
                f"{path}: an entry has class, file, change and reason, and may have equivalent; got {entry}"
            )
        parts = [str(entry[name]) for name in ("class", "file", "change", "reason")]
        found.append(Reason(*parts, bool(entry.get("equivalent"))))
    return found


def reason_for(mutant: Mutant, reasons: Sequence[Reason]) -> Reason | None:
    """The first reason that fits."""
    for one in reasons:
        if one.kind == mutant.kind and fnmatch.fnmatch(mutant.edit.file, one.file):
            if one.change == mutant.change or fnmatch.fnmatch(mutant.change, one.change):
                return one
    return None


def record_of(outcome: Mapping[Mutant, str], reasons: Sequence[Reason], seed: int) -> dict[str, Any]:
    """What `book/mutants.json` holds: for each class made, killed, by whom, and the survivors."""
    classes: dict[str, Any] = {}
    for name in CLASSES:
        mine = {mutant: by for mutant, by in outcome.items() if mutant.kind == name}
        if not mine:
            continue
        survivors, equivalent = [], 0
        for mutant in sorted((m for m, by in mine.items() if not by), key=lambda m: (m.edit.file, m.line)):
            reason = reason_for(mutant, reasons)
            equivalent += bool(reason and reason.equivalent)
            survivors.append(
                {"place": mutant.place, "change": mutant.change, "reason": reason.reason if reason else ""}
                | ({"equivalent": True} if reason and reason.equivalent else {})
            )
        by = Counter(guard(said) for said in mine.values() if said)
        classes[name] = {
            "made": len(mine),
            "killed": sum(by.values()),
            "equivalent": equivalent,
            "by": dict(sorted(by.items())),
            "survivors": survivors,
        }
    return {"seed": seed, "classes": classes}


def guard(said: str) -> str:
    """The guard of a verdict: ``text: prose`` is found by the guard *prose*, ``tests: ..`` by the tests."""
    judge, _, what = said.partition(": ")
    return {"text": what, "run": "execution"}.get(judge, judge)


def as_json(record: Mapping[str, Any]) -> str:
    """The record with a line for each survivor."""
    parts = []
    for name, entry in record["classes"].items():
        rows = ",\n".join(f"    {json.dumps(x, ensure_ascii=False)}" for x in entry["survivors"])
        rest = ", ".join(
            f"{json.dumps(k)}: {json.dumps(entry[k])}" for k in ("made", "killed", "equivalent", "by")
        )
        parts.append(f'  {json.dumps(name)}: {{{rest}, "survivors": [\n{rows}\n  ]}}'.replace("[\n\n  ]", "[]"))
    return f'{{"seed": {record["seed"]}, "classes": {{\n' + ",\n".join(parts) + "\n}}\n"


def main(seed: int, only: str, workers: int, show: bool) -> int:
    """Judge what is not known yet, print the report, write the record; 1 when too many of a class survive."""
    signal.signal(signal.SIGTERM, _interrupt)
    sources = Sources()
    mutants = made(sources, seed, only)
    digests = Digests()
    keys = {mutant: key(mutant, sources, digests) for mutant in mutants}
    kept_file = ROOT / KEPT
    kept = read_kept(kept_file)
    todo = [mutant for mutant in mutants if keys[mutant] not in kept]
    print(f"{len(mutants)} mutants, {len(mutants) - len(todo)} known", file=sys.stderr)
    if todo:
        kept_file.parent.mkdir(parents=True, exist_ok=True)
        form = "{desc} {percentage:3.0f}%|{bar:30}| {n}/{total}, {elapsed} so far, {remaining} left"
        with (
            kept_file.open("a", encoding="utf8") as log,
            tqdm(total=len(todo), desc="judging", bar_format=form) as bar,
        ):
            for mutant, by in judged(todo, sources, workers):
                kept[keys[mutant]] = by
                log.write(json.dumps({"key": keys[mutant], "by": by, "name": mutant.name}) + "\n")
                log.flush()
                bar.update()
    outcome = {mutant: kept[keys[mutant]] for mutant in mutants}
    reasons = read_reasons(ROOT / REASONS)
    record = record_of(outcome, reasons, seed)
    if only:
        old = book_mutants.read(ROOT / RECORD)
        merged = {name: record["classes"].get(name) or old.get("classes", {}).get(name) for name in CLASSES}
        record = record | {"classes": {name: entry for name, entry in merged.items() if entry}}
    replace_file(ROOT / RECORD, as_json(record))
    for mutant, by in outcome.items():
        if show or not by:
            reason = reason_for(mutant, reasons)
            print(f"{mutant.name}\n    {by or (f'survives: {reason.reason}' if reason else 'SURVIVES')}")
    print(book_mutants.table(record))
    print(f"recorded in {RECORD}")
    wrong = [": ".join(one) for one in book_mutants.faults(record)] + list(idle(reasons, outcome))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def idle(reasons: Sequence[Reason], outcome: Mapping[Mutant, str]) -> Iterator[str]:
    """A line for each reason of these classes that no survivor needs any more."""
    needed = {reason_for(mutant, reasons) for mutant, by in outcome.items() if not by}
    kinds = {mutant.kind for mutant in outcome}
    for one in reasons:
        if one.kind in kinds and one not in needed:
            yield f"{REASONS}: nothing survives as {one.kind}, {one.file}, {one.change}: remove the entry"
