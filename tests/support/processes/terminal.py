"""A pseudo-terminal for a program, which a test can close."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import FileIO
from types import TracebackType
from typing import Self

__all__ = ["Terminal"]

# The first terminal that a session's leader opens becomes the session's controlling terminal.
_AT_TERMINAL = """
import os, sys
terminal = os.open(sys.argv[1], os.O_RDWR)
if sys.argv[2] == "output":
    os.dup2(terminal, 1)
    os.dup2(terminal, 2)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Terminal:
    """A context manager that opens a pseudo-terminal and closes it at the end of the block."""

    def __enter__(self) -> Self:
        """Open the terminal."""
        # File objects, because gevent's os.close leaves a descriptor open for a while.
        self._master, self._slave = (FileIO(descriptor, "r+") for descriptor in os.openpty())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the terminal."""
        self.close()

    def command(self, command: Sequence[str], *, output: bool = False) -> list[str]:
        """Return a command that runs another command with this controlling terminal.

        The process must be the leader of a new session.

        Args:
            command: the other command.
            output: True if the output goes to the terminal, too.
        """
        name = os.ttyname(self._slave.fileno())
        where = "output" if output else "none"
        return [sys.executable, "-c", _AT_TERMINAL, name, where, *command]

    def close(self) -> None:
        """Close the terminal, as its window would. The kernel then hangs up the session."""
        self._slave.close()
        self._master.close()
