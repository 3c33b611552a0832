"""A backend at a URL: callbacks as HTTP POSTs."""

from __future__ import annotations

import logging
import ssl
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.pool import Pool

from gateway_shim.errors import AnswerTimeout, RequestFailed
from gateway_shim.http_client.certificates import default_context
from gateway_shim.http_client.client import MAX_REDIRECTS, HttpClient
from gateway_shim.http_client.unread_bodies import BODIES_AT_ONCE, UnreadBodies
from gateway_shim.protocol import callbacks
from gateway_shim.protocol.backend_start import BOOT_HEADER
from gateway_shim.protocol.callbacks import (
    CALLBACK_TIME_LIMIT_SECONDS,
    Action,
    CallbackAnswer,
    CallbackFailure,
    Reason,
)
from gateway_shim.protocol.http import compact_json
from gateway_shim.streams.callbacks.backend_starts import BackendStarts

__all__ = ["DISCONNECTS_AT_ONCE", "HttpBackend"]

logger = logging.getLogger(__name__)

DISCONNECTS_AT_ONCE = 1000
"""Ends of streams that the backend is told of at a time, and connections that are kept for the
next callbacks: a crowd that leaves needs them again. docs/operations.md has the figures."""

_PROXY_AUTHENTICATION_REQUIRED = 407

_STEP = 64
_STEP_SECONDS = 0.005
"""After so many disconnects in a row there is a pause. A backend accepts connections from a queue,
often of 128; where 1,000 came at one instant, the kernel dropped some, and tries again only after
1 s, and then after 3 s."""

_SWEEP_SECONDS = 1.0
"""Connections that have been kept for too long are looked for this often, while there are any."""


class HttpBackend:
    """Calls ``CALLBACK_URL``, keep-alive, each call within the contract's time limit.

    Args:
        url: where to POST.
        time_limit: how long the head of an answer may take, seconds.
        disconnects_at_once: ends of streams that are told of at a time.
        bodies_at_once: answers at a time whose body has not ended.
        context: returns the TLS settings, at the first https request.

    Attributes:
        starts: compares the starts of the backend that answer.
    """

    configured = True

    def __init__(
        self,
        url: str,
        time_limit: float = CALLBACK_TIME_LIMIT_SECONDS,
        *,
        disconnects_at_once: int = DISCONNECTS_AT_ONCE,
        bodies_at_once: int = BODIES_AT_ONCE,
        context: Callable[[], ssl.SSLContext] = default_context,
    ) -> None:
        self._url = url
        self._time_limit = time_limit
        self.starts = BackendStarts()
        self.starts.ask = self.ask
        # Redirects are followed, as the Node gateways do: the last status counts.
        self._unread = UnreadBodies(time_limit, bodies_at_once)
        self._client = HttpClient(
            connections=disconnects_at_once,
            redirects=MAX_REDIRECTS,
            context=context,
            unread=self._unread.take,
        )
        self._disconnects = Pool(disconnects_at_once)
        self._sweeper: gevent.Greenlet[[], None] | None = None
        self._in_a_row = 0

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Ask whether a stream may open."""
        return self._post(payload)

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Tell that a stream has ended; returns before the answer is there, if there is room."""
        self._disconnects.spawn(self._tell, payload, failed)
        self._in_a_row += 1
        if self._in_a_row >= _STEP:
            self._in_a_row = 0
            gevent.sleep(_STEP_SECONDS)

    def ask(self) -> None:
        """Ask the backend for its boot: report the end of a stream that never was."""
        nowhere = {"url": "/", "headers": {}}
        self._post(
            callbacks.payload(Action.DISCONNECT, str(uuid.uuid4()), nowhere, Reason.SERVER_CLOSED)
        )

    def flush(self, seconds: float) -> None:
        """Wait until the disconnects under way have been answered."""
        self._disconnects.join(seconds)

    def _tell(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        answer = self._post(payload)
        if isinstance(answer, CallbackFailure) or not answer.accepted:
            failed()

    def _post(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        extra = {"action": payload["action"], "token": payload["token"]}
        try:
            # The client limits each step; a backend that redirects slowly would hang it.
            with gevent.Timeout(self._time_limit):
                answer = self._client.request(
                    "POST",
                    self._url,
                    body=compact_json(payload),
                    headers={"Content-Type": "application/json"},
                    seconds=self._time_limit,
                )
        except (gevent.Timeout, AnswerTimeout):
            logger.warning("the callback was not answered in time", extra=extra)
            return CallbackFailure.TIMEOUT
        except RequestFailed as exc:
            logger.warning("the callback failed: %s", exc, extra=extra)
            return CallbackFailure.UNAVAILABLE
        # The head says it all: a stream opens, or is refused, before the body has come.
        self._unread.take(answer)
        if self._sweeper is None:
            self._sweeper = gevent.spawn(self._sweep)
        if answer.status == _PROXY_AUTHENTICATION_REQUIRED:
            # Only a proxy may ask for this, and there is none; Node's fetch fails, too.
            logger.warning("the callback failed: it was answered 407", extra=extra)
            return CallbackFailure.UNAVAILABLE
        if not 200 <= answer.status < 300:
            logger.warning("the callback answered %s", answer.status, extra=extra)
        boot = self.starts.answered(answer.status, answer.headers.get(BOOT_HEADER))
        return CallbackAnswer(answer.status, answer.reason, boot)

    def _sweep(self) -> None:
        """Close connections that no callback has used for a while, until none is left."""
        while self._client.close_idle() or self._unread.awaited:
            gevent.sleep(_SWEEP_SECONDS)
        self._sweeper = None
