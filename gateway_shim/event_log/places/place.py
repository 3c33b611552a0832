"""The place of this server's log: a directory that the arbiter has made for its workers.

The arbiter sets the place before it forks the first worker, and each worker inherits it. So the old
and the new worker of a reload, and a worker that replaces a killed one, have the same directory.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["LOG_FOLDER", "MAX_WORKERS", "LogPlace", "current_place", "set_place"]

MAX_WORKERS = 64
"""The largest number of workers. All of them read every event, and take turns to append one."""

LOG_FOLDER = "log"
"""The folder of the log in the directory of a place."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A directory for what the workers of one server share.

    Args:
        directory: the directory. Only its owner can enter it.
        survives_restart: True if the directory is still there after a restart of the server.
        workers: the number of workers that serve at the same time. With more than one, each of
            them needs the log: none may go on with a log of its own.
        server: a random name of this run of the server. A server that is started again in the same
            directory has another one.
    """

    directory: Path
    survives_restart: bool
    workers: int = 1
    server: str = field(default_factory=lambda: secrets.token_hex(8), compare=False)

    @property
    def log_directory(self) -> Path:
        """The directory of the log. It may not exist yet."""
        return self.directory / LOG_FOLDER


_place: LogPlace | None = None


def set_place(place: LogPlace | None) -> None:
    """Set the place of this process and of the workers that it forks from now on."""
    global _place
    _place = place


def current_place() -> LogPlace | None:
    """Return the place that this process was given; None if no arbiter has made one."""
    return _place
