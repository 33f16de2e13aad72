"""Proofs in the browser: the verifier, the prover and its page, through a real Chromium."""

import gzip
import hashlib
import json
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from browser import executable
from playwright.sync_api import Browser, Page, expect
from statements import OPEN, PROVED, REFUTED, TEXTBOOK, THEORY

from rbcore.book.browser import served
from rbcore.book.execute import ROOT
from rbcore.information.forms import LinearForm
from rbcore.information.problem import Problem
from rbcore.information.prover import Certificate, prove
from rbcore.information.refute import Counterexample

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium is installed")
WEB = ROOT / "book" / "_web"
ASK = """async (questions) => {
    const { prove } = await import("/prove/prove.js");
    const answers = [];
    for (const [statement, given] of questions) answers.push(await prove(statement, given, { seconds: 0.6 }));
    return answers;
}"""
VERIFY = """async (certificates) => {
    const { verify } = await import("/prove/verify.js");
    return certificates.map((one) => verify(one));
}"""
READ = """async (texts) => {
    const { parse } = await import("/prove/expr.js");
    return texts.map((text) => {
        try { parse(text); return null; } catch (error) { return [error.message, error.position]; }
    });
}"""


@pytest.fixture(scope="module")
def scripts(chromium: Browser) -> Iterator[Page]:
    """An empty page beside the scripts, which need no built book."""
    with served(WEB) as address:
        page = chromium.new_page()
        page.goto(f"{address}/")
        yield page
        page.close()


