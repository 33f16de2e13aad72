"""The report of an audit: one page without script or outside resources, JSON files, a few lines for a terminal.

    write(result, "runs/audit")     # report.html, report.json and flags.jsonl
    print(summary(result))

The page is the template `report.html.j2`.  Most of its texts may come from the user's files, so each expression in
it goes through :func:`rbcore.audit.report.text.esc`.  The page holds no script and asks for nothing from outside;
its Content-Security-Policy forbids both once more.
"""

from __future__ import annotations

import difflib
import functools
import io
import json
import re
import shlex
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import matplotlib.pyplot as plt
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from rbcore import figures as house
from rbcore.audit import rows
from rbcore.audit.advice import QUESTIONS, WORDS
from rbcore.audit.report import figures, numbers
from rbcore.audit.report.numbers import finite
from rbcore.audit.report.text import EXAMPLE, LABEL, esc, visible
from rbcore.audit.report.verdict import COPIES, LAST, effect, given, judged, named, shown, urgent
from rbcore.audit.result import Finding, Result
from rbcore.files import replace_files

ROOT = Path(__file__).resolve().parents[3]
SIGNS = {"flagged": "\u25b2", "undecided": "?", "clear": "\u2713", "not checked": "\u2013"}  # by verdict, in order
VERSION = 1  # of report.json; report.schema.json describes it
FIRST = 3  # findings that are shown in full
KINDS = {"ANCHOR": "an anchor", "SYNTH": "a synthetic one", "RAW": "a raw answer", "HELDOUT": "a held-out one"}
INK = "#010203"  # stands for the text's colour until the picture is on the page


