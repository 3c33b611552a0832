"""The pending versions: what a request id is told at its next connect, also after a restart."""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

from app.services.frontend_version.sharing import VersionSharing
from app.services.frontend_version.untold import UntoldVersions
from app.state.server_memory import ServerMemory
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.peers.servers import server_of

__all__ = ["MAX_PENDING", "PendingVersions"]

MAX_PENDING = 10_000
"""The number of pending versions that are kept. Beyond that, the version that was neither queued
nor delivered for the longest time is dropped. Its browser then gets the current version, like
any other browser."""

NOTE = "pending_version"

LARGEST_TOLD = 32 * 1024
"""The largest version, bytes as JSON, that a note has. A note of a larger one has no version, and
other processes ask for it."""

ROWS_AT_ONCE = 500
"""The largest number of rows that are read at once while the process serves: about 3 ms."""

_SAVE = """
INSERT INTO versions (request_id, used, checksum, data)
VALUES (?, (SELECT coalesce(max(used), 0) + 1 FROM versions), ?, ?)
ON CONFLICT (request_id) DO UPDATE
SET used = excluded.used, checksum = excluded.checksum, data = excluded.data
"""

_USE = """
UPDATE versions SET used = (SELECT max(used) + 1 FROM versions) WHERE request_id = ?
"""

_NEWS = """
SELECT request_id, used, checksum, data FROM versions WHERE used > ? ORDER BY used LIMIT ?
"""

_DROP_OLD = """
DELETE FROM versions WHERE used <= (SELECT used FROM versions ORDER BY used DESC LIMIT 1 OFFSET ?)
"""


