"""Real texts that every machine has, for controls of the audit: what comes with Python and with scikit-learn."""

import ast
import functools
import os
from pathlib import Path

import numpy as np

from rbcore.audit.copies import between, within
from rbcore.audit.prepared import Prepared, families
from rbcore.audit.read.records import Records


@functools.cache
def _trees() -> list[tuple[str, ast.Module]]:
    """Source and syntax tree of the standard library's larger modules."""
    rooms = ("", "email", "logging", "importlib", "multiprocessing", "unittest")
    paths = [path for room in rooms for path in sorted((Path(os.__file__).parent / room).glob("*.py"))]
    sources = [path.read_text(encoding="utf-8") for path in paths if path.stat().st_size > 40_000]
    return [(source, ast.parse(source)) for source in sources]


@functools.cache
def functions() -> list[str]:
    """Functions of Python's standard library, each once."""
    found = {}
    for source, tree in _trees():
        lines = source.splitlines()
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                found.setdefault(text, 80 < len(text) < 2000)
    return [text for text, right in found.items() if right]


@functools.cache
def docstrings() -> list[str]:
    """Docstrings of Python's standard library, each once."""
    found = {}
    for _, tree in _trees():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef)
                and len(text := ast.get_docstring(node) or "") > 60
            ):
                found[text] = True
    return list(found)


@functools.cache
def descriptions() -> list[str]:
    """Paragraphs of scikit-learn's descriptions of data sets, each once."""
    import sklearn.datasets

    paths = sorted((Path(sklearn.datasets.__file__).parent / "descr").glob("*.rst"))
    parts = [part.strip() for path in paths for part in path.read_text(encoding="utf-8").split("\n\n")]
    return list(dict.fromkeys(part for part in parts if len(part) > 60))


def prepared(rng: np.random.Generator, parts=None, **inputs) -> Prepared:
    """What the questions about words look at, without points and surprise; `parts` of each input by name."""
    parts = parts or {}
    records = {}
    for name, texts in inputs.items():
        one = Records(name, "test", len(texts), tuple(texts))
        object.__setattr__(one, "parts", {key: tuple(x) for key, x in parts.get(name, {}).items()})
        records[name] = one
    copies = {(name, name): within(list(texts)) for name, texts in inputs.items()}
    for name, other in (("SYNTH", "ANCHOR"), ("SYNTH", "HELDOUT"), ("ANCHOR", "HELDOUT")):
        if {name, other} <= inputs.keys():
            copies[name, other] = between(list(inputs[name]), list(inputs[other]))
    order = rng.permutation(len(inputs["ANCHOR"]))
    halves = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
    groups = {name: families(copies[name, name].of) for name in inputs}
    return Prepared(records, {}, groups, copies, *halves, {})


def halves(texts: list[str], rng: np.random.Generator, n: int = 250, k: int = 2) -> list[list[str]]:
    """`k` random samples of the texts, without a text in common."""
    rows = rng.permutation(len(texts))[: k * n]
    assert len(rows) == k * n
    return [[texts[i] for i in part] for part in np.array_split(rows, k)]
