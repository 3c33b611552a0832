"""The drain of the streams when the backend ends: its length and its last event."""

from __future__ import annotations

from gateway_shim.protocol.event_stream import Event

__all__ = ["DRAIN_SECONDS", "FAREWELL"]

DRAIN_SECONDS = 5.0
"""The time that browsers have to read their last bytes when the process ends."""

FAREWELL = Event("server_restart", '{"reason":"server_shutdown"}')
"""The last event of every browser's stream. The stream ends, and the browser reconnects.

The event is never ``connection_close``: existing pages close their EventSource on that event, and
do not reconnect.
"""