class PendingVersions:
    """The pending versions by request id; the one used longest ago comes first.

    They are saved in the memory of the server. What other processes save there is found at the next
    call. Other processes are also told, because a save may have to wait, and because other servers
    have memories of their own. Each process saves what it is told in the order of the log, its own
    notes included, so the last version for a request id is the same everywhere in the end. A server
    that starts asks another one (:mod:`app.services.frontend_version.sharing`). What could not be
    told is told later (:mod:`app.services.frontend_version.untold`).

    Call the methods in the hub's thread, or in any thread if nothing is saved.

    Args:
        memory: the memory of the server.
        peers: the other processes that share the gateway's log.
        told: called with the request id and the version that another process keeps now.
        can_tell: returns whether the log takes notes, as far as is known.
    """

    def __init__(
        self,
        memory: ServerMemory,
        peers: Peers | None = None,
        told: Callable[[str, dict[str, Any]], None] = lambda *_: None,
        can_tell: Callable[[], bool] = lambda: True,
    ) -> None:
        self._memory = memory
        self._peers = peers or Peers()
        self._told = told
        self._lock = threading.Lock()
        self._events: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._unsaved: set[str] = set()  # the request ids whose versions wait to be saved
        # The request ids whose last versions this process has told, and has not read yet: what it
        # reads meanwhile is older. The number of such notes.
        self._unread: Counter[str] = Counter()
        self._seen = 0  # the largest "used" that was read
        self._has_news = False  # there may be more rows to read
        memory.when_open(self._load)
        self._peers.when_told(NOTE, self._kept, own=True)
        self._peers.when_joined(self._unread.clear)  # a note that was lost is never read
        self._sharing = VersionSharing(self._peers, self.snapshot, self._take)
        self._untold = UntoldVersions(self._tell_again, can_tell, MAX_PENDING)

    def __len__(self) -> int:
        """Return the number of pending versions."""
        return len(self._events)

    def keep(self, request_id: str, event: dict[str, Any]) -> None:
        """Keep a version for the next connects of a request id.

        Args:
            request_id: the request id, whose earlier version is replaced.
            event: the data of the version event.
        """
        with self._lock:
            self._read_news()
            self._put(request_id, event)
        is_large = self._save(request_id, event) > LARGEST_TOLD
        if is_large and self._peers.are_there:
            self._memory.wait_until_saved(("version", request_id))  # other processes may end
        if self._tell(request_id, None if is_large else event):
            self._untold.discard(request_id)
        else:
            self._untold.add(request_id)

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return all pending versions by request id; the one used longest ago comes first."""
        with self._lock:
            self._read_news()
            return dict(self._events)

    def _tell(self, request_id: str, event: dict[str, Any] | None) -> bool:
        """Tell the other processes of a version; return False if it could not be written.

        Args:
            request_id: the request id.
            event: the version; None: it is large, so those who are told ask for it.
        """
        # Other servers may be cut off, and read it later.
        has_servers = bool(server_of(self._peers.process))
        if not (has_servers or self._peers.are_there):
            return True
        self._unread[request_id] += 1
        note = {"request_id": request_id, "event": event}
        is_told = self._peers.tell(NOTE, note, always=has_servers)
        if not is_told:
            self._has_read(request_id)
        return is_told

    def _tell_again(self, request_id: str) -> bool:
        with self._lock:
            self._read_news()
            event = self._events.get(request_id)
        if event is None:
            return True  # it was dropped
        is_large = len(json.dumps(event).encode()) > LARGEST_TOLD
        return self._tell(request_id, None if is_large else event)

    def _kept(self, sender: str, note: dict[str, Any]) -> None:
        """Keep a version that a process has told, in the order of the log."""
        request_id, event = note["request_id"], note["event"]
        is_own = sender == self._peers.process
        if is_own:
            self._has_read(request_id)
        if request_id in self._unread:
            return
        if not is_own:
            self._untold.discard(request_id)  # this one is the last for all
        if event is None and not is_own:
            event = self._sharing.ask_for(request_id, sender)
        self._sharing.told(request_id)
        with self._lock:
            self._read_news()  # what was saved before must not replace this version later
            event = event or self._events.get(request_id)
            if event is None:
                return  # the process of a large version has ended, and nobody knows it
            self._put(request_id, event)
        self._save(request_id, event)
        if not is_own:
            self._told(request_id, event)

    def _has_read(self, request_id: str) -> None:
        self._unread[request_id] -= 1
        if self._unread[request_id] <= 0:
            del self._unread[request_id]

    def _take(self, request_id: str, event: dict[str, Any], replaces: bool) -> None:
        """Keep a version that another server has kept before this process read the log."""
        with self._lock:
            known = self._events.get(request_id)
            if known == event or (known is not None and not replaces):
                return
            self._put(request_id, event)
        self._save(request_id, event)

    def _save(self, request_id: str, event: dict[str, Any]) -> int:
        """Save a version, in place of one that still waits, and return its bytes as JSON."""
        key, data = _key(request_id), json.dumps(event).encode()

        def save(connection: sqlite3.Connection) -> None:
            connection.execute(_SAVE, (key, _checksum(key, data), data))
            self._unsaved.discard(request_id)

        if self._memory.is_open:
            self._unsaved.add(request_id)
            self._memory.save(("version", request_id), save)
        return len(data)

    def get(self, request_id: str) -> dict[str, Any] | None:
        """Return the version that is pending for a request id, and note that it was used."""
        with self._lock:
            self._read_news()
            event = self._events.get(request_id)
            if event is None:
                return None
            self._events.move_to_end(request_id)
        self._memory.save(
            ("used", request_id),
            lambda connection: connection.execute(_USE, (_key(request_id),)),
            soon=False,  # ten thousand browsers may come back within a second
        )
        return event

    def _put(self, request_id: str, event: dict[str, Any]) -> None:
        self._events[request_id] = event
        self._events.move_to_end(request_id)
        if len(self._events) > MAX_PENDING:
            dropped, _ = self._events.popitem(last=False)
            self._unsaved.discard(dropped)
            self._memory.discard(("version", dropped), ("used", dropped))
            self._memory.save(
                ("dropped", dropped),
                lambda connection: connection.execute(
                    "DELETE FROM versions WHERE request_id = ?", (_key(dropped),)
                ),
                soon=False,
            )

    def _load(self) -> None:
        self._memory.save(
            "old versions", lambda connection: connection.execute(_DROP_OLD, (MAX_PENDING,))
        )
        with self._lock:
            self._read(MAX_PENDING)
            self._memory.has_news()  # what was there before is no news

    def _read_news(self) -> None:
        self._has_news = self._memory.has_news() or self._has_news
        if self._has_news:
            self._has_news = self._read(ROWS_AT_ONCE) == ROWS_AT_ONCE

    def _read(self, limit: int) -> int:
        rows = self._memory.read(_NEWS, (self._seen, limit))
        for key, used, checksum, data in rows:
            self._seen = used
            try:
                request_id, event = key.decode(errors="surrogatepass"), json.loads(data)
                is_whole = checksum == _checksum(key, data) and isinstance(event, dict)
            except (ValueError, TypeError, AttributeError):
                continue  # a damaged row
            # An own version that is not saved or read yet is newer than any that was saved.
            if is_whole and request_id not in self._unsaved and request_id not in self._unread:
                self._put(request_id, event)
        return len(rows)


def _key(request_id: str) -> bytes:
    return request_id.encode(errors="surrogatepass")


def _checksum(key: bytes, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(key))
