"""What `make run` leaves in `runs/`: the pages of a run beside the book, and a page that lists all runs.

A run's folder holds its page, ``index.html``, the chapter with its numbers, ledger and notation, the executed
notebook, and ``run.json`` for the list.  Styles, scripts and MathJax are the same for all runs and lie once in
``runs/_static``.
"""

from __future__ import annotations

import datetime
import hashlib
import html
import json
import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import yaml

from rbcore.book import agree, compare, labels, plain, seeds, site
from rbcore.book.execute import ROOT, Executed, Job, attempt, parameters_of
from rbcore.book.kernels import locked
from rbcore.book.ledger import MARK, Chapter, Value, fill
from rbcore.files import replace_file, replace_folder

FOLDER, STATIC, INDEX, ABOUT = "runs", "_static", "index.html", "run.json"
PINS, SEEDS = "book/ledger.json", "book/seeds.json"
PAGES = ("ledger", "notation", "references")  # of the book, beside the chapter that ran
LONGEST_NAME = 100  # characters of a folder's name
KEPT = ("access", "folds", "accounts", "wrong")  # of the features in book/_web; the others need the whole book
CALL = re.compile(r'\s*<(?:script|link)\b[^>]*\b(?:src|href)="[^"]*_static/([\w-]+)/[^"]*"[^>]*>(?:</script>)?')
SEARCH = re.compile(
    r'<dialog id="pst-search-dialog">.*?</dialog>|<button class="[^"]*search-button.*?</button>', re.S
)
TOUCH = re.compile(r"^(`{3,}|:{3,})\{touch\}.*?^\1[ ]*$", re.M | re.S)
MOVABLE = "*(The book's page has a figure here that you can move. It shows the book's own world.)*"


# ---------------------------------------------------------------------------------------------------------------
# Running
# ---------------------------------------------------------------------------------------------------------------


def written(value: Any) -> str:
    """A parameter's value as the command line takes it."""
    return value if isinstance(value, str) and value else repr(value).replace(" ", "")


def slug(*parts: str) -> str:
    """The name of a folder for these parts; what no folder's name should hold is replaced, and a digest added."""
    text = "-".join(parts)
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-=._,") else "_" for c in text)
    if name == text and len(name) <= LONGEST_NAME:
        return name
    short = re.sub("_+", "_", name)[: LONGEST_NAME - 9].rstrip("-._,")
    return f"{short}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def name_of(job: Job) -> str:
    """The name of a run's folder: the chapter and the parameters that were given."""
    return slug(job.name, *(f"{key}={written(value)}" for key, value in job.parameters.items()))


def cache_of(job: Job) -> Path:
    """Where the executed notebook of a run is kept: a place of its own, so that no run waits for another."""
    return job.root / "book" / "_build" / "cache-runs" / name_of(job) / "notebooks"


def run(job: Job) -> Executed:
    """Execute a run, or take it from its cache; on one thread, as a build of the book does."""
    return attempt([job], cache_of(job), threads=1, kept=1)


def compared(job: Job, chapter: Chapter) -> compare.Comparison:
    """The run beside the book."""
    return compare.beside(
        chapter,
        agree.read_pins(job.root / PINS),
        parameters_of(job.source),
        job.source.read_text(encoding="utf8"),
        seeds.read(job.root / SEEDS).get(job.name),
    )


# ---------------------------------------------------------------------------------------------------------------
# The pages of a run
# ---------------------------------------------------------------------------------------------------------------


class Written(NamedTuple):
    """What a run left: its page, its notebook, and the list of all runs."""

    page: Path
    notebook: Path
    index: Path


def write(job: Job, executed: Path, chapter: Chapter, found: compare.Comparison) -> Written:
    """Build the pages of a run into `runs/`, whole or not at all, and write the list of runs anew."""
    root, name, built = job.root, job.name, job.root / "book" / "_build"
    target, work = root / FOLDER / name_of(job), built / "run"
    with locked(built):
        shutil.rmtree(work, ignore_errors=True)
        site.assemble(root, {name: executed}, [chapter], work / "source")
        narrow(work / "source", name, found, labels.shown(root))
        site.build(work / "source", work / "whole", strict=False)
        lighten(work / "whole", features(root))
        (work / "whole" / ABOUT).write_text(json.dumps(about(found), indent=1), encoding="utf8")
        share(work / "whole" / STATIC, root / FOLDER / STATIC)
        replace_folder(work / "whole", target)
        shutil.rmtree(work)
        index = write_index(root)
    return Written(target / INDEX, target / "downloads" / f"{name}.ipynb", index)


