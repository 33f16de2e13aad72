"""Decks of slides: a short file for each chapter chooses what its built page gives, and says the rest in a line.

A deck is MyST Markdown, ``book/slides/NN.md``.  ``# `` begins it with its question, ``## `` a slide, ``+++`` its
next step, and ``Note (3 minutes):`` what the speaker says, to the end of the slide.  Roles:

* alone in a paragraph, from the chapter's page: ``{box}`thm-two` ``, a definition or statement; and
  ``{figure}`fig-two` ``, with the first sentence of its caption; the rest of the caption goes to the notes;
* in a line: ``{claim}`id` ``, sentence and mark from the page; ``{exercise}`ex-two` ``, its name; ``{val}``,
  ``{num}``, ``{ci}``, ``{statement}`` and ``{shannon}`` as in a notebook; ``{source}`key` ``, an entry of the
  bibliography;
* ``[words](#label)`` leads to that place of the chapter's page.
"""

from __future__ import annotations

import difflib
import hashlib
import html
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bs4 import BeautifulSoup, Tag
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.myst_role import myst_role_plugin

from rbcore.book.display import display
from rbcore.book.ledger import Value
from rbcore.book.paper import NoBrowser, browsing
from rbcore.files import replace_file, replace_folder
from rbcore.information import latex
from rbcore.information.expr import ExpressionError

FOLDER = "slides"  # of the sources in book/, of the decks in book/_build/ and of their copy on the site
BLOCKS = ("box", "figure")
SHOW = {"val": Value.text, "num": Value.number, "ci": Value.with_interval}
ROLES = (*BLOCKS, *SHOW, "claim", "statement", "exercise", "source")  # those that name something
ROLE = re.compile(r"\{(\w+)\}`([^`]+)`")
NOTE = re.compile(r"(?m)^Note \((\d+) minutes?\):\s*")
STEP = re.compile(r"(?m)^\+\+\+[ \t]*$")
WIDE = 1.95  # width over height from which a figure has its text below, and not beside it
WIDE_ENOUGH, FEW = 1.5, 110  # the same where few characters stand below
WIDTH, HEIGHT = 1280, 720  # of a slide, in CSS pixels
LINE = 58  # characters of a line of a statement
STATIC = ("lib/reveal", "slides", "mathjax")  # what decks need of the site's _static
SITE = "../../html/"  # from a deck to the pages of the book
STAMP = ".printed-from"  # beside a PDF: the digest of all that it shows


class SlidesError(RuntimeError):
    """A deck cannot be made; the message names deck, slide and what is near to the name that is missing."""


class Slide(NamedTuple):
    """One slide: its title, its steps in Markdown, what the speaker says, minutes, and its line in the file."""

    title: str
    steps: tuple[str, ...]
    note: str
    minutes: int
    line: int


class Deck(NamedTuple):
    """A deck as its file has it; the first slide holds the question."""

    file: str
    chapter: str
    slides: tuple[Slide, ...]


class Made(NamedTuple):
    """Where a deck is, how many slides and minutes it has, and its title."""

    name: str
    title: str
    question: str
    slides: int
    minutes: int


def read(path: Path, chapter: str) -> Deck:
    """Read the file of a deck.

    Raises:
        SlidesError: when it has no question, or a slide lacks its speaker notes.
    """
    text = path.read_text(encoding="utf8")
    slides = []
    heads = list(re.finditer(r"(?m)^##? +(.+)$", text))
    if not heads or not heads[0][0].startswith("# ") or sum(head[0].startswith("# ") for head in heads) != 1:
        raise SlidesError(f"{path.name}: begin with one line `# the question`; slides begin with `## a title`")
    for head, end in zip(heads, [*(h.start() for h in heads[1:]), len(text)], strict=True):
        line = text.count("\n", 0, head.start()) + 1
        body = text[head.end() : end]
        note = NOTE.search(body)
        if note is None or not body[note.end() :].strip():
            raise SlidesError(
                f"{path.name}:{line}: the slide “{head[1]}” has no notes: end it with `Note (2 minutes): ...`"
            )
        steps = tuple(step.strip() for step in STEP.split(body[: note.start()]))
        slides.append(Slide(head[1].strip(), steps, body[note.end() :].strip(), int(note[1]), line))
    return Deck(path.name, chapter, tuple(slides))


