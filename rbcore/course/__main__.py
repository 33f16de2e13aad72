"""Grade with the course's archives: ``python -m rbcore.course grade FOLDER`` and ``... check``."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rbcore.course import gradebook

ROOT = Path(__file__).resolve().parents[2]
COURSE = ROOT / "book" / "_build" / "course"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 refused or graded wrongly, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m rbcore.course", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    graded = commands.add_parser("grade", help="grade a folder of submitted notebooks")
    graded.add_argument("folder", type=Path, help="the submissions")
    graded.add_argument("--course", type=Path, default=COURSE, help="the course's folder")
    graded.add_argument(
        "--out", type=Path, help="the folder for the grades; by default `grades` beside the submissions"
    )
    graded.add_argument("--seconds", type=float, default=gradebook.SECONDS, help="for one submission")
    graded.add_argument("--jobs", type=int, help="submissions at a time; by default as many as cores")
    checked = commands.add_parser("check", help="grade the course's own right and wrong submissions")
    checked.add_argument("course", type=Path, nargs="?", help="the course's folder; without it one is made")
    given = parser.parse_args(argv)
    try:
        if given.command == "check":
            if (
                given.course is None
                and subprocess.run(["make", "--no-print-directory", "course"], cwd=ROOT).returncode
            ):
                return 1
            return gradebook.check(given.course or COURSE, gradebook.tool(ROOT))
        if given.seconds <= 0 or (given.jobs is not None and given.jobs < 1):
            raise gradebook.GradeError("--seconds and --jobs are positive numbers")
        out = given.out or given.folder.resolve().parent / "grades"
        rows, notes = gradebook.grade_all(
            given.folder, given.course, gradebook.tool(ROOT), seconds=given.seconds, jobs=given.jobs
        )
        gradebook.write(rows, notes, out)
        for note in notes:
            print(note)
        print(f"wrote {out / 'grades.csv'}, totals.csv, report.txt and hints/")
        return 0
    except gradebook.GradeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.strerror or error}: {error.filename or given.command}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