def narrow(source: Path, name: str, found: compare.Comparison, names: Mapping[str, str] | None = None) -> None:
    """Narrow an assembled folder to one chapter with notation, ledger and references, and the page of the run.

    Args:
        names: what references to the other pages are shown as (:func:`rbcore.book.labels.shown`).
    """
    path = source / "chapters" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    chosen = f"a run with {code(found)}" if found.changed else "a run with the book's own parameters"
    words = f"This is {chosen}, and not the book. {{doc}}`Here it stands beside the book </run>`."
    words += " Marked sentences were checked for this run; text without a mark was written for the book's."
    banner = f"\n```{{important}}\n{words}\n```\n"
    beside = [page for page in (source / f"{page}.md" for page in PAGES) if page.exists()]
    texts = [page.read_text(encoding="utf8") for page in beside] + [cell.source for cell in notebook.cells]
    figures = [cell.metadata.get("mystnb", {}).get("figure", {}) for cell in notebook.cells]
    here = {f"../{page.stem}" for page in beside} | {figure.get("name", "") for figure in figures}
    here = here.union(*map(labels.defined, texts))
    for cell, figure in zip(notebook.cells, figures, strict=True):
        if "caption" in figure:
            figure["caption"] = labels.without_links(figure["caption"], here, names or {})
        if cell.cell_type == "markdown":
            cell.source = labels.without_links(cell.source, here, names or {})
            cell.source = TOUCH.sub(MOVABLE, cell.source) if found.changed else cell.source
    first = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    first.source = re.sub(r"(?m)^# .*$", lambda title: title[0] + "\n" + banner, first.source, count=1)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf8")
    title = re.search(r"(?m)^# (.*)$", "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown"))
    (source / "run.md").write_text(page(found, title[1] if title else name), encoding="utf8")
    files = [f"chapters/{name}", *PAGES]
    parts = [{"caption": "This run", "chapters": [{"file": f} for f in files]}]
    contents = {"format": "jb-book", "root": "run", "parts": parts}
    (source / "_toc.yml").write_text(yaml.safe_dump(contents, sort_keys=False), encoding="utf8")
    config = yaml.safe_load((source / "_config.yml").read_text(encoding="utf8")) or {}
    settings = config.setdefault("sphinx", {}).setdefault("config", {})
    settings["html_sidebars"] = {"**": ["sbt-sidebar-nav.html"]}  # without a search: it is one chapter
    settings.setdefault("html_theme_options", {})["use_fullscreen_button"] = False
    (source / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf8")


def features(root: Path) -> set[str]:
    """The features of the book's pages that a run does without."""
    return {p.name for p in (root / "book" / "_web").glob("*") if p.is_dir()} - set(KEPT)


def lighten(pages: Path, dropped: set[str]) -> None:
    """Take out of built pages what belongs to the whole book, and let them use the static files of all runs."""
    for name in ("search.html", "searchindex.js", "genindex.html", site.STAMP):
        (pages / name).unlink(missing_ok=True)
    for name in dropped:
        shutil.rmtree(pages / STATIC / name, ignore_errors=True)
    for path in pages.rglob("*.html"):
        text = CALL.sub(lambda m: "" if m[1] in dropped else m[0], path.read_text(encoding="utf8"))
        text = re.sub(r'\s*<link rel="(?:index|search)"[^>]*>', "", text)
        text = SEARCH.sub("", text)
        text = re.sub(r'(\b(?:src|href)=")((?:\.\./)*)_static/', rf"\1\2../{STATIC}/", text)
        path.write_text(text, encoding="utf8")


def share(static: Path, target: Path) -> None:
    """Move the static files of built pages to where all runs find them, unless the same are there."""
    if not target.exists() or _listing(static) != _listing(target):
        replace_folder(static, target)
    shutil.rmtree(static, ignore_errors=True)


def _listing(folder: Path) -> dict[str, bytes]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).digest() for p in files}


