"""A backend at a URL: callbacks as HTTP POSTs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import gevent
import requests
import urllib3.exceptions
from gevent.pool import Pool
from requests.adapters import HTTPAdapter

from gateway_shim.callbacks import CALLBACK_TIME_LIMIT_SECONDS, CallbackAnswer, CallbackFailure
from gateway_shim.contract import compact_json

__all__ = ["HttpBackend"]

logger = logging.getLogger(__name__)

_DISCONNECTS_AT_ONCE = 32
_BODY_BYTES_READ = 65536


class HttpBackend:
    """Calls ``CALLBACK_URL``, keep-alive, each call within the contract's time limit.

    Args:
        url: where to POST.
        time_limit: how long an answer may take, seconds.
    """

    configured = True

    def __init__(self, url: str, time_limit: float = CALLBACK_TIME_LIMIT_SECONDS) -> None:
        self._url = url
        self._time_limit = time_limit
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc: a callback goes where it is told
        # One client's cookie must not travel with the next one's callback.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=256)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._disconnects = Pool(_DISCONNECTS_AT_ONCE)

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Ask whether a stream may open."""
        return self._post(payload)

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Tell that a stream has ended; returns before the answer is there."""
        self._disconnects.spawn(self._tell, payload, failed)

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
            # requests limits each read, not the whole call: a backend that trickles would hang it.
            with gevent.Timeout(self._time_limit):
                answer = self._session.post(
                    self._url,
                    data=compact_json(payload),
                    headers={"Content-Type": "application/json"},
                    timeout=self._time_limit,
                    stream=True,
                    allow_redirects=True,  # as the Node gateways do: the last status counts
                )
                # Read, so that the connection can be used again; only the status counts, so a
                # body that breaks off, or does not end in time, changes nothing.
                with answer, contextlib.suppress(urllib3.exceptions.HTTPError, gevent.Timeout):
                    answer.raw.read(_BODY_BYTES_READ)
        except (gevent.Timeout, requests.Timeout):
            logger.warning("the callback was not answered in time", extra=extra)
            return CallbackFailure.TIMEOUT
        except (requests.RequestException, OSError, ValueError) as exc:
            logger.warning("the callback failed: %s", exc, extra=extra)
            return CallbackFailure.UNAVAILABLE
        if not 200 <= answer.status_code < 300:
            logger.warning("the callback answered %s", answer.status_code, extra=extra)
        return CallbackAnswer(answer.status_code, answer.reason or "")
