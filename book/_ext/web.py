"""Copy `_web` to the site's `_static`.

Were the folder named in the configuration, jupyter-book would load every script in it on every page.
"""

from __future__ import annotations

from sphinx.application import Sphinx
from sphinx.config import Config

FOLDER = "_web"


def add_folder(app: Sphinx, config: Config) -> None:
    if FOLDER not in config.html_static_path:
        config.html_static_path.append(FOLDER)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", add_folder)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
