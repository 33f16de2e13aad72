"""The commands behind the Makefile, ``python -m rbcore <command>``: book, agree, pin, run, sweep and others."""

from __future__ import annotations

import argparse
import functools
import http.server
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rbcore.book import (
    address,
    agree,
    changes,
    course,
    falsified,
    formulas,
    labels,
    paper,
    portable,
    prose,
    recorded,
    release,
    replay,
    runs,
    scaffold,
    seeds,
    sentences,
    site,
    slides,
    sources,
    sweep,
)
from rbcore.book.execute import (
    COSTS,
    ROOT,
    ExecutionError,
    Job,
    attempt,
    execute,
    find,
    notebooks,
    parameters_of,
    parse_parameters,
    recorded_costs,
)
from rbcore.book.kernels import locked
from rbcore.book.ledger import Chapter, LedgerError
from rbcore.book.parameters import table
from rbcore.course.tasks import TaskError, tasks
from rbcore.information.expr import ExpressionError
from rbcore.information.shannon import ProverError

PINS, ALLOWED = "book/ledger.json", "book/prose-allow.yml"
REFUSED = (
    ExecutionError,
    LedgerError,
    ExpressionError,
    ProverError,
    site.SiteError,
    paper.PaperError,
    slides.SlidesError,
    replay.ReplayError,
    release.ReleaseError,
    scaffold.ScaffoldError,
    course.CourseError,
    TaskError,
)
FALSIFIED, SEEDS = recorded.FALSIFIED, recorded.SEEDS
TEXT = ("sentence", "record")  # what drifts without a result


def jobs_of(root: Path, numbers: str = "") -> list[Job]:
    """A job for each chapter, or for those whose numbers are named."""
    named = numbers.split()
    jobs = [Job(find(number, root), root=root) for number in named] or [Job(n, root=root) for n in notebooks(root)]
    if not jobs:
        raise ExecutionError(f"{root} is not the book's folder: it has no notebooks/01-...md")
    for job in jobs:
        tasks(job.source)  # a mistake in one is said before anything runs
    return jobs


def run_chapters(root: Path, *, fresh: bool = False) -> tuple[dict[str, Path], list[Chapter]]:
    """Execute what must run and read all chapters back; an error if a notebook does not run to its end."""
    executed = execute(jobs_of(root), root / "book" / "_build" / "cache", fresh=fresh)
    return executed, agree.gather(executed)


def compare(
    root: Path, chapters: Sequence[Chapter], *, whole: bool = True
) -> tuple[list[agree.Problem], list[agree.Problem]]:
    """Where these chapters differ from their own text, and where from the pins.

    Args:
        whole: these are all chapters.  Else names that they lack are no mistakes of the text.
    """
    texts, allowed = list(prose.book_texts(root)), prose.load_allowed(root / ALLOWED)
    wrong, pins = agree.disagreements(chapters, texts, allowed), agree.read_pins(root / PINS)
    if not whole:
        ran = {chapter.name for chapter in chapters}
        wrong = [p for p in wrong if p.found_by == "claim" or p.where in ran]
        pins = agree.pins_for(pins, ran)
    moved = [*agree.drift(chapters, pins, texts), *sentences.drift(root)]
    return (
        [*wrong, *sources.problems(root), *recorded.problems(root), *formulas.problems(root, texts)],
        [*moved, *recorded.outdated(root, chapters, whole=whole)],
    )


def check(root: Path, chapters: Sequence[Chapter]) -> int:
    """Print what disagrees with the text or with the pins; the exit status is 1 if anything does."""
    wrong, moved = compare(root, chapters)
    if wrong or moved:
        print(agree.report([*wrong, *moved]))
        return 1
    print(f"agreement: {counted(chapters)} agree with their pins and with the text")
    return 0


def counted(chapters: Sequence[Chapter]) -> str:
    """How much there is: ``635 values and 479 claims of 13 chapters``."""
    values, claims = sum(len(c.values) for c in chapters), sum(len(c.claims) for c in chapters)
    return f"{values} values and {claims} claims of {len(chapters)} chapters"


