"""Take out of the built pages what no reader needs, and tell the browser what it can load later.

The themes bring every icon, language and source map of theirs, and put each script on each page.  The site is read
from slow connections and from folders, so this is done once, here, after Sphinx has written everything.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

# Files that no page asks for, and why.
DROPPED = {
    "_static/**/*.map": "source maps, for those who debug the theme",
    "_static/locales": "translations of the theme's words; the book is in English",
    "_static/scripts/fontawesome.js*": "every icon that there is, as a script; the few in use come as a font",
    "_static/vendor/fontawesome/webfonts/fa-[br]*": "icons of brands and outlines of icons; none is in use",
    "_static/images/logo_*": "logos of services that the pages do not offer",
    "_static/*webpack-macros.html": "templates of the theme",
    "_static/copybutton_funcs.js": "a copy of functions that copybutton.js holds",
    "prf-prf.html": "an index of proofs that nothing leads to; the page of theorems says more",
    "_static/README": "for authors",
    "_static/**/.gitignore": "for authors",
}
# What a page needs only where its body holds this.
NEEDED = {
    "scripts/fontawesome.js": None,
    "searchtools.js": 'id="search-results"',
    "language_data.js": 'id="search-results"',
    "searchindex.js": 'id="search-results"',
    "copybutton.js": 'class="highlight',
    "clipboard.min.js": 'class="highlight',
    "copybutton.css": 'class="highlight',
    "togglebutton.js": r'class="[^"]*\b(?:toggle|dropdown admonition|admonition[^"]* dropdown)\b',
    "togglebutton.css": r'class="[^"]*\b(?:toggle|dropdown admonition|admonition[^"]* dropdown)\b',
    "design-tabs.js": 'class="[^"]*sd-',
    "sphinx-design.min.css": 'class="[^"]*sd-',
    "proof.css": 'class="proof',
    "exercise.css": 'class="[^"]*(?:exercise|solution)',
}
ICONS = "_static/vendor/fontawesome/webfonts/fa-solid-900"
THEME = "_static/styles/pydata-sphinx-theme.css"
LINK = re.compile(
    r'\s*<(?:script|link)\b[^>]*\b(?:src|href)="(?:[^"?]*/)?([\w.-]+)(?:\?[^"]*)?"[^>]*>(?:</script>)?'
)


def slim(site: Path) -> None:
    """Rewrite the built pages in place."""
    for pattern in DROPPED:
        for path in sorted(site.glob(pattern), reverse=True):
            for inside in sorted(path.rglob("*"), reverse=True) if path.is_dir() else ():
                inside.unlink() if inside.is_file() else inside.rmdir()
            path.rmdir() if path.is_dir() else path.unlink()
    pages = [p for p in site.rglob("*.html") if "_static" not in p.relative_to(site).parts]
    for page in pages:
        text = page.read_text(encoding="utf8")
        page.write_text(mended(pictures(needed(text), page)), encoding="utf8")
    icons(site, pages)


def needed(text: str) -> str:
    """The page without scripts and styles that it does not use."""
    head, mark, body = text.partition("<body")

    def judged(match: re.Match[str]) -> str:
        name = next((n for n in NEEDED if n.rpartition("/")[2] == match[1]), None)
        if name is None:
            return match[0]
        sign = NEEDED[name]
        return match[0] if sign is not None and re.search(sign, body) else ""

    return LINK.sub(judged, head) + mark + body


def mended(text: str) -> str:
    """What the themes write and a screen reader trips over: empty headers, roles that are gone, names not seen."""
    text = re.sub(r"<th\b([^>]*)>\s*(?:<p>\s*</p>)?\s*</th>", r"<td\1></td>", text)
    text = text.replace(' role="doc-biblioentry"', "").replace('<div role="list" class="citation-list">', "<div>")
    text = re.sub(
        r'<summary>(?=<span class="toctree-toggle")', '<summary aria-label="Pages below this one">', text
    )
    name = r'(<button class="btn search-button-field[^>]*?) title="Search" aria-label="Search"'
    return re.sub(name, r"\1", text)


def size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    return struct.unpack(">II", png[16:24])


def pictures(text: str, page: Path) -> str:
    """Figures have their size, so that nothing moves when they come; they come when needed; each opens in full."""
    first = True

    def sized(match: re.Match[str]) -> str:
        nonlocal first
        tag, source = match[0], match[1]
        path = (page.parent / source).resolve()
        if not path.exists() or " width=" in tag or " loading=" in tag:
            return tag
        wide, high = size(path.read_bytes()[:32])
        later = "" if first else ' loading="lazy"'
        first = False
        tag = tag.replace("<img", f'<img width="{wide}" height="{high}"{later} decoding="async"', 1)
        return f'<a class="rb-full" href="{source}" title="Open the figure in full size">{tag}</a>'

    return re.sub(r'(?<!">)<img\b[^>]*\bsrc="([^":]*_images/[^"]+\.png)"[^>]*>', sized, text)


def icons(site: Path, pages: Iterable[Path]) -> None:
    """Keep the icons that pages and scripts name: in the theme's style, and in the font."""
    style, font = site / THEME, site / f"{ICONS}.ttf"
    if not style.exists() or not font.exists():
        return
    named = set()
    for path in [*pages, *(site / "_static").rglob("*.js")]:
        named |= set(re.findall(r"\bfa-[a-z0-9-]+", path.read_text(encoding="utf8")))
    css = style.read_text(encoding="utf8")
    points = set(re.findall(r"content:\"(?:\\([0-9a-f]{4}))\"", css.replace("--fa:", "content:")))
    used: set[str] = set()

    def kept(match: re.Match[str]) -> str:
        if named & set(re.findall(r"\.(fa-[a-z0-9-]+):{1,2}before", match[1])):
            used.add(match[2])
            return match[0]
        return ""

    css = re.sub(r'((?:\.fa-[a-z0-9-]+:{1,2}before,?)+)\{content:"\\([0-9a-f]+)"\}', kept, css)
    css = re.sub(
        r"(@font-face\{[^{}]*font-weight:900;src:)[^{}]*fa-solid-900[^{}]*\}",
        rf'\1url(../{ICONS.removeprefix("_static/")}.woff) format("woff")}}',
        css,
    )
    css = re.sub(r"@font-face\{[^{}]*fa-(?:brands|regular)-400[^{}]*\}", "", css)
    others = {point for point in points & set(re.findall(r"\\([0-9a-f]{4})\"", css))}
    css = re.sub(r"\s*/\*# sourceMappingURL=[^*]*\*/", "", css)
    style.write_text(css, encoding="utf8")
    letters = TTFont(io.BytesIO(font.read_bytes()), recalcTimestamp=False)
    options = subset.Options(flavor="woff", hinting=False, layout_features=[])
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[int(point, 16) for point in used | others])
    cutter.subset(letters)
    letters.flavor = "woff"
    letters.save(site / f"{ICONS}.woff")
    for suffix in ("ttf", "woff2"):
        (site / f"{ICONS}.{suffix}").unlink(missing_ok=True)
