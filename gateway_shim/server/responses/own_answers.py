"""Answers that the worker writes in the application's place: refusals, and to HEAD.

Neither has a greenlet, an environ or a response of gunicorn's behind it.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway_shim.protocol import callbacks, stream_request
from gateway_shim.protocol import http as contract
from gateway_shim.protocol.callbacks import CallbackFailure
from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.opening.stream_head import stream_head

__all__ = ["OwnAnswers"]


class OwnAnswers:
    """Makes the answers of one gateway.

    Args:
        gateway: whose settings they follow.
        idle_seconds: how long a connection may be idle between two requests; announced where a
            connection goes on.
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
        """Make the answer to a request that is refused.

        Args:
            refusal: what to say.
            headers: of the request; none if it is unreadable.
            close: whether the connection ends with the answer.
            method: of the request, as far as it could be read. The answer to HEAD has no body.
        """
        cors = self._gateway.config.cors.headers(stream_request.join_headers(headers))
        idle_seconds = None if close else self._idle_seconds
        answer = contract.refusal_bytes(refusal, cors, idle_seconds=idle_seconds)
        return answer.removesuffix(refusal.body) if method == "HEAD" else answer

    def head(self, request: StreamRequest, *, close: bool) -> bytes:
        """Make the answer to HEAD on a stream's path (divergence 5): as GET's, without a body.

        The backend is not asked, so this is a refusal only where no backend would have been.

        Args:
            request: the request.
            close: whether the connection ends with the answer.
        """
        refusal = self._gateway.refuse(request)
        if refusal is None and not self._gateway.backend.configured:
            dialect = self._gateway.config.dialect
            refusal = callbacks.refusal(CallbackFailure.NOT_CONFIGURED, dialect)
        if refusal is None:
            cors = self._gateway.config.cors
            return stream_head(request.headers, cors, BodyFraming.BARE, close=close)
        origin = str(request.headers.get("origin", ""))
        return self.refusal(refusal, [("ORIGIN", origin)], close=close, method="HEAD")
