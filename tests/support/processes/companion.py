"""A helper that runs in a process of its own for as long as a test needs it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Companion"]

_ROOT = Path(__file__).resolve().parents[3]


class Companion:
    """A context manager: a module of the tests as a process, which is spoken to by lines.

    Args:
        module: its name, such as ``tests.faults.canary.canary``.
        arguments: its arguments.
    """

    def __init__(self, module: str, arguments: Sequence[str]) -> None:
        self._command = [sys.executable, "-m", module, *arguments]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start it, and wait until it is ready."""
        self._process = subprocess.Popen(
            self._command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            self._wait_until_ready()
        except BaseException:  # a greenlet that is killed while it waits is no exception to this
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill it: the kernel closes its connections."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):  # a line that it did not take is still to be written
                pipe.close()

    def _wait_until_ready(self) -> None:
        """Wait for what says that it does its work; by default for nothing."""

    def _tell(self, line: str) -> None:
        process = self._process
        assert process is not None, "not entered"
        assert process.stdin is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()

    def _hear(self) -> str:
        """Return its next line; empty if it has ended."""
        process = self._process
        assert process is not None, "not entered"
        assert process.stdout is not None
        return process.stdout.readline()