def decks(root: Path, numbers: str = "") -> list[Deck]:
    """The decks of all chapters that have one, or of those whose numbers are named.

    Raises:
        SlidesError: for a number without a deck, and a deck without a chapter.
    """
    found = {path.stem: path for path in sorted((root / "book" / FOLDER).glob("*.md"))}
    chapters = {path.stem.split("-")[0]: path.stem for path in sorted((root / "notebooks").glob("*.md"))}
    if lost := sorted(found.keys() - chapters.keys()):
        raise SlidesError(f"book/{FOLDER}/{lost[0]}.md belongs to no chapter: notebooks/{lost[0]}-*.md is missing")
    for number in numbers.split():
        if number not in found:
            raise SlidesError(f"there is no deck {number}; there are {', '.join(found) or 'none'}")
    return [read(found[number], chapters[number]) for number in numbers.split() or found]


# ---------------------------------------------------------------------------------------------------------------
# References, checked against the notebooks without a build
# ---------------------------------------------------------------------------------------------------------------


def named(root: Path, chapter: str) -> dict[str, set[str]]:
    """What a deck of this chapter may name, by role: read from its notebook, values and sources from all texts."""
    texts = {path.stem: path.read_text(encoding="utf8") for path in (root / "notebooks").glob("*.md")}
    own = texts[chapter]
    said = {
        (name, *role) for name, text in texts.items() for role in ROLE.findall(text)
    }  # claims quote values, too
    values = {name for _, role, name in said if role in SHOW}
    boxes = re.findall(r"(?m)^`{3,}\{(prf:\w+|exercise)\}[^\n]*\n(?::[^\n]*\n)*?:label:[ ]*(\S+)", own)
    bibliography = (root / "book" / "references.bib").read_text(encoding="utf8")
    return {
        "box": {label for kind, label in boxes if kind != "exercise"},
        "exercise": {label for kind, label in boxes if kind == "exercise"},
        "figure": set(re.findall(r"(?m)^\s*:?name: (fig-\S+)", own)),
        "claim": {name for place, role, name in said if role == "claim" and place == chapter},
        "statement": {name for _, role, name in said if role in ("claim", "statement")},
        "source": set(re.findall(r"(?m)^@\w+\{([^,\s]+)", bibliography)),
        **dict.fromkeys(SHOW, values),
    }


def missing(root: Path, deck: Deck) -> list[str]:
    """A line for each reference of the deck that leads nowhere, with the nearest names that exist."""
    there = named(root, deck.chapter)
    found = []
    for slide in deck.slides:
        for role, name in ROLE.findall("\n".join((slide.title, *slide.steps, slide.note))):
            if role == "shannon":
                continue
            if role not in ROLES:
                known = ", ".join((*ROLES, "shannon"))
                found.append(f"{_place(deck, slide)}: there is no role {{{role}}}; slides have {known}")
            elif name not in there[role]:
                found.append(_lost(deck, slide, role, name, there[role]))
    return found


def _place(deck: Deck, slide: Slide) -> str:
    return f"book/{FOLDER}/{deck.file}:{slide.line}: slide “{slide.title}”"


def _lost(deck: Deck, slide: Slide, role: str, name: str, there: Iterable[str]) -> str:
    names = sorted(there)
    near = difflib.get_close_matches(name, names, 3, 0.4) or names[:3]
    hint = f"; the nearest: {', '.join(near)}" if near else ""
    return f"{_place(deck, slide)}: notebooks/{deck.chapter}.md has no {role} {name!r}{hint}"


# ---------------------------------------------------------------------------------------------------------------
# From the built page to a deck
# ---------------------------------------------------------------------------------------------------------------


