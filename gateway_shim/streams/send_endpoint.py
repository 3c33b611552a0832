"""The endpoint ``POST /internal/send``, without the server that receives the request.

The standalone gateway serves it, and the backend serves it if SSE_INTERNAL_SEND is on.
"""

from __future__ import annotations

from gateway_shim.errors import BadSend, UnknownToken, WriteFailed
from gateway_shim.protocol import http
from gateway_shim.protocol.http import ErrorCode
from gateway_shim.protocol.send_request import parse_send
from gateway_shim.streams.gateway import Gateway

__all__ = ["answer_send"]


def answer_send(
    gateway: Gateway, content_type: str | None, body: bytes, content_encoding: str | None = None
) -> tuple[int, bytes]:
    """Carry out a request for ``POST /internal/send``.

    Args:
        gateway: the gateway whose streams are sent to.
        content_type: the request's Content-Type.
        body: the request's body. Of a body over the limit, one byte more than the limit is enough.
        content_encoding: the request's Content-Encoding.

    Returns:
        The status and the JSON body of the answer.
    """
    try:
        send = parse_send(content_type, body, content_encoding)
        status = gateway.send(send.token, send.event, close=send.close)
    except BadSend as exc:
        return exc.status, http.error_body(exc.code, exc.message)
    except UnknownToken:
        return 404, http.error_body(ErrorCode.TOKEN_NOT_FOUND, "Token not found")
    except WriteFailed:
        return 500, http.error_body(ErrorCode.WRITE_FAILED, "Write failed: connection closed")
    return 200, http.compact_json({"status": status.value})
