"""The worker's view of an application: a gateway, limits, and a shutdown."""

from __future__ import annotations

from typing import Any, Protocol, cast

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.protocol.routes import Route
from gateway_shim.server.responses.transfers import TransferLimits
from gateway_shim.streams.gateway import Gateway

__all__ = ["EXTENSION", "Runtime", "runtime_of"]

EXTENSION = "sse_gateway"
"""The key of an application's runtime: ``application.extensions[EXTENSION]``."""


class Runtime(Protocol):
    """The worker's view of an application that has streams."""

    gateway: Gateway
    limits: TransferLimits

    def route(self, method: str, target: str) -> Route:
        """Return what a request asks for.

        The worker passes STREAM and STREAM_HEAD to the gateway, all else to the application.
        """
        ...

    def body_limit(self, method: str, target: str) -> int:
        """Return how many bytes a request's body may have; 0 if no code will read the body.

        Args:
            method: the request method.
            target: the raw request target.
        """
        ...

    def start(self) -> None:
        """Start the background work. The worker calls this in the process that serves."""
        ...

    def shutdown(self) -> None:
        """End tasks and then streams; blocks until all have ended."""
        ...

    def stop_waiting(self) -> None:
        """End a running :meth:`shutdown` as soon as possible, without waiting for tasks."""
        ...


def runtime_of(application: object) -> Runtime:
    """Return an application's runtime.

    Raises:
        InvalidConfiguration: the application has no runtime.
    """
    extensions: dict[str, Any] = getattr(application, "extensions", {})
    if EXTENSION not in extensions:
        raise InvalidConfiguration(
            f"{type(application).__name__} has no gateway: its extensions[{EXTENSION!r}] is unset"
        )
    return cast(Runtime, extensions[EXTENSION])
