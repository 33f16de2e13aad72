"""Prose: what counts as text, which numbers in it were typed by hand, and which sentence quotes which result."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbcore.book.ledger import LedgerError
from rbcore.book.prose import Allowed, book_texts, load_allowed, prose_lines, quotes, typed_numbers


def prose_of(text: str) -> list[tuple[int, str]]:
    return [(line.number, line.text.strip()) for line in prose_lines(textwrap.dedent(text)) if line.text.strip()]


def typed(text: str) -> list[str]:
    return [number.number for number in typed_numbers("page.md", text)]


# --- what is prose -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ("One.\n\nTwo.", [(1, "One."), (3, "Two.")]),
        ("", []),
        ("---\nversion: 0.5\n---\nOne.", [(4, "One.")]),
        ("---\nnever closed", [(1, "---"), (2, "never closed")]),
        ("One.\n\n---\n\nTwo.", [(1, "One."), (3, "---"), (5, "Two.")]),
        ("```python\nx = 0.5\n```\nOne.", [(4, "One.")]),
        ("```\nx = 0.5\n```\nOne.", [(4, "One.")]),
        ("~~~\nx = 0.5\n```\n~~~\nOne.", [(5, "One.")]),
        ("````md\n```{note}\n0.5\n```\n````\nOne.", [(6, "One.")]),
        ("```\nx = 0.5\n`````\nOne.", [(4, "One.")]),
        ("  ```\n  x\n  ```\nOne.", [(4, "One.")]),
        ("```x``` is 0.5", [(1, "```x``` is 0.5")]),
        ("% a comment 0.5\nOne.", [(2, "One.")]),
        ("```{code-cell} ipython3\n:tags: [x]\n\ny = 0.5\n```\nOne.", [(6, "One.")]),
        ("```{code-cell} ipython3\ntext = '''\n---\ncaption: no\n---\n'''\n```\nOne.", [(8, "One.")]),
        ("```{note}\nOne.\n```\nTwo.", [(2, "One."), (4, "Two.")]),
        (":::{note}\nOne.\n:::\nTwo.", [(2, "One."), (4, "Two.")]),
        ("```{prf:theorem} A title\n:label: thm-x\n\nOne.\n```", [(1, "A title"), (4, "One.")]),
        ("```{exercise}\n:class: dropdown\nOne.\n```", [(3, "One.")]),
        ("```{figure} a-0.5.png\n:width: 50%\n:alt: Seen.\n\nOne.\n```", [(3, "Seen."), (5, "One.")]),
        ("```{figure} a.png\n---\nwidth: 50%\nalt: Seen.\n---\nOne.\n```", [(4, "Seen."), (6, "One.")]),
        ("Term\n: :label: shown", [(1, "Term"), (2, ": :label: shown")]),
        (":label: shown as a field", [(1, ":label: shown as a field")]),
        ("````{note} Outer\n```{prf:proof}\nOne.\n```\n```\ncode 0.5\n```\nTwo.\n````\nThree.",
         [(1, "Outer"), (3, "One."), (8, "Two."), (10, "Three.")]),
        (":::{note}\n```{code-cell} ipython3\nx = 0.5\n```\nOne.\n:::\nTwo.", [(5, "One."), (7, "Two.")]),
    ],
)  # fmt: skip
def test_prose_is_what_a_reader_reads(text, prose):
    assert prose_of(text) == prose


def test_captions_and_alternative_texts_of_figures_are_prose():
    text = """\
    ```{code-cell} ipython3
    ---
    tags: [hide-input]
    mystnb:
      figure:
        name: fig-0.5
        caption: |
          What is it?

          It is this.
      image:
        alt: >-
          A line.
        width: 50%
    ---
    x = {"alt": 0.5}
    caption: 0.5
    ```
    """
    assert prose_of(text) == [(8, "What is it?"), (10, "It is this."), (13, "A line.")]


# --- typed numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("It is 0.37.", "0.37"),
        ("It is .5 at most.", ".5"),
        ("About...0.37", "0.37"),
        ("It is −0.37 nats", "0.37"),
        ("It is 0.37nats", "0.37"),
        ("It is 1e-3.", "1e-3"),
        ("It is 2.5e−3.", "2.5e−3"),
        ("It is 3e+8", "3e+8"),
        (r"$3 \times 10^{-4}$", "3 × 10^"),
        (r"$3\cdot10^4$", "3×10^"),
        ("3 × 10⁻⁴", "3 × 10⁻"),
        ("5 %", "5 %"),
        ("5%", "5%"),
        ("12,5 %", "12,5 %"),
        ("5 per cent", "5 per cent"),
        ("5 percent", "5 percent"),
        ("a 5-per-cent margin", "5-per-cent"),
        ("5 percentage points", "5 percentage"),
        (r"$5\%$", r"5\%"),
        (r"$5\,\%$", r"5\,\%"),
        (r"$5$ %", "5$ %"),
        ("**5** %", "5** %"),
        ("5\u00a0%", "5\u00a0%"),
        ("5 ‰", "5 ‰"),
        ("5 &percnt;", "5 %"),
        (r"$\TV = 0.37$", "0.37"),
        (r"$\TV\le0.37$", "0.37"),
        (r"$x_{0.5}$", "0.5"),
        ("$$\n0.37\n$$", "0.37"),
        (r"$0{.}37$", "0{.}37"),
        ("0,37 nats", "0,37"),
        ("0·37 nats", "0·37"),
        ("０.３７", "0.37"),
        ("٠.٣٧", "٠.٣٧"),
        ("0.\u200b37", "0.37"),
        ("0&#46;37", "0.37"),
        ("`0.37`", "0.37"),
        ("# A gap of 0.37", "0.37"),
        ("| gap | 0.37 |", "0.37"),
        ("[^1]: It is 0.37.", "0.37"),
        ("Gap\n: 0.37 nats", "0.37"),
        ("**0.37**", "0.37"),
        ("_0.37_", "0.37"),
        ("- 0.37", "0.37"),
        ("> 0.37", "0.37"),
        ("    0.37", "0.37"),
        ("<b>0.37</b>", "0.37"),
        ("0.3–x", "0.3"),
        ("[0.37](https://x.org)", "0.37"),
        ('[gap](x.md "of 0.37")', "0.37"),
        ("![0.37](x.png)", "0.37"),
        ("{math}`x = 0.37`", "0.37"),
        ("{abbr}`0.37 (a gap)`", "0.37"),
        ("{doc}`a gap of 0.37 <02-x>`", "0.37"),
        ("{eval}`0.37`", "0.37"),
        ("```{note} A gap of 0.37\n```", "0.37"),
        ("```{math}\n0.37\n```", "0.37"),
        ("```{raw} html\n0.37\n```", "0.37"),
        ("```{code-cell} ipython3\n---\nmystnb:\n  figure:\n    caption: A gap of 0.37\n---\n```", "0.37"),
    ],
)
def test_a_typed_number_is_found_wherever_it_hides(text, number):
    assert typed(text) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "Three of 20,000 chains in 2024, and 12 of 0",
        "On 2024-05-01 and 1.5.2024",
        "Version 1.2.3 and 1.25.3, v0.3, Qwen2.5 and GPT3.5",
        "Fig.5, 1, 2, ...5",
        "$20{,}000$ and $[0,10]$, $(0,12)$, $\\{0,12\\}$, $I_{0,12}$ and $i = 0,12,24$",
        "$10^{-3}$, $2 \\times 3$, $\\tfrac12$ and 1/2",
        "{val}`gap-0.5` {cite:t}`gan2.5` {doc}`x <0.5>` {prf:ref}`thm-0.5`",
        "[here](https://x.org/0.5) https://arxiv.org/abs/2410.01720, [x](fig-0.5.png)",
        "arXiv:2410.01720, doi:10.1000/182",
        "(sec-1.5)=",
        '<img src=x width="50%"> ![x](y.png){width=50%}',
        "$$\na \\\\[0.5em]\nb \\hspace{0.5em} c\n$$",
        "```\n0.5\n```",
        "```{code-cell} ipython3\nx = 0.5\n```",
    ],
)
def test_what_is_no_typed_result_is_not_found(text):
    assert typed_numbers("page.md", text, words=False) == []


@given(
    st.floats(0, 1000).map(lambda x: f"{x:.3f}"),
    st.sampled_from(["{}", "*{}*", "_{}_", "${}$", "({})", "{}.", "={},"]),
)
def test_every_decimal_is_found_once_and_with_all_its_digits(number, around):
    assert typed(f"The gap is {around.format(number)} today") == [number]


@given(st.text())
def test_any_text_can_be_read(text):
    typed(text)
    quotes("page.md", text)


def test_file_line_and_sentence_of_a_typed_number():
    found = typed_numbers("book/x.md", "# A 0.1\n\nIt was\n0.25. It is\n0.2 now. Then 0.25 again.\n")
    assert [(t.file, t.line, t.number, t.sentence) for t in found] == [
        ("book/x.md", 1, "0.1", "# A 0.1"),
        ("book/x.md", 4, "0.25", "It was 0.25."),
        ("book/x.md", 5, "0.2", "It is 0.2 now."),
        ("book/x.md", 5, "0.25", "Then 0.25 again."),
    ]


# --- the allow-list ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "text", "numbers"),
    [
        (("*", "Python 3.11"), "Python 3.11 or 3.11", ["3.11"]),
        (("*", "3.11"), "Python 3.11 or 3.11", []),
        (("*", "3.11"), "13.11 and 3.112", ["13.11", "3.112"]),
        (("book/*", "Python 3.11"), "Python 3.11", ["3.11"]),
        (("page.md", "Python 3.11"), "Python 3.11", []),
        (("*", "Python"), "Python 3.11", ["3.11"]),
        (("*", r"$x \le 0.5$"), r"Let $x \le 0.5$ here", []),
        (("*", "Python 3.11"), "Python\n3.11", ["3.11"]),
    ],
)
def test_an_entry_allows_a_number_inside_its_text_only(entry, text, numbers):
    allowed = Allowed(*entry, "why not")
    used = set()
    assert [t.number for t in typed_numbers("page.md", text, [allowed], used)] == numbers
    assert used == ({allowed} if len(numbers) < len(typed(text)) else set())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {file: '*', text: '0.5'}", "needs 'file', 'text' and a 'reason'"),
        ("- {file: '*', text: '0.5', reason: }", "needs 'file', 'text' and a 'reason'"),
        ("- {file: '*', text: '0.5', reason: ' '}", "needs 'file', 'text' and a 'reason'"),
        ("- {file: '*', text: '', reason: x}", "needs 'file', 'text' and a 'reason'"),
        ("- Python 3.11", "needs 'file', 'text' and a 'reason'"),
        ("file: '*'", "needs a list of entries"),
        ("- {", "not valid YAML"),
    ],
)
def test_an_entry_needs_file_text_and_reason(tmp_path, text, message):
    (tmp_path / "allow.yml").write_text(text)
    with pytest.raises(LedgerError, match=message):
        load_allowed(tmp_path / "allow.yml")


def test_reads_the_allow_list(tmp_path):
    assert load_allowed(tmp_path / "none.yml") == []
    (tmp_path / "allow.yml").write_text("# nothing yet\n")
    assert load_allowed(tmp_path / "allow.yml") == []
    (tmp_path / "allow.yml").write_text("- {file: '*', text: 3.11, reason: why not}\n")
    assert load_allowed(tmp_path / "allow.yml") == [Allowed("*", "3.11", "why not")]


# --- quotes and their sentences ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It is {val}`a`.", ["It is {val}`a`."]),
        ("First. It is\n{val}`a`\nnow. Last.", ["It is {val}`a` now."]),
        ("Is it {val}`a`? No, {num}`b`!", ["Is it {val}`a`?", "No, {num}`b`!"]),
        ("It is {val}`a`.\nAnd it is {val}`a` here.", ["It is {val}`a`.", "And it is {val}`a` here."]),
        ("{claim}`a`\n{claim}`b`\nIt is {ci}`c`.", ["{claim}`a`", "{claim}`b`", "It is {ci}`c`."]),
        ("See {claim}`a` now.", ["See {claim}`a` now."]),
        ("# Title\nIt is {val}`a`.", ["It is {val}`a`."]),
        ("- one {val}`a`\n- two {val}`b`", ["- one {val}`a`", "- two {val}`b`"]),
        ("| {val}`a` |\n| {val}`b` |", ["| {val}`a` |", "| {val}`b` |"]),
        ("Let\n\n{statement}`a`\n\nhold.", ["{statement}`a`"]),
        ("It is\n```\ncode.\n```\n{val}`a`.", ["{val}`a`."]),
        (":::{note} About {val}`a`\n:::", ["About {val}`a`"]),
        ("```\n{val}`a`\n```\n``{val}`a` `` shows it", []),
    ],
)
def test_each_quote_comes_with_its_sentence(text, sentences):
    found = quotes("page.md", text)
    assert [quote.sentence for quote in found] == sentences
    assert all(f"{{{quote.role}}}`{quote.name}`" in quote.sentence for quote in found)


def test_role_name_file_and_line_of_a_quote():
    (quote,) = quotes("book/x.md", "One.\n\nIt is {ci}` gap `.")
    assert (quote.role, quote.name, quote.file, quote.line) == ("ci", "gap", "book/x.md", 3)


def test_the_texts_of_the_book_are_its_chapters_pages_and_readme(tmp_path):
    names = ["notebooks/01-x.md", "book/a.md", "book/part/b.md", "README.md"]
    for name in [*names, "book/_build/source/c.md", "tests/d.md", "book/e.yml"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert list(book_texts(tmp_path)) == [(name, name) for name in names]
