"""Serve everything from the site itself: MathJax is put together from its package into the built pages.

The package carries all of MathJax 3 in parts.  The pages need its TeX input, its HTML output with the fonts, and
the MathML that screen readers read: one script of these is half the size of the package's own.  What is left out
is the menu of each formula, which also made every formula a stop of the Tab key, and what the menu can load.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

# The loader, then what it need not load any more; each part is a script by itself.
SCRIPTS = (
    "startup.js",
    "core.js",
    "input/tex.js",
    "output/chtml.js",
    "output/chtml/fonts/tex.js",
    "a11y/assistive-mml.js",
)
# Packages of TeX that this book does not write in, and those that the script has already.
UNUSED = ("all-packages.js", "mhchem.js", "mathtools.js", "physics.js", "bussproofs.js", "empheq.js", "cases.js")
UNUSED += ("textcomp.js", "amscd.js", "colortbl.js", "ams.js", "newcommand.js", "autoload.js", "require.js")
MATHJAX = "mathjax/mathjax.js"
PACKAGE = "sphinx-mathjax-offline"


def mathjax_folder() -> Path:
    """Where the installed package keeps MathJax."""
    for file in importlib.metadata.files(PACKAGE) or []:
        if file.name == "tex-mml-chtml.js":
            return Path(str(file.locate())).parent
    raise ExtensionError(f"{PACKAGE} holds no tex-mml-chtml.js: reinstall the pinned requirements")


def put_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Write the script, copy the fonts and the rarer parts of TeX, which the script loads when they are used."""
    if exception is not None or app.builder.format != "html":
        return
    source, target = mathjax_folder(), Path(app.outdir) / "_static" / "mathjax"
    for part in ("output/chtml/fonts/woff-v2", "input/tex/extensions"):
        left = shutil.ignore_patterns(*UNUSED)
        shutil.copytree(source / part, target / part, ignore=left, dirs_exist_ok=True)
    parts = (f"/* {part} */\n{(source / part).read_text(encoding='utf8')}" for part in SCRIPTS)
    (target.parent / MATHJAX).write_text(";\n".join(parts), encoding="utf8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", put_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
