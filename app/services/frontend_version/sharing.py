"""Asks other servers for the versions that they keep, which each server keeps as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.peers.servers import processes_of_other_servers

__all__ = ["VersionSharing"]

IDS = "pending_version_ids"
VERSIONS = "pending_versions"

ASKED_AT_ONCE = 100
"""The number of versions in one answer."""

Event = dict[str, Any]


class VersionSharing:
    """The questions of this process about versions, and its answers.

    A process that starts takes what another server has, which is newer than what was saved here
    before. If it only has missed notes, it takes what it does not have: of two versions that differ
    then, it is not known which is newer.

    Args:
        peers: the other processes.
        snapshot: returns all versions of this process by request id.
        take: keeps a version: gets the request id, the version, and whether it replaces another.
    """

    def __init__(
        self,
        peers: Peers,
        snapshot: Callable[[], dict[str, Event]],
        take: Callable[[str, Event, bool], None],
    ) -> None:
        self._peers = peers
        self._snapshot = snapshot
        self._take = take
        self._has_loaded = False
        self._told: set[str] | None = None  # the request ids that were told during a load
        peers.when_asked(IDS, lambda _: list(self._snapshot()))
        peers.when_asked(VERSIONS, self._answer)
        peers.when_joined(self._load)

    def told(self, request_id: str) -> None:
        """Note that the version of a request id was told: an older answer must not replace it."""
        if self._told is not None:
            self._told.add(request_id)

    def ask_for(self, request_id: str, process: str) -> Event | None:
        """Return the version that another process keeps; None if it gives no answer. Waits."""
        for answer in self._peers.ask(VERSIONS, [request_id], to=process):
            for _, event in answer.data:
                return dict(event)
        return None

    def _load(self) -> None:
        """Take the versions of another server, and what further servers have besides."""
        self._told = set()
        replaces = not self._has_loaded
        self._has_loaded = True
        try:
            for processes in processes_of_other_servers(self._peers).values():
                for process in processes:
                    if self._load_from(process, replaces):
                        replaces = False
                        break
        finally:
            self._told = None

    def _load_from(self, process: str, replaces: bool) -> bool:
        answers = self._peers.ask(IDS, to=process)
        if not answers:
            return False
        ids = answers[0].data
        for start in range(0, len(ids), ASKED_AT_ONCE):
            page = self._peers.ask(VERSIONS, ids[start : start + ASKED_AT_ONCE], to=process)
            for request_id, event in page[0].data if page else ():
                if self._told is not None and request_id not in self._told:
                    self._take(request_id, event, replaces)
                let_others_run_if_due()
        return True

    def _answer(self, request_ids: list[str]) -> list[tuple[str, Event]]:
        versions = self._snapshot()
        return [(id_, versions[id_]) for id_ in request_ids if id_ in versions]
