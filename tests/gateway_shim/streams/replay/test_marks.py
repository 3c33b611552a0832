"""Heartbeats with a cursor, and the event ``resync``."""

from __future__ import annotations

from gateway_shim.event_log.cursor import Cursor
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.streams.replay.marks import Marks, Resync


def test_heartbeat() -> None:
    """All streams at the same position share one frame."""
    marks = Marks(Dialect.NAMED)
    frame = marks.heartbeat(Cursor("e", 7))
    assert frame.bare == b": heartbeat\nid: e-7\n\n"
    assert frame.chunked == b"15\r\n: heartbeat\nid: e-7\n\n\r\n"
    assert marks.heartbeat(Cursor("e", 7)) is frame
    assert marks.heartbeat(Cursor("e", 8)).bare == b": heartbeat\nid: e-8\n\n"


def test_resync() -> None:
    """The event names the reason, and moves the browser's cursor."""
    marks = Marks(Dialect.NAMED)
    frame = marks.resync(Resync.TOO_OLD, Cursor("e", 7))
    assert frame.bare == b'id: e-7\nevent: resync\ndata: {"reason":"too_old"}\n\n'
    assert marks.resync(Resync.TOO_OLD, Cursor("e", 7)) is frame
    assert b"lagging" in marks.resync(Resync.LAGGING, Cursor("e", 7)).bare


def test_resync_in_the_envelope() -> None:
    """The event has the form of every event of the dialect."""
    frame = Marks(Dialect.ENVELOPE).resync(Resync.UNKNOWN, Cursor("e", 7))
    assert frame.bare == b'id: e-7\ndata: {"type":"resync","payload":{"reason":"unknown"}}\n\n'
