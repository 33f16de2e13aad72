"""The report of an audit: one page without script or outside resources, one JSON file, a few lines for a terminal.

    write(result, "runs/audit")     # report.html and report.json
    print(summary(result))

All texts are written by :func:`rbcore.audit.report.page.esc`, since most of them may come from the user's files.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import re
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rbcore.audit.advice import QUESTIONS
from rbcore.audit.report import figures
from rbcore.audit.report.alt import alt, compared, finite, shares, terms
from rbcore.audit.report.numbers import OPEN, UNKNOWN, interval, p_value, show, written
from rbcore.audit.report.page import EXAMPLE, LABEL, bdi, esc, page, picture, table, visible
from rbcore.audit.report.words import CAPTIONS, chapter, notes, places
from rbcore.audit.result import Finding, Number, Result

TITLE = "Audit of synthetic data"
BADGES = {
    "flagged": '<span class="badge flagged">\u25b2 flagged</span>',
    "clear": '<span class="badge clear">\u2713 clear</span>',
    "not checked": '<span class="badge unchecked">? not checked</span>',
}
DRAW = {"map": "embedding_map"}


def write(result: Result, folder: str | Path) -> Path:
    """Write `report.html` and `report.json` into `folder`, each whole or not at all; the path of the page.

    Both are complete before either replaces an earlier one.

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
    text = json.dumps(_plain(result.payload()), sort_keys=True, allow_nan=False, indent=1, ensure_ascii=False)
    contents = {"report.json": f"{text}\n", "report.html": html(result)}
    folder.mkdir(parents=True, exist_ok=True)
    partial = {name: folder / f".{name}.{os.getpid()}.partial" for name in contents}
    try:
        for name, content in contents.items():
            with open(partial[name], "wb") as file:
                file.write(
                    content.encode("utf-8", "backslashreplace")
                )  # in JSON that is a lone surrogate's escape
                file.flush()
                os.fsync(file.fileno())
        for name in contents:
            os.replace(partial[name], folder / name)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)
    return folder / "report.html"


def summary(result: Result) -> str:
    """The verdict in a few lines, for a terminal; what could steer one is written out."""
    groups = _groups(result)
    lines = [_counted(result)]
    for one in groups["flagged"]:
        lines.append(f"\n  FLAGGED  {visible(one.title, LABEL)}")
        for text in (one.sentence, f"-> {one.advice}" if one.advice else ""):
            lines += textwrap.wrap(visible(text, 600), 96, initial_indent=" " * 11, subsequent_indent=" " * 11)
    if groups["clear"]:
        titles = " ".join(visible(one.title, LABEL) for one in groups["clear"])
        lines += ["", *textwrap.wrap(titles, 96, initial_indent="  clear    ", subsequent_indent=" " * 11)]
    for one in groups["not checked"]:
        text = f"{visible(one.title, LABEL)} Not checked: {visible(one.sentence, 300)}"
        lines += ["", *textwrap.wrap(text, 96, initial_indent="  ?        ", subsequent_indent=" " * 11)]
    return "\n".join(lines)


def html(result: Result) -> str:
    """The page."""
    groups = _groups(result)
    sections = [
        ("advice", "What to change", _advice(result, groups["flagged"])),
        ("clear", "What is clear", _short(groups["clear"])),
        ("unchecked", "What was not checked", _short(groups["not checked"])),
        ("pictures", "Pictures", _pictures(result)),
        ("numbers", "All numbers", _all_numbers(result)),
        ("meaning", "What the numbers do not say", _meaning(result)),
        ("run", "Inputs, settings, and how to rerun", _run(result)),
    ]
    shown = [(id, title, body) for id, title, body in sections if body]
    links = "".join(f'<li><a href="#{id}">{title}</a></li>' for id, title, _ in shown)
    parts = [_verdict(result, groups), f'<nav aria-label="Contents"><ul>{links}</ul></nav>']
    parts += [f'<section id="{id}"><h2>{title}</h2>\n{body}</section>' for id, title, body in shown]
    return page(TITLE, "\n".join(parts))


def _groups(result: Result) -> dict[str, list[Finding]]:
    return {verdict: [one for one in result.findings if one.verdict == verdict] for verdict in BADGES}


