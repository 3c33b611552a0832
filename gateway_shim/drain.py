"""Draining: every stream ends cleanly, and its browser is told when to come back."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import gevent

from gateway_shim import wire
from gateway_shim.stream import OutboxFull, StreamState
from gateway_shim.streams import Streams
from gateway_shim.turns import YIELD_EVERY, let_others_run

__all__ = ["end_all"]

_POLL_SECONDS = 0.02
_FIRST_RETRY_MS = 1000
_RETRY_VARIANTS = 64


def end_all(
    streams: Streams, last: bytes, spread: float, deadline: float, clock: Callable[[], float]
) -> None:
    """End every stream with a ``retry:`` of its own and the last event; cut those that linger.

    The pauses differ so that the browsers of a whole site do not come back in the same instant.

    Args:
        streams: the gateway's.
        last: the encoded last event, the same for all; empty for none.
        spread: over how many seconds the browsers are to come back.
        deadline: by ``clock``; what has not taken its last bytes by then is cut.
        clock: monotonic seconds.
    """
    goodbyes = [wire.frame(wire.retry(pause) + last) for pause in _pauses(spread)]
    for count, connection in enumerate(list(streams.by_token.values()), 1):
        goodbye = random.choice(goodbyes)  # noqa: S311 - only to spread
        stream = connection.stream
        if stream.state is StreamState.OPEN:
            streams.close(connection, stream.bytes_of(goodbye))
        elif stream.state is StreamState.CONNECTING:
            with contextlib.suppress(OutboxFull):  # it ends anyway, once the backend has answered
                stream.hold(goodbye, close=True)
        if count % YIELD_EVERY == 0:
            let_others_run()
    while (streams.by_token or streams.closing) and clock() < deadline:
        gevent.sleep(_POLL_SECONDS)
    streams.cut()


def _pauses(spread: float) -> list[int]:
    """From one second on, evenly over the spread; milliseconds."""
    step = spread * 1000 / _RETRY_VARIANTS
    return [_FIRST_RETRY_MS + round(step * index) for index in range(_RETRY_VARIANTS)]
