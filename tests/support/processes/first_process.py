"""A server that is the first process of a process namespace, as in a container. Needs root."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from tests.support.processes.server import Server
from tests.support.timing import wait_until

__all__ = ["FirstProcess"]

_UNSHARE = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child=SIGKILL", "--"]


class FirstProcess(Server):
    """A server that has the process id 1 in its namespace. All other processes end with it.

    Args:
        command: the program and its arguments, as for :class:`Server`.
        env: additions to the environment, as for :class:`Server`.
        cwd: the working directory.
    """

    def __init__(
        self, command: list[str], *, env: Mapping[str, str] | None = None, cwd: Path
    ) -> None:
        super().__init__([*_UNSHARE, *command], cwd=cwd, env=env)

    def first_pid(self) -> int:
        """Return the process id of the first process outside the namespace."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return int(wait_until(children.read_text, "the first process"))

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the first process, as a container engine does."""
        os.kill(self.first_pid(), number)
