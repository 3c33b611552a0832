"""A send to one stream, beside the log's events (without a log: test_gateway_sending.py)."""

from __future__ import annotations

import pytest

from gateway_shim.errors import UnknownToken
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.results import SendStatus
from gateway_shim.streams.sending.send_to_token import send_to_token
from tests.gateway_shim.following_browser import Browser, following, publish
from tests.gateway_shim.running_gateway import RunningGateway


def test_unknown_token(running: RunningGateway) -> None:
    """No stream has the token."""
    with pytest.raises(UnknownToken):
        send_to_token(running.gateway._streams, None, "x", event_stream.READY, close=False)


def test_order_with_published_events() -> None:
    """A send has no id, and comes between the events that were published before and after it."""
    with following() as running:
        live, slow = Browser(running), Browser(running, send_buffer=4096)
        publish(running, "x" * 300_000)
        for browser in (live, slow):
            token = browser.visit.token
            assert running.gateway.send(token, Event("n", "own")) is SendStatus.OK
        publish(running, "after")
        for browser in (live, slow):
            events = [block for block in browser.wait_for("after") if block.name]
            assert [event.id for event in events] == ["e-1", "", "e-2"]
            assert [event.data[:5] for event in events] == ["xxxxx", "own", "after"]
