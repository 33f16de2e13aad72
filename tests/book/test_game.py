"""The entropy game: its levels are true, its typical wrong answers wrong, and a browser can play it to the end."""

import itertools
import json
import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from browser import AXE, RUN_AXE, STICKING_OUT, Watched, executable
from playwright.sync_api import Browser, Page, expect

from rbcore.book.execute import ROOT, notebooks
from rbcore.information.expr import ExpressionError, parse
from rbcore.information.problem import ProverError
from rbcore.information.prover import Certificate, prove
from rbcore.information.refute import Counterexample

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import game
from joined import joined

LEVELS = game.read_levels(ROOT / "book" / "game.yml")
NAMES = [level["id"] for level in LEVELS]
MADE: dict[str, Any] = {
    "zero": lambda: 0,
    "copy": lambda x: x,
    "sum": lambda x, y: x + y,
    "pair": lambda x, y: 2 * x + y,
    "one": lambda x: int(x == 1),
    "two": lambda x: int(x == 2),
}


def of_kind(*kinds: str) -> Any:
    return pytest.mark.parametrize(
        "level", [one for one in LEVELS if one["kind"] in kinds], ids=lambda one: one["id"]
    )


def proved(statement: str, given: Any = ()) -> bool:
    """With an exact certificate, which is added up again."""
    found = prove(statement, given)
    return isinstance(found, Certificate) and found.verify()


def refuted(statement: str, given: Any = ()) -> bool:
    """With a distribution, which is checked without rounding."""
    found = prove(statement, given)
    example = getattr(found, "counterexample", None)
    return example is not None and example.check()


def equation(text: str) -> str:
    return re.sub("[<>]=", "=", text)


# --- the data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("      kind: state", "      kind: guess", "kind is one of state, assume"),
        ("goal: [", "aim: [", "goal must be given, as list"),
        ("hints:", "hint:", "hints must be given, as list"),
        ("      see: ", "      sea: ", "see must be given, as str"),
        ("      title: ", "      extra: 1\n      title: ", "extra means nothing here"),
        ("id: pair", "id: zero", "two levels have this id"),
    ],
)
def test_an_entry_that_is_wrong_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = (ROOT / "book" / "game.yml").read_text(encoding="utf8")
    assert old in text
    path = tmp_path / "game.yml"
    path.write_text(text.replace(old, new, 1), encoding="utf8")
    with pytest.raises(ValueError, match=problem):
        game.read_levels(path)


def test_modules_are_joined_each_once_after_what_it_needs() -> None:
    text = joined("game/start.js", game.PACKED)
    for name in (
        "prove/fraction.js",
        "prove/expr.js",
        "prove/prove.js",
        "prove/packed-worker.js",
        "game/judge.js",
    ):
        assert text.count(f"modules['{name}'] = ") == 1
        assert text.index(f"modules['{name}'] = ") < text.index(f"= modules['{name}'];")
    assert "prove/make-worker.js" not in text and not re.search(r"(?m)^(import|export) ", text)


def test_there_are_enough_levels_and_the_last_ones_are_statements_of_chapters_5_to_7() -> None:
    assert 24 <= len(LEVELS) <= 32 and len({one["chapter"] for one in LEVELS}) == 6
    text = "".join(path.read_text(encoding="utf8") for path in notebooks())
    late = "".join(path.read_text(encoding="utf8") for path in notebooks() if path.stem[:2] in ("05", "06", "07"))
    for level in LEVELS:
        where = late if level["chapter"] in ("The reverse bottleneck", "GGMI") else text
        assert f":label: {level['see']}\n" in where, level["id"]
        assert len(game.checked(level)) > 0


def shapes(text: str) -> set[str]:
    """The relations of a chain, and what follows by joining neighbours: the forms as text."""
    forms = [c.form for c in parse(text).constraints]
    joins = [sum(forms[i + 1 : j], forms[i]) for i in range(len(forms)) for j in range(i + 1, len(forms) + 1)]
    return {str(sorted((sorted(s), k) for s, k in form.coefficients.items())) for form in joins}


@pytest.mark.book
def test_a_goal_is_the_statement_of_the_book_that_it_says(built_book: Path) -> None:
    theorems = json.loads((built_book.parent / "source" / "_ledger.json").read_text(encoding="utf8"))["theorems"]
    compared = [one for one in LEVELS if "same" in one]
    assert len(compared) >= 10
    for level in compared:
        book = theorems[level["same"]]["certificate"]
        goals = [level["goal"]] if isinstance(level["goal"], str) else level["goal"]
        given = level["answer"] if level["kind"] == "assume" else level.get("given", [])
        assert any(shapes(goal) <= shapes(book["statement"]) for goal in goals), level["id"]
        assert {parse(one).text for one in given} == {parse(one).text for one in book["given"]}, level["id"]


