"""The files of samples: each worker writes one, and reads those of the others.

A file has one sample a line, after a line with a random name of the file. A line is written with
one call, so a reader sees whole lines, and at most the beginning of one more.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.console.operations.sample import Sample
from app.console.operations.workers.merging import Series, slot_of
from app.state.workers_folder import WorkersFolder
from gateway_shim.event_loop.turns import let_others_run_if_due

__all__ = ["SampleFiles"]

_PREFIX = "samples-"


@dataclass(slots=True)
class _File:
    """One file, as far as it was read.

    Args:
        header: its first line; a file that is written anew has another one. The number of its inode
            would not do, because it may be used again at once.
        read: the bytes of it that were read.
        worker: the number of the worker.
        samples: its samples by the number of their interval.
        is_over: True if the process takes no more samples.
    """

    header: bytes = b""
    read: int = 0
    worker: int = 0
    samples: dict[int, Sample] = field(default_factory=dict)
    is_over: bool = False


class SampleFiles:
    """The files of all workers.

    Args:
        folder: the folder of the workers.
        interval: the seconds from one sample to the next.
        kept: the number of samples that are kept of each worker.
    """

    def __init__(self, folder: WorkersFolder, interval: float, kept: int) -> None:
        self._folder = folder
        self._interval = interval
        self._kept = kept
        self._files: dict[str, _File] = {}
        self._lines: list[bytes] = []  # the own file
        self._path = Path()  # of the own file

    def write(self, worker: int, sample: Sample) -> None:
        """Add a sample of this process. Failures are logged.

        Args:
            worker: the number of this worker.
            sample: the sample.
        """
        self._add(json.dumps([worker, sample.as_json()], separators=(",", ":")).encode())

    def end(self) -> None:
        """Note that this process takes no more samples, so that it does not count as stuck."""
        if self._lines:
            self._add(json.dumps([0, None]).encode())

    def _add(self, text: bytes) -> None:
        line = text + b"\n"
        path = self._folder.directory / f"{_PREFIX}{self._folder.process}"
        is_new = path != self._path or len(self._lines) >= 2 * self._kept
        if is_new:
            self._path, self._lines = path, self._lines[-self._kept :]
        self._lines.append(line)
        try:
            if is_new:
                header = secrets.token_hex(8).encode() + b"\n"
                _replace(path, header + b"".join(self._lines))
            else:
                _append(path, line)
        except OSError as exc:
            self._path = Path()  # the next sample writes the file anew
            self._folder.failed(exc)
        else:
            self._folder.succeeded()

    def read(self) -> dict[str, Series]:
        """Return the samples of all processes of the time that is kept, by process."""
        running = set(self._folder.running())
        present = dict(self._present())
        for name in self._files.keys() - present.keys():
            del self._files[name]
        for name, path in present.items():
            self._read(name, path)
            let_others_run_if_due()
        self._remove_old(running)
        return {
            name: Series(
                file.worker, name in running and not file.is_over, list(file.samples.values())
            )
            for name, file in self._files.items()
        }

    def _present(self) -> Iterator[tuple[str, Path]]:
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(os.listdir(self._folder.directory)):
                if name.startswith(_PREFIX) and not name.endswith(".new"):
                    yield name.removeprefix(_PREFIX), self._folder.directory / name

    def _read(self, name: str, path: Path) -> None:
        known = self._files.setdefault(name, _File())
        try:
            with path.open("rb") as file:
                header = file.readline()
                if header != known.header:
                    known.header, known.read = header, len(header)
                file.seek(known.read)
                data = file.read()
        except OSError as exc:
            if not isinstance(exc, FileNotFoundError):
                self._folder.failed(exc)
            return
        whole = data[: data.rfind(b"\n") + 1]
        known.read += len(whole)
        for line in whole.splitlines():
            self._take(known, line)

    def _take(self, file: _File, line: bytes) -> None:
        try:
            number, values = json.loads(line)
            if values is None:
                file.is_over = True
                return
            file.worker, sample = int(number), Sample.from_json(values)
        except (ValueError, TypeError, KeyError):
            return  # of another version of this program, in a reload
        slot = slot_of(sample, self._interval)
        samples = file.samples
        # Samples of later intervals are of a clock that was set back since.
        for later in [other for other in reversed(samples) if other >= slot]:
            del samples[later]
        samples[slot] = sample
        while len(samples) > self._kept:
            del samples[next(iter(samples))]

    def _remove_old(self, running: set[str]) -> None:
        """Remove the files of processes that ended before the time that is kept."""
        newest = max((max(file.samples, default=0) for file in self._files.values()), default=0)
        for name, file in list(self._files.items()):
            if name not in running and max(file.samples, default=0) <= newest - self._kept:
                del self._files[name]
                with contextlib.suppress(OSError):
                    (self._folder.directory / f"{_PREFIX}{name}").unlink()


def _append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        written = os.write(descriptor, line)
    finally:
        os.close(descriptor)
    if written != len(line):
        raise OSError(28, "No space left on device")


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
        file.write(content)
    new.replace(path)
