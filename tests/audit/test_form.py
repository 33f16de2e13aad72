"""Length, endings, scripts, languages, openings, phrases: planted ones are found, real halves are not accused."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from real_texts import descriptions, docstrings, functions, halves, prepared

from rbcore.audit import writing
from rbcore.audit.questions import form
from rbcore.audit.questions.verdict import Outcome
from rbcore.audit.read.records import Records

QUESTIONS = (form.length, form.endings, form.script, form.language, form.boilerplate, form.openings)
# Two sentences of each of twelve scripts and more, with the language.
SENTENCES = {
    "LATIN": ("The old house by the river was sold last year. Nobody in the village knew who bought it.", "en"),
    "CYRILLIC": ("Старый дом у реки продали в прошлом году. Никто в деревне не знал, кто его купил.", "ru"),
    "GREEK": ("Το παλιό σπίτι δίπλα στο ποτάμι πουλήθηκε πέρυσι. Κανείς δεν ήξερε ποιος το αγόρασε.", "el"),
    "ARABIC": ("بيع البيت القديم بجانب النهر في العام الماضي. لم يعرف أحد في القرية من اشتراه؟", "ar"),
    "HEBREW": ("הבית הישן ליד הנהר נמכר בשנה שעברה. איש בכפר לא ידע מי קנה אותו.", "he"),
    "DEVANAGARI": ("नदी के किनारे का पुराना घर पिछले साल बिक गया। गाँव में किसी को नहीं पता था कि किसने खरीदा।", "hi"),
    "BENGALI": ("নদীর ধারের পুরনো বাড়িটি গত বছর বিক্রি হয়ে গেছে। গ্রামের কেউ জানত না কে কিনেছে।", "bn"),
    "TAMIL": ("ஆற்றங்கரையில் இருந்த பழைய வீடு கடந்த ஆண்டு விற்கப்பட்டது. யார் வாங்கினார்கள் என்று தெரியாது.", "ta"),
    "CJK": ("河边的老房子去年卖掉了。村里没有人知道是谁买的。", "zh"),
    "JAPANESE": ("川のそばの古い家は去年売られました。村の誰も買った人を知りませんでした。", "ja"),
    "HANGUL": ("강가의 오래된 집은 작년에 팔렸습니다. 마을 사람들은 아무도 누가 샀는지 몰랐습니다.", "ko"),
    "ARMENIAN": ("Գետի մոտ գտնվող հին տունը վաճառվել է անցյալ տարի։ Գյուղում ոչ ոք չգիտեր, թե ով է գնել։", "hy"),
    "GEORGIAN": ("მდინარესთან მდებარე ძველი სახლი შარშან გაიყიდა. სოფელში არავინ იცოდა, ვინ იყიდა.", "ka"),
    "ETHIOPIC": ("በወንዙ አጠገብ ያለው አሮጌ ቤት ባለፈው ዓመት ተሸጠ። በመንደሩ ውስጥ ማን እንደገዛው ማንም አያውቅም።", "am"),
    "MYANMAR": ("မြစ်ဘေးက အိမ်ဟောင်းကို မနှစ်က ရောင်းလိုက်တယ်။ ရွာထဲက ဘယ်သူမှ မသိဘူး။", "my"),
}  # fmt: skip


def flagged(data, rng) -> dict[str, Outcome]:
    found = {one.finding.id: one for one in (ask(data, rng) for ask in QUESTIONS)}
    return {id: one for id, one in found.items() if one.finding.verdict == "flagged"}


def spoiled(change, texts=docstrings, seed=0) -> tuple[dict[str, Outcome], np.ndarray]:
    """What is flagged when `change(i, text)` is done to one half of real texts; and which records changed."""
    rng = np.random.default_rng(seed)
    anchors, fresh = halves(texts(), rng)
    made = [change(i, text) for i, text in enumerate(fresh)]
    found = flagged(prepared(rng, ANCHOR=anchors, SYNTH=made), rng)
    return found, np.array([a != b for a, b in zip(made, fresh, strict=True)])


def cut(text: str, share: float) -> str:
    return text[: max(5, int(share * len(text)))]


# --- endings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SENTENCES)
def test_sentences_end_in_every_script(script):
    text = SENTENCES[script][0]
    assert writing.ends(text)
    assert writing.ends(f"{text}\n") and writing.ends(f"“{text}”") and writing.ends(f"«{text}»")
    assert writing.ends(f"**{text}**") and writing.ends(f"({text})")
    assert not writing.ends(text[:-3])


@pytest.mark.parametrize("text", [
    "Wait...", "Wait…", "「はい。」", "He said (and meant it!).", "f(x)", "a = [1, 2]",
    "```python\nx = 1\n```",
    "return x;", "<p>text</p>", "so it is $x^2$", "fine 😊", "", "   ", "See [1].", 'He said: "Go!"',
])  # fmt: skip
def test_ends(text):
    assert writing.ends(text)


@pytest.mark.parametrize("text", [
    "The reasons are:", "and then, she", "f(x, g(y)", "```python\nx = 1", "```\nx.\n```\nThen ```\ny.",
    "x <- y >", "one, two,", "a [b", "list of items -",
])  # fmt: skip
def test_does_not_end(text):
    assert not writing.ends(text)


@given(st.text(max_size=60), st.sampled_from(".!?。।؟።"), st.text(alphabet="\"')]}”’»“*_ \n", max_size=5))
@settings(max_examples=150, deadline=None)
def test_what_may_follow_a_sentence_changes_nothing(text, sign, after):
    if text.count("```") % 2 == 0:
        assert writing.ends(text + sign + after)


# --- scripts and languages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SENTENCES)
def test_scripts_and_languages_are_told(script):
    text, language = SENTENCES[script]
    assert writing.script(text) == script
    assert writing.languages([text])[0] == language


@given(st.text(alphabet=st.characters(exclude_categories=["L"]), max_size=80))
@example("3 + 4 = 7")
@settings(max_examples=100, deadline=None)
def test_texts_without_letters_have_neither(text):
    assert writing.script(text) == "" and writing.languages([text])[0] == ""


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_text_has_a_form(text):
    assert isinstance(writing.ends(text), bool) and isinstance(writing.phrase(text), str)
    assert (writing.script(text) == "") == (not any(writing._script(c) for c in text))


@pytest.mark.slow
@pytest.mark.parametrize("script", [one for one in SENTENCES if one != "LATIN"])
def test_records_in_another_script_are_found_and_named(script):
    rng, text = np.random.default_rng(5), SENTENCES[script][0]
    units = text.split() if len(text.split()) > 9 else list(text)  # in any order: no copies

    def change(i, text):
        return (" " if len(units) < 40 else "").join(rng.permutation(units)) if i % 5 == 0 else text

    found, changed = spoiled(change)
    assert "script" in found or "language" in found
    for id in {"script", "language"} & found.keys():
        named = found[id].named.hits
        assert (named & changed).sum() >= 0.9 * max(named.sum(), 40)


def test_many_languages_of_few_records_each_are_named():
    rng, foreign = np.random.default_rng(6), [one for one in SENTENCES if one != "LATIN"]

    def change(i, text):
        units = SENTENCES[foreign[i % len(foreign)]][0].split()
        return f"{' '.join(rng.permutation(units))} {i}." if i % 4 == 0 else text

    found, changed = spoiled(change)
    assert "script" in found or "language" in found
    named = np.logical_or.reduce([found[id].named.hits for id in {"script", "language"} & found.keys()])
    assert named[changed].mean() > 0.8 and not named[~changed].any()


# --- phrases ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "As an AI language model, I cannot say.", "I’m sorry, but I can't assist with that.",  "Certainly! It is.",
    "Sure, here is the list:", "> **Certainly!** It is.", "It is so. I hope this helps!", "Of course! Let me see.",
    "Als KI-Sprachmodell kann ich das nicht.", "En tant qu'intelligence artificielle, je ne sais pas.",
    "Lo siento, pero no puedo ayudar con eso.", "Come modello linguistico non posso.", "Com certeza! Vamos lá.",
    "Natuurlijk! Hier is het.", "Jako model językowy nie mogę.", "Как языковая модель, я не могу.",
    "作为一个人工智能语言模型，我不能。", "很抱歉，但我无法回答。", "もちろんです！以下の通りです。",
    "AI言語モデルとして、", "물론입니다! 여기 있습니다.", "بالتأكيد! إليك القائمة", "Üzgünüm, ama yapamam.",
    "Xin lỗi, nhưng tôi không thể làm.",
    "Maaf, saya tidak bisa membantu.", "एआई भाषा मॉडल के रूप में मैं", "Звичайно! Ось список.",
])  # fmt: skip
def test_phrases_of_assistants(text):
    assert writing.phrase(text)


@pytest.mark.parametrize("text", [
    "It is certainly! true", "The language model was trained on text.", "He said: of course, dear.",
    "Sure as fate.", "I cannot help loving you.", "Sorry, we are closed.",
    "I hope this helps, and so on and on. " + "x " * 300,
])  # fmt: skip
def test_no_phrases_of_assistants(text):
    assert not writing.phrase(text)


# --- questions -------------------------------------------------------------------------------------------------


def test_answers_that_are_cut_are_found_and_named():
    found, changed = spoiled(lambda i, text: cut(text, 0.4))
    assert {"length", "endings"} <= found.keys()
    assert (found["endings"].named.hits & changed).sum() > 200
    found, _ = spoiled(lambda i, text: cut(text, 0.4) if i % 2 else text)
    assert "endings" in found
    assert "shorter" in found["length"].finding.sentence if "length" in found else True


def test_single_answers_are_not_named_for_an_ending_that_is_usual():
    found, _ = spoiled(
        lambda i, text: text.rstrip(").]}:;") + " and then", lambda: [t.rstrip(".") for t in docstrings()]
    )
    assert "endings" in found and found["endings"].named is None and found["endings"].finding.examples


def test_answers_that_are_too_long_are_found():
    others = iter(descriptions() * 9)
    found, _ = spoiled(lambda i, text: " ".join([text, next(others), next(others)]))
    assert "length" in found and "longer" in found["length"].finding.sentence
    hits = found["length"].named.hits
    assert 0.01 < hits.mean() < 0.5 and found["length"].named.scores[hits].min() > 1  # beyond the task's range


def test_phrases_are_found_and_named():
    def change(i, text):
        return f"Certainly! {text} As an AI language model, I cannot say more." if i % 5 == 0 else text

    found, changed = spoiled(change)
    assert {"boilerplate", "openings"} <= found.keys()
    np.testing.assert_array_equal(found["boilerplate"].named.hits, changed)
    assert found["openings"].named.hits[changed].all()


def test_refusals_that_are_all_the_same_are_found():
    found, changed = spoiled(lambda i, text: "I'm sorry, but I can't assist with that." if i % 8 == 0 else text)
    np.testing.assert_array_equal(found["boilerplate"].named.hits, changed)


def test_an_opening_that_nobody_listed_is_found():
    found, changed = spoiled(lambda i, text: f"Let us think about it calmly: {text}" if i % 4 == 0 else text)
    assert set(found) == {"openings"}
    np.testing.assert_array_equal(found["openings"].named.hits, changed)


def test_the_opening_with_the_most_evidence_comes_first_and_what_it_explains_does_not_come():
    usual, part = (0, "let", "us"), (1, "so", "it", "is")
    assert form._proposed([[usual]] * 40 + [[usual, part]] * 20, [[]] * 60) == {usual}


@pytest.mark.slow
@pytest.mark.parametrize("texts", [functions, docstrings])
def test_halves_of_real_text_are_not_accused(texts):
    """Each question errs once in a thousand sides, so two of six times ten are next to impossible."""
    wrong = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        anchors, synth = halves(texts(), rng)
        wrong += len(flagged(prepared(rng, ANCHOR=anchors, SYNTH=synth), rng))
    assert wrong <= 1


def test_shorter_texts_are_not_taken_for_another_language():
    found, _ = spoiled(lambda i, text: cut(text, 0.4))
    assert not {"script", "language", "boilerplate"} & found.keys()


def test_answers_are_compared_where_both_sides_tell_them():
    rng = np.random.default_rng(3)
    anchors, synth = halves(docstrings(), rng)
    asked = ["Explain the following function to me, please, in a few words, and then stop:"] * 250
    whole = {
        name: [f"{a} {b}" for a, b in zip(asked, one, strict=True)]
        for name, one in (("ANCHOR", anchors), ("SYNTH", synth))
    }
    short = [cut(text, 0.3) for text in synth]
    whole["SYNTH"] = [f"{a} {b} {c}" for a, b, c in zip(asked, short, asked, strict=True)]
    parts = {"ANCHOR": {"prompt": asked, "answer": anchors}, "SYNTH": {"prompt": asked, "answer": short}}
    found = flagged(prepared(rng, parts, **whole), rng)
    assert "length" in found and "answer" in found["length"].finding.sentence
    assert "endings" in found


def test_vectors_have_no_form():
    rng = np.random.default_rng(0)
    data = prepared(rng, ANCHOR=docstrings()[:50], SYNTH=docstrings()[50:100])
    x = rng.normal(size=(50, 3))
    vectors = {name: Records(name, "test", 50, x) for name in ("ANCHOR", "SYNTH")}
    for ask in QUESTIONS:
        found = ask(type(data)(vectors, {}, data.families, data.copies, data.fitted, data.fresh, {}), rng).finding
        assert found.verdict == "not checked" and "vectors" in found.sentence


def test_cuts_are_not_looked_for_where_the_task_has_no_sentences():
    texts = [f"a title of few words {i}" for i in range(200)]
    rng = np.random.default_rng(0)
    found = form.endings(prepared(rng, ANCHOR=texts[:100], SYNTH=texts[100:]), rng).finding
    assert found.verdict == "not checked" and "100.0 % of the records of the task end without" in found.sentence
