"""Serve everything from the site itself: MathJax is copied from its package into the built pages.

The package carries all of MathJax 3; the pages need the TeX input, the HTML output with its fonts, and the
accessibility layer.  They go into the output's `_static`, not the source's, where the theme loads every script.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

PARTS = ("tex-mml-chtml.js", "output/chtml", "input/tex/extensions", "ui/safe.js", "a11y", "sre")
PACKAGE = "sphinx-mathjax-offline"


def mathjax_folder() -> Path:
    """Where the installed package keeps MathJax."""
    for file in importlib.metadata.files(PACKAGE) or []:
        if file.name == "tex-mml-chtml.js":
            return Path(str(file.locate())).parent
    raise ExtensionError(f"{PACKAGE} holds no tex-mml-chtml.js: reinstall the pinned requirements")


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Copy what is not there yet."""
    if exception is not None or app.builder.format != "html":
        return
    source, target = mathjax_folder(), Path(app.outdir) / "_static" / "mathjax"
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / part, target / part)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
