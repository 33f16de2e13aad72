"""The wheel, the cell that installs it, and the archive of a release."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import check_release
import nbformat
import pytest
import yaml

from rbcore.book import address, install, release
from rbcore.book.downloads import download
from rbcore.book.execute import ROOT, find, notebooks
from rbcore.book.ledger import Chapter

VERSION = address.version(ROOT)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release.wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with nothing in it but what the wheel installs."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def isolated(folder: Path, code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run code in an empty folder with the installed core, and not the checkout's."""
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, env=variables, capture_output=True, text=True)


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_every_data_file(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("rbcore/")}
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "rbcore"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert names == {name for name in tracked if (ROOT / name).exists()}


@pytest.mark.slow
def test_the_wheel_alone_reads_its_data(installed: Path, tmp_path: Path) -> None:
    code = """
import rbcore
assert "site-packages" not in rbcore.__file__ and rbcore.__file__.startswith({folder!r}), rbcore.__file__
import rbcore.audit.__main__
from rbcore.audit import advice, evidence, trial, writing
from rbcore.audit.report import write
from rbcore.estimate import table
from rbcore.lm import prediction, pretrained, scaling, self_training, tries
from rbcore.lm.pretrained import store
for module in (evidence, trial, table, prediction, scaling, self_training, tries, store):
    path = getattr(module, "PATH", getattr(module, "RECORD", None))
    assert path.is_file() and path.is_relative_to({folder!r}), path
assert len(tries.read()[0]) and len(scaling.read()) and len(trial.recorded()[1]) and advice.WORDS
assert write._template().render and writing._phrases()
"""
    done = isolated(installed, code.format(folder=str(installed)), tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_same_sources_make_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    assert release.wheel(ROOT, tmp_path).read_bytes() == wheel.read_bytes()


@pytest.mark.slow
def test_a_wheel_that_cannot_be_built_is_said(tmp_path: Path) -> None:
    for name in ("rbcore", "pyproject.toml", "README.md", "LICENSE", "CITATION.cff"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "pyproject.toml").unlink()
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "rbcore"\nversion = "0.1.0"\ndependencies = "none"\n'
    )
    with pytest.raises(release.ReleaseError, match="not built"):
        release.wheel(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("source", notebooks(ROOT), ids=lambda path: path.stem)
def test_the_first_cell_asks_for_what_the_chapter_imports(source: Path) -> None:
    extras, modules = install.needed(source)
    text = source.read_text(encoding="utf8")
    for room, extra in (("gmm", "gmm"), ("audit", "audit"), ("lm.training", "lm"), ("lm.gain", "lm")):
        assert f"from rbcore.{room} import" not in text or extra in extras
    assert bool(extras) == bool(modules)
    code = install.cell(source)
    compile(code, source.name, "exec")
    assert f"rbcore[{','.join(extras)}] @" in code or (not extras and '"rbcore @' in code)
    assert max(map(len, code.split("\n"))) <= 115


def test_a_theory_chapter_needs_the_core_alone() -> None:
    assert install.needed(find("01")) == ((), ())


def made(root: Path, repository: str = "", site: str = "") -> Path:
    """A checkout with no more than its configuration and one notebook."""
    (root / "book").mkdir(parents=True)
    (root / "notebooks").mkdir()
    config = {"html": {"baseurl": site}, "sphinx": {"config": {"repository": repository}}}
    (root / "book" / "_config.yml").write_text(yaml.safe_dump(config))
    (root / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    source = root / "notebooks" / "01-one.md"
    source.write_text(find("A").read_text())
    return source


def test_the_cell_knows_the_site_and_the_repository_where_they_are_set(tmp_path: Path) -> None:
    made(tmp_path / "none")
    assert install.sources(tmp_path / "none") == ()
    root = tmp_path / "both"
    made(root, "https://github.com/someone/book.git", "https://someone.example/book/")
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x", "--allow-empty"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True)
    served, cloned = install.sources(root)
    assert served == f"https://someone.example/book/downloads/rbcore-{VERSION}-py3-none-any.whl"
    assert cloned == f"git+https://github.com/someone/book@{address.commit(root)}"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("git@github.com:a/b.git", "https://github.com/a/b"),
        ("https://www.github.com/a/b/", "https://github.com/a/b"),
        ("ssh://git@gitlab.com/a/b-c.git", "https://gitlab.com/a/b-c"),
        ("/home/a/b", ""),
        ("https://example.org/a/b", ""),
        ("https://token@github.com/a/b", ""),
        ("", ""),
    ],
)
def test_only_a_public_repository_is_an_address(text: str, url: str) -> None:
    found = address.address(text)
    assert found.url == url
    assert found.issues == ("" if not url else f"{url}/{'-/' if 'gitlab' in url else ''}issues/new")


def test_the_cell_comes_first_and_says_what_to_do_where_nothing_can_be_installed(tmp_path: Path) -> None:
    code = install.cell(made(tmp_path / "root"), tmp_path / "root")
    empty = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One", id="one")])
    first, second = download(empty, [Chapter("01-one")], {}, {}, code).cells
    assert first.cell_type == "code" and second.source == "# One"
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", first.source], cwd=tmp_path / "empty", capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"Put rbcore-{VERSION}-py3-none-any.whl" in done.stderr and "make setup" in done.stderr