def write(result: Result, folder: str | Path) -> Path:
    """Write `report.html`, `report.json` and `flags.jsonl` into `folder`, each whole or not; the page's path.

    All are complete before any replaces an earlier one.

    Raises:
        ValueError: when `folder` is a file, or a finding names a number that the result does not have.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: a file of that name exists; name a folder for the report")
    for finding in result.findings:
        unknown = [key for key in finding.numbers if key not in result.numbers]
        if unknown:
            raise ValueError(f"finding {finding.id!r} names numbers that the result does not have: {unknown}")
    text = json.dumps(payload(result), sort_keys=True, allow_nan=False, indent=1, ensure_ascii=False)
    page = html(result)
    folder.mkdir(parents=True, exist_ok=True)
    stored, flags = (  # in JSON what is written for a lone surrogate is its escape
        one.encode("utf-8", "backslashreplace") for one in (f"{text}\n", rows.lines(result.rows))
    )
    replace_files({folder / "report.json": stored, folder / rows.FILE: flags, folder / "report.html": page})
    return folder / "report.html"


def payload(result: Result) -> dict[str, Any]:
    """What `report.json` holds; `report.schema.json`, beside this module, describes it."""
    verdict = judged(result)._asdict()
    return _plain({"version": VERSION, "verdict": verdict, "flagged": result.flagged, **result.payload()})


def summary(result: Result) -> str:
    """The verdict in a few lines, for a terminal; what could steer one is written out."""
    verdict, groups = judged(result), _groups(result)
    lines: list[str] = [verdict.headline]

    def wrapped(text: str, begin: str = "", wide: int = 0) -> list[str]:
        layout = textwrap.TextWrapper(96, f"{begin:{wide}}", " " * wide)
        layout.break_long_words = layout.break_on_hyphens = False  # a path can be copied
        return layout.wrap(text)

    lines += wrapped(" ".join(visible(one, 600) for one in verdict.sentences))
    flagged = urgent(result)
    for place, one in enumerate(flagged[:FIRST], 1):
        lines += ["", *wrapped(f"{visible(one.title, LABEL)}", f"  {place}  FLAGGED", 16)]
        found = named(result, one.id)
        if found:
            where = visible(rows.short(found[0].file, found[0].line), LABEL)
            lines += wrapped(f"{len(found):,} rows, the first is {where}", "", 16)
        if one.advice:
            lines += wrapped(f"-> {visible(one.advice, 600)}", "", 16)
    others = {"also FLAGGED": flagged[FIRST:]} | {name: groups[name] for name in list(SIGNS)[1:]}
    for name, findings in others.items():
        if findings:
            titles = " ".join(visible(one.title, LABEL) for one in findings)
            lines += ["", *wrapped(titles, f"  {name}", 16)]
    if result.cleaned is not None:
        lines += ["", *wrapped(" ".join(visible(one, 600) for one in changed(result)), "  cleaned", 16)]
    return "\n".join(lines)


def changed(result: Result) -> list[str]:
    """What cleaning did, in sentences."""
    one = result.cleaned
    if one is None:
        return []
    if not one.path:
        return [f"Nothing was written. {one.note}"]
    said = [f"{one.removed:,} rows were left out, {one.written:,} were written to {one.path}."]
    if one.unread:
        said.append(
            f"{one.unread:,} rows were not looked at, because they are beyond LIMIT or hold nothing; they were "
            "kept, and may hold the same defects."
        )
    if one.note:
        said.append(one.note)
    else:
        parts = {
            "No longer flagged": [id for id in one.before if id not in one.after],
            "Flagged before and after": [id for id in one.before if id in one.after],
            "Flagged only now": [id for id in one.after if id not in one.before],
        }
        said += [f"{begin}: {_titles(result, ids)}" for begin, ids in parts.items() if ids]
    tried = {id: result.numbers[f"fix-{id}"].estimate for id in one.before if f"fix-{id}" in result.numbers}
    worse = [id for id, fix in tried.items() if id not in (*one.remaining, *COPIES) and effect(fix) == "worse"]
    if one.removed and worse:
        said.append(
            "A small student learns less without the rows of these, so read some before you leave them out: "
            + _titles(result, worse)
        )
    remaining = [id for id in one.remaining if id not in LAST]
    if remaining:
        said.append(
            "These cannot be cleaned away, because no row is to blame for them, or too many are: "
            + _titles(result, remaining)
        )
    return said


def _titles(result: Result, ids: Iterable[str]) -> str:
    titles = {finding.id: finding.title for finding in result.findings}
    return " ".join(titles.get(id, id) for id in ids)


def html(result: Result) -> str:
    """The page."""
    weak = sum(not one.estimate.trusted for one in result.numbers.values())
    inputs = [{str(key): value for key, value in row.items()} for row in result.inputs]
    flagged, groups = urgent(result), _groups(result)
    return _template().render(
        result=result,
        verdict=judged(result),
        first=flagged[:FIRST],
        others=flagged[FIRST:],
        findings=[*flagged, *groups["undecided"], *groups["clear"], *groups["not checked"]],
        cleaned=changed(result),
        weak=f"{weak} of {len(result.numbers)} numbers {_are(weak)} not to be trusted, and marked so."
        if weak
        else "",
        pictures=list(_pictures(result)),
        notes=_notes({number.estimate.name for number in result.numbers.values()}),
        inputs=inputs,
        columns=list(dict.fromkeys(key for row in inputs for key in row)),
        rerun=rerun(result),
        explain=_Terms(),
        example=functools.partial(_example, result),
        shown_rows=functools.partial(named, result),
    )


class _Terms:
    """Explains the terms of some texts, each of them once."""

    def __init__(self) -> None:
        self.left = dict(WORDS["terms"])

    def __call__(self, *texts: str) -> list[str]:
        """Half a sentence for each term that occurs in the texts and was not explained before."""
        found = [key for key in self.left if any(re.search(key, text, re.IGNORECASE) for text in texts)]
        return [self.left.pop(key) for key in found]


def _example(result: Result, finding: Finding, texts: tuple[str, ...]) -> list[dict[str, Any]]:
    """The records of an example, each as HTML and with its place, where one is known."""
    quotes = [rows.cut(text) for text in texts]
    row = next(
        (
            one
            for one in named(result, finding.id)
            if one.excerpt == quotes[0]
            and (one.resembles is None or len(quotes) < 2 or one.resembles.excerpt == quotes[1])
        ),
        None,
    )
    places = ["", ""]
    if row is not None:
        places[0] = f"synthetic, {rows.short(row.file, row.line)}"
        if row.resembles is not None:
            about = row.resembles
            how = "is the same as" if texts[:1] == texts[1:2] else "resembles"
            places[1] = f"{how} {KINDS.get(about.input, about.input)}, {rows.short(about.file, about.line)}"
    places += [""] * len(texts)
    return [{"text": text, "place": place} for text, place in zip(_marked(*texts), places, strict=False)]


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=esc,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cut"] = esc
    environment.filters["tied"] = lambda text: str(text).replace(" %", "\N{NO-BREAK SPACE}%")
    used = ("UNKNOWN", "interval", "p_value", "show", "written")
    known: dict[str, Any] = {name: getattr(numbers, name) for name in used}
    known |= {"chapter": chapter, "places": _places, "questions": QUESTIONS}
    known |= {
        "said": _said,
        "signs": SIGNS,
        "short": rows.short,
        "flags": rows.FILE,
        "effect": effect,
        "copies": COPIES,
    }
    environment.globals.update(known)
    return environment.get_template("report.html.j2")


def _groups(result: Result) -> dict[str, list[Finding]]:
    return {verdict: [one for one in shown(result) if one.verdict == verdict] for verdict in SIGNS}


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _marked(*texts: str) -> list[Markup]:
    """Records as HTML; of two that agree in most words, those in which they differ are marked."""
    tokens = [re.findall(r"\S+|\s+", visible(text, EXAMPLE, lines=True)) for text in texts]
    match = difflib.SequenceMatcher(None, *tokens, autojunk=False) if len(texts) == 2 else None
    if match is None or match.ratio() < 0.5:
        return [esc(text, EXAMPLE, lines=True) for text in texts]
    both = [Markup(), Markup()]
    for kind, *ends in match.get_opcodes():
        for side in (0, 1):
            piece = "".join(tokens[side][slice(*ends[2 * side : 2 * side + 2])])
            text = esc(piece, 2 * EXAMPLE, lines=True)
            both[side] += text if kind == "equal" or not piece.strip() else Markup("<mark>{}</mark>").format(text)
    return both


def chapter(name: str) -> str:
    """``chapter 10, Faithfulness, diversity, collapse``."""
    number, _, rest = name.partition("-")
    kind = f"chapter {int(number)}" if number.isdecimal() else f"appendix {number}"
    return f"{kind}, {WORDS['chapters'].get(name, rest.replace('-', ' '))}"


@functools.cache
def _places(name: str) -> list[str]:
    """Where a chapter can be read, as paths from the repository: its notebook and its page, those that exist."""
    paths = [f"notebooks/{name}.md", f"book/_build/html/chapters/{name}.html"]
    known = re.fullmatch(r"[A-Za-z0-9-]{1,80}", name) and (ROOT / paths[0]).is_file()
    return [path for path in paths if (ROOT / path).is_file()] if known else []


def _notes(names: set[str]) -> list[dict[str, str]]:
    """What the numbers of the estimators that were used do not say."""
    names = {"precision" if name in ("recall", "coverage") else name for name in names}
    return [
        about
        for key, about in WORDS["notes"].items()
        if key in names or (key[-1] == "-" and any(name.startswith(key) for name in names))
    ]


def _pictures(result: Result) -> Iterator[dict[str, str]]:
    """The pictures that there are numbers for: name, question, how to read it, and an SVG in the text's colour."""
    keys = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    for name, about in WORDS["pictures"].items():
        series: Any = result if name == "intervals" else result.series.get(name)
        if not series or name == "waterfall" and not given(result, "HELDOUT"):
            continue
        if name == "map":  # what is not flagged is no reason to look at a point
            marked = {id: points for id, points in series.get("marked", {}).items() if id in result.flagged}
            series = {**series, "marked": marked}
        with plt.rc_context():
            house.style()
            plt.rcParams.update(dict.fromkeys(keys, INK))
            plt.rcParams.update({"svg.fonttype": "path", "svg.image_inline": True, "savefig.dpi": 220})
            plt.rcParams.update({"axes.facecolor": "none", "figure.facecolor": "none"})
            try:
                figure = getattr(figures, "embedding_map" if name == "map" else name)(series)
            except figures.NothingToDraw:
                continue
            try:
                yield {"name": name, **about, "svg": _svg(figure, name)}
            finally:
                plt.close(figure)


