"""A listener that keeps what a log tells it, and other helpers for tests of logs."""

from __future__ import annotations

import os
from pathlib import Path

from gateway_shim.event_log.log import Log

__all__ = ["Recorder", "event", "everything", "open_files"]


class Recorder:
    """A listener.

    Args:
        log: the log; the recorder reads from it what is about to be trimmed.

    Attributes:
        calls: the number of calls of ``appended``.
        trimmed: the positions through which the log was trimmed.
        saved: the frames that could still be read when the log was about to be trimmed.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self.calls = 0
        self.trimmed: list[int] = []
        self.saved: list[bytes] = []

    def appended(self) -> None:
        """Count the call."""
        self.calls += 1

    def trimming(self, through: int) -> None:
        """Read what is about to go."""
        self.trimmed.append(through)
        run = self._log.run(through - 1, ("r:a",), 0)  # as streams do it
        self.saved.append(b"" if run is None else bytes(run.data))


def event(number: int, size: int = 0) -> bytes:
    """Return an event that is a number and some more bytes."""
    return b"data: %d%b\n\n" % (number, b"." * size)


def everything(log: Log) -> list[tuple[int, str | None, bytes]]:
    """Return all entries that a log has, as plain values."""
    read = log.read(log.oldest - 1, 10**9)
    assert read is not None
    return [(entry.position, entry.audience, bytes(entry.frame)) for entry in read]


def open_files(folder: Path) -> list[str]:
    """Return the files in a folder that this process has open, also those that were removed.

    A count of all descriptors would change when garbage of other tests is collected.
    """
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except FileNotFoundError:  # the one that the list was read with
            continue
        if target.startswith(f"{folder}/"):
            found.append(target)
    return found
