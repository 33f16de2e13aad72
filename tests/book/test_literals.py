"""No literal is a result: what the code of a notebook may record, claim and show."""

import ast
import re
from pathlib import Path
from random import Random

import pytest

from rbcore.book import literals
from rbcore.book.cells import bodies
from rbcore.book.execute import ROOT, notebooks
from rbcore.book.flow import Flow

IMPORTS = """from time import perf_counter
import numpy as np
from rbcore import checks, figures
from rbcore.book.ledger import claim, record
from rbcore.information import Joint, verify
from rbcore.theory import process
rng = np.random.default_rng(seed)
world = process.World()
risk, limit = world.noise / 2, 0.25
"""


def notebook(*cells: str, options: str = ":tags: [hide-input]\n\n") -> str:
    """A notebook with a parameter, imports and these cells."""
    first = "```{code-cell} ipython3\n:tags: [parameters]\n\nseed, runs = 1, 20\n```\n"
    return "# A\n\n" + first + "".join(f"\nText.\n\n```{{code-cell}} ipython3\n{options}{c}\n```\n" for c in cells)


def found(code: str, **options: str) -> list[str]:
    """What is wrong with the code of a cell."""
    return [one.what for one in literals.find(notebook(IMPORTS, code, **options))]


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ('record("x", 0.37)', "typed: 0.37"),
        ('record("x", value=37, fmt="d")', "typed: 37"),
        ('record("x", "south")', "typed: 'south'"),
        ('a = 0.37\nrecord("x", a)', "typed: a"),
        ('a = 0.3\na += 0.07\nb = [a, 1]\nrecord("x", float(np.mean(b)), fmt=".2f")', "typed"),
        ('for name, a in {"x": 0.37}.items():\n    record(name, a)', "typed"),
        ("def f(y):\n    return 0.37\n\n\nrecord('x', f(risk))", "typed"),
        ('f = lambda y: 0.37\nrecord("x", f(risk))', "typed"),
        ('risk = 0.37\nrecord("x", risk)', "typed: risk"),
        ('record("x", **{"value": 0.37})', "typed"),
        ('claim("x", "It is.", checks.at_most(0.1, 0.2))', "claim('x') is checked on literals only"),
        ('claim("x", "It is.", True)', "claim('x') is checked on literals only"),
        ('claim("x", "It is.", checks.refuted(checks.equal(limit, 0.2)))', "literals only"),
        ('claim("x", "It is.", check=lambda: checks.above(np.sqrt(2), 1))', "literals only"),
        ('claim("x", "It is.", checks.all_of(checks.equal(risk, 0), checks.equal(0.1, 0.1)))', "literals only"),
        ('claim("x", "It is.", checks.equal(risk, risk))', "with itself: checks.equal(risk, risk)"),
        ('claim("x", "It is.", checks.Check(risk > 0, "exact", "risk"))', "put together by hand"),
        ('record("risk", risk)\nclaim("x", "It is {val}`risk`.", checks.above(rng.random(), 0))', "quotes 'risk'"),
        ('print(f"the risk is 0.37, {risk:.3f}")', "'the risk is 0.37, '"),
    ],
)
def test_a_literal_that_stands_where_a_result_should(code: str, word: str) -> None:
    said = found(code)
    assert len(said) == 1 and word in said[0]


@pytest.mark.parametrize(
    "code",
    [
        'record("x", runs)\nrecord("y", seed / 2)',
        'record("x", risk)\nrecord("y", process.SECTORS[0])',
        'record("x", perf_counter())',
        'sizes = np.array([1, 2, 5])\nmade = [world.noise * n for n in sizes]\nrecord("x", int(sizes[-1]))',
        'record("x", limit)\nclaim("y", "It is below {val}`x`.", checks.at_most(risk, limit))',
        'kept = []\nfor _ in range(3):\n    kept.append(rng.random())\nrecord("x", max(kept))',
        'kept = np.zeros(3)\nfor i in range(3):\n    kept[i] = rng.random()\nrecord("x", kept[0])',
        'counts = np.zeros(8)\nnp.add.at(counts, rng.integers(8, size=9), 1)\nrecord("x", counts[0])',
        'best, n = 0, 0\nwhile best < rng.random():\n    n += 1\nrecord("x", n)',
        'word = "no"\nif risk > 0:\n    word = "yes"\nrecord("x", word)',
        'if risk > 0:\n    record("x", "nothing named")',
        'def f(y):\n    return y / 2\n\n\nclaim("x", "It is.", checks.above(f(risk), 0))',
        'f = lambda y: y * 2\nclaim("x", "It is.", checks.above(f(risk), 0))',
        'claim("x", "It is.", verify.identity("I(A;B) = I(B;A)"))',
        'coin = Joint("A", [0.5, 0.5])\nclaim("x", "It is.", verify.satisfied("H(A) >= 0", coin))',
        'claim("x", "A coin does.", checks.above(np.log(2), 0.69))  # constant: a fair coin',
        'record("risk", risk)\nclaim("x", "It is {val}`risk`.", checks.above(risk, 0))',
        "print(f\"{risk:9.3f} bits in [0, 1], with P='seed=20'\")",
    ],
)
def test_what_is_computed_or_defined_may_be_recorded(code: str) -> None:
    assert found(code) == []


