"""All that a process does with the tasks of other servers, in one object."""

from __future__ import annotations

from collections.abc import Callable

from app.tasks.memory.rows import RowReader
from app.tasks.run.store import TaskStore
from app.tasks.servers.listing import ServerTaskList
from app.tasks.servers.lookup import TaskLookup
from app.tasks.servers.lost import LostServers
from app.tasks.servers.notes import TaskNotes
from gateway_shim.streams.peers.peers import Peers

__all__ = ["OtherServers"]


class OtherServers:
    """The parts of :mod:`app.tasks.servers`.

    Args:
        peers: the other processes.
        store: the tasks of this server.
        reader: makes copies of the tasks of other servers.
        clock: returns monotonic seconds.

    Attributes:
        list: finds the newest tasks of the other servers.
        lookup: finds a task by its ID.
        notes: tells the other servers which tasks of this process are unfinished.
        lost: watches which servers are gone.
    """

    def __init__(
        self, peers: Peers, store: TaskStore, reader: RowReader, clock: Callable[[], float]
    ) -> None:
        self.list = ServerTaskList(peers, store)
        self.lookup = TaskLookup(peers, store, reader)
        self.notes = TaskNotes(peers, store.all)
        self.lost = LostServers(peers, clock)

    def stop(self) -> None:
        """Tell and look for nothing more. Questions of others are still answered."""
        self.lost.stop()
        self.notes.close()
