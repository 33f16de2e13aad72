"""The chapters' form: what every notebook must have, and how long a visible cell may be."""

import ast
import re
from pathlib import Path
from typing import Any

import lint_notebooks
import nbformat
import pytest

from rbcore.book.execute import ROOT, Job, default_parameters, notebooks, read

CHAPTERS = notebooks(ROOT)


def code_cells(source: Path) -> list[Any]:
    """The notebook's code cells, but for its parameters."""
    cells = [c for c in read(source).cells if c.cell_type == "code"]
    return [c for c in cells if "parameters" not in c.metadata.get("tags", [])]


@pytest.fixture(params=CHAPTERS, ids=lambda p: p.stem)
def source(request: pytest.FixtureRequest) -> Path:
    """Each chapter in turn."""
    return request.param


def test_every_notebook_has_a_numbered_name_and_the_numbers_run() -> None:
    files = sorted((ROOT / "notebooks").iterdir())
    names = [f.name for f in files if f.name[0] not in "._"]
    assert all(re.fullmatch(r"(\d\d|[A-Z])-[a-z0-9]+(-[a-z0-9]+)*\.md", name) for name in names)
    numbers = [p.name.split("-")[0] for p in CHAPTERS]
    chapters = [number for number in numbers if number.isdigit()]
    appendices = [number for number in numbers if not number.isdigit()]
    assert chapters == [f"{i + 1:02d}" for i in range(len(chapters))]
    assert appendices == [chr(ord("A") + i) for i in range(len(appendices))]


def test_the_parameters_come_first_and_hold_a_seed(source: Path) -> None:
    assert isinstance(default_parameters(source).get("seed"), int)


def test_every_claim_measures_something(source: Path) -> None:
    """A bare truth value would say nothing of how clearly the sentence holds; only that needs `kind`."""
    calls = [node for cell in code_cells(source) for node in ast.walk(ast.parse(cell.source))]
    calls = [node for node in calls if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "claim"]
    assert calls and not [c for c in calls if any(k.arg == "kind" for k in c.keywords)]


def test_randomness_comes_from_a_generator_with_the_chapters_seed(source: Path) -> None:
    """No global random state: numpy's, Python's or torch's."""
    shared = re.compile(
        r"np\.random\.(?!default_rng|Generator|SeedSequence|PCG64)\w+|\brandom\.(seed|random|choice|shuffle)\("
        r"|torch\.manual_seed"
    )
    found = [m.group(0) for cell in code_cells(source) for m in shared.finditer(cell.source.replace("rng.", ""))]
    assert not found, f"{source.name}: {found}"


@pytest.mark.book
def test_every_figure_has_a_caption_and_a_description(source: Path, built_book: Path) -> None:
    executed = Job(source).target(ROOT / "book" / "_build" / "cache")
    found = []
    for cell in nbformat.read(executed, as_version=4).cells:
        if not any("image/png" in o.get("data", {}) or "image/svg+xml" in o.get("data", {})
                   for o in cell.get("outputs", [])):  # fmt: skip
            continue
        render = cell.metadata.get("mystnb", {})
        if len(render.get("image", {}).get("alt", "").split()) < 5:
            found.append(f"no alt text: {cell.source[:60]!r}")
        if not render.get("figure", {}).get("caption", "").strip():
            found.append(f"no caption: {cell.source[:60]!r}")
        if not render.get("figure", {}).get("name", "").startswith("fig-"):
            found.append(f"no name fig-...: {cell.source[:60]!r}")
    assert not found, "\n".join([source.name, *found])


# ---------------------------------------------------------------------------------------------------------------
# The linter itself
# ---------------------------------------------------------------------------------------------------------------

SMALL = """---
kernelspec: {name: python3}
---

# Title with `x = 1`

```python
not   = a_cell
```

```{code-cell} ipython3
:tags: [parameters]

seed=1
```

```{code-cell} ipython3
---
mystnb:
  image:
    alt: a   line
---
import os
x = {  'a':1 }
x;
```

Prose   with spaces.

```{code-cell} ipython3
y = [1,
  2]
```
"""


def test_the_linter_names_the_notebook_the_line_and_the_cell(tmp_path: Path) -> None:
    path = tmp_path / "09-small.md"
    path.write_text(SMALL)
    said = lint_notebooks.problems(path)
    line = SMALL.split("\n").index("import os") + 1
    assert any(text.startswith(f"09-small.md:{line}: cell 2: F401") for text in said)
    assert sum("not formatted" in text for text in said) == 3


def test_the_formatter_writes_the_bodies_of_code_cells_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "09-small.md"
    path.write_text(SMALL)
    assert lint_notebooks.fix(path)
    right = SMALL.replace("seed=1", "seed = 1").replace("x = {  'a':1 }", 'x = {"a": 1}')
    right = right.replace("import os\nx =", "import os\n\nx =").replace("y = [1,\n  2]", "y = [1, 2]")
    assert path.read_text() == right
    assert not lint_notebooks.fix(path)


def test_the_linter_reports_a_cell_that_is_not_python(tmp_path: Path) -> None:
    path = tmp_path / "09-small.md"
    path.write_text(SMALL.replace("y = [1,", "y = = [1,"))
    assert any("cell 3" in text for text in lint_notebooks.problems(path))


@pytest.mark.parametrize(
    ("lines", "options", "said"),
    [
        (19, "", "19 lines; at most 18, or 30 with the tag hide-input"),
        (19, ":tags: [hide-input]\n\n", ""),
        (31, ":tags: [hide-input]\n\n", "31 lines; at most 30, as it is folded"),
    ],
)
def test_the_linter_knows_how_long_a_cell_may_be(tmp_path: Path, lines: int, options: str, said: str) -> None:
    path = tmp_path / "09-small.md"
    code = "\n".join(f"x{i} = {i}" for i in range(lines))
    path.write_text(f"# A\n\n```{{code-cell}} ipython3\n{options}{code}\n```\n")
    found = lint_notebooks.problems(path)
    assert [said in text for text in found] == [True] if said else found == []


def test_the_linter_knows_how_wide_a_visible_cell_may_be(tmp_path: Path) -> None:
    path = tmp_path / "09-small.md"
    path.write_text('# A\n\n```{code-cell} ipython3\nx = "' + "a" * 90 + '"\n```\n')
    assert any("96 characters" in text for text in lint_notebooks.problems(path))


@pytest.mark.parametrize(
    ("last", "shown"),
    [("ax.set(title='x')", True), ("ax.set(title='x');", False), ("figures.axis(ax)", False), ("y = 1", False)],
)
def test_a_figure_is_all_that_its_cell_shows(last: str, shown: bool) -> None:
    assert lint_notebooks.shows_more(f"x = 1\n{last}\n") == shown
