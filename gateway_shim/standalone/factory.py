"""Makes the objects of the standalone gateway: :func:`make_front`."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from gateway_shim.http_client.certificates import default_context
from gateway_shim.http_client.unread_bodies import BODIES_AT_ONCE
from gateway_shim.protocol.client_address import TrustedProxies
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.server.options import REQUEST_CONNECTIONS
from gateway_shim.server.process.descriptors import raise_limit, streams_allowed
from gateway_shim.standalone.front import Front
from gateway_shim.standalone.http_backend import DISCONNECTS_AT_ONCE, HttpBackend
from gateway_shim.streams.callbacks.backend import Backend, NoBackend
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.opening.pending_connects import DEFAULT_PENDING_CONNECTS

__all__ = ["make_front"]

_PENDING_SHARE = 8
"""Connect callbacks may use at most an eighth of the descriptors."""

_DISCONNECT_SHARE = 16
"""Disconnect callbacks may use at most a sixteenth of the descriptors, and so may unread bodies."""


def make_front(
    callback_url: str | None,
    heartbeat_interval: float,
    dialect: str,
    drain_seconds: float,
    *,
    listeners: int = 1,
    max_connections_per_address: int | None = None,
    max_pending_connects: int = DEFAULT_PENDING_CONNECTS,
    proxies: TrustedProxies | None = None,
    context: Callable[[], ssl.SSLContext] = default_context,
) -> Front:
    """Make a gateway, its HTTP backend and its WSGI application.

    Args:
        callback_url: the backend's URL. None: every stream is refused, and /readyz reports it.
        heartbeat_interval: the time between the heartbeats of a stream, seconds.
        dialect: ``named`` or ``envelope``.
        drain_seconds: the time that clients have to read their last bytes when the gateway stops.
        listeners: the number of addresses that the gateway listens on.
        max_connections_per_address: streams at a time from one address; None: no limit.
        max_pending_connects: connect callbacks that wait for their answer at a time.
        proxies: the peers whose ``X-Forwarded-For`` is trusted; None: no peer.
        context: returns the TLS settings for callbacks to https.

    Returns:
        The WSGI application, which is also the gateway's Runtime.
    """
    limit = raise_limit()
    pending = max(1, min(max_pending_connects, limit // _PENDING_SHARE))
    disconnects = max(1, min(DISCONNECTS_AT_ONCE, limit // _DISCONNECT_SHARE))
    bodies = max(1, min(BODIES_AT_ONCE, limit // _DISCONNECT_SHARE))
    backend: Backend = NoBackend()
    if callback_url:
        backend = HttpBackend(
            callback_url, disconnects_at_once=disconnects, bodies_at_once=bodies, context=context
        )
    callbacks = pending + disconnects + bodies
    config = GatewayConfig(
        dialect=Dialect(dialect),
        heartbeat_interval=heartbeat_interval,
        max_connections=streams_allowed(limit, listeners * REQUEST_CONNECTIONS + callbacks),
        max_connections_per_address=max_connections_per_address,
        max_pending_connects=pending,
        callback_connections=callbacks,
        proxies=proxies or TrustedProxies(),
    )
    gateway = Gateway(backend, config)
    if isinstance(backend, HttpBackend):
        gateway.starts = backend.starts
        backend.starts.end_earlier = gateway.end_earlier
    return Front(gateway, drain_seconds)
