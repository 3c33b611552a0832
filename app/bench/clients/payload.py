"""The event that the bench sends: a task's progress, 220 bytes on the wire."""

from __future__ import annotations

import json
import re

from gateway_shim.protocol.event_stream import Dialect, Event, Frame, encode, frame

__all__ = ["EVENT_BYTES", "progress_text", "sample_frame", "stamps"]

EVENT_BYTES = 220
"""The size of a whole progress event as the browser gets it, without the framing of its chunk."""

_STAMP = re.compile(rb"sent=(\d{20})")


def progress_text(now_ns: int) -> str:
    """Return a progress text of fixed length that contains the time of sending.

    Args:
        now_ns: the system's monotonic clock, which all processes share, nanoseconds.
    """
    return f"sent={now_ns:020d}".ljust(_TEXT_CHARACTERS, ".")


def stamps(data: bytes) -> list[int]:
    """Return the times of sending of all events in a stream's bytes, nanoseconds."""
    return [int(found) for found in _STAMP.findall(data)]


def sample_frame() -> Frame:
    """Return an event of the same size as a progress event, for the bare loop of ``send``."""
    return _frame(progress_text(0))


def _frame(text: str) -> Frame:
    payload = {
        "event_type": "progress_update",
        "task_id": "00000000-0000-0000-0000-000000000000",
        "timestamp": "2026-01-31T12:00:00.000000Z",
        "data": {"text": text, "value": 0.5},
    }
    data = json.dumps(payload, separators=(",", ":"))
    return frame(encode(Event("task_event", data), Dialect.NAMED))


_TEXT_CHARACTERS = EVENT_BYTES - len(_frame("").bare)
