"""Which files are below a directory, found without following a link or opening a file."""

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
        names: the directories that lead to it from the confined folder, and last its own name.
        size: bytes, when it was found.
    """

    names: tuple[str, ...]
    size: int


@dataclass(slots=True)
class FileTree:
    """What is below a directory.

    Args:
        files: the regular files, in the order of their paths.
        skipped: what else there is, as names and the reason why it is not read.
    """

    files: list[FoundFile] = field(default_factory=list)
    skipped: list[tuple[tuple[str, ...], str]] = field(default_factory=list)


def scan(
    folder: ConfinedFolder, top: tuple[str, ...], check: Callable[[], None] = lambda: None
) -> FileTree:
    """Look at everything below a directory.

    No symbolic link is followed, wherever it leads: a file is found once, under its own path,
    and a link that leads back up makes no circle. Two descriptors are open at most, however
    deep the tree.

    Args:
        folder: the folder that is not left.
        top: the directory to begin at.
        check: called once for each entry; may raise to end the scan.

    Raises:
        OSError: the directory to begin at cannot be read; one below it is skipped instead.
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
    except OSError as exc:  # it vanished between the listing and the look
        tree.skipped.append((names, reason_of(exc)))


def reason_of(exc: OSError) -> str:
    """Why something could not be read, in a few words and without its path."""
    return exc.strerror or str(exc)
