"""Notices that the backend behind HTTP has started anew, and has the orphaned streams ended.

After a crash the backend knows none of the streams that its earlier process accepted. They stay
open and get heartbeats, but never an event. So they are ended, and their browsers come back.

After a reload of the backend two processes answer for a while. The earlier one still sends the
events of its running tasks, and then ends its streams itself. So streams are ended only after
their start has been silent for some seconds, counted from the first answer of a later one. Signs
of life are an answer to a callback and a send to a stream of that start.

Where no browser comes or goes, no callback would be answered. So the backend is asked by itself.
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
"""Seconds of silence of the earlier start before its streams are ended."""

ASK_SECONDS = 5.0
"""Seconds without any answer before the backend is asked which start it is."""


class BackendStarts:
    """Compares the starts of the backend that answer.

    Times are compared by the backend's wall clock. If that is set back between two starts, the
    later one looks like the earlier one: nothing is ended then.

    Args:
        clock: monotonic seconds.
        sleep: waits for seconds, by the same clock.

    Attributes:
        end_earlier: called to end the streams of every start before the given one.
        ask: called to have the backend answer something; blocks until it has.
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
        self._newest: Boot | None = None
        self._answered_at = -math.inf
        self._silent_at = math.inf  # when an earlier start will have been silent long enough
        self._waiting: gevent.Greenlet[[], None] | None = None
        self._noted: set[str] = set()

    def answered(self, status: int, header: str | None) -> Boot | None:
        """Note an answer to a callback.

        Args:
            status: the answer's HTTP status.
            header: its ``SSE-Backend-Boot``, if it has one.

        Returns:
            The start that has answered; None if the answer does not say it.
        """
        if header is None:
            if 200 <= status < 300:
                self._note_once(
                    logging.INFO,
                    f"the backend's answers have no {BOOT_HEADER}: should it crash, its streams"
                    " stay open without events until they end by themselves",
                )
            return None
        boot = parse_boot(header)
        if boot is None:
            self._note_once(
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
            if self._waiting is None:
                self._waiting = gevent.spawn(self._wait_for_silence)
        elif boot.start < newest.start:
            self._silent_at = self._clock() + SILENCE_SECONDS
        elif self._waiting is None and self._clock() >= self._silent_at:
            # An earlier start has accepted streams since, and is silent now. This is looked at
            # only here: if it was the later one with a wrong clock, the newest does not answer.
            self._end_earlier(newest)
        return boot

    def run(self, streams: Sized) -> None:
        """Ask the backend whenever nothing was answered for a while; run it in a greenlet.

        A backend that has never said its start is not asked: it may not speak this header.

        Args:
            streams: the open ones; without any there is nothing to ask for.
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
                # Something was answered since, or the timer has fired some microseconds early.
                pause = ASK_SECONDS - silent

    def sent(self, boot: Boot) -> None:
        """Note a send to a stream: the start that has accepted the stream is alive.

        Args:
            boot: the stream's start.
        """
        newest = self._newest
        if self._silent_at < math.inf and newest is not None and boot.start < newest.start:
            self._silent_at = self._clock() + SILENCE_SECONDS

    def _wait_for_silence(self) -> None:
        while (seconds := self._silent_at - self._clock()) > 0:
            self._sleep(seconds)
        self._waiting = None
        assert self._newest is not None  # noqa: S101 - set before this is spawned
        self._end_earlier(self._newest)

    def _end_earlier(self, boot: Boot) -> None:
        self._silent_at = math.inf
        self.end_earlier(boot)

    def _note_once(self, level: int, message: str) -> None:
        name = logging.getLevelName(level)
        if name not in self._noted:
            self._noted.add(name)
            logger.log(level, message)
