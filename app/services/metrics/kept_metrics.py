"""The metrics that the workers of a server keep together, in one file.

The file has the last metrics of each worker that runs, and what ended workers have counted. So a
count never goes back when a worker ends, and a worker that does not answer in time still has
figures. Of a worker that was killed, what it had counted since the last scrape is lost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from app.services.metrics.adding import add_counts, newest_of
from app.services.metrics.families import Families, decode, encode
from app.state.workers_folder import WorkersFolder

__all__ = ["Kept", "KeptMetrics"]

_FILE = "metrics.json"
_FORMAT = 1
_LOCK_SECONDS = 0.3
"""The longest wait for another worker that writes the file, which takes some milliseconds."""
_MAX_NAMES = 1000
"""The number of ended processes whose names are remembered."""


@dataclass
class Kept:
    """The metrics of the processes of a server, as far as they are known.

    Args:
        processes: the last metrics of each process that runs.
        ended: what ended processes have counted.
        ended_names: the names of these processes, oldest first. An answer that one of them gave
            before its end must not be counted again.
    """

    processes: dict[str, Families] = field(default_factory=dict)
    ended: Families = field(default_factory=dict)
    ended_names: list[str] = field(default_factory=list)

    def take(self, answers: Mapping[str, Families]) -> None:
        """Keep answers of processes, which may be older than what is known."""
        for name, families in answers.items():
            if name not in self.ended_names:
                self.processes[name] = newest_of(self.processes.get(name, {}), families)

    def end(self, running: Collection[str]) -> None:
        """Add what ended processes have counted to ``ended``.

        Args:
            running: the names of the processes that still run.
        """
        for name in [name for name in self.processes if name not in running]:
            add_counts(self.ended, self.processes.pop(name))
            self.ended_names.append(name)
        del self.ended_names[:-_MAX_NAMES]

    def encode(self) -> bytes:
        """Return this as bytes."""
        processes = {name: encode(families) for name, families in self.processes.items()}
        data = [_FORMAT, processes, encode(self.ended), self.ended_names]
        return json.dumps(data, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Kept:
        """Return what some bytes say.

        Raises:
            ValueError: another version of this program has written them, or they are damaged.
        """
        try:
            number, processes, ended, names = json.loads(data)
            if number != _FORMAT:
                raise ValueError(f"its format is {number!r}")
            read = {str(name): decode(families) for name, families in processes.items()}
            return cls(read, decode(ended), [str(name) for name in names])
        except (TypeError, AttributeError) as exc:
            raise ValueError(str(exc)) from exc


class KeptMetrics:
    """The file of kept metrics.

    Args:
        folder: the folder of the workers.
    """

    def __init__(self, folder: WorkersFolder) -> None:
        self._folder = folder

    def update(self, answers: Mapping[str, Families]) -> Kept:
        """Keep the answers of processes, and return what is known then. May wait for 0.3 s.

        Args:
            answers: the metrics of processes by name.
        """
        with self._folder.locked(_LOCK_SECONDS) as is_locked:
            kept = self._read()
            kept.take(answers)
            kept.end(self._folder.running())
            # Without the lock, another worker would lose what it writes at the same time.
            if is_locked:
                self._write(kept)
        return kept

    def end(self, families: Families) -> None:
        """Count this process as ended, in order.

        Args:
            families: its last metrics.
        """
        own = self._folder.process
        with self._folder.locked(_LOCK_SECONDS) as is_locked:
            if is_locked:
                kept = self._read()
                kept.take({own: families})
                kept.end(set(self._folder.running()) - {own})
                self._write(kept)

    def _read(self) -> Kept:
        try:
            return Kept.decode((self._folder.directory / _FILE).read_bytes())
        except FileNotFoundError:
            return Kept()
        except (OSError, ValueError) as exc:
            self._folder.failed(exc)
            return Kept()

    def _write(self, kept: Kept) -> None:
        path = self._folder.directory / _FILE
        new = path.with_suffix(".new")  # only the holder of the lock writes it
        try:
            descriptor = os.open(
                new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            with os.fdopen(descriptor, "wb") as file:
                file.write(kept.encode())
            new.replace(path)
        except OSError as exc:
            self._folder.failed(exc)
        else:
            self._folder.succeeded()
