"""The room of information from low to high: what each module may import, and that the examples run."""

import ast
import doctest
import importlib

import pytest

from rbcore.book.execute import ROOT

ORDER = [  # each module imports only those before it
    "notation",
    "forms",
    "exact",
    "expr",
    "finite",
    "problem",
    "shannon",
    "chains",
    "models",
    "refute",
    "prover",
    "discover",
    "falsify",
    "verify",
    "theorems",
    "diagram",
    "__init__",
]
ROOM = ROOT / "rbcore" / "information"


@pytest.mark.parametrize("name", ORDER)
def test_a_module_imports_only_those_below_it(name):
    tree = ast.parse((ROOM / f"{name}.py").read_text(encoding="utf8"))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]  # lazy ones, too
    inside = {module.removeprefix("rbcore.information.") for module in imported if "rbcore.information" in module}
    assert inside <= set(ORDER[: ORDER.index(name)])


def test_the_order_names_every_module():
    assert {path.stem for path in ROOM.glob("*.py")} == set(ORDER)


@pytest.mark.parametrize("name", ORDER[:-1])
def test_examples(name):
    assert doctest.testmod(importlib.import_module(f"rbcore.information.{name}")).failed == 0
