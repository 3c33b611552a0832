"""The metrics of a whole server: the sums over its workers, whichever worker is asked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import gevent

from app.services.metrics.adding import message_counts, per_worker, sum_of, worker_counts
from app.services.metrics.families import Families, decode, encode, text_of
from app.services.metrics.kept_metrics import KeptMetrics
from app.services.metrics_service import MetricsService
from app.state.workers_folder import WorkersFolder
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.server.process.worker_number import worker_number
from gateway_shim.streams.peers.peers import Peers

__all__ = ["ServerMetrics"]

logger = logging.getLogger(__name__)

_QUESTION = "metrics"
_ANSWER_SECONDS = 1.0
"""The longest wait for the answers of the other workers. To ask them may take a second more, if a
worker that is stuck holds up the log."""


class ServerMetrics:
    """The metrics of all workers of this server.

    A server with one worker shows exactly the metrics of its process. With several, a scrape asks
    the other workers. One that does not answer in time is shown with its last figures.

    Args:
        own: the metrics of this process.
        peers: the other processes.
        folder: the folder of the workers. It is open if there are several.
        number: returns the number of this worker.
    """

    def __init__(
        self,
        own: MetricsService,
        peers: Peers,
        folder: WorkersFolder,
        number: Callable[[], int] = worker_number,
    ) -> None:
        self._own = own
        self._peers = peers
        self._folder = folder
        self._number = number
        self._kept = KeptMetrics(folder)
        # The scrape that runs. A greenlet, so that it goes on if its first client has gone.
        self._running: gevent.Greenlet[[], bytes] | None = None
        peers.when_asked(_QUESTION, self._answer)

    def start(self) -> None:
        """Open the folder of the workers, in the process that serves."""
        self._folder.open()

    def render(self) -> bytes:
        """Return the metrics as text. Waits for the other workers, for about 2 seconds at most."""
        self._folder.look()
        if not self._folder.is_open:
            return self._own.render()
        running = self._running
        if running is None or running.ready():  # many scrapes at once ask the others once
            self._running = running = gevent.spawn(self._collect)
        return running.get()

    def close(self) -> None:
        """Leave the last figures of this process to the other workers. Call this at its end."""
        if self._folder.is_open:
            self._kept.end(self._read())
            self._folder.close()

    def _collect(self) -> bytes:
        answers: dict[str, Families] = {}
        question = {"server": self._folder.server}
        for answer in self._peers.ask(_QUESTION, question, seconds=_ANSWER_SECONDS):
            try:
                answers[str(answer.data["process"])] = decode(answer.data["families"])
            except (ValueError, KeyError, TypeError):
                # Of another version of this program, in a reload.
                logger.warning("the metrics of a worker cannot be read; it counts as silent")
            let_others_run_if_due()
        answers[self._folder.process] = self._read()
        kept = self._kept.update(answers)
        running = set(self._folder.running())
        families = sum_of(kept.processes.values(), kept.ended)
        families |= worker_counts(
            expected=self._folder.workers,
            running=len(running),
            silent=len(running - answers.keys()),
        )
        return text_of(families)

    def _read(self) -> Families:
        families = self._own.families()
        messages = message_counts(asdict(self._peers.stats))
        return families | per_worker(families, self._number()) | messages

    def _answer(self, question: Any) -> Any:
        if not self._folder.is_open:
            return None
        if not isinstance(question, dict) or question.get("server") != self._folder.server:
            return None  # asked by a worker of another server, which shows its own workers
        self._folder.look()
        return {"process": self._folder.process, "families": encode(self._read())}
