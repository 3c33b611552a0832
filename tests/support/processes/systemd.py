"""systemd's side of a service: the socket that it is told on, and sockets that it hands over."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.timing import TIME_LIMIT

__all__ = ["FakeManager", "socket_activated"]


class FakeManager:
    """A context manager: what systemd is to a service with ``Type=notify``.

    Args:
        folder: where its socket goes.
    """

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        """Listen."""
        self._socket.bind(self.address)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Listen no more."""
        self._socket.close()

    def told(self, limit: float = TIME_LIMIT) -> str | None:
        """The next message's first line; None if there is none in so many seconds."""
        self._socket.settimeout(limit)
        try:
            return self._socket.recv(4096).decode().split("\n")[0]
        except TimeoutError:
            return None

    def told_until(self, wanted: str) -> list[str]:
        """All messages up to the wanted one.

        Raises:
            AssertionError: it did not come.
        """
        messages: list[str] = []
        while wanted not in messages:
            message = self.told()
            assert message is not None, f"no {wanted} after {messages}"
            messages.append(message)
        return messages


def socket_activated(listener: socket.socket, command: Sequence[str]) -> list[str]:
    """A command that is started as by a socket unit: its descriptor 3 listens already.

    Args:
        listener: must be inheritable, and passed on as it is.
        command: what to start.
    """
    # LISTEN_PID can be known only by the process itself, right before it becomes the command.
    program = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3, inheritable=True);"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1');"
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    os.set_inheritable(listener.fileno(), True)
    return [sys.executable, "-c", program, str(listener.fileno()), *command]
