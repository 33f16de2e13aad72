"""Try a release as a reader would: python tests/check_release.py [ARCHIVE]

Checksums; the replay file judges every verdict again, with the pages of the site; the wheel installs into a fresh
environment in an empty folder and a downloaded notebook runs there; site and slides load nothing from outside; the
course's archives grade right and wrong submissions.  Minutes; the first failure of each part is printed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

from browser import launched, settle

from rbcore.book import address, replay

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = "A-primer.ipynb"  # the core alone, and soon done
RUN = """
import sys
import nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3").execute()
assert notebook.cells[0].outputs, "the first cell installed nothing"
"""


class Wrong(Exception):
    """The release is not as it should be."""


def unpacked(archive: Path, folder: Path) -> Path:
    """The release's folder, extracted with its checksums compared.

    Raises:
        Wrong: where a file is missing, changed or not listed.
    """
    beside = archive.with_name("SHA256SUMS")
    if beside.exists() and f"{sha256(archive)}  {archive.name}\n" not in beside.read_text():
        raise Wrong(f"{archive.name} is not the file that {beside} names")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    tops = list(folder.iterdir())
    if [top.name for top in tops] != [archive.name.removesuffix(".tar.gz")]:
        raise Wrong(f"the archive holds {sorted(top.name for top in tops)}, and not one folder of its name")
    (top,) = tops
    rows = [line.split("  ", 1) for line in (top / "SHA256SUMS").read_text().splitlines()]
    listed = {name: digest for digest, name in rows}
    there = {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    for name in sorted(listed.keys() ^ there):
        raise Wrong(f"{name} is {'missing' if name in listed else 'not listed in SHA256SUMS'}")
    for name, digest in listed.items():
        if sha256(top / name) != digest:
            raise Wrong(f"{name} is not the file that SHA256SUMS names")
    return top


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def replays(top: Path) -> str:
    """Every verdict stands; the code is compared where this checkout is at the release's commit."""
    manifest = json.loads((top / "manifest.json").read_text())
    same = manifest["commit"] and manifest["commit"] == address.commit(ROOT)
    if replay.run(top / replay.NAME, ROOT if same else None, top / "site"):
        raise Wrong("the replay file does not replay: see above")
    return "with the code of this checkout" if same else "without code: this checkout is at another commit"


def notebook_runs(top: Path) -> str:
    """A downloaded notebook runs in a fresh environment, in a folder that holds it and the wheel."""
    with tempfile.TemporaryDirectory(prefix="rbcore-release-") as work:
        place, home = Path(work) / "empty", Path(work) / "environment"
        place.mkdir()
        for path in (top / "notebooks" / NOTEBOOK, *top.glob("rbcore-*.whl")):
            (place / path.name).write_bytes(path.read_bytes())
        venv.create(home, with_pip=True)
        python = home / "bin" / "python"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JUPYTER"))}
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "ipykernel", "nbclient"]
        for command in (pip, [python, "-c", RUN, NOTEBOOK]):
            done = subprocess.run(command, cwd=place, env=clean, capture_output=True, text=True)
            if done.returncode:
                raise Wrong(f"{NOTEBOOK} does not run from the wheel:\n{done.stderr[-3000:]}")
        where = subprocess.run(
            [python, "-c", "import rbcore; print(rbcore.__file__)"],
            cwd=place,
            env=clean,
            capture_output=True,
            text=True,
        ).stdout.strip()
        if not Path(where).is_relative_to(home):
            raise Wrong(f"the notebook used the rbcore of {where}, and not the wheel")
    return f"{NOTEBOOK} in a fresh environment"


def outside(pages: list[Path]) -> Iterator[str]:
    """Each request of these pages, opened as files, that leaves the disk."""
    with launched() as browser:
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for path in pages:
            asked.clear()
            page.goto(path.as_uri())
            settle(page)
            yield from (f"{path.name}: {url}" for url in asked if not url.startswith(("file:", "data:", "blob:")))


def loads_nothing(folder: Path) -> str:
    """The pages of a folder ask nothing of any other place."""
    pages = sorted(folder.rglob("*.html"))
    if not pages:
        raise Wrong(f"{folder.name} holds no page")
    for request in outside(pages):
        raise Wrong(f"a request leaves the site: {request}")
    return f"{len(pages)} pages"


def course_grades(top: Path) -> str:
    """The course checks its own archives, where it can: right submissions pass and wrong ones fail."""
    if importlib.util.find_spec("rbcore.course.__main__") is None:
        return "not checked: this checkout has no rbcore.course to check it with"
    command = [sys.executable, "-m", "rbcore.course", "check", str(top / "course")]
    if subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}).returncode:
        raise Wrong("the course's archives do not grade as they should: see above")
    return "right and wrong submissions"


def main(arguments: list[str]) -> int:
    """Check an archive, or the newest that was built; the exit status."""
    built = sorted((ROOT / "book" / "_build" / "release").glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    archive = Path(arguments[0]) if arguments else built[-1] if built else None
    if archive is None or not archive.is_file():
        print(
            f"no archive {archive or 'was built'}: call `make release`, or name one: ARCHIVE=...", file=sys.stderr
        )
        return 1
    failed = 0
    with tempfile.TemporaryDirectory(prefix="rbcore-release-") as work:
        try:
            top = unpacked(archive, Path(work))
        except (Wrong, OSError, tarfile.TarError) as error:
            print(f"FAILED checksums: {error}", file=sys.stderr)
            return 1
        print("checksums: every file is as listed", flush=True)
        without = json.loads((top / "manifest.json").read_text())["without"]
        parts: list[tuple[str, Callable[[], str]]] = [
            ("replay", lambda: replays(top)),
            ("wheel and notebook", lambda: notebook_runs(top)),
            ("site", lambda: loads_nothing(top / "site")),
            ("slides", lambda: loads_nothing(top / "slides")),
            ("course", lambda: course_grades(top)),
        ]
        for name, part in parts:
            began = time.monotonic()
            try:
                said = "not in this release" if name in without else part()
                print(f"{name}: {said} ({time.monotonic() - began:.0f} s)", flush=True)
            except (Wrong, OSError, replay.ReplayError) as error:
                failed += 1
                print(f"FAILED {name}: {error}", file=sys.stderr, flush=True)
    print(f"{failed} parts failed" if failed else "the release is in order")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
