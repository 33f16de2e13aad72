"""The layouts that people keep training data in, told by the names and kinds of the columns.

Preference pairs (prompt, chosen, rejected), conversations, Alpaca's instruction, input, output, and prompts with
completions; each becomes the turns of one conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rbcore.audit.read.conversation import Role, Turn
from rbcore.audit.read.source import Kind, listed, shown

Form = Literal["preference", "chat", "instruction", "pair"]

CHATS = ("messages", "conversations", "conversation", "chat", "dialogue", "dialog", "turns", "contents")
PROMPTS = ("prompt", "question", "query", "instruction", "problem", "user", "input")
ANSWERS = ("completion", "response", "answer", "output", "solution", "reply", "assistant")
CONTEXTS = ("input", "context")
SYSTEMS = ("system", "system_prompt")
ASKED: Sequence[Kind] = ("text", "chat")
SAID: Sequence[Kind] = ("text", "chat", "number")
REPEATED = 10  # characters: a prompt of so many that begins both sides of a preference is taken off them


@dataclass(frozen=True)
class Layout:
    """Which columns hold what; of a preference `answer` is the side that is audited and `rejected` the other."""

    form: Form
    prompt: tuple[str, ...] = ()
    answer: str = ""
    rejected: str | None = None
    system: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        single = (one for one in (self.system, self.rejected) if one is not None)
        return (*self.prompt, self.answer, *single)

    def inside(self, column: str) -> Layout:
        """The same layout, of what stands in objects in `column`."""
        prompt = tuple(f"{column}.{one}" for one in self.prompt)
        rejected, system = (None if one is None else f"{column}.{one}" for one in (self.rejected, self.system))
        return Layout(self.form, prompt, f"{column}.{self.answer}", rejected, system)

    @property
    def note(self) -> str:
        """What was recognized, in words."""
        if self.form == "chat":
            return (
                f"the messages in '{shown(self.answer)}' are read as conversations: all turns joined, without "
                "roles and without the system prompt (ROLE chooses)"
            )
        asked = f"{listed(self.prompt)} as the prompt and " if self.prompt else ""
        side = f", '{shown(self.rejected)}' is the other side of the preference" if self.rejected else ""
        return f"read as conversations: {asked}'{shown(self.answer)}' as the answer{side} (ROLE chooses)"


class Parsed(NamedTuple):
    """One record as turns, and the other side of a preference."""

    turns: list[Turn]
    rejected: str | None = None


def find(kinds: Mapping[str, Kind], side: str = "chosen", surely: bool = False) -> Layout | None:
    """The layout of the columns, if it is a known one; `surely`: one that goes before a column `text`."""
    names: dict[str, str] = {}
    for name in kinds:
        names.setdefault(name.lower(), name)

    def first(wanted: Sequence[str], what: Sequence[Kind], but: Sequence[str] = ()) -> str | None:
        found = (names[one] for one in wanted if one in names and names[one] not in but)
        return next((one for one in found if kinds[one] in what), None)

    system = first(SYSTEMS, ("text",))
    sides = [first([one], ASKED) for one in ("chosen", "rejected")]
    if sides[0] and sides[1]:
        answer, other = sides if side == "chosen" else sides[::-1]
        asked = first(PROMPTS, ASKED) or first(CHATS, ("chat",))
        context = first(CONTEXTS, ("text", "number"), (asked,)) if asked else None
        return Layout("preference", tuple(one for one in (asked, context) if one), answer or "", other, system)
    chats = [name for name, what in kinds.items() if what == "chat"]
    chat = first(CHATS, ("chat",))
    if chat is not None:
        return Layout("chat", (), chat, None, system)
    asked, answer = first(PROMPTS, ASKED), first(ANSWERS, SAID)
    if asked and answer:
        context = first(CONTEXTS, ("text", "number"), (asked, answer))
        form: Form = "instruction" if asked.lower() == "instruction" else "pair"
        prompt = (asked,) if context is None else (asked, context)
        return None if surely and form == "pair" else Layout(form, prompt, answer, None, system)
    return Layout("chat", (), chats[0], None, system) if len(chats) == 1 and not surely else None


def parse(layout: Layout, value: Callable[[str, Role, bool], list[Turn]]) -> Parsed:
    """The conversation of a row; ``value(column, role, needed)`` gives its turns, a text as one of that role."""
    system = [] if layout.system is None else value(layout.system, "system", False)
    if layout.form == "chat":
        return Parsed([*system, *value(layout.answer, "other", True)])
    asked = [turn for i, column in enumerate(layout.prompt) for turn in value(column, "user", i == 0)]
    before, said = _answer(value(layout.answer, "assistant", True))
    rejected = None
    if layout.form == "preference":
        rejected = _joined(_answer(value(layout.rejected or "", "assistant", True))[1])
        prompt = _joined([turn for turn in asked if turn.role != "system"])
        if len(prompt) >= REPEATED and said and said[0].text.startswith(prompt) and rejected.startswith(prompt):
            said = [Turn(said[0].role, said[0].text.removeprefix(prompt).lstrip()), *said[1:]]
            rejected = rejected.removeprefix(prompt).lstrip()
    asked = before if any(turn.role == "user" for turn in before) else [*before, *asked]
    # what the prompt holds of an assistant is no answer of this record
    asked = [Turn("other", turn.text) if turn.role == "assistant" else turn for turn in asked]
    return Parsed([*system, *asked, *said], rejected)


def _answer(turns: list[Turn]) -> tuple[list[Turn], list[Turn]]:
    """What comes up to the last turn of the user, and what follows it."""
    at = max((i + 1 for i, turn in enumerate(turns) if turn.role in ("user", "system")), default=0)
    return turns[:at], turns[at:]


def _joined(turns: Sequence[Turn]) -> str:
    return "\n".join(turn.text for turn in turns if turn.text)
