"""The gateways of a server's workers, for ``GET /api/gateway``."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from app.schemas.gateway_schema import GatewayState, GatewayStateResponse, LogState, WorkerState
from app.state.workers_folder import WorkersFolder
from gateway_shim.event_log.log import LogStats
from gateway_shim.server.process.worker_number import worker_number
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.refusal_counts import RefusalCounts
from gateway_shim.streams.stats import GatewayStats

__all__ = ["GatewayStates"]

logger = logging.getLogger(__name__)

_QUESTION = "gateway_state"
_ANSWER_SECONDS = 1.0


class GatewayStates:
    """The state of the gateway in each worker, and of all together.

    Args:
        gateway: returns the gateway of this process.
        refusals: the refused requests of this process.
        peers: the other processes.
        folder: the folder of the workers. It is open if there are several.
        number: returns the number of this worker.
    """

    def __init__(
        self,
        gateway: Callable[[], Gateway],
        refusals: RefusalCounts,
        peers: Peers,
        folder: WorkersFolder,
        number: Callable[[], int] = worker_number,
    ) -> None:
        self._gateway = gateway
        self._refusals = refusals
        self._peers = peers
        self._folder = folder
        self._number = number
        peers.when_asked(_QUESTION, self._answer)

    def read(self) -> GatewayStateResponse:
        """Return the sums over all workers, and each worker if there are several.

        A worker that does not answer within a second is missing.
        """
        if not self._folder.is_open:
            return GatewayStateResponse.model_validate(self._own_values())
        workers = [self._own()]
        question = {"server": self._folder.server}
        for answer in self._peers.ask(_QUESTION, question, seconds=_ANSWER_SECONDS):
            try:
                workers.append(WorkerState.model_validate(answer.data))
            except ValidationError:
                logger.warning("the state of a worker's gateway cannot be read; it is left out")
        return _together(workers)

    def _answer(self, question: Any) -> Any:
        is_own = isinstance(question, dict) and question.get("server") == self._folder.server
        return self._own().model_dump(mode="json") if is_own and self._folder.is_open else None

    def _own(self) -> WorkerState:
        return WorkerState.model_validate(
            self._own_values() | {"worker": self._number(), "pid": os.getpid()}
        )

    def _own_values(self) -> dict[str, Any]:
        gateway = self._gateway()
        last_event_id = gateway.last_event_id
        stats = gateway.read_stats()
        return {
            "streams": stats.active,
            "pending_connects": stats.pending_connects,
            "bytes_buffered": stats.bytes_buffered,
            "opened": stats.opened,
            "refused": stats.refused,
            "closed": stats.closed,
            "slow_consumers_ended": stats.slow_consumers_ended,
            "heartbeats": stats.heartbeats,
            "callbacks_failed": stats.callbacks_failed,
            "requests_refused": self._refusals.by_reason,
            "log": None if stats.log is None else _log_state(stats, stats.log, last_event_id),
        }


def _log_state(stats: GatewayStats, log: LogStats, last_event_id: str | None) -> LogState:
    return LogState(
        last_event_id=last_event_id,
        oldest_position=log.oldest,
        newest_position=log.newest,
        bytes=log.size,
        oldest_age_seconds=round(log.oldest_age, 3),
        in_memory=log.in_memory,
        resyncs=stats.resyncs,
        joiners=stats.joiners,
        streams_behind=stats.streams_behind,
        behind_bytes=stats.bytes_behind,
    )


def _together(workers: Sequence[WorkerState]) -> GatewayStateResponse:
    """Add up the states of workers; the first one is that of this process."""
    logs = [state.log for state in workers if state.log is not None]
    return GatewayStateResponse(
        streams=sum(state.streams for state in workers),
        pending_connects=sum(state.pending_connects for state in workers),
        bytes_buffered=sum(state.bytes_buffered for state in workers),
        opened=sum(state.opened for state in workers),
        refused=sum(state.refused for state in workers),
        closed=_sum_by_key(state.closed for state in workers),
        slow_consumers_ended=sum(state.slow_consumers_ended for state in workers),
        heartbeats=sum(state.heartbeats for state in workers),
        callbacks_failed=sum(state.callbacks_failed for state in workers),
        requests_refused=_sum_by_key(state.requests_refused for state in workers),
        log=_shared_log(workers[0], logs),
        workers=sorted(workers, key=lambda state: (state.worker, state.pid)),
    )


def _shared_log(own: GatewayState, logs: Sequence[LogState]) -> LogState | None:
    """Return the log as this process sees it, with the readers of all workers."""
    if own.log is None:
        return None
    return own.log.model_copy(
        update={
            "resyncs": _sum_by_key(log.resyncs for log in logs),
            "joiners": sum(log.joiners for log in logs),
            "streams_behind": sum(log.streams_behind for log in logs),
            "behind_bytes": max(log.behind_bytes for log in logs),
        }
    )


def _sum_by_key(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for count in counts:
        found.update(count)  # keeps reasons whose count is zero
    return dict(found)
