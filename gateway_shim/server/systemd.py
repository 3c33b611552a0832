"""The interface to systemd: sockets that systemd hands over, and reports to systemd."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

__all__ = ["Notifier", "listening_already"]

logger = logging.getLogger(__name__)

_FEEDS_PER_LIMIT = 4
"""The number of watchdog messages per time limit of the watchdog. One late message is harmless."""

_ROOM_SECONDS = 1.0
"""The time that a message may wait for room in systemd's queue, which a busy machine can fill."""


def listening_already(environ: Mapping[str, str] | None = None, pid: int | None = None) -> bool:
    """Return whether systemd has handed sockets to a process (``sd_listen_fds(3)``).

    Args:
        environ: the process's environment; None for this process's.
        pid: the process; None for this process.
    """
    environ = os.environ if environ is None else environ
    pid = os.getpid() if pid is None else pid
    try:
        return int(environ.get("LISTEN_PID", "0")) == pid and int(environ["LISTEN_FDS"]) > 0
    except (KeyError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Notifier:
    """A reporter of the service's state to systemd (``sd_notify(3)``).

    The process that serves is a child of the one that systemd started, so the unit needs
    ``NotifyAccess=all``.

    Args:
        address: the socket to write to; None to report nothing.
        watchdog_seconds: systemd restarts the service after this time without a message; None if
            systemd does not watch the service.
    """

    address: str | None = None
    watchdog_seconds: float | None = None

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Make a notifier from an environment, and remove systemd's variables from it.

        Otherwise gunicorn would report READY before a worker serves, and a process that a task
        starts could report for the service.

        Args:
            environ: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are removed.
        """
        address = environ.pop("NOTIFY_SOCKET", "") or None
        limit = environ.pop("WATCHDOG_USEC", "")
        # WATCHDOG_PID is ignored. It names the arbiter, which systemd has started, but the worker
        # sends the messages.
        environ.pop("WATCHDOG_PID", None)
        microseconds = int(limit) if limit.isascii() and limit.isdigit() else 0
        return cls(address, microseconds / 1e6 if address and microseconds else None)

    def interval(self, longest: float) -> float:
        """Return the time between two calls of :meth:`alive`, seconds.

        Args:
            longest: the result is never longer than this, seconds.
        """
        if self.watchdog_seconds is None:
            return longest
        return min(longest, self.watchdog_seconds / _FEEDS_PER_LIMIT)

    def ready(self) -> None:
        """Report that the service serves requests."""
        self._send("READY=1\nSTATUS=Serving")

    def stopping(self) -> None:
        """Report that the shutdown has begun."""
        self._send("STOPPING=1\nSTATUS=Draining")

    def alive(self) -> None:
        """Report to systemd's watchdog, if it is on. Call this from the event loop.

        Blocks cooperatively, for at most the time until the next report is due.
        """
        if self.watchdog_seconds is not None:
            self._send("WATCHDOG=1", self.interval(_ROOM_SECONDS))

    def _send(self, state: str, room_seconds: float = _ROOM_SECONDS) -> None:
        if self.address is None:
            return
        # "@" stands for the zero byte of an abstract address.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                # If the queue is full, wait until there is room. A message that is dropped or
                # sent later may come too late for the watchdog, and READY=1 is sent only once.
                sock.settimeout(room_seconds)
                sock.connect(address)
                sock.send(state.encode())
        except OSError as exc:
            # Never fatal: systemd has its own time limits for missing messages.
            logger.warning("cannot report %s to systemd: %s", state.split("\n")[0], exc)
