"""Exercises with code: every stub fails, every solution passes, every typical wrong answer gets its hint."""

import ast
from collections import Counter

import numpy as np
import pytest

from rbcore import checks
from rbcore.book.execute import ROOT, notebooks
from rbcore.course import expect
from rbcore.course.tasks import ANSWERS, TaskError, read, tasks, without_answers
from rbcore.information import prove, theorem

ALL = {task.label: task for source in notebooks(ROOT) for task in tasks(source)}


def defined(code: str) -> set[str]:
    """The names that code defines at its top level."""
    found = set()
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def test_labels_are_unique():
    labels = Counter(task.label for source in notebooks(ROOT) for task in tasks(source))
    assert labels and max(labels.values()) == 1, labels.most_common(2)


@pytest.mark.slow
@pytest.mark.parametrize("label", ALL)
def test_the_solution_passes_every_test(label):
    task = ALL[label]
    assert [o for o in task.grade(task.only("solution")) if not o.passed] == []


@pytest.mark.parametrize("label", ALL)
def test_the_stub_fails_every_test(label):
    task = ALL[label]
    assert [o for o in task.grade(task.only("stub")) if o.passed] == []
    assert defined(task.only("stub")) <= defined(task.only("solution")), "an answer defines what the stub does"


@pytest.mark.slow
@pytest.mark.parametrize("label", ALL)
def test_every_typical_wrong_answer_gets_its_hint(label):
    task = ALL[label]
    for wrong in task.wrong:
        failed = [o for o in task.grade(wrong.code) if not o.passed]
        assert failed, f"{label}: the answer for the hint {wrong.said!r} passes"
        assert wrong.said in failed[0].message, f"{label}: {wrong.said!r} is not in {failed[0].message!r}"


@pytest.mark.parametrize("source", notebooks(ROOT), ids=lambda source: source.stem)
def test_what_readers_are_given_holds_no_answer(source):
    text = without_answers(source.read_text(encoding="utf8"))
    for task in tasks(source):
        for part in task.parts:
            assert (part.code in text) == (part.kind not in ANSWERS), (task.label, part.kind)


GOOD = """````{task} Two
:label: task-two
:level: 1
:points: 2
:minutes: 5
Name two.

```python
# stub
two = ...
```

```python
# solution
two = 2
```

```python
# test: it is two
expect(two == 2, "Count again.")
```

```python
# wrong: Count again
two = 1
```

```python
# wrong: Count again
two = 3
```
````
"""


def test_a_task_is_read_whole():
    (task,) = read(GOOD, "01-x")
    assert (task.title, task.level, task.points, task.minutes, task.statement) == ("Two", 1, 2, 5, "Name two.")
    assert [o.passed for o in task.grade("two = 2")] == [True]
    assert "does not run: NameError" in task.grade("two = three")[0].message
    assert task.grade("two = 1")[0].message == "Count again."


def test_only_what_was_checked_is_graded():
    rng = np.random.default_rng(0)
    right, wrong = "I(S;W) <= I(S;P)", "I(S;P) <= I(S;W)"
    chain = ["S -> P -> W"]
    for answer in (True, np.True_, checks.equal(1, 1), prove(right, chain), theorem(right, chain, rng, 10)):
        expect(answer, "no")
    for answer in (False, np.False_, checks.equal(1, 2), prove(wrong, chain)):
        with pytest.raises(AssertionError, match="^no"):
            expect(answer, "no")
    for answer in (1, 0, None, ..., "yes", [True]):
        with pytest.raises(TypeError, match="is graded, got"):
            expect(answer, "no")


@pytest.mark.parametrize(
    "old, new, said",
    [
        (":label: task-two", ":label: two", "label such as"),
        (":level: 1", ":level: 4", "from 1 to 3"),
        (":points: 2\n", "", "needs `:points:`"),
        ("# stub", "# stump", "got 'stump'"),
        ("# test: it is two", "# test", "followed by words"),
        ("```python\n# wrong: Count again\ntwo = 3\n```\n", "", "two typical wrong answers"),
        ("```python\n# solution\ntwo = 2\n```\n", "", "one solution"),
        ("````{task}", "```{task}", "four backticks"),
    ],
)
def test_a_mistake_in_a_task_is_named(old, new, said):
    assert old in GOOD
    with pytest.raises(TaskError, match=said):
        list(read(GOOD.replace(old, new), "01-x"))
