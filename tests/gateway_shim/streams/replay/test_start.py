"""The cursor that a browser's request names."""

from __future__ import annotations

import pytest

from gateway_shim.event_log.cursor import Cursor
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.replay.start import requested_cursor

A, B = Cursor("a", 1), Cursor("b", 2)


@pytest.mark.parametrize(
    ("url", "headers", "expected"),
    [
        ("/s", {}, ("", None)),
        ("/s?request_id=x", {"last-event-id": ""}, ("", None)),
        ("/s", {"last-event-id": "a-1"}, ("a-1", A)),
        ("/s?last_event_id=b-2&last_event_id=a-1", {}, ("b-2", B)),
        ("/s?last_event_id=b%2D2#x", {}, ("b-2", B)),
        ("/s?last_event_id=b-2", {"last-event-id": "a-1"}, ("a-1", A)),
        ("/s?request_id=x&lastEventId=b-2", {}, ("b-2", B)),
        ("/s?last_event_id=", {}, ("", None)),
        ("/s?x=last_event_id", {}, ("", None)),
        ("/s?last_event_id=7", {}, ("7", None)),
        ("/s", {"last-event-id": "a-1, a-1"}, ("a-1, a-1", None)),
        ("/s", {"last-event-id": ["a-1"]}, ("a-1", A)),
    ],
)
def test_requested_cursor(url: str, headers: dict[str, str], expected: object) -> None:
    """The header comes before the query, which a reconnecting browser repeats."""
    assert requested_cursor(StreamRequest(url, headers)) == expected
