"""The audit's report: harmless whatever the data hold, whole or not written, and readable on a phone."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import math
import os
import re
import shlex
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rbcore import figures
from rbcore.audit import rows as audit_rows
from rbcore.audit.advice import QUESTIONS, WORDS
from rbcore.audit.report import figures as audit_figures
from rbcore.audit.report import numbers as audit_numbers
from rbcore.audit.report import text as audit_text
from rbcore.audit.report import write as audit_report
from rbcore.audit.report.verdict import judged, urgent
from rbcore.audit.report.write import html as page_of
from rbcore.audit.report.write import summary, write
from rbcore.audit.result import Change, Cleaned, Finding, Number, Resembled, Result, Row, Verdict
from rbcore.estimate.base import Estimate, share

CSS = Path(audit_report.__file__).with_name("report.css").read_text(encoding="utf-8")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "</title></style><svg onload=alert(1)>",
    "\u202egnp.exe \u2066x\u2069 \u200f \ufeff \u00ad",
    "\x1b[31mred\x07\x00\x08",
    "-->]]><!--",
    "&lt;b&gt; &amp; &#0;",
    "$\\frac{$ $x^2$ \\$ %s {0} \\u0041",
    "\ud800 lone \udfff",
    "\u65e5\u672c\u8a9e \u0645\u0631\u062d\u0628\u0627 \U0001f469\u200d\U0001f52c",
    "http://example.org/a?b=1&c=2",
    "word " * 2000,
    "x" * 5000,
)
ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
NOTE = "the garden club met near the old pond . Greta watered the early beans before the guests arrived ."


def counted(id: str, meaning: str, count: int, total: int) -> Number:
    return Number(id, meaning, Estimate("share", count / total, share(count, total), total, unit="share"))


def made(seed: int = 0) -> Result:
    """A result as an audit of 600 anchors and 1200 synthetic texts makes it."""
    rng = np.random.default_rng(seed)
    numbers = [
        counted("repeats", "synthetic records that nearly repeat an earlier one", 122, 1200),
        counted("repeats-equal", "the same among 600 synthetic records", 31, 600),
        counted("repeats-usual", "the same among 600 anchors", 1, 600),
        counted("label-disagreement", "synthetic labels that a classifier of anchors contradicts", 171, 1020),
        counted("label-usual", "anchors' labels that it contradicts, out of fold", 9, 599),
        counted("anchor-copies", "synthetic records that nearly copy an anchor", 0, 1200),
        counted("anchor-twins", "anchors that nearly copy another anchor", 2, 600),
        Number("off-task-usual", "records of the task beyond the threshold",
               Estimate("share", 0.02, (0.0, 0.0523), 300, unit="share", level=0.9995, sided="upper")),
        Number("surprise-synth", "how much more surprising SYNTH is than fresh anchors",
               Estimate("mean-difference", -0.0134, (-0.047, 0.021), 300, unit="nats per token")),
        Number("tv-total", "TV between the task and the synthetic data: at least",
               Estimate("tv-lower", 0.1274, (0.1274, 1.0), 300, 64, sided="lower")),
        Number("kl-total", "KL of the task from the synthetic data",
               Estimate("kl-ratio", 0.42, (0.31, math.inf), 300, 64, "nats", sided="lower")),
        Number("mmd-total", "squared MMD between task and synthetic data",
               Estimate("mmd", 0.00123, (0.00081, 0.00165), 600, 64, p_value=0.0005)),
        Number("precision", "precision of synthetic records: share within the anchors' support",
               Estimate("precision", 0.871, (0.84, 0.902), 300, 64)),
        Number("vendi-synth", "Vendi score of 400 synth records", Estimate("vendi", 31.42, (30.1, 32.7), 400, 64)),
        Number("ksg-synth", "information between prompt and synth record, KSG, 2 directions",
               Estimate("ksg", 3.137, (2.9, 3.37), 1200, 2, "nats",
                        warning="above what 1,200 pairs can show: the table says biased by -0.8 nats")),
        Number("entropy-synth", "nearest-neighbour entropy of synth in 3 main directions",
               Estimate("nn-entropy", math.nan, (-math.inf, math.inf), 1200, 3, "nats", warning="rows are tied")),
    ]  # fmt: skip
    findings = [
        Finding("near-duplicates", "Do synthetic records repeat one another?", "flagged",
                "10.2 % of the synthetic records nearly repeat an earlier one; at equal numbers 5.2 % do, and "
                "0.2 % of the anchors.",
                "Keep one record of each family of near-copies, then draw new ones until there are as many as you "
                "want.", ("repeats", "repeats-equal", "repeats-usual"), "10-faithfulness-diversity-collapse",
                "at equal size, more independent draws make better students than repeated ones",
                ((NOTE, NOTE.replace("pond", "photo")), (NOTE.replace("beans", "roses"), NOTE))),
        Finding("wrong-labels", "Are labels wrong?", "flagged",
                "A classifier of the anchors contradicts 16.8 % of the synthetic labels, and 1.5 % of the labels "
                "of anchors that it was not fitted on.",
                "Check the examples. Ask for each label again, of another model or with anchors as examples, and "
                "drop the records whose labels differ.", ("label-disagreement", "label-usual"),
                "10-faithfulness-diversity-collapse", "a verifier protects the answers of a student",
                (("Paul moved the leaky dinghy behind the pier", "labelled kitchen, looks like boats"),)),
        Finding("anchor-copies", "Does the generator copy its anchors?", "clear",
                "0.0 % of the synthetic records nearly copy an anchor; 0.3 % of the anchors copy another one.", "",
                ("anchor-copies", "anchor-twins"), "05-reverse-bottleneck", "copies have no information gain"),
        Finding("narrow", "Is the synthetic data too predictable?", "clear",
                "Records that are neither copies nor off the task are 0.013 nats per token less surprising than "
                "fresh anchors.", "", ("surprise-synth",), "10-faithfulness-diversity-collapse", "cold"),
        Finding("curation", "Does curation bring the data closer to the task?", "not checked",
                "There is no RAW to compare with.", "", (), "02-two-divergences", "a verifier helps"),
    ]  # fmt: skip
    anchor = rng.normal(size=(600, 2)) @ [[1.5, 0.4], [0, 0.6]]
    synth = np.concatenate(
        [rng.normal(size=(1080, 2)) @ [[1.3, 0.3], [0, 0.5]], rng.normal([4.5, 2], 0.3, (120, 2))]
    )
    series = {
        "map": {"axes": ["first direction", "second direction"],
                "points": {"ANCHOR": anchor.tolist(), "SYNTH": synth.tolist(),
                           "RAW": rng.normal(size=(500, 2)).tolist(), "HELDOUT": anchor[:200].tolist()},
                "marked": {"off-task": list(range(1080, 1200)), "near-duplicates": list(range(0, 300, 3))}},
        "plane": [{"label": label, "kind": kind, "faithfulness": [x, x - 0.03, x + 0.02],
                   "diversity": [y, y - 0.04, y + 0.03]}
                  for label, kind, x, y in (("fresh anchors", "reference", 0.94, 0.95),
                                            ("copies of a tenth of the anchors", "reference", 0.99, 0.31),
                                            ("anchors, coordinates shuffled", "reference", 0.12, 0.4),
                                            ("SYNTH", "data", 0.87, 0.83), ("RAW", "data", 0.7, 0.86))],
        "waterfall": {"unit": "error rate", "training": 0.052, "risk": 0.203,
                      "charges": [
                          {"label": name, "value": x, "low": x, "high": None, "note": ""}
                          for name, x in (("task divergence", 0.081), ("generation divergence", 0.127))],
                      "steps": [{"label": "task to raw", "value": 0.041, "low": 0.018, "high": 0.064},
                                {"label": "raw to synthetic", "value": 0.093, "low": 0.07, "high": 0.116},
                                {"label": "sampling", "value": 0.017, "low": 0.004, "high": 0.03}]},
        "students": [{"arm": arm, "ratio": ratio, "loss": 41.3 + d, "difference": [d, d - 0.5, d + 0.5]}
                     for arm, ratio, d in (("synthetic alone", None, 1.92),
                                           ("anchors and 1 synthetic each", 1.0, -1.3),
                                           ("anchors and 2 synthetic each", 2.0, -0.31))],
        "curve": [{"data": data, "size": size, "loss": loss, "low": loss - 0.6, "high": loss + 0.6}
                  for data, drop in (("anchors", 3.1), ("synthetic", 2.2)) for size in (75, 150, 300, 600)
                  for loss in [52 - drop * math.log2(size / 37)]],
    }  # fmt: skip
    inputs = [
        {"name": "ANCHOR", "source": "data/anchors.jsonl", "found": 600, "used": 600, "kind": "texts",
         "labels": ["boats", "garden", "kitchen", "music"], "notes": []},
        {"name": "SYNTH", "source": "data/synthetic.jsonl", "found": 1203, "used": 1200, "kind": "texts",
         "labels": ["boats", "garden", "kitchen", "music"], "notes": ["3 records were empty"]},
        {"name": "HELDOUT", "source": "data/heldout.jsonl", "found": 300, "used": 300, "kind": "texts",
         "labels": ["boats", "garden", "kitchen", "music"], "notes": []},
    ]  # fmt: skip
    options = {"anchor": "data/anchors.jsonl", "synth": "data/synthetic.jsonl", "label": "label", "embed": "tfidf",
               "limit": 200_000, "out": "runs/audit", "seed": 0}  # fmt: skip
    seconds = {"embed": 2.31, "near-copies": 4.8, "questions": 9.42, "students": 31.0}
    file, twin = (
        "data/synthetic.jsonl",
        Resembled("SYNTH", "data/synthetic.jsonl", 3, NOTE.replace("pond", "photo")),
    )
    rows = [
        Row(file, 40, 39, "near-duplicates", "flagged", None, NOTE, True, twin),
        *(Row(file, 100 + i, 99 + i, "near-duplicates", "flagged", None, f"note {i}", True) for i in range(121)),
        Row(file, 300, 299, "wrong-labels", "flagged", 0.9, "Paul moved the leaky dinghy behind the pier", True),
    ]
    return Result(inputs, options, {one.id: one for one in numbers}, findings, series, seconds, rows)


def spoiled(text: str) -> Result:
    """A result with `text` in every place where the user's files could put it."""
    one = Number(text, text, Estimate(text, 0.3, (0.2, 0.4), 10, unit="share"))
    weak = Number(text + "2", text, Estimate(text, 0.3, (0.2, 0.4), 10, unit=text, warning=text))
    findings = [
        Finding(
            text, text, verdict, text, text, (text, text + "2"), text, text, ((text,), (text, text), (text, "b"))
        )
        for verdict in ("flagged", "undecided", "clear", "not checked")
    ]
    point = {"label": text, "kind": "data", "faithfulness": [0.5, 0.4, 0.6], "diversity": [0.5, 0.4, 0.6]}
    bar = {"label": text, "value": 0.1, "low": 0.1, "high": None, "note": text}
    series = {
        "map": {"axes": [text, text], "marked": {text: [0]},
                "points": {"ANCHOR": [[0, 1], [1, 0]], "SYNTH": [[1, 1]]}},
        "plane": [point],
        "waterfall": {"unit": text, "training": 0.1, "risk": 0.2, "charges": [bar], "steps": [bar]},
        "students": [{"arm": text, "ratio": None, "loss": 1.0, "difference": [1.0, 0.5, 1.5]}],
    }  # fmt: skip
    row = {"name": text, "source": text, text: [text, text]}
    named = Row(text, 1, 0, text, "flagged", None, audit_rows.cut(text), True, Resembled(text, text, 1, text))
    cleaned = Cleaned(text, 1, 2, 3, (text,), (text,), (text,), (Change(text, text, 0.1, 0.2),), text, text)
    settings, numbers = {text: text, "out": text}, {text: one, text + "2": weak}
    return Result([row], settings, numbers, findings, series, {text: 1.0}, [named], cleaned)