class Page:
    """The built page of a chapter, and the results of the run that made it."""

    def __init__(
        self, built: Path, deck: Deck, ledger: Mapping[str, Any], bibliography: Mapping[str, str]
    ) -> None:
        path = built / "chapters" / f"{deck.chapter}.html"
        if not path.exists():
            raise SlidesError(f"{path} is not there: call `make book` first")
        text = path.read_text(encoding="utf8")
        self.soup = BeautifulSoup(text, "html.parser")
        self.deck, self.ledger, self.bibliography = deck, ledger, bibliography
        found = re.search(r"<script>(window\.MathJax = .*?)</script>", text, re.S)
        self.mathjax = found[1] if found else "window.MathJax = {}"
        heading = self.soup.select_one("article h1")
        if heading is None:
            raise SlidesError(f"{path} has no title: call `make book` first")
        for number in heading.select(".section-number"):  # appendices have none
            number.extract()
        self.number = deck.chapter.split("-")[0].lstrip("0")
        self.title = heading.get_text().rstrip("#").strip()
        self.images: set[str] = set()
        self.slide: Slide | None = None
        self.captions: list[str] = []  # what of the caption of this slide's figure goes to the notes
        self.aspect = 0.0  # of this slide's figure; zero without one
        self.markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        dollarmath_plugin(self.markdown, double_inline=True, allow_blank_lines=False)
        myst_role_plugin(self.markdown)
        self.markdown.add_render_rule("math_inline", lambda _, t, i, o, e: formula(t[i].content))
        self.markdown.add_render_rule("math_inline_double", lambda _, t, i, o, e: formula(t[i].content, True))
        self.markdown.add_render_rule("math_block", lambda _, t, i, o, e: formula(t[i].content, True))
        self.markdown.add_render_rule(
            "myst_role", lambda _, t, i, o, e: self.role(t[i].meta["name"], t[i].content)
        )

    def render(self, text: str) -> str:
        """Markdown as HTML; boxes and figures stand by themselves, links lead to the chapter's page."""
        tokens = self.markdown.parse(text)
        for before, token in zip(tokens, tokens[1:], strict=False):
            children = token.children or ()
            for child in children:
                if child.type == "link_open" and str(child.attrs.get("href", "")).startswith("#"):
                    anchor = str(child.attrs["href"])
                    if self.soup.find(id=anchor[1:]) is None:
                        raise SlidesError(self.lost("link", anchor[1:]))
                    child.attrs["href"] = f"{SITE}chapters/{self.deck.chapter}.html{anchor}"
            if before.type == "paragraph_open" and len(children) == 1 and children[0].type == "myst_role":
                if children[0].meta["name"] in (*BLOCKS, "statement"):
                    children[0].meta["alone"] = True
                    before.hidden = True
                    tokens[tokens.index(token) + 1].hidden = True
                    if children[0].meta["name"] == "statement":
                        children[0].meta["name"] = "display"
        return str(self.markdown.renderer.render(tokens, self.markdown.options, {}))

    def lost(self, role: str, name: str) -> str:
        """The message for a name that the page does not have."""
        ids = (str(tag["id"]) for tag in self.soup.select("article [id]"))
        return _lost(self.deck, self.slide or self.deck.slides[0], role, name, ids)

    def role(self, role: str, name: str) -> str:
        """The HTML of one role."""
        name = name.strip()
        if role in SHOW:
            if name not in self.ledger["values"]:
                raise SlidesError(self.lost(role, name))
            return f'<span class="value">{html.escape(SHOW[role](self.ledger["values"][name]))}</span>'
        if role in ("statement", "display", "shannon"):
            statement = name if role == "shannon" else self.ledger["statements"].get(name)
            if not statement:
                raise SlidesError(self.lost("statement", name))
            try:
                alone = role == "display"
                return formula(display(statement, LINE) if alone else latex(statement), alone)
            except ExpressionError as error:
                raise SlidesError(f"{_place(self.deck, self.slide or self.deck.slides[0])}: {error}") from None
        if role == "source":
            return self.bibliography[name]
        found = self.soup.find(id=f"said-{name}" if role == "claim" else name)
        if not isinstance(found, Tag):
            raise SlidesError(self.lost(role, name))
        if role == "figure":
            return self.figure(found)
        if role == "claim":
            mark = found.find_next(class_="rb-badge")
            link = mark.parent if isinstance(mark, Tag) else None
            said = str(link.get("title", "")).split(":")[0] if isinstance(link, Tag) else ""
            sign = mark.get_text() if isinstance(mark, Tag) else ""
            kind = said.split(" ")[0]
            badge = f'<span class="mark {kind}" role="img" aria-label="{said}" title="{said}">{sign}</span>'
            return f'<span class="claim">{plain(found)}\u202f{badge}</span>'
        title = found.find(class_="admonition-title")
        if not isinstance(title, Tag):
            raise SlidesError(self.lost(role, name))
        if role == "exercise":
            href = f"{SITE}chapters/{self.deck.chapter}.html#{name}"
            return f'<a href="{href}">{plain(title).strip()}</a>'
        content = found.find("section")
        return f'<div class="box"><p class="name">{plain(title)}</p>{plain(content)}</div>'

    def figure(self, found: Tag) -> str:
        """A figure with its alternative text and its caption's first sentence; the rest is kept for the notes."""
        image, caption = found.find("img"), found.find(class_="caption-text")
        if not isinstance(image, Tag) or not isinstance(caption, Tag):
            raise SlidesError(self.lost("figure", str(found["id"])))
        source = str(image["src"])
        self.images.add(source.removeprefix("../"))
        self.aspect = _aspect(image)
        first, *more = re.split(r"(?<=[.?!])\s+", plain(caption), maxsplit=1)
        self.captions += more
        alt = html.escape(str(image.get("alt", "")).strip())
        return f'<figure><img src="{source}" alt="{alt}"/><figcaption>{first}</figcaption></figure>'

    def made(self, number: int, slide: Slide) -> tuple[str, str]:
        """A slide as HTML, and its notes."""
        self.slide, self.captions, self.aspect = slide, [], 0.0
        steps = [self.render(step) for step in slide.steps]
        notes = self.render(slide.note)
        notes += "".join(f'<p class="caption"><em>The figure:</em> {more}</p>' for more in self.captions)
        shown = [steps[0], *(f'<div class="fragment">{step}</div>' for step in steps[1:])]
        title = self.markdown.renderInline(slide.title)
        if not number:
            head = f"Appendix {self.number}" if self.number.isalpha() else f"Chapter {self.number}"
            inside = f'<p class="over">The Reverse Bottleneck · {head}</p><h1>{html.escape(self.title)}</h1>'
            inside += f'<p class="question">{title}</p>{"".join(shown)}'
            kind = "title"
        else:
            kind = "asked" if slide.title.startswith("Question") else "plain"
            body = "".join(shown)
            figure = re.search(r"<figure>.*?</figure>", body, re.S)
            if figure:
                rest = body.replace(figure[0], "")
                said = len(BeautifulSoup(rest, "html.parser").get_text().strip())
                stacked = self.aspect >= WIDE or (self.aspect >= WIDE_ENOUGH and said < FEW)
                kind += " full" if not said else " wide" if stacked else " side"
                body = figure[0] + (f'<div class="text">{rest}</div>' if rest.strip() else "")
            inside = f'<h2>{title}</h2><div class="body">{body}</div>'
        sheet = f'<div class="sheet">{inside}</div><aside class="notes">{notes}</aside>'
        return f'<section class="{kind}">{sheet}</section>', notes


