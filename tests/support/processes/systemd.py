"""A stand-in for systemd: its notification socket, and the sockets that it passes to a service."""

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
    """A context manager that receives the notifications of a service with ``Type=notify``.

    Args:
        folder: the folder for the notification socket.

    Attributes:
        address: the path of the notification socket, for NOTIFY_SOCKET.
    """

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        """Start to listen."""
        self._socket.bind(self.address)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the socket."""
        self._socket.close()

    def next_message(self, limit: float = TIME_LIMIT) -> str | None:
        """Wait for the next message, and return its first line; None after ``limit`` seconds."""
        self._socket.settimeout(limit)
        try:
            return self._socket.recv(4096).decode().split("\n")[0]
        except TimeoutError:
            return None

    def messages_until(self, wanted: str) -> list[str]:
        """Wait for a message, and return the first lines of all messages up to this message.

        Raises:
            AssertionError: the message did not come.
        """
        messages: list[str] = []
        while wanted not in messages:
            message = self.next_message()
            assert message is not None, f"no {wanted} after {messages}"
            messages.append(message)
        return messages


def socket_activated(listener: socket.socket, command: Sequence[str]) -> list[str]:
    """Return a command that starts another command as a socket unit does.

    The other command inherits the listener as descriptor 3, with LISTEN_FDS and LISTEN_PID.

    Args:
        listener: a listening socket. The caller must pass its descriptor to the process.
        command: the command to start.
    """
    # Only the process itself knows its LISTEN_PID, right before it becomes the other command.
    program = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3, inheritable=True);"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1');"
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    os.set_inheritable(listener.fileno(), True)
    return [sys.executable, "-c", program, str(listener.fileno()), *command]