class Parsed(html.parser.HTMLParser):
    """A page's elements, texts and ids; complains about tags that do not close in order."""

    VOID = {"meta", "br", "img", "path", "use", "image", "rect", "circle"}

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.stack, self.tags, self.attributes, self.ids = [], [], [], []
        self.headings, self.words = [], []
        self.feed(text)
        self.close()
        assert not self.stack, f"never closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        self.ids += [value for key, value in attrs if key == "id"]
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        assert self.stack and self.stack[-1] == tag, f"</{tag}> in {self.stack[-3:]}"
        self.stack.pop()

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:40]}")

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def harmless(text: str) -> Parsed:
    """The page parsed, after checking that it holds nothing that runs or is fetched."""
    parsed = Parsed(text)
    allowed = set(
        "html head meta title style body main header h1 h2 h3 h4 p ul li section article div span b br code pre "
        "details summary table caption thead tbody tr th td blockquote mark bdi del figure figcaption "
        "svg g path defs use clippath rect image".split()
    )
    assert set(parsed.tags) <= allowed
    for tag, key, value in parsed.attributes:
        assert not key.startswith("on"), f"<{tag} {key}>"
        if key in ("href", "src", "xlink:href", "action", "srcset", "data", "poster", "style"):
            assert re.match(r"#[\w-]+$|data:image/png;base64,", value) or key == "style", (
                f"<{tag} {key}={value[:60]}>"
            )
            assert "url(" not in value.replace("url(#", "")
    assert "@import" not in text and "url(" not in CSS
    assert len(parsed.ids) == len(set(parsed.ids)), "ids are unique"
    for name in re.findall(r'(?:href="#|url\(#)([\w-]+)', text):
        assert name in parsed.ids
    assert not ODD.search(text), "nothing invisible"
    return parsed


