"""The backend of the standalone gateway: each callback is a POST to ``CALLBACK_URL``.

A callback has one try and one time limit. Only the head of the answer counts:

1. ``connect`` waits for the head, in the greenlet of the stream that opens. ``disconnect`` hands
   the callback to a pool of greenlets. It waits only while the pool is full, and for 5 ms after
   each 64 callbacks in a row.
2. The connection comes from the HTTP client's pool, or is opened. Redirects are followed.
3. The body of the answer is read in the background (:mod:`gateway_shim.http_client.unread_bodies`),
   so that the connection can carry the next callback. A connection whose body does not end in time
   is closed.
4. The header ``SSE-Backend-Boot`` tells which start of the backend has answered
   (:class:`BackendStarts`). Streams of an earlier start are ended.
5. Kept connections that no callback has used for a while are closed, once a second.

No method raises an error: a callback that fails is logged, and its caller gets a CallbackFailure.
"""

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
from gateway_shim.http_client.client import HttpClient
from gateway_shim.http_client.redirects import CALLBACK_REDIRECTS
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
"""The number of disconnect callbacks under way at a time, and of connections that are kept for the
next callbacks. Many clients that leave at once need these connections again. docs/operations.md has
the figures."""

_PROXY_AUTHENTICATION_REQUIRED = 407

_STEP = 64
_STEP_SECONDS = 0.005
"""The pause after each 64 disconnects in a row. A backend accepts connections from a queue, often
of 128. When 1,000 connections came at the same moment, its kernel dropped some of them. Our kernel
then tries again only after 1 s, and after 3 s."""

_SWEEP_SECONDS = 1.0
"""The time between two searches for connections that are kept for too long, while there are any."""


class HttpBackend:
    """Sends callbacks to ``CALLBACK_URL`` on kept connections, within the contract's time limit.

    Args:
        url: the URL of the backend's callback.
        time_limit: the time in which the head of an answer must arrive, seconds.
        disconnects_at_once: the number of disconnect callbacks under way at a time.
        bodies_at_once: the number of answers at a time whose body has not ended.
        context: returns the TLS settings; called at the first https request.

    Attributes:
        starts: compares the starts of the backend that have answered.
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
        self._unread = UnreadBodies(time_limit, bodies_at_once)  # reads bodies in the background
        # Redirects are followed, as in the Node gateway: the last status counts.
        self._client = HttpClient(
            connections=disconnects_at_once,
            redirects=CALLBACK_REDIRECTS,
            context=context,
            unread=self._unread.take,
        )
        self._disconnects = Pool(disconnects_at_once)  # the disconnect callbacks under way
        self._sweeper: gevent.Greenlet[[], None] | None = None  # runs while connections are kept
        self._in_a_row = 0  # disconnects since the last pause

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Ask the backend if a stream may open; wait for the answer."""
        return self._post(payload)

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Report the end of a stream; return before the answer arrives, unless the pool is full."""
        self._disconnects.spawn(self._report, payload, failed)
        self._in_a_row += 1
        if self._in_a_row >= _STEP:
            self._in_a_row = 0
            gevent.sleep(_STEP_SECONDS)

    def ask(self) -> None:
        """Ask the backend for its start: report the end of a stream that never existed."""
        request = {"url": "/", "headers": {}}
        self._post(
            callbacks.payload(Action.DISCONNECT, str(uuid.uuid4()), request, Reason.SERVER_CLOSED)
        )

    def flush(self, seconds: float) -> None:
        """Wait until the disconnect callbacks under way are answered, for at most ``seconds``."""
        self._disconnects.join(seconds)

    # ------------------------------------------------------------------ private

    def _report(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        answer = self._post(payload)
        if isinstance(answer, CallbackFailure) or not answer.accepted:
            failed()

    def _post(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        extra = {"action": payload["action"], "token": payload["token"]}
        try:
            # The client limits each step only. A backend that redirects slowly would exceed the
            # limit of the whole callback.
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
        # Only the head counts: a stream is opened or refused before the body has arrived.
        self._unread.take(answer)
        if self._sweeper is None:
            self._sweeper = gevent.spawn(self._sweep)
        if answer.status == _PROXY_AUTHENTICATION_REQUIRED:
            # Only a proxy may answer 407, and there is no proxy. Node's fetch fails, too.
            logger.warning(
                "the callback failed: the answer was 407, which only a proxy may give", extra=extra
            )
            return CallbackFailure.UNAVAILABLE
        if not 200 <= answer.status < 300:
            logger.warning("the callback answered %s", answer.status, extra=extra)
        boot = self.starts.answered(answer.status, answer.headers.get(BOOT_HEADER))
        return CallbackAnswer(answer.status, answer.reason, boot)

    def _sweep(self) -> None:
        """Close connections that no callback has used for a while, until no connection is left."""
        while self._client.close_idle() or self._unread.awaited:
            gevent.sleep(_SWEEP_SECONDS)
        self._sweeper = None