def changed(certificate: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The certificate with one multiplier changed, for each of them."""
    for i, steps in enumerate(certificate["proofs"]):
        for j, step in enumerate(steps):
            proofs = json.loads(json.dumps(certificate["proofs"]))
            proofs[i][j][1] = str(Fraction(step[1]) + Fraction(1, 7))
            yield certificate | {"proofs": proofs}


def accepted_and_changed_rejected(page: Page, certificates: list[dict[str, Any]]) -> None:
    verdicts = page.evaluate(VERIFY, certificates)
    assert [v["message"] for v in verdicts if not v["accepted"]] == []
    broken = [{**one, "chains": []} for certificate in certificates for one in changed(certificate)]
    assert len(broken) > 100
    assert not any(v["accepted"] for v in page.evaluate(VERIFY, broken))


@pytest.mark.slow
def test_the_verifier_accepts_what_rbcore_proves_and_nothing_else(scripts: Page) -> None:
    asked = [(s, g, ()) for s, g in (*TEXTBOOK.values(), *THEORY.values())]
    asked += [one for one in PROVED if one[2]]  # by the copy lemma
    asked += [("I(A;B) <= log|A|", (), ()), ("H(A) <= 2 log 2 + log 3", ("log|A| <= log 12",), ())]
    accepted_and_changed_rejected(scripts, [prove(s, g, False, None, c).payload() for s, g, c in asked])


def test_the_verifier_takes_nothing_on_trust(scripts: Page) -> None:
    """False steps, wrong signs, assumptions of others, copies of taken names, proofs of a part."""
    good = {"statement": "H(A) >= H(B)", "given": ["H(B|A) = 0"]}
    wrong: list[dict[str, Any]] = [
        {"proofs": [[["H(A) - H(B) >= 0", "1", "Shannon"]]]},
        {"proofs": [[["H(A) - H(B) = 0", "1", "H(A) = H(B)"]]]},
        {"proofs": [[["I(A;B;C) >= 0", "1", "Shannon"]]]},
        {"proofs": [[["H(B|A) >= 0", "-1", "Shannon"], ["H(A|B) >= 0", "1", "Shannon"]]]},
        {"proofs": []},
        {"proofs": [[["H(A|B) >= 0", "1", "Shannon"]]]},
        {"proofs": [[["H(A|B) >= 0", "1", "Shannon"], ["H(B|A) = 0", "-1/0", "H(B|A) = 0"]]]},
        {
            "proofs": [[["H(A|B) >= 0", "1", "Shannon"], ["H(B|A) = 0", "-1", "H(B|A) = 0"]]],
            "copies": ["A ~ B | A"],
        },
    ]
    right = {"proofs": [[["H(A|B) >= 0", "1", "Shannon"], ["H(B|A) = 0", "-1", "H(B|A) = 0"]]]}
    first, *others = scripts.evaluate(VERIFY, [good | one for one in (right, *wrong)])
    assert first["accepted"]
    assert "1 basic inequality, 1 assumption, 3 joint entropies" in first["message"]
    assert not any(one["accepted"] for one in others)


def sample(rng: random.Random, names: str, most: int = 2) -> str:
    return ",".join(sorted(rng.sample(names, rng.randint(1, min(most, len(names))))))


def measure(rng: random.Random, names: str) -> str:
    given = rng.choice(["", "|" + sample(rng, names)])
    if rng.random() < 0.4:
        return f"H({sample(rng, names)}{given})"
    return f"I({sample(rng, names)};{sample(rng, names)}{given})"


def assumption(rng: random.Random, names: str) -> str:
    a, b, c = rng.sample(names, 3) if len(names) > 2 else (*names, names[0])
    kinds = [f"H({a}|{b},{c}) = 0", f"H({a}|{b}) = 0", f"I({a};{b}) = 0", f"H({a}) <= 1/2 H({b})"]
    return rng.choice([*kinds, f"{a} -> {b} -> {c}"] if len({a, b, c}) == 3 else kinds)


def questions(count: int, seed: int = 18) -> list[tuple[str, list[str]]]:
    """Statements over two to six variables: comparisons of measures, sums that are true, and these but worse."""
    rng, found = random.Random(seed), []
    while len(found) < count:
        names = "ABCDEF"[: rng.randint(2, 6)]
        given = [assumption(rng, names) for _ in range(rng.choice([0, 0, 1, 2, 3]))]
        kind = rng.randrange(3)
        if kind == 0:
            left, right = (" + ".join(measure(rng, names) for _ in range(rng.randint(1, 2))) for _ in range(2))
            found.append((f"{left} {rng.choice(['<=', '<=', '>=', '='])} {right}", given))
            continue
        form = LinearForm()
        for _ in range(rng.randint(1, 4)):
            ((c, *_),) = [Problem.read(f"{measure(rng, names)} >= 0").statement.constraints]
            form += Fraction(rng.randint(1, 3), rng.choice([1, 1, 2, 3])) * c.form
        for text in given:
            for c in Problem.read(text).statement.constraints:
                form += Fraction(rng.choice([-1, 1, 2]) if c.relation == "=" else 1, rng.choice([1, 2])) * c.form
        worse = f"1/{rng.choice([3, 10])} H({sample(rng, names)})" if kind == 2 else "0"
        if form.coefficients:
            found.append((f"{form} >= {worse}", given))
    return found


def compared(page: Page, asked: list[tuple[str, list[str]]]) -> dict[str, int]:
    """How often each verdict was given; each agrees with rbcore, and passes its checks."""
    counts = {"proved": 0, "false": 0, "open": 0}
    for (statement, given), answer in zip(asked, page.evaluate(ASK, asked), strict=True):
        ours = prove(statement, given, search=False)
        counts[answer["verdict"]] += 1
        assert isinstance(ours, Certificate) == (answer["verdict"] == "proved"), (statement, given)
        if answer["verdict"] == "proved":
            assert Certificate.from_json(json.dumps(answer["certificate"])).verify()
        elif answer["verdict"] == "false":
            assert Counterexample.from_json(json.dumps(answer["counterexample"])).check()
        else:
            assert answer["polymatroid"]
    return counts


@pytest.mark.slow
def test_the_page_agrees_with_rbcore_on_three_hundred_statements(scripts: Page) -> None:
    counts = compared(scripts, questions(300))
    assert min(counts["proved"], counts["false"]) > 80
    assert counts["open"] <= 6


@pytest.mark.slow
def test_the_page_agrees_with_rbcore_on_listed_statements(scripts: Page) -> None:
    listed = [*TEXTBOOK.values(), *THEORY.values(), *((s, g) for s, g, c in PROVED if not c)]
    listed += [(s, g) for s, g, _ in REFUTED] + [(s, g) for s, g, _ in OPEN]
    small = [(s, [*g]) for s, g in listed if len(Problem.read(s, g).variables) <= 8]
    assert compared(scripts, small)["open"] == len(OPEN)


def test_six_variables_take_about_a_second(scripts: Page) -> None:
    six = "6 H(A,B,C,D,E,F) <= 6/5 (H(A,B,C,D,E) + H(B,C,D,E,F) + H(A,C,D,E,F) + H(A,B,D,E,F) + H(A,B,C,E,F) + H(A,B,C,D,F))"  # noqa: E501
    answers = scripts.evaluate(ASK, [(six, []), ("I(A;F) <= I(C;D)", ["A -> B -> C -> D -> E -> F"])])
    assert [one["verdict"] for one in answers] == ["proved", "proved"]
    assert max(one["seconds"] for one in answers) < 5  # a second where nothing else runs


BAD = [
    "I(A;B", "H(A,B) < H(A)", "I(A) = 0", "H(A;B) = 0", "A -> B", "A -> B -> A", "H(A) >= 1", "h(A) = 0",
    "H(A) * H(B) = 0", "H(A)/H(B) = 0", "H() = 0", "A -> B -> C = 0", "", "H(A)", "A _|_ B", "H(A) >=",
    "3 >= 2", "H(I) = 0", "H(A) >= H(A)) ", "H(A) = #", "log 0 >= H(A)", "H(A) 2 = 0",
]  # fmt: skip
GOOD = [
    r"I(X_1;Y \mid Z) \leq \tfrac{1}{2} H(\alpha)", "H(A)≤H(A,B)", "A→B→C", "2 H(A) == H(A) + H(A)", "H(W'|W″)>=0",
    "-(H(A) - 2 (H(B))) / 2 <= .5 H(B)", "log(12) >= log|A,B|", "0 <= I(A;B) <= H(A)",
]  # fmt: skip


def test_the_page_reads_the_language_and_says_the_same_of_errors(scripts: Page) -> None:
    from rbcore.information.expr import ExpressionError, parse

    for text, found in zip(BAD, scripts.evaluate(READ, BAD), strict=True):
        with pytest.raises(ExpressionError) as error:
            parse(text)
        assert found == [str(error.value).split("\n")[0], error.value.position], text
    assert scripts.evaluate(READ, GOOD) == [None] * len(GOOD)


def test_the_solver_is_the_published_one() -> None:
    folder = WEB / "lib" / "highs"
    stated = dict(
        line.split()[::-1] for line in re.findall(r"(?m)^[0-9a-f]{64}  .*$", (folder / "README").read_text())
    )
    assert {*stated} == {path.name.removesuffix(".gz") for path in folder.iterdir()} - {"README"}
    for name, digest in stated.items():
        packed = folder / f"{name}.gz"
        content = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest


# --- the built pages ------------------------------------------------------------------------------------------


@pytest.fixture
def pages(chromium: Browser, built_book: Path) -> Iterator[tuple[Page, str]]:
    """A page, and the address of the built pages; a complaint on the console fails."""
    with served(built_book) as address:
        page, wrong = chromium.new_page(), []
        page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        yield page, address
        page.close()
        assert wrong == []


@pytest.mark.book
def test_the_verifier_accepts_each_certificate_of_the_book_and_no_changed_one(
    scripts: Page, built_book: Path
) -> None:
    ledger = json.loads((built_book.parent / "source" / "_ledger.json").read_text(encoding="utf8"))
    accepted_and_changed_rejected(scripts, [one["certificate"] for one in ledger["theorems"].values()])


@pytest.mark.book
@pytest.mark.parametrize("name", ["chapters/05-reverse-bottleneck", "chapters/07-ggmi", "holds"])
def test_every_box_with_a_certificate_has_a_button_that_checks_it(pages: tuple[Page, str], name: str) -> None:
    page, address = pages
    page.goto(f"{address}/{name}.html")
    page.wait_for_selector(".rb-check button", state="attached")
    while page.locator(".rb-more").filter(visible=True).count():
        page.locator(".rb-more").click()
    assert page.locator(".rb-check").count() >= (40 if name == "holds" else 6)
    page.locator(".rb-check button").evaluate_all("all => all.forEach(one => one.click())")
    page.wait_for_function(
        "[...document.querySelectorAll('.rb-check-said')].every(e => e.matches('.rb-check-good'))"
    )
    said = page.locator(".rb-check-said").first
    assert "joint entropies" in (said.text_content() or "")
    assert said.get_attribute("role") == "status"


@pytest.mark.book
def test_a_button_works_by_keyboard_and_from_the_disk(chromium: Browser, built_book: Path) -> None:
    page = chromium.new_page()
    page.goto((built_book / "chapters" / "05-reverse-bottleneck.html").as_uri())
    page.locator("#thm-flow .rb-check button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#thm-flow .rb-check-said")).to_contain_text("the 2 sums are the statement")
    page.close()


@pytest.mark.book
def test_without_scripts_there_is_no_button(chromium: Browser, built_book: Path) -> None:
    page = chromium.new_context(java_script_enabled=False).new_page()
    page.goto((built_book / "chapters" / "05-reverse-bottleneck.html").as_uri())
    assert page.locator(".rb-check").count() > 5
    assert page.locator(".rb-check button").count() == 0
    page.context.close()


@pytest.mark.book
def test_the_form_proves_refutes_says_open_and_marks_errors_by_keyboard(pages: tuple[Page, str]) -> None:
    page, address = pages
    page.goto(f"{address}/try.html")
    statement, answer = page.get_by_label("Statement", exact=True), page.locator(".rb-try-answer")
    for text, said in (
        ("I(A;B) <= H(A)", "Proved"),
        ("I(A;B|C) <= I(A;B)", "by 1 bit"),
        (OPEN[0][0], "No Shannon-type proof exists"),
    ):
        page.get_by_label("Assumptions, one a line").fill("")
        statement.fill(text)
        statement.press("Enter")
        expect(answer).to_contain_text(said, timeout=20_000)
    page.get_by_label("Assumptions, one a line").fill("H(A|B) = 0\nI(A;B")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#rb-try-given-wrong")).to_contain_text("Unbalanced '('")
    assert page.get_by_label("Assumptions, one a line").get_attribute("aria-invalid") == "true"


@pytest.mark.book
def test_a_link_from_a_box_asks_its_question_and_a_search_can_be_cancelled(pages: tuple[Page, str]) -> None:
    page, address = pages
    page.goto(f"{address}/chapters/05-reverse-bottleneck.html")
    target = page.locator("#thm-flow .rb-check-bar a").first.get_attribute("href") or ""
    page.goto(target)
    expect(page.locator(".rb-try-answer")).to_contain_text("Proved", timeout=20_000)
    page.get_by_label("Assumptions, one a line").fill("")
    page.get_by_label("Statement", exact=True).fill(OPEN[0][0])
    page.get_by_role("button", name="Prove or refute").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".rb-try-answer")).to_contain_text("Cancelled")
    page.get_by_role("button", name="Prove or refute").click()
    expect(page.locator(".rb-try-answer")).to_contain_text("Open", timeout=20_000)
