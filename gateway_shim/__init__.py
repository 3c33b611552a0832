"""The SSE gateway as a library.

The public names are in :data:`__all__`; import them from here: ``from gateway_shim import Event``.
An application that embeds a gateway needs these first:

==========================================  ======================================================
:class:`Gateway`, :class:`GatewayConfig`    the streams of one process, and their settings
:class:`InProcessBackend`                   calls your function when a stream opens or ends
:class:`CallbackAnswer`                     what this function returns: may the stream open?
:class:`Event`, :class:`Dialect`            what is sent, and how it is written
:class:`SendStatus`,                        the outcomes of a send and of a broadcast
:class:`BroadcastResult`
:class:`MemoryLog`, :class:`LogLimits`      a log of the events, for ``Gateway(open_log=…)``: a
                                            browser that comes back gets what it has missed
:data:`EVERYONE`, :func:`user_audience`,    the addressees of ``Gateway.publish``; a stream gets
:func:`topic_audience`,                     those of its :class:`CallbackAnswer`, and everyone's
:func:`request_audience`
:class:`Runtime`, :data:`EXTENSION`         what the gunicorn worker needs from an application
:class:`GatewayError`                       the root of all errors (:mod:`gateway_shim.errors`)
==========================================  ======================================================

:data:`SECOND_RING` names the modules that other packages may import as well. Everything else is
internal. tests/structure/test_public_face.py holds ``app`` to this.

A public name is loaded on first use (PEP 562). ``import gateway_shim`` itself loads nothing, in
particular not gevent: a program can import this package, and begin to handle signals, before it
patches the standard library.

The layers, in which imports run downwards only::

    standalone        a gateway as a process with its own port
    server            gunicorn, as streams need it
    streams           the streams of one process
    http_client       requests to other servers
    event_log         the recent events in one order, and the directory that they are kept in
    event_loop        gevent: patching, turns, threads beside the loop
    protocol          bytes and decisions; pure
    log_lines, errors

``parity`` stands beside them: it judges gateways from outside. No module imports ``app``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway_shim.errors import (
        GatewayError,
        InvalidConfiguration,
        LogUnavailable,
        LoopNotRunning,
        UnknownToken,
        WriteFailed,
    )
    from gateway_shim.event_log.audience import (
        EVERYONE,
        request_audience,
        topic_audience,
        user_audience,
    )
    from gateway_shim.event_log.limits import LogLimits
    from gateway_shim.event_log.log import Log
    from gateway_shim.event_log.memory_log import MemoryLog
    from gateway_shim.protocol.callbacks import CallbackAnswer, CallbackFailure
    from gateway_shim.protocol.client_address import TrustedProxies
    from gateway_shim.protocol.event_stream import Dialect, Event
    from gateway_shim.protocol.http import Refusal
    from gateway_shim.protocol.results import BroadcastResult, Published, SendStatus
    from gateway_shim.protocol.routes import Route
    from gateway_shim.protocol.stream_request import StreamRequest
    from gateway_shim.server.responses.transfers import TransferLimits
    from gateway_shim.server.runtime import EXTENSION, Runtime
    from gateway_shim.streams.callbacks.backend import Backend, CallbackTimeout, InProcessBackend
    from gateway_shim.streams.config import Cors, GatewayConfig
    from gateway_shim.streams.gateway import Gateway
    from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = [
    "EVERYONE",
    "EXTENSION",
    "Backend",
    "BroadcastResult",
    "CallbackAnswer",
    "CallbackFailure",
    "CallbackTimeout",
    "Cors",
    "Dialect",
    "Event",
    "Gateway",
    "GatewayConfig",
    "GatewayError",
    "InProcessBackend",
    "InvalidConfiguration",
    "Log",
    "LogLimits",
    "LogUnavailable",
    "LoopNotRunning",
    "MemoryLog",
    "Published",
    "Refusal",
    "RefusalCounts",
    "RefusalReason",
    "Route",
    "Runtime",
    "SendStatus",
    "StreamRequest",
    "TransferLimits",
    "TrustedProxies",
    "UnknownToken",
    "WriteFailed",
    "request_audience",
    "topic_audience",
    "user_audience",
]

HOMES = {
    "EVERYONE": "gateway_shim.event_log.audience",
    "EXTENSION": "gateway_shim.server.runtime",
    "Backend": "gateway_shim.streams.callbacks.backend",
    "BroadcastResult": "gateway_shim.protocol.results",
    "CallbackAnswer": "gateway_shim.protocol.callbacks",
    "CallbackFailure": "gateway_shim.protocol.callbacks",
    "CallbackTimeout": "gateway_shim.streams.callbacks.backend",
    "Cors": "gateway_shim.streams.config",
    "Dialect": "gateway_shim.protocol.event_stream",
    "Event": "gateway_shim.protocol.event_stream",
    "Gateway": "gateway_shim.streams.gateway",
    "GatewayConfig": "gateway_shim.streams.config",
    "GatewayError": "gateway_shim.errors",
    "InProcessBackend": "gateway_shim.streams.callbacks.backend",
    "InvalidConfiguration": "gateway_shim.errors",
    "Log": "gateway_shim.event_log.log",
    "LogLimits": "gateway_shim.event_log.limits",
    "LogUnavailable": "gateway_shim.errors",
    "LoopNotRunning": "gateway_shim.errors",
    "MemoryLog": "gateway_shim.event_log.memory_log",
    "Published": "gateway_shim.protocol.results",
    "Refusal": "gateway_shim.protocol.http",
    "RefusalCounts": "gateway_shim.streams.refusal_counts",
    "RefusalReason": "gateway_shim.streams.refusal_counts",
    "Route": "gateway_shim.protocol.routes",
    "Runtime": "gateway_shim.server.runtime",
    "SendStatus": "gateway_shim.protocol.results",
    "StreamRequest": "gateway_shim.protocol.stream_request",
    "TransferLimits": "gateway_shim.server.responses.transfers",
    "TrustedProxies": "gateway_shim.protocol.client_address",
    "UnknownToken": "gateway_shim.errors",
    "WriteFailed": "gateway_shim.errors",
    "request_audience": "gateway_shim.event_log.audience",
    "topic_audience": "gateway_shim.event_log.audience",
    "user_audience": "gateway_shim.event_log.audience",
}
"""The module that defines each public name. A public name may also be imported from there, for
example in a module that must not load a whole layer."""

SECOND_RING = (
    # Errors.
    "gateway_shim.errors",
    # The protocol: its bytes and limits, for code that speaks to gateways or to browsers.
    "gateway_shim.protocol.backend_start",
    "gateway_shim.protocol.bodies.content_coding",
    "gateway_shim.protocol.client_address",
    "gateway_shim.protocol.event_stream",
    "gateway_shim.protocol.http",
    "gateway_shim.protocol.json_text",
    "gateway_shim.protocol.routes",
    "gateway_shim.protocol.stream_request",
    # The event loop: patching, turns for other greenlets, calls from other threads.
    "gateway_shim.event_loop.loop_thread",
    "gateway_shim.event_loop.patching",
    "gateway_shim.event_loop.turns",
    # The event log: to whom an event is addressed, how much the log keeps, and in which directory.
    # The benchmark measures the two kinds of log alone.
    "gateway_shim.event_log.audience",
    "gateway_shim.event_log.brokers.presence",
    "gateway_shim.event_log.brokers.redis.inspection",
    "gateway_shim.event_log.brokers.redis.keys",
    "gateway_shim.event_log.brokers.redis.url",
    "gateway_shim.event_log.brokers.redis_log",
    "gateway_shim.event_log.limits",
    "gateway_shim.event_log.log",
    "gateway_shim.event_log.memory_log",
    "gateway_shim.event_log.places.bus_opening",
    "gateway_shim.event_log.places.choice",
    "gateway_shim.event_log.places.gaps",
    "gateway_shim.event_log.places.opening",
    "gateway_shim.event_log.places.owner",
    "gateway_shim.event_log.places.place",
    "gateway_shim.event_log.places.state_directory",
    "gateway_shim.event_log.processes",
    "gateway_shim.event_log.segments.segment_log",
    # Requests to other servers.
    "gateway_shim.http_client.client",
    "gateway_shim.http_client.final_response",
    "gateway_shim.http_client.redirects",
    # Log lines without secrets and without forged lines.
    "gateway_shim.log_lines.frequent_line",
    "gateway_shim.log_lines.line_limit",
    "gateway_shim.log_lines.log_format",
    "gateway_shim.log_lines.output",
    "gateway_shim.log_lines.redaction",
    "gateway_shim.log_lines.safe_text",
    # Limits of a gateway, for settings.
    "gateway_shim.streams.opening.pending_connects",
    # The other processes of a server.
    "gateway_shim.streams.peers.peers",
    "gateway_shim.streams.peers.servers",
    # The counters of a gateway.
    "gateway_shim.streams.stats",
    # gunicorn: its settings, the start of a process, and what the machine allows.
    "gateway_shim.server.addresses",
    "gateway_shim.server.gunicorn_application",
    "gateway_shim.server.options",
    "gateway_shim.server.preflight",
    "gateway_shim.server.process.descriptors",
    "gateway_shim.server.process.freed_memory",
    "gateway_shim.server.process.gunicorn_import",
    "gateway_shim.server.process.reload_check",
    "gateway_shim.server.process.start_signals",
    "gateway_shim.server.process.worker_number",
    "gateway_shim.server.responses.turnstile",
    # The send endpoint, which the backend can serve, too.
    "gateway_shim.streams.send_endpoint",
    # A free port, for the benchmark's servers.
    "gateway_shim.parity.ports",
)
"""The modules that other packages may import, beside the public names."""


def __getattr__(name: str) -> object:
    """Load a public name on its first use."""
    home = HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*globals(), *__all__})
