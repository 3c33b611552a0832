"""The stream in Redis: what can be asked of it, in our own terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway_shim.errors import BusRefused, BusUnreachable
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.keys import Keys
from gateway_shim.event_log.brokers.redis.scripts import APPEND, BEGIN, END_ID, LOOK, PULSE, SWEEP
from gateway_shim.event_log.memory_log import new_epoch

__all__ = ["Appended", "Pulse", "RedisStream", "StoredEntry", "View", "pack"]

_END = int(END_ID.partition("-")[0])


class StoredEntry(NamedTuple):
    """An entry of the stream.

    Args:
        position: its position.
        tag: the name that no other entry has.
        before: the tag of the entry before it; empty for the first one of an epoch.
        audience: to whom it is addressed.
        event: the bytes of the event.
    """

    position: int
    tag: str
    before: str
    audience: str
    event: bytes

    @property
    def is_end(self) -> bool:
        """True for the entry that ends the epoch's stream."""
        return self.position == _END


class Appended(NamedTuple):
    """The answer to an append.

    Args:
        outcome: ``done``, ``epoch``, ``signature``, ``lost`` or ``stale``
            (:data:`~gateway_shim.event_log.brokers.redis.scripts.APPEND`).
        first: the position of the first entry, if the outcome is ``done``.
        text: the epoch or the signature that is in use, with these outcomes.
    """

    outcome: str
    first: int = 0
    text: str = ""


class View(NamedTuple):
    """The state of the stream.

    Args:
        epoch: the epoch that is in use; empty: none.
        signature: what the bytes of its entries depend on.
        newest: the newest position.
        tag: the tag of the newest entry.
        exists: True if the stream was there. False also if another epoch is in use.
        oldest: the oldest entry; None: there is none.
        entry: the entry that was asked for; None: there is none.
    """

    epoch: str
    signature: str
    newest: int
    tag: str
    exists: bool
    oldest: StoredEntry | None
    entry: StoredEntry | None


class Pulse(NamedTuple):
    """The answer to a sign of life.

    Args:
        epoch: the epoch that is in use; empty: none.
        newest: the newest position.
        is_new: True if Redis did not know the process, or has forgotten it.
        digest: stands for the names of all processes.
        names: these names, if the digest was not known; else empty.
    """

    epoch: str
    newest: int
    is_new: bool
    digest: str
    names: list[str]


