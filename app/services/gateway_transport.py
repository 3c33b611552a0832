"""The seam between the backend and a gateway, and its in-process implementation.

The other implementation is :mod:`app.services.remote_gateway.http_transport`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway_shim.errors import UnknownToken, WriteFailed
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.results import BroadcastResult
from gateway_shim.streams.gateway import Gateway

__all__ = ["BroadcastResult", "GatewayTransport", "InProcessTransport", "TransportError"]


class TransportError(Exception):
    """The gateway could not be reached, or did not do what it was asked. The message says why."""


class GatewayTransport(Protocol):
    """The gateway as ConnectionManager uses it.

    Methods may block cooperatively, but for a bounded time only.
    """

    def send(self, token: str, event: Event) -> bool:
        """Send an event to one stream.

        Returns:
            True if the stream took the event; False if the gateway does not know the token, or
            no longer knows it.

        Raises:
            TransportError: the event was not delivered for any other reason.
        """
        ...

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send one event to many streams. Raises nothing: a failed send is not delivered."""
        ...

    def close(self, token: str) -> None:
        """End a stream, best effort. An unknown token is not an error.

        Raises:
            TransportError: it is already known that the gateway did not end the stream.
        """
        ...

    def drain(self, tokens: Sequence[str], farewell: Event, seconds: float) -> None:
        """End all streams with a last event. Raises nothing.

        Args:
            tokens: the tokens of all known streams.
            farewell: the last event.
            seconds: the time limit for all streams together.
        """
        ...


class InProcessTransport:
    """The gateway in this process, called directly.

    Args:
        gateway: the gateway.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def send(self, token: str, event: Event) -> bool:
        """Send an event to one stream (:class:`GatewayTransport`)."""
        try:
            self._gateway.send(token, event)
        except UnknownToken:
            return False
        except WriteFailed as exc:
            raise TransportError(str(exc)) from exc
        return True

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send an event to many streams with one call (:class:`GatewayTransport`)."""
        return self._gateway.broadcast(tokens, event)

    def close(self, token: str) -> None:
        """End a stream (:class:`GatewayTransport`)."""
        try:
            self._gateway.close(token)
        except UnknownToken:
            return
        except WriteFailed as exc:
            raise TransportError(str(exc)) from exc

    def drain(self, tokens: Sequence[str], farewell: Event, seconds: float) -> None:
        """End all streams, including those that are connecting (:class:`GatewayTransport`)."""
        self._gateway.drain(farewell, seconds)
