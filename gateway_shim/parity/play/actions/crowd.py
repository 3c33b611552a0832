"""The action of many clients that leave at the same time."""

from __future__ import annotations

from gateway_shim.parity.play.client import HOST_HEADER
from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.probe import PATIENCE, request_bytes
from gateway_shim.parity.reply import Fate, Reply

__all__ = ["leave_together"]

# A gateway gives a callback up after 5 s, and then sends the next one.
_PATIENCE_SECONDS = 4.5

_ROUNDS = 3


def leave_together(context: PlayContext, count: int) -> int:
    """Open streams, close all of them, and hold their disconnect callbacks.

    On a busy machine some callbacks may come too late to be held with the others. Then the whole is
    done again. A gateway that limits the number of its callbacks has the same limit each time.

    Args:
        context: the scenario's context.
        count: the number of streams.

    Returns:
        The largest number of disconnect callbacks that waited for an answer at the same time.

    Raises:
        OSError: the gateway does not answer.
        NotHttp: the gateway's answer is not HTTP.
    """
    context.session.on_disconnect = Reply(fate=Fate.HOLD)
    for _ in range(_ROUNDS):
        _leave_once(context, count)
        if context.session.most_held >= count:
            break
        context.backend.wait_idle(PATIENCE)
    return context.session.most_held


def _leave_once(context: PlayContext, count: int) -> None:
    session = context.session
    session.hold()
    connections = [context.client.connect() for _ in range(count)]
    for connection in connections:
        connection.write(request_bytes("GET", "/crowd", (HOST_HEADER,)))
    for connection in connections:
        connection.read_head()
    for connection in connections:
        connection.close()
    context.wait(lambda _seconds: session.wait_held(count, _PATIENCE_SECONDS))
    session.release()
