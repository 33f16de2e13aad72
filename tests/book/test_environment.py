"""The environment and the repository: one list of versions, a Makefile that says what it does, no outputs."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from rbcore.book.execute import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()
MODULES = sorted((ROOT / "rbcore").rglob("*.py"))


def locked() -> dict[str, Version]:
    """The lock file's versions by canonical name."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s;]+)", line) for line in lines if line and line[0] != "#"]
    assert all(pins), "every line of the lock pins one version with =="
    return {canonicalize_name(pin[1]): Version(pin[2]) for pin in pins}


def wanted(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for in the core and in these extras, and in those that they name."""
    found = [Requirement(text) for text in PROJECT["dependencies"]]
    for extra in extras:
        for requirement in map(Requirement, PROJECT["optional-dependencies"][extra]):
            found += wanted(*requirement.extras) if requirement.name == "rbcore" else [requirement]
    return found


def test_the_lock_satisfies_every_requirement() -> None:
    lock = locked()
    extras = set(PROJECT["optional-dependencies"]) - {"real"}  # a model of 98 MB, which no build needs
    for requirement in wanted(*extras):
        assert requirement.specifier.contains(lock[canonicalize_name(requirement.name)]), str(requirement)


def test_the_lock_satisfies_what_the_locked_packages_require_of_one_another() -> None:
    """So that pip finds nothing to add, whatever the day."""
    lock, missing = locked(), []
    for name in lock:
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            other = canonicalize_name(requirement.name)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            if other.startswith(("nvidia-", "cuda-", "triton")) or other in ("setuptools", "wheel"):
                continue  # what torch brings for its platform, and tools that only build packages
            if other not in lock or not requirement.specifier.contains(lock[other], prereleases=True):
                missing.append(f"{name} requires {requirement}, the lock has {lock.get(other)}")
    assert not missing, "\n".join(missing)


EXTRAS = {  # what a room needs besides the core's own requirements; in theory, the network of chapter 04 does
    "theory": ("lm",),
    "grid": ("lm",),
    "gmm": ("gmm",),
    "lm": ("lm",),
    "estimate": ("estimate",),
    "audit": ("audit", "embeddings"),
    "book": ("book", "pdf"),
    "plotted": ("book",),  # in a notebook, which brings IPython
}


OWNERS = packages_distributions()


def installed(requirements: list[Requirement]) -> set[str]:
    """The distributions that these requirements bring, directly or through one another."""
    found, waiting = set(), [canonicalize_name(one.name) for one in requirements]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            try:
                needs = map(Requirement, importlib.metadata.requires(name) or [])
            except importlib.metadata.PackageNotFoundError:
                continue  # for another platform
            waiting += [
                canonicalize_name(n.name) for n in needs if not n.marker or n.marker.evaluate({"extra": ""})
            ]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("room", sorted({p.relative_to(ROOT / "rbcore").parts[0] for p in MODULES}))
def test_a_room_imports_only_what_its_extra_installs(room: str) -> None:
    """`pip install rbcore` is enough for information and theory, `rbcore[lm]` for the language models."""
    there = installed(wanted(*EXTRAS.get(room.removesuffix(".py"), ())))
    place, missing = ROOT / "rbcore" / room, set()
    for module in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
        for node in ast.walk(ast.parse(module.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in {n.split(".")[0] for n in names} - sys.stdlib_module_names - {"rbcore"}:
                if not {canonicalize_name(owner) for owner in OWNERS[name]} & there:
                    missing.add(f"{module.name} imports {name}")
    assert not missing, "\n".join(sorted(missing))


def test_torch_and_jupyter_book_have_the_versions_that_were_decided() -> None:
    assert locked()["torch"] == Version("2.13.0")
    assert locked()["jupyter-book"] < Version("2")


def test_what_is_installed_is_what_is_locked() -> None:
    wrong = []
    for name, version in locked().items():
        installed = Version(importlib.metadata.version(name))
        if Version(installed.public) != version:  # torch's build may carry a local suffix such as +cpu
            wrong.append(f"{name}: {installed} is installed, {version} is locked")
    assert not wrong, "\n".join(wrong)


def test_conda_and_binder_get_the_same_versions() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    plain = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-r requirements.lock", "-e ."]
    (python,) = [entry.removeprefix("python=") for entry in plain if entry.startswith("python=")]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
    assert all("=" not in entry for entry in plain if not entry.startswith("python="))


def test_make_installs_from_the_lock() -> None:
    assert re.search(r"\$\(RUN\) -m pip install .*-r requirements.lock$", MAKEFILE, re.M)
    assert re.search(r"^\$\(READY\): requirements.lock pyproject.toml$", MAKEFILE, re.M)


def test_make_alone_lists_every_target() -> None:
    outside = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}  # not as a sub-make
    shown = subprocess.run(["make"], cwd=ROOT, env=outside, capture_output=True, text=True, check=True).stdout
    described = re.findall(r"^([a-z-]+):.*## (.*)$", MAKEFILE, re.M)
    assert [tuple(re.split(r"\s{2,}", line.strip(), maxsplit=1)) for line in shown.splitlines()] == [
        (f"make {name}", text) for name, text in described
    ]
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.M)[1].replace("\\", " ").split()
    assert sorted(phony) == sorted(name for name, _ in described)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("serve", "PORT"),
        ("falsify", "MODELS"),
        ("seeds", "SEEDS"),
        ("portable", "NB"),
        ("portable", "PYTHONS"),
        ("params", "NB"),
        ("run", "P"),
        ("sweep", "P"),
        ("sweep", "JOBS"),
        ("sweep", "VALUES"),
        ("faults", "ONLY"),
    ],
)
def test_a_variable_of_make_is_never_run_as_a_command(target: str, name: str) -> None:
    """make would paste it into the recipe; the recipe gets it from its environment instead."""
    value = "1'; touch planted; echo '"
    outside = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    command = ["make", "-n", "-o", ".venv/.ready", target, f"{name}={value}"]
    shown = subprocess.run(command, cwd=ROOT, env=outside, capture_output=True, text=True, check=True).stdout
    assert "planted" not in shown
    assert f"${name}" in shown


def test_nothing_generated_is_tracked() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    generated = re.compile(r"\.ipynb$|^book/_build/|^runs/|__pycache__|\.partial$|\.egg-info/")
    assert not [name for name in files.splitlines() if generated.search(name)]


@pytest.mark.parametrize("module", MODULES, ids=lambda p: p.stem)
def test_modules_are_documented_and_typed(module: object) -> None:
    """What is public has a docstring, and every argument and result has a type."""
    text = module.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    found = []
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef)]
    for node in [*tree.body, *(m for c in classes if not c.name.startswith("_") for m in c.body)]:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            found.append(f"{node.name} (line {node.lineno}) has no docstring")
        if isinstance(node, ast.FunctionDef):
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
            bare += ["its result"] * (node.returns is None)
            found += [f"{node.name} (line {node.lineno}): {name} has no type" for name in bare]
    assert not found, "\n".join([module.name, *found])


@pytest.mark.slow
def test_the_types_of_the_core_pass_the_checker() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ty", "check", "rbcore"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:]
