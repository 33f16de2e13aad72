"""Copy `_web` to the site's `_static`, and give each page the scripts and styles that it uses.

Were the folder named in the configuration, jupyter-book would load every script in it on every page.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

FOLDER = "_web"
NEEDS = "rb_needs"  # of a page, in its metadata: the files, in order


def need(env: BuildEnvironment, *files: str) -> None:
    """Say that the page being read uses these scripts and styles of `_web`."""
    needs = env.metadata[env.docname].setdefault(NEEDS, [])
    needs += [file for file in files if file not in needs]


def needed(env: BuildEnvironment) -> set[str]:
    """All files that some page uses."""
    return {file for data in env.metadata.values() for file in data.get(NEEDS, ())}


def add_needed(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Name them on the page, and on no other."""
    for file in app.env.metadata.get(page, {}).get(NEEDS, ()):
        if file.endswith(".css"):
            app.add_css_file(file)
        else:
            app.add_js_file(file, loading_method="defer")


def add_folder(app: Sphinx, config: Config) -> None:
    if FOLDER not in config.html_static_path:
        config.html_static_path.append(FOLDER)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", add_folder)
    app.connect("html-page-context", add_needed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
