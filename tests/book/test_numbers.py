"""Numbers in words: which are found in a text, which read as results, and how recorded values are spelled."""

import re
from fractions import Fraction
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbcore.book.ledger import LedgerError, Value, record
from rbcore.book.numbers import numbers_in
from rbcore.book.prose import Allowed, typed_numbers
from rbcore.book.spelling import NEAR, PARTS, POWERS, SMALL, TENS, spelled


def found(text: str, file: str = "notebooks/01-x.md") -> list[str]:
    return [number.number for number in typed_numbers(file, text)]


# --- results -----------------------------------------------------------------------------------------

RESULTS = """
None of 50,000 chains breaks it. | 50,000
The answer holds 2 bits. | 2 bits
It holds in 7 of 12. | 7 of 12
The bound is 37 times as large. | 37 times
Three quarters of the worlds agree. | Three quarters
It errs in twelve per cent of the cases. | twelve per cent
About 1/3 is lost. | 1/3
About ½ is lost. | ½
It keeps $\\frac{1}{3}$ of it. | 1/3
It keeps $\\tfrac12$ of it. | 1/2
The error is $10^{-3}$. | 10^{-3}
The error is 10⁻³. | 10⁻³
It costs $20{,}000$ answers. | 20000
`37` of them fail. | 37
The gain is a third of the loss. | a third
A student loses two-thirds of it. | two-thirds
It loses nine tenths. | nine tenths
It is off by a hundredth. | a hundredth
It ends at about half. | about half
More than half of them hold. | More than half
It needs half as many. | half as
The gap is twice as large. | twice
The gap doubles the bound. | doubles
The cost is tenfold. | tenfold
The gap is three times the bound. | three times
It falls by seven and a half. | seven and a half
Seven of the twelve hold. | Seven of the twelve
One in ten fails. | One in ten
Nine problems in ten are solved. | Nine problems in ten
It holds in seven worlds. | seven worlds
It holds on four other seeds. | four other seeds
The gap is three nats. | three nats
It takes forty rounds. | forty
It takes sixty-four tries. | sixty-four
Five hundred rows do. | Five hundred
It holds in 12 worlds. | 12 worlds
It is **37** there. | 37
Seven of the {val}`worlds` worlds agree. | Seven of the □
{curve}`It stays at about half <right: #1 & #2>`. | about half
It {curve}`falls <1: 0.5 &\\n $T = 12$>` to two thirds. | two thirds
{val}`good` of twelve do. | □ of twelve
```{prf:remark}\\nIt holds in 7 of 12.\\n``` | 7 of 12
```{solution} ex-x\\nIt needs 50,000 chains.\\n``` | 50,000
| a | 37 | | 37
```{note} In 37 worlds\\n``` | 37 worlds
```{figure} x.png\\n:alt: It ends at 37.\\n``` | 37
```{code-cell} ipython3\\n---\\nmystnb:\\n  figure:\\n    caption: Means over 37 worlds\\n---\\n``` | 37 worlds
""".strip().split("\n")


@pytest.mark.parametrize("line", RESULTS)
def test_a_number_that_reads_as_a_result_is_found(line):
    text, _, number = line.rpartition(" | ")
    assert found(text.replace("\\n", "\n")) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "One of the two divergences and three assumptions; the first two sentences.",
        "We take two models, three of the readings, and half of the records.",
        "A million answers are not a thousand samples, and there are dozens of layers.",
        "A third student, a fourth, stacked bar, and the second half.",
        "Chapter 12, chapters 10 and 13, part 2, step 3, Appendix 1, figure 4; in 2024, ICLR 2025.",
        "1. The first\n2. The second",
        "| 14 | {val}`gap` |",
        "$K = 4$ skills, $n = 12$, $0$ or $1$, $\\sqrt{2 \\log 2}$ and `tries=64`",
        "{val}`seven` of {val}`twelve` worlds, {cite:t}`gan2025`, {doc}`page <12-x>`, [two](x-12.md)",
        "It is done twice, and counted twice over.",
        "Qwen2, SmolLM2-135M, v2 and 16-loops",
        "```{prf:theorem} At most twice\nIt is at most twice as large, or three bits.\n```",
        "````{exercise} Twelve coins\n```{note}\nToss twelve coins three times as often; $n = 12$.\n```\n````",
        "```python\nprint(37)\n```",
        ":::{formula} x\n\\tfrac12 + 37\n:::\n\n$$\n\\tfrac12 + 37\n$$",
    ],
)
def test_a_definition_a_count_of_the_text_and_a_figure_of_speech_are_not(text):
    assert found(text) == []


def test_pages_for_teachers_have_minutes_and_points():
    assert found("Level 12: 37 minutes", "book/teach.md") == []
    assert found("Level 12: 37 minutes", "book/page.md") == ["37"]


def test_a_claim_says_its_numbers_in_words_since_its_check_holds_them():
    assert typed_numbers("x.md", "It is twice as large.", words=False) == []


@pytest.mark.parametrize("file", ["notebooks/08-x.md", "book/slides/08.md"])
def test_an_entry_allows_the_words_around_a_number(file):
    entry = Allowed("*/08*.md", "$50 \\times 50$ cells", "a constant")
    used = set()
    assert typed_numbers(file, "They count $50 \\times 50$ cells.", [entry], used) == []
    assert used == {entry}
    assert len(typed_numbers(file, "They count $50 \\times 60$ cells.", [entry])) == 2


