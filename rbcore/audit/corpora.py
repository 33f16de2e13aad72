"""Real texts in several languages and scripts, for the trials of the audit: fetched when needed, never shipped.

    texts = corpus("code").texts                          # functions of Python's standard library
    fetch("runs/corpora")                                 # Debian's packages, by apt-get and dpkg-deb
    corpus("russian", "runs/corpora").texts

Two corpora are made from the standard library of the running Python, the others from packages of Debian, whose
copyright files say under which licence.  Each text is of :data:`LEAST` to :data:`MOST` characters, none occurs
twice, and of a larger corpus :data:`SIZE` are drawn once for all.
"""

from __future__ import annotations

import ast
import functools
import gzip
import re
import subprocess
import sysconfig
import textwrap
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from platform import python_version

import numpy as np

LEAST, MOST = 30, 700  # characters of a text
SIZE = 2500  # texts of a corpus, at most
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class CorpusError(RuntimeError):
    """A corpus cannot be made on this machine; the message says what is missing."""


@dataclass(frozen=True)
class Corpus:
    """Texts of one origin.

    Attributes:
        name, about: which texts.  language: ISO 639-1, or "code".  script: of its letters.
        texts: the records.
        package, version, licence: where they come from.
    """

    name: str
    about: str
    language: str
    script: str
    texts: tuple[str, ...]
    package: str
    version: str
    licence: str


@dataclass(frozen=True)
class _Source:
    about: str
    language: str
    script: str
    packages: tuple[str, ...]
    licence: str
    read: Callable[[Sequence[Path]], Iterable[str]]


def names() -> list[str]:
    """All corpora, those that need no package first."""
    return list(_SOURCES)


def packages() -> list[str]:
    """The Debian packages that hold the others."""
    return sorted({package for one in _SOURCES.values() for package in one.packages})


def fetch(folder: str, wanted: Sequence[str] | None = None) -> None:
    """Download and unpack the packages of the corpora `wanted` (all by default) that are not in `folder` yet.

    A .deb file that lies in the folder already is not downloaded again.

    Raises:
        CorpusError: when one cannot be had; it names all that are missing.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    missing = {}
    for package in sorted({p for name in wanted or names() for p in _source(name).packages}):
        try:
            if not _files(place, package):
                _run(["apt-get", "-q", "download", package], place)
            for archive in _files(place, package)[-1:]:
                if not (place / package).is_dir():
                    part = place / f"{package}.part"
                    _run(["dpkg-deb", "-x", archive.name, part.name], place)
                    part.rename(place / package)
        except CorpusError as error:
            missing[package] = str(error)
    if missing:
        why = "; ".join(f"{package} ({problem})" for package, problem in missing.items())
        raise CorpusError(
            f"not in {place} and not to be had: {why}. "
            "On Debian, 'apt-get update' may help; else put the .deb files there"
        )


@functools.lru_cache(maxsize=32)
def corpus(name: str, folder: str | None = None) -> Corpus:
    """One of the corpora; `folder` is that of :func:`fetch`, and not needed for those of the standard library.

    Raises:
        CorpusError: for another name, or when its packages are not there.
    """
    source = _source(name)
    if source.packages:
        roots = _roots(name, source.packages, folder)
        version = ", ".join(_version(Path(folder or "."), package) for package in source.packages)
    else:
        roots, version = [Path(sysconfig.get_path("stdlib"))], python_version()
    seen: dict[str, None] = {}
    for raw in source.read(roots):
        text = "\n".join(line.rstrip() for line in ANSI.sub("", raw).strip("\n").splitlines()).strip()
        if LEAST <= len(text) <= MOST:
            seen.setdefault(text)
    texts = list(seen)
    if not texts:
        raise CorpusError(f"corpus {name!r}: no texts in {', '.join(map(str, roots))}")
    order = np.sort(np.random.default_rng(0).permutation(len(texts))[:SIZE])
    package = ", ".join(source.packages) or "Python, standard library"
    chosen = tuple(texts[i] for i in order)
    return Corpus(name, source.about, source.language, source.script, chosen, package, version, source.licence)


def _source(name: str) -> _Source:
    if name not in _SOURCES:
        raise CorpusError(f"corpus: one of {', '.join(_SOURCES)}, got {name!r}")
    return _SOURCES[name]


def _files(place: Path, package: str) -> list[Path]:
    return sorted(place.glob(f"{package}_*.deb"))


def _version(place: Path, package: str) -> str:
    """The version that the name of the archive says."""
    found = _files(place, package)
    return urllib.parse.unquote(found[-1].name.split("_")[1]) if found else "unknown"


def _roots(name: str, needed: Sequence[str], folder: str | None) -> list[Path]:
    if folder is None:
        raise CorpusError(f"corpus {name!r} needs {', '.join(needed)} of Debian: name the folder of fetch()")
    roots = [Path(folder) / package for package in needed]
    missing = [root.name for root in roots if not root.is_dir()]
    if missing:
        raise CorpusError(f"corpus {name!r}: {', '.join(missing)} not in {folder}: call fetch({folder!r})")
    return roots


def _run(command: Sequence[str], place: Path) -> None:
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CorpusError(f"{command[0]}: {getattr(error, 'strerror', None) or error}") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise CorpusError(f"{command[0]}: {said[-1] if said else f'exit {done.returncode}'}")


# --- how each origin is read ---------------------------------------------------------------------------------


@functools.cache
def _library(root: Path) -> tuple[list[str], list[str]]:
    """Functions and docstrings of the modules of the standard library that are no packages."""
    functions, docstrings = [], []
    for path in sorted(root.glob("*.py")):
        try:
            text = path.read_text(encoding="utf8")
            module = ast.parse(text)
        except (SyntaxError, UnicodeDecodeError, OSError):
            continue
        lines = text.splitlines()
        for one in _defined(module.body):
            docstrings.append(ast.get_docstring(one) or "")
            if isinstance(one, ast.FunctionDef) and one.end_lineno is not None:
                functions.append(textwrap.dedent("\n".join(lines[one.lineno - 1 : one.end_lineno])))
    return functions, docstrings


def _defined(body: Sequence[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            yield one
        if isinstance(one, ast.ClassDef):
            yield from _defined(one.body)


def _cookies(*places: str) -> Callable[[Sequence[Path]], Iterable[str]]:
    """A reader of fortune files, by their patterns below the games' folder: texts between lines of '%'."""

    def read(roots: Sequence[Path]) -> Iterator[str]:
        found = [
            path for root in roots for place in places for path in (root / "usr/share/games/fortunes").glob(place)
        ]
        for path in sorted(one for one in found if one.is_file() and one.suffix in ("", ".fortunes", ".pl")):
            yield from re.split(r"(?m)^%.*\n?", path.read_text(encoding="utf8", errors="ignore"))

    return read