def _counted(result: Result) -> str:
    """How many questions were asked, and how they were answered."""
    groups, total = _groups(result), len(result.findings)
    if not total:
        return "No question was asked."
    flagged, clear, unchecked = (len(groups[verdict]) for verdict in BADGES)
    begin = "Nothing is flagged" if not flagged else f"{flagged} of {total} questions {_are(flagged)} flagged"
    middle = f", {clear} {_are(clear)} clear" if clear else ""
    return f"{begin}{middle}, {unchecked} could not be checked." if unchecked else f"{begin}{middle}."


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _verdict(result: Result, groups: Mapping[str, Sequence[Finding]]) -> str:
    sentences = [_counted(result)]
    if groups["flagged"]:
        sentences.append("What to change, in the order of the questions, is below.")
    elif groups["clear"]:
        sentences.append("That is no certificate: small or rare defects pass, and so does what was not asked.")
    weak = sum(not one.estimate.trusted for one in result.numbers.values())
    if weak:
        sentences.append(f"{weak} of {len(result.numbers)} numbers {_are(weak)} not to be trusted, and marked so.")
    rows = [
        f"<li>{BADGES[verdict]} {' &middot; '.join(esc(one.title, LABEL) for one in group)}</li>"
        for verdict, group in groups.items()
        if group
    ]
    listed = f'<ul class="counts">{"".join(rows)}</ul>' if rows else ""
    sources = ", ".join(
        f"{bdi(row.get('name', '?'), 40)} {bdi(row['source'], 90)}" for row in result.inputs if row.get("source")
    )
    about = f'<p class="soft">{sources}</p>' if sources else ""
    return f'<header><h1>{TITLE}</h1><p class="lead">{esc(" ".join(sentences))}</p>{listed}{about}</header>'


def _advice(result: Result, flagged: Sequence[Finding]) -> str:
    if not flagged:
        return "<p>Nothing is flagged, so there is nothing to change on account of this audit.</p>"
    parts = []
    for one in flagged:
        advice = f'<p class="do"><b>What to change</b>{esc(one.advice)}</p>' if one.advice else ""
        parts.append(
            f"<article>{BADGES['flagged']}<h3>{esc(one.title, LABEL)}</h3><p>{esc(one.sentence)}</p>{advice}"
            f"{_examples(one.examples)}{_behind(result, one)}{_because(one)}</article>"
        )
    return "\n".join(parts)


def _examples(examples: Sequence[Sequence[str]]) -> str:
    """Records that a finding names; words in which two near-copies differ are marked."""
    if not examples:
        return ""
    rows = []
    for texts in examples:
        cells = _marked(*texts) if len(texts) == 2 else [esc(text, EXAMPLE, lines=True) for text in texts]
        rows.append("".join(f'<blockquote dir="auto">{cell}</blockquote>' for cell in cells))
    note = '<p class="soft">Words in which two records differ are underlined.</p>' if "<mark>" in str(rows) else ""
    return f'<h4>Examples</h4>{note}<ul class="examples">{"".join(f"<li>{row}</li>" for row in rows)}</ul>'


def _marked(first: str, second: str) -> list[str]:
    """Two texts as HTML, with the words in which they differ marked where most words agree."""
    both = [visible(text, EXAMPLE, lines=True) for text in (first, second)]
    words = [re.findall(r"\S+|\s+", text) for text in both]
    match = difflib.SequenceMatcher(None, *words, autojunk=False)
    if match.ratio() < 0.5:
        return [esc(text, 2 * EXAMPLE, lines=True) for text in both]
    found = []
    for side in (0, 1):
        cells = []
        for kind, *ends in match.get_opcodes():
            piece = "".join(words[side][ends[2 * side] : ends[2 * side + 1]])
            text = esc(piece, 2 * EXAMPLE, lines=True)
            cells.append(text if kind == "equal" or not piece.strip() else f"<mark>{text}</mark>")
        found.append("".join(cells))
    return found


def _behind(result: Result, finding: Finding) -> str:
    if not finding.numbers:
        return ""
    rows = []
    for key in finding.numbers:
        one = result.numbers[key]
        rows.append([_meant(one), _value(one), _interval(one)])
    return table("The numbers behind it", ["number", "value", "95 % interval"], rows, "behind")


def _because(finding: Finding) -> str:
    """The chapter that justifies a finding, in words and as paths."""
    question = QUESTIONS.get(finding.id)
    claim = f"; its checked claim is <code>{esc(question.claim, LABEL)}</code>" if question else ""
    paths = ", ".join(f"<code>{esc(place, LABEL)}</code>" for place in places(finding.chapter))
    where = f"{esc(chapter(finding.chapter), LABEL)}{f' ({paths})' if paths else ''}"
    why = f"{esc(finding.why)}. " if finding.why else ""
    return f'<p class="soft">Why: {why}See {where}{claim}.</p>'


def _short(findings: Sequence[Finding]) -> str:
    rows = []
    for one in findings:
        see = f' <span class="soft">({esc(chapter(one.chapter), LABEL)})</span>' if one.chapter else ""
        badge, title = BADGES[one.verdict], esc(one.title, LABEL)
        rows.append(f"<li>{badge} <b>{title}</b><br>{esc(one.sentence)}{see}</li>")
    return f'<ul class="short">{"".join(rows)}</ul>' if rows else ""


def _pictures(result: Result) -> str:
    inputs: dict[str, Any] = {"intervals": result} if shares(result) else {}
    inputs |= {name: result.series[name] for name in CAPTIONS if _drawable(name, result.series.get(name))}
    parts = []
    for name, series in inputs.items():
        question, how = CAPTIONS[name]
        draw = functools.partial(getattr(figures, DRAW.get(name, name)), series)
        parts.append(picture(draw, name, alt(name, series), f"<b>{esc(question)}</b>{esc(how)}"))
    return "\n".join(parts)