def _aspect(image: Tag) -> float:
    """Width over height of an image whose page says both; of a wide one where it does not."""
    try:
        return float(str(image["width"])) / float(str(image["height"]))
    except (KeyError, ValueError, ZeroDivisionError):
        return WIDE


def formula(tex: str, alone: bool = False) -> str:
    """TeX as the pages have it for MathJax."""
    inside = html.escape(tex.strip(), quote=False)
    if alone:
        return f'<div class="math">\\[{inside}\\]</div>'
    return f'<span class="math">\\({inside}\\)</span>'


def plain(tag: Tag | Any) -> str:
    """The inside of an element of a page, for a place outside of it: without links, ids and buttons."""
    if not isinstance(tag, Tag):
        return ""
    copied = BeautifulSoup(tag.decode_contents(), "html.parser")
    for found in copied.select(".headerlink, .rb-check, .rb-badge, script, button"):
        found.decompose()
    for found in copied.find_all("a"):
        found.unwrap()
    for found in copied.find_all(id=True):
        del found["id"]
    return str(copied).strip()


def bibliography(path: Path) -> dict[str, str]:
    """Each entry of a BibTeX file in a line of HTML: authors, year, title and where it appeared."""
    import latexcodec  # noqa: F401  # the codec of TeX's accents, which pybtex brings
    from pybtex.database import parse_file

    def read(text: str) -> str:
        return re.sub(r"[{}]", "", text.encode().decode("latex+utf8"))

    found = {}
    for key, entry in parse_file(str(path)).entries.items():
        people = [" ".join(p.prelast_names + p.last_names) for p in entry.persons.get("author", [])]
        names = people[0] if len(people) == 1 else f"{people[0]} and {people[-1]}" if len(people) == 2 else ""
        names = names or (f"{people[0]} et al." if people else key)
        fields = {name: read(text) for name, text in entry.fields.items()}
        where = next((fields[f] for f in ("journal", "booktitle", "publisher", "howpublished") if f in fields), "")
        where = where or (f"arXiv:{fields['eprint']}" if "eprint" in fields else "")
        where = f" <em>{html.escape(where)}</em>." if where else ""
        names, title = html.escape(read(names)), html.escape(fields.get("title", ""))
        found[key] = f"{names} ({fields.get('year', '')}). {title}.{where}"
    return found


