"""Downloads are readable where MyST is not known."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from rbcore.book.downloads import authors, plain_markdown, titles
from rbcore.book.execute import ROOT, notebooks

TEXT = textwrap.dedent(
    r"""
    (anchor)=
    # Title

    As {cite:t}`gan2025synthetic` say {cite}`cover2006elements`,
    see {prf:ref}`thm-x` and {doc}`the page <../notation>`.

    ```{prf:theorem} Two things
    :label: thm-x
    If $\TV(P,Q) = 0$ then

    $$
    \E_P f = \E_Q f .
    $$
    ```

    ```{solution} thm-x
    :class: dropdown
    Obvious.
    ```

    ```python
    {"kept": 1}
    ```
    """
)


@pytest.fixture
def shown(tmp_path):
    (tmp_path / "r.bib").write_text(
        "@article{gan2025synthetic, author={Gan, Zeyu and Liu, Yong}, title={T}, year={2025}}\n"
        "@book{cover2006elements, author={Cover, Thomas M. and Thomas, Joy A.}, title={E}, year={2006}}\n"
    )
    return plain_markdown(TEXT, titles([TEXT]), authors(tmp_path / "r.bib"))


def test_references_become_names(shown):
    assert "As Gan and Liu (2025) say (Cover and Thomas, 2006),\nsee Theorem “Two things” and the page." in shown


def test_boxes_become_quotations(shown):
    """Every line of a box is quoted, its options are gone, and mathematics stays mathematics."""
    assert "> **Theorem (Two things).**\n>\n> If $\\mathrm{TV}(P,Q) = 0$ then\n>\n> $$\n" in shown
    assert "> **Solution of Theorem “Two things”.**" in shown
    assert ":label:" not in shown and ":class:" not in shown and "```{" not in shown


def test_code_blocks_and_unknown_roles_stay(shown):
    assert '```python\n{"kept": 1}\n```' in shown
    assert plain_markdown("{unknown}`x`", {}, {}) == "{unknown}`x`"


def test_macros_end_where_they_end():
    r"""`\E` is a macro and `\Eta` another word."""
    assert plain_markdown(r"$\E X + \Eta + \Rightarrow$", {}, {}) == r"$\mathbb{E} X + \Eta + \Rightarrow$"


def test_what_pages_fold_or_move_is_plain_text_in_a_download() -> None:
    text = (
        "```{goals}\n:need: {ref}`chapter 3 <x>`\n- to see\n```\n\n```{head-figure} fig-a\n```\n\n"
        "```{checked}\nOne.\nTwo.\n```\n\n```{touch} 05\n:claims: a b\n\nMove it.\n```\n"
    )
    plain = plain_markdown(text, {}, {})
    assert "{" not in plain and "```" not in plain
    assert "**You need:** chapter 3" in plain and "- to see" in plain and "- One.\n- Two." in plain


@pytest.mark.parametrize("path", notebooks(ROOT), ids=lambda path: path.stem)
def test_no_directive_of_the_pages_is_left_in_a_download(path: Path) -> None:
    text = plain_markdown(path.read_text(encoding="utf8"), {}, {})
    left = set(re.findall(r"(?m)^[`:]{3,}\{([\w:-]+)\}", text))
    assert left <= {"code-cell", "list-table", "figure", "dropdown", "tip", "note"}
