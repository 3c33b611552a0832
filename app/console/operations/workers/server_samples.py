"""The kept samples: those of this process, or of all workers if there are several."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.console.operations.sample import Sample
from app.console.operations.workers.merging import merge
from app.console.operations.workers.sample_files import SampleFiles
from app.state.workers_folder import WorkersFolder
from gateway_shim.server.process.worker_number import worker_number

__all__ = ["GATHERING_SHARE", "ServerSamples"]

GATHERING_SHARE = 0.1
"""The share of an interval after which the samples of all workers are expected to be there."""

_UNSETTLED = 4
"""The newest intervals, whose samples may be completed by a worker that is late."""


class ServerSamples:
    """The samples of the last minutes.

    Args:
        interval: the seconds from one sample to the next.
        kept: the number of samples that are kept.
        folder: the folder of the workers; it is open if there are several.
        number: returns the number of this worker.
        now: returns the seconds since 1970.
    """

    def __init__(
        self,
        interval: float,
        kept: int,
        folder: WorkersFolder,
        *,
        number: Callable[[], int] = worker_number,
        now: Callable[[], float] = lambda: datetime.now(UTC).timestamp(),
    ) -> None:
        self._interval = interval
        self._kept = kept
        self._folder = folder
        self._number = number
        self._now = now
        self._files = SampleFiles(folder, interval, kept)
        self._own: deque[Sample] = deque(maxlen=kept)
        # The same for the page. To make them anew for each request takes 6 ms.
        self._for_page: deque[dict[str, Any]] = deque(maxlen=kept)
        # Those of the server that do not change any more, by the number of their interval, oldest
        # first; and the processes that they were made of.
        self._merged: dict[int, tuple[Sample, dict[str, Any]]] = {}
        self._processes: set[tuple[str, bool]] = set()

    @property
    def are_shared(self) -> bool:
        """True if the server has several workers, which take their samples at the same moments."""
        return self._folder.is_open

    def seconds_to_next(self) -> float:
        """Return the time until all workers take their next samples, seconds."""
        return self._interval - self._now() % self._interval

    @property
    def gathering_seconds(self) -> float:
        """The time after which the samples of all workers are expected to be there, seconds."""
        return GATHERING_SHARE * self._interval

    def add(self, sample: Sample) -> None:
        """Keep a sample of this process."""
        self._own.append(sample)
        self._for_page.append(sample.as_json())
        self._folder.look()
        if self.are_shared:
            self._files.write(self._number(), sample)

    def end(self) -> None:
        """Note that this process takes no more samples."""
        if self.are_shared:
            self._files.end()

    def read(self) -> tuple[list[Sample], list[dict[str, Any]]]:
        """Return the samples of the server, oldest first, and the same as the page gets them.

        With several workers, this may let other greenlets run.
        """
        if not self.are_shared:
            return list(self._own), list(self._for_page)
        series = self._files.read()
        processes = {(name, one.is_running) for name, one in series.items()}
        if processes != self._processes:  # what a process was that has ended is seen only now
            self._processes = processes
            self._merged.clear()
        # Before that, some workers may not have written yet. Half of it is for inexact timers.
        newest = math.floor((self._now() - self.gathering_seconds / 2) / self._interval)
        after = max(self._merged, default=newest - self._kept)
        for slot, sample in merge(series.values(), self._interval, after, newest).items():
            self._merged[slot] = sample, sample.as_json()
        shown = [
            self._merged[slot] for slot in self._merged if newest - self._kept < slot <= newest
        ]
        # A worker that is late may still change the newest ones.
        settled = range(newest - self._kept + 1, newest - _UNSETTLED + 1)
        self._merged = {slot: both for slot, both in self._merged.items() if slot in settled}
        return [sample for sample, _ in shown], [values for _, values in shown]
