"""Notices that a backend behind HTTP has restarted, and ends the streams of its earlier process.

After a crash the backend knows none of the streams that its earlier process accepted. They stay
open and get heartbeats, but never an event. So they are ended, and their browsers reconnect.

After a reload of the backend two processes answer for a while. The earlier process still sends the
events of its running tasks, and then ends its streams itself. So the streams of a start are ended
only after that start has been silent for some seconds, counted from the first answer of a later
start. A start is not silent if it answers a callback, or sends to a stream that it has accepted.

While no browser comes or goes, there are no callbacks and so no answers. Then the gateway asks the
backend for its start.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sized

import gevent

from gateway_shim.protocol.backend_start import BOOT_HEADER, Boot, parse_boot

__all__ = ["ASK_SECONDS", "SILENCE_SECONDS", "BackendStarts"]

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 3.0
"""The silence of an earlier start after which its streams are ended, seconds."""

ASK_SECONDS = 5.0
"""The time without any answer after which the backend is asked for its start, seconds."""


class BackendStarts:
    """Compares the starts of the backend that have answered.

    Starts are compared by the backend's wall clock. If that clock is set back between two starts,
    the later start looks like the earlier one, and no stream is ended.

    Args:
        clock: monotonic seconds.
        sleep: waits for seconds, by the same clock.

    Attributes:
        end_earlier: called to end the streams of every start before the given one.
        ask: called to get an answer from the backend; blocks until the request has ended.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = gevent.sleep,
    ) -> None:
        self.end_earlier: Callable[[Boot], None] = lambda _: None
        self.ask: Callable[[], object] = lambda: None
        self._clock = clock
        self._sleep = sleep
        # The latest start that has answered.
        self._newest: Boot | None = None
        # The time of the last answer of any start.
        self._answered_at = -math.inf
        # The time at which an earlier start will have been silent long enough.
        self._silent_at = math.inf
        # The greenlet that waits for this time; None: no earlier start is being watched.
        self._waiter: gevent.Greenlet[[], None] | None = None
        # The levels of the messages that were logged. Each message is logged once.
        self._logged: set[str] = set()

    def answered(self, status: int, header: str | None) -> Boot | None:
        """Note an answer to a callback.

        Args:
            status: the answer's HTTP status.
            header: the answer's ``SSE-Backend-Boot`` header, if it has one.

        Returns:
            The start that has answered; None if the answer does not name it.
        """
        if header is None:
            if 200 <= status < 300:
                self._log_once(
                    logging.INFO,
                    f"the backend's answers have no {BOOT_HEADER} header; if the backend crashes,"
                    " its streams stay open without events until their clients leave",
                )
            return None
        boot = parse_boot(header)
        if boot is None:
            self._log_once(
                logging.WARNING, f"the backend's {BOOT_HEADER} is malformed: {header[:80]!r}"
            )
            return None
        self._answered_at = self._clock()
        newest = self._newest
        if newest is None:
            self._newest = boot
        elif boot.start > newest.start:
            self._newest = boot
            self._silent_at = self._clock() + SILENCE_SECONDS
            if self._waiter is None:
                self._waiter = gevent.spawn(self._wait_for_silence)
        elif boot.start < newest.start:
            self._silent_at = self._clock() + SILENCE_SECONDS
        elif self._waiter is None and self._clock() >= self._silent_at:
            # An earlier start has answered after its streams were ended, and is silent again. It
            # may have accepted streams meanwhile. If its clock is wrong and it is in fact the later
            # start, the newest start never answers again, so this line is not reached.
            self._end_earlier(newest)
        return boot

    def run(self, streams: Sized) -> None:
        """Ask the backend whenever it has not answered for a while. Call this in a new greenlet.

        A backend that has never named its start is not asked: it may not know the header.

        Args:
            streams: the open streams. While there are none, the backend is not asked.
        """
        pause = ASK_SECONDS
        while True:
            self._sleep(pause)
            pause = ASK_SECONDS
            if self._newest is None or not streams:
                continue
            silent = self._clock() - self._answered_at
            if silent >= ASK_SECONDS:
                self.ask()
            else:
                # The backend has answered meanwhile, or the timer fired some microseconds early.
                pause = ASK_SECONDS - silent

    def sent(self, boot: Boot) -> None:
        """Note a send to a stream: the start that has accepted the stream is alive.

        Args:
            boot: the start that has accepted the stream.
        """
        newest = self._newest
        if self._silent_at < math.inf and newest is not None and boot.start < newest.start:
            self._silent_at = self._clock() + SILENCE_SECONDS

    def _wait_for_silence(self) -> None:
        while (seconds := self._silent_at - self._clock()) > 0:
            self._sleep(seconds)
        self._waiter = None
        assert self._newest is not None  # noqa: S101 - set before this is spawned
        self._end_earlier(self._newest)

    def _end_earlier(self, boot: Boot) -> None:
        self._silent_at = math.inf
        self.end_earlier(boot)

    def _log_once(self, level: int, message: str) -> None:
        name = logging.getLevelName(level)
        if name not in self._logged:
            self._logged.add(name)
            logger.log(level, message)