def ledger(source: Path) -> dict[str, Any]:
    """Values and statements of the run that made the pages, from the folder that they were made from."""
    raw = json.loads(source.read_text(encoding="utf8"))
    return {
        "values": {v["name"]: Value(**v) for v in raw["values"]},
        "statements": {c["id"]: c["statement"] for c in raw["claims"] if c["statement"]},
    }


DECK = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{title}: slides</title>
<link rel="stylesheet" href="../_static/lib/reveal/reveal.css"/>
<link rel="stylesheet" href="../_static/slides/slides.css"/>
<script>{mathjax}</script>
<script defer src="../_static/mathjax/mathjax.js"></script>
<script defer src="../_static/lib/reveal/reveal.js"></script>
<script defer src="../_static/lib/reveal/notes.js"></script>
<script defer src="../_static/slides/slides.js"></script>
</head>
<body>
<div class="reveal"><div class="slides">
{slides}
</div></div>
</body>
</html>
"""
PLAIN = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{title}</title>
<link rel="stylesheet" href="{up}_static/slides/pages.css"/>
<script>{mathjax}</script>
<script defer src="{up}_static/mathjax/mathjax.js"></script>
</head>
<body><main>
{body}
</main></body>
</html>
"""


def deck_files(page: Page) -> tuple[dict[str, str], Made]:
    """The deck and its notes, by name, and what the list of decks says of it."""
    slides, notes = zip(*(page.made(i, slide) for i, slide in enumerate(page.deck.slides)), strict=True)
    title = f"{page.number}. {page.title}"
    minutes = sum(slide.minutes for slide in page.deck.slides)
    question = page.markdown.renderInline(page.deck.slides[0].title)
    rows = [f"<h1>{html.escape(title)}: notes</h1><p>{len(slides)} slides, {minutes} minutes.</p><ol>"]
    for slide, note in zip(page.deck.slides, notes, strict=True):
        name, unit = page.markdown.renderInline(slide.title), "minute" if slide.minutes == 1 else "minutes"
        rows.append(f"<li><h2>{name}</h2><p class='minutes'>{slide.minutes} {unit}</p>{note}</li>")
    said = PLAIN.format(
        title=f"{html.escape(title)}: notes", up="../", mathjax=page.mathjax, body="\n".join(rows) + "</ol>"
    )
    shown = DECK.format(title=html.escape(title), mathjax=page.mathjax, slides="\n".join(slides))
    made = Made(page.deck.chapter, title, question, len(slides), minutes)
    return {"index.html": shown, "notes.html": said}, made


def overview(all_made: Sequence[Made], mathjax: str, target: Path) -> str:
    """The page that lists the decks."""
    rows = []
    for one in all_made:
        pdf = (
            f' <a href="{one.name}/{one.name}.pdf">PDF</a>'
            if (target / one.name / f"{one.name}.pdf").exists()
            else ""
        )
        links = f'<a href="{one.name}/index.html">Slides</a>{pdf} <a href="{one.name}/notes.html">Notes</a>'
        rows.append(
            f"<li><h2>{html.escape(one.title)}</h2><p>{one.question}</p>"
            f'<p class="links">{links} <span class="minutes">{one.slides} slides, {one.minutes} minutes'
            "</span></p></li>"
        )
    keys = (
        "<p>Arrows and the space bar move, <kbd>Esc</kbd> shows all slides, <kbd>S</kbd> opens the speaker's view"
        " with notes and a clock, <kbd>F</kbd> fills the screen, <kbd>.</kbd> blanks it.</p>"
    )
    body = f"<h1>The Reverse Bottleneck: slides</h1>{keys}<ul class='decks'>" + "\n".join(rows) + "</ul>"
    return PLAIN.format(title="The Reverse Bottleneck: slides", up="", mathjax=mathjax, body=body)


def write(root: Path, built: Path, say: Callable[[str], None] = print) -> Path:
    """Make all decks beside the pages, put a copy on the site and link it there.

    Args:
        built: the pages of the book.

    Raises:
        SlidesError: when a deck names what its chapter does not have.
    """
    target = built.parent / FOLDER
    put_on_site(target, built, make(root, built, target, decks(root), say))
    return target / "index.html"


