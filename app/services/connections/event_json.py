"""The data of an event as JSON."""

from __future__ import annotations

import json

__all__ = ["event_json"]

# json.dumps() would make a new encoder for each call.
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def event_json(data: object) -> str:
    """Write the data of an event as compact JSON.

    Args:
        data: anything that :func:`json.dumps` accepts.

    Raises:
        ValueError: the data contains itself, or is nested deeper than Python can write (about 990
            levels in Python 3.11).
        TypeError: the data contains an object that JSON cannot represent.
    """
    try:
        return _COMPACT.encode(data)
    except RecursionError as exc:
        raise ValueError("the event's data is nested too deeply to be written as JSON") from exc
