"""JavaScript modules joined into one classic script, for pages opened from the disk, where a browser loads none.

Each module becomes a function that returns what it exports, called once, in the order of dependence.
The address of the script is `here` in all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

WEB = Path(__file__).parent.parent / "_web"
IMPORT = re.compile(r'^import (?:\{([^}]*)\}|(\w+)) from "(\.[^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?:async )?(?:function\*?|const|let|class) (\w+)", re.MULTILINE)
DEFAULT = re.compile(r"\bexport default (\w+);")
COMMENT = re.compile(r"^[ \t]*/\*\*?\s.*?\*/[ \t]*\n", re.MULTILINE | re.DOTALL)  # on lines of its own
HERE = 'const here = typeof document === "undefined" ? self.location.href : document.currentScript.src;'


def joined(entry: str, instead: Mapping[str, str] | None = None) -> str:
    """The module, a path below `_web`, with all that it imports; some modules are replaced by others."""
    parts: dict[str, str] = {}
    _collect(entry, instead or {}, parts, ())
    return "\n".join(["(() => {", '"use strict";', HERE, "const modules = {};", *parts.values(), "})();", ""])


def _collect(name: str, instead: Mapping[str, str], parts: dict[str, str], above: tuple[str, ...]) -> None:
    """Add a module after those that it imports."""
    if name in above:
        raise ValueError(f"{name} imports itself, by way of {', '.join(above)}")
    if name in parts:
        return
    text = COMMENT.sub("", (WEB / name).read_text(encoding="utf8"))

    def bound(found: re.Match[str]) -> str:
        path = (WEB / name).parent.joinpath(found[3]).resolve().relative_to(WEB.resolve()).as_posix()
        path = instead.get(path, path)
        _collect(path, instead, parts, (*above, name))
        names = re.sub(r"(\w+) as (\w+)", r"\1: \2", found[1]) if found[1] else f"default: {found[2]}"
        return f"const {{{names}}} = modules[{path!r}];\n"

    text = IMPORT.sub(bound, text)
    exported = EXPORT.findall(text) + [f"default: {one}" for one in DEFAULT.findall(text)]
    text = DEFAULT.sub("", re.sub(r"^export ", "", text, flags=re.MULTILINE)).replace("import.meta.url", "here")
    parts[name] = f"modules[{name!r}] = (() => {{\n{text}\nreturn {{ {', '.join(exported)} }};\n}})();"
