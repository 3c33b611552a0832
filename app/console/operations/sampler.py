"""Takes a sample every five seconds while the process serves, and sends it to the consoles."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import gevent

from app.console.operations.advising import advise
from app.console.operations.feed import OperationsFeed
from app.console.operations.limits import OperationsLimits
from app.console.operations.sample import Sample
from app.console.operations.workers.server_samples import ServerSamples
from app.lifecycle import LifetimeEvent, ShutdownCoordinator
from app.state.workers_folder import WorkersFolder

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
        folder: the folder of the workers; None: there is one worker.
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
        folder: WorkersFolder | None = None,
    ) -> None:
        self._source = source
        self._read_limits = read_limits
        self._feed = feed
        self._interval = interval
        self._clock = clock
        self._samples = ServerSamples(interval, KEPT_SAMPLES, folder or WorkersFolder(lambda: None))
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
            self._samples.end()

    def take(self) -> None:
        """Take a sample, keep it, and send it. An error is logged, once until it is over."""
        try:
            sample = self._source.read()
            self._samples.add(sample)
            if self._samples.are_shared:
                gevent.sleep(self._samples.gathering_seconds)
            if len(self._feed):
                samples, for_page = self._samples.read()
                if samples:
                    self._feed.offer(for_page[-1] | {"warnings": self._warnings(samples)})
            self._has_failed = False
        except Exception:
            if not self._has_failed:
                logger.exception("no sample of the server's figures could be taken")
            self._has_failed = True

    def state(self) -> dict[str, Any]:
        """Return the kept samples, the warnings and the limits, as the page gets them."""
        samples, for_page = self._samples.read()
        return {
            "interval_seconds": self._interval,
            "kept_samples": KEPT_SAMPLES,
            "samples": for_page,
            "warnings": self._warnings(samples),
            "limits": self._read_limits().as_json(),
        }

    def _warnings(self, samples: Sequence[Sample]) -> list[dict[str, str]]:
        return [
            {"kind": advice.kind, "level": advice.level.value, "text": advice.text}
            for advice in advise(samples, self._read_limits())
        ]

    def _run(self) -> None:
        due = self._clock()
        while True:
            if self._samples.are_shared:
                gevent.sleep(self._samples.seconds_to_next())
            else:
                # A sample that took long does not delay the later ones.
                due = max(due + self._interval, self._clock())
                gevent.sleep(due - self._clock())
            self.take()

    def _on_lifetime_event(self, event: LifetimeEvent) -> None:
        if event is LifetimeEvent.SHUTDOWN:
            self.stop()
