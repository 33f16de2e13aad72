"""`python -m rbcore.lm.pretrained`: ask the pretrained model and record what it writes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from rbcore.files import replace_file
from rbcore.lm.pretrained import store, writer


def main(argv: Sequence[str] | None = None) -> int:
    """Ask the model of the extra `real`, some twenty minutes of one core; what was asked before is kept."""
    parser = argparse.ArgumentParser(prog="python -m rbcore.lm.pretrained", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=store.Plan().seed, help="of anchors and answers (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("runs/pretrained"), help="for parts (%(default)s)")
    parser.add_argument("--out", type=Path, default=store.RECORD)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        model, about = writer.load(), store.provenance()
        plan = store.Plan(seed=options.seed)
        replace_file(options.out, store.make(model, options.folder, plan, about))
    except writer.Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on with the parts in {options.folder}", file=sys.stderr)
        return 130
    print(f"{options.out}: {options.out.stat().st_size / 1e3:.0f} kB", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
