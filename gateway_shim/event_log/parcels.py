"""Parcels: what one process sends another and what is too large for an entry of the log.

Large entries would push events out of the log. So the sender puts the bytes into a file beside the
log, and an entry names the file. Who takes a parcel removes it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gateway_shim.errors import LogUnavailable

__all__ = ["FileParcels", "NoParcels", "Parcels"]

_FOLDER = "parcels"
_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)

_STALE_SECONDS = 60.0
"""The age of a parcel that nobody takes any more: whoever has asked for it waits for seconds."""

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class Parcels(Protocol):
    """A place for parcels."""

    def put(self, data: bytes) -> str:
        """Keep some bytes, and return the name of the parcel.

        Raises:
            LogUnavailable: there is no space, or no right to write; the message says so.
        """
        ...

    def take(self, name: str) -> bytes | None:
        """Return the bytes of a parcel, and remove it; None if there is no such parcel."""
        ...

    def sweep(self) -> None:
        """Remove the parcels that nobody has taken in time. Call it now and then."""
        ...


class NoParcels:
    """No place for parcels: no other process would take them."""

    def put(self, data: bytes) -> str:
        """Refuse (:meth:`Parcels.put`)."""
        raise LogUnavailable("no other process shares the log")

    def take(self, name: str) -> bytes | None:
        """Return None: there is no parcel."""
        return None

    def sweep(self) -> None:
        """Do nothing."""


class FileParcels:
    """Parcels in files that only the server's user can read.

    Args:
        directory: the directory of the log. The files are in its folder ``parcels``, which the
            first parcel makes.
        clock: monotonic seconds.
    """

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._folder = directory / _FOLDER
        # When this process first saw each parcel. Not the time of the file: its clock can be set.
        self._seen: dict[str, float] = {}
        self.sweep()

    def put(self, data: bytes) -> str:
        """Write a file (:meth:`Parcels.put`)."""
        name = secrets.token_hex(16)
        path = self._folder / name
        try:
            with contextlib.suppress(FileExistsError):
                self._folder.mkdir(mode=0o700)
            descriptor = os.open(path, _FLAGS | os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb", buffering=0) as file:
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise LogUnavailable(
                f"cannot write {len(data)} bytes to {self._folder}: {error.strerror};"
                " make the directory writable for the server's user, with free space"
            ) from error
        return name

    def take(self, name: str) -> bytes | None:
        """Read and remove a file (:meth:`Parcels.take`)."""
        if _NAME.fullmatch(name) is None:
            return None
        path = self._folder / name
        try:
            with open(os.open(path, _FLAGS | os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                data = file.read()
            path.unlink(missing_ok=True)
        except OSError:
            return None
        return data

    def sweep(self) -> None:
        """Remove old files (:meth:`Parcels.sweep`)."""
        try:
            names = os.listdir(self._folder)
        except OSError:  # there was no parcel yet
            return
        now = self._clock()
        self._seen = {name: self._seen.get(name, now) for name in filter(_NAME.fullmatch, names)}
        for name, seen in self._seen.items():
            if now - seen > _STALE_SECONDS:
                with contextlib.suppress(OSError):  # its receiver has taken it meanwhile
                    (self._folder / name).unlink()
