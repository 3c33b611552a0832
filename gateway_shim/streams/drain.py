"""Ends streams cleanly: all of them, or those that an earlier start of the backend has accepted."""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Callable

import gevent

from gateway_shim.errors import OutboxFull
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.backend_start import Boot
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.lifecycle import StreamState
from gateway_shim.streams.registry import Streams

__all__ = ["CONNECTS_PER_SECOND", "FIRST_RETRY_MS", "Farewells", "end_all", "end_earlier"]

logger = logging.getLogger(__name__)

CONNECTS_PER_SECOND = 1000
"""The number of browsers that may reconnect in one second.

One process on two cores was measured to take 2,770 a second (README.md, "connects, with callback
and version event"). The limit is a third of this number, because the process does other work, too.
"""

FIRST_RETRY_MS = 500
"""The shortest pause, milliseconds. A drain without slow clients ends in less time."""

_ENDED_AT_ONCE = 256
_POLL_SECONDS = 0.02
_RETRY_VARIANTS = 64


class Farewells:
    """The last event of the streams of one drain, with different pauses in ``retry:``.

    The pauses differ so that the browsers of a whole site do not reconnect at the same moment. The
    fewer streams there are, the shorter is the longest pause: two browsers do not have to wait.

    Args:
        event: the encoded last event.
        streams: the number of streams.
        spread: the longest time over which the browsers reconnect, seconds.
    """

    def __init__(self, event: bytes, streams: int, spread: float) -> None:
        seconds = min(spread, streams / CONNECTS_PER_SECOND)
        step = seconds * 1000 / _RETRY_VARIANTS
        pauses = {FIRST_RETRY_MS + round(step * index) for index in range(_RETRY_VARIANTS)}
        self._frames = [
            event_stream.frame(event_stream.with_retry(event, pause)) for pause in sorted(pauses)
        ]

    def draw(self) -> Frame:
        """Return the event with one of the pauses."""
        return random.choice(self._frames)  # noqa: S311 - only spreads the browsers


def end_all(
    streams: Streams, farewells: Farewells | None, deadline: float, clock: Callable[[], float]
) -> None:
    """End every stream, with a last event if there is one. Cut the streams that take too long.

    Args:
        streams: the gateway's streams.
        farewells: the last events; None: the streams just end.
        deadline: the time by ``clock`` at which the remaining streams are cut.
        clock: monotonic seconds.
    """
    for connection in list(streams.by_token.values()):
        stream = connection.stream
        farewell = None if farewells is None else farewells.draw()
        if stream.state is StreamState.OPEN:
            streams.close(connection, b"" if farewell is None else stream.bytes_of(farewell))
        elif stream.connecting:
            stream.skip_first_event()  # the farewell has its own pause
            # A stream that overflows ends anyway, once the backend has answered.
            with contextlib.suppress(OutboxFull):
                stream.hold(farewell, close=True)
        let_others_run_if_due()
    while (streams.by_token or streams.closing) and clock() < deadline:
        gevent.sleep(_POLL_SECONDS)
    streams.cut()


def end_earlier(
    streams: Streams, boot: Boot, sleep: Callable[[float], object] = gevent.sleep
) -> None:
    """End the streams that earlier starts of the backend have accepted. No event is added.

    They end a few at a time, so that no more browsers reconnect in a second than the backend can
    take. Streams whose backend does not name its start stay.

    Args:
        streams: the gateway's streams.
        boot: the start whose streams stay, and the streams of later starts.
        sleep: waits for a number of seconds.
    """
    ended = 0
    for connection in list(streams.by_token.values()):
        stream = connection.stream
        if stream.state is not StreamState.OPEN or stream.boot is None:
            continue
        if stream.boot.start < boot.start:
            if ended == 0:  # after a reload no such stream is left, and no warning is needed
                logger.warning(
                    "the backend has restarted; ending the streams of its earlier process"
                )
            streams.close(connection)
            ended += 1
            if ended % _ENDED_AT_ONCE == 0:
                sleep(_ENDED_AT_ONCE / CONNECTS_PER_SECOND)
        let_others_run_if_due()
    if ended:
        logger.info("ended the streams of the backend's earlier process", extra={"streams": ended})
