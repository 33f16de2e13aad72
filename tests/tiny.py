"""The beginning of a tiny notebook and a tiny book, for tests that make books of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from rbcore.book.execute import ROOT

START = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A chapter

"""
SEEDED = f"""{START}```{{code-cell}} ipython3
:tags: [parameters]

seed = 1
```

"""
PARTS = ("_ext", "_static", "_web", "_config.yml", "references.bib", "ledger.md", "reproduction.md")


def small_book(folder: Path) -> Path:
    """A book as the real one: a page, the ledger, and two chapters that are yet to be written: 01-one, 02-two."""
    pages = folder / "book"
    pages.mkdir(parents=True)
    (folder / "notebooks").mkdir()
    for name in PARTS:
        there, here = ROOT / "book" / name, pages / name
        if there.is_dir():
            shutil.copytree(there, here, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(there, here)
    (pages / "preface.md").write_text("# Preface\n\nRead {doc}`one <chapters/01-one>`.\n")
    files = [{"file": one} for one in ("chapters/01-one", "chapters/02-two", "ledger", "reproduction")]
    contents = {"format": "jb-book", "root": "preface", "parts": [{"caption": "All", "chapters": files}]}
    (pages / "_toc.yml").write_text(yaml.safe_dump(contents))
    allowed = yaml.safe_load((ROOT / "book" / "prose-allow.yml").read_text())
    mine = [entry for entry in allowed if entry["file"] == "book/reproduction.md"]
    (pages / "prose-allow.yml").write_text(yaml.safe_dump(mine))
    return folder
