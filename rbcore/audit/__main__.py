"""The command of :mod:`rbcore.audit`: an option for each of its fields, a report, one line for each error.

What cannot be audited is refused before anything that computes is loaded.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import sys
import typing
from collections.abc import Sequence
from pathlib import Path

from rbcore.audit.options import DEFAULT, Options
from rbcore.audit.read.formats import locate
from rbcore.audit.read.records import InputError, described

if typing.TYPE_CHECKING:
    from rbcore.audit.result import Result

FINE, FAILED, REFUSED, FLAGGED, UNSURE, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit statuses: nothing flagged, no memory or disk, bad input, something flagged, not sure, interrupted."""
GROUPS = {
    "inputs": "anchor synth raw heldout split subset limit skip",
    "fields of the records": "text fields role side vector label prompt logprob losses",
    "output": "out clean no_fail",
}
OTHERS = "how it is done"
EXAMPLE = """\
example:
  rbcore-audit --anchor real.jsonl --synth made.jsonl --text answer --out runs/audit
  compares the field "answer" of both files and writes runs/audit/report.html,
  report.json (the numbers) and flags.jsonl (the rows to look at)

exit status:
  0  nothing is flagged          3  something is flagged (0 with --no-fail)
  2  bad input or option         1  no memory, or a file cannot be written
  4  with --sure: it cannot tell, though nothing is flagged
  130  interrupted; the same command goes on from there
"""


def parser() -> argparse.ArgumentParser:
    """Options with the names, types and defaults of the fields of :class:`rbcore.audit.Options`, and two more."""
    made = argparse.ArgumentParser(
        prog="rbcore-audit",
        description="Is synthetic training data good enough to use?  Compares it with real records of the same\n"
        "task, names what is wrong and where, and says what to change.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    groups = {title: made.add_argument_group(title) for title in (*GROUPS, OTHERS)}
    group_of = {name: groups[title] for title, names in GROUPS.items() for name in names.split()}
    hints = typing.get_type_hints(Options, include_extras=True)
    for one in dataclasses.fields(Options):
        kind, note = typing.get_args(hints[one.name])
        required = one.default is dataclasses.MISSING
        given = {"required": True} if required else {"default": one.default}
        shown = " (needed)" if required else "" if one.default is None else f" (default: {one.default})"
        option = f"--{one.name.replace('_', '-')}"
        group_of.get(one.name, groups[OTHERS]).add_argument(
            option,
            dest=one.name,
            metavar="N" if kind is int else one.name.upper(),
            type=int if kind is int else str,
            help=(note + shown).replace("%", "%%"),
            **given,
        )
    note = "also write SYNTH without the rows that flagged questions name to this file, and audit that again"
    groups["output"].add_argument("--clean", metavar="FILE", help=note)
    groups["output"].add_argument("--no-fail", action="store_true", help="exit with 0 when something is flagged")
    note = f"exit with {UNSURE} when nothing is flagged and the verdict is that it cannot tell"
    groups["output"].add_argument("--sure", action="store_true", help=note)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Audit, write the report, print its verdict; returns the exit status."""
    given = vars(parser().parse_args(argv))
    no_fail, clean, sure = given.pop("no_fail"), given.pop("clean"), given.pop("sure")
    try:
        options = Options(**given)
        _check(options, clean)
        result, path = _audited(options, clean)
    except ValueError as error:
        if not isinstance(error, InputError) and type(error).__name__ != "EmbedError":
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return REFUSED
    except OSError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return FAILED
    except MemoryError:
        print("error: there is not enough memory; use a smaller limit, such as --limit 50000", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\ninterrupted: finished stages are kept; the same command goes on from there", file=sys.stderr)
        return INTERRUPTED
    from rbcore.audit import rows
    from rbcore.audit.report import write
    from rbcore.audit.report.verdict import judged

    print(write.summary(result))
    print(f"\nreport:  {path}\nnumbers: {path.with_suffix('.json')}\nrows:    {path.with_name(rows.FILE)}")
    if result.cleaned is not None and result.cleaned.path:
        print(f"cleaned: {result.cleaned.path}")
    if result.flagged:
        return FINE if no_fail else FLAGGED
    return UNSURE if sure and judged(result).answer == "unsure" else FINE


def _audited(options: Options, clean: str | None) -> tuple[Result, Path]:
    if options.embed != DEFAULT or not all(map(os.path.isfile, options.sources().values())):
        _keep_libraries_quiet()  # an audit of files does not load them
    from rbcore.audit import cleaning, runner
    from rbcore.audit.report import write

    result = runner.run(options)
    path = write.write(result, options.out)
    if clean is not None:
        result = cleaning.clean(options, result, clean)
        write.write(result, options.out)
    return result, path


def _check(options: Options, clean: str | None) -> None:
    """Raise InputError for paths and fields that cannot be used, before all is read."""
    for name, source in options.sources().items():
        place = locate(name, source)[0]
        if place == "hub" and "/" not in source:
            raise InputError(f"{name}: {source}: there is no such file or folder (of the hub, name owner/name)")
    out = Path(options.out)
    if out.exists() and not out.is_dir():
        raise InputError(f"OUT={options.out}: a file of that name exists; name a folder for the report")
    above = next((one for one in (out, *out.absolute().parents) if one.exists()), out)
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError(f"OUT={options.out}: {above} is no folder that can be written; name another folder")
    for name, source in options.sources().items():
        if out.exists() and Path(source).exists() and Path(source).samefile(out):
            raise InputError(f"OUT={options.out}: this is the input {name}; name another folder for the report")
    if re.fullmatch(r"[./~].*", options.embed) and not os.path.isdir(os.path.expanduser(options.embed)):
        raise InputError(f"EMBED={options.embed}: there is no such folder")
    if clean is not None:
        from rbcore.audit import cleaning

        cleaning.check(options, clean)
    for name, source in options.sources().items():
        if locate(name, source)[0] not in ("hub", "disk"):  # those take a library that loads for long
            described(name, source, options.selection(name))


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
