"""The settings of a gateway."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.protocol.client_address import TrustedProxies
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.protocol.http import CORS_HEADERS, HEARTBEAT_HEADER
from gateway_shim.streams.opening.pending_connects import DEFAULT_PENDING_CONNECTS

__all__ = ["Cors", "GatewayConfig"]

_CONTRACT = dict(CORS_HEADERS)

# An origin as browsers serialize it (RFC 6454, section 6.2).
_ORIGIN = re.compile(
    r"(?:http://(?!.*:80$)|https://(?!.*:443$))(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
)


@dataclass(frozen=True, slots=True)
class Cors:
    """The web origins that may read streams and answers. The defaults are the contract's.

    Args:
        origins: origins such as ``https://app.example``; ``*`` for all; empty: no origin.
        methods: the methods that pages may use.
        request_headers: the headers that pages may set.
        exposed: the headers of answers that pages may read; empty: those that browsers always show.
    """

    origins: tuple[str, ...] = ("*",)
    methods: str = _CONTRACT["Access-Control-Allow-Methods"]
    request_headers: str = _CONTRACT["Access-Control-Allow-Headers"]
    exposed: str = ""

    @classmethod
    def parse(cls, text: str) -> Cors:
        """Read a backend's comma-separated list of origins.

        A backend allows more than the contract: its API has DELETE, and clients that read streams
        with ``fetch`` set Last-Event-ID and Authorization themselves. They read when the next
        heartbeat is due, and when to ask a busy server again.

        Raises:
            InvalidConfiguration: an entry is not an origin.
        """
        origins = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
        for origin in origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise InvalidConfiguration(
                    f"{origin!r} is not an origin as browsers send it; write https://host[:port]"
                    " in lower case, without the scheme's default port, or * for all origins"
                )
        return cls(
            origins,
            "GET, POST, DELETE, OPTIONS",
            f"{cls().request_headers}, Last-Event-ID, Authorization",
            f"{HEARTBEAT_HEADER}, Retry-After",
        )

    def headers(
        self, request_headers: Mapping[str, str | list[str]]
    ) -> tuple[tuple[str, str], ...]:
        """Return the CORS headers of an answer.

        A listed origin may send cookies. If all origins may read, no origin may send cookies: the
        browser would refuse the answer (Fetch standard, section "CORS protocol and credentials").

        Args:
            request_headers: the request's headers, names in lower case.
        """
        allowed = (
            ("Access-Control-Allow-Methods", self.methods),
            ("Access-Control-Allow-Headers", self.request_headers),
            *((("Access-Control-Expose-Headers", self.exposed),) if self.exposed else ()),
        )
        if "*" in self.origins:
            return (("Access-Control-Allow-Origin", "*"), *allowed)
        origin = request_headers.get("origin", "")
        if not isinstance(origin, str) or origin not in self.origins:
            return (("Vary", "Origin"),) if self.origins else ()
        return (
            ("Access-Control-Allow-Origin", origin),
            *allowed,
            ("Access-Control-Allow-Credentials", "true"),
            ("Vary", "Origin"),
        )


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """A gateway's settings.

    Args:
        dialect: the way in which named events are written.
        heartbeat_interval: the seconds between a stream's heartbeats.
        tells_heartbeat: True if the head of a stream has this interval (``SSE-Heartbeat-Seconds``).
        max_buffer_bytes: the bytes that a slow client may leave unread before its stream is ended.
            Events that are in the log do not count, here and below.
        max_total_buffer_bytes: the bytes that all clients together may leave unread. When it is
            exceeded, the streams with the most unread bytes are ended. Bytes that several clients
            share count once.
        max_connections: the limit on streams of this process at a time; None: no limit.
        max_connections_of_server: the limit on streams of all processes of the server at a time;
            None: no limit.
        max_connections_per_address: the limit on streams at a time from one address; None: no
            limit.
        proxies: the proxies that may name their client's address; the default: none.
        max_pending_connects: the limit on connects that wait for the backend's answer at a time.
        callback_connections: the limit on connections to a backend behind HTTP at a time. The
            same number of descriptors is kept free for them.
        keep_headers: True if disconnect callbacks repeat the headers of the stream's request, as
            the contract says. Without them a stream takes less memory.
        max_request_connections_per_address: the limit on connections at a time from one address
            that are not streams.
        max_requests_per_connection: the limit on requests over one connection.
        client_timeout: the seconds after which the connection to a client that has lost its network
            is closed.
        retry_ms: the ``retry:`` of a stream's first event, milliseconds; None: none is written.
        drain_retry_seconds: the longest time after a drain over which browsers reconnect, seconds.
        cors: the origins that may read.
    """

    dialect: Dialect = Dialect.NAMED
    heartbeat_interval: float = 15.0
    tells_heartbeat: bool = False
    max_buffer_bytes: int = 1024 * 1024
    max_total_buffer_bytes: int = 256 * 1024 * 1024
    max_connections: int | None = None
    max_connections_of_server: int | None = None
    max_connections_per_address: int | None = None
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    max_pending_connects: int = DEFAULT_PENDING_CONNECTS
    callback_connections: int = 0
    keep_headers: bool = True
    max_request_connections_per_address: int = 500
    max_requests_per_connection: int = 1000
    client_timeout: float = 30.0
    retry_ms: int | None = None
    drain_retry_seconds: float = 10.0
    cors: Cors = field(default_factory=Cors)
