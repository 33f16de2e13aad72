"""How a text is written: does it end, in which script and language, with which of an assistant's phrases?"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

READ = 1_000  # characters that tell a language or a script
LETTERS = 15  # fewer letters do not tell a language; of scripts that write a word in one or two, a third of it
SURE = 0.5  # probability of a language that is told
START, END = 240, 400  # characters in which a phrase begins or ends a text

# Unicode's property Sentence_Terminal, with what ends a text as surely: the ellipsis, the Greek question mark, the
# semicolon of code, the Tibetan shad.
TERMINAL = frozenset(
    chr(i)
    for a, b in (
        (0x21, 0x21), (0x2E, 0x2E), (0x3B, 0x3B), (0x3F, 0x3F), (0x37E, 0x37E), (0x589, 0x589), (0x61D, 0x61F),
        (0x6D4, 0x6D4), (0x700, 0x702), (0x7F9, 0x7F9), (0x837, 0x837), (0x839, 0x839), (0x83D, 0x83E),
        (0x964, 0x965), (0xE5A, 0xE5B), (0xF0D, 0xF12), (0x104A, 0x104B), (0x1362, 0x1362), (0x1367, 0x1368),
        (0x166E, 0x166E), (0x1735, 0x1736), (0x17D4, 0x17D5), (0x1803, 0x1803), (0x1809, 0x1809), (0x1944, 0x1945),
        (0x1AA8, 0x1AAB), (0x1B4E, 0x1B4F), (0x1B5A, 0x1B5B), (0x1B5E, 0x1B5F), (0x1B7D, 0x1B7F),
        (0x1C3B, 0x1C3C), (0x1C7E, 0x1C7F), (0x2026, 0x2026), (0x203C, 0x203D), (0x2047, 0x2049), (0x2CF9, 0x2CFB),
        (0x2E2E, 0x2E2E), (0x2E3C, 0x2E3C), (0x2E53, 0x2E54), (0x3002, 0x3002), (0xA4FF, 0xA4FF),
        (0xA60E, 0xA60F), (0xA6F3, 0xA6F3), (0xA6F7, 0xA6F7), (0xA876, 0xA877), (0xA8CE, 0xA8CF),
        (0xA92F, 0xA92F), (0xA9C8, 0xA9C9), (0xAA5D, 0xAA5F), (0xAAF0, 0xAAF1), (0xABEB, 0xABEB), (0xFE12, 0xFE12),
        (0xFE15, 0xFE16), (0xFE52, 0xFE52), (0xFE56, 0xFE57), (0xFF01, 0xFF01), (0xFF0E, 0xFF0E), (0xFF1F, 0xFF1F),
        (0xFF61, 0xFF61), (0x10A56, 0x10A57), (0x10F55, 0x10F59), (0x10F86, 0x10F89), (0x11047, 0x11048),
        (0x110BE, 0x110C1), (0x11141, 0x11143), (0x111C5, 0x111C6), (0x111CD, 0x111CD), (0x111DE, 0x111DF),
        (0x11238, 0x11239), (0x1123B, 0x1123C), (0x112A9, 0x112A9), (0x1144B, 0x1144C), (0x115C2, 0x115C3),
        (0x115C9, 0x115D7), (0x11641, 0x11642), (0x1173C, 0x1173E), (0x11944, 0x11944), (0x11946, 0x11946),
        (0x11A42, 0x11A43), (0x11A9B, 0x11A9C), (0x11C41, 0x11C42), (0x11EF7, 0x11EF8), (0x11F43, 0x11F44),
        (0x16A6E, 0x16A6F), (0x16AF5, 0x16AF5), (0x16B37, 0x16B38), (0x16B44, 0x16B44), (0x16E98, 0x16E98),
        (0x1BC9F, 0x1BC9F), (0x1DA88, 0x1DA88),
    )
    for i in range(a, b + 1)
)  # fmt: skip
BRACKETS = {")": "(", "]": "[", "}": "{", "）": "（", "］": "［", "】": "【", "》": "《", "」": "「", "』": "『"}
TAG = re.compile(r"</?\w[^<>]*>$")
FORMS = {"FULLWIDTH": "LATIN", "HALFWIDTH": "KATAKANA", "IDEOGRAPHIC": "CJK", "FEMININE": "LATIN"}
FORMS |= {"MASCULINE": "LATIN"} | dict.fromkeys(("MICRO", "MATHEMATICAL", "MODIFIER", "DOUBLE", "OHM"), "")
NAMES = {"CJK": "Han", "HANGUL": "Korean", "OTHERS": "others"}


@functools.cache
def _closing() -> str:
    """What may follow the end of a sentence: quotes, closing brackets, emphasis, and white space."""
    kinds = ("Pe", "Pf", "Pi")
    return (
        "".join(chr(i) for i in range(0x10000) if unicodedata.category(chr(i)) in kinds) + "\"'`*_~ \t\n\r\u00a0"
    )


def ends(text: str) -> bool:
    """Whether a text ends where a sentence, a block of code, a formula or a tag does, and not in between.

    Scripts that do not end sentences by a sign (Thai, Lao) end nowhere.  An empty text ends.
    """
    text = text.rstrip()
    if not text:
        return True
    if text.count("```") % 2:
        return False
    last = text[-1]
    if text.endswith("```") or last in TERMINAL:
        return True
    core = text.rstrip(_closing())
    if core and core[-1] in TERMINAL:
        return True
    if last in BRACKETS:
        return text.count(last) == text.count(BRACKETS[last])
    if last == "$":
        return text.count("$") % 2 == 0
    if last == ">":
        return TAG.search(text[-200:]) is not None
    return unicodedata.category(last) in ("So", "Sk") or last in "\ufe0f\u200d"  # an emoji


@functools.lru_cache(1 << 16)
def _script(letter: str) -> str:
    """The script of a character, by its name; empty for what is no letter of a script."""
    first = unicodedata.name(letter, "OTHERS").split()[0].split("-")[0] if letter.isalpha() else ""
    return FORMS.get(first, first)


def script(text: str) -> str:
    """The script that most of a text's letters belong to, such as ``"LATIN"``; empty where there is no letter.

    A text with kana is Japanese, whatever else it holds of ideographs.
    """
    text = text[:READ]
    if text.isascii():
        return "LATIN" if any(map(str.isalpha, text)) else ""
    counts: Counter[str] = Counter()
    for letter, k in Counter(text).items():
        counts[_script(letter)] += k
    del counts[""]
    kana = counts.pop("HIRAGANA", 0) + counts.pop("KATAKANA", 0)
    if kana:
        counts["JAPANESE"] = kana + (counts.pop("CJK", 0) if 10 * kana >= counts["CJK"] else 0)
    return max(counts, key=lambda one: (counts[one], one)) if +counts else ""


@functools.cache
def _identifier():
    """The identifier of languages, loaded when the first text needs it."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def languages(texts: Sequence[str]) -> np.ndarray:
    """(n,) the code of each text's language, such as ``"en"``; empty where letters are few or it is not sure."""
    return np.array([_language(text) for text in texts], dtype=object)