@pytest.fixture(scope="module")
def report() -> str:
    return page_of(made())


def test_a_report_is_harmless_ordered_and_says_what_it_found(report):
    parsed = harmless(report)
    assert parsed.tags.count("h1") == 1 and parsed.headings[0] == 1
    assert all(b - a <= 1 for a, b in zip(parsed.headings, parsed.headings[1:], strict=False))
    assert ("meta", "content", POLICY) in parsed.attributes
    heads = parsed.tags.count("th")
    scopes = [value for tag, key, value in parsed.attributes if (tag, key) == ("th", "scope")]
    assert len(scopes) == heads and set(scopes) == {"col", "row"}
    text = " ".join(parsed.text.split())
    assert (
        "Mend it first. Do not train on these synthetic data as they are: 2 of 4 questions found a defect." in text
    )
    assert "123 of 1,200 synthetic rows are named by them; flags.jsonl lists each one." in text
    assert "2 of 16 numbers are not to be trusted" in text
    for finding in made().findings:
        assert finding.title in text and finding.sentence in text and finding.advice in text
        assert audit_report.chapter(finding.chapter) in text
    assert parsed.tags.count("svg") == parsed.tags.count("figcaption") == 6
    labels = [value for tag, key, value in parsed.attributes if (tag, key) == ("svg", "aria-label")]
    assert len(labels) == 6 and all(re.search(r"\d", label) for label in labels)


def test_every_number_behind_a_sentence_stands_beside_it(report):
    result = made()
    articles = re.findall(r"<article>.*?</article>", report, flags=re.DOTALL)
    assert len(articles) == len(result.flagged)
    for finding, article in zip(urgent(result), articles, strict=True):
        text = Parsed(article).text
        for key in finding.numbers:
            number = result.numbers[key]
            assert number.meaning in text
            assert audit_numbers.show(number.estimate) in text and audit_numbers.interval(number.estimate) in text
    table = Parsed(report[report.index('id="numbers"') :].partition("</summary>")[2].partition("</details")[0])
    for key, number in result.numbers.items():
        assert f"{key}, by {number.estimate.name}" in table.text


