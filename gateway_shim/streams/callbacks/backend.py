"""The interface between a gateway and its backend: callbacks.

In the monolith the backend is a function in the same process (:class:`InProcessBackend`). For the
standalone gateway it is an HTTP URL
(:class:`~gateway_shim.standalone.http_backend.HttpBackend`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import gevent

from gateway_shim.protocol.callbacks import (
    CALLBACK_TIME_LIMIT_SECONDS,
    CallbackAnswer,
    CallbackFailure,
)
from gateway_shim.streams.callbacks.time_limit import TimeLimit

__all__ = ["Backend", "CallbackTimeout", "InProcessBackend", "NoBackend"]

logger = logging.getLogger(__name__)


class Backend(Protocol):
    """A backend, as a gateway uses it. Methods may block cooperatively, and must not raise."""

    @property
    def configured(self) -> bool:
        """True if there is a backend."""
        ...

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Ask whether a stream may open."""
        ...

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Tell the backend that a stream has ended: one try.

        Args:
            payload: the callback's JSON object.
            failed: called if the callback does not arrive.
        """
        ...

    def flush(self, seconds: float) -> None:
        """Wait until every disconnect callback has arrived or failed, at most ``seconds``."""
        ...


class CallbackTimeout(gevent.Timeout):
    """The time limit of a callback has passed, and the backend in this process has not answered."""


class NoBackend:
    """The backend of a gateway without CALLBACK_URL. It refuses every stream."""

    configured = False

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Refuse the stream."""
        return CallbackFailure.NOT_CONFIGURED

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Do nothing: no stream has opened, so none ends."""

    def flush(self, seconds: float) -> None:
        """Return at once: no callback is under way."""


class InProcessBackend:
    """The backend in this process, called directly.

    Args:
        handle: the function that also serves the HTTP callback. It takes the callback's JSON
            object, and returns the answer.
    """

    configured = True

    def __init__(self, handle: Callable[[Mapping[str, Any]], CallbackAnswer]) -> None:
        self._handle = handle
        # Raised at most 50 ms late. A timer for each connect would take 3 % of its time.
        self._limit = TimeLimit(
            CALLBACK_TIME_LIMIT_SECONDS, lambda: CallbackTimeout(CALLBACK_TIME_LIMIT_SECONDS)
        )

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Ask whether a stream may open. A backend that raises an exception answers 500.

        :class:`CallbackTimeout` interrupts the backend at the contract's time limit, because the
        gateway would wait no longer over HTTP. A backend that catches the exception can still
        answer.
        """
        self._limit.begin()
        try:
            return self._call(payload)
        except CallbackTimeout:
            return CallbackFailure.TIMEOUT
        finally:
            self._limit.end()

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Tell the backend that a stream has ended."""
        if not self._call(payload).accepted:
            failed()

    def flush(self, seconds: float) -> None:
        """Return at once: a callback is over when its call has returned."""

    def _call(self, payload: Mapping[str, Any]) -> CallbackAnswer:
        try:
            return self._handle(payload)
        except CallbackTimeout:
            raise
        except (Exception, gevent.Timeout):
            # Over HTTP this would be a 500: a backend's error must not end a gateway's greenlet.
            logger.exception("the backend's callback failed", extra={"action": payload["action"]})
            return CallbackAnswer(500)
