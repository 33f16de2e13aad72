"""The commands behind the Makefile: ``python -m rbcore book|agree|pin|run|serve|falsify``."""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rbcore import agree, fulltier, prose, site
from rbcore.execute import ROOT, ExecutionError, Job, execute, find, notebooks, parse_parameters
from rbcore.expr import ExpressionError
from rbcore.ledger import Chapter, LedgerError, fill
from rbcore.shannon import ProverError
from rbcore.surroundings import alone

PINS, ALLOWED, FALSIFIED = "book/ledger.json", "book/prose-allow.yml", "book/falsified.json"


def run_chapters(root: Path, *, fresh: bool = False) -> tuple[dict[str, Path], list[Chapter]]:
    """Execute what must run and read all chapters back."""
    jobs = [Job(source, root=root) for source in notebooks(root)]
    if not jobs:
        raise ExecutionError(f"{root} is not the book's folder: it has no notebooks/01-...md")
    executed = execute(jobs, root / "book" / "_build" / "cache", fresh=fresh)
    return executed, agree.gather(executed)


def check(root: Path, chapters: Sequence[Chapter]) -> int:
    """Print what disagrees; the exit status."""
    allowed = prose.load_allowed(root / ALLOWED)
    found = agree.problems(chapters, agree.read_pins(root / PINS), prose.book_texts(root), allowed)
    if found:
        print(agree.report(found))
        return 1
    counts = f"{sum(len(c.values) for c in chapters)} values and {sum(len(c.claims) for c in chapters)} claims"
    print(f"agreement: {counts} of {len(chapters)} chapters agree with their pins and with the text")
    return 0


def book(root: Path) -> int:
    """Execute, check agreement, build the pages, print the path to open."""
    began = time.monotonic()
    executed, chapters = run_chapters(root)
    if check(root, chapters):
        print("the pages were not built; those from before are as they were", file=sys.stderr)
        return 1
    built = root / "book" / "_build"
    with alone(built):
        site.assemble(root, executed, chapters, built / "source")
        page = site.build(built / "source", built / "html")
    print(f"built in {time.monotonic() - began:.0f} s; open {page}")
    return 0


def pin(root: Path) -> int:
    """Accept the fresh numbers; a claim that fails cannot be pinned."""
    _, chapters = run_chapters(root)
    failing = [claim for chapter in chapters for claim in chapter.claims if claim.verdict == "fails"]
    for claim in failing:
        print(f"{claim.chapter}: the claim {claim.id!r} fails: {claim.sentence}", file=sys.stderr)
    if failing:
        print("nothing was pinned: mend the sentences or what they check", file=sys.stderr)
        return 1
    agree.write_pins(root / PINS, chapters)
    print(f"pinned {PINS}; `git diff {PINS}` shows what changed")
    return check(root, chapters)


def run_one(root: Path, number: str, text: str) -> int:
    """Execute one notebook with other parameters into `runs/`, as notebook and as pages; whole or not at all."""
    source = find(number, root)
    job = Job(source, parse_parameters(text, source), root)
    name = "-".join([job.name, *(f"{k}={v}" for k, v in job.parameters.items())])
    target = root / "runs" / "".join(c if c.isalnum() or c in "-=._" else "_" for c in name)
    executed = execute([job], root / "book" / "_build" / "cache-runs")
    chapters = agree.gather(executed)
    values = {v.name: v for c in chapters for v in c.values}
    work = root / "book" / "_build" / "run"
    with alone(root / "book" / "_build"):
        shutil.rmtree(work, ignore_errors=True)
        site.assemble(root, executed, chapters, work / "source")
        site.one_chapter(work / "source", job.name, job.parameters)
        site.build(work / "source", work / "whole" / "html", strict=False)
        (work / "whole" / f"{job.name}.ipynb").write_bytes(site.downloads(root, executed, chapters)[job.name])
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        os.replace(work / "whole", target)
        shutil.rmtree(work)
    for claim in (c for chapter in chapters for c in chapter.claims if c.verdict == "fails"):
        print(f"with these parameters the claim {claim.id!r} fails: {fill(claim.sentence, values)}")
    page = target / "html" / "chapters" / f"{job.name}.html"
    print(f"notebook: {target / (job.name + '.ipynb')}\npages: {page}")
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


def falsify(root: Path, models: int) -> int:
    """Evaluate every theorem on many random models; the exit status is 1 if one of them breaks it."""
    _, chapters = run_chapters(root)
    record = fulltier.run(fulltier.theorems_of(chapters), root / FALSIFIED, models)
    print(fulltier.table(record))
    broken = [name for name, entry in record.items() if entry["slack"] < -1e-8]
    for name in broken:
        print(f"broken by a random model: {name}", file=sys.stderr)
    print(f"{len(record)} theorems, {sum(e['models'] for e in record.values()):,} models; recorded in {FALSIFIED}")
    return 1 if broken else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 refused with the reason, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m rbcore", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("book", help="execute what changed, check agreement, build the pages")
    commands.add_parser("agree", help="re-execute everything and compare with the pins")
    commands.add_parser("pin", help="accept the fresh numbers as the new pins")
    one = commands.add_parser("run", help="one notebook with other parameters, into runs/")
    one.add_argument("notebook", help="its number, such as 02")
    one.add_argument("parameters", nargs="*", help="name=value ...")
    server = commands.add_parser("serve", help="serve the built pages")
    server.add_argument("--port", type=int, default=8000)
    many = commands.add_parser("falsify", help="evaluate every theorem on many random models")
    many.add_argument("--models", type=int, default=1_000_000)
    parser.add_argument("--root", type=Path, default=ROOT, help="the book's folder")
    given = parser.parse_args(argv)
    root = given.root.resolve()
    try:
        match given.command:
            case "book":
                return book(root)
            case "agree":
                return check(root, run_chapters(root, fresh=True)[1])
            case "pin":
                return pin(root)
            case "run":
                return run_one(root, given.notebook, " ".join(given.parameters))
            case "falsify":
                return falsify(root, given.models)
            case _:
                return serve(root, given.port)
    except (ExecutionError, LedgerError, ExpressionError, ProverError, site.SiteError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if given.command != "serve":
            kept = "theorems" if given.command == "falsify" else "notebooks"
            print(f"\ninterrupted: finished {kept} are kept, the next call goes on from there", file=sys.stderr)
            return 130
        return 0


if __name__ == "__main__":
    sys.exit(main())
