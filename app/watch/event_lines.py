"""One event to one line: for people, or as JSON for programs. Pure.

Whatever a server sends, a line holds no control characters: a terminal obeys those.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.watch.decoder import ServerEvent

__all__ = ["Message", "human_line", "json_line", "printable", "read_message"]

_SHOWN_CHARACTERS = 300
_SHORT_ID = 8
_BAR_WIDTH = 20
_DEPTH_TO_SPARE = 32


@dataclass(frozen=True, slots=True)
class Message:
    """What an event says, whichever dialect it came in.

    Args:
        name: its type.
        data: its data, decoded if it is JSON, else the text.
        last_id: the stream's last event id; may be empty.
    """

    name: str
    data: Any
    last_id: str = ""

    def is_of_task(self, task_id: str) -> bool:
        """Whether it is about the task with this id; the id's first characters will do."""
        return (
            self.name == "task_event"
            and isinstance(self.data, dict)
            and str(self.data.get("task_id", "")).startswith(task_id)
        )


def read_message(event: ServerEvent) -> Message:
    """Decode an event's data, and unwrap what the *envelope* dialect has wrapped."""
    data = _decode(event.data)
    if event.name == "message" and isinstance(data, dict) and data.keys() == {"type", "payload"}:
        return Message(str(data["type"]), data["payload"], event.last_id)
    return Message(event.name, data, event.last_id)


def human_line(message: Message, received: float) -> str:
    """A line for people, without a newline.

    Args:
        message: what to show; long data is cut.
        received: when it came, seconds since the epoch; shown as local time.
    """
    clock = time.strftime("%H:%M:%S", time.localtime(received))
    data = message.data
    if message.name == "task_event" and isinstance(data, dict):
        shown = _task_event(data)
    else:
        shown = _compact(data)
    return printable(f"{clock} {_cut(message.name):<10} {shown}".rstrip())


def json_line(message: Message, received: float) -> str:
    """One JSON object, without a newline: ``event``, ``data``, ``id`` (or null) and ``time``.

    Args:
        message: what to show; nothing is cut.
        received: when it came, seconds since the epoch; shown in UTC.
    """
    text = json.dumps(
        {
            "event": message.name,
            "data": message.data,
            "id": message.last_id or None,
            "time": datetime.fromtimestamp(received, UTC).isoformat(timespec="milliseconds"),
        }
    )
    # ASCII that json leaves as it is although a terminal does not.
    return text.replace("\x7f", "\\u007f")


def printable(text: str) -> str:
    """The text with everything escaped that does not simply show: controls, bidi marks, ...

    The escapes are those of Python's string literals.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _decode(text: str) -> Any:
    """The JSON document that the text is, or the text itself.

    What Python reads but JSON does not know (NaN, numbers beyond a float) stays text, so that
    it can be written as JSON again.
    """
    try:
        data = json.loads(text)
        # Within more layers than it will be shown in: how deep Python can go is limited.
        probe = data
        for _ in range(_DEPTH_TO_SPARE):
            probe = [probe]
        json.dumps(probe, allow_nan=False)
    except (ValueError, RecursionError):
        return text
    return data


def _task_event(event: dict[str, Any]) -> str:
    task = str(event.get("task_id", "?"))[:_SHORT_ID]
    kind = _cut(str(event.get("event_type", "?")))
    data = event.get("data")
    match kind, data:
        case "progress_update", {"value": int() | float() as value, "text": str() as text}:
            shown = f"{_bar(value)} {_cut(text)}"
        case "task_failed", {"error": str() as error}:
            shown = _cut(error)
        case _:
            shown = _compact(data) if data else ""
    return f"{task:<{_SHORT_ID}} {kind:<15} {shown}"


def _bar(value: float) -> str:
    part = min(max(value, 0), 1)
    # Rounded down: 100 % is shown when it is done and not before.
    filled = int(part * _BAR_WIDTH)
    return f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {int(part * 100):3d}%"


def _compact(data: Any) -> str:
    if isinstance(data, str):
        return _cut(data)
    return _cut(json.dumps(data, ensure_ascii=False, separators=(",", ":")))


def _cut(text: str) -> str:
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]}... ({len(text)} characters; --json shows all)"