def make(
    root: Path, built: Path, target: Path, chosen: Sequence[Deck], say: Callable[[str], None] = print
) -> list[Made]:
    """Make these decks and print each, if there is a browser; earlier decks in `target` stay until all is made.

    Raises:
        SlidesError: when a deck names what its chapter does not have.
        PaperError: when the browser ends.
    """
    if lost := [line for deck in chosen for line in missing(root, deck)]:
        raise SlidesError("\n".join(lost))
    results = ledger(built.parent / "source" / "_ledger.json")
    cited = bibliography(root / "book" / "references.bib")
    work = target.with_name(f"{target.name}-new")
    shutil.rmtree(work, ignore_errors=True)
    try:
        all_made, mathjax, images = [], "", set()
        for deck in chosen:
            page = Page(built, deck, results, cited)
            files, made = deck_files(page)
            all_made.append(made)
            mathjax, images = page.mathjax, images | page.images
            (work / deck.chapter).mkdir(parents=True)
            for name, content in files.items():
                replace_file(work / deck.chapter / name, content)
        for folder in STATIC:
            shutil.copytree(built / "_static" / folder, work / "_static" / folder)
        for image in sorted(images):
            (work / image).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(built / image, work / image)
        print_decks(work, target, [made.name for made in all_made], say)
        replace_file(work / "index.html", overview(all_made, mathjax, work))
        replace_folder(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return all_made


def print_decks(work: Path, earlier: Path, names: Sequence[str], say: Callable[[str], None]) -> None:
    """Print each deck into a PDF beside it; one whose slides did not change is taken from the earlier decks."""
    todo = []
    for name in names:
        stamp, pdf = _stamp(work, name), f"{name}.pdf"
        was = earlier / name / STAMP
        if (earlier / name / pdf).exists() and was.exists() and was.read_text(encoding="utf8") == stamp:
            shutil.copyfile(earlier / name / pdf, work / name / pdf)
        else:
            todo.append(name)
        replace_file(work / name / STAMP, stamp)
    began = time.monotonic()
    try:
        if todo:
            with browsing(work, WIDTH, HEIGHT) as (page, address):
                for number, name in enumerate(todo, 1):
                    page.goto(f"{address}/{name}/index.html?view=print")
                    page.wait_for_selector("html[data-slides='ready']", state="attached")
                    pdf = page.pdf(width=f"{WIDTH}px", height=f"{HEIGHT}px", print_background=True, tagged=True)
                    replace_file(work / name / f"{name}.pdf", pdf)
                    left = (time.monotonic() - began) / number * (len(todo) - number)
                    say(f"{number} of {len(todo)} decks printed: {name}; about {left:.0f} s left")
    except NoBrowser as error:
        say(f"no PDF of the slides: {error}")


def _stamp(work: Path, name: str) -> str:
    """A digest of all that a printed deck shows; images are named by their content."""
    digest = hashlib.sha256((work / name / "index.html").read_bytes())
    for path in sorted((work / "_static").rglob("*.[cj]s*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def put_on_site(target: Path, built: Path, all_made: Sequence[Made]) -> None:
    """Copy the decks into the pages, where they use the site's own files, and link each from its chapter."""
    place = built / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    for one in all_made:
        (place / one.name).mkdir(parents=True)
        for path in (target / one.name).iterdir():
            if path.suffix == ".html":
                replace_file(place / one.name / path.name, _moved(path.read_text(encoding="utf8"), "../"))
            elif path.suffix == ".pdf":
                _link(path, place / one.name / path.name)
    replace_file(place / "index.html", _moved((target / "index.html").read_text(encoding="utf8"), ""))
    for one in all_made:
        page = built / "chapters" / f"{one.name}.html"
        text = page.read_text(encoding="utf8")
        link = f' <span class="rb-slides"><a href="../{FOLDER}/{one.name}/index.html">Slides</a>.</span>'
        text = re.sub(r' <span class="rb-slides">.*?</span>', "", text)
        replace_file(page, re.sub(r'(<p class="rb-minutes">.*?)(</p>)', rf"\1{link}\2", text, count=1))
    for page in built.glob("*.html"):
        text = page.read_text(encoding="utf8")
        said = f'<a href="{FOLDER}/index.html">Slides of {len(all_made)} chapters</a>.'
        new = re.sub(r'(<span class="rb-slides">).*?(</span>)', rf"\1{said}\2", text)
        if new != text:
            replace_file(page, new)


def _moved(text: str, up: str) -> str:
    """A page of the decks as it stands one folder deeper, in the site."""
    for part in ("_static/", "_images/"):
        text = text.replace(f'"{up}{part}', f'"../{up}{part}')
    return text.replace(f'"{SITE}', '"../../')


def _link(source: Path, target: Path) -> None:
    """The same file at another place, without a copy where the disk can do that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
