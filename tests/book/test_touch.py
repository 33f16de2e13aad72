"""Figures that a reader moves: they start as the book has it, react to keys, and judge sentences again."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from rbcore.book.agree import tolerance
from rbcore.book.browser import served
from rbcore.book.execute import ROOT, notebooks
from rbcore.book.ledger import Value
from rbcore.information import Joint
from rbcore.theory import bottleneck, bound, contraction, divergence, ggmi, process
from rbcore.theory.generalization import gibbs
from rbcore.theory.posttrain import expected_excess

pytestmark = pytest.mark.book
MOVED = [
    path.stem
    for path in notebooks(ROOT)
    if re.search(r"^```\{touch\}", path.read_text(encoding="utf8"), re.MULTILINE)
]
FRAME = "figure.rb-touch"
SETTINGS = """() => {
    const frame = document.querySelector("figure.rb-touch"), failed = new Set(), nonsense = [];
    const look = (name) => {
        const made = frame.querySelector(".rb-stage").innerHTML + frame.innerText;
        if (/NaN|undefined|Infinity/.test(made)) nonsense.push(name);
        for (const one of frame.querySelectorAll("[data-claim]:has(.rb-fails.rb-here)")) {
            failed.add(one.dataset.claim);
        }
    };
    for (const input of frame.querySelectorAll("input, select")) {
        const before = input.value, last = input.options ? input.options.length - 1 : Number(input.max);
        for (let at = 0; at <= last; at++) {
            input.value = String(at);
            input.dispatchEvent(new Event("input"));
            look(`${input.id} ${at}`);
        }
        input.value = before;
        input.dispatchEvent(new Event("input"));
    }
    return {failed: [...failed], nonsense};
}"""

AWAY = """e => e.options ? (e.selectedIndex > 0 ? "ArrowUp" : "ArrowDown")
    : (Number(e.value) > 0 ? "ArrowLeft" : "ArrowRight")"""


@pytest.fixture(scope="module")
def server(built_book: Path) -> Iterator[str]:
    with served(built_book) as address:
        yield address


@pytest.fixture(scope="module", params=MOVED)
def page(chromium: Browser, server: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The chapter on a phone, with the folds around its figure open."""
    opened = chromium.new_page(viewport={"width": 390, "height": 800})
    opened.route("**/mathjax.js*", lambda route: route.abort())  # formulas are not what is tried here
    opened.goto(f"{server}/chapters/{request.param}.html")
    opened.evaluate("document.querySelectorAll('details:has(.rb-touch)').forEach((one) => (one.open = true))")
    opened.locator(FRAME).scroll_into_view_if_needed()
    yield opened
    opened.close()


def shown(page: Page) -> dict[str, Any]:
    """What the figure's own module finds for the figure's present setting."""
    return page.evaluate("""async () => {
        const frame = document.querySelector("figure.rb-touch");
        const {figure} = await import(`/_static/touch/${frame.dataset.touch}.js`);
        const data = JSON.parse(frame.querySelector("script").textContent);
        const setting = Object.fromEntries(figure.controls(data).map((one) => [one.name, one.start]));
        return figure.show(setting, data);
    }""")


def test_it_starts_with_what_the_book_recorded_and_its_sentences_hold(built_book: Path, page: Page) -> None:
    ledger = json.loads((built_book.parent / "source" / "_ledger.json").read_text(encoding="utf8"))
    recorded = {one["name"]: Value(**one) for one in ledger["values"]}
    found = shown(page)
    assert found["values"]
    for name, value in found["values"].items():
        near = tolerance(recorded[name]) + 1e-9
        assert value == pytest.approx(float(recorded[name].value), rel=1e-6, abs=near), name
    verdicts = page.locator(f"{FRAME} .rb-here").all_inner_texts()
    assert verdicts and all(one.startswith("holds here: ") for one in verdicts), verdicts
    assert len(verdicts) == len(found["claims"])


def test_keys_move_it_and_the_button_brings_it_back(page: Page) -> None:
    frame = page.locator(FRAME)
    before = frame.locator(".rb-line").inner_text(), frame.locator("svg").inner_html()
    drawn = set()
    for field in frame.locator("input, select").all():
        name = field.get_attribute("id")
        assert frame.locator(f"label[for='{name}']").inner_text().strip()
        field.focus()
        page.keyboard.press(field.evaluate(AWAY))
        after = frame.locator(".rb-line").inner_text(), frame.locator("svg").inner_html()
        assert after[0] != before[0], name
        drawn.add(after[1])
        frame.locator(".rb-reset").focus()
        page.keyboard.press("Enter")
        assert (frame.locator(".rb-line").inner_text(), frame.locator("svg").inner_html()) == before
    assert drawn - {before[1]}


