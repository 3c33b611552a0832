"""The head of a stream's answer."""

from __future__ import annotations

import calendar
import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache

from gateway_shim.protocol import http
from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.streams.config import GatewayConfig

__all__ = ["stream_head"]

_LINE_END = b"\r\n"


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
    cors = config.cors.headers(request_headers)
    interval = config.heartbeat_interval if config.tells_heartbeat else None
    return _date(time.gmtime()) + _without_date(cors, interval, framing, close)


@lru_cache(1)
def _date(now: time.struct_time) -> bytes:
    """Return the status line, and the date of a time. Many streams open in the same second."""
    return http.head(200, [("Date", formatdate(calendar.timegm(now), usegmt=True))])[
        : -len(_LINE_END)
    ]


@lru_cache(64)
def _without_date(
    cors: tuple[tuple[str, str], ...], interval: float | None, framing: BodyFraming, close: bool
) -> bytes:
    """Return the headers behind the date. They differ only by the page's origin."""
    headers = [*http.STREAM_HEADERS, *cors]
    if interval is not None:
        headers.append((http.HEARTBEAT_HEADER, f"{interval:.15g}"))
    if close:
        headers = [(name, "close" if name == "Connection" else value) for name, value in headers]
    if framing is BodyFraming.CHUNKED:
        headers.append(("Transfer-Encoding", "chunked"))
    whole = http.head(200, headers)
    return whole[whole.index(_LINE_END) + len(_LINE_END) :]
