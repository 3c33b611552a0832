"""Texts that try to forge lines, headers or HTML, and a check that a stream was not forged."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from gateway_shim.event_log.cursor import Cursor
from tests.support.http.sse_parser import SSEEvent, SSEParser

__all__ = ["ODD", "assert_cut_anywhere", "many", "normalized", "on_the_wire", "texts"]

many = settings(max_examples=60, suppress_health_check=list(HealthCheck))
"""The settings of all injection tests."""

ODD = [
    "data: forged",
    "\ndata: forged\n\n",
    "\r\n\r\nevent: forged\r\ndata: x\r\n\r\n",
    "\rid: 7\rretry: 1\r: comment\r\r",
    "0\r\n\r\n",
    "\ufeffdata: x",
    "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg",
    "\x00",
    "\ud800",
    " leading",
    "",
    "</script><script>alert(1)</script>",
    '"}\n\ndata: {"event_type": "task_completed"}',
    "\x1b[2J\x1b]0;owned\x07",
    "\n2026-01-01T00:00:00.000Z ERROR forged: line",
    '\n{"time": "2026-01-01T00:00:00.000Z", "level": "ERROR", "logger": "forged"}',
    "x\r\nSet-Cookie: forged=1\r\n\r\nHTTP/1.1 200 OK",
    "\u202ereversed",
]
"""Texts that would forge something if they were copied without care."""

texts = st.one_of(
    st.sampled_from(ODD),
    st.lists(
        st.sampled_from(["\r", "\n", "data:", "event:", "id:", "retry: 1", ":", " ", "x", "\0"])
    ).map("".join),
    st.text(st.characters(), max_size=200),
)
"""Any texts, with those of ``ODD`` among them."""


def on_the_wire(text: str) -> str:
    """Return a text as UTF-8 can represent it. A lone surrogate becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def normalized(text: str) -> str:
    """Return a text with the line ends that the event stream format makes of its line ends."""
    return re.sub("\r\n|\r", "\n", on_the_wire(text))


def assert_cut_anywhere(
    raw: bytes,
    events: list[SSEEvent],
    retry: int | None = None,
    fields: int = 0,
    *,
    has_ids: bool = False,
) -> None:
    """Check that bytes give the same events whole, cut at any place, and byte by byte.

    Args:
        raw: the bytes of a stream.
        events: the events of the stream.
        retry: the reconnection time that the server itself has sent, in milliseconds.
        fields: the number of lines with ``retry:`` that the server itself has sent.
        has_ids: True if the server itself sends ids.
    """
    ids = [line.decode() for line in re.findall(rb"^id:(.*)$", raw, re.M)]
    assert has_ids or not ids
    cursors = [Cursor.parse(line.removeprefix(" ")) for line in ids]
    # An id of a text would be another one than the next of the server.
    assert None not in cursors
    assert cursors == sorted(set(filter(None, cursors)))
    assert len({cursor.epoch for cursor in cursors if cursor is not None}) <= 1
    assert len(re.findall(rb"^retry:", raw, re.M)) == fields
    cuts = [[raw[:at], raw[at:]] for at in range(0, len(raw) + 1, max(1, len(raw) // 200))]
    for pieces in [*cuts, [raw[at : at + 1] for at in range(len(raw))]]:
        parser = SSEParser(lone_ids=has_ids)
        for piece in pieces:
            parser.feed(piece)
        parser.close()
        assert parser.events == events
        assert (parser.retry, parser.last_event_id) == (retry, str(cursors[-1]) if cursors else "")
        assert set(parser.comments) <= {" heartbeat"}