def test_nothing_sticks_out_on_a_phone(page: Page) -> None:
    frame = page.locator(FRAME)
    box = frame.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
    wide = frame.evaluate(
        "e => [...e.querySelectorAll('*')].filter(o => o.getBoundingClientRect().right > 390).length"
    )
    assert wide == 0 and page.evaluate("document.documentElement.scrollWidth") <= 390


def test_some_sentence_stops_being_true_and_no_setting_makes_nonsense(page: Page) -> None:
    found = page.evaluate(SETTINGS)
    assert found["nonsense"] == []
    assert found["failed"]


def test_without_scripts_the_figure_is_not_there(chromium: Browser, server: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server}/chapters/{MOVED[0]}.html")
    assert not page.locator(FRAME).is_visible() and page.locator("figure img").first.is_visible()
    context.close()


def test_a_page_without_a_moving_figure_loads_none_of_its_scripts(built_book: Path) -> None:
    assert "touch/" not in (built_book / "notation.html").read_text(encoding="utf8")


@pytest.fixture(scope="module")
def computed(chromium: Browser, server: str) -> Iterator[Any]:
    """Call a function of a module with a chapter's data."""
    page = chromium.new_page()

    def call(name: str, function: str, settings: list[Any]) -> Any:
        chapter = next(one for one in MOVED if one.startswith(name))
        page.goto(f"{server}/chapters/{chapter}.html", wait_until="commit")
        page.wait_for_selector(FRAME, state="attached")
        return page.evaluate(
            """async ([name, called, settings]) => {
                const module = await import(`/_static/touch/${name}.js`);
                const data = JSON.parse(document.querySelector("figure.rb-touch script").textContent);
                return settings.map((one) => module[called](one, data));
            }""",
            [name, function, settings],
        )

    yield call
    page.close()


def test_the_account_of_the_flow_is_that_of_the_exact_tables(computed: Any) -> None:
    settings = [
        {"strictness": b, "noise": e, "learning": rate}
        for b in (0, 0.5, 2, 8)
        for e in (0, 0.2, 0.6)
        for rate in (0, 6, 32)
    ]
    names = {
        "gain": "H(X|hp)", "answer": "H(X)", "flow": "I(G;W)", "task": "I(e_p;W)", "model": "I(e_M;W)",
        "dependence": "I(e_p;e_M|W)", "curation": "I(eps;W|e_p,e_M)",
        "bound": "-H(X|hp) + I(e_M;W) + I(e_p;W) + H(e_M) + I(eps;W|X) + I(e_p;e_M|W) - I(e_p;e_M)",
    }  # fmt: skip
    for setting, found in zip(settings, computed("05", "account", settings), strict=True):
        joint = bottleneck.factored(process.World(**setting))
        exact = {name: joint.evaluate(text) / np.log(2) for name, text in names.items()}
        assert {name: found[name] for name in names} == pytest.approx(exact, abs=1e-9)
        for stage, variable in {"answer": "X", "data": "G", "parameters": "W"}.items():
            parts = [f"I({variable};e_p)", f"I({variable};e_M|e_p)", f"I({variable};eps|e_p,e_M)"]
            expected = [joint.evaluate(text) / np.log(2) for text in parts]
            assert found["stages"][stage] == pytest.approx(expected, abs=1e-9)


def test_the_weather_is_that_of_the_exact_tables(computed: Any) -> None:
    settings = [{"rain": p, "caught": c, "look": k} for p in (0.1, 0.3) for c in (0, 0.8, 1) for k in (0, 0.4, 1)]
    takes = np.array([0.05, 0.7])
    for setting, found in zip(settings, computed("A", "day", settings), strict=True):
        forecast = np.array([[0.9, 0.1], [1 - setting["caught"], setting["caught"]]])
        rains = np.array([1 - setting["rain"], setting["rain"]])
        umbrella = (1 - setting["look"]) * takes + setting["look"] * takes[:, None]  # (rain, forecast)
        law = (rains[:, None] * forecast)[..., None] * np.stack([1 - umbrella, umbrella], axis=-1)
        joint = Joint(["R", "F", "U"], law)
        names = {
            "rain": "H(R)",
            "forecast": "I(R;F)",
            "umbrella": "I(R;U)",
            "beyond": "I(R;U|F)",
            "open": "H(F|R)",
        }
        exact = {name: joint.evaluate(text) / np.log(2) for name, text in names.items()}
        assert found == pytest.approx(exact, abs=1e-9), setting


