"""Many clients that leave at the same time, and how many of their ends are told side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_shim.parity.play.client import HOST_HEADER
from gateway_shim.parity.play.probe import request_bytes
from gateway_shim.parity.reply import Fate, Reply

if TYPE_CHECKING:
    from gateway_shim.parity.play.stage import Stage

__all__ = ["leave_at_once"]

_PATIENCE_SECONDS = 4.5  # a gateway gives a callback up after 5, and tells of the next then


def leave_at_once(stage: Stage, count: int) -> int:
    """Open streams, close them all, and hold what the backend is told.

    Args:
        stage: where.
        count: how many streams.

    Returns:
        How many disconnect callbacks waited for their answer at the same time, at most.

    Raises:
        OSError: the gateway does not answer.
        NotHttp: what it answers is no HTTP.
    """
    stage.session.on_disconnect = Reply(fate=Fate.HOLD)
    connections = [stage.client.connect() for _ in range(count)]
    for connection in connections:
        connection.write(request_bytes("GET", "/crowd", (HOST_HEADER,)))
    for connection in connections:
        connection.read_head()
    for connection in connections:
        connection.close()
    stage.wait(lambda _seconds: stage.session.wait_held(count, _PATIENCE_SECONDS))
    held = stage.session.most_held
    stage.session.release()
    return held
