"""Who notices a mutant: each judge gets a changed copy of the tree and says what found it, or nothing.

Most mutants of the text need no execution: the copy is judged in this process by what `make book` calls, with the
executed chapters as they are.  Unit tests run in a child that is forked when the large libraries are imported, so
that a module's tests take about as long as they take by themselves.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import io
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import lint_notebooks

from mutants.cells import bodies, tree
from mutants.edits import Mutant, Sources
from rbcore.book import agree, cli, directions, formulas, literals, prose, sentences, site, sources
from rbcore.book.execute import ROOT, Job, attempt, notebooks, what_counts
from rbcore.book.ledger import Chapter, LedgerError
from rbcore.book.mutants import WORDED

SECONDS = 240  # of the processor, for the tests of one mutant; a mutant that never ends is found by it
TREE = ("rbcore", "notebooks", "book", "tests", ".github")
FORM = ("not formatted", "E501", "characters:", "lines; at most")  # what `make format` mends is no finding
TESTS = {  # of data, and of modules that no test file imports by name
    "rbcore/estimate/calibration.json": ["tests/estimate/test_calibration.py"],
    "rbcore/audit/trials.json": ["tests/audit/test_trial.py"],
    "rbcore/book/downloads.py": ["tests/book/test_downloads.py", "tests/book/test_sources.py"],
    "rbcore/information/verify.py": ["tests/test_checks.py"],
    "rbcore/audit/measures.py": ["tests/audit/test_questions.py", "tests/audit/test_runner.py"],
    "rbcore/audit/questions/labels.py": ["tests/audit/test_questions.py", "tests/audit/test_runner.py"],
    "rbcore/audit/questions/copying.py": ["tests/audit/test_questions.py", "tests/audit/test_defects.py"],
}
READERS = ["test_notebooks.py", "test_falsified.py", "test_field.py", "test_statements.py", "test_slides.py"]


class Tree:
    """A copy of the book in which one file is changed at a time."""

    def __init__(self, root: Path, source: Path = ROOT) -> None:
        self.root = root
        if not root.exists():
            ignored = shutil.ignore_patterns("_build", "__pycache__", ".hypothesis")
            for name in TREE:
                shutil.copytree(source / name, root / name, ignore=ignored)
            for path in source.iterdir():
                if path.is_file():
                    shutil.copy2(path, root / path.name)

    @contextmanager
    def changed(self, changes: Mapping[str, str]):
        """The tree with other texts in some files, which are put back."""
        kept = {file: (self.root / file).read_bytes() for file in changes}
        try:
            for file, text in changes.items():
                (self.root / file).write_text(text, encoding="utf8")
            yield
        finally:
            for file, content in kept.items():
                (self.root / file).write_bytes(content)


PURE = [  # functions of one text
    (prose, "quotes"),
    (prose, "typed_numbers"),
    (prose, "prose_lines"),
    (prose, "without_references"),
    (literals, "find"),
    (sources, "of_text"),
    (directions, "described"),
]


class JudgeError(RuntimeError):
    """There is no verdict: a test fails without any mutant, or what judges was killed from outside."""


class Judges:
    """The judges with what they share: the sources, the executed chapters, one copy of the tree."""

    def __init__(self, sources: Sources, chapters: Sequence[Chapter], tree: Tree, runs: Path) -> None:
        self.sources, self.chapters, self.tree, self.runs = sources, list(chapters), tree, runs
        self.sound: set[str] = set()  # tests that pass without a mutant
        self.known = {_seen(p) for p in self._problems(self.chapters)} if self.chapters else set()

    def judge(self, mutant: Mutant, judges: Iterable[str]) -> str:
        """The guard that notices the mutant, ``text: prose``; empty when all judges accept it.

        That only the wording is pinned is said when nothing else notices.
        """
        worded = ""
        for name in judges:
            if name != "pages":
                with self.tree.changed({mutant.edit.file: self.sources.applied(mutant.edit)}):
                    said = getattr(self, f"by_{name}")(mutant)
                if said and name == "tests":
                    self._check(said)
                if said and said != WORDED:
                    return f"{name}: {said}"
                worded = worded or (f"{name}: {said}" if said else "")
        return worded

    def _problems(self, chapters: Sequence[Chapter]) -> list[agree.Problem]:
        wrong, moved = cli.compare(self.tree.root, chapters)
        return [*wrong, *moved]

    def _found(self, chapters: Sequence[Chapter]) -> str:
        try:
            found = {p.found_by for p in self._problems(chapters) if _seen(p) not in self.known}
        except Exception as error:  # whatever a guard raises, `make book` ends with it
            return type(error).__name__
        return min(found, key=lambda name: (name == WORDED, name)) if found else ""

    # --- text --------------------------------------------------------------------------------------------------

    def by_text(self, mutant: Mutant) -> str:
        """What `make book` finds in the changed text without executing anything, then the lint of its cells."""
        file = mutant.edit.file
        chapters = self.chapters
        if file.startswith("notebooks/"):
            text = (self.tree.root / file).read_text(encoding="utf8")
            chapters = [_said_anew(c, text) if file == f"notebooks/{c.name}.md" else c for c in chapters]
        said = self._found(chapters)
        if said in ("", WORDED) and file.startswith("notebooks/") and _in_code(self.sources.text(file), mutant):
            found = lint_notebooks.problems(self.tree.root / file)
            if any(not any(form in line for form in FORM) for line in found):
                return "lint"
        return said

    # --- run ---------------------------------------------------------------------------------------------------

    def by_run(self, mutant: Mutant) -> str:
        """The changed chapter is executed; nothing, when its code is as it was."""
        file = mutant.edit.file
        if not file.startswith("notebooks/"):
            return ""
        chapter = self.run(self.tree.root / file)
        if isinstance(chapter, str):
            return chapter
        return self._found([chapter if c.name == chapter.name else c for c in self.chapters])

    def run(self, source: Path) -> Chapter | str:
        """The executed chapter, or why there is none; what ran is kept, since guards change more often."""
        job = Job(source, root=self.tree.root)
        kept = job.target(self.runs)
        failed = kept.with_suffix(".failed")
        if not kept.exists() and not failed.exists():
            cache = self.tree.root / "book" / "_build" / "cache"
            shutil.rmtree(cache, ignore_errors=True)
            with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
                done = attempt([job], cache, threads=1)
            kept.parent.mkdir(parents=True, exist_ok=True)
            if any("the kernel died" in reason for reason in done.failed.values()):
                raise JudgeError(f"the kernel of {job.name} died: call again")
            if done.failed:
                failed.touch()
            else:
                shutil.move(done.paths[job.label], kept)
        if failed.exists():
            return "does not run"
        try:
            (chapter,) = agree.gather({job.name: kept})
        except LedgerError:
            return "LedgerError"
        return chapter

    # --- tests -------------------------------------------------------------------------------------------------

    def by_tests(self, mutant: Mutant) -> str:
        """The tests of the changed module, the quick ones first; or those that read the changed text."""
        files = suite_of(mutant.edit.file)
        for chosen in ("not book and not slow", "not book and slow"):
            said = passed(self.tree.root, files, chosen)
            if said:
                return said
        return ""

    def _check(self, test: str) -> None:
        test = test.partition("[")[0]  # with all its parameters
        if ".py" in test and test not in self.sound:
            if passed(self.tree.root, [f"tests/{test}"], "not book and not slow" if test.endswith(".py") else ""):
                raise JudgeError(f"{test} fails without any mutant: mend it first")
            self.sound.add(test)


def _seen(problem: agree.Problem) -> tuple[str, ...]:
    return (problem.found_by, problem.name, problem.sentence, problem.pinned, problem.fresh)


def _in_code(text: str, mutant: Mutant) -> bool:
    return any(body.start <= mutant.edit.start < body.end for body in bodies(text))


def _said_anew(chapter: Chapter, text: str) -> Chapter:
    """The chapter with the sentences that its claims have in `text`, as an execution would store them."""
    said = {}
    for body in bodies(text):
        for call in ast.walk(tree(body.code) or ast.Module([], [])):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "claim" and len(call.args) > 1:
                with suppress(ValueError):  # composed while it runs
                    said[ast.literal_eval(call.args[0])] = " ".join(ast.literal_eval(call.args[1]).split())
    found = [replace(claim, sentence=said.get(claim.id, claim.sentence)) for claim in chapter.claims]
    return replace(chapter, claims=tuple(found))


@functools.cache
def suite_of(file: str) -> list[str]:
    """The test files that import a module, that of its own name first; for a text, those that read it."""
    if file in TESTS:
        return TESTS[file]
    if not file.endswith(".py"):
        return [f"tests/book/{name}" for name in READERS]
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    room = file.split("/")[1]
    folder = ROOT / "tests" / (room if "/" in file.removeprefix("rbcore/") else "")
    candidates = sorted(folder.glob("test_*.py") if folder.is_dir() else [])
    name = module.rpartition(".")[2]
    own = [p for p in candidates if p.stem == f"test_{name}"]
    users = [p for p in candidates if p not in own and _imports(p, module)]
    found = own + users or candidates
    return [path.relative_to(ROOT).as_posix() for path in found]


def _imports(path: Path, module: str) -> bool:
    names = _imported(path.read_text(encoding="utf8"))
    return any(module in (full, full.rpartition(".")[0]) for full in names)


def passed(root: Path, files: Sequence[str], chosen: str) -> str:
    """Run test files of a tree in a forked child: the first test that fails, or nothing when all pass."""
    sys.stdout.flush()
    sys.stderr.flush()
    log = root / "pytest.log"
    child = os.fork()
    if not child:
        _test(root, files, chosen, log)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            raise JudgeError("the tests of a mutant were killed from outside: call again")
        return f"no end after {SECONDS} s" if number == signal.SIGXCPU else "a crash"
    if os.WEXITSTATUS(status) in (0, 5):  # all pass, or none is of this kind
        return ""
    failed = [
        x.split(" ")[1] for x in log.read_text(errors="replace").split("\n") if x.startswith(("FAILED ", "ERROR "))
    ]
    return failed[0].removeprefix("tests/") if failed else "the tests do not run"


def _test(root: Path, files: Sequence[str], chosen: str, log: Path) -> None:
    """What the child does: forget this tree's modules, take the other tree's, run pytest, end at once."""
    status = 70
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 10))
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, 1)
        os.dup2(target, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        os.chdir(root)
        multiprocessing.current_process()._config["daemon"] = False  # tests may start processes of their own
        own = (
            "rbcore",
            "mutants",
            "lint_notebooks",
            "oracles",
            "statements",
            "recorded",
            "tiny",
            "browser",
            "real_texts",
        )
        for name in [n for n in sys.modules if n.split(".")[0] in own]:
            del sys.modules[name]
        here = {str(ROOT), str(ROOT / "tests")}
        sys.path[:] = [str(root), str(root / "tests"), *(p for p in sys.path if p not in here)]
        os.environ |= {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        import pytest

        options = [
            "-q",
            "-x",
            "--no-header",
            "--tb=no",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "--hypothesis-seed=0",
        ]
        status = pytest.main([*options, "--rootdir", str(root), "-m", chosen, *files])
        sys.stdout.flush()
    finally:
        os._exit(int(status))


# ---------------------------------------------------------------------------------------------------------------
# Pages
# ---------------------------------------------------------------------------------------------------------------


def by_pages(sources: Sources, tree: Tree, cache: Path, mutants: Sequence[Mutant]) -> dict[Mutant, str]:
    """Build the pages with all of these mutants, at most one in a file, and tell their warnings apart by file."""
    changes = {m.edit.file: sources.applied(m.edit) for m in mutants}
    with tree.changed(changes), redirect_stderr(io.StringIO()):
        own = tree.root / "book" / "_build"
        shutil.rmtree(own, ignore_errors=True)
        shutil.copytree(cache, own / "cache")
        executed, failed = attempt([Job(n, root=tree.root) for n in notebooks(tree.root)], own / "cache")
        chapters = agree.gather(executed)
        site.assemble(tree.root, executed, chapters, own / "source", [], failed)
        try:
            warnings = site.build(own / "source", own / "html").warnings
        except site.SiteError as error:
            warnings = str(error)
        unlisted = site.unlisted(tree.root, executed)
    rows = [*warnings.split("\n"), *unlisted]
    return {m: said for m in mutants if (said := _warned(m, rows))}


def _warned(mutant: Mutant, rows: Sequence[str]) -> str:
    for row in rows:
        if f"{mutant.edit.file}:" in row or row.startswith(f"{mutant.edit.file} "):
            return row.partition("WARNING: ")[2][:60] or row[:60]
    names = [x for x in {*_words(mutant.old), *_words(mutant.edit.new)} if len(x) > 8]
    return next((row.partition("WARNING: ")[2][:60] for row in rows if any(x in row for x in names)), "")


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z][\w-]+", text)


# ---------------------------------------------------------------------------------------------------------------
# What a verdict rests on
# ---------------------------------------------------------------------------------------------------------------


class Digests:
    """Digests of all that a verdict rests on; with another digest the mutant is judged again."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self._of: dict[tuple[str, ...], str] = {}
        self._used: dict[Path, list[Path]] = {}
        self._data = [p for p in (root / "rbcore").rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")]

    def of(self, judge: str, mutant: Mutant) -> str:
        """What the verdict of a judge on a mutant rests on."""
        file = mutant.edit.file
        if judge == "tests":
            return self._files("tests", *suite_of(file), file)
        texts = self._texts()
        if judge == "run" and file.startswith("notebooks/"):
            return f"{texts} {self._key(file)}"
        return texts

    def _key(self, file: str) -> str:
        """The key of a chapter's execution."""
        if ("key", file) not in self._of:
            self._of["key", file] = Job(self.root / file, root=self.root).key
        return self._of["key", file]

    def _texts(self) -> str:
        """The guards, all texts, pins and records."""
        if ("texts",) not in self._of:
            guards = ["rbcore/book/cli.py", "tests/lint_notebooks.py"]
            files = [name for name, _ in prose.book_texts(self.root)]
            files += [
                p.relative_to(self.root).as_posix()
                for p in sorted((self.root / "book").glob("*.*"))
                if p.is_file()
            ]
            files = [f for f in files if f != "book/mutants.json"]
            self._of["texts",] = _digest([self._files("modules", *guards), *(self._one(f) for f in files)])
        return self._of["texts",]

    def _files(self, kind: str, *files: str) -> str:
        """Modules, and all that they use."""
        if (kind, *files) not in self._of:
            todo = [self.root / file for file in files]
            if kind == "tests":
                todo += [p for p in (self.root / "tests").glob("*.py") if not p.stem.startswith("test_")]
            found: set[Path] = set()
            while todo:
                path = todo.pop()
                if path not in found:
                    found.add(path)
                    todo += self._uses(path)
            lines = [f"{p.name} {self._content(p)}" for p in sorted(found)]
            self._of[kind, *files] = _digest(lines)
        return self._of[kind, *files]

    def _uses(self, path: Path) -> Sequence[Path]:
        """What of the core one module imports or reads."""
        if path.suffix != ".py":
            return ()
        if path not in self._used:
            self._used[path] = uses(path, self.root, self._data)
        return self._used[path]

    def _content(self, path: Path) -> str:
        if ("content", str(path)) not in self._of:
            self._of["content", str(path)] = hashlib.sha256(what_counts(path, path.name)).hexdigest()
        return self._of["content", str(path)]

    def _one(self, file: str) -> str:
        path = self.root / file
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def uses(path: Path, root: Path, data: Iterable[Path]) -> list[Path]:
    """What of the core a module imports, and which of its data files it names."""
    text = path.read_text(encoding="utf8")
    found = [p for p in data if p.name in text]
    for name in _imported(text):
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            place = root.joinpath(*parts[:end])
            found += [p for p in (place / "__init__.py", place.with_name(f"{place.name}.py")) if p.is_file()]
    return [p for p in found if p != path]


@functools.lru_cache(maxsize=1024)
def _imported(text: str) -> tuple[str, ...]:
    """The modules of the core that a module imports, and the names from them."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.startswith("rbcore")]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rbcore"):
            found += [f"{node.module}.{a.name}" for a in node.names]
    return tuple(found)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:20]


def speed_up() -> None:
    """Let this process keep what it found in each text: of a mutant's book only one text is new.

    What is kept are results of pure functions of a text, so that nothing is judged otherwise.
    """
    for module, name in PURE:
        setattr(module, name, remember(getattr(module, name)))
    read, load = sentences.read, formulas.load
    one = functools.lru_cache(maxsize=100_000)(lambda file, text: read([(file, text)]))
    sentences.read = lambda texts: {file: found for name, text in texts for file, found in one(name, text).items()}
    formulas.load = functools.lru_cache(lambda folder: {name: _once(tie) for name, tie in load(folder).items()})


def _once(tie: formulas.Tie) -> formulas.Tie:
    """The tie, which checks each formula once; no mutant of a text changes what it is tied to."""
    return formulas.Tie(tie.name, functools.lru_cache(tie.check))


def remember(function: Callable) -> Callable:
    """The function, which keeps what it found; also what it added to its argument `used`."""
    signature = inspect.signature(function)

    @functools.lru_cache(maxsize=100_000)
    def found(arguments: tuple) -> tuple[Any, frozenset]:
        used: set = set()
        given = dict(arguments) | ({"used": used} if "used" in signature.parameters else {})
        result = function(**given)
        return result if isinstance(result, str) else tuple(result), frozenset(used)

    @functools.wraps(function)
    def remembered(*positional: Any, **named: Any) -> Any:
        given = signature.bind(*positional, **named).arguments
        covered = given.pop("used", None)
        key = tuple((name, tuple(x) if isinstance(x, list) else x) for name, x in given.items())
        result, used = found(key)
        if covered is not None:
            covered |= used
        return result if isinstance(result, str) else list(result)

    return remembered
