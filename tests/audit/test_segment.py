"""Words in many scripts and in formulas: one changed letter hides no copy, and a sign that matters is seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbcore.audit.copies import between
from rbcore.audit.segment import PLAIN, words

# A sentence of some length in each script, written for this test.
SENTENCES = {
    "Latin": (
        "The ferry leaves the old harbour at seven and reaches the island before the market opens "
        "on the square where fishermen sell what the night has brought"
    ),
    "Latin, Vietnamese": (
        "Con tàu rời bến cảng cũ lúc bảy giờ sáng và đến đảo trước khi chợ mở cửa ở quảng trường "
        "nơi ngư dân bán những gì họ đánh bắt được trong đêm"
    ),
    "Cyrillic": (
        "Паром уходит из старой гавани в семь часов и приходит на остров до того как на площади откроет"
        "ся рынок где рыбаки продают то что принесла ночь"
    ),
    "Greek": (
        "Το πλοίο φεύγει από το παλιό λιμάνι στις επτά και φτάνει στο νησί πριν ανοίξει η αγορά στην "
        "πλατεία όπου οι ψαράδες πουλούν ό,τι έφερε η νύχτα"
    ),
    "Chinese": "渡轮七点离开旧港口，在广场上的市场开门之前到达小岛，渔民们在那里出售夜里捕到的鱼。",
    "Japanese": (
        "フェリーは七時に古い港を出て、広場の市場が開く前に島に着き、漁師たちは夜にとれた魚をそこで売ります。"
    ),
    "Korean": (
        "배는 일곱 시에 오래된 항구를 떠나 광장의 시장이 열리기 전에 섬에 닿고 어부들은 밤새 잡은 "
        "생선을 그곳에서 판다 그리고 아이들은 그 옆에서 하루 종일 논다"
    ),
    "Arabic": (
        "تغادر العبارة الميناء القديم في السابعة وتصل إلى الجزيرة قبل أن يفتح السوق في الساحة حيث "
        "يبيع الصيادون ما جاء به الليل إلى شباكهم"
    ),
    "Hebrew": (
        "המעבורת יוצאת מן הנמל הישן בשבע ומגיעה אל האי לפני שהשוק נפתח בכיכר שבה הדייגים מוכרים את "
        "מה שהביא הלילה אל הרשתות שלהם"
    ),
    "Devanagari": (
        "नाव सात बजे पुराने बंदरगाह से निकलती है और चौक का बाज़ार खुलने से पहले द्वीप पर पहुँचती है "
        "जहाँ मछुआरे रात की पकड़ी मछली बेचते हैं"
    ),
    "Bengali": (
        "নৌকা সাতটায় পুরনো বন্দর ছেড়ে যায় এবং চত্বরের বাজার খোলার আগে দ্বীপে পৌঁছায় যেখানে জেলেরা রাতে "
        "ধরা মাছ বিক্রি করে আর শিশুরা খেলা করে সারা দিন"
    ),
    "Tamil": (
        "படகு ஏழு மணிக்கு பழைய துறைமுகத்தை விட்டு கிளம்பி சதுக்கத்தில் சந்தை திறக்கும் முன் தீவை அடைகிறது அங்கே "
        "மீனவர்கள் இரவில் பிடித்த மீன்களை நாள் முழுவதும் விற்கிறார்கள் பின்பு வீடு திரும்புகிறார்கள்"
    ),
    "Thai": ("เรือข้ามฟากออกจากท่าเรือเก่าตอนเจ็ดโมงและถึงเกาะก่อนที่ตลาดในจัตุรัสจะเปิดซึ่งชาวประมงขายปลาที่จับได้ตอนกลางคืน"),
    "Khmer": "ទូកចេញពីកំពង់ផែចាស់នៅម៉ោងប្រាំពីរហើយទៅដល់កោះមុនពេលផ្សារបើកដែលអ្នកនេសាទលក់ត្រីដែលចាប់បាននៅពេលយប់",
    "Georgian": (
        "ბორანი შვიდ საათზე ტოვებს ძველ ნავსადგურს და კუნძულზე მიდის მანამ სანამ მოედანზე ბაზარი "
        "გაიხსნება სადაც მეთევზეები ღამით დაჭერილ თევზს ყიდიან მთელი დღის განმავლობაში"
    ),
    "Amharic": (
        "ጀልባው በሰባት ሰዓት ከአሮጌው ወደብ ተነስቶ በአደባባዩ ገበያ ከመከፈቱ በፊት ደሴቱ ላይ ይደርሳል በዚያም ዓሣ አጥማጆች በሌሊት የያዙትን "
        "ዓሣ ቀኑን ሙሉ ይሸጣሉ ከዚያም ወደ ቤታቸው ይመለሳሉ"
    ),
    "code": (
        "def area(width, height):\n    if width < 0 or height < 0:\n        raise ValueError('sides "
        "are positive')\n    return width * height if width != height else width ** 2"
    ),
}


@pytest.mark.parametrize("script", SENTENCES)
def test_one_changed_letter_hides_no_copy(script):
    """In the middle of a text, one letter is replaced by another letter of the same text."""
    text = SENTENCES[script]
    letters = [i for i, x in enumerate(text) if x.isalpha()]
    rng = np.random.default_rng(len(text))
    for _ in range(20):
        at, other = rng.choice(letters, 2)
        changed = text[:at] + text[other] + text[at + 1 :]
        assert between([changed], [text]).of[0] == 0, changed


@pytest.mark.parametrize("script", SENTENCES)
def test_other_words_are_no_copy(script):
    """Half of the text, and the words in another order."""
    text = SENTENCES[script]
    half = text[: len(text) // 2]
    found = words(text)
    mixed = " ".join(np.random.default_rng(1).permutation(found))
    assert (between([half, mixed], [text]).of == -1).all()


def test_punctuation_and_case_are_no_difference():
    assert words("“Well-known”,  it's\n(FULL\u00a0ﬁll)!") == ["well", "known", "it", "s", "full", "fill"]
    assert words("Yes, (indeed); no.") == words("yes indeed no")
    assert words("渡轮七点离开，旧港口。") == list("渡轮七点离开旧港口")
    assert words("क्या? हाँ।") == words("क्या हाँ") == ["क्या", "हाँ"]


def test_marks_that_may_be_left_out():
    assert words("كَتَبَ الوَلَدُ") == words("كتب الولد")
    assert words("שָׁלוֹם") == words("שלום")
    assert words("ที่") != words("ทา")  # Thai vowels may not


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is -5 + 3?", "What is 5 + 3?"),
        ("5 < 3", "5 > 3"),
        ("5!", "5"),
        ("1.5", "1,5"),
        ("a != b", "a = b"),
        ("a <= b", "a >= b"),
        ("f'(x)", "f(x)"),
        ("f(x)", "f x"),
        ("7 - 2", "7 2"),
        ("x ** 2", "x * 2"),
        ("50 %", "50 $"),
        ("a & b", "a | b"),
        ("3/4", "3 4"),
        ("10:30", "10 30"),
        ("?!", "..."),
        ("~x", "x"),
        ("x[1]", "x 1"),
    ],
)
def test_signs_that_carry_meaning_are_seen(one, other):
    assert words(one) != words(other)


def test_arithmetic_is_not_full_of_copies():
    """Distinct problems, each of which says something else."""
    rng = np.random.default_rng(3)
    problems = {f"What is {a} {sign} {b}?" for a, b, sign in
                zip(*rng.integers(-99, 100, (2, 900)), rng.choice(list("+-*/<>"), 900), strict=True)}  # fmt: skip
    texts = sorted(problems)
    assert (between(texts[::2], texts[1::2]).of == -1).all()


@given(st.text(max_size=60))
def test_any_text_has_words_and_a_space_around_it_changes_none(text):
    found = words(text)
    assert all(found) and words(f" {text} ") == found
    assert words(" ".join(found)) is not None


@given(st.text(alphabet="aB9 .,:;?!'\"`-_(<\n\tZ\x1c\0", max_size=12))
@settings(max_examples=500)
def test_plain_texts_have_the_words_of_the_pattern(text):
    assert words(text) == (PLAIN.findall(text.lower()) or list("".join(text.split())))
