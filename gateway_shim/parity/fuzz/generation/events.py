"""Generated events and bodies of sends: names, data, JSON of every depth, malformed fields."""

from __future__ import annotations

import json
from typing import Any

from gateway_shim.parity.fuzz.generation.dice import Dice

__all__ = ["body", "closing", "deep", "has_empty_rejection"]

_NAMES = (
    "", "n", "version", "ready", "rejected", "a:b", " x ", "\xe9", "\U0001f600", 'q"q', "b\\s",
    "message", "error", "\ud800", "__proto__", "constructor", "\u2028", "\x01", "data", "x" * 200,
)  # fmt: skip
_UNSAFE_NAMES = ("a\nb", "a\rb", "\0", "a\r\nid: 1")
_PIECES = (
    "a", " ", ":", "\n", "\r", "\r\n", "\n\n", "\u2028", "\x85", "\v", "\0", "\t", "\xe9",
    "\U0001f600", "\ud800", "\udc00", "\ufeff", "data: x", "event: y", "id: 1", "0\r\n\r\n",
    "{", "}", "[", '"', "\\", ",", "null", "1", "x" * 3000,
)  # fmt: skip
_JSON_TEXTS = (
    "{}", "[]", "null", "true", "0", "-0", "1e400", "1.0", '"x"', '"\\ud800"', "NaN", "Infinity",
    "-Infinity", "01", "1.", "[1,\n2]", '{"a":\r\n1}', ' {"a": 1} ', "'x'", '{"a":1,}', "\ufeff1",
    '"\t"', "nul", '{"a":1,"a":2}', "[[[[[]]]]]", '{"__proto__":1}', "1\n", "\n",
)  # fmt: skip
_DEPTHS = (100, 900, 980, 1000, 1100, 5000, 20_000)
_NESTINGS = (
    ("[", "", "]"),
    ('{"a":', "1", "}"),
    ("[{},", "null", "]"),
    ("[", "", "}"),
    ("[", "", ""),
)
_BAD_VALUES: tuple[Any, ...] = (None, 1, 1.5, True, False, [], {}, [{}], "x", "")
_NO_SENDS: tuple[Any, ...] = ([], [1], {})


def body(dice: Dice) -> Any:
    """Return the body of a send that does not close its stream; it may be malformed."""
    if dice.chance(0.08):
        return dice.one((*_NO_SENDS, {"token": dice.one(_BAD_VALUES)}))
    made: dict[str, Any] = {"token": "$T" if dice.chance(0.95) else "nope"}
    if dice.chance(0.9):
        made["event"] = dice.one(_BAD_VALUES) if dice.chance(0.04) else _maybe_bad(dice)
    if dice.chance(0.1):
        made["close"] = dice.one((False, None, 1, "true", 0, []))
    return made


def closing(dice: Dice) -> Any:
    """Return the body of a send that closes its stream after an event."""
    return {"token": "$T", "event": _named(dice.one(_NAMES), _data(dice)), "close": True}


def has_empty_rejection(send: Any) -> bool:
    """Return whether a send's event is ``rejected`` without data.

    Writing such an event crashes an envelope gateway of 2026: it answers 500, and the stream is
    gone. This is not a numbered divergence, so such an event is neither generated nor a result of
    shrinking.
    """
    event = send.get("event") if isinstance(send, dict) else None
    return isinstance(event, dict) and event.get("name") == "rejected" and event.get("data") == ""


def _maybe_bad(dice: Dice) -> dict[str, Any]:
    event: dict[str, Any] = {"data": _data(dice)}
    if dice.chance(0.6):
        name = dice.one(_UNSAFE_NAMES) if dice.chance(0.04) else dice.one(_NAMES)
        event = {"name": name, **event}
    if dice.chance(0.06):
        event[dice.one(("name", "data", "id"))] = dice.one(_BAD_VALUES)
    return _named(event.pop("name"), **event) if "name" in event else event


def _named(name: Any, data: Any, **more: Any) -> dict[str, Any]:
    """Return a named event; this is the last step, so that nothing removes its data afterwards."""
    event = {"name": name, "data": data, **more}
    return {**event, "data": "x"} if has_empty_rejection({"event": event}) else event


def _data(dice: Dice) -> str:
    # Two surrogates next to each other are one character for every reader of the JSON.
    text = _raw_data(dice).encode("utf-16", "surrogatepass")
    return text.decode("utf-16", "surrogatepass")


def _raw_data(dice: Dice) -> str:
    chance = dice.share()
    if chance < 0.01:
        return deep(dice)
    if chance < 0.35:
        return dice.one(_JSON_TEXTS)
    if chance < 0.5:
        return json.dumps({"v": dice.one(_PIECES[:20]), "n": dice.below(10**9)})
    return "".join(dice.some(_PIECES, 6))


def deep(dice: Dice) -> str:
    """Return text with deep nesting, JSON or almost JSON, that fits into a send."""
    before, inside, after = dice.one(_NESTINGS)
    depth = min(dice.one(_DEPTHS), 60_000 // len(before + after))
    return before * depth + inside + after * depth
