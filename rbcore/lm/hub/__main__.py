"""The command line of :mod:`rbcore.lm.hub`: an option for each field of an experiment, a table of comparisons."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
import typing
from collections.abc import Sequence

import pandas as pd

from rbcore.lm.hub import ranks
from rbcore.lm.hub.experiment import ARMS, Experiment, compare, run


def parser() -> argparse.ArgumentParser:
    """Options with the names, types and defaults of the experiment's fields."""
    found = argparse.ArgumentParser(
        prog="python -m rbcore.lm.hub",
        description="Post-train a model on anchors, synthetic texts and a mixture; compare held-out log losses.",
        epilog="Several processes or machines: accelerate launch -m rbcore.lm.hub with the same options.",
    )
    types = typing.get_type_hints(Experiment)
    for field in dataclasses.fields(Experiment):
        kind = next(t for t in (*typing.get_args(types[field.name]), types[field.name]) if t is not type(None))
        required = field.default is dataclasses.MISSING
        shown = "" if required or field.default is None else f" (default: {field.default!r})"
        found.add_argument(
            "--" + field.name.replace("_", "-"),
            type=kind,
            required=required,
            default=None if required else field.default,
            help=(field.metadata["help"] + shown).replace("%", "%%"),
        )
    found.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one run of all arms for each")
    found.add_argument("--folder", help="keeps finished seeds; a call that was killed goes on from there")
    found.add_argument("--level", type=float, default=0.95, help="of each interval (default: 0.95)")
    return found


def comparisons(table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Each pair of arms: the mean of `loss(first) - loss(second)`, nats per text, and its interval."""
    return pd.DataFrame(
        [(f"{a} - {b}", *compare(table, a, b, level)) for a, b in itertools.combinations(ARMS, 2)],
        columns=["gap", "value", "low", "high"],
    )


def report(table: pd.DataFrame, level: float = 0.95) -> str:
    """The losses and the comparisons as text."""
    seeds = table["seed"].nunique()
    how = f"{seeds} seed{'s' * (seeds > 1)}; {{:.0%}} of answers passed"
    means = table.groupby("arm")["loss"].mean()
    pairs = comparisons(table, level)
    width, rows = max(map(len, pairs["gap"])), pairs.itertuples(index=False)
    accepted = table.groupby("seed")["accepted"].first().mean()
    over = "the seeds' means" if seeds > 1 else "the texts of one seed: it speaks of these students alone"
    return "\n".join(
        [
            f"held-out log loss, nats per text ({how.format(accepted)})",
            *(f"  {arm:{width}} {means[arm]:9.3f}" for arm in ARMS),
            f"differences, with intervals of level {level:g} each, over {over}",
            *(f"  {gap:{width}} {value:+9.3f}  [{low:+.3f}, {high:+.3f}]" for gap, value, low, high in rows),
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run an experiment and print its report; the exit status: 0 done, 1 refused, 130 interrupted."""
    given = vars(parser().parse_args(argv))
    seeds, folder, level = (given.pop(name) for name in ("seeds", "folder", "level"))
    _keep_libraries_quiet()
    try:
        if min(seeds) < 0 or len(set(seeds)) < len(seeds) or not 0 < level < 1:
            raise ValueError("seeds are not negative, each is named once, and the level is between 0 and 1")
        table = run(Experiment(**given), seeds, folder)
    except (ValueError, OSError) as error:
        if ranks.leads():
            print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if ranks.leads():
            kept = "finished seeds are kept" if folder else "nothing is kept without --folder"
            print(f"\ninterrupted: {kept}", file=sys.stderr)
        return 130
    if ranks.leads():
        if ranks.count() > 1:
            print(f"{ranks.count()} processes shared every batch")
        print(report(table, level))
    return 0


def _keep_libraries_quiet() -> None:
    """Their bars follow ours, and their advice is for programs of another kind."""
    import datasets
    from transformers.utils import logging

    logging.set_verbosity_error()
    if ranks.quiet() or not sys.stderr.isatty():
        logging.disable_progress_bar()
        datasets.disable_progress_bars()


if __name__ == "__main__":
    sys.exit(main())