def _dictionary(roots: Sequence[Path]) -> Iterator[str]:
    """The entries of FOLDOC, without their headwords; a paragraph that is indented is a definition."""
    for path in sorted(roots[0].glob("usr/share/dictd/*.dict.dz")):
        text = gzip.decompress(path.read_bytes()).decode("utf8", "ignore")
        for entry in re.split(r"(?m)^(?=\S)", text):
            _, _, body = entry.partition("\n")
            body = re.sub(r"\n\s*\(\d{4}-\d\d-\d\d\)\s*$", "", body.rstrip())  # the date of the entry
            yield textwrap.dedent(body).strip()


def _manual(roots: Sequence[Path]) -> Iterator[str]:
    """Paragraphs of manual pages, of four lines at most, without the marks of roff."""
    for path in sorted(roots[0].glob("usr/share/man/*/man*/*.gz")):
        if path.is_symlink():
            continue
        paragraph: list[str] = []
        for line in gzip.decompress(path.read_bytes()).decode("utf8", "ignore").splitlines():
            request = re.match(r"[.']\s*([A-Za-z\\\"]*)\s*(.*)", line)
            if request and not re.fullmatch(r"B|I|BR|RB|IR|RI|BI|IB", request[1]):
                yield "\n".join(paragraph)
                paragraph = []
            else:
                words = _plain(request[2].replace('"', "").replace("\\ ", " ") if request else line)
                if words.strip():
                    paragraph.append(words.strip())
        yield "\n".join(paragraph)


def _plain(line: str) -> str:
    """A line of roff as its reader sees it, nearly."""
    line = re.sub(r"\\f(\(..|\[[^]]*\]|.)|\\s[-+]?\d|\\[&|^:/,%]", "", line)
    line = re.sub(r"\\\*?\((lq|rq)|\\\(dq", '"', line)
    line = re.sub(r"\\\((aq|cq|oq)", "'", line)
    line = re.sub(r"\\\((em|en|hy|mi)", "-", line)
    return re.sub(r"\\([-e. ~'`])", lambda found: {"e": "\\", "~": " "}.get(found[1], found[1]), line)


PSF, GPL2, GPL2_LATER, GPL3_LATER = "PSF-2.0", "GPL-2", "GPL-2+", "GPL-3+"
_SOURCES = {
    "code": _Source(
        "functions of Python's standard library", "code", "Latin", (), PSF, lambda roots: _library(roots[0])[0]
    ),
    "docstrings": _Source(
        "docstrings of Python's standard library", "en", "Latin", (), PSF, lambda roots: _library(roots[0])[1]
    ),
    "dictionary": _Source(
        "definitions of computing (FOLDOC)", "en", "Latin", ("dict-foldoc",), "GFDL-1.1+", _dictionary
    ),
    "english": _Source(
        "quotations and jokes", "en", "Latin", ("fortunes", "fortunes-min"), "BSD-3-Clause", _cookies("*")
    ),
    "spanish": _Source(
        "proverbs and quotations", "es", "Latin", ("fortunes-es",), "public domain, GPL-2+", _cookies("es/*")
    ),
    "german": _Source("quotations and jokes", "de", "Latin", ("fortunes-de",), GPL2_LATER, _cookies("de/*")),
    "russian": _Source("quotations and jokes", "ru", "Cyrillic", ("fortunes-ru",), GPL2, _cookies("ru/*")),
    "russian-manual": _Source(
        "paragraphs of manual pages", "ru", "Cyrillic", ("manpages-ru",), GPL3_LATER, _manual
    ),
    "japanese": _Source(
        "paragraphs of manual pages", "ja", "kana and Han", ("manpages-ja",), "that of each page (free)", _manual
    ),
    "chinese": _Source("quotations and advice", "zh", "Han", ("fortunes-zh",), GPL3_LATER, _cookies("chinese")),
    "poems": _Source(
        "poems of Tang and Song", "zh", "Han", ("fortunes-zh",), GPL3_LATER, _cookies("tang300", "song100")
    ),
}