# The page is MyST: sentences hold roles and formulas, which Sphinx fills with the numbers of the run.
STYLE = """```{raw} html
<style>
.rb-beside td, .rb-beside th { text-align: left; vertical-align: top; }
.rb-beside td p { margin: 0 0 0.2rem; }
.rb-beside td:nth-child(n+2) { font-variant-numeric: tabular-nums; }
.rb-beside td code { white-space: normal; overflow-wrap: anywhere; font-size: 0.8em; }
@media (max-width: 720px) {
  .rb-beside thead, .rb-beside colgroup { display: none; }
  .rb-beside, .rb-beside tbody, .rb-beside tr, .rb-beside td { display: block; width: 100%; }
  .rb-beside tr { border-bottom: 1px solid var(--pst-color-border); padding: 0.5rem 0; }
  .rb-beside td { border: 0; padding: 0.1rem 0; }
  .rb-beside td:nth-child(2) > p:first-child::before { content: "Book: "; }
  .rb-beside td:nth-child(3) > p:first-child::before { content: "Yours: "; }
  .rb-beside td:nth-child(4) > p:first-child::before { content: "Difference: "; }
  .rb-beside td:nth-child(n+2) > p:first-child::before { color: var(--pst-color-text-muted); }
}
</style>
```
"""


def code(found: compare.Comparison) -> str:
    """What was changed, in MyST."""
    return compare.listed([f"`{k} = {now!r}` (book: `{was!r}`)" for k, (was, now) in found.changed.items()])


def page(found: compare.Comparison, title: str) -> str:
    """The page of a run, in MyST: the changed numbers beside the book's, the claims that fail, what stayed."""
    link = f"[{title}](chapters/{found.chapter}.ipynb)"
    ran = f"ran with {code(found)}." if found.changed else "ran with the book's own parameters."
    numbers, claims = compare.headline(found)
    parts = [f"# Your run beside the book\n\nThe chapter {link} {ran}\n\n**{numbers} {claims}**", STYLE]
    parts.append(_claims(found))
    clear, drawn = found.clear, [one for one in found.moved if one.drawn]
    if clear:
        parts.append("## Numbers that changed\n\nThe largest relative differences come first.\n\n" + _table(clear))
    if drawn:
        words = f"These differ by less than {compare.DRAWS:.0f} standard errors, as other draws would."
        parts.append(f"## Numbers that changed no more than draws do\n\n{words}\n\n" + _table(drawn))
    if found.gone or found.new:
        gone = f"The book has, and this run lacks: {_names(found.gone)}.\n\n" if found.gone else ""
        new = f"This run has, and the book lacks: {_names(found.new)}.\n" if found.new else ""
        parts.append(f"## Recorded in one of them only\n\n{gone}{new}")
    return "\n\n".join([*parts, _stayed(found)]) + "\n"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _claims(found: compare.Comparison) -> str:
    if not found.broken:
        known = "" if set(found.held) & set(found.new) else ", as in the book"
        return f"## Claims\n\nAll hold{known}."
    items = []
    for one in found.broken:
        measured = f"In this run: {one.yours}." if one.yours else ""
        measured += f" In the book: {one.book}." if one.book else ""
        items.append(
            f"{{claim}}`{one.claim.id}`\n: *{one.claim.kind.capitalize()}.* {one.why}\n\n  {measured}".rstrip()
        )
    return "## Claims that do not hold\n\n" + "\n\n".join(items)


def _table(moved: Sequence[compare.Moved]) -> str:
    rows, groups = [], {}
    for one in moved:
        groups.setdefault(one.sentence or one.name, []).append(one)
    for group in groups.values():
        for number, one in enumerate(group):
            said = f"{_inline(one.sentence)}\n\n    " if one.sentence and not number else ""
            rows.append(f"* - {said}`{one.name}`\n  - {one.book}\n  - {one.yours}\n  - {one.difference}")
    head = "```{list-table}\n:header-rows: 1\n:class: rb-beside\n:widths: 46 18 18 18\n\n"
    return f"{head}* - In the text\n  - Book\n  - Yours\n  - Difference\n" + "\n".join(rows) + "\n```"


def _inline(sentence: str) -> str:
    """A sentence of a chapter as a cell of a table may hold it: without the mark of a list, row or quotation."""
    text = re.sub(r"\{(?:prf:ref|ref|numref|doc|cite\S*)\}`([^`<]*?)\s*(?:<[^`]*)?`", r"\1", sentence)
    text = re.sub(r"^\s*(?:[-*+>#|]+|\d+[.)])\s*|\s*\|\s*$", "", text)
    return re.sub(r"(?<=\s)\|(?=\s)", "·", text)


