"""The event that the bench sends."""

from __future__ import annotations

from app.bench.clients.payload import EVENT_BYTES, progress_text, sample_frame, stamps


def test_size() -> None:
    """An event is 220 bytes, and its chunk seven bytes more: the size line and the line end."""
    frame = sample_frame()
    assert len(frame.bare) == EVENT_BYTES == 220
    assert frame.chunked == b"dc\r\n" + frame.bare + b"\r\n"


def test_text_has_one_length() -> None:
    """The text has the same length for any time."""
    assert len({len(progress_text(now)) for now in (0, 1, 10**19)}) == 1


def test_stamps() -> None:
    """The times of all events in a read are found, and other bytes are ignored."""
    data = b"".join(progress_text(now).encode() for now in (5, 70)) + b"sent=1"
    assert stamps(data) == [5, 70]
