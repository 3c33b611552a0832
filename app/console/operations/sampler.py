"""Takes a sample every five seconds while the process serves, and keeps those of ten minutes."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import gevent

from app.console.operations.advising import advise
from app.console.operations.feed import OperationsFeed
from app.console.operations.limits import OperationsLimits
from app.console.operations.sample import Sample
from app.lifecycle import LifetimeEvent, ShutdownCoordinator

__all__ = ["INTERVAL_SECONDS", "KEPT_SAMPLES", "Sampler"]

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 5.0
"""The time from one sample to the next."""

KEPT_SAMPLES = 120
"""The number of samples that are kept: those of ten minutes."""


class SampleSource(Protocol):
    """The source of the samples, such as :class:`app.console.operations.reader.SampleReader`."""

    def begin(self) -> None:
        """Begin the first interval."""
        ...

    def read(self) -> Sample:
        """Read a sample."""
        ...


class Sampler:
    """The samples of the last ten minutes. An error of one sample leaves a gap, and is logged.

    Args:
        source: reads a sample.
        read_limits: returns the limits that the figures are compared with.
        feed: gets each sample.
        shutdown_coordinator: its SHUTDOWN, at which the streams end, stops the sampler.
        interval: seconds from one sample to the next.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        source: SampleSource,
        read_limits: Callable[[], OperationsLimits],
        feed: OperationsFeed,
        shutdown_coordinator: ShutdownCoordinator,
        *,
        interval: float = INTERVAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._read_limits = read_limits
        self._feed = feed
        self._interval = interval
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=KEPT_SAMPLES)
        # The same for the page. To make them anew for each request takes 6 ms.
        self._for_page: deque[dict[str, Any]] = deque(maxlen=KEPT_SAMPLES)
        self._greenlet: gevent.Greenlet[[], None] | None = None
        self._has_failed = False
        shutdown_coordinator.register_lifetime_notification(self._on_lifetime_event)

    def start(self) -> None:
        """Start to take samples, in the process that serves. A second call changes nothing."""
        if self._greenlet is None:
            self._source.begin()
            self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Stop taking samples."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
            self._greenlet = None

    def take(self) -> None:
        """Take a sample, keep it, and send it. An error is logged, once until it is over."""
        try:
            sample = self._source.read()
            self._samples.append(sample)
            self._for_page.append(sample.as_json())
            self._feed.offer(self._for_page[-1] | {"warnings": self._warnings()})
            self._has_failed = False
        except Exception:
            if not self._has_failed:
                logger.exception("no sample of the server's figures could be taken")
            self._has_failed = True

    def state(self) -> dict[str, Any]:
        """Return the kept samples, the warnings and the limits, as the page gets them."""
        return {
            "interval_seconds": self._interval,
            "kept_samples": KEPT_SAMPLES,
            "samples": list(self._for_page),
            "warnings": self._warnings(),
            "limits": self._read_limits().as_json(),
        }

    def _warnings(self) -> list[dict[str, str]]:
        return [
            {"kind": advice.kind, "level": advice.level.value, "text": advice.text}
            for advice in advise(self._samples, self._read_limits())
        ]

    def _run(self) -> None:
        due = self._clock()
        while True:
            # A sample that took long does not delay the later ones.
            due = max(due + self._interval, self._clock())
            gevent.sleep(due - self._clock())
            self.take()

    def _on_lifetime_event(self, event: LifetimeEvent) -> None:
        if event is LifetimeEvent.SHUTDOWN:
            self.stop()
