"""What the worker serves: a WSGI application with a gateway beside it."""

from __future__ import annotations

from typing import Any, Protocol, cast

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.protocol.routes import Route
from gateway_shim.server.responses.transfers import TransferLimits
from gateway_shim.streams.gateway import Gateway

__all__ = ["EXTENSION", "Runtime", "runtime_of"]

EXTENSION = "sse_gateway"
"""Where an application keeps its runtime: ``application.extensions[EXTENSION]``."""


class Runtime(Protocol):
    """The worker's view of an application that has streams."""

    gateway: Gateway
    limits: TransferLimits

    def route(self, method: str, target: str) -> Route:
        """What a request asks for: the worker takes STREAM and STREAM_HEAD for the gateway."""
        ...

    def body_limit(self, method: str, target: str) -> int:
        """Return how many bytes a request's body may have; 0: nobody will look at it.

        Args:
            method: the request method.
            target: the raw request target.
        """
        ...

    def start(self) -> None:
        """Start what runs beside the requests; called in the process that serves."""
        ...

    def shutdown(self) -> None:
        """End everything cleanly, streams last; blocks until that is done."""
        ...

    def hurry(self) -> None:
        """End a shutdown that is under way as soon as possible."""
        ...


def runtime_of(application: object) -> Runtime:
    """Find an application's runtime.

    Raises:
        InvalidConfiguration: it has none.
    """
    extensions: dict[str, Any] = getattr(application, "extensions", {})
    if EXTENSION not in extensions:
        raise InvalidConfiguration(
            f"{type(application).__name__} has no gateway: its extensions[{EXTENSION!r}] is unset"
        )
    return cast(Runtime, extensions[EXTENSION])