def _svg(figure: Figure, name: str) -> Markup:
    """The SVG element alone: no prologue, no metadata, no comments, ids that no other picture has."""
    buffer = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the alternative text has these letters
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    whole = buffer.getvalue()
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", whole[whole.index("<svg") :], flags=re.DOTALL)
    start, rest = svg.split(">", 1)
    svg = re.sub(r'\s(xmlns(:\w+)?|version|width|height)="[^"]*"', "", start) + ">" + rest
    svg = re.sub(r"\s*\n\s*", "\n", svg.replace("xlink:href=", "href=").replace(INK, "currentColor"))
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{re.escape(name)}-", svg)
    label = f'role="img" aria-label="{esc(figure.get_label())}"'
    return Markup(svg.strip().replace("<svg ", f"<svg {label} ", 1))


def rerun(result: Result) -> str:
    """The command of this audit: an option for each setting, quoted for a shell."""
    parts = ["rbcore-audit"]
    for key, value in result.settings.items():
        if isinstance(value, str | int | float) and not isinstance(value, bool) and str(key).isidentifier():
            parts.append(f"--{str(key).replace('_', '-')}={shlex.quote(str(value))}")
    return " ".join(parts)


def _said(value: Any) -> str:
    """A value of an input or a setting in words."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value)) or _said(None)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and value >= 10_000:
        return f"{value:,}"
    return "\N{EN DASH}" if value is None else str(value)


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it: keys are texts, numbers and arrays are Python's, what is not finite is None."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if finite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
