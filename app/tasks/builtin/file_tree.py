"""The files below a directory, found without following a link or opening a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from app.tasks.builtin.confined_path import ConfinedFolder

__all__ = ["FileTree", "FoundFile", "reason_of", "scan"]

SYMLINK = "symbolic link, not followed"
SPECIAL = "not a regular file"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file.

    Args:
        names: the names of the directories on the way from the confined folder, and the file's
            name.
        size: the file's size when it was found, bytes.
    """

    names: tuple[str, ...]
    size: int


@dataclass(slots=True)
class FileTree:
    """The contents of a directory and of all directories below it.

    Args:
        files: the regular files, in the order of their paths.
        skipped: all other entries: their names, and the reason why they are not read.
    """

    files: list[FoundFile] = field(default_factory=list)
    skipped: list[tuple[tuple[str, ...], str]] = field(default_factory=list)


def scan(
    folder: ConfinedFolder, top: tuple[str, ...], check: Callable[[], None] = lambda: None
) -> FileTree:
    """Find all files below a directory.

    No symbolic link is followed. So each file is found once, under its own path, and a link to a
    parent directory does not lead to an endless scan. At most two descriptors are open at a time,
    for a tree of any depth.

    Args:
        folder: the folder that confines the scan.
        top: the directory to scan.
        check: called once for each entry; it may raise an exception to end the scan.

    Raises:
        OSError: the directory ``top`` cannot be read. A directory below it is skipped instead.
    """
    tree = FileTree()
    pending = [top]
    while pending:
        directory = pending.pop()
        try:
            with folder.open_directory(directory) as descriptor, os.scandir(descriptor) as entries:
                for entry in entries:
                    check()
                    _sort_in(entry, (*directory, entry.name), tree, pending)
        except OSError as exc:
            if directory == top:
                raise
            tree.skipped.append((directory, reason_of(exc)))
    tree.files.sort(key=lambda file: file.names)
    tree.skipped.sort()
    return tree


def _sort_in(
    entry: os.DirEntry[str],
    names: tuple[str, ...],
    tree: FileTree,
    pending: list[tuple[str, ...]],
) -> None:
    try:
        if entry.is_symlink():
            tree.skipped.append((names, SYMLINK))
        elif entry.is_dir(follow_symlinks=False):
            pending.append(names)
        elif entry.is_file(follow_symlinks=False):
            tree.files.append(FoundFile(names, entry.stat(follow_symlinks=False).st_size))
        else:
            tree.skipped.append((names, SPECIAL))
    except OSError as exc:  # the entry was removed after the directory was listed
        tree.skipped.append((names, reason_of(exc)))


def reason_of(exc: OSError) -> str:
    """Return the reason of an error in a few words, without the path of the file."""
    return exc.strerror or str(exc)
