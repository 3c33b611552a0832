"""The action of many clients that leave at the same time."""

from __future__ import annotations

from gateway_shim.parity.play.client import HOST_HEADER
from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.probe import request_bytes
from gateway_shim.parity.reply import Fate, Reply

__all__ = ["leave_together"]

# A gateway gives a callback up after 5 s, and then sends the next one.
_PATIENCE_SECONDS = 4.5


def leave_together(context: PlayContext, count: int) -> int:
    """Open streams, close all of them, and hold their disconnect callbacks.

    Args:
        context: the scenario's context.
        count: the number of streams.

    Returns:
        The largest number of disconnect callbacks that waited for an answer at the same time.

    Raises:
        OSError: the gateway does not answer.
        NotHttp: the gateway's answer is not HTTP.
    """
    session = context.session
    session.on_disconnect = Reply(fate=Fate.HOLD)
    connections = []
    for _ in range(count):  # a gateway waits for the head of a request for a few seconds only
        connections.append(context.client.connect())
        connections[-1].write(request_bytes("GET", "/crowd", (HOST_HEADER,)))
    for connection in connections:
        connection.read_head()
    for connection in connections:
        connection.close()
    context.wait(lambda _seconds: session.wait_held(count, _PATIENCE_SECONDS))
    held = session.most_held
    session.release()
    return held