def book(root: Path, *, fresh: bool = False) -> int:
    """Execute, build the pages of what ran, say how they agree with the text and with the pins.

    The exit status is 1 where the run disagrees with its own text: a claim fails, a notebook does not run, the
    text is wrong.  Results that drifted from their pins do not change it; pages and summary say so.
    """
    began = time.monotonic()
    executed, failed = attempt(jobs_of(root), root / "book" / "_build" / "cache", fresh=fresh)
    for reason in failed.values():
        print(f"error: {reason}", file=sys.stderr)
    chapters = agree.gather(executed)
    wrong, moved = compare(root, chapters, whole=not failed)
    results = [p for p in moved if p.found_by not in TEXT]
    built = root / "book" / "_build"
    with locked(built):
        site.assemble(root, executed, chapters, built / "source", results, failed)
        page, warnings = site.build(built / "source", built / "html")
    if not failed:
        edition = {"version": address.version(root), "commit": address.commit(root)}
        replay.write(built / replay.NAME, root, chapters, edition)
    if wrong or moved:
        print(agree.report([*wrong, *moved]))
    warnings = "\n".join([*site.unlisted(root, executed), *filter(None, [warnings])])
    if warnings and not failed:
        print(warnings, file=sys.stderr)
    print(summary(chapters, wrong, moved, failed))
    print(f"built in {time.monotonic() - began:.0f} s; open {page}")
    return 1 if wrong or failed or warnings else 0


def summary(
    chapters: Sequence[Chapter],
    wrong: Sequence[agree.Problem],
    moved: Sequence[agree.Problem],
    failed: Mapping[str, str],
) -> str:
    """What a build ends with, a line for each question."""
    failing = sum(p.found_by == "claim" for p in wrong)
    drifted = len({(p.found_by, p.name) for p in moved if p.found_by not in TEXT})
    worded, old = (sum(p.found_by == kind for p in moved) for kind in ("sentence", "record"))
    lines = [f"this run and its text: {counted(chapters)}"]
    lines[0] += (
        f"; {failing} claims fail, {len(wrong) - failing} mistakes in the text" if wrong else "; they agree"
    )
    lines.append(
        f"this run and the pins: {drifted} results drifted or are not pinned; the head of the ledger lists them"
        if drifted
        else "this run and the pins: every pinned result was reproduced"
    )
    if worded:
        lines.append(f"the text and its pins: its wording changed in {worded} places; `make pin` accepts them")
    if old:
        lines.append(f"the records of other runs: {old} are out of date")
    if failed:
        lines.append(f"not run to the end: {', '.join(sorted(failed))}")
    return "\n".join(lines)


def pin(root: Path, numbers: str = "") -> int:
    """Accept the fresh numbers, of some chapters or of all; a claim that fails cannot be pinned."""
    chapters = agree.gather(execute(jobs_of(root, numbers), root / "book" / "_build" / "cache"))
    failing = [claim for chapter in chapters for claim in chapter.claims if claim.verdict == "fails"]
    for claim in failing:
        print(f"{claim.chapter}: the claim {claim.id!r} fails: {claim.sentence}", file=sys.stderr)
    if failing:
        print("nothing was pinned: fix the sentences or what they check", file=sys.stderr)
        return 1
    agree.write_pins(root / PINS, chapters, only=bool(numbers))
    sentences.write(root, [chapter.name for chapter in chapters] if numbers else ())
    print(f"pinned {PINS} and {sentences.PINS}; `git diff book` shows what changed")
    return 0 if numbers else check(root, chapters)


def other_arithmetic(root: Path, numbers: str, only: str) -> int:
    """Execute the chapters under other arithmetic; the exit status is 1 if anything drifts or fails."""
    ways = [way for way in portable.arithmetics() if only.lower() in way.name.lower()]
    ways = ways if only else ways[1:]  # its own arithmetic is what everything else runs with
    if not ways:
        names = ", ".join(way.name for way in portable.arithmetics())
        raise ExecutionError(f"no arithmetic {only!r}: choose from {names}")
    status, pins = 0, agree.read_pins(root / PINS)
    for way, count, found in portable.run(
        jobs_of(root, numbers), root / "book" / "_build" / "portable", pins, ways
    ):
        if found:
            print(agree.report(found))
            status = 1
        else:
            print(f"{way.name}: {count} chapters, no drift, no failing claim", flush=True)
    return status