def test_a_number_that_is_not_trusted_is_struck_through_and_says_why(report):
    report = re.sub(r"(?s)<svg.*?</svg>", "", report)
    bare = re.sub(r"<del>.*?</del>", "", report)
    assert "3.14" in report and "3.14" not in bare
    assert "2.90 to 3.37" in report and "2.90 to 3.37" not in bare
    assert bare.count('<span class="why-not">not trusted</span>') == 2
    assert "biased by -0.8 nats" in bare and "rows are tied" in bare


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_of_the_user_does_harm_anywhere(text, tmp_path):
    result = spoiled(text)
    path = write(result, tmp_path)
    harmless(path.read_text(encoding="utf-8"))
    assert path.stat().st_size < 600_000
    kept = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert kept["findings"][0]["sentence"] == text and kept["settings"][text] == text
    said = summary(result)
    assert not ODD.search(said.replace("\n", "")) and len(said) < 12_000
    said.encode()


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec=None), max_size=80), st.integers(1, 30), st.booleans())
def test_what_is_written_is_visible_short_and_without_markup(text, limit, lines):
    shown = audit_text.visible(text, limit, lines)
    shown.encode()
    assert not ODD.search(shown) and ("\n" not in shown or lines)
    assert len(shown) <= 10 * limit + 40
    if len(text) <= limit and text.isprintable():
        assert shown == text
    escaped = audit_text.esc(text, limit, lines)
    assert not set("<>\"'") & set(escaped)
    assert html.unescape(escaped) == shown


def test_a_cut_says_how_much_it_left_out_and_does_not_split_a_letter():
    assert audit_text.visible("abcdef", 4) == "abcd\u2026 (2 more characters)"
    assert audit_text.visible("abcde\u0301f", 5) == "abcd\u2026 (3 more characters)"
    assert audit_text.visible("a\u202eb") == "a\u27e8U+202E\u27e9b"
    assert audit_text.visible("\U0001f469\u200d\U0001f52c") == "\U0001f469\u200d\U0001f52c"


def test_words_in_which_two_records_differ_are_marked():
    first, second = audit_report._marked("one two three four", "one <b> three four")
    assert first == "one <mark>two</mark> three four"
    assert second == "one <mark>&lt;b&gt;</mark> three four"
    assert "<mark>" not in "".join(audit_report._marked("one two", "labelled a, looks like b"))


