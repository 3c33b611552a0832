"""Peers of several processes, which share a list instead of a log."""

from __future__ import annotations

from typing import Any

import gevent

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.streams.peers.peers import Peers

__all__ = ["Wire", "WiredLog"]


class Wire:
    """Some processes.

    Attributes:
        entries: the notes that were appended.
        kept: the parcels.
        is_full: True if nothing can be appended.
    """

    def __init__(self) -> None:
        self.logs: list[WiredLog] = []
        self.entries: list[bytes] = []
        self.kept: dict[str, bytes] = {}
        self.is_full = False

    def join(self, *, name: str = "") -> WiredLog:
        """Add a process, which does not read notes yet."""
        log = WiredLog(self, name or f"p-{len(self.logs) + 1}")
        self.logs.append(log)
        return log

    def put(self, data: bytes) -> str:
        """Keep a parcel."""
        if self.is_full:
            raise LogUnavailable("no space")
        name = f"parcel {len(self.kept)}"
        self.kept[name] = data
        return name

    def take(self, name: str) -> bytes | None:
        """Hand out a parcel."""
        return self.kept.pop(name, None)

    def sweep(self) -> None:
        """Do nothing."""


class WiredLog(MemoryLog):
    """The log of one of the processes.

    Args:
        wire: the processes.
        name: the name of the process.

    Attributes:
        peers: the peers of the process.
        is_stopped: True if the process reads no notes, as after SIGSTOP.
    """

    def __init__(self, wire: Wire, name: str) -> None:
        super().__init__(LogLimits(1 << 16))
        self._wire = wire
        self._name = name
        self.parcels: Any = wire
        self.peers = Peers()
        self.is_stopped = False
        self._greenlets: list[gevent.Greenlet[..., None]] = []

    @property
    def process(self) -> str:
        """The name of the process."""
        return self._name

    def rename(self, name: str) -> None:
        """Give the process another name."""
        self._name = name

    def others(self) -> list[str]:
        """Return the names of the others."""
        return [log.process for log in self._wire.logs if log is not self]

    def start(self) -> Peers:
        """Read notes."""
        self._greenlets = self.peers.follow(self, self.append_note)
        return self.peers

    def append_note(self, data: bytes) -> None:
        """Append a note, which all processes read at once."""
        if self._wire.is_full:
            raise LogUnavailable("no space")
        self._wire.entries.append(data)
        for log in list(self._wire.logs):
            if not log.is_stopped:
                log.peers.noted(data)

    def end(self) -> None:
        """End the process."""
        self._wire.logs.remove(self)
        self.peers.close()
        gevent.killall(self._greenlets)