def _drawable(name: str, series: Any) -> bool:
    """Whether a series has anything to draw."""
    if not series:
        return False
    if name == "map":
        return any(len(points) for points in series["points"].values())
    if name == "waterfall":
        return bool(terms(series)[0]) and finite(series["training"]) and finite(series["risk"])
    if name == "students":
        return bool(compared(series))
    if name == "plane":
        return any(finite(one["faithfulness"][0]) and finite(one["diversity"][0]) for one in series)
    return any(finite(one["loss"]) for one in series)


def _meant(number: Number) -> str:
    """The words of a number; "at least" is said by its value."""
    return esc(number.meaning.removesuffix(": at least"), 2 * LABEL)


def _value(number: Number) -> str:
    one = number.estimate
    if one.trusted:
        return esc(show(one), LABEL)
    struck = "" if written(one) == UNKNOWN else f" <del>{esc(written(one), LABEL)}</del>"
    return f'<span class="why-not">{OPEN}</span>{struck}'


def _interval(number: Number) -> str:
    text = esc(interval(number.estimate), LABEL)
    return text if number.estimate.trusted or not text else f"<del>{text}</del>"


def _all_numbers(result: Result) -> str:
    if not result.numbers:
        return ""
    heads = ["number", "value", "95 % interval", "n", "d", "remarks"]
    rows = []
    for key, number in result.numbers.items():
        one = number.estimate
        warning = f'<span class="why-not">{esc(one.warning, 600)}</span>' if one.warning else ""
        remarks = [esc(p_value(one)), warning]
        named = f"{_meant(number)}<code>{esc(key, LABEL)}, by {esc(one.name, LABEL)}</code>"
        sizes = [f'<span class="whole">{size:,}</span>' for size in (one.n, one.d)]
        rows.append([named, _value(number), _interval(number), *sizes, "; ".join(filter(None, remarks))])
    caption = "n: records that it was computed from; d: dimension. What is struck through is not to be trusted."
    return table(caption, heads, rows, "numbers")


def _meaning(result: Result) -> str:
    general = [
        ("Records", "Intervals take records as independent draws of their law. Answers to one prompt are not."),
        (
            "Questions",
            "Each question has a test of its own at a strict level and a margin below which nothing is said. "
            "Clear means that no defect beyond the margin was shown; with few records that is weak.",
        ),
    ]
    used = {number.estimate.name for number in result.numbers.values()}
    items = [*general, *notes(used)]
    if "waterfall" in result.series:
        items.append(
            ("The bound", "Its charges are lower limits, so the sum is one too: the bound itself may be larger.")
        )
    if {"students", "curve"} & set(result.series):
        items.append(
            ("Students", "Small models, trained here. They compare data sets; a large model may rank otherwise.")
        )
    return f'<ul class="short">{"".join(f"<li><b>{esc(a)}.</b> {esc(b)}</li>" for a, b in items)}</ul>'


def _run(result: Result) -> str:
    parts = []
    if result.inputs:
        heads = list(dict.fromkeys(str(key) for row in result.inputs for key in row))
        rows = [
            [bdi(_said({str(k): v for k, v in row.items()}.get(head)), 600) for head in heads]
            for row in result.inputs
        ]
        parts.append(table("Inputs", heads, rows))
    if result.settings:
        rows = [[bdi(key), bdi(_said(value), 600)] for key, value in result.settings.items()]
        parts.append(table("Settings", ["option", "value"], rows))
    if result.seconds:
        rows = [[esc(name, LABEL), f"{seconds:,.1f}"] for name, seconds in result.seconds.items()]
        rows.append(["<b>together</b>", f"<b>{sum(result.seconds.values()):,.1f}</b>"])
        parts.append(table("Seconds of each stage, when it ran", ["stage", "seconds"], rows))
    command = esc(rerun(result), 4 * EXAMPLE)
    parts.append(
        f"<h3>Rerun</h3><p>In the folder of the book; the same inputs and seed give the same numbers, and "
        f"finished stages are taken from where they were kept.</p><pre><code>{command}</code></pre><p>Everything "
        f"on this page is also in <code>report.json</code>, next to it.</p>"
    )
    return "\n".join(parts)


def rerun(result: Result) -> str:
    """The command of this audit: an option of ``make audit`` for each setting, quoted for a shell and for make."""
    words = ["make audit"]
    for key, value in result.settings.items():
        if isinstance(value, str | int | float) and not isinstance(value, bool) and str(key).isidentifier():
            words.append(f"{str(key).upper()}={shlex.quote(str(value).replace('$', '$$'))}")
    return " ".join(words)


def _said(value: Any) -> str:
    """A value of an input or a setting in words."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if value is None or (isinstance(value, list | tuple) and not value):
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if value >= 10_000 else str(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value))
    return str(value)


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it: keys are texts, numbers and arrays are Python's, what is not finite is None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, set | frozenset):
        return [_plain(one) for one in sorted(value, key=str)]
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if finite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
