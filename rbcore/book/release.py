"""A release: wheel, site, print, slides, course, executed notebooks and the replay file in one archive.

The archive has one folder, `the-reverse-bottleneck-<version>`, with `manifest.json`, which says what is in it and
what it was made from, and `SHA256SUMS`.  The same files make the same bytes: entries are sorted, their times
are the release's date.  `tests/check_release.py` tries an archive as a reader would.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from rbcore.book import address, paper, replay
from rbcore.book.install import wheel_name

NAME = "the-reverse-bottleneck"
PARTS = ("slides", "course")  # targets of make that write a folder of their name into book/_build
BESIDE = ("README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "requirements.lock")
LEFT_OUT = (".built-from", ".lock")  # of the pages and folders: of use to the build only


class ReleaseError(RuntimeError):
    """A release cannot be made; the message says what would be right."""


def date(root: Path) -> int:
    """The release's date in `CITATION.cff`, in seconds since 1970: the time of every file that a release holds."""
    said = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf8"))
    return int(datetime.fromisoformat(str(said["date-released"])).replace(tzinfo=UTC).timestamp())


def wheel(root: Path, folder: Path) -> Path:
    """Build the core's wheel into `folder`; the same sources make the same bytes.

    Raises:
        ReleaseError: when it cannot be built; the message is pip's.
    """
    target = folder / wheel_name(address.version(root))
    with tempfile.TemporaryDirectory(prefix="rbcore-wheel-") as work:
        source, made = Path(work) / "source", Path(work) / "made"
        shutil.copytree(
            root / "rbcore", source / "rbcore", ignore=shutil.ignore_patterns("__pycache__", "*.partial")
        )
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copyfile(root / name, source / name)
        for path in source.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-build-isolation", "--wheel-dir", str(made), str(source)]  # setuptools is in the lock
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"SOURCE_DATE_EPOCH": str(date(root))}
        )
        if done.returncode or not (made / target.name).exists():
            raise ReleaseError(f"the wheel was not built:\n{(done.stdout + done.stderr).strip()[-2000:]}")
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("rbcore-*.whl"):
            old.unlink()
        partial = folder / f".{target.name}.partial"
        shutil.copyfile(made / target.name, partial)
        os.replace(partial, target)
    return target


def serve_downloads(built: Path, *files: Path) -> None:
    """Put files beside the notebooks that the built pages offer, so that the site serves them, too."""
    downloads = built / "html" / "downloads"
    if downloads.is_dir():
        for path in files:
            shutil.copyfile(path, downloads / path.name)


def write(
    root: Path, build: Callable[[], int], *, dirty: bool = False, say: Callable[[str], None] = print
) -> Path:
    """Build all parts and pack them, whole or not at all; an earlier archive of this version is replaced.

    Args:
        build: executes the book, builds its pages, and returns 0 where they agree with their text.
        dirty: release a tree with changes that are not committed; the manifest says so.

    Raises:
        ReleaseError: for a tree with changes, versions that differ, a book that does not agree, a part that fails.
    """
    version, changed = consistent(root), address.changed(root)
    if changed and not dirty:
        shown = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")
        raise ReleaseError(
            f"{len(changed)} files are not committed ({shown}): commit them, or say DIRTY=1 for a trial release"
        )
    built = root / "book" / "_build"
    say("1 of 5: the book")
    if build() != 0:
        raise ReleaseError("the book does not agree with its text: see above; nothing was released")
    say("2 of 5: the print")
    paper.write(root, built / "html")
    missing = []
    for number, part in enumerate(PARTS, 3):
        say(f"{number} of 5: {part}")
        if not re.search(rf"(?m)^{part}:", (root / "Makefile").read_text(encoding="utf8")):
            say(f"this book has no `make {part}`: the release goes without")
            missing.append(part)
        elif subprocess.run(["make", "--no-print-directory", part], cwd=root).returncode:
            raise ReleaseError(f"`make {part}` failed: nothing was released")
        elif not (built / part).is_dir():
            raise ReleaseError(f"`make {part}` left no folder {built / part}: nothing was released")
    say("5 of 5: the wheel and the archive")
    package = wheel(root, built / "dist")
    serve_downloads(built, package, built / replay.NAME)
    if faults := replay.replay(replay.load(built / replay.NAME), root, built / "html").faults:
        raise ReleaseError(f"the replay file does not replay: {faults[0]}; run `make replay`")
    about = {
        "version": version,
        "commit": address.commit(root),
        "uncommitted": changed,
        "without": missing,
        "python": ".".join(map(str, sys.version_info[:3])),
        "lock": hashlib.sha256((root / "requirements.lock").read_bytes()).hexdigest(),
        "repository": address.repository(address.configured(root)[0], root).url,
        "licences": {"code": "BSD-3-Clause", "text and figures": "CC-BY-4.0"},
    }
    target = built / "release" / f"{NAME}-{version}.tar.gz"
    pack(target, dict(files(root, package)), about, date(root))
    (target.parent / "SHA256SUMS").write_text(f"{_sha256(target.read_bytes())}  {target.name}\n")
    say(f"{target} ({target.stat().st_size / 1e6:.0f} MB); `make check-release` tries it as a reader would")
    return target


def consistent(root: Path) -> str:
    """The version of the book.

    Raises:
        ReleaseError: when `pyproject.toml` and `CITATION.cff` state different ones.
    """
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf8"))["project"]["version"]
    cited = str(yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf8"))["version"])
    if version != cited:
        raise ReleaseError(f"pyproject.toml has version {version}, CITATION.cff {cited}: make them equal")
    return version


def files(root: Path, package: Path) -> Iterator[tuple[str, Path]]:
    """What a release holds: the name of each file in it, and where it is now."""
    built = root / "book" / "_build"
    yield from ((name, root / name) for name in BESIDE if (root / name).exists())
    yield package.name, package
    yield replay.NAME, built / replay.NAME
    yield paper.NAME, built / paper.NAME
    for path in sorted((built / "html" / "downloads").glob("*.ipynb")):
        yield f"notebooks/{path.name}", path
    for folder, place in (("site", "html"), *((part, part) for part in PARTS)):
        for path in sorted((built / place).rglob("*")):
            if path.is_file() and not path.is_symlink() and path.name not in LEFT_OUT:
                yield f"{folder}/{path.relative_to(built / place).as_posix()}", path


def pack(target: Path, named: Mapping[str, Path], about: Mapping[str, Any], time: int) -> None:
    """Write the archive with its manifest and checksums, whole or not at all."""
    top = target.name.removesuffix(".tar.gz")
    contents = {name: path.read_bytes() for name, path in named.items()}
    sizes: dict[str, int] = {}
    for name, content in contents.items():
        part = name.split("/")[0]
        sizes[part] = sizes.get(part, 0) + len(content)
    manifest = {**about, "files": len(contents), "bytes": dict(sorted(sizes.items()))}
    contents["manifest.json"] = (json.dumps(manifest, indent=1) + "\n").encode()
    sums = "".join(f"{_sha256(content)}  {name}\n" for name, content in sorted(contents.items()))
    contents["SHA256SUMS"] = sums.encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with (
            partial.open("wb") as raw,
            gzip.GzipFile("", "wb", 6, raw, mtime=time) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for name, content in sorted(contents.items()):
                entry = tarfile.TarInfo(f"{top}/{name}")
                entry.size, entry.mtime, entry.mode = len(content), time, 0o644
                archive.addfile(entry, io.BytesIO(content))
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
