"""A terminal that a program runs at, and that a test can close."""

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
    """A context manager: a pseudo-terminal, closed at the end if not before."""

    def __enter__(self) -> Self:
        """Open it."""
        # File objects, because gevent's os.close leaves a descriptor open for a while.
        self._master, self._slave = (FileIO(descriptor, "r+") for descriptor in os.openpty())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def command(self, command: Sequence[str], *, output: bool = False) -> list[str]:
        """Return the command that runs another one with this as its controlling terminal.

        Start it as the leader of a new session.

        Args:
            command: what to run.
            output: its output goes to the terminal, too.
        """
        name = os.ttyname(self._slave.fileno())
        where = "output" if output else "none"
        return [sys.executable, "-c", _AT_TERMINAL, name, where, *command]

    def close(self) -> None:
        """Close it, as a terminal's window: the kernel hangs up the session that runs at it."""
        self._slave.close()
        self._master.close()
