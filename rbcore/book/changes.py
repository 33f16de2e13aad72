"""What a change does to the results, as Markdown: numbers, claims, parameters, wording, figures to look at.

Two states of `book/ledger.json` and of `book/sentences.txt` are compared, and two states of the notebooks.  A
figure is listed where its cell or a result of its chapter changed; whether the picture did is for the reader of
the pages to see.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rbcore.book import sentences
from rbcore.book.agree import shown_unit, value_of
from rbcore.book.ledger import LedgerError

LEDGER = "book/ledger.json"
MOST = 60  # rows of one table; the rest is counted
EMPTY: dict[str, Any] = {"parameters": {}, "values": {}, "claims": {}}
FIGURE = re.compile(r"(?ms)^(`{3,})\{code-cell\}[^\n]*\n(.*?)^\1[ ]*$")
NAMED = re.compile(r"(?m)^\s+name:\s*(fig-[\w-]+)")


def at(root: Path, commit: str, path: str) -> str:
    """The text of a file at a commit; empty where it was not there.

    Raises:
        LedgerError: when there is no such commit.
    """
    known = subprocess.run(["git", "-C", str(root), "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"],
                           capture_output=True)  # fmt: skip
    if known.returncode:
        raise LedgerError(f"git knows no commit {commit!r}; a shallow clone may lack it: git fetch --unshallow")
    shown = subprocess.run(["git", "-C", str(root), "show", f"{commit}:{path}"], capture_output=True)
    return shown.stdout.decode() if shown.returncode == 0 else ""


def since(root: Path, commit: str) -> str:
    """What changed between a commit and the files of the checkout, as Markdown.

    Raises:
        LedgerError: for a commit that git does not know, or a ledger that is not JSON.
    """
    before = _ledger(at(root, commit, LEDGER), f"{LEDGER} of {commit}")
    path = root / LEDGER
    after = _ledger(path.read_text(encoding="utf8") if path.exists() else "", LEDGER)
    notebooks = {source.stem: source.read_text(encoding="utf8") for source in (root / "notebooks").glob("*.md")}
    earlier = {name: at(root, commit, f"notebooks/{name}.md") for name in notebooks}
    worded = _wording(sentences.from_text(at(root, commit, sentences.PINS)), sentences.pinned(root))
    return report(before, after, figures(earlier, notebooks, moved_chapters(before, after)), worded)


def _ledger(text: str, name: str) -> dict[str, Any]:
    try:
        return EMPTY | (json.loads(text) if text else {})
    except (json.JSONDecodeError, TypeError) as error:
        raise LedgerError(f"{name} is not the JSON that `make pin` writes: {error}") from None


def report(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    drawn: list[str],
    worded: Sequence[tuple[str, str, str]] = (),
) -> str:
    """The comparison of two ledgers, with the sentences that were reworded and the figures to look at."""
    parts = [
        *_table("Numbers", ("value", "before", "now"), list(_values(before["values"], after["values"]))),
        *_table("Claims", ("claim", "before", "now"), list(_claims(before["claims"], after["claims"]))),
        *_table(
            "Parameters",
            ("parameter", "before", "now"),
            list(_parameters(before["parameters"], after["parameters"])),
        ),
        *_table("Sentences", ("text", "before", "now"), list(worded)),
    ]
    if drawn:
        parts += ["#### Figures to look at", "", ", ".join(f"`{name}`" for name in drawn[:MOST]), ""]
    if not parts:
        return "### Results\n\nNo pinned number, claim, parameter, sentence or figure's cell changed.\n"
    return "\n".join(["### Results", "", *parts])


def moved_chapters(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """The chapters of which a result changed."""
    found = set()
    for part in ("values", "claims"):
        for name in before[part].keys() | after[part].keys():
            was, now = before[part].get(name), after[part].get(name)
            if was != now:
                found |= {one["chapter"] for one in (was, now) if one and "chapter" in one}
    return found


def figures(before: Mapping[str, str], after: Mapping[str, str], moved: set[str]) -> list[str]:
    """The figures whose cell changed, or in whose chapter a result did, as ``chapter: fig-name``."""
    found = []
    for chapter in sorted(after):
        was, now = dict(_cells(before.get(chapter, ""))), dict(_cells(after[chapter]))
        names = [name for name in now if chapter in moved or was.get(name) != now[name]]
        found += [f"{chapter}: {name}" for name in names]
    return found


def _cells(text: str) -> Iterator[tuple[str, str]]:
    for _, cell in FIGURE.findall(text):
        if name := NAMED.search(cell):
            yield name[1], cell


def _values(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in sorted(before.keys() | after.keys()):
        was, now = (_value(name, side.get(name)) for side in (before, after))
        if was != now:
            yield name, was, now
        elif before[name] != after[name]:
            yield name, was, f"{now}, differs in digits that are not shown or in how it is pinned"


def _value(name: str, pin: Mapping[str, Any] | None) -> str:
    """A pinned value as the book shows it; with its interval, and one digit more where it is a float."""
    if pin is None:
        return "none"
    value = value_of(name, pin)
    shown = value.with_interval()
    if isinstance(value.value, float) and shown_unit(value.value, value.fmt) > abs(value.value):
        shown += f" ({value.value:.3g})"  # the format shows none of its digits
    return shown


def _claims(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            one = now or was or {}
            said = f"{one.get('verdict', '?')} ({one.get('kind', '?')}): {one.get('sentence', '')}"
            yield (name, "none", said) if was is None else (name, said, "none")
        elif was != now:
            parts = [part for part in sorted(was.keys() | now.keys()) if was.get(part) != now.get(part)]
            older, newer = (", ".join(f"{part} {_short(side.get(part))}" for part in parts) for side in (was, now))
            yield name, older, newer


def _parameters(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for chapter in sorted(before.keys() | after.keys()):
        was, now = before.get(chapter, {}), after.get(chapter, {})
        for name in sorted(was.keys() | now.keys()):
            if was.get(name) != now.get(name) or (name in was) != (name in now):
                older, newer = (_short(x[name]) if name in x else "none" for x in (was, now))
                yield f"{chapter}: {name}", older, newer


def _wording(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> list[tuple[str, str, str]]:
    fresh = {file: [sentences.Sentence(0, 0, text) for text in texts] for file, texts in after.items()}
    return [(p.where, p.pinned, p.fresh) for p in sentences.differences(before, fresh)]


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return "none" if value is None else str(value)


def _table(title: str, heads: tuple[str, str, str], rows: list[tuple[str, str, str]]) -> Iterator[str]:
    if not rows:
        return
    yield from (f"#### {title}: {len(rows)}", "", f"| {' | '.join(heads)} |", "|:---|:---|:---|")
    for name, was, now in rows[:MOST]:
        yield f"| `{name}` | {_cell(was)} | {_cell(now)} |"
    if len(rows) > MOST:
        yield from ("", f"and {len(rows) - MOST} more")
    yield ""


def _cell(text: str) -> str:
    """Text that neither ends a cell nor means anything in Markdown, mentions somebody or loads a picture."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|`*_\[\]!#])", r"\\\1", text).replace("@", "@\u200b")
