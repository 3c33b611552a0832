"""The check before a reload: a program that runs while the arbiter continues its work."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence

__all__ = ["ReloadCheck"]

_KEPT_BYTES = 64 * 1024
"""The number of bytes that are kept of the output; the last ones are kept."""


class ReloadCheck:
    """A check of the settings and the code that the next worker would start with.

    The program starts at once. Call :meth:`is_over` about once a second: it also reads the output,
    and the program blocks after 64 KB that were not read. Then :attr:`problem` has the result.

    Args:
        command: the program and its arguments.
        accepted: the line that the program prints if a worker could start.
        seconds: time limit; the program is killed after this time.
        clock: monotonic seconds.

    Attributes:
        problem: the reason why a worker could not start; None if it could, or while the check
            runs.
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
        # None once the program has ended, or if it could not be started.
        self._process: subprocess.Popen[bytes] | None = None
        # The last bytes of the program's output.
        self._written = b""
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this program itself
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that its own children are killed with it
            )
        except OSError as exc:
            self.problem = f"the check could not be started: {exc}"
            return
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)

    def is_over(self) -> bool:
        """Return whether the program has ended or was killed. Does not block."""
        if self._process is None:
            return True
        # Poll before reading: once the program has ended, all of its output is in the pipe.
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
                f"the check took longer than {self._seconds:g} s and was killed;"
                " find the import of a task or of the hook that does not end"
            )
            return True
        return False

    def kill(self) -> None:
        """Kill the program and its children; do nothing if the program has ended."""
        if self._process is None:
            return
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._output.close()
        self._process = None

    def _read(self) -> None:
        # The output is the result of the check, not the exit status: the arbiter waits for every
        # child, so it may have taken the exit status already.
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
        last = next((line for line in reversed(lines) if line), "the check has printed nothing")
        return last.removeprefix("Error: ")
