"""Answers that the worker writes instead of the application: refusals, and answers to HEAD.

They need no greenlet, no WSGI environ, and no response object of gunicorn.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway_shim.protocol import callbacks, http, stream_request
from gateway_shim.protocol.callbacks import CallbackFailure
from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.opening.stream_head import stream_head

__all__ = ["OwnAnswers"]


class OwnAnswers:
    """Creates the answers for one gateway.

    Args:
        gateway: the gateway, whose settings determine the headers.
        idle_seconds: the time that a connection may be idle between two requests; announced if
            the connection stays open.
    """

    def __init__(self, gateway: Gateway, idle_seconds: int) -> None:
        self._gateway = gateway
        self._idle_seconds = idle_seconds

    def refusal(
        self,
        refusal: Refusal,
        headers: Iterable[tuple[str, str]] = (),
        *,
        close: bool,
        method: str | None = None,
    ) -> bytes:
        """Create the answer to a refused request.

        Args:
            refusal: the status and the body.
            headers: the headers of the request; empty if it could not be parsed.
            close: whether the connection ends after the answer.
            method: the method of the request, if it is known. The answer to HEAD has no body.
        """
        cors = self._gateway.config.cors.headers(stream_request.join_headers(headers))
        idle_seconds = None if close else self._idle_seconds
        answer = http.refusal_bytes(refusal, cors, idle_seconds=idle_seconds)
        return answer.removesuffix(refusal.body) if method == "HEAD" else answer

    def head(self, request: StreamRequest, *, close: bool) -> bytes:
        """Create the answer to HEAD on a stream's path: GET's without a body (divergence 5).

        The backend is not asked. The answer is therefore a refusal only if GET would be refused
        before the backend is asked.

        Args:
            request: the request.
            close: whether the connection ends after the answer.
        """
        refusal = self._gateway.refuse(request)
        if refusal is None and not self._gateway.backend.configured:
            dialect = self._gateway.config.dialect
            refusal = callbacks.refusal(CallbackFailure.NOT_CONFIGURED, dialect)
        if refusal is None:
            config = self._gateway.config
            return stream_head(request.headers, config, BodyFraming.BARE, close=close)
        origin = str(request.headers.get("origin", ""))
        return self.refusal(refusal, [("ORIGIN", origin)], close=close, method="HEAD")
