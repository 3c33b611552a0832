"""Tests of the drain's last event."""

from __future__ import annotations

from app.serving.drain import FAREWELL
from gateway_shim.protocol.event_stream import Event


def test_browsers_reconnect_after_the_farewell() -> None:
    """The last event is not ``connection_close``, after which existing pages do not reconnect."""
    assert Event("server_restart", '{"reason":"server_shutdown"}') == FAREWELL
