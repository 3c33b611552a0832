"""The head of a stream's answer."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate

from gateway_shim.protocol import http
from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.streams.config import GatewayConfig

__all__ = ["stream_head"]


def stream_head(
    request_headers: Mapping[str, str | list[str]],
    config: GatewayConfig,
    framing: BodyFraming,
    *,
    close: bool = False,
) -> bytes:
    """Make the status line and the headers of a stream's answer.

    The status line says HTTP/1.1 to an HTTP/1.0 client too (RFC 9110, section 2.5).

    Args:
        request_headers: the request's headers, names in lower case.
        config: the origins that may read the stream, and whether the head tells the interval of
            the heartbeats.
        framing: the framing of the body. BARE also for the answer to HEAD, which has no body.
        close: True if the connection ends after this head; only for the answer to HEAD.
    """
    headers = [
        ("Date", formatdate(usegmt=True)),
        *http.STREAM_HEADERS,
        *config.cors.headers(request_headers),
    ]
    if config.tells_heartbeat:
        headers.append((http.HEARTBEAT_HEADER, f"{config.heartbeat_interval:.15g}"))
    if close:
        headers = [(name, "close" if name == "Connection" else value) for name, value in headers]
    if framing is BodyFraming.CHUNKED:
        headers.append(("Transfer-Encoding", "chunked"))
    return http.head(200, headers)
