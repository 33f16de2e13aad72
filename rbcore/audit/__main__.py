"""The command line of :mod:`rbcore.audit`: an option for each of its fields, a report, one line for each error."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from rbcore import audit
from rbcore.audit import embed
from rbcore.audit.embed import EmbedError
from rbcore.audit.options import Options
from rbcore.audit.read.records import InputError
from rbcore.audit.report import write


def parser() -> argparse.ArgumentParser:
    """Options with the names, types and defaults of the fields of :class:`rbcore.audit.Options`."""
    made = argparse.ArgumentParser(
        prog="python -m rbcore.audit",
        description="Audit synthetic data against real records of the task; write report.html and report.json.",
    )
    hints = typing.get_type_hints(Options, include_extras=True)
    for one in dataclasses.fields(Options):
        kind, note = typing.get_args(hints[one.name])
        required = one.default is dataclasses.MISSING
        given = {"required": True} if required else {"default": one.default}
        shown = "" if required or one.default is None else f" (default: {one.default})"
        made.add_argument(
            f"--{one.name}", type=int if kind is int else str, help=(note + shown).replace("%", "%%"), **given
        )
    made.add_argument("--strict", action="store_true", help="exit with status 3 when something is flagged")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Audit, write the report, print its verdict.

    The exit status: 0 written, 1 refused with a message, 3 flagged and --strict, 130 interrupted.
    """
    given = vars(parser().parse_args(argv))
    strict = given.pop("strict")
    try:
        options = Options(**given)
        _check_out(options)
        if options.embed != embed.DEFAULT or not all(map(os.path.isfile, options.sources().values())):
            _keep_libraries_quiet()  # an audit of files does not load them
        result = audit.run(options)
        path = write.write(result, options.out)
    except (InputError, EmbedError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except MemoryError:
        print("error: there is not enough memory; use a smaller LIMIT, such as LIMIT=50000", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: finished stages are kept; the same command goes on from there", file=sys.stderr)
        return 130
    print(write.summary(result))
    print(f"report: {path}\nnumbers: {path.with_suffix('.json')}")
    return 3 if strict and result.flagged else 0


def _check_out(options: Options) -> None:
    """Raise InputError for a folder that the report cannot go to, before anything is read."""
    out = Path(options.out)
    if out.exists() and not out.is_dir():
        raise InputError(f"OUT={options.out}: a file of that name exists; name a folder for the report")
    for name, source in options.sources().items():
        if out.exists() and Path(source).exists() and Path(source).samefile(out):
            raise InputError(f"OUT={options.out}: this is the input {name}; name another folder for the report")


def _keep_libraries_quiet() -> None:
    """No progress bars and no retry messages of the libraries between our own lines."""
    import logging

    import datasets
    from transformers.utils import logging as transformers_logging

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    datasets.disable_progress_bars()


if __name__ == "__main__":
    sys.exit(main())
