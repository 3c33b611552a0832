"""The file ``head``: what the log is, and how far it goes. Mapped into all processes."""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
from pathlib import Path

from gateway_shim.errors import LogDamaged, LogUnavailable
from gateway_shim.event_log.segments import files
from gateway_shim.event_log.segments.layout import (
    HEAD_BYTES,
    WORDS_AT,
    Identity,
    check_version,
    head_size_is_ours,
    pack_identity,
    unpack_identity,
)
from gateway_shim.event_log.segments.words import seal, seed_of, unseal

__all__ = ["Head"]

_NAME = "head"
_NEW_NAME = "head.new"

# The places of the words.
_NEWEST, _OLDEST, _ENDED, _MEMBERS = (WORDS_AT // 8 + place for place in range(4))

# The values of the third word; 0 while the epoch goes on.
_FOLLOWED, _GAP = 1, 2
_ENDS = {
    _FOLLOWED: "a new epoch was begun and not finished",
    _GAP: "events were sent that are not in the log",
}


class Head:
    """The head of an epoch.

    Args:
        memory: the mapped file.
        epoch: the name of the epoch.
        inode: the number of the file.

    Attributes:
        epoch: the name of the epoch.
    """

    def __init__(self, memory: mmap.mmap, epoch: str, inode: int) -> None:
        self.epoch = epoch
        self._inode = inode
        # An item of this view is read and written by one instruction of eight bytes. The functions
        # of struct with a byte order would write byte after byte.
        self._words = _words_of(memory)
        self._newest_seed = seed_of(epoch, 1)
        self._oldest_seed = seed_of(epoch, 2)

    @classmethod
    def begin(cls, directory: Path, identity: Identity, first: int = 0) -> Head:
        """Put the head of a new epoch in the place of the old one. Call it with the lock held.

        The segment of the begin entry must exist.

        Args:
            directory: the log's directory.
            identity: the name of the epoch, and what its entries depend on.
            first: the position of the begin entry.

        Raises:
            OSError: the file could not be made.
        """
        cls.remove_unfinished(directory)
        new = directory / _NEW_NAME
        memory = files.create_mapped(new, HEAD_BYTES)
        packed = pack_identity(identity)
        memory[: len(packed)] = packed
        head = cls(memory, identity.epoch, new.stat().st_ino)
        head.oldest = first
        head.commit(first)
        head.change_members()
        # Processes that use the old head look at it at each append, but at its place only now and
        # then. If this process is killed here, they find an epoch that has ended, and begin one.
        _end(directory / _NAME)
        os.replace(new, directory / _NAME)
        return head

    @classmethod
    def open(cls, directory: Path, wanted: Identity) -> Head:
        """Open the head of the epoch that is in use.

        Args:
            directory: the log's directory.
            wanted: the signature and the boot that the log must have.

        Raises:
            FileNotFoundError: there is none.
            LogDamaged: the head cannot be used, so a new epoch must begin.
            LogUnavailable: the log must not be used.
        """
        path = directory / _NAME
        memory = files.open_mapped(path, 0)
        data = memory[:]
        if not head_size_is_ours(data):
            raise LogUnavailable(f"{path} is not a file of the log; remove it")
        epoch = unpack_identity(data, wanted)
        head = cls(memory, epoch, path.stat().st_ino)
        if head.has_ended:
            raise LogDamaged(_ENDS.get(head._words[_ENDED], "the file head is damaged"))
        return head

    @staticmethod
    def end_for_gap(directory: Path) -> None:
        """End the epoch that is in use, because events were sent that are not in it.

        Raises:
            FileNotFoundError: there is none.
            LogDamaged: the head is damaged.
            LogUnavailable: the head cannot be opened, or is of another version.
        """
        path = directory / _NAME
        memory = files.open_mapped(path, HEAD_BYTES)
        check_version(memory[:])
        words = _words_of(memory)
        if words[_ENDED] == 0:
            words[_ENDED] = _GAP

    @staticmethod
    def remove_unfinished(directory: Path) -> None:
        """Remove the head of an epoch that was not begun. Call it with the lock held."""
        (directory / _NEW_NAME).unlink(missing_ok=True)

    @property
    def word(self) -> int:
        """The word of the newest position. While it is the same, there are no new entries."""
        return self._words[_NEWEST]

    def newest_in(self, word: int) -> int:
        """Return the newest position.

        Args:
            word: the value of :attr:`word`.

        Raises:
            LogDamaged: the word is damaged.
        """
        return unseal(word, self._newest_seed)

    def commit(self, position: int) -> int:
        """Make the entry of a position visible, by one store.

        Returns:
            The new value of :attr:`word`.
        """
        word = seal(position, self._newest_seed)
        self._words[_NEWEST] = word
        return word

    @property
    def oldest(self) -> int:
        """The position of the oldest entry.

        Raises:
            LogDamaged: the word is damaged.
        """
        return unseal(self._words[_OLDEST], self._oldest_seed)

    @oldest.setter
    def oldest(self, position: int) -> None:
        self._words[_OLDEST] = seal(position, self._oldest_seed)

    @property
    def has_ended(self) -> bool:
        """True if another epoch has begun, or is about to."""
        return self._words[_ENDED] != 0

    @property
    def members(self) -> int:
        """A number that changes when a process joins the log or leaves it."""
        return self._words[_MEMBERS]

    def change_members(self) -> None:
        """Tell the other processes that one has joined or left."""
        # Not a count: of two processes that add one at the same time, one could be overlooked.
        self._words[_MEMBERS] = secrets.randbits(64)

    def is_in_place(self, directory: Path) -> bool:
        """Return False if another file is at the head's place, or none."""
        try:
            return (directory / _NAME).stat().st_ino == self._inode
        except OSError:
            return False


def _end(path: Path) -> None:
    """Mark the epoch of a head as ended, if its file is whole. It may be damaged."""
    with contextlib.suppress(FileNotFoundError, LogDamaged):
        memory = files.open_mapped(path, HEAD_BYTES)
        _words_of(memory)[_ENDED] = _FOLLOWED


def _words_of(memory: mmap.mmap) -> memoryview:
    return memoryview(memory)[:HEAD_BYTES].cast("Q")