def _stayed(found: compare.Comparison) -> str:
    said = []
    if found.held:
        said.append(f"{len(found.held)} claims hold: {_names(found.held)}.")
    if found.stayed:
        said.append(f"{len(found.stayed)} numbers are those of the book: {_names(found.stayed)}.")
    return "## What stayed\n\n" + ("\n\n".join(said) or "Nothing.")


def about(found: compare.Comparison) -> dict[str, Any]:
    """What the list of runs says of a run."""
    given = {name: written(now) for name, (_, now) in found.changed.items()}
    return {"kind": "run", "chapter": found.chapter, "parameters": given, "at": now()} | found.counts()


def now() -> str:
    """The date and the time, to the minute, of this machine."""
    return datetime.datetime.now().isoformat(" ", "minutes")


SHOWN = 12  # numbers that the terminal shows; the page has all


def report(found: compare.Comparison, values: Mapping[str, Value]) -> str:
    """The comparison in short, for a terminal."""
    lines = [f"{found.chapter} with {compare.settings(found) or 'the parameters of the book'}"]
    lines += compare.headline(found)
    for because in dict.fromkeys(one.why for one in found.broken):
        for one in found.broken:
            if one.why == because:
                lines.append(
                    f"  {MARK['fails']} {one.claim.id} ({one.claim.kind}): {fill(one.claim.sentence, values)}"
                )
        lines += textwrap.wrap(because, 100, initial_indent="      ", subsequent_indent="      ")
    rows = [("number", "book", "yours", "difference")]
    rows += [(one.name, one.book, one.yours, one.difference) for one in found.clear[:SHOWN]]
    wide = [min(40, max(len(row[i]) for row in rows)) for i in range(3)]
    if found.clear:
        lines += [
            "  " + "  ".join([*(cell.ljust(w) for cell, w in zip(row, wide, strict=False)), row[3]])
            for row in rows
        ]
    if len(found.clear) > SHOWN:
        lines.append(f"  and {len(found.clear) - SHOWN} more")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------------------
# The list of runs
# ---------------------------------------------------------------------------------------------------------------


def shown(parameters: Mapping[str, str]) -> str:
    """Parameters as HTML."""
    words = "<br>".join(f"<code>{html.escape(f'{k} = {v}')}</code>" for k, v in parameters.items())
    return words or '<span class="soft">the book\'s</span>'


def entries(root: Path) -> list[tuple[str, dict[str, Any]]]:
    """The name of each folder in `runs/` that is a run or a sweep, with what is said of it, the newest first."""
    found = []
    for path in (root / FOLDER).glob(f"*/{ABOUT}"):
        try:
            said = json.loads(path.read_text(encoding="utf8"))
            line = {"at": said["at"], "chapter": said["chapter"], "parameters": dict(said["parameters"])}
            found.append((path.parent.name, said | line))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a folder that somebody changed is no run any more
    return sorted(found, key=lambda entry: (entry[1]["at"], entry[0]), reverse=True)


def write_index(root: Path = ROOT) -> Path:
    """Write the list of runs and sweeps from what lies in `runs/`."""
    rows = []
    for name, said in entries(root):
        many = said.get("kind") == "sweep"
        link = f'<a href="{html.escape(name)}/{INDEX}">{html.escape(said["chapter"])}</a>'
        what = f"{link}<br><span class='soft'>{said.get('runs')} runs</span>" if many else link
        numbers = f"{said.get('moved', '?')} of {said.get('values', '?')}"
        failing = said.get("failing", 0)
        claims = f"{failing} of {said.get('claims', '?')}"
        claims = f'<span class="bad">{claims}</span>' if failing else claims
        rows.append([html.escape(said["at"]), what, shown(said["parameters"]), numbers, claims])
    head = ["Date", "Chapter", "Parameters", "Numbers that differ", "Claims that fail"]
    note = (
        '<p class="soft">A run or a sweep goes when its folder is removed; the next run writes this page anew.</p>'
    )
    body = plain.table(head, rows) + note if rows else "<p>There is no run.</p>"
    target = root / FOLDER / INDEX
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, plain.page("Runs with other parameters", body))
    return target