# --- what is right, and what is wrong ---------------------------------------------------------------------------


def bound(level: dict[str, Any], text: str) -> tuple[bool, bool]:
    """Whether an answer is true, and whether it is met with equality where a goal is."""
    given, asked = level.get("given", []), f"{level.get('before', '')} {text}".strip()
    if not proved(asked, given):
        assert refuted(asked, given), asked
        return False, False
    if all("=" in goal and not re.search("[<>]=", goal) for goal in level["goal"]):
        return True, True
    return True, any(proved(equation(asked), [*given, equation(goal)]) for goal in level["goal"])


@pytest.mark.slow
@of_kind("state")
def test_an_answer_is_a_sharp_bound_and_the_wrong_ones_are_not(level: dict[str, Any]) -> None:
    assert all(proved(goal, level.get("given", [])) for goal in level["goal"])
    assert bound(level, level["answer"]) == (True, True)
    answers = [one["answer"] for one in level["wrong"]]
    assert all(bound(level, answer) in ((False, False), (True, False)) for answer in answers)
    assert any(not bound(level, answer)[0] for answer in answers)


@pytest.mark.slow
@of_kind("assume")
def test_the_cards_of_an_answer_suffice_and_each_is_needed(level: dict[str, Any]) -> None:
    goal, answer = level["goal"], level["answer"]
    assert proved(goal, answer) and {*answer} <= {*level["cards"]} and len(answer) <= level["most"]
    for card in answer:
        assert refuted(goal, [one for one in answer if one != card])
    for one in level["wrong"]:
        assert refuted(goal, one["answer"]) and {*one["answer"]} <= {*level["cards"]}
    few = itertools.combinations(level["cards"], level["most"])
    assert sum(not proved(goal, cards) for cards in few) >= 3, "most choices do not do"


@of_kind("constant")
def test_a_constant_is_the_largest(level: dict[str, Any]) -> None:
    def put(k: Fraction) -> str:
        return level["goal"].replace("{k}", str(k))

    given, largest = level.get("given", []), Fraction(level["answer"])
    assert proved(put(largest), given) and refuted(put(largest * Fraction(101, 100)), given)
    for one in level["wrong"]:
        k = Fraction(one["answer"])
        assert refuted(put(k), given) if k > largest else k < largest


def world(build: dict[str, Any], chosen: list[int]) -> dict[str, Any]:
    """The distribution that a level's builder makes."""
    rows: dict[tuple[int, ...], int] = {}
    if "table" in build:
        names = build["table"]
        outcomes = itertools.product((0, 1), repeat=len(names))
        rows = {outcome: weight for outcome, weight in zip(outcomes, chosen, strict=True) if weight}
    else:
        names = [*build["bits"], *(one["name"] for one in build["made"])]
        for bits in itertools.product((0, 1), repeat=len(build["bits"])):
            values = dict(zip(build["bits"], bits, strict=True))
            for one, choice in zip(build["made"], chosen, strict=True):
                _, how, *of = one["choices"][choice]
                values[one["name"]] = MADE[how](*(values[name] for name in of))
            rows[tuple(values.values())] = rows.get(tuple(values.values()), 0) + 1
    p = [str(Fraction(weight, sum(rows.values()))) for weight in rows.values()]
    return {"names": names, "outcomes": [[*outcome] for outcome in rows], "p": p}


@of_kind("break")
def test_a_distribution_breaks_the_statement_and_the_wrong_ones_do_not(level: dict[str, Any]) -> None:
    asked = {"statement": level["goal"], "given": level.get("given", [])}
    assert Counterexample.from_json(json.dumps(asked | world(level["build"], level["answer"]))).check()
    for one in level["wrong"]:
        with pytest.raises(ProverError):
            Counterexample.from_json(json.dumps(asked | world(level["build"], one["answer"])))


@pytest.mark.parametrize("text", ["H(A", "I(A) <= 0", ""])
def test_the_checks_above_can_fail(text: str) -> None:
    with pytest.raises(ExpressionError):
        proved(text)
    assert not proved("H(A) <= H(B)") and not refuted("H(A) >= 0")


# --- the page ---------------------------------------------------------------------------------------------------

