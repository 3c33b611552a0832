"""A server as the first process of a process namespace, as in a container. Needs root."""

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
    """A server whose number is 1 where it runs; everything ends with it.

    Args:
        command: what to run; see :class:`Server`.
        env: its whole environment, beside PORT; None: as every server's.
        cwd: where it runs.
    """

    def __init__(
        self, command: list[str], *, env: Mapping[str, str] | None = None, cwd: Path
    ) -> None:
        super().__init__([*_UNSHARE, *command], cwd=cwd, env=env)

    def first_pid(self) -> int:
        """The number that the process has outside."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return int(wait_until(children.read_text, "the first process"))

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the first process, as a container's engine does."""
        os.kill(self.first_pid(), number)
