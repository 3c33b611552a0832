"""A backend at a URL: callbacks as HTTP POSTs."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.pool import Pool

from gateway_shim import callbacks
from gateway_shim.backend_starts import BackendStarts
from gateway_shim.boot import BOOT_HEADER
from gateway_shim.callbacks import (
    CALLBACK_TIME_LIMIT_SECONDS,
    Action,
    CallbackAnswer,
    CallbackFailure,
    Reason,
)
from gateway_shim.contract import compact_json
from gateway_shim.errors import AnswerTimeout, RequestFailed
from gateway_shim.http_client import MAX_REDIRECTS, HttpClient

__all__ = ["DISCONNECTS_AT_ONCE", "HttpBackend"]

logger = logging.getLogger(__name__)

DISCONNECTS_AT_ONCE = 32
"""Ends of streams that the backend is being told of at a time."""

_KEPT_CONNECTIONS = 256
"""Connections that are kept for the next callbacks; more callbacks at a time open more."""


class HttpBackend:
    """Calls ``CALLBACK_URL``, keep-alive, each call within the contract's time limit.

    Args:
        url: where to POST.
        time_limit: how long an answer may take, seconds.

    Attributes:
        starts: compares the starts of the backend that answer.
    """

    configured = True

    def __init__(self, url: str, time_limit: float = CALLBACK_TIME_LIMIT_SECONDS) -> None:
        self._url = url
        self._time_limit = time_limit
        self.starts = BackendStarts()
        self.starts.ask = self.ask
        # Redirects are followed, as the Node gateways do: the last status counts.
        self._client = HttpClient(connections=_KEPT_CONNECTIONS, redirects=MAX_REDIRECTS)
        self._disconnects = Pool(DISCONNECTS_AT_ONCE)

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Ask whether a stream may open."""
        return self._post(payload)

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Tell that a stream has ended; returns before the answer is there."""
        self._disconnects.spawn(self._tell, payload, failed)

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
                # Only the status counts: a body that does not end in time changes nothing.
                with answer, contextlib.suppress(gevent.Timeout):
                    answer.discard()
        except (gevent.Timeout, AnswerTimeout):
            logger.warning("the callback was not answered in time", extra=extra)
            return CallbackFailure.TIMEOUT
        except RequestFailed as exc:
            logger.warning("the callback failed: %s", exc, extra=extra)
            return CallbackFailure.UNAVAILABLE
        if not 200 <= answer.status < 300:
            logger.warning("the callback answered %s", answer.status, extra=extra)
        boot = self.starts.answered(answer.status, answer.headers.get(BOOT_HEADER))
        return CallbackAnswer(answer.status, answer.reason, boot)
