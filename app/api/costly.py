"""Answers that may be large: they are made one at a time."""

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
"""A task's result that is no larger makes no large answer."""


def wait_for_turn() -> None:
    """Wait until everybody else has had the event loop; then make a large answer at once.

    To put an answer of megabytes together takes tens of milliseconds, during which no stream and
    no other request is served. So such requests wait at a turnstile, and those of a storm find it
    full: 503. Call it inside a request's context.

    Raises:
        TooBusy: too many wait.
    """
    container = current_app.extensions[CONTAINER]
    may_wait = container.loop_thread().serves_here  # else nobody runs meanwhile
    owner = container.limit_key()(request.remote_addr or "")
    if may_wait and not container.turnstile().wait(owner):
        container.refusals().add(RefusalReason.ANSWERS_LIMIT)
        raise TooBusy("Too many large answers are being made; ask again later")


def costly(view: Callable[P, R]) -> Callable[P, R]:
    """Let a view run only after :func:`wait_for_turn`.

    Args:
        view: the function; call the result inside a request's context. It raises TooBusy if too
            many wait.
    """

    @functools.wraps(view)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        wait_for_turn()
        return view(*args, **kwargs)

    return call
