"""Processes of a server that append and read (:mod:`tests.faults.redis.worker`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import gevent

from tests.support.processes.companion import Companion
from tests.support.timing import wait_until

__all__ = ["Worker", "until_all_go_on", "worker"]


class Worker:
    """A process that appends and reads, and what it has told.

    Args:
        companion: the process.
    """

    def __init__(self, companion: Companion) -> None:
        self._companion = companion
        self.appended: list[int] = []
        self.read: list[tuple[str, int, int]] = []
        self._reader = gevent.spawn(self._listen)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._companion.pid

    def kill(self) -> None:
        """Kill it with SIGKILL, and read what it has told before."""
        self._companion.process.kill()
        self._reader.join()

    def _listen(self) -> None:
        with contextlib.suppress(AssertionError):  # it was killed, perhaps in the middle of a line
            while True:
                what, *values = self._companion.read_line().split()
                assert what != "lost", "the process has lost entries"
                if what == "appended":
                    self.appended.append(int(values[0]))
                else:
                    self.read.append((values[0], int(values[1]), int(values[2])))


@contextlib.contextmanager
def worker(folder: Path, url: str, prefix: str, writer: int) -> Iterator[Worker]:
    """Run a process of the server."""
    arguments = [str(folder), url, prefix, str(writer)]
    with Companion("tests.faults.redis.worker", arguments) as companion:
        yield Worker(companion)


def until_all_go_on(*workers: Worker) -> None:
    """Wait until each process has appended and read some more."""
    goals = [(one, len(one.appended) + 30, len(one.read) + 30) for one in workers]
    wait_until(
        lambda: (
            gevent.sleep(0)
            or all(len(one.appended) >= more and len(one.read) >= most for one, more, most in goals)
        ),
        lambda: f"progress: {[(len(one.appended), len(one.read)) for one in workers]}",
    )
