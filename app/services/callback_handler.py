"""What the backend answers a gateway's callback; over HTTP and in this process the same."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

from pydantic import ValidationError

from app.errors import limit_details, validation_details
from app.schemas.sse_gateway_schema import (
    SSEGatewayConnectCallback,
    SSEGatewayDisconnectCallback,
    is_request_id,
)
from app.services.authorization import Authorize, Denied, allow_all
from app.services.connection_manager import HeldByAnotherUser
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["Answer", "CallbackHandler", "request_id_of"]

logger = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What a callback is answered.

    Args:
        status: the HTTP status.
        body: the JSON body.
        phrase: the reason phrase; None: the status's own.
    """

    status: int
    body: dict[str, Any]
    phrase: str | None = None


_SHOWN_CHARACTERS = 40

_HELD_HERE = (
    "The stream is held by the gateway in this server. To replace or end it, set"
    " SSE_CALLBACK_SECRET and show it in the header X-SSE-Secret"
)


class _Connections(Protocol):
    """What this handler needs of the ConnectionManager."""

    def on_connect(
        self, request_id: str, token: str, url: str, user: str | None = None
    ) -> None: ...

    def on_disconnect(self, token: str) -> None: ...

    def holder_of(self, request_id: str) -> str | None: ...


def _hold_nothing(_: str) -> bool:
    """Know no token."""
    return False


class CallbackHandler:
    """Checks a callback and passes it on; knows nothing of HTTP but the status.

    Args:
        connection_manager: told of connects and disconnects.
        authorize: says who may have a stream.
        refusals: counts the connects and disconnects that are not allowed; None: nobody counts.
        holds: returns whether a token is that of a stream of the gateway in this process.
        most_details: faults that the answer to a bad callback, and its log line, describe.
    """

    def __init__(
        self,
        connection_manager: _Connections,
        authorize: Authorize = allow_all,
        refusals: RefusalCounts | None = None,
        holds: Callable[[str], bool] = _hold_nothing,
        most_details: int = 10,
    ) -> None:
        self._connections = connection_manager
        self._authorize = authorize
        self._holds = holds
        self._refusals = refusals or RefusalCounts()
        self._most_details = most_details

    def handle(self, body: object, *, trusted: bool = True) -> Answer:
        """Answer a callback.

        Args:
            body: the parsed JSON body.
            trusted: whether the caller is the gateway in this process or has shown the secret.
                Others cannot replace or end a stream of the gateway in this process.

        Returns:
            200 and ``{}``, or 400 or 403 and an ``error`` that says what was wrong.
        """
        if not isinstance(body, Mapping):
            return _refused("Unknown action: the body is no object")
        action = body.get("action")
        try:
            if action == "connect":
                connect = SSEGatewayConnectCallback.model_validate(body)
                return self.handle_connect(
                    connect.request.url, connect.token, connect.request.headers, trusted=trusted
                )
            if action == "disconnect":
                disconnect = SSEGatewayDisconnectCallback.model_validate(body)
                return self.handle_disconnect(disconnect.token, disconnect.reason, trusted=trusted)
        except ValidationError as exc:
            details = limit_details(validation_details(exc), self._most_details)
            return _refused("Invalid payload", details=details)
        return _refused(f"Unknown action: {_shown(action)}")

    def handle_connect(
        self,
        request_url: str,
        token: str,
        headers: Mapping[str, str | list[str]],
        *,
        trusted: bool = True,
    ) -> Answer:
        """Answer a stream's connect; the observers have run when this returns.

        Args:
            request_url: the raw request target.
            token: the stream's token.
            headers: the request's headers, names in lower case.
            trusted: as for :meth:`handle`.
        """
        request_id = request_id_of(request_url)
        if not request_id:
            return _refused("Missing request_id in URL", token=token)
        if not is_request_id(request_id):
            return _refused("Invalid request_id format", token=token)
        try:
            verdict = self._authorize(request_id, request_url, headers)
            user = verdict if isinstance(verdict, str) else None
            # After the hook, which may let others run: nothing does between here and the change.
            if not trusted and self._would_end_a_stream(request_id, token):
                return self._not_allowed(token)
            if user is None:
                self._connections.on_connect(request_id, token, request_url)
            else:
                self._connections.on_connect(request_id, token, request_url, user)
        except Denied as denied:
            extra = {"request_id": request_id, "status": denied.status, "reason": denied.reason}
            logger.info("a stream was denied", extra=extra)
            return Answer(denied.status, {"error": denied.reason}, denied.reason)
        except HeldByAnotherUser:
            extra = {"request_id": request_id, "token": token}
            logger.warning("a stream was denied: its request id is another user's", extra=extra)
            self._refusals.add(RefusalReason.ANOTHER_USER)
            return Answer(403, {"error": "This request id belongs to another user's stream"})
        return Answer(200, {})

    def handle_disconnect(self, token: str, reason: str, *, trusted: bool = True) -> Answer:
        """Answer a stream's end; a token that nobody knows is no error.

        Args:
            token: the stream's token.
            reason: why it ended.
            trusted: as for :meth:`handle`.
        """
        if not trusted and self._holds(token):
            return self._not_allowed(token)
        logger.debug("a stream has ended", extra={"token": token, "reason": reason})
        self._connections.on_disconnect(token)
        return Answer(200, {})

    def _would_end_a_stream(self, request_id: str, token: str) -> bool:
        earlier = self._connections.holder_of(request_id)
        return self._holds(token) or (earlier is not None and self._holds(earlier))

    def _not_allowed(self, token: str) -> Answer:
        self._refusals.add(RefusalReason.CALLBACK_NOT_ALLOWED)
        extra = {"token": token[:_SHOWN_CHARACTERS]}
        logger.warning("a callback without the secret was refused", extra=extra)
        return Answer(403, {"error": _HELD_HERE})


def request_id_of(request_url: str) -> str:
    """The ``request_id`` of a raw request target's query: the first one, decoded; else empty."""
    query = request_url.partition("#")[0].partition("?")[2]
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == "request_id":
            return value
    return ""


def _refused(error: str, *, token: str | None = None, details: object = None) -> Answer:
    extra: dict[str, Any] = {"error": error}
    if token is not None:
        extra["token"] = token
    body: dict[str, Any] = {"error": error}
    if details is not None:
        extra["details"] = body["details"] = details
    logger.warning("a callback was refused", extra=extra)
    return Answer(400, body)


def _shown(action: object) -> str:
    """An action as it can be shown to anyone: short, on one line, in JSON's own spelling."""
    text = action if isinstance(action, str) else json.dumps(action)
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "…"
    return "".join(c if c.isprintable() else "?" for c in text)