@pytest.mark.slow
@pytest.mark.book
def test_a_downloaded_notebook_runs_on_the_wheel_in_an_empty_folder(
    built_book: Path, installed: Path, tmp_path: Path
) -> None:
    notebook = nbformat.read(built_book / "downloads" / "A-primer.ipynb", as_version=4)
    code = "\n".join(c.source for c in notebook.cells if c.cell_type == "code")
    run = f"import matplotlib; matplotlib.use('agg')\nfrom IPython.display import display\n{code}\n"
    done = isolated(installed, run, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]


# ---------------------------------------------------------------------------------------------------------------
# The archive
# ---------------------------------------------------------------------------------------------------------------

ABOUT = {"version": "1.0"}


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for name, content in (("site/index.html", "<p>"), ("README.md", "read"), ("site/b/c.html", "c")):
        path = tmp_path / "parts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        found[name] = path
    return found


def test_an_archive_is_the_same_whenever_it_is_packed(parts: dict[str, Path], tmp_path: Path) -> None:
    one, two = (tmp_path / place / "book-1.0.tar.gz" for place in ("a", "b"))
    release.pack(one, parts, ABOUT, 1_700_000_000)
    os.utime(parts["README.md"], (1, 1))
    parts["README.md"].chmod(0o600)
    release.pack(two, dict(reversed(parts.items())), ABOUT, 1_700_000_000)
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as archive:
        names = archive.getnames()
        assert names == sorted(names) and all(name.startswith("book-1.0/") for name in names)
        assert {member.mtime for member in archive} == {1_700_000_000}
        read = {name.split("/", 1)[1]: archive.extractfile(name).read() for name in names}
    sums = dict(reversed(line.split("  ")) for line in read["SHA256SUMS"].decode().splitlines())
    assert sums == {n: hashlib.sha256(c).hexdigest() for n, c in read.items() if n != "SHA256SUMS"}
    assert json.loads(read["manifest.json"]) == {
        "version": "1.0",
        "files": 3,
        "bytes": {"README.md": 4, "site": 4},
    }


def test_a_release_that_fails_leaves_the_earlier_one(parts: dict[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "out" / "book-1.0.tar.gz"
    release.pack(target, parts, ABOUT, 1)
    before = target.read_bytes()
    with pytest.raises(OSError):
        release.pack(target, parts | {"gone": tmp_path / "gone"}, ABOUT, 1)
    with pytest.raises(TypeError):
        release.pack(target, parts, {"version": object()}, 1)
    assert target.read_bytes() == before and [p.name for p in target.parent.iterdir()] == [target.name]


def checkout(root: Path) -> Path:
    root.mkdir()
    for name in ("pyproject.toml", "CITATION.cff"):
        (root / name).write_text((ROOT / name).read_text())
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def never() -> int:
    raise AssertionError("nothing is built for a release that is refused")


def test_a_tree_with_changes_is_not_released_unless_told(tmp_path: Path) -> None:
    root = checkout(tmp_path / "root")
    (root / "new.txt").write_text("x")
    with pytest.raises(release.ReleaseError, match=r"1 files are not committed \(new.txt\)"):
        release.write(root, never)
    with pytest.raises(release.ReleaseError, match="does not agree"):
        release.write(root, lambda: 1, dirty=True, say=lambda _: None)


def test_versions_that_differ_are_not_released(tmp_path: Path) -> None:
    root = checkout(tmp_path / "root")
    cited = root / "CITATION.cff"
    cited.write_text(cited.read_text().replace(f"version: {VERSION}", "version: 9.9"))
    with pytest.raises(release.ReleaseError, match=f"pyproject.toml has version {VERSION}, CITATION.cff 9.9"):
        release.write(root, never, dirty=True)
    assert release.consistent(ROOT) == VERSION


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda files: files, ""),
        (lambda files: files | {"README.md": b"other"}, "README.md is not the file"),
        (lambda files: files | {"new.txt": b"x"}, "new.txt is not listed"),
        (lambda files: {n: c for n, c in files.items() if n != "README.md"}, "README.md is missing"),
    ],
)
def test_the_check_finds_what_was_changed_in_an_archive(
    spoil: Callable, said: str, parts: dict[str, Path], tmp_path: Path
) -> None:
    archive = tmp_path / "out" / "book-1.0.tar.gz"
    release.pack(archive, parts, ABOUT, 1)
    with tarfile.open(archive) as opened:
        files = {m.name.split("/", 1)[1]: opened.extractfile(m).read() for m in opened}
    with tarfile.open(archive, "w:gz") as changed:
        for name, content in spoil(files).items():
            entry = tarfile.TarInfo(f"book-1.0/{name}")
            entry.size = len(content)
            changed.addfile(entry, io.BytesIO(content))
    (tmp_path / "there").mkdir()
    if not said:
        assert check_release.unpacked(archive, tmp_path / "there").name == "book-1.0"
        return
    with pytest.raises(check_release.Wrong, match=said):
        check_release.unpacked(archive, tmp_path / "there")


def test_the_check_says_that_there_is_no_archive(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert check_release.main([str(tmp_path / "none.tar.gz")]) == 1
    assert "make release" in capsys.readouterr().err


@pytest.mark.slow
def test_the_check_finds_a_page_that_asks_another_site(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<script src="https://127.0.0.1:9/x.js"></script><p>here</p>')
    with pytest.raises(check_release.Wrong, match=r"index.html: https://127.0.0.1:9/x.js"):
        check_release.loads_nothing(tmp_path)
    (tmp_path / "index.html").write_text("<p>here</p>")
    assert check_release.loads_nothing(tmp_path) == "1 pages"
