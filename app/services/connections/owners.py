"""The owners of request ids, and the audiences that follow from them.

An event for a request id is kept in the log, and is replayed to the browser that comes back with
this request id. If the SSE_AUTHORIZE hook names users, a request id can belong to one user after
another. So the audience of an event names the user to whom the request id belonged when the event
was sent, and another user who takes the request id later gets none of the earlier events.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from gateway_shim.event_log.audience import request_audience, user_audience

__all__ = ["MAX_OWNERS", "FormerOwners", "owned_audience", "stream_audiences"]

MAX_OWNERS = 10_000
"""The number of request ids whose stream has ended and whose owner is remembered. Beyond that, the
one that ended first is forgotten. Later events for it are addressed to the request id alone."""


class FormerOwners:
    """The users of request ids whose stream has ended.

    Args:
        limit: the largest number of request ids.
    """

    def __init__(self, limit: int = MAX_OWNERS) -> None:
        self._limit = limit
        # Request id → user; the stream that ended first comes first.
        self._users: OrderedDict[str, str] = OrderedDict()

    def add(self, request_id: str, user: str) -> None:
        """Remember the user of a stream that ends."""
        self._users[request_id] = user
        self._users.move_to_end(request_id)
        if len(self._users) > self._limit:
            self._users.popitem(last=False)

    def remove(self, request_id: str) -> None:
        """Forget the earlier user of a request id that has a stream again."""
        self._users.pop(request_id, None)

    def get(self, request_id: str) -> str | None:
        """Return the user of the request id's last stream; None if it is not known."""
        return self._users.get(request_id)


def owned_audience(request_id: str, user: str | None) -> str:
    """Return the audience of an event for a request id.

    Args:
        request_id: the request id.
        user: the user to whom the request id belongs; None: to nobody.
    """
    if user is None:
        return request_audience(request_id)
    # A digest, because a user may be long, and may be a text that cannot be encoded. A request id
    # contains no colon, so this is never the audience of another request id.
    digest = hashlib.blake2b(user.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
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
    return alone, owned_audience(request_id, user), user_audience(user)
