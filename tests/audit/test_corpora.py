"""Real texts for the trials: of every Python, or fetched, and a clear word when they are not there."""

import gzip
import stat

import numpy as np
import pytest

from rbcore.audit import cells, corpora
from rbcore.audit.corpora import CorpusError


@pytest.fixture(scope="module")
def code():
    return corpora.corpus("code")


def tool(folder, name, script):
    """An executable shell script."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def packed(place, package, files):
    """A package as it lies unpacked, with its archive."""
    place.mkdir(exist_ok=True)
    (place / f"{package}_1%3a2.5-1_all.deb").write_bytes(b"")
    for name, content in files.items():
        path = place / package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.slow
def test_code_is_code_and_no_text_occurs_twice(code):
    assert len(code.texts) == len(set(code.texts)) == corpora.SIZE
    assert all(corpora.LEAST <= len(text) <= corpora.MOST for text in code.texts)
    starts = [text.lstrip("@").startswith("def ") for text in code.texts]
    assert np.mean(starts) == 1
    for text in code.texts[:300]:
        compile(text, "text", "exec")


@pytest.mark.slow
def test_a_corpus_is_the_same_each_time(code):
    corpora.corpus.cache_clear()
    assert corpora.corpus("code") == code
    assert (code.language, code.licence) == ("code", "PSF-2.0")


def test_corpora_cover_languages_and_scripts():
    sources = [corpora._source(name) for name in corpora.names()]
    assert len({one.language for one in sources} - {"code"}) >= 4
    assert len({one.script for one in sources}) >= 3
    assert len(cells.TRIED) >= 7 and {"code", cells.GRAMMAR} <= set(cells.TRIED)
    assert set(cells.sources(cells.TRIED)) == set(corpora.names())
    assert all(one.licence for one in sources)
    for name, other in cells.ALIEN.items():
        assert name != other and corpora._source(name).script == corpora._source(other).script
    for name, other in cells.FOREIGN.items():
        assert name == cells.GRAMMAR or corpora._source(name).language != corpora._source(other).language


@pytest.mark.parametrize(("name", "folder", "message"), [
    ("klingon", None, "one of code, .*got 'klingon'"),
    ("german", None, "needs fortunes-de of Debian: name the folder"),
    ("german", "empty", r"fortunes-de not in empty: call fetch\('empty'\)"),
])  # fmt: skip
def test_what_is_not_there_is_named(name, folder, message):
    with pytest.raises(CorpusError, match=message):
        corpora.corpus(name, folder)


def test_without_a_tool_fetching_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(CorpusError, match=r"fortunes-de \(apt-get: No such file.*fortunes-es .*apt-get update"):
        corpora.fetch(str(tmp_path / "place"), ["german", "spanish", "code"])


def test_what_the_tool_says_is_told(tmp_path, monkeypatch):
    tool(tmp_path / "bin", "apt-get", "echo first >&2; echo 'E: Unable to locate package' >&2; exit 100")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    with pytest.raises(CorpusError, match=r"fortunes-ru \(apt-get: E: Unable to locate package\)"):
        corpora.fetch(str(tmp_path / "place"), ["russian"])


def test_a_package_is_fetched_once_and_unpacked_whole(tmp_path, monkeypatch):
    place, calls = tmp_path / "place", tmp_path / "calls"
    tool(tmp_path / "bin", "apt-get", f'echo "$3" >> {calls}; : > "$3_7_all.deb"')
    unpacked = '"$3"/usr/share/games/fortunes/ru'
    text = "Текст, который достаточно длинный для корпуса, номер"
    tool(tmp_path / "bin", "dpkg-deb", f'mkdir -p {unpacked}; printf "{text} 1\\n%%\\n{text} 2\\n" > {unpacked}/a')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    for _ in range(2):
        corpora.fetch(str(place), ["russian"])
    assert calls.read_text().split() == ["fortunes-ru"]
    found = corpora.corpus("russian", str(place))
    assert found.texts == (f"{text} 1", f"{text} 2") and found.version == "7"


def test_cookies_dictionary_and_manual_are_read(tmp_path):
    cookies = (
        b"A proverb that is long enough to be kept.\n\x1b[33m  -- Somebody\x1b[m\n%\nshort\n%\n"
        b"Another proverb, also long enough.  \n"
    )
    packed(tmp_path, "fortunes-es", {
        "usr/share/games/fortunes/es/a.fortunes": cookies,
        "usr/share/games/fortunes/es/a.fortunes.dat": b"\x00\x01" * 90,
        "usr/share/games/fortunes/es/off/b.fortunes": b"A text in a folder of its own, which is not read.\n",
    })  # fmt: skip
    found = corpora.corpus("spanish", str(tmp_path))
    assert found.texts == (
        "A proverb that is long enough to be kept.\n  -- Somebody",
        "Another proverb, also long enough.",
    )
    assert found.version == "1:2.5-1"
    entries = (
        "head\n\n   <field> The first meaning of the word.\n\n   (1999-01-02)\n\n"
        "other\n\n   <field> The second, of another word.\n"
    )
    packed(tmp_path, "dict-foldoc", {"usr/share/dictd/foldoc.dict.dz": gzip.compress(entries.encode())})
    dictionary = corpora.corpus("dictionary", str(tmp_path))
    assert dictionary.texts == ("<field> The first meaning of the word.", "<field> The second, of another word.")
    page = (
        '.\\" a comment\n.TH LS 1\n.SH NAME\n'
        "Показать \\fBвсе\\fR файлы с \\-a\n.B \\-\\-long\nв каталоге.\n.PP\nКороткий.\n"
    )
    packed(tmp_path, "manpages-ru", {"usr/share/man/ru/man1/ls.1.gz": gzip.compress(page.encode())})
    manual = corpora.corpus("russian-manual", str(tmp_path))
    assert manual.texts == ("Показать все файлы с -a\n--long\nв каталоге.",)


@pytest.mark.slow
def test_a_world_is_a_split_of_its_corpus(code):
    one, same, other = (cells.world("code", seed) for seed in (1, 1, 2))
    assert one == same and one.synth != other.synth
    parts = [one.anchor, one.synth, one.heldout, one.judge, one.pool]
    assert [len(part.texts) for part in parts] == [*cells.SIZES, cells.POOL]
    texts = [text for part in parts for text in part.texts]
    assert len(set(texts)) == len(texts) and set(texts) <= set(code.texts)
    assert one.foreign == () and one.alien == corpora.corpus("docstrings").texts


@pytest.mark.slow
def test_a_corpus_that_is_too_small_is_named():
    with pytest.raises(CorpusError, match="'code': 2,500 texts, 6,150 are needed"):
        cells.world("code", 1, sizes=(1000, 1000, 1000, 1100))