@functools.lru_cache(100_000)
def _language(text: str) -> str:
    text = text[:READ]
    letters = sum(map(str.isalpha, text))
    if letters < LETTERS // 3 or (letters < LETTERS and script(text) in ("LATIN", "CYRILLIC", "ARABIC", "GREEK")):
        return ""
    code, probability = _identifier().classify(text)
    return str(code) if probability >= SURE and code != "zxx" else ""  # zxx: no language


def called(kind: str) -> str:
    """A script's or a language's name as a sentence shows it."""
    return f"'{kind}'" if kind.islower() and kind != "others" else NAMES.get(kind, kind.capitalize())


@functools.cache
def _phrases() -> tuple[re.Pattern[str], list[tuple[str, re.Pattern[str], int]]]:
    """The pattern of phrases at the start; of others key, pattern, and how many last characters hold it."""
    lists = yaml.safe_load(Path(__file__).with_name("phrases.yaml").read_text(encoding="utf-8"))
    begin = "|".join(one for phrases in lists["start"].values() for one in phrases)
    others = []
    for place, frame, most in (("within", "(?:{})", 0), ("end", r"(?:{})\W*$", END)):
        for phrases in lists[place].values():
            others += [(key, re.compile(frame.format(one)), most) for key, one in phrases.items()]
    return re.compile(rf"\W*(?:{begin})"), others


def phrase(text: str) -> str:
    """The refusal or the assistant's phrase that a text holds, or an empty text."""
    plain = text.lower().replace("\u2019", "'")
    begin, others = _phrases()
    found = begin.match(plain[:START])
    if found is None:
        for key, pattern, most in others:
            if key in plain and (found := pattern.search(plain[-most:])):
                break
    return " ".join(found.group().split()).strip(" \"'*_#>-") if found else ""
