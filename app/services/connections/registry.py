"""The registered streams: by request id, by token, and by the users they belong to."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from app.services.connections.owners import (
    HeldByAnotherUser,
    Owner,
    Owners,
    stream_audiences,
    user_digest,
)
from app.services.connections.registered import Registered
from gateway_shim.protocol.event_stream import Event

__all__ = ["Added", "StreamRegistry"]


class Added(NamedTuple):
    """The result of registering a stream.

    Args:
        earlier: the stream that it has replaced, or None.
        active: the number of streams that are registered now.
        farewell: the last event of every stream, if the drain has begun.
    """

    earlier: Registered | None
    active: int
    farewell: Event | None


class StreamRegistry:
    """The streams of this process. The methods neither wait nor call anything that sends.

    Args:
        holds: returns whether a token's stream is still open. None: the gateway is in another
            process, and every registered stream counts as open.
        clock: monotonic seconds.
    """

    def __init__(
        self, holds: Callable[[str], bool] | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._holds = holds
        self._clock = clock
        # Guards everything below. The maps change together while it is held.
        self._lock = threading.Lock()
        self._connections: dict[str, Registered] = {}  # by request id
        # Token → request id: the same streams.
        self._token_to_request_id: dict[str, str] = {}
        # Request id → user, for streams whose user the SSE_AUTHORIZE hook has named.
        self._users: dict[str, str] = {}
        # The same for streams that have ended: the audience of later events names the user.
        self._former_owners = Owners()
        # All tokens, made at a broadcast; None after a stream has come or gone.
        self._tokens: tuple[str, ...] | None = None
        # The last event of every stream, once the drain has begun. A stream that connects after
        # that gets it too.
        self._farewell: Event | None = None

    # ---------------------------------------------------------------- changes

    def add(self, request_id: str, token: str, url: str, user: str | None) -> Added:
        """Register a stream in place of an earlier one of its request id.

        Raises:
            HeldByAnotherUser: the earlier stream belongs to another user and is still open.
        """
        with self._lock:
            earlier = self._connections.get(request_id)
            # Checked under the lock: of two users who connect at once, only one may get the id.
            if (
                earlier is not None
                and self._users.get(request_id) not in (None, user)
                and not self.has_ended(earlier.token)
            ):
                raise HeldByAnotherUser
            self._tokens = None
            if earlier is not None:
                del self._token_to_request_id[earlier.token]
            other = self._token_to_request_id.get(token)
            if other is not None:  # the gateway has used a token twice: the later stream keeps it
                del self._connections[other]
                self._users.pop(other, None)
            self._users.pop(request_id, None)
            self._former_owners.remove(request_id)
            if user is not None:
                self._users[request_id] = sys.intern(str(user))  # one user often has many streams
            self._connections[request_id] = Registered(token, url, self._clock())
            self._token_to_request_id[token] = request_id
            return Added(earlier, len(self._connections), self._farewell)

    def remove(self, token: str) -> int | None:
        """Remove a stream that has ended, and remember its owner.

        Returns:
            The number of streams that are left; None if the token is stale or unknown.
        """
        with self._lock:
            request_id = self._token_to_request_id.pop(token, None)
            if request_id is None:
                return None
            self._tokens = None
            del self._connections[request_id]
            user = self._users.pop(request_id, None)
            if user is not None:
                self._former_owners.add(request_id, Owner(user_digest(user)))
            return len(self._connections)

    def forget_owner(self, request_id: str) -> None:
        """Forget the former owner of a request id that has a stream in another process."""
        with self._lock:
            self._former_owners.remove(request_id)

    def begin_drain(self, farewell: Event) -> tuple[str, ...]:
        """Return the tokens of all streams. Streams that are added later get the farewell."""
        with self._lock:
            self._farewell = farewell
            return tuple(self._token_to_request_id)

    # ---------------------------------------------------------------- reads

    def holds(self, token: str) -> bool:
        """Return whether the gateway in this process has the stream of a token."""
        return self._holds is not None and self._holds(token)

    def has_ended(self, token: str) -> bool:
        """Return whether a registered stream is known to have ended."""
        return self._holds is not None and not self._holds(token)

    def has(self, request_id: str, token: str) -> bool:
        """Return whether this is the stream of a request id, and is not known to have ended.

        A stream that is replaced while it connects has not ended: the gateway opens it, and only
        then closes it.
        """
        current = self.get(request_id)
        return current is not None and current.token == token and not self.has_ended(token)

    def get(self, request_id: str) -> Registered | None:
        """Return the stream of a request id; None if it has none."""
        with self._lock:
            return self._connections.get(request_id)

    def all(self) -> list[tuple[str, Registered]]:
        """Return the request ids of all streams, and what is known of each, oldest first."""
        with self._lock:
            return list(self._connections.items())

    def tokens(self) -> tuple[str, ...]:
        """Return all tokens: the same tuple until a stream comes or goes."""
        with self._lock:
            if self._tokens is None:
                self._tokens = tuple(self._token_to_request_id)
            return self._tokens

    def age_of(self, request_id: str) -> float | None:
        """Return for how many seconds a request id has its stream; None if it has none."""
        stream = self.get(request_id)
        return None if stream is None else self._clock() - stream.since

    def audiences_of(self, token: str) -> tuple[str, ...]:
        """Return the audiences of a stream; none for a stream that was replaced meanwhile."""
        with self._lock:
            request_id = self._token_to_request_id.get(token)
            if request_id is None:
                return ()
            return stream_audiences(request_id, self._users.get(request_id))

    def digest_of(self, request_id: str) -> str | None:
        """Return the digest of the user whose stream a request id has now, if it has one."""
        with self._lock:
            user = self._users.get(request_id)
        return None if user is None else user_digest(user)

    def former_digest_of(self, request_id: str) -> str | None:
        """Return the digest of the user of the request id's last stream, which has ended here."""
        with self._lock:
            owner = self._former_owners.get(request_id)
        return None if owner is None else owner.digest

    def owned(self, start: int, count: int) -> list[tuple[str, str]]:
        """Return the request ids of some streams of users, and the digests of these users.

        Args:
            start: the number of streams of users to leave out.
            count: the largest number to return.
        """
        with self._lock:
            page = list(islice(self._users.items(), start, start + count))
        return [(request_id, user_digest(user)) for request_id, user in page]
