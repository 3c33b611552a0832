"""The samples of the last minutes, as the rules look at them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.console.operations.sample import GatewaySample, LogSample, Sample

__all__ = [
    "LOSS_SECONDS",
    "NEARLY_FULL",
    "RECENT_SECONDS",
    "History",
    "log_of",
    "of_gateway",
    "of_log",
]

RECENT_SECONDS = 60
"""The time for which the page tells what has happened."""
LOSS_SECONDS = 300
"""The time for which it tells that something was lost."""
NEARLY_FULL = 0.9
"""The share of a limit from which the page tells that the limit is near."""


class History:
    """The samples of the last minutes.

    Args:
        samples: at least one, oldest first.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self.oldest = samples[0]
        self.newest = samples[-1]

    def last(self, seconds: int) -> list[Sample]:
        """Return the samples of the last seconds, the newest included."""
        since = self.newest.time - seconds * 1000
        return [sample for sample in self.samples if sample.time > since]

    def increase(self, total: Callable[[Sample], int], seconds: int) -> int:
        """Return by how much a total has grown in the last seconds.

        Without a sample from before, the process is young, and its totals began at 0.

        Args:
            total: returns the total of a sample.
            seconds: the length of the time.
        """
        since = self.newest.time - seconds * 1000
        before = [total(sample) for sample in self.samples if sample.time <= since]
        return max(total(self.newest) - (before[-1] if before else 0), 0)


def log_of(sample: Sample) -> LogSample | None:
    """Return the figures of the log; None if there is no log."""
    return None if sample.gateway is None else sample.gateway.log


def of_gateway(total: Callable[[GatewaySample], int]) -> Callable[[Sample], int]:
    """Return a function that reads a total of the gateway; 0 if there is none."""
    return lambda sample: 0 if sample.gateway is None else total(sample.gateway)


def of_log(total: Callable[[LogSample], int]) -> Callable[[Sample], int]:
    """Return a function that reads a total of the log; 0 if there is none."""

    def read(sample: Sample) -> int:
        log = log_of(sample)
        return 0 if log is None else total(log)

    return read
