"""The first cell of a downloaded notebook: it installs what the chapter needs where there is no checkout.

Sources, in this order: a wheel beside the notebook or one folder up, the wheel that the book's site serves, the
repository at the commit that the notebook was made from.  The last two stand in the cell where they are known.
"""

from __future__ import annotations

import functools
import json
import sys
import textwrap
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rbcore.book import address
from rbcore.book.execute import ROOT, imports_of

OFFERED = ("gmm", "lm", "estimate", "audit")  # extras that a chapter may need, the small ones first
CPU_TORCH = "https://download.pytorch.org/whl/cpu"  # PyTorch without CUDA, a tenth of its size on Linux
INDENT = 4 * " "
CELL = """\
# Outside a checkout of the book this cell installs what the chapter needs; elsewhere it does nothing.
import importlib.util
import subprocess
import sys
from pathlib import Path

needs = [
{needs},
]
beside = [*Path().glob("rbcore-*.whl"), *Path("..").glob("rbcore-*.whl")]
sources = [path.resolve().as_uri() for path in beside]
sources += {sources}
missing = [name for name in needs if importlib.util.find_spec(name) is None]
if missing:
    print("missing:", *missing, "(installing them can take some minutes)")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if "torch" in missing and sys.platform == "linux":
        # the usual build of torch brings gigabytes for graphics cards; this one does without
        pip += ["--extra-index-url", "{cpu}"]
    for source in sources:
        if subprocess.run([*pip, f"rbcore{extras} @ {{source}}"]).returncode == 0:
            break
    else:
        raise SystemExit(
            f"could not install {{', '.join(missing)}} from {{', '.join(sources) or 'anywhere'}}.\\n"
            "Put {wheel}, from the book's release, beside this notebook\\n"
            "and run this cell again; or run the notebook in a checkout after `make setup`."
        )
    importlib.invalidate_caches()
    if "numpy" in sys.modules:
        print("numpy was loaded before: restart the kernel if an import fails")
"""


def wheel_name(version: str) -> str:
    """The file name of the core's wheel."""
    return f"rbcore-{version}-py3-none-any.whl"


_owners = functools.cache(packages_distributions)  # which distributions bring a module


@functools.cache
def _project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf8"))["project"]


def _names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def needed(source: Path, root: Path = ROOT) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The extras of rbcore that a notebook needs, and the modules beyond the core's own that they bring.

    Both follow from what its cells import, and the modules of rbcore that these import, directly or not.
    """
    imported = imports_of(source, root) - sys.stdlib_module_names - {"rbcore"}
    owners = {name: {canonicalize_name(o) for o in _owners().get(name, ())} for name in imported}
    project = _project(root)
    core = _names(project["dependencies"])
    brings = {extra: _names(project["optional-dependencies"][extra]) - {"rbcore"} for extra in OFFERED}
    every = set().union(*brings.values())
    beyond = {name for name in imported if owners[name] & every and not owners[name] & core}
    chosen: list[str] = []
    missing = set(beyond)
    while missing:
        covers = {extra: {name for name in missing if owners[name] & brings[extra]} for extra in OFFERED}
        best = max(OFFERED, key=lambda extra: (len(covers[extra]), -len(brings[extra])))
        chosen.append(best)
        missing -= covers[best]
    return tuple(sorted(chosen)), tuple(sorted(beyond))


def sources(root: Path = ROOT) -> tuple[str, ...]:
    """Where a notebook of this checkout can be given rbcore from, apart from a wheel beside it."""
    repository, site = address.configured(root)
    found = [f"{site}/downloads/{wheel_name(address.version(root))}"] if site else []
    place, commit = address.repository(repository, root), address.commit(root)
    return (*found, *([f"git+{place.url}@{commit}"] if place.url and commit else []))


def cell(source: Path, root: Path = ROOT) -> str:
    """The code of the cell for a chapter, or for any notebook in MyST Markdown."""
    extras, modules = needed(source, root)
    return CELL.format(
        needs=textwrap.fill(
            json.dumps(["rbcore", *modules])[1:-1], 84, initial_indent=INDENT, subsequent_indent=INDENT
        ),
        sources=json.dumps(sources(root)),
        cpu=CPU_TORCH,
        extras=f"[{','.join(extras)}]" if extras else "",
        wheel=wheel_name(address.version(root)),
    )