LOOK = RUN_AXE.replace("{ resultTypes", "{ preload: false, resultTypes")  # which would ask the disk for the styles
# Colours do not fade in, and the theme's button to the top, which axe takes for a background, is away.
STILL = "* { transition: none !important; } #pst-back-to-top { display: none !important; }"
browser = pytest.mark.skipif(executable() is None, reason="no Chromium is installed")


class Played(Watched):
    """The page of the game, opened from the disk."""

    def __init__(self, page: Page, built: Path, how: str = ""):
        super().__init__(page, "file://")
        self.address = f"{(built / 'game.html').as_uri()}{how}"
        page.goto(self.address)
        page.wait_for_selector("#rb-game.rb-on")

    @property
    def here(self) -> Any:
        return self.page.locator(".rb-level.rb-here")

    def answer(self, level: dict[str, Any], answer: Any) -> None:
        """Give an answer, and check it."""
        here = self.here
        if level["kind"] in ("state", "constant"):
            here.locator("input[type=text]").fill(answer)
        elif level["kind"] == "assume":
            for box in here.locator("input[type=checkbox]").all():
                box.set_checked(box.get_attribute("value") in answer)
        elif "table" in level["build"]:
            for slider, weight in zip(here.locator("input[type=range]").all(), answer, strict=True):
                slider.fill(str(weight))
        else:
            for menu, choice in zip(here.locator("select").all(), answer, strict=True):
                menu.select_option(str(choice))
        here.get_by_role("button", name="Check").click()

    def verdict(self, mark: Any) -> None:
        expect(self.here.locator(".rb-verdict")).to_contain_text(mark, timeout=20_000)
        expect(self.here.locator(".rb-told")).not_to_have_attribute("aria-busy", "true")

    def fits(self, colours: bool = True) -> None:
        """Nothing sticks out, and axe is content."""
        width = self.page.viewport_size["width"]
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width
        assert self.page.evaluate(STICKING_OUT) == []
        if colours:
            found = self.page.evaluate(LOOK)
            assert found == []


@pytest.fixture
def play(chromium: Browser, built_book: Path) -> Iterator[Any]:
    contexts = []

    def opened(how: str = "", **settings: Any) -> Played:
        contexts.append(chromium.new_context(**{"viewport": {"width": 1440, "height": 900}} | settings))
        played = Played(contexts[-1].new_page(), built_book, how)
        played.page.evaluate((AXE / "axe.min.js").read_text(encoding="utf8"))
        played.page.add_style_tag(content=STILL)
        return played

    yield opened
    for context in contexts:
        context.close()


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


@browser
@pytest.mark.book
def test_the_whole_game_on_a_phone_each_wrong_answer_has_its_reply_and_progress_stays(play: Any) -> None:
    played = play(**PHONE)
    page = played.page
    for i, level in enumerate(LEVELS):
        assert played.here.get_attribute("id") == f"level-{level['id']}"
        for j, one in enumerate(level["wrong"]):
            played.answer(level, one["answer"])
            played.verdict(re.compile("✗|True, but"))
            reply = (
                played.here.locator(".rb-reply").nth(j).locator(".rb-reply-text").evaluate("e => e.textContent")
            )
            assert played.here.locator(".rb-replied").evaluate("e => e.textContent").strip() == reply.strip(), (
                level["id"]
            )
        played.answer(level, level["answer"])
        played.verdict("✓")
        played.fits(colours=i % 8 == 2)
        if i < len(LEVELS) - 1:
            played.here.get_by_role("button", name="Next level").click()
    expect(page.locator(".rb-map summary")).to_contain_text(f"{len(LEVELS)} of {len(LEVELS)} solved")
    page.goto(played.address)
    page.wait_for_selector("#rb-game.rb-on")
    expect(page.locator(".rb-map summary")).to_contain_text(f"{len(LEVELS)} of {len(LEVELS)} solved")
    assert played.here.get_attribute("id") == f"level-{NAMES[-1]}"
    page.locator(".rb-map summary").click()
    page.get_by_role("button", name="Start over").click()
    page.get_by_role("button", name="Forget all solved levels").click()
    expect(page.locator(".rb-map summary")).to_contain_text(f"0 of {len(LEVELS)} solved")
    assert played.wrong == []


def first(kind: str) -> dict[str, Any]:
    return next(one for one in LEVELS if one["kind"] == kind)


