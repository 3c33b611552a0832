"""Large answers, which are made one at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from flask import current_app, request

from app.api.injection import CONTAINER
from app.errors import TooBusy
from gateway_shim.streams.refusal_counts import RefusalReason

__all__ = ["SMALL_RESULT_BYTES", "costly", "wait_for_turn"]

P = ParamSpec("P")
R = TypeVar("R")


SMALL_RESULT_BYTES = 64 * 1024
"""The size of the largest task result whose answer does not count as large."""


def wait_for_turn() -> None:
    """Wait until all other greenlets have run. Make a large answer directly after this call.

    Making an answer of several megabytes takes tens of milliseconds. Meanwhile no stream and no
    other request is served. So such requests wait for their turn. If too many of them wait, further
    requests are refused with 503. Call this function inside a request's context.

    Raises:
        TooBusy: too many requests wait.
    """
    container = current_app.extensions[CONTAINER]
    may_wait = container.loop_thread().serves_here  # without an event loop, nothing else runs
    owner = container.limit_key()(request.remote_addr or "")
    if may_wait and not container.turnstile().wait(owner):
        container.refusals().add(RefusalReason.ANSWERS_LIMIT)
        raise TooBusy("Too many requests for large answers are waiting; try again later")


def costly(view: Callable[P, R]) -> Callable[P, R]:
    """Make a view wait for its turn (:func:`wait_for_turn`) before it runs.

    Args:
        view: the function. Call the result inside a request's context. It raises TooBusy if too
            many requests wait.
    """

    @functools.wraps(view)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        wait_for_turn()
        return view(*args, **kwargs)

    return call
