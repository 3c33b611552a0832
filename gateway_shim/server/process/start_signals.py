"""Signals between the start of a server's program and the arbiter's own handlers.

Importing a server's modules takes a good part of a second. Until the arbiter has its handlers:

- SIGTERM and SIGQUIT end the process, by default.
- SIGINT does so as well. Python's own handler raises ``KeyboardInterrupt`` wherever the program is:
  in the middle of an import it ends as a traceback.
- SIGHUP ends a gateway on a port, as it ends the Node gateway. The backend remembers it and reloads
  once it has started: whoever has changed a setting must not stop the service.

Only light modules are imported here, because a program calls this before its other imports.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

__all__ = ["START", "StartSignals"]

_HANGUP_SECONDS = 10.0
"""A SIGHUP that comes later than this after the terminal has gone is not about the terminal."""

_TERMINAL = "/dev/tty"
"""The controlling terminal of whichever process opens it (tty(4))."""


class StartSignals:
    """The signals that came before the arbiter's handlers, and the terminal of the start.

    Call :meth:`begin` as early as possible. The arbiter asks the rest.
    """

    def __init__(self, terminal: str = _TERMINAL) -> None:
        self._path = terminal
        self._has_looked = False
        self._has_terminal = False
        self._gone_since: float | None = None
        self._hangup_noted = False

    def begin(self, *, remember_hangup: bool = False) -> None:
        """Take over the signals of the start; handlers of others stay as they are.

        Args:
            remember_hangup: SIGHUP is to be remembered instead of ending the process.
        """
        self.look_for_terminal()
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        if remember_hangup and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            signal.signal(signal.SIGHUP, self._note_hangup)

    def look_for_terminal(self) -> None:
        """Note whether the process has a controlling terminal; does nothing the second time."""
        if self._has_looked:
            return
        self._has_looked = True
        # nohup starts a program with SIGHUP ignored, because it is to outlive its terminal.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self._has_terminal = self._terminal_opens()

    def give_back_interrupt(self) -> None:
        """Let SIGINT raise ``KeyboardInterrupt`` again, for a command that is not a server."""
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def take_hangup(self) -> bool:
        """Return whether a SIGHUP was remembered, and forget it."""
        noted, self._hangup_noted = self._hangup_noted, False
        return noted

    def terminal_is_gone(self) -> bool:
        """Return whether the process had a controlling terminal at its start, and has none now.

        The kernel takes the terminal away from the whole session before it sends SIGHUP. A process
        that was started by nohup, setsid or systemd counts as one that has no terminal.
        """
        return self._has_terminal and not self._terminal_opens()

    def forget_old_terminal(self, now: float) -> None:
        """Forget a terminal that has been gone for a while; call it about once a second.

        A program that was started with ``disown`` outlives its terminal without a SIGHUP. One that
        somebody sends weeks later asks for a reload.

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
"""The one object of this process: signals belong to the process as a whole."""
