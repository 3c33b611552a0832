"""The action that judges heartbeats: whether each comes one interval after its beginning.

The kit and the gateway may both stop for a while on a busy machine. So a wall clock alone cannot
say that a heartbeat is late, and a heartbeat counts as wrong only if that is certain:

*early*
    It was read before a gateway could have sent it, counted from the request for the stream.
*late*
    An event that was sent after its time limit came before it in the stream. So the gateway has run
    after the time limit, and a right gateway writes heartbeats that are due first.
"""

from __future__ import annotations

import time

from gateway_shim.parity.play.actions.streams import HEARTBEAT, read_to_mark
from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.steps import AwaitHeartbeats

__all__ = ["await_heartbeats"]

_ON_TIME = "1 interval"
_NEVER = "never"
_TOLERANCE = 0.25  # of a heartbeat interval


def await_heartbeats(context: PlayContext, step: AwaitHeartbeats) -> None:
    """Run an :class:`AwaitHeartbeats`: judge when each heartbeat comes.

    Raises:
        OSError: the gateway does not answer.
        NotHttp: the gateway's answer is not HTTP.
    """
    interval = float(context.heartbeat_seconds)
    tolerance = _TOLERANCE * interval
    # The stream was opened, or the previous heartbeat was sent, between these two times.
    earliest, latest = context.opened[step.stream]
    seen: list[str] = []
    for count in range(1, step.count + 1):
        earliest += interval
        in_time = _await(context, step.stream, count, latest + interval + tolerance)
        if in_time is None:
            seen.append(_NEVER)
            break
        came = time.monotonic()
        right = in_time and came >= earliest - tolerance
        seen.append(_ON_TIME if right else f"{came - latest:.2f} s")
        latest = came
    context.values[f"first_after:{step.stream}"] = _summary(seen[:1])
    context.values[f"apart:{step.stream}"] = _summary(seen[1:])


def _await(context: PlayContext, stream: str, count: int, limit: float) -> bool | None:
    """Wait until a stream has a number of heartbeats.

    Returns:
        False if the last one is certainly late; None if it does not come at all.
    """
    connection = context.streams[stream]

    def there(body: bytes) -> bool:
        return body.count(HEARTBEAT) >= count

    if connection.read_until(there, limit - time.monotonic()):
        return True
    if there(read_to_mark(context, stream)):
        return True
    came = context.wait(lambda seconds: connection.read_until(there, seconds))
    return False if came else None


def _summary(seen: list[str]) -> str:
    """Return ``1 interval`` if every heartbeat is right; otherwise the different results."""
    return ", ".join(dict.fromkeys(seen)) or _NEVER