# --- all numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "numbers"),
    [
        ("One of the two divergences is half of it.", ["One", "two", "half"]),
        ("It is twice that, in $12$ of {val}`n` worlds and 50,000 chains.", ["twice", "12", "50,000"]),
        ("A thousand answers, seven and a half, $\\tfrac12$", ["A thousand", "seven and a half", "1/2"]),
        ("One can see that no one is alone.", []),
        ("Chapter 3 has $n = 3$.", []),
    ],
)
def test_all_numbers_of_a_sentence(sentence, numbers):
    assert numbers_in(sentence) == numbers


@given(st.integers(2, 100_000), st.sampled_from(["{} of them", "about {}", "**{}**", "it is {}."]))
def test_every_whole_number_is_among_them(number, around):
    for text in (str(number), f"{number:,}", spelled(number, "words")):
        assert numbers_in(around.format(text)) == [text]


@given(st.text())
def test_any_text_has_numbers_or_none(text):
    numbers_in(text)


# --- spelled -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "fmt", "text"),
    [
        (0, "words", "zero"),
        (7, "words", "seven"),
        (64, "words", "sixty-four"),
        (100, "words", "a hundred"),
        (500, "words", "five hundred"),
        (10_000, "words", "ten thousand"),
        (1_000_000, "words", "a million"),
        (1500, "words", "1,500"),
        (-3, "words", "−3"),
        (0.5, "fraction", "half"),
        (1 / 3, "fraction", "a third"),
        (0.33, "fraction", "about a third"),
        (0.9, "fraction", "nine tenths"),
        (0.94, "fraction", "94%"),
        (0.125, "fraction", "an eighth"),
        (0.13, "fraction", "13%"),
        (0.01, "fraction", "a hundredth"),
        (0.0123, "fraction", "1.2%"),
        (0.0, "fraction", "0%"),
        (1.0, "fraction", "100%"),
        (2, "times", "twice"),
        (1.95, "times", "about twice"),
        (2.7, "times", "2.7 times"),
        (3.05, "times", "about three times"),
        (0.5, "times", "half"),
        (37.0, "times", "37 times"),
        (1234.5, "times", "1,234 times"),
    ],
)
def test_a_value_is_spelled(value, fmt, text):
    assert Value("x", value, fmt).number() == text


@pytest.mark.parametrize(("value", "fmt"), [(2.0, "words"), (True, "words"), (-0.5, "fraction"), (-1, "times")])
def test_a_format_in_words_refuses_what_it_is_not_for(value, fmt):
    with pytest.raises(LedgerError, match="format|is for"):
        record("x", value, fmt=fmt)


def test_a_fraction_can_be_recorded_in_words(capsys):
    record("x", Fraction(2, 3), fmt="fraction")
    assert capsys.readouterr().out == "x = two thirds\n"


def cardinal(text: str) -> int:
    """Read what `words` wrote."""
    if re.fullmatch(r"[\d,]+", text):
        return int(text.replace(",", ""))
    total = 1
    for name, power in [(name, power) for power, name in POWERS.items()]:
        if text.endswith(f" {name}"):
            text, total = text.removesuffix(f" {name}"), power
    tens = {word: 10 * n for n, word in TENS.items()}
    known = {word: n for n, word in enumerate(SMALL)} | tens | {"a": 1}
    return total * sum(known[word] for word in text.split("-"))


def fraction(text: str) -> float:
    """Read what `fraction` wrote."""
    if text.endswith("%"):
        return float(text[:-1]) / 100
    names = {name: n for n, name in PARTS.items()}
    count, _, part = text.rpartition(" ")
    return (1 if count in ("", "a", "an") else SMALL.index(count)) / names[part if part in names else part[:-1]]


def times(text: str) -> float:
    """Read what `times` wrote."""
    known = {"half": 0.5, "twice": 2.0} | {f"{SMALL[n]} times": n for n in range(3, 13)}
    return known[text] if text in known else float(text.removesuffix(" times").replace(",", ""))


@given(st.integers(0, 200) | st.integers(0, 100).map(lambda n: 1000 * n) | st.integers(0, 10**8))
def test_an_integer_in_words_can_be_read_back(value):
    assert cardinal(spelled(value, "words")) == value


@pytest.mark.parametrize(("fmt", "read", "most"), [("fraction", fraction, 1.0), ("times", times, 50.0)])
@given(data=st.data())
def test_words_say_no_more_than_is_true(fmt, read, most, data):
    steps = st.integers(0, 1000).map(lambda n: n * most / 1000)
    value = data.draw(steps | st.floats(0, most, allow_subnormal=False))
    text = spelled(value, fmt)
    said = read(text.removeprefix("about "))
    if text.startswith("about "):
        assert abs(said - value) <= NEAR * said and not isclose(said, value, rel_tol=1e-9)
    elif any(character.isdigit() for character in text):
        assert abs(said - value) <= 0.05 * value  # two digits
    else:
        assert isclose(said, value, rel_tol=1e-9)
