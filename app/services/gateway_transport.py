"""How the backend reaches a gateway: the seam, and its in-process side.

The other side is :mod:`app.services.remote_gateway.http_transport`.
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
    """The gateway could not be reached, or did not do what it was asked; says what happened."""


class GatewayTransport(Protocol):
    """What ConnectionManager needs of a gateway. May block cooperatively, never for ever."""

    def send(self, token: str, event: Event) -> bool:
        """Send to one stream.

        Returns:
            False: the gateway does not know the token (any more).

        Raises:
            TransportError: it was not delivered for any other reason.
        """
        ...

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send one event to many streams. Raises nothing: what failed was not delivered."""
        ...

    def close(self, token: str) -> None:
        """End a stream, best effort; an unknown token is none of the caller's concern.

        Raises:
            TransportError: it is known already that the gateway did not do it.
        """
        ...

    def drain(self, tokens: Sequence[str], farewell: Event, seconds: float) -> None:
        """End all streams with a last event. Raises nothing.

        Args:
            tokens: every stream that is known of.
            farewell: the last event.
            seconds: how long it may take.
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
        """Send to one stream (:class:`GatewayTransport`)."""
        try:
            self._gateway.send(token, event)
        except UnknownToken:
            return False
        except WriteFailed as exc:
            raise TransportError(str(exc)) from exc
        return True

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send to many streams with one call (:class:`GatewayTransport`)."""
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
        """End all streams, those too that are only connecting (:class:`GatewayTransport`)."""
        self._gateway.drain(farewell, seconds)
