"""The servers of a worker, one for each of its listeners."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gevent.pool import Pool

from gateway_shim.protocol.routes import Route
from gateway_shim.server.connections.request_connections import RequestConnections
from gateway_shim.server.connections.request_server import RequestServer
from gateway_shim.server.connections.stream_openings import StreamOpenings, may_open
from gateway_shim.server.process.descriptors import raise_limit, requests_allowed
from gateway_shim.server.process.tls_context import shared_context
from gateway_shim.server.runtime import Runtime
from gateway_shim.server.tls import TlsServer
from gateway_shim.streams.sockets.tls_session import can_release

__all__ = ["make_servers"]

logger = logging.getLogger(__name__)


def make_servers(
    listeners: Sequence[Any],
    handle: Callable[[Any, Any, Any], None],
    connections: RequestConnections,
    cfg: Any,
    runtime: Runtime,
) -> list[RequestServer]:
    """Make a server for each listener.

    Each server has its own handlers, so that a flood at one address does not affect the others. So
    ADMIN_BIND answers during a flood at the public address.

    Args:
        listeners: listening sockets.
        handle: serves one connection; takes its listener, its socket and its peer's address.
        connections: counts the connections that are not streams.
        cfg: gunicorn's configuration.
        runtime: the application's runtime, which decides which requests are for streams.
    """
    gateway, config = runtime.gateway, runtime.gateway.config
    streams = config.max_connections or 0
    reserved = streams + config.callback_connections
    allowed = max(requests_allowed(raise_limit(), reserved) // len(listeners), 1)
    size = min(cfg.worker_connections, allowed)
    if size < cfg.worker_connections:
        logger.warning(
            "MAX_REQUEST_CONNECTIONS is %d, but the descriptor limit allows %d at each address;"
            " using %d. Raise it with ulimit -n",
            cfg.worker_connections,
            allowed,
            size,
        )

    def is_stream(method: str, target: str) -> bool:
        return runtime.route(method, target) is Route.STREAM

    def free_streams() -> int:
        return max(streams - gateway.active, 0)

    servers = []
    for listener in listeners:
        options: dict[str, Any] = {
            "is_stream": is_stream,
            "free_streams": free_streams,
            "handle": partial(handle, listener),
        }
        if cfg.is_ssl:
            context = shared_context(cfg)
            handlers = size
            if not can_release(context):
                logger.warning(
                    "this version of Python or gevent keeps a handler for each TLS stream,"
                    " which doubles the memory of a stream"
                )
                handlers += streams
            line = connections.add_line(Pool(handlers), size)
            server: RequestServer = TlsServer(listener, context, connections, line, **options)
        else:
            line = connections.add_line(Pool(size), size)
            if may_open(cfg):
                name = listener.getsockname()
                host = name[0] if isinstance(name, tuple) else None
                options["openings"] = StreamOpenings(gateway, host, line.pool)
            server = RequestServer(listener, connections, line, **options)
        servers.append(server)
    return servers