@browser
@pytest.mark.book
def test_each_kind_of_level_by_keyboard_alone_and_all_levels_at_once(play: Any) -> None:
    played = play()
    page = played.page
    page.locator("#rb-every").focus()
    page.keyboard.press("Space")

    def go_to(level: dict[str, Any]) -> None:
        page.locator(".rb-stop").nth(level["number"] - 1).focus()
        page.keyboard.press("Enter")
        assert played.here.get_attribute("id") == f"level-{level['id']}"
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('.rb-answer input, .rb-answer select')"):
                return
        raise AssertionError("the tabulator does not lead to the place of the answer")

    go_to(first("state"))
    page.keyboard.type("H(X) >= 0")
    page.keyboard.press("Enter")
    played.verdict("✓")
    go_to(first("assume"))
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    played.verdict("✓")
    go_to(first("constant"))
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    played.verdict("One hundredth more is false")
    go_to(first("break"))
    for weight in first("break")["answer"]:
        if not weight:
            page.keyboard.press("ArrowLeft")
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    played.verdict("✓")
    played.fits()
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_timeout(300)
    assert page.evaluate(LOOK, ["color-contrast"]) == []
    assert played.wrong == []


@browser
@pytest.mark.book
def test_buttons_write_a_statement_and_errors_hints_and_strangers_are_told(play: Any) -> None:
    played = play("#level-pair", **PHONE)
    page, here = played.page, played.here
    assert here.get_attribute("id") == "level-zero", "a level that is not reached stays closed"
    for key in ("H", "X", ">="):
        here.locator(f".rb-key[data-key='{key}']").tap()
    field = here.locator("input[type=text]")
    assert field.input_value() == "H(X) >= "
    field.evaluate("e => { e.focus(); e.setSelectionRange(99, 99) }")
    page.keyboard.type("0")
    expect(here.locator(".rb-read")).to_contain_text("Understood")
    field.fill("H(X) >= H(X")
    here.get_by_role("button", name="Check").tap()
    expect(here.locator(".rb-try-wrong")).to_contain_text("Unbalanced '('")
    for text, said in (
        ("H(Q) >= 0", "What is Q?"),
        ("H(X) = H(X)", "says nothing"),
        ("2 H(X) >= 0", "That is it"),
        ("0 <= 3 H(X)", "That is it"),
    ):
        field.fill(text)
        here.get_by_role("button", name="Check").tap()
        expect(here.locator(".rb-told")).to_contain_text(said, timeout=20_000)
    for i in range(len(LEVELS[0]["hints"])):
        here.get_by_role("button", name=re.compile("^Hint")).tap()
        expect(here.locator(".rb-hints li")).to_have_count(i + 1)
    assert played.wrong == []


@browser
@pytest.mark.book
def test_the_same_seed_gives_the_same_questions_with_a_proof_or_a_counterexample(play: Any) -> None:
    asked = []
    for guess in ("True", "False"):
        played = play("?seed=7")
        page, quiz = played.page, played.page.locator("#rb-quiz")
        assert quiz.get_by_label("Seed").input_value() == "7"
        quiz.get_by_role("button", name="Begin").click()
        questions, right = [], 0
        for i in range(4):
            expect(quiz.locator(".rb-asked")).to_contain_text(f"Question {i + 1}", timeout=20_000)
            questions.append(quiz.locator(".rb-question").evaluate("e => e.textContent"))
            page.keyboard.press("Tab") if guess == "False" else None
            page.keyboard.press("Enter")
            told = quiz.locator(".rb-told")
            expect(told).to_contain_text(re.compile("It is (true|false)."))
            right += "Right" in told.inner_text()
            if "It is true" in told.inner_text():
                told.get_by_text("Show the proof").click()
                expect(told).to_contain_text("Checked by the independent verifier")
            else:
                expect(told.locator("table")).to_be_visible()
            expect(quiz.locator(".rb-score")).to_contain_text(f"{right} of {i + 1} right")
            told.get_by_role("button", name="Next question").click()
        asked.append((questions, right))
        assert played.wrong == []
    (first_questions, trues), (second_questions, falses) = asked
    assert first_questions == second_questions and len({*first_questions}) == 4 and trues + falses == 4


@browser
@pytest.mark.book
def test_without_scripts_the_levels_are_exercises_and_no_answer_shows(chromium: Browser, built_book: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((built_book / "game.html").as_uri())
    assert page.locator(".rb-level").count() == len(LEVELS)
    assert page.locator(".rb-level:visible").count() == len(LEVELS)
    assert page.locator(".rb-reply:visible, .rb-hint-text:visible").count() == 0
    assert page.locator(".rb-level-motive a").count() >= len(LEVELS)
    context.close()
