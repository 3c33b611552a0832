"""Helper processes of a test, which exchange lines with the test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from tests.support.processes.child import ChildProcess
from tests.support.timing import TIME_LIMIT

__all__ = ["Companion"]


class Companion(ChildProcess):
    """A context manager that runs a module of the tests as a process.

    The test writes lines to the standard input of the process, and reads lines from its standard
    output. The process is killed at the end of the block, so the kernel closes its connections.

    Args:
        module: the name of the module or package, such as ``tests.faults.canary``.
        arguments: the command line arguments.
    """

    def __init__(self, module: str, arguments: Sequence[str]) -> None:
        command = [sys.executable, "-m", module, *arguments]
        super().__init__(command, stdin=subprocess.PIPE)

    def write_line(self, line: str) -> None:
        """Write a line to the standard input of the process."""
        pipe = self.process.stdin
        assert pipe is not None
        pipe.write(f"{line}\n".encode())
        pipe.flush()

    def read_line(self) -> str:
        """Wait for the next line of the output, and return it without its line end.

        Raises:
            AssertionError: the process has ended.
        """
        pipe = self.process.stdout
        assert pipe is not None
        line = pipe.readline().decode()
        assert line.endswith("\n"), f"the process has ended: {' '.join(self._command)}"
        return line.removesuffix("\n")

    def finish(self) -> int:
        """Close the standard input of the process, wait for its end, and return its exit status."""
        pipe = self.process.stdin
        assert pipe is not None
        pipe.close()
        return self.process.wait(TIME_LIMIT)
