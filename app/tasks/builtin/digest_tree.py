"""``digest_tree``: the SHA-256 of every file under a directory of ``TASK_FILES_ROOT``."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.errors import BadRequest
from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.builtin.confined_path import ConfinedFolder, NotConfined
from app.tasks.builtin.file_tree import FoundFile, reason_of, scan
from app.tasks.builtin.task_result import TaskResult

__all__ = ["DigestParams", "DigestTree", "DigestTreeResult"]

BLOCK_BYTES = 1024 * 1024
"""Read at a time: hashlib lets other threads run while it digests a block of this size."""

PROGRESS_INTERVAL = 0.05
"""Seconds between two updates, at least: 20 a second are plenty for an eye."""


class DigestParams(BaseModel):
    """What can be asked of it.

    Args:
        path: a directory, relative to ``TASK_FILES_ROOT``; ``.`` for all of it.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str = Field(max_length=4096)


class DigestTreeResult(TaskResult):
    """What it returns. Paths are relative to the directory that was asked for.

    A name that is not UTF-8 is shown with its bytes as ``\\xNN``.

    Args:
        files: the hexadecimal SHA-256 of each file, by path.
        file_count: how many files were digested.
        total_bytes: how many bytes were read.
        seconds: how long it took.
        skipped: what was not digested and why, by path: symbolic links (none is followed),
            special files (none is opened), what could not be read.
    """

    files: dict[str, str]
    file_count: int
    total_bytes: int
    seconds: float
    skipped: dict[str, str]


class DigestTree(BaseTask):
    """Digests every file under a directory, and never leaves the folder it was given.

    A file that grows or shrinks meanwhile is digested as it is read, to the end it has then.

    Args:
        folder: the folder.
        clock: monotonic seconds.
    """

    cpu_bound = True
    params_model = DigestParams

    def __init__(self, folder: ConfinedFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock

    def validate_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Check the path now, while the caller can still be told.

        Raises:
            BadRequest: it leads out of the folder, or is no directory in it.
        """
        valid = super().validate_params(params)
        try:
            self._folder.directory(valid["path"])
        except NotConfined as exc:
            raise BadRequest(
                f"Invalid params for {self.name}: {exc};"
                " allowed is a directory relative to TASK_FILES_ROOT"
            ) from exc
        return valid

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> DigestTreeResult:
        """Find the files, then read them, with progress by bytes.

        Raises:
            NotConfined: the path has become one that leads out since it was checked.
            OSError: the directory cannot be read.
        """
        begun = self._clock()
        progress_handle.send_progress("Looking for files", 0.0)
        top = self._folder.directory(kwargs["path"])
        tree = scan(self._folder, top, progress_handle.raise_if_cancelled)
        meter = _Meter(progress_handle, self._clock, sum(file.size for file in tree.files))

        files: dict[str, str] = {}
        skipped = {_shown(names, top): reason for names, reason in tree.skipped}
        for number, file in enumerate(tree.files, 1):
            meter.text = f"File {number} of {len(tree.files)}: {_shown(file.names, top)}"
            meter.advance(0)
            try:
                files[_shown(file.names, top)] = self._digest(file, meter)
            except OSError as exc:
                skipped[_shown(file.names, top)] = reason_of(exc)
        progress_handle.send_progress(f"Digested {len(files)} of {len(tree.files)} files", 1.0)
        return DigestTreeResult(
            files=files,
            file_count=len(files),
            total_bytes=meter.done,
            seconds=round(self._clock() - begun, 3),
            skipped=dict(sorted(skipped.items())),
        )

    def _digest(self, file: FoundFile, meter: _Meter) -> str:
        digest = hashlib.sha256()
        with self._folder.open_file(file.names) as descriptor:
            while block := os.read(descriptor, BLOCK_BYTES):
                digest.update(block)
                meter.advance(len(block))
        return digest.hexdigest()


class _Meter:
    """Counts bytes and reports them, not too often.

    Args:
        handle: where to.
        clock: monotonic seconds.
        total: bytes to expect; there may turn out to be more or fewer.
    """

    def __init__(self, handle: TaskProgressHandle, clock: Callable[[], float], total: int) -> None:
        self._handle = handle
        self._clock = clock
        self._total = total
        self._next = clock() + PROGRESS_INTERVAL
        self.done = 0
        self.text = ""

    def advance(self, count: int) -> None:
        """So many bytes more were read; leaves the task if it is to stop."""
        self.done += count
        self._handle.raise_if_cancelled()
        now = self._clock()
        if now >= self._next:
            self._next = now + PROGRESS_INTERVAL
            self._handle.send_progress(self.text, self.done / self._total if self._total else 0.0)


def _shown(names: tuple[str, ...], top: tuple[str, ...]) -> str:
    path = "/".join(names[len(top) :])
    # What is not UTF-8 in a name came as lone surrogates, which no JSON reader would take.
    return os.fsencode(path).decode("utf-8", "backslashreplace")
