"""Format an event as one line of text, for people or as JSON for programs. Pure.

A line never contains control characters, whatever the server sends, because a terminal would
execute them.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.watch.decoder import ServerEvent

__all__ = ["Message", "escape_unprintable", "human_line", "json_line", "read_message"]

_MAX_TEXT_LENGTH = 300
_SHORT_ID_LENGTH = 8
_BAR_WIDTH = 20
_SPARE_DEPTH = 32
"""Nesting levels that a decoded document may gain before it is written as JSON again."""


@dataclass(frozen=True, slots=True)
class Message:
    """The content of an event, the same for both dialects.

    Args:
        name: the event's type.
        data: the event's data: the decoded JSON, or the text if it is not JSON.
        last_id: the last event ID of the stream; may be empty.
    """

    name: str
    data: Any
    last_id: str = ""

    def is_of_task(self, task_id: str) -> bool:
        """Return whether this is an event of the task whose ID begins with ``task_id``."""
        return (
            self.name == "task_event"
            and isinstance(self.data, dict)
            and str(self.data.get("task_id", "")).startswith(task_id)
        )


def read_message(event: ServerEvent) -> Message:
    """Decode an event's data, and unwrap an event of the *envelope* dialect.

    An envelope is a nameless event whose data is an object with the keys ``type`` and ``payload``.
    Other keys of the envelope are ignored.
    """
    data = _decode(event.data)
    if event.name == "message" and isinstance(data, dict) and data.keys() >= {"type", "payload"}:
        return Message(str(data["type"]), data["payload"], event.last_id)
    return Message(event.name, data, event.last_id)


def human_line(message: Message, received: float) -> str:
    """Format a message as a line for people, without a newline.

    Args:
        message: the message to show; long data is shortened.
        received: the time of arrival, seconds since the epoch; shown as local time.
    """
    clock = time.strftime("%H:%M:%S", time.localtime(received))
    data = message.data
    if message.name == "task_event" and isinstance(data, dict):
        text = _task_event_text(data)
    else:
        text = _data_text(data)
    return escape_unprintable(f"{clock} {_shorten(message.name):<10} {text}".rstrip())


def json_line(message: Message, received: float) -> str:
    """Format a message as one JSON object, without a newline.

    The object has the keys ``event``, ``data``, ``id`` (null if there is none) and ``time``.

    Args:
        message: the message to show; nothing is shortened.
        received: the time of arrival, seconds since the epoch; shown in UTC.
    """
    text = json.dumps(
        {
            "event": message.name,
            "data": message.data,
            "id": message.last_id or None,
            "time": datetime.fromtimestamp(received, UTC).isoformat(timespec="milliseconds"),
        }
    )
    # DEL is ASCII, so json does not escape it, but for a terminal it is a control character.
    return text.replace("\x7f", "\\u007f")


def escape_unprintable(text: str) -> str:
    """Escape every character that is not printable, such as control characters and bidi marks.

    The escapes are those of Python's string literals.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def _decode(text: str) -> Any:
    """Decode a JSON document; return the text itself if it is not JSON.

    Values that Python reads but JSON does not have (NaN, numbers beyond a float) stay text, so that
    the result can always be written as JSON again.
    """
    try:
        data = json.loads(text)
        # Python limits how deep a document may be nested. The document is nested deeper here than
        # in any line, so that writing a line cannot fail later.
        probe = data
        for _ in range(_SPARE_DEPTH):
            probe = [probe]
        json.dumps(probe, allow_nan=False)
    except (ValueError, RecursionError):
        return text
    return data


def _task_event_text(event: dict[str, Any]) -> str:
    task_id = str(event.get("task_id", "?"))[:_SHORT_ID_LENGTH]
    kind = _shorten(str(event.get("event_type", "?")))
    data = event.get("data")
    match kind, data:
        case "progress_update", {"value": int() | float() as value, "text": str() as text}:
            details = f"{_progress_bar(value)} {_shorten(text)}"
        case "task_failed", {"error": str() as error}:
            details = _shorten(error)
        case _:
            details = _data_text(data) if data else ""
    return f"{task_id:<{_SHORT_ID_LENGTH}} {kind:<15} {details}"


def _progress_bar(value: float) -> str:
    fraction = min(max(value, 0), 1)
    # Rounded down, so that 100% is shown only at the end.
    filled = int(fraction * _BAR_WIDTH)
    return f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {int(fraction * 100):3d}%"


def _data_text(data: Any) -> str:
    if isinstance(data, str):
        return _shorten(data)
    return _shorten(json.dumps(data, ensure_ascii=False, separators=(",", ":")))


def _shorten(text: str) -> str:
    if len(text) <= _MAX_TEXT_LENGTH:
        return text
    return f"{text[:_MAX_TEXT_LENGTH]}... ({len(text)} characters; --json shows all)"
