"""Spell recorded values: "sixteen", "a third", "twice"; and fall back to digits where no words fit."""

from __future__ import annotations

from fractions import Fraction
from math import isclose

SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
SMALL += "sixteen seventeen eighteen nineteen".split()
TENS = dict(enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2))
POWERS = {1_000_000: "million", 1_000: "thousand", 100: "hundred"}
PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 8: "eighth", 10: "tenth", 20: "twentieth",
         50: "fiftieth", 100: "hundredth", 1000: "thousandth"}  # fmt: skip
SPELLED = ("words", "fraction", "times")  # formats of `record`
NEAR = 0.05  # of a value: how far what is "about a third" may be from a third
COARSE = (1, 2, 3, 4, 5, 10)  # denominators of what a value may be "about"


def spelled(value: float, fmt: str) -> str:
    """`value` in words: ``words`` spells an integer, ``fraction`` a share, ``times`` a factor.

    What is exact is said plainly ("a third", "twice"), what is within :data:`NEAR` of it with "about", and
    anything else in digits ("28%", "2.7 times", "1,234"): so words are true in a run with other parameters, too.

    Raises:
        ValueError: for a number that the format is not for.
    """
    if fmt == "words":
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError("'words' is for integers; 'fraction' and 'times' are for other numbers")
        return _cardinal(value) or f"{value:,d}"
    if value < 0:
        raise ValueError(f"'{fmt}' is for numbers that are not negative")
    known = _fractions() if fmt == "fraction" else _multiples()
    for number, words in known.items():
        if isclose(number, value, rel_tol=1e-9):
            return words
    near = min((x for x in known if x.denominator in COARSE), key=lambda x: abs(x - value))
    if abs(near - value) <= NEAR * min(near, 1 - near if fmt == "fraction" else near):
        return f"about {known[near]}"
    return f"{_digits(100 * value)}%" if fmt == "fraction" else f"{_digits(value)} times"


def _cardinal(number: int) -> str:
    """Up to a hundred, and round numbers beyond ("five hundred", "ten thousand"); else nothing."""
    if 0 <= number < 20:
        return SMALL[number]
    if 20 <= number < 100:
        tens, rest = divmod(number, 10)
        return f"{TENS[tens]}-{SMALL[rest]}" if rest else TENS[tens]
    for power, name in POWERS.items():
        count, rest = divmod(number, power)
        if 0 < count < (10 if power == 100 else 100) and not rest:
            return f"a {name}" if count == 1 else f"{_cardinal(count)} {name}"
    return ""


def _fractions() -> dict[Fraction, str]:
    """Halves to tenths between zero and one, and one of twenty, fifty, a hundred, a thousand."""
    found = {}
    for parts, name in PARTS.items():
        for count in range(1, parts if parts <= 10 else 2):
            share = Fraction(count, parts)
            if share.denominator == parts:
                one = name if parts == 2 else f"{'an' if parts == 8 else 'a'} {name}"
                found[share] = one if count == 1 else f"{SMALL[count]} {name}s"
    return found


def _multiples() -> dict[Fraction, str]:
    """What stands before "as large" and "the width": half, twice, three times to twelve times."""
    more = {Fraction(n): f"{SMALL[n]} times" for n in range(3, 13)}
    return {Fraction(1, 2): "half", Fraction(2): "twice"} | more


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
