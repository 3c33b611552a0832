"""The owners of request ids, and the audiences that follow from them.

An event for a request id is kept in the log, and is replayed to the browser that comes back with
this request id. If the SSE_AUTHORIZE hook names users, a request id can belong to one user after
another. So the audience of an event names the user to whom the request id belonged when the event
was sent, and another user who takes the request id later gets none of the earlier events.

Owners are named by a digest of the user. A user may be long, may be a text that cannot be encoded,
and is nothing that other processes have to know.
"""

from __future__ import annotations

import hashlib
import sys
from collections import OrderedDict
from typing import NamedTuple

from gateway_shim.event_log.audience import request_audience, user_audience

__all__ = [
    "MAX_OWNERS",
    "HeldByAnotherUser",
    "Owner",
    "Owners",
    "owned_audience",
    "stream_audiences",
    "user_digest",
]

MAX_OWNERS = 10_000
"""The number of request ids whose stream has ended and whose owner is remembered. Beyond that, the
one that ended first is forgotten. Later events for it are addressed to the request id alone."""


class HeldByAnotherUser(Exception):
    """The request id belongs to another user's stream, which stays as it is."""


class Owner(NamedTuple):
    """The owner of a request id.

    Args:
        digest: the :func:`user_digest` of the user.
        process: the name of the process that had the stream; empty: this one.
    """

    digest: str
    process: str = ""


class Owners:
    """The owners of request ids that have no stream in this process.

    Args:
        limit: the largest number of request ids. Beyond that, the one that was added first is
            forgotten.
    """

    def __init__(self, limit: int = MAX_OWNERS) -> None:
        self._limit = limit
        self._owners: OrderedDict[str, Owner] = OrderedDict()  # the one added first comes first

    def __len__(self) -> int:
        """Return the number of request ids whose owners are known."""
        return len(self._owners)

    def __contains__(self, request_id: str) -> bool:
        """Return whether the owner of a request id is known."""
        return request_id in self._owners

    def add(self, request_id: str, owner: Owner) -> None:
        """Remember the owner of a request id, in place of an earlier owner."""
        # One user and one process often have many streams.
        self._owners[request_id] = Owner(sys.intern(owner.digest), sys.intern(owner.process))
        self._owners.move_to_end(request_id)
        if len(self._owners) > self._limit:
            self._owners.popitem(last=False)

    def remove(self, request_id: str) -> None:
        """Forget the owner of a request id."""
        self._owners.pop(request_id, None)

    def get(self, request_id: str) -> Owner | None:
        """Return the owner of a request id; None if it is not known."""
        return self._owners.get(request_id)


def user_digest(user: str) -> str:
    """Return a short ASCII text that stands for a user."""
    return hashlib.blake2b(user.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def owned_audience(request_id: str, digest: str | None) -> str:
    """Return the audience of an event for a request id.

    Args:
        request_id: the request id.
        digest: the :func:`user_digest` of the user to whom it belongs; None: it belongs to nobody.
    """
    if digest is None:
        return request_audience(request_id)
    # A request id contains no colon, so this is never the audience of another request id.
    return request_audience(f"{digest}:{request_id}")


def stream_audiences(request_id: str, user: str | None) -> tuple[str, ...]:
    """Return the audiences of a stream, without EVERYONE.

    The request id alone is always one of them: another process, or this one after a restart, may
    send to the request id without knowing its user.

    Args:
        request_id: the stream's request id.
        user: the stream's user; None: the hook has named none.
    """
    alone = request_audience(request_id)
    if user is None:
        return (alone,)
    return alone, owned_audience(request_id, user_digest(user)), user_audience(user)
