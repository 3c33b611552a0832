"""Wiring of the gateway on a port of its own: gateway, HTTP backend, front."""

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
"""Of the descriptors an eighth may be for callbacks of connects, where descriptors are few."""

_DISCONNECT_SHARE = 16
"""A sixteenth may be for callbacks of disconnects, and as many for bodies that nobody waits for."""


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
    """Make the WSGI application of a gateway.

    Args:
        callback_url: the backend; None: every stream is refused, and /readyz says so.
        heartbeat_interval: seconds.
        dialect: ``named`` or ``envelope``.
        drain_seconds: how long clients may take when the gateway stops.
        listeners: addresses that are listened at.
        max_connections_per_address: streams at a time from one address; None: no limit.
        max_pending_connects: callbacks of connects that wait for their answer at a time.
        proxies: whose word about a client's address is taken; None: nobody's.
        context: returns the TLS settings of callbacks to https.
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