class RedisStream:
    """The stream, over one connection. For one greenlet at a time.

    Every method raises BusUnreachable or BusRefused as :meth:`RedisClient.call` does.

    Args:
        client: the connection.
        keys: the names of the keys.
        signature: what the bytes of the entries depend on.
    """

    def __init__(self, client: RedisClient, keys: Keys, signature: str) -> None:
        self._client = client
        self._keys = keys
        self._signature = signature

    def append(
        self,
        epoch: str,
        known: int,
        producer: str,
        number: int,
        limits: tuple[int, int],
        packed: Sequence[bytes],
    ) -> Appended:
        """Append entries.

        Args:
            epoch: the epoch that they are for.
            known: a position that this epoch has reached.
            producer: the name of the appending process.
            number: the number of this call, larger than all before; the same when it is repeated.
            limits: the entries and the bytes that the stream keeps.
            packed: the entries (:func:`pack`).
        """
        entries, size = limits
        answer = self._client.run(
            APPEND,
            (self._keys.meta, self._keys.stream(epoch)),
            epoch,
            self._signature,
            known,
            producer,
            number,
            entries,
            max(size // 16, 1),
            *packed,
        )
        outcome = _text(answer[0])
        if outcome == "done":
            return Appended(outcome, first=int(answer[1]))
        return Appended(outcome, text=_text(answer[1]) if len(answer) > 1 else "")

    def begin(self, actual: str, known: str) -> str:
        """Begin a new epoch, unless another process has done it.

        Args:
            actual: the epoch that is in use; empty: none.
            known: the epoch that this server follows; empty: none.

        Returns:
            The epoch that is in use now.
        """
        epoch = new_epoch()
        keys = (self._keys.meta, self._keys.stream(known), self._keys.stream(epoch))
        return _text(
            self._client.run(BEGIN, keys, actual, epoch, self._signature, 1 if known else 0)
        )

    def look(self, epoch: str, position: int) -> View:
        """Look at the stream of an epoch, and at one entry. Fails at a replica."""
        keys = (self._keys.meta, self._keys.stream(epoch))
        answer = self._client.run(LOOK, keys, epoch, position)
        oldest, entry = answer[5:] or ((), ())
        return View(
            epoch=_text(answer[0]),
            signature=_text(answer[1]),
            newest=int(answer[2]),
            tag=_text(answer[3]),
            exists=bool(answer[4]),
            oldest=_entry(oldest[0]) if oldest else None,
            entry=_entry(entry[0]) if entry else None,
        )

    def read(self, epoch: str, after: int, limit: int, seconds: float) -> list[StoredEntry]:
        """Wait for entries that follow a position, and return them.

        Args:
            epoch: the epoch.
            after: the position.
            limit: the number of entries that are wanted at most.
            seconds: how long to wait. The connection must wait longer.

        Returns:
            The entries; none if the time is over.
        """
        stream = self._keys.stream(epoch)
        answer = self._client.call(
            "XREAD", "COUNT", limit, "BLOCK", int(seconds * 1000), "STREAMS", stream, f"{after}-1"
        )
        return [_entry(raw) for raw in answer[0][1]] if answer else []

    def pulse(self, process: str, seconds: float, digest: str) -> Pulse:
        """Note that a process runs, and find out which others do.

        Args:
            process: the name of the process.
            seconds: how long it counts as running from now on; 0: it has ended.
            digest: the digest of the last answer; empty at first.
        """
        keys = (self._keys.meta, self._keys.processes)
        answer = self._client.run(PULSE, keys, process, int(seconds * 1000), digest)
        epoch, newest, added, found, names = answer
        names = [_text(name) for name in names]
        return Pulse(_text(epoch), int(newest), bool(added), _text(found), names)

    def processes(self) -> list[str]:
        """Return the names of the processes of all servers."""
        return [_text(name) for name in self._client.call("ZRANGE", self._keys.processes, 0, -1)]

    def sweep(self, seconds: int) -> None:
        """Forget producers that have appended nothing for some time."""
        self._client.run(SWEEP, (self._keys.meta,), seconds)

    def close(self) -> None:
        """Close the connection. The next call makes another one."""
        self._client.close()


def pack(audience: str, event: bytes) -> bytes:
    """Return an event with its audience, as the stream keeps it."""
    text = audience.encode("utf-8", "surrogatepass")
    return b"%d:%b%b" % (len(text), text, event)


def _entry(raw: Any) -> StoredEntry:
    """Return an entry of Redis's answer.

    Raises:
        BusRefused: another program has written the entry.
    """
    try:
        identifier, (tags, value) = raw
        position = int(identifier[:-2])
        if position == _END:
            return StoredEntry(position, "", "", "", b"")
        tag, _, before = tags.decode("ascii").partition(" ")
        digits, _, rest = value.partition(b":")
        length = int(digits)
        audience = rest[:length].decode("utf-8", "surrogatepass")
        return StoredEntry(position, tag, before, audience, rest[length:])
    except (TypeError, ValueError, AttributeError) as exc:
        raise BusRefused(
            f"the stream in Redis has an entry of another program: {raw!r:.80};"
            " choose another prefix"
        ) from exc


def _text(answer: object) -> str:
    if not isinstance(answer, bytes):
        raise BusUnreachable(f"Redis gives an answer that no Redis gives: {answer!r:.80}")
    return answer.decode("utf-8", "replace")
