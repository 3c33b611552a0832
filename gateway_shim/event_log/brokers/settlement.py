"""The decision whether a server's copy can go on with the stream in Redis. Pure."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from gateway_shim.event_log.brokers.redis.stream import View

__all__ = ["Next", "Place", "Settlement", "settle"]


class Next(Enum):
    """The next thing to do."""

    GO_ON = "copy what follows the newest entry here"
    COPY = "begin the copy anew, at a position"
    END = "end the epoch in Redis, and look again"
    REFUSE = "the entries have another form"


class Place(NamedTuple):
    """The newest entry of the copy.

    Args:
        epoch: its epoch.
        position: its position.
        tag: its tag; None: unknown.
    """

    epoch: str
    position: int
    tag: str | None


class Settlement(NamedTuple):
    """The decision.

    Args:
        next: the next thing to do.
        first: the position to begin the copy at, with COPY.
        tag: the tag of the entry before the next one, with GO_ON and COPY.
        reason: the loss, for the log; empty if there was none.
    """

    next: Next
    first: int = 0
    tag: str = ""
    reason: str = ""


def settle(here: Place, view: View, signature: str, *, same_bytes: bool) -> Settlement:
    """Decide how the copy goes on.

    Args:
        here: the newest entry of the copy.
        view: the stream, looked at by its own epoch, and with the position of ``here``.
        signature: what the bytes of the entries must depend on.
        same_bytes: True if the audience and the event of ``view.entry`` are those of the copy.
    """
    if not view.epoch:
        return _end("Redis has forgotten its events")
    if view.signature != signature:
        return Settlement(Next.REFUSE)
    if not view.exists:
        return _end("Redis has evicted or deleted its events")
    if view.epoch != here.epoch:
        return _copy(view, 0)
    if view.newest < here.position:
        return _end("Redis has lost its newest events")
    if view.entry is not None:
        same = view.entry.tag == here.tag if here.tag is not None else same_bytes
        return _go_on(view.entry.tag) if same else _end("Redis has lost events and got others")
    if view.newest == here.position:
        return _go_on(view.tag) if here.tag in (None, view.tag) else _end("Redis has lost events")
    if view.oldest is None:
        if view.newest < here.position + 2:
            return _end("an event was deleted in Redis")  # too small a gap to be told here
    elif view.oldest.position <= here.position:
        return _end("an event was deleted in Redis")
    elif view.oldest.position == here.position + 1:
        same = here.tag in (None, view.oldest.before)
        return _go_on(view.oldest.before) if same else _end("Redis has lost events and got others")
    # Two positions later at least, or a stream would take it for no gap.
    gap = _copy(view, here.position + 2)
    return gap._replace(reason="this server was away for longer than Redis keeps events")


def _end(reason: str) -> Settlement:
    return Settlement(Next.END, reason=reason)


def _go_on(tag: str) -> Settlement:
    return Settlement(Next.GO_ON, tag=tag)


def _copy(view: View, least: int) -> Settlement:
    """Begin the copy with the place of the entry before the oldest one, which is no more there.

    Args:
        view: the stream.
        least: the smallest position for that.
    """
    oldest = view.oldest
    if oldest is None:
        return Settlement(Next.COPY, view.newest, view.tag)
    if oldest.position - 1 >= least:
        return Settlement(Next.COPY, oldest.position - 1, oldest.before)
    return Settlement(Next.COPY, oldest.position, oldest.tag)  # the begin entry, or one more lost
