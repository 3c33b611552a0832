"""Asks the gateway that serves the streams for ``/readyz``, once a second at most."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

import gevent

from app.config import Settings
from gateway_shim.errors import AnswerTimeout, RequestFailed
from gateway_shim.http_client.client import HttpClient
from gateway_shim.log_lines.redaction import Redactor
from gateway_shim.log_lines.safe_text import describe

__all__ = [
    "ASK_SECONDS",
    "CACHE_SECONDS",
    "GatewayReadiness",
    "OwnGateway",
    "RemoteGateway",
    "gateway_readiness",
    "probe",
]

logger = logging.getLogger(__name__)

ASK_SECONDS = 2.0
"""The whole of a question, from looking up the name to the answer's head."""

CACHE_SECONDS = 1.0
"""An answer stands this long: probes of many load balancers cause one question a second."""


class GatewayReadiness(Protocol):
    """Knows whether the gateway can take streams. May block cooperatively; never raises."""

    def problem(self) -> str | None:
        """Return why the gateway is not ready, in one sentence; None if it is."""
        ...


def gateway_readiness(settings: Settings) -> GatewayReadiness:
    """Return what knows the readiness of the gateway that the settings name."""
    if settings.sse_gateway_url is None:
        return OwnGateway()
    return RemoteGateway(settings.sse_gateway_url)


class OwnGateway:
    """The gateway in this process: ready whenever the process is."""

    def problem(self) -> str | None:
        """Return None (:class:`GatewayReadiness`)."""
        return None


class RemoteGateway:
    """The gateway at a URL.

    All who ask at the same time share one question. It runs in a greenlet of its own: a probe
    that hangs up does not take the others' answer away.

    Args:
        base_url: the gateway's; ``/readyz`` is appended.
        ask: gets the URL, returns the problem or None; must not raise, and bounds its time.
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
        self._flight: gevent.Greenlet[[], str | None] | None = None

    def problem(self) -> str | None:
        """Return why the gateway is not ready (:class:`GatewayReadiness`)."""
        # Nothing here switches greenlets before get(), so at most one question is under way.
        if self._flight is None:
            if self._clock() < self._good_until:
                return self._problem
            self._flight = gevent.spawn(self._fly)
        return self._flight.get()

    def _fly(self) -> str | None:
        try:
            problem = self._ask(self._url)
        except Exception as exc:
            # A library's surprise: the probe is answered with it, not with a traceback.
            logger.exception("the gateway's readiness could not be asked for")
            problem = f"The gateway could not be asked whether it is ready: {describe(exc)}"
        finally:
            self._flight = None
        self._log_change(problem)
        self._problem, self._good_until = problem, self._clock() + CACHE_SECONDS
        return problem

    def _log_change(self, problem: str | None) -> None:
        # Only changes: probes come every second.
        if problem != self._problem:
            extra = {"url": Redactor().text(self._url)}
            if problem is None:
                logger.info("the gateway is ready again", extra=extra)
            else:
                logger.warning("the gateway is not ready", extra={**extra, "reason": problem})


def probe(url: str, *, seconds: float = ASK_SECONDS) -> str | None:
    """Ask a gateway once whether it is ready.

    Args:
        url: its ``/readyz``.
        seconds: time limit of the whole, the name's look-up included.

    Returns:
        None if it answered with a status from 200 to 299, else what happened, in one sentence.
    """
    try:
        # The client limits each step; this limits all of them, the name's look-up included.
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
        # Not the exception's text: it names hosts and ports, and anybody may read /readyz.
        return "The gateway cannot be reached"
