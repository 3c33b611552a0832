"""The streams of the other processes of the server.

Theory of operation
-------------------
Each process has a registry of its own streams. While there are other processes, it tells them of
each connect, and each of them reads all connects in the same order, that of the log:

* A connect replaces the stream that the request id has in another process. If a request id connects
  to two processes at once, the connect that is later in the log wins in both: a process whose own
  connect has no place in the log yet, or a later one, ignores what it reads.
* A stream of a user is not replaced by a stream of another user. A process remembers the users of
  the streams of others, and refuses such a connect after it has asked whether the stream is still
  there. Where streams have users, a connect also waits until its place in the log was read: then
  all earlier connects are known, and of two users who connect at once the earlier one stays.
* If a process did not know a user, or could not wait so long, the process with the earlier stream
  objects, and the later stream is ended some milliseconds after it was opened.

Notes and questions carry digests of users, and no names. If a note is lost, which the log says in
an error, a request id may have two streams until the next connect.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gevent.event import Event as Signal

from app.services.connections.owners import HeldByAnotherUser, Owner, Owners, user_digest
from app.services.connections.registry import StreamRegistry
from app.services.connections.send_outcome import SendOutcome, SendReport
from app.services.connections.service_type import ServiceType
from app.services.elsewhere.asking import ask_others
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.peers.peers import Peers

__all__ = ["MAX_OWNERS_ELSEWHERE", "StreamsElsewhere"]

logger = logging.getLogger(__name__)

MAX_OWNERS_ELSEWHERE = 50_000
"""The number of streams of other processes whose users are remembered: up to 17 MB. Beyond that,
the one that connected first is forgotten. Another user's connect is then ended after it was opened,
and events that this process sends to the request id are addressed to the request id alone."""

UNREAD_SECONDS = 5.0
"""The longest time for which a connect waits for its place in the log. After a loss in the log, the
place of a connect may never be read."""

PLACE_SECONDS = 0.5
"""The longest wait of a connect until its place in the log was read: if this process is busy, or if
the log is away."""

MAX_UNREAD = 10_000
"""The largest number of connects that wait for their places in the log."""

OWNERS_AT_ONCE = 2_000
"""The number of owners in one answer: JSON of 2 ms."""

CONNECT = "connect"
OBJECTION = "connect_objection"
STREAM = "stream"
SEND = "stream_send"
OWNERS = "stream_owners"


class StreamsElsewhere:
    """Tells the other processes of connects, and asks them about their streams.

    Args:
        peers: the other processes.
        registry: the streams of this process.
        end: ends a stream of this process that another process replaces: gets the request id, the
            token, and whether it ends because its request id belongs to another user.
        send: sends an event to a stream of this process.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        peers: Peers,
        registry: StreamRegistry,
        end: Callable[[str, str, bool], None],
        send: Callable[[str, Event, ServiceType], SendReport],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peers = peers
        self._registry = registry
        self._end = end
        self._send = send
        self._clock = clock
        self._owners = Owners(MAX_OWNERS_ELSEWHERE)
        self._has_users = False  # True once a stream of any process has had a user
        # Token → time: connects of this process that have no place in the log yet, as far as this
        # process has read it. What others tell meanwhile is earlier.
        self._unread: dict[str, float] = {}
        # Token → signal: connects that wait for their place, and those that are then refused.
        self._waiting: dict[str, Signal] = {}
        self._refused: set[str] = set()
        peers.when_told(CONNECT, self._connected, own=True)
        peers.when_told(OBJECTION, self._objected)
        peers.when_asked(STREAM, self._describe)
        peers.when_asked(SEND, self._send_here)
        peers.when_asked(OWNERS, self._list_owners)
        peers.when_joined(self._joined)

    @property
    def are_possible(self) -> bool:
        """True if there are other processes, which may have streams."""
        return self._peers.are_there

    # ---------------------------------------------------------------- connects

    def check_user(self, request_id: str, user: str | None) -> None:
        """Check that a request id is free for a user in the other processes. May wait.

        Raises:
            HeldByAnotherUser: another process has a stream of another user with this request id,
                or does not say in time whether it still has it.
        """
        owner = self._owners.get(request_id)
        if owner is None or (user is not None and owner.digest == user_digest(user)):
            return
        question = {"request_id": request_id, "token": ""}
        answers = ask_others(self._peers, STREAM, question, to=owner.process)
        if not answers.are_complete or any(
            answer["holds"] and answer["user"] is not None for answer in answers.data
        ):
            raise HeldByAnotherUser

    def tell_connect(self, request_id: str, token: str, user: str | None) -> None:
        """Tell the other processes of a connect. Call it once the stream is registered here.

        Waits for a bounded time if there are streams of users.

        Raises:
            HeldByAnotherUser: another user has connected earlier to another process.
        """
        self._has_users = self._has_users or user is not None
        self._owners.remove(request_id)
        if len(self._unread) >= MAX_UNREAD:  # this process does not read the log at the moment
            self._unread.clear()
        self._unread[token] = self._clock()
        digest = None if user is None else user_digest(user)
        note = {"request_id": request_id, "token": token, "user": digest}
        place = Signal()
        if self._has_users and self._peers.are_there:
            self._waiting[token] = place
        # Not one by one: a thousand users may connect within a second.
        self._peers.tell_soon(CONNECT, note, partial(self._has_place, token))
        if token not in self._waiting:
            return
        try:
            place.wait(PLACE_SECONDS)
            if token in self._refused:
                raise HeldByAnotherUser
        finally:
            self._waiting.pop(token, None)
            self._refused.discard(token)

    def _has_place(self, token: str) -> None:
        """Note that a connect has its place in the log, or gets none."""
        self._unread.pop(token, None)
        if token in self._waiting:
            self._waiting[token].set()

    def _connected(self, sender: str, note: dict[str, Any]) -> None:
        request_id, token, digest = note["request_id"], note["token"], note["user"]
        if sender == self._peers.process:
            self._has_place(token)
            return
        self._has_users = self._has_users or digest is not None
        own = self._registry.get(request_id)
        if own is not None:
            if self._is_unread(own.token):
                # The own connect is later in the log. The other process ends its stream, or else
                # it objects, and this connect need not wait for that.
                is_others = digest not in (None, self._registry.digest_of(request_id))
                if is_others and own.token in self._waiting:
                    self._refused.add(own.token)
                    self._waiting[own.token].set()
                    self._owners.add(request_id, Owner(digest, sender))
                return
            holder = self._registry.digest_of(request_id)
            if holder not in (None, digest) and not self._registry.has_ended(own.token):
                note = {"request_id": request_id, "token": token, "user": holder}
                self._peers.tell(OBJECTION, note)
                return
            self._end(request_id, own.token, False)
        self._remember(request_id, digest, sender)

    def _objected(self, sender: str, note: dict[str, Any]) -> None:
        request_id, token = note["request_id"], note["token"]
        own = self._registry.get(request_id)
        if own is not None:
            if own.token != token:
                return  # it has connected again meanwhile, and the holder reads that, too
            self._end(request_id, token, True)
        self._remember(request_id, note["user"], sender)

    def _remember(self, request_id: str, digest: str | None, process: str) -> None:
        """Note to whom a request id belongs whose stream is in another process."""
        self._registry.forget_owner(request_id)
        if digest is None:
            self._owners.remove(request_id)
        else:
            self._owners.add(request_id, Owner(digest, process))

    def _is_unread(self, token: str) -> bool:
        since = self._unread.get(token)
        if since is None:
            return False
        if self._clock() - since < UNREAD_SECONDS:
            return True
        del self._unread[token]
        return False

    # ---------------------------------------------------------------- owners

    def digest_of(self, request_id: str) -> str | None:
        """Return the digest of the user whose stream another process has or had, if known."""
        owner = self._owners.get(request_id)
        return None if owner is None else owner.digest

    def _joined(self) -> None:
        """Learn the owners of streams that others had before this process read the log."""
        self._unread.clear()
        for process in self._peers.others():
            start, is_full = 0, True
            while is_full:
                pages = ask_others(self._peers, OWNERS, start, to=process).data
                page = pages[0] if pages else []
                self._has_users = self._has_users or bool(page)
                for request_id, digest in page:
                    # What was told meanwhile is newer.
                    if request_id not in self._owners and self._registry.get(request_id) is None:
                        self._remember(request_id, digest, process)
                start, is_full = start + OWNERS_AT_ONCE, len(page) == OWNERS_AT_ONCE

    def _list_owners(self, start: int) -> list[tuple[str, str]]:
        return self._registry.owned(start, OWNERS_AT_ONCE)

    # ---------------------------------------------------------------- questions

    def has(self, request_id: str, token: str = "") -> bool:
        """Return whether another process has the stream of a request id, or of a token. Waits.

        Args:
            request_id: the request id.
            token: the token of a stream; empty: only the request id counts.
        """
        if not self._peers.are_there:
            return False
        question = {"request_id": request_id, "token": token}
        return any(answer["holds"] for answer in ask_others(self._peers, STREAM, question).data)

    def send(self, request_id: str, event: Event, service_type: ServiceType) -> SendReport:
        """Send an event that is not kept in the log to a stream of another process. Waits."""
        if not self._peers.are_there:
            return SendReport(SendOutcome.NO_STREAM)
        question = {
            "request_id": request_id,
            "name": event.name,
            "data": event.data,
            "service": service_type.value,
        }
        outcomes = ask_others(self._peers, SEND, question).data
        for outcome in (SendOutcome.SUCCESS, SendOutcome.ERROR):
            if outcome.value in outcomes:
                return SendReport(outcome, outcomes.count(SendOutcome.SUCCESS.value))
        return SendReport(SendOutcome.NO_STREAM)

    def _describe(self, question: dict[str, Any]) -> dict[str, Any]:
        request_id, token = question["request_id"], question["token"]
        own = self._registry.get(request_id)
        holds = own is not None and not self._registry.has_ended(own.token)
        holds = holds or bool(token and self._registry.holds(token))
        return {"holds": holds, "user": self._registry.digest_of(request_id)}

    def _send_here(self, question: dict[str, Any]) -> str:
        event = Event(question["name"], question["data"])
        return self._send(
            question["request_id"], event, ServiceType(question["service"])
        ).outcome.value
