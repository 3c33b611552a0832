"""The head of a stream's answer."""

from __future__ import annotations

from email.utils import formatdate

from gateway_shim.protocol import http as contract
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.config import Cors

__all__ = ["stream_head"]


def stream_head(request: StreamRequest, cors: Cors, *, close: bool = False) -> bytes:
    """Make status line and headers of a stream's answer.

    The status line says HTTP/1.1 to an HTTP/1.0 client too (RFC 9110, section 2.5); the body of
    such a stream ends with the connection.

    Args:
        request: the browser's request.
        cors: which origins may read the stream.
        close: whether the connection ends with this head: the answer to HEAD has no body.
    """
    headers = [
        ("Date", formatdate(usegmt=True)),
        *contract.STREAM_HEADERS,
        *cors.headers(request.headers),
    ]
    if close:
        headers = [(name, "close" if name == "Connection" else value) for name, value in headers]
    if not request.http_1_0:
        headers.append(("Transfer-Encoding", "chunked"))
    return contract.head(200, headers)