def other_seeds(root: Path, numbers: str, count: int) -> int:
    """Execute the chapters with other seeds; the exit status is 1 if one holds on too few (:func:`seeds.weak`)."""
    if count < 1:
        raise ExecutionError(f"SEEDS={count}: a number of seeds, at least 1")
    sources = [job.source for job in jobs_of(root, numbers)]
    record = seeds.run(sources, root, root / SEEDS, count)
    chosen = {name: entry for name, entry in record.items() if name in {source.stem for source in sources}}
    print(seeds.table(chosen))
    found = list(seeds.weak(chosen))
    for line in found:
        print(line, file=sys.stderr)
    print(f"recorded in {SEEDS}")
    return 1 if found else 0


def run_one(root: Path, number: str, text: str) -> int:
    """Execute one notebook with other parameters into `runs/`, and show it beside the book."""
    source = find(number, root)
    tasks(source)
    for parameter in parameters_of(source):
        if parameter.problem:
            print(f"{source.name}: the parameter {parameter.name}: {parameter.problem}", file=sys.stderr)
    job = Job(source, parse_parameters(text, source), root)
    done = runs.run(job)
    if done.failed:
        raise ExecutionError("\n\n".join(done.failed.values()))
    (path,) = done.paths.values()
    (chapter,) = agree.gather({job.name: path})
    found = runs.compared(job, chapter)
    written = runs.write(job, path, chapter, found)
    print(runs.report(found, {v.name: v for v in chapter.values}))
    wrong = mistakes(root, source, chapter)
    if wrong:
        print(agree.report(wrong))
    without = site.images_without_alt([written.page.parent / "chapters" / f"{chapter.name}.html"])
    for line in without:
        print(f"a figure needs `image: {{alt: ..}}` at the head of its cell: {line}", file=sys.stderr)
    print(f"page: {written.page}\nnotebook: {written.notebook}\nall runs: {written.index}")
    return 1 if (wrong or without) and not job.parameters else 0


def run_many(root: Path, number: str, text: str, backend: str, at_once: str, chosen: str) -> int:
    """Execute a grid of runs into `runs/`; the exit status is 1 if one of them fails."""
    if at_once and not (at_once.isdecimal() and 0 < int(at_once[:6]) <= 1024):
        raise ExecutionError(f"JOBS={at_once}: runs at a time, a number from 1 to 1024")
    planned = sweep.plan(text, find(number, root), root)
    done = sweep.run(planned, backend or "loky", int(at_once or 0))
    failed = [one for one in done if one.chapter is None]
    if len(failed) == len(done):
        raise ExecutionError(f"every run failed; the first:\n{failed[0].error}")
    page, index = sweep.write(planned, done, chosen.split())
    print(f"{len(done)} runs, {len(failed)} failed\npage: {page}")
    print(f"tables: {page.with_name('values.csv')}, {page.with_name('claims.csv')}\nall runs: {index}")
    return 1 if failed else 0


def mistakes(root: Path, source: Path, chapter: Chapter) -> list[agree.Problem]:
    """What is wrong with a chapter's text; names that are pinned may belong to others, or be quoted by them."""
    unknown = list(labels.unknown(root, source))
    file, pins = source.relative_to(root).as_posix(), agree.read_pins(root / PINS)
    found = agree.disagreements(
        [chapter], [(file, source.read_text(encoding="utf8"))], prose.load_allowed(root / ALLOWED)
    )
    return unknown + [
        p
        for p in found
        if p.found_by != "claim" and p.where.split(":")[0] in (file, chapter.name)
        if p.name not in pins["values"].keys() | pins["claims"].keys()
    ]


def parameters(root: Path, numbers: str) -> int:
    """Print the parameters of the chapters, or of those whose numbers are named."""
    costs = recorded_costs(root / COSTS)
    width = shutil.get_terminal_size((100, 24)).columns
    for job in jobs_of(root, numbers):
        seconds = f" ({costs[job.name]:.0f} s at the defaults)" if job.name in costs else ""
        print(f"{job.name}{seconds}\n{table(parameters_of(job.source), max(80, min(width, 140)))}\n")
    print('a run with others: make run NB=02 P="seed=3 n=100"')
    return 0


def serve(root: Path, port: int) -> int:
    """Serve the built pages on this machine."""
    pages = root / "book" / "_build" / "html"
    if not (pages / "index.html").exists():
        print("no pages yet: run `make book` first", file=sys.stderr)
        return 1
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(pages))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        print(f"port {port} cannot be used ({error}); choose another: make serve PORT=8001", file=sys.stderr)
        return 1
    with server:
        print(f"http://127.0.0.1:{server.server_address[1]}/ (Ctrl-C ends it)", flush=True)
        server.serve_forever()
    return 0