def test_the_json_holds_everything_and_no_nan(tmp_path):
    result = made()
    spread = dataclasses.replace(
        result,
        series={**result.series, "curve": [{"data": "anchors", "size": np.int64(5), "loss": np.float64(math.nan),
                                            "low": -math.inf, "high": None}]},
        settings={**result.settings, "path": Path("a"), "list": (1, np.float32(0.5)), 7: np.arange(3)},
    )  # fmt: skip
    write(spread, tmp_path)
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    kept = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert list(kept) == sorted(kept)
    assert kept["series"]["curve"] == [{"data": "anchors", "size": 5, "loss": None, "low": None, "high": None}]
    assert kept["settings"]["7"] == [0, 1, 2] and kept["settings"]["list"] == [1, 0.5]
    for key, number in result.numbers.items():
        assert kept["numbers"][key]["meaning"] == number.meaning
        assert kept["numbers"][key]["value"] == (number.estimate.payload()["value"])
        assert kept["numbers"][key]["trusted"] == number.estimate.trusted
    assert [one["id"] for one in kept["findings"]] == [one.id for one in result.findings]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_report_that_was_there(step, tmp_path, monkeypatch):
    bare, other = (dataclasses.replace(made(), series={}, settings={"seed": seed}) for seed in (0, 1))
    path = write(bare, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(before) == {"report.html", "report.json", "flags.jsonl"}
    calls = []

    def fail(*arguments: Any) -> None:
        calls.append(arguments)
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="no space"):
        write(other, tmp_path)
    monkeypatch.undo()
    assert calls and {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    write(other, tmp_path)
    assert path.read_bytes() != before["report.html"]


def test_a_page_that_cannot_be_made_writes_nothing(tmp_path):
    result = made()
    lost = dataclasses.replace(result, numbers={})
    with pytest.raises(ValueError, match="near-duplicates.*does not have"):
        write(lost, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="name a folder"):
        write(result, tmp_path / "file")


@pytest.mark.slow
def test_the_same_result_makes_the_same_files(tmp_path):
    for name in ("a", "b"):
        write(made(), tmp_path / name)
    for file in ("report.html", "report.json", "flags.jsonl"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("left", ["map", "plane", "waterfall", "students", "curve", None])
def test_pictures_are_those_that_exist(left):
    result = made()
    series = {} if left is None else {left: result.series[left]}
    parsed = harmless(page_of(dataclasses.replace(result, series=series, findings=[], numbers={})))
    assert parsed.tags.count("svg") == len(series)
    assert (f"figure-{left}" in parsed.ids) == (left is not None)


@pytest.mark.slow
def test_the_map_on_the_page_marks_what_is_flagged():
    page = page_of(made())
    label = next(
        value
        for _, key, value in Parsed(page).attributes
        if key == "aria-label" and value.startswith("Scatter of first")
    )
    assert "by near-duplicates" in label and "by off-task" not in label


def test_series_without_a_number_draw_nothing_and_break_nothing():
    nan = math.nan
    series = {
        "map": {"axes": ["a", "b"], "points": {"ANCHOR": [], "SYNTH": []}, "marked": {}},
        "plane": [{"label": "x", "kind": "data", "faithfulness": [nan, nan, nan], "diversity": [1, 1, 1]}],
        "waterfall": {"unit": "error rate", "training": 0.1, "risk": 0.2, "charges": [], "steps": []},
        "students": [{"arm": "x", "ratio": 1.0, "loss": nan, "difference": [None, None, None]}],
        "curve": [{"data": "anchors", "size": 3, "loss": None, "low": None, "high": None}],
    }
    empty = Result([], {}, {}, [], series)
    parsed = harmless(page_of(empty))
    assert "svg" not in parsed.tags and "No question was asked." in parsed.text
    assert summary(empty) == "No question was asked."
    for name, draw in (("map", "embedding_map"), *((n, n) for n in ("plane", "waterfall", "students", "curve"))):
        with pytest.raises(ValueError, match="at least one"):
            getattr(audit_figures, draw)(series[name])


def test_the_summary_has_the_verdict_and_the_advice():
    said = summary(made())
    verdict = judged(made())
    assert said.startswith(verdict.headline)
    assert " ".join(said.split()).startswith(" ".join((verdict.headline, *verdict.sentences)))
    assert "2 FLAGGED Are labels wrong?" in " ".join(said.split()) and "-> Check the examples." in said
    assert "122 rows, the first is synthetic.jsonl:40" in said
    assert "not checked Does curation" in " ".join(said.split()) and "3.1" not in said
    assert max(map(len, said.splitlines())) <= 100
    for jargon in ("nats", "TV", "total variation", "Jaccard", "GGMI", "MMD", "p ="):
        assert jargon not in said


def test_the_command_to_rerun_is_quoted_for_the_shell():
    settings = {"anchor": "a b/$x;rm.jsonl", "seed": 3, "x y": "no", "z": None, "clean": "c.jsonl"}
    result = dataclasses.replace(made(), settings=settings)
    said = audit_report.rerun(result)
    assert shlex.split(said) == ["rbcore-audit", "--anchor=a b/$x;rm.jsonl", "--seed=3", "--clean=c.jsonl"]


# The verdict


def answered(verdicts: dict[str, str], *numbers: Number, given: str = "ANCHOR SYNTH HELDOUT") -> Result:
    findings = [
        Finding(id, QUESTIONS[id].title, verdict, "So it is.", QUESTIONS[id].advice * (verdict == "flagged"), (),
                QUESTIONS[id].chapter, "")
        for id, verdict in verdicts.items()
    ]  # fmt: skip
    inputs = [{"name": name, "source": name, "used": 100, "found": 100} for name in given.split()]
    return Result(inputs, {}, {one.id: one for one in numbers}, findings)


def apart(limit: float, warning: str = "") -> Number:
    estimate = Estimate("tv-lower", limit, (limit, 1.0), 300, 64, sided="lower", warning=warning)
    return Number("tv-total", "TV between the task and the synthetic data: at least", estimate)


CLEAR = dict.fromkeys(("near-duplicates", "anchor-copies", "off-task", "narrow", "missing"), "clear")


MORE = CLEAR | dict.fromkeys(("extra", "distance", "students"), "clear")


@pytest.mark.parametrize(
    ("verdicts", "numbers", "answer", "says"),
    [
        (CLEAR, [], "use", "none of 5 questions found a defect that matters"),
        (CLEAR, [apart(0.04)], "use", "That is no certificate"),
        (CLEAR, [apart(0.174)], "unsure", "differs by 17 %, at least"),
        (CLEAR, [apart(0.174, "biased")], "use", "That is no certificate"),
        (CLEAR | {"missing": "undecided"}, [], "unsure", "1 of them could not be decided"),
        (MORE | {"endings": "undecided"}, [], "use", "could not be decided, because so few records"),
        (MORE | {"endings": "undecided"}, [], "use", "Open: Are answers cut off?"),
        (MORE | {"endings": "undecided"}, [apart(0.06)], "unsure", "Open: Are answers cut off?"),
        (
            MORE | dict.fromkeys(("endings", "length", "language"), "undecided"),
            [],
            "unsure",
            "3 of them could not",
        ),
        (CLEAR | {"missing": "not checked"}, [], "unsure", "1 of them could not be decided"),
        (CLEAR | {"curation": "not checked"}, [], "use", "1 question could not be asked of these data"),
        (CLEAR | {"whole": "flagged"}, [], "unsure", "Too many answers lean to one side"),
        (CLEAR | {"missing": "flagged"}, [apart(0.2)], "mend", "1 of 5 questions found a defect"),
        (CLEAR | {"missing": "flagged", "narrow": "undecided"}, [], "mend", "1 more could not be decided"),
        (CLEAR | {"students": "flagged"}, [], "mend", "1 of 6 questions"),
    ],
)
def test_the_verdict_is_as_good_as_the_answers(verdicts, numbers, answer, says):
    result = answered(verdicts, *numbers)
    found = judged(result)
    assert found.answer == answer and says in " ".join(found.sentences)
    assert " ".join(summary(result).split()).startswith(" ".join((found.headline, *found.sentences)))
    text = " ".join(Parsed(page_of(result)).text.split())
    assert " ".join((found.headline, *found.sentences)) in text


@given(
    st.dictionaries(st.sampled_from(sorted(QUESTIONS)), st.sampled_from(list(audit_report.SIGNS)), min_size=1),
    st.floats(0, 1),
)
@example(CLEAR | {"whole": "undecided"}, 0.0)
def test_no_verdict_hides_what_is_open(verdicts, limit):
    result = answered(verdicts, apart(limit))
    found, said = judged(result), " ".join(judged(result).sentences)
    open_ = {id for id, verdict in verdicts.items() if verdict in ("flagged", "undecided") and id != "ggmi"}
    if found.answer == "use":
        assert not any(verdicts[id] == "flagged" for id in open_) and not open_ & set(CLEAR)
        assert ("open question" in found.headline) == ("could not be decided" in said) == bool(open_ - {"whole"})
        assert limit <= 0.05 and "certificate" in said
    if any(verdict == "flagged" and id not in ("distance", "whole", "ggmi") for id, verdict in verdicts.items()):
        assert found.answer == "mend"
    assert "nothing to change" not in page_of(result).lower()


def test_the_most_severe_comes_first():
    ids = ("students", "near-duplicates", "wrong-labels", "off-task", "narrow", "held-out-copies")
    fix = Number("fix-off-task", "change of loss", Estimate("mean-difference", -2.0, (-3.0, -1.0), 9, unit="nats"))
    unsure = Number(
        "fix-near-duplicates", "change", Estimate("mean-difference", -9.0, (-19.0, 1.0), 9, unit="nats")
    )
    rows = [Row("s", i + 1, i, "near-duplicates", "flagged", None, "x", True) for i in range(10)]
    rows += [Row("s", i + 1, i, "wrong-labels", "flagged", None, "x", True) for i in range(20)]
    result = dataclasses.replace(answered(dict.fromkeys(ids, "flagged"), fix, unsure), rows=rows)
    order = ["held-out-copies", "off-task", "narrow", "wrong-labels", "near-duplicates", "students"]
    assert [one.id for one in urgent(result)] == order
    page = page_of(result)
    shown = [Parsed(one).text for one in re.findall(r"(?s)<article>.*?</article>", page)]
    assert all(QUESTIONS[id].title in text for id, text in zip(order, shown, strict=True))
    assert page.index('id="others"') > page.index(QUESTIONS[order[2]].title)


@pytest.mark.slow
def test_ggmi_and_the_bound_are_told_where_held_out_records_were_given():
    findings = [
        *made().findings,
        Finding("ggmi", "What does GGMI say?", "not checked", "Nothing.", "", (), "07-ggmi", ""),
    ]
    for inputs, there in ((made().inputs, True), (made().inputs[:2], False)):
        result = dataclasses.replace(made(), findings=findings, inputs=inputs)
        page = page_of(result)
        assert ("figure-waterfall" in page) == ("What does GGMI say?" in page) == there
        assert ("What does GGMI say?" in summary(result)) == there


def test_terms_are_explained_once_where_they_first_stand(report):
    for words in WORDS["terms"].values():
        assert re.sub(r"(?s)<svg.*?</svg>", "", report).count(html.escape(words)) <= 1
    article = re.findall(r"(?s)<article>.*?</article>", report)[1]
    assert "contradicts 16.8" in article
    first = Parsed(article).text
    assert "classifier: a small model that is trained to tell" in " ".join(first.split())


def test_examples_stand_side_by_side_with_their_places(report):
    (article,) = (one for one in re.findall(r"(?s)<article>.*?</article>", report) if "repeat one another" in one)
    example = re.search(r"(?s)<ul class=\"examples\"><li>(.*?)</li>", article)[1]
    assert "synthetic, synthetic.jsonl:40" in example and "resembles a synthetic one, synthetic.jsonl:3" in example
    assert "<mark>pond</mark>" in example and "<mark>photo</mark>" in example
    assert "All 122 rows that it names are in <code>flags.jsonl</code>, the first is" in article


@pytest.mark.slow
def test_the_page_says_what_cleaning_changed():
    repeats = Change("repeats", "synthetic records that nearly repeat", 0.1017, 0.0)
    flags = ("near-duplicates", "narrow"), ("narrow",), ("narrow",)
    cleaned = Cleaned("c.jsonl", 123, 1077, 5, *flags, (repeats,), "", "out/report.html")
    result = dataclasses.replace(made(), cleaned=cleaned)
    text = " ".join(harmless(page_of(result)).text.split())
    for one in (text, " ".join(summary(result).split())):
        assert "123 rows were left out, 1,077 were written to c.jsonl." in one
        assert "5 rows were not looked at" in one
        assert "No longer flagged: Do synthetic records repeat one another?" in one
        assert "Flagged before and after: Is the synthetic data too predictable?" in one
        assert "no row is to blame for them, or too many are: Is the synthetic data too predictable?" in one
        assert "Flagged only now" not in one
    assert "syntheticrecordsthatnearlyrepeat10.2%0.0%" in text.replace(" ", "")
    assert "learns less" not in text
    worse = Number("fix-near-duplicates", "change", Estimate("mean-difference", 2.0, (1.0, 3.0), 9, unit="nats"))
    hurt = dataclasses.replace(result, numbers={**result.numbers, worse.id: worse})
    assert "read some before you leave them out: Do synthetic records repeat" in " ".join(summary(hurt).split())
    assert "which this makes <b>worse</b>: change, 2.0" in page_of(hurt)
    kept = audit_report.payload(result)["cleaned"]
    assert kept["removed"] == 123 and kept["shares"][0]["after"] == 0
    nothing = dataclasses.replace(cleaned, path="", note="Only 3 of 20 rows would be left, too few to go on with.")
    said = summary(dataclasses.replace(made(), cleaned=nothing))
    assert "Nothing was written. Only 3 of 20 rows would be left" in " ".join(said.split())


# The schema

SCHEMA = json.loads(Path(audit_report.__file__).with_name("report.schema.json").read_text(encoding="utf-8"))


def complaints(payload: dict[str, Any]) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return [error.json_path for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(payload)]


def test_the_json_is_as_its_schema_says():
    cleaned = Cleaned("c.jsonl", 1, 2, 0, ("a",), (), (), (Change("x", "y", 0.5, 0.25),))
    for result in (made(), dataclasses.replace(made(), cleaned=cleaned)):
        stored = json.loads(json.dumps(audit_report.payload(result)))
        assert complaints(stored) == []
        assert set(stored) == set(SCHEMA["required"])
        assert stored["version"] == SCHEMA["properties"]["version"]["const"]
    verdicts = SCHEMA["$defs"]["finding"]["properties"]["verdict"]["enum"]
    assert set(verdicts) == set(typing.get_args(Verdict)) == set(audit_report.SIGNS)
    assert set(SCHEMA["$defs"]["number"]["required"]) == {"meaning", *made().numbers["repeats"].estimate.payload()}
    assert set(SCHEMA["$defs"]["cleaned"]["required"]) == {one.name for one in dataclasses.fields(Cleaned)}


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda x: x.pop("verdict"), "$"),
        (lambda x: x["findings"][0].update(verdict="maybe"), "$.findings[0].verdict"),
        (lambda x: x["findings"][0].update(p=1.5), "$.findings[0].p"),
        (lambda x: x["numbers"]["repeats"].update(ci=[0.1]), "$.numbers.repeats.ci"),
        (lambda x: x["rows"].update(rows=-1), "$.rows.rows"),
        (lambda x: x["settings"].update(limit="many"), "$.settings.limit"),
        (lambda x: x.update(version=2), "$.version"),
    ],
)
def test_the_schema_finds_what_is_wrong(spoil, where):
    stored = json.loads(json.dumps(audit_report.payload(made())))
    spoil(stored)
    assert complaints(stored) == [where]


