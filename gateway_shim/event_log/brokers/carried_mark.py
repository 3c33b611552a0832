"""The tag of the newest entry that a server has copied, for the carrier that comes next."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from gateway_shim.event_loop.descriptors import close_now

__all__ = ["Carried", "CarriedMark"]

_NAME = "carried"
_BYTES = 256


class Carried(NamedTuple):
    """An entry that was copied.

    Args:
        epoch: its epoch.
        position: its position.
        tag: its tag.
    """

    epoch: str
    position: int
    tag: str


class CarriedMark:
    """The file of the tag, beside the copy. Only the carrier writes it.

    The file is written after the copy. So after a kill it may name an earlier entry, which
    nobody minds: the carrier then compares the bytes of the newest one.

    Args:
        directory: the directory of the log.

    Attributes:
        last: the entry that was copied last; None if it is unknown.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _NAME
        self._descriptor = -1
        self.last: Carried | None = None

    def open(self) -> None:
        """Read what the carrier before has left.

        Raises:
            OSError: the file cannot be opened.
        """
        self.close()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o600)
        words = os.pread(self._descriptor, _BYTES, 0).decode("ascii", "replace").split()
        if len(words) == 4 and words[1].isdigit() and words[3] == ".":
            self.last = Carried(words[0], int(words[1]), words[2])

    def write(self, carried: Carried) -> None:
        """Note an entry that was copied."""
        self.last = carried
        text = f"{carried.epoch} {carried.position} {carried.tag} ."
        with contextlib.suppress(OSError):  # without space the bytes are compared instead
            os.pwrite(self._descriptor, text.encode().ljust(_BYTES), 0)

    def close(self) -> None:
        """Close the file."""
        self.last = None
        if self._descriptor >= 0:
            close_now(self._descriptor)
            self._descriptor = -1
