"""Asks the gateway behind a URL for ``/readyz``, at most once a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import gevent

from gateway_shim.errors import AnswerTimeout, RequestFailed
from gateway_shim.http_client.client import HttpClient
from gateway_shim.log_lines.redaction import Redactor
from gateway_shim.log_lines.safe_text import describe

__all__ = ["ASK_SECONDS", "CACHE_SECONDS", "RemoteGateway", "probe"]

logger = logging.getLogger(__name__)

ASK_SECONDS = 2.0
"""The time limit of a request, from looking up the name to the head of the answer."""

CACHE_SECONDS = 1.0
"""The time for which an answer is reused: the probes of many load balancers cause one request a
second."""


class RemoteGateway:
    """The readiness of the gateway at a URL.

    Callers that ask at the same time share one request. The request runs in its own greenlet, so
    the other callers still get the answer if the first caller is killed.

    Args:
        base_url: the gateway's URL; ``/readyz`` is appended.
        ask: gets the URL, returns the problem or None. It must not raise, and must limit its own
            time.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        base_url: str,
        *,
        ask: Callable[[str], str | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = base_url.rstrip("/") + "/readyz"
        self._ask = ask or probe
        self._clock = clock
        self._problem: str | None = None
        self._good_until = float("-inf")
        self._running_request: gevent.Greenlet[[], str | None] | None = None

    def problem(self) -> str | None:
        """Return why the gateway is not ready (``GatewayReadiness``)."""
        # Nothing here switches greenlets before get(), so at most one request is running.
        if self._running_request is None:
            if self._clock() < self._good_until:
                return self._problem
            self._running_request = gevent.spawn(self._ask_and_store)
        return self._running_request.get()

    def _ask_and_store(self) -> str | None:
        try:
            problem = self._ask(self._url)
        except Exception as exc:
            # An unexpected error of a library: the probe gets its text, not a traceback.
            logger.exception("the gateway's readiness could not be asked for")
            problem = f"The gateway could not be asked whether it is ready: {describe(exc)}"
        finally:
            self._running_request = None
        self._log_change(problem)
        self._problem, self._good_until = problem, self._clock() + CACHE_SECONDS
        return problem

    def _log_change(self, problem: str | None) -> None:
        # Only changes are logged, because probes come every second.
        if problem != self._problem:
            extra = {"url": Redactor().text(self._url)}
            if problem is None:
                logger.info("the gateway is ready again", extra=extra)
            else:
                logger.warning("the gateway is not ready", extra={**extra, "reason": problem})


def probe(url: str, *, seconds: float = ASK_SECONDS) -> str | None:
    """Ask a gateway once whether it is ready.

    Args:
        url: the URL of its ``/readyz``.
        seconds: the time limit of the whole request, including the name lookup.

    Returns:
        None if the gateway answered with a status from 200 to 299, else what happened, in one
        sentence.
    """
    try:
        # The client limits each step; this limits all steps together, including the name lookup.
        with (
            gevent.Timeout(seconds),
            HttpClient() as client,
            client.request("GET", url, seconds=seconds) as answer,
        ):
            if 200 <= answer.status <= 299:
                return None
            return f"The gateway is not ready: it answered {answer.status} to GET /readyz"
    except (gevent.Timeout, AnswerTimeout):
        return f"The gateway did not answer GET /readyz within {seconds:g} s"
    except RequestFailed:
        # Not the exception's text: it names hosts and ports, and everyone may read /readyz.
        return "The gateway cannot be reached"