NUMBERS = [
    (Estimate("share", 0.08333, (0.068, 0.1003), 1200, unit="share"), "8.3 %", "6.8 to 10.0 %"),
    (Estimate("share", 0.0, (0.0, 0.0031), 1200, unit="share"), "0.00 %", "0.00 to 0.31 %"),
    (Estimate("tv-lower", 0.1279, (0.1279, 1.0), 9, sided="lower"), "at least 0.12", "one-sided"),
    (Estimate("share", 0.02, (0.0, 0.0521), 9, unit="share", level=0.9995, sided="upper"), "at most 5.3 %",
     "one-sided (at 99.95 %)"),
    (Estimate("share", 0.2, (0.12, 1.0), 9, unit="share", sided="lower"), "at least 12 %", "one-sided"),
    (Estimate("ksg", 0.3141, (0.29, 0.34), 9, 2, "nats"), "0.314 nats", "0.290 to 0.340 nats"),
    (Estimate("m", -0.0134, (-0.047, 0.021), 9, unit="nats"), "\u22120.013 nats", "\u22120.047 to 0.021 nats"),
    (Estimate("m", 12345.6, (12000.0, 13000.0), 9), "12,346", "12,000 to 13,000"),
    (Estimate("m", 0.5, (0.5, 0.5), 9), "0.500", "0.500 to 0.500"),
    (Estimate("m", math.nan, (-math.inf, math.inf), 9), "unknown", ""),
    (Estimate("m", 2.5, (1.0, math.inf), 9, unit="bits"), "2.50 bits", "from 1.00 bits"),
    (Estimate("m", 2.5, (1.0, 4.0), 9, warning="tied"), "not trusted", "1.0 to 4.0"),
    (Estimate("m", 2.5, (1.0, 4.0), 9, level=1.0), "2.5", "1.0 to 4.0 (range)"),
]  # fmt: skip