def falsify(root: Path, models: int, numbers: str = "") -> int:
    """Evaluate every theorem on many random models; the exit status is 1 if one of them breaks it."""
    chapters = agree.gather(execute(jobs_of(root, numbers), root / "book" / "_build" / "cache"))
    theorems = falsified.theorems_of(chapters)
    record = falsified.run(theorems, root / FALSIFIED, models, only=bool(numbers))
    if numbers:
        record = {name: record[name] for name in (falsified.key(*one) for one in theorems)}
    print(falsified.table(record))
    broken = [name for name, entry in record.items() if entry["slack"] < -1e-8]
    for name in broken:
        print(f"broken by a random model: {name}", file=sys.stderr)
    print(f"{len(record)} theorems, {sum(e['models'] for e in record.values()):,} models; recorded in {FALSIFIED}")
    return 1 if broken else 0


def pdf(root: Path) -> int:
    """Print the book as it was last built."""
    built = root / "book" / "_build" / "html"
    if not (built / "index.html").exists():
        raise paper.PaperError("there are no pages to print: call `make book` first")
    with locked(built.parent):
        print(f"printed {paper.write(root, built)}; the site links its copy, {built / 'downloads' / paper.NAME}")
    return 0


def make_slides(root: Path) -> int:
    """Make the decks of slides from the book as it was last built."""
    built = root / "book" / "_build" / "html"
    if not (built / "index.html").exists():
        raise slides.SlidesError("there are no pages to make slides of: call `make book` first")
    with locked(built.parent):
        print(f"slides: {slides.write(root, built)}; the site links its copy")
    return 0


def judge_again(root: Path, file: Path | None, pages: Path | None) -> int:
    """Replay an edition, and compare it with the checkout and the pages where they are there."""
    built = root / "book" / "_build"
    checkout = root if (root / "notebooks").is_dir() else None
    if pages is not None and not pages.is_dir():
        raise replay.ReplayError(f"there is no folder {pages}")
    pages = built / "html" if pages is None and file is None and (built / "html").is_dir() else pages
    return replay.run(file or built / replay.NAME, checkout, pages)


def new(root: Path, name: str, title: str) -> int:
    """Add a chapter that builds as it is, and say what comes next."""
    made = scaffold.write(root, name, title)
    number = made.stem[:2]
    written = f"{made.relative_to(root)}, book/slides/{number}.md, a line of book/_toc.yml and a row of README.md"
    print(f"wrote {written}; next:")
    print(f"  make run NB={number}   executes it alone and shows its page")
    print("  make book         builds the book with it; its results are not pinned yet")
    print("CONTRIBUTING.md, Add a chapter, says what to replace and what checks it")
    return 0


def build_wheel(root: Path) -> int:
    """Build the core's wheel; the site serves it, too, where it is built."""
    built = root / "book" / "_build"
    made = release.wheel(root, built / "dist")
    release.serve_downloads(built, made)
    print(f"{made} ({made.stat().st_size / 1e6:.1f} MB)")
    return 0


def make_course(root: Path, pages: bool) -> int:
    """Make the course, and the pages without solutions where they are asked for."""
    executed, chapters = run_chapters(root)
    target = root / "book" / "_build" / "course"
    with locked(target.parent):
        course.make(root, chapters, target, executed if pages else None)
    print(f"course: {target}; README.md there says how to give out, grade and read the result")
    return 0