def test_the_learner_behind_layers_is_that_of_the_exact_tables(computed: Any) -> None:
    settings = [{"depth": d, "rate": r, "learning": s} for d in (0, 3, 12) for r in (0, 0.3, 1) for s in (0, 6)]
    loss, task = process.loss(), process.World().task
    axes = [np.expand_dims(loss, [a for a in range(4) if a != i]) for i in range(4)]
    for setting, found in zip(settings, computed("04", "behind", settings), strict=True):
        weight = np.exp(-setting["learning"] * sum(axes))
        joint = contraction.samples(task, weight / weight.sum(axis=-1, keepdims=True), 4)
        layers = [contraction.forget(8, setting["rate"])] * setting["depth"]
        exact = contraction.behind_layers(joint, loss, layers)
        names = {
            "risk": "risk",
            "training": "training",
            "sharp": "sharp_bound",
            "whole": "tv_bound",
            "kl": "kl_bound",
        }
        for name, field in names.items():
            assert found[name] == pytest.approx(float(getattr(exact, field)), abs=1e-7), (setting, name)


def test_the_terms_of_the_post_training_bound_are_those_of_the_exact_tables(computed: Any) -> None:
    settings = [
        {"strictness": b, "readings": n, "learning": rate, "noise": e}
        for b in (0, 2, 16)
        for n in (1, 5)
        for rate in (1, 100)
        for e in (0, 0.4)
    ]
    for setting, found in zip(settings, computed("06", "assemble", settings), strict=True):
        world = process.World(strictness=setting["strictness"], noise=setting["noise"])
        answers = process.generator(world).T
        data = divergence.convolve(answers, process.curation(world))
        learner = gibbs(process.loss(), setting["learning"])
        exact = bound.assemble(
            world.task, process.prompt_pmf(world), answers, data, process.loss(), learner, setting["readings"]
        )
        for name in ("task", "generation", "sampling", "total", "shortest", "gap", "risk", "information"):
            assert found[name] == pytest.approx(float(getattr(exact, name)), abs=1e-7), (setting, name)


def test_divergences_and_worlds_of_the_region_are_those_of_the_core(computed: Any) -> None:
    task, readings = np.asarray(process.World().task), 50
    settings = [
        {"strictness": b, "kind": kind, "noise": e, "readings": readings}
        for b in (0, 2, 16)
        for kind in ("none", "noise", "verifier")
        for e in (0.1, 0.6)
    ]
    for setting, found in zip(settings, computed("02", "divergences", settings), strict=True):
        world = process.World(strictness=setting["strictness"], noise=setting["noise"])
        prompt, answers = process.prompt_pmf(world), process.generator(world).T
        data = {
            "none": answers,
            "noise": divergence.convolve(answers, process.curation(world)),
            "verifier": divergence.verified(answers, task > 0),
        }[setting["kind"]]
        model, generated = answers @ prompt, data @ prompt
        assert found["sum"] == pytest.approx(float(divergence.additive_bound(task, model, generated)), abs=1e-9)
        excess = expected_excess(task, prompt, data, readings)
        assert found["excess"] == pytest.approx(float(excess), abs=1e-9)
    shares = [{"alpha": a, "share": t} for a, t in ((0.5, 1.0), (1.0, 1.0), (1.0, 0.3), (0.8, 0.4))]
    for setting, found in zip(shares, computed("07", "world", shares), strict=True):
        joint = ggmi.edge_worlds([setting["alpha"]], [setting["share"]])
        exact = joint.evaluate("I(S;W') - I(G;W)") / joint.H("S")
        assert found["ggmi"] == pytest.approx(float(exact[0]), abs=1e-6)


def test_two_bits_and_the_stages_of_the_process_are_those_of_the_core(computed: Any) -> None:
    tries = [[5, 0, 0, 5], [1, 2, 3, 4], [0, 7, 1, 0]]
    two = computed("03", "bits", [{"weights": one} for one in tries])
    for weights, found in zip(tries, two, strict=True):
        law = np.array(weights).reshape(2, 2) / sum(weights)
        joint = Joint(["Z", "W"], law)
        assert found["information"] == pytest.approx(float(joint.I("Z", "W")), abs=1e-9)
        apart = law.sum(axis=1)[:, None] * law.sum(axis=0)
        assert found["gap"] == pytest.approx(apart[0, 1] + apart[1, 0] - law[0, 1] - law[1, 0], abs=1e-9)
    settings = [
        {"strictness": b, "noise": e, "learning": rate} for b in (0, 2, 16) for e in (0, 0.5) for rate in (0, 6)
    ]
    for setting, found in zip(settings, computed("01", "stages", settings), strict=True):
        joint = process.chain(process.World(**setting))
        for name, stage in {"prompt": "P", "answer": "X", "data": "G", "parameters": "W"}.items():
            assert found[name] == pytest.approx(float(joint.I("S", stage, units="bits")), abs=1e-9)