@pytest.mark.parametrize(("estimate", "value", "ends"), NUMBERS)
def test_numbers_have_the_digits_that_their_interval_supports(estimate, value, ends):
    assert audit_numbers.show(estimate).replace("\xa0", " ") == value
    assert audit_numbers.interval(estimate).replace("\xa0", " ") == ends


@given(st.floats(1e-6, 1, exclude_max=True), st.sampled_from(["lower", "upper"]))
def test_limits_are_rounded_to_the_safe_side(limit, side):
    ci = (limit, 1.0) if side == "lower" else (0.0, limit)
    shown = float(audit_numbers.show(Estimate("t", limit, ci, 9, sided=side)).split()[-1])
    assert shown <= limit + 1e-6 if side == "lower" else shown >= limit - 1e-6
    assert shown == pytest.approx(limit, rel=0.11, abs=2e-6)


def test_titles_of_chapters_are_those_of_the_notebooks():
    for name, title in WORDS["chapters"].items():
        source = (audit_report.ROOT / "notebooks" / f"{name}.md").read_text(encoding="utf-8")
        prose = re.sub(r"(?ms)^```.*?^```", "", source)
        assert re.search(r"(?m)^# (.+)$", prose).group(1).strip() == title
    assert {asked.chapter for asked in QUESTIONS.values()} == set(WORDS["chapters"])
    name = "10-faithfulness-diversity-collapse"
    assert audit_report.chapter(name) == "chapter 10, Faithfulness, diversity, collapse"
    assert audit_report.chapter("A-primer").startswith("appendix A, ")


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("theme", re.findall(r":root \{(.*?)\}", CSS, flags=re.DOTALL)[:2], ids=["light", "dark"])
def test_texts_have_the_contrast_that_the_guidelines_ask_for(theme):
    colours = dict(re.findall(r"--(\w+): (#\w{6})", theme))
    for ink in ("text", "soft", "flagged", "clear", "unchecked", "link"):
        for ground in ("page", "well"):
            low, high = sorted(luminance(colours[key]) for key in (ink, ground))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)
    low, high = sorted(luminance(colours[key]) for key in ("text", "mark"))
    assert (high + 0.05) / (low + 0.05) >= 4.5


