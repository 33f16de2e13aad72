"""What faults leave behind, and how often intervals cover: directive ``{faults}``, role ``{fault}`kills torn` ``.

Both read `faults.json`, the record of `make faults`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from ledger_roles import row_of, table_of
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from rbcore.book import faults

logger = logging.getLogger(__name__)
COLUMNS = {  # of a part: heading and count, in the order of the table
    "kills": {"Killed": "kills", "Half-written": "torn", "Processes left": "orphans", "Other results": "differ",
              "Unfinished files": "left", "After the next call": "remained"},
    "full": {"Trials": "trials", "Half-written": "torn", "Unclear": "unclear", "Other results": "differ"},
    "threads": {"Threads": "threads", "Results": "results", "Not as pinned": "drift"},
    "network": {"Calls": "calls", "Failed": "failed"},
    "fuzzing": {"Inputs": "inputs", "Other errors": "wrong"},
}  # fmt: skip


def read(env: BuildEnvironment) -> dict[str, Any]:
    """The record; the page is noted as depending on it."""
    path = Path(env.srcdir) / faults.FILE
    env.note_dependency(str(path))
    return faults.read(path)


class FaultRole(SphinxRole):
    """A count of the record, summed over a part: ``{fault}`kills torn` ``; or ``intervals``, or ``repeats``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        record, words = read(self.env), self.text.split()
        if words == ["intervals"]:
            number = len(faults.covered(record))
        elif words == ["repeats"]:
            number = min((one.repeats for one in faults.covered(record)), default=0)
        else:
            try:
                number = faults.total(record, *words)
            except (KeyError, TypeError):
                logger.warning("no count %r in %s", self.text, faults.FILE, location=self.get_location())
                return [nodes.problematic(self.rawtext, f"?{self.text}?")], []
        return [nodes.inline(self.rawtext, f"{number:,}", classes=["rb-count"])], []


class FaultsDirective(SphinxDirective):
    """The rows of a part, or with ``:of: intervals`` the coverage of each kind of interval."""

    option_spec = {"of": lambda text: directives.choice(text, (*COLUMNS, "intervals"))}

    def run(self) -> list[nodes.Node]:
        record, part = read(self.env), self.options.get("of", "kills")
        for line in faults.problems(record):
            logger.warning("%s: %s", faults.FILE, line, location=self.get_location())
        if part == "intervals":
            head = ["Interval", "Where", "Covers", "Repeats", "By design"]
            rows = [
                [one.name, one.where, f"{one.share:.1%}", f"{one.repeats:,}",
                 "95 %" if one.by == "exact" else "95 % or more"]
                for one in faults.covered(record)
            ]  # fmt: skip
            return [table_of("rb-faults", head, [34, 26, 12, 12, 16], [row_of(*map(nodes.Text, r)) for r in rows])]
        if part not in record:  # not measured yet
            return [nodes.paragraph(text=f"Not measured yet: make faults ONLY={part}.")]
        columns = COLUMNS[part]
        rows = [[row["name"], *(f"{row[count]:,}" for count in columns.values())] for row in record.get(part, [])]
        widths = [28, *[72 // len(columns)] * len(columns)]
        return [table_of("rb-faults", ["", *columns], widths, [row_of(*map(nodes.Text, r)) for r in rows])]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_role("fault", FaultRole())
    app.add_directive("faults", FaultsDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