def test_a_mark_has_a_reason_and_a_call_that_needs_it_and_excuses_no_number() -> None:
    said = found('record("x", risk)  # constant: of nature')
    assert said == ["the mark `# constant:` is on no call that needs one"]
    assert found('record("x", np.sqrt(2))  # constant:') == ["the mark `# constant:` has no reason"]
    assert "typed: 0.37" in found('record("x", 0.37)  # constant: of nature')[0]
    assert "literals only" in found('claim("x", "It is.", checks.equal(1, 2))  # constant: one')[0]


def test_numbers_in_a_figure_and_in_visible_comments() -> None:
    figure = "---\ntags: [hide-input]\nmystnb:\n  figure:\n    name: fig-x\n---\n"
    code = 'figures.axis("failures after 64 tries", "-o", r"$n = 64$", "loss in [0, 1]", "64", c="#004488");'
    said = found(code, options=figure)
    assert said == ["a number is typed into what is shown: 'failures after 64 tries'"]
    assert found("x = 1  # of 16 units\ny = 2  # a loss of 0.37", options="") == [
        "a number is typed into a visible comment: # a loss of 0.37"
    ]


def test_a_finding_has_the_line_of_the_file() -> None:
    text = notebook(IMPORTS, 'x = 1\nrecord(\n    "typed", 0.37\n)')
    (one,) = literals.find(text)
    assert text.split("\n")[one.line - 1] == "record(" and one.name == "typed"


def test_what_a_function_changes_outside_itself_and_calls_itself() -> None:
    code = "def down(n):\n    return n if n < risk else down(n - 1)\n\n\n"
    assert found(code + 'record("x", down(3))') == []
    flow = Flow(["seed = 1", "a = 0\ndef f():\n    global a\n    return seed\na = [f() for _ in 'xyz']\nprint(a)"])
    assert flow.calls[-1].given[0].data


# ---------------------------------------------------------------------------------------------------------------
# The book itself
# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("source", notebooks(ROOT), ids=lambda path: path.stem)
def test_a_result_of_the_book_that_is_replaced_by_a_literal_is_found(source: Path) -> None:
    """A random record becomes a number, and a random claim's check a comparison of two; nothing else is found."""
    text, rng, names = source.read_text(encoding="utf8"), Random(source.stem), set()
    for function, place, new in (("record", 1, "0.3718"), ("claim", 2, "checks.at_most(0.1, 0.2)")):
        sites = [
            (body, call.args[place], call.args[0].value)
            for body in bodies(text)
            for call in ast.walk(ast.parse(re.sub(r"(?m)^\s*[%!].*$", "", body.code)))
            if isinstance(call, ast.Call) and ast.unparse(call.func) == function
            and len(call.args) > place and isinstance(call.args[0], ast.Constant)
        ]  # fmt: skip
        body, old, name = rng.choice(sites)
        lines = body.code.split("\n")
        before = [*lines[: old.lineno - 1], lines[old.lineno - 1].encode()[: old.col_offset].decode()]
        after = [lines[old.end_lineno - 1].encode()[old.end_col_offset :].decode(), *lines[old.end_lineno :]]
        text = text[: body.start] + "\n".join(before) + new + "\n".join(after) + text[body.end :]
        names.add(name)
    assert {one.name for one in literals.find(text)} == names
