"""Messages of every common writing become turns: a role of five, and a text; tool calls become text as well.

    turns([{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}])

ChatML (`role`, `content`, `tool_calls`), ShareGPT (`from`, `value`), Gemini (`role`, `parts`), content as text or
as a list of parts, conversations in lists or in columns, as JSON in a string, and transcripts
`Human: ... Assistant: ...`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Role = Literal["system", "user", "assistant", "tool", "other"]

_KNOWN: Mapping[Role, str] = {
    "system": "system developer",
    "user": "user human prompter question",
    "assistant": "assistant gpt model bot ai chatgpt bard bing claude answer function_call tool_call",
    "tool": "tool function observation ipython environment function_response tool_response tool_result",
}
ROLES: Mapping[str, Role] = {word: role for role, words in _KNOWN.items() for word in words.split()}
WHO = ("role", "from")
WHAT = ("content", "value", "parts", "text")
CALLS = ("tool_calls", "function_call")
THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_SPEAKER = re.compile(r"(?:\A\s*|\n\n)(Human|User|H|Assistant|A): ?")


class Turn(NamedTuple):
    """What one message says, and whose it is."""

    role: Role
    text: str


class Unreadable(ValueError):
    """A message that cannot be read; what is wrong with it, in words that follow the name of its column."""


def is_chat(value: object) -> bool:
    """Whether a value is a message, a list of messages, a list of such lists, or a list for each of their keys."""
    if isinstance(value, Mapping):
        return _is_message(value) or _by_keys(value) is not None
    if not isinstance(value, list) or not value:
        return False
    given = [one for one in value if one not in (None, [])]
    if given and all(isinstance(one, list) for one in given):
        return all(is_chat(one) for one in given)
    return bool(given) and all(isinstance(one, Mapping) and _who(one) for one in given) and any(
        _is_message(one) for one in given
    )  # fmt: skip


def unpacked(text: str) -> Any | None:
    """The messages that a string holds as JSON, or as a transcript; None when it holds none."""
    start = text.lstrip()[:1]
    if start in ("[", "{") and any(f'"{key}"' in text for key in WHO):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
        return value if is_chat(value) else None
    spoken = list(_SPEAKER.finditer(text)) if text.lstrip()[:6].startswith(("Human:", "User:", "H:")) else []
    if len({one[1][0] for one in spoken}) < 2:
        return None
    ends = [*(one.start() for one in spoken[1:]), len(text)]
    return [
        {"role": "assistant" if one[1].startswith("A") else "user", "content": text[one.end() : end]}
        for one, end in zip(spoken, ends, strict=True)
    ]


def turns(value: Any, said: set[str] | None = None) -> list[Turn]:
    """The turns of a conversation, in order; `said` gains what the user should know of how they were read.

    Raises:
        Unreadable: for a message whose role or content is of another kind.
    """
    said = set() if said is None else said
    return list(_turns(value, said))


def _turns(value: Any, said: set[str]) -> Iterator[Turn]:
    if isinstance(value, str):
        if (inner := unpacked(value)) is None:
            raise Unreadable("holds a string that is no list of messages")
        value = inner
    if isinstance(value, Mapping):
        columns = _by_keys(value)
        value = [value] if columns is None else columns
    for one in value:
        if one is None or one == []:
            continue
        if isinstance(one, list):
            yield from _turns(one, said)
        elif isinstance(one, Mapping):
            yield _turn(one, said)
        else:
            raise Unreadable("holds a list that is not all messages")


def _turn(message: Mapping[str, Any], said: set[str]) -> Turn:
    name = message.get(_who(message) or "role")
    if not isinstance(name, str):
        raise Unreadable("holds a message whose role or content is not a string")
    role = ROLES.get(name.strip().lower(), "other")
    if role == "other":
        said.add(f"the role '{name.strip()[:30]}' is not known: its messages are read as part of the prompt")
    what = next((message[key] for key in WHAT if message.get(key) is not None), None)
    texts = [_content(what, said), *(call for key in CALLS for call in _calls(message.get(key), said))]
    if any(message.get(key) for key in THOUGHTS):
        said.add("reasoning that stands apart from the content of a message is left out")
    return Turn(role, "\n".join(text for text in texts if text))


def _content(value: Any, said: set[str]) -> str:
    """The text of a message's content: a string, one part, or a list of parts."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list):
        raise Unreadable("holds a message whose role or content is not a string")
    return "\n".join(text for part in value for text in _part(part, said) if text)


def _part(part: Any, said: set[str]) -> list[str]:
    if part is None or isinstance(part, str):
        return [part or ""]
    if not isinstance(part, Mapping):
        raise Unreadable("holds a message whose role or content is not a string")
    if isinstance(part.get("text"), str):
        return [part["text"]]
    kind = str(part.get("type") or "")
    if kind == "tool_use" or part.get("functionCall"):
        return _calls(part.get("functionCall") or part, said)
    if kind == "tool_result":
        return [_content(part.get("content"), said)]
    said.add("parts of messages that are not text, such as images, are left out")
    return []


def _calls(value: Any, said: set[str]) -> list[str]:
    """Tool calls as text: name(arguments)."""
    if value is None or value == [] or value == "":
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            said.add("tool calls are read as text")
            return [value]
    calls = []
    for call in value if isinstance(value, list) else [value]:
        if call is None:
            continue
        if not isinstance(call, Mapping):
            raise Unreadable("holds a tool call that is no object")
        what = call["function"] if isinstance(call.get("function"), Mapping) else call
        given = next((what[key] for key in ("arguments", "input", "args", "parameters") if what.get(key)), None)
        name = what.get("name")
        if name is None and given is None:
            continue
        said.add("tool calls are read as text: name(arguments)")
        calls.append(f"{name or 'call'}({_arguments(given)})")
    return calls


def _arguments(value: Any) -> str:
    """Arguments as JSON, alike for a string and for an object, with and without keys that hold null."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value
    return "" if value is None else json.dumps(_without_null(value), ensure_ascii=False, default=str)


def _without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_null(one) for key, one in value.items() if one is not None}
    return [_without_null(one) for one in value] if isinstance(value, list) else value


def _who(message: Mapping[str, Any]) -> str | None:
    return next((key for key in WHO if message.get(key) is not None), None)


def _is_message(value: Mapping[str, Any]) -> bool:
    key = _who(value)
    return key is not None and isinstance(value[key], str) and any(one in value for one in (*WHAT, *CALLS))


def _by_keys(value: Mapping[str, Any]) -> Sequence[dict[str, Any]] | None:
    """Messages that are kept as one list for each key."""
    key = _who(value)
    lists = {name: one for name, one in value.items() if isinstance(one, list)}
    if key not in lists or not any(one in lists for one in WHAT):
        return None
    n = len(lists[key])
    same = {name: one for name, one in lists.items() if len(one) == n}
    return [{name: one[i] for name, one in same.items()} for i in range(n)]
