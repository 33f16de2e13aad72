"""Judge the mutants of the book: python -m mutants [--only formulas] [--seed 1] [--jobs 2] [--show]"""

from __future__ import annotations

import argparse
import os
import sys

from mutants.judges import JudgeError
from mutants.run import MutantError, main

parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
parser.add_argument("--only", default="", help="classes whose names hold this")
parser.add_argument("--seed", type=int, default=1, help="of the choice of mutants")
parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at a time")
parser.add_argument("--show", action="store_true", help="list those that were noticed, too")
given = parser.parse_args()
try:
    sys.exit(main(given.seed, given.only, given.jobs, given.show))
except (MutantError, JudgeError) as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(1)
except KeyboardInterrupt:
    print("\ninterrupted: what was judged is kept, the next call goes on from there", file=sys.stderr)
    sys.exit(130)
