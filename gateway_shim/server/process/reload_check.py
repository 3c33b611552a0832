"""A program that says whether a worker could start; the arbiter goes on while it runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

__all__ = ["ReloadCheck"]

_KEPT_BYTES = 64 * 1024
"""The end of the program's output that is kept."""


class ReloadCheck:
    """A check of the settings and the code that a next worker would start with.

    Starts its program at once. Call :meth:`is_over` about once a second, because the program waits
    when it has written 64 KB that nobody has read. Then :attr:`problem` has the result.

    Args:
        command: the program and its arguments.
        accepted: the line that the program prints if a worker could start.
        seconds: time limit; the program is killed when it is over.
        clock: monotonic seconds.

    Attributes:
        problem: why a worker could not start; None if it could, or if that is not known yet.
    """

    def __init__(
        self,
        command: Sequence[str],
        accepted: str,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.problem: str | None = None
        self._accepted = accepted
        self._seconds = seconds
        self._clock = clock
        self._deadline = clock() + seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._written = b""
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that what it starts is killed with it
            )
        except OSError as exc:
            self.problem = f"the check did not work: {exc}"
            return
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)

    def is_over(self) -> bool:
        """Look whether the program has ended. Does not block."""
        if self._process is None:
            return True
        # Asked first: what it wrote before its end is then in the pipe.
        ended = self._process.poll() is not None
        self._read()
        if ended:
            self.problem = self._reason()
            self._output.close()
            self._process = None
            return True
        if self._clock() >= self._deadline:
            self.kill()
            self.problem = (
                f"the check took longer than {self._seconds:g} s and was ended;"
                " find what waits while tasks or the hook are imported"
            )
            return True
        return False

    def kill(self) -> None:
        """End the program, and what it has started, at once; nothing if it has ended."""
        if self._process is None:
            return
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._output.close()
        self._process = None

    def _read(self) -> None:
        # The status of the program's end tells nothing: the arbiter waits for every child, and
        # may have taken it.
        for _ in range(16):
            try:
                data = os.read(self._output.fileno(), _KEPT_BYTES)
            except BlockingIOError:
                return
            if not data:
                return
            self._written = (self._written + data)[-_KEPT_BYTES:]

    def _reason(self) -> str | None:
        lines = self._written.decode("utf-8", "replace").split("\n")
        if self._accepted in lines:
            return None
        said = next((line for line in reversed(lines) if line), "it says nothing")
        return said.removeprefix("Error: ")
