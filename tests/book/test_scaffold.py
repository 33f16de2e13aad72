"""A new chapter builds as it is; a name that does not fit is refused, and then nothing is written."""

import shutil
import subprocess
from pathlib import Path

import lint_notebooks
import pytest
import yaml
from decks import can_be_taught

from rbcore.book import labels, scaffold, slides
from rbcore.book.agree import disagreements, gather
from rbcore.book.cli import main
from rbcore.book.execute import ROOT, Job, default_parameters, execute, notebooks
from rbcore.book.scaffold import ScaffoldError
from rbcore.course.tasks import tasks


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """What of the checkout a new chapter changes or must not collide with."""
    root = tmp_path / "copied"
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("_*[!l]", "__pycache__"))
    shutil.copyfile(ROOT / "book" / "_toc.yml", root / "book" / "_toc.yml")
    shutil.copyfile(ROOT / "README.md", root / "README.md")
    return root


def state(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_chapter_gets_the_next_number_a_page_and_a_row(copied: Path, capsys: pytest.CaptureFixture) -> None:
    before, last = state(copied), [path.stem for path in notebooks(copied) if path.stem[0].isdigit()][-1]
    assert main(["--root", str(copied), "new", "noisy-words", "Noisy words"]) == 0
    name = f"{int(last[:2]) + 1:02d}-noisy-words"
    assert f"make run NB={name[:2]}" in capsys.readouterr().out
    after = state(copied)
    changed = {path.relative_to(copied).as_posix() for path in after if after[path] != before.get(path)}
    made = {f"notebooks/{name}.md", f"book/slides/{name[:2]}.md"}
    assert changed == {*made, "book/_toc.yml", "README.md"} and before.keys() < after.keys()
    contents = yaml.safe_load((copied / "book" / "_toc.yml").read_text())
    (chapters,) = [part["chapters"] for part in contents["parts"] if part["caption"] == "Chapters"]
    assert [one["file"] for one in chapters][-2:] == [f"chapters/{last}", f"chapters/{name}"]
    rows = [
        line.split("|")[1].strip() for line in (copied / "README.md").read_text().splitlines() if line[:2] == "| "
    ]
    assert rows[rows.index(last[:2]) : rows.index("A") + 1] == [last[:2], name[:2], "A"]
    source = copied / "notebooks" / f"{name}.md"
    assert lint_notebooks.problems(source) == []
    assert default_parameters(source)["seed"] == int(name[:2])


@pytest.mark.parametrize("name", ["x", "a" * scaffold.LONGEST_NAME])
def test_the_form_of_the_chapter_does_not_depend_on_its_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"18-{name}.md"
    path.write_text(scaffold.filled(name, "A title", 18))
    assert lint_notebooks.problems(path) == []


@pytest.mark.slow
def test_the_chapter_runs_and_agrees_with_its_text(copied: Path, tmp_path: Path) -> None:
    source = scaffold.write(copied, "noisy-words", "Noisy words")
    (copied / "rbcore").symlink_to(ROOT / "rbcore")
    done = execute([Job(source, {}, copied)], tmp_path / "cache")
    chapters = gather(done)
    assert disagreements(chapters, [(f"notebooks/{source.name}", source.read_text())]) == []
    (chapter,) = chapters
    assert len(chapter.claims) == 4 and set(chapter.theorems) == {"noisy-words-shrinks"}
    names = [value.name for value in chapter.values] + [claim.id for claim in chapter.claims]
    assert all(name.startswith("noisy-words-") for name in names)
    assert list(labels.unknown(copied, source)) == []
    deck = copied / "book" / "slides" / f"{source.stem[:2]}.md"
    can_be_taught(slides.read(deck, source.stem))
    assert slides.missing(copied, slides.read(deck, source.stem)) == []
    assert sorted(task.level for task in tasks(source)) == [1, 2, 3]
    for task in tasks(source):
        assert all(outcome.passed for outcome in task.grade(task.only("solution")))
        assert not any(outcome.passed for outcome in task.grade(task.only("stub")))
        for wrong in task.wrong:
            failed = [outcome for outcome in task.grade(wrong.code) if not outcome.passed]
            assert failed and wrong.said in failed[0].message, (task.label, wrong.said)


@pytest.mark.parametrize(
    ("name", "title", "said"),
    [
        ("", "A title", "lower-case words"),
        ("My-Chapter", "A title", "lower-case words"),
        ("18-my-chapter", "A title", "without its number"),
        ("my--chapter", "A title", "lower-case words"),
        ("../my-chapter", "A title", "lower-case words"),
        ("my-chapter\n", "A title", "lower-case words"),
        ("a" * 31, "A title", "30 characters at most"),
        ("my-chapter", " ", "one line of plain text"),
        ("my-chapter", "A\ntitle", "one line of plain text"),
        ("my-chapter", "A | title", "one line of plain text"),
        ("my-chapter", "A {val}`x`", "one line of plain text"),
        ("my-chapter", "a" * 81, "80 characters at most"),
        ("my-chapter", "Why 0.5", "no decimal number"),
        ("ggmi", "A title", "07-ggmi.md has this name"),
        ("notation", "A title", "notation.md has this name"),
        ("generation-process", "A title", "has this name"),
        ("strict", "A title", "results such as 'strict-"),
        ("my-chapter", "WHEN DOES A LOOP LEARN?", "has this title"),
        ("two", "A title", "has the label thm-two"),
    ],
)
def test_what_does_not_fit_or_exists_is_refused_and_nothing_is_written(
    copied: Path, name: str, title: str, said: str
) -> None:
    before = state(copied)
    with pytest.raises(ScaffoldError, match=said):
        scaffold.write(copied, name, title)
    assert state(copied) == before


def test_a_table_without_chapters_is_refused_and_nothing_is_written(copied: Path) -> None:
    readme = copied / "README.md"
    readme.write_text("# A book\n")
    before = state(copied)
    with pytest.raises(ScaffoldError, match=r"README.md lists no chapter"):
        scaffold.write(copied, "my-chapter", "My chapter")
    assert state(copied) == before


@pytest.mark.parametrize("given", [[], ["CHAPTER=my-chapter"], ["TITLE=My chapter"]])
def test_make_says_what_it_needs(given: list[str]) -> None:
    command = ["make", "-o", ".venv/.ready", "new", *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0 and 'make new CHAPTER=my-chapter TITLE="My chapter"' in done.stderr
