"""Downloads are readable where MyST is not known."""

from __future__ import annotations

import textwrap

import pytest

from rbcore.book.downloads import authors, plain_markdown, titles

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
