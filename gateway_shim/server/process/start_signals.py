"""The signals between the start of a server's program and the arbiter's own handlers.

Importing a server's modules takes a good part of a second. Until the arbiter has its handlers:

- SIGTERM and SIGQUIT end the process, which is their default.
- SIGINT ends the process, too. Python's own handler would raise ``KeyboardInterrupt`` anywhere, and
  in the middle of an import the result would be a traceback.
- SIGHUP ends a gateway on a port, as it ends the Node gateway. The backend remembers SIGHUP and
  reloads once it has started: a user who has changed a setting must not stop the service.

This module imports only small modules, because a program calls it before its other imports.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

__all__ = ["START", "StartSignals"]

_HANGUP_SECONDS = 10.0
"""A SIGHUP that arrives later than this after the terminal was closed asks for a reload."""

_TERMINAL = "/dev/tty"
"""The controlling terminal of the process that opens this file (tty(4))."""


class StartSignals:
    """The signals that arrived before the arbiter's handlers, and the terminal of the start.

    Call :meth:`begin` as early as possible. The arbiter calls the other methods.
    """

    def __init__(self, terminal: str = _TERMINAL) -> None:
        self._path = terminal
        # True once look_for_terminal() was called.
        self._has_looked = False
        # True if the process was started from a terminal.
        self._has_terminal = False
        # The time at which the closed terminal was noticed, monotonic seconds.
        self._gone_since: float | None = None
        # True if a SIGHUP was remembered.
        self._hangup_noted = False

    def begin(self, *, remember_hangup: bool = False) -> None:
        """Handle the signals of the start. Handlers that other code has set stay.

        Args:
            remember_hangup: remember SIGHUP instead of letting it end the process.
        """
        self.look_for_terminal()
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        if remember_hangup and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            signal.signal(signal.SIGHUP, self._note_hangup)

    def look_for_terminal(self) -> None:
        """Note whether the process has a controlling terminal. A second call does nothing."""
        if self._has_looked:
            return
        self._has_looked = True
        # nohup starts a program with SIGHUP ignored, so that the program outlives its terminal.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self._has_terminal = self._terminal_opens()

    def give_back_interrupt(self) -> None:
        """Let SIGINT raise ``KeyboardInterrupt`` again, for a command that is not a server."""
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def take_hangup(self) -> bool:
        """Return whether a SIGHUP was remembered, and forget the signal."""
        noted, self._hangup_noted = self._hangup_noted, False
        return noted

    def terminal_is_gone(self) -> bool:
        """Return whether the process had a controlling terminal at its start and has none now.

        The kernel takes the terminal away from the whole session before it sends SIGHUP. A process
        that was started by nohup, setsid or systemd counts as a process without a terminal.
        """
        return self._has_terminal and not self._terminal_opens()

    def forget_old_terminal(self, now: float) -> None:
        """Forget a terminal that was closed some time ago. Call this about once a second.

        A program that was started with ``disown`` outlives its terminal and gets no SIGHUP then. A
        SIGHUP that a user sends weeks later asks for a reload.

        Args:
            now: monotonic seconds.
        """
        if not self.terminal_is_gone():
            self._gone_since = None
        elif self._gone_since is None:
            self._gone_since = now
        elif now - self._gone_since >= _HANGUP_SECONDS:
            self._has_terminal = False

    def _terminal_opens(self) -> bool:
        try:
            os.close(os.open(self._path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
        except OSError:
            return False
        return True

    def _note_hangup(self, sig: int, frame: FrameType | None) -> None:
        self._hangup_noted = True


START = StartSignals()
"""The only object in this process, because signals belong to the process as a whole."""
