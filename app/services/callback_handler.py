"""Handles a gateway's callbacks: the same code for callbacks over HTTP and in this process."""

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
from gateway_shim.log_lines.frequent_line import FrequentLine
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["CallbackHandler", "CallbackResponse", "request_id_of"]

logger = logging.getLogger(__name__)

_DENIED = FrequentLine(logger, "a stream was denied")


class CallbackResponse(NamedTuple):
    """The HTTP response to a callback.

    Args:
        status: the HTTP status.
        body: the JSON body.
        phrase: the reason phrase; None: the standard phrase of the status.
    """

    status: int
    body: dict[str, Any]
    phrase: str | None = None


_SHOWN_CHARACTERS = 40

_HELD_HERE = (
    "The stream is held by the gateway in this server. To replace or end it, set"
    " SSE_CALLBACK_SECRET and send it in the header X-SSE-Secret"
)


class _StreamRegistry(Protocol):
    """The part of ConnectionManager that the handler uses."""

    def on_connect(
        self, request_id: str, token: str, url: str, user: str | None = None
    ) -> None: ...

    def on_disconnect(self, token: str) -> None: ...

    def token_of(self, request_id: str) -> str | None: ...

    def is_held_elsewhere(self, request_id: str, token: str) -> bool: ...


def _hold_nothing(_: str) -> bool:
    """Return False: there is no gateway in this process."""
    return False


class CallbackHandler:
    """Checks a callback and passes it on. The status is all that this class uses of HTTP.

    Args:
        connection_manager: is notified of connects and disconnects.
        authorize: decides who may open a stream.
        refusals: counts the connects and disconnects that are refused; None: a private counter.
        holds: returns whether a token belongs to a stream of the gateway in this process. The
            connection manager says it of other processes of the server.
        max_details: the number of faults that the response to a bad callback, and its log line,
            describe.
    """

    def __init__(
        self,
        connection_manager: _StreamRegistry,
        authorize: Authorize = allow_all,
        refusals: RefusalCounts | None = None,
        holds: Callable[[str], bool] = _hold_nothing,
        max_details: int = 10,
    ) -> None:
        self._connections = connection_manager
        self._authorize = authorize
        self._holds = holds
        self._refusals = refusals or RefusalCounts()
        self._max_details = max_details

    def handle(self, body: object, *, trusted: bool = True) -> CallbackResponse:
        """Handle a callback.

        Args:
            body: the parsed JSON body.
            trusted: whether the caller is the gateway in this process or has sent the secret.
                Other callers cannot replace or end a stream of this server's gateway, in this
                process or another.

        Returns:
            200 and ``{}``, or 400 or 403 and an ``error`` that says what was wrong.
        """
        if not isinstance(body, Mapping):
            return _refuse("Unknown action: the body is not an object")
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
            details = limit_details(validation_details(exc), self._max_details)
            return _refuse("Invalid payload", details=details)
        return _refuse(f"Unknown action: {_printable_action(action)}")

    def handle_own(self, payload: Mapping[str, Any]) -> CallbackResponse:
        """Handle a callback of the gateway in this process. Its form needs no check.

        Args:
            payload: as :func:`gateway_shim.protocol.callbacks.payload` makes it.
        """
        token: str = payload["token"]
        if payload["action"] == "disconnect":
            return self.handle_disconnect(token, payload["reason"])
        request = payload["request"]
        # A copy, because a hook may change what it gets.
        return self.handle_connect(request["url"], token, dict(request["headers"]))

    def handle_connect(
        self,
        request_url: str,
        token: str,
        headers: Mapping[str, str | list[str]],
        *,
        trusted: bool = True,
    ) -> CallbackResponse:
        """Handle a stream's connect. The connect observers have run when this returns.

        Args:
            request_url: the raw request target.
            token: the stream's token.
            headers: the request's headers; names in lower case.
            trusted: as for :meth:`handle`.
        """
        request_id = request_id_of(request_url)
        if not request_id:
            return _refuse("Missing request_id in URL", token=token)
        if not is_request_id(request_id):
            return _refuse("Invalid request_id format", token=token)
        try:
            verdict = self._authorize(request_id, request_url, headers)
            user = verdict if isinstance(verdict, str) else None
            # Checked after the hook, because the hook may let other greenlets run. No other
            # greenlet runs between the check of this process's streams and the change, unless
            # another process must be asked about the user.
            if not trusted and (
                self._connections.is_held_elsewhere(request_id, token)
                or self._would_end_a_stream(request_id, token)
            ):
                return self._refuse_untrusted(token)
            self._connections.on_connect(request_id, token, request_url, user)
        except Denied as denied:
            extra = {"request_id": request_id, "status": denied.status, "reason": denied.reason}
            _DENIED.write(lambda: extra)
            return CallbackResponse(denied.status, {"error": denied.reason}, denied.reason)
        except HeldByAnotherUser:
            extra = {"request_id": request_id, "token": token}
            logger.warning(
                "a stream was denied: its request id belongs to another user", extra=extra
            )
            self._refusals.add(RefusalReason.ANOTHER_USER)
            error = {"error": "This request id belongs to another user's stream"}
            return CallbackResponse(403, error)
        return CallbackResponse(200, {})

    def handle_disconnect(
        self, token: str, reason: str, *, trusted: bool = True
    ) -> CallbackResponse:
        """Handle the end of a stream. An unknown token is not an error.

        Args:
            token: the stream's token.
            reason: why the stream ended.
            trusted: as for :meth:`handle`.
        """
        if not trusted and (self._holds(token) or self._connections.is_held_elsewhere("", token)):
            return self._refuse_untrusted(token)
        logger.debug("a stream has ended", extra={"token": token, "reason": reason})
        self._connections.on_disconnect(token)
        return CallbackResponse(200, {})

    def _would_end_a_stream(self, request_id: str, token: str) -> bool:
        earlier = self._connections.token_of(request_id)
        return self._holds(token) or (earlier is not None and self._holds(earlier))

    def _refuse_untrusted(self, token: str) -> CallbackResponse:
        self._refusals.add(RefusalReason.CALLBACK_NOT_ALLOWED)
        extra = {"token": token[:_SHOWN_CHARACTERS]}
        logger.warning("a callback without the secret was refused", extra=extra)
        return CallbackResponse(403, {"error": _HELD_HERE})


def request_id_of(request_url: str) -> str:
    """Return the first ``request_id`` of a raw request target's query, decoded; else empty."""
    query = request_url.partition("#")[0].partition("?")[2]
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == "request_id":
            return value
    return ""


def _refuse(error: str, *, token: str | None = None, details: object = None) -> CallbackResponse:
    extra: dict[str, Any] = {"error": error}
    if token is not None:
        extra["token"] = token
    body: dict[str, Any] = {"error": error}
    if details is not None:
        extra["details"] = body["details"] = details
    logger.warning("a callback was refused", extra=extra)
    return CallbackResponse(400, body)


def _printable_action(action: object) -> str:
    """Return an action for an error message: short, on one line, in the spelling of JSON."""
    text = action if isinstance(action, str) else json.dumps(action)
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "…"
    return "".join(c if c.isprintable() else "?" for c in text)