def _interrupt(number: int, frame: object) -> None:
    """End as on Ctrl-C, so that kernels end and their folder goes."""
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 refused with the reason, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m rbcore", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    whole = commands.add_parser("book", help="execute what changed, check agreement, build the pages")
    whole.add_argument("--fresh", action="store_true", help="execute everything from nothing")
    commands.add_parser("pdf", help="print the built pages into one PDF")
    commands.add_parser("slides", help="make a deck of slides for each chapter from the built pages")
    commands.add_parser("agree", help="re-execute everything and compare with the pins")
    accept = commands.add_parser("pin", help="accept the fresh numbers as the new pins")
    one = commands.add_parser("run", help="one notebook with other parameters, into runs/")
    one.add_argument("notebook", help="its number, such as 02")
    one.add_argument("parameters", nargs="*", help="name=value ...")
    grid = commands.add_parser("sweep", help="a grid of runs of one notebook, into runs/")
    grid.add_argument("notebook", help="its number, such as 02")
    grid.add_argument("parameters", nargs="*", help="name=value,value,low..high or name=[..]|[..]")
    grid.add_argument("--backend", default="", help="of joblib: loky (default), dask or ray")
    grid.add_argument("--jobs", default="", help="runs at a time; one per core without it")
    grid.add_argument("--values", default="", help="names of the values that the page draws")
    shown = commands.add_parser("params", help="the parameters of the chapters, with meaning, range and cost")
    server = commands.add_parser("serve", help="serve the built pages")
    server.add_argument("--port", type=int, default=8000)
    many = commands.add_parser("falsify", help="evaluate every theorem on many random models")
    many.add_argument("--models", type=int, default=1_000_000)
    arithmetic = commands.add_parser("portable", help="re-execute under other arithmetic and print every drift")
    arithmetic.add_argument("--only", default="", help="a part of the name of one arithmetic")
    others = commands.add_parser("seeds", help="count on how many other seeds each claim holds")
    others.add_argument("--seeds", type=int, default=20, help="how many")
    for command in (accept, arithmetic, others, shown, many):
        command.add_argument(
            "--notebooks", default="", help="numbers of chapters, such as '02 05'; all without it"
        )
    again = commands.add_parser("replay", help="judge a published edition again, without running it")
    again.add_argument("--file", type=Path, help="the edition; by default that of the last `make book`")
    again.add_argument("--pages", type=Path, help="built pages that must show its numbers")
    added = commands.add_parser("new", help="add a chapter that builds as it is")
    added.add_argument("name", help="lower-case words joined by hyphens")
    added.add_argument("title", help="its heading")
    compared = commands.add_parser("changes", help="what a change does to the results, as Markdown")
    compared.add_argument("--since", required=True, help="a commit")
    taught = commands.add_parser("course", help="make notebooks for students and teachers, and the autograder")
    taught.add_argument("--site", action="store_true", help="build the pages without solutions, too")
    commands.add_parser("wheel", help="build the core's wheel")
    packed = commands.add_parser("release", help="build everything into one archive")
    packed.add_argument("--dirty", action="store_true", help="even if files are not committed")
    parser.add_argument("--root", type=Path, default=ROOT, help="the book's folder")
    given = parser.parse_args(argv)
    root = given.root.resolve()
    with suppress(ValueError):  # only a main thread gets signals
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        match given.command:
            case "book":
                return book(root, fresh=given.fresh)
            case "pdf":
                return pdf(root)
            case "slides":
                return make_slides(root)
            case "agree":
                return check(root, run_chapters(root, fresh=True)[1])
            case "pin":
                return pin(root, given.notebooks)
            case "run":
                return run_one(root, given.notebook, " ".join(given.parameters))
            case "sweep":
                words = " ".join(given.parameters)
                return run_many(root, given.notebook, words, given.backend, given.jobs, given.values)
            case "params":
                return parameters(root, given.notebooks)
            case "falsify":
                return falsify(root, given.models, given.notebooks)
            case "portable":
                return other_arithmetic(root, given.notebooks, given.only)
            case "seeds":
                return other_seeds(root, given.notebooks, given.seeds)
            case "changes":
                print(changes.since(root, given.since))
                return 0
            case "new":
                return new(root, given.name, given.title)
            case "course":
                return make_course(root, given.site)
            case "wheel":
                return build_wheel(root)
            case "release":
                release.write(root, functools.partial(book, root), dirty=given.dirty)
                return 0
            case "replay":
                return judge_again(root, given.file, given.pages)
            case _:
                return serve(root, given.port)
    except REFUSED as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # no room, no permission: what was finished is kept
        print(f"error: {error.strerror or error}: {error.filename or root}", file=sys.stderr)
        print("finished notebooks are kept; fix this and call again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if given.command == "release":
            print("\ninterrupted: nothing was released; the next call goes on from here", file=sys.stderr)
            return 130
        if given.command in ("pdf", "slides"):
            print("\ninterrupted: nothing was printed, an earlier print is as it was", file=sys.stderr)
            return 130
        if given.command != "serve":
            kept = "theorems" if given.command == "falsify" else "notebooks"
            print(f"\ninterrupted: finished {kept} are kept, the next call goes on from there", file=sys.stderr)
            return 130
        return 0
