"""What systemd hands to a service: sockets that listen already, and whom to tell how it is."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

__all__ = ["Notifier", "listening_already"]

logger = logging.getLogger(__name__)

_FEEDS_PER_LIMIT = 4
"""How often the watchdog is fed while one of its limits passes: one that is late does no harm."""

_ROOM_SECONDS = 1.0
"""Seconds that a message may wait for room: a busy machine fills systemd's short queue."""


def listening_already(environ: Mapping[str, str] | None = None, pid: int | None = None) -> bool:
    """Whether this process was started by socket activation (``sd_listen_fds(3)``).

    Args:
        environ: the environment; this process's by default.
        pid: whose; this process's by default.
    """
    environ = os.environ if environ is None else environ
    pid = os.getpid() if pid is None else pid
    try:
        return int(environ.get("LISTEN_PID", "0")) == pid and int(environ["LISTEN_FDS"]) > 0
    except (KeyError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Notifier:
    """Tells systemd how the service is (``sd_notify(3)``); silent if nobody wants to know.

    The process that serves is a child of the one that systemd started, so the unit needs
    ``NotifyAccess=all``.

    Args:
        address: the socket to write to; None: nobody wants to know.
        watchdog_seconds: a service that is silent for so long is restarted; None: it is not.
    """

    address: str | None = None
    watchdog_seconds: float | None = None

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str]) -> Notifier:
        """Take the address out of an environment.

        Out of it, because gunicorn would say READY before there is anybody who serves, and so
        that no process which a task starts can speak for the service.

        Args:
            environ: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are removed.
        """
        address = environ.pop("NOTIFY_SOCKET", "") or None
        limit = environ.pop("WATCHDOG_USEC", "")
        # Whose it is does not matter: one of our processes is meant, and the one that feeds it
        # is never the one that systemd knows.
        environ.pop("WATCHDOG_PID", None)
        microseconds = int(limit) if limit.isascii() and limit.isdigit() else 0
        return cls(address, microseconds / 1e6 if address and microseconds else None)

    def interval(self, longest: float) -> float:
        """How often to call :meth:`alive`.

        Args:
            longest: seconds; not less often than this in any case.
        """
        if self.watchdog_seconds is None:
            return longest
        return min(longest, self.watchdog_seconds / _FEEDS_PER_LIMIT)

    def ready(self) -> None:
        """Say that requests are being served."""
        self._tell("READY=1\nSTATUS=Serving")

    def stopping(self) -> None:
        """Say that the shutdown has begun."""
        self._tell("STOPPING=1\nSTATUS=Draining")

    def alive(self) -> None:
        """Feed the watchdog, if there is one. To be called from the event loop.

        Blocks, cooperatively, for at most the time until the watchdog has to be fed again.
        """
        if self.watchdog_seconds is not None:
            self._tell("WATCHDOG=1", self.interval(_ROOM_SECONDS))

    def _tell(self, state: str, room_seconds: float = _ROOM_SECONDS) -> None:
        if self.address is None:
            return
        # "@" stands for the zero byte of an abstract address.
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                # A full queue is waited for, and the wait ends the moment there is room: a
                # message that is dropped instead, or sent later, may come too late for a
                # watchdog, and READY=1 is sent only once.
                sock.settimeout(room_seconds)
                sock.connect(address)
                sock.send(state.encode())
        except OSError as exc:
            # Never fatal: systemd itself will act if it hears too little.
            logger.warning("systemd was not told %s: %s", state.split("\n")[0], exc)
