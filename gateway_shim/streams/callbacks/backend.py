"""The callback seam: how a gateway asks and tells its backend.

In the monolith the backend is a function in the same process (:class:`InProcessBackend`); for
the shim on a port it is an HTTP URL (:class:`~gateway_shim.standalone.http_backend.HttpBackend`).
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

__all__ = ["Backend", "CallbackTimeout", "InProcessBackend", "NoBackend"]

logger = logging.getLogger(__name__)


class Backend(Protocol):
    """What a gateway needs of a backend. May block cooperatively; must not raise."""

    @property
    def configured(self) -> bool:
        """Whether there is a backend at all."""
        ...

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Ask whether a stream may open."""
        ...

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Tell that a stream has ended: one try; ``failed`` is called if it does not arrive."""
        ...

    def flush(self, seconds: float) -> None:
        """Wait until every disconnect that was told has arrived or failed."""
        ...


class CallbackTimeout(gevent.Timeout):
    """A backend in this process has not answered a callback within the contract's time limit."""


class NoBackend:
    """No CALLBACK_URL: every stream is refused."""

    configured = False

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Refuse."""
        return CallbackFailure.NOT_CONFIGURED

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """No stream opened, so none ends."""

    def flush(self, seconds: float) -> None:
        """Nothing is under way."""


class InProcessBackend:
    """The backend in this process: a direct call of what also serves the HTTP callback.

    Args:
        handle: takes the callback's JSON object, returns what HTTP would have answered.
    """

    configured = True

    def __init__(self, handle: Callable[[Mapping[str, Any]], CallbackAnswer]) -> None:
        self._handle = handle

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Ask whether a stream may open; a backend that raises answers 500.

        It is interrupted by :class:`CallbackTimeout` at the contract's time limit, as it would
        not be waited for over HTTP. One that catches that may still answer.
        """
        try:
            with CallbackTimeout(CALLBACK_TIME_LIMIT_SECONDS):
                return self._call(payload)
        except CallbackTimeout:
            return CallbackFailure.TIMEOUT

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Tell that a stream has ended."""
        if not self._call(payload).accepted:
            failed()

    def flush(self, seconds: float) -> None:
        """Calls are over when they return."""

    def _call(self, payload: Mapping[str, Any]) -> CallbackAnswer:
        try:
            return self._handle(payload)
        except CallbackTimeout:
            raise
        except (Exception, gevent.Timeout):
            # What HTTP's boundary would be: a backend's mistake must not end a gateway's greenlet.
            logger.exception("the backend's callback failed", extra={"action": payload["action"]})
            return CallbackAnswer(500)
