"""A child process of the tests: started for a block, and killed with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.timing import TIME_LIMIT

__all__ = ["ROOT", "ChildProcess"]

ROOT = Path(__file__).resolve().parents[3]
"""The root folder of the repository."""


class ChildProcess:
    """A context manager that runs a command.

    The command leads a session and a process group of its own. At the end of the block the whole
    group is killed. All servers and helper processes of the tests are started by this class.

    Subclasses override :meth:`_wait_until_ready`, and :meth:`_stop` if the process should end
    in a gentler way before it is killed.

    Args:
        command: the program and its arguments.
        env: the whole environment; None: the environment of the tests.
        cwd: the working directory.
        stdin: the standard input, as for :class:`subprocess.Popen`.
        stderr: the standard error, as for :class:`subprocess.Popen`. The output is a pipe.
        pass_fds: the descriptors that the process inherits.

    Attributes:
        env: the whole environment. It may be changed until the process is started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        stdin: int = subprocess.DEVNULL,
        stderr: int | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.env = dict(os.environ if env is None else env)
        self._command = list(command)
        self._cwd = cwd
        self._stdin = stdin
        self._stderr = stderr
        self._pass_fds = pass_fds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the process and wait until it is ready."""
        self._process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self.env,
            stdin=self._stdin,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,  # so that everything it starts can be killed together
            pass_fds=self._pass_fds,
        )
        try:
            self._wait_until_ready()
        except BaseException:  # also GreenletExit, if the waiting greenlet is killed
            self._kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the process and kill everything that it started.

        Raises:
            AssertionError: the process did not end as it should. This error is not raised if the
                block itself has failed.
        """
        try:
            self._stop()
        except AssertionError:
            if error is None:
                raise
        finally:
            self._kill()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started.

        Raises:
            AssertionError: no process was started.
        """
        assert self._process is not None, f"not started: {' '.join(self._command)}"
        return self._process

    @property
    def pid(self) -> int:
        """The process id of the process that was started."""
        return self.process.pid

    def _wait_until_ready(self) -> None:
        """Wait until the process does its work. By default, do not wait."""

    def _stop(self) -> None:
        """Ask the process to end. By default, do nothing, because the process is killed next.

        Raises:
            AssertionError: the process did not end as it should.
        """

    def _kill(self) -> None:
        """Kill the process group, and close the pipes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(TIME_LIMIT)
        self._join_reader(TIME_LIMIT)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # the process has not read the last line
                    pipe.close()

    def _join_reader(self, limit: float) -> None:
        """Wait for the thread that reads the output, if a subclass has one, at most ``limit`` s."""
