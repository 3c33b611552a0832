"""The processes that use a log: how they wake each other, and how far each has come.

Each process has a mark (:mod:`gateway_shim.event_log.processes`), whose file also holds the
position that the process has completed, and a named pipe: a byte in it wakes the process. A write
to the pipe of a process that has ended fails, and the kernel reports the pipe as broken as soon as
its process ends. So the dead are noticed at once, without any clock.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent.monkey import get_original

from gateway_shim.errors import LogDamaged, LogUnavailable
from gateway_shim.event_log.processes import ProcessMark, is_running, remove_dead
from gateway_shim.event_log.segments import files
from gateway_shim.event_log.segments.head import Head
from gateway_shim.event_loop.descriptors import close_now

__all__ = ["LAG_ENTRIES", "STUCK_SECONDS", "Members"]

LAG_ENTRIES = 16
"""The entries that another process may be behind before an append waits for it."""

STUCK_SECONDS = 1.0
"""A process that is behind and completes no entry for this time is not waited for."""

_FOLDER = "wake"
_PAUSE = 0.001
_MAPPED_BYTES = 8

_epoll = get_original("select", "epoll")  # gevent removes it, because its wait would block the loop


class Members:
    """This process and the others. Make it after the fork.

    Args:
        directory: the log's directory.
        head: the head of the epoch.

    Attributes:
        descriptor: this process's pipe, which can be read when another process has woken it.
        ends: a descriptor that can be read when another process has ended (:meth:`remove_ended`).

    Raises:
        LogUnavailable: the mark or the pipe could not be made.
    """

    def __init__(self, directory: Path, head: Head) -> None:
        self._directory = directory
        self._folder = directory / _FOLDER
        self._mark = ProcessMark(directory)
        self._path = self._folder / self._mark.name
        self._others: list[_Other] = []
        # The names of those that serve; None: to be found out.
        self._serving: list[str] | None = None
        self._seen: int | None = None
        try:
            self._broken_pipes = _epoll()
            self._mark.reserve(_MAPPED_BYTES)
            self._completed = _map_completed(self._mark.path)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            os.mkfifo(self._path, 0o600)
            # Open for writing, too: otherwise the pipe stays readable once a writer has closed it.
            self.descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self._mark.close()
            # Not the path, which is another one each time: a problem is logged once.
            raise files.unavailable(error, self._folder) from error
        self.ends = self._broken_pipes.fileno()
        head.change_members()
        # What killed processes have left.
        self._look(head)
        remove_dead(directory)

    @property
    def is_in_place(self) -> bool:
        """False if another program has removed this process's files."""
        return self._path.exists() and self._mark.path.exists()

    @property
    def name(self) -> str:
        """The name of this process's mark."""
        return self._mark.name

    def others(self, head: Head) -> list[str]:
        """Return the names of the other processes that serve, and are not known to have ended.

        A process serves once it has called :meth:`completed`: it reads all later entries.
        """
        if head.members != self._seen:
            self._look(head)
        names = self._serving
        if names is None:
            names = [other.name for other in self._others if other.serves]
            if len(names) == len(self._others):
                self._serving = names
        return names

    def remove_ended(self) -> None:
        """Forget the processes that have ended. Allowed in the hub."""
        broken = {descriptor for descriptor, _ in self._broken_pipes.poll(0)}
        for other in self._others[:]:
            if other.descriptor in broken:
                self._remove(other)

    def take_over(self, earlier: Members) -> None:
        """Go on in the place of this process's earlier files, which another program has removed."""
        self._completed[0] = earlier._completed[0]

    def completed(self, position: int) -> None:
        """Note the position that this process has completed, for the others to see."""
        self._completed[0] = position + 1

    def drain(self) -> None:
        """Read the bytes that have woken this process."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.descriptor, 4096)

    def wake(self, head: Head) -> None:
        """Wake the other processes. Does not block."""
        if head.members != self._seen:
            self._look(head)
        for other in self._others[:]:
            if not other.wake():
                self._remove(other)

    def wait_for_slow(self, head: Head, newest: Callable[[], int]) -> None:
        """Wait while another process that serves is far behind. May let other greenlets run.

        Of two processes that are far behind, the slower one does not wait for the other: the
        greenlet that waits here may be the one that delivers what this process has yet to deliver.

        Args:
            head: the head of the epoch.
            newest: returns the newest position.
        """
        if head.members != self._seen:
            self._look(head)
        while [one for one in self._others if one.is_slow(newest(), self._completed[0])]:
            # The bytes find out which processes have ended.
            self.wake(head)
            gevent.sleep(_PAUSE)

    def close(self, head: Head) -> None:
        """Leave the log. The watchers of the descriptors must be closed before."""
        for other in self._others:
            other.close()
        self._others.clear()
        self._serving = []
        self._broken_pipes.close()
        if self.descriptor >= 0:
            self._path.unlink(missing_ok=True)
            # Not close_now: the event loop may not yet have forgotten the descriptor.
            os.close(self.descriptor)
            self.descriptor = -1
        self._mark.close()
        head.change_members()

    def _look(self, head: Head) -> None:
        """Find out which other processes there are; none after :meth:`close`."""
        if self.descriptor < 0:  # an append that has waited meanwhile
            return
        self._seen, self._serving = head.members, None
        known = {other.name: other for other in self._others}
        self._others.clear()
        with contextlib.suppress(OSError):
            for name in os.listdir(self._folder):
                if name == self._mark.name:
                    continue
                other = known.pop(name, None) or self._open(name)
                if other is not None:
                    self._others.append(other)
                elif not is_running(self._directory, name):
                    self._clean(name)
        for other in known.values():
            self._close(other)

    def _open(self, name: str) -> _Other | None:
        other = _Other.open(self._directory, name)
        if other is not None:
            self._broken_pipes.register(other.descriptor, 0)  # errors are reported without a mask
        return other

    def _close(self, other: _Other) -> None:
        # A forked process may have a copy of the pipe, which would then be reported for ever.
        self._broken_pipes.unregister(other.descriptor)
        other.close()

    def _remove(self, other: _Other) -> None:
        self._others.remove(other)
        self._serving = None
        self._close(other)
        if not is_running(self._directory, other.name):
            self._clean(other.name)
        else:
            self._seen = None  # the kernel has closed its pipe and not yet its mark: look again

    def _clean(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / name).unlink(missing_ok=True)
            remove_dead(self._directory)


class _Other:
    """Another process.

    Args:
        name: the name of its mark.
        descriptor: its pipe.
        completed: its mark's memory.
    """

    def __init__(self, name: str, descriptor: int, completed: memoryview) -> None:
        self.name = name
        self.descriptor = descriptor
        self._completed = completed
        # What it had completed when it was seen to be behind, and when that was.
        self._stands_at = 0
        self._since: float | None = None

    @classmethod
    def open(cls, directory: Path, name: str) -> _Other | None:
        """Open the files of a process; None if it has ended or has not made them all yet."""
        path = directory / _FOLDER / name
        try:
            # Fails with ENXIO if no process reads from the pipe.
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            return cls(name, descriptor, _map_completed(directory / "processes" / name))
        except (OSError, LogDamaged, LogUnavailable):
            close_now(descriptor)
            return None

    @property
    def serves(self) -> bool:
        """True if it reads the log. While it opens the log, it would miss what is told."""
        return self._completed[0] != 0

    def wake(self) -> bool:
        """Wake it; return False if it has ended."""
        try:
            os.write(self.descriptor, b"\0")
        except BlockingIOError:
            pass  # the pipe is full: it will wake up
        except OSError:
            return False
        return True

    def is_slow(self, newest: int, own: int) -> bool:
        """Return True if it is far behind, slower than this process, and goes on.

        Args:
            newest: the newest position.
            own: this process's number; both numbers are the completed position and one, or 0
                for a process that has not served yet.
        """
        completed = self._completed[0]
        # After a new epoch, its old position may be ahead for a moment.
        if completed == 0 or newest + 1 - completed <= LAG_ENTRIES or 0 < own <= completed:
            self._since = None
            return False
        now = time.monotonic()
        if self._since is None or completed != self._stands_at:
            self._stands_at, self._since = completed, now
        return now - self._since < STUCK_SECONDS

    def close(self) -> None:
        """Close its pipe."""
        close_now(self.descriptor)


def _map_completed(path: Path) -> memoryview:
    return memoryview(files.open_mapped(path, _MAPPED_BYTES))[:_MAPPED_BYTES].cast("Q")
