"""Arithmetic without rounding: linear programs over the rationals, and the signs of sums of logarithms.

The prover's linear programs are solved in floating point and made exact afterwards.  Where that fails, because a
statement's coefficients are too far apart or its constant is too near the true one, :func:`separate` solves the
program in fractions.  An entropy of rational probabilities is a rational combination of logarithms of integers,
whose :func:`sign` is decided exactly; so no "up to 1e-9" stands between a distribution and what it violates.
"""

import decimal
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

Row = Mapping[Hashable, Fraction]


def separate(rows: Sequence[Row], target: Row) -> tuple[dict[int, Fraction] | None, dict[Hashable, Fraction]]:
    """Either multipliers >= 0 of the rows that sum to the target, or a point that shows that there are none.

    Returns (multipliers by the row's index, {}), or (None, x) with <row, x> >= 0 for all rows and <target, x> < 0
    (Farkas).  The first phase of the simplex method, in fractions; where a step gains nothing the next one follows
    Bland's rule, so that it ends.

    >>> separate([{"x": 1, "y": 1}, {"y": -1}], {"x": 2})
    ({0: Fraction(2, 1), 1: Fraction(2, 1)}, {})
    >>> separate([{"x": 1, "y": 1}], {"x": 1})
    (None, {'x': Fraction(-1, 1), 'y': Fraction(1, 1)})
    """
    keys = list(dict.fromkeys(key for row in (target, *rows) for key in row))
    place = {key: i for i, key in enumerate(keys)}
    n, signs = len(keys), [-1 if target.get(key, 0) < 0 else 1 for key in keys]
    columns = [{place[key]: signs[place[key]] * Fraction(k) for key, k in row.items()} for row in rows]
    inverse = [{i: Fraction(1)} for i in range(n)]  # of the basis, as sparse rows
    basis, value = [-1] * n, [abs(Fraction(target.get(key, 0))) for key in keys]  # -1: artificial
    stuck = False
    while True:
        price: dict[int, Fraction] = {}
        for i in (i for i in range(n) if basis[i] < 0):
            for j, k in inverse[i].items():
                price[j] = price.get(j, Fraction(0)) + k
        gains = ((sum(price.get(i, 0) * k for i, k in column.items()), j) for j, column in enumerate(columns))
        gains = ((gain, j) for gain, j in gains if gain > 0)
        gain, entering = (
            next(gains, (0, -1)) if stuck else max(gains, default=(0, -1), key=lambda g: (g[0], -g[1]))
        )
        if not gain:
            if any(value[i] for i in range(n) if basis[i] < 0):
                return None, {key: -signs[i] * price.get(i, Fraction(0)) for i, key in enumerate(keys)}
            return dict(sorted((j, x) for j, x in zip(basis, value, strict=True) if j >= 0 and x)), {}
        column = columns[entering]
        step = [sum((row[i] * k for i, k in column.items() if i in row), Fraction(0)) for row in inverse]
        leaving = min((i for i in range(n) if step[i] > 0), key=lambda i: (value[i] / step[i], basis[i]))
        stuck = value[leaving] == 0
        pivot = {j: k / step[leaving] for j, k in inverse[leaving].items()}
        height = value[leaving] / step[leaving]
        for i in (i for i in range(n) if step[i] and i != leaving):
            row = inverse[i]
            for j, k in pivot.items():
                if changed := row.get(j, 0) - step[i] * k:
                    row[j] = changed
                else:
                    row.pop(j, None)
            value[i] -= step[i] * height
        inverse[leaving], value[leaving], basis[leaving] = pivot, height, entering


def sign(logs: Mapping[int, Fraction]) -> int:
    """The sign of the sum of coefficient * log n, over positive integers n: -1, 0 or 1, without rounding.

    Logarithms of pairwise coprime integers are linearly independent over the rationals, since factorization is
    unique; over a coprime base of the n, a sum is zero only if all of its coefficients are.  If it is not zero,
    logarithms that are correctly rounded to more and more digits show its sign.

    >>> sign({8: Fraction(1, 3), 2: Fraction(-1)}), sign({3: Fraction(12), 2: Fraction(-19)})
    (0, 1)
    """
    total: dict[int, Fraction] = {}
    base = _coprime(n for n, k in logs.items() if k)
    for n, k in logs.items():
        for b in base if k else ():
            power = 0
            while n % b == 0:
                n, power = n // b, power + 1
            total[b] = total.get(b, Fraction(0)) + k * power
    total = {b: k for b, k in total.items() if k}
    digits = 20
    while total:
        with decimal.localcontext() as context:
            context.prec, context.Emax, context.Emin = digits, decimal.MAX_EMAX, decimal.MIN_EMIN
            terms = [k * Fraction(Decimal(b).ln()) for b, k in total.items()]  # an integer converts exactly
        value, error = sum(terms), sum(map(abs, terms)) / Fraction(10) ** (digits - 1)
        if abs(value) > error:
            return 1 if value > 0 else -1
        digits *= 2
    return 0


def _coprime(numbers: Iterable[int]) -> list[int]:
    """Pairwise coprime integers > 1 of which each of the numbers is a product of powers."""
    base, waiting = [], list(numbers)
    while waiting:
        n = waiting.pop()
        if n == 1:
            continue
        for i, b in enumerate(base):
            if (common := math.gcd(n, b)) > 1:
                del base[i]
                waiting += [common, b // common, n // common]
                break
        else:
            base.append(n)
    return base
