"""The task ``digest_tree``: the SHA-256 of every file below a directory of ``TASK_FILES_ROOT``."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.errors import BadRequest, shortened
from app.tasks.base import BaseTask, TaskProgressHandle
from app.tasks.builtin.confined_path import ConfinedFolder, NotConfined
from app.tasks.builtin.file_tree import FoundFile, reason_of, scan
from app.tasks.builtin.task_result import TaskResult

__all__ = ["DigestParams", "DigestTree", "DigestTreeResult"]

BLOCK_BYTES = 1024 * 1024
"""The size of one read. hashlib lets other threads run while it digests a block of this size."""

PROGRESS_INTERVAL = 0.05
"""The shortest time between two updates, seconds. A person cannot follow more than 20 a second."""


class DigestParams(BaseModel):
    """The params of ``digest_tree``.

    Args:
        path: a directory, relative to ``TASK_FILES_ROOT``; ``.`` is that folder itself.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str = Field(
        max_length=4096,
        examples=["."],
        description="A directory, relative to TASK_FILES_ROOT; a single dot is that folder itself.",
    )


class DigestTreeResult(TaskResult):
    """The result of ``digest_tree``. Paths are relative to the directory in the params.

    A name that is not UTF-8 is shown with ``\\xNN`` in place of the invalid bytes.

    Args:
        files: the hexadecimal SHA-256 of each file, by path.
        file_count: the number of digested files.
        total_bytes: the number of bytes that were read.
        seconds: the duration of the task.
        skipped: the reason for each file that was not digested, by path: symbolic links (they are
            not followed), special files (they are not opened), and unreadable files.
    """

    files: dict[str, str]
    file_count: int
    total_bytes: int
    seconds: float
    skipped: dict[str, str]


class DigestTree(BaseTask):
    """A task that digests every file below a directory, and never leaves a given folder.

    If a file changes meanwhile, its digest is computed from the bytes that were read.

    Args:
        folder: the folder.
        clock: returns monotonic seconds.
    """

    cpu_bound = True
    params_model = DigestParams

    def __init__(self, folder: ConfinedFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock

    def validate_params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Validate the path at the start, so that the caller gets an error at once.

        Raises:
            BadRequest: the path leads out of the folder, or is not a directory in it.
        """
        valid = super().validate_params(params)
        try:
            self._folder.directory(valid["path"])
        except NotConfined as exc:
            raise BadRequest(
                f"Invalid params for {self.name}: {exc};"
                " name a directory relative to TASK_FILES_ROOT",
                [{"loc": ["path"], "msg": shortened(str(exc), 300), "type": "not_confined"}],
            ) from exc
        return valid

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> DigestTreeResult:
        """Find the files, then digest them; the progress counts bytes.

        Raises:
            NotConfined: the path leads out of the folder, because links changed after the check.
            OSError: the directory cannot be read.
        """
        begun = self._clock()
        progress_handle.send_progress("Looking for files", 0.0)
        top = self._folder.directory(kwargs["path"])
        tree = scan(self._folder, top, progress_handle.raise_if_cancelled)
        counter = _ByteCounter(progress_handle, self._clock, sum(file.size for file in tree.files))

        files: dict[str, str] = {}
        skipped = {_display_path(names, top): reason for names, reason in tree.skipped}
        for number, file in enumerate(tree.files, 1):
            path = _display_path(file.names, top)
            counter.text = f"File {number} of {len(tree.files)}: {path}"
            counter.advance(0)
            try:
                files[path] = self._digest(file, counter)
            except OSError as exc:
                skipped[path] = reason_of(exc)
        progress_handle.send_progress(f"Digested {len(files)} of {len(tree.files)} files", 1.0)
        return DigestTreeResult(
            files=files,
            file_count=len(files),
            total_bytes=counter.done,
            seconds=round(self._clock() - begun, 3),
            skipped=dict(sorted(skipped.items())),
        )

    def _digest(self, file: FoundFile, counter: _ByteCounter) -> str:
        digest = hashlib.sha256()
        with self._folder.open_file(file.names) as descriptor:
            while block := os.read(descriptor, BLOCK_BYTES):
                digest.update(block)
                counter.advance(len(block))
        return digest.hexdigest()


class _ByteCounter:
    """A counter of bytes that reports progress at a limited rate.

    Args:
        handle: the handle to report progress with.
        clock: returns monotonic seconds.
        total: the expected number of bytes; the real number may differ.

    Attributes:
        done: the number of bytes that were read.
        text: the text of the progress.
    """

    def __init__(self, handle: TaskProgressHandle, clock: Callable[[], float], total: int) -> None:
        self._handle = handle
        self._clock = clock
        self._total = total
        self._next = clock() + PROGRESS_INTERVAL
        self.done = 0
        self.text = ""

    def advance(self, count: int) -> None:
        """Count bytes that were read, and report progress if enough time has passed.

        Raises:
            TaskCancelled: the task must stop.
        """
        self.done += count
        self._handle.raise_if_cancelled()
        now = self._clock()
        if now >= self._next:
            self._next = now + PROGRESS_INTERVAL
            self._handle.send_progress(self.text, self.done / self._total if self._total else 0.0)


def _display_path(names: tuple[str, ...], top: tuple[str, ...]) -> str:
    path = "/".join(names[len(top) :])
    # Bytes that are not UTF-8 are lone surrogates in a name. No JSON reader accepts those.
    return os.fsencode(path).decode("utf-8", "backslashreplace")