@pytest.fixture
def styled() -> Iterator[None]:
    with plt.rc_context():
        figures.style()
        yield
        plt.close("all")


def test_a_waterfall_stands_on_the_bars_before_and_marks_the_true_steps(styled):
    series = made().series["waterfall"]
    figure = audit_figures.waterfall(series)
    ax = figure.axes[0]
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches[:4]]
    assert np.allclose(bars, [(0, 0.052), (0.052, 0.081), (0.133, 0.127), (0, 0.26)])
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_linewidth() == 2.6]
    assert np.allclose(marks, [0.052 + 0.041, 0.133 + 0.093, 0.26 + 0.017])
    assert any(line.get_linestyle() == "--" and line.get_xdata()[0] == 0.203 for line in ax.lines)
    arrows = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == ">"]
    assert np.allclose(arrows, [0.133, 0.26])
    text = figure.get_label()
    assert (
        "task divergence charges at least 0.081 for a true step of 0.041" in text and "true risk is 0.203" in text
    )


def test_a_map_draws_every_point_and_names_what_is_marked(styled):
    series = made().series["map"]
    figure = audit_figures.embedding_map(series)
    counts = [[len(c.get_offsets()) for c in ax.collections] for ax in figure.axes]
    assert counts == [[600, 1200, 120, 100], [600, 500], [600, 200]]
    named = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"anchors", "synthetic", "off-task", "near-duplicates"} <= named
    text = figure.get_label()
    assert "600 anchors, 1,200 synthetic" in text and "120 by off-task" in text


def test_students_are_judged_by_their_intervals(styled):
    series = made().series["students"]
    assert [audit_figures.effect(one) for one in series] == ["worse", "better", "undecided"]
    figure = audit_figures.students(series)
    points = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() in "ov^"]
    assert np.allclose(sorted(points), sorted(one["difference"][0] for one in series))
    assert "synthetic alone 1.92 [1.42, 2.42], worse" in figure.get_label()


def test_a_curve_and_a_plane_show_their_numbers(styled):
    series = made().series
    lines = {line.get_label(): line for line in audit_figures.curve(series["curve"]).axes[0].lines}
    for data, line in lines.items():
        own = [(one["size"], one["loss"]) for one in series["curve"] if one["data"] == data]
        assert np.allclose(line.get_xydata(), own)
    figure = audit_figures.plane(series["plane"])
    ax = figure.axes[0]
    points = {tuple(line.get_xydata()[0]) for line in ax.lines if line.get_marker() in audit_figures.MARKS}
    assert points == {(one["faithfulness"][0], one["diversity"][0]) for one in series["plane"]}
    assert all(box.has_xerr and box.has_yerr for box in ax.containers)
    assert "SYNTH (data): faithfulness 0.870 [0.840, 0.890]" in figure.get_label()


def test_intervals_show_trusted_shares_in_per_cent(styled):
    result = made()
    ax = audit_figures.intervals(result).axes[0]
    shown = [box.lines[0].get_xdata()[0] for box in ax.containers]
    keys = [key for _, ids in audit_figures.shares(result) for key in ids]
    assert keys == ["repeats", "repeats-equal", "repeats-usual", "label-disagreement", "label-usual",
                    "anchor-copies", "anchor-twins"]  # fmt: skip
    assert np.allclose(shown, [100 * result.numbers[key].estimate.value for key in keys])
    with pytest.raises(audit_figures.NothingToDraw, match="a trusted share"):
        audit_figures.intervals(dataclasses.replace(result, findings=[]))


@pytest.mark.slow
@pytest.mark.parametrize("hostile", [False, True])
def test_the_page_fits_a_phone_and_loads_nothing(hostile, tmp_path):
    pytest.importorskip("playwright")
    from browser import executable, launched

    if executable() is None:
        pytest.skip("no Chromium is installed")
    path = write(spoiled("x" * 3000 + "<b>") if hostile else made(), tmp_path)
    wrong: list[str] = []
    with launched() as browser:
        for width in (360, 390, 1280):
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.on("request", lambda r: wrong.append(r.url) if not r.url.startswith(("data:", "file:")) else None)
            page.on("console", lambda message: wrong.append(message.text))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.close()
    assert wrong == []


@pytest.mark.slow
def test_a_report_leaves_the_style_of_figures_as_it_was():
    before = dict(plt.rcParams)
    page_of(made())
    assert dict(plt.rcParams) == before and not plt.get_fignums()
